
/*
 * Copyright (C) the aiobs authors
 *
 * What is done in a thread: the only place where the store is touched while
 * a worker serves.  One task at a time, hence one handle of the store.
 */


#include "ngx_http_aiobs_key_worker.h"


#define NGX_HTTP_AIOBS_KEY_PATIENCE  1000   /* for a lock, milliseconds */

/* uses can be saved later; others wait for the thread meanwhile */
#define NGX_HTTP_AIOBS_KEY_SAVE_PATIENCE  100


static int ngx_http_aiobs_key_job_poll(ngx_http_aiobs_key_job_t *job);
static int ngx_http_aiobs_key_job_open(ngx_http_aiobs_key_job_t *job);
static void ngx_http_aiobs_key_job_end(ngx_http_aiobs_key_job_t *job, int rc);
static int ngx_http_aiobs_key_job_stop(void);


void
ngx_http_aiobs_key_job(void *data, ngx_log_t *log)
{
    ngx_http_aiobs_key_job_t *job = data;

    int  rc;

    job->error[0] = '\0';
    job->locked = 0;

    rc = ngx_http_aiobs_key_job_open(job);

    if (rc != AIOBS_STORE_OK) {
        job->keys_rc = rc;
        job->poll_rc = rc;
        ngx_http_aiobs_key_work_fail(job, rc);
        return;
    }

    if (job->nkeys) {
        rc = aiobs_store_lookup(job->store, job->keys, job->nkeys, &job->at);
        ngx_http_aiobs_key_job_end(job, rc);
        job->keys_rc = rc;
    }

    /* what hinders one hinders the next, and they wait for this thread */

    if (rc == AIOBS_STORE_OK) {
        ngx_http_aiobs_key_work_run(job);

    } else {
        ngx_http_aiobs_key_work_fail(job, rc);
    }

    if (job->poll && rc == AIOBS_STORE_OK) {
        rc = ngx_http_aiobs_key_job_poll(job);
    }

    job->poll_rc = rc;

    if (job->save && (rc == AIOBS_STORE_OK || rc == AIOBS_STORE_NONE)) {
        ngx_http_aiobs_key_job_patience(job, NGX_HTTP_AIOBS_KEY_SAVE_PATIENCE);

        rc = ngx_http_aiobs_key_job_write(job);

        if (rc == AIOBS_STORE_OK) {
            (void) aiobs_store_trim(job->store);
        }

        ngx_http_aiobs_key_job_end(job, rc);
    }

    /* not while it fails: that would be waited for once more */

    aiobs_store_sift(job->store, job->flood && job->error[0] == '\0');
}


static int
ngx_http_aiobs_key_job_poll(ngx_http_aiobs_key_job_t *job)
{
    int  rc;

    job->nchanged = NGX_HTTP_AIOBS_KEY_CHANGES;
    job->to = job->from;

    rc = aiobs_store_changes(job->store, &job->to, &job->seen, job->changed,
                             &job->nchanged);

    ngx_http_aiobs_key_job_end(job, rc);

    /* those who write without us leave their events to be taken */

    if (rc == AIOBS_STORE_NONE
        || (rc == AIOBS_STORE_OK && (job->nchanged || job->drain)))
    {
        ngx_http_aiobs_key_job_patience(job, NGX_HTTP_AIOBS_KEY_SAVE_PATIENCE);

        job->drain = aiobs_store_events(job->store, NULL, 0)
                     == AIOBS_STORE_NONE;
    }

    return rc;
}


/* each kind at once, or not at all */

int
ngx_http_aiobs_key_job_write(ngx_http_aiobs_key_job_t *job)
{
    int  rc;

    rc = AIOBS_STORE_OK;

    if (job->nspent) {
        rc = aiobs_store_usage(job->store, job->spent, job->nspent);
        job->nspent = (rc == AIOBS_STORE_OK) ? 0 : job->nspent;
    }

    if (job->nwindows && rc == AIOBS_STORE_OK) {
        rc = aiobs_store_windows(job->store, job->windows, job->nwindows);
        job->nwindows = (rc == AIOBS_STORE_OK) ? 0 : job->nwindows;
    }

    if (job->nuses && rc == AIOBS_STORE_OK) {
        rc = aiobs_store_used(job->store, job->uses, job->nuses);
        job->nuses = (rc == AIOBS_STORE_OK) ? 0 : job->nuses;
    }

    if (job->nevents && rc == AIOBS_STORE_OK) {
        rc = ngx_http_aiobs_key_events_write(job);
    }

    return rc;
}


/*
 * The old file of a store that was replaced must have been left by all who
 * had it open before one opens the new file.  Hence a handle is kept, even
 * when it is of no use, until the next one takes its place.
 */

static int
ngx_http_aiobs_key_job_open(ngx_http_aiobs_key_job_t *job)
{
    int  rc;

    if (job->store) {
        rc = aiobs_store_same_file(job->store);

        if (rc == AIOBS_STORE_MISSING) {
            ngx_http_aiobs_key_job_end(job, rc);
            return rc;
        }

        if (rc != AIOBS_STORE_OK || job->reopen) {
            aiobs_store_leave(job->store);
            aiobs_store_close(job->store);
            job->store = NULL;
        }
    }

    if (job->store == NULL) {
        job->reopen = 0;

        rc = aiobs_store_open(job->path, 0, NGX_HTTP_AIOBS_KEY_PATIENCE,
                              &job->store);

        if (rc != AIOBS_STORE_OK) {
            ngx_http_aiobs_key_job_end(job, rc);
            job->reopen = 1;
            return rc;
        }
    }

    ngx_http_aiobs_key_job_patience(job, 0);

    return AIOBS_STORE_OK;
}


void
ngx_http_aiobs_key_job_patience(ngx_http_aiobs_key_job_t *job, int msec)
{
    aiobs_store_patience(job->store, msec ? msec : NGX_HTTP_AIOBS_KEY_PATIENCE,
                         ngx_http_aiobs_key_job_stop);
}


static void
ngx_http_aiobs_key_job_end(ngx_http_aiobs_key_job_t *job, int rc)
{
    if (rc == AIOBS_STORE_OK || rc == AIOBS_STORE_NONE) {
        return;
    }

    (void) ngx_cpystrn((u_char *) job->error,
                       (u_char *) aiobs_store_error(job->store),
                       sizeof(job->error));

    job->locked = (rc == AIOBS_STORE_BUSY);

    /* a lock goes away; after anything else a new handle is tried */

    if (rc == AIOBS_STORE_FAILED) {
        job->reopen = 1;
    }
}


static int
ngx_http_aiobs_key_job_stop(void)
{
    return ngx_terminate != 0;
}
