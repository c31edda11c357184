
/*
 * Copyright (C) the aiobs authors
 *
 * Which algorithms are accepted, and the key of a set that fits one.
 */


#include "aiobs_jwt.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>

#include <stdio.h>
#include <string.h>


#define AIOBS_JWK_RSA_MIN      2048     /* bits */
#define AIOBS_JWK_RSA_MAX      8192
#define AIOBS_JWK_EXPONENT     4        /* bytes */
#define AIOBS_JWK_COORDINATE   66       /* the longest */


static size_t aiobs_jwk_choose(json_t *keys, const aiobs_jwt_alg_t *alg,
    const char *kid, int named, json_t **found);
static int aiobs_jwk_fits(json_t *jwk, const aiobs_jwt_alg_t *alg,
    const char *kid, int named);
static int aiobs_jwk_same(json_t *one, json_t *other);
static int aiobs_jwk_for_verifying(json_t *jwk);
static EVP_PKEY *aiobs_jwk_key(json_t *jwk, const aiobs_jwt_alg_t *alg);
static EVP_PKEY *aiobs_jwk_rsa(json_t *jwk);
static EVP_PKEY *aiobs_jwk_ec(json_t *jwk, const aiobs_jwt_alg_t *alg);
static EVP_PKEY *aiobs_jwk_ed25519(json_t *jwk, const aiobs_jwt_alg_t *alg);
static EVP_PKEY *aiobs_jwk_build(const char *type, OSSL_PARAM_BLD *build);
static ssize_t aiobs_jwk_bytes(json_t *jwk, const char *name,
    unsigned char *out, size_t max);
static int aiobs_jwk_is(json_t *jwk, const char *name, const char *value);


static const aiobs_jwt_alg_t  aiobs_jwt_algs[] = {
    { "RS256", "RSA", NULL, NULL, "SHA256", "SHA256", 0, 0 },
    { "RS384", "RSA", NULL, NULL, "SHA384", "SHA384", 0, 0 },
    { "RS512", "RSA", NULL, NULL, "SHA512", "SHA512", 0, 0 },
    { "PS256", "RSA", NULL, NULL, "SHA256", "SHA256", 0, 1 },
    { "PS384", "RSA", NULL, NULL, "SHA384", "SHA384", 0, 1 },
    { "PS512", "RSA", NULL, NULL, "SHA512", "SHA512", 0, 1 },
    { "ES256", "EC", "P-256", "P-256", "SHA256", "SHA256", 32, 0 },
    { "ES384", "EC", "P-384", "P-384", "SHA384", "SHA384", 48, 0 },
    { "ES512", "EC", "P-521", "P-521", "SHA512", "SHA512", 66, 0 },
    { "EdDSA", "OKP", "Ed25519", NULL, NULL, "SHA512", 32, 0 },
    { "Ed25519", "OKP", "Ed25519", NULL, NULL, "SHA512", 32, 0 },
    { NULL, NULL, NULL, NULL, NULL, NULL, 0, 0 }
};


const aiobs_jwt_alg_t *
aiobs_jwt_alg(const char *name)
{
    const aiobs_jwt_alg_t  *alg;

    for (alg = aiobs_jwt_algs; alg->name; alg++) {
        if (strcmp(alg->name, name) == 0) {
            return alg;
        }
    }

    return NULL;
}


/*
 * A choice between several keys would be the sender's: it is an error.  Some
 * providers give tokens names of keys, but the keys none.
 */

int
aiobs_jwk_find(json_t *jwks, const aiobs_jwt_alg_t *alg, const char *kid,
    EVP_PKEY **key, char *error, size_t size)
{
    size_t   n;
    json_t  *keys, *found;

    keys = json_object_get(jwks, "keys");

    if (!json_is_array(keys) || json_array_size(keys) > AIOBS_JWKS_KEYS_MAX) {
        snprintf(error, size, "the provider's keys are no set of 1 to %d keys",
                 AIOBS_JWKS_KEYS_MAX);
        return AIOBS_JWT_KEY;
    }

    n = aiobs_jwk_choose(keys, alg, kid, 1, &found);

    if (n == 0 && kid) {
        n = aiobs_jwk_choose(keys, alg, kid, 0, &found);
    }

    if (n != 1) {
        snprintf(error, size, "the provider has %s key \"%.64s\" for %s",
                 n ? "more than one" : "no", kid ? kid : "", alg->name);
        return AIOBS_JWT_KEY;
    }

    *key = aiobs_jwk_key(found, alg);

    if (*key == NULL) {
        snprintf(error, size, "the provider's key \"%.64s\" is none for %s",
                 kid ? kid : "", alg->name);
        return AIOBS_JWT_KEY;
    }

    return AIOBS_JWT_OK;
}


/* how many there are; one that is listed twice is one */

static size_t
aiobs_jwk_choose(json_t *keys, const aiobs_jwt_alg_t *alg, const char *kid,
    int named, json_t **found)
{
    size_t   i, n;
    json_t  *jwk;

    n = 0;
    *found = NULL;

    json_array_foreach(keys, i, jwk) {
        if (aiobs_jwk_fits(jwk, alg, kid, named)
            && (n == 0 || !aiobs_jwk_same(jwk, *found)))
        {
            *found = jwk;
            n++;
        }
    }

    return n;
}


/* named: the key's own name is kid's, if there is one; else it has none */

