
/*
 * Copyright (C) the aiobs authors
 *
 * OpenID Connect, the side of the relying party: discovery, authorization
 * code flow with PKCE, ID token, userinfo.  Plain C over the net room,
 * jansson and OpenSSL.  What calls the provider blocks its thread.
 *
 *   OpenID Connect Core 1.0 and Discovery 1.0; RFC 6749, 7636 (PKCE),
 *   9207 (iss of the answer), 9700 (security practice)
 */


#ifndef _AIOBS_OIDC_H_INCLUDED_
#define _AIOBS_OIDC_H_INCLUDED_


#include "aiobs_jwt.h"
#include "../net/aiobs_http.h"

#include <stdint.h>


#define AIOBS_OIDC_URL_MAX      1024    /* bytes, of the provider's URLs */
#define AIOBS_OIDC_CODE_MAX     7168    /* Azure AD B2C: more than 4096 */
#define AIOBS_OIDC_SUB_MAX      128     /* a key's user; the standard: 255 */
#define AIOBS_OIDC_EMAIL_MAX    128
#define AIOBS_OIDC_ERROR_MAX    256
#define AIOBS_OIDC_SKEW         120     /* seconds that clocks may differ */

#define AIOBS_OIDC_RANDOM       16      /* bytes behind one login */
#define AIOBS_OIDC_TICKET       24      /* these and the time it began */
#define AIOBS_OIDC_COOKIE_LEN   75      /* with 32 of HMAC, in base64url */
#define AIOBS_OIDC_SECRET_LEN   43      /* 32 bytes in base64url */


/* how a login ends */

typedef enum {
    AIOBS_LOGIN_OK = 0,
    AIOBS_LOGIN_REQUEST,        /* the callback lacks what it needs */
    AIOBS_LOGIN_COOKIE,         /* another browser began it, or none */
    AIOBS_LOGIN_STATE,
    AIOBS_LOGIN_EXPIRED,
    AIOBS_LOGIN_REPLAY,
    AIOBS_LOGIN_ISSUER,         /* the answer of another provider */
    AIOBS_LOGIN_DENIED,         /* by the person, or by the provider */
    AIOBS_LOGIN_CODE,           /* the provider does not take it */
    AIOBS_LOGIN_CLIENT,         /* the provider does not know us */
    AIOBS_LOGIN_PROVIDER,       /* no answer, or none that makes sense */
    AIOBS_LOGIN_TOKEN,          /* the ID token is wrong */
    AIOBS_LOGIN_EMAIL,          /* none, or not verified */
    AIOBS_LOGIN_NOT_ALLOWED,
    AIOBS_LOGIN_STORE,          /* the key cannot be saved */
    AIOBS_LOGIN_BUSY,
    AIOBS_LOGIN_LEFT,           /* the browser, before there was a key */
    AIOBS_LOGIN_FAILED,         /* out of memory */
    AIOBS_LOGIN_N
} aiobs_login_e;


typedef enum {
    AIOBS_OIDC_AUTH_AUTO = 0,   /* by what the provider says it takes */
    AIOBS_OIDC_AUTH_BASIC,
    AIOBS_OIDC_AUTH_POST
} aiobs_oidc_auth_e;


/* of the configuration, never written to; lists end in NULL */

typedef struct {
    const char          *issuer;
    const char          *client_id;
    const char          *client_secret;
    const char          *redirect_uri;
    const char          *scopes;        /* parted by spaces */
    const char          *ca_file;       /* NULL: the system's */
    const char *const   *domains;       /* in lower case */
    const char *const   *emails;        /* in lower case */
    unsigned             anyone:1;      /* with a verified e-mail address */
    unsigned             hosted:1;      /* Google: hd says whose domain it is */
    unsigned             edov:1;        /* Entra ID: instead of email_verified */
    aiobs_oidc_auth_e    auth;
    long                 timeout;       /* of one request, milliseconds */
    int                (*give_up)(void *data);  /* see aiobs_http.h */
} aiobs_oidc_conf_t;


/* what a provider says of itself; not changed once it is made */

typedef struct {
    char      authorization_endpoint[AIOBS_OIDC_URL_MAX];
    char      token_endpoint[AIOBS_OIDC_URL_MAX];
    char      userinfo_endpoint[AIOBS_OIDC_URL_MAX];    /* may be empty */
    unsigned  iss:1;                    /* its answers have iss, RFC 9207 */
    unsigned  post:1;                   /* wants client_secret_post */
    char     *jwks;
    size_t    jwks_len;
} aiobs_oidc_metadata_t;


/* an answer of the provider to be turned into a person */

typedef struct {
    char                    code[AIOBS_OIDC_CODE_MAX + 1];
    char                    verifier[AIOBS_OIDC_SECRET_LEN + 1];
    char                    nonce[AIOBS_OIDC_SECRET_LEN + 1];
    int64_t                 began;      /* Unix time */
    int64_t                 now;

    char                    sub[AIOBS_OIDC_SUB_MAX + 1];
    char                    email[AIOBS_OIDC_EMAIL_MAX + 1];    /* lower case */
    char                    error[AIOBS_OIDC_ERROR_MAX];
    int                     refetched;  /* its keys were asked for again */
} aiobs_oidc_login_t;


