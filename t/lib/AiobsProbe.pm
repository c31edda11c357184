package AiobsProbe;

# Copyright (C) the aiobs authors
#
# Builds the probe module of t/probe against the nginx under test, and reads
# expositions.

use strict;
use warnings;

use Aiobs;
use Exporter qw(import);
use File::Basename qw(dirname);
use Test::More;

our @EXPORT_OK = qw(load_probe parse_text);

# the load_module line

sub load_probe {
    my ($t) = @_;

    my $root = Aiobs::root();
    my $objs = Aiobs::objs();
    my $src = nginx_src($t);
    my $makefile = Aiobs::slurp("$objs/Makefile") =~ s/\\\n//gr;
    my %var = $makefile =~ /^(CC|CFLAGS|ALL_INCS)\s*=\s*(.*)$/mg;

    keys %var == 3 or BAIL_OUT("no build in $objs");

    # include paths are those of the module's build, seen from the source

    my $cmd = "cd $src && $var{CC} $var{CFLAGS} -fPIC -shared $var{ALL_INCS}"
        . " -I$root/src -o " . $t->dir . '/probe.so'
        . " $root/t/probe/ngx_http_aiobs_probe_module.c";

    my $out = `$cmd 2>&1`;
    BAIL_OUT("the probe does not build: $cmd\n$out") if $?;

    return 'load_module ' . $t->dir . '/probe.so;';
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
