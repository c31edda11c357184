
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
static void ngx_http_aiobs_span_link(ngx_http_aiobs_spans_t *s);
static void ngx_http_aiobs_span_id(u_char *id, u_char *hex, size_t len);
static void ngx_http_aiobs_span_hex(aiobs_pb_t *pb, int field, u_char *hex,
    size_t len);
static void ngx_http_aiobs_span_value(aiobs_pb_t *pb,
    const aiobs_pb_key_t *key, ngx_http_aiobs_value_t *v);


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


/*
 * Link { trace_id = 1, span_id = 2, trace_state = 3, flags = 6 }: of a client
 * that is not followed, and is elsewhere
 */

static void
ngx_http_aiobs_span_link(ngx_http_aiobs_spans_t *s)
{
    u_char                  *mark;
    ngx_http_aiobs_trace_t   client;

    if (!ngx_http_aiobs_trace_of_client(s->ctx, &client)) {
        return;
    }

    mark = aiobs_pb_begin(&s->pb, NGX_HTTP_AIOBS_SPAN_LINK);
    ngx_http_aiobs_span_hex(&s->pb, 1, client.trace_id,
                            sizeof(client.trace_id));
    ngx_http_aiobs_span_hex(&s->pb, 2, client.parent_id,
                            sizeof(client.parent_id));

    if (client.state.len) {
        aiobs_pb_text(&s->pb, 3, client.state.data, client.state.len);
    }

    aiobs_pb_fixed32(&s->pb, 6, client.sampled | client.random << 1
                                | NGX_HTTP_AIOBS_SPAN_REMOTE);
    aiobs_pb_end(&s->pb, mark);
}


u_char *
ngx_http_aiobs_span_begin(ngx_http_aiobs_spans_t *s, ngx_uint_t kind,
    u_char *span_id, u_char *parent, ngx_str_t *name, uint64_t start,
    uint64_t end)
{
    u_char                  *mark, id[NGX_HTTP_AIOBS_SPAN_ID_LEN];
    aiobs_pb_t              *pb;
    ngx_http_aiobs_trace_t  *t;

    pb = &s->pb;
    t = &s->ctx->trace;

    if (span_id == NULL) {
        ngx_http_aiobs_random_hex(id, sizeof(id));
        span_id = id;
    }

    mark = aiobs_pb_begin(pb, 2);       /* ScopeSpans { spans = 2 } */

    aiobs_pb_bytes(pb, NGX_HTTP_AIOBS_SPAN_TRACE_ID, s->trace_id,
                   sizeof(s->trace_id));
    ngx_http_aiobs_span_hex(pb, NGX_HTTP_AIOBS_SPAN_SPAN_ID, span_id,
                            NGX_HTTP_AIOBS_SPAN_ID_LEN);

    if (t->state.len) {
        aiobs_pb_text(pb, NGX_HTTP_AIOBS_SPAN_STATE, t->state.data,
                      t->state.len);
    }

    if (parent) {
        ngx_http_aiobs_span_hex(pb, NGX_HTTP_AIOBS_SPAN_PARENT_ID, parent,
                                NGX_HTTP_AIOBS_SPAN_ID_LEN);
    }

    aiobs_pb_text(pb, NGX_HTTP_AIOBS_SPAN_NAME, name->data, name->len);
    aiobs_pb_varint(pb, NGX_HTTP_AIOBS_SPAN_KIND, kind);
    aiobs_pb_fixed64(pb, NGX_HTTP_AIOBS_SPAN_START, start);
    aiobs_pb_fixed64(pb, NGX_HTTP_AIOBS_SPAN_END, end);

    aiobs_pb_fixed32(pb, NGX_HTTP_AIOBS_SPAN_FLAGS,
                     t->sampled | t->random << 1
                     | (kind == NGX_HTTP_AIOBS_KIND_SERVER && parent
                        ? NGX_HTTP_AIOBS_SPAN_REMOTE
                        : NGX_HTTP_AIOBS_SPAN_LOCAL));

    return mark;
}


/* one that does not fit is left out whole */

void
ngx_http_aiobs_span_end(ngx_http_aiobs_spans_t *s, u_char *mark)
{
    if (s->pb.full) {

        if (mark) {
            s->pb.pos = mark - 4;       /* its tag and length */
        }

        return;
    }

    aiobs_pb_end(&s->pb, mark);
    s->n++;
}


