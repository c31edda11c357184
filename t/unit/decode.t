#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Content codings undone on the side: every split, every cut, every byte
# changed, no memory, bombs, windows past the bound, what servers write in
# Content-Encoding; with AIOBS_CORPUS the recorded compressed bodies.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Compress::Zlib qw(crc32);
use IO::Compress::Gzip qw(gzip);
use IO::Uncompress::Gunzip qw(gunzip);
use Test::More;

use AiobsUnit;

use constant { NONE => 0, ENCODING => 6, DECODE => 7, WINDOW => 8 };

my @chains = ('gzip', 'gzip2', 'x-gzip', 'deflate', 'raw', 'br', 'zstd',
    'gzip,br', 'br,zstd,gzip', 'zstd,raw,deflate', 'gzip2,gzip2,gzip2',
    'identity,gzip');
my $magic = "\x28\xb5\x2f\xfd";
my %variants = variants();

for my $variant (sort keys %variants) {
    my $exe = build('decode', $variant, [map { "usage/aiobs_$_.c" }
        qw(decode inflate brotli zstd)],
        qw(-lz -lbrotlidec -lbrotlienc -lzstd));

    for my $chain (@chains) {
        properties($exe, $variant, $chain);
    }

    values_of_header($exe, $variant);
    formats($exe, $variant);
    windows($exe, $variant);
    corpus($exe) if $variant eq 'plain' && $ENV{AIOBS_CORPUS};
}

done_testing();


sub properties {
    my ($exe, $variant, $chain) = @_;

    my $text = text(1500);

    for my $plain ('', 'x', $text, substr($text, 0, 90) x 800) {
        run_ok($exe, $plain, "$variant: $chain: any split of "
            . length $plain, 'splits', $chain);
    }

    run_ok($exe, $text, "$variant: $chain: any cut", 'cuts', $chain);
    cmp_ok(run_ok($exe, $text, "$variant: $chain: any byte changed",
        'corrupt', $chain), '>', 300, "$variant: $chain: most are noticed");
    run_ok($exe, $text x 20, "$variant: $chain: no memory", 'memory', $chain);

    return if $chain =~ /gzip2/;
    run_ok($exe, '', "$variant: $chain: a bomb", 'bomb', $chain);
}


# words that repeat now and then

sub text {
    my ($len) = @_;
    my $text = '';

    srand 5;
    $text .= join '', ' ', map { chr 97 + int rand 26 } 1 .. rand 4
        while length $text < $len;

    return $text;
}


sub values_of_header {
    my ($exe, $variant) = @_;

    my $text = text(300);
    my $gz = packed($text);

    for ('gzip', ' GZIP ', 'x-gzip', "\tX-Gzip", 'identity, gzip',
        'gzip,identity', ',gzip,, ,', 'identity,identity,identity,gzip')
    {
        check($exe, $variant, $_, $gz, NONE, 1, $text);
    }

    for ('', ' ', 'identity', 'Identity , identity', ',,') {
        check($exe, $variant, $_, $gz, NONE, 0, $gz);
    }

    for ('compress', 'gzip;q=1', 'gzip br', 'gzi', 'gzipp', 'aes128gcm',
        'zstd, dcb', 'gzip,gzip,gzip,gzip', '*', "g\xc3\xbcnzip")
    {
        check($exe, $variant, $_, $gz, ENCODING, 0, '');
    }
}


