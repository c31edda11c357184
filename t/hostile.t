#!/usr/bin/perl

# Nobody is trusted: not the client's ids, models and bodies, not the
# provider's answers.  What is broken passes untouched, nothing is miscounted.

use strict;
use warnings;
use utf8;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Encode qw(encode_utf8);
use JSON::PP;
use Test::More;

my $t = Aiobs->new;

# answers with the bytes that the request carries, split where it says

$t->upstream(0, sub {
    my ($req, $c) = @_;

    my $type = $req->{headers}{'x-type'} || 'application/json';
    my $body = $req->{headers}{'x-empty'} ? '{}' : $req->{body};
    my $encoding = $req->{headers}{'x-encoding'};
    my $cut = $req->{headers}{'x-cut'} || 0;
    my $length = length($body) + $cut;

    $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: $type\r\nConnection: close\r\n"
        . ($encoding ? "Content-Encoding: $encoding\r\n" : '')
        . "Content-Length: $length\r\n\r\n$body");
});

$t->start(<<'EOF');
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    large_client_header_buffers 4 256k;
    location / { aiobs_llm auto; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }
}
EOF

my $n = 0;

sub echo {
    my ($body, @headers) = @_;
    $n++;
    my $path = $body =~ /message_start/ ? '/v1/messages' : '/v1/chat/completions';
    my $r = $t->post(1, $path, $body, 'X-Request-ID', "r$n", @headers);
    $r->{line} = $t->log_of("r$n");
    return $r;
}

# request ids

for my $bad (('x' x 129), ('x' x 100000), 'a b', 'a"b', "a\\b", 'a{b}', "caf\xe9",
    "\x01", "<script>", 'a;b', "a\tb")
{
    my $r = $t->request(1, 'GET', '/none', ['X-Request-ID', $bad]);
    my $id = $r->{headers}{'x-request-id'};
    my $name = substr $bad, 0, 10;
    $name =~ s/[^ -~]/?/g;

    like($id // '', qr/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
        "an id '$name' is replaced by a UUID");
    is(scalar(grep { $_->[0] eq 'x-request-id' } @{$r->{all}}), 1, 'exactly one leaves');
    ok($t->log_of($id), 'it is logged under that');
}

for my $good ('a', 'x' x 128, 'A-z_0.9~:/+=@') {
    my $r = $t->request(1, 'GET', '/none', ['X-Request-ID', $good]);
    is($r->{headers}{'x-request-id'}, $good, 'a good id is kept');
}

my $id = (grep { !/x{128}/ } map { $_->{request_id} } $t->log_lines(1))[0];
unlike(Aiobs::slurp($t->dir . "/aiobs.json"), qr/<script|caf\\|caf[\x80-\xff]/, 'a rejected id is logged nowhere');

# absurd figures: that figure is absent, the failure counted

sub usage { return qq({"id":"i","model":"m","choices":[{"index":0,"message":)
    . qq({"content":"hi"},"finish_reason":"stop"}],"usage":$_[0]}) }

my @usages = (
    ['negative', '{"prompt_tokens":-5,"completion_tokens":3}', undef, 3],
    ['huge', '{"prompt_tokens":1e30,"completion_tokens":3}', undef, 3],
    ['longer than any number', '{"prompt_tokens":' . '9' x 5000
        . ',"completion_tokens":3}', undef, 3],
    ['a string', '{"prompt_tokens":"7","completion_tokens":3}', undef, 3],
    ['an object', '{"prompt_tokens":{"a":1},"completion_tokens":3}', undef, 3],
    ['a fraction', '{"prompt_tokens":1.5,"completion_tokens":3}', undef, 3],
    ['a whole fraction', '{"prompt_tokens":28.0,"completion_tokens":3e0}', 28, 3],
    ['twice', '{"prompt_tokens":1,"prompt_tokens":2,"completion_tokens":3}', 2, 3],
    ['escaped keys', '{"prompt\u005ftokens":2,"completion_tokens":3}', 2, 3],
    ['null', '{"prompt_tokens":null,"completion_tokens":3}', undef, 3],
    ['a total that lies', '{"prompt_tokens":2,"completion_tokens":3,"total_tokens":99}', 2, 3],
);

