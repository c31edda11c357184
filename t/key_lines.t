#!/usr/bin/perl

# A key that comes in a line of other things: the key goes, the rest stays, and
# nginx's own variables have it no more.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;

my $t = Aiobs->new;

$t->upstream(0, sub {
    my ($req, $c) = @_;
    $t->answer($c, 200, ['Content-Type', 'text/plain'], join "\n", $req->{uri}, @{$req->{lines}});
});

my $key = $t->key('alice', 'one');
my $second = $t->key('alice', 'two');
my $revoked = $t->key('bob', 'old');
my ($id) = $t->keys_cli('list', '--db', $t->store, '--user', 'bob') =~ /\b([0-9a-f]{12})\b/;
is(($t->keys_cli('revoke', '--db', $t->store, $id))[0], 0, 'a key is revoked');

$t->start(<<'EOF');
aiobs_key_store sqlite:%%DIR%%/keys.db;
map $http_x_gateway_key $early { default 1; }
log_format lines escape=none '$request_id|$http_cookie|$cookie_gw|$cookie_sid|$http_x_gateway_key|$http_x_other|$http_x_forwarded_for|$http_x_api_key|$http_authorization|$http_user_agent|$http_referer|$http_via';
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    access_log %%DIR%%/access.log lines;
    aiobs_auth_key $cookie_gw;

    location / { aiobs_auth on; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /early/ {
        aiobs_auth on;
        if ($http_cookie = nothing) { return 404; }
        if ($cookie_sid = nothing) { return 404; }
        if ($http_x_other = nothing) { return 404; }
        if ($http_x_forwarded_for = nothing) { return 404; }
        proxy_set_header X-All $http_cookie;
        proxy_set_header X-Gw $cookie_gw;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /header/ {
        aiobs_auth on;
        aiobs_auth_key $http_x_gateway_key;
        if ($early = 2) { return 404; }
        proxy_set_header X-Gw $http_x_gateway_key;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /whole/ { aiobs_auth on; aiobs_auth_key $http_cookie; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /optional/ { aiobs_auth optional; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /late/ { try_files /none @late; }
    location @late { aiobs_auth on; proxy_pass http://127.0.0.1:%%PORT_0%%; }
}
server {
    listen 127.0.0.1:%%PORT_2%%;
    aiobs on;
    access_log %%DIR%%/access.log lines;
    location /two/ {
        aiobs_auth on;
        if ($http_x_api_key = nothing) { return 404; }
        if ($http_authorization = nothing) { return 404; }
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /two-optional/ {
        aiobs_auth optional;
        if ($http_x_api_key = nothing) { return 404; }
        if ($http_authorization = nothing) { return 404; }
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
}
EOF

my $n = 0;

# what the upstream saw of a name, and what access_log has

sub seen {
    my ($path, @headers) = @_;

    $n++;

    my $r = $t->get($path =~ /two/ ? 2 : 1, "$path$n", @headers);

    return { %$r, log => '' } if $r->{status} != 200;
    my %seen;
    push @{$seen{lc $1}}, $2 while $r->{body} =~ /^([\w-]+): (.*?)\r?$/mg;

    return { %$r, map { $_ => join ' + ', @{$seen{$_}} } keys %seen };
}

sub logged {
    Aiobs::wait_for(sub { (my @l = split /\n/, Aiobs::slurp($t->dir . '/access.log')) >= $n }, 10);
    my ($line) = reverse split /\n/, Aiobs::slurp($t->dir . '/access.log');
    return (split /\|/, $line, -1)[1 .. 11];
}

for my $case (
    ["gw=$key; sid=abc", 'sid=abc'],
    ["sid=abc; gw=$key", 'sid=abc'],
    ["a=1;gw=$key;sid=abc; b=\"2\"", 'a=1;sid=abc; b="2"'],
    ["gw=$key; sid=abc; copy=$key", 'sid=abc'],
    ["gw=$key; sid=abc; gw=", 'sid=abc'],
    ["gw=$key; sid=abc; gw=$second", 'sid=abc'],
    ["gw=$key; sid=abc; GW = $second;a=b", 'sid=abc;a=b'],
    ["gw=$key", undef],
    ["gw=$key; copy=x$key", undef],
) {
    my ($cookie, $rest) = @$case;
    (my $name = $cookie) =~ s/\Q$key\E/KEY/g;
    $name =~ s/\Q$second\E/SECOND/g;

    for my $path ('/', '/late/', '/early/') {
        my $r = seen($path, 'Cookie', $cookie);
        is($r->{status}, 200, "$path $name: accepted");
        is($r->{cookie}, $rest, 'the upstream has the others');
        unlike($r->{body}, qr/\Q$key\E|\Q$second\E/, 'and no key anywhere');
        is((logged())[0], $rest // '', 'so has access_log');

        $r = seen($path, 'Cookie', 'first=1', 'X-Other', 1, 'Cookie', $cookie, 'Cookie', 'last=1');
        is($r->{cookie}, join(' + ', grep { defined } 'first=1', $rest, 'last=1'), 'beside other lines');
        unlike($r->{body}, qr/\Q$key\E|\Q$second\E/, 'no key');

        my ($all, $gw, $sid) = logged();
        is($all, join('; ', grep { defined } 'first=1', $rest, 'last=1'), 'and in access_log');
        is($sid, $cookie =~ /sid/ ? 'abc' : '', 'a cookie by its name');
        unlike($gw, qr/\Q$key\E/, 'the key not');
    }
}

# an older key of the same name in a line of its own, and many names

my $r = seen('/', 'Cookie', "gw=$key; sid=abc", 'Cookie', "Gw=$second", 'Cookie', "b=2; gw=$second; c=3");
is($r->{status}, 200, 'cookies of one name in several lines');
is(join(' + ', grep { /\S/ } split / \+ /, $r->{cookie}), 'sid=abc + b=2; c=3', 'all of the name go');
unlike($r->{body}, qr/\Q$key\E|\Q$second\E/, 'no key goes');
is((logged())[1], '', 'and none is logged');

$r = seen('/', 'Cookie', "gw=$key; sid=abc; " . join '; ', map { "c$_=$key" } 1 .. 20);
is($r->{status}, 200, 'a key in more cookies than are told apart');
unlike($r->{body}, qr/\Q$key\E/, 'goes nowhere');

# keys that disagree

for my $path ('/two/', '/two-optional/') {
    $r = seen($path, 'X-Api-Key', $key, 'Authorization', "Bearer $second", 'X-Other', 'kept');
    is($r->{status}, 401, "$path: keys that disagree");
    is(join('|', (logged())[4, 6, 7]), 'kept||', 'are in no log');
}

# what was read before the key was known

$r = seen('/early/', 'Cookie', "gw=$key; sid=abc", 'X-Other', "it is $key",
    'X-Forwarded-For', '192.0.2.1', 'X-Forwarded-For', $key);
is($r->{status}, 200, 'variables that were read early');
is($r->{'x-all'}, 'sid=abc', '$http_cookie is made anew');
is($r->{'x-gw'}, undef, '$cookie_gw is gone');
is($r->{'x-forwarded-for'}, '192.0.2.1, 127.0.0.1', 'X-Forwarded-For is there');
unlike($r->{body}, qr/\Q$key\E/, 'the key is in none of them');
is(join('|', (logged())[0 .. 4]), 'sid=abc||abc||', 'nor in access_log');

$r = seen('/early/', 'Cookie', "gw=$key", 'X-Forwarded-For', $key, 'X-Forwarded-For', '192.0.2.1');
is($r->{'x-forwarded-for'}, '192.0.2.1, 127.0.0.1', 'whichever line of it has the key');

$r = seen('/header/', 'X-Gateway-Key', $key, 'Cookie', 'gw=other', 'X-Other', 'kept');
is($r->{status}, 200, 'a header of its own');
is($r->{cookie}, 'gw=other', 'cookies are the client\'s');
unlike($r->{body}, qr/\Q$key\E/, 'the key does not pass');
is(join('|', (logged())[0 .. 4]), 'gw=other|other|||kept', 'and is in no log');

# the whole line is the key

my $whole = 'sk-' . 'B' x 43;
push @{$t->{secrets}}, $whole;
is(seen('/whole/', 'Cookie', $key)->{status}, 200, 'a line that is a key');
is((logged())[0], '', 'is gone');
is(seen('/whole/', 'Cookie', "$whole; $whole")->{status}, 401, 'two of them are none');
is((logged())[0], '', 'and gone');

# several lines of a name that nginx reads by itself

for my $lines ([$key, 'one', 'two'], ['one', $key, 'two'], ['one', 'two', $key]) {
    my $name = join ' ', map { s/\Q$key\E/KEY/r } @$lines;

    $r = seen('/', 'Cookie', "gw=$key", map { my $h = $_; map { ($h, $_) } @$lines } qw(User-Agent Referer Via));
    is($r->{status}, 200, "lines of one name: $name");
    unlike($r->{body}, qr/\Q$key\E/, 'the key does not pass');
    is($r->{$_}, 'one + two', "$_ does") for qw(user-agent referer via);

    for my $logged ((logged())[8 .. 10]) {
        like($logged, qr/^(?:one(?:, two)?)?$/, 'and access_log has what passes');
    }
}

# who is refused

is(seen('/', 'Cookie', "gw=$revoked; sid=abc")->{status}, 401, 'a revoked key');
is(join('|', (logged())[0 .. 2]), 'sid=abc||abc', 'is in no log');
is(seen('/', 'Cookie', "gw=$whole; sid=abc")->{status}, 401, 'nor is one of nobody');
is(join('|', (logged())[0 .. 2]), 'sid=abc||abc', 'in no log');

# what is the client's own

$r = seen('/optional/', 'Cookie', 'gw=my-own; sid=abc');
is($r->{cookie}, 'gw=my-own; sid=abc', 'where keys are optional a key of nobody passes');
is(join('|', (logged())[0 .. 2]), 'gw=my-own; sid=abc|my-own|abc', 'and is in logs');
is(seen('/optional/', 'Cookie', "sid=abc; gw=$key")->{cookie}, 'sid=abc', 'ours does not');

$t->done;
