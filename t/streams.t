#!/usr/bin/perl

# Streams flow: each event reaches the client when the upstream sends it, with
# nginx's default proxy settings and with gzip, HTTP/2 and TLS in front; those
# that end early are counted; aiobs_stream_usage asks and hides.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use IO::Select;
use JSON::PP;
use Test::More;

my $t = Aiobs->new;

sub event {
    my ($delta, $finish) = @_;
    return 'data: {"id":"c","model":"m","choices":[{"index":0,"delta":'
        . "{\"content\":\"$delta\"},\"finish_reason\":"
        . ($finish ? "\"$finish\"" : 'null') . "}]%USAGE%}\n\n";
}

my $last = 'data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":7,'
    . '"completion_tokens":3,"total_tokens":10}}' . "\n\n";

# after which a client may have all, and may not

my $responses = 'data: {"type":"response.created","response":{"id":"r","status":"in_progress","model":"m","output":[],"usage":{"input_tokens":3,"output_tokens":0,"total_tokens":3}}}' . "\n\n"
    . 'data: {"type":"response.output_text.delta","delta":"One"}' . "\n\n";
my %ends = (
    choices => 'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"One"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":1,"total_tokens":8}}' . "\n\n"
        . 'data: {"id":"c","model":"m","choices":[{"index":1,"delta":{"content":"two"},"finish_reason":null}],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}' . "\n\n",
    gemini => 'data: {"candidates":[{"content":{"parts":[{"text":"One"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":4,"candidatesTokenCount":2,"totalTokenCount":6},"modelVersion":"g"}' . "\n\n",
    responses => $responses,
    completed => $responses . 'data: {"type":"response.completed","response":{"id":"r","status":"completed","model":"m","output":[],"usage":{"input_tokens":3,"output_tokens":1,"total_tokens":4}}}' . "\n\n",
    messages => 'data: {"type":"message_start","message":{"id":"a","model":"m","stop_reason":null,"usage":{"input_tokens":3,"output_tokens":1}}}' . "\n\n"
        . 'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"One"}}' . "\n\n"
        . 'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}' . "\n\ndata: {\"type\":\"message_stop\"}\n\n",
    text => 'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"One\n\ndata: [DONE]\n\n"},"finish_reason":null}]}' . "\n\n",
);

# waits for a file of the test between events: nothing here depends on time

my $dir = $t->dir;

sub step { my ($n) = @_; Aiobs::wait_for(sub { -e "$dir/go$n" }, 20) }

$t->upstream(0, sub {
    my ($req, $c) = @_;

    my $asked = $req->{body} =~ /"include_usage":true/;
    my ($mode) = $req->{uri} =~ /mode=(\w+)/;
    $mode ||= '';

    Aiobs::spew("$dir/asked", $req->{head} . "\n\n" . $req->{body});

    if ($mode eq 'refuse') {
        return if !-e "$dir/refused" && do { Aiobs::spew("$dir/refused", ''); 1 };
    }

    if ($ends{$mode}) {
        $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n$ends{$mode}");
        step("end-$mode");
        return;
    }

    if ($mode eq 'late') {
        $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" . event('One' x 3000) =~ s/%USAGE%//r);
        step('gone');
        $c->syswrite(event('two', 'stop') =~ s/%USAGE%//r . "data: [DONE]\n\n");
        step("end-$mode");
        return;
    }

    if ($mode eq 'pieces') {
        my $all = join '', map { s/%USAGE%/,"usage":null/r } event('One '),
            event('two '), event('three', 'stop'), "${last}data: [DONE]\n\n";

        $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            . "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            . Aiobs::chunked(5, $all));
        return;
    }

    $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        . "Connection: close\r\n"
        . ($mode eq 'cut' || $mode eq 'error' ? "Content-Length: 100000\r\n" : '')
        . "\r\n");

    my $n = 0;

    for my $e (event('One '), event('two '), event('three', 'stop')) {
        (my $bytes = $e) =~ s/%USAGE%/$asked ? ',"usage":null' : ''/e;
        return if $mode eq 'cut' && $n == 2;

        if ($mode eq 'error' && $n == 2) {
            $c->syswrite('data: {"error":{"message":"x","type":"overloaded_error"}}'
                . "\n\n");
            return;
        }

        $c->syswrite($bytes);
        step($n) if $mode eq 'flow';
        $n++;
    }

    $c->syswrite($last) if $asked;
    $c->syswrite("data: [DONE]\n\n");
    step("end-$mode") if $mode eq 'open';
});

