package Bench;

# What the benchmarks have in common: what is asked and answered, the features
# that are measured, and the servers.

use strict;
use warnings;

use FindBin qw($Bin);
use IO::Socket::INET;

use Aiobs;

use Exporter 'import';
our @EXPORT_OK = qw(%case %size %features %server begin server end median interval load post
    worker @headers $t $up $other);

my $unknown = 0;
our ($t, $up, $other, %case, %size, %features, %server, @headers);

sub median { my @s = sort { $a <=> $b } @_; return $s[@s / 2] }

# where the median of all such values lies with 95 % certainty, whatever their distribution
# (a sign test turned round): of fewer than 6 nothing can be said, and all of them are the answer

sub interval {
    my @s = sort { $a <=> $b } @_;
    my ($n, $out, $chance, $below) = (scalar @s, 0, 0.5 ** @s, 0);

    while ($below + $chance <= 0.025) {
        $below += $chance;
        $chance *= ($n - $out) / ($out + 1);
        $out++;
    }

    return $out ? @s[$out - 1, $n - $out] : @s[0, -1];
}

# --- requests ---

# by load.c, built when it is first needed; connections, msec (of a slice), turns, and
# servers, each [port, pid, file of a request, keys, ...] as it wants them. Returns for
# each server its slices, times in microseconds.

sub load {
    my (%opt) = @_;

    my $exe = $opt{dir} . '/load';
    -x $exe || system('cc', '-O2', '-std=gnu11', '-o', $exe, "$Bin/load.c",
        "$Bin/load_http.c") == 0
        or die "bench: no compiler\n";

    open my $out, '-|', $exe, @opt{qw(connections msec turns)},
        map { join ':', @$_ } @{$opt{servers}} or die "bench: $exe: $!\n";
    my @slices;

    while (<$out>) {
        my ($i, $answers, $failed, $loop, $all, $took, $p50, $p99, $beside) = split;
        die "bench: $failed answers of $answers are none\n" if $failed || !$answers;
        push @{$slices[$i]}, { answers => $answers, loop => $loop / 1000 / $answers,
            all => $all / 1000 / $answers, rate => 1e9 * $answers / $took, took => $took / 1e9,
            p50 => $p50 / 1000, p99 => $p99 / 1000, beside => $beside };
    }

    close $out or die "bench: the requests failed\n";
    return @slices;
}

# a file with such a request; headers: name, value, ...

sub post {
    my ($file, $path, $body, @h) = @_;

    my $request = "POST $path HTTP/1.1\r\n";
    push @h, 'Host' => 'localhost', 'Content-Length' => length $body;

    while (my ($name, $value) = splice @h, 0, 2) {
        $request .= "$name: $value\r\n";
    }

    Aiobs::spew($file, "$request\r\n$body");
    return $file;
}

# --- what is asked and answered ---

