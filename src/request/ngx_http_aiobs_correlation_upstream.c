
/*
 * Copyright (C) the aiobs authors
 *
 * Correlation: the lines of a request as the upstream gets them, with ours, and
 * without what is not for it.
 */


#include "ngx_http_aiobs_request.h"


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


static void ngx_http_aiobs_going(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_loc_conf_t *lcf,
    ngx_http_aiobs_drop_t *drop);
static ngx_uint_t ngx_http_aiobs_still_plain(ngx_list_t *list,
    ngx_http_aiobs_ctx_t *ctx);
static ngx_uint_t ngx_http_aiobs_coming(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_loc_conf_t *lcf,
    ngx_http_aiobs_header_t *add);
static ngx_uint_t ngx_http_aiobs_add_identity(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_header_t *add);
static ngx_uint_t ngx_http_aiobs_add_trace(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_header_t *add);
static ngx_uint_t ngx_http_aiobs_dropped(ngx_http_request_t *r,
    ngx_http_aiobs_drop_t *drop, ngx_http_aiobs_place_t *old, ngx_uint_t n);
static ngx_uint_t ngx_http_aiobs_drop_header(ngx_table_elt_t *h, void *data);


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


/* a line that is ours, has a gateway key in it, or was emptied */

static ngx_inline ngx_uint_t
ngx_http_aiobs_goes(ngx_table_elt_t *h, ngx_http_aiobs_drop_t *drop)
{
    if (drop->own && (ngx_http_aiobs_header_own(h) & drop->own)) {
        return 1;
    }

    if (drop->ctx->emptied && h->value.len == 0
        && ngx_http_aiobs_header_is(h, "baggage", sizeof("baggage") - 1))
    {
        return 1;
    }

    return ngx_http_aiobs_may_go(h, drop->names, drop->bytes)
           && ngx_http_aiobs_header_has_key(drop->ctx, drop->lcf, h);
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

    if (ctx->key.len && ngx_http_aiobs_key_cookies(r, ctx, lcf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_aiobs_going(r, ctx, lcf, &drop);
    n = ngx_http_aiobs_coming(r, ctx, lcf, add);

    if (ctx->emptied) {
        drop.lengths |= 1U << (sizeof("baggage") - 1);
    }

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

    if (ctx->key.len || ctx->disagree) {
        ngx_http_aiobs_key_variables(r, ctx, lcf);
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


/* see ngx_http_aiobs_correlate(), which has looked at that list */

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

    } else {
        ngx_http_aiobs_sentry_untold(r, ctx);
    }

    return n;
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
ngx_http_aiobs_drop_header(ngx_table_elt_t *h, void *data)
{
    return ngx_http_aiobs_goes(h, data);
}
