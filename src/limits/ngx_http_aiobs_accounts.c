
/*
 * Copyright (C) the aiobs authors
 *
 * The accounts of keys with limits: a bounded cache of what the store has.
 * One that gives way has been saved, and none of its calls is under way.
 */


#include "ngx_http_aiobs_limits_zone.h"


#define NGX_HTTP_AIOBS_ACCOUNT_SWEEP  128   /* looked at for a victim */


static ngx_int_t ngx_http_aiobs_account_new(const u_char *account,
    const aiobs_window_t *windows, const int64_t *limits);
static ngx_http_aiobs_account_t *ngx_http_aiobs_account_victim(void);
static ngx_uint_t ngx_http_aiobs_account_drop(ngx_http_aiobs_account_t *a);
static ngx_uint_t ngx_http_aiobs_account_rows(ngx_http_aiobs_account_t *a,
    aiobs_window_row_t *rows);
static uint32_t *ngx_http_aiobs_account_bucket(const u_char *account);


ngx_http_aiobs_limits_t  *ngx_http_aiobs_limits;
ngx_slab_pool_t          *ngx_http_aiobs_limits_pool;


size_t
ngx_http_aiobs_limits_size(ngx_uint_t keys)
{
    ngx_uint_t  n, buckets;

    n = ngx_http_aiobs_accounts(keys);

    for (buckets = 64; buckets < n; buckets <<= 1) { /* void */ }

    return ngx_align(sizeof(ngx_http_aiobs_limits_t)
                     + buckets * sizeof(uint32_t)
                     + n * sizeof(ngx_http_aiobs_account_t)
                     + (n / 64 + 1) * sizeof(uint64_t)
                     + 3 * NGX_CPU_CACHE_LINE, ngx_pagesize);
}


ngx_http_aiobs_limits_t *
ngx_http_aiobs_limits_create(ngx_slab_pool_t *shpool, ngx_uint_t keys,
    ngx_log_t *log)
{
    u_char                   *p;
    size_t                    size;
    ngx_uint_t                n, buckets;
    ngx_http_aiobs_limits_t  *limits;

    size = ngx_http_aiobs_limits_size(keys);
    n = ngx_http_aiobs_accounts(keys);

    limits = ngx_slab_calloc(shpool, size);
    if (limits == NULL) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"aiobs_zone\" is too small for the limits of %ui keys, "
                      "which need %uzk", n, size / 1024);
        return NULL;
    }

    for (buckets = 64; buckets < n; buckets <<= 1) { /* void */ }

    limits->capacity = n;
    limits->mask = buckets - 1;

    p = (u_char *) limits + sizeof(ngx_http_aiobs_limits_t);
    p = ngx_align_ptr(p, NGX_CPU_CACHE_LINE);
    limits->accounts = (void *) p;
    p += n * sizeof(ngx_http_aiobs_account_t);
    limits->dirty = (void *) p;
    p += (n / 64 + 1) * sizeof(uint64_t);
    limits->buckets = (void *) p;

    return limits;
}


void
ngx_http_aiobs_limits_init_process(ngx_http_aiobs_limits_t *limits,
    ngx_slab_pool_t *shpool)
{
    ngx_http_aiobs_limits = limits;
    ngx_http_aiobs_limits_pool = shpool;

    ngx_http_aiobs_held_own();
}


void
ngx_http_aiobs_limits_exit_process(void)
{
    ngx_http_aiobs_held_own();
    ngx_http_aiobs_limits = NULL;
}


ngx_uint_t
ngx_http_aiobs_limits_known(const u_char *account, ngx_uint_t store_fails)
{
    ngx_http_aiobs_account_t  *a;

    if (ngx_http_aiobs_limits == NULL) {
        return 1;
    }

    a = ngx_http_aiobs_account_find(account);

    return a && (!a->unread || store_fails);
}


