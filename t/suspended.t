#!/usr/bin/perl

# Requests that wait for the key store: one question for all that have the same
# key, and a bound on how many wait; a flood of unknown keys takes no memory.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use AiobsKeys;
use IO::Select;
use POSIX qw(mkfifo);
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;

my $t = Aiobs->new;

my $alice = $t->key('alice');
my $bob = $t->key('bob');

spew($t->dir . '/html/x', "ok\n");

my ($listen_h2, $http2) = $t->http2;

my $conf = <<"EOC";
aiobs_zone 8m series=100 keys=100;
aiobs_key_store sqlite:%%DIR%%/keys.db;
server {
    listen 127.0.0.1:%%PORT_1%%$listen_h2;
    $http2
    aiobs on;
    location / { aiobs_auth on; try_files /x =404; }
}
server {
    listen 127.0.0.1:%%PORT_2%%;
    aiobs on;
    location / { aiobs_auth on; try_files /x =404; }
    location = /passed { aiobs_auth on; proxy_pass http://127.0.0.1:%%PORT_2%%/metrics; }
    location = /metrics { aiobs_metrics; }
    location = /stands { aiobs off; auth_basic x; auth_basic_user_file %%DIR%%/users; }
}
EOC

$t->start($conf);
is($t->get(2, '/', 'x-api-key', $alice)->{status}, 200, 'a known key');

# without a write-ahead log a writer keeps readers out

$t->stop;
sql($t, 'PRAGMA journal_mode = DELETE');
unlink $t->dir . '/nginx.pid';
$t->start;
is($t->get(2, '/', 'x-api-key', $alice)->{status}, 200, 'it is known again');

sub lock_store {
    unlink $t->dir . '/locked';
    my $pid = $t->spawn(['/usr/bin/python3', '-c', "import sqlite3, time\n"
        . 'c = sqlite3.connect("' . $t->store . '", isolation_level=None, timeout=20)'
        . "\nc.execute('BEGIN EXCLUSIVE')\nopen('" . $t->dir
        . "/locked', 'w').close()\ntime.sleep(600)\n"]);
    ok(wait_for(sub { -e $t->dir . '/locked' }, 20), 'the store is locked');
    return $pid;
}

my $carol = $t->key('carol');
my $lock = lock_store();

# 1400 streams in 14 connections, all with a key that is not known yet

sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags,
        $stream) . $payload;
}

# GET, http, /; names and values as they are

sub h2_request {
    my ($stream, @headers) = @_;
    my $block = "\x82\x86\x84";
    while (my ($k, $v) = splice @headers, 0, 2) {
        $block .= "\0" . pack('C/a*', $k) . pack('C/a*', $v);
    }
    return frame(1, 5, $stream, $block);
}

# the statuses of n answers

sub h2_statuses {
    my ($s, $n) = @_;

    my ($data, @status) = ('');
    my $select = IO::Select->new($s);

    while (@status < $n && $select->can_read(60)) {
        $s->sysread($data, 65536, length $data) or last;

        while (length $data >= 9) {
            my ($len, $type) = (unpack('N', "\0" . substr $data, 0, 3),
                ord substr $data, 3, 1);
            last if length $data < 9 + $len;
            my $frame = substr $data, 0, 9 + $len, '';
            push @status, $frame =~ /\x03(\d\d\d)/ ? $1
                : $frame =~ /^.{9}\x88/s ? 200 : 'none' if $type == 1;
        }
    }

    return @status;
}

my @h2 = map { $t->connect(1) } 1 .. 14;

for my $s (@h2) {
    $s->syswrite("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '')
        . join '', map { h2_request(2 * $_ - 1, ':authority', 'a',
            'x-api-key', $bob) } 1 .. 100);
}

ok(wait_for(sub { $t->error_log =~ /(\d+) requests wait for it, others are/ }, 20),
    'too many wait') or diag($t->error_log =~ /^(.*key store.*)$/m);
$t->error_log =~ /(\d+) requests wait for it, others are/;
is($1, 1024, 'that many may');
is($t->get(2, '/', 'x-api-key', $alice)->{status}, 200,
    'a known key does not wait');
my @status = map { h2_statuses($_, 100) } @h2;
is(scalar(grep { $_ eq '503' } @status), 1400, 'nobody is let in meanwhile');

$t->kill_wait($lock, 'KILL');
my $status;
wait_for(sub { ($status = $t->get(2, '/', 'x-api-key', $bob)->{status}) == 200 }, 10);
is($status, 200, 'nor kept out later');

