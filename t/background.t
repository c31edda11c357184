#!/usr/bin/perl

# Answers made in the background: ordered by a call without figures, counted
# when first fetched finished, once, whichever worker is asked, and whosever they are.

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

    if ($req->{headers}{'x-status'}) {
        return $t->answer($c, $req->{headers}{'x-status'}, ['Content-Type', 'application/json'],
            $req->{headers}{'x-answer'});
    }

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

        # some 15 seconds for what is behind the id

        return $t->answer($c, 200, ['Content-Type', 'application/json', 'X-Accel-Limit-Rate', 100],
            response($id, 'queued') . ' ' x 1500) if $req->{body} =~ /slowly/;

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

# others call it otherwise: what is ordered, looked at, and looked at again

my %other = (
    perplexity => ['/async/chat/completions', '/async/chat/completions/pa-1',
        '{"request":{"model":"m-1","messages":[{"role":"user","content":"x"}]}}',
        '{"id":"pa-1","model":"m-1","status":"CREATED","response":null}',
        200, '{"id":"pa-1","model":"m-1","status":"IN_PROGRESS","response":null}',
        '{"id":"pa-1","model":"m-1","status":"COMPLETED","response":{"id":"c","object":"chat.completion",'
            . '"model":"m-1","choices":[{"finish_reason":"stop","message":{"content":"hi"}}],'
            . '"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}}'],
    sonar => ['/v1/async/sonar', '/v1/async/sonar/pa-2', '{"request":{"model":"m-1","messages":[]}}',
        '{"id":"pa-2","model":"m-1","status":"CREATED"}',
        200, '{"id":"pa-2","model":"m-1","status":"IN_PROGRESS"}',
        '{"id":"pa-2","model":"m-1","status":"COMPLETED","response":{"model":"m-1",'
            . '"usage":{"prompt_tokens":10,"completion_tokens":20}}}'],
    xai => ['/v1/chat/completions', '/v1/chat/deferred-completion/f15c',
        '{"model":"m-1","deferred":true,"messages":[]}', '{"request_id":"f15c"}', 202, '',
        '{"id":"another","object":"chat.completion","model":"m-1","choices":[{"finish_reason":"stop",'
            . '"message":{"content":"hi"}}],"usage":{"prompt_tokens":10,"completion_tokens":20}}'],
    replicate => ['/v1/predictions', '/v1/predictions/p1', '{"version":"v","input":{"prompt":"x"}}',
        '{"id":"p1","model":"m-1","status":"starting","metrics":{}}',
        200, '{"id":"p1","model":"m-1","status":"processing"}',
        '{"id":"p1","model":"m-1","status":"succeeded","metrics":{"input_token_count":10,"output_token_count":20}}'],
    gemini => ['/v1beta/interactions', '/v1beta/interactions/i1', '{"model":"m-1","input":"x","background":true}',
        '{"id":"i1","model":"m-1","status":"in_progress"}',
        200, '{"id":"i1","model":"m-1","status":"in_progress"}',
        '{"id":"i1","model":"m-1","status":"completed","usage":{"total_input_tokens":10,"total_output_tokens":20,'
            . '"total_tokens":30}}'],
);