for my $case (@usages) {
    my ($name, $json, $in, $out) = @$case;
    my $r = echo(usage($json));
    is($r->{body}, usage($json), "$name: passes untouched");
    is($r->{line}{input_tokens}, $in, "$name: input");
    is($r->{line}{output_tokens}, $out, "$name: output");
}

# look-alikes: what a model writes never counts

my $fake = '{\"usage\":{\"prompt_tokens\":999,\"completion_tokens\":999}}';

for my $case (
    ['in the text', qq({"choices":[{"message":{"content":"$fake"}}],)
        . '"usage":{"prompt_tokens":1,"completion_tokens":2}}'],
    ['in a tool call', '{"choices":[{"message":{"tool_calls":[{"function":{"name":"f",'
        . qq("arguments":"$fake"}}]}}],"usage":{"prompt_tokens":1,"completion_tokens":2}})],
    ['as an object in a message', '{"choices":[{"message":{"usage":{"prompt_tokens":999}}}],'
        . '"usage":{"prompt_tokens":1,"completion_tokens":2}}'],
    ['beside it', '{"usage":{"prompt_tokens":1,"completion_tokens":2},"x":{"usage":'
        . '{"prompt_tokens":999,"completion_tokens":999}}}'],
) {
    my $r = echo($case->[1]);
    is($r->{line}{input_tokens}, 1, "usage $case->[0] does not count");
    is($r->{line}{output_tokens}, 2, 'but the real one');
}

# a body cut anywhere: no wrong figure

my $whole = usage('{"prompt_tokens":123,"completion_tokens":45}');

for (my $i = 0; $i < length $whole; $i += 7) {
    my $r = echo(substr($whole, 0, $i), 'X-Cut', length($whole) - $i);
    my ($in, $out) = @{$r->{line}}{qw(input_tokens output_tokens)};

    ok((!defined $in || $in == 123 || $r->{line}{usage_source} eq 'estimated')
        && (!defined $out || $out == 45 || $r->{line}{usage_source} eq 'estimated'),
        "cut at $i: nothing made up") or diag(explain($r->{line}));
    is($r->{line}{error_type}, 'upstream_reset', 'and it is an error') if $i;
}

# broken documents

for my $case (
    ['garbage', '<html>', undef],
    ['no JSON after all', '{malformed json', 'json'],
    ['concatenated', '{"a":1}}', 'json'],
    ['a depth bomb', '[' x 100000, 'depth'],
    ['deep objects', '{"a":' x 100000, 'depth'],
    ['mismatched', '{"a":[}', 'json'],
    ['NULs', "{\"a\":\0}", 'json'],
) {
    my ($name, $body, $reason) = @$case;
    my $r = echo($body);
    is($r->{body}, $body, "$name: passes untouched");
    is($r->{line}{usage_source}, 'none', "$name: nothing is counted");
}

my $r = echo("\xef\xbb\xbf" . usage('{"prompt_tokens":5,"completion_tokens":6}'));
is($r->{line}{input_tokens}, 5, 'a byte order mark is no trouble');
$r = echo(' ' x 5000 . "\r\n" . usage('{"prompt_tokens":5,"completion_tokens":6}'));
is($r->{line}{input_tokens}, 5, 'nor is white space in front');

# streams of strange shape

my $data = '{"id":"i","model":"m","choices":[{"index":0,"delta":{"content":"hi"},'
    . '"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":6}}';
my ($left, $right) = $data =~ /^(.*"delta":)(.*)$/;

