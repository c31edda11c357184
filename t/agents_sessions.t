#!/usr/bin/perl

# Sessions of agents: counted once each, by several workers, over reloads and
# crashes; they end by time, by a header, or for want of room; who loops is
# stopped.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsKeys qw(key_with);
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my ($alice, $bob) = ($t->key('alice'), $t->key('bob'));
my ($full, $picky) = (key_with($t, 'full', parallel => 0), key_with($t, 'other', models => 'gpt-*'));

# 30 tokens a call; it takes as long as the header says

my $usage = '{"id":"c","model":"m","choices":[{"finish_reason":"stop","message":{"content":"x"}}],'
    . '"usage":{"prompt_tokens":20,"completion_tokens":10}}';

$t->upstream(0, sub {
    my ($req, $c) = @_;
    Time::HiRes::sleep($req->{headers}{'x-slow'}) if $req->{headers}{'x-slow'};
    Aiobs::wait_for(sub { -e $t->dir . '/go' }, 20) if $req->{headers}{'x-waits'};
    open my $seen, '>>', $t->dir . '/seen';
    syswrite $seen, "$req->{uri}\n";
    $t->answer($c, 200, ['Content-Type', 'application/json', 'X-Own', 'named-by-answer'], $usage);
});

my $conf = <<'EOF_CONF';
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_zone 16m series=2000 keys=100 sessions=400;
large_client_header_buffers 4 16k;
log_format session "$request_id|$aiobs_agent_session|";
proxy_http_version 1.1;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    aiobs_llm auto;
    access_log %%DIR%%/session.log session;
    aiobs_agent_session $http_x_agent_session end=$http_x_agent_session_end;

    location / { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /same/ { aiobs_endpoint /; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /keys/ { aiobs_auth on; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /short/ { aiobs_agent_session $arg_id ttl=1s; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /few/ {
        aiobs_agent_session $http_x_agent_session calls=3 end=$http_x_agent_session_end;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /page/ {
        aiobs_agent_session $http_x_agent_session calls=1;
        error_page 429 = @page;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location @page { root %%DIR%%/html; try_files /none =418; }
    location /race/ { aiobs_agent_session $http_x_agent_session calls=10; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /answer/ { aiobs_agent_session $upstream_http_x_own; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /falls/ { aiobs_agent_session off; try_files /none @back; }
    location @back { aiobs_endpoint back; aiobs_agent_session $http_x_agent_session; error_page 502 = @again; proxy_pass http://127.0.0.1:%%PORT_9%%; }
    location @again { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /off/ { aiobs_agent_session off; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /flood/ { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }
}
EOF_CONF

$t->start($conf, workers => 2);

my $n = 0;

sub call {
    my ($path, $id, @h) = @_;
    return $t->post(1, "${path}v1/chat/completions", '{"model":"m","messages":[]}',
        'X-Request-ID', 's' . ++$n, defined $id ? ('X-Agent-Session', $id) : (), @h);
}

sub samples {
    my %s;
    for (split /\n/, $t->get(1, '/metrics')->{body}) {
        $s{$1}{$2} = $3 if /^(\w+)\{endpoint="([^"]*)"(?:,reason="session")?\} (\S+)$/;
    }
    return \%s;
}

# active, most calls, most tokens, ended, their calls

sub figures {
    my ($endpoint) = @_;
    my $s = samples();
    return [map { $s->{$_}{$endpoint} // 'none' } qw(agent_sessions_active agent_session_calls_max
        agent_session_tokens_max agent_session_calls_count agent_session_calls_sum)];
}

# a client may see the end of an answer before it is counted

sub figures_are {
    my ($endpoint, $want, $name) = @_;
    Aiobs::wait_for(sub { "@{figures($endpoint)}" eq "@$want" }, 20);
    return is_deeply(figures($endpoint), $want, $name);
}

# --- counted ---

figures_are('/', [0, 0, 0, 'none', 'none'], 'none yet');

is(call('/', 'one')->{status}, 200, 'a call');
figures_are('/', [1, 1, 30, 'none', 'none'], 'one session');
is($t->log_of("s$n")->{agent_session}, 'one', 'the log names it');
like(Aiobs::slurp($t->dir . '/session.log'), qr/\|one\|$/m, 'so does the variable');
call('/', 'one') for 1 .. 3;
call('/same/', 'one');
call('/', 'two');
figures_are('/', [2, 5, 150, 'none', 'none'], 'two, of five calls and one, by two locations');
call('/', undef);
call('/', '');
call('/off/', 'three');
figures_are('/', [2, 5, 150, 'none', 'none'], 'a call without one is of none');
ok(!exists $t->log_of("s$n")->{agent_session}, 'nor does the log name one');

call('/keys/', 'a', 'Authorization', "Bearer $alice") for 1, 2;
call('/keys/', 'a', 'Authorization', "Bearer $bob");
is(call('/keys/', 'a')->{status}, 401, 'who has no key');
figures_are('/keys/', [2, 2, 60, 'none', 'none'], 'has no session; those of two users are two');

is(call('/keys/', 'r', 'Authorization', "Bearer $full")->{status}, 429, 'a call over a limit');
is(call('/keys/', 'r', 'Authorization', "Bearer $picky")->{status}, 403, 'one of a model that the key may not call');
figures_are('/keys/', [4, 2, 60, 'none', 'none'], 'are seen, but no calls');
call('/keys/', 'r', 'Authorization', "Bearer $_", 'X-Agent-Session-End', '1') for $full, $picky;
figures_are('/keys/', [2, 2, 60, 'none', 'none'], 'and a session of nothing else ends as none');

call('/falls/', 'f');
is($t->log_of("s$n")->{status_code}, 200, 'a call that a redirect leads on, and an error further');
figures_are('back', [1, 1, 30, 'none', 'none'], 'is counted once, where it is first asked for');
call('/answer/', undef) for 1, 2;
figures_are('/answer/', [1, 2, 60, 'none', 'none'], 'a session that the answer names');
is($t->log_of("s$n")->{agent_session}, 'named-by-answer', 'is in the log too');

# --- ended by a header ---

call('/', 'one', 'X-Agent-Session-End', $_) for '', '0';
figures_are('/', [2, 7, 210, 'none', 'none'], 'nothing and 0 end nothing');
call('/', 'one', 'X-Agent-Session-End', 'true');
figures_are('/', [1, 1, 30, 1, 8], 'a session ends with the call that says so');
call('/', 'one');
figures_are('/', [2, 1, 30, 1, 8], 'and begins anew');
like($t->get(1, '/metrics')->{body},
    qr/^agent_session_calls_bucket\{endpoint="\/",le="5\.0"\} 0\n.*le="10\.0"\} 1$/m, 'its bucket');

# --- ids of any kind ---

my @ids = ('x' x 129, 'x' x 130, 'x' x 9000, "\xff\xfe\x01binary", 'r\xc3\xa9sum\xc3\xa9', '"},{"a":"', 'y' x 128, 'a b');
call('/falls/', $_) for @ids;
is(figures('back')->[0], 1 + @ids, 'ids of any bytes and length are told apart');
$n -= @ids;
for my $id (@ids) {
    my $want = $id =~ /^[ -~]{1,128}$/ ? $id : 'sha256:' . substr sha256_hex($id), 0, 16;
    is($t->log_of('s' . ++$n)->{agent_session}, $want, 'as the log shows it: ' . substr $want, 0, 24);
}
unlike($t->get(1, '/metrics')->{body}, qr/xxx|x1binary|yyy|sha256/, 'no id is a label');

# --- the limit ---

is(call('/few/', 'loop')->{status}, 200, 'within the limit') for 1 .. 3;
my $seen = Aiobs::slurp($t->dir . '/seen');
my $r = call('/few/', 'loop');
is($r->{status}, 429, 'the fourth call of three');
is($r->{headers}{'x-should-retry'}, 'false', 'SDKs are told not to try again');
is($r->{headers}{'retry-after'}, undef, 'nor when');
is_deeply($t->json($r), { error => { message => 'This agent session has made all the calls it may make.',
    type => 'requests', param => undef, code => 'agent_session_limit' } }, "OpenAI's shape");
is($r->{headers}{'x-request-id'}, "s$n", 'with the request id');
my $line = $t->log_of("s$n");
is_deeply([@$line{qw(event error_type agent_session level)}], ['limit_refused', 'session', 'loop', 'warning'],
    'the log says why');
is(Aiobs::slurp($t->dir . '/seen'), $seen, 'the provider saw nothing of it');

my $ant = $t->post(1, '/few/v1/messages', '{}', 'X-Agent-Session', 'loop');
is($t->json($ant)->{error}{type}, 'rate_limit_error', "Anthropic's shape");
my $gem = $t->post(1, '/few/v1beta/models/m:generateContent', '{}', 'X-Agent-Session', 'loop');
is($t->json($gem)->{error}{status}, 'RESOURCE_EXHAUSTED', "Google's shape");
is(call('/few/', 'other')->{status}, 200, 'another session goes on');
is(samples()->{aiobs_refusals_total}{'/few/'}, 3, 'refusals are counted');
figures_are('/few/', [2, 3, 90, 'none', 'none'], 'but not as calls');
is(call('/few/', 'loop', 'X-Agent-Session-End', '1')->{status}, 429, 'a refused call may end its session');
$t->log_of("s$n");      # it has ended, whichever worker is next
is(call('/few/', 'loop')->{status}, 200, 'which may then begin again');
call('/page/', 'p');
is(call('/page/', 'p')->{status}, 418, 'an error_page of the user is taken');

# at once, by both workers

my @socket = map { $t->connect(1) } 1 .. 40;
$_->syswrite("GET /race/v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Agent-Session: r\r\nX-Slow: 0.1\r\n\r\n")
    for @socket;
my %status;
$status{Aiobs::parse_response(Aiobs::read_all($_))->{status}}++ for @socket;
is_deeply(\%status, { 200 => 10, 429 => 30 }, 'of forty at once ten pass');
is(figures('/race/')->[1], 10, 'and ten are counted');

# --- ended by time, without traffic; a call under way is no silence ---

my $slow = $t->connect(1);
$slow->syswrite("GET /short/v1/x?id=slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Waits: 1\r\n\r\n");
figures_are('/short/', [1, 1, 0, 'none', 'none'], 'a call under way');
my $burst = $t->connect(1);
$burst->syswrite(join '', map { "GET /short/v1/x?id=$_ HTTP/1.1\r\nHost: x\r\n\r\n" } 1, 2, 2);
my $told = '';
while ((() = $told =~ m{HTTP/1\.1 200}g) < 3) {
    $burst->sysread($told, 65536, length $told) or last;
}
sleep 3;                                # from their end on
is_deeply(figures('/short/'), [1, 1, 0, 2, 3], 'two have ended before anybody looked, with three calls');
Aiobs::spew($t->dir . '/go', '');
like(Aiobs::read_all($slow), qr/^HTTP\/1.1 200/, 'the third had a call for longer than its ttl');
ok(Aiobs::wait_for(sub { figures('/short/')->[3] == 3 }, 20), 'it ends after that');
figures_are('/short/', [0, 0, 0, 3, 4], 'once');

# --- reload and crash ---

my $before = figures('/');
ok($t->reload, 'a reload');
figures_are('/', $before, 'forgets no session');
call('/', 'two');
is(figures('/')->[1], 2, 'and goes on counting');
unlink $t->dir . '/go';
my $open = $t->connect(1);
$open->syswrite("GET /short/v1/x?id=dies HTTP/1.1\r\nHost: x\r\nX-Waits: 1\r\n\r\n");
ok(Aiobs::wait_for(sub { figures('/short/')->[0] == 1 }, 10), 'a call under way');
my @killed = $t->workers;
kill KILL => @killed;
Aiobs::spew($t->dir . '/go', '');
ok(Aiobs::wait_for(sub { 2 == grep { my $w = $_; !grep { $_ == $w } @killed } $t->workers }, 20), 'all workers killed');
ok(Aiobs::wait_for(sub { eval { figures('/') } }, 20), 'and made again');
is_deeply([@{figures('/')}[0, 1]], [$before->[0], 2], 'sessions are still there');
ok(Aiobs::wait_for(sub { figures('/short/')->[0] == 0 }, 20), 'the one whose call died ends by time');
$t->expect_error('exited on signal 9');

(my $other = $conf) =~ s/sessions=400/sessions=500/;
$t->write_conf($other, workers => 2);
kill HUP => $t->{nginx_pid};
ok(Aiobs::wait_for(sub { $t->error_log =~ /was sessions=400: change its size along/ }, 20),
    'another number at the same size is refused');
$t->expect_error('was sessions=400');
is(figures('/')->[1], 2, 'the old configuration goes on');
$t->write_conf($conf, workers => 2);

# --- more than there is room for ---

my %live = %{samples()->{agent_sessions_active}};
my $live = 0;
$live += $_ for values %live;

# one connection, many requests

my $flood = $t->connect(1);
$flood->syswrite(join '', map { "GET /flood/v1/x HTTP/1.1\r\nHost: x\r\nX-Agent-Session: f$_\r\n"
    . ($_ == 500 ? "Connection: close\r\n" : '') . "\r\n" } 1 .. 500);
is(scalar(() = Aiobs::read_all($flood) =~ /HTTP\/1\.1 200/g), 500, 'a flood of sessions');

Aiobs::wait_for(sub { Aiobs::slurp($t->dir . '/session.log') =~ /\|f500\|/ }, 10);
my $s = samples();
my ($all, $evicted) = (0, 0);
$all += $_ for values %{$s->{agent_sessions_active}};
$evicted += $_ for values %{$s->{aiobs_agent_sessions_evicted_total}};
is($all, 400, 'as many as there is room for are live');
is($evicted, $live + 500 - 400, 'the others are counted as evicted');
is($s->{agent_sessions_active}{'/flood/'} + $s->{agent_session_calls_sum}{'/flood/'}, 500,
    'no call is lost: it is of a live session or of one that ended');

# --- the tools like it ---

Aiobs::spew($t->dir . '/metrics', $t->get(1, '/metrics')->{body});
my $lint = `promtool check metrics < ${\$t->dir}/metrics 2>&1`;
is($?, 0, 'promtool check metrics') or diag($lint);

# --- a table that is looked at in several turns of the event loop ---

{
    my $many = Aiobs->new;

    $many->start(<<'EOF_CONF', workers => 2);
aiobs_zone 16m series=2000 sessions=10000;
keepalive_requests 100000;
upstream here { server 127.0.0.1:%%PORT_0%%; keepalive 8; }
server { listen 127.0.0.1:%%PORT_0%%; access_log off; return 200 "x"; }
server {
    listen 127.0.0.1:%%PORT_1%%;
    access_log off;
    aiobs on;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    location /first/ { aiobs_agent_session $arg_id ttl=1h; proxy_pass http://here; }
    location /last/ { aiobs_agent_session $arg_id ttl=10s; proxy_pass http://here; }
    location = /metrics { aiobs_metrics; }
}
EOF_CONF

    my $ask = sub {
        my ($path, $n) = @_;
        my $c = $many->connect(1);
        $c->syswrite(join '', map { "GET /$path/?id=$_ HTTP/1.1\r\nHost: x\r\n"
            . ($_ == $n ? "Connection: close\r\n" : '') . "\r\n" } 1 .. $n);
        return scalar(() = Aiobs::read_all($c, 60) =~ m{HTTP/1\.1 200}g);
    };
    my $have = sub {
        return {$many->get(1, '/metrics')->{body}
            =~ /^(agent_session\w*\{endpoint="\/\w+\/"\}) (\S+)$/mg};
    };

    is($ask->('first', 9000), 9000, 'many sessions');
    is($ask->('last', 500), 500, 'and a few behind them');

    # a client may see the end of an answer before it is counted

    Aiobs::wait_for(sub {
        $have->()->{'agent_sessions_active{endpoint="/last/"}'} == 500 }, 5);
    my $s = $have->();
    is($s->{'agent_sessions_active{endpoint="/first/"}'}, 9000, 'all are seen');
    is($s->{'agent_session_calls_max{endpoint="/first/"}'}, 1, 'with their calls');

    my $gz = $many->get(1, '/metrics', 'Accept-Encoding', 'gzip');
    is($gz->{status}, 200, 'nothing comes at first, compressed too');

    Aiobs::wait_for(sub {
        !$have->()->{'agent_sessions_active{endpoint="/last/"}'} }, 30);
    $s = $have->();
    is($s->{'agent_sessions_active{endpoint="/last/"}'}, 0, 'those behind end in time');
    is($s->{'agent_session_calls_count{endpoint="/last/"}'}, 500, 'each once');
    is($s->{'agent_sessions_active{endpoint="/first/"}'}, 9000, 'the others go on');
    $many->finish;
}

# --- configuration ---

for my $case (
    ['aiobs_agent_session $arg_a ttl=0;', '"ttl=time", a second or more'],
    ['aiobs_agent_session $arg_a ttl=x;', '"ttl=time", a second or more'],
    ['aiobs_agent_session $arg_a calls=0;', '"calls=number"'],
    ['aiobs_agent_session $arg_a calls=many;', '"calls=number"'],
    ['aiobs_agent_session $arg_a end=;', '"end=value"'],
    ['aiobs_agent_session $arg_a end=$none_such;', 'unknown "none_such" variable'],
    ['aiobs_agent_session $none_such;', 'unknown "none_such" variable'],
    ['aiobs_agent_session $arg_a; aiobs_agent_session $arg_b;', 'is duplicate'],
    ['aiobs_agent_session off ttl=1s;', '"off" alone is expected'],
    ['location /a { aiobs_endpoint e; aiobs_agent_session $arg_a; } location /b { aiobs_endpoint e; aiobs_agent_session $arg_a ttl=1m; }',
        'ttls of 300000ms and 60000ms for endpoint "e"'],
    ['aiobs_agent_session $arg_a;' . join('', map { "location /l$_/ { }" } 1 .. 256), 'is one too many'],
    ['} aiobs_zone 8m sessions=0; server {', '"sessions=number" of at most 100000'],
    ['} aiobs_zone 8m sessions=100001; server {', '"sessions=number" of at most 100000'],
    ['aiobs_agent_session $arg_a; } aiobs_zone 8m sessions=100000; server {', '100000 sessions need'],
) {
    my $c = Aiobs->new;
    my ($rc, $out) = $c->check("server { listen 127.0.0.1:%%PORT_1%%; aiobs on; $case->[0] }");
    isnt($rc, 0, 'refused: ' . substr $case->[0], 0, 80);
    like($out, qr/\Q$case->[1]\E/, "saying $case->[1]");
}

Aiobs::forget();
$t->finish;
done_testing();
