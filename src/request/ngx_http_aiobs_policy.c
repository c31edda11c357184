
/*
 * Copyright (C) the aiobs authors
 *
 * What a key may, and what is said of it: models, endpoints, whom it acts
 * for, labels.
 */


#include "ngx_http_aiobs_request.h"

#include <jansson.h>


#define NGX_HTTP_AIOBS_POLICY_NAME  128     /* of an argument, looked at */


static ngx_uint_t ngx_http_aiobs_policy_arguments(ngx_http_request_t *r,
    ngx_http_aiobs_policy_t *policy);
static ngx_uint_t ngx_http_aiobs_policy_query(ngx_http_request_t *r,
    ngx_http_aiobs_policy_t *policy, ngx_str_t *args);
static ngx_uint_t ngx_http_aiobs_policy_argument(ngx_http_request_t *r,
    ngx_http_aiobs_policy_t *policy, ngx_str_t *arg, ngx_uint_t more);
static ngx_uint_t ngx_http_aiobs_policy_is_model(ngx_str_t *name);
static ngx_uint_t ngx_http_aiobs_policy_types(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aiobs_policy_allows(ngx_str_t *globs,
    ngx_str_t *name);


ngx_http_aiobs_policy_t *
ngx_http_aiobs_policy(ngx_http_aiobs_ctx_t *ctx)
{
    if (ctx->identity == NULL || !ctx->validated
        || ctx->identity->verdict != NGX_HTTP_AIOBS_KEY_VALID)
    {
        return NULL;
    }

    return ctx->identity->policy;
}


/*
 * Where a path names the model it decides, else the body.  A call whose model
 * cannot be read, or might be read as another one, is not allowed: who may use
 * some models only is not to get at others by a body that is not understood.
 */

ngx_int_t
ngx_http_aiobs_policy_models(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_policy_t *policy)
{
    ngx_str_t                model;
    aiobs_request_record_t  *asked;

    if (policy->models.len == 0) {
        return NGX_OK;
    }

    if (!ngx_http_aiobs_policy_arguments(r, policy)) {
        return NGX_DECLINED;
    }

    if (!aiobs_api_countable(ctx->api) && !aiobs_api_by_body(ctx->api)) {
        return NGX_OK;
    }

    asked = ngx_http_aiobs_llm_asked(ctx);

    ngx_http_aiobs_policy_model(ctx, &model);

    if (ctx->path_model.len == 0
        && (asked->models_differ || asked->fields
            || ngx_http_aiobs_policy_types(r)))
    {
        return NGX_DECLINED;
    }

    if (model.len == 0) {

        /* a path that says nothing, and a body that is read and asks for none */

        return aiobs_api_by_body(ctx->api) && asked->model_len == 0
               && (asked->failure == AIOBS_FAILURE_NONE
                   || (r->headers_in.content_length_n <= 0
                       && !r->headers_in.chunked))
               ? NGX_OK : NGX_DECLINED;
    }

    /* behind what is not read here somebody may read another model */

    if (ctx->path_model.len == 0 && asked->failure != AIOBS_FAILURE_NONE) {
        return NGX_DECLINED;
    }

    return ngx_http_aiobs_policy_allows(&policy->models, &model)
           ? NGX_OK : NGX_DECLINED;
}


void
ngx_http_aiobs_policy_model(ngx_http_aiobs_ctx_t *ctx, ngx_str_t *model)
{
    aiobs_request_record_t  *asked;

    *model = ctx->path_model;

    if (model->len == 0) {
        asked = ngx_http_aiobs_llm_asked(ctx);
        model->data = (u_char *) asked->model;
        model->len = asked->model_len;
    }

    /* one that was cut might be any */

    if (model->len == AIOBS_MODEL_MAX) {
        model->len = 0;
    }
}


/*
 * The arguments "model", of a realtime session for example: whichever of them
 * is read upstream, and however, it is to be one that is allowed.  An URI that
 * goes there as it came may have more behind "#" than is seen here.
 */

static ngx_uint_t
ngx_http_aiobs_policy_arguments(ngx_http_request_t *r,
    ngx_http_aiobs_policy_t *policy)
{
    u_char     *p, *last;
    ngx_str_t   args;

    if (!ngx_http_aiobs_policy_query(r, policy, &r->args)) {
        return 0;
    }

    last = r->unparsed_uri.data + r->unparsed_uri.len;

    if (ngx_strlchr(r->unparsed_uri.data, last, '#') == NULL) {
        return 1;
    }

    p = ngx_strlchr(r->unparsed_uri.data, last, '?');

    if (p == NULL) {
        return 1;
    }

    args.data = p + 1;
    args.len = last - args.data;

    return ngx_http_aiobs_policy_query(r, policy, &args);
}


static ngx_uint_t
ngx_http_aiobs_policy_query(ngx_http_request_t *r,
    ngx_http_aiobs_policy_t *policy, ngx_str_t *args)
{
    u_char     *p, *last;
    ngx_str_t   arg;

    last = args->data + args->len;

    for (p = args->data; p < last; p++) {

        /* few split at ";", but some do */

        arg.data = p;

        while (p < last && *p != '&' && *p != ';') {
            p++;
        }

        arg.len = p - arg.data;

        if (!ngx_http_aiobs_policy_argument(r, policy, &arg,
                                            p < last && *p == ';'))
        {
            return 0;
        }
    }

    return 1;
}


/* more: others may take what follows for a part of the value */

static ngx_uint_t
ngx_http_aiobs_policy_argument(ngx_http_request_t *r,
    ngx_http_aiobs_policy_t *policy, ngx_str_t *arg, ngx_uint_t more)
{
    u_char     *src, *dst, *p, *last;
    ngx_uint_t  plus;
    ngx_str_t   name, value;

    last = arg->data + arg->len;
    p = ngx_strlchr(arg->data, last, '=');

    name.data = arg->data;
    name.len = (p ? p : last) - arg->data;

    if (!ngx_http_aiobs_policy_is_model(&name)) {
        return 1;
    }

    value.data = ngx_pnalloc(r->pool, arg->len + 1);

    if (value.data == NULL || more) {
        return 0;
    }

    src = p ? p + 1 : last;
    dst = value.data;
    plus = ngx_strlchr(src, last, '+') != NULL;

    ngx_unescape_uri(&dst, &src, last - src, 0);
    value.len = dst - value.data;

    if (!ngx_http_aiobs_policy_allows(&policy->models, &value)) {
        return 0;
    }

    if (!plus) {
        return 1;
    }

    for (p = value.data; p < dst; p++) {
        *p = (*p == '+') ? ' ' : *p;
    }

    return ngx_http_aiobs_policy_allows(&policy->models, &value);
}


/*
 * "model", in any case, percent-encoded, with spaces around it, or with an
 * index as in "model[]"; it may be as well where more spaces stand before it
 * than are looked at.
 */

static ngx_uint_t
ngx_http_aiobs_policy_is_model(ngx_str_t *name)
{
    u_char  *src, *dst, plain[NGX_HTTP_AIOBS_POLICY_NAME];
    size_t   len, i;

    src = name->data;
    dst = plain;
    len = ngx_min(name->len, sizeof(plain) - 1);

    ngx_unescape_uri(&dst, &src, len, 0);
    *dst = '\0';

    for (i = 0; i < (size_t) (dst - plain)
                && (plain[i] <= ' ' || plain[i] == '+'); i++)
    {
        /* void */
    }

    if (i + sizeof("model") > (size_t) (dst - plain) && len < name->len) {
        return 1;
    }

    if (ngx_strncasecmp(plain + i, (u_char *) "model", sizeof("model") - 1)
        != 0)
    {
        return 0;
    }

    i += sizeof("model") - 1;

    /* a longer one of another meaning, such as "model_version", goes on so */

    return !(plain[i] == '_' || plain[i] == '-' || plain[i] == '.'
             || (plain[i] >= '0' && plain[i] <= '9')
             || ((plain[i] | 0x20) >= 'a' && (plain[i] | 0x20) <= 'z'));
}


/* a second type of the body: it is read by one of them here, and there? */

static ngx_uint_t
ngx_http_aiobs_policy_types(ngx_http_request_t *r)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            n += ngx_http_aiobs_header_is(&h[i], "content-type",
                                          sizeof("content-type") - 1);
        }
    }

    return n > 1;
}


