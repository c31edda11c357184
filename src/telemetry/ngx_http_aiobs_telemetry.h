
/*
 * Copyright (C) the aiobs authors
 *
 * The telemetry room: what leaves the process.
 */


#ifndef _NGX_HTTP_AIOBS_TELEMETRY_H_INCLUDED_
#define _NGX_HTTP_AIOBS_TELEMETRY_H_INCLUDED_


#include "../request/ngx_http_aiobs_request.h"


#define NGX_HTTP_AIOBS_LINE_MAX  4096   /* bytes of a log line, with LF */

/* room for one: names of members are copied by a fixed length */
#define NGX_HTTP_AIOBS_LINE_ROOM                                              \
    (NGX_HTTP_AIOBS_LINE_MAX + NGX_HTTP_AIOBS_FIELD_TEXT)


/* --- ngx_http_aiobs_json.c --- */

/*
 * s as a JSON string, quoted, in at most max bytes; what does not fit is cut
 * between characters, what is no UTF-8 becomes U+FFFD.  Returns the end.
 */
u_char *ngx_http_aiobs_json_string(u_char *p, size_t max, ngx_str_t *s);

/*
 * The figures of a record as an object that is not closed yet; behind last
 * there is room for NGX_HTTP_AIOBS_FIELD_TEXT bytes more.  Returns the end.
 */
u_char *ngx_http_aiobs_json_record(u_char *p, u_char *last,
    ngx_http_aiobs_values_t *values);

/* as 1970-01-01T00:00:00.000000Z: now, or then */
u_char *ngx_http_aiobs_utc(u_char *p);
u_char *ngx_http_aiobs_utc_at(u_char *p, struct timeval *tv);


/* --- ngx_http_aiobs_recorder.c --- */

/* a finished request is kept in the ring */
void ngx_http_aiobs_record(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_requests.c --- */

/* content handler of "aiobs_requests": GET and HEAD */
ngx_int_t ngx_http_aiobs_requests_handler(ngx_http_request_t *r);


/* --- ngx_http_aiobs_log.c --- */

/* writes the line of a finished request to every log of its location */
void ngx_http_aiobs_log_write(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_otlp_conf.c --- */

#define NGX_HTTP_AIOBS_OTLP_COMMANDS                                          \
                                                                              \
    { ngx_string("aiobs_otlp"),                                               \
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,                      \
      ngx_http_aiobs_otlp_directive,                                          \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      0,                                                                      \
      NULL },

char *ngx_http_aiobs_otlp_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* --- ngx_http_aiobs_spans.c --- */

/* queues the spans of a finished request, if it is sampled */
void ngx_http_aiobs_spans(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_sentry_conf.c --- */

#define NGX_HTTP_AIOBS_SENTRY_COMMANDS                                        \
                                                                              \
    { ngx_string("aiobs_sentry"),                                             \
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,                      \
      ngx_http_aiobs_sentry_directive,                                        \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      0,                                                                      \
      NULL },

char *ngx_http_aiobs_sentry_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* --- ngx_http_aiobs_sentry_event.c --- */

/* queues an event if the request failed, a transaction if it is sampled */
void ngx_http_aiobs_sentry(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_sentry_context.c --- */

/*
 * With aiobs_sentry: how the trace is sampled, as members of baggage for the
 * upstream; NGX_ERROR: no memory
 */
ngx_int_t ngx_http_aiobs_sentry_told(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_str_t *members);

/* whether the client's baggage names another organisation of Sentry's */
ngx_uint_t ngx_http_aiobs_sentry_foreign(ngx_http_request_t *r);

/* whether that says how the trace is sampled that goes on here */
ngx_uint_t ngx_http_aiobs_sentry_said(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_sentry_transaction.c --- */

/*
 * With aiobs_sentry: whether a request of that trace becomes a transaction, '1'
 * or '0'; '\0': none does, and that is not decided here.
 */
u_char ngx_http_aiobs_sentry_flag(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


#endif /* _NGX_HTTP_AIOBS_TELEMETRY_H_INCLUDED_ */
