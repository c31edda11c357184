#!/usr/bin/perl

# The formats of the line, fields of the configuration, and where lines go:
# files, a terminal, stderr, syslog.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Encode qw(decode FB_CROAK);
use Fcntl qw(O_RDWR O_NOCTTY O_NONBLOCK);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use Test::More;

# a terminal, for lines in colour

sysopen(my $tty, '/dev/ptmx', O_RDWR | O_NOCTTY | O_NONBLOCK) or BAIL_OUT("/dev/ptmx: $!");
my $unlock = pack 'i', 0;
ioctl($tty, 0x40045431, $unlock) or BAIL_OUT("TIOCSPTLCK: $!");
my $n = pack 'i', 0;
ioctl($tty, 0x80045430, $n) or BAIL_OUT("TIOCGPTN: $!");
my $pts = '/dev/pts/' . unpack 'i', $n;

my $t = Aiobs->new;

my $udp = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die;
my $unix = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $t->dir . '/syslog') or die;

$t->upstream(1, sub {
    my ($req, $c) = @_;
    $t->answer($c, 200, ['Content-Type', 'application/json'], encode_json({
        id => 'chatcmpl-1', object => 'chat.completion', model => 'gpt-4o-2024-08-06',
        choices => [{ index => 0, finish_reason => 'stop',
            message => { role => 'assistant', content => 'Hi.' } }],
        usage => { prompt_tokens => 12, completion_tokens => 3, total_tokens => 15 } }));
});

my $conf = <<'EOF';
aiobs_service gw test;
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_log stderr if=$arg_stderr;
aiobs_log %%DIR%%/ecs.json format=ecs;
aiobs_log %%DIR%%/console.txt format=console;
aiobs_log %%DIR%%/all.json;
aiobs_log %%TTY%% format=console;
aiobs_log syslog:server=127.0.0.1:%%UDP%%,tag=gw,facility=local3,severity=info;
aiobs_log syslog:server=unix:%%DIR%%/syslog,nohostname format=ecs;
aiobs_log_field team $arg_team;
aiobs_log_field said "$http_x_said";
aiobs_log_field fixed "eu-1";
server {
    listen 127.0.0.1:%%PORT_0%%;
    listen unix:%%DIR%%/http;
    aiobs on;
    location / { return 200 "ok\n"; }
    location /own { aiobs_log_field only $arg_only; return 200 "ok\n"; }
    location /many {
        %%MANY%%
        return 200 "ok\n";
    }
    location /v1/ { aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /v1beta/ { aiobs_llm gemini; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /old/ { return 404; }
    location /auth/ { aiobs_auth on; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /gone/ { aiobs_llm openai; proxy_pass http://127.0.0.1:1; }
}
EOF

$t->key('alice');

$conf =~ s/%%TTY%%/$pts/g;
$conf =~ s/%%UDP%%/$udp->sockport/ge;
$conf =~ s/%%MANY%%/join '', map { "aiobs_log_field m$_ \$http_x_long;" } 1 .. 16/ge;

$t->start($conf);

sub lines { return split /\n/, Aiobs::slurp($t->dir . "/$_[0]") }

sub line_of {
    my ($file, $id) = @_;
    my $line;
    Aiobs::wait_for(sub { ($line) = grep { /\Q$id\E/ } lines($file) }, 10);
    return $line // '';
}

sub read_tty {
    my ($want) = @_;
    my $got = '';
    Aiobs::wait_for(sub { sysread $tty, $got, 65536, length $got; $got =~ /$want/ }, 10);
    return $got;
}

# --- ECS ---

$t->post(0, '/v1/chat/completions', { model => 'gpt-4o', messages => [] },
    'X-Request-ID', 'call', 'User-Agent', 'test/1');
my $e = decode_json(line_of('ecs.json', 'call'));

# the types of the schema's generated/csv/fields.csv at 9.4; ours are under "aiobs." and "labels."

my $text = qr/^"(?:[^"\\]|\\.)*"$/;
my $long = qr/^(?:0|[1-9]\d{0,18})$/;
my %type = (
    '@timestamp' => qr/^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"$/,
    'log.level' => qr/^"(?:info|warning|error)"$/, 'event.kind' => qr/^"event"$/, 'event.category' => qr/^\["web"\]$/,
    'event.type' => qr/^\["access"\]$/, 'event.outcome' => qr/^"(?:success|failure)"$/,
    'ecs.version' => qr/^"9\.4\.0"$/, 'trace.id' => qr/^"[0-9a-f]{32}"$/, (map { $_ => qr/^"[0-9a-f]{16}"$/ } qw(span.id transaction.id)),
    'source.ip' => qr/^"(?:\d+(?:\.\d+){3}|[0-9a-f:]+)"$/,
    (map { $_ => $text } qw(message event.action service.name service.environment http.request.id http.request.method user.id
        url.path source.address user_agent.original error.type gen_ai.system gen_ai.operation.name gen_ai.request.model
        gen_ai.response.model gen_ai.response.id)),
    (map { $_ => $long } qw(event.duration http.request.bytes http.response.bytes http.response.status_code)),
    (map { $_ => qr/^(?:0|[1-9]\d{0,9})$/ } qw(gen_ai.usage.input_tokens gen_ai.usage.output_tokens)),
);

sub typed {
    my ($line) = @_;
    my (%seen, @wrong);

    while ($line =~ /\G[{,]("(?:[^"\\]|\\.)*"):("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^,}]+)/g) {
        my ($name, $value) = (decode_json("[$1]")->[0], $2);
        push @wrong, "$name twice" if $seen{$name}++;
        my $type = $type{$name} // ($name =~ /^labels\.[a-z0-9_]+$/ ? $text
            : $name =~ /^aiobs\.[a-z0-9_]+$/ ? qr/^(?:$text|$long|\d+\.\d+|true|false)$/ : qr/(?!)/);
        push @wrong, "$name: $value" unless $value =~ $type;
    }

    is("@wrong", '', 'ECS: the fields and types of the schema');
    cmp_ok(scalar(keys %seen), '==', scalar(keys %{decode_json($line)}), 'ECS: all of them');
}

