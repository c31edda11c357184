#!/usr/bin/perl

# A wrong directive is an error of the configuration that says where it is and
# what is accepted; a store that is none is told with path and reason.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;

my $t = Aiobs->new;

sub server { return "server { listen 127.0.0.1:%%PORT_0%%; @_ }" }

sub refused {
    my ($name, $http, $want) = @_;
    my ($rc, $out) = $t->check($http);
    isnt($rc, 0, "$name: refused");
    like($out, $want, "$name: says so");
    return;
}

sub accepted {
    my ($name, $http, $main) = @_;
    my ($rc, $out) = $t->check($http, main => $main);
    is($rc, 0, "$name: accepted") or diag($out);
    return;
}

accepted('nothing at all', server());
accepted('everything', <<'EOF' . server(<<'EOF'), 'thread_pool keys threads=2;');
aiobs on;
aiobs_zone 16m series=5000 keys=1000;
aiobs_thread_pool keys;
aiobs_service gateway production;
aiobs_user $remote_user;
aiobs_forward identity trace;
EOF
aiobs_log %%DIR%%/b.json format=json buffer=64k flush=1s if=$arg_log;
aiobs_log stderr;
location / { aiobs_llm anthropic; aiobs_endpoint e; aiobs_auth_query on;
    aiobs_auth_key $http_x_key; aiobs_stream_usage on limit=4m; }
location /off { aiobs off; aiobs_log off; aiobs_llm off; aiobs_auth off; }
location = /metrics { aiobs_metrics remote; }
EOF

for my $dialect (qw(auto openai anthropic gemini bedrock cohere ollama off)) {
    accepted("aiobs_llm $dialect", server("aiobs on; aiobs_llm $dialect;"));
}

