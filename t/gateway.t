#!/usr/bin/perl

# The whole path of a call: key, ids, tokens, metrics, log; OpenAI chat
# completions and Anthropic messages, JSON and SSE.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;

my $t = Aiobs->new;

my %answers = (
    '/v1/chat/completions' => '{"id":"chatcmpl-1","object":"chat.completion",'
        . '"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":'
        . '{"role":"assistant","content":"Hello \"usage\":{\"prompt_tokens\":9}"},'
        . '"finish_reason":"stop"}],"usage":{"prompt_tokens":19,'
        . '"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":'
        . '{"cached_tokens":4},"completion_tokens_details":'
        . '{"reasoning_tokens":3}}}',
    '/v1/messages' => '{"id":"msg_1","type":"message","role":"assistant",'
        . '"model":"claude-sonnet-4-5","content":[{"type":"text","text":"Hi"}],'
        . '"stop_reason":"end_turn","usage":{"input_tokens":7,'
        . '"cache_creation_input_tokens":100,"cache_read_input_tokens":1000,'
        . '"output_tokens":5}}',
);

my $chunk = 'data: {"id":"chatcmpl-2","model":"gpt-4o-2024-08-06","choices":'
    . '[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}' . "\n\n";
my $openai_sse = 'data: {"id":"chatcmpl-2","model":"gpt-4o-2024-08-06",'
    . '"choices":[{"index":0,"delta":{"role":"assistant","content":""},'
    . '"finish_reason":null}]}' . "\n\n" . $chunk x 6
    . 'data: {"id":"chatcmpl-2","model":"gpt-4o-2024-08-06","choices":'
    . '[{"index":0,"delta":{},"finish_reason":"stop"}]}' . "\n\n";
my $openai_usage = 'data: {"id":"chatcmpl-2","model":"gpt-4o-2024-08-06",'
    . '"choices":[],"usage":{"prompt_tokens":11,"completion_tokens":6,'
    . '"total_tokens":17}}' . "\n\n";
my $anthropic_sse = join '', map { "event: $_->[0]\ndata: $_->[1]\n\n" }
    ['message_start', '{"type":"message_start","message":{"id":"msg_2",'
        . '"model":"claude-sonnet-4-5","usage":{"input_tokens":12,'
        . '"cache_read_input_tokens":3,"output_tokens":1}}}'],
    ['ping', '{"type":"ping"}'],
    ['content_block_delta', '{"type":"content_block_delta","index":0,'
        . '"delta":{"type":"text_delta","text":"Hello"}}'],
    ['message_delta', '{"type":"message_delta","delta":{"stop_reason":'
        . '"max_tokens"},"usage":{"output_tokens":8}}'],
    ['message_stop', '{"type":"message_stop"}'];

$t->upstream(0, sub {
    my ($req, $c) = @_;

    my ($path) = split /\?/, $req->{uri};
    my $id = $req->{headers}{'x-request-id'} // '';

    # what arrived, for the test to read

    open my $fh, '>', $t->dir . "/up.$id" or die;
    print $fh join "\n", @{$req->{lines}};
    close $fh;

    if ($req->{body} =~ /"stream":\s*true/) {
        $t->answer($c, 200, ['Content-Type', 'text/event-stream'],
            $path eq '/v1/messages' ? $anthropic_sse
            : $openai_sse . ($req->{body} =~ /include_usage/ ? $openai_usage : '')
                . "data: [DONE]\n\n");
        return;
    }

    $t->answer($c, 200, ['Content-Type', 'application/json',
        'x-request-id', 'req_of_provider'], $answers{$path});
});

my $key = $t->key('alice', 'laptop');

$t->start(<<'EOF');
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_service gateway test;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /v1/ {
        aiobs_auth on;
        aiobs_llm auto;
        aiobs_endpoint chat;
        proxy_set_header Authorization "Bearer provider-key";
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /metrics { aiobs_metrics; }
}
EOF

