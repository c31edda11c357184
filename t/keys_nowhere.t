use strict;
use warnings;

# Odd places in which a client may put its key: none of them leads it on.

use lib 't/lib';
use Aiobs qw(slurp wait_for);
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my $key = $t->key('alice');
my $acts = ($t->keys_cli(qw(create --user agent --may-act-for --db), $t->store))[1] =~ s/\n//r;
my $revoked = $t->key('mallory');
$t->keys_cli('revoke', '--user', 'mallory', '--db', $t->store);

$t->upstream(0, sub {
    my ($req, $c) = @_;
    $t->answer($c, 200, ['Content-Type', 'text/plain'],
        join '', "uri: $req->{uri}\n", map { "$_: $req->{headers}{$_}\n" } sort keys %{$req->{headers}});
});

$t->upstream(5, sub {
    my ($req, $c) = @_;
    my $model = eval { decode_json($req->{body})->{model} } // 'none';
    $t->answer($c, 200, ['Content-Type', 'application/json'], encode_json({ id => 'x', model => $model,
        object => 'chat.completion', choices => [{ index => 0, message => { content => 'a' } }],
        usage => { prompt_tokens => 1, completion_tokens => 2, total_tokens => 3 } }));
});
$t->upstream(6, sub {
    my ($req, $c) = @_;
    open my $f, '>>', $t->dir . '/received';
    syswrite $f, $req->{body};
    $t->answer($c, 200, [], '');
});

