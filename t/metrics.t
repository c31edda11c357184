#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Exposition: both text formats, whatever is in a label, chosen by Accept,
# compressed, cut short, taken slowly, and scraped by Prometheus.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsProbe qw(load_probe parse_text);
use Encode qw(decode encode);
use IO::Uncompress::Gunzip qw(gunzip);
use JSON::PP;
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;

my $openmetrics = 'application/openmetrics-text';
my $t = Aiobs->new;

load_probe($t);
$t->start(<<'EOF');
server {
    listen 127.0.0.1:%%PORT_1%% sndbuf=64k;
    aiobs on;
    location / { root %%DIR%%/html; }
    location = /probe { aiobs off; aiobs_probe; }
    location = /metrics { aiobs_metrics; }

    location = /gzip {
        aiobs_metrics;
        gzip on;
        gzip_types text/plain application/openmetrics-text;
    }

    location = /limited {
        aiobs_metrics;
        limit_rate 200k;
    }

    location = /text {
        aiobs off;
        proxy_set_header Accept text/plain;
        proxy_pass http://127.0.0.1:%%PORT_1%%/metrics;
    }
}
EOF

empty();
negotiation();
methods();

my %labels = labels();

both_formats();
compressed();
prometheus();
unread();
quits_among_turns();

$t->done;


# what a gateway shows that nobody has used

sub empty {
    my $m = parse_text($t->get(1, '/metrics')->{body});

    is($m->{aiobs_unpriced_calls_total}, 0, 'a zero that means something');
    is($m->{'aiobs_series_dropped_total{family="llm_tokens_total"}'}, 0,
        'for every family');
    ok(!grep({ /^(?:http|llm)_/ } keys %$m), 'families without series are not');

    my ($version) = `$t->{nginx} -v 2>&1` =~ m{nginx/([\d.]+)};
    my ($build) = grep { /^aiobs_build_info/ } keys %$m;
    like($build, qr/\{version="\d+\.\d+\.\d+",nginx="\Q$version\E"\}/,
        'versions');
    cmp_ok(abs(time - $m->{aiobs_start_time_seconds}), '<', 3600, 'the start');
    is($m->{aiobs_series_limit}, 20000, 'the limit');
    is($m->{aiobs_zone_size_bytes}, 32 << 20, 'the size');
    cmp_ok($m->{aiobs_zone_used_bytes}, '<', 2 << 20, 'little is used');
}


