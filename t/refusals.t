#!/usr/bin/perl

# Who has no valid key is refused, at once, as the provider's SDK expects.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(spew);
use MIME::Base64 qw(encode_base64);
use Test::More;

my $t = Aiobs->new;

$t->upstream(2, sub { $t->answer($_[1], 200, ['Content-Type', 'text/html; charset=utf-8', 'X-Accel-Redirect', '@kept'], '') });
$t->upstream(0, sub {
    my ($req, $c) = @_;
    $t->answer($c, 200, ['Content-Type', 'text/plain'],
        join "\n", $req->{uri}, @{$req->{lines}});
});

my $key = $t->key('alice', 'one');
my $other = $t->key('carol', 'two');
my $revoked = $t->key('bob', 'old');
my ($id) = $t->keys_cli('list', '--db', $t->store, '--user', 'bob')
    =~ /\b([0-9a-f]{12})\b/;
is(($t->keys_cli('revoke', '--db', $t->store, $id))[0], 0, 'a key is revoked');

spew($t->dir . '/passwords', "joe:{PLAIN}secret\n");

$t->start(<<'EOF');
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_thread_pool default;
log_format secrets '$request|$request_uri|$args|$http_authorization';
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    access_log %%DIR%%/access.log secrets;

    location / {
        aiobs_auth on;
        aiobs_llm auto;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /optional/ {
        aiobs_auth optional;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /query/ {
        aiobs_auth on;
        aiobs_auth_query on;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /password-any/ {
        satisfy any;
        auth_basic x;
        auth_basic_user_file %%DIR%%/passwords;
        aiobs_auth on;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /password-all/ {
        auth_basic x;
        auth_basic_user_file %%DIR%%/passwords;
        aiobs_auth on;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /rewritten/ {
        aiobs_auth on;
        rewrite ^/rewritten/(.*)$ /$1?t=1? break;
        proxy_pass http://127.0.0.1:%%PORT_0%%$request_uri;
    }
    location /by-address/ { satisfy any; allow 127.0.0.1; deny all; aiobs_auth on; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /basic/ { aiobs_auth on; aiobs_auth_key $remote_user; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /named/ { aiobs_auth optional; aiobs_user $http_x_who; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /query-any/ {
        satisfy any;
        allow 127.0.0.1;
        deny all;
        aiobs_auth on;
        aiobs_auth_query on;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /query-page/ {
        aiobs_auth on;
        aiobs_auth_query on;
        error_page 401 = @unasked;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location @unasked { aiobs_auth off; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /own/ {
        aiobs_auth on;
        aiobs_auth_key $http_x_gateway_key;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /page/ {
        aiobs_auth on;
        error_page 401 = @login;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location @login { return 200 "please log in\n"; }
    location /any/ {
        satisfy any;
        allow 127.0.0.1;
        deny all;
        aiobs_auth on;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /any-denied/ {
        satisfy any;
        deny all;
        aiobs_auth on;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /all/ {
        deny all;
        aiobs_auth on;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /auth { internal; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /asked/ {
        aiobs_auth on;
        auth_request /auth;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /metrics { aiobs_metrics; }
    location /led/ { proxy_pass http://127.0.0.1:%%PORT_2%%; }
    location /missing/ { error_page 404 @kept; root %%DIR%%; }
    location /masked/ { error_page 404 =200 @kept; root %%DIR%%; }
    location @kept { aiobs_auth on; proxy_pass http://127.0.0.1:%%PORT_0%%; }
}
EOF

my $n = 0;

sub get {
    my ($path, @headers) = @_;
    $n++;
    my $r = $t->get(1, $path, 'X-Request-ID', "r$n", @headers);
    $r->{line} = $t->log_of("r$n");
    return $r;
}

# 401, one answer for all, the reason in the log

my $unknown = 'sk-' . 'A' x 43;
push @{$t->{secrets}}, $unknown;

my @cases = (
    ['no key', 'missing_key'],
    ['an empty one', 'missing_key', 'Authorization', 'Bearer '],
    ['another scheme', 'missing_key', 'Authorization', 'Basic YTpi'],
    ['a malformed key', 'unknown_key', 'Authorization', 'Bearer x'],
    ['an unknown key', 'unknown_key', 'x-api-key', $unknown],
    ['a revoked key', 'revoked', 'api-key', $revoked],
    ['a very long key', 'unknown_key', 'x-goog-api-key', 'k' x 7000],
    ['two that disagree', 'unknown_key', 'x-api-key', $key,
        'Authorization', "Bearer $unknown"],
);

for my $case (@cases) {
    my ($name, $reason, @headers) = @$case;

    my $r = get('/v1/chat/completions', @headers);
    my $e = eval { $t->json($r)->{error} } || {};

    is($r->{status}, 401, "$name: 401");
    is($e->{code}, 'invalid_api_key', "$name: OpenAI's code");
    is($e->{message}, 'Missing or invalid API key.', "$name: nothing given away");
    like($r->{headers}{'www-authenticate'} // '', qr/^Bearer/, "$name: challenged");
    is($r->{headers}{'x-request-id'}, "r$n", "$name: has its id");
    is($r->{line}{event}, 'auth_refused', "$name: logged");
    is($r->{line}{error_type}, $reason, "$name: with the reason");
    is($r->{line}{level}, 'warning', "$name: as a warning");
    is($r->{line}{upstream_addr}, undef, "$name: the upstream is not asked");
}

my $r = get('/v1/messages', 'x-api-key', 'nope');
my $j = $t->json($r);
is($j->{type}, 'error', "Anthropic's shape");
is($j->{error}{type}, 'authentication_error', "Anthropic's type");
is($j->{request_id}, "r$n", 'with the request id');

$r = get('/v1beta/models/gemini-2.5-flash:generateContent', 'x-goog-api-key', 'no');
$r = $t->request(1, 'POST', '/v1beta/models/gemini-2.5-flash:generateContent',
    ['x-goog-api-key', 'no'], '{}');
is($t->json($r)->{error}{status}, 'UNAUTHENTICATED', "Google's shape");

$r = $t->request(1, 'POST', '/v1/chat/completions', [], 'x' x 200000);
is($r->{status}, 401, 'a large body of a refused request is no trouble');

# accepted

for my $h (['Authorization', "Bearer $key"], ['authorization', "bearer $key"],
    ['x-api-key', $key], ['api-key', $key], ['x-goog-api-key', $key])
{
    $r = get('/v1/models', @$h, 'X-Other', "has $key in it", 'X-User-ID', 'mallory',
        'Cookie', "a=$key");
    is($r->{status}, 200, "$h->[0] is accepted");
    unlike($r->{body}, qr/\Q$key\E/, 'and reaches the upstream nowhere');
    unlike($r->{body}, qr/mallory/, 'nor does a name that the client gave itself');
    is($r->{line}{user_id}, 'alice', 'the user is known');
}

$r = get('/optional/', 'Authorization', "Bearer $key");
like($r->{body}, qr/^X-User-ID: alice$/m, 'an application is told the user');
like($r->{body}, qr/^X-Key-Name: one$/m, 'and the name of the key');
like($r->{body}, qr/^traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00$/m, 'and the trace');

# optional

$r = get('/optional/', 'Authorization', 'Bearer my-own');
is($r->{status}, 200, 'an unknown key passes where keys are optional');
like($r->{body}, qr/^Authorization: Bearer my-own$/m, 'untouched');
is($r->{line}{user_id}, 'anon', 'as anon');
is(get('/optional/')->{status}, 200, 'so does none');
is(get('/optional/', 'x-api-key', $revoked)->{status}, 401, 'a revoked one does not');
is(get('/optional/', 'Authorization', "Bearer $key", 'x-api-key', 'my-own')->{status}, 401, 'nor do two that disagree');

# an unknown key stays here, and what is one by chance takes no other line along

$r = get('/query-any/', 'x-api-key', 'a', 'Content-Type', 'application/json');
like($r->{body}, qr/^Content-Type: application\/json$/m, 'a short key that nobody has: other lines go on');
unlike($r->{body}, qr/^x-api-key/mi, 'its own does not');

# a key as the user of Basic

$r = get('/basic/', 'Authorization', 'Basic ' . encode_base64("$key:", ''));
is("$r->{status} $r->{line}{user_id}", '200 alice', 'a key in Basic');
unlike($r->{body}, qr/^Authorization:/mi, 'which the upstream does not get');
is(get('/basic/', 'Authorization', 'Basic ' . encode_base64("$other-x:", ''))->{status}, 401, 'or none');

# a user that the configuration names

$r = get('/named/', 'x-api-key', $key, 'X-Who', "it is $key");
is($r->{line}{user_id}, 'alice', 'a user that has the key in it is none');
is(get('/named/', 'X-Who', 'joe')->{line}{user_id}, 'joe', 'another is');

# beside passwords of nginx's own

my @joe = ('Authorization', 'Basic am9lOnNlY3JldA==');

for my $case (['any', 'a password', 200, @joe], ['any', 'a key', 200, 'Authorization', "Bearer $key"],
    ['any', 'both', 200, @joe, 'x-api-key', $key], ['any', 'neither', 401],
    ['any', 'a password and a revoked key', 200, @joe, 'x-api-key', $revoked],
    ['any', 'another password', 401, 'Authorization', 'Basic am9lOm90aGVy'],
    ['all', 'both', 200, @joe, 'x-api-key', $key], ['all', 'a key', 401, 'x-api-key', $key],
    ['all', 'a password', 401, @joe])
{
    my ($which, $name, $status, @lines) = @$case;
    $r = get("/password-$which/", @lines);
    is($r->{status}, $status, "satisfy $which: $name");
    unlike($r->{body}, qr/^(?:Authorization|x-api-key):/mi, 'the upstream has neither') if $status == 200;
}

# the query string

is(get("/query/?key=$key")->{status}, 200, 'a key in the query');
$r = get("/query/?a=1&key=$key&b=%20");
like($r->{body}, qr{^/query/\?a=1&b=%20$}m, 'is taken out of it');
is(get("/v1/models?key=$key")->{status}, 401, 'only where that is on');
is(get("/query/?key=$key&key=$key")->{status}, 200, 'a key twice');
like(get("/rewritten/x?a=1&b=$key&c", 'x-api-key', $key)->{body}, qr{^/rewritten/x\?a=1&c$}m, 'of what the client sent, after a rewrite as well');
like(get("/query/?a=1&", 'x-api-key', $key)->{body}, qr{^/query/\?a=1&$}m, 'without it all stays as it is');
is(get("/by-address/?key=$key")->{status}, 200, 'a key where none is looked for');
is(get("/query/?key=$key&key=$other")->{status}, 401, 'two keys that disagree');
is(get("/query/?key=&KEY=$key&key=sk-other")->{status}, 401, 'in whatever case');

for my $path ('/query-any/', '/query-page/') {
    $r = get("$path?a=1&key=$revoked&key=$key");
    is($r->{status}, 200, "$path: two keys where the request goes on refused");
    like($r->{body}, qr{^\Q$path\E\?a=1$}m, 'do not go with it');
    $r = get("$path?key=$revoked&b=2");
    like($r->{body}, qr{^\Q$path\E\?b=2$}m, 'nor does one that is revoked');
    $r = get("$path?k%65y=$revoked&d=4");
    like($r->{body}, qr{^\Q$path\E\?d=4$}m, 'nor an argument whose name is coded');
}

# a header of one's own

$r = get('/own/', 'X-Gateway-Key', $key, 'Authorization', 'Bearer mine');
is($r->{status}, 200, 'a key from another header');
like($r->{body}, qr/^Authorization: Bearer mine$/m, 'leaves the standard ones alone');
unlike($r->{body}, qr/\Q$key\E/, 'and goes no further itself');

# behind an error_page

for my $path ('/missing/', '/masked/') {
    $r = get($path . 'x');
    is($r->{status}, 401, "$path: a refusal has its own status, not that of error_page");
    is($r->{line}{status_code}, 401, 'in the log as well');
    is(get($path . 'x', 'x-api-key', $key)->{status}, $path eq '/masked/' ? 200 : 404,
        'which is for who may pass');
}

# nginx's own ways

$r = get('/page/');
is($r->{status}, 200, 'error_page is obeyed');
is($r->{body}, "please log in\n", 'with its page');
is(get('/page/', 'x-api-key', $key)->{status}, 200, 'and not in the way of a key');

$r = get('/any/');
is($r->{status}, 200, 'satisfy any: the address is enough');
is($r->{line}{event}, 'request', 'that is no refusal');
ok(!exists $r->{line}{error_type}, 'and no error');
unlike($t->get(1, '/metrics')->{body}, qr/aiobs_refusals_total\{endpoint="\/any\/"/, 'nor is it counted');
is(get('/any-denied/')->{status}, 401, 'satisfy any: nothing is enough');
like($t->get(1, '/metrics')->{body}, qr/aiobs_refusals_total\{endpoint="\/any-denied\/",reason="missing_key"\} 1$/m,
    'that is counted');
is(get('/any-denied/', 'x-api-key', $key)->{status}, 200, 'satisfy any: the key is');
is(get('/all/', 'x-api-key', $key)->{status}, 403, 'satisfy all: both are needed');

$r = get('/asked/', 'x-api-key', $key);
is($r->{status}, 200, 'auth_request goes on');
unlike($r->{body}, qr/\Q$key\E/, 'without the key');

# a refusal is what it says, whatever led to it

$r = get('/led/');
is($r->{status}, 401, 'X-Accel-Redirect to where keys are asked for');
is($r->{headers}{'content-type'}, 'application/json', 'the type is that of the refusal');

# nobody wants the body of a request that is refused

like($t->raw(1, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"),
    qr/^HTTP\/1\.1 401 /, 'no 100 before a 401');
like($t->raw(1, "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"),
    qr/^HTTP\/1\.1 401 .*\r\nConnection: close\r\n/s,
    'and the connection ends: what comes next may be the body or another request');

# counted

my $m = $t->get(1, '/metrics')->{body};
like($m, qr/^aiobs_refusals_total\{endpoint="\/",reason="missing_key"\} [3-9]/m,
    'refusals are counted');
like($m, qr/^aiobs_refusals_total\{endpoint="\/optional\/",reason="revoked"\} 1$/m,
    'by endpoint and reason');

$t->done;
