package AiobsKeys;

=head1 NAME

AiobsKeys - keys that may only so much, and a provider that says what it took

=head1 SYNOPSIS

    my $key = key_with($t, 'alice', rpm => 5, models => 'gpt-4*');
    my @rows = sql($t, 'SELECT day, calls FROM usage_daily');
    provider($t, 0);            # as upstream 0
    prices($t, 0, 1e-05);       # of a token of input and output
    $t->start("aiobs_key_store sqlite:%%DIR%%/keys.db;\n" . gateway());
    my $r = call($t, 1, $key, model => 'gpt-4o', usage => [10, 5]);

The store is read and written by Python's sqlite3, as another program would.
What a call asks of the provider stands in its own body.

=cut

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep);

use Aiobs qw(spew wait_for);
use Digest::SHA qw(sha256_hex);

our @EXPORT = qw(key_with set_attrs sql provider call prices gateway followed);

sub key_with {
    my ($t, $user, %attrs) = @_;

    my $key = $t->key($user);
    set_attrs($t, $key, %attrs);
    return $key;
}

sub set_attrs {
    my ($t, $key, %attrs) = @_;

    my @names = sort keys %attrs or return;

    sql($t, 'INSERT INTO aiobs_key_attrs (hash, ' . join(', ', @names)
        . ') VALUES (?' . ', ?' x @names . ') ON CONFLICT (hash) DO UPDATE SET '
        . join(', ', map { "$_ = excluded.$_" } @names),
        sha256_hex($key), @attrs{@names});
    return;
}

sub sql {
    my ($t, $sql, @values) = @_;

    my $file = $t->dir . '/sql.json';
    spew($file, encode_json([$t->store, $sql, \@values]));

    my $out = `/usr/bin/python3 -c 'import json, sqlite3, sys
store, sql, values = json.load(open(sys.argv[1]))
c = sqlite3.connect(store, timeout=10)
rows = c.execute(sql, values).fetchall()
c.commit()
print(json.dumps(rows))' $file`;
    die "Python's sqlite3 failed: $sql" if $?;

    return @{decode_json($out)};
}

# until nginx knows of all that was changed in the store before: of the last change,
# which is made here. GET of that path asks for a key

sub followed {
    my ($t, $path) = @_;

    my $key = $t->key('follower');
    my $status = sub { $t->get(1, $path, 'x-api-key', $key)->{status} };

    isnt($status->(), 401, 'a key');
    sql($t, 'UPDATE api_keys SET is_active = 0 WHERE hash = ?', sha256_hex($key));
    ok(wait_for(sub { $status->() == 401 }), 'changes are followed');
    return;
}

# answers in OpenAI's shape; the body says "usage": [input, output], "status",
# "sleep", "until" (a file that has to appear first)

sub provider {
    my ($t, $n) = @_;

    $t->upstream($n, sub {
        my ($req, $c) = @_;

        open my $seen, '>>', $t->dir . '/seen';
        syswrite $seen, "$req->{method} $req->{uri}\n";

        my $q = eval { decode_json($req->{body}) } || {};
        $q = {} if ref $q ne 'HASH';

        sleep $q->{sleep} if $q->{sleep};
        wait_for(sub { -e $q->{until} }, 30) if $q->{until};

        my $answer = { id => 'x', object => 'chat.completion',
            model => $q->{answers} || $q->{model} || 'gpt-4o',
            choices => [{ index => 0, finish_reason => 'stop',
                message => { role => 'assistant', content => 'hello' } }] };
        my ($in, $out) = @{$q->{usage} || [10, 5]};
        $answer->{usage} = { prompt_tokens => $in, completion_tokens => $out,
            total_tokens => $in + $out };
        $answer = { error => { message => 'no', code => 'no' } }
            if ($q->{status} || 200) >= 400;
        $answer = { strange => 1 } if $q->{silent};

        $t->answer($c, $q->{status} || 200,
            ['Content-Type', 'application/json',
             $q->{encoding} ? ('Content-Encoding', $q->{encoding}) : (),
             'x-ratelimit-remaining-requests', 'upstream'],
            encode_json($answer));
    });

    return;
}

sub prices {
    my ($t, $input, $output) = @_;

    spew($t->dir . '/prices.json', encode_json({ 'gpt-4o' => { litellm_provider => 'openai',
        mode => 'chat', input_cost_per_token => 0 + $input, output_cost_per_token => 0 + $output } }));
    return;
}

# the server that these calls go to; more of its lines

sub gateway {
    my $more = join '', map { "    $_\n" } @_;

    return <<"EOC";
server {
    listen 127.0.0.1:%%PORT_1%%;
    aiobs on;
    location /v1/ {
        aiobs_auth on;
        aiobs_llm auto;
        aiobs_endpoint chat;
        proxy_pass http://127.0.0.1:%%PORT_0%%;
    }
    location = /metrics { aiobs_metrics; }
$more}
EOC
}

sub call {
    my ($t, $n, $key, %body) = @_;

    my $path = delete $body{path} || '/v1/chat/completions';

    return $t->post($n, $path, { model => 'gpt-4o',
        messages => [{ role => 'user', content => 'hello there' }], %body },
        'Authorization', "Bearer $key");
}

1;
