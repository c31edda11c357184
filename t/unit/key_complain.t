#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# What the error log is told of the key store, job after job: that it is locked
# for writing, which another worker may do for a moment, only the second time.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Test::More;

use AiobsUnit;

my $nginx = $ENV{NGINX_SRC} // '/usr/share/nginx/src';
my $objs = $ENV{AIOBS_OBJS} // root() . '/objs';

my $exe = build('key_complain', 'sanitized', ['keys/ngx_http_aiobs_key_complain.c'], "-I$objs",
    map { "-I$nginx/src/$_" } qw(core event event/modules os/unix http http/modules http/v2));

# what is said of each job: E: it failed, O: it is over, -: nothing

sub said {
    my ($name, $expected, @jobs) = @_;

    my $out = run_ok($exe, join('', map { "$_\n" } @jobs), $name);
    my @said = map { /error/ ? 'E' : /notice over/ ? 'O' : '-' } split /^(?=\w+ \w+: )/m, $out;
    is("@said", $expected, "$name: what is said") or diag($out);
    return ($out =~ /(\d)\Z/)[0];
}

is(said('a lock that is gone the next time', '- -', 'save locked 0', 'save ok 3'), 0, 'and all is well');
said('the same every now and then', '- - - - - -', map { ("save locked $_", 'save ok ' . ($_ + 3)) } 0, 6, 12);
is(said('a lock that stays', '- E', 'save locked 0', 'save locked 3'), 1, 'and it is failed');
said('and goes', '- E O -', 'save locked 0', 'save locked 3', 'save ok 6', 'save ok 9');
said('what is read meanwhile', '- - - E - O', 'save locked 0', 'poll ok 1', 'poll ok 2', 'save locked 3',
    'poll ok 4', 'save ok 6');
is(said('nothing is written yet', '- -', 'save locked 0', 'poll ok 1'), 1, 'the store is not asked to save');
said('a lock that stays for long', '- E - - E', map { "save locked $_" } 0, 3, 6, 9, 13);
said('after another trouble', 'E E', 'save full 0', 'save locked 3');
said('a lock that keeps readers out', 'E O', 'look locked 0', 'look ok 1');
said('and changes from being followed', 'E O', 'poll locked 0', 'poll ok 1');
said('any other trouble', 'E - O', 'save full 0', 'save full 3', 'save ok 6');

done_testing();
