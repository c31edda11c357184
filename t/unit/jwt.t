#!/usr/bin/perl

# Copyright (C) the aiobs authors
#
# Tokens are verified: those that OpenSSL's own command signs, and not those
# that somebody has made up, in whichever of the known ways.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use Digest::SHA qw(sha256 sha512 hmac_sha256);
use File::Temp qw(tempdir);
use JSON::PP;
use MIME::Base64 qw(encode_base64url);
use Test::More;

use AiobsUnit;

my $dir = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->canonical;

sub slurp { open my $f, '<:raw', $_[0] or die "$_[0]: $!"; local $/; <$f> }
sub spew { open my $f, '>:raw', $_[0] or die "$_[0]: $!"; print $f $_[1]; close $f }

sub openssl {
    my $out = `openssl @_ 2>&1`;
    $? == 0 or BAIL_OUT("openssl @_: $out");
    return;
}

# --- keys ---

my %make = (
    rsa => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:2048)],
    rsa2 => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:2048)],
    small => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:1024)],
    p256 => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-256)],
    p384 => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-384)],
    p521 => [qw(-algorithm EC -pkeyopt ec_paramgen_curve:P-521)],
    rsa_large => [qw(-algorithm RSA -pkeyopt rsa_keygen_bits:8192 -pkeyopt rsa_keygen_primes:4)],
    ed => [qw(-algorithm ED25519)],
);

for my $name (sort keys %make) {
    openssl(qw(genpkey), @{$make{$name}}, '-out', "$dir/$name.pem");
    openssl(qw(pkey -in), "$dir/$name.pem", qw(-pubout -outform DER -out),
        "$dir/$name.der");
    openssl(qw(pkey -in), "$dir/$name.pem", qw(-pubout -out), "$dir/$name.pub");
}

my %coordinate = (p256 => 32, p384 => 48, p521 => 66);

sub jwk {
    my ($name, %more) = @_;

    my %jwk;

    if ($name =~ /rsa|small/) {
        my ($hex) = `openssl rsa -in $dir/$name.pem -noout -modulus` =~ /=(\w+)/;
        %jwk = (kty => 'RSA', n => encode_base64url(pack 'H*', $hex),
            e => encode_base64url("\x01\x00\x01"));

    } elsif ($name eq 'ed') {
        %jwk = (kty => 'OKP', crv => 'Ed25519',
            x => encode_base64url(substr slurp("$dir/$name.der"), -32));

    } else {
        my $len = $coordinate{$name};
        my $point = substr slurp("$dir/$name.der"), -2 * $len;
        %jwk = (kty => 'EC', crv => $name =~ s/p/P-/r,
            x => encode_base64url(substr $point, 0, $len),
            y => encode_base64url(substr $point, $len));
    }

    %jwk = (%jwk, kid => $name, use => 'sig', %more);
    delete @jwk{grep { !defined $jwk{$_} } keys %jwk};
    return \%jwk;
}

sub jwks { return $json->encode({ keys => [@_] }) }

# --- tokens ---

sub der_to_raw {
    my ($der, $len) = @_;

    my (undef, $len_of) = unpack 'C C', $der;
    my $rest = substr $der, $len_of > 127 ? 3 : 2;
    my ($r, $s) = unpack 'x C/a* x C/a*', $rest;

    return join '', map {
        my $n = s/^\0+//r;
        ("\0" x ($len - length $n)) . $n;
    } $r, $s;
}

sub sign {
    my ($alg, $key, $text) = @_;

    spew("$dir/text", $text);

    my %options = (
        RS256 => [qw(dgst -sha256)], RS384 => [qw(dgst -sha384)],
        RS512 => [qw(dgst -sha512)],
        (map { ("PS$_" => ['dgst', "-sha$_", qw(-sigopt rsa_padding_mode:pss
            -sigopt rsa_pss_saltlen:digest)]) } 256, 384, 512),
        ES256 => [qw(dgst -sha256)], ES384 => [qw(dgst -sha384)],
        ES512 => [qw(dgst -sha512)],
    );

    if ($alg =~ /^Ed/) {
        openssl(qw(pkeyutl -sign -rawin -inkey), "$dir/$key.pem", '-in',
            "$dir/text", '-out', "$dir/sig");
    } else {
        openssl(@{$options{$alg}}, '-sign', "$dir/$key.pem", '-out',
            "$dir/sig", "$dir/text");
    }

    my $sig = slurp("$dir/sig");
    return $alg =~ /^ES/ ? der_to_raw($sig, $coordinate{$key}) : $sig;
}

