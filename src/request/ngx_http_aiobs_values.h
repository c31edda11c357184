
/*
 * Copyright (C) the aiobs authors
 *
 * The figures of a request: what log lines, variables, spans and the recorder
 * show.  Included by ngx_http_aiobs_request.h.
 */


#ifndef _NGX_HTTP_AIOBS_VALUES_H_INCLUDED_
#define _NGX_HTTP_AIOBS_VALUES_H_INCLUDED_


/* --- ngx_http_aiobs_fields.c --- */

typedef enum {
    NGX_HTTP_AIOBS_VALUE_ABSENT = 0,
    NGX_HTTP_AIOBS_VALUE_STRING,
    NGX_HTTP_AIOBS_VALUE_INTEGER,
    NGX_HTTP_AIOBS_VALUE_SECONDS,       /* n: millionths, also of scores */
    NGX_HTTP_AIOBS_VALUE_USD,           /* n: billionths */
    NGX_HTTP_AIOBS_VALUE_BOOLEAN
} ngx_http_aiobs_value_e;


/* str: of a string, of anything else n */

typedef struct {
    ngx_http_aiobs_value_e      type;
    union {
        int64_t                 n;
        ngx_str_t               str;
    };
} ngx_http_aiobs_value_t;


/* the figures of a record, in the order in which they are shown */

typedef enum {
    NGX_HTTP_AIOBS_F_LEVEL = 0, NGX_HTTP_AIOBS_F_EVENT,
    NGX_HTTP_AIOBS_F_SERVICE, NGX_HTTP_AIOBS_F_ENVIRONMENT,
    NGX_HTTP_AIOBS_F_REQUEST_ID, NGX_HTTP_AIOBS_F_TRACE_ID,
    NGX_HTTP_AIOBS_F_SPAN_ID, NGX_HTTP_AIOBS_F_USER,
    NGX_HTTP_AIOBS_F_END_USER, NGX_HTTP_AIOBS_F_KEY_NAME,
    NGX_HTTP_AIOBS_F_KEY_ID, NGX_HTTP_AIOBS_F_TARGET_KEY_ID,
    NGX_HTTP_AIOBS_F_METHOD, NGX_HTTP_AIOBS_F_PATH,
    NGX_HTTP_AIOBS_F_ENDPOINT, NGX_HTTP_AIOBS_F_STATUS,
    NGX_HTTP_AIOBS_F_DURATION, NGX_HTTP_AIOBS_F_CLIENT,
    NGX_HTTP_AIOBS_F_AGENT, NGX_HTTP_AIOBS_F_REQUEST_BYTES,
    NGX_HTTP_AIOBS_F_RESPONSE_BYTES, NGX_HTTP_AIOBS_F_UP_ADDR,
    NGX_HTTP_AIOBS_F_UP_STATUS, NGX_HTTP_AIOBS_F_UP_DURATION,
    NGX_HTTP_AIOBS_F_ATTEMPTS, NGX_HTTP_AIOBS_F_CACHE,
    NGX_HTTP_AIOBS_F_PROVIDER, NGX_HTTP_AIOBS_F_OPERATION,
    NGX_HTTP_AIOBS_F_REQUEST_MODEL, NGX_HTTP_AIOBS_F_MODEL,
    NGX_HTTP_AIOBS_F_STREAM, NGX_HTTP_AIOBS_F_INPUT,
    NGX_HTTP_AIOBS_F_OUTPUT, NGX_HTTP_AIOBS_F_CACHE_READ,
    NGX_HTTP_AIOBS_F_CACHE_WRITE, NGX_HTTP_AIOBS_F_REASONING,
    NGX_HTTP_AIOBS_F_SOURCE, NGX_HTTP_AIOBS_F_TTFT,
    NGX_HTTP_AIOBS_F_TPOT, NGX_HTTP_AIOBS_F_FINISH,
    NGX_HTTP_AIOBS_F_ID, NGX_HTTP_AIOBS_F_PROVIDER_REQUEST_ID,
    NGX_HTTP_AIOBS_F_COST, NGX_HTTP_AIOBS_F_SESSION,
    NGX_HTTP_AIOBS_F_RAG_SCORE, NGX_HTTP_AIOBS_F_LOGIN,
    NGX_HTTP_AIOBS_F_ERROR,
    NGX_HTTP_AIOBS_FIELDS
} ngx_http_aiobs_field_e;


/* those of one source, as far as they are there; v: all, absent before */
typedef void (*ngx_http_aiobs_fill_pt)(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_value_t *v);


/* all of a request */

typedef struct {
    struct timeval              time;   /* when it was logged */
    ngx_http_aiobs_value_t      v[NGX_HTTP_AIOBS_FIELDS];
} ngx_http_aiobs_values_t;


#define NGX_HTTP_AIOBS_FIELD_TEXT  32   /* bytes of ,"name": at most */
#define NGX_HTTP_AIOBS_FIELD_ROOM  640  /* of a figure, with its name */


/* one figure: a member of the log line and the variable $aiobs_NAME */

typedef struct {
    ngx_str_t                   name;
    u_char                      text[NGX_HTTP_AIOBS_FIELD_TEXT]; /* ,"name": */
    uint16_t                    len;    /* of that text */
    uint16_t                    max;    /* bytes of its JSON text */
    uint16_t                    room;   /* both together */
    uint16_t                    clean;  /* strings are ours: their bytes stand
                                           for themselves, and fit */
    ngx_http_aiobs_fill_pt      fill;
} ngx_http_aiobs_field_t;


extern const ngx_http_aiobs_field_t
    ngx_http_aiobs_fields[NGX_HTTP_AIOBS_FIELDS];

/* NULL: there is none of that name */
const ngx_http_aiobs_field_t *ngx_http_aiobs_field_find(const char *name);

/* all of a finished request, until another one is asked about */
ngx_http_aiobs_values_t *ngx_http_aiobs_values(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* something of them has changed since */
void ngx_http_aiobs_values_changed(void);

/* one, as far as it is known so far, until another one is asked for */
ngx_http_aiobs_value_t *ngx_http_aiobs_value(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, const ngx_http_aiobs_field_t *field);

/* the figure of that name; absent: its str is empty */
void ngx_http_aiobs_field_value(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, const char *name, ngx_http_aiobs_value_t *v);

/* who it is as aiobs_privacy shows him, "anon" for nobody; empty: not at all */
void ngx_http_aiobs_user_shown(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_str_t *user);

/* as the client sent it, without arguments */
void ngx_http_aiobs_path(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *path);

/* --- ngx_http_aiobs_fields_call.c --- */

/* of an LLM location; empty: it is not known */
void ngx_http_aiobs_request_model(ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *model);


/* --- ngx_http_aiobs_variables.c --- */

ngx_int_t ngx_http_aiobs_add_variables(ngx_conf_t *cf);


/* --- ngx_http_aiobs_number.c --- */

/* p: room for 32 bytes; not for strings; returns the end */
u_char *ngx_http_aiobs_value_number(u_char *p, ngx_http_aiobs_value_t *value);

/* n below a million, in six digits */
u_char *ngx_http_aiobs_six(u_char *p, uint32_t n);


#endif /* _NGX_HTTP_AIOBS_VALUES_H_INCLUDED_ */
