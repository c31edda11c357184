#!/usr/bin/perl

# A pipe gets whole lines of several workers, is not waited for when nobody
# reads it or has it open, and a directory that is gone stops nothing.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Fcntl qw(O_RDONLY O_RDWR O_NONBLOCK);
use File::Path qw(make_path remove_tree);
use JSON::PP;
use POSIX qw(mkfifo _exit WNOHANG);
use Socket;
use Test::More;

my $t = Aiobs->new;
my $dir = $t->dir;

mkfifo("$dir/$_", 0600) or die for qw(pipe buffered);
sysopen(my $pipe, "$dir/pipe", O_RDWR | O_NONBLOCK) or die;
sysopen(my $buffered, "$dir/buffered", O_RDWR | O_NONBLOCK) or die;
make_path("$dir/logs");

# F_SETPIPE_SZ: all of the first round has room

sub room { my ($bytes) = @_; fcntl($_, 1031, $bytes) or BAIL_OUT("F_SETPIPE_SZ: $!") for $pipe, $buffered }

room(1 << 20);

$t->start(<<'EOF', workers => 2);
server {
    listen 127.0.0.1:%%PORT_0%% reuseport;
    aiobs on;
    aiobs_log_field long $http_x_long;
    location /pipe {
        aiobs_log %%DIR%%/pipe;
        aiobs_log %%DIR%%/buffered buffer=32k flush=100ms;
        return 200 "ok\n";
    }
    location /dir { aiobs_log %%DIR%%/logs/a.json; return 200 "ok\n"; }
    location = /metrics { aiobs_log off; aiobs_metrics; }
}
EOF

sub get_many {
    my ($n, $path, $clients) = @_;
    my @pids;

    for my $client (1 .. $clients) {
        my $pid = fork // die;

        if ($pid == 0) {
            my $request = "GET $path HTTP/1.1\r\nHost: a\r\nUser-Agent: " . 'u' x 300
                . "\r\nX-Long: " . $client x 200 . "\r\n\r\n";
            my $s = $t->connect(0);
            my $answers = '';
            for (1 .. $n) {
                $s->syswrite($request);
                my $had = () = $answers =~ /\nok\n/g;
                until ((() = $answers =~ /\nok\n/g) > $had) {
                    sysread $s, $answers, 65536, length $answers or last;
                }
            }
            _exit((() = $answers =~ /\nok\n/g) == $n ? 0 : 1);
        }

        push @pids, $pid;
    }

    return @pids;
}

my %got = (pipe => '', buffered => '');

sub drain {
    for (['pipe', $pipe], ['buffered', $buffered]) {
        1 while sysread $_->[1], $got{$_->[0]}, 65536, length $got{$_->[0]};
    }
    return;
}

# --- whole lines ---

my $running = my @pids = get_many(150, '/pipe', 4);
my $failed = 0;

Aiobs::wait_for(sub {
    drain();
    for (@pids) {
        $running--, $failed += $? != 0 if waitpid($_, POSIX::WNOHANG()) == $_;
    }
    return $running == 0;
}, 30);

is($failed, 0, 'all are answered');

