
/*
 * Copyright (C) the aiobs authors
 *
 * Events and transactions to Sentry, as envelopes,
 * https://develop.sentry.dev/sdk/foundations/transport/envelopes/
 */


#ifndef _NGX_HTTP_AIOBS_SENTRY_H_INCLUDED_
#define _NGX_HTTP_AIOBS_SENTRY_H_INCLUDED_


#include "ngx_http_aiobs_telemetry.h"
#include "ngx_http_aiobs_export.h"


#define NGX_HTTP_AIOBS_SENTRY_ID_LEN      32    /* hex digits of event ids */
#define NGX_HTTP_AIOBS_SENTRY_LABELS_MAX  8
#define NGX_HTTP_AIOBS_SENTRY_NAME        512   /* bytes of a transaction's */
#define NGX_HTTP_AIOBS_SENTRY_CLIENT      "aiobs.nginx/0.1.0"

/* bytes of an event or transaction: all its members at their longest */
#define NGX_HTTP_AIOBS_SENTRY_SIZE        65536


/*
 * Kinds of items, and Sentry's categories of data.  Spans are no items of
 * their own: a transaction has one of itself and those of its tries, whose
 * number its item keeps above the kind.
 */

typedef enum {
    NGX_HTTP_AIOBS_SENTRY_ERROR = 0,
    NGX_HTTP_AIOBS_SENTRY_TRANSACTION,
    NGX_HTTP_AIOBS_SENTRY_KINDS,
    NGX_HTTP_AIOBS_SENTRY_SPAN = NGX_HTTP_AIOBS_SENTRY_KINDS,
    NGX_HTTP_AIOBS_SENTRY_CATEGORIES
} ngx_http_aiobs_sentry_kind_e;


#define ngx_http_aiobs_sentry_item_kind(kind, tries)  ((kind) | (tries) << 8)
#define ngx_http_aiobs_sentry_kind(item_kind)         ((item_kind) & 0x7f)
#define ngx_http_aiobs_sentry_tries(item_kind)        ((item_kind) >> 8)


/* flag of an item: an SDK before us in the trace has said how it samples */

#define NGX_HTTP_AIOBS_SENTRY_FROZEN  0x80


/* why something is discarded, as client reports name it */

typedef enum {
    NGX_HTTP_AIOBS_SENTRY_SAMPLE_RATE = 0,
    NGX_HTTP_AIOBS_SENTRY_RATELIMIT,
    NGX_HTTP_AIOBS_SENTRY_QUEUE,
    NGX_HTTP_AIOBS_SENTRY_NETWORK,
    NGX_HTTP_AIOBS_SENTRY_SEND,
    NGX_HTTP_AIOBS_SENTRY_INTERNAL,
    NGX_HTTP_AIOBS_SENTRY_REASONS
} ngx_http_aiobs_sentry_reason_e;


/*
 * What the event loop and the thread of the sender share, by atomics: until
 * when which kind is not to be sent (seconds of Unix time), and what was
 * discarded since the last report.
 */

typedef struct {
    ngx_atomic_t                  until[NGX_HTTP_AIOBS_SENTRY_KINDS];
    ngx_atomic_t                  lost[NGX_HTTP_AIOBS_SENTRY_REASONS]
                                      [NGX_HTTP_AIOBS_SENTRY_CATEGORIES];

    /* the thread's own: what the request under way reports */
    ngx_uint_t                    told[NGX_HTTP_AIOBS_SENTRY_REASONS]
                                      [NGX_HTTP_AIOBS_SENTRY_CATEGORIES];
} ngx_http_aiobs_sentry_state_t;


struct ngx_http_aiobs_sentry_s {
    ngx_http_aiobs_exporter_t       *exporter;

    ngx_str_t                        dsn;
    ngx_str_t                        environment;
    ngx_str_t                        release;
    ngx_str_t                        server_name;
    uint64_t                         sample_rate;   /* of ..._TRACE_ALL */
    uint64_t                         traces_sample_rate;
    ngx_flag_t                       pii;
    ngx_str_t                        labels[NGX_HTTP_AIOBS_SENTRY_LABELS_MAX];
    ngx_uint_t                       nlabels;
    ngx_str_t                        ca;
    ngx_msec_t                       timeout;
    ngx_http_aiobs_export_limits_t   limits;

    /* made of these */
    ngx_str_t                        url;
    ngx_str_t                        target;        /* for the log */
    ngx_str_t                        public_key;
    ngx_str_t                        org_id;        /* digits, or empty */
    ngx_str_t                        context;       /* of sampling, JSON */
    ngx_str_t                        baggage;       /* the same for SDKs */
    const char                      *headers[5];    /* gzip's first */
    unsigned                         gzip:1;        /* what pays */

    /* of the worker */
    ngx_http_aiobs_sentry_state_t   *state;
};


/* JSON that is written, within bounds */

typedef struct {
    u_char                          *p;
    u_char                          *last;
    ngx_str_t                        name;      /* of the transaction, JSON;
                                                   see also ..._frozen() */
    unsigned                         full:1;
} ngx_http_aiobs_sentry_out_t;


/* --- ngx_http_aiobs_sentry_conf.c --- */

/* at configuration, once all directives are read */
char *ngx_http_aiobs_sentry_init(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf);


/* --- ngx_http_aiobs_sentry_dsn.c --- */

