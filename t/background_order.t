#!/usr/bin/perl

# An order of an answer that is made in the background is noted before its last
# byte goes to the client, also where nginx learns only behind that byte that it
# was the last.  A worker is stopped there, and another is asked for the answer.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;

my $t = Aiobs->new;
my $dir = $t->dir;

# what was written of an order, the worker goes on when the file "go" is there

Aiobs::spew("$dir/stop.c", <<'C');
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

ssize_t
writev(int fd, const struct iovec *iov, int n)
{
    int      i, tries;
    ssize_t  sent;
    ssize_t  (*real)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");

    sent = real(fd, iov, n);

    for (i = 0; i < n; i++) {
        if (memmem(iov[i].iov_base, iov[i].iov_len, "\"queued\"", 8)) {
            for (tries = 0; access(GO, F_OK) != 0 && tries < 3000; tries++) {
                usleep(10000);
            }
        }
    }

    return sent;
}
C

my $cc = $ENV{CC} // 'cc';
system("$cc -shared -fPIC -DGO='\"$dir/go\"' -o $dir/stop.so $dir/stop.c -ldl") == 0 or BAIL_OUT("no $cc");

my %answer = (
    POST => '{"id":"resp_1","object":"response","background":true,"model":"m-1","output":[],"usage":null,' . ' ' x 5000
        . '"status":"queued"}',
    GET => '{"id":"resp_1","object":"response","status":"completed","background":true,"model":"m-1","output":[],'
        . '"usage":{"input_tokens":10,"output_tokens":20,"total_tokens":30}}',
);

$t->upstream(0, sub {
    my ($req, $c) = @_;
    $t->answer($c, 200, ['Content-Type', 'application/json'], $answer{$req->{method}});
});

{
    local $ENV{ASAN_OPTIONS} = join ':', grep { $_ } $ENV{ASAN_OPTIONS}, 'verify_asan_link_order=0';
    local $ENV{LD_PRELOAD} = join ' ', grep { $_ } $ENV{LD_PRELOAD}, "$dir/stop.so";
    $t->start(<<'E', workers => 2);
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location / { aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /unbuffered/ { aiobs_llm openai; proxy_buffering off; proxy_pass http://127.0.0.1:%%PORT_0%%; }
}
E
}

for my $path ('', '/unbuffered') {
    my $body = '{"model":"m-1","background":true,"input":"x"}';
    my $name = $path || '/';

    my $order = $t->connect(1);
    syswrite $order, "POST $path/v1/responses HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: order$path\r\n"
        . "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";

    my $in = '';
    while (index($in, $answer{POST}) < 0) {
        sysread($order, $in, 65536, length $in) or BAIL_OUT("no answer: $in");
    }

    like($in, qr/^Content-Length: 5\d\d\d\r$/m, "$name: the answer is whole");
    unlike(Aiobs::slurp("$dir/aiobs.json"), qr/"order\Q$path\E"/, 'and its request has not come to its end');

    $t->get(1, "$path/v1/responses/resp_1", 'X-Request-ID', "fetch$path");
    my $l = $t->log_of("fetch$path");
    is("$l->{event} " . ($l->{input_tokens} // ''), 'llm_called 10', 'it is known when the answer is asked for');

    Aiobs::spew("$dir/go", '');
    is($t->log_of("order$path")->{usage_source}, 'none', 'and ends as an order does');
    unlink "$dir/go";
}

$t->done;
