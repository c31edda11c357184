#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Series in shared memory: nothing lost between workers, over reloads and
# crashes, and nothing grows when names never end.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsProbe qw(load_probe parse_text);
use JSON::PP;
use POSIX qw(_exit setsid);
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;

my $t = Aiobs->new;
my $main = 'worker_shutdown_timeout 60s;';
load_probe($t);

# never answers, and ends with its client

$t->upstream(0, sub { my ($req, $c) = @_; 1 while $c->sysread(my $x, 1) });

my $conf = <<'EOF';
server {
    listen 127.0.0.1:%%PORT_1%% sndbuf=64k;
    aiobs on;
    location = /probe { aiobs off; aiobs_probe; }
    location / { root %%DIR%%/html; }
    location /hang { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }
}
EOF

# a session of its own, as a daemon has it: pids of other tests are no workers of it
$t->start("aiobs_zone 64m series=100000;$conf", main => $main, workers => 2, session => 1);

two_workers();
inserts();
scrapes_among_inserts();
killed_among_inserts();
reloads();
crashes();
$t->stop;

my $full = Aiobs->new;
load_probe($full);
$full->start("aiobs_zone 2m series=2000 keys=1;$conf");
full_zone();
$full->stop;

my $small = Aiobs->new;
load_probe($small);
$small->start("aiobs_zone 2m series=64 keys=1;$conf");
small_zone();
$small->stop;

my $chains = Aiobs->new;
load_probe($chains);
$chains->start("aiobs_zone 2m series=1024 keys=1;$conf");
one_chain();

$t->done;


# what both workers add to one series is all there; neither makes it twice

sub two_workers {
    my %pids;
    my $n = 0;

    for my $round (1 .. 50) {
        $pids{$_->{pid}} = 1 for at_once(8, '/probe?family=llm_tokens&n=50000'
            . '&value=3', '/probe?family=llm_call_duration_seconds&n=50000'
            . '&value=250000', '/probe?family=aiobs_unpriced_calls&n=50000');
        $n += 8 * 50000;
        last if keys %pids == 2;
    }

    is(scalar keys %pids, 2, 'both workers counted');

    my $m = scrape($t);
    my $l = 'provider="provider",model="model",endpoint="endpoint"';

    is($m->{"llm_tokens_total{$l,token_type=\"token_type\"}"}, 3 * $n,
        'no lost addition');
    is($m->{"llm_call_duration_seconds_count{$l}"}, $n, 'no lost observation');
    is($m->{"llm_call_duration_seconds_sum{$l}"}, $n / 4, 'nothing of the sum');
    is($m->{"llm_call_duration_seconds_bucket{$l,le=\"0.1\"}"}, 0,
        'none below a bound');
    is($m->{"llm_call_duration_seconds_bucket{$l,le=\"0.25\"}"}, $n,
        'a bound belongs to its bucket');
    is($m->{aiobs_unpriced_calls_total}, $n, 'nor of a series without labels');
}


# both workers insert the same names at the same time

sub inserts {
    my $names = 1500;
    my @pids;

    for (1 .. 2) {
        my $pid = fork // die "fork: $!";

        if ($pid == 0) {
            $t->get(1, "/probe?family=$_&model=insert-&n=4500&names=$names"
                . '&value=3000')
                for ('llm_time_to_first_token_seconds', 'llm_tokens') x 20;
            _exit(0);
        }

        push @pids, $pid;
    }

    waitpid $_, 0 for @pids;

    my $m = scrape($t);
    my @series = grep { /^llm_time_to_first_token_seconds_count.*insert-/ }
        keys %$m;
    my $sum = 0;
    $sum += $m->{$_} for @series;

    is(scalar @series, $names, 'every name once');
    is($sum, 2 * 20 * 4500, 'every observation counted');
}


# whatever a worker was about when it was killed, the list is whole

