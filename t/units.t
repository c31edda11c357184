#!/usr/bin/perl

# What is billed other than by tokens - searches, images, seconds, characters, pages -
# and by which of its tiers an answer says that it was made.

use strict;
use warnings;
use utf8;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;

binmode $_, ':utf8' for map { Test::More->builder->$_ } qw(output failure_output);

my $t = Aiobs->new;
my $answer;

# the answer comes with the request, in a header: bodies are of their own

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my $name = $req->{headers}{'x-answer'};
    $t->answer($c, 200, ['Content-Type', $name eq 'mp3' ? 'audio/mpeg' : 'application/json'],
        Aiobs::slurp($t->dir . "/$name"));
});

my %answers = (
    mp3 => "\xff\xfb\x90\x00" . "\0" x 600,
    duration => '{"text":"Hello.","usage":{"type":"duration","seconds":9}}',
    verbose => '{"task":"transcribe","language":"english","duration":"8.47","text":"Hi",'
        . '"segments":[{"text":"Hi","duration":99}]}',
    tokens => '{"text":"Hello.","usage":{"type":"tokens","input_tokens":14,"output_tokens":45,'
        . '"total_tokens":59,"input_token_details":{"text_tokens":0,"audio_tokens":14}}}',
    voxtral => '{"id":"c","model":"voxtral","choices":[],"usage":{"prompt_audio_seconds":30,"prompt_tokens":12,'
        . '"completion_tokens":7,"total_tokens":394,"prompt_tokens_details":{"audio_tokens":375}}}',
    images => '{"created":1,"data":[{"url":"https://a/\"data\":["},{"b64_json":"aGk="}]}',
    image_tokens => '{"created":1,"data":[{"b64_json":"aGk="}],"usage":{"input_tokens":50,'
        . '"output_tokens":1000,"total_tokens":1050,'
        . '"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}',
    rerank => '{"id":"r","results":[{"index":0,"relevance_score":0.9}],'
        . '"meta":{"billed_units":{"search_units":3}}}',
    pages => '{"pages":[{"index":0,"markdown":"# x \\"pages_processed\\":9"}],"model":"reader",'
        . '"usage_info":{"pages_processed":3,"doc_size_bytes":100}}',
    predict => '{"predictions":[{"embeddings":{"values":[0.1]}}],'
        . '"metadata":{"billableCharacterCount":12}}',
    anthropic => '{"id":"msg_1","type":"message","model":"searcher","content":[],'
        . '"stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":20,'
        . '"server_tool_use":{"web_search_requests":2},"service_tier":"batch"}}',
    responses => '{"id":"resp_1","object":"response","status":"completed","model":"searcher",'
        . '"output":[{"type":"web_search_call","action":{"type":"search","query":"x"}},'
        . '{"action":{"type":"open_page"},"type":"web_search_call"},'
        . '{"type":"computer_call","action":{"type":"click"}},'
        . '{"type":"message","content":[{"type":"output_text","text":"web_search_call"}]}],'
        . '"service_tier":"priority","usage":{"input_tokens":10,"output_tokens":20}}',
    flex => '{"id":"c","model":"searcher","service_tier":"flex","choices":[],'
        . '"usage":{"prompt_tokens":10,"completion_tokens":20}}',
    default => '{"id":"c","model":"searcher","service_tier":"default","choices":[],'
        . '"usage":{"prompt_tokens":10,"completion_tokens":20}}',
);
Aiobs::spew($t->dir . "/$_", $answers{$_}) for keys %answers;

Aiobs::spew($t->dir . '/prices.json', <<'E');
{ "tts": { "litellm_provider": "openai", "mode": "audio_speech", "input_cost_per_character": 1.5e-05 },
  "whisper": { "litellm_provider": "openai", "mode": "audio_transcription", "input_cost_per_second": 0.0001,
               "output_cost_per_second": 0.0001 },
  "voxtral": { "litellm_provider": "mistral", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
               "input_cost_per_second": 0.0001 },
  "painter": { "litellm_provider": "openai", "mode": "image_generation", "input_cost_per_image": 0.04 },
  "gpt-image": { "litellm_provider": "openai", "input_cost_per_token": 5e-06,
                 "input_cost_per_image_token": 1e-05, "output_cost_per_token": 4e-05 },
  "reader": { "litellm_provider": "mistral", "mode": "ocr", "ocr_cost_per_page": 0.004,
              "annotation_cost_per_page": 0.005 },
  "ranker": { "litellm_provider": "cohere", "mode": "rerank", "input_cost_per_query": 0.002 },
  "searcher": { "litellm_provider": "openai", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
                "input_cost_per_token_flex": 5e-07, "output_cost_per_token_flex": 1e-06,
                "input_cost_per_token_priority": 2e-06, "output_cost_per_token_priority": 4e-06,
                "input_cost_per_token_batches": 5e-07, "output_cost_per_token_batches": 1e-06,
                "search_context_cost_per_query": { "search_context_size_medium": 0.01 } } }
E

$t->start(<<'E');
aiobs_prices prices.json;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location / { aiobs_llm auto; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }
}
E

