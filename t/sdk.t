#!/usr/bin/perl

# The official clients of OpenAI and Anthropic (both of its key headers) go
# through the gateway to aimock; what they see, what is logged and counted,
# and what the provider gets.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsPeers;
use Test::More;

my $t = Aiobs->new;
my $key = $t->key('alice', 'sdk');

AiobsPeers::aimock($t, 0, 'up-key');

$t->start(<<'EOF');
aiobs_key_store sqlite:%%DIR%%/keys.db;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;

    location / {
        aiobs_auth on;
        aiobs_llm auto;
        aiobs_stream_usage on;
        aiobs_endpoint llm;
        proxy_set_header Authorization "Bearer up-key";
        proxy_http_version 1.1;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /metrics { aiobs_metrics; }
}
EOF

my $r = AiobsPeers::script($t, 'sdk.mjs', 'http://127.0.0.1:' . $t->port(1), $key);

# a call and its log line agree

sub agree {
    my ($id, $name, $input, $output, %want) = @_;

    my ($call, $line) = ($r->{$id}, $t->log_of($id));

    subtest $name => sub {
        is($call->{error}, undef, 'answered') or diag(explain($call));
        is($line->{user_id}, 'alice', 'whose call it is');
        is($line->{event}, 'llm_called', 'an LLM call');
        is($line->{input_tokens}, $input, 'input tokens');
        is($line->{output_tokens}, $output, 'output tokens');
        is($line->{usage_source}, $want{source} || 'reported', 'their source');
        is($line->{error_type}, undef, 'no error');

        for my $k (qw(provider stream)) {
            is(ref $line->{$k} ? ($line->{$k} ? 'true' : 'false') : $line->{$k},
                $want{$k}, $k) if exists $want{$k};
        }
    };

    return;
}

agree('sdk-1', 'OpenAI', 123, 45, provider => 'openai', stream => 'false');
is($r->{'sdk-1'}{usage}{prompt_tokens}, 123, 'the client sees the same figures');
is($r->{'sdk-1'}{request_id}, 'sdk-1', 'and the request id');

agree('sdk-2', 'OpenAI, a stream that asks for usage', 123, 45, stream => 'true');
is($r->{'sdk-2'}{usage}{completion_tokens}, 45, 'the client gets it');

agree('sdk-3', 'OpenAI, a stream that does not', 123, 45, stream => 'true');
is($r->{'sdk-3'}{usage}, undef, 'the client does not get it');
ok(!$r->{'sdk-3'}{usageKey}, 'nor a null of it');
is($r->{'sdk-3'}{text}, $r->{'sdk-2'}{text}, 'the text is whole');
is($r->{'sdk-3'}{chunks}, $r->{'sdk-2'}{chunks} - 1, 'it has one chunk less');

for my $n (4, 5) {
    my $header = $n == 4 ? 'Authorization' : 'x-api-key';
    agree("sdk-$n", "Anthropic, $header", 77, 11, provider => 'anthropic',
        stream => 'false');
    agree("sdk-${n}s", "Anthropic, a stream, $header", 77, 11, stream => 'true');
    is($r->{"sdk-${n}s"}{usage}{output_tokens}, 11, 'the client sees the same');
}

# refused: the client's own error, without a second try

for my $n (6, 7, 8) {
    is($r->{"sdk-$n"}{error}, 'AuthenticationError', "$r->{\"sdk-$n\"}{name}");
    is($r->{"sdk-$n"}{status}, 401, 'status');

    $t->log_of("sdk-$n");
    my @lines = grep { $_->{request_id} eq "sdk-$n" } $t->log_lines(1);
    is(scalar @lines, 1, 'one request');
    is($lines[0]{error_type}, 'unknown_key', 'the reason is in the log');
}

is($r->{'sdk-6'}{code}, 'invalid_api_key', "OpenAI's code");

# the provider's errors

is($r->{'sdk-9'}{error}, 'RateLimitError', 'a 429 arrives as such');
my @tries = grep { $_->{request_id} eq 'sdk-9' } $t->log_lines(1);
is(scalar @tries, 2, 'the client tries twice');
is($_->{error_type}, 'rate_limited', 'rate_limited') for @tries;

is($r->{'sdk-10'}{error}, 'InternalServerError', 'a 500 of OpenAI');
is($t->log_of('sdk-10')->{error_type}, 'server_error', 'server_error');
is($t->log_of('sdk-10')->{level}, 'error', 'an error');
is($r->{'sdk-11'}{status}, 500, 'a 500 of Anthropic');

# what is broken passes, and nothing is made up

isnt($r->{'sdk-12'}{error}, undef, 'the client cannot read a broken answer');
my $line = $t->log_of('sdk-12');
is($line->{input_tokens}, undef, 'no tokens are counted for it');
is($line->{usage_source}, 'none', 'its source says so');

$line = $t->log_of('sdk-13');
is($line->{error_type}, 'upstream_reset', 'a stream that the provider cuts');
like($line->{usage_source}, qr/^(?:estimated|partial)$/, 'is not free');

$line = $t->log_of('sdk-14');
is($r->{'sdk-14'}{chunks}, 3, 'a client leaves');
is($line->{error_type}, 'client_abort', 'it is logged');
is($line->{usage_source}, 'estimated', 'what came is counted');
cmp_ok($line->{output_tokens}, '>', 0, 'it is not free either');

# what the provider saw

my $j = $t->request(0, 'GET', '/__aimock/journal?limit=200',
    ['Authorization', 'Bearer up-key']);
my $journal = JSON::PP::decode_json($j->{body});
$journal = $journal->{entries} || $journal->{requests} if ref $journal eq 'HASH';

ok(@$journal >= 13, 'the provider saw the calls');

my $seen = JSON::PP::encode_json($journal);
unlike($seen, qr/\Q$key\E/, "and never the client's key");
like($seen, qr/"x-request-id":"sdk-$_"/, "request id sdk-$_") for 1 .. 5;
unlike($seen, qr/sdk-wrong/, 'refused calls did not reach it');

# metrics agree with the log

my $m = $t->get(1, '/metrics', 'Authorization', "Bearer $key")->{body};
my %sum;

for my $l (grep { $_->{event} eq 'llm_called' } $t->log_lines(1)) {
    $sum{input} += $l->{input_tokens} || 0;
    $sum{output} += $l->{output_tokens} || 0;
}

for my $type (qw(input output)) {
    my $total = 0;
    $total += $1 while $m =~ /^llm_tokens_total\{[^}]*token_type="$type"\} (\d+)$/mg;
    is($total, $sum{$type}, "$type tokens: metrics and log agree");
}

like($m, qr/^llm_client_retries_total\{endpoint="llm"\} 1$/m, 'the retry is counted');
like($m, qr/^aiobs_parse_failures_total\{provider="openai",reason="json"\} 1$/m,
    'so is the answer that could not be read');

$t->done;
