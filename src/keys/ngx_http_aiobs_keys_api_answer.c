
/*
 * Copyright (C) the aiobs authors
 *
 * The keys API: what the thread has found out becomes an answer.
 */


#include "ngx_http_aiobs_keys_api.h"


#define NGX_HTTP_AIOBS_KEYS_RETRY  "5"  /* seconds */


static ngx_int_t ngx_http_aiobs_keys_call_headers(ngx_http_request_t *r,
    aiobs_keys_api_t *api);
static ngx_int_t ngx_http_aiobs_keys_call_location(ngx_http_request_t *r,
    aiobs_keys_api_t *api, ngx_str_t *value);
static ngx_int_t ngx_http_aiobs_keys_call_send(ngx_http_request_t *r,
    aiobs_keys_api_t *api);


ngx_int_t
ngx_http_aiobs_keys_api_answer(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, aiobs_keys_api_t *api)
{
    ctx->event = api->event;
    ctx->target_key_id.data = (u_char *) api->key_id;
    ctx->target_key_id.len = ngx_strlen(api->key_id);

    if (api->status != NGX_HTTP_NO_CONTENT && api->text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = api->status;

    /* what was done is told, not that it should not have been */

    r->disable_not_modified = 1;

    if (ngx_http_aiobs_keys_call_headers(r, api) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_aiobs_keys_call_send(r, api);
}


static ngx_int_t
ngx_http_aiobs_keys_call_headers(ngx_http_request_t *r,
    aiobs_keys_api_t *api)
{
    ngx_str_t  value;

    if (api->problem) {
        ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    } else {
        ngx_str_set(&r->headers_out.content_type, "application/json");
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    ngx_str_set(&value, "no-store");

    if (ngx_http_aiobs_header_push(r, &r->headers_out.headers, "Cache-Control",
                                   sizeof("Cache-Control") - 1, &value)
        == NULL)
    {
        return NGX_ERROR;
    }

    if (api->status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        ngx_str_set(&value, NGX_HTTP_AIOBS_KEYS_RETRY);

        return ngx_http_aiobs_header_push(r, &r->headers_out.headers,
                                          "Retry-After",
                                          sizeof("Retry-After") - 1, &value)
               ? NGX_OK : NGX_ERROR;
    }

    if (api->allow) {
        value.data = (u_char *) api->allow;
        value.len = ngx_strlen(api->allow);

        return ngx_http_aiobs_header_push(r, &r->headers_out.headers, "Allow",
                                          sizeof("Allow") - 1, &value)
               ? NGX_OK : NGX_ERROR;
    }

    return api->created ? ngx_http_aiobs_keys_call_location(r, api, &value)
                        : NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_keys_call_location(ngx_http_request_t *r, aiobs_keys_api_t *api,
    ngx_str_t *value)
{
    size_t                     len;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    len = clcf->name.len;

    if (len && clcf->name.data[len - 1] == '/') {
        len--;
    }

    value->data = ngx_pnalloc(r->pool, len + 1 + AIOBS_KEY_ID_LEN);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_sprintf(value->data, "%*s/%s", len, clcf->name.data,
                             api->key_id)
                 - value->data;

    return ngx_http_aiobs_header_push(r, &r->headers_out.headers, "Location",
                                      sizeof("Location") - 1, value)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_aiobs_keys_call_send(ngx_http_request_t *r, aiobs_keys_api_t *api)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    r->headers_out.content_length_n = api->text ? (off_t) api->len : 0;

    if (api->text == NULL) {
        r->header_only = 1;
        ngx_str_null(&r->headers_out.content_type);
        r->headers_out.content_type_len = 0;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = (u_char *) api->text;
    b->last = b->pos + api->len;
    b->memory = 1;
    b->last_buf = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
