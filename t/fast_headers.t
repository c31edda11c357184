#!/usr/bin/perl

# Heads of answers, read by aiobs_fast_headers and by nginx alone: clients, log
# and error log cannot tell which, whatever the upstream sends, in whatever
# pieces.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;
use Time::HiRes qw(sleep);

my $t = Aiobs->new;
my $dir = $t->dir;

# --- what upstreams send ---

my $body = '{"id":"c1","model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}';
my $json = "Content-Type: application/json\r\n";
my $len = 'Content-Length: ' . length($body) . "\r\n";
my $ok = "HTTP/1.1 200 OK\r\n";
my $date = "Date: Tue, 03 Nov 2020 04:00:00 GMT\r\n";
my $rest = "X-Last: the last line is long enough\r\n\r\n$body";

my %head = (
    usual => "$ok$date$json${len}Connection: keep-alive\r\nopenai-organization: org-1\r\n"
        . "openai-processing-ms: 613\r\nopenai-version: 2020-10-01\r\nx-ratelimit-limit-requests: 10000\r\n"
        . "x-ratelimit-reset-requests: 6ms\r\nx-ratelimit-remaining-requests: 9999\r\n"
        . "Set-Cookie: a=1; path=/\r\nSet-Cookie: b=2; path=/\r\nServer: cloudflare\r\nCF-RAY: 8f1-FRA\r\n"
        . "alt-svc: h3=\":443\"; ma=86400\r\nVary: Accept\r\nVary: Origin\r\nx-request-id: req_1\r\n$rest",
    order => "${ok}X-Request-Id: req_2\r\nserver: cloudflare\r\ncontent-length: ${\ length $body}\r\n"
        . "CONTENT-TYPE: application/json\r\ndate: Tue, 03 Nov 2020 04:00:00 GMT\r\nx-RATELIMIT-limit-requests: 1\r\n$rest",
    names => "$ok$date$json$len" . join('', map { 'X-' . 'n' x ($_ - 2) . ": $_\r\n" } 3 .. 40, 64, 65, 200) . $rest,
    short => "$ok$date$json${len}A: one letter\r\nAB: two letters\r\nP3P: three letters\r\nETag: \"e\"\r\n$rest",
    underscore => "$ok$date$json${len}x_under_score: 1\r\n_first: 2\r\nlast_: 3\r\n$rest",
    same => "$ok$date$json$len" . "X-Same: 1\r\n" x 10 . "x-same: 2\r\nX-SAME: 3\r\n$rest",
    values => "$ok$date$json${len}X-Spaces:    three more\r\nX-None:none\r\nX-Tab:\tvalue\r\nX-Tabs: a\tb\tc and more behind\r\n"
        . "X-Inner: a  b   c\r\nX-Colon: a: b: c\r\nX-High: \xc3\xa4\xff\x80\r\nX-Control: \x01\x02\x0b\x0c\x1b[0m and on\r\n"
        . 'X-Long: ' . 'v' x 1500 . "\r\nX-Lane: " . 'v' x 15 . "\r\nX-Lanes: " . 'v' x 16 . "\r\n$rest",
    empty => "$ok$date$json${len}X-Empty:\r\nX-Spaces:   \r\nX-After: not empty\r\n$rest",
    trailing => "$ok$date$json${len}X-Trailing: value   \r\nX-After: not trailing\r\n$rest",
    bare => "HTTP/1.1 200 OK\n" . ($date . $json . $len) =~ s/\r//gr . "X-Bare: lf\n\n$body",
    mixed => "$ok$date${json}X-Bare: lf\n${len}X-After: crlf again\r\n$rest",
    twice => "$ok$date${json}X-Twice: cr\r\r\n${len}X-After: one again\r\n$rest",
    cr => "$ok$date${json}X-Cr: a\rb\r\n$len$rest",
    nul => "$ok$date$json${len}X-Nul: a\0b\r\n$rest",
    nul_name => "$ok$date$json${len}X-N\0l: a\r\n$rest",
    no_colon => "$ok$date$json${len}no colon in this line, but later: one\r\n$rest",
    line => "$ok$date$json${len}NothingButAName\r\n$rest",
    space => "$ok$date$json${len}X-Space : before the colon\r\n$rest",
    folded => "$ok$date$json${len}X-Folded: first\r\n second line of it\r\n$rest",
    colon => "$ok$date$json${len}: no name at all\r\n$rest",
    odd => "$ok$date$json${len}x.odd!name: 1\r\nx~odd: 2\r\nX-\xe4: 3\r\n$rest",
    status_again => "$ok$date${json}HTTP/1.1 200 OK\r\n$len$rest",
    many => "$ok$date$json$len" . join('', map { "X-Many-$_: $_\r\n" } 1 .. 100) . $rest,
    too_big => "$ok$date$json$len" . 'X-Big: ' . 'v' x 9000 . "\r\n$rest",
    too_many => "$ok$date$json$len" . "X-Too-Many: lines of the same name\r\n" x 400 . $rest,
    lengths => "$ok$date$json${len}Content-Length: 5\r\n$rest",
    length_nan => "$ok$date${json}Content-Length: 12x\r\n$rest",
    length_and_chunked => "$ok$date$json${len}Transfer-Encoding: chunked\r\n\r\n" . Aiobs::chunked(30, $body),
    chunked => "$ok$date${json}Transfer-Encoding: chunked\r\nX-Last: behind that of its body\r\n\r\n" . Aiobs::chunked(30, $body),
    coding => "$ok$date${json}Transfer-Encoding: gzip\r\n$rest",
    types => "$ok$date${json}Content-Type: text/plain\r\n$len$rest",
    old => "HTTP/1.0 200 OK\r\n$date$json$len$rest",
    no_reason => "HTTP/1.1 200\r\n$date$json$len$rest",
    reason => "HTTP/1.1 299 " . 'r' x 300 . "\r\n$date$json$len$rest",
    status => "HTTP/1.1 9000 OK\r\n$date$json$len$rest",
    version => "HTTP/1.x 200 OK\r\n$date$json$len$rest",
    version_2 => "HTTP/2.0 200 OK\r\n$date$json$len$rest",
    nine => $body,
    nothing => '',
    only_status => $ok,
    cut => "$ok$date${json}X-Cut: in the midd",
    no_length => "$ok$date$json$rest",
    no_content => "HTTP/1.1 204 No Content\r\n${date}X-None: no body behind this one\r\n\r\n",
    not_modified => "HTTP/1.1 304 Not Modified\r\n${date}ETag: \"unchanged\"\r\nX-None: no body behind this one\r\n\r\n",
    switching => "HTTP/1.1 101 Switching Protocols\r\n${date}Upgrade: other\r\nConnection: upgrade\r\n$rest",
    hints => "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload; as=style\r\nX-Hint: a hint of what comes\r\n\r\n"
        . "$ok$date$json$len$rest",
    error => "HTTP/1.1 500 Internal Server Error\r\n$date$json$len$rest",
    unauthorized => "HTTP/1.1 401 Unauthorized\r\n${date}WWW-Authenticate: Bearer\r\nWWW-Authenticate: Basic\r\n$json$len$rest",
    moved => "HTTP/1.1 302 Found\r\n${date}Location: http://127.0.0.1:%PORT%/elsewhere\r\n"
        . "Refresh: 5; url=http://127.0.0.1:%PORT%/later\r\nSet-Cookie: a=b; domain=127.0.0.1; path=/\r\n$len$rest",
    accel => "$ok$date${json}X-Accel-Limit-Rate: 100000\r\nX-Accel-Buffering: no\r\nX-Accel-Charset: utf-8\r\n"
        . "X-Accel-Expires: 5\r\nX-Accel-Redirect: /redirected\r\n$len$rest",
    onward => "$ok$date${json}X-Accel-Redirect: /onward\r\n$len$rest",
    caching => "$ok$date$json${len}Cache-Control: no-store\r\nCache-Control: private, max-age=5\r\nPragma: no-cache\r\n"
        . "Expires: Thu, 01 Jan 1970 00:00:00 GMT\r\nLast-Modified: Tue, 03 Nov 2020 03:00:00 GMT\r\n"
        . "Link: <a>; rel=next\r\nLink: <b>; rel=prev\r\nAccept-Ranges: bytes\r\nContent-Encoding: identity\r\n$rest",
    trailers => "$ok$date${json}Trailer: X-Checksum\r\nTransfer-Encoding: chunked\r\nX-Last: behind that of its body\r\n\r\n"
        . (Aiobs::chunked(30, $body) =~ s/\r\n\z/X-Checksum: 1\r\n\r\n/r),
    ratelimit => "HTTP/1.1 429 Too Many Requests\r\n${date}Retry-After: 7\r\nretry-after-ms: 7000\r\n$json$len$rest",
);

