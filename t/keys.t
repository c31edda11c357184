#!/usr/bin/perl

# Whose key is it: changes made by any program take effect while nginx runs,
# known keys outlive the store, unknown ones wait for it or are turned away.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use Digest::SHA qw(sha256_hex);
use IO::Select;
use POSIX qw(strftime);
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;

my $t = Aiobs->new;
my $db = $t->store;

$t->upstream(0, sub {
    my ($req, $c) = @_;
    $t->answer($c, 200, [], join "\n", @{$req->{lines}});
});

my $conf = <<'EOF';
aiobs_zone 4m series=100 keys=100;
aiobs_key_store sqlite:%%DIR%%/keys.db;
keepalive_requests 1000000;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location / {
        aiobs_auth on;
        aiobs_forward identity;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /static { aiobs_auth on; try_files /x =404; }
}
EOF

spew($t->dir . '/html/x', "ok\n");

my $alice = $t->key('alice', 'laptop');
my @spare = map { $t->key("spare$_") } 0 .. 9;

$t->start($conf, workers => 2);

sub status {
    my ($key) = @_;
    return $t->get(1, '/static', 'x-api-key', $key)->{status} // 'none';
}

# the status becomes what it is to become

sub becomes {
    my ($key, $status, $name) = @_;

    my $got;
    wait_for(sub { ($got = status($key)) eq $status }, 20);
    is($got, $status, $name);
    return;
}

sub python {
    my ($code) = @_;

    spew($t->dir . '/p.py', "import sqlite3\nc = sqlite3.connect('$db')\n"
        . "$code\nc.commit()\n");
    is(system('/usr/bin/python3', $t->dir . '/p.py'), 0, 'Python is content');
    return;
}

# a program that keeps the store locked until it is ended

sub lock_store {
    my ($how) = @_;

    unlink "$db.locked";
    my $pid = $t->spawn(['/usr/bin/python3', '-c', "import sqlite3, time\n"
        . "c = sqlite3.connect('$db', isolation_level=None, timeout=20)\n"
        . "c.execute('$how')\nopen('$db.locked', 'w').close()\n"
        . "time.sleep(600)\n"]);
    ok(wait_for(sub { -e "$db.locked" }, 30), "the store is locked: $how");
    return $pid;
}

# --- valid keys ---

my $r = $t->get(1, '/', 'Authorization', "Bearer $alice");
is($r->{status}, 200, 'a key opens');
like($r->{body}, qr/^X-User-ID: alice\r?$/mi, 'its user is known');
like($r->{body}, qr/^X-Key-Name: laptop\r?$/mi, 'and its name');

my $bad = 0;
for my $i (1 .. 10) {
    $bad++ if status($t->key("new$i")) ne 200;
}
is($bad, 0, 'new keys work at their first use');

# --- changes by any program ---

my ($id) = sha256_hex($spare[0]) =~ /^(.{12})/;
is(status($spare[0]), 200, 'a key is known');
is(($t->keys_cli('revoke', '--db', $db, $id))[0], 0, 'it is revoked');
becomes($spare[0], 401, 'it stops working');

my $python = 'key-of-python';
my $hash = sha256_hex($python);
is(status($python), 401, 'a key of nobody');
python("c.execute('INSERT INTO api_keys VALUES (?,?,?,?,?,?)', ('$hash', 'bob',"
    . " 'py', '2026-01-01T00:00:00.000001', None, 1))");
becomes($python, 200, 'that very key works once Python has inserted it');
python("c.execute('UPDATE api_keys SET is_active = 0 WHERE hash = ?', ('$hash',))");
becomes($python, 401, 'not when Python has revoked it');
python("c.execute('UPDATE api_keys SET is_active = 1 WHERE hash = ?', ('$hash',))");
becomes($python, 200, 'again when Python has restored it');

python("c.execute('UPDATE api_keys SET user_id = ?, name = ? WHERE hash = ?',"
    . " ('u' * 127 + chr(246), 'n' * 64, '$hash'))");
