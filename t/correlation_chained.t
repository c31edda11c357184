#!/usr/bin/perl

# Two gateways in a row, each with keys of its own: one request id and one trace
# through both, whatever the client sends for them; counted once at each.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use JSON::PP;
use Test::More;

my ($outer, $inner) = (Aiobs->new, Aiobs->new);
my $alice = $outer->key('alice', 'laptop');
my $gateway = $inner->key('gateway', 'outer');
my $saw = $inner->dir . '/saw';

$inner->upstream(1, sub {
    my ($req, $c) = @_;
    my %h = map { lc($_) => $req->{headers}{$_} } keys %{$req->{headers}};
    open my $f, '>>', $saw or die;
    syswrite $f, encode_json(\%h) . "\n";
    $inner->answer($c, 200, ['Content-Type', 'application/json', 'X-Request-ID', 'req_own'], encode_json({
        id => 'r', object => 'chat.completion', model => 'gpt-4o',
        choices => [{ index => 0, finish_reason => 'stop', message => { content => 'x' } }],
        usage => { prompt_tokens => 5, completion_tokens => 2, total_tokens => 7 } }));
});

$inner->start(<<'EOF');
aiobs_key_store sqlite:%%DIR%%/keys.db;
server {
    listen 127.0.0.1:%%PORT_0%%;
    aiobs on;
    location /v1/ { aiobs_auth on; aiobs_llm openai; aiobs_forward trace; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location = /metrics { aiobs_metrics; }
}
EOF

my $port = $inner->port(0);
$outer->start(<<"EOF");
aiobs_key_store sqlite:%%DIR%%/keys.db;
server {
    listen 127.0.0.1:%%PORT_0%%;
    aiobs on;
    location /v1/ {
        aiobs_auth on; aiobs_llm openai; aiobs_forward identity trace;
        proxy_set_header Authorization "Bearer $gateway";
        proxy_pass http://127.0.0.1:$port;
    }
    location = /metrics { aiobs_metrics; }
}
EOF

my $trace = '0af7651916cd43dd8448eb211c80319c';
my $parent = "00-$trace-b7ad6b7169203331-01";
my $n = 0;

for my $case (
    ['nothing', qr/^[0-9a-f]{8}-/, undef],
    ['an id', qr/^mine\.1$/, undef, 'X-Request-ID', 'mine.1'],
    ['a bad id', qr/^[0-9a-f]{8}-/, undef, 'X-Request-ID', 'bad id<>'],
    ['two ids', qr/^s1$/, undef, 'X-Request-ID', 's1', 'X-Request-ID', 's2'],
    ['an id of another spelling', qr/^[0-9a-f]{8}-/, undef, 'X_Request_ID', 'u1'],
    ['too long an id', qr/^[0-9a-f]{8}-/, undef, 'X-Request-ID', 'a' x 129],
    ['a trace', qr/^t1$/, $trace, 'X-Request-ID', 't1', 'traceparent', $parent, 'tracestate', 'a=1,b=2'],
    ['a bad trace', qr/^t2$/, undef, 'X-Request-ID', 't2', 'traceparent', uc $parent, 'tracestate', 'a=1'],
    ['two traces', qr/^t3$/, undef, 'X-Request-ID', 't3', 'traceparent', $parent, 'traceparent', $parent =~ s/0af/1af/r],
) {
    my ($name, $like, $of, @h) = @$case;
    my $r = $outer->post(0, '/v1/chat/completions', { model => 'gpt-4o', messages => [] }, 'Authorization', "Bearer $alice", @h);
    $n++;

    my @ids = $r->{raw} =~ /^X-Request-ID: (.*?)\r$/mg;
    is(scalar(@ids), 1, "$name: one id is answered");
    like($ids[0], $like, "$name: the right one");
    like($r->{raw}, qr/^X-Provider-Request-ID: req_own\r$/m, "$name: beside the provider's");

    my ($a, $b) = map { $_->log_of($ids[0]) } $outer, $inner;
    is_deeply([map { $_->{provider_request_id} } $a, $b], ['req_own', 'req_own'], "$name: which both lines have");
    is($a->{user_id} . ' ' . $b->{user_id}, 'alice gateway', "$name: a line at both, each with its own user");
    is($a->{trace_id}, $b->{trace_id}, "$name: one trace");
    $of ? is($a->{trace_id}, $of, "$name: the client's") : isnt($a->{trace_id}, $trace, "$name: a new one");

    my $got = decode_json((Aiobs::slurp($saw) =~ /^(.*)\n/mg)[-1]);
    is($got->{'x-request-id'}, $ids[0], "$name: the provider gets the id");
    like($got->{traceparent}, qr/^00-$a->{trace_id}-$b->{span_id}-0[01]$/, "$name: and the trace, below the inner gateway");
    is($got->{tracestate}, $of ? 'a=1,b=2' : undef, "$name: with its state where it goes on");
    ok(!exists $got->{'x-user-id'}, "$name: nobody's name");
}

for my $t ($outer, $inner) {
    my $m = $t->get(0, '/metrics')->{body};
    like($m, qr/^llm_calls_total\{[^}]*\} $n$/m, 'each call is counted once');
    like($m, qr/^llm_tokens_total\{[^}]*token_type="input"\} @{[5 * $n]}$/m, 'and its tokens');
    like($m, qr/^http_requests_total\{handler="\/v1\/",[^}]*\} $n$/m, 'and each request');
}

$outer->done;
