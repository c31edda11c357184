
/*
 * Copyright (C) the aiobs authors
 *
 * One task that asks a provider, and what is remembered of its answers.
 */


#include "ngx_http_aiobs_login_job.h"


#define NGX_HTTP_AIOBS_LOGIN_STALE      24      /* times refresh, at most */
#define NGX_HTTP_AIOBS_LOGIN_RETRY      30      /* seconds, with old metadata */
#define NGX_HTTP_AIOBS_LOGIN_WINDOW     60      /* seconds */
#define NGX_HTTP_AIOBS_LOGIN_REFETCHES  5       /* in a window */


static aiobs_login_e ngx_http_aiobs_login_metadata(
    ngx_http_aiobs_login_job_t *job);


void
ngx_http_aiobs_login_prepare(ngx_http_aiobs_login_cache_t *cache,
    ngx_http_aiobs_login_job_t *job, ngx_http_aiobs_login_t *login)
{
    time_t  now, age;

    now = ngx_time();
    age = cache->metadata ? now - cache->metadata->fetched : 0;

    if (age > login->provider->refresh * NGX_HTTP_AIOBS_LOGIN_STALE) {
        ngx_http_aiobs_login_release(cache->metadata);
        cache->metadata = NULL;
    }

    if (now - cache->window >= NGX_HTTP_AIOBS_LOGIN_WINDOW) {
        cache->window = now;
        cache->refetches = 0;
    }

    job->login = login;
    job->known = cache->metadata;
    job->conf = &login->provider->oidc;
    job->metadata = NULL;
    job->oidc = &login->oidc;
    job->callback = login->callback;
    job->iss = login->iss;
    job->refresh = now >= cache->retry
                   && (job->known == NULL || age >= login->provider->refresh);
    job->refetch = job->callback
                   && cache->refetches < NGX_HTTP_AIOBS_LOGIN_REFETCHES;
    job->window = cache->window;
    job->fresh = NULL;

    /* tasks at once share them; given back by who does not need it */

    cache->refetches += job->refetch;
    job->oidc->refetched = 0;

    if (job->known) {
        job->known->refs++;
        job->metadata = job->known->data;
    }
}


/* in the thread */

void
ngx_http_aiobs_login_run(void *data, ngx_log_t *log)
{
    ngx_http_aiobs_login_job_t *job = data;

    aiobs_oidc_metadata_t  **fresh;

    job->result = ngx_http_aiobs_login_metadata(job);

    if (job->result != AIOBS_LOGIN_OK || !job->callback) {
        return;
    }

    if (job->metadata->iss && !job->iss) {
        ngx_cpystrn((u_char *) job->oidc->error,
                    (u_char *) "iss is missing, which the provider always "
                               "sends", AIOBS_OIDC_ERROR_MAX);
        job->result = AIOBS_LOGIN_ISSUER;
        return;
    }

    fresh = job->refetch && job->fresh == NULL ? &job->fresh : NULL;

    job->result = aiobs_oidc_login(job->http, job->conf, job->metadata,
                                   job->oidc, fresh);
}


/* asked for when it is time; what is known of old serves for a while */

static aiobs_login_e
ngx_http_aiobs_login_metadata(ngx_http_aiobs_login_job_t *job)
{
    const char  *error;

    if (job->http == NULL) {
        job->http = aiobs_http_create();
    }

    if (job->http == NULL) {
        ngx_cpystrn((u_char *) job->oidc->error, (u_char *) "out of memory",
                    AIOBS_OIDC_ERROR_MAX);
        job->refresh = 0;
        return AIOBS_LOGIN_FAILED;
    }

    error = "the provider did not answer a moment ago";
    job->refreshed = AIOBS_LOGIN_PROVIDER;

    if (job->refresh) {
        job->refreshed = aiobs_oidc_discover(job->http, job->conf,
                                             &job->fresh, job->error);

        if (job->refreshed == AIOBS_LOGIN_OK) {
            job->metadata = job->fresh;
            return AIOBS_LOGIN_OK;
        }

        error = job->error;
    }

    if (job->metadata) {
        return AIOBS_LOGIN_OK;
    }

    ngx_cpystrn((u_char *) job->oidc->error, (u_char *) error,
                AIOBS_OIDC_ERROR_MAX);

    return job->refreshed;
}


void
ngx_http_aiobs_login_remember(ngx_http_aiobs_login_cache_t *cache,
    ngx_http_aiobs_login_job_t *job, ngx_log_t *log)
{
    ngx_http_aiobs_metadata_t  *m;

    ngx_http_aiobs_login_release(job->known);

    if (job->refetch && !job->oidc->refetched && job->window == cache->window)
    {
        cache->refetches--;
    }

    if (job->refresh && job->refreshed != AIOBS_LOGIN_OK) {

        if (cache->metadata) {
            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "aiobs: provider \"%V\": %s; going on with what it "
                          "said before", &job->login->provider->name,
                          job->error);
        }

        cache->retry = ngx_time() + (cache->metadata
                                     ? NGX_HTTP_AIOBS_LOGIN_RETRY : 1);
    }

    if (job->fresh == NULL) {
        return;
    }

    m = ngx_alloc(sizeof(ngx_http_aiobs_metadata_t), log);

    if (m == NULL) {
        aiobs_oidc_metadata_free(job->fresh);

    } else {
        m->data = job->fresh;
        m->refs = 1;
        m->fetched = ngx_time();

        ngx_http_aiobs_login_release(cache->metadata);
        cache->metadata = m;
    }

    job->fresh = NULL;
}


void
ngx_http_aiobs_login_release(ngx_http_aiobs_metadata_t *m)
{
    if (m && --m->refs == 0) {
        aiobs_oidc_metadata_free(m->data);
        ngx_free(m);
    }
}
