
/*
 * Copyright (C) the aiobs authors
 *
 * The header lines of a request as Sentry may see them: without secrets, and
 * without what aiobs_privacy hides.
 */


#include "ngx_http_aiobs_sentry.h"


#define NGX_HTTP_AIOBS_SENTRY_HEADERS_MAX  32


static void ngx_http_aiobs_sentry_header(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_table_elt_t *h, ngx_uint_t *n);
static ngx_uint_t ngx_http_aiobs_sentry_merge(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_table_elt_t *h, ngx_str_t *value,
    u_char *buf, size_t size);
static ngx_uint_t ngx_http_aiobs_sentry_private(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_table_elt_t *h);
static ngx_uint_t ngx_http_aiobs_sentry_holds(ngx_str_t *value,
    ngx_str_t *text);


/* say nothing about who asks */

static const char *const  ngx_http_aiobs_sentry_plain[] = {
    "host", "user-agent", "content-type", "content-length", "accept",
    "accept-encoding", NULL
};

/* parts of names of headers whose values are shown to nobody */

static const char *const  ngx_http_aiobs_sentry_secret[] = {
    "auth", "cookie", "key", "token", "secret", "password", "passwd",
    "session", "credential", "signature", "csrf", "jwt", NULL
};

/* of those that tell where a client is, and who, where that is not shown */

static const char *const  ngx_http_aiobs_sentry_client[] = {
    "forwarded", "-ip", "clientip", "socketip", "remote-", "external-address",
    NULL
};

static const char *const  ngx_http_aiobs_sentry_person[] = {
    "user-id", "user_id", "email", NULL
};


void
ngx_http_aiobs_sentry_header_lines(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            ngx_http_aiobs_sentry_header(out, sentry, r, ctx, &h[i], &n);
        }
    }
}


static void
ngx_http_aiobs_sentry_header(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_table_elt_t *h, ngx_uint_t *n)
{
    u_char      buf[256];
    ngx_str_t   value;
    ngx_uint_t  plain;

    plain = ngx_http_aiobs_sentry_listed(&h->key, ngx_http_aiobs_sentry_plain,
                                         0);

    if (h->hash == 0 || *n == NGX_HTTP_AIOBS_SENTRY_HEADERS_MAX
        || (!plain && !sentry->pii))
    {
        return;
    }

    if (!ngx_http_aiobs_sentry_merge(r, ctx, h, &value, buf, sizeof(buf))) {
        return;
    }

    if (!plain
        && ngx_http_aiobs_sentry_listed(&h->key, ngx_http_aiobs_sentry_secret,
                                        1))
    {
        ngx_str_set(&value, "[Filtered]");
    }

    ngx_http_aiobs_sentry_put(out, (*n)++ ? "," : "");
    ngx_http_aiobs_sentry_string(out, &h->key, 128);
    ngx_http_aiobs_sentry_put(out, ":");
    ngx_http_aiobs_sentry_string(out, &value, 256);
}


/*
 * A name stands once in an object: the values of all headers of it at the
 * first of them, joined as RFC 9110 has it.  0: it is not the first.
 */

static ngx_uint_t
ngx_http_aiobs_sentry_merge(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_table_elt_t *h, ngx_str_t *value, u_char *buf, size_t size)
{
    u_char           *p;
    ngx_uint_t        i, hidden;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *other;

    p = NULL;
    *value = h->value;
    hidden = ngx_http_aiobs_sentry_private(r, ctx, h);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        other = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (&other[i] == h) {
                p = ngx_snprintf(buf, size, "%V", &h->value);
                continue;
            }

            if (other[i].hash == 0 || other[i].key.len != h->key.len
                || ngx_strncasecmp(other[i].key.data, h->key.data, h->key.len)
                   != 0)
            {
                continue;
            }

            if (p == NULL) {
                return 0;
            }

            p = ngx_snprintf(p, buf + size - p, ", %V", &other[i].value);

            value->data = buf;
            value->len = p - buf;
            hidden |= ngx_http_aiobs_sentry_private(r, ctx, &other[i]);
        }
    }

    if (hidden) {
        ngx_str_set(value, "[Filtered]");
    }

    return 1;
}


/* whether it shows what aiobs_privacy does not */

static ngx_uint_t
ngx_http_aiobs_sentry_private(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_table_elt_t *h)
{
    ngx_http_aiobs_privacy_conf_t  *privacy;

    privacy = &ctx->location->privacy;

    if (privacy->client != NGX_HTTP_AIOBS_KEEP
        && (ngx_http_aiobs_sentry_listed(&h->key, ngx_http_aiobs_sentry_client,
                                         1)
            || ngx_http_aiobs_sentry_holds(&h->value,
                                           &r->connection->addr_text)))
    {
        return 1;
    }

    if (privacy->user == NGX_HTTP_AIOBS_KEEP) {
        return 0;
    }

    return ngx_http_aiobs_sentry_listed(&h->key, ngx_http_aiobs_sentry_person,
                                        1)
           || ngx_http_aiobs_sentry_holds(&h->value, &ctx->user)
           || ngx_http_aiobs_sentry_holds(&h->value, &ctx->end_user)
           || (ctx->validated
               && ngx_http_aiobs_sentry_holds(&h->value,
                                              &ctx->identity->user_id));
}


static ngx_uint_t
ngx_http_aiobs_sentry_holds(ngx_str_t *value, ngx_str_t *text)
{
    return text->len && value->len
           && memmem(value->data, value->len, text->data, text->len) != NULL;
}


ngx_uint_t
ngx_http_aiobs_sentry_listed(ngx_str_t *name, const char *const *names,
    ngx_uint_t part)
{
    size_t      len;
    ngx_uint_t  i;

    for (i = 0; names[i]; i++) {
        len = ngx_strlen(names[i]);

        if (part ? ngx_strlcasestrn(name->data, name->data + name->len,
                                    (u_char *) names[i], len - 1)
                   != NULL
                 : name->len == len
                   && ngx_strncasecmp(name->data, (u_char *) names[i], len)
                      == 0)
        {
            return 1;
        }
    }

    return 0;
}
