
/*
 * Copyright (C) the aiobs authors
 *
 * The context of a client request, and how it is found.
 */


#ifndef _NGX_HTTP_AIOBS_CONTEXT_H_INCLUDED_
#define _NGX_HTTP_AIOBS_CONTEXT_H_INCLUDED_


#include "../ngx_http_aiobs.h"


#define NGX_HTTP_AIOBS_REQUEST_ID_MAX   128
#define NGX_HTTP_AIOBS_UUID_LEN         36
#define NGX_HTTP_AIOBS_TRACE_ID_LEN     32
#define NGX_HTTP_AIOBS_SPAN_ID_LEN      16
#define NGX_HTTP_AIOBS_TRACEPARENT_LEN  55


/* ids, in lower-case hex: there once it has begun; the rest is cleared */

typedef struct {
    u_char                      trace_id[NGX_HTTP_AIOBS_TRACE_ID_LEN];
    u_char                      parent_id[NGX_HTTP_AIOBS_SPAN_ID_LEN];
    u_char                      span_id[NGX_HTTP_AIOBS_SPAN_ID_LEN];
    u_char                      header[NGX_HTTP_AIOBS_TRACEPARENT_LEN];

    u_char                      client_id[NGX_HTTP_AIOBS_SPAN_ID_LEN];
                                                /* see ..._trace_client() */
    ngx_str_t                   state;          /* tracestate, as it came */
    unsigned                    begun:1;
    unsigned                    sampled:1;
    unsigned                    random:1;       /* flag of the client's id */
    unsigned                    has_parent:1;
    unsigned                    undecided:1;    /* the parent said nothing */
    unsigned                    decided:1;
    unsigned                    traced:1;       /* spans may be recorded */
    unsigned                    linked:1;       /* to that of the client */
    unsigned                    drawn:1;        /* a lot; of whom: */
    unsigned                    own_lot:1;
} ngx_http_aiobs_trace_t;


typedef struct ngx_http_aiobs_stream_s  ngx_http_aiobs_stream_t;


/* why a request is refused: a row of the table in ngx_http_aiobs_refusal.c */

typedef enum {
    NGX_HTTP_AIOBS_REFUSED_NOT = 0,
    NGX_HTTP_AIOBS_REFUSED_KEY,             /* the verdict says more */
    NGX_HTTP_AIOBS_REFUSED_STORE,
    NGX_HTTP_AIOBS_REFUSED_ENDPOINT,
    NGX_HTTP_AIOBS_REFUSED_MODEL,
    NGX_HTTP_AIOBS_REFUSED_UNPRICED,
    NGX_HTTP_AIOBS_REFUSED_RPM,             /* from here on: over a limit */
    NGX_HTTP_AIOBS_REFUSED_TPM,
    NGX_HTTP_AIOBS_REFUSED_BUDGET,
    NGX_HTTP_AIOBS_REFUSED_PARALLEL,
    NGX_HTTP_AIOBS_REFUSED_SESSION,
    NGX_HTTP_AIOBS_REFUSED_N
} ngx_http_aiobs_refused_e;


/* how an answer passes, see ngx_http_aiobs_passing.c */

typedef enum {
    NGX_HTTP_AIOBS_PASSING = 0,             /* as nginx does it */
    NGX_HTTP_AIOBS_PASSING_BURST,           /* may be read in larger pieces */
    NGX_HTTP_AIOBS_PASSING_WIDE             /* may be written so */
} ngx_http_aiobs_passing_e;


/*
 * Survives redirects and error_page.  A worker keeps some of them for requests
 * to come, with the readers that they have.
 */

typedef struct ngx_http_aiobs_counts_call_s  ngx_http_aiobs_counts_call_t;
typedef struct ngx_http_aiobs_counts_otel_s  ngx_http_aiobs_counts_otel_t;
typedef struct ngx_http_aiobs_ctx_s  ngx_http_aiobs_ctx_t;

struct ngx_http_aiobs_ctx_s {
    ngx_http_aiobs_ctx_t       *next;           /* of those that are kept */
    void                       *readers[2];     /* of requests, of answers */

    ngx_http_request_t         *request;        /* the main request */
    ngx_http_log_handler_pt     log_handler;    /* nginx's own */
    ngx_msec_t                  start;          /* ngx_current_msec */

    ngx_str_t                   request_id;
    u_char                      uuid[NGX_HTTP_AIOBS_UUID_LEN];
    u_char                      client[NGX_SOCKADDR_STRLEN]; /* truncated */

    /* records in which nothing is known, but for those of readers */
    aiobs_request_record_t      asked;
    aiobs_usage_record_t        answer;

    ngx_http_aiobs_trace_t      trace;

    /* cleared, as is what of the trace is no id */

    ngx_str_t                   traceparent;    /* of the client */
    ngx_str_t                   tracestate;
    ngx_str_t                   sentry_trace;   /* with aiobs_sentry */
    ngx_http_aiobs_loc_conf_t  *location;       /* where the request arrived */
    ngx_http_aiobs_loc_conf_t  *prepared;       /* headers are made for it */
    ngx_uint_t                  plain;          /* lines of the request, all
                                                   none of ours; 0: unknown */
    u_char                     *plain_last;     /* name of the last of them */
    ngx_table_elt_t            *answer_id;      /* line to write ours over */
    ngx_http_aiobs_gauge_t      gauge;
    ngx_http_aiobs_gauge_t      llm_gauge;

