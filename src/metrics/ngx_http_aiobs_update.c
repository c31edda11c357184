
/*
 * Copyright (C) the aiobs authors
 *
 * Counting: what a series holds is changed by atomics, without a lock.
 */


#include "ngx_http_aiobs_families.h"


#define NGX_HTTP_AIOBS_BITS    64           /* of a value */
#define NGX_HTTP_AIOBS_UPDATE  512          /* bytes */


/*
 * How a family counts, laid out for it.  A value's bucket is looked for from
 * that of the power of two below it on: few steps, whatever the buckets.  The
 * size is a power of two, so that a family is found by a shift.
 */

typedef struct {
    uint16_t    n;                          /* bounds; 0: no histogram */
    uint16_t    exemplars;                  /* whether there are any */
    uint16_t    sum;                        /* the value that it lies in */
    u_char      start[NGX_HTTP_AIOBS_BITS]; /* by the highest bit set */
    uint64_t    bounds[NGX_HTTP_AIOBS_BUCKETS_MAX + 1]; /* ends with infinity */
} __attribute__((aligned(NGX_HTTP_AIOBS_UPDATE))) ngx_http_aiobs_update_t;


static void __attribute__((noinline)) ngx_http_aiobs_update_native(
    ngx_http_aiobs_series_t *s, const ngx_http_aiobs_update_t *u, ngx_uint_t i,
    uint64_t n);


static void __attribute__((noinline)) ngx_http_aiobs_update_refuse(
    ngx_http_aiobs_series_t *s, const ngx_http_aiobs_update_t *u, ngx_uint_t i,
    uint64_t n);


static ngx_http_aiobs_update_t
    ngx_http_aiobs_updates[NGX_HTTP_AIOBS_FAMILY_LAST];


void
ngx_http_aiobs_update_init(ngx_http_aiobs_metrics_conf_t *conf)
{
    ngx_uint_t                       i, k, bit;
    ngx_http_aiobs_update_t         *u;
    const ngx_http_aiobs_buckets_t  *b;

    for (i = 0; i < NGX_HTTP_AIOBS_FAMILY_LAST; i++) {
        u = &ngx_http_aiobs_updates[i];
        b = conf->buckets[i];

        ngx_memzero(u, sizeof(ngx_http_aiobs_update_t));

        u->exemplars = (ngx_http_aiobs_families[i].flags
                        & NGX_HTTP_AIOBS_EXEMPLARS) != 0;

        if (b == NULL) {
            continue;
        }

        u->n = (uint16_t) b->n;
        u->sum = (uint16_t) (b->n + 1);
        ngx_memcpy(u->bounds, b->bounds, b->n * sizeof(b->bounds[0]));
        u->bounds[b->n] = UINT64_MAX;

        for (bit = 1, k = 0; bit < NGX_HTTP_AIOBS_BITS; bit++) {
            while (u->bounds[k] < (uint64_t) 1 << bit) {
                k++;
            }

            u->start[bit] = (u_char) k;
        }
    }
}


void
ngx_http_aiobs_metrics_add(ngx_http_aiobs_family_e family,
    const ngx_str_t *labels, uint64_t n)
{
    ngx_http_aiobs_series_t  *s;

    s = ngx_http_aiobs_series(family, labels);

    if (s) {
        ngx_http_aiobs_metrics_count(s, n);
    }
}


void
ngx_http_aiobs_metrics_observe(ngx_http_aiobs_family_e family,
    const ngx_str_t *labels, uint64_t value)
{
    ngx_http_aiobs_metrics_add(family, labels, value);
}


void
ngx_http_aiobs_metrics_find_at(ngx_http_aiobs_handle_t *handle,
    ngx_http_aiobs_family_e family, const ngx_str_t *labels, uint64_t n)
{
    ngx_http_aiobs_series_t  *s;

    s = ngx_http_aiobs_series(family, labels);

    if (s == NULL) {
        return;
    }

    if (s != ngx_http_aiobs_registry->families[family].other) {
        *handle = s;
    }

    ngx_http_aiobs_metrics_count(s, n);
}


void
ngx_http_aiobs_metrics_find_sum(ngx_http_aiobs_sum_t *sum,
    ngx_http_aiobs_family_e family, const ngx_str_t *labels, uint64_t n)
{
    ngx_http_aiobs_handle_t  handle;

    handle = NULL;

    ngx_http_aiobs_metrics_find_at(&handle, family, labels, n);

    if (handle) {
        *sum = &handle->values[0];
    }
}


void
ngx_http_aiobs_metrics_refuse(ngx_http_aiobs_family_e family,
    const char *reason)
{
    ngx_str_t  labels[2];

    labels[0].data = (u_char *) ngx_http_aiobs_families[family].name;
    labels[0].len = ngx_strlen(labels[0].data);
    labels[1].data = (u_char *) reason;
    labels[1].len = ngx_strlen(reason);

    ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_COUNTS_REFUSED, labels, 1);
}


void
ngx_http_aiobs_metrics_count(ngx_http_aiobs_series_t *s, uint64_t n)
{
    ngx_uint_t                      i;
    const ngx_http_aiobs_update_t  *u;

    u = &ngx_http_aiobs_updates[s->family];

    if (!ngx_http_aiobs_metrics_fits(&s->values[u->sum], n)) {
        ngx_http_aiobs_update_refuse(s, u, 0, n);
        return;
    }

    if (u->n == 0) {
        (void) ngx_atomic_fetch_add(&s->values[0], (ngx_atomic_int_t) n);
        i = 0;

        if (n == 0) {
            return;
        }

    } else {
        i = u->start[NGX_HTTP_AIOBS_BITS - 1 - __builtin_clzll(n | 1)];

        while (n > u->bounds[i]) {
            i++;
        }

        if (s->values_n > u->n + 2) {
            ngx_http_aiobs_update_native(s, u, i, n);
            return;
        }

        (void) ngx_atomic_fetch_add(&s->values[u->n + 1],
                                    (ngx_atomic_int_t) n);
        (void) ngx_atomic_fetch_add(&s->values[i], 1);
    }

    if (u->exemplars) {
        ngx_http_aiobs_exemplar_add(s, i, n);
    }
}


static void
ngx_http_aiobs_update_refuse(ngx_http_aiobs_series_t *s,
    const ngx_http_aiobs_update_t *u, ngx_uint_t i, uint64_t n)
{
    ngx_http_aiobs_metrics_refuse(s->family, "full");
}


/*
 * Apart, so that what is counted most saves no registers.  The count of native
 * buckets is never less than that of the others.
 */

static void
ngx_http_aiobs_update_native(ngx_http_aiobs_series_t *s,
    const ngx_http_aiobs_update_t *u, ngx_uint_t i, uint64_t n)
{
    ngx_http_aiobs_native_observe(s->family, &s->values[u->n + 2], n);

    (void) ngx_atomic_fetch_add(&s->values[u->n + 1], (ngx_atomic_int_t) n);
    (void) ngx_atomic_fetch_add(&s->values[i], 1);

    if (u->exemplars) {
        ngx_http_aiobs_exemplar_add(s, i, n);
    }
}
