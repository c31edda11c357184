#!/usr/bin/perl

# The protobuf writer: its short ways write what its long ones do.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use AiobsUnit;
use Test::More;

for my $variant (qw(plain sanitized)) {
    my $exe = build('protobuf', $variant, ['telemetry/aiobs_protobuf.c', 'telemetry/aiobs_protobuf_read.c', 'metrics/aiobs_text.c']);
    is(run_ok($exe, '', "$variant: runs to its end"), "ok\n", "$variant: all lengths and bytes");
}

done_testing();
