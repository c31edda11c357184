#!/usr/bin/perl

# What a key may: until when, where, which models, for whom; and what is said
# of it.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use AiobsKeys;
use Digest::SHA qw(sha256_hex);
use IO::Compress::Gzip qw(gzip);
use JSON::PP;
use POSIX qw(strftime);
use Test::More;

my $t = Aiobs->new;
provider($t, 0);

sub iso { return strftime('%Y-%m-%dT%H:%M:%S.000000', gmtime(time + $_[0])) }

my %key = (
    plain => key_with($t, 'plain'),
    expired => key_with($t, 'expired', expires_at => iso(-5)),
    rotated => key_with($t, 'rotated', models => 'gpt-4o'),
    later => key_with($t, 'later', expires_at => iso(3600)),
    models => key_with($t, 'models', models => 'gpt-4o*,claude-*'),
    endpoints => key_with($t, 'endpoints', endpoints => 'ch?t'),
    acts => key_with($t, 'service', may_act_for => 1,
        labels => '{"team":"red \\"1\\"","tier":"gold"}'),
    broken => key_with($t, 'broken', models => 'x' x 600),
);

Aiobs::spew($t->dir . '/prices.json', encode_json({ map { $_ => { input_cost_per_token => 1e-3,
    output_cost_per_token => 1e-3 } } 'gpt-4o', 'gpt-4o-2024-08-06' }));

