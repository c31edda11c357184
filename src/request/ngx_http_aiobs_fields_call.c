
/*
 * Copyright (C) the aiobs authors
 *
 * The record's figures of upstreams and of calls of models.
 */


#include "ngx_http_aiobs_fields.h"


static ngx_inline void
ngx_http_aiobs_set_tokens(ngx_http_aiobs_value_t *v, int64_t n)
{
    if (n != AIOBS_ABSENT) {
        ngx_http_aiobs_set_integer(v, n);
    }
}


void
ngx_http_aiobs_fill_upstream(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_value_t *v)
{
    int64_t                     ms;
    ngx_uint_t                  i, attempts;
    ngx_http_upstream_state_t  *last, *state;

    attempts = ngx_http_aiobs_attempts(r, &last);

    if (attempts == 0) {
        return;
    }

    ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_UP_ADDR], last->peer);
    ngx_http_aiobs_set_integer(&v[NGX_HTTP_AIOBS_F_ATTEMPTS], attempts);

    if (last->status) {
        ngx_http_aiobs_set_integer(&v[NGX_HTTP_AIOBS_F_UP_STATUS],
                                   last->status);
    }

    ms = 0;
    state = r->upstream_states->elts;

    for (i = 0; i < r->upstream_states->nelts; i++) {
        if (state[i].response_time != (ngx_msec_t) -1) {
            ms += state[i].response_time;
        }
    }

    ngx_http_aiobs_set_number(&v[NGX_HTTP_AIOBS_F_UP_DURATION],
                              NGX_HTTP_AIOBS_VALUE_SECONDS, ms * 1000);
}


void
ngx_http_aiobs_fill_call(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_value_t *v)
{
    ngx_str_t    model;
    const char  *text;

    if (ctx->llm == NULL) {
        return;
    }

    text = aiobs_api_provider(ctx->api);

    if (text[0]) {
        ngx_http_aiobs_set_text(&v[NGX_HTTP_AIOBS_F_PROVIDER], text);
    }

    text = aiobs_api_operation(ctx->api);

    if (text[0]) {
        ngx_http_aiobs_set_text(&v[NGX_HTTP_AIOBS_F_OPERATION], text);
    }

    ngx_http_aiobs_request_model(ctx, &model);
    ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_REQUEST_MODEL], &model);

    if (ctx->called) {
        ngx_http_aiobs_set_number(&v[NGX_HTTP_AIOBS_F_STREAM],
                                  NGX_HTTP_AIOBS_VALUE_BOOLEAN,
                                  ctx->answer.stream || ctx->asked.stream == 1);
    }
}


void
ngx_http_aiobs_request_model(ngx_http_aiobs_ctx_t *ctx, ngx_str_t *model)
{
    if (ctx->llm == NULL) {
        ngx_str_null(model);
        return;
    }

    model->data = (u_char *) ctx->asked.model;
    model->len = ctx->asked.model_len;

    if (model->len == 0) {
        *model = ctx->path_model;
    }

    if (!ctx->complete && ctx->key.len >= NGX_HTTP_AIOBS_KEY_SHORT
        && ngx_http_aiobs_has_key(ctx, model))
    {
        ngx_str_set(model, "sk-*");     /* of a request under way */
    }
}


void
ngx_http_aiobs_fill_answer(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_value_t *v)
{
    int64_t                n;
    aiobs_usage_record_t  *rec;

    if (!ctx->called) {
        return;
    }

    rec = &ctx->answer;

    if (rec->model_len) {
        ngx_http_aiobs_set_data(&v[NGX_HTTP_AIOBS_F_MODEL], rec->model,
                                rec->model_len);
    }

    if (rec->finish_len) {
        ngx_http_aiobs_set_data(&v[NGX_HTTP_AIOBS_F_FINISH], rec->finish,
                                rec->finish_len);
    }

    if (rec->id_len) {
        ngx_http_aiobs_set_data(&v[NGX_HTTP_AIOBS_F_ID], rec->id,
                                rec->id_len);
    }

    ngx_http_aiobs_set_text(&v[NGX_HTTP_AIOBS_F_SOURCE],
                            aiobs_source_name(rec->source));

    if (ctx->cost != AIOBS_ABSENT) {
        ngx_http_aiobs_set_number(&v[NGX_HTTP_AIOBS_F_COST],
                                  NGX_HTTP_AIOBS_VALUE_USD, ctx->cost);
    }

    n = ngx_http_aiobs_ttft(ctx);

    if (n >= 0) {
        ngx_http_aiobs_set_number(&v[NGX_HTTP_AIOBS_F_TTFT],
                                  NGX_HTTP_AIOBS_VALUE_SECONDS, n * 1000);
    }

    n = ngx_http_aiobs_time_per_token(ctx);

    if (n >= 0) {
        ngx_http_aiobs_set_number(&v[NGX_HTTP_AIOBS_F_TPOT],
                                  NGX_HTTP_AIOBS_VALUE_SECONDS, n);
    }
}


void
ngx_http_aiobs_fill_tokens(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_value_t *v)
{
    aiobs_usage_record_t  *rec;

    if (!ctx->called) {
        return;
    }

    rec = &ctx->answer;

    ngx_http_aiobs_set_tokens(&v[NGX_HTTP_AIOBS_F_INPUT], rec->input);
    ngx_http_aiobs_set_tokens(&v[NGX_HTTP_AIOBS_F_OUTPUT], rec->output);
    ngx_http_aiobs_set_tokens(&v[NGX_HTTP_AIOBS_F_CACHE_READ],
                              rec->cache_read);
    ngx_http_aiobs_set_tokens(&v[NGX_HTTP_AIOBS_F_CACHE_WRITE],
                              rec->cache_write);
    ngx_http_aiobs_set_tokens(&v[NGX_HTTP_AIOBS_F_REASONING],
                              rec->reasoning);
}