sub answers {
    srand 1;
    my @words = map { split ' ' } ('the a quick idea of going home early and then some',
        'counting things properly is never as easy as it looks');

    for my $n (0 .. 9) {                # no two answers in a row are alike
        my $text = join ' ', map { $words[rand @words] } 1 .. 140 + rand 20;
        my $out = 100 + int rand 100;
        Aiobs::spew($t->dir . "/json$n", '{"id":"chatcmpl-' . join('', map { (0 .. 9, 'a' .. 'z',
            'A' .. 'Z')[rand 62] } 1 .. 29) . '","object":"chat.completion","created":'
            . (1741570283 + int rand 1e6) . ',"model":"gpt-4o-2024-08-06",'
            . '"choices":[{"index":0,"message":{"role":"assistant","content":"' . $text
            . '","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],'
            . '"usage":{"prompt_tokens":19,"completion_tokens":' . $out
            . ',"total_tokens":' . (19 + $out) . ',"prompt_tokens_details":{"cached_tokens":'
            . (int rand 2) * 16 . ',"audio_tokens":0},"completion_tokens_details":'
            . '{"reasoning_tokens":' . int(rand 90) . ',"audio_tokens":0,'
            . '"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},'
            . '"service_tier":"default","system_fingerprint":"fp_fc9f1d7035"}');
    }

    my $head = 'data: {"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":'
        . '"chat.completion.chunk","created":1741570283,"model":"gpt-4o-2024-08-06",'
        . '"service_tier":"default","system_fingerprint":"fp_fc9f1d7035","choices":[';
    Aiobs::spew($t->dir . '/stream', $head . '{"index":0,"delta":{"role":"assistant",'
        . '"content":""},"logprobs":null,"finish_reason":null}]}' . "\n\n"
        . join('', map { $head . '{"index":0,"delta":{"content":" ' . $words[$_ % @words]
            . '"},"logprobs":null,"finish_reason":null}]}' . "\n\n" } 1 .. 400)
        . $head . '{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]}' . "\n\n"
        . $head . '],"usage":{"prompt_tokens":19,"completion_tokens":400,'
        . '"total_tokens":419}}' . "\n\ndata: [DONE]\n\n");

    my $vector = join ',', map { sprintf '%.9f', rand() * 0.1 - 0.05 } 1 .. 1536;
    Aiobs::spew($t->dir . '/embeddings', '{"object":"list","data":['
        . join(',', map { qq({"object":"embedding","index":$_,"embedding":[$vector]}) } 0 .. 99)
        . '],"model":"text-embedding-3-small","usage":{"prompt_tokens":800,"total_tokens":800}}');

    Aiobs::spew($t->dir . '/prices.json', '{' . join(',', map {
        qq("$_":{"litellm_provider":"openai",)
        . '"input_cost_per_token":2.5e-06,"output_cost_per_token":1e-05}'
        } qw(gpt-4o gpt-4o-2024-08-06)) . '}');

    my $messages = '"messages":[{"role":"system","content":"You are a helpful assistant."},'
        . '{"role":"user","content":"Say how the fox goes home, in some twelve sentences."}]';
    my $ask = qq({"stream":true,"stream_options":{"include_usage":true},"model":"gpt-4o",$messages});

    %case = (
        json => ['/v1/chat/completions', 'chat completion', 16,
            qq({"model":"gpt-4o","temperature":0.2,$messages})],
        stream => ['/v1/burst/chat/completions', 'stream, in a burst', 8, $ask],
        events => ['/v1/events/chat/completions', 'stream, event by event', 24, $ask],
        embeddings => ['/v1/embeddings', 'embeddings', 4,
            '{"model":"text-embedding-3-small","input":"Say it."}'],

        # refused: no key; one that nobody has, again and again; another each time
        missing => ['/v1/chat/completions', 'refused, no key', 0, '{"model":"gpt-4o"}', sub { '' }],
        again => ['/v1/chat/completions', 'refused, same key', 0, '{"model":"gpt-4o"}',
            sub { 'sk-' . 'x' x 43 }],
        unknown => ['/v1/chat/completions', 'refused, other keys', 0, '{"model":"gpt-4o"}',
            sub { sprintf 'sk-%043d', ++$unknown }],
    );

    %size = (json => -s $t->dir . '/json0', stream => -s $t->dir . '/stream',
        events => -s $t->dir . '/stream', embeddings => -s $t->dir . '/embeddings');
}

# --- the servers ---

sub upstreams {
    my $events = $t->dir . '/events';
    system('cc', '-O2', '-std=gnu11', '-o', $events, "$Bin/events.c", '-lpthread') == 0
        or die "bench: no compiler\n";
    $t->spawn([$events, $t->port(1), $t->dir . '/stream', 1000]);

    $up = Aiobs->new;
    $up->start(<<"EOF", no_module => 1);
access_log off;
keepalive_requests 1000000;
map \$connection_requests \$nth { ~(?<digit>[0-9])\$ \$digit; }
server {
    listen 127.0.0.1:%%PORT_0%%;
    root @{[$t->dir]};
    error_page 405 =200 \$request_uri;
    add_header openai-organization user-bench;
    add_header openai-processing-ms 613;
    add_header openai-version 2020-10-01;
    add_header x-ratelimit-limit-requests 10000;
    add_header x-ratelimit-limit-tokens 30000000;
    add_header x-ratelimit-remaining-requests 9999;
    add_header x-ratelimit-remaining-tokens 29999957;
    add_header x-request-id req_5d3c1f0ab8e94e7c9f0a2b6d1e8c7f43;
    add_header strict-transport-security max-age=31536000;
    add_header cf-ray 8d1f2a3b4c5d6e7f-FRA;
    location = /v1/chat/completions { default_type application/json; try_files /json\$nth =404; }
    location = /v1/burst/chat/completions { default_type text/event-stream; try_files /stream =404; }
    location = /v1/traces { default_type application/x-protobuf; return 200 ''; }
    location = /busy/v1/traces { return 503; }
    location = /api/1/envelope/ { default_type application/json; return 200 '{}'; }
    location = /v1/embeddings { default_type application/json; try_files /embeddings =404; }
}
EOF
}

sub features {
    # the members of aiobs_log, as far as they are there in these calls

    my @strings = qw(level event request_id trace_id span_id user_id key_name key_id
        endpoint provider operation request_model model usage_source finish_reason
        response_id provider_request_id);
    my @numbers = qw(duration upstream_duration attempts input_tokens output_tokens
        cache_read_tokens reasoning_tokens);
    my $format = q("timestamp":"$time_iso8601","method":"$request_method","path":"$uri",)
        . q("status_code":$status,"client_ip":"$remote_addr","user_agent":"$http_user_agent",)
        . q("request_bytes":$request_length,"response_bytes":$bytes_sent,)
        . q("upstream_addr":"$upstream_addr","upstream_status":$upstream_status,)
        . join(',', (map { qq("$_":"\$aiobs_$_") } @strings),
            map { qq("$_":\$aiobs_$_) } @numbers);

    my $llm = 'aiobs_llm auto;';
    my $auth = 'aiobs_auth on;';
    my $log = 'aiobs_log %%DIR%%/bench.json buffer=64k flush=1s;';
    my $hang = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128) or die "listen: $!";
    my ($otlp, $busy, $dead, $refused) = map { "aiobs_otlp { endpoint http://127.0.0.1:$_; }" } $up->port(0),
        $up->port(0) . '/busy', $hang->sockport, $t->port(9);
    my $sentry = 'aiobs_sentry { dsn http://0123456789abcdef@127.0.0.1:' . $up->port(0) . '/1; traces_sample_rate 0; }';
    my $prices = "aiobs_prices @{[$t->dir]}/prices.json;";

    my $limits = 'INSERT OR REPLACE INTO aiobs_key_attrs (hash, rpm, tpm, '
        . 'tokens_per_day, cost_microusd_per_day, parallel) '
        . 'SELECT hash, 1000000, 1000000000, 1000000000, 1000000000, 1000 FROM api_keys';

    # name => [compared with, at http, in the location, done to the key]

    %features = (
        bare => [undef, '', ''],
        off => ['bare', '', ''],
        ids => ['bare', 'aiobs on;', ''],
        usage => ['bare', 'aiobs on;', $llm],
        noheads => ['bare', 'aiobs on; aiobs_fast_headers off;', $llm],
        metrics => ['bare', "aiobs on; $prices", $llm],
        auth => ['usage', 'aiobs on;', $auth . $llm],
        limits => ['auth', "aiobs on; $prices", $auth . $llm, $limits],
        log => ['auth', "aiobs on; $log", $auth . $llm],
        accesslog => ['auth', "aiobs on; log_format bench escape=json '{$format}';"
            . 'access_log %%DIR%%/bench.log bench buffer=64k flush=1s;', $auth . $llm],
        recorder => ['auth', 'aiobs on; aiobs_recorder 1000;', $auth . $llm],
        sessions => ['auth', 'aiobs on;', $auth . $llm . 'aiobs_agent_session $connection;'],
        trace0 => ['auth', "aiobs on; $otlp", $auth . $llm . 'aiobs_trace on ratio=0;'],
        trace10 => ['auth', "aiobs on; $otlp", $auth . $llm . 'aiobs_trace on ratio=0.1;'],
        trace100 => ['auth', "aiobs on; $otlp", $auth . $llm . 'aiobs_trace on ratio=1;'],
        untold => ['trace100', 'aiobs on;', $auth . $llm . 'aiobs_trace on ratio=1;'],
        hang => ['trace100', "aiobs on; $dead", $auth . $llm . 'aiobs_trace on ratio=1;'],
        refused => ['trace100', "aiobs on; $refused", $auth . $llm . 'aiobs_trace on ratio=1;'],
        busy => ['trace100', "aiobs on; $busy", $auth . $llm . 'aiobs_trace on ratio=1;'],
        sentry => ['auth', "aiobs on; $sentry", $auth . $llm],
        on => ['bare', "aiobs on; $prices $log", $auth . $llm],
        all => ['bare', "aiobs on; $prices $log $otlp $sentry", $auth . $llm . 'aiobs_trace on ratio=0.1;'],
    );

    $features{other} = ['all', @{$features{all}}[1, 2]];    # by the module in the directory $other
}

