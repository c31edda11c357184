
/*
 * Copyright (C) the aiobs authors
 *
 * Who holds which reservation: every process writes them down in chunks of
 * its own, from which another gives them back when that one has died.
 */


#include "ngx_http_aiobs_limits_zone.h"
#include "../ngx_http_aiobs_process.h"


#define NGX_HTTP_AIOBS_HELD_BATCH  256      /* accounts counted at once */


/* calls, tokens and cost under way of an account: as it says, as counted */

typedef struct {
    uint32_t    account;                    /* index */
    uint32_t    doubt;                      /* some are being changed */
    uint64_t    old[3];
    uint64_t    sums[3];
} ngx_http_aiobs_held_t;


static ngx_http_aiobs_chunk_t *ngx_http_aiobs_held_chunk(void);
static ngx_uint_t ngx_http_aiobs_held_dead(ngx_http_aiobs_chunk_t *chunk);
static void ngx_http_aiobs_held_free(ngx_http_aiobs_chunk_t *chunk);
static void ngx_http_aiobs_held_recount(void);
static void ngx_http_aiobs_held_sums(ngx_http_aiobs_held_t *held,
    ngx_uint_t n);
static ngx_http_aiobs_held_t *ngx_http_aiobs_held_of(
    ngx_http_aiobs_held_t *held, ngx_uint_t n, uint32_t account);


/* free ones of this process */

static ngx_http_aiobs_reserve_t  *ngx_http_aiobs_held_spare;
static ngx_uint_t                 ngx_http_aiobs_held_idle;


ngx_http_aiobs_reserve_t *
ngx_http_aiobs_reserve_take(void)
{
    ngx_uint_t                 i;
    ngx_http_aiobs_chunk_t    *chunk;
    ngx_http_aiobs_reserve_t  *rs;

    if (ngx_http_aiobs_held_spare == NULL) {

        chunk = ngx_http_aiobs_held_chunk();

        for (i = 0; chunk && i < NGX_HTTP_AIOBS_CHUNK_CALLS; i++) {
            chunk->calls[i].next = ngx_http_aiobs_held_spare;
            ngx_http_aiobs_held_spare = &chunk->calls[i];
        }
    }

    rs = ngx_http_aiobs_held_spare;

    if (rs) {
        ngx_http_aiobs_held_spare = rs->next;
    }

    return rs;
}


void
ngx_http_aiobs_reserve_give(ngx_http_aiobs_reserve_t *rs)
{
    __atomic_store_n(&rs->state, NGX_HTTP_AIOBS_RESERVE_FREE,
                     __ATOMIC_SEQ_CST);

    rs->next = ngx_http_aiobs_held_spare;
    ngx_http_aiobs_held_spare = rs;
}


/* one that nobody has, else a new one */

static ngx_http_aiobs_chunk_t *
ngx_http_aiobs_held_chunk(void)
{
    ngx_uint_t               i;
    ngx_http_aiobs_chunk_t  *chunk;

    chunk = NULL;

    ngx_shmtx_lock(&ngx_http_aiobs_limits_pool->mutex);

    for (i = 0; i < NGX_HTTP_AIOBS_CHUNKS; i++) {

        chunk = ngx_http_aiobs_limits->chunks[i];

        if (chunk == NULL) {
            chunk = ngx_slab_calloc_locked(ngx_http_aiobs_limits_pool,
                                           sizeof(ngx_http_aiobs_chunk_t));
            if (chunk) {
                chunk->pid = ngx_pid;
                ngx_memory_barrier();
                ngx_http_aiobs_limits->chunks[i] = chunk;
            }

            break;
        }

        if (chunk->pid == 0) {
            chunk->pid = ngx_pid;
            break;
        }

        chunk = NULL;
    }

    ngx_shmtx_unlock(&ngx_http_aiobs_limits_pool->mutex);

    return chunk;
}


void
ngx_http_aiobs_limits_sweep(void)
{
    ngx_uint_t                i;
    ngx_http_aiobs_chunk_t   *chunk;
    ngx_http_aiobs_limits_t  *limits;

    limits = ngx_http_aiobs_limits;

    if (limits == NULL) {
        return;
    }

    for (i = 0; i < NGX_HTTP_AIOBS_CHUNKS && limits->chunks[i]; i++) {
        chunk = limits->chunks[i];

        if (!ngx_http_aiobs_held_dead(chunk)) {
            continue;
        }

        ngx_shmtx_lock(&ngx_http_aiobs_limits_pool->mutex);

        if (ngx_http_aiobs_held_dead(chunk)) {
            ngx_http_aiobs_held_free(chunk);
        }

        ngx_shmtx_unlock(&ngx_http_aiobs_limits_pool->mutex);
    }

    if (limits->suspects) {
        ngx_shmtx_lock(&ngx_http_aiobs_limits_pool->mutex);
        ngx_http_aiobs_held_recount();
        ngx_shmtx_unlock(&ngx_http_aiobs_limits_pool->mutex);
    }
}


/* before its first and after its last call a process has nothing */

