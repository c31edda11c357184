#!/usr/bin/perl

# aiobs-keys: what it prints, what it stores, what it refuses; with sqlite3 and
# Python as the other programs that share the file.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew);
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my $cli = Aiobs::objs() . '/aiobs-keys';
my $db = $t->store;

# (status, stdout, stderr), with something on stdin

sub run {
    my ($stdin, @args) = @_;

    my ($in, $out, $err) = map { $t->dir . "/$_" } qw(in out err);
    spew($in, $stdin);

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        open STDIN, '<', $in or die "$in: $!";
        open STDOUT, '>', $out or die "$out: $!";
        open STDERR, '>', $err or die "$err: $!";
        exec $cli, @args or die "$cli: $!";
    }

    waitpid $pid, 0;
    return ($? >> 8, slurp($out), slurp($err));
}

sub sql {
    my ($sql) = @_;

    my $out = `sqlite3 \Q$db\E \Q$sql\E 2>&1`;
    chomp $out;
    return $out;
}

sub python {
    my ($code) = @_;

    spew($t->dir . '/p.py', "import sqlite3, sys\nc = sqlite3.connect('$db')\n"
        . $code);
    my $out = `/usr/bin/python3 ${\$t->dir}/p.py 2>&1`;
    is($?, 0, 'Python is content') or diag($out);
    chomp $out;
    return $out;
}

my ($rc, $out, $err);

# the store and its first key

($rc, $out, $err) = run('', 'create', '--db', $db, '--user', 'alice', '--name', 'laptop');
is($rc, 0, 'a key is created');
like($out, qr/^sk-[A-Za-z0-9_-]{43}\n\z/, 'it is alone on stdout');
is((stat $db)[2] & 07777, 0600, 'the store is readable by its owner only');
is((stat $db)[4], (stat $t->dir)[4], 'who is the owner of the directory');

chomp(my $alice = $out);
unlike($err, qr/\Q$alice\E/, 'stderr does not repeat the key');
my $hash = sha256_hex($alice);

is(sql("SELECT sql FROM sqlite_master WHERE name = 'api_keys'"),
    'CREATE TABLE api_keys (hash TEXT PRIMARY KEY, user_id TEXT, name TEXT,'
    . ' created_at TEXT, last_used TEXT, is_active INTEGER DEFAULT 1)',
    'the main table is the one other programs know');
is(sql('SELECT hash, user_id, name, is_active, last_used IS NULL FROM api_keys'),
    "$hash|alice|laptop|1|1", 'the hash is stored, and what was said');
like(sql('SELECT created_at FROM api_keys'),
    qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\z/, 'the time is ISO 8601');
is(sql('PRAGMA journal_mode'), 'wal', 'readers and a writer go together');
ok(!grep({ index(slurp($_), $alice) >= 0 } glob("$db*")),
    'the key itself is nowhere in the files');

# as nginx's configuration names it; a directory that is missing

($rc, $out) = run('', 'list', '--db', "sqlite:$db");
is($rc, 0, 'the store as "aiobs_key_store" has it');
like($out, qr/ alice /, 'is the same');

($rc, $out, $err) = run('', 'create', '--db', $t->dir . '/none/keys.db', '--user', 'alice');
is($rc, 1, 'no store where no directory is');
like($err, qr{cannot create \S+/none/keys\.db: No such file.*install -d -o www-data -m 0700 \S+/none\n}s,
    'and how to make one');

# other programs

my $other = 'a-key-of-python';
my $other_hash = sha256_hex($other);

python(<<"EOP");
import datetime
c.execute('INSERT INTO api_keys VALUES (?,?,?,?,?,?)', ('$other_hash', 'bob',
    'from python', datetime.datetime.utcnow().isoformat(), None, 1))
c.commit()
for row in c.execute('SELECT created_at FROM api_keys'):
    datetime.datetime.fromisoformat(row[0])
EOP

($rc, $out) = run('', 'list', '--db', $db);
is($rc, 0, 'keys are listed');
like($out, qr/^KEY ID +USER +NAME/, 'under a heading');
like($out, qr/^@{[substr $hash, 0, 12]} +alice +laptop .* never +active$/m, 'ours');
like($out, qr/^@{[substr $other_hash, 0, 12]} +bob +from python /m, "Python's");

