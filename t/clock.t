#!/usr/bin/perl

# Minutes, days and months go by: limits begin anew, spend is booked on its day,
# a login that took too long is over. The clock is libfaketime's.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use AiobsKeys;
use AiobsLogin;
use Digest::SHA qw(sha256_hex);
use POSIX qw(strftime);
use Test::More;
use Time::Local qw(timegm);

my ($lib) = glob '/usr/lib/*/faketime/libfaketimeMT.so.1';
plan skip_all => 'libfaketime is not installed' if !$lib;
plan skip_all => 'the sanitizer is to be loaded before libfaketime'
    if slurp(Aiobs::objs() . '/ngx_http_aiobs_module.so') =~ /__asan_/;

my $t = Aiobs->new;
provider($t, 0);
AiobsLogin->provider($t, 2, script => 'hostile-op.mjs');

# nginx's clock says that time of 2027, and goes on from there, or stands still;
# its timers follow another one

sub clock {
    my ($day, $month, $hour, $min, $sec, $still) = @_;

    my $target = timegm($sec, $min, $hour, $day, ($month - 1) % 12, $month > 12 ? 2028 : 2027);
    spew($t->dir . '/clock.new', $still ? strftime("%Y-%m-%d %H:%M:%S\n", gmtime $target)
        : sprintf "%+d\n", $target - time);
    rename $t->dir . '/clock.new', $t->dir . '/clock' or die;

    return if !$t->{nginx_pid};

    ok(wait_for(sub {
        my $now = $t->get(1, '/now')->{body};
        return $now >= $target && $now < $target + 60;
    }, 10), "it is $day/$month, $hour:$min:$sec");
    return;
}

sub status {
    my ($key) = @_;

    my $r = call($t, 1, $key);
    $t->log_of($r->{headers}{'x-request-id'});      # it is settled
    return $r->{status};
}

my %key = map { $_->[0] => key_with($t, @$_) } ['minute', rpm => 1],
    ['day', tokens_per_day => 15], ['month', tokens_per_month => 15],
    ['cost', cost_microusd_per_day => 50], ['edge', tokens_per_month => 15], ['edger', tokens_per_month => 60],
    ['spender'];

prices($t, 0, 1e-05);

my $conf = <<'EOC' . gateway('location /op { aiobs_login op; }', 'location = /now { aiobs off; return 200 $msec; }');
aiobs_zone 8m series=300 keys=200;
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_prices %%DIR%%/prices.json;
aiobs_oidc_provider op {
    issuer http://127.0.0.1:%%PORT_2%%;
    client_id aiobs;
    client_secret "client secret";
    redirect_uri http://127.0.0.1:%%PORT_1%%/op/callback;
    allow_domain example.com;
}
EOC

clock(30, 10, 12, 0, 1);

my %faketime = (TZ => 'UTC', LD_PRELOAD => $lib, FAKETIME_TIMESTAMP_FILE => $t->dir . '/clock',
    FAKETIME_NO_CACHE => 1, DONT_FAKE_MONOTONIC => 1);
my $env = join ' ', map { "env $_;" } sort keys %faketime;

{
    local @ENV{keys %faketime} = values %faketime;
    $t->start($conf, main => $env);
}

ok(wait_for(sub { $t->get(1, '/now')->{body} =~ /^18/ }, 5), 'the clock is not the machine\'s');

# --- limits ---

is(status($key{$_}), 200, "$_: a call") for qw(minute day month cost spender);
is(status($key{$_}), 429, "$_: no more") for qw(minute day month cost);

clock(30, 10, 12, 1, 2);
is(status($key{minute}), 200, 'minute: the next one');
is(status($key{$_}), 429, "$_: not yet") for qw(day month cost);

clock(31, 10, 0, 0, 1);
is(status($key{$_}), 200, "$_: the next day") for qw(day cost spender);
is(status($key{$_}), 429, "$_: no more of it") for qw(day cost);
is(status($key{month}), 429, 'month: not yet');

clock(31, 10, 23, 59, 58, 1);
is(status($key{$_}), 429, "$_: not in the last seconds of the month") for qw(day month cost);

