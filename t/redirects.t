#!/usr/bin/perl

# One request, one story: the id, the user and the figures survive internal
# redirects, named locations, error_page and X-Accel-Redirect; subrequests
# tell none of their own; requests that never find a location are told too.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;
use Time::HiRes qw(sleep);

my $t = Aiobs->new;
my $answer = '{"id":"c","model":"m","choices":[{"index":0,"message":{"content":"hi"},'
    . '"finish_reason":"stop"}],"usage":{"prompt_tokens":4,"completion_tokens":2}}';

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my ($status) = $req->{uri} =~ /fail=(\d+)/;

    return if $req->{uri} =~ /drop/;

    if ($req->{uri} =~ /plain/) {
        open my $seen, '>>', $t->dir . '/seen' or die $!;
        print $seen $req->{headers}{'x-request-id'}, $req->{body} =~ /"include_usage":\s*true/ ? " asked\n" : "\n";
    }

    if ($status) {
        return $t->answer($c, $status, ['Content-Type', 'application/json'],
            '{"error":{"message":"m","type":"t","code":"rate_limit_exceeded"}}');
    }

    return $t->answer($c, 200, ['Content-Type', 'application/json'], $answer)
        if $req->{uri} =~ /completions/;

    $t->answer($c, 200, ['Content-Type', 'text/plain'], join "\n", @{$req->{lines}});
});

$t->upstream(3, sub { $t->answer($_[1], 200, ['X-Accel-Redirect', '@provider'], '') });

my $key = $t->key('alice');

$t->start(<<'EOF');
aiobs_key_store sqlite:%%DIR%%/keys.db;
log_format vars '$aiobs_request_id $aiobs_user_id $aiobs_model $aiobs_input_tokens '
    '$aiobs_output_tokens $aiobs_status_code $aiobs_endpoint $aiobs_error_type';
log_format methods '$aiobs_request_id $request_method';
limit_req_zone $aiobs_user_id zone=users:1m rate=1000r/s;

