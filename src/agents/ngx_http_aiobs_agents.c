
/*
 * Copyright (C) the aiobs authors
 *
 * The zone's part of the agents room, and what a scrape shows of it.
 */


#include "ngx_http_aiobs_agents_zone.h"


static ngx_int_t ngx_http_aiobs_agents_endpoints(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_agents_main_conf_t *main, ngx_http_aiobs_agents_t *agents,
    ngx_log_t *log);
static ngx_http_aiobs_endpoint_t *ngx_http_aiobs_agents_endpoint(
    ngx_slab_pool_t *shpool, ngx_http_aiobs_agents_t *agents, ngx_str_t *name);


ngx_http_aiobs_agents_t  *ngx_http_aiobs_agents;
ngx_slab_pool_t          *ngx_http_aiobs_agents_pool;


size_t
ngx_http_aiobs_agents_size(ngx_http_aiobs_agents_main_conf_t *main)
{
    if (main->locations == NULL) {
        return 0;
    }

    /* the slab gives whole pages for what is longer than half of one */

    return ngx_align(sizeof(ngx_http_aiobs_agents_t), ngx_pagesize)
           + ngx_min(main->locations->nelts, NGX_HTTP_AIOBS_ENDPOINTS_MAX)
             * ngx_align(sizeof(ngx_http_aiobs_endpoint_t), ngx_pagesize / 2);
}


ngx_int_t
ngx_http_aiobs_agents_init_zone(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_agents_main_conf_t *main, ngx_http_aiobs_agents_t **agents,
    ngx_log_t *log)
{
    if (main->locations == NULL) {
        return NGX_OK;
    }

    if (*agents == NULL) {
        *agents = ngx_slab_calloc(shpool, sizeof(ngx_http_aiobs_agents_t));

        if (*agents == NULL) {
            ngx_log_error(NGX_LOG_EMERG, log, 0, "\"aiobs_zone\" is too small "
                          "for \"aiobs_rag_score\"");
            return NGX_ERROR;
        }
    }

    return ngx_http_aiobs_agents_endpoints(shpool, main, *agents, log);
}


static ngx_int_t
ngx_http_aiobs_agents_endpoints(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_agents_main_conf_t *main, ngx_http_aiobs_agents_t *agents,
    ngx_log_t *log)
{
    ngx_uint_t                      i, k;
    ngx_msec_t                      window;
    ngx_http_aiobs_agents_conf_t  **conf;

    conf = main->locations->elts;

    for (i = 0; i < main->locations->nelts; i++) {

        conf[i]->endpoint = ngx_http_aiobs_agents_endpoint(shpool, agents,
                                                           &conf[i]->name);
        if (conf[i]->endpoint == NULL) {
            ngx_log_error(NGX_LOG_EMERG, log, 0,
                          "no room in \"aiobs_zone\" for scores of endpoint "
                          "\"%V\": enlarge it, or restart nginx if endpoints "
                          "were renamed more than %d times", &conf[i]->name,
                          NGX_HTTP_AIOBS_ENDPOINTS_MAX);
            return NGX_ERROR;
        }
    }

    for (k = 0; k < agents->n; k++) {
        window = 0;

        for (i = 0; i < main->locations->nelts; i++) {
            if (conf[i]->score && conf[i]->endpoint == agents->endpoints[k]) {
                window = conf[i]->window;
            }
        }

        agents->endpoints[k]->window = window;
    }

    return NGX_OK;
}


static ngx_http_aiobs_endpoint_t *
ngx_http_aiobs_agents_endpoint(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_agents_t *agents, ngx_str_t *name)
{
    size_t                      len;
    ngx_uint_t                  i;
    ngx_http_aiobs_endpoint_t  *e;

    u_char                      label[AIOBS_LABEL_MAX];

    len = aiobs_text_label(label, name->data, name->len);

    for (i = 0; i < agents->n; i++) {
        e = agents->endpoints[i];

        if (e->len == len && ngx_memcmp(e->name, label, len) == 0) {
            return e;
        }
    }

    if (agents->n == NGX_HTTP_AIOBS_ENDPOINTS_MAX) {
        return NULL;
    }

    e = ngx_slab_calloc(shpool, sizeof(ngx_http_aiobs_endpoint_t));

    if (e) {
        e->len = len;
        ngx_memcpy(e->name, label, len);
        agents->endpoints[agents->n] = e;

        ngx_memory_barrier();

        agents->n++;
    }

    return e;
}


void
ngx_http_aiobs_agents_init_process(ngx_http_aiobs_agents_t *agents,
    ngx_slab_pool_t *shpool)
{
    ngx_http_aiobs_agents = agents;
    ngx_http_aiobs_agents_pool = shpool;
}


void
ngx_http_aiobs_collect_rag_mean(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    uint64_t                    mean;
    ngx_str_t                   label;
    ngx_uint_t                  i;
    ngx_http_aiobs_endpoint_t  *e;

    if (ngx_http_aiobs_agents == NULL) {
        return;
    }

    for (i = 0; i < ngx_http_aiobs_agents->n; i++) {
        e = ngx_http_aiobs_agents->endpoints[i];

        if (ngx_http_aiobs_rag_mean(e, &mean) == NGX_OK) {
            label.data = e->name;
            label.len = e->len;
            ngx_http_aiobs_expose_sample(scrape, f, &label, mean);
        }
    }
}
