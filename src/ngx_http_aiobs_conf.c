
/*
 * Copyright (C) the aiobs authors
 *
 * The configuration: what directives say, inherited and checked.
 */


#include "ngx_http_aiobs.h"
#include "telemetry/ngx_http_aiobs_otlp.h"
#include "telemetry/ngx_http_aiobs_sentry.h"


static void ngx_http_aiobs_merge_values(ngx_http_aiobs_loc_conf_t *prev,
    ngx_http_aiobs_loc_conf_t *conf);
static void ngx_http_aiobs_merge_names(ngx_http_core_loc_conf_t *clcf,
    ngx_http_aiobs_loc_conf_t *prev, ngx_http_aiobs_loc_conf_t *conf);
static void ngx_http_aiobs_prices_cleanup(void *data);


void *
ngx_http_aiobs_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_aiobs_main_conf_t));
    if (amcf == NULL) {
        return NULL;
    }

    amcf->zone_size = NGX_CONF_UNSET_SIZE;
    amcf->series = NGX_CONF_UNSET_UINT;
    amcf->keys = NGX_CONF_UNSET_UINT;
    amcf->request_uri_index = NGX_ERROR;
    ngx_http_aiobs_metrics_create_conf(&amcf->metrics);
    amcf->limits.share = NGX_CONF_UNSET;
    ngx_http_aiobs_recorder_create_conf(&amcf->recorder);

    return amcf;
}


char *
ngx_http_aiobs_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_aiobs_main_conf_t *amcf = conf;

    ngx_str_t   name;
    ngx_uint_t  i;

    ngx_conf_init_size_value(amcf->zone_size, 32 * 1024 * 1024);
    ngx_conf_init_uint_value(amcf->series, NGX_HTTP_AIOBS_SERIES_DEFAULT);
    ngx_conf_init_uint_value(amcf->keys, NGX_HTTP_AIOBS_KEYS_DEFAULT);
    ngx_conf_init_value(amcf->limits.share, 1);

    ngx_http_aiobs_metrics_init_conf(&amcf->metrics);

    if (amcf->thread_pool_name.len == 0) {
        ngx_str_set(&amcf->thread_pool_name, "default");
    }

    if (ngx_http_aiobs_otlp_init(cf, amcf) != NGX_CONF_OK
        || ngx_http_aiobs_sentry_init(cf, amcf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (amcf->store.len || amcf->exporters) {
        amcf->thread_pool = ngx_thread_pool_add(cf, &amcf->thread_pool_name);
        if (amcf->thread_pool == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    /* not a symbol of ours: nginx may have been built without it */

    for (i = 0; cf->cycle->modules[i]; i++) {
        if (ngx_strcmp(cf->cycle->modules[i]->name, "ngx_http_proxy_module")
            == 0)
        {
            amcf->proxy = cf->cycle->modules[i];
        }
    }

    amcf->untraced = amcf->enabled && ngx_http_aiobs_otel_untraced(cf);

    if (amcf->used) {
        ngx_str_set(&name, "request_uri");

        amcf->request_uri_index = ngx_http_get_variable_index(cf, &name);
        if (amcf->request_uri_index == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


void *
ngx_http_aiobs_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_aiobs_loc_conf_t  *lcf;

    lcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_aiobs_loc_conf_t));
    if (lcf == NULL) {
        return NULL;
    }

    /*
     * endpoint, handler, forward, switched_off, content and its parameters:
     * zeroed
     */

    lcf->enable = NGX_CONF_UNSET;
    ngx_http_aiobs_keys_create_conf(lcf);
    lcf->llm = NGX_CONF_UNSET_UINT;
    lcf->fast_headers = NGX_CONF_UNSET;
    lcf->stream_usage = NGX_CONF_UNSET;
    lcf->stream_usage_limit = NGX_CONF_UNSET_SIZE;
    ngx_http_aiobs_agents_create_conf(&lcf->agents);
    ngx_http_aiobs_log_create_conf(&lcf->log);
    ngx_http_aiobs_privacy_create_conf(&lcf->privacy);
    ngx_http_aiobs_trace_create_conf(&lcf->trace);

    return lcf;
}


char *
ngx_http_aiobs_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_aiobs_loc_conf_t *prev = parent;
    ngx_http_aiobs_loc_conf_t *conf = child;

    ngx_uint_t                   own;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_aiobs_main_conf_t  *amcf;

    own = ngx_http_aiobs_own_directives(conf);

    ngx_http_aiobs_merge_values(prev, conf);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    ngx_http_aiobs_merge_content(clcf, prev, conf);
    ngx_http_aiobs_merge_names(clcf, prev, conf);

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aiobs_module);

    if (ngx_http_aiobs_keys_merge_conf(cf, amcf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_aiobs_warn_location(cf, amcf, conf, own);

    if (amcf->untraced) {
        conf->forward |= NGX_HTTP_AIOBS_FORWARD_UNTRACED;
    }

    amcf->llm |= (conf->llm != AIOBS_DIALECT_OFF);
    amcf->traced |= (conf->trace.mode != NGX_HTTP_AIOBS_TRACE_OFF);
    amcf->auth |= (conf->auth != NGX_HTTP_AIOBS_AUTH_OFF);
    amcf->stream_usage |= conf->stream_usage;
    amcf->spans |= conf->enable && conf->trace.spans;
    amcf->server_timing |= conf->enable && conf->trace.server_timing
                           && conf->trace.mode != NGX_HTTP_AIOBS_TRACE_OFF;

    if (ngx_http_aiobs_login_merge_conf(cf, &amcf->login, &conf->login,
                                        conf->enable && amcf->store.len)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_aiobs_merge_models(cf, amcf, prev, conf, &clcf->name)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_aiobs_agents_merge_conf(cf, &amcf->agents, &prev->agents,
                                            &conf->agents, &conf->endpoint,
                                            conf->enable);
}


/* what is inherited as it is */

static void
ngx_http_aiobs_merge_values(ngx_http_aiobs_loc_conf_t *prev,
    ngx_http_aiobs_loc_conf_t *conf)
{
    if (conf->enable == NGX_CONF_UNSET) {
        conf->switched_off = prev->switched_off;
    }

    ngx_conf_merge_value(conf->enable, prev->enable, 0);
    ngx_conf_merge_uint_value(conf->llm, prev->llm, AIOBS_DIALECT_OFF);
    ngx_conf_merge_value(conf->fast_headers, prev->fast_headers, 1);
    ngx_conf_merge_value(conf->stream_usage, prev->stream_usage, 0);
    ngx_conf_merge_size_value(conf->stream_usage_limit,
                              prev->stream_usage_limit, 16 * 1024 * 1024);
    ngx_http_aiobs_log_merge_conf(&prev->log, &conf->log);
    ngx_http_aiobs_privacy_merge_conf(&prev->privacy, &conf->privacy);
    ngx_conf_merge_bitmask_value(conf->forward, prev->forward,
                                 NGX_CONF_BITMASK_SET);

    ngx_http_aiobs_trace_merge_conf(&prev->trace, &conf->trace);
}


/* what the location is called in metrics, logs and keys' lists */

static void
ngx_http_aiobs_merge_names(ngx_http_core_loc_conf_t *clcf,
    ngx_http_aiobs_loc_conf_t *prev, ngx_http_aiobs_loc_conf_t *conf)
{
    conf->handler = clcf->name;

    if (conf->handler.len == 0) {
        ngx_str_set(&conf->handler, "none");
    }

    if (conf->endpoint.len == 0) {
        conf->endpoint = prev->endpoint.len && !prev->endpoint_default
                         ? prev->endpoint : conf->handler;
        conf->endpoint_default = (conf->endpoint.data == conf->handler.data);
    }
}


char *
ngx_http_aiobs_enable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aiobs_loc_conf_t *lcf = conf;

    char                        *rv;
    ngx_http_aiobs_main_conf_t  *amcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);

    if (rv == NGX_CONF_OK && !lcf->enable) {
        lcf->switched_off = 1;
    }

    if (rv == NGX_CONF_OK && lcf->enable) {
        amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aiobs_module);
        amcf->enabled = 1;
        amcf->used = 1;
    }

    return rv;
}


/* aiobs_prices path */

char *
ngx_http_aiobs_prices(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aiobs_main_conf_t *amcf = conf;

    char                 error[512];
    ngx_str_t           *value;
    ngx_file_info_t      fi;
    ngx_pool_cleanup_t  *cln;

    if (amcf->prices) {
        return "is duplicate";
    }

    value = cf->args->elts;

    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (cln == NULL || ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_file_info(value[1].data, &fi) != NGX_FILE_ERROR
        && ngx_is_dir(&fi))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "price file: \"%V\" is a directory", &value[1]);
        return NGX_CONF_ERROR;
    }

    amcf->prices = aiobs_prices_load((char *) value[1].data, error,
                                     sizeof(error));
    if (amcf->prices == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "price file: %s", error);
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_http_aiobs_prices_cleanup;
    cln->data = amcf->prices;

    if (ngx_file_info(value[1].data, &fi) != NGX_FILE_ERROR) {
        amcf->metrics.prices = ngx_file_mtime(&fi);
    }

    if (aiobs_prices_skipped(amcf->prices)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "price file \"%V\": %uz models are left out for "
                           "prices that are none", &value[1],
                           aiobs_prices_skipped(amcf->prices));
    }

    return NGX_CONF_OK;
}


