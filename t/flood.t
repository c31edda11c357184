#!/usr/bin/perl

# A flood of keys that nobody has: they are told from others in memory then, and a key
# works, or no longer does, as ever: whatever other programs do to the store meanwhile.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use Digest::SHA qw(sha256_hex);
use Test::More;
use Time::HiRes qw(sleep);

my $t = Aiobs->new;
my $alice = $t->key('alice');
my $backup = $t->dir . '/backup.db';

spew($t->dir . '/html/x', "ok\n");
$t->start(<<'EOC', no_log => 1);
aiobs_zone 8m series=100 keys=10000;
aiobs_key_store sqlite:%%DIR%%/keys.db;
keepalive_requests 1000000;
server {
    listen 127.0.0.1:%%PORT_1%%;
    access_log off;
    aiobs on;
    location / { aiobs_auth on; try_files /x =404; }
    location = /metrics { aiobs_metrics; }
}
EOC

# other programs

sub python {
    my ($code, @args) = @_;
    return system('/usr/bin/python3', '-c', "import sqlite3, sys\n"
        . "c = sqlite3.connect(sys.argv[1])\n$code\nc.commit()\nc.close()\n", $t->store, @args) == 0;
}

sub insert {
    return python('for h in sys.argv[2:]: c.execute("INSERT INTO api_keys VALUES (?, ?, ?,'
        . ' ?, ?, ?)", (h, "eve", None, "2026-01-01T00:00:00.000000", None, 1))',
        map { sha256_hex($_) } @_);
}

sub remove {
    return python('for h in sys.argv[2:]: c.execute("DELETE FROM api_keys WHERE hash = ?", (h,))',
        map { sha256_hex($_) } @_);
}

sub status { return $t->get(1, '/', 'x-api-key', $_[0])->{status} }

sub becomes {
    my ($key, $status, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok(wait_for(sub { status($key) == $status }), $name);
}

my $made = 0;

sub unused {
    my $key = sprintf 'sk-made-%s-%06d', substr(sha256_hex($alice), 0, 20), ++$made;
    push @{$t->{secrets}}, $key;
    return $key;
}

# a key that was not there a moment ago

sub works_at_once {
    my ($name, $sql) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $key = unused();
    insert($key) or return fail($name);
    python("c.execute('$sql')") if $sql;
    return is(status($key), 200, $name);
}

insert(map { "sk-other-$_" } 1 .. 1500);

# ten connections, twenty keys on each at once; what came back is told now and then

spew($t->dir . '/flood.py', <<'EOP');
import os, re, selectors, signal, socket, sys
port, name = int(sys.argv[1]), sys.argv[2]
sel, n, seen, on = selectors.DefaultSelector(), 0, {}, True

def end(*args):
    global on
    on = False

signal.signal(signal.SIGTERM, end)

def send(s):
    global n
    s.sendall(b''.join(b'GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: sk-flood-%d-%d\r\n\r\n'
        % (os.getpid(), n + i) for i in range(20)))
    n += 20

for i in range(10):
    s = socket.create_connection(('127.0.0.1', port))
    sel.register(s, selectors.EVENT_READ, [b''])
    send(s)

left = 10
while left:
    for key, _ in sel.select(1):
        data = key.fileobj.recv(65536)
        if not data:
            sys.exit('closed')
        key.data[0] += data
        all = re.findall(rb'HTTP/1\.1 (\d+) ', key.data[0])
        if len(all) < 20 or not key.data[0].endswith(b'}\r\n'):
            continue
        for status in all:
            seen[status.decode()] = seen.get(status.decode(), 0) + 1
        key.data[0] = b''
        if on:
            send(key.fileobj)
        else:
            sel.unregister(key.fileobj)
            left -= 1
    with open(name + '.new', 'w') as f:
        f.write(' '.join('%s %d' % i for i in sorted(seen.items())))
    os.rename(name + '.new', name)
EOP

my $flood = $t->spawn(['/usr/bin/python3', $t->dir . '/flood.py', $t->port(1), $t->dir . '/seen']);

sub seen { return -f $t->dir . '/seen' ? slurp($t->dir . '/seen') : '' }
sub flooded { return seen() =~ /401 (\d+)/ ? $1 : 0 }

# there is one when keys are told from others in memory

ok(wait_for(sub { flooded() > 3000 }), 'a flood');

sub memory {
    my ($pid) = $t->workers;
    return slurp("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m ? $1 : 0;
}

my ($memory, $refused) = (memory(), flooded());

is(status($alice), 200, 'a key that is known works on');

works_at_once("a key that another program adds works at once, $_") for 1 .. 10;

my $bob = $t->key('bob');
is(status($bob), 200, 'and one of aiobs-keys');
$t->keys_cli('revoke', '--db', $t->store, '--user', 'bob');
becomes($bob, 401, 'until it is revoked');
$t->keys_cli('restore', '--db', $t->store, '--user', 'bob');
becomes($bob, 200, 'again when it is restored');

my $key = unused();
is(status($key), 401, 'a key that is to come is unknown');
insert($key);
becomes($key, 200, 'and works soon');
remove($key);
becomes($key, 401, 'a key that is deleted is refused');
insert($key);
becomes($key, 200, 'and works when it comes again');

works_at_once('the log of changes is cut short',
    'DELETE FROM aiobs_changes WHERE seq < (SELECT max(seq) FROM aiobs_changes)');
works_at_once('and emptied', 'DELETE FROM aiobs_changes');
sleep 0.7;
works_at_once('it goes on');
python('c.execute("DROP TRIGGER aiobs_api_keys_insert")');
works_at_once('a trigger is gone');
sleep 0.7;
works_at_once('it comes again');

$t->keys_cli('forget', '--db', $t->store, 'bob');
becomes($bob, 401, 'keys of who is forgotten are refused');

# backups, with keys that were deleted since, put into the place of the store in both ways

my @old = (unused(), unused());
insert(@old);
system('sqlite3', $t->store, ".backup $backup") == 0 or die 'no backup';
remove(@old);
sleep 0.7;
system('sqlite3', $t->store, ".restore $backup") == 0 or die 'not restored';
is(status($old[0]), 200, 'a backup is restored');
remove($old[1]);
sleep 0.7;
rename $backup, $t->store;
becomes($old[1], 200, 'another file takes the place of the store');
works_at_once('a key is added to that');

# what the flood saw and took; AddressSanitizer holds back what is freed

my $sanitized = slurp('/proc/' . ($t->workers)[0] . '/maps') =~ /libasan/;

ok(wait_for(sub { flooded() - $refused > 1000 }), 'the flood goes on');
cmp_ok(memory() - $memory, '<', $sanitized ? 1024 * 1024 : 1536, 'it takes no memory');
is(status($alice), 200, 'a known key works on');
kill TERM => $flood;
ok(wait_for(sub { $t->reap($flood) }, 20), 'it ends');
like(seen(), qr/\A401 \d+\z/, 'all of it was refused');

# many that wait when a worker is to end

my @clients = map { $t->connect(1) } 1 .. 300;
my $sent = 0;
$_->syswrite("GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: sk-last-" . ++$sent . "\r\n\r\n") for @clients;
my $reloaded = $t->reload;
my $answers = 0;

for my $s (@clients) {
    my $answer = '';
    $s->sysread($answer, 65536, length $answer) or last until $answer =~ /\r\n\r\n.*\r\n$/s;
    $answers++ if $answer =~ m{^HTTP/1.1 401 };
}

ok($reloaded, 'a reload');
is($answers, 300, 'all who waited are refused by then');

$t->done;