sub killed_among_inserts {
    my $rounds = 20;

    $t->expect_error('exited on signal 9');
    $t->expect_error('shared memory zone "aiobs" was locked by');

    for my $round (1 .. $rounds) {
        my %old = map { $_ => 1 } $t->workers;

        my @sockets = map {
            my $s = $t->connect(1);
            $s->syswrite("GET /probe?family=llm_calls&model=killed-$round-"
                . "&n=400&names=400 HTTP/1.0\r\n\r\n");
            $s;
        } 1 .. 4;

        select undef, undef, undef, rand 0.002;
        kill KILL => keys %old;

        Aiobs::wait_for(sub { 2 == grep { !$old{$_} } $t->workers }, 20);
    }

    $t->get(1, "/probe?family=llm_calls&model=killed-$_-&n=400&names=400")
        for 1 .. $rounds;

    my $m = eval { scrape($t) };
    is($@, '', 'no series twice');
    is(scalar(grep { /^llm_calls_total.*killed-/ } keys %$m), 400 * $rounds,
        'and all that were asked for');
    is($m->{'aiobs_series{family="llm_calls_total"}'},
        scalar(grep { /^llm_calls_total/ } keys %$m), 'as many as it says');
    is($m->{'aiobs_series_dropped_total{family="llm_calls_total"}'}, 0,
        'none folded');
}


# a client that takes the exposition slowly, while everything changes

