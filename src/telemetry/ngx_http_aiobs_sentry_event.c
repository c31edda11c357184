
/*
 * Copyright (C) the aiobs authors
 *
 * An event for what failed: how, of which kind it is, what the tries of the
 * upstream were, and the trace it belongs to,
 * https://develop.sentry.dev/sdk/foundations/data-model/event-payloads/
 */


#include "ngx_http_aiobs_sentry.h"
#include "aiobs_protobuf.h"
#include "ngx_http_aiobs_spans.h"


#define NGX_HTTP_AIOBS_SENTRY_FAULTS  8     /* components that are told apart */
#define NGX_HTTP_AIOBS_SENTRY_QUIET   60    /* seconds, of one of them */


static ngx_uint_t ngx_http_aiobs_sentry_wanted(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_sentry_problem(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_sentry_breadcrumbs(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_sentry_contexts(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);
static ngx_uint_t ngx_http_aiobs_sentry_fault_due(const char *component);


void
ngx_http_aiobs_sentry(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (amcf->sentry == NULL || ctx->location->metrics
        || ctx->location->recorder.handler)
    {
        return;
    }

    if (ngx_http_aiobs_sentry_wanted(r, ctx)) {
        ngx_http_aiobs_sentry_event(amcf->sentry, r, ctx);
    }

    if (amcf->sentry->traces_sample_rate) {
        ngx_http_aiobs_sentry_transaction(amcf->sentry, r, ctx);
    }
}


/* whatever is an error in the log, unless it is the client who left */

static ngx_uint_t
ngx_http_aiobs_sentry_wanted(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    return ngx_http_aiobs_status(r) >= NGX_HTTP_INTERNAL_SERVER_ERROR
           || (ngx_http_aiobs_failed_late(r, ctx)
               && ngx_strcmp(ctx->error_type, "client_abort") != 0);
}


void
ngx_http_aiobs_sentry_event(ngx_http_aiobs_sentry_t *sentry,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    u_char                       id[NGX_HTTP_AIOBS_SENTRY_ID_LEN], now[32];
    uint64_t                     n;
    ngx_uint_t                   item;
    ngx_http_aiobs_sentry_out_t  out;

    static u_char                buf[NGX_HTTP_AIOBS_SENTRY_SIZE];

    ngx_http_aiobs_random((u_char *) &n, sizeof(uint64_t));

    if (n % NGX_HTTP_AIOBS_TRACE_ALL >= sentry->sample_rate) {
        ngx_http_aiobs_sentry_discard(sentry, NGX_HTTP_AIOBS_SENTRY_ERROR,
                                      NGX_HTTP_AIOBS_SENTRY_SAMPLE_RATE, 1);
        return;
    }

    if (!ngx_http_aiobs_sentry_open(sentry, NGX_HTTP_AIOBS_SENTRY_ERROR)) {
        return;
    }

    ngx_http_aiobs_random_hex(id, sizeof(id));
    *ngx_http_aiobs_utc(now) = '\0';

    out.p = buf;
    out.last = buf + sizeof(buf);
    out.full = 0;

    ngx_http_aiobs_sentry_begin(&out, sentry, id);
    ngx_http_aiobs_sentry_put(&out, ",\"timestamp\":\"%s\",\"level\":\"error\""
                                    ",\"transaction\":", now);
    ngx_http_aiobs_sentry_name(&out, r, ctx);

    ngx_http_aiobs_sentry_problem(&out, r, ctx);
    ngx_http_aiobs_sentry_request(&out, sentry, r, ctx);
    ngx_http_aiobs_sentry_breadcrumbs(&out, r, ctx);
    ngx_http_aiobs_sentry_contexts(&out, r, ctx);
    ngx_http_aiobs_sentry_put(&out, "}");

    item = NGX_HTTP_AIOBS_SENTRY_ERROR
           | ngx_http_aiobs_sentry_frozen(&out, sentry, r, ctx);

    ngx_http_aiobs_sentry_push(sentry, item, id, ctx->trace.trace_id,
                               ngx_http_aiobs_trace_lot(ctx), buf, &out);
}


/*
 * Message, exception and fingerprint, made of the endpoint, the kind of error
 * and the provider: nothing that is another one in every request.
 */

static void
ngx_http_aiobs_sentry_problem(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    u_char                   buf[512], code[16];
    ngx_str_t                message, type, *endpoint;
    const char              *provider;
    ngx_http_aiobs_value_t   v;

    endpoint = &ctx->location->endpoint;

    ngx_http_aiobs_field_value(r, ctx, "provider", &v);
    provider = v.str.len ? aiobs_api_provider(ctx->api) : "";

    ngx_http_aiobs_field_value(r, ctx, "error_type", &v);
    type = v.str;

    if (type.len == 0) {
        type.data = code;
        type.len = ngx_sprintf(code, "http_%ui", ngx_http_aiobs_status(r))
                   - code;
    }

    message.data = buf;
    message.len = ngx_snprintf(buf, sizeof(buf), "%V: %V%s%s, answered %ui",
                               endpoint, &type, provider[0] ? " of " : "",
                               provider, ngx_http_aiobs_status(r)) - buf;

    ngx_http_aiobs_sentry_put(out, ",\"logentry\":{\"message\":");
    ngx_http_aiobs_sentry_string(out, &message, 512);
    ngx_http_aiobs_sentry_put(out, "},\"exception\":{\"values\":[{\"type\":");
    ngx_http_aiobs_sentry_string(out, &type, 128);
    ngx_http_aiobs_sentry_put(out, ",\"value\":");
    ngx_http_aiobs_sentry_string(out, &message, 512);
    ngx_http_aiobs_sentry_put(out, ",\"mechanism\":{\"type\":\"nginx\","
                                   "\"handled\":true}}]},\"fingerprint\":"
                                   "[\"aiobs\",");
    ngx_http_aiobs_sentry_string(out, endpoint, 256);
    ngx_http_aiobs_sentry_put(out, ",");
    ngx_http_aiobs_sentry_string(out, &type, 128);
    ngx_http_aiobs_sentry_put(out, ",\"%s\"]", provider);
}


static void
ngx_http_aiobs_sentry_breadcrumbs(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    uint64_t                    ms;
    ngx_uint_t                  i;
    ngx_http_aiobs_try_t       *t;
    ngx_http_aiobs_spans_t      s;
    ngx_http_upstream_state_t  *state;

    ngx_http_aiobs_spans_begin(&s, r, ctx);

    ngx_http_aiobs_sentry_put(out, ",\"breadcrumbs\":{\"values\":[");

    for (i = 0; i < s.ntries; i++) {
        t = &s.tries[i];
        state = t->state;
        ms = ngx_http_aiobs_span_time(&s, t->end) / 1000000;

        ngx_http_aiobs_sentry_put(out, "%s{\"timestamp\":%uL.%03uL,\"type\":"
                                       "\"http\",\"category\":\"upstream\","
                                       "\"level\":\"%s\",\"message\":"
                                       "\"try %ui\",\"data\":{\"server\":",
                                  i ? "," : "", ms / 1000, ms % 1000,
                                  state->status >= 500 || state->status == 0
                                  ? "error" : "info", t->number + 1);
        ngx_http_aiobs_sentry_string(out, state->peer, 256);

        if (state->status) {
            ngx_http_aiobs_sentry_put(out, ",\"status_code\":%ui",
                                      state->status);
        }

        ngx_http_aiobs_sentry_put(out, ",\"answered\":%s,\"duration\":"
                                       "%M.%03M}}",
                                  state->header_time != (ngx_msec_t) -1
                                  ? "true" : "false",
                                  (t->end - t->start) / 1000,
                                  (t->end - t->start) % 1000);
    }

    ngx_http_aiobs_sentry_put(out, "]}");
}


static void
ngx_http_aiobs_sentry_contexts(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t                     i;
    ngx_http_aiobs_trace_t        *t;
    ngx_http_aiobs_value_t         v;

    static const char  *fields[] = {
        "attempts", "upstream_status", "upstream_duration", "request_bytes",
        "response_bytes", "stream", "input_tokens", "output_tokens", "ttft",
        "finish_reason", "provider_request_id", "response_id", "usage_source"
    };

    t = ngx_http_aiobs_trace(ctx);

    ngx_http_aiobs_sentry_put(out, ",\"contexts\":{\"trace\":{\"trace_id\":"
                                   "\"%*s\",\"span_id\":\"%*s\"",
                              sizeof(t->trace_id), t->trace_id,
                              sizeof(t->span_id), t->span_id);

    if (t->has_parent) {
        ngx_http_aiobs_sentry_put(out, ",\"parent_span_id\":\"%*s\"",
                                  sizeof(t->parent_id), t->parent_id);
    }

    ngx_http_aiobs_sentry_put(out, ",\"op\":\"http.server\",\"status\":\"%s\"}"
                                   ",\"response\":{\"status_code\":%ui},"
                                   "\"aiobs\":{\"duration\":%M.%03M",
                              ngx_http_aiobs_sentry_ending(r, ctx),
                              ngx_http_aiobs_status(r),
                              ngx_http_aiobs_elapsed(r) / 1000,
                              ngx_http_aiobs_elapsed(r) % 1000);

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        ngx_http_aiobs_field_value(r, ctx, fields[i], &v);
        ngx_http_aiobs_sentry_value(out, fields[i], &v);
    }

    ngx_http_aiobs_sentry_put(out, "}}");
}


/* trouble of our own, of no request */

void
ngx_http_aiobs_sentry_fault(const char *component, const char *message)
{
    u_char                       id[NGX_HTTP_AIOBS_SENTRY_ID_LEN], now[32];
    u_char                       buf[4096];
    ngx_str_t                    text;
    ngx_http_aiobs_sentry_t     *sentry;
    ngx_http_aiobs_sentry_out_t  out;

    sentry = ngx_http_aiobs_sentry_worker;

    if (sentry == NULL || ngx_exiting || ngx_terminate || ngx_quit
        || !ngx_http_aiobs_sentry_fault_due(component)
        || !ngx_http_aiobs_sentry_open(sentry, NGX_HTTP_AIOBS_SENTRY_ERROR))
    {
        return;
    }

    ngx_http_aiobs_random_hex(id, sizeof(id));
    *ngx_http_aiobs_utc(now) = '\0';

    out.p = buf;
    out.last = buf + sizeof(buf);
    out.full = 0;
    ngx_str_null(&out.name);

    text.data = (u_char *) message;
    text.len = ngx_strlen(message);

    ngx_http_aiobs_sentry_begin(&out, sentry, id);
    ngx_http_aiobs_sentry_put(&out, ",\"timestamp\":\"%s\",\"level\":\"error\""
                                    ",\"logentry\":{\"message\":", now);
    ngx_http_aiobs_sentry_string(&out, &text, 512);
    ngx_http_aiobs_sentry_put(&out, "},\"fingerprint\":[\"aiobs\",\"fault\","
                                    "\"%s\"],\"tags\":{\"component\":\"%s\"}}",
                              component, component);

    /* of no trace: an id that no other has */

    ngx_http_aiobs_sentry_push(sentry, NGX_HTTP_AIOBS_SENTRY_ERROR, id, id, id,
                               buf, &out);
}


static ngx_uint_t
ngx_http_aiobs_sentry_fault_due(const char *component)
{
    ngx_uint_t  i;

    static struct {
        const char  *component;
        time_t       told;
    } faults[NGX_HTTP_AIOBS_SENTRY_FAULTS];

    for (i = 0; i < NGX_HTTP_AIOBS_SENTRY_FAULTS; i++) {

        if (faults[i].component == NULL
            || ngx_strcmp(faults[i].component, component) == 0)
        {
            if (faults[i].component
                && ngx_time() - faults[i].told < NGX_HTTP_AIOBS_SENTRY_QUIET)
            {
                return 0;
            }

            faults[i].component = component;
            faults[i].told = ngx_time();

            return 1;
        }
    }

    return 0;
}