($rc, $out) = run('', 'list', '--db', $db, '--user', 'bob', '--json');
my $list = decode_json($out);
is(scalar @$list, 1, 'keys of one user');
is_deeply([@{$list->[0]}{qw(key_id hash user_id name last_used revoked_at)}],
    [substr($other_hash, 0, 12), $other_hash, 'bob', 'from python', undef, undef],
    'as JSON');
is($list->[0]{active}, JSON::PP::true, 'active is a boolean');

is((run('', 'list', '--db', $db, '--user', 'nobody', '--json'))[1], "[]\n",
    'no keys are an empty array');

# revoking

($rc, $out) = run('', 'revoke', '--db', $db, substr($other_hash, 0, 6));
is($rc, 0, 'a key is revoked by the beginning of its id');
is($out, 'revoked ' . substr($other_hash, 0, 12) . " (user bob, name from python)\n",
    'it says which');
is(sql("SELECT is_active FROM api_keys WHERE hash = '$other_hash'"), 0, 'it is');
($rc, $out) = run('', 'revoke', '--db', $db, substr($other_hash, 0, 12));
is("$rc $out", '0 already revoked ' . substr($other_hash, 0, 12)
    . " (user bob, name from python)\n", 'a second time is said to be one');

($rc, $out) = run("$alice\n", 'show', '--db', $db, '--stdin');
like($out, qr/^user: +alice\n/m, 'a key on stdin is found');
($rc, $out) = run("$alice\r\n", 'show', '--db', $db, '--stdin', '--json');
is(decode_json($out)->{hash}, $hash, 'as JSON');
($rc, $out) = run($alice, 'revoke', '--db', $db, '--stdin');
like($out, qr/^revoked /, 'a key on stdin is revoked');
($rc, $out) = run($alice, 'show', '--db', $db, '--stdin');
like($out, qr/^state: +revoked\nrevoked: +\d{4}-/m, 'when it was is known');

python("c.execute(\"UPDATE api_keys SET is_active = 1 WHERE hash = '$hash'\")\nc.commit()\n");
($rc, $out) = run($alice, 'show', '--db', $db, '--stdin');
like($out, qr/^state: +active\n\z/m, 'another program restored it');

run('', 'create', '--db', $db, '--user', 'carol') for 1 .. 3;
($rc, $out) = run('', 'revoke', '--db', $db, '--user', 'carol');
is(scalar(() = $out =~ /^revoked /mg), 3, 'all keys of a user are revoked');

# what the triggers note

is(sql('SELECT count(*) FROM aiobs_changes'), 1 + 5 + 6, 'every change is noted');
python(<<"EOP");
c.execute("UPDATE api_keys SET last_used = '2026-01-01T00:00:00' WHERE hash = '$hash'")
c.execute("INSERT OR REPLACE INTO api_keys VALUES ('$hash', 'alice', 'x', '', NULL, 1)")
c.execute("DELETE FROM api_keys WHERE hash = '$other_hash'")
c.commit()
EOP
is(sql('SELECT count(*) FROM aiobs_changes'), 1 + 5 + 6 + 2,
    'a use is none, replacing and deleting are');
is(sql("SELECT count(*) FROM aiobs_key_attrs WHERE hash = '$other_hash'"), 0,
    'nothing is left of a deleted key');

# what is refused

for my $case (
    ['no command', 2, []],
    ['an unknown command', 2, ['frobnicate']],
    ['no store', 2, ['list']],
    ['no user', 2, ['create', '--db', $db]],
    ['an option of another command', 2, ['create', '--db', $db, '--csv']],
    ['an option without its value', 2, ['create', '--db', $db, '--user']],
    ['an empty user', 2, ['create', '--db', $db, '--user', '']],
    ['a long user', 2, ['create', '--db', $db, '--user', 'u' x 129]],
    ['a long name', 2, ['create', '--db', $db, '--user', 'u', '--name', 'n' x 65]],
    ['a newline', 2, ['create', '--db', $db, '--user', "a\nb"]],
    ['a control of two bytes', 2, ['create', '--db', $db, '--user', "a\xc2\x85b"]],
    ['invalid UTF-8', 2, ['create', '--db', $db, '--user', "a\xff"]],
    ['an overlong form', 2, ['create', '--db', $db, '--user', "a\xc0\xaf"]],
    ['a space at the end', 2, ['create', '--db', $db, '--user', 'a ']],
    ['no key to revoke', 2, ['revoke', '--db', $db]],
    ['two ways to say which', 2, ['revoke', '--db', $db, 'abcd', '--user', 'a']],
    ['a short id', 2, ['revoke', '--db', $db, 'abc']],
    ['an id that is none', 2, ['revoke', '--db', $db, "' OR 1=1"]],
    ['a key that is not there', 3, ['revoke', '--db', $db, '0123456789ab']],
    ['a user who has none', 3, ['revoke', '--db', $db, '--user', 'nobody']],
    ['a store that is not there', 1, ['list', '--db', "$db.none"]],
    ['a directory that is not', 1, ['create', '--db', '/nonexistent/k.db', '--user', 'a']],
    ['a directory', 1, ['list', '--db', $t->dir]],
) {
    my ($name, $status, $args) = @$case;

    ($rc, $out, $err) = run('', @$args);
    is($rc, $status, "$name: exit code");
    is($out, '', "$name: nothing on stdout");
    isnt($err, '', "$name: said why");
}

