#!/usr/bin/perl

# Thoughts and calls of tools are content like text: the first token comes
# with them, and a stream that ends in them has been used.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use AiobsUnit;
use JSON::PP;
use Test::More;

my $exe = reader();

my $ndjson = 'application/x-ndjson';
my $sse = 'text/event-stream';

content('Ollama chat, thinking', '/api/chat', $ndjson,
    '{"message":{"role":"assistant","content":"","thinking":"hm"}}');
content('Ollama chat, a tool', '/api/chat', $ndjson, '{"message":{"content":"",'
    . '"tool_calls":[{"function":{"name":"f","arguments":{"eval_count":9}}}]}}');
content('Ollama generate, thinking', '/api/generate', $ndjson,
    '{"response":"","thinking":"hm","done":false}');
content('Mistral, thinking', '/v1/chat/completions', $sse, 'data: {"choices":[{"delta":'
    . '{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}}]}');
content('Cohere, thinking', '/v2/chat', $sse,
    'data: {"type":"content-delta","delta":{"message":{"content":{"thinking":"hm"}}}}');
content('Converse, thinking', '/model/m/converse-stream', 'application/json',
    '{"delta":{"reasoningContent":{"text":"hm"}}}');
content('Converse, a tool', '/model/m/converse-stream', 'application/json',
    '{"delta":{"toolUse":{"input":"{\"usage\":{\"inputTokens\":9}}"}}}');

done_testing();

sub content {
    my ($name, $path, $type, $body) = @_;

    my $out = AiobsUnit::run_ok($exe, "$body\n\n", $name, 1, 'POST', $path, 200,
        "content-type:$type");
    my $r = decode_json($out);

    is("$r->{ttft} $r->{source}", '1 estimated', "$name: content, not a report");
    ok($r->{splits}, "$name: however it is split");
}
