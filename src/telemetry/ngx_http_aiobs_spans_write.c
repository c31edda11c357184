
/*
 * Copyright (C) the aiobs authors
 *
 * One span as it is written, opentelemetry.proto.trace.v1.Span: its ids and
 * times, what a record says as attributes, a link and the status of an error.
 */


#include "ngx_http_aiobs_spans.h"


static void ngx_http_aiobs_span_hex(aiobs_pb_t *pb, int field, u_char *hex,
    size_t len);
static void ngx_http_aiobs_span_value(aiobs_pb_t *pb,
    const aiobs_pb_key_t *key, ngx_http_aiobs_value_t *v);


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


void
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


/* Link { trace_id = 1, span_id = 2, trace_state = 3, flags = 6 } */

void
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
