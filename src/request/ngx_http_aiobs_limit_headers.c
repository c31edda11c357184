
/*
 * Copyright (C) the aiobs authors
 *
 * What the client is told of its limits, by the names of OpenAI's headers.
 */


#include "ngx_http_aiobs_request.h"


static void ngx_http_aiobs_limit_hide(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_limit_push(ngx_http_request_t *r,
    const char *what, const char *of, int64_t n, const char *unit);


ngx_int_t
ngx_http_aiobs_limit_headers(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    const char             *of;
    ngx_uint_t              i, hidden;
    ngx_http_aiobs_left_t   left;

    static const aiobs_limit_e  limits[] = { AIOBS_LIMIT_RPM, AIOBS_LIMIT_TPM };

    if (ctx->call == NULL) {
        return NGX_OK;
    }

    hidden = 0;

    for (i = 0; i < 2; i++) {

        if (ngx_http_aiobs_limits_left(ctx->call, limits[i], &left)
            != NGX_OK)
        {
            continue;
        }

        if (!hidden) {
            ngx_http_aiobs_limit_hide(r);
            hidden = 1;
        }

        of = (limits[i] == AIOBS_LIMIT_RPM) ? "requests" : "tokens";

        if (ngx_http_aiobs_limit_push(r, "limit", of, left.limit, "")
            != NGX_OK
            || ngx_http_aiobs_limit_push(r, "remaining", of, left.left, "")
               != NGX_OK
            || ngx_http_aiobs_limit_push(r, "reset", of, left.reset, "s")
               != NGX_OK)
        {
            return NGX_ERROR;
        }
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
ngx_http_aiobs_limit_push(ngx_http_request_t *r, const char *what,
    const char *of, int64_t n, const char *unit)
{
    size_t      len;
    u_char     *name;
    ngx_str_t   value;

    name = ngx_pnalloc(r->pool, sizeof("x-ratelimit-remaining-requests")
                                + NGX_INT64_LEN + 1);
    if (name == NULL) {
        return NGX_ERROR;
    }

    len = ngx_sprintf(name, "x-ratelimit-%s-%s", what, of) - name;

    value.data = name + len;
    value.len = ngx_sprintf(value.data, "%L%s", n, unit) - value.data;

    return ngx_http_aiobs_header_push(r, &r->headers_out.headers,
                                      (char *) name, len, &value)
           ? NGX_OK : NGX_ERROR;
}
