
/*
 * Copyright (C) the aiobs authors
 *
 * Buckets found by the bits of a value, against a walk over all bounds.
 * Prints how many values were tried, or the first that went elsewhere.
 *
 * update ROUNDS
 */


#include "metrics/ngx_http_aiobs_families.h"

#include <stdio.h>
#include <stdlib.h>


typedef struct {
    ngx_http_aiobs_series_t  series;
    ngx_atomic_t             more[NGX_HTTP_AIOBS_BUCKETS_MAX + 2];
} histogram_t;


#define FAMILY  NGX_HTTP_AIOBS_HTTP_DURATION


/* what of the room counting uses */

ngx_http_aiobs_metrics_t  *ngx_http_aiobs_registry;

const ngx_http_aiobs_family_t
    ngx_http_aiobs_families[NGX_HTTP_AIOBS_FAMILY_LAST] = {
    [FAMILY] = { .name = "any" }
};

static ngx_http_aiobs_buckets_t  buckets;
static histogram_t               histogram;
static uint64_t                  sum, tried, refused;


ngx_http_aiobs_series_t *
ngx_http_aiobs_series(ngx_http_aiobs_family_e family, const ngx_str_t *labels)
{
    refused += family == NGX_HTTP_AIOBS_COUNTS_REFUSED;

    return NULL;
}


void
ngx_http_aiobs_native_observe(ngx_http_aiobs_family_e family,
    ngx_atomic_t *values, uint64_t value)
{
    abort();
}


void
ngx_http_aiobs_exemplar_add(ngx_http_aiobs_series_t *s, ngx_uint_t bucket,
    uint64_t value)
{
    abort();
}


static uint64_t
next(void)
{
    static uint64_t  state = 1;

    state = state * 6364136223846793005u + 1442695040888963407u;

    return state >> 11;
}


/* of any magnitude */

static uint64_t
any(void)
{
    uint64_t  n = next() << 11 | next() >> 42;

    return n >> next() % 64;
}


static void
try(uint64_t value)
{
    uint64_t       fits, before = refused;
    ngx_uint_t     i;
    ngx_atomic_t  *values = histogram.series.values;

    for (i = 0; i < buckets.n && value > buckets.bounds[i]; i++) {
        /* void */
    }

    /* a sum never comes to where 64 bits end */

    fits = value >> 53 == 0 && sum >> 62 == 0;

    values[i] = 0;
    sum += fits ? value : 0;
    tried++;

    ngx_http_aiobs_metrics_count(&histogram.series, value);

    if (values[i] != fits || values[buckets.n + 1] != sum
        || refused - before != !fits)
    {
        printf("%lu of %lu bounds\n", (unsigned long) value,
               (unsigned long) buckets.n);
        exit(1);
    }
}


static void
bounds(ngx_http_aiobs_metrics_conf_t *conf)
{
    uint64_t    bound = 0, step;
    ngx_uint_t  n = 1 + next() % NGX_HTTP_AIOBS_BUCKETS_MAX;

    buckets.n = 0;

    while (buckets.n < n) {
        step = 1 + (any() >> (4 + next() % 50));

        /* the last that can be configured */

        if (bound + step > NGX_MAX_INT_T_VALUE) {
            break;
        }

        bound += step;
        buckets.bounds[buckets.n++] = bound;
    }

    conf->buckets[FAMILY] = &buckets;
    ngx_http_aiobs_update_init(conf);

    ngx_memzero(&histogram, sizeof(histogram));
    histogram.series.family = FAMILY;
    histogram.series.values_n = buckets.n + 2;
    sum = 0;
}


int
main(int argc, char **argv)
{
    int                            rounds = atoi(argv[1]);
    ngx_uint_t                     i;
    ngx_atomic_t                  *values = histogram.series.values;
    ngx_http_aiobs_metrics_conf_t  conf = { .names = 0 };

    while (rounds--) {
        bounds(&conf);

        if (rounds % 8 == 0) {
            sum = ((uint64_t) 1 << 62) - next() % 1024;
            values[buckets.n + 1] = sum;
        }

        for (i = 0; i < buckets.n; i++) {
            try(buckets.bounds[i] - 1);
            try(buckets.bounds[i]);
            try(buckets.bounds[i] + 1);
        }

        for (i = 0; i < 64; i++) {
            try((uint64_t) 1 << i);
            try(((uint64_t) 1 << i) - 1);
            try(any());
        }

        try(0);
        try(UINT64_MAX);
    }

    printf("%lu tried\n", (unsigned long) tried);

    return 0;
}
