package AiobsUnit;

# Copyright (C) the aiobs authors
#
# Unit tests of the plain C rooms: compiles a driver of t/unit with the sources
# it needs into a temporary directory, and runs it on given input.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use Test::More;

our @EXPORT = qw(build reader run_on run_ok variants root);

my $root = abs_path(dirname(__FILE__) . '/../..');
my $dir = tempdir(CLEANUP => 1);


sub root { $root }


# the plain program, and the one that sees errors of memory and arithmetic

sub variants {
    return (
        plain => [qw(-O2)],
        sanitized => ['-O1', '-fsanitize=address,undefined',
            qw(-fno-sanitize-recover=all -fno-omit-frame-pointer)],
    );
}


sub build {
    my ($name, $variant, $sources, @libs) = @_;

    my %options = variants();
    my $exe = "$dir/$name-$variant";
    my @cmd = ($ENV{CC} // 'cc', qw(-std=gnu11 -g -Wall -Wextra
        -Wno-unused-parameter -Werror), "-I$root/src", @{ $options{$variant} },
        '-o', $exe, "$root/t/unit/$name.c",
        (map { "$root/src/$_" } @$sources), @libs);

    system(@cmd) == 0 or BAIL_OUT("cannot compile $name: @cmd");

    return $exe;
}


# the room src/usage behind usage_cat.c

sub reader {
    my @sources = map { s{^\Q$root\E/src/}{}r } glob "$root/src/usage/*.c";

    return build('usage_cat', 'sanitized', \@sources, qw(-lyajl -lz -lbrotlidec -lzstd -ljansson));
}


# exit status (-1 and the signal's name after a crash) and standard output

sub run_on {
    my ($exe, $input, @args) = @_;

    my $file = "$dir/input";
    open my $fh, '>:raw', $file or die "$file: $!";
    print $fh $input // '';
    close $fh or die "$file: $!";

    my $pid = open my $out, '-|';
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        open STDIN, '<:raw', $file or die "$file: $!";
        exec $exe, @args or die "$exe: $!";
    }

    binmode $out;
    local $/;
    my $text = <$out>;
    close $out;

    return (($? & 127) ? -($? & 127) : $? >> 8, $text // '');
}


sub run_ok {
    my ($exe, $input, $name, @args) = @_;

    my ($status, $out) = run_on($exe, $input, @args);
    is($status, 0, $name) or diag($out);

    return $out;
}


1;
