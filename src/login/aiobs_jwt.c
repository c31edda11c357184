
/*
 * Copyright (C) the aiobs authors
 *
 * A token in compact form: taken apart, its signature verified.
 */


#include "aiobs_jwt.h"

#include <openssl/ecdsa.h>
#include <openssl/rsa.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>


#define AIOBS_JWT_SIGNATURE_MAX  1024   /* bytes: RSA keys of 8192 bits */
#define AIOBS_JWT_DER_MAX        144    /* two numbers of 521 bits */


/* the three parts, in base64url */

typedef struct {
    const char    *header;
    size_t         header_len;
    const char    *payload;
    size_t         payload_len;
    const char    *signature;
    size_t         signature_len;
} aiobs_jwt_parts_t;


static int aiobs_jwt_split(const char *token, size_t len,
    aiobs_jwt_parts_t *parts);
static json_t *aiobs_jwt_object(const char *text, size_t len);
static int aiobs_jwt_header(json_t *header, const aiobs_jwt_alg_t **alg,
    const char **kid, char *error, size_t size);
static int aiobs_jwt_check(const aiobs_jwt_alg_t *alg, EVP_PKEY *key,
    const aiobs_jwt_parts_t *parts);
static int aiobs_jwt_der(const aiobs_jwt_alg_t *alg, const unsigned char *p,
    size_t len, unsigned char *der);
static int aiobs_jwt_digest_verify(const aiobs_jwt_alg_t *alg, EVP_PKEY *key,
    const unsigned char *signature, size_t signature_len, const char *text,
    size_t len);
static int aiobs_base64url_value(int c);


int
aiobs_jwt_verify(const char *token, size_t len, const char *jwks,
    size_t jwks_len, aiobs_jwt_t *jwt, char *error, size_t size)
{
    int                 rc;
    json_t             *header, *keys;
    EVP_PKEY           *key;
    const char         *kid;
    aiobs_jwt_parts_t   parts;

    memset(jwt, 0, sizeof(aiobs_jwt_t));

    if (aiobs_jwt_split(token, len, &parts) != AIOBS_JWT_OK) {
        snprintf(error, size, "it is no token of three parts");
        return AIOBS_JWT_MALFORMED;
    }

    header = aiobs_jwt_object(parts.header, parts.header_len);
    if (header == NULL) {
        snprintf(error, size, "its header is no JSON object in base64url");
        return AIOBS_JWT_MALFORMED;
    }

    key = NULL;
    rc = aiobs_jwt_header(header, &jwt->alg, &kid, error, size);

    if (rc == AIOBS_JWT_OK) {
        keys = jwks_len > AIOBS_JWKS_MAX
               ? NULL : json_loadb(jwks, jwks_len, 0, NULL);
        rc = aiobs_jwk_find(keys, jwt->alg, kid, &key, error, size);
        json_decref(keys);
    }

    if (rc == AIOBS_JWT_OK) {
        rc = aiobs_jwt_check(jwt->alg, key, &parts);

        if (rc != AIOBS_JWT_OK) {
            snprintf(error, size, "its %s signature is wrong", jwt->alg->name);
        }
    }

    if (rc == AIOBS_JWT_OK) {
        jwt->claims = aiobs_jwt_object(parts.payload, parts.payload_len);

        if (jwt->claims == NULL) {
            snprintf(error, size, "its claims are no JSON object in base64url");
            rc = AIOBS_JWT_MALFORMED;
        }
    }

    EVP_PKEY_free(key);
    json_decref(header);

    return rc;
}


static int
aiobs_jwt_split(const char *token, size_t len, aiobs_jwt_parts_t *parts)
{
    const char  *dot, *end;

    if (len > AIOBS_JWT_MAX) {
        return AIOBS_JWT_MALFORMED;
    }

    end = token + len;

    dot = memchr(token, '.', len);
    if (dot == NULL) {
        return AIOBS_JWT_MALFORMED;
    }

    parts->header = token;
    parts->header_len = dot - token;
    parts->payload = dot + 1;

    dot = memchr(parts->payload, '.', end - parts->payload);
    if (dot == NULL) {
        return AIOBS_JWT_MALFORMED;
    }

    parts->payload_len = dot - parts->payload;
    parts->signature = dot + 1;
    parts->signature_len = end - parts->signature;

    return memchr(parts->signature, '.', parts->signature_len) == NULL
           ? AIOBS_JWT_OK : AIOBS_JWT_MALFORMED;
}


/* what names a member twice means one thing here and another elsewhere */

static json_t *
aiobs_jwt_object(const char *text, size_t len)
{
    json_t         *json;
    ssize_t         n;
    unsigned char   plain[AIOBS_JWT_MAX * 3 / 4];

    n = aiobs_base64url_decode(text, len, plain);
    if (n < 0) {
        return NULL;
    }

    json = json_loadb((char *) plain, n, JSON_REJECT_DUPLICATES, NULL);

    if (json && !json_is_object(json)) {
        json_decref(json);
        return NULL;
    }

    return json;
}


