
/*
 * Copyright (C) the aiobs authors
 *
 * The queue of an exporter, in the event loop: bounded, sent by size and time,
 * tried again with back-off, drained when the worker is to exit.
 */


#include "ngx_http_aiobs_sender.h"


/* milliseconds */
#define NGX_HTTP_AIOBS_EXPORT_TICK       100
#define NGX_HTTP_AIOBS_EXPORT_EXIT       2000

/* bytes of a batch: servers of gRPC refuse messages of more than 4 MiB */
#define NGX_HTTP_AIOBS_EXPORT_MESSAGE    (3 * 1024 * 1024)


static ngx_int_t ngx_http_aiobs_exporter_start(ngx_http_aiobs_exporter_t *e,
    ngx_thread_pool_t *pool, ngx_cycle_t *cycle);
static void ngx_http_aiobs_export_timer(ngx_event_t *ev);
static void ngx_http_aiobs_export_arm(ngx_http_aiobs_exporter_t *e);
static ngx_uint_t ngx_http_aiobs_export_due(ngx_http_aiobs_exporter_t *e);
static ngx_uint_t ngx_http_aiobs_export_leave(ngx_http_aiobs_exporter_t *e);
static void ngx_http_aiobs_export_start(ngx_http_aiobs_exporter_t *e);
static void ngx_http_aiobs_export_take(ngx_http_aiobs_exporter_t *e);
static void ngx_http_aiobs_export_done(ngx_event_t *ev);


ngx_http_aiobs_exporter_t *
ngx_http_aiobs_exporter_add(ngx_conf_t *cf, ngx_array_t **exporters,
    const ngx_http_aiobs_exporter_type_t *type, void *conf, ngx_str_t *target,
    ngx_http_aiobs_export_limits_t *limits)
{
    ngx_http_aiobs_exporter_t  *e, **ep;

    if (*exporters == NULL) {
        *exporters = ngx_array_create(cf->pool, 2,
                                      sizeof(ngx_http_aiobs_exporter_t *));
        if (*exporters == NULL) {
            return NULL;
        }
    }

    e = ngx_pcalloc(cf->pool, sizeof(ngx_http_aiobs_exporter_t));
    ep = ngx_array_push(*exporters);

    if (e == NULL || ep == NULL) {
        return NULL;
    }

    e->type = type;
    e->conf = conf;
    e->target = *target;
    e->limits = *limits;
    e->last = &e->first;

    *ep = e;

    return e;
}


