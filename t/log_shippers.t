#!/usr/bin/perl

# Fluent Bit and Vector by the recipes of docs/log.md, where one is at hand: every
# line arrives once, at its own time, over a receiver that is away, a crash of
# the shipper and the rotation of the file.
#
# Debian has neither: AIOBS_FLUENT_BIT and AIOBS_VECTOR are their paths.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use JSON::PP;
use Test::More;
use Time::Piece;

my ($fluent_bit, $vector) = @ENV{qw(AIOBS_FLUENT_BIT AIOBS_VECTOR)};
plan skip_all => 'neither AIOBS_FLUENT_BIT nor AIOBS_VECTOR is set' unless $fluent_bit || $vector;

my $t = Aiobs->new;
my $dir = $t->dir;
my $docs = Aiobs::slurp("$Bin/../docs/log.md");
my %log = (json => "$dir/aiobs.json", ecs => "$dir/ecs.json");

# Loki, Datadog and Elasticsearch, as far as it matters: what they have taken

$t->upstream(2, sub {
    my ($req, $c) = @_;
    my $in = -e "$dir/away" ? 'refused' : 'taken';

    open my $fh, '>>', "$dir/$in" or die "$dir/$in: $!";
    $fh->syswrite(encode_json({ %$req{qw(uri body)} }) . "\n") unless $req->{method} eq 'GET';
    close $fh;

    return $t->answer($c, 503, [], '') if $in eq 'refused';
    return $t->answer($c, 200, ['Content-Type', 'application/json'], '{"errors":false,"items":[]}') if $req->{uri} =~ /_bulk/;
    $t->answer($c, 200, [], '{}');
});

$t->upstream(1, sub {
    my ($req, $c) = @_;
    $t->answer($c, 200, ['Content-Type', 'application/json'], encode_json({ id => 'c1', model => 'gpt-4o', choices => [],
        usage => { prompt_tokens => 12, completion_tokens => 3, total_tokens => 15 } }));
});

