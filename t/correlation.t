#!/usr/bin/perl

# One request id and one trace from the client through the gateway, an
# application, its background worker and the gateway again to the provider: in
# every log line, counted once at each place.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsPeers;
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my ($alice, $service) = ($t->key('alice', 'laptop'), $t->key('app', 'service'));

my $provider = AiobsPeers::aimock($t, 0);

# --- the gateway: an application and the models, at two locations ---

$t->start(<<'EOF');
aiobs_key_store sqlite:%%DIR%%/keys.db;
proxy_http_version 1.1;

server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;

    location /app/ {
        aiobs_auth on;
        proxy_pass http://127.0.0.1:%%PORT_2%%;
    }
    location /v1/ {
        aiobs_auth on;
        aiobs_llm auto;
        aiobs_stream_usage on;
        aiobs_forward trace;
        aiobs_agent_session $aiobs_request_id;
        proxy_next_upstream off;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /metrics { aiobs_metrics; }
}
EOF

# --- the application and its worker, processes of their own ---

my $dir = $t->dir;
mkdir "$dir/jobs" or die $!;
my @python = ('/usr/bin/python3', AiobsPeers::dir() . '/app.py');
my $gateway = 'http://127.0.0.1:' . $t->port(1);

$t->spawn([@python, 'serve', $t->port(2), $gateway, $service, "$dir/jobs"], log => "$dir/app.log");
my $worker = $t->spawn([@python, 'work', $gateway, $service, "$dir/jobs"], log => "$dir/work.log");

ok(Aiobs::wait_for(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $t->port(2)) }, 30),
    'the application is up') or diag(Aiobs::slurp("$dir/app.log"));

