#!/usr/bin/perl

# Upstreams that speak HTTP/2, by grpc_pass and by proxy_http_version 2, and
# those that send 103 before their answer: what comes before a header is no
# answer, streams flow, usage is read, and every try has its own status.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(wait_for);
use Test::More;

my $t = Aiobs->new;
my $dir = $t->dir;

my ($minor, $patch) = `$t->{nginx} -v 2>&1` =~ m{nginx/1\.(\d+)\.(\d+)};
my $version = 1000 * $minor + $patch;
my $proxy2 = $version >= 29004;
my $hints = $version >= 29000;

# --- frames ---

use constant { DATA => 0, HEADERS => 1, RST => 3, SETTINGS => 4, PING => 6, GOAWAY => 7 };
use constant { FIN => 1, END_HEADERS => 4, PADDED => 8 };

sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload;
}

sub headers {
    my ($flags, @h) = @_;
    my $block = '';

    while (my ($name, $value) = splice @h, 0, 2) {
        $block .= pack 'C C/a C/a', 0, $name, $value;
    }

    return frame(HEADERS, END_HEADERS | $flags, 1, $block);
}

my $json = '{"id":"c1","model":"gpt-4o","choices":[{"index":0,"message":{"content":"hi"},'
    . '"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":10}}';
my $event = 'data: {"id":"c","model":"gpt-4o","choices":[{"index":0,"delta":{"content":"w "}}]}' . "\n\n";
my $usage = 'data: {"id":"c","model":"gpt-4o","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":3}}' . "\n\n";
my $done = "data: [DONE]\n\n";

my @ok = (':status', 200, 'content-type', 'application/json', 'x-request-id', 'prov-1');
my @sse = (':status', 200, 'content-type', 'text/event-stream');
my @early = (':status', 103, 'link', '</a>', 'x-request-id', 'hint-1');

# what a server sends that is asked for so-and-so; a number is a file to wait for

my %cases = (
    ok => [headers(0, @ok), frame(DATA, FIN, 1, $json)],
    trailers => [headers(0, @ok), frame(DATA, 0, 1, $json),
        headers(FIN, 'x-request-id', 'late', 'x-provider-request-id', 'later', 'x-cost', '7')],
    trailed => [headers(0, @sse), frame(DATA, 0, 1, $event . $usage . $done), headers(FIN, 'x-request-id', 'late')],
    reset => [frame(RST, 0, 1, pack 'N', 2)],
    refused => [frame(RST, 0, 1, pack 'N', 7)],
    goaway => [frame(GOAWAY, 0, 0, pack 'NN', 0, 0)],
    close => [],
    silent => [],
    quota => [headers(0, ':status', 429, 'content-type', 'application/json'),
        frame(DATA, FIN, 1, '{"error":{"code":"insufficient_quota"}}')],
    sse => [headers(0, @sse), frame(DATA, 0, 1, $event), 1, frame(DATA, PADDED, 1, "\x04$event" . "\0" x 4), 2,
        frame(PING, 0, 0, '12345678'), frame(DATA, 0, 1, substr $event, 0, 20),
        frame(DATA, 0, 1, substr($event, 20) . $usage), frame(DATA, FIN, 1, $done)],
    ssereset => [headers(0, @sse), frame(DATA, 0, 1, $event x 3), 1, frame(RST, 0, 1, pack 'N', 2)],
    hints => [headers(0, @early), headers(0, @ok), frame(DATA, FIN, 1, $json)],
    hintserror => [headers(0, @early), headers(0, ':status', 500), frame(DATA, FIN, 1, '{}')],
    hintsreset => [headers(0, @early), frame(RST, 0, 1, pack 'N', 2)],
);

sub play {
    my ($c, $case) = @_;

    for my $step (@{$cases{$case}}) {
        if ($step =~ /^\d$/) {
            wait_for(sub { -e "$dir/seen.$case.$step" }, 10);
        } else {
            $c->syswrite($step);
        }
    }
}

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my $bytes = $req->{body};

    while ($bytes !~ /"case":"\w+"\}/) {
        $c->sysread($bytes, 65536, length $bytes) or return;
    }

    my ($case) = $bytes =~ /"case":"(\w+)"/;
    $c->syswrite(frame(SETTINGS, 0, 0, '') . frame(SETTINGS, 1, 0, ''));
    play($c, $case);
    Aiobs::read_all($c) if $case ne 'close';
});

