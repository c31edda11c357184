
/*
 * Copyright (C) the aiobs authors
 *
 * Windows of UTC time: minutes, days, months.  A word has the number of its
 * window in the upper bits, cut, and the amount in the lower ones.
 */


#include "ngx_http_aiobs_limits_zone.h"


#define NGX_HTTP_AIOBS_MINUTE_BITS  40      /* of the amount */
#define NGX_HTTP_AIOBS_DAY_BITS     54


static ngx_uint_t ngx_http_aiobs_window_bits(aiobs_limit_e limit);
static uint64_t ngx_http_aiobs_window_ahead(ngx_uint_t bits, uint64_t word,
    uint64_t window);
static uint64_t ngx_http_aiobs_window_month(uint64_t day);
static int64_t ngx_http_aiobs_window_days(uint64_t month);


uint64_t
ngx_http_aiobs_window(aiobs_limit_e limit, time_t t)
{
    uint64_t  day;

    static uint64_t  last_day, last_month;

    switch (limit) {

    case AIOBS_LIMIT_RPM:
    case AIOBS_LIMIT_TPM:
        return t / 60;

    case AIOBS_LIMIT_TOKENS_DAY:
    case AIOBS_LIMIT_COST_DAY:
        return t / 86400;

    default:
        day = t / 86400;

        if (day != last_day) {
            last_month = ngx_http_aiobs_window_month(day);
            last_day = day;
        }

        return last_month;
    }
}


time_t
ngx_http_aiobs_window_start(aiobs_limit_e limit, uint64_t window)
{
    switch (limit) {

    case AIOBS_LIMIT_RPM:
    case AIOBS_LIMIT_TPM:
        return window * 60;

    case AIOBS_LIMIT_TOKENS_DAY:
    case AIOBS_LIMIT_COST_DAY:
        return window * 86400;

    default:
        return ngx_http_aiobs_window_days(window) * 86400;
    }
}


/* months since the year 0, of days since 1970 */

static uint64_t
ngx_http_aiobs_window_month(uint64_t day)
{
    ngx_tm_t  tm;

    ngx_gmtime(day * 86400, &tm);

    return tm.ngx_tm_year * 12 + tm.ngx_tm_mon - 1;
}


/* days before the month since 1970, in the Gregorian calendar */

static int64_t
ngx_http_aiobs_window_days(uint64_t month)
{
    int64_t  year, mon;

    year = month / 12;
    mon = month % 12 + 1;

    /* the year begins in March, so that the leap day is its last */

    if (mon <= 2) {
        mon += 12;
        year--;
    }

    return 365 * year + year / 4 - year / 100 + year / 400
           + (153 * (mon - 3) + 2) / 5 - 719468;
}


int64_t
ngx_http_aiobs_window_get(aiobs_limit_e limit, uint64_t word, uint64_t window)
{
    ngx_uint_t  bits;

    bits = ngx_http_aiobs_window_bits(limit);
    window += ngx_http_aiobs_window_ahead(bits, word, window);

    if (((word >> bits) ^ window) << bits) {
        return 0;
    }

    return word & (((uint64_t) 1 << bits) - 1);
}


uint64_t
ngx_http_aiobs_window_of(aiobs_limit_e limit, uint64_t word, uint64_t window)
{
    int64_t     ahead;
    ngx_uint_t  bits;

    bits = ngx_http_aiobs_window_bits(limit);

    /* the bits of the number that a word has no room for are those of now */

    ahead = (int64_t) (((word >> bits) - window) << bits);

    return window + ahead / ((int64_t) 1 << bits);
}


uint64_t
ngx_http_aiobs_window_word(aiobs_limit_e limit, uint64_t window,
    int64_t amount)
{
    int64_t     max;
    ngx_uint_t  bits;

    bits = ngx_http_aiobs_window_bits(limit);
    max = ((int64_t) 1 << bits) - 1;

    return window << bits | (uint64_t) ngx_max(ngx_min(amount, max), 0);
}


ngx_int_t
ngx_http_aiobs_window_add(aiobs_limit_e limit, uint64_t *word,
    uint64_t window, int64_t amount, int64_t max)
{
    int64_t     taken;
    uint64_t    old, new;
    ngx_uint_t  bits;

    bits = ngx_http_aiobs_window_bits(limit);
    old = ngx_http_aiobs_get(word);

    do {
        window += ngx_http_aiobs_window_ahead(bits, old, window);
        taken = ngx_http_aiobs_window_get(limit, old, window);

        if (max >= 0 && (taken >= max || amount > max - taken)) {
            return NGX_BUSY;
        }

        new = ngx_http_aiobs_window_word(limit, window, taken + amount);

    } while (!ngx_http_aiobs_swap(word, &old, new));

    return NGX_OK;
}


/* 1: the clock of this process is late, others are in the next window */

static uint64_t
ngx_http_aiobs_window_ahead(ngx_uint_t bits, uint64_t word, uint64_t window)
{
    return ((word >> bits) - window) << bits == (uint64_t) 1 << bits;
}


static ngx_uint_t
ngx_http_aiobs_window_bits(aiobs_limit_e limit)
{
    return limit <= AIOBS_LIMIT_TPM ? NGX_HTTP_AIOBS_MINUTE_BITS
                                    : NGX_HTTP_AIOBS_DAY_BITS;
}
