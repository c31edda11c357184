#!/usr/bin/perl

# Spans in a real OpenTelemetry Collector, by OTLP/HTTP and by gRPC: what its own
# exporter writes out has every attribute that docs/tracing.md promises.
#
# Not of every day: building it takes Go, its modules and minutes. AIOBS_COLLECTOR=1
# builds it, AIOBS_COLLECTOR=/path/of/one takes that.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsKeys;
use JSON::PP;
use Test::More;

my $wanted = $ENV{AIOBS_COLLECTOR} or plan skip_all => 'AIOBS_COLLECTOR is not set';
my $collector = -x $wanted && !-d _ ? $wanted : build();

sub build {
    my $dir = "$Bin/peers/collector";
    my $exe = Aiobs::objs() . '/collector';

    my ($major, $minor) = (`go version 2>/dev/null` || '') =~ /go(\d+)\.(\d+)/
        or plan skip_all => 'go is not installed';
    my ($need) = Aiobs::slurp("$dir/go.mod") =~ /^go 1\.(\d+)/m;
    plan skip_all => "go $major.$minor is older than 1.$need" if $major == 1 && $minor < $need;

    my $out = `cd '$dir' && CGO_ENABLED=0 GOTOOLCHAIN=local timeout 600 go build -mod=readonly -trimpath -o '$exe' . 2>&1`;
    my $rc = $? >> 8;
    plan skip_all => 'the collector was not built within 10 minutes' if $rc == 124;
    plan skip_all => 'its modules cannot be had: ' . ((split /\n/, $out)[-1] // '')
        if $rc && $out =~ /dial tcp|lookup |i\/o timeout|connection refused|server response|reading https?:/;
    $rc == 0 or BAIL_OUT("the collector does not build:\n$out");

    return $exe;
}

my $t = Aiobs->new;
my $dir = $t->dir;
my $key = $t->key('alice', 'laptop');
set_attrs($t, $key, may_act_for => 1);
my $dead = $t->port(9);
my $file = "$dir/spans.json";

Aiobs::spew($file, '');
Aiobs::spew("$dir/collector.yaml", <<"E");
receivers:
  otlp:
    protocols:
      http: { endpoint: 127.0.0.1:${\$t->port(5)} }
      grpc: { endpoint: 127.0.0.1:${\$t->port(6)} }
exporters:
  file: { path: $file, flush_interval: 100ms }
  file/logs: { path: $dir/logs.json, flush_interval: 100ms, append: true }
service:
  pipelines:
    traces: { receivers: [otlp], exporters: [file] }
    logs: { receivers: [file_log], exporters: [file/logs] }
E

# the lines of the log as its page has them read

my ($recipe) = grep { /file_log:/ } Aiobs::slurp("$Bin/../docs/log.md") =~ /^```yaml\n(.*?)^```/msg;
Aiobs::spew("$dir/log.yaml", $recipe =~ s{/var/log/nginx}{$dir}r =~ s{/var/lib/otelcol}{$dir/read}r);
mkdir "$dir/read";
Aiobs::spew("$dir/logs.json", '');

sub start_collector {
    my $pid = $t->spawn([$collector, map { ('--config', "file:$dir/$_.yaml") } qw(collector log)], log => "$dir/collector.log");
    Aiobs::wait_for(sub {
        $t->reap($pid) || 2 == grep { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $t->port($_)) } 5, 6
    }, 60) && kill(0 => $pid) or BAIL_OUT('the collector did not start: ' . Aiobs::slurp("$dir/collector.log"));
    return $pid;
}

my $pid = start_collector();

Aiobs::spew("$dir/prices.json", encode_json({ 'gpt-4o-2024-08-06' => { litellm_provider => 'openai',
    input_cost_per_token => 2.5e-6, output_cost_per_token => 1e-5 } }));

# --- an upstream, and the gateway before it ---

sub event { return 'data: ' . encode_json({ id => 'c2', model => 'gpt-4o-2024-08-06', choices => [], @_ }) . "\n\n" }

my $answer = encode_json({ id => 'chatcmpl-1', object => 'chat.completion', model => 'gpt-4o-2024-08-06',
    choices => [{ index => 0, finish_reason => 'stop', message => { content => 'Hi' } },
        { index => 1, finish_reason => 'length', message => { content => 'Ho' } }],
    usage => { prompt_tokens => 19, completion_tokens => 7, total_tokens => 26,
        prompt_tokens_details => { cached_tokens => 8 }, completion_tokens_details => { reasoning_tokens => 3 } } });