my $n = 0;

sub call {
    my ($path, $name, $request, $type) = @_;
    $n++;
    utf8::encode($request);
    my $res = $t->request(1, 'POST', $path, ['X-Request-ID', "u$n", 'X-Answer', $name,
        'Content-Type', $type // 'application/json'], $request);
    is($res->{body}, $answers{$name}, "$name: untouched");
    return $t->log_of("u$n");
}

sub units {
    my ($model, $unit) = @_;
    my ($v) = $t->get(1, '/metrics')->{body}
        =~ /^llm_billed_units_total\{[^}]*model="$model"[^}]*unit="$unit"\} (\S+)$/m;
    return $v;
}

# speech: characters, not bytes, and escapes are what they stand for

my $l = call('/v1/audio/speech', 'mp3',
    '{"model":"tts","input":"Grüße, \ud83d\ude00 \"Welt\"\n","voice":"alloy"}');
is(units('tts', 'characters'), 16, 'speech: characters of the text');
is($l->{cost_usd}, 16 * 1.5e-5, 'speech: their price');
is($l->{input_tokens}, undef, 'speech: no tokens');

$l = call('/v1/audio/transcriptions', 'duration', '{"model":"whisper"}');
is($l->{cost_usd}, 0.0009, 'transcription: seconds reported');
$l = call('/v1/audio/transcriptions', 'duration',
    join("\r\n", '--b', 'Content-Disposition: form-data; name="file"; filename="a"', '', 'x', '--b',
        'Content-Disposition: form-data; name="model"', '', 'whisper', '--b--', ''),
    'multipart/form-data; boundary=b');
is("$l->{request_model} $l->{cost_usd}", 'whisper 0.0009', 'transcription: the model of a form');
$l = call('/v1/audio/transcriptions', 'verbose', '{"model":"whisper"}');
is($l->{cost_usd}, 0.000847, 'transcription: its duration, not that of a segment');
is(units('whisper', 'seconds'), 26.47, 'transcription: seconds');
is($l->{usage_source}, 'none', 'transcription: no tokens were reported');

$l = call('/v1/audio/transcriptions', 'tokens', '{"model":"gpt-image"}');
is($l->{input_tokens}, 14, 'transcription by tokens');
is(units('gpt-image', 'seconds'), undef, 'which are not seconds');

$l = call('/v1/chat/completions', 'voxtral', '{"model":"voxtral"}');
is("$l->{input_tokens} $l->{output_tokens} $l->{cost_usd}", '12 7 0.003026', 'sound billed by its length beside tokens');
is(units('voxtral', 'seconds'), 30, 'sound: seconds');
is(scalar($t->get(1, '/metrics')->{body} =~ /model="voxtral".*audio_input/), '', 'sound: none of its tokens');

$l = call('/v1/images/generations', 'images', '{"model":"painter","n":2}');
is($l->{cost_usd}, 0.08, 'images by the piece');
is(units('painter', 'images'), 2, 'images: two');
$l = call('/v1/images/generations', 'image_tokens', '{"model":"gpt-image"}');
is($l->{cost_usd}, 10 * 5e-6 + 40 * 1e-5 + 1000 * 4e-5, 'images by tokens, those of pictures too');
is(units('gpt-image', 'images'), undef, 'images by tokens are no units');

$l = call('/v2/rerank', 'rerank', '{"model":"ranker","query":"q","documents":["a"]}');
is($l->{cost_usd}, 0.006, 'rerank: search units');
is(units('ranker', 'searches'), 3, 'rerank: searches');

$l = call('/v1/ocr', 'pages', '{"model":"reader","document":{}}');
is($l->{cost_usd}, 0.012, 'OCR: by the page');
is(units('reader', 'pages'), 3, 'OCR: pages');
is("$l->{usage_source} " . ($l->{input_tokens} // ''), 'none ', 'OCR: no tokens');

call('/v1/projects/p/locations/l/publishers/google/models/gecko:predict', 'predict', '{}');
is(units('other', 'characters'), 12, 'Vertex: billable characters');

$l = call('/v1/messages', 'anthropic', '{"model":"searcher","messages":[]}');
is($l->{cost_usd}, 10 * 5e-7 + 20 * 1e-6 + 2 * 0.01, 'Anthropic: batch, and two searches');
$l = call('/v1/responses', 'responses', '{"model":"searcher","input":"x"}');
is($l->{cost_usd}, 10 * 2e-6 + 20 * 4e-6 + 0.01,
    'Responses: priority, one search; a page opened is none, nor is a click');
is($t->get(1, '/metrics')->{body} =~ /provider="openai",model="searcher",.*unit="searches"\} (\S+)/
    && $1, 1, 'Responses: one search');
$l = call('/v1/chat/completions', 'flex', '{"model":"searcher","messages":[]}');
is($l->{cost_usd}, 10 * 5e-7 + 20 * 1e-6, 'chat: flex');
$l = call('/v1/chat/completions', 'default', '{"model":"searcher","messages":[]}');
is($l->{cost_usd}, 10 * 1e-6 + 20 * 2e-6, 'chat: standard');

$t->done;
