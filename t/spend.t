#!/usr/bin/perl

# What keys spent: in usage_daily for any program, exact, complete after a
# reload, a stop and a store that was away.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use AiobsKeys;
use Digest::SHA qw(sha256_hex);
use POSIX qw(strftime);
use Test::More;

my $t = Aiobs->new;
provider($t, 0);

# 3 nano-USD a token of the prompt: far below what the table counts in

spew($t->dir . '/prices.json', <<'EOP');
{ "gpt-4o": { "litellm_provider": "openai", "mode": "chat",
      "input_cost_per_token": 3e-09, "output_cost_per_token": 1e-05 } }
EOP

my $alice = key_with($t, 'alice', labels => '{"team":"red"}');
my $bob = key_with($t, 'bob');

my $conf = <<'EOC';
aiobs_zone 8m series=500 keys=200;
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_prices %%DIR%%/prices.json;
keepalive_requests 100000;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /v1/ {
        aiobs_auth optional;
        aiobs_llm auto;
        aiobs_endpoint chat;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /other/ {
        aiobs_auth on;
        aiobs_llm auto;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /metrics { aiobs_metrics; }
}
EOC

$t->start($conf, workers => 1);

my $columns = 'day, key_hash, model, endpoint, calls, input, output, cache_read,'
    . ' cache_write, cost_microusd, estimated_calls';

# one row, once it has so many calls

sub row {
    my ($key, $model, $endpoint, $calls) = @_;

    my $row;
    wait_for(sub {
        ($row) = sql($t, "SELECT $columns FROM usage_daily WHERE key_hash = ?"
            . ' AND model = ? AND endpoint = ?', sha256_hex($key), $model,
            $endpoint);
        return $row && $row->[4] >= $calls;
    }, 10);

    return join '|', map { $_ // 'NULL' } @{$row || []}[0, 2 .. 10];
}

my $day = strftime('%Y-%m-%d', gmtime);

call($t, 1, $alice, usage => [100, 0]) for 1 .. 7;
call($t, 1, $alice, usage => [300, 0]) for 1 .. 10;
call($t, 1, $alice, usage => [1, 2]);
call($t, 1, $alice, answers => 'gpt-4o-other', usage => [5, 6]);
call($t, 1, $bob, path => '/other/v1/chat/completions', usage => [7, 8]);
call($t, 1, $bob, status => 500);
call($t, 1, 'sk-of-nobody', usage => [1000, 1000]);
$t->get(1, '/v1/models', 'x-api-key', $bob);

# 7 * 300 + 10 * 900 + 3 + 20000 nano-USD: only one call costs a micro-USD

is(row($alice, 'gpt-4o', 'chat', 18), "$day|gpt-4o|chat|18|3701|2|0|0|31|0",
    'calls are summed up, and their cost before it is rounded');
is(row($alice, 'gpt-4o-other', 'chat', 1), "$day|gpt-4o-other|chat|1|5|6|0|0|60|0",
    'by the model that answered, at the price of the one asked for');
is(row($bob, 'gpt-4o', '/other/', 1), "$day|gpt-4o|/other/|1|7|8|0|0|80|0",
    'by endpoint');
is(row($bob, 'gpt-4o-other', 'chat', 1),
    "$day|gpt-4o-other|chat|1|0|0|0|0|0|0", 'a call that failed is a call');
my %said;
for my $l (grep { $_->{user_id} eq 'alice' } $t->log_lines(19)) {
    $said{$_} += $l->{$_} // 0 for qw(input_tokens output_tokens cost_usd);
}
is("$said{input_tokens} $said{output_tokens}", '3706 8', 'the log tells of each token once');
is(sprintf('%.9f', $said{cost_usd}), '0.000091118', 'and of what they cost');
is(scalar(sql($t, 'SELECT 1 FROM usage_daily')), 4,
    'keys of others and lists are nobody\'s spend');

my ($old) = $t->workers;
$t->reload($conf, workers => 2);
ok(wait_for(sub { !-e "/proc/$old" }, 10), 'more workers');

# --- spend by the command ---

my $out = $t->keys_cli('spend', '--db', $t->store, '--by', 'label', 'team',
    '--csv');
like($out, qr/^red,19,3706,8,/m, 'aiobs-keys sums it up by a label');

# --- a store that is locked ---

my $pid = $t->spawn(['/usr/bin/python3', '-c', "import sqlite3, time\n"
    . 'c = sqlite3.connect("' . $t->store . '", isolation_level=None, timeout=20)'
    . "\nc.execute('BEGIN IMMEDIATE')\nopen('" . $t->dir
    . "/locked', 'w').close()\ntime.sleep(600)\n"]);
ok(wait_for(sub { -e $t->dir . '/locked' }, 20), 'the store is locked');

is(call($t, 1, $bob)->{status}, 200, 'known keys go on');
$t->expect_error('key store');
ok(wait_for(sub { $t->error_log =~ /key store .* failed/ }, 10),
    'what they spend cannot be written');
$t->kill_wait($pid, 'TERM');
is(row($bob, 'gpt-4o', 'chat', 1), "$day|gpt-4o|chat|1|10|5|0|0|50|0",
    'it is written later');

# --- a reload, a stop ---

call($t, 1, $bob);
$t->reload($conf, workers => 2);
call($t, 1, $bob);
$t->stop('QUIT');
is(row($bob, 'gpt-4o', 'chat', 3), "$day|gpt-4o|chat|3|30|15|0|0|150|0",
    'nothing is lost by a reload and a stop');

$t->start($conf, workers => 2);
call($t, 1, $bob);
my $r = call($t, 1, $bob);
$t->log_of($r->{headers}{'x-request-id'});
$t->stop('TERM');
is(row($bob, 'gpt-4o', 'chat', 5), "$day|gpt-4o|chat|5|50|25|0|0|250|0",
    'nor by a fast stop');

# --- and the store is locked meanwhile ---

sub locked {
    unlink $t->dir . '/locked';
    my $pid = $t->spawn(['/usr/bin/python3', '-c', "import sqlite3, time\n"
        . 'c = sqlite3.connect("' . $t->store . '", isolation_level=None, timeout=20)'
        . "\nc.execute('BEGIN IMMEDIATE')\nopen('" . $t->dir . "/locked', 'w').close()\ntime.sleep(600)\n"]);
    wait_for(sub { -e $t->dir . '/locked' }, 20) or fail('locked');
    return $pid;
}

$t->start($conf, workers => 1);
call($t, 1, $bob);
($old) = $t->workers;
my $locker = locked();
$t->log_of(call($t, 1, $bob)->{headers}{'x-request-id'});
$t->reload($conf, workers => 1);
ok(-e "/proc/$old", 'the old worker waits for the store');
$t->kill_wait($locker, 'TERM');
is(row($bob, 'gpt-4o', 'chat', 7), "$day|gpt-4o|chat|7|70|35|0|0|350|0", 'a reload loses nothing by a lock');
ok(wait_for(sub { !-e "/proc/$old" }, 10), 'then it is gone');
unlike($t->get(1, '/metrics')->{body}, qr/^aiobs_usage_lost_total\S* [1-9]/m, 'nothing is told as lost');
$locker = locked();
$t->log_of(call($t, 1, $bob)->{headers}{'x-request-id'});
($old) = $t->workers;
kill QUIT => $t->{nginx_pid};
ok(wait_for(sub { slurp("/proc/$old/cmdline") =~ /shutting down/ }), 'a stop');
ok(-e "/proc/$old", 'waits for the store as well');
$t->kill_wait($locker, 'TERM');
$t->stop('QUIT');
is(row($bob, 'gpt-4o', 'chat', 8), "$day|gpt-4o|chat|8|80|40|0|0|400|0", 'and loses nothing by it');

# a worker that ends leaves what it cannot save to those that go on

my $limited = key_with($t, 'carol', tokens_per_day => 1_000_000);

sub stored {
    my ($sql, $key) = @_;
    my ($row) = sql($t, $sql, sha256_hex($key));
    return $row ? $row->[0] : -1;
}

$t->start($conf, workers => 1);
call($t, 1, $limited);
is(row($limited, 'gpt-4o', 'chat', 1), "$day|gpt-4o|chat|1|10|5|0|0|50|0", 'a call with a limit');
($old) = $t->workers;
$locker = locked();
my $from = int time;
$t->log_of(call($t, 1, $limited)->{headers}{'x-request-id'});
$t->reload($conf, workers => 1);
ok(-e "/proc/$old", 'the store is locked, the old worker waits');
kill TERM => $old;
ok(wait_for(sub { !-e "/proc/$old" }, 10), 'it is told not to');
like(join("", $t->error_log =~ m{^.*calls spent.*\n}mg), qr/1 calls spent are left to other workers: .*locked/, 'and says so');
$t->kill_wait($locker, 'TERM');
is(row($limited, 'gpt-4o', 'chat', 2), "$day|gpt-4o|chat|2|20|10|0|0|100|0", 'another one saves what it spent');
ok(wait_for(sub { stored('SELECT amount FROM aiobs_limit_windows WHERE account = ? AND kind = 2', $limited) == 30 }, 10),
    'what was taken of limits');
ok(wait_for(sub { stored("SELECT strftime('%s', last_used) FROM api_keys WHERE hash = ?", $limited) >= $from }, 10),
    'and when the key was used');
unlike($t->get(1, '/metrics')->{body}, qr/^aiobs_usage_lost_total\S* [1-9]/m, 'nothing is lost');

# one that is alone does so too: nginx starts another one

($old) = $t->workers;
$locker = locked();
$t->log_of(call($t, 1, $limited)->{headers}{'x-request-id'});
kill TERM => $old;
ok(wait_for(sub { my @now = $t->workers; return @now == 1 && $now[0] != $old }, 10), 'the only worker ends');
like(join("", $t->error_log =~ m{^.*calls spent.*\n}mg), qr/1 calls spent are not saved, nor is a worker left/, 'and knows of no other');
$t->kill_wait($locker, 'TERM');
is(row($limited, 'gpt-4o', 'chat', 3), "$day|gpt-4o|chat|3|30|15|0|0|150|0", 'the next one saves it');

# when all end, it is said what is lost

$locker = locked();
$t->log_of(call($t, 1, $limited)->{headers}{'x-request-id'});
$t->stop('TERM');
ok(-e "/proc/$locker", 'a fast stop does not wait');
is(scalar(() = $t->error_log =~ /1 calls spent are not saved, nor is a worker left/g), 2, 'what it loses is said');
$t->kill_wait($locker, 'TERM');

# --- more rows than fit ---

$t->start($conf, workers => 1);
$pid = $t->spawn(['/usr/bin/python3', '-c', "import sqlite3, time\n"
    . 'c = sqlite3.connect("' . $t->store . '", isolation_level=None, timeout=20)'
    . "\nc.execute('BEGIN IMMEDIATE')\nopen('" . $t->dir
    . "/locked2', 'w').close()\ntime.sleep(600)\n"]);
is(call($t, 1, $bob)->{status}, 200, 'a key is known');
ok(wait_for(sub { -e $t->dir . '/locked2' }, 20), 'the store is locked');

my $s = $t->connect(1);
my $n = 1200;
my $got = 0;

for my $i (1 .. $n) {
    my $body = qq({"model":"gpt-4o","answers":"model-$i"});
    $s->syswrite("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
        . "x-api-key: $bob\r\nContent-Length: " . length($body)
        . "\r\n\r\n$body");
    my $answer = '';
    $s->sysread($answer, 65536, length $answer) or last
        until $answer =~ /\r\n\r\n.*\}\}?\r?\n?(0\r\n\r\n)?$/s;
    $got++ if $answer =~ m{^HTTP/1.1 200};
}

is($got, $n, 'calls go on');
my ($lost) = $t->get(1, '/metrics')->{body}
    =~ /^aiobs_usage_lost_total\{reason="full"\} (\d+)$/m;
ok($lost && $lost <= $n, 'what cannot be kept is counted') or diag($lost // 'none');
$t->kill_wait($pid, 'TERM');

my $kept = sub { return scalar sql($t, "SELECT 1 FROM usage_daily WHERE model LIKE 'model-%'") };
wait_for(sub { $kept->() >= $n - ($lost // 0) }, 30);
is($kept->(), $n - ($lost // 0), 'all else is there');

$t->done;
