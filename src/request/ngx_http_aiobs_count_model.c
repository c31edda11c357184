
/*
 * Copyright (C) the aiobs authors
 *
 * Which model a call is counted as.
 */


#include "ngx_http_aiobs_counts.h"
#include "usage/aiobs_bytes.h"


#define NGX_HTTP_AIOBS_MODELS_KNOWN  64     /* per worker */


static ngx_http_aiobs_counts_model_t *ngx_http_aiobs_count_answered(
    ngx_http_aiobs_counts_model_t *known, ngx_str_t *endpoint,
    ngx_str_t *asked, ngx_str_t *answered);
static void ngx_http_aiobs_count_unanswered(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_str_t *asked);
static void ngx_http_aiobs_count_know(ngx_http_aiobs_counts_model_t *known,
    ngx_str_t *endpoint, ngx_str_t *asked, ngx_str_t *answered);
static ngx_uint_t ngx_http_aiobs_count_knows(
    ngx_http_aiobs_counts_model_t *known, ngx_str_t *endpoint,
    ngx_str_t *asked);


static ngx_http_aiobs_counts_model_t
    ngx_http_aiobs_known_models[NGX_HTTP_AIOBS_MODELS_KNOWN];


/*
 * The answer's model.  A call without one takes the model last answered for
 * the same endpoint and the model asked for, else the model asked for if the
 * price file lists it; what only a client has claimed is "other".
 */

ngx_http_aiobs_counts_model_t *
ngx_http_aiobs_count_model(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_str_t                       asked, *endpoint;
    ngx_http_aiobs_counts_model_t  *known;

    endpoint = &ctx->location->endpoint;

    asked.data = (u_char *) ctx->asked.model;
    asked.len = ctx->asked.model_len;

    if (asked.len == 0) {
        asked = ctx->path_model;
    }

    known = &ngx_http_aiobs_known_models[(ngx_http_aiobs_counts_slot(&asked)
                                          ^ (uintptr_t) endpoint->data >> 4)
                                         % NGX_HTTP_AIOBS_MODELS_KNOWN];

    if (ctx->answer.model_len) {
        ctx->label_model.data = (u_char *) ctx->answer.model;
        ctx->label_model.len = ctx->answer.model_len;

        return ngx_http_aiobs_count_answered(known, endpoint, &asked,
                                             &ctx->label_model);
    }

    if (ngx_http_aiobs_count_knows(known, endpoint, &asked)
        && (known->api == NULL || known->api == ctx->api))
    {
        ctx->label_model = known->model;
        return known;
    }

    ngx_http_aiobs_count_unanswered(r, ctx, &asked);

    /* what was answered is not forgotten for what is asked */

    if (known->model.len && known->api == NULL) {
        return NULL;
    }

    ngx_http_aiobs_count_know(known, endpoint, &asked, &ctx->label_model);
    known->api = ctx->api;

    return known;
}


static ngx_http_aiobs_counts_model_t *
ngx_http_aiobs_count_answered(ngx_http_aiobs_counts_model_t *known,
    ngx_str_t *endpoint, ngx_str_t *asked, ngx_str_t *answered)
{
    if (known->api || known->model.len != answered->len
        || !aiobs_same((char *) known->answered, (char *) answered->data,
                       answered->len)
        || !ngx_http_aiobs_count_knows(known, endpoint, asked))
    {
        ngx_http_aiobs_count_know(known, endpoint, asked, answered);
    }

    return known;
}


static void
ngx_http_aiobs_count_unanswered(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_str_t *asked)
{
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (amcf->prices && asked->len
        && aiobs_price_find(amcf->prices, aiobs_api_provider(ctx->api),
                            (char *) asked->data, asked->len))
    {
        ctx->label_model = *asked;
        return;
    }

    ngx_str_set(&ctx->label_model, "other");
}


static void
ngx_http_aiobs_count_know(ngx_http_aiobs_counts_model_t *known,
    ngx_str_t *endpoint, ngx_str_t *asked, ngx_str_t *answered)
{
    known->endpoint = *endpoint;
    known->api = NULL;
    known->counts = 0;

    known->asked_len = asked->len;
    ngx_memcpy(known->asked, asked->data, asked->len);

    known->model.data = known->answered;
    known->model.len = answered->len;
    ngx_memcpy(known->answered, answered->data, answered->len);
}


static ngx_uint_t
ngx_http_aiobs_count_knows(ngx_http_aiobs_counts_model_t *known,
    ngx_str_t *endpoint, ngx_str_t *asked)
{
    return known->model.len && known->endpoint.data == endpoint->data
           && known->asked_len == asked->len
           && aiobs_same((char *) known->asked, (char *) asked->data,
                         asked->len);
}
