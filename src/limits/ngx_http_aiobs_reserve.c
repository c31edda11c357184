
/*
 * Copyright (C) the aiobs authors
 *
 * A call and its limits: reserved before it goes, settled when it is over.
 *
 * A call counts in the window in which it ends; until then its reservation
 * counts in whichever is current.
 */


#include "ngx_http_aiobs_limits_zone.h"


static ngx_int_t ngx_http_aiobs_reserve_all(ngx_http_aiobs_call_t *call,
    ngx_http_aiobs_account_t *a);
static ngx_int_t ngx_http_aiobs_reserve_amount(ngx_http_aiobs_call_t *call,
    ngx_http_aiobs_account_t *a, uint64_t *reserved, int64_t amount,
    const aiobs_limit_e *limits);
static ngx_uint_t ngx_http_aiobs_reserve_fits(int64_t limit, int64_t taken,
    int64_t reserved, int64_t amount);
static ngx_int_t ngx_http_aiobs_reserve_calls(ngx_http_aiobs_call_t *call,
    ngx_http_aiobs_account_t *a);
static void ngx_http_aiobs_reserve_mask(ngx_http_aiobs_call_t *call,
    ngx_http_aiobs_account_t *a);
static void ngx_http_aiobs_reserve_state(ngx_http_aiobs_reserve_t *rs,
    ngx_http_aiobs_reserve_state_e state);
static void ngx_http_aiobs_reserve_return(ngx_http_aiobs_reserve_t *rs);


/* the longest wait first: a client need not come back for the shorter ones */

static const aiobs_limit_e  ngx_http_aiobs_cost_limits[] = {
    AIOBS_LIMIT_COST_MONTH, AIOBS_LIMIT_COST_DAY, AIOBS_LIMIT_N
};

static const aiobs_limit_e  ngx_http_aiobs_token_limits[] = {
    AIOBS_LIMIT_TOKENS_MONTH, AIOBS_LIMIT_TOKENS_DAY, AIOBS_LIMIT_TPM,
    AIOBS_LIMIT_N
};


ngx_int_t
ngx_http_aiobs_limits_reserve(ngx_http_aiobs_call_t *call)
{
    ngx_int_t                  rc;
    ngx_http_aiobs_account_t  *a;
    ngx_http_aiobs_reserve_t  *rs;

    call->reserve = NULL;

    if (ngx_http_aiobs_limits == NULL) {
        return NGX_DECLINED;
    }

    a = ngx_http_aiobs_account_find(call->account);
    rs = a ? ngx_http_aiobs_reserve_take() : NULL;

    if (rs == NULL) {
        return NGX_DECLINED;
    }

    rs->account = a - ngx_http_aiobs_limits->accounts;
    rs->tokens = 0;
    rs->cost = 0;

    ngx_http_aiobs_reserve_state(rs, NGX_HTTP_AIOBS_RESERVE_DOUBT);

    call->reserve = rs;

    __atomic_fetch_add(&a->calls, 1, __ATOMIC_SEQ_CST);

    /* it may have given way to another account meanwhile */

    if (!aiobs_key_hash_same(a->hash, call->account)) {
        rc = NGX_DECLINED;

    } else {
        ngx_http_aiobs_reserve_mask(call, a);
        rc = ngx_http_aiobs_reserve_all(call, a);
    }

    if (rc == NGX_OK) {
        ngx_http_aiobs_reserve_state(rs, NGX_HTTP_AIOBS_RESERVE_HELD);

    } else {
        ngx_http_aiobs_reserve_return(rs);
        call->reserve = NULL;
    }

    return rc;
}


/* requests are counted last, so that what others refuse does not count */

static ngx_int_t
ngx_http_aiobs_reserve_all(ngx_http_aiobs_call_t *call,
    ngx_http_aiobs_account_t *a)
{
    ngx_http_aiobs_reserve_t  *rs;

    rs = call->reserve;

    if (ngx_http_aiobs_reserve_amount(call, a, &a->cost, call->cost,
                                      ngx_http_aiobs_cost_limits)
        != NGX_OK)
    {
        return NGX_BUSY;
    }

    rs->cost = call->cost;

    if (ngx_http_aiobs_reserve_amount(call, a, &a->tokens, call->tokens,
                                      ngx_http_aiobs_token_limits)
        != NGX_OK)
    {
        return NGX_BUSY;
    }

    rs->tokens = call->tokens;

    if (ngx_http_aiobs_reserve_calls(call, a) != NGX_OK) {
        call->over = AIOBS_LIMIT_PARALLEL;
        return NGX_BUSY;
    }

    if (!call->counted
        && ngx_http_aiobs_window_add(AIOBS_LIMIT_RPM,
                            &a->taken[AIOBS_LIMIT_RPM],
                            ngx_http_aiobs_window(AIOBS_LIMIT_RPM, ngx_time()),
                            1, call->limits[AIOBS_LIMIT_RPM])
           != NGX_OK)
    {
        call->over = AIOBS_LIMIT_RPM;
        return NGX_BUSY;
    }

    ngx_http_aiobs_account_dirty(a);

    return NGX_OK;
}


/*
 * What is reserved grows before what was taken is added, and shrinks after:
 * who reads both never sees less than there is.
 */

