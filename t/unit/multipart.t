#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Forms (multipart/form-data): the model a call asks for, wherever pieces of the
# body are cut; what might be read in another way names none. Python's reader of
# such messages, which is content with much, never finds another model in a form
# that names one here, whatever bytes of it are changed.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use AiobsUnit;
use File::Temp qw(tempdir);
use Test::More;

my $dir = tempdir(CLEANUP => 1);
my @usage = map { s{.*/src/}{}r } glob(root() . '/src/usage/*.c');
my %exe = map { $_ => build('multipart', $_, \@usage, '-lyajl', '-lz', '-lbrotlidec', '-lzstd',
    '-ljansson', '-lm') } qw(plain sanitized);

my $b = '----formdata-undici-012345678901';
my $form = "multipart/form-data; boundary=$b";

sub part {
    my ($name, $value, @headers) = @_;
    return "--$b\r\n" . join('', map { "$_\r\n" } qq(Content-Disposition: form-data; name="$name"),
        @headers) . "\r\n$value\r\n";
}

sub packed { return pack '(V/a)*', @_ }

my $end = "--$b--\r\n";
my $model = part('model', 'whisper-1');
my $audio = "RIFF\0\0--\r\n--$b" =~ s/.\z//r . "\r\n\r\n-\r\r\n----" . join('', map { chr } 0 .. 255);
my $file = qq(--$b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n)
    . "Content-Type: audio/wav\r\n\r\n$audio\r\n";

sub file {
    my ($more) = @_;
    return "--$b\r\nContent-Disposition: form-data; name=\"file\"; $more\r\n\r\nx\r\n$model$end";
}

# name => [what is printed, body, type]

my $named = 'model=whisper-1 stream=-1 failure=';
my $none = 'model= stream=-1 failure=framing';
my $x128 = 'm' x 128;

