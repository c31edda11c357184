
/*
 * Copyright (C) the aiobs authors
 *
 * Correlation: what the client says of a request id and a trace; or an id of
 * our own.
 */


#include "ngx_http_aiobs_request.h"
#include "aiobs_hex.h"


/* bytes of tracestate after which no more lines are added to it */
#define NGX_HTTP_AIOBS_STATE_LINES  2048


static void ngx_http_aiobs_correlate_by(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_uint_t name, ngx_table_elt_t *h,
    ngx_str_t *id);
static void ngx_http_aiobs_first(ngx_str_t *value, ngx_table_elt_t *h);
static void ngx_http_aiobs_append(ngx_http_request_t *r, ngx_str_t *list,
    ngx_table_elt_t *h);
static void ngx_http_aiobs_plain(ngx_list_t *list, ngx_http_aiobs_ctx_t *ctx);
static ngx_uint_t ngx_http_aiobs_valid_id(ngx_str_t *id);


static uint32_t  ngx_http_aiobs_id_chars[] = {
    0x00000000, /* control bytes */

                /* ?>=< ;:98 7654 3210  /.-, +*)( '&%$ #"!  */
    0x27ffe800, /* 0010 0111 1111 1111  1110 1000 0000 0000 */

                /* _^]\ [ZYX WVUT SRQP  ONML KJIH GFED CBA@ */
    0x87ffffff, /* 1000 0111 1111 1111  1111 1111 1111 1111 */

                /*  ~}| {zyx wvut srqp  onml kjih gfed cba` */
    0x47fffffe, /* 0100 0111 1111 1111  1111 1111 1111 1110 */

    0x00000000,
    0x00000000,
    0x00000000,
    0x00000000
};


void
ngx_http_aiobs_correlate(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_str_t         id;
    ngx_uint_t        name, own;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *last;

    own = 0;
    ngx_str_null(&id);

    part = &r->headers_in.headers.part;

    if (part->elts == NULL) {
        part = NULL;            /* a malformed request: never initialised */
    }

    for ( /* void */ ; part; part = part->next) {
        h = part->elts;

        for (last = h + part->nelts; h < last; h++) {

            name = ngx_http_aiobs_header_own(h);

            if (name == 0) {
                continue;
            }

            own |= name;
            ngx_http_aiobs_correlate_by(r, ctx, name, h, &id);
        }
    }

    if (ctx->sentry_trace.len) {
        ngx_http_aiobs_sentry_parent(r, ctx);
    }

    if (own == 0) {
        ngx_http_aiobs_plain(&r->headers_in.headers, ctx);
    }

    if (ngx_http_aiobs_valid_id(&id)) {
        ctx->request_id = id;

    } else {
        ngx_http_aiobs_make_uuid(ctx);
    }
}


/* lines of tracestate are one list; two traceparents are none */

static void
ngx_http_aiobs_correlate_by(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_uint_t name, ngx_table_elt_t *h, ngx_str_t *id)
{
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    switch (name) {

    case NGX_HTTP_AIOBS_HEADER_REQUEST_ID:
        ngx_http_aiobs_first(id, h);
        break;

    case NGX_HTTP_AIOBS_HEADER_TRACEPARENT:

        if (amcf->untraced) {
            break;
        }

        if (ctx->traceparent.data) {
            ctx->traceparent.len = 0;
        }

        ngx_http_aiobs_first(&ctx->traceparent, h);
        break;

    case NGX_HTTP_AIOBS_HEADER_TRACESTATE:
        ngx_http_aiobs_append(r, &ctx->tracestate, h);
        break;

    case NGX_HTTP_AIOBS_HEADER_SENTRY:

        if (amcf->sentry && !amcf->untraced) {
            ngx_http_aiobs_first(&ctx->sentry_trace, h);
        }

        break;
    }
}


static void
ngx_http_aiobs_first(ngx_str_t *value, ngx_table_elt_t *h)
{
    if (value->data == NULL) {
        *value = h->value;
    }
}


static void
ngx_http_aiobs_append(ngx_http_request_t *r, ngx_str_t *list,
    ngx_table_elt_t *h)
{
    u_char  *p;

    if (list->len == 0) {
        *list = h->value;
        return;
    }

    if (list->len > NGX_HTTP_AIOBS_STATE_LINES) {
        return;                     /* the first members are what is kept */
    }

    p = ngx_pnalloc(r->pool, list->len + 1 + h->value.len);
    if (p == NULL) {
        return;
    }

    ngx_sprintf(p, "%V,%V", list, &h->value);

    list->data = p;
    list->len += 1 + h->value.len;
}


/* that no line was ours, as long as the list is the one that was looked at */

static void
ngx_http_aiobs_plain(ngx_list_t *list, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_table_elt_t  *h;

    h = list->part.elts;

    if (h && list->last == &list->part && list->part.nelts) {
        ctx->plain = list->part.nelts;
        ctx->plain_last = h[list->part.nelts - 1].key.data;
    }
}


static ngx_uint_t
ngx_http_aiobs_valid_id(ngx_str_t *id)
{
    u_char  c;
    size_t  i;

    if (id->len == 0 || id->len > NGX_HTTP_AIOBS_REQUEST_ID_MAX) {
        return 0;
    }

    for (i = 0; i < id->len; i++) {
        c = id->data[i];

        if ((ngx_http_aiobs_id_chars[c >> 5] & (1U << (c & 0x1f))) == 0) {
            return 0;
        }
    }

    return 1;
}


/* RFC 9562, version 4 */

void
ngx_http_aiobs_make_uuid(ngx_http_aiobs_ctx_t *ctx)
{
    u_char  b[16], hex[32], *p;

    ngx_http_aiobs_random_id(b, sizeof(b));

    b[6] = (u_char) ((b[6] & 0x0f) | 0x40);
    b[8] = (u_char) ((b[8] & 0x3f) | 0x80);

    aiobs_hex8(hex, b);
    aiobs_hex8(hex + 16, b + 8);

    p = ngx_cpymem(ctx->uuid, hex, 8);
    *p++ = '-';
    p = ngx_cpymem(p, hex + 8, 4);
    *p++ = '-';
    p = ngx_cpymem(p, hex + 12, 4);
    *p++ = '-';
    p = ngx_cpymem(p, hex + 16, 4);
    *p++ = '-';
    ngx_memcpy(p, hex + 20, 12);

    ctx->request_id.data = ctx->uuid;
    ctx->request_id.len = NGX_HTTP_AIOBS_UUID_LEN;
}
