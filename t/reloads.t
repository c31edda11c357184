#!/usr/bin/perl

# Traffic that does not stop while nginx is reloaded, again and again, and then while
# its workers are killed: of every answer there is one log line in each log, one span,
# one event where it failed, and one more in the counters.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsPeers;
use AiobsSentry;
use JSON::PP;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

my $t = Aiobs->new;
my $dir = $t->dir;
my ($spans) = AiobsPeers::otlp($t, 5, 6);
my $events = AiobsSentry::receiver($t, 7);

$t->upstream(2, sub {
    my ($req, $c) = @_;
    return $t->answer($c, 500, ['Content-Type', 'application/json'], '{}') if $req->{uri} =~ /fail/;
    return $t->answer($c, 200, ['Content-Type', 'application/json'], encode_json({ model => 'gpt-4o', choices => [],
        usage => { prompt_tokens => 12, completion_tokens => 3, total_tokens => 15 } })) if $req->{uri} !~ /stream/;

    $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");
    for my $i (1 .. 4) {                                # longer than a reload takes
        sleep 0.15;
        $c->syswrite('data: ' . encode_json({ model => 'gpt-4o', choices => [{ index => 0, delta => { content => $i } }],
            $i < 4 ? () : (usage => { prompt_tokens => 12, completion_tokens => 3, total_tokens => 15 }) }) . "\n\n");
    }
    $c->syswrite("data: [DONE]\n\n");
});