my $claims = '{"iss":"i","sub":"s"}';

sub head { return encode_base64url($json->encode({ @_ })) }

sub token {
    my ($alg, $key, %opt) = @_;

    my $text = ($opt{head} // head(alg => $opt{alg} // $alg, kid => $opt{kid}
        // $key, %{$opt{more} || {}}))
        . '.' . encode_base64url($opt{claims} // $claims);

    return "$text." . encode_base64url(sign($alg, $key, $text));
}

# --- cases: [what, set of keys, token, answer] ---

my @cases;
my $all = jwks(map { jwk($_) } qw(rsa rsa2 rsa_large p256 p384 p521 ed));
my %keys = (RS256 => 'rsa', RS384 => 'rsa', RS512 => 'rsa2', PS256 => 'rsa',
    PS384 => 'rsa2', PS512 => 'rsa_large', ES256 => 'p256', ES384 => 'p384', ES512 => 'p521',
    EdDSA => 'ed', Ed25519 => 'ed');

for my $alg (sort keys %keys) {
    my $token = token($alg, $keys{$alg});
    push @cases, ["$alg by its key", $all, $token, qr/^ok \Q$alg $claims\E$/];

    my ($h, $p, $s) = split /\./, $token;
    my $other = encode_base64url($claims =~ s/"s"/"t"/r);
    push @cases, ["$alg, other claims", $all, "$h.$other.$s", qr/^4 /];
    push @cases, ["$alg, no signature", $all, "$h.$p.", qr/^4 /];
    push @cases, ["$alg, half a signature", $all,
        "$h.$p." . substr($s, 0, 40), qr/^4 /];
}

my $rs = token('RS256', 'rsa');
my ($h, $p, $s) = split /\./, $rs;
my $pem = slurp("$dir/rsa.pub");

push @cases,
    # made up
    ['alg none', $all, head(alg => 'none', kid => 'rsa') . ".$p.", qr/^2 .*"none"/],
    ['alg None', $all, head(alg => 'None') . ".$p.", qr/^2 /],
    ['alg none with a signature', $all, head(alg => 'none') . ".$p.$s", qr/^2 /],
    ['no alg', $all, head(kid => 'rsa') . ".$p.$s", qr/^2 /],
    ['alg is no string', $all, head(alg => ['RS256']) . ".$p.$s", qr/^2 /],
    ['alg HS256', $all, do {
        my $t = head(alg => 'HS256', kid => 'rsa') . ".$p";
        "$t." . encode_base64url(hmac_sha256($t, $pem));
    }, qr/^2 .*"HS256"/],
    ['alg HS256 with a secret among the keys', jwks({ kty => 'oct',
        kid => 'rsa', k => encode_base64url($pem) }), do {
        my $t = head(alg => 'HS256', kid => 'rsa') . ".$p";
        "$t." . encode_base64url(hmac_sha256($t, $pem));
    }, qr/^2 /],
    ['alg RS256, signed as HS256 with the public key', $all, do {
        my $t = "$h.$p";
        "$t." . encode_base64url(hmac_sha256($t, $pem));
    }, qr/^4 /],
    ['alg ES256K', $all, token('ES256', 'p256', alg => 'ES256K'), qr/^2 /],
    ['alg Ed448', $all, token('EdDSA', 'ed', alg => 'Ed448'), qr/^2 /],
    ['salt of another length', $all, do {
        my $t = head(alg => 'PS256', kid => 'rsa') . ".$p";
        spew("$dir/text", $t);
        openssl(qw(dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20 -sign),
            "$dir/rsa.pem", '-out', "$dir/sig", "$dir/text");
        "$t." . encode_base64url(slurp("$dir/sig"));
    }, qr/^4 /],
    ['alg RS1', $all, token('RS256', 'rsa', alg => 'RS1'), qr/^2 /],

    # keys
    ['unknown kid', $all, token('RS256', 'rsa', kid => 'k9'),
        qr/^3 the provider has no key "k9" for RS256$/],
    ['another key of that kid', jwks(jwk('rsa2', kid => 'rsa')), $rs, qr/^4 /],
    ['no kid, one key fits', jwks(jwk('rsa'), jwk('p256')),
        token('RS256', 'rsa', head => head(alg => 'RS256')), qr/^ok /],
    ['no kid, two keys fit', $all,
        token('RS256', 'rsa', head => head(alg => 'RS256')),
        qr/^3 .*more than one/],
    ['the same kid twice', jwks(jwk('rsa'), jwk('rsa2', kid => 'rsa')), $rs,
        qr/^3 .*more than one/],
    ['the same key twice', jwks(jwk('rsa'), jwk('rsa'), jwk('p256')), $rs, qr/^ok /],
    ['the same key twice, without a kid', jwks(jwk('rsa'), jwk('rsa', kid => 'k2')),
        token('RS256', 'rsa', head => head(alg => 'RS256')), qr/^ok /],
    ['keys without a kid', jwks(jwk('rsa', kid => undef), jwk('p256', kid => undef)), $rs, qr/^ok /],
    ['keys without a kid, two fit', jwks(jwk('rsa', kid => undef), jwk('rsa2', kid => undef)), $rs,
        qr/^3 .*more than one/],
    ['a key without a kid beside the one', jwks(jwk('rsa2', kid => undef), jwk('rsa')), $rs, qr/^ok /],
    ['another key without a kid', jwks(jwk('rsa2', kid => undef)), $rs, qr/^4 /],
    ['the same kid, of another kind', jwks(jwk('rsa'),
        jwk('p256', kid => 'rsa')), $rs, qr/^ok /],
    ['kid is no string', $all, token('RS256', 'rsa',
        head => head(alg => 'RS256', kid => 7)), qr/^1 /],
    ['RSA key named for ES256', $all, token('ES256', 'p256', kid => 'rsa'),
        qr/^3 /],
    ['wrong curve', jwks(jwk('p384', kid => 'p256')),
        token('ES256', 'p256'), qr/^3 /],
    ['curve that lies', jwks({ %{jwk('p384')}, kid => 'p256', crv => 'P-256' }),
        token('ES256', 'p256'), qr/^3 .*none for ES256/],
    ['point off the curve', jwks(jwk('p256', y => encode_base64url("\x01" x 32))),
        token('ES256', 'p256'), qr/^3 .*none for ES256/],
    ['key for encryption', jwks(jwk('rsa', use => 'enc')), $rs, qr/^3 /],
    ['key_ops without verify', jwks(jwk('rsa', use => undef,
        key_ops => ['encrypt'])), $rs, qr/^3 /],
    ['key_ops with verify', jwks(jwk('rsa', use => undef,
        key_ops => ['verify'])), $rs, qr/^ok /],
    ['key for another algorithm', jwks(jwk('rsa', alg => 'PS256')), $rs,
        qr/^3 /],
    ['RSA of 1024 bits', jwks(jwk('small')), token('RS256', 'small'),
        qr/^3 .*none for RS256/],
    ['exponent of 1', jwks(jwk('rsa', e => 'AQ')), $rs, qr/^3 /],
    ['even exponent', jwks(jwk('rsa', e => 'Ag')), $rs, qr/^3 /],
    ['endless exponent', jwks(jwk('rsa', e => 'A' x 4000)), $rs, qr/^3 /],
    ['endless modulus', jwks(jwk('rsa', n => 'A' x 40000)), $rs, qr/^3 /],
    ['modulus with padding', jwks(jwk('rsa', n => jwk('rsa')->{n} . '==')),
        $rs, qr/^3 /],
    ['no keys', '{"keys":[]}', $rs, qr/^3 .*no key/],
    ['keys is no array', '{"keys":{}}', $rs, qr/^3 .*no set/],
    ['keys are no JSON', 'garbage', $rs, qr/^3 .*no set/],
    ['keys are numbers', '{"keys":[1,null,"x",[]]}', $rs, qr/^3 .*no key/],
    ['too many keys', jwks(map { jwk('rsa', kid => "k$_") } 1 .. 65), $rs,
        qr/^3 .*no set/],
    ['too large a set', jwks(jwk('rsa', x => 'A' x 140000)), $rs,
        qr/^3 .*no set/],

    # the text
    ['padding', $all, "$h.$p.$s==", qr/^4 /],
    ['padded header', $all, "$h=.$p.$s", qr/^1 /],
    ['a line break', $all, "$h.$p\t.$s", qr/^[14] /],
    ['the other alphabet', $all, token('RS256', 'rsa',
        head => head(alg => 'RS256', kid => 'rsa', x => "\xff\xfe" x 3)
            =~ tr{-_}{+/}r), qr/^1 /],
    ['one part', $all, 'abc', qr/^1 /],
    ['two parts', $all, "$h.$p", qr/^1 /],
    ['four parts', $all, "$rs.x", qr/^1 /],
    ['five parts', $all, "$h.$p.$s.x.y", qr/^1 /],
    ['nothing', $all, '', qr/^1 /],
    ['dots', $all, '..', qr/^1 /],
    ['alg twice', $all, token('RS256', 'rsa', head => encode_base64url(
        '{"alg":"none","alg":"RS256","kid":"rsa"}')), qr/^1 /],
    ['a claim twice', $all, token('RS256', 'rsa',
        claims => '{"sub":"a","sub":"b"}'), qr/^1 /],
    ['claims are an array', $all, token('RS256', 'rsa', claims => '[]'), qr/^1 /],
    ['claims are no JSON', $all, token('RS256', 'rsa', claims => 'x'), qr/^1 /],
    ['claims have a NUL', $all, token('RS256', 'rsa',
        claims => '{"sub":"a\u0000b"}'), qr/^1 /],
    ['crit', $all, token('RS256', 'rsa', more => { crit => ['exp'] }), qr/^1 /],
    ['typ JWT', $all, token('RS256', 'rsa', more => { typ => 'JWT' }), qr/^ok /],
    ['typ of another kind', $all, token('RS256', 'rsa',
        more => { typ => 'logout+jwt' }), qr/^1 /],
    ['deep header', $all, encode_base64url('[' x 9000) . ".$p.$s", qr/^1 /],
    ['huge token', $all, token('RS256', 'rsa',
        claims => '{"x":"' . 'a' x 16000 . '"}'), qr/^1 /],
    ['large token', $all, token('RS256', 'rsa',
        claims => '{"x":"' . 'a' x 8000 . '"}'), qr/^ok /],
    ['ES256 signature in DER', $all, do {
        my $t = head(alg => 'ES256', kid => 'p256') . ".$p";
        sign('ES256', 'p256', $t);
        "$t." . encode_base64url(slurp("$dir/sig"));
    }, qr/^4 /],
    ['ES256 signature of zeros', $all, head(alg => 'ES256', kid => 'p256')
        . ".$p." . encode_base64url("\0" x 64), qr/^4 /];

# the last character's stray bits: another text of the same value
{
    my @chars = ('A' .. 'Z', 'a' .. 'z', 0 .. 9, '-', '_');
    my %value = map { $chars[$_] => $_ } 0 .. 63;
    my $last = $value{substr $s, -1};
    push @cases, ['stray bits', $all,
        "$h.$p." . substr($s, 0, -1) . $chars[$last ^ 1], qr/^4 /];
}

# --- run ---

my $input = join '', map { "$_->[1]\n$_->[2]\n" } @cases;
my $half = encode_base64url(substr sha256('token'), 0, 16);
my $half512 = encode_base64url(substr sha512('token'), 0, 32);
$input .= "half RS256 token $half\nhalf EdDSA token $half512\n"
    . "half RS256 other $half\nhalf RS384 token $half\n";

my %variants = variants();

for my $variant (sort keys %variants) {
    my $exe = build('jwt', $variant, ['login/aiobs_jwt.c', 'login/aiobs_jwk.c'],
        '-ljansson', '-lcrypto');

    my @out = split /\n/, run_ok($exe, $input, "$variant: runs to its end");

    for my $case (@cases) {
        like(shift @out // '', $case->[3], "$variant: $case->[0]");
    }

    is("@out", '1 1 0 0', "$variant: half a hash");
}

done_testing();
