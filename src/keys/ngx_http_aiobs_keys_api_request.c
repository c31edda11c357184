
/*
 * Copyright (C) the aiobs authors
 *
 * The keys API: what the thread needs of a request, in memory that nobody else
 * writes.
 */


#include "ngx_http_aiobs_keys_api.h"


static char *ngx_http_aiobs_keys_call_text(ngx_http_request_t *r,
    ngx_str_t *s);
static ngx_int_t ngx_http_aiobs_keys_call_path(ngx_http_request_t *r,
    ngx_http_aiobs_keys_call_t *call);
static void ngx_http_aiobs_keys_call_cleanup(void *data);


ngx_int_t
ngx_http_aiobs_keys_call_make(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_aiobs_keys_call_t  *call;

    if (ctx->keys_call) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_aiobs_keys_call_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    call = cln->data;
    ngx_memzero(call, sizeof(ngx_http_aiobs_keys_call_t));

    cln->handler = ngx_http_aiobs_keys_call_cleanup;

    call->request = r;
    ctx->keys_call = call;

    call->api.request_id = ngx_http_aiobs_keys_call_text(r, &ctx->request_id);

    return call->api.request_id ? NGX_OK : NGX_ERROR;
}


/* the answer may have a key in it, and the client be slow to read it */

static void
ngx_http_aiobs_keys_call_cleanup(void *data)
{
    ngx_http_aiobs_keys_call_t *call = data;

    aiobs_keys_api_free(&call->api);
}


ngx_int_t
ngx_http_aiobs_keys_call_texts(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    aiobs_keys_api_t            *api;
    ngx_str_t                    type;
    ngx_http_aiobs_keys_call_t  *call;

    call = ctx->keys_call;
    api = &call->api;

    ngx_str_null(&type);

    if (r->headers_in.content_type) {
        type = r->headers_in.content_type->value;
    }

    api->method = ngx_http_aiobs_keys_call_text(r, &r->method_name);
    api->args = ngx_http_aiobs_keys_call_text(r, &r->args);
    api->type = ngx_http_aiobs_keys_call_text(r, &type);
    api->body = "";
    api->caller = call->caller;

    if (api->method == NULL || api->args == NULL || api->type == NULL
        || ngx_http_aiobs_keys_call_path(r, call) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return aiobs_key_hash_hex((char *) ctx->key.data, ctx->key.len,
                              call->caller)
           == 0 ? NGX_OK : NGX_ERROR;
}


static char *
ngx_http_aiobs_keys_call_text(ngx_http_request_t *r, ngx_str_t *s)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, s->len + 1);

    if (p) {
        ngx_cpystrn(p, s->data, s->len + 1);
    }

    return (char *) p;
}


/* behind the location's prefix; what begins alike is no key */

static ngx_int_t
ngx_http_aiobs_keys_call_path(ngx_http_request_t *r,
    ngx_http_aiobs_keys_call_t *call)
{
    size_t                     len;
    ngx_str_t                  path;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    len = ngx_min(clcf->name.len, r->uri.len);

    if (len && r->uri.data[len - 1] == '/') {
        len--;
    }

    path.data = r->uri.data + len;
    path.len = r->uri.len - len;

    if (path.len && path.data[0] != '/') {
        ngx_str_set(&path, "/none");
    }

    call->api.path = ngx_http_aiobs_keys_call_text(r, &path);

    return call->api.path ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_aiobs_keys_call_take(ngx_http_request_t *r, aiobs_keys_api_t *api)
{
    off_t         len;
    u_char       *p;
    size_t        size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    if (len > AIOBS_KEYS_API_BODY) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    api->body = (char *) p;
    api->body_len = len;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;
        size = ngx_buf_size(b);

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, size);

        } else if (size) {

            if (ngx_read_file(b->file, p, size, b->file_pos)
                != (ssize_t) size)
            {
                return NGX_ERROR;
            }

            p += size;
        }
    }

    return NGX_OK;
}
