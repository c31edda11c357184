package AiobsProcess;

=head1 NAME

AiobsProcess - starts processes for a test and ends them by their pid; files, waiting

=head1 SYNOPSIS

    my $pid = $t->spawn(['server', '-x'], log => "$dir/server.log", env => { A => 1 });
    wait_for(sub { slurp("$dir/server.log") =~ /ready/ }, 10) or die 'not ready';
    $t->kill_wait($pid, 'TERM');

The names of its functions are in Aiobs, too.

=cut

use strict;
use warnings;

use Exporter qw(import);
use POSIX qw(WNOHANG _exit setsid);
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(slurp spew wait_for);

sub spawn {
    my ($self, $cmd, %opt) = @_;

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        setsid() if $opt{session};
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $opt{log} || "$self->{dir}/spawn.log";
        open STDERR, '>&', $opt{stderr} || \*STDOUT;
        chdir $opt{cwd} if $opt{cwd};
        %ENV = (%ENV, %{$opt{env} || {}});
        exec @$cmd or _exit(127);
    }

    $self->{pids}{$pid} = join ' ', @$cmd;
    return $pid;
}

sub reap {
    my ($self, $pid) = @_;

    return 1 unless $self->{pids}{$pid};

    if (waitpid($pid, WNOHANG) == $pid) {
        delete $self->{pids}{$pid};
        return 1;
    }

    return 0;
}

sub kill_wait {
    my ($self, $pid, $signal) = @_;

    kill $signal => $pid;

    return if wait_for(sub { $self->reap($pid) }, 15);

    kill KILL => $pid;
    wait_for(sub { $self->reap($pid) }, 5);
    fail("process ended on $signal: $self->{pids}{$pid}");
    return;
}

# --- small things ---

sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or return '';
    binmode $fh;
    local $/;
    return <$fh> // '';
}

sub spew {
    my ($file, $data) = @_;

    open my $fh, '>', $file or die "$file: $!";
    binmode $fh;
    print $fh $data;
    close $fh or die "$file: $!";
    return;
}

# what code returns as soon as it is true, within so many seconds, a minute at
# least: how fast the machine is decides nothing. In vain: nothing, and it is told

sub wait_for {
    my ($code, $seconds) = @_;

    $seconds = 60 if ($seconds // 0) < 60;
    my $end = time + $seconds;

    while (1) {
        my $v = $code->();
        return $v if $v;
        last if time > $end;
        sleep 0.02;
    }

    my @at = caller;
    diag("waited $seconds seconds in vain at $at[1] line $at[2]");
    return;
}

1;
