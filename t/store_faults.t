#!/usr/bin/perl

# Another program locks the store for half a minute, and the disk is full: keys
# that are known go on, others are turned away, the log says why; afterwards all
# goes on by itself, and what was used and spent meanwhile is written.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(wait_for);
use AiobsKeys;
use Digest::SHA qw(sha256_hex);
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep time);

use constant LOCKED => 30;      # seconds

my $t = Aiobs->new;
provider($t, 0);

my ($alice, $bob, @spare) = map { $t->key($_) } qw(alice bob), map { "spare$_" } 1 .. 10;

# on a disk of its own, if one may be made here

my $disk = $t->dir . '/disk';
mkdir $disk;
my $mounted = $> == 0
    && system("mount -t tmpfs -o size=2m,mode=0777 tmpfs $disk 2>/dev/null") == 0;
END { system("umount -l $disk") if $mounted }

my $conf = <<'EOC' . gateway();
aiobs_zone 8m series=300 keys=200;
aiobs_key_store sqlite:%%STORE%%;
EOC

sub conf { return $conf =~ s/%%STORE%%/$_[0]/r }

sub status { return call($t, 1, $_[0], max_tokens => 5)->{status} }

# --- locked: without a write-ahead log, readers are kept out as well ---

sql($t, 'PRAGMA journal_mode = DELETE');
$t->start(conf($t->store), workers => 2);

is(status($alice), 200, 'a key is known');
is(status($bob), 200, 'another one');
wait_for(sub { (sql($t, 'SELECT count(*) FROM usage_daily'))[0][0] == 2 }, 10);

my $lock = $t->spawn(['/usr/bin/python3', '-c', "import sqlite3, time\n"
    . 'c = sqlite3.connect("' . $t->store . '", isolation_level=None, timeout=20)'
    . "\nc.execute('BEGIN EXCLUSIVE')\nopen('" . $t->dir
    . "/locked', 'w').close()\ntime.sleep(600)\n"]);
ok(wait_for(sub { -e $t->dir . '/locked' }, 20), 'the store is locked');
$t->expect_error('key store') if $t->can('expect_error');

# how often a known key works, and how often before an unknown one is turned
# away, who came first and waits for the store

my ($from, $calls, $good, $first, $last, %unknown);