server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    access_log %%DIR%%/vars.log vars;
    access_log %%DIR%%/methods.log methods;
    proxy_intercept_errors on;

    location / { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /llm/ {
        aiobs_auth on;
        aiobs_llm openai;
        aiobs_endpoint first;
        limit_req zone=users burst=100;
        error_page 500 502 503 504 = @other;
        proxy_pass http://127.0.0.1:%%PORT_2%%;
    }
    location @other {
        aiobs_auth on;
        aiobs_llm openai;
        aiobs_endpoint second;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /plain/ {
        error_page 502 = @late;
        proxy_pass http://127.0.0.1:%%PORT_2%%;
    }
    location @late {
        aiobs_auth on;
        aiobs_llm openai;
        aiobs_stream_usage on;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /posted/ {
        aiobs_llm openai;
        post_action @posted;
        proxy_intercept_errors off;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location @posted { aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_2%%; }
    location /page/ {
        aiobs_llm openai;
        error_page 429 /sorry.html;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /sorry.html { return 200 "sorry $aiobs_request_id\n"; }
    location /accel/ { aiobs_auth on; proxy_pass http://127.0.0.1:%%PORT_3%%; }
    location @provider { aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /try/ { try_files /none @app; }
    location @app { aiobs_auth optional; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /mirrored/ {
        aiobs_llm openai;
        mirror /copy;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /copy { internal; proxy_pass http://127.0.0.1:%%PORT_0%%/copy; }
    location /index/ { lingering_close off; root %%DIR%%/html; index page.html; }
    location /cookie/ {
        aiobs_auth on;
        aiobs_auth_key $cookie_gw;
        proxy_set_header Cookie "sid=$cookie_sid";
        proxy_set_header X-All $http_cookie;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /whole/ {
        aiobs_llm openai;
        aiobs_stream_usage on;
        client_max_body_size 100;
        lingering_close off;
        error_page 400 413 /index/page.html;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /quiet/ { aiobs off; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }
}
EOF

my @auth = ('Authorization', "Bearer $key");
my $body = '{"model":"m","messages":[]}';

sub post {
    my ($id, $path, @h) = @_;
    my $r = $t->post(1, $path, $body, 'X-Request-ID', $id, @h);
    $r->{line} = $t->log_of($id);
    return $r;
}

# a key among cookies: it goes, the others are whatever they were

for my $more ([], ['X-A', 1, 'Traceparent', '00-' . '1' x 32 . '-' . '2' x 16 . '-01']) {
    my $r = $t->get(1, '/cookie/', 'Cookie', "gw=$key; sid=abc", @$more, 'Cookie', 'more=1');
    is($r->{status}, 200, 'a key in a cookie');
    like($r->{body}, qr/^Cookie: sid=abc$/mi, 'the rest of that line is there for nginx');
    like($r->{body}, qr/^X-All: sid=abc; more=1$/mi, 'and all of them');
}

like($t->get(1, '/cookie/', 'Cookie', "gw=$key; sid=abc")->{body}, qr/^X-All: sid=abc$/mi,
    'so for one line of them');

# each of our lines once, of as many as a client may send, whatever it calls them

for my $n (1, 14, 15, 16, 20, 21, 60) {
    for my $own ([], ['X_Request_ID', 'a b'], ['X-User-ID', 'mallory', 'Traceparent', 'x', 'X-User-ID', 'eve']) {
        my $body = $t->get(1, '/try/', 'Authorization', "Bearer $key", (map { ("X-L$_", $_) } 1 .. $n), @$own)->{body};

        is(join(' ', $body =~ /^X-L\d+: (\d+)\r?$/mg), join(' ', 1 .. $n), "$n lines: all of them, @$own");
        is(() = $body =~ /^X[-_]Request[-_]ID:/mgi, 1, 'one id');
        is(join(' ', $body =~ /^X-User-ID: (\S+)/mgi), 'alice', 'one user');
        is(() = $body =~ /^traceparent: 00-/mgi, 1, 'one trace');
        unlike($body, qr/\Q$key\E|^Authorization:/mi, 'and no key');
    }
}

# a body that a location without models has sent on before

my ($rc, $limited) = $t->keys_cli('create', '--db', $t->store, '--user', 'bob', '--models', 'asked');
chomp $limited;
push @{$t->{secrets}}, $limited;

for my $case (['asked', 200, 4], ['other', 403, 4], ['asked', 200, 300000]) {
    my ($model, $status, $words) = @$case;

    my $late = $t->post(1, '/plain/completions', qq({"model":"$model","stream":true,"messages":")
        . 'a ' x $words . '"}', 'X-Request-ID', "late-$model-$words", 'Authorization', "Bearer $limited");
    is($late->{status}, $status, "a body that was read before, of model $model");
    is($t->log_of("late-$model-$words")->{request_model}, $model, 'is read again');
}

like(my $seen = Aiobs::slurp($t->dir . '/seen'), qr/^late-asked-4 asked$/m, 'and asks for usage');
like($seen, qr/^late-asked-300000 asked$/m, 'as it does in a file');

# what nginx does once the client has its answer is no part of it

for my $case ([200, '', undef, 4], [429, '?fail=429', 'rate_limited', undef]) {
    my ($status, $args, $error, $tokens) = @$case;

    my $r = post("posted-$status", "/posted/completions$args");
    is($r->{status}, $status, "post_action: $status");
    is($r->{line}{status_code}, $status, 'is what is told');
    is($r->{line}{attempts}, 1, 'of one try');
    is($r->{line}{error_type}, $error, 'with its own error, or none');
    is($r->{line}{input_tokens}, $tokens, 'and its tokens');
    is(scalar(grep { $_->{request_id} eq "posted-$status" } $t->log_lines(1)), 1, 'once');
}

# error_page to a named location that calls another provider

my $r = post('named', '/llm/v1/chat/completions', @auth);
is($r->{status}, 200, 'a fallback answers');
is($r->{body}, $answer, 'with its answer');
is($r->{headers}{'x-request-id'}, 'named', 'under the same id');
is($r->{line}{user_id}, 'alice', 'the user is kept');
is($r->{line}{endpoint}, 'first', 'the endpoint is where it arrived');
is($r->{line}{attempts}, 2, 'both tries are told');
is($r->{line}{input_tokens}, 4, 'the tokens are those of the answer');
is($r->{line}{upstream_status}, 200, 'of the last try');
is($r->{line}{error_type}, undef, 'it is no failure');

my ($var) = grep { /^named / } split /\n/, Aiobs::slurp($t->dir . '/vars.log');
is($var, 'named alice m 4 2 200 first -', 'variables say the same in access_log');

like($t->error_log, qr/connect\(\) failed.*request_id: "named", user_id: "alice"/,
    "nginx's own error-log lines carry the ids");

# error_page to a page

$r = post('page', '/page/v1/chat/completions?fail=429');
is($r->{body}, "sorry page\n", 'a page of the user');
is($r->{line}{error_type}, 'rate_limited', 'what failed is still told');
is($r->{line}{upstream_status}, 429, 'with the real status');
is($r->{line}{input_tokens}, undef, 'and nothing is counted');
is($r->{line}{method}, 'POST', 'and the method that the client has said');
like($t->get(1, '/metrics')->{body}, qr{^http_requests_total\{handler="/page/",method="POST",status="429"\} 1$}m, 'in the metrics too');
like(Aiobs::slurp($t->dir . '/methods.log'), qr{^page GET$}m, "nginx's own variable is what it always was");
for my $method ('PUT', 'BREW', 'HEAD') {
    is($t->request(1, $method, '/page/x?fail=429', ['X-Request-ID', "page-$method"], '')->{status}, 429, "$method: a page");
    is($t->log_of("page-$method")->{method}, $method, "$method: is told");
}

$r = post('drop', '/page/v1/chat/completions?drop');
is($r->{status}, 502, 'an upstream that drops the connection');
is($r->{line}{error_type}, 'upstream_reset', 'upstream_reset');

mkdir $t->dir . "/html/index";
Aiobs::spew($t->dir . '/html/index/page.html', 'index');

# for a body that was to be read whole and never came so

for (['large', 413, "80\r\n" . 'x' x 128 . "\r\n0\r\n\r\n"], ['broken', 400, "zz\r\n"]) {
    my ($id, $status, $rest) = @$_;
    my $s = $t->connect(1);
    $s->syswrite("POST /whole/v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Request-ID: $id\r\n"
        . "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n");
    sleep 0.2;                          # it is being read
    $s->syswrite($rest);
    like(Aiobs::read_all($s, 5), qr/^HTTP\/1\.1 $status .*index$/ms, "a page for a body that is $id");
    is($t->log_of($id)->{status_code}, $status, 'and a line of it');
}

# X-Accel-Redirect

$r = post('accel', '/accel/v1/chat/completions', @auth);
is($r->{body}, $answer, 'X-Accel-Redirect leads to a provider');
is($r->{line}{event}, 'llm_called', 'an LLM call');
is($r->{line}{user_id}, 'alice', 'of the same user');
is($r->{line}{input_tokens}, 4, 'counted once');

# try_files

$r = $t->get(1, '/try/x', 'X-Request-ID', 'try', @auth);
like($r->{body}, qr/^X-Request-ID: try$/m, 'try_files keeps the id');
like($r->{body}, qr/^X-User-ID: alice$/m, 'and finds the user where keys are asked for');
unlike($r->{body}, qr/\Q$key\E/, 'the key stays here');

# subrequests

post('mirror', '/mirrored/v1/chat/completions');
is(scalar(grep { $_->{request_id} eq 'mirror' } $t->log_lines(1)), 1,
    'a mirror tells no story of its own');
is($t->log_of('mirror')->{input_tokens}, 4, 'the tokens are counted once');

$r = $t->get(1, '/index/', 'X-Request-ID', 'index');
is($r->{body}, 'index', 'a file');
is($t->log_of('index')->{path}, '/index/', 'the path is the one that was asked for');

# off, in one location

$r = $t->get(1, '/quiet/', 'X-Request-ID', 'quiet');
is($r->{headers}{'x-request-id'}, undef, 'where it is off nothing is added');
unlike(Aiobs::slurp($t->dir . '/aiobs.json'), qr/"quiet"/, 'nor logged');

# requests that skip all phases

for my $raw ("GET / HTT\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n: x\r\nConnection: close\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    "GET /" . 'a' x 40000 . " HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999\r\n\r\n",
    "\x16\x03\x01\x00\r\n\r\n") {
    my $n = () = Aiobs::slurp($t->dir . '/aiobs.json') =~ /\n/g;
    $t->raw(1, $raw);
    my @new = $t->log_lines(1, $n);
    my ($line) = $raw =~ /^([ -~]{0,20})/;
    ok($new[0] && $new[0]{status_code} >= 200, "logged: $line");
    is($new[0]{event}, 'request', 'as a request');
}

like($t->get(1, '/metrics')->{body},
    qr/^http_requests_inprogress\{handler="none",method="[A-Z]+"\} 0$/m,
    'none of them is left under way');

# a reload keeps what was counted, and requests that are under way

my ($before) = $t->get(1, '/metrics')->{body} =~ /^http_requests_total\{handler="\/llm\/".* (\d+)$/m;
ok($t->reload, 'a reload');
my ($after) = $t->get(1, '/metrics')->{body} =~ /^http_requests_total\{handler="\/llm\/".* (\d+)$/m;
is($after, $before, 'keeps the counters');

$t->done;
