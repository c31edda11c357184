
/*
 * Copyright (C) the aiobs authors
 *
 * Logins in a worker process: requests that wait for a provider, the tasks
 * that ask it, and what is remembered of providers.
 */


#include "ngx_http_aiobs_login_job.h"


#define NGX_HTTP_AIOBS_LOGIN_GUARD  60000   /* milliseconds */


typedef struct {
    ngx_log_t                        *log;
    ngx_thread_pool_t                *pool;
    ngx_event_t                       guard;
    ngx_uint_t                        nwaiting; /* suspended requests */
    ngx_http_aiobs_login_t           *first;    /* for whom no task is free */
    ngx_http_aiobs_login_t          **last;
    ngx_uint_t                        ncaches;
    ngx_http_aiobs_login_cache_t     *caches;
    ngx_http_aiobs_login_job_t       *jobs[NGX_HTTP_AIOBS_LOGIN_TASKS];
} ngx_http_aiobs_login_worker_t;


static ngx_http_aiobs_login_job_t *ngx_http_aiobs_login_make_job(
    ngx_cycle_t *cycle);
static void ngx_http_aiobs_login_guard(ngx_event_t *ev);
static void ngx_http_aiobs_login_start(ngx_http_aiobs_login_worker_t *w);
static void ngx_http_aiobs_login_drop(ngx_http_aiobs_login_worker_t *w);
static void ngx_http_aiobs_login_done(ngx_event_t *ev);
static int ngx_http_aiobs_login_give_up(void *data);


ngx_http_aiobs_login_shared_t  *ngx_http_aiobs_login_shared;
ngx_slab_pool_t                *ngx_http_aiobs_login_pool;

static ngx_http_aiobs_login_worker_t  *ngx_http_aiobs_login_worker;


ngx_int_t
ngx_http_aiobs_login_init_process(ngx_http_aiobs_login_main_conf_t *main,
    ngx_http_aiobs_login_shared_t *shared, ngx_slab_pool_t *shpool,
    ngx_thread_pool_t *pool, ngx_cycle_t *cycle)
{
    ngx_uint_t                         i;
    ngx_http_aiobs_login_worker_t     *w;
    ngx_http_aiobs_login_provider_t  **provider;

    if (!main->used) {
        return NGX_OK;
    }

    w = ngx_pcalloc(cycle->pool, sizeof(ngx_http_aiobs_login_worker_t));
    if (w == NULL || aiobs_http_init() != 0) {
        return NGX_ERROR;
    }

    w->log = cycle->log;
    w->pool = pool;
    w->last = &w->first;
    w->ncaches = main->providers->nelts;

    w->guard.handler = ngx_http_aiobs_login_guard;
    w->guard.data = w;
    w->guard.log = cycle->log;

    w->caches = ngx_pcalloc(cycle->pool, w->ncaches
                                      * sizeof(ngx_http_aiobs_login_cache_t));
    if (w->caches == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_AIOBS_LOGIN_TASKS; i++) {
        w->jobs[i] = ngx_http_aiobs_login_make_job(cycle);
        if (w->jobs[i] == NULL) {
            return NGX_ERROR;
        }
    }

    provider = main->providers->elts;

    for (i = 0; i < main->providers->nelts; i++) {
        provider[i]->oidc.give_up = ngx_http_aiobs_login_give_up;
    }

    ngx_http_aiobs_login_shared = shared;
    ngx_http_aiobs_login_pool = shpool;
    ngx_http_aiobs_login_worker = w;

    return NGX_OK;
}


static ngx_http_aiobs_login_job_t *
ngx_http_aiobs_login_make_job(ngx_cycle_t *cycle)
{
    ngx_thread_task_t           *task;
    ngx_http_aiobs_login_job_t  *job;

    task = ngx_thread_task_alloc(cycle->pool,
                                 sizeof(ngx_http_aiobs_login_job_t));
    if (task == NULL) {
        return NULL;
    }

    job = task->ctx;
    ngx_memzero(job, sizeof(ngx_http_aiobs_login_job_t));
    job->task = task;

    task->handler = ngx_http_aiobs_login_run;
    task->event.handler = ngx_http_aiobs_login_done;
    task->event.data = job;
    task->event.log = cycle->log;

    return job;
}


/* the threads are gone */

void
ngx_http_aiobs_login_exit_process(void)
{
    ngx_uint_t                      i;
    ngx_http_aiobs_login_worker_t  *w;

    w = ngx_http_aiobs_login_worker;

    if (w == NULL) {
        return;
    }

    for (i = 0; i < NGX_HTTP_AIOBS_LOGIN_TASKS; i++) {
        aiobs_http_free(w->jobs[i]->http);
        aiobs_oidc_metadata_free(w->jobs[i]->fresh);
    }

    for (i = 0; i < w->ncaches; i++) {
        ngx_http_aiobs_login_release(w->caches[i].metadata);
    }

    ngx_http_aiobs_login_worker = NULL;
}


