
/*
 * Copyright (C) the aiobs authors
 *
 * The context of a request: made once, found again after internal redirects,
 * named in nginx's own error-log lines.
 */


#include "ngx_http_aiobs_request.h"


static void ngx_http_aiobs_arrive(ngx_http_aiobs_ctx_t *ctx);
static u_char *ngx_http_aiobs_log_handler(ngx_http_request_t *r,
    ngx_http_request_t *sr, u_char *buf, size_t len);
static void ngx_http_aiobs_cleanup(void *data);


ngx_http_aiobs_ctx_t *
ngx_http_aiobs_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t    *cln;
    ngx_http_aiobs_ctx_t  *ctx;

    r = r->main;

    if (r->ctx == NULL) {
        return NULL;
    }

    ctx = ngx_http_get_module_ctx(r, ngx_http_aiobs_module);

    if (ctx || (!r->internal && !r->filter_finalize)) {
        return ctx;
    }

    /* a redirect has zeroed r->ctx: the pool's cleanup still knows */

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_aiobs_cleanup) {
            ctx = cln->data;
            ngx_http_set_ctx(r, ctx, ngx_http_aiobs_module);
            return ctx;
        }
    }

    return NULL;
}


ngx_http_aiobs_ctx_t *
ngx_http_aiobs_make_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t    *cln;
    ngx_http_aiobs_ctx_t  *ctx;

    r = r->main;

    ctx = ngx_http_aiobs_get_ctx(r);
    if (ctx || r->ctx == NULL) {
        return ctx;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_aiobs_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_aiobs_ctx_t));

    ctx->request = r;
    ctx->start = ngx_current_msec - ngx_http_aiobs_elapsed(r);

    ngx_http_aiobs_correlate(r, ctx);

    ctx->log_handler = r->log_handler;
    r->log_handler = ngx_http_aiobs_log_handler;

    cln->handler = ngx_http_aiobs_cleanup;
    ngx_http_set_ctx(r, ctx, ngx_http_aiobs_module);

    return ctx;
}


ngx_http_aiobs_ctx_t *
ngx_http_aiobs_active_ctx(ngx_http_request_t *r)
{
    ngx_http_aiobs_ctx_t       *ctx;
    ngx_http_aiobs_loc_conf_t  *lcf;

    ctx = ngx_http_aiobs_get_ctx(r);

    if (ctx == NULL) {
        lcf = ngx_http_get_module_loc_conf(r->main, ngx_http_aiobs_module);

        if (!lcf->enable) {
            return NULL;
        }

        ctx = ngx_http_aiobs_make_ctx(r);

        if (ctx == NULL) {
            return NULL;
        }
    }

    if (ctx->location == NULL) {
        ngx_http_aiobs_arrive(ctx);
    }

    return ctx->location->enable ? ctx : NULL;
}


static void
ngx_http_aiobs_arrive(ngx_http_aiobs_ctx_t *ctx)
{
    ctx->location = ngx_http_get_module_loc_conf(ctx->request,
                                                 ngx_http_aiobs_module);

    if (ctx->location->enable && !ctx->location->metrics) {
        ngx_http_aiobs_count_request_up(ctx);
    }

    if (ctx->location->enable) {
        ngx_http_aiobs_flight_begin(ctx);
    }
}


static u_char *
ngx_http_aiobs_log_handler(ngx_http_request_t *r, ngx_http_request_t *sr,
    u_char *buf, size_t len)
{
    u_char                *p;
    ngx_str_t              user;
    ngx_http_aiobs_ctx_t  *ctx;

    ctx = ngx_http_aiobs_get_ctx(r);
    if (ctx == NULL) {
        return buf;
    }

    p = buf;

    if (ctx->log_handler) {
        p = ctx->log_handler(r, sr, buf, len);
        len -= p - buf;
    }

    buf = p;
    p = ngx_snprintf(buf, len, ", request_id: \"%V\"", &ctx->request_id);

    if (ctx->validated || ctx->user.len) {
        len -= p - buf;
        ngx_http_aiobs_user_shown(r->main, ctx, &user);
        p = ngx_snprintf(p, len, ", user_id: \"%V\"", &user);
    }

    return p;
}


static void
ngx_http_aiobs_cleanup(void *data)
{
    ngx_http_aiobs_ctx_t *ctx = data;

    if (ctx->usage) {
        aiobs_usage_release(ctx->usage);
    }

    if (ctx->call) {
        ngx_http_aiobs_limits_settle(ctx->call, 0, 0);  /* if it is not yet */
    }

    ngx_http_aiobs_metrics_down(ctx->gauge);
    ngx_http_aiobs_metrics_down(ctx->llm_gauge);
    ngx_http_aiobs_session_forget(&ctx->agent);
    ngx_http_aiobs_flight_end(ctx);
}
