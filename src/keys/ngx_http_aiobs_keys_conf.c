
/*
 * Copyright (C) the aiobs authors
 *
 * Directives of the keys room.
 */


#include "../ngx_http_aiobs.h"

#include <grp.h>


static char *ngx_http_aiobs_keys_check_auth(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf, ngx_http_aiobs_loc_conf_t *conf,
    ngx_uint_t own);
static char *ngx_http_aiobs_store_parameter(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_aiobs_store_access_t *access);


ngx_conf_enum_t  ngx_http_aiobs_auth_values[] = {
    { ngx_string("off"), NGX_HTTP_AIOBS_AUTH_OFF },
    { ngx_string("on"), NGX_HTTP_AIOBS_AUTH_ON },
    { ngx_string("optional"), NGX_HTTP_AIOBS_AUTH_OPTIONAL },
    { ngx_null_string, 0 }
};


void
ngx_http_aiobs_keys_create_conf(ngx_http_aiobs_loc_conf_t *conf)
{
    conf->auth = NGX_CONF_UNSET_UINT;
    conf->auth_key = NGX_CONF_UNSET_PTR;
    conf->auth_query = NGX_CONF_UNSET;
    conf->user = NGX_CONF_UNSET_PTR;
}


char *
ngx_http_aiobs_keys_merge_conf(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf, ngx_http_aiobs_loc_conf_t *prev,
    ngx_http_aiobs_loc_conf_t *conf)
{
    ngx_uint_t  own;

    own = conf->auth != NGX_CONF_UNSET_UINT;

    /* what stands in an outer block does not open the keys API */

    if (conf->keys_api && conf->auth == NGX_CONF_UNSET_UINT) {
        conf->auth = NGX_HTTP_AIOBS_AUTH_ON;
    }

    /* nobody has a key yet where people sign in */

    ngx_conf_merge_uint_value(conf->auth, conf->login.name.len
                                          ? NGX_HTTP_AIOBS_AUTH_OFF
                                          : prev->auth,
                              NGX_HTTP_AIOBS_AUTH_OFF);
    ngx_conf_merge_ptr_value(conf->auth_key, prev->auth_key, NULL);
    ngx_conf_merge_value(conf->auth_query, prev->auth_query, 0);
    ngx_conf_merge_ptr_value(conf->user, prev->user, NULL);

    return ngx_http_aiobs_keys_check_auth(cf, amcf, conf, own);
}


/* own: "aiobs_auth" stands here, and not in a block around it */

static char *
ngx_http_aiobs_keys_check_auth(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf, ngx_http_aiobs_loc_conf_t *conf,
    ngx_uint_t own)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->keys_api
        && (!conf->enable || conf->auth != NGX_HTTP_AIOBS_AUTH_ON))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"aiobs_keys_api\" in location \"%V\" needs \"aiobs "
                      "on\" and no other \"aiobs_auth\" than \"on\" there",
                      &clcf->name);
        return NGX_CONF_ERROR;
    }

    if (conf->auth == NGX_HTTP_AIOBS_AUTH_OFF) {
        return NGX_CONF_OK;
    }

    if (conf->enable && amcf->store.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" in location \"%V\" needs a key store: "
                      "add \"aiobs_key_store sqlite:/path/to/keys.db;\" to "
                      "the \"http\" block",
                      conf->keys_api ? "aiobs_keys_api" : "aiobs_auth",
                      &clcf->name);
        return NGX_CONF_ERROR;
    }

    /*
     * Nobody would be asked for a key.  A server's own block answers only where
     * it has no locations, and often just redirects; "aiobs off" below
     * "aiobs_auth on" opens a location on purpose.
     */

    if (conf->enable || (conf->switched_off && !own)) {
        return NGX_CONF_OK;
    }

    if (clcf->name.len || (own && clcf->locations == NULL)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"aiobs_auth\" in %s%V asks nobody for a key: add "
                      "\"aiobs on;\", or \"aiobs_auth off;\", there",
                      clcf->name.len ? "location " : "a server without "
                                                     "locations", &clcf->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* aiobs_key_store sqlite:path [mode=octal] [group=name] */

char *
ngx_http_aiobs_key_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aiobs_main_conf_t *amcf = conf;

    char                           *rv;
    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_http_aiobs_store_access_t   access;

    if (amcf->store.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len <= sizeof("sqlite:") - 1
        || ngx_strncmp(value[1].data, "sqlite:", sizeof("sqlite:") - 1) != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid key store \"%V\": \"sqlite:PATH\" is "
                           "expected", &value[1]);
        return NGX_CONF_ERROR;
    }

    access.mode = (mode_t) -1;
    access.group = (gid_t) -1;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_aiobs_store_parameter(cf, &value[i], &access);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    amcf->store.data = value[1].data + sizeof("sqlite:") - 1;
    amcf->store.len = value[1].len - (sizeof("sqlite:") - 1);

    if (ngx_conf_full_name(cf->cycle, &amcf->store, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_aiobs_keys_check_store(cf, &amcf->store, &access);
}


static char *
ngx_http_aiobs_store_parameter(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_aiobs_store_access_t *access)
{
    u_char        *p;
    struct group  *gr;

    if (ngx_strncmp(value->data, "mode=", 5) == 0) {

        access->mode = 0;

        for (p = value->data + 5; *p >= '0' && *p <= '7'; p++) {
            access->mode = (access->mode << 3 | (*p - '0')) & 07777;
        }

        /* the workers' user has to read and write it, nobody to run it */

        if (*p == '\0' && p - value->data >= 8 && p - value->data <= 9
            && (access->mode & ~0666) == 0 && (access->mode & 0600) == 0600)
        {
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"%V\" of \"aiobs_key_store\": a mode "
                           "such as 0600 or 0660 is expected", value);
        return NGX_CONF_ERROR;
    }

    if (ngx_strncmp(value->data, "group=", 6) == 0) {

        gr = getgrnam((char *) value->data + 6);

        if (gr) {
            access->group = gr->gr_gid;
            access->group_name.data = value->data + 6;
            access->group_name.len = value->len - 6;
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid \"%V\" of \"aiobs_key_store\": there is no "
                           "such group", value);
        return NGX_CONF_ERROR;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of \"aiobs_key_store\": "
                       "\"mode=octal\" and \"group=name\" are accepted",
                       value);
    return NGX_CONF_ERROR;
}


/* aiobs_keys_api [remote] */

char *
ngx_http_aiobs_keys_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aiobs_loc_conf_t *lcf = conf;

    ngx_str_t                 *value;
    ngx_uint_t                 plain;
    ngx_http_core_loc_conf_t  *clcf;

    if (lcf->keys_api) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts > 1) {

        if (ngx_strcmp(value[1].data, "remote") != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of "
                               "\"aiobs_keys_api\": \"remote\" is accepted",
                               &value[1]);
            return NGX_CONF_ERROR;
        }

        lcf->keys_api_remote = 1;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    plain = !clcf->exact_match && !clcf->named && !clcf->noname;

#if (NGX_PCRE)
    plain &= clcf->regex == NULL;
#endif

    if (!plain) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"aiobs_keys_api\" needs a location that is given "
                           "by a prefix, as keys have URIs below it");
        return NGX_CONF_ERROR;
    }

    lcf->keys_api = 1;
    ngx_http_aiobs_answers(cf, ngx_http_aiobs_keys_api_content);

    return NGX_CONF_OK;
}
