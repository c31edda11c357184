
/*
 * Copyright (C) the aiobs authors
 *
 * The table of sessions in the zone.  A worker may be killed at any moment, in
 * the middle of a change too: entries tell by themselves whether they are
 * live, and whoever takes the lock next makes the rest anew.
 */


#include "ngx_http_aiobs_session_table.h"


static ngx_uint_t ngx_http_aiobs_session_slice(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *s, ngx_uint_t from,
    ngx_http_aiobs_session_stats_t *stats, ngx_http_aiobs_session_end_t *ends,
    ngx_uint_t *n);
static void ngx_http_aiobs_session_rebuild(ngx_http_aiobs_sessions_t *s);
static ngx_http_aiobs_session_t **ngx_http_aiobs_session_bucket(
    ngx_http_aiobs_sessions_t *s, ngx_http_aiobs_endpoint_t *endpoint,
    const u_char *id);
static ngx_http_aiobs_session_t *ngx_http_aiobs_session_find(
    ngx_http_aiobs_sessions_t *s, ngx_http_aiobs_endpoint_t *endpoint,
    const u_char *id);
static ngx_http_aiobs_session_t *ngx_http_aiobs_session_add(
    ngx_http_aiobs_sessions_t *s, ngx_http_aiobs_endpoint_t *endpoint,
    const u_char *id, ngx_http_aiobs_session_end_t *end);


static ngx_inline ngx_uint_t
ngx_http_aiobs_session_buckets(ngx_uint_t capacity)
{
    ngx_uint_t  n;

    for (n = 64; n < capacity; n <<= 1) { /* void */ }

    return n;
}


/* some more than are to live: new ones go there while room is looked for */

static ngx_inline ngx_uint_t
ngx_http_aiobs_session_entries(ngx_uint_t capacity)
{
    return capacity + capacity / NGX_HTTP_AIOBS_SESSION_TURN;
}


size_t
ngx_http_aiobs_session_size(ngx_uint_t capacity)
{
    if (capacity == 0) {
        return 0;
    }

    return ngx_align(sizeof(ngx_http_aiobs_sessions_t)
                     + ngx_http_aiobs_session_entries(capacity)
                       * sizeof(ngx_http_aiobs_session_t)
                     + ngx_http_aiobs_session_buckets(capacity)
                       * sizeof(ngx_http_aiobs_session_t *), ngx_pagesize);
}


ngx_http_aiobs_sessions_t *
ngx_http_aiobs_session_create(ngx_slab_pool_t *shpool, ngx_uint_t capacity)
{
    ngx_http_aiobs_sessions_t  *s;

    s = ngx_slab_calloc(shpool, ngx_http_aiobs_session_size(capacity));

    if (s) {
        s->capacity = capacity;
        s->last = ngx_http_aiobs_session_entries(capacity);
        s->mask = ngx_http_aiobs_session_buckets(capacity) - 1;
        s->entries = (ngx_http_aiobs_session_t *) (s + 1);
        s->buckets = (ngx_http_aiobs_session_t **) (s->entries + s->last);
    }

    return s;
}


ngx_int_t
ngx_http_aiobs_session_call(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *s, ngx_http_aiobs_endpoint_t *endpoint,
    const u_char *id, ngx_uint_t limit, ngx_http_aiobs_session_ref_t *ref,
    ngx_http_aiobs_session_end_t *end)
{
    ngx_int_t                  rc;
    ngx_http_aiobs_session_t  *e;

    end->endpoint = NULL;

    ngx_http_aiobs_session_lock(shpool, s);

    e = ngx_http_aiobs_session_find(s, endpoint, id);

    if (e && ngx_http_aiobs_session_over(e)) {
        ngx_http_aiobs_session_end(s, e, end);
        e = NULL;
    }

    if (e == NULL) {
        e = ngx_http_aiobs_session_add(s, endpoint, id, end);
    }

    if (limit && e->calls >= limit) {
        e->seen = ngx_current_msec;
        rc = NGX_BUSY;

    } else {
        e->seen = ngx_current_msec + NGX_HTTP_AIOBS_SESSION_AHEAD;
        e->calls++;
        rc = NGX_OK;
    }

    ref->session = e;
    ref->serial = e->serial;

    ngx_http_aiobs_session_unlock(shpool, s);

    return rc;
}


