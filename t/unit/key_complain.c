
/*
 * Copyright (C) the aiobs authors
 *
 * What the error log is told of the key store: a line of input is a job,
 * "save|poll|look OUTCOME SECOND", and is followed by what is said of it.
 */


#include "keys/ngx_http_aiobs_key_worker.h"

#include <stdio.h>
#include <stdlib.h>


static ngx_time_t            now;

volatile ngx_time_t         *ngx_cached_time = &now;
volatile ngx_msec_t          ngx_current_msec = 1;

uint32_t                     ngx_crc32_table256[256];


void
ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
    abort();
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
    abort();
}


ngx_uint_t
ngx_http_aiobs_key_unsaved(ngx_http_aiobs_key_job_t *job)
{
    return job->nuses != 0;
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
    printf("%s%s\n", level == NGX_LOG_ERR ? "error" : "notice",
           strstr(fmt, "works again") ? " over" : "");
}


static void
job_of(ngx_http_aiobs_key_job_t *job, const char *kind, const char *outcome)
{
    int  rc;

    rc = strcmp(outcome, "ok") == 0 ? AIOBS_STORE_OK
         : strcmp(outcome, "locked") == 0 ? AIOBS_STORE_BUSY
                                          : AIOBS_STORE_FAILED;

    job->nkeys = strcmp(kind, "look") == 0;
    job->poll = strcmp(kind, "poll") == 0;
    job->save = strcmp(kind, "save") == 0;
    job->keys_rc = rc;
    job->poll_rc = job->save ? AIOBS_STORE_OK : rc;
    job->locked = rc == AIOBS_STORE_BUSY;

    if (job->save) {
        job->nuses = rc != AIOBS_STORE_OK;      /* else they are written */
    }

    snprintf(job->error, sizeof(job->error), "%s",
             rc == AIOBS_STORE_OK ? "" : outcome);
}


int
main(void)
{
    char                                kind[16], outcome[32];
    long                                second;
    uint32_t                            i;
    ngx_log_t                           log;

    static ngx_http_aiobs_key_job_t     job;
    static ngx_http_aiobs_key_worker_t  w;

    for (i = 0; i < 256; i++) {
        ngx_crc32_table256[i] = i * 2654435761u;    /* any, not the same */
    }

    memset(&log, 0, sizeof(log));
    log.log_level = NGX_LOG_INFO;

    w.job = &job;
    w.log = &log;
    job.path = "keys.db";

    while (scanf("%15s %31s %ld", kind, outcome, &second) == 3) {
        now.sec = 1000 + second;
        job_of(&job, kind, outcome);
        printf("%s %s: ", kind, outcome);
        fflush(stdout);
        ngx_http_aiobs_key_complain(&w);
        printf("%u\n", w.failed);
    }

    return 0;
}
