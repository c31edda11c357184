#!/usr/bin/perl

# aiobs_privacy: addresses cut to their network, users by a keyed hash, alike
# wherever the record is shown.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my $key = $t->key('alice@example.com', 'laptop');

Aiobs::spew($t->dir . '/salt', "pepper\n");

$t->upstream(1, sub {
    my ($req, $c) = @_;
    $t->answer($c, 200, [], $req->{headers}{'x-user-id'} // 'none');
});

my $conf = <<'EOF';
log_format vars '$aiobs_request_id $aiobs_client_ip $aiobs_user_id';
access_log %%DIR%%/vars.log vars;
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_log %%DIR%%/aiobs.json;
aiobs_log %%DIR%%/ecs.json format=ecs;
aiobs_log %%DIR%%/console.txt format=console;
server {
    listen 127.0.0.1:%%PORT_0%%;
    listen unix:%%DIR%%/http;
    aiobs on;
    aiobs_user $http_x_me;
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;
    proxy_connect_timeout 1s;
    location / { proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /on { aiobs_privacy on salt=file:%%DIR%%/salt; aiobs_auth optional;
        proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /random { aiobs_privacy user_id=hash; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /drop { aiobs_privacy client_ip=drop user_id=drop; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /forged { proxy_pass http://127.0.0.1:1; }
    location /down { aiobs_privacy on salt=pepper; proxy_pass http://127.0.0.1:1; }
}
EOF

$t->start($conf);

my $n = 0;

sub ask {
    my ($path, @headers) = @_;
    my $id = 'p' . ++$n;
    my $r = $t->get(0, $path, 'X-Request-ID', $id, @headers);
    return ($t->log_of($id), $r, $id);
}

sub pseudonym { return substr hmac_sha256_hex($_[0], $_[1] // 'pepper'), 0, 16 }

# --- addresses ---

for my $case (
    ['192.0.2.77', '192.0.2.0'], ['2001:db8:1:2:3:4:5:6', '2001:db8:1::'],
    ['::1', '::'], ['::ffff:192.0.2.77', qr/^(?:::ffff:)?192\.0\.2\.0$/],
) {
    my ($ip, $want) = @$case;
    my ($line) = ask('/on', 'X-Real-IP', $ip);
    ref $want ? like($line->{client_ip}, $want, $ip) : is($line->{client_ip}, $want, "$ip is cut");
    ($line) = ask('/', 'X-Real-IP', $ip);
    like($line->{client_ip}, qr/\Q$ip\E$/, 'not unless it is asked for');
}

my ($line, $r, $id) = ask('/drop', 'X-Real-IP', '192.0.2.77', 'X-Me', 'bob');
ok(!exists $line->{client_ip}, 'an address is dropped');
ok(!exists $line->{user_id}, 'a user is dropped');

# --- users ---

($line, $r, $id) = ask('/on', 'X-Me', 'bob', 'X-Real-IP', '192.0.2.77');
is($line->{user_id}, pseudonym('bob'), 'a user by the hash of the salt');
is(pseudonym('bob'), pseudonym('bob', 'pepper'), 'whatever process computes it');

my ($var) = grep { /^\Q$id\E / } split /\n/, Aiobs::slurp($t->dir . '/vars.log');
is($var, "$id 192.0.2.0 " . pseudonym('bob'), 'variables say the same');
like(Aiobs::slurp($t->dir . '/ecs.json'), qr/"http.request.id":"$id".*"user.id":"@{[pseudonym('bob')]}"/, 'ECS');
like(Aiobs::slurp($t->dir . '/console.txt'), qr/request_id=$id .*user_id=@{[pseudonym('bob')]} /, 'console');

($line) = ask('/on');
is($line->{user_id}, 'anon', 'nobody stays anon');

($line, $r) = ask('/on', 'Authorization', "Bearer $key");
is($line->{user_id}, pseudonym('alice@example.com'), 'the user of a key');
is($r->{body}, 'alice@example.com', 'the application is told who it is');
is($line->{key_name}, 'laptop', 'the rest of the key is as it is');

($line) = ask('/', 'X-Me', 'bob');
is($line->{user_id}, 'bob', 'elsewhere as they are');

# nginx's own error log

($line, $r, $id) = ask('/down', 'X-Me', 'bob');
like($t->error_log, qr/connect\(\) failed.*request_id: "$id", user_id: "@{[pseudonym('bob')]}"/,
    "nginx's own error log says the same");

(undef, undef, $id) = ask('/forged', 'X-Me', 'eve", request_id: "of-another\\');
like($t->error_log, qr/request_id: "$id", user_id: "eve\\", request_id: \\"of-another\\\\"$/m, 'nobody forges ids there');
(undef, undef, $id) = ask('/forged', 'X-Me', 'x' x 3000);
like($t->error_log, qr/request_id: "$id", user_id: "x{20,}"?$/m, 'nor takes more than the line');

unlike(Aiobs::slurp($t->dir . "/$_"), qr/alice\@example/, "$_: no user is left")
    for qw(aiobs.json ecs.json console.txt vars.log error.log);

# --- a salt of the zone's own ---

my ($a) = ask('/random', 'X-Me', 'bob', 'X-Real-IP', '192.0.2.77');
like($a->{user_id}, qr/^[0-9a-f]{16}$/, 'without a salt one is made');
isnt($a->{user_id}, pseudonym('bob', ''), 'which is not none');
is($a->{client_ip}, '192.0.2.77', 'only what is asked for');

$t->reload;
my ($b) = ask('/random', 'X-Me', 'bob');
is($b->{user_id}, $a->{user_id}, 'it stays over a reload');

$t->stop;
$t->start;
my ($c) = ask('/random', 'X-Me', 'bob');
isnt($c->{user_id}, $a->{user_id}, 'not over a restart');
($line) = ask('/on', 'X-Me', 'bob');
is($line->{user_id}, pseudonym('bob'), 'which one that is given does');

$t->done;
