#!/usr/bin/perl

# Keys that change while they are used: revoked and restored, forgotten in the
# middle of a request, rotated with grace, labelled anew; a store restored from
# a backup that is older than what the running nginx knows.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use AiobsKeys;
use Digest::SHA qw(sha256_hex);
use IPC::Open3 qw(open3);
use JSON::PP qw(decode_json);
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep);

my $t = Aiobs->new;
provider($t, 0);

prices($t, 0, 1e-05);

my $conf = <<'EOC' . gateway();
aiobs_zone 8m series=500 keys=200;
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_prices %%DIR%%/prices.json;
aiobs_group_label team;
aiobs_limit_share %%SHARE%%;
EOC

sub conf { return $conf =~ s/%%SHARE%%/$_[0]/r }

my %key = map { $_ => key_with($t, $_, labels => '{"team":"red"}') } qw(busy zaphod.b plain);
$key{budget} = key_with($t, 'budget', tokens_per_day => 60, tokens_per_month => 100, labels => '{"team":"red"}');

$t->start(conf(1), workers => 2);

sub id { return substr sha256_hex($_[0]), 0, 12 }

# what the command says, and its exit code; keys it prints are secrets

sub cli {
    my $pid = open3(my $in, my $out, undef, Aiobs::objs() . '/aiobs-keys', $_[0], '--db', $t->store, @_[1 .. $#_]);
    local $/;
    my $text = <$out> // '';
    waitpid $pid, 0;
    push @{$t->{secrets}}, $text =~ /(sk-[\w-]{43})/g;
    return ($? >> 8, $text);
}

sub spent {
    my %row = map { $_->{$_[0]} // '-' => $_ } @{decode_json((cli('spend', '--by', @_, '--json'))[1])};
    return \%row;
}

sub calls_of {
    my ($key) = @_;
    my ($row) = sql($t, 'SELECT sum(calls) FROM usage_daily WHERE key_hash = ?', sha256_hex($key));
    return $row->[0] // 0;
}

sub settled {
    my $r = call($t, 1, shift, max_tokens => 1, @_);
    $t->log_of($r->{headers}{'x-request-id'});
    return $r->{status};
}

# --- revoked and restored under traffic, by two workers ---

my $wrong = 0;

for (1 .. 2) {
    for my $do (['revoke', 401, 200], ['restore', 200, 401]) {
        my ($what, $after, $before) = @$do;
        cli($what, id($key{busy}));
        my $status;
        wait_for(sub {
            $status = call($t, 1, $key{busy})->{status};
            $wrong += $status != $after && $status != $before;
            return $status == $after;
        });
        is($status, $after, "a key works or not: $what");
        $wrong += call($t, 1, $key{busy})->{status} != $after for 1 .. 50;
    }
}

is($wrong, 0, 'nothing else comes of it');

# --- forgotten in the middle of a request ---

my $held = $t->connect(1);
my $body = '{"model":"gpt-4o","messages":[],"until":"' . $t->dir . '/go"}';
is(call($t, 1, $key{'zaphod.b'})->{status}, 200, 'a user');
$held->syswrite("POST /v1/chat/completions?held HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-ID: held\r\n"
    . "Authorization: Bearer $key{'zaphod.b'}\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
ok(wait_for(sub { slurp($t->dir . '/seen') =~ /held/ }), 'a call goes on');
is((cli('forget', 'zaphod.b'))[0], 0, 'is forgotten');
my $n = 2;
ok(wait_for(sub { call($t, 1, $key{'zaphod.b'})->{status} == 401 || !$n++ }, 5), 'his key is refused');
spew($t->dir . '/go', '');
like(Aiobs::read_all($held), qr/^HTTP\/1.1 200/, 'what was under way ends well');
ok(wait_for(sub { calls_of($key{'zaphod.b'}) == $n }, 10), 'and is booked') or diag(calls_of($key{'zaphod.b'}));
ok(!defined spent('user')->{'zaphod.b'}, 'not as his');
is(spent('user')->{'(forgotten)'}{calls}, $n, 'but as forgotten');
ok(!grep({ slurp($_) =~ /zaphod/ } glob($t->store . '*')), 'nothing of him is in the store or its log');
unlike($t->get(1, '/metrics')->{body}, qr/zaphod/, 'nor in the metrics');
my $refused = call($t, 1, $key{'zaphod.b'})->{headers}{'x-request-id'};
unlike(join(' ', map { $_ // '' } %{$t->log_of($refused)}), qr/zaphod/, 'nor in later lines of the log');

# --- a label that changes ---

is(settled($key{plain}), 200, 'a call of team red');
ok(wait_for(sub { calls_of($key{plain}) == 1 }, 10), 'is booked');
cli('set', id($key{plain}), '--label', 'team=blue');
followed($t, '/v1/models');
is(settled($key{plain}), 200, 'one of team blue');
ok(wait_for(sub { calls_of($key{plain}) == 2 }, 10), 'is, too');
is(spent('label', 'team')->{blue}{calls}, 2, 'spend tells by the label of now');
like($t->get(1, '/metrics')->{body}, qr/^llm_group_tokens_total\{group="blue",token_type="input"\} 10$/m,
    'metrics by that of the call');

# --- rotation with grace: one account, two keys, twice ---

my ($rc, $out) = cli('rotate', id($key{budget}), '--grace', '1h');
my ($second) = $out =~ /(sk-\S+)/;
is((cli('rotate', id($key{budget})))[0], 1, 'a key is rotated once');
($rc, $out) = cli('rotate', id($second), '--grace', '1h');
my ($third) = $out =~ /(sk-\S+)/;
is($rc, 0, 'its successor may be, while both work');

is(join(' ', map { settled($_) } $key{budget}, $second, $third, $key{budget}), '200 200 200 200',
    'three keys take from one budget');
is(join(' ', map { settled($_) } $key{budget}, $second, $third), '429 429 429', 'and none has more');
ok(wait_for(sub { calls_of($third) == 1 && calls_of($key{budget}) == 2 && calls_of($second) == 1 }, 10),
    'each is booked by itself');
is(spent('user')->{budget}{calls}, 4, 'all for one user');
is(spent('label', 'team')->{red}{calls} - calls_of($key{busy}), 4, 'and for one team');

my ($ends) = sql($t, "SELECT strftime('%s', expires_at) - strftime('%s', 'now') FROM aiobs_key_attrs WHERE hash = ?",
    sha256_hex($key{budget}));
ok($ends->[0] > 2000 && $ends->[0] <= 3600, 'the first has an hour left') or diag($ends->[0]);
set_attrs($t, $key{budget}, expires_at => strftime('%Y-%m-%dT%H:%M:%S', gmtime));
ok(wait_for(sub { call($t, 1, $key{budget})->{status} == 401 }, 10), 'it ends with its grace');
is(call($t, 1, $second)->{status}, 429, 'the second does not');
is((cli('rotate', id($key{budget})))[0], 1, 'what has expired is not rotated');
cli('revoke', id($third));
is((cli('rotate', id($third)))[0], 1, 'nor what is revoked');
is(spent('user')->{budget}{calls}, 4, 'what they spent stays');
wait_for(sub {
    my ($row) = sql($t, 'SELECT amount FROM aiobs_limit_windows WHERE account = ? AND kind = 2', sha256_hex($key{budget}));
    return ($row->[0] // 0) == 60;
}, 10);
is_deeply([sql($t, 'SELECT DISTINCT account FROM aiobs_limit_windows')], [[sha256_hex($key{budget})]],
    'the account is the first key\'s');

# --- a backup older than what is known ---

my %kept = map { $_ => key_with($t, $_) } qw(kept limited);
sql($t, "INSERT OR REPLACE INTO aiobs_key_attrs (hash, tokens_per_day) VALUES ('" . sha256_hex($kept{limited}) . "', 60)");
is(join(' ', map { settled($_) } @kept{qw(kept limited)}), '200 200', 'keys are used');
ok(wait_for(sub { calls_of($kept{kept}) == 1 && calls_of($kept{limited}) == 1 }, 10), 'which is written down');
wait_for(sub { (sql($t, 'SELECT sum(amount) FROM aiobs_limit_windows WHERE account = ? AND kind = 2',
    sha256_hex($kept{limited})))[0][0] // 0 == 15 }, 10);
system('sqlite3', $t->store, '.backup ' . $t->store . '.copy') == 0 or die;

my $new = key_with($t, 'newcomer');
is(join(' ', map { settled($_) } $new, @kept{qw(kept limited)}), '200 200 200', 'a new one, too');
ok(wait_for(sub { calls_of($_) == 2 }, 10), 'is written down') for @kept{qw(kept limited)};

system('sqlite3', $t->store, '.timeout 5000', '.restore ' . $t->store . '.copy') == 0 or die;
ok(wait_for(sub { call($t, 1, $new)->{status} == 401 }, 3), 'a key that the backup does not have ends');
my $since = time;
is(settled($kept{$_}), 200, "$_ goes on") for qw(kept limited);
ok(wait_for(sub { calls_of($kept{$_}) == 2 }, 10), "$_: spend goes on from the backup's") or diag(calls_of($kept{$_})) for qw(kept limited);
is(join(' ', map { settled($kept{limited}) } 1 .. 2), '200 429', 'the limit from what nginx knows');
ok(wait_for(sub { calls_of($kept{limited}) == 3 }), 'what goes is booked');
sleep 3;
is(calls_of($kept{limited}), 3, 'nothing is booked twice');
ok(wait_for(sub {
    my ($used) = sql($t, 'SELECT last_used FROM api_keys WHERE hash = ?', sha256_hex($kept{kept}));
    return ($used->[0] // '') ge strftime('%Y-%m-%dT%H:%M:%S', gmtime($since));
}), 'last_used goes on');

# --- the share of this node, of a day ---

$t->stop;
unlink $t->dir . '/nginx.pid';
my $half = key_with($t, 'half', tokens_per_day => 60);
my $month = key_with($t, 'month', tokens_per_month => 60);
$t->start(conf(2), workers => 2);
is(join(' ', map { settled($half) } 1 .. 3), '200 200 429', 'half of the tokens of a day');
is(join(' ', map { settled($month) } 1 .. 3), '200 200 429', 'or of a month');

$t->done;
