
/*
 * Copyright (C) the aiobs authors
 *
 * The zone's part of the agents room, and what a scrape shows of it.
 */


#include "ngx_http_aiobs_agents_zone.h"
#include "../metrics/ngx_http_aiobs_exposition.h"


static ngx_int_t ngx_http_aiobs_agents_endpoints(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_agents_main_conf_t *main, ngx_http_aiobs_agents_t *agents,
    ngx_log_t *log);
static void ngx_http_aiobs_agents_settings(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_agents_main_conf_t *main, ngx_http_aiobs_agents_t *agents);
static ngx_http_aiobs_endpoint_t *ngx_http_aiobs_agents_endpoint(
    ngx_slab_pool_t *shpool, ngx_http_aiobs_agents_t *agents, ngx_str_t *name);


static ngx_int_t ngx_http_aiobs_agents_table(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_agents_t *agents, ngx_uint_t sessions, ngx_log_t *log);
static void ngx_http_aiobs_agents_expose(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_endpoint_t *e,
    uint64_t value);


ngx_http_aiobs_agents_t  *ngx_http_aiobs_agents;
ngx_slab_pool_t          *ngx_http_aiobs_agents_pool;


ngx_uint_t
ngx_http_aiobs_agents_sessions(ngx_http_aiobs_agents_main_conf_t *main)
{
    ngx_uint_t                      i;
    ngx_http_aiobs_agents_conf_t  **conf;

    for (i = 0; main->locations && i < main->locations->nelts; i++) {
        conf = main->locations->elts;

        if (conf[i]->session) {
            return main->sessions ? main->sessions
                                  : NGX_HTTP_AIOBS_SESSIONS_DEFAULT;
        }
    }

    return 0;
}


