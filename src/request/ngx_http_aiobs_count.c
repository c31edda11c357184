
/*
 * Copyright (C) the aiobs authors
 *
 * A finished request as numbers: what it adds to which series.
 */


#include "ngx_http_aiobs_counts.h"


#define NGX_HTTP_AIOBS_MODELS_KNOWN  64     /* per worker */


/* the model last answered for an endpoint and the model asked for */

typedef struct {
    ngx_str_t   endpoint;                   /* of the configuration */
    u_char      asked[AIOBS_MODEL_MAX];
    u_char      answered[AIOBS_MODEL_MAX];
    size_t      asked_len;
    size_t      answered_len;
} ngx_http_aiobs_known_model_t;


static void ngx_http_aiobs_count_http(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_counts_t *counts);
static void ngx_http_aiobs_count_call(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_counts_t *counts);
static void ngx_http_aiobs_count_tokens(ngx_http_aiobs_counts_call_t *call,
    ngx_uint_t output, int64_t n);
static void ngx_http_aiobs_count_details(ngx_str_t *labels,
    aiobs_usage_record_t *rec);
static void ngx_http_aiobs_count_group(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_count_detail(ngx_str_t *labels, const char *type,
    int64_t n);
static void ngx_http_aiobs_count_units(ngx_str_t *labels,
    aiobs_units_t *units);
static void ngx_http_aiobs_count_unit(ngx_str_t *labels, const char *unit,
    int64_t thousandths);
static void ngx_http_aiobs_count_source(ngx_http_aiobs_counts_call_t *call,
    aiobs_usage_record_t *rec);
static void ngx_http_aiobs_count_latency(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_counts_call_t *call);
static void ngx_http_aiobs_count_end(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_counts_call_t *call);
static void ngx_http_aiobs_count_attempts(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_counts_call_t *call);
static void ngx_http_aiobs_count_retries(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_label_model(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_str_t *model);
static void ngx_http_aiobs_c_str(ngx_str_t *s, const char *text);


static ngx_http_aiobs_known_model_t
    ngx_http_aiobs_known_models[NGX_HTTP_AIOBS_MODELS_KNOWN];


void
ngx_http_aiobs_count_request_up(ngx_http_aiobs_ctx_t *ctx)
{
    ngx_str_t                 labels[2];
    ngx_http_request_t       *r;
    ngx_http_aiobs_counts_t  *counts;

    r = ctx->request;
    counts = ngx_http_aiobs_counts(ctx->location);

    labels[0] = ctx->location->handler;
    labels[1] = *ngx_http_aiobs_method(r);

    ctx->gauge = ngx_http_aiobs_metrics_up_at(
                     ngx_http_aiobs_counts_inprogress(counts, r->method),
                     NGX_HTTP_AIOBS_HTTP_INPROGRESS, labels);
}


void
ngx_http_aiobs_count_call_up(ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_counts_t  *counts;

    counts = ngx_http_aiobs_counts(ctx->location);

    ctx->llm_gauge = ngx_http_aiobs_metrics_up_at(&counts->calls_inprogress,
                                          NGX_HTTP_AIOBS_LLM_CALLS_INPROGRESS,
                                          &ctx->location->endpoint);
}


void
ngx_http_aiobs_count(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_counts_t  *counts;

    counts = ngx_http_aiobs_counts(ctx->location);

    ngx_http_aiobs_metrics_request(ngx_http_aiobs_trace(ctx)->trace_id,
                                   &ctx->request_id, ctx->trace.sampled);

    if (!ctx->location->metrics) {
        ngx_http_aiobs_count_http(r, ctx, counts);
    }

    if (ctx->called) {
        ngx_http_aiobs_count_call(r, ctx, counts);
    }

    if (ngx_http_aiobs_metrics_chosen(NGX_HTTP_AIOBS_OTEL_HTTP_DURATION)) {

        if (!ctx->location->metrics) {
            ngx_http_aiobs_count_otel_http(r, ctx);
        }

        if (ctx->called) {
            ngx_http_aiobs_count_otel_call(r, ctx);
        }
    }

    ngx_http_aiobs_metrics_request(NULL, NULL, 0);
}


static void
ngx_http_aiobs_count_http(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_counts_t *counts)
{
    u_char                         text[NGX_INT_T_LEN];
    ngx_str_t                      labels[3];
    ngx_uint_t                     status;
    ngx_http_aiobs_counts_http_t  *http;

    status = ngx_http_aiobs_status(r);
    http = ngx_http_aiobs_counts_http(counts, r->method, status);

    labels[0] = ctx->location->handler;
    labels[1] = *ngx_http_aiobs_method(r);
    labels[2].data = text;

    if (http->requests == NULL) {
        labels[2].len = ngx_sprintf(text, "%03ui", status) - text;
    }

    ngx_http_aiobs_metrics_add_at(&http->requests, NGX_HTTP_AIOBS_HTTP_REQUESTS,
                                  labels, 1);
    ngx_http_aiobs_metrics_observe_at(&http->duration,
                                  NGX_HTTP_AIOBS_HTTP_DURATION, labels,
                                  (uint64_t) ngx_http_aiobs_elapsed(r) * 1000);
    ngx_http_aiobs_metrics_observe_at(&counts->request_size,
                                  NGX_HTTP_AIOBS_HTTP_REQUEST_SIZE, labels,
                                  r->request_length);
    ngx_http_aiobs_metrics_observe_at(&counts->response_size,
                                  NGX_HTTP_AIOBS_HTTP_RESPONSE_SIZE, labels,
                                  r->connection->sent);
}


static void
ngx_http_aiobs_count_call(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_counts_t *counts)
{
    ngx_http_aiobs_counts_call_t  *call;

    ngx_http_aiobs_label_model(r, ctx, &ctx->label_model);

    call = ngx_http_aiobs_counts_call(counts, ctx->api, &ctx->label_model);

    if (call->labels[0].len == 0) {
        ngx_http_aiobs_c_str(&call->labels[0], aiobs_api_provider(ctx->api));
        ngx_http_aiobs_c_str(&call->operation, aiobs_api_operation(ctx->api));
        call->labels[2] = ctx->location->endpoint;
    }

    if (ctx->cost > 0) {
        ngx_http_aiobs_metrics_add_at(&call->cost, NGX_HTTP_AIOBS_LLM_COST,
                                      call->labels, ctx->cost);
    }

    if (ctx->unpriced) {
        ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_UNPRICED_CALLS, NULL, 1);
    }

    ngx_http_aiobs_count_tokens(call, 0, ctx->answer.input);
    ngx_http_aiobs_count_tokens(call, 1, ctx->answer.output);
    ngx_http_aiobs_count_details(call->labels, &ctx->answer);
    ngx_http_aiobs_count_units(call->labels, &ctx->answer.units);
    ngx_http_aiobs_count_source(call, &ctx->answer);
    ngx_http_aiobs_count_group(r, ctx);

    if (!ctx->fetched) {                    /* else it was counted before */
        ngx_http_aiobs_count_latency(r, ctx, call);
        ngx_http_aiobs_count_end(ctx, call);
        ngx_http_aiobs_count_attempts(r, ctx, call);
        ngx_http_aiobs_count_retries(r, ctx);
    }
}


static void
ngx_http_aiobs_count_tokens(ngx_http_aiobs_counts_call_t *call,
    ngx_uint_t output, int64_t n)
{
    static ngx_str_t  types[] = {
        ngx_string("input"),
        ngx_string("output")
    };

    if (n != AIOBS_ABSENT) {
        call->labels[3] = types[output];

        ngx_http_aiobs_metrics_add_at(&call->tokens[output],
                                      NGX_HTTP_AIOBS_LLM_TOKENS, call->labels,
                                      n);
        ngx_http_aiobs_metrics_observe_at(&call->call_tokens[output],
                                          NGX_HTTP_AIOBS_LLM_CALL_TOKENS,
                                          call->labels, n);
    }
}


/* labels: provider, model, endpoint; the fourth is made here */

static void
ngx_http_aiobs_count_details(ngx_str_t *labels, aiobs_usage_record_t *rec)
{
    ngx_http_aiobs_count_detail(labels, "cache_read", rec->cache_read);
    ngx_http_aiobs_count_detail(labels, "cache_write", rec->cache_write);
    ngx_http_aiobs_count_detail(labels, "reasoning", rec->reasoning);
    ngx_http_aiobs_count_detail(labels, "audio_input", rec->audio_input);
    ngx_http_aiobs_count_detail(labels, "audio_output", rec->audio_output);
}


/* by the label of the key that the configuration names */

static void
ngx_http_aiobs_count_group(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_str_t                    labels[2];
    aiobs_usage_record_t        *rec;
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);
    rec = &ctx->answer;

    if (amcf->limits.group.len == 0) {
        return;
    }

    if (ngx_http_aiobs_key_label(ctx, &amcf->limits.group, r->pool, &labels[0])
        != NGX_OK)
    {
        ngx_str_set(&labels[0], "none");
    }

    if (rec->input != AIOBS_ABSENT) {
        ngx_str_set(&labels[1], "input");
        ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_GROUP_TOKENS, labels,
                                   rec->input);
    }

    if (rec->output != AIOBS_ABSENT) {
        ngx_str_set(&labels[1], "output");
        ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_GROUP_TOKENS, labels,
                                   rec->output);
    }

    if (ctx->cost > 0) {
        ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_GROUP_COST, labels,
                                   ctx->cost);
    }
}


