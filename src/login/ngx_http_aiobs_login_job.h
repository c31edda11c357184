
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the login room: a task that asks a provider.
 */


#ifndef _NGX_HTTP_AIOBS_LOGIN_JOB_H_INCLUDED_
#define _NGX_HTTP_AIOBS_LOGIN_JOB_H_INCLUDED_


#include "ngx_http_aiobs_login_room.h"


/* never changed; freed when neither the cache nor a task has it */

typedef struct {
    aiobs_oidc_metadata_t            *data;
    ngx_uint_t                        refs;
    time_t                            fetched;
} ngx_http_aiobs_metadata_t;


/* what is remembered of a provider */

typedef struct {
    ngx_http_aiobs_metadata_t        *metadata; /* NULL: nothing */
    time_t                            retry;    /* not asked before */
    time_t                            window;
    ngx_uint_t                        refetches;    /* done, or allowed */
} ngx_http_aiobs_login_cache_t;


typedef struct {
    ngx_thread_task_t                *task;
    ngx_http_aiobs_login_t           *login;    /* NULL: the task is free */
    ngx_http_aiobs_metadata_t        *known;

    /* what the thread sees, besides login->oidc */

    aiobs_http_t                     *http;
    const aiobs_oidc_conf_t          *conf;
    const aiobs_oidc_metadata_t      *metadata;
    aiobs_oidc_login_t               *oidc;
    unsigned                          callback:1;
    unsigned                          iss:1;
    unsigned                          refresh:1;
    unsigned                          refetch:1;

    time_t                            window;   /* that refetch is of */
    aiobs_oidc_metadata_t            *fresh;
    aiobs_login_e                     refreshed;
    aiobs_login_e                     result;
    char                              error[AIOBS_OIDC_ERROR_MAX];
} ngx_http_aiobs_login_job_t;


/* what the task is to do, by what is known and how old that is */
void ngx_http_aiobs_login_prepare(ngx_http_aiobs_login_cache_t *cache,
    ngx_http_aiobs_login_job_t *job, ngx_http_aiobs_login_t *login);

/* in the thread */
void ngx_http_aiobs_login_run(void *data, ngx_log_t *log);

/* what the task has learned of the provider */
void ngx_http_aiobs_login_remember(ngx_http_aiobs_login_cache_t *cache,
    ngx_http_aiobs_login_job_t *job, ngx_log_t *log);
void ngx_http_aiobs_login_release(ngx_http_aiobs_metadata_t *m);


#endif /* _NGX_HTTP_AIOBS_LOGIN_JOB_H_INCLUDED_ */