for my $name (qw(pipe buffered)) {
    Aiobs::wait_for(sub { drain(); ($got{$name} =~ tr/\n//) >= 600 }, 20);
    my @lines = split /\n/, $got{$name};
    is(scalar(@lines), 600, "$name: every line");
    my @mixed = grep { my $j = eval { decode_json($_) };
        !$j || $j->{long} !~ /^(\d)\1{199}$/ } @lines;
    is(scalar(@mixed), 0, "$name: each is whole") or diag($mixed[0]);
}

# --- nobody reads ---

room(16384);

@pids = get_many(150, '/pipe', 4);
$failed = 0;
Aiobs::wait_for(sub {
    @pids = grep { my $done = waitpid($_, POSIX::WNOHANG()) == $_; $failed += $done && $? != 0; !$done } @pids;
    return !@pids;
}, 30);
is(scalar(@pids) + $failed, 0, 'a full pipe: traffic goes on');

sub dropped {
    my ($n) = $t->get(0, '/metrics')->{body}
        =~ /^aiobs_export_dropped_total\{exporter="log",reason="not_taken"\} (\d+)/m;
    return $n // 0;
}

%got = (pipe => '', buffered => '');
sub kept { drain(); return ($got{pipe} =~ tr/\n//) + ($got{buffered} =~ tr/\n//) }

ok(Aiobs::wait_for(sub { dropped() + kept() == 1200 }, 5), 'every lost line is counted')
    or diag(dropped(), ' and ', kept());

is(scalar(grep { !eval { decode_json($_) } } split /\n/, $got{$_}), 0, "$_: what it took is whole")
    for qw(pipe buffered);
like($t->error_log, qr{aiobs: lines for "\S+/(?:pipe|buffered)" are lost \(11: }, 'and told');
my (%seconds, $log);
$log = $t->error_log;
$seconds{"$1 $2"}++ while $log =~ m{^(\S+ \S+) \[error\] (\d+)#.*/pipe" are lost}mg;
is(scalar(grep { $_ > 1 } values %seconds), 0, 'once a second by a worker');

# --- the directory is gone ---

$t->get(0, '/dir', 'X-Request-ID', 'there');
Aiobs::wait_for(sub { Aiobs::slurp("$dir/logs/a.json") =~ /"there"/ }, 20);
remove_tree("$dir/logs");
$t->expect_error('open\(\) ".*logs/a\.json" failed \(2:');
kill USR1 => $t->{nginx_pid};
ok(Aiobs::wait_for(sub { $t->error_log =~ m{open\(\) ".*logs/a\.json" failed} }, 10), 'a directory that is gone is told');
is($t->get(0, '/dir')->{status}, 200, 'traffic goes on') for 1 .. 4;

make_path("$dir/logs");
kill USR1 => $t->{nginx_pid};
ok(Aiobs::wait_for(sub {
    $t->get(0, '/dir', 'X-Request-ID', 'back');
    Aiobs::slurp("$dir/logs/a.json") =~ /"back"/;
}, 10), 'and comes back with USR1');

$t->stop;

# --- nobody has the pipe open: at start, when it is opened again, later ---

$t = Aiobs->new;
$dir = $t->dir;
mkfifo("$dir/nobody", 0600) or die;

# nginx before would wait for it: one comes too late

my $late = fork // die;

if ($late == 0) {
    sleep 20;
    sysopen(my $reader, "$dir/nobody", O_RDWR | O_NONBLOCK);
    _exit(0);
}

$t->start(<<'EOF');
server {
    listen 127.0.0.1:%%PORT_0%%;
    aiobs on;
    location /pipe { aiobs_log %%DIR%%/nobody; return 200 "ok\n"; }
    location /file { aiobs_log %%DIR%%/file; return 200 "ok\n"; }
    location = /metrics { aiobs_log off; aiobs_metrics; }
}
EOF
is(waitpid($late, WNOHANG), 0, 'no reader at start: it starts before there is one');
kill KILL => $late;
waitpid $late, 0;

sub answered {
    my ($path, @h) = @_;
    my $status = eval {
        local $SIG{ALRM} = sub { die };
        alarm 20;
        my $r = $t->get(0, $path, @h);
        alarm 0;
        $r->{status};
    };
    return $status // 0;
}

my ($worker) = map { /^(\d+)/ } grep { / $t->{nginx_pid} / } map { Aiobs::slurp($_) } glob '/proc/[0-9]*/stat';

sub reopened {
    my ($file) = @_;
    my $fds = sub { join ' ', grep { (readlink "/proc/$worker/fd/$_" // '') eq "$dir/$file" } map { m{(\d+)$} } glob "/proc/$worker/fd/*" };
    my $before = $fds->();
    kill USR1 => $t->{nginx_pid};
    return Aiobs::wait_for(sub { my $now = $fds->(); $now ne '' && $now ne $before }, 20);
}

is(answered('/pipe'), 200, 'traffic goes on');
like($t->get(0, '/metrics')->{body}, qr/^aiobs_export_dropped_total\{exporter="log",reason="write_failed"\} 1$/m, 'the line is counted');
ok(reopened('nobody'), 'USR1 does not wait either');
is(answered('/pipe'), 200, 'traffic goes on');

sysopen(my $reader, "$dir/nobody", O_RDONLY | O_NONBLOCK) or die;
is(answered('/pipe', 'X-Request-ID', 'back'), 200, 'a reader comes');
my $read = '';
Aiobs::wait_for(sub { sysread $reader, $read, 65536, length $read; $read =~ /"back"/ }, 20);
like($read, qr/"back"/, 'and gets the line');

# --- what was a file is a pipe, and has the number of the file after two USR1 ---

is(answered('/file'), 200, 'a file');
unlink "$dir/file";
mkfifo("$dir/file", 0600) or die;
sysopen(my $full, "$dir/file", O_RDWR | O_NONBLOCK) or die;
1 while syswrite $full, 'x' x 4096;
ok(reopened('file'), "opened again: $_") for 1 .. 2;
is(answered('/file'), 200, 'a full pipe is not waited for');

kill KILL => $worker, $t->{nginx_pid} unless answered('/file');
$t->stop;

# --- stderr is a socket, as systemd's is: nobody reads, and somebody does again ---

socketpair(my $journal, my $stderr, AF_UNIX, SOCK_STREAM, 0) or die;
$journal->blocking(0);
setsockopt($stderr, SOL_SOCKET, SO_SNDBUF, 16384) or die;

$t = Aiobs->new;
$t->start(<<'EOF', stderr => $stderr);
server {
    listen 127.0.0.1:%%PORT_0%%;
    aiobs on;
    location / { aiobs_log stderr; return 200 "ok\n"; }
    location = /metrics { aiobs_log off; aiobs_metrics; }
}
EOF
close $stderr;

($worker) = map { /^(\d+)/ } grep { / $t->{nginx_pid} / } map { Aiobs::slurp($_) } glob '/proc/[0-9]*/stat';
my $taken = 0;
for (1 .. 100) { last unless answered('/' . 'x' x 300) == 200; $taken++ }
is($taken, 100, 'a socket that nobody reads is not waited for') or kill KILL => $worker, $t->{nginx_pid};
cmp_ok(dropped(), '>', 0, 'what it does not take is counted');

$read = '';
1 while sysread $journal, $read, 65536, length $read;
is(answered('/again', 'X-Request-ID', 'again'), 200, 'it is read again');
Aiobs::wait_for(sub { sysread $journal, $read, 65536, length $read; $read =~ /"again".*\n/ }, 20);
is(scalar(grep { $_ ne '' && !eval { decode_json($_) } } split /\n/, $read), 0, 'and what it got are whole lines');
like($read, qr/"again"/, 'the new one as well');
$t->done;
