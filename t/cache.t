#!/usr/bin/perl

# Answers from the cache of nginx: calls, but neither tokens nor cost; the log
# says where they came from.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;

my $t = Aiobs->new;
my $n = 0;

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my $stream = $req->{body} =~ /"stream":true/;
    $t->answer($c, 200, ['Content-Type', $stream ? 'text/event-stream' : 'application/json',
        'Cache-Control', $req->{body} =~ /stale/ ? 'max-age=1' : 'max-age=60'],
        $stream ? ($req->{body} =~ /include_usage/ ? qq(data: {"model":"m","choices":[{"delta":{"content":"b"}}]}\n\n) x 300 : '')
            . qq(data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n)
            . qq(data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\ndata: [DONE]\n\n)
        : '{"id":"c","model":"m","choices":[{"index":0,"message":{"content":"x"},'
            . '"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}');
});

Aiobs::spew($t->dir . '/prices.json', '{"m":{"litellm_provider":"openai",'
    . '"input_cost_per_token":1e-06,"output_cost_per_token":1e-06}}');

$t->start(<<'E');
aiobs_prices prices.json;
proxy_cache_path %%DIR%%/cache keys_zone=answers:1m;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location / {
        aiobs_llm auto;
        proxy_cache answers;
        proxy_cache_methods POST;
        proxy_cache_key $request_uri|$request_body;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /hidden/ {
        aiobs_llm openai;
        aiobs_stream_usage on;
        aiobs_endpoint hidden;
        sendfile on;
        proxy_cache answers;
        proxy_cache_methods POST;
        proxy_cache_key $request_uri|$request_body;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /metrics { aiobs_metrics; }
}
E

sub call {
    my ($body) = @_;
    $n++;
    my $res = $t->post(1, '/v1/chat/completions', $body, 'X-Request-ID', "c$n",
        'Content-Type', 'application/json');
    return ($t->log_of("c$n"), $res);
}

for my $body ('{"model":"m","messages":[]}', '{"model":"m","stream":true,"messages":[]}') {
    my ($miss, $first) = call($body);
    is($miss->{upstream_cache_status}, 'MISS', 'the first is asked for');
    is($miss->{input_tokens}, 3, 'and billed');
    is($miss->{cost_usd}, 7e-6, 'and costs');

    for (1 .. 2) {
        my ($hit, $res) = call($body);
        is($hit->{upstream_cache_status}, 'HIT', 'the second is not');
        is($hit->{event}, 'llm_called', 'but a call');
        is($hit->{usage_source}, 'none', 'without usage');
        is($hit->{$_}, undef, "no $_") for qw(input_tokens output_tokens cost_usd attempts error_type);
        is($res->{body}, $first->{body}, 'the same answer');
    }
}

# usage that we asked for is hidden in what lies in a file as well

my @same = map { $t->post(1, '/hidden/v1/chat/completions', '{"model":"m","stream":true,"messages":[]}',
    'X-Request-ID', "hidden$_") } 1 .. 2;
is($t->log_of("hidden$_")->{upstream_cache_status}, ('MISS', 'HIT')[$_ - 1], 'usage is asked for') for 1 .. 2;
like($same[0]{body}, qr/"content":"b".*"content":"a".*\[DONE\]/s, 'a long stream');
unlike($same[0]{body}, qr/usage/, 'without usage');
is($same[1]{body}, $same[0]{body}, 'the same from the cache');

my $m = $t->get(1, '/metrics')->{body};
my ($calls) = $m =~ /^llm_calls_total\{provider="openai",model="m",endpoint="\/",.*error_type=""\} (\d+)$/m;
is($calls, 6, 'six calls');
like($m, qr/^llm_tokens_total\{.*model="m".*token_type="input"\} 6$/m, 'tokens of two');
like($m, qr/^llm_cost_usd_total\{.*model="m".*\} (?:1\.4e-05|0\.000014)$/m, 'cost of two');
like($m, qr/^llm_upstream_attempts_total\{.*outcome="success"\} 2$/m, 'two tries');
like($m, qr/^llm_calls_inprogress\{.*\} 0$/m, 'none left under way');

$t->done;
