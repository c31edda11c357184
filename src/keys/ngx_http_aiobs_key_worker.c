
/*
 * Copyright (C) the aiobs authors
 *
 * The keys room in a worker process: one task at a time asks the store for
 * keys, follows its changes, and saves when keys were used.
 */


#include "ngx_http_aiobs_key_worker.h"
#include "ngx_http_aiobs_key_guess.h"
#include "../limits/ngx_http_aiobs_limits.h"


#define NGX_HTTP_AIOBS_KEY_POLL  300    /* milliseconds */
#define NGX_HTTP_AIOBS_KEY_SAVE  8      /* timers */


static ngx_int_t ngx_http_aiobs_key_worker_make(
    ngx_http_aiobs_key_worker_t *w, ngx_cycle_t *cycle);
static void ngx_http_aiobs_key_gathered(ngx_event_t *ev);
static ngx_uint_t ngx_http_aiobs_key_flood(ngx_http_aiobs_key_worker_t *w);
static void ngx_http_aiobs_key_timer(ngx_event_t *ev);
static void ngx_http_aiobs_key_no_thread(ngx_http_aiobs_key_worker_t *w);
static void ngx_http_aiobs_key_done(ngx_event_t *ev);
static void ngx_http_aiobs_key_polled(ngx_http_aiobs_key_worker_t *w);


ngx_http_aiobs_key_worker_t  *ngx_http_aiobs_key_worker;


