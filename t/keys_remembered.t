#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Keys that were presented before are known by their tags, not by what they may: two in
# turns, keys that change, expire, are revoked or restored, in a table that has not room
# for all, for several workers, over a reload and the end of a worker, the answers are
# those of the store.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp wait_for);
use AiobsKeys;
use Digest::SHA qw(sha256_hex);
use POSIX qw(strftime);
use Test::More;

my $keys = 300;

my $t = Aiobs->new;

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my ($user) = grep { /^X-User-ID: /i } @{$req->{lines}};
    $t->answer($c, 200, [], $user =~ s/.*: //r =~ s/\r//r);
});

my $conf = <<'EOF';
aiobs_zone 4m series=100 keys=2000;
aiobs_key_store sqlite:%%DIR%%/keys.db;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    aiobs_auth on;
    location / { proxy_pass http://127.0.0.1:%%PORT_0%%; }
}
EOF

$t->key('first');

sql($t, 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) '
    . "INSERT INTO api_keys SELECT 'x' || i, 'user' || i, 'k', '2026-01-01T00:00:00.000000', NULL, 1 "
    . 'FROM n', $keys);

my @key = map { "sk-remembered-$_-" . 'k' x ($_ % 50) } 0 .. $keys;
push @{$t->{secrets}}, @key[1 .. 5];

my $file = $t->dir . '/hashes.py';
Aiobs::spew($file, "import hashlib, sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\n"
    . "for i in range(1, $keys + 1):\n"
    . "    h = hashlib.sha256(('sk-remembered-%d-' % i + 'k' * (i % 50)).encode()).hexdigest()\n"
    . "    c.execute('UPDATE api_keys SET hash = ? WHERE hash = ?', (h, 'x%d' % i))\nc.commit()\n");
is(system('/usr/bin/python3', $file, $t->store), 0, "$keys keys");

$t->start($conf, workers => 1);

# user id, or the status of a refusal

sub who {
    my ($key) = @_;

    my $r = $t->get(1, '/', 'Authorization', "Bearer $key");
    return $r->{status} eq '200' ? $r->{body} : $r->{status};
}

sub becomes {
    my ($key, $what, $name) = @_;

    my $got;
    wait_for(sub { ($got = who($key)) eq $what }, 20);
    is($got, $what, $name);
    return;
}

sub update {
    my ($key, $set, @values) = @_;

    sql($t, "UPDATE api_keys SET $set WHERE hash = ?", @values, sha256_hex($key));
    return;
}

for my $turn ('at first', 'again') {
    is_deeply([map { who($key[$_]) } 1 .. $keys], [map { "user$_" } 1 .. $keys],
        "every key is its user's $turn");
}

is_deeply([map { who($key[1 + $_ % 2]) } 0 .. 99], [map { 'user' . (1 + $_ % 2) } 0 .. 99],
    'two keys in turns');

is_deeply([map { who($_) } substr($key[49], 0, -1), "$key[49]k", $key[49] =~ s/k$/l/r, $key[49]],
    [401, 401, 401, 'user49'], 'what is nearly a key is none');

# it is known by its tag, and yet

is(who($key[1]), 'user1', 'a key that is known');
update($key[1], 'is_active = 0');
becomes($key[1], 401, 'stops working when it is revoked');
is_deeply([map { who($key[1]) } 1 .. 20], [(401) x 20], 'however often it comes');
is(who($key[2]), 'user2', 'others go on working');
update($key[1], 'is_active = 1');
becomes($key[1], 'user1', 'works again when it is restored');
update($key[1], 'user_id = ?', 'zoe');
becomes($key[1], 'zoe', 'is of another user when the store says so');

set_attrs($t, $key[1], expires_at => strftime('%Y-%m-%dT%H:%M:%S.000000', gmtime(time + 3)));
becomes($key[1], 401, 'ends when its time is over');

sql($t, 'DELETE FROM api_keys WHERE hash = ?', sha256_hex($key[2]));
becomes($key[2], 401, 'is nobody\'s when it is deleted');

update($key[3], 'is_active = 0');
ok($t->reload, 'reloaded');
becomes($key[3], 401, 'revoked, and a new worker');
is(who($key[4]), 'user4', 'which knows the others');
is(who($key[4]), 'user4', 'and remembers them');
is(who($key[1]), 401, 'one that has ended');

# of all this the zone has hashes and tags, and no key

sub zone {
    no warnings 'portable';

    my ($pid) = grep { slurp("/proc/$_/cmdline") !~ /shutting down/ } $t->workers;
    my ($from, $to) = map { hex } slurp("/proc/$pid/maps") =~ m{^(\w+)-(\w+) rw-s .*/dev/zero}m
        or return;

    open my $mem, '<:raw', "/proc/$pid/mem" or return;
    sysseek $mem, $from, 0;
    sysread $mem, my $all, $to - $from;
    return $all;
}

# the tag of an entry stands before the hash

sub tag_of {
    my ($zone, $key) = @_;

    my $at = index $zone, pack 'H*', sha256_hex($key);
    return $at < 16 ? 'no hash' : unpack 'H*', substr $zone, $at - 16, 16;
}