static void
ngx_http_aiobs_count_detail(ngx_str_t *labels, const char *type, int64_t n)
{
    if (n > 0) {
        ngx_http_aiobs_c_str(&labels[3], type);
        ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_LLM_TOKEN_DETAILS, labels,
                                   n);
    }
}


static void
ngx_http_aiobs_count_units(ngx_str_t *labels, aiobs_units_t *units)
{
    ngx_http_aiobs_count_unit(labels, "searches",
                              (units->queries + units->searches) * 1000);
    ngx_http_aiobs_count_unit(labels, "images",
                              (units->images_input + units->images_output)
                              * 1000);
    ngx_http_aiobs_count_unit(labels, "seconds", units->milliseconds);
    ngx_http_aiobs_count_unit(labels, "characters",
                              units->characters_input * 1000);
}


/* the family is kept in millionths, for parts of a second */

static void
ngx_http_aiobs_count_unit(ngx_str_t *labels, const char *unit,
    int64_t thousandths)
{
    if (thousandths > 0 && thousandths < AIOBS_TOKENS_MAX) {
        ngx_http_aiobs_c_str(&labels[3], unit);
        ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_LLM_BILLED_UNITS, labels,
                                   thousandths * 1000);
    }
}


static void
ngx_http_aiobs_count_source(ngx_http_aiobs_counts_call_t *call,
    aiobs_usage_record_t *rec)
{
    ngx_str_t  labels[2];

    if (rec->pending) {
        return;
    }

    labels[0] = call->labels[2];
    ngx_http_aiobs_c_str(&labels[1], aiobs_source_name(rec->source));

    ngx_http_aiobs_metrics_add_at(&call->sources[rec->source],
                                  NGX_HTTP_AIOBS_LLM_USAGE_SOURCE, labels, 1);
}


