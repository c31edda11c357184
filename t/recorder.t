#!/usr/bin/perl

# The flight recorder: the last requests and those under way, with filters, as
# JSON and as a page, over reloads, crashes and round the ring.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Digest::SHA qw(sha256_base64);
use JSON::PP;
use POSIX ();
use Test::More;

my $t = Aiobs->new;
my $key = $t->key('alice', 'laptop');

$t->upstream(1, sub {
    my ($req, $c) = @_;

    if ($req->{uri} =~ /slow/) {
        select undef, undef, undef, 0.3;
    } elsif ($req->{uri} =~ /hold/) {
        $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: {}\n\n")
            if $req->{uri} =~ /stream/;
        $c->sysread(my $nothing, 1);
        return;
    }

    return $t->answer($c, 500, ['Content-Type', 'application/json'], '{"error":{"message":"no"}}')
        if $req->{uri} =~ /fail/;

    $t->answer($c, 200, ['Content-Type', 'application/json', $req->{uri} =~ /theirs/ ? ('request-id', 'req_theirs') : ()], encode_json({
        id => 'c1', object => 'chat.completion', model => 'gpt-4o-2024-08-06',
        choices => [{ index => 0, finish_reason => 'stop',
            message => { role => 'assistant', content => 'secret answer' } }],
        usage => { prompt_tokens => 12, completion_tokens => 3, total_tokens => 15 } }));
});

# an application that asks the gateway for models twice, in the name of its client

$t->port(0);                            # which the process below is to know

$t->upstream(2, sub {
    my ($req, $c) = @_;
    my $id = $req->{headers}{'x-request-id'};

    for my $pass (1, 2) {
        $t->post(0, '/v1/chat/completions?' . ($pass == 1 ? 'good' : 'fail'), { model => 'gpt-4o' }, 'X-Request-ID', $id);
        Aiobs::wait_for(sub { (() = $t->get(0, "/requests?id=$id&limit=9")->{body} =~ /"status_code"/g) == $pass }, 20);
    }

    $t->answer($c, 200, [], 'done');
});

