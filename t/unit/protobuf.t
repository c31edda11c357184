#!/usr/bin/perl

# The protobuf writer: its short ways write what its long ones do.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use AiobsUnit;
use Test::More;

for my $variant (qw(plain sanitized)) {
    for my $vectors ('', '-DAIOBS_PORTABLE') {
        my $exe = build('protobuf', $variant, ['telemetry/aiobs_protobuf.c',
            'telemetry/aiobs_protobuf_read.c', 'metrics/aiobs_text.c'], $vectors || ());
        is(run_ok($exe, '', "$variant $vectors: runs to its end"), "ok\n",
            "$variant $vectors: all lengths and bytes");
    }
}

done_testing();
