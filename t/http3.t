#!/usr/bin/perl

# Clients that speak HTTP/3: what is told of their requests is what is told of
# others', streams reach them event by event, and one that leaves is noticed.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(wait_for);
use AiobsPeers;
use File::Basename qw(dirname);
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my $dir = $t->dir;

# one that came with nginx, or the machine's

my ($curl) = grep { `$_ --version 2>/dev/null` =~ /HTTP3/ } dirname($t->{nginx}) . '/curl', 'curl';

for (['nginx without HTTP/3', `$t->{nginx} -V 2>&1` =~ /http_v3_module/],
    ['no curl that speaks HTTP/3', $curl])
{
    my ($lacks, $there) = @$_;
    next if $there;
    Aiobs::forget();
    plan skip_all => $lacks;
}

my $key = $t->key('alice', 'laptop');
my $spans = AiobsPeers::otlp($t, 5, 6);
my $event = 'data: {"id":"c","model":"gpt-4o","choices":[{"index":0,"delta":{"content":"w "}}]}' . "\n\n";

$t->upstream(0, sub {
    my ($req, $c) = @_;

    if ($req->{body} =~ /"stream":true/) {
        my ($id) = $req->{headers}{'x-request-id'};

        $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");

        for my $i (1 .. 3) {
            $c->syswrite($event) or return;
            wait_for(sub { -e "$dir/seen.$id.$i" }, 10) if $i < 3;
        }

        $c->syswrite('data: {"id":"c","model":"gpt-4o","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3}}'
            . "\n\n") if $req->{body} =~ /include_usage/;
        $c->syswrite("data: [DONE]\n\n");
        return;
    }

    wait_for(sub { -e "$dir/gone" }, 10) if $req->{uri} =~ /silent/;
    $t->answer($c, 200, ['Content-Type', 'application/json'], '{"id":"c1","model":"gpt-4o","choices":[{"index":0,'
        . '"message":{"content":"' . 'x' x ($req->{uri} =~ /big/ ? 500_000 : 2) . '"},"finish_reason":"stop"}],'
        . '"usage":{"prompt_tokens":19,"completion_tokens":10}}');
});