clock(1, 11, 0, 0, 1);
is(status($key{$_}), 200, "$_: the next month") for qw(day month cost spender);
is(status($key{$_}), 429, "$_: no more of it") for qw(day month cost);

# --- a call that goes on from one month into the next ---

my $seen = 2 + (() = slurp($t->dir . '/seen') =~ /^POST/mg);
clock(30, 11, 23, 59, 58, 1);

my %held = map {
    my $c = $t->connect(1);
    my $body = '{"model":"gpt-4o","messages":[],"until":"' . $t->dir . '/go"}';
    $c->syswrite("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-ID: $_\r\n"
        . "Authorization: Bearer $key{$_}\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
    $_ => $c;
} qw(edge edger);

ok(wait_for(sub { (() = slurp($t->dir . '/seen') =~ /^POST/mg) >= $seen }, 5), 'calls begin in the last second of a month');
clock(1, 12, 0, 0, 2);
spew($t->dir . '/go', '');
like(Aiobs::read_all($held{$_}), qr/^HTTP.1.1 200/, "$_: it ends in the next") for sort keys %held;
$t->log_of($_) for sort keys %held;
is(status($key{edge}), 429, 'it is charged where it ends');
is(call($t, 1, $key{edger}, max_tokens => 1)->{status}, 200, 'its reservation is not left behind');

# --- spend ---

my @rows;
wait_for(sub {
    @rows = sql($t, 'SELECT day, calls FROM usage_daily WHERE key_hash = ?', sha256_hex($key{edge}));
    return @rows == 1;
}, 10);
is(join('|', map { @$_ } @rows), '2027-12-01|1', 'it is booked on the day when it ended');

wait_for(sub {
    @rows = sql($t, 'SELECT day, calls, input, output FROM usage_daily WHERE key_hash = ?'
        . ' ORDER BY day', sha256_hex($key{spender}));
    return @rows == 3;
}, 10);
is(join(' ', map { join '|', @$_ } @rows),
    join(' ', map { "2027-$_|1|10|5" } qw(10-30 10-31 11-01)), 'each call is booked on its day');

my $windows = sub {
    return join ' ', map { join '|', @$_ } sql($t, 'SELECT start, amount FROM'
        . ' aiobs_limit_windows WHERE account = ? ORDER BY start', sha256_hex($_[0]));
};
my %first = (day => timegm(0, 0, 0, 1, 10, 2027), month => timegm(0, 0, 0, 1, 10, 2027));

for my $of (qw(day month)) {
    wait_for(sub { $windows->($key{$of}) eq "$first{$of}|15" }, 10);
    is($windows->($key{$of}), "$first{$of}|15", "what was taken of the $of is in the store");
}

# --- a restart in the next month ---

$t->stop;
unlink $t->dir . '/nginx.pid';
clock(1, 13, 0, 0, 1);

{
    local @ENV{keys %faketime} = values %faketime;
    $t->start;
}

is(status($key{$_}), 200, "$_: what the store has is of the month before") for qw(day month);
is(status($key{$_}), 429, "$_: no more of it") for qw(day month);

# --- a login ---

sub callback {
    my ($b, $r) = @_;

    my ($state) = $r->{headers}{location} =~ /&state=([^&]+)/;
    return $b->go("/op/callback?code=x&state=$state", accept => 'application/json');
}

my ($slow, $quick) = map { AiobsLogin->browser($t, 1) } 1 .. 2;
my ($r, $s) = map { $_->go('/op') } $slow, $quick;
is($r->{status}, 302, 'a login begins');

clock(1, 13, 0, 9, 50, 1);
unlike(callback($quick, $s)->{body}, qr/"code":"\w*expired"/, 'nearly ten minutes are not too long');

clock(1, 13, 0, 20, 0);
my $late = callback($slow, $r);
is($late->{status}, 400, 'more than ten are');
like($late->{body}, qr/"code":"\w*expired"/, 'it says so');
unlike($late->{body}, qr/sk-/, 'there is no key');
ok(wait_for(sub { slurp($t->dir . '/aiobs.json') =~ /expired/ }, 5), 'the log has the reason');

Aiobs->done;
