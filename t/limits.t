#!/usr/bin/perl

# Limits of keys: never more than allowed, whoever asks at the same time; told
# to clients; right after reloads, crashes and restarts.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use AiobsKeys;
use Digest::SHA qw(sha256_hex);
use IPC::Open2;
use POSIX qw(_exit);
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep);
use Time::Local qw(timegm);

my $t = Aiobs->new;
provider($t, 0);
$t->port(3);                            # nobody listens there

spew($t->dir . '/prices.json', <<'EOP');
{ "gpt-4o": { "litellm_provider": "openai", "mode": "chat",
      "input_cost_per_token": 1e-05, "output_cost_per_token": 1e-05 },
  "free": { "litellm_provider": "openai", "mode": "chat",
      "input_cost_per_token": 0, "output_cost_per_token": 0 } }
EOP

# calls of 10 + 5 tokens; "hello there" is estimated at 2

my %key = (
    rpm => key_with($t, 'rpm', rpm => 5),
    tpm => key_with($t, 'tpm', tpm => 40),
    big => key_with($t, 'big', tpm => 10),
    day => key_with($t, 'day', tokens_per_day => 100, rpm => 1000),
    month => key_with($t, 'month', tokens_per_month => 1000),
    cost => key_with($t, 'cost', cost_microusd_per_day => 1000),
    parallel => key_with($t, 'parallel', parallel => 2),
    crash => key_with($t, 'crash', parallel => 2, tokens_per_day => 1000),
    none => key_with($t, 'none', tokens_per_day => 1000000),
    zero => key_with($t, 'zero', rpm => 0),
    free => key_with($t, 'free'),
    both => key_with($t, 'both', rpm => 5),
);
my $heir = key_with($t, 'both', rpm => 5,
    account => sha256_hex($key{both}));

