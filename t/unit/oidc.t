#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Who is let in, which URLs are fit, and what cookies are worth.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use JSON::PP;
use Test::More;

use AiobsUnit;

my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
my $json = JSON::PP->new->utf8;

sub person { my ($email, %more) = @_;
    return { email => $email, email_verified => $yes, %more } }

my @google = (domains => ['example.com', 'gmail.com'], hosted => $yes);
my @other = (domains => ['example.com']);
my @seal = (from => 'a' x 32, to => 'a' x 32, provider => 'p', opened => 'p', time => 1795000000,
    flip => -1);

my @cases = (
    # at Google
    ['hd of an allowed domain', { @google, person => person('a@example.com', hd => 'example.com') },
        'ok a@example.com'],
    ['in capitals', { @google, person => person('A.B@Example.COM', hd => 'Example.com') },
        'ok a.b@example.com'],
    ['no hd: somebody has registered the address', { @google, person => person('a@example.com') },
        'not_allowed a@example.com'],
    ['hd of another domain', { @google, person => person('a@example.com', hd => 'evil.test') },
        'not_allowed a@example.com'],
    ['gmail.com has no hd', { @google, person => person('a@gmail.com') }, 'ok a@gmail.com'],
    ['an address that is listed', { emails => ['a@x.test'], hosted => $yes,
        person => person('a@x.test') }, 'ok a@x.test'],
    ['everyone', { anyone => $yes, hosted => $yes, person => person('a@x.test') }, 'ok a@x.test'],
    ['everyone who is verified', { anyone => $yes, person => person('a@x.test',
        email_verified => $no) }, 'email a@x.test'],

    # elsewhere
    ['no hd', { @other, person => person('a@example.com') }, 'ok a@example.com'],
    ['another domain', { @other, person => person('a@x.test') }, 'not_allowed a@x.test'],
    ['another domain with hd', { @other, person => person('a@x.test', hd => 'example.com') },
        'not_allowed a@x.test'],
    ['hd is empty', { @other, person => person('a@example.com', hd => '') },
        'not_allowed a@example.com'],
    ['hd is null', { @other, person => person('a@example.com', hd => undef) },
        'ok a@example.com'],
    ['nothing of whether it is verified', { @other, person => { email => 'a@example.com' } },
        'email a@example.com ?'],
    ['null of it', { @other, person => person('a@example.com', email_verified => undef) },
        'email a@example.com ?'],
    ['no address', { @other, person => { email_verified => $yes } }, 'email  ?'],
    ['address is null', { @other, person => person(undef) }, 'email  ?'],

    # Entra ID, which says xms_edov when it is asked to
    (map { ["xms_edov is " . $json->encode([$_]), { @other, edov => $yes,
        person => { email => 'a@example.com', xms_edov => $_ } }, 'ok a@example.com'] }
        $yes, 'true', '1', 1),
    (map { ["xms_edov is " . $json->encode([$_]), { @other, edov => $yes,
        person => { email => 'a@example.com', xms_edov => $_ } }, 'email a@example.com'] }
        $no, 'false', '0', '', 2, [1]),
    ['no xms_edov', { @other, edov => $yes, person => { email => 'a@example.com' } },
        'email a@example.com ?'],
    ['not verified, whatever the domain is', { @other, edov => $yes, person => person('a@example.com',
        email_verified => $no, xms_edov => $yes) }, 'email a@example.com'],
    ['email_verified is 1', { @other, edov => $yes, person => person('a@example.com',
        email_verified => 1) }, 'email a@example.com'],
    ['xms_edov of another provider', { @other, person => { email => 'a@example.com',
        xms_edov => $yes } }, 'email a@example.com ?'],
    ['nobody is allowed', { person => person('a@example.com') }, 'not_allowed a@example.com'],
    ['no address: ', { @other, person => person('') }, 'email  ?'],
    (map { ["no address: $_", { @other, person => person($_) }, 'email '] } '@', 'a@', '@b',
        'a b@example.com', 'a@b@example.com', '"a"@example.com', 'a@example.com,b@c', "a\t\@b.c",
        "\x{e9}\@example.com", 'a' x 128 . '@example.com'),

    # issuers; Google's tokens may have its name without the scheme
    (map { ["issuer: $_->[0]", { issuer => $_->[1], hosted => $_->[2], iss => $_->[3] }, $_->[4]
            ? 'ok' : 'the ID token is of another issuer'] }
        ['the very same', 'https://a.test', $no, 'https://a.test', 1],
        ['a slash more', 'https://a.test', $no, 'https://a.test/', 0],
        ['no scheme', 'https://a.test', $no, 'a.test', 0],
        ['Google', 'https://accounts.google.com', $yes, 'https://accounts.google.com', 1],
        ['Google, no scheme', 'https://accounts.google.com', $yes, 'accounts.google.com', 1],
        ['Google, http', 'https://accounts.google.com', $yes, 'http://accounts.google.com', 0],
        ['that of Google elsewhere', 'https://a.test', $no, 'accounts.google.com', 0],
        ['a list', 'https://a.test', $no, ['https://a.test'], 0],
        ['empty', 'https://a.test', $no, '', 0]),

    # URLs
    (map { ["fit: $_->[0]", { url => $_->[0], local => $_->[1] }, 'ok'] }
        ['https://a.test', $no], ['https://a.test:8443/x?y=1', $no], ['http://127.0.0.1:80/x', $yes],
        ['http://[::1]/', $yes], ['http://LOCALHOST', $yes]),
    (map { ["not fit: $_->[0]", { url => $_->[0], local => $_->[1] }, $_->[2]] }
        ['http://127.0.0.1/', $no, 'is not https, which only this machine\'s own may be'],
        ['http://127.0.0.1.evil.test/', $yes, 'is not https, which only this machine\'s own may be'],
        ['http://a@127.0.0.1/', $yes, 'has no host, or a user'],
        ['https:///x', $no, 'has no host, or a user'],
        ['file:///etc/passwd', $yes, 'has no host, or a user'],
        ['javascript:alert(1)', $no, 'does not begin with "https://"'],
        ["https://a.test/\n", $no, 'has characters that no URL has, or a fragment'],
        ['https://a.test/#x', $no, 'has characters that no URL has, or a fragment'],
        ['https://a.test/' . 'x' x 1024, $no, 'is too long']),

    # cookies
    ['a cookie', { @seal }, '1795000000 43 43 1'],
    ['by another secret', { @seal, to => 'b' x 32 }, 'not ours'],
    ['for another provider', { @seal, opened => 'q' }, 'not ours'],
    (map { ["changed at $_", { @seal, flip => $_ }, 'not ours'] } 0 .. 74),

    # escaping
    ['escaped', { escape => "a b+&=/\x{e9}~" }, 'a=a%20b%2B%26%3D%2F%C3%A9~'],
    ['no room', { escape => '%' x 30 }, 'full'],
);

my $input = join '', map { $json->encode($_->[1]) . "\n" } @cases;
my %variants = variants();

for my $variant (sort keys %variants) {
    my $exe = build('oidc', $variant, [map { "login/aiobs_$_.c" }
        qw(oidc_claims oidc_ticket oidc_url jwt jwk)], '-ljansson', '-lcrypto');

    my @out = split /\n/, run_ok($exe, $input, "$variant: runs to its end");

    for my $case (@cases) {
        is(shift @out, $case->[2], "$variant: $case->[0]");
    }
}

done_testing();
