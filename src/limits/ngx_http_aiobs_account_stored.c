
/*
 * Copyright (C) the aiobs authors
 *
 * What the store has of accounts: when they are opened, or later, where it
 * could not be asked then.
 */


#include "ngx_http_aiobs_limits_zone.h"


static int64_t ngx_http_aiobs_account_stored(const aiobs_window_t *windows,
    aiobs_limit_e limit, uint64_t window);


void
ngx_http_aiobs_account_fill(ngx_http_aiobs_account_t *a,
    const aiobs_window_t *windows, const int64_t *limits)
{
    int64_t     amount;
    uint64_t    window;
    ngx_uint_t  i;

    a->mask = 0;
    a->recent = 1;
    a->unread = (windows == NULL);
    a->saver = 0;                           /* the place may have had one */

    for (i = 0; i < AIOBS_WINDOW_N; i++) {

        window = ngx_http_aiobs_window(i, ngx_time());
        amount = windows ? ngx_http_aiobs_account_stored(windows, i, window)
                         : 0;

        a->taken[i] = ngx_http_aiobs_window_word(i, window, amount);
        a->saved[i] = a->taken[i];

        if (limits[i] >= 0) {
            a->mask |= 1 << i;
        }
    }
}


/*
 * What the store has was taken before, but for what an ending worker has saved
 * of this account meanwhile.
 */

void
ngx_http_aiobs_account_read(ngx_http_aiobs_account_t *a,
    const aiobs_window_t *windows)
{
    int64_t     before, saved;
    uint64_t    window;
    ngx_uint_t  i;

    for (i = 0; i < AIOBS_WINDOW_N; i++) {
        window = ngx_http_aiobs_window(i, ngx_time());
        before = ngx_http_aiobs_account_stored(windows, i, window);
        saved = ngx_http_aiobs_window_get(i, a->saved[i], window);

        if (before <= 0) {
            continue;
        }

        a->saved[i] = ngx_http_aiobs_window_word(i, window, before);

        if (before > saved) {
            (void) ngx_http_aiobs_window_add(i, &a->taken[i], window,
                                             before - saved, AIOBS_LIMIT_NONE);
        }
    }

    a->unread = 0;
}


static int64_t
ngx_http_aiobs_account_stored(const aiobs_window_t *windows,
    aiobs_limit_e limit, uint64_t window)
{
    return windows[limit].start == ngx_http_aiobs_window_start(limit, window)
           ? windows[limit].amount * ngx_http_aiobs_account_unit(limit) : 0;
}


/* of these nothing is saved, and none gives way, until they are read */

ngx_uint_t
ngx_http_aiobs_limits_unread(u_char (*accounts)[AIOBS_KEY_HASH_LEN],
    ngx_uint_t max)
{
    uint64_t                   bits;
    ngx_uint_t                 i, n;
    ngx_http_aiobs_limits_t   *limits;
    ngx_http_aiobs_account_t  *a;

    limits = ngx_http_aiobs_limits;
    n = 0;

    if (limits == NULL) {
        return 0;
    }

    ngx_shmtx_lock(&ngx_http_aiobs_limits_pool->mutex);

    for (i = 0; i <= limits->used / 64 && n < max; i++) {

        for (bits = ngx_http_aiobs_get(&limits->dirty[i]);
             bits && n < max;
             bits &= bits - 1)
        {
            a = &limits->accounts[i * 64 + __builtin_ctzll(bits)];

            if (a->unread) {
                ngx_memcpy(accounts[n++], a->hash, AIOBS_KEY_HASH_LEN);
            }
        }
    }

    ngx_shmtx_unlock(&ngx_http_aiobs_limits_pool->mutex);

    return n;
}


void
ngx_http_aiobs_limits_read(const u_char *account,
    const aiobs_window_t *windows, uint64_t moves)
{
    ngx_http_aiobs_account_t  *a;

    if (ngx_http_aiobs_limits == NULL) {
        return;
    }

    ngx_shmtx_lock(&ngx_http_aiobs_limits_pool->mutex);

    a = ngx_http_aiobs_account_find(account);

    if (a && a->unread && !ngx_http_aiobs_account_saver(a)
        && !ngx_http_aiobs_account_moved(account, moves))
    {
        ngx_http_aiobs_account_read(a, windows);
    }

    ngx_shmtx_unlock(&ngx_http_aiobs_limits_pool->mutex);
}


/* costs are kept in nano-USD, the store has micro-USD */

int64_t
ngx_http_aiobs_account_unit(aiobs_limit_e limit)
{
    return limit == AIOBS_LIMIT_COST_DAY || limit == AIOBS_LIMIT_COST_MONTH
           ? 1000 : 1;
}
