
/*
 * Copyright (C) the aiobs authors
 *
 * Exposition: family by family without a lock, a bounded piece at a time, in
 * whatever format.
 */


#include "ngx_http_aiobs_exposition.h"


#define NGX_HTTP_AIOBS_PIECE   32768    /* bytes, and the rest of a series */


/* a message of protobuf that was begun is no part of size yet */

#define ngx_http_aiobs_expose_size(scrape)                                    \
    ((scrape)->size                                                           \
     + ((scrape)->message ? (size_t) ((scrape)->last - (scrape)->message) : 0))


static ngx_uint_t ngx_http_aiobs_expose_next(ngx_http_aiobs_scrape_t *scrape);
static void ngx_http_aiobs_expose_begin(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);


ngx_int_t
ngx_http_aiobs_expose(ngx_http_aiobs_scrape_t *scrape)
{
    ngx_int_t                       rc;
    ngx_uint_t                      family;
    const ngx_http_aiobs_family_t  *f;

    scrape->out = NULL;
    scrape->tail = NULL;
    scrape->size = 0;

    if (!scrape->begun) {
        rc = ngx_http_aiobs_collect_begin(scrape);
        if (rc != NGX_OK) {
            return rc;
        }

        scrape->begun = 1;
    }

    while (ngx_http_aiobs_expose_size(scrape) < NGX_HTTP_AIOBS_PIECE
           && !scrape->failed)
    {

        if (scrape->series) {
            family = scrape->next - 1;
            f = &ngx_http_aiobs_families[family];

            ngx_http_aiobs_snapshot(scrape, f, scrape->series);

            scrape->exposer->show(scrape, f,
                                  ngx_http_aiobs_series_labels(scrape->series),
                                  &scrape->snapshot);

            scrape->series = scrape->series->next;
            continue;
        }

        scrape->exposer->flush(scrape);

        if (ngx_http_aiobs_expose_next(scrape)) {
            continue;
        }

        scrape->exposer->end(scrape);

        return scrape->failed ? NGX_ERROR : NGX_OK;
    }

    scrape->exposer->flush(scrape);

    return scrape->failed ? NGX_ERROR : NGX_AGAIN;
}


/* moves the cursor to the next family that has something to show */

static ngx_uint_t
ngx_http_aiobs_expose_next(ngx_http_aiobs_scrape_t *scrape)
{
    ngx_http_aiobs_series_t        *s;
    const ngx_http_aiobs_family_t  *f;

    while (scrape->next < NGX_HTTP_AIOBS_FAMILY_LAST) {

        f = &ngx_http_aiobs_families[scrape->next];
        s = scrape->metrics->families[scrape->next].first;
        scrape->next++;

        if (!ngx_http_aiobs_metrics_chosen(f - ngx_http_aiobs_families)) {
            continue;
        }

        if (f->collect) {
            ngx_http_aiobs_expose_begin(scrape, f);
            f->collect(scrape, f);
            return 1;
        }

        if (s) {
            ngx_http_aiobs_expose_begin(scrape, f);
            scrape->series = s;
            return 1;
        }

        /* what has no labels is 0 before it is counted for the first time */

        if (f->labels[0] == NULL && f->type == NGX_HTTP_AIOBS_COUNTER) {
            ngx_http_aiobs_expose_begin(scrape, f);
            ngx_http_aiobs_expose_sample(scrape, f, NULL, 0);
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_aiobs_expose_begin(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    scrape->name.data = (u_char *) f->name;
    scrape->name.len = ngx_strlen(f->name);
    scrape->family = f;

    if (f->type == NGX_HTTP_AIOBS_GAUGE) {
        ngx_http_aiobs_gauges_live(scrape->metrics, &scrape->live);
    }

    scrape->exposer->begin(scrape, f);
}


void
ngx_http_aiobs_expose_sample(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, const ngx_str_t *labels, uint64_t value)
{
    ngx_http_aiobs_labels_t  key;

    ngx_http_aiobs_labels(&key, f - ngx_http_aiobs_families, labels);

    scrape->snapshot.value = value;
    scrape->snapshot.exemplars_n = 0;
    scrape->snapshot.created = f->type == NGX_HTTP_AIOBS_COUNTER
                               ? (time_t) scrape->metrics->started : 0;

    scrape->exposer->show(scrape, f, key.data, &scrape->snapshot);
}


const char *
ngx_http_aiobs_suffix(const ngx_http_aiobs_family_t *f)
{
    switch (f->type) {
    case NGX_HTTP_AIOBS_COUNTER:
        return "_total";
    case NGX_HTTP_AIOBS_INFO:
        return "_info";
    default:
        return "";
    }
}


u_char *
ngx_http_aiobs_expose_room(ngx_http_aiobs_scrape_t *scrape, size_t size)
{
    ngx_chain_t  *cl;

    if (scrape->tail
        && (size_t) (scrape->tail->buf->end - scrape->tail->buf->last) >= size)
    {
        return scrape->tail->buf->last;
    }

    cl = ngx_http_aiobs_expose_page(scrape);
    if (cl == NULL) {
        return NULL;
    }

    if (scrape->tail) {
        scrape->tail->next = cl;

    } else {
        scrape->out = cl;
    }

    scrape->tail = cl;

    return cl->buf->last;
}


void
ngx_http_aiobs_expose_done(ngx_http_aiobs_scrape_t *scrape, u_char *p)
{
    scrape->size += p - scrape->tail->buf->last;
    scrape->tail->buf->last = p;
}


ngx_chain_t *
ngx_http_aiobs_expose_page(ngx_http_aiobs_scrape_t *scrape)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(scrape->request->pool, &scrape->free);

    if (cl && cl->buf->start == NULL) {
        b = cl->buf;

        b->start = ngx_palloc(scrape->request->pool, NGX_HTTP_AIOBS_PAGE);
        if (b->start == NULL) {
            cl = NULL;

        } else {
            b->pos = b->start;
            b->last = b->start;
            b->end = b->start + NGX_HTTP_AIOBS_PAGE;
            b->temporary = 1;
            b->tag = (ngx_buf_tag_t) &ngx_http_aiobs_families;
        }
    }

    if (cl == NULL) {
        scrape->failed = 1;
    }

    return cl;
}
