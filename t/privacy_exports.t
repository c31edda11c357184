#!/usr/bin/perl

# aiobs_privacy in what leaves the machine: for each way of showing clients and
# users, spans, events and transactions hold what is to be shown and nothing of
# what is not; nor has anything the arguments of the request.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsPeers;
use AiobsSentry;
use Digest::SHA qw(hmac_sha256_hex);
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my $key = $t->keys_cli('create', '--db', $t->store, '--user', 'alice@example.com',
    '--may-act-for', '--label', 'email=alice@mail.example');
chomp $key;
push @{$t->{secrets}}, $key, 'pepper-and-salt';

my $spans = AiobsPeers::otlp($t, 5, 6);
my $capture = AiobsSentry::spotlight($t, 7);
my $dead = $t->port(9);

my @modes = map { my $c = $_; map { [$c, $_] } qw(keep hash drop) } qw(keep truncate drop);
my $locations = join "\n", map { "    location /$_->[0]/$_->[1] { aiobs_auth optional; aiobs_user \$http_x_me;"
    . " aiobs_privacy client_ip=$_->[0] user_id=$_->[1] salt=pepper-and-salt;"
    . " proxy_pass http://127.0.0.1:%%PORT_9%%; }" } @modes;

my $conf = <<"EOF_CONF";
aiobs_key_store sqlite:%%DIR%%/keys.db;
aiobs_otlp { endpoint http://127.0.0.1:%%PORT_5%%; interval 100ms; }
aiobs_sentry { dsn http://pub\@127.0.0.1:%%PORT_7%%/42; traces_sample_rate 1; interval 50ms; %%PII%% }
server {
    listen 127.0.0.1:%%PORT_0%%;
    aiobs on;
    aiobs_trace on ratio=1;
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;
$locations
}
EOF_CONF

my $n = 0;

# all that has left of a request, as text: spans, and items of that type

sub sent_spans {
    my ($id) = @_;

    my @lines = Aiobs::slurp($spans) =~ /^(.*)\n/mg;
    my ($server) = grep { $_->{attrs} && ($_->{attrs}{'aiobs.request_id'} // '') eq $id }
        map { decode_json($_) } @lines or return;

    my @all = grep { /\Q$server->{trace}\E/ } @lines;
    return @all > 1 ? join "\n", @all : undef;
}

sub sent_item {
    my ($type, $id) = @_;

    my ($item) = grep { $_->[0]{type} eq $type && ($_->[1]{tags}{request_id} // '') eq $id }
        map { @{$_->[1]} } AiobsSentry::envelopes($capture) or return;
    return JSON::PP->new->canonical->encode($item->[1]);
}

sub check {
    my ($mode, $what, $pii, %who) = @_;

    my ($client, $user) = @$mode;
    my $id = 'p' . ++$n;

    $t->get(0, "/$client/$user?token=an-argument", 'X-Request-ID', $id, 'X-Real-IP', '192.0.2.77',
        'X-Forwarded-For', '192.0.2.77, 10.1.2.3', 'Forwarded', 'for=192.0.2.77', 'True-Client-IP', '10.1.2.3',
        'X-Echo', "at 192.0.2.77 by $who{ids}[0]", @{$who{headers}});

    my %sent = (spans => Aiobs::wait_for(sub { sent_spans($id) }, 20),
        map { my $type = $_; $type => Aiobs::wait_for(sub { sent_item($type, $id) }, 20) } qw(event transaction));

    for my $where (sort keys %sent) {
        my $name = "client $client, user $user, $what: $where";
        my $text = $sent{$where} or do { fail("$name left"); next };
        my $address = $where eq 'spans' || $pii;

        unlike($text, qr/an-argument/, "$name: no arguments");
        unlike($text, qr/\Q$key\E/, "$name: no key");

        if ($client ne 'keep') {
            unlike($text, qr/192\.0\.2\.77/, "$name: not the address");
            unlike($text, qr/10\.1\.2\.3/, "$name: nor what proxies tell of it");
        }

        $address ? is(scalar $text =~ /192\.0\.2\.77/, $client eq 'keep' || '', "$name: it is there if it is kept")
            : unlike($text, qr/192\.0\.2/, "$name: no address at all");
        is(scalar $text =~ /192\.0\.2\.0/, $address && $client eq 'truncate' || '', "$name: its network if that is");

        for my $who (@{$who{ids}}) {
            my $pseudonym = substr hmac_sha256_hex($who, 'pepper-and-salt'), 0, 16;
            $user eq 'keep' || unlike($text, qr/\Q$who\E/, "$name: not $who");
            next if $who ne $who{ids}[0];
            is(scalar $text =~ /\Q$who\E/, $user eq 'keep' || '', "$name: who it is, if that is kept");
            is(scalar $text =~ /$pseudonym/, $user eq 'hash' || '', "$name: his pseudonym if that is");
        }

        unlike($text, qr/alice\@mail/, "$name: no e-mail") if $user ne 'keep' || !$pii;
    }
}

for my $pii ('', 'send_default_pii on; key_labels email;') {
    my $c = $conf =~ s/%%PII%%/$pii/r;

    if ($n) {
        my @old = $t->workers;
        $t->reload($c);
        Aiobs::wait_for(sub { !grep { kill 0 => $_ } @old }, 20) or fail('old workers leave');
    } else {
        $t->start($c);
    }

    for my $mode (@modes) {
        check($mode, ($pii ? 'with' : 'without') . ' PII, a name', $pii,
            ids => ['bob@example.com'], headers => ['X-Me', 'bob@example.com']);
        check($mode, ($pii ? 'with' : 'without') . ' PII, a key', $pii,
            ids => ['alice@example.com', 'carol@example.com'],
            headers => ['Authorization', "Bearer $key", 'X-User-ID', 'carol@example.com']);
    }
}

$t->done;
