
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


/* labels are made when a series is new to this worker */

typedef struct {
    ngx_http_request_t    *request;
    ngx_http_aiobs_ctx_t  *ctx;
    ngx_uint_t             ready;
    u_char                 port[NGX_INT_T_LEN];
    ngx_str_t              labels[NGX_HTTP_AIOBS_OTEL_LABELS];
} ngx_http_aiobs_otel_call_t;


static void ngx_http_aiobs_otel_http_new(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_counts_http_t *http);
static void ngx_http_aiobs_otel_latency(ngx_http_aiobs_otel_call_t *call,
    ngx_http_aiobs_counts_otel_t *otel);
static void ngx_http_aiobs_otel_observe(ngx_http_aiobs_otel_call_t *call,
    ngx_http_aiobs_handle_t *handle, ngx_http_aiobs_family_e family,
    const char *last, uint64_t value);
static void ngx_http_aiobs_otel_labels(ngx_http_aiobs_otel_call_t *call);
static void ngx_http_aiobs_otel_models(ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *labels);
static void ngx_http_aiobs_otel_server(ngx_http_request_t *r,
    ngx_str_t *labels, u_char *port);
static ngx_http_upstream_srv_conf_t *ngx_http_aiobs_otel_upstream(
    ngx_http_request_t *r);


void
ngx_http_aiobs_count_otel_http(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_counts_t *counts)
{
    ngx_uint_t                     ssl;
    ngx_http_aiobs_counts_http_t  *http;

    http = ngx_http_aiobs_counts_http(counts, r->method,
                                      ngx_http_aiobs_status(r));
    ssl = 0;

#if (NGX_HTTP_SSL)
    ssl = (r->connection->ssl != NULL);
#endif

    if (http->otel == NULL || http->version != r->http_version
        || http->ssl != ssl)
    {
        http->otel = NULL;
        http->version = r->http_version;
        http->ssl = ssl;

        ngx_http_aiobs_otel_http_new(r, ctx, http);
        return;
    }

    ngx_http_aiobs_metrics_count(http->otel,
                                 (uint64_t) ngx_http_aiobs_elapsed(r) * 1000);
}


static void
ngx_http_aiobs_otel_http_new(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_counts_http_t *http)
{
    u_char     status[NGX_INT_T_LEN];
    ngx_str_t  labels[6];

    if (r->main->method == NGX_HTTP_UNKNOWN) {
        ngx_str_set(&labels[0], "_OTHER");

    } else {
        labels[0] = *ngx_http_aiobs_method(r);
    }

    ngx_http_aiobs_counts_str(&labels[1], http->ssl ? "https" : "http");

    labels[2].data = status;
    labels[2].len = ngx_sprintf(status, "%03ui", http->status) - status;
    labels[3] = ctx->location->handler;

    ngx_http_aiobs_counts_str(&labels[4], ngx_http_aiobs_version(r));

    ngx_str_null(&labels[5]);

    if (http->status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        labels[5] = labels[2];
    }

    ngx_http_aiobs_metrics_find_at(&http->otel,
                                  NGX_HTTP_AIOBS_OTEL_HTTP_DURATION, labels,
                                  (uint64_t) ngx_http_aiobs_elapsed(r) * 1000);
}


const char *
ngx_http_aiobs_version(ngx_http_request_t *r)
{
    u_char  *p;

    switch (r->http_version) {

    case NGX_HTTP_VERSION_20:
        return "2";

    case NGX_HTTP_VERSION_11:
        return "1.1";

    case NGX_HTTP_VERSION_10:
        return "1.0";

    case NGX_HTTP_VERSION_9:
        break;

    default:                            /* nginx takes any HTTP/1.N */
        return r->http_version < NGX_HTTP_VERSION_20 ? "1.1" : "3";
    }

    /* so says post_action as well: "HTTP/1.1" is what the client has said */

    if (r->http_protocol.len < sizeof("HTTP/1.1") - 1) {
        return "0.9";
    }

    p = r->http_protocol.data + sizeof("HTTP/") - 1;

    return *p == '2' ? "2" : *p == '3' ? "3" : p[2] == '0' ? "1.0" : "1.1";
}


