
/*
 * Copyright (C) the aiobs authors
 *
 * Which requests are traced.
 */


#include "ngx_http_aiobs_request.h"


#define NGX_HTTP_AIOBS_TRACE_UNSET  ((uint64_t) -1)


static char *ngx_http_aiobs_trace_mode(ngx_conf_t *cf,
    ngx_http_aiobs_trace_conf_t *conf, ngx_str_t *value);
static char *ngx_http_aiobs_trace_option(ngx_conf_t *cf,
    ngx_http_aiobs_trace_conf_t *conf, ngx_str_t *value);
static ngx_int_t ngx_http_aiobs_trace_flag(ngx_str_t *value, const char *name,
    ngx_flag_t *flag);
static void ngx_http_aiobs_trace_sampler(ngx_conf_t *cf,
    ngx_http_aiobs_trace_conf_t *conf);


ngx_conf_enum_t  ngx_http_aiobs_trace_parents[] = {
    { ngx_string("auto"), NGX_HTTP_AIOBS_PARENT_AUTO },
    { ngx_string("trust"), NGX_HTTP_AIOBS_PARENT_TRUST },
    { ngx_string("link"), NGX_HTTP_AIOBS_PARENT_LINK },
    { ngx_string("ignore"), NGX_HTTP_AIOBS_PARENT_IGNORE },
    { ngx_null_string, 0 }
};


void
ngx_http_aiobs_trace_create_conf(ngx_http_aiobs_trace_conf_t *conf)
{
    conf->mode = NGX_CONF_UNSET_UINT;
    conf->parent = NGX_CONF_UNSET_UINT;
    conf->server_timing = NGX_CONF_UNSET;
    conf->gen_ai = 1;                   /* in transactions of Sentry, too */
}


void
ngx_http_aiobs_trace_merge_conf(ngx_http_aiobs_trace_conf_t *prev,
    ngx_http_aiobs_trace_conf_t *conf)
{
    if (conf->mode == NGX_CONF_UNSET_UINT) {
        conf->value = prev->value;
        conf->ratio = prev->ratio;
        conf->parent_based = prev->parent_based;
        conf->error = prev->error;
        conf->gen_ai = prev->gen_ai;
        conf->spans = prev->spans;
    }

    ngx_conf_merge_uint_value(conf->mode, prev->mode,
                              NGX_HTTP_AIOBS_TRACE_OFF);
    ngx_conf_merge_uint_value(conf->parent, prev->parent,
                              NGX_HTTP_AIOBS_PARENT_AUTO);
    ngx_conf_merge_value(conf->server_timing, prev->server_timing, 0);
}


