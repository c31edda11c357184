
/*
 * Copyright (C) the aiobs authors
 *
 * The spans of a finished request: one for the request itself, and those of
 * its tries.  Attributes are named as OpenTelemetry's semantic conventions
 * have them, https://opentelemetry.io/docs/specs/semconv/http/http-spans/
 */


#include "ngx_http_aiobs_spans.h"


#define NGX_HTTP_AIOBS_SPANS_SIZE  (128 * 1024)     /* bytes of a request's */


static ngx_uint_t ngx_http_aiobs_spans_wanted(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_span_server(ngx_http_aiobs_spans_t *s);
static void ngx_http_aiobs_span_server_error(ngx_http_aiobs_spans_t *s);
static void ngx_http_aiobs_span_http(ngx_http_aiobs_spans_t *s);
static ngx_uint_t ngx_http_aiobs_span_route(ngx_http_aiobs_spans_t *s);


static const ngx_http_aiobs_attribute_t  ngx_http_aiobs_server_attributes[] = {
    { NGX_HTTP_AIOBS_F_PATH, aiobs_pb_key("url.path") },
    { NGX_HTTP_AIOBS_F_REQUEST_BYTES, aiobs_pb_key("http.request.size") },
    { NGX_HTTP_AIOBS_F_RESPONSE_BYTES, aiobs_pb_key("http.response.size") },
    { NGX_HTTP_AIOBS_F_CLIENT, aiobs_pb_key("client.address") },
    { NGX_HTTP_AIOBS_F_AGENT, aiobs_pb_key("user_agent.original") },
    { NGX_HTTP_AIOBS_F_USER, aiobs_pb_key("user.id") },
    { NGX_HTTP_AIOBS_F_END_USER, aiobs_pb_key("aiobs.end_user_id") },
    { NGX_HTTP_AIOBS_F_REQUEST_ID, aiobs_pb_key("aiobs.request_id") },
    { NGX_HTTP_AIOBS_F_ENDPOINT, aiobs_pb_key("aiobs.endpoint") },
    { NGX_HTTP_AIOBS_F_KEY_NAME, aiobs_pb_key("aiobs.key_name") },
    { NGX_HTTP_AIOBS_F_KEY_ID, aiobs_pb_key("aiobs.key_id") },
    { NGX_HTTP_AIOBS_F_SESSION, aiobs_pb_key("session.id") },
    { NGX_HTTP_AIOBS_F_CACHE, aiobs_pb_key("aiobs.cache_status") },
    { NGX_HTTP_AIOBS_F_RAG_SCORE, aiobs_pb_key("aiobs.rag_score") },
    { NGX_HTTP_AIOBS_FIELDS, aiobs_pb_key("") }
};


void
ngx_http_aiobs_spans(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    size_t                        len;
    ngx_http_aiobs_item_t        *item;
    ngx_http_aiobs_spans_t        s;
    ngx_http_aiobs_main_conf_t   *amcf;

    static u_char                 buf[NGX_HTTP_AIOBS_SPANS_SIZE];

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (amcf->otlp == NULL || !ngx_http_aiobs_spans_wanted(r, ctx)) {
        return;
    }

    ngx_http_aiobs_spans_begin(&s, r, ctx);

    if (!ctx->location->trace.server_timing
        && ngx_http_aiobs_export_full(amcf->otlp->exporter, 0, 1 + s.ntries))
    {
        return;
    }

    s.n = 0;
    s.pb.pos = buf;
    s.pb.end = buf + sizeof(buf);
    s.pb.full = 0;

    ngx_http_aiobs_span_id(s.trace_id, ctx->trace.trace_id,
                           NGX_HTTP_AIOBS_TRACE_ID_LEN);

    ngx_http_aiobs_span_server(&s);
    ngx_http_aiobs_span_clients(&s);

    len = s.pb.pos - buf;
    item = ngx_http_aiobs_export_item(amcf->otlp->exporter, 0, s.n, len);

    if (item) {
        ngx_memcpy(item->data, buf, len);
        ngx_http_aiobs_export_push(amcf->otlp->exporter, item);
    }
}


void
ngx_http_aiobs_spans_begin(ngx_http_aiobs_spans_t *s, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    s->request = r;
    s->ctx = ctx;
    s->offset = (int64_t) tp->sec * 1000 + tp->msec
                - (int64_t) ngx_current_msec;
    s->end = ngx_current_msec;
    s->start = s->end - ngx_http_aiobs_elapsed(r);

    ngx_http_aiobs_span_tries(s);
}


static ngx_uint_t
ngx_http_aiobs_spans_wanted(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    if (!ctx->trace.traced || ctx->location->metrics) {
        return 0;
    }

    return ctx->trace.sampled
           || (ctx->location->trace.error
               && (ngx_http_aiobs_status(r) >= NGX_HTTP_INTERNAL_SERVER_ERROR
                   || ((ctx->called || ctx->broken) && ctx->error_type[0])));
}


static void
ngx_http_aiobs_span_server(ngx_http_aiobs_spans_t *s)
{
    u_char                  *mark, *p;
    ngx_str_t                name;
    ngx_http_request_t      *r;
    ngx_http_aiobs_ctx_t    *ctx;
    ngx_http_aiobs_trace_t  *t;

    u_char                   buf[AIOBS_PB_TEXT_MAX];

    r = s->request;
    ctx = s->ctx;
    t = &ctx->trace;

    p = ngx_http_aiobs_span_method_known(r)
        ? ngx_cpymem(buf, r->method_name.data, ngx_min(r->method_name.len, 32))
        : ngx_cpymem(buf, "HTTP", 4);

    if (ngx_http_aiobs_span_route(s)) {
        *p++ = ' ';
        p = ngx_cpymem(p, ctx->location->handler.data,
                       ngx_min(ctx->location->handler.len, sizeof(buf) - 64));
    }

    name.data = buf;
    name.len = p - buf;

    mark = ngx_http_aiobs_span_begin(s, NGX_HTTP_AIOBS_KIND_SERVER, t->span_id,
                                     t->has_parent ? t->parent_id : NULL,
                                     &name,
                                     ngx_http_aiobs_span_time(s, s->start),
                                     ngx_http_aiobs_span_time(s, s->end));

    ngx_http_aiobs_span_http(s);
    ngx_http_aiobs_span_record(s, ngx_http_aiobs_server_attributes);

    if (t->linked) {
        ngx_http_aiobs_span_link(s);
    }

    ngx_http_aiobs_span_server_error(s);
    ngx_http_aiobs_span_end(s, mark);
}


/* a status below 500 is none, but an answer that did not arrive whole is */

static void
ngx_http_aiobs_span_server_error(ngx_http_aiobs_spans_t *s)
{
    u_char                 status[NGX_INT_T_LEN + 1];
    ngx_uint_t             code, left;
    ngx_http_aiobs_ctx_t  *ctx;

    ctx = s->ctx;
    code = ngx_http_aiobs_status(s->request);
    left = ngx_http_aiobs_client_left(s->request, ctx);

    if (code >= NGX_HTTP_INTERNAL_SERVER_ERROR
        || (!s->request->header_sent && !left))
    {
        ngx_sprintf(status, "%ui%Z", code);
        ngx_http_aiobs_span_error(s, (char *) status);

    } else if (left) {
        ngx_http_aiobs_span_error(s, "client_abort");

    } else if (!ctx->called) {
        ngx_http_aiobs_span_broken(s);

    } else if (code < NGX_HTTP_SPECIAL_RESPONSE && ctx->error_type[0]) {
        ngx_http_aiobs_span_error(s, ctx->error_type);
    }
}


ngx_uint_t
ngx_http_aiobs_span_method_known(ngx_http_request_t *r)
{
    ngx_str_t                   *method;
    ngx_uint_t                   i;
    ngx_array_t                 *methods;
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);
    methods = amcf->otlp->methods;

    if (methods) {
        method = methods->elts;

        for (i = 0; i < methods->nelts; i++) {
            if (r->method_name.len == method[i].len
                && ngx_memcmp(r->method_name.data, method[i].data,
                              method[i].len)
                   == 0)
            {
                return 1;
            }
        }

        return 0;
    }

    return r->method != NGX_HTTP_UNKNOWN
           || (r->method_name.len == 5
               && ngx_strncmp(r->method_name.data, "QUERY", 5) == 0);
}


