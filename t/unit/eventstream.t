#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# The AWS event stream parser against messages written here, every split of
# them, every change of a byte, hostile lengths; with AIOBS_CORPUS every
# recorded stream against a reader written differently.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Compress::Zlib qw(crc32);
use MIME::Base64 qw(encode_base64);
use Test::More;

use AiobsUnit;

my %variants = variants();

for my $variant (sort keys %variants) {
    my $exe = build('eventstream', $variant,
        ['usage/aiobs_eventstream.c', 'usage/aiobs_base64.c'], '-lz');

    messages($exe, $variant);
    hostile($exe, $variant);
    base64($exe, $variant);
    corpus($exe) if $variant eq 'plain' && $ENV{AIOBS_CORPUS};
}

done_testing();


sub messages {
    my ($exe, $variant) = @_;

    my $event = message({ ':event-type' => 'metadata',
        ':content-type' => 'application/json', ':message-type' => 'event' },
        '{"usage":{}}');
    my $exception = message({ ':exception-type' => 'throttlingException',
        ':message-type' => 'exception' }, '{"message":"slow"}');
    my $error = message({ ':error-code' => '500', ':message-type' => 'error' });
    my $bare = message({}, '');
    my $big = message({ ':message-type' => 'event', ':event-type' => 'chunk' },
        join '', map { chr rand 256 } 1 .. 70_000);

    check($exe, $variant, 'an event', $event,
        want('event|metadata|application/json', '{"usage":{}}', 1));
    check($exe, $variant, 'all kinds', $event . $exception . $error . $bare,
        want('event|metadata|application/json', '{"usage":{}}', 1)
        . want('exception|throttlingException|', '{"message":"slow"}', 1)
        . want('error|500|', '', 1) . want('||', '', 1));
    check($exe, $variant, 'a long payload', $big . $event,
        want('event|chunk|', substr($big, -70_004, 70_000), 1)
        . want('event|metadata|application/json', '{"usage":{}}', 1));
    check($exe, $variant, 'nothing', '', '');

    types($exe, $variant);

    for ($event . $exception, $bare . $error) {
        run_ok($exe, $_, "$variant: no changed byte passes", 'corrupt');
    }

    for my $cut (1 .. length($event) - 1) {
        my ($status, $out) =
            run_on($exe, $error . substr($event, 0, $cut), 'stream');
        next if $status == 0 && $out =~ /failed 0, idle 0$/
            && $out !~ /metadata.*\|\d+$/m;
        fail("$variant: cut after $cut: $out");
    }
}


# values of every type are skipped, long ones cut, unknown ones refused

sub types {
    my ($exe, $variant) = @_;

    my @values = ("\0", "\1", "\2x", "\3xx", "\4xxxx", "\5" . 'x' x 8,
        "\6\0\3abc", "\6\0\0", "\7\0\3abc", "\7\0\0", "\x8" . 'x' x 8,
        "\x9" . 'x' x 16, "\6\xff\xff" . 'y' x 65535);
    my $headers = join '', map { header("h$_", $values[$_]) } 0 .. $#values;
    my $type = header(':event-type', string('chunk'));

    check($exe, $variant, 'all types of headers',
        frame($headers . $type, 'x'), want('|chunk|', 'x', 1));
    check($exe, $variant, 'a header that is no string',
        frame(header(':event-type', "\6\0\3abc") . header(':message-type',
        "\0"), 'x'), want('||', 'x', 1));
    check($exe, $variant, 'long values and names',
        frame(header('n' x 255, string('v' x 300))
        . header(':event-type', string('e' x 48))
        . header(':message-type', string('m' x 40_000))
        . header(':content-type', string('c' x 47)), 'x'),
        want('m' x 15 . '|' . 'e' x 47 . '|' . 'c' x 47, 'x', 1));
    check($exe, $variant, 'the same header twice', frame(
        header(':event-type', string('first')) . $type, ''),
        want('|chunk|', '', 1));

    my $good = frame($type, 'y');
    my %bad = (
        'an unknown type' => header('h', "\x0a"),
        'an empty name' => header('', "\0"),
        'a name past the end' => "\x20abc",
        'a value past the end' => header('h', "\7\0\x20abc"),
        'a name alone' => "\1h",
        'a length cut' => header('h', "\7\0"),
    );

    for (sort keys %bad) {
        check($exe, $variant, $_, frame($type . $bad{$_}, 'x') . $good,
            want('|chunk|', 'x', 0) . want('|chunk|', 'y', 1), 1);
    }
}