sub formats {
    my ($exe, $variant) = @_;

    my $text = text(700);
    my $gz = packed($text);
    my $full = "\x1f\x8b\x08\x1e\0\0\0\0\0\3\5\0extraname\0comment\0";
    $full .= pack('v', crc32($full) & 0xffff) . substr $gz, 10;
    my $wrong = $gz;
    substr($wrong, -5, 1) = substr($wrong, -5, 1) ^ "\1";

    check($exe, $variant, 'gzip', $full, NONE, 1, $text);
    check($exe, $variant, 'gzip', $gz . $full . $gz, NONE, 1, $text x 3);
    check($exe, $variant, 'gzip', $gz . packed('') x 9, NONE, 1, $text);
    check($exe, $variant, 'gzip', $wrong, DECODE, 0, $text);
    check($exe, $variant, 'gzip', $gz . $wrong, DECODE, 0, $text x 2);
    check($exe, $variant, 'gzip', '', NONE, 0, '');
    check($exe, $variant, 'gzip', '{"usage":{}}', DECODE, 0, '');

    for ("\0" x 20, 'garbage', "\x1f", "\x1f\x8c", "\x1f\x8b\7\0", 'x') {
        my $failure = $_ eq "\x1f" ? NONE : DECODE;
        check($exe, $variant, 'gzip', $gz . $_, $failure, 1, $text);
    }

    # a preset dictionary; zlib's header announcing a method that is not
    check($exe, $variant, 'deflate', "\x78\xbb\0\0\0\1" . 'x' x 9, DECODE, 0, '');
    check($exe, $variant, 'deflate', "\3\0", NONE, 1, '');
    check($exe, $variant, 'deflate', "\3\0\0", DECODE, 1, '');
    check($exe, $variant, 'deflate', "\x78", NONE, 0, '');
    check($exe, $variant, 'deflate', "\1\3\0\xfc\xffabc", NONE, 1, 'abc');
    check($exe, $variant, 'deflate', "\1\3\0\xfc\xfbabc", DECODE, 0, '');

    check($exe, $variant, 'br', "\6", NONE, 1, '');
    check($exe, $variant, 'br', "\6x", DECODE, 1, '');
    check($exe, $variant, 'br', "\x0b\1\x80abc\3", NONE, 1, 'abc');
    check($exe, $variant, 'br', "\x11\x18\3", DECODE, 0, '');

    my $frame = "$magic\0\0\x18\0\0abc\1\0\0";
    my $skip = "\x5f\x2a\x4d\x18\4\0\0\0abcd";

    check($exe, $variant, 'zstd', $frame, NONE, 1, 'abc');
    check($exe, $variant, 'zstd', $skip . $frame x 3 . $skip, NONE, 1,
        'abc' x 3);
    check($exe, $variant, 'zstd', $frame . 'x', DECODE, 1, 'abc');
    check($exe, $variant, 'zstd', $frame . substr($magic, 0, 3) . 'x', DECODE,
        1, 'abc');
    check($exe, $variant, 'zstd', "$magic\0\0\x18\0\0abc\7\0\0", DECODE, 0,
        'abc');
    # a dictionary; a reserved bit; a size in the header that is not kept
    check($exe, $variant, 'zstd', "$magic\1\0\7\1\0\0", DECODE, 0, '');
    check($exe, $variant, 'zstd', "$magic\x08\0\1\0\0", DECODE, 0, '');
    check($exe, $variant, 'zstd', "$magic\x20\4\x19\0\0abc", DECODE, 0, 'ab');
    # formats of before version 1, also where a header is expected
    for my $old (0x1e, 0x22 .. 0x27) {
        my $bytes = chr($old) . "\xb5\x2f\xfd" . 'x' x 40;
        check($exe, $variant, 'zstd', $bytes, DECODE, 0, '');
        check($exe, $variant, 'zstd', "\x28$bytes", DECODE, 0, '');
    }
}


# the bound is looked at before the window is allocated

sub windows {
    my ($exe, $variant) = @_;

    for my $log (10 .. 24) {
        my $want = join ' ', map { "$_:" . ($_ < $log ? WINDOW : NONE) }
            10 .. 24;
        my $br = $log == 16 ? "\6"
            : $log > 17 ? chr(0x31 | ($log - 17) << 1)
            : pack 'CC', 0x81 | ($log == 17 ? 0 : $log - 8) << 4, 1;

        is(run_ok($exe, $br, "$variant: br $log", 'window', 'br'),
            "$want ", "$variant: br, window of $log bits");

        my $zstd = $magic . pack('CC', 0, ($log - 10) << 3) . "\1\0\0";
        is(run_ok($exe, $zstd, "$variant: zstd $log", 'window', 'zstd'),
            "$want ", "$variant: zstd, window of $log bits");

        # an eighth more; the content's size as the window
        my $more = join ' ', map { "$_:" . ($_ <= $log ? WINDOW : NONE) }
            10 .. 24;
        $zstd = $magic . pack('CC', 0, ($log - 10) << 3 | 1) . "\1\0\0";
        is(run_ok($exe, $zstd, "$variant: zstd $log+", 'window', 'zstd'),
            "$more ", "$variant: zstd, window of a little more");

        $zstd = $magic . pack('CQ<', 0xe0, (1 << $log) + 1);
        is(run_ok($exe, $zstd, "$variant: zstd size", 'window', 'zstd'),
            "$more ", "$variant: zstd, one segment");
    }

    check($exe, $variant, 'zstd', $magic . pack('CQ<', 0xe0, ~0 - 1), WINDOW,
        0, '');
    check($exe, $variant, 'zstd', "$magic\0\xff\1\0\0", WINDOW, 0, '');
}


sub corpus {
    my ($exe) = @_;
    my $bodies = 0;

    for my $file (sort glob "$ENV{AIOBS_CORPUS}/*/response.bin") {
        my $body = slurp($file);
        next unless $body =~ /^\x1f\x8b/;

        my $plain;
        gunzip(\$body => \$plain, MultiStream => 1) or next;
        check($exe, 'recorded', 'gzip', $body, NONE, 1, $plain);
        $bodies++;
    }

    cmp_ok($bodies, '>', 0, 'there are recorded compressed bodies');
    diag("$bodies recorded compressed bodies");
}


sub packed {
    my ($plain) = @_;

    my $out;
    gzip(\$plain => \$out, Minimal => 1) or die;

    return $out;
}


sub check {
    my ($exe, $variant, $encoding, $bytes, $failure, $ended, $plain) = @_;

    is(run_ok($exe, $bytes, "$variant: '$encoding' runs", 'raw', $encoding),
        sprintf('%d %d %d %08x', $failure, $ended, length $plain,
        crc32($plain)), "$variant: '$encoding', " . length($bytes) . ' bytes');
}


sub slurp {
    my ($file) = @_;

    open my $fh, '<:raw', $file or die "$file: $!";
    local $/;
    return scalar <$fh>;
}
