
/*
 * Copyright (C) the aiobs authors
 *
 * How long answers of a model are: what most calls that may generate a lot
 * take in fact, so that not all of it has to be reserved.
 */


#include "ngx_http_aiobs_limits_zone.h"


#define NGX_HTTP_AIOBS_LEARNED_MIN   100    /* calls */
#define NGX_HTTP_AIOBS_LEARNED_EVERY 16     /* calls; a power of two */
#define NGX_HTTP_AIOBS_LEARNED_MAX   16384  /* older ones fade then */
#define NGX_HTTP_AIOBS_LEARNED_WAYS  4


static ngx_http_aiobs_model_t *ngx_http_aiobs_learned_model(
    const u_char *model, size_t len, ngx_uint_t add);
static int64_t ngx_http_aiobs_learned_p99(const ngx_http_aiobs_model_t *m);
static ngx_uint_t ngx_http_aiobs_learned_bucket(int64_t output);
static int64_t ngx_http_aiobs_learned_bound(ngx_uint_t bucket);


int64_t
ngx_http_aiobs_learned(const u_char *model, size_t len)
{
    ngx_http_aiobs_model_t  *m;

    m = ngx_http_aiobs_learned_model(model, len, 0);

    if (m == NULL || m->n < NGX_HTTP_AIOBS_LEARNED_MIN) {
        return AIOBS_LIMIT_NONE;
    }

    return m->p99;
}


/* workers may overwrite each other's count: it is a measure, no account */

void
ngx_http_aiobs_learn(const u_char *model, size_t len, int64_t output)
{
    ngx_uint_t               i;
    ngx_http_aiobs_model_t  *m;

    m = ngx_http_aiobs_learned_model(model, len, 1);

    if (m == NULL || output < 0) {
        return;
    }

    m->counts[ngx_http_aiobs_learned_bucket(output)]++;
    m->n++;

    /* while there are few it changes by each; later it hardly does */

    if (m->n % NGX_HTTP_AIOBS_LEARNED_EVERY == 0
        || m->n <= NGX_HTTP_AIOBS_LEARNED_MIN)
    {
        m->p99 = ngx_http_aiobs_learned_p99(m);
    }

    if (m->n >= NGX_HTTP_AIOBS_LEARNED_MAX) {
        m->n /= 2;

        for (i = 0; i < NGX_HTTP_AIOBS_MODEL_BUCKETS; i++) {
            m->counts[i] /= 2;
        }
    }
}


static int64_t
ngx_http_aiobs_learned_p99(const ngx_http_aiobs_model_t *m)
{
    uint64_t    sum;
    uint32_t    counts[NGX_HTTP_AIOBS_MODEL_BUCKETS];
    ngx_uint_t  i;

    ngx_memcpy(counts, m->counts, sizeof(counts));

    for (sum = 0, i = 0; i < NGX_HTTP_AIOBS_MODEL_BUCKETS; i++) {
        sum += counts[i];
    }

    sum /= 100;                             /* that many are longer */

    for (i = NGX_HTTP_AIOBS_MODEL_BUCKETS - 1; i && counts[i] <= sum; i--) {
        sum -= counts[i];
    }

    return ngx_http_aiobs_learned_bound(i);
}


/* add: in the place of the one that was seen least */

static ngx_http_aiobs_model_t *
ngx_http_aiobs_learned_model(const u_char *model, size_t len, ngx_uint_t add)
{
    uint64_t                 tag;
    ngx_uint_t               i;
    ngx_http_aiobs_model_t  *m, *least;

    if (ngx_http_aiobs_limits == NULL || len == 0) {
        return NULL;
    }

    tag = (uint64_t) ngx_murmur_hash2((u_char *) model, len) << 32
          | ngx_crc32_long((u_char *) model, len) | 1;

    least = NULL;

    for (i = 0; i < NGX_HTTP_AIOBS_LEARNED_WAYS; i++) {
        m = &ngx_http_aiobs_limits->models[((tag >> 32) + i)
                                           % NGX_HTTP_AIOBS_MODELS];
        if (m->tag == tag) {
            return m;
        }

        if (least == NULL || m->n < least->n) {
            least = m;
        }
    }

    if (!add) {
        return NULL;
    }

    ngx_memzero(least, sizeof(ngx_http_aiobs_model_t));
    least->tag = tag;

    return least;
}


/* 0, 1, 2, 3, 4 to 5, 6 to 7, 8 to 11, 12 to 15, ... */

static ngx_uint_t
ngx_http_aiobs_learned_bucket(int64_t output)
{
    ngx_uint_t  bucket, power;

    if (output < 2) {
        return output;
    }

    power = 63 - __builtin_clzll(output);
    bucket = 2 * power + (output >> (power - 1) & 1);

    return ngx_min(bucket, NGX_HTTP_AIOBS_MODEL_BUCKETS - 1);
}


/* the most that falls into the bucket */

static int64_t
ngx_http_aiobs_learned_bound(ngx_uint_t bucket)
{
    int64_t  power;

    if (bucket < 2) {
        return bucket;
    }

    power = (int64_t) 1 << (bucket / 2 - 1);

    return (bucket % 2 ? 4 * power : 3 * power) - 1;
}