$t->certificate('cert');
$t->start(<<'EOF');
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_metric_names both;
aiobs_otlp { endpoint http://127.0.0.1:%%PORT_5%%; interval 100ms; }
server {
    listen 127.0.0.1:%%PORT_1%% quic reuseport;
    listen 127.0.0.1:%%PORT_1%% ssl;
    listen 127.0.0.1:%%PORT_2%%;
    ssl_certificate %%DIR%%/cert.pem;
    ssl_certificate_key %%DIR%%/cert.key;
    aiobs on;
    aiobs_trace on ratio=1;
    location / { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /v1/ {
        aiobs_auth on;
        aiobs_llm openai;
        aiobs_endpoint chat;
        aiobs_stream_usage on;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /metrics { aiobs off; aiobs_metrics; }
}
EOF

my @auth = ('-H', "Authorization: Bearer $key");
my $url = 'https://127.0.0.1:' . $t->port(1);

# an answer over HTTP/3; what comes is shown to a callback

sub h3 {
    my ($id, $path, $seen, @args) = @_;
    my ($out, $body) = ("$dir/$id.head", '');

    open my $pipe, '-|', $curl, '-skN', '--http3-only', '--max-time', 60, '-D', $out,
        '-H', "X-Request-ID: $id", @args, "$url$path" or die "curl: $!";

    while (sysread $pipe, $body, 65536, length $body) {
        $seen->($body) if $seen;
    }

    close $pipe;
    my $head = Aiobs::slurp($out);
    return { body => $body, head => $head, status => $head =~ m{^HTTP/3 (\d+)} ? $1 : '-' };
}

sub chat {
    my ($stream, $text) = @_;
    my $file = "$dir/body." . length $text;
    Aiobs::spew("$file.$stream", '{"model":"gpt-4o",' . ($stream ? '"stream":true,' : '')
        . "\"messages\":[{\"role\":\"user\",\"content\":\"$text\"}]}");
    return ('-H', 'Content-Type: application/json', '--data-binary', "\@$file.$stream");
}

sub told {
    my ($line) = @_;
    return join ' ', map { $line->{$_} // '-' } qw(status_code error_type usage_source input_tokens output_tokens);
}

# --- answers ---

my $r = h3('plain', '/x', undef, '-H', 'Host: gw.example.com:8443');
is($r->{status}, 200, 'an answer over HTTP/3');
like($r->{head}, qr/^x-request-id: plain\r$/mi, 'with the id');

$r = h3('json', '/v1/chat/completions', undef, @auth, chat(0, 'hi'));
is(told($t->log_of('json')), '200 - reported 19 10', 'a call');

$r = h3('big', '/v1/chat/completions?big', undef, @auth, chat(0, 'y' x 200_000));
is(length $r->{body}, 500_152, 'a long answer to a long question');
is(told($t->log_of('big')), '200 - reported 19 10', 'is a call as well');

$r = h3('refused', '/v1/chat/completions', undef, chat(0, 'y' x 200_000));
is($r->{status}, 401, 'nobody without a key');
is($t->log_of('refused')->{error_type}, 'missing_key', 'and that is told');

# --- streams ---

for my $text ('hi', 'y' x 200_000) {
    my $id = 'stream' . length $text;
    my $step = 0;

    $r = h3($id, '/v1/chat/completions', sub {
        my @events = $_[0] =~ /data: /g;
        Aiobs::spew("$dir/seen.$id." . ++$step, '') while $step < @events && $step < 3;
    }, @auth, chat(1, $text));

    is($step, 3, 'event by event');
    is($r->{body}, $event x 3 . "data: [DONE]\n\n", 'what the client had asked for');
    is(told($t->log_of($id)), '200 - reported 11 3', 'and what we had');
}

# --- clients that leave ---

$r = h3('left', '/v1/chat/completions', sub { Aiobs::spew("$dir/seen.left.1", '') },
    @auth, chat(1, 'hi'), '--max-time', 1);
is($r->{body}, $event x 2, 'a client that leaves a stream');
like(told($t->log_of('left')), qr/^200 client_abort estimated \d+ 2$/, 'has what it got counted');

h3('early', '/v1/chat/completions?silent', undef, @auth, chat(0, 'hi'), '--max-time', 1);
Aiobs::spew("$dir/gone", '');
is(told($t->log_of('early')), '499 client_abort none - -', 'one that leaves before the answer');

# --- metrics and spans ---

my $m = $t->get(2, '/metrics')->{body};
my %sum;

for ($m =~ /^(\w+\{.*)/mg) {
    $sum{$1} += $2 if /^(\w+_inprogress)\{.* (\d+)$/;
    $sum{$1} += $2 if /^http_server_request_duration_seconds_count\{.*url_scheme="(https.*network_protocol_version="\d)".* (\d+)$/;
}

$sum{https} += delete $sum{$_} for grep { /^https.*version="3$/ } keys %sum;
is_deeply(\%sum, { http_requests_inprogress => 0, llm_calls_inprogress => 0, https => 8 }, 'all of HTTP/3, none in progress');

my $span;

wait_for(sub {
    ($span) = grep { ($_->{attrs}{'aiobs.request_id'} // '') eq 'plain' }
        map { decode_json($_) } Aiobs::slurp($spans) =~ /^(.*)\n/mg;
}, 10);

is(join(' ', map { $span->{attrs}{$_} // '-' } qw(network.protocol.version url.scheme server.address server.port)),
    '3 https gw.example.com 8443', 'the span, with the port that the client named');

$t->stop('TERM');           # nginx waits long for a client of HTTP/3 that is gone
Aiobs::done;
