#!/usr/bin/perl

# "aiobs off" and a module that is not loaded answer the same requests with
# the same bytes.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;

my $sse = join '', map { "data: {\"n\":$_}\n\n" } 1 .. 50;

sub server {
    my ($req, $c) = @_;

    return $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        . "Connection: close\r\n\r\n$sse") if $req->{uri} =~ /sse/;

    my $body = join "\n", $req->{head}, $req->{body}, 'x' x 3000;
    $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        . "X-Request-Id: up\r\nConnection: close\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body");
}

my $conf = <<'EOF';
upstream app { server 127.0.0.1:%%PORT_0%%; }
server {
    listen 127.0.0.1:%%PORT_1%%;
    gzip on;
    gzip_types application/json;
    location / { proxy_pass http://app; }
    location /static/ { root %%DIR%%/html; }
    location /return { return 201 "made\n"; }
    location /old { return 301 /new; }
    location /denied { deny all; }
    location /error { error_page 404 = @app; }
    location @app { proxy_pass http://app; }
}
EOF

my @requests = (
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: mine\r\nTraceparent: x\r\n"
        . "Authorization: Bearer k\r\nX-User-ID: me\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n",
    "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "POST /v1/chat/completions?key=abc HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        . "Content-Length: 15\r\n\r\n{\"stream\":true}",
    "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "GET /sse HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /static/f HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /static/f HTTP/1.1\r\nHost: a\r\nRange: bytes=2-5\r\nConnection: close\r\n\r\n",
    "GET /static/none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /return HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /old HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /denied HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /error HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "GET /\r\n",
    "BREW / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET / HTT\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n",
);

my @answers;

for my $way ('absent', 'loaded', 'off') {
    my $t = Aiobs->new;

    mkdir $t->dir . '/html/static';
    Aiobs::spew($t->dir . '/html/static/f', '0123456789');
    utime 1, 1, $t->dir . '/html/static/f';

    $t->upstream(0, \&server);
    $t->start(($way eq 'off' ? "aiobs off;\n" : '') . $conf,
        no_module => $way eq 'absent', no_log => 1);

    my @got = map {
        my $raw = $t->raw(1, $_);
        my $port = $t->port(1);
        my $up = $t->port(0);
        $raw =~ s/^Date: .*\r\n//mg;
        $raw =~ s/127\.0\.0\.1:(?:$port|$up)/PORT/g;
        $raw =~ s{http://a:\d+/}{http://a/}g;
        $raw;
    } @requests;

    push @answers, [$way, @got];
    $t->finish;
}

for my $i (1 .. @requests) {
    my ($line) = split /\r\n/, $requests[$i - 1];

    like($answers[0][$i], qr/./, "$line: answered");
    is($answers[$_][$i], $answers[0][$i], "$line: $answers[$_][0] is as absent")
        for 1, 2;
}

# the module comes with a reload

my $t = Aiobs->new;
$t->upstream(0, \&server);
$t->start($conf, no_module => 1);
ok($t->reload("aiobs on;\n$conf", no_log => 1), 'a reload that brings the module');
ok(Aiobs::wait_for(sub { $t->raw(1, $requests[0]) =~ /^X-Request-ID: (?!up)/m }, 10), 'which is at work');
unlike($t->error_log, qr/aiobs_zone/, 'in a zone that is new, and no other one');
$t->finish;

Aiobs::forget();
done_testing();
