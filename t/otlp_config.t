#!/usr/bin/perl

# Where spans go: the block, the environment's defaults, TLS, what is refused;
# and a receiver that is not ours.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsPeers;
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my ($spans) = AiobsPeers::otlp($t, 5, 6);
my ($elastic, $elastic_pid) = AiobsPeers::otlp($t, 7, 8, 'otlp-elastic.cjs');
my $dir = $t->dir;

Aiobs::spew("$dir/secret", "s3cret\r\n");
Aiobs::spew("$dir/empty", "\n");
Aiobs::spew("$dir/control", "a\x01b");
Aiobs::spew("$dir/long", 'x' x 5000);
$t->certificate('cert');

$t->upstream(9, sub { my ($req, $c) = @_; $t->answer($c, 200, [], $req->{head}) });

my $server = <<'E';
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    aiobs_trace on;
    location / { return 200 ok; }
    location /up { proxy_pass http://127.0.0.1:%%PORT_9%%; }
    location /llm { aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_9%%; }
    location /told { aiobs_llm openai; aiobs_forward trace; proxy_pass http://127.0.0.1:%%PORT_9%%; }
    location = /never { aiobs_trace on ratio=0; return 200 no; }
    location = /metrics { aiobs_metrics; }
}
server {
    listen 127.0.0.1:%%PORT_2%% ssl http2;
    ssl_certificate cert.pem;
    ssl_certificate_key cert.key;
    ssl_client_certificate cert.pem;
    ssl_verify_client optional;
    location / { if ($ssl_client_verify != SUCCESS) { return 403; } grpc_pass grpc://127.0.0.1:%%PORT_6%%; }
}
server {
    listen 127.0.0.1:%%PORT_3%% ssl;
    ssl_certificate cert.pem;
    ssl_certificate_key cert.key;
    location / { proxy_pass http://127.0.0.1:%%PORT_5%%; }
}
server {
    listen 127.0.0.1:%%PORT_4%%;
    location / { proxy_pass http://127.0.0.1:%%PORT_5%%; }
}
E

sub lines { my ($file) = @_; return map { decode_json($_) } Aiobs::slurp($file) =~ /^(.*)\n/mg }
sub id { my ($s) = @_; return $s->{attrs}{'aiobs.request_id'} // $s->{attributes}{'aiobs.request_id'} // '' }

sub arrives {
    my ($file, $id) = @_;
    return Aiobs::wait_for(sub { my ($s) = grep { id($_) eq $id } lines($file); $s }, 10);
}

sub run_with {
    my ($block, %env) = @_;
    local %ENV = (%ENV, %env);
    $t->stop;
    $t->start("aiobs_otlp { interval 50ms; $block }\n$server", main => 'env http_proxy; env no_proxy;');
}

sub header { my ($name) = @_; my ($e) = reverse grep { $_->{export} } lines($spans); return $e->{headers}{$name} }

# --- TLS ---

my $tls = "endpoint https://127.0.0.1:%%PORT_3%%; trusted_certificate cert.pem; header authorization file:secret;";
run_with($tls);
$t->get(1, '/', 'X-Request-ID', 'https');
ok(arrives($spans, 'https'), 'OTLP/HTTP over TLS');
is(header('authorization'), 's3cret', 'a header of a file, without its line end');

run_with('endpoint grpcs://127.0.0.1:%%PORT_2%%; trusted_certificate cert.pem; certificate cert.pem; certificate_key cert.key;');
for my $id (qw(grpcs-1 grpcs-2 grpcs-3)) {
    $t->get(1, '/', 'X-Request-ID', $id);
    is((arrives($spans, $id) || {})->{via}, 'grpc', "OTLP/gRPC over TLS, with a certificate of our own: $id");
}

run_with('endpoint https://127.0.0.1:%%PORT_3%%;');
$t->get(1, '/', 'X-Request-ID', 'untrusted');
ok(Aiobs::wait_for(sub { $t->get(1, '/metrics')->{body} =~ /aiobs_export_failed_total\{exporter="otlp",reason="tls"\}/ }, 10),
    'a certificate that nobody has signed');

run_with('', OTEL_EXPORTER_OTLP_ENDPOINT => 'https://127.0.0.1:' . $t->port(3), OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE => 'none.pem',
    OTEL_EXPORTER_OTLP_CERTIFICATE => 'cert.pem', OTEL_EXPORTER_OTLP_CLIENT_KEY => '', OTEL_EXPORTER_OTLP_HEADERS => 'authorization=s3cret');
$t->get(1, '/', 'X-Request-ID', 'env-tls');
ok(arrives($spans, 'env-tls'), 'OTEL_EXPORTER_OTLP_CERTIFICATE, where that for traces cannot be read');

run_with($tls =~ s/trusted_certificate cert.pem;//r, OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE => '', OTEL_EXPORTER_OTLP_CERTIFICATE => '');
$t->get(1, '/', 'X-Request-ID', 'env-empty');
ok(Aiobs::wait_for(sub { $t->get(1, '/metrics')->{body} =~ /aiobs_export_failed_total\{exporter="otlp",reason="tls"\}/ }, 10),
    'one that is empty is none');
unlike($t->error_log, qr/error setting certificate/, 'no file is asked for');

# --- the environment ---

my ($http, $grpc) = map { 'http://127.0.0.1:' . $t->port($_) } 5, 6;

run_with('', OTEL_EXPORTER_OTLP_ENDPOINT => $http, OTEL_EXPORTER_OTLP_HEADERS => 'x-a=1,X-B=two%20words%2C,x%2dc=3',
    OTEL_EXPORTER_OTLP_COMPRESSION => 'none', OTEL_SERVICE_NAME => 'from-env', OTEL_EXPORTER_OTLP_TIMEOUT => 3000,
    OTEL_RESOURCE_ATTRIBUTES => 'team=a%3Db,service.name=other,deployment.environment.name=test',
    OTEL_TRACES_SAMPLER => 'always_on', OTEL_BSP_MAX_EXPORT_BATCH_SIZE => 10, OTEL_BSP_MAX_QUEUE_SIZE => 50,
    OTEL_BSP_SCHEDULE_DELAY => 99999);
$t->get(1, '/', 'X-Request-ID', 'env');
my $s = arrives($spans, 'env');
is($s->{resource}{'service.name'}, 'from-env', 'OTEL_SERVICE_NAME');
is($s->{resource}{team}, 'a=b', 'OTEL_RESOURCE_ATTRIBUTES');
is($s->{resource}{'deployment.environment.name'}, 'test', 'all of them');
is_deeply([map { header($_) } 'x-b', 'x%2dc', 'x-c'], ['two words,', '3', undef],
    'OTEL_EXPORTER_OTLP_HEADERS: "%xx" of values only, as in W3C baggage');
is(header('content-encoding'), undef, 'OTEL_EXPORTER_OTLP_COMPRESSION');

run_with("endpoint $http; service_name block; header X-A block; resource team=block;", OTEL_SERVICE_NAME => 'env',
    OTEL_EXPORTER_OTLP_HEADERS => 'x-a=env', OTEL_RESOURCE_ATTRIBUTES => 'team=env',
    OTEL_EXPORTER_OTLP_ENDPOINT => 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_PROTOCOL => 'grpc');
$t->get(1, '/', 'X-Request-ID', 'block');
$s = arrives($spans, 'block');
is_deeply([@{$s->{resource}}{qw(service.name team)}, header('x-a'), $s->{via}], [qw(block block block http)],
    'the block comes first');

run_with('', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT => $grpc, OTEL_EXPORTER_OTLP_ENDPOINT => 'http://127.0.0.1:1',
    OTEL_EXPORTER_OTLP_PROTOCOL => 'grpc', OTEL_TRACES_SAMPLER => 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG => '1.0');
$t->get(1, '/', 'X-Request-ID', 'env-grpc');
is((arrives($spans, 'env-grpc') || {})->{via}, 'grpc', 'OTEL_EXPORTER_OTLP_PROTOCOL, and the variable for traces');

run_with('', OTEL_EXPORTER_OTLP_TRACES_ENDPOINT => "$http/v1/traces", OTEL_TRACES_SAMPLER => 'always_off');
$t->get(1, '/', 'X-Request-ID', 'env-off');
$t->get(1, '/never');
unlike($t->get(1, '/metrics')->{body}, qr/aiobs_export_queue_length\{exporter="otlp"\} [1-9]/, 'OTEL_TRACES_SAMPLER');

run_with('', OTEL_EXPORTER_OTLP_ENDPOINT => $http, OTEL_EXPORTER_OTLP_HEADERS => 'broken,x-a=1', OTEL_EXPORTER_OTLP_PROTOCOL => 'http/json',
    OTEL_EXPORTER_OTLP_COMPRESSION => 'GZIP', OTEL_EXPORTER_OTLP_TIMEOUT => 0, OTEL_TRACES_SAMPLER => 'none',
    OTEL_RESOURCE_ATTRIBUTES => " team = a b , k%3Dey=\xc3\xa9%C3%A9,bad=%ff,, empty= ,");
$t->get(1, '/', 'X-Request-ID', 'env-wrong');
$s = arrives($spans, 'env-wrong');
is(header('x-a'), undef, 'a list of headers that is none: nothing of it');
is(header('content-encoding'), 'gzip', 'words of it in any case');
is_deeply([@{$s->{resource}}{qw(team k=ey empty)}], ['a b', "\x{e9}\x{e9}", ''], 'attributes: spaces around, escapes in names and values')
    or diag(encode_json($s->{resource}));
is($s->{resource}{bad}, '?', 'valid UTF-8 always');

# without a path the variable for traces is the root, as it is; the other is a base

sub exports { return grep { $_->{export} || $_->{path} } lines($spans) }

for my $case (['TRACES_ENDPOINT', '', '/'], ['TRACES_ENDPOINT', '/', '/'], ['TRACES_ENDPOINT', '/x?y=1', '/x?y=1'],
    ['ENDPOINT', '', '/v1/traces'], ['ENDPOINT', '/', '/v1/traces'], ['ENDPOINT', '/base/', '/base/v1/traces'])
{
    my $n = exports();
    run_with('', "OTEL_EXPORTER_OTLP_$case->[0]" => "$http$case->[1]");
    $t->get(1, '/');
    Aiobs::wait_for(sub { exports() > $n }, 10);
    is((exports())[-1]{path} // '/v1/traces', $case->[2], "OTEL_EXPORTER_OTLP_$case->[0] of \"$case->[1]\"");
}

# arguments stay behind the path

for my $case (['/base?y=1', '/base/v1/traces?y=1'], ['/v1/traces?y=1', '/v1/traces?y=1'], ['?y=/z', '/v1/traces?y=/z']) {
    my $n = exports();
    run_with("endpoint \"$http$case->[0]\";");
    $t->get(1, '/');
    Aiobs::wait_for(sub { exports() > $n }, 10);
    is((exports())[-1]{path} // '/v1/traces', $case->[1], "endpoint with arguments: $case->[0]");
}

# of two endpoints the one that is one

run_with('', OTEL_EXPORTER_OTLP_ENDPOINT => $http, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT => 'http://h:x', OTEL_EXPORTER_OTLP_HEADERS => 'User-Agent=mine/1');
$t->get(1, '/', 'X-Request-ID', 'env-second');
ok(arrives($spans, 'env-second'), 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is none, OTEL_EXPORTER_OTLP_ENDPOINT is');
is(header('user-agent'), 'mine/1', 'a User-Agent of our own choice');

run_with('', OTEL_EXPORTER_OTLP_ENDPOINT => '127.0.0.1:' . $t->port(6), OTEL_EXPORTER_OTLP_PROTOCOL => 'grpc', OTEL_EXPORTER_OTLP_INSECURE => 'true');
$t->get(1, '/', 'X-Request-ID', 'env-insecure');
is((arrives($spans, 'env-insecure') || {})->{via}, 'grpc', 'gRPC to a host, OTEL_EXPORTER_OTLP_INSECURE');

for my $switch ([OTEL_SDK_DISABLED => 'true'], [OTEL_TRACES_EXPORTER => 'none'], [OTEL_TRACES_EXPORTER => 'None,zipkin']) {
    run_with("endpoint $http;", @$switch);
    $t->get(1, '/', 'X-Request-ID', "switch-$switch->[0]");
    is(scalar(() = $t->get(1, '/metrics')->{body} =~ /\{exporter="otlp"[,}]/g), 0, "$switch->[0]=$switch->[1]: nothing is sent");
}

# --- whose trace context it is ---

my @client = ('traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'tracestate', 'v=1', 'baggage', 'k=v');

sub passed {
    my ($path) = @_;
    my $head = $t->get(1, $path, @client)->{body};
    return join ' ', map { my $n = $_; map { "$n=$_" } $head =~ /^$n: (.*?)\r?$/mgi } qw(traceparent tracestate baggage);
}

my $theirs = "traceparent=$client[1] tracestate=v=1 baggage=k=v";
my $ours = qr/^traceparent=00-(?!0af7651916cd43dd8448eb211c80319c)\w{32}-\w{16}-01 baggage=k=v$/;

for my $case (['none', 1], ['baggage', 1], [' NONE ,', 1], ['tracecontext', 0], ['baggage, TraceContext', 0], ['b3,jaeger', 0], ['b3,none', 1], ['', 0]) {
    run_with("endpoint $http;", OTEL_PROPAGATORS => $case->[0]);
    $case->[1] ? is(passed('/up'), $theirs, "OTEL_PROPAGATORS=$case->[0]: the client's, untouched")
        : like(passed('/up'), $ours, "OTEL_PROPAGATORS=$case->[0]: ours");
    is(passed('/llm'), 'baggage=k=v', 'none to providers');
    $case->[1] ? is(passed('/told'), $theirs, 'that of the client where they are told')
        : like(passed('/told'), $ours, 'ours where they are told');
}

run_with("endpoint $http;", OTEL_PROPAGATORS => 'none');
$t->get(1, '/up', 'X-Request-ID', 'propagators', @client);
$s = arrives($spans, 'propagators');
isnt($s->{trace}, '0af7651916cd43dd8448eb211c80319c', 'its spans have a trace of their own');
is_deeply([$s->{parent}, $s->{links}, $s->{state}], ['', [], ''], 'which nothing links to that of the client');

# --- of what is said twice ---

run_with('resource service.name=block;', OTEL_EXPORTER_OTLP_ENDPOINT => $http, OTEL_SERVICE_NAME => 'env',
    OTEL_EXPORTER_OTLP_TRACES_COMPRESSION => 'br', OTEL_EXPORTER_OTLP_COMPRESSION => 'gzip',
    OTEL_EXPORTER_OTLP_TRACES_HEADERS => 'broken', OTEL_EXPORTER_OTLP_HEADERS => 'x-a=all',
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL => 'thrift', OTEL_EXPORTER_OTLP_PROTOCOL => 'http/protobuf',
    OTEL_TRACES_EXPORTER => 'zipkin, OTLP', OTEL_BSP_MAX_QUEUE_SIZE => 2);
$t->get(1, '/', 'X-Request-ID', 'twice');
$s = arrives($spans, 'twice');
is($s->{resource}{'service.name'}, 'block', 'the block comes before OTEL_SERVICE_NAME, also as an attribute');
is_deeply([header('content-encoding'), header('x-a')], ['gzip', 'all'], 'of two variables the one whose value is one');

# --- a batch that the queue could not hold ---

$t->stop;
$t->start("aiobs_otlp { endpoint $http; interval 60s; queue 3; }\n$server");
$t->get(1, '/', 'X-Request-ID', "few-$_") for 1 .. 3;
ok(arrives($spans, 'few-3'), 'a full queue is sent before its time');

# --- compression: where bytes cost something ---

for (["endpoint $http;", undef, 'none to an address of this machine'],
    ["endpoint $http; compression gzip;", 'gzip', 'unless it is asked for'],
    ['endpoint http://user@LocalHost:%%PORT_5%%;', undef, 'localhost'],
    ['endpoint http://[::1]:%%PORT_5%%;', undef, '::1', 'elsewhere'],
    ['endpoint http://127.example.com;', 'gzip', 'a name that only begins so', 'elsewhere'],
    ['endpoint http://localhost.example.com/;', 'gzip', 'another one', 'elsewhere'],
    ['endpoint http://10.1.2.3:4318;', 'gzip', 'another machine', 'elsewhere']) {
    my ($block, $want, $name, $elsewhere) = @$_;
    my $proxy = 'http://127.0.0.1:' . $t->port(4);      # libcurl asks it for what is elsewhere

    (my $id = $name) =~ tr/a-z0-9/-/c;
    run_with($block, $elsewhere ? (http_proxy => $proxy, no_proxy => '') : ());
    $t->get(1, '/', 'X-Request-ID', $id);
    ok(arrives($spans, $id), "$name: arrives");
    is(header('content-encoding'), $want, "$name: how");
}

# --- a receiver of somebody else; it wants no gzip ---

run_with('compression none; service_name other; endpoint http://127.0.0.1:%%PORT_7%%/;');
$t->get(1, '/', 'X-Request-ID', 'elastic', 'traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
$s = arrives($elastic, 'elastic');
is($s->{name}, 'GET /', 'Elastic: by HTTP') or diag(Aiobs::slurp("$elastic.log"));
is($s->{resource}{'service.name'}, 'other', 'the resource');
run_with('compression none; endpoint grpc://127.0.0.1:%%PORT_8%%;');
$t->get(1, '/x', 'X-Request-ID', 'elastic-grpc');
$s = arrives($elastic, 'elastic-grpc');
is($s->{attributes}{'url.path'}, '/x', 'Elastic: by gRPC');
ok(kill(0 => $elastic_pid), 'it has survived what it was sent');

# --- what is refused ---

$t->stop;

sub refused {
    my ($conf, $want, $name, %env) = @_;
    local %ENV = (%ENV, %env);
    my ($rc, $out) = $t->check($conf . "\n$server");
    ok($rc != 0 && $out =~ $want, $name) or diag($out);
    unlike($out, qr/s3cret/, 'no secret is told');
}

my @bad = (
    ['endpoint ftp://x;', qr/invalid endpoint "ftp:\/\/x".*"grpcs:\/\/".* in \S+:\d+/, 'another scheme'],
    ['endpoint http://;', qr/invalid endpoint/, 'no host'],
    ['endpoint localhost:4318;', qr/invalid endpoint/, 'no scheme'],
    ['nonsense 1;', qr/unknown parameter "nonsense" of "aiobs_otlp"/, 'an unknown parameter'],
    ['header x;', qr/invalid number of values of "header" in "aiobs_otlp": two are expected/, 'half a header'],
    ['interval 1s 2s;', qr/values of "interval" in "aiobs_otlp": one is expected/, 'a value too many'],
    ['interval soon;', qr/"interval" in "aiobs_otlp" invalid value/, 'a time that is none'],
    ['batch_size 0;', qr/larger than 0/, 'an empty batch'],
    ['compression zstd;', qr/invalid value "zstd"/, 'another compression'],
    ['resource team;', qr/expects "name=value"/, 'half an attribute'],
    ['header "x y" s3cret;', qr/the header "x y"/, 'a name that no header has'],
    ['header x env:NOT_SET;', qr/environment variable "NOT_SET" is not set/, 'a variable that is not set'],
    ['header x file:none;', qr/open\(\) "\S+\/none" failed/, 'a file that is not there'],
    (map { ["$_ none.pem;", qr/open\(\) "\S+\/none\.pem" failed .*No such file/, "$_: a file that is not there"],
           ["$_ /tmp;", qr/open\(\) "\/tmp" failed .*Is a directory/, "$_: a directory"] } qw(trusted_certificate certificate certificate_key)),
    ['header x file:empty;', qr/"\S+\/empty" is empty/, 'an empty file'],
    ['header x file:control;', qr/"\S+\/control" has control bytes/, 'control bytes'],
    ['header x file:long;', qr/longer than 4096 bytes/, 'a long file'],
    (map { ["endpoint \"$_\";", qr/invalid endpoint "\Q$_\E"/, $_] } 'http://h:0', 'http://h:65536', 'http://h:', 'http://h:port', 'grpc://h:-1',
        'http://h:80:80/', 'http:///v1', 'http://a b/', 'http://h/a b', 'http://h/#a', 'http://[::1', 'http://[::1]4318',
        'http://[h]:1', 'http://[]', 'http://[fe80::1%]', 'http://[%25eth0]', 'http://::1:4318', 'http://unix:/run/otlp', 'unix:/run/otlp', 'http://a,b', "http://h/\x01", "http://h\xff/"),
    ['endpoint http://?a=1;', qr/invalid endpoint "http:\/\/"/, 'arguments without a host'],
    ['endpoint http://h\\x/;', qr/invalid endpoint/, 'a host with a backslash'],
    ['endpoint "http://me:s3cret@h:99999/a?key=s3cret";', qr/invalid endpoint "\.\.\.\@h:99999\/a" of/, 'credentials with a wrong port'],
    ['endpoint "http://me:s3cret@/a";', qr/invalid endpoint "\.\.\.\@\/a" of/, 'credentials without a host'],
    ['endpoint "http://a@s3cret@b@h/";', qr/invalid endpoint/, 'several of them'],
    (map { ["header \"$_\" s3cret;", qr/the header "\Q$_\E"/, "a header's name: $_"] } '', 'x(y)', 'x:y', 'x/y', "x\xe9", 'Content-Type', 'content-length',
        'Transfer-Encoding', 'TE', 'grpc-encoding'),
    ["header x \"a\nb\";", qr/the header "x"/, 'a value of two lines'],
    ['header x s3cret; header X s3cret;', qr/"header" in "aiobs_otlp" is duplicate/, 'a header twice'],
    ['resource a=1; resource a=2;', qr/"resource" in "aiobs_otlp" is duplicate/, 'an attribute twice'],
    ['resource =x;', qr/expects "name=value"/, 'an attribute without a name'],
    ["resource \"a\tb=1\";", qr/control bytes/, 'an attribute whose name has control bytes'],
);

refused("aiobs_otlp { $_->[0] }", $_->[1], $_->[2]) for @bad;
refused('aiobs_otlp { } aiobs_otlp { }', qr/"aiobs_otlp" directive is duplicate/, 'two blocks');
refused("aiobs_otlp { resource \"\xff=1\"; }", qr/not UTF-8/, 'a name that is not UTF-8');

for my $url ('HTTP://h', 'http://a_b.example.com.:65535/x?y=1', 'grpcs://[::1]:4317', 'grpc://[fe80::1]', 'http://[fe80::1%25eth0]:4318', 'https://me:s3cret@10.0.0.1:1/') {
    my ($rc, $out) = $t->check("aiobs_otlp { endpoint $url; }\n$server");
    is($rc, 0, "$url: taken") or diag($out);
}

# the environment of all OpenTelemetry says it wrongly: as if it had not, and told

sub ignored {
    my ($name, $value, $want, %more) = @_;
    local %ENV = (%ENV, $name => $value, %more);
    my ($rc, $out) = $t->check("aiobs_otlp { }\n$server");
    is($rc, 0, "$name=$value: is ignored");
    like($out, qr/\[warn\].*$want/, "$name=$value: and told");
    unlike($out, qr/s3cret/, 'no secret is told');
}

ignored(@$_) for (map { my $name = $_; map { [$name, $_, qr/$name, which is ignored: a URL/] } 'http://h:99999', 'h:4318', 'http://', 'http://me:s3cret@a b' }
        'OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'),
    ['OTEL_EXPORTER_OTLP_HEADERS', 'content-type=s3cret', qr/"name=value,..."/],
    ['OTEL_EXPORTER_OTLP_PROTOCOL', 'http/json', qr/OTEL_EXPORTER_OTLP_PROTOCOL, which is ignored: "grpc" or/],
    ['OTEL_EXPORTER_OTLP_COMPRESSION', 'br', qr/"gzip" or "none"/], ['OTEL_EXPORTER_OTLP_TIMEOUT', '1s', qr/a number from 0 on/],
    ['OTEL_BSP_MAX_QUEUE_SIZE', '-1', qr/OTEL_BSP_MAX_QUEUE_SIZE is "-1"/], ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', '0', qr/from 1 on/],
    ['OTEL_EXPORTER_OTLP_HEADERS', 's3cret', qr/"name=value,..."/], ['OTEL_EXPORTER_OTLP_HEADERS', 'a=%0d%0as3cret', qr/"name=value,..."/],
    ['OTEL_RESOURCE_ATTRIBUTES', 'a=%zz', qr/OTEL_RESOURCE_ATTRIBUTES, which/], ['OTEL_RESOURCE_ATTRIBUTES', '%ff=a', qr/OTEL_RESOURCE_ATTRIBUTES/],
    ['OTEL_SDK_DISABLED', 'yes', qr/OTEL_SDK_DISABLED is "yes", which is ignored/],
    ['OTEL_TRACES_SAMPLER', 'parentbased_', qr/"traceidratio" are accepted/],
    ['OTEL_TRACES_SAMPLER', 'jaeger_remote', qr/"traceidratio" are accepted/],
    ['OTEL_PROPAGATORS', 'b3', qr/OTEL_PROPAGATORS names "b3", which is ignored: "tracecontext"/],
    ['OTEL_PROPAGATORS', 'tracecontextual, tracecontext', qr/names "tracecontextual"/],
    ['OTEL_TRACES_EXPORTER', 'console', qr/OTEL_TRACES_EXPORTER names "console", which is ignored: "otlp"/],
    ['OTEL_METRICS_EXPORTER', 'otlp', qr/OTEL_METRICS_EXPORTER names "otlp", which is ignored: metrics are shown/],
    ['OTEL_LOGS_EXPORTER', 'none,console', qr/OTEL_LOGS_EXPORTER names "console", which is ignored: logs are/],
    ['OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', '-1', qr/OTEL_EXPORTER_OTLP_TRACES_TIMEOUT is "-1"/],
    ['OTEL_EXPORTER_OTLP_TRACES_COMPRESSION', 'br', qr/variable OTEL_EXPORTER_OTLP_TRACES_COMPRESSION, which/],
    ['OTEL_EXPORTER_OTLP_INSECURE', '1', qr/OTEL_EXPORTER_OTLP_INSECURE is "1"/, OTEL_EXPORTER_OTLP_ENDPOINT => 'h:4317', OTEL_EXPORTER_OTLP_PROTOCOL => 'grpc'],
    ['OTEL_BSP_EXPORT_TIMEOUT', 'x', qr/OTEL_BSP_EXPORT_TIMEOUT is "x"/],
    ['OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT', '100', qr/is 100, which is ignored: there may be up to 512/],
    ['OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT', '511', qr/is 511/], ['OTEL_ATTRIBUTE_COUNT_LIMIT', '1', qr/up to 64/],
    ['OTEL_SPAN_EVENT_COUNT_LIMIT', '0', qr/up to 2/], ['OTEL_SPAN_LINK_COUNT_LIMIT', '0', qr/up to 1/],
    ['OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT', 'x', qr/from 0 on/], ['OTEL_LOG_LEVEL', 'debug', qr/OTEL_LOG_LEVEL is ignored: .*"error_log"/],
    ['OTEL_CONFIG_FILE', '/etc/otel.yaml', qr/OTEL_CONFIG_FILE is ignored: the other/], ['OTEL_ENTITIES', 'service{}', qr/OTEL_ENTITIES is ignored/],
    (map { ["OTEL_EXPORTER_OTLP_$_", 'none.pem', qr{"/\S+/none\.pem" failed \(2: No such file.*"/\S+/none\.pem" of the environment variable OTEL_EXPORTER_OTLP_$_ cannot be read, and is ignored}s] }
        qw(CERTIFICATE CLIENT_CERTIFICATE CLIENT_KEY TRACES_CERTIFICATE TRACES_CLIENT_KEY)),
    ['OTEL_EXPORTER_OTLP_CERTIFICATE', '/tmp', qr{"/tmp" failed \(21: Is a directory.*"/tmp" of the environment variable \S+ cannot be read, and is ignored}s],
    ['OTEL_TRACES_SAMPLER_ARG', '2', qr/a number from 0 to 1/, OTEL_TRACES_SAMPLER => 'traceidratio'];

# files that the master can read, and the workers cannot

SKIP: {
    skip 'root is needed to read what workers cannot', 6 unless $> == 0;

    my $group = getgrgid((getpwnam 'nobody')[3]);
    my $file = $t->dir . '/key.pem';
    Aiobs::spew($file, 'none');
    chmod 0755, $t->dir;

    for my $mode (0600, 0644) {
        chmod $mode, $file;
        local %ENV = (%ENV, OTEL_EXPORTER_OTLP_CLIENT_KEY => $file, OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE => 'cert.pem');
        $t->write_conf("aiobs_otlp { }\n$server");
        my $conf = $t->dir . '/nginx.conf';
        Aiobs::spew($conf, Aiobs::slurp($conf) =~ s/^user root;/user nobody $group;/mr);
        my $out = `$t->{nginx} -t -c $conf 2>&1`;
        is($? >> 8, 0, sprintf 'a file of mode %o: nginx would start', $mode) or diag($out);
        my $wrong = $mode == 0600 ? 1 : 0;
        is(() = $out =~ /\[warn\].*run as user "nobody", who cannot read "\Q$file\E".*Permission denied/, $wrong, 'it is said who cannot read it');
        is(() = $out =~ /\[warn\].*"\Q$file\E" of the environment variable OTEL_EXPORTER_OTLP_CLIENT_KEY cannot be read, and is ignored/, $wrong,
            'and that it is ignored');
    }

    unlink $file;
}

{
    local %ENV = (%ENV, OTEL_PROPAGATORS => 'tracecontext,baggage', OTEL_TRACES_EXPORTER => 'otlp', OTEL_METRICS_EXPORTER => 'none',
        OTEL_LOGS_EXPORTER => 'none', OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT => 128, OTEL_ATTRIBUTE_COUNT_LIMIT => 1, OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT => 512,
        OTEL_SPAN_EVENT_COUNT_LIMIT => 128, OTEL_SPAN_LINK_COUNT_LIMIT => 128, OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT => 128,
        OTEL_LINK_ATTRIBUTE_COUNT_LIMIT => 0, OTEL_BSP_EXPORT_TIMEOUT => 30000, OTEL_SDK_DISABLED => 'false');
    my ($rc, $out) = $t->check("aiobs_otlp { }\n$server");
    unlike($out, qr/OTEL_/, 'what is kept, or done, needs no warning');
}

for my $bad (['aiobs_trace maybe;', qr/invalid value "maybe" of "aiobs_trace"/], ['aiobs_trace on ratio=1.1;', qr/"ratio=number" from 0 to 1/],
    ['aiobs_trace on ratio=.;', qr/"ratio=number"/], ['aiobs_trace on often;', qr/invalid parameter "often"/],
    ['aiobs_trace on; aiobs_trace off;', qr/is duplicate/], ['aiobs_trace_parent maybe;', qr/invalid value "maybe"/],
    ['aiobs_server_timing maybe;', qr/must be "on" or "off"/])
{
    my ($rc, $out) = $t->check("server { listen 127.0.0.1:%%PORT_4%%; $bad->[0] }");
    ok($rc != 0 && $out =~ $bad->[1], $bad->[0]) or diag($out);
}

$t->done;
