#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Accounts give way only when what they took is written, and are not opened by
# what the store said before that.

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
my @sources = map { "limits/ngx_http_aiobs_$_.c" } qw(accounts account_moved account_stored
    held reserve windows);

my %variants = variants();

for my $variant (sort keys %variants) {
    my $exe = build('accounts', $variant, \@sources, @include, '-lcrypto');
    my ($rc, $out) = run_on($exe, '');

    is($rc, 0, "$variant: accounts");
    is($out, "open 0 dirty 1 rows 1 amount 5 unwritten 1 written 0 stale again anew 0"
        . " worker 1 dead 0 left 0 stranger 0\n",
        "$variant: stay as long as they are needed, and are read at the right time");
}

done_testing();
