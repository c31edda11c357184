#!/usr/bin/perl

# Answers on paths that say nothing: the body tells whose they are. And what
# the documentation of providers says besides: odd places, odd figures, decoys.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin qw($Bin);
use lib "$Bin/../lib";

use AiobsUnit;
use JSON::PP;
use Test::More;

my $dir = tempdir(CLEANUP => 1);
my $exe = reader();

# AIOBS_DIALECT_*
my %dialect = (auto => 1, openai => 2, anthropic => 3, gemini => 4);

sub read_body {
    my ($dialect, $path, $body, $type, @headers) = @_;

    open my $fh, '>', "$dir/body" or die;
    binmode $fh;
    print $fh $body;
    close $fh;

    $type ||= 'application/json';
    my ($method, $uri) = $path =~ /^(\w+) (.*)/ ? ($1, $2) : ('POST', $path);
    my $cmd = join ' ', map { quotemeta } $exe, $dialect{$dialect}, $method, $uri, 200,
        "content-type:$type", @headers;
    my $out = `$cmd < $dir/body 2>$dir/err`;

    $? == 0 or return { crashed => do { local (@ARGV, $/) = "$dir/err"; <> } };
    return decode_json($out);
}

# what is expected of those fields, and every split alike

sub gives {
    my ($name, $r, %want) = @_;

    $want{splits} = JSON::PP::true;
    my %got = map { $_ => $r->{$_} } keys %want;
    is_deeply(\%got, \%want, $name) or diag(encode_json($r));
    return;
}

sub sse { return join '', map { "data: $_\n\n" } @_ }

my $chat = '{"id":"c1","object":"chat.completion","model":"m-1","choices":[{"index":0,'
    . '"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],'
    . '"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}';
my @chunks = ('{"id":"c1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,'
    . '"delta":{"role":"assistant","content":"Hel"},"finish_reason":null}]}',
    '{"id":"c1","object":"chat.completion.chunk","model":"m-1","choices":[{"index":0,'
    . '"delta":{"content":"lo there"},"finish_reason":"stop"}]}');
my $end = '{"id":"c1","object":"chat.completion.chunk","model":"m-1","choices":[],'
    . '"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}';

# --- whose answer it is ---

for my $path ('/serving-endpoints/claude/invocations', '/api/v2/cortex/inference:complete',
    '/whatever', '/') {
    gives("chat completion, $path", read_body('auto', $path, $chat), input => 11, output => 7,
        model => 'm-1', finish => 'stop', source => 'reported', provider => 'openai',
        operation => 'chat', countable => 1, stream => 0);
}

gives('chat stream', read_body('auto', '/invocations', sse(@chunks, $end, '[DONE]'),
    'text/event-stream'), input => 11, output => 7, source => 'reported', countable => 1,
    stream => 1, finish => 'stop');
gives('chat stream without a report', read_body('auto', '/invocations',
    sse(@chunks, '[DONE]'), 'text/event-stream'), source => 'estimated', countable => 1,
    operation => 'chat');
gives('Anthropic, caches beside the input', read_body('auto', '/proxy',
    '{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":['
    . '{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":3,'
    . '"cache_creation_input_tokens":20,"cache_read_input_tokens":100,"output_tokens":9}}'),
    input => 123, output => 9, cache_read => 100, cache_write => 20, provider => 'anthropic',
    finish => 'end_turn', countable => 1);
gives('Anthropic stream', read_body('auto', '/proxy',
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\","
    . '"model":"claude-x","usage":{"input_tokens":25,"output_tokens":1}}}' . "\n\n"
    . sse('{"type":"content_block_delta","delta":{"type":"text_delta","text":"Hi"}}',
        '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}',
        '{"type":"message_stop"}'), 'text/event-stream'), input => 25, output => 15,
    provider => 'anthropic', model => 'claude-x', stream => 1, countable => 1);
gives('Gemini', read_body('auto', '/proxy', '{"candidates":[{"content":{"parts":[{"text":"x"}]},'
    . '"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":5,'
    . '"thoughtsTokenCount":6},"modelVersion":"gemini-x"}'), input => 4, output => 11,
    provider => 'gemini', operation => 'generate_content', countable => 1);
gives('Converse', read_body('auto', '/proxy', '{"output":{"message":{"content":[{"text":"x"}]}},'
    . '"stopReason":"end_turn","usage":{"inputTokens":4,"outputTokens":5,"totalTokens":109,'
    . '"cacheReadInputTokens":100}}'), input => 104, output => 5, provider => 'bedrock',
    finish => 'end_turn', countable => 1);
gives('Responses', read_body('auto', '/proxy', '{"id":"resp_1","object":"response","status":'
    . '"completed","model":"m-1","output":[{"type":"message","content":[{"type":"output_text",'
    . '"text":"x"}]}],"usage":{"input_tokens":4,"input_tokens_details":{"cached_tokens":2},'
    . '"output_tokens":5,"total_tokens":9}}'), input => 4, output => 5, cache_read => 2,
    provider => 'openai', finish => 'completed', countable => 1);
gives('embeddings', read_body('auto', '/proxy', '{"object":"list","data":[{"object":"embedding",'
    . '"index":0,"embedding":[0.1,0.2]}],"model":"e-1","usage":{"prompt_tokens":8,'
    . '"total_tokens":8}}'), input => 8, operation => 'embeddings', countable => 1);
