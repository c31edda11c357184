#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Prometheus protobuf: the same as the text formats say, and native histograms.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsProbe qw(load_probe);
use AiobsProtobuf qw(families samples);
use IO::Uncompress::Gunzip qw(gunzip);
use JSON::PP;
use List::Util qw(sum);
use POSIX qw(ceil);
use Test::More;

my $protobuf = 'application/vnd.google.protobuf;'
    . 'proto=io.prometheus.client.MetricFamily;encoding=delimited';
my $t = Aiobs->new;
my $conf = <<'EOF';
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location = /probe { aiobs off; aiobs_probe; }
    location / { return 200 a; }
    location = /metrics { aiobs_metrics; }
}
EOF

load_probe($t);
$t->start("aiobs_native_histograms on; $conf");

negotiation();
natives();
same_as_text();
details();
without();

$t->done;


sub negotiation {
    my $openmetrics = 'application/openmetrics-text;version=1.0.0';

    for (
        [$protobuf, 1],
        [$protobuf =~ s/;/; /gr, 1],
        ["$protobuf;q=0.7,$openmetrics;q=0.8", 0],
        ["$protobuf,$openmetrics;q=0.8,text/plain;q=0.5,*/*;q=0.1", 1],
        ["$openmetrics,$protobuf", 1],
        ["$protobuf;q=0", 0],
        ['application/vnd.google.protobuf', 0],
        [$protobuf =~ s/delimited/text/r, 0],
        [$protobuf =~ s/client/other/r, 0],
    ) {
        my ($accept, $want) = @$_;
        my $r = $t->get(1, '/metrics', 'Accept', $accept);

        is(($r->{headers}{'content-type'} =~ /protobuf/) ? 1 : 0, $want, "Accept: $accept");
    }

    is($t->get(1, '/metrics', 'Accept', $protobuf)->{headers}{'content-type'},
        $protobuf =~ s/;/; /gr, 'the type says all of it');
}


# buckets against a second way to find them

sub natives {
    my %families = (
        llm_time_to_first_token_seconds => [1_000_000, -10,
            0, 1, 976, 977, 1000, 1_000_000, 1_000_001, 1_090_507, 1_090_508, 2_000_000,
            123_456_789, 4_096_000_000, 4_096_000_001, 1_000_000_000_000_000,
            map { int 10 ** (2 + rand 8) } 1 .. 40],
        llm_call_tokens => [1, 0, 0 .. 20, 4_194_304, 4_194_305, map { int 10 ** rand 6 } 1 .. 40],
        http_request_size_bytes => [1, 6, 0, 63 .. 66, 69, 70, 71, 256, 1 << 28, (1 << 28) + 1,
            map { int 10 ** rand 8 } 1 .. 20],
    );

    for my $name (sort keys %families) {
        my ($scale, $low, @values) = @{$families{$name}};
        my %want;

        for my $v (@values) {
            $t->get(1, "/probe?family=$name&value=$v");
            my $i = $v ? ceil(log($v / $scale) / log(2) * 8 - 1e-9) : -1e9;
            $i = $i <= $low * 8 ? 'zero' : $i > ($low + 22) * 8 ? ($low + 22) * 8 : $i;
            $want{$i}++;
        }

        my ($f) = grep { $_->{name} eq $name } scrape();
        my ($h) = map { $_->{histogram} } @{$f->{metric}};

        is($h->{schema}, 3, "$name: the schema");
        is($h->{threshold}, 2 ** $low, 'what is taken for zero');
        is($h->{count}, scalar @values, 'the count');
        cmp_ok(abs($h->{sum} / (sum(@values) / $scale) - 1), '<', 1e-12, 'the sum');
        is_deeply(buckets($h), \%want, 'and every bucket');
        is($h->{bucket}[-1]{count}, scalar @values, 'the classic ones beside');
    }
}


# { number => count }, from spans and deltas

sub buckets {
    my ($h) = @_;
    my ($i, $n, %buckets) = (0, 0);
    my @deltas = @{$h->{delta} || []};

    $buckets{zero} = $h->{zeros} if $h->{zeros};

    for my $span (@{$h->{span} || []}) {
        $i += $span->{offset};

        for (1 .. $span->{length}) {
            $n += shift @deltas;
            $buckets{$i++} = $n;
        }
    }

    die "more deltas than buckets\n" if @deltas;
    return \%buckets;
}


# families of many messages, and every byte that a label may have

