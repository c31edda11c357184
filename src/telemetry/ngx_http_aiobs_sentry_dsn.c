
/*
 * Copyright (C) the aiobs authors
 *
 * The "dsn" of aiobs_sentry: taken apart into where envelopes go, and by whom.
 */


#include "ngx_http_aiobs_sentry.h"


static void ngx_http_aiobs_sentry_org(ngx_str_t *host, ngx_str_t *org);
static ngx_int_t ngx_http_aiobs_sentry_parse(ngx_str_t *dsn,
    ngx_str_t *scheme, ngx_str_t *key, ngx_str_t *host);
static ngx_int_t ngx_http_aiobs_sentry_host(ngx_str_t *host);
static char *ngx_http_aiobs_sentry_headers(ngx_conf_t *cf,
    ngx_http_aiobs_sentry_t *sentry);


char *
ngx_http_aiobs_sentry_dsn(ngx_conf_t *cf, ngx_http_aiobs_sentry_t *sentry)
{
    u_char     *p, *last;
    ngx_str_t  *dsn, scheme, host, project;

    dsn = &sentry->dsn;
    last = dsn->data + dsn->len;

    if (ngx_http_aiobs_sentry_parse(dsn, &scheme, &sentry->public_key, &host)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the \"dsn\" of \"aiobs_sentry\" is none: "
                           "\"https://KEY@HOST/PROJECT\" is expected");
        return NGX_CONF_ERROR;
    }

    project.data = host.data + host.len;
    project.len = last - project.data;

    sentry->url.data = ngx_pnalloc(cf->pool,
                                   dsn->len + sizeof("api//envelope/"));
    if (sentry->url.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf(sentry->url.data, "%V%V", &scheme, &host);

    sentry->target.data = sentry->url.data;
    sentry->target.len = p - sentry->url.data;

    sentry->gzip = !ngx_http_aiobs_export_local(host.data);

    ngx_http_aiobs_sentry_org(&host, &sentry->org_id);

    p = ngx_sprintf(p, "api/%V/envelope/%Z", &project);
    sentry->url.len = p - 1 - sentry->url.data;

    return ngx_http_aiobs_sentry_headers(cf, sentry);
}


/* Sentry's own hosts name the organisation: o1.ingest.sentry.io */

static void
ngx_http_aiobs_sentry_org(ngx_str_t *host, ngx_str_t *org)
{
    u_char  *p, *last;

    p = host->data + 1;
    last = host->data + host->len;

    while (p < last && *p >= '0' && *p <= '9') {
        p++;
    }

    if (host->data[0] == 'o' && p > host->data + 1 && p < last && *p == '.'
        && (size_t) (p - host->data) <= NGX_INT64_LEN) /* longer is no id */
    {
        org->data = host->data + 1;
        org->len = p - org->data;
    }
}


/*
 * scheme://KEY[:SECRET]@HOST[:PORT][/PATH]/PROJECT; host: up to the project,
 * which is what follows.  Never shown: it is a key.
 */

static ngx_int_t
ngx_http_aiobs_sentry_parse(ngx_str_t *dsn, ngx_str_t *scheme, ngx_str_t *key,
    ngx_str_t *host)
{
    u_char  *p, *at, *colon, *last;

    last = dsn->data + dsn->len;

    scheme->data = dsn->data;
    scheme->len = ngx_strncmp(dsn->data, "https://", 8) == 0 ? 8 : 7;

    if (scheme->len == 7 && ngx_strncmp(dsn->data, "http://", 7) != 0) {
        return NGX_ERROR;
    }

    key->data = dsn->data + scheme->len;
    at = ngx_strlchr(key->data, last, '@');

    if (at == NULL || at == key->data) {
        return NGX_ERROR;
    }

    colon = ngx_strlchr(key->data, at, ':');
    key->len = (colon ? colon : at) - key->data;

    for (p = key->data; p < key->data + key->len; p++) {
        if (!((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
            && !(*p >= '0' && *p <= '9'))
        {
            return NGX_ERROR;
        }
    }

    host->data = at + 1;

    for (p = last; p > host->data && p[-1] != '/'; p--) { /* void */ }

    host->len = p - host->data;

    return host->len == 0 || ngx_atoi(p, last - p) == NGX_ERROR
           ? NGX_ERROR : ngx_http_aiobs_sentry_host(host);
}


/* HOST[:PORT]/[PATH/] */

static ngx_int_t
ngx_http_aiobs_sentry_host(ngx_str_t *host)
{
    u_char  *p, *last, *slash;

    last = host->data + host->len;
    slash = ngx_strlchr(host->data, last, '/');

    for (p = slash; p < last; p++) {
        if (*p <= ' ' || *p >= 0x7f || *p == '?' || *p == '#') {
            return NGX_ERROR;
        }
    }

    return ngx_http_aiobs_export_host(host->data, slash);
}


static char *
ngx_http_aiobs_sentry_headers(ngx_conf_t *cf, ngx_http_aiobs_sentry_t *sentry)
{
    u_char  *auth;

    auth = ngx_pnalloc(cf->pool, sentry->public_key.len + 128);
    if (auth == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_sprintf(auth, "X-Sentry-Auth: Sentry sentry_version=7, "
                      "sentry_client=" NGX_HTTP_AIOBS_SENTRY_CLIENT ", "
                      "sentry_key=%V%Z", &sentry->public_key);

    sentry->headers[0] = "Content-Encoding: gzip";
    sentry->headers[1] = (char *) auth;
    sentry->headers[2] = "Content-Type: application/x-sentry-envelope";
    sentry->headers[3] = "User-Agent: " NGX_HTTP_AIOBS_SENTRY_CLIENT;
    sentry->headers[4] = NULL;

    return NGX_CONF_OK;
}