# --- one look-up for all who ask at once ---

# a look-up sees whether the key was ever used, which is written seconds later:
# a second one would tell of a first use again

$lock = lock_store();
my $h = $t->connect(1);
$h->syswrite("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '')
    . join '', map { h2_request(2 * $_ - 1, ':authority', 'a', 'x-api-key', $carol) } 1 .. 50);
select undef, undef, undef, 0.3;
$t->kill_wait($lock, 'KILL');
is(scalar(grep { $_ eq '200' } h2_statuses($h, 50)), 50, 'all who waited for a key are let in');
ok(wait_for(sub { (() = slurp($t->dir . '/aiobs.json') =~ /"user_id":"carol"/g) > 50 }, 10),
    'they are logged');
is(scalar(() = slurp($t->dir . '/aiobs.json') =~ /"event":"key_first_used"[^\n]*"user_id":"carol"/g),
    1, 'by one look-up');

# --- what comes behind a request that waits, or has a verdict and waits for its turn ---

# where an upstream was asked before, nginx has what can be written told with what can be read

my @kept = map { $t->connect(2) } 1 .. 100;
setsockopt $_, IPPROTO_TCP, TCP_NODELAY, 1 for @kept;

sub answer_on {
    my ($c) = @_;
    my $select = IO::Select->new($c);
    my $data = '';
    while ($select->can_read(60) && $c->sysread($data, 65536, length $data)) {
        my ($status, $head, $body) = $data =~ m{^HTTP/1\.1 (\d+) (.*?)\r\n\r\n(.*)}s or next;
        my ($length) = $head =~ /^Content-Length: (\d+)\r?$/mi;
        return $status if defined $length ? length $body >= $length : $body =~ /(?:^|\n)0\r\n\r\n\z/;
    }
    return 'none';
}

for my $c (@kept) {
    $c->syswrite("GET /passed HTTP/1.1\r\nHost: a\r\nx-api-key: $alice\r\n\r\n");
}
is(scalar(grep { answer_on($_) eq '200' } @kept), 100, 'connections that are kept');

# a worker stands still where it opens a pipe that nobody writes to; what comes
# meanwhile it sees at once: first the requests, then the verdicts with what is behind

mkfifo($t->dir . '/users', 0600) or die "mkfifo: $!";

sub stand_still {
    my $c = $t->connect(2);
    $c->syswrite("GET /stands HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Basic YTpi\r\n\r\n");
    select undef, undef, undef, 0.3;
    return $c;
}

sub go_on {
    my ($c) = @_;
    spew($t->dir . '/users', '');
    Aiobs::read_all($c);
    return;
}

$lock = lock_store();
my $still = stand_still();
for my $i (0 .. $#kept) {
    $kept[$i]->syswrite("GET / HTTP/1.1\r\nHost: a\r\nx-api-key: sk-nobody-has-it-$i\r\n\r\n");
}
go_on($still);
$still = stand_still();
$t->kill_wait($lock, 'KILL');
select undef, undef, undef, 0.5;        # the store has been read
$_->syswrite("\r\n") for @kept;
go_on($still);
is(scalar(grep { answer_on($_) eq '401' } @kept), 100, 'all are refused, though more comes behind them');
$_->syswrite("GET / HTTP/1.1\r\nHost: a\r\nx-api-key: $alice\r\n\r\n") for @kept;
is(scalar(grep { answer_on($_) eq '200' } @kept), 100, 'and what comes then is served');
close $_ for @kept;

# --- a flood of keys that nobody has ---

sub used {
    my ($bytes) = $t->get(2, '/metrics')->{body} =~ /^aiobs_zone_used_bytes (\d+)/m;
    return $bytes;
}

$t->get(2, '/', 'x-api-key', "sk-warm-$_") for 1 .. 20;
my $before = used();

my $s = $t->connect(2);
my $refused = 0;

for my $i (1 .. 900) {
    $s->syswrite("GET / HTTP/1.1\r\nHost: a\r\nx-api-key: sk-flood-$i\r\n\r\n");
    my $answer = '';
    $s->sysread($answer, 65536, length $answer) or last
        until $answer =~ /\r\n\r\n.*\}\r\n$/s;
    $refused++ if $answer =~ m{^HTTP/1.1 401};
}

is($refused, 900, 'nine hundred unknown keys are refused');
is(used(), $before, 'and leave nothing in the zone');
is($t->get(2, '/', 'x-api-key', $alice)->{status}, 200, 'a known key stays known');

$t->done;
