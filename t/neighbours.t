#!/usr/bin/perl

# Other dynamic modules beside this one, loaded before it and after it: what
# reads bodies, changes headers, redirects and answers itself gets on with it.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(spew);
use Test::More;

my $modules = '/usr/lib/nginx/modules';
my $own = Aiobs::objs() . '/ngx_http_aiobs_module.so';

my @others = map { "$modules/$_.so" } qw(ndk_http_module ngx_http_lua_module
    ngx_http_js_module ngx_http_headers_more_filter_module ngx_http_echo_module);
my $modsecurity = "$modules/ngx_http_modsecurity_module.so";

my $able = loads(@others);
plan skip_all => 'no libnginx-mod-http-{lua,js,headers-more-filter,echo} of this nginx'
    unless $able;

my $waf = loads($others[0], $modsecurity);

# of another nginx they are not loaded

sub loads {
    my @so = @_;

    return 0 if grep { !-e } @so;

    my $t = Aiobs->new;
    $t->{module} = join ";\nload_module ", @so;
    my ($rc) = $t->check('server { listen 127.0.0.1:%%PORT_1%%; }', no_log => 1);
    Aiobs::forget();

    return $rc == 0;
}

my $conf = <<'EOF';
aiobs_key_store sqlite:%%DIR%%/keys.db;
js_import main from %%DIR%%/t.js;
%%WAF_RULES%%
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    aiobs_llm openai;
    aiobs_auth on;
    aiobs_stream_usage on;
    client_body_buffer_size 8k;

    location /v1/ { proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /waf/ { %%WAF%% proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location /rewrite/ {
        rewrite_by_lua_block { ngx.req.read_body() }
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /access/ {
        access_by_lua_block {
            ngx.req.read_body()
            local body = ngx.req.get_body_data()
            if body then
                ngx.req.set_body_data((string.gsub(body, "asked", "given")))
            end
        }
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /slow/ { access_by_lua_block { ngx.sleep(0.02) } proxy_pass http://127.0.0.1:%%PORT_0%%; }
    location = /exec { content_by_lua_block { ngx.exec("/v1/chat/completions") } }
    location = /echo { echo_exec /v1/chat/completions; }
    location = /js { js_content main.redirect; }
    location = /capture {
        aiobs_auth off;
        content_by_lua_block {
            local r = ngx.location.capture("/v1/models")
            ngx.print(ngx.var.aiobs_request_id, " ", r.status)
        }
    }
    location = /sub { aiobs_auth off; js_content main.sub; }
    location = /parts { aiobs_auth off; echo_location /v1/models; echo $aiobs_request_id; }
    location /more/ {
        more_clear_input_headers X-Request-ID;
        more_set_headers "X-Seen: $aiobs_request_id";
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location /body/ {
        header_filter_by_lua_block { ngx.header.content_length = nil }
        body_filter_by_lua_block { ngx.arg[1] = string.upper(ngx.arg[1]) }
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /metrics { aiobs_auth off; aiobs_metrics; }
}
EOF

sub answer {
    my ($t, $req, $c) = @_;

    return $t->answer($c, 200, [], join "\n", $req->{uri}, @{$req->{lines}})
        if $req->{uri} !~ /completions/;

    my ($model) = $req->{body} =~ /"model":"(\w+)"/;
    return $t->answer($c, 200, ['Content-Type', 'application/json'], qq({"id":"c","model":"$model",)
        . '"choices":[{"message":{"content":"hi"}}],"usage":{"prompt_tokens":4,"completion_tokens":2}}')
        if $req->{body} !~ /"stream":true/;

    $t->answer($c, 200, ['Content-Type', 'text/event-stream'], join '', map { "data: $_\n\n" }
        qq({"model":"$model","choices":[{"index":0,"delta":{"content":"w"}}]}),
        $req->{body} =~ /include_usage/ ? qq({"model":"$model","choices":[],)
            . '"usage":{"prompt_tokens":7,"completion_tokens":5}}' : (), '[DONE]');
}

sub together {
    my ($order, @so) = @_;

    my $t = Aiobs->new;
    my $n = 0;

    $t->upstream(0, sub { answer($t, @_) });
    my $key = $t->key('alice');
    my ($rc, $limited) = $t->keys_cli('create', '--db', $t->store, '--user', 'bob',
        '--models', 'asked');
    chomp $limited;
    push @{$t->{secrets}}, $limited;

    spew($t->dir . '/t.js', <<'EOF');
async function sub(r) {
    let s = await r.subrequest("/v1/models");
    r.return(200, r.variables.aiobs_request_id + " " + s.status);
}
function redirect(r) { r.internalRedirect("/v1/chat/completions"); }
export default { sub, redirect };
EOF

    my $c = $conf;
    my $rules = $waf ? "modsecurity_rules 'SecRuleEngine On\nSecRequestBodyAccess On\n"
        . "SecRule REQUEST_BODY \"\@contains attack\" \"id:1,phase:2,deny,status:418\"\n';" : '';
    $c =~ s/%%WAF_RULES%%/$rules/;
    $c =~ s/%%WAF%%/$waf ? 'modsecurity on;' : ''/e;

    $t->{module} = join ";\nload_module ", @so;
    $t->start($c);

    my $call = sub {
        my ($path, $k, $body) = @_;
        $n++;
        my $r = $t->request(1, 'POST', $path, ['X-Request-ID', "r$n", 'Authorization',
            "Bearer $k", 'Content-Type', 'application/json'], $body);
        $r->{line} = $t->log_of("r$n");
        return $r;
    };

    my $small = '{"model":"asked","stream":true,"messages":[{"role":"user","content":"x"}]}';
    (my $large = $small) =~ s/"x"/'"' . 'word ' x 4000 . '"'/e;

    for my $path ('/v1/', '/waf/', '/rewrite/', '/access/', '/slow/') {
        for my $k ($key, $limited) {
            for my $body ($small, $large) {
                my $r = $call->("${path}chat/completions", $k, $body);
                my $l = $r->{line};
                my $name = "$order: $path: " . length $body;

                is($r->{status}, 200, "$name: goes through");
                is($l->{request_model}, 'asked', "$name: its model is read");
                is($l->{usage_source}, 'reported', "$name: usage is asked for");
                is($l->{input_tokens}, 7, "$name: and counted");
                unlike($r->{body}, qr/prompt_tokens/, "$name: and hidden again");
            }
        }

        is($call->("${path}chat/completions", $limited, '{"model":"other"}')->{status}, 403,
            "$order: $path: a model that is not allowed");
    }

    is($call->('/waf/chat/completions', $key, '{"model":"attack"}')->{status}, 418,
        "$order: the other module refuses") if $waf;

    for my $path ('/exec', '/echo', '/js') {
        my $r = $call->($path, $key, '{"model":"asked"}');
        is($r->{status}, 200, "$order: $path");
        is($r->{line}{model}, 'asked', 'led to a call that is counted');
        is($call->($path, 'sk-none', '{"model":"asked"}')->{status}, 401, 'and needs a key');
    }

    is($t->get(1, $_, 'X-Request-ID', 'main')->{body}, 'main 200', "$order: $_: one id")
        for '/capture', '/sub';
    like($t->get(1, '/parts', 'X-Request-ID', 'main')->{body},
        qr{^/v1/models\n.*\nX-Request-ID: mainmain\n$}s, "$order: /parts: likewise");

    my $r = $call->('/more/x', $key, '');
    is($r->{headers}{'x-seen'}, "r$n", "$order: headers of others may show ours");
    like($r->{body}, qr/^X-Request-ID: r$n$/m, 'the upstream gets ours');

    $r = $call->('/body/chat/completions', $key, '{"model":"asked"}');
    like($r->{body}, qr/PROMPT_TOKENS/, "$order: a body is changed on its way");
    is($r->{line}{input_tokens}, 4, 'and was read as it came') if $order eq 'last';

    unlike($t->get(1, '/metrics')->{body}, qr/^\w+_inprogress\{.*\} [1-9]/m,
        "$order: nothing is left under way");
}

my @so = (@others, $waf ? $modsecurity : ());

together('first', $own, @so);
together('last', @so, $own);

Aiobs::done();