# names that nobody has sent before, between lines on which much depends: more than
# a worker remembers

my %important = ("Set-Cookie" => 'secret=1', 'Content-Type' => 'application/json', 'Content-Length' => length $body,
    'X-Accel-Limit-Rate' => '900000', 'Cache-Control' => 'private', 'X-Request-ID' => 'req_3', Server => 'cloudflare',
    'Last-Modified' => 'Tue, 03 Nov 2020 03:00:00 GMT', Location => '/elsewhere');

srand 11;

for my $i (1 .. 40) {
    my @lines = map { "$_: $important{$_}" } sort keys %important;
    splice @lines, rand(@lines + 1), 0, sprintf('X-Never-%06x: %d', rand(1 << 24), $_) for 1 .. 40;
    $head{"never $i"} = join "\r\n", "HTTP/1.1 200 OK", @lines, "X-Last: the last line is long enough", '', $body;
}

# each piece but the first waits a moment

$t->upstream(0, sub {
    my ($req, $c) = @_;
    my ($name, @at) = split /,/, $req->{headers}{'x-answer'};
    my $bytes = $head{$name} =~ s/%PORT%/$t->port(0)/ger;
    my $sent = 0;

    for my $at (grep { $_ < length $bytes } @at) {
        $c->syswrite(substr $bytes, $sent, $at - $sent);
        $sent = $at;
        sleep 0.02;
    }

    Aiobs::write_all($c, substr $bytes, $sent);
});

