#!/usr/bin/perl

# Server-Timing, as applications write it and as nobody should.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use AiobsUnit;
use Test::More;

my @cases = (
    ['miss, db;dur=53, app;dur=47.2', 'miss(0,-1) db(53,-1) app(47.2,-1) '],
    ['rag.retrieve;dur=120;start=5;desc="chunks=5"', 'rag.retrieve(120,5,chunks=5) '],
    ['a;desc="k=v, n=1;z=0.5 w="', 'a(0,-1,k=v,n=1,z=0.5,w=) '],
    ['a;desc="Cache \"Read\""', 'a(0,-1,desc=Cache "Read") '],
    ['a;desc="k=v and more"', 'a(0,-1,desc=k=v and more) '],
    ['a;desc=token;model=m-1;x', 'a(0,-1,desc=token,model=m-1,x=) '],
    [" \ta ; dur = 1 ; DUR=2 ,\tb", 'a(1,-1) b(0,-1) '],
    ['a;dur=x;dur=2;start=3;start=4;desc="k=1 k=2";k=3;K=4;desc="j=5"', 'a(0,3,k=1,K=4) '],
    ['a;k=1;k=2;kk=3;desc="k=4 kk=5 l=6"', 'a(0,-1,k=1,kk=3,l=6) '],
    ['a;' . 'p' x 70 . '=1;' . 'p' x 80 . '=2', 'a(0,-1,' . 'p' x 64 . '=1) '],
    ['a;dur=-5, b;dur=NaN, c;dur=1e3, d;dur=Infinity, e;dur=""', 'a(0,-1) b(0,-1) c(0,-1) d(0,-1) e(0,-1) '],
    ['a;dur=999999999999999999999', 'a(8.64e+07,-1) '],
    ['a;dur=' . '9' x 60, 'a(0,-1) '],
    ['a;start=-1;dur=.5', 'a(0.5,0) '],
    [',,;dur=5,,b;dur=1,', 'b(1,-1) '],
    ['a b c;dur=1, d;dur=2', 'a(0,-1) d(2,-1) '],
    ['a;desc="open, b;dur=3', 'a(0,-1,desc=open, b;dur=3) '],
    ['a "x, y" z, b', 'a(0,-1) b(0,-1) '],
    ["a;desc=\"\\", 'a(0,-1,desc=\\) '],
    ["\x01\x02, b\x80c;dur=1, d", 'b(0,-1) d(0,-1) '],
    ['n' x 100 . ';dur=1', 'n' x 64 . '(1,-1) '],
    ['a;' . 'p' x 100 . '=' . 'v' x 200, 'a(0,-1,' . 'p' x 64 . '=' . 'v' x 128 . ') '],
    ['a' . join('', map { ";p$_=$_" } 1 .. 20), 'a(0,-1' . join('', map { ",p$_=$_" } 1 .. 8) . ') '],
    ['', ''],
);

for my $variant (qw(plain sanitized)) {
    my $exe = build('server_timing', $variant, ['telemetry/aiobs_server_timing.c']);
    my @out = split /\n/, run_ok($exe, join('', map { "$_->[0]\n" } @cases), "$variant: runs to its end"), -1;

    is($out[$_], $cases[$_][1], "$variant: $cases[$_][0]") for 0 .. $#cases;

    srand 7;
    my @odd = split //, q(ab=;,"\\ 1.-) . "\x80\t";
    run_ok($exe, join('', map { join('', map { $odd[rand @odd] } 0 .. rand 40) . "\n" } 1 .. 5000),
        "$variant: any bytes");
}

done_testing();