static int
aiobs_jwt_header(json_t *header, const aiobs_jwt_alg_t **alg, const char **kid,
    char *error, size_t size)
{
    json_t      *value;
    const char  *name, *typ;

    value = json_object_get(header, "kid");

    if ((value && !json_is_string(value)) || json_object_get(header, "crit")) {
        snprintf(error, size, "its header asks for what is not understood");
        return AIOBS_JWT_MALFORMED;
    }

    *kid = json_string_value(value);
    value = json_object_get(header, "typ");
    typ = json_string_value(value);

    if (value && (typ == NULL || strcasecmp(typ, "JWT") != 0)) {
        snprintf(error, size, "its type is not JWT");
        return AIOBS_JWT_MALFORMED;
    }

    name = json_string_value(json_object_get(header, "alg"));
    *alg = name ? aiobs_jwt_alg(name) : NULL;

    if (*alg == NULL) {
        snprintf(error, size, "its algorithm \"%.16s\" is not accepted",
                 name ? name : "");
        return AIOBS_JWT_ALGORITHM;
    }

    return AIOBS_JWT_OK;
}


static int
aiobs_jwt_check(const aiobs_jwt_alg_t *alg, EVP_PKEY *key,
    const aiobs_jwt_parts_t *parts)
{
    int             n;
    ssize_t         len;
    unsigned char  *p, der[AIOBS_JWT_DER_MAX];
    unsigned char   signature[AIOBS_JWT_SIGNATURE_MAX];

    if (parts->signature_len * 3 / 4 > sizeof(signature)
        || (len = aiobs_base64url_decode(parts->signature,
                                         parts->signature_len, signature))
           <= 0)
    {
        return AIOBS_JWT_SIGNATURE;
    }

    p = signature;

    if (alg->group) {
        n = aiobs_jwt_der(alg, signature, len, der);

        if (n <= 0) {
            return AIOBS_JWT_SIGNATURE;
        }

        p = der;
        len = n;
    }

    return aiobs_jwt_digest_verify(alg, key, p, len, parts->header,
                                   parts->header_len + 1 + parts->payload_len);
}


/* two numbers of fixed length, as OpenSSL wants them; -1: they are not */

static int
aiobs_jwt_der(const aiobs_jwt_alg_t *alg, const unsigned char *p, size_t len,
    unsigned char *der)
{
    int         n;
    BIGNUM     *r, *s;
    ECDSA_SIG  *sig;

    if (len != 2 * alg->coordinate) {
        return -1;
    }

    sig = ECDSA_SIG_new();
    r = BN_bin2bn(p, alg->coordinate, NULL);
    s = BN_bin2bn(p + alg->coordinate, alg->coordinate, NULL);

    if (sig == NULL || r == NULL || s == NULL
        || ECDSA_SIG_set0(sig, r, s) != 1)
    {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(sig);
        return -1;
    }

    n = i2d_ECDSA_SIG(sig, NULL);
    n = n <= AIOBS_JWT_DER_MAX ? i2d_ECDSA_SIG(sig, &der) : -1;

    ECDSA_SIG_free(sig);

    return n;
}


static int
aiobs_jwt_digest_verify(const aiobs_jwt_alg_t *alg, EVP_PKEY *key,
    const unsigned char *signature, size_t signature_len, const char *text,
    size_t len)
{
    int            ok;
    EVP_MD_CTX    *ctx;
    EVP_PKEY_CTX  *pctx;

    ctx = EVP_MD_CTX_new();
    if (ctx == NULL) {
        return AIOBS_JWT_FAILED;
    }

    ok = EVP_DigestVerifyInit_ex(ctx, &pctx, alg->digest, NULL, NULL, key,
                                 NULL)
         == 1;

    if (ok && alg->pss) {
        ok = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) > 0
             && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST)
                > 0;
    }

    ok = ok && EVP_DigestVerify(ctx, signature, signature_len,
                                (const unsigned char *) text, len)
               == 1;

    EVP_MD_CTX_free(ctx);

    return ok ? AIOBS_JWT_OK : AIOBS_JWT_SIGNATURE;
}


int
aiobs_jwt_half_hash(const aiobs_jwt_alg_t *alg, const char *text,
    const char *hash)
{
    char           half[EVP_MAX_MD_SIZE];
    size_t         len;
    unsigned char  md[EVP_MAX_MD_SIZE];

    if (EVP_Q_digest(NULL, alg->half, NULL, text, strlen(text), md, &len)
        != 1)
    {
        return 0;
    }

    aiobs_base64url_encode(md, len / 2, half);

    return strcmp(half, hash) == 0;
}


ssize_t
aiobs_base64url_decode(const char *text, size_t len, unsigned char *out)
{
    int             value;
    size_t          i;
    unsigned        bits, n;
    unsigned char  *p;

    p = out;
    bits = 0;
    n = 0;

    for (i = 0; i < len; i++) {
        value = aiobs_base64url_value((unsigned char) text[i]);

        if (value < 0) {
            return -1;
        }

        bits = (bits << 6 | value) & 0xffff;
        n += 6;

        if (n >= 8) {
            n -= 8;
            *p++ = bits >> n & 0xff;
        }
    }

    if (len % 4 == 1 || (bits & ((1u << n) - 1))) {
        return -1;
    }

    return p - out;
}


static int
aiobs_base64url_value(int c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }

    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }

    return c == '-' ? 62 : c == '_' ? 63 : -1;
}


size_t
aiobs_base64url_encode(const unsigned char *p, size_t len, char *text)
{
    char      *t;
    size_t     i;
    unsigned   bits, n;

    static const char  chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";

    t = text;
    bits = 0;
    n = 0;

    for (i = 0; i < len; i++) {
        bits = (bits << 8 | p[i]) & 0xffff;

        for (n += 8; n >= 6; n -= 6) {
            *t++ = chars[bits >> (n - 6) & 0x3f];
        }
    }

    if (n) {
        *t++ = chars[bits << (6 - n) & 0x3f];
    }

    *t = '\0';

    return t - text;
}