my $upstream = 'proxy_pass http://127.0.0.1:%%PORT_0%%;';
my $logged = join ' ', map { "\$$_" } qw(status upstream_status upstream_http_server upstream_http_date
    upstream_http_content_type upstream_http_x_last upstream_http_x_request_id upstream_http_set_cookie
    upstream_http_x_tabs upstream_http_x_same upstream_http_x_under_score upstream_http_retry_after sent_http_vary
    upstream_http_cache_control upstream_http_link upstream_response_length upstream_bytes_received
    aiobs_provider_request_id aiobs_input_tokens aiobs_output_tokens aiobs_error_type);

my @places = ('', qw(/off /http1 /hide /page /named /next /cache));

my $locations = join '', map { my ($name, $more) = @$_; map { <<EOF } qw(fast slow) }
    location /$_$name { aiobs_fast_headers @{[$_ eq 'fast' ? 'on' : 'off']}; error_log $dir/$_.error;
        access_log $dir/$_.log heads; $more @{[$more =~ /proxy_pass / ? '' : $upstream]} }
EOF
    ['', ''], ['/off', 'proxy_buffering off;'], ['/http1', 'proxy_http_version 1.1;'],
    ['/hide', 'proxy_hide_header Set-Cookie; proxy_pass_header Server; proxy_pass_header Date; '
        . 'proxy_ignore_headers X-Accel-Redirect Vary;'],
    ['/page', 'proxy_intercept_errors on; error_page 401 429 500 502 = /redirected;'],
    ['/named', 'proxy_intercept_errors on; error_page 401 429 500 502 = @again;'],
    ['/next', 'proxy_next_upstream http_500 http_429 invalid_header; rewrite ^ /v1/chat/completions break; '
        . 'proxy_pass http://both;'],
    ['/cache', 'proxy_cache heads; proxy_cache_key $http_x_case$uri; proxy_cache_valid any 1m; add_header X-Cache $upstream_cache_status;'];

