#!/usr/bin/perl

# People sign in at a real OpenID provider and get a key: the flow from its
# start to a key that opens, and what goes wrong on the way.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use AiobsLogin;
use Digest::SHA qw(sha256_hex sha256_base64);
use Test::More;

my $t = Aiobs->new;
my $op = AiobsLogin->provider($t, 2);
my $work = AiobsLogin->provider($t, 3, redirect => '/firm/back',
    env => { USERINFO => 1, POST => 1 });

$t->upstream(0, sub {
    my ($req, $c) = @_;
    $t->answer($c, 200, [], join "\n", @{$req->{lines}});
});

$t->key('somebody');
spew($t->dir . '/secret', "very secret/+%&=\n");
spew($t->dir . '/cookie', 'c' x 32);
$ENV{AIOBS_TEST_SECRET} = 'very secret/+%&=';

my $conf = <<'EOF';
aiobs_zone 4m series=300 keys=100;
aiobs_key_store sqlite:%%DIR%%/keys.db;
log_format all '$request $request_uri $args $query_string $arg_code $arg_state $http_cookie';
access_log %%DIR%%/access.log combined;
aiobs_oidc_provider google {
    issuer http://127.0.0.1:%%PORT_2%%;
    client_id aiobs:1;
    client_secret file:%%DIR%%/secret;
    redirect_uri http://127.0.0.1:%%PORT_1%%/auth/google/callback;
    allow_domain Example.com;
    allow_email Carol@elsewhere.test;
    timeout 3s;
}
aiobs_oidc_provider work {
    issuer http://127.0.0.1:%%PORT_3%%;
    client_id aiobs:1;
    client_secret env:AIOBS_TEST_SECRET;
    redirect_uri http://127.0.0.1:%%PORT_1%%/firm/back;
    scopes openid email profile;
    allow_domain *;
    key_name "work key";
    user_id email;
    grace 1h;
    refresh 1s;
    cookie_secret file:%%DIR%%/cookie;
}
aiobs_oidc_provider secure {
    issuer http://127.0.0.1:%%PORT_2%%;
    client_id aiobs:1;
    client_secret x;
    client_auth post;
    redirect_uri https://gw.example.com/secure/callback;
    allow_domain example.com;
}
server {
    listen 127.0.0.1:%%PORT_1%%;
    listen 127.0.0.1:%%PORT_4%% http2;
    aiobs on;
    aiobs_auth on;
    location /auth/google { aiobs_login google; access_log %%DIR%%/all.log all; }
    location = /work { aiobs_login work; }
    location ~ ^/firm/ba { aiobs_login work; }
    location /secure { aiobs_login secure; }
    location / {
        aiobs_forward identity;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /metrics { aiobs_auth off; aiobs_metrics; }
}
EOF

$t->start($conf);

my @secret = ('very secret', 'very%20secret', 'very+secret');
my @json = (accept => 'application/json');

sub browser { return AiobsLogin->browser($t, 1) }

sub key_of {
    my ($r) = @_;

    my ($key) = $r->{body} =~ /(sk-[\w-]{43})/ or return '';
    push @{$t->{secrets}}, $key;
    return $key;
}

sub opens {
    my ($key) = @_;

    return $t->get(1, '/', 'Authorization', "Bearer $key");
}

sub code_of {
    my ($url) = @_;

    my ($code) = $url =~ /[?&]code=([^&]+)/;
    push @secret, $code if $code;
    return $code;
}

sub refused {
    my ($r, $status, $code, $name) = @_;

    is($r->{status}, $status, "$name: status");
    like($r->{body}, qr/(?:"code":"|<small>)\Q$code\E\b/, "$name: $code");
    unlike($r->{body}, qr/sk-/, "$name: no key");
    push @main::refused, $code;
    return;
}

# --- the start ---

my $r = Aiobs::parse_response($t->raw(1, "GET /auth/google HTTP/1.1\r\n"
    . "Host: evil.test\r\nConnection: close\r\n\r\n"));
is($r->{status}, 302, 'the start sends to the provider');
like($r->{headers}{location}, qr{^http://127\.0\.0\.1:@{[$t->port(2)]}/auth\?
    response_type=code&client_id=aiobs%3A1&
    redirect_uri=http%3A%2F%2F127\.0\.0\.1%3A@{[$t->port(1)]}%2Fauth%2Fgoogle%2Fcallback&
    scope=openid%20email&state=[\w-]{43}&nonce=[\w-]{43}&
    code_challenge=[\w-]{43}&code_challenge_method=S256$}x,
    'with the redirect_uri of the configuration, whatever Host says');
like($r->{headers}{'set-cookie'}, qr{^aiobs_login_google\.[\w-]{8}=[\w-]{75};
    \ Path=/;\ Max-Age=600;\ HttpOnly;\ SameSite=Lax$}x, 'and a cookie');
is($r->{headers}{'cache-control'}, 'no-store', 'nobody keeps it');

my ($state, $nonce) = $r->{headers}{location} =~ /state=([^&]+)&nonce=([^&]+)/;
$r = $t->get(1, '/auth/google/');
unlike($r->{headers}{location}, qr/\Q$state\E|\Q$nonce\E/, 'each start is its own');

$r = $t->get(1, '/secure');
like($r->{headers}{'set-cookie'}, qr{^__Host-aiobs_login_secure\.[\w-]{8}=[^;]+;\ Path=/;.*;\ Secure$}x,
    'https: the cookie is for this host and https alone');

is($t->get(1, '/auth/google/other')->{status}, 404, 'no other path');
$r = $t->post(1, '/auth/google', '');
is("$r->{status} $r->{headers}{allow}", '405 GET', 'nor another method');
like($t->get(1, '/auth/google?login_hint=a%22b')->{headers}{location},
    qr/&login_hint=a%22b$/, 'login_hint is passed on');
unlike($t->get(1, '/auth/google?login_hint=a"b')->{headers}{location},
    qr/login_hint/, 'not one that is not escaped');

# --- a key ---

my $b = browser();
my $url = $b->callback('/auth/google?login_hint=alice');
my $used = $url;
code_of($url);
$r = $b->go($url, @json);
is($r->{status}, 200, 'alice signs in');
is($r->{headers}{'content-type'}, 'application/json', 'a program gets JSON');
my $first = key_of($r);
is_deeply($t->json($r), { api_key => $first, email => 'alice@example.com' },
    'the key and the address');
is($r->{headers}{'cache-control'}, 'no-store', 'nobody keeps it');
like($r->{headers}{'set-cookie'}, qr/^aiobs_login_google\.[\w-]{8}=; .*Max-Age=0/, 'the cookie goes');

my $line = $t->log_of($r->{headers}{'x-request-id'});
is($line->{event}, 'logged_in', 'the log tells it');
is($line->{login_provider}, 'google', 'with the provider');
is($line->{user_id}, 'alice', 'the user');
is($line->{key_name}, 'google-oauth', 'the name of the key');
is($line->{key_id}, substr(sha256_hex($first), 0, 12), 'and its id');

$r = opens($first);
is($r->{status}, 200, 'the key opens at its first use');
like($r->{body}, qr/^X-User-ID: alice\r?$/m, 'its user is the subject');
like($r->{body}, qr/^X-Key-Name: google-oauth\r?$/m, 'its name that of the provider');
like(`sqlite3 @{[$t->store]} "select actor, action from key_events"`,
    qr/^login:google\|logged_in$/m, 'it is among the events of keys');

# --- a page ---

$r = $b->login('/auth/google?login_hint=alice');
my $second = key_of($r);
isnt($second, $first, 'the next login gives another key');
is($r->{headers}{'content-type'}, 'text/html; charset=utf-8', 'a browser gets a page');
like($r->{body}, qr{<b>alice\@example\.com</b>.*<code\ id="key">\Q$second\E</code>
    .*<button.*Your\ key\ from\ before\ no\ longer\ works}xs, 'it shows the key');
unlike($r->{body}, qr/\bsrc=|\bhref=|url\(|\@import/i, 'it asks for nothing');
is($r->{headers}{'referrer-policy'}, 'no-referrer', 'its address goes nowhere');

my $csp = $r->{headers}{'content-security-policy'};
my ($style) = $r->{body} =~ m{<style>(.*)</style>}s;
my ($script) = $r->{body} =~ m{<script>(.*)</script>}s;
like($csp, qr/style-src 'sha256-\Q@{[sha256_base64($style)]}\E='/, 'its style is allowed');
like($csp, qr/script-src 'sha256-\Q@{[sha256_base64($script)]}\E='/, 'its script is');
like($csp, qr/^default-src 'none'.*frame-ancestors 'none'/, 'nothing else');

is(opens($second)->{status}, 200, 'the new key opens');
wait_for(sub { opens($first)->{status} == 401 }, 20);
is(opens($first)->{status}, 401, 'the one before does not');

# --- another provider: userinfo, client_secret_post, the address as user ---

my $w = browser();
$r = $w->login('/work?login_hint=bob', @json);
my $bob = key_of($r);
is($t->json($r)->{email}, 'bob@example.com', 'userinfo has the address');
like(opens($bob)->{body}, qr/^X-User-ID: bob\@example\.com\r?$/m, 'which is the user');
like(opens($bob)->{body}, qr/^X-Key-Name: work key\r?$/m, 'the key has the name given');
$r = $w->login('/work?login_hint=bob');
like($r->{body}, qr/works for 60 more minutes/, 'with grace the page says so');
is(opens(key_of($r))->{status}, 200, 'the next key opens');
is(opens($bob)->{status}, 200, 'the one before as well');
refused(browser()->login('/work?login_hint=mallory'), 403, 'email', 'not verified, by userinfo');

# --- who is let in ---

is(browser()->login('/auth/google?login_hint=carol', @json)->{status}, 200, 'an address that is listed');
key_of(browser()->login('/auth/google?login_hint=carol', @json));
refused(browser()->login('/auth/google?login_hint=eve'), 403, 'not_allowed', 'another domain');
refused(browser()->login('/auth/google?login_hint=mallory', @json), 403, 'email', 'not verified');
refused(browser()->login('/auth/google?login_hint=nobody', @json), 403, 'email', 'no address');

$r = browser()->login('/auth/google?login_hint=deny', @json);
refused($r, 403, 'denied', 'the person says no');
is($r->{headers}{'content-type'}, 'application/problem+json', 'a program gets a problem');
is_deeply([sort keys %{$t->json($r)}], [sort qw(type title status detail code request_id)],
    'with all that belongs to one');
$line = $t->log_of($r->{headers}{'x-request-id'});
is($line->{event}, 'login_refused', 'the log tells it');
is($line->{error_type}, 'denied', 'with the reason');

$r = browser()->login('/auth/google?login_hint=eve');
like($r->{body}, qr{<a\ href="http://127\.0\.0\.1:@{[$t->port(1)]}/auth/google">Sign\ in\ again</a>}x,
    'a page says what to do');
push @main::refused, 'not_allowed';

# --- attacks ---

$b = browser();
$b->go('/auth/google');
refused($b->go($used), 400, 'state', 'an answer to another login');
refused(browser()->go($used), 400, 'cookie', "another browser's answer");

# an error of the provider is told by its code, in no words of its own

for my $case (['invalid_scope', 502, 'provider', 'invalid_scope'],
    ['unauthorized_client', 502, 'client', 'unauthorized_client'],
    ["<b>\n[crit] forged", 502, 'provider', 'the provider answered with an error of its own'])
{
    my ($error, $status, $code, $reason) = @$case;
    $error =~ s/(\W)/sprintf '%%%02x', ord $1/ge;
    $url = $b->callback('/auth/google') =~ s/code=[^&]+/error=$error&error_description=<b>\%0aforged/r;
    $r = $b->go($url);
    refused($r, $status, $code, "the provider says $error");
    unlike($r->{body}, qr/<b>|forged/, 'the page does not repeat it');
    like($t->error_log, qr/refused: $code: \Q$reason\E, client/, 'the log has a reason');
}
unlike($t->error_log, qr/forged/, 'none of the provider');

$b = browser();
$url = $b->callback('/auth/google?login_hint=alice');
code_of($url);
my ($cookie) = $b->cookies('google');
my $thief = browser();
$thief->go('/auth/google');
refused($thief->go($url), 400, 'state', 'stolen by another browser');
refused($b->go($url =~ s/state=./state=_/r), 400, 'state', 'another state');
refused($b->go($url =~ s/state=[^&]+/state=x/r), 400, 'state', 'a short state');
refused($b->go($url =~ s/state=[^&]+&?//r), 400, 'request', 'no state');
refused($b->go("$url&state=x"), 400, 'request', 'state twice');
refused($b->go("$url&code=x"), 400, 'request', 'code twice');
refused($b->go($url . '&state%3Dx' . '&error=a%00b'), 400, 'request', 'a NUL');
for my $i (0, 10, 25, 40, 60, 74) {
    my $bad = $cookie;
    my $at = index($cookie, '=') + 1 + $i;
    substr($bad, $at, 1) = substr($bad, $at, 1) eq 'A' ? 'B' : 'A';
    refused($b->go($url, cookie => $bad), 400, 'cookie', "cookie changed at $i");
}
$w = browser();
$w->go('/work');
refused($b->go($url, cookie => ($cookie =~ s/=.*//r) . ($w->cookies('work'))[0] =~ s/.*=/=/r),
    400, 'cookie', "another provider's cookie");
$r = $b->go($url, cookie => $cookie);
is($r->{status}, 200, 'after all of that the right one still works');
key_of($r);
refused($b->go($url, cookie => $cookie), 400, 'replay', 'but once');

# several tabs of a browser, each with a login of its own

$b = browser();
my @tabs = map { $b->callback('/auth/google?login_hint=alice') } 1 .. 6;
code_of($_) for @tabs;
is(scalar(my @kept = $b->cookies('google')), 4, 'a browser keeps a few of them');
my %kept = map { /\.(.{8})=/ => 1 } @kept;
my @over = grep { !/state=(.{8})/ || !$kept{$1} } @tabs;
my @open = reverse grep { /state=(.{8})/ && $kept{$1} } @tabs;
is($open[0], $tabs[5], 'the last of them, too');
refused($b->go($_), 400, 'state', 'others are over') for @over;
for my $n (1, 3, 0, 2) {
    $r = $b->go($open[$n]);
    is($r->{status}, 200, "tab $n is signed in, whichever began later");
    key_of($r);
}
is_deeply([$b->cookies('google')], [], 'no cookie is left');
refused($b->go($_), 400, 'cookie', 'none is used again') for @open;
refused($b->go($open[2], cookie => join '; ', @kept), 400, 'replay', 'whatever is sent along');

# what is not ours goes first; only names like ours are looked at

$b = browser();
my @odd = ((map { "aiobs_login_google.planted$_=x" } 1 .. 2), 'aiobs_login_google.=x', 'aiobs_login_google=x',
    'aiobs_login_google.sh=x', 'aiobs_login_google.(odd);..=x', 'aiobs_login_work.12345678=x',
    map { "aiobs_login_google.plante_$_=x" } 1 .. 3);
$r = $b->go('/auth/google', cookie => join '; ', @odd);
is(join(' ', map { $_->[1] =~ /^([^=]+)=;/ } grep { $_->[0] eq 'set-cookie' } @{$r->{all}}),
    'aiobs_login_google.planted1 aiobs_login_google.planted2', 'the first of many that cannot be read');
$url = $b->follow($r->{headers}{location}, until => qr/callback\?/);
code_of($url);
$r = $b->go($url, cookie => join '; ', @odd, $b->cookies('google'));
is($r->{status}, 200, 'they are in nobody\'s way');
key_of($r);
my @crowd = map { sprintf 'aiobs_login_google.%08d=%s', $_, 'x' x 75 } 1 .. 70;
$r = $b->go('/auth/google', cookie => join '; ', @crowd);
is(scalar(grep { $_->[0] eq 'set-cookie' } @{$r->{all}}), 62, 'many of them, some of which go next time');

$url = $b->callback('/auth/google');
code_of($url);
refused($b->go($url =~ s/iss=[^&]+/iss=http%3A%2F%2Fevil.test/r), 400, 'issuer',
    "another provider's answer");
$url = $b->callback('/auth/google');
code_of($url);
refused($b->go($url =~ s/&iss=[^&]+//r), 400, 'issuer', 'no iss, where it is promised');
$url = $b->callback('/auth/google');
refused($b->go($url =~ s/code=[^&]+&//r), 400, 'request', 'no code');
$url = $b->callback('/auth/google');
refused($b->go($url =~ s/code=[^&]+/'code=' . 'x' x 7169/er), 400, 'request', 'endless code');

# browsers look at what people may open next, others at what is linked

my @guesses = ('Sec-Purpose: prefetch;prerender', 'Purpose: Prefetch', 'X-Moz: prefetch', 'X-Purpose: preview');
$b = browser();
for my $line (@guesses) {
    $r = $b->go('/auth/google', lines => [$line]);
    is("$r->{status} " . ($r->{headers}{'set-cookie'} // ''), '204 ', "a login is not begun by $line");
}
$url = $b->callback('/auth/google');
code_of($url);
for my $n (0 .. $#guesses) {
    $r = $b->go($url, lines => [$guesses[$n], "X-Request-ID: guess$n"]);
    is($r->{status}, 204, "nor ended by $guesses[$n]");
    is($t->log_of("guess$n")->{event}, 'request', 'or logged as one');
}
my $path = $url =~ s{^http://[^/]+}{}r;
for my $method (qw(HEAD POST)) {
    $r = $t->request(1, $method, $path, ['X-Request-ID', "by$method", 'Cookie', join '; ', $b->cookies('google')], '');
    is($r->{status}, 405, "nor by $method");
    is($t->log_of("by$method")->{event}, 'request', 'which is none in the log either');
}
$r = $b->go($url, lines => ['If-None-Match: *', 'If-Match: "x"']);
is($r->{status}, 200, 'but by whoever comes then, and gets the key on no condition');
key_of($r);

my $old = code_of($used);
$url = $b->callback('/auth/google');
refused($b->go($url =~ s/code=[^&]+/code=$old/r, @json), 400, 'code', 'a code used before');
my $other = code_of(browser()->callback('/auth/google?login_hint=alice'));
$url = $b->callback('/auth/google');
refused($b->go($url =~ s/code=[^&]+/code=$other/r), 400, 'code',
    "another browser's code: PKCE");
$r = $t->get(1, '/secure/callback?code=x&state=y');
is($r->{status}, 400, 'a callback that is made up');

# --- reload, restart ---

$b = browser();
$url = $b->callback('/auth/google');
code_of($url);
ok($t->reload, 'nginx is reloaded');
$r = $b->go($url, @json);
is($r->{status}, 200, 'a login that began before goes on');
key_of($r);

my $metrics = $t->get(1, '/metrics')->{body};
like($metrics, qr/^aiobs_logins_total\{provider="google",result="state"\} 6$/m,
    'refusals are counted by reason');
like($metrics, qr/^aiobs_logins_total\{provider="work",result="ok"\} 2$/m, 'logins, too');

$w = browser();
$url = $w->callback('/work?login_hint=dave');
$t->stop;
$t->start;
$r = $w->go($url, @json);
is($r->{status}, 200, 'with cookie_secret even after a restart');
key_of($r);

# --- the store is locked ---

my $locker = $t->spawn(['/usr/bin/python3', '-c', "import sqlite3, time\n"
    . "c = sqlite3.connect('@{[$t->store]}', isolation_level=None, timeout=20)\n"
    . "c.execute('BEGIN IMMEDIATE')\nopen('@{[$t->dir]}/locked', 'w').close()\ntime.sleep(60)\n"]);
$b = browser();
$url = $b->callback('/auth/google');
wait_for(sub { -e $t->dir . '/locked' }, 20);
refused($b->go($url), 503, 'store', 'the key cannot be saved');
$t->kill_wait($locker, 'KILL');
is($b->login('/auth/google', @json)->{status}, 200, 'then it can');

# --- the provider is down, comes back with a new key of the same id ---

$url = $b->callback('/auth/google');
$op->stop;
$r = $b->go($url);
refused($r, 502, 'provider', 'the provider is down');
like($r->{body}, qr/Try again in a minute/, 'the page says what to do');
is($t->get(1, '/auth/google')->{status}, 302, 'what it said of itself is remembered');
$op->start;
$r = $b->login('/auth/google', @json);
is($r->{status}, 200, 'its new key is fetched');
key_of($r);

$work->stop;
ok(wait_for(sub { $t->get(1, '/work'); $t->error_log =~ /provider "work": .*going on/ }, 10),
    'metadata that cannot be refreshed serves on');
is($t->get(1, '/work')->{status}, 302, 'the start works with it');

# --- logs ---

$url = browser()->callback('/auth/google') =~ s{^http://[^/]+}{http://127.0.0.1:@{[$t->port(4)]}}r;
code_of($url);
like(`curl -s --http2-prior-knowledge '$url'`, qr/<small>cookie/, 'a callback by HTTP/2');
ok(wait_for(sub { slurp($t->dir . '/all.log')
    =~ m{^GET /auth/google/callback\?\* HTTP/2\.0 /auth/google/callback - - - - }m }, 5),
    'whose arguments are hidden as well');

my %seen = map { $_ => 1 } @main::refused;
for my $reason (sort keys %seen) {
    like($t->error_log, qr/login with "(?:google|work)" refused: $reason: /,
        "the error log gives the reason: $reason");
}

like(slurp($t->dir . '/access.log'), qr{"GET /firm/back\?\* HTTP/1\.1" 200}, 'arguments are masked');
like(slurp($t->dir . '/all.log'),
    qr{^GET /auth/google/callback\?\* HTTP/1\.1 /auth/google/callback - - - - }m,
    'in every variable');

# malformed before anybody has looked at them

my $lost = 'callback?code=c0de-of-nobody&state=st4te';
like($t->raw(1, "GET /auth/g$_\r\n\r\n"), qr/^HTTP\/1\.1 [45]0\d /, 'a malformed callback')
    for "oogle/$lost HTTP/9.9", "oogle/$lost HTTP/1.1", "oogle/$lost HTTP/1.1\r\nHost: a\r\nBad Header",
        "%6fogle/$lost HTTP/1.1\r\nHost: a\r\nBad Header", "oogle/x%zz/$lost HTTP/1.1", "oogle/$lost c0de HTTP/1.1";
$t->connect(1)->syswrite("GET /auth/google/$lost HTTP/1.1\r\nHost: a\r\n");
ok(wait_for(sub { (() = slurp($t->dir . '/access.log') =~ m{"GET /auth/g\S*callback\?\*[^"]*" [45]0}g) >= 7 }, 5),
    'is logged without its arguments');
unlike(slurp($t->dir . '/access.log'), qr/c0de-of-nobody|st4te/, 'neither code nor state');

my $all = join '', $metrics, $t->get(1, '/metrics')->{body}, map { slurp($t->dir . "/$_") }
    qw(error.log access.log all.log aiobs.json nginx.out);
my @found = grep { index($all, $_) >= 0 } @secret;
push @found, $all =~ /(.*\beyJ[\w-]+.*)/g;            # how tokens begin
is("@found", '', 'no code, token or secret of the client is in any log');

Aiobs::done();
