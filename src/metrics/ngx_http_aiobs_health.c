
/*
 * Copyright (C) the aiobs authors
 *
 * Families about the module itself, read where they lie.
 */


#include "ngx_http_aiobs_exposition.h"


static void ngx_http_aiobs_collect_families(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, ngx_uint_t dropped);


void
ngx_http_aiobs_collect_build(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    static const ngx_str_t  labels[] = {
        ngx_string(NGX_HTTP_AIOBS_VERSION),
        ngx_string(NGINX_VERSION)
    };

    ngx_http_aiobs_expose_sample(scrape, f, labels, 1);
}


void
ngx_http_aiobs_collect_started(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    ngx_http_aiobs_expose_sample(scrape, f, NULL, scrape->metrics->started);
}


void
ngx_http_aiobs_collect_loaded(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    ngx_http_aiobs_expose_sample(scrape, f, NULL, scrape->metrics->loaded);
}


void
ngx_http_aiobs_collect_series(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    ngx_http_aiobs_collect_families(scrape, f, 0);
}


void
ngx_http_aiobs_collect_series_limit(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    ngx_http_aiobs_expose_sample(scrape, f, NULL, scrape->metrics->capacity);
}


void
ngx_http_aiobs_collect_dropped(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    ngx_http_aiobs_collect_families(scrape, f, 1);
}


static void
ngx_http_aiobs_collect_families(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, ngx_uint_t dropped)
{
    ngx_str_t                        label;
    ngx_uint_t                       i;
    ngx_http_aiobs_family_series_t  *fs;

    u_char                           name[AIOBS_LABEL_MAX];

    for (i = 0; i < NGX_HTTP_AIOBS_FAMILY_LAST; i++) {

        if (ngx_http_aiobs_families[i].collect
            || !ngx_http_aiobs_metrics_chosen(i))
        {
            continue;
        }

        fs = &scrape->metrics->families[i];

        label.data = name;
        label.len = ngx_snprintf(name, sizeof(name), "%s%s",
                         ngx_http_aiobs_families[i].name,
                         ngx_http_aiobs_suffix(&ngx_http_aiobs_families[i]))
                    - name;

        ngx_http_aiobs_expose_sample(scrape, f, &label,
                                     dropped ? fs->dropped : fs->n);
    }
}


/* absent without one */

void
ngx_http_aiobs_collect_price_file(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    if (ngx_http_aiobs_metrics_conf->prices) {
        ngx_http_aiobs_expose_sample(scrape, f, NULL,
                                     ngx_http_aiobs_metrics_conf->prices);
    }
}


/* of the registry only what series take, of everything else whole pages */

void
ngx_http_aiobs_collect_zone_used(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    size_t                     size;
    ngx_slab_pool_t           *pool;
    ngx_http_aiobs_metrics_t  *m;

    m = scrape->metrics;
    pool = ngx_http_aiobs_registry_pool;

    size = pool->end - (u_char *) pool - pool->pfree * ngx_pagesize;

    ngx_http_aiobs_expose_sample(scrape, f, NULL,
                                 size - (m->arena_size - m->arena_used));
}


void
ngx_http_aiobs_collect_zone_size(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    ngx_slab_pool_t  *pool;

    pool = ngx_http_aiobs_registry_pool;

    ngx_http_aiobs_expose_sample(scrape, f, NULL, pool->end - (u_char *) pool);
}
