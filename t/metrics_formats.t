#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# What formats have beside values: exemplars, units, when a series began.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsProbe qw(parse_text);
use JSON::PP;
use Test::More;

my $openmetrics = 'application/openmetrics-text';
my $t = Aiobs->new;

$t->upstream(0, sub {
    my ($req, $c) = @_;
    $t->answer($c, 200, ['Content-Type', 'application/json'],
        '{"id":"c","model":"gpt-4o","choices":[{"index":0,"message":'
        . '{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,'
        . '"completion_tokens":3,"total_tokens":10}}');
});

$t->start(<<'EOF', workers => 2);
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /v1/ { aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /a { return 200 a; }
    location /b { return 200 b; }
    location = /metrics { aiobs_metrics; }
    location = /created { aiobs_metrics created; }
}
EOF

my $trace = '0af7651916cd43dd8448eb211c80319c';
my $began = time;

$t->post(1, '/v1/chat/completions', '{"model":"x"}', 'X-Request-ID', 'the.request',
    'traceparent', "00-$trace-b7ad6b7169203331-01");
$t->get(1, '/a', 'X-Request-ID', 'x' x 78);
$t->get(1, '/b', 'X-Request-ID', 'y' x 79);
$t->log_lines(3);

exemplars();
created();
units();
sampled();

$t->done;


# { sample => [labels of the exemplar, value, time] }, as python reads them

sub exemplars_of {
    Aiobs::spew($t->dir . '/om', scrape('/metrics'));
    my $out = `/usr/bin/python3 -c '
import sys, json
from prometheus_client.openmetrics.parser import text_string_to_metric_families
text = open(sys.argv[1], newline="").read()
print(json.dumps([[s.name, s.labels, s.exemplar.labels, s.exemplar.value,
    float(s.exemplar.timestamp)] for f in text_string_to_metric_families(text)
    for s in f.samples if s.exemplar]))' ${\$t->dir}/om 2>&1`;
    is($?, 0, 'the parser of OpenMetrics takes the exemplars') or diag($out);

    return map {
        my ($name, $labels, @exemplar) = @$_;
        ("$name " . ($labels->{handler} // $labels->{endpoint} // ''), \@exemplar)
    } @{ decode_json($out) };
}


sub exemplars {
    my %e = exemplars_of();

    for my $name (qw(llm_call_duration_seconds_bucket llm_calls_total
        http_request_duration_seconds_bucket http_requests_total))
    {
        my $e = $e{"$name /v1/"} || [];

        is_deeply($e->[0], { trace_id => $trace, request_id => 'the.request' },
            "$name has an exemplar");
        cmp_ok(abs(($e->[2] // 0) - $began), '<=', 600, 'with its time');
    }

    is($e{'http_requests_total /v1/'}[1], 1, 'what a counter went up by');
    cmp_ok($e{'llm_call_duration_seconds_bucket /v1/'}[1], '<=', 600,
        'or what was observed, in seconds');

    is($e{'http_requests_total /a'}[0]{request_id}, 'x' x 78,
        '128 characters are allowed');
    like($e{'http_requests_total /b'}[0]{trace_id}, qr/^[0-9a-f]{32}$/,
        'of what is longer');
    is($e{'http_requests_total /b'}[0]{request_id}, undef, 'only the trace');

    unlike($t->get(1, '/metrics')->{body}, qr/ # \{/, 'text 0.0.4 has none');
}


sub created {
    unlike(scrape('/metrics'), qr/_created/, 'not asked for');

    my $m = parse_text(scrape('/created'));
    my $l = '{provider="openai",model="gpt-4o",endpoint="/v1/"';

    for my $name ("llm_call_duration_seconds_created$l}",
        "llm_tokens_created$l,token_type=\"input\"}",
        'http_requests_created{handler="/a",method="GET",status="200"}',
        'aiobs_unpriced_calls_created')
    {
        cmp_ok(abs(($m->{$name} // 0) - $began), '<=', 600, $name);
    }

    ok(!grep({ /inprogress_created|aiobs_zone.*_created|build/ && /created/ }
        keys %$m), 'gauges have none');
    unlike($t->get(1, '/created')->{body}, qr/_created/, 'nor has text 0.0.4');

    my $out = `/usr/bin/python3 -c '
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
list(text_string_to_metric_families(open(sys.argv[1], newline="").read()))' \\
        ${\ file('/created')} 2>&1`;
    is($?, 0, 'and the parser takes them') or diag($out);
}


sub file {
    my ($path) = @_;
    Aiobs::spew($t->dir . '/om', scrape($path));
    return $t->dir . '/om';
}


# a unit is the end of the family's name

sub units {
    my $om = scrape('/metrics');
    my %unit = $om =~ /^# UNIT (\S+) (\S+)$/mg;

    is($unit{$_->[0]}, $_->[1], "unit of $_->[0]")
        for ['llm_call_duration_seconds', 'seconds'], ['llm_tokens', 'tokens'],
        ['http_response_size_bytes', 'bytes'], ['aiobs_zone_used_bytes', 'bytes'];
    is_deeply([grep { !/_\Q$unit{$_}\E$/ } keys %unit], [], 'names end so');

    my ($text) = $t->get(1, '/metrics')->{body};
    is_deeply([sort(() = $text =~ /le="(.*?)"/g)], [sort(() = $om =~ /le="(.*?)"/g)],
        'le is written alike in both formats');
}


# a trace that can be looked at takes the place of one that cannot, at once

sub sampled {
    my $send = sub {
        my ($id, $flags) = @_;
        $t->get(1, '/a/sampled', 'X-Request-ID', $id, 'traceparent',
            "00-$trace-b7ad6b7169203331-$flags");
        $t->log_of($id);
        my %e = exemplars_of();
        return $e{'http_requests_total /a'}[0]{request_id};
    };

    $send->('plain', '00');
    is($send->('sampled', '01'), 'sampled', 'a sampled one comes at once');
    is($send->('later', '00'), 'sampled', 'and stays');
}


sub scrape {
    my ($path) = @_;
    return $t->get(1, $path, 'Accept', $openmetrics)->{body};
}
