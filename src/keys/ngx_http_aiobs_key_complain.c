
/*
 * Copyright (C) the aiobs authors
 *
 * What the error log is told of the key store and of the table, not too often.
 */


#include "ngx_http_aiobs_key_worker.h"


#define NGX_HTTP_AIOBS_KEY_COMPLAIN  10     /* seconds */
#define NGX_HTTP_AIOBS_KEY_SQUEEZED  600    /* seconds */


static ngx_uint_t ngx_http_aiobs_key_news(ngx_http_aiobs_key_worker_t *w,
    uint32_t why, ngx_uint_t unreadable);
static void ngx_http_aiobs_key_over(ngx_http_aiobs_key_worker_t *w);


void
ngx_http_aiobs_key_complain(ngx_http_aiobs_key_worker_t *w)
{
    uint32_t                   why;
    ngx_uint_t                 failed, unreadable;
    ngx_http_aiobs_key_job_t  *job;

    job = w->job;
    failed = job->error[0] != '\0';
    unreadable = (job->nkeys && job->keys_rc != AIOBS_STORE_OK)
                 || (job->poll && job->poll_rc != AIOBS_STORE_OK
                     && job->poll_rc != AIOBS_STORE_NONE);

    if (job->nkeys || job->poll) {
        w->unreadable = unreadable ? ngx_current_msec | 1 : 0;
    }

    if (job->nkeys == 0 && !job->poll && !job->save) {
        return;
    }

    if (!failed) {
        ngx_http_aiobs_key_over(w);
        return;
    }

    why = ngx_crc32_long((u_char *) job->error, ngx_strlen(job->error));

    if (ngx_http_aiobs_key_news(w, why, unreadable)) {
        w->told = 1;
        w->complained = ngx_time();
        w->why = why;
        ngx_log_error(NGX_LOG_ERR, w->log, 0,
                      "key store \"%s\" failed: %s%s", job->path, job->error,
                      unreadable ? "; known keys go on working, others "
                                   "cannot be looked up" : "");
    }

    w->failed = 1;
}


/*
 * The lock of a writer may be that of another worker, for a moment: it is
 * trouble when it is there the next time, too.
 */

static ngx_uint_t
ngx_http_aiobs_key_news(ngx_http_aiobs_key_worker_t *w, uint32_t why,
    ngx_uint_t unreadable)
{
    if (w->job->locked && !unreadable && !w->failed) {
        return 0;
    }

    return !w->told
           || (why != w->why && ngx_time() != w->complained)
           || ngx_time() - w->complained >= NGX_HTTP_AIOBS_KEY_COMPLAIN;
}


/* a store that is locked for writing can be read all the time */

static void
ngx_http_aiobs_key_over(ngx_http_aiobs_key_worker_t *w)
{
    if (!w->failed || ngx_http_aiobs_key_unsaved(w->job)) {
        return;
    }

    w->failed = 0;

    if (w->told) {
        w->told = 0;
        ngx_log_error(NGX_LOG_NOTICE, w->log, 0,
                      "key store \"%s\" works again", w->job->path);
    }
}


void
ngx_http_aiobs_key_squeezed(ngx_http_aiobs_key_worker_t *w)
{
    uint32_t                n;
    ngx_http_aiobs_keys_t  *keys;

    keys = w->keys;

    if (keys->squeezed == 0
        || ngx_time() - keys->squeezed_said < NGX_HTTP_AIOBS_KEY_SQUEEZED)
    {
        return;
    }

    ngx_shmtx_lock(&w->shpool->mutex);

    n = keys->squeezed;
    keys->squeezed = 0;
    keys->squeezed_said = ngx_time();

    ngx_shmtx_unlock(&w->shpool->mutex);

    if (n) {
        ngx_log_error(NGX_LOG_WARN, w->log, 0,
                      "key store \"%s\": %uD keys were forgotten to make room "
                      "for others whose user and name have more than %d bytes "
                      "together, and are asked of the store again: enlarge "
                      "\"aiobs_zone\"", w->job->path, n,
                      NGX_HTTP_AIOBS_KEY_INLINE);
    }
}
