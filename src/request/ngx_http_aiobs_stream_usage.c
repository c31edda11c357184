
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs_stream_usage: the request asks for usage, the client does not notice.
 */


#include "ngx_http_aiobs_body.h"


#define NGX_HTTP_AIOBS_STRIP_BUF  16384


struct ngx_http_aiobs_stream_s {
    aiobs_inject_t     inject;
    aiobs_strip_t      strip;
    ngx_chain_t       *pending;     /* of the upstream, not yet consumed */
    ngx_chain_t       *free;
    ngx_chain_t       *busy;
    ngx_chain_t       *out;
    ngx_chain_t      **last;
    ngx_pool_t        *pool;
    unsigned           reading:1;
    unsigned           asked:1;     /* the request was changed */
    unsigned           hiding:1;    /* the answer is being changed */
    unsigned           failed:1;
};


static ngx_int_t ngx_http_aiobs_strip_pending(ngx_http_aiobs_stream_t *s);
static ngx_uint_t ngx_http_aiobs_may_ask(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_loc_conf_t *lcf);
static ngx_uint_t ngx_http_aiobs_signed(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aiobs_drop_encoding(ngx_table_elt_t *h,
    void *data);
static void ngx_http_aiobs_strip_emit(void *data, const uint8_t *p,
    size_t len);
static ngx_buf_t *ngx_http_aiobs_strip_buf(ngx_http_aiobs_stream_t *s,
    ngx_uint_t data);


ngx_uint_t
ngx_http_aiobs_stream_reads(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (ctx->stream || !ngx_http_aiobs_may_ask(r, ctx, lcf)) {
        return 0;
    }

    ctx->stream = ngx_pcalloc(r->pool, sizeof(ngx_http_aiobs_stream_t));
    if (ctx->stream == NULL) {
        return 0;
    }

    aiobs_inject_init(&ctx->stream->inject);

    ctx->stream->pool = r->pool;
    ctx->stream->reading = 1;

    return 1;
}


void
ngx_http_aiobs_stream_request(ngx_http_aiobs_ctx_t *ctx, u_char *p, size_t len)
{
    if (ctx->stream && ctx->stream->reading) {
        aiobs_inject_feed(&ctx->stream->inject, p, len);
    }
}


/* header filter: an answer that our question has changed */

void
ngx_http_aiobs_stream_header(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    u_char                   *held;
    ngx_http_aiobs_stream_t  *s;

    s = ctx->stream;

    if (s == NULL || !s->asked) {
        return;
    }

    s->hiding = 0;

    if (r->headers_out.status != NGX_HTTP_OK
        || r->headers_out.content_encoding != NULL
        || ngx_strncasecmp(r->headers_out.content_type.data,
                           (u_char *) "text/event-stream",
                           ngx_min(r->headers_out.content_type.len,
                                   sizeof("text/event-stream") - 1))
           != 0
        || r->headers_out.content_type.len < sizeof("text/event-stream") - 1)
    {
        return;
    }

    held = ngx_palloc(r->pool, AIOBS_EVENT_MAX);
    if (held == NULL) {
        return;
    }

    aiobs_strip_init(&s->strip, held);
    s->hiding = 1;

    r->filter_need_in_memory = 1;           /* of a cache as well */

    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
}


ngx_uint_t
ngx_http_aiobs_stream_hiding(ngx_http_aiobs_ctx_t *ctx)
{
    return ctx->stream && ctx->stream->hiding;
}


/*
 * Body filter: every buffer of the upstream is consumed here, which lets it
 * read on; what the client gets is in buffers of our own.  While those are
 * busy the upstream's are left alone, so that a slow client slows it down.
 */

ngx_int_t
ngx_http_aiobs_stream_body(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_chain_t *in, ngx_http_output_body_filter_pt next)
{
    ngx_int_t                 rc;
    ngx_http_aiobs_stream_t  *s;

    s = ctx->stream;

    if (in && ngx_chain_add_copy(r->pool, &s->pending, in) != NGX_OK) {
        return NGX_ERROR;
    }

    for ( ;; ) {
        s->out = NULL;
        s->last = &s->out;

        if (s->busy == NULL && ngx_http_aiobs_strip_pending(s) != NGX_OK) {
            return NGX_ERROR;
        }

        rc = next(r, s->out);

        ngx_chain_update_chains(r->pool, &s->free, &s->busy, &s->out,
                                (ngx_buf_tag_t) &ngx_http_aiobs_module);

        if (rc == NGX_ERROR || s->pending == NULL || s->busy) {
            return rc;
        }
    }
}


static ngx_int_t
ngx_http_aiobs_strip_pending(ngx_http_aiobs_stream_t *s)
{
    ngx_buf_t    *b, *flags;
    ngx_chain_t  *cl;

    while (s->pending) {
        cl = s->pending;
        b = cl->buf;

        s->pending = cl->next;
        ngx_free_chain(s->pool, cl);

        if (ngx_buf_in_memory(b)) {
            aiobs_strip_feed(&s->strip, b->pos, b->last - b->pos,
                             ngx_http_aiobs_strip_emit, s);
            b->pos = b->last;
        }

        if (b->last_buf || b->last_in_chain) {
            aiobs_strip_finish(&s->strip, ngx_http_aiobs_strip_emit, s);
        }

        if (b->flush || b->last_buf || b->last_in_chain) {
            flags = ngx_http_aiobs_strip_buf(s, 0);
            if (flags == NULL) {
                return NGX_ERROR;
            }

            flags->flush |= b->flush;
            flags->last_buf |= b->last_buf;
            flags->last_in_chain |= b->last_in_chain;
        }
    }

    /* what nginx only held back for more would be busy for ever */

    if (s->out) {
        ngx_http_aiobs_strip_buf(s, 0)->flush = 1;
    }

    return s->failed ? NGX_ERROR : NGX_OK;
}


static ngx_uint_t
ngx_http_aiobs_may_ask(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf)
{
    off_t  n;

    static const char  path[] = "/completions";

    if (!lcf->stream_usage || ctx->llm != lcf || r->method != NGX_HTTP_POST
        || (r->request_body != NULL && !ngx_http_aiobs_body_whole(r))
        || r->uri.len < sizeof(path) - 1
        || ngx_memcmp(r->uri.data + r->uri.len - (sizeof(path) - 1), path,
                      sizeof(path) - 1)
           != 0)
    {
        return 0;
    }

    n = r->headers_in.content_length_n;

    if (n == 0 || (n < 0 && !r->headers_in.chunked)
        || n > (off_t) lcf->stream_usage_limit)
    {
        return 0;
    }

    return !ngx_http_aiobs_signed(r);
}


/* a change would break a signature, a digest, a compressed body */

static ngx_uint_t
ngx_http_aiobs_signed(ngx_http_request_t *r)
{
    ngx_str_t        *name;
    ngx_table_elt_t  *h;

    static ngx_str_t  names[] = {
        ngx_string("content-encoding"),
        ngx_string("content-digest"),
        ngx_string("content-md5"),
        ngx_string("digest"),
        ngx_string("signature"),
        ngx_string("x-amz-content-sha256"),
        ngx_null_string
    };

    for (name = names; name->len; name++) {
        if (ngx_http_aiobs_header_find(&r->headers_in.headers,
                                       (char *) name->data, name->len))
        {
            return 1;
        }
    }

    h = ngx_http_aiobs_header_find(&r->headers_in.headers, "authorization",
                                   sizeof("authorization") - 1);

    return h && h->value.len > 4
           && ngx_strncmp(h->value.data, "AWS4", 4) == 0;
}


void
ngx_http_aiobs_stream_ask(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    aiobs_insertion_t         insertion;
    ngx_http_aiobs_stream_t  *s;
#if (NGX_HTTP_GZIP)
    ngx_table_elt_t          *accept_encoding;
#endif

    s = ctx->stream;

    if (s == NULL || !s->reading) {
        return;
    }

    s->reading = 0;

    if (!aiobs_inject_find(&s->inject, &insertion)
        || ngx_http_aiobs_body_insert(r, &insertion) != NGX_OK)
    {
        return;
    }

    s->asked = 1;

    /*
     * A compressed answer could not be changed.  nginx itself still knows
     * what the client accepts.
     */

#if (NGX_HTTP_GZIP)
    accept_encoding = r->headers_in.accept_encoding;
#endif

    (void) ngx_http_aiobs_headers_in_rebuild(r, ngx_http_aiobs_drop_encoding,
                                             NULL);

#if (NGX_HTTP_GZIP)
    r->headers_in.accept_encoding = accept_encoding;
#endif
}


static ngx_uint_t
ngx_http_aiobs_drop_encoding(ngx_table_elt_t *h, void *data)
{
    return ngx_http_aiobs_header_is(h, "accept-encoding",
                                    sizeof("accept-encoding") - 1);
}


static void
ngx_http_aiobs_strip_emit(void *data, const uint8_t *p, size_t len)
{
    ngx_http_aiobs_stream_t *s = data;

    size_t      n;
    ngx_buf_t  *b;

    while (len) {

        b = ngx_http_aiobs_strip_buf(s, 1);
        if (b == NULL) {
            s->failed = 1;
            return;
        }

        n = ngx_min(len, (size_t) (b->end - b->last));

        b->last = ngx_cpymem(b->last, p, n);
        p += n;
        len -= n;
    }
}


/* the buffer at the end of the chain that goes out; data: one with room */

static ngx_buf_t *
ngx_http_aiobs_strip_buf(ngx_http_aiobs_stream_t *s, ngx_uint_t data)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (s->out) {
        cl = (ngx_chain_t *) ((u_char *) s->last
                              - offsetof(ngx_chain_t, next));
        b = cl->buf;

        if (!data || (b->last < b->end && !b->last_buf)) {
            b->temporary |= data;       /* it may have been for flags only */
            return b;
        }
    }

    cl = ngx_chain_get_free_buf(s->pool, &s->free);
    if (cl == NULL) {
        return NULL;
    }

    b = cl->buf;

    if (b->start == NULL) {
        b->start = ngx_palloc(s->pool, NGX_HTTP_AIOBS_STRIP_BUF);
        if (b->start == NULL) {
            return NULL;
        }

        b->end = b->start + NGX_HTTP_AIOBS_STRIP_BUF;
        b->tag = (ngx_buf_tag_t) &ngx_http_aiobs_module;
    }

    b->pos = b->start;
    b->last = b->start;
    b->temporary = data;
    b->flush = 0;
    b->last_buf = 0;
    b->last_in_chain = 0;

    cl->next = NULL;
    *s->last = cl;
    s->last = &cl->next;

    return b;
}