# its pid, once it is there

sub worker {
    for (1 .. 100) {
        my ($pid) = $server{$_[0]}->workers;
        return $pid if $pid;
        select undef, undef, undef, 0.05;
    }

    die "bench: $_[0] has no worker\n";
}

# the nginx of a variant, and of what it is compared with

sub server {
    my ($v, %opt) = @_;

    my $f = $features{$v} or die "bench: no such variant: $v\n";
    return if $server{$v};

    server($f->[0], %opt) if $f->[0];
    my $s = $server{$v} = Aiobs->new;
    my $off = $f->[1] =~ /access_log/ ? '' : 'access_log off;';

    local $ENV{AIOBS_OBJS} = $v eq 'other' ? $other : Aiobs::objs();
    system('cp', glob($t->dir . '/keys.db*'), $s->dir) == 0 or die;
    system('sqlite3', $s->store, $f->[3]) == 0 or die if $f->[3];
    $s->start(<<"EOF", no_module => $v eq 'bare', no_log => 1, %opt);
$off
keepalive_requests 1000000;
variables_hash_max_size 2048;
@{[$f->[2] !~ /aiobs_auth/ ? '' : 'aiobs_key_store sqlite:%%DIR%%/keys.db;']}
upstream provider { server 127.0.0.1:@{[$up->port(0)]}; keepalive 64; }
upstream model { server 127.0.0.1:@{[$t->port(1)]}; keepalive 64; }
$f->[1]
server {
    listen 127.0.0.1:%%PORT_0%%;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Authorization "Bearer provider";
    location /v1/ { $f->[2] proxy_pass http://provider; }
    location /v1/burst/ { $f->[2] proxy_buffering off; proxy_pass http://provider; }
    location /v1/events/ { $f->[2] proxy_buffering off; proxy_pass http://model; }
}
EOF
}

sub begin {
    $t = Aiobs->new;
    @headers = ('Authorization' => 'Bearer ' . $t->key('bench', 'laptop'),
        'Content-Type' => 'application/json',
        'Accept' => 'application/json', 'Accept-Encoding' => 'gzip, deflate',
        'User-Agent' => 'OpenAI/Python 1.54.3', 'X-Stainless-Lang' => 'python',
        'X-Stainless-Package-Version' => '1.54.3', 'X-Stainless-OS' => 'Linux',
        'X-Stainless-Arch' => 'x64', 'X-Stainless-Runtime' => 'CPython',
        'X-Stainless-Runtime-Version' => '3.11.2', 'X-Stainless-Async' => 'false',
        'X-Stainless-Retry-Count' => '0');

    answers();
    upstreams();
    features();
    return;
}

sub end {
    $_->stop for values %server, $up;
    $t->kill_wait($_, "TERM") for keys %{$t->{pids}};
    Aiobs::forget();
    return;
}

1;
