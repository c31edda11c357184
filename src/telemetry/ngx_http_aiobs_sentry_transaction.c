
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
static void ngx_http_aiobs_sentry_server(ngx_http_aiobs_sentry_out_t *out,
    ngx_str_t *peer);
static void ngx_http_aiobs_sentry_call(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_spans_t *s, ngx_http_aiobs_try_t *t);


/* figures of a call of a model */

static const struct {
    ngx_http_aiobs_field_e   field;
    const char              *name;
} ngx_http_aiobs_sentry_data[] = {
    { NGX_HTTP_AIOBS_F_OPERATION, "gen_ai.operation.name" },
    { NGX_HTTP_AIOBS_F_REQUEST_MODEL, "gen_ai.request.model" },
    { NGX_HTTP_AIOBS_F_MODEL, "gen_ai.response.model" },
    { NGX_HTTP_AIOBS_F_ID, "gen_ai.response.id" },
    { NGX_HTTP_AIOBS_F_FINISH, "gen_ai.response.finish_reasons" },
    { NGX_HTTP_AIOBS_F_STREAM, "gen_ai.response.streaming" },
    { NGX_HTTP_AIOBS_F_SESSION, "gen_ai.conversation.id" },
    { NGX_HTTP_AIOBS_F_INPUT, "gen_ai.usage.input_tokens" },
    { NGX_HTTP_AIOBS_F_CACHE_READ, "gen_ai.usage.cache_read.input_tokens" },
    { NGX_HTTP_AIOBS_F_CACHE_WRITE,
      "gen_ai.usage.cache_creation.input_tokens" },
    { NGX_HTTP_AIOBS_F_OUTPUT, "gen_ai.usage.output_tokens" },
    { NGX_HTTP_AIOBS_F_REASONING, "gen_ai.usage.reasoning.output_tokens" },
    { NGX_HTTP_AIOBS_FIELDS, NULL }
};


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

    item |= ngx_http_aiobs_sentry_frozen(&out, sentry, r, ctx);

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

    if (t->last && ngx_http_aiobs_span_gen_ai(s)) {
        ngx_http_aiobs_sentry_call(out, s, t);

    } else {
        ngx_http_aiobs_sentry_put(out, ",\"op\":\"http.client\","
                                       "\"description\":");
        ngx_http_aiobs_sentry_string(out, ngx_http_aiobs_try_get(s, t) ? &get
                                     : ngx_http_aiobs_method(s->request), 64);
        ngx_http_aiobs_sentry_put(out, ",\"data\":{\"try\":%ui",
                                  t->number + 1);
    }

    ngx_http_aiobs_sentry_server(out, t->state->peer);

    if (t->state->status) {
        ngx_http_aiobs_sentry_put(out, ",\"http.response.status_code\":%ui",
                                  t->state->status);
    }

    ngx_http_aiobs_sentry_put(out, "}}");
}


/* as the conventions have it: without the port, which stands beside it */

static void
ngx_http_aiobs_sentry_server(ngx_http_aiobs_sentry_out_t *out, ngx_str_t *peer)
{
    ngx_int_t  port;
    ngx_str_t  address;

    port = 0;
    address = *peer;

    if (address.len >= 5 && ngx_strncmp(address.data, "unix:", 5) == 0) {
        address.data += 5;
        address.len -= 5;

    } else {
        port = ngx_http_aiobs_span_peer_port(&address);
    }

    ngx_http_aiobs_sentry_member(out, "server.address", &address);

    if (port > 0) {
        ngx_http_aiobs_sentry_put(out, ",\"server.port\":%i", port);
    }
}


/*
 * Up to the members of "data", named as
 * https://github.com/getsentry/sentry-conventions has them: without the
 * provider's name Sentry shows no call, and without the parts of the tokens
 * that have prices of their own it reckons a wrong cost.
 */

static void
ngx_http_aiobs_sentry_call(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_spans_t *s, ngx_http_aiobs_try_t *t)
{
    u_char                   buf[256];
    ngx_str_t                text, *operation;
    ngx_uint_t               i;
    ngx_msec_int_t           ms;
    ngx_http_aiobs_value_t  *v;

    v = ngx_http_aiobs_values(s->request, s->ctx)->v;
    operation = &v[NGX_HTTP_AIOBS_F_OPERATION].str;

    text.data = buf;
    text.len = ngx_snprintf(buf, sizeof(buf), "%V %V", operation,
                            &v[NGX_HTTP_AIOBS_F_REQUEST_MODEL].str)
               - buf;

    ngx_http_aiobs_sentry_put(out, ",\"op\":\"gen_ai.%V\",\"description\":",
                              operation);
    ngx_http_aiobs_sentry_string(out, &text, 512);

    text.data = (u_char *) aiobs_api_provider_otel(s->ctx->api);
    text.len = ngx_strlen(text.data);

    ngx_http_aiobs_sentry_put(out, ",\"data\":{\"try\":%ui", t->number + 1);
    ngx_http_aiobs_sentry_member(out, "gen_ai.provider.name", &text);

    for (i = 0; ngx_http_aiobs_sentry_data[i].name; i++) {
        ngx_http_aiobs_sentry_value(out, ngx_http_aiobs_sentry_data[i].name,
                                    &v[ngx_http_aiobs_sentry_data[i].field]);
    }

    ms = ngx_http_aiobs_try_first(s, t);

    if (ms >= 0) {
        ngx_http_aiobs_sentry_put(out, ",\"gen_ai.response."
                                       "time_to_first_chunk\":%M.%03M",
                                  (ngx_msec_t) ms / 1000,
                                  (ngx_msec_t) ms % 1000);
    }
}


void
ngx_http_aiobs_sentry_name(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    u_char     buf[NGX_HTTP_AIOBS_SENTRY_NAME];
    ngx_str_t  name;

    ngx_http_aiobs_sentry_title(r, ctx, buf, &name);

    out->name.data = out->p;
    ngx_http_aiobs_sentry_string(out, &name, 600);
    out->name.len = out->p - out->name.data;
}


/* of the configuration: no other one for every request */

void
ngx_http_aiobs_sentry_title(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    u_char buf[NGX_HTTP_AIOBS_SENTRY_NAME], ngx_str_t *name)
{
    ngx_str_t  *method;

    method = ngx_http_aiobs_method(r);

    name->data = buf;
    name->len = ngx_snprintf(buf, NGX_HTTP_AIOBS_SENTRY_NAME, "%V%s%V", method,
                             method->len ? " " : "", &ctx->location->handler)
                - buf;
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
