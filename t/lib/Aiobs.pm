package Aiobs;

=head1 NAME

Aiobs - runs nginx with the module for a test, in core Perl

=head1 SYNOPSIS

    use lib 't/lib';
    use Aiobs;

    my $t = Aiobs->new;
    $t->upstream(0, sub { my ($req, $c) = @_; $t->answer($c, 200, [], 'hi') });
    $t->start(<<'EOF');
    server {
        listen 127.0.0.1:%%PORT_1%%;
        aiobs on;
        location / { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    }
    EOF
    my $r = $t->get(1, '/');                # {status, headers, body, raw}
    my ($line) = $t->log_lines(1);          # the JSON log, decoded

Every test file has a prefix directory of its own and free ports on 127.0.0.1,
which stand in the configuration as %%PORT_N%%; %%DIR%% is the directory. What
was started is stopped by its pid. At the end the file fails on any [alert],
[emerg] or sanitizer text in the error log and on any process left behind.
Clients and upstreams are in AiobsHttp, processes and waiting in AiobsProcess.

=head1 ENVIRONMENT

    AIOBS_NGINX   the nginx to run; default: nginx. tools/nginx-valgrind: under valgrind
    AIOBS_OBJS    where the module and aiobs-keys are; default: objs
    AIOBS_KEEP    keeps the prefix directory

=cut

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use IO::Socket::INET;
use JSON::PP;
use Test::More;

use AiobsHttp qw(read_all parse_response read_request chunked write_all);
use AiobsProcess qw(slurp spew wait_for);

our @ISA = qw(AiobsHttp AiobsProcess);
our @EXPORT_OK = qw(slurp spew wait_for);

my $root = abs_path(dirname(__FILE__) . '/../..');
my $owner = $$;
my @all;

sub root { return $root }

sub objs { return $ENV{AIOBS_OBJS} ? abs_path($ENV{AIOBS_OBJS}) : "$root/objs" }

sub new {
    my ($class, %opt) = @_;

    my $dir = tempdir('aiobs-XXXXXX', TMPDIR => 1, CLEANUP => !$ENV{AIOBS_KEEP});
    chmod 0755, $dir;
    make_path("$dir/tmp", "$dir/html");

    my $self = bless {
        dir => $dir, ports => [], pids => {}, expect => [], locks => [],
        nginx => $ENV{AIOBS_NGINX} || 'nginx', %opt,
    }, $class;

    push @all, $self;
    return $self;
}

sub dir { return $_[0]{dir} }

# a free port; its lock keeps it from other test files while this one runs, and
# it lies below those that the kernel gives to connections

sub port {
    my ($self, $n) = @_;

    return $self->{ports}[$n] ||= $self->free_port;
}

sub free_port {
    my ($self) = @_;

    my $dir = '/tmp/aiobs-ports';
    mkdir $dir, 0777 and chmod 01777, $dir;

    for (1 .. 1000) {
        my $port = 15000 + int rand 17000;

        open my $lock, '>>', "$dir/$port" or next;
        flock $lock, LOCK_EX | LOCK_NB or next;

        IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port,
            Listen => 1, ReuseAddr => 1) or next;

        push @{$self->{locks}}, $lock;
        return $port;
    }

    die 'no free port';
}

sub expand {
    my ($self, $text) = @_;

    $text =~ s/%%PORT_(\d+)%%/$self->port($1)/ge;
    $text =~ s/%%DIR%%/$self->{dir}/g;
    return $text;
}

# --- nginx ---

