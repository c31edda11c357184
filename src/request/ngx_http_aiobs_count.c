
/*
 * Copyright (C) the aiobs authors
 *
 * A finished request as numbers: what it adds to which series.  Labels are
 * made for series that this worker has not counted in before.
 */


#include "ngx_http_aiobs_counts.h"


static u_char *ngx_http_aiobs_count_trace_id(void *data);
static void ngx_http_aiobs_count_http(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_counts_t *counts);
static void ngx_http_aiobs_count_http_new(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_counts_http_t *http);


void
ngx_http_aiobs_count_request_up(ngx_http_aiobs_ctx_t *ctx)
{
    ngx_str_t                labels[2];
    ngx_http_request_t      *r;
    ngx_http_aiobs_gauge_t  *known;

    r = ctx->request;

    known = ngx_http_aiobs_counts_inprogress(
                                         ngx_http_aiobs_counts(ctx->location),
                                         r->method);
    if (*known) {
        ctx->gauge = *known;
        (*ctx->gauge)++;
        return;
    }

    labels[0] = ctx->location->handler;
    labels[1] = *ngx_http_aiobs_method(r);

    ctx->gauge = ngx_http_aiobs_metrics_up_at(known,
                                              NGX_HTTP_AIOBS_HTTP_INPROGRESS,
                                              labels);
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
    ngx_uint_t                   otel;
    ngx_http_aiobs_counts_t     *counts;
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    otel = amcf->metrics.names & NGX_HTTP_AIOBS_OTEL;
    counts = ngx_http_aiobs_counts(ctx->location);

    if (ctx->traceparent.len) {
        (void) ngx_http_aiobs_trace(ctx);   /* which may say it is sampled */
    }

    ngx_http_aiobs_metrics_request(ngx_http_aiobs_count_trace_id, ctx,
                                   &ctx->request_id, ctx->trace.sampled);

    if (!ctx->location->metrics) {
        ngx_http_aiobs_count_http(r, ctx, counts);

        if (otel) {
            ngx_http_aiobs_count_otel_http(r, ctx, counts);
        }
    }

    if (ctx->called) {
        ngx_http_aiobs_count_call(r, ctx, ctx->counted);

        if (otel) {
            ngx_http_aiobs_count_otel_call(r, ctx, ctx->counted_otel);
        }
    }

    ngx_http_aiobs_metrics_request(NULL, NULL, NULL, 0);
}


static u_char *
ngx_http_aiobs_count_trace_id(void *data)
{
    return ngx_http_aiobs_trace(data)->trace_id;
}


static void
ngx_http_aiobs_count_http(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_counts_t *counts)
{
    ngx_http_aiobs_counts_http_t  *http;

    http = ngx_http_aiobs_counts_http(counts, r->method,
                                      ngx_http_aiobs_status(r));

    if (http->requests && http->duration) {
        ngx_http_aiobs_metrics_count(http->requests, 1);
        ngx_http_aiobs_metrics_count(http->duration,
                                  (uint64_t) ngx_http_aiobs_elapsed(r) * 1000);

    } else {
        ngx_http_aiobs_count_http_new(r, ctx, http);
    }

    ngx_http_aiobs_metrics_add_at(&counts->request_size,
                                  NGX_HTTP_AIOBS_HTTP_REQUEST_SIZE,
                                  &ctx->location->handler, r->request_length);
    ngx_http_aiobs_metrics_add_at(&counts->response_size,
                                  NGX_HTTP_AIOBS_HTTP_RESPONSE_SIZE,
                                  &ctx->location->handler,
                                  r->connection->sent);
}


static void
ngx_http_aiobs_count_http_new(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_counts_http_t *http)
{
    u_char     text[NGX_INT_T_LEN];
    ngx_str_t  labels[3];

    labels[0] = ctx->location->handler;
    labels[1] = *ngx_http_aiobs_method(r);
    labels[2].data = text;
    labels[2].len = ngx_sprintf(text, "%03ui", http->status) - text;

    ngx_http_aiobs_metrics_add_at(&http->requests,
                                  NGX_HTTP_AIOBS_HTTP_REQUESTS, labels, 1);
    ngx_http_aiobs_metrics_add_at(&http->duration,
                                  NGX_HTTP_AIOBS_HTTP_DURATION, labels,
                                  (uint64_t) ngx_http_aiobs_elapsed(r) * 1000);
}


void
ngx_http_aiobs_count_find(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_counts_t        *counts;
    ngx_http_aiobs_counts_call_t   *call;
    ngx_http_aiobs_counts_model_t  *known;

    counts = ngx_http_aiobs_counts(ctx->location);
    known = ngx_http_aiobs_count_model(r, ctx);

    if (known && known->counts == counts->serial
        && known->serial == known->call->serial
        && known->call->api == ctx->api)
    {
        call = known->call;

    } else {
        call = ngx_http_aiobs_counts_call(counts, ctx->api, &ctx->label_model);

        if (known) {
            known->counts = counts->serial;
            known->call = call;
            known->serial = call->serial;
            ngx_memzero(&known->otel, sizeof(ngx_http_aiobs_counts_otel_t));
        }
    }

    ctx->counted = call;
    ctx->counted_otel = known ? &known->otel : NULL;
}