for my $case (
    ['LF', "data: $data\n\ndata: [DONE]\n\n"],
    ['CR LF', "data: $data\r\n\r\ndata: [DONE]\r\n\r\n"],
    ['CR', "data: $data\r\rdata: [DONE]\r\r"],
    ['no space', "data:$data\n\n"],
    ['comments', ": hello\n\n: x\ndata: $data\n\n: bye\n\n"],
    ['several data lines', "data: $left\ndata: $right\n\n"],
    ['no final newline', "data: $data"],
    ['unknown fields', "id: 1\nretry: 2\nfoo: {\"usage\":1}\ndata: $data\n\n"],
    ['a long comment', ': ' . 'x' x 100000 . "\n\ndata: $data\n\n"],
) {
    $r = echo($case->[1], 'X-Type', 'text/event-stream');
    is($r->{body}, $case->[1], "$case->[0]: passes untouched");
    is($r->{line}{input_tokens}, 5, "$case->[0]: input");
    is($r->{line}{output_tokens}, 6, "$case->[0]: output");
    ok($r->{line}{stream}, "$case->[0]: a stream");
}

$r = echo("data: $data\n\n");
is($r->{line}{input_tokens}, 5, 'an event stream that says it is JSON');
$r = echo($data, 'X-Type', 'text/event-stream');
is($r->{line}{input_tokens}, 5, 'JSON that says it is an event stream');

# encodings

$r = echo('not gzip at all', 'X-Encoding', 'gzip');
is($r->{body}, 'not gzip at all', 'a lie about the encoding passes');
$r = echo('{"messages":[{"role":"user","content":"' . 'word ' x 100
    . '"}],"usage":{"prompt_tokens":5,"completion_tokens":7}}', 'X-Encoding', 'rot13');
is($r->{line}{usage_source}, 'estimated', 'an encoding nobody knows is not read');
is($r->{line}{input_tokens}, 125, 'what was asked is not free');
is($r->{line}{output_tokens}, undef, 'how much was answered is not known');

# models

for my $model ("a\\nb", 'x' x 300, 'q\\"q', '\u0000\u0001', "caf\xe9", '\ud800', '{}') {
    $r = echo(qq({"model":"$model","choices":[],"usage":{"prompt_tokens":1,)
        . '"completion_tokens":1}}');
    is($r->{line}{input_tokens}, 1, 'a call of a strange model is counted');
    cmp_ok(length($r->{line}{model} // ''), '<=', 192, 'its name is bounded');
}

my $m = $t->get(1, '/metrics')->{body};
Aiobs::spew($t->dir . '/m', $m);
my $lint = `promtool check metrics < ${\$t->dir}/m 2>&1`;
is($?, 0, 'the metrics are still well-formed') or diag($lint);
ok(utf8::decode(my $copy = $m), 'and UTF-8');

for my $reason (qw(json depth value decode encoding)) {
    like($m, qr/^aiobs_parse_failures_total\{provider="openai",reason="$reason"\} [1-9]/m,
        "failures are counted: $reason");
}

# what a client claims makes no series

$t->post(1, '/v1/chat/completions', qq({"model":"junk$_"}), 'X-Empty', 1) for 1 .. 30;
unlike($t->get(1, '/metrics')->{body}, qr/junk/, "a model that only a client names");

# methods and paths

my $raw = $t->raw(1, "BREW /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
like($t->get(1, '/metrics')->{body}, qr/method="OTHER"/, 'an invented method is OTHER');
unlike($t->get(1, '/metrics')->{body}, qr/BREW/, 'and makes no label');

$t->request(1, 'GET', '/%0a%22' . 'p' x 5000, ['X-Request-ID', 'path',
    'User-Agent', "a\"b\\c\xff" . 'u' x 5000]);
my $line = $t->log_of('path');
cmp_ok(length encode_utf8(JSON::PP->new->encode($line)), '<', 4096, 'a log line is bounded');
is($line->{status_code}, 200, 'and whole');

for my $l (split /\n/, Aiobs::slurp($t->dir . '/aiobs.json')) {
    next if length $l <= 4095 && eval { decode_json($l); 1 };
    fail('every line is JSON of at most 4096 bytes');
    diag($l);
    last;
}

pass('every line is JSON of at most 4096 bytes');

$t->done;