my $conf = <<'EOC';
aiobs_zone 8m series=500 keys=200;
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_prices %%DIR%%/prices.json;
server {
    listen 127.0.0.1:%%PORT_1%% reuseport;
    aiobs on;
    location /v1/ {
        aiobs_auth on;
        aiobs_llm auto;
        aiobs_endpoint chat;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /down/ {
        aiobs_auth on;
        aiobs_llm auto;
        proxy_pass http://127.0.0.1:%%PORT_3%%;
    }
    location /try/ { aiobs_auth on; try_files /none @llm; }
    location @llm { aiobs_auth on; aiobs_llm auto; error_page 429 = @more; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location @more { aiobs_auth on; aiobs_llm auto; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /app { aiobs_auth on; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }
}
EOC

$t->start($conf, workers => 2);

# a minute that has just begun, so that none ends in the middle

sub minute { wait_for(sub { time % 60 < 40 }); return }

# the client may have its answer before it is settled, which is logged

sub settled_call {
    my $r = call($t, 1, @_);
    $t->log_of($r->{headers}{'x-request-id'});
    return $r;
}

sub statuses { return join ',', map { $_->{status} } @_ }

# n calls at the same time; their statuses, sorted

sub at_once {
    my ($n, @args) = @_;

    return sort map { scalar <$_> } map { started(@args) } 1 .. $n;
}

# a call that goes on in a process of its own, which tells its status

sub started {
    my (@args) = @_;

    my $pid = open(my $pipe, '-|') // die "fork: $!";
    return $pipe if $pid;

    syswrite STDOUT, call($t, 1, @args)->{status} // 'none';
    _exit(0);
}

# waits until the provider has n calls more than it had

sub seen { return scalar(() = slurp($t->dir . '/seen') =~ /\n/g) }

sub arrive {
    my ($before, $n) = @_;
    return wait_for(sub { seen() >= $before + $n }, 10);
}

# what the store has of a key's limits

sub window {
    my ($key, $kind) = @_;
    my ($row) = sql($t, 'SELECT amount FROM aiobs_limit_windows WHERE account = ?'
        . ' AND kind = ?', sha256_hex($key), $kind);
    return $row ? $row->[0] : 0;
}

# --- requests a minute ---

minute();
my @r = map { call($t, 1, $key{rpm}) } 1 .. 6;
is(statuses(@r), '200,200,200,200,200,429', 'five requests a minute');
is($t->log_of($r[0]{headers}{'x-request-id'})->{request_model}, 'gpt-4o', 'what is asked for is read, though no limit needs it');
is($r[0]{headers}{'x-ratelimit-limit-requests'}, 5, 'the limit is told');
is($r[1]{headers}{'x-ratelimit-remaining-requests'}, 3, 'what is left');
like($r[1]{headers}{'x-ratelimit-reset-requests'}, qr/^[1-9]\d?s$/, 'until when');
is(scalar(grep { $_->[0] =~ /^x-ratelimit-remaining-requests/ } @{$r[0]{all}}),
    1, "the provider's own are hidden");
is($t->json($r[5])->{error}{code}, 'rate_limit_exceeded', 'the code');
ok($r[5]{headers}{'retry-after'} >= 1 && $r[5]{headers}{'retry-after'} <= 60,
    'Retry-After');
is($t->log_of($r[5]{headers}{'x-request-id'})->{error_type}, 'rpm', 'logged');
like($t->get(1, '/metrics')->{body},
    qr/^aiobs_refusals_total\{endpoint="chat",reason="rpm"\} 1$/m, 'counted');
is($t->get(1, '/app', 'x-api-key', $key{rpm})->{status}, 429,
    'everywhere, not for models alone');
is(call($t, 1, $key{free})->{headers}{'x-ratelimit-remaining-requests'},
    'upstream', 'a key without limits is told what the provider says');
is(call($t, 1, $key{zero})->{status}, 429, 'none is none');

minute();
is(join(',', at_once(20, $key{both})),
    join(',', (200) x 5, (429) x 15), 'twenty at once, five go');
is(call($t, 1, $heir)->{status}, 429, 'a rotated key has the same account');

# --- tokens a minute ---

minute();
@r = map { settled_call($key{tpm}, max_tokens => 5) } 1 .. 4;
is(statuses(@r), '200,200,200,429', 'tokens a minute');
is($t->json($r[3])->{error}{type}, 'tokens', 'the type');
is($r[0]{headers}{'x-ratelimit-limit-tokens'}, 40, 'the limit is told');
is($r[0]{headers}{'x-ratelimit-remaining-tokens'}, 33,
    'what is reserved counts: 2 of the prompt, 5 that it allows');
is($r[1]{headers}{'x-ratelimit-remaining-tokens'}, 18,
    'then what was taken: 15');
minute();
is(statuses(map { settled_call($key{big}, max_tokens => 5000) } 1 .. 2),
    '200,429', 'what is larger than the limit goes alone');

for my $case ([3 * 10, 'several answers', max_tokens => 10, n => 3], [2 * 10, 'the best of several', max_tokens => 10, best_of => 2, n => 1],
    [4 * 10, "Gemini's name for it", generationConfig => { maxOutputTokens => 10, candidateCount => 4 }],
    [20, 'two limits', max_completion_tokens => 20, max_tokens => 5],
    [20, 'in another order', max_tokens => 5, max_completion_tokens => 20],
    [10, 'no number of answers', max_tokens => 10, n => undef], [10, 'none', max_tokens => 10, n => 0])
{
    my ($output, $name, @body) = @$case;
    $r[0] = call($t, 1, key_with($t, 'choices', tpm => 1000), @body);
    is($r[0]{headers}{'x-ratelimit-remaining-tokens'}, 1000 - 2 - $output, "reserved for $name");
}

# by way of try_files, where only the second location knows that it is a call

my $round = key_with($t, 'round', rpm => 3, tpm => 1000, parallel => 1);
@r = map { settled_call($round, max_tokens => 10, path => '/try/v1/chat/completions') } 1 .. 4;
is(statuses(@r), '200,200,200,429', 'by try_files: a request is counted once, and refused wherever it goes');
is($r[0]{headers}{'x-ratelimit-remaining-requests'}, 2, 'requests are told');
is($r[0]{headers}{'x-ratelimit-remaining-tokens'}, 1000 - 2 - 10, 'and what is reserved');
is($r[2]{headers}{'x-ratelimit-remaining-tokens'}, 1000 - 2 * 15 - 2 - 10, 'and what was taken');
is(scalar(grep { $_->[0] eq 'retry-after' } @{$r[3]{all}}), 1, 'it is said once when to come again');

# --- what answers use to take ---

call($t, 1, $key{none}, model => 'terse', max_tokens => 90000) for 1 .. 110;
my $terse = key_with($t, 'terse', tpm => 1000);
minute();
$r[0] = call($t, 1, $terse, model => 'terse', max_tokens => 90000);
is($r[0]{headers}{'x-ratelimit-remaining-tokens'}, 1000 - 2 - 5,
    'not all that a request allows is reserved once answers are known');
$r[0] = settled_call($terse, model => 'terse', max_tokens => 3);
is($r[0]{headers}{'x-ratelimit-remaining-tokens'}, 1000 - 15 - 2 - 3,
    'nor more than it allows');

# --- budgets ---

@r = map { settled_call($key{day}, max_tokens => 10) } 1 .. 8;
is(statuses(@r), '200,200,200,200,200,200,429,429', 'tokens a day');
is($r[6]{headers}{'x-should-retry'}, 'false', 'to try again is of no use');
is($r[6]{headers}{'retry-after'}, undef, 'there is no Retry-After');
is($t->json($r[6])->{error}{code}, 'insufficient_quota', 'the code');
like($t->json($r[6])->{error}{message}, qr/has spent its budget, or has less left than this call may take/,
    'says that it is what the call may take that does not fit');
is($t->log_of($r[6]{headers}{'x-request-id'})->{error_type}, 'budget',
    'logged');

# 1,000 micro-USD are 100 tokens

@r = map { settled_call($key{cost}, max_tokens => 5) } 1 .. 8;
is(statuses(@r), '200,200,200,200,200,200,200,429', 'a cost a day');
is(statuses(map { call($t, 1, $key{cost}, model => 'free') } 1, 2), '429,429',
    'spent is spent');

my $rich = key_with($t, 'rich', cost_microusd_per_month => 1000);
is(call($t, 1, $rich, model => 'free', answers => 'free')->{status}, 200,
    'a model priced 0');
my $r = call($t, 1, $rich, model => 'secret');
is($r->{status}, 403, 'a model without a price');
is($t->json($r)->{error}{code}, 'model_not_priced', 'its code');

is(join(',', at_once(10, $rich, max_tokens => 38, usage => [2, 38],
    sleep => 0.3)), join(',', (200) x 2, (429) x 8),
    'ten at once, two fit into the budget');

# 5 million US dollars a month, of which 2 are taken

my $wealthy = key_with($t, 'wealthy', cost_microusd_per_month => 5e12);
my @now = gmtime;
sql($t, 'INSERT INTO aiobs_limit_windows VALUES (?, ?, ?, ?)', sha256_hex($wealthy), 5,
    timegm(0, 0, 0, 1, $now[4], $now[5]), 2e12);
is(call($t, 1, $wealthy)->{status}, 200, 'a very large budget');

# --- what is charged ---

my $settled = sub {
    my ($what, $sum, $status, @call) = @_;

    my $got = call($t, 1, $key{none}, @call)->{status};
    is($got, $status, "$what: the answer");

    my $taken;
    wait_for(sub { ($taken = window($key{none}, 2)) == $sum }, 6);
    is($taken, $sum, "$what: what it takes");
};

my $base = 110 * 15;

$settled->('a report', $base + 15, 200, max_tokens => 100);
$settled->('an error of the upstream', $base + 15, 500, status => 500,
    max_tokens => 100);
$settled->('an answer that says nothing', $base + 15 + 102, 200, silent => 1,
    max_tokens => 100);
$settled->('an upstream that is down', $base + 117, 502,
    path => '/down/v1/chat/completions', max_tokens => 100);
$settled->('more than was reserved', $base + 117 + 300, 200, usage => [200, 100],
    max_tokens => 1);
$settled->('an answer that cannot be read', $base + 519, 200,
    encoding => 'rot13', max_tokens => 100);

# --- calls at once ---

my $gate = $t->dir . '/gate';
my $before = seen();
my @busy = map { started($key{parallel}, until => $gate) } 1, 2;

sub becomes {
    my ($status, $name, @args) = @_;
    my $got;
    wait_for(sub { ($got = call($t, 1, @args)->{status}) == $status }, 10);
    is($got, $status, $name);
    return;
}

arrive($before, 2);
is(call($t, 1, $key{parallel})->{status}, 429, 'two calls are under way');
$r = call($t, 1, $key{parallel});
is($r->{headers}{'retry-after'}, undef, 'nobody knows how long they take');
is($t->log_of($r->{headers}{'x-request-id'})->{error_type}, 'parallel',
    'logged');

# --- reload: calls of former workers count on ---

$t->reload($conf, workers => 2);
is(call($t, 1, $key{parallel})->{status}, 429, 'they count after a reload');
is(call($t, 1, $key{day})->{status}, 429, 'and so does what was taken');
spew($gate, '');
is(join(',', map { scalar <$_> } @busy), '200,200', 'they end well');
becomes(200, 'others may go now', $key{parallel});

# --- a worker that dies takes nothing with it ---

unlink $gate;
wait_for(sub { $t->workers == 2 }, 10);
$before = seen();

my @doomed = map {
    my $s = $t->connect(1);
    my $body = qq({"model":"gpt-4o","max_tokens":400,"until":"$gate","_":"$_"});
    $s->syswrite("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
        . "Authorization: Bearer $key{crash}\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body");
    $s;
} 1, 2;

arrive($before, 2);
is(call($t, 1, $key{crash})->{status}, 429, 'two calls of another key');
kill KILL => $t->workers;
$t->expect_error('exited on signal 9');
wait_for(sub { $t->workers == 2 }, 10);
becomes(200, 'their reservations return when their workers are killed',
    $key{crash}, max_tokens => 400);
my @six = map { started($key{crash}, until => $gate, max_tokens => 100) } 1 .. 6;
my $select = IO::Select->new(@six);
ok(wait_for(sub { 4 == (() = $select->can_read(0)) }), 'four of six are refused at once');
spew($gate, '');
is(join(',', sort map { scalar <$_> } @six), '200,200,429,429,429,429', 'exactly those');
undef @doomed;

# --- a restart ---

settled_call($key{none}, max_tokens => 1);
$t->stop('QUIT');
is(window($key{none}, 2), $base + 519 + 15, 'what was taken just before as well');
is(window($key{day}, 2), 90, 'all that was taken is in the store');
is(window($key{cost}, 4), 1050, 'in micro-USD where it is money');
$t->start($conf, workers => 2);
is(call($t, 1, $key{day})->{status}, 429, 'a spent budget outlives a restart');
is(settled_call($key{none}, max_tokens => 1)->{status}, 200,
    'one that is not spent as well');
$t->stop('TERM');
is(window($key{none}, 2), $base + 519 + 30, 'a fast stop saves');
$t->start($conf, workers => 2);
is(call($t, 1, $key{cost}, model => 'free')->{status}, 429, 'and a fast stop');

# --- share of this node ---

$t->stop;
$t->start("aiobs_limit_share 3;\n$conf", workers => 2);
minute();
my $shared = key_with($t, 'shared', rpm => 7);
is(statuses(map { call($t, 1, $shared) } 1 .. 3), '200,200,429',
    'a third of seven requests');
my $one = key_with($t, 'one', rpm => 1);
is(statuses(map { call($t, 1, $one) } 1 .. 2), '200,429', 'at least one');

# --- more accounts at once than there is room for ---

$t->stop;
spew($t->dir . '/many.py', <<'P');
import hashlib, sqlite3, sys
c = sqlite3.connect(sys.argv[1], timeout=10)
for i in range(200):
    h = hashlib.sha256(b'sk-many-%d' % i).hexdigest()
    c.execute("INSERT INTO api_keys VALUES (?, 'many', NULL, NULL, NULL, 1)", (h,))
    c.execute('INSERT INTO aiobs_key_attrs (hash, rpm) VALUES (?, 5)', (h,))
c.commit()
P
is(system('/usr/bin/python3', $t->dir . '/many.py', $t->store), 0, 'many keys');
(my $narrow = $conf) =~ s/keys=200/keys=64/;
$t->start($narrow, workers => 1);
$t->expect_error('no room in "aiobs_zone"');

my $odd = grep { $_->{status} != 200 }
    map { $t->get(1, '/app', 'x-api-key', "sk-many-$_") } 0 .. 199;
is($odd, 0, 'they are let through');
my ($missed) = $t->get(1, '/metrics')->{body} =~ /^aiobs_limits_missed_total (\d+)$/m;
ok($missed, 'what was not counted is told');
my $after;
wait_for(sub { $after = statuses(map { $t->get(1, '/app', 'x-api-key',
    'sk-many-7') } 1 .. 6); return $after =~ /429/ }, 10);
like($after, qr/429/, 'later there is room again');

# --- what is not yet written is not forgotten ---

wait_for(sub { time % 86400 < 86390 }, 20);
$t->stop;
$t->start($narrow, workers => 1);
my $slow = key_with($t, 'slow', tokens_per_day => 45);
is(settled_call($slow, max_tokens => 1)->{status}, 200, 'some are taken');
settled_call($slow, max_tokens => 1);
my $lock = $t->dir . '/lock.py';
spew($lock, <<'P');
import sqlite3, sys
c = sqlite3.connect(sys.argv[1], timeout=10, isolation_level=None)
c.execute('BEGIN IMMEDIATE')
print('locked', flush=True)
sys.stdin.readline()
P
my $locker = open2(my $said, my $end, '/usr/bin/python3', $lock, $t->store);
like(scalar <$said>, qr/locked/, 'nobody can write to the store');
ok(wait_for(sub { $t->error_log =~ /key store ".*" failed: .*locked/ }), 'its rows are taken, and cannot be written');
$t->expect_error('database is locked');
for my $round (1, 2) {
    $t->get(1, '/app', 'x-api-key', "sk-many-$_") for 0 .. 199;
}
is(settled_call($slow, max_tokens => 1)->{status}, 200, 'others came, and it has one call left');
is(call($t, 1, $slow, max_tokens => 1)->{status}, 429, 'as what it took counts');
print $end "\n";
waitpid $locker, 0;
wait_for(sub { window($slow, 2) == 45 }, 10);
is(window($slow, 2), 45, 'all of it is written in the end');

my ($rc, $out) = $t->check("aiobs_limit_share 0;\n$conf");
like($out, qr/invalid number "0" of "aiobs_limit_share"/, 'a share of none');

$t->done;
