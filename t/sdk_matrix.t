#!/usr/bin/perl

# Every official client through the gateway, streaming and not: what it gets is
# what it gets from the provider itself, and the log line tells all of it.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsPeers;
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my $key = $t->key('alice', 'matrix');

AiobsPeers::aimock($t, 0);

# recorded shapes, by name, with the ending that gives them their type

my %ending = ('application/json' => 'json', 'text/event-stream' => 'sse',
    'application/x-ndjson' => 'ndjson', 'application/vnd.amazon.eventstream' => 'aws');
my %expected;

for my $case (glob "$Bin/corpus/*") {
    my $meta = decode_json(Aiobs::slurp("$case/meta.json"));
    my ($type) = ($meta->{headers}{'content-type'} // '') =~ /^([^; ]+)/ or next;
    my ($name) = $case =~ m{([^/]+)$};
    my $file = "$name." . ($ending{$type} // next);
    Aiobs::spew($t->dir . "/html/$file", Aiobs::slurp("$case/response.bin"));
    $expected{$file} = $meta->{expected};
}

$t->start(<<'EOF');
aiobs_key_store sqlite:%%DIR%%/keys.db;
map $http_x_file $provider { '' 127.0.0.1:%%PORT_0%%; default 127.0.0.1:%%PORT_2%%; }
proxy_http_version 1.1;

server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    aiobs_llm auto;
    aiobs_endpoint llm;
    aiobs_stream_usage on;
    aiobs_agent_session $http_x_agent_session calls=1;
    location / { aiobs_auth on; proxy_pass http://$provider; }
    location = /metrics { aiobs_llm off; aiobs_metrics; }
}

# what the Bedrock client signs is no key of ours

server {
    listen 127.0.0.1:%%PORT_3%% http2;
    aiobs on;
    aiobs_llm bedrock;
    aiobs_endpoint llm;
    aiobs_stream_usage on;
    location / { proxy_pass http://$provider; }
}

server {
    listen 127.0.0.1:%%PORT_2%%;
    types { application/json json; text/event-stream sse; application/x-ndjson ndjson; application/vnd.amazon.eventstream aws; }
    location / { error_page 404 405 =200 /$http_x_file; }
}
EOF

sub url { return 'http://127.0.0.1:' . $t->port($_[0]) }

my $r = AiobsPeers::script($t, 'matrix.mjs', url(1), url(3), url(0), url(2), $key);

# --- what aimock answers: provider, operation, model, tokens, finish reason ---

my %chat = (input => 123, output => 45, finish => 'stop');
my %native = (input => 77, output => 11);
my %openai = (provider => 'openai', operation => 'chat', model => 'gpt-4o', %chat);
my %responses = (%openai, %native, finish => 'completed');
my %claude = (provider => 'anthropic', operation => 'chat', model => 'claude-opus-5', %native,
    finish => 'end_turn');
my %gemini = (provider => 'gemini', operation => 'generate_content', %chat, finish => 'STOP');
my %cohere = (provider => 'cohere', operation => 'chat', %chat, finish => 'COMPLETE');
my %bedrock = (provider => 'bedrock', operation => 'chat', %native, finish => 'end_turn');
my %ollama = (provider => 'ollama', operation => 'chat', model => 'llama3.2', input => 0, output => 0,
    finish => 'stop');

my %calls = (
    (map { $_ => \%openai } qw(openai-chat openai-chat-stream openai-chat-stream-usage
        vercel-chat vercel-chat-stream)),
    (map { $_ => \%responses } qw(openai-responses openai-responses-stream
        vercel-responses vercel-responses-stream)),
    (map { $_ => { %openai, model => 'gpt4' } } qw(azure-chat azure-chat-stream)),
    (map { $_ => { %openai, model => 'mistral-small' } } qw(mistral-chat mistral-chat-stream)),
    (map { $_ => \%claude } qw(anthropic anthropic-stream anthropic-x-api-key
        anthropic-x-api-key-stream)),
    (map { $_ => \%gemini } qw(genai genai-stream)),
    (map { $_ => \%cohere } qw(cohere-chat cohere-chat-stream)),
    (map { $_ => \%ollama } qw(ollama-chat ollama-chat-stream)),
    (map { $_ => \%bedrock } qw(bedrock-h2 bedrock-h2-stream bedrock-bearer bedrock-bearer-stream)),
    (map { $_ => { %bedrock, model => 'anthropic.claude-3-5-sonnet-20240620-v1%3A0' } }
        qw(bedrock-h2-invoke bedrock-bearer-invoke)),
);

sub check {
    my ($id, $want) = @_;

    my ($call, $line) = ($r->{$id} || {}, $t->log_of($id) || {});
    my $stream = $id =~ /stream/;
    my %want = (stream => $stream ? 1 : 0, status_code => 200, event => 'llm_called',
        usage_source => 'reported', user_id => $id =~ /-h2/ ? 'anon' : 'alice', %$want);
    my %field = (input => 'input_tokens', output => 'output_tokens', cache_read => 'cache_read_tokens',
        cache_write => 'cache_write_tokens', reasoning => 'reasoning_tokens', finish => 'finish_reason');

    subtest $id => sub {
        ok($call->{same}, 'the client gets what it gets from the provider') or diag(explain($call));

        for my $k (sort keys %want) {
            my $got = $line->{$field{$k} || $k};
            is(ref $got ? $got + 0 : $got, $want{$k}, $k);
        }

        is($line->{model}, $want{model}, 'model') unless exists $want{model};
        is($line->{error_type}, undef, 'no error');
        is(exists $line->{ttft}, !!$stream, 'time to first token, of streams alone');
    };

    return;
}

check($_, $calls{$_}) for sort keys %calls;

# --- recorded shapes: what aimock does not report ---

my @recorded = grep { /^[a-z].*\+/ } sort keys %$r;
my %provider = (qw(vercel openai mistral openai genai gemini));

for my $id (@recorded) {
    my ($client, $file) = $id =~ /^(\w+).*?\+(.*)/;
    my $e = $expected{$file};

    check($id, { provider => $provider{$client} || $client, model => $e->{model},
        input => $e->{norm_input}, output => $e->{norm_output}, cache_read => $e->{cache_read},
        cache_write => $e->{cache_write}, reasoning => $e->{reasoning},
        finish => @{$e->{finish_reasons}} ? join(',', @{$e->{finish_reasons}}) : undef,
        $id =~ /rerank/ ? (usage_source => 'none') : () });
}

cmp_ok(scalar @recorded, '>=', 20, 'recorded shapes were read');

my @unseen = grep { !/^(?:wrong|loop)-|\+/ && !$calls{$_} } keys %$r;
is("@unseen", '', 'every call was looked at');

# --- what the provider was asked, and what it was not ---

my $j = JSON::PP::decode_json($t->get(0, '/__aimock/journal?limit=1000')->{body});
$j = $j->{entries} || $j->{requests} if ref $j eq 'HASH';
my %asked = map { ($_->{headers}{'x-request-id'} // '') => $_ } @$j;

for my $id (qw(openai-chat-stream azure-chat-stream mistral-chat-stream)) {
    my ($direct, $via) = map { $asked{$_}{body} } "direct-$id", $id;
    is($direct->{stream_options}, undef, "$id: the client does not ask for usage");
    is_deeply($via->{stream_options}, { include_usage => JSON::PP::true }, 'the gateway does');
    delete $via->{stream_options};
    is_deeply($via, $direct, 'and changes nothing else');
}

for my $id (qw(openai-chat-stream-usage openai-chat openai-responses-stream anthropic-stream vercel-chat-stream
    genai-stream cohere-chat-stream ollama-chat-stream bedrock-bearer-stream))
{
    my ($direct, $via) = map { $asked{$_}{body} } "direct-$id", $id;
    ok($via, "$id reached the provider");
    is_deeply($via, $direct, 'as it was sent');
}

unlike(JSON::PP::encode_json([map { $asked{$_} } grep { !/^direct-/ } keys %asked]), qr/\Q$key\E/,
    'no client sends its key there');

# --- a wrong key: each client's own error, after one request ---

my %error = (openai => 'AuthenticationError', azure => 'AuthenticationError',
    anthropic => 'AuthenticationError', cohere => 'UnauthorizedError', genai => 'ApiError',
    mistral => 'SDKError', ollama => 'ResponseError', bedrock => 'BedrockRuntimeServiceException',
    vercel => 'APICallError');

my @lines = $t->log_lines(1);
my @wrong = sort grep { /^wrong-/ } keys %$r;

for my $id (@wrong) {
    my ($client) = $id =~ /^wrong-(\w+)/;

    is($r->{$id}{error}, $error{$client}, "$id: its error");
    is($r->{$id}{status}, 401, 'status');
    like($r->{$id}{message}, qr/Missing or invalid API key/, 'message');
    is(scalar(grep { $_->{request_id} eq $id } @lines), 1, 'one request');
}

# --- a session that is over its calls: nobody tries for long ---

for my $id (grep { /^loop-/ } sort keys %$r) {
    my $tries = () = grep { $_->{request_id} eq $id } @lines;

    is($r->{$id}{status}, 429, "$id: status");
    like($r->{$id}{message}, qr/agent session/, 'message');
    is($t->log_of($id)->{error_type}, 'session', 'the reason');
    cmp_ok($tries, '<=', $id =~ /cohere|bedrock/ ? 3 : 1, 'tries');
}

cmp_ok(scalar @wrong, '>=', 9, 'every client was refused');

$t->done;