my %want = (
    'log.level' => 'info', message => 'POST /v1/chat/completions 200', 'ecs.version' => '9.4.0',
    'event.kind' => 'event', 'event.action' => 'llm_called', 'event.outcome' => 'success',
    'service.name' => 'gw', 'service.environment' => 'test', 'http.request.id' => 'call',
    'user.id' => 'anon', 'http.request.method' => 'POST', 'url.path' => '/v1/chat/completions',
    'http.response.status_code' => 200, 'source.address' => '127.0.0.1', 'source.ip' => '127.0.0.1',
    'user_agent.original' => 'test/1', 'gen_ai.system' => 'openai', 'gen_ai.operation.name' => 'chat',
    'gen_ai.request.model' => 'gpt-4o', 'gen_ai.response.model' => 'gpt-4o-2024-08-06',
    'gen_ai.usage.input_tokens' => 12, 'gen_ai.usage.output_tokens' => 3,
    'gen_ai.response.id' => 'chatcmpl-1', 'aiobs.endpoint' => '/v1/', 'aiobs.attempts' => 1,
    'aiobs.finish_reason' => 'stop', 'aiobs.usage_source' => 'reported', 'labels.fixed' => 'eu-1',
);

is($e->{$_}, $want{$_}, "ECS: $_") for sort keys %want;
like($e->{'@timestamp'}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/, 'ECS: @timestamp');
like($e->{'trace.id'}, qr/^[0-9a-f]{32}$/, 'ECS: trace.id');
like($e->{'span.id'}, qr/^[0-9a-f]{16}$/, 'ECS: span.id');
is($e->{'transaction.id'}, $e->{'span.id'}, 'ECS: the transaction that it is');
is_deeply($e->{'event.category'}, ['web'], 'ECS: event.category');
is_deeply($e->{'event.type'}, ['access'], 'ECS: event.type');
cmp_ok($e->{'event.duration'}, '<', 1000e9, 'ECS: event.duration in nanoseconds');
is($e->{'event.duration'} % 1000000, 0, 'ECS: of whole milliseconds');
like($e->{$_}, qr/^\d+$/, "ECS: $_") for 'http.request.bytes', 'http.response.bytes';
is(scalar(grep { ref $e->{$_} eq 'HASH' } keys %$e), 0, 'ECS: names are dotted, not nested');
typed($_) for grep { /\S/ } lines('ecs.json');
like(line_of('ecs.json', 'call'), qr/^\{"\@timestamp":"[^"]+","log\.level":"info","message":/,
    'ECS: in the order of ECS logging');

$t->post(0, '/v1beta/models/gemini-2.0-flash:generateContent', { contents => [] }, 'X-Request-ID', 'google');
is(decode_json(line_of('ecs.json', '"google"'))->{'gen_ai.system'}, 'gcp.gemini', 'ECS: providers are named as OpenTelemetry names them');
$t->get(0, '/auth/', 'X-Request-ID', 'refused');
$t->post(0, '/gone/v1/chat/completions', { model => 'm', messages => [] }, 'X-Request-ID', 'gone');
my %says = map { $_ => decode_json(line_of('ecs.json', "\"$_\"")) } qw(refused gone);
is_deeply([map { @{$says{$_}}{qw(event.outcome log.level error.type)} } qw(refused gone)],
    [qw(failure warning missing_key failure error upstream_reset)], 'ECS: what failed, and why');
