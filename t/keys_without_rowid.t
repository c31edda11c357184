#!/usr/bin/perl

# A table of keys that another program made WITHOUT ROWID is as good as any: the
# same is told of the same keys, by the command and by the keys API.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Digest::SHA qw(sha256_hex);
use Test::More;

my $t = Aiobs->new;

$t->upstream(0, sub { $t->answer($_[1], 200, [], "there\n") });

my @raw = map { 'sk-' . $_ x 43 } 'A' .. 'F';
my @ids = map { substr sha256_hex($_), 0, 12 } @raw;
my @users = qw(alice bob alice carol alice bob);
push @{$t->{secrets}}, @raw;

my $keys = join ' ', map {
    sprintf "INSERT INTO api_keys VALUES ('%s', '%s', 'key %d', '2026-01-0%dT00:00:00', NULL, 1);",
        sha256_hex($raw[$_]), $users[$_], $_, 6 - $_
} 0 .. 5;

sub db { return $t->dir . "/$_[0]/keys.db" }

for my $how ('', 'WITHOUT ROWID') {
    my $db = db($how ? 'without' : 'with');
    mkdir $db =~ s{/[^/]*$}{}r or die "$db: $!";
    is(system('sqlite3', $db, "CREATE TABLE api_keys (hash TEXT PRIMARY KEY, user_id TEXT, name TEXT,"
        . " created_at TEXT, last_used TEXT, is_active INTEGER DEFAULT 1) $how; $keys"), 0, "a table $how");
}

sub told {
    my ($which, $command, @args) = @_;
    my ($rc, $out, $err) = $t->keys_cli($command, '--db', db($which), @args);
    return "$rc\n$out$err" =~ s/202\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?/TIME/gr;
}

for my $case (
    ['all keys', 'list'],
    ['as JSON', 'list', '--json'],
    ['those of a user', 'list', '--user', 'alice'],
    ['one', 'show', $ids[3], '--json'],
    ['a key is revoked', 'revoke', $ids[1]],
    ['those of a user are', 'revoke', '--user', 'carol'],
    ['and again active', 'restore', '--user', 'carol'],
    ['one is changed', 'set', $ids[2], '--models', 'gpt-*', '--rpm', 5],
    ['export', 'export', '--json'],
    ['one is deleted', 'delete', $ids[5]],
    ['what is left', 'list', '--json'],
) {
    my ($name, @args) = @$case;
    my $with = told('with', @args);
    is(told('without', @args), $with, "$name: the same is told");
    like($with, qr/^0$/m, 'and it is no error');
}

# nginx has the other one

my ($rc, $admin) = $t->keys_cli('create', '--db', db('without'), '--user', 'root', '--admin');
chomp $admin;
push @{$t->{secrets}}, $admin;

$t->start(<<'EOF');
aiobs_key_store sqlite:%%DIR%%/without/keys.db;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /aiobs/keys { aiobs_keys_api; }
    location / { aiobs_auth on; proxy_pass http://127.0.0.1:%%PORT_0%%; }
}
EOF

is(join(' ', map { $t->get(1, '/', 'x-api-key', $_)->{status} } @raw), '200 401 200 200 200 401', 'nginx knows its keys');

# by the keys API, page by page

sub pages {
    my ($args) = @_;

    my ($after, @seen) = ('');

    while (defined $after) {
        my $r = $t->get(1, "/aiobs/keys?limit=2$args$after", 'Authorization', "Bearer $admin");
        return "status $r->{status}" if $r->{status} != 200;
        my $page = $t->json($r);
        push @seen, map { $_->{key_id} } @{$page->{keys}};
        $after = $page->{next} && "&after=$page->{next}";
    }

    return join ' ', @seen;
}

is(pages(''), join(' ', sort @ids[0 .. 4], substr sha256_hex($admin), 0, 12), 'all keys');
is(pages('&user=alice'), join(' ', sort @ids[0, 2, 4]), 'and those of a user');

$t->done;
