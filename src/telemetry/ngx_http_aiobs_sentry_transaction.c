
/*
 * Copyright (C) the aiobs authors
 *
 * A transaction of Sentry: the request, and a span for every try of the
 * upstream; sampled as a trusted client says, else by the trace id, so that all
 * services of a trace agree, unless a stranger chose it,
 * https://develop.sentry.dev/sdk/foundations/data-model/event-payloads/transaction/
 */


#include "ngx_http_aiobs_sentry.h"
#include "aiobs_protobuf.h"
#include "ngx_http_aiobs_spans.h"


static ngx_uint_t ngx_http_aiobs_sentry_sampled(
    ngx_http_aiobs_sentry_t *sentry, ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_sentry_root(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_spans_t *s);
static void ngx_http_aiobs_sentry_time(u_char text[40], uint64_t ns);
static void ngx_http_aiobs_sentry_span(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_spans_t *s, ngx_http_aiobs_try_t *t);
static void ngx_http_aiobs_sentry_call(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_spans_t *s);


u_char
ngx_http_aiobs_sentry_flag(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    uint64_t                     rate;
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);
    rate = amcf->sentry->traces_sample_rate;

    return rate == 0 ? '\0'
           : '0' + ngx_http_aiobs_trace_below(ngx_http_aiobs_trace_lot(ctx),
                                              rate);
}


void
ngx_http_aiobs_sentry_transaction(ngx_http_aiobs_sentry_t *sentry,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    u_char                       id[NGX_HTTP_AIOBS_SENTRY_ID_LEN];
    ngx_uint_t                   i, item;
    ngx_http_aiobs_spans_t       s;
    ngx_http_aiobs_sentry_out_t  out;
    ngx_http_upstream_state_t   *last;

    static u_char                buf[NGX_HTTP_AIOBS_SENTRY_SIZE];

    i = ngx_http_aiobs_attempts(r, &last);
    item = ngx_http_aiobs_sentry_item_kind(NGX_HTTP_AIOBS_SENTRY_TRANSACTION,
                                    ngx_min(i, NGX_HTTP_AIOBS_TRIES_MAX));

    if (!ngx_http_aiobs_sentry_sampled(sentry, ctx)) {
        ngx_http_aiobs_sentry_discard(sentry, item,
                                      NGX_HTTP_AIOBS_SENTRY_SAMPLE_RATE, 1);
        return;
    }

    if (!ngx_http_aiobs_sentry_open(sentry, item)) {
        return;
    }

    ngx_http_aiobs_spans_begin(&s, r, ctx);
    ngx_http_aiobs_random_hex(id, sizeof(id));

    out.p = buf;
    out.last = buf + sizeof(buf);
    out.full = 0;

    ngx_http_aiobs_sentry_begin(&out, sentry, id);
    ngx_http_aiobs_sentry_root(&out, &s);
    ngx_http_aiobs_sentry_request(&out, sentry, r, ctx);
    ngx_http_aiobs_sentry_put(&out, ",\"spans\":[");

    for (i = 0; i < s.ntries; i++) {
        ngx_http_aiobs_sentry_put(&out, i ? "," : "");
        ngx_http_aiobs_sentry_span(&out, &s, &s.tries[i]);
    }

    ngx_http_aiobs_sentry_put(&out, "]}");

    item |= ngx_http_aiobs_sentry_frozen(r, ctx);

    ngx_http_aiobs_sentry_push(sentry, item, id, ctx->trace.trace_id,
                               ngx_http_aiobs_trace_lot(ctx), buf, &out);
}


static ngx_uint_t
ngx_http_aiobs_sentry_sampled(ngx_http_aiobs_sentry_t *sentry,
    ngx_http_aiobs_ctx_t *ctx)
{
    u_char  flag;

    flag = ngx_http_aiobs_sentry_inherited(ctx);

    return flag ? flag == '1'
                : ngx_http_aiobs_trace_below(ngx_http_aiobs_trace_lot(ctx),
                                             sentry->traces_sample_rate);
}


