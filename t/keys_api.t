#!/usr/bin/perl

# The keys API: keys are made, changed, rotated, revoked over HTTP by who has an
# admin key, and by nobody else; keys made there work at once.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew wait_for);
use Digest::SHA qw(sha256_hex);
use IO::Select;
use JSON::PP;
use POSIX qw(strftime);
use Test::More;
use Time::HiRes qw(sleep time);

my $t = Aiobs->new;
my $db = $t->store;

$t->upstream(0, sub {
    my ($req, $c) = @_;
    $t->answer($c, 200, [], join "\n", @{$req->{lines}});
});

my $conf = <<'EOF';
aiobs_key_store sqlite:%%DIR%%/keys.db;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /aiobs/keys { aiobs_keys_api; }
    location /far/ {
        aiobs_keys_api remote;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
    }
    location /near {
        aiobs_keys_api;
        set_real_ip_from 127.0.0.1;
        real_ip_header X-Real-IP;
    }
    location /any { aiobs_keys_api; satisfy any; allow all; }
    location /filed { aiobs_keys_api; client_body_buffer_size 1k; }
    location /small { aiobs_keys_api; client_max_body_size 100; }
    location / {
        aiobs_auth on;
        aiobs_forward identity;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
}
EOF

my ($rc, $admin) = $t->keys_cli(qw(create --user root --admin --db), $db);
chomp $admin;
push @{$t->{secrets}}, $admin;
my $plain = $t->key('plain');

$t->start($conf, workers => 2);

my $n = 0;

# (status, decoded body, response); the log line is checked by id

