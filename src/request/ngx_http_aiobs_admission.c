
/*
 * Copyright (C) the aiobs authors
 *
 * Who calls: the key is taken from the request, its owner asked of the keys
 * room, the verdict reached once per request.
 */


#include "ngx_http_aiobs_request.h"

#include <openssl/crypto.h>


static ngx_int_t ngx_http_aiobs_ask(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_loc_conf_t *lcf);
static ngx_int_t ngx_http_aiobs_find_key(ngx_http_request_t *r,
    ngx_http_aiobs_loc_conf_t *lcf, ngx_str_t *key);
static ngx_int_t ngx_http_aiobs_find_args(ngx_http_request_t *r,
    ngx_str_t *key);
static ngx_int_t ngx_http_aiobs_agree(ngx_str_t *key, ngx_str_t *value);
static void ngx_http_aiobs_bearer(ngx_str_t *value);
static ngx_uint_t ngx_http_aiobs_key_header(ngx_table_elt_t *h);
static void ngx_http_aiobs_printable(ngx_str_t *s);
static void ngx_http_aiobs_validated(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_ids_strip(ngx_http_aiobs_ctx_t *ctx);
static ngx_uint_t ngx_http_aiobs_basic_has_key(ngx_http_aiobs_ctx_t *ctx,
    ngx_table_elt_t *h);


ngx_int_t
ngx_http_aiobs_identify(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_uint_t                  first;
    ngx_http_aiobs_loc_conf_t  *lcf;
    ngx_http_aiobs_identity_t  *id;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    ngx_http_aiobs_find_user(r, ctx);

    if (lcf->auth == NGX_HTTP_AIOBS_AUTH_OFF) {
        return NGX_OK;
    }

    id = ctx->identity;
    first = !ctx->validated;

    if (id == NULL) {
        rc = ngx_http_aiobs_ask(r, ctx, lcf);

        if (rc != NGX_OK) {
            return rc;
        }

        id = ctx->identity;

        ngx_http_aiobs_validated(r, ctx);

    } else if (id->suspended) {
        return NGX_AGAIN;

    } else if (!ctx->validated) {
        ngx_http_aiobs_validated(r, ctx);
    }

    if (first && id->verdict != NGX_HTTP_AIOBS_KEY_UNKNOWN) {
        ngx_http_aiobs_ids_strip(ctx);
    }

    return r->args.len || r->args_start || r->complex_uri
           ? ngx_http_aiobs_query_strip(r, ctx, lcf, first) : NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_ask(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf)
{
    ngx_http_aiobs_identity_t  *id;

    id = ngx_palloc(r->pool, sizeof(ngx_http_aiobs_identity_t));
    if (id == NULL) {
        return NGX_ERROR;
    }

    /* the texts behind have their lengths */

    ngx_memzero(id, offsetof(ngx_http_aiobs_identity_t, key_id_data));

    ctx->identity = id;

    switch (ngx_http_aiobs_find_key(r, lcf, &ctx->key)) {

    case NGX_OK:
        return ngx_http_aiobs_keys_identify(r, &ctx->key, id);

    case NGX_DECLINED:
        id->verdict = NGX_HTTP_AIOBS_KEY_MISSING;
        return NGX_OK;

    default:
        ctx->disagree = 1;
        id->verdict = NGX_HTTP_AIOBS_KEY_UNKNOWN;
        return NGX_OK;
    }
}


/* ids that the client chose, and that were taken from its headers before */

static void
ngx_http_aiobs_ids_strip(ngx_http_aiobs_ctx_t *ctx)
{
    if (ngx_http_aiobs_has_key(ctx, &ctx->request_id)) {
        ngx_http_aiobs_make_uuid(ctx);
    }

    if (ngx_http_aiobs_has_key(ctx, &ctx->tracestate)) {
        ngx_str_null(&ctx->tracestate);
        ngx_str_null(&ctx->trace.state);
    }

    if (ngx_http_aiobs_has_key(ctx, &ctx->user)) {
        ngx_str_null(&ctx->user);
    }
}


ngx_uint_t
ngx_http_aiobs_has_key(ngx_http_aiobs_ctx_t *ctx, ngx_str_t *text)
{
    return ctx->key.len && ctx->key.len <= text->len
           && memmem(text->data, text->len, ctx->key.data, ctx->key.len)
              != NULL;
}


/*
 * A header that named the key, and any other that has the raw key in it.
 * Where keys are demanded, the places of keys belong to the gateway, whatever
 * stands there, as they do where one of several may be valid; where keys are
 * optional, an unknown one is the client's own.
 */

ngx_uint_t
ngx_http_aiobs_header_has_key(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf, ngx_table_elt_t *h)
{
    if ((ctx->identity->verdict == NGX_HTTP_AIOBS_KEY_VALID
         || lcf->auth == NGX_HTTP_AIOBS_AUTH_ON || ctx->disagree)
        && lcf->auth_key == NULL
        && ngx_http_aiobs_key_header(h))
    {
        return 1;
    }

    return ngx_http_aiobs_key_goes(ctx, lcf)
           && (ngx_http_aiobs_has_key(ctx, &h->value)
               || ngx_http_aiobs_basic_has_key(ctx, h));
}


/* what is as short as that is in many lines, and nobody's key */

ngx_uint_t
ngx_http_aiobs_key_goes(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf)
{
    return ctx->key.len
           && (ctx->identity->verdict != NGX_HTTP_AIOBS_KEY_UNKNOWN
               || (lcf->auth == NGX_HTTP_AIOBS_AUTH_ON
                   && ctx->key.len >= NGX_HTTP_AIOBS_KEY_SHORT));
}


/* of aiobs_auth_key $remote_user and the like: nginx has decoded them */

static ngx_uint_t
ngx_http_aiobs_basic_has_key(ngx_http_aiobs_ctx_t *ctx, ngx_table_elt_t *h)
{
    ngx_http_headers_in_t  *in;

    in = &ctx->request->headers_in;

    return h->key.len == sizeof("authorization") - 1
           && ngx_http_aiobs_key_header(h)
           && (ngx_http_aiobs_has_key(ctx, &in->user)
               || ngx_http_aiobs_has_key(ctx, &in->passwd));
}


/* NGX_DECLINED: there is none; NGX_ERROR: several that disagree */

static ngx_int_t
ngx_http_aiobs_find_key(ngx_http_request_t *r, ngx_http_aiobs_loc_conf_t *lcf,
    ngx_str_t *key)
{
    ngx_str_t         value;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *last;

    ngx_str_null(key);

    if (lcf->auth_key) {

        if (ngx_http_complex_value(r, lcf->auth_key, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_aiobs_bearer(&value);
        *key = value;

        return key->len ? NGX_OK : NGX_DECLINED;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (last = h + part->nelts; h < last; h++) {

            if (!ngx_http_aiobs_maybe_key(h) || !ngx_http_aiobs_key_header(h)) {
                continue;
            }

            value = h->value;

            if (h->key.len == sizeof("authorization") - 1) {
                ngx_http_aiobs_bearer(&value);

                if (value.len == h->value.len) {
                    continue;           /* Basic, AWS4-HMAC-SHA256, ... */
                }
            }

            if (ngx_http_aiobs_agree(key, &value) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    if (lcf->auth_query && ngx_http_aiobs_find_args(r, key) != NGX_OK) {
        return NGX_ERROR;
    }

    return key->len ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_aiobs_find_args(ngx_http_request_t *r, ngx_str_t *key)
{
    ngx_str_t  args, value;

    args = r->args;

    while (ngx_http_aiobs_query_key(r, &args, &value)) {

        if (ngx_http_aiobs_agree(key, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_agree(ngx_str_t *key, ngx_str_t *value)
{
    if (value->len == 0) {
        return NGX_OK;
    }

    if (key->len == 0) {
        *key = *value;
        return NGX_OK;
    }

    if (key->len == value->len
        && CRYPTO_memcmp(key->data, value->data, key->len) == 0)
    {
        return NGX_OK;
    }

    return NGX_ERROR;
}


static void
ngx_http_aiobs_bearer(ngx_str_t *value)
{
    u_char  *p;

    p = value->data;

    if (value->len < sizeof("Bearer ") - 1 || p[6] != ' '
        || (p[0] | 0x20) != 'b' || (p[1] | 0x20) != 'e'
        || (p[2] | 0x20) != 'a' || (p[3] | 0x20) != 'r'
        || (p[4] | 0x20) != 'e' || (p[5] | 0x20) != 'r')
    {
        return;
    }

    value->data += sizeof("Bearer ") - 1;
    value->len -= sizeof("Bearer ") - 1;

    while (value->len && value->data[0] == ' ') {
        value->data++;
        value->len--;
    }
}


/* most names of those lengths have other letters; "_" may stand for "-" */

static ngx_uint_t
ngx_http_aiobs_key_header(ngx_table_elt_t *h)
{
    u_char  *p;

    p = h->key.data;

    switch (h->key.len) {

    case sizeof("authorization") - 1:
        return (p[1] | 0x20) == 'u'
               && ngx_http_aiobs_header_is(h, "authorization", 13);

    case sizeof("x-api-key") - 1:
        return (p[2] | 0x20) == 'a'
               && ngx_http_aiobs_header_is(h, "x-api-key", 9);

    case sizeof("api-key") - 1:
        return (p[1] | 0x20) == 'p'
               && ngx_http_aiobs_header_is(h, "api-key", 7);

    case sizeof("x-goog-api-key") - 1:
        return (p[2] | 0x20) == 'g'
               && ngx_http_aiobs_header_is(h, "x-goog-api-key", 14);

    default:
        return 0;
    }
}


/* the verdict stands */

static void
ngx_http_aiobs_validated(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_identity_t  *id;

    static ngx_http_aiobs_handle_t  known[NGX_HTTP_AIOBS_KEY_STORE + 1];

    id = ctx->identity;
    ctx->validated = 1;

    ngx_http_aiobs_policy_end_user(r, ctx);

    ngx_http_aiobs_metrics_add_at(&known[id->verdict],
                       NGX_HTTP_AIOBS_KEY_VALIDATIONS,
                       ngx_http_aiobs_keys_verdict_name(id->verdict), 1);
}


static void
ngx_http_aiobs_printable(ngx_str_t *s)
{
    size_t  i;

    for (i = 0; i < s->len; i++) {
        if (s->data[i] < 0x20 || s->data[i] == 0x7f) {
            s->data[i] = '?';
        }
    }
}


void
ngx_http_aiobs_find_user(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_str_t                   value;
    ngx_http_aiobs_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (lcf->user == NULL || ctx->user.len
        || ngx_http_complex_value(r, lcf->user, &value) != NGX_OK)
    {
        return;
    }

    value.len = ngx_min(value.len, NGX_HTTP_AIOBS_USER_ID_MAX);

    ctx->user.data = ngx_pstrdup(r->pool, &value);
    ctx->user.len = ctx->user.data ? value.len : 0;

    ngx_http_aiobs_printable(&ctx->user);
}
