#!/usr/bin/perl

# Recorded answers of providers, or those in t/corpus: each read whole and in
# pieces of many sizes gives the figures that its meta.json expects.
#
# AIOBS_CORPUS names a folder of cases: NAME/{meta.json,response.bin}.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin qw($Bin);
use lib "$Bin/../lib";

use AiobsUnit;
use JSON::PP;
use Test::More;

my $corpus = $ENV{AIOBS_CORPUS} || "$Bin/../corpus";
my $dir = tempdir(CLEANUP => 1);
my $exe = reader();

my ($cases, $fields) = (0, 0);

for my $case (sort glob "$corpus/*/meta.json") {
    my $meta = decode_json(slurp($case));
    next if $meta->{ambiguous};

    (my $path = $case) =~ s{/meta\.json$}{};
    (my $name = $path) =~ s{.*/}{};
    my @bad = check($meta, run($meta, $path));
    is(join('; ', @bad), '', $name);
    $cases++;
}

diag("$cases cases, $fields fields");
cmp_ok($cases, '>', 20, 'there are cases');

done_testing();

sub slurp {
    open my $fh, '<', $_[0] or die "$_[0]: $!";
    binmode $fh;
    local $/;
    return <$fh>;
}

sub run {
    my ($meta, $path) = @_;

    my %h = map { lc $_ => $meta->{headers}{$_} } keys %{$meta->{headers} || {}};
    my $encoding = $meta->{content_encoding} || 'identity';

    delete $h{'content-encoding'};
    $h{'content-encoding'} = $encoding if $encoding ne 'identity';

    (my $uri = $meta->{path}) =~ s/\?.*//;

    my $cmd = join ' ', map { quotemeta } $exe, 1, $meta->{method} || 'POST', $uri,
        $meta->{status}, map { "$_:$h{$_}" } sort keys %h;
    my $out = `$cmd < \Q$path\E/response.bin 2>$dir/err`;
    return $? ? undef : decode_json($out);
}

sub check {
    my ($meta, $r) = @_;

    return 'crashed: ' . slurp("$dir/err") unless $r;

    my $e = $meta->{expected};
    my @bad;

    my $same = sub {
        my ($field, $got, $want) = @_;
        $fields++;
        push @bad, "$field: got $got, want $want" if $got ne $want;
    };

    $same->('every split', $r->{splits} ? 1 : 0, 1);

    if (!$e->{countable} || $meta->{status} >= 400) {

        # nothing may be counted, whatever stands in the body

        if ($r->{countable}) {
            $same->($_, $r->{$_}, -1) for qw(input output);
        }

        $same->('error', length $r->{error} ? 1 : 0, 1)
            if $meta->{status} >= 400 && $r->{countable} && $e->{error}
                && ($e->{error}{type} || $e->{error}{code});
        return @bad;
    }

    my $number = sub { my ($n) = @_; defined $n && $n > 0 ? $n : 0 };

    if ($e->{usage_present} || defined $e->{norm_input}) {
        $same->('input', $number->($r->{input}), $number->($e->{norm_input}));
        $same->('output', $number->($r->{output}), $number->($e->{norm_output}));
        $same->('source', $r->{source}, 'reported');

    } else {
        $same->('not reported', $r->{source} eq 'reported' ? 1 : 0, 0);
    }

    for my $f (qw(cache_read cache_write reasoning)) {
        $same->($f, $number->($r->{$f}), $number->($e->{$f}));
    }

    for my $f (grep { exists $e->{$_} } qw(cache_write_1h audio_input
            audio_output image_input image_output provider cost tier)) {
        $same->($f, $r->{$f}, $e->{$f});
    }

    $same->('model', $r->{model}, $e->{model} // '');
    $same->('stream', $r->{stream} ? 1 : 0, $e->{stream} ? 1 : 0);
    $same->('finish reasons', $r->{finish},
        join ',', grep { defined } @{$e->{finish_reasons} || []});
    $same->('failure', $r->{failure}, '');
    $same->('midstream error', $r->{midstream_error},
        $e->{error} && $e->{error}{midstream} ? 1 : 0);

    return @bad;
}
