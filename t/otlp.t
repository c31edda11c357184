#!/usr/bin/perl

# Spans as a receiver built on OpenTelemetry's own .proto files takes them: a SERVER
# span for the request, a CLIENT span for every try, what is known of the call.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsPeers;
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my $key = $t->key('alice', 'laptop');
my $dead = $t->port(9);

my $spans = AiobsPeers::otlp($t, 5, 6);
Aiobs::spew($t->dir . '/token', "s3cret-token\n");
push @{$t->{secrets}}, 's3cret-token';

my $answer = encode_json({ id => 'chatcmpl-1', object => 'chat.completion', model => 'gpt-4o-2024-08-06',
    choices => [{ index => 0, finish_reason => 'stop', message => { content => 'Hi' } }],
    usage => { prompt_tokens => 19, completion_tokens => 7, total_tokens => 26,
        prompt_tokens_details => { cached_tokens => 8 },
        completion_tokens_details => { reasoning_tokens => 3 } } });

sub event { return 'data: ' . encode_json({ id => 'c2', model => 'gpt-4o-2024-08-06', choices => [], @_ }) . "\n\n" }

my $first = event(choices => [{ index => 0, delta => { content => 'a' } }]);
my $usage = event(usage => { prompt_tokens => 5, completion_tokens => 2 });

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my $u = $req->{uri};
    Aiobs::spew($t->dir . '/upstream.head', $req->{head});

    return $t->answer($c, 200, ['Content-Type', 'application/json', 'x-request-id', 'req_9'], $answer)
        if $u =~ m{/chat/completions} && $req->{body} !~ /stream/;

    if ($u =~ m{^/leave} || $req->{body} =~ /leave/) {
        $c->syswrite("HTTP/1.1 $1 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n$first")
            if "$u $req->{body}" =~ /after=(\d+)/;
        $c->sysread(my $nothing, 1);        # until nginx has left
        return;
    }

    if ($u =~ m{^/later}) {
        $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n$first${usage}data: [DONE]\n\n");
        return;
    }

    return $t->answer($c, 200, [], 'x' x 16_000_000) if $u =~ m{^/stalled};
    return $t->answer($c, 500, [], 'no') if $u eq '/fail';
    return $t->answer($c, 404, [], 'no') if $u eq '/none';
    return $c->syswrite("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc") if $u eq '/short';

    if ($u eq '/tunnel') {
        $c->syswrite("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhi");
        select undef, undef, undef, 1;
        return;
    }

    if ($u eq '/steps') {
        select undef, undef, undef, 0.15;
        return $t->answer($c, 200, [
            'Server-Timing', 'rag.retrieve;dur=40;start=5;desc="chunks=5 index=main"',
            'Server-Timing', 'rerank;dur=20.5;model=m1;score=0.75, generate;dur=99999999;desc="as ever", odd;dur=-1'],
            'ok');
    }

    if ($u =~ m{/chat/completions}) {
        $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n$first");
        select undef, undef, undef, 0.05;
        $c->syswrite($req->{body} =~ /broken/ ? 'data: {"error":{"type":"server_error","message":"x"}}' . "\n\n"
            : "$first$usage" . "data: [DONE]\n\n");
        return;
    }

    $t->answer($c, 200, [], $req->{head});
});

$t->upstream(8, sub { my ($req, $c) = @_; $c->sysread(my $nothing, 1) });       # never answers

# a DNS server by which every name is 127.0.0.1

my $dns = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or BAIL_OUT("dns: $!");
$t->{ports}[7] = $dns->sockport;
my $dns_pid = fork // die "fork: $!";

while ($dns_pid == 0) {
    my $to = $dns->recv(my $query, 512) // next;
    $dns->send(substr($query, 0, 2) . pack('n5', 0x8180, 1, 1, 0, 0) . substr($query, 12)
        . pack('n3 N n C4', 0xc00c, 1, 1, 60, 4, 127, 0, 0, 1), 0, $to);
}

$t->{pids}{$dns_pid} = 'dns';
close $dns;