static int
aiobs_jwk_fits(json_t *jwk, const aiobs_jwt_alg_t *alg, const char *kid,
    int named)
{
    json_t  *own;

    if (!aiobs_jwk_is(jwk, "kty", alg->kty)
        || (alg->crv && !aiobs_jwk_is(jwk, "crv", alg->crv)))
    {
        return 0;
    }

    own = json_object_get(jwk, "kid");

    if (named ? kid && !aiobs_jwk_is(jwk, "kid", kid)
              : own && !json_is_null(own))
    {
        return 0;
    }

    own = json_object_get(jwk, "alg");

    if (own && !aiobs_jwk_is(jwk, "alg", alg->name)) {
        return 0;
    }

    return aiobs_jwk_for_verifying(jwk);
}


/* of one kind: what it is made of is the same */

static int
aiobs_jwk_same(json_t *one, json_t *other)
{
    size_t   i;
    json_t  *a, *b;

    static const char *const  members[] = { "n", "e", "x", "y" };

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        a = json_object_get(one, members[i]);
        b = json_object_get(other, members[i]);

        if (a != b && !json_equal(a, b)) {
            return 0;
        }
    }

    return 1;
}


static int
aiobs_jwk_for_verifying(json_t *jwk)
{
    size_t   i;
    json_t  *ops, *op;

    if (json_object_get(jwk, "use") && !aiobs_jwk_is(jwk, "use", "sig")) {
        return 0;
    }

    ops = json_object_get(jwk, "key_ops");

    json_array_foreach(ops, i, op) {
        if (json_is_string(op)
            && strcmp(json_string_value(op), "verify") == 0)
        {
            return 1;
        }
    }

    return ops == NULL;
}


static EVP_PKEY *
aiobs_jwk_key(json_t *jwk, const aiobs_jwt_alg_t *alg)
{
    if (alg->crv == NULL) {
        return aiobs_jwk_rsa(jwk);
    }

    return alg->group ? aiobs_jwk_ec(jwk, alg) : aiobs_jwk_ed25519(jwk, alg);
}


static EVP_PKEY *
aiobs_jwk_rsa(json_t *jwk)
{
    int              bits;
    BIGNUM          *n, *e;
    ssize_t          n_len, e_len;
    EVP_PKEY        *key;
    unsigned char    n_bytes[AIOBS_JWK_RSA_MAX / 8];
    unsigned char    e_bytes[AIOBS_JWK_EXPONENT];
    OSSL_PARAM_BLD  *build;

    n_len = aiobs_jwk_bytes(jwk, "n", n_bytes, sizeof(n_bytes));
    e_len = aiobs_jwk_bytes(jwk, "e", e_bytes, sizeof(e_bytes));

    if (n_len <= 0 || e_len <= 0) {
        return NULL;
    }

    n = BN_bin2bn(n_bytes, n_len, NULL);
    e = BN_bin2bn(e_bytes, e_len, NULL);
    build = OSSL_PARAM_BLD_new();
    bits = n ? BN_num_bits(n) : 0;
    key = NULL;

    if (build && e && bits >= AIOBS_JWK_RSA_MIN && BN_is_odd(n)
        && BN_is_odd(e) && !BN_is_one(e)
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
    {
        key = aiobs_jwk_build("RSA", build);
    }

    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);

    return key;
}


static EVP_PKEY *
aiobs_jwk_ec(json_t *jwk, const aiobs_jwt_alg_t *alg)
{
    size_t           len;
    EVP_PKEY        *key;
    unsigned char    point[1 + 2 * AIOBS_JWK_COORDINATE];
    OSSL_PARAM_BLD  *build;

    len = alg->coordinate;
    point[0] = POINT_CONVERSION_UNCOMPRESSED;

    if (aiobs_jwk_bytes(jwk, "x", point + 1, len) != (ssize_t) len
        || aiobs_jwk_bytes(jwk, "y", point + 1 + len, len) != (ssize_t) len)
    {
        return NULL;
    }

    build = OSSL_PARAM_BLD_new();
    key = NULL;

    if (build
        && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
                                           alg->group, 0)
           == 1
        && OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY,
                                            point, 1 + 2 * len)
           == 1)
    {
        key = aiobs_jwk_build("EC", build);
    }

    OSSL_PARAM_BLD_free(build);

    return key;
}


static EVP_PKEY *
aiobs_jwk_ed25519(json_t *jwk, const aiobs_jwt_alg_t *alg)
{
    unsigned char  x[AIOBS_JWK_COORDINATE];

    if (aiobs_jwk_bytes(jwk, "x", x, alg->coordinate)
        != (ssize_t) alg->coordinate)
    {
        return NULL;
    }

    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x,
                                       alg->coordinate);
}


/* a point that is not on the curve is refused here */

static EVP_PKEY *
aiobs_jwk_build(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY      *key;
    OSSL_PARAM    *params;
    EVP_PKEY_CTX  *ctx, *check;

    key = NULL;
    params = OSSL_PARAM_BLD_to_param(build);
    ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

    if (params && ctx && EVP_PKEY_fromdata_init(ctx) == 1) {
        (void) EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
    }

    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);

    if (key == NULL) {
        return NULL;
    }

    check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

    if (check == NULL || EVP_PKEY_public_check_quick(check) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }

    EVP_PKEY_CTX_free(check);

    return key;
}


/* -1: not there, malformed, or longer than max */

static ssize_t
aiobs_jwk_bytes(json_t *jwk, const char *name, unsigned char *out, size_t max)
{
    size_t   len;
    json_t  *value;

    value = json_object_get(jwk, name);
    len = json_string_length(value);

    if (!json_is_string(value) || len * 3 / 4 > max) {
        return -1;
    }

    return aiobs_base64url_decode(json_string_value(value), len, out);
}


static int
aiobs_jwk_is(json_t *jwk, const char *name, const char *value)
{
    const char  *text;

    text = json_string_value(json_object_get(jwk, name));

    return text && strcmp(text, value) == 0;
}