sub write_conf {
    my ($self, $http, %opt) = @_;

    my $main = $opt{main} // '';
    my $workers = $opt{workers} // 1;
    my $module = $opt{no_module} ? ''
        : 'load_module ' . ($self->{module} // objs() . '/ngx_http_aiobs_module.so') . ';';
    my $user = $> == 0 ? 'user root;' : '';
    my $log = $opt{no_log} || $opt{no_module} ? ''
        : "aiobs_log $self->{dir}/aiobs.json;";
    my $temp = join ' ', map { "${_}_temp_path $self->{dir}/tmp/$_;" }
        qw(client_body proxy fastcgi uwsgi scgi);

    spew("$self->{dir}/nginx.conf", $self->expand(<<EOF));
$module
$user
worker_processes $workers;
pid $self->{dir}/nginx.pid;
error_log $self->{dir}/error.log info;
$main
events { worker_connections 1024; }
http {
    access_log $self->{dir}/access.log;
    $temp
    client_max_body_size 64m;
    root $self->{dir}/html;
    $log
    $http
}
EOF
    return $self;
}

# nginx -t; (exit status, output)

sub check {
    my ($self, $http, %opt) = @_;

    $self->write_conf($http, %opt);
    my $out = `$self->{nginx} -t -c $self->{dir}/nginx.conf 2>&1`;
    return ($? >> 8, $out);
}

sub start {
    my ($self, $http, %opt) = @_;

    $self->write_conf($http, %opt) if defined $http;
    $self->{nginx_pid} = $self->spawn([$self->{nginx}, '-c',
        "$self->{dir}/nginx.conf", '-g', 'daemon off;'],
        log => "$self->{dir}/nginx.out", session => $opt{session}, stderr => $opt{stderr});

    my $ok = wait_for(sub {
        return 1 if -s "$self->{dir}/nginx.pid" && $self->listening;
        return $self->reap($self->{nginx_pid}) ? -1 : 0;
    }, 20);

    BAIL_OUT("nginx did not start:\n" . slurp("$self->{dir}/nginx.out")
        . slurp("$self->{dir}/error.log")) unless ($ok || 0) > 0;

    # one that has only been forked is not known for a worker: it would be missed
    # when a reload waits for the end of those before it

    my $n = $self->configured_workers;
    wait_for(sub { $self->workers >= $n }, 20);

    return $self;
}

sub configured_workers {
    my ($self) = @_;

    my $conf = slurp("$self->{dir}/nginx.conf");

    return 0 if $conf =~ /^\s*master_process\s+off;/m;
    return $conf =~ /^worker_processes (\d+);/m ? $1 : 1;
}

sub listening {
    my ($self) = @_;

    my $conf = slurp("$self->{dir}/nginx.conf");

    while ($conf =~ /listen\s+127\.0\.0\.1:(\d+)/g) {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $1)
            or return 0;
    }

    return 1;
}

sub stop {
    my ($self, $signal) = @_;

    my $pid = delete $self->{nginx_pid} or return;
    $self->kill_wait($pid, $signal || 'QUIT');
    return;
}

# a reload is over when there are workers of the new configuration; those of the
# old one may still have a request, or take one that came before they were told

sub reload {
    my ($self, $http, %opt) = @_;

    my %old = map { $_ => 1 } $self->workers;

    $self->write_conf($http, %opt) if defined $http;
    kill HUP => $self->{nginx_pid};

    my $n = $self->configured_workers;
    return wait_for(sub { $n <= grep { !$old{$_} } $self->workers }, 20);
}

sub workers {
    my ($self) = @_;

    # valgrind's processes do not change their names

    return grep { slurp("/proc/$_/cmdline") =~ /worker process|valgrind/ } $self->children;
}

sub children {
    my ($self) = @_;

    return split ' ', slurp("/proc/$self->{nginx_pid}/task/$self->{nginx_pid}/children");
}

sub error_log { return slurp("$_[0]{dir}/error.log") }

# an [alert] or [emerg] that the test provokes on purpose

sub expect_error { push @{$_[0]{expect}}, $_[1]; return }

# lines of the JSON log; one that is being written may be seen in part

sub whole_lines { return slurp("$_[0]{dir}/aiobs.json") =~ /^(.*)\n/mg }

# the same, decoded, once there are at least n (and after the first skip)

