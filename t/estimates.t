#!/usr/bin/perl

# A stream that is cut is not free: the prompt is estimated from the text of the
# request, wherever its API keeps it; what is no text is left out.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use JSON::PP;
use Test::More;

my $t = Aiobs->new;

$t->upstream(0, sub {
    my ($req, $c) = @_;

    my $encoding = $req->{headers}{'x-encoding'};

    if ($encoding) {
        my $body = $req->{headers}{'x-event'};
        $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: $req->{headers}{'x-type'}\r\n"
            . "Connection: close\r\nContent-Encoding: $encoding\r\nContent-Length: "
            . length($body) . "\r\n\r\n$body");
        return;
    }

    $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: $req->{headers}{'x-type'}\r\n"
        . "Connection: close\r\nContent-Length: 100000\r\n\r\n$req->{headers}{'x-event'}\n\n");
});

$t->start(<<'EOF');
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    aiobs_llm auto;
    location / { proxy_pass http://127.0.0.1:%%PORT_0%%; }
}
EOF

my $text = 'The quick brown fox jumps over the lazy dog again. ' x 20;
my $media = 'A' x 20000;

my %event = (
    chat => '{"choices":[{"delta":{"content":"hello there"}}]}',
    responses => '{"type":"response.output_text.delta","delta":"hello there"}',
    messages => '{"type":"content_block_delta","delta":{"text":"hello there"}}',
    gemini => '{"candidates":[{"content":{"parts":[{"text":"hello there"}]}}]}',
    assist => '{"response":{"candidates":[{"content":{"parts":[{"text":"hello there"}]}}]}}',
    ndjson => '{"event_type":"text-generation","text":"hello there"}',
);

my $gemini = '/v1beta/models/g:streamGenerateContent';

my @cases = (
    ['chat, with an image', chat => '/v1/chat/completions', { messages => [{ content => [
        { type => 'text', text => $text },
        { type => 'image_url', image_url => { url => "data:image/png;base64,$media" } }] }] }],
    ['a result of a function', responses => '/v1/responses',
        { input => [{ type => 'function_call_output', output => $text }] }],
    ['the same in parts', responses => '/v1/responses',
        { input => [{ output => [{ type => 'input_text', text => $text }] }] }],
    ['a result of a tool', messages => '/v1/messages',
        { messages => [{ content => [{ type => 'tool_result', content => $text }] }] }],
    ['the same in blocks', messages => '/v1/messages', { messages => [{ content => [
        { type => 'tool_result', content => [{ type => 'text', text => $text },
            { type => 'image', source => { data => $media } }] }] }] }],
    ['contents without a list', gemini => $gemini,
        { contents => { parts => { text => $text } } }],
    ['parts without a list', gemini => $gemini, { contents => [{ parts => { text => $text } }] }],
    ['system_instruction', gemini => $gemini,
        { contents => [], system_instruction => { parts => [{ text => $text }] } }],
    ['a wrapped request', assist => '/v1internal:streamGenerateContent',
        { request => { contents => [{ parts => [{ text => $text }] }] } }],
    ['chat_history', ndjson => '/v1/chat',
        { message => 'x', chat_history => [{ role => 'USER', message => $text }] }],
    ['preamble', ndjson => '/v1/chat', { message => 'x', preamble => $text }],
    ['a response of a function', gemini => $gemini, { contents => [{ parts => [
        { functionResponse => { name => 'f', response => { found => [{ what => $text }] } } },
        { inlineData => { mimeType => 'image/png', data => $media } }] }] }],
    ['declarations of functions', gemini => $gemini, { contents => [], tools => [
        { functionDeclarations => [{ name => 'f', description => $text }] }] }],
    ['arguments of a function', gemini => $gemini, { contents => [{ role => 'model',
        parts => [{ functionCall => { name => 'f', args => { what => $text } } }] }] }],
    ['tools', messages => '/v1/messages', { messages => [], tools => [
        { name => 'f', input_schema => { properties => { a => { description => $text } } } }] }],
    ['a call of a tool', messages => '/v1/messages', { messages => [{ content => [
        { type => 'tool_use', input => { what => $text } }] }] }],
    ['arguments', chat => '/v1/chat/completions', { messages => [{ role => 'assistant',
        tool_calls => [{ function => { name => 'f', arguments => $text } }] }] }],
    ['a document that is text', messages => '/v1/messages', { messages => [{ content => [
        { type => 'document', source => { type => 'text', data => $text } },
        { type => 'document', source => { type => 'base64', data => $media } }] }] }],
    ['a document in blocks', messages => '/v1/messages', { messages => [{ content => [
        { type => 'document', source => { type => 'content', content => [
            { type => 'text', text => $text }, { type => 'image', source => {
                type => 'base64', data => $media } }] } }] }] }],
    ['results of a search', messages => '/v1/messages', { messages => [{ content => [
        { type => 'tool_result', content => [{ type => 'search_result', source => 'https://x',
            title => 'x', content => [{ type => 'text', text => $text }] }] }] }] }],
    ['a result that is JSON', messages => '/model/m/invoke', { messages => [{ content => [
        { toolResult => { content => [{ json => { what => $text } },
            { image => { source => { bytes => $media } } }] } }] }] }],
);

