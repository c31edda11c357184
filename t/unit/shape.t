#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Runs of events of one shape: every implementation that this processor can run
# takes the events, and keeps the text, that comparing one by one gives.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use AiobsUnit;
use Test::More;

my $vectors = `uname -m` !~ /x86_64/ ? 0 : `cat /proc/cpuinfo` =~ /\bavx2\b/ ? 2 : 1;

for my $variant (qw(plain sanitized)) {
    my $exe = build('shape', $variant, ['usage/aiobs_shape.c', 'usage/aiobs_shape_run.c',
        'usage/aiobs_find.c', 'usage/aiobs_estimate.c']);
    my ($status, $out) = run_on($exe, '', 3000);

    is($status, 0, "$variant: it ran to its end") or diag($out);
    is($out, join('', map { "$_: agrees, many events\n" } 0 .. $vectors - 1),
        "$variant: all $vectors agree");
}

done_testing();