my $message = encode_json({ id => 'msg_1', type => 'message', model => 'claude-sonnet-4-5', stop_reason => 'end_turn',
    content => [], usage => { input_tokens => 5, output_tokens => 2, cache_creation_input_tokens => 4, cache_read_input_tokens => 0 } });

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my $u = $req->{uri};
    my @json = ('Content-Type', 'application/json', 'x-request-id', 'req_9', 'X-RAG-Score', '0.5');

    return $t->answer($c, 500, [], 'no') if $u eq '/fail';
    return $t->answer($c, 200, ['Server-Timing', 'rag.retrieve;dur=0;desc="chunks=5 index=main";score=0.75'], 'ok')
        if $u eq '/steps';
    return $t->answer($c, 200, \@json, $message) if $u =~ m{/messages};
    return $t->answer($c, 200, \@json, $answer) if $req->{body} !~ /"stream":true/;

    my $first = event(choices => [{ index => 0, delta => { content => 'a' } }]);
    $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n$first");
    select undef, undef, undef, 0.05;
    $c->syswrite($req->{body} =~ /broken/ ? 'data: {"error":{"type":"server_error","message":"x"}}' . "\n\n"
        : "$first$first" . event(usage => { prompt_tokens => 5, completion_tokens => 20 }) . "data: [DONE]\n\n");
});

my $conf = <<'E';
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_service gateway production;
aiobs_prices %%DIR%%/prices.json;
aiobs_otlp { endpoint %%ENDPOINT%%; resource team=search; interval 100ms; %%OTLP%% }
proxy_cache_path %%DIR%%/cache keys_zone=cache:1m;
upstream tries { server 127.0.0.1:%%PORT_9%%; server 127.0.0.1:%%PORT_0%% backup; }
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    aiobs_trace on ratio=1;
    location / { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /v1/ {
        aiobs_llm auto; aiobs_auth on; aiobs_endpoint chat;
        aiobs_agent_session $http_x_agent_session;
        aiobs_rag_score $upstream_http_x_rag_score;
        proxy_cache cache;
        proxy_cache_methods GET POST;
        proxy_pass http://tries;
    }
    location = /steps { aiobs_server_timing on; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }
}
E

# --- reading the collector's JSON ---

sub value {
    my ($v) = @_;

    return $v->{stringValue} if exists $v->{stringValue};
    return $v->{intValue} + 0 if exists $v->{intValue};
    return $v->{doubleValue} + 0 if exists $v->{doubleValue};
    return $v->{boolValue} ? 1 : 0 if exists $v->{boolValue};
    return [map { value($_) } @{$v->{arrayValue}{values} || []}];
}

sub attrs { my ($list) = @_; return { map { $_->{key} => value($_->{value}) } @{$list || []} } }

sub spans {
    my @all;

    for my $line (Aiobs::slurp($file) =~ /^(.*)\n/mg) {
        for my $rs (@{decode_json($line)->{resourceSpans} || []}) {
            for my $ss (@{$rs->{scopeSpans} || []}) {
                push @all, map { { %$_, attrs => attrs($_->{attributes}), resource => attrs($rs->{resource}{attributes}),
                    scope => $ss->{scope} } } @{$ss->{spans}};
            }
        }
    }

    return @all;
}

# the SERVER span of a request, its CLIENT spans by their times, all others

