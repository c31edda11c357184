
/*
 * Copyright (C) the aiobs authors
 *
 * The directives of the agents room.
 */


#include "ngx_http_aiobs.h"


static ngx_int_t ngx_http_aiobs_agents_time(ngx_str_t *parameter,
    const char *name, ngx_msec_t *time);
static char *ngx_http_aiobs_agents_add(ngx_conf_t *cf,
    ngx_http_aiobs_agents_main_conf_t *main,
    ngx_http_aiobs_agents_conf_t *conf);
static char *ngx_http_aiobs_agents_agree(ngx_conf_t *cf,
    ngx_http_aiobs_agents_conf_t *conf, ngx_http_aiobs_agents_conf_t *other);
static char *ngx_http_aiobs_session_parameter(ngx_conf_t *cf,
    ngx_http_aiobs_agents_conf_t *conf, ngx_str_t *parameter);


void
ngx_http_aiobs_agents_create_conf(ngx_http_aiobs_agents_conf_t *conf)
{
    conf->score = NGX_CONF_UNSET_PTR;
    conf->session = NGX_CONF_UNSET_PTR;
}


char *
ngx_http_aiobs_agents_merge_conf(ngx_conf_t *cf,
    ngx_http_aiobs_agents_main_conf_t *main, ngx_http_aiobs_agents_conf_t *prev,
    ngx_http_aiobs_agents_conf_t *conf, ngx_str_t *endpoint, ngx_uint_t enabled)
{
    if (conf->score == NGX_CONF_UNSET_PTR) {
        conf->window = prev->window;
    }

    ngx_conf_merge_ptr_value(conf->score, prev->score, NULL);

    if (conf->session == NGX_CONF_UNSET_PTR) {
        conf->end = prev->end;
        conf->ttl = prev->ttl;
        conf->calls = prev->calls;
    }

    ngx_conf_merge_ptr_value(conf->session, prev->session, NULL);

    conf->name = *endpoint;

    if (enabled && (conf->score || conf->session)) {
        return ngx_http_aiobs_agents_add(cf, main, conf);
    }

    return NGX_CONF_OK;
}


/* the zone's part of it is found when the zone is there */

static char *
ngx_http_aiobs_agents_add(ngx_conf_t *cf,
    ngx_http_aiobs_agents_main_conf_t *main, ngx_http_aiobs_agents_conf_t *conf)
{
    ngx_uint_t                      i;
    ngx_http_aiobs_agents_conf_t  **other;

    if (main->locations == NULL) {
        main->locations = ngx_array_create(cf->pool, 4,
                                      sizeof(ngx_http_aiobs_agents_conf_t *));
        if (main->locations == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    other = main->locations->elts;

    for (i = 0; i < main->locations->nelts; i++) {
        if (ngx_http_aiobs_agents_agree(cf, conf, other[i]) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    other = ngx_array_push(main->locations);
    if (other == NULL) {
        return NGX_CONF_ERROR;
    }

    *other = conf;

    return NGX_CONF_OK;
}


static char *
ngx_http_aiobs_agents_agree(ngx_conf_t *cf, ngx_http_aiobs_agents_conf_t *conf,
    ngx_http_aiobs_agents_conf_t *other)
{
    if (conf->name.len != other->name.len
        || ngx_memcmp(conf->name.data, other->name.data, conf->name.len) != 0)
    {
        return NGX_CONF_OK;
    }

    if (conf->score && other->score && conf->window != other->window) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"aiobs_rag_score\" has windows of %Mms and %Mms for "
                      "endpoint \"%V\": one endpoint has one window",
                      other->window, conf->window, &conf->name);
        return NGX_CONF_ERROR;
    }

    if (conf->session && other->session && conf->ttl != other->ttl) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"aiobs_agent_session\" has ttls of %Mms and %Mms for "
                      "endpoint \"%V\": one endpoint has one ttl",
                      other->ttl, conf->ttl, &conf->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* aiobs_rag_score value [window=time] | off */

char *
ngx_http_aiobs_rag_score(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                     *value;
    ngx_http_aiobs_agents_conf_t  *acf;

    acf = (ngx_http_aiobs_agents_conf_t *) ((char *) conf + cmd->offset);

    if (acf->score != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;
    acf->window = 5 * 60 * 1000;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        acf->score = NULL;
        return NGX_CONF_OK;
    }

    if (cf->args->nelts == 3
        && (ngx_http_aiobs_agents_time(&value[2], "window=", &acf->window)
            != NGX_OK
            || acf->window < 1000))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of \"aiobs_rag_score\": "
                           "\"window=time\", a second or more, is accepted",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    return ngx_http_aiobs_complex_value(cf, &value[1], &acf->score);
}


/* aiobs_agent_session value [ttl=time] [calls=number] [end=value] | off */

char *
ngx_http_aiobs_agent_session(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_aiobs_agents_conf_t  *acf;

    acf = (ngx_http_aiobs_agents_conf_t *) ((char *) conf + cmd->offset);

    if (acf->session != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;
    acf->ttl = 5 * 60 * 1000;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        acf->session = NULL;
        return NGX_CONF_OK;
    }

    if (ngx_http_script_variables_count(&value[1]) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" of \"aiobs_agent_session\": "
                           "a variable, such as \"$http_x_agent_session\", or "
                           "\"off\" alone is expected", &value[1]);
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_http_aiobs_session_parameter(cf, acf, &value[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_aiobs_complex_value(cf, &value[1], &acf->session);
}


static char *
ngx_http_aiobs_session_parameter(ngx_conf_t *cf,
    ngx_http_aiobs_agents_conf_t *conf, ngx_str_t *parameter)
{
    ngx_int_t  n;
    ngx_str_t  text;

    if (ngx_http_aiobs_agents_time(parameter, "ttl=", &conf->ttl) == NGX_OK
        && conf->ttl >= 1000 && conf->ttl <= NGX_MAX_INT32_VALUE)
    {
        return NGX_CONF_OK;
    }

    if (parameter->len > 6 && ngx_strncmp(parameter->data, "calls=", 6) == 0) {
        n = ngx_atoi(parameter->data + 6, parameter->len - 6);

        if (n > 0 && n <= NGX_MAX_INT32_VALUE) {
            conf->calls = n;
            return NGX_CONF_OK;
        }
    }

    if (parameter->len > 4 && ngx_strncmp(parameter->data, "end=", 4) == 0) {
        text.data = parameter->data + 4;
        text.len = parameter->len - 4;

        return ngx_http_aiobs_complex_value(cf, &text, &conf->end);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"aiobs_agent_session\": "
                       "\"ttl=time\", a second or more, \"calls=number\" and "
                       "\"end=value\" are accepted", parameter);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_aiobs_agents_time(ngx_str_t *parameter, const char *name,
    ngx_msec_t *time)
{
    size_t     len;
    ngx_int_t  n;
    ngx_str_t  s;

    len = ngx_strlen(name);

    if (parameter->len <= len
        || ngx_strncmp(parameter->data, name, len) != 0)
    {
        return NGX_DECLINED;
    }

    s.data = parameter->data + len;
    s.len = parameter->len - len;

    n = ngx_parse_time(&s, 0);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    *time = n;

    return NGX_OK;
}
