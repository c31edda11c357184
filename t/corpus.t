#!/usr/bin/perl

# Answers of providers go through nginx - whole, in pieces, byte by byte,
# compressed - and are read back from the log line: what the client gets is what
# was sent, what is logged is what the provider bills.
#
# AIOBS_CORPUS names a folder of recorded cases; default: t/corpus.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use IO::Compress::Deflate qw(deflate);
use IO::Compress::Gzip qw(gzip);
use JSON::PP;
use Socket qw(TCP_NODELAY);
use Test::More;

my $corpus = $ENV{AIOBS_CORPUS} || "$Bin/corpus";
my $small = 2000;       # bytes of a body that is sent byte by byte as well
my $t = Aiobs->new;

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my ($case, $mode) = @{$req->{headers}}{qw(x-case x-mode)};

    my $meta = decode_json(Aiobs::slurp("$corpus/$case/meta.json"));
    my $body = Aiobs::slurp("$corpus/$case/response.bin");
    my %h = map { lc $_ => $meta->{headers}{$_} } keys %{$meta->{headers} || {}};
    my $encoding = $meta->{content_encoding} || 'identity';

    delete @h{qw(content-length transfer-encoding connection content-encoding
        x-request-id date server)};

    if ($mode =~ /gzip|deflate/ && $encoding eq 'identity') {
        my $pack = $mode eq 'gzip' ? \&gzip : \&deflate;
        $pack->(\(my $plain = $body), \(my $packed));
        ($body, $encoding) = ($packed, $mode);
    }

    my $head = "HTTP/1.1 $meta->{status} X\r\nConnection: close\r\nContent-Length: "
        . length($body) . "\r\n" . join '', map { "$_: $h{$_}\r\n" }
        grep { !ref $h{$_} && $h{$_} !~ /[\r\n]/ } sort keys %h;
    $head .= "Content-Encoding: $encoding\r\n" if $encoding ne 'identity';
    $c->syswrite("$head\r\n");

    if ($mode ne 'whole') {
        $c->sockopt(TCP_NODELAY, 1);
        srand length $body;
        while (length $body) {
            my $n = $mode eq 'bytes' ? 1 : 1 + int rand 1 + length($body) / 8;
            $c->syswrite(substr $body, 0, $n, '');
        }

    } else {
        while (length $body) {
            my $n = $c->syswrite($body) or last;
            substr $body, 0, $n, '';
        }
    }
});

$t->start(<<'EOF');
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    large_client_header_buffers 4 64k;
    location / { aiobs_llm auto; proxy_pass http://127.0.0.1:%%PORT_0%%; }
}
EOF

my ($cases, $fields) = (0, 0);
my %sent;

for my $file (sort glob "$corpus/*/meta.json") {
    my $meta = decode_json(Aiobs::slurp($file));
    next if $meta->{ambiguous} || $meta->{status} < 200;

    (my $dir = $file) =~ s{/meta\.json$}{};
    (my $name = $dir) =~ s{.*/}{};
    my $body = Aiobs::slurp("$dir/response.bin");
    my $asked = -e "$dir/request.json" ? Aiobs::slurp("$dir/request.json") : '{}';
    my $method = $meta->{method} || 'POST';
    my $path = $meta->{path};
    $path =~ s/ /%20/g;

    for my $mode (qw(whole pieces gzip deflate bytes)) {
        next if $mode eq 'bytes' && length $body > $small;
        my $id = "$name-$mode";
        my $r = $t->request(1, $method, $path, ['X-Request-ID', $id, 'X-Case', $name,
            'X-Mode', $mode, 'Content-Type', 'application/json'],
            $method eq 'GET' ? undef : $asked);

        $sent{$id} = [$meta, $r->{status} == $meta->{status}
            && ($mode =~ /gzip|deflate/ || $meta->{status} == 204 || $r->{body} eq $body)];
    }

    $cases++;
}

my %line;
Aiobs::wait_for(sub {
    %line = map { $_->{request_id} => $_ } $t->log_lines(1);
    return keys %line >= keys %sent;
}, 10);

for my $id (sort keys %sent) {
    my ($meta, $untouched) = @{$sent{$id}};
    my @bad = $untouched ? () : ('the client got something else');
    push @bad, check($meta, $line{$id} || {});
    is(join('; ', @bad), '', $id);
}

diag("$cases cases, $fields fields");
cmp_ok($cases, '>', 20, 'there are cases');

$t->done;

sub check {
    my ($meta, $l) = @_;

    my $e = $meta->{expected};
    my $logged = $meta->{logged} || {};
    my @bad;

    my $same = sub {
        my ($field, $got, $want) = @_;
        $fields++;
        push @bad, "$field: got $got, want $want" if $got ne $want;
    };

    for my $field (sort keys %$logged) {
        my $got = $l->{$field} // '';
        $same->($field, $field eq 'ttft' ? length $got ? 1 : 0 : $got, $logged->{$field});
    }

    if (!$e->{countable} || $meta->{status} >= 400) {
        $same->($_, $l->{"${_}_tokens"} // 'none', 'none') for qw(input output);
        $same->('error type', length($l->{error_type} // '') ? 1 : 0, 1)
            if $meta->{status} >= 400 && ($l->{event} // '') eq 'llm_called';
        return @bad;
    }

    $same->('event', $l->{event} // '', 'llm_called');

    if ($e->{usage_present} || defined $e->{norm_input}) {
        $same->('input', $l->{input_tokens} || 0, $e->{norm_input} || 0);
        $same->('output', $l->{output_tokens} || 0, $e->{norm_output} || 0);
        $same->('source', $l->{usage_source}, 'reported');

    } else {
        $same->('not reported', ($l->{usage_source} // '') eq 'reported' ? 1 : 0, 0);
    }

    $same->($_, $l->{"${_}_tokens"} || 0, $e->{$_} || 0)
        for qw(cache_read cache_write reasoning);
    $same->('model', $l->{model} // '', substr $e->{model} // '', 0, 128);
    $same->('stream', $l->{stream} ? 1 : 0, $e->{stream} ? 1 : 0);
    $same->('finish reasons', $l->{finish_reason} // '',
        join ',', grep { defined } @{$e->{finish_reasons} || []});

    return @bad;
}
