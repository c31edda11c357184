#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# The digits of ids: what is made of all at once is what is made of each.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use AiobsUnit;
use Test::More;

for my $variant (qw(plain sanitized)) {
    my ($status, $out) = run_on(build('hex', $variant, []), '');

    is($status, 0, "$variant: all agree") or diag($out);
    is($out, "256\n", "$variant: every byte at every place");
}

done_testing();