$t->start(<<'EOF');
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_otlp { endpoint http://127.0.0.1:%%PORT_6%%; interval 100ms; }
aiobs_trace on;
aiobs_recorder 64;
log_format every '$request $args $request_uri $aiobs_request_id $status';

server {
    listen 127.0.0.1:%%PORT_1%%;
    access_log %%DIR%%/access.log every;
    aiobs on;
    location / { aiobs_auth on; proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /llm/ { aiobs_auth on; aiobs_llm auto; proxy_pass http://127.0.0.1:%%PORT_5%%; }
    location = /metrics { aiobs_metrics; }
    location = /requests { aiobs_requests; }

    location /dropped/ {
        rewrite ^/dropped/(.*)$ /v1/$1? break;
        aiobs_auth on;
        proxy_pass http://127.0.0.1:%%PORT_0%%$request_uri;
    }
    location /other/ {
        rewrite ^/other/(.*)$ /v1/$1?t=1? break;
        aiobs_auth on;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /more/ {
        rewrite ^/more/(.*)$ /v1/$1?t=$http_x_api_key&u=1 break;
        aiobs_auth on;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /query/ {
        rewrite ^/query/(.*)$ /v1/$1? break;
        aiobs_auth on;
        aiobs_auth_query on;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /any/ {
        satisfy any;
        allow 127.0.0.1;
        deny all;
        aiobs_auth on;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
}

server {
    listen 127.0.0.1:%%PORT_2%%;
    access_log %%DIR%%/access.log every;
    aiobs on;
    error_page 400 /sorry;
    location = /sorry { return 400 "sorry\n"; }
}

server {
    listen 127.0.0.1:%%PORT_3%%;
    access_log %%DIR%%/access.log every;
    aiobs on;
    error_page 400 @sorry;
    location @sorry { return 400 "sorry\n"; }
}

server {
    listen 127.0.0.1:%%PORT_4%%;
    access_log %%DIR%%/access.log every;
    location / {
        aiobs on;
        aiobs_auth on;
        aiobs_auth_query on;
        proxy_pass http://127.0.0.1:%%PORT_9%%;
    }
    location /any/ {
        aiobs on;
        aiobs_auth on;
        satisfy any;
        allow 127.0.0.1;
        deny all;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
}
EOF

# ids that the client chooses

my $r = $t->get(1, '/', 'x-api-key', $key, 'X-Request-ID', $key);
is($r->{status}, 200, 'a request id that is the key');
like($r->{headers}{'x-request-id'}, qr/^[0-9a-f-]{36}$/, 'is replaced');
like($r->{body}, qr/^x-request-id: \Q$r->{headers}{'x-request-id'}\E$/m, 'for the upstream as well');

$r = $t->get(1, '/', 'x-api-key', $key, 'X-Request-ID', "a$key.b");
like($r->{headers}{'x-request-id'}, qr/^[0-9a-f-]{36}$/, 'one that holds it is, too');

my $parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
$r = $t->get(1, '/', 'x-api-key', $key, 'traceparent', $parent, 'tracestate', "a=$key");
is($r->{status}, 200, "the trace's state");
like($r->{body}, qr/^traceparent: 00-0af7651916cd43dd8448eb211c80319c-/m, 'the trace goes on');
unlike($r->{body}, qr/^tracestate:/m, 'without it');

$r = $t->get(1, '/', 'x-api-key', $key, 'traceparent', $parent, 'tracestate', 'a=b');
like($r->{body}, qr/^tracestate: a=b$/m, 'another state does');

# of a key that is refused as well

$r = $t->get(1, '/', 'x-api-key', $revoked, 'X-Request-ID', $revoked, 'traceparent', $parent, 'tracestate', "a=$revoked");
is($r->{status}, 401, 'a request id that is a revoked key');
like($r->{headers}{'x-request-id'}, qr/^[0-9a-f-]{36}$/, 'is replaced, too');

# the person for whom one acts

is($t->get(1, '/', 'x-api-key', $acts, 'X-User-ID', $acts)->{status}, 200, 'the key as the person one acts for');
is($t->get(1, '/', 'x-api-key', $acts, 'X-User-ID', 'zoe')->{status}, 200, 'and a person');

# a key in the place of the model, and in the path upstream

my %call = (messages => [{ role => 'user', content => 'a' }]);
is($t->post(1, '/llm/v1/chat/completions', { %call, model => $key }, 'x-api-key', $key)->{status}, 200,
    'the key as the model');
is($t->post(1, '/llm/v1/chat/completions', { %call, model => $revoked }, 'x-api-key', $revoked)->{status}, 401,
    'a revoked one');
is($t->post(1, "/llm/$key/v1/chat/completions", { %call, model => 'm' }, 'x-api-key', $key)->{status}, 200,
    'the key in the path of a call');
ok(wait_for(sub { (() = slurp($t->dir . '/received') =~ m{url\.full.{1,30}/llm/sk-\*/v1/}gs) >= 1 }, 10), 'spans have a masked path');

my ($acted) = map { $_->{end_user_id} // () } map { decode_json($_) } $t->whole_lines;
is($acted, 'zoe', 'the key is no person');
my $all = join '', $t->whole_lines, slurp($t->dir . '/received'), $t->get(1, '/metrics')->{body},
    $t->get(1, '/requests')->{body};
unlike($all, qr/\Q$_\E/, 'no key in logs, spans, metrics, the page of requests') for $key, $acts, $revoked;
like($all, qr/llm_tokens_total\{[^}]*model="sk-\*"/, 'a model that is a key is counted as such');

# a server that is off, but for a location

is($t->get(4, "/?a=b&key=$key", 'X-Request-ID', 'off')->{status}, 502, 'a key in the query');
like($t->error_log, qr/connect\(\) failed.*request_id: "off"/, 'an error of its upstream');

# arguments that a rewrite has changed: those of $request_uri are the client's

my $n = 0;

sub logged {
    my ($path, @headers) = @_;
    my $id = 'args-' . ++$n;
    my $r = $t->get(1, $path, 'X-Request-ID', $id, @headers);
    my $line;
    wait_for(sub { ($line) = slurp($t->dir . '/access.log') =~ m{HTTP/1\.1 (.*) \Q$id\E \d+$}m }, 5);
    return ($line, $r->{body} =~ /^uri: (.*)$/m);
}

for my $case (["/dropped/x?key=$key", ' /dropped/x', '/dropped/x'],
    ["/dropped/x?a=1&b=$key&c=2", ' /dropped/x?a=1&c=2', '/dropped/x?a=1&c=2'],
    ["/dropped//x?a=1&b=$key#c", ' /dropped//x?a=1', '/dropped//x?a=1'],
    ["/dropped/x?a=1#b&c=$key", ' /dropped/x?a=1#b', '/dropped/x?a=1#b'],
    ["/dropped/x#?a=1&c=$key", '- /dropped/x#?a=1', '/dropped/x#?a=1'],
    ["/other/x?a=1&key=$key", 't=1 /other/x?a=1', '/v1/x?t=1'],
    ['/other/x?a=1', 't=1 /other/x?a=1', '/v1/x?t=1'],
    ["/more/x?a=1&key=$key", 'u=1&a=1 /more/x?a=1', '/v1/x?u=1&a=1'],
    ['/more/x?a=1', 'u=1&a=1 /more/x?a=1', '/v1/x?u=1&a=1'],
    ['/more/x', 'u=1 /more/x', '/v1/x?u=1'],
    ["/query/x?a=1&k%65y=$revoked&b=2", ' /query/x?a=1&b=2', '/v1/x'],
    ["/?a=1&b=$key&c=2", 'a=1&c=2 /?a=1&c=2', '/?a=1&c=2'],
    ["/?b=$key", ' /', '/'],
    map { ["/?$_", "$_ /?$_", "/?$_"] } 'a=1&', '&a=1', 'a=1&&b=2', '&')
{
    my ($path, @expected) = @$case;
    is_deeply([logged($path, 'x-api-key', $key)], \@expected, "arguments of $path");
}

# a key that nobody asked for, as the address is enough

for my $server (1, 4) {
    is($t->get($server, "/any/?key=$key", 'X-Request-ID', "any-$server")->{status}, 200, "a key in vain, server $server");
    ok(wait_for(sub { slurp($t->dir . '/access.log')
        =~ m{^GET /any/\?key=\* HTTP/1\.1 key=sk-\* /any/\?key=sk-\* any-$server 200$}m }, 5), 'is masked wherever it is logged');
}

# requests that are malformed before anybody has looked at them, and their error
# pages

my $name = 'task-management-of-2026-and-more';
my $lost = 'sk-' . 'Ab1_-' x 8;
is($t->get(1, "$_$key?a=$_$lost", 'x-api-key', $key)->{status}, 200, "a key in a path behind $_")
    for '/', '/a%2F', '/a:', "/$name/";
$t->raw(1, "GET /a/$key HTTP/1.1\r\nHost: a\r\nBad Header\r\n\r\n");
$t->connect(1)->syswrite("GET /a/$key HTTP/1.1\r\nHost: a\r\n");

for my $line ("GET /x%zz?key=$key HTTP/1.1\r\nHost: a\r\n", "GET /?key=$key HTTP/1.1\r\n",
    "GET /?a=b&key=$key HTTP/1.1\r\nHost: a\r\nBad Header\r\n", "GET /?key=$key HTTP/1.1 x\r\nHost: a\r\n")
{
    like($t->raw($_, "$line\r\n"), qr/^HTTP\/1\.1 [45]00 /, "malformed, server $_") for 1 .. 3;
}

ok(wait_for(sub { (() = slurp($t->dir . '/access.log') =~ / [45]00$/mg) >= 12 }, 5), 'they are logged');
unlike(slurp($t->dir . '/access.log'), qr/\Q$key\E|\Q$lost\E/, "nginx's access log has no key");
like(slurp($t->dir . '/access.log'), qr{^GET /$name/sk-\*\?a=/$name/sk-\* HTTP/1.1 a=/$name/sk-\* /$name/sk-\*\?a=/$name/sk-\* }m,
    'all else of the line is as it was');
is(scalar(grep { (decode_json($_)->{path} // '') =~ m{^/(?:a%2F|a:|$name/|a/)?sk-\*$} } $t->whole_lines), 6,
    'and of the path');
unlike(join('', $t->whole_lines), qr/\Q$key\E/, 'ours neither');
unlike(join('', grep { !/while reading client request/ } split /^/, $t->error_log), qr/\Q$key\E/,
    'nor has the error log, once headers are read');

$t->{secrets} = [];                 # what nginx says while it reads is its own
$t->done;
