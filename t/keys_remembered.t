#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# A worker remembers the hashes of keys, and where they are in the table, not what
# they may: with more keys than it remembers, two in turns, keys that change, expire, are revoked or restored,
# and over a reload, the answers are those of the store.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp wait_for);
use AiobsKeys;
use Digest::SHA qw(sha256_hex);
use POSIX qw(strftime);
use Test::More;

my $keys = 700;                         # 512 are remembered

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

# it is remembered, and yet

is(who($key[1]), 'user1', 'a key that is remembered');
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

# it is not any more, but where it is in the table

for my $case (['is_active = 0', 401], ['is_active = 1', 'user9'], ['user_id = \'ada\'', 'ada']) {
    update($key[9], $case->[0]);
    who($_) for @key[50 .. $keys];
    becomes($key[9], $case->[1], "as the store has it, after many others: $case->[0]");
}

update($key[3], 'is_active = 0');
ok($t->reload, 'reloaded');
becomes($key[3], 401, 'revoked, and a new worker');
is(who($key[4]), 'user4', 'which knows the others');
is(who($key[4]), 'user4', 'and remembers them');
is(who($key[1]), 401, 'one that has ended');

# of a worker that has gone through all this nothing is a key

SKIP: {
    no warnings 'portable';

    my ($pid) = grep { slurp("/proc/$_/cmdline") !~ /shutting down/ } $t->workers;
    my $so = Aiobs::objs() . '/ngx_http_aiobs_module.so';
    my ($at) = map { /^(\w+) \w ngx_http_aiobs_key_hashes(?:\.lto_priv\.\d+)?$/ ? hex $1 : () } `nm $so 2>&1`;
    my ($base) = sort { $a <=> $b } map { hex } slurp("/proc/$pid/maps")
        =~ /^([0-9a-f]+)-\S+ \S+ 0+ .*ngx_http_aiobs_module\.so/mg;

    open my $mem, '<:raw', "/proc/$pid/mem" or undef $at;
    skip 'the memory of a worker cannot be read', 3 if !$at || !$base;

    sysseek $mem, $base + $at, 0;
    is(sysread($mem, my $kept, 512 * 48), 512 * 48, 'what is remembered');
    ok(index($kept, pack 'H*', sha256_hex($key[4])) >= 0, 'has the hash');
    unlike($kept, qr/sk-remembered|kkkk/, 'and no key');
}

Aiobs->done;
