
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the spans: what its files share while one request is told.
 */


#ifndef _NGX_HTTP_AIOBS_SPANS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_SPANS_H_INCLUDED_


#include "ngx_http_aiobs_otlp.h"
#include "aiobs_protobuf.h"


/* fields of opentelemetry.proto.trace.v1.Span */

#define NGX_HTTP_AIOBS_SPAN_TRACE_ID    1
#define NGX_HTTP_AIOBS_SPAN_SPAN_ID     2
#define NGX_HTTP_AIOBS_SPAN_STATE       3
#define NGX_HTTP_AIOBS_SPAN_PARENT_ID   4
#define NGX_HTTP_AIOBS_SPAN_NAME        5
#define NGX_HTTP_AIOBS_SPAN_KIND        6
#define NGX_HTTP_AIOBS_SPAN_START       7
#define NGX_HTTP_AIOBS_SPAN_END         8
#define NGX_HTTP_AIOBS_SPAN_ATTRIBUTE   9
#define NGX_HTTP_AIOBS_SPAN_EVENT      11
#define NGX_HTTP_AIOBS_SPAN_LINK       13
#define NGX_HTTP_AIOBS_SPAN_STATUS     15
#define NGX_HTTP_AIOBS_SPAN_FLAGS      16

/* flags beside those of W3C: whether the parent is remote is known, and is */

#define NGX_HTTP_AIOBS_SPAN_LOCAL       0x100
#define NGX_HTTP_AIOBS_SPAN_REMOTE      0x300

#define NGX_HTTP_AIOBS_KIND_INTERNAL    1
#define NGX_HTTP_AIOBS_KIND_SERVER      2
#define NGX_HTTP_AIOBS_KIND_CLIENT      3

#define NGX_HTTP_AIOBS_TRIES_MAX       16       /* of one request */
#define NGX_HTTP_AIOBS_STEPS_MAX       32       /* of Server-Timing */


/* one try of an upstream server; times: ngx_current_msec */

typedef struct {
    ngx_http_upstream_state_t   *state;
    ngx_msec_t                   start;
    ngx_msec_t                   end;
    ngx_uint_t                   number;        /* from 0 */
    unsigned                     last:1;        /* the one that counts */
    unsigned                     here:1;        /* of r->upstream */
} ngx_http_aiobs_try_t;


typedef struct {
    ngx_http_request_t          *request;
    ngx_http_aiobs_ctx_t        *ctx;
    aiobs_pb_t                   pb;
    ngx_uint_t                   n;             /* spans written */
    u_char                       trace_id[NGX_HTTP_AIOBS_TRACE_ID_LEN / 2];

    int64_t                      offset;        /* ms to Unix time */
    ngx_msec_t                   start;         /* of the request */
    ngx_msec_t                   end;

    ngx_uint_t                   ntries;
    ngx_http_aiobs_try_t         tries[NGX_HTTP_AIOBS_TRIES_MAX];
} ngx_http_aiobs_spans_t;


/* a record's figure and the attribute that it becomes */

typedef struct {
    ngx_http_aiobs_field_e          field;
    aiobs_pb_key_t                  key;
} ngx_http_aiobs_attribute_t;


/* attributes whose keys are literals */

#define ngx_http_aiobs_span_put(type, s, literal, ...)                        \
    do {                                                                      \
        static const aiobs_pb_key_t  key = aiobs_pb_key(literal);             \
                                                                              \
        aiobs_pb_key_##type(&(s)->pb, NGX_HTTP_AIOBS_SPAN_ATTRIBUTE, &key,    \
                            __VA_ARGS__);                                     \
    } while (0)

#define ngx_http_aiobs_span_text(s, literal, data, len)                       \
    ngx_http_aiobs_span_put(text, s, literal, data, len)

#define ngx_http_aiobs_span_int(s, literal, n)                                \
    ngx_http_aiobs_span_put(int, s, literal, n)

#define ngx_http_aiobs_span_seconds(s, literal, ms)                           \
    ngx_http_aiobs_span_put(double, s, literal, (double) (ms) / 1000)


