
/*
 * Copyright (C) the aiobs authors
 *
 * JSON Web Tokens, verified: RFC 7515 (JWS), 7517 (JWK), 7518 (algorithms),
 * 8037 and 9864 (Ed25519), 8725 (what goes wrong).  Compact form only.  Plain C
 * over jansson and OpenSSL; no state, fit for any thread.
 */


#ifndef _AIOBS_JWT_H_INCLUDED_
#define _AIOBS_JWT_H_INCLUDED_


#include <jansson.h>
#include <openssl/evp.h>

#include <stddef.h>
#include <sys/types.h>


#define AIOBS_JWT_MAX         16384     /* bytes of a token */
#define AIOBS_JWKS_MAX        131072    /* bytes of a set of keys */
#define AIOBS_JWKS_KEYS_MAX   64

#define AIOBS_JWT_OK          0
#define AIOBS_JWT_MALFORMED   1
#define AIOBS_JWT_ALGORITHM   2         /* not one that is accepted */
#define AIOBS_JWT_KEY         3         /* none fits, or more than one */
#define AIOBS_JWT_SIGNATURE   4         /* made by another key */
#define AIOBS_JWT_FAILED      5         /* out of memory */


/* an algorithm that is accepted: signatures by asymmetric keys only */

typedef struct {
    const char   *name;                 /* "alg" */
    const char   *kty;
    const char   *crv;                  /* NULL: RSA */
    const char   *group;                /* the curve's name in OpenSSL */
    const char   *digest;               /* NULL: the signature brings its own */
    const char   *half;                 /* digest of at_hash */
    size_t        coordinate;           /* bytes; of EC and Ed25519 keys */
    int           pss;
} aiobs_jwt_alg_t;


typedef struct {
    const aiobs_jwt_alg_t  *alg;
    json_t                 *claims;     /* an object; json_decref() it */
} aiobs_jwt_t;


/*
 * Verifies the signature by the one key of the set that the token's header
 * names; says nothing of the claims.  jwks: JSON text of a set of keys.
 * Returns one of the codes above; unless it is AIOBS_JWT_OK jwt is empty and
 * error (size bytes) has a text that holds nothing of the token but its "alg"
 * and "kid".
 */
int aiobs_jwt_verify(const char *token, size_t len, const char *jwks,
    size_t jwks_len, aiobs_jwt_t *jwt, char *error, size_t size);

/*
 * Whether hash is that of text as at_hash has it: left half of the digest
 * that goes with the token's algorithm, in base64url (OpenID Connect Core,
 * 3.1.3.6).
 */
int aiobs_jwt_half_hash(const aiobs_jwt_alg_t *alg, const char *text,
    const char *hash);

/*
 * Unpadded base64url (RFC 7515, section 2); one text for one value: padding,
 * other characters and stray bits are refused.  out: len * 3 / 4 bytes.
 * Bytes of out; -1: malformed.
 */
ssize_t aiobs_base64url_decode(const char *text, size_t len,
    unsigned char *out);

/* text: (len * 4 + 2) / 3 + 1 bytes, terminated; returns its length */
size_t aiobs_base64url_encode(const unsigned char *p, size_t len, char *text);


/* --- aiobs_jwk.c --- */

/* NULL: not accepted */
const aiobs_jwt_alg_t *aiobs_jwt_alg(const char *name);

/*
 * The public key for signatures by alg, and by kid unless it is NULL.
 * AIOBS_JWT_OK: *key is to be freed with EVP_PKEY_free().
 */
int aiobs_jwk_find(json_t *jwks, const aiobs_jwt_alg_t *alg, const char *kid,
    EVP_PKEY **key, char *error, size_t size);


#endif /* _AIOBS_JWT_H_INCLUDED_ */