my @cases = (
    ['aiobs maybe', 'aiobs maybe;', server(), qr/invalid value "maybe".*nginx\.conf:\d+/],
    ['aiobs_zone without a size', 'aiobs_zone x;', server(), qr/a size such as "32m".*nginx\.conf:\d+/],
    ['aiobs_zone with a wrong parameter', 'aiobs_zone 32m rows=5;', server(),
        qr/"series=number", "keys=number" and "sessions=number" of at most 100000 are accepted/],
    ['a capacity of aiobs_zone twice', 'aiobs_zone 32m keys=5 keys=6;', server(), qr/"keys=6".*each once/],
    ['more sessions than there can be', 'aiobs_zone 320m sessions=100001;', server(), qr/"sessions=100001".*at most 100000/],
    ['a zone smaller than any', 'aiobs_zone 8k;', server(), qr/invalid size "8k".*, 512k at least/],
    ['a recorder larger than the zone', 'aiobs on; aiobs_recorder 50000;', server(),
        qr/too small: .* need \d+k with what "aiobs_recorder" keeps/],
    ['aiobs_zone twice', 'aiobs_zone 32m; aiobs_zone 16m;', server(), qr/duplicate/],
    ['a capacity that no zone has', 'aiobs on; aiobs_zone 32m series=9223372036854775807;', server(),
        qr/invalid parameter "series=9223372036854775807" of "aiobs_zone"/],
    ['a zone that is too small', 'aiobs on; aiobs_zone 1m series=100000;', server(),
        qr/too small: 100000 series, 0 keys and 0 sessions need \d+k/],
    ['aiobs_auth perhaps', 'aiobs_auth perhaps;', server(),
        qr/invalid value "perhaps" of "aiobs_auth": "off", "on", "optional" are accepted in .*nginx\.conf:\d+/],
    ['aiobs_llm of nobody', 'aiobs_llm nobody;', server(),
        qr/invalid value "nobody" of "aiobs_llm": "off", "auto", .*"ollama" are accepted/],
    ['aiobs_forward all', 'aiobs_forward all;', server(),
        qr/invalid value "all" of "aiobs_forward": "identity", "trace" are accepted/],
    ['aiobs_metric_names all', 'aiobs_metric_names all;', server(),
        qr/"all" of "aiobs_metric_names": "prometheus", "otel", "both" are/],
    ['aiobs_trace 0.1', '', server('aiobs_trace 0.1;'),
        qr/"0\.1" of "aiobs_trace": "on", "off" or a variable is expected; a ratio is "on ratio=number"/],
    ['aiobs_trace_parent yes', 'aiobs_trace_parent yes;', server(),
        qr/"yes" of "aiobs_trace_parent": "auto", "trust", "link", "ignore" are/],
    ['an endpoint by a variable', '', server('aiobs_endpoint $host;'), qr/invalid name "\$host" of "aiobs_endpoint": 1 to 128 bytes without variables/],
    ['an endpoint without a name', '', server('aiobs_endpoint "";'), qr/invalid name ""/],
    ['a header, not its variable', '', server('aiobs_auth_key X-Key;'), qr/"X-Key" of "aiobs_auth_key": a variable is expected, such as "\$http_/],
    ['a session that is a word', '', server('aiobs_agent_session x-session;'), qr/a variable, such as "\$http_x_agent_session"/],
    ['aiobs_models without any', '', server('aiobs_models provider=openai;'), qr/"aiobs_models" directive names no model/],
    ['aiobs_models with a wrong parameter', '', server('aiobs_models prov=openai gpt-4o;'), qr/"prov=openai" of "aiobs_models": "provider=name"/],
    ['no limit of aiobs_stream_usage', 'aiobs_stream_usage on limit=0;', server(), qr/"limit=size" is accepted/],
    ['a wrong parameter in aiobs_otlp', 'aiobs_otlp { endpoints http://127.0.0.1; }', server(),
        qr/unknown parameter "endpoints" of "aiobs_otlp": endpoint, .*certificate_key are accepted/],
    ['a wrong parameter in aiobs_sentry', 'aiobs_sentry { samplerate 1; }', server(),
        qr/unknown parameter "samplerate" of "aiobs_sentry": dsn, .*timeout are accepted/],
    ['aiobs_sentry without a DSN', 'aiobs_sentry { release 1; }', server(), qr/"aiobs_sentry" lacks "dsn" in /],
    ['a compression that nobody has', 'aiobs_otlp { compression zstd; }', server(), qr/"zstd" of "compression": "none", "gzip", "auto" are/],
    ['a queue of nothing', 'aiobs_otlp { queue 0; }', server(), qr/"queue" and "timeout" of "aiobs_otlp" have to be larger than 0/],
    ['a certificate that is not there', 'aiobs_otlp { trusted_certificate /no/such.pem; }', server(), qr{open\(\) "/no/such\.pem" failed}],
    ['prices in a directory', 'aiobs_prices %%DIR%%;', server(), qr/price file: ".*" is a directory/],
    ['aiobs_log stdout', 'aiobs_log stdout;', server(), qr{"/dev/stdout" is nginx's standard output}],
    ['aiobs_stream_usage maybe', 'aiobs_stream_usage maybe;', server(), qr/"on" or "off"/],
    ['aiobs_stream_usage with a wrong parameter', 'aiobs_stream_usage on size=1;', server(),
        qr/"limit=size" is accepted/],
    ['aiobs_log with a wrong parameter', 'aiobs_log /dev/null format=xml;', server(),
        qr/"format=json\|console\|ecs", "buffer=size", "flush=time" and "if=condition" are accepted/],
    ['aiobs_log without a path', 'aiobs_log "";', server(), qr/"aiobs_log" directive needs a path/],
    ['aiobs_log to a variable', 'aiobs_log /tmp/$host.json;', server(), qr/"aiobs_log" directive needs a path, which holds no variables/],
    ['a buffer smaller than a line', 'aiobs_log /dev/null buffer=1k;', server(), qr/at least one line, 4096/],
    ['flush without a buffer', 'aiobs_log /dev/null flush=1s;', server(), qr/"flush=" needs "buffer="/],
    ['stderr with a buffer', 'aiobs_log stderr buffer=8k;', server(), qr/cannot be buffered/],
    ['a file with two buffers', 'aiobs_log /dev/null buffer=8k; aiobs_log /dev/null buffer=16k;',
        server(), qr/already used with other "buffer="/],
    ['a syslog of no server', 'aiobs_log syslog:tag=x;', server(), qr/no syslog server specified/],
    ['aiobs_log_field of a wrong name', 'aiobs_log_field Team x;', server(),
        qr/invalid name "Team".*no digit first in .*nginx\.conf:\d+/],
    ['aiobs_log_field that is there', 'aiobs_log_field user_id x;', server(),
        qr/has a field "user_id" already/],
    ['aiobs_log_field timestamp', 'aiobs_log_field timestamp x;', server(), qr/"timestamp" already/],
    ['aiobs_log_field twice', 'aiobs_log_field a x; aiobs_log_field a y;', server(),
        qr/has a field "a" already/],
    ['aiobs_log_field too often', join('', map { "aiobs_log_field f$_ x;" } 1 .. 17), server(),
        qr/more than 16 times/],
    ['aiobs_privacy with a wrong parameter', 'aiobs_privacy client_ip=hash;', server(),
        qr/"client_ip=keep\|truncate\|drop", "user_id=keep\|hash\|drop" and "salt=secret" are accepted/],
    ['a parameter of aiobs_privacy twice', 'aiobs_privacy client_ip=drop client_ip=keep;', server(), qr/duplicate parameter "client_ip=keep"/],
    ['aiobs_privacy twice', 'aiobs_privacy on; aiobs_privacy off;', server(), qr/duplicate/],
    ['a salt that is not there', 'aiobs_privacy on salt=env:NO_SUCH_SALT;', server(),
        qr/environment variable "NO_SUCH_SALT" is not set/],
    ['aiobs_log off and on', 'aiobs_log off; aiobs_log /dev/null;', server(), qr/"off" stands alone/],
    ['aiobs_metrics with a wrong parameter', '', server('location /m { aiobs_metrics public; }'),
        qr/"remote" and "created" are accepted/],
    ['a store of another kind', 'aiobs_key_store mysql:x;', server(), qr/"sqlite:PATH" is expected/],
    ['keys without a store', 'aiobs on; aiobs_auth on;', server(),
        qr/needs a key store: add "aiobs_key_store sqlite:/],
    ['a keys API without a store', '', server('aiobs on; location /k { aiobs_keys_api; }'),
        qr{"aiobs_keys_api" in location "/k" needs a key store}],
    ['keys that nobody asks for', '', server('location /v1/ { aiobs_auth on; }'),
        qr{"aiobs_auth" in location /v1/ asks nobody for a key: add "aiobs on;", or "aiobs_auth off;", there}],
    ['the same, in a server', '', server('aiobs_auth optional;'), qr/"aiobs_auth" in a server without locations asks nobody/],
    ['the same, with another that asks', 'aiobs_key_store sqlite:%%DIR%%/keys.db;',
        server('aiobs_auth on; location / { aiobs on; } location /b { }'), qr{"aiobs_auth" in location /b asks nobody}],
    ['the same, against what is around it', '', server('aiobs off; location /v1/ { aiobs_auth on; }'),
        qr{"aiobs_auth" in location /v1/ asks nobody}],
);

# what is accepted, but hardly meant

my @idle = (
    ['nothing is on', 'aiobs_log %%DIR%%/b.json;', server(), qr/sees no request: "aiobs on;" is nowhere/],
    ['metrics of nothing', '', server('location = /m { aiobs_metrics; }'), qr/sees no request/],
    ['a page of nothing', 'aiobs_recorder off;', server('aiobs on; location = /r { aiobs_requests; }'),
        qr/"aiobs_requests" has nothing to show with "aiobs_recorder off"/],
    ['a location that is not on', '', server('location /v1/ { aiobs_llm auto; } location /b { aiobs on; }'),
        qr{"aiobs_llm" in location "/v1/" does nothing without "aiobs on;" there}],
    ['spans of nothing', 'aiobs_otlp { }', server('aiobs on;'), qr/"aiobs_otlp" has no spans to send/],
    ['spans for nobody', 'aiobs_trace on;', server('aiobs on;'), qr/"aiobs_trace on" records no spans: "aiobs_otlp" is nowhere.*"ratio="/],
    ['spans for nobody, with Sentry', 'aiobs_sentry { dsn http://k@127.0.0.1:1/1; }', server('aiobs on; location /v1/ { aiobs_trace on; }'), qr/records no spans/],
    ['steps of no spans', '', server('aiobs on; location /v1/ { aiobs_trace on ratio=1; aiobs_server_timing on; }'),
        qr/"aiobs_server_timing" does nothing: "aiobs_otlp" is nowhere/],
    (map { ["$_ without aiobs", '', server("location /v1/ { $_; if (\$arg_x) { return 403; } } location /b { aiobs on; }"),
        qr{"\Q@{[(split ' ')[0]]}\E" in location "/v1/" does nothing without "aiobs on;" there}] }
        'aiobs_trace on', 'aiobs_agent_session $arg_s', 'aiobs_rag_score $arg_s', 'aiobs_user $arg_u', 'aiobs_stream_usage on'),
    (map { my ($needs, @directives) = @$_; map { my ($name) = split ' '; (["$_ in a location without $needs", '',
            server("aiobs on; location /v1/ { aiobs_log off; $_; }"), qr{"$name" in location "/v1/" does nothing without "$needs" there}],
        ["$_ around locations without $needs", $_, server('aiobs on;'), qr/"$name" does nothing: "$needs" is nowhere/],
        ["$_ in a server without $needs", '', server("aiobs on; $_;"), qr/"$name" does nothing: "$needs" is nowhere/]) } @directives }
        ['aiobs_llm', 'aiobs_stream_usage on', 'aiobs_models gpt-4o'], ['aiobs_trace', 'aiobs_server_timing on', 'aiobs_trace_parent ignore'],
        ['aiobs_auth', 'aiobs_auth_key $http_x_key', 'aiobs_auth_query on'], ['aiobs_log', 'aiobs_log_field team $http_x_team']),
    ['a store that nobody asks', 'aiobs_key_store sqlite:%%DIR%%/keys.db', server('aiobs on; aiobs_llm auto;'), qr/"aiobs_key_store" does nothing: "aiobs_auth" is nowhere/],
);
$_->[1] .= ';' for grep { $_->[1] =~ /[^;}]$/ } @idle;

Aiobs::spew($t->dir . '/prices.json', '{"m":{"input_cost_per_token":1e-6}}');
$t->{no_log} = 1;
$t->key('alice');

for my $case (@idle) {
    my ($name, $http, $server, $want) = @$case;
    my ($rc, $out) = $t->check("$http\n$server", no_log => 1);
    is($rc, 0, "$name: accepted");
    like($out, $want, "$name: warned of");
    is(scalar(() = $out =~ /\[warn\]/g), 1, "$name: once");
}

# what stands in an outer block for some of the locations only

my $some = 'aiobs_stream_usage on; aiobs_models gpt-4o; aiobs_server_timing on; aiobs_trace_parent trust; aiobs_auth_query on; '
    . 'aiobs_auth_key $http_x_key; aiobs_log_field team $http_x_team; aiobs_prices prices.json; aiobs_agent_session $http_x_session; aiobs_user $arg_u;';
my $one = 'aiobs_llm auto; aiobs_trace on; aiobs_auth on; aiobs_log %%DIR%%/a.json;';

for my $case (
    ['in http', "$some aiobs_otlp { } aiobs_key_store sqlite:keys.db;", server("aiobs on; location /v1/ { $one } location /b { }")],
    ['in a server', 'aiobs_otlp { } aiobs_key_store sqlite:keys.db; aiobs_prices prices.json;',
        server($some =~ s/aiobs_prices \S+//r . " aiobs on; location /v1/ { $one } location /b { }")],
    ['in a location around others', 'aiobs_otlp { } aiobs_key_store sqlite:keys.db;',
        server("location / { aiobs_stream_usage on; aiobs_trace_parent trust; location /v1/ { aiobs on; $one } }")],
    ['tracing in http', 'aiobs_trace on; aiobs_otlp { }', server('location /v1/ { aiobs on; } location /b { }')],
    ['what a gateway without calls has as well', 'aiobs_prices prices.json; aiobs_key_store sqlite:keys.db;', server('aiobs on;')],
    ['what others lead to', '', server('location / { aiobs on; try_files /x @app; error_page 404 /page; } location @app { aiobs_user $arg_u; }'
        . ' location /page { internal; aiobs_user $arg_u; }')],
    ['what applications are told', 'aiobs_trace on ratio=0.1;', server('aiobs on;')],
    ['with transactions', 'aiobs_sentry { dsn http://k@127.0.0.1:1/1; traces_sample_rate 0.1; } aiobs_trace_parent trust;',
        server('aiobs on; location /v1/ { aiobs_trace on; } location /b { aiobs_trace_parent ignore; }')],
    ['tracing that is not on', 'aiobs_trace on;', server('aiobs off; location /v1/ { aiobs off; aiobs_trace on; } location /b { aiobs on; aiobs_trace off; }')],
) {
    my ($name, $http, $server) = @$case;
    my ($rc, $out) = $t->check("$http\n$server", no_log => 1);
    is($rc, 0, "$name: accepted") or diag($out);
    unlike($out, qr/\[warn\]/, "$name: not warned of");
}

{
    local $ENV{OTEL_TRACES_EXPORTER} = 'none';
    my ($rc, $out) = $t->check('aiobs_otlp { } aiobs_trace on;' . server('aiobs on;'), no_log => 1);
    unlike($out, qr/\[warn\]/, 'spans that the environment switches off: not warned of');
}

for my $case (@cases) {
    my ($name, $http, $server, $want) = @$case;
    my ($rc, $out) = $t->check("$http\n$server", no_log => 1);
    isnt($rc, 0, "$name: refused");
    like($out, $want, "$name: says so");
}

# stores

refused('a store that is not there', 'aiobs_key_store sqlite:%%DIR%%/none.db;' . server(),
    qr/none\.db.*(?:no such file|does not exist).*/i);
like(($t->check('aiobs_key_store sqlite:%%DIR%%/none.db;' . server()))[1],
    qr/aiobs-keys create/, 'it tells the way out');

Aiobs::spew($t->dir . '/text.db', "this is no database\n" x 100);
refused('a file that is no database', 'aiobs_key_store sqlite:%%DIR%%/text.db;' . server(),
    qr/text\.db.*not a database/);

refused('a directory', 'aiobs_key_store sqlite:%%DIR%%/tmp;' . server(), qr{/tmp});

# a relative path is taken from the configuration's directory

accepted('a relative path', 'aiobs_key_store sqlite:keys.db; aiobs on; aiobs_auth on;' . server());

# a location that is switched off in words is open on purpose

for my $server ('aiobs on; aiobs_auth on; location /health { aiobs off; }',
    'aiobs_auth on; location / { aiobs on; } location /open { aiobs_auth off; }',
    'aiobs on; location / { } } aiobs_auth on; server { listen 127.0.0.1:%%PORT_1%%; return 301 https://gw/;')
{
    my ($rc, $out) = $t->check('aiobs_key_store sqlite:keys.db;' . server($server));
    is($rc, 0, 'a location without keys on purpose: accepted') or diag($out);
    unlike($out, qr/does nothing|asks nobody|sees no request/, 'and not warned of');
}

# the metrics are for this machine, unless it is said otherwise

$t->start(<<'EOF');
server {
    listen 127.0.0.1:%%PORT_0%%;
    aiobs on;
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;
    location = /metrics { aiobs_metrics; }
    location = /open { aiobs_metrics remote; }
}
EOF

is($t->get(0, '/metrics')->{status}, 200, 'from this machine');
is($t->get(0, '/metrics', 'X-Real-IP', '192.0.2.1')->{status}, 403, 'not from another');
is($t->get(0, '/metrics', 'X-Real-IP', '::1')->{status}, 200, 'IPv6 loopback is this one');
is($t->get(0, '/open', 'X-Real-IP', '192.0.2.1')->{status}, 200, 'remote allows it');
is($t->request(0, 'POST', '/metrics', [], '')->{status}, 405, 'only GET and HEAD');
is($t->request(0, 'HEAD', '/metrics', [])->{body}, '', 'HEAD has no body');

# a changed capacity at the same size

my ($rc) = $t->check('aiobs on; aiobs_zone 32m series=10000;' . server());
is($rc, 0, 'a changed capacity is no wrong configuration by itself');
$t->write_conf('aiobs on; aiobs_zone 32m series=10000;'
    . server('location = /metrics { aiobs_metrics; }'));
kill HUP => $t->{nginx_pid};
ok(Aiobs::wait_for(sub { $t->error_log =~ /"aiobs_zone" was series=20000/ }, 10),
    'but a reload refuses it');
$t->expect_error('aiobs_zone" was series=20000');
is($t->get(0, '/metrics')->{status}, 200, 'and goes on as before');

$t->done;
