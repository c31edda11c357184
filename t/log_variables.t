#!/usr/bin/perl

# Every field of the line is documented and is a variable that says the same,
# in access_log, map and limit_req.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Digest::SHA qw(sha256_hex);
use JSON::PP;
use Test::More;

my ($table) = Aiobs::slurp(Aiobs::root() . '/docs/log.md') =~ /^## Log line\n(.*?)^## /ms;
my @fields = map { /`(\w+)`/g } map { (split /\|/)[1] } $table =~ /^(\| `.*)$/mg;
cmp_ok(scalar(@fields), '>', 40, 'fields are documented');
@fields = grep { $_ ne 'timestamp' } @fields;

my $t = Aiobs->new;
my %key = map { $_ => $t->key($_, "$_-key") } qw(alice bob);

$t->upstream(1, sub {
    my ($req, $c) = @_;

    if ($req->{uri} =~ /fail/) {
        $t->answer($c, 500, ['Content-Type', 'application/json', 'X-Request-Id', 'theirs'],
            '{"error":{"message":"no","type":"server_error"}}');
    } elsif ($req->{body} =~ /"stream":true/) {
        $c->syswrite("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            . "X-Request-Id: theirs\r\nX-Rag-Score: 0.5\r\nConnection: close\r\n\r\n");
        my $chunk = sub { $c->syswrite('data: ' . encode_json({ id => 'c1', model => 'm-1',
            object => 'chat.completion.chunk', @_ }) . "\n\n") };
        $chunk->(choices => [{ index => 0, delta => { content => 'a' } }]);
        select undef, undef, undef, 0.01;
        $chunk->(choices => [{ index => 0, delta => { content => 'b' }, finish_reason => 'stop' }]);
        $chunk->(choices => [], usage => { prompt_tokens => 9, completion_tokens => 4,
            total_tokens => 13, prompt_tokens_details => { cached_tokens => 2 },
            completion_tokens_details => { reasoning_tokens => 1 } });
        $c->syswrite("data: [DONE]\n\n");
    } else {
        $t->answer($c, 200, ['Content-Type', 'application/json'], encode_json({
            id => 'c2', model => 'm-2', object => 'chat.completion',
            choices => [{ index => 0, finish_reason => 'length', message => { content => 'x' } }],
            usage => { prompt_tokens => 7, completion_tokens => 3, total_tokens => 10 } }));
    }
});

my $format = join ',', map { qq("$_":"\$aiobs_$_") } @fields;

$t->start(<<"EOF");
log_format vars escape=json '{$format,"tier":"\$tier"}';
access_log %%DIR%%/vars.json vars;
map \$aiobs_user_id \$tier { volatile; default other; alice gold; }
map \$aiobs_key_id \$limited { volatile; default \$aiobs_user_id; "" ""; }
limit_req_zone \$limited zone=users:1m rate=1r/m;
aiobs_service gw test;
aiobs_key_store sqlite:%%DIR%%/keys.db;
server {
    listen 127.0.0.1:%%PORT_0%%;
    aiobs on;
    location /v1/ {
        aiobs_auth optional;
        aiobs_llm openai;
        aiobs_rag_score \$upstream_http_x_rag_score;
        proxy_pass http://127.0.0.1:%%PORT_1%%;
    }
    location /limited {
        aiobs_auth on;
        limit_req zone=users;
        limit_req_status 429;
        proxy_pass http://127.0.0.1:%%PORT_1%%;
    }
    location /keys { aiobs_keys_api; }
    location / { return 204; }
}
EOF

sub vars_of {
    my ($id) = @_;
    my $found;
    Aiobs::wait_for(sub {
        ($found) = grep { /"request_id":"$id"/ } split /\n/, Aiobs::slurp($t->dir . '/vars.json');
    }, 10);
    return decode_json($found // '{}');
}

my %seen;

sub same {
    my ($id, $name) = @_;
    my ($line, $vars) = ($t->log_of($id), vars_of($id));
    my @wrong;

    for my $field (@fields) {
        my $value = $line->{$field} // '';
        $value = $value ? 'true' : 'false' if JSON::PP::is_bool($value);
        $seen{$field} = 1 if exists $line->{$field};
        push @wrong, "$field: line $value, variable $vars->{$field}"
            if $value ne $vars->{$field} && ($value !~ /^[\d.]+$/
                || abs($value - $vars->{$field}) > ($field eq 'duration' ? 0.05 : 0));
    }

    is("@wrong", '', "$name: line and variables agree");

    my %documented = map { $_ => 1 } @fields, 'timestamp';
    is(join(' ', grep { !$documented{$_} } sort keys %$line), '', "$name: every member is documented");
    return $vars;
}

my @auth = ('Authorization', "Bearer $key{alice}");
my $chat = { model => 'm', messages => [] };

$t->post(0, '/v1/chat/completions', $chat, 'X-Request-ID', 'json', @auth, 'User-Agent', 'test/1');
is(same('json', 'a call')->{tier}, 'gold', 'a map over a variable');
$t->post(0, '/v1/chat/completions', { %$chat, stream => JSON::PP::true },
    'X-Request-ID', 'stream');
is(same('stream', 'a stream')->{tier}, 'other', 'of another user');
$t->post(0, '/v1/chat/completions?fail', $chat, 'X-Request-ID', 'fail');
same('fail', 'a failure');
$t->get(0, '/', 'X-Request-ID', 'none');
same('none', 'no call');
$t->get(0, '/limited', 'X-Request-ID', 'refused');
same('refused', 'a refusal');

$t->keys_cli('set', '--db', $t->store, '--admin', my $id = substr sha256_hex($key{alice}), 0, 12);
$t->get(0, "/keys/$id", 'X-Request-ID', 'keys', @auth);
is(same('keys', 'the keys API')->{target_key_id}, $id, 'the key that was asked about');

# limits by user

is($t->get(0, '/limited', 'Authorization', "Bearer $key{alice}")->{status}, 200, 'limit_req: within');
is($t->get(0, '/limited', 'Authorization', "Bearer $key{alice}")->{status}, 429, 'limit_req: over');
is($t->get(0, '/limited', 'Authorization', "Bearer $key{bob}")->{status}, 200, 'limit_req: another user');

# of what cannot come by here

my %elsewhere = map { $_ => 1 } qw(cache_write_tokens cost_usd upstream_cache_status agent_session end_user_id login_provider);
is(join(' ', grep { !$seen{$_} && !$elsewhere{$_} } @fields), '', 'every field was seen');

$t->done;
