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

# Prometheus asks for protobuf; the two others get what the text formats are

$t->start(<<'EOF');
aiobs_native_histograms on;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /v1/ { aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }

    location = /openmetrics {
        aiobs off;
        proxy_set_header Accept application/openmetrics-text;
        proxy_pass http://127.0.0.1:%%PORT_1%%/metrics;
    }

    location = /text {
        aiobs off;
        proxy_set_header Accept text/plain;
        proxy_pass http://127.0.0.1:%%PORT_1%%/metrics;
    }
}
EOF

my $trace = '0af7651916cd43dd8448eb211c80319c';

$t->post(1, '/v1/chat/completions', '{"model":"x"}', 'X-Request-ID', "id-$_",
    'traceparent', "00-$trace-b7ad6b7169203331-01") for 1 .. 20;
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
- {job_name: protobuf, static_configs: [{targets: ['127.0.0.1:%%PORT_1%%']}]}
- {job_name: openmetrics, metrics_path: /openmetrics, static_configs: [{targets: ['127.0.0.1:%%PORT_1%%']}]}
- {job_name: text, metrics_path: /text, static_configs: [{targets: ['127.0.0.1:%%PORT_1%%']}]}
EOF

my $port = $t->port(2);
$t->spawn(['prometheus', '--config.file=' . $t->dir . '/prometheus.yml',
    '--storage.tsdb.path=' . $t->dir . '/tsdb', "--web.listen-address=127.0.0.1:$port",
    '--enable-feature=exemplar-storage,native-histograms'],
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

for my $job (qw(protobuf openmetrics text)) {
    is(value("up{job=\"$job\"}", 1), 1, "Prometheus takes $job");
    is(value("sum(llm_tokens_total{job=\"$job\",token_type=\"$_\"})", $sum{$_}), $sum{$_},
        "it has the $_ tokens of the log") for qw(input output);
    is(value("sum(llm_calls_total{job=\"$job\",error_type=\"server_error\"})", 2), 2,
        'failed calls');
    is(value("sum(http_requests_total{job=\"$job\",status=\"200\"})", 20), 20, 'requests');

    my ($s) = query("llm_tokens_total{job=\"$job\",token_type=\"input\"}");
    is($s->{metric}{model}, 'gpt-"o\\', 'a model with a quote and a backslash');
    is($s->{metric}{endpoint}, '/v1/', 'the endpoint is the location');
    is($s->{metric}{error_type}, undef, 'and no label is empty');
}

# histograms: buckets of text and OpenMetrics are the same series; protobuf's are native

for my $job (qw(openmetrics text)) {
    is(value("sum(llm_call_duration_seconds_count{job=\"$job\"})", 22), 22, "$job: durations");
    is(value("sum(llm_call_duration_seconds_bucket{job=\"$job\",le=\"600.0\"})", 22), 22,
        'by a bound as Prometheus writes it');
}

my $native = 'llm_call_duration_seconds{job="protobuf"}';
is(value("sum(histogram_count($native))", 22), 22, 'native histograms: the count');
is(value("sum(histogram_count(http_request_duration_seconds{job=\"protobuf\"}))", 22), 22,
    'of requests too');

my ($of) = query("sum(histogram_sum($native))");
my ($text) = query('sum(llm_call_duration_seconds_sum{job="text"})');
is($of->{value}[1], $text->{value}[1], 'the sum is that of the text format');

is(value('sum(histogram_count(llm_call_tokens{job="protobuf",token_type="input"}))', 20), 20,
    'tokens');
my ($quantile) = query('histogram_quantile(0.5, sum(llm_call_tokens{job="protobuf",'
    . 'token_type="input"}))');
cmp_ok(abs($quantile->{value}[1] - 7), '<=', 0.6, 'the median is 7, to a twelfth');

# exemplars

for my $job (qw(protobuf openmetrics)) {
    my $name = $job eq 'protobuf' ? 'llm_call_duration_seconds' : 'llm_call_duration_seconds_bucket';

    for my $query ("$name\{job=\"$job\"}", "llm_calls_total{job=\"$job\",error_type=\"\"}") {
        my @e = exemplars($query);
        cmp_ok(scalar @e, '>=', 1, "exemplars of $query");
        like(join(' ', map { "$_->{labels}{trace_id} $_->{labels}{request_id}" } @e),
            qr/$trace id-\d+/, 'name a trace and a request');
    }
}

is_deeply([exemplars('llm_calls_total{job="text"}')], [], 'text has none');

sub exemplars {
    my ($q) = @_;
    my @e;

    $q =~ s/([^A-Za-z0-9_])/sprintf '%%%02X', ord $1/ge;

    Aiobs::wait_for(sub {
        my $r = eval { $t->get(2, "/api/v1/query_exemplars?query=$q&start=" . (time - 60)
            . '&end=' . (time + 60)) } or return 0;
        @e = map { @{$_->{exemplars}} } @{decode_json($r->{body})->{data} || []};
        return @e || $q =~ /text/;
    }, 20);

    return @e;
}

$t->done;