void
ngx_http_aiobs_held_own(void)
{
    ngx_http_aiobs_held_idle = 1;
    ngx_http_aiobs_held_spare = NULL;

    ngx_http_aiobs_limits_sweep();

    ngx_http_aiobs_held_idle = 0;
}


/* this pid may have been another's before */

static ngx_uint_t
ngx_http_aiobs_held_dead(ngx_http_aiobs_chunk_t *chunk)
{
    ngx_pid_t  pid;

    pid = (ngx_pid_t) chunk->pid;

    if (pid == ngx_pid) {
        return ngx_http_aiobs_held_idle;
    }

    return pid && !ngx_http_aiobs_process_alive(pid);
}


/*
 * Whoever died may have been in the middle of something, and so may who
 * cleans up here: the sums are not changed, but made anew.
 */

static void
ngx_http_aiobs_held_free(ngx_http_aiobs_chunk_t *chunk)
{
    ngx_uint_t                 i;
    ngx_http_aiobs_reserve_t  *rs;

    for (i = 0; i < NGX_HTTP_AIOBS_CHUNK_CALLS; i++) {
        rs = &chunk->calls[i];

        if (rs->state != NGX_HTTP_AIOBS_RESERVE_FREE) {
            ngx_http_aiobs_limits->accounts[rs->account].suspect = 1;
            ngx_http_aiobs_limits->suspects = 1;

            ngx_memory_barrier();

            rs->state = NGX_HTTP_AIOBS_RESERVE_FREE;
        }
    }

    ngx_memory_barrier();

    chunk->pid = 0;
}


/*
 * As many at once as one reading of all reservations is worth; the rest, and
 * those that change meanwhile, have their turn the next time.
 */

static void
ngx_http_aiobs_held_recount(void)
{
    ngx_uint_t                 i, n, left;
    ngx_http_aiobs_held_t      held[NGX_HTTP_AIOBS_HELD_BATCH];
    ngx_http_aiobs_account_t  *a;

    static ngx_uint_t  from;

    left = (from != 0);
    n = 0;

    for (i = from; i < ngx_http_aiobs_limits->used; i++) {
        a = &ngx_http_aiobs_limits->accounts[i];

        if (!a->suspect) {
            continue;
        }

        if (n == NGX_HTTP_AIOBS_HELD_BATCH) {
            left = 1;
            break;
        }

        ngx_memzero(&held[n], sizeof(ngx_http_aiobs_held_t));

        held[n].account = i;
        held[n].old[0] = ngx_http_aiobs_get(&a->calls);
        held[n].old[1] = ngx_http_aiobs_get(&a->tokens);
        held[n++].old[2] = ngx_http_aiobs_get(&a->cost);
    }

    from = (i < ngx_http_aiobs_limits->used) ? i : 0;

    if (n) {
        ngx_http_aiobs_held_sums(held, n);
    }

    for (i = 0; i < n; i++) {
        a = &ngx_http_aiobs_limits->accounts[held[i].account];

        if (!held[i].doubt
            && ngx_http_aiobs_swap(&a->calls, &held[i].old[0],
                                   held[i].sums[0])
            && ngx_http_aiobs_swap(&a->tokens, &held[i].old[1],
                                   held[i].sums[1])
            && ngx_http_aiobs_swap(&a->cost, &held[i].old[2],
                                   held[i].sums[2]))
        {
            a->suspect = 0;

        } else {
            left = 1;
        }
    }

    ngx_http_aiobs_limits->suspects = left;
}


static void
ngx_http_aiobs_held_sums(ngx_http_aiobs_held_t *held, ngx_uint_t n)
{
    uint32_t                   state;
    ngx_uint_t                 i, k;
    ngx_http_aiobs_held_t     *h;
    ngx_http_aiobs_chunk_t    *chunk;
    ngx_http_aiobs_reserve_t  *rs;

    for (i = 0; i < NGX_HTTP_AIOBS_CHUNKS; i++) {
        chunk = ngx_http_aiobs_limits->chunks[i];

        if (chunk == NULL) {
            break;
        }

        for (k = 0; k < NGX_HTTP_AIOBS_CHUNK_CALLS; k++) {
            rs = &chunk->calls[k];
            state = ngx_http_aiobs_get(&rs->state);

            if (state == NGX_HTTP_AIOBS_RESERVE_FREE) {
                continue;
            }

            h = ngx_http_aiobs_held_of(held, n, rs->account);

            if (h) {
                h->doubt |= (state == NGX_HTTP_AIOBS_RESERVE_DOUBT);
                h->sums[0]++;
                h->sums[1] += rs->tokens;
                h->sums[2] += rs->cost;
            }
        }
    }
}


/* NULL: that account is not counted now */

static ngx_http_aiobs_held_t *
ngx_http_aiobs_held_of(ngx_http_aiobs_held_t *held, ngx_uint_t n,
    uint32_t account)
{
    ngx_uint_t  low, high, middle;

    low = 0;
    high = n;

    while (low < high) {
        middle = (low + high) / 2;

        if (held[middle].account < account) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return low < n && held[low].account == account ? &held[low] : NULL;
}
