#!/usr/bin/perl

# The store is moved away while much that other programs did waits to be taken
# into the chain of events: workers try again in their time, and go on with it
# when the store is back.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use AiobsKeys;
use POSIX qw(sysconf _SC_CLK_TCK);
use Test::More;

my $t = Aiobs->new;
my $alice = $t->key('alice');

spew($t->dir . '/html/x', "ok\n");

$t->start(<<'EOC');
aiobs_zone 8m series=100 keys=100;
aiobs_key_store sqlite:%%DIR%%/keys.db;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location / { aiobs_auth on; try_files /x =404; }
}
EOC

is($t->get(1, '/', 'x-api-key', $alice)->{status}, 200, 'a known key');

sql($t, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
    INSERT INTO aiobs_event_queue SELECT '2026-01-01T00:00:00', 'sql', 'changed', '0123456789ab' FROM n");
$t->key('bob');

sub queued { return (sql($t, 'SELECT count(*) FROM aiobs_event_queue'))[0][0] }

my $left;
ok(wait_for(sub { ($left = queued()) < 200000 }, 20), 'it is taken by parts');
cmp_ok($left, '>', 0, 'there is more');

# CPU time of a process, in seconds

sub cpu {
    my @stat = split ' ', slurp("/proc/$_[0]/stat");
    return ($stat[13] + $stat[14]) / sysconf(_SC_CLK_TCK);
}

my ($worker) = $t->workers;
rename $t->store, $t->store . '.away' or die;
ok(wait_for(sub { $t->error_log =~ /key store ".*" failed/ }, 20), 'the store is missed');

my $before = cpu($worker);
sleep 1;
cmp_ok(cpu($worker) - $before, '<', 0.5, 'the worker does not spin');
is($t->get(1, '/', 'x-api-key', $alice)->{status}, 200, 'a known key still works');

rename $t->store . '.away', $t->store or die;
ok(wait_for(sub { queued() < $left }, 20), 'it goes on when the store is back');

Aiobs->done;