void
ngx_http_aiobs_count_otel_call(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_counts_otel_t *otel)
{
    void                          *server;
    ngx_http_aiobs_otel_call_t     call;
    ngx_http_aiobs_counts_otel_t   none;

    call.request = r;
    call.ctx = ctx;
    call.ready = 0;

    if (otel == NULL) {
        ngx_memzero(&none, sizeof(ngx_http_aiobs_counts_otel_t));
        otel = &none;
    }

    server = ngx_http_aiobs_otel_upstream(r);

    if (otel->server != server) {
        ngx_memzero(otel, sizeof(ngx_http_aiobs_counts_otel_t));
        otel->server = server;
    }

    if (ctx->answer.input != AIOBS_ABSENT) {
        ngx_http_aiobs_otel_observe(&call, &otel->tokens[0],
                                    NGX_HTTP_AIOBS_OTEL_TOKEN_USAGE, "input",
                                    ctx->answer.input);
    }

    if (ctx->answer.output != AIOBS_ABSENT) {
        ngx_http_aiobs_otel_observe(&call, &otel->tokens[1],
                                    NGX_HTTP_AIOBS_OTEL_TOKEN_USAGE, "output",
                                    ctx->answer.output);
    }

    if (!ctx->fetched) {                    /* else it was counted before */
        ngx_http_aiobs_otel_latency(&call, otel);
    }
}


static void
ngx_http_aiobs_otel_latency(ngx_http_aiobs_otel_call_t *call,
    ngx_http_aiobs_counts_otel_t *otel)
{
    int64_t                   us;
    ngx_msec_int_t            ms;
    ngx_http_aiobs_ctx_t     *ctx;
    ngx_http_aiobs_handle_t   failed;

    ctx = call->ctx;
    failed = NULL;

    ngx_http_aiobs_otel_observe(call, ctx->error_type[0] ? &failed
                                                         : &otel->duration,
                                NGX_HTTP_AIOBS_OTEL_CALL_DURATION,
                                ctx->error_type,
                                (uint64_t) ngx_http_aiobs_elapsed(call->request)
                                * 1000);

    if (ctx->error_type[0]) {
        return;                             /* the others are of successes */
    }

    ms = ngx_http_aiobs_ttft(ctx);

    if (ms >= 0) {
        ngx_http_aiobs_otel_observe(call, &otel->ttft,
                                    NGX_HTTP_AIOBS_OTEL_TTFT, "",
                                    (uint64_t) ms * 1000);
    }

    us = ngx_http_aiobs_time_per_token(ctx);

    if (us >= 0) {
        ngx_http_aiobs_otel_observe(call, &otel->tpot,
                                    NGX_HTTP_AIOBS_OTEL_TPOT, "", us);
    }
}


static void
ngx_http_aiobs_otel_observe(ngx_http_aiobs_otel_call_t *call,
    ngx_http_aiobs_handle_t *handle, ngx_http_aiobs_family_e family,
    const char *last, uint64_t value)
{
    if (*handle) {
        ngx_http_aiobs_metrics_count(*handle, value);
        return;
    }

    ngx_http_aiobs_otel_labels(call);
    ngx_http_aiobs_counts_str(&call->labels[NGX_HTTP_AIOBS_OTEL_LAST], last);
    ngx_http_aiobs_metrics_find_at(handle, family, call->labels, value);
}


static void
ngx_http_aiobs_otel_labels(ngx_http_aiobs_otel_call_t *call)
{
    if (call->ready) {
        return;
    }

    call->ready = 1;

    ngx_http_aiobs_counts_str(&call->labels[NGX_HTTP_AIOBS_OTEL_OPERATION],
                              aiobs_api_operation(call->ctx->api));
    ngx_http_aiobs_counts_str(&call->labels[NGX_HTTP_AIOBS_OTEL_PROVIDER],
                              aiobs_api_provider_otel(call->ctx->api));
    ngx_http_aiobs_otel_models(call->ctx, call->labels);
    ngx_http_aiobs_otel_server(call->request, call->labels, call->port);
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

    uscf = ngx_http_aiobs_otel_upstream(r);

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


static ngx_http_upstream_srv_conf_t *
ngx_http_aiobs_otel_upstream(ngx_http_request_t *r)
{
    if (r->upstream == NULL || r->upstream->conf == NULL) {
        return NULL;
    }

    return r->upstream->conf->upstream;
}
