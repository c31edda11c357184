
/*
 * Copyright (C) the aiobs authors
 *
 * What other rooms do with the store: in the same thread and with the same
 * handle as everything else, as closing a second one would drop the locks of
 * the first.
 */


#include "ngx_http_aiobs_key_worker.h"


static void ngx_http_aiobs_key_work_drop(ngx_http_aiobs_key_worker_t *w);


void
ngx_http_aiobs_keys_work(ngx_http_aiobs_keys_work_t *work)
{
    ngx_http_aiobs_keys_work_t   **last;
    ngx_http_aiobs_key_worker_t   *w;

    w = ngx_http_aiobs_key_worker;

    for (last = &w->work; *last; last = &(*last)->next) { /* void */ }

    work->next = NULL;
    *last = work;

    ngx_http_aiobs_key_hold(w);

    ngx_http_aiobs_key_start(w);
}


void
ngx_http_aiobs_key_work_take(ngx_http_aiobs_key_worker_t *w)
{
    w->job->work = w->work;
    w->work = NULL;
}


void
ngx_http_aiobs_key_work_run(ngx_http_aiobs_key_job_t *job)
{
    int                          rc;
    ngx_http_aiobs_keys_work_t  *work;

    rc = AIOBS_STORE_OK;

    for (work = job->work; work; work = work->next) {
        ngx_http_aiobs_key_job_patience(job, work->patience);

        work->rc = rc == AIOBS_STORE_BUSY
                   ? rc : work->run(job->store, work->data);
        rc = work->rc;

        ngx_cpystrn((u_char *) work->error,
                    (u_char *) (work->rc == AIOBS_STORE_OK
                                ? "" : aiobs_store_error(job->store)),
                    sizeof(work->error));
    }

    ngx_http_aiobs_key_job_patience(job, 0);
}


void
ngx_http_aiobs_key_work_fail(ngx_http_aiobs_key_job_t *job, int rc)
{
    ngx_http_aiobs_keys_work_t  *work;

    for (work = job->work; work; work = work->next) {
        work->rc = rc;
        ngx_cpystrn((u_char *) work->error, (u_char *) job->error,
                    sizeof(work->error));
    }
}


void
ngx_http_aiobs_key_work_done(ngx_http_aiobs_key_worker_t *w)
{
    ngx_http_aiobs_keys_work_t  *work, *next;

    work = w->job->work;
    w->job->work = NULL;

    for ( /* void */ ; work; work = next) {
        next = work->next;
        work->done(work);
    }

    ngx_http_aiobs_key_work_drop(w);

    ngx_http_aiobs_key_release(w);
}


/* who has left meanwhile is not in the way of those who wait */

static void
ngx_http_aiobs_key_work_drop(ngx_http_aiobs_key_worker_t *w)
{
    ngx_http_aiobs_keys_work_t  *work, **next, *left, **last;

    left = NULL;
    last = &left;
    next = &w->work;

    while (*next) {
        work = *next;

        if (work->left == NULL || !work->left(work)) {
            next = &work->next;
            continue;
        }

        *next = work->next;
        work->next = NULL;
        *last = work;
        last = &work->next;
    }

    for ( /* void */ ; left; left = work) {
        work = left->next;
        left->done(left);
    }
}
