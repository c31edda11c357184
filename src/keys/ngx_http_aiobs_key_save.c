
/*
 * Copyright (C) the aiobs authors
 *
 * What admission has to tell the store: when keys were used, what was taken of
 * limits, what was spent.  Taken in batches; what is not written is kept for
 * the next time.
 */


#include "ngx_http_aiobs_key_worker.h"
#include "../limits/ngx_http_aiobs_limits.h"


/* a worker that is told to stop has about a second */
#define NGX_HTTP_AIOBS_KEY_LAST_PATIENCE  200
#define NGX_HTTP_AIOBS_KEY_LAST_TIME      600


static int ngx_http_aiobs_key_write_last(ngx_http_aiobs_key_job_t *job);
static void ngx_http_aiobs_key_unwritten(ngx_http_aiobs_key_worker_t *w,
    const char *why);


void
ngx_http_aiobs_key_prepare_save(ngx_http_aiobs_key_worker_t *w,
    ngx_uint_t last)
{
    ngx_uint_t                 n;
    ngx_http_aiobs_key_job_t  *job;

    job = w->job;
    w->save = 0;
    w->owes = 0;

    if (ngx_http_aiobs_key_ours(w)) {
        job->nuses += ngx_http_aiobs_key_table_uses(w->keys, w->shpool,
                                       &job->uses[job->nuses],
                                       NGX_HTTP_AIOBS_KEY_USES - job->nuses);

        job->nwindows += ngx_http_aiobs_limits_taken(
                                 &job->windows[job->nwindows],
                                 NGX_HTTP_AIOBS_KEY_WINDOWS - job->nwindows,
                                 last);

        ngx_http_aiobs_key_left_take(w);
    }

    job->nsaved = job->nwindows;

    ngx_http_aiobs_key_events_take(w);

    n = job->nspent;

    job->nspent += ngx_http_aiobs_spend_take(&job->spent[n], &job->texts[n],
                                             NGX_HTTP_AIOBS_KEY_SPENT - n,
                                             last);

    job->save = job->nuses || job->nwindows || job->nspent || job->nevents;

    job->full = job->nuses == NGX_HTTP_AIOBS_KEY_USES
                || job->nwindows + AIOBS_WINDOW_N > NGX_HTTP_AIOBS_KEY_WINDOWS
                || job->nspent == NGX_HTTP_AIOBS_KEY_SPENT;
}


void
ngx_http_aiobs_key_saved(ngx_http_aiobs_key_worker_t *w)
{
    ngx_http_aiobs_key_job_t  *job;

    job = w->job;

    if (job->nsaved && job->nwindows == 0) {
        ngx_http_aiobs_limits_saved(job->windows, job->nsaved);
        job->nsaved = 0;
    }
}


void
ngx_http_aiobs_key_save_last(ngx_http_aiobs_key_worker_t *w)
{
    ngx_msec_t                 start;
    ngx_http_aiobs_key_job_t  *job;

    job = w->job;
    start = ngx_current_msec;

    ngx_http_aiobs_key_saved(w);

    /* whoever sees this worker here leaves what it takes below */

    ngx_http_aiobs_key_leave(w);

    if (job->store && (job->reopen
                       || aiobs_store_same_file(job->store) != AIOBS_STORE_OK))
    {
        aiobs_store_leave(job->store);
        aiobs_store_close(job->store);
        job->store = NULL;
    }

    for ( ;; ) {
        ngx_http_aiobs_key_prepare_save(w, 1);

        if (!job->save) {
            return;
        }

        if (ngx_http_aiobs_key_write_last(job) != AIOBS_STORE_OK) {
            ngx_http_aiobs_key_unwritten(w, aiobs_store_error(job->store));
            return;
        }

        ngx_http_aiobs_key_saved(w);

        ngx_time_update();

        if (ngx_current_msec - start > NGX_HTTP_AIOBS_KEY_LAST_TIME) {
            ngx_http_aiobs_key_prepare_save(w, 1);

            if (job->save) {
                ngx_http_aiobs_key_unwritten(w, "there is no time");
            }

            return;
        }
    }
}


static int
ngx_http_aiobs_key_write_last(ngx_http_aiobs_key_job_t *job)
{
    int  rc;

    rc = job->store ? AIOBS_STORE_OK
                    : aiobs_store_open(job->path, 0,
                                       NGX_HTTP_AIOBS_KEY_LAST_PATIENCE,
                                       &job->store);

    if (rc == AIOBS_STORE_OK) {
        aiobs_store_patience(job->store, NGX_HTTP_AIOBS_KEY_LAST_PATIENCE,
                             NULL);
        rc = ngx_http_aiobs_key_job_write(job);
    }

    return rc;
}


static void
ngx_http_aiobs_key_unwritten(ngx_http_aiobs_key_worker_t *w, const char *why)
{
    int64_t                    calls;
    ngx_uint_t                 i;
    ngx_http_aiobs_key_job_t  *job;

    job = w->job;

    if (job->nevents + w->nevents) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "key store \"%s\": %ui refusals of keys are missing in "
                      "its events: %s", job->path, job->nevents + w->nevents,
                      why);
    }

    if (ngx_http_aiobs_key_ours(w)) {
        ngx_http_aiobs_key_give(w, why);
        return;
    }

    for (calls = 0, i = 0; i < job->nspent; i++) {
        calls += job->spent[i].calls;
    }

    if (job->nuses || job->nwindows) {
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "key store \"%s\": the last use of %uz keys and %uz "
                      "limits are not saved: %s", job->path, job->nuses,
                      job->nwindows, why);
    }

    ngx_http_aiobs_key_lost(w, calls, why);
}
