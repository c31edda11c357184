#!/usr/bin/perl

# Receivers that are away, come back, refuse, hang and answer nonsense: every
# request is served, what can be sent arrives once, what is lost is counted.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsPeers;
use AiobsSentry;
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(time);

my $t = Aiobs->new;
my $file = $t->dir . '/spans-' . $t->port(5) . '.jsonl';

# receivers that no receiver should be

$t->upstream(2, sub { my ($req, $c) = @_; $c->sysread(my $nothing, 1) });
$t->upstream(3, sub {
    my ($req, $c) = @_;
    $c->syswrite("HTTP/1.1 200 OK\r\nX: ");
    while ($c->syswrite('a')) { select undef, undef, undef, 0.05 }
});
$t->upstream(4, sub { my ($req, $c) = @_; $t->answer($c, 200, ['Content-Type', 'text/html'], '<html>Welcome</html>') });
$t->upstream(8, sub { my ($req, $c) = @_; $c->syswrite("\x00\xff\x01garbage\r\n\r\n") });
$t->upstream(9, sub { });

# and some that have taken the spans, and say so in words of their own

my %words = (
    ok => ['text/plain; charset=utf-8', 'OK'],
    json => ['application/json', '{}'],
    some => ['application/json; charset=utf-8', '{"partialSuccess":{"rejectedSpans":"1","errorMessage":"too \u0007 old"}}'],
    number => ['Application/JSON', '{"partialSuccess":{"rejectedSpans":1}}'],
    odd => ['application/json', '{"partialSuccess":{"rejectedSpans":"-1","errorMessage":7}}'],
    torn => ['application/json', '{"partialSuccess":'],
);
$t->upstream(7, sub { my ($req, $c) = @_; my ($type, $body) = @{$words{$req->{uri} =~ m{^/(\w+)} ? $1 : ''}};
    $t->answer($c, 200, ['Content-Type', $type], $body) });

# gRPC whose trailers libcurl may lose, as they come together with a GOAWAY, or that has none

use constant { DATA => 0, HEADERS => 1, SETTINGS => 4, GOAWAY => 7 };

sub frame {
    my ($type, $flags, $stream, $payload) = @_;
    return substr(pack('N', length $payload), 1) . pack('CCN', $type, $flags, $stream) . $payload;
}

sub headers {
    my ($flags, @h) = @_;
    my $block = '';
    while (my ($name, $value) = splice @h, 0, 2) { $block .= pack 'C C/a C/a', 0, $name, $value }
    return frame(HEADERS, 4 | $flags, 1, $block);
}

my ($grpc, $goaway) = (headers(0, ':status', 200, 'content-type', 'application/grpc'), frame(GOAWAY, 0, 0, pack 'NN', 1, 0));

# port, spans taken and rejected, requests that count as failed, the answer

my %lost = (
    'trailers with a GOAWAY' => [10, 1, 0, 0, $grpc . frame(DATA, 0, 1, pack 'CN/a', 0, '') . headers(1, 'grpc-status', 0) . $goaway],
    'a partial success with a GOAWAY' => [11, 0, 1, 0,
        $grpc . frame(DATA, 0, 1, pack 'CN/a', 0, "\x0a\x02\x08\x01") . headers(1, 'grpc-status', 0) . $goaway],
    'no trailers' => [12, 1, 0, 0, $grpc . frame(DATA, 1, 1, pack 'CN/a', 0, '')],
    'half a message' => [13, 0, 0, 1, $grpc . frame(DATA, 1, 1, "\0\0\0\0\x05\x0a")],
    'no message' => [14, 0, 0, 1, $grpc . frame(DATA, 1, 1, '')],
    'another type' => [15, 0, 0, 1, headers(0, ':status', 200, 'content-type', 'text/html') . frame(DATA, 1, 1, pack 'CN/a', 0, '')],
);

