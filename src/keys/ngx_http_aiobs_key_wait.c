
/*
 * Copyright (C) the aiobs authors
 *
 * Requests that wait for the store to tell whose key they came with: a key
 * that several came with is asked for once.
 */


#include "ngx_http_aiobs_key_worker.h"
#include "../limits/ngx_http_aiobs_limits.h"


static ngx_http_aiobs_key_lookup_t **ngx_http_aiobs_key_place(
    ngx_http_aiobs_key_worker_t *w, const u_char *hash);
static ngx_uint_t ngx_http_aiobs_key_outdated(ngx_http_aiobs_key_worker_t *w,
    aiobs_key_t *key);
static void ngx_http_aiobs_key_finish(ngx_http_aiobs_key_worker_t *w,
    ngx_http_aiobs_key_lookup_t *lookup, aiobs_key_t *key,
    ngx_http_aiobs_key_waiters_t *good);
static void ngx_http_aiobs_key_turn(ngx_event_t *ev);
static void ngx_http_aiobs_key_go_on(ngx_http_aiobs_key_worker_t *w,
    ngx_http_aiobs_key_waiters_t *list, ngx_uint_t n);
static void ngx_http_aiobs_key_settle(ngx_http_aiobs_key_worker_t *w,
    aiobs_key_t *key, ngx_http_aiobs_key_waiter_t *waiter);
static ngx_uint_t ngx_http_aiobs_key_known(ngx_http_aiobs_key_worker_t *w,
    aiobs_key_t *key);


void
ngx_http_aiobs_key_wait_init(ngx_http_aiobs_key_worker_t *w)
{
    w->refused.last = &w->refused.first;

    w->turn.handler = ngx_http_aiobs_key_turn;
    w->turn.data = w;
    w->turn.log = w->log;
}


ngx_int_t
ngx_http_aiobs_key_suspend(ngx_http_aiobs_key_worker_t *w,
    ngx_http_request_t *r, ngx_http_aiobs_identity_t *id, const u_char *hash)
{
    ngx_queue_t                   *q;
    ngx_http_aiobs_key_lookup_t   *lookup, **place;
    ngx_http_aiobs_key_waiter_t   *waiter;

    if (w->nwaiting == NGX_HTTP_AIOBS_KEY_WAITING) {

        if (w->crowded != ngx_time()) {
            w->crowded = ngx_time();
            ngx_log_error(NGX_LOG_ERR, w->log, 0,
                          "key store \"%s\": %ui requests wait for it, "
                          "others are turned away", w->job->path, w->nwaiting);
        }

        return NGX_BUSY;
    }

    waiter = ngx_palloc(r->pool, sizeof(ngx_http_aiobs_key_waiter_t));
    if (waiter == NULL) {
        return NGX_ERROR;
    }

    place = ngx_http_aiobs_key_place(w, hash);
    lookup = *place;

    if (lookup == NULL) {

        /* there are as many as there may be requests */

        q = ngx_queue_head(&w->free);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&w->waiting, q);

        lookup = ngx_queue_data(q, ngx_http_aiobs_key_lookup_t, queue);
        lookup->next = NULL;
        lookup->waiters = NULL;
        ngx_memcpy(lookup->hash, hash, AIOBS_KEY_HASH_LEN);

        *place = lookup;
    }

    waiter->request = r;
    waiter->identity = id;
    id->suspended = 1;
    waiter->next = lookup->waiters;
    lookup->waiters = waiter;

    w->nwaiting++;

    ngx_http_aiobs_key_hold(w);

    r->main->blocked++;
    r->aio = 1;

    return NGX_AGAIN;
}


/* where the lookup of that key is linked, or is to be */

static ngx_http_aiobs_key_lookup_t **
ngx_http_aiobs_key_place(ngx_http_aiobs_key_worker_t *w, const u_char *hash)
{
    ngx_http_aiobs_key_lookup_t  **place;

    place = &w->buckets[(hash[0] << 8 | hash[1])
                        & (NGX_HTTP_AIOBS_KEY_WAITING - 1)];

    while (*place
           && ngx_memcmp((*place)->hash, hash, AIOBS_KEY_HASH_LEN) != 0)
    {
        place = &(*place)->next;
    }

    return place;
}


