
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the metrics room: one scrape, and the formats it may come in.
 */


#ifndef _NGX_HTTP_AIOBS_EXPOSITION_H_INCLUDED_
#define _NGX_HTTP_AIOBS_EXPOSITION_H_INCLUDED_


#include "ngx_http_aiobs_families.h"
#include "aiobs_wire.h"


#define NGX_HTTP_AIOBS_PAGE    65536        /* bytes of a buffer */


typedef struct ngx_http_aiobs_gzip_s  ngx_http_aiobs_gzip_t;

typedef enum {
    NGX_HTTP_AIOBS_TEXT = 0,                /* Prometheus text 0.0.4 */
    NGX_HTTP_AIOBS_OPENMETRICS,             /* OpenMetrics text 1.0.0 */
    NGX_HTTP_AIOBS_PROTOBUF,                /* io.prometheus.client */
    NGX_HTTP_AIOBS_FORMATS
} ngx_http_aiobs_format_e;


/* a series as it was at one moment; buckets each for itself */

typedef struct {
    uint64_t                         value;     /* of a histogram the sum */
    uint64_t                         count;
    uint64_t                         buckets[NGX_HTTP_AIOBS_BUCKETS_MAX + 1];
    ngx_uint_t                       native;    /* has such buckets */
    uint64_t                         native_count;
    uint64_t                         native_buckets[NGX_HTTP_AIOBS_NATIVE_N];
    time_t                           created;   /* 0: not of this type */
    ngx_uint_t                       exemplars_n;
    ngx_http_aiobs_exemplar_t        exemplars[NGX_HTTP_AIOBS_EXEMPLARS_MAX];
} ngx_http_aiobs_snapshot_t;


/*
 * A format.  labels: values as in a series.  flush: what was begun is to be
 * ended, since the family or the piece ends here; begin is not called again
 * when the family goes on in the next piece.
 */

typedef struct {
    ngx_str_t                        type;      /* Content-Type */
    ngx_uint_t                       exemplars; /* are shown */
    ngx_uint_t                       native;    /* so are these histograms */

    void (*begin)(ngx_http_aiobs_scrape_t *scrape,
        const ngx_http_aiobs_family_t *f);
    void (*show)(ngx_http_aiobs_scrape_t *scrape,
        const ngx_http_aiobs_family_t *f, u_char *labels,
        ngx_http_aiobs_snapshot_t *snapshot);
    void (*flush)(ngx_http_aiobs_scrape_t *scrape);
    void (*end)(ngx_http_aiobs_scrape_t *scrape);
} ngx_http_aiobs_exposer_t;


/* a bucket's label as it is written, and what ends the labels */

typedef struct {
    size_t                           len;
    u_char                           text[AIOBS_NUMBER_MAX + 8];
} ngx_http_aiobs_le_t;


struct ngx_http_aiobs_scrape_s {
    ngx_http_request_t              *request;
    ngx_http_aiobs_metrics_t        *metrics;
    const ngx_http_aiobs_exposer_t  *exposer;
    ngx_uint_t                       created;   /* is asked for */
    ngx_http_aiobs_gzip_t           *gzip;      /* NULL: sent as it is */

    void                            *sessions;  /* looked at by the agents */
    ngx_uint_t                       sessions_next;
    ngx_uint_t                       begun;     /* what is first is done */

    ngx_uint_t                       next;      /* family, the cursor */
    ngx_http_aiobs_series_t         *series;    /* the cursor inside */
    ngx_str_t                        name;      /* of the family */
    const ngx_http_aiobs_family_t   *family;
    u_char                          *message;   /* of protobuf, begun in tail */
    u_char                          *last;      /* its end so far */
    ngx_uint_t                       rendered;  /* all of it */
    ngx_uint_t                       compressing;  /* a piece, by turns */
    ngx_uint_t                       ended;     /* out is the last of it */

    ngx_chain_t                     *out;       /* rendered in this turn */
    ngx_chain_t                     *tail;
    ngx_chain_t                     *free;
    ngx_chain_t                     *busy;
    size_t                           size;      /* of out */
    ngx_uint_t                       failed;    /* out of memory */

    ngx_event_t                      event;     /* the next turn */

    ngx_http_aiobs_live_t            live;
    ngx_http_aiobs_le_t              le[NGX_HTTP_AIOBS_BUCKETS_MAX + 1];
    ngx_http_aiobs_snapshot_t        snapshot;
};


/* --- ngx_http_aiobs_accept.c --- */

/* by "Accept", the best that is offered; text if nothing is asked for */
ngx_http_aiobs_format_e ngx_http_aiobs_accept(ngx_http_request_t *r);

/* whether "Accept-Encoding" allows gzip */
ngx_uint_t ngx_http_aiobs_accept_gzip(ngx_http_request_t *r);


/* --- ngx_http_aiobs_exposition.c --- */

/*
 * Renders the next piece into scrape->out.  NGX_OK: that was the last one,
 * NGX_AGAIN: there is more, NGX_ERROR: out of memory.
 */
ngx_int_t ngx_http_aiobs_expose(ngx_http_aiobs_scrape_t *scrape);

/*
 * Room for size bytes, at most NGX_HTTP_AIOBS_PAGE, in scrape->tail, or NULL;
 * done: they were written up to p.
 */
u_char *ngx_http_aiobs_expose_room(ngx_http_aiobs_scrape_t *scrape,
    size_t size);
void ngx_http_aiobs_expose_done(ngx_http_aiobs_scrape_t *scrape, u_char *p);

/* a buffer of a page for a chain of the scrape; NULL: no memory */
ngx_chain_t *ngx_http_aiobs_expose_page(ngx_http_aiobs_scrape_t *scrape);


/* --- ngx_http_aiobs_snapshot.c --- */

void ngx_http_aiobs_snapshot(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_series_t *s);


/* --- ngx_http_aiobs_text.c, ngx_http_aiobs_protobuf.c --- */

extern const ngx_http_aiobs_exposer_t  ngx_http_aiobs_text;
extern const ngx_http_aiobs_exposer_t  ngx_http_aiobs_openmetrics;
extern const ngx_http_aiobs_exposer_t  ngx_http_aiobs_protobuf;


/* --- ngx_http_aiobs_protobuf_native.c --- */

/* the fields of a message Histogram that tell of native buckets */
void ngx_http_aiobs_protobuf_native(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_snapshot_t *snapshot);


/* --- ngx_http_aiobs_gzip.c --- */

/* NULL: no memory */
ngx_http_aiobs_gzip_t *ngx_http_aiobs_gzip_create(ngx_http_request_t *r);

/*
 * Puts in place of scrape->out what it is compressed, perhaps nothing yet.
 * NGX_AGAIN: some of it is left for another turn, before which nothing is to
 * be rendered; NGX_OK: nothing is, and if all was rendered this is the end.
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_http_aiobs_gzip(ngx_http_aiobs_scrape_t *scrape);


#endif /* _NGX_HTTP_AIOBS_EXPOSITION_H_INCLUDED_ */
