
/*
 * Copyright (C) the aiobs authors
 *
 * What leaves the process by HTTP: every exporter has a bounded queue in each
 * worker, and one task of the thread pool that sends.  A receiver that is
 * away, slow or wrong costs its own queue, and nothing else.
 */


#ifndef _NGX_HTTP_AIOBS_EXPORT_H_INCLUDED_
#define _NGX_HTTP_AIOBS_EXPORT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "../net/aiobs_http.h"


#define NGX_HTTP_AIOBS_EXPORT_RETRY_TIME  300000     /* milliseconds */


typedef struct ngx_http_aiobs_exporter_s  ngx_http_aiobs_exporter_t;
typedef struct ngx_http_aiobs_item_s      ngx_http_aiobs_item_t;


/* what one request has to tell a receiver; malloc()ed */

struct ngx_http_aiobs_item_s {
    ngx_http_aiobs_item_t  *next;
    size_t                  len;
    ngx_uint_t              n;          /* spans, events: what is counted */
    ngx_uint_t              kind;       /* the exporter's own */
    u_char                  data[1];
};


/* what the task has at hand; the thread's alone while it is under way */

typedef struct {
    ngx_http_aiobs_item_t  *items;      /* not yet sent, the oldest first */
    ngx_uint_t              taken;      /* by build(): items of the request */
    u_char                 *buf;        /* of the exporter, malloc()ed, kept */
    size_t                  size;
    void                   *data;       /* the type's own, see init() */
} ngx_http_aiobs_batch_t;


typedef enum {
    NGX_HTTP_AIOBS_EXPORT_DONE = 0,
    NGX_HTTP_AIOBS_EXPORT_RETRY,
    NGX_HTTP_AIOBS_EXPORT_DROP
} ngx_http_aiobs_verdict_e;


typedef struct {
    ngx_http_aiobs_verdict_e  what;
    ngx_msec_t                delay;    /* RETRY: as told; 0: back-off */
    ngx_uint_t                rejected; /* DONE: spans not taken, dropped */
    const char               *dropped;  /* DROP: label value; NULL: refused */
    ngx_uint_t                known;    /* DROP: the receiver counts them, so
                                           that dropped() is not called */
    char                      reason[32];   /* label value, of a failure */
    char                      text[AIOBS_HTTP_ERROR_MAX];   /* for the log */
} ngx_http_aiobs_export_verdict_t;


/* a kind of receiver */

typedef struct {
    const char               *name;     /* value of label "exporter" */

    /* worker start: what batch->data is to be; NULL: none needed */
    ngx_int_t               (*init)(void *conf, ngx_http_aiobs_batch_t *batch,
                                    ngx_cycle_t *cycle);

    /*
     * In the thread: the request for the first items of the batch, as many as
     * go into one; sets batch->taken.  NGX_ERROR: no memory; NGX_DECLINED:
     * these are not to be sent, and dropped as "rate_limited".
     */
    ngx_int_t               (*build)(void *conf, ngx_http_aiobs_batch_t *batch,
                                     aiobs_http_request_t *request);

    /* in the thread: what came of it; verdict: zeroed */
    void                    (*judge)(void *conf, ngx_http_aiobs_batch_t *batch,
                                     const aiobs_http_answer_t *answer,
                                     ngx_http_aiobs_export_verdict_t *verdict);

    /* event loop, after each task; NULL: not needed */
    void                    (*done)(void *conf, ngx_http_aiobs_batch_t *batch);

    /* event loop: n of that kind are dropped; NULL: not needed */
    void                    (*dropped)(void *conf, ngx_uint_t kind,
                                       ngx_uint_t n, const char *reason);
} ngx_http_aiobs_exporter_type_t;


/* bounds, in milliseconds, spans or events, and bytes */

typedef struct {
    ngx_msec_t                interval; /* a batch is sent when so old ... */
    ngx_msec_t                retry;    /* ... and again for so long */
    ngx_uint_t                batch;    /* ... or so large */
    ngx_uint_t                queue;    /* items waiting or under way */
    size_t                    bytes;    /* of them */
} ngx_http_aiobs_export_limits_t;