void
ngx_http_aiobs_key_ask(ngx_http_aiobs_key_worker_t *w)
{
    ngx_queue_t                  *q;
    ngx_http_aiobs_key_job_t     *job;
    ngx_http_aiobs_key_lookup_t  *lookup;

    job = w->job;
    job->nkeys = 0;

    while (!ngx_queue_empty(&w->waiting)
           && job->nkeys < NGX_HTTP_AIOBS_KEY_BATCH)
    {
        q = ngx_queue_head(&w->waiting);
        ngx_queue_remove(q);

        lookup = ngx_queue_data(q, ngx_http_aiobs_key_lookup_t, queue);

        ngx_memcpy(job->keys[job->nkeys].hash, lookup->hash,
                   AIOBS_KEY_HASH_LEN);
        w->asked[job->nkeys++] = lookup;
    }
}


/*
 * A request that goes on may end, and others begin: first all answers are
 * taken off the job.
 */

void
ngx_http_aiobs_key_answer(ngx_http_aiobs_key_worker_t *w)
{
    ngx_uint_t                     i, n;
    ngx_queue_t                   *q;
    aiobs_key_t                    key;
    ngx_http_aiobs_key_job_t      *job;
    ngx_http_aiobs_key_lookup_t   *lookup;
    ngx_http_aiobs_key_waiters_t   good;

    job = w->job;
    n = job->nkeys;
    job->nkeys = 0;

    good.last = &good.first;
    good.n = 0;

    for (i = 0; i < n; i++) {

        if (ngx_http_aiobs_key_outdated(w, &job->keys[i])) {
            ngx_queue_insert_head(&w->waiting, &w->asked[i]->queue);
            continue;
        }

        ngx_http_aiobs_key_finish(w, w->asked[i], &job->keys[i], &good);
    }

    /* those behind them have waited as long: they would fail alike */

    while (n && job->keys_rc != AIOBS_STORE_OK
           && !ngx_queue_empty(&w->waiting))
    {
        q = ngx_queue_head(&w->waiting);
        ngx_queue_remove(q);

        lookup = ngx_queue_data(q, ngx_http_aiobs_key_lookup_t, queue);
        ngx_memcpy(key.hash, lookup->hash, AIOBS_KEY_HASH_LEN);
        ngx_http_aiobs_key_finish(w, lookup, &key, &good);
    }

    ngx_http_aiobs_key_go_on(w, &good, good.n);

    if (!w->turn.posted) {
        ngx_http_aiobs_key_turn(&w->turn);
    }
}


/* what it took of its limits was saved after the store was read */

static ngx_uint_t
ngx_http_aiobs_key_outdated(ngx_http_aiobs_key_worker_t *w, aiobs_key_t *key)
{
    return w->job->keys_rc == AIOBS_STORE_OK
           && key->found
           && ngx_http_aiobs_key_limited(key)
           && ngx_http_aiobs_limits_open(key->policy.account,
                                         key->policy.windows, w->moves,
                                         key->policy.limits)
              == NGX_AGAIN;
}


/* its waiters have their verdict, and are put behind the others */

static void
ngx_http_aiobs_key_finish(ngx_http_aiobs_key_worker_t *w,
    ngx_http_aiobs_key_lookup_t *lookup, aiobs_key_t *key,
    ngx_http_aiobs_key_waiters_t *good)
{
    ngx_http_aiobs_key_waiters_t  *list;

    *ngx_http_aiobs_key_place(w, lookup->hash) = lookup->next;

    ngx_http_aiobs_key_settle(w, key, lookup->waiters);

    list = lookup->waiters->identity->verdict == NGX_HTTP_AIOBS_KEY_VALID
           ? good : &w->refused;

    *list->last = lookup->waiters;

    while (*list->last) {
        list->last = &(*list->last)->next;
        list->n++;
    }

    ngx_queue_insert_tail(&w->free, &lookup->queue);
}