static void
ngx_http_aiobs_count_latency(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_counts_call_t *call)
{
    ngx_msec_int_t  ms;
    int64_t         us;

    ngx_http_aiobs_metrics_observe_at(&call->duration,
                                  NGX_HTTP_AIOBS_LLM_CALL_DURATION,
                                  call->labels,
                                  (uint64_t) ngx_http_aiobs_elapsed(r) * 1000);

    ms = ngx_http_aiobs_ttft(ctx);

    if (ms >= 0) {
        ngx_http_aiobs_metrics_observe_at(&call->ttft, NGX_HTTP_AIOBS_LLM_TTFT,
                                          call->labels, (uint64_t) ms * 1000);
    }

    us = ngx_http_aiobs_time_per_token(ctx);

    if (us >= 0) {
        ngx_http_aiobs_metrics_observe_at(&call->tpot, NGX_HTTP_AIOBS_LLM_TPOT,
                                          call->labels, us);
    }
}


static void
ngx_http_aiobs_count_end(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_counts_call_t *call)
{
    ngx_str_t                failure[2];
    ngx_http_aiobs_handle_t  any;

    call->labels[3] = call->operation;
    ngx_http_aiobs_c_str(&call->labels[4], ctx->error_type);

    any = NULL;
    ngx_http_aiobs_metrics_add_at(call->labels[4].len ? &any : &call->calls,
                                  NGX_HTTP_AIOBS_LLM_CALLS, call->labels, 1);

    if (ctx->answer.failure) {
        failure[0] = call->labels[0];
        ngx_http_aiobs_c_str(&failure[1],
                             aiobs_failure_name(ctx->answer.failure));
        ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_PARSE_FAILURES, failure, 1);
    }
}


