#!/usr/bin/perl

# More keys than a worker has rows for spend a little each: nothing is lost,
# and the sum is what the calls cost, to the micro-USD.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use AiobsKeys;
use Test::More;
use Time::HiRes qw(sleep);

my $t = Aiobs->new;
my $n = 1500;
my @keys = map { sprintf 'sk-%043d', $_ } 1 .. $n;

spew($t->dir . '/many.py', <<"EOP");
import hashlib, sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.executemany('INSERT INTO api_keys VALUES (?, ?, NULL, NULL, NULL, 1)',
    [(hashlib.sha256(b'sk-%043d' % i).hexdigest(), 'u%d' % i) for i in range(1, $n + 1)])
c.commit()
EOP

$t->key('somebody');
is(system('/usr/bin/python3', $t->dir . '/many.py', $t->store), 0, 'many keys');

# 3 nano-USD a token of the prompt: 600 a call

spew($t->dir . '/prices.json', '{"gpt-4o":{"litellm_provider":"openai","mode":"chat",'
    . '"input_cost_per_token":3e-09,"output_cost_per_token":1e-05}}');

my $answer = '{"id":"x","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,'
    . '"finish_reason":"stop","message":{"role":"assistant","content":"hello"}}],'
    . '"usage":{"prompt_tokens":200,"completion_tokens":0,"total_tokens":200}}';

$t->start(<<"EOC", workers => 1);
aiobs_zone 8m series=300 keys=4000;
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_prices %%DIR%%/prices.json;
keepalive_requests 100000;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /v1/ { aiobs_auth on; aiobs_llm auto; proxy_pass http://127.0.0.1:%%PORT_2%%; }
    location = /metrics { aiobs_metrics; }
}
server {
    listen 127.0.0.1:%%PORT_2%%;
    default_type application/json;
    location / { return 200 '$answer'; }
}
EOC

sub sums {
    return join '|', @{(sql($t, 'SELECT count(DISTINCT key_hash), sum(calls), sum(input) FROM usage_daily'))[0]};
}

my $body = '{"model":"gpt-4o","messages":[]}';
my $length = length $body;
my $sent = 0;

for my $round (1 .. 2) {
    my $c = $t->connect(1);

    for my $key (@keys) {
        $c->syswrite("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\n"
            . "Content-Length: $length\r\n\r\n$body");

        my $got = '';
        while ($got !~ /"total_tokens":200\}\}/) {
            $c->sysread($got, 65536, length $got) or last;
        }
        $got =~ /^HTTP.1.1 200/ or fail($got);

        sleep 0.1 if ++$sent % 100 == 0;        # a thousand a second
    }

    my $all = join '|', $n, $n * $round, $n * $round * 200;
    wait_for(sub { sums() eq $all }, 10);
    is(sums(), $all, "round $round: every call of every key");
}

unlike($t->get(1, '/metrics')->{body}, qr/^aiobs_usage_lost_total\{/m, 'none is lost');
$t->stop;

is((sql($t, 'SELECT sum(cost_microusd) FROM usage_daily'))[0][0], $n * 2 * 600 / 1000,
    'what they cost, to the micro-USD');
is((sql($t, 'SELECT max(cost_microusd), min(cost_microusd) FROM (SELECT sum(cost_microusd) AS cost_microusd'
    . ' FROM usage_daily GROUP BY key_hash)'))[0][0], 2, 'no key much more than its part');

Aiobs::done();
