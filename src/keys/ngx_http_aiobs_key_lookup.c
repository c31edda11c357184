
/*
 * Copyright (C) the aiobs authors
 *
 * Whose key is this?  Asked of the table; of the store, with the request
 * suspended, when the table does not know.
 */


#include "ngx_http_aiobs_key_worker.h"
#include "ngx_http_aiobs_key_hashes.h"
#include "../request/aiobs_hex.h"
#include "../limits/ngx_http_aiobs_limits.h"

/*
 * SHA-256 by its own functions, called old since OpenSSL 3: what EVP puts
 * around one, an allocation among it, is as much again as hashing a key.
 */

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>


#define NGX_HTTP_AIOBS_KEY_AGAIN  500   /* milliseconds */

#define NGX_HTTP_AIOBS_ONES  0x0101010101010101ULL


static void ngx_http_aiobs_key_id(ngx_http_aiobs_identity_t *id);
static void ngx_http_aiobs_key_hash(ngx_str_t *raw, u_char *hash);
static ngx_uint_t ngx_http_aiobs_key_malformed(ngx_str_t *raw);
static ngx_int_t ngx_http_aiobs_key_recognize(ngx_http_aiobs_key_worker_t *w,
    ngx_http_request_t *r, ngx_http_aiobs_identity_t *id, ngx_str_t *raw);
static ngx_int_t ngx_http_aiobs_key_cached(ngx_http_aiobs_key_worker_t *w,
    const u_char *hash, aiobs_key_t *key);
static ngx_uint_t ngx_http_aiobs_key_unreadable(
    ngx_http_aiobs_key_worker_t *w);
static ngx_http_aiobs_key_lookup_t **ngx_http_aiobs_key_place(
    ngx_http_aiobs_key_worker_t *w, const u_char *hash);
static ngx_uint_t ngx_http_aiobs_key_outdated(ngx_http_aiobs_key_worker_t *w,
    aiobs_key_t *key);
static ngx_http_aiobs_key_waiter_t *ngx_http_aiobs_key_finish(
    ngx_http_aiobs_key_worker_t *w, ngx_http_aiobs_key_lookup_t *lookup,
    aiobs_key_t *key, ngx_http_aiobs_key_waiter_t *others);
static void ngx_http_aiobs_key_settle(ngx_http_aiobs_key_worker_t *w,
    aiobs_key_t *key, ngx_http_aiobs_key_waiter_t *waiter);
static ngx_uint_t ngx_http_aiobs_key_known(ngx_http_aiobs_key_worker_t *w,
    aiobs_key_t *key);


ngx_int_t
ngx_http_aiobs_keys_identify(ngx_http_request_t *r, ngx_str_t *raw,
    ngx_http_aiobs_identity_t *id)
{
    ngx_int_t                     rc;
    ngx_http_aiobs_key_worker_t  *w;

    w = ngx_http_aiobs_key_worker;

    /* phases run again while a request is suspended, too */

    if (id->verdict != NGX_HTTP_AIOBS_KEY_UNASKED) {
        return id->verdict == NGX_HTTP_AIOBS_KEY_PENDING ? NGX_AGAIN : NGX_OK;
    }

    if (raw->len == 0) {
        id->verdict = NGX_HTTP_AIOBS_KEY_MISSING;
        return NGX_OK;
    }

    id->verdict = NGX_HTTP_AIOBS_KEY_UNKNOWN;

    if (raw->len > NGX_HTTP_AIOBS_KEY_RAW_MAX) {
        return NGX_OK;
    }

    if (w == NULL) {
        id->verdict = NGX_HTTP_AIOBS_KEY_STORE;
        return NGX_OK;
    }

    if (ngx_http_aiobs_key_recognize(w, r, id, raw) == NGX_OK) {
        return NGX_OK;
    }

    rc = ngx_http_aiobs_key_suspend(w, r, id, id->hash);

    if (rc == NGX_AGAIN) {
        id->verdict = NGX_HTTP_AIOBS_KEY_PENDING;
        ngx_http_aiobs_key_gather(w);
        return NGX_AGAIN;
    }

    id->verdict = NGX_HTTP_AIOBS_KEY_STORE;

    return NGX_OK;
}


/* NGX_DECLINED: the store is to tell; else there is a verdict */

static ngx_int_t
ngx_http_aiobs_key_recognize(ngx_http_aiobs_key_worker_t *w,
    ngx_http_request_t *r, ngx_http_aiobs_identity_t *id, ngx_str_t *raw)
{
    ngx_int_t                 rc;
    ngx_uint_t                remembered;
    aiobs_key_t               key;
    ngx_http_aiobs_key_tag_t  tag;

    remembered = ngx_http_aiobs_key_hashes_get(raw, &tag, id->hash);

    if (!remembered) {
        ngx_http_aiobs_key_hash(raw, id->hash);
    }

    ngx_http_aiobs_key_id(id);

    /* no malformed key is ever found, and remembered */

    if (!remembered && ngx_http_aiobs_key_malformed(raw)) {
        return NGX_OK;
    }

    rc = ngx_http_aiobs_key_cached(w, id->hash, &key);

    if (rc != NGX_OK) {
        return rc == NGX_ABORT ? NGX_OK : NGX_DECLINED;
    }

    if (!remembered) {
        ngx_http_aiobs_key_hashes_put(&tag, id->hash);
    }

    ngx_http_aiobs_key_verdict(id, &key, r->pool);

    return NGX_OK;
}


/* NGX_ABORT: it was unknown a moment ago; NGX_DECLINED: the store is to tell */

