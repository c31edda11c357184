
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs_log_field: members of the line that the configuration adds, from any
 * variable.
 */


#include "ngx_http_aiobs_log_out.h"


#define NGX_HTTP_AIOBS_LOG_FIELDS_MAX      16
#define NGX_HTTP_AIOBS_LOG_FIELD_NAME_MAX  64
#define NGX_HTTP_AIOBS_LOG_FIELD_MAX       256  /* bytes of its JSON text */


typedef struct {
    ngx_str_t                   name;
    ngx_http_complex_value_t    value;
} ngx_http_aiobs_log_field_t;


static ngx_uint_t ngx_http_aiobs_log_field_name(ngx_str_t *name);
static ngx_uint_t ngx_http_aiobs_log_field_taken(ngx_array_t *fields,
    ngx_str_t *name);


/* aiobs_log_field name value */

char *
ngx_http_aiobs_log_field(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                         *value;
    ngx_http_aiobs_log_conf_t         *lcf;
    ngx_http_aiobs_log_field_t        *field;
    ngx_http_compile_complex_value_t   ccv;

    lcf = (ngx_http_aiobs_log_conf_t *) ((char *) conf + cmd->offset);
    value = cf->args->elts;

    if (!ngx_http_aiobs_log_field_name(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" of \"aiobs_log_field\": at "
                           "most %d of a-z, 0-9 and \"_\" are accepted, no "
                           "digit first", &value[1],
                           NGX_HTTP_AIOBS_LOG_FIELD_NAME_MAX);
        return NGX_CONF_ERROR;
    }

    if (lcf->fields == NGX_CONF_UNSET_PTR) {
        lcf->fields = ngx_array_create(cf->pool, 4,
                                       sizeof(ngx_http_aiobs_log_field_t));
        if (lcf->fields == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_aiobs_log_field_taken(lcf->fields, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"aiobs_log_field\": the line has a field \"%V\" "
                           "already", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (lcf->fields->nelts == NGX_HTTP_AIOBS_LOG_FIELDS_MAX) {
        return "is given more than 16 times";
    }

    field = ngx_array_push(lcf->fields);
    if (field == NULL) {
        return NGX_CONF_ERROR;
    }

    field->name = value[1];

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[2];
    ccv.complex_value = &field->value;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
}


ngx_int_t
ngx_http_aiobs_log_field_get(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_uint_t n, ngx_str_t *name, ngx_str_t *value)
{
    ngx_array_t                 *fields;
    ngx_http_aiobs_log_field_t  *field;

    fields = ctx->location->log.fields;

    if (fields == NULL || n >= fields->nelts) {
        return NGX_DONE;
    }

    field = fields->elts;
    field += n;

    *name = field->name;

    return ngx_http_complex_value(r, &field->value, value) == NGX_OK
           && value->len ? NGX_OK : NGX_DECLINED;
}


u_char *
ngx_http_aiobs_log_fields_json(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, u_char *p, u_char *last, const char *prefix)
{
    size_t      len, room;
    ngx_int_t   rc;
    ngx_str_t   name, value;
    ngx_uint_t  i;

    len = ngx_strlen(prefix);

    for (i = 0; /* void */ ; i++) {
        rc = ngx_http_aiobs_log_field_get(r, ctx, i, &name, &value);

        if (rc == NGX_DONE) {
            return p;
        }

        room = last - p;

        /* the name, and a value that still says something */

        if (rc != NGX_OK || room < len + name.len + 4 + 16) {
            continue;
        }

        *p++ = ',';
        *p++ = '"';
        p = ngx_cpymem(p, prefix, len);
        p = ngx_cpymem(p, name.data, name.len);
        *p++ = '"';
        *p++ = ':';

        room = ngx_min(last - p, NGX_HTTP_AIOBS_LOG_FIELD_MAX);
        p = ngx_http_aiobs_json_string(p, room, &value);
    }
}


static ngx_uint_t
ngx_http_aiobs_log_field_name(ngx_str_t *name)
{
    u_char   c;
    size_t   i;

    if (name->len == 0 || name->len > NGX_HTTP_AIOBS_LOG_FIELD_NAME_MAX
        || (name->data[0] >= '0' && name->data[0] <= '9'))
    {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_aiobs_log_field_taken(ngx_array_t *fields, ngx_str_t *name)
{
    ngx_uint_t                   i;
    ngx_http_aiobs_log_field_t  *field;

    if (ngx_http_aiobs_field_find((char *) name->data)
        || ngx_strcmp(name->data, "timestamp") == 0)
    {
        return 1;
    }

    field = fields->elts;

    for (i = 0; i < fields->nelts; i++) {
        if (ngx_strcmp(field[i].name.data, name->data) == 0) {
            return 1;
        }
    }

    return 0;
}