size_t
ngx_http_aiobs_agents_size(ngx_http_aiobs_agents_main_conf_t *main)
{
    if (main->locations == NULL) {
        return 0;
    }

    /* the slab gives whole pages for what is longer than half of one */

    return ngx_align(sizeof(ngx_http_aiobs_agents_t), ngx_pagesize)
           + ngx_http_aiobs_session_size(ngx_http_aiobs_agents_sessions(main))
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
                          "for \"aiobs_rag_score\" and "
                          "\"aiobs_agent_session\"");
            return NGX_ERROR;
        }
    }

    if (ngx_http_aiobs_agents_table(shpool, *agents,
                                    ngx_http_aiobs_agents_sessions(main), log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_aiobs_agents_endpoints(shpool, main, *agents, log);
}


static ngx_int_t
ngx_http_aiobs_agents_table(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_agents_t *agents, ngx_uint_t sessions, ngx_log_t *log)
{
    if (sessions == 0) {
        return NGX_OK;
    }

    if (agents->sessions == NULL) {
        agents->sessions = ngx_http_aiobs_session_create(shpool, sessions);

        if (agents->sessions == NULL) {
            ngx_log_error(NGX_LOG_EMERG, log, 0, "\"aiobs_zone\" is too small "
                          "for %ui sessions", sessions);
            return NGX_ERROR;
        }
    }

    if (agents->sessions->capacity != sessions) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "\"aiobs_zone\" was sessions=%ui: "
                      "change its size along with it (counters start anew), "
                      "or restart nginx", agents->sessions->capacity);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_agents_endpoints(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_agents_main_conf_t *main, ngx_http_aiobs_agents_t *agents,
    ngx_log_t *log)
{
    ngx_uint_t                      i;
    ngx_http_aiobs_agents_conf_t  **conf;

    conf = main->locations->elts;

    for (i = 0; i < main->locations->nelts; i++) {

        conf[i]->endpoint = ngx_http_aiobs_agents_endpoint(shpool, agents,
                                                           &conf[i]->name);
        if (conf[i]->endpoint == NULL) {
            ngx_log_error(NGX_LOG_EMERG, log, 0,
                          "endpoint \"%V\" is one too many for "
                          "\"aiobs_rag_score\" and \"aiobs_agent_session\": "
                          "name at most %d with \"aiobs_endpoint\"; a "
                          "restart forgets those of former configurations",
                          &conf[i]->name, NGX_HTTP_AIOBS_ENDPOINTS_MAX);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* by a worker: a reload that fails after the zone was seen to changes nothing */

static void
ngx_http_aiobs_agents_settings(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_agents_main_conf_t *main, ngx_http_aiobs_agents_t *agents)
{
    ngx_uint_t                      i, k;
    ngx_msec_t                      window, ttl;
    ngx_http_aiobs_endpoint_t      *e;
    ngx_http_aiobs_agents_conf_t  **conf;

    conf = main->locations->elts;

    for (k = 0; k < agents->n; k++) {
        e = agents->endpoints[k];
        window = 0;
        ttl = 0;

        for (i = 0; i < main->locations->nelts; i++) {

            if (conf[i]->endpoint != e) {
                continue;
            }

            if (conf[i]->score) {
                window = conf[i]->window;
            }

            if (conf[i]->session) {
                ttl = conf[i]->ttl;
            }
        }

        ngx_http_aiobs_rag_window(shpool, e, window);
        e->ttl = ttl;
    }
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
        e->number = agents->n;
        e->len = len;
        ngx_memcpy(e->name, label, len);
        agents->endpoints[agents->n] = e;

        ngx_memory_barrier();

        agents->n++;
    }

    return e;
}


ngx_int_t
ngx_http_aiobs_agents_init_process(ngx_http_aiobs_agents_t *agents,
    ngx_slab_pool_t *shpool, ngx_http_aiobs_agents_main_conf_t *main,
    ngx_log_t *log)
{
    ngx_http_aiobs_agents = agents;
    ngx_http_aiobs_agents_pool = shpool;

    if (main->locations) {
        ngx_http_aiobs_agents_settings(shpool, main, agents);
    }

    if (agents && agents->sessions) {
        return ngx_http_aiobs_session_init_process(log);
    }

    return NGX_OK;
}


void
ngx_http_aiobs_collect_rag_mean(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    uint64_t                    mean;
    ngx_uint_t                  i;
    ngx_http_aiobs_endpoint_t  *e;

    if (ngx_http_aiobs_agents == NULL) {
        return;
    }

    for (i = 0; i < ngx_http_aiobs_agents->n; i++) {
        e = ngx_http_aiobs_agents->endpoints[i];

        if (ngx_http_aiobs_rag_mean(e, &mean) == NGX_OK) {
            ngx_http_aiobs_agents_expose(scrape, f, e, mean);
        }
    }
}


/* one look at all of them serves the three families */

ngx_int_t
ngx_http_aiobs_collect_begin(ngx_http_aiobs_scrape_t *scrape)
{
    if (ngx_http_aiobs_agents == NULL
        || ngx_http_aiobs_agents->sessions == NULL)
    {
        return NGX_OK;
    }

    if (scrape->sessions == NULL) {
        scrape->sessions = ngx_pcalloc(scrape->request->pool,
                                       NGX_HTTP_AIOBS_ENDPOINTS_MAX
                                   * sizeof(ngx_http_aiobs_session_stats_t));
        if (scrape->sessions == NULL) {
            return NGX_ERROR;
        }
    }

    scrape->sessions_next = ngx_http_aiobs_session_sweep(scrape->sessions_next,
                                                         scrape->sessions);

    return scrape->sessions_next ? NGX_AGAIN : NGX_OK;
}


void
ngx_http_aiobs_collect_sessions(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    uint64_t                         value;
    ngx_uint_t                       i;
    ngx_http_aiobs_endpoint_t       *e;
    ngx_http_aiobs_session_stats_t  *st;

    if (scrape->sessions == NULL) {
        return;
    }

    st = scrape->sessions;

    for (i = 0; i < ngx_http_aiobs_agents->n; i++, st++) {
        e = ngx_http_aiobs_agents->endpoints[i];

        if (e->ttl == 0) {
            continue;
        }

        switch (f - ngx_http_aiobs_families) {

        case NGX_HTTP_AIOBS_SESSIONS_ACTIVE:
            value = st->active;
            break;

        case NGX_HTTP_AIOBS_SESSION_CALLS_MAX:
            value = st->calls_max;
            break;

        default:
            value = st->tokens_max;
            break;
        }

        ngx_http_aiobs_agents_expose(scrape, f, e, value);
    }
}


static void
ngx_http_aiobs_agents_expose(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_endpoint_t *e,
    uint64_t value)
{
    ngx_str_t  label;

    label.data = e->name;
    label.len = e->len;

    ngx_http_aiobs_expose_sample(scrape, f, &label, value);
}