/* --- ngx_http_aiobs_sentry_event.c --- */

/*
 * Event loop: tells Sentry, if there is one, of trouble of our own; at most
 * once a minute of a component, both texts are kept.
 */
void ngx_http_aiobs_sentry_fault(const char *component, const char *message);


/* --- ngx_http_aiobs_export.c --- */

/*
 * At configuration.  exporters: array of all, made when it is NULL.  conf is
 * for the callbacks, which only read it; target: for the log, no secret.
 * NULL: no memory.
 */
ngx_http_aiobs_exporter_t *ngx_http_aiobs_exporter_add(ngx_conf_t *cf,
    ngx_array_t **exporters, const ngx_http_aiobs_exporter_type_t *type,
    void *conf, ngx_str_t *target, ngx_http_aiobs_export_limits_t *limits);

/* in every worker; exporters: NULL if there are none */
ngx_int_t ngx_http_aiobs_export_init_process(ngx_array_t *exporters,
    ngx_thread_pool_t *pool, ngx_cycle_t *cycle);
void ngx_http_aiobs_export_exit_process(ngx_array_t *exporters);

/*
 * Event loop: whether there is no room for any item; n are counted as dropped
 * if so.
 */
ngx_uint_t ngx_http_aiobs_export_full(ngx_http_aiobs_exporter_t *e,
    ngx_uint_t kind, ngx_uint_t n);

/*
 * Event loop: an item with room for len bytes of data.  NULL: no room; n are
 * counted as dropped.
 */
ngx_http_aiobs_item_t *ngx_http_aiobs_export_item(ngx_http_aiobs_exporter_t *e,
    ngx_uint_t kind, ngx_uint_t n, size_t len);

/* queues it; the item is the exporter's from now on */
void ngx_http_aiobs_export_push(ngx_http_aiobs_exporter_t *e,
    ngx_http_aiobs_item_t *item);


/* --- ngx_http_aiobs_export_conf.c --- */

/*
 * Reads the block of the directive of that name: parameters are commands of
 * NGX_CONF_TAKE1, TAKE2 or 1MORE, with offsets in conf.
 */
char *ngx_http_aiobs_export_block(ngx_conf_t *cf, const char *name,
    ngx_command_t *commands, void *conf);

/* a file that workers read, from the directory of the configuration on */
char *ngx_http_aiobs_export_set_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Whether host, which ends with NUL, ":" or "/", is this machine by its name
 * or address: bytes to it cost less than to compress them.
 */
ngx_uint_t ngx_http_aiobs_export_local(u_char *host);

/*
 * HOST[:PORT] up to end: a name, an IPv4 address or an IPv6 one in brackets,
 * and a port from 1 to 65535; anything else is NGX_ERROR.
 */
ngx_int_t ngx_http_aiobs_export_host(u_char *host, u_char *end);


/* --- ngx_http_aiobs_sender.c --- */

/* room for size bytes in batch->buf; NULL: no memory; what is there stays */
u_char *ngx_http_aiobs_batch_room(ngx_http_aiobs_batch_t *batch, size_t size);

/* bytes that len of them take at most, compressed */
size_t ngx_http_aiobs_batch_gzip_bound(size_t len);

/* to: room for *size bytes, which becomes what is used; NGX_ERROR: no memory */
ngx_int_t ngx_http_aiobs_batch_gzip(u_char *from, size_t len, u_char *to,
    size_t *size);

/*
 * The verdict on an answer by HTTP's status, as OTLP/HTTP has it: 2xx done;
 * 429, 502, 503, 504 and what fails on the way are tried again, after
 * Retry-After if it is there; anything else is not.
 */
void ngx_http_aiobs_export_judge(const aiobs_http_answer_t *answer,
    ngx_http_aiobs_export_verdict_t *verdict);

/* milliseconds of Retry-After, a date or seconds; 0: none, or in the past */
ngx_msec_t ngx_http_aiobs_retry_after(const aiobs_http_answer_t *answer);


#endif /* _NGX_HTTP_AIOBS_EXPORT_H_INCLUDED_ */
