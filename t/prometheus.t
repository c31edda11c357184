#!/usr/bin/perl

# A real Prometheus scrapes the gateway: the lint is clean, and what it has
# stored is what the log says.

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
    $t->answer($c, $req->{body} =~ /fail/ ? 500 : 200,
        ['Content-Type', 'application/json'],
        $req->{body} =~ /fail/ ? '{"error":{"message":"x","type":"server_error"}}'
        : '{"id":"c","model":"gpt-\"o\\\\","choices":[{"index":0,"message":'
        . '{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,'
        . '"completion_tokens":3,"total_tokens":10}}');
});

$t->start(<<'EOF');
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /v1/ { aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }
}
EOF

$t->post(1, '/v1/chat/completions', '{"model":"x"}') for 1 .. 20;
$t->post(1, '/v1/chat/completions', '{"fail":1}') for 1 .. 2;
my @lines = $t->log_lines(22);

# the lint of Prometheus itself

Aiobs::spew($t->dir . '/metrics', $t->get(1, '/metrics')->{body});
my $lint = `promtool check metrics < ${\$t->dir}/metrics 2>&1`;
is($?, 0, 'promtool check metrics') or diag($lint);

# and the parser of OpenMetrics

my $om = $t->get(1, '/metrics', 'Accept', 'application/openmetrics-text; version=1.0.0');
like($om->{headers}{'content-type'}, qr{^application/openmetrics-text; version=1\.0\.0},
    'OpenMetrics when asked');
Aiobs::spew($t->dir . '/openmetrics', $om->{body});
my $parsed = `/usr/bin/python3 -c '
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
print(len(list(text_string_to_metric_families(sys.stdin.read()))))' < ${\$t->dir}/openmetrics 2>&1`;
is($?, 0, 'the OpenMetrics parser reads it') or diag($parsed);

# the server

Aiobs::spew($t->dir . '/prometheus.yml', $t->expand(<<'EOF'));
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- {job_name: aiobs, static_configs: [{targets: ['127.0.0.1:%%PORT_1%%']}]}
EOF

my $port = $t->port(2);
$t->spawn(['prometheus', '--config.file=' . $t->dir . '/prometheus.yml',
    '--storage.tsdb.path=' . $t->dir . '/tsdb', "--web.listen-address=127.0.0.1:$port"],
    log => $t->dir . '/prometheus.log');

sub query {
    my ($q) = @_;
    $q =~ s/([^A-Za-z0-9_])/sprintf '%%%02X', ord $1/ge;
    my $r = eval { $t->get(2, "/api/v1/query?query=$q") } or return;
    my $j = eval { decode_json($r->{body}) } or return;
    return @{$j->{data}{result} || []};
}

sub value {
    my ($q, $want) = @_;
    my $v;

    Aiobs::wait_for(sub {
        my ($s) = query($q);
        $v = $s ? $s->{value}[1] : undef;
        return defined $v && $v == $want;
    }, 30);

    return $v;
}

my %sum;

for my $l (@lines) {
    $sum{$_} += $l->{"${_}_tokens"} || 0 for qw(input output);
}

is($sum{input}, 140, 'the log has the input');
is(value('up{job="aiobs"}', 1), 1, 'Prometheus scrapes the gateway');
is(value("sum(llm_tokens_total{token_type=\"$_\"})", $sum{$_}), $sum{$_},
    "it has the $_ tokens of the log") for qw(input output);
is(value('sum(llm_calls_total{error_type="server_error"})', 2), 2, 'failed calls');
is(value('sum(http_requests_total{status="200"})', 20), 20, 'requests');
is(value('sum(llm_call_duration_seconds_count)', 22), 22, 'durations');

my ($s) = query('llm_tokens_total{token_type="input"}');
is($s->{metric}{model}, 'gpt-"o\\', 'a model with a quote and a backslash');
is($s->{metric}{endpoint}, '/v1/', 'the endpoint is the location');

$t->done;
