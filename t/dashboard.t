#!/usr/bin/perl

# The dashboard: well formed, and every question it asks is answered by a
# Prometheus that scraped real traffic through the gateway.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsMonitoring;
use AiobsPeers;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);

my $t = Aiobs->new;
my $root = Aiobs::root();
my $dashboard = decode_json(Aiobs::slurp("$root/grafana/dashboards/aiobs.json"));
my @panels = map { ($_, @{$_->{panels} || []}) } @{$dashboard->{panels}};

# --- its shape ---

my (%id, %cell, @wrong, %title);

for my $p (@panels) {
    my ($g, %ref) = $p->{gridPos};
    $title{$p->{title}} = $p;

    push @wrong, "$p->{title}: id" if $id{$p->{id}}++;
    push @wrong, "$p->{title}: wider than the page" if $g->{x} + $g->{w} > 24;

    for my $y ($g->{y} .. $g->{y} + $g->{h} - 1) {
        push @wrong, "$p->{title}: lies over another at $_, $y"
            for grep { $cell{"$_ $y"}++ } $g->{x} .. $g->{x} + $g->{w} - 1;
    }

    for my $q (@{$p->{targets} || []}) {
        push @wrong, "$p->{title}: refId" if $ref{$q->{refId}}++;
    }

    next if $p->{type} eq 'row';
    push @wrong, "$p->{title}: not of now" if $p->{type} eq 'stat'
        && ($p->{targets}[0]{range} || !$p->{targets}[0]{instant});
    push @wrong, "$p->{title}: no description" unless $p->{description};
    push @wrong, "$p->{title}: no unit" unless $p->{fieldConfig}{defaults}{unit}
        || $p->{type} eq 'table';

    for my $d ($p->{datasource}, map { $_->{datasource} } @{$p->{targets}}) {
        push @wrong, "$p->{title}: a data source of its own"
            unless $d->{type} eq 'prometheus' && $d->{uid} eq '${datasource}';
    }
}

is_deeply(\@wrong, [], 'panels lie side by side and take the data source chosen');
ok($title{$_}, "there is $_") for 'Request rate', 'p95 latency', 'Error rate',
    'Tokens per hour', 'LLM p95 latency', 'Cost per hour', 'p95 time to first token', 'Top models',
    'Agent sessions', 'Calls of a session', 'Tokens of a session', 'Retrieval score';

# --- its type, by Grafana's own schema: numbers, names, what each may be ---

my $dir = $t->dir;
symlink AiobsPeers::dir() . '/node_modules', "$dir/node_modules" or die $!;

# the options of each panel, which the type of a dashboard leaves open

my %module = (timeseries => 'TimeSeries', stat => 'Stat', table => 'Table');
my ($imports, $options) = ('', '');

for my $type (sort keys %module) {
    my $from = "\@grafana/schema/dist/esm/raw/composable/$type/panelcfg/x/$module{$type}PanelCfg_types.gen";
    $imports .= "import type * as $type from '$from';\n";
}

for my $p (grep { $_->{type} ne 'row' } @panels) {
    $module{$p->{type}} or BAIL_OUT("$p->{title}: no types of $p->{type}");
    $options .= "export const o$p->{id}: Partial<Json<$p->{type}.Options>> = " . encode_json($p->{options}) . ";\n";
    my $custom = $p->{fieldConfig}{defaults}{custom} or next;
    $options .= "export const c$p->{id}: Partial<Json<$p->{type}.FieldConfig>> = " . encode_json($custom) . ";\n";
}

