#!/usr/bin/perl

# What a message of an AWS event stream with a wrong checksum says is taken
# back: its figures, that there was a report, and that there was an error.  So is
# what a message says that is cut before its checksum.

use strict;
use warnings;

use Compress::Zlib qw(crc32);
use FindBin qw($Bin);
use lib "$Bin/../lib";

use AiobsUnit;
use JSON::PP;
use Test::More;

my $exe = reader();

my $text = message('event', 'contentBlockDelta', '{"delta":{"text":"hi there"}}');
my $usage = message('event', 'metadata', '{"usage":{"inputTokens":3,"outputTokens":4}}');
my $failure = message('exception', 'throttlingException', '{"message":"slow"}');

is(told($text . $usage), 'reported 3 4 0', 'as it is sent');
is(told($text . torn($usage)), 'estimated 1000000 2 0', 'no report is left of a torn one');
is(told($text . torn($usage) . $usage), 'reported 3 4 0', 'unless another follows');
is(told($text . $usage . torn($usage)), 'reported 3 4 0', 'or was before it');
is(told($text . $failure), 'estimated 1000000 2 1', 'an error');
is(told($text . torn($failure) . $usage), 'reported 3 4 0', 'and a torn one');

my $before = message('event', 'metadata', '{"usage":{"inputTokens":1,"outputTokens":1}}');

for my $cut (1, 4, 5, 20) {
    my $part = substr $usage, 0, length($usage) - $cut;

    is(told($text . $part), 'estimated 1000000 2 0', "$cut bytes missing: no report");
    is(told($text . $before . $part), 'reported 1 1 0', 'the one before stays');
}

is(told($text . $usage . substr $text, 0, 7), 'reported 3 4 0', 'cut in the lengths');
is(told($text . substr $failure, 0, -1), 'estimated 1000000 2 0', 'no error of a cut one');

# SageMaker: the pieces of another stream; an event of which one is torn is none

my $path = '/endpoints/e/invocations-response-stream';
my $hi = qq(data: {"choices":[{"delta":{"content":"hi there"}}]}\n\n);
my $final = qq(data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n);
my $first = qq(data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n);
my @pieces = map { part($_) } substr($final, 0, 30), substr($final, 30, 20), substr $final, 50;

is(told(join('', part($hi), @pieces), $path), 'reported 3 4 0', 'an event in pieces');

for my $i (0 .. 2) {
    my @torn = @pieces;
    $torn[$i] = torn($torn[$i]);
    is(told(join('', part($hi), @torn), $path), 'estimated 1000000 2 0', "piece $i torn: no report");
    is(told(join('', part($hi x 3 . $first), @torn), $path), 'reported 1 1 0', 'the one before stays');
    is(told(join('', part($hi), @torn, part($hi . $final)), $path), 'reported 3 4 0', 'one that follows counts');
    is(told(join('', part($hi), @torn[0 .. $i - 1], substr $pieces[$i], 0, -1), $path),
        'estimated 1000000 2 0', 'nor is there one of a piece that is cut');
}

is(told(join('', part($hi), part($final), torn(part($hi))), $path), 'reported 3 4 0', 'a torn text');
is(told(substr(part($hi x 2 . $hi =~ s/\}\]\}\n\n//r), 0, -1), $path), 'estimated 1000000 4 0',
    'text of an event that is cut is text all the same');
is(told(join('', part($hi), $pieces[0], $usage, @pieces[1, 2]), $path), 'reported 3 4 0', 'no other event goes between');
is(told(join('', part($hi), $pieces[0], $failure), $path), 'estimated 1000000 2 1', 'an error ends the event under way');
is(told(part('hi') . part(' there'), $path), 'estimated 1000000 2 0', 'text as it stands');
is(told(part('d') . part('ear reader'), $path), 'estimated 1000000 2 0', 'text that begins like an event');
is(told(part('retry'), $path), 'estimated 1000000 1 0', 'and that is not more than that');
is(told(part('da') . part(substr $hi, 2) . part($final), $path), 'reported 3 4 0', 'an event in such pieces');
is(told(part('hi'), '/model/m/invoke', 'text/event-stream'), 'none -1 -1 0', 'messages that are said to be events');
is(told(part('{"generated_') . part('text":"hi there"}'), $path), 'estimated 1000000 2 0', 'one document');

# an agent's figures are those of all of its calls, but for torn ones

my $agent = '/agents/a/agentAliases/b/sessions/c/text';
my $call = message('event', 'trace', '{"trace":{"orchestrationTrace":{"modelInvocationOutput":'
    . '{"metadata":{"usage":{"inputTokens":3,"outputTokens":4}}}}}}');

is(told($call x 3, $agent), 'reported 9 12 0', 'three calls');
is(told($call . torn($call) . $call, $agent), 'reported 6 8 0', 'one torn');
is(told($call . substr($call, 0, -2), $agent), 'reported 3 4 0', 'one cut');

done_testing();

sub part { return message('event', 'PayloadPart', $_[0]) }

sub told {
    my ($body, $path, $content) = @_;
    $content ||= 'application/vnd.amazon.eventstream';

    my $out = AiobsUnit::run_ok($exe, $body, 'read', 1, 'POST', $path || '/model/m/converse-stream',
        200, "content-type:$content");
    my $r = decode_json($out);

    ok($r->{splits}, 'however it is split');
    return "$r->{source} $r->{input} $r->{output} $r->{midstream_error}";
}

sub message {
    my ($type, $event, $payload) = @_;

    my $headers = join '', map { pack('C/a* C n/a*', $_->[0], 7, $_->[1]) }
        [':message-type', $type], [":$type-type", $event];
    my $lengths = pack 'N N', 16 + length($headers) + length $payload, length $headers;
    my $bytes = $lengths . pack('N', crc32($lengths)) . $headers . $payload;

    return $bytes . pack 'N', crc32($bytes);
}

sub torn { my ($bytes) = @_; return $bytes ^ ("\0" x (length($bytes) - 1) . "\1") }
