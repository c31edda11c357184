
/*
 * Copyright (C) the aiobs authors
 *
 * A finished call of a model as numbers.
 */


#include "ngx_http_aiobs_counts.h"


#define NGX_HTTP_AIOBS_TRY_RESET  1000      /* no status of HTTP */


static void ngx_http_aiobs_count_usage(ngx_http_aiobs_counts_call_t *call,
    ngx_http_aiobs_ctx_t *ctx);
static ngx_inline void ngx_http_aiobs_count_tokens(
    ngx_http_aiobs_counts_call_t *call, ngx_uint_t output, int64_t n);
static void ngx_http_aiobs_count_tokens_new(ngx_http_aiobs_counts_call_t *call,
    ngx_uint_t output, int64_t n);
static ngx_inline void ngx_http_aiobs_count_detail(
    ngx_http_aiobs_counts_call_t *call, ngx_uint_t which, const char *type,
    int64_t n);
static void ngx_http_aiobs_count_units(ngx_http_aiobs_counts_call_t *call,
    aiobs_units_t *units);
static void ngx_http_aiobs_count_unit(ngx_http_aiobs_counts_call_t *call,
    ngx_uint_t which, const char *unit, int64_t thousandths);
static void ngx_http_aiobs_count_typed(ngx_http_aiobs_counts_call_t *call,
    ngx_http_aiobs_sum_t *sum, ngx_http_aiobs_family_e family,
    const char *type, uint64_t n);
static void ngx_http_aiobs_count_source(ngx_http_aiobs_counts_call_t *call,
    aiobs_source_e source);