my $conf = <<'E';
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_service gateway production;
aiobs_otlp {
    endpoint %%ENDPOINT%%;
    header X-Token file:token;
    resource team=search;
    interval 100ms;
    %%OTLP%%
}
upstream tries {
    server 127.0.0.1:%%PORT_9%%;
    server 127.0.0.1:%%PORT_0%% backup;
}
upstream later { server 127.0.0.1:%%PORT_8%% max_fails=0; server 127.0.0.1:%%PORT_0%% backup; }
map $arg_trace $trace { default $arg_trace; }
server {
    listen 127.0.0.1:%%PORT_1%%;
    server_name gw.example.com;
    aiobs on;
    aiobs_trace on ratio=1;
    location / { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /v1/ { aiobs_llm auto; aiobs_auth on; aiobs_endpoint chat; proxy_pass http://tries; }
    location /plain/v1/ { aiobs_trace on ratio=1 gen_ai=off; aiobs_llm auto; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /later/v1/ {
        aiobs_llm openai; proxy_read_timeout 1s; proxy_next_upstream timeout non_idempotent; proxy_pass http://later;
    }
    location = /steps { aiobs_server_timing on; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /steps/off { proxy_pass http://127.0.0.1:%%PORT_0%%/steps; }
    location /leave { proxy_buffering off; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /stalled { send_timeout 100ms; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /stalled/v1/ { send_timeout 100ms; aiobs_llm openai; proxy_buffering off; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /moved { error_page 500 = /after; proxy_intercept_errors on; proxy_pass http://127.0.0.1:%%PORT_0%%/fail; }
    location = /drop { return 444; }
    location = /moved-here { error_page 500 = /drop/page; proxy_intercept_errors on; proxy_pass http://127.0.0.1:%%PORT_0%%/fail; }
    location = /drop/page { return 200 ok; }
    location = /moved-on { recursive_error_pages on; error_page 500 = /moved-again; proxy_intercept_errors on; proxy_pass http://127.0.0.1:%%PORT_0%%/fail; }
    location = /moved-again { recursive_error_pages on; error_page 500 = @fallback; proxy_intercept_errors on; proxy_pass http://127.0.0.1:%%PORT_0%%/fail; }
    location = /posted { post_action /after; return 200 ok; }
    location = /after { internal; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /never { aiobs_trace on ratio=0; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /error { aiobs_trace on ratio=0 error=on; proxy_pass http://127.0.0.1:%%PORT_0%%/fail; }
    location /error/short { aiobs_trace on ratio=0 error=on; proxy_pass http://127.0.0.1:%%PORT_0%%/short; }
    location = /tunnel {
        proxy_http_version 1.1; proxy_read_timeout 200ms;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /off { aiobs_trace off; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /var { aiobs_trace $trace; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /trust { aiobs_trace_parent trust; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /optional { aiobs_auth optional; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /ignore { aiobs_trace_parent ignore; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /redirect { error_page 500 = @fallback; proxy_intercept_errors on; proxy_pass http://127.0.0.1:%%PORT_0%%/fail; }
    location @fallback { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /sub { auth_request /check; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /check { internal; proxy_pass http://127.0.0.1:%%PORT_0%%/check; }
    location = /metrics { aiobs_metrics; }
    location /socket { proxy_pass http://unix:%%DIR%%/socket:/x/y?z=1; }
    location /socket/named { proxy_pass http://socket/x; }
    location /looked-up { resolver 127.0.0.1:%%PORT_7%% ipv6=off; set $at up.example.com:%%PORT_0%%; proxy_pass http://$at; }
    location /by-address { set $at 127.0.0.1:%%PORT_0%%; proxy_pass http://$at; }
    location /by-name { set $at socket; proxy_pass http://$at; }
}
upstream socket { server unix:%%DIR%%/socket; }
server { listen unix:%%DIR%%/socket; return 200 ok; }
E

sub conf {
    my ($scheme, $otlp) = @_;
    my $to = "$scheme://127.0.0.1:" . $t->port($scheme eq 'grpc' ? 6 : 5);
    (my $c = $conf) =~ s/%%ENDPOINT%%/$to/;
    $c =~ s/%%OTLP%%/$otlp/;
    return $c;
}

# until no worker of the old configuration takes requests any more

sub reload {
    my @old = $t->workers;
    $t->reload(@_);
    Aiobs::wait_for(sub { !grep { kill 0 => $_ } @old }, 20) or fail('old workers leave');
}

# --- reading ---

sub lines { return map { decode_json($_) } Aiobs::slurp($spans) =~ /^(.*)\n/mg }

# all spans of one request, once its SERVER span is there

sub spans_of {
    my ($id) = @_;
    my @found;

    Aiobs::wait_for(sub {
        my @all = grep { defined $_->{trace} } lines();
        my ($server) = grep { ($_->{attrs}{'aiobs.request_id'} // '') eq $id } @all;
        @found = grep { $server && $_->{trace} eq $server->{trace} } @all;
        return scalar @found;
    }, 10) or return;

    return [sort { $a->{start} <=> $b->{start} || $a->{end} <=> $b->{end} } @found];
}

sub kind { my ($found, $kind) = @_; return grep { $_->{kind} == $kind } @{$found || []} }

sub attributes {
    my ($span, $name, %want) = @_;
    my %got = map { $_ => $span->{attrs}{$_} } keys %want;
    is_deeply(\%got, \%want, $name);
}

my $parent = '0af7651916cd43dd8448eb211c80319c';
my $header = "00-$parent-b7ad6b7169203331-01";

$t->start(conf('http', 'compression gzip;'));

# --- a call that a second server answers ---

my $r = $t->post(1, '/v1/chat/completions?x=1', { model => 'gpt-4o', max_tokens => 100, n => 2, messages => [] },
    'X-Request-ID', 'call', 'Authorization', "Bearer $key", 'User-Agent', 'probe/1',
    'traceparent', $header, 'tracestate', 'vendor=1');
is($r->{status}, 200, 'answered');

my $found = spans_of('call');
my ($server) = kind($found, 2);
my @clients = kind($found, 3);

is(scalar @$found, 3, 'a SERVER span and two tries');
is($server->{name}, 'POST /v1/', 'its name');
is($server->{trace}, $parent, 'a valid key: the trace is followed');
is($server->{parent}, 'b7ad6b7169203331', 'its parent is the client');
is($server->{state}, 'vendor=1', 'tracestate');
is($server->{flags}, 0x301, 'flags: sampled, and the parent is remote');
is($server->{span}, $t->log_of('call')->{span_id}, 'its id is that of the log line');
is($server->{status}, 0, 'no error');
attributes($server, 'attributes of the request', 'http.request.method' => 'POST', 'url.path' => '/v1/chat/completions',
    'url.scheme' => 'http', 'http.route' => '/v1/', 'http.response.status_code' => 200,
    'server.address' => 'localhost', 'server.port' => $t->port(1), 'client.address' => '127.0.0.1',
    'user_agent.original' => 'probe/1', 'network.protocol.version' => '1.1', 'user.id' => 'alice',
    'aiobs.key_name' => 'laptop', 'aiobs.endpoint' => 'chat', 'error.type' => undef,
    'aiobs.key_id' => $t->log_of('call')->{key_id});
cmp_ok($server->{attrs}{$_}, '>', 100, $_) for qw(http.request.size http.response.size);

is_deeply($server->{resource}, { 'service.name' => 'gateway', 'deployment.environment.name' => 'production',
    'host.name' => $server->{resource}{'host.name'}, 'telemetry.sdk.name' => 'aiobs', 'telemetry.sdk.language' => 'cpp',
    'telemetry.sdk.version' => '0.1.0', team => 'search' }, 'the resource');
ok($server->{resource}{'host.name'}, 'with the name of the host');
is($server->{scope}, 'ngx_http_aiobs_module', 'the scope');

is($clients[0]{parent}, $server->{span}, 'tries lie below the request');
attributes($clients[0], 'the try that nobody answered', 'network.peer.port' => $dead, 'error.type' => 'upstream_reset',
    'http.response.status_code' => undef, 'http.request.resend_count' => undef, 'gen_ai.usage.input_tokens' => undef,
    'server.address' => 'tries', 'url.full' => 'http://tries/v1/chat/completions');
is($clients[0]{status}, 2, 'is an error');

is($clients[1]{name}, 'chat gpt-4o', 'the try that was: its name');
is($clients[1]{status}, 0, 'is none');
attributes($clients[1], 'its attributes', 'network.peer.address' => '127.0.0.1', 'network.peer.port' => $t->port(0),
    'server.address' => 'tries', 'url.full' => 'http://tries/v1/chat/completions', 'http.request.method' => 'POST', 'http.response.status_code' => 200,
    'http.request.resend_count' => 1, 'aiobs.provider_request_id' => 'req_9',
    'gen_ai.operation.name' => 'chat', 'gen_ai.provider.name' => 'openai', 'gen_ai.request.model' => 'gpt-4o',
    'gen_ai.request.stream' => undef, 'gen_ai.request.choice.count' => 2,
    'gen_ai.request.max_tokens' => 100, 'gen_ai.response.model' => 'gpt-4o-2024-08-06',
    'gen_ai.response.id' => 'chatcmpl-1', 'gen_ai.response.finish_reasons' => ['stop'],
    'gen_ai.usage.input_tokens' => 19, 'gen_ai.usage.output_tokens' => 7,
    'gen_ai.usage.cache_read.input_tokens' => 8, 'gen_ai.usage.reasoning.output_tokens' => 3,
    'aiobs.usage_source' => 'reported', 'error.type' => undef);
cmp_ok($clients[0]{end}, '<=', $clients[1]{start}, 'one try after the other');
cmp_ok($clients[1]{end}, '<=', $server->{end}, 'within the request');
cmp_ok($clients[1]{attrs}{$_}, '>', 100, $_) for qw(http.request.size http.response.size);
ok(defined $clients[1]{attrs}{"aiobs.$_"}, $_) for qw(connect_time header_time);

# --- streams ---

$t->post(1, '/v1/chat/completions', { model => 'gpt-4o', stream => JSON::PP::true }, 'X-Request-ID', 'stream',
    'Authorization', "Bearer $key");
my ($c) = grep { $_->{attrs}{'gen_ai.operation.name'} } kind(spans_of('stream'), 3);
attributes($c, 'a stream', 'gen_ai.request.stream' => JSON::PP::true, 'gen_ai.usage.output_tokens' => 2, 'gen_ai.request.choice.count' => undef);
is_deeply([map { $_->{name} } @{$c->{events}}], ['first_token'], 'the first token is an event');
cmp_ok($c->{events}[0]{time}, '>=', $c->{start}, 'after its start');
cmp_ok($c->{events}[0]{time}, '<', $c->{end}, 'and before its end');
cmp_ok($c->{attrs}{'gen_ai.response.time_to_first_chunk'}, '<=', ($c->{end} - $c->{start}) / 1e9, 'time to first chunk, in seconds');

# what a try before it took belongs to that, also in the time to the first chunk

$t->post(1, '/later/v1/chat/completions', { model => 'gpt-4o', stream => JSON::PP::true }, 'X-Request-ID', 'later');
my @later = kind(spans_of('later'), 3);
is_deeply([map { $_->{attrs}{'error.type'} } @later], ['timeout', undef], 'a stream that a second server answers');
cmp_ok($later[1]{attrs}{'gen_ai.response.time_to_first_chunk'}, '<=', ($later[1]{end} - $later[1]{start}) / 1e9, 'time to first chunk, of the try');
cmp_ok($t->log_of('later')->{ttft}, '>=', 1, 'that of the client has both');

$t->post(1, '/v1/chat/completions', { model => 'broken', stream => JSON::PP::true }, 'X-Request-ID', 'broken',
    'Authorization', "Bearer $key");
($c) = grep { $_->{attrs}{'gen_ai.operation.name'} } kind(spans_of('broken'), 3);
is($c->{status}, 2, 'a stream that fails');
my ($event) = grep { $_->{name} eq 'stream_error' } @{$c->{events}};
is_deeply($event->{attrs}, { 'error.type' => 'stream_error', 'aiobs.provider_error' => 'server_error' }, 'says why');
is((kind(spans_of('broken'), 2))[0]{attrs}{'error.type'}, 'stream_error', 'and so does the request');

$t->post(1, '/plain/v1/chat/completions', { model => 'gpt-4o' }, 'X-Request-ID', 'plain');
($c) = kind(spans_of('plain'), 3);
is($c->{name}, 'POST', 'gen_ai=off: a plain CLIENT span');
is_deeply([grep { /^gen_ai/ } keys %{$c->{attrs}}], [], 'without such attributes');

# --- who is asked, and by what name ---

my $socket = $t->dir . '/socket';

for (['/socket', $socket, 'http://localhost/x/y'], ['/socket/named', 'socket', 'http://socket/x']) {
    my ($path, $address, $url) = @$_;
    (my $id = "at$path") =~ tr{/}{-};
    $t->get(1, $path, 'X-Request-ID', $id);
    attributes((kind(spans_of($id), 3))[0], "$path: a socket", 'network.peer.address' => $socket, 'network.peer.port' => undef,
        'server.address' => $address, 'server.port' => undef, 'url.full' => $url);
}

# hosts that variables make: looked up, an address, an "upstream"

for (['looked-up', '127.0.0.1', 'up.example.com', 'up.example.com:' . $t->port(0)],
     ['by-address', '127.0.0.1', '127.0.0.1', '127.0.0.1:' . $t->port(0)], ['by-name', $socket, 'socket', 'socket'])
{
    my ($at, $peer, $address, $host) = @$_;
    $t->get(1, "/$at", 'X-Request-ID', $at);
    attributes((kind(spans_of($at), 3))[0], $at, 'network.peer.address' => $peer, 'server.address' => $address,
        'server.port' => $at eq 'by-name' ? undef : $t->port(0), 'url.full' => "http://$host/$at");
}

for (['GW.Example.com:8443', 'gw.example.com', 8443], ['[::1]:99', '::1', 99], ['gw', 'gw', $t->port(1)], ['gw:99999', 'gw', $t->port(1)],
    ['gw:x', 'gw', $t->port(1)]) {
    my ($host, $address, $port) = @$_;
    (my $id = "host-$host") =~ tr/a-zA-Z0-9//cd;
    my $answer = $t->raw(1, "GET /x HTTP/1.1\r\nHost: $host\r\nX-Request-ID: $id\r\nConnection: close\r\n\r\n");
    next if $host =~ /:(?:99999|x)$/ && $answer =~ m{^HTTP/1.1 400};    # newer nginx refuses such a port
    attributes((kind(spans_of($id), 2))[0], "Host: $host", 'server.address' => $address, 'server.port' => $port);
}

$t->raw(1, "GET http://asked:77/x HTTP/1.1\r\nHost: other:88\r\nX-Request-ID: absolute\r\nConnection: close\r\n\r\n");
my $ports = `$t->{nginx} -v 2>&1` =~ m{nginx/1\.(\d+)\.(\d+)} && 1000 * $1 + $2 >= 29003;     # nginx reads it
attributes((kind(spans_of('absolute'), 2))[0], 'the request line comes first', 'server.address' => 'asked',
    'server.port' => $ports ? 77 : $t->port(1));

# --- an answer that breaks off ---

$t->get(1, '/short', 'X-Request-ID', 'short');
is(join(' ', map { ($_->{status}, $_->{attrs}{'error.type'}) } map { kind(spans_of('short'), $_) } 2, 3),
    '2 upstream_reset 2 upstream_reset', 'an answer that breaks off is an error of the try and of the request');
my $line = $t->log_of('short');
is("$line->{level} $line->{error_type}", 'error upstream_reset', 'and of the log');

# that of a tunnel ends when both have been silent for long enough

$t->get(1, '/tunnel', 'Upgrade', 'x', 'X-Request-ID', 'tunnel');
is(join(' ', map { $_->{status} } map { kind(spans_of('tunnel'), $_) } 2, 3), '0 0', 'a tunnel that is closed is none');
$line = $t->log_of('tunnel');
is_deeply([@$line{qw(level status_code error_type)}], ['info', 101, undef], 'nor in the log');

# --- a request that has come to no location ---

sub nowhere { return grep { $_->{trace} && $_->{kind} == 2 && ($_->{attrs}{'http.response.status_code'} // 0) == 400 } lines() }

$t->raw(1, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n");
Aiobs::wait_for(\&nowhere, 10);
is((nowhere())[0]{name}, 'GET', 'a request that has come to no location');
attributes((nowhere())[0], 'has no route', 'http.route' => undef);

# --- what goes to the upstream ---

sub seen {
    my ($id, $path, @h) = @_;
    my $body = $t->get(1, $path, 'X-Request-ID', $id, @h)->{body};
    my @ids = $body =~ /^traceparent: 00-(\w+)-(\w+)-(\w+)\r?$/mi;
    return (@ids, $body =~ /^tracestate: (.*?)\r?$/mi);
}

my ($trace, $span, $flags) = seen('up', '/');
$found = spans_of('up');
($server) = kind($found, 2);
($c) = kind($found, 3);
is($trace, $server->{trace}, 'the upstream gets the trace');
is($span, $c->{span}, 'and the id of the CLIENT span');
is($flags, '01', 'and that it is sampled');
is($server->{parent}, '', 'without a client there is no parent');

# --- whose trace ---

for my $case (['stranger', '/'], ['keyless', '/optional'], ['own-key', '/optional', 'x-api-key', 'sk-none-of-the-gateway']) {
    my ($id, $path, @h) = @$case;
    ($trace) = seen($id, $path, 'traceparent', $header, @h);
    ($server) = kind(spans_of($id), 2);
    isnt($server->{trace}, $parent, "$id: a trace of our own");
    is_deeply($server->{links}, [{ trace => $parent, span => 'b7ad6b7169203331', state => '', flags => 0x301 }], 'linked to his');
    is($server->{parent}, '', 'with no parent');
    is($trace, $server->{trace}, 'which the upstream gets');
    is($t->log_of($id)->{trace_id}, $server->{trace}, 'and the log');
}

($trace) = seen('keyed', '/optional', 'traceparent', $header, 'x-api-key', $key);
is($trace, $parent, 'who has a key is trusted');

($trace, undef, undef, my $state) = seen('trusted', '/trust', 'traceparent', $header, 'tracestate', 'a=b');
($server) = kind(spans_of('trusted'), 2);
is_deeply([$trace, $server->{trace}, $server->{parent}, $state], [$parent, $parent, 'b7ad6b7169203331', 'a=b'], 'trust');

(undef, undef, $flags) = seen('unsampled', '/trust', 'traceparent', "00-$parent-b7ad6b7169203331-00");
is($flags, '00', 'a trusted client that does not sample');

seen('ignored', '/ignore', 'traceparent', $header);
($server) = kind(spans_of('ignored'), 2);
ok($server->{trace} ne $parent && !@{$server->{links}}, 'ignore: neither followed nor linked');

for my $bad (['version ff', "ff-$parent-b7ad6b7169203331-01"], ['too short', "00-$parent-b7ad6b7169203331-0"],
    ['too long', "$header-00"], ['no trace', '00-' . '0' x 32 . '-b7ad6b7169203331-01'],
    ['no span', "00-$parent-" . '0' x 16 . '-01'], ['upper case', uc $header], ['empty', ''],
    ['a later version', "01-$parent-b7ad6b7169203331-01-x", 1], ['tabs and spaces around', "\t $header \t", 1], ['nothing but a tab', "\t"])
{
    my ($name, $value, $good) = @$bad;
    ($trace) = seen("bad $name" =~ s/ /-/gr, '/trust', 'traceparent', $value);
    is($trace eq $parent ? 1 : 0, $good || 0, "traceparent: $name");
}

(undef, undef, $flags) = seen('random', '/trust', 'traceparent', "00-$parent-b7ad6b7169203331-03");
is($flags, '03', 'that an id is random is passed on');
is((grep { ($_->{attrs}{'aiobs.request_id'} // '') eq 'random' } @{spans_of('random')})[0]{flags} & 0xff, 3, 'and stands in the span');
(undef, undef, $flags) = seen('other-flags', '/trust', 'traceparent', "00-$parent-b7ad6b7169203331-fe");
is($flags, '02', 'flags of no meaning are not');
($trace, undef, $flags) = seen('random-linked', '/', 'traceparent', "00-$parent-b7ad6b7169203331-02", 'tracestate', 'a=1');
is($flags, '01', 'nor is that of another trace');
is_deeply((kind(spans_of('random-linked'), 2))[0]{links}, [{ trace => $parent, span => 'b7ad6b7169203331', state => 'a=1', flags => 0x302 }],
    'which the link has, and its state');
like($t->get(1, '/trust', 'traceparent', $header, 'baggage', 'a=1;p , b=%C3%A9', 'baggage', 'c=3')->{body},
    qr/^baggage: a=1;p , b=%C3%A9\r?\n(?:.*\n)*baggage: c=3\r?$/m, 'baggage is passed on as it is');

($trace) = seen('two-parents', '/trust', 'traceparent', $header, 'traceparent', $header);
isnt($trace, $parent, 'two traceparents are none');

for my $case (['two lines are one list', 'a=1,b=2,c=3', 'a=1', 'b=2,c=3'], ['an empty line', 'a=1', '', 'a=1'],
    ['white space', "a=1 ,\tb\@c=2", "a=1 ,\tb\@c=2"], ['a value with spaces', 'a=b c', 'a=b c'],
    ['32 members', join(',', map { "k$_=1" } 1 .. 32), join(',', map { "k$_=1" } 1 .. 32)],
    ['33 members', undef, join(',', map { "k$_=1" } 1 .. 33)], ['no value', undef, 'a=1,b'],
    ['no key', undef, '=1'], ['upper case', undef, 'A=1'], ['a space in a key', undef, 'a =1'],
    ['two values', undef, 'a=b=c'], ['an empty value', undef, 'a=,b=3'], ['bytes that are no text', undef, "a=1,b=\xff"], ['nothing', undef, ' , '],
    ['a key that is too long', undef, 'a' x 257 . '=1'], ['a value that is too long', undef, 'a=' . 'b' x 257],
    ['a list that is too long ends behind a member', join(',', map { "k$_=" . 'v' x 96 } 1 .. 5),
        join(',', map { "k$_=" . 'v' x 96 } 1 .. 7)],
    ['of one that is too long the last of its large members go first', 'a=' . 'v' x 200 . ',b=1,d=2,' . 'e' x 126 . '=1',
        'a=' . 'v' x 200 . ',b=1', 'c=' . 'v' x 200 . ',d=2, ,' . 'e' x 126 . '=1,f=' . 'v' x 127],
    ['512 bytes', 'a=' . 'v' x 253 . ',b=' . 'v' x 254, 'a=' . 'v' x 253 . ',b=' . 'v' x 254],
    ['513 bytes', 'a=' . 'v' x 254, 'a=' . 'v' x 254 . ',b=' . 'v' x 254])
{
    my ($name, $want, @lines) = @$case;
    my @got = seen('state', '/trust', 'traceparent', $header, map { ('tracestate', $_) } @lines);
    is_deeply([@got[0, 3]], [$parent, $want], "tracestate: $name");
}

# --- Server-Timing ---

$t->get(1, '/steps', 'X-Request-ID', 'steps');
$found = spans_of('steps');
($c) = kind($found, 3);
my @steps = kind($found, 1);
my %step = map { $_->{name} => $_ } @steps;
is(join(' ', map { $_->{name} } @steps), 'rag.retrieve rerank generate odd', 'steps of the application');
is((grep { $_->{parent} ne $c->{span} } @steps), 0, 'below the try');
is_deeply($step{'rag.retrieve'}{attrs}, { chunks => 5, index => 'main' }, 'k=v of a description');
is_deeply($step{rerank}{attrs}, { model => 'm1', score => 0.75 }, 'other parameters');
is_deeply($step{generate}{attrs}, { desc => 'as ever' }, 'a description in words');
is(($step{'rag.retrieve'}{start} - $c->{start}) / 1e6, 5, 'its start');
is(($step{'rag.retrieve'}{end} - $step{'rag.retrieve'}{start}) / 1e6, 40, 'its duration');
is(($step{rerank}{start} - $c->{start}) / 1e6, 45, 'no start: after the one before');
is($step{generate}{end}, $c->{end}, 'what lasts too long ends with the try');
$t->get(1, '/steps/off', 'X-Request-ID', 'steps-off');
is(scalar kind(spans_of('steps-off'), 1), 0, 'not unless asked');

# --- errors, redirects, subrequests ---

$t->get(1, '/none', 'X-Request-ID', 'none');
$found = spans_of('none');
is((kind($found, 2))[0]{status}, 0, '404: no error of the server');
is_deeply([map { @$_{qw(status)}, $_->{attrs}{'error.type'} } kind($found, 3)], [2, '404'], 'but of the client span');

$t->get(1, '/fail', 'X-Request-ID', 'fail');
is_deeply([map { $_->{status}, $_->{attrs}{'error.type'} } @{spans_of('fail')}], [2, 500, 2, 500], '500: of both');

$t->get(1, '/posted', 'X-Request-ID', 'posted');
attributes((kind(spans_of('posted'), 2))[0], 'post_action changes nothing of it', 'network.protocol.version' => '1.1',
    'http.response.status_code' => 200, 'error.type' => undef);

$t->raw(1, "GET /none HTTP/1.7\r\nHost: a\r\nX-Request-ID: seven\r\nConnection: close\r\n\r\n");
attributes((kind(spans_of('seven'), 2))[0], 'a minor version that there is none of', 'network.protocol.version' => '1.1');

$t->get(1, '/drop', 'X-Request-ID', 'drop');
attributes((kind(spans_of('drop'), 2))[0], 'a status that nobody was sent', 'http.response.status_code' => undef, 'error.type' => '444');

# a client that leaves: an error of the answer to it, none of the call that is called off

for my $case (['/leave', '', undef, 0, undef], ['/leave?after=200', '', 200, 0, undef], ['/leave?after=404', '', 404, 2, '404'],
    ['/plain/v1/chat/completions', 'leave', undef, 0, undef], ['/v1/chat/completions', 'leave after=200', 200, 0, undef],
    ['/v1/chat/completions', 'leave after=429', 429, 2, 'rate_limited'])
{
    my ($path, $body, $status, $client, $type) = @$case;
    (my $id = "$path$body") =~ tr/a-z0-9/-/c;
    $body = $body ? encode_json({ model => 'gpt-4o', stream => JSON::PP::true, messages => [{ role => 'user', content => $body }] }) : '';

    my $c = $t->connect(1);
    $c->syswrite(($body ? 'POST' : 'GET') . " $path HTTP/1.1\r\nHost: x\r\nX-Request-ID: $id\r\nAuthorization: Bearer $key\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body");
    $c->sysread(my $head, 10) if $status;
    Aiobs::wait_for(sub { Aiobs::slurp($t->dir . '/upstream.head') =~ /^X-Request-ID: \Q$id\E\r?$/mi }) if !$status;
    close $c;

    my $found = spans_of($id);
    my ($server, $try) = ((kind($found, 2))[0], (kind($found, 3))[-1]);
    is($server->{status}, 2, "$id: the answer is an error");
    attributes($server, "$id: of the client's", 'error.type' => 'client_abort', 'http.response.status_code' => $status);
    is($try->{status}, $client, "$id: the call");
    attributes($try, "$id: is called off", 'error.type' => $type, 'http.response.status_code' => $status);
    is_deeply([grep { $_->{name} eq 'stream_error' } @{$try->{events}}], [], "$id: without an event of that");
}

# one that stops reading: nothing broke off at the upstream

for my $path ('/stalled', '/stalled/v1/chat/completions') {
    (my $id = $path) =~ tr/a-z0-9/-/c;
    my $c = $t->connect(1);
    my $body = '{"model":"gpt-4o","stream":true,"messages":[]}';
    $c->syswrite("POST $path HTTP/1.1\r\nHost: x\r\nX-Request-ID: $id\r\nContent-Type: application/json\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body");

    my $found = spans_of($id);
    my ($server, $try) = ((kind($found, 2))[0], (kind($found, 3))[-1]);
    attributes($server, "$id: an error of the client's", 'error.type' => 'client_abort', 'http.response.status_code' => 200);
    is($try->{status}, 0, "$id: none of the call");
    attributes($try, "$id: nor of its kind", 'error.type' => undef);
    is($t->log_of($id)->{error_type}, $path =~ /v1/ ? 'client_abort' : undef, "$id: the log line of a call says so");
}

$t->get(1, '/redirect', 'X-Request-ID', 'redirect');
$found = spans_of('redirect');
is_deeply([map { $_->{attrs}{'http.response.status_code'} } kind($found, 3)], [500, 200], 'error_page: both upstreams');
is(scalar kind($found, 2), 1, 'one SERVER span');

for my $case (['moved', qw(POST POST GET)], ['moved-on', qw(POST POST GET GET)], ['moved-here', qw(POST POST)]) {
    my ($id, @methods) = @$case;
    $t->post(1, "/$id", { a => 1 }, 'X-Request-ID', $id);
    is_deeply([map { $_->{attrs}{'http.request.method'} } sort { $a->{kind} <=> $b->{kind} || $a->{start} <=> $b->{start} } @{spans_of($id)}],
        \@methods, "$id: error_page to a URI: the method of the client, and of each try");
}

my ($sub) = seen('sub', '/sub');
is((kind(spans_of('sub'), 2))[0]{trace}, $sub, 'a subrequest before');

$t->raw(1, "GET /%%% HTTP/1.1\r\nHost: x\r\n\r\n");
ok(Aiobs::wait_for(sub { grep { ($_->{attrs}{'http.response.status_code'} // 0) == 400 } lines() }, 10),
    'a malformed request has a span');

$t->raw(1, "BREW / HTTP/1.1\r\nHost: x\r\nX-Request-ID: brew\r\nUser-Agent: caf\xe9\x01\r\nConnection: close\r\n\r\n");
attributes((kind(spans_of('brew'), 2))[0], 'an odd method, bytes that are no text', 'http.request.method' => '_OTHER',
    'http.request.method_original' => 'BREW', 'user_agent.original' => 'caf??');
$t->raw(1, "get / HTTP/1.1\r\nHost: x\r\n\r\n");
my @no_method;
Aiobs::wait_for(sub { (@no_method = grep { ($_->{attrs}{'http.response.status_code'} // 0) == 400 } lines()) > 1 }, 10);
is_deeply([map { exists $_->{attrs}{'http.request.method_original'} ? $_->{name} : () } @no_method], [], 'no method is none');

$t->raw(1, "QUERY / HTTP/1.1\r\nHost: x\r\nX-Request-ID: query\r\nConnection: close\r\n\r\n");
is_deeply([map { [$_->{name} =~ /^(\w+)/, $_->{attrs}{'http.request.method'}, $_->{attrs}{'http.request.method_original'}] } map { kind(spans_of('query'), $_) } 2, 3],
    [(['QUERY', 'QUERY', undef]) x 2], 'a method that the conventions know and nginx does not');

my ($brewed) = kind(spans_of('brew'), 3);
is($brewed->{name}, 'HTTP', 'the name of its try');
attributes($brewed, 'and its attributes', 'http.request.method' => '_OTHER', 'http.request.method_original' => 'BREW');

$t->get(1, '/trust/a%20b?key=secret', 'X-Request-ID', 'url');
attributes((kind(spans_of('url'), 3))[0], 'the URL', 'url.full' => 'http://127.0.0.1:' . $t->port(0) . '/trust/a%20b');

# what came before an error_page went to another one, which is not known any more

$t->get(1, '/redirect', 'X-Request-ID', 'elsewhere');
my @urls = map { $_->{attrs}{'url.full'} } kind(spans_of('elsewhere'), 3);
is_deeply(\@urls, [undef, 'http://127.0.0.1:' . $t->port(0) . '/redirect'], 'no URL of another try');

# --- sampling ---

(undef, undef, $flags) = seen('never', '/never');
is($flags, '00', 'ratio=0');
my $n = () = Aiobs::slurp($spans) =~ /"trace"/g;
$t->get(1, '/error', 'X-Request-ID', 'late');
is(scalar @{spans_of('late')}, 2, 'error=on: a failed request, decided at its end');
$t->get(1, '/error/short', 'X-Request-ID', 'late-short');
is(scalar @{spans_of('late-short')}, 2, 'and one whose answer broke off');
$t->get(1, '/off', 'X-Request-ID', 'off');
$t->get(1, "/var?trace=$_", 'X-Request-ID', "var-$_") for qw(off on 0 1 0.0 2 nonsense);
spans_of('var-1');
my %ids = map { ($_->{attrs}{'aiobs.request_id'} // '') => 1 } lines();
is_deeply([grep { $ids{$_} } 'never', 'unsampled', 'off', map { "var-$_" } qw(off on 0 1 0.0 2 nonsense)],
    ['var-on', 'var-1'], 'what is not to be traced is not; a variable says so');

my ($sampled, $total) = (0, 400);
reload(conf('http', 'compression gzip;') =~ s/location \/never \{ aiobs_trace on ratio=0;/location \/never { aiobs_trace on ratio=0.25;/r);
for (1 .. $total / 20) {
    my $all = join '', map { "GET /never HTTP/1.1\r\nHost: x\r\nConnection: " . ($_ == 20 ? 'close' : 'keep-alive') . "\r\n\r\n" } 1 .. 20;
    $sampled += () = $t->raw(1, $all) =~ /traceparent: \S+-01/g;
}
cmp_ok($sampled, '>', 60, 'ratio=0.25 is a quarter ...');
cmp_ok($sampled, '<', 140, '... or so');

# --- how they are sent ---

my ($export) = grep { $_->{export} && $_->{via} eq 'http' } lines();
is($export->{headers}{'content-encoding'}, 'gzip', 'compressed');
is($export->{headers}{'x-token'}, 's3cret-token', 'with the header of a file');
like($export->{headers}{'user-agent'}, qr{^OTel-OTLP-Exporter-aiobs/\d}, 'and who sends them');

reload(conf('grpc', 'compression gzip;'));
$t->get(1, '/', 'X-Request-ID', 'grpc');
is((kind(spans_of('grpc'), 2))[0]{via}, 'grpc', 'by gRPC');
($export) = grep { $_->{export} && $_->{via} eq 'grpc' } lines();
is($export->{headers}{'x-token'}, 's3cret-token', 'with the same header');
reload(conf('grpc', 'compression none; service_name other;'));
$t->get(1, '/', 'X-Request-ID', 'grpc-plain');
is(spans_of('grpc-plain')->[0]{resource}{'service.name'}, 'other', 'service_name; not compressed');

my $metrics = $t->get(1, '/metrics')->{body};
my ($sent) = $metrics =~ /^aiobs_export_sent_total\{exporter="otlp"\} (\d+)/m;
is($sent, scalar(grep { defined $_->{trace} } lines()), 'sent as many as were taken');
like($metrics, qr/^aiobs_export_queue_length\{exporter="otlp"\} 0$/m, 'nothing waits');
unlike($metrics, qr/^aiobs_export_(?:dropped|failed)/m, 'nothing failed');

# the environment says which methods are known

$t->stop;
{
    local $ENV{OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS} = 'BREW, POST';
    $t->start(conf('http', ''));
}
$t->request(1, $_, '/', ['X-Request-ID', "known-$_"], '') for qw(BREW GET);
is_deeply([map { my $id = $_; map { [@$_{'name'}, @{$_->{attrs}}{'http.request.method', 'http.request.method_original'}] } map { kind(spans_of($id), $_) } 2, 3 } 'known-BREW', 'known-GET'],
    [['BREW /', 'BREW', undef], ['BREW', 'BREW', undef], ['HTTP /', '_OTHER', 'GET'], ['HTTP', '_OTHER', 'GET']], 'OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS');

$t->done;