    ngx_http_aiobs_identity_t  *identity;       /* NULL: nobody asked */
    ngx_str_t                   key;            /* raw, never to leave here */
    ngx_str_t                   user;           /* of aiobs_user */
    ngx_http_aiobs_pseudonym_t  pseudonym;      /* of the user */
    ngx_str_t                   end_user;       /* of a key that may act */
    ngx_http_aiobs_pseudonym_t  end_pseudonym;
    ngx_http_aiobs_call_t      *call;           /* NULL: no limits */

    ngx_http_handler_pt         content_handler;    /* see ..._head.c */
    ngx_int_t                 (*process_header)(ngx_http_request_t *r);
                                                /* the proxy module's */
    ngx_http_aiobs_loc_conf_t  *llm;            /* of the last LLM location */
    const aiobs_api_t          *api;
    aiobs_request_t            *reader;         /* of the request's body */
    aiobs_usage_t              *usage;          /* of the response's body */
    off_t                       rest;           /* of it to come, or < 0 */
    ngx_http_aiobs_stream_t    *stream;         /* of aiobs_stream_usage */
    ngx_str_t                   path_model;
    ngx_str_t                   provider_request_id;
    ngx_str_t                   label_model;    /* value of label "model" */
    ngx_http_aiobs_counts_call_t  *counted;     /* its series, when finished */
    ngx_http_aiobs_counts_otel_t  *counted_otel; /* NULL: not remembered */
    const char                 *error_type;
    const char                 *event;          /* of the log line, or NULL */
    ngx_str_t                   target_key_id;  /* the key it is about */
    ngx_http_aiobs_keys_call_t *keys_call;      /* to the keys API */
    int64_t                     cost;           /* nano-USD, AIOBS_ABSENT */
    ngx_http_aiobs_agent_t      agent;
    ngx_http_aiobs_login_t     *login;          /* NULL: none */
    ngx_http_aiobs_flight_t    *flight;         /* NULL: not in the recorder */

    unsigned                    refused:8;      /* ngx_http_aiobs_refused_e */
    unsigned                    undecided:1;    /* others may yet let it in */
    unsigned                    reading:1;      /* the body, before it goes */
    unsigned                    body_read:1;
    unsigned                    admitted:1;     /* what it asks for is allowed */
    unsigned                    admitted_call:1;    /* by a location of models */
    unsigned                    flight_more:1;  /* for want of room */
    unsigned                    validated:1;    /* the verdict stands */
    unsigned                    disagree:1;     /* keys; key is one of them */
    unsigned                    own_identity:1; /* X-User-ID there is ours */
    unsigned                    own_baggage:1;  /* so are its "sentry-..." */
    unsigned                    emptied:1;      /* a line of it, which goes */
    unsigned                    foreign:1;      /* sentry-trace of others */
    unsigned                    asked_done:1;
    unsigned                    upstream_header:1; /* the upstream answered */
    unsigned                    last_buf:1;
    unsigned                    late:1;         /* some, for who had left */
    unsigned                    answer_read:1;  /* its record is made */
    unsigned                    passing:2;      /* ngx_http_aiobs_passing_e */
    unsigned                    key_text:1;     /* the URI seems to have a key */
    unsigned                    called:1;       /* went to an LLM upstream */
    unsigned                    fetched:1;      /* a call made before */
    unsigned                    finished:1;     /* how it ended is known */
    unsigned                    complete:1;     /* so is the whole record */
    unsigned                    broken:1;       /* no call, but its answer broke off */
    unsigned                    unpriced:1;     /* no price for what was used */
    unsigned                    became_get:1;   /* it had another method */
    unsigned                    get_from:16;    /* states of upstreams until
                                                   then, + 1; 0: none had it */
};


/* --- ngx_http_aiobs_context.c --- */

/* as below, where it is not at hand */
ngx_http_aiobs_ctx_t *ngx_http_aiobs_find_ctx(ngx_http_request_t *r);
ngx_http_aiobs_ctx_t *ngx_http_aiobs_arrive(ngx_http_request_t *r);

/* made if there is none yet; NULL: no memory */
ngx_http_aiobs_ctx_t *ngx_http_aiobs_make_ctx(ngx_http_request_t *r);

/* those that this worker keeps */
void ngx_http_aiobs_forget_ctxs(void);


/*
 * The context of r's main request, NULL if there is none.  Found again after
 * an internal redirect, which forgets contexts.
 */

static ngx_inline ngx_http_aiobs_ctx_t *
ngx_http_aiobs_get_ctx(ngx_http_request_t *r)
{
    ngx_http_aiobs_ctx_t  *ctx;

    if (r->main->ctx == NULL) {
        return NULL;
    }

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_aiobs_module);

    return ctx ? ctx : ngx_http_aiobs_find_ctx(r->main);
}


/*
 * The same once the location is known, which fixes labels and "aiobs" for the
 * whole request; made if there is none yet; NULL where it is off.
 */

static ngx_inline ngx_http_aiobs_ctx_t *
ngx_http_aiobs_active_ctx(ngx_http_request_t *r)
{
    ngx_http_aiobs_ctx_t  *ctx;

    ctx = ngx_http_aiobs_get_ctx(r);

    if (ctx == NULL || ctx->location == NULL) {
        return ngx_http_aiobs_arrive(r);
    }

    return ctx->location->enable ? ctx : NULL;
}


#endif /* _NGX_HTTP_AIOBS_CONTEXT_H_INCLUDED_ */