typed(line_of('ecs.json', "\"$_\"")) for qw(google refused gone);

my $s = IO::Socket::UNIX->new(Peer => $t->dir . '/http') or die;
$s->syswrite("GET /old/x HTTP/1.1\r\nHost: a\r\nX-Request-ID: unix\r\nConnection: close\r\n\r\n");
Aiobs::read_all($s);
$e = decode_json(line_of('ecs.json', '"unix"'));
is($e->{'source.address'}, 'unix:', 'ECS: a client that has no address');
ok(!exists $e->{'source.ip'}, 'ECS: is no ip');
is($e->{'event.outcome'}, 'failure', 'ECS: a failure');
is($e->{'log.level'}, 'warning', 'ECS: its level');

# --- console ---

my $c = line_of('console.txt', 'request_id=call');
like($c, qr{^\d{4}-\d\d-\d\d[ ]\d\d:\d\d:\d\d\.\d{3}[ ]info[ ]{4}200[ ]{5}0\.\d{3}s
    [ ]POST[ ]/v1/chat/completions\s+event=llm_called[ ]service=gw[ ]}x, 'console: what matters first');
like($c, qr{ model=gpt-4o-2024-08-06 .*input_tokens=12 output_tokens=3 .*fixed=eu-1$},
    'console: everything else after it');
unlike($c, qr/\x1b/, 'console: no colour in a file');
my $w = line_of('console.txt', 'request_id=unix');
like($w, qr/ warning 404     0\.\d{3}s GET \/old\/x /, 'console: a warning');
is(index($w, 'event='), index($c, 'event='), 'console: columns are aligned');

