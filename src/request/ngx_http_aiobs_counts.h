
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the request room: series that a worker counted in before.
 */


#ifndef _NGX_HTTP_AIOBS_COUNTS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_COUNTS_H_INCLUDED_


#include "ngx_http_aiobs_request.h"


#define NGX_HTTP_AIOBS_COUNTS_METHODS  32   /* bits of r->method */
#define NGX_HTTP_AIOBS_COUNTS_HTTP     8    /* methods and statuses */
#define NGX_HTTP_AIOBS_COUNTS_CALLS    8    /* APIs and models */
#define NGX_HTTP_AIOBS_COUNTS_DETAILS  5    /* subsets of tokens */
#define NGX_HTTP_AIOBS_COUNTS_UNITS    5


typedef struct {
    ngx_uint_t                      method;
    ngx_uint_t                      status;
    ngx_http_aiobs_handle_t         requests;
    ngx_http_aiobs_handle_t         duration;

    /* by OpenTelemetry's names; the last protocol and scheme */

    ngx_http_aiobs_handle_t         otel;
    ngx_uint_t                      version;
    ngx_uint_t                      ssl;
} ngx_http_aiobs_counts_http_t;


/* labels: provider, model, endpoint, and room for two more */

struct ngx_http_aiobs_counts_call_s {
    const aiobs_api_t              *api;
    ngx_uint_t                      serial;         /* another at each use */

    const aiobs_price_t            *price;          /* NULL: not known */

    ngx_http_aiobs_sum_t            tokens[2];      /* input, output */
    ngx_http_aiobs_handle_t         call_tokens[2];
    ngx_http_aiobs_sum_t            details[NGX_HTTP_AIOBS_COUNTS_DETAILS];
    ngx_http_aiobs_sum_t            units[NGX_HTTP_AIOBS_COUNTS_UNITS];
    ngx_http_aiobs_sum_t            cost;
    ngx_http_aiobs_sum_t            sources[4];     /* aiobs_source_e */
    ngx_http_aiobs_handle_t         duration;
    ngx_http_aiobs_handle_t         ttft;
    ngx_http_aiobs_handle_t         tpot;
    ngx_http_aiobs_handle_t         calls;          /* without an error */
    ngx_http_aiobs_sum_t            attempts;       /* the same */

    ngx_http_aiobs_handle_t         failed;         /* the last error_type */
    const char                     *error_type;
    ngx_http_aiobs_sum_t            tried;          /* the last status */
    ngx_uint_t                      tried_status;

    ngx_str_t                       labels[5];
    ngx_str_t                       operation;
    u_char                          model[AIOBS_MODEL_MAX];
};


struct ngx_http_aiobs_counts_s {
    ngx_uint_t                      serial;         /* from 1, of one only */
    ngx_http_aiobs_gauge_t          inprogress[NGX_HTTP_AIOBS_COUNTS_METHODS];
    ngx_http_aiobs_gauge_t          calls_inprogress;
    ngx_http_aiobs_handle_t         request_size;
    ngx_http_aiobs_handle_t         response_size;
    ngx_http_aiobs_counts_http_t    http[NGX_HTTP_AIOBS_COUNTS_HTTP];
    ngx_http_aiobs_sum_t            refused[NGX_HTTP_AIOBS_REFUSED_N];
    ngx_http_aiobs_sum_t            refused_keys[NGX_HTTP_AIOBS_KEY_STORE + 1];
    ngx_http_aiobs_counts_call_t   *calls;
};


/*
 * By OpenTelemetry's names, for a model asked for and one that answered, as
 * long as the server is the same.
 */

struct ngx_http_aiobs_counts_otel_s {
    void                           *server;         /* compared only */
    ngx_http_aiobs_handle_t         tokens[2];      /* input, output */
    ngx_http_aiobs_handle_t         duration;       /* without an error */
    ngx_http_aiobs_handle_t         ttft;
    ngx_http_aiobs_handle_t         tpot;
};


/* the model that calls of an endpoint for a model asked for are counted as */

typedef struct {
    ngx_str_t                       endpoint;       /* of the configuration */
    const aiobs_api_t              *api;            /* NULL: it has answered */
    ngx_str_t                       model;          /* in answered */
    size_t                          asked_len;
    u_char                          asked[AIOBS_MODEL_MAX];
    u_char                          answered[AIOBS_MODEL_MAX];

    ngx_uint_t                      counts;         /* whose call; 0: none */
    ngx_uint_t                      serial;         /* of the call */
    ngx_http_aiobs_counts_call_t   *call;
    ngx_http_aiobs_counts_otel_t    otel;
} ngx_http_aiobs_counts_model_t;


/* --- ngx_http_aiobs_counts.c --- */

/* those of a location, never NULL; without memory they are forgotten */
ngx_http_aiobs_counts_t *ngx_http_aiobs_counts(ngx_http_aiobs_loc_conf_t *lcf);

/* method: a bit as in r->method */
ngx_http_aiobs_gauge_t *ngx_http_aiobs_counts_inprogress(
    ngx_http_aiobs_counts_t *counts, ngx_uint_t method);
ngx_http_aiobs_counts_http_t *ngx_http_aiobs_counts_http(
    ngx_http_aiobs_counts_t *counts, ngx_uint_t method, ngx_uint_t status);

/*
 * model: 1 to AIOBS_MODEL_MAX bytes.  A new one has no provider, endpoint and
 * operation yet.
 */
ngx_http_aiobs_counts_call_t *ngx_http_aiobs_counts_call(
    ngx_http_aiobs_counts_t *counts, const aiobs_api_t *api, ngx_str_t *model);

/* of a name of any length, to tell a few of them apart */
ngx_uint_t ngx_http_aiobs_counts_slot(ngx_str_t *name);

void ngx_http_aiobs_counts_str(ngx_str_t *s, const char *text);


/* --- ngx_http_aiobs_count_model.c --- */

/*
 * The model that a call is counted as, in ctx->label_model.  Returns what is
 * known of the model asked for, or NULL.
 */
ngx_http_aiobs_counts_model_t *ngx_http_aiobs_count_model(
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_count.c --- */

/*
 * Finds the series of a call whose API and answer are known: ctx->counted and
 * ctx->counted_otel, until another request looks for its own.
 */
void ngx_http_aiobs_count_find(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


/* --- ngx_http_aiobs_count_call.c --- */

void ngx_http_aiobs_count_call(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_counts_call_t *call);


/* --- ngx_http_aiobs_count_otel.c: the same by OpenTelemetry's names --- */

void ngx_http_aiobs_count_otel_http(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_counts_t *counts);

/* otel: NULL: nothing is remembered */
void ngx_http_aiobs_count_otel_call(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_counts_otel_t *otel);


#endif /* _NGX_HTTP_AIOBS_COUNTS_H_INCLUDED_ */