ngx_int_t
ngx_http_aiobs_limits_open(const u_char *account,
    const aiobs_window_t *windows, uint64_t moves,
    const int64_t limits[AIOBS_LIMIT_N])
{
    ngx_int_t                  rc;
    ngx_http_aiobs_account_t  *a;

    if (ngx_http_aiobs_limits == NULL) {
        return NGX_DECLINED;
    }

    rc = NGX_OK;

    ngx_shmtx_lock(&ngx_http_aiobs_limits_pool->mutex);

    a = ngx_http_aiobs_account_find(account);

    if (windows && (a == NULL || a->unread)
        && ngx_http_aiobs_account_moved(account, moves))
    {
        rc = NGX_AGAIN;

    } else if (a == NULL) {
        rc = ngx_http_aiobs_account_new(account, windows, limits);

    } else if (a->unread && windows && !ngx_http_aiobs_account_saver(a)) {
        ngx_http_aiobs_account_read(a, windows);
    }

    ngx_shmtx_unlock(&ngx_http_aiobs_limits_pool->mutex);

    return rc;
}


static ngx_int_t
ngx_http_aiobs_account_new(const u_char *account,
    const aiobs_window_t *windows, const int64_t *limits)
{
    uint32_t                  *bucket;
    ngx_http_aiobs_account_t  *a;

    a = ngx_http_aiobs_account_victim();

    if (a == NULL) {
        return NGX_DECLINED;
    }

    ngx_http_aiobs_account_fill(a, windows, limits);
    ngx_memcpy(a->hash, account, AIOBS_KEY_HASH_LEN);

    bucket = ngx_http_aiobs_account_bucket(account);
    a->next = *bucket;

    __atomic_store_n(bucket, a - ngx_http_aiobs_limits->accounts + 1,
                     __ATOMIC_RELEASE);

    return NGX_OK;
}


/* without a lock; chains are a few accounts long */

ngx_http_aiobs_account_t *
ngx_http_aiobs_account_find(const u_char *account)
{
    uint32_t                   i;
    ngx_uint_t                 steps;
    ngx_http_aiobs_account_t  *a;

    i = ngx_http_aiobs_get(ngx_http_aiobs_account_bucket(account));

    for (steps = 0; steps < 64; steps++) {

        if (i == 0 || i > ngx_http_aiobs_limits->capacity) {
            return NULL;
        }

        a = &ngx_http_aiobs_limits->accounts[i - 1];

        if (aiobs_key_hash_same(a->hash, account)) {
            a->recent = 1;
            return a;
        }

        i = ngx_http_aiobs_get(&a->next);
    }

    return NULL;
}


static ngx_http_aiobs_account_t *
ngx_http_aiobs_account_victim(void)
{
    ngx_uint_t                 i;
    ngx_http_aiobs_account_t  *a;
    ngx_http_aiobs_limits_t   *limits;

    limits = ngx_http_aiobs_limits;

    if (limits->used < limits->capacity) {
        return &limits->accounts[limits->used++];
    }

    for (i = 0; i < NGX_HTTP_AIOBS_ACCOUNT_SWEEP; i++) {
        a = &limits->accounts[limits->hand++ % limits->capacity];

        if (a->recent && i < NGX_HTTP_AIOBS_ACCOUNT_SWEEP / 2) {
            a->recent = 0;

        } else if (ngx_http_aiobs_account_drop(a)) {
            return a;
        }
    }

    return NULL;
}


/*
 * Whoever reserves looks at the hash again afterwards: either it is seen here
 * that a call is under way, or there that the account is gone.
 */

static ngx_uint_t
ngx_http_aiobs_account_drop(ngx_http_aiobs_account_t *a)
{
    u_char      hash[AIOBS_KEY_HASH_LEN];
    uint32_t   *link;
    ngx_uint_t  i, steps;

    i = a - ngx_http_aiobs_limits->accounts;
    ngx_memcpy(hash, a->hash, AIOBS_KEY_HASH_LEN);

    ngx_memzero(a->hash, AIOBS_KEY_HASH_LEN);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    if (ngx_http_aiobs_get(&a->calls) || a->suspect
        || (ngx_http_aiobs_get(&ngx_http_aiobs_limits->dirty[i / 64])
            >> (i % 64) & 1)
        || ngx_http_aiobs_account_saver(a))
    {
        ngx_memcpy(a->hash, hash, AIOBS_KEY_HASH_LEN);
        return 0;
    }

    link = ngx_http_aiobs_account_bucket(hash);

    for (steps = 0; *link && steps < ngx_http_aiobs_limits->capacity; steps++) {

        if (*link == i + 1) {
            __atomic_store_n(link, a->next, __ATOMIC_RELEASE);
            break;
        }

        link = &ngx_http_aiobs_limits->accounts[*link - 1].next;
    }

    ngx_http_aiobs_account_move(hash);

    return 1;
}


