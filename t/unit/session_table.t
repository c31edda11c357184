#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# The table of sessions under strain: after hundreds of killed workers it is
# sound, and no call is lost but those that the killed had in hand.

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
    my $exe = build('session_table', $variant,
        ['agents/ngx_http_aiobs_session_table.c',
            'agents/ngx_http_aiobs_session_room.c'], @include);

    # evicted all the time; room for all; a handful; looked through in turns
    for my $case ([5000, 500, 1], [500, 5000, 0], [100, 20, 1], [100000, 9000, 1]) {
        my ($ids, $capacity, $evicted) = @$case;

        my ($rc, $out) = run_on($exe, '', $ids, $capacity, 150);
        is($rc, 0, "$variant: $ids ids in a table for $capacity");
        like($out, qr/^made 1 ended 1 evicted $evicted live 1 chained 1 bounded 1 empty 1 /,
            "$variant: a sound table");

        # a slice of a sweep may have been in hand
        my ($lost, $made) = $out =~ /lost (-?\d+) of (\d+)/;
        cmp_ok(abs $lost, '<=', $made / 100, "$variant: calls are accounted for");
    }

    # one look is enough; in turns, of which the last is a whole one or is not
    for my $capacity (1, 20, 4095, 4096, 20000, 8 * 4096, 100000) {
        my ($rc, $out) = run_on($exe, '', 'room', $capacity);
        is($rc, 0, "$variant: a full table of $capacity");
        is($out, "over 1 evicted 1 live 1 bounded 1 sound 1 told 1\n",
            "$variant: it makes room, and how");
    }
}

done_testing();
