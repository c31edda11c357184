#!/usr/bin/perl

# What aiobs_stream_usage puts into a request and takes out of an answer,
# byte by byte, wherever the bytes are split.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin qw($Bin);
use Test::More;

my $dir = tempdir(CLEANUP => 1);
my $src = "$Bin/../../src";
my $exe = "$dir/stream_usage";

system('cc', '-std=gnu11', '-g', '-O1', '-Wall', '-Wextra', '-Werror',
    '-Wno-unused-parameter', '-fsanitize=address,undefined', "-I$src",
    '-o', $exe, "$Bin/stream_usage.c", "$src/usage/aiobs_stream_usage.c",
    "$src/usage/aiobs_members.c") == 0
    or BAIL_OUT('the driver does not compile');

sub run {
    my ($mode, $step, $in) = @_;

    open my $fh, '>', "$dir/in" or die $!;
    binmode $fh;
    print $fh $in;
    close $fh;

    my $out = `$exe $mode $step < $dir/in 2>$dir/err`;
    is($?, 0, "$mode ends well") or diag(`cat $dir/err`);
    return $out;
}

my $bs = chr 92;
my $escaped = qq({"a":"$bs$bs$bs"}{","stream":true);
my $ask = '"stream_options":{"include_usage":true}';

my @requests = (
    ['a plain stream', '{"model":"m","stream":true}',
        qq({"model":"m","stream":true,$ask})],
    ['white space is kept', qq({ "stream" : true\n }\n),
        qq({ "stream" : true\n ,$ask}\n)],
    ['no stream', '{"model":"m"}', undef],
    ['stream false', '{"stream":false}', undef],
    ['stream is a string', '{"stream":"true"}', undef],
    ['asked already', '{"stream":true,"stream_options":{"include_usage":true}}',
        undef],
    ['refused', '{"stream":true,"stream_options":{"include_usage":false}}',
        undef],
    ['other options', '{"stream_options":{"a":[1,{"b":2}]},"stream":true}',
        '{"stream_options":{"a":[1,{"b":2}],"include_usage":true},"stream":true}'],
    ['empty options', '{"stream_options": { } ,"stream":true}',
        '{"stream_options": { "include_usage":true} ,"stream":true}'],
    ['null options', '{"stream_options":null,"stream":true}',
        '{"stream_options":{"include_usage":true},"stream":true}'],
    ['options that are no object', '{"stream_options":[],"stream":true}', undef],
    ['options twice',
        '{"stream_options":{},"stream_options":{},"stream":true}', undef],
    ['stream twice', '{"stream":true,"stream":false}', undef],
    ['in a string only', '{"messages":[{"content":"\"stream\":true,{"}]}', undef],
    ['deeper only', '{"x":{"stream":true}}', undef],
    ['escaped quotes and braces', $escaped . '}', "$escaped,$ask}"],
    ['an escaped key', '{"str\u0065am":true}', undef],
    ['cut', '{"stream":true', undef],
    ['trailing garbage', '{"stream":true}{', undef],
    ['a trailing comma', '{"stream":true,}', undef],
    ['a BOM', "\xef\xbb\xbf{\"stream\":true}", undef],
    ['an array', '[{"stream":true}]', undef],
    ['nothing', '', undef],
    ['a depth bomb', '{"stream":true,"a":' . '[' x 5000 . ']' x 5000 . '}',
        undef],
    ['mismatched', '{"stream":true,"a":[}]}', undef],
);

for my $case (@requests) {
    my ($name, $in, $want) = @$case;
    $want = $in unless defined $want;

    for my $step (1, 2, 3, 7, 1 << 20) {
        is(run('inject', $step, $in), $want, "$name, pieces of $step");
    }
}

my $chunk = '{"id":"c","choices":[{"delta":{"content":"a\",\"usage\":null"}}]';
my $usage = '{"id":"c","choices":[],"usage":{"prompt_tokens":1}}';

my @answers = (
    ['a null usage goes',
        "data: $chunk,\"usage\":null}\n\n", "data: $chunk}\n\n"],
    ['a null usage in front goes', "data: {\"usage\":null,\"a\":1}\n\n",
        "data: {\"a\":1}\n\n"],
    ['the only member goes', "data: {\"usage\":null}\n\n", "data: {}\n\n"],
    ['the usage chunk goes', "data: $chunk}\n\ndata: $usage\n\ndata: [DONE]\n\n",
        "data: $chunk}\n\ndata: [DONE]\n\n"],
    ['with CR LF', "data: $chunk}\r\n\r\ndata: $usage\r\n\r\ndata: [DONE]\r\n\r\n",
        "data: $chunk}\r\n\r\ndata: [DONE]\r\n\r\n"],
    ['with CR', "data: $chunk}\r\rdata: $usage\r\rdata: [DONE]\r\r",
        "data: $chunk}\r\rdata: [DONE]\r\r"],
    ['at the end, unfinished', "data: $usage", ''],
    ['usage beside choices stays',
        "data: {\"choices\":[{}],\"usage\":{\"a\":1}}\n\n", undef],
    ['no choices without usage stays',
        "data: {\"choices\":[],\"model\":\"\"}\n\n", undef],
    ['in a string it stays', "data: {\"a\":\"$usage\"}\n\n", undef],
    ['deeper it stays', "data: {\"a\":{\"choices\":[],\"usage\":{}}}\n\n", undef],
    ['no JSON stays', "data: hello\n\n: comment\n\nevent: x\ndata: 1\ndata: 2\n\n",
        undef],
    ['several data lines stay', "data: {\"usage\":null\ndata: }\n\n", undef],
    ['a cut event stays', "data: {\"usage\":null", undef],
    ['a long event stays', 'data: {"a":"' . 'x' x 40000
        . "\",\"usage\":null}\n\ndata: [DONE]\n\n", undef],
    ['and the one after a long event goes', 'data: {"a":"' . 'x' x 40000
        . "\"}\n\ndata: $usage\n\n", 'data: {"a":"' . 'x' x 40000 . "\"}\n\n"],
);

for my $case (@answers) {
    my ($name, $in, $want) = @$case;
    $want = $in unless defined $want;

    for my $step (1, 2, 3, 7, 4096) {
        is(run('strip', $step, $in), $want, "$name, pieces of $step");
    }
}

done_testing();