sub log_lines {
    my ($self, $n, $skip) = @_;

    my @lines;
    $skip ||= 0;

    wait_for(sub {
        @lines = $self->whole_lines;
        return @lines >= $n + $skip;
    }, 10);

    return map { decode_json($_) } @lines[$skip .. $#lines];
}

# the line of one request

sub log_of {
    my ($self, $request_id) = @_;

    my $found;

    wait_for(sub {
        ($found) = grep { /"request_id":"\Q$request_id\E"/ } $self->whole_lines;
        return defined $found;
    }, 10);

    return defined $found ? decode_json($found) : undef;
}

# NAME.pem and NAME.key, by which a server calls itself 127.0.0.1 and localhost;
# options: for => another subjectAltName, env => [variables for openssl]

sub certificate {
    my ($self, $name, %opt) = @_;

    my @cmd = ('env', @{$opt{env} || []}, qw(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1
        -nodes -days 2 -subj /CN=localhost -addext),
        'subjectAltName=' . ($opt{for} // 'IP:127.0.0.1,DNS:localhost'),
        '-keyout', "$self->{dir}/$name.key", '-out', "$self->{dir}/$name.pem");
    my $pid = $self->spawn(\@cmd);

    waitpid $pid, 0;
    delete $self->{pids}{$pid};
    BAIL_OUT('no certificate: ' . slurp("$self->{dir}/spawn.log")) if $?;
    return;
}

# what HTTP/2 needs in a server: a parameter of listen, and a directive

sub http2 {
    my ($self) = @_;

    my ($minor) = `$self->{nginx} -v 2>&1` =~ m{nginx/\d+\.(\d+)};
    return $minor > 25 ? ('', 'http2 on;') : (' http2', '');
}

# --- keys ---

sub keys_cli {
    my ($self, @args) = @_;

    my $cmd = join ' ', map { quotemeta } objs() . '/aiobs-keys', @args;
    my $out = `$cmd 2>$self->{dir}/keys.err`;
    return wantarray ? ($? >> 8, $out, slurp("$self->{dir}/keys.err")) : $out;
}

sub store { return "$_[0]{dir}/keys.db" }

sub key {
    my ($self, $user, $name) = @_;

    my ($rc, $out, $err) = $self->keys_cli('create', '--db', $self->store,
        '--user', $user, defined $name ? ('--name', $name) : ());
    die "aiobs-keys: $err" if $rc;

    chomp $out;
    push @{$self->{secrets}}, $out;
    return $out;
}

# --- the end of every file ---

# what the metrics say, where there are any

sub scraped {
    my ($self) = @_;

    my ($conf, $all) = (slurp("$self->{dir}/nginx.conf"), '');
    my ($path) = $conf =~ m!location\s*=?\s*(/\S*)\s*\{[^}]*aiobs_metrics!
        or return '';

    while ($self->{nginx_pid} && $conf =~ /listen\s+127\.0\.0\.1:(\d+)/g) {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $1)
            or next;
        local $SIG{PIPE} = 'IGNORE';
        $s->syswrite("GET $path HTTP/1.0\r\n\r\n");
        $all .= read_all($s, 3);
    }

    return $all;
}

sub finish {
    my ($self) = @_;

    my $told = $self->scraped;

    $self->stop;

    for my $pid (keys %{$self->{pids}}) {
        $self->kill_wait($pid, 'TERM');
    }

    my $log = $self->error_log . slurp("$self->{dir}/nginx.out");

    for my $expected (@{$self->{expect}}) {
        $log =~ s/^.*$expected.*$//mg;
    }

    # nginx's own unaligned stores and shifts

    $log =~ s{^src/(?:core|event|http|os)/.*runtime error:.*$}{}mg;

    my @bad = grep { /\[(?:alert|emerg)\]|Sanitizer|runtime error:|^==\d+== / }
        split /\n/, $log;
    ok(!@bad, 'no alert, emerg, sanitizer or valgrind text in the error log')
        or diag(join "\n", @bad[0 .. ($#bad > 9 ? 9 : $#bad)]);

    if ($self->{secrets}) {
        $told .= slurp($_) for grep { -f $_ } "$self->{dir}/nginx.out",
            map { glob "$self->{dir}/$_" } qw(*.log aiobs* keys.db* store/*);

        ok(index($told, $_) < 0, 'no key in any log, metric or store')
            for @{$self->{secrets}};
    }

    my @left = grep { slurp($_) =~ /\Q$self->{dir}\E/ }
        glob '/proc/[0-9]*/cmdline';
    is("@left", '', 'no process left behind');
    return;
}

sub done {
    while (my $self = shift @all) {
        $self->finish;
    }

    done_testing();
    return;
}

# for files that call finish themselves

sub forget { @all = (); return }

END {
    if ($$ == $owner && @all) {
        my $status = $?;

        for my $self (@all) {
            my @pids = keys %{$self->{pids}};

            if ($self->{nginx_pid}) {           # its workers would outlive it; one may be about to come
                kill STOP => $self->{nginx_pid};
                wait_for(sub { slurp("/proc/$self->{nginx_pid}/stat") !~ /\) [RSD] / }, 5);
                push @pids, $self->{nginx_pid}, $self->children;
            }

            kill KILL => @pids;

            # what ends may still make a file, and its directory goes next
            wait_for(sub { !grep { slurp("/proc/$_/stat") =~ /\) [^ZX] / } @pids }, 5);
        }

        $? = $status || 255;        # the file did not reach its end
    }
}

1;