ngx_uint_t
ngx_http_aiobs_limits_taken(aiobs_window_row_t *rows, ngx_uint_t max,
    ngx_uint_t last)
{
    uint64_t                   bits, bit;
    ngx_pid_t                  saver;
    ngx_uint_t                 i, n, new;
    ngx_http_aiobs_limits_t   *limits;
    ngx_http_aiobs_account_t  *a;

    limits = ngx_http_aiobs_limits;
    n = 0;

    if (limits == NULL) {
        return 0;
    }

    ngx_shmtx_lock(&ngx_http_aiobs_limits_pool->mutex);

    for (i = 0; i <= limits->used / 64 && n + AIOBS_WINDOW_N <= max; i++) {

        for (bits = ngx_http_aiobs_get(&limits->dirty[i]);
             bits && n + AIOBS_WINDOW_N <= max;
             bits &= bits - 1)
        {
            bit = bits & -bits;
            a = &limits->accounts[i * 64 + __builtin_ctzll(bits)];

            /* until it is read, what the store has is to be of before */

            if (a->unread && !last) {
                continue;
            }

            saver = ngx_http_aiobs_account_saver(a);

            if (saver && saver != ngx_pid) {
                continue;
            }

            __atomic_fetch_and(&limits->dirty[i], ~bit, __ATOMIC_SEQ_CST);

            new = ngx_http_aiobs_account_rows(a, &rows[n]);

            if (new) {
                a->saver = ngx_pid;
                n += new;
            }
        }
    }

    ngx_shmtx_unlock(&ngx_http_aiobs_limits_pool->mutex);

    return n;
}


static ngx_uint_t
ngx_http_aiobs_account_rows(ngx_http_aiobs_account_t *a,
    aiobs_window_row_t *rows)
{
    int64_t     unit, taken, saved;
    uint64_t    word, window;
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < AIOBS_WINDOW_N; i++) {

        if ((a->mask >> i & 1) == 0) {
            continue;
        }

        /* others may be in the next window already, or the last one ended */

        word = ngx_http_aiobs_get(&a->taken[i]);
        window = ngx_http_aiobs_window_of(i, word,
                                          ngx_http_aiobs_window(i, ngx_time()));
        unit = ngx_http_aiobs_account_unit(i);

        taken = ngx_http_aiobs_window_get(i, word, window);
        saved = ngx_http_aiobs_window_get(i, a->saved[i], window);

        a->saved[i] = word;

        if (taken / unit == saved / unit) {
            continue;
        }

        ngx_memcpy(rows[n].account, a->hash, AIOBS_KEY_HASH_LEN);
        rows[n].limit = i;
        rows[n].start = ngx_http_aiobs_window_start(i, window);
        rows[n].amount = taken / unit - saved / unit;
        n++;
    }

    return n;
}


void
ngx_http_aiobs_account_dirty(ngx_http_aiobs_account_t *a)
{
    uint64_t    bit;
    ngx_uint_t  i;

    i = a - ngx_http_aiobs_limits->accounts;
    bit = (uint64_t) 1 << (i % 64);

    if ((ngx_http_aiobs_get(&ngx_http_aiobs_limits->dirty[i / 64]) & bit)
        == 0)
    {
        __atomic_fetch_or(&ngx_http_aiobs_limits->dirty[i / 64], bit,
                          __ATOMIC_SEQ_CST);
    }
}


static uint32_t *
ngx_http_aiobs_account_bucket(const u_char *account)
{
    uint32_t  n;

    ngx_memcpy(&n, account, sizeof(uint32_t));

    return &ngx_http_aiobs_limits->buckets[n & ngx_http_aiobs_limits->mask];
}
