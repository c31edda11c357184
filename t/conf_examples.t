#!/usr/bin/perl

# The examples are configurations that nginx accepts, and README's is one.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;

my $root = Aiobs::root();
my $t = Aiobs->new;

$t->key('alice');

Aiobs::spew($t->dir . "/$_", "secret\n") for qw(google otlp);
$ENV{SENTRY_DSN} = 'http://key@127.0.0.1:9/1';
$t->certificate('gw', for => 'DNS:gw.example.com');

my $objs = Aiobs::objs();
my @examples = (glob("$root/conf-examples/*.conf"), glob("$root/docker/*.conf"));
cmp_ok(scalar @examples, '>=', 2, 'there are examples');

# the image's entrypoint tells nginx of name servers

Aiobs::spew($t->dir . '/resolv.conf', "# a comment\nnameserver 10.0.0.2\nnameserver fd00::53\n"
    . "nameserver fe80::1%eth0\nsearch example.com\n");
my $made = join ' ', "AIOBS_KEY_STORE=@{[$t->dir]}/keys.db AIOBS_RUN=@{[$t->dir]}",
    "AIOBS_RESOLV_CONF=@{[$t->dir]}/resolv.conf sh $root/docker/entrypoint echo goes on";
is(`$made 2>&1`, "goes on\n", 'the entrypoint goes on with what it is given');
is(Aiobs::slurp($t->dir . '/resolver.conf'), "resolver 10.0.0.2 [fd00::53] valid=60s;\n",
    'and nginx gets the name servers');

for my $file (@examples) {
    (my $name = $file) =~ s{.*/}{};
    my $conf = Aiobs::slurp($file);
    my $dir = $t->dir;

    # whose workers can use the store, and whose errors are found

    if ($file =~ /conf-examples/) {
        like($conf, qr/^user +www-data;.*^error_log +\S/ms, "$name says who runs it and where errors go");
    }

    # what is elsewhere on a machine of its own; no name is looked up here

    $conf =~ s{modules/ngx_http_aiobs_module\.so|/usr/lib/nginx/\S+\.so}{$objs/ngx_http_aiobs_module.so};
    $conf =~ s{/var/lib/aiobs/}{$dir/}g;
    $conf =~ s{/var/log/nginx/}{$dir/}g;
    $conf =~ s{/etc/aiobs/prices\.json}{$root/conf-examples/prices.json}g;
    $conf =~ s{/(?:var/cache|run)/aiobs/}{$dir/}g;
    $conf =~ s{/etc/(?:nginx|aiobs)/(\w+)\.key}{$dir/$1.key}g;
    $conf =~ s{api\.(?:openai|anthropic)\.com(?=:443|;)}{127.0.0.1}g;
    $conf =~ s{/run/secrets/}{$dir/}g;
    $conf =~ s{/etc/ssl/gw\.(\w+)}{$dir/gw.$1}g;
    $conf =~ s/^user +www-data;/user root;/m;
    $conf = "user root;\n$conf" if $> == 0 && $conf !~ /^user/m;

    Aiobs::spew("$dir/$_.key", "set \$${_}_key \"sk-x\";\n") for qw(openai anthropic);
    $conf = "pid $dir/$name.pid;\n$conf" if $conf !~ /^pid/m;
    Aiobs::spew("$dir/$name", $conf);

    my $out = `$t->{nginx} -t -c $dir/$name 2>&1`;
    is($?, 0, "$name is accepted") or diag($out);
    unlike($out, qr/\[warn\]/, 'without a warning');
}

# those of the image serve metrics where Prometheus is told to look, and nowhere else

my ($scraped) = Aiobs::slurp("$root/prometheus/prometheus.yml") =~ /'gateway:(\d+)'/;

for my $file (glob "$root/docker/*.conf") {
    my %port = map { /listen (\d+)/ ? ("$1" => /aiobs_metrics/ ? 1 : 0) : () } split /^    server \{/m, Aiobs::slurp($file);
    is_deeply([grep { $port{$_} } keys %port], [$scraped], "$file: metrics have a port of their own");
}

my $readme = Aiobs::slurp("$root/README.md");
my $minimal = Aiobs::slurp("$root/conf-examples/minimal.conf");
ok(index($readme, $minimal) >= 0, "README's configuration is minimal.conf");

$t->done;
