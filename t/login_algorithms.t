#!/usr/bin/perl

# A real OpenID provider signs ID tokens by each algorithm that it has, and the
# gateway knows them all.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use AiobsLogin;
use Aiobs;
use Test::More;

my @algs = qw(PS256 PS384 PS512 RS384 RS512 ES256 ES384 ES512 EdDSA Ed25519);

my $t = Aiobs->new;
AiobsLogin->provider($t, 2, redirect => join(',http://127.0.0.1:' . $t->port(1), map { "/$_/callback" } @algs),
    env => { ALGS => join ',', @algs });

$t->key('somebody');
$t->start('aiobs_zone 4m series=100 keys=100; aiobs_key_store sqlite:%%DIR%%/keys.db;'
    . join('', map { "aiobs_oidc_provider $_ { issuer http://127.0.0.1:%%PORT_2%%; client_id aiobs:$_;"
        . ' client_secret "very secret/+%&="; allow_domain example.com;'
        . " redirect_uri http://127.0.0.1:%%PORT_1%%/$_/callback; }" } @algs)
    . 'server { listen 127.0.0.1:%%PORT_1%%; aiobs on;'
    . join('', map { "location /$_ { aiobs_login $_; }" } @algs) . '}');

for my $alg (@algs) {
    my $r = AiobsLogin->browser($t, 1)->login("/$alg", accept => 'application/json');
    is($r->{status}, 200, "signed by $alg") or diag($r->{body}, $t->error_log =~ /^.*refused.*$/mg);
    push @{$t->{secrets}}, $t->json($r)->{api_key} // 'none';
}

Aiobs::done();
