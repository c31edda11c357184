package AiobsPeers;

# Real clients and servers for the tests: where npm has put them, and which
# node runs them.

use strict;
use warnings;

use Aiobs;
use POSIX qw(uname);
use Test::More;

my $dir = Aiobs::root() . '/t/peers';

sub dir { return $dir }

# the machine's own where it is new enough, else the pinned one

sub node {
    my $version = `node --version 2>/dev/null` || '';
    return 'node' if $version =~ /^v(\d+)/ && $1 >= 20;

    my $arch = (uname())[4] eq 'aarch64' ? 'arm64' : 'x64';
    return "$dir/node_modules/node-linux-$arch/bin/node";
}

# aimock as the provider on port n; it wants one of these keys

sub aimock {
    my ($t, $n, @keys) = @_;

    -d "$dir/node_modules" or BAIL_OUT("no npm packages: ./test installs them");

    my $port = $t->port($n);
    my $pid = $t->spawn([node(), "$dir/node_modules/.bin/llmock", '-p', $port,
        '-h', '127.0.0.1', '-f', "$dir/aimock.json", '--log-level', 'warn',
        '--journal-max', '200'], log => $t->dir . '/aimock.log',
        env => @keys ? { AIMOCK_API_KEYS => join ',', @keys } : {});

    Aiobs::wait_for(sub {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
    }, 30) or BAIL_OUT('aimock did not start: ' . Aiobs::slurp($t->dir . '/aimock.log'));

    return $pid;
}

# an OTLP receiver with HTTP on port n and gRPC on port m; its spans get into
# the file that is returned

sub otlp {
    my ($t, $n, $m, $script) = @_;

    -d "$dir/node_modules" or BAIL_OUT("no npm packages: ./test installs them");

    my @ports = ($t->port($n), $t->port($m));
    my $file = $t->dir . "/spans-$ports[0].jsonl";

    my $pid = $t->spawn([node(), "$dir/" . ($script || 'otlp.cjs'), @ports, $file],
        log => "$file.log");

    Aiobs::wait_for(sub {
        2 == grep { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $_) } @ports
    }, 30) or BAIL_OUT('no OTLP receiver: ' . Aiobs::slurp("$file.log"));

    return wantarray ? ($file, $pid) : $file;
}

# runs a script; its JSON lines by their member "id"

sub script {
    my ($t, $name, @args) = @_;

    my $out = $t->dir . "/$name.out";
    my $pid = $t->spawn([node(), "$dir/$name", @args], log => $out,
        env => { NODE_NO_WARNINGS => 1 });
    Aiobs::wait_for(sub { $t->reap($pid) }, 120) or fail("$name ended");

    my %lines;

    for my $line (split /\n/, Aiobs::slurp($out)) {
        my $j = eval { JSON::PP::decode_json($line) };
        if ($j) { $lines{$j->{id}} = $j } else { diag($line) }
    }

    return \%lines;
}

1;