static void
ngx_http_aiobs_count_attempts(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_counts_call_t *call)
{
    ngx_str_t                   labels[3];
    ngx_uint_t                  i;
    ngx_http_aiobs_handle_t     any, *handle;
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states == NULL) {
        return;                             /* answered from the cache */
    }

    labels[0] = call->labels[2];
    labels[1] = call->labels[0];

    state = r->upstream_states->elts;

    for (i = 0; i < r->upstream_states->nelts; i++) {

        if (state[i].peer == NULL) {
            continue;
        }

        any = NULL;
        handle = &any;

        if (state[i].status == 0) {
            ngx_str_set(&labels[2], "no_response");

        } else if (state[i].status < NGX_HTTP_BAD_REQUEST) {
            ngx_str_set(&labels[2], "success");
            handle = &call->attempts;

        } else {
            ngx_http_aiobs_c_str(&labels[2],
                                 aiobs_error_type(state[i].status, "", 0));
        }

        ngx_http_aiobs_metrics_add_at(handle, NGX_HTTP_AIOBS_LLM_ATTEMPTS,
                                      labels, 1);
    }
}


/* the SDKs say which of their own tries this is */

static void
ngx_http_aiobs_count_retries(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_str_t         label;
    ngx_table_elt_t  *h;

    h = ngx_http_aiobs_header_find(&r->headers_in.headers,
                                   "x-stainless-retry-count",
                                   sizeof("x-stainless-retry-count") - 1);

    if (h && h->value.len && ngx_atoi(h->value.data, h->value.len) > 0) {
        label = ctx->location->endpoint;
        ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_LLM_CLIENT_RETRIES, &label,
                                   1);
    }
}


/*
 * The answer's model.  A call without one takes the model last answered for
 * the same endpoint and the model asked for, else the model asked for if the
 * price file lists it; what only a client has claimed is "other".
 */

static void
ngx_http_aiobs_label_model(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *model)
{
    ngx_str_t                      asked, *endpoint;
    ngx_uint_t                     slot;
    aiobs_usage_record_t          *rec;
    ngx_http_aiobs_main_conf_t    *amcf;
    ngx_http_aiobs_known_model_t  *known;

    rec = &ctx->answer;
    endpoint = &ctx->location->endpoint;

    asked.data = (u_char *) ctx->asked.model;
    asked.len = ctx->asked.model_len;

    if (asked.len == 0) {
        asked = ctx->path_model;
    }

    slot = (ngx_hash_key(asked.data, asked.len)
            ^ (uintptr_t) endpoint->data >> 4)
           % NGX_HTTP_AIOBS_MODELS_KNOWN;

    known = &ngx_http_aiobs_known_models[slot];

    if (rec->model_len) {
        model->data = (u_char *) rec->model;
        model->len = rec->model_len;

        known->endpoint = *endpoint;
        known->asked_len = asked.len;
        known->answered_len = model->len;
        ngx_memcpy(known->asked, asked.data, asked.len);
        ngx_memcpy(known->answered, model->data, model->len);

        return;
    }

    if (known->answered_len && known->asked_len == asked.len
        && ngx_memcmp(known->asked, asked.data, asked.len) == 0
        && known->endpoint.data == endpoint->data)
    {
        model->data = known->answered;
        model->len = known->answered_len;
        return;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (amcf->prices && asked.len
        && aiobs_price_find(amcf->prices, aiobs_api_provider(ctx->api),
                            (char *) asked.data, asked.len))
    {
        *model = asked;
        return;
    }

    ngx_str_set(model, "other");
}


static void
ngx_http_aiobs_c_str(ngx_str_t *s, const char *text)
{
    s->data = (u_char *) text;
    s->len = ngx_strlen(text);
}
