
/*
 * Copyright (C) the aiobs authors
 *
 * Native histograms of Prometheus: buckets of one exponential schema for all
 * families, of which each has a window of 22 powers of two.
 */


#include "ngx_http_aiobs_exposition.h"


/* value <= bounds[0]: the zero bucket; what is above the last falls in it */

typedef struct {
    uint64_t                  bounds[NGX_HTTP_AIOBS_NATIVE_N];
    ngx_http_aiobs_scale_e    scale;
    ngx_int_t                 low;
} ngx_http_aiobs_native_t;


static ngx_http_aiobs_native_t *ngx_http_aiobs_native_window(
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_native_t *windows);


/* one for all families of the same unit and window */

static ngx_http_aiobs_native_t
    *ngx_http_aiobs_native_windows[NGX_HTTP_AIOBS_FAMILY_LAST];


/* 2 to the power of 0/8 ... 7/8 */

static const double  ngx_http_aiobs_native_steps[] = {
    1.0, 1.0905077326652577, 1.189207115002721, 1.2968395546510096,
    1.4142135623730951, 1.5422108254079407, 1.681792830507429,
    1.8340080864093424
};


ngx_int_t
ngx_http_aiobs_native_init(ngx_cycle_t *cycle)
{
    ngx_uint_t                      i;
    ngx_http_aiobs_native_t        *windows;
    const ngx_http_aiobs_family_t  *f;

    windows = ngx_pcalloc(cycle->pool, NGX_HTTP_AIOBS_FAMILY_LAST
                                       * sizeof(ngx_http_aiobs_native_t));
    if (windows == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_AIOBS_FAMILY_LAST; i++) {
        f = &ngx_http_aiobs_families[i];

        if (f->type == NGX_HTTP_AIOBS_HISTOGRAM) {
            ngx_http_aiobs_native_windows[i] =
                                    ngx_http_aiobs_native_window(f, windows);
        }
    }

    return NGX_OK;
}


static ngx_http_aiobs_native_t *
ngx_http_aiobs_native_window(const ngx_http_aiobs_family_t *f,
    ngx_http_aiobs_native_t *windows)
{
    double                    bound;
    ngx_int_t                 exponent;
    ngx_uint_t                i;
    ngx_http_aiobs_native_t  *w;

    for (w = windows; w->scale; w++) {
        if (w->scale == f->scale && w->low == f->buckets->low) {
            return w;
        }
    }

    w->scale = f->scale;
    w->low = f->buckets->low;

    for (i = 0; i < NGX_HTTP_AIOBS_NATIVE_N; i++) {
        exponent = w->low + (ngx_int_t) (i / NGX_HTTP_AIOBS_NATIVE_STEPS);
        bound = ngx_http_aiobs_native_steps[i % NGX_HTTP_AIOBS_NATIVE_STEPS]
                * w->scale;

        bound = exponent < 0 ? bound / (double) (1ULL << -exponent)
                             : bound * (double) (1ULL << exponent);

        w->bounds[i] = (uint64_t) bound;
    }

    return w;
}


void
ngx_http_aiobs_native_observe(ngx_http_aiobs_family_e family,
    ngx_atomic_t *buckets, uint64_t value)
{
    uint64_t    *bounds;
    ngx_uint_t   low, high, i;

    bounds = ngx_http_aiobs_native_windows[family]->bounds;
    low = 0;
    high = NGX_HTTP_AIOBS_NATIVE_N - 1;

    while (low < high) {
        i = (low + high) / 2;

        if (value <= bounds[i]) {
            high = i;

        } else {
            low = i + 1;
        }
    }

    (void) ngx_atomic_fetch_add(&buckets[low], 1);
}