for my $who (sort keys %other) {
    my ($path, $later, $body, @answers) = @{$other{$who}};

    my $step = sub {
        my ($method, $uri, $status, $answer) = @_;
        $n++;
        $t->request(1, $method, $uri, ['X-Request-ID', "b$n", 'X-Status', $status,
            'X-Answer', $answer, 'Content-Type', 'application/json'],
            $method eq 'POST' ? $body : undef);
        return $t->log_of("b$n");
    };

    $l = $step->('POST', $path, 200, $answers[0]);
    is("$l->{event} $l->{usage_source}", 'llm_called none', "$who: ordered");
    $l = $step->('GET', $later, @answers[1, 2]);
    is($l->{event}, 'request', "$who: under way");
    $l = $step->('GET', $later, 200, $answers[3]);
    is("$l->{event} $l->{model} $l->{input_tokens} $l->{output_tokens} $l->{usage_source}",
        'llm_called m-1 10 20 reported', "$who: fetched");
    $l = $step->('GET', $later, 200, $answers[3]);
    is("$l->{event} " . ($l->{input_tokens} // ''), 'request ', "$who: fetched again");
}

# a stream that is under way when it breaks, and that was not ordered for later

$n++;
my $estimated = 'llm_usage_source_total{endpoint="all",source="estimated"}';
is(metric($estimated), 0, 'nothing estimated so far');
$t->expect_error(qr/upstream prematurely closed connection/);
$t->post(1, '/v1/responses', '{"model":"m-1","input":"x","stream":true,"metadata":"resp_completed_7"}',
    'Content-Type', 'application/json', 'X-Request-ID', "b$n");
is($t->log_of("b$n")->{usage_source}, 'estimated', 'a stream that breaks is estimated');
is(metric($estimated), 1, 'and counted as such');

$n++;
$t->post(1, '/of/whom', '{"model":"m-1","input":"x","stream":true,"metadata":"resp_completed_8"}',
    'Content-Type', 'application/json', 'X-Request-ID', "b$n");
is($t->log_of("b$n")->{usage_source}, 'estimated', 'and one whose path says nothing');
is(metric($estimated), 2, 'is counted, too');

# a path that ends in an id that is not the answer's takes nothing from it

order('resp_completed_9', '');
my $had = metric($tokens);
$n++;
$t->get(1, '/v1/responses/resp_completed_1%3Fx=/responses/resp_completed_9', 'X-Request-ID', "b$n",
    'X-Status', 200, 'X-Answer', response('resp_completed_1', 'completed', 1));
is($t->log_of("b$n")->{event}, 'request', 'an answer of another id');
is(metric($tokens), $had, 'counts nothing');
fetch('resp_completed_9');
is(metric($tokens), $had + 10, 'and the one ordered counts');

# who has the id may ask at once: the order has not come to its end then

$n++;
my $slow = $t->connect(1);
my $body = '{"model":"m-1","background":true,"input":"slowly","metadata":"resp_completed_20"}';
syswrite $slow, "POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nX-Request-ID: slow\r\n"
    . "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";

my $in = '';

while ($in !~ /"id":"resp_completed_20"/) {
    sysread($slow, $in, 1, length $in) or BAIL_OUT("no answer: $in");
}

is(fetch('resp_completed_20')->{event}, 'llm_called', 'fetched before the order has come to its end');
close $slow;
is($t->log_of('slow')->{error_type}, 'client_abort', 'which had not');
is(fetch('resp_completed_20')->{event}, 'request', 'once');

# cancelled: what was made until then may be reported there, or when it is fetched

sub cancel {
    my ($path, $answer) = @_;
    $n++;
    $t->post(1, "$path/cancel", '', 'X-Request-ID', "b$n", 'X-Status', 200, 'X-Answer', $answer);
    $l = $t->log_of("b$n");
    return "$l->{event} " . ($l->{input_tokens} // '');
}

order('resp_completed_10', '');
$had = metric($tokens);
my $ended = '/v1/responses/resp_completed_10';
is(cancel('/v1/responses/resp_completed_11', response('resp_completed_11', 'cancelled', 1)), 'request ',
    'cancelled, but not ordered here');
is(cancel($ended, response('resp_completed_10', 'in_progress')), 'request ', 'not cancelled yet');
is(cancel($ended, response('resp_completed_10', 'cancelled')), 'request ', 'cancelled without a report');
is(cancel($ended, response('resp_completed_10', 'cancelled', 1)), 'llm_called 10', 'cancelled with one');
is($l->{finish_reason}, 'cancelled', 'which says so');
is(cancel($ended, response('resp_completed_10', 'cancelled', 1)), 'request ', 'cancelled again');
fetch('resp_completed_10');
is(metric($tokens), $had + 10, 'counted once');

order('resp_completed_12', '');
cancel('/v1/responses/resp_completed_12', response('resp_completed_12', 'cancelled'));
fetch('resp_completed_12');
is(metric($tokens), $had + 20, 'a report that comes with a later fetch counts');

for (['/v1/predictions', '{"id":"p2","status":"starting"}', '{"id":"p2","model":"m-1","status":"canceled",'
            . '"metrics":{"input_token_count":10,"output_token_count":20}}'],
    ['/v1beta/interactions', '{"id":"i2","status":"in_progress"}', '{"id":"i2","model":"m-1","status":"cancelled",'
            . '"usage":{"total_input_tokens":10,"total_output_tokens":20}}'])
{
    my ($id) = $_->[1] =~ /"id":"(\w+)"/;
    $n++;
    $t->post(1, $_->[0], '{"input":"x","background":true}', 'Content-Type', 'application/json',
        'X-Request-ID', "b$n", 'X-Status', 200, 'X-Answer', $_->[1]);
    $t->log_of("b$n");                  # another worker may be asked next
    is(cancel("$_->[0]/$id", $_->[2]), 'llm_called 10', "$_->[0]: cancelled");
    is(cancel("$_->[0]/$id", $_->[2]), 'request ', "$_->[0]: once");
}

# what looks like an order, and is none

sub answered {
    my ($path, $status, $answer) = @_;
    $n++;
    $t->post(1, $path, '{"model":"m-1","input":"x"}', 'Content-Type', 'application/json',
        'X-Request-ID', "b$n", 'X-Status', $status, 'X-Answer', $answer);
    return $t->log_of("b$n")->{usage_source};
}

my $none = 'llm_usage_source_total{endpoint="all",source="none"}';
my $nones = metric($none);
my $ids = '"request_id":"ticket-1"';
is(answered('/v1/embeddings', 200, qq({$ids,"data":[{"embedding":[0.1]}]})), 'none', 'embeddings without a report');
is(answered('/v1/chat/completions', 200, qq({$ids,"choices":[{"message":{"content":""},"finish_reason":"stop"}]})),
    'none', 'an answer with nothing in it');
is(answered('/v1/chat/completions', 400, qq({$ids,"message":"no"})), 'none', 'a refusal');
is(metric($none) - $nones, 3, 'are counted as without figures');

is(answered('/v1/chat/completions', 200, '{"id":"ticket-1","status":"created","choices":[{"message":{"content":"hi"}}],'
    . '"usage":{"prompt_tokens":10,"completion_tokens":20}}'), 'reported', 'a status beside figures');

$n++;
$t->get(1, '/v1/chat/deferred-completion/ticket-1', 'X-Request-ID', "b$n", 'X-Status', 200, 'X-Answer',
    '{"id":"c","model":"m-1","usage":{"prompt_tokens":10,"completion_tokens":20}}');
is($t->log_of("b$n")->{event}, 'request', 'none of them is waited for');

# many more than are remembered: old ones are forgotten, nothing else

my $before = metric($tokens);
order("resp_completed_$_", '') for 1000 .. 1200;
fetch("resp_completed_$_") for 1000 .. 1200;
is(metric($tokens), $before + 2010, 'two hundred at once');

$t->done;