static ngx_int_t
ngx_http_aiobs_reserve_amount(ngx_http_aiobs_call_t *call,
    ngx_http_aiobs_account_t *a, uint64_t *reserved, int64_t amount,
    const aiobs_limit_e *limits)
{
    int64_t               taken;
    uint64_t              old;
    const aiobs_limit_e  *limit;

    old = ngx_http_aiobs_get(reserved);

    do {
        for (limit = limits; *limit != AIOBS_LIMIT_N; limit++) {

            if (call->limits[*limit] < 0) {
                continue;
            }

            taken = ngx_http_aiobs_window_get(*limit,
                                 ngx_http_aiobs_get(&a->taken[*limit]),
                                 ngx_http_aiobs_window(*limit, ngx_time()));

            if (!ngx_http_aiobs_reserve_fits(call->limits[*limit], taken, old,
                                             amount))
            {
                call->over = *limit;
                return NGX_BUSY;
            }
        }

    } while (!ngx_http_aiobs_swap(reserved, &old, old + amount));

    return NGX_OK;
}


/* what is larger than the limit as a whole may go alone, if nothing is taken */

static ngx_uint_t
ngx_http_aiobs_reserve_fits(int64_t limit, int64_t taken, int64_t reserved,
    int64_t amount)
{
    int64_t  left;

    left = limit - taken - reserved;

    return left > 0 && ngx_min(amount, limit) <= left;
}


/* this call is counted already */

static ngx_int_t
ngx_http_aiobs_reserve_calls(ngx_http_aiobs_call_t *call,
    ngx_http_aiobs_account_t *a)
{
    int64_t  limit;

    limit = call->limits[AIOBS_LIMIT_PARALLEL];

    return limit < 0 || (int64_t) ngx_http_aiobs_get(&a->calls) <= limit
           ? NGX_OK : NGX_BUSY;
}


static void
ngx_http_aiobs_reserve_mask(ngx_http_aiobs_call_t *call,
    ngx_http_aiobs_account_t *a)
{
    uint32_t    mask;
    ngx_uint_t  i;

    mask = 0;

    for (i = 0; i < AIOBS_WINDOW_N; i++) {
        mask |= (uint32_t) (call->limits[i] >= 0) << i;
    }

    if (mask & ~a->mask) {
        __atomic_fetch_or(&a->mask, mask, __ATOMIC_SEQ_CST);
    }
}


void
ngx_http_aiobs_limits_settle(ngx_http_aiobs_call_t *call, int64_t tokens,
    int64_t cost)
{
    time_t                     now;
    int64_t                    amount;
    ngx_uint_t                 i;
    ngx_http_aiobs_account_t  *a;

    if (call->reserve == NULL || ngx_http_aiobs_limits == NULL) {
        return;
    }

    now = ngx_time();
    a = &ngx_http_aiobs_limits->accounts[call->reserve->account];

    for (i = AIOBS_LIMIT_TPM; i <= AIOBS_LIMIT_COST_MONTH; i++) {
        amount = i < AIOBS_LIMIT_COST_DAY ? tokens : cost;

        if (amount > 0) {
            (void) ngx_http_aiobs_window_add(i, &a->taken[i],
                                             ngx_http_aiobs_window(i, now),
                                             amount, AIOBS_LIMIT_NONE);
        }
    }

    ngx_http_aiobs_account_dirty(a);

    ngx_http_aiobs_reserve_return(call->reserve);
    call->reserve = NULL;
}


ngx_int_t
ngx_http_aiobs_limits_left(ngx_http_aiobs_call_t *call, aiobs_limit_e limit,
    ngx_http_aiobs_left_t *left)
{
    int64_t                    taken;
    uint64_t                   window;
    ngx_http_aiobs_account_t  *a;

    if (call->limits[limit] < 0 || ngx_http_aiobs_limits == NULL) {
        return NGX_DECLINED;
    }

    a = ngx_http_aiobs_account_find(call->account);
    if (a == NULL) {
        return NGX_DECLINED;
    }

    window = ngx_http_aiobs_window(limit, ngx_time());
    taken = ngx_http_aiobs_window_get(limit,
                                      ngx_http_aiobs_get(&a->taken[limit]),
                                      window);
    if (limit == AIOBS_LIMIT_TPM) {
        taken += ngx_http_aiobs_get(&a->tokens);
    }

    left->limit = call->limits[limit];
    left->left = ngx_max(left->limit - taken, 0);
    left->reset = ngx_http_aiobs_window_start(limit, window + 1) - ngx_time();

    return NGX_OK;
}


static void
ngx_http_aiobs_reserve_state(ngx_http_aiobs_reserve_t *rs,
    ngx_http_aiobs_reserve_state_e state)
{
    __atomic_store_n(&rs->state, state, __ATOMIC_SEQ_CST);
}


/* rs has what was added so far */

static void
ngx_http_aiobs_reserve_return(ngx_http_aiobs_reserve_t *rs)
{
    ngx_http_aiobs_account_t  *a;

    a = &ngx_http_aiobs_limits->accounts[rs->account];

    ngx_http_aiobs_reserve_state(rs, NGX_HTTP_AIOBS_RESERVE_DOUBT);

    __atomic_fetch_sub(&a->cost, rs->cost, __ATOMIC_SEQ_CST);
    __atomic_fetch_sub(&a->tokens, rs->tokens, __ATOMIC_SEQ_CST);
    __atomic_fetch_sub(&a->calls, 1, __ATOMIC_SEQ_CST);

    ngx_http_aiobs_reserve_give(rs);
}
