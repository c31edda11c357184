#!/usr/bin/perl

# A path that says nothing: the answer tells whether it was a call of a model.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;

my $t = Aiobs->new;

$t->upstream(0, sub {
    my ($req, $c) = @_;

    my $body = $req->{uri} =~ /model/
        ? '{"id":"c1","object":"chat.completion","model":"m-1","choices":[{"index":0,"message":'
            . '{"content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,'
            . '"completion_tokens":7,"total_tokens":18}}'
        : '{"saved":true,"usage":{"input_tokens":3}}';

    $t->answer($c, $req->{uri} =~ /broken/ ? 500 : 200,
        ['Content-Type', 'application/json'], $body);
});

$t->start(<<'EOF');
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location / { aiobs_llm auto; aiobs_endpoint own; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /gemini/ { aiobs_llm gemini; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }
}
EOF

sub post {
    my ($path, $id) = @_;
    my $r = $t->request(1, 'POST', $path, ['X-Request-ID', $id, 'Content-Type',
        'application/json'], '{"model":"asked","messages":[]}');
    return ($r, $t->log_of($id));
}

my ($r, $l) = post('/serving-endpoints/model/invocations', 'call');
is($r->{status}, 200, 'answered');
is($l->{event}, 'llm_called', 'a call');
is("@{$l}{qw(provider operation model request_model input_tokens output_tokens usage_source)}",
    'openai chat m-1 asked 11 7 reported', 'read as what it is');

(undef, $l) = post('/store/notes', 'note');
is($l->{event}, 'request', 'no call');
is($l->{input_tokens}, undef, 'and no tokens');

(undef, $l) = post('/gemini/model', 'other');
is($l->{event}, 'request', 'the dialect that is named is the only one');

(undef, $l) = post('/broken/model', 'broken');
is($l->{event}, 'request', 'a failure tells nothing');

my $metrics = $t->get(1, '/metrics')->{body};
like($metrics, qr/^llm_calls_total\{provider="openai",model="m-1",endpoint="own",operation="chat",error_type=""\} 1$/m,
    'counted once');
my ($sum) = $metrics =~ /^llm_tokens_total\{.*endpoint="own",token_type="input"\} (\d+)$/m;
is($sum, 11, 'with its tokens');

$t->done;
