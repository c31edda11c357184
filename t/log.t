#!/usr/bin/perl

# aiobs_log: several logs, conditions, buffers, flushing, reopening on USR1.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use JSON::PP;
use Test::More;

my $t = Aiobs->new;

$t->start(<<'EOF');
server {
    listen 127.0.0.1:%%PORT_0%%;
    aiobs on;
    location / { return 200 "ok\n"; }
    location /some {
        aiobs_log %%DIR%%/some.json if=$arg_log;
        aiobs_log %%DIR%%/all.json;
        return 200 "ok\n";
    }
    location /buffered { aiobs_log %%DIR%%/buffer.json buffer=8k; return 200 "ok\n"; }
    location /flushed { aiobs_log %%DIR%%/flush.json buffer=64k flush=100ms; return 200 "ok\n"; }
    location /none { aiobs_log off; return 200 "ok\n"; }
    location /user { aiobs_user $arg_user; return 200 "$aiobs_user_id\n"; }
}
EOF

sub lines { return split /\n/, Aiobs::slurp($t->dir . "/$_[0].json") }

$t->get(0, '/some');
$t->get(0, '/some?log=1');
$t->get(0, '/some?log=0');
Aiobs::wait_for(sub { lines('all') == 3 }, 20);
is(scalar(my @l = lines('all')), 3, 'a log without a condition has all');
is(scalar(@l = lines('some')), 1, 'one with a condition what meets it');

$t->get(0, '/none', 'X-Request-ID', 'none');
unlike(Aiobs::slurp($t->dir . '/aiobs.json'), qr/"none"/, 'off is off');

# buffers

$t->get(0, '/buffered', 'X-Request-ID', "b$_") for 1 .. 3;
is(scalar(@l = lines('buffer')), 0, 'a buffer holds lines back');
$t->get(0, '/buffered', 'X-Request-ID', "c$_") for 1 .. 40;
cmp_ok(scalar(@l = lines('buffer')), '>', 5, 'until it is full');
ok(!(grep { !eval { decode_json($_) } } @l), 'only whole lines are written');

$t->get(0, '/flushed');
ok(Aiobs::wait_for(sub { lines('flush') == 1 }, 10), 'flush writes them in time');

# reopened on USR1, what is in the buffer first

rename $t->dir . '/buffer.json', $t->dir . '/old.json';
rename $t->dir . '/aiobs.json', $t->dir . '/aiobs.old.json';
kill USR1 => $t->{nginx_pid};
ok(Aiobs::wait_for(sub { -e $t->dir . '/buffer.json' }, 10), 'a new file on USR1');
Aiobs::wait_for(sub { lines('old') == 43 }, 20);
is(scalar(@l = lines('old')), 43, 'no line is lost');

Aiobs::wait_for(sub {
    $t->get(0, '/', 'X-Request-ID', 'new');
    Aiobs::slurp($t->dir . '/aiobs.json') =~ /"new"/;
}, 10);
like(Aiobs::slurp($t->dir . '/aiobs.json'), qr/"new"/, 'new lines go to the new file');

# buffers are written when a worker ends

$t->get(0, '/buffered', 'X-Request-ID', 'last');
$t->reload;
ok(Aiobs::wait_for(sub { Aiobs::slurp($t->dir . '/buffer.json') =~ /"last"/ }, 20),
    'what is in a buffer is written at a reload');

# every line

is($t->get(0, '/user?user=bob', 'X-Request-ID', 'early')->{body}, "anon\n", 'return comes before a user is known');
is($t->log_of('early')->{user_id}, 'bob', 'who stands in the line');

my ($line) = map { decode_json($_) } grep { /"new"/ } lines('aiobs');
like($line->{timestamp}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, 'timestamp');
like($line->{trace_id}, qr/^[0-9a-f]{32}$/, 'trace id');
like($line->{span_id}, qr/^[0-9a-f]{16}$/, 'span id');
is($line->{client_ip}, '127.0.0.1', 'client');
is($line->{request_bytes}, length("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    . "X-Request-ID: new\r\n\r\n"), 'size of the request');
cmp_ok($line->{response_bytes}, '>', 100, 'size of the answer');
is($line->{user_agent}, undef, 'what is absent is left out');

# the trace

my $parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

for my $case (
    ['valid', $parent, 1], ['a later version', "01-" . substr($parent, 3) . '-x', 1],
    ['version ff', 'ff' . substr($parent, 2), 0], ['upper case', uc $parent, 0],
    ['zeros', '00-' . '0' x 32 . substr($parent, 35), 0], ['short', '00-1-2-01', 0],
    ['long', "$parent-x", 0], ['garbage', '<x>', 0],
) {
    my ($name, $header, $valid) = @$case;
    (my $id = "trace-$name") =~ tr/ /-/;
    $t->get(0, '/', 'X-Request-ID', $id, 'traceparent', $header);
    my $trace = $t->log_of($id)->{trace_id};
    is($trace eq '0af7651916cd43dd8448eb211c80319c' ? 1 : 0, $valid, "traceparent: $name");
    isnt($t->log_of($id)->{span_id}, 'b7ad6b7169203331', 'a span of its own');
}

# disk full: nginx serves on

if (-e "/dev/full") {
    my $full = Aiobs->new;
    $full->start("aiobs_log /dev/full;\n" . <<'EOF', no_log => 1);
server {
    listen 127.0.0.1:%%PORT_0%%;
    aiobs on;
    location / { return 200 "ok\n"; }
    location /metrics { aiobs_log off; aiobs_metrics; }
}
EOF
    is($full->get(0, '/')->{body}, "ok\n", 'a full disk') for 1 .. 30;
    like($full->error_log, qr{aiobs: lines for "/dev/full" are lost \(28: }, 'is told');
    my %n;
    $n{$_}++ for $full->error_log =~ /^(\S+ \S+) .* aiobs: /mg;
    is(scalar(grep { $_ > 1 } values %n), 0, 'once a second, not for every line');
    like($full->get(0, '/metrics')->{body},
        qr/^aiobs_export_dropped_total\{exporter="log",reason="disk_full"\} 30$/m, 'each is counted');
}

$t->done;
