#!/usr/bin/perl

# A provider that lies, stalls or breaks: no key comes of it, nobody else waits,
# and nothing it sends gets into a log.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use AiobsLogin;
use Digest::SHA qw(sha256_hex);
use IO::Select;
use JSON::PP;
use MIME::Base64 qw(encode_base64url);
use Test::More;
use Time::HiRes qw(time);

my $t = Aiobs->new;
AiobsLogin->provider($t, 2, script => 'hostile-op.mjs');

my $dir = $t->dir;
$t->certificate('tls');
AiobsLogin->provider($t, 3, script => 'hostile-op.mjs',
    env => { TLS => "$dir/tls" });

my @metadata = qw(issuer no-token number scheme clear user lines long jwks-garbage
    jwks-endless bell garbage array twice deep 500 404 redirect file truncated reset
    not-http endless slow drip);
my %place = map { $_ => $_ =~ s/-//gr } @metadata, 'null', 'bom';

sub provider {
    my ($name, $path) = @_;

    return <<EOF;
aiobs_oidc_provider $name {
    issuer http://127.0.0.1:%%PORT_2%%$path;
    client_id aiobs;
    client_secret "client secret";
    redirect_uri http://127.0.0.1:%%PORT_1%%/$name/callback;
    allow_domain example.com;
    timeout @{[$path =~ /slow|drip/ ? '500ms' : '30s']};
}
EOF
}

$t->key('somebody');
$t->start('aiobs_zone 4m series=300 keys=100; aiobs_key_store sqlite:%%DIR%%/keys.db;'
    . provider('op', '') . provider('down', '') =~ s/issuer \S+;/issuer http:\/\/127.0.0.1:1;/r
    . provider('tls', '') =~ s/issuer \S+;/issuer https:\/\/127.0.0.1:%%PORT_3%%; ca_file %%DIR%%\/tls.pem;/r
    . provider('stranger', '') =~ s/issuer \S+;/issuer https:\/\/127.0.0.1:%%PORT_3%%;/r
    . provider('stall', '/slow') =~ s/500ms/2s/r
    . provider('kept', '') =~ s/timeout 30s;/timeout 30s; grace 1h; user_id email;/r
    . join('', map { provider($place{$_}, "/$_") } @metadata, 'null', 'bom')
    . 'server { listen 127.0.0.1:%%PORT_1%%; aiobs on;'
    . join('', map { "location /$_ { aiobs_login $_; }" } 'op', 'down', 'stall', 'tls', 'stranger', 'kept',
        values %place)
    . 'location = /plain { aiobs off; } location = /metrics { aiobs_metrics; } }');
spew($t->dir . '/html/plain', "here\n");

# the answer to a callback with a code that asks for what is wrong

sub ask {
    my (%ask) = @_;

    my $at = delete $ask{at} // '/op';
    my $accept = delete $ask{accept} // 'application/json';
    my $leave = delete $ask{leave};
    my $b = AiobsLogin->browser($t, 1);
    my $r = $b->go($at);
    my ($state, $nonce) = ($r->{headers}{location} // '') =~ /&state=([^&]+)&nonce=([^&]+)/
        or return $r;
    my $code = encode_base64url(encode_json({ nonce => $nonce, %ask }));

    return $b->go("$at/callback?code=$code&state=$state", accept => $accept, leave => $leave);
}

sub refused {
    my ($r, $code, $name) = @_;

    my $got = eval { decode_json($r->{body})->{code} } // $r->{body};
    is($got, $code, "$name: $code");
    return;
}

# --- tokens ---

my $r = ask();
is($r->{status}, 200, 'an honest answer') or diag($r->{raw});
like($r->{body}, qr/"api_key":"sk-/, 'gives a key');
is(ask(mode => 'es256')->{status}, 200, 'signed by ES256');
is(ask(mode => 'eddsa')->{status}, 200, 'signed by EdDSA');
is(ask(mode => 'at-hash-right')->{status}, 200, 'with at_hash');
is(ask(claims => { aud => ['aiobs'] })->{status}, 200, 'a list of one audience');
is(ask(claims => { aud => ['aiobs', 'x'], azp => 'aiobs' })->{status}, 200,
    'several, and azp');
is(ask(claims => { email_verified => 'true' })->{status}, 200, 'a boolean in quotes');
is(ask(claims => { hd => 'example.com' })->{status}, 200, 'hd');

my $now = int time;
my %wrong = (
    'alg none' => [mode => 'none'],
    'HS256 by the public key' => [mode => 'hs256-pem'],
    'HS256 by the client secret' => [mode => 'hs256-secret'],
    'unknown kid' => [mode => 'unknown-kid'],
    "a stranger's key of that name" => [mode => 'stranger'],
    'a signature that is cut' => [mode => 'cut'],
    'at_hash of another token' => [mode => 'at-hash'],
    'a huge token' => [mode => 'huge'],
    'no ID token' => [mode => 'no-id-token'],
    'an ID token that is a number' => [mode => 'number'],
    'iss of another' => [claims => { iss => 'https://accounts.google.com' }],
    'iss with a slash more' => [claims => { iss => 'http://127.0.0.1:' . $t->port(2) . '/' }],
    'no iss' => [without => ['iss']],
    'aud of another' => [claims => { aud => 'other' }],
    'aud of others' => [claims => { aud => ['other', 'more'] }],
    'two of aud, no azp' => [claims => { aud => ['aiobs', 'other'] }],
    'azp of another' => [claims => { azp => 'other' }],
    'azp is a number' => [claims => { azp => 1 }],
    'no aud' => [without => ['aud']],
    'expired' => [claims => { exp => $now - 130 }],
    'no exp' => [without => ['exp']],
    'exp in quotes' => [claims => { exp => '9999999999' }],
    'exp of ages' => [claims => { exp => 1e300 }],
    'iat in the future' => [claims => { iat => $now + 200 }],
    'iat before the login' => [claims => { iat => $now - 200 }],
    'no iat' => [without => ['iat']],
    'nbf in the future' => [claims => { nbf => $now + 200 }],
    'another nonce' => [claims => { nonce => 'x' x 43 }],
    'a short nonce' => [claims => { nonce => 'x' }],
    'no nonce' => [without => ['nonce']],
    'no sub' => [without => ['sub']],
    'an empty sub' => [sub => ''],
    'an endless sub' => [sub => 'x' x 300],
    'a sub with a line break' => [sub => "a\r\nX-User-ID: root"],
    'sub is a number' => [claims => { sub => 7 }],
);

for my $name (sort keys %wrong) {
    refused(ask(@{$wrong{$name}}), 'token', $name);
}

my %person = (
    'email_verified is false' => [email => claims => { email_verified => JSON::PP::false }],
    'email_verified is 1' => [email => claims => { email_verified => 1 }],
    'no email_verified' => [email => without => ['email_verified'], userinfo => { sub => 'alice',
        email => 'alice@example.com' }],
    'no address' => [email => without => ['email'], userinfo => { sub => 'alice' }],
    'an address without a domain' => [email => claims => { email => 'alice' }],
    'two domains' => [email => claims => { email => 'a@evil.test@example.com' }],
    'an address with a tag' => [email => claims => { email => '<b>a</b>@example.com' }],
    'an address with a line break' => [email => claims => { email => "a\n\@example.com" }],
    'an endless address' => [email => claims => { email => 'a' x 200 . '@example.com' }],
    'another domain' => [not_allowed => claims => { email => 'a@evil.test' }],
    'a domain that ends alike' => [not_allowed => claims => { email => 'a@evilexample.com' }],
    'a domain under it' => [not_allowed => claims => { email => 'a@x.example.com' }],
    'hd of another' => [not_allowed => claims => { hd => 'evil.test' }],
    'hd is a list' => [not_allowed => claims => { hd => ['example.com'] }],
);

for my $name (sort keys %person) {
    my ($code, @ask) = @{$person{$name}};
    refused(ask(@ask), $code, $name);
}

# --- the key of the login before ---

sub key_of {
    my ($key) = $_[0]{body} =~ /(sk-[\w-]{43})/ or return '';
    push @{$t->{secrets}}, $key;
    return $key;
}

sub cli {
    my ($command, $key, @args) = @_;
    my ($rc, $out, $err) = $t->keys_cli($command, '--db', $t->store, @args, substr sha256_hex($key), 0, 12);
    is($rc, 0, "aiobs-keys $command") or diag($err);
    return $out;
}

sub shown { return decode_json(cli('show', $_[0], '--json')) }

my $lent = key_of(ask(at => '/kept', sub => 'lent'));
cli('set', $lent, '--rpm', '7');
my $handed = key_of({ body => cli('rotate', $lent, '--grace', '1h') });
cli('set', $handed, '--rpm', '3');
my $again = key_of(ask(at => '/kept', sub => 'lent'));
is(shown($again)->{limits}{rpm}, 3, 'what an administrator rotated is what a login goes on with');
is(shown($handed)->{replaced_by}, substr(sha256_hex($again), 0, 12), 'it is replaced');
isnt(shown($lent)->{replaced_by}, substr(sha256_hex($again), 0, 12), 'not the one before that');

cli('revoke', $again);
$r = ask(at => '/kept', sub => 'lent', accept => 'text/html');
unlike($r->{body}, qr/key from before/, 'a revoked key is not said to work for an hour');
is(shown($again)->{state}, 'revoked', 'nor does it');
is(shown(key_of($r))->{limits}{rpm}, 3, 'the next one has its limits');

key_of(ask(at => '/kept', sub => 'moved', claims => { email => 'old@example.com' }));
$r = ask(at => '/kept', sub => 'moved', claims => { email => 'New@example.com' });
my $moved = key_of($r);
is(shown($moved)->{user_id}, 'new@example.com', 'the user follows the address');
is(shown($moved)->{labels}{email}, 'new@example.com', 'the label too');
is($t->log_of($r->{headers}{'x-request-id'})->{user_id}, 'new@example.com', 'the log says so');

cli('set', $moved, '--user', 'team 5', '--name', 'shared', '--label', 'email=team@example.com');
$r = ask(at => '/kept', sub => 'moved', claims => { email => 'last@example.com' });
my $s = shown(key_of($r));
is("$s->{user_id}, $s->{name}, $s->{labels}{email}", 'team 5, shared, team@example.com',
    'but what an administrator has set stays');
my $l = $t->log_of($r->{headers}{'x-request-id'});
is("$l->{user_id}, $l->{key_name}", 'team 5, shared', 'and the log names whose key it is');

# --- userinfo ---

is($t->get(1, '/null')->{status}, 302, 'a provider whose userinfo is null has none');
is($t->get(1, '/bom')->{status}, 302, 'metadata and keys with a byte order mark');
is(ask(at => '/bom', claims => { iss => 'http://127.0.0.1:' . $t->port(2) . '/bom' })->{status}, 200,
    'are understood');

my @quiet = (without => ['email', 'email_verified']);
my %info = (sub => 'alice', email => 'alice@example.com', email_verified => JSON::PP::true);

is(ask(@quiet, userinfo => \%info)->{status}, 200, 'userinfo has the address');
is(ask(without => ['email_verified'], userinfo => \%info)->{status}, 200,
    'userinfo knows that it is verified');
is(ask(claims => { email => undef, hd => undef, azp => undef, nbf => undef }, userinfo => \%info)->{status},
    200, 'null is as good as nothing');
refused(ask(claims => { hd => 'evil.test' }, @quiet, userinfo => \%info), 'not_allowed',
    'hd of the ID token counts all the same');
refused(ask(claims => { email_verified => JSON::PP::false }, userinfo => \%info), 'email',
    'userinfo is not asked for another opinion');
refused(ask(@quiet, userinfo => { %info, sub => 'bob' }), 'token', 'userinfo of another');
refused(ask(@quiet, userinfo => { %info, email_verified => JSON::PP::false }), 'email',
    'userinfo: not verified');
refused(ask(@quiet, userinfo => { mode => $_ }), 'provider', "userinfo: $_")
    for qw(500 garbage array reset endless redirect);
refused(ask(@quiet, mode => 'no-access', userinfo => \%info), 'provider', 'no access token');
refused(ask(@quiet, mode => 'lines', userinfo => \%info), 'provider',
    'an access token with a line break');

is(ask(@quiet, mode => 'long-access', userinfo => \%info)->{status}, 200, 'a long access token');

# --- the token endpoint ---

is(ask(pad => 'x' x 5000)->{status}, 200, 'a code as long as those of Azure AD B2C');

refused(ask(mode => $_), 'provider', "token endpoint: $_") for qw(garbage array twice deep 500
    404 redirect file truncated reset not-http endless);
refused(ask(mode => 'headers'), 'token', 'token endpoint: endless headers');
refused(ask(error => 'invalid_grant'), 'code', 'the code is not taken');
refused(ask(error => 'invalid_client', status => 401), 'client', 'we are not known');
refused(ask(error => "x\n[crit] forged"), 'provider', 'an error that is none');

# --- metadata ---

for my $mode (grep { !/slow|drip/ } @metadata) {
    $r = $t->get(1, "/$place{$mode}", 'Accept', 'application/json');
    refused($r, 'provider', "metadata: $mode");
}

refused($t->get(1, '/down', 'Accept', 'application/json'), 'provider', 'nobody there');

# --- slow: it ends in time, and nobody else waits ---

for my $mode (qw(slow drip)) {
    my $early;

    # where the machine has no time, the provider may be given up before: once more then

    for (1 .. 20) {
        my @waiting = map {
            my $s = $t->connect(1);
            $s->syswrite("GET /$place{$mode} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n"
                . "Connection: close\r\n\r\n");
            $s;
        } 1 .. 4;
        is($t->get(1, '/plain')->{body}, "here\n", "$mode: others are served meanwhile");
        $early = () = IO::Select->new(@waiting)->can_read(0);
        refused(Aiobs::parse_response(Aiobs::read_all($_)), 'provider', $mode) for @waiting;
        last if !$early;
    }

    is($early, 0, "$mode: before the provider is given up");
}

# a browser that does not wait for its provider gets no key

sub keys_of { return scalar split /\n/, `sqlite3 @{[$t->store]} "SELECT hash FROM api_keys WHERE user_id LIKE '$_[0]'"` }

my $had = keys_of('%');
ask(at => '/kept', mode => 'late', leave => 0.3);
ok(wait_for(sub { $t->error_log =~ /login with "kept" refused: left: the client has left/ }, 5), 'a browser that has left');
is(keys_of('%'), $had, 'no key is made');
like($t->get(1, '/metrics')->{body}, qr/^aiobs_logins_total\{provider="kept",result="left"\} 1$/m, 'it is counted');
is(ask(at => '/kept', mode => 'late')->{status}, 200, 'one that waits');
is(keys_of('%'), $had + 1, 'gets one');

# clients that do not wait for it, and more than may wait

my @gone = map {
    my $s = $t->connect(1);
    $s->syswrite("GET /stall HTTP/1.1\r\nHost: x\r\n\r\n");
    $s;
} 1 .. 129;
ok(wait_for(sub { $t->error_log =~ /refused: busy/ }, 5), 'one too many is told so');
close $_ for @gone;
is($t->get(1, '/plain')->{body}, "here\n", 'nginx serves on');
ok(wait_for(sub { ask()->{status} == 200 }, 20), 'logins go on when those are done');

# --- a reload meanwhile, and the end ---

my $patient = $t->connect(1);
$patient->syswrite("GET /stall HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n\r\n");
is($t->get(1, '/plain')->{status}, 200, 'somebody waits');
ok($t->reload, 'nginx is reloaded meanwhile');
refused(Aiobs::parse_response(Aiobs::read_all($patient)), 'provider', 'who waited is answered');

# --- new keys ---

sub fetched {
    my ($what) = @_;
    return decode_json(AiobsLogin->browser($t, 2)->go('/fetched')->{body})->{$what // 'jwks'};
}

is(ask(mode => 'new-key')->{status}, 200, 'a new key under a new name is fetched')
    or diag('fetched ', fetched());
is(ask(mode => 'newer-key')->{status}, 200, 'so is one that comes right after it');
is(ask(mode => 'new-key')->{status}, 200, 'and if that is taken back');
my $before = fetched();
refused(ask(mode => 'unknown-kid'), 'token', 'unknown kid') for 1 .. 20;
cmp_ok(fetched() - $before, '<=', 5, 'keys are not fetched for every wrong token');

# many at once, and when what is asked for does not come

sub at_once {
    my (%ask) = @_;

    my @c = map {
        my $b = AiobsLogin->browser($t, 1);
        my ($state, $nonce) = $b->go('/kept')->{headers}{location} =~ /&state=([^&]+)&nonce=([^&]+)/;
        my $code = encode_base64url(encode_json({ nonce => $nonce, %ask }));
        my $c = $t->connect(1);
        $c->syswrite("GET /kept/callback?code=$code&state=$state HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            . "Cookie: @{[$b->cookies('kept')]}\r\n\r\n");
        $c;
    } 1 .. 4;
    Aiobs::read_all($_) for @c;
    return;
}

is($t->get(1, '/kept')->{status}, 302, 'the keys are known');
AiobsLogin->browser($t, 2)->go('/failing/500');
$before = fetched('metadata');
at_once(mode => 'unknown-kid') for 1 .. 4;
is(fetched('metadata') - $before, 5, 'nor when they cannot be fetched');
AiobsLogin->browser($t, 2)->go('/failing/');

# --- TLS ---

is($t->get(1, '/tls')->{status}, 302, 'a provider with a certificate of ca_file');
refused($t->get(1, '/stranger', 'Accept', 'application/json'), 'provider',
    'one with a certificate that nobody knows');

# --- logs ---

my $all = join '', $t->get(1, '/metrics')->{body}, map { slurp($t->dir . "/$_") }
    qw(error.log access.log aiobs.json nginx.out);
unlike($all, qr/eyJ|client secret|secret text/, 'no token and no secret in any log');
unlike($all, qr/^\S+ \[crit\] forged/m, 'no line that a provider wrote');
unlike($all =~ s/"user_id":"(?:\w+\@example\.com)"//gr, qr/\w\@[\w.]*example\.com|@.*evil/,
    'nor an e-mail address, but where it is the user');

my $last = $t->connect(1);
$last->syswrite("GET /stall HTTP/1.1\r\nHost: x\r\n\r\n");
is($t->get(1, '/plain')->{status}, 200, 'somebody waits when nginx is stopped');
$t->stop('TERM');

Aiobs::done();
