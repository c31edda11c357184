#!/usr/bin/perl

# The examples, and what the pages show of configurations, are such that nginx
# accepts; README's is one.  What it says of installing and of the image.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs;
use Test::More;

my $root = Aiobs::root();
my $t = Aiobs->new;

$t->key('alice');

Aiobs::spew($t->dir . "/$_", "secret\n") for qw(google otlp salt);
$ENV{SENTRY_DSN} = 'http://key@127.0.0.1:9/1';
$t->certificate('gw', for => 'DNS:gw.example.com');

my $objs = Aiobs::objs();
my @examples = (glob("$root/conf-examples/*.conf"), glob("$root/docker/*.conf"));
cmp_ok(scalar @examples, '>=', 2, 'there are examples');

# the image's entrypoint tells nginx of name servers

Aiobs::spew($t->dir . '/resolv.conf', "# a comment\nnameserver 10.0.0.2\nnameserver fd00::53\n"
    . "nameserver fe80::1%eth0\nsearch example.com\n");

sub entrypoint {
    my ($store, @args) = @_;
    my $dir = $t->dir;
    mkdir "$dir/bin";
    Aiobs::spew("$dir/bin/nginx", "#!/bin/sh\necho nginx goes on\n");
    chmod 0755, "$dir/bin/nginx";
    return `PATH=$dir/bin:$objs:\$PATH AIOBS_KEY_STORE=$store AIOBS_RUN=$dir AIOBS_RESOLV_CONF=$dir/resolv.conf sh $root/docker/entrypoint @args 2>&1`;
}

my $made = entrypoint($t->dir . '/keys.db', 'nginx', '-g', "'daemon off;'");
is($made, "nginx goes on\n", 'the entrypoint goes on with nginx');
is(Aiobs::slurp($t->dir . '/resolver.conf'), "resolver 10.0.0.2 [fd00::53] valid=60s;\n",
    'which gets the name servers');

mkdir $t->dir . '/volume';
my $volume = $t->dir . '/volume/keys.db';

$made = entrypoint($volume, 'aiobs-keys', '--version');
like($made, qr/^aiobs-keys \S+\n\z/, 'another command is run as it is');
ok(!-e $volume, 'and makes no store');

$made = entrypoint($volume, 'nginx');
like($made, qr/its first key, shown this once: sk-[\w-]{43}$/m, 'nginx has a store made for it');
ok(-e $volume, 'where it is to be');

my $nobody = $> == 0 ? 'runuser -u nobody --' : '';
$made = `AIOBS_KEY_STORE=/proc/keys.db AIOBS_RUN=/proc $nobody sh -s nginx < $root/docker/entrypoint 2>&1`;
isnt($?, 0, 'where nothing can be written');
like($made, qr{user \d+ cannot write to /proc.*belong to.*--tmpfs}s, 'it says what is to be done');

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

# blocks of the pages, each with what they take for granted around them

for my $page (glob "$root/docs/*.md") {
    (my $name = $page) =~ s{.*/}{};

    for my $block (Aiobs::slurp($page) =~ /^```nginx\n(.*?)^```/msg) {
        my ($dir, $first) = ($t->dir, $block =~ /(.*)/);

        $block =~ s/^\s*\.\.\.\n//mg;
        $block =~ s{/run/secrets/}{$dir/}g;
        $block =~ s{sqlite:/var/lib/aiobs/}{sqlite:$dir/}g;
        $block = "server { aiobs on; $block }" if $block =~ /^location/;
        $block .= 'server { aiobs on; }' if $block !~ /server \{/;
        $block = "aiobs_key_store sqlite:$dir/keys.db;\n$block" if $block !~ /aiobs_key_store/ && $block =~ /aiobs_(?:auth|keys_api|login)/;
        Aiobs::spew("$dir/block.conf", "load_module $objs/ngx_http_aiobs_module.so;\npid $dir/block.pid;\n"
            . ($> == 0 ? "user root;\n" : '') . "error_log $dir/error.log;\nevents {}\nhttp {\n"
            . "ssl_certificate $dir/gw.pem; ssl_certificate_key $dir/gw.key;\n$block\n}\n");

        my $out = `$t->{nginx} -t -c $dir/block.conf 2>&1`;
        ok($? == 0 && $out !~ /\[warn\]/, "$name: $first") or diag($out);
    }
}

# installing; nginx without threads

mkdir $t->dir . '/objs';
symlink "$objs/$_", $t->dir . "/objs/$_" for qw(ngx_http_aiobs_module.so aiobs-keys);
my $to = $t->dir;
my $out = `make -C $root -o $to/objs/ngx_http_aiobs_module.so -o $to/objs/aiobs-keys install OBJS=$to/objs DESTDIR=$to/dest 2>&1`;
is($?, 0, 'make install') or diag($out);
like(`$to/dest/usr/local/bin/aiobs-keys --version`, qr/^aiobs-keys \d/, 'puts aiobs-keys into the path');
ok(-s "$to/dest/usr/lib/nginx/modules/ngx_http_aiobs_module.so", 'and the module to the others');

$out = `cd $root && USE_THREADS=NO ngx_addon_dir=$root sh ./config 2>&1`;
isnt($?, 0, 'an nginx without threads');
like($out, qr/configure nginx --with-threads/, 'is told what it lacks');

$t->done;