/* --- ngx_http_aiobs_spans.c --- */

/* the times of a finished request and its tries */
void ngx_http_aiobs_spans_begin(ngx_http_aiobs_spans_t *s,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);

/*
 * Whether the conventions or nginx know the method, or, where it says which are
 * known, the environment.  QUERY is one that nginx does not know.
 */
ngx_uint_t ngx_http_aiobs_span_method_known(ngx_http_request_t *r);

/* http.request.method, and what it was if that is not known */
void ngx_http_aiobs_span_method(ngx_http_aiobs_spans_t *s);

/*
 * STATUS_CODE_ERROR, with error.type, if the upstream's answer broke off,
 * which no client has done.
 */
void ngx_http_aiobs_span_broken(ngx_http_aiobs_spans_t *s);


/* --- ngx_http_aiobs_spans_write.c --- */

/*
 * Begins a span, up to its times; span_id: hex, NULL: a new one; parent: hex,
 * NULL: none.  Between begin and end its attributes are written.
 */
u_char *ngx_http_aiobs_span_begin(ngx_http_aiobs_spans_t *s,
    ngx_uint_t kind, u_char *span_id, u_char *parent, ngx_str_t *name,
    uint64_t start, uint64_t end);
void ngx_http_aiobs_span_end(ngx_http_aiobs_spans_t *s, u_char *mark);

/* nanoseconds of Unix time, within those of the request */
uint64_t ngx_http_aiobs_span_time(ngx_http_aiobs_spans_t *s, ngx_msec_t ms);

/* hex: lower-case digits, len of them; a pair of digits is a byte of id */
void ngx_http_aiobs_span_id(u_char *id, u_char *hex, size_t len);

/* as many of the table as are there; NGX_HTTP_AIOBS_FIELDS ends it */
void ngx_http_aiobs_span_record(ngx_http_aiobs_spans_t *s,
    const ngx_http_aiobs_attribute_t *table);

/* the trace of a client that is not followed, and is elsewhere */
void ngx_http_aiobs_span_link(ngx_http_aiobs_spans_t *s);

/* STATUS_CODE_ERROR, with error.type */
void ngx_http_aiobs_span_error(ngx_http_aiobs_spans_t *s, const char *type);


/* --- ngx_http_aiobs_spans_client.c --- */

void ngx_http_aiobs_span_tries(ngx_http_aiobs_spans_t *s);

/* whether it was behind a redirect that has made the request a GET */
ngx_uint_t ngx_http_aiobs_try_get(ngx_http_aiobs_spans_t *s,
    ngx_http_aiobs_try_t *t);

/* whether the last try is told as a call of a model */
ngx_uint_t ngx_http_aiobs_span_gen_ai(ngx_http_aiobs_spans_t *s);

/* milliseconds of the last try until a stream's first content; -1: none */
ngx_msec_int_t ngx_http_aiobs_try_first(ngx_http_aiobs_spans_t *s,
    ngx_http_aiobs_try_t *t);

/* a span for every try, the steps of the last one below it */
void ngx_http_aiobs_span_clients(ngx_http_aiobs_spans_t *s);


/* --- ngx_http_aiobs_spans_peer.c --- */

/* url.scheme and server.*, as the client has asked for them */
void ngx_http_aiobs_span_address(ngx_http_aiobs_spans_t *s);

/* leaves the address alone, an IPv6 one without its brackets; 0: no port */
ngx_int_t ngx_http_aiobs_span_peer_port(ngx_str_t *peer);

/* network.peer.*, server.* and url.full of a try */
void ngx_http_aiobs_span_peer(ngx_http_aiobs_spans_t *s,
    ngx_http_aiobs_try_t *t);


/* --- ngx_http_aiobs_spans_steps.c --- */

/* what the upstream says in Server-Timing, below span parent (hex) */
void ngx_http_aiobs_span_steps(ngx_http_aiobs_spans_t *s,
    ngx_http_aiobs_try_t *t, u_char *parent);


#endif /* _NGX_HTTP_AIOBS_SPANS_H_INCLUDED_ */
