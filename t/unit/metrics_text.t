#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Label values and numbers of the exposition, known ones and random ones
# against the same rules written differently.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Math::BigInt;
use Test::More;

use AiobsUnit;

# Unicode, table 3-7: well-formed byte sequences

my $character = qr/[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]
    |\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}
    |\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}
    |[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}/x;

my @numbers = (
    [0, 1, '0', '0.0'],
    [1, 1, '1', '1.0'],
    [256, 1, '256', '256.0'],
    [999_999, 1, '999999', '999999.0'],
    [1_000_000, 1, '1000000', '1e+06'],
    [1_048_576, 1, '1048576', '1.048576e+06'],
    [67_108_864, 1, '67108864', '6.7108864e+07'],
    [10_000_000_000, 1, '10000000000', '1e+10'],
    ['18446744073709551615', 1, '18446744073709551615',
        '1.8446744073709551615e+19'],
    [0, 1_000_000, '0', '0.0'],
    [1, 1_000_000, '0.000001', '1e-06'],
    [5_000, 1_000_000, '0.005', '0.005'],
    [1_000_000, 1_000_000, '1', '1.0'],
    [2_500_000, 1_000_000, '2.5', '2.5'],
    [600_000_000, 1_000_000, '600', '600.0'],
    [1_000_001, 1_000_000, '1.000001', '1.000001'],
    [100, 1_000_000, '0.0001', '0.0001'],
    [99, 1_000_000, '0.000099', '9.9e-05'],
    [50, 1_000_000, '0.00005', '5e-05'],
    [1, 1_000_000_000, '0.000000001', '1e-09'],
    [999_999_999_999, 1_000_000, '999999.999999', '999999.999999'],
    [1_000_000_000_000, 1_000_000, '1000000', '1e+06'],
    [1_234_567_500_000, 1_000_000, '1234567.5', '1.2345675e+06'],
    ['18446744073709551615', 1_000_000_000, '18446744073.709551615',
        '1.8446744073709551615e+10'],
);

my %variants = variants();

srand(11);

for my $variant (sort keys %variants) {
    my $exe = build('metrics_text', $variant, ['metrics/aiobs_text.c']);

    numbers($exe, $variant);
    labels($exe, $variant);
    escapes($exe, $variant);
}

done_testing();


sub numbers {
    my ($exe, $variant) = @_;

    my $input = join '', map { "$_->[0] $_->[1]\n" } @numbers;

    is(run_ok($exe, $input, "$variant: numbers", 'number'),
        join('', map { "$_->[2]\n" } @numbers), "$variant: as decimals");
    is(run_ok($exe, $input, "$variant: bounds", 'bound'),
        join('', map { "$_->[3]\n" } @numbers), "$variant: in canonical form");

    my @random = map { [int rand 2 ** rand 53, 10 ** (3 * int rand 4)] }
        1 .. 2000;
    my @out = split /\n/, run_ok($exe,
        join('', map { "$_->[0] $_->[1]\n" } @random), "$variant: random",
        'number');
    my $wrong = 0;

    for (0 .. $#random) {
        my ($value, $scale) = @{ $random[$_] };
        my ($int, $fraction) = $out[$_] =~ /^(\d+)(?:\.(\d*[1-9]))?$/;
        my $n = Math::BigInt->new($int // -1)->bmul($scale);

        $n->badd(substr(($fraction // '') . '0' x 9, 0, length($scale) - 1)
            || 0);
        $wrong++ if $n != $value;
    }

    is($wrong, 0, "$variant: every one exact");
}


sub labels {
    my ($exe, $variant) = @_;

    my @values = ('', 'a', "\n", "\0", "\x7f", "\x80", "\xe2\x82\xac",
        "\xed\xa0\x80", "\xc0\x80", "\xf5\x80\x80\x80", 'x' x 129,
        ("\x1f" . 'x' x 7) x 2, 'x' x 7 . "\x7f", 'x' x 15 . "\xff");

    push @values, 'x' x $_ . "\xf0\x9f\x98\x80" x 2 for 118 .. 130;

    for (1 .. 150) {
        my @parts = ("\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xc3\xa9", "\xed",
            "\xf4\x90", 'text', ' ', "\n", map { chr int rand 256 } 1 .. 8);
        push @values, join '', map { $parts[rand @parts] } 1 .. rand 80;
    }

    my $wrong = 0;

    for my $value (@values) {
        my ($status, $out) = run_on($exe, $value, 'label');
        my $want = clean($value);

        next if $status == 0 && $out eq $want;
        diag(sprintf '%vx: %vx, wanted %vx', $value, $out, $want);
        $wrong++;
    }

    is($wrong, 0, "$variant: " . @values . ' labels cleaned');
}


sub clean {
    my ($value) = @_;

    my $out = '';

    while (length $value) {
        my $c = $value =~ s/^($character)//s ? $1
            : do { substr $value, 0, 1, ''; '?' };
        $c = '?' if $c =~ /^[\x00-\x09\x0b-\x1f\x7f]/;
        last if length($out) + length($c) > 128;
        $out .= $c;
    }

    return $out;
}


sub escapes {
    my ($exe, $variant) = @_;

    my $value = qq{a"b\\c\nd\\n""\\\\};

    is(run_ok($exe, $value, "$variant: a label", 'escape'),
        'a\\"b\\\\c\\nd\\\\n\\"\\"\\\\\\\\', "$variant: escaped");
    is(run_ok($exe, $value, "$variant: a help", 'help'),
        'a"b\\\\c\\nd\\\\n""\\\\\\\\', "$variant: but for its quotes");
    is(run_ok($exe, '', "$variant: nothing", 'escape'), '',
        "$variant: is nothing");
}
