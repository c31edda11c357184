#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Totals against a count of what was sent: through reloads, killed workers and
# junk; another binary; how much the zone holds.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsProbe qw(load_probe parse_text);
use List::Util qw(sum);
use Test::More;

my $t = Aiobs->new;
chomp($t->{nginx} = `sh -c "command -v $t->{nginx}"`);      # a new binary is not looked for in PATH

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my ($model) = $req->{body} =~ /"model":"([^"]*)"/;

    if ($req->{body} =~ /hang/) {
        1 while $c->sysread(my $x, 1);
        return;
    }

    my $fail = $req->{body} =~ /"fail"/;
    $t->answer($c, $fail ? 429 : 200, ['Content-Type', 'application/json'], $fail
        ? '{"error":{"message":"x","type":"requests","code":"rate_limit_exceeded"}}'
        : '{"id":"c","model":"' . $model . '","choices":[{"index":0,"message":{"content":"a"},'
        . '"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}');
});

# a sanitizer's options are for the new binary too

$t->start(<<'EOF', workers => 2, main => 'env ASAN_OPTIONS;');
aiobs_zone 8m series=500 keys=1;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /v1/ { aiobs_llm openai; aiobs_endpoint chat; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location / { return 200 a; }
    location = /metrics { aiobs_metrics; }
}
EOF

my (%sent, $lines);

totals();
in_flight();
upgrade();
capacity();

$t->done;


# every request is waited for in the log, so that what a killed worker had is known