void
ngx_http_aiobs_span_method(ngx_http_aiobs_spans_t *s)
{
    ngx_str_t  *name;

    name = &s->request->method_name;

    if (ngx_http_aiobs_span_method_known(s->request)) {
        ngx_http_aiobs_span_text(s, "http.request.method", name->data,
                                 name->len);
        return;
    }

    ngx_http_aiobs_span_text(s, "http.request.method", "_OTHER", 6);

    if (name->len) {
        ngx_http_aiobs_span_text(s, "http.request.method_original",
                                 name->data, name->len);
    }
}


static void
ngx_http_aiobs_span_http(ngx_http_aiobs_spans_t *s)
{
    ngx_str_t            *handler;
    const char           *version;
    ngx_http_request_t   *r;

    r = s->request;

    ngx_http_aiobs_span_method(s);

    if (ngx_http_aiobs_span_route(s)) {
        handler = &s->ctx->location->handler;
        ngx_http_aiobs_span_text(s, "http.route", handler->data, handler->len);
    }

    if (r->header_sent) {
        ngx_http_aiobs_span_int(s, "http.response.status_code",
                                ngx_http_aiobs_status(r));
    }

    version = ngx_http_aiobs_version(r);

    ngx_http_aiobs_span_text(s, "network.protocol.version", version,
                             ngx_strlen(version));

    ngx_http_aiobs_span_address(s);
}


/* whether it has got so far as to have a location */

static ngx_uint_t
ngx_http_aiobs_span_route(ngx_http_aiobs_spans_t *s)
{
    ngx_str_t  *handler;

    handler = &s->ctx->location->handler;

    return handler->len != 4 || ngx_strncmp(handler->data, "none", 4) != 0;
}


void
ngx_http_aiobs_span_broken(ngx_http_aiobs_spans_t *s)
{
    if (ngx_http_aiobs_broke_off(s->request, s->ctx)) {
        ngx_http_aiobs_span_error(s, "upstream_reset");
    }
}
