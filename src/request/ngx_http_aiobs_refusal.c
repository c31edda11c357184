
/*
 * Copyright (C) the aiobs authors
 *
 * Refusals: who answers, with which status and headers.
 */


#include "ngx_http_aiobs_counts.h"
#include "ngx_http_aiobs_refusal.h"


static void ngx_http_aiobs_refused(ngx_http_aiobs_ctx_t *ctx);
static ngx_uint_t ngx_http_aiobs_others_decide(ngx_http_request_t *r,
    ngx_uint_t status);
static ngx_uint_t ngx_http_aiobs_nginx_answers(ngx_http_request_t *r,
    ngx_uint_t status);
static ngx_int_t ngx_http_aiobs_refusal_headers(ngx_http_request_t *r,
    ngx_http_aiobs_refused_e why);
static ngx_int_t ngx_http_aiobs_challenge(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_final(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_retry_after(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body);


static ngx_http_aiobs_name_t  ngx_http_aiobs_retry_after_name =
    ngx_http_aiobs_name("Retry-After", "retry-after");

static ngx_http_aiobs_name_t  ngx_http_aiobs_www_authenticate =
    ngx_http_aiobs_name("WWW-Authenticate", "www-authenticate");

static ngx_http_aiobs_name_t  ngx_http_aiobs_should_retry =
    ngx_http_aiobs_name("x-should-retry", "x-should-retry");


ngx_int_t
ngx_http_aiobs_refuse(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_refused_e why)
{
    ngx_int_t                        rc;
    ngx_str_t                        body;
    ngx_uint_t                       first;
    const ngx_http_aiobs_refusal_t  *refusal;

    refusal = &ngx_http_aiobs_refusals[why];
    first = !ctx->refused;

    if (first) {
        ctx->refused = why;
        ngx_http_aiobs_session_refused(&ctx->agent);
        ctx->undecided = ngx_http_aiobs_others_decide(r, refusal->status);

        if (!ctx->undecided) {
            ngx_http_aiobs_refused(ctx);
        }
    }

    /* behind an error_page they are there */

    if (first && ngx_http_aiobs_refusal_headers(r, why) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_aiobs_nginx_answers(r, refusal->status)) {
        return refusal->status;
    }

    ngx_http_aiobs_query_forget(r);

    if (ngx_http_aiobs_refusal_body(r, ctx, refusal, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->headers_in.expect && !r->expect_tested
        && r->http_version == NGX_HTTP_VERSION_11)
    {
        /* nobody wants the body, and whether it comes all the same is open */

        r->expect_tested = 1;
        r->keepalive = 0;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_http_finalize_request(r, ngx_http_aiobs_send(r, refusal->status,
                                                     &body));
    return NGX_DONE;
}


void
ngx_http_aiobs_refusal_stands(ngx_http_aiobs_ctx_t *ctx)
{
    if (ctx->undecided) {
        ctx->undecided = 0;
        ngx_http_aiobs_refused(ctx);
    }
}


/* the key that was refused has no say in what follows */

void
ngx_http_aiobs_refusal_lifted(ngx_http_aiobs_ctx_t *ctx)
{
    if (ctx->undecided) {
        ctx->undecided = 0;
        ctx->refused = NGX_HTTP_AIOBS_REFUSED_NOT;
        ctx->admitted = 1;
        ctx->admitted_call = 1;
    }
}


static void
ngx_http_aiobs_refused(ngx_http_aiobs_ctx_t *ctx)
{
    ngx_str_t                 labels[2];
    ngx_http_aiobs_counts_t  *counts;

    labels[0] = ctx->location->endpoint;
    labels[1] = *ngx_http_aiobs_refusal_reason(ctx);

    counts = ngx_http_aiobs_counts(ctx->location);

    ngx_http_aiobs_metrics_sum_at(
        ngx_http_aiobs_refusals[ctx->refused].reason.len
        ? &counts->refused[ctx->refused]
        : &counts->refused_keys[ctx->identity->verdict],
        NGX_HTTP_AIOBS_REFUSALS, labels, 1);

    /* a limit that is reached is no news of the key */

    if (ctx->refused < NGX_HTTP_AIOBS_REFUSED_RPM
        && ctx->refused != NGX_HTTP_AIOBS_REFUSED_STORE)
    {
        ngx_http_aiobs_keys_refused(ctx->identity, &ctx->request_id);
    }
}


const ngx_str_t *
ngx_http_aiobs_refusal_reason(ngx_http_aiobs_ctx_t *ctx)
{
    const ngx_str_t  *reason;

    reason = &ngx_http_aiobs_refusals[ctx->refused].reason;

    return reason->len
           ? reason : ngx_http_aiobs_keys_verdict_name(ctx->identity->verdict);
}


/* "satisfy any": other checks may grant */

static ngx_uint_t
ngx_http_aiobs_others_decide(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    return clcf->satisfy == NGX_HTTP_SATISFY_ANY
           && (status == NGX_HTTP_UNAUTHORIZED
               || status == NGX_HTTP_FORBIDDEN);
}


/* or the user has a page of his own */

static ngx_uint_t
ngx_http_aiobs_nginx_answers(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_uint_t                 i;
    ngx_http_err_page_t       *page;
    ngx_http_core_loc_conf_t  *clcf;

    if (ngx_http_aiobs_others_decide(r, status)) {
        return 1;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (clcf->error_pages == NULL || r->error_page) {
        return 0;
    }

    page = clcf->error_pages->elts;

    for (i = 0; i < clcf->error_pages->nelts; i++) {
        if (page[i].status == (ngx_int_t) status) {
            return 1;
        }
    }

    return 0;
}


/* SDKs try again by themselves, unless they are told that it is of no use */

static ngx_int_t
ngx_http_aiobs_refusal_headers(ngx_http_request_t *r,
    ngx_http_aiobs_refused_e why)
{
    switch (why) {

    case NGX_HTTP_AIOBS_REFUSED_KEY:
        return ngx_http_aiobs_challenge(r);

    case NGX_HTTP_AIOBS_REFUSED_RPM:
    case NGX_HTTP_AIOBS_REFUSED_TPM:
        return ngx_http_aiobs_retry_after(r);

    case NGX_HTTP_AIOBS_REFUSED_BUDGET:
    case NGX_HTTP_AIOBS_REFUSED_SESSION:
        return ngx_http_aiobs_final(r);

    default:
        return NGX_OK;
    }
}


/* the next minute, when windows begin anew */

static ngx_int_t
ngx_http_aiobs_retry_after(ngx_http_request_t *r)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_sprintf(value.data, "%T", 60 - ngx_time() % 60)
                - value.data;

    return ngx_http_aiobs_header_add(&r->headers_out.headers,
                                     &ngx_http_aiobs_retry_after_name, &value)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_aiobs_challenge(ngx_http_request_t *r)
{
    ngx_str_t         value;
    ngx_table_elt_t  *h;

    if (r->headers_out.www_authenticate) {
        return NGX_OK;
    }

    ngx_str_set(&value, "Bearer realm=\"aiobs\"");

    h = ngx_http_aiobs_header_add(&r->headers_out.headers,
                                  &ngx_http_aiobs_www_authenticate, &value);

    r->headers_out.www_authenticate = h;

    return h ? NGX_OK : NGX_ERROR;
}


/* the SDKs of OpenAI and Anthropic obey; no other retries for long */

static ngx_int_t
ngx_http_aiobs_final(ngx_http_request_t *r)
{
    ngx_str_t  value;

    ngx_str_set(&value, "false");

    return ngx_http_aiobs_header_add(&r->headers_out.headers,
                                     &ngx_http_aiobs_should_retry, &value)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_aiobs_send(ngx_http_request_t *r, ngx_uint_t status, ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    /* an error_page that led here has a status that would go out instead */

    r->err_status = status;
    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = 1;
    b->last_buf = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}