my $conf = <<'EOC';
aiobs_zone 8m series=500 keys=200;
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_group_label team;
aiobs_prices %%DIR%%/prices.json;
log_format labels '$aiobs_key_label_team|$aiobs_key_label_tier|$aiobs_key_label_none|$aiobs_end_user_id';
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    access_log %%DIR%%/labels.log labels;
    location /v1/ {
        aiobs_auth on;
        aiobs_llm auto;
        aiobs_endpoint chat;
        aiobs_stream_usage on;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    aiobs_log_field team $aiobs_key_label_team;
    location /model/ {
        aiobs_auth on;
        aiobs_llm bedrock;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /v1beta/ {
        aiobs_auth on;
        aiobs_llm auto;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /page/ {
        aiobs_auth on;
        aiobs_llm auto;
        error_page 403 = @sorry;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location @sorry { return 200 "sorry\n"; }
    location /backup/ {
        aiobs_auth on;
        aiobs_llm auto;
        error_page 403 429 502 = @backup;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location @backup { aiobs_auth on; aiobs_llm auto; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /open/ {
        aiobs_auth on;
        aiobs_llm auto;
        error_page 403 = @open;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location @open { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /try/ { aiobs_auth on; try_files /none @backup; }
    location /any/ {
        satisfy any;
        deny all;
        aiobs_auth on;
        aiobs_endpoint other;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /secret/ {
        aiobs_auth on;
        aiobs_privacy on user_id=hash;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /app { aiobs_auth on; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /metrics { aiobs_metrics; }
}
EOC

$t->start($conf, workers => 2);

sub metric {
    my ($name) = @_;
    my ($n) = $t->get(1, '/metrics')->{body} =~ /^\Q$name\E (\S+)$/m;
    return $n;
}

# --- until when ---

is(call($t, 1, $key{plain})->{status}, 200, 'a key without rules');
is(call($t, 1, $key{later})->{status}, 200, 'a key that expires later');

my $r = call($t, 1, $key{expired});
is($r->{status}, 401, 'an expired key');
is($t->json($r)->{error}{code}, 'invalid_api_key', 'is one like any other');
is(metric('aiobs_refusals_total{endpoint="chat",reason="expired"}'), 1,
    'but counted as expired');
is($t->log_of($r->{headers}{'x-request-id'})->{error_type}, 'expired',
    'and logged');

set_attrs($t, $key{later}, expires_at => iso(1));
my $status;
wait_for(sub { ($status = call($t, 1, $key{later})->{status}) == 401 }, 20);
is($status, 401, 'a key in use expires');

set_attrs($t, $key{expired}, expires_at => iso(3600));
wait_for(sub { ($status = call($t, 1, $key{expired})->{status}) == 200 }, 20);
is($status, 200, 'a later end is noticed');

# --- rotation: both work until the grace period is over ---

my ($id) = sha256_hex($key{rotated}) =~ /^(.{12})/;
chomp(my $next = $t->keys_cli('rotate', '--db', $t->store, $id, '--grace', '1h'));
push @{$t->{secrets}}, $next;
is(call($t, 1, $key{rotated})->{status}, 200, 'a rotated key goes on for a while');
is(call($t, 1, $next)->{status}, 200, 'so does its successor');
set_attrs($t, $key{rotated}, expires_at => iso(0));
wait_for(sub { ($status = call($t, 1, $key{rotated})->{status}) == 401 }, 20);
is($status, 401, 'then it has expired');
is(call($t, 1, $next)->{status}, 200, 'the successor has not');
is(call($t, 1, $next, model => 'gpt-5')->{status}, 403, 'and may no more than it');

# --- which models ---

is(call($t, 1, $key{models})->{status}, 200, 'a model that is allowed');
is(call($t, 1, $key{models}, model => 'gpt-4o-mini')->{status}, 200,
    'by a glob');

$r = call($t, 1, $key{models}, model => 'gpt-5');
is($r->{status}, 403, 'a model that is not');
is($t->json($r)->{error}{code}, 'model_not_allowed', 'in the shape of OpenAI');
is($t->log_of($r->{headers}{'x-request-id'})->{error_type}, 'model', 'logged');

$r = call($t, 1, $key{models}, path => '/v1/messages', model => 'gpt-5');
is($t->json($r)->{error}{type}, 'permission_error', 'and of Anthropic');

$r = call($t, 1, $key{models},
    path => '/v1beta/models/gemini-2.5-pro:generateContent');
is($r->{status}, 403, 'a model in the path of Gemini');
is($t->json($r)->{error}{status}, 'PERMISSION_DENIED', 'in its shape');

is(call($t, 1, $key{models}, path => '/model/amazon.nova/converse')->{status},
    403, 'in the path of Bedrock');
is(call($t, 1, $key{models}, path => '/model/claude-3/converse')->{status},
    200, 'one that is allowed there');
is(call($t, 1, $key{models},
        path => '/v1/openai/deployments/gpt-5/chat/completions')->{status},
    403, 'in the path of Azure, whatever the body says');

my @auth = ('Authorization', "Bearer $key{models}");
my %twisted = (
    'named twice' => '{"model":"gpt-4o","model":"gpt-5"}',
    'named twice, the other way round' => '{"model":"gpt-5","model":"gpt-4o"}',
    'named by another case' => '{"model":"gpt-4o","Model":"gpt-5"}',
    'named by another case before' => '{"MODEL":"gpt-5","model":"gpt-4o"}',
    'named by another case alone' => '{"mOdel":"gpt-4o"}',
    'named with escapes' => '{"model":"gpt-4o","m\u006fdel":"gpt-5"}',
    'behind what is no JSON' => '{"model":"gpt-4o","x":NaN,"model":"gpt-5"}',
    'behind a comment' => '{"model":"gpt-4o"/*,*/,"model":"gpt-5"}',
    'behind a line in a string' => "{\"model\":\"gpt-4o\",\"x\":\"a\nb\",\"model\":\"gpt-5\"}",
    'behind deep nesting' => '{"model":"gpt-4o","x":' . '[' x 600 . ']' x 600 . ',"model":"gpt-5"}',
    'without an end' => '{"model":"gpt-4o"',
    'before another document' => "{\"model\":\"gpt-4o\"}\n{\"model\":\"gpt-5\"}",
    'before what is none' => '{"model":"gpt-4o"}&model=gpt-5',
    'before something far behind' => '{"model":"gpt-4o"}' . ' ' x 100000 . '{"model":"gpt-5"}',
    'and another one in a list' => '[{"model":"gpt-4o"},{"model":"gpt-5"}]',
    'spelled with escapes' => '{"model":"gpt\u002d5"}',
    'not named' => '{"messages":[]}',
    'behind a megabyte' => '{"x":"' . 'y' x 1000000 . '","model":"gpt-5"}',
    'of 200 bytes' => '{"model":"gpt-4o' . 'o' x 200 . '"}',
    'in what is not JSON' => 'model=gpt-4o',
);

for my $how (sort keys %twisted) {
    is($t->post(1, '/v1/chat/completions', $twisted{$how}, @auth)->{status},
        403, "a model $how, $_") for 1 .. 4;            # its form is learned
}

is($t->post(1, '/v1/chat/completions',
        '{"x":"' . 'y' x 100000 . '","model":"gpt\u002d4o"}', @auth)->{status},
    200, 'allowed behind much else, with an escape');
is($t->post(1, '/v1/chat/completions', "\n {\"model\":\"gpt-4o\"} \r\n\t\n", @auth)->{status}, 200,
    'between blanks') for 1 .. 4;
gzip(\'{"model":"gpt-4o"}' => \my $gzipped);
is($t->post(1, '/v1/chat/completions', $gzipped, @auth,
        'Content-Encoding', 'gzip')->{status}, 403, 'in a compressed body');
is($t->get(1, '/v1/models', @auth)->{status}, 200, 'a list of models');

# a path that says nothing: the body does, if it asks for a model

for my $model ('gpt-5', 'gpt-5' . ' ' x 200, 'gpt-4o' . 'x' x 200) {
    is($t->post(1, '/v1/serving-endpoints/x/invocations', qq({"model":"$model"}), @auth)->{status},
        403, 'on a path that says nothing, a model of ' . length $model);
}
is($t->post(1, '/v1/serving-endpoints/x/invocations', '{"model":"gpt-4o"}', @auth)->{status}, 200,
    'one that is allowed');
is($t->post(1, '/v1/serving-endpoints/x/invocations', '{"messages":[]}', @auth)->{status}, 200,
    'none at all');

# forms, as transcriptions are asked for by

sub form {
    my ($body, @type) = @_;
    @type = ('Content-Type', 'multipart/form-data; boundary=xyz') if !@type;
    return $t->request(1, 'POST', '/v1/audio/transcriptions', [@auth, 'X-Request-ID', 'form', @type],
        $body)->{status};
}

sub part {
    my ($name, $value) = @_;
    return qq(--xyz\r\nContent-Disposition: form-data; $name\r\n\r\n$value\r\n);
}

my $sound = part('name="file"; filename="a.wav"', join '', map { chr rand 256 } 1 .. 200000);
my ($allowed, $other) = map { part('name="model"', $_) } qw(gpt-4o-transcribe whisper-1);

is(form("$sound$allowed--xyz--\r\n"), 200, 'a form that names a model that is allowed');
is($t->log_of('form')->{request_model}, 'gpt-4o-transcribe', 'which is logged');
is(form("$allowed$sound--xyz--\r\n"), 200, 'before the file');
is(form("$sound$other--xyz--\r\n"), 403, 'a form that names another');
is(form("$allowed$sound$other--xyz--\r\n"), 403, 'or both');
is(form("$sound--xyz--\r\n"), 403, 'or none');
is(form($allowed . $sound), 403, 'a form without an end');
is(form(qq({"model":"gpt-4o"}\r\n$other--xyz--\r\n)), 403, 'JSON before another form');
is(form(qq({"model":"gpt-4o"}\r\n$other--xyz--\r\n), 'Content-Type', 'application/json',
    'Content-Type', 'multipart/form-data; boundary=xyz'), 403, 'two types of a body');
is(form('{"model":"gpt-4o"}&model=whisper-1', 'Content-Type', 'application/x-www-form-urlencoded'), 403,
    'fields of a form that look like JSON');
is(form('{"model":"gpt-4o"}', 'Content-Type', 'text/plain'), 200, 'JSON by another name');
for my $args ('model=gpt%2D5', 'model=gpt-4o&model=gpt-5', 'model=gpt-5&model=gpt-4o',
    'm%6Fdel=gpt-5', 'x=1&MODEL=gpt-5', 'model=gpt-4o&%4Dodel=gpt-5', 'model[]=gpt-5', 'model%5B0%5D=gpt-5',
    '+model=gpt-5', 'model%20=gpt-5', 'model%00=gpt-5', 'x=1;model=gpt-5', 'model=gpt-4o;model=gpt-5',
    'model', 'model=', 'x=1#&model=gpt-5', '#&model=gpt-5', '&&model=gpt-5', 'model=+gpt-4o', 'x?&model=gpt-5',
    map { my $n = $_; map { $_ x $n . 'model=gpt-5' } '+', '%20', '%00' } 40, 42, 122, 127, 200)
{
    my $shown = $args =~ s/^((?:\+|%\w\w){10,})/length($1) . ' bytes of blanks, '/er;
    is($t->get(1, "/v1/realtime?$args", @auth)->{status}, 403, "a model that is not allowed: ?$shown");
    is($t->post(1, "/v1/chat/completions?$args", '{"model":"gpt-4o"}', @auth)->{status}, 403,
        'whatever the body says') if $args =~ /=/;
}
for my $args ('model=gpt-4o', 'model=gpt-4o&model=gpt-4o-mini', 'model%5F=gpt-5', 'model_version=5', 'x=model=gpt-5',
    'models=gpt-5', 'model=gpt-4o#x', '+' x 119 . 'models=gpt-5', 'x' x 200 . '=gpt-5')
{
    is($t->get(1, "/v1/realtime?$args", @auth)->{status}, 200, "a model that is: ?$args");
}

is(call($t, 1, $key{models}, stream => JSON::PP::true)->{status}, 200,
    'a stream that is to ask for usage');
is(call($t, 1, $key{models}, model => 'gpt-5',
    path => '/page/v1/chat/completions')->{body}, "sorry\n",
    'error_page has the answer');

my $refused = call($t, 1, $key{models}, model => 'gpt-5', path => '/backup/v1/chat/completions');
is($refused->{status}, 403, 'what is refused goes to no location that asks for keys, either');
is($t->json($refused)->{error}{code}, 'model_not_allowed', 'for the same reason');
is(call($t, 1, $key{models}, path => '/backup/v1/chat/completions')->{status}, 200, 'what is not goes');
is(call($t, 1, $key{models}, model => 'gpt-5', path => '/open/v1/chat/completions')->{status}, 200,
    'one that asks for none may have it');
is(call($t, 1, $key{models}, model => 'gpt-5', path => '/try/v1/chat/completions')->{status}, 403,
    'try_files leads round no allow-list');
is(call($t, 1, $key{models}, path => '/try/v1/chat/completions')->{status}, 200, 'but to what is allowed');

# --- where ---

is(call($t, 1, $key{endpoints})->{status}, 200, 'an endpoint that is allowed');
$r = $t->get(1, '/app', 'x-api-key', $key{endpoints});
is($r->{status}, 403, 'one that is not');
is($t->json($r)->{error}{code}, 'endpoint_not_allowed', 'its code');
is(metric('aiobs_refusals_total{endpoint="/app",reason="endpoint"}'), 1,
    'is counted');
is($t->get(1, '/any/', 'x-api-key', $key{endpoints})->{status}, 403,
    'satisfy any: nobody else lets it in');

is(call($t, 1, $key{broken})->{status}, 403,
    'rules that are not understood allow nothing');

set_attrs($t, $key{endpoints}, endpoints => '*');
wait_for(sub { ($status = $t->get(1, '/app', 'x-api-key', $key{endpoints})
    ->{status}) == 200 }, 20);
is($status, 200, 'a changed rule is noticed');

# --- for whom, and labels ---

$r = $t->post(1, '/v1/chat/completions', { model => 'gpt-4o' },
    'x-api-key', $key{acts}, 'X-User-ID', 'customer 7');
my $line = $t->log_of($r->{headers}{'x-request-id'});
is($line->{user_id}, 'service', 'the key has its user');
is($line->{end_user_id}, 'customer 7', 'who acts for another');
is($line->{team}, 'red "1"', 'a label in the line');

$r = $t->get(1, '/secret/', 'x-api-key', $key{acts}, 'X-User-ID', 'customer 7');
like($t->log_of($r->{headers}{'x-request-id'})->{end_user_id},
    qr/^[0-9a-f]{16}$/, 'privacy is his as well');

$r = $t->post(1, '/v1/chat/completions', { model => 'gpt-4o' },
    'x-api-key', $key{plain}, 'X-User-ID', 'root');
is($t->log_of($r->{headers}{'x-request-id'})->{end_user_id}, undef,
    'not everybody may');

ok(wait_for(sub { slurp($t->dir . '/labels.log')
    =~ /^red \\x221\\x22\|gold\|-\|customer 7$/m }, 5), 'labels are variables');

is(metric('llm_group_tokens_total{group="red \"1\"",token_type="input"}'), 10,
    'tokens of a group');
ok(metric('llm_group_tokens_total{group="none",token_type="output"}') > 0,
    'and of keys of no group');
ok(metric('llm_group_cost_usd_total{group="none"}') > 0, 'what they cost');

# --- reload: what is known stays known ---

$t->reload($conf, workers => 2);
rename $t->store, $t->store . '.away';
is(call($t, 1, $key{models}, model => 'gpt-5')->{status}, 403,
    'rules outlive a reload and the store');
is(call($t, 1, $key{models})->{status}, 200, 'what they allow as well');
rename $t->store . '.away', $t->store;

# --- many rules, little memory ---

my @many = map { key_with($t, "many$_", models => "m-$_-*", labels =>
    qq({"email":"user$_\@example.com"})) } 1 .. 20;
is(join(',', map { call($t, 1, $many[$_ - 1], model => "m-$_-x")->{status} }
    1 .. 20), join(',', (200) x 20), 'every key has its own rules');
is(join(',', map { call($t, 1, $many[$_ - 1], model => 'm-0-x')->{status} }
    1 .. 20), join(',', (403) x 20), 'and no others');

for my $name ('', 'a' x 33, 'te am', "te\xc3\xa4m") {
    my ($rc, $out) = $t->check("aiobs_group_label \"$name\"; server { listen 127.0.0.1:%%PORT_2%%; }");
    like($out, qr/invalid name "\Q$name\E" of "aiobs_group_label": a label of keys is expected, 1 to 32 letters/, "no label's name: $name");
    isnt($rc, 0, 'it is refused');
    isnt(($t->keys_cli(qw(create --user ann --db), $t->store, '--label', "$name=x"))[0], 0, 'and no key can have it');
}

my $longest = 'a-b_c.d' . 'e' x 25;
is(($t->check("aiobs_group_label $longest; server { listen 127.0.0.1:%%PORT_2%%; }"))[0], 0, 'the longest name');
is(($t->keys_cli(qw(create --user ann --db), $t->store, '--label', "$longest=x"))[0], 0, 'which a key can have');

$t->done;
