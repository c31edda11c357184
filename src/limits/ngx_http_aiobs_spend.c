
/*
 * Copyright (C) the aiobs authors
 *
 * What keys have spent since it was saved last, in this worker's memory.
 */


#include "ngx_http_aiobs_spend.h"

#include "../metrics/aiobs_text.h"


#define NGX_HTTP_AIOBS_SUMS         1024
#define NGX_HTTP_AIOBS_SUM_BUCKETS  1024    /* a power of two */


typedef struct {
    uint32_t       next;                    /* index + 1, in its bucket */
    uint32_t       bucket;
    int64_t        day;                     /* since 1970 */
    u_char         hash[AIOBS_KEY_HASH_LEN];
    uint32_t       model_len;
    uint32_t       endpoint_len;
    u_char         model[AIOBS_LABEL_MAX];
    u_char         endpoint[AIOBS_LABEL_MAX];
    int64_t        calls;
    int64_t        input;
    int64_t        output;
    int64_t        cache_read;
    int64_t        cache_write;
    int64_t        cost;                    /* nano-USD */
    int64_t        estimated;
    unsigned       pending:1;
} ngx_http_aiobs_sum_t;


typedef struct {
    ngx_uint_t             used;
    ngx_uint_t             pending;
    ngx_uint_t             hand;
    int64_t                parts;           /* of rows that gave way, nano */
    uint32_t               buckets[NGX_HTTP_AIOBS_SUM_BUCKETS];
    ngx_http_aiobs_sum_t   sums[NGX_HTTP_AIOBS_SUMS];
} ngx_http_aiobs_sums_t;


static ngx_http_aiobs_sum_t *ngx_http_aiobs_sum(
    const ngx_http_aiobs_spend_t *spend, int64_t day);
static ngx_http_aiobs_sum_t *ngx_http_aiobs_sum_find(
    const ngx_http_aiobs_spend_t *spend, int64_t day);
static ngx_http_aiobs_sum_t *ngx_http_aiobs_sum_make(
    const ngx_http_aiobs_spend_t *spend, int64_t day);
static uint32_t ngx_http_aiobs_sum_bucket(const ngx_http_aiobs_spend_t *spend);
static ngx_http_aiobs_sum_t *ngx_http_aiobs_sum_spare(void);
static void ngx_http_aiobs_sum_part(ngx_http_aiobs_sum_t *sum);
static void ngx_http_aiobs_sum_row(ngx_http_aiobs_sum_t *sum,
    aiobs_usage_row_t *row, ngx_http_aiobs_spend_text_t *text);


static ngx_http_aiobs_sums_t  *ngx_http_aiobs_sums;


ngx_int_t
ngx_http_aiobs_spend_add(const ngx_http_aiobs_spend_t *spend)
{
    ngx_http_aiobs_sum_t  *sum;

    if (ngx_http_aiobs_sums == NULL) {
        ngx_http_aiobs_sums = ngx_calloc(sizeof(ngx_http_aiobs_sums_t),
                                         ngx_cycle->log);
        if (ngx_http_aiobs_sums == NULL) {
            return NGX_DECLINED;
        }
    }

    sum = ngx_http_aiobs_sum(spend, ngx_time() / 86400);

    if (sum == NULL) {
        return NGX_DECLINED;
    }

    sum->calls += spend->calls;

    /* past that is nothing that was ever spent; a call is far below it */

    if ((sum->input | sum->output | sum->cache_read | sum->cache_write
         | sum->cost) >> 61 == 0)
    {
        sum->input += spend->input;
        sum->output += spend->output;
        sum->cache_read += spend->cache_read;
        sum->cache_write += spend->cache_write;
        sum->cost += spend->cost;
    }

    sum->estimated += spend->estimated;

    ngx_http_aiobs_sums->pending += !sum->pending;
    sum->pending = 1;

    return ngx_http_aiobs_sums->pending > NGX_HTTP_AIOBS_SUMS / 2 ? NGX_AGAIN
                                                                  : NGX_OK;
}


