
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the record: what the files of its figures share.
 */


#ifndef _NGX_HTTP_AIOBS_FIELDS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_FIELDS_H_INCLUDED_


#include "ngx_http_aiobs_request.h"


/* len: not 0 */

static ngx_inline void
ngx_http_aiobs_set_data(ngx_http_aiobs_value_t *v, const void *data, size_t len)
{
    v->type = NGX_HTTP_AIOBS_VALUE_STRING;
    v->str.data = (u_char *) data;
    v->str.len = len;
}


static ngx_inline void
ngx_http_aiobs_set_str(ngx_http_aiobs_value_t *v, ngx_str_t *s)
{
    if (s->len) {
        ngx_http_aiobs_set_data(v, s->data, s->len);
    }
}


/* text: not empty */

static ngx_inline void
ngx_http_aiobs_set_text(ngx_http_aiobs_value_t *v, const char *text)
{
    ngx_http_aiobs_set_data(v, text, ngx_strlen(text));
}


static ngx_inline void
ngx_http_aiobs_set_number(ngx_http_aiobs_value_t *v,
    ngx_http_aiobs_value_e type, int64_t n)
{
    v->type = type;
    v->n = n;
}


static ngx_inline void
ngx_http_aiobs_set_integer(ngx_http_aiobs_value_t *v, int64_t n)
{
    ngx_http_aiobs_set_number(v, NGX_HTTP_AIOBS_VALUE_INTEGER, n);
}


/* --- ngx_http_aiobs_fields_call.c --- */

void ngx_http_aiobs_fill_upstream(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_value_t *v);
void ngx_http_aiobs_fill_call(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_value_t *v);
void ngx_http_aiobs_fill_answer(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_value_t *v);
void ngx_http_aiobs_fill_tokens(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_value_t *v);


#endif /* _NGX_HTTP_AIOBS_FIELDS_H_INCLUDED_ */