char *
ngx_http_aiobs_trace_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                    *value;
    ngx_uint_t                    i;
    ngx_http_aiobs_trace_conf_t  *tcf;

    tcf = (ngx_http_aiobs_trace_conf_t *) ((char *) conf + cmd->offset);

    if (tcf->mode != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    tcf->ratio = NGX_HTTP_AIOBS_TRACE_UNSET;
    tcf->parent_based = 1;
    tcf->error = 0;
    tcf->gen_ai = 1;

    if (ngx_http_aiobs_trace_mode(cf, tcf, &value[1]) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_http_aiobs_trace_option(cf, tcf, &value[i]) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (tcf->ratio == NGX_HTTP_AIOBS_TRACE_UNSET) {
        tcf->ratio = NGX_HTTP_AIOBS_TRACE_ALL;
        tcf->spans = (tcf->mode == NGX_HTTP_AIOBS_TRACE_ON);

        ngx_http_aiobs_trace_sampler(cf, tcf);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_aiobs_trace_mode(ngx_conf_t *cf, ngx_http_aiobs_trace_conf_t *conf,
    ngx_str_t *value)
{
    if (ngx_strcmp(value->data, "on") == 0) {
        conf->mode = NGX_HTTP_AIOBS_TRACE_ON;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value->data, "off") == 0) {
        conf->mode = NGX_HTTP_AIOBS_TRACE_OFF;
        return NGX_CONF_OK;
    }

    if (ngx_http_script_variables_count(value) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"aiobs_trace\": \"on\", "
                           "\"off\" or a variable is expected; a ratio is "
                           "\"on ratio=number\"", value);
        return NGX_CONF_ERROR;
    }

    conf->mode = NGX_HTTP_AIOBS_TRACE_VARIABLE;

    return ngx_http_aiobs_complex_value(cf, value, &conf->value);
}


static char *
ngx_http_aiobs_trace_option(ngx_conf_t *cf, ngx_http_aiobs_trace_conf_t *conf,
    ngx_str_t *value)
{
    ngx_str_t  ratio;

    if (ngx_strncmp(value->data, "ratio=", 6) == 0) {
        ratio.data = value->data + 6;
        ratio.len = value->len - 6;

        if (ngx_http_aiobs_trace_ratio(&ratio, &conf->ratio) == NGX_OK) {
            return NGX_CONF_OK;
        }

    } else if (ngx_http_aiobs_trace_flag(value, "error=", &conf->error)
               == NGX_OK
               || ngx_http_aiobs_trace_flag(value, "gen_ai=", &conf->gen_ai)
                  == NGX_OK)
    {
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"aiobs_trace\": "
                       "\"ratio=number\" from 0 to 1, \"error=on|off\" and "
                       "\"gen_ai=on|off\" are accepted", value);
    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_aiobs_trace_flag(ngx_str_t *value, const char *name, ngx_flag_t *flag)
{
    size_t   len;
    u_char  *p;

    len = ngx_strlen(name);
    p = value->data + len;

    if (value->len <= len || ngx_strncmp(value->data, name, len) != 0) {
        return NGX_DECLINED;
    }

    if (ngx_strcmp(p, "on") != 0 && ngx_strcmp(p, "off") != 0) {
        return NGX_DECLINED;
    }

    *flag = ngx_strcmp(p, "on") == 0;

    return NGX_OK;
}


/* without "ratio=" as for any SDK, OpenTelemetry Environment Variables */

static void
ngx_http_aiobs_trace_sampler(ngx_conf_t *cf, ngx_http_aiobs_trace_conf_t *conf)
{
    u_char      *p;
    ngx_str_t    name, arg;
    ngx_uint_t   parent_based, always_off, ratio;

    if (ngx_http_aiobs_environment("OTEL_TRACES_SAMPLER", &name) != NGX_OK) {
        return;
    }

    parent_based = ngx_strncasecmp(name.data, (u_char *) "parentbased_", 12)
                   == 0;
    p = name.data + (parent_based ? 12 : 0);

    always_off = ngx_strcasecmp(p, (u_char *) "always_off") == 0;
    ratio = ngx_strcasecmp(p, (u_char *) "traceidratio") == 0;

    if (!always_off && !ratio
        && ngx_strcasecmp(p, (u_char *) "always_on") != 0)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "OTEL_TRACES_SAMPLER is \"%V\", which is ignored: "
                           "\"always_on\", \"always_off\" and "
                           "\"traceidratio\" are accepted, with or without "
                           "\"parentbased_\"", &name);
        return;
    }

    conf->parent_based = parent_based;

    if (always_off) {
        conf->ratio = 0;
    }

    if (ratio
        && ngx_http_aiobs_environment("OTEL_TRACES_SAMPLER_ARG", &arg)
           == NGX_OK
        && ngx_http_aiobs_trace_ratio(&arg, &conf->ratio) != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "OTEL_TRACES_SAMPLER_ARG is \"%V\", which is "
                           "ignored: a number from 0 to 1 is expected", &arg);
    }
}


ngx_int_t
ngx_http_aiobs_trace_ratio(ngx_str_t *text, uint64_t *ratio)
{
    u_char    *p, *end;
    uint64_t   n, scale;

    p = text->data;
    end = p + text->len;

    if (p == end || text->len > 19) {
        return NGX_ERROR;
    }

    n = 0;

    for ( /* void */ ; p < end && *p >= '0' && *p <= '9'; p++) {
        n = n * 10 + (*p - '0');
    }

    scale = 1;

    if (p < end && *p == '.' && text->len > 1) {
        for (p++; p < end && *p >= '0' && *p <= '9'; p++) {
            n = n * 10 + (*p - '0');
            scale *= 10;
        }
    }

    if (p != end || n > scale) {
        return NGX_ERROR;
    }

    *ratio = (uint64_t) ((double) n / scale * NGX_HTTP_AIOBS_TRACE_ALL);

    return NGX_OK;
}
