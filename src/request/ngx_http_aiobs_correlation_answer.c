
/*
 * Copyright (C) the aiobs authors
 *
 * Correlation: the upstream's own id of a request, and ours in the answer.
 */


#include "ngx_http_aiobs_request.h"


#define NGX_HTTP_AIOBS_PROVIDER_IDS  4  /* names that providers give it */


/*
 * Lengths of those names, of "content-encoding", "x-gemini-service-tier" and
 * "x-amzn-bedrock-service-tier"; what Bedrock says of tokens has longer names,
 * from "x-amzn-bedrock-input-token-count" on.
 */

#define NGX_HTTP_AIOBS_ANSWER_LENGTHS                                         \
    ((1U << 10) | (1U << 12) | (1U << 15) | (1U << 16) | (1U << 21)           \
     | (1U << 27))

#define ngx_http_aiobs_answer_maybe(len)                                      \
    ((len) >= 32 || (NGX_HTTP_AIOBS_ANSWER_LENGTHS >> (len) & 1))

#define ngx_http_aiobs_answer_read(len)                                       \
    ((len) == 16 || (len) == 21 || (len) == 27 || (len) >= 32)


static ngx_uint_t ngx_http_aiobs_provider_name(ngx_table_elt_t *h);
static ngx_uint_t ngx_http_aiobs_is_provider_id(ngx_http_aiobs_ctx_t *ctx,
    ngx_table_elt_t *h);


static ngx_http_aiobs_name_t  ngx_http_aiobs_x_provider_request_id =
    ngx_http_aiobs_name("X-Provider-Request-ID", "x-provider-request-id");


/*
 * The upstream's own id of this request, as providers name it; the first name
 * counts most, and least what another gateway or an application has found out.
 * Only we tell the client an X-Request-ID.
 */

void
ngx_http_aiobs_answered(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    aiobs_usage_t *usage)
{
    ngx_uint_t        name, best;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *last, *own;

    own = NULL;
    ctx->answer_id = NULL;
    best = NGX_HTTP_AIOBS_PROVIDER_IDS + 1;
    ngx_str_null(&ctx->provider_request_id);

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (last = h + part->nelts; h < last; h++) {

            if (!ngx_http_aiobs_answer_maybe(h->key.len) || h->hash == 0) {
                continue;
            }

            if (usage && ngx_http_aiobs_answer_read(h->key.len)
                && h->lowcase_key)
            {
                aiobs_usage_header(usage, (char *) h->lowcase_key, h->key.len,
                                   (char *) h->value.data, h->value.len);
            }

            name = ngx_http_aiobs_provider_name(h);

            if (name < best && ngx_http_aiobs_is_provider_id(ctx, h)) {
                best = name;
                ctx->provider_request_id = h->value;
            }

            if (name == 0) {
                h->hash = 0;
                ctx->answer_id = h;

            } else if (name == NGX_HTTP_AIOBS_PROVIDER_IDS) {
                own = h;
            }
        }
    }

    if (own && ctx->provider_request_id.len) {
        own->hash = 0;
    }
}


void
ngx_http_aiobs_early_hints(ngx_http_request_t *r)
{
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *last;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;

        for (last = h + part->nelts; h < last; h++) {
            if (ngx_http_aiobs_provider_name(h) == 0) {
                h->hash = 0;
            }
        }
    }
}


void
ngx_http_aiobs_answer_trailers(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t        name, told;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *last;

    told = ctx->provider_request_id.len != 0;

    for (part = &r->headers_out.trailers.part; part; part = part->next) {
        h = part->elts;

        for (last = h + part->nelts; h < last; h++) {
            name = ngx_http_aiobs_provider_name(h);

            if (ctx->provider_request_id.len == 0
                && name <= NGX_HTTP_AIOBS_PROVIDER_IDS
                && ngx_http_aiobs_is_provider_id(ctx, h))
            {
                ctx->provider_request_id = h->value;
            }

            if (name == 0 || (name == NGX_HTTP_AIOBS_PROVIDER_IDS && told)) {
                h->hash = 0;
            }
        }
    }
}


/* the rank of a name; PROVIDER_IDS: our own; above: none of them */

static ngx_uint_t
ngx_http_aiobs_provider_name(ngx_table_elt_t *h)
{
    ngx_uint_t  i;

    static ngx_str_t  names[] = {
        ngx_string("x-request-id"),
        ngx_string("request-id"),
        ngx_string("x-amzn-requestid"),
        ngx_string("apim-request-id"),
        ngx_string("x-provider-request-id"),
    };

    /* each has a length of its own */

    switch (h->key.len) {

    case sizeof("x-request-id") - 1:
        i = 0;
        break;

    case sizeof("request-id") - 1:
        i = 1;
        break;

    case sizeof("x-amzn-requestid") - 1:
        i = 2;
        break;

    case sizeof("apim-request-id") - 1:
        i = 3;
        break;

    case sizeof("x-provider-request-id") - 1:
        i = NGX_HTTP_AIOBS_PROVIDER_IDS;
        break;

    default:
        return NGX_HTTP_AIOBS_PROVIDER_IDS + 1;
    }

    return ngx_http_aiobs_header_is(h, (char *) names[i].data, names[i].len)
           ? i : NGX_HTTP_AIOBS_PROVIDER_IDS + 1;
}


static ngx_uint_t
ngx_http_aiobs_is_provider_id(ngx_http_aiobs_ctx_t *ctx, ngx_table_elt_t *h)
{
    return ctx->upstream_header
           && h->value.len && h->value.len <= NGX_HTTP_AIOBS_REQUEST_ID_MAX
           && (h->value.len != ctx->request_id.len
               || ngx_memcmp(h->value.data, ctx->request_id.data,
                             h->value.len)
                  != 0);
}


ngx_int_t
ngx_http_aiobs_answer_headers(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    ngx_list_t  *list;

    list = &r->headers_out.headers;

    if (ctx->answer_id) {
        ngx_http_aiobs_header_set(ctx->answer_id, &ngx_http_aiobs_x_request_id,
                                  &ctx->request_id);
        ctx->answer_id = NULL;

    } else if (ngx_http_aiobs_header_add(list, &ngx_http_aiobs_x_request_id,
                                         &ctx->request_id)
               == NULL)
    {
        return NGX_ERROR;
    }

    if (ctx->provider_request_id.len
        && ngx_http_aiobs_header_add(list,
                                     &ngx_http_aiobs_x_provider_request_id,
                                     &ctx->provider_request_id)
           == NULL)
    {
        return NGX_ERROR;
    }

    return ctx->call ? ngx_http_aiobs_limit_headers(r, ctx) : NGX_OK;
}
