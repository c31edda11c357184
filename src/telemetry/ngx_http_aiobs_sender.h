
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the exporters: what the queue and the task share.
 */


#ifndef _NGX_HTTP_AIOBS_SENDER_H_INCLUDED_
#define _NGX_HTTP_AIOBS_SENDER_H_INCLUDED_


#include "ngx_http_aiobs_export.h"
#include "../metrics/ngx_http_aiobs_metrics.h"


/* all that the thread sees */

typedef struct {
    const ngx_http_aiobs_exporter_type_t  *type;
    void                                  *conf;
    aiobs_http_t                          *http;

    ngx_http_aiobs_batch_t                 batch;
    ngx_http_aiobs_export_verdict_t        verdict; /* of the last request */

    /* results, since the task began */
    ngx_uint_t                             sent;
    ngx_uint_t                             rejected;
    ngx_uint_t                             items;   /* freed */
    size_t                                 bytes;   /* of them */

    volatile sig_atomic_t                  give_up;
} ngx_http_aiobs_sender_job_t;


/* an exporter, in the event loop */

struct ngx_http_aiobs_exporter_s {
    const ngx_http_aiobs_exporter_type_t  *type;
    void                                  *conf;
    ngx_str_t                              target;
    ngx_http_aiobs_export_limits_t         limits;

    /* of the worker */
    ngx_thread_pool_t                     *pool;
    ngx_thread_task_t                     *task;
    ngx_http_aiobs_sender_job_t           *job;
    ngx_log_t                             *log;
    ngx_event_t                            timer;
    ngx_atomic_t                          *gauge;

    ngx_http_aiobs_item_t                 *first;   /* waiting */
    ngx_http_aiobs_item_t                **last;
    ngx_uint_t                             waiting; /* n of them */
    ngx_uint_t                             items;   /* under way as well */
    size_t                                 bytes;   /* of these */
    ngx_msec_t                             since;   /* the first came */

    ngx_uint_t                             tries;   /* of the batch */
    ngx_msec_t                             tried;   /* first */
    ngx_msec_t                             pause;   /* until, if paused */
    ngx_msec_t                             deadline;

    ngx_uint_t                             lost;    /* since last said */
    time_t                                 complained;
    char                                   text[AIOBS_HTTP_ERROR_MAX];

    unsigned                               busy:1;
    unsigned                               paused:1;
    unsigned                               told:1;  /* to pause */
    unsigned                               leaving:1;
    unsigned                               failed:1;
};


/* --- ngx_http_aiobs_export_result.c --- */

/* what the task has sent, also if its last request failed */
void ngx_http_aiobs_export_account(ngx_http_aiobs_exporter_t *e);

/* its last request failed: the items of it are dropped, or kept for later */
void ngx_http_aiobs_export_failed(ngx_http_aiobs_exporter_t *e);

/* whatever waits or is under way; the task has ended */
void ngx_http_aiobs_export_drop_all(ngx_http_aiobs_exporter_t *e,
    const char *reason);

/* counts n as dropped */
void ngx_http_aiobs_export_lose(ngx_http_aiobs_exporter_t *e,
    ngx_uint_t kind, ngx_uint_t n, const char *reason);

/* tells the error log, now and then; why: if nothing has failed */
void ngx_http_aiobs_export_complain(ngx_http_aiobs_exporter_t *e,
    const char *why);


/* --- ngx_http_aiobs_sender.c --- */

/* in the thread: sends all items of the batch, up to the first that fails */
void ngx_http_aiobs_sender(void *data, ngx_log_t *log);


#endif /* _NGX_HTTP_AIOBS_SENDER_H_INCLUDED_ */
