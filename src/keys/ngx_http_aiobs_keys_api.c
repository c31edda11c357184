
/*
 * Copyright (C) the aiobs authors
 *
 * The keys API: a location whose requests are answered by the thread that has
 * the store, unless they are refused before.
 */


#include "ngx_http_aiobs_keys_api.h"


#define NGX_HTTP_AIOBS_KEYS_CALLS  32   /* of a worker, at most */


static const char *ngx_http_aiobs_keys_call_refused(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_uint_t *status);
static ngx_uint_t ngx_http_aiobs_keys_call_has_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_keys_call_refuse(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_uint_t status, const char *detail);
static void ngx_http_aiobs_keys_call_body(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aiobs_keys_call_unmet(ngx_http_request_t *r);


ngx_int_t
ngx_http_aiobs_keys_api_content(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_uint_t             status;
    const char            *detail;
    ngx_http_aiobs_ctx_t  *ctx;

    ctx = ngx_http_aiobs_active_ctx(r);

    if (r != r->main || ctx == NULL) {
        return NGX_HTTP_FORBIDDEN;
    }

    if (ngx_http_aiobs_keys_call_make(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    detail = ngx_http_aiobs_keys_call_refused(r, ctx, &status);

    if (detail) {
        return ngx_http_aiobs_keys_call_refuse(r, ctx, status, detail);
    }

    if (ngx_http_aiobs_keys_call_texts(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_aiobs_keys_call_has_body(r)) {
        r->request_body_in_single_buf = 1;

        rc = ngx_http_read_client_request_body(r,
                                               ngx_http_aiobs_keys_call_body);

        return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    r->main->count++;
    ngx_http_aiobs_keys_call_start(r);

    return NGX_DONE;
}


/* NULL: it may go on; else why not */

static const char *
ngx_http_aiobs_keys_call_refused(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_uint_t *status)
{
    ngx_http_aiobs_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    *status = NGX_HTTP_FORBIDDEN;

    if (!lcf->keys_api_remote && !ngx_http_aiobs_loopback(r)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "aiobs: keys asked for from another machine; "
                      "\"aiobs_keys_api remote;\" allows it");

        return "The keys API is not open to other machines.";
    }

    /* "satisfy any" may have let it in by other means */

    if (ctx->identity == NULL
        || ctx->identity->verdict != NGX_HTTP_AIOBS_KEY_VALID)
    {
        return "The keys API needs an admin key.";
    }

    if (ngx_http_aiobs_keys_calls == NGX_HTTP_AIOBS_KEYS_CALLS) {
        *status = NGX_HTTP_SERVICE_UNAVAILABLE;
        return "Too many requests wait for the key store.";
    }

    if (r->headers_in.content_length_n > AIOBS_KEYS_API_BODY) {
        *status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        return "The body is larger than 16 kB.";
    }

    if (ngx_http_aiobs_keys_call_unmet(r)) {
        *status = NGX_HTTP_PRECONDITION_FAILED;
        return "Keys have no ETag that a request could depend on; nothing was"
               " done.";
    }

    return NULL;
}


/* what asks for something that is so or not (RFC 9110, section 13) */

static ngx_uint_t
ngx_http_aiobs_keys_call_unmet(ngx_http_request_t *r)
{
    ngx_table_elt_t  *match, *none;

    match = r->headers_in.if_match;
    none = r->headers_in.if_none_match;

    if (match && (match->value.len != 1 || match->value.data[0] != '*')) {
        return 1;
    }

    return none && none->value.len == 1 && none->value.data[0] == '*'
           && !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD));
}


static ngx_uint_t
ngx_http_aiobs_keys_call_has_body(ngx_http_request_t *r)
{
    return (r->method == NGX_HTTP_POST || r->method == NGX_HTTP_PATCH)
           && (r->headers_in.content_length_n > 0 || r->headers_in.chunked
#if (NGX_HTTP_V2)
               || (r->stream && r->headers_in.content_length_n == -1)
#endif
              );
}


static ngx_int_t
ngx_http_aiobs_keys_call_refuse(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_uint_t status, const char *detail)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    aiobs_keys_api_problem(&ctx->keys_call->api, status, detail);

    return ngx_http_aiobs_keys_api_answer(r, ctx,
                                              &ctx->keys_call->api);
}


static void
ngx_http_aiobs_keys_call_body(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_http_aiobs_ctx_t  *ctx;

    ctx = ngx_http_aiobs_get_ctx(r);

    rc = ngx_http_aiobs_keys_call_take(r, &ctx->keys_call->api);

    if (rc == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    if (rc != NGX_OK) {
        aiobs_keys_api_problem(&ctx->keys_call->api,
                               NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                               "The body is larger than 16 kB.");
        ngx_http_finalize_request(r, ngx_http_aiobs_keys_api_answer(r, ctx,
                                              &ctx->keys_call->api));
        return;
    }

    ngx_http_aiobs_keys_call_start(r);
}
