
/*
 * Copyright (C) the aiobs authors
 *
 * Where people sign in: aiobs_login in a location.
 */


#include "ngx_http_aiobs_login_room.h"


static ngx_uint_t ngx_http_aiobs_login_reaches(ngx_http_core_loc_conf_t *clcf,
    ngx_str_t *path);


/* aiobs_login provider */

char *
ngx_http_aiobs_login(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                   *value;
    ngx_http_aiobs_loc_conf_t   *lcf;
    ngx_http_aiobs_main_conf_t  *amcf;

    lcf = conf;

    if (lcf->login.name.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    lcf->login.name = value[1];

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aiobs_module);
    amcf->login.used = 1;

    ngx_http_aiobs_answers(cf, ngx_http_aiobs_login_content);

    return ngx_http_aiobs_login_page_init(cf) == NGX_OK ? NGX_CONF_OK
                                                        : NGX_CONF_ERROR;
}


char *
ngx_http_aiobs_login_merge_conf(ngx_conf_t *cf,
    ngx_http_aiobs_login_main_conf_t *main, ngx_http_aiobs_login_conf_t *conf,
    ngx_uint_t usable)
{
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_aiobs_login_provider_t  *provider;

    if (conf->name.len == 0) {
        return NGX_CONF_OK;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (!usable) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"aiobs_login\" in location \"%V\" needs \"aiobs on;\" "
                      "there, and \"aiobs_key_store sqlite:/path/to/keys.db;\" "
                      "in the \"http\" block", &clcf->name);
        return NGX_CONF_ERROR;
    }

    provider = ngx_http_aiobs_login_find(main, &conf->name);

    if (provider == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"aiobs_login\" in location \"%V\": no "
                      "\"aiobs_oidc_provider %V { ... }\" is in the \"http\" "
                      "block", &clcf->name, &conf->name);
        return NGX_CONF_ERROR;
    }

    conf->provider = provider;
    provider->located = 1;
    provider->reached |= ngx_http_aiobs_login_reaches(clcf, &provider->path);

    if (provider->start.len == 0 && clcf->name.len && clcf->name.data[0] == '/'
        && (clcf->name.len != provider->path.len
            || ngx_memcmp(clcf->name.data, provider->path.data,
                          provider->path.len)
               != 0))
    {
        provider->start = clcf->name;
    }

    return NGX_CONF_OK;
}


/* a pattern may */

static ngx_uint_t
ngx_http_aiobs_login_reaches(ngx_http_core_loc_conf_t *clcf, ngx_str_t *path)
{
#if (NGX_PCRE)
    if (clcf->regex) {
        return 1;
    }
#endif

    return clcf->name.len <= path->len
           && (!clcf->exact_match || clcf->name.len == path->len)
           && ngx_memcmp(clcf->name.data, path->data, clcf->name.len) == 0;
}


void
ngx_http_aiobs_login_warn(ngx_conf_t *cf,
    ngx_http_aiobs_login_main_conf_t *main)
{
    ngx_uint_t                         i;
    ngx_http_aiobs_login_provider_t  **p;

    if (main->providers == NULL) {
        return;
    }

    p = main->providers->elts;

    for (i = 0; i < main->providers->nelts; i++) {

        if (p[i]->located && !p[i]->reached) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "no location with \"aiobs_login %V;\" has \"%V\", "
                          "which is the path of its \"redirect_uri\": nobody "
                          "can come back from there",
                          &p[i]->name, &p[i]->path);
        }
    }
}


ngx_http_aiobs_login_provider_t *
ngx_http_aiobs_login_find(ngx_http_aiobs_login_main_conf_t *main,
    ngx_str_t *name)
{
    ngx_uint_t                         i;
    ngx_http_aiobs_login_provider_t  **provider;

    if (main->providers == NULL) {
        return NULL;
    }

    provider = main->providers->elts;

    for (i = 0; i < main->providers->nelts; i++) {
        if (provider[i]->name.len == name->len
            && ngx_memcmp(provider[i]->name.data, name->data, name->len) == 0)
        {
            return provider[i];
        }
    }

    return NULL;
}
