
/*
 * Copyright (C) the aiobs authors
 *
 * The cookie of a login under way, and the secrets derived from it.
 */


#include "aiobs_oidc.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <string.h>


#define AIOBS_OIDC_MAC  32


static int aiobs_oidc_mac(const aiobs_oidc_ticket_t *t, const char *what,
    unsigned char *mac);


int
aiobs_oidc_seal(aiobs_oidc_ticket_t *t, const unsigned char *random,
    int64_t now, char *cookie)
{
    int             i;
    unsigned char   sealed[AIOBS_OIDC_TICKET + AIOBS_OIDC_MAC];

    memcpy(t->ticket, random, AIOBS_OIDC_RANDOM);

    for (i = 0; i < 8; i++) {
        t->ticket[AIOBS_OIDC_RANDOM + i] = (uint64_t) now >> (56 - 8 * i);
    }

    memcpy(sealed, t->ticket, AIOBS_OIDC_TICKET);

    if (aiobs_oidc_mac(t, "cookie", sealed + AIOBS_OIDC_TICKET) != 0) {
        return -1;
    }

    aiobs_base64url_encode(sealed, sizeof(sealed), cookie);

    return 0;
}


int
aiobs_oidc_unseal(aiobs_oidc_ticket_t *t, const char *cookie, size_t len,
    int64_t *began)
{
    int             i;
    uint64_t        time;
    unsigned char   mac[AIOBS_OIDC_MAC];
    unsigned char   sealed[AIOBS_OIDC_TICKET + AIOBS_OIDC_MAC + 1];

    if (len != AIOBS_OIDC_COOKIE_LEN
        || aiobs_base64url_decode(cookie, len, sealed)
           != AIOBS_OIDC_TICKET + AIOBS_OIDC_MAC)
    {
        return -1;
    }

    memcpy(t->ticket, sealed, AIOBS_OIDC_TICKET);

    if (aiobs_oidc_mac(t, "cookie", mac) != 0
        || CRYPTO_memcmp(mac, sealed + AIOBS_OIDC_TICKET, AIOBS_OIDC_MAC) != 0)
    {
        return -1;
    }

    time = 0;

    for (i = 0; i < 8; i++) {
        time = time << 8 | t->ticket[AIOBS_OIDC_RANDOM + i];
    }

    *began = (int64_t) time;

    return 0;
}


int
aiobs_oidc_derive(const aiobs_oidc_ticket_t *t, const char *what, char *text)
{
    unsigned char  mac[AIOBS_OIDC_MAC];

    if (aiobs_oidc_mac(t, what, mac) != 0) {
        return -1;
    }

    aiobs_base64url_encode(mac, AIOBS_OIDC_MAC, text);
    OPENSSL_cleanse(mac, sizeof(mac));

    return 0;
}


/* of what, the provider's name and the ticket; the first two end in NUL */

static int
aiobs_oidc_mac(const aiobs_oidc_ticket_t *t, const char *what,
    unsigned char *mac)
{
    char            text[256];
    size_t          n, m;
    unsigned        len;

    n = strlen(what) + 1;
    m = strlen(t->provider) + 1;

    if (n + m + AIOBS_OIDC_TICKET > sizeof(text)) {
        return -1;
    }

    memcpy(text, what, n);
    memcpy(text + n, t->provider, m);
    memcpy(text + n + m, t->ticket, AIOBS_OIDC_TICKET);

    return HMAC(EVP_sha256(), t->secret, t->secret_len,
                (unsigned char *) text, n + m + AIOBS_OIDC_TICKET, mac, &len)
           ? 0 : -1;
}


int
aiobs_oidc_challenge(const char *verifier, char *challenge)
{
    size_t          len;
    unsigned char   md[EVP_MAX_MD_SIZE];

    if (EVP_Q_digest(NULL, "SHA256", NULL, verifier, strlen(verifier), md,
                     &len)
        != 1)
    {
        return -1;
    }

    aiobs_base64url_encode(md, len, challenge);

    return 0;
}
