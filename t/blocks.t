#!/usr/bin/perl

# "if" and "limit_except" in a location that this module answers itself: it
# goes on to do so, with the configuration of the location.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp);
use Test::More;

my $t = Aiobs->new;
$t->upstream(3, sub { $t->answer($_[1], 204, [], '') });

my ($rc, $admin) = $t->keys_cli('create', '--db', $t->store, '--user', 'root', '--admin');
chomp $admin;
push @{$t->{secrets}}, $admin;

$t->start(<<'EOF');
aiobs_zone 4m series=300 keys=100;
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_recorder 16;
aiobs_oidc_provider dead {
    issuer http://127.0.0.1:%%PORT_2%%;
    client_id aiobs;
    client_secret x;
    redirect_uri http://127.0.0.1:%%PORT_1%%/auth/callback;
    allow_domain example.com;
    timeout 2s;
}
log_format args '$request $args';
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    access_log %%DIR%%/args.log args;

    location /auth {
        aiobs_login dead;
        if ($arg_if) { set $x 1; }
        if ($arg_code) { set $x 1; }
    }
    location /auth/except { aiobs_login dead; limit_except POST { allow all; } }
    location /keys { aiobs_keys_api; if ($arg_if) { set $x 1; } }
    location /keys/except { aiobs_keys_api; limit_except GET { allow 127.0.0.1; deny all; } }
    location /keys/read { aiobs_keys_api; limit_except GET { deny all; } }
    location /metrics { aiobs_metrics created; if ($arg_if) { set $x 1; } }
    location /metrics/except { aiobs_metrics; limit_except POST { allow all; } }
    location /requests { aiobs_requests; if ($arg_user) { set $x 1; } }
    location /requests/except { aiobs_requests; limit_except POST { allow all; } }

    # something else answers there

    location /other { aiobs_metrics; if ($arg_if) { return 204; } }
    location /empty { aiobs_keys_api; if ($arg_if) { proxy_pass http://127.0.0.1:%%PORT_3%%; } }
    location /taken { aiobs_metrics; empty_gif; limit_except POST { allow all; } }
    location /metrics/below { aiobs_metrics; location /metrics/below/none { } }
}
EOF

my @key = ('Authorization', "Bearer $admin");
my $user = '{"user_id":"u"}';

sub post { my ($path) = @_;
    my $r = $t->request(1, 'POST', $path, [@key, 'Content-Type', 'application/json'], $user);
    push @{$t->{secrets}}, $r->{body} =~ /(sk-[\w-]{43})/;
    return $r->{status};
}

for my $path ('/auth', '/auth?if=1', '/auth/except') {
    my $r = $t->get(1, $path);
    is($r->{status}, 502, "$path: the provider was asked");
}

is($t->get(1, '/auth/callback?code=sEcRet&state=s')->{status}, 400, 'a callback');
unlike(slurp($t->dir . '/args.log'), qr/sEcRet/, 'whose code is in no log');

is(post($_), 201, "$_: a key is made") for '/keys', '/keys?if=1', '/keys/except';
is(post('/keys/read'), 403, 'or is not, where "limit_except" denies it');
is($t->get(1, '/keys/read', @key)->{status}, 200, 'what it excepts is answered');

for my $path ('/keys', '/keys?if=1') {
    my $r = $t->get(1, $path);
    is($r->{status}, 401, "$path: not without a key");
    is($r->{headers}{'content-type'}, 'application/problem+json', 'as this API says it');
}

for my $path ('/metrics', '/metrics?if=1') {
    like($t->get(1, $path, 'Accept', 'application/openmetrics-text')->{body},
        qr/_created/, "$path: with its parameters");
}

is($t->get(1, '/metrics/except')->{status}, 200, 'metrics where "limit_except" allows it');
is($t->get(1, $_)->{status}, 200, $_) for '/requests', '/requests?user=nobody', '/requests/except';

unlike($t->get(1, '/metrics')->{body}, qr{^http_requests_total\{handler="/metrics}m,
    'scrapes are no requests');

is($t->get(1, '/other?if=1')->{status}, 204, 'an "if" may answer otherwise');
is($t->get(1, '/empty?if=1', @key)->{status}, 204, 'by another handler');
is($t->get(1, '/taken')->{status}, 404, 'what another module took does not come back in "limit_except"');
is($t->request(1, 'POST', '/taken', [], '')->{status}, 405, 'nor beside it');
like($t->get(1, '/metrics')->{body}, qr{^http_requests_total\{handler="/taken"}m, 'and its requests are counted');
is($t->get(1, '/metrics/below/none')->{status}, 404, 'a nested location is its own');

$t->done;