sub same_as_text {
    $t->get(1, "/probe?family=$_&n=1500&names=1500&model=many%22%5C%0A-")
        for qw(llm_tokens llm_call_duration_seconds);
    $t->get(1, '/probe?family=http_requests_inprogress&n=3');
    $t->get(1, '/probe?family=llm_cost_usd&value=1234567891');

    my @families = scrape();
    my $text = $t->get(1, '/metrics')->{body};
    my %count;
    $count{$_->{name}}++ for @families;
    cmp_ok($count{llm_call_duration_seconds}, '>', 1, 'one family in several messages');
    cmp_ok(scalar @families, '<', 80, 'but not in one each');

    my $have = samples(@families);
    my $want = text($text);
    delete $_->{aiobs_zone_used_bytes} for $have, $want;
    is_deeply([sort keys %$have], [sort keys %$want], 'the same samples as of the text');
    is(join("\n", grep { $have->{$_} != $want->{$_} } keys %$want), '', 'and values');

    my %meta = map { ($_->{name}, $_) } @families;
    my %type = (counter => 0, gauge => 1, histogram => 4);
    my (@other, %help);
    $help{$1} = $2 while $text =~ /^# HELP (\S+) (.*)$/mg;
    push @other, $1 while $text =~ /^# TYPE (\S+) (\S+)$/mg
        && ($meta{$1}{type} // -1) != $type{$2};
    is("@other", '', 'and types');
    is(join(' ', grep { $meta{$_}{help} ne $help{$_} =~ s/\\(.)/$1/gr } keys %meta), '',
        'and help');
    is($meta{llm_tokens_total}{unit}, 'tokens', 'with units');

    my $r = $t->get(1, '/metrics', 'Accept', $protobuf, 'Accept-Encoding', 'gzip');
    is($r->{headers}{'content-encoding'}, 'gzip', 'compressed when asked');
    ok(gunzip(\$r->{body} => \my $plain, Strict => 1), 'as gzip');
    is_deeply([sort keys %{samples(families($plain))}], [sort keys %{samples(@families)}],
        'the same');
    is($t->request(1, 'HEAD', '/metrics', ['Accept', $protobuf])->{body}, '', 'HEAD');
}


sub text {
    my ($text) = @_;
    my %samples;

    for (grep { !/^#/ } split /\n/, $text) {
        my ($name, $labels, $value) = /^(\w+)(?:\{(.*)\})? (\S+)$/ or die "no sample: $_";
        my %labels;
        $labels =~ s/(\w+)="((?:[^"\\]|\\.)*)",?/$labels{$1} = $2; ''/ge if defined $labels;
        s/\\(.)/$1 eq 'n' ? "\n" : $1/ge for values %labels;
        $labels{le} = $labels{le} eq '+Inf' ? 9**9**9 : 0 + $labels{le} if exists $labels{le};
        $samples{AiobsProtobuf::sample($name, %labels)} = $value;
    }

    return \%samples;
}


# exemplars, and when a series began

sub details {
    my $trace = '0af7651916cd43dd8448eb211c80319c';

    $t->get(1, '/once', 'X-Request-ID', 'the.request', 'traceparent',
        "00-$trace-b7ad6b7169203331-01");
    $t->log_of('the.request');

    my %f = map { ($_->{name}, $_) } scrape();
    my ($counter) = map { $_->{counter} } grep { grep { $_->{value} eq '/' } @{$_->{label}} }
        @{$f{http_requests_total}{metric}};
    my ($h) = map { $_->{histogram} } grep { grep { $_->{value} eq '/' } @{$_->{label}} }
        @{$f{http_request_duration_seconds}{metric}};
    my ($bucket) = grep { $_->{exemplar} } @{$h->{bucket}};

    for my $e ($counter->{exemplar}, $bucket->{exemplar}) {
        is_deeply({ map { ($_->{name}, $_->{value}) } @{$e->{label}} },
            { trace_id => $trace, request_id => 'the.request' }, 'an exemplar');
        cmp_ok(abs($e->{time}{seconds} - time), '<', 600, 'with its time');
    }

    cmp_ok(abs($_->{created}{seconds} - time), '<', 600, 'when it began')
        for $counter, $h;
}


# the shape of series cannot change under them; without native ones there are none

sub without {
    my ($worker) = $t->workers;
    $t->write_conf($conf);
    kill HUP => $t->{nginx_pid};
    ok(Aiobs::wait_for(sub { $t->error_log =~ /histograms of other buckets: change its size/ },
        10), 'a reload without them is refused');
    is(($t->workers)[0], $worker, 'and nginx goes on as it was');
    $t->expect_error('histograms of other buckets');

    $t->stop;
    $t->start(undef);
    $t->get(1, '/probe?family=llm_call_duration_seconds&value=1000000');
    my ($h) = map { $_->{metric}[0]{histogram} }
        grep { $_->{name} eq 'llm_call_duration_seconds' } scrape();
    is_deeply([map { $h->{$_} } qw(schema threshold zeros span delta)], [(undef) x 5],
        'none by default');
    is($h->{count}, 1, 'but the classic ones');
}


sub scrape {
    return families($t->get(1, '/metrics', 'Accept', $protobuf)->{body});
}
