#!/usr/bin/perl

# The rules and the Alertmanager's configuration as they are shipped: accepted
# by their own tools, ringing when they should and only then, and all the way
# from a provider's failures to a pager, a chat and a mailbox.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsMonitoring;
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my $dir = $t->dir;
my $shipped = Aiobs::root() . '/prometheus';
my $rules = Aiobs::slurp("$shipped/alerts.yml");

sub run {
    my ($command) = @_;
    my $out = `$command 2>&1`;
    return ($? >> 8, $out);
}

sub succeeds {
    my ($command, $name) = @_;
    my ($rc, $out) = run($command);
    return is($rc, 0, $name) || diag($out);
}

# --- the tools accept them ---

succeeds("promtool check config $shipped/prometheus.yml", 'promtool check config');
succeeds("promtool check rules $shipped/alerts.yml $shipped/recording.yml",
    'promtool check rules');
succeeds("amtool check-config $shipped/alertmanager.yml", 'amtool check-config');

my %routes = (critical => 'pagerduty,slack', warning => 'slack,email', info => 'email');

for my $severity (sort keys %routes) {
    my ($rc, $out) = run("amtool config routes test "
        . "--config.file=$shipped/alertmanager.yml severity=$severity");
    like($out, qr/^\Q$routes{$severity}\E\s*$/m, "$severity goes to $routes{$severity}");
}

# --- the cases hold, and notice a rule that is another ---

succeeds("promtool test rules $shipped/alerts_test.yml", 'promtool test rules');

my @changes = (
    ['no floor of failures', 's/\s+and sum by\(job\)\(increase.*?>= 3//'],
    ['failures a job', 's/sum by\(job\)\(rate\(http_requests_total\[5m\]\)\)/sum(rate(http_requests_total[5m]))/'],
    ['20 % of failures', 's/0\.05/0.2/'],
    ['rings at once', 's/for: 2m/for: 0m/'],
    ['another quantile', 's/0\.95/0.5/'],
    ['no floor of calls', 's/>= 20/>= 1/'],
    ['latency since ever', 's/rate\((llm_call_duration_seconds_bucket)\[5m\]\)/$1/'],
    ['latency over endpoints', 's/job,endpoint,le/job,le/'],
    ['fewer tokens', 's/500000/200000/'],
    ['more tokens', 's/500000/700000/'],
    ['a counter taken for a gauge', 's/increase\(llm_tokens_total\[1h\]\)/llm_tokens_total/'],
    ['any error', 's/error_type=~"[^"]*"/error_type!=""/'],
    ['a single refusal', 's/(\[5m\]\)\)) >= 3\s+labels/$1 >= 1\n        labels/'],
    ['an absent gateway', 's/ or absent\(.*\)//'],
    ['rings at one missed scrape', 's/for: 1m/for: 0m/'],
);

for my $change (@changes) {
    my ($name, $code) = @$change;
    my $changed = $rules;
    eval "\$changed =~ ${code}s; 1" or die $@;
    isnt($changed, $rules, "$name: the rules are changed");

    Aiobs::spew("$dir/alerts.yml", $changed);
    Aiobs::spew("$dir/$_", Aiobs::slurp("$shipped/$_")) for 'recording.yml', 'alerts_test.yml';
    my ($rc) = run("promtool test rules $dir/alerts_test.yml");
    isnt($rc, 0, "$name: the cases notice");
}

# --- the plain forms that people copy from tutorials ---

my %plain = (
    PlainErrors => 'rate(http_requests_total{status=~"5.."}[5m]) > 0.05',
    PlainLatency => 'histogram_quantile(0.95, rate(llm_call_duration_seconds_bucket[5m])) > 15',
    PlainTokens => 'rate(llm_tokens_total[1h]) * 3600 > 500000',
);

Aiobs::spew("$dir/plain.yml", "groups:\n- name: plain\n  rules:\n"
    . join '', map { "  - alert: $_\n    expr: '$plain{$_}'\n" } sort keys %plain);