sub app_lines {
    my ($file, $id, $n) = @_;
    my @lines;

    Aiobs::wait_for(sub {
        @lines = grep { ($_->{request_id} // '') eq $id }
            map { /^\{/ ? decode_json($_) : () } Aiobs::slurp("$dir/$file") =~ /^(.*)\n/mg;
        return @lines >= $n;
    }, 20);

    return @lines;
}

# the gateway's lines of a request, by endpoint, once there are so many

sub gateway_lines {
    my ($id, $n) = @_;
    my @lines;

    Aiobs::wait_for(sub {
        @lines = map { decode_json($_) }
            grep { /"request_id":"\Q$id\E"/ && !/"event":"key_first_used"/ } $t->whole_lines;
        return @lines >= $n;
    }, 20);

    return @lines;
}

# what the provider got, by request id

sub provider_saw {
    my ($id) = @_;
    my $j = decode_json($t->get(0, '/__aimock/journal?limit=200')->{body});
    $j = $j->{entries} || $j->{requests} if ref $j eq 'HASH';
    return grep { ($_->{headers}{'x-request-id'} // '') eq $id } @$j;
}

my $trace = '4bf92f3577b34da6a3ce929d0e0e4736';

sub ask {
    my ($path, $id, $text, @h) = @_;
    return $t->request(1, 'POST', "/app/$path", ['Content-Type', 'application/json', 'X-Request-ID', $id,
        'Authorization', "Bearer $alice", @h], encode_json([$text]) =~ s/^\[|\]$//gr);
}

# the whole way of one request

sub one_way {
    my ($id, $trace_id, $app, $seen) = @_;
    my @lines = gateway_lines($id, 2);

    is(scalar @lines, 2, "$id: two lines of the gateway");
    my %by = map { $_->{endpoint} => $_ } @lines;
    my ($outer, $inner) = @by{qw(/app/ /v1/)};

    is($outer->{event}, 'request', 'to the application');
    is($inner->{event}, 'llm_called', 'and to the model');
    is($outer->{user_id}, 'alice', 'the user at the first');
    is($inner->{user_id}, 'app', 'the application at the second');
    $trace_id //= $outer->{trace_id};
    is($_->{trace_id}, $trace_id, "one trace: $_->{endpoint}") for @lines;
    isnt($outer->{span_id}, $inner->{span_id}, 'spans of their own');
    is($outer->{input_tokens}, undef, 'tokens are counted at the model');
    is($inner->{input_tokens}, 123, 'once');

    for my $line (@$app) {
        is($line->{request_id}, $id, "application: $line->{event}");
        is_deeply($line->{trace_id}, [$trace_id], 'the trace');
        is($line->{user_id}, 'alice', 'the user');
    }

    my @saw = provider_saw($id);
    is(scalar @saw, 1, 'the provider saw one call of that id');
    is($saw[0]{headers}{traceparent} =~ s/-0\d$//r, "00-$trace_id-$inner->{span_id}",
        'in the trace, under the span of its log line');

    return;
}

# --- at once ---

my $r = ask('ask', 'corr-1', 'with-usage', 'traceparent', "00-$trace-00f067aa0ba902b7-01");
is($r->{status}, 200, 'answered');
is($t->json($r)->{text}, 'The quick brown fox jumps over the lazy dog.', 'by the model');
is($r->{headers}{'x-request-id'}, 'corr-1', 'with the request id');
my @app = app_lines('app.log', 'corr-1', 2);
is(scalar @app, 2, 'two lines of the application');
is($app[1]{llm_request_id}, 'corr-1', 'which got the same id back');
one_way('corr-1', $trace, \@app);

# --- as a stream ---

$r = ask('stream', 'corr-2', 'with-usage');
like($r->{body}, qr/data: \[DONE\]/, 'a stream comes through both');
one_way('corr-2', undef, [app_lines('app.log', 'corr-2', 1)]);

# --- by the worker, when the client has its answer ---

$r = ask('jobs', 'corr-3', 'with-usage');
is($r->{status}, 202, 'accepted');
my @done = app_lines('work.log', 'corr-3', 1);
is($done[0]{pid}, $worker, 'another process does it');
is($done[0]{status}, 200, 'and has an answer');
one_way('corr-3', undef, [app_lines('app.log', 'corr-3', 1), @done]);

# without an id of the client's the gateway makes one; it goes all the way too

$r = $t->request(1, 'POST', '/app/jobs', ['Content-Type', 'application/json',
    'Authorization', "Bearer $alice"], '"with-usage"');
my $made = $r->{headers}{'x-request-id'};
like($made, qr/^[0-9a-f-]{36}$/, 'an id is made');
one_way($made, undef, [app_lines('work.log', $made, 1)]);

# --- what fails says so under the same id ---

$r = ask('ask', 'corr-5', 'err500');
is($r->{status}, 500, 'a failure of the provider fails the application');
my %failed = map { $_->{endpoint} => $_ } gateway_lines('corr-5', 2);
is($failed{'/v1/'}{error_type}, 'server_error', 'the model is where it failed');
is($failed{$_}{level}, 'error', "$_: an error") for qw(/app/ /v1/);

# --- counted once ---

my $m = $t->get(1, '/metrics')->{body};

sub sum {
    my ($re) = @_;
    my $sum = 0;
    $sum += $1 while $m =~ /^$re (\d+)$/mg;
    return $sum;
}

is(sum('http_requests_total\{handler="/app/"[^}]*\}'), 5, 'five requests at the application');
is(sum('http_requests_total\{handler="/v1/"[^}]*\}'), 5, 'five at the models');
is(sum('llm_calls_total\{[^}]*endpoint="/v1/"[^}]*\}'), 5, 'five calls');
is(sum('llm_calls_total\{[^}]*\}'), 5, 'and no more');
is(sum('llm_tokens_total\{[^}]*token_type="input"[^}]*\}'), 4 * 123, 'their tokens once');
is(sum('llm_usage_source_total\{[^}]*source="reported"\}'), 4, 'all of them reported');
is(sum('agent_sessions_active\{[^}]*\}'), 5, 'each under an id of its own');

# --- nginx's own lines have it as well ---

$t->kill_wait($provider, 'TERM');
is(ask('ask', 'corr-6', 'with-usage')->{status}, 500, 'nobody answers for the provider');
like($t->error_log, qr/connect\(\) failed .*request_id: "corr-6"/, 'so says the error log, with the request id');
%failed = map { $_->{endpoint} => $_ } gateway_lines('corr-6', 2);
is($failed{'/v1/'}{error_type}, 'upstream_reset', 'and the line of the model');
is($failed{'/v1/'}{trace_id}, $failed{'/app/'}{trace_id}, 'in the same trace');

$t->done;