for my $name (keys %lost) {
    my ($port, $answer) = @{$lost{$name}}[0, 4];

    $t->upstream($port, sub {
        my ($req, $c) = @_;
        my $bytes = $req->{body};
        $c->sysread($bytes, 65536, length $bytes) or return until $bytes =~ /\0[\x01\x09]\0\0\0\x01.*aiobs/s;     # the end of its data
        open my $seen, '>>', $t->dir . "/lost-$port" or die;
        syswrite $seen, '.';
        $c->syswrite(frame(SETTINGS, 0, 0, '') . frame(SETTINGS, 1, 0, '') . $answer);
        Aiobs::read_all($c, 1);
    });
}

sub conf {
    my ($endpoint, $more) = @_;
    my $interval = $more =~ /interval/ ? '' : 'interval 50ms;';
    return <<E;
aiobs_otlp { endpoint $endpoint; $interval $more }
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    aiobs_trace on;
    location / { return 200 ok; }
    location = /metrics { aiobs_metrics; }
}
E
}

sub http { return "http://127.0.0.1:" . $t->port(shift) }

# until those of the old configuration take no more requests, or are gone

sub use_conf {
    my ($endpoint, $more, $gone) = @_;
    my @old;
    Aiobs::wait_for(sub { @old = $t->workers }, 20);        # it may just have been started
    $t->reload(conf($endpoint, $more));
    return Aiobs::wait_for(sub {
        !grep { kill(0 => $_) && ($gone || Aiobs::slurp("/proc/$_/cmdline") !~ /shutting down/) } @old
    }, 20) || fail('old workers leave');
}

my $n = 0;

sub traffic { my $id;
    for (1 .. shift) { $id = 'q' . $n++; is($t->get(1, '/', 'X-Request-ID', $id)->{status}, 200, 'served') }
    return $id }

sub metric {
    my ($name, %labels) = @_;
    my $sum = 0;
    for ($t->get(1, '/metrics')->{body} =~ /^aiobs_export_$name\{(exporter="otlp"[^\n]*)$/mg) {
        my ($labels, $value) = /^(.*)\} (\S+)$/;
        $sum += $value unless grep { $labels !~ /\b$_="$labels{$_}"/ } keys %labels;
    }
    return $sum;
}

sub reaches {
    my ($want, $name, $what, %labels) = @_;
    ok(Aiobs::wait_for(sub { metric($name, %labels) >= $want }, 10), $what) or diag($t->get(1, '/metrics')->{body});
}

