#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Documents compared with forms: recorded requests and answers, as they are and
# with other values, whole and in pieces, give what they give when they are read.
#
# AIOBS_CORPUS names a folder of cases; default: t/corpus.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/../lib";

use AiobsUnit;
use File::Temp;
use JSON::PP;
use Test::More;

my $corpus = $ENV{AIOBS_CORPUS} || "$Bin/../corpus";
my $list = '';

for my $file (sort glob "$corpus/*/meta.json") {
    open my $fh, '<', $file or die "$file: $!";
    my $meta = decode_json(do { local $/; <$fh> });
    (my $dir = $file) =~ s{/meta\.json$}{};
    (my $path = $meta->{path}) =~ s/\?.*//;
    $path =~ tr/ /_/;

    next if $meta->{status} != 200
        || ($meta->{content_encoding} || 'identity') ne 'identity';

    $list .= "$path answer $dir/response.bin\n" if -s "$dir/response.bin" < 100_000;
    $list .= "$path request $dir/request.json\n" if -f "$dir/request.json";
}

# a request whose only string is a model by nearly that name, which names none

my $alike = File::Temp->new;
print $alike '{"Model":"other","messages":[]}';
$alike->flush;
$list .= "/v1/chat/completions request $alike\n" x 8;

my @bodies = split /\n/, $list;
cmp_ok(@bodies, '>', 20, 'there are bodies');

for my $variant (qw(plain sanitized)) {
    my $exe = build('forms', $variant, [map { s{.*/src/}{}r } glob root() . '/src/usage/*.c'],
        qw(-lyajl -lz -lbrotlidec -lzstd -ljansson));
    my ($status, $out) = run_on($exe, $list, $variant eq 'plain' ? 5000 : 1000);

    is($status, 0, "$variant: it ran to its end");
    is($out, @bodies . " bodies, all agree\nmany fit\n"
        . "of some it is known what they come to\n", "$variant: all agree");
}

done_testing();
