
/*
 * Copyright (C) the aiobs authors
 *
 * The answer that a provider sends with the browser: is it one to this
 * browser's login?
 */


#include "ngx_http_aiobs_login_room.h"

#include <openssl/crypto.h>


typedef struct {
    ngx_str_t      state;
    ngx_str_t      code;
    ngx_str_t      iss;
    ngx_str_t      error;
} ngx_http_aiobs_callback_t;


static ngx_int_t ngx_http_aiobs_callback_read(ngx_http_request_t *r,
    ngx_str_t *args, ngx_http_aiobs_callback_t *cb);
static ngx_str_t *ngx_http_aiobs_callback_member(ngx_http_aiobs_callback_t *cb,
    u_char *name, size_t len);
static ngx_int_t ngx_http_aiobs_callback_value(ngx_http_request_t *r,
    ngx_str_t *value);
static aiobs_login_e ngx_http_aiobs_callback_cookie(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login, ngx_str_t *state, ngx_str_t *value);
static aiobs_login_e ngx_http_aiobs_callback_ticket(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login, aiobs_oidc_ticket_t *ticket,
    ngx_str_t *state);
static aiobs_login_e ngx_http_aiobs_callback_answer(
    ngx_http_aiobs_login_t *login, ngx_http_aiobs_callback_t *cb);
static aiobs_login_e ngx_http_aiobs_callback_refused(
    ngx_http_aiobs_login_t *login, ngx_str_t *error);
static aiobs_login_e ngx_http_aiobs_callback_wrong(
    ngx_http_aiobs_login_t *login, aiobs_login_e rc, const char *what);


/* of RFC 6749, 4.1.2.1, and OpenID Connect Core, 3.1.2.6 */

static const struct {
    const char     *code;
    aiobs_login_e   rc;
} ngx_http_aiobs_callback_errors[] = {
    { "access_denied", AIOBS_LOGIN_DENIED },        /* the person's doing */
    { "login_required", AIOBS_LOGIN_DENIED },
    { "consent_required", AIOBS_LOGIN_DENIED },
    { "interaction_required", AIOBS_LOGIN_DENIED },
    { "account_selection_required", AIOBS_LOGIN_DENIED },
    { "unauthorized_client", AIOBS_LOGIN_CLIENT },
    { "invalid_request", AIOBS_LOGIN_PROVIDER },
    { "invalid_scope", AIOBS_LOGIN_PROVIDER },
    { "unsupported_response_type", AIOBS_LOGIN_PROVIDER },
    { "server_error", AIOBS_LOGIN_PROVIDER },
    { "temporarily_unavailable", AIOBS_LOGIN_PROVIDER }
};


aiobs_login_e
ngx_http_aiobs_login_check(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login)
{
    aiobs_login_e               rc;
    aiobs_oidc_ticket_t         ticket;
    ngx_http_aiobs_callback_t   cb;

    if (ngx_http_aiobs_callback_read(r, &login->args, &cb) != NGX_OK) {
        return ngx_http_aiobs_callback_wrong(login, AIOBS_LOGIN_REQUEST,
                                   "an argument comes twice, or is no text");
    }

    if (cb.state.len == 0) {
        return ngx_http_aiobs_callback_wrong(login, AIOBS_LOGIN_REQUEST,
                                             "there is no state");
    }

    rc = ngx_http_aiobs_callback_ticket(r, login, &ticket, &cb.state);

    if (rc == AIOBS_LOGIN_OK) {
        rc = ngx_http_aiobs_callback_answer(login, &cb);
    }

    if (rc != AIOBS_LOGIN_OK) {
        return rc;
    }

    if (aiobs_oidc_derive(&ticket, "verifier", login->oidc.verifier) != 0
        || aiobs_oidc_derive(&ticket, "nonce", login->oidc.nonce) != 0)
    {
        return ngx_http_aiobs_callback_wrong(login, AIOBS_LOGIN_FAILED,
                                             "OpenSSL failed");
    }

    ngx_memcpy(login->oidc.code, cb.code.data, cb.code.len);
    login->oidc.code[cb.code.len] = '\0';
    login->iss = (cb.iss.len != 0);

    return AIOBS_LOGIN_OK;
}


/* what comes twice means one thing here and another at the provider */