gives('a dialect that is named is the one', read_body('openai', '/proxy', $chat), input => 11,
    countable => 1);
gives('and no other', read_body('gemini', '/proxy', $chat), countable => 0);

# --- what is no call ---

gives('no answer of a model', read_body('auto', '/proxy', '{"ok":true,"usage":{"disk":5}}'),
    countable => 0);
gives('some JSON with tokens', read_body('auto', '/proxy',
    '{"usage":{"input_tokens":5,"output_tokens":6}}'), countable => 0);
gives('a decoy in a text', read_body('auto', '/proxy',
    '{"message":"{\"usage\":{\"prompt_tokens\":5}}"}'), countable => 0);
gives("$_ made nothing", read_body('auto', $_, $chat), countable => 0)
    for '/v1/chat/completions/chatcmpl-1', '/v1/threads/t_1/runs', '/v1/batches',
        'GET /invocations', 'DELETE /proxy';
gives('nor did a cancelled response', read_body('auto', '/v1/responses/resp_1/cancel',
    '{"object":"response","usage":{"input_tokens":1,"output_tokens":2}}'), countable => 0);

# --- places and figures that documentation tells of ---

gives('Databricks: null until the last', read_body('auto', '/v1/chat/completions', sse(
    '{"choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":30,'
    . '"completion_tokens":null,"total_tokens":null}}',
    '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":30,'
    . '"completion_tokens":4,"total_tokens":34}}', '[DONE]'), 'text/event-stream'),
    input => 30, output => 4, source => 'reported');
gives('Moonshot: in the choice', read_body('auto', '/v1/chat/completions', sse(
    '{"choices":[{"index":0,"delta":{"content":"a"}}]}',
    '{"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":3,'
    . '"completion_tokens":4,"total_tokens":7}}]}', '[DONE]'), 'text/event-stream'),
    input => 3, output => 4, finish => 'stop');
gives('Writer, on a path of Cohere', read_body('auto', '/v1/chat', sse(@chunks, $end),
    'text/event-stream'), input => 11, output => 7, model => 'm-1', finish => 'stop');
gives('Aleph Alpha, on a path of Anthropic', read_body('auto', '/complete',
    '{"model_version":"2022-04","completions":[{"completion":"x","finish_reason":'
    . '"maximum_tokens"}],"num_tokens_prompt_total":7,"num_tokens_generated":16}'),
    input => 7, output => 16, finish => 'maximum_tokens');
gives('GPUStack: an error as a field of SSE', read_body('auto', '/v1-openai/chat/completions',
    sse($chunks[0]) . 'error: {"error":{"code":500,"message":"gone"}}' . "\n\n",
    'text/event-stream'), midstream_error => 1);
gives('Vercel: what is nested is not ours', read_body('auto', '/v1/chat/completions',
    '{"choices":[{"message":{"content":"x","provider_metadata":{"anthropic":{"usage":{'
    . '"input_tokens":999,"output_tokens":999}}}},"finish_reason":"stop"}],"usage":{'
    . '"prompt_tokens":1,"completion_tokens":2}}'), input => 1, output => 2);
gives('figures with a fraction of nothing', read_body('auto', '/model/amazon.titan/invoke',
    '{"inputTextTokenCount":28.0,"results":[{"tokenCount":3.0,"outputText":"x",'
    . '"completionReason":"FINISH"}]}'), input => 28, output => 3, finish => 'FINISH');
gives('OpenRouter: an error and a report in one', read_body('auto', '/api/v1/chat/completions',
    sse($chunks[0], '{"error":{"code":502,"message":"x"},"choices":[{"index":0,"delta":{},'
    . '"finish_reason":"error"}],"usage":{"prompt_tokens":5,"completion_tokens":6}}'),
    'text/event-stream'), midstream_error => 1, input => 5, output => 6);
gives('Anthropic: null erases nothing', read_body('auto', '/v1/messages',
    sse('{"type":"message_start","message":{"usage":{"input_tokens":10,'
    . '"cache_read_input_tokens":5,"output_tokens":1}}}',
    '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":null,'
    . '"cache_read_input_tokens":null,"output_tokens":20}}', '{"type":"message_stop"}'),
    'text/event-stream'), input => 15, output => 20, cache_read => 5);
gives('Cohere: a failed generation', read_body('auto', '/v2/chat',
    sse('{"type":"message-end","delta":{"finish_reason":"ERROR","error":"x","usage":{}}}'),
    'text/event-stream'), midstream_error => 1, input => -1);

# --- what one line of Content-Encoding says, another does not take back ---

require IO::Compress::Gzip;
IO::Compress::Gzip::gzip(\$chat, \my $gzipped);
gives('gzip', read_body('openai', '/v1/chat/completions', $gzipped, undef,
    'content-encoding:gzip'), input => 11, output => 7);

for my $second ('gzip', 'identity', 'br') {
    gives("gzip, and then $second", read_body('openai', '/v1/chat/completions', $gzipped,
        undef, 'content-encoding:gzip', "content-encoding:$second"), source => 'estimated',
        input => 1_000_000, output => -1);
}

done_testing();
