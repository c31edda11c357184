
/*
 * Copyright (C) the aiobs authors
 *
 * Correlation: one request id, from the client to the upstream.
 */


#include "ngx_http_aiobs_request.h"
#include "aiobs_hex.h"


typedef struct {
    ngx_http_aiobs_ctx_t       *ctx;
    ngx_http_aiobs_loc_conf_t  *lcf;
    ngx_uint_t                  own;        /* bits of ours that go */
    uint32_t                    names;      /* of keys, by their lengths */
    uint32_t                    lengths;    /* of all names that may go */
    size_t                      bytes;      /* of a value that may hold it */
} ngx_http_aiobs_drop_t;


/* most lines have neither such a name nor such a value */

#define ngx_http_aiobs_may_go(h, lengths, bytes)                              \
    (((h)->key.len < 32 && ((lengths) >> (h)->key.len & 1))                   \
     || (h)->value.len >= (bytes))


/* a provider gets it only where it is told to */

#define ngx_http_aiobs_forwards_trace(lcf)                                    \
    ((lcf)->llm == AIOBS_DIALECT_OFF                                          \
     || ((lcf)->forward & NGX_HTTP_AIOBS_FORWARD_TRACE))


/* bytes of tracestate after which no more lines are added to it */
#define NGX_HTTP_AIOBS_STATE_LINES  2048


static void ngx_http_aiobs_correlate_by(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_uint_t name, ngx_table_elt_t *h,
    ngx_str_t *id);
static void ngx_http_aiobs_first(ngx_str_t *value, ngx_table_elt_t *h);
static void ngx_http_aiobs_append(ngx_http_request_t *r, ngx_str_t *list,
    ngx_table_elt_t *h);
static ngx_uint_t ngx_http_aiobs_dropped(ngx_http_request_t *r,
    ngx_http_aiobs_drop_t *drop, ngx_http_aiobs_place_t *old, ngx_uint_t n);
static void ngx_http_aiobs_going(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_loc_conf_t *lcf,
    ngx_http_aiobs_drop_t *drop);
static ngx_uint_t ngx_http_aiobs_coming(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_loc_conf_t *lcf,
    ngx_http_aiobs_header_t *add);
static void ngx_http_aiobs_plain(ngx_list_t *list, ngx_http_aiobs_ctx_t *ctx);
static ngx_uint_t ngx_http_aiobs_still_plain(ngx_list_t *list,
    ngx_http_aiobs_ctx_t *ctx);
static ngx_uint_t ngx_http_aiobs_valid_id(ngx_str_t *id);
static ngx_uint_t ngx_http_aiobs_drop_header(ngx_table_elt_t *h, void *data);
static ngx_uint_t ngx_http_aiobs_add_identity(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_header_t *add);
static ngx_uint_t ngx_http_aiobs_add_trace(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_header_t *add);


ngx_http_aiobs_name_t  ngx_http_aiobs_x_request_id =
    ngx_http_aiobs_name("X-Request-ID", "x-request-id");

static ngx_http_aiobs_name_t  ngx_http_aiobs_x_user_id =
    ngx_http_aiobs_name("X-User-ID", "x-user-id");

static ngx_http_aiobs_name_t  ngx_http_aiobs_x_key_name =
    ngx_http_aiobs_name("X-Key-Name", "x-key-name");

static ngx_http_aiobs_name_t  ngx_http_aiobs_traceparent_name =
    ngx_http_aiobs_name("traceparent", "traceparent");

static ngx_http_aiobs_name_t  ngx_http_aiobs_tracestate =
    ngx_http_aiobs_name("tracestate", "tracestate");


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


/* a line that is ours, or has a gateway key in it */

