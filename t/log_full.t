#!/usr/bin/perl

# A file system that fills up under the log, and has room again: requests are served,
# what is lost is counted, and every line but the ones it broke off in is whole.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use JSON::PP;
use Test::More;

plan skip_all => 'no file system can be mounted here'
    if system('unshare -m sh -c "mount -t tmpfs -o size=64k none /mnt" 2>/dev/null') != 0;

my $t = Aiobs->new;
my $dir = $t->dir;

# nginx has the small file system for itself; it is gone with it

mkdir "$dir/small" or die;
Aiobs::spew("$dir/away", "#!/bin/sh\nexec unshare -m sh -c 'mount -t tmpfs -o size=256k none $dir/small"
    . " && exec \"\$0\" \"\$@\"' '$t->{nginx}' \"\$@\"\n");
chmod 0755, "$dir/away";
$t->{nginx} = "$dir/away";

$t->start(<<'EOF', no_log => 1, workers => 2);
aiobs_log %%DIR%%/small/direct.json;
aiobs_log %%DIR%%/small/buffered.json buffer=8k flush=100ms;
server {
    listen 127.0.0.1:%%PORT_0%% reuseport;
    aiobs on;
    location / { return 200 $pid; }
    location = /metrics { aiobs_log off; aiobs_metrics; }
}
EOF

my $small = "/proc/$t->{nginx_pid}/root$dir/small";
my ($sent, $n) = (0, 0);

sub many {
    my ($count) = @_;

    my $all = join '', map { "GET /?" . $n++ . " HTTP/1.1\r\nHost: x\r\nUser-Agent: " . 'a' x 200
        . "\r\nConnection: " . ($_ == $count ? 'close' : 'keep-alive') . "\r\n\r\n" } 1 .. $count;
    $sent += $count;
    return () = $t->raw(0, $all) =~ m{HTTP/1\.1 200}g;
}

sub dropped {
    my ($n) = $t->get(0, '/metrics')->{body}
        =~ /^aiobs_export_dropped_total\{exporter="log",reason="disk_full"\} (\d+)/m;
    return $n // 0;
}

sub lines { my ($name) = @_; return Aiobs::slurp("$small/$name.json") =~ /^(.*)\n/mg }
sub whole { return grep { eval { decode_json($_) } } lines(shift) }
sub kept { return whole('direct') + whole('buffered') }

is(many(20), 20, 'there is room');
ok(Aiobs::wait_for(sub { kept() == 40 }, 5), 'for every line, twice');

# somebody else takes the rest

open my $other, '>', "$small/other" or die "$small: $!";
1 while syswrite $other, 'x' x 1024;
close $other;

is(many(100), 100, 'it fills up: requests are served');
ok(Aiobs::wait_for(sub { kept() + dropped() == 2 * $sent }, 5), 'what is lost is counted')
    or diag(kept(), ' and ', dropped());
cmp_ok(dropped(), '>', 100, 'there is much of it');
like($t->error_log, qr{aiobs: lines for "\S+/small/$_\.json" are lost \(28: }, "$_: is told") for qw(direct buffered);

# room again

unlink "$small/other" or die;
ok(Aiobs::wait_for(sub {
    $t->get(0, '/', 'X-Request-ID', 'again' . $sent++);
    2 == grep { my $name = $_; grep { /"request_id":"again/ } whole($name) } qw(direct buffered);
}, 10), 'there is room again: lines are written');
is(many(10), 10, 'as before');
ok(Aiobs::wait_for(sub { kept() + dropped() == 2 * $sent }, 5), 'none is lost without being counted')
    or diag(kept(), ' and ', dropped(), ' of ', 2 * $sent);

# a line that one worker has torn takes none of another's with it

my %pid;
$pid{$t->get(0, '/', 'User-Agent', 'b' x 250)->{body}}++ for 1 .. 60;
is(scalar(keys %pid), 2, 'two workers write');

for (1 .. 3) {
    open $other, '>', "$small/other" or die "$small: $!";
    1 while syswrite $other, 'x' x 1024;
    close $other;
    $t->get(0, '/', 'User-Agent', 'b' x 250) for 1 .. 40;
    unlink "$small/other" or die;
    $t->get(0, '/', 'User-Agent', 'b' x 250) for 1 .. 40;
    sleep 1;
}

sleep 1;

for my $name (qw(direct buffered)) {
    my @torn = grep { !eval { decode_json($_) } } lines($name);
    cmp_ok(scalar @torn, '<=', 9, "$name: no lines are torn but where it was full") or diag(@torn);
    is(scalar(grep { /"timestamp".*"timestamp"/ } @torn), 0, "$name: none has another in it");
    is(scalar(grep { $_ eq '' } @torn), 0, "$name: none is empty");
}

$t->done;
