#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# The token estimate: known texts, the same result however the text is cut, and
# with AIOBS_CORPUS the error against what providers reported.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Encode qw(encode_utf8);
use JSON::PP;
use Test::More;

use AiobsUnit;

# text, tokens in o200k_base, tolerance
my @known = (
    ['', 0, 0],
    [' ', 0, 0],
    ['a', 1, 0],
    ['Hello! How can I assist you today?', 9, 0],
    ['The capital of France is Paris.', 7, 0],
    ['1, 2, 3, 4, 5', 13, 0],
    ['1234567', 3, 0],
    ["if (x) {\n        return 1;\n    }\n", 13, 4],
    ['こんにちは世界', 4, 2],
    ['Привет, как дела?', 5, 2],
);

my @random;
srand(7);
push @random, join '', map { chr int rand 256 } 1 .. 3000 for 1 .. 5;
push @random, encode_utf8(join '', map {
    chr((0x20, 0xe0, 0x400, 0x5d0, 0x900, 0x3040, 0x4e00, 0xac00, 0x1f600)
        [rand 9] + int rand 60) } 1 .. 2000) for 1 .. 5;

my %variants = variants();

for my $variant (sort keys %variants) {
    my $exe = build('estimate', $variant, ['usage/aiobs_estimate.c']);

    for (@known) {
        my ($text, $want, $tolerance) = @$_;
        my ($tokens, undef, $splits) =
            split ' ', run_ok($exe, encode_utf8($text), "$variant: runs");

        ok(abs($tokens - $want) <= $tolerance,
            "$variant: $tokens tokens, wanted $want");
        is($splits, 'same', "$variant: any split");
    }

    for (@random) {
        my ($tokens, undef, $splits) =
            split ' ', run_ok($exe, $_, "$variant: random bytes");

        cmp_ok($tokens, '<=', 2 * length, "$variant: bounded");
        is($splits, 'same', "$variant: any split of random bytes");
    }

    corpus($exe) if $variant eq 'plain' && $ENV{AIOBS_CORPUS};
}

done_testing();


# answers of plain text only, reasoning excluded, of at least 20 tokens

sub corpus {
    my ($exe) = @_;
    my (@errors, %family);

    for my $meta (sort glob "$ENV{AIOBS_CORPUS}/*/meta.json") {
        my $want = decode_json(slurp($meta))->{expected};
        next if ($want->{output} // 0) < 20 || $want->{reasoning};

        my ($family, $text) = answer($meta =~ s/meta\.json$/response.bin/r);
        next unless defined $text && length $text > $want->{output};

        my ($tokens) = split ' ', (run_on($exe, encode_utf8($text)))[1];
        my $error = abs($tokens - $want->{output}) / $want->{output};
        push @errors, $error;
        push @{ $family{$family} }, $error;
    }

    for (sort keys %family) {
        diag(sprintf '%s: %s', $_, distribution(@{ $family{$_} }));
    }

    cmp_ok(scalar @errors, '>=', 20, 'enough answers of plain text');
    cmp_ok(quantile(.5, @errors), '<', .08, 'median error below 8%');
    cmp_ok(quantile(.9, @errors), '<', .3, 'nine of ten below 30%');
}


sub distribution {
    return sprintf '%d answers, error median %.1f%%, p90 %.1f%%', scalar @_,
        100 * quantile(.5, @_), 100 * quantile(.9, @_);
}


sub quantile {
    my ($q, @values) = @_;
    return (sort { $a <=> $b } @values)[int($q * $#values + .5)];
}


sub answer {
    my ($file) = @_;

    my $body = slurp($file);
    return if $body =~ /^\x1f\x8b/;

    my @documents = ($body =~ /^\s*\{/) ? ($body)
        : map { /^data: ?(\{.*)/s ? $1 : () } split /\r?\n/, $body;

    my ($family, $text) = ('', '');

    for (@documents) {
        my $document = eval { decode_json($_) } or return;
        my ($name, $piece) = openai($document);
        ($name, $piece) = anthropic($document) unless $name;
        next unless $name;
        return unless defined $piece;
        $family = $name;
        $text .= $piece;
    }

    return $family ? ($family, $text) : ();
}


sub openai {
    my ($d) = @_;

    return unless ($d->{object} // '') =~ /^chat\.completion/;
    my $text = '';

    for (@{ $d->{choices} // [] }) {
        my $m = $_->{message} // $_->{delta} // {};
        return ('OpenAI', undef) if grep { $m->{$_} } qw(tool_calls refusal
            function_call reasoning reasoning_content audio);
        return ('OpenAI', undef) if ref $m->{content};
        $text .= $m->{content} // '';
    }

    return ('OpenAI', $text);
}


sub anthropic {
    my ($d) = @_;

    my $type = $d->{type} // '';
    my @parts = $type eq 'message' ? @{ $d->{content} }
        : $type eq 'content_block_start' ? $d->{content_block}
        : $type eq 'content_block_delta' ? $d->{delta} : ();
    my $text = '';

    for (@parts) {
        return ('Anthropic', undef) unless $_->{type} =~ /^text(_delta)?$/;
        $text .= $_->{text};
    }

    return @parts ? ('Anthropic', $text) : ();
}


sub slurp {
    my ($file) = @_;

    open my $fh, '<:raw', $file or die "$file: $!";
    local $/;
    return scalar <$fh>;
}