sub call {
    my ($path, $body, @headers) = @_;
    return $t->post(1, $path, $body, 'Authorization', "Bearer $key", @headers);
}

sub has {
    my ($line, $want, $name) = @_;

    subtest $name => sub {
        for my $k (sort keys %$want) {
            my $got = $line->{$k};
            $got = $got ? 'true' : 'false' if ref $got;
            is($got, $want->{$k}, $k);
        }
    };
}

# OpenAI, JSON

my $r = call('/v1/chat/completions', '{"model":"gpt-4o","messages":'
    . '[{"role":"user","content":"Hi"}]}', 'X-Request-ID', 'r1');

is($r->{status}, 200, 'answered');
is($r->{body}, $answers{'/v1/chat/completions'}, 'not a byte is changed');
is($r->{headers}{'x-request-id'}, 'r1', 'the id comes back');
is($r->{headers}{'x-provider-request-id'}, 'req_of_provider', "the provider's too");

my $up = Aiobs::slurp($t->dir . '/up.r1');
unlike($up, qr/\Q$key\E/, 'the key does not reach the upstream');
like($up, qr/^Authorization: Bearer provider-key$/m, "the provider's key does");
unlike($up, qr/x-user-id|traceparent/i, 'who it was stays here');

has($t->log_of('r1'), {
    event => 'llm_called', level => 'info', service => 'gateway',
    environment => 'test', user_id => 'alice', key_name => 'laptop',
    method => 'POST', path => '/v1/chat/completions', endpoint => 'chat',
    status_code => 200, upstream_status => 200, attempts => 1,
    provider => 'openai', operation => 'chat', request_model => 'gpt-4o',
    model => 'gpt-4o-2024-08-06', stream => 'false', input_tokens => 19,
    output_tokens => 10, cache_read_tokens => 4, reasoning_tokens => 3,
    usage_source => 'reported', finish_reason => 'stop',
    response_id => 'chatcmpl-1', provider_request_id => 'req_of_provider',
    ttft => undef, error_type => undef,
}, 'the log line of an OpenAI call');

# Anthropic, JSON, and its own key header

$r = $t->post(1, '/v1/messages', '{"model":"claude-sonnet-4-5","max_tokens":9,'
    . '"messages":[]}', 'x-api-key', $key, 'X-Request-ID', 'r2');
is($r->{status}, 200, 'x-api-key is accepted');
unlike(Aiobs::slurp($t->dir . '/up.r2'), qr/x-api-key/i, 'and taken out');

has($t->log_of('r2'), {
    provider => 'anthropic', model => 'claude-sonnet-4-5', stream => 'false',
    input_tokens => 1107, output_tokens => 5, cache_read_tokens => 1000,
    cache_write_tokens => 100, usage_source => 'reported',
    finish_reason => 'end_turn',
}, 'the log line of an Anthropic call');

# streams

$r = call('/v1/chat/completions', '{"model":"gpt-4o","stream":true,'
    . '"stream_options":{"include_usage":true},"messages":[]}',
    'X-Request-ID', 'r3');
is($r->{body}, $openai_sse . $openai_usage . "data: [DONE]\n\n",
    'a stream passes untouched');
has($t->log_of('r3'), {
    stream => 'true', input_tokens => 11, output_tokens => 6,
    usage_source => 'reported', finish_reason => 'stop',
}, 'a stream with usage');
ok(defined $t->log_of('r3')->{ttft}, 'it has a time to first token');
ok(defined $t->log_of('r3')->{time_per_output_token}, 'and per output token');

$r = call('/v1/chat/completions', '{"model":"gpt-4o","stream":true,"messages":'
    . '[{"role":"user","content":"Count to six, please, and say nothing else."}]}',
    'X-Request-ID', 'r4');
has($t->log_of('r4'), { stream => 'true', usage_source => 'estimated',
    output_tokens => 6 }, 'a stream without usage is estimated');
