
/*
 * Copyright (C) the aiobs authors
 *
 * A location where people sign in: the start of the flow, and its callback.
 */


#include "ngx_http_aiobs_login_room.h"


static ngx_http_aiobs_login_t *ngx_http_aiobs_login_make(
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_login_provider_t *provider);
static ngx_int_t ngx_http_aiobs_login_go_on(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login);
static ngx_uint_t ngx_http_aiobs_login_is_callback(ngx_http_request_t *r,
    ngx_http_aiobs_login_provider_t *provider);
static ngx_uint_t ngx_http_aiobs_login_is_start(ngx_http_request_t *r);
static void ngx_http_aiobs_login_event(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_login_finish(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login);
static void ngx_http_aiobs_login_identify(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login);
static void ngx_http_aiobs_login_count(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login);


void
ngx_http_aiobs_login_mask(ngx_http_request_t *r)
{
    ngx_uint_t                         i;
    ngx_http_aiobs_main_conf_t        *amcf;
    ngx_http_aiobs_login_provider_t  **provider;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (!amcf->login.used) {
        return;
    }

    provider = amcf->login.providers->elts;

    for (i = 0; i < amcf->login.providers->nelts; i++) {

        if (!ngx_http_aiobs_login_is_callback(r, provider[i])) {
            continue;
        }

        ngx_http_aiobs_query_mask_all(r);
        return;
    }
}


void
ngx_http_aiobs_login_mask_malformed(ngx_http_request_t *r)
{
    ngx_str_t                         *path;
    ngx_uint_t                         i;
    ngx_http_aiobs_main_conf_t        *amcf;
    ngx_http_aiobs_login_provider_t  **provider;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (!amcf->login.used) {
        return;
    }

    /* its URI may not have been read, or not have been decoded */

    if (r->phase_handler == 0) {
        ngx_http_aiobs_query_mask_all(r);
        ngx_http_aiobs_query_drop(r);
        return;
    }

    provider = amcf->login.providers->elts;

    for (i = 0; i < amcf->login.providers->nelts; i++) {
        path = &provider[i]->path;

        if (memmem(r->request_line.data, r->request_line.len, path->data,
                   path->len))
        {
            ngx_http_aiobs_query_mask_all(r);
            return;
        }
    }
}


ngx_int_t
ngx_http_aiobs_login_hide(ngx_http_request_t *r)
{
    ngx_http_aiobs_ctx_t       *ctx;
    ngx_http_aiobs_login_t     *login;
    ngx_http_aiobs_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (lcf->login.provider == NULL
        || !ngx_http_aiobs_login_is_callback(r, lcf->login.provider))
    {
        return NGX_OK;
    }

    ctx = ngx_http_aiobs_active_ctx(r);

    if (ctx == NULL || ctx->login) {
        return NGX_OK;
    }

    login = ngx_http_aiobs_login_make(r, ctx, lcf->login.provider);
    if (login == NULL) {
        return NGX_ERROR;
    }

    login->callback = 1;
    login->args = r->args;

    ngx_http_aiobs_query_drop(r);

    return NGX_OK;
}


ngx_int_t
ngx_http_aiobs_login_content(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_str_t                   get;
    ngx_http_aiobs_ctx_t       *ctx;
    ngx_http_aiobs_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);
    ctx = ngx_http_aiobs_active_ctx(r);

    if (r != r->main || ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method != NGX_HTTP_GET) {
        ngx_str_set(&get, "GET");

        return ngx_http_aiobs_header_push(r, &r->headers_out.headers, "Allow",
                                          sizeof("Allow") - 1, &get)
               ? NGX_HTTP_NOT_ALLOWED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_aiobs_login_prefetch(r)) {
        return ngx_http_aiobs_login_later(r);
    }

    if (ctx->login == NULL) {

        if (!ngx_http_aiobs_login_is_start(r)) {
            return NGX_HTTP_NOT_FOUND;
        }

        if (ngx_http_aiobs_login_make(r, ctx, lcf->login.provider) == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    rc = ngx_http_discard_request_body(r);

    return rc == NGX_OK ? ngx_http_aiobs_login_go_on(r, ctx->login) : rc;
}


static ngx_int_t
ngx_http_aiobs_login_go_on(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login)
{
    if (login->callback) {
        login->result = ngx_http_aiobs_login_check(r, login);

        if (login->result != AIOBS_LOGIN_OK) {
            return ngx_http_aiobs_login_finish(r, login);
        }
    }

    if (ngx_http_aiobs_login_ask(login) != NGX_AGAIN) {
        login->result = AIOBS_LOGIN_BUSY;
        ngx_cpystrn((u_char *) login->oidc.error,
                    (u_char *) "too many wait for providers already",
                    AIOBS_OIDC_ERROR_MAX);

        return ngx_http_aiobs_login_finish(r, login);
    }

    r->main->count++;
    r->write_event_handler = ngx_http_aiobs_login_event;

    return NGX_DONE;
}


static ngx_http_aiobs_login_t *
ngx_http_aiobs_login_make(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_login_provider_t *provider)
{
    ngx_http_aiobs_login_t  *login;

    login = ngx_pcalloc(r->pool, sizeof(ngx_http_aiobs_login_t));
    if (login == NULL) {
        return NULL;
    }

    login->provider = provider;
    login->request = r;
    login->request_id = ctx->request_id;

    ctx->login = login;

    return login;
}


static ngx_uint_t
ngx_http_aiobs_login_is_callback(ngx_http_request_t *r,
    ngx_http_aiobs_login_provider_t *provider)
{
    return r->uri.len == provider->path.len
           && ngx_memcmp(r->uri.data, provider->path.data, r->uri.len) == 0;
}


/* the location's own name; whatever a regular expression matches */

static ngx_uint_t
ngx_http_aiobs_login_is_start(ngx_http_request_t *r)
{
    size_t                     len;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

#if (NGX_PCRE)
    if (clcf->regex) {
        return 1;
    }
#endif

    len = r->uri.len;

    if (len == clcf->name.len + 1 && r->uri.data[len - 1] == '/') {
        len--;
    }

    return len == clcf->name.len;
}


/* the client's connection may have events meanwhile, too */

static void
ngx_http_aiobs_login_event(ngx_http_request_t *r)
{
    ngx_http_aiobs_ctx_t    *ctx;
    ngx_http_aiobs_login_t  *login;

    ctx = ngx_http_aiobs_get_ctx(r);
    login = ctx->login;

    if (!login->done) {
        return;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_finalize_request(r, ngx_http_aiobs_login_finish(r, login));
}


static ngx_int_t
ngx_http_aiobs_login_finish(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login)
{
    ngx_int_t  rc;

    login->over = 1;

    if (login->result == AIOBS_LOGIN_OK && !login->callback) {
        return ngx_http_aiobs_login_redirect(r, login);
    }

    if (login->result == AIOBS_LOGIN_OK) {
        ngx_http_aiobs_login_identify(r, login);
    }

    ngx_http_aiobs_login_count(r, login);

    rc = ngx_http_aiobs_login_answer(r, login);

    ngx_explicit_memzero(login->key, sizeof(login->key));
    ngx_explicit_memzero(login->oidc.code, sizeof(login->oidc.code));
    ngx_explicit_memzero(login->oidc.verifier, sizeof(login->oidc.verifier));

    return rc;
}


/* the log names whose key it is now, and which */

static void
ngx_http_aiobs_login_identify(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login)
{
    ngx_http_aiobs_ctx_t       *ctx;
    ngx_http_aiobs_identity_t  *id;

    ctx = ngx_http_aiobs_get_ctx(r);

    id = ngx_pcalloc(r->pool, sizeof(ngx_http_aiobs_identity_t));
    if (id == NULL) {
        return;
    }

    id->verdict = NGX_HTTP_AIOBS_KEY_VALID;

    id->user_id.data = id->user_id_data;
    id->user_id.len = ngx_min(ngx_strlen(login->given.user),
                              NGX_HTTP_AIOBS_USER_ID_MAX);
    ngx_memcpy(id->user_id_data, login->given.user, id->user_id.len);

    id->key_name.data = id->key_name_data;
    id->key_name.len = ngx_min(ngx_strlen(login->given.name),
                               NGX_HTTP_AIOBS_KEY_NAME_MAX);
    ngx_memcpy(id->key_name_data, login->given.name, id->key_name.len);

    id->key_id.data = id->key_id_data;
    id->key_id.len = NGX_HTTP_AIOBS_KEY_ID_LEN;
    ngx_memcpy(id->key_id_data, login->hash, NGX_HTTP_AIOBS_KEY_ID_LEN);

    ctx->identity = id;
    ctx->validated = 1;
}


static void
ngx_http_aiobs_login_count(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login)
{
    ngx_str_t    labels[2];
    ngx_uint_t   level;
    const char  *result;

    result = ngx_http_aiobs_login_result_name(login->result);

    labels[0] = login->provider->name;
    labels[1].data = (u_char *) result;
    labels[1].len = ngx_strlen(result);

    ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_LOGINS, labels, 1);

    switch (login->result) {

    case AIOBS_LOGIN_OK:
        return;

    case AIOBS_LOGIN_CLIENT:
    case AIOBS_LOGIN_PROVIDER:
    case AIOBS_LOGIN_STORE:
    case AIOBS_LOGIN_FAILED:
        level = NGX_LOG_ERR;
        break;

    default:
        level = NGX_LOG_WARN;
        break;
    }

    ngx_log_error(level, r->connection->log, 0,
                  "aiobs: login with \"%V\" refused: %s: %s",
                  &login->provider->name, result, login->oidc.error);
}


const char *
ngx_http_aiobs_login_event_name(ngx_http_aiobs_login_t *login)
{
    if (!login->over) {
        return "request";
    }

    if (login->result != AIOBS_LOGIN_OK) {
        return "login_refused";
    }

    return login->callback ? "logged_in" : "login_started";
}


const char *
ngx_http_aiobs_login_error(ngx_http_aiobs_login_t *login)
{
    return login->result == AIOBS_LOGIN_OK
           ? "" : ngx_http_aiobs_login_result_name(login->result);
}


ngx_str_t *
ngx_http_aiobs_login_provider_name(ngx_http_aiobs_login_t *login)
{
    return &login->provider->name;
}
