
/*
 * Copyright (C) the aiobs authors
 *
 * One scrape: the exposition sent piece by piece as the client takes it, with
 * a turn of the event loop between pieces.
 */


#include "ngx_http_aiobs_exposition.h"


static ngx_http_aiobs_scrape_t *ngx_http_aiobs_scrape_create(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_scrape_header(ngx_http_aiobs_scrape_t *scrape);
static ngx_table_elt_t *ngx_http_aiobs_scrape_push(ngx_http_request_t *r,
    const char *name, const char *value);
static void ngx_http_aiobs_scrape_turn(ngx_http_aiobs_scrape_t *scrape);
static ngx_int_t ngx_http_aiobs_scrape_render(ngx_http_aiobs_scrape_t *scrape);
static ngx_int_t ngx_http_aiobs_scrape_send(ngx_http_aiobs_scrape_t *scrape);
static void ngx_http_aiobs_scrape_wait(ngx_http_aiobs_scrape_t *scrape);
static void ngx_http_aiobs_scrape_event(ngx_event_t *ev);
static void ngx_http_aiobs_scrape_writer(ngx_http_request_t *r);
static ngx_http_aiobs_scrape_t *ngx_http_aiobs_scrape_find(
    ngx_http_request_t *r);
static void ngx_http_aiobs_scrape_cleanup(void *data);


static const ngx_http_aiobs_exposer_t
    *ngx_http_aiobs_exposers[NGX_HTTP_AIOBS_FORMATS] =
{
    &ngx_http_aiobs_text,
    &ngx_http_aiobs_openmetrics,
    &ngx_http_aiobs_protobuf
};


ngx_int_t
ngx_http_aiobs_metrics_handler(ngx_http_request_t *r, ngx_uint_t created)
{
    ngx_int_t                 rc;
    ngx_http_aiobs_scrape_t  *scrape;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_http_aiobs_registry == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    scrape = ngx_http_aiobs_scrape_create(r);
    if (scrape == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    scrape->created = created;

    rc = ngx_http_aiobs_scrape_header(scrape);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    r->main->count++;
    r->write_event_handler = ngx_http_aiobs_scrape_writer;

    ngx_http_aiobs_scrape_turn(scrape);

    return NGX_DONE;
}


static ngx_http_aiobs_scrape_t *
ngx_http_aiobs_scrape_create(ngx_http_request_t *r)
{
    ngx_http_cleanup_t       *cln;
    ngx_http_aiobs_scrape_t  *scrape;

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_aiobs_scrape_t));
    if (cln == NULL) {
        return NULL;
    }

    scrape = cln->data;
    ngx_memzero(scrape, sizeof(ngx_http_aiobs_scrape_t));

    scrape->request = r;
    scrape->metrics = ngx_http_aiobs_registry;
    scrape->exposer = ngx_http_aiobs_exposers[ngx_http_aiobs_accept(r)];

    scrape->event.data = scrape;
    scrape->event.handler = ngx_http_aiobs_scrape_event;
    scrape->event.log = r->connection->log;

    cln->handler = ngx_http_aiobs_scrape_cleanup;

    /* what is included by another document is not compressed for itself */

    if (r == r->main && ngx_http_aiobs_accept_gzip(r)) {
        scrape->gzip = ngx_http_aiobs_gzip_create(r);
        if (scrape->gzip == NULL) {
            return NULL;
        }
    }

    return scrape;
}


static ngx_int_t
ngx_http_aiobs_scrape_header(ngx_http_aiobs_scrape_t *scrape)
{
    u_char              *p;
    ngx_str_t            type;
    ngx_table_elt_t     *encoding;
    ngx_http_request_t  *r;

    r = scrape->request;
    type = scrape->exposer->type;
    p = ngx_strlchr(type.data, type.data + type.len, ';');

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = type;
    r->headers_out.content_type_len = p - type.data;
    r->headers_out.content_type_lowcase = NULL;

    if (ngx_http_aiobs_scrape_push(r, "Vary", "Accept, Accept-Encoding")
        == NULL)
    {
        return NGX_ERROR;
    }

    if (scrape->gzip) {
        encoding = ngx_http_aiobs_scrape_push(r, "Content-Encoding", "gzip");
        if (encoding == NULL) {
            return NGX_ERROR;
        }

        r->headers_out.content_encoding = encoding;
    }

    return ngx_http_send_header(r);
}


