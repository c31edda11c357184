
/*
 * Copyright (C) the aiobs authors
 *
 * The registry's place in the zone: how large it is, made once, found again
 * by the next configuration if it is of the same shape.
 */


#include "ngx_http_aiobs_families.h"


static size_t ngx_http_aiobs_table_size(ngx_uint_t series);
static ngx_uint_t ngx_http_aiobs_exemplars_n(ngx_uint_t series);
static ngx_uint_t ngx_http_aiobs_natives_n(ngx_http_aiobs_metrics_conf_t *conf,
    ngx_uint_t series);
static uint32_t ngx_http_aiobs_fingerprint(void);
static uint32_t ngx_http_aiobs_shape(ngx_http_aiobs_metrics_conf_t *conf);


static size_t
ngx_http_aiobs_table_size(ngx_uint_t series)
{
    size_t  n;

    for (n = 1024; n < series; n *= 2) {
        /* void */
    }

    return n;
}


/* for one series in four, or for every histogram of sixteen */

static ngx_uint_t
ngx_http_aiobs_exemplars_n(ngx_uint_t series)
{
    return ngx_max(series / 4, 256);
}


/* every eighth series may be a histogram with native buckets */

static ngx_uint_t
ngx_http_aiobs_natives_n(ngx_http_aiobs_metrics_conf_t *conf,
    ngx_uint_t series)
{
    return conf->native ? ngx_max(series / 8, 256) : 0;
}


size_t
ngx_http_aiobs_metrics_size(ngx_http_aiobs_metrics_conf_t *conf,
    ngx_uint_t series)
{
    size_t  size;

    size = sizeof(ngx_http_aiobs_metrics_t)
           + ngx_http_aiobs_table_size(series)
             * sizeof(ngx_http_aiobs_series_t *)
           + series * NGX_HTTP_AIOBS_SERIES_SIZE
           + NGX_HTTP_AIOBS_FAMILY_LAST * NGX_HTTP_AIOBS_SERIES_SIZE
           + ngx_http_aiobs_exemplars_n(series)
             * sizeof(ngx_http_aiobs_exemplar_t)
           + ngx_http_aiobs_natives_n(conf, series)
             * NGX_HTTP_AIOBS_NATIVE_N * sizeof(ngx_atomic_t)
           + NGX_HTTP_AIOBS_SLOT_BYTES;

    return ngx_align(size, ngx_pagesize);
}


ngx_http_aiobs_metrics_t *
ngx_http_aiobs_metrics_create(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_metrics_conf_t *conf, ngx_uint_t series, ngx_log_t *log)
{
    size_t                     size, table, exemplars;
    u_char                    *p;
    ngx_http_aiobs_metrics_t  *m;

    size = ngx_http_aiobs_metrics_size(conf, series);

    p = ngx_slab_alloc(shpool, size);
    if (p == NULL) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"aiobs_zone\" is too small: %ui series need %uzk",
                      series, size / 1024);
        return NULL;
    }

    table = ngx_http_aiobs_table_size(series);
    exemplars = ngx_http_aiobs_exemplars_n(series);

    m = (ngx_http_aiobs_metrics_t *) p;
    ngx_memzero(m, sizeof(ngx_http_aiobs_metrics_t)
                   + table * sizeof(ngx_http_aiobs_series_t *)
                   + exemplars * sizeof(ngx_http_aiobs_exemplar_t));

    m->fingerprint = ngx_http_aiobs_fingerprint();
    m->shape = ngx_http_aiobs_shape(conf);
    m->capacity = series;
    m->natives_n = ngx_http_aiobs_natives_n(conf, series);
    m->started = ngx_time();
    m->mask = table - 1;
    m->table = (ngx_http_aiobs_series_t *volatile *)
                   (p + sizeof(ngx_http_aiobs_metrics_t));
    m->exemplars = (ngx_http_aiobs_exemplar_t *) (m->table + table);
    m->exemplars_n = exemplars;
    m->arena = (u_char *) (m->exemplars + exemplars);
    m->arena_size = p + size - m->arena;

    return m;
}


ngx_int_t
ngx_http_aiobs_metrics_same(ngx_http_aiobs_metrics_t *m,
    ngx_http_aiobs_metrics_conf_t *conf, ngx_log_t *log)
{
    if (m->fingerprint != ngx_http_aiobs_fingerprint()) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"aiobs_zone\" was laid out by another version of the "
                      "module: restart nginx, or change the zone's size");
        return NGX_ERROR;
    }

    if (m->shape != ngx_http_aiobs_shape(conf)) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"aiobs_zone\" holds histograms of other buckets: "
                      "change its size along with \"aiobs_buckets\" and "
                      "\"aiobs_native_histograms\" (counters start anew), "
                      "or restart nginx");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* of the table, whatever the order of series in the registry depends on */

static uint32_t
ngx_http_aiobs_fingerprint(void)
{
    uint32_t                        hash;
    ngx_uint_t                      i, k;
    const ngx_http_aiobs_family_t  *f;

    hash = sizeof(ngx_http_aiobs_metrics_t) + sizeof(ngx_http_aiobs_series_t);

    for (i = 0; i < NGX_HTTP_AIOBS_FAMILY_LAST; i++) {
        f = &ngx_http_aiobs_families[i];

        hash = hash * 31 + ngx_murmur_hash2((u_char *) f->name,
                                            ngx_strlen(f->name));
        hash = hash * 31 + f->type + f->scale;

        for (k = 0; f->labels[k]; k++) {
            hash = hash * 31 + ngx_murmur_hash2((u_char *) f->labels[k],
                                                ngx_strlen(f->labels[k]));
        }
    }

    return hash;
}


/* of the configuration, whatever the size of series depends on */

static uint32_t
ngx_http_aiobs_shape(ngx_http_aiobs_metrics_conf_t *conf)
{
    uint32_t                         hash;
    ngx_uint_t                       i;
    const ngx_http_aiobs_buckets_t  *b;

    hash = (uint32_t) conf->native;

    for (i = 0; i < NGX_HTTP_AIOBS_FAMILY_LAST; i++) {
        b = conf->buckets[i];

        if (b) {
            hash = hash * 31 + ngx_murmur_hash2((u_char *) b->bounds,
                                                b->n * sizeof(b->bounds[0]));
        }
    }

    return hash;
}


ngx_int_t
ngx_http_aiobs_metrics_init_process(ngx_http_aiobs_metrics_t *m,
    ngx_http_aiobs_metrics_conf_t *conf, ngx_slab_pool_t *shpool,
    ngx_cycle_t *cycle)
{
    ngx_http_aiobs_metrics_conf = conf;
    ngx_http_aiobs_registry = m;
    ngx_http_aiobs_registry_pool = shpool;

    ngx_http_aiobs_update_init(conf);

    /* a worker that takes the place of a crashed one is no reload */

    if (m->cycle != cycle) {
        m->cycle = cycle;
        m->loaded = ngx_time();
    }

    ngx_http_aiobs_gauges_init(m);

    if (conf->native && ngx_http_aiobs_native_init(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_aiobs_models_init(conf);

    return NGX_OK;
}
