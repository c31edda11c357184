
/*
 * Copyright (C) the aiobs authors
 *
 * A finished request by the names and attributes of OpenTelemetry's semantic
 * conventions 1.41: HTTP servers and generative AI.
 */


#include "ngx_http_aiobs_counts.h"


/* labels of a call, as the families have them */

enum {
    NGX_HTTP_AIOBS_OTEL_OPERATION = 0,
    NGX_HTTP_AIOBS_OTEL_PROVIDER,
    NGX_HTTP_AIOBS_OTEL_REQUEST_MODEL,
    NGX_HTTP_AIOBS_OTEL_RESPONSE_MODEL,
    NGX_HTTP_AIOBS_OTEL_ADDRESS,
    NGX_HTTP_AIOBS_OTEL_PORT,
    NGX_HTTP_AIOBS_OTEL_LAST,
    NGX_HTTP_AIOBS_OTEL_LABELS
};


static void ngx_http_aiobs_otel_models(ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *labels);
static void ngx_http_aiobs_otel_server(ngx_http_request_t *r,
    ngx_str_t *labels, u_char *port);
static void ngx_http_aiobs_otel_tokens(ngx_str_t *labels, const char *type,
    int64_t n);
static void ngx_http_aiobs_otel_latency(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_str_t *labels);
static void ngx_http_aiobs_otel_str(ngx_str_t *s, const char *text);


void
ngx_http_aiobs_count_otel_http(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    u_char      status[NGX_INT_T_LEN];
    ngx_str_t   labels[6];
    ngx_uint_t  code;

    code = ngx_http_aiobs_status(r);

    if (r->main->method == NGX_HTTP_UNKNOWN) {
        ngx_str_set(&labels[0], "_OTHER");

    } else {
        labels[0] = *ngx_http_aiobs_method(r);
    }

    ngx_str_set(&labels[1], "http");

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        ngx_str_set(&labels[1], "https");
    }
#endif

    labels[2].data = status;
    labels[2].len = ngx_sprintf(status, "%03ui", code) - status;
    labels[3] = ctx->location->handler;

    switch (r->http_version) {

    case NGX_HTTP_VERSION_20:
        ngx_str_set(&labels[4], "2");
        break;

    case NGX_HTTP_VERSION_11:
        ngx_str_set(&labels[4], "1.1");
        break;

    case NGX_HTTP_VERSION_10:
    case NGX_HTTP_VERSION_9:
        ngx_http_aiobs_otel_str(&labels[4],
                                r->http_version == NGX_HTTP_VERSION_10
                                ? "1.0" : "0.9");
        break;

    default:
        ngx_str_set(&labels[4], "3");
    }

    ngx_str_null(&labels[5]);

    if (code >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        labels[5] = labels[2];
    }

    ngx_http_aiobs_metrics_observe(NGX_HTTP_AIOBS_OTEL_HTTP_DURATION, labels,
                                  (uint64_t) ngx_http_aiobs_elapsed(r) * 1000);
}


void
ngx_http_aiobs_count_otel_call(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    u_char     port[NGX_INT_T_LEN];
    ngx_str_t  labels[NGX_HTTP_AIOBS_OTEL_LABELS];

    ngx_http_aiobs_otel_str(&labels[NGX_HTTP_AIOBS_OTEL_OPERATION],
                            aiobs_api_operation(ctx->api));
    ngx_http_aiobs_otel_str(&labels[NGX_HTTP_AIOBS_OTEL_PROVIDER],
                            aiobs_api_provider_otel(ctx->api));
    ngx_http_aiobs_otel_models(ctx, labels);
    ngx_http_aiobs_otel_server(r, labels, port);

    ngx_http_aiobs_otel_tokens(labels, "input", ctx->answer.input);
    ngx_http_aiobs_otel_tokens(labels, "output", ctx->answer.output);

    if (!ctx->fetched) {                    /* else it was counted before */
        ngx_http_aiobs_otel_latency(r, ctx, labels);
    }
}


/* what only a client has claimed makes no series here either */

static void
ngx_http_aiobs_otel_models(ngx_http_aiobs_ctx_t *ctx, ngx_str_t *labels)
{
    ngx_str_t  *asked, *answered;

    asked = &labels[NGX_HTTP_AIOBS_OTEL_REQUEST_MODEL];
    answered = &labels[NGX_HTTP_AIOBS_OTEL_RESPONSE_MODEL];

    *answered = ctx->label_model;
    *asked = ctx->label_model;

    if (answered->len == sizeof("other") - 1
        && ngx_memcmp(answered->data, "other", sizeof("other") - 1) == 0)
    {
        return;
    }

    if (ctx->asked.model_len) {
        asked->data = (u_char *) ctx->asked.model;
        asked->len = ctx->asked.model_len;

    } else if (ctx->path_model.len) {
        *asked = ctx->path_model;
    }
}


/* as the configuration names it; a variable may be what a client says */

static void
ngx_http_aiobs_otel_server(ngx_http_request_t *r, ngx_str_t *labels,
    u_char *port)
{
    ngx_http_upstream_srv_conf_t  *uscf;

    ngx_str_null(&labels[NGX_HTTP_AIOBS_OTEL_ADDRESS]);
    ngx_str_null(&labels[NGX_HTTP_AIOBS_OTEL_PORT]);

    if (r->upstream == NULL || r->upstream->conf == NULL) {
        return;
    }

    uscf = r->upstream->conf->upstream;

    if (uscf == NULL) {
        return;
    }

    labels[NGX_HTTP_AIOBS_OTEL_ADDRESS] = uscf->host;

    if (uscf->port) {
        labels[NGX_HTTP_AIOBS_OTEL_PORT].data = port;
        labels[NGX_HTTP_AIOBS_OTEL_PORT].len =
                       ngx_sprintf(port, "%ui", (ngx_uint_t) uscf->port)
                       - port;
    }
}


static void
ngx_http_aiobs_otel_tokens(ngx_str_t *labels, const char *type, int64_t n)
{
    if (n != AIOBS_ABSENT) {
        ngx_http_aiobs_otel_str(&labels[NGX_HTTP_AIOBS_OTEL_LAST], type);
        ngx_http_aiobs_metrics_observe(NGX_HTTP_AIOBS_OTEL_TOKEN_USAGE, labels,
                                       n);
    }
}


static void
ngx_http_aiobs_otel_latency(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *labels)
{
    int64_t         us;
    ngx_msec_int_t  ms;

    ngx_http_aiobs_otel_str(&labels[NGX_HTTP_AIOBS_OTEL_LAST],
                            ctx->error_type);

    ngx_http_aiobs_metrics_observe(NGX_HTTP_AIOBS_OTEL_CALL_DURATION, labels,
                                  (uint64_t) ngx_http_aiobs_elapsed(r) * 1000);

    if (ctx->error_type[0]) {
        return;                             /* the others are of successes */
    }

    ms = ngx_http_aiobs_ttft(ctx);

    if (ms >= 0) {
        ngx_http_aiobs_metrics_observe(NGX_HTTP_AIOBS_OTEL_TTFT, labels,
                                       (uint64_t) ms * 1000);
    }

    us = ngx_http_aiobs_time_per_token(ctx);

    if (us >= 0) {
        ngx_http_aiobs_metrics_observe(NGX_HTTP_AIOBS_OTEL_TPOT, labels, us);
    }
}


static void
ngx_http_aiobs_otel_str(ngx_str_t *s, const char *text)
{
    s->data = (u_char *) text;
    s->len = ngx_strlen(text);
}