sub scrapes_among_inserts {
    my ($before, $turns, @bad) = ({}, 0);

    for my $scrape (1 .. 3) {
        my $s = $t->connect(1);
        setsockopt $s, SOL_SOCKET, SO_RCVBUF, 65536;
        $s->syswrite("GET /metrics HTTP/1.1\r\nHost: localhost\r\n"
            . "Connection: close\r\n\r\n");

        my $data = '';

        while ($s->sysread($data, 1 << 20, length $data)) {
            $t->get(1, "/probe?family=$_&model=turn-$turns-&n=30&names=10")
                for 'http_request_size_bytes', 'llm_tokens',
                'llm_time_to_first_token_seconds';
            $t->get(1, '/probe?family=llm_time_to_first_token_seconds'
                . '&model=insert-&n=1500&names=1500');
            $turns++;
        }

        my $now = eval { parse_text(Aiobs::parse_response($data)->{body}) };
        push @bad, "$@" unless $now;
        push @bad, inconsistent($now), backwards($before, $now) if $now;
        $before = $now || $before;
    }

    cmp_ok($turns, '>=', 10, "$turns changes while scrapes were read");
    ok(!@bad, 'each scrape is consistent')
        or diag(join "\n", @bad[0 .. ($#bad > 4 ? 4 : $#bad)]);
}


sub inconsistent {
    my ($m) = @_;
    my @bad;

    for (grep { /_count/ } keys %$m) {
        my $bucket = s/_count\{(.*)\}/_bucket{$1,le="+Inf"}/r;
        push @bad, "$_ is $m->{$_}, $bucket $m->{$bucket}"
            if $m->{$_} != $m->{$bucket};
    }

    my %buckets;

    for (grep { /_bucket\{/ } keys %$m) {
        my ($series, $le) = /^(.*),le="(.*)"\}$/;
        push @{ $buckets{$series} }, [$le eq '+Inf' ? 9**9**9 : $le, $m->{$_}];
    }

    for my $series (keys %buckets) {
        my $last = 0;

        for (sort { $a->[0] <=> $b->[0] } @{ $buckets{$series} }) {
            push @bad, "$series falls at $_->[0]" if $_->[1] < $last;
            $last = $_->[1];
        }
    }

    return @bad;
}


sub backwards {
    my ($before, $now) = @_;

    return map { "$_ was $before->{$_}, is " . ($now->{$_} // 'gone') }
        grep { /_total|_bucket|_count|_sum/
            && ($now->{$_} // -1) < $before->{$_} } keys %$before;
}


sub reloads {
    my $before = scrape($t);

    sleep 1 while time <= $before->{aiobs_reload_success_timestamp_seconds};
    ok($t->reload, 'reloaded');
    $t->get(1, '/probe?family=llm_tokens&n=10');

    my $now;
    Aiobs::wait_for(sub {
        $now = scrape($t);
        return $now->{aiobs_reload_success_timestamp_seconds}
            > $before->{aiobs_reload_success_timestamp_seconds};
    }, 20);

    is(join("\n", backwards($before, $now)), '', 'counters go on');
    is($now->{'llm_tokens_total{provider="provider",model="model",'
        . 'endpoint="endpoint",token_type="token_type"}'},
        10 + $before->{'llm_tokens_total{provider="provider",model="model",'
        . 'endpoint="endpoint",token_type="token_type"}'}, 'and count');
    is($now->{aiobs_start_time_seconds}, $before->{aiobs_start_time_seconds},
        'the start is the same');
    cmp_ok($now->{aiobs_reload_success_timestamp_seconds}, '>',
        $before->{aiobs_reload_success_timestamp_seconds}, 'the reload shows');
}


# the gauge is the number of requests under way, whatever becomes of workers

sub crashes {
    my $gauge = 'http_requests_inprogress{handler="/hang",method="GET"}';
    my @clients = map { hang() } 1 .. 3;

    is(settled($gauge, 3), 3, 'three requests are under way');

    close shift @clients;
    is(settled($gauge, 2), 2, 'one has left');

    my @old = $t->workers;
    ok($t->reload, 'reloaded with requests in flight');
    ok(Aiobs::wait_for(sub {
        return !grep { Aiobs::slurp("/proc/$_/cmdline")
            =~ /worker process(?! is shutting down)/ } @old;
    }, 20), 'the old workers take no more');
    push @clients, hang();
    is(settled($gauge, 3), 3, 'the old workers still have theirs');

    $t->expect_error('exited on signal 9');
    my $loaded = scrape($t)->{aiobs_reload_success_timestamp_seconds};

    kill KILL => @old;
    is(settled($gauge, 1), 1, 'old workers killed: theirs are gone');

    SKIP: {
        my $other = take_pid($old[0]) or skip 'the kernel gives no pid of ours', 1;
        is(scrape($t)->{$gauge}, 1, 'even when another process has the pid of one');
        kill KILL => $other;
        waitpid $other, 0;
    }

    # those that come may have the pids of the first ones

    my %old = map { $_ => 1 } $t->workers;
    kill KILL => keys %old;
    is(settled($gauge, 0), 0, 'new workers killed: none is under way');

    ok(Aiobs::wait_for(sub { 2 == grep { !$old{$_} } $t->workers }, 20),
        'two workers again');
    is(scrape($t)->{aiobs_reload_success_timestamp_seconds}, $loaded,
        'a crash is no reload');

    push @clients, hang();
    is(settled($gauge, 1), 1, 'and it counts again');
}


# a process with this pid, in a session of its own as all but workers are

sub take_pid {
    my ($pid) = @_;

    for (1 .. 50) {
        open my $last, '>', '/proc/sys/kernel/ns_last_pid' or return;
        syswrite $last, $pid - 1 or return;
        close $last;

        my $child = fork // die "fork: $!";

        if ($child == 0) {
            setsid();
            sleep 20;
            _exit(0);
        }

        if ($child == $pid) {
            Aiobs::wait_for(sub { getpgrp($child) == $child }, 5);
            return $child;
        }

        kill KILL => $child;
        waitpid $child, 0;
    }

    return;
}


sub hang {
    my $s = $t->connect(1);
    $s->syswrite("GET /hang HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return $s;
}


sub settled {
    my ($name, $want) = @_;
    my $value;

    Aiobs::wait_for(sub {
        my $m = eval { scrape($t) } or return 0;
        $value = $m->{$name} // 'absent';
        return $value eq $want;
    }, 20);

    return $value;
}


# a million names: flat memory, right totals, room left for other families

sub full_zone {
    my ($m, $rss, $used);
    my $worker;
    ok(Aiobs::wait_for(sub { ($worker) = $full->workers; return defined $worker }, 20), 'a worker is there');
    my @families = qw(llm_tokens llm_call_duration_seconds);

    for my $round (1 .. 2) {
        $full->get(1, "/probe?family=$_&n=500000&names=500000"
            . "&model=junk-$round-") for @families;
        $m = scrape($full);

        if ($round == 1) {
            $rss = rss($worker);
            $used = $m->{aiobs_zone_used_bytes};
        }
    }

    my %sum = (llm_tokens => 0, llm_call_duration_seconds => 0);
    my %n = %sum;

    for (keys %$m) {
        next unless /^(\w+)_(?:total|count)\{.*model="(?:junk|other)/;
        $sum{$1} += $m->{$_};
        $n{$1}++;
    }

    for my $f (@families) {
        my $name = $f eq 'llm_tokens' ? 'llm_tokens_total' : $f;
        my ($other) = grep { /^${f}_(total|count)\{provider="other",model="other",endpoint="other"/ }
            keys %$m;

        is($sum{$f}, 1_000_000, "$f: the total is right");
        cmp_ok($n{$f}, '<=', 1001, "$f: at most half of the series");
        is($m->{$other // 'none'},
            $m->{"aiobs_series_dropped_total{family=\"$name\"}"},
            "$f: every update dropped is in \"other\"");
        is($m->{"aiobs_series{family=\"$name\"}"}, $n{$f},
            "$f: aiobs_series says how many");
    }

    is($m->{aiobs_zone_used_bytes}, $used, 'the zone is as it was');
    cmp_ok($m->{aiobs_zone_used_bytes}, '<=', $m->{aiobs_zone_size_bytes},
        'within its size');
    cmp_ok(rss($worker), '<=', $rss + 256, 'the worker too, to 256k');
    is($m->{aiobs_series_limit}, 2000, 'the limit');

    $full->get(1, '/nothing') for 1 .. 3;
    $full->get(1, '/probe?family=llm_client_retries');
    $m = scrape($full);

    is($m->{'http_requests_total{handler="/",method="GET",status="404"}'}, 3,
        'a family without series still gets one');
    is($m->{'llm_client_retries_total{endpoint="model"}'}, 1, 'and another');

    my $exposition = $full->get(1, '/metrics')->{body};
    Aiobs::spew($full->dir . '/full', $exposition);
    my $lint = `promtool check metrics < ${\$full->dir}/full 2>&1`;
    is($?, 0, 'promtool has nothing against it') or diag($lint);
}


# as many series as it says, half of them of one family

sub small_zone {
    $small->get(1, "/probe?family=$_&n=100&names=100")
        for qw(llm_tokens llm_token_details llm_calls);

    my $m = scrape($small);

    is($m->{'aiobs_series{family="llm_tokens_total"}'}, 33,
        'half of a small zone, and "other"');
    is($m->{'aiobs_series{family="llm_token_details_total"}'}, 16,
        'another up to three quarters, and "other"');
    is($m->{'aiobs_series_dropped_total{family="llm_calls_total"}'}, 100,
        'a third has no share of its own');
    is($m->{'llm_calls_total{provider="other",model="other",'
        . 'endpoint="other",operation="other",error_type="other"}'}, 100,
        'and is counted all the same');
}


# names made to fall into one chain of the hash table

sub one_chain {
    my @names;
    my $n = 0;

    while (@names < 60) {
        my $name = 'm' . $n++;
        my $key = join '', map { chr(length) . $_ } 'provider', $name,
            'endpoint', 'token_type';
        push @names, $name if murmur2($key) % 1024 == 77;
    }

    $chains->get(1, "/probe?family=llm_tokens&model=$_") for @names;
    $chains->get(1, '/probe?family=llm_tokens&model=elsewhere');

    my $m = scrape($chains);

    is($m->{'aiobs_series{family="llm_tokens_total"}'}, 32 + 1 + 1,
        'a chain has its bound');
    is($m->{'llm_tokens_total{provider="other",model="other",'
        . 'endpoint="other",token_type="other"}'}, 60 - 32,
        'what is beyond is in "other"');
    is($m->{'llm_tokens_total{provider="provider",model="elsewhere",'
        . 'endpoint="endpoint",token_type="token_type"}'}, 1,
        'and other chains are free');
}


sub murmur2 {
    my ($key) = @_;

    use integer;

    my ($m, $mask) = (0x5bd1e995, 0xffffffff);
    my $h = length $key;

    while (length $key >= 4) {
        my $k = unpack('V', substr $key, 0, 4, '') * $m & $mask;
        $k = (($k ^ $k >> 24) * $m) & $mask;
        $h = ($h * $m & $mask) ^ $k;
    }

    if (length $key) {
        $h ^= unpack 'V', $key . "\0" x (4 - length $key);
        $h = $h * $m & $mask;
    }

    $h = (($h ^ $h >> 13) * $m) & $mask;

    return $h ^ $h >> 15;
}


sub rss {
    my ($pid) = @_;
    my ($private) = Aiobs::slurp("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m;
    return $private;
}


sub scrape {
    my ($server) = @_;

    my $r = $server->get(1, '/metrics');
    die "no scrape\n" unless ($r->{status} // 0) == 200;

    return parse_text($r->{body});
}


# requests side by side, n for each path; their answers

sub at_once {
    my ($n, @paths) = @_;
    my (@sockets, @answers);

    for my $path (@paths) {
        for (1 .. $n) {
            my $s = $t->connect(1);
            $s->syswrite("GET $path HTTP/1.1\r\nHost: localhost\r\n"
                . "Connection: close\r\n\r\n");
            push @sockets, $s;
        }
    }

    for (@sockets) {
        my $r = Aiobs::parse_response(Aiobs::read_all($_));
        push @answers, decode_json($r->{body});
    }

    return @answers;
}