Aiobs::spew("$dir/dashboard.ts", <<"EOF_TS");
import type { Dashboard } from '\@grafana/schema';
$imports
// JSON has the texts of enumerations
type Json<T> = T extends string ? `\${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

export const dashboard: Json<Dashboard> = @{[encode_json($dashboard)]};
$options
// what is wrong does not pass
// \@ts-expect-error
export const wrong: Json<Dashboard> = @{[encode_json({%$dashboard, refresh => 30})]};
// \@ts-expect-error
export const none: Json<Dashboard> = @{[encode_json({%$dashboard, graphTooltip => 7})]};
// \@ts-expect-error
export const line: Partial<Json<timeseries.FieldConfig>> = { drawStyle: 'lines' };
// \@ts-expect-error
export const text: Partial<Json<stat.Options>> = { textMode: 'no' };
// \@ts-expect-error
export const cell: Partial<Json<table.Options>> = { cellHeights: 'sm' };
EOF_TS

Aiobs::spew("$dir/tsconfig.json", encode_json({ files => ['dashboard.ts'], compilerOptions => {
    noEmit => JSON::PP::true, strict => JSON::PP::true, skipLibCheck => JSON::PP::true,
    module => 'nodenext', moduleResolution => 'nodenext', target => 'es2022' } }));
my $types = $t->spawn(['sh', '-c', AiobsPeers::node() . ' node_modules/typescript/bin/tsc; echo "rc $?"'],
    cwd => $dir, log => "$dir/types");

my %variable = map { $_->{name} => $_ } @{$dashboard->{templating}{list}};
is($variable{datasource}{type}, 'datasource', 'the data source is a variable');
is($variable{datasource}{query}, 'prometheus', 'of Prometheus');

# --- what is provisioned fits together ---

my $source = Aiobs::slurp("$root/grafana/provisioning/datasources/prometheus.yml");
my $provider = Aiobs::slurp("$root/grafana/provisioning/dashboards/aiobs.yml");
like($source, qr/^    type: prometheus$/m, 'a data source of Prometheus is provisioned');
like($provider, qr{^      path: /var/lib/grafana/dashboards$}m, 'and the dashboard');

my $compose = Aiobs::slurp("$root/conf-examples/compose.yml");
my @mounted = $compose =~ m{^      - (\.\./\S+?):/}mg;
cmp_ok(scalar @mounted, '>=', 5, 'compose.yml mounts files');
is_deeply([grep { !-e "$root/conf-examples/$_" } @mounted], [], 'which are there');
like($compose, qr{\.\./grafana/dashboards:/var/lib/grafana/dashboards:}, 'the dashboard among them');

my %service = map { $_ => 1 } $compose =~ /^  (\w+):\n    \w/mg;
my @named = ($source . Aiobs::slurp("$root/prometheus/prometheus.yml")) =~ m{(?:http://|targets: \[')(\w+):\d+}g;
is_deeply([sort @named], [qw(alertmanager gateway prometheus)], 'three hosts are named');
ok($service{$_}, "$_ is a service") for @named;

# --- traffic ---

my $usage = '"usage":{"prompt_tokens":70,"completion_tokens":30,"total_tokens":100}';

$t->upstream(0, sub {
    my ($req, $c) = @_;

    if ($req->{body} =~ /fail/) {
        return $t->answer($c, 500, ['Content-Type', 'application/json'],
            '{"error":{"message":"x","type":"server_error"}}');
    }

    if ($req->{body} !~ /stream/) {
        return $t->answer($c, 200, ['Content-Type', 'application/json', 'X-Rag-Score', '0.8'],
            '{"id":"c","model":"gpt-4o","choices":[{"index":0,"message":{"content":"a"},'
            . "\"finish_reason\":\"stop\"}],$usage}");
    }

    $c->syswrite("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/event-stream\r\n\r\n");

    for my $n (1 .. 4) {
        sleep 0.03;
        $c->syswrite('data: {"id":"c","model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"a"}}]}' . "\n\n");
    }

    $c->syswrite('data: {"id":"c","model":"gpt-4o-mini","choices":[],' . $usage . "}\n\ndata: [DONE]\n\n");
});

$t->key('alice');
(my $conf = <<'EOF_CONF') =~ s/%%ROOT%%/$root/;
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_prices %%ROOT%%/conf-examples/prices.json;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /v1/ { aiobs_llm openai; aiobs_endpoint chat.a(b)+; proxy_pass http://127.0.0.1:%%PORT_0%%;
        aiobs_agent_session $http_x_agent_session end=$http_x_end; aiobs_rag_score $upstream_http_x_rag_score; }
    location /closed/ { aiobs_auth on; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }
}
EOF_CONF
$t->start($conf);

sub traffic {
    $t->post(1, '/v1/chat/completions', '{"model":"gpt-4o"}', 'X-Agent-Session', @$_)
        for ['goes on'], ['ends', 'X-End', '1'];
    $t->post(1, '/v1/chat/completions', $_) for '{"model":"gpt-4o"}',
        '{"model":"gpt-4o-mini","stream":true}', '{"model":"gpt-4o","fail":1}';
    return $t->get(1, '/closed/');
}

traffic();
AiobsMonitoring::prometheus($t, 2, AiobsMonitoring::shipped('prometheus/prometheus.yml',
    [qr/_interval: \w+/, '_interval: 1s'],
    [qr/_timeout: \w+/, '_timeout: 1s'],
    [qr/^rule_files:\n(?:  .*\n)+/m, ''],
    [qr/^alerting:\n(?:  .*\n)+/m, ''],
    [qr/'gateway:9145'/, "'127.0.0.1:%%PORT_1%%', 'localhost:%%PORT_1%%'"]));

# --- every question ---

# as Grafana puts it: variables replaced, "All" by what allValue says

sub plain {
    my ($q, %chosen) = @_;

    my %value = (__rate_interval => '1m', __range => '1h', __interval => '15s',
        (map { $_->{name} => $_->{allValue} || '' } values %variable), %chosen);
    $q =~ s/\$\{?(\w+)\}?/$value{$1} \/\/ die "no variable $1 in $q"/ge;
    return $q;
}

# a number somewhere, not only what 0 / 0 gives

sub answered {
    my ($q) = @_;

    return Aiobs::wait_for(sub {
        traffic();
        my @samples = eval { AiobsMonitoring::query($t, 2, $q) };
        return -1 if $@;
        return scalar grep { $_->{value}[1] =~ /^-?[\d.e+-]+$/ } @samples;
    }, 45) || 0;
}

my $questions = 0;

for my $p (@panels) {
    for my $q (@{$p->{targets} || []}) {
        my $expr = plain($q->{expr});
        cmp_ok(answered($expr), '>', 0, "$p->{title} $q->{refId} is answered")
            or diag($expr);
        $questions++;
    }
}

cmp_ok($questions, '>=', 20, 'there were questions');

for my $v (grep { $_->{type} eq 'query' } values %variable) {
    my ($metric, $label) = $v->{query}{query} =~ /^label_values\((.+), (\w+)\)$/;
    cmp_ok(answered('count by (' . $label . ') (' . plain($metric) . ')'), '>', 0,
        "variable $v->{name} has values");
}

Aiobs::wait_for(sub { $t->reap($types) }, 60);
my $said = Aiobs::slurp("$dir/types");
like($said, qr/\Arc 0$/, "it has the type of a dashboard, its panels those of their options") or diag($said);

# figures, not only answers

ok((grep { $_->{metric}{handler} eq '/v1/' && abs($_->{value}[1] - 1 / 5) < 0.1 }
    AiobsMonitoring::query($t, 2, plain($title{'Error rate'}{targets}[0]{expr}))),
    'a fifth of the requests failed');
my @top = AiobsMonitoring::query($t, 2, plain($title{'Top models'}{targets}[0]{expr}));
is_deeply([sort map { $_->{metric}{model} } @top], ['gpt-4o', 'gpt-4o-mini'], 'the models are there');

# two gateways, each with a mean of its own: a mean of means is none

is(scalar(() = AiobsMonitoring::query($t, 2, plain($title{'Retrieval score'}{targets}[0]{expr}))), 2,
    'the score of each gateway');

# an endpoint may have any name; how Grafana puts one that is chosen

is(scalar(() = AiobsMonitoring::query($t, 2, plain($title{'Agent sessions'}{targets}[0]{expr},
    job => '(aiobs|x\\\\.y)', endpoint => 'chat\\\\.a\\\\(b\\\\)\\\\+'))), 1, 'an endpoint of its own');

# without traffic there is a number or nothing, and none of long ago

my @stats = grep { $_->{type} eq 'stat' } @panels;
my @now = ('__rate_interval', '3s');
ok(Aiobs::wait_for(sub {
    my ($n) = AiobsMonitoring::query($t, 2, plain($title{Requests}{targets}[0]{expr}, @now));
    return $n && $n->{value}[1] eq '0';
}, 30), 'no more traffic');
is_deeply([map { $_->{title} } grep {
    grep { $_->{value}[1] eq 'NaN' } AiobsMonitoring::query($t, 2, plain($_->{targets}[0]{expr}, @now))
} @stats], [], 'no 0 / 0 in a figure');

$t->done;