static void ngx_http_aiobs_count_group(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_count_latency(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_counts_call_t *call);
static void ngx_http_aiobs_count_end(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_counts_call_t *call);
static void ngx_http_aiobs_count_attempts(ngx_http_request_t *r,
    ngx_http_aiobs_counts_call_t *call);
static ngx_uint_t ngx_http_aiobs_tried(ngx_http_upstream_state_t *state);
static void ngx_http_aiobs_count_attempt(ngx_http_aiobs_counts_call_t *call,
    ngx_http_aiobs_sum_t *sum, ngx_uint_t status);
static void ngx_http_aiobs_count_retries(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


void
ngx_http_aiobs_count_call(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_counts_call_t *call)
{
    if (call->labels[0].len == 0) {
        ngx_http_aiobs_counts_str(&call->labels[0],
                                  aiobs_api_provider(ctx->api));
        ngx_http_aiobs_counts_str(&call->operation,
                                  aiobs_api_operation(ctx->api));
        call->labels[2] = ctx->location->endpoint;
    }

    ngx_http_aiobs_count_usage(call, ctx);
    ngx_http_aiobs_count_group(r, ctx);

    if (!ctx->fetched) {                    /* else it was counted before */
        ngx_http_aiobs_count_latency(r, ctx, call);
        ngx_http_aiobs_count_end(ctx, call);
        ngx_http_aiobs_count_attempts(r, call);
        ngx_http_aiobs_count_retries(r, ctx);
    }
}


static void
ngx_http_aiobs_count_usage(ngx_http_aiobs_counts_call_t *call,
    ngx_http_aiobs_ctx_t *ctx)
{
    aiobs_usage_record_t  *rec;

    rec = &ctx->answer;

    if (ctx->cost > 0) {
        ngx_http_aiobs_metrics_sum_at(&call->cost, NGX_HTTP_AIOBS_LLM_COST,
                                      call->labels, ctx->cost);
    }

    if (ctx->cost == AIOBS_COST_MAX) {
        ngx_http_aiobs_metrics_refuse(NGX_HTTP_AIOBS_LLM_COST, "call");
    }

    if (ctx->unpriced) {
        ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_UNPRICED_CALLS, NULL, 1);
    }

    ngx_http_aiobs_count_tokens(call, 0, rec->input);
    ngx_http_aiobs_count_tokens(call, 1, rec->output);

    ngx_http_aiobs_count_detail(call, 0, "cache_read", rec->cache_read);
    ngx_http_aiobs_count_detail(call, 1, "cache_write", rec->cache_write);
    ngx_http_aiobs_count_detail(call, 2, "reasoning", rec->reasoning);
    ngx_http_aiobs_count_detail(call, 3, "audio_input", rec->audio_input);
    ngx_http_aiobs_count_detail(call, 4, "audio_output", rec->audio_output);

    ngx_http_aiobs_count_units(call, &rec->units);

    if (!rec->pending) {
        ngx_http_aiobs_count_source(call, rec->source);
    }
}


static ngx_inline void
ngx_http_aiobs_count_tokens(ngx_http_aiobs_counts_call_t *call,
    ngx_uint_t output, int64_t n)
{
    if (n == AIOBS_ABSENT) {
        return;
    }

    if (call->tokens[output] == NULL || call->call_tokens[output] == NULL) {
        ngx_http_aiobs_count_tokens_new(call, output, n);
        return;
    }

    ngx_http_aiobs_metrics_add_to(call->tokens[output],
                                  NGX_HTTP_AIOBS_LLM_TOKENS, n);
    ngx_http_aiobs_metrics_count(call->call_tokens[output], n);
}


static void
ngx_http_aiobs_count_tokens_new(ngx_http_aiobs_counts_call_t *call,
    ngx_uint_t output, int64_t n)
{
    ngx_http_aiobs_counts_str(&call->labels[3], output ? "output" : "input");

    ngx_http_aiobs_metrics_sum_at(&call->tokens[output],
                                  NGX_HTTP_AIOBS_LLM_TOKENS, call->labels, n);
    ngx_http_aiobs_metrics_add_at(&call->call_tokens[output],
                                  NGX_HTTP_AIOBS_LLM_CALL_TOKENS, call->labels,
                                  n);
}


static ngx_inline void
ngx_http_aiobs_count_detail(ngx_http_aiobs_counts_call_t *call,
    ngx_uint_t which, const char *type, int64_t n)
{
    if (n > 0) {
        ngx_http_aiobs_count_typed(call, &call->details[which],
                                   NGX_HTTP_AIOBS_LLM_TOKEN_DETAILS, type, n);
    }
}


/* the family is kept in millionths, for parts of a second */

static void
ngx_http_aiobs_count_units(ngx_http_aiobs_counts_call_t *call,
    aiobs_units_t *units)
{
    if (units->queries | units->searches) {
        ngx_http_aiobs_count_unit(call, 0, "searches",
                                  (units->queries + units->searches) * 1000);
    }

    if (units->images_input | units->images_output) {
        ngx_http_aiobs_count_unit(call, 1, "images",
                                  (units->images_input + units->images_output)
                                  * 1000);
    }

    if (units->milliseconds) {
        ngx_http_aiobs_count_unit(call, 2, "seconds", units->milliseconds);
    }

    if (units->characters_input) {
        ngx_http_aiobs_count_unit(call, 3, "characters",
                                  units->characters_input * 1000);
    }

    if (units->pages) {
        ngx_http_aiobs_count_unit(call, 4, "pages", units->pages * 1000);
    }
}


static void
ngx_http_aiobs_count_unit(ngx_http_aiobs_counts_call_t *call, ngx_uint_t which,
    const char *unit, int64_t thousandths)
{
    if (thousandths > 0 && thousandths < AIOBS_TOKENS_MAX) {
        ngx_http_aiobs_count_typed(call, &call->units[which],
                                   NGX_HTTP_AIOBS_LLM_BILLED_UNITS, unit,
                                   thousandths * 1000);
    }
}


/* type: the fourth label */

static void
ngx_http_aiobs_count_typed(ngx_http_aiobs_counts_call_t *call,
    ngx_http_aiobs_sum_t *sum, ngx_http_aiobs_family_e family,
    const char *type, uint64_t n)
{
    if (*sum == NULL) {
        ngx_http_aiobs_counts_str(&call->labels[3], type);
    }

    ngx_http_aiobs_metrics_sum_at(sum, family, call->labels, n);
}


static void
ngx_http_aiobs_count_source(ngx_http_aiobs_counts_call_t *call,
    aiobs_source_e source)
{
    ngx_str_t  labels[2];

    if (call->sources[source]) {
        (void) ngx_atomic_fetch_add(call->sources[source], 1);
        return;
    }

    labels[0] = call->labels[2];
    ngx_http_aiobs_counts_str(&labels[1], aiobs_source_name(source));

    ngx_http_aiobs_metrics_find_sum(&call->sources[source],
                                    NGX_HTTP_AIOBS_LLM_USAGE_SOURCE, labels,
                                    1);
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
ngx_http_aiobs_count_latency(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_counts_call_t *call)
{
    int64_t         us;
    ngx_msec_int_t  ms;

    ngx_http_aiobs_metrics_add_at(&call->duration,
                                  NGX_HTTP_AIOBS_LLM_CALL_DURATION,
                                  call->labels,
                                  (uint64_t) ngx_http_aiobs_elapsed(r) * 1000);

    if (!ctx->answer.stream) {
        return;
    }

    ms = ngx_http_aiobs_ttft(ctx);

    if (ms >= 0) {
        ngx_http_aiobs_metrics_add_at(&call->ttft, NGX_HTTP_AIOBS_LLM_TTFT,
                                      call->labels, (uint64_t) ms * 1000);
    }

    us = ngx_http_aiobs_time_per_token(ctx);

    if (us >= 0) {
        ngx_http_aiobs_metrics_add_at(&call->tpot, NGX_HTTP_AIOBS_LLM_TPOT,
                                      call->labels, us);
    }
}


static void
ngx_http_aiobs_count_end(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_counts_call_t *call)
{
    ngx_str_t                 failure[2];
    ngx_http_aiobs_handle_t  *handle;

    handle = &call->calls;

    if (ctx->error_type[0]) {
        handle = &call->failed;

        if (call->error_type != ctx->error_type) {
            call->error_type = ctx->error_type;
            call->failed = NULL;
        }
    }

    if (*handle) {
        ngx_http_aiobs_metrics_count(*handle, 1);

    } else {
        call->labels[3] = call->operation;
        ngx_http_aiobs_counts_str(&call->labels[4], ctx->error_type);
        ngx_http_aiobs_metrics_find_at(handle, NGX_HTTP_AIOBS_LLM_CALLS,
                                       call->labels, 1);
    }

    if (ctx->answer.failure) {
        failure[0] = call->labels[0];
        ngx_http_aiobs_counts_str(&failure[1],
                                  aiobs_failure_name(ctx->answer.failure));
        ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_PARSE_FAILURES, failure, 1);
    }
}


static void
ngx_http_aiobs_count_attempts(ngx_http_request_t *r,
    ngx_http_aiobs_counts_call_t *call)
{
    ngx_uint_t                  i, status;
    ngx_http_aiobs_sum_t       *sum;
    ngx_http_upstream_state_t  *state;

    if (r->upstream_states == NULL) {
        return;                             /* answered from the cache */
    }

    state = r->upstream_states->elts;

    for (i = 0; i < r->upstream_states->nelts; i++) {

        if (state[i].peer == NULL) {
            continue;
        }

        sum = &call->attempts;
        status = ngx_http_aiobs_tried(&state[i]);

        if (status == 0 || status >= NGX_HTTP_BAD_REQUEST) {
            sum = &call->tried;

            if (call->tried_status != status) {
                call->tried_status = status;
                call->tried = NULL;
            }
        }

        if (*sum) {
            (void) ngx_atomic_fetch_add(*sum, 1);

        } else {
            ngx_http_aiobs_count_attempt(call, sum, status);
        }
    }
}


/* what a try came to; nginx's own page for one that broke off is no answer */

static ngx_uint_t
ngx_http_aiobs_tried(ngx_http_upstream_state_t *state)
{
    if (state->header_time == (ngx_msec_t) -1 && state->status != 0
        && state->status != NGX_HTTP_GATEWAY_TIME_OUT)
    {
        return NGX_HTTP_AIOBS_TRY_RESET;
    }

    return state->status;
}


static void
ngx_http_aiobs_count_attempt(ngx_http_aiobs_counts_call_t *call,
    ngx_http_aiobs_sum_t *sum, ngx_uint_t status)
{
    ngx_str_t  labels[3];

    labels[0] = call->labels[2];
    labels[1] = call->labels[0];

    if (status == 0) {
        ngx_str_set(&labels[2], "no_response");

    } else if (status < NGX_HTTP_BAD_REQUEST) {
        ngx_str_set(&labels[2], "success");

    } else if (status == NGX_HTTP_AIOBS_TRY_RESET) {
        ngx_str_set(&labels[2], "upstream_reset");

    } else {
        ngx_http_aiobs_counts_str(&labels[2], aiobs_error_type(status, "", 0));
    }

    ngx_http_aiobs_metrics_find_sum(sum, NGX_HTTP_AIOBS_LLM_ATTEMPTS, labels,
                                    1);
}


/* the SDKs say which of their own tries this is */

static void
ngx_http_aiobs_count_retries(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_table_elt_t  *h, *last;
    ngx_list_part_t  *part;

    static ngx_uint_t  hash;
    static ngx_str_t   name = ngx_string("x-stainless-retry-count");

    const ngx_uint_t  key = hash ? hash : ngx_hash_key(name.data, name.len);

    hash = key;

    if (r->headers_in.headers.part.elts == NULL) {
        return;                 /* a malformed request: never initialised */
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (last = h + part->nelts; h < last; h++) {

            if (h->hash != key) {
                continue;
            }

            /* most say 0, which tells more than the name, and sooner */

            if (h->key.len == name.len
                && (h->value.len != 1 || h->value.data[0] != '0')
                && ngx_strncasecmp(h->key.data, name.data, name.len) == 0
                && ngx_atoi(h->value.data, h->value.len) > 0)
            {
                ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_LLM_CLIENT_RETRIES,
                                           &ctx->location->endpoint, 1);
                return;
            }
        }
    }
}