static void
ngx_http_aiobs_sentry_root(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_spans_t *s)
{
    u_char                   start[40], end[40];
    ngx_http_aiobs_trace_t  *trace;

    trace = &s->ctx->trace;

    ngx_http_aiobs_sentry_time(start, ngx_http_aiobs_span_time(s, s->start));
    ngx_http_aiobs_sentry_time(end, ngx_http_aiobs_span_time(s, s->end));

    ngx_http_aiobs_sentry_put(out, ",\"type\":\"transaction\","
                                   "\"transaction\":");
    ngx_http_aiobs_sentry_name(out, s->request, s->ctx);
    ngx_http_aiobs_sentry_put(out, ",\"transaction_info\":{\"source\":"
                                   "\"route\"},\"start_timestamp\":\"%s\","
                                   "\"timestamp\":\"%s\",\"contexts\":"
                                   "{\"trace\":{\"trace_id\":\"%*s\","
                                   "\"span_id\":\"%*s\"",
                              start, end, sizeof(trace->trace_id),
                              trace->trace_id, sizeof(trace->span_id),
                              trace->span_id);

    if (trace->has_parent) {
        ngx_http_aiobs_sentry_put(out, ",\"parent_span_id\":\"%*s\"",
                                  sizeof(trace->parent_id), trace->parent_id);
    }

    ngx_http_aiobs_sentry_put(out, ",\"op\":\"http.server\",\"status\":\"%s\""
                                   ",\"origin\":\"auto.http.nginx\"}}",
                              ngx_http_aiobs_sentry_ending(s->request,
                                                           s->ctx));
}


static void
ngx_http_aiobs_sentry_time(u_char text[40], uint64_t ns)
{
    ngx_tm_t  tm;

    ngx_gmtime((time_t) (ns / 1000000000), &tm);

    ngx_sprintf(text, "%4d-%02d-%02dT%02d:%02d:%02d.%06uLZ%Z",
                tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                ns / 1000 % 1000000);
}


static void
ngx_http_aiobs_sentry_span(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_spans_t *s, ngx_http_aiobs_try_t *t)
{
    u_char                   id[NGX_HTTP_AIOBS_SPAN_ID_LEN];
    u_char                   start[40], end[40];
    ngx_http_aiobs_trace_t  *trace;

    static ngx_str_t         get = ngx_string("GET");

    trace = &s->ctx->trace;

    if (t->last && trace->traced) {
        ngx_memcpy(id, ngx_http_aiobs_trace_client(trace), sizeof(id));

    } else {
        ngx_http_aiobs_random_hex(id, sizeof(id));
    }

    ngx_http_aiobs_sentry_time(start, ngx_http_aiobs_span_time(s, t->start));
    ngx_http_aiobs_sentry_time(end, ngx_http_aiobs_span_time(s, t->end));

    ngx_http_aiobs_sentry_put(out, "{\"trace_id\":\"%*s\",\"span_id\":\"%*s\","
                                   "\"parent_span_id\":\"%*s\","
                                   "\"start_timestamp\":\"%s\","
                                   "\"timestamp\":\"%s\",\"status\":\"%s\","
                                   "\"origin\":\"auto.http.nginx\"",
                              sizeof(trace->trace_id), trace->trace_id,
                              sizeof(id), id, sizeof(trace->span_id),
                              trace->span_id, start, end,
                              t->last && t->state->status < NGX_HTTP_BAD_REQUEST
                              ? ngx_http_aiobs_sentry_ending(s->request, s->ctx)
                              : ngx_http_aiobs_sentry_status(t->state->status));

    if (t->last && s->ctx->called) {
        ngx_http_aiobs_sentry_call(out, s);

    } else {
        ngx_http_aiobs_sentry_put(out, ",\"op\":\"http.client\","
                                       "\"description\":");
        ngx_http_aiobs_sentry_string(out, ngx_http_aiobs_try_get(s, t) ? &get
                                     : ngx_http_aiobs_method(s->request), 64);
        ngx_http_aiobs_sentry_put(out, ",\"data\":{\"try\":%ui",
                                  t->number + 1);
    }

    ngx_http_aiobs_sentry_member(out, "server.address", t->state->peer);

    if (t->state->status) {
        ngx_http_aiobs_sentry_put(out, ",\"http.response.status_code\":%ui",
                                  t->state->status);
    }

    ngx_http_aiobs_sentry_put(out, "}}");
}