SKIP: {
    my $none = '0' x 32;
    my $zone = zone() or skip 'the memory of a worker cannot be read', 7;

    isnt(tag_of($zone, $key[4]), $none, 'a key that was presented has a tag');
    isnt(tag_of($zone, $key[5]), tag_of($zone, $key[4]), 'of its own');
    is(tag_of($zone, $key[2]), 'no hash', 'one that is gone is gone');
    unlike($zone, qr/sk-remembered|kkkk/, 'nothing in the zone is a key');

    update($key[5], 'user_id = ?', 'eve');
    wait_for(sub { tag_of(zone(), $key[5]) eq $none }, 20);
    is(tag_of(zone(), $key[5]), $none, 'one that has changed has no tag any more');
    is(who($key[5]), 'eve', 'it is known by its hash');
    is(tag_of(zone(), $key[5]), tag_of($zone, $key[5]), 'and has its tag again');
}

# entries go from key to key, and each of them is presented again and again

$t->stop;
$t->start($conf =~ s/keys=2000/keys=64/r, workers => 2);

my %is = map { ($_ => "user$_") } 10 .. 200;

sub strangers {
    return scalar grep { who($key[$_]) ne $is{$_} }
        map { (10 + int rand 20, 10 + int rand 191) } 1 .. $_[0];
}

sub set {
    my ($n, $set, $is) = @_;

    update($key[$n], $set);
    $is{$n} = $is;
    becomes($key[$n], $is, "key $n: $set") for 1 .. 2;
    return;
}

srand 1;
is(strangers(300), 0, 'every key is its own user\'s');
set(12, 'is_active = 0', 401);
set(13, 'user_id = \'mia\'', 'mia');
set(100, 'is_active = 0', 401);
is(strangers(150), 0, 'and as the store has it');

sql($t, 'DELETE FROM api_keys WHERE hash = ?', sha256_hex($key[14]));
$is{14} = 401;
becomes($key[14], 401, 'deleted') for 1 .. 2;
set(12, 'is_active = 1', 'user12');
is(strangers(150), 0, 'another time');

ok($t->reload, 'reloaded');
is(strangers(100), 0, 'by new workers');

my ($pid) = $t->workers;
$t->expect_error(qr/exited on signal 9/);
kill 'KILL', $pid;
wait_for(sub { my @w = $t->workers; @w == 2 && !grep { $_ == $pid } @w }, 20);
is(strangers(100), 0, 'after one was killed');

# users and names that have no room beside the others: each has it somewhere, and is
# known without the store, unless the zone is full; then the log says so

$t->stop;
sql($t, "UPDATE api_keys SET is_active = 1, user_id = 'uid=' || rowid || ?", ',ou=people' x 9);
sql($t, 'DELETE FROM aiobs_key_attrs');
sql($t, 'PRAGMA journal_mode = DELETE');
my @long = @key[grep { $_ && $_ != 2 && $_ != 14 } 0 .. $keys];

sub while_locked {
    my ($zone) = @_;

    unlink $t->dir . '/nginx.pid', $t->dir . '/locked';
    $t->start($conf =~ s/aiobs_zone.*/$zone/r, workers => 1);
    for (1 .. 2) {
        my $wrong = grep { $t->get(1, '/', 'x-api-key', $_)->{body} !~ /^uid=\w+(,ou=people){9}$/ } @long;
        is($wrong, 0, 'each is answered as it should');
    }

    my $lock = $t->spawn(['/usr/bin/python3', '-c', "import sqlite3, time\n"
        . 'c = sqlite3.connect("' . $t->store . '", isolation_level=None, timeout=20)'
        . "\nc.execute('BEGIN EXCLUSIVE')\nopen('" . $t->dir . "/locked', 'w').close()\ntime.sleep(600)\n"]);
    wait_for(sub { -e $t->dir . '/locked' }, 20) or fail('locked');

    my @c = map {
        my $c = $t->connect(1);
        $c->syswrite("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nx-api-key: $_\r\n\r\n");
        $c;
    } @long;
    my $known = grep { Aiobs::read_all($_) =~ m{^HTTP/1.1 200} } @c;

    $t->kill_wait($lock, 'KILL');
    return $known;
}

my $squeezed = qr/\[warn\].*\d+ keys were forgotten to make room for others whose user and name have more than 76 bytes/;

is(while_locked("aiobs_zone 4m series=100 keys=$keys;"), scalar @long, 'all of them are known');
unlike($t->error_log, $squeezed, 'there is nothing to be said');
$t->stop;

my ($needed) = ($t->check($conf =~ s/aiobs_zone.*/aiobs_zone 512k series=100 keys=$keys;/r))[1] =~ /need (\d+)k/;
my $known = while_locked('aiobs_zone ' . ($needed + 40) . "k series=100 keys=$keys;");
cmp_ok($known, '<', scalar @long, 'in a zone that is full some are not');
cmp_ok($known, '>=', $keys / 16, 'but some are');
ok(wait_for(sub { $t->error_log =~ $squeezed }, 10), 'and the log says so');

Aiobs->done;
