
/*
 * Copyright (C) the aiobs authors
 *
 * The exposition compressed, piece by piece as it is rendered.
 */


#include "ngx_http_aiobs_exposition.h"

#include <zlib.h>


/* most of it repeats what stands close by: more effort gains little */

#define NGX_HTTP_AIOBS_GZIP_LEVEL   1
#define NGX_HTTP_AIOBS_GZIP_MEMORY  8

/* bytes taken in one turn: this is most of what a scrape costs */

#define NGX_HTTP_AIOBS_GZIP_TURN    8192


struct ngx_http_aiobs_gzip_s {
    z_stream                 stream;
    ngx_chain_t             *in;        /* rendered, not taken yet */
    ngx_chain_t             *out;
    ngx_chain_t             *tail;
};


static void *ngx_http_aiobs_gzip_alloc(void *opaque, u_int items, u_int size);
static void ngx_http_aiobs_gzip_free(void *opaque, void *address);
static ngx_int_t ngx_http_aiobs_gzip_take(ngx_http_aiobs_scrape_t *scrape,
    size_t size);
static ngx_int_t ngx_http_aiobs_gzip_deflate(ngx_http_aiobs_scrape_t *scrape,
    u_char *p, size_t len, int flush);
static void ngx_http_aiobs_gzip_trim(ngx_http_aiobs_scrape_t *scrape);
static ngx_int_t ngx_http_aiobs_gzip_room(ngx_http_aiobs_scrape_t *scrape);


ngx_http_aiobs_gzip_t *
ngx_http_aiobs_gzip_create(ngx_http_request_t *r)
{
    ngx_http_aiobs_gzip_t  *gzip;

    gzip = ngx_pcalloc(r->pool, sizeof(ngx_http_aiobs_gzip_t));
    if (gzip == NULL) {
        return NULL;
    }

    gzip->stream.zalloc = ngx_http_aiobs_gzip_alloc;
    gzip->stream.zfree = ngx_http_aiobs_gzip_free;
    gzip->stream.opaque = r->pool;

    /* 16: with the header and the trailer of gzip */

    if (deflateInit2(&gzip->stream, NGX_HTTP_AIOBS_GZIP_LEVEL, Z_DEFLATED,
                     MAX_WBITS + 16, NGX_HTTP_AIOBS_GZIP_MEMORY,
                     Z_DEFAULT_STRATEGY)
        != Z_OK)
    {
        return NULL;
    }

    return gzip;
}


static void *
ngx_http_aiobs_gzip_alloc(void *opaque, u_int items, u_int size)
{
    return ngx_palloc(opaque, (size_t) items * size);
}


/* with the request */

static void
ngx_http_aiobs_gzip_free(void *opaque, void *address)
{
}


ngx_int_t
ngx_http_aiobs_gzip(ngx_http_aiobs_scrape_t *scrape)
{
    ngx_http_aiobs_gzip_t  *gzip;

    gzip = scrape->gzip;
    gzip->out = NULL;
    gzip->tail = NULL;

    if (scrape->out) {
        gzip->in = scrape->out;         /* what was there is taken */
        scrape->out = NULL;
    }

    if (ngx_http_aiobs_gzip_take(scrape, NGX_HTTP_AIOBS_GZIP_TURN) != NGX_OK) {
        return NGX_ERROR;
    }

    if (gzip->in == NULL && scrape->rendered
        && ngx_http_aiobs_gzip_deflate(scrape, NULL, 0, Z_FINISH) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_aiobs_gzip_trim(scrape);

    return gzip->in ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_gzip_take(ngx_http_aiobs_scrape_t *scrape, size_t size)
{
    size_t                  len;
    ngx_buf_t              *b;
    ngx_chain_t            *cl;
    ngx_http_aiobs_gzip_t  *gzip;

    gzip = scrape->gzip;

    while (gzip->in && size) {
        cl = gzip->in;
        b = cl->buf;

        len = ngx_min((size_t) (b->last - b->pos), size);

        if (ngx_http_aiobs_gzip_deflate(scrape, b->pos, len, Z_NO_FLUSH)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        b->pos += len;
        size -= len;

        if (b->pos < b->last) {
            break;
        }

        b->pos = b->start;
        b->last = b->start;
        gzip->in = cl->next;
        cl->next = scrape->free;
        scrape->free = cl;
    }

    return NGX_OK;
}


/* a page that nothing came into is no buffer to send */

static void
ngx_http_aiobs_gzip_trim(ngx_http_aiobs_scrape_t *scrape)
{
    ngx_chain_t            *tail, **last;
    ngx_http_aiobs_gzip_t  *gzip;

    gzip = scrape->gzip;
    tail = gzip->tail;

    scrape->out = gzip->out;
    scrape->tail = NULL;

    for (last = &scrape->out; *last; last = &(*last)->next) {

        if (*last == tail && tail->buf->pos == tail->buf->last) {
            *last = NULL;
            tail->next = scrape->free;
            scrape->free = tail;
            break;
        }

        scrape->tail = *last;
    }
}


static ngx_int_t
ngx_http_aiobs_gzip_deflate(ngx_http_aiobs_scrape_t *scrape, u_char *p,
    size_t len, int flush)
{
    int        rc;
    z_stream  *stream;

    stream = &scrape->gzip->stream;

    stream->next_in = p;
    stream->avail_in = len;

    do {
        if (ngx_http_aiobs_gzip_room(scrape) != NGX_OK) {
            return NGX_ERROR;
        }

        rc = deflate(stream, flush);

        scrape->gzip->tail->buf->last = stream->next_out;

        if (rc == Z_STREAM_ERROR) {
            return NGX_ERROR;
        }

    } while (stream->avail_out == 0);

    return NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_gzip_room(ngx_http_aiobs_scrape_t *scrape)
{
    ngx_buf_t              *b;
    ngx_chain_t            *cl;
    ngx_http_aiobs_gzip_t  *gzip;

    gzip = scrape->gzip;

    if (gzip->tail == NULL || gzip->tail->buf->last == gzip->tail->buf->end) {

        cl = ngx_http_aiobs_expose_page(scrape);
        if (cl == NULL) {
            return NGX_ERROR;
        }

        if (gzip->tail) {
            gzip->tail->next = cl;

        } else {
            gzip->out = cl;
        }

        gzip->tail = cl;
    }

    b = gzip->tail->buf;

    gzip->stream.next_out = b->last;
    gzip->stream.avail_out = b->end - b->last;

    return NGX_OK;
}
