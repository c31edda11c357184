#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# What the configuration says of metrics: names, buckets, models that are known,
# a new series at 0; and what a reload may change of it.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsProbe qw(parse_text);
use Test::More;

my $t = Aiobs->new;

$t->upstream(0, sub {
    my ($req, $c) = @_;

    if ($req->{body} =~ /fail/) {
        $t->answer($c, 500, ['Content-Type', 'application/json'],
            '{"error":{"message":"x","type":"server_error"}}');

    } elsif ($req->{body} =~ /"stream"/) {
        my $event = 'data: {"id":"c","object":"chat.completion.chunk","model":"gpt-4o-2024","choices":[';
        $t->answer($c, 200, ['Content-Type', 'text/event-stream'], join '',
            (map { $event . '{"index":0,"delta":{"content":"a"}}]}' . "\n\n" } 1 .. 3),
            $event . '],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}'
            . "\n\ndata: [DONE]\n\n");

    } else {
        $t->answer($c, 200, ['Content-Type', 'application/json'],
            '{"id":"c","model":"gpt-4o-2024","choices":[{"index":0,"message":{"content":"a"},'
            . '"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}');
    }
});

Aiobs::spew($t->dir . '/prices.json',
    '{"gpt-4o":{"input_cost_per_token":1e-6,"litellm_provider":"openai","mode":"chat"}}');
utime 1_700_000_000, 1_700_000_000, $t->dir . '/prices.json';

my $server = <<'EOF';
aiobs_prices %%DIR%%/prices.json;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /v1/ { aiobs_llm openai; aiobs_endpoint chat; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location / { return 200 a; }
    location = /metrics { aiobs_metrics; }
}
EOF

names();
buckets();
models();
at_zero();
new_zone();
wrong();

$t->done;


sub call {
    my ($body) = @_;
    return $t->post(1, '/v1/chat/completions', $body);
}


# the families of OpenTelemetry; no others of the same, and those that have no name there

