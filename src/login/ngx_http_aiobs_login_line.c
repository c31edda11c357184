
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs_oidc_provider: its lines, one by one.
 */


#include "ngx_http_aiobs_login_room.h"


#define NGX_HTTP_AIOBS_LOGIN_VALUE_MAX  512


typedef struct ngx_http_aiobs_oidc_option_s  ngx_http_aiobs_oidc_option_t;

typedef char *(*ngx_http_aiobs_oidc_set_pt)(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field);

struct ngx_http_aiobs_oidc_option_s {
    ngx_str_t                    name;
    ngx_http_aiobs_oidc_set_pt   set;
    size_t                       offset;
    ngx_uint_t                   many;      /* values, and lines */
};


static ngx_http_aiobs_oidc_option_t *ngx_http_aiobs_oidc_option(
    ngx_conf_t *cf, ngx_str_t *name);
static char *ngx_http_aiobs_oidc_set_str(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field);
static char *ngx_http_aiobs_oidc_set_secret(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field);
static char *ngx_http_aiobs_oidc_set_file(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field);
static char *ngx_http_aiobs_oidc_set_scope(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field);
static char *ngx_http_aiobs_oidc_set_listed(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field);
static ngx_uint_t ngx_http_aiobs_oidc_domain(const char *domain);
static char *ngx_http_aiobs_oidc_set_msec(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field);
static char *ngx_http_aiobs_oidc_set_sec(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field);
static char *ngx_http_aiobs_oidc_set_auth(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field);
static char *ngx_http_aiobs_oidc_set_user(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field);


#define ngx_http_aiobs_oidc_offset(f)                                         \
    offsetof(ngx_http_aiobs_login_provider_t, f)


static ngx_http_aiobs_oidc_option_t  ngx_http_aiobs_oidc_options[] = {

    { ngx_string("issuer"), ngx_http_aiobs_oidc_set_str,
      ngx_http_aiobs_oidc_offset(issuer), 0 },

    { ngx_string("client_id"), ngx_http_aiobs_oidc_set_str,
      ngx_http_aiobs_oidc_offset(client_id), 0 },

    { ngx_string("client_secret"), ngx_http_aiobs_oidc_set_secret,
      ngx_http_aiobs_oidc_offset(client_secret), 0 },

    { ngx_string("client_auth"), ngx_http_aiobs_oidc_set_auth, 0, 0 },

    { ngx_string("redirect_uri"), ngx_http_aiobs_oidc_set_str,
      ngx_http_aiobs_oidc_offset(redirect_uri), 0 },

    { ngx_string("scopes"), ngx_http_aiobs_oidc_set_scope,
      ngx_http_aiobs_oidc_offset(scopes), 1 },

    { ngx_string("allow_domain"), ngx_http_aiobs_oidc_set_listed,
      ngx_http_aiobs_oidc_offset(domains), 1 },

    { ngx_string("allow_email"), ngx_http_aiobs_oidc_set_listed,
      ngx_http_aiobs_oidc_offset(emails), 1 },

    { ngx_string("key_name"), ngx_http_aiobs_oidc_set_str,
      ngx_http_aiobs_oidc_offset(key_name), 0 },

    { ngx_string("user_id"), ngx_http_aiobs_oidc_set_user, 0, 0 },

    { ngx_string("grace"), ngx_http_aiobs_oidc_set_sec,
      ngx_http_aiobs_oidc_offset(grace), 0 },

    { ngx_string("ca_file"), ngx_http_aiobs_oidc_set_file,
      ngx_http_aiobs_oidc_offset(ca_file), 0 },

    { ngx_string("timeout"), ngx_http_aiobs_oidc_set_msec,
      ngx_http_aiobs_oidc_offset(timeout), 0 },

    { ngx_string("refresh"), ngx_http_aiobs_oidc_set_sec,
      ngx_http_aiobs_oidc_offset(refresh), 0 },

    { ngx_string("cookie_secret"), ngx_http_aiobs_oidc_set_secret,
      ngx_http_aiobs_oidc_offset(cookie_secret), 0 },

    { ngx_null_string, NULL, 0, 0 }
};


