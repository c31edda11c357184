#!/usr/bin/perl

# What calls cost: by the price file, by the provider's own word; calls without
# a price are counted; a wrong file is an error of the configuration.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;

my $t = Aiobs->new;

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my $tier = $req->{headers}{'x-tier'};
    $t->answer($c, 200, ['Content-Type', 'application/json',
        $tier ? split /:/, $tier : ()], $req->{body});
});

Aiobs::spew($t->dir . '/prices.json', <<'EOF');
{ "sample_spec": { "input_cost_per_token": 0 },
  "small":  { "litellm_provider": "openai", "mode": "chat",
              "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05,
              "cache_read_input_token_cost": 1.25e-06 },
  "tiered": { "litellm_provider": "openai", "mode": "chat",
              "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
              "input_cost_per_token_above_1k_tokens": 3e-06,
              "output_cost_per_token_above_1k_tokens": 4e-06 },
  "tiers":  { "litellm_provider": "openai", "mode": "chat",
              "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
              "output_cost_per_reasoning_token": 4e-06,
              "input_cost_per_token_flex": 5e-07, "output_cost_per_token_flex": 1e-06,
              "input_cost_per_token_priority": 2e-06,
              "output_cost_per_token_priority": 4e-06,
              "output_cost_per_reasoning_token_priority": 8e-06 },
  "ttl":    { "litellm_provider": "anthropic", "mode": "chat",
              "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
              "cache_creation_input_token_cost": 3e-06,
              "cache_creation_input_token_cost_above_1hr": 5e-06 },
  "claude": { "litellm_provider": "anthropic", "mode": "chat",
              "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
              "provider_specific_entry": { "us": 1.1, "fast": 2 } },
  "astra":  { "litellm_provider": "openai", "mode": "chat",
              "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
              "input_cost_per_token_ultrafast": 6e-06, "output_cost_per_token_ultrafast": 1.2e-05,
              "input_cost_per_token_decisions": 1e-06, "output_cost_per_token_decisions": 0 },
  "latest": { "alias_of": "astra" },
  "heard":  { "litellm_provider": "gemini", "mode": "chat",
              "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
              "input_cost_per_audio_token": 3e-06, "input_cost_per_video_token": 7e-06,
              "cache_read_input_token_cost": 1e-07, "cache_read_input_audio_token_cost": 3e-07,
              "output_cost_per_video_token": 2e-05,
              "input_cost_per_token_priority": 4e-06, "input_cost_per_token_flex": 5e-07 },
  "pics":   { "litellm_provider": "openai", "mode": "image_generation",
              "input_cost_per_token": 1e-06, "input_cost_per_image_token": 2e-06,
              "output_cost_per_image_token": 4e-05 },
  "both":   { "litellm_provider": "gemini", "mode": "chat",
              "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06,
              "input_cost_per_audio_token": 3e-06,
              "output_cost_per_token_flex": 1e-06,
              "output_cost_per_image_token": 3e-05 },
  "perplexity/sonar-deep-research": { "litellm_provider": "perplexity", "mode": "chat",
              "input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06,
              "output_cost_per_reasoning_token": 3e-06,
              "citation_cost_per_token": 2e-06,
              "search_context_cost_per_query": { "search_context_size_low": 0.005,
                "search_context_size_medium": 0.005, "search_context_size_high": 0.005 } },
  "vertex_ai/mistral-x": { "litellm_provider": "vertex_ai-mistral_models", "mode": "chat",
              "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06 },
  "free":   { "litellm_provider": "openai", "mode": "chat",
              "input_cost_per_token": 0, "output_cost_per_token": 0 } }
EOF

my $conf = <<'EOF';
aiobs_prices prices.json;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location / { aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /auto/ { aiobs_llm auto; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }
}
EOF

$t->start($conf);

my $n = 0;

sub cost {
    my ($model, $usage) = @_;
    $n++;
    $t->post(1, '/v1/chat/completions', qq({"model":"$model","choices":[],"usage":$usage}),
        'X-Request-ID', "r$n");
    return $t->log_of("r$n")->{cost_usd};
}

is(cost('small', '{"prompt_tokens":1000,"completion_tokens":100}'), 0.0035,
    'input and output');
is(cost('small', '{"prompt_tokens":1000,"completion_tokens":100,'
    . '"prompt_tokens_details":{"cached_tokens":800}}'), 0.0025, 'cache reads are cheaper');
is(cost('small-2024-08-06', '{"prompt_tokens":1000,"completion_tokens":0}'), 0.0025,
    'a model with a date');
is(cost('tiered', '{"prompt_tokens":1000,"completion_tokens":10}'), 0.00102,
    'below a tier');
is(cost('tiered', '{"prompt_tokens":1001,"completion_tokens":10}'), 0.003043, 'above it');
is(cost('free', '{"prompt_tokens":5,"completion_tokens":5}'), 0, 'a model that is free');
is(cost('small', '{"prompt_tokens":5,"completion_tokens":5,"cost":0.00125}'), 0.00125,
    "the provider's own word is preferred");
sub priced {
    my ($path, $body, $tier) = @_;
    $n++;
    $t->post(1, "/auto$path", $body, 'X-Request-ID', "r$n", $tier ? ('X-Tier', $tier) : ());
    return $t->log_of("r$n")->{cost_usd};
}

my $converse = '"output":{"message":{"content":[{"text":"x"}]}},"usage":{"inputTokens":10,'
    . '"outputTokens":0,"cacheWriteInputTokens":30,"cacheDetails":['
    . '{"ttl":"1h","inputTokens":20},{"ttl":"5m","inputTokens":10}]}';

is(priced('/model/ttl/converse', "{$converse}"), 0.00014, 'cache writes by their ttl');
is(priced('/v1/messages', '{"type":"message","model":"ttl","usage":{"input_tokens":10,'
    . '"output_tokens":0,"cache_creation_input_tokens":30,"iterations":[{"input_tokens":10,'
    . '"output_tokens":0,"cache_creation_input_tokens":30,"cache_creation":'
    . '{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20}}]}}'), 0.00014,
    'those of iterations');

my %thought = (standard => 0.00024, flex => 0.00010, fast => 0.00048, scale => 0.00024);

for my $tier (sort keys %thought) {
    is(priced('/v1/chat/completions', qq({"model":"tiers","choices":[],"service_tier":"$tier",)
        . '"usage":{"prompt_tokens":100,"completion_tokens":50,'
        . '"completion_tokens_details":{"reasoning_tokens":20}}}'), $thought{$tier},
        "reasoning at the tier $tier");
}

is(priced('/v1/images/generations', '{"model":"pics","data":[{"b64_json":"x"}],'
    . '"usage":{"input_tokens":30,"output_tokens":100,"total_tokens":130,'
    . '"input_tokens_details":{"text_tokens":10,"image_tokens":20}}}'), 0.00405,
    'an image is made of image tokens');

my $g = '"candidates":[{"content":{"parts":[{"text":"x"}]}}],"modelVersion":"both",'
    . '"usageMetadata":{"promptTokenCount":30,"candidatesTokenCount":110,';

is(priced('/v1beta/models/both:generateContent', "{$g"
    . '"promptTokensDetails":[{"modality":"TEXT","tokenCount":10},'
    . '{"modality":"AUDIO","tokenCount":20}],"candidatesTokensDetails":'
    . '[{"modality":"IMAGE","tokenCount":100}]}}'), 0.00309, 'Gemini: audio and images');
is(priced('/v1beta/models/both:generateContent', "{$g" . '"trafficType":"ON_DEMAND_FLEX"}}'),
    0.00014, 'the tier of Vertex');
is(priced('/v1beta/models/both:generateContent', "{$g" . '"totalTokenCount":140}}',
    'X-Gemini-Service-Tier:flex'), 0.00014, "the tier in Gemini's header");
my $h = '"candidates":[{"content":{"parts":[{"text":"x"}]}}],"modelVersion":"heard",'
    . '"usageMetadata":{"promptTokenCount":110,"candidatesTokenCount":0,';
is(priced('/v1beta/models/heard:generateContent', "{$h" . '"cachedContentTokenCount":90,'
    . '"promptTokensDetails":[{"modality":"TEXT","tokenCount":10},{"modality":"AUDIO","tokenCount":100}],'
    . '"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":80},{"modality":"TEXT","tokenCount":10}]}}'),
    0.000085, 'audio that the cache had');
is(priced('/v1beta/interactions', '{"id":"i","model":"heard","status":"completed","usage":{"total_input_tokens":110,'
    . '"total_output_tokens":0,"total_cached_tokens":90,"input_tokens_by_modality":[{"modality":"text","tokens":10},'
    . '{"modality":"audio","tokens":100}],"cached_tokens_by_modality":[{"modality":"audio","tokens":80},'
    . '{"modality":"text","tokens":10}]}}'), 0.000085, 'the same of an interaction');
is(priced('/v1beta/models/heard:generateContent', '{"modelVersion":"heard","usageMetadata":{"promptTokenCount":110,'
    . '"candidatesTokenCount":20,"promptTokensDetails":[{"modality":"VIDEO","tokenCount":100}],'
    . '"candidatesTokensDetails":[{"modality":3,"tokenCount":15}]}}'), 0.00102, 'video');
is(priced('/v1beta/models/heard:generateContent', "{$h" . qq("serviceTier":$_->[0]}})), $_->[1],
    "the tier of Gemini: $_->[0]") for ['"priority"', 0.00044], ['"flex"', 0.000055], [3, 0.00011];