sub known_and_unknown {
    my ($seconds) = @_;

    ($from, $calls, $good, $first, %unknown) = (time, 0, 0, 0);

    while (time - $from < $seconds) {
        my $waiting = $t->connect(1);
        $waiting->syswrite("GET /v1/models HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            . "x-api-key: $spare[$calls % 4]\r\n\r\n");

        $calls++;
        $last = time;
        $good++ if status($alice) eq 200;
        $first++ if !IO::Select->new($waiting)->can_read(0);
        $unknown{substr Aiobs::read_all($waiting), 9, 3}++;
        sleep 0.5;
    }
}

known_and_unknown(LOCKED);
is($good, $calls, 'a known key works all the time');
ok($first, 'and does not wait, as others do');
is(join(' ', keys %unknown), '503', 'unknown ones are turned away');

my @said = $t->error_log
    =~ /key store ".*" failed: .*another process has it locked.*known keys go on working, others cannot be looked up/g;
cmp_ok(scalar @said, '>=', 2, 'the log says so, and again now and then');
cmp_ok(scalar @said, '<=', 20, 'but not for every request');

$t->kill_wait($lock, 'KILL');

my $status;
ok(wait_for(sub { ($status = status($spare[0])) == 200 }, 10), 'unlocked: the key is found')
    or diag($status);
ok(wait_for(sub { $t->error_log =~ /key store ".*" works again/ }, 10), 'the log says so');

my @row;
wait_for(sub {
    @row = @{(sql($t, 'SELECT calls, input, output FROM usage_daily WHERE key_hash = ?',
        sha256_hex($alice)))[0]};
    return $row[0] == $calls + 1;
}, 15);
is("@row", join(' ', map { $_ * ($calls + 1) } 1, 10, 5), 'what was spent meanwhile is written');

my $used;
wait_for(sub {
    $used = (sql($t, "SELECT strftime('%s', last_used) FROM api_keys WHERE hash = ?",
        sha256_hex($alice)))[0][0];
    return $used >= int($last) - 1;
}, 10);
cmp_ok($used, '>=', int($last) - 1, 'and when the key was used');
$t->stop;

# --- keys that are to be asked for again when the store is locked ---

unlink $t->dir . '/nginx.pid';
$t->start(conf($t->store), workers => 1);
is(status($alice), 200, 'a key is known');
system('sqlite3', $t->store, '.backup ' . $t->store . '.copy') == 0 or die;
is(`sqlite3 ${\$t->store}.copy 'PRAGMA journal_mode = DELETE; UPDATE aiobs_changes SET mark = mark + 1'`,
    "delete\n", 'readers are kept out as well');
rename $t->store . '.copy', $t->store or die;
sleep 2;                                # another history: all keys are of before

unlink $t->dir . '/locked';
$lock = $t->spawn(['/usr/bin/python3', '-c', "import sqlite3, time\n"
    . 'c = sqlite3.connect("' . $t->store . '", isolation_level=None, timeout=20)'
    . "\nc.execute('BEGIN EXCLUSIVE')\nopen('" . $t->dir
    . "/locked', 'w').close()\ntime.sleep(600)\n"]);
ok(wait_for(sub { -e $t->dir . '/locked' }, 20), 'the store is locked');

known_and_unknown(8);
is($good, $calls, 'a key that was known works');
ok($first, "waiting for the store now and then only: not $first times of $calls");
$t->kill_wait($lock, 'KILL');
$t->stop;

# --- what the store has of a limit, asked for while it is away ---

sql($t, 'PRAGMA journal_mode = WAL');
unlink $t->dir . '/nginx.pid';
$t->start(conf($t->store), workers => 1);
my $today = int(time / 86400) * 86400;
sub said { return scalar(() = $t->error_log =~ /key store ".*" $_[0]/g) }

# an old worker that ends has saved what it counted meanwhile

for my $case (['', $spare[6]], [', after a reload', $spare[7]]) {
    my ($name, $limited) = @$case;
    my $hash = sha256_hex($limited);

    is(status($limited), 200, "a key without limits$name");
    sql($t, 'INSERT INTO aiobs_limit_windows VALUES (?, 2, ?, 15)', $hash, $today);
    set_attrs($t, $limited, tokens_per_day => 40);
    followed($t, '/v1/models');

    my ($failed, $works) = map { said($_) } 'failed: No such file', 'works again';
    rename $t->store, $t->store . '.away' or die;
    ok(wait_for(sub { said('failed: No such file') > $failed }, 10), 'the store is away');
    is(status($limited), 200, 'it has a limit now, and goes on');
    rename $t->store . '.away', $t->store or die;
    ok(wait_for(sub { said('works again') > $works }, 10), 'the store is back');

    if ($name) {
        my ($old) = $t->workers;
        $t->reload;
        ok(wait_for(sub { !kill 0, $old }, 10), 'the old worker is gone');
    }

    is(status($limited), 200, '15 of the store and 15 of now leave 10');
    is(status($limited), 429, 'no more: what the store has counts');

    my $amount;
    wait_for(sub {
        $amount = (sql($t, 'SELECT amount FROM aiobs_limit_windows WHERE account = ? AND kind = 2',
            $hash))[0][0];
        return $amount == 45;
    }, 10);
    is($amount, 45, 'and the store has it all, once');
}

# a key that is not used again; it may even be deleted meanwhile

for my $case (['', $spare[8]], [', deleted', $spare[9]]) {
    my ($name, $once) = @$case;
    my $hash = sha256_hex($once);

    is(status($once), 200, "a key without limits$name");
    sql($t, 'INSERT INTO aiobs_limit_windows VALUES (?, 2, ?, 15)', $hash, $today);
    set_attrs($t, $once, tokens_per_day => 40);
    followed($t, '/v1/models');

    my ($failed, $works) = map { said($_) } 'failed: No such file', 'works again';
    rename $t->store, $t->store . '.away' or die;
    ok(wait_for(sub { said('failed: No such file') > $failed }, 10), 'the store is away');
    is(status($once), 200, 'it has a limit now, and is used once');
    rename $t->store . '.away', $t->store or die;
    sql($t, 'DELETE FROM api_keys WHERE hash = ?', $hash) if $name;
    ok(wait_for(sub { said('works again') > $works }, 10), 'the store is back');

    my $amount = 0;
    wait_for(sub {
        $amount = (sql($t, 'SELECT amount FROM aiobs_limit_windows WHERE account = ? AND kind = 2',
            $hash))[0][0];
        return $amount == 30;
    }, 12);
    is($amount, 30, 'and what it took is saved by the worker that goes on');
}

$t->stop;

# --- a full disk ---

SKIP: {
    skip 'no file system may be mounted here', 9 if !$mounted;

    my $db = "$disk/keys.db";
    sql($t, 'PRAGMA journal_mode = WAL');
    system('sqlite3', $t->store, ".backup $db") == 0 or die;
    unlink $t->dir . '/nginx.pid';
    $t->start(conf($db), workers => 1);

    my $calls_of = sub {
        return (split /\n/, `sqlite3 -cmd '.timeout 5000' $db "SELECT sum(calls) FROM usage_daily WHERE key_hash = '@{[sha256_hex($bob)]}'"`)[0];
    };
    is(status($bob), 200, 'a key is known');
    ok(wait_for(sub { $calls_of->() == 2 }, 10), 'what it spends is written');

    open my $fh, '>', "$disk/fill" or die;
    my $filled = 0;
    $filled += $_ // 0 while $_ = syswrite $fh, "\0" x 4096;
    close $fh;
    cmp_ok($filled, '>', 0, 'the disk is full');

    # what fits into the room that the write-ahead log has is written still

    my ($n, $bad) = (2, 0);
    ok(wait_for(sub {
        status($bob) == 200 ? $n++ : $bad++;
        sleep 0.1;
        return $t->error_log =~ /key store "\Q$db\E" failed: .*full/;
    }, 30), 'the log says so');
    is($bad, 0, 'a known key works');
    is(status($spare[5]), 200, 'an unknown key is found: reading needs no room');
    is(status('sk-of-nobody'), 401, 'and one of nobody is refused');

    unlink "$disk/fill";
    ok(wait_for(sub { $calls_of->() == $n }, 20), 'with room again, all that was spent is written')
        or diag($calls_of->() . " of $n");
    is(`sqlite3 $db 'PRAGMA integrity_check'`, "ok\n", 'the store is sound');
    $t->stop;
}

Aiobs->done;
