package AiobsSentry;

# Receivers of envelopes for the tests: Spotlight, which keeps each body as a
# file, and one that answers what it is told to.

use strict;
use warnings;

use Aiobs;
use AiobsPeers;
use IO::Socket::INET;
use JSON::PP;
use Test::More;

my $dir = AiobsPeers::dir();

sub listening {
    my ($t, $n) = @_;

    return Aiobs::wait_for(sub {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $t->port($n))
    }, 30);
}

# Spotlight on port n; the directory of what it gets

sub spotlight {
    my ($t, $n) = @_;

    my $capture = $t->dir . '/capture';
    mkdir $capture;

    $t->spawn([AiobsPeers::node(), '-r', "$dir/loopback.cjs",
        "$dir/node_modules/.bin/spotlight", 'server', '-p', $t->port($n)],
        log => $t->dir . '/spotlight.log', cwd => $capture,
        env => { SPOTLIGHT_CAPTURE => 1, SENTRY_SPOTLIGHT => '' });

    listening($t, $n) or BAIL_OUT('no Spotlight: ' . Aiobs::slurp($t->dir . '/spotlight.log'));
    return $capture;
}

# all envelopes there are, as [header, [[item header, payload], ...]]

sub envelopes {
    my ($capture) = @_;

    my @files = sort glob "$capture/*.txt";
    return map { parse(Aiobs::slurp($_)) } @files;
}

# by lengths, as the protocol has it

sub parse {
    my ($body) = @_;

    $body =~ s/^(.*)\n// or return;
    my ($header, @items) = decode_json($1);

    while ($body =~ s/^(\{.*)\n//) {
        my $item = decode_json($1);
        my $payload = substr $body, 0, $item->{length}, '';
        $body =~ s/^\n// or return;
        push @items, [$item, decode_json($payload)];
    }

    return length $body ? () : [$header, \@items];
}

# a receiver on port n, and the file of what it gets

sub receiver {
    my ($t, $n) = @_;

    my $file = $t->dir . '/sentry.jsonl';

    $t->spawn([AiobsPeers::node(), "$dir/sentry.cjs", $t->port($n), $file],
        log => $t->dir . '/sentry.log');
    listening($t, $n) or BAIL_OUT('no receiver: ' . Aiobs::slurp($t->dir . '/sentry.log'));

    return $file;
}

sub received { return map { decode_json($_) } Aiobs::slurp($_[0]) =~ /^(.*)\n/mg }

1;