is(priced('/v1beta/models/heard:generateContent', "{$h" . '"trafficType":3}}'), 0.00044,
    'the tier of Vertex as a number');

for (['', 0.0001], ['"speed":"fast","inference_geo":"us",', 0.00022], ['"speed":"standard",', 0.0001],
    ['"inference_geo":"us",', 0.00011], ['"inference_geo":"global",', 0.0001])
{
    is(priced('/v1/messages', qq({"type":"message","model":"claude","usage":{$_->[0]"input_tokens":100,)
        . '"output_tokens":0}}'), $_->[1], "Anthropic: $_->[0]");
}

is(priced('/v1/responses', '{"id":"r","status":"completed","model":"astra","service_tier":"ultrafast",'
    . '"usage":{"input_tokens":10,"output_tokens":10}}'), 0.00018, 'ultrafast');
is(priced('/v1/responses', '{"id":"r","status":"completed","model":"latest",'
    . '"usage":{"input_tokens":10,"output_tokens":10}}'), 0.00003, 'an entry that stands for another');
is(priced('/v1/decisions', '{"id":"d","object":"decision","model":"astra",'
    . '"usage":{"input_tokens":10,"output_tokens":10}}'), 0.00001, 'decisions');
is(priced('/model/tiers/converse', '{"serviceTier":{"type":"priority"},"usage":{'
    . '"inputTokens":10,"outputTokens":0}}'), 0.00002, 'the tier of Converse');
is(priced('/model/tiers/invoke', '{"usage":{"input_tokens":10,"output_tokens":0}}',
    'X-Amzn-Bedrock-Service-Tier:flex'), 0.000005, 'that of Invoke is in a header');

# answers that are alike are read as one form, in time

my %alike;
$alike{priced('/v1/chat/completions', qq({"id":"c$_","model":"tiers","choices":[{"index":0,"message":{)
    . qq("role":"assistant","content":"text $_"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,)
    . '"completion_tokens":0}}', 'X-Amzn-Bedrock-Service-Tier:flex')}++ for 1 .. 80;
is(join(' ', keys %alike), '5e-06', 'the same of many answers that are alike');

is(priced('/chat/completions', '{"model":"perplexity/sonar-deep-research","choices":[],'
    . '"usage":{"prompt_tokens":33,"completion_tokens":7163,"total_tokens":7196,'
    . '"citation_tokens":20016,"num_search_queries":18,"reasoning_tokens":73997}}'),
    0.409393, 'a research: searches, what was read and thought');
is(priced('/v1/projects/p/locations/l/publishers/mistralai/models/mistral-x:rawPredict',
    '{"model":"mistral-x","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5}}'),
    0.00002, 'a model of another publisher at Vertex');

is(cost('unlisted', '{"prompt_tokens":5,"completion_tokens":5}'), undef, 'no price, no cost');

my $m = $t->get(1, '/metrics')->{body};
my ($sum) = $m =~ /^llm_cost_usd_total\{provider="openai",model="small",endpoint="\/"\} (\S+)$/m;
is($sum, 0.00725, 'costs are summed exactly');
like($m, qr/^aiobs_unpriced_calls_total 1$/m, 'unpriced calls are counted');

# a model that the price file lists may be a label, though only the client named it

$t->post(1, '/v1/chat/completions', '{"model":"free","x":1}');
$t->stop;

for my $case (
    ['no file', 'aiobs_prices none.json;', qr/none\.json.*nginx\.conf:\d+/],
    ['no JSON', 'aiobs_prices wrong.json;', qr/wrong\.json:2: /],
    ['twice', 'aiobs_prices prices.json; aiobs_prices prices.json;', qr/duplicate/],
) {
    my ($name, $directive, $want) = @$case;
    Aiobs::spew($t->dir . '/wrong.json', "{\n\"a\": nonsense }");
    my ($rc, $out) = $t->check("$directive server { listen 127.0.0.1:%%PORT_2%%; }");
    isnt($rc, 0, "$name: refused");
    like($out, $want, "$name: says so");
}

$t->done;