my $on_tty = read_tty(qr/request_id\S*=unix.*\n/);
like($on_tty, qr/\x1b\[32m info    200\x1b\[0m/, 'a terminal: green');
like($on_tty, qr/\x1b\[33m warning 404\x1b\[0m/, 'a terminal: yellow');
like($on_tty, qr/\x1b\[36mmodel\x1b\[0m=gpt-4o/, 'a terminal: names in colour');
(my $plain = $on_tty) =~ s/\x1b\[\d+m|\r//g;
ok((grep { $_ eq $c } split /\n/, $plain), 'a terminal: the same line without the colours');

# columns are characters

$t->raw(0, "GET /\xc3\xa9\xe2\x82\xac HTTP/1.1\r\nHost: a\r\nX-Request-ID: wide\r\nConnection: close\r\n\r\n");
my $wide = line_of('console.txt', 'request_id=wide');
utf8::decode($wide);
is(index($wide, 'event='), index($c, 'event='), 'console: columns are aligned where a character has several bytes');

# what steers a terminal never reaches it

$t->raw(0, "GET /\x1b[31mx\xc2\x9b1m HTTP/1.1\r\nHost: a\r\nX-Request-ID: esc\r\n"
    . "User-Agent: a\x1b]0;own\x07b \xc2\x9b2J\r\nConnection: close\r\n\r\n");
$t->raw(0, "GET /\xc2\x9b1m HTTP/1.1\r\nHost: a\r\nX-Request-ID: esd\r\n"
    . "User-Agent: a\tb \xc2\x9b2J\x7f\r\nConnection: close\r\n\r\n");
like(line_of('console.txt', 'request_id=esd'), qr/user_agent="a\\tb \\u009b2J\\u007f"/, 'console: quoted');
$t->raw(0, "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: bidi\r\nUser-Agent: \xe2\x80\xaegpj.exe\xe2\x81\xa6\xe2\x80\xa8\xd8\x9c\r\nConnection: close\r\n\r\n");
like(line_of('console.txt', 'request_id=bidi'), qr/user_agent="\\u202egpj.exe\\u2066\\u2028\\u061c"/, 'console: nor what turns the text around');
for my $file (qw(console.txt all.json ecs.json)) {
    unlike(join('', map { "$_" } lines($file)), qr/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xa8-\xae]|\xd8\x9c/,
        "$file: nothing that steers a terminal");
}
is(decode_json(line_of('all.json', '"bidi"'))->{user_agent}, "\x{202e}gpj.exe\x{2066}\x{2028}\x{61c}", 'which is there for a program');

# --- fields ---

$t->get(0, '/?team=core', 'X-Request-ID', 'f1', 'X-Said', qq{a"b\\c\t\xff\xe4\xb8\xad\xe6});
my $raw = line_of('all.json', '"f1"');
my $j = decode_json($raw);
is($j->{team}, 'core', 'a field from a variable');
is($j->{fixed}, 'eu-1', 'a field that is fixed');
is($j->{said}, qq{a"b\\c\t\x{fffd}\x{4e2d}\x{fffd}}, 'a field is always valid JSON and UTF-8');
is(decode_json(line_of('ecs.json', '"f1"'))->{'labels.team'}, 'core', 'ECS: labels');
like(line_of('console.txt', 'request_id=f1'), qr/ team=core said="a\\"b/, 'console');

$t->get(0, '/own?only=1&team=x', 'X-Request-ID', 'f2');
$j = decode_json(line_of('all.json', '"f2"'));
is($j->{only}, '1', 'a location has its own');
ok(!exists $j->{team} && !exists $j->{fixed}, 'in place of those above');

$t->get(0, '/own', 'X-Request-ID', 'f3');
ok(!exists decode_json(line_of('all.json', '"f3"'))->{only}, 'an empty one is left out');

# --- length ---

for my $case (['x', 300], ['"', 300], ["\t", 3000], ["\xe4\xb8\xad", 1000]) {
    my ($char, $count) = @$case;
    my $id = 'long' . ord($char) . 'z' x 100;
    $t->raw(0, 'GET /many/' . 'p' x 2000 . " HTTP/1.1\r\nHost: a\r\nX-Request-ID: $id"
        . "\r\nUser-Agent: " . ("\xe4\xb8\xad" x 400) . "\r\nX-Long: a" . ($char x $count)
        . "b\r\nConnection: close\r\n\r\n");

    for my $file ('all.json', 'ecs.json') {
        my $line = line_of($file, $id);
        cmp_ok(length $line, '<', 4096, "$file: a line has at most 4096 bytes");
        ok(eval { decode_json($line); decode('UTF-8', my $copy = $line, FB_CROAK); 1 }, "$file: and is whole")
            or diag($@);
    }

    cmp_ok(length line_of('console.txt', $id), '<', 4096, 'console: likewise');
}

# --- syslog ---

sub datagram {
    my ($socket, $want) = @_;
    my $got = '';
    while (IO::Select->new($socket)->can_read(60)) {
        recv $socket, $got, 65536, 0;
        last if $got =~ $want;
    }
    return $got;
}

like(datagram($udp, qr/"call"/),
    qr/^<158>\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ gw: \{"timestamp":.*"request_id":"call".*\}$/,
    'syslog: its header, one line, no line feed');
like(datagram($unix, qr/"call"/),
    qr/^<190>\w{3} [ \d]\d \d\d:\d\d:\d\d nginx: \{"\@timestamp":.*\}$/, 'syslog: a unix socket');

# a syslog that is gone: told, counted, traffic goes on

close $unix;
unlink $t->dir . '/syslog';
is($t->get(0, '/')->{status}, 200, 'no syslog: traffic goes on') for 1 .. 3;
ok(Aiobs::wait_for(sub { $t->error_log =~ /aiobs: lines for "syslog" are lost/ }, 5), 'no syslog: told');

# --- stderr ---

$t->get(0, '/?stderr=1', 'X-Request-ID', 'err');
Aiobs::wait_for(sub { Aiobs::slurp($t->dir . '/nginx.out') =~ /"err"/ }, 20);
like(Aiobs::slurp($t->dir . '/nginx.out'), qr/^\{.*"request_id":"err".*\}$/m, 'stderr is that of nginx');
unlike($t->error_log, qr/^\{/m, 'not its error log');
$t->reload;
$t->get(0, '/?stderr=1', 'X-Request-ID', 'err2');
ok(Aiobs::wait_for(sub { Aiobs::slurp($t->dir . '/nginx.out') =~ /"err2"/ }, 5), 'after a reload too');

# --- NO_COLOR ---

{
    local $ENV{NO_COLOR} = '1';
    my $no = Aiobs->new;
    $no->start("aiobs_log $pts format=console;\n" . <<'EOF', no_log => 1);
server { listen 127.0.0.1:%%PORT_0%%; aiobs on; location / { return 200 "ok\n"; } }
EOF
    1 while sysread $tty, my $old, 65536;
    $no->get(0, '/', 'X-Request-ID', 'grey');
    unlike(read_tty(qr/request_id=grey/), qr/\x1b/, 'NO_COLOR: none');
}

# nginx's own, once for each try

$t->expect_error('\[alert\].*connect\(\) failed \(2: ');
$t->done;