my @cases = (
    ['a model before the file', $named, $model . $file . $end],
    ['a model behind it', $named, $file . $model . $end],
    ['other fields', $named, part('language', 'en') . part('timestamp_granularities[]', 'word')
        . $file . $model . part('modelling', 'x') . $end],
    ['a stream', 'model=whisper-1 stream=1 failure=', $model . part('stream', 'true') . $file . $end],
    ['no stream', 'model=whisper-1 stream=0 failure=', $model . part('stream', 'false') . $end],
    ['a stream that is none', $named, $model . part('stream', '1') . $end],
    ['the same twice', $named, $model . $model . $end],
    ['two models', 'model=b differ stream=-1 failure=', part('model', 'a') . part('model', 'b') . $end],
    ['an empty one first', 'model=b differ stream=-1 failure=', part('model', '') . part('model', 'b') . $end],
    ['an empty one last', 'model= differ stream=-1 failure=', part('model', 'a') . part('model', '') . $end],
    ['no model', 'model= stream=-1 failure=', $file . $end],
    ['an empty model', 'model= stream=-1 failure=', part('model', '') . $end],
    ['a model with lines', 'model=a%0d%0ab stream=-1 failure=', part('model', "a\r\nb") . $end],
    ['what is nearly a boundary', "model=a%0d%0a--${\\substr $b, 0, -1}x stream=-1 failure=" =~ s/\$\{\\.*\}//r,
        part('model', "a\r\n--" . substr($b, 0, -1) . 'x') . $end],
    ['128 bytes', "model=$x128 stream=-1 failure=", part('model', $x128) . $end],
    ['129 bytes', "model=$x128 stream=-1 failure=", part('model', $x128 . 'm') . $end],
    ['many bytes', "model=$x128 stream=-1 failure=", part('model', 'm' x 3000) . $end],
    ['text before and after', $named, "preamble\r\n$model${end}epilogue\r\n"],
    ['as a text', $named, part('model', 'whisper-1', 'Content-Type: text/plain; charset=UTF-8',
        'Content-Transfer-Encoding: 8bit', 'Content-Length: 9') . $end],
    ['other cases', $named, "--$b\r\ncontent-disposition:FORM-DATA;NAME=model\r\n\r\nwhisper-1\r\n$end"],
    ['a quoted boundary', $named, $model . $end, qq(Multipart/Form-Data; boundary="$b"; charset=utf-8)],
    ['names of files', $named, file('filename="C:\\\\dir\\a b.wav"; filename*=UTF-8\'\'%e2%82%ac.wav')],
    ['a file name that looks like a field', $named, file('filename="; name=%22model"')],

    ['JSON', 'model=a stream=-1 failure=', '{"model":"a"}', 'application/json'],
    ['JSON that is called a form', $none, '{"model":"a"}'],
    ['JSON before a form', $named, '{"model":"a"}' . "\r\n$model$end"],

    (map { ["a type: $_", $none, $model . $end, $_] } 'multipart/mixed; boundary=' . $b,
        'multipart/form-data', "multipart/form-data; boundary=", 'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=$b; boundary=$b", "multipart/form-data; boundary=$b; charset=utf-16",
        "multipart/form-data; boundary=$b; x=y", "multipart/form-data; boundary*=utf-8''$b",
        "multipart/form-data, boundary=$b", "multipart/form-data; boundary=$b x",
        "multipart/form-data; boundary=\"$b", "multipart/form-data; boundary=\"\\$b\"",
        'multipart/form-data; boundary=' . 'b' x 71, "multipart/form-datax; boundary=$b"),

    ['no end', $none, $model],
    ['no whole end', $none, $model . "--$b-"],
    ['nothing', $none, ''],
    ['an end that goes on', $none, $model . "--$b--$b--\r\n"],
    ['an end with half a line end', $none, $model . "--$b--\r"],
    ['an end at once', $named, $model . "--$b--"],
    ['a boundary behind the end', $none, $model . $end . part('model', 'b') . $end],
    ['a boundary in a line', $none, part('file', "x--$b\r\n") . $model . $end],
    ['a boundary behind a line feed', $none, part('file', "x\n--$b\nContent-Disposition: form-data; "
        . "name=\"model\"\n\ngpt\n--$b--") . $model . $end],
    ['a boundary with spaces', $none, $model =~ s/\r\n/ \r\n/r . $end],
    ['a boundary that goes on', $none, part('file', "x\r\n--${b}x") . $model . $end],
    ['a boundary at once', $none, qq(--$b\r\nContent-Disposition: form-data; name="a"\r\n\r\n) . $model . $end],
    ['a part without a header', $none, "--$b\r\n\r\nx\r\n" . $model . $end],
    ['a part without a name', $none, "--$b\r\nContent-Disposition: form-data\r\n\r\nx\r\n" . $model . $end],
    ['lines that end with a line feed', $none, $model =~ tr/\r//dr . $end],
    ['a header with a NUL', $none, part('a', 'x', "X: \0") . $model . $end],
    ['a header without a colon', $none, part('a', 'x', 'X') . $model . $end],
    ['a space before the colon', $none, part('a', 'x', 'X : y') . $model . $end],
    ['a folded header', $none, part('a', 'x', 'X: y', ' z') . $model . $end],
    ['a long header', $none, part('a', 'x', 'X: ' . 'y' x 2000) . $model . $end],
    ['many headers', $none, part('a', 'x', ('X: y') x 20) . $model . $end],
    ['two dispositions', $none, part('a', 'x', 'Content-Disposition: form-data; name="model"') . $model . $end],
    ['no form data', $none, $model =~ s/form-data/attachment/r . $end],
    ['a coded text', $none, part('model', 'd2hpc3Blcg==', 'Content-Transfer-Encoding: base64') . $end],
    ['another charset', $none, part('model', 'a', 'Content-Type: text/plain; charset=utf-7') . $end],
    ['two types', $none, part('model', 'a', ('Content-Type: text/plain') x 2) . $end],
    ['a model that is JSON', $none, part('model', '"a"', 'Content-Type: application/json') . $end],
    ['a model in a file', $none, qq(--$b\r\nContent-Disposition: form-data; name="model"; filename="x"\r\n\r\na\r\n$end)],
    (map { ["a name: $_", $none, part('file', 'x') . "--$b\r\nContent-Disposition: form-data; $_\r\n\r\na\r\n" . $end] }
        'name="MODEL"', 'name="Model"', 'name="model[]"', 'name="model.x"', 'name="mod\\el"', 'name="mode%6c"',
        'name="model "', 'name=" model"', "name='model'", "name*=utf-8''model", 'name="a"; name="model"',
        'name="=?utf-8?q?model?="', 'name="_charset_"', 'name="a" model', 'name = "model"', 'name="model', 'name=',
        "name=\"mod\xc3\xa9l\"", 'name="a"; x="y"', 'name="a"; filename="b"; filename="c"'),
    ['a file name with a quote', $none, file('filename="a\\"; name=\\"model.wav"')],
    ['a file name with a backslash at its end', $none, file('filename="a\\"')],
);

for my $variant (qw(plain sanitized)) {
    my ($status, $out) = run_on($exe{$variant}, packed(map { ($_->[3] // $form, $_->[2]) } @cases),
        'splits');
    my @lines = split /\n/, $out;

    is($status, 0, "$variant: read");

    for my $c (@cases) {
        my $want = $c->[0] eq 'what is nearly a boundary'
            ? 'model=a%0d%0a--' . substr($b, 0, -1) . 'x stream=-1 failure=' : $c->[1];
        is(shift @lines, "alike $want", "$variant: $c->[0]");
    }
}

# --- bytes are changed, left out, put in, moved; Python reads the same ---

srand($ENV{AIOBS_SEED} // 1);
my @seeds = map { $_->[2] } grep { !$_->[3] && $_->[1] ne $none && length $_->[2] < 900 } @cases;
my @bits = ("\r\n", "\n", "\r", '--', "--$b", "\r\n--$b\r\n", "\n--$b\n", "\r\n--$b--", '"', '\\', ';', ' ', ':',
    'name="model"', 'Content-Disposition: form-data; name="model"', "\r\n\r\n", "\0", "\t", "filename=\"x\"",
    'gpt', '=', "\x80");
my @packed;

for my $n (1 .. $ENV{AIOBS_FORMS} // 6000) {
    my $body = $seeds[rand @seeds];

    for (0 .. rand 2) {
        my $at = int rand 1 + length $body;
        my $what = int rand 4;
        if ($what == 0) { substr $body, $at, 1, $bits[rand @bits] if $at < length $body }
        elsif ($what == 1) { substr $body, $at, 0, $bits[rand @bits] }
        elsif ($what == 2) { substr $body, $at, 1 + rand 6, '' if $at < length $body }
        else { substr $body, $at, 0, substr $body, rand length $body, rand 120 }
    }

    push @packed, $form, $body;
}

open my $fh, '>:raw', "$dir/in" or die;
print $fh packed(@packed);
close $fh;

open $fh, '>', "$dir/read.py" or die;
print $fh <<'E';
import email, struct, sys
d = open(sys.argv[1], 'rb').read()
i = 0
def take():
    global i
    n, = struct.unpack('<I', d[i:i + 4])
    i += 4 + n
    return d[i - n:i]
while i < len(d):
    kind, body = take(), take()
    m = email.message_from_bytes(b'Content-Type: ' + kind + b'\r\n\r\n' + body)
    found = set()
    for part in m.walk():
        name = part.get_param('name', header='content-disposition') if part is not m else None
        if isinstance(name, tuple):
            name = name[2]
        if name and str(name).lower() == 'model':
            found.add(part.get_payload(decode=True) or b'')
    print(' '.join(sorted(f.hex() or '-' for f in found)))
E
close $fh;

my @python = map { [map { $_ eq '-' ? '' : pack 'H*', $_ } split] }
    split /\n/, `/usr/bin/python3 $dir/read.py $dir/in`, -1;
my ($status, $out) = run_on($exe{sanitized}, packed(@packed));
my ($whole, @other) = (0);

is($status, 0, 'changed forms are read');
unlike($out, qr/OTHERWISE/, 'byte by byte as well');

for my $line (split /\n/, $out) {
    my $found = shift @python;
    my $body = (splice @packed, 0, 2)[1];

    # those that a list of models could allow: of 128 bytes it might be any
    my ($model) = $line =~ /^alike model=([\w.-]{1,127}) stream=\S+ failure=$/ or next;

    $whole++;
    push @other, "$model: @$found\n$body" if grep { $_ ne $model } @$found;
}

cmp_ok($whole, '>', 500, "$whole of them name a model");
is(join("\n\n", @other), '', 'of which Python reads no other');

done_testing();
