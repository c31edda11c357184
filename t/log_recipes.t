#!/usr/bin/perl

# The commands of the documentation, as they stand there, on a log, an error log
# and a recorder of requests that were made.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my $key = $t->key('alice', 'laptop');

$t->upstream(1, sub {
    my ($req, $c) = @_;
    return $t->answer($c, 500, ['Content-Type', 'application/json'], '{}') if $req->{uri} =~ /fail/;
    $t->answer($c, 200, ['Content-Type', 'application/json'], encode_json({
        id => 'c1', object => 'chat.completion', model => 'gpt-4o-2024-08-06', choices => [],
        usage => { prompt_tokens => 12, completion_tokens => 3, total_tokens => 15 } }));
});

$t->start(<<'EOF_CONF', no_log => 1);
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_log %%DIR%%/aiobs.json;
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
$t->get(0, '/down', 'X-Request-ID', 'down');
Aiobs::wait_for(sub { Aiobs::slurp($t->dir . '/aiobs.json') =~ /"request_id":"down"/ }, 20);

my ($one, $set, $all) = run(recipe('log.md', 'jq', 'asked'));

is(decode_json($one)->{request_id}, 'asked', 'one request by its id');
is($set, '', 'the trace is kept in a variable');
is_deeply([map { "$_->{path} $_->{status_code}" } map { decode_json($_) } split /\n/, $all],
    ['/v1/chat/completions 200', '/v1/chat/completions 200', '/v1/chat/completions 500'],
    'all of the same trace, the first use of the key as well');

my ($errors) = run(recipe('log.md', 'grep', 'down'));
like($errors, qr/connect\(\) failed.*request_id: "down"/, "nginx's error log");

my ($list, $record) = run(recipe('recorder.md', 'jq', 'before'));
is_deeply(decode_json($list), { request_id => 'asked', path => '/v1/chat/completions', error_type => 'server_error' },
    'what failed of a user');
is(decode_json($record)->{input_tokens}, 12, 'one record');

$t->done;
