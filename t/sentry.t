#!/usr/bin/perl

# Events and transactions as Spotlight takes them, as Sentry's own parsers read
# them, and with what a request has of secrets and people left out.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsPeers;
use AiobsSentry;
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my $key = $t->key('alice', 'laptop');
my $labelled = $t->keys_cli('create', '--db', $t->store, '--user', 'bob',
    '--label', 'email=bob@example.com', '--label', 'tier=gold');
chomp $labelled;
push @{$t->{secrets}}, $labelled, '0123456789abcdef0123456789abcdef';

my $capture = AiobsSentry::spotlight($t, 5);
my $dead = $t->port(9);

$t->upstream(1, sub {
    my ($req, $c) = @_;
    return $t->answer($c, 200, [], 'ok') if $req->{uri} =~ m{^/fine};
    return $t->answer($c, 200, ['X-Accel-Redirect', '/v1/models'], '') if $req->{uri} =~ m{^/handed};
    return $t->answer($c, 200, [], encode_json($req->{headers})) if $req->{uri} =~ m{/(?:x|models)$};
    return $t->answer($c, 503, ['Content-Type', 'application/json', 'X-Request-Id', 'req_9'],
        '{"error":{"message":"secret prompt","type":"server_error"}}') if $req->{uri} =~ /fail/;
    return $c->sysread(my $nothing, 1) if $req->{uri} =~ /slow/;
    return $c->syswrite("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc") if $req->{uri} =~ /short/;
    return $t->answer($c, 429, ['Content-Type', 'application/json'], '{}') if $req->{uri} =~ /limit/;
    return $t->answer($c, 200, ['Content-Type', 'application/json'], encode_json({ id => 'resp_1', object => 'response', model => 'm-1',
        output => [], $req->{method} eq 'POST' ? (status => 'queued', background => JSON::PP::true)
            : (status => 'completed', usage => { input_tokens => 5, output_tokens => 2, total_tokens => 7 }) })) if $req->{uri} =~ m{/responses};

    if ($req->{body} =~ /"stream":true/) {
        $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
            . 'data: {"id":"c1","model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":"a"}}]}' . "\n\n"
            . 'data: {"error":{"message":"secret","type":"server_error"}}' . "\n\n");
        return;
    }

    $t->answer($c, 200, ['Content-Type', 'application/json'], encode_json({
        id => 'c1', object => 'chat.completion', model => 'gpt-4o-2024-08-06',
        choices => [{ index => 0, finish_reason => 'stop', message => { content => 'x' } }],
        usage => { prompt_tokens => 12, completion_tokens => 3, total_tokens => 15,
            prompt_tokens_details => { cached_tokens => 8 }, completion_tokens_details => { reasoning_tokens => 2 } } }));
});

