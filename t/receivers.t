#!/usr/bin/perl

# Receivers that do what they should not, of spans and of Sentry's events alike: slow
# ones, endless ones, names that nobody resolves, TLS that is none, half an answer. Each
# is told by its reason, and neither a request nor a reload waits for it.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsPeers;
use AiobsSentry;
use IO::Socket::INET;
use JSON::PP;
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes qw(sleep);

my $t = Aiobs->new;
my $dir = $t->dir;

# --- the receivers: some that are good, and others ---

my ($spans) = AiobsPeers::otlp($t, 5, 6);
my $events = AiobsSentry::receiver($t, 7);

sub head { return "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n$_[0]" }

my %way = (
    silent => sub { Aiobs::spew("$dir/asked-$$", ''); $_[0]->sysread(my $nothing, 1) },
    slow_body => sub { $_[0]->syswrite(head("Content-Length: 1000\r\n\r\n")); sleep 0.05 while $_[0]->syswrite('{') },
    continues => sub { sleep 0.02 while $_[0]->syswrite("HTTP/1.1 100 Continue\r\n\r\n") },
    endless_body => sub { $_[0]->syswrite(head("\r\n")); 1 while $_[0]->syswrite('x' x 65536) },
    endless_header => sub { $_[0]->syswrite(head('')); 1 while $_[0]->syswrite('X-A: ' . 'a' x 1000 . "\r\n") },
    half => sub { $_[0]->syswrite(head("Content-Length: 1000\r\n\r\n{}")) },
    nonsense => sub { $_[0]->syswrite(head("Content-Length: 4\r\n\r\n\x00\xff{\x01")) },
    broken_gzip => sub { $_[0]->syswrite(head("Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00")) },
    reset => sub { $_[0]->syswrite('HTTP'); setsockopt $_[0], SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 },
);

my %at;                                                 # their ports, from the tenth on

for my $name (sort keys %way) {
    $at{$name} = 10 + keys %at;
    $t->upstream($at{$name}, sub { $way{$name}->($_[1]) });
}

# one that accepts, and never says a word of TLS or HTTP/2

my $mute = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128) or die "listen: $!";

# --- certificates ---

my ($lib) = glob '/usr/lib/*/faketime/libfaketime.so.1';
$t->certificate('good');
$t->certificate('other', for => 'DNS:other.example');
$t->certificate('expired',
    env => ["LD_PRELOAD=$lib", 'FAKETIME=2020-01-01 00:00:00']) if $lib;

# one that refuses whoever brings none, when the handshake is over for the other

my $strict = $t->port(40);
$t->spawn([qw(openssl s_server -quiet -Verify 1 -verify_return_error -tls1_3 -alpn), 'h2,http/1.1', '-accept', "127.0.0.1:$strict",
    '-cert', "$dir/good.pem", '-key', "$dir/good.key"]);
Aiobs::wait_for(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $strict) }, 10) or BAIL_OUT('no server of TLS');

my @tls = ('good', 'other', $lib ? 'expired' : ());
my %tls = map { $tls[$_] => 30 + $_ } 0 .. $#tls;

sub conf {
    my ($otlp, $dsn, $more) = @_;

    return <<"EOF" . join '', map { <<"EOF_TLS" } @tls;
aiobs_otlp { endpoint $otlp; interval 50ms; $more }
aiobs_sentry { dsn $dsn; interval 50ms; $more }
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    aiobs_trace on;
    location / { return 200 ok; }
    location = /boom { return 500; }
    location = /metrics { aiobs_metrics; }
}
EOF
server {
    listen 127.0.0.1:%%PORT_$tls{$_}%% ssl;
    ssl_certificate $_.pem;
    ssl_certificate_key $_.key;
    location / { return 444; }
}
EOF_TLS
}

sub good { return conf('http://127.0.0.1:%%PORT_5%%', 'http://k@127.0.0.1:%%PORT_7%%/1', '') }

sub failed {
    my ($exporter, $reason) = @_;
    my ($n) = $t->get(1, '/metrics')->{body}
        =~ /^aiobs_export_failed_total\{exporter="$exporter",reason="$reason"\} (\d+)/m;
    return $n // 0;
}

my $n = 0;

sub boom { return $t->get(1, '/boom', 'X-Request-ID', 'r' . ++$n)->{status} }

# until the old worker is gone

sub reload {
    my @old = $t->workers;
    $t->reload(@_);
    return Aiobs::wait_for(sub { !grep { kill 0 => $_ } @old }, 30) || fail('the old worker leaves');
}

# --- each of them: told why, and asked again ---

sub same { my ($reason, $name, $scheme, $port) = @_; return [$name, $scheme, $port, otlp => $reason, sentry => $reason] }