static void
ngx_http_aiobs_prices_cleanup(void *data)
{
    aiobs_prices_free(data);
}


/* aiobs_service name [environment] */

char *
ngx_http_aiobs_service(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aiobs_main_conf_t *amcf = conf;

    ngx_str_t  *value;

    if (amcf->service.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    amcf->service = value[1];

    if (cf->args->nelts > 2) {
        amcf->environment = value[2];
    }

    return NGX_CONF_OK;
}


/* aiobs_stream_usage on | off [limit=size] */

char *
ngx_http_aiobs_stream_usage(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aiobs_loc_conf_t *lcf = conf;

    ssize_t     size;
    ngx_str_t  *value, s;

    if (lcf->stream_usage != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "on") == 0) {
        lcf->stream_usage = 1;

    } else if (ngx_strcmp(value[1].data, "off") == 0) {
        lcf->stream_usage = 0;

    } else {
        return "must be \"on\" or \"off\"";
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    size = 0;

    if (ngx_strncmp(value[2].data, "limit=", 6) == 0) {
        s.data = value[2].data + 6;
        s.len = value[2].len - 6;
        size = ngx_parse_size(&s);
    }

    if (size <= 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of "
                           "\"aiobs_stream_usage\": \"limit=size\" is "
                           "accepted", &value[2]);
        return NGX_CONF_ERROR;
    }

    lcf->stream_usage_limit = size;

    return NGX_CONF_OK;
}