sub spans_of {
    my ($id) = @_;
    my @found;

    Aiobs::wait_for(sub {
        my @all = spans();
        my ($server) = grep { ($_->{attrs}{'aiobs.request_id'} // '') eq $id } @all;
        @found = $server ? grep { $_->{traceId} eq $server->{traceId} } @all : ();
        return scalar @found;
    }, 15) or fail("spans of $id arrive");

    my @clients = sort { $a->{startTimeUnixNano} <=> $b->{startTimeUnixNano} || $a->{endTimeUnixNano} <=> $b->{endTimeUnixNano} }
        grep { $_->{kind} == 3 } @found;

    return ((grep { $_->{kind} == 2 } @found)[0], @clients, grep { $_->{kind} == 1 } @found);
}

# every name with its value, or a pattern of it; undef: not there

sub has {
    my ($span, $name, %want) = @_;

    for my $k (sort keys %want) {
        my ($got, $want) = ($span->{attrs}{$k}, $want{$k});

        if (ref $want eq 'Regexp') {
            like($got // '(none)', $want, "$name: $k");
        } else {
            is_deeply($got, $want, "$name: $k");
        }
    }
}

my $number = qr/^[\d.]+(?:e-\d+)?$/;
my $runs = 0;

for my $via (['http', 5, 'compression gzip;'], ['http', 5, ''], ['grpc', 6, 'compression gzip;'], ['grpc', 6, '']) {
    my ($scheme, $n, $otlp) = @$via;
    my $name = "$scheme, " . ($otlp ? 'compressed' : 'not compressed');
    my $to = "$scheme://127.0.0.1:" . $t->port($n);
    my $c = $conf =~ s/%%ENDPOINT%%/$to/r =~ s/%%OTLP%%/$otlp/r;

    $t->stop;
    system('rm', '-rf', "$dir/cache");
    my $run = ++$runs;
    my $parent = sprintf '0af7651916cd43dd8448eb211c80%04x', $run;
    $t->start($c);

    my @h = ('Authorization', "Bearer $key", 'User-Agent', 'probe/1', 'X-Agent-Session', 's-1', 'X-User-ID', 'carol');
    $t->post(1, '/v1/chat/completions?x=1', { model => 'gpt-4o', max_tokens => 100, messages => [] }, @h,
        'X-Request-ID', "call-$run", 'traceparent', "00-$parent-b7ad6b7169203331-01", 'tracestate', 'vendor=1');
    my ($server, @try) = spans_of("call-$run");

    is(scalar @try, 2, "$name: a span for the request and each try");
    is_deeply([@$server{qw(name traceId parentSpanId traceState flags)}],
        ['POST /v1/', $parent, 'b7ad6b7169203331', 'vendor=1', 0x301], "$name: SERVER: name, parent, state, flags");
    is($server->{spanId}, $t->log_of("call-$run")->{span_id}, "$name: its id is that of the log");
    is_deeply($server->{status}, {}, "$name: no status");
    is_deeply($server->{resource}, { 'service.name' => 'gateway', 'deployment.environment.name' => 'production',
        'host.name' => $server->{resource}{'host.name'}, 'telemetry.sdk.name' => 'aiobs',
        'telemetry.sdk.language' => 'cpp', 'telemetry.sdk.version' => '0.1.0', team => 'search' }, "$name: the resource");
    is($server->{scope}{name}, 'ngx_http_aiobs_module', "$name: the scope");

    has($server, "$name: SERVER", 'http.request.method' => 'POST', 'http.route' => '/v1/', 'url.scheme' => 'http',
        'url.path' => '/v1/chat/completions', 'server.address' => 'localhost', 'server.port' => $t->port(1),
        'network.protocol.version' => '1.1', 'user_agent.original' => 'probe/1', 'client.address' => '127.0.0.1',
        'user.id' => 'alice', 'aiobs.end_user_id' => 'carol', 'http.response.status_code' => 200,
        'http.request.size' => $number, 'http.response.size' => $number, 'aiobs.request_id' => "call-$run",
        'aiobs.endpoint' => 'chat', 'aiobs.key_name' => 'laptop', 'aiobs.key_id' => $t->log_of("call-$run")->{key_id},
        'aiobs.cache_status' => 'MISS', 'aiobs.rag_score' => 0.5, 'session.id' => 's-1', 'error.type' => undef);

    has($try[0], "$name: the try that nobody answered", 'http.request.method' => 'POST', 'network.peer.address' => '127.0.0.1',
        'network.peer.port' => $dead, 'error.type' => 'upstream_reset', 'http.response.status_code' => undef);
    is($try[0]{status}{code}, 2, "$name: is an error");

    is($try[1]{name}, 'chat gpt-4o', "$name: CLIENT");
    is($try[1]{parentSpanId}, $server->{spanId}, "$name: below the request");
    has($try[1], "$name: CLIENT", 'http.request.method' => 'POST', 'http.response.status_code' => 200,
        'http.request.size' => $number, 'http.response.size' => $number, 'http.request.resend_count' => 1,
        'network.peer.address' => '127.0.0.1', 'network.peer.port' => $t->port(0), 'server.address' => 'tries',
        'server.port' => $t->port(0), 'aiobs.connect_time' => $number, 'aiobs.header_time' => $number,
        'aiobs.provider_request_id' => 'req_9', 'gen_ai.operation.name' => 'chat', 'gen_ai.provider.name' => 'openai',
        'gen_ai.request.model' => 'gpt-4o', 'gen_ai.request.stream' => undef, 'gen_ai.request.max_tokens' => 100,
        'gen_ai.response.model' => 'gpt-4o-2024-08-06', 'gen_ai.response.id' => 'chatcmpl-1',
        'gen_ai.response.finish_reasons' => ['stop', 'length'], 'gen_ai.usage.input_tokens' => 19,
        'gen_ai.usage.output_tokens' => 7, 'gen_ai.usage.cache_read.input_tokens' => 8,
        'gen_ai.usage.reasoning.output_tokens' => 3, 'gen_ai.conversation.id' => 's-1',
        'aiobs.usage_source' => 'reported', 'aiobs.cost_usd' => $number, 'error.type' => undef);

    $t->post(1, '/v1/messages', { model => 'claude-sonnet-4-5', max_tokens => 9, messages => [] }, @h, 'X-Request-ID', "message-$run");
    has((spans_of("message-$run"))[-1], "$name: what is written into a cache", 'gen_ai.provider.name' => 'anthropic',
        'gen_ai.usage.cache_creation.input_tokens' => 4, 'gen_ai.response.finish_reasons' => ['end_turn']);

    my @stream = (stream => JSON::PP::true, messages => []);
    $t->post(1, '/v1/chat/completions?2', { model => 'gpt-4o', @stream }, @h, 'X-Request-ID', "stream-$run");
    my $s = (spans_of("stream-$run"))[-1];
    has($s, "$name: a stream", 'gen_ai.request.stream' => 1, 'gen_ai.response.time_to_first_chunk' => $number,
        'gen_ai.usage.output_tokens' => 20, 'aiobs.time_per_output_token' => $number);
    is_deeply([map { $_->{name} } @{$s->{events}}], ['first_token'], "$name: its first token is an event");

    $t->post(1, '/v1/chat/completions?3', { model => 'broken', @stream }, @h, 'X-Request-ID', "broken-$run");
    ($server, @try) = spans_of("broken-$run");
    has($_, "$name: a stream that fails", 'error.type' => 'stream_error') for $server, $try[-1];
    my ($e) = grep { $_->{name} eq 'stream_error' } @{$try[-1]{events}};
    is_deeply(attrs($e->{attributes}), { 'error.type' => 'stream_error', 'aiobs.provider_error' => 'server_error' },
        "$name: an event says why");

    $t->get(1, '/fail', 'X-Request-ID', "fail-$run", 'traceparent', "00-$parent-b7ad6b7169203331-01");
    ($server, @try) = spans_of("fail-$run");
    has($_, "$name: 500", 'error.type' => '500', 'http.response.status_code' => 500) for $server, $try[-1];
    is_deeply([map { $_->{status}{code} } $server, @try], [2, 2], "$name: 500: both are errors");
    is_deeply([map { @$_{qw(traceId spanId)} } @{$server->{links}}], [$parent, 'b7ad6b7169203331'],
        "$name: a stranger's trace is linked");

    $t->raw(1, "BREW / HTTP/1.1\r\nHost: x\r\nX-Request-ID: brew-$run\r\nUser-Agent: caf\xe9\x01\r\nConnection: close\r\n\r\n");
    has((spans_of("brew-$run"))[0], "$name: an odd method, bytes that are no text", 'http.request.method' => '_OTHER',
        'http.request.method_original' => 'BREW', 'user_agent.original' => 'caf??');

    $t->get(1, '/steps', 'X-Request-ID', "steps-$run");
    my $step = (spans_of("steps-$run"))[-1];
    is("$step->{name} $step->{kind}", 'rag.retrieve 1', "$name: a step of Server-Timing");
    is_deeply($step->{attrs}, { chunks => 5, index => 'main', score => 0.75 }, "$name: with its attributes");

    unlike($t->get(1, '/metrics')->{body}, qr/^aiobs_export_(?:dropped|failed)/m, "$name: nothing failed");
}

# --- the log ---

sub records {
    my @exports = map { @{$_->{resourceLogs}} } map { decode_json($_) } Aiobs::slurp("$dir/logs.json") =~ /^(.*)\n/mg;
    return map { my $resource = attrs($_->{resource}{attributes});
        map { { %$_, attrs => attrs($_->{attributes}), resource => $resource } } map { @{$_->{logRecords}} } @{$_->{scopeLogs}} } @exports;
}

sub record_of {
    my ($id) = @_;
    return Aiobs::wait_for(sub { (grep { ($_->{attrs}{request_id} // '') eq $id } records())[0] }, 10) || {};
}

for ($t->log_lines(1)) {
    next if $_->{request_id} !~ /^(?:fail|steps)-/;
    my $r = record_of($_->{request_id});
    is_deeply([@$r{qw(traceId spanId severityText)}, $r->{resource}{'service.name'}, @{$r->{attrs}}{qw(path status_code)}],
        [@$_{qw(trace_id span_id level service path status_code)}], "$_->{request_id}: the record of its line");
    is($r->{severityNumber}, $_->{level} eq 'error' ? 17 : 9, 'its severity');
    my ($us) = $_->{timestamp} =~ /\.(\d{6})Z$/;
    like($r->{timeUnixNano}, qr/${us}000$/, 'its time');
}

# what is written while it is stopped comes when it is there again, the rest only once

record_of($_->{request_id}) for ($t->log_lines(1))[-1];
$t->kill_wait($pid, 'TERM');
$t->get(1, '/steps', 'X-Request-ID', "stopped-$_") for 1 .. 3;
Aiobs::wait_for(sub { ($t->log_lines(1))[-1]{request_id} eq 'stopped-3' }, 10);
start_collector();
record_of('stopped-3');
is_deeply([map { "@{$_->{attrs}}{qw(request_id event)} $_->{spanId}" } records()],
    [map { "@$_{qw(request_id event span_id)}" } $t->log_lines(1)], 'every line once');

is(Aiobs::slurp("$dir/collector.log"), '', 'the collector has nothing to complain of');

$t->done;