for (@cases) {
    my ($name, $kind, $path, $request) = @$_;
    our $n; $n++;

    $t->post(1, $path, $request, 'X-Request-ID', "cut$n",
        'X-Type', $kind eq 'ndjson' ? 'application/stream+json' : 'text/event-stream',
        'X-Event', ($kind eq 'ndjson' ? '' : 'data: ') . $event{$kind});

    my $line = $t->log_of("cut$n");
    is("$line->{usage_source} $line->{error_type}", 'estimated upstream_reset', "$name: cut");
    ok($line->{input_tokens} > 150 && $line->{input_tokens} < 500, "$name: the text counts")
        or diag($line->{input_tokens});
    is($line->{output_tokens}, 2, "$name: and what came");
}

# embeddings have nothing but a prompt: it counts if their report did not come, or cannot be read

my @embeddings = (
    [openai => '/v1/embeddings', { model => 'e', input => [$text] }],
    [gemini => '/v1beta/models/e:embedContent', { content => { parts => [{ text => $text }] } }],
    [batch => '/v1beta/models/e:batchEmbedContents',
        { requests => [{ content => { parts => [{ text => $text }] } }] }],
    [vertex => '/v1/projects/p/models/e:predict', { instances => [{ content => $text }] }],
    [cohere => '/v2/embed', { texts => [$text] }],
    [ollama => '/api/embed', { model => 'e', input => $text }],
);

for (@embeddings) {
    my ($name, $path, $request) = @$_;

    for my $how ('cut', 'rot13') {
        our $n; $n++;

        $t->post(1, $path, encode_json($request), 'X-Request-ID', "embed$n", 'X-Type', 'application/json',
            'X-Event', '{"data":[{"embedding":[0.1,0.2]}],', $how eq 'cut' ? () : ('X-Encoding', $how));

        my $line = $t->log_of("embed$n");
        is($line->{usage_source}, 'estimated', "embeddings, $name, $how: estimated");
        ok($line->{input_tokens} > 150 && $line->{input_tokens} < 500,
            "embeddings, $name, $how: the text counts") or diag($line->{input_tokens});
        is($line->{output_tokens}, undef, "embeddings, $name, $how: nothing is generated");
    }
}

our $n; $n++;
$t->post(1, '/v1/embeddings', '{"input":[[1,2,3]]}', 'X-Request-ID', "embed$n",
    'X-Type', 'application/json', 'X-Event', '{', 'X-Encoding', 'rot13');
is($t->log_of("embed$n")->{usage_source}, 'none', 'tokens, not text: nobody knows');

$t->done;
