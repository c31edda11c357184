#!/usr/bin/perl

# Long buffered answers are written in pieces as large as proxy_buffers allow;
# an explicit proxy_busy_buffers_size is obeyed.  Every byte arrives, none later
# than it would, and a slow client takes no more memory than nginx was allowed.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Digest::SHA qw(sha1_hex);
use IO::Uncompress::Gunzip qw(gunzip);
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;

my $t = Aiobs->new;
my $dir = $t->dir;

sub embeddings {
    my ($n) = @_;

    return '{"object":"list","data":[' . join(',', map { '{"object":"embedding","index":'
        . "$_,\"embedding\":[" . join(',', map { "0.$_" } 100000 .. 100199) . ']}' } 1 .. $n)
        . "],\"model\":\"m\",\"usage\":{\"prompt_tokens\":$n,\"total_tokens\":$n}}";
}

$t->upstream(0, sub {
    my ($req, $c) = @_;

    my ($n) = $req->{uri} =~ /n=(\d+)/;
    my ($chunk) = $req->{uri} =~ /chunk=(\d+)/;
    my @pauses = $req->{uri} =~ /pause=([\d,]+)/ ? split ',', $1 : ();
    my $body = embeddings($n);
    my $head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
        . ($req->{uri} =~ /length/ ? 'Content-Length: ' . length($body) . "\r\n" : '')
        . ($chunk ? "Transfer-Encoding: chunked\r\n" : '') . "\r\n";

    if ($chunk) {
        $body = Aiobs::chunked($chunk, $body);
    }

    for my $i (0 .. $#pauses) {
        $c->syswrite($head . substr $body, 0, $pauses[$i], '');
        $head = '';
        Aiobs::wait_for(sub { -e "$dir/seen$i" }, 20);
    }

    Aiobs::write_all($c, "$head$body");
});

$t->certificate('cert');
my ($listen_h2, $http2) = $t->http2;

