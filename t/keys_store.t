#!/usr/bin/perl

# The store on bad days, and shared with others: permissions, a command run by
# root, Python writing all the while, no right to write, no room to write.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use Digest::SHA qw(sha256_hex);
use File::Path qw(make_path);
use POSIX qw(strftime);
use Test::More;

my $t = Aiobs->new;
my $dir = $t->dir . '/store';
my $db = "$dir/keys.db";
my $root = $> == 0;
my ($uid, $gid) = $root ? (getpwnam 'nobody')[2, 3] : ($>, (split ' ', $))[0]);
my $group = getgrgid $gid;

sub conf {
    my ($parameters) = @_;
    return <<"EOF";
aiobs_key_store sqlite:$db$parameters;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location / { aiobs_auth on; try_files /x =404; }
    location = /metrics { aiobs_metrics; }
}
EOF
}

# the workers are nobody's, where the test may choose

sub write_conf {
    my ($parameters) = @_;
    $t->write_conf(conf($parameters));
    my $file = $t->dir . '/nginx.conf';
    spew($file, slurp($file) =~ s/^user root;/user nobody $group;/mr) if $root;
    return;
}

sub check {
    write_conf($_[0]);
    my $out = `$t->{nginx} -t -c ${\$t->dir}/nginx.conf 2>&1`;
    return ($? >> 8, $out);
}

sub key {
    my ($user) = @_;
    my ($rc, $out, $err) = $t->keys_cli('create', '--db', $db, '--user', $user);
    die $err if $rc;
    chomp $out;
    push @{$t->{secrets}}, $out;
    return $out;
}