my ($user, $name) = ('bob', '');
wait_for(sub {
    my $body = $t->get(1, '/', 'x-api-key', $python)->{body} // '';
    ($user) = $body =~ /^X-User-ID: (.*?)\r?$/mi;
    ($name) = $body =~ /^X-Key-Name: (.*?)\r?$/mi;
    return ($user // 'bob') ne 'bob';
}, 20);
is($user, 'u' x 127, 'a user that is too long is cut between characters');
is($name, 'n' x 64, 'the longest name is whole');

python("c.execute('DELETE FROM api_keys WHERE hash = ?', ('$hash',))");
becomes($python, 401, 'not when Python has deleted it');

python(<<'EOP');
rows = c.execute('SELECT * FROM api_keys').fetchall()
c.execute('DROP TABLE api_keys')
c.execute('''CREATE TABLE api_keys (hash TEXT PRIMARY KEY, user_id TEXT,
    name TEXT, created_at TEXT, last_used TEXT, is_active INTEGER DEFAULT 1)''')
for row in rows:
    if row[1] != 'spare1':
        c.execute('INSERT INTO api_keys VALUES (?,?,?,?,?,?)', row)
EOP
becomes($spare[1], 401, 'a table made anew is noticed');
is(status($alice), 200, 'keys that are in it work');
is(status($spare[2]), 200, 'as does one that is asked for first now');
python("c.execute(\"UPDATE api_keys SET is_active = 0 WHERE user_id = 'spare2'\")");
becomes($spare[2], 401, 'its changes are followed');

# --- more keys than fit ---

my @many = map { "many-$_-$$" } 1 .. 300;
spew($t->dir . '/many', join "\n", map { sha256_hex($_) } @many);
python("for line in open('${\$t->dir}/many'):\n"
    . "    c.execute('INSERT INTO api_keys VALUES (?,?,?,?,?,?)', (line.strip(),"
    . " 'many', 'x' * 64, '2026-01-01T00:00:00.000001', None, 1))");
is(scalar(grep { status($_) ne 200 } @many, @many), 0,
    '300 keys work where 100 are cached');

# --- a flood of keys that nobody has ---

sub memory {
    my $sum = 0;

    for my $pid ($t->workers) {
        $sum += $1 if slurp("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m;
    }

    return $sum;
}

# pipelined, on one connection

sub flood {
    my ($n, $key) = @_;

    my $s = $t->connect(1);
    my %seen;

    for (my $sent = 0; $sent < $n; $sent += 100) {
        $s->syswrite(join '', map { "GET /static HTTP/1.1\r\nHost: a\r\n"
            . 'X-Api-Key: ' . $key->($sent + $_) . "\r\n\r\n" } 0 .. 99);

        my ($data, $got) = ('', 0);

        while ($got < 100) {
            $s->sysread($data, 65536, length $data) or last;
            $got = () = $data =~ m{HTTP/1\.1 \d+ }g;
        }

        $seen{$1}++ while $data =~ m{HTTP/1\.1 (\d+) }g;
    }

    return \%seen;
}

flood(4000, sub { "warm-$$-$_[0]" });
my $before = memory();
is_deeply(flood(20000, sub { "flood-$$-$_[0]" }), { 401 => 20000 },
    '20000 unknown keys are refused');

# AddressSanitizer holds back what is freed: there this says nothing

my $sanitized = Aiobs::slurp('/proc/' . ($t->workers)[0] . '/maps') =~ /libasan/;
cmp_ok(memory() - $before, '<', $sanitized ? 1024 * 1024 : 1536, 'they take no memory');
is_deeply(flood(200, sub { $alice }), { 200 => 200 }, 'a good key works on');

# --- a killed worker ---

$t->expect_error('exited on signal 9');

for (1 .. 3) {
    my ($victim) = $t->workers;
    kill KILL => $victim;
    ok(wait_for(sub { !grep { $_ == $victim } $t->workers }, 10)
        && wait_for(sub { $t->workers == 2 }, 10), 'a worker is killed');
    is(status($alice), 200, 'keys work on');
}

my $dora = $t->key('dora');
is(status($dora), 200, 'new ones, too');
$t->keys_cli('revoke', '--db', $db, '--user', 'dora');
becomes($dora, 401, 'somebody follows the store');

# --- a write lock does not hinder reading ---

my $lock = lock_store('BEGIN IMMEDIATE');
is(status($spare[3]), 200, 'an unknown key is looked up meanwhile');
$t->kill_wait($lock, 'KILL');

# --- the store is deleted, another made, the old one comes back ---

`sqlite3 $db '.backup $db.away'`;
unlink map { "$db$_" } '-wal', '-shm', '';
is(status($alice), 200, 'store deleted: a known key works');
is(status($spare[4]), 503, 'an unknown one cannot be looked up');
ok(wait_for(sub { $t->error_log
    =~ /\[error\].*key store ".*keys\.db" failed: No such file/ }, 5),
    'the log says why');

my $new = $t->key('new-store');
becomes($new, 200, 'a new store in its place: its key works');
becomes($alice, 401, 'keys of the old one do not');

rename "$db.away", $db;
becomes($alice, 200, 'the old store is back: its key works');
becomes($new, 401, 'the other one does not');

# --- it is corrupted, restored ---

`sqlite3 $db 'PRAGMA wal_checkpoint(TRUNCATE)'`;
my $good = slurp($db);
open my $fh, '+<', $db or die "$db: $!";
print $fh 'garbage!' x (length($good) / 8);
close $fh;

my $n = 0;
ok(wait_for(sub { status('nobody' . ++$n) eq 503 }, 5),
    'store corrupted: unknown keys cannot be looked up');
is(status($alice), 200, 'a known key works');

spew("$db.good", $good);
rename "$db.good", $db;
becomes($spare[5], 200, 'store restored: the key is found');

# --- backups come into its place, with a log of the old one beside it ---

for my $i (1 .. 5) {
    `sqlite3 $db '.backup $db.backup'`;
    my $late = $t->key("late$i");
    is(status($late), 200, 'a key that the backup lacks');
    rename "$db.backup", $db;
    becomes($late, 401, 'is gone with the backup in place');

    my $later = $t->key("later$i");
    is(status($later), 200, 'a key that is made after that works');
    is(`sqlite3 $db "SELECT count(*) FROM api_keys WHERE user_id = 'later$i'"`,
        "1\n", 'and is in the store');
}

is(`sqlite3 $db 'PRAGMA integrity_check'`, "ok\n", 'the store is sound');

# --- last use ---

my $from = time;
is(status($alice), 200, 'a key is used') for 1 .. 3;
my $to = time;

$t->stop;
my $used = `sqlite3 $db "SELECT last_used FROM api_keys WHERE user_id = 'alice'"`;
chomp $used;
my %seconds = map { strftime('%Y-%m-%dT%H:%M:%S.000000', gmtime $_) => 1 }
    $from .. $to;
ok($seconds{$used}, 'its last use is in the store after a clean stop')
    or diag("$used is not in " . join ' ', sort keys %seconds);

# --- a store that cannot be read for a while: without a write-ahead log ---

is(`sqlite3 $db 'PRAGMA journal_mode = DELETE'`, "delete\n", 'the log is off');
unlink $t->dir . '/nginx.pid';
$t->start;
is(status($alice), 200, 'keys work');

$lock = lock_store('BEGIN EXCLUSIVE');
is(status($alice), 200, 'store locked: a known key works');
is(status($spare[6]), 503, 'an unknown one is turned away after a while');

sub ask {
    my ($key) = @_;
    my $s = $t->connect(1);
    $s->syswrite("GET /static HTTP/1.1\r\nHost: a\r\nX-Api-Key: $key\r\n\r\n");
    return $s;
}

sub read_answer {
    my ($s) = @_;
    my ($data, $select) = ('', IO::Select->new($s));

    while ($data !~ /\r\n\r\n/ && $select->can_read(60)) {
        $s->sysread($data, 4096, length $data) or last;
    }

    return $data =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'none';
}

my @gone = map { ask($spare[7]), ask("nobody-$_") } 1 .. 20;
select undef, undef, undef, 0.1;
setsockopt $_, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0) for @gone[0 .. 19];
close $_ for @gone;
is(status($alice), 200, 'clients that do not wait do no harm');

my @wait = map { ask($spare[8]) } 1 .. 20;
my %old = map { $_ => 1 } $t->workers;
ok($t->reload, 'a reload while requests wait');
is(join(' ', map { read_answer($_) } @wait), join(' ', (503) x 20),
    'each of them is answered');
is(status($alice), 200, 'a known key is known to the new workers');

$t->kill_wait($lock, 'KILL');
ok(wait_for(sub { !grep { $old{$_} } $t->workers }, 10), 'the old workers go');
becomes($spare[8], 200, 'store unlocked: the key is found');
$t->stop;

# --- what the configuration test says ---

my ($rc, $out) = $t->check('aiobs_key_store sqlite:%%DIR%%/none.db;');
is($rc, 1, 'a store that does not exist is an error');
like($out, qr/none\.db" does not exist; create it with: aiobs-keys create --db \S+none\.db --user NAME/,
    'which says how to make it');

spew($t->dir . '/text.db', "no database\n" x 100);
($rc, $out) = $t->check('aiobs_key_store sqlite:%%DIR%%/text.db;');
is($rc, 1, 'a file that is no database is an error');
like($out, qr/text\.db" cannot be used: .*not a database/, 'which says so');

`sqlite3 ${\$t->dir}/empty.db 'CREATE TABLE x (y)'`;
($rc, $out) = $t->check('aiobs_key_store sqlite:%%DIR%%/empty.db;');
is($rc, 1, 'a database without keys is an error');
like($out, qr/api_keys, which "aiobs-keys create" makes: no such table/, 'which says so');

SKIP: {
    skip 'only root can try another user', 5 if $> != 0;

    $t->write_conf('aiobs_key_store sqlite:%%DIR%%/keys.db;');
    my $file = $t->dir . '/nginx.conf';
    spew($file, slurp($file) =~ s/^user root;/user nobody nogroup;/mr);
    my ($uid, $gid) = (getpwnam 'nobody')[2, 3];

    $out = `$t->{nginx} -t -c $file 2>&1`;
    isnt($?, 0, 'a store that the workers may not use is an error');
    like($out, qr/run as user "nobody", who may not read and write ".*" \(mode 0755, owner root\); .*install -d -o nobody/,
        'which says who may not what, and what would help');

    chown $uid, $gid, $t->dir;
    $out = `$t->{nginx} -t -c $file 2>&1`;
    like($out, qr/who may not read and write ".*keys\.db" \(mode 0\d+, owner root\); .*chown nobody/,
        'of the directory, then of the file');

    my $conf = slurp($file);
    spew($file, $conf =~ s/^user nobody.*//mr);
    chown scalar getpwnam('daemon'), -1, $t->dir, $db;
    $out = `$t->{nginx} -t -c $file 2>&1`;
    like($out, qr/owner daemon\); is "user daemon;" missing at the top/, 'or asks for the user that nobody named');
    spew($file, $conf);
    chown $uid, $gid, $t->dir;
    chown $uid, $gid, $db;
    $out = `$t->{nginx} -t -c $file 2>&1`;
    like($out, qr/test is successful/, 'until they may');
    chown 0, 0, $t->dir, $db;
}

$t->expect_error('\[emerg\].*key store');
Aiobs->done;