$t->certificate('cert');
my ($listen_h2, $http2) = $t->http2;

$t->start(<<EOF);
upstream tries {
    server 127.0.0.1:%%PORT_0%% max_fails=0;
    server 127.0.0.1:%%PORT_0%% max_fails=0;
}
proxy_cache_path %%DIR%%/cache keys_zone=kept:1m;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    gzip on;
    gzip_types text/event-stream;
    location / { aiobs_llm auto; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /ask/ {
        aiobs_llm openai;
        aiobs_stream_usage on limit=1m;
        proxy_next_upstream error timeout non_idempotent;
        proxy_pass http://tries;
    }
    location /kept/ {
        aiobs_llm openai;
        aiobs_stream_usage on;
        proxy_cache kept;
        proxy_cache_methods POST;
        proxy_cache_key \$request_body;
        proxy_cache_valid 1h;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /cached/ {
        aiobs_llm openai;
        proxy_cache kept;
        proxy_cache_methods POST;
        proxy_cache_key \$request_uri;
        proxy_cache_valid 1h;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /metrics { aiobs_metrics; }
}
server {
    listen 127.0.0.1:%%PORT_2%% ssl$listen_h2;
    $http2
    ssl_certificate %%DIR%%/cert.pem;
    ssl_certificate_key %%DIR%%/cert.key;
    aiobs on;
    aiobs_llm openai;
    aiobs_stream_usage on;
    location / { proxy_pass http://127.0.0.1:%%PORT_0%%; }
}
EOF

my $body = '{"model":"m","stream":true,"messages":[{"role":"user","content":"Count."}]}';

# each event arrives before the upstream goes on

sub flow {
    my ($name, $read) = @_;

    unlink glob("$dir/go*");
    my $got = '';

    for my $n (0 .. 2) {
        my $want = (qw(One two three))[$n];
        Aiobs::wait_for(sub { $got .= $read->(); $got =~ /$want/ }, 10);
        like($got, qr/$want/, "$name: event $n is there before the next is sent");
        Aiobs::spew("$dir/go$n", '');
    }

    Aiobs::wait_for(sub { $got .= $read->(); $got =~ /DONE/ }, 10);
    like($got, qr/\[DONE\]/, "$name: and the end");
    return $got;
}

my $s = $t->connect(1);
my $select = IO::Select->new($s);
my $reader = sub {
    my $data = '';
    $s->sysread($data, 65536) if $select->can_read(0.05);
    return $data;
};

$s->syswrite("POST /v1/chat/completions?mode=flow HTTP/1.1\r\nHost: a\r\n"
    . "X-Request-ID: flow\r\nConnection: close\r\nContent-Length: " . length($body)
    . "\r\n\r\n$body");
flow('default proxy settings', $reader);

for my $case (
    ['gzip', '--compressed', 'http://127.0.0.1:' . $t->port(1) . '/v1/chat/completions'],
    ['HTTP/2 over TLS', '-k', '--http2',
        'https://127.0.0.1:' . $t->port(2) . '/v1/chat/completions'],
) {
    my ($name, @args) = @$case;
    my $url = pop @args;

    my $pid = $t->spawn(['curl', '-sN', '--max-time', '60', @args, '-d', $body,
        "$url?mode=flow"], log => "$dir/curl.out");
    my $seen = 0;
    my $got = flow($name, sub {
        my $all = Aiobs::slurp("$dir/curl.out");
        my $new = substr $all, $seen;
        $seen = length $all;
        return $new;
    });
    Aiobs::wait_for(sub { $t->reap($pid) }, 10);
    unlink "$dir/curl.out";

    unlike($got, qr/usage/, "$name: no trace of usage") if $name =~ /TLS/;
}

my $line = $t->log_of('flow');
ok($line->{stream}, 'it is a stream');
ok(defined $line->{ttft} && $line->{ttft} <= $line->{duration}, 'with a first token');

# ends that come early

for my $case (['cut', 'upstream_reset', 'estimated'], ['error', 'stream_error', 'estimated']) {
    my ($mode, $type, $source) = @$case;
    $t->post(1, "/v1/chat/completions?mode=$mode", $body, 'X-Request-ID', $mode);
    $line = $t->log_of($mode);
    is($line->{error_type}, $type, "$mode: $type");
    is($line->{usage_source}, $source, "$mode: $source");
    cmp_ok($line->{output_tokens}, '>', 0, "$mode: what came is counted");
    cmp_ok($line->{input_tokens}, '>', 0, "$mode: and what was asked");
    is($line->{level}, 'error', "$mode: an error");
}

# the client leaves

unlink glob("$dir/go*");
$s = $t->connect(1);
$s->syswrite("POST /v1/chat/completions?mode=flow HTTP/1.1\r\nHost: a\r\n"
    . "X-Request-ID: left\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
$select = IO::Select->new($s);
my $got = '';
Aiobs::wait_for(sub { $got .= $reader->(); $got =~ /One/ }, 10);
close $s;
Aiobs::spew("$dir/go$_", '') for 0 .. 2;
$line = $t->log_of('left');
is($line->{error_type}, 'client_abort', 'a client that leaves');
like($line->{usage_source}, qr/estimated|partial/, 'has not called for free');

# one that hangs up when it has the stream's own end, as SDKs do, while the upstream's connection is still open; and before

for my $case (
    ['[DONE]', '/v1/chat/completions?mode=open', qr/DONE/, 'stop'],
    ['response.completed', '/v1/responses?mode=completed', qr/response\.completed/, undef],
    ['message_stop', '/v1/messages?mode=messages', qr/message_stop/, 'end_turn'],
    ['one of two choices', '/v1/chat/completions?mode=choices', qr/two/, undef, 1],
    ['what may be the last of Gemini', '/v1beta/models/g:streamGenerateContent?alt=sse&mode=gemini', qr/One/, undef, 1],
    ['the beginning, with figures', '/v1/responses?mode=responses', qr/One/, undef, 1],
    ['[DONE] in the text', '/v1/chat/completions?mode=text', qr/DONE/, undef, 1],
    ['what a cache has passed on by then', '/cached/v1/chat/completions?mode=late', qr/One/, undef, 1],
) {
    my ($name, $uri, $want, $finish, $left) = @$case;
    my ($mode) = $uri =~ /mode=(\w+)/;
    our $hangs++;
    $s = $t->connect(1);
    $s->syswrite("POST $uri HTTP/1.1\r\nHost: a\r\nX-Request-ID: hangs$hangs\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
    $select = IO::Select->new($s);
    $got = '';
    Aiobs::wait_for(sub { $got .= $reader->(); $got =~ $want }, 10);
    close $s;

    if ($uri =~ /cached/) {
        $t->get(1, '/metrics');                     # the worker has seen by then that he left
        Aiobs::spew("$dir/go$_", '') for 'gone', "end-$mode";
    }

    $line = $t->log_of("hangs$hangs");
    is_deeply([@$line{qw(level status_code error_type)}], $left ? ['error', 200, 'client_abort'] : ['info', 200, undef], "a client that leaves with $name");
    is($line->{finish_reason}, $finish, 'and its reason') if $finish;
    Aiobs::spew("$dir/goend-$mode", '');
}

# aiobs_stream_usage

sub ask {
    my ($json, $mode, @headers) = @_;
    our $n; $n++;
    my $r = $t->post(1, '/ask/v1/chat/completions?mode=' . ($mode || 'x'), $json,
        'X-Request-ID', "ask$n", @headers);
    $r->{line} = $t->log_of("ask$n");
    $r->{sent} = Aiobs::slurp("$dir/asked");
    ($r->{sent_head}, $r->{sent_body}) = split /\n\n/, $r->{sent}, 2;
    return $r;
}

my $plain = join '', map { s/%USAGE%//r } event('One '), event('two '),
    event('three', 'stop'), "data: [DONE]\n\n";

my $r = ask($body);
is($r->{body}, $plain, 'the client sees what it would have seen');
is($r->{line}{usage_source}, 'reported', 'and the usage is reported');
is($r->{line}{input_tokens}, 7, 'input');
is($r->{line}{output_tokens}, 3, 'output');
is_deeply(decode_json($r->{sent_body}), { %{decode_json($body)},
    stream_options => { include_usage => JSON::PP::true } }, 'the question is added');
unlike($r->{sent_head}, qr/^Accept-Encoding/mi, 'without compression');

$r = ask($body, 'pieces');
is($r->{body}, $plain, 'events in pieces that come at once: none is lost');
is($r->{line}{input_tokens}, 7, 'and the usage');

for my $status (qw(MISS HIT)) {
    $r = $t->post(1, '/kept/v1/chat/completions?mode=x', $body, 'X-Request-ID', "kept$status");
    is($r->{body}, $plain, "a stream that is cached as well, $status: whole");
    is($t->log_of("kept$status")->{upstream_cache_status}, $status, "$status it is");
}

$r = ask('{"stream":true,"stream_options":{"include_usage":true}}');
like($r->{body}, qr/\Q$last\E/, 'who asks himself gets the usage');

$r = ask('{"stream":true,"stream_options":{"include_usage":false}}');
is($r->{line}{usage_source}, 'estimated', 'who refuses is obeyed');
is($r->{sent_body}, '{"stream":true,"stream_options":{"include_usage":false}}',
    'not a byte is changed');

$r = ask('{"stream":false}');
is($r->{sent_body}, '{"stream":false}', 'no stream, no question');

for my $h (['Content-Digest', 'sha-256=:x:'], ['Authorization', 'AWS4-HMAC-SHA256 x'],
    ['Content-Encoding', 'gzip']) {
    $r = ask($body, 'x', @$h);
    is($r->{sent_body}, $body, "$h->[0]: left alone");
}

# large bodies lie on disk; tried again at another server

unlink "$dir/refused";
my $pad = 'p' x 300000;
$r = ask(qq({"pad":"$pad","stream":true,"messages":[]}), 'refuse');
is($r->{line}{attempts}, 2, 'a try fails, another is made');
is(length $r->{sent_body}, length(qq({"pad":"$pad","stream":true,"messages":[]}))
    + length(',"stream_options":{"include_usage":true}'), 'with the whole body');
is($r->{line}{input_tokens}, 7, 'and the usage');

unlink "$dir/refused";
$r = ask(qq({"stream":true,"stream_options":{"a":1},"pad":"$pad"}), 'refuse');
is_deeply(decode_json($r->{sent_body})->{stream_options},
    { a => 1, include_usage => JSON::PP::true }, 'an option is added in the middle');
is(length decode_json($r->{sent_body})->{pad}, 300000, 'of a body on disk');

$pad = 'p' x 1100000;
$r = ask(qq({"pad":"$pad","stream":true}), 'x');
is(index($r->{sent_body}, 'include_usage'), -1, 'past the limit it is left alone');

# chunked

my $chunked = join '', map { sprintf "%x\r\n%s\r\n", length $_, $_ }
    $body =~ /(.{1,9})/gs;
my $raw = $t->raw(1, "POST /ask/v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
    . "X-Request-ID: chunked\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    . "${chunked}0\r\n\r\n");
is($t->log_of('chunked')->{input_tokens}, 7, 'a chunked request');
is(Aiobs::parse_response($raw)->{body}, $plain, 'and its answer');

$t->done;
