#!/usr/bin/perl

# A person signs in with Chromium: forms of the provider, the page with the
# key, its button, the way back when something went wrong.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp wait_for);
use AiobsLogin;
use AiobsPeers;
use Test::More;

my $t = Aiobs->new;
AiobsLogin->provider($t, 2, env => { ASK => 1 });

$t->key('somebody');
$t->start(<<'EOF');
aiobs_zone 4m series=100 keys=100;
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_oidc_provider google {
    issuer http://127.0.0.1:%%PORT_2%%;
    client_id aiobs:1;
    client_secret "very secret/+%&=";
    redirect_uri http://127.0.0.1:%%PORT_1%%/auth/google/callback;
    allow_domain example.com;
}
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /auth/google { aiobs_login google; }
    location / { aiobs_auth on; try_files /nothing =404; }
}
EOF

my $gateway = 'http://127.0.0.1:' . $t->port(1);
my $said = AiobsPeers::script($t, 'login.mjs', "$gateway/auth/google", 'frank');

for my $time (qw(first second)) {
    my $page = $said->{$time} || {};
    like($page->{key}, qr/^sk-[\w-]{43}$/, "$time time: a key") or diag(slurp($t->dir . '/login.mjs.out'));
    is($page->{copied}, $page->{key}, "$time time: the button copies it");
    is($page->{title}, 'Your API key', "$time time: the page says so");
    like($page->{text}, qr/You are signed in as frank\@example\.com\./, "$time time: and who it is");
    push @{$t->{secrets}}, $page->{key} // 'none';
}

isnt($said->{first}{key}, $said->{second}{key}, 'another key each time');
is($t->get(1, '/', 'x-api-key', $said->{second}{key})->{status}, 404, 'the last one opens');
is_deeply($said->{console}{complaints}, [], 'the page keeps its own policy');
is($said->{script}{ran}, 0, 'which lets no other script run');
is_deeply($said->{cookies}{cookies}, [], 'no cookie is left');
is($said->{$_}{title}, 'This sign-in is over, or began in another browser', $_) for qw(replay other);
unlike($said->{$_}{text}, qr/sk-/, "$_: no key") for qw(replay other);
is_deeply($said->{asked}{origins}, [], 'it asks nobody for anything');

Aiobs::done();
