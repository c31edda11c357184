
/*
 * Copyright (C) the aiobs authors
 *
 * How answers pass: streams event by event, and whatever comes in plenty by
 * fewer system calls, in the memory that nginx was allowed.
 */


#include "ngx_http_aiobs_request.h"


#define NGX_HTTP_AIOBS_BURST  16384     /* bytes of a stream read at once */


static void ngx_http_aiobs_passing_stream(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_passing_burst(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_passing_wide(ngx_http_upstream_t *u);


void
ngx_http_aiobs_passing_header(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    off_t                        len;
    ngx_http_upstream_t         *u;
    ngx_http_aiobs_main_conf_t  *amcf;

    u = r->upstream;

    if (aiobs_usage_is_stream(ctx->usage)) {
        ngx_http_aiobs_passing_stream(r, ctx);
        return;
    }

    len = u->headers_in.content_length_n;

    if (!u->buffering || u->upgrade
        || (len >= 0 && len <= (off_t) u->conf->busy_buffers_size)
        || u->conf->busy_buffers_size_conf != NGX_CONF_UNSET_SIZE)
    {
        return;                     /* one write does, or it is configured */
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (amcf->proxy && u->output.tag == (ngx_buf_tag_t) amcf->proxy) {
        ctx->passing = NGX_HTTP_AIOBS_PASSING_WIDE;
    }
}


void
ngx_http_aiobs_passing_body(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    if (ctx->passing == NGX_HTTP_AIOBS_PASSING_BURST) {
        ngx_http_aiobs_passing_burst(r, ctx);

    } else {
        ngx_http_aiobs_passing_wide(r->upstream);
    }
}


/* events reach the client when they come, whatever proxy_buffering says */

static void
ngx_http_aiobs_passing_stream(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_upstream_t         *u;
    ngx_http_aiobs_main_conf_t  *amcf;

    u = r->upstream;

    if (u->buffering) {

        if (u->store) {
            return;
        }

#if (NGX_HTTP_CACHE)
        if (u->cacheable) {
            return;
        }
#endif

        u->buffering = 0;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (amcf->proxy && !u->upgrade
        && u->output.tag == (ngx_buf_tag_t) amcf->proxy)
    {
        ctx->passing = NGX_HTTP_AIOBS_PASSING_BURST;
    }
}


/*
 * nginx reads a stream into u->buffer, from its beginning again whenever all
 * of it was sent.  When a read has filled it more is waiting, most likely: from
 * now on there is room for more at once.
 *
 * The filters of the proxy module keep nothing in that buffer from one read to
 * the next, and this runs between two of them.  What a slow client has not yet
 * taken stays where it is, chains point to it: no read will go there any more.
 */

static void
ngx_http_aiobs_passing_burst(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    u_char               *p;
    ngx_buf_t            *b;
    ngx_http_upstream_t  *u;

    u = r->upstream;
    b = &u->buffer;

    if (b->last != b->end || !u->header_sent) {
        return;
    }

    ctx->passing = NGX_HTTP_AIOBS_PASSING;

    if (b->end - b->start >= NGX_HTTP_AIOBS_BURST) {
        return;                     /* proxy_buffer_size says so */
    }

    p = ngx_palloc(r->pool, NGX_HTTP_AIOBS_BURST);
    if (p == NULL) {
        return;
    }

    b->start = p;
    b->pos = p;
    b->last = p;
    b->end = p + NGX_HTTP_AIOBS_BURST;
}


/*
 * nginx writes what fills proxy_busy_buffers_size at a time, of the buffers of
 * which a read fills all.  Once the first bytes are on their way, and as long
 * as the client takes whatever it is given, it may write all of them but one:
 * more would be refused in its configuration.  What is not yet taken counts
 * against what nginx would have itself, which leaves it buffers to read into
 * and to fill a file from.
 */

static void
ngx_http_aiobs_passing_wide(ngx_http_upstream_t *u)
{
    ngx_event_pipe_t  *p;

    p = u->pipe;

    if (!u->header_sent || p->cacheable) {
        return;
    }

    p->busy_size = p->busy ? u->conf->busy_buffers_size
                   : (p->bufs.num - 1) * p->bufs.size;
}
