#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Runs of events of one shape: every implementation that this processor can run
# takes the events, and keeps the text, that portable C gives.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use AiobsUnit;
use Test::More;

my $runs = `uname -m` !~ /x86_64/ ? 1 : `cat /proc/cpuinfo` =~ /\bavx2\b/ ? 3 : 2;

for my $variant (qw(plain sanitized)) {
    my $exe = build('shape', $variant, ['usage/aiobs_shape.c', 'usage/aiobs_shape_run.c',
        'usage/aiobs_find.c', 'usage/aiobs_estimate.c']);
    my ($status, $out) = run_on($exe, '', 3000);

    is($status, 0, "$variant: it ran to its end") or diag($out);
    is($out, join('', map { "$_: agrees, many events\n" } 0 .. $runs - 1),
        "$variant: all $runs agree");
}

done_testing();
