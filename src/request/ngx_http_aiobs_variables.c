
/*
 * Copyright (C) the aiobs authors
 *
 * $aiobs_NAME for every field of the record.
 */


#include "ngx_http_aiobs_request.h"


static ngx_int_t ngx_http_aiobs_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_aiobs_label_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_aiobs_variable_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_http_aiobs_value_t *value);


/* they change while the request goes on: never cached */

ngx_int_t
ngx_http_aiobs_add_variables(ngx_conf_t *cf)
{
    ngx_str_t                      name;
    ngx_uint_t                     i;
    ngx_http_variable_t           *var;
    const ngx_http_aiobs_field_t  *field;

    for (i = 0; i < NGX_HTTP_AIOBS_FIELDS; i++) {
        field = &ngx_http_aiobs_fields[i];

        name.len = sizeof("aiobs_") - 1 + field->name.len;
        name.data = ngx_pnalloc(cf->pool, name.len);
        if (name.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(ngx_cpymem(name.data, "aiobs_", sizeof("aiobs_") - 1),
                   field->name.data, field->name.len);

        var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_http_aiobs_variable;
        var->data = (uintptr_t) field;
    }

    ngx_str_set(&name, "aiobs_key_label_");

    var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE
                                           |NGX_HTTP_VAR_PREFIX);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_aiobs_label_variable;

    return NGX_OK;
}


/* $aiobs_key_label_NAME; the names of variables are in lower case */

static ngx_int_t
ngx_http_aiobs_label_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t              name, value, *full;
    ngx_http_aiobs_ctx_t  *ctx;

    full = (ngx_str_t *) data;
    name.data = full->data + sizeof("aiobs_key_label_") - 1;
    name.len = full->len - (sizeof("aiobs_key_label_") - 1);

    ctx = ngx_http_aiobs_get_ctx(r);

    if (ctx == NULL
        || ngx_http_aiobs_key_label(ctx, &name, r->pool, &value) != NGX_OK)
    {
        v->not_found = 1;
        return NGX_OK;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = value.data;
    v->len = value.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    const ngx_http_aiobs_field_t *field = (ngx_http_aiobs_field_t *) data;

    ngx_http_aiobs_ctx_t    *ctx;
    ngx_http_aiobs_value_t  *value;

    ctx = ngx_http_aiobs_get_ctx(r);

    if (ctx == NULL || (ctx->location && !ctx->location->enable)) {
        v->not_found = 1;
        return NGX_OK;
    }

    value = ngx_http_aiobs_value(r->main, ctx, field);

    if (value->type == NGX_HTTP_AIOBS_VALUE_ABSENT) {
        v->not_found = 1;
        return NGX_OK;
    }

    return ngx_http_aiobs_variable_text(r, v, value);
}


static ngx_int_t
ngx_http_aiobs_variable_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, ngx_http_aiobs_value_t *value)
{
    u_char  *p;

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    if (value->type == NGX_HTTP_AIOBS_VALUE_STRING) {
        v->data = value->str.data;
        v->len = value->str.len;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN + 12);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    v->len = ngx_http_aiobs_value_number(p, value) - p;

    return NGX_OK;
}
