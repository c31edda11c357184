#!/usr/bin/perl

# What the official clients make of limits: they wait for the next minute and
# try again, but leave a spent budget and a forbidden model alone.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use AiobsKeys;
use AiobsPeers;
use Test::More;

my $t = Aiobs->new;
provider($t, 0);
$t->upstream(2, sub {
    my ($req, $c) = @_;
    my $whole = $req->{body} =~ /name="(?:file|image\[\])"/ && $req->{body} =~ /--\r\n\z/;
    $t->answer($c, 200, ['Content-Type', 'application/json'],
        $whole ? '{"text":"hello","created":1,"data":[]}' : '{}');
});

my $rpm = key_with($t, 'rpm', rpm => 1);
my $budget = key_with($t, 'budget', tokens_per_day => 0);
my $model = key_with($t, 'model', models => 'gpt-5*');

$t->start(<<'EOC', workers => 2);
aiobs_key_store sqlite:%%DIR%%/keys.db;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /v1/ {
        aiobs_auth on;
        aiobs_llm auto;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /model/ {
        aiobs_auth on;
        aiobs_llm auto;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /v1/audio/ {
        aiobs_auth on;
        aiobs_llm auto;
        proxy_pass http://127.0.0.1:%%PORT_2%%;
    }
    location /v1/images/ {
        aiobs_auth on;
        aiobs_llm auto;
        proxy_pass http://127.0.0.1:%%PORT_2%%;
    }
}
EOC

# a minute that lasts

wait_for(sub { time % 60 < 50 }, 15);

my $out = $t->dir . '/limits.out';
my $pid = $t->spawn([AiobsPeers::node(), AiobsPeers::dir() . '/limits.mjs',
    'http://127.0.0.1:' . $t->port(1), $t->dir, $rpm, $budget, $model],
    log => $out, env => { NODE_NO_WARNINGS => 1 });

ok(wait_for(sub { -s $t->dir . '/waiting' }, 30),
    'a client that was refused waits') or diag(slurp($out));
set_attrs($t, $rpm, rpm => 100);
wait_for(sub { call($t, 1, $rpm)->{status} == 200 }, 20);
spew($t->dir . '/go', '');
ok(wait_for(sub { $t->reap($pid) }, 60), 'the clients end');

my %r = map { $_->{id} => $_ } map { JSON::PP::decode_json($_) }
    grep { /^\{/ } split /\n/, slurp($out);

is($r{first}{model}, 'gpt-4o', 'the first call');
is($r{retried}{model}, 'gpt-4o', 'the second is tried again, and succeeds')
    or diag(slurp($out));
is(scalar(@{$r{retried}{waits} || []}), 1, 'after one wait')
    or diag(slurp($out));
like($r{retried}{waits}[0], qr/^[1-9]\d?000$/, 'of as many seconds as it is told');

sub tries {
    my ($id) = @_;
    my $lines = sub {
        return scalar grep { /"request_id":"$id"/ && !/"event":"key_first_used"/ }
            $t->whole_lines;
    };
    wait_for($lines, 5);
    return $lines->();
}

is(tries('retried'), 2, 'two tries');

is($r{budget}{error}, 'RateLimitError', 'a spent budget');
is($r{budget}{code}, 'insufficient_quota', 'is named as OpenAI does');
is(tries('budget'), 1, 'and not tried again');
is(scalar(@{$r{budget}{waits} || []}), 0, 'nor waited for');

is($r{'budget-claude'}{error}, 'RateLimitError', "by Anthropic's as well");
is($r{'budget-claude'}{type}, 'rate_limit_error', 'its type');
is(tries('budget-claude'), 1, 'not tried again either');

is($r{model}{error}, 'PermissionDeniedError', 'a model that is not allowed');
is(tries('model'), 1, 'one try');

my %bedrock = (budget => 'ServiceQuotaExceededException', model => 'AccessDeniedException',
    unknown => 'BedrockRuntimeServiceException');
is($r{"$_-bedrock"}{error}, $bedrock{$_}, "by Bedrock's: $_") or diag(slurp($out)) for sort keys %bedrock;

is($r{transcription}{text}, 'hello', 'a transcription by a model that is allowed') or diag(slurp($out));
is($t->log_of('transcription')->{request_model}, 'gpt-5-transcribe', 'its model is read from the form');
is($r{'other-transcription'}{error}, 'PermissionDeniedError', 'by another');
is(tries('other-transcription'), 1, 'one try');
is($r{'image'}{created}, 1, 'an edited image, of a form as well') or diag(slurp($out));

$t->done;
