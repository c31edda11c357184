#!/usr/bin/perl

# What happens to keys under nginx is told twice: in the log, and in a table of
# events that is chained; a flood of refusals does not fill it.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp wait_for);
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my $db = $t->store;

my $conf = <<'EOF';
aiobs_key_store sqlite:%%DIR%%/keys.db;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location / { aiobs_auth on; try_files /x =404; }
    location /optional { aiobs_auth optional; try_files /x =404; }
    location /closed { aiobs_auth on; aiobs_endpoint closed; try_files /x =404; }
    location = /metrics { aiobs_metrics; }
}
EOF
Aiobs::spew($t->dir . '/html/x', "ok\n");

my $alice = $t->key('alice');
my $bound = do {
    my (undef, $key) = $t->keys_cli(qw(create --user bound --endpoints / --db), $db);
    chomp $key;
    push @{$t->{secrets}}, $key;
    $key;
};

sub id { return substr sha256_hex($_[0]), 0, 12 }

sub status {
    my ($key, $id, $path) = @_;
    return $t->get(1, $path // '/', 'x-api-key', $key, 'X-Request-ID', $id)->{status};
}

sub events {
    my ($key) = @_;
    return map { decode_json($_) } split /\n/, scalar $t->keys_cli('audit', '--db', $db, '--json', id($key));
}

# the events of a key, in a row, once there are as many

sub has_events {
    my ($key, $want, $name) = @_;
    my @got;
    my $n = () = $want =~ /\S+/g;
    wait_for(sub { @got = events($key); return @got >= $n }, 10);
    is(join(' ', map { $_->{action} } @got), $want, $name);
    return @got;
}

sub lines { return grep { $_->{request_id} eq $_[0] } $t->log_lines(1) }

$t->start($conf);

# first use

is(status($alice, 'first'), 200, 'a key is used');
is(status($alice, 'second'), 200, 'and again');
wait_for(sub { lines('first') == 2 && lines('second') }, 10);
is(join(' ', map { $_->{event} } lines('first')), 'request key_first_used', 'the first use has a line of its own');
is((lines('first'))[1]{key_id}, id($alice), 'of that key');
is(join(' ', map { $_->{event} } lines('second')), 'request', 'the second has none');
my @events = has_events($alice, 'created first_used', 'it is an event, too');
is($events[1]{actor}, 'key:' . id($alice), 'of the key itself');

# refusals

$t->keys_cli('revoke', '--db', $db, id($alice));
my $n = 0;
ok(wait_for(sub { status($alice, 'refused' . ++$n) == 401 }, 3), 'a revoked key is refused');
@events = has_events($alice, 'created first_used revoked refused', 'this is an event');
is("$events[3]{actor} $events[3]{request_id}", 'key:' . id($alice) . " refused$n", 'with the request');
is($t->log_of("refused$n")->{event}, 'auth_refused', 'the log has it');
is(status($alice, 'refused'), 401, 'refused again');

is(status($bound, 'b1', '/closed'), 403, 'a key that may not come here');
has_events($bound, 'created first_used refused', 'is told of');

is(status('nobody-has-this', 'n1'), 401, 'a key of nobody');
@events = has_events('nobody-has-this', 'refused', 'is told of as well');
is($t->get(1, '/', 'X-Request-ID', 'm1')->{status}, 401, 'no key');
is(status('my-own', 'o1', '/optional'), 200, 'a key of somewhere else');

# a flood

my $s = $t->connect(1);
for my $i (1 .. 40) {
    $s->syswrite(join '', map { "GET / HTTP/1.1\r\nHost: a\r\nx-api-key: flood-$i-$_\r\n\r\n" } 1 .. 50);
    my ($data, $n) = ('', 0);
    while ($n < 50) {
        $s->sysread($data, 65536, length $data) or last;
        $n = () = $data =~ m{HTTP/1\.1 401 }g;
    }
}
$s->close;
is(status($bound, 'b2'), 200, '2000 keys of nobody later');
my @all;
wait_for(sub {
    @all = map { decode_json($_) } split /\n/, scalar $t->keys_cli('audit', '--db', $db, '--json');
    return (grep { $_->{action} eq 'refused' } @all) > 10;
}, 10);
my $refused = grep { $_->{action} eq 'refused' } @all;
cmp_ok($refused, '<=', 2 * 10 + 2, 'some of them are told of, no more than a few a minute');
is(scalar(grep { $_->{action} eq 'refused' && $_->{key_id} eq id($alice) } @all) <= 2, 1, 'one key is told of once a minute');
is(scalar(grep { ($_->{request_id} // '') =~ /^(?:m1|o1)$/ } @all), 0, 'what is no refusal of a key is none');

# what cannot be written waits

my $late = $t->key('late');
$t->keys_cli('revoke', '--db', $db, id($late));
sub locked {
    my $pid = $t->spawn(['/usr/bin/python3', '-c', "import sqlite3, time\nc = sqlite3.connect('$db', isolation_level=None, timeout=20)\n"
        . "c.execute('BEGIN IMMEDIATE')\nopen('$db.locked', 'w').close()\ntime.sleep(600)\n"]);
    wait_for(sub { -e "$db.locked" }, 20);
    return $pid;
}

my $lock = locked();
is(status($late, 'late'), 401, 'a refusal while the store is locked');
ok(wait_for(sub { $t->error_log =~ /key store ".*" failed: .*locked/ }, 15), 'which the log says');
$t->kill_wait($lock, 'KILL');
@events = has_events($late, 'created revoked refused', 'is written once it is not');
is($events[2]{request_id}, 'late', 'as it was');

# but for a worker that may not wait

my $lost = $t->key('lost');
$t->keys_cli('revoke', '--db', $db, id($lost));
unlink "$db.locked";
$lock = locked();
is(status($lost, 'lost'), 401, 'a refusal');
$t->stop('TERM');
$t->kill_wait($lock, 'KILL');
like($t->error_log, qr/1 refusals of keys are missing in its events: .*locked/, 'that is lost, which is said');
unlike($t->error_log, qr/last use of 0 keys/, 'and nothing else');
is(($t->keys_cli('audit', '--db', $db, '--verify'))[0], 0, 'the chain is whole');

Aiobs->done;
