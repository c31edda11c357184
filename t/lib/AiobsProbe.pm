package AiobsProbe;

# Copyright (C) the aiobs authors
#
# Puts the probe module of t/probe beside the module, and reads expositions.

use strict;
use warnings;

use Aiobs;
use Exporter qw(import);
use Fcntl qw(LOCK_EX);
use File::Basename qw(dirname);
use Test::More;

our @EXPORT_OK = qw(load_probe parse_text);

# From here on $t runs a module that has the probe in it too: the module's own
# object files and the probe linked into one, as the module shows its names to
# nobody.  Linked once for each build, whoever needs it first.

sub load_probe {
    my ($t) = @_;

    my $objs = Aiobs::objs();
    my $so = "$objs/probe.so";
    my $probe = Aiobs::root() . '/t/probe/ngx_http_aiobs_probe_module.c';

    open my $lock, '>', "$so.lock" or BAIL_OUT("$so.lock: $!");
    flock $lock, LOCK_EX;

    my $made = (stat $so)[9] // 0;
    build($t, $objs, $so, $probe)
        if grep { $made <= (stat $_)[9] } $probe, "$objs/ngx_http_aiobs_module.so";

    $t->{module} = $so;
    return;
}

sub build {
    my ($t, $objs, $so, $probe) = @_;

    my $makefile = Aiobs::slurp("$objs/Makefile") =~ s/\\\n//gr;
    my %var = $makefile =~ /^(CC|CFLAGS|ALL_INCS)\s*=\s*(.*)$/mg;
    my ($link) = $makefile =~ /-o (\S*ngx_http_aiobs_module\.so\b.*\s-shared)\s*$/m;
    my $tables = Aiobs::slurp("$objs/ngx_http_aiobs_module_modules.c");

    keys %var == 3 && $link or BAIL_OUT("no build in $objs");

    $tables =~ s/(?=extern )/extern ngx_module_t  ngx_http_aiobs_probe_module;\n/;
    $tables =~ s/(?=\Q&ngx_http_aiobs_module\E)/&ngx_http_aiobs_probe_module, /;
    $tables =~ s/(?="ngx_http_aiobs_module",)/"ngx_http_aiobs_probe_module", /;
    Aiobs::spew($t->dir . '/tables.c', $tables);

    $link =~ s/^\S+/$so.new/;
    $link =~ s{\S+_modules\.o}{"$probe " . $t->dir . '/tables.c'}e;

    # include paths are those of the module's build, seen from the source

    my $cmd = 'cd ' . nginx_src($t) . " && $var{CC} $var{CFLAGS} -fPIC $var{ALL_INCS}"
        . ' -I' . Aiobs::root() . "/src -o $link && mv $so.new $so";

    my $out = `$cmd 2>&1`;
    BAIL_OUT("the probe does not build: $cmd\n$out") if $?;
}

# the headers of the very version, among those of this machine and those that
# lie beside the binary

sub nginx_src {
    my ($t) = @_;

    my ($version) = `$t->{nginx} -v 2>&1` =~ m{nginx/([\d.]+)}
        or BAIL_OUT("no version of $t->{nginx}");
    my $beside = dirname($t->{nginx});

    for my $src ('/usr/share/nginx/src', glob("$beside/usr/share/nginx/src"),
        glob("$beside/nginx-*"))
    {
        return $src
            if Aiobs::slurp("$src/src/core/nginx.h") =~ /"\Q$version\E"/;
    }

    BAIL_OUT("no headers of nginx $version");
}

# { sample => value }, where a sample is its name with its labels as they are
# written; dies of anything that the format forbids

sub parse_text {
    my ($text) = @_;

    my (%sample, %family, $family);

    die "does not end with a line feed\n" unless $text =~ /\n\z/;

    for (split /\n/, $text) {

        if (/^# (HELP|TYPE|UNIT) (\S+) /) {
            $family = $2;
            die "$1 of $family twice\n" if $family{$family}{$1}++;
            next;
        }

        next if $_ eq '# EOF';

        s/ # \{trace_id="[0-9a-f]{32}"(?:,request_id="[^"\\]+")?\} \S+ \S+$//;

        /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\d+(?:\.\d+)?)$/
            or die "no sample: $_\n";

        die "$1 is not in $family\n" if index $1, $family;
        die "twice: $1$2\n" if exists $sample{$1 . ($2 // '')};
        $sample{$1 . ($2 // '')} = $3;
    }

    return \%sample;
}

1;
