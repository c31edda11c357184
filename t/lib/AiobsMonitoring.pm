package AiobsMonitoring;

# A real Prometheus and Alertmanager for a test, run from the files that are
# shipped, and a mailbox for what they send.

use strict;
use warnings;

use Aiobs;
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64;
use POSIX qw(_exit);
use Test::More;

# the shipped file, with what the substitutions make of it

sub shipped {
    my ($name, @changes) = @_;

    my $text = Aiobs::slurp(Aiobs::root() . "/$name");
    length $text or BAIL_OUT("no $name");

    for my $change (@changes) {
        my ($from, $to) = @$change;
        $text =~ s/$from/$to/g or BAIL_OUT("nothing in $name is like $from");
    }

    return $text;
}

sub prometheus {
    my ($t, $n, $config) = @_;

    Aiobs::spew($t->dir . '/prometheus.yml', $t->expand($config));

    return server($t, $n, 'prometheus', '--config.file=' . $t->dir . '/prometheus.yml',
        '--storage.tsdb.path=' . $t->dir . '/tsdb',
        '--web.listen-address=127.0.0.1:' . $t->port($n));
}

sub alertmanager {
    my ($t, $n, $config) = @_;

    Aiobs::spew($t->dir . '/alertmanager.yml', $t->expand($config));

    return server($t, $n, 'prometheus-alertmanager',
        '--config.file=' . $t->dir . '/alertmanager.yml',
        '--storage.path=' . $t->dir . '/alertmanager', '--cluster.listen-address=',
        '--web.listen-address=127.0.0.1:' . $t->port($n));
}

sub server {
    my ($t, $n, $name, @args) = @_;

    my $log = $t->dir . "/$name.log";
    my $pid = $t->spawn([$name, @args], log => $log);

    Aiobs::wait_for(sub {
        my $r = eval { $t->get($n, '/-/ready') };
        return 1 if $r && ($r->{status} || 0) == 200;
        return $t->reap($pid) ? BAIL_OUT("$name ended: " . Aiobs::slurp($log)) : 0;
    }, 60) or BAIL_OUT("$name did not start: " . Aiobs::slurp($log));

    return $pid;
}

# samples of an instant query; dies when Prometheus refuses it

sub query {
    my ($t, $n, $q) = @_;

    $q =~ s/([^A-Za-z0-9_])/sprintf '%%%02X', ord $1/ge;
    my $r = $t->get($n, "/api/v1/query?query=$q");
    my $j = decode_json($r->{body});

    die "$j->{error}\n" if $j->{status} ne 'success';
    return @{$j->{data}{result}};
}

# samples as soon as there are some

sub query_until {
    my ($t, $n, $q, $seconds) = @_;

    my @samples;
    Aiobs::wait_for(sub { @samples = query($t, $n, $q) }, $seconds || 30);

    return @samples;
}

# takes mail on port n and appends it to a file; [login and password, mail]

sub mailbox {
    my ($t, $n) = @_;

    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => 0, Listen => 5, ReuseAddr => 1) or die "listen: $!";
    $t->{ports}[$n] = $listen->sockport;
    my $file = $t->dir . '/mailbox';
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        $SIG{PIPE} = 'IGNORE';
        $SIG{TERM} = sub { _exit(0) };

        while (my $c = $listen->accept) {
            mail_session($c, $file);
            close $c;
        }

        _exit(0);
    }

    $t->{pids}{$pid} = 'mailbox';
    return $file;
}

sub mail_session {
    my ($c, $file) = @_;

    my ($login, $mail) = ('', '');
    $c->print("220 mailbox\r\n");

    while (my $line = <$c>) {
        if ($line =~ /^EHLO/i) {
            $c->print("250-mailbox\r\n250 AUTH PLAIN\r\n");

        } elsif ($line =~ /^AUTH PLAIN (\S+)/i) {
            $login = decode_base64($1);
            $c->print("235 ok\r\n");

        } elsif ($line =~ /^DATA/i) {
            $c->print("354 go on\r\n");

            while (defined($line = <$c>) && $line ne ".\r\n") {
                $mail .= $line;
            }

            open my $fh, '>>', $file or die "$file: $!";
            print $fh encode_json([$login, $mail]), "\n";
            close $fh;
            $c->print("250 ok\r\n");

        } elsif ($line =~ /^QUIT/i) {
            $c->print("221 bye\r\n");
            return;

        } else {
            $c->print("250 ok\r\n");
        }
    }

    return;
}

1;
