#!/usr/bin/perl

# What tools/configure says where nginx's own build would fail without a reason,
# and what is left out where a system does not have it.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use POSIX ();
use Test::More;

my $src = '/usr/share/nginx/src';
plan skip_all => "no nginx-dev in $src" unless -x "$src/configure";

my $dir = tempdir('aiobs-XXXXXX', TMPDIR => 1, CLEANUP => 1);

# nginx takes these for ends of names of files

for my $part ('site.cc', 'a.cpp.d', 'x.So') {
    for my $case (["$dir/module", "$dir/$part/objs"], ["$dir/$part/module", "$dir/objs"]) {
        my ($module, $build) = @$case;
        my $said = `$Bin/../tools/configure '$src' '$module' '$build' cc 2>&1`;

        is($? >> 8, 1, "$part: refused");
        like($said, qr/"\.cc", "\.cpp" or "\.S".*OBJS=DIR.*\n.*\Q$build\E/, 'with the reason and the way out');
        ok(!-e $build, 'and nothing begun');
    }
}

my $said = `$Bin/../tools/configure '$dir' '$dir' '$dir/objs' cc 2>&1`;
is($? >> 8, 1, 'no source of nginx: refused');
like($said, qr/no nginx source in \Q$dir\E: install nginx-dev, or give NGINX_SRC=DIR/, 'with the way out');

# make pgo, where it cannot be done

my %pgo = (
    "CC=false" => qr/^make pgo: false has no -fprofile-partial-training: use gcc \(make CC=gcc pgo\)$/m,
    "AIOBS_NGINX=$dir/none" => qr/^make pgo: calls are made to learn from, which takes \Q$dir\E\/none: install it$/m,
);

for my $with (sort keys %pgo) {
    my $cc = $with =~ /^CC=/ ? $with : 'CC=cc';
    my $said = `env AIOBS_NGINX=nginx $with make -j2 -C '$Bin/..' OBJS='$dir/pgo' $cc pgo all 2>&1`;

    isnt($?, 0, "make pgo with $with: no build");
    like($said, $pgo{$with}, 'and why');
    ok(!-e "$dir/pgo/Makefile", 'nothing is begun');
}

# and where it ends half-way, with "make" and "bench/train" of a few lines

make_path(map { "$dir/half/$_" } qw(bin tools bench));
system('cp', "$Bin/../tools/pgo", "$dir/half/tools/") == 0 or BAIL_OUT('no tools/pgo');

# configure runs what it tries, which leaves a profile

spew("$dir/half/bin/make", <<'E');
#!/bin/sh
for v; do case $v in OBJS=*) cd "${v#OBJS=}";; esac; done
mkdir -p addon profile
touch Makefile addon/a.o ngx_http_aiobs_module.so profile/autotest.gcda
E

my %half = (
    'no calls' => ['exit 1', 1, qr/^== learning from calls$/m],
    'calls of which nothing is known' => ['true', 1, qr/^make pgo: nothing was learned: no profile in/m],
    'calls' => ['mkdir "$AIOBS_OBJS/profile/addon"; touch "$AIOBS_OBJS/profile/addon/a.gcda"', 0, qr/_module\.so$/],
);

for my $name (sort keys %half) {
    my ($train, $status, $says) = @{$half{$name}};

    spew("$dir/half/bench/train", "#!/bin/sh\n$train\n");
    chmod 0755, map { "$dir/half/$_" } qw(bin/make bench/train);

    my $said = `PATH='$dir/half/bin:'"\$PATH" AIOBS_NGINX=perl '$dir/half/tools/pgo' objs 2>&1`;
    is($? >> 8, $status, "make pgo with $name: its status");
    like($said, $says, 'what it says');
    is(scalar(grep { -e "$dir/half/objs/$_" } qw(Makefile addon ngx_http_aiobs_module.so)), $status ? 0 : 3,
        $status ? 'nothing is left that "make" would go on with' : 'it is there');
}

# as a user, whose PATH has no /usr/sbin; what builds is not wanted here

SKIP: {
    skip 'nginx is elsewhere', 1 unless -x '/usr/sbin/nginx';

    mkdir "$dir/path";
    symlink '/bin/false', "$dir/path/make";
    like(`env -u AIOBS_NGINX PATH='$dir/path':/usr/bin:/bin '$Bin/../tools/pgo' '$dir/pgo' 2>&1`,
        qr/^== building what learns$/m, 'make pgo finds nginx in /usr/sbin');
}

# one that is told to stop: the calls, and the servers that they go to

SKIP: {
    my $train = "$Bin/../bench/train";
    skip 'not built', 4 unless -e Aiobs::objs() . '/ngx_http_aiobs_module.so';

    mkdir "$dir/train";
    spew("$dir/half/bench/train", "#!/bin/sh\nTMPDIR='$dir/train' AIOBS_OBJS='" . Aiobs::objs() . "' exec '$train' --msec 600000\n");

    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', "$dir/half/out";
        open STDERR, '>&', \*STDOUT;
        $ENV{PATH} = "$dir/half/bin:$ENV{PATH}";
        exec "$dir/half/tools/pgo", 'objs' or POSIX::_exit(127);
    }

    my %servers;
    Aiobs::wait_for(sub {
        %servers = map { chomp(my $n = slurp($_)); $n ? ($n => 1) : () } glob "$dir/train/*/nginx.pid";
        return keys %servers == 3 || waitpid($pid, POSIX::WNOHANG()) == $pid;
    }, 60);
    is(scalar(keys %servers), 3, 'the servers run') or diag(slurp("$dir/half/out"));

    kill TERM => $pid;
    waitpid $pid, 0;
    ok(Aiobs::wait_for(sub { !grep { kill 0 => $_ } keys %servers }), 'make pgo is stopped: so are they');
    is_deeply([glob "$dir/train/*"], [], 'and their files are gone');
    is_deeply([grep { -e "$dir/half/objs/$_" } qw(Makefile addon ngx_http_aiobs_module.so)], [], 'as is what was built');
}

like(`$Bin/../tools/pgo --help`, qr/^usage: tools\/pgo OBJS/m, 'tools/pgo --help');

# prctl() is Linux's

SKIP: {
    my $make = eval { slurp(Aiobs::objs() . '/Makefile') } // '';
    my ($cc, $cflags) = map { $make =~ /^$_ =\s*(.*)$/m } qw(CC CFLAGS);
    my ($incs) = $make =~ /^ALL_INCS = ((?:.*\\\n)*.*)/m;
    skip 'not built', 2 unless defined $incs;

    $incs =~ s/\\\n/ /g;

    for my $has (1, 0) {
        system("cd '$src' && $cc $cflags -fno-lto -DNGX_HAVE_PR_SET_DUMPABLE=$has $incs -c -o '$dir/file.o' '"
            . Aiobs::root() . "/src/ngx_http_aiobs_file.c'") == 0 or fail('it compiles');
        is(() = `nm -u '$dir/file.o'` =~ /\bprctl\b/, $has, $has ? 'prctl() is called' : 'and where there is none it is not');
    }
}

done_testing();
