
/*
 * Copyright (C) the aiobs authors
 *
 * Values of directives: as nginx's own slots set them, but an error says of
 * which directive it is, and what is accepted.
 */


#include "ngx_http_aiobs.h"


#define NGX_HTTP_AIOBS_LABEL_MAX  128       /* bytes of a label's value */


static ngx_int_t ngx_http_aiobs_known(ngx_conf_t *cf, ngx_command_t *cmd);
static ngx_uint_t ngx_http_aiobs_listed(ngx_conf_enum_t *e, ngx_str_t *value);


char *
ngx_http_aiobs_set_enum_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_aiobs_known(cf, cmd) == NGX_OK
           ? ngx_conf_set_enum_slot(cf, cmd, conf) : NGX_CONF_ERROR;
}


char *
ngx_http_aiobs_set_bitmask_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_aiobs_known(cf, cmd) == NGX_OK
           ? ngx_conf_set_bitmask_slot(cf, cmd, conf) : NGX_CONF_ERROR;
}


/* the tables of both slots are of one shape: names, and what they stand for */

static ngx_int_t
ngx_http_aiobs_known(ngx_conf_t *cf, ngx_command_t *cmd)
{
    u_char           *p, names[256];
    ngx_str_t        *value;
    ngx_uint_t        i;
    ngx_conf_enum_t  *e;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_aiobs_listed(cmd->post, &value[i])) {
            continue;
        }

        p = names;

        for (e = cmd->post; e->name.len; e++) {
            p = ngx_slprintf(p, names + sizeof(names), "%s\"%V\"",
                             p == names ? "" : ", ", &e->name);
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"%V\": %*s are accepted",
                           &value[i], &cmd->name, (size_t) (p - names), names);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_aiobs_listed(ngx_conf_enum_t *e, ngx_str_t *value)
{
    for ( /* void */ ; e->name.len; e++) {
        if (e->name.len == value->len
            && ngx_strcasecmp(e->name.data, value->data) == 0)
        {
            return 1;
        }
    }

    return 0;
}


char *
ngx_http_aiobs_set_label_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > NGX_HTTP_AIOBS_LABEL_MAX
        || ngx_http_script_variables_count(&value[1]))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" of \"%V\": 1 to %d bytes "
                           "without variables are expected, since each value "
                           "of a label makes series", &value[1], &cmd->name,
                           NGX_HTTP_AIOBS_LABEL_MAX);
        return NGX_CONF_ERROR;
    }

    return ngx_conf_set_str_slot(cf, cmd, conf);
}


char *
ngx_http_aiobs_set_variable_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_http_script_variables_count(&value[1]) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"%V\": a variable is "
                           "expected, such as \"$http_x_gateway_key\" for the "
                           "header \"X-Gateway-Key\"", &value[1], &cmd->name);
        return NGX_CONF_ERROR;
    }

    return ngx_http_set_complex_value_slot(cf, cmd, conf);
}


char *
ngx_http_aiobs_complex_value(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **value)
{
    ngx_http_compile_complex_value_t  ccv;

    *value = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*value == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = text;
    ccv.complex_value = *value;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
}
