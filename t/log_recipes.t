#!/usr/bin/perl

# The commands of the documentation, as they stand there, on a log, an error log
# and a recorder of requests that were made; its queries by the grammar or the
# engine of those who ask them.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsPeers;
use JSON::PP;
use Test::More;
use Time::Piece;

my $t = Aiobs->new;
my $key = $t->key('alice', 'laptop');

$t->upstream(1, sub {
    my ($req, $c) = @_;
    return $t->answer($c, 500, ['Content-Type', 'application/json'], '{}') if $req->{uri} =~ /fail/;
    return $t->answer($c, 429, ['Content-Type', 'application/json'], '{}') if $req->{uri} =~ /busy/;
    $t->answer($c, 200, ['Content-Type', 'application/json', 'request-id', 'req_theirs'], encode_json({
        id => 'c1', object => 'chat.completion', model => 'gpt-4o-2024-08-06', choices => [],
        usage => { prompt_tokens => 12, completion_tokens => 3, total_tokens => 15 } }));
});

Aiobs::spew($t->dir . '/prices.json', encode_json({ 'gpt-4o-2024-08-06' => { litellm_provider => 'openai',
    input_cost_per_token => 2.5e-6, output_cost_per_token => 1e-5 } }));

$t->start(<<'EOF_CONF', no_log => 1);
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_log %%DIR%%/aiobs.json;
aiobs_prices %%DIR%%/prices.json;
server {
    listen 127.0.0.1:%%PORT_0%%;
    aiobs on;
    location / { return 204; }
    location /v1/ { aiobs_auth on; aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /down { proxy_pass http://127.0.0.1:1; }
    location = /aiobs/requests { aiobs_requests; }
}
EOF_CONF

# the lines of a file's examples that call such a command, as a script

sub recipe {
    my ($file, $command, $id) = @_;

    my @lines = grep { /\b\Q$command\E\b/ } Aiobs::slurp("$Bin/../docs/$file") =~ /^    (\S.*)$/mg;
    ok(scalar @lines, "$file has examples of $command");

    my $dir = $t->dir;
    my $port = $t->port(0);

    for (@lines) {
        s/5f1c(?:\.\.\.)?/$id/g;
        s/req_\.\.\./req_theirs/g;
        s{/var/log/nginx/error\.log}{$dir/error.log}g;
        s{(?:/var/log/nginx/)?\baiobs\.json}{$dir/aiobs.json}g;
        s/localhost:8080/127.0.0.1:$port/g;
    }

    return @lines;
}

sub run {
    my $script = join "\necho --\n", @_;
    Aiobs::spew($t->dir . '/script', "set -eu -o pipefail\n$script\n");
    my $out = `bash @{[$t->dir]}/script 2>&1`;
    is($?, 0, 'they run') or diag($out);
    return split /^--\n/m, $out;
}

my $trace = '0af7651916cd43dd8448eb211c80319c';
my @trace = ('traceparent', "00-$trace-b7ad6b7169203331-01", 'Authorization', "Bearer $key");
my $chat = { model => 'gpt-4o', messages => [] };

$t->post(0, '/v1/chat/completions', $chat, 'X-Request-ID', 'before', @trace);
$t->post(0, '/v1/chat/completions?fail', $chat, 'X-Request-ID', 'asked', @trace);
$t->get(0, '/', 'X-Request-ID', 'other');
$t->post(0, '/v1/chat/completions?busy', $chat, 'X-Request-ID', 'busy', 'Authorization', "Bearer $key");
my $odd = '-a:b/c=d+e~f';
$t->get(0, '/', 'X-Request-ID', $odd);
$t->get(0, '/down', 'X-Request-ID', 'down');
Aiobs::wait_for(sub { Aiobs::slurp($t->dir . '/aiobs.json') =~ /"request_id":"down"/ }, 20);

my ($one, $set, $all, $theirs) = run(recipe('log.md', 'jq', 'asked'));

is(decode_json($one)->{request_id}, 'asked', 'one request by its id');
is($set, '', 'the trace is kept in a variable');
is_deeply([map { "$_->{path} $_->{status_code}" } map { decode_json($_) } split /\n/, $all],
    ['/v1/chat/completions 200', '/v1/chat/completions 200', '/v1/chat/completions 500'],
    'all of the same trace, the first use of the key as well');
is_deeply([map { decode_json($_)->{request_id} } split /\n/, $theirs], ['before', 'before'],
    "by the provider's id, the first use of the key as well");

my ($errors) = run(recipe('log.md', 'grep', 'down'));
like($errors, qr/connect\(\) failed.*request_id: "down"/, "nginx's error log");

my ($list, $record) = run(recipe('recorder.md', 'jq', 'before'));
is_deeply(decode_json($list), { request_id => 'asked', path => '/v1/chat/completions', error_type => 'server_error' },
    'what failed of a user');
is(decode_json($record)->{input_tokens}, 12, 'one record');

# --- queries of others: the paragraph after the words that name them ---

my $log = "@{[$t->dir]}/aiobs.json";
my $docs = Aiobs::slurp("$Bin/../docs/log.md");
my @lines = map { decode_json($_) } Aiobs::slurp($log) =~ /^(.*)\n/mg;

sub queries {
    my ($name) = @_;
    my ($block) = $docs =~ /^\Q$name\E\b[^\n]*:\n\n((?:    [^\n]+\n)+)/m or fail("docs/log.md has queries of $name");
    return map { s/5f1c\.\.\./asked/gr } ($block // '') =~ /^    (.+)$/mg;
}

# the snippet for Vector, as a reader of TOML has it

my ($toml) = $docs =~ /^```toml\n(.*?)^```$/ms;
Aiobs::spew($t->dir . '/vector.toml', $toml);
my $vector = decode_json(`python3 -c 'import json, sys, tomllib
print(json.dumps(tomllib.load(open(sys.argv[1], "rb"))))' '@{[$t->dir]}/vector.toml'`);

my %part = map { %$_ } @$vector{qw(sources transforms sinks)};
is_deeply([map { @{$_->{inputs} || []} } @part{qw(parsed loki)}], ['aiobs', 'parsed'], 'Vector: one part feeds the next');
is_deeply([map { $part{$_}{type} } qw(aiobs parsed loki)], [qw(file remap loki)], 'each of a type');

# a label that is nothing but a field is refused by some versions

is_deeply([grep { /^\{\{/ } values %{$part{loki}{labels}}], [], 'its labels are taken by every version');

my @logql = queries('Loki');
my @datadog = queries('Datadog');
my @wrong = ('{job="nginx"} | json | request_id=asked', '@request_id:');

Aiobs::spew($t->dir . '/recipes', encode_json({ logql => [@logql, $wrong[0]], vrl => $part{parsed}{source},
    datadog => [@datadog, '@request_id:ask', $wrong[1], $datadog[0] =~ s/asked/$odd/r] }));
my $got = AiobsPeers::script($t, 'recipes.cjs', $log, $t->dir . '/recipes');

is_deeply($got->{"logql $_"}{errors}, [], "Grafana's grammar takes $logql[$_]") for 0 .. $#logql;
isnt(scalar @{$got->{'logql ' . @logql}{errors}}, 0, "and not $wrong[0]");

# what is neither a label of the stream nor a member of the line finds nothing

my %member = map { $_ => 1 } map { keys %$_ } @lines;
is_deeply([grep { !$member{$_} && !$part{loki}{labels}{$_} } map { @{$got->{"logql $_"}{names}} } 0 .. $#logql], [],
    'its names are those of the log and of the labels');

is_deeply($got->{vrl}{errors}, [], "Vector's compiler takes the program");
delete $_->{timestamp} for @{$got->{vrl}{events}};
is_deeply($got->{vrl}{events}, [map { my %e = %$_; delete $e{timestamp}; \%e } @lines], 'every line is an event');
is_deeply($got->{vrl}{times}, [map { micros($_->{timestamp}) } @lines], 'at its own time');

sub micros {
    my ($s, $us) = $_[0] =~ /^(.+)\.(\d{6})Z$/ or return;
    return Time::Piece->strptime($s, '%Y-%m-%dT%H:%M:%S')->epoch . $us;
}

is_deeply([map { $got->{"datadog $_"}{found} } 0 .. $#datadog], [['asked'], ['busy']], "Datadog's searches find theirs");
is_deeply($got->{'datadog ' . @datadog}{found}, [], 'half an id finds nothing');
isnt(scalar @{$got->{'datadog ' . (@datadog + 1)}{errors}}, 0, "and $wrong[1] is none");
is_deeply($got->{'datadog ' . (@datadog + 2)}{found}, [$odd], 'an id of any characters that it may have');

# --- rsyslog, as it stands there: long lines, and all that a line may have ---

SKIP: {
    my $rsyslogd = '/usr/sbin/rsyslogd';
    skip('another syslog is installed', 3) unless -x $rsyslogd;

    my ($dir, $port) = ($t->dir, $t->port(5));
    my ($rules) = $docs =~ /^```rsyslog\n(.*?)^```$/ms;
    Aiobs::spew("$dir/rsyslog.conf", qq{global(workDirectory="$dir")\n} . $rules =~ s/5514/$port/r =~ s{/var/log/}{$dir/sys-}r);
    my $pid = $t->spawn([$rsyslogd, '-n', '-f', "$dir/rsyslog.conf", '-i', "$dir/rsyslog.pid"], log => "$dir/rsyslog.log");

    my $udp = sprintf '%04X', $port;
    ok(Aiobs::wait_for(sub { Aiobs::slurp('/proc/net/udp') =~ /^\s*\d+: [0-9A-F]{8}:$udp /m }, 20), 'rsyslog listens')
        or diag(Aiobs::slurp("$dir/rsyslog.log"));

    $t->stop;
    $t->start(join('', "aiobs_log $log;\naiobs_log syslog:server=127.0.0.1:$port;\n",
        map { "aiobs_log_field f$_ \$http_x;\n" } 1 .. 16) . "server { listen 127.0.0.1:%%PORT_0%%; aiobs on; }\n", no_log => 1);

    my $before = () = Aiobs::slurp($log) =~ /\n/g;
    $t->get(0, '/' . 'a' x 400, 'User-Agent', "\xe2\x82\xac \x1b[31m \xff \"q\" \\ %s #012 %msg%", 'X', "\xc3\xa9" x 200) for 1 .. 3;

    my @sent;
    Aiobs::wait_for(sub { (@sent = splice @{[Aiobs::slurp($log) =~ /^(.*)\n/mg]}, $before) == 3 }, 10);
    Aiobs::wait_for(sub { 3 <= (() = Aiobs::slurp("$dir/sys-aiobs.json") =~ /\n/g) }, 10);
    is_deeply([Aiobs::slurp("$dir/sys-aiobs.json") =~ /^(.*)\n/mg], \@sent, 'rsyslog: every line as it was');
    cmp_ok(length $sent[0], '>', 4000, 'long ones');
    $t->kill_wait($pid, 'TERM');
}

# --- the rotation, by Debian's logrotate ---

SKIP: {
    skip('logrotate gives files to others: root only', 5) if $>;

    my $dir = $t->dir;
    my ($rules) = $docs =~ m{^```\n(/var/log/nginx/aiobs\.json .*?)^```$}ms;
    Aiobs::spew("$dir/rotate.conf", $rules =~ s{/var/log/nginx/}{$dir/}r =~ s{/run/nginx\.pid}{$dir/nginx.pid}gr);

    my $rotate = sub { `/usr/sbin/logrotate -f -s $dir/rotate.state $dir/rotate.conf 2>&1` . $? };
    my $before = Aiobs::slurp($log);
    is($rotate->(), '0', 'logrotate takes the rules');
    my ($mode, $gid) = (stat $log)[2, 5];
    is(sprintf('%o %s', $mode & 07777, scalar getgrgid $gid), '640 adm', 'not for all users of the machine');

    # the worker opens it a moment later

    my $n = 0;
    ok(Aiobs::wait_for(sub {
        my $id = 'rotated-' . ++$n;
        $t->get(0, '/', 'X-Request-ID', $id);
        Aiobs::wait_for(sub { grep { Aiobs::slurp($_) =~ /"$id"/ } "$log.1", $log }, 10);
        Aiobs::slurp($log) =~ /"request_id":"rotated-/;
    }, 20), 'nginx writes to the new file');

    my $old = Aiobs::slurp("$log.1");
    is(substr($old, 0, length $before), $before, 'what was is kept');
    is_deeply([($old . Aiobs::slurp($log)) =~ /"request_id":"rotated-(\d+)"/g], [1 .. $n], 'and nothing lost between');
}

# nobody reads these but who they are for: their names are those of the line

my @insights = queries('CloudWatch');
is((grep { !/^(?:fields|\| (?:filter|sort)) / } @insights), 0, 'CloudWatch: commands that it has');
is_deeply([grep { !/^@(?:timestamp|message)$/ && !$member{$_} }
    map { /^fields (.+)/ ? split /, /, $1 : /^\| \w+ (\S+)/ } @insights], [], 'its names are those of the log, or its own');

$t->done;