Aiobs::spew("$dir/plain_test.yml", <<'YML');
rule_files: [plain.yml]
tests:
- interval: 15s
  input_series:
  - {series: 'http_requests_total{handler="/v1/",method="POST",status="502"}', values: '0+1x240'}
  - {series: 'http_requests_total{handler="/b/",method="POST",status="502"}', values: '0x240'}
  - {series: 'llm_call_duration_seconds_bucket{provider="p",model="m",endpoint="e",le="15.0"}', values: '0+1x240'}
  - {series: 'llm_call_duration_seconds_bucket{provider="p",model="m",endpoint="e",le="20.0"}', values: '0+2x240'}
  - {series: 'llm_call_duration_seconds_bucket{provider="p",model="m",endpoint="e",le="+Inf"}', values: '0+2x240'}
  - {series: 'llm_tokens_total{provider="p",model="m",endpoint="e",token_type="input"}', values: '0+4000x240'}
  - {series: 'llm_tokens_total{provider="p",model="m",endpoint="e",token_type="output"}', values: '0+10x240'}
  alert_rule_test:
  - eval_time: 55m
    alertname: PlainErrors
    exp_alerts: [{exp_labels: {handler: /v1/, method: POST, status: '502'}}]
  - eval_time: 55m
    alertname: PlainLatency
    exp_alerts: [{exp_labels: {provider: p, model: m, endpoint: e}}]
  - eval_time: 55m
    alertname: PlainTokens
    exp_alerts: [{exp_labels: {provider: p, model: m, endpoint: e, token_type: input}}]
YML
succeeds("promtool test rules $dir/plain_test.yml", 'the plain forms ring, each for what is meant');

# --- from failures of a provider to those who are told ---

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my ($status, $type) = $req->{body} =~ /"(\d+) (\w+)"/ ? ($1, $2) : (200, '');

    $t->answer($c, $status, ['Content-Type', 'application/json'], $type
        ? encode_json({ error => { message => 'x', type => $type } })
        : '{"id":"c","model":"gpt-4o","choices":[{"index":0,"message":{"content":"a"},'
          . '"finish_reason":"stop"}],"usage":{"prompt_tokens":7000,"completion_tokens":3000}}');
});

# what is sent to a pager, a chat and a webhook, a line each

$t->upstream(2, sub {
    my ($req, $c) = @_;
    open my $fh, '>>', "$dir/told" or die $!;
    $fh->syswrite(encode_json([$req->{uri}, $req->{body}]) . "\n");
    close $fh;
    $t->answer($c, $req->{uri} eq '/pager' ? 202 : 200, [], 'ok');
});

my $mailbox = AiobsMonitoring::mailbox($t, 3);
mkdir "$dir/secrets" or die $!;
my %secret = ('pagerduty.key' => 'pager-key-0123456789abcdef0123456',
    'slack.url' => $t->expand('http://127.0.0.1:%%PORT_2%%/chat/T0/B0/secret'),
    'smtp.password' => 'mail-secret');
Aiobs::spew("$dir/secrets/$_", $secret{$_}) for keys %secret;

AiobsMonitoring::alertmanager($t, 5, AiobsMonitoring::shipped('prometheus/alertmanager.yml',
    [qr{/etc/alertmanager/secrets}, "$dir/secrets"],
    [qr{smtp\.example\.com:587}, '127.0.0.1:%%PORT_3%%'],
    [qr{smtp_require_tls: true}, 'smtp_require_tls: false'],
    [qr{^global:\n}m, "global:\n  pagerduty_url: http://127.0.0.1:%%PORT_2%%/pager\n"],
    [qr{group_wait: \w+}, 'group_wait: 0s'],
    [qr{group_interval: \w+}, 'group_interval: 1s'],
    [qr{  - name: slack\n}, "  - name: slack\n    webhook_configs:\n"
        . "      - url: http://127.0.0.1:%%PORT_2%%/hook\n"]));

$t->start(<<'CONF');
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /v1/ { aiobs_llm openai; aiobs_endpoint chat; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }
}
CONF

# the rules as they are, but ranges of 10 s and delays of 1 s

for my $name (qw(alerts recording)) {
    my $text = AiobsMonitoring::shipped("prometheus/$name.yml", [qr/\[(?:5m|1h)\]/, '[10s]']);
    $text =~ s/for: \dm/for: 1s/g;
    Aiobs::spew("$dir/$name.yml", $text);
}

AiobsMonitoring::prometheus($t, 4, AiobsMonitoring::shipped('prometheus/prometheus.yml',
    [qr/_interval: \w+/, '_interval: 1s'],
    [qr/_timeout: \w+/, '_timeout: 1s'],
    [qr/gateway:9145/, '127.0.0.1:%%PORT_1%%'],
    [qr/alertmanager:9093/, '127.0.0.1:%%PORT_5%%']));

sub query { return AiobsMonitoring::query($t, 4, @_) }
sub call { return $t->post(1, '/v1/chat/completions', $_[0] || '{"model":"gpt-4o"}')->{status} }

# what was sent to a path, decoded