my $conf = <<'EOF';
aiobs_log %%DIR%%/direct.json;
aiobs_log %%DIR%%/buffered.json buffer=64k flush=1m;
aiobs_otlp { endpoint http://127.0.0.1:%%PORT_5%%; interval 200ms; }
aiobs_sentry { dsn http://k@127.0.0.1:%%PORT_7%%/1; interval 200ms; }
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /v1/ { aiobs_trace on; aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_2%%; }
    location = /metrics { aiobs_log off; aiobs_metrics; }
}
EOF

$t->start($conf, no_log => 1, workers => 2);

# --- clients that go on until they are told to stop; each writes down what was answered ---

sub clients {
    my ($phase, $meanwhile) = @_;
    my %pid;

    for my $client (1 .. 6) {
        my $pid = fork // die "fork: $!";
        $pid{$pid} = 1;
        next if $pid;

        my ($stop, $done) = (0, '');
        local $SIG{TERM} = sub { $stop = 1 };

        for (my $i = 0; !$stop || $i < ($client <= 2 ? 2 : 14); $i++) {
            my $id = "$phase-$client-$i";
            my $what = $client <= 2 ? 'stream' : $i % 10 == 3 ? 'fail' : 'plain';
            my $got = eval { $t->post(1, "/v1/chat/completions?$what", '{"model":"gpt-4o"}', 'X-Request-ID', $id) };
            my $whole = $got && ($what eq 'stream' ? ($got->{body} // '') =~ /\[DONE\]/
                : ($got->{status} || 0) == ($what eq 'fail' ? 500 : 200));
            $done .= "$id $what " . ($whole ? 1 : 0) . "\n";
            sleep 0.02;
        }

        Aiobs::spew("$dir/$phase-$client", $done);
        POSIX::_exit(0);
    }

    sleep 0.3;
    $meanwhile->();
    kill TERM => keys %pid;
    waitpid $_, 0 for keys %pid;

    return map { { id => $_->[0], what => $_->[1], whole => $_->[2] } } map { [split ' '] }
        map { split /\n/, Aiobs::slurp("$dir/$phase-$_") } 1 .. 6;
}

# --- what was told of them: how often, by id ---

sub count { my %n; $n{$_}++ for @_; return \%n }
sub logged { return count(map { decode_json($_)->{request_id} } Aiobs::slurp("$dir/$_[0].json") =~ /^(.*)\n/mg) }
sub traced { return count(map { $_->{attrs}{'aiobs.request_id'} // () } map { decode_json($_) } Aiobs::slurp($spans) =~ /^(.*)\n/mg) }
sub reported { return count(map { $_->{body} =~ /\{"type":"event".*"request_id":"([^"]+)"/s } AiobsSentry::received($events)) }

sub metric {
    my ($name) = @_;
    my $sum = 0;
    $sum += $_ for $t->get(1, '/metrics')->{body} =~ /^$name (\S+)$/mg;
    return $sum;
}

sub not_once { my ($got, @ids) = @_; return [grep { ($got->{$_} // 0) != 1 } @ids] }

# --- reloads ---

my @all = clients('reload', sub {
    for (1 .. 5) {
        ok($t->reload($conf, no_log => 1, workers => 2), 'a reload in the middle');
        sleep 0.4;
    }
});

my @ids = map { $_->{id} } @all;
my @failed = map { $_->{id} } grep { $_->{what} eq 'fail' } @all;
cmp_ok(scalar(@failed), '>=', 5, scalar(@ids) . ' requests, some of which fail');
is_deeply([grep { !$_->{whole} } @all], [], 'all are answered whole');

# what the last workers have in a buffer is flushed when they are replaced

$t->reload($conf, no_log => 1, workers => 2);
Aiobs::wait_for(sub { !@{not_once(logged('buffered'), @ids)} && !@{not_once(traced(), @ids)}
    && !@{not_once(reported(), @failed)} }, 20);

is_deeply(not_once(logged($_), @ids), [], "one line of each: $_") for qw(direct buffered);
is_deeply(not_once(traced(), @ids), [], 'one span');
is_deeply(not_once(reported(), @failed), [], 'one event of each that failed');
is(scalar(keys %{reported()}), scalar(@failed), 'and of no other');
is(metric('http_requests_total\{handler="/v1/"[^\n]*\}'), scalar(@ids), 'the counters say as many');
is(metric('llm_tokens_total\{[^\n]*\}'), 15 * (@ids - @failed), 'and their tokens');
is(metric('aiobs_export_(?:dropped|failed)_total\{[^\n]*\}'), 0, 'nothing is lost');

# --- crashes ---

$t->expect_error('exited on signal 9');
$t->expect_error('shared memory zone "aiobs" was locked by');
my ($before, $kills) = (metric('http_requests_total\{handler="/v1/"[^\n]*\}'), 3);

@all = clients('crash', sub {
    for (1 .. $kills) {
        my ($worker) = $t->workers;
        kill KILL => $worker;
        ok(Aiobs::wait_for(sub { 2 == grep { $_ != $worker } $t->workers }, 10), 'a crash in the middle');
        sleep 0.4;
    }
});

my @whole = map { $_->{id} } grep { $_->{whole} } @all;
my $cut = @all - @whole;
my $most = 6 * $kills;                                  # requests under way, of six clients
cmp_ok(scalar(@whole), '>=', 20, 'requests are answered: ' . @whole);
cmp_ok($cut, '<=', $most, "but those under way: $cut");

my $counted = metric('http_requests_total\{handler="/v1/"[^\n]*\}') - $before;
ok($counted >= @whole - $most && $counted <= @all, "the counters have them: $counted of " . @all);
ok(Aiobs::wait_for(sub { metric('llm_calls_inprogress\{[^\n]*\}') == 0 }, 5), 'nothing is under way');

$t->stop;
my $direct = logged('direct');
cmp_ok(scalar(grep { !$direct->{$_} } @whole), '<=', $most, 'lines of the others are there');
is_deeply([grep { $_->[1] > 1 } map { my $n = $_; map { [$_, $n->{$_}] } keys %$n } $direct, logged('buffered'), traced(),
    reported()], [], 'nothing is told twice');

my @broken = grep { !eval { decode_json($_) } } Aiobs::slurp("$dir/direct.json") =~ /^(.*)$/mg;
is_deeply(\@broken, [], 'every line is whole');

$t->done;
