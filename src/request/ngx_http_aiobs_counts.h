
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the request room: series that a worker counted in before.
 */


#ifndef _NGX_HTTP_AIOBS_COUNTS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_COUNTS_H_INCLUDED_


#include "ngx_http_aiobs_request.h"


#define NGX_HTTP_AIOBS_COUNTS_METHODS  17   /* bits of r->method */
#define NGX_HTTP_AIOBS_COUNTS_HTTP     8    /* methods and statuses */
#define NGX_HTTP_AIOBS_COUNTS_CALLS    8    /* APIs and models */


typedef struct {
    ngx_uint_t                      method;
    ngx_uint_t                      status;
    ngx_http_aiobs_handle_t         requests;
    ngx_http_aiobs_handle_t         duration;
} ngx_http_aiobs_counts_http_t;


/* labels: provider, model, endpoint, and room for two more */

typedef struct {
    const aiobs_api_t              *api;
    ngx_str_t                       labels[5];
    ngx_str_t                       operation;

    ngx_http_aiobs_handle_t         tokens[2];      /* input, output */
    ngx_http_aiobs_handle_t         call_tokens[2];
    ngx_http_aiobs_handle_t         cost;
    ngx_http_aiobs_handle_t         sources[4];     /* aiobs_source_e */
    ngx_http_aiobs_handle_t         duration;
    ngx_http_aiobs_handle_t         ttft;
    ngx_http_aiobs_handle_t         tpot;
    ngx_http_aiobs_handle_t         calls;          /* without an error */
    ngx_http_aiobs_handle_t         attempts;       /* the same */

    u_char                          model[AIOBS_MODEL_MAX];
} ngx_http_aiobs_counts_call_t;


struct ngx_http_aiobs_counts_s {
    ngx_http_aiobs_gauge_t          inprogress[NGX_HTTP_AIOBS_COUNTS_METHODS];
    ngx_http_aiobs_gauge_t          calls_inprogress;
    ngx_http_aiobs_handle_t         request_size;
    ngx_http_aiobs_handle_t         response_size;
    ngx_http_aiobs_counts_http_t    http[NGX_HTTP_AIOBS_COUNTS_HTTP];
    ngx_http_aiobs_counts_call_t   *calls;
};


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


/* --- ngx_http_aiobs_count_otel.c: the same by OpenTelemetry's names --- */

void ngx_http_aiobs_count_otel_http(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
void ngx_http_aiobs_count_otel_call(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);


#endif /* _NGX_HTTP_AIOBS_COUNTS_H_INCLUDED_ */
