
/*
 * Copyright (C) the aiobs authors
 *
 * The way to the provider: the authorization request, and the cookie that
 * binds its answer to this browser.
 */


#include "ngx_http_aiobs_login_room.h"


#define NGX_HTTP_AIOBS_LOGIN_LOCATION  8192     /* bytes */
#define NGX_HTTP_AIOBS_LOGIN_HINT      256


static ngx_int_t ngx_http_aiobs_login_location(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login, const aiobs_oidc_ticket_t *ticket,
    const char *state, ngx_str_t *location);
static void ngx_http_aiobs_login_hint(ngx_http_request_t *r,
    aiobs_oidc_text_t *t);


ngx_int_t
ngx_http_aiobs_login_redirect(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login)
{
    char                  tag[NGX_HTTP_AIOBS_LOGIN_TAG + 1];
    char                  state[AIOBS_OIDC_SECRET_LEN + 1];
    char                  cookie[AIOBS_OIDC_COOKIE_LEN + 1];
    u_char                random[AIOBS_OIDC_RANDOM];
    ngx_str_t             location, no_store;
    aiobs_oidc_ticket_t   ticket;

    ngx_http_aiobs_login_secret(login->provider, &ticket);
    ngx_http_aiobs_random(random, AIOBS_OIDC_RANDOM);

    ngx_str_set(&no_store, "no-store");

    if (aiobs_oidc_seal(&ticket, random, ngx_time(), cookie) != 0
        || aiobs_oidc_derive(&ticket, "state", state) != 0
        || ngx_http_aiobs_login_tag((u_char *) state, tag) != NGX_OK
        || ngx_http_aiobs_login_location(r, login, &ticket, state, &location)
           != NGX_OK
        || ngx_http_aiobs_login_make_room(r, login->provider) != NGX_OK
        || ngx_http_aiobs_login_set_cookie(r, login->provider, tag, cookie)
           != NGX_OK
        || ngx_http_aiobs_header_push(r, &r->headers_out.headers, "Location",
                                      sizeof("Location") - 1, &location)
           == NULL
        || ngx_http_aiobs_header_push(r, &r->headers_out.headers,
                                      "Cache-Control",
                                      sizeof("Cache-Control") - 1, &no_store)
           == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_MOVED_TEMPORARILY;
    r->headers_out.content_length_n = 0;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


static ngx_int_t
ngx_http_aiobs_login_location(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login, const aiobs_oidc_ticket_t *ticket,
    const char *state, ngx_str_t *location)
{
    char               *buf;
    char                nonce[AIOBS_OIDC_SECRET_LEN + 1];
    char                verifier[AIOBS_OIDC_SECRET_LEN + 1];
    char                challenge[AIOBS_OIDC_SECRET_LEN + 1];
    aiobs_oidc_conf_t  *conf;
    aiobs_oidc_text_t   t;

    conf = &login->provider->oidc;

    buf = ngx_pnalloc(r->pool, NGX_HTTP_AIOBS_LOGIN_LOCATION);

    if (buf == NULL
        || aiobs_oidc_derive(ticket, "nonce", nonce) != 0
        || aiobs_oidc_derive(ticket, "verifier", verifier) != 0
        || aiobs_oidc_challenge(verifier, challenge) != 0)
    {
        return NGX_ERROR;
    }

    aiobs_oidc_text(&t, buf, NGX_HTTP_AIOBS_LOGIN_LOCATION);

    aiobs_oidc_put(&t, login->endpoint);
    aiobs_oidc_put(&t, ngx_strchr(login->endpoint, '?') ? "&" : "?");

    aiobs_oidc_pair(&t, 1, "response_type", "code");
    aiobs_oidc_pair(&t, 0, "client_id", conf->client_id);
    aiobs_oidc_pair(&t, 0, "redirect_uri", conf->redirect_uri);
    aiobs_oidc_pair(&t, 0, "scope", conf->scopes);
    aiobs_oidc_pair(&t, 0, "state", state);
    aiobs_oidc_pair(&t, 0, "nonce", nonce);
    aiobs_oidc_pair(&t, 0, "code_challenge", challenge);
    aiobs_oidc_pair(&t, 0, "code_challenge_method", "S256");
    ngx_http_aiobs_login_hint(r, &t);

    location->data = (u_char *) buf;
    location->len = t.p - buf;

    return t.full ? NGX_ERROR : NGX_OK;
}


/* who is to be asked for, passed on as it came: it is escaped already */

static void
ngx_http_aiobs_login_hint(ngx_http_request_t *r, aiobs_oidc_text_t *t)
{
    u_char      hint[NGX_HTTP_AIOBS_LOGIN_HINT + 1];
    size_t      i;
    ngx_str_t   value;

    static const char  plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789"
                                 "-._~%@+";

    if (ngx_http_arg(r, (u_char *) "login_hint", sizeof("login_hint") - 1,
                     &value)
        != NGX_OK
        || value.len == 0 || value.len > NGX_HTTP_AIOBS_LOGIN_HINT)
    {
        return;
    }

    for (i = 0; i < value.len; i++) {
        if (value.data[i] == '\0' || ngx_strchr(plain, value.data[i]) == NULL)
        {
            return;
        }
    }

    ngx_cpystrn(hint, value.data, value.len + 1);

    aiobs_oidc_put(t, "&login_hint=");
    aiobs_oidc_put(t, (char *) hint);
}


ngx_uint_t
ngx_http_aiobs_login_prefetch(ngx_http_request_t *r)
{
    u_char           *last;
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    static const char *const  names[] = {
        "sec-purpose", "purpose", "x-purpose", "x-moz"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        h = ngx_http_aiobs_header_find(&r->headers_in.headers, names[i],
                                       ngx_strlen(names[i]));

        if (h == NULL) {
            continue;
        }

        last = h->value.data + h->value.len;

        if (ngx_strlcasestrn(h->value.data, last, (u_char *) "prefetch", 8 - 1)
            || ngx_strlcasestrn(h->value.data, last, (u_char *) "preview",
                                7 - 1))
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_aiobs_login_later(ngx_http_request_t *r)
{
    ngx_int_t  rc;
    ngx_str_t  no_store;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_str_set(&no_store, "no-store");

    if (ngx_http_aiobs_header_push(r, &r->headers_out.headers, "Cache-Control",
                                   sizeof("Cache-Control") - 1, &no_store)
        == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;

    return ngx_http_send_header(r);
}