sub negotiation {
    my @cases = (
        [undef, 0],
        ['', 0],
        ['*/*', 0],
        ['text/plain', 0],
        ['text/html, */*;q=0.8', 0],
        [$openmetrics, 1],
        ['APPLICATION/OpenMetrics-Text', 1],
        ["$openmetrics; version=1.0.0; charset=utf-8", 1],
        ["$openmetrics;version=1.0.0,$openmetrics;version=0.0.1;q=0.75,"
            . 'text/plain;version=0.0.4;q=0.5,*/*;q=0.1', 1],
        ["text/plain;q=0.9,$openmetrics;q=0.8", 0],
        ["text/plain ; q=0.8 , $openmetrics ; q=0.9", 1],
        ["$openmetrics;q=0", 0],
        ["$openmetrics;q=0.000,text/plain;q=0", 0],
        ["$openmetrics;q=nonsense", 1],
        ["$openmetrics-2", 0],
        ["x$openmetrics", 0],
        ["text/plain;note=$openmetrics", 0],
        [',;,;;q=,=;' . ';q' x 500, 0],
    );

    for (@cases) {
        my ($accept, $want) = @$_;
        my $r = $t->get(1, '/metrics', defined $accept ? ('Accept', $accept)
            : ());

        is($r->{headers}{'content-type'}, $want
            ? "$openmetrics; version=1.0.0; charset=utf-8"
            : 'text/plain; version=0.0.4; charset=utf-8',
            'Accept: ' . substr $accept // '(none)', 0, 70);
        is($r->{body} =~ /# EOF\n\z/ ? 1 : 0, $want, 'and so is the body');
    }
}


sub methods {
    my $r = $t->request(1, 'HEAD', '/metrics');
    is($r->{status}, 200, 'HEAD');
    is($r->{body}, '', 'has no body');
    is($r->{headers}{'content-type'}, 'text/plain; version=0.0.4; '
        . 'charset=utf-8', 'but a type');

    is($t->request(1, $_, '/metrics', [], 'x=1')->{status}, 405, $_)
        for qw(POST PUT DELETE);

    like($t->raw(1, "GET /metrics HTTP/1.0\r\n\r\n"),
        qr/\r\nConnection: close\r\n.*\r\n\r\n# HELP.*\n\z/s, 'HTTP/1.0');
}


# bytes sent as a label => the characters that are to arrive

sub labels {
    my $long = "\x{20ac}" x 43;                     # 129 bytes
    my %labels = (
        'plain' => 'plain',
        'quote"back\\slash' => 'quote"back\\slash',
        "line\nfeed" => "line\nfeed",
        '\\n\\' => '\\n\\',
        "nul\0cr\rtab\tesc\e[31mdel\x7f." => 'nul?cr?tab?esc?[31mdel?.',
        '} 1' . "\n" . 'x{y="' => '} 1' . "\n" . 'x{y="',
        encode('UTF-8', "caf\x{e9} \x{20ac} \x{1f600}") => "caf\x{e9} \x{20ac} \x{1f600}",
        "surrogate\xed\xa0\x80" => 'surrogate???',
        "overlong\xc0\xaf\xe0\x80\xaf" => 'overlong?????',
        "beyond\xf4\x90\x80\x80\xff" => 'beyond?????',
        "cut\xe2\x82" => 'cut??',
        encode('UTF-8', $long) => "\x{20ac}" x 42,
        'a' . encode('UTF-8', $long) => 'a' . "\x{20ac}" x 42,
        'ab' . encode('UTF-8', $long) => 'ab' . "\x{20ac}" x 42,
        'b' x 128 => 'b' x 128,
        'c' x 8000 => 'c' x 128,
    );

    for (keys %labels) {
        my $model = s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger;
        $t->get(1, "/probe?family=$_&value=5&model=$model")
            for qw(llm_cost_usd llm_tokens llm_call_tokens
                llm_time_per_output_token_seconds http_requests_inprogress);
    }

    return %labels;
}


sub both_formats {
    $t->get(1, '/') for 1 .. 3;

    my $text = $t->get(1, '/metrics')->{body};
    my $om = $t->get(1, '/metrics', 'Accept', $openmetrics)->{body};

    Aiobs::spew($t->dir . '/text', $text);
    my $lint = `promtool check metrics < ${\$t->dir}/text 2>&1`;
    is($?, 0, 'promtool check metrics') or diag($lint);

    my ($a, $b) = map { parse_text($_) } $text, $om;
    is_deeply([sort keys %$a], [sort keys %$b], 'the same samples in both');
    is_deeply([map { $a->{$_} } grep { !/zone/ } sort keys %$a],
        [map { $b->{$_} } grep { !/zone/ } sort keys %$b], 'and values');

    is($a->{'llm_cost_usd_total{provider="provider",model="plain",'
        . 'endpoint="endpoint"}'}, '0.000000005', 'five billionths of a dollar');
    is($a->{'llm_time_per_output_token_seconds_sum{provider="provider",'
        . 'model="plain",endpoint="endpoint"}'}, '0.000005', 'five microseconds');

    my %le = map { $_ => 1 } map { /_bytes_bucket.*le="(.*?)"/ ? $1 : () }
        keys %$a;
    is_deeply([sort keys %le], [sort qw(256.0 1024.0 4096.0 16384.0 65536.0
        262144.0 1.048576e+06 4.194304e+06 1.6777216e+07 6.7108864e+07 +Inf)],
        'bounds as Prometheus writes them');

    like($om, qr/^# TYPE llm_tokens counter\n# UNIT llm_tokens tokens\n/m,
        'OpenMetrics names the family and its unit');
    like($om, qr/^# TYPE aiobs_build info\n/m, 'and knows what info is');
    like($text, qr/^# TYPE llm_tokens_total counter\n/m, 'text the sample');
    unlike($text, qr/^# UNIT|# EOF/m, 'and has no units');

    parsed_by_python($text, 'prometheus_client.parser');
    parsed_by_python($om, 'prometheus_client.openmetrics.parser');
}


# what another program makes of it

sub parsed_by_python {
    my ($text, $parser) = @_;

    Aiobs::spew($t->dir . '/exposition', $text);
    my $out = `/usr/bin/python3 -c '
import sys, json
from $parser import text_string_to_metric_families
text = open(sys.argv[1], newline="").read()
print(json.dumps([[s.name, s.labels, s.value] for f in
    text_string_to_metric_families(text) for s in f.samples]))' \\
        ${\$t->dir}/exposition 2>&1`;
    is($?, 0, "$parser reads it") or return diag($out);

    my $samples = decode_json($out);

    for my $family (['llm_tokens_total', 'model'],
        ['llm_time_per_output_token_seconds_count', 'model'],
        ['http_requests_inprogress', 'handler'])
    {
        my ($name, $label) = @$family;
        my %have = map { $_->[1]{$label} => $_->[2] }
            grep { $_->[0] eq $name && ($_->[1]{$label} ne '/') } @$samples;
        my %want;

        $want{$_} += $name =~ /total/ ? 5 : 1 for values %labels;

        is_deeply(\%have, \%want, "$parser: every label of $name");
    }
}


sub compressed {
    my $r = $t->get(1, '/gzip', 'Accept-Encoding', 'gzip', 'Accept',
        $openmetrics);

    is($r->{headers}{'content-encoding'}, 'gzip', 'gzip where it is on');
    ok(gunzip(\$r->{body} => \my $plain), 'is gzip');
    is_deeply([sort keys %{ parse_text($plain) }],
        [sort keys %{ parse_text($t->get(1, '/metrics')->{body}) }],
        'of the same');

    for my $case (['gzip', 1], ['deflate, gzip;q=1.0, *;q=0.5', 1],
        ['GZIP', 1], ['br', 0], ['gzip;q=0', 0], ['gzip;q=0.0,br', 0],
        ['x-gzip', 0], [undef, 0])
    {
        my ($accept, $want) = @$case;
        my @header = defined $accept ? ('Accept-Encoding', $accept) : ();

        $r = $t->get(1, '/metrics', @header);
        is($r->{headers}{'content-encoding'}, $want ? 'gzip' : undef,
            'Accept-Encoding: ' . ($accept // '(none)'));
        is($r->{headers}{vary}, 'Accept, Accept-Encoding', 'Vary');
        gunzip(\"$r->{body}" => \$r->{body}, Strict => 1) if $want;
        ok(eval { parse_text($r->{body}) }, 'and so is the body');

        $r = $t->request(1, 'HEAD', '/metrics', [@header]);
        is($r->{headers}{'content-encoding'}, $want ? 'gzip' : undef, 'HEAD');
        is($r->{body}, '', 'without a body');
    }

    is_deeply([sort keys %{ parse_text($t->get(1, '/limited')->{body}) }],
        [sort keys %{ parse_text($plain) }], 'and the same at a limited rate');
}


# a real server, which asks for OpenMetrics, and behind a proxy gets text

sub prometheus {
    Aiobs::spew($t->dir . '/prometheus.yml', $t->expand(<<'EOF'));
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- {job_name: openmetrics, metrics_path: /metrics, static_configs: [{targets: ['127.0.0.1:%%PORT_1%%']}]}
- {job_name: text, metrics_path: /text, static_configs: [{targets: ['127.0.0.1:%%PORT_1%%']}]}
EOF

    my $port = $t->port(2);
    $t->spawn(['prometheus', '--config.file=' . $t->dir . '/prometheus.yml',
        '--storage.tsdb.path=' . $t->dir . '/tsdb',
        "--web.listen-address=127.0.0.1:$port"],
        log => $t->dir . '/prometheus.log');

    for my $job (qw(openmetrics text)) {
        my @up;

        Aiobs::wait_for(sub {
            @up = query("up{job=\"$job\"}");
            return @up && $up[0]{value}[1] == 1;
        }, 40);

        is(@up && $up[0]{value}[1], 1, "Prometheus takes $job");

        my %have = map { $_->{metric}{model} => $_->{value}[1] }
            query("llm_tokens_total{job=\"$job\"}");
        my %want;

        $want{$_} += 5 for values %labels;
        is_deeply(\%have, \%want, "and every label of $job");
    }
}


sub query {
    my ($q) = @_;

    $q =~ s/([^A-Za-z0-9_])/sprintf '%%%02X', ord $1/ge;
    my $r = eval { $t->get(2, "/api/v1/query?query=$q") } or return;
    my $j = eval { decode_json($r->{body}) } or return;

    return @{ $j->{data}{result} || [] };
}


# clients that leave at the head, in the middle, or before they asked in full

sub unread {
    $t->get(1, '/probe?family=llm_time_to_first_token_seconds&n=5000'
        . '&names=5000&model=many-');

    for my $bytes (0, 1, 100, 70_000, 1_000_000) {
        my $s = slow('/metrics');
        my ($data, $n) = ('', 0);

        while ($n < $bytes) {
            my $got = $s->sysread($data, $bytes - $n) or last;
            $n += $got;
        }

        is($n, $bytes, "a client leaves after $bytes bytes");
        close $s;
    }

    for my $path (qw(/gzip /metrics)) {
        my $s = slow($path, 'Accept-Encoding: gzip');
        $s->sysread(my $data, 1000);
        close $s;
    }

    my $plain = $t->get(1, '/metrics')->{body};
    my $r = $t->get(1, '/metrics', 'Accept-Encoding', 'gzip');
    ok(gunzip(\$r->{body} => \my $gzip, Strict => 1), 'many pieces of gzip');
    cmp_ok(length $r->{body}, '<', length($plain) / 8, 'are much less');

    my $m = parse_text($plain);
    is_deeply([sort keys %{ parse_text($gzip) }], [sort keys %$m],
        'and the same');
    is(scalar(grep { /^llm_time_to_first_token_seconds_count.*many-/ }
        keys %$m), 5000, 'the next one gets everything');
}


# a worker that is to quit finishes the scrape that it has begun

sub quits_among_turns {
    my $s = slow('/metrics', "Accept: $openmetrics");
    $s->sysread(my $data, 1000);

    my ($old) = $t->workers;
    ok($t->reload, 'reload while a scrape is read');
    ok(Aiobs::wait_for(sub {
        Aiobs::slurp("/proc/$old/cmdline") =~ /shutting down/ }, 20),
        'its worker waits');

    $data .= Aiobs::read_all($s);
    my $m = parse_text(Aiobs::parse_response($data)->{body});

    is(scalar(grep { /^llm_time_to_first_token_seconds_count.*many-/ }
        keys %$m), 5000, 'and it comes whole');
    like($data, qr/# EOF\n\r\n0\r\n\r\n\z/, 'to its end');
    ok(Aiobs::wait_for(sub { !-d "/proc/$old" }, 20), 'then the worker quits');
}


sub slow {
    my ($path, @headers) = @_;

    my $s = $t->connect(1);
    setsockopt $s, SOL_SOCKET, SO_RCVBUF, 32768;
    $s->syswrite(join "\r\n", "GET $path HTTP/1.1", 'Host: localhost',
        'Connection: close', @headers, '', '');

    return $s;
}