static ngx_int_t
ngx_http_aiobs_callback_read(ngx_http_request_t *r, ngx_str_t *args,
    ngx_http_aiobs_callback_t *cb)
{
    u_char     *p, *last, *amp, *eq;
    ngx_str_t  *member;

    ngx_memzero(cb, sizeof(ngx_http_aiobs_callback_t));

    p = args->data;
    last = p + args->len;

    for ( /* void */ ; p < last; p = amp + 1) {
        amp = ngx_strlchr(p, last, '&');
        amp = amp ? amp : last;
        eq = ngx_strlchr(p, amp, '=');

        if (eq == NULL) {
            continue;
        }

        member = ngx_http_aiobs_callback_member(cb, p, eq - p);

        if (member == NULL) {
            continue;
        }

        if (member->data) {
            return NGX_DECLINED;
        }

        member->data = eq + 1;
        member->len = amp - eq - 1;

        if (ngx_http_aiobs_callback_value(r, member) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static ngx_str_t *
ngx_http_aiobs_callback_member(ngx_http_aiobs_callback_t *cb, u_char *name,
    size_t len)
{
    ngx_uint_t  i;

    struct {
        ngx_str_t   name;
        ngx_str_t  *member;
    } members[] = {
        { ngx_string("state"), &cb->state },
        { ngx_string("code"), &cb->code },
        { ngx_string("iss"), &cb->iss },
        { ngx_string("error"), &cb->error }
    };

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (members[i].name.len == len
            && ngx_memcmp(members[i].name.data, name, len) == 0)
        {
            return members[i].member;
        }
    }

    return NULL;
}


/* unescaped, with a NUL behind it; it has none inside */

static ngx_int_t
ngx_http_aiobs_callback_value(ngx_http_request_t *r, ngx_str_t *value)
{
    u_char  *dst, *src;

    src = value->data;

    dst = ngx_pnalloc(r->pool, value->len + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    value->data = dst;

    ngx_unescape_uri(&dst, &src, value->len, 0);

    value->len = dst - value->data;
    *dst = '\0';

    return ngx_strlen(value->data) == value->len ? NGX_OK : NGX_DECLINED;
}


/* the one that the state is derived from bears its beginning in its name */

static aiobs_login_e
ngx_http_aiobs_callback_cookie(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login, ngx_str_t *state, ngx_str_t *value)
{
    ngx_uint_t                     i, n;
    ngx_http_aiobs_login_cookie_t  cookies[NGX_HTTP_AIOBS_LOGIN_COOKIES];

    n = ngx_http_aiobs_login_cookies(r, login->provider, cookies);

    if (n == 0) {
        return ngx_http_aiobs_callback_wrong(login, AIOBS_LOGIN_COOKIE,
                                             "the browser sent no cookie");
    }

    if (state->len == AIOBS_OIDC_SECRET_LEN
        && ngx_http_aiobs_login_tag(state->data, login->tag) == NGX_OK)
    {
        for (i = 0; i < n; i++) {
            if (ngx_strcmp(cookies[i].tag, login->tag) == 0) {
                *value = cookies[i].value;
                return AIOBS_LOGIN_OK;
            }
        }
    }

    return ngx_http_aiobs_callback_wrong(login, AIOBS_LOGIN_STATE,
                                "state is not that of a login of the browser");
}


static aiobs_login_e
ngx_http_aiobs_callback_ticket(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login, aiobs_oidc_ticket_t *ticket,
    ngx_str_t *state)
{
    char           text[AIOBS_OIDC_SECRET_LEN + 1];
    int64_t        began, now;
    ngx_str_t      cookie;
    aiobs_login_e  rc;

    rc = ngx_http_aiobs_callback_cookie(r, login, state, &cookie);

    if (rc != AIOBS_LOGIN_OK) {
        return rc;
    }

    ngx_http_aiobs_login_secret(login->provider, ticket);

    if (aiobs_oidc_unseal(ticket, (char *) cookie.data, cookie.len, &began)
        != 0
        || aiobs_oidc_derive(ticket, "state", text) != 0)
    {
        return ngx_http_aiobs_callback_wrong(login, AIOBS_LOGIN_COOKIE,
                                             "the cookie is not ours");
    }

    if (state->len != AIOBS_OIDC_SECRET_LEN
        || CRYPTO_memcmp(state->data, text, AIOBS_OIDC_SECRET_LEN) != 0)
    {
        return ngx_http_aiobs_callback_wrong(login, AIOBS_LOGIN_STATE,
                                "state is not that of a login of the browser");
    }

    now = ngx_time();

    if (now - began > NGX_HTTP_AIOBS_LOGIN_TTL
        || began - now > AIOBS_OIDC_SKEW)
    {
        return ngx_http_aiobs_callback_wrong(login, AIOBS_LOGIN_EXPIRED,
                                             "the login began too long ago");
    }

    if (ngx_http_aiobs_login_use(ticket->ticket,
                                 began + NGX_HTTP_AIOBS_LOGIN_TTL)
        != NGX_OK)
    {
        return ngx_http_aiobs_callback_wrong(login, AIOBS_LOGIN_REPLAY,
                                             "this answer came before");
    }

    login->oidc.began = began;
    login->oidc.now = now;

    return AIOBS_LOGIN_OK;
}


static aiobs_login_e
ngx_http_aiobs_callback_answer(ngx_http_aiobs_login_t *login,
    ngx_http_aiobs_callback_t *cb)
{
    if (cb->iss.len
        && ngx_strcmp(cb->iss.data, login->provider->oidc.issuer) != 0)
    {
        return ngx_http_aiobs_callback_wrong(login, AIOBS_LOGIN_ISSUER,
                                   "iss is that of another provider");
    }

    if (cb->error.len) {
        return ngx_http_aiobs_callback_refused(login, &cb->error);
    }

    if (cb->code.len == 0 || cb->code.len > AIOBS_OIDC_CODE_MAX) {
        return ngx_http_aiobs_callback_wrong(login, AIOBS_LOGIN_REQUEST,
                                   "there is no code of at most 7168 bytes");
    }

    return AIOBS_LOGIN_OK;
}


static aiobs_login_e
ngx_http_aiobs_callback_refused(ngx_http_aiobs_login_t *login,
    ngx_str_t *error)
{
    size_t       i, n;
    const char  *code;

    n = sizeof(ngx_http_aiobs_callback_errors)
        / sizeof(ngx_http_aiobs_callback_errors[0]);

    for (i = 0; i < n; i++) {
        code = ngx_http_aiobs_callback_errors[i].code;

        if (ngx_strcmp(error->data, code) == 0) {
            return ngx_http_aiobs_callback_wrong(login,
                                  ngx_http_aiobs_callback_errors[i].rc, code);
        }
    }

    return ngx_http_aiobs_callback_wrong(login, AIOBS_LOGIN_PROVIDER,
                              "the provider answered with an error of its own");
}


static aiobs_login_e
ngx_http_aiobs_callback_wrong(ngx_http_aiobs_login_t *login, aiobs_login_e rc,
    const char *what)
{
    ngx_cpystrn((u_char *) login->oidc.error, (u_char *) what,
                AIOBS_OIDC_ERROR_MAX);

    return rc;
}
