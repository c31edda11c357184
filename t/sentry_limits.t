#!/usr/bin/perl

# What Sentry says of rates is obeyed, by category, and what was discarded is
# reported to it.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use AiobsSentry;
use JSON::PP;
use Test::More;

my $t = Aiobs->new;
my $file = AiobsSentry::receiver($t, 5);

my $conf = <<'EOF';
aiobs_sentry {
    dsn http://pubkey@127.0.0.1:%%PORT_5%%/base/42;
    interval 50ms;
    %%SENTRY%%
}
upstream tries { server 127.0.0.1:%%PORT_8%% max_fails=0; server 127.0.0.1:%%PORT_9%% max_fails=0; }
server {
    listen 127.0.0.1:%%PORT_0%%;
    aiobs on;
    location / { return 204; }
    location /boom { return 500; }
    location /tries { proxy_pass http://tries; }
    location = /metrics { aiobs_metrics; }
}
EOF

sub conf { my ($more) = @_; return $conf =~ s/%%SENTRY%%/$more/r }

sub say_next { $t->request(5, 'POST', '/_say', [], encode_json([@_])); return }
sub received { return AiobsSentry::received($file) }
sub boom { $t->get(0, '/boom', 'X-Request-ID', $_) for @_; return }

sub ids { return join ' ', map { $_->{body} =~ /"request_id":"(\w+)"/ } received() }

sub reports {
    my %sum;
    for my $body (map { $_->{body} } received()) {
        my ($envelope) = AiobsSentry::parse($body) or next;
        for my $item (grep { $_->[0]{type} eq 'client_report' } @{$envelope->[1]}) {
            $sum{"$_->{reason} $_->{category}"} += $_->{quantity} for @{$item->[1]{discarded_events}};
        }
    }
    return \%sum;
}

sub dropped {
    my ($n) = $t->get(0, '/metrics')->{body}
        =~ /^aiobs_export_dropped_total\{exporter="sentry",reason="rate_limited"\} (\d+)/m;
    return $n // 0;
}

# the old worker takes no more requests

sub reload {
    my %old = map { $_ => 1 } $t->workers;
    $t->reload(@_);
    Aiobs::wait_for(sub { !grep { $old{$_} } $t->workers }, 10);
    return;
}

# until the event and its transaction are sent, and Sentry's answers are read

sub told { my $sum = 0; $sum += $_ for $t->get(0, '/metrics')->{body}
    =~ /^aiobs_export_(?:sent|dropped)_total\{exporter="sentry"[^\n]*\} (\d+)$/mg; return $sum }

sub boom_told {
    my ($id) = @_;
    my $before = told();
    boom($id);
    ok(Aiobs::wait_for(sub { told() >= $before + 2 }), "$id is sent");
    return;
}

# sends until one arrives again

sub until_open {
    my ($id) = @_;
    my $n = 0;
    return Aiobs::wait_for(sub { boom($id . $n++); select undef, undef, undef, 0.15; ids() =~ /\b$id\d/ }, 120);
}

$t->start(conf(''));

# --- how it is sent ---

boom('first');
Aiobs::wait_for(sub { received() == 1 }, 10);
my ($r) = received();
is($r->{url}, '/base/api/42/envelope/', 'path of the project');
is($r->{headers}{'content-type'}, 'application/x-sentry-envelope', 'type');
like($r->{headers}{'x-sentry-auth'}, qr/^Sentry sentry_version=7, sentry_client=aiobs\.nginx\/\S+, sentry_key=pubkey$/,
    'key');
ok(AiobsSentry::parse($r->{body}), 'an envelope, by its lengths');

# --- 429 for all ---

say_next({ status => 429, headers => { 'Retry-After' => '60' } });
boom(map { "a$_" } 1 .. 4);
Aiobs::wait_for(sub { received() == 2 }, 10);
ok(Aiobs::wait_for(sub { dropped() == 4 }, 10), 'the refused one is dropped, and those that wait with it') or diag(dropped());
boom('b');
Aiobs::wait_for(sub { dropped() == 5 }, 10);
is(scalar(received()), 2, 'nothing is sent meanwhile');

# a limit that ends, in another worker, which knows of no other

reload(conf(''));
my $former = dropped();
say_next({ status => 429, headers => { 'Retry-After' => '1' } });
boom('a0');
Aiobs::wait_for(sub { dropped() > $former });
ok(until_open('c'), 'afterwards they are');
is(reports()->{'ratelimit_backoff error'} // 0, dropped() - $former - 1,
    'the next envelope reports what was discarded, but for what Sentry itself turned away');
unlike(ids(), qr/\ba[234]|\bb\b/, 'none of which was sent');
unlike($t->error_log, qr/pubkey/, 'the key is in no log');

# --- categories ---

reload(conf('traces_sample_rate 1;'));
my $seen = received();
say_next({ status => 200, headers => { 'X-Sentry-Rate-Limits' => '60:transaction;session:organization:quota, 60:replay:key' } });
boom_told('d');
boom('e', 'f');
ok(Aiobs::wait_for(sub { ids() =~ /\be\b.*\bf\b/ }, 10), 'events go on');
my @new = (received())[$seen .. received() - 1];
my $late = grep { $_->{body} =~ /"type":"transaction","transaction"/ && $_->{body} =~ /"request_id":"[ef]"/ } @new;
is($late, 0, 'transactions do not');
is(reports()->{'ratelimit_backoff transaction'} ? 1 : 0, 1, 'which is reported');

is(reports()->{'ratelimit_backoff span'}, reports()->{'ratelimit_backoff transaction'}, 'with the spans they are');

reload(conf('traces_sample_rate 1;'));
say_next({ status => 200, headers => { 'X-Sentry-Rate-Limits' => ' 60.5 : span ; transaction : key , 1 : replay' } });
boom_told('j');
$seen = received();
boom('k');
Aiobs::wait_for(sub { ids() =~ /\bk\b/ }, 10);
@new = (received())[$seen .. received() - 1];
is(scalar(grep { $_->{body} =~ /"type":"transaction","transaction"/ && $_->{body} =~ /"request_id":"k"/ } @new), 0,
    'spaces mean nothing, and seconds may have a fraction');

reload(conf(''));
for my $status (400, 413, 500, 503) {
    my $n = received();
    my $sum = reports()->{'send_error error'} // 0;
    say_next({ status => $status });
    boom("refused$status");
    Aiobs::wait_for(sub { received() == $n + 1 }, 10);
    boom("after$status");
    ok(Aiobs::wait_for(sub { (reports()->{'send_error error'} // 0) == $sum + 1 }, 10), "$status: is reported");
    is(scalar(grep { $_->{body} =~ /"refused$status"/ } received()), 1, "$status: is not sent again");
}

say_next({ status => 200, headers => { 'X-Sentry-Rate-Limits' => '1::key' } });
boom('g');
Aiobs::wait_for(sub { ids() =~ /\bg\b/ }, 10);
my $before = dropped();
ok(Aiobs::wait_for(sub { boom('h'); dropped() > $before }, 5), 'a limit without categories is one for all');
ok(until_open('i'), 'for its time');

# --- nonsense ---

say_next(map { { status => 200, headers => { 'X-Sentry-Rate-Limits' => $_ } } }
    ',,, ,', ':::', 'abc:error', '99999999999999999999:none', '0:error', '-5:error', ';;;', 'x' x 5000);
ok(until_open("n$_"), 'nonsense limits nothing for long') for 1 .. 8;

# --- sampled away ---

reload(conf('sample_rate 0; traces_sample_rate 1;'));
boom('s1', 's2', 's3');
Aiobs::wait_for(sub { (reports()->{'sample_rate error'} // 0) >= 1 }, 10);
ok(!(grep { $_->{body} =~ /\{"type":"event"/ && $_->{body} =~ /"request_id":"s\d"/ } received()), 'sample_rate 0: no events');
$t->get(0, '/');
ok(Aiobs::wait_for(sub { $t->get(0, '/'); (reports()->{'sample_rate error'} // 0) == 3 }, 10), 'each is reported')
    or diag(encode_json(reports()));

is(reports()->{'sample_rate transaction'} // 0, 0, 'no transaction is left out');

# --- transactions that are left out, with a span of each try and of themselves ---

reload(conf('traces_sample_rate 0.0001;'));
$t->get(0, '/tries') for 1 .. 5;
boom('u');
ok(Aiobs::wait_for(sub { boom('v'); (reports()->{'sample_rate transaction'} // 0) >= 5 }, 10), 'transactions left out are reported');
my $r_ = reports();
is($r_->{'sample_rate span'}, $r_->{'sample_rate transaction'} + 10, 'with all their spans') or diag(encode_json($r_));

# --- compressed on its way to another machine, where there is something to compress ---

$t->stop;
{
    local %ENV = (%ENV, http_proxy => 'http://127.0.0.1:' . $t->port(5), no_proxy => '');
    $t->start(conf('') =~ s/127\.0\.0\.1:%%PORT_5%%/sentry.example.com/r, main => 'env http_proxy; env no_proxy;');
}
boom('far');
ok(Aiobs::wait_for(sub { ids() =~ /\bfar\b/ }, 20), 'an event for another machine');
my ($far) = grep { $_->{body} =~ /"far"/ } received();
is($far->{url}, 'http://sentry.example.com/base/api/42/envelope/', 'is sent there');
is($far->{headers}{'content-encoding'}, 'gzip', 'compressed');
cmp_ok($far->{size}, '<', length($far->{body}) * 2 / 3, 'which pays');
my ($envelope) = AiobsSentry::parse($far->{body});
is($envelope->[1][0][0]{type}, 'event', 'an envelope all the same');
is((grep { $_->{headers}{'content-encoding'} && $_->{body} !~ /"far"/ } received()), 0, 'none on this machine is');

# --- a receiver that is away ---

$t->stop;
$t->start(conf('queue 2;') =~ s/%%PORT_5%%/%%PORT_9%%/r);
boom(map { "q$_" } 1 .. 5);
is($t->get(0, '/')->{status}, 204, 'traffic goes on');
like($t->get(0, '/metrics')->{body}, qr/^aiobs_export_dropped_total\{exporter="sentry",reason="queue_full"\} [3-5]/m,
    'what does not fit into the queue is counted');

$t->done;