sub totals {
    my @methods = ('GET', 'HEAD', 'BREW', 'DELETE', 'X' x 60, 'PROPFIND');
    my $junk = 0;

    $t->expect_error('exited on signal 9');
    $t->expect_error('shared memory zone "aiobs" was locked by');

    for my $round (1 .. 4) {
        for my $i (1 .. 40) {
            my $model = 'junk-' . ++$junk . ('y' x ($i % 7) x 30) . ($i % 3 ? '' : '\\u0007');
            $t->post(1, '/v1/chat/completions', qq({"model":"$model"}));
            $sent{ok}++;
        }

        for (1 .. 5) {
            $t->post(1, '/v1/chat/completions', '{"model":"gpt-4o","fail":1}');
            $sent{fail}++;
        }

        for my $method (@methods) {
            my $r = $t->request(1, $method, '/', []);
            $sent{other}++ if $r->{status};
        }

        $t->raw(1, "nonsense\r\n\r\n");
        $lines += 45 + @methods + 1;
        $t->log_lines($lines);

        my %old = map { ($_ => 1) } $t->workers;

        if ($round % 2) {
            ok($t->reload, "round $round: reload");
        } else {
            kill KILL => keys %old;
            ok(Aiobs::wait_for(sub { 2 == grep { !$old{$_} } $t->workers }, 10),
                "round $round: workers killed");
        }
    }

    my $m = scrape();

    is(total($m, qr/^llm_calls_total\{.*error_type=""/), 
        total($m, qr/^llm_calls_total/) - total($m, qr/^llm_calls_total\{.*error_type="[^"]/), 'calls');
    is(total($m, qr/^llm_calls_total/), $sent{ok} + $sent{fail}, 'as many calls as were sent');
    is(total($m, qr/^llm_calls_total\{.*error_type="rate_limited"/), $sent{fail}, 'that failed');
    is(total($m, qr/^llm_tokens_total/), 10 * $sent{ok}, 'their tokens');
    is(total($m, qr/^llm_call_tokens_sum/), 10 * $sent{ok}, 'in histograms too');
    is(total($m, qr/^llm_call_duration_seconds_count/), $sent{ok} + $sent{fail}, 'their durations');
    is(total($m, qr/^llm_upstream_attempts_total/), $sent{ok} + $sent{fail}, 'every try');
    is(total($m, qr/^http_requests_total\{handler="\/"/), $sent{other}, 'other requests');
    is(total($m, qr/^http_requests_total\{handler="\/v1\/"/), $sent{ok} + $sent{fail},
        'and those of calls');
    is(total($m, qr/^http_requests_total\{.*status="400"/), 4, 'and what was no request');

    my %methods = map { /^http_requests_total\{handler="\/",method="(.*?)"/ ? ($1 => 1) : () } keys %$m;
    is_deeply([sort keys %methods], [qw(DELETE GET HEAD OTHER PROPFIND)],
        'a method that nginx does not know is OTHER');

    cmp_ok($m->{'aiobs_series_dropped_total{family="llm_tokens_total"}'}, '>', 0,
        'more models than there is room for');
    cmp_ok($m->{$_}, '<=', 251, $_) for grep { /^aiobs_series\{family=/ && $m->{$_} > 100 } keys %$m;
    is(total($m, qr/^(?:http|llm)_\w+_inprogress/), 0, 'nothing is under way');
}


# a killed worker takes its calls with it

sub in_flight {
    my @clients = map {
        my $s = $t->connect(1);
        $s->syswrite("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n"
            . '{"model":"hang"}');
        $s;
    } 1 .. 3;

    my $gauge = 'llm_calls_inprogress{endpoint="chat"}';
    ok(Aiobs::wait_for(sub { scrape()->{$gauge} == 3 }, 10), 'three calls under way');

    kill KILL => $t->workers;
    ok(Aiobs::wait_for(sub { my $m = eval { scrape() }; $m && $m->{$gauge} == 0 }, 10),
        'none once their workers are killed');
    my $m = scrape();
    is(total($m, qr/^llm_calls_total/), $sent{ok} + $sent{fail}, 'and none is counted');
}


# a new binary begins at 0, and says when; the old one serves on beside it

sub upgrade {
    $t->stop;

    # where nginx is started by a script, it does not find itself again

    if ($t->{nginx} =~ m{/} && Aiobs::slurp($t->{nginx}) =~ /^#!/) {
        $t->start(undef);
        is(total(scrape(), qr/^llm_calls_total/), 0, 'a restart counts from 0');
        $t->stop;
        return;
    }

    # nginx takes the signal as a daemon only

    is(system($t->{nginx}, '-c', $t->dir . '/nginx.conf'), 0, 'a daemon');
    my $old = daemon(0);
    $t->post(1, '/v1/chat/completions', '{"model":"gpt-4o"}') for 1 .. 3;
    my $before = calls(3);
    sleep 1 while time <= $before->{aiobs_start_time_seconds};

    kill USR2 => $old;
    my $new = daemon($old);
    kill QUIT => $old;
    ok(Aiobs::wait_for(sub { !-d "/proc/$old" }, 15), 'another binary runs, the old one is gone');

    $t->post(1, '/v1/chat/completions', '{"model":"gpt-4o"}');
    my $now = calls(1);
    cmp_ok($now->{aiobs_start_time_seconds}, '>', $before->{aiobs_start_time_seconds},
        'it says since when it counts');
    kill QUIT => $new;
    ok(Aiobs::wait_for(sub { !-d "/proc/$new" }, 15), 'it ends');

    $t->start(undef);
    is(total(scrape(), qr/^llm_calls_total/), 0, 'a restart counts from 0 too');
    $t->stop;
}


# the pid of a master that serves

sub daemon {
    my ($other) = @_;
    my $pid;

    Aiobs::wait_for(sub {
        ($pid) = Aiobs::slurp($t->dir . '/nginx.pid') =~ /^(\d+)$/m;
        return $pid && $pid != $other && $t->listening;
    }, 15) or BAIL_OUT('no nginx');

    return $pid;
}


sub calls {
    my ($n) = @_;
    my $m;
    Aiobs::wait_for(sub { $m = scrape(); total($m, qr/^llm_calls_total/) >= $n }, 10);
    is(total($m, qr/^llm_calls_total/), $n, "calls: $n");
    return $m;
}


# 20 models at 10 endpoints, every family, in the zone that is the default

sub capacity {
    my $models = join ' ', map { "claude-sonnet-4-5-2025092$_" } 1 .. 20;
    my $locations = join "\n", map {
        "location /team-$_/v1/chat/completions { aiobs_llm openai; return 200; }"
    } 1 .. 10;

    load_probe($t);
    $t->start(<<"EOF");
aiobs_models $models;
aiobs_metric_names both;
aiobs_native_histograms on;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    $locations
    location = /probe { aiobs off; aiobs_probe; }
    location / { return 200 a; }
    location = /metrics { aiobs_metrics; }
}
EOF
    $t->get(1, "/probe?family=$_&n=400&names=400&model=gen-ai-") for qw(gen_ai_client_token_usage
        gen_ai_client_operation_duration_seconds gen_ai_server_time_to_first_token_seconds
        gen_ai_server_time_per_output_token_seconds);
    $t->get(1, '/probe?family=llm_calls&n=2600&names=2600&model=claude-sonnet-4-5-');

    my $m = scrape();
    my $samples = grep { /^(?:llm|http)_/ } keys %$m;
    cmp_ok($samples, '>=', 17_000, "$samples samples of this module's own names");
    is(sum(map { $m->{$_} } grep { /^aiobs_series_dropped/ } keys %$m), 0, 'none is folded');
    my $sets = sum(map { $m->{$_} } grep { /^aiobs_series\{/ } keys %$m);
    cmp_ok($sets, '<', $m->{aiobs_series_limit} / 2, "$sets sets of labels: room for as many again");
    cmp_ok($m->{aiobs_zone_used_bytes}, '<', $m->{aiobs_zone_size_bytes}, 'in the default zone');

    # bytes of a counter with such labels, its place in the hash table included

    my $n = 1000;
    my $before = $m->{aiobs_zone_used_bytes};
    $t->get(1, "/probe?family=llm_calls&n=$n&names=$n&model=us.anthropic.claude-sonnet-4-5-20250929-v1-");
    my $bytes = (scrape()->{aiobs_zone_used_bytes} - $before) / $n + 8 * 32768 / 20000;
    cmp_ok($bytes, '<=', 200, "$bytes bytes for a counter");
    cmp_ok($bytes, '>', 100, 'which is counted');
}


sub total {
    my ($m, $pattern) = @_;
    return sum(0, map { $m->{$_} } grep { $_ =~ $pattern } keys %$m);
}


# in one piece: megabytes of chunks take a while to put together

sub scrape {
    my (undef, $body) = split /\r\n\r\n/, $t->raw(1, "GET /metrics HTTP/1.0\r\n\r\n"), 2;
    return parse_text($body);
}
