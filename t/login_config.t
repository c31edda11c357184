#!/usr/bin/perl

# What a provider's configuration has to say, and what it may not.

use strict;
use warnings;

use FindBin qw($Bin);
use lib "$Bin/lib";

use Aiobs qw(slurp spew);
use Test::More;

my $t = Aiobs->new;
$t->key('somebody');
spew($t->dir . '/secret', "a secret\n");
spew($t->dir . '/short', "short\n");
spew($t->dir . '/long', 'c' x 40);

my %lines = (
    issuer => 'https://id.example.com',
    client_id => 'aiobs',
    client_secret => 'file:%%DIR%%/secret',
    redirect_uri => 'https://gw.example.com/cb',
    allow_domain => 'example.com',
);

sub provider {
    my (%more) = @_;

    my %all = (%lines, %more);
    return 'aiobs_oidc_provider google { '
        . join('', map { "$_ $all{$_}; " } grep { defined $all{$_} } sort keys %all) . '}';
}

my $store = 'aiobs_key_store sqlite:%%DIR%%/keys.db;';

sub conf {
    my ($provider, $location, $http) = @_;

    return ($http // $store) . "$provider server { listen 127.0.0.1:%%PORT_0%%; aiobs on; "
        . ($location // 'location /l { aiobs_login google; }') . ' }';
}

sub refused {
    my ($name, $http, $want) = @_;

    my ($rc, $out) = $t->check($http);
    isnt($rc, 0, "$name: refused");
    like($out, $want, "$name: says so");
    unlike($out, qr/a secret/, "$name: without the secret");
    return;
}

my ($rc, $out) = $t->check(conf(provider(scopes => 'openid email', client_auth => 'basic',
    allow_email => '"a@b.test" c@d.test', key_name => 'k', user_id => 'sub', grace => '1d',
    ca_file => '%%DIR%%/secret', timeout => '1s', refresh => '10m',
    cookie_secret => 'file:%%DIR%%/long')));
is($rc, 0, 'everything: accepted') or diag($out);
like($out, qr{no location with "aiobs_login google;" has "/cb"}, 'but nobody can come back');

for my $location ('/c', '= /cb', '~ /cb') {
    ($rc, $out) = $t->check(conf(provider(),
        "location /l { aiobs_login google; } location $location { aiobs_login google; }"));
    unlike($out, qr/no location/, "location $location: they can");
}

($rc, $out) = $t->check(conf(provider(), 'location = /c { aiobs_login google; }'));
like($out, qr/no location/, 'another path: they cannot');

for my $need (qw(issuer client_id client_secret redirect_uri)) {
    refused("without $need", conf(provider($need => undef)),
        qr/"aiobs_oidc_provider google" lacks "$need".*nginx\.conf:\d+/);
}

refused('nobody is allowed', conf(provider(allow_domain => undef)),
    qr/lacks "allow_domain" or "allow_email"/);

for my $case (
    ['issuer', 'http://id.example.com', qr/"issuer" is not https/],
    ['issuer', 'ftp://id.example.com', qr/"issuer" does not begin with "https/],
    ['issuer', 'http://localhost.evil.test', qr/"issuer" is not https/],
    ['issuer', 'http://127.0.0.1@evil.test/', qr/"issuer" has no host, or a user/],
    ['issuer', 'https://', qr/"issuer" has no host/],
    ['issuer', 'https://id.example.com/#x', qr/"issuer" has characters/],
    ['redirect_uri', 'http://gw.example.com/cb', qr/"redirect_uri" is not https/],
    ['redirect_uri', 'https://gw.example.com', qr/"redirect_uri" needs a path/],
    ['redirect_uri', 'https://gw.example.com/cb?x=1', qr/"redirect_uri" needs a path/],
    ['client_secret', 'env:AIOBS_NO_SUCH', qr/"AIOBS_NO_SUCH" is not set/],
    ['client_secret', 'file:%%DIR%%/none', qr/none" failed \(2/],
    ['client_auth', 'jwt', qr/"client_auth" must be "basic" or "post"/],
    ['allow_domain', 'a@example.com', qr/"allow_domain" wants domains such as/],
    ['allow_domain', '*.example.com', qr/"allow_domain" wants domains such as/],
    ['allow_domain', '.example.com', qr/"allow_domain" wants domains such as/],
    ['allow_domain', 'example.com.', qr/"allow_domain" wants domains such as/],
    ['allow_domain', 'https://example.com', qr/"allow_domain" wants domains such as/],
    ['allow_domain', "ex\xc3\xa4mple.com", qr/"allow_domain" wants domains such as/],
    ['allow_email', 'a@b@example.com', qr/"allow_email" wants addresses such as/],
    ['allow_email', 'a@', qr/"allow_email" wants addresses such as/],
    ['scopes', 'openid2 email', qr/"scopes" has to hold "openid"/],
    ['allow_email', 'example.com', qr/"allow_email" wants addresses such as/],
    ['scopes', 'email profile', qr/"scopes" has to hold "openid"/],
    ['key_name', '"a b "', qr/"key_name" /],
    ['user_id', 'name', qr/"user_id" must be "sub" or "email"/],
    ['grace', 'x', qr/"grace" wants a time/],
    ['timeout', '10m', qr/"timeout" wants a time from "100ms" to "60s"/],
    ['refresh', '0', qr/"refresh" wants a time/],
    ['ca_file', '%%DIR%%/none', qr/none" failed/],
    ['ca_file', '%%DIR%%', qr/open\(\) ".*" failed \(21: Is a directory\)/],
    ['cookie_secret', 'file:%%DIR%%/short', qr/"cookie_secret" is shorter than 32 bytes/],
    ['color', 'red', qr/unknown directive "color" in "aiobs_oidc_provider": issuer, client_id,/],
    ['issuer', '"a" "b"', qr/invalid number of arguments in "issuer"/],
    ['client_id', '""', qr/"client_id" is empty/],
) {
    my ($line, $value, $want) = @$case;
    refused("$line $value", conf(provider($line => $value)), $want);
}

# what workers read later has to be readable by them

SKIP: {
    skip 'root is needed to read what workers cannot', 12 unless $> == 0;

    my $group = getgrgid((getpwnam "nobody")[3]);
    my $file = $t->dir . '/ca.pem';
    spew($file, 'none');

    for my $case (['a file of root alone', 0600, 0755, 1], ['a directory of root alone', 0644, 0700, 1],
        ['readable', 0644, 0755, 0])
    {
        my ($name, $mode, $above, $wrong) = @$case;
        chmod $mode, $file;
        chmod $above, $t->dir;
        for my $what (provider(ca_file => '%%DIR%%/ca.pem'),
            'aiobs_otlp { endpoint https://127.0.0.1; certificate %%DIR%%/ca.pem; certificate_key %%DIR%%/ca.pem; }')
        {
            $t->write_conf(conf($what, 'location /l { }', ''));
            spew($t->dir . '/nginx.conf', slurp($t->dir . '/nginx.conf') =~ s/^user root;/user nobody $group;/mr);
            my $out = `$t->{nginx} -t -c ${\$t->dir}/nginx.conf 2>&1`;
            is($? >> 8, $wrong, $name) or diag($out);
            like($out, qr/run as user "nobody", who cannot read ".*ca\.pem".*Permission denied/, 'says what is wrong') if $wrong;
        }
    }

    chmod 0600, $file;
    $t->write_conf(conf(provider(ca_file => '%%DIR%%/ca.pem'), 'location /l { }', ''));
    spew($t->dir . '/nginx.conf', slurp($t->dir . '/nginx.conf') =~ s/^user root;//mr . "user root;\n");
    $out = `$t->{nginx} -t -c ${\$t->dir}/nginx.conf 2>&1`;
    is($? >> 8, 0, '"user" below http{}: accepted') or diag($out);
    like($out, qr/\[warn\].*\("user" does not stand above http\{\}\), who cannot read/, 'but a warning');
}

refused('a line twice', conf(provider() =~ s/\}$/client_id x; }/r), qr/"client_id" is duplicate/);
refused('a provider twice', conf(provider() . provider()), qr/is duplicate/);
refused('a name that is none', conf(provider() =~ s/google/"a b"/r), qr/invalid name "a b"/);
refused('no such provider', conf('', 'location /l { aiobs_login google; }'),
    qr/"aiobs_login" in location "\/l": no "aiobs_oidc_provider google/);
refused('without a store', conf(provider(), undef, ''), qr/needs "aiobs on;" there, and "aiobs_key_store/);
refused('without "aiobs on"', conf(provider(), 'aiobs off;', $store) =~ s/aiobs on; aiobs off;/location \/l { aiobs_login google; }/r,
    qr/needs "aiobs on;" there/);
refused('a location twice', conf(provider(), 'location /l { aiobs_login google; aiobs_login google; }'),
    qr/is duplicate/);
refused('in a server', conf(provider(), 'aiobs_login google;'), qr/"aiobs_login" directive is not allowed/);

$t->done;
