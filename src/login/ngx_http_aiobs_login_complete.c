
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs_oidc_provider: what its lines mean together.
 */


#include "ngx_http_aiobs_login_room.h"


static char *ngx_http_aiobs_oidc_urls(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p);
static char *ngx_http_aiobs_oidc_names(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p);
static ngx_uint_t ngx_http_aiobs_oidc_has_openid(const char *scopes);
static ngx_uint_t ngx_http_aiobs_oidc_is_entra(const char *issuer);
static char *ngx_http_aiobs_oidc_fill(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p);


char *
ngx_http_aiobs_oidc_complete(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p)
{
    const char  *missing;

    missing = p->issuer.len == 0 ? "issuer"
              : p->client_id.len == 0 ? "client_id"
              : p->client_secret.len == 0 ? "client_secret"
              : p->redirect_uri.len == 0 ? "redirect_uri"
              : !p->domains && !p->emails && !p->oidc.anyone
                ? "allow_domain\" or \"allow_email"
                : NULL;

    if (missing) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"aiobs_oidc_provider %V\" lacks \"%s\"",
                           &p->name, missing);
        return NGX_CONF_ERROR;
    }

    if (p->cookie_secret.len
        && p->cookie_secret.len < NGX_HTTP_AIOBS_LOGIN_SECRET)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cookie_secret\" is shorter than %d bytes",
                           NGX_HTTP_AIOBS_LOGIN_SECRET);
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_value(p->user_is_email, 0);
    ngx_conf_init_value(p->refresh, 3600);
    ngx_conf_init_value(p->grace, 0);
    ngx_conf_init_msec_value(p->timeout, 5000);

    if (ngx_http_aiobs_oidc_urls(cf, p) != NGX_CONF_OK
        || ngx_http_aiobs_oidc_names(cf, p) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_aiobs_oidc_fill(cf, p);
}


static char *
ngx_http_aiobs_oidc_urls(ngx_conf_t *cf, ngx_http_aiobs_login_provider_t *p)
{
    u_char      *path, *last;
    const char  *wrong;

    wrong = aiobs_oidc_url_error((char *) p->issuer.data, 1);

    if (wrong) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"issuer\" %s", wrong);
        return NGX_CONF_ERROR;
    }

    wrong = aiobs_oidc_url_error((char *) p->redirect_uri.data, 1);
    last = p->redirect_uri.data + p->redirect_uri.len;
    path = wrong ? NULL
           : ngx_strlchr((u_char *) ngx_strstr(p->redirect_uri.data, "://") + 3,
                         last, '/');

    if (!wrong && (path == NULL || ngx_strlchr(path, last, '?')
                   || ngx_strlchr(path, last, '%')))
    {
        wrong = "needs a path of plain characters, and no arguments";
    }

    if (wrong) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"redirect_uri\" %s", wrong);
        return NGX_CONF_ERROR;
    }

    p->path.data = path;
    p->path.len = last - path;
    p->origin.data = p->redirect_uri.data;
    p->origin.len = path - p->origin.data;

    return NGX_CONF_OK;
}


/* a cookie of "__Host-" cannot be planted by a neighbour's site */

static char *
ngx_http_aiobs_oidc_names(ngx_conf_t *cf, ngx_http_aiobs_login_provider_t *p)
{
    u_char      *data;
    const char  *wrong;

    data = ngx_pnalloc(cf->pool, 2 * NGX_HTTP_AIOBS_LOGIN_NAME_MAX + 64);
    if (data == NULL) {
        return NGX_CONF_ERROR;
    }

    p->cookie.data = data;
    p->cookie.len = ngx_sprintf(data, "%saiobs_login_%V",
                                p->origin.data[4] == 's' ? "__Host-" : "",
                                &p->name)
                    - data;

    if (p->key_name.len == 0) {
        p->key_name.data = data + p->cookie.len;
        p->key_name.len = ngx_sprintf(p->key_name.data, "%V-oauth%Z", &p->name)
                          - p->key_name.data - 1;
    }

    wrong = aiobs_key_text_error((char *) p->key_name.data,
                                 AIOBS_KEY_NAME_MAX);

    if (wrong) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"key_name\" %s", wrong);
        return NGX_CONF_ERROR;
    }

    if (p->scopes.len == 0) {
        ngx_str_set(&p->scopes, "openid email");

    } else if (!ngx_http_aiobs_oidc_has_openid((char *) p->scopes.data)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"scopes\" has to hold \"openid\"");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_aiobs_oidc_has_openid(const char *scopes)
{
    size_t  len;

    for ( ;; ) {
        len = strcspn(scopes, " ");

        if (len == 6 && ngx_strncmp(scopes, "openid", 6) == 0) {
            return 1;
        }

        if (scopes[len] == '\0') {
            return 0;
        }

        scopes += len + 1;
    }
}


/* of one tenant, in any of Microsoft's clouds */

static ngx_uint_t
ngx_http_aiobs_oidc_is_entra(const char *issuer)
{
    size_t  i;

    static const char *const  origins[] = {
        "https://login.microsoftonline.com/",
        "https://login.microsoftonline.us/",
        "https://login.partner.microsoftonline.cn/",
        "https://sts.windows.net/"
    };

    for (i = 0; i < sizeof(origins) / sizeof(origins[0]); i++) {
        if (ngx_strncmp(issuer, origins[i], ngx_strlen(origins[i])) == 0) {
            return 1;
        }
    }

    return 0;
}


static char *
ngx_http_aiobs_oidc_fill(ngx_conf_t *cf, ngx_http_aiobs_login_provider_t *p)
{
    char               **last;
    ngx_uint_t           i;
    aiobs_oidc_conf_t   *oidc;

    ngx_array_t  *lists[2] = { p->domains, p->emails };

    for (i = 0; i < 2; i++) {
        if (lists[i]) {
            last = ngx_array_push(lists[i]);
            if (last == NULL) {
                return NGX_CONF_ERROR;
            }

            *last = NULL;
        }
    }

    oidc = &p->oidc;

    oidc->issuer = (char *) p->issuer.data;
    oidc->client_id = (char *) p->client_id.data;
    oidc->client_secret = (char *) p->client_secret.data;
    oidc->redirect_uri = (char *) p->redirect_uri.data;
    oidc->scopes = (char *) p->scopes.data;
    oidc->ca_file = p->ca_file.len ? (char *) p->ca_file.data : NULL;
    oidc->domains = p->domains ? p->domains->elts : NULL;
    oidc->emails = p->emails ? p->emails->elts : NULL;
    oidc->hosted = ngx_strcmp(oidc->issuer, "https://accounts.google.com")
                   == 0;
    oidc->edov = ngx_http_aiobs_oidc_is_entra(oidc->issuer);
    oidc->timeout = p->timeout;

    return NGX_CONF_OK;
}