static ngx_inline ngx_uint_t
ngx_http_aiobs_goes(ngx_table_elt_t *h, ngx_http_aiobs_drop_t *drop)
{
    if (drop->own && (ngx_http_aiobs_header_own(h) & drop->own)) {
        return 1;
    }

    return ngx_http_aiobs_may_go(h, drop->names, drop->bytes)
           && ngx_http_aiobs_header_has_key(drop->ctx, drop->lcf, h);
}


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

    if (ctx->sentry_trace.len && ctx->traceparent.data == NULL) {
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
ngx_http_aiobs_still_plain(ngx_list_t *list, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t        n;
    ngx_table_elt_t  *h;

    n = ctx->plain;
    ctx->plain = 0;                         /* it is about to change */

    if (n == 0 || list->last != &list->part || list->part.nelts != n) {
        return 0;
    }

    h = list->part.elts;

    return h[n - 1].key.data == ctx->plain_last;
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


ngx_int_t
ngx_http_aiobs_prepare_headers(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_uint_t                  m, n;
    ngx_table_elt_t            *password;
    ngx_http_aiobs_drop_t       drop;
    ngx_http_aiobs_place_t      old[NGX_HTTP_AIOBS_HEADERS_ADD];
    ngx_http_aiobs_header_t     add[NGX_HTTP_AIOBS_HEADERS_ADD];
    ngx_http_aiobs_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (ctx->prepared == lcf) {
        return NGX_OK;
    }

    if (r->headers_in.headers.part.elts == NULL) {
        return NGX_DECLINED;                /* a malformed request */
    }

    ngx_http_aiobs_trace_decide(r, ctx);

    ngx_http_aiobs_going(r, ctx, lcf, &drop);
    n = ngx_http_aiobs_coming(r, ctx, lcf, add);
    m = ngx_http_aiobs_dropped(r, &drop, old, n);

    if (ngx_http_aiobs_header_password(r, &password) != NGX_OK) {
        return NGX_ERROR;
    }

    if (m > n) {
        rc = ngx_http_aiobs_headers_in_rebuild(r, ngx_http_aiobs_drop_header,
                                               &drop);
        if (rc != NGX_OK) {
            return rc;
        }

        m = 0;
    }

    rc = ngx_http_aiobs_headers_in_put(r, old, m, add, n);

    if (rc == NGX_OK) {
        ctx->prepared = lcf;
    }

    if (r->headers_in.authorization == NULL) {
        r->headers_in.authorization = password;
    }

    return rc;
}


/* what is not passed on to the upstream */

static void
ngx_http_aiobs_going(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf, ngx_http_aiobs_drop_t *drop)
{
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    drop->ctx = ctx;
    drop->lcf = lcf;
    drop->names = 0;
    drop->bytes = (size_t) -1;
    drop->own = NGX_HTTP_AIOBS_HEADERS_CORRELATION
                | (amcf->sentry ? NGX_HTTP_AIOBS_HEADER_SENTRY : 0);

    if (ctx->identity) {                    /* somebody asked for a key */
        drop->names = NGX_HTTP_AIOBS_KEY_NAMES;
        drop->bytes = ctx->key.len ? ctx->key.len : (size_t) -1;
    }

    if ((lcf->forward & NGX_HTTP_AIOBS_FORWARD_UNTRACED)
        && ngx_http_aiobs_forwards_trace(lcf))
    {
        drop->own = NGX_HTTP_AIOBS_HEADER_REQUEST_ID;
    }

    if (ctx->own_identity || lcf->auth != NGX_HTTP_AIOBS_AUTH_OFF) {
        drop->own |= NGX_HTTP_AIOBS_HEADERS_IDENTITY;
    }

    if (ngx_http_aiobs_still_plain(&r->headers_in.headers, ctx)) {
        drop->own = 0;
    }

    drop->lengths = drop->names
                    | (drop->own ? NGX_HTTP_AIOBS_HEADER_LENGTHS : 0);
}


/* what it is told by us: how many lines */

static ngx_uint_t
ngx_http_aiobs_coming(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf, ngx_http_aiobs_header_t *add)
{
    ngx_uint_t  n;

    ctx->own_identity = 0;

    add[0].name = &ngx_http_aiobs_x_request_id;
    add[0].value = ctx->request_id;
    n = 1;

    if (lcf->llm == AIOBS_DIALECT_OFF
        || (lcf->forward & NGX_HTTP_AIOBS_FORWARD_IDENTITY))
    {
        n += ngx_http_aiobs_add_identity(ctx, &add[n]);
    }

    if (ngx_http_aiobs_forwards_trace(lcf)
        && !(lcf->forward & NGX_HTTP_AIOBS_FORWARD_UNTRACED))
    {
        n += ngx_http_aiobs_add_trace(r, ctx, &add[n]);
    }

    return n;
}


/*
 * The lines that go, of which the first n are kept in old; how many there are,
 * or more than n where one cannot be written over.
 */

static ngx_uint_t
ngx_http_aiobs_dropped(ngx_http_request_t *r, ngx_http_aiobs_drop_t *drop,
    ngx_http_aiobs_place_t *old, ngx_uint_t n)
{
    ngx_uint_t               m;
    ngx_list_part_t         *part;
    ngx_table_elt_t         *h, *last;
    ngx_http_aiobs_place_t   place;

    const size_t    bytes = drop->bytes;
    const uint32_t  lengths = drop->lengths;

    m = 0;

    if (lengths == 0) {
        return 0;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (last = h + part->nelts; h < last; h++) {

            if (!ngx_http_aiobs_may_go(h, lengths, bytes)
                || !ngx_http_aiobs_goes(h, drop))
            {
                continue;
            }

            if (ngx_http_aiobs_header_held(r, h, &place)) {
                return n + 1;
            }

            if (m < n) {
                old[m] = place;
            }

            m++;
        }
    }

    return m;
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


static ngx_uint_t
ngx_http_aiobs_drop_header(ngx_table_elt_t *h, void *data)
{
    return ngx_http_aiobs_goes(h, data);
}


static ngx_uint_t
ngx_http_aiobs_add_identity(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_header_t *add)
{
    ngx_uint_t                  n;
    ngx_http_aiobs_identity_t  *id;

    id = ctx->identity;

    if (id == NULL || id->verdict != NGX_HTTP_AIOBS_KEY_VALID) {
        return 0;
    }

    n = 0;
    ctx->own_identity = 1;

    if (id->user_id.len) {
        add[n].name = &ngx_http_aiobs_x_user_id;
        add[n++].value = id->user_id;
    }

    if (id->key_name.len) {
        add[n].name = &ngx_http_aiobs_x_key_name;
        add[n++].value = id->key_name;
    }

    return n;
}


static ngx_uint_t
ngx_http_aiobs_add_trace(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_header_t *add)
{
    ngx_uint_t                   n;
    ngx_http_aiobs_trace_t      *t;
    ngx_http_aiobs_main_conf_t  *amcf;

    n = 0;
    t = ngx_http_aiobs_trace(ctx);

    add[n].name = &ngx_http_aiobs_traceparent_name;
    ngx_http_aiobs_traceparent(t, &add[n++].value);

    if (t->state.len) {
        add[n].name = &ngx_http_aiobs_tracestate;
        add[n++].value = t->state;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (amcf->sentry) {
        n += ngx_http_aiobs_add_sentry_trace(r, ctx, &add[n]);
    }

    return n;
}
