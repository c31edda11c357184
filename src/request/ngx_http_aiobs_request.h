
/*
 * Copyright (C) the aiobs authors
 *
 * The request room: one context per client request, from its first header
 * line to its log line.
 */


#ifndef _NGX_HTTP_AIOBS_REQUEST_H_INCLUDED_
#define _NGX_HTTP_AIOBS_REQUEST_H_INCLUDED_


#include "../ngx_http_aiobs.h"
#include "ngx_http_aiobs_context.h"
#include "ngx_http_aiobs_headers.h"


/* --- src/telemetry/ngx_http_aiobs_flight.c --- */

/* the recorder's table of requests under way */
void ngx_http_aiobs_flight_begin(ngx_http_aiobs_ctx_t *ctx);
void ngx_http_aiobs_flight_end(ngx_http_aiobs_ctx_t *ctx);

/* who calls, and for which model; answering: the answer has begun */
void ngx_http_aiobs_flight_update(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_uint_t answering);


/* --- ngx_http_aiobs_correlation.c --- */

/* request id and trace of a new context, from the client's headers */
void ngx_http_aiobs_correlate(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);

/* a request id of our own */
void ngx_http_aiobs_make_uuid(ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_correlation_upstream.c --- */

/* what the upstream gets; once per location */
ngx_int_t ngx_http_aiobs_prepare_headers(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_correlation_answer.c --- */

/*
 * What the upstream's headers say: its id of the request, and to usage, unless
 * it is NULL, what it wants to know.
 */
void ngx_http_aiobs_answered(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    aiobs_usage_t *usage);

/* takes the upstream's X-Request-ID out of a 103, which has none of ours */
void ngx_http_aiobs_early_hints(ngx_http_request_t *r);

/*
 * The same of the upstream's trailers, before they go: the header has told our
 * id, and the provider's where it was known.  One that is in them alone is kept
 * for the log.
 */
void ngx_http_aiobs_answer_trailers(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* X-Request-ID and X-Provider-Request-ID of the answer */
ngx_int_t ngx_http_aiobs_answer_headers(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_correlation_sentry.c --- */

/* takes the client's sentry-trace, if it is one, for his traceparent, if he
   has none */
void ngx_http_aiobs_sentry_parent(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/*
 * Our own sentry-trace, and the baggage that goes with it unless the client has
 * said that: two lines at most, or none without memory.  Where the client's is
 * of another trace, its members leave the baggage.
 */
ngx_uint_t ngx_http_aiobs_add_sentry_trace(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_header_t *add);

/*
 * What a client who is trusted has decided for his trace, which goes on here:
 * '1', '0', or '\0': nothing
 */
u_char ngx_http_aiobs_sentry_inherited(ngx_http_aiobs_ctx_t *ctx);

/* whether what the client's baggage says of the sampling is left as it is */
ngx_uint_t ngx_http_aiobs_sentry_kept(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* takes the members out again that we have put into the baggage */
void ngx_http_aiobs_sentry_untold(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

typedef void (*ngx_http_aiobs_sentry_member_pt)(void *data, ngx_str_t *name,
    ngx_str_t *value);

/*
 * How many members "sentry-..." the request's baggage has; handler: called for
 * each, name without that prefix
 */
ngx_uint_t ngx_http_aiobs_sentry_members(ngx_http_request_t *r,
    ngx_http_aiobs_sentry_member_pt handler, void *data);


/* --- ngx_http_aiobs_trace.c --- */

/* the trace context that the client has sent; 0: none that is valid */
ngx_uint_t ngx_http_aiobs_trace_of_client(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_trace_t *t);

/* what the client's trace is worth: ngx_http_aiobs_parent_e, never AUTO */
ngx_uint_t ngx_http_aiobs_trace_parent(ngx_http_aiobs_ctx_t *ctx);

/* the client's trace, or a new one */
void ngx_http_aiobs_trace_begin(ngx_http_aiobs_ctx_t *ctx);

/* the same, when somebody first asks for it: its ids, and whose they are */

static ngx_inline ngx_http_aiobs_trace_t *
ngx_http_aiobs_trace(ngx_http_aiobs_ctx_t *ctx)
{
    if (!ctx->trace.begun) {
        ngx_http_aiobs_trace_begin(ctx);
    }

    return &ctx->trace;
}


/*
 * Once the location is known, and who it is: whether the trace goes on here or
 * begins anew, and is sampled.  Only the first call counts.
 */
void ngx_http_aiobs_trace_decide_now(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

static ngx_inline void
ngx_http_aiobs_trace_decide(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    if (!ctx->trace.decided) {
        ngx_http_aiobs_trace_decide_now(r, ctx);
    }
}


/* the random digits that decide of sampling, NGX_HTTP_AIOBS_TRACE_LOT of them */
u_char *ngx_http_aiobs_trace_lot(ngx_http_aiobs_ctx_t *ctx);

/* whether they are below ratio, of ..._TRACE_ALL */
ngx_uint_t ngx_http_aiobs_trace_below(u_char *lot, uint64_t ratio);

/* the span id of the try that counts */
u_char *ngx_http_aiobs_trace_client(ngx_http_aiobs_trace_t *t);

/* the span id of what an upstream is told */

static ngx_inline u_char *
ngx_http_aiobs_trace_told(ngx_http_aiobs_trace_t *t)
{
    return t->traced ? ngx_http_aiobs_trace_client(t) : t->span_id;
}


/* what an upstream is told once it is decided; value: of t */
void ngx_http_aiobs_traceparent(ngx_http_aiobs_trace_t *t, ngx_str_t *value);

/* an id of 16 or 32 lower-case hex digits */
void ngx_http_aiobs_random_hex(u_char *p, size_t len);


/* --- ngx_http_aiobs_llm.c --- */

void ngx_http_aiobs_llm_arrive(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf);
void ngx_http_aiobs_llm_request_body(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_chain_t *in);
void ngx_http_aiobs_llm_exit_process(void);
void ngx_http_aiobs_llm_header(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
void ngx_http_aiobs_llm_body(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_chain_t *in);

/* the request's record: once the body has passed, or as far as it came */
aiobs_request_record_t *ngx_http_aiobs_llm_asked(ngx_http_aiobs_ctx_t *ctx);

/* a record in which nothing is known */
void ngx_http_aiobs_not_asked(aiobs_request_record_t *rec);


/* --- ngx_http_aiobs_end.c --- */

/* handler of the log phase; NGX_OK */
ngx_int_t ngx_http_aiobs_end(ngx_http_request_t *r);


/* --- ngx_http_aiobs_head.c --- */

/* what answers here, if it is the proxy module, will have its heads read */
void ngx_http_aiobs_head_expect(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_passing.c --- */

/* of an answer that is read; it sees to it that events come one by one */
void ngx_http_aiobs_passing_header(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* before a piece is passed on, unless ctx->passing is 0 */
void ngx_http_aiobs_passing_body(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_precontent.c --- */

/*
 * What needs the body: rules on models, reservations, asking for usage.  It is
 * read whole only for these; NGX_DONE: it is being read, or was answered.
 */
ngx_int_t ngx_http_aiobs_precontent(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_stream_usage.c --- */

/* whether the request is to ask for usage, and its body is needed for it */
ngx_uint_t ngx_http_aiobs_stream_reads(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* the body is there: it asks for usage, once */
void ngx_http_aiobs_stream_ask(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
void ngx_http_aiobs_stream_request(ngx_http_aiobs_ctx_t *ctx, u_char *p,
    size_t len);
void ngx_http_aiobs_stream_header(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* true: the answer goes through ngx_http_aiobs_stream_body() */
ngx_uint_t ngx_http_aiobs_stream_hiding(ngx_http_aiobs_ctx_t *ctx);
ngx_int_t ngx_http_aiobs_stream_body(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_chain_t *in,
    ngx_http_output_body_filter_pt next);


/* --- ngx_http_aiobs_background.c: answers that are fetched later --- */

/* an answer under way, by its id */
void ngx_http_aiobs_background_add(ngx_http_request_t *r, const char *id,
    size_t len);

/* whether it was under way, and is now taken for counted; once for each */
ngx_uint_t ngx_http_aiobs_background_take(ngx_http_request_t *r,
    const char *id, size_t len);


/* --- ngx_http_aiobs_answer.c --- */

/* the record of an answer that was read, of a path that tells its API: once */
void ngx_http_aiobs_answer_read(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* its last byte has come, and has not gone: an order is noted */
void ngx_http_aiobs_answer_whole(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* of any other path: it was a call if it is the answer of a model */
void ngx_http_aiobs_answer_recognise(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* of one that is fetched: whether it brings the figures of one ordered here */
ngx_uint_t ngx_http_aiobs_answer_fetch(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* a record in which nothing is known */
void ngx_http_aiobs_no_answer(aiobs_usage_record_t *rec);


/* --- ngx_http_aiobs_outcome.c --- */

/* log phase: how it ended; the record is complete afterwards */
void ngx_http_aiobs_finish(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);

/* HIT, MISS, ... as in $upstream_cache_status */
ngx_str_t *ngx_http_aiobs_cache_status(ngx_http_request_t *r);

/* whether the answer came from the cache: no provider was asked for it */
#if (NGX_HTTP_CACHE)
#define ngx_http_aiobs_cached(r)  ((r)->cached)
#else
#define ngx_http_aiobs_cached(r)  0
#endif

ngx_uint_t ngx_http_aiobs_status(ngx_http_request_t *r);
ngx_msec_t ngx_http_aiobs_elapsed(ngx_http_request_t *r);

/* whether the client has left, or stopped reading, before it had all of it */
ngx_uint_t ngx_http_aiobs_client_left(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* whether the upstream's answer had begun, and never came to its end */
ngx_uint_t ngx_http_aiobs_broke_off(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* whether an answer below 400 came to no good end: of a call in any way, else
 * because the upstream broke it off */
ngx_uint_t ngx_http_aiobs_failed_late(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* gives the last try the status of its answer where nginx has that of a 103 */
void ngx_http_aiobs_final_status(ngx_http_request_t *r);

/* tries of all upstreams of the request; last: the final one, or NULL */
ngx_uint_t ngx_http_aiobs_attempts(ngx_http_request_t *r,
    ngx_http_upstream_state_t **last);


/* time to first token, milliseconds; -1: no content was seen in a stream */
ngx_msec_int_t ngx_http_aiobs_ttft(ngx_http_aiobs_ctx_t *ctx);

/* (last - first) / (n - 1), microseconds; -1: unknown */
int64_t ngx_http_aiobs_time_per_token(ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_method.c --- */

ngx_str_t *ngx_http_aiobs_method(ngx_http_request_t *r);

/*
 * Log phase, of an internal request: r gets the method that the client has
 * said.  0: it has it; else its method and method_name are to be put back.
 */
ngx_uint_t ngx_http_aiobs_method_said(ngx_http_request_t *r);

/* whether nginx has made it a GET; name: what the client has said */
ngx_uint_t ngx_http_aiobs_method_lost(ngx_http_request_t *r, ngx_str_t *name);


/* --- ngx_http_aiobs_agent.c --- */

/* precontent: NGX_DECLINED: go on; else as of ngx_http_aiobs_refuse() */
ngx_int_t ngx_http_aiobs_agent_call(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* log phase, once the record is complete */
void ngx_http_aiobs_agent_finish(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_count.c --- */

/* a request is under way, from its location on; a call is, to an upstream */
void ngx_http_aiobs_count_request_up(ngx_http_aiobs_ctx_t *ctx);
void ngx_http_aiobs_count_call_up(ngx_http_aiobs_ctx_t *ctx);

/* of HTTP, as the client has said it: 0.9, 1.0, 1.1, 2 or 3 */
const char *ngx_http_aiobs_version(ngx_http_request_t *r);

/* a finished request is added to the metrics */
void ngx_http_aiobs_count(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);


#include "ngx_http_aiobs_admission.h"
#include "ngx_http_aiobs_values.h"


#endif /* _NGX_HTTP_AIOBS_REQUEST_H_INCLUDED_ */
