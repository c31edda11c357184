#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Exemplars under contention: what is read is of one request, and what a killed
# writer has left half done or locked is taken over.

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
    my $exe = build('exemplars', $variant,
        ['metrics/ngx_http_aiobs_exemplars.c'], @include);
    my ($rc, $out) = run_on($exe, '', 300);

    is($rc, 0, "$variant: ends");
    like($out, qr/^dead, half way: before 0 after 1, taken$/m,
        "$variant: what a dead writer left half done is not shown, and taken over");
    like($out, qr/^dead, done: before 1 after 1, taken$/m,
        "$variant: so is what it left locked");
    like($out, qr/^alive, half way: before 0 after 0, left$/m,
        "$variant: not what another one writes");
    like($out, qr/^written 1 read 1 torn 0 then 4 room 4$/m,
        "$variant: nothing is of two requests, and nothing is lost to the killed")
        or diag($out);
}

done_testing();
