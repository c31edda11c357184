
/*
 * Copyright (C) the aiobs authors
 *
 * Who holds which reservation: every process writes them down in chunks of
 * its own, from which another gives them back when that one has died.
 */


#include "ngx_http_aiobs_limits_zone.h"


static ngx_http_aiobs_chunk_t *ngx_http_aiobs_held_chunk(void);
static ngx_uint_t ngx_http_aiobs_held_dead(ngx_http_aiobs_chunk_t *chunk);
static void ngx_http_aiobs_held_free(ngx_http_aiobs_chunk_t *chunk);
static void ngx_http_aiobs_held_recount(void);
static ngx_int_t ngx_http_aiobs_held_sum(uint32_t account, uint64_t *sums);


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

    return pid && kill(pid, 0) == -1 && ngx_errno == ESRCH;
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


/* those that change meanwhile have their turn the next time */

static void
ngx_http_aiobs_held_recount(void)
{
    uint64_t                   old[3], sums[3];
    ngx_uint_t                 i, left;
    ngx_http_aiobs_account_t  *a;

    left = 0;

    for (i = 0; i < ngx_http_aiobs_limits->used; i++) {
        a = &ngx_http_aiobs_limits->accounts[i];

        if (!a->suspect) {
            continue;
        }

        old[0] = ngx_http_aiobs_get(&a->calls);
        old[1] = ngx_http_aiobs_get(&a->tokens);
        old[2] = ngx_http_aiobs_get(&a->cost);

        if (ngx_http_aiobs_held_sum(i, sums) == NGX_OK
            && ngx_http_aiobs_swap(&a->calls, &old[0], sums[0])
            && ngx_http_aiobs_swap(&a->tokens, &old[1], sums[1])
            && ngx_http_aiobs_swap(&a->cost, &old[2], sums[2]))
        {
            a->suspect = 0;

        } else {
            left = 1;
        }
    }

    ngx_http_aiobs_limits->suspects = left;
}


/* calls, tokens and cost that are held; NGX_AGAIN: some are in doubt */

static ngx_int_t
ngx_http_aiobs_held_sum(uint32_t account, uint64_t *sums)
{
    uint32_t                   state;
    ngx_uint_t                 i, k;
    ngx_http_aiobs_chunk_t    *chunk;
    ngx_http_aiobs_reserve_t  *rs;

    ngx_memzero(sums, 3 * sizeof(uint64_t));

    for (i = 0; i < NGX_HTTP_AIOBS_CHUNKS; i++) {
        chunk = ngx_http_aiobs_limits->chunks[i];

        if (chunk == NULL) {
            break;
        }

        for (k = 0; k < NGX_HTTP_AIOBS_CHUNK_CALLS; k++) {
            rs = &chunk->calls[k];
            state = ngx_http_aiobs_get(&rs->state);

            if (state == NGX_HTTP_AIOBS_RESERVE_FREE
                || rs->account != account)
            {
                continue;
            }

            if (state == NGX_HTTP_AIOBS_RESERVE_DOUBT) {
                return NGX_AGAIN;
            }

            sums[0]++;
            sums[1] += rs->tokens;
            sums[2] += rs->cost;
        }
    }

    return NGX_OK;
}