$t->start(<<EOF);
proxy_cache_path %%DIR%%/cache keys_zone=cache:1m;
server {
    listen 127.0.0.1:%%PORT_1%% sndbuf=32k;
    lingering_close off;
    aiobs on;
    aiobs_llm openai;
    proxy_http_version 1.1;
    proxy_set_header Connection close;
    proxy_max_temp_file_size 0;
    location / { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /said/ { proxy_busy_buffers_size 8k; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /more/ { proxy_busy_buffers_size 12k; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /none/ { aiobs_llm off; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /few/ { proxy_buffers 3 4k; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /many/ { proxy_buffers 16 8k; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /off/ { proxy_buffering off; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /file/ { proxy_max_temp_file_size 1024m; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /rate/ { limit_rate 400k; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /read/ { proxy_limit_rate 400k; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /tls/ { proxy_pass https://127.0.0.1:%%PORT_2%%; }
    location /gzip/ { gzip on; gzip_types application/json; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /kept/ {
        proxy_cache cache;
        proxy_cache_methods GET POST;
        proxy_cache_key \$uri\$args;
        proxy_cache_valid 1m;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /store/ { proxy_store %%DIR%%/stored; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /again/ {
        proxy_intercept_errors on;
        error_page 500 502 504 = \@again;
        proxy_pass http://127.0.0.1:%%PORT_9%%;
    }
    location \@again { proxy_pass http://127.0.0.1:%%PORT_0%%; }
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

my $question = '{"model":"m","input":"Say it."}';
my $n = 0;

sub begin {
    my ($path, $answers, $args, $headers) = @_;

    my $id = 'passing' . ++$n;
    my $s = $t->connect(1);
    setsockopt $s, SOL_SOCKET, SO_RCVBUF, 32768 or die;
    $s->syswrite("POST $path/v1/embeddings?n=$answers" . ($args // '') . " HTTP/1.1\r\nHost: a\r\n"
        . "X-Request-ID: $id\r\nConnection: close\r\n" . ($headers // '')
        . 'Content-Length: ' . length($question) . "\r\n\r\n$question");
    return ($s, $id);
}

# the body, and the largest of the pieces in which nginx passed it on; what it still
# has when the upstream is done goes in one piece, whatever the configuration

sub pieces {
    my ($in) = @_;

    my ($head, $body) = split /\r\n\r\n/, $in, 2;
    my ($all, $at, @sizes) = ('', 0);

    return ('', 0, '') if !defined $body;
    return ($body, 0, $head) if $head !~ /chunked/i;

    while (substr($body, $at, 10) =~ /^([0-9a-f]+)\r\n/) {
        my $size = hex $1;
        $all .= substr $body, $at + length($1) + 2, $size;
        $at += length($1) + 2 + $size + 2;
        push @sizes, $size if $size;
        last if $at > length $body;
    }

    return ($all, (sort { $b <=> $a } 0, @sizes[0 .. $#sizes - 2])[0], $head);
}

sub ask {
    my ($path, $answers, %o) = @_;

    my ($s, $id) = begin($path, $answers, $o{args}, $o{headers});
    select undef, undef, undef, 0.3 if $o{late};

    my @got = pieces(Aiobs::read_all($s, 60));
    is($t->log_of($id)->{input_tokens}, $o{uncounted} ? undef : $answers,
        "$path: the tokens are those reported");

    return @got;
}

sub same { my ($got, $want, $name) = @_; is(sha1_hex($got), sha1_hex($want), $name) }

my $answers = 400;
my $want = embeddings($answers);

for my $case (['', 8192, 28672], ['/said', 4095, 8192], ['/more', 8192, 12288], ['/few', 4095, 8192],
              ['/many', 28672, 122880], ['/off', 0, 4096], ['/tls', 8192, 28672], ['/file', 8192, 1e6],
              ['/again', 8192, 28672], ['/read', 0, 28672], ['/none', 4095, 8192, uncounted => 1])
{
    my ($path, $more, $most, @o) = @$case;
    my ($got, $largest) = ask($path, $answers, @o);

    same($got, $want, "'$path': every byte");
    cmp_ok($largest, '>', $more, "'$path': in pieces of more than $more");
    cmp_ok($largest, '<=', $most, "'$path': and of $most at most");
}

for my $path ('', '/said', '/file', '/rate', '/many', '/few', '/none') {
    for my $args ('', '&length', '&chunk=7000', '&chunk=100') {
        my ($got) = ask($path, $answers, args => $args, late => 1, uncounted => $path eq '/none');
        same($got, $want, "'$path$args': a client that reads late gets every byte");
    }
}

for my $path ('/kept', '/store') {
    same((ask($path, $answers))[0], $want, "$path: every byte");
    same((ask($path, $answers, uncounted => $path eq '/kept'))[0], $want, "$path: again");
}

same(Aiobs::slurp("$dir/stored"), $want, 'stored: every byte');

my ($got, undef, $head) = ask('/gzip', $answers, headers => "Accept-Encoding: gzip\r\n");
like($head, qr/Content-Encoding: gzip/i, 'compressed');
gunzip(\$got, \my $plain);
same($plain, $want, 'and every byte in it');

same(scalar `curl -skN --http2 --max-time 60 $_ -d '$question' 'https://127.0.0.1:@{[$t->port(2)]}/v1/embeddings?n=$answers'`,
    $want, "HTTP/2: every byte $_") for '', '--limit-rate 500k';

# what has come goes out at once, but for the last buffer, which is not yet full:
# the answer's beginning, and any further part of it

for my $path ('', '/none') {
    my ($s) = begin($path, $answers, '&pause=10000,100000,50000,13000');
    my ($in, $sent, $i) = ('', 0, 0);

    for my $part (10000, 100000, 50000, 13000) {
        $sent += $part;
        $s->blocking(0);
        Aiobs::wait_for(sub { sysread $s, $in, 65536, length $in; length((pieces($in))[0]) >= $sent - 8192 }, 10);
        cmp_ok(length((pieces($in))[0]), '>=', $sent - 8192, "'$path': $sent bytes have come, and gone");
        Aiobs::spew("$dir/seen" . $i++, '');
    }

    $s->blocking(1);
    same((pieces($in . Aiobs::read_all($s)))[0], $want, "'$path': and the rest");
    unlink glob "$dir/seen*";
}

# slow clients: eight of them, each of an answer of 7 MB

sub memory {
    my ($pid) = $t->workers;

    return Aiobs::slurp("/proc/$pid/status") =~ /VmRSS:\s+(\d+)/ ? $1 : 0;
}

ask($_, $answers) for '', '/file';
my $before = memory();
my @clients = map { [begin($_ % 2 ? '' : '/file', 4000)] } 1 .. 8;

select undef, undef, undef, 1.5;
cmp_ok(memory() - $before, '<', 8 * 128, 'a client that does not read takes no memory but its buffers');

$want = embeddings(4000);
same((pieces(Aiobs::read_all($_->[0], 60)))[0], $want, 'it gets every byte when it does') for @clients;

$t->done;
