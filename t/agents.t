#!/usr/bin/perl

# Scores of retrieval: read from any variable, averaged over a window, counted
# in a histogram; what is no score is counted and ignored.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use IO::Socket::INET;
use JSON::PP;
use Test::More;

my $t = Aiobs->new;

# answers with the score that the query asks for

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my ($score) = $req->{uri} =~ /[?&]s=([^&]*)/;
    $score =~ s/%([0-9A-F]{2})/chr hex $1/gie if defined $score;
    $t->answer($c, 200, defined $score ? ['X-Rag-Score', $score] : [], 'ok');
});

my $conf = <<'EOF_CONF';
log_format score "$request_uri score=$aiobs_rag_score";
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    access_log %%DIR%%/score.log score;
    aiobs_rag_score $upstream_http_x_rag_score;
    location /rag/ { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /also/ { aiobs_endpoint /rag/; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /short/ { aiobs_rag_score $upstream_http_x_rag_score window=1s; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /own/ { aiobs_rag_score $arg_own; root %%DIR%%/html; try_files /none =204; }
    location /falls/ { aiobs_rag_score off; try_files /none @back; }
    location @back { aiobs_endpoint back; aiobs_rag_score $upstream_http_x_rag_score; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /off/ { aiobs_rag_score off; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /once/ { aiobs_agent_session $arg_session ttl=1h calls=1; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_rag_score off; aiobs_metrics; }
}
EOF_CONF

$t->start($conf, workers => 2);

# the samples whose name and labels are these

sub sample {
    my ($name, %label) = @_;

    for (split /\n/, $t->get(1, '/metrics')->{body}) {
        my ($n, $l, $v) = /^(\w+)\{(.*)\} (\S+)$/ or next;
        next if $n ne $name;
        my %got = $l =~ /(\w+)="([^"]*)"/g;
        return $v unless grep { ($got{$_} // '') ne $label{$_} } keys %label;
    }

    return;
}

sub mean { return sample('rag_retrieval_score_avg', endpoint => $_[0]) }

# a client may see the end of an answer before it is counted

sub mean_is {
    my ($endpoint, $want, $name) = @_;
    Aiobs::wait_for(sub { (mean($endpoint) // 'none') eq ($want // 'none') }, 20);
    return is(mean($endpoint), $want, $name);
}

sub sample_is {
    my ($sample, $want, $name) = @_;
    Aiobs::wait_for(sub { (sample(@$sample) // '') eq $want }, 20);
    return is(sample(@$sample), $want, $name);
}

sub score {
    my ($path, $score) = @_;
    $score =~ s/([^\w.])/sprintf '%%%02X', ord $1/ge;
    return $t->get(1, "$path?s=$score", 'X-Request-ID', 's' . ++$t->{scored});
}

# --- what is read ---

mean_is('/rag/', undef, 'no score, no mean');
is($t->get(1, '/rag/')->{status}, 200, 'an answer without a score');
mean_is('/rag/', undef, 'changes nothing');

score('/rag/', '0.5');
mean_is('/rag/', 0.5, 'one score is the mean');
score('/rag/', '0.9, 0.7');
mean_is('/rag/', 0.65, 'several in a header are one, their mean');
score('/also/', '0.05');
mean_is('/rag/', 0.45, 'locations of one endpoint have one mean');
sample_is(['rag_retrieval_score_count', endpoint => '/rag/'], 3, 'three in the histogram');
sample_is(['rag_retrieval_score_sum', endpoint => '/rag/'], 1.35, 'their sum');
sample_is(['rag_retrieval_score_bucket', endpoint => '/rag/', le => '0.1'], 1, 'below 0.1');
sample_is(['rag_retrieval_score_bucket', endpoint => '/rag/', le => '0.5'], 2, 'up to 0.5');
sample_is(['rag_retrieval_score_bucket', endpoint => '/rag/', le => '0.8'], 3, 'up to 0.8');

score('/rag/', $_) for '0', '1', '1e-1', '0.0000001', '  1.0 ', '1.', '.5', '+0.25';
sample_is(['rag_retrieval_score_count', endpoint => '/rag/'], 11, 'numbers as programs write them');
sample_is(['rag_retrieval_score_bucket', endpoint => '/rag/', le => '1.0'], 11, 'none above 1');

# --- what is not ---

my $before = mean('/rag/');
score('/rag/', $_) for 'abc', 'nan', 'inf', '0x1', '0.5;q=1', '0.5 0.6', '[0.5]', '-', '1e', '0' x 64, "0\x{2e}5%";
sample_is(['aiobs_rag_scores_ignored_total', endpoint => '/rag/', reason => 'not_a_number'], 11,
    'no numbers are counted');
score('/rag/', $_) for '1.01', '-0.1', '1e999', '100';
sample_is(['aiobs_rag_scores_ignored_total', endpoint => '/rag/', reason => 'out_of_range'], 4,
    'so is what is out of range');
score('/rag/', $_) for '', ' ', ',', ' , ,';
mean_is('/rag/', $before, 'and ignored');
sample_is(['rag_retrieval_score_count', endpoint => '/rag/'], 11, 'by the histogram too');
sample_is(['aiobs_rag_scores_ignored_total', endpoint => '/rag/', reason => 'not_a_number'], 11,
    'an empty list is nothing');

score('/off/', '0.5');
is(sample('rag_retrieval_score_count', endpoint => '/off/'), undef, 'where it is off, nothing is read');

# --- log and variable ---

$t->{scored} = 100;
score('/rag/', '0.4, oops, 0.6, 2, 0.3');
is($t->log_of('s101')->{rag_score}, 0.433333, 'the log has the mean of what is left');
like(Aiobs::slurp($t->dir . '/score.log'), qr/score=0\.433333$/m, 'so has the variable');
score('/rag/', 'abc');
ok(!exists $t->log_of('s102')->{rag_score}, 'no score, no field');

# --- any variable, any way there ---

$t->get(1, '/own/?own=0.3');
mean_is('/own/', 0.3, 'an argument of the query');
score('/falls/', '0.7');
mean_is('back', 0.7, 'a location that a redirect leads to');

# --- the window moves ---

score('/short/', '0.1');
is(Aiobs::wait_for(sub { my $m = mean('/short/'); return defined $m ? 0 : 1 }, 20), 1,
    'a score leaves its window; without any there is no mean');
ok(Aiobs::wait_for(sub { score('/short/', '0.9'); return (mean('/short/') // 0) == 0.9 }, 20),
    'the next is the mean alone');
cmp_ok(sample('rag_retrieval_score_count', endpoint => '/short/'), '>=', 2, 'the histogram forgets nothing');

# --- reload and crash ---

my $mean = mean('/rag/');
ok($t->reload, 'a reload');
mean_is('/rag/', $mean, 'does not change the mean');

# who asks before it has ended may be answered by nobody

my ($killed) = $t->workers;
kill KILL => $killed;
ok(Aiobs::wait_for(sub { !kill 0 => $killed }, 20), 'a worker killed');
mean_is('/rag/', $mean, 'neither');
$t->expect_error('exited on signal 9');

(my $longer = $conf) =~ s/x_rag_score window=1s/x_rag_score window=10m/;
ok($t->reload($longer, workers => 2), 'another window');
ok(Aiobs::wait_for(sub { score('/short/', '0.2'); return (mean('/short/') // 0) == 0.2 }, 20),
    'is taken on');

# --- a reload that fails at the last, when the zone was seen to ---

my $busy = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $t->port(2), Listen => 1) or die $!;
(my $failing = $longer) =~ s/aiobs_agent_session [^;]*;/aiobs_agent_session off;/;
$failing =~ s/window=10m/window=1s/;
$failing =~ s/(listen [^;]*;)/$1 listen 127.0.0.1:%%PORT_2%%;/;
$failing =~ s/(location \/rag\/ \{)/$1 aiobs_agent_session \$arg_none;/;

is($t->get(1, '/once/?session=a&s=0.5')->{status}, 200, 'the one call of a session');
$t->expect_error('(?:bind\(\) to 127.0.0.1|could not bind)');
$t->write_conf($failing, workers => 2);
kill HUP => $t->{nginx_pid};
ok(Aiobs::wait_for(sub { $t->error_log =~ /still could not bind/ }, 20), 'a reload that fails');
is($t->get(1, '/once/?session=a&s=0.5')->{status}, 429, 'leaves sessions what they are');
is(mean('/short/'), 0.2, 'and the window');
$t->write_conf($longer, workers => 2);
close $busy;

# --- the tools like it ---

Aiobs::spew($t->dir . '/metrics', $t->get(1, '/metrics')->{body});
my $lint = `promtool check metrics < ${\$t->dir}/metrics 2>&1`;
is($?, 0, 'promtool check metrics') or diag($lint);

# --- configuration ---

for my $case (
    ['aiobs_rag_score $arg_a window=0;', 'a second or more'],
    ['aiobs_rag_score $arg_a window=x;', 'a second or more'],
    ['aiobs_rag_score $arg_a minutes=5;', '"window=time"'],
    ['aiobs_rag_score $arg_a; aiobs_rag_score $arg_b;', 'is duplicate'],
    ['aiobs_rag_score $nothing_such;', 'unknown "nothing_such" variable'],
    ['location /a { aiobs_endpoint e; aiobs_rag_score $arg_a; } location /b { aiobs_endpoint e; aiobs_rag_score $arg_a window=1m; }',
        'windows of 300000ms and 60000ms for endpoint "e"'],
) {
    my $c = Aiobs->new;
    my ($rc, $out) = $c->check("server { listen 127.0.0.1:%%PORT_1%%; aiobs on; $case->[0] }");
    isnt($rc, 0, "refused: $case->[0]");
    like($out, qr/\Q$case->[1]\E/, "saying $case->[1]");
}

Aiobs::forget();
$t->finish;
done_testing();