my $conf = <<'EOF';
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_recorder 50;
set_real_ip_from 127.0.0.1;
real_ip_header X-Real-IP;
server {
    listen 127.0.0.1:%%PORT_0%%;
    aiobs on;
    location / { return 204; }
    location /app/ { proxy_pass http://127.0.0.1:%%PORT_2%%; }
    location /v1/ { aiobs_auth optional; aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /hidden { aiobs_privacy on; aiobs_user $arg_me; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location = /requests { aiobs_requests; }
    location = /open-to { aiobs_user $http_x_user; return 204; }
    location = /open { aiobs_requests remote; }
    location = /metrics { aiobs_metrics; }
}
EOF

$t->start($conf, workers => 2);

sub list { my ($args) = @_; return $t->json($t->get(0, '/requests' . ($args ? "?$args" : ''))) }
sub ids { return join ' ', map { $_->{request_id} } @{list(@_)->{requests}} }
my $chat = { model => 'gpt-4o', messages => [{ role => 'user', content => 'secret prompt' }] };

sub call {
    my ($id, $path, @headers) = @_;
    $t->post(0, $path || '/v1/chat/completions', $chat, 'X-Request-ID', $id, @headers);
    Aiobs::wait_for(sub { ids() =~ /\b\Q$id\E\b/ }, 20);
    return;
}

is_deeply(list(), { in_flight => [], requests => [] }, 'nothing yet');

# --- records and filters ---

call('ok', undef, 'Authorization', "Bearer $key");
call('fail', '/v1/chat/completions?fail');
call('slow', '/v1/chat/completions?slow');
$t->get(0, '/', 'X-Request-ID', 'none');
Aiobs::wait_for(sub { ids() =~ /none/ }, 20);
$t->get(0, '/metrics');

is(ids(), 'none slow fail ok', 'the newest first; neither scrapes nor looks at the recorder');
is(ids('status=500'), 'fail', 'status=500');
is(ids('status=5xx'), 'fail', 'status=5xx');
is(ids('status=2XX'), 'none slow ok', 'status=2xx');
is(ids('status=404'), '', 'a status that was not there');
is(ids('user=alice'), 'ok', 'user=');
is(ids('user=ali'), '', 'a user as a whole');
is(ids('model=gpt-4o-2024-08-06'), 'slow ok', 'model= answered');
is(ids('model=gpt-4o'), 'slow fail ok', 'model= asked for');
my @long = map { $_->{request_id} } grep { $_->{duration} >= 0.25 } @{list()->{requests}};      # on a busy machine others, too
like("@long", qr/\bslow\b/, 'one that took its time');
is(ids('min_duration=0.25'), "@long", 'min_duration=');
is(ids('limit=2'), 'none slow', 'limit=');
is(ids('status=2xx&model=gpt%2D4o&limit=1'), 'slow', 'together');

my $r = $t->get(0, '/requests?id=ok');
is($r->{headers}{'content-type'}, 'application/json', 'type');
is($r->{headers}{'cache-control'}, 'no-store', 'not for caches');
my $line = $t->log_of('ok');
my $record = $t->json($r);
delete $_->{timestamp} for $line, $record;
is_deeply($record, $line, 'one record by its id: as in the log');
is($t->get(0, '/requests?id=nobody')->{status}, 404, 'none of that id');

# a request that comes by several times has a record of each pass

call('nested', '/app/x');
my @passes = ('200 /app/x', '500 /v1/chat/completions', '200 /v1/chat/completions');
$record = $t->json($t->get(0, '/requests?id=nested'));
is("$record->{status_code} $record->{path}", $passes[0], 'the record of an id: the last to end, which is the client\'s');

for my $limit (500, 3, 2) {
    my $all = list("id=nested&limit=$limit");
    is_deeply([map { "$_->{status_code} $_->{path}" } @{$all->{requests}}], [@passes[0 .. ($limit > 2 ? 2 : 1)]], "with limit=$limit: all of them");
    is_deeply($all->{in_flight}, [], 'of which none is under way');
}

is_deeply(list('id=nobody&limit=1'), { in_flight => [], requests => [] }, 'and a list of nothing');
is(() = $t->get(0, '/requests?format=html&id=nested')->{body} =~ m{<details open><summary>nested</summary>}g, 3, 'the page has all of them');

for my $args ('status=6xx', 'status=x', 'limit=0', 'limit=501', 'min_duration=x', 'format=xml', 'user=' . 'u' x 201) {
    $r = $t->get(0, "/requests?$args");
    is($r->{status}, 400, "$args: refused");
    ok($t->json($r)->{error}, "$args: says so");
}

# what is mistyped filters nothing, and is not taken for a filter

for my $args ('typo=1', 'status=500&user', 'statu=500', 'user=a&user=b', 'status=500&Status=404', '=x', 'user=%', 'user=a%2', 'id=%zz', 'model=%u0041') {
    $r = $t->get(0, "/requests?$args");
    is($r->{status}, 400, "$args: refused");
    like($t->json($r)->{error}, qr{min_duration=.* accepted|no escape such as}, "$args: says what is accepted");
}

is($t->get(0, "/requests?$_")->{status}, 200, "?$_: taken") for '', '&', 'status=&user=&model=&min_duration=&limit=5&', 'USER=alice', 'user=%25', 'user=a%00b';

is($t->request(0, 'POST', '/requests', [], '')->{status}, 405, 'only GET and HEAD');
$r = $t->request(0, 'HEAD', '/requests', []);
is("$r->{status} $r->{body}", '200 ', 'HEAD has no body');

unlike($t->get(0, '/requests')->{body}, qr/secret/, 'no content');
unlike($t->get(0, '/requests')->{body}, qr/\Q$key\E/, 'no keys');

is($t->get(0, '/requests', 'X-Real-IP', '192.0.2.1')->{status}, 403, 'not from another machine');
is($t->get(0, '/open', 'X-Real-IP', '192.0.2.1')->{status}, 200, 'remote allows it');

call('private', '/hidden?me=bob', 'X-Real-IP', '192.0.2.77');
$record = $t->json($t->get(0, '/requests?id=private'));
is($record->{client_ip}, '192.0.2.0', 'privacy: the address');
like($record->{user_id}, qr/^[0-9a-f]{16}$/, 'privacy: the user');
is(ids("user=$record->{user_id}"), 'private', 'who is found as he is shown');

call('ours', '/v1/chat/completions?theirs');
is($t->json($t->get(0, '/requests?id=req_theirs'))->{request_id}, 'ours', "by the provider's id, which Anthropic's SDK shows");
is($t->get(0, '/requests?id=req_their')->{status}, 404, 'as a whole');

# --- the page ---

$t->raw(0, "GET /<script>alert(1)</script>\"'& HTTP/1.1\r\nHost: a\r\nX-Request-ID: xss\r\n"
    . "User-Agent: <b>\"'&\xff\r\nConnection: close\r\n\r\n");
Aiobs::wait_for(sub { ids() =~ /xss/ }, 20);

$r = $t->get(0, '/requests?user=' . '%22%3E%3Cscript%3E', 'Accept', 'text/html,*/*;q=0.8');
is($r->{headers}{'content-type'}, 'text/html; charset=utf-8', 'browsers get a page');
unlike($r->{body}, qr/<script/, 'an argument is escaped');
like($r->{body}, qr/value="&quot;&gt;&lt;script&gt;"/, 'and kept in the form');

$r = $t->get(0, '/requests?format=html');
unlike($r->{body}, qr/<script|<b>|onerror|javascript:/, 'what clients sent is escaped');
my $esc = $t->get(0, '/requests?user=%1b%5b2J%7f', 'Accept', 'text/html');
unlike($esc->{body}, qr/[\x00-\x09\x0b-\x1f\x7f]/, 'no control bytes: a page may be shown on a terminal');
like($esc->{body}, qr/value="\xef\xbf\xbd\[2J\xef\xbf\xbd"/, 'but their place');
like($esc->{body}, qr/\xef\xbf\xbd\[2J/, 'but their place') if $esc->{body} =~ /\[2J/;
like($r->{body}, qr{<td>GET /&lt;script&gt;alert\(1\)&lt;/script&gt;&quot;&#39;&amp;</td>}, 'and shown');
unlike($r->{body}, qr{(?:src|href|url)\s*[=(]}, 'nothing from elsewhere');
my ($style) = $r->{body} =~ m{<style>(.*?)</style>}s;
is($r->{headers}{'content-security-policy'}, "default-src 'none'; style-src 'sha256-" . sha256_base64($style)
    . "='; form-action 'self'; base-uri 'none'; frame-ancestors 'none'", 'a strict policy');
is($r->{headers}{'x-content-type-options'}, 'nosniff', 'nosniff');
like($r->{body}, qr{<tr class="error"><td>[^<]+Z</td><td class="n">500</td>.*?<td>POST /v1/chat/completions</td>},
    'a failure stands out');
my ($finished) = $r->{body} =~ m{Finished.*?<table>(.*?)</table>}s;
my $columns = () = $finished =~ /<th>/g;
is_deeply([grep { $columns != (() = /<td/g) } $finished =~ m{(<tr class.*?</tr>)}gs], [], 'a cell below every heading');
like($r->{body}, qr{<td>gpt-4o-2024-08-06</td><td class="n">12</td><td class="n">3</td>}, 'tokens');
like($t->get(0, '/requests?format=html&id=ok')->{body}, qr{<details open><summary>ok</summary><pre>\{&quot;timestamp},
    'one record of the page');
is($t->get(0, '/requests?format=json', 'Accept', 'text/html')->{headers}{'content-type'},
    'application/json', 'format= wins');

$esc = $t->get(0, '/requests?format=html&user=%c3%a9%e2%82%ac%f0%9f%98%80%c2%9b%e2%80%ae%ff%3C%c3')->{body};
like($esc, qr/value="\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80(?:\xef\xbf\xbd)+&lt;\xef\xbf\xbd"/, 'UTF-8 without what steers a terminal or turns text');

for my $to ([json => '+', 'A+B'], [json => '%20', 'A B'], [html => '+', 'A B'], [html => '%2B', 'A+B']) {
    my ($format, $between, $found) = @$to;
    my $id = $format . $found =~ s/ /-/r =~ s/\+/-plus-/r;
    $t->get(0, '/open-to', 'X-Request-ID', $id, 'X-User', $found);
    ok(Aiobs::wait_for(sub { $t->get(0, "/requests?format=$format&user=A${between}B")->{body} =~ /\b$id\b/ }, 5), "$format: user=A${between}B is \"$found\"");
}

# --- in flight ---

sub in_flight { my ($args) = @_; return grep { $_->{request_id} =~ /^hold/ } @{list($args)->{in_flight}} }

my %socket;
for my $id ('hold1', 'hold2') {
    my $body = encode_json({ %$chat, stream => JSON::PP::true });
    my $path = $id eq 'hold2' ? '/v1/chat/completions?hold-stream' : '/v1/chat/completions?hold';
    $socket{$id} = $t->connect(0);
    $socket{$id}->syswrite("POST $path HTTP/1.1\r\nHost: a\r\nX-Request-ID: $id\r\nAuthorization: Bearer $key\r\n"
        . "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
}

ok(Aiobs::wait_for(sub { (grep { $_->{answering} } in_flight()) == 1 && in_flight() == 2 }, 10),
    'what is under way is shown');
my %flight = map { $_->{request_id} => $_ } in_flight();
is($flight{hold1}{path}, '/v1/chat/completions', 'its path without arguments');
is($flight{hold1}{user_id}, 'alice', 'its user');
is($flight{hold1}{endpoint}, '/v1/', 'its endpoint');
is($flight{hold1}{request_model}, 'gpt-4o', 'its model');
cmp_ok($flight{hold1}{duration}, '<', 1000, 'and for how long, in seconds');
is(scalar(in_flight('user=alice')), 2, 'filtered by user');
is(scalar(in_flight('user=bob')), 0, 'of whom there is none');
is(scalar(in_flight('status=500')), 0, 'none has a status yet');
like($t->get(0, '/requests?format=html')->{body}, qr{<td>alice</td><td>gpt-4o</td><td>answering</td><td><code>hold2</code>},
    'on the page');

close $socket{hold1};
ok(Aiobs::wait_for(sub { in_flight() == 1 }, 10), 'one that ended is not');
ok(Aiobs::wait_for(sub { ids() =~ /hold1/ }, 5), 'it is among the finished');

my @old = $t->workers;
$t->expect_error('exited on signal 9');
kill KILL => @old;
Aiobs::wait_for(sub { my %w = map { $_ => 1 } $t->workers; keys %w == 2 && !grep { $w{$_} } @old }, 10);
is(scalar(in_flight()), 0, 'what a dead worker had is gone');
like(ids(), qr/hold1 .*xss ours private (?:nested ){3}none slow fail ok/, 'what was finished is kept');

$t->reload;
like(ids(), qr/ok$/, 'over a reload too');

# --- round the ring, while workers are killed ---

my @pids;
for (1 .. 3) {
    my $pid = fork // die;
    if ($pid == 0) {
        for my $n (1 .. 250) { eval { $t->get(0, '/', 'User-Agent', 'u' x 200) } }
        POSIX::_exit(0);
    }
    push @pids, $pid;
}

my ($looks, $bad) = (0, 0);
while (@pids) {
    @pids = grep { waitpid($_, POSIX::WNOHANG()) != $_ } @pids;
    my @w = $t->workers;
    kill KILL => $w[0] if $looks++ % 5 == 4 && @w;
    my $r = eval { $t->get(0, '/requests') } or next;
    $bad++ if ($r->{status} // 0) == 200 && !eval { decode_json($r->{body}); 1 };
}

cmp_ok($looks, '>', 3, 'looked at meanwhile');
is($bad, 0, 'it is whole whenever it is looked at');
Aiobs::wait_for(sub { $t->workers == 2 }, 10);
my $n = () = ids('limit=500') =~ /\S+/g;
cmp_ok($n, '<=', 50, 'as many as were asked for');
cmp_ok($n, '>', 40, 'and hardly fewer');
unlike(ids(), qr/\bok\b/, 'the old ones are gone');

# --- configuration ---

for my $case (
    ['aiobs_recorder 0;', '', qr/a number of requests from 1 to 100000, or "off"/],
    ['aiobs_recorder 1; aiobs_recorder 2;', '', qr/duplicate/],
    ['aiobs on; aiobs_zone 16m series=1000; aiobs_recorder 100000;', '', qr/too small/],
    ['', 'location /r { aiobs_requests public; }', qr/"remote" is accepted/],
) {
    my ($http, $server, $want) = @$case;
    my $c = Aiobs->new;
    my ($rc, $out) = $c->check("$http server { listen 127.0.0.1:%%PORT_0%%; $server }", no_log => 1);
    isnt($rc, 0, "$http$server: refused");
    like($out, $want, "$http$server: says so");
}

$t->write_conf($conf =~ s/aiobs_recorder 50/aiobs_recorder 60/r, workers => 2);
kill HUP => $t->{nginx_pid};
ok(Aiobs::wait_for(sub { $t->error_log =~ /"aiobs_recorder" was 50/ }, 10), 'another number needs another zone');
$t->expect_error('"aiobs_recorder" was 50');
is($t->get(0, '/requests')->{status}, 200, 'all goes on as before');

$t->done;
