
/*
 * Copyright (C) the aiobs authors
 *
 * What a request says of retrieval and of the session that it belongs to, told
 * to the agents room.
 */


#include "ngx_http_aiobs_request.h"


static ngx_str_t *ngx_http_aiobs_agent_user(ngx_http_aiobs_ctx_t *ctx);
static uint64_t ngx_http_aiobs_agent_tokens(ngx_http_aiobs_ctx_t *ctx);


ngx_int_t
ngx_http_aiobs_agent_call(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (lcf->agents.session == NULL || lcf->agents.endpoint == NULL
        || ctx->agent.conf
        || ngx_http_aiobs_session_start(r, &lcf->agents,
                                        ngx_http_aiobs_agent_user(ctx),
                                        &ctx->agent)
           != NGX_BUSY)
    {
        return NGX_DECLINED;
    }

    return ngx_http_aiobs_refuse(r, ctx, NGX_HTTP_AIOBS_REFUSED_SESSION);
}


void
ngx_http_aiobs_agent_finish(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_loc_conf_t  *lcf;

    /* redirects may lead to a location that asks for it */

    lcf = ctx->location;

    if (lcf->agents.score == NULL) {
        lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);
    }

    if (lcf->agents.endpoint) {
        ngx_http_aiobs_rag_finish(r, &lcf->agents, &ctx->agent);
    }

    if (ctx->agent.conf) {
        ngx_http_aiobs_session_finish(r, ngx_http_aiobs_agent_user(ctx),
                                      ngx_http_aiobs_agent_tokens(ctx),
                                      &ctx->agent);
    }
}


static ngx_str_t *
ngx_http_aiobs_agent_user(ngx_http_aiobs_ctx_t *ctx)
{
    if (ctx->identity
        && ctx->identity->verdict == NGX_HTTP_AIOBS_KEY_VALID)
    {
        return &ctx->identity->user_id;
    }

    return &ctx->user;
}


static uint64_t
ngx_http_aiobs_agent_tokens(ngx_http_aiobs_ctx_t *ctx)
{
    uint64_t               tokens;
    aiobs_usage_record_t  *rec;

    rec = &ctx->answer;

    if (!ctx->called) {
        return 0;
    }

    tokens = rec->input != AIOBS_ABSENT ? rec->input : 0;

    return rec->output != AIOBS_ABSENT ? tokens + rec->output : tokens;
}