my $conf = <<'EOF';
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_sentry {
    dsn env:SENTRY_DSN;
    environment staging;
    release gw@1.2.3;
    server_name gw-1;
    traces_sample_rate 1;
    interval 50ms;
    %%SENTRY%%
}
upstream tries { server 127.0.0.1:%%PORT_9%% max_fails=0; server 127.0.0.1:%%PORT_1%% max_fails=0 backup; }
set_real_ip_from 127.0.0.1;
real_ip_header X-Real-IP;
server {
    listen 127.0.0.1:%%PORT_0%%;
    aiobs on;
    location / { return 204; }
    location /app/ { proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /handed/ { proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /linked/ { aiobs_trace on; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /trusted/ { aiobs_trace_parent trust; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location = /to-app { proxy_intercept_errors on; error_page 503 = /app/x; proxy_pass http://127.0.0.1:%%PORT_1%%/fail; }
    location = /to-llm { proxy_intercept_errors on; error_page 503 = /v1/models; proxy_pass http://127.0.0.1:%%PORT_1%%/fail; }
    location /boom { return 500; }
    location /moved { error_page 502 = /down/again; proxy_pass http://127.0.0.1:%%PORT_9%%; }
    location /down { proxy_pass http://127.0.0.1:%%PORT_9%%; }
    location /v1/ { aiobs_auth optional; aiobs_llm openai; aiobs_endpoint chat; proxy_pass http://tries; }
    location = /slow/v1/chat/completions { aiobs_llm openai; proxy_read_timeout 300ms; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /told/ { aiobs_trace off gen_ai=off; aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /hidden { aiobs_privacy on; aiobs_trace_parent trust; aiobs_user $arg_me; proxy_pass http://127.0.0.1:%%PORT_9%%; }
    location = /metrics { aiobs_metrics; }
}
aiobs_log /dev/full if=$arg_full;
aiobs_log %%DIR%%/aiobs.json;
EOF

sub conf { my ($more) = @_; return $conf =~ s/%%SENTRY%%/$more/r }

$ENV{SENTRY_DSN} = 'http://0123456789abcdef0123456789abcdef@127.0.0.1:' . $t->port(5) . '/42';
$t->start(conf(''));

sub items {
    my ($type, $request_id) = @_;
    return grep { !$request_id || ($_->{tags}{request_id} // '') eq $request_id }
        map { $_->[1] } grep { $_->[0]{type} eq $type } map { @{$_->[1]} } AiobsSentry::envelopes($capture);
}

sub item {
    my ($type, $id) = @_;
    my ($found) = Aiobs::wait_for(sub { (items($type, $id))[0] }, 10);
    return $found || {};
}

my $chat = { model => 'gpt-4o', messages => [{ role => 'user', content => 'secret prompt' }] };
my $parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

my $tx_call = sub { $_[0]{spans}[-1]{status} };

# --- an upstream that fails, after a try that did ---

$t->post(0, '/v1/chat/completions?fail&q=secret', $chat, 'X-Request-ID', 'fail', 'User-Agent', 'test/1',
    'Authorization', "Bearer $key", 'Cookie', 'a=secret', 'X-Custom', 'personal', 'X-Real-IP', '192.0.2.77',
    'traceparent', $parent);
my $e = item('event', 'fail');

# how the trace is sampled stands in the envelope's header

sub context {
    my ($type, $id) = @_;
    item($type, $id);
    my ($found) = grep { grep { $_->[0]{type} eq $type && ($_->[1]{tags}{request_id} // '') eq $id } @{$_->[1]} } AiobsSentry::envelopes($capture);
    return $found->[0]{trace};
}

my %context = (trace_id => '0af7651916cd43dd8448eb211c80319c', public_key => '0123456789abcdef0123456789abcdef');
my %sampled = (%context, environment => 'staging', release => 'gw@1.2.3', sample_rate => '1', sample_rand => '0.284837789', sampled => 'true', transaction => 'POST /v1/');
is_deeply(context($_, 'fail'), \%sampled, "how the trace of the $_ is sampled") for qw(event transaction);

$t->post(0, '/v1/chat/completions?fail', $chat, 'X-Request-ID', 'frozen', 'Authorization', "Bearer $key", 'traceparent', $parent,
    'baggage', 'a=b,sentry-sample_rate=0.5');
is_deeply(context('transaction', 'frozen'), { %context, sample_rate => '0.5' }, 'another SDK has said it');

$t->post(0, '/v1/chat/completions?fail', $chat, 'X-Request-ID', 'as-is', 'Authorization', "Bearer $key", 'traceparent', $parent,
    'baggage', "sentry-trace_id=$context{trace_id}, sentry-public_key=abc;p=1 ,x=sentry-y=1,sentry-environment=d%C3%A9v%22",
    'baggage', 'sentry-sample_rand=0.1,sentry-sample_rand=0.2,sentry-sampled=true,sentry-NO=1,sentry-org_id=7%,sentry-new=%0a,sentry-long=' . 'x' x 257
    . ',sentry-key=' . $key =~ s/-/%2d/gr . ",sentry-other=$labelled");
is_deeply(context($_, 'as-is'), { trace_id => $context{trace_id}, public_key => 'abc', environment => "d\x{e9}v\"", sample_rand => '0.1',
    sampled => 'true', new => "\n" }, "it goes on as it is, with the $_") for qw(event transaction);

$t->post(0, '/v1/chat/completions?fail', $chat, 'X-Request-ID', 'other-trace', 'Authorization', "Bearer $key", 'traceparent', $parent,
    'baggage', 'sentry-trace_id=' . 'a' x 32 . ',sentry-sample_rate=0.5');
is_deeply(context('transaction', 'other-trace'), \%sampled, 'not where it is of another trace');
$t->get(0, '/hidden', 'X-Request-ID', 'of-whom', 'traceparent', $parent, 'baggage', 'sentry-user_id=alice,sentry-release=r');
is_deeply(context('transaction', 'of-whom'), { %context, release => 'r' }, 'nor a name that aiobs_privacy hides');
$t->get(0, '/app/x', 'X-Request-ID', 'of-nobody', 'traceparent', $parent, 'baggage', 'sentry-public_key=abc,sentry-sample_rate=0.5');
is_deeply(context('transaction', 'of-nobody'), \%context, 'nor of a stranger');
$t->post(0, '/v1/chat/completions?fail', $chat, 'X-Request-ID', 'not-sentry', 'Authorization', "Bearer $key", 'traceparent', $parent, 'baggage', 'a=sentry-b');
is_deeply(context('transaction', 'not-sentry'), \%sampled, 'the baggage of others says nothing');

is($e->{level}, 'error', 'level');
is($e->{logentry}{message}, 'chat: overloaded of openai, answered 503', 'message') or diag(encode_json($e));
is_deeply($e->{fingerprint}, ['aiobs', 'chat', 'overloaded', 'openai'], 'fingerprint');
is($e->{exception}{values}[0]{type}, 'overloaded', 'exception');
is($e->{$_->[0]}, $_->[1], $_->[0]) for ['environment', 'staging'], ['release', 'gw@1.2.3'],
    ['server_name', 'gw-1'], ['platform', 'other'], ['logger', 'aiobs'], ['transaction', 'POST /v1/'];
like($e->{timestamp}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, 'timestamp');
like($e->{event_id}, qr/^[0-9a-f]{32}$/, 'event_id');
is($e->{request}{url}, 'http://localhost/v1/chat/completions', 'URL without arguments');
is($e->{request}{method}, 'POST', 'method');
is_deeply($e->{request}{headers}, { Host => 'localhost', 'User-Agent' => 'test/1',
    'Content-Type' => 'application/json', 'Content-Length' => $e->{request}{headers}{'Content-Length'} },
    'only headers that say nothing of people');
is_deeply($e->{user}, { id => 'alice' }, 'the user, and no more of him');
is($e->{tags}{$_->[0]}, $_->[1], "tag $_->[0]") for ['endpoint', 'chat'], ['provider', 'openai'],
    ['request_model', 'gpt-4o'], ['error_type', 'overloaded'], ['request_id', 'fail'], ['status_code', '503'];
my @tries = @{$e->{breadcrumbs}{values}};
is(scalar(@tries), 2, 'a breadcrumb for every try');
is($tries[0]{data}{server}, "127.0.0.1:$dead", 'the first: its server');
is($tries[0]{level}, 'error', 'the first: failed');
is($tries[0]{data}{answered}, JSON::PP::false, 'the first: never answered');
is($tries[1]{data}{status_code}, 503, 'the second: its status');
is($e->{contexts}{trace}{trace_id}, '0af7651916cd43dd8448eb211c80319c', 'the trace');
is($e->{contexts}{trace}{parent_span_id}, 'b7ad6b7169203331', 'its parent');
is($e->{contexts}{trace}{span_id}, $t->log_of('fail')->{span_id}, 'the span of the log line');
is($e->{contexts}{aiobs}{attempts}, 2, 'figures');
is($e->{contexts}{aiobs}{provider_request_id}, 'req_9', "the provider's id");

# --- other failures, and none ---

$t->get(0, '/boom', 'X-Request-ID', 'boom');
is(item('event', 'boom')->{logentry}{message}, '/boom: http_500, answered 500', 'a 500 of our own');

$t->get(0, '/app/short', 'X-Request-ID', 'short');
is(item('event', 'short')->{logentry}{message}, '/app/: upstream_reset, answered 200', 'an answer that breaks off');
is(item('transaction', 'short')->{contexts}{trace}{status}, 'internal_error', 'and is no success');

$t->raw(0, "GET / HTTP/9.1\r\n\r\n");
my ($unread) = Aiobs::wait_for(sub { (grep { $_->{logentry}{message} eq 'none: http_505, answered 505' } items('event'))[0] }, 10);
is($unread->{transaction}, 'none', 'what cannot be read has no method');
$t->get(0, '/down', 'X-Request-ID', 'down');
is(item('event', 'down')->{exception}{values}[0]{type}, 'http_502', 'an upstream that is away');
$t->post(0, '/slow/v1/chat/completions', $chat, 'X-Request-ID', 'slow');
is(item('event', 'slow')->{tags}{error_type}, 'timeout', 'a timeout');
$t->post(0, '/v1/chat/completions', { %$chat, stream => JSON::PP::true }, 'X-Request-ID', 'stream');
$e = item('event', 'stream');
is($e->{tags}{error_type}, 'stream_error', 'a stream that fails');
is($e->{tags}{model}, 'gpt-4o-2024-08-06', 'its model');
is($e->{tags}{status_code}, '200', 'whose status was 200');
is($e->{contexts}{trace}{status}, 'internal_error', 'which does not make it one that is well');
is(item('transaction', 'stream')->{contexts}{trace}{status}, 'internal_error', 'nor its transaction');
is($tx_call->($_), 'internal_error', 'nor the span of the call') for item('transaction', 'stream');

$t->get(0, '/hidden?me=carol', 'X-Request-ID', 'hidden');
like(item('event', 'hidden')->{user}{id}, qr/^[0-9a-f]{16}$/, 'users as aiobs_privacy shows them');

$t->get(0, '/?full=1', 'X-Request-ID', 'full');
my ($fault) = Aiobs::wait_for(sub { (grep { ($_->{tags}{component} // '') eq 'log' } items('event'))[0] }, 10);
is(($fault || {})->{logentry}{message}, 'log lines are being lost', 'trouble of our own');
$t->get(0, '/?full=1') for 1 .. 3;

$t->post(0, '/v1/chat/completions', $chat, 'X-Request-ID', 'good');
$t->post(0, '/v1/chat/completions?limit', $chat, 'X-Request-ID', 'limit');
$t->get(0, '/none-of-it', 'X-Request-ID', 'none');

# --- transactions ---

my $tx = item('transaction', 'good');
is($tx->{type}, 'transaction', 'a transaction');
is($tx->{transaction}, 'POST /v1/', 'its name is of the configuration');
is($tx->{transaction_info}{source}, 'route', 'which it says');
is($tx->{contexts}{trace}{op}, 'http.server', 'operation');
is($tx->{contexts}{trace}{status}, 'ok', 'status');
like($tx->{$_}, qr/^\d{4}-\d\d-\d\dT[\d:]+\.\d{6}Z$/, $_) for qw(start_timestamp timestamp);
is(scalar(@{$tx->{spans}}), 2, 'a span for every try');
my $span = $tx->{spans}[1];
is($span->{parent_span_id}, $tx->{contexts}{trace}{span_id}, 'below the request');
is($span->{op}, 'gen_ai.chat', 'a call of a model');
is($span->{description}, 'chat gpt-4o', 'its name');
is_deeply($span->{data}, { try => 2, 'gen_ai.operation.name' => 'chat', 'gen_ai.provider.name' => 'openai',
    'gen_ai.request.model' => 'gpt-4o', 'gen_ai.response.model' => 'gpt-4o-2024-08-06', 'gen_ai.response.id' => 'c1',
    'gen_ai.response.finish_reasons' => 'stop', 'gen_ai.response.streaming' => JSON::PP::false,
    'gen_ai.usage.input_tokens' => 12, 'gen_ai.usage.cache_read.input_tokens' => 8, 'gen_ai.usage.output_tokens' => 3,
    'gen_ai.usage.reasoning.output_tokens' => 2, 'server.address' => '127.0.0.1', 'server.port' => $t->port(1),
    'http.response.status_code' => 200 }, 'its figures, named as Sentry names them');
ok(item('transaction', 'stream')->{spans}[-1]{data}{'gen_ai.response.time_to_first_chunk'} =~ /^\d+(?:\.\d+)?$/, 'the first chunk of a stream');

# what only fetches an answer is no call of its own, nor is one that the application's SDK tells

$t->post(0, '/v1/responses', { model => 'm-1', background => JSON::PP::true, input => 'x' }, 'X-Request-ID', 'order');
$t->get(0, '/v1/responses/resp_1', 'X-Request-ID', 'fetch');
is($t->log_of('fetch')->{input_tokens}, 5, 'an answer that is fetched');
$t->post(0, '/told/v1/chat/completions', $chat, 'X-Request-ID', 'told');
is_deeply([map { item('transaction', $_)->{spans}[-1]{op} } qw(order fetch told)], [qw(gen_ai.chat http.client http.client)], 'is no further call for Sentry');
$tx = item('transaction', 'fail');
is(scalar(@{$tx->{spans}}), 2, 'a failed one: both tries');
is($tx->{contexts}{trace}{status}, 'unavailable', 'its status');
is($tx->{contexts}{trace}{trace_id}, '0af7651916cd43dd8448eb211c80319c', 'the same trace');

item('transaction', 'limit');
is(scalar(items('event', $_)), 0, "no event of $_") for qw(good limit none);
is(scalar(grep { ($_->{tags}{component} // '') eq 'log' } items('event')), 1, 'trouble of our own once');

# --- as Sentry's own code reads them ---

my $out = `@{[AiobsPeers::node()]} @{[AiobsPeers::dir()]}/sentry.cjs $capture`;
my @parsed = map { decode_json($_) } split /\n/, $out;
is(scalar(@parsed), scalar(AiobsSentry::envelopes($capture)), '@sentry/core reads every envelope');
ok(!(grep { !$_->[0]{sent_at} || $_->[0]{sdk}{name} ne 'aiobs.nginx'
    || $_->[0]{event_id} ne $_->[1][0][1]{event_id} } @parsed), 'with its header');

my ($checked, $wrong) = (0, '');
# one of a request that had neither host nor path among them

for my $file (sort { Aiobs::slurp($b) =~ /http_505/ <=> Aiobs::slurp($a) =~ /http_505/ } glob "$capture/*.txt") {
    next unless Aiobs::slurp($file) =~ /\n\{"type":"event"/;
    my $say = `SENTRY_DSN=http://pub\@127.0.0.1:@{[$t->port(5)]}/42 @{[AiobsPeers::dir()]}/node_modules/.bin/sentry-cli send-envelope $file 2>&1`;
    $wrong = $say if $?;
    last if ++$checked == 4;
}
is($wrong, '', 'sentry-cli takes the events');
is($checked, 4, 'all that it was given');

my $all = join '', map { Aiobs::slurp($_) } glob "$capture/*.txt";
unlike($all, qr/secret/, 'no arguments, cookies, prompts or answers');
unlike($all, qr/\Q$key\E|personal|192\.0\.2\.77/, 'no keys, addresses or headers that are not asked for');
like($t->get(0, '/metrics')->{body}, qr/^aiobs_export_sent_total\{exporter="sentry"\} [1-9]/m, 'what is sent is counted');

# --- the trace that an application with an SDK goes on with, and the one of a client's ---

my ($trace, $theirs) = ('0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331');

sub told {
    my ($path, @headers) = @_;
    return decode_json($t->get(0, $path, @headers)->{body});
}

sub goes_on {
    my ($told) = @_;
    my $headers = join ' ', map { "'" . ($told->{$_} // '') . "'" } 'sentry-trace', 'baggage';
    return decode_json(`@{[AiobsPeers::node()]} @{[AiobsPeers::dir()]}/sentry.cjs - $headers`);
}

my $told = told('/app/x', 'X-Request-ID', 'app', 'traceparent', $parent);
my $on = goes_on($told);
is_deeply([@$on{qw(traceId parentSpanId sampled)}], [$trace, item('transaction', 'app')->{contexts}{trace}{span_id}, JSON::PP::true],
    'an SDK in the application goes on below our span');
is($told->{traceparent}, "00-$trace-$on->{parentSpanId}-01", 'the one of traceparent');
is_deeply($on->{dsc}, { %sampled, sample_rand => $on->{dsc}{sample_rand}, transaction => 'GET /app/' }, 'and says how it is sampled ...');
is_deeply(context('transaction', 'app'), $on->{dsc}, '... what we say');
$told = told('/app/x', 'baggage', 'a=1;p', 'traceparent', $parent);
is_deeply([$told->{baggage} =~ /^a=1;p,(sentry-trace_id=$trace),.*sentry-transaction=(GET%20%2Fapp%2F)$/], ["sentry-trace_id=$trace", 'GET%20%2Fapp%2F'],
    'behind what others have put into the baggage');
is(scalar(() = told('/to-app', 'baggage', 'a=1')->{baggage} =~ /sentry-trace_id/g), 1, 'once, after a redirect as well');
is_deeply([@{told('/to-llm', @$_)}{qw(baggage sentry-trace)}], [$_->[1], undef], 'no provider that a redirect leads to has it')
    for [], ['baggage', 'a=1'];
is_deeply([@{told('/trusted/x', 'traceparent', $parent, 'baggage', $_->[0])}{'baggage'} =~ /^(.*)sentry-trace_id=$trace,sentry-public_key=[0-9a-f]+,sentry-env/], [$_->[1]],
    'what is said of another trace is not passed on') for ['a=1,sentry-trace_id=' . 'a' x 32 . ',sentry-sample_rand=0.1', 'a=1,'], ['sentry-trace_id=' . 'a' x 300, ''];
is(told('/trusted/x', 'sentry-trace', "$trace-$theirs-1", 'baggage', 'sentry-trace_id=' . 'a' x 32)->{baggage}, undef, 'nor an empty line for it');

my @baggage = ('baggage', 'a=b, sentry-trace_id=' . $trace . ',sentry-sampled=false,c=d');
for my $case (['-0', JSON::PP::false, '00'], ['-1', JSON::PP::true, '01'], ['', JSON::PP::true, '00']) {
    my ($flag, $sampled, $flags) = @$case;
    $told = told('/app/x', 'X-Request-ID', "browser$flag", 'sentry-trace', "$trace-$theirs$flag", @baggage);
    is_deeply([@{goes_on($told)}{qw(traceId sampled)}], [$trace, $sampled], "sentry-trace of a client goes on: '$flag'");
    like($told->{traceparent}, qr/^00-$trace-[0-9a-f]{16}-$flags$/, 'for others too');
    is($told->{baggage}, $baggage[1], 'with its baggage');
    is(item('transaction', "browser$flag")->{contexts}{trace}{parent_span_id}, $theirs, 'below his span');
}

for my $case (['of a stranger, where they are linked', '/linked/x', "$trace-$theirs-1"],
    (map { ["that is none: $_", '/app/x', $_] } "$trace-$theirs-x", "$trace-$theirs-", "$trace+$theirs", uc "$trace-$theirs", substr($trace, 1) . "-$theirs",
        '0' x 32 . "-$theirs", "$trace-" . '0' x 16, 'x', 'a' x 300),
    ['of another trace than traceparent', '/app/x', 'a' x 32 . "-$theirs-0", 'traceparent', "00-$trace-$theirs-01"])
{
    my ($name, $path, $line, @more) = @$case;
    $told = told($path, 'sentry-trace', $line, @baggage, @more);
    my ($id) = $told->{traceparent} =~ /^00-([0-9a-f]{32})-/;
    is_deeply([$id eq $trace, $told->{'sentry-trace'} =~ /^$id-/, $told->{baggage} =~ s/,sentry-trace_id=$id,sentry-[^ ]*$//r], [@more > 0, 1, 'a=b,c=d'],
        "sentry-trace $name: all go on with ours");
}

is_deeply([grep { /trace|baggage/ } keys %{told('/v1/models', 'sentry-trace', "$trace-$theirs-1")}], [], 'providers are not told of it');

# a client's decision is inherited where he is trusted; 0 or 1: whether there is a transaction

sub inherits {
    my ($rate, @cases) = @_;
    for (@cases) {
        my ($id, $path, $flag, $there, @more) = @$_;
        $t->get(0, $path, 'X-Request-ID', $id, 'sentry-trace', "$trace-$theirs$flag", @more);
    }
    $t->get(0, '/trusted/x', 'X-Request-ID', "last $rate" =~ tr/ /-/r, 'sentry-trace', "$trace-$theirs-1");
    item('transaction', "last-$rate");
    is(scalar(() = items('transaction', $_->[0])), $_->[3], "traces_sample_rate $rate, $_->[0]") for @cases;
}

my @key = ('Authorization', "Bearer $key");
inherits(1, ['trusted-0', '/trusted/x', '-0', 0], ['trusted-1', '/trusted/x', '-1', 1], ['trusted-open', '/trusted/x', '', 1],
    ['by-key-0', '/v1/models', '-0', 0, @key], ['by-key-1', '/v1/models', '-1', 1, @key], ['stranger-0', '/app/x', '-0', 1],
    ['keyless-0', '/v1/models', '-0', 1], ['keyless-own-0', '/v1/models', '-0', 1, 'x-api-key', 'my-own'],
    ['other-trace-0', '/trusted/x', '-0', 1, 'traceparent', '00-' . 'a' x 32 . "-$theirs-00"], ['linked-0', '/linked/x', '-0', 1]);
is(context('transaction', 'trusted-open')->{sampled}, 'true', 'what is decided here is told to Sentry');
is(context('transaction', 'trusted-1')->{sampled}, undef, 'not what was decided before');

# --- personal data where it is asked for ---

my %old = map { $_ => 1 } $t->workers;
$t->reload(conf('send_default_pii on; key_labels email tier; traces_sample_rate 0;') =~ s/traces_sample_rate 1;//r);
Aiobs::wait_for(sub { !grep { $old{$_} } $t->workers }, 10);
$t->post(0, '/v1/chat/completions?fail', { %$chat, model => "gpt\n4o" }, 'X-Request-ID', 'pii', 'Authorization', "Bearer $labelled",
    'X-Real-IP', '192.0.2.77', 'X-Custom', 'personal', 'Cookie', 'a=secret', 'X-Csrf-Token', 'secret',
    'X-Many', 'one', 'x-many', 'two', 'X-MANY', 'three');
$e = item('event', 'pii');
is($e->{tags}{request_model}, 'gpt 4o', 'a tag is one line');
is_deeply([map { $e->{request}{headers}{$_} } grep { /^x-many$/i } keys %{$e->{request}{headers}}], ['one, two, three'],
    'a header that is there several times, once');
is_deeply($e->{user}, { id => 'bob', ip_address => '192.0.2.77', email => 'bob@example.com' }, 'address and e-mail');
is($e->{tags}{tier}, 'gold', 'other labels are tags');
is($e->{request}{headers}{'X-Custom'}, 'personal', 'headers');
is($e->{request}{headers}{$_}, '[Filtered]', "$_ never") for 'Cookie', 'X-Csrf-Token';
unlike(encode_json($e), qr/\Q$labelled\E/, 'nor keys');
is(scalar(items('transaction', 'pii')), 0, 'no transactions at 0');

$on = goes_on(told('/app/x', 'sentry-trace', "$trace-$theirs"));
is_deeply([@$on{qw(traceId sampled)}], [$trace, undef], 'an SDK decides where we do not');
is_deeply($on->{dsc}, { %context, environment => 'staging', release => 'gw@1.2.3', sample_rand => $on->{dsc}{sample_rand} }, 'and is told the rest');

# an error_page to a URI makes it a GET, of which the client knows nothing

$t->stop;
$t->start(conf('traces_sample_rate 1;'));
$t->request(0, 'PUT', '/moved', ['X-Request-ID', 'moved', 'traceparent', $parent], '');
my $moved = item('transaction', 'moved');
is_deeply([$moved->{transaction}, $moved->{request}{method}, map { $_->{description} =~ /^(\w+)/ } @{$moved->{spans}}],
    ['PUT /moved', 'PUT', 'PUT', 'GET'], 'methods of the request and of its tries');

# the trace id says 0.28

$t->stop;
$t->start(conf('') =~ s/traces_sample_rate 1/traces_sample_rate 0.1/r);
inherits(0.1, ['low-1', '/trusted/x', '-1', 1], ['low-key-1', '/v1/models', '-1', 1, @key], ['low-open', '/trusted/x', '', 0]);

# a stranger's trace id decides nothing, whatever it is

sub strange {
    my ($rate, $digit, $sampled) = @_;

    $t->stop;
    $t->start(conf('') =~ s/traces_sample_rate 1/traces_sample_rate $rate/r);

    my @chosen = ('traceparent', '00-' . 'a' x 18 . $digit x 14 . "-$theirs-01");
    my @told = map { told('/app/x', 'X-Request-ID', "$rate-$_", @chosen) } 1 .. 20;
    $t->get(0, '/handed/x', 'X-Request-ID', "handed-$rate", @chosen, @key);
    $t->get(0, '/trusted/x', 'X-Request-ID', "known-$rate", 'sentry-trace', 'b' x 32 . "-$theirs-1");
    item("transaction", "known-$rate");

    is(scalar(grep { items('transaction', "$rate-$_") } 1 .. 20), $sampled, "traces_sample_rate $rate, chosen ids of $digit: what becomes of 20");
    is(scalar(grep { $_->{'sentry-trace'} =~ /^a{18}$digit+-[0-9a-f]{16}-1$/ } @told), $sampled, 'applications are told the same');

    is(scalar(items('transaction', "handed-$rate")), $sampled ? 1 : 0, 'one who shows his key behind a redirect was a stranger when they were');

    my @known = map { told('/trusted/x', 'X-Request-ID', "$rate-known-$_", @chosen) } 1 .. 2;
    is(scalar(grep { $_->{'sentry-trace'} =~ /-1$/ } @known), $sampled ? 0 : 2, 'as is one that is trusted, by the id');
    return;
}

strange('0.000001', '0', 0);
strange('0.999999', 'f', 20);
is_deeply([map { $_ >= 0 && $_ < 0.999999 } grep { defined } map { context('transaction', "0.999999-$_")->{sample_rand} } 1 .. 20], [(1) x 20],
    'and Sentry the number that decided');

# Sentry's hosts name the organisation

$t->stop;
$t->start(conf('traces_sample_rate 1;') =~ s{dsn env:SENTRY_DSN;}{'dsn ' . $ENV{SENTRY_DSN} =~ s/127\.0\.0\.1/o123.ingest.localhost/r . ';'}er);
$t->get(0, '/boom', 'X-Request-ID', 'org', 'traceparent', $parent);
is(context($_, 'org')->{org_id}, '123', "the organisation, of the $_") for qw(event transaction);
is(context('event', 'org')->{transaction}, 'GET /boom', 'and the transaction');

{
    my $dsn = "dsn http://k3y\@o@{[1 x 40]}.localhost/1;";
    my $long = Aiobs->new;
    $long->upstream(1, sub { my ($req, $c) = @_; $long->answer($c, 200, [], $req->{head}) });
    $long->start("aiobs_sentry { $dsn } server { listen 127.0.0.1:%%PORT_0%%; aiobs on; location / { proxy_pass http://127.0.0.1:%%PORT_1%%; } }");
    my $said = $long->get(0, '/')->{body};
    like($said, qr/sentry-public_key=k3y/, 'a host that begins with a number too long for one');
    unlike($said, qr/org_id/, 'names none');
    $long->stop;
}
for my $case ([123, 1], [7, 0], ['', 1]) {
    my ($org, $same) = @$case;
    my $told = told('/trusted/x', 'X-Request-ID', "org$org", 'sentry-trace', "$trace-$theirs-0", 'baggage', "a=1,sentry-org_id=$org,sentry-sampled=false");
    my ($id) = $told->{'sentry-trace'} =~ /^(\w+)-/;
    is_deeply([$id eq $trace ? 1 : 0, $told->{baggage} =~ /sentry-org_id=$org,/ ? 1 : 0, $told->{baggage} =~ /sentry-org_id=123,sentry-sample_rate=1,/ ? 1 : 0],
        [$same, $same, !$same || 0], "a trace of organisation '$org'");
}
is(context('transaction', 'org7')->{sampled}, 'true', 'of another one is none of ours');
$told = told('/trusted/x', 'X-Request-ID', 'org7-w3c', 'traceparent', $parent, 'baggage', 'sentry-org_id=7,sentry-public_key=abc');
is_deeply([context('transaction', 'org7-w3c')->{org_id}, $told->{baggage} =~ /sentry-(org_id=\d+)/g], ['123', 'org_id=123'], 'nor what it says of a traceparent');
$t->get(0, '/boom', 'X-Request-ID', 'boom-other', 'traceparent', $parent, 'sentry-trace', 'a' x 32 . "-$theirs-0", 'baggage', 'sentry-sample_rate=0.5');
is(context('event', 'boom-other')->{sample_rate}, '1', 'nor of another trace, where nothing is passed on');

# --- configuration ---

for my $case (
    ['', qr/lacks "dsn"/], ['dsn https://h/1;', qr/"https:\/\/KEY\@HOST\/PROJECT" is expected/],
    ['dsn https://k3y@h/x;', qr/is expected/], ['dsn env:NO_SUCH;', qr/"NO_SUCH" is not set/],
    ['dsn http://k@h/1; sample_rate 2;', qr/"sample_rate" in "aiobs_sentry" expects a number from 0 to 1/],
    ['dsn http://k@h/1; level x;', qr/unknown parameter "level" of "aiobs_sentry"/],
    (map { ["dsn \"$_\";", qr/is expected/] } 'http://k3y@/1', 'http://k3y@:80/1', 'http://k3y@h:/1', 'http://k3y@h:99999/1',
        'http://k3y@h:x/1', 'http://k3y@a b/1', 'http://k3y@a@b/1', 'http://k3y@h?x/1', 'http://k3y@h/a b/1', 'http://k3y@[::1/1',
        'http://k3y@[::1]x/1', 'http://k3y@[]/1', 'http://k3y@h/1/'),
    ['dsn http://k@h/1; key_labels tier tier;', qr/"key_labels" in "aiobs_sentry" has a name that is there already/],
    ['dsn http://k@h/1; key_labels request_id;', qr/has a name that is there already/],
    (map { ["dsn http://k\@h/1; environment \"$_\";", qr/"environment" in "aiobs_sentry" expects at most 64 bytes/] } 'a/b', 'a\\\\b', "a\tb", 'None', '..', 'x' x 65),
    (map { ["dsn http://k\@h/1; release \"$_\";", qr/"release" in "aiobs_sentry" expects at most 200 bytes/] } 'a/b@1', 'Latest', '.', 'x' x 201),
    ['dsn http://k@h/1; queue 0;', qr/"queue" and "timeout" of "aiobs_sentry" have to be larger than 0/],
) {
    my $c = Aiobs->new;
    my ($rc, $said) = $c->check("aiobs_sentry { $case->[0] } server { listen 127.0.0.1:%%PORT_0%%; }", no_log => 1);
    isnt($rc, 0, "$case->[0]: refused");
    like($said, $case->[1], "$case->[0]: says so");
    unlike($said, qr/k3y/, 'without the key');
}

for my $case (['eu/prod', 1], ['eu-prod', 0]) {
    my $c = Aiobs->new;
    my ($rc, $said) = $c->check("aiobs_service gw $case->[0]; aiobs_sentry { dsn http://k\@h/1; } server { listen 127.0.0.1:%%PORT_0%%; aiobs on; }", no_log => 1);
    is_deeply([$rc, $said =~ /environment "$case->[0]" of "aiobs_service" is none that Sentry takes/ ? 1 : 0], [0, $case->[1]], "environment $case->[0]");
}

for my $dsn (map { "http://k3y$_" } '@h/1', ':s@h/1', '@h:80/1', '@[::1]/1', '@[::1]:80/a/b/1', '@a_b.example.com:65535/a/1') {
    my $c = Aiobs->new;
    my ($rc, $said) = $c->check("aiobs_sentry { dsn $dsn; } server { listen 127.0.0.1:%%PORT_0%%; aiobs on; }", no_log => 1);
    is($rc, 0, "$dsn: taken") or diag($said);
}

$t->done;
