
/*
 * Copyright (C) the aiobs authors
 *
 * The front door: directives, phases, filters.  Every handler is one call into
 * a room.
 */


#include "src/ngx_http_aiobs.h"
#include "src/request/ngx_http_aiobs_request.h"
#include "src/telemetry/ngx_http_aiobs_telemetry.h"
#include "src/telemetry/ngx_http_aiobs_export.h"


static ngx_int_t ngx_http_aiobs_post_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_access_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_precontent_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_request_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_aiobs_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
#if (nginx_version >= 1029000)
static ngx_int_t ngx_http_aiobs_early_hints_filter(ngx_http_request_t *r);
#endif
static ngx_int_t ngx_http_aiobs_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_aiobs_add_handlers(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf);
static ngx_int_t ngx_http_aiobs_init_process(ngx_cycle_t *cycle);
static void ngx_http_aiobs_exit_process(ngx_cycle_t *cycle);


static ngx_http_output_header_filter_pt  ngx_http_aiobs_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_aiobs_next_body_filter;
static ngx_http_request_body_filter_pt   ngx_http_aiobs_next_request_filter;
#if (nginx_version >= 1029000)
static ngx_http_output_header_filter_pt  ngx_http_aiobs_next_hints_filter;
#endif


static ngx_http_module_t  ngx_http_aiobs_module_ctx = {
    ngx_http_aiobs_add_variables,          /* preconfiguration */
    ngx_http_aiobs_init,                   /* postconfiguration */

    ngx_http_aiobs_create_main_conf,       /* create main configuration */
    ngx_http_aiobs_init_main_conf,         /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_aiobs_create_loc_conf,        /* create location configuration */
    ngx_http_aiobs_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_http_aiobs_module = {
    NGX_MODULE_V1,
    &ngx_http_aiobs_module_ctx,            /* module context */
    ngx_http_aiobs_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_aiobs_log_init_module,        /* init module */
    ngx_http_aiobs_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_aiobs_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_aiobs_post_read_handler(ngx_http_request_t *r)
{
    ngx_http_aiobs_ctx_t        *ctx;
    ngx_http_aiobs_loc_conf_t   *lcf;
    ngx_http_aiobs_main_conf_t  *amcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (lcf->enable && r == r->main) {
        ctx = ngx_http_aiobs_make_ctx(r);

        if (ctx) {
            ngx_http_aiobs_key_text_line(r, ctx);
        }

        ngx_http_aiobs_query_mask(r);       /* what it masks cannot be seen */
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (amcf->login.used) {
        ngx_http_aiobs_login_mask(r);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_aiobs_preaccess_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_aiobs_ctx_t       *ctx;
    ngx_http_aiobs_loc_conf_t  *lcf;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_aiobs_active_ctx(r);
    if (ctx == NULL) {
        return NGX_DECLINED;
    }

    if (ctx->undecided) {
        ngx_http_aiobs_refusal_stands(ctx);         /* this is its error_page */
    }

    if (r->post_action) {

        /* the client has its answer: what follows is no part of it */

        (void) ngx_http_aiobs_end(r);
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (lcf->login.provider && ngx_http_aiobs_login_hide(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (lcf->auth != NGX_HTTP_AIOBS_AUTH_OFF || lcf->user) {
        rc = ngx_http_aiobs_identify(r, ctx);

        if (rc != NGX_OK) {
            return rc == NGX_AGAIN ? NGX_AGAIN : NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ctx->prepared != lcf
        && ngx_http_aiobs_prepare_headers(r, ctx) == NGX_ERROR)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (lcf->llm != AIOBS_DIALECT_OFF && ctx->llm != lcf) {
        ngx_http_aiobs_llm_arrive(r, ctx, lcf);
    }

    if (lcf->fast_headers) {
        ngx_http_aiobs_head_expect(r, ctx);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_aiobs_access_handler(ngx_http_request_t *r)
{
    ngx_http_aiobs_ctx_t  *ctx;

    ctx = ngx_http_aiobs_active_ctx(r);

    return ctx ? ngx_http_aiobs_decide(r, ctx) : NGX_DECLINED;
}


static ngx_int_t
ngx_http_aiobs_precontent_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_aiobs_ctx_t       *ctx;
    ngx_http_aiobs_loc_conf_t  *lcf;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_aiobs_active_ctx(r);

    if (ctx == NULL) {
        return NGX_DECLINED;
    }

    if (ctx->undecided) {
        ngx_http_aiobs_refusal_lifted(ctx);
    }

    if (ctx->flight) {
        ngx_http_aiobs_flight_update(r, ctx, 0);
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (lcf->agents.session) {
        rc = ngx_http_aiobs_agent_call(r, ctx);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return ngx_http_aiobs_precontent(r, ctx);
}


static ngx_int_t
ngx_http_aiobs_request_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_aiobs_ctx_t  *ctx;

    ctx = ngx_http_aiobs_get_ctx(r);

    if (ctx) {
        ngx_http_aiobs_llm_request_body(r, ctx, in);
    }

    return ngx_http_aiobs_next_request_filter(r, in);
}


static ngx_int_t
ngx_http_aiobs_header_filter(ngx_http_request_t *r)
{
    ngx_http_aiobs_ctx_t  *ctx;

    if (r == r->main) {
        ctx = ngx_http_aiobs_active_ctx(r);

        if (ctx) {
            ngx_http_aiobs_llm_header(r, ctx);

            if (ctx->flight) {
                ngx_http_aiobs_flight_update(r, ctx, 1);
            }

            if (ngx_http_aiobs_answer_headers(r, ctx) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return ngx_http_aiobs_next_header_filter(r);
}


#if (nginx_version >= 1029000)

static ngx_int_t
ngx_http_aiobs_early_hints_filter(ngx_http_request_t *r)
{
    if (r == r->main && ngx_http_aiobs_active_ctx(r)) {
        ngx_http_aiobs_early_hints(r);
    }

    return ngx_http_aiobs_next_hints_filter(r);
}

#endif


static ngx_int_t
ngx_http_aiobs_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_http_aiobs_ctx_t  *ctx;

    if (r == r->main) {
        ctx = ngx_http_aiobs_get_ctx(r);

        if (ctx) {
            if (r->headers_out.trailers.part.nelts
                && ngx_http_aiobs_active_ctx(r))
            {
                ngx_http_aiobs_answer_trailers(r, ctx);
            }

            ngx_http_aiobs_llm_body(r, ctx, in);

            if (ctx->stream && ngx_http_aiobs_stream_hiding(ctx)) {
                return ngx_http_aiobs_stream_body(r, ctx, in,
                                             ngx_http_aiobs_next_body_filter);
            }
        }
    }

    return ngx_http_aiobs_next_body_filter(r, in);
}


/* without "aiobs on" anywhere nothing of nginx is touched */

static ngx_int_t
ngx_http_aiobs_init(ngx_conf_t *cf)
{
    ngx_http_core_main_conf_t   *cmcf;
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aiobs_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    /* our variables overfill nginx's default, which makes it warn */

    cmcf->variables_hash_max_size = ngx_max(cmcf->variables_hash_max_size,
                                            2048);

    ngx_http_aiobs_warn_idle(cf, amcf);

    if (!amcf->used) {
        return NGX_OK;
    }

    if (ngx_http_aiobs_add_zone(cf, amcf) != NGX_OK
        || ngx_http_aiobs_key_variables_init(cf, amcf) != NGX_OK
        || ngx_http_aiobs_add_handlers(cf, amcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_aiobs_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_aiobs_header_filter;

#if (nginx_version >= 1029000)
    ngx_http_aiobs_next_hints_filter = ngx_http_top_early_hints_filter;
    ngx_http_top_early_hints_filter = ngx_http_aiobs_early_hints_filter;
#endif

    ngx_http_aiobs_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_aiobs_body_filter;

    if (amcf->llm) {
        ngx_http_aiobs_next_request_filter = ngx_http_top_request_body_filter;
        ngx_http_top_request_body_filter = ngx_http_aiobs_request_body_filter;
    }

    return NGX_OK;
}


/* no handler runs for what is asked for nowhere */

static ngx_int_t
ngx_http_aiobs_add_handlers(ngx_conf_t *cf, ngx_http_aiobs_main_conf_t *amcf)
{
    ngx_uint_t                  i;
    ngx_array_t                *handlers;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    struct {
        ngx_uint_t              phase;
        ngx_http_handler_pt     handler;
        ngx_uint_t              used;
    } phases[] = {
        { NGX_HTTP_POST_READ_PHASE, ngx_http_aiobs_post_read_handler, 1 },
        { NGX_HTTP_PREACCESS_PHASE, ngx_http_aiobs_preaccess_handler, 1 },
        { NGX_HTTP_ACCESS_PHASE, ngx_http_aiobs_access_handler, amcf->auth },
        { NGX_HTTP_PRECONTENT_PHASE, ngx_http_aiobs_precontent_handler,
          amcf->auth || amcf->stream_usage || amcf->agents.locations
          || amcf->recorder.capacity },
        { NGX_HTTP_LOG_PHASE, ngx_http_aiobs_end, 1 }
    };

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {

        if (!phases[i].used) {
            continue;
        }

        handlers = &cmcf->phases[phases[i].phase].handlers;

        h = ngx_array_push(handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        if (phases[i].phase == NGX_HTTP_LOG_PHASE) {

            /* the first to run, so that access_log sees the variables */

            h = handlers->elts;
            ngx_memmove(h + 1, h,
                        (handlers->nelts - 1) * sizeof(ngx_http_handler_pt));
        }

        *h = phases[i].handler;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_init_process(ngx_cycle_t *cycle)
{
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_aiobs_module);

    if (amcf == NULL || !amcf->used
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    if (ngx_http_aiobs_metrics_init_process(amcf->shared->metrics,
                                            &amcf->metrics, amcf->shpool,
                                            cycle)
        != NGX_OK
        || ngx_http_aiobs_export_init_process(amcf->exporters,
                                              amcf->thread_pool, cycle)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_aiobs_log_init_process(amcf->shared->torn);

    ngx_http_aiobs_recorder_init_process(amcf->recorder.capacity
                                         ? amcf->shared->recorder : NULL,
                                         amcf->shpool);

    if (ngx_http_aiobs_agents_init_process(amcf->shared->agents, amcf->shpool,
                                           &amcf->agents, cycle->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (amcf->store.len == 0) {
        return NGX_OK;
    }

    if (ngx_http_aiobs_login_init_process(&amcf->login, amcf->shared->login,
                                          amcf->shpool, amcf->thread_pool,
                                          cycle)
        != NGX_OK)
    {
        return NGX_ERROR;
    }
    ngx_http_aiobs_limits_init_process(amcf->shared->limits, amcf->shpool);

    return ngx_http_aiobs_keys_init_process(amcf->shared->table, amcf->shpool,
                                            &amcf->store, amcf->thread_pool,
                                            cycle);
}


static void
ngx_http_aiobs_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_aiobs_module);

    if (amcf == NULL || !amcf->used
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return;
    }

    ngx_http_aiobs_forget_ctxs();
    ngx_http_aiobs_llm_exit_process();
    ngx_http_aiobs_export_exit_process(amcf->exporters);

    if (amcf->store.len) {
        ngx_http_aiobs_login_exit_process();
        ngx_http_aiobs_keys_exit_process(cycle);
    }
}
