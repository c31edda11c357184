#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# A value falls in the bucket that a walk over all bounds finds, whatever the
# bounds are.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AiobsUnit;

my $nginx = $ENV{NGINX_SRC} // '/usr/share/nginx/src';
my $objs = $ENV{AIOBS_OBJS} // root() . '/objs';

my @include = ("-I$objs", map { "-I$nginx/src/$_" } qw(core event event/modules
    os/unix http http/modules http/v2));

my %variants = variants();

for my $variant (sort keys %variants) {
    my $exe = build('update', $variant, ['metrics/ngx_http_aiobs_update.c'], @include);
    my ($rc, $out) = run_on($exe, '', 2000);

    is($rc, 0, "$variant: all fall where they belong") or diag($out);
    like($out, qr/^\d{6,} tried$/, "$variant: many were tried");
}

done_testing();
