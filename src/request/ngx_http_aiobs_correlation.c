
/*
 * Copyright (C) the aiobs authors
 *
 * Correlation: one request id and one trace, from the client through the
 * upstream and back.  W3C Trace Context, https://www.w3.org/TR/trace-context/
 */


#include "ngx_http_aiobs_request.h"


#define NGX_HTTP_AIOBS_STATE_MAX  512   /* bytes of tracestate passed on */


typedef struct {
    ngx_http_aiobs_ctx_t       *ctx;
    ngx_http_aiobs_loc_conf_t  *lcf;
    ngx_uint_t                  identity;   /* drop names of identity */
} ngx_http_aiobs_drop_t;


static ngx_uint_t ngx_http_aiobs_valid_id(ngx_str_t *id);
static void ngx_http_aiobs_make_uuid(ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_trace(ngx_http_request_t *r,
    ngx_http_aiobs_trace_t *t);
static ngx_uint_t ngx_http_aiobs_trace_parse(ngx_http_aiobs_trace_t *t,
    ngx_str_t *value);
static ngx_uint_t ngx_http_aiobs_is_hex(u_char *p, size_t len);
static void ngx_http_aiobs_random_hex(u_char *p, size_t len);
static ngx_uint_t ngx_http_aiobs_drop_header(ngx_table_elt_t *h, void *data);
static ngx_int_t ngx_http_aiobs_push_identity(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static ngx_int_t ngx_http_aiobs_push_trace(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_provider_id(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


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
    ngx_table_elt_t  *h;

    h = ngx_http_aiobs_header_find(&r->headers_in.headers,
                                   "x-request-id", sizeof("x-request-id") - 1);

    if (h && ngx_http_aiobs_valid_id(&h->value)) {
        ctx->request_id = h->value;

    } else {
        ngx_http_aiobs_make_uuid(ctx);
    }

    ngx_http_aiobs_trace(r, &ctx->trace);
}


ngx_int_t
ngx_http_aiobs_prepare_headers(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_uint_t                  provider;
    ngx_http_aiobs_drop_t       drop;
    ngx_http_aiobs_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (ctx->prepared == lcf) {
        return NGX_OK;
    }

    drop.ctx = ctx;
    drop.lcf = lcf;
    drop.identity = ctx->own_identity || lcf->auth != NGX_HTTP_AIOBS_AUTH_OFF;

    rc = ngx_http_aiobs_headers_in_rebuild(r, ngx_http_aiobs_drop_header,
                                           &drop);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx->prepared = lcf;
    ctx->own_identity = 0;

    if (ngx_http_aiobs_header_push(r, &r->headers_in.headers, "X-Request-ID",
                                   sizeof("X-Request-ID") - 1,
                                   &ctx->request_id)
        == NULL)
    {
        return NGX_ERROR;
    }

    provider = (lcf->llm != AIOBS_DIALECT_OFF);

    if ((!provider || (lcf->forward & NGX_HTTP_AIOBS_FORWARD_IDENTITY))
        && ngx_http_aiobs_push_identity(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if ((!provider || (lcf->forward & NGX_HTTP_AIOBS_FORWARD_TRACE))
        && ngx_http_aiobs_push_trace(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_aiobs_answer_headers(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_http_aiobs_provider_id(r, ctx);

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_aiobs_header_is(&h[i], "x-request-id",
                                         sizeof("x-request-id") - 1)
                || (ctx->provider_request_id.len
                    && ngx_http_aiobs_header_is(&h[i], "x-provider-request-id",
                                            sizeof("x-provider-request-id")
                                            - 1)))
            {
                h[i].hash = 0;
            }
        }
    }

    if (ngx_http_aiobs_header_push(r, &r->headers_out.headers, "X-Request-ID",
                                   sizeof("X-Request-ID") - 1,
                                   &ctx->request_id)
        == NULL)
    {
        return NGX_ERROR;
    }

    if (ctx->provider_request_id.len
        && ngx_http_aiobs_header_push(r, &r->headers_out.headers,
                                      "X-Provider-Request-ID",
                                      sizeof("X-Provider-Request-ID") - 1,
                                      &ctx->provider_request_id)
           == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
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

static void
ngx_http_aiobs_make_uuid(ngx_http_aiobs_ctx_t *ctx)
{
    u_char  b[16], hex[32], *p;

    ngx_http_aiobs_random(b, sizeof(b));

    b[6] = (u_char) ((b[6] & 0x0f) | 0x40);
    b[8] = (u_char) ((b[8] & 0x3f) | 0x80);

    ngx_hex_dump(hex, b, sizeof(b));

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


static void
ngx_http_aiobs_trace(ngx_http_request_t *r, ngx_http_aiobs_trace_t *t)
{
    u_char           *p;
    ngx_table_elt_t  *h;

    h = ngx_http_aiobs_header_find(&r->headers_in.headers,
                                   "traceparent", sizeof("traceparent") - 1);

    if (h && ngx_http_aiobs_trace_parse(t, &h->value)) {
        t->has_parent = 1;

        h = ngx_http_aiobs_header_find(&r->headers_in.headers,
                                       "tracestate", sizeof("tracestate") - 1);

        if (h && h->value.len <= NGX_HTTP_AIOBS_STATE_MAX) {
            t->state = h->value;
        }

    } else {
        ngx_http_aiobs_random_hex(t->trace_id, sizeof(t->trace_id));
    }

    ngx_http_aiobs_random_hex(t->span_id, sizeof(t->span_id));

    p = ngx_cpymem(t->header, "00-", 3);
    p = ngx_cpymem(p, t->trace_id, sizeof(t->trace_id));
    *p++ = '-';
    p = ngx_cpymem(p, t->span_id, sizeof(t->span_id));
    ngx_memcpy(p, t->sampled ? "-01" : "-00", 3);
}


/*
 * version "-" trace-id "-" parent-id "-" flags; a version above 00 may go on
 * after a further "-", version ff and ids of zeros are invalid.
 */

static ngx_uint_t
ngx_http_aiobs_trace_parse(ngx_http_aiobs_trace_t *t, ngx_str_t *value)
{
    u_char     *p;
    ngx_int_t   flags;

    static u_char  zeros[] = "00000000000000000000000000000000";

    p = value->data;

    if (value->len < NGX_HTTP_AIOBS_TRACEPARENT_LEN
        || p[2] != '-' || p[35] != '-' || p[52] != '-'
        || !ngx_http_aiobs_is_hex(p, 2)
        || !ngx_http_aiobs_is_hex(p + 3, 32)
        || !ngx_http_aiobs_is_hex(p + 36, 16)
        || !ngx_http_aiobs_is_hex(p + 53, 2)
        || ngx_strncmp(p, "ff", 2) == 0
        || ngx_memcmp(p + 3, zeros, 32) == 0
        || ngx_memcmp(p + 36, zeros, 16) == 0)
    {
        return 0;
    }

    if (value->len > NGX_HTTP_AIOBS_TRACEPARENT_LEN
        && (ngx_strncmp(p, "00", 2) == 0
            || p[NGX_HTTP_AIOBS_TRACEPARENT_LEN] != '-'))
    {
        return 0;
    }

    flags = ngx_hextoi(p + 53, 2);

    ngx_memcpy(t->trace_id, p + 3, sizeof(t->trace_id));
    ngx_memcpy(t->parent_id, p + 36, sizeof(t->parent_id));
    t->sampled = flags & 1;

    return 1;
}


static ngx_uint_t
ngx_http_aiobs_is_hex(u_char *p, size_t len)
{
    while (len--) {
        if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f'))) {
            return 0;
        }

        p++;
    }

    return 1;
}


static void
ngx_http_aiobs_random_hex(u_char *p, size_t len)
{
    u_char  b[NGX_HTTP_AIOBS_TRACE_ID_LEN / 2];

    ngx_http_aiobs_random(b, len / 2);
    b[0] |= 1;                      /* an id of zeros is invalid */

    ngx_hex_dump(p, b, len / 2);
}


static ngx_uint_t
ngx_http_aiobs_drop_header(ngx_table_elt_t *h, void *data)
{
    ngx_http_aiobs_drop_t *drop = data;

    switch (h->key.len) {

    case sizeof("x-request-id") - 1:
        if (ngx_http_aiobs_header_is(h, "x-request-id", h->key.len)) {
            return 1;
        }
        break;

    case sizeof("traceparent") - 1:
        if (ngx_http_aiobs_header_is(h, "traceparent", h->key.len)) {
            return 1;
        }
        break;

    default:
        break;
    }

    if (ngx_http_aiobs_header_is(h, "tracestate", sizeof("tracestate") - 1)) {
        return 1;
    }

    if (drop->identity
        && (ngx_http_aiobs_header_is(h, "x-user-id", sizeof("x-user-id") - 1)
            || ngx_http_aiobs_header_is(h, "x-key-name",
                                        sizeof("x-key-name") - 1)))
    {
        return 1;
    }

    return ngx_http_aiobs_header_has_key(drop->ctx, drop->lcf, h);
}


static ngx_int_t
ngx_http_aiobs_push_identity(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_list_t                 *list;
    ngx_http_aiobs_identity_t  *id;

    id = ctx->identity;

    if (id == NULL || id->verdict != NGX_HTTP_AIOBS_KEY_VALID) {
        return NGX_OK;
    }

    list = &r->headers_in.headers;
    ctx->own_identity = 1;

    if (id->user_id.len
        && ngx_http_aiobs_header_push(r, list, "X-User-ID",
                                      sizeof("X-User-ID") - 1, &id->user_id)
           == NULL)
    {
        return NGX_ERROR;
    }

    if (id->key_name.len
        && ngx_http_aiobs_header_push(r, list, "X-Key-Name",
                                      sizeof("X-Key-Name") - 1, &id->key_name)
           == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_push_trace(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_str_t   value;
    ngx_list_t *list;

    list = &r->headers_in.headers;

    value.data = ctx->trace.header;
    value.len = NGX_HTTP_AIOBS_TRACEPARENT_LEN;

    if (ngx_http_aiobs_header_push(r, list, "traceparent",
                                   sizeof("traceparent") - 1, &value)
        == NULL)
    {
        return NGX_ERROR;
    }

    if (ctx->trace.state.len
        && ngx_http_aiobs_header_push(r, list, "tracestate",
                                      sizeof("tracestate") - 1,
                                      &ctx->trace.state)
           == NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* the upstream's own id of this request, as providers name it */

static void
ngx_http_aiobs_provider_id(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    static ngx_str_t  names[] = {
        ngx_string("x-request-id"),
        ngx_string("request-id"),
        ngx_string("x-amzn-requestid"),
        ngx_string("apim-request-id"),
        ngx_null_string
    };

    ngx_str_null(&ctx->provider_request_id);

    if (!ctx->upstream_header) {
        return;
    }

    for (i = 0; names[i].len; i++) {
        h = ngx_http_aiobs_header_find(&r->headers_out.headers,
                                       (char *) names[i].data, names[i].len);

        if (h && h->value.len && h->value.len <= NGX_HTTP_AIOBS_REQUEST_ID_MAX
            && (h->value.len != ctx->request_id.len
                || ngx_memcmp(h->value.data, ctx->request_id.data,
                              h->value.len)
                   != 0))
        {
            ctx->provider_request_id = h->value;
            return;
        }
    }
}
