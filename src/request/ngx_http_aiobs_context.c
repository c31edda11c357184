
/*
 * Copyright (C) the aiobs authors
 *
 * The context of a request: made once, found again after internal redirects,
 * named in nginx's own error-log lines.
 */


#include "ngx_http_aiobs_request.h"
#include "telemetry/ngx_http_aiobs_telemetry.h"


/*
 * Contexts of requests that have ended: with the readers in them they are too
 * large to come from the allocator each time, and the last one is still in the
 * processor's caches.  A pool that is debugged shows who looks at one too late.
 */

#if (NGX_DEBUG_PALLOC)
#define NGX_HTTP_AIOBS_CTX_KEPT  0
#else
#define NGX_HTTP_AIOBS_CTX_KEPT  64
#endif


static void ngx_http_aiobs_redirected(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static ngx_http_aiobs_ctx_t *ngx_http_aiobs_take_ctx(ngx_log_t *log);
static void ngx_http_aiobs_give_ctx(ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_free_ctx(ngx_http_aiobs_ctx_t *ctx);
static u_char *ngx_http_aiobs_log_handler(ngx_http_request_t *r,
    ngx_http_request_t *sr, u_char *buf, size_t len);
static void ngx_http_aiobs_cleanup(void *data);


/* bytes to clear; a constant makes compilers do it themselves, and slower */

static size_t                 ngx_http_aiobs_ctx_clear;
static ngx_http_aiobs_ctx_t  *ngx_http_aiobs_kept_ctx;
static ngx_uint_t             ngx_http_aiobs_kept_ctxs;


/* a redirect has zeroed r->ctx: the pool's cleanup still knows */

ngx_http_aiobs_ctx_t *
ngx_http_aiobs_find_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t    *cln;
    ngx_http_aiobs_ctx_t  *ctx;

    if ((!r->internal && !r->filter_finalize) || r->pool == NULL) {
        return NULL;                /* there is none, or any more */
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_aiobs_cleanup) {
            ctx = cln->data;
            ngx_http_set_ctx(r, ctx, ngx_http_aiobs_module);
            ngx_http_aiobs_final_status(r);     /* another upstream follows */
            ngx_http_aiobs_redirected(r, ctx);
            return ctx;
        }
    }

    return NULL;
}


/* what is asked of an upstream from now on may have another method */

static void
ngx_http_aiobs_redirected(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_str_t   method;
    ngx_uint_t  n;

    if (ctx->get_from == 0 && ngx_http_aiobs_method_lost(r, &method)) {
        n = r->upstream_states ? r->upstream_states->nelts : 0;
        ctx->get_from = ngx_min(n, 0xfffe) + 1;
    }
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

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    ctx = ngx_http_aiobs_take_ctx(r->connection->log);
    if (ctx == NULL) {
        return NULL;
    }

    ctx->request = r;
    ctx->start = ngx_current_msec - ngx_http_aiobs_elapsed(r);

    ngx_http_aiobs_correlate(r, ctx);

    ctx->log_handler = r->log_handler;
    r->log_handler = ngx_http_aiobs_log_handler;

    cln->handler = ngx_http_aiobs_cleanup;
    cln->data = ctx;
    ngx_http_set_ctx(r, ctx, ngx_http_aiobs_module);

    return ctx;
}


static ngx_http_aiobs_ctx_t *
ngx_http_aiobs_take_ctx(ngx_log_t *log)
{
    ngx_http_aiobs_ctx_t  *ctx;

    ctx = ngx_http_aiobs_kept_ctx;

    if (ctx) {
        ngx_http_aiobs_kept_ctx = ctx->next;
        ngx_http_aiobs_kept_ctxs--;

    } else {
        ctx = ngx_calloc(sizeof(ngx_http_aiobs_ctx_t), log);
        if (ctx == NULL) {
            return NULL;
        }

        ngx_http_aiobs_not_asked(&ctx->asked);
        ngx_http_aiobs_no_answer(&ctx->answer);

        ngx_http_aiobs_ctx_clear = sizeof(ngx_http_aiobs_ctx_t)
                        - offsetof(ngx_http_aiobs_ctx_t, trace.client_id);
    }

    ngx_memzero((u_char *) ctx
                + offsetof(ngx_http_aiobs_ctx_t, trace.client_id),
                ngx_http_aiobs_ctx_clear);

    return ctx;
}


static void
ngx_http_aiobs_give_ctx(ngx_http_aiobs_ctx_t *ctx)
{
    if (ngx_http_aiobs_kept_ctxs == NGX_HTTP_AIOBS_CTX_KEPT) {
        ngx_http_aiobs_free_ctx(ctx);
        return;
    }

    if (ctx->reader) {
        ngx_http_aiobs_not_asked(&ctx->asked);
    }

    if (ctx->usage) {
        ngx_http_aiobs_no_answer(&ctx->answer);
    }

    ctx->next = ngx_http_aiobs_kept_ctx;
    ngx_http_aiobs_kept_ctx = ctx;
    ngx_http_aiobs_kept_ctxs++;
}


static void
ngx_http_aiobs_free_ctx(ngx_http_aiobs_ctx_t *ctx)
{
    if (ctx->readers[0]) {
        ngx_free(ctx->readers[0]);
    }

    if (ctx->readers[1]) {
        ngx_free(ctx->readers[1]);
    }

    ngx_free(ctx);
}


void
ngx_http_aiobs_forget_ctxs(void)
{
    ngx_http_aiobs_ctx_t  *ctx;

    while (ngx_http_aiobs_kept_ctx) {
        ctx = ngx_http_aiobs_kept_ctx;
        ngx_http_aiobs_kept_ctx = ctx->next;
        ngx_http_aiobs_free_ctx(ctx);
    }

    ngx_http_aiobs_kept_ctxs = 0;
}


ngx_http_aiobs_ctx_t *
ngx_http_aiobs_arrive(ngx_http_request_t *r)
{
    ngx_http_aiobs_ctx_t       *ctx;
    ngx_http_aiobs_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r->main, ngx_http_aiobs_module);
    ctx = ngx_http_aiobs_get_ctx(r);

    if (ctx == NULL) {
        ctx = lcf->enable ? ngx_http_aiobs_make_ctx(r) : NULL;

        if (ctx == NULL) {
            return NULL;
        }

        /* malformed, or of a server that is off: post-read has not done it */

        ngx_http_aiobs_key_text_line(r->main, ctx);
        ngx_http_aiobs_query_mask_line(r->main);

        if (r->main->phase_handler == 0 || r->main->error_page) {
            ngx_http_aiobs_login_mask_malformed(r->main);
        }
    }

    ctx->location = lcf;

    if (!lcf->enable) {
        return NULL;
    }

    if (!lcf->metrics) {
        ngx_http_aiobs_count_request_up(ctx);
    }

    ngx_http_aiobs_flight_begin(ctx);

    return ctx;
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
        buf = p;
        p = ngx_snprintf(buf, len, ", user_id: ");
        len -= p - buf;

        /* a client may say who he is, but not what follows */

        if (len >= 2) {
            ngx_http_aiobs_user_shown(r->main, ctx, &user);
            p = ngx_http_aiobs_json_string(p, len, &user);
        }
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

    if (ctx->agent.calling) {
        ngx_http_aiobs_session_forget(&ctx->agent);
    }

    if (ctx->flight || ctx->flight_more) {
        ngx_http_aiobs_flight_end(ctx);
    }

    /* the request is there a little longer than its context */

    ngx_http_set_ctx(ctx->request, NULL, ngx_http_aiobs_module);

    ngx_http_aiobs_give_ctx(ctx);
}
