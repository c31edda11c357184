
/*
 * Copyright (C) the aiobs authors
 *
 * May they, and how much: the verdict on a key, and what its key allows, let a
 * request go on or refuse it.
 */


#include "ngx_http_aiobs_request.h"


static ngx_uint_t ngx_http_aiobs_admitted(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf);
static ngx_uint_t ngx_http_aiobs_goes_on(ngx_http_request_t *r);


ngx_int_t
ngx_http_aiobs_decide(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_policy_t    *policy;
    ngx_http_aiobs_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (lcf->auth == NGX_HTTP_AIOBS_AUTH_OFF || ctx->identity == NULL) {
        return NGX_DECLINED;
    }

    /* the keys API refuses these itself, and tells none of them about keys */

    if (lcf->keys_api && !lcf->keys_api_remote && !ngx_http_aiobs_loopback(r)) {
        return NGX_DECLINED;
    }

    switch (ctx->identity->verdict) {

    case NGX_HTTP_AIOBS_KEY_VALID:
        policy = ctx->identity->policy;

        if (policy && !ctx->refused
            && (policy->broken
                || !aiobs_key_allows((char *) policy->endpoints.data,
                                     policy->endpoints.len,
                                     (char *) lcf->endpoint.data,
                                     lcf->endpoint.len)))
        {
            return ngx_http_aiobs_refuse(r, ctx,
                                         NGX_HTTP_AIOBS_REFUSED_ENDPOINT);
        }

        return NGX_OK;

    case NGX_HTTP_AIOBS_KEY_MISSING:
    case NGX_HTTP_AIOBS_KEY_UNKNOWN:

        if (lcf->auth == NGX_HTTP_AIOBS_AUTH_OPTIONAL && !ctx->disagree) {
            return NGX_DECLINED;
        }

        return ngx_http_aiobs_refuse(r, ctx, NGX_HTTP_AIOBS_REFUSED_KEY);

    case NGX_HTTP_AIOBS_KEY_STORE:
        return ngx_http_aiobs_refuse(r, ctx, NGX_HTTP_AIOBS_REFUSED_STORE);

    default:
        return ngx_http_aiobs_refuse(r, ctx, NGX_HTTP_AIOBS_REFUSED_KEY);
    }
}


ngx_int_t
ngx_http_aiobs_admit(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_policy_t    *policy;
    ngx_http_aiobs_loc_conf_t  *lcf;

    policy = ngx_http_aiobs_policy(ctx);

    if (policy == NULL) {
        return NGX_OK;
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (lcf->auth == NGX_HTTP_AIOBS_AUTH_OFF) {
        return NGX_OK;
    }

    if (ctx->refused) {
        return ngx_http_aiobs_goes_on(r) ? ngx_http_aiobs_refuse(r, ctx,
                                                                 ctx->refused)
                                         : NGX_OK;
    }

    if (ngx_http_aiobs_admitted(ctx, lcf)) {
        return NGX_OK;
    }

    ctx->admitted = 1;
    ctx->admitted_call = (ctx->llm == lcf);

    if (ctx->llm == lcf
        && ngx_http_aiobs_policy_models(r, ctx, policy) != NGX_OK)
    {
        return ngx_http_aiobs_refuse(r, ctx, NGX_HTTP_AIOBS_REFUSED_MODEL);
    }

    return policy->limited ? ngx_http_aiobs_limit(r, ctx) : NGX_OK;
}


/* try_files and the like may lead to a provider only then */

static ngx_uint_t
ngx_http_aiobs_admitted(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf)
{
    return ctx->admitted && (ctx->admitted_call || ctx->llm != lcf);
}


/* an error_page to a named location takes the request along, to a page not */

static ngx_uint_t
ngx_http_aiobs_goes_on(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    return clcf->named;
}


ngx_uint_t
ngx_http_aiobs_admit_reads(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_policy_t    *policy;
    ngx_http_aiobs_loc_conf_t  *lcf;

    policy = ngx_http_aiobs_policy(ctx);
    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (policy == NULL || ngx_http_aiobs_admitted(ctx, lcf) || ctx->llm != lcf
        || lcf->auth == NGX_HTTP_AIOBS_AUTH_OFF || ctx->reader == NULL)
    {
        return 0;
    }

    return policy->models.len != 0 || ngx_http_aiobs_limit_takes(policy);
}