sub status { return $t->get(1, '/', 'x-api-key', $_[0])->{status} // 'none' }
sub sql { my $out = `sqlite3 -cmd '.timeout 9000' $db "$_[0]" 2>&1`; chomp $out; return $out }
sub mode { return sprintf '%04o', (stat $_[0])[2] & 07777 }
sub last_used { return sql("SELECT last_used FROM api_keys WHERE hash = '" . sha256_hex($_[0]) . "'") }

make_path($dir);
chown $uid, $gid, $dir;
chmod 0755, $dir;
spew($t->dir . '/html/x', "ok\n");

# --- permissions ---

my $alice = key('alice');
is(mode($db), '0600', 'a store is made for its owner only');
is((stat $db)[4], $uid, 'who is the owner of the directory');

my ($rc, $out) = check('');
is($rc, 0, 'it can be used so');
unlike($out, qr/warn/, 'without a word');

chmod 0644, $db;
my $gid_before = (stat $db)[5];
($rc, $out) = check('');
like($out, qr/\[warn\].*"\Q$db\E" is open to others than its owner \(mode 0644\)/, 'a store that is open to others is warned about');
($rc, $out) = check(' mode=0600');
is("$rc " . mode($db), '0 0644', 'a mode that is named will be given');
unlike($out, qr/warn/, 'without a word');

($rc, $out) = check(" mode=0660 group=$group");
is($rc, 1, 'a group needs the directory');
is(mode($db) . (stat $db)[5], "0644$gid_before", 'and is not given otherwise');
like($out, qr/chgrp \Q$group $dir\E; chmod g\+rwxs \Q$dir\E/, 'which is said');
chmod 02775, $dir;
($rc, $out) = check(" mode=0660 group=$group");
is("$rc " . mode($db), '0 0644', 'then the store can be shared, by more than a test');

for my $bad ([' mode=0777', 'a mode such as'], [' mode=0400', 'a mode such as'], [' mode=rw', 'a mode such as'],
    [' mode=', 'a mode such as'], [' group=no-such-group', 'no such group'], [' owner=me', '"mode=octal" and "group=name" are accepted'])
{
    ($rc, $out) = check($bad->[0]);
    is($rc, 1, "refused:$bad->[0]");
    like($out, qr/\Q$bad->[1]\E.* in .*nginx\.conf:\d+/, 'it says what is accepted, and where');
}

# --- a command of root, workers of nobody ---

write_conf(" mode=0660 group=$group");
$t->start;

is(status($alice), 200, 'a key works');
my $bob = key('bob');
is(status($bob), 200, 'one that root has made meanwhile');
is((stat "$db$_")[4], $uid, "keys.db$_ is the workers'") for '', '-wal', '-shm';
is((stat "$db$_")[5], $gid, "keys.db$_ is of the group") for '', '-wal', '-shm';
is(mode("$db$_"), '0660', "keys.db$_ has the mode") for '', '-wal', '-shm';

my $from = time;
is(status($bob), 200, 'used');
ok(wait_for(sub { (last_used($bob) || '') ge strftime('%Y-%m-%dT%H:%M:%S', gmtime $from) }, 12), 'the worker writes after root did');

# --- Python writes all the while ---

spew($t->dir . '/w.py', <<"EOP");
import sqlite3, hashlib, datetime, sys
c = sqlite3.connect('$db', timeout=10)
for i in range(200):
    h = hashlib.sha256(('python-%d' % i).encode()).hexdigest()
    c.execute('INSERT INTO api_keys VALUES (?,?,?,?,?,?)', (h, 'py', None, datetime.datetime.utcnow().isoformat(), None, 1))
    c.commit()
    row = c.execute('SELECT * FROM api_keys WHERE hash = ?', (h,)).fetchone()
    assert len(row) == 6 and row[0] == h and row[1] == 'py' and row[4] is None and row[5] == 1, row
    c.execute('UPDATE api_keys SET name = ? WHERE hash = ?', ('n%d' % i, h))
    c.commit()
    print(i, flush=True)
EOP
my $writer = $t->spawn(['/usr/bin/python3', $t->dir . '/w.py'], log => $t->dir . '/w.log');
my ($bad, $used) = (0, 0);
wait_for(sub {
    my @done = slurp($t->dir . '/w.log') =~ /^(\d+)$/mg;
    for (; $used < @done; $used += 7) {
        $bad++ if status("python-$used") ne 200;
        $bad++ if status($alice) ne 200;
    }
    return @done == 200 || $t->reap($writer);
}, 60);
wait_for(sub { $t->reap($writer) }, 10);
is(scalar(() = slurp($t->dir . '/w.log') =~ /^\d+$/mg), 200, 'Python inserts, selects and updates')
    or diag(slurp($t->dir . '/w.log'));
is($bad, 0, 'keys work at their first use, all the while');
ok(wait_for(sub { sql("SELECT count(*) FROM api_keys WHERE user_id = 'py' AND last_used IS NOT NULL") == $used / 7 }, 15),
    'their uses are written in between');
is(sql('SELECT count(*) FROM api_keys WHERE is_active = 1 AND name IS NOT NULL'), 200, 'nothing that Python wrote is lost');

# --- no right to write: a new worker opens what it cannot write ---

my $carol = key('carol');
$t->expect_error('exited on signal 9');

SKIP: {
    skip 'a user of his own is needed to take rights away', 6 unless $root;

    chmod 0444, map { "$db$_" } '', '-wal', '-shm';
    chmod 0555, $dir;
    my ($victim) = $t->workers;
    kill KILL => $victim;
    ok(wait_for(sub { grep { $_ != $victim } $t->workers }, 10), 'a new worker');
    is(status($alice), 200, 'read-only: a known key works');
    like(status($carol), qr/^(?:200|503)$/, 'another one works, or is turned away');
    ok(wait_for(sub { status($alice); $t->error_log =~ /\[error\].*key store ".*keys\.db" failed: .*(?:readonly|read-only|permission|unable to open)/i }, 15),
        'the log says why') or diag($t->error_log =~ s/^(?!.*key store).*\n//gmr);
    chmod 02775, $dir;
    chmod 0660, map { "$db$_" } '', '-wal', '-shm';
    ok(wait_for(sub { status($carol) eq 200 }, 10), 'with its rights back everything works');
    $from = time;
    status($carol);
    ok(wait_for(sub { (last_used($carol) || '') ge strftime('%Y-%m-%dT%H:%M:%S', gmtime $from) }, 15), 'and is written');
}

$t->stop;

# --- no room to write ---

# a limit of the size of files: what is over it fails as a full disk does
sql('PRAGMA wal_checkpoint(TRUNCATE)');
my $room = int((-s $db) / 1024) + 64;
unlink $t->dir . '/nginx.pid';
write_conf(" mode=0660 group=$group");
$t->{nginx_pid} = $t->spawn(['/bin/bash', '-c', "trap '' XFSZ; ulimit -f $room; exec $t->{nginx} -c ${\$t->dir}/nginx.conf -g 'daemon off;'"],
    log => $t->dir . '/nginx.out');
ok(wait_for(sub { -s $t->dir . '/nginx.pid' && $t->listening }, 20), 'nginx with little room');
is(status($alice), 200, 'a key works');

my $hold = $t->spawn(['/usr/bin/python3', '-c', <<"EOP"]);
import sqlite3, time
r = sqlite3.connect('$db', isolation_level=None)
r.execute('BEGIN')
r.execute('SELECT count(*) FROM api_keys').fetchall()
w = sqlite3.connect('$db', isolation_level=None, timeout=20)
for i in range($room // 4 + 20):
    w.execute("UPDATE api_keys SET created_at = '2026-01-01T00:00:%02d' WHERE user_id = 'py'" % (i % 60))
open('$db.full', 'w').close()
time.sleep(600)
EOP
ok(wait_for(sub { -e "$db.full" }, 30), 'the room is used up');

$from = time;
wait_for(sub { time > $from }, 3);
is(status($alice), 200, 'full: a known key works');
is(status('python-3'), 200, 'others are looked up');
my $said = wait_for(sub { status($alice); $t->error_log =~ /\[error\].*key store ".*keys\.db" failed: cannot write [^;]*: (?:disk I\/O error|database or disk is full)/ }, 15);
ok($said, 'the log says what is the matter') or diag($t->error_log =~ s/^(?!.*key store).*\n//gmr);
$t->kill_wait($hold, 'KILL');
sql('PRAGMA wal_checkpoint(TRUNCATE)');
my $to = time;
ok(wait_for(sub { (last_used($alice) || '') gt strftime('%Y-%m-%dT%H:%M:%S', gmtime $from) }, 15), 'with room again, uses of the meantime are written');
ok(wait_for(sub { $t->error_log =~ /\[notice\].*works again/ }, 10), 'the log says that it works again');

$t->stop;
is(sql('PRAGMA integrity_check'), 'ok', 'the store is sound');
is(($t->keys_cli('audit', '--db', $db, '--verify'))[0], 0, 'the chain of events is whole');

$t->expect_error('\[emerg\].*key store');
Aiobs->done;
