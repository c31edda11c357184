
/*
 * Copyright (C) the aiobs authors
 *
 * The record's figures of upstreams and of calls of models.
 */


#include "ngx_http_aiobs_fields.h"


void
ngx_http_aiobs_get_upstream(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_field_t *field, ngx_http_aiobs_value_t *v)
{
    int64_t                     ms;
    ngx_uint_t                  i, attempts;
    ngx_http_upstream_state_t  *last, *state;

    attempts = ngx_http_aiobs_attempts(r, &last);

    if (attempts == 0) {
        return;
    }

    switch (field->data) {

    case NGX_HTTP_AIOBS_F_UP_ADDR:
        ngx_http_aiobs_set_str(v, last->peer->data, last->peer->len);
        break;

    case NGX_HTTP_AIOBS_F_UP_STATUS:
        if (last->status) {
            ngx_http_aiobs_set_number(v, NGX_HTTP_AIOBS_VALUE_INTEGER,
                                      last->status);
        }
        break;

    case NGX_HTTP_AIOBS_F_UP_DURATION:
        ms = 0;
        state = r->upstream_states->elts;

        for (i = 0; i < r->upstream_states->nelts; i++) {
            if (state[i].response_time != (ngx_msec_t) -1) {
                ms += state[i].response_time;
            }
        }

        ngx_http_aiobs_set_number(v, NGX_HTTP_AIOBS_VALUE_SECONDS, ms * 1000);
        break;

    default:
        ngx_http_aiobs_set_number(v, NGX_HTTP_AIOBS_VALUE_INTEGER, attempts);
        break;
    }
}


void
ngx_http_aiobs_get_call(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_field_t *field, ngx_http_aiobs_value_t *v)
{
    if (ctx->llm == NULL) {
        return;
    }

    switch (field->data) {

    case NGX_HTTP_AIOBS_F_PROVIDER:
        ngx_http_aiobs_set_text(v, aiobs_api_provider(ctx->api));
        break;

    case NGX_HTTP_AIOBS_F_OPERATION:
        ngx_http_aiobs_set_text(v, aiobs_api_operation(ctx->api));
        break;

    case NGX_HTTP_AIOBS_F_REQUEST_MODEL:
        ngx_http_aiobs_set_str(v, ctx->asked.model, ctx->asked.model_len);

        if (v->type == NGX_HTTP_AIOBS_VALUE_ABSENT) {
            ngx_http_aiobs_set_str(v, ctx->path_model.data,
                                   ctx->path_model.len);
        }

        break;

    default:
        if (ctx->called) {
            ngx_http_aiobs_set_number(v, NGX_HTTP_AIOBS_VALUE_BOOLEAN,
                                  ctx->answer.stream || ctx->asked.stream == 1);
        }

        break;
    }
}


void
ngx_http_aiobs_get_answer(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_field_t *field, ngx_http_aiobs_value_t *v)
{
    int64_t                n;
    aiobs_usage_record_t  *rec;

    if (!ctx->called) {
        return;
    }

    rec = &ctx->answer;

    switch (field->data) {

    case NGX_HTTP_AIOBS_F_MODEL:
        ngx_http_aiobs_set_str(v, rec->model, rec->model_len);
        break;

    case NGX_HTTP_AIOBS_F_FINISH:
        ngx_http_aiobs_set_str(v, rec->finish, rec->finish_len);
        break;

    case NGX_HTTP_AIOBS_F_ID:
        ngx_http_aiobs_set_str(v, rec->id, rec->id_len);
        break;

    case NGX_HTTP_AIOBS_F_SOURCE:
        ngx_http_aiobs_set_text(v, aiobs_source_name(rec->source));
        break;

    case NGX_HTTP_AIOBS_F_COST:
        if (ctx->cost != AIOBS_ABSENT) {
            ngx_http_aiobs_set_number(v, NGX_HTTP_AIOBS_VALUE_USD, ctx->cost);
        }

        break;

    case NGX_HTTP_AIOBS_F_TTFT:
        n = ngx_http_aiobs_ttft(ctx);

        if (n >= 0) {
            ngx_http_aiobs_set_number(v, NGX_HTTP_AIOBS_VALUE_SECONDS,
                                      n * 1000);
        }

        break;

    default:
        n = ngx_http_aiobs_time_per_token(ctx);

        if (n >= 0) {
            ngx_http_aiobs_set_number(v, NGX_HTTP_AIOBS_VALUE_SECONDS, n);
        }

        break;
    }
}


void
ngx_http_aiobs_get_tokens(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_field_t *field, ngx_http_aiobs_value_t *v)
{
    int64_t  n;

    if (!ctx->called) {
        return;
    }

    n = *(int64_t *) ((char *) &ctx->answer + field->data);

    if (n != AIOBS_ABSENT) {
        ngx_http_aiobs_set_number(v, NGX_HTTP_AIOBS_VALUE_INTEGER, n);
    }
}
