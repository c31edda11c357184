
/*
 * Copyright (C) the aiobs authors
 *
 * What the store says of an account is right only if all that was taken of it
 * had been written before the store was read.  Hence an account does not give
 * way while somebody has rows of it to write, and whoever read the store before
 * it gave way reads it again.
 */


#include "ngx_http_aiobs_limits_zone.h"
#include "../ngx_http_aiobs_process.h"


static ngx_http_aiobs_account_t *ngx_http_aiobs_account_taken(
    const u_char *account);
static uint64_t ngx_http_aiobs_account_tag(const u_char *account);


uint64_t
ngx_http_aiobs_limits_moves(void)
{
    return ngx_http_aiobs_limits ? ngx_http_aiobs_get(
                                                 &ngx_http_aiobs_limits->moves)
                                 : 0;
}


void
ngx_http_aiobs_account_move(const u_char *account)
{
    uint64_t                  n;
    ngx_http_aiobs_limits_t  *limits;

    limits = ngx_http_aiobs_limits;
    n = limits->moves;

    limits->moved[n & (NGX_HTTP_AIOBS_MOVED - 1)]
        = ngx_http_aiobs_account_tag(account);

    __atomic_store_n(&limits->moves, n + 1, __ATOMIC_SEQ_CST);
}


/* those that are not remembered any more may have been this one */

ngx_uint_t
ngx_http_aiobs_account_moved(const u_char *account, uint64_t since)
{
    uint64_t                  n, tag;
    ngx_http_aiobs_limits_t  *limits;

    limits = ngx_http_aiobs_limits;
    tag = ngx_http_aiobs_account_tag(account);

    if (limits->moves - since > NGX_HTTP_AIOBS_MOVED) {
        return 1;
    }

    for (n = since; n != limits->moves; n++) {
        if (limits->moved[n & (NGX_HTTP_AIOBS_MOVED - 1)] == tag) {
            return 1;
        }
    }

    return 0;
}


/* what one that died had not written is lost, and is waited for by nobody */

ngx_pid_t
ngx_http_aiobs_account_saver(ngx_http_aiobs_account_t *a)
{
    ngx_pid_t  pid;

    pid = (ngx_pid_t) a->saver;

    return pid && pid != ngx_pid && !ngx_http_aiobs_process_alive(pid) ? 0
                                                                       : pid;
}


/* the account, if it is this process that saves it; NULL otherwise */

static ngx_http_aiobs_account_t *
ngx_http_aiobs_account_taken(const u_char *account)
{
    ngx_http_aiobs_account_t  *a;

    a = ngx_http_aiobs_account_find(account);

    return (a && a->saver == (uint32_t) ngx_pid) ? a : NULL;
}


void
ngx_http_aiobs_limits_saved(const aiobs_window_row_t *rows, ngx_uint_t n)
{
    ngx_uint_t                 i;
    ngx_http_aiobs_account_t  *a;

    if (ngx_http_aiobs_limits == NULL) {
        return;
    }

    ngx_shmtx_lock(&ngx_http_aiobs_limits_pool->mutex);

    for (i = 0; i < n; i++) {
        a = ngx_http_aiobs_account_taken(rows[i].account);

        if (a == NULL) {
            continue;
        }

        a->saver = 0;

        if (a->unread) {
            ngx_http_aiobs_account_move(a->hash);
        }
    }

    ngx_shmtx_unlock(&ngx_http_aiobs_limits_pool->mutex);
}


void
ngx_http_aiobs_limits_unsaved(const aiobs_window_row_t *rows, ngx_uint_t n)
{
    int64_t                    saved;
    uint64_t                   window, *word;
    ngx_uint_t                 i;
    aiobs_limit_e              limit;
    ngx_http_aiobs_account_t  *a;

    if (ngx_http_aiobs_limits == NULL) {
        return;
    }

    ngx_shmtx_lock(&ngx_http_aiobs_limits_pool->mutex);

    for (i = 0; i < n; i++) {
        a = ngx_http_aiobs_account_taken(rows[i].account);

        if (a == NULL) {
            continue;
        }

        limit = rows[i].limit;
        word = &a->saved[limit];
        window = ngx_http_aiobs_window_of(limit, *word,
                                    ngx_http_aiobs_window(limit, ngx_time()));

        if (ngx_http_aiobs_window_start(limit, window) != rows[i].start) {
            continue;                           /* of one that is over */
        }

        saved = ngx_http_aiobs_window_get(limit, *word, window)
                - rows[i].amount * ngx_http_aiobs_account_unit(limit);

        *word = ngx_http_aiobs_window_word(limit, window, saved);

        ngx_http_aiobs_account_dirty(a);
    }

    ngx_shmtx_unlock(&ngx_http_aiobs_limits_pool->mutex);

    ngx_http_aiobs_limits_saved(rows, n);
}


static uint64_t
ngx_http_aiobs_account_tag(const u_char *account)
{
    uint64_t  tag;

    ngx_memcpy(&tag, account, sizeof(uint64_t));

    return tag;
}
