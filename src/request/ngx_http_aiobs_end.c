
/*
 * Copyright (C) the aiobs authors
 *
 * The end of a request: the log phase.
 */


#include "ngx_http_aiobs_request.h"
#include "../telemetry/ngx_http_aiobs_telemetry.h"


static void ngx_http_aiobs_tell(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


ngx_int_t
ngx_http_aiobs_end(ngx_http_request_t *r)
{
    ngx_str_t              method;
    ngx_http_aiobs_ctx_t  *ctx;

    if (r != r->main) {
        return NGX_OK;
    }

    ctx = ngx_http_aiobs_active_ctx(r);

    if (ctx == NULL && r->phase_handler == 0) {
        ngx_http_aiobs_login_mask_malformed(r);
    }

    if (ctx == NULL || ctx->finished) {
        return NGX_OK;
    }

    if (ctx->key_text) {
        ngx_http_aiobs_key_text_forget(r);
    }

    if (r->phase_handler == 0 || r->error_page) {   /* it may be malformed */
        ngx_http_aiobs_query_forget(r);
    }

    if (ctx->undecided) {
        ngx_http_aiobs_refusal_stands(ctx);
    }

    method = r->method_name;

    if (r->internal) {
        ctx->became_get = ngx_http_aiobs_method_said(r);
    }

    ngx_http_aiobs_tell(r, ctx);

    if (ctx->became_get) {
        r->method = NGX_HTTP_GET;
        r->method_name = method;
    }

    return NGX_OK;
}


/* the record of a request is made, once, and goes to all who want it */

static void
ngx_http_aiobs_tell(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    ngx_http_aiobs_finish(r, ctx);

    if (!ctx->called && ngx_http_aiobs_model_may_be_key(ctx)) {
        ngx_http_aiobs_key_text_models(ctx);
    }

    if (amcf->agents.locations) {
        ngx_http_aiobs_agent_finish(r, ctx);
    }

    ngx_http_aiobs_trace_decide(r, ctx);    /* it may never have got so far */

    ngx_http_aiobs_count(r, ctx);

    if (ctx->identity) {
        ngx_http_aiobs_settle(r, ctx);
    }

    ngx_http_aiobs_values_changed();
    ctx->complete = 1;

    if (ctx->location->log.logs) {
        ngx_http_aiobs_log_write(r, ctx);
    }

    if (amcf->exporters) {
        ngx_http_aiobs_spans(r, ctx);
        ngx_http_aiobs_sentry(r, ctx);
    }

    if (amcf->recorder.capacity) {
        ngx_http_aiobs_record(r, ctx);
    }
}
