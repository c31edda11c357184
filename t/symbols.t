#!/usr/bin/perl

# What the module shows of itself, and what it binds by itself.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;

my $so = Aiobs::objs() . '/ngx_http_aiobs_module.so';

chomp(my @nm = `nm -D $so 2>&1`);
plan skip_all => "nm does not run: @nm" if $?;

# AddressSanitizer has names of its own in whatever it has looked at

my @shown = map { /^[0-9a-f]+ [A-TV-Z] (\S+)$/ && $1 !~ /^__(?:a|ub)san_|^__odr_asan/ ? $1 : () } @nm;

is_deeply([sort @shown], [qw(ngx_module_names ngx_module_order ngx_modules)],
    'nginx finds its tables, and nobody finds anything else');
is_deeply([grep { /^ +U \w*aiobs_/ } @nm], [], 'its own names are bound');

# a backtrace, a profile and a core have the names of functions nevertheless

my $names = () = `nm $so` =~ /^[0-9a-f]+ t \w*aiobs_/mg;
cmp_ok($names, '>', 100, "its own symbols are there: $names");

done_testing();
