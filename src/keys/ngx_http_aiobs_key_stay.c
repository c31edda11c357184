
/*
 * Copyright (C) the aiobs authors
 *
 * What keeps a worker that is to exit: nginx lets it go when all timers that
 * are left may be cancelled.
 */


#include "ngx_http_aiobs_key_worker.h"


#define NGX_HTTP_AIOBS_KEY_LATE  30000      /* for a lock, milliseconds */


static ngx_uint_t ngx_http_aiobs_key_held(ngx_http_aiobs_key_worker_t *w);
static void ngx_http_aiobs_key_guard(ngx_event_t *ev);


void
ngx_http_aiobs_key_stay_init(ngx_http_aiobs_key_worker_t *w)
{
    w->guard.handler = ngx_http_aiobs_key_guard;
    w->guard.data = w;
    w->guard.log = w->log;
}


static ngx_uint_t
ngx_http_aiobs_key_held(ngx_http_aiobs_key_worker_t *w)
{
    return w->nwaiting || w->work || w->job->work;
}


static void
ngx_http_aiobs_key_guard(ngx_event_t *ev)
{
    ngx_http_aiobs_key_worker_t *w = ev->data;

    if (ngx_http_aiobs_key_held(w)) {
        ngx_add_timer(ev, NGX_HTTP_AIOBS_KEY_GUARD);
    }
}


void
ngx_http_aiobs_key_hold(ngx_http_aiobs_key_worker_t *w)
{
    if (!w->guard.timer_set) {
        ngx_add_timer(&w->guard, NGX_HTTP_AIOBS_KEY_GUARD);
    }
}


void
ngx_http_aiobs_key_release(ngx_http_aiobs_key_worker_t *w)
{
    if (w->guard.timer_set && !ngx_http_aiobs_key_held(w)) {
        ngx_del_timer(&w->guard);
    }
}


void
ngx_http_aiobs_keys_owe(void)
{
    ngx_http_aiobs_key_worker_t  *w;

    w = ngx_http_aiobs_key_worker;

    if (w) {
        w->owes = 1;
        w->timer.cancelable = 0;
    }
}


void
ngx_http_aiobs_key_stay(ngx_http_aiobs_key_worker_t *w)
{
    ngx_http_aiobs_key_job_t  *job;

    job = w->job;

    w->timer.cancelable = !(w->owes || job->full
                            || ngx_http_aiobs_key_unsaved(job));

    if (!ngx_exiting || !ngx_http_aiobs_key_unsaved(job)) {
        w->late = 0;
        return;
    }

    if (w->late == 0) {
        w->late = ngx_current_msec | 1;
    }

    if ((job->error[0] && !job->locked)
        || (ngx_msec_int_t) (ngx_current_msec - w->late)
           > NGX_HTTP_AIOBS_KEY_LATE)
    {
        w->timer.cancelable = 1;
    }
}


ngx_uint_t
ngx_http_aiobs_key_unsaved(ngx_http_aiobs_key_job_t *job)
{
    return job->nspent || job->nwindows || job->nuses || job->nevents;
}