sub api {
    my ($method, $path, $body, %opt) = @_;

    my $id = $opt{id} // 'k' . ++$n;
    my @headers = ('X-Request-ID', $id, 'Authorization', 'Bearer ' . ($opt{key} // $admin), @{$opt{headers} || []});
    push @headers, 'Content-Type', $opt{type} // 'application/json' if defined $body;

    my $r = $t->request(1, $method, ($opt{at} // '/aiobs/keys') . $path, \@headers,
        ref $body ? encode_json($body) : $body);
    my $json = ($r->{body} // '') =~ /^\{/ ? decode_json($r->{body}) : undef;
    push @{$t->{secrets}}, $json->{api_key} if $json && $json->{api_key};
    return ($r->{status}, $json, $r);
}

sub is_problem {
    my ($got, $status, $detail, $name) = @_;
    my ($s, $json, $r) = @$got;
    is($s, $status, "$name: status");
    is($r->{headers}{'content-type'}, 'application/problem+json', "$name: a problem");
    is($json->{status}, $status, "$name: says so");
    is($json->{type}, 'about:blank', "$name: of no further type");
    is($json->{request_id}, $r->{headers}{'x-request-id'}, "$name: of this request");
    ok(length $json->{title}, "$name: with a title");
    like($json->{detail}, $detail, "$name: in words");
    return;
}

sub works { return $t->get(1, '/', 'x-api-key', $_[0])->{status} }

# a key's life

my ($status, $key, $r) = api('POST', '', { user_id => 'alice', name => 'laptop',
    expires_at => '2099-01-01T00:00:00+01:00', models => ['gpt-*'], labels => { team => 'search', tier => 'gold' },
    limits => { rpm => 60, cost_usd_per_day => 1.5 } });
is($status, 201, 'a key is created');
like($key->{api_key}, qr/^sk-[\w-]{43}$/, 'it is shown');
my $raw = $key->{api_key};
is($key->{key_id}, substr(sha256_hex($raw), 0, 12), 'with its id');
is($r->{headers}{location}, "/aiobs/keys/$key->{key_id}", 'and its URI');
is($r->{headers}{'cache-control'}, 'no-store', 'nobody is to store it');
is(works($raw), 200, 'it works at once');
is_deeply([@$key{qw(user_id name expires_at models labels limits state)}],
    ['alice', 'laptop', '2098-12-31T23:00:00.000000', ['gpt-*'], { team => 'search', tier => 'gold' },
     { rpm => 60, cost_usd_per_day => 1.5 }, 'active'], 'with all that was said');
my $l = $t->log_of("k$n");
is("$l->{event} $l->{target_key_id} $l->{key_id}", "key_created $key->{key_id} " . substr(sha256_hex($admin), 0, 12),
    'the log has the event, the key, and whose doing it was');

my $id = $key->{key_id};
($status, $key) = api('GET', "/$id");
is("$status $key->{name}", '200 laptop', 'it is read by its id');
ok(!exists $key->{api_key}, 'and not shown again');
is((api('GET', '/' . sha256_hex($raw)))[1]{key_id}, $id, 'or by its hash');
is((api('HEAD', "/$id"))[2]{body} // '', '', 'HEAD has no body');

($status, $key) = api('PATCH', "/$id", { name => undef, labels => { tier => undef, mail => 'a@b' }, limits => { rpm => undef, tpm => 5 } },
    type => 'application/merge-patch+json');
is($status, 200, 'it is changed');
is_deeply([@$key{qw(name user_id models labels limits)}],
    [undef, 'alice', ['gpt-*'], { team => 'search', mail => 'a@b' }, { tpm => 5, cost_usd_per_day => 1.5 }],
    'as RFC 7396 says');
is($t->log_of("k$n")->{event}, 'key_changed', 'logged');

($status, my $new, $r) = api('POST', "/$id/rotate", { grace_seconds => 3600 });
is($status, 201, 'it is rotated');
is($r->{headers}{location}, "/aiobs/keys/$new->{key_id}", 'the new one has its URI');
is_deeply([@$new{qw(user_id labels limits)}], [@$key{qw(user_id labels limits)}], 'it has what the old one had');
is(works($new->{api_key}) . works($raw), '200200', 'both work');
is($t->log_of("k$n")->{event}, 'key_rotated', 'logged');
is((api('GET', "/$id"))[1]{replaced_by}, $new->{key_id}, 'the old one says what replaces it');
is_problem([api('POST', "/$id/rotate")], 409, qr/rotated already/, 'rotated twice');

($status, my $third) = api('POST', "/$new->{key_id}/rotate", { grace_seconds => 0 });
is($status, 201, 'rotated without grace');
ok(wait_for(sub { works($new->{api_key}) == 401 }, 3), 'the old one stops working');

($status, $key) = api('POST', "/$third->{key_id}/revoke");
is("$status $key->{state}", '200 revoked', 'revoked');
ok(wait_for(sub { works($third->{api_key}) == 401 }, 3), 'it stops working');
is($t->log_of("k$n")->{event}, 'key_revoked', 'logged');
($status, $key) = api('POST', "/$third->{key_id}/restore");
is("$status $key->{state}", '200 active', 'restored');
ok(wait_for(sub { works($third->{api_key}) == 200 }, 3), 'it works again');

($status, undef, $r) = api('DELETE', "/$third->{key_id}");
is($status, 204, 'deleted');
is($r->{body} // '', '', 'there is nothing to say');
ok(wait_for(sub { works($third->{api_key}) == 401 }, 3), 'it stops working');
is_problem([api('GET', "/$third->{key_id}")], 404, qr/no such key/, 'it is gone');

my @events = map { decode_json($_) } split /\n/, ($t->keys_cli('audit', '--db', $db, '--json', $third->{key_id}))[1];
is(join(' ', map { $_->{action} } grep { $_->{actor} eq 'key:' . substr sha256_hex($admin), 0, 12 } @events),
    'created revoked restored deleted', 'each step is an event of the admin key');
is((grep { $_->{action} eq 'deleted' } @events)[0]{request_id}, 'k' . ($n - 1), 'with the request');

# an end that is past

($status, $key) = api('POST', '', { user_id => 'ends', expires_at => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime(time + 60)) });
is($status, 201, 'a key that is to end');
my $ends = $key->{api_key};
is(works($ends), 200, 'works until then');
($status, $key) = api('PATCH', "/$key->{key_id}", { expires_at => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime) });
is("$status $key->{state}", '200 expired', 'it is made to end now');
ok(wait_for(sub { works($ends) == 401 }, 3), 'it stops working');
($status, $key) = api('PATCH', "/$key->{key_id}", { expires_at => undef });
is("$status $key->{state}", '200 active', 'it is given all time');

# pages

api('POST', '', { user_id => $_ % 2 ? 'odd' : 'even & more' }) for 1 .. 9;
my (@ids, $pages);

sub pages {
    my ($limit) = @_;

    my ($after, @seen) = ('');
    $pages = 0;
    do {
        my ($status, $page) = api('GET', "?limit=$limit$after");
        fail("page $pages: $status"), return @seen if $status != 200 || $pages++ > 100;
        push @seen, map { $_->{key_id} } @{$page->{keys}};
        $after = $page->{next} ? "&after=$page->{next}" : '';
    } while ($after);
    return @seen;
}

@ids = pages(4);
my @all = map { $_->{key_id} } @{decode_json(scalar $t->keys_cli('list', '--db', $db, '--json'))};
is_deeply([sort @ids], [sort @all], "all keys in $pages pages");
is_deeply(\@ids, [sort @ids], 'in order');
is(scalar @{(api('GET', '?user=odd'))[1]{keys}}, 5, 'keys of one user');

# what another program took for a hash stops no page

`sqlite3 $db "INSERT INTO api_keys (hash) VALUES ('a\\"b'), (' '), (printf('%070d', 0)), (upper(printf('a%063d', 0))),
    (NULL), (CAST(printf('%064d', 1) AS BLOB)), (printf('%064d', 2) || char(0) || 'x')"`;
is(`sqlite3 $db 'SELECT count(*) FROM api_keys WHERE user_id IS NULL'`, "7\n", 'rows without a hash');
is_deeply([pages(1)], \@ids, 'pages have the others');
`sqlite3 $db 'DELETE FROM api_keys WHERE user_id IS NULL'`;
is(scalar @{(api('GET', '/?user=even%20%26+more&limit=3&offset=2'))[1]{keys}}, 2, 'with an offset');
is(scalar @{(api('GET', '?user=nobody'))[1]{keys}}, 0, 'of nobody');
is(scalar @{(api('GET', "?user=%27%20OR%201=1%20--"))[1]{keys}}, 0, 'SQL is a name');

# conditions: what is not to be done is not done, what was done is told

($status, $key) = api('POST', '', { user_id => 'cond' });
my $of = "/$key->{key_id}";

sub conditional {
    my ($method, $path, $line, $body) = @_;
    my $r = $t->request(1, $method, "/aiobs/keys$path",
        ['x-api-key', $admin, 'Content-Type', 'application/json', split /: /, $line], $body // '');
    return $r->{status};
}

for my $line ('If-Match: "x"', 'If-None-Match: *') {
    is(conditional('PATCH', $of, $line, '{"name":"changed"}'), 412, "$line: refused");
    is(conditional('POST', "$of/revoke", $line), 412, "$line: likewise");
    is(conditional('DELETE', $of, $line), 412, "$line: likewise");
    my ($now) = (api('GET', $of))[1];
    is(join(' ', $now->{state}, $now->{name} // 'none'), 'active none', 'and nothing was done');
}
is(conditional('PATCH', $of, 'If-Match: *', '{"name":"a"}'), 200, 'If-Match: * is so');
is(conditional('PATCH', $of, 'If-None-Match: "x"', '{"name":"b"}'), 200, 'If-None-Match: "x", too');
is(conditional('PATCH', $of, 'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT', '{"name":"c"}'), 200, 'dates do not count');
is(conditional('GET', $of, $_), 200, "$_: shown") for 'If-None-Match: *', 'If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT';
is((api('GET', $of))[1]{name}, 'c', 'what was told was done');
is(conditional('DELETE', $of, 'If-Match: *'), 204, 'and it is deleted');

# who may

is_problem([api('GET', '', undef, key => 'nobody')], 401, qr/Missing or invalid/, 'an unknown key');
is($t->get(1, '/aiobs/keys')->{status}, 401, 'no key');
is_problem([api('GET', '', undef, key => $plain)], 403, qr/not an admin key/, 'a key without the right');
is_problem([api('GET', '', undef, at => '/any', key => 'nobody')], 403, qr/needs an admin key/, 'let in by other means');
is_problem([api('GET', '', undef, at => '/near', headers => ['X-Real-IP', '192.0.2.1'])], 403, qr/other machines/, 'another machine');

for my $header (['X-Plain', 1], ['Authorization', 'Bearer sk-' . 'x' x 43]) {
    my $far = $t->get(1, '/near', 'X-Real-IP', '192.0.2.1', @$header);
    is($far->{status}, 403, "which learns nothing of keys: $header->[0]");
    like($far->{body}, qr/other machines/, 'nor is it told otherwise');
}
is((api('GET', '', undef, at => '/far/', headers => ['X-Real-IP', '192.0.2.1']))[0], 200, 'which may, where it is said');
is((api('GET', '', undef, at => '/near'))[0], 200, 'this one may');

$t->keys_cli('set', '--db', $db, substr(sha256_hex($admin), 0, 12), '--no-admin');
is_problem([api('POST', '', { user_id => 'x' })], 403, qr/not an admin key/, 'a right that was taken away a moment ago');
$t->keys_cli('set', '--db', $db, substr(sha256_hex($admin), 0, 12), '--admin');
is(`sqlite3 $db "SELECT count(*) FROM api_keys WHERE user_id = 'x'"`, "0\n", 'nothing was done');

# what is refused

for my $case (
    ['no JSON', 400, qr/no JSON object/, 'POST', '', '{'],
    ['an array', 400, qr/no JSON object/, 'POST', '', '[]'],
    ['twice the same', 400, qr/no JSON object/, 'POST', '', '{"user_id":"a","user_id":"b"}'],
    ['no body', 415, qr/application\/json/, 'POST', ''],
    ['no user', 422, qr/needs a user/, 'POST', '', {}],
    ['a number for a name', 422, qr/"user_id" is not a text/, 'POST', '', { user_id => 5 }],
    ['an unknown member', 422, qr/no attribute "hash"/, 'POST', '', { user_id => 'a', hash => 'b' }],
    ['a limit below zero', 422, qr/"limits" is not/, 'POST', '', { user_id => 'a', limits => { rpm => -1 } }],
    ['an unknown limit', 422, qr/"limits" is not/, 'POST', '', { user_id => 'a', limits => { rps => 1 } }],
    ['half a request', 422, qr/"limits" is not/, 'POST', '', { user_id => 'a', limits => { rpm => 0.5 } }],
    ['no end', 422, qr/"expires_at" is not/, 'POST', '', { user_id => 'a', expires_at => 'soon' }],
    ['an end that is past', 422, qr/"expires_at" is past: the key would never work/, 'POST', '', { user_id => 'a', expires_at => '2020-01-01T00:00:00Z' }],
    ['an end in this moment', 422, qr/"expires_at" is past/, 'POST', '', { user_id => 'a', expires_at => strftime('%Y-%m-%dT%H:%M:%SZ', gmtime) }],
    ['a NUL', 400, qr/no JSON/, 'POST', '', '{"user_id":"a\u0000b"}'],
    ['an escape', 422, qr/control/, 'POST', '', { user_id => "a\e[2J" }],
    ['a quote in a name', 422, qr/no attribute "a"b"/, 'POST', '', { 'a"b' => 1 }],
    ['no models at all', 422, qr/"models" is an array of none/, 'POST', '', { user_id => 'a', models => [] }],
    ['no endpoints at all', 422, qr/"endpoints" is an array of none/, 'PATCH', "/$id", { endpoints => [] }],
    ['a glob with a comma', 422, qr/"models" is not/, 'POST', '', { user_id => 'a', models => ['a,b'] }],
    ['a user that is too long', 422, qr/its user is not 1 to 128 bytes/, 'POST', '', { user_id => 'u' x 129 }],
    ['a name that is empty', 422, qr/its name is not 1 to 64 bytes/, 'POST', '', { user_id => 'a', name => '' }],
    ['a grace below zero', 422, qr/grace_seconds/, 'POST', "/$id/rotate", { grace_seconds => -1 }],
    ['something else than grace', 422, qr/grace_seconds/, 'POST', "/$id/rotate", { grace => 1 }],
    ['a label that is a number', 422, qr/label/, 'PATCH', "/$id", { labels => { a => 1 } }],
    ['a body that is too large', 413, qr/16 kB/, 'POST', '', { user_id => 'a' x 17000 }],
    ['a limit of none', 400, qr/Arguments/, 'GET', '?limit=0'],
    ['too many at once', 400, qr/Arguments/, 'GET', '?limit=501'],
    ['a cursor that is none', 400, qr/Arguments/, 'GET', '?after=x'],
    ['an escape that is none', 400, qr/Arguments/, 'GET', '?user=%4'],
    ['an argument that is not known', 400, qr/Arguments/, 'GET', '?users=alice'],
    ['an argument without a value', 400, qr/Arguments/, 'GET', '?user'],
    ['an argument that comes twice', 400, qr/Arguments/, 'GET', '?user=alice&user=bob'],
    ['an id that is none', 404, qr/no such key/, 'GET', '/nobody'],
    ['a short id', 404, qr/no such key/, 'GET', '/abcd'],
    ['a key that is not there', 404, qr/no such key/, 'GET', '/0123456789ab'],
    ['a neighbour', 404, qr/no such key/, 'GET', 'foo'],
    ['an unknown action', 404, qr/no such resource/, 'POST', "/$id/frobnicate"],
) {
    my ($name, $want, $detail, $method, $path, $body) = @$case;
    is_problem([api($method, $path, $body)], $want, $detail, $name);
}

is_problem([api('POST', '', '{"user_id":"a"}', type => 'text/plain')], 415, qr/application\/json/, 'a form');
is((api('POST', '', { user_id => 'a' x 200 }, at => '/small'))[0], 413, "nginx's own limit holds as well");

for my $case (['PUT', '', 'GET, HEAD, POST'], ['POST', "/$id", 'GET, HEAD, PATCH, DELETE'], ['GET', "/$id/rotate", 'POST']) {
    my @got = api($case->[0], $case->[1]);
    is_problem(\@got, 405, qr/not allowed/, "$case->[0] $case->[1]");
    is($got[2]{headers}{allow}, $case->[2], 'it says what is');
}

($status, my $bounded) = api('POST', '', { user_id => 'kim', limits => { rpm => 1, cost_usd_per_day => 1 } });
($status, $bounded) = api('PATCH', "/$bounded->{key_id}", { limits => undef });
is_deeply([$status, $bounded->{limits}], [200, {}], 'null takes all limits away');

($status, my $filed) = api('POST', '', '{' . ' ' x 6000 . '"user_id":' . ' ' x 6000 . '"filed"}', at => '/filed');
is($status, 201, 'a body that nginx has put into a file');
is($filed->{user_id}, 'filed', 'is read to its end');
is_problem([api('POST', '', { user_id => 'a' x 17000 }, at => '/filed')], 413, qr/16 kB/, 'a file that is too large');

# labels of several programs at once: none is lost

my ($shared) = (api('POST', '', { user_id => 'shared' }))[1];

sub patches {
    my @to;

    for my $i (@_) {
        my $body = encode_json({ labels => { 'l' . $i % 12 => "$i" } });
        push @to, $t->connect(1);
        $to[-1]->syswrite("PATCH /aiobs/keys/$shared->{key_id} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
            . "x-api-key: $admin\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
    }

    return map { substr Aiobs::read_all($_), 9, 3 } @to;
}

# who waits longer for the others than the store is waited for asks again

my @status = patches(1 .. 24);
is(join('', grep { !/^(?:200|503)$/ } @status), '', 'many change a key at once');
is(join('', patches($_ + 1)), '200', 'again') for grep { $status[$_] == 503 } 0 .. 23;
is(join(' ', sort keys %{(api('GET', "/$shared->{key_id}"))[1]{labels}}), join(' ', sort map { "l$_" } 0 .. 11),
    'and each label is there');
is((api('PATCH', "/$shared->{key_id}", { labels => { l0 => 5 } }))[0], 422, 'a wrong one changes nothing');
is((api('PATCH', "/$shared->{key_id}", { labels => { l0 => undef } }))[0], 200, 'and holds nobody up');

# a body in pieces

my $s = $t->raw(1, "POST /aiobs/keys HTTP/1.1\r\nHost: a\r\nConnection: close\r\nx-api-key: $admin\r\n"
    . "Content-Type: application/json; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"use\r\n"
    . "e\r\nr_id\":\"chunk\"}\r\n0\r\n\r\n");
like($s, qr/^HTTP\/1\.1 201 /, 'a chunked body');
push @{$t->{secrets}}, $1 if $s =~ /"api_key":"([^"]+)"/;

# another program has put what JSON cannot hold where a number is: it allows nothing, and is shown and mended all the same

system('sqlite3', $db, 'CREATE TRIGGER spoil AFTER INSERT ON aiobs_key_attrs WHEN new.rpm = 4242'
    . " BEGIN UPDATE aiobs_key_attrs SET rpm = x'ffff' WHERE hash = new.hash; END");
($status, $key, $r) = api('POST', '', { user_id => 'unread', limits => { rpm => 4242 } });
is($status, 201, 'a key with a limit that is a blob');
my $unread = $key || {};
is($unread->{hash}, sha256_hex($unread->{api_key} // ''), 'is told of');
is($r->{headers}{location}, "/aiobs/keys/$unread->{key_id}", 'it has its URI');
is($t->log_of("k$n")->{event}, 'key_created', 'logged');
is((api('GET', "/$unread->{key_id}"))[0], 200, 'it is shown');
is((api('GET', '?user=unread'))[1]{keys}[0]{hash}, $unread->{hash}, 'and listed');
is(works($unread->{api_key}), 403, 'it may do nothing');

for my $case (['PATCH', '', { name => 'new' }, 'changed'], ['POST', '/revoke', undef, 'revoked'], ['POST', '/restore', undef, 'restored']) {
    ($status, $key) = api($case->[0], "/$unread->{key_id}$case->[1]", $case->[2]);
    is("$status $key->{hash}", "200 $unread->{hash}", "it is $case->[3]");
    is($t->log_of("k$n")->{event}, "key_$case->[3]", 'logged');
}

($status, $key) = api('PATCH', "/$unread->{key_id}", { limits => { rpm => undef } });
is_deeply([$status, @$key{qw(name state limits)}], [200, 'new', 'active', {}], 'mended, it is shown as it was changed');
ok(wait_for(sub { works($unread->{api_key}) == 200 }, 3), 'and works');

# labels stay, whatever else is in the key

system('sqlite3', $db, "UPDATE api_keys SET name = 'a' || char(0) WHERE hash = '$unread->{hash}'");
is((api('PATCH', "/$unread->{key_id}", { labels => { one => '1' } }))[0], 200, 'a label of a key with a NUL in its name');
is((api('PATCH', "/$unread->{key_id}", { labels => { two => '2' } }))[0], 200, 'another one');
($status, $key) = api('PATCH', "/$unread->{key_id}", { name => 'new' });
is_deeply($key->{labels}, { one => '1', two => '2' }, 'both are there');

# the store is out of reach: nothing is lost, nothing is done by halves

sub locked {
    unlink "$db.locked";
    my $pid = $t->spawn(['/usr/bin/python3', '-c', "import sqlite3, time\nc = sqlite3.connect('$db', isolation_level=None)\n"
        . "c.execute('BEGIN IMMEDIATE')\nopen('$db.locked', 'w').close()\ntime.sleep(600)\n"]);
    wait_for(sub { -e "$db.locked" }, 20);
    return $pid;
}

# of another program, for longer than the thread waits at a time

my $lock = locked();
my @waiting = map { $t->connect(1) } 1 .. 3;
my $made = '{"user_id":"patient"}';

$_->syswrite("POST /aiobs/keys HTTP/1.1\r\nHost: a\r\nConnection: close\r\nx-api-key: $admin\r\n"
    . "Content-Type: application/json\r\nContent-Length: " . length($made) . "\r\n\r\n$made") for @waiting;
is(works("sk-stranger-$_"), 401, 'others are looked up meanwhile') for 1 .. 3;
is(works($plain), 200, 'and known keys work');
is(scalar(() = IO::Select->new(@waiting)->can_read(0)), 0, 'while changes wait for a lock');
$t->kill_wait($lock, 'TERM');
my @made = map { Aiobs::read_all($_) } @waiting;
push @{$t->{secrets}}, map { /"api_key":"([^"]+)"/ } @made;
is(join(' ', map { substr $_, 9, 3 } @made), '201 201 201', 'which are made when it is gone');
is(scalar @{(api('GET', '?user=patient'))[1]{keys}}, 3, 'each once');

# who has left would not get the key

$lock = locked();
$made = '{"user_id":"gone"}';
my $gone = $t->connect(1);
$gone->syswrite("POST /aiobs/keys HTTP/1.1\r\nHost: a\r\nX-Request-ID: gone\r\nx-api-key: $admin\r\n"
    . "Content-Type: application/json\r\nContent-Length: " . length($made) . "\r\n\r\n$made");
is(works("sk-stranger-4"), 401, 'which waits for the lock');
close $gone;
is($t->log_of('gone')->{status_code}, 503, 'nobody waits for a lock who has left');
$t->kill_wait($lock, 'KILL');
is(scalar @{(api('GET', '?user=gone'))[1]{keys}}, 0, 'and no key is made');

# nor is it made for who has left before he is heard

my @deaf = $t->workers;
kill STOP => @deaf;

for my $case ([1, 'POST', '', '{"user_id":"gone"}'], [2, 'POST', "/$unread->{key_id}/rotate", ''], [3, 'DELETE', "/$unread->{key_id}", '']) {
    my ($i, $method, $path, $body) = @$case;
    my $c = $t->connect(1);
    $c->syswrite("$method /aiobs/keys$path HTTP/1.1\r\nHost: a\r\nX-Request-ID: gone-$i\r\nx-api-key: $admin\r\n"
        . "Content-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
    close $c;
}

kill CONT => @deaf;
is(join(' ', map { $t->log_of("gone-$_")->{status_code} } 1 .. 3), '503 503 204', 'who has left gets no key; what he takes away is');
is(scalar @{(api('GET', '?user=gone'))[1]{keys}}, 0, 'none is made');

# a place is free again when its client leaves

$lock = locked();

sub many {
    my @c = map { $t->connect(1) } 1 .. $_[0];
    $_->syswrite("POST /aiobs/keys HTTP/1.1\r\nHost: a\r\nConnection: close\r\nx-api-key: $admin\r\n"
        . "Content-Type: application/json\r\nContent-Length: " . length($made) . "\r\n\r\n$made") for @c;
    return @c;
}

my @impatient = many(80);
my ($told) = IO::Select->new(@impatient)->can_read(60);
like($told ? Aiobs::read_all($told) : '', qr/Too many requests wait/, 'more than may wait for the store');
close $_ for @impatient;
ok(wait_for(sub {
    my @later = map { Aiobs::read_all($_) } many(8);
    return 8 == grep { /503 .*cannot be used right now/s } @later;
}), 'a place is free when its client has left');
$t->kill_wait($lock, 'KILL');
is(scalar @{(api('GET', '?user=gone'))[1]{keys}}, 0, 'no key was made');

$lock = locked();
is_problem([($status, undef, $r) = api('POST', '', { user_id => 'late' })], 503, qr/key store/, 'a locked store');
ok(-e "/proc/$lock", 'is not waited for without end');
is($r->{headers}{'retry-after'}, 5, 'it says when to come again');
is((api('GET', "/$id"))[0], 200, 'can be read');
is(works($plain), 200, 'and keys work');
like($t->error_log, qr/keys API: the key store failed: .*locked/, 'the log says why');
$t->kill_wait($lock, 'KILL');
is((api('POST', '', { user_id => 'late' }))[0], 201, 'unlocked');
is(scalar @{(api('GET', '?user=late'))[1]{keys}}, 1, 'what was refused was not done');

# clients that do not wait; a worker takes 32 requests at once, those of the next test as well

for (1 .. 10) {
    my $c = $t->connect(1);
    $c->syswrite("GET /aiobs/keys?limit=500 HTTP/1.1\r\nHost: a\r\nx-api-key: $admin\r\n\r\n");
    close $c;
}
is((api('GET', "/$id"))[0], 200, 'do no harm');

# a worker that is to end answers those that wait first

my @asked;

for (1 .. 20) {
    push @asked, $t->connect(1);
    $asked[-1]->syswrite("GET /aiobs/keys?limit=500 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        . "x-api-key: $admin\r\n\r\n");
}

# the last connection is accepted when one after it is answered

works($plain);
$t->stop('QUIT');

my @cut = grep { !/^HTTP\/1\.1 200 .*\}\s*$/s } map { my $c = $_; local $/; <$c> // '' } @asked;
is(scalar @cut, 0, 'a stop waits for answers under way')
    or diag map { sprintf "%d bytes: %.300s\n", length, $_ } @cut;
is(($t->keys_cli('audit', '--verify', '--db', $db))[0], 0, 'the chain of events is whole');

# configuration

for my $case (['location = /k { aiobs_keys_api; }', qr/needs a location that is given by a prefix/],
    ['location ~ k { aiobs_keys_api; }', qr/needs a location that is given by a prefix/],
    ['location /k { aiobs_keys_api far; }', qr/"remote" is accepted/],
    ['location /k { aiobs_keys_api; aiobs_keys_api; }', qr/is duplicate/],
    ['location /k { aiobs_keys_api; aiobs_auth optional; }', qr/needs "aiobs on" and no other "aiobs_auth"/],
    ['location /k { aiobs_keys_api; aiobs off; }', qr/needs "aiobs on"/])
{
    my ($rc, $out) = $t->check("aiobs_key_store sqlite:%%DIR%%/keys.db; server { aiobs on; $case->[0] }");
    is($rc, 1, "refused: $case->[0]");
    like($out, $case->[1], 'it says why');
}
my ($rc2, $out) = $t->check('server { aiobs on; location /k { aiobs_keys_api; } }');
like($out, qr/needs a key store/, 'a store is needed');

Aiobs->done;