/* up to the members of "data" */

static void
ngx_http_aiobs_sentry_call(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_spans_t *s)
{
    u_char                  *p, buf[256];
    ngx_str_t                text;
    ngx_uint_t               i;
    ngx_http_aiobs_value_t   v, operation;

    static const char  *names[][2] = {
        { "operation", "gen_ai.operation.name" },
        { "provider", "gen_ai.system" },
        { "request_model", "gen_ai.request.model" },
        { "model", "gen_ai.response.model" },
        { "input_tokens", "gen_ai.usage.input_tokens" },
        { "output_tokens", "gen_ai.usage.output_tokens" },
        { NULL, NULL }
    };

    ngx_http_aiobs_field_value(s->request, s->ctx, "operation", &operation);
    ngx_http_aiobs_field_value(s->request, s->ctx, "request_model", &v);

    text.data = buf;
    text.len = ngx_snprintf(buf, sizeof(buf), "%V %V", &operation.str, &v.str)
               - buf;

    ngx_http_aiobs_sentry_put(out, ",\"op\":\"gen_ai.%V\",\"description\":",
                              &operation.str);
    ngx_http_aiobs_sentry_string(out, &text, 512);
    ngx_http_aiobs_sentry_put(out, ",\"data\":{\"try\":%ui",
                              s->tries[s->ntries - 1].number + 1);

    for (i = 0; names[i][0]; i++) {
        ngx_http_aiobs_field_value(s->request, s->ctx, names[i][0], &v);

        if (v.type == NGX_HTTP_AIOBS_VALUE_STRING) {
            ngx_http_aiobs_sentry_member(out, names[i][1], &v.str);

        } else if (v.type != NGX_HTTP_AIOBS_VALUE_ABSENT) {
            p = ngx_http_aiobs_value_number(buf, &v);
            ngx_http_aiobs_sentry_put(out, ",\"%s\":%*s", names[i][1],
                                      (size_t) (p - buf), buf);
        }
    }
}


void
ngx_http_aiobs_sentry_name(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    u_char     buf[512];
    ngx_str_t  name, *method;

    method = ngx_http_aiobs_method(r);

    name.data = buf;
    name.len = ngx_snprintf(buf, sizeof(buf), "%V%s%V", method,
                            method->len ? " " : "", &ctx->location->handler)
               - buf;

    out->name.data = out->p;
    ngx_http_aiobs_sentry_string(out, &name, 600);
    out->name.len = out->p - out->name.data;
}


/* a call may fail after its 200 */

const char *
ngx_http_aiobs_sentry_ending(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    if (!ngx_http_aiobs_failed_late(r, ctx)) {
        return ngx_http_aiobs_sentry_status(ngx_http_aiobs_status(r));
    }

    return ngx_strcmp(ctx->error_type, "client_abort") == 0 ? "cancelled"
           : ngx_strcmp(ctx->error_type, "timeout") == 0 ? "deadline_exceeded"
           : "internal_error";
}


const char *
ngx_http_aiobs_sentry_status(ngx_uint_t status)
{
    switch (status) {

    case NGX_HTTP_BAD_REQUEST:
        return "invalid_argument";

    case NGX_HTTP_UNAUTHORIZED:
        return "unauthenticated";

    case NGX_HTTP_FORBIDDEN:
        return "permission_denied";

    case NGX_HTTP_NOT_FOUND:
        return "not_found";

    case NGX_HTTP_TOO_MANY_REQUESTS:
        return "resource_exhausted";

    case NGX_HTTP_CLIENT_CLOSED_REQUEST:
        return "cancelled";

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        return "unavailable";

    case NGX_HTTP_GATEWAY_TIME_OUT:
        return "deadline_exceeded";

    default:
        return status >= NGX_HTTP_INTERNAL_SERVER_ERROR ? "internal_error"
               : status >= NGX_HTTP_BAD_REQUEST ? "invalid_argument"
               : status == 0 ? "unknown" : "ok";
    }
}