my @cases = (
    (map { same('timeout', $_, 'http', $t->port($at{$_})) } qw(silent slow_body continues)),
    (map { same('protocol', $_, 'http', $t->port($at{$_})) } qw(endless_header half reset broken_gzip)),
    (map { [$_, 'http', $t->port($at{$_}), otlp => 'garbage'] } qw(endless_body nonsense)),     # 200 is all that Sentry says
    same('timeout', 'a handshake that never comes', 'https', $mute->sockport),
    same('tls', 'TLS that is none', 'https', $t->port(5)),
    same('tls', 'a certificate of another', 'https', $t->port($tls{other})),
    ($lib ? same('tls', 'a certificate that is over', 'https', $t->port($tls{expired})) : ()),
    same('tls', 'a certificate of ours that is asked for', 'https', $strict),
    ['gRPC, and a certificate that is asked for', 'grpcs', $strict, otlp => 'tls'],
    same('protocol', 'TLS, and no answer', 'https', $t->port($tls{good})),
    ['a mute one', 'grpc', $mute->sockport, otlp => 'timeout'],
    ['HTTP/1 where gRPC is to be', 'grpc', $t->port($at{half}), otlp => 'protocol'],
    ['gRPC, and a handshake that never comes', 'grpcs', $mute->sockport, otlp => 'timeout'],
);

$t->start(good());

for my $case (@cases) {
    my ($name, $scheme, $port, %reason) = @$case;
    my ($ca) = $name =~ /of another/ ? 'other' : $name =~ /is over/ ? 'expired' : 'good';
    my $web = $scheme =~ s/^grpc/http/r;
    my %before = map { $_ => failed($_, $reason{$_}) } keys %reason;

    ok(reload(conf("$scheme://127.0.0.1:$port", "$web://k\@127.0.0.1:$port/1",
        "timeout 400ms; trusted_certificate $ca.pem;")), "$name: a reload does not wait for the one before");
    is(boom(), 500, "$name: a request is answered");

    for my $e (sort keys %reason) {
        ok(Aiobs::wait_for(sub { failed($e, $reason{$e}) > $before{$e} }, 15), "$name: $e: $reason{$e}")
            or diag(join "\n", $t->get(1, '/metrics')->{body} =~ /^(aiobs_export_failed_.*)$/mg);
    }
}

# --- one that never answers, and has all the time: nothing else waits for it ---

my $silent = '127.0.0.1:' . $t->port($at{silent});
unlink glob "$dir/asked-*";
reload(conf("http://$silent", "http://k\@$silent/1", 'timeout 600s;'));
my %silent = map { $_ => failed($_, 'timeout') } qw(otlp sentry);
boom();
ok(Aiobs::wait_for(sub { 2 == (() = glob "$dir/asked-*") }), 'both are asked');
is(boom(), 500, 'a request is answered all the same') for 1 .. 3;
is(failed($_, 'timeout'), $silent{$_}, "$_ goes on waiting") for qw(otlp sentry);
ok(reload(good()), 'a reload does not wait for it');

# --- what has no end, again and again ---

my @endless = map { $t->port($at{$_}) } qw(endless_header endless_body);
reload(conf("http://127.0.0.1:$endless[1]", "http://k\@127.0.0.1:$endless[0]/1", ''));

my ($worker) = $t->workers;
my $rss = sub { Aiobs::slurp("/proc/$worker/status") =~ /VmRSS:\s+(\d+)/ ? $1 : 0 };

sub endless {
    my $want = failed('otlp', 'garbage') + shift;
    return Aiobs::wait_for(sub { boom(); failed('otlp', 'garbage') >= $want && failed('sentry', 'protocol') }, 30);
}

ok(endless(5), 'what has no end is asked');
my $small = $rss->();
ok(endless(15), 'and asked again');
my $kept = Aiobs::slurp("/proc/$worker/maps") =~ /libasan/ ? 262144 : 1024;     # by what sees errors
cmp_ok($rss->() - $small, '<', $kept, 'memory is flat');

# --- and a good one after all ---

reload(good());
boom();
ok(Aiobs::wait_for(sub { Aiobs::slurp($spans) =~ /"r$n"/ }, 15), 'a span arrives');
ok(Aiobs::wait_for(sub { grep { $_->{body} =~ /"r$n"/ } AiobsSentry::received($events) }, 15), 'an event arrives');

# --- a resolver that does not answer ---

SKIP: {
    my $deaf = IO::Socket::INET->new(LocalAddr => '127.251.7.9', LocalPort => 53, Proto => 'udp');
    skip 'neither a port 53 nor a mount is to be had', 5
        if !$deaf || system('unshare -m true 2>/dev/null') != 0;

    $t->stop;
    Aiobs::spew("$dir/resolv.conf", "nameserver 127.251.7.9\noptions timeout:30 attempts:5\n");
    Aiobs::spew("$dir/away", "#!/bin/sh\nexec unshare -m sh -c 'mount --bind $dir/resolv.conf /etc/resolv.conf"
        . " && exec \"\$0\" \"\$@\"' '$t->{nginx}' \"\$@\"\n");
    chmod 0755, "$dir/away";

    local $t->{nginx} = "$dir/away";
    my $conf = conf('http://collector.example.com:4318', 'https://k@sentry.example.com/1', 'timeout 500ms;');
    $t->start($conf);
    is(boom(), 500, 'a resolver that does not answer: a request is answered');
    ok(Aiobs::wait_for(sub { failed($_, 'timeout') }, 15), "$_ is told of it") for qw(otlp sentry);
    boom();
    ok(reload($conf), 'a reload does not wait for it');
    is(boom(), 500, 'a request is answered all the same');
    my $pid = $t->{nginx_pid};
    $t->stop;
    ok(!kill(0 => $pid), 'nor does the end');
}

$t->done;
