#!/usr/bin/perl

# ./demo does what it says, and the commands that it prints work.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use JSON::PP;
use Test::More;
use Time::HiRes qw(time);

my $t = Aiobs->new;
my $port = $t->port(0);
my $out = $t->dir . '/demo.out';

chmod 0755, $t->dir;

sub demo {
    my @args = @_;
    unlink $out;
    return $t->spawn(['bash', Aiobs::root() . '/demo', '--port', $port, @args],
        log => $out, env => { AIOBS_OBJS => Aiobs::objs(),
            AIOBS_DEMO_STATE => $t->dir . '/state', OPENAI_API_KEY => '',
            ANTHROPIC_API_KEY => '' });
}

sub ready { Aiobs::wait_for(sub { Aiobs::slurp($out) =~ /Ctrl-C stops it/ }, 60) }

sub leave {
    my ($pid) = @_;
    kill TERM => $pid;
    ok(Aiobs::wait_for(sub { $t->reap($pid) }, 20), 'it stops when told to');
    is($? >> 8, 0, 'and says that all is well');
}

my $help = `bash ${\Aiobs::root()}/demo --help`;
is($?, 0, '--help');
like($help, qr/usage: .*--port/, 'tells the options');
`bash ${\Aiobs::root()}/demo --nonsense 2>&1`;
is($? >> 8, 2, 'a wrong option');

for my $wrong (0, 65536, 'x', '') {
    my $said = `bash ${\Aiobs::root()}/demo --port '$wrong' 2>&1`;
    is($? >> 8, 2, "port '$wrong'");
    like($said, qr/takes a number from 1 to 65535/, 'and what it takes');
}

my $pid = demo();
ok(ready(), 'it is up') or diag(Aiobs::slurp($out));

my $text = Aiobs::slurp($out);
my ($key) = $text =~ /export KEY=(sk-[\w-]{43})$/m;
ok($key, 'a key is shown');
like($text, qr{another: /\S+/aiobs-keys create --db /}, 'and how to make another, from wherever one is');

my @commands = $text =~ /^  ((?:curl|tail|\S+aiobs-keys spend) .*)$/mg;
is(scalar @commands, 7, 'commands are printed');

sub run { my $out = `KEY=$key sh -c \Q$_[0]\E 2>&1`; return $out }

my $r = decode_json(run($commands[0]));
is($r->{object}, 'chat.completion', 'a chat completion');
is($r->{usage}{prompt_tokens}, 19, 'with usage');

# the stream trickles: its events come in many reads

open my $curl, '-|', "KEY=$key; exec $commands[1]" or die;
my ($reads, $stream) = (0, '');
while (my $n = sysread $curl, $stream, 65536, length $stream) { $reads++ }
close $curl;
like($stream, qr/\[DONE\]/, 'a stream');
unlike($stream, qr/usage/, 'which the client sees as it asked for it');
cmp_ok($reads, '>', 5, 'that comes piece by piece');

$r = decode_json(run($commands[2]));
is($r->{type}, 'message', "Anthropic's API");

my $sse = run($commands[2] =~ s/"max_tokens"/"stream":true,"max_tokens"/r);
like($sse, qr/event: message_stop/, 'and its stream');

my $m = run($commands[3]);
like($m, qr/^llm_tokens_total\{provider="openai",model="gpt-4o-2024-08-06",endpoint="openai",token_type="input"\} 38$/m,
    'tokens are counted, those of the stream too');
like($m, qr/^llm_cost_usd_total\{provider="openai"/m, 'and priced');
unlike($m, qr/_bucket/, 'on a screenful');

my @lines = split /\n/, run($commands[4]);
is(scalar @lines, 3, 'lines of the log');
is_deeply([map { decode_json($_)->{user_id} } @lines], [('demo') x 3],
    'whose calls they were, without scrapes between them');

$r = decode_json(run($commands[0] =~ s/chat.completions/embeddings/r));
like($r->{error}{message}, qr{OPENAI_API_KEY=.*/demo}, 'what it has no answer to, it says');

like(run($commands[5]), qr/"request_id"/, 'the last requests');

# spend is written in batches

ok(Aiobs::wait_for(sub { run($commands[6]) =~ /^demo\b.*\d/m }, 20), 'what the key has spent')
    or diag(run($commands[6]));

if ($text =~ m{Prometheus scrapes it: http://127\.0\.0\.1:(\d+)}) {
    $t->{ports}[9] = $1;
    ok(Aiobs::wait_for(sub {
        my $r = eval { $t->get(9, '/api/v1/query?query=up') };
        $r && ($r->{body} // '') =~ /"1"\]/;
    }, 30), 'Prometheus scrapes it');
}

# taken

my $second = `AIOBS_OBJS=\Q${\Aiobs::objs()}\E bash ${\Aiobs::root()}/demo --port $port 2>&1`;
is($? >> 8, 5, 'a port that is taken');
like($second, qr/port $port is taken.*--port/, 'the way out is told');

leave($pid);

# again: the key is kept

$pid = demo();
ok(ready(), 'a second run') or diag(Aiobs::slurp($out));
unlike(Aiobs::slurp($out), qr/KEY=sk-/, 'shows no key');
like(run($commands[0]), qr/chat\.completion/, 'but the first one still works');
leave($pid);

# the real providers: the configuration is right, and only its owner reads it

$pid = $t->spawn(['bash', Aiobs::root() . '/demo', '--port', $port],
    log => $out, env => { AIOBS_OBJS => Aiobs::objs(),
        AIOBS_DEMO_STATE => $t->dir . '/state', OPENAI_API_KEY => 'sk-provider',
        ANTHROPIC_API_KEY => 'bad "key' });
ok(Aiobs::wait_for(sub { $t->reap($pid) }, 20), 'a provider key with a quote in it');
like(Aiobs::slurp($out), qr/ANTHROPIC_API_KEY is no API key/, 'is refused');

my $mode = (stat $t->dir . '/state/nginx.conf')[2] & 07777;
is($mode, 0600, 'the configuration is for its owner alone');

$t->done;