uint64_t
ngx_http_aiobs_span_time(ngx_http_aiobs_spans_t *s, ngx_msec_t ms)
{
    if ((ngx_msec_int_t) (ms - s->start) < 0) {
        ms = s->start;
    }

    if ((ngx_msec_int_t) (s->end - ms) < 0) {
        ms = s->end;
    }

    return (uint64_t) (s->offset + (int64_t) ms) * 1000000;
}


/* hex: lower-case digits, len of them; a pair of digits is a byte */

static void
ngx_http_aiobs_span_id(u_char *id, u_char *hex, size_t len)
{
    size_t    i;
    uint32_t  half;
    uint64_t  n;

    for (i = 0; i < len; i += 8) {
        ngx_memcpy(&n, hex + i, 8);

#if !(NGX_HAVE_LITTLE_ENDIAN)
        n = __builtin_bswap64(n);
#endif

        /* digits, pairs of them, and those moved together */

        n = (n & 0x0f0f0f0f0f0f0f0f) + 9 * (n >> 6 & 0x0101010101010101);
        n = (n << 4 | n >> 8) & 0x00ff00ff00ff00ff;
        n = (n | n >> 8) & 0x0000ffff0000ffff;
        half = (uint32_t) (n | n >> 16);

#if !(NGX_HAVE_LITTLE_ENDIAN)
        half = __builtin_bswap32(half);
#endif

        ngx_memcpy(id + i / 2, &half, 4);
    }
}


static void
ngx_http_aiobs_span_hex(aiobs_pb_t *pb, int field, u_char *hex, size_t len)
{
    u_char  id[NGX_HTTP_AIOBS_TRACE_ID_LEN / 2];

    ngx_http_aiobs_span_id(id, hex, len);
    aiobs_pb_bytes(pb, field, id, len / 2);
}


void
ngx_http_aiobs_span_record(ngx_http_aiobs_spans_t *s,
    const ngx_http_aiobs_attribute_t *table)
{
    ngx_http_aiobs_value_t  *v;

    v = ngx_http_aiobs_values(s->request, s->ctx)->v;

    for ( /* void */ ; table->field != NGX_HTTP_AIOBS_FIELDS; table++) {
        ngx_http_aiobs_span_value(&s->pb, &table->key, &v[table->field]);
    }
}


static void
ngx_http_aiobs_span_value(aiobs_pb_t *pb, const aiobs_pb_key_t *key,
    ngx_http_aiobs_value_t *v)
{
    switch (v->type) {

    case NGX_HTTP_AIOBS_VALUE_STRING:
        aiobs_pb_key_text(pb, NGX_HTTP_AIOBS_SPAN_ATTRIBUTE, key, v->str.data,
                          v->str.len);
        break;

    case NGX_HTTP_AIOBS_VALUE_INTEGER:
        aiobs_pb_key_int(pb, NGX_HTTP_AIOBS_SPAN_ATTRIBUTE, key, v->n);
        break;

    case NGX_HTTP_AIOBS_VALUE_SECONDS:
        aiobs_pb_key_double(pb, NGX_HTTP_AIOBS_SPAN_ATTRIBUTE, key,
                            (double) v->n / 1000000);
        break;

    case NGX_HTTP_AIOBS_VALUE_USD:
        aiobs_pb_key_double(pb, NGX_HTTP_AIOBS_SPAN_ATTRIBUTE, key,
                            (double) v->n / 1000000000);
        break;

    case NGX_HTTP_AIOBS_VALUE_BOOLEAN:

        /* that a request is streaming is said if it is, and only then */

        if (v->n) {
            aiobs_pb_key_bool(pb, NGX_HTTP_AIOBS_SPAN_ATTRIBUTE, key, 1);
        }

        break;

    default:
        break;
    }
}


/* Status { code = 3 }: STATUS_CODE_ERROR = 2 */

void
ngx_http_aiobs_span_error(ngx_http_aiobs_spans_t *s, const char *type)
{
    u_char  *mark;

    ngx_http_aiobs_span_text(s, "error.type", type, ngx_strlen(type));

    mark = aiobs_pb_begin(&s->pb, NGX_HTTP_AIOBS_SPAN_STATUS);
    aiobs_pb_varint(&s->pb, 3, 2);
    aiobs_pb_end(&s->pb, mark);
}


void
ngx_http_aiobs_span_broken(ngx_http_aiobs_spans_t *s)
{
    if (ngx_http_aiobs_broke_off(s->request, s->ctx)) {
        ngx_http_aiobs_span_error(s, "upstream_reset");
    }
}