is((run('', 'create', '--db', $db, '--user', 'u' x 128, '--name', 'n' x 64))[0], 0,
    'the longest names');
is((run('', 'create', '--db', $db, '--user', "J\xc3\xb6rg \xf0\x9f\x94\x91"))[0], 0,
    'any script');

($rc, $out, $err) = run('', 'revoke', '--db', $db, $alice);
is($rc, 2, 'a key on the command line is refused');
unlike($err, qr/\Q$alice\E/, 'and not repeated');

# two that begin alike

python(<<"EOP");
for c1 in '12':
    c.execute('INSERT INTO api_keys VALUES (?,?,?,?,?,?)',
        ('beef' + c1 * 60, 'twin', c1, '2026-01-01T00:00:00', None, 1))
c.commit()
EOP
($rc, $out, $err) = run('', 'revoke', '--db', $db, 'beef');
is($rc, 4, 'an ambiguous id is not guessed');
is(sql("SELECT sum(is_active) FROM api_keys WHERE user_id = 'twin'"), 2,
    'nothing was revoked');

# the table fits a terminal; whose a key is and what it is called is never cut

my $dn = 'uid=jane.doe,ou=People,ou=Research and Development,dc=example,dc=com';

sub on_terminal {
    my ($columns, $env) = @_;
    spew("$db.pty.py", "import fcntl, os, pty, struct, sys, termios\n"
        . "pid, fd = pty.fork()\nif pid == 0:\n fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, $columns, 0, 0))\n"
        . " os.environ.pop('COLUMNS', None)\n os.environ.update($env)\n os.execv(sys.argv[1], sys.argv[1:])\n"
        . "out = b''\nwhile True:\n try: part = os.read(fd, 65536)\n except OSError: break\n if not part: break\n out += part\n"
        . "os.waitpid(pid, 0)\nsys.stdout.write(out.decode().replace('\\r', ''))\n");
    return `/usr/bin/python3 $db.pty.py $cli list --db $db.wide`;
}

is((run('', 'create', '--db', "$db.wide", '--user', 'jo@example.com', '--name', 'laptop'))[0], 0, 'a store');
$out = on_terminal(80, '{}');
my ($longest) = sort { $b <=> $a } map { length } split /\n/, $out;
cmp_ok($longest, '<=', 80, 'a table in 80 columns') or diag($out);
like($out, qr/^KEY ID +USER +NAME +CREATED \(U?T?C?\)? *LAST USED|^KEY ID +USER +NAME +CREATED/m, 'with its heading');
like($out, qr/^\w{12}  jo\@example\.com  laptop  \d{4}-\d\d-\d\d  never +active$/m, 'and all that names a key');
like(on_terminal(60, '{}'), qr/^\w{12}  jo\@example\.com  laptop  \d{4}-\d\d-\d\d  never       active$/m, 'in 60: but the day');
like(on_terminal(80, '{"COLUMNS": "120"}'), qr/  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d  never +active$/m, 'COLUMNS counts');
like(on_terminal(0, '{}'), qr/^\w{12}  jo\@example\.com  laptop  \d{4}-\d\d-\d\d  never/m, 'a terminal that tells nothing has 80');
is((run('', 'create', '--db', "$db.wide", '--user', $dn, '--name', 'laptop'))[0], 0, 'a long user');
like(on_terminal(80, '{}'), qr/^\w{12}  \Q$dn\E  laptop  \d{4}-\d\d-\d\d  never       active$/m, 'is not cut');
$out = (run('', 'list', '--db', "$db.wide"))[1];
like($out, qr/^\w{12}  \Q$dn\E  laptop  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d  never                active$/m, 'nor are times, to a file');
like($out, qr/^\w{12}  jo\@example\.com {@{[length($dn) - 14]}}  laptop  /m, 'in columns');
is(scalar(grep { /  \w+$/ } split /\n/, $out), 3, 'a line each');
`sqlite3 $db.wide "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n WHERE i < 600)
    INSERT INTO api_keys SELECT printf('%064x', i), 'user ' || i, 'x', NULL, NULL, 1 FROM n"`;
