
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs_oidc_provider: the block.
 */


#include "ngx_http_aiobs_login_room.h"


static ngx_http_aiobs_login_provider_t *ngx_http_aiobs_oidc_add(
    ngx_conf_t *cf, ngx_http_aiobs_login_main_conf_t *main, ngx_str_t *name);
static ngx_uint_t ngx_http_aiobs_oidc_name(ngx_str_t *name);


/* aiobs_oidc_provider name { ... } */

char *
ngx_http_aiobs_oidc_provider(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                              *rv;
    ngx_str_t                         *value;
    ngx_conf_t                         save;
    ngx_http_aiobs_login_provider_t   *p;
    ngx_http_aiobs_login_main_conf_t  *main;

    main = (ngx_http_aiobs_login_main_conf_t *) ((char *) conf + cmd->offset);
    value = cf->args->elts;

    if (!ngx_http_aiobs_oidc_name(&value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" of \"aiobs_oidc_provider\": "
                           "1 to 32 letters, digits, \"_\" and \"-\" are "
                           "accepted", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_http_aiobs_login_find(main, &value[1])) {
        return "is duplicate";
    }

    p = ngx_http_aiobs_oidc_add(cf, main, &value[1]);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    save = *cf;
    cf->handler = ngx_http_aiobs_oidc_line;
    cf->handler_conf = (void *) p;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    return rv == NGX_CONF_OK ? ngx_http_aiobs_oidc_complete(cf, p) : rv;
}


static ngx_http_aiobs_login_provider_t *
ngx_http_aiobs_oidc_add(ngx_conf_t *cf, ngx_http_aiobs_login_main_conf_t *main,
    ngx_str_t *name)
{
    ngx_http_aiobs_login_provider_t  *p, **all;

    if (main->providers == NULL) {
        main->providers = ngx_array_create(cf->pool, 2,
                                 sizeof(ngx_http_aiobs_login_provider_t *));
        if (main->providers == NULL) {
            return NULL;
        }
    }

    p = ngx_pcalloc(cf->pool, sizeof(ngx_http_aiobs_login_provider_t));
    all = ngx_array_push(main->providers);

    if (p == NULL || all == NULL) {
        return NULL;
    }

    *all = p;

    p->name = *name;
    p->index = main->providers->nelts - 1;
    p->refresh = NGX_CONF_UNSET;
    p->grace = NGX_CONF_UNSET;
    p->timeout = NGX_CONF_UNSET_MSEC;
    p->user_is_email = NGX_CONF_UNSET;

    return p;
}


static ngx_uint_t
ngx_http_aiobs_oidc_name(ngx_str_t *name)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z')
            && !(c >= '0' && c <= '9') && c != '_' && c != '-')
        {
            return 0;
        }
    }

    return name->len > 0 && name->len <= NGX_HTTP_AIOBS_LOGIN_NAME_MAX;
}
