package AiobsHttp;

=head1 NAME

AiobsHttp - the clients and the servers of a test: what Aiobs is able to, in HTTP

=head1 SYNOPSIS

    my $r = $t->post(1, '/v1/chat/completions', { model => 'gpt-4o' }, 'X-Api-Key', $key);
    is($r->{status}, 200);              # and headers, all of them in order, body, raw
    $t->upstream(0, sub {
        my ($req, $c) = @_;             # method, uri, headers, lines, body, head
        $t->answer($c, 200, ['Content-Type', 'text/plain'], $req->{body});
    });

The names of its functions are in Aiobs, too.

=cut

use strict;
use warnings;

use Exporter qw(import);
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use POSIX qw(_exit);
use Time::HiRes qw(time);

our @EXPORT_OK = qw(read_all parse_response read_request chunked write_all);

# --- clients ---

sub connect {
    my ($self, $n) = @_;

    return IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $self->port($n), Timeout => 60) || die "connect: $!";
}

# sends bytes as they are, reads to the end of the connection

sub raw {
    my ($self, $n, $bytes) = @_;

    my $s = $self->connect($n);
    local $SIG{PIPE} = 'IGNORE';
    $s->syswrite($bytes);
    return read_all($s);
}

sub read_all {
    my ($s, $timeout) = @_;

    my ($data, $end) = ('', time + ($timeout || 60));
    my $select = IO::Select->new($s);

    while (time < $end) {
        next unless $select->can_read(1);
        my $n = $s->sysread($data, 65536, length $data);
        last unless $n;
    }

    return $data;
}

# request(port, method, path, [header => value, ...], body)

sub request {
    my ($self, $n, $method, $path, $headers, $body) = @_;

    my @h = @{$headers || []};
    my $head = "$method $path HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";

    while (my ($k, $v) = splice @h, 0, 2) {
        $head .= "$k: $v\r\n";
    }

    $head .= 'Content-Length: ' . length($body) . "\r\n" if defined $body;
    $head .= "\r\n";

    return parse_response($self->raw($n, $head . ($body // '')));
}

sub get { my ($self, $n, $path, @h) = @_;
    return $self->request($n, 'GET', $path, \@h) }

sub post { my ($self, $n, $path, $body, @h) = @_;
    return $self->request($n, 'POST', $path,
        ['Content-Type', 'application/json', @h],
        ref $body ? encode_json($body) : $body) }

sub parse_response {
    my ($raw) = @_;

    my ($head, $body) = split /\r\n\r\n/, $raw, 2;
    my ($status) = ($head // '') =~ m{^HTTP/\d\.\d (\d+)};
    my (%h, @all);

    for (split /\r\n/, $head // '') {
        next unless /^([^:\s]+):\s*(.*)$/;
        push @all, [lc $1, $2];
        $h{lc $1} = $2;
    }

    if (lc($h{'transfer-encoding'} // '') eq 'chunked') {
        my $plain = '';
        $body //= '';

        while ($body =~ s/^([0-9a-f]+)\r\n//i) {
            my $n = hex $1 or last;
            $plain .= substr $body, 0, $n, '';
            $body =~ s/^\r\n//;
        }

        $body = $plain;
    }

    return { status => $status, headers => \%h, all => \@all,
        body => $body, raw => $raw };
}

sub json { return decode_json($_[1]{body}) }

# --- servers ---

# upstream(n, sub { my ($req, $socket) = @_; ... }): a process for every
# connection, which closes when the code returns

sub upstream {
    my ($self, $n, $code) = @_;

    delete $self->{ports}[$n];
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0,
        Listen => 128, ReuseAddr => 1) or die "listen: $!";
    $self->{ports}[$n] = $listen->sockport;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        $SIG{CHLD} = 'IGNORE';
        $SIG{PIPE} = 'IGNORE';
        $SIG{TERM} = sub { _exit(0) };

        while (my $c = $listen->accept) {
            if (fork == 0) {
                close $listen;
                my $req = read_request($c);
                $code->($req, $c) if $req;
                close $c;
                _exit(0);
            }
            close $c;
        }

        _exit(0);
    }

    $self->{pids}{$pid} = "upstream $n";
    return $self;
}

sub read_request {
    my ($c) = @_;

    my $data = '';

    until ($data =~ /\r\n\r\n/) {
        $c->sysread($data, 65536, length $data) or return;
    }

    my ($head, $body) = split /\r\n\r\n/, $data, 2;
    my ($line, @lines) = split /\r\n/, $head;
    my ($method, $uri) = split ' ', $line;
    my %h = map { /^([^:]+):\s*(.*)$/ ? (lc $1, $2) : () } @lines;

    while (length $body < ($h{'content-length'} || 0)) {
        $c->sysread($body, 65536, length $body) or last;
    }

    return { method => $method, uri => $uri, headers => \%h, lines => \@lines,
        body => $body, head => $head };
}

# a body in chunks of so many bytes

sub chunked {
    my ($size, $body) = @_;

    return join('', map { sprintf "%x\r\n%s\r\n", length $_, $_ } unpack("(a$size)*", $body)) . "0\r\n\r\n";
}

# all of it, however slowly it is taken; false: it is not

sub write_all {
    my ($c, $bytes) = @_;

    while (length $bytes) {
        my $sent = $c->syswrite($bytes) or return 0;
        substr $bytes, 0, $sent, '';
    }

    return 1;
}

sub answer {
    my ($self, $c, $status, $headers, $body) = @_;

    my @h = @$headers;
    my $head = "HTTP/1.1 $status X\r\nConnection: close\r\n";

    while (my ($k, $v) = splice @h, 0, 2) {
        $head .= "$k: $v\r\n";
    }

    $c->syswrite($head . 'Content-Length: ' . length($body) . "\r\n\r\n" . $body);
    return;
}

1;