my @rows = split /\n/, (run('', 'list', '--db', "$db.wide"))[1];
is(scalar @rows, 603, 'however many there are');
is(scalar(grep { /^\w{12}  user \d+ +x {5}- {20}never {16}active$/ } @rows), 600, 'all of them in columns');

# what another program stored reaches no terminal

python(<<"EOP");
c.execute('INSERT INTO api_keys VALUES (?,?,?,?,?,?)',
    ('f' * 64, 'evil\\x1b[2J\\n"user', b'\\xff\\xfe', None, 7, 'yes'))
c.execute('INSERT INTO api_keys VALUES (NULL, NULL, NULL, NULL, NULL, NULL)')
c.commit()
EOP
($rc, $out) = run('', 'list', '--db', $db);
is($rc, 0, 'odd rows are listed');
like($out, qr/^f{12} +evil\?\[2J\?"user +\?\? +- +7 +revoked$/m, 'without controls');
($rc, $out) = run('', 'list', '--db', $db, '--json');
my ($evil) = grep { ($_->{key_id} // '') eq 'f' x 12 } @{decode_json($out)};
is($evil->{user_id}, "evil\x1b[2J\n\"user", 'JSON escapes them');

python(<<"EOP");
c.execute('INSERT INTO api_keys VALUES (?,?,?,?,?,?)', ('e' * 64, 'nul', 'a\\x00b', None, None, 1))
for model in ('m1', 'm2'):
    c.execute('INSERT INTO usage_daily VALUES (?,?,?,?,?,?,?,?,?,?,?)',
        ('2026-11-01', 'e' * 64, model, 'chat', 1, 1, 2 ** 62, 0, 0, 2 ** 62, 0))
c.execute('INSERT INTO usage_daily VALUES (?,?,?,?,?,?,?,?,?,?,?)',
    ('2026-11-01', 'e' * 64, 'm3', 'chat', 1, 1, 1, 0, 0, -1500000, 0))
c.commit()
EOP
($rc, $out) = run('', 'show', '--db', $db, 'e' x 12);
like($out, qr/^user: +nul$/m, 'a name with a NUL is shown');
($rc, $out) = run('', 'spend', '--db', $db, '--month', '2026-11', '--by', 'model');
like($out, qr/^m3 .* -1\.500000$/m, 'a cost below zero');
like($out, qr/^total .* 92233720368\d+\.\d{6}$/m, 'a sum that is beyond all numbers stops there');

# stores that are none

spew("$db.text", "this is no database\n" x 100);
($rc, $out, $err) = run('', 'create', '--db', "$db.text", '--user', 'a');
is($rc, 1, 'a text file is no store');
like($err, qr/not a database/, 'and it says so');
like(slurp("$db.text"), qr/^this is no/, 'it is left alone');

`sqlite3 $db.other 'CREATE TABLE api_keys (id, secret)'`;
($rc, $out, $err) = run('', 'list', '--db', "$db.other");
is($rc, 1, 'another api_keys is no store');
like($err, qr/no such column/, 'it says what is missing');

`sqlite3 $db 'UPDATE aiobs_meta SET value = 99 WHERE name = "schema"'`;
($rc, $out, $err) = run('', 'list', '--db', $db);
is($rc, 1, 'a newer schema is left alone');
like($err, qr/newer version/, 'it says why');
`sqlite3 $db 'UPDATE aiobs_meta SET value = 2 WHERE name = "schema"'`;

# a store of another program is adopted

$db = $t->dir . '/py.db';
python(<<"EOP");
c.execute('''CREATE TABLE api_keys (hash TEXT PRIMARY KEY, user_id TEXT,
    name TEXT, created_at TEXT, last_used TEXT, is_active INTEGER DEFAULT 1)''')
c.execute('INSERT INTO api_keys VALUES (?,?,?,?,?,?)',
    ('$hash', 'alice', 'x', '2026-01-01T00:00:00', None, 1))
c.commit()
EOP
is((run('', 'list', '--db', $db))[0], 0, 'its keys are listed');
is((run($alice, 'revoke', '--db', $db, '--stdin'))[0], 0, 'and revoked');
is(sql("SELECT count(*) FROM aiobs_changes WHERE hash = '$hash'"), 1,
    'changes are noted from then on');

# a table made anew has lost its triggers

python(<<"EOP");
c.execute('DROP TABLE api_keys')
c.execute('''CREATE TABLE api_keys (hash TEXT PRIMARY KEY, user_id TEXT,
    name TEXT, created_at TEXT, last_used TEXT, is_active INTEGER DEFAULT 1)''')
c.commit()
EOP
is((run('', 'create', '--db', $db, '--user', 'dora'))[0], 0, 'a key in it');
is(sql("SELECT count(*) FROM aiobs_changes WHERE hash = (SELECT hash FROM"
    . ' api_keys)'), 1, 'its triggers are back');

# a locked one is waited for

my $lock = fork // die "fork: $!";
if ($lock == 0) {
    exec '/usr/bin/python3', '-c', "import sqlite3, time, sys\n"
        . "c = sqlite3.connect('$db', isolation_level=None)\n"
        . "c.execute('BEGIN IMMEDIATE')\nopen('$db.locked', 'w').close()\n"
        . "time.sleep(1)\nc.execute('COMMIT')\n";
}
Aiobs::wait_for(sub { -e "$db.locked" }, 10);
is((run('', 'create', '--db', $db, '--user', 'eve'))[0], 0,
    'a locked store is waited for');
waitpid $lock, 0;

# help

for my $args (['--help'], ['help'], ['help', 'create'], ['create', '--help'],
    ['--version'])
{
    ($rc, $out, $err) = run('', @$args);
    is("$rc $err", '0 ', "@$args");
    isnt($out, '', "@$args says something");
}
like((run('', '--help'))[1], qr/^Exit codes:\n(?:  [0-4]  \w.*\n)+/m,
    'exit codes are told');

SKIP: {
    skip 'only root has write errors to /dev/full as others do', 1
        unless -w '/dev/full';
    `$cli list --db $db > /dev/full 2> ${\$t->dir}/err`;
    is($? >> 8, 1, 'output that gets lost is a failure');
}

# a key that nobody got to know is none

sub unheard {
    my ($stdout, @args) = @_;

    pipe my $reader, my $writer or die "pipe: $!";
    close $reader;
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        $SIG{PIPE} = 'DEFAULT';
        open STDERR, '>', "${\$t->dir}/gone" or die $!;
        $stdout eq 'full' ? open(STDOUT, '>', '/dev/full') : open(STDOUT, '>&', $writer)
            or die $!;
        close STDOUT if $stdout eq 'closed';
        exec $cli, @args or die "$cli: $!";
    }

    waitpid $pid, 0;
    return $? & 127 ? "signal $?" : $? >> 8;
}

(undef, my $old) = run('', 'create', '--db', $db, '--user', 'lost', '--name', 'old');
chomp $old;
my $id = substr sha256_hex($old), 0, 12;
my $state = sql("SELECT * FROM api_keys WHERE user_id = 'lost'");
my ($events) = sql('SELECT count(*) FROM key_events');
my $gone = $t->dir . '/gone';

for my $command ("create --user lost", "create --user lost --json", "rotate $id",
    "rotate $id --grace 0 --json")
{
    for my $to ('closed', -w '/dev/full' ? 'full' : (), 'left') {
        is(unheard($to, split(/ /, $command), '--db', $db), 1,
            "$command with stdout $to fails");
        like(slurp($gone), qr/cannot write the output: .*\n.*there is no new key/,
            'it says so');
        is(sql("SELECT * FROM api_keys WHERE user_id = 'lost'"), $state,
            'there is no new key, and the old one is as it was');
    }
}
is(sql('SELECT count(*) FROM key_events'), $events, 'nothing happened');
($rc, $out) = run('', 'rotate', $id, '--db', $db, '--json');
is($rc, 0, 'it can still be rotated');
is((decode_json($out)->{hash}), sha256_hex(decode_json($out)->{api_key}), 'on one line');

Aiobs->done;