sub told {
    my ($path) = @_;
    return map { my ($uri, $body) = @{decode_json($_)};
        index($uri, $path) == 0 ? decode_json($body) : () }
        grep { /\n\z/ } Aiobs::slurp("$dir/told") =~ /([^\n]*\n)/g;
}

# the webhook's word on an alert, traffic meanwhile

sub hook {
    my ($name, $status, $traffic) = @_;
    my $found;

    Aiobs::wait_for(sub {
        $traffic->() if $traffic;
        ($found) = grep { $_->{status} eq $status && $_->{commonLabels}{alertname} eq $name }
            told('/hook');
        return $found;
    }, 90);

    return $found || {};
}

ok(AiobsMonitoring::query_until($t, 4, 'up{job="aiobs"} == 1'), 'Prometheus scrapes the gateway');

my $fired = hook('HighErrorRate', 'firing', sub { call(); call('{"x":"502 server_error"}') });
is($fired->{status}, 'firing', 'failures of the provider ring at the webhook');
is_deeply($fired->{commonLabels}, { alertname => 'HighErrorRate', job => 'aiobs', severity => 'critical' },
    'with their labels');
like($fired->{commonAnnotations}{summary}, qr/^[\d.]+% of requests fail on aiobs$/, 'and a summary');

# the plain forms, unchanged, on what was scraped

for my $name (qw(PlainErrors PlainTokens)) {
    ok(Aiobs::wait_for(sub { scalar query($plain{$name}) }, 20), "$name is answered");
}

my ($p95) = query('histogram_quantile(0.95, rate(llm_call_duration_seconds_bucket[5m])) > 0');
is_deeply([sort keys %{$p95->{metric}}], [qw(endpoint instance job model provider)],
    'so is PlainLatency, for every endpoint and model');
is_deeply([query($plain{PlainLatency})], [], 'which is not above 15 s');
ok(scalar query('job:http_request_errors:ratio_rate5m > 0'), 'the recording rules have answers');

is(hook('HighErrorRate', 'resolved', sub { call() })->{status}, 'resolved',
    'it ends when they do');

# a credential that the provider refuses

is(hook('ProviderCredentialOrCredit', 'firing',
    sub { call('{"x":"401 authentication_error"}') })->{commonLabels}{provider}, 'openai',
    'a refused credential rings');

# the gateway goes

is(scalar(grep { $_->{commonLabels}{alertname} eq 'GatewayDown' } told('/hook')), 0,
    'the gateway was there');
$t->stop;
is(hook('GatewayDown', 'firing')->{commonLabels}{severity}, 'critical', 'a gateway that is gone rings');

# nothing else has rung

my %rung = map { $_->{commonLabels}{alertname} => 1 } told('/hook');
is_deeply([sort keys %rung],
    [qw(GatewayDown HighErrorRate ProviderCredentialOrCredit TokenCostSpike)],
    '10,000 tokens a call rang too; latency did not');

# the pager and the chat were told as well, with the secrets of the files

my @pager = grep { $_->{payload}{summary} =~ /HighErrorRate/ || $_->{event_action} eq 'resolve' } told('/pager');
is($pager[0]{routing_key}, $secret{'pagerduty.key'}, 'PagerDuty gets its key');
is($pager[0]{event_action}, 'trigger', 'is triggered');
is($pager[0]{payload}{severity}, 'critical', 'as critical');
ok((grep { $_->{event_action} eq 'resolve' && $_->{dedup_key} eq $pager[0]{dedup_key} } @pager),
    'and resolved');

my @chat = map { $_->{attachments}[0]{title} } told('/chat/T0/B0/secret');
ok((grep { $_ eq 'FIRING: HighErrorRate' } @chat), 'Slack is told of it');
ok((grep { $_ eq 'RESOLVED: HighErrorRate' } @chat), 'and of its end');

# warnings come by mail

succeeds('amtool --alertmanager.url=' . $t->expand('http://127.0.0.1:%%PORT_5%%')
    . ' alert add alertname=HighLLMLatency severity=warning job=aiobs endpoint=chat'
    . ' --annotation=summary=slow', 'a warning');
my $mail = Aiobs::wait_for(sub { Aiobs::slurp($mailbox) =~ /^(.+)$/m && $1 }, 30);
$mail = decode_json($mail || '["",""]');
is($mail->[0], "\0alertmanager\@example.com\0$secret{'smtp.password'}", 'the mail server gets the password');
like($mail->[1], qr/^Subject: .*FIRING.*HighLLMLatency/m, 'and the mail');

$t->done;
