
/*
 * Copyright (C) the aiobs authors
 *
 * The precontent phase: what is decided by the request's body.
 */


#include "ngx_http_aiobs_body.h"


static ngx_int_t ngx_http_aiobs_read_body(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_body_read(ngx_http_request_t *r);
static void ngx_http_aiobs_body_lost(ngx_http_aiobs_ctx_t *ctx);


ngx_int_t
ngx_http_aiobs_precontent(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_uint_t                  admit, ask;
    ngx_http_aiobs_loc_conf_t  *lcf;

    if (ctx->reading) {                     /* phases run for its error_page */
        ngx_http_aiobs_body_lost(ctx);
    }

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (!lcf->stream_usage && ctx->stream == NULL
        && ngx_http_aiobs_policy(ctx) == NULL)
    {
        return NGX_DECLINED;                /* nothing depends on the body */
    }

    if (!ctx->body_read && r->request_body == NULL
        && (r->headers_in.content_length_n > 0 || r->headers_in.chunked))
    {
        admit = ngx_http_aiobs_admit_reads(r, ctx);
        ask = ngx_http_aiobs_stream_reads(r, ctx);

        if (admit || ask) {
            return ngx_http_aiobs_read_body(r, ctx);
        }

    } else if (r->request_body && ngx_http_aiobs_body_whole(r)
               && ngx_http_aiobs_stream_reads(r, ctx))
    {
        ngx_http_aiobs_body_again(r, ctx, ngx_http_aiobs_stream_request);
    }

    rc = ngx_http_aiobs_admit(r, ctx);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_aiobs_stream_ask(r, ctx);

    return NGX_DECLINED;
}


/* whole, into memory or a file as nginx is told to; then the phases go on */

static ngx_int_t
ngx_http_aiobs_read_body(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_int_t  rc;

    ctx->reading = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_aiobs_body_read);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        ngx_http_aiobs_body_lost(ctx);
        return rc;
    }

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_aiobs_body_read(ngx_http_request_t *r)
{
    ngx_http_aiobs_ctx_t  *ctx;

    ctx = ngx_http_aiobs_get_ctx(r);

    ctx->reading = 0;
    ctx->body_read = 1;

    r->preserve_body = 1;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


/* it never came whole: it is neither read again nor changed */

static void
ngx_http_aiobs_body_lost(ngx_http_aiobs_ctx_t *ctx)
{
    ctx->reading = 0;
    ctx->body_read = 1;
    ctx->stream = NULL;
}
