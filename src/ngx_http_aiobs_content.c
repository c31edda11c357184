
/*
 * Copyright (C) the aiobs authors
 *
 * Locations that this module answers itself: whose they are, and for whom.
 */


#include "ngx_http_aiobs.h"


static ngx_int_t ngx_http_aiobs_metrics_content(ngx_http_request_t *r);


void
ngx_http_aiobs_answers(ngx_conf_t *cf, ngx_http_handler_pt handler)
{
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_aiobs_loc_conf_t  *lcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    lcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_aiobs_module);

    clcf->handler = handler;
    lcf->content = handler;
}


/*
 * "if" and "limit_except" are of their location: unless something else answers
 * in them, what answers there runs with their configuration.  nginx keeps the
 * handler for an "if", and has none for the methods of a "limit_except".
 */

void
ngx_http_aiobs_merge_content(ngx_http_core_loc_conf_t *clcf,
    ngx_http_aiobs_loc_conf_t *prev, ngx_http_aiobs_loc_conf_t *conf)
{
    if (conf->content && clcf->handler != conf->content) {

        /* a directive of another module came later, and answers */

        conf->content = NULL;
        conf->metrics = 0;
    }

    if (prev->content == NULL || !clcf->noname || clcf->handler) {
        return;
    }

    conf->content = prev->content;
    conf->metrics = prev->metrics;
    conf->metrics_remote = prev->metrics_remote;
    conf->metrics_created = prev->metrics_created;
    conf->keys_api = prev->keys_api;
    conf->keys_api_remote = prev->keys_api_remote;
    conf->login.name = prev->login.name;
    conf->recorder = prev->recorder;

    if (clcf->lmt_excpt) {
        clcf->handler = conf->content;
    }
}


/* aiobs_metrics [remote] [created] */

char *
ngx_http_aiobs_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aiobs_loc_conf_t *lcf = conf;

    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_http_aiobs_main_conf_t  *amcf;

    if (lcf->metrics) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "remote") == 0) {
            lcf->metrics_remote = 1;

        } else if (ngx_strcmp(value[i].data, "created") == 0) {
            lcf->metrics_created = 1;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of "
                               "\"aiobs_metrics\": \"remote\" and "
                               "\"created\" are accepted", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    lcf->metrics = 1;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aiobs_module);
    amcf->used = 1;

    ngx_http_aiobs_answers(cf, ngx_http_aiobs_metrics_content);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_aiobs_metrics_content(ngx_http_request_t *r)
{
    ngx_http_aiobs_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (!lcf->metrics_remote && !ngx_http_aiobs_loopback(r)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "aiobs: metrics asked for from another machine; "
                      "\"aiobs_metrics remote;\" allows it");
        return NGX_HTTP_FORBIDDEN;
    }

    return ngx_http_aiobs_metrics_handler(r, lcf->metrics_created);
}


ngx_uint_t
ngx_http_aiobs_loopback(ngx_http_request_t *r)
{
    struct sockaddr      *sa;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
    u_char               *p;
#endif

    sa = r->connection->sockaddr;

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return (ntohl(sin->sin_addr.s_addr) >> 24) == 127;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            p = sin6->sin6_addr.s6_addr;
            return p[12] == 127;
        }

        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
#endif

#if (NGX_HAVE_UNIX_DOMAIN)
    case AF_UNIX:
        return 1;
#endif

    default:
        return 0;
    }
}