void
ngx_http_aiobs_session_uncall(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *s, ngx_http_aiobs_session_ref_t *ref)
{
    ngx_http_aiobs_session_t  *e;

    ngx_http_aiobs_session_lock(shpool, s);

    e = ref->session;

    if (e->endpoint && e->serial == ref->serial) {
        e->calls--;
    }

    ngx_http_aiobs_session_unlock(shpool, s);
}


void
ngx_http_aiobs_session_keep(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *s, ngx_http_aiobs_session_ref_t *ref)
{
    ngx_http_aiobs_session_t  *e;

    ngx_http_aiobs_session_lock(shpool, s);

    e = ref->session;

    if (e->endpoint && e->serial == ref->serial) {
        e->seen = ngx_current_msec + NGX_HTTP_AIOBS_SESSION_AHEAD;
    }

    ngx_http_aiobs_session_unlock(shpool, s);
}


void
ngx_http_aiobs_session_seen(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *s, ngx_http_aiobs_session_ref_t *ref,
    uint64_t tokens, ngx_uint_t over, ngx_http_aiobs_session_end_t *end)
{
    ngx_http_aiobs_session_t  *e;

    end->endpoint = NULL;

    ngx_http_aiobs_session_lock(shpool, s);

    e = ref->session;

    if (e->endpoint && e->serial == ref->serial) {
        e->tokens += tokens;
        e->seen = ngx_current_msec;

        if (over) {
            ngx_http_aiobs_session_end(s, e, end);
        }
    }

    ngx_http_aiobs_session_unlock(shpool, s);
}


ngx_uint_t
ngx_http_aiobs_session_expire(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *s, ngx_uint_t from,
    ngx_http_aiobs_session_stats_t *stats,
    void (*told)(ngx_http_aiobs_session_end_t *end))
{
    ngx_uint_t                    i, n, last;
    ngx_http_aiobs_session_end_t  ends[NGX_HTTP_AIOBS_SESSION_SLICE];

    last = from + NGX_HTTP_AIOBS_SESSION_TURN;

    do {
        from = ngx_http_aiobs_session_slice(shpool, s, from, stats, ends, &n);

        for (i = 0; i < n; i++) {
            told(&ends[i]);
        }

    } while (from && from < last);

    return from;
}


/* ended ones are in ends, n of them */

static ngx_uint_t
ngx_http_aiobs_session_slice(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *s, ngx_uint_t from,
    ngx_http_aiobs_session_stats_t *stats, ngx_http_aiobs_session_end_t *ends,
    ngx_uint_t *n)
{
    *n = 0;

    ngx_http_aiobs_session_lock(shpool, s);

    from = ngx_http_aiobs_session_scan(s, from, stats, ends, n);

    if (from >= s->used) {
        from = 0;
    }

    ngx_http_aiobs_session_unlock(shpool, s);

    return from;
}


/* under the lock; returns the first that it has not looked at */

ngx_uint_t
ngx_http_aiobs_session_scan(ngx_http_aiobs_sessions_t *s, ngx_uint_t from,
    ngx_http_aiobs_session_stats_t *stats, ngx_http_aiobs_session_end_t *ends,
    ngx_uint_t *n)
{
    ngx_uint_t                       i, last;
    ngx_http_aiobs_session_t        *e;
    ngx_http_aiobs_session_stats_t  *st;

    last = ngx_min(from + NGX_HTTP_AIOBS_SESSION_SLICE, s->used);

    for (i = from; i < last; i++) {
        e = &s->entries[i];

        if (e->endpoint == NULL) {
            continue;
        }

        if (ngx_http_aiobs_session_over(e)) {
            ngx_http_aiobs_session_end(s, e, &ends[(*n)++]);
            continue;
        }

        if (stats) {
            st = &stats[e->endpoint->number];

            st->active++;
            st->calls_max = ngx_max(st->calls_max, e->calls);
            st->tokens_max = ngx_max(st->tokens_max, e->tokens);
        }
    }

    return last;
}