$t->start(<<"E", no_log => 1);
aiobs_log $log{json};
aiobs_log $log{ecs} format=ecs;
aiobs_service gateway production;
server {
    listen 127.0.0.1:%%PORT_0%%;
    aiobs on;
    location / { return 204; }
    location /v1/ { aiobs_llm openai; proxy_pass http://127.0.0.1:%%PORT_1%%; }
    location /down { proxy_pass http://127.0.0.1:1; }
}
E

my $requests = 0;

sub requests {
    for (1 .. 3) {
        $t->post(0, '/v1/chat/completions', { model => 'gpt-4o', messages => [] }, 'X-Request-ID', 'llm-' . ++$requests);
        $t->get(0, '/down', 'X-Request-ID', "down-$requests:a/b=c+d~e");
        $t->get(0, '/a%22b', 'X-Request-ID', "odd-$requests", 'User-Agent', "\xe2\x82\xac \x1b[31m \xff \"q\" \\ \t");
    }

    my $id = sprintf '"odd-%d"', $requests;
    Aiobs::wait_for(sub { 2 == grep { Aiobs::slurp($_) =~ /$id/ } values %log });
    return;
}

# all lines of a log, those of before its rotation first

sub lines { map { decode_json($_) } map { Aiobs::slurp($_) =~ /^(.*)\n/mg } map { ("$_.1", $_) } @_ }

# what the receiver has got: [event, time in microseconds, labels]

my %taken = (
    'loki/api' => sub {
        map { my $s = $_; map { [decode_json(encode_utf8($_->[1])), int(($_->[0] + 500) / 1000), $s->{stream}, $_->[2]] } @{$s->{values}} }
            @{decode_json($_[0])->{streams}} },
    'api/v2/logs' => sub { map { [$_, micros($_->{timestamp})] } @{decode_json($_[0])} },
    '_bulk' => sub { my $n = 0; map { [$_, micros($_->{'@timestamp'})] } grep { $n++ % 2 } map { decode_json($_) } split /\n/, $_[0] },
);

sub encode_utf8 { my ($s) = @_; utf8::encode($s); return $s }

my %known;

sub taken {
    my ($of) = @_;
    my $size = -s "$dir/taken" // 0;
    return @{$known{$of}{$size}} if $known{$of}{$size};

    my @requests = map { decode_json($_) } Aiobs::slurp("$dir/taken") =~ /^(.*)\n/mg;
    my @got = map { my $body = $_->{body}; $taken{$of}->($body) } grep { $_->{uri} =~ /\Q$of\E/ } @requests;
    $known{$of} = { $size => \@got };
    return @got;
}

sub micros {
    my ($s, $us) = ($_[0] // '') =~ /^(.+)\.(\d{6})Z$/ or return;
    return Time::Piece->strptime($s, '%Y-%m-%dT%H:%M:%S')->epoch . $us;
}

# a shipper through all that may happen to it; of is what it writes to and from where

sub ship {
    my ($name, $start, %of) = @_;

    my $all = sub { my ($of) = @_; lines($log{$of{$of}}) == taken($of) };
    unlink "$dir/taken", "$dir/refused", map { ($_, "$_.1") } values %log;
    %known = ();
    kill USR1 => $t->{nginx_pid};
    Aiobs::wait_for(sub { 2 == grep { -e } values %log });

    requests();
    my $pid = $start->();
    Aiobs::wait_for(sub { !grep { !$all->($_) } keys %of });
    ok($all->($_), "$name: $_ gets what was before") for keys %of;

    Aiobs::spew("$dir/away", '');
    requests();
    for my $of (keys %of) {
        ok(Aiobs::wait_for(sub { Aiobs::slurp("$dir/refused") =~ /\Q$of\E/ }), "$of is away");
    }
    $t->kill_wait($pid, 'KILL');
    requests();
    $pid = $start->();
    unlink "$dir/away";
    Aiobs::wait_for(sub { !grep { !$all->($_) } keys %of }, 120);
    ok($all->($_), "$_ is back, after a crash") for keys %of;

    rename $_, "$_.1" for values %log;
    kill USR1 => $t->{nginx_pid};
    requests();
    Aiobs::wait_for(sub { !grep { !$all->($_) } keys %of }, 120);
    $t->kill_wait($pid, 'TERM');

    for my $of (sort keys %of) {
        my @lines = sort { id($a) cmp id($b) } lines($log{$of{$of}});
        my @got = sort { id($a->[0]) cmp id($b->[0]) } taken($of);
        is_deeply([map { id($_->[0]) } @got], [map { id($_) } @lines], "$name to $of: every line once, over its rotation");
        is_deeply([map { $_->[1] } @got], [map { micros($_->{'timestamp'} // $_->{'@timestamp'}) } @lines], 'at its own time');
        is_deeply([map { $_->[0] } @got], [map { without($of, $_) } @lines], 'with all of its members');
    }
    return;
}

sub id { return $_[0]{request_id} // $_[0]{'http.request.id'} }

# Loki is told of these beside the line

my %beside;

sub without {
    my ($of, $line) = @_;
    my %line = %$line;
    delete @line{@{$beside{$of} || []}};
    return \%line;
}

# --- Fluent Bit ---

my @yaml = $docs =~ /^```yaml\n(.*?)^```$/msg;

sub fluent_bit {
    my ($name, $file, $edit, @outputs) = @_;

    my ($conf) = grep { /^pipeline:/m } @yaml;
    my ($others) = grep { /^    - name: es$/m } @yaml;
    my %other = map { /name: (\S+)/ ? ($1 => $_) : () } split /^(?=    - )/m, $others;

    mkdir "$dir/$name";
    $conf =~ s/^  outputs:\n\K.*//ms unless grep { $_ eq 'loki' } @outputs;
    $conf .= join '', grep { defined } @other{@outputs};
    $conf =~ s{/var/log/nginx/aiobs\.json}{$file}g;
    $conf =~ s{/var/lib/fluent-bit}{$dir/$name}g;
    $conf =~ s/^( +)host: .*/$1host: 127.0.0.1\n$1port: @{[$t->port(2)]}/mg;
    $conf =~ s/tls: on/tls: off/g;
    $edit->() for $conf;
    Aiobs::spew("$dir/$name.yaml", $conf);

    return $t->spawn([$fluent_bit, '-c', "$dir/$name.yaml"], log => "$dir/$name.log", env => { DD_API_KEY => 'secret' });
}

if ($fluent_bit) {
    %beside = ('loki/api' => ['level']);
    ship('Fluent Bit', sub { fluent_bit('fluent', $log{json}, sub {}, 'loki', 'datadog') },
        'loki/api' => 'json', 'api/v2/logs' => 'json');

    is_deeply([grep { join(' ', sort keys %{$_->[2]}) ne 'job level' || %{$_->[3] || {}} } taken('loki/api')], [],
        'its labels are the job and the level, not an id');

    ship('Fluent Bit', sub { fluent_bit('ecs', $log{ecs}, sub { s/time_key: timestamp/time_key: '\@timestamp'/ }, 'es') }, '_bulk' => 'ecs');
}

# --- Vector ---

if ($vector) {
    my ($toml) = $docs =~ /^```toml\n(.*?)^```$/ms;
    $toml =~ s{/var/log/nginx/aiobs\.json}{$log{json}};
    $toml =~ s{^endpoint = .*}{endpoint = "http://127.0.0.1:@{[$t->port(2)]}"\ncompression = "none"}m;
    Aiobs::spew("$dir/vector.toml", qq{data_dir = "$dir/vector"\n$toml});
    mkdir "$dir/vector";

    %beside = ('loki/api' => ['timestamp']);
    ship('Vector', sub { $t->spawn([$vector, '-c', "$dir/vector.toml"], log => "$dir/vector.log") }, 'loki/api' => 'json');
    is_deeply([grep { join(' ', sort keys %{$_->[2]}) ne 'job' || %{$_->[3] || {}} } taken('loki/api')], [], 'its label is the job');
}

$t->done;