static ngx_uint_t
ngx_http_aiobs_policy_allows(ngx_str_t *globs, ngx_str_t *name)
{
    return aiobs_key_allows((char *) globs->data, globs->len,
                            (char *) name->data, name->len);
}


void
ngx_http_aiobs_policy_end_user(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    size_t                    i;
    ngx_table_elt_t          *h;
    ngx_http_aiobs_policy_t  *policy;

    policy = ngx_http_aiobs_policy(ctx);

    if (policy == NULL || !policy->may_act_for) {
        return;
    }

    h = ngx_http_aiobs_header_find(&r->headers_in.headers, "x-user-id",
                                   sizeof("x-user-id") - 1);
    if (h == NULL || h->value.len > NGX_HTTP_AIOBS_USER_ID_MAX
        || ngx_http_aiobs_has_key(ctx, &h->value))
    {
        return;
    }

    ctx->end_user.data = ngx_pstrdup(r->pool, &h->value);
    ctx->end_user.len = ctx->end_user.data ? h->value.len : 0;

    for (i = 0; i < ctx->end_user.len; i++) {
        if (ctx->end_user.data[i] < 0x20 || ctx->end_user.data[i] == 0x7f) {
            ctx->end_user.data[i] = '?';
        }
    }
}


ngx_int_t
ngx_http_aiobs_key_label(ngx_http_aiobs_ctx_t *ctx, ngx_str_t *name,
    ngx_pool_t *pool, ngx_str_t *value)
{
    char                     *key;
    json_t                   *labels;
    ngx_int_t                 rc;
    ngx_str_t                 text;
    const char               *s;
    ngx_http_aiobs_policy_t  *policy;

    policy = ngx_http_aiobs_policy(ctx);

    if (policy == NULL || policy->labels.len == 0 || name->len == 0) {
        return NGX_DECLINED;
    }

    key = ngx_pnalloc(pool, name->len + 1);
    if (key == NULL) {
        return NGX_ERROR;
    }

    *ngx_cpymem(key, name->data, name->len) = '\0';

    labels = json_loadb((char *) policy->labels.data, policy->labels.len, 0,
                        NULL);
    s = json_string_value(json_object_get(labels, key));
    rc = NGX_DECLINED;

    if (s) {
        text.data = (u_char *) s;
        text.len = ngx_strlen(s);

        value->data = ngx_pstrdup(pool, &text);
        value->len = text.len;
        rc = value->data ? NGX_OK : NGX_ERROR;
    }

    json_decref(labels);

    return rc;
}
