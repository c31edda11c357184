#!/usr/bin/perl

# Our own HTTP requests: whole answers, and every way not to get one, each
# within its bounds and with a text that tells no secret.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsUnit;
use IO::Socket::INET;
use Test::More;

my $t = Aiobs->new;
my $gone = $t->port(5);

my %raw = (
    garbage => "\x00\x01\x02nonsense\r\n\r\n",
    cut => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
    none => '',
    odd => "HTTP/1.1 100 Continue\r\nX-Odd: interim\r\n\r\nHTTP/1.1 503 X\r\nRetry-AFTER:  7 \r\n"
        . "X-Odd: a\x01b\r\nX-Odd: second\r\nContent-Length: 2\r\n\r\nno",
);

my %answer = (
    headers => [200, [map { ("X-H$_", 'y' x 60) } 1 .. 400], 'many'],
    move => [302, ['Location', '/end', 'X-Odd', 'first'], ''],
    file => [302, ['Location', 'file:///etc/passwd'], ''],
    loop => [302, ['Location', '/loop'], ''],
    end => [200, [], 'end'],
    big => [200, [], 'x' x 70000],
);

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my $name = substr $req->{uri}, 1;

    if (defined $raw{$name}) {
        $c->syswrite($raw{$name});

    } elsif ($answer{$name}) {
        $t->answer($c, @{$answer{$name}});

    } elsif ($name eq 'echo') {
        $t->answer($c, 200, [], "$req->{method},$req->{body},$req->{headers}{token}");

    } elsif ($name eq 'slow') {
        $c->syswrite("HTTP/1.1 200 OK\r\nX: ");
        while ($c->syswrite('a')) { select undef, undef, undef, 0.05 }

    } else {
        $c->sysread(my $nothing, 1);        # until the client leaves
    }
});

# a server with a certificate that nobody has signed

$t->certificate('cert');

$t->start(<<'E', no_module => 1);
server {
    listen 127.0.0.1:%%PORT_1%% ssl;
    ssl_certificate cert.pem;
    ssl_certificate_key cert.key;
    location / { return 200 secure; }
}
server { listen 127.0.0.1:%%PORT_2%%; }
server { listen 127.0.0.1:%%PORT_3%% http2; location / { return 200 two; } }
E

# two that ask for a certificate of ours, by an alert of the handshake or after it

for my $n (2, 3) {
    $t->spawn([qw(openssl s_server -quiet -Verify 1 -verify_return_error), "-tls1_$n", '-accept', '127.0.0.1:' . $t->port(4 + $n),
        '-cert', "$t->{dir}/cert.pem", '-key', "$t->{dir}/cert.key"]);
    Aiobs::wait_for(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $t->port(4 + $n)) }, 10)
        or BAIL_OUT('no server of TLS');
}

my $to = 'http://127.0.0.1:' . $t->port(0);
my $tls = 'https://127.0.0.1:' . $t->port(1);

my $two = 'http://127.0.0.1:' . $t->port(3);

my @cases = (
    ["POST $to/echo body=b,c header=Token:s3cret", 'ok|200|1|15|POST,b,c,s3cret|', 'a body and a header'],
    ["GET $to/odd", "ok|503|1|2|no|7|a\x01b|", 'headers of the last answer, the first of a name'],
    ["GET $to/move", 'ok|302|1|0|||first|', 'no redirect unless asked'],
    ["GET $to/move redirects=2", 'ok|200|1|3|end|||', 'a redirect'],
    ["GET $to/loop redirects=2", 'protocol|302|1|', 'a circle of them ends'],
    ["GET $to/file redirects=2", 'url|302|1|', 'never to a file'],
    ['GET file:///etc/passwd', 'url|0|0|0|', 'no file:'],
    ['GET gopher://127.0.0.1:1/', 'url|0|0|0|', 'no gopher:'],
    ["GET $to/big", 'too_large|200|1|', 'a body above the default'],
    ["GET $to/big max=100000", 'ok|200|1|70000|', 'and within a larger one'],
    ["GET $to/headers", 'ok|200|1|4|many|', 'header lines past what is kept'],
    ["GET $to/garbage", 'protocol|', 'no HTTP'],
    ["GET $to/none", 'protocol|0|1|', 'no answer'],
    ["GET $to/cut", 'protocol|200|1|4|half|', 'half an answer'],
    ["GET $to/hang timeout=300", 'timeout|0|1|', 'no answer in time'],
    ["GET $to/slow timeout=300", 'timeout|200|1|', 'header bytes one at a time'],
    ["GET $to/hang give_up=3", 'gave_up|0|1|0||||given up', 'given up'],
    ["GET http://127.0.0.1:$gone/", 'connect|0|0|0|', 'nobody listens'],
    ['GET http://nowhere.invalid/', 'dns|0|0|0|', 'no such name'],
    (["GET $two/ http2=1", 'ok|200|1|3|two|', 'HTTP/2 by prior knowledge, again and again']) x 3,
    ["GET $tls/", 'tls|0|0|0|', 'a certificate that is not known'],
    ["GET $tls/ ca=$t->{dir}/cert.pem", 'ok|200|1|6|secure|||', 'and one that is'],
    ["GET $tls/ ca=$t->{dir}/none.pem", 'tls|0|0|0|', 'no file of certificates'],
    ['GET https://127.0.0.1:' . $t->port(2) . '/', 'tls|0|0|0|', 'no TLS there'],
    (map { ['GET https://127.0.0.1:' . $t->port(4 + $_) . "/ ca=$t->{dir}/cert.pem", 'tls|0|', "TLS 1.$_ that wants a certificate"] } 2, 3),
);

for my $variant (qw(plain sanitized)) {
    my $exe = build('http', $variant, [map { "net/aiobs_http$_.c" } '', '_setup', '_answer'], '-lcurl');
    my @out = split /\n/, run_ok($exe, join('', map { "$_->[0]\n" } @cases), "$variant: runs to its end");

    is(scalar @out, scalar @cases, "$variant: an answer each");

    for my $i (0 .. $#cases) {
        my $line = $out[$i] // '';
        is(substr($line, 0, length $cases[$i][1]), $cases[$i][1], "$variant: $cases[$i][2]")
            or diag($line);
        unlike((split /\|/, $line, 8)[7] // '', qr/s3cret|[^ -~]/, 'its text is clean');
    }
}

$t->done;