void
ngx_http_aiobs_session_lock(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *s)
{
    ngx_shmtx_lock(&shpool->mutex);

    if (s->changing) {
        ngx_http_aiobs_session_rebuild(s);
    }

    s->changing = 1;

    ngx_memory_barrier();
}


void
ngx_http_aiobs_session_unlock(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_sessions_t *s)
{
    ngx_memory_barrier();

    s->changing = 0;

    ngx_shmtx_unlock(&shpool->mutex);
}


static void
ngx_http_aiobs_session_rebuild(ngx_http_aiobs_sessions_t *s)
{
    ngx_uint_t                  i;
    ngx_http_aiobs_session_t   *e, **bucket;

    s->free = NULL;
    s->live = 0;

    ngx_memzero(s->buckets, (s->mask + 1) * sizeof(s->buckets[0]));

    for (i = 0; i < s->used; i++) {
        e = &s->entries[i];

        if (e->endpoint == NULL) {
            e->next = s->free;
            s->free = e;
            continue;
        }

        bucket = ngx_http_aiobs_session_bucket(s, e->endpoint, e->id);
        e->next = *bucket;
        *bucket = e;
        s->live++;
    }
}


static ngx_http_aiobs_session_t **
ngx_http_aiobs_session_bucket(ngx_http_aiobs_sessions_t *s,
    ngx_http_aiobs_endpoint_t *endpoint, const u_char *id)
{
    uint32_t  hash;

    ngx_memcpy(&hash, id, sizeof(hash));

    return &s->buckets[(hash ^ endpoint->number * 0x9e3779b1) & s->mask];
}


static ngx_http_aiobs_session_t *
ngx_http_aiobs_session_find(ngx_http_aiobs_sessions_t *s,
    ngx_http_aiobs_endpoint_t *endpoint, const u_char *id)
{
    ngx_http_aiobs_session_t  *e;

    e = *ngx_http_aiobs_session_bucket(s, endpoint, id);

    while (e && (e->endpoint != endpoint
                 || ngx_memcmp(e->id, id, NGX_HTTP_AIOBS_SESSION_ID_LEN) != 0))
    {
        e = e->next;
    }

    return e;
}


static ngx_http_aiobs_session_t *
ngx_http_aiobs_session_add(ngx_http_aiobs_sessions_t *s,
    ngx_http_aiobs_endpoint_t *endpoint, const u_char *id,
    ngx_http_aiobs_session_end_t *end)
{
    ngx_http_aiobs_session_t  *e, **bucket;

    if (end->endpoint == NULL               /* else one has made room */
        && ((s->free == NULL && s->used == s->last)
            || (s->live >= s->capacity && ngx_http_aiobs_session_full(s))))
    {
        ngx_http_aiobs_session_evict(s, end);
    }

    if (s->free) {
        e = s->free;
        s->free = e->next;

    } else {
        e = &s->entries[s->used++];
    }

    ngx_memcpy(e->id, id, NGX_HTTP_AIOBS_SESSION_ID_LEN);
    e->tokens = 0;
    e->calls = 0;
    e->serial = ++s->serial;

    ngx_memory_barrier();

    e->endpoint = endpoint;

    bucket = ngx_http_aiobs_session_bucket(s, endpoint, id);
    e->next = *bucket;
    *bucket = e;
    s->live++;

    return e;
}


/* what was seen may lie ahead */

ngx_uint_t
ngx_http_aiobs_session_over(ngx_http_aiobs_session_t *e)
{
    return (ngx_msec_int_t) (ngx_current_msec - e->seen)
           > (ngx_msec_int_t) e->endpoint->ttl;
}


void
ngx_http_aiobs_session_end(ngx_http_aiobs_sessions_t *s,
    ngx_http_aiobs_session_t *e, ngx_http_aiobs_session_end_t *end)
{
    ngx_http_aiobs_session_t  **p;

    end->endpoint = e->endpoint;
    end->calls = e->calls;
    end->evicted = 0;

    p = ngx_http_aiobs_session_bucket(s, e->endpoint, e->id);

    while (*p != e) {
        p = &(*p)->next;
    }

    e->endpoint = NULL;

    ngx_memory_barrier();

    *p = e->next;
    e->next = s->free;
    s->free = e;
    s->live--;
}
