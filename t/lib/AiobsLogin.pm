package AiobsLogin;

# A provider to sign in at, and a browser that does not run scripts.

use strict;
use warnings;

use Aiobs;
use AiobsPeers;
use Test::More;

# an oidc-provider on port n, for callbacks on these ports

sub provider {
    my ($class, $t, $n, %opt) = @_;

    my $port = $t->port($n);
    my $self = bless { t => $t, n => $n, port => $port, opt => \%opt }, $class;

    $self->start;
    return $self;
}

sub start {
    my ($self) = @_;

    my $t = $self->{t};
    my $opt = $self->{opt};
    my $dir = AiobsPeers::dir();

    -d "$dir/node_modules" or BAIL_OUT('no npm packages: ./test installs them');

    my $redirect = $opt->{redirect} // '/auth/google/callback';
    my $back = join ',', map { 'http://127.0.0.1:' . $t->port($_) . $redirect }
        @{$opt->{ports} // [1]};

    $self->{log} = $t->dir . "/op$self->{n}.log";
    $self->{pid} = $t->spawn([AiobsPeers::node(), "$dir/"
        . ($opt->{script} // 'op.mjs'), $self->{port}, $back],
        log => $self->{log}, env => $opt->{env} // {});

    Aiobs::wait_for(sub {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port})
    }, 30) or BAIL_OUT('no provider: ' . Aiobs::slurp($self->{log}));
    return;
}

sub stop {
    my ($self) = @_;

    $self->{t}->kill_wait($self->{pid}, 'KILL');
    return;
}

# --- a browser, with a jar for each host ---

sub browser {
    my ($class, $t, $n) = @_;

    return bless { t => $t, n => $n, jar => {} }, $class;
}

# one request, no redirect; url: a path, of the gateway's port; leave: seconds
# after which the browser does

sub go {
    my ($self, $url, %opt) = @_;

    my $t = $self->{t};
    $url = 'http://127.0.0.1:' . $t->port($self->{n}) . $url if $url =~ m{^/};

    my ($port, $path) = $url =~ m{^http://127\.0\.0\.1:(\d+)(/.*)$}
        or die "no place for a test to go to: $url";

    my $jar = $self->{jar}{$port} ||= {};
    my $cookies = $opt{cookie} // join '; ', map { "$_=$jar->{$_}" } sort keys %$jar;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port,
        Timeout => 60) or return { status => 0, raw => '', body => '',
        headers => {}, all => [], url => $url };

    $s->syswrite("GET $path HTTP/1.1\r\nHost: 127.0.0.1:$port\r\n"
        . "Connection: close\r\n"
        . (length $cookies ? "Cookie: $cookies\r\n" : '')
        . join('', map { "$_\r\n" } @{$opt{lines} // []})
        . 'Accept: ' . ($opt{accept} // 'text/html,*/*;q=0.8') . "\r\n\r\n");

    if ($opt{leave}) {
        select undef, undef, undef, $opt{leave};
        close $s;
        return;
    }

    my $r = Aiobs::parse_response(Aiobs::read_all($s));
    $r->{url} = $url;

    for (grep { $_->[0] eq 'set-cookie' } @{$r->{all}}) {
        my ($name, $value) = $_->[1] =~ /^([^=]+)=([^;]*)/ or next;

        if ($value eq '') { delete $jar->{$name} } else { $jar->{$name} = $value }
    }

    return $r;
}

# cookies of logins of a provider that are under way, "name=value"

sub cookies {
    my ($self, $provider) = @_;

    my $jar = $self->{jar}{$self->{t}->port($self->{n})} || {};
    return map { "$_=$jar->{$_}" } grep { /aiobs_login_\Q$provider\E\./ } sort keys %$jar;
}

# follows redirects; stops where "until" matches the next URL, which it returns

sub follow {
    my ($self, $url, %opt) = @_;

    for (1 .. 12) {
        return $url if $opt{until} && $url =~ $opt{until};

        my $r = $self->go($url, %opt);
        return $r if $r->{status} !~ /^30[1-37]$/;

        my ($origin) = $r->{url} =~ m{^(http://[^/]+)};
        $url = $r->{headers}{location};
        $url = "$origin$url" if $url =~ m{^/};
    }

    die 'redirects without an end';
}

# from the start to the callback's URL, which is not asked for

sub callback {
    my ($self, $start) = @_;

    return $self->follow($start, until => qr{/(?:callback|back)\?});
}

# from the start to the answer

sub login {
    my ($self, $start, %opt) = @_;

    return $self->go($self->callback($start), %opt);
}

1;