sub names {
    $t->start("aiobs_metric_names otel; $server");

    call('{"model":"gpt-4o"}') for 1 .. 3;
    call('{"model":"gpt-4o","stream":true}') for 1 .. 2;
    call('{"model":"gpt-4o","fail":1}');
    call('{"model":"junk","fail":1}');
    $t->request(1, 'BREW', '/', []);
    $t->get(1, '/');
    $t->log_lines(9);

    my $m = scrape();
    my ($version) = grep { /http_server/ } keys %$m;
    my $call = 'gen_ai_operation_name="chat",gen_ai_provider_name="openai",'
        . 'gen_ai_request_model="gpt-4o",gen_ai_response_model="gpt-4o-2024",'
        . 'server_address="127.0.0.1",server_port="' . $t->port(0) . '"';

    is($m->{"gen_ai_client_token_usage_sum{$call,gen_ai_token_type=\"$_->[0]\"}"}, $_->[1],
        "$_->[0] tokens") for ['input', 35], ['output', 15];
    is($m->{"gen_ai_client_token_usage_bucket{$call,gen_ai_token_type=\"input\",le=\"$_->[0]\"}"},
        $_->[1], "up to $_->[0]") for ['4.0', 0], ['16.0', 5], ['6.7108864e+07', 5];
    is($m->{"gen_ai_client_operation_duration_seconds_count{$call,error_type=\"\"}"}, 5, 'calls');
    is($m->{"gen_ai_client_operation_duration_seconds_count{$call,error_type=\"server_error\"}"},
        1, 'one that failed, of a model that has answered before');
    my ($junk) = grep { /operation_duration_seconds_count.*request_model="other"/ } keys %$m;
    like($junk // '', qr/response_model="other".*error_type="server_error"/,
        'what only a client has claimed makes no series');
    is($m->{"gen_ai_server_time_to_first_token_seconds_count{$call}"}, 2, 'streams');
    is($m->{"gen_ai_server_time_to_first_token_seconds_bucket{$call,le=\"10.0\"}"}, 2,
        'by the buckets of the conventions');
    is($m->{"gen_ai_server_time_per_output_token_seconds_count{$call}"}, 2,
        'time per output token');

    my %http = map { /^http_server_request_duration_seconds_count\{(.*)\}/ ? ($1, $m->{$_}) : () }
        keys %$m;
    is_deeply(\%http, {
        http('POST', 200, '/v1/', ''), 5, http('POST', 500, '/v1/', '500'), 2,
        http('_OTHER', 200, '/', ''), 1, http('GET', 200, '/', ''), 1,
    }, 'requests by method, status and route');

    is_deeply([grep { /^(?:llm_(?:tokens|calls|call_\w+|time\w+)|http_requests|http_request_duration)_/
        && !/inprogress/ } keys %$m], [], 'Prometheus has no other name for the same');
    ok(exists $m->{'llm_usage_source_total{endpoint="chat",source="reported"}'},
        'but what the conventions have no name for');
    ok(!(grep { /family="(?:llm_tokens_total|http_requests_total)"/ } keys %$m),
        'families that are not chosen are not there');
    is($m->{aiobs_price_file_timestamp_seconds}, 1_700_000_000, 'the price file');

    my $om = $t->get(1, '/metrics', 'Accept', 'application/openmetrics-text')->{body};
    Aiobs::spew($t->dir . '/om', $om);
    is(system(qq{/usr/bin/python3 -c 'import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as f
list(f(open(sys.argv[1]).read()))' ${\$t->dir}/om 2>&1}), 0, 'OpenMetrics');
    Aiobs::spew($t->dir . '/text', $t->get(1, '/metrics')->{body});
    my $lint = `promtool check metrics < ${\$t->dir}/text 2>&1`;
    is($?, 0, 'promtool') or diag($lint);

    # the choice may change with a reload

    ok($t->reload("aiobs_metric_names both; $server"), 'reload: both');
    # the old worker may take a request yet

    Aiobs::wait_for(sub {
        call('{"model":"gpt-4o"}');
        $m = scrape();
        return $m->{'llm_tokens_total{provider="openai",model="gpt-4o-2024",endpoint="chat",'
            . 'token_type="input"}'};
    }, 10);
    cmp_ok($m->{"gen_ai_client_operation_duration_seconds_count{$call,error_type=\"\"}"}, '>', 5,
        'OpenTelemetry goes on');
    cmp_ok($m->{'llm_call_duration_seconds_count{provider="openai",model="gpt-4o-2024",'
        . 'endpoint="chat"}'}, '>', 0, 'Prometheus begins');

    ok($t->reload($server), 'reload: the default');
    ok(Aiobs::wait_for(sub { !grep { /gen_ai|http_server/ } keys %{ scrape() } }, 10),
        'has no name of OpenTelemetry');
    $t->stop;
}


sub http {
    my ($method, $status, $route, $error) = @_;
    return qq{http_request_method="$method",url_scheme="http",http_response_status_code="$status",}
        . qq{http_route="$route",network_protocol_version="1.1",error_type="$error"};
}


sub buckets {
    my $own = 'aiobs_buckets llm_call_duration_seconds 0.5 1 2.25 1000;'
        . 'aiobs_buckets llm_call_tokens ' . join(' ', 1 .. 40) . ';';

    $t->start("$own $server");
    call('{"model":"gpt-4o"}') for 1 .. 3;
    $t->log_lines(1);

    my $m = scrape();
    my %le = map { /^llm_call_(\w+)_bucket.*token_type="output".*le="(.*)"/ ? ($2, $m->{$_}) : () }
        keys %$m;
    is_deeply([sort { $a <=> $b } map { /^llm_call_duration_seconds_bucket.*le="(.*)"/ ? $1 : () }
        keys %$m], ['0.5', '1.0', '2.25', '1000.0', '+Inf'], 'buckets of the configuration');
    is(scalar keys %le, 41, 'forty of them');
    is($le{'2.0'}, 0, 'none below');
    is($le{'3.0'}, 3, 'a bound belongs to its bucket');

    # series have the shape they were made with

    ok($t->reload("aiobs_service x; $own $server"), 'a reload with the same');
    my ($worker) = $t->workers;
    $t->write_conf($server);
    kill HUP => $t->{nginx_pid};
    ok(Aiobs::wait_for(sub { $t->error_log =~ /histograms of other buckets: change its size along/ },
        10), 'a reload with others is refused');
    $t->expect_error('histograms of other buckets');
    is(scrape()->{'llm_call_tokens_count{provider="openai",model="gpt-4o-2024",endpoint="chat",'
        . 'token_type="output"}'}, 3, 'and nginx counts on');

    ok($t->reload("aiobs_zone 33m; $server"), 'unless the zone is another');
    ok(Aiobs::wait_for(sub { call('{"model":"gpt-4o"}');
        grep { /^llm_call_duration_seconds_bucket.*le="0.25"/ } keys %{ scrape() } }, 10),
        'then they are there');
    $t->stop;
}


sub models {
    $t->start(<<'EOF');
aiobs_models gpt-4o "a \"model\"";
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    aiobs_llm auto;
    location /v1/chat/completions { aiobs_endpoint chat; return 200; }
    location /v1/embeddings { aiobs_models text-embedding-3-small; return 200; }
    location /claude { aiobs_llm anthropic; return 200; }
    location /any { aiobs_models provider=gemini operation=generate_content gemini-2.5-pro;
        aiobs_models provider=openai o3; return 200; }
    location /app { aiobs_llm off; return 200; }
    location = /metrics { aiobs_llm off; aiobs_metrics; }
}
EOF
    my $m = scrape();
    my %calls = map { /^llm_calls_total\{(.*)\}/ ? ($1 => $m->{$_}) : () } keys %$m;

    is_deeply(\%calls, { map { my ($p, $model, $e, $o) = @$_;
        (qq{provider="$p",model="$model",endpoint="$e",operation="$o",error_type=""} => 0) }
        ['openai', 'gpt-4o', 'chat', 'chat'], ['openai', 'a \\"model\\"', 'chat', 'chat'],
        ['openai', 'text-embedding-3-small', '/v1/embeddings', 'embeddings'],
        ['anthropic', 'gpt-4o', '/claude', 'chat'], ['anthropic', 'a \\"model\\"', '/claude', 'chat'],
        ['gemini', 'gemini-2.5-pro', '/any', 'generate_content'], ['openai', 'o3', '/any', 'chat'],
    }, 'models of each endpoint, of the provider and operation of its path');

    my $l = 'provider="openai",model="gpt-4o",endpoint="chat"';
    is($m->{"$_"}, 0, $_) for "llm_tokens_total{$l,token_type=\"input\"}",
        "llm_tokens_total{$l,token_type=\"output\"}",
        "llm_token_details_total{$l,token_type=\"reasoning\"}", "llm_cost_usd_total{$l}",
        "llm_call_duration_seconds_count{$l}", "llm_time_to_first_token_seconds_count{$l}",
        "llm_time_per_output_token_seconds_bucket{$l,le=\"+Inf\"}",
        "llm_call_tokens_count{$l,token_type=\"input\"}";
    is($m->{'aiobs_series{family="llm_tokens_total"}'}, 14, 'no others');

    my ($old) = $t->workers;
    ok($t->reload, 'reload');
    Aiobs::wait_for(sub { !-d "/proc/$old" }, 10);
    is(scrape()->{'aiobs_series{family="llm_tokens_total"}'}, 14, 'and not twice');
    $t->stop;
}


# a new series is shown as 0 first, and nothing of it is lost

sub at_zero {
    $t->start("aiobs_start_at_zero 3s; $server");
    my $began = time;

    # the first look comes right behind them, in the same connection

    my $all = $t->raw(1, "GET / HTTP/1.1\r\nHost: x\r\n\r\n" x 5 . "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    my $first = parse_text(Aiobs::parse_response($all =~ s/^(?:.*?\r\n\r\na){5}//sr)->{body});
    my $name = 'http_requests_total{handler="/",method="GET",status="200"}';
    my %seen;

    Aiobs::wait_for(sub {
        my $m = $first || scrape();
        undef $first;
        my $sum = 'http_request_duration_seconds_bucket{handler="/",method="GET",le="600.0"}';
        $seen{join ' ', map { $m->{$_} // 'absent' } $name, $sum,
            'http_response_size_bytes_count{handler="/"}'}++;
        return ($m->{$name} // 0) == 5;
    }, 20);

    is_deeply([sort keys %seen], ['0 0 0', '5 5 5'], '0, then all at once');
    cmp_ok(time - $began, '>=', 1, 'after a while');

    $t->get(1, '/') for 1 .. 2;
    ok(Aiobs::wait_for(sub { scrape()->{$name} == 7 }, 10), 'then as it is counted');
    is(scrape()->{aiobs_unpriced_calls_total}, 0, 'what has no labels begins at 0 anyway');
    $t->stop;
}


sub new_zone {
    $t->start($server);
    $t->get(1, '/') for 1 .. 5;

    my $name = 'http_requests_total{handler="/",method="GET",status="200"}';
    my $before = scrape();
    is($before->{$name}, 5, 'five');
    sleep 1 while time <= $before->{aiobs_start_time_seconds};

    ok($t->reload("aiobs_zone 34m; $server"), 'a reload with a larger zone');
    ok(Aiobs::wait_for(sub { $t->error_log =~ /\[warn\].*"aiobs_zone" is now 34816k instead of 32768k: /
        . 'it is made anew, counters start at 0' }, 10), 'says what it means');
    my $now;
    ok(Aiobs::wait_for(sub { $now = scrape(); $now->{aiobs_zone_size_bytes} == 34 << 20 }, 10),
        'has it');
    is($now->{$name}, undef, 'counts from 0');
    cmp_ok($now->{aiobs_start_time_seconds}, '>', $before->{aiobs_start_time_seconds},
        'and says since when');
    $t->stop;
}


sub wrong {
    for (
        ['aiobs_metric_names statsd;', qr/invalid value "statsd"/],
        ['aiobs_buckets http_requests 1 2;', qr/"http_requests" .* is not the name of a histogram/],
        ['aiobs_buckets llm_call_tokens;', qr/invalid number of arguments/],
        ['aiobs_buckets llm_call_tokens 1 1;', qr/invalid bound "1" .*positive numbers that ascend/],
        ['aiobs_buckets llm_call_tokens 2 1;', qr/invalid bound "1"/],
        ['aiobs_buckets llm_call_tokens 0;', qr/invalid bound "0"/],
        ['aiobs_buckets llm_call_tokens -1;', qr/invalid bound "-1"/],
        ['aiobs_buckets llm_call_tokens 1.5;', qr/invalid bound "1.5"/],
        ['aiobs_buckets llm_call_duration_seconds 0.0000001;', qr/invalid bound/],
        ['aiobs_buckets llm_call_duration_seconds 1e3;', qr/invalid bound/],
        ['aiobs_buckets llm_call_tokens 99999999999999999999;', qr/invalid bound/],
        ['aiobs_buckets llm_call_tokens 1000000000000000;', qr/invalid bound .*15 digits at most/],
        ['aiobs_buckets llm_call_duration_seconds 1000000000;', qr/invalid bound/],
        ['aiobs_buckets llm_call_tokens ' . join(' ', 1 .. 41) . ';', qr/at most 40 bounds/],
        ['aiobs_buckets llm_call_tokens 1; aiobs_buckets llm_call_tokens 2;', qr/is duplicate/],
        ['aiobs_native_histograms maybe;', qr/it must be "on" or "off"/],
        ['aiobs_start_at_zero soon;', qr/invalid value/],
        ['aiobs_models;', qr/invalid number of arguments/],
    ) {
        my ($directive, $message) = @$_;
        my ($rc, $out) = $t->check("$directive $server");
        is($rc, 1, $directive);
        like($out, qr/$message.*nginx\.conf:\d+/s, 'says why, and where');
    }
}


sub scrape { return parse_text($t->get(1, '/metrics')->{body}) }
