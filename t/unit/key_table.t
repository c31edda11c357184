#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# The table of keys under strain: no reader ever sees half of one key and half
# of another, or another one than that whose hash or tag it asked for, and after hundreds of killed writers every key can be put, and none
# can be read that a change of the store would not get to.
# A full table has all keys it was made for, and no key's last use waits behind
# those of busier ones.

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
my @sources = map { "keys/ngx_http_aiobs_key_$_.c" } qw(table write evict uses tag unknown blob);

my %variants = variants();

for my $variant (sort keys %variants) {
    my $exe = build('key_table', $variant, \@sources, @include, '-lcrypto');

    # evicted all the time; always there; one bucket's worth
    for my $case ([500, 200], [100, 1000], [20, 64]) {
        my ($keys, $capacity) = @$case;

        my ($rc, $out) = run_on($exe, '', $keys, $capacity, 2, 200);
        is($rc, 0, "$variant: $keys keys in a table for $capacity");
        like($out, qr/^hits 1 known 1 misses 1 torn 0 writes 1 lost 0 kept 1 wrong 0 starved 0 astray 0 /,
            "$variant: readers, writers and a sound table after them");
        my ($bytes) = $out =~ /bytes (\d+)/;
        cmp_ok($bytes, '<=', 200, "$variant: at most 200 bytes a key");
    }
}

done_testing();