static void
ngx_http_aiobs_key_turn(ngx_event_t *ev)
{
    ngx_http_aiobs_key_worker_t *w = ev->data;

    ngx_uint_t  n;

    n = ngx_max(w->refused.n / NGX_HTTP_AIOBS_KEY_TURN_PART,
                NGX_HTTP_AIOBS_KEY_TURN);

    ngx_http_aiobs_key_go_on(w, &w->refused, ngx_min(n, w->refused.n));

    if (w->refused.n) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


/* the first n of the list; a request is freed only when it has gone on */

static void
ngx_http_aiobs_key_go_on(ngx_http_aiobs_key_worker_t *w,
    ngx_http_aiobs_key_waiters_t *list, ngx_uint_t n)
{
    ngx_http_request_t  *r;

    for ( /* void */ ; n; n--) {
        r = list->first->request;
        list->first->identity->suspended = 0;
        list->first = list->first->next;

        if (--list->n == 0) {
            list->last = &list->first;
        }

        w->nwaiting--;

        ngx_http_aiobs_keys_resume(r);
    }

    ngx_http_aiobs_key_release(w);
}


static void
ngx_http_aiobs_key_settle(ngx_http_aiobs_key_worker_t *w, aiobs_key_t *key,
    ngx_http_aiobs_key_waiter_t *waiter)
{
    ngx_uint_t  known;

    known = ngx_http_aiobs_key_known(w, key);

    if (known && w->job->keys_rc != AIOBS_STORE_OK && key->found
        && ngx_http_aiobs_key_limited(key))
    {
        (void) ngx_http_aiobs_limits_open(key->policy.account, NULL, 0,
                                          key->policy.limits);
    }

    if (known && w->job->keys_rc == AIOBS_STORE_OK && key->found) {
        ngx_http_aiobs_key_learn(w, key->hash, &waiter->identity->tag);
    }

    for ( /* void */ ; waiter; waiter = waiter->next) {

        if (!known) {
            waiter->identity->verdict = NGX_HTTP_AIOBS_KEY_STORE;

        } else if (!key->found) {
            waiter->identity->verdict = NGX_HTTP_AIOBS_KEY_UNKNOWN;

        } else {
            ngx_http_aiobs_key_verdict(waiter->identity, key,
                                       waiter->request->pool);

            /* of those who waited together, one was the first */

            waiter->identity->fresh = w->job->keys_rc == AIOBS_STORE_OK
                                      && key->fresh
                                      && waiter->identity->verdict
                                         == NGX_HTTP_AIOBS_KEY_VALID;
            key->fresh = 0;
        }
    }
}


/* the table learns what the store said; if that failed, it is asked itself */

static ngx_uint_t
ngx_http_aiobs_key_known(ngx_http_aiobs_key_worker_t *w, aiobs_key_t *key)
{
    u_char           hash[AIOBS_KEY_HASH_LEN];
    ngx_uint_t       n;
    aiobs_key_use_t  uses[2];

    if (!ngx_http_aiobs_key_ours(w)) {
        return w->job->keys_rc == AIOBS_STORE_OK;
    }

    if (w->job->keys_rc != AIOBS_STORE_OK) {

        /* known once, known still, if out of date */

        ngx_memcpy(hash, key->hash, AIOBS_KEY_HASH_LEN);

        return ngx_http_aiobs_key_table_get_locked(w->keys, w->shpool, hash,
                                                   ngx_time(), key)
               != NGX_DECLINED;
    }

    n = ngx_http_aiobs_key_table_put(w->keys, w->shpool, key, &w->job->at,
                                     w->epoch, ngx_time(), uses);
    ngx_http_aiobs_key_keep(w, uses, n);

    if (!key->found) {
        ngx_http_aiobs_key_strange(w);
        ngx_http_aiobs_key_unknown_add(w->keys, key->hash, ngx_current_msec);
    }

    return 1;
}


/* the end of a stream of HTTP/2 or 3 is that of the request only */

ngx_uint_t
ngx_http_aiobs_keys_left(ngx_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    return c->error || c->close
           || (c->read->pending_eof && r->http_version < NGX_HTTP_VERSION_20);
}


void
ngx_http_aiobs_keys_resume(ngx_http_request_t *r)
{
    ngx_uint_t         over;
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->main->blocked--;
    r->aio = 0;

    /* it may have been terminated meanwhile, or its connection be closing */

    over = r->done || c->close;

#if (nginx_version >= 1025004)
    over |= r->main->terminated;
#endif

    if (over) {
        c->write->handler(c->write);
        return;
    }

    r->write_event_handler(r);
    ngx_http_run_posted_requests(c);
}