/* at configuration: what is made of sentry->dsn; it is never shown */
char *ngx_http_aiobs_sentry_dsn(ngx_conf_t *cf,
    ngx_http_aiobs_sentry_t *sentry);


/* --- ngx_http_aiobs_sentry.c --- */

/* of this worker, or NULL */
extern ngx_http_aiobs_sentry_t  *ngx_http_aiobs_sentry_worker;

extern const ngx_http_aiobs_exporter_type_t  ngx_http_aiobs_sentry_type;

/*
 * Queues a payload that is whole; id: of the event, trace: hex; lot: see
 * ngx_http_aiobs_trace_lot().  Here and below item is
 * ngx_http_aiobs_sentry_item_kind() of what is sent.
 */
void ngx_http_aiobs_sentry_push(ngx_http_aiobs_sentry_t *sentry,
    ngx_uint_t item, u_char *id, u_char *trace, u_char *lot, u_char *payload,
    ngx_http_aiobs_sentry_out_t *out);


/* --- ngx_http_aiobs_sentry_lost.c --- */

/* whether that kind may be sent now; if not, it is counted */
ngx_uint_t ngx_http_aiobs_sentry_open(ngx_http_aiobs_sentry_t *sentry,
    ngx_uint_t item);

/* n of that kind are reported as lost, with their spans */
void ngx_http_aiobs_sentry_discard(ngx_http_aiobs_sentry_t *sentry,
    ngx_uint_t item, ngx_http_aiobs_sentry_reason_e reason, ngx_uint_t n);

/* what was discarded since the last one, as an item of its own; its end */
u_char *ngx_http_aiobs_sentry_report(ngx_http_aiobs_sentry_state_t *state,
    u_char *p);

/* of the exporter's type: what an answer means, and what is given up */
void ngx_http_aiobs_sentry_judge(void *conf, ngx_http_aiobs_batch_t *batch,
    const aiobs_http_answer_t *answer,
    ngx_http_aiobs_export_verdict_t *verdict);
void ngx_http_aiobs_sentry_dropped(void *conf, ngx_uint_t kind, ngx_uint_t n,
    const char *reason);


/* --- ngx_http_aiobs_sentry_json.c --- */

void ngx_http_aiobs_sentry_put(ngx_http_aiobs_sentry_out_t *out,
    const char *fmt, ...);

/* a string, quoted; cut at max bytes of JSON */
void ngx_http_aiobs_sentry_string(ngx_http_aiobs_sentry_out_t *out,
    ngx_str_t *s, size_t max);

/* ,"name":"value"; nothing for an empty value */
void ngx_http_aiobs_sentry_member(ngx_http_aiobs_sentry_out_t *out,
    const char *name, ngx_str_t *value);

/* the same of a figure; nothing for one that is not there */
void ngx_http_aiobs_sentry_value(ngx_http_aiobs_sentry_out_t *out,
    const char *name, ngx_http_aiobs_value_t *v);

/* what events and transactions begin with; no "}" at the end */
void ngx_http_aiobs_sentry_begin(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, u_char *id);

/* whether a tag of that name is there anyway */
ngx_uint_t ngx_http_aiobs_sentry_tag(ngx_str_t *name);

/* ,"request":{...},"user":{...},"tags":{...} */
void ngx_http_aiobs_sentry_request(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_sentry_context.c --- */

/* at configuration: what of it is the same for every trace */
char *ngx_http_aiobs_sentry_context(ngx_conf_t *cf,
    ngx_http_aiobs_sentry_t *sentry);

/*
 * In the thread: members of "trace" in an envelope's header; lot: see
 * ngx_http_aiobs_trace_lot().  Returns the end.
 */
u_char *ngx_http_aiobs_sentry_sampling(ngx_http_aiobs_sentry_t *sentry,
    u_char *lot, u_char *p);

/*
 * NGX_HTTP_AIOBS_SENTRY_FROZEN, if the client's baggage or his decision, where
 * he is trusted, says so, or 0.  What a trusted client's baggage says becomes
 * out->name, as members of an object.
 */
ngx_uint_t ngx_http_aiobs_sentry_frozen(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_sentry_headers.c --- */

/* "name":"value" of the client's header lines, separated by commas */
void ngx_http_aiobs_sentry_header_lines(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* whether it is one of the names, or, with part, has one of them inside */
ngx_uint_t ngx_http_aiobs_sentry_listed(ngx_str_t *name,
    const char *const *names, ngx_uint_t part);


/* --- ngx_http_aiobs_sentry_event.c, ngx_http_aiobs_sentry_transaction.c --- */

void ngx_http_aiobs_sentry_event(ngx_http_aiobs_sentry_t *sentry,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);
void ngx_http_aiobs_sentry_transaction(ngx_http_aiobs_sentry_t *sentry,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);

/* "POST /v1/": what requests are told apart by, without what clients make up */
void ngx_http_aiobs_sentry_title(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, u_char buf[NGX_HTTP_AIOBS_SENTRY_NAME],
    ngx_str_t *name);
void ngx_http_aiobs_sentry_name(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);

/* Sentry's word for how it ended: a status, and for a whole request */
const char *ngx_http_aiobs_sentry_status(ngx_uint_t status);
const char *ngx_http_aiobs_sentry_ending(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


#endif /* _NGX_HTTP_AIOBS_SENTRY_H_INCLUDED_ */