static ngx_http_aiobs_sum_t *
ngx_http_aiobs_sum(const ngx_http_aiobs_spend_t *spend, int64_t day)
{
    u_char                  model[AIOBS_LABEL_MAX], endpoint[AIOBS_LABEL_MAX];
    ngx_http_aiobs_sum_t   *sum;
    ngx_http_aiobs_spend_t  clean;

    /* texts that are found as they are need no cleaning */

    sum = ngx_http_aiobs_sum_find(spend, day);

    if (sum) {
        return sum;
    }

    clean.hash = spend->hash;
    clean.model.data = model;
    clean.model.len = aiobs_text_label(model, spend->model.data,
                                       spend->model.len);
    clean.endpoint.data = endpoint;
    clean.endpoint.len = aiobs_text_label(endpoint, spend->endpoint.data,
                                          spend->endpoint.len);

    sum = ngx_http_aiobs_sum_find(&clean, day);

    return sum ? sum : ngx_http_aiobs_sum_make(&clean, day);
}


static ngx_http_aiobs_sum_t *
ngx_http_aiobs_sum_find(const ngx_http_aiobs_spend_t *spend, int64_t day)
{
    uint32_t               i;
    ngx_http_aiobs_sum_t  *sum;

    i = ngx_http_aiobs_sums->buckets[ngx_http_aiobs_sum_bucket(spend)];

    for ( /* void */ ; i; i = sum->next) {
        sum = &ngx_http_aiobs_sums->sums[i - 1];

        if (sum->day == day
            && sum->model_len == spend->model.len
            && sum->endpoint_len == spend->endpoint.len
            && aiobs_key_hash_same(sum->hash, spend->hash)
            && ngx_memcmp(sum->model, spend->model.data, sum->model_len) == 0
            && ngx_memcmp(sum->endpoint, spend->endpoint.data,
                          sum->endpoint_len)
               == 0)
        {
            return sum;
        }
    }

    return NULL;
}


/* texts are labels */

static ngx_http_aiobs_sum_t *
ngx_http_aiobs_sum_make(const ngx_http_aiobs_spend_t *spend, int64_t day)
{
    ngx_http_aiobs_sum_t  *sum;

    sum = ngx_http_aiobs_sum_spare();
    if (sum == NULL) {
        return NULL;
    }

    ngx_memzero(sum, sizeof(ngx_http_aiobs_sum_t));

    sum->day = day;
    sum->model_len = spend->model.len;
    sum->endpoint_len = spend->endpoint.len;
    ngx_memcpy(sum->hash, spend->hash, AIOBS_KEY_HASH_LEN);
    ngx_memcpy(sum->model, spend->model.data, spend->model.len);
    ngx_memcpy(sum->endpoint, spend->endpoint.data, spend->endpoint.len);

    sum->bucket = ngx_http_aiobs_sum_bucket(spend);
    sum->next = ngx_http_aiobs_sums->buckets[sum->bucket];
    ngx_http_aiobs_sums->buckets[sum->bucket] =
                                          sum - ngx_http_aiobs_sums->sums + 1;

    return sum;
}


/* the hash of a key is random; versions of a model differ at the end */

static uint32_t
ngx_http_aiobs_sum_bucket(const ngx_http_aiobs_spend_t *spend)
{
    size_t    len;
    uint32_t  key;
    uint64_t  model;

    model = 0;
    len = ngx_min(spend->model.len, sizeof(uint64_t));

    ngx_memcpy(&key, spend->hash, sizeof(uint32_t));
    ngx_memcpy(&model, spend->model.data + spend->model.len - len, len);

    return (key ^ (uint32_t) (model * 0x9e3779b97f4a7c15ULL >> 32))
           & (NGX_HTTP_AIOBS_SUM_BUCKETS - 1);
}


/* one that was taken may give way */

