
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the record: what the files of its figures share.
 */


#ifndef _NGX_HTTP_AIOBS_FIELDS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_FIELDS_H_INCLUDED_


#include "ngx_http_aiobs_request.h"


/* data of a field: which of a getter's figures */

enum {
    NGX_HTTP_AIOBS_F_LEVEL, NGX_HTTP_AIOBS_F_EVENT, NGX_HTTP_AIOBS_F_ERROR,
    NGX_HTTP_AIOBS_F_USER, NGX_HTTP_AIOBS_F_END_USER,
    NGX_HTTP_AIOBS_F_KEY_NAME, NGX_HTTP_AIOBS_F_KEY_ID,
    NGX_HTTP_AIOBS_F_METHOD, NGX_HTTP_AIOBS_F_PATH, NGX_HTTP_AIOBS_F_ENDPOINT,
    NGX_HTTP_AIOBS_F_CLIENT, NGX_HTTP_AIOBS_F_AGENT, NGX_HTTP_AIOBS_F_LOGIN,
    NGX_HTTP_AIOBS_F_STATUS, NGX_HTTP_AIOBS_F_DURATION,
    NGX_HTTP_AIOBS_F_REQUEST_BYTES, NGX_HTTP_AIOBS_F_RESPONSE_BYTES,
    NGX_HTTP_AIOBS_F_UP_ADDR, NGX_HTTP_AIOBS_F_UP_STATUS,
    NGX_HTTP_AIOBS_F_UP_DURATION, NGX_HTTP_AIOBS_F_ATTEMPTS,
    NGX_HTTP_AIOBS_F_CACHE, NGX_HTTP_AIOBS_F_PROVIDER,
    NGX_HTTP_AIOBS_F_OPERATION, NGX_HTTP_AIOBS_F_REQUEST_MODEL,
    NGX_HTTP_AIOBS_F_STREAM, NGX_HTTP_AIOBS_F_MODEL, NGX_HTTP_AIOBS_F_FINISH,
    NGX_HTTP_AIOBS_F_ID, NGX_HTTP_AIOBS_F_SOURCE, NGX_HTTP_AIOBS_F_COST,
    NGX_HTTP_AIOBS_F_TTFT, NGX_HTTP_AIOBS_F_TPOT
};


static ngx_inline void
ngx_http_aiobs_set_str(ngx_http_aiobs_value_t *v, const void *data, size_t len)
{
    if (len) {
        v->type = NGX_HTTP_AIOBS_VALUE_STRING;
        v->str.data = (u_char *) data;
        v->str.len = len;
    }
}


static ngx_inline void
ngx_http_aiobs_set_text(ngx_http_aiobs_value_t *v, const char *text)
{
    ngx_http_aiobs_set_str(v, text, ngx_strlen(text));
}


static ngx_inline void
ngx_http_aiobs_set_number(ngx_http_aiobs_value_t *v,
    ngx_http_aiobs_value_e type, int64_t n)
{
    v->type = type;
    v->n = n;
}


/* --- ngx_http_aiobs_fields_call.c --- */

void ngx_http_aiobs_get_upstream(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, const ngx_http_aiobs_field_t *field,
    ngx_http_aiobs_value_t *v);
void ngx_http_aiobs_get_call(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, const ngx_http_aiobs_field_t *field,
    ngx_http_aiobs_value_t *v);
void ngx_http_aiobs_get_answer(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, const ngx_http_aiobs_field_t *field,
    ngx_http_aiobs_value_t *v);
void ngx_http_aiobs_get_tokens(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, const ngx_http_aiobs_field_t *field,
    ngx_http_aiobs_value_t *v);


#endif /* _NGX_HTTP_AIOBS_FIELDS_H_INCLUDED_ */
