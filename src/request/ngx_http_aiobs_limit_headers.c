
/*
 * Copyright (C) the aiobs authors
 *
 * What the client is told of its limits, by the names of OpenAI's headers.
 */


#include "ngx_http_aiobs_request.h"


#define NGX_HTTP_AIOBS_LIMIT_VALUE  (NGX_INT64_LEN + 1)     /* and "s" */


static void ngx_http_aiobs_limit_hide(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_limit_push(ngx_http_request_t *r,
    ngx_http_aiobs_name_t *names, ngx_http_aiobs_left_t *left);
static u_char *ngx_http_aiobs_limit_decimal(u_char *end, uint64_t n);


static ngx_http_aiobs_name_t  ngx_http_aiobs_limit_requests[] = {
    ngx_http_aiobs_name("x-ratelimit-limit-requests",
                        "x-ratelimit-limit-requests"),
    ngx_http_aiobs_name("x-ratelimit-remaining-requests",
                        "x-ratelimit-remaining-requests"),
    ngx_http_aiobs_name("x-ratelimit-reset-requests",
                        "x-ratelimit-reset-requests")
};

static ngx_http_aiobs_name_t  ngx_http_aiobs_limit_tokens[] = {
    ngx_http_aiobs_name("x-ratelimit-limit-tokens",
                        "x-ratelimit-limit-tokens"),
    ngx_http_aiobs_name("x-ratelimit-remaining-tokens",
                        "x-ratelimit-remaining-tokens"),
    ngx_http_aiobs_name("x-ratelimit-reset-tokens",
                        "x-ratelimit-reset-tokens")
};


ngx_int_t
ngx_http_aiobs_limit_headers(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_int_t               requests, tokens;
    ngx_http_aiobs_left_t   left[2];

    if (ctx->call == NULL) {
        return NGX_OK;
    }

    requests = ngx_http_aiobs_limits_left(ctx->call, AIOBS_LIMIT_RPM,
                                          &left[0]);
    tokens = ngx_http_aiobs_limits_left(ctx->call, AIOBS_LIMIT_TPM, &left[1]);

    if (requests == NGX_OK || tokens == NGX_OK) {
        ngx_http_aiobs_limit_hide(r);
    }

    if (requests == NGX_OK
        && ngx_http_aiobs_limit_push(r, ngx_http_aiobs_limit_requests,
                                     &left[0])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (tokens == NGX_OK
        && ngx_http_aiobs_limit_push(r, ngx_http_aiobs_limit_tokens, &left[1])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the provider's are of the gateway's account there, not of this key */

static void
ngx_http_aiobs_limit_hide(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static const char  prefix[] = "x-ratelimit-";

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len > sizeof(prefix) - 1
                && (h[i].key.data[0] | 0x20) == 'x'
                && (h[i].key.data[3] | 0x20) == 'a'
                && ngx_strncasecmp(h[i].key.data, (u_char *) prefix,
                                   sizeof(prefix) - 1)
                   == 0)
            {
                h[i].hash = 0;
            }
        }
    }
}


static ngx_int_t
ngx_http_aiobs_limit_push(ngx_http_request_t *r, ngx_http_aiobs_name_t *names,
    ngx_http_aiobs_left_t *left)
{
    u_char     *p, *end;
    int64_t     n[3];
    ngx_str_t   value;
    ngx_uint_t  i;

    p = ngx_pnalloc(r->pool, 3 * NGX_HTTP_AIOBS_LIMIT_VALUE);
    if (p == NULL) {
        return NGX_ERROR;
    }

    n[0] = left->limit;
    n[1] = left->left;
    n[2] = left->reset;

    for (i = 0; i < 3; i++) {
        end = p + NGX_HTTP_AIOBS_LIMIT_VALUE;

        if (i == 2) {
            *--end = 's';
        }

        value.data = ngx_http_aiobs_limit_decimal(end, n[i]);
        value.len = end - value.data + (i == 2);

        if (ngx_http_aiobs_header_add(&r->headers_out.headers, &names[i],
                                      &value)
            == NULL)
        {
            return NGX_ERROR;
        }

        p += NGX_HTTP_AIOBS_LIMIT_VALUE;
    }

    return NGX_OK;
}


static u_char *
ngx_http_aiobs_limit_decimal(u_char *end, uint64_t n)
{
    do {
        *--end = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    return end;
}
