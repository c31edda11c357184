#!/usr/bin/perl

# Answers made in the background: ordered by a call without figures, counted
# when first fetched finished, once, whichever worker is asked.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;

my $t = Aiobs->new;

my $usage = '"usage":{"input_tokens":10,"output_tokens":20,"total_tokens":30}';

sub response {
    my ($id, $status, $figures) = @_;
    return qq({"id":"$id","object":"response","status":"$status","background":true,"model":"m-1",)
        . qq("output":[],"error":null,) . ($figures ? $usage : '"usage":null') . '}';
}

# what the provider says depends on the id: resp_STATUS_NUMBER

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my ($id, $status) = $req->{uri} =~ m{/responses/(resp_([a-z]+)_\d+)};

    if ($req->{method} eq 'POST') {
        ($id) = $req->{body} =~ /"metadata":"(\w+)"/;

        if ($req->{body} =~ /"stream":true/) {

            # the connection breaks while the answer is under way
            $c->print("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
                . "Content-Length: 100000\r\n\r\nevent: response.created\ndata: "
                . '{"type":"response.created","response":' . response($id, 'in_progress') . "}\n\n"
                . 'data: {"type":"response.output_text.delta","delta":"Hello"}' . "\n\n");
            return;
        }

        return $t->answer($c, 200, ['Content-Type', 'application/json'], response($id, 'queued'));
    }

    return $t->answer($c, 404, ['Content-Type', 'application/json'], '{"error":{"code":"x"}}') if !$id;

    if ($req->{uri} =~ /stream=true/) {
        return $t->answer($c, 200, ['Content-Type', 'text/event-stream'],
            'data: {"type":"response.completed","response":' . response($id, 'completed', 1) . "}\n\n");
    }

    $status = 'in_progress' if $status eq 'wait';
    $t->answer($c, 200, ['Content-Type', 'application/json'],
        response($id, $status, $status =~ /^(?:completed|incomplete)$/));
});

$t->start(<<'E', workers => 2);
server {
    listen 127.0.0.1:%%PORT_1%% reuseport;
    aiobs on;
    location / { aiobs_llm auto; aiobs_endpoint all; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }
}
E

my $n = 0;

sub order {
    my ($id, $more) = @_;
    $n++;
    $t->post(1, '/v1/responses', qq({"model":"m-1","background":true,"input":"x","metadata":"$id"$more}),
        'Content-Type', 'application/json', 'X-Request-ID', "b$n");
    return $t->log_of("b$n");
}

sub fetch {
    my ($id, $args) = @_;
    $n++;
    $t->get(1, "/v1/responses/$id" . ($args // ''), 'X-Request-ID', "b$n");
    return $t->log_of("b$n");
}

sub metric {
    my ($v) = $t->get(1, '/metrics')->{body} =~ /^\Q$_[0]\E (\S+)$/m;
    return $v // 0;
}

my $tokens = 'llm_tokens_total{provider="openai",model="m-1",endpoint="all",token_type="input"}';
my $reported = 'llm_usage_source_total{endpoint="all",source="reported"}';

my $l = order('resp_completed_1', '');
is($l->{event}, 'llm_called', 'ordered: a call');
is($l->{usage_source}, 'none', 'ordered: without usage');
is($l->{input_tokens}, undef, 'ordered: no tokens');
is(metric($tokens), 0, 'ordered: nothing counted');
is(metric('llm_usage_source_total{endpoint="all",source="none"}'), 0, 'ordered: nor is it without figures');

$l = fetch('resp_completed_1');
is($l->{input_tokens}, 10, 'fetched: its figures');
is($l->{usage_source}, 'reported', 'fetched: as reported');
$l = fetch('resp_completed_1') for 1 .. 5;
is($l->{input_tokens}, undef, 'fetched again: none');
is($l->{event}, 'request', 'fetched again: no call');
is(metric($tokens), 10, 'counted once');

order('resp_wait_2', '');
$l = fetch('resp_wait_2') for 1 .. 3;
is($l->{event}, 'request', 'still under way: nothing');
is(metric($tokens), 10, 'still under way: nothing counted');

fetch('resp_completed_3');
is(metric($tokens), 10, 'never seen under way: nothing counted');

order('resp_incomplete_4', '');
fetch('resp_incomplete_4');
is(metric($tokens), 20, 'incomplete is finished as well');

order('resp_failed_5', '');
$l = fetch('resp_failed_5');
is(metric($tokens), 20, 'failed: no figures');

# ordered as a stream that breaks, resumed later

$t->expect_error(qr/upstream prematurely closed connection/);
$l = order('resp_completed_6', ',"stream":true');
is($l->{usage_source}, 'none', 'a stream that breaks: nothing is estimated');
fetch('resp_completed_6', '?stream=true&starting_after=1');
is(metric($tokens), 30, 'resumed: counted once');
fetch('resp_completed_6');
is(metric($tokens), 30, 'and not again');
is(metric($reported), 3, 'three reports');

my ($calls) = 0;
$calls += $_ for $t->get(1, '/metrics')->{body} =~ /^llm_calls_total\{.*\} (\d+)$/mg;
is($calls, 5, 'calls are those that ordered');

$t->get(1, '/v1/responses');
$t->get(1, '/v1/responses/resp_completed_1/input_items');
is(metric($tokens), 30, 'lists count nothing');

# many more than are remembered: old ones are forgotten, nothing else

order("resp_completed_$_", '') for 1000 .. 1200;
fetch("resp_completed_$_") for 1000 .. 1200;
is(metric($tokens), 30 + 2010, 'two hundred at once');

$t->done;