static ngx_http_aiobs_sum_t *
ngx_http_aiobs_sum_spare(void)
{
    uint32_t               *link;
    ngx_uint_t              i;
    ngx_http_aiobs_sum_t   *sum;
    ngx_http_aiobs_sums_t  *sums;

    sums = ngx_http_aiobs_sums;

    if (sums->used < NGX_HTTP_AIOBS_SUMS) {
        return &sums->sums[sums->used++];
    }

    if (sums->pending == NGX_HTTP_AIOBS_SUMS) {
        return NULL;
    }

    do {
        i = sums->hand++ % NGX_HTTP_AIOBS_SUMS;
        sum = &sums->sums[i];

        if (!sum->pending) {
            ngx_http_aiobs_sum_part(sum);
        }

    } while (sum->pending);

    link = &sums->buckets[sum->bucket];

    while (*link != i + 1) {
        link = &sums->sums[*link - 1].next;
    }

    *link = sum->next;

    return sum;
}


/*
 * Its part of a micro-USD goes with those of others.  Whoever makes them one is
 * charged for it: as often as its own parts are large, and the total is exact.
 */

static void
ngx_http_aiobs_sum_part(ngx_http_aiobs_sum_t *sum)
{
    int64_t                 whole;
    ngx_http_aiobs_sums_t  *sums;

    sums = ngx_http_aiobs_sums;

    sums->parts += sum->cost % 1000;
    sum->cost -= sum->cost % 1000;

    /* one is to give way */

    if (sums->parts >= 500
        && (sum->pending || sums->pending < NGX_HTTP_AIOBS_SUMS - 1))
    {
        whole = (sums->parts + 500) / 1000 * 1000;

        sum->cost += whole;
        sums->parts -= whole;

        sums->pending += !sum->pending;
        sum->pending = 1;
    }
}


ngx_uint_t
ngx_http_aiobs_spend_take(aiobs_usage_row_t *rows,
    ngx_http_aiobs_spend_text_t *texts, ngx_uint_t max, ngx_uint_t last)
{
    ngx_uint_t             i, n;
    ngx_http_aiobs_sum_t  *sum;

    if (ngx_http_aiobs_sums == NULL) {
        return 0;
    }

    for (i = 0, n = 0; n < max && i < ngx_http_aiobs_sums->used; i++) {
        sum = &ngx_http_aiobs_sums->sums[i];

        if (last && sum->cost % 1000) {
            ngx_http_aiobs_sum_part(sum);
        }

        if (sum->pending) {
            ngx_http_aiobs_sum_row(sum, &rows[n], &texts[n]);
            n++;

            sum->pending = 0;
            ngx_http_aiobs_sums->pending--;
        }
    }

    return n;
}


static void
ngx_http_aiobs_sum_row(ngx_http_aiobs_sum_t *sum, aiobs_usage_row_t *row,
    ngx_http_aiobs_spend_text_t *text)
{
    ngx_tm_t  tm;

    ngx_gmtime(sum->day * 86400, &tm);

    *ngx_sprintf((u_char *) row->day, "%4d-%02d-%02d", tm.ngx_tm_year,
                 tm.ngx_tm_mon, tm.ngx_tm_mday) = '\0';

    ngx_memcpy(row->hash, sum->hash, AIOBS_KEY_HASH_LEN);

    *ngx_cpymem(text->model, sum->model, sum->model_len) = '\0';
    *ngx_cpymem(text->endpoint, sum->endpoint, sum->endpoint_len) = '\0';

    row->model = text->model;
    row->endpoint = text->endpoint;
    row->calls = sum->calls;
    row->input = sum->input;
    row->output = sum->output;
    row->cache_read = sum->cache_read;
    row->cache_write = sum->cache_write;
    row->cost = sum->cost / 1000;
    row->estimated_calls = sum->estimated;

    sum->cost %= 1000;
    sum->calls = 0;
    sum->input = 0;
    sum->output = 0;
    sum->cache_read = 0;
    sum->cache_write = 0;
    sum->estimated = 0;
}