char *
ngx_http_aiobs_oidc_line(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aiobs_login_provider_t *p = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_aiobs_oidc_option_t  *o;

    value = cf->args->elts;
    o = ngx_http_aiobs_oidc_option(cf, &value[0]);

    if (o == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts < 2 || (cf->args->nelts > 2 && !o->many)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of arguments in \"%V\"", &value[0]);
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        rv = value[i].len ? o->set(cf, p, &value[i], (char *) p + o->offset)
                          : "is empty";

        if (rv == NGX_CONF_ERROR) {
            return rv;
        }

        if (rv != NGX_CONF_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" %s", &value[0],
                               rv);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_http_aiobs_oidc_option_t *
ngx_http_aiobs_oidc_option(ngx_conf_t *cf, ngx_str_t *name)
{
    ngx_http_aiobs_oidc_option_t  *o;

    for (o = ngx_http_aiobs_oidc_options; o->name.len; o++) {
        if (ngx_strcmp(o->name.data, name->data) == 0) {
            return o;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown directive \"%V\" in \"aiobs_oidc_provider\": "
                       "issuer, client_id, client_secret, client_auth, "
                       "redirect_uri, scopes, allow_domain, allow_email, "
                       "key_name, user_id, grace, ca_file, timeout, refresh "
                       "and cookie_secret are accepted", name);

    return NULL;
}


static char *
ngx_http_aiobs_oidc_set_str(ngx_conf_t *cf, ngx_http_aiobs_login_provider_t *p,
    ngx_str_t *value, void *field)
{
    ngx_str_t  *s = field;

    if (s->len) {
        return "is duplicate";
    }

    if (value->len > NGX_HTTP_AIOBS_LOGIN_VALUE_MAX) {
        return "is longer than 512 bytes";
    }

    *s = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_aiobs_oidc_set_secret(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field)
{
    ngx_str_t  *s = field;

    if (s->len) {
        return "is duplicate";
    }

    if (ngx_http_aiobs_secret(cf, value, s) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return s->len > NGX_HTTP_AIOBS_LOGIN_VALUE_MAX ? "is longer than 512 bytes"
                                                   : NGX_CONF_OK;
}


/* whether it is one is seen now, not when somebody logs in */

static char *
ngx_http_aiobs_oidc_set_file(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field)
{
    ngx_str_t  *s = field;

    if (s->len) {
        return "is duplicate";
    }

    if (ngx_conf_full_name(cf->cycle, value, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_aiobs_worker_reads(cf, value, NGX_LOG_EMERG) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    *s = *value;

    return NGX_CONF_OK;
}


static char *
ngx_http_aiobs_oidc_set_scope(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field)
{
    u_char     *data, *last;
    ngx_str_t  *s = field;

    if (s->len + 1 + value->len > NGX_HTTP_AIOBS_LOGIN_VALUE_MAX) {
        return "are longer than 512 bytes";
    }

    data = ngx_pnalloc(cf->pool, s->len + 1 + value->len + 1);
    if (data == NULL) {
        return NGX_CONF_ERROR;
    }

    last = ngx_cpymem(data, s->data, s->len);

    if (s->len) {
        *last++ = ' ';
    }

    last = ngx_cpymem(last, value->data, value->len);
    *last = '\0';

    s->data = data;
    s->len = last - data;

    return NGX_CONF_OK;
}


/* a domain, "*" for all of them, or an address */

static char *
ngx_http_aiobs_oidc_set_listed(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field)
{
    char         **text, *at;
    ngx_array_t  **list = field;

    if (ngx_strcmp(value->data, "*") == 0 && list == &p->domains) {
        p->oidc.anyone = 1;
        return NGX_CONF_OK;
    }

    at = strchr((char *) value->data, '@');

    if ((at != NULL) != (list == &p->emails)
        || !ngx_http_aiobs_oidc_domain(at ? at + 1 : (char *) value->data)
        || strpbrk((char *) value->data, " ,;*\"<>") != NULL)
    {
        return list == &p->emails
               ? "wants addresses such as \"jo@example.com\""
               : "wants domains such as \"example.com\", or \"*\" for everyone";
    }

    if (*list == NULL) {
        *list = ngx_array_create(cf->pool, 4, sizeof(char *));
        if (*list == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    text = ngx_array_push(*list);
    if (text == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_strlow(value->data, value->data, value->len);
    *text = (char *) value->data;

    return NGX_CONF_OK;
}


/* what no address ends with would let nobody in, without a word */

static ngx_uint_t
ngx_http_aiobs_oidc_domain(const char *domain)
{
    size_t  len;

    len = strspn(domain, "abcdefghijklmnopqrstuvwxyz"
                         "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");

    return len > 0 && domain[len] == '\0' && domain[0] != '.'
           && domain[len - 1] != '.';
}


static char *
ngx_http_aiobs_oidc_set_msec(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field)
{
    ngx_int_t    n;
    ngx_msec_t  *msec = field;

    if (*msec != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    n = ngx_parse_time(value, 0);

    if (n == NGX_ERROR || n < 100 || n > 60000) {
        return "wants a time from \"100ms\" to \"60s\"";
    }

    *msec = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_aiobs_oidc_set_sec(ngx_conf_t *cf, ngx_http_aiobs_login_provider_t *p,
    ngx_str_t *value, void *field)
{
    time_t  n, *sec = field;

    if (*sec != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    n = ngx_parse_time(value, 1);

    if (n == NGX_ERROR || (n == 0 && sec == &p->refresh)) {
        return "wants a time such as \"1h\"";
    }

    *sec = n;

    return NGX_CONF_OK;
}


static char *
ngx_http_aiobs_oidc_set_auth(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field)
{
    if (p->oidc.auth != AIOBS_OIDC_AUTH_AUTO) {
        return "is duplicate";
    }

    if (ngx_strcmp(value->data, "basic") == 0) {
        p->oidc.auth = AIOBS_OIDC_AUTH_BASIC;

    } else if (ngx_strcmp(value->data, "post") == 0) {
        p->oidc.auth = AIOBS_OIDC_AUTH_POST;

    } else {
        return "must be \"basic\" or \"post\"";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_aiobs_oidc_set_user(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p, ngx_str_t *value, void *field)
{
    if (p->user_is_email != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    if (ngx_strcmp(value->data, "sub") == 0) {
        p->user_is_email = 0;

    } else if (ngx_strcmp(value->data, "email") == 0) {
        p->user_is_email = 1;

    } else {
        return "must be \"sub\" or \"email\"";
    }

    return NGX_CONF_OK;
}
