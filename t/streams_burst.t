#!/usr/bin/perl

# Streams that come in a burst are read in larger pieces than proxy_buffer_size
# allows for; what comes slowly is not.  Every byte arrives, whatever is before
# and behind, and however slowly the client reads.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Digest::SHA qw(sha1_hex);
use IO::Uncompress::Gunzip qw(gunzip);
use Test::More;

my $t = Aiobs->new;
my $dir = $t->dir;

sub events {
    my ($n) = @_;

    return join('', map { 'data: {"id":"c","model":"m","choices":[{"index":0,"delta":'
        . "{\"content\":\"word $_ \"},\"finish_reason\":null}]}\n\n" } 1 .. $n)
        . 'data: {"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":7,'
        . '"completion_tokens":' . $n . ',"total_tokens":' . ($n + 7) . "}}\n\n"
        . "data: [DONE]\n\n";
}

$t->upstream(0, sub {
    my ($req, $c) = @_;

    my ($n) = $req->{uri} =~ /events=(\d+)/;
    my ($chunk) = $req->{uri} =~ /chunk=(\d+)/;
    my $type = $req->{uri} =~ /json/ ? 'application/json' : 'text/event-stream';
    my $body = events($n);

    if ($chunk) {
        $body = Aiobs::chunked($chunk, $body);
    }

    my $head = "HTTP/1.1 200 OK\r\nContent-Type: $type\r\nConnection: close\r\n"
        . ($chunk ? "Transfer-Encoding: chunked\r\n" : '') . "\r\n";

    if ($req->{uri} =~ /slow/) {
        $c->syswrite($head);

        for my $i (1 .. $n) {
            $c->syswrite(substr $body, 0, index($body, "\n\n") + 2, '');
            Aiobs::wait_for(sub { -e "$dir/seen$i" }, 20);
        }

        $head = '';
    }

    Aiobs::write_all($c, "$head$body");
});

$t->certificate('cert');
my ($listen_h2, $http2) = $t->http2;

$t->start(<<EOF);
server {
    listen 127.0.0.1:%%PORT_1%% sndbuf=64k;
    lingering_close off;
    aiobs on;
    aiobs_llm openai;
    location / { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /off/ { proxy_buffering off; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /chunked/ { proxy_http_version 1.1; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /tls/ { proxy_pass https://127.0.0.1:%%PORT_2%%; }
    location /ask/ { aiobs_stream_usage on; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /wide/ { proxy_buffer_size 32k; proxy_buffers 8 32k; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /gzip/ {
        gzip on;
        gzip_types text/event-stream;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
}
server {
    listen 127.0.0.1:%%PORT_2%% ssl$listen_h2;
    $http2
    ssl_certificate %%DIR%%/cert.pem;
    ssl_certificate_key %%DIR%%/cert.key;
    aiobs on;
    aiobs_llm openai;
    location / { proxy_pass http://127.0.0.1:%%PORT_0%%; }
}
EOF

my $question = '{"model":"m","stream":true,"messages":[{"role":"user","content":"Count."}]}';
my $n = 0;

# the bytes of the body, and the sizes of the pieces in which nginx passed them on

sub ask {
    my ($path, $events, %o) = @_;

    my $id = 'burst' . ++$n;
    my $args = "events=$events" . ($o{args} // '');
    my $s = $t->connect(1);
    $s->syswrite("POST $path/v1/chat/completions?$args HTTP/1.1\r\nHost: a\r\n"
        . "X-Request-ID: $id\r\nConnection: close\r\n" . ($o{headers} // '')
        . 'Content-Length: ' . length($question) . "\r\n\r\n$question");

    if ($o{late}) {
        select undef, undef, undef, 0.3;
        sysread $s, my $first, 1000;
        select undef, undef, undef, 0.3;
        $o{got} = $first;
    }

    my ($head, $body) = split /\r\n\r\n/, ($o{got} // '') . Aiobs::read_all($s, 60), 2;
    my ($all, @sizes) = ('');

    while ($body =~ s/^([0-9a-f]+)\r\n//) {
        push @sizes, hex $1;
        $all .= substr $body, 0, $sizes[-1], '';
        $body =~ s/^\r\n// or last;
    }

    my $line = $t->log_of($id);
    is($line->{output_tokens}, $events, "$path: all tokens are counted") unless $o{uncounted};

    return ($all, (sort { $b <=> $a } @sizes)[0], $head);
}

sub same { my ($got, $want, $name) = @_; is(sha1_hex($got), sha1_hex($want), $name) }

my $events = 4000;
my $want = events($events);

for my $case (['', 4096, 16384], ['/off', 4096, 16384], ['/tls', 4096, 16384], ['/wide', 4096, 32768]) {
    my ($path, $more, $most) = @$case;
    my ($got, $largest) = ask($path, $events);

    same($got, $want, "'$path': every byte");
    cmp_ok($largest, '>', $more, "'$path': in pieces of more than $more");
    cmp_ok($largest, '<=', $most, "'$path': and of $most at most");
}

for my $chunk (70, 5000, 100000) {
    my ($got, $largest) = ask('/chunked', $events, args => "&chunk=$chunk");
    same($got, $want, "chunks of $chunk: every byte");
    cmp_ok($largest, '>', 4096, "chunks of $chunk: in larger pieces") if $chunk > 4096;
}

my ($got, $largest) = ask('', $events, late => 1);
same($got, $want, 'a client that reads late gets every byte');

$events = 30000;
$want = events($events);

for my $path ('', '/chunked') {
    ($got) = ask($path, $events, late => 1, args => $path ? '&chunk=9000' : '');
    same($got, $want, "'$path': a client that is slow gets every byte of a long answer");
}

($got, undef, my $head) = ask('/gzip', 20000, headers => "Accept-Encoding: gzip\r\n");
like($head, qr/Content-Encoding: gzip/i, 'compressed');
gunzip(\$got, \my $plain);
same($plain, events(20000), 'and every byte in it');

($got) = ask('/ask', 4000, late => 1);
is(length $got, length(events(4000)) - length((events(4000) =~ /(data: [^\n]*"usage"[^\n]*\n\n)/)[0]),
    'with usage asked for, all but that');

my $h2 = `curl -skN --http2 --max-time 60 --limit-rate 2M -d '$question' 'https://127.0.0.1:@{[$t->port(2)]}/v1/chat/completions?events=20000'`;
same($h2, events(20000), 'HTTP/2: every byte');

# slow streams stay as they are, and so does what is no stream

($got, $largest) = ask('/off', 4000, args => '&json');
same($got, events(4000), 'no stream: every byte');
cmp_ok($largest, '<=', 4096, 'no stream: the pieces are those of nginx');

my $s = $t->connect(1);
$s->syswrite("POST /v1/chat/completions?events=30&slow=1 HTTP/1.0\r\nHost: a\r\nX-Request-ID: slow\r\n"
    . 'Content-Length: ' . length($question) . "\r\n\r\n$question");
$got = '';

for my $i (1 .. 30) {
    Aiobs::wait_for(sub { sysread $s, $got, 65536, length $got; $got =~ /word $i / }, 10);
    Aiobs::spew("$dir/seen$i", '');
}

$got .= Aiobs::read_all($s);
same($got =~ s/.*?\r\n\r\n//sr, events(30), 'event by event: every byte');
is(() = $got =~ /word \d+ /g, 30, 'each when it came');

$t->done;
