
/*
 * Copyright (C) the aiobs authors
 *
 * URLs of a provider, and what is put into them.
 */


#include "aiobs_oidc.h"

#include <string.h>
#include <strings.h>


static int aiobs_oidc_loopback(const char *host, size_t len);


void
aiobs_oidc_text(aiobs_oidc_text_t *t, char *buf, size_t size)
{
    t->p = buf;
    t->last = buf + size - 1;
    t->full = 0;

    *buf = '\0';
}


void
aiobs_oidc_put(aiobs_oidc_text_t *t, const char *s)
{
    size_t  len;

    len = strlen(s);

    if (len > (size_t) (t->last - t->p)) {
        t->full = 1;
        return;
    }

    memcpy(t->p, s, len + 1);
    t->p += len;
}


void
aiobs_oidc_escape(aiobs_oidc_text_t *t, const char *s)
{
    static const char  hex[] = "0123456789ABCDEF";
    static const char  plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (; *s; s++) {

        if (t->last - t->p < 3) {
            t->full = 1;
            return;
        }

        if (strchr(plain, *s)) {
            *t->p++ = *s;

        } else {
            *t->p++ = '%';
            *t->p++ = hex[(unsigned char) *s >> 4];
            *t->p++ = hex[*s & 0x0f];
        }
    }

    *t->p = '\0';
}


void
aiobs_oidc_pair(aiobs_oidc_text_t *t, int first, const char *name,
    const char *value)
{
    aiobs_oidc_put(t, first ? "" : "&");
    aiobs_oidc_put(t, name);
    aiobs_oidc_put(t, "=");
    aiobs_oidc_escape(t, value);
}


const char *
aiobs_oidc_url_error(const char *url, int local)
{
    size_t       len;
    const char  *host, *c;

    len = strlen(url);

    if (len >= AIOBS_OIDC_URL_MAX) {
        return "is too long";
    }

    for (c = url; *c; c++) {
        if (*c <= ' ' || *c == 0x7f || strchr("\"<>\\^`{|}#", *c)) {
            return "has characters that no URL has, or a fragment";
        }
    }

    host = strstr(url, "://");
    host = host ? host + 3 : url;
    len = strcspn(host, "/?");

    if (len == 0 || memchr(host, '@', len)) {
        return "has no host, or a user";
    }

    if (strncmp(url, "https://", 8) == 0) {
        return NULL;
    }

    if (strncmp(url, "http://", 7) != 0) {
        return "does not begin with \"https://\"";
    }

    return local && aiobs_oidc_loopback(host, len)
           ? NULL : "is not https, which only this machine's own may be";
}


static int
aiobs_oidc_loopback(const char *host, size_t len)
{
    size_t       i, n;

    static const char *const  names[] = { "127.0.0.1", "localhost", "[::1]" };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        n = strlen(names[i]);

        if (len >= n && strncasecmp(host, names[i], n) == 0
            && (len == n || host[n] == ':'))
        {
            return 1;
        }
    }

    return 0;
}
