#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Runs over bytes that do not matter: every implementation that this processor
# can run gives what a loop over bytes gives, and reads nothing behind the end.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use AiobsUnit;
use Test::More;

for my $variant (qw(plain sanitized)) {
    my $exe = build('find', $variant, ['usage/aiobs_find.c']);
    my ($status, $out) = run_on($exe, '', 200000);

    is($status, 0, "$variant: all agree, the fastest is in use") or diag($out);
    like($out, qr/^portable 200000$/m, "$variant: portable C was one of them");

    SKIP: {
        skip 'no x86-64', 1 if `uname -m` !~ /x86_64/;
        like($out, qr/^sse2 200000$/m, "$variant: SSE2 was one of them");
    }
    SKIP: {
        skip 'no AVX2', 1 if `cat /proc/cpuinfo` !~ /\bavx2\b/;
        like($out, qr/^avx2 200000$/m, "$variant: AVX2 was one of them");
    }
}

done_testing();