sub hostile {
    my ($exe, $variant) = @_;

    my %lengths = (
        'nothing inside' => [0, 0], 'too short' => [15, 0],
        'headers past the end' => [32, 17], 'huge' => [0xffffffff, 0],
        'huge headers' => [0xffffffff, 0xffffffff],
        'headers that wrap' => [16, 0xfffffff0],
        'past the limit' => [24 * 1024 * 1024 + 1, 0],
        'headers past the limit' => [1 << 20, 128 * 1024 + 1],
    );

    for (sort keys %lengths) {
        check($exe, $variant, $_, prelude(@{ $lengths{$_} }) . 'x' x 100,
            undef, 1, 0);
    }

    my $wrong = frame('', 'payload');
    substr($wrong, 14, 1) = 'X';
    check($exe, $variant, 'a wrong CRC, then a right one',
        $wrong . frame('', 'ok'),
        want('||', 'paXload', 0) . want('||', 'ok', 1), 1);

    check($exe, $variant, 'not a stream', '{"message":"no"}' x 10,
        undef, 1, 0);

    srand 11;

    for (1 .. 40) {
        my $random = join '', map { chr int rand 256 } 1 .. int rand 300;
        run_ok($exe, frame($random, 'x') . $random,
            "$variant: random headers", 'stream');
    }
}


sub base64 {
    my ($exe, $variant) = @_;

    for my $len (0 .. 70, 1000) {
        my $bytes = join '', map { chr int rand 256 } 1 .. $len;
        my $text = encode_base64($bytes, '');

        for ($text, encode_base64($bytes), $text =~ s/=+$//r, "$text\t ") {
            is(run_ok($exe, $_, "$variant: base64", 'base64'), "0:$bytes",
                "$variant: base64 of $len bytes");
        }
    }

    my %bad = ('QUI*QUJD' => "1:AB", '=' => '1:', 'Q=' => '1:', 'QUI=Q' => "1:AB",
        'QUJD=' => "1:ABC", 'QQ==QQ==' => "1:A", 'QQ===' => '1:A',
        'QUJDQU-D' => '1:ABCA', "QUJD\0" => "1:ABC", "QUJD\xff" => "1:ABC");

    for (sort keys %bad) {
        is(run_ok($exe, $_, "$variant: bad base64", 'base64'), $bad{$_},
            "$variant: bad base64 is told after what was good");
    }
}


sub corpus {
    my ($exe) = @_;
    my ($streams, $frames) = (0, 0);

    for my $file (sort glob "$ENV{AIOBS_CORPUS}/*-aws-eventstream/response.bin")
    {
        open my $fh, '<:raw', $file or die "$file: $!";
        my $bytes = do { local $/; <$fh> };
        my $want = '';

        for (my $at = 0; $at < length $bytes; ) {
            my ($total, $headers) = unpack 'NN', substr $bytes, $at;
            my %h = unpack_headers(substr $bytes, $at + 12, $headers);
            $want .= want(join('|', map { $_ // '' } $h{':message-type'},
                $h{':event-type'} // $h{':exception-type'},
                $h{':content-type'}), substr($bytes, $at + 12 + $headers,
                $total - $headers - 16), 1);
            $at += $total;
            $frames++;
        }

        check($exe, 'plain', $file =~ s/.*\/(.*)\/.*/$1/r, $bytes, $want);
        $streams++;
    }

    cmp_ok($streams, '>', 0, 'there are recorded streams');
    diag("$streams recorded streams, $frames frames");
}


# headers of strings only: what Bedrock sends

sub unpack_headers {
    my ($bytes) = @_;
    my %h;

    while (length $bytes) {
        my ($name, $type, $value, $rest) = unpack 'C/a C n/a a*', $bytes;
        die "header type $type" if $type != 7;
        $h{$name} = $value;
        $bytes = $rest;
    }

    return %h;
}


sub check {
    my ($exe, $variant, $name, $bytes, $want, $failed, $idle) = @_;

    my $out = run_ok($exe, $bytes, "$variant: $name: runs", 'stream');
    is($out, sprintf("%sfailed %d, idle %d\n", $want // '', $failed // 0,
        $idle // 1), "$variant: $name");
}


sub want {
    my ($headers, $payload, $valid) = @_;
    return sprintf "%s|%d|%08x|%d\n", $headers, length $payload,
        crc32($payload), $valid;
}


sub message {
    my ($headers, $payload) = @_;
    return frame(join('', map { header($_, string($headers->{$_})) }
        sort keys %$headers), $payload // '');
}


sub header { pack 'C/a a*', @_ }


sub string { "\7" . pack 'n/a', @_ }


sub prelude {
    my $lengths = pack 'NN', @_;
    return $lengths . pack 'N', crc32($lengths);
}


sub frame {
    my ($headers, $payload) = @_;
    my $bytes = prelude(16 + length($headers) + length $payload,
        length $headers) . $headers . $payload;
    return $bytes . pack 'N', crc32($bytes);
}
