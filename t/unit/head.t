#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Lines of heads: SSE2 and portable C find what a loop over bytes finds, and
# read nothing behind the end.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use AiobsUnit;
use Test::More;

my $runs = 200000;

for my $variant (qw(plain sanitized)) {
    for my $option ([], ['-DAIOBS_PORTABLE']) {
        my ($status, $out) = run_on(build('head', $variant, [], @$option), '', $runs);
        is($status, 0, "$variant @$option: all agree") or diag($out);
        is($out, "$runs lines, enough of them plain\n", 'on lines of all kinds');
    }
}

done_testing();
