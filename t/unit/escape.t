#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# JSON strings: what every implementation that this processor can run writes is
# what a plain loop over bytes writes, whatever the bytes, wherever they lie and
# however little room there is; nothing is read or written beside them.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use AiobsUnit;
use Test::More;

my $runs = 100000;

for my $variant (qw(plain sanitized)) {
    my $exe = build('escape', $variant, ['telemetry/aiobs_escape.c']);
    my ($status, $out) = run_on($exe, '', $runs);

    is($status, 0, "$variant: all agree, the fastest is in use") or diag($out);
    like($out, qr/^portable $runs$/m, "$variant: portable C was one of them");

    SKIP: {
        skip 'no x86-64', 1 if `uname -m` !~ /x86_64/;
        like($out, qr/^sse2 $runs$/m, "$variant: SSE2 was one of them");
    }
    SKIP: {
        skip 'no AVX2', 1 if `cat /proc/cpuinfo` !~ /\bavx2\b/;
        like($out, qr/^avx2 $runs$/m, "$variant: AVX2 was one of them");
    }
    SKIP: {
        skip 'no aarch64', 1 if `uname -m` !~ /aarch64/;
        like($out, qr/^neon $runs$/m, "$variant: NEON was one of them");
    }

    $exe = build('escape', $variant, ['telemetry/aiobs_escape.c'], '-DAIOBS_PORTABLE');
    ($status, $out) = run_on($exe, '', $runs);

    is($status, 0, "$variant: nor does a processor without vectors write another") or diag($out);
    is($out, "portable $runs\n", "$variant: which has none");
}

done_testing();