static int
ngx_http_aiobs_login_give_up(void *data)
{
    return ngx_terminate != 0;
}


/* a worker that is to exit does so without timers; requests wait for it */

static void
ngx_http_aiobs_login_guard(ngx_event_t *ev)
{
    ngx_http_aiobs_login_worker_t *w = ev->data;

    if (w->nwaiting) {
        ngx_add_timer(ev, NGX_HTTP_AIOBS_LOGIN_GUARD);
    }
}


ngx_int_t
ngx_http_aiobs_login_ask(ngx_http_aiobs_login_t *login)
{
    ngx_http_aiobs_login_worker_t  *w;

    w = ngx_http_aiobs_login_worker;

    if (w->nwaiting == NGX_HTTP_AIOBS_LOGIN_WAITING) {
        return NGX_BUSY;
    }

    if (w->nwaiting++ == 0) {
        ngx_add_timer(&w->guard, NGX_HTTP_AIOBS_LOGIN_GUARD);
    }

    login->request->main->blocked++;
    login->request->aio = 1;

    login->next = NULL;
    *w->last = login;
    w->last = &login->next;

    ngx_http_aiobs_login_start(w);

    return NGX_AGAIN;
}


static void
ngx_http_aiobs_login_start(ngx_http_aiobs_login_worker_t *w)
{
    ngx_uint_t                   i;
    ngx_http_aiobs_login_t      *login;
    ngx_http_aiobs_login_job_t  *job;

    for (i = 0; i < NGX_HTTP_AIOBS_LOGIN_TASKS && w->first; i++) {
        job = w->jobs[i];

        if (job->login) {
            continue;
        }

        login = w->first;
        w->first = login->next;

        if (w->first == NULL) {
            w->last = &w->first;
        }

        ngx_http_aiobs_login_prepare(&w->caches[login->provider->index], job,
                                     login);

        if (ngx_thread_task_post(w->pool, job->task) != NGX_OK) {
            job->result = AIOBS_LOGIN_BUSY;
            job->refresh = 0;
            ngx_cpystrn((u_char *) login->oidc.error,
                        (u_char *) "the thread pool is full",
                        AIOBS_OIDC_ERROR_MAX);

            ngx_post_event(&job->task->event, &ngx_posted_events);
        }
    }
}


/* who has left meanwhile is not in the way of those who wait */

static void
ngx_http_aiobs_login_drop(ngx_http_aiobs_login_worker_t *w)
{
    ngx_http_aiobs_login_t  *login, **next, *left, **last;

    left = NULL;
    last = &left;
    next = &w->first;

    while (*next) {
        login = *next;

        if (!ngx_http_aiobs_login_left(login)) {
            next = &login->next;
            continue;
        }

        *next = login->next;
        login->next = NULL;
        *last = login;
        last = &login->next;
    }

    w->last = next;

    for ( /* void */ ; left; left = login) {
        login = left->next;
        ngx_http_aiobs_login_resume(left);
    }
}


ngx_uint_t
ngx_http_aiobs_login_left(ngx_http_aiobs_login_t *login)
{
    if (!ngx_http_aiobs_keys_left(login->request)) {
        return 0;
    }

    login->result = AIOBS_LOGIN_LEFT;
    ngx_cpystrn((u_char *) login->oidc.error,
                (u_char *) "the client has left", AIOBS_OIDC_ERROR_MAX);

    return 1;
}


static void
ngx_http_aiobs_login_done(ngx_event_t *ev)
{
    ngx_http_aiobs_login_t         *login;
    ngx_http_aiobs_login_job_t     *job;
    ngx_http_aiobs_login_worker_t  *w;

    w = ngx_http_aiobs_login_worker;
    job = ev->data;
    login = job->login;

    login->result = job->result;

    if (login->result == AIOBS_LOGIN_OK && !login->callback) {
        ngx_cpystrn((u_char *) login->endpoint,
                    (u_char *) job->metadata->authorization_endpoint,
                    AIOBS_OIDC_URL_MAX);
    }

    ngx_http_aiobs_login_remember(&w->caches[login->provider->index], job,
                                  w->log);

    job->login = NULL;

    ngx_http_aiobs_login_drop(w);
    ngx_http_aiobs_login_start(w);

    if (login->result == AIOBS_LOGIN_OK && login->callback) {
        ngx_http_aiobs_login_key(login);
        return;
    }

    ngx_http_aiobs_login_resume(login);
}


void
ngx_http_aiobs_login_resume(ngx_http_aiobs_login_t *login)
{
    ngx_http_aiobs_login_worker_t  *w;

    w = ngx_http_aiobs_login_worker;

    if (--w->nwaiting == 0 && w->guard.timer_set) {
        ngx_del_timer(&w->guard);
    }

    login->done = 1;

    ngx_http_aiobs_keys_resume(login->request);
}
