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
    $t->answer($c, 200, ['Content-Type', 'application/json'], $req->{body});
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
  "free":   { "litellm_provider": "openai", "mode": "chat",
              "input_cost_per_token": 0, "output_cost_per_token": 0 } }
EOF

my $conf = <<'EOF';
aiobs_prices prices.json;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location / { aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_0%%; }
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