ngx_int_t
ngx_http_aiobs_keys_init_process(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, ngx_str_t *store, ngx_thread_pool_t *pool,
    ngx_cycle_t *cycle)
{
    ngx_http_aiobs_key_worker_t  *w;

    aiobs_store_forked();

    w = ngx_pcalloc(cycle->pool, sizeof(ngx_http_aiobs_key_worker_t));
    if (w == NULL) {
        return NGX_ERROR;
    }

    w->keys = keys;
    w->shpool = shpool;
    w->pool = pool;
    w->log = cycle->log;
    w->store = ngx_crc32_long(store->data, store->len) | 1;

    if (ngx_http_aiobs_key_worker_make(w, cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    w->job->path = (char *) store->data;

    ngx_http_aiobs_key_table_claim(keys, shpool, w->store);
    ngx_http_aiobs_key_join(w);
    ngx_http_aiobs_key_guess_init(keys->capacity, cycle->log);

    ngx_http_aiobs_key_worker = w;

    ngx_add_timer(&w->timer, 1);

    return NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_key_worker_make(ngx_http_aiobs_key_worker_t *w,
    ngx_cycle_t *cycle)
{
    ngx_uint_t                    i;
    ngx_http_aiobs_key_lookup_t  *lookups;

    w->task = ngx_thread_task_alloc(cycle->pool,
                                    sizeof(ngx_http_aiobs_key_job_t));
    if (w->task == NULL) {
        return NGX_ERROR;
    }

    w->job = w->task->ctx;
    ngx_memzero(w->job, sizeof(ngx_http_aiobs_key_job_t));

    w->task->handler = ngx_http_aiobs_key_job;
    w->task->event.handler = ngx_http_aiobs_key_done;
    w->task->event.data = w;
    w->task->event.log = cycle->log;

    ngx_queue_init(&w->free);
    ngx_queue_init(&w->waiting);

    lookups = ngx_palloc(cycle->pool, NGX_HTTP_AIOBS_KEY_WAITING
                                      * sizeof(ngx_http_aiobs_key_lookup_t));
    if (lookups == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_AIOBS_KEY_WAITING; i++) {
        ngx_queue_insert_tail(&w->free, &lookups[i].queue);
    }

    ngx_http_aiobs_key_stay_init(w);
    ngx_http_aiobs_key_wait_init(w);

    w->gather.handler = ngx_http_aiobs_key_gathered;
    w->gather.data = w;
    w->gather.log = cycle->log;

    w->timer.handler = ngx_http_aiobs_key_timer;
    w->timer.data = w;
    w->timer.log = cycle->log;
    w->timer.cancelable = 1;

    return NGX_OK;
}


void
ngx_http_aiobs_key_gather(ngx_http_aiobs_key_worker_t *w)
{
    if (w->busy) {
        return;
    }

    if (ngx_http_aiobs_key_flood(w)
        && w->nwaiting - w->refused.n < NGX_HTTP_AIOBS_KEY_BATCH)
    {
        if (!w->gather.timer_set) {
            ngx_add_timer(&w->gather, NGX_HTTP_AIOBS_KEY_GATHER);
        }

    } else if (!w->gather.posted) {
        ngx_post_event(&w->gather, &ngx_posted_events);
    }
}


static void
ngx_http_aiobs_key_gathered(ngx_event_t *ev)
{
    ngx_http_aiobs_key_start(ev->data);
}


void
ngx_http_aiobs_key_strange(ngx_http_aiobs_key_worker_t *w)
{
    if (w->second != ngx_time()) {
        w->strangers = (w->second == ngx_time() - 1) ? w->strange : 0;
        w->strange = 0;
        w->second = ngx_time();
    }

    w->strange++;
}


static ngx_uint_t
ngx_http_aiobs_key_flood(ngx_http_aiobs_key_worker_t *w)
{
    if (ngx_time() - w->second > 1) {
        return 0;
    }

    return w->strange > NGX_HTTP_AIOBS_KEY_FLOOD
           || w->strangers > NGX_HTTP_AIOBS_KEY_FLOOD;
}


/*
 * Whichever worker's timer comes when it is time polls for all of them; the
 * others see that it was done.  There is no one to be missed when killed.
 */

static void
ngx_http_aiobs_key_timer(ngx_event_t *ev)
{
    ngx_msec_t                    last;
    ngx_http_aiobs_keys_t        *keys;
    ngx_http_aiobs_key_worker_t  *w;

    w = ev->data;
    keys = w->keys;
    last = (ngx_msec_t) keys->polled;

    if (ngx_http_aiobs_key_ours(w)
        && (last == 0 || ngx_current_msec - last
                         >= NGX_HTTP_AIOBS_KEY_POLL * 4 / 5)
        && ngx_atomic_cmp_set(&keys->polled, last, ngx_current_msec | 1))
    {
        w->poll = 1;

    } else {
        w->check = 1;
    }

    if (++w->ticks % NGX_HTTP_AIOBS_KEY_SAVE == 0) {
        w->save = 1;
        ngx_http_aiobs_key_unread(w);
        ngx_http_aiobs_key_squeezed(w);
    }

    w->save |= ngx_exiting;

    ngx_http_aiobs_limits_sweep();

    ngx_http_aiobs_key_start(w);

    if (!w->busy) {
        ngx_http_aiobs_key_stay(w);
    }

    ngx_add_timer(ev, NGX_HTTP_AIOBS_KEY_POLL);
}


void
ngx_http_aiobs_key_start(ngx_http_aiobs_key_worker_t *w)
{
    ngx_http_aiobs_key_job_t  *job;

    if (w->busy) {
        return;
    }

    if (w->gather.timer_set) {
        ngx_del_timer(&w->gather);
    }

    job = w->job;

    job->poll = w->poll;
    job->save = 0;
    job->flood = ngx_http_aiobs_key_flood(w);
    w->moves = ngx_http_aiobs_limits_moves();

    ngx_http_aiobs_key_table_place(w->keys, w->shpool, &job->from, &job->seen,
                                   &w->epoch);
    ngx_http_aiobs_key_ask(w);
    ngx_http_aiobs_key_work_take(w);

    if (w->save) {
        ngx_http_aiobs_key_prepare_save(w, 0);
    }

    /* a store that was replaced is to be noticed by all who have it open */

    if (job->nkeys == 0 && job->work == NULL && !job->poll && !job->save
        && !w->check)
    {
        return;
    }

    w->busy = 1;
    w->poll = 0;
    w->check = 0;

    if (ngx_thread_task_post(w->pool, w->task) != NGX_OK) {
        ngx_http_aiobs_key_no_thread(w);
    }
}


/* the pool's queue is full: as if the store could not be read */

static void
ngx_http_aiobs_key_no_thread(ngx_http_aiobs_key_worker_t *w)
{
    ngx_http_aiobs_key_job_t  *job;

    job = w->job;

    job->keys_rc = AIOBS_STORE_FAILED;
    job->poll_rc = AIOBS_STORE_FAILED;
    job->locked = 0;
    ngx_cpystrn((u_char *) job->error, (u_char *) "the thread pool is full",
                sizeof(job->error));
    ngx_http_aiobs_key_work_fail(job, AIOBS_STORE_FAILED);

    ngx_post_event(&w->task->event, &ngx_posted_events);
}


static void
ngx_http_aiobs_key_done(ngx_event_t *ev)
{
    ngx_http_aiobs_key_job_t     *job;
    ngx_http_aiobs_key_worker_t  *w;

    w = ev->data;
    job = w->job;

    ngx_http_aiobs_key_complain(w);

    if (job->poll) {
        ngx_http_aiobs_key_polled(w);

        /* a store that is gone has its time */

        w->poll |= job->drain && job->error[0] == '\0';
    }

    if (job->full && job->error[0] == '\0') {
        w->save = 1;                        /* there may be more */
    }

    ngx_http_aiobs_key_saved(w);
    ngx_http_aiobs_key_answer(w);
    ngx_http_aiobs_key_work_done(w);

    w->busy = 0;

    ngx_http_aiobs_key_stay(w);

    if (ngx_queue_empty(&w->waiting)) {
        ngx_http_aiobs_key_start(w);

    } else {
        ngx_http_aiobs_key_gather(w);
    }
}


static void
ngx_http_aiobs_key_polled(ngx_http_aiobs_key_worker_t *w)
{
    ngx_uint_t                 lost;
    ngx_http_aiobs_key_job_t  *job;

    job = w->job;

    if (job->poll_rc != AIOBS_STORE_OK && job->poll_rc != AIOBS_STORE_NONE) {
        return;
    }

    lost = job->poll_rc == AIOBS_STORE_NONE;

    if ((!lost && job->nchanged == 0) || !ngx_http_aiobs_key_ours(w)) {
        return;
    }

    if (ngx_http_aiobs_key_table_follow(w->keys, w->shpool, &job->from,
                                        &job->to, lost, job->changed,
                                        job->nchanged)
        == NGX_OK
        && job->nchanged == NGX_HTTP_AIOBS_KEY_CHANGES)
    {
        w->poll = 1;
    }
}


/* a store that fails has its time */

void
ngx_http_aiobs_keys_save(void)
{
    ngx_http_aiobs_key_worker_t  *w;

    w = ngx_http_aiobs_key_worker;

    if (w && !w->save && !w->failed) {
        w->save = 1;
        ngx_http_aiobs_key_gather(w);
    }
}


void
ngx_http_aiobs_key_keep(ngx_http_aiobs_key_worker_t *w,
    const aiobs_key_use_t *uses, ngx_uint_t n)
{
    ngx_uint_t                 i;
    ngx_http_aiobs_key_job_t  *job;

    job = w->job;

    for (i = 0; i < n; i++) {

        if (job->nuses == NGX_HTTP_AIOBS_KEY_USES) {
            ngx_log_error(NGX_LOG_WARN, w->log, 0,
                          "key store \"%s\": a key's last use is lost, too "
                          "many could not be saved", job->path);
            return;
        }

        job->uses[job->nuses++] = uses[i];
    }

    if (job->nuses > NGX_HTTP_AIOBS_KEY_USES / 2) {
        w->save = 1;
    }
}


void
ngx_http_aiobs_keys_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_aiobs_key_job_t     *job;
    ngx_http_aiobs_key_worker_t  *w;

    w = ngx_http_aiobs_key_worker;

    if (w == NULL) {
        return;
    }

    job = w->job;

    /* the threads are gone: what a job has done is known here */

    ngx_http_aiobs_key_save_last(w);

    ngx_http_aiobs_limits_exit_process();

    aiobs_store_close(job->store);
    job->store = NULL;

    ngx_http_aiobs_key_worker = NULL;
}
