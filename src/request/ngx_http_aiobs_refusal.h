
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the request room: what is said of a refusal.
 */


#ifndef _NGX_HTTP_AIOBS_REFUSAL_H_INCLUDED_
#define _NGX_HTTP_AIOBS_REFUSAL_H_INCLUDED_


#include "ngx_http_aiobs_request.h"


typedef struct {
    ngx_uint_t   status;
    ngx_str_t    reason;            /* empty: the verdict on the key */
    ngx_str_t    message;
    ngx_str_t    openai_type;
    ngx_str_t    openai_code;
    ngx_str_t    anthropic_type;
    ngx_str_t    google_status;
    ngx_str_t    amazon_type;       /* the exception of Bedrock's SDKs */
} ngx_http_aiobs_refusal_t;


extern const ngx_http_aiobs_refusal_t
    ngx_http_aiobs_refusals[NGX_HTTP_AIOBS_REFUSED_N];


/* the body, and the content type of the answer; NGX_ERROR: no memory */
ngx_int_t ngx_http_aiobs_refusal_body(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, const ngx_http_aiobs_refusal_t *refusal,
    ngx_str_t *body);


#endif /* _NGX_HTTP_AIOBS_REFUSAL_H_INCLUDED_ */
