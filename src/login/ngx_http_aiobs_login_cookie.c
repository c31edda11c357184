
/*
 * Copyright (C) the aiobs authors
 *
 * Cookies of logins that are under way in a browser: one each, as there may be
 * several tabs, and a few at most.
 */


#include "ngx_http_aiobs_login_room.h"


#define NGX_HTTP_AIOBS_LOGIN_KEPT  4        /* with the one that begins */


static ngx_uint_t ngx_http_aiobs_login_pairs(ngx_str_t *line, ngx_str_t *name,
    ngx_http_aiobs_login_cookie_t *cookies, ngx_uint_t max);


/* nginx's own reader of cookies has another name and meaning since 1.29 */

ngx_uint_t
ngx_http_aiobs_login_cookies(ngx_http_request_t *r,
    ngx_http_aiobs_login_provider_t *provider,
    ngx_http_aiobs_login_cookie_t *cookies)
{
    ngx_uint_t  n;

#if (nginx_version >= 1023000)

    ngx_table_elt_t  *h;

    for (n = 0, h = r->headers_in.cookie; h; h = h->next) {
        n += ngx_http_aiobs_login_pairs(&h->value, &provider->cookie,
                                        &cookies[n],
                                        NGX_HTTP_AIOBS_LOGIN_COOKIES - n);
    }

#else

    ngx_uint_t         i;
    ngx_table_elt_t  **h;

    h = r->headers_in.cookies.elts;

    for (n = 0, i = 0; i < r->headers_in.cookies.nelts; i++) {
        n += ngx_http_aiobs_login_pairs(&h[i]->value, &provider->cookie,
                                        &cookies[n],
                                        NGX_HTTP_AIOBS_LOGIN_COOKIES - n);
    }

#endif

    return n;
}


/* "a=1; name.TAG=value; b=2" */

static ngx_uint_t
ngx_http_aiobs_login_pairs(ngx_str_t *line, ngx_str_t *name,
    ngx_http_aiobs_login_cookie_t *cookies, ngx_uint_t max)
{
    u_char      *p, *end, *last;
    size_t       len;
    ngx_uint_t   n;

    n = 0;
    len = name->len + 1 + NGX_HTTP_AIOBS_LOGIN_TAG;
    last = line->data + line->len;

    for (p = line->data; p < last && n < max; p = end + 1) {

        while (p < last && *p == ' ') {
            p++;
        }

        end = ngx_strlchr(p, last, ';');
        end = end ? end : last;

        if ((size_t) (end - p) > len && p[len] == '=' && p[name->len] == '.'
            && ngx_strncmp(p, name->data, name->len) == 0
            && ngx_http_aiobs_login_tag(p + name->len + 1, cookies[n].tag)
               == NGX_OK)
        {
            cookies[n].value.data = p + len + 1;
            cookies[n].value.len = end - cookies[n].value.data;
            n++;
        }
    }

    return n;
}


ngx_int_t
ngx_http_aiobs_login_tag(const u_char *state, char *tag)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_AIOBS_LOGIN_TAG; i++) {

        if (!(state[i] >= 'A' && state[i] <= 'Z')
            && !(state[i] >= 'a' && state[i] <= 'z')
            && !(state[i] >= '0' && state[i] <= '9')
            && state[i] != '-' && state[i] != '_')
        {
            return NGX_DECLINED;
        }

        tag[i] = state[i];
    }

    tag[i] = '\0';

    return NGX_OK;
}


/* those that are none of ours, or cannot be read, count as oldest */

ngx_int_t
ngx_http_aiobs_login_make_room(ngx_http_request_t *r,
    ngx_http_aiobs_login_provider_t *provider)
{
    int64_t                        began[NGX_HTTP_AIOBS_LOGIN_COOKIES];
    ngx_uint_t                     i, n, left, oldest;
    aiobs_oidc_ticket_t            ticket;
    ngx_http_aiobs_login_cookie_t  cookies[NGX_HTTP_AIOBS_LOGIN_COOKIES];

    n = ngx_http_aiobs_login_cookies(r, provider, cookies);

    if (n < NGX_HTTP_AIOBS_LOGIN_KEPT) {
        return NGX_OK;
    }

    ngx_http_aiobs_login_secret(provider, &ticket);

    for (i = 0; i < n; i++) {
        if (aiobs_oidc_unseal(&ticket, (char *) cookies[i].value.data,
                              cookies[i].value.len, &began[i])
            != 0)
        {
            began[i] = 0;
        }
    }

    for (left = n; left >= NGX_HTTP_AIOBS_LOGIN_KEPT; left--) {

        for (oldest = 0, i = 1; i < n; i++) {
            if (began[i] < began[oldest]) {
                oldest = i;
            }
        }

        if (ngx_http_aiobs_login_set_cookie(r, provider, cookies[oldest].tag,
                                            "")
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        began[oldest] = INT64_MAX;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_aiobs_login_set_cookie(ngx_http_request_t *r,
    ngx_http_aiobs_login_provider_t *provider, const char *tag,
    const char *value)
{
    u_char     *p;
    ngx_str_t   cookie;

    p = ngx_pnalloc(r->pool, provider->cookie.len + NGX_HTTP_AIOBS_LOGIN_TAG
                             + AIOBS_OIDC_COOKIE_LEN
                             + sizeof(".=; Path=/; Max-Age=; HttpOnly; "
                                      "SameSite=Lax; Secure")
                             + NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    cookie.data = p;
    p = ngx_sprintf(p, "%V.%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax",
                    &provider->cookie, tag, value,
                    *value ? NGX_HTTP_AIOBS_LOGIN_TTL : 0);

    if (provider->origin.data[4] == 's') {
        p = ngx_cpymem(p, "; Secure", sizeof("; Secure") - 1);
    }

    cookie.len = p - cookie.data;

    return ngx_http_aiobs_header_push(r, &r->headers_out.headers, "Set-Cookie",
                                      sizeof("Set-Cookie") - 1, &cookie)
           ? NGX_OK : NGX_ERROR;
}