sub lines { return map { decode_json($_) } Aiobs::slurp($file) =~ /^(.*)\n/mg }
sub spans { return map { $_->{attrs}{'aiobs.request_id'} // () } lines() }
sub arrived { my ($id) = @_; return Aiobs::wait_for(sub { grep { $_ eq $id } spans() }, 15) }

sub answers {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $t->port(5)) or die;
    my $body = encode_json({@_});
    $s->syswrite("POST /_next HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
    Aiobs::read_all($s);
}

# milliseconds between the requests since then

sub gaps {
    my ($from) = @_;
    my @times = map { $_->{time} // () } (lines())[$from .. (() = lines()) - 1];
    return map { $times[$_] - $times[$_ - 1] } 1 .. $#times;
}

# --- down at start, coming, going ---

$t->start(conf(http(5), ''));
my $id = traffic(5);
reaches(1, 'failed_total', 'down at start: tries fail', reason => 'connect');
is(metric('sent_total'), 0, 'nothing is sent');
is(metric('queue_length'), 5, 'all of it waits');

my (undef, $pid) = AiobsPeers::otlp($t, 5, 6);
ok(arrived($id), 'and arrives when the receiver is there');
is_deeply([sort(spans())], ['q0' .. 'q4'], 'once');
ok(Aiobs::wait_for(sub { metric('queue_length') == 0 }), 'nothing waits');
like($t->error_log, qr/exporter "otlp" to "127\.0\.0\.1:\d+": Failed to connect[^\n]*; 0 dropped, \d+ waiting/, 'told');
ok(Aiobs::wait_for(sub { $t->error_log =~ qr/exporter "otlp" to "127\.0\.0\.1:\d+" works again/ }), 'and that it is over');

$t->kill_wait($pid, 'TERM');
$id = traffic(2);
reaches(2, 'failed_total', 'gone', reason => 'connect');
(undef, $pid) = AiobsPeers::otlp($t, 5, 6);
ok(arrived($id), 'and back');

# --- answers that mean "later" ---

my $from = () = lines();
answers(status => 503, headers => { 'Retry-After' => '1' });
$id = traffic(1);
ok(arrived($id), '503: sent again');
my ($gap) = gaps($from);
cmp_ok($gap, '>=', 1000, 'not before Retry-After');
is((grep { $_ eq $id } spans()), 1, 'taken once');

# a date has no more than seconds: three ahead are two at least

$from = () = lines();
answers(status => 503, headers => { 'Retry-After' => strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time + 3)) });
$id = traffic(1);
ok(arrived($id), '503 until a date: sent again');
cmp_ok((gaps($from))[0], '>=', 1900, 'not before it');

$from = () = lines();
answers(status => 429, times => 2);
$id = traffic(1);
ok(arrived($id), '429, twice');
cmp_ok((gaps($from))[1], '>=', 450, 'with more time each time');
reaches($_->[1], 'failed_total', "counted by status: $_->[0]", reason => $_->[0]) for [503, 2], [429, 1];

# --- answers that mean "never" ---

answers(status => 400, body => 'no');
$id = traffic(1);
reaches(1, 'dropped_total', '400 is final', reason => 'refused');
answers(rejected => 1, message => "too old\x01");
traffic(1);
reaches(1, 'dropped_total', 'a partial success', reason => 'rejected');
$id = traffic(1);
ok(arrived($id), 'what comes after goes on');
is((grep { $_ eq 'q' . ($n - 3) } spans()), 0, 'what was refused was not sent again');

# --- gRPC ---

use_conf('grpc://127.0.0.1:' . $t->port(6), '');
$from = () = lines();
answers(grpc => 14);
$id = traffic(1);
ok(arrived($id), 'UNAVAILABLE: sent again');
my $retry = encode_base64("\x08\x08\x1a\x34\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x08\x0a\x06\x08\x01\x10\x80\xad\xe2\x04", '');
$from = () = lines();
answers(grpc => 8, details => $retry);
$id = traffic(1);
ok(arrived($id), 'RESOURCE_EXHAUSTED with RetryInfo: sent again');
cmp_ok((gaps($from))[0], '>=', 990, 'not before');     # nginx's clock is coarse
for my $case (["\x08\x08\x1a\x2a\x0a\x28type.googleapis.com/google.rpc.RetryInfo", 'without a delay'],
    ["\x08\x08\x1a\x39\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x0d\x0a\x0b\x08" . "\xff" x 9 . "\x01", 'with a negative delay'],
    ["\x08\x08\x12\xa0\x1f" . 'x' x 4000 . "\x1a\x2a\x0a\x28type.googleapis.com/google.rpc.RetryInfo", 'behind a long message'])
{
    answers(grpc => 8, details => encode_base64($case->[0], ''));
    $id = traffic(1);
    ok(arrived($id), "RESOURCE_EXHAUSTED with RetryInfo $case->[1]: sent again");
}
my $refused = metric('dropped_total', reason => 'refused');
answers(grpc => 8);
traffic(1);
reaches($refused + 1, 'dropped_total', 'RESOURCE_EXHAUSTED without is final', reason => 'refused');
answers(grpc => 3, message => "bad\x01request");
traffic(1);
reaches($refused + 2, 'dropped_total', 'INVALID_ARGUMENT is final', reason => 'refused');
answers(grpc => 12);
traffic(1);
reaches($refused + 3, 'dropped_total', 'UNIMPLEMENTED is final', reason => 'refused');
for my $later (1, 4, 10, 11, 15) {
    answers(grpc => $later);
    $id = traffic(1);
    ok(arrived($id), "gRPC's $later: sent again");
}
answers(rejected => 1);
traffic(1);
reaches(2, 'dropped_total', 'a partial success', reason => 'rejected');
reaches(1, 'failed_total', "counted by status: $_", reason => $_) for qw(grpc_14 grpc_8 grpc_3);

for my $name (sort keys %lost) {
    my ($port, $took, $rejected, $failed) = @{$lost{$name}};
    my $now = sub { return (metric('sent_total'), metric('dropped_total', reason => 'rejected'), metric('dropped_total', reason => 'refused'),
        metric('failed_total', reason => 'garbage')) };
    use_conf('grpc://127.0.0.1:' . $t->port($port), 'compression none;');
    my @before = $now->();
    traffic(1);
    my @after;
    ok(Aiobs::wait_for(sub { metric('queue_length') == 0 && (@after = $now->()) && "@after" ne "@before" }, 10), "gRPC, $name: it is over");
    is(join(' ', map { $after[$_] - $before[$_] } 0 .. 3), "$took $rejected $failed $failed", "$name: what was taken, rejected, refused, failed");
    is(Aiobs::slurp($t->dir . "/lost-$port"), '.', "$name: sent once");
}

# --- more than a server of gRPC takes in one message, which is 4 MiB unless it is told otherwise ---

AiobsPeers::otlp($t, 22, 23);
use_conf('grpc://127.0.0.1:' . $t->port(23), 'batch_size 5000; queue 5000; queue_bytes 32m; interval 60s; compression none;', 1);
my ($taken, $lost) = (metric('sent_total'), metric('dropped_total', reason => 'refused'));
my $long = 'GET /' . 'p' x 500 . " HTTP/1.1\r\nHost: x\r\nUser-Agent: " . 'u' x 500 . "\r\n";
$t->raw(1, ("${long}Connection: keep-alive\r\n\r\n" x 99) . "${long}Connection: close\r\n\r\n") for 1 .. 30;
use_conf(http(5), '', 1);
is(metric('sent_total') - $taken, 3000, 'a batch larger than that is sent in parts');
is(metric('dropped_total', reason => 'refused') - $lost, 0, 'none of which is refused');

# --- no OTLP at all ---

my @odd = (
    [http(4), '', 'garbage', 'a web page'],
    [http(8), '', 'protocol', 'bytes'],
    [http(9), '', 'protocol', 'nothing'],
    [http(3), 'timeout 300ms;', 'timeout', 'a header, byte by byte'],
    ['http://nowhere.invalid:4318', '', 'dns', 'a name that is none'],
    ['https://127.0.0.1:' . $t->port(5), '', 'tls', 'no TLS'],
    [http(5) . '/nowhere', '', '404', 'another path'],
    ['grpc://127.0.0.1:' . $t->port(5), '', 'protocol', 'HTTP/1 where gRPC is to be'],
);

for my $case (@odd) {
    my ($endpoint, $more, $reason, $name) = @$case;
    my $before = metric('failed_total', reason => $reason);
    use_conf($endpoint, $more);
    traffic(1);
    reaches($before + 1, 'failed_total', "$name: $reason", reason => $reason);
}

# --- OTLP, but for the answer ---

for my $word (sort keys %words) {
    my ($took, $lost) = map { $_ eq 'sent_total' ? metric($_) : metric($_, reason => 'rejected') } 'sent_total', 'dropped_total';
    my $some = $words{$word}[1] =~ /"?rejectedSpans":"?1/ ? 1 : 0;
    use_conf(http(7) . "/$word", '');
    traffic(1);
    reaches($took + 1 - $some, 'sent_total', "$word: taken");
    reaches($lost + $some, 'dropped_total', "$word: or not", reason => 'rejected');
}
like($t->error_log, qr/: too \? old; 1 dropped/, 'why is told');

# --- a time after which nobody tries any more ---

my $expired = metric('dropped_total', reason => 'expired');
for my $case (['retry_time 0;'], ['retry_time 700ms;'], ['', OTEL_BSP_EXPORT_TIMEOUT => 700]) {
    my ($more, %env) = @$case;
    if (%env) {
        local %ENV = (%ENV, %env);      # which the master has from its start on
        $t->stop;
        $t->start(conf(http(9), $more));
        $expired = 0;
    } else {
        use_conf(http(9), $more);
    }
    traffic(1);
    reaches(++$expired, 'dropped_total', "given up: $more @{[%env]}", reason => 'expired');
}
$t->stop;
$t->start(conf(http(5), ''));

# --- a receiver that hangs ---

use_conf(http(2), 'queue 20; timeout 60s;', 1);
my ($worker) = $t->workers;
my $before = metric('dropped_total', reason => 'queue_full');
my $rss = sub { Aiobs::slurp("/proc/$worker/status") =~ /VmRSS:\s+(\d+)/ ? $1 : 0 };
my $pipelined = sub {
    my $all = join '', map { "GET / HTTP/1.1\r\nHost: x\r\nConnection: " . ($_ == 100 ? 'close' : 'keep-alive') . "\r\n\r\n" } 1 .. 100;
    return () = $t->raw(1, $all) =~ m{HTTP/1\.1 200}g;
};
is($pipelined->(), 100, 'it hangs: requests are served');
my $small = $rss->();
is($pipelined->(), 100, 'and served') for 1 .. 20;
my $kept = Aiobs::slurp("/proc/$worker/maps") =~ /libasan/ ? 262144 : 1024;    # by what sees errors
cmp_ok($rss->() - $small, '<', $kept, 'memory is flat');
is(metric('queue_length'), 20, 'the queue is full');
cmp_ok(metric('dropped_total', reason => 'queue_full') - $before, '>=', 2050, 'what finds no room is counted');

use_conf(http(2), 'queue_bytes 1k; timeout 600s; retry_time 600s;', 1);
$before = metric('dropped_total', reason => 'queue_full');
is($pipelined->(), 100, 'another that hangs');
cmp_ok(metric('queue_length'), '<', 3, 'a kilobyte of spans waits');
cmp_ok(metric('dropped_total', reason => 'queue_full') - $before, '>=', 97, 'and no more');

# --- reload, quit, crash ---

ok(use_conf(http(5), 'interval 60s;', 1), 'a reload does not wait for the one that hangs');
$before = metric('dropped_total', reason => 'exit');
cmp_ok($before, '>=', 20, 'what it did not take is counted');

my $reloaded = traffic(3);
use_conf(http(5), 'interval 60s;', 1);
ok(arrived($reloaded), 'what waits at a reload is sent');

($worker) = $t->workers;
traffic(1);
kill KILL => $worker;
ok(Aiobs::wait_for(sub { my ($w) = $t->workers; $w && $w != $worker }, 10), 'a crash');
$t->expect_error("worker process $worker exited on signal 9");
is(metric('queue_length'), 0, 'takes its queue with it');

my $last = traffic(3);
$t->stop;
ok(arrived($last), 'what waits at quit is sent');
my %seen;
$seen{$_}++ for spans();
is_deeply([grep { $seen{$_} > 1 } keys %seen], [], 'nothing arrived twice');

$t->start(conf(http(2), 'timeout 60s;'));
traffic(3);
reaches(3, 'queue_length', 'a fast stop with a receiver that hangs');
$t->stop('TERM');
like($t->error_log, qr/exporter "otlp" to "127\.0\.0\.1:\d+": no time to send; 3 dropped, 0 waiting/, 'is told');

# --- Sentry is told of spans that are lost, not of those that arrive later ---

my $says = $t->dir . '/says';
$t->upstream(20, sub { my ($req, $c) = @_; $t->answer($c, Aiobs::slurp($says), ['Content-Type', 'application/json'], '{}') });
my $events = AiobsSentry::receiver($t, 21);
my $told = sub { my ($what) = @_; return scalar grep { $_->{body} =~ /$what/ } AiobsSentry::received($events) };

Aiobs::spew($says, 503);
$t->start("aiobs_sentry { dsn http://k\@127.0.0.1:%%PORT_21%%/1; interval 50ms; }\n" . conf(http(20), ''));
traffic(1);
reaches(1, 'failed_total', 'spans wait', reason => '503');
Aiobs::spew($says, 200);
reaches(1, 'sent_total', 'and are sent');
$t->raw(1, "GET / HTTP/9.1\r\n\r\n");
ok(Aiobs::wait_for(sub { $told->('http_505') }, 10), 'an event');
is($told->('is being lost'), 0, 'is the only one');
Aiobs::spew($says, 400);
traffic(1);
ok(Aiobs::wait_for(sub { $told->('telemetry of requests is being lost') }, 10), 'spans are lost');

$t->done;