# the same of HTTP/1.1, as far as it is there

my $head = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Request-ID: hint-1\r\n\r\n";

$t->upstream(2, sub {
    my ($req, $c) = @_;
    my ($case) = $req->{body} =~ /"case":"(\w+)"/ or return $t->answer($c, 200, [], 'fallback');

    $c->syswrite($head) if $case =~ /^hints/;
    return $t->answer($c, 500, [], '{}') if $case eq 'hintserror';
    return $c->syswrite("HTTP/1.1 200 OK\r\nContent-Ty") if $case eq 'half';
    return $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        . sprintf("%x\r\n", length $json) . "$json\r\n0\r\nX-Request-ID: late\r\nX-Cost: 7\r\n\r\n") if $case eq 'trailed';
    return if $case ne 'hints';
    $t->answer($c, 200, ['Content-Type', 'application/json', 'X-Request-ID', 'prov-1'], $json);
});

# --- nginx ---

my ($listen2, $http2) = $t->http2;
my $v2 = $proxy2 ? 'proxy_http_version 2;' : '';
my $trailers = $version >= 27002 ? 'proxy_pass_trailers on;' : '';
my $early = $hints ? 'early_hints 1;' : '';

$t->start(<<EOF);
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    aiobs_llm openai;
    $early
    location /grpc/ { rewrite ^/grpc(.*) \$1 break; grpc_pass grpc://127.0.0.1:%%PORT_0%%; }
    location /grpc/quick/ { aiobs_endpoint /grpc/; rewrite ^/grpc/quick(.*) \$1 break; grpc_read_timeout 1s; grpc_pass grpc://127.0.0.1:%%PORT_0%%; }
    location /v2/quick/ { aiobs_endpoint /v2/; $v2 proxy_read_timeout 1s; proxy_pass http://127.0.0.1:%%PORT_0%%/; }
    location /v2/ { $v2 $trailers proxy_pass http://127.0.0.1:%%PORT_0%%/; }
    location /v1/ { proxy_http_version 1.1; $trailers proxy_pass http://127.0.0.1:%%PORT_2%%; }
    location /next/ {
        proxy_intercept_errors on;
        error_page 500 = \@next;
        proxy_pass http://127.0.0.1:%%PORT_2%%/;
    }
    location \@next { rewrite ^ /v1/chat/completions break; proxy_set_body ""; proxy_pass http://127.0.0.1:%%PORT_2%%; }
    location = /metrics { aiobs_metrics; }
}
server {
    listen 127.0.0.1:%%PORT_3%%$listen2;
    $http2
    location / { proxy_pass http://127.0.0.1:%%PORT_1%%; }
}
EOF

my $n = 0;

# (the answer, the log line)

sub call {
    my ($case, $path) = @_;
    my $id = 'call-' . $n++;
    my $r = $t->post(1, $path, qq({"model":"gpt-4o","case":"$case"}), 'X-Request-ID', $id);
    return ($r, $t->log_of($id));
}

sub told {
    my ($line) = @_;
    return join ' ', map { $line->{$_} // '-' } qw(status_code upstream_status error_type usage_source input_tokens output_tokens);
}

sub trailers { my ($r) = @_; return join ', ', map { lc } $r->{raw} =~ /\r\n0\r\n(.*)\r\n\r\n$/s ? split /\r\n/, $1 : () }

sub metric { my ($re) = @_; return grep { /$re/ } split /\n/, $t->get(1, '/metrics')->{body} }

for my $how ('grpc', $proxy2 ? 'v2' : ()) {
    my $path = "/$how/v1/chat/completions";
    unlink glob "$dir/seen.*";

    my ($r, $line) = call('ok', $path);
    is(told($line), '200 200 - reported 19 10', "$how: an answer");
    is($r->{body}, $json, 'untouched');
    is("$r->{headers}{'x-request-id'} $r->{headers}{'x-provider-request-id'}", "$line->{request_id} prov-1", 'its ids');

    ($r, $line) = call('trailers', $path);
    is(told($line) . " $line->{provider_request_id}", '200 200 - reported 19 10 prov-1', 'with trailers');
    is(trailers($r), 'x-cost: 7', 'which tell no other ids than the header');

    ($r, $line) = call('trailed', $path);
    is(trailers($r), '', 'and none that is not ours');
    is(told($line), '200 200 - reported 11 3', 'of a stream');
    is($line->{provider_request_id}, 'late', 'which the log has');

    for my $case (qw(reset refused goaway close)) {
        ($r, $line) = call($case, $path);
        is(told($line), '502 502 upstream_reset none - -', "$case: settings are no answer");
    }

    is(told((call('silent', "/$how/quick/v1/chat/completions"))[1]), '504 504 timeout none - -', 'nor do they keep one waiting');
    is(told((call('quota', $path))[1]), '429 429 quota_exhausted none - -', "the provider's refusal");

    streams($how, $path);
}

# events come one by one, though proxy_buffering is on

sub streams {
    my ($how, $path) = @_;

    for my $case (qw(sse ssereset)) {
        my $c = $t->connect(1);
        my ($got, $step, $body) = ('', 1, qq({"model":"gpt-4o","stream":true,"case":"$case"}));

        $c->syswrite("POST $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-ID: $how-$case\r\n"
            . "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body");

        while ($c->sysread($got, 65536, length $got)) {
            my @events = $got =~ /data: /g;
            Aiobs::spew("$dir/seen.$case." . $step++, '') if @events >= $step && $step < 3;
        }

        close $c;                       # or nginx lingers
        my $r = Aiobs::parse_response($got);
        my $line = $t->log_of("$how-$case");

        if ($case eq 'sse') {
            is($step, 3, "$how: event by event");
            is($r->{body}, $event x 3 . $usage . $done, 'the whole stream');
            is(told($line), '200 200 - reported 11 3', 'its usage');

        } else {
            is($r->{body}, $event x 3, "$how: a stream that is reset");
            like(told($line), qr/^200 200 upstream_reset estimated \d+ 3$/, 'is counted by what came');
        }
    }
}

for my $how ('/grpc/', $proxy2 ? '/v2/' : ()) {
    my %tries = map { /outcome="(\w+)"\} (\d+)/ ? ($1, $2) : () } metric(qr/^llm_upstream_attempts_total\{endpoint="$how"/);
    is_deeply(\%tries, { success => 5, upstream_reset => 4, timeout => 1, rate_limited => 1 }, "$how: what every try came to");
}

# --- 103 ---

is(told((call('half', '/v1/chat/completions'))[1]), '502 502 upstream_reset none - -', 'half a header is no answer');

SKIP: {
    skip 'this nginx passes no trailers on', 3 unless $trailers;

    my ($r, $line) = call('trailed', '/v1/chat/completions');
    is(trailers($r), 'x-cost: 7', 'trailers of HTTP/1.1: none with an id');
    is($r->{headers}{'x-request-id'}, $line->{request_id}, 'which the header has');
    is("$line->{provider_request_id} " . told($line), 'late 200 200 - reported 19 10', 'and the log the other');
}

SKIP: {
    skip 'this nginx takes 103 for the answer', 1 unless $hints;

    for my $path ('/v1/chat/completions', $proxy2 ? '/v2/v1/chat/completions' : (), '/grpc/v1/chat/completions') {
        my ($r, $line) = call('hints', $path);
        my ($first, $second) = split /\r\n\r\n/, $r->{raw};

        like($first, qr{^HTTP/1.1 103 .*\r\nlink: </a>}is, "$path: 103 is passed on");
        unlike($first, qr/hint-1/, 'without an X-Request-ID that is not ours');
        like($second, qr{^HTTP/1.1 200 .*\r\nX-Request-ID: $line->{request_id}\r\nX-Provider-Request-ID: prov-1}s, 'the answer has both');
        is(told($line), '200 200 - reported 19 10', 'its status is the one that is told');

        is(told((call('hintserror', $path))[1]), '500 500 server_error none - -', 'an error after 103');
        is(told((call('hintsreset', $path))[1]), '502 502 upstream_reset none - -', 'nothing after 103');
    }

    my ($r, $line) = call('hintserror', '/next/v1/chat/completions');
    like($r->{raw}, qr/fallback/, 'another upstream answers');
    is("$line->{status_code} $line->{attempts}", '200 2', 'the second try');
    my ($failed) = metric(qr{^llm_upstream_attempts_total\{endpoint="/next/",provider="openai",outcome="server_error"});
    like($failed // '', qr/ 1$/, 'and the first has failed');
}

Aiobs::done;
