
/*
 * Copyright (C) the aiobs authors
 *
 * What the gateway itself has to tell of keys: those that it refused.  Clients
 * can make any number of refusals: one key is told of once a minute, keys of
 * nobody are told of rarely, and what does not fit is left out.
 */


#include "ngx_http_aiobs_key_worker.h"


#define NGX_HTTP_AIOBS_KEY_SEEN      64
#define NGX_HTTP_AIOBS_KEY_KNOWN     60     /* events a minute */
#define NGX_HTTP_AIOBS_KEY_STRANGE   10


static ngx_uint_t ngx_http_aiobs_key_tell(ngx_str_t *key_id, ngx_uint_t known);


void
ngx_http_aiobs_keys_refused(ngx_http_aiobs_identity_t *id,
    ngx_str_t *request_id)
{
    ngx_http_aiobs_key_event_t   *e;
    ngx_http_aiobs_key_worker_t  *w;

    w = ngx_http_aiobs_key_worker;

    if (w == NULL || id->key_id.len == 0
        || w->nevents == NGX_HTTP_AIOBS_KEY_EVENTS
        || !ngx_http_aiobs_key_tell(&id->key_id, id->verdict
                                              != NGX_HTTP_AIOBS_KEY_UNKNOWN))
    {
        return;
    }

    e = &w->events[w->nevents++];

    ngx_gettimeofday(&e->time);
    e->action = "refused";
    ngx_sprintf(e->key_id, "%V%Z", &id->key_id);
    ngx_sprintf(e->actor, "key:%V%Z", &id->key_id);
    ngx_cpystrn(e->request_id, request_id->data,
                ngx_min(request_id->len + 1, sizeof(e->request_id)));

    w->save = 1;
}


static ngx_uint_t
ngx_http_aiobs_key_tell(ngx_str_t *key_id, ngx_uint_t known)
{
    uint32_t    hash;
    ngx_uint_t  most;

    static time_t      minute;
    static uint32_t    seen[NGX_HTTP_AIOBS_KEY_SEEN];
    static ngx_uint_t  told[2];

    if (minute != ngx_time() / 60) {
        minute = ngx_time() / 60;
        ngx_memzero(seen, sizeof(seen));
        ngx_memzero(told, sizeof(told));
    }

    most = known ? NGX_HTTP_AIOBS_KEY_KNOWN : NGX_HTTP_AIOBS_KEY_STRANGE;

    if (told[known] == most) {
        return 0;
    }

    hash = ngx_crc32_short(key_id->data, key_id->len) | 1;

    if (seen[hash / 2 % NGX_HTTP_AIOBS_KEY_SEEN] == hash) {
        return 0;
    }

    seen[hash / 2 % NGX_HTTP_AIOBS_KEY_SEEN] = hash;
    told[known]++;

    return 1;
}


void
ngx_http_aiobs_key_events_take(ngx_http_aiobs_key_worker_t *w)
{
    ngx_http_aiobs_key_job_t  *job;

    job = w->job;

    if (job->nevents == 0) {
        ngx_memcpy(job->events, w->events,
                   w->nevents * sizeof(ngx_http_aiobs_key_event_t));
        job->nevents = w->nevents;
        w->nevents = 0;
    }
}


int
ngx_http_aiobs_key_events_write(ngx_http_aiobs_key_job_t *job)
{
    int            rc;
    size_t         i;
    aiobs_event_t  events[NGX_HTTP_AIOBS_KEY_EVENTS];

    for (i = 0; i < job->nevents; i++) {
        events[i].time = job->events[i].time;
        events[i].action = job->events[i].action;
        events[i].actor = (char *) job->events[i].actor;
        events[i].key_id = (char *) job->events[i].key_id;
        events[i].request_id = (char *) job->events[i].request_id;
    }

    rc = aiobs_store_events(job->store, events, job->nevents);

    if (rc == AIOBS_STORE_OK) {
        job->nevents = 0;
    }

    return rc;
}