$t->start(<<EOF);
log_format heads escape=json '\$http_x_case|$logged';
upstream both { server 127.0.0.1:%%PORT_0%% max_fails=0; server 127.0.0.1:%%PORT_0%% max_fails=0; }
proxy_cache_path $dir/cache keys_zone=heads:1m;
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    aiobs_llm openai;
$locations
    location /inherited { proxy_hide_header X-Last; $upstream }
    location /onward { internal; proxy_set_header X-Answer usual; $upstream }
    location \@again { proxy_set_header X-Answer usual; $upstream }
    location /redirected { return 200 "redirected\\n"; }
}
EOF

# --- the same by both ---

my $n = 0;

sub asked {
    my ($location, $name, @at) = @_;
    return $t->request(1, 'GET', $location, ['X-Answer', join(',', $name, @at), 'X-Case', ++$n, 'X-Request-ID', 'same']);
}

# what differs by the clock and by the name of the place

sub plain {
    my ($text) = @_;

    $text =~ s/^Date: (?!Tue, 03 Nov 2020).*\r\n//mi;
    $text =~ s{/(?:fast|slow)\b}{/place}g;
    $text =~ s{^\S+ \S+ \[(\w+)\] \d+#\d+: \*\d+ }{[$1] }mg;
    $text =~ s/"request_id":"[^"]*"//g;

    return $text;
}

sub files { return map { my $file = "$dir/$_[0].$_"; -e $file ? plain(Aiobs::slurp($file)) =~ s/^\d+\|//mgr : '' } qw(log error) }

for my $name (sort keys %head) {
    for my $place ($name =~ /never/ ? qw(/hide /off) : @places) {
        my %got = map { $_ => plain(asked("/$_$place", $name)->{raw}) } qw(fast slow);
        is($got{fast}, $got{slow}, "$name $place: the answer");
        my %again = map { $_ => plain(asked("/$_$place", $name)->{raw}) } qw(fast slow);
        is($again{fast}, $again{slow}, "$name $place: again, names are known");
    }
}

cmp_ok(scalar(() = (files($_))[0] =~ /\n/g), '>', 500, "$_: they are logged") for qw(fast slow);
is((files('fast'))[$_], (files('slow'))[$_], (qw(log error))[$_] . ': the same') for 0, 1;
cmp_ok(length((files('fast'))[1]), '>', 1000, 'nginx had complaints');

# --- in pieces ---

for my $at (1 .. length($head{usual}) - length($body) + 2) {
    next if $at % 7 && $at > 60;
    my %got = map { $_ => plain(asked("/$_", 'usual', $at)->{raw}) } qw(fast slow);
    $got{$_} eq $got{slow} or diag("at $at: $got{fast}"), last for 'fast';
    ok($got{fast} eq $got{slow}, "split at $at");
}

for my $name (qw(bare mixed empty hints trailing many nul chunked)) {
    for my $at (9, 17, 40, 70, 100) {
        my %got = map { $_ => plain(asked("/$_", $name, $at, $at + 11)->{raw}) } qw(fast slow);
        is($got{fast}, $got{slow}, "$name: split at $at");
    }
}

is((files('fast'))[0], (files('slow'))[0], 'log: the same');

# --- it is on unless it is off ---

my $r = asked('/inherited', 'usual');
is($r->{status}, 200, 'where nothing is said');
is($r->{headers}{'x-last'}, undef, 'nginx hides what it is to hide');
is($r->{headers}{'x-ratelimit-reset-requests'}, '6ms', 'and passes the rest');

$t->done;