cmp_ok($t->log_of('r4')->{input_tokens}, '>', 5, 'its input as well');

$r = call('/v1/messages', '{"model":"claude-sonnet-4-5","stream":true,'
    . '"max_tokens":9,"messages":[]}', 'X-Request-ID', 'r5');
is($r->{body}, $anthropic_sse, 'an Anthropic stream passes untouched');
has($t->log_of('r5'), {
    stream => 'true', input_tokens => 15, output_tokens => 8,
    cache_read_tokens => 3, usage_source => 'reported',
    finish_reason => 'max_tokens', response_id => 'msg_2',
}, 'an Anthropic stream: the last report counts, nothing is added twice');

# metrics

my $m = $t->get(1, '/metrics')->{body};

sub metric {
    my ($name) = @_;
    my ($v) = $m =~ /^\Q$name\E ([0-9.]+)$/m;
    return $v;
}

my $l = 'provider="openai",model="gpt-4o-2024-08-06",endpoint="chat"';
my $a = 'provider="anthropic",model="claude-sonnet-4-5",endpoint="chat"';
my $estimated = $t->log_of('r4')->{input_tokens};

is(metric("llm_tokens_total{$l,token_type=\"input\"}"), 19 + 11 + $estimated,
    'OpenAI input tokens are summed');
is(metric("llm_tokens_total{$l,token_type=\"output\"}"), 10 + 6 + 6, 'and output');
is(metric("llm_tokens_total{$a,token_type=\"input\"}"), 1107 + 15,
    'Anthropic input tokens are summed');
is(metric("llm_token_details_total{$a,token_type=\"cache_read\"}"), 1003,
    'cache reads are a detail');
is(metric("llm_calls_total{$l,operation=\"chat\",error_type=\"\"}"), 3, 'calls');
is(metric("llm_call_duration_seconds_count{$l}"), 3, 'durations');
is(metric("llm_time_to_first_token_seconds_count{$l}"), 2, 'first tokens of streams');
is(metric("llm_time_per_output_token_seconds_count{$l}"), 2, 'times per token');
is(metric("llm_call_tokens_count{$l,token_type=\"output\"}"), 3, 'tokens of calls');
is(metric('llm_usage_source_total{endpoint="chat",source="estimated"}'), 1, 'sources');
is(metric('llm_upstream_attempts_total{endpoint="chat",provider="openai",'
    . 'outcome="success"}'), 3, 'attempts');
is(metric('http_requests_total{handler="/v1/",method="POST",status="200"}'), 5,
    'requests');
is(metric('http_request_duration_seconds_count{handler="/v1/",method="POST"}'), 5,
    'their durations');
is(metric('http_requests_inprogress{handler="/v1/",method="POST"}'), 0,
    'none under way');
is(metric('http_request_size_bytes_count{handler="/v1/"}'), 5, 'their sizes');
is(metric('http_response_size_bytes_count{handler="/v1/"}'), 5, 'their answers');
is(metric('llm_calls_inprogress{endpoint="chat"}'), 0, 'no call under way');
is(metric('aiobs_key_validations_total{result="valid"}'), 5, 'keys');
like($m, qr/^aiobs_build_info\{/m, 'build info');

for my $name (qw(aiobs_start_time_seconds aiobs_series_limit
    aiobs_reload_success_timestamp_seconds aiobs_zone_size_bytes
    aiobs_zone_used_bytes)) {
    like($m, qr/^$name [0-9]+$/m, $name);
}

unlike($m, qr/handler="\/metrics"/, 'the scrape itself is not counted');
unlike($m . join('', %{$t->get(1, '/metrics')->{headers}}), qr/\Q$key\E/,
    'no key in the metrics');

# the path of nginx is not in our way

$r = $t->get(1, '/metrics?x', 'X-Request-ID', 'r9');
is($t->log_of('r9')->{event}, 'request', 'other requests are logged as such');

$t->done;