static ngx_table_elt_t *
ngx_http_aiobs_scrape_push(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);

    if (h) {
        ngx_memzero(h, sizeof(ngx_table_elt_t));

        h->hash = 1;
        h->key.data = (u_char *) name;
        h->key.len = ngx_strlen(name);
        h->value.data = (u_char *) value;
        h->value.len = ngx_strlen(value);
    }

    return h;
}


/* renders and sends the next piece; r may be gone afterwards */

static void
ngx_http_aiobs_scrape_turn(ngx_http_aiobs_scrape_t *scrape)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = scrape->request;

    if (ngx_http_aiobs_scrape_render(scrape) == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    /* what is compressed may be too little to come out yet */

    rc = (scrape->out || scrape->ended) ? ngx_http_aiobs_scrape_send(scrape)
                                        : NGX_OK;

    if (rc == NGX_ERROR || scrape->ended) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    ngx_http_aiobs_scrape_wait(scrape);
}


static ngx_int_t
ngx_http_aiobs_scrape_render(ngx_http_aiobs_scrape_t *scrape)
{
    ngx_int_t  rc;

    if (scrape->compressing) {
        scrape->out = NULL;             /* is with the client, or was sent */

    } else {
        rc = ngx_http_aiobs_expose(scrape);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        scrape->rendered = (rc == NGX_OK);
    }

    if (scrape->gzip == NULL) {
        scrape->ended = scrape->rendered;
        return NGX_OK;
    }

    rc = ngx_http_aiobs_gzip(scrape);

    scrape->compressing = (rc == NGX_AGAIN);
    scrape->ended = (rc == NGX_OK && scrape->rendered);

    return rc;
}


static ngx_int_t
ngx_http_aiobs_scrape_send(ngx_http_aiobs_scrape_t *scrape)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = scrape->request;

    if (scrape->ended) {

        if (scrape->tail == NULL) {
            return ngx_http_send_special(r, NGX_HTTP_LAST);
        }

        scrape->tail->buf->last_buf = (r == r->main);
        scrape->tail->buf->last_in_chain = 1;
    }

    rc = ngx_http_output_filter(r, scrape->out);

    ngx_chain_update_chains(r->pool, &scrape->free, &scrape->busy,
                            &scrape->out,
                            (ngx_buf_tag_t) &ngx_http_aiobs_families);

    return rc;
}


/*
 * For the client, or for nothing but other events' turn.  The timer is also
 * what keeps a worker alive that is about to quit.
 */

static void
ngx_http_aiobs_scrape_wait(ngx_http_aiobs_scrape_t *scrape)
{
    ngx_event_t               *wev;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = scrape->request;
    wev = r->connection->write;
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!wev->delayed) {
        ngx_add_timer(wev, clcf->send_timeout);
    }

    /* a little that nginx holds back is not what the client is to take */

    if (scrape->busy == NULL || !r->connection->buffered) {
        ngx_post_event(&scrape->event, &ngx_posted_next_events);
        return;
    }

    if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_ERROR);
    }
}


static void
ngx_http_aiobs_scrape_event(ngx_event_t *ev)
{
    ngx_connection_t         *c;
    ngx_http_aiobs_scrape_t  *scrape;

    scrape = ev->data;
    c = scrape->request->connection;

    ngx_http_set_log_request(c->log, scrape->request);

    ngx_http_aiobs_scrape_turn(scrape);

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_aiobs_scrape_writer(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_connection_t         *c;
    ngx_http_aiobs_scrape_t  *scrape;

    c = r->connection;

    scrape = ngx_http_aiobs_scrape_find(r);
    if (scrape == NULL) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    if (c->write->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client timed out");
        c->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (scrape->event.posted) {
        return;
    }

    if (!c->write->delayed) {

        scrape->out = NULL;
        rc = ngx_http_aiobs_scrape_send(scrape);

        if (rc == NGX_ERROR) {
            ngx_http_finalize_request(r, rc);
            return;
        }
    }

    ngx_http_aiobs_scrape_wait(scrape);
}


/* subrequests have their own, all on the list of the main request */

static ngx_http_aiobs_scrape_t *
ngx_http_aiobs_scrape_find(ngx_http_request_t *r)
{
    ngx_http_cleanup_t       *cln;
    ngx_http_aiobs_scrape_t  *scrape;

    for (cln = r->main->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_http_aiobs_scrape_cleanup) {
            continue;
        }

        scrape = cln->data;

        if (scrape->request == r) {
            return scrape;
        }
    }

    return NULL;
}


static void
ngx_http_aiobs_scrape_cleanup(void *data)
{
    ngx_http_aiobs_scrape_t *scrape = data;

    if (scrape->event.posted) {
        ngx_delete_posted_event(&scrape->event);
    }
}