ngx_int_t
ngx_http_aiobs_export_init_process(ngx_array_t *exporters,
    ngx_thread_pool_t *pool, ngx_cycle_t *cycle)
{
    ngx_uint_t                   i;
    ngx_http_aiobs_exporter_t  **e;

    if (exporters == NULL) {
        return NGX_OK;
    }

    if (aiobs_http_init() != 0) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "aiobs: libcurl cannot be used");
        return NGX_ERROR;
    }

    e = exporters->elts;

    for (i = 0; i < exporters->nelts; i++) {
        if (ngx_http_aiobs_exporter_start(e[i], pool, cycle) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_exporter_start(ngx_http_aiobs_exporter_t *e,
    ngx_thread_pool_t *pool, ngx_cycle_t *cycle)
{
    ngx_str_t  label;

    e->task = ngx_thread_task_alloc(cycle->pool,
                                    sizeof(ngx_http_aiobs_sender_job_t));
    if (e->task == NULL) {
        return NGX_ERROR;
    }

    e->pool = pool;
    e->log = cycle->log;
    e->job = e->task->ctx;

    ngx_memzero(e->job, sizeof(ngx_http_aiobs_sender_job_t));

    e->job->type = e->type;
    e->job->conf = e->conf;

    e->task->handler = ngx_http_aiobs_sender;
    e->task->event.handler = ngx_http_aiobs_export_done;
    e->task->event.data = e;
    e->task->event.log = cycle->log;

    e->timer.handler = ngx_http_aiobs_export_timer;
    e->timer.data = e;
    e->timer.log = cycle->log;

    label.data = (u_char *) e->type->name;
    label.len = ngx_strlen(e->type->name);

    e->gauge = ngx_http_aiobs_metrics_up(NGX_HTTP_AIOBS_EXPORT_QUEUE, &label);
    ngx_http_aiobs_metrics_set(e->gauge, 0);

    return e->type->init ? e->type->init(e->conf, &e->job->batch, cycle)
                         : NGX_OK;
}


/* the threads are gone: a task's results are there, if unseen */

void
ngx_http_aiobs_export_exit_process(ngx_array_t *exporters)
{
    ngx_uint_t                   i;
    ngx_http_aiobs_exporter_t  **e;

    e = exporters ? exporters->elts : NULL;

    for (i = 0; e && i < exporters->nelts; i++) {

        if (e[i]->task == NULL) {
            continue;
        }

        ngx_http_aiobs_export_account(e[i]);
        ngx_http_aiobs_export_drop_all(e[i], "exit");

        aiobs_http_free(e[i]->job->http);
        free(e[i]->job->batch.buf);
    }
}


ngx_uint_t
ngx_http_aiobs_export_full(ngx_http_aiobs_exporter_t *e, ngx_uint_t kind,
    ngx_uint_t n)
{
    if (e->items < e->limits.queue) {
        return 0;
    }

    ngx_http_aiobs_export_lose(e, kind, n, "queue_full");
    ngx_http_aiobs_export_complain(e, "the queue is full");

    return 1;
}


ngx_http_aiobs_item_t *
ngx_http_aiobs_export_item(ngx_http_aiobs_exporter_t *e, ngx_uint_t kind,
    ngx_uint_t n, size_t len)
{
    ngx_http_aiobs_item_t  *item;

    if (e->items >= e->limits.queue || len > e->limits.bytes - e->bytes) {
        ngx_http_aiobs_export_lose(e, kind, n, "queue_full");
        ngx_http_aiobs_export_complain(e, "the queue is full");
        return NULL;
    }

    item = malloc(offsetof(ngx_http_aiobs_item_t, data) + len);

    if (item == NULL) {
        ngx_http_aiobs_export_lose(e, kind, n, "memory");
        ngx_http_aiobs_export_complain(e, "no memory");
        return NULL;
    }

    item->next = NULL;
    item->len = len;
    item->n = n;
    item->kind = kind;

    return item;
}


void
ngx_http_aiobs_export_push(ngx_http_aiobs_exporter_t *e,
    ngx_http_aiobs_item_t *item)
{
    if (e->first == NULL) {
        e->since = ngx_current_msec;
    }

    *e->last = item;
    e->last = &item->next;

    e->waiting += item->n;
    e->items++;
    e->bytes += item->len;

    ngx_http_aiobs_metrics_set(e->gauge, e->items);

    if (!e->busy && ngx_http_aiobs_export_due(e)) {
        ngx_http_aiobs_export_start(e);
    }

    ngx_http_aiobs_export_arm(e);
}


/*
 * While there is something to send the timer keeps a worker that is to exit
 * from doing so, and notices that it is.
 */

static void
ngx_http_aiobs_export_arm(ngx_http_aiobs_exporter_t *e)
{
    if (e->items == 0 && !e->busy) {
        e->leaving = 0;

    } else if (!e->timer.timer_set) {
        ngx_add_timer(&e->timer, NGX_HTTP_AIOBS_EXPORT_TICK);
    }
}


static void
ngx_http_aiobs_export_timer(ngx_event_t *ev)
{
    ngx_http_aiobs_exporter_t *e = ev->data;

    if (ngx_exiting && ngx_http_aiobs_export_leave(e)) {
        return;
    }

    if (!e->busy && ngx_http_aiobs_export_due(e)) {
        ngx_http_aiobs_export_start(e);
    }

    ngx_http_aiobs_export_arm(e);
}


static ngx_uint_t
ngx_http_aiobs_export_due(ngx_http_aiobs_exporter_t *e)
{
    if (e->paused) {
        if ((ngx_msec_int_t) (ngx_current_msec - e->pause) < 0) {
            return 0;
        }

        e->paused = 0;
        e->told = 0;
    }

    if (e->job->batch.items) {
        return 1;                   /* the rest of one */
    }

    return e->first && (e->leaving || e->waiting >= e->limits.batch
                        || e->bytes >= NGX_HTTP_AIOBS_EXPORT_MESSAGE
                        || ngx_current_msec - e->since >= e->limits.interval);
}


/* true: nothing of it is left */

static ngx_uint_t
ngx_http_aiobs_export_leave(ngx_http_aiobs_exporter_t *e)
{
    if (!e->leaving) {
        e->leaving = 1;
        e->deadline = ngx_current_msec + NGX_HTTP_AIOBS_EXPORT_EXIT;

        /* what is waiting to be tried again is, at once */

        if (e->paused && !e->told) {
            e->pause = ngx_current_msec;
        }
    }

    if ((ngx_msec_int_t) (ngx_current_msec - e->deadline) < 0
        && !(e->paused && e->told
             && (ngx_msec_int_t) (e->pause - e->deadline) > 0))
    {
        return 0;
    }

    if (e->busy) {
        e->job->give_up = 1;
        return 0;
    }

    ngx_http_aiobs_export_drop_all(e, "exit");

    return 1;
}


static void
ngx_http_aiobs_export_start(ngx_http_aiobs_exporter_t *e)
{
    if (e->job->batch.items == NULL) {
        ngx_http_aiobs_export_take(e);
    }

    e->busy = 1;
    e->job->give_up = 0;

    if (ngx_thread_task_post(e->pool, e->task) != NGX_OK) {

        /* its queue is full: as if the receiver were away */

        e->job->verdict.what = NGX_HTTP_AIOBS_EXPORT_RETRY;
        ngx_cpystrn((u_char *) e->job->verdict.reason,
                    (u_char *) "thread_pool", sizeof(e->job->verdict.reason));
        ngx_cpystrn((u_char *) e->job->verdict.text,
                    (u_char *) "the thread pool is full",
                    sizeof(e->job->verdict.text));

        ngx_post_event(&e->task->event, &ngx_posted_events);
    }
}


/* moves a batch from the queue into the job; one item fits in any case */

static void
ngx_http_aiobs_export_take(ngx_http_aiobs_exporter_t *e)
{
    size_t                  bytes;
    ngx_uint_t              n;
    ngx_http_aiobs_item_t  *item, *last;

    n = 0;
    bytes = 0;
    last = NULL;

    for (item = e->first; item && n < e->limits.batch; item = item->next) {
        bytes += item->len;

        if (last && bytes > NGX_HTTP_AIOBS_EXPORT_MESSAGE) {
            break;
        }

        n += item->n;
        last = item;
    }

    e->job->batch.items = e->first;
    e->first = item;
    last->next = NULL;

    if (item == NULL) {
        e->last = &e->first;
    }

    e->waiting -= n;
    e->since = ngx_current_msec;
    e->tries = 0;
    e->tried = ngx_current_msec;
}


static void
ngx_http_aiobs_export_done(ngx_event_t *ev)
{
    ngx_http_aiobs_exporter_t *e = ev->data;

    e->busy = 0;

    ngx_http_aiobs_export_account(e);

    if (e->job->verdict.what == NGX_HTTP_AIOBS_EXPORT_DONE) {

        if (e->failed) {
            e->failed = 0;
            e->text[0] = '\0';
            ngx_log_error(NGX_LOG_NOTICE, e->log, 0,
                          "aiobs: exporter \"%s\" to \"%V\" works again",
                          e->type->name, &e->target);
        }

    } else {
        ngx_http_aiobs_export_failed(e);
    }

    if (e->type->done) {
        e->type->done(e->conf, &e->job->batch);
    }

    if (ngx_http_aiobs_export_due(e)) {
        ngx_http_aiobs_export_start(e);
    }

    ngx_http_aiobs_export_arm(e);
}