/* --- aiobs_oidc_metadata.c --- */

/*
 * Asks for the provider's metadata and keys.  AIOBS_LOGIN_OK: *metadata is to
 * be freed with aiobs_oidc_metadata_free().  Errors are put into error, of
 * AIOBS_OIDC_ERROR_MAX bytes, here and below; they hold no secret.
 */
aiobs_login_e aiobs_oidc_discover(aiobs_http_t *http,
    const aiobs_oidc_conf_t *conf, aiobs_oidc_metadata_t **metadata,
    char *error);
void aiobs_oidc_metadata_free(aiobs_oidc_metadata_t *metadata);


/* --- aiobs_oidc.c --- */

/*
 * Turns login->code into login->sub and login->email: token request, ID token,
 * userinfo if that has no e-mail address, and who is let in.  When the token
 * is signed by a key that metadata does not have and fresh is not NULL,
 * metadata is asked for again, once, and left in *fresh.
 */
aiobs_login_e aiobs_oidc_login(aiobs_http_t *http,
    const aiobs_oidc_conf_t *conf, const aiobs_oidc_metadata_t *metadata,
    aiobs_oidc_login_t *login, aiobs_oidc_metadata_t **fresh);


/* --- aiobs_oidc_claims.c: what a token says --- */

/* iss, aud, azp, exp, iat, nbf, nonce, sub; sets login->sub */
aiobs_login_e aiobs_oidc_claims(const aiobs_oidc_conf_t *conf, json_t *claims,
    aiobs_oidc_login_t *login);

/*
 * Whether claims leave open what the address is, or whether it is verified:
 * userinfo may know.
 */
int aiobs_oidc_says_little(const aiobs_oidc_conf_t *conf, json_t *claims);

/* hd of the ID token counts with what userinfo says; -1: out of memory */
int aiobs_oidc_keep_hosted(json_t *info, json_t *claims);

/*
 * Whether the person of these claims (of the ID token, or of userinfo) is let
 * in; sets login->email.
 */
aiobs_login_e aiobs_oidc_person(const aiobs_oidc_conf_t *conf, json_t *claims,
    aiobs_oidc_login_t *login);


/* --- aiobs_oidc_ticket.c: one login, bound to one browser --- */

/*
 * The cookie is a ticket (random bytes and the time it began) under HMAC-SHA256
 * with the gateway's secret and the provider's name.  State, nonce and PKCE
 * verifier are derived from the ticket by the same secret, so that nothing
 * else is kept.  random: AIOBS_OIDC_RANDOM bytes.  0: done; -1: OpenSSL failed.
 */
typedef struct {
    const unsigned char  *secret;
    size_t                secret_len;
    const char           *provider;
    unsigned char         ticket[AIOBS_OIDC_TICKET];
} aiobs_oidc_ticket_t;

/* cookie: AIOBS_OIDC_COOKIE_LEN + 1 bytes; sets t->ticket */
int aiobs_oidc_seal(aiobs_oidc_ticket_t *t, const unsigned char *random,
    int64_t now, char *cookie);

/* sets t->ticket and *began; -1: it is no cookie of ours */
int aiobs_oidc_unseal(aiobs_oidc_ticket_t *t, const char *cookie, size_t len,
    int64_t *began);

/* what: "state", "nonce", "verifier"; text: AIOBS_OIDC_SECRET_LEN + 1 bytes */
int aiobs_oidc_derive(const aiobs_oidc_ticket_t *t, const char *what,
    char *text);

/* S256; challenge: AIOBS_OIDC_SECRET_LEN + 1 bytes */
int aiobs_oidc_challenge(const char *verifier, char *challenge);


/* --- aiobs_oidc_url.c --- */

/* text being put together; what does not fit sets "full" */

typedef struct {
    char  *p;
    char  *last;                        /* of the NUL at its end */
    int    full;
} aiobs_oidc_text_t;

void aiobs_oidc_text(aiobs_oidc_text_t *t, char *buf, size_t size);
void aiobs_oidc_put(aiobs_oidc_text_t *t, const char *s);
void aiobs_oidc_escape(aiobs_oidc_text_t *t, const char *s);    /* RFC 3986 */

/* "name=value" in application/x-www-form-urlencoded, with "&" unless first */
void aiobs_oidc_pair(aiobs_oidc_text_t *t, int first, const char *name,
    const char *value);

/*
 * NULL: a URL fit to be asked: https, or http to this machine where local is
 * allowed; no fragment, no user, no control characters.  Else what is wrong.
 */
const char *aiobs_oidc_url_error(const char *url, int local);


#endif /* _AIOBS_OIDC_H_INCLUDED_ */