static ngx_int_t
ngx_http_aiobs_key_cached(ngx_http_aiobs_key_worker_t *w, const u_char *hash,
    aiobs_key_t *key)
{
    ngx_int_t  rc;

    if (!ngx_http_aiobs_key_ours(w)) {
        return NGX_DECLINED;
    }

    rc = ngx_http_aiobs_key_table_get(w->keys, hash, ngx_time(), key);

    if (rc == NGX_DECLINED) {

        if (ngx_http_aiobs_key_unknown(w->keys, hash, ngx_current_msec)) {
            return NGX_ABORT;
        }

        rc = ngx_http_aiobs_key_table_get_locked(w->keys, w->shpool, hash,
                                                 ngx_time(), key);
    }

    /* the store would be waited for, and could not say more */

    if (rc == NGX_AGAIN && ngx_http_aiobs_key_unreadable(w)) {
        rc = NGX_OK;
    }

    /* what it took of its limits comes with it */

    if (rc == NGX_OK && ngx_http_aiobs_key_limited(key)
        && !ngx_http_aiobs_limits_known(key->policy.account, w->failed))
    {
        return NGX_DECLINED;
    }

    return rc == NGX_OK ? NGX_OK : NGX_DECLINED;
}


/*
 * It could not be read a moment ago, or is being tried again: keys that are to
 * be asked for anew go on with what is known, but for one now and then.
 */

static ngx_uint_t
ngx_http_aiobs_key_unreadable(ngx_http_aiobs_key_worker_t *w)
{
    ngx_msec_t  ago;

    if (w->unreadable == 0) {
        return 0;
    }

    ago = ngx_current_msec - w->unreadable;

    return ago < NGX_HTTP_AIOBS_KEY_AGAIN
           || (w->busy && ago < NGX_HTTP_AIOBS_KEY_AGAIN * 10);
}


static void
ngx_http_aiobs_key_id(ngx_http_aiobs_identity_t *id)
{
    u_char  hex[16];

    aiobs_hex8(hex, id->hash);

    ngx_memcpy(id->key_id_data, hex, NGX_HTTP_AIOBS_KEY_ID_LEN);

    id->key_id.data = id->key_id_data;
    id->key_id.len = NGX_HTTP_AIOBS_KEY_ID_LEN;
}


static void
ngx_http_aiobs_key_hash(ngx_str_t *raw, u_char *hash)
{
    SHA256_CTX  ctx;

    (void) SHA256_Init(&ctx);
    (void) SHA256_Update(&ctx, raw->data, raw->len);
    (void) SHA256_Final(hash, &ctx);
}


/* printable ASCII without spaces, by words; the last one overlaps */

static ngx_uint_t
ngx_http_aiobs_key_malformed(ngx_str_t *raw)
{
    size_t    i;
    uint64_t  word, bad;

    bad = 0;

    if (raw->len < sizeof(word)) {
        for (i = 0; i < raw->len; i++) {
            bad |= raw->data[i] <= 0x20 || raw->data[i] >= 0x7f;
        }

        return bad != 0;
    }

    for (i = 0; i < raw->len; i += sizeof(word)) {
        i = ngx_min(i, raw->len - sizeof(word));
        ngx_memcpy(&word, raw->data + i, sizeof(word));

        /* bytes <= 0x20, 0x7f and >= 0x80 leave a high bit */

        bad |= (word - NGX_HTTP_AIOBS_ONES * 0x21)
               | (word + NGX_HTTP_AIOBS_ONES) | word;
    }

    return (bad & NGX_HTTP_AIOBS_ONES << 7) != 0;
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
    ngx_http_aiobs_key_waiter_t   *waiter, *next, *all;

    job = w->job;
    n = job->nkeys;
    job->nkeys = 0;
    all = NULL;

    for (i = 0; i < n; i++) {

        if (ngx_http_aiobs_key_outdated(w, &job->keys[i])) {
            ngx_queue_insert_head(&w->waiting, &w->asked[i]->queue);
            continue;
        }

        all = ngx_http_aiobs_key_finish(w, w->asked[i], &job->keys[i], all);
    }

    /* those behind them have waited as long: they would fail alike */

    while (n && job->keys_rc != AIOBS_STORE_OK
           && !ngx_queue_empty(&w->waiting))
    {
        q = ngx_queue_head(&w->waiting);
        ngx_queue_remove(q);

        lookup = ngx_queue_data(q, ngx_http_aiobs_key_lookup_t, queue);
        ngx_memcpy(key.hash, lookup->hash, AIOBS_KEY_HASH_LEN);
        all = ngx_http_aiobs_key_finish(w, lookup, &key, all);
    }

    ngx_http_aiobs_key_release(w);

    for (waiter = all; waiter; waiter = next) {
        next = waiter->next;
        ngx_http_aiobs_keys_resume(waiter->request);
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


/* its waiters have their verdict, and are put before the others */

static ngx_http_aiobs_key_waiter_t *
ngx_http_aiobs_key_finish(ngx_http_aiobs_key_worker_t *w,
    ngx_http_aiobs_key_lookup_t *lookup, aiobs_key_t *key,
    ngx_http_aiobs_key_waiter_t *others)
{
    ngx_http_aiobs_key_waiter_t  **last;

    *ngx_http_aiobs_key_place(w, lookup->hash) = lookup->next;

    ngx_http_aiobs_key_settle(w, key, lookup->waiters);

    for (last = &lookup->waiters; *last; last = &(*last)->next) {
        w->nwaiting--;
    }

    *last = others;

    ngx_queue_insert_tail(&w->free, &lookup->queue);

    return lookup->waiters;
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
