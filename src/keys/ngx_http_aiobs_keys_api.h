
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the keys API.
 */


#ifndef _NGX_HTTP_AIOBS_KEYS_API_H_INCLUDED_
#define _NGX_HTTP_AIOBS_KEYS_API_H_INCLUDED_


#include "../request/ngx_http_aiobs_request.h"
#include "aiobs_keys_api.h"


struct ngx_http_aiobs_keys_call_s {
    ngx_http_request_t           *request;
    ngx_http_aiobs_keys_work_t    work;
    ngx_event_t                   again;
    ngx_msec_t                    since;
    aiobs_keys_api_t              api;
    char                          caller[AIOBS_KEY_HEX_LEN + 1];
    unsigned                      done:1;
    unsigned                      left:1;       /* nothing was asked */
};


/* --- ngx_http_aiobs_keys_api_request.c --- */

/* the request's call, unless it has one, with its id only */
ngx_int_t ngx_http_aiobs_keys_call_make(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/* what else the thread needs, in memory that nobody else writes */
ngx_int_t ngx_http_aiobs_keys_call_texts(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);

/*
 * The body that was read: a small "client_body_buffer_size" leaves it in a
 * file.  NGX_DECLINED: it is too large.
 */
ngx_int_t ngx_http_aiobs_keys_call_take(ngx_http_request_t *r,
    aiobs_keys_api_t *api);


/* --- ngx_http_aiobs_keys_api_call.c --- */

/* so many of this worker wait for the thread */
extern ngx_uint_t  ngx_http_aiobs_keys_calls;

/* the thread is asked, and the request finalized with what it says */
void ngx_http_aiobs_keys_call_start(ngx_http_request_t *r);


/* --- ngx_http_aiobs_keys_api_answer.c --- */

/* sends what api has; its text is to live as long as the request */
ngx_int_t ngx_http_aiobs_keys_api_answer(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, aiobs_keys_api_t *api);


#endif /* _NGX_HTTP_AIOBS_KEYS_API_H_INCLUDED_ */
