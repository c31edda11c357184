
/*
 * Copyright (C) the aiobs authors
 *
 * A series read once, for whatever format.
 */


#include "ngx_http_aiobs_exposition.h"


static void ngx_http_aiobs_snapshot_histogram(
    ngx_http_aiobs_snapshot_t *snapshot, ngx_http_aiobs_series_t *s,
    ngx_uint_t n);
static void ngx_http_aiobs_snapshot_native(
    ngx_http_aiobs_snapshot_t *snapshot, ngx_atomic_t *buckets);
static ngx_uint_t ngx_http_aiobs_snapshot_held(
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_series_t *s);
static void ngx_http_aiobs_snapshot_zero(ngx_http_aiobs_snapshot_t *snapshot,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_series_t *s);


void
ngx_http_aiobs_snapshot(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_series_t *s)
{
    int64_t                     n;
    ngx_http_aiobs_snapshot_t  *snapshot;

    snapshot = &scrape->snapshot;
    snapshot->exemplars_n = 0;

    if (f->type == NGX_HTTP_AIOBS_GAUGE) {
        n = ngx_http_aiobs_gauge_value(scrape->metrics, &scrape->live, s);

        /* processes are read one after another */

        snapshot->value = n > 0 ? (uint64_t) n : 0;
        snapshot->created = 0;
        return;
    }

    snapshot->created = s->created;

    if (ngx_http_aiobs_snapshot_held(f, s)) {
        ngx_http_aiobs_snapshot_zero(snapshot, f, s);
        return;
    }

    if (f->type == NGX_HTTP_AIOBS_HISTOGRAM) {
        n = ngx_http_aiobs_buckets(f)->n;

        ngx_http_aiobs_snapshot_histogram(snapshot, s, n);

        snapshot->native = (s->values_n > (ngx_uint_t) n + 2);

        if (snapshot->native && scrape->exposer->native) {
            ngx_http_aiobs_snapshot_native(snapshot, &s->values[n + 2]);
        }

    } else {
        snapshot->value = s->values[0];
    }

    if (scrape->exposer->exemplars) {
        snapshot->exemplars_n = ngx_http_aiobs_exemplars(scrape->metrics, s,
                                                         snapshot->exemplars);
    }
}


/*
 * Buckets are stored each for itself, and the count is their sum: whatever is
 * added meanwhile, count and last bucket are the same.
 */

static void
ngx_http_aiobs_snapshot_histogram(ngx_http_aiobs_snapshot_t *snapshot,
    ngx_http_aiobs_series_t *s, ngx_uint_t n)
{
    ngx_uint_t  i;

    snapshot->value = s->values[n + 1];
    snapshot->count = 0;

    for (i = 0; i <= n; i++) {
        snapshot->buckets[i] = s->values[i];
        snapshot->count += snapshot->buckets[i];
    }
}


/*
 * Read after the others, and counted before them: their count may be larger,
 * never less.
 */

static void
ngx_http_aiobs_snapshot_native(ngx_http_aiobs_snapshot_t *snapshot,
    ngx_atomic_t *buckets)
{
    ngx_uint_t  i;

    ngx_memory_barrier();

    snapshot->native_count = 0;

    for (i = 0; i < NGX_HTTP_AIOBS_NATIVE_N; i++) {
        snapshot->native_buckets[i] = buckets[i];
        snapshot->native_count += snapshot->native_buckets[i];
    }
}


/*
 * A series that is new has what is counted in it shown later, so that a scrape
 * sees it at 0 first: increase() knows of no other beginning.
 */

static ngx_uint_t
ngx_http_aiobs_snapshot_held(const ngx_http_aiobs_family_t *f,
    ngx_http_aiobs_series_t *s)
{
    time_t  zero;

    zero = ngx_http_aiobs_metrics_conf->zero;

    /* one without labels was shown before it was there */

    return zero && f->labels[0] && ngx_time() - (time_t) s->created < zero;
}


static void
ngx_http_aiobs_snapshot_zero(ngx_http_aiobs_snapshot_t *snapshot,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_series_t *s)
{
    snapshot->value = 0;
    snapshot->count = 0;
    snapshot->native_count = 0;

    ngx_memzero(snapshot->buckets, sizeof(snapshot->buckets));
    ngx_memzero(snapshot->native_buckets, sizeof(snapshot->native_buckets));

    snapshot->native = f->type == NGX_HTTP_AIOBS_HISTOGRAM
                       && s->values_n > ngx_http_aiobs_buckets(f)->n + 2;
}
