
/*
 * Copyright (C) the aiobs authors
 *
 * What a request says of retrieval, told to the agents room.
 */


#include "ngx_http_aiobs_request.h"


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
}


void
ngx_http_aiobs_get_rag_score(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_field_t *field, ngx_http_aiobs_value_t *v)
{
    if (ctx->agent.scored) {
        v->type = NGX_HTTP_AIOBS_VALUE_SECONDS;
        v->n = ctx->agent.score;
    }
}
