
/*
 * Copyright (C) the aiobs authors
 *
 * What is left of a key when the lines that held it are gone: other cookies of
 * its line go on, and nginx's own variables are read anew.
 */


#include "ngx_http_aiobs_request.h"


/* cookies that hold the key, of one request; with more no cookie goes on */
#define NGX_HTTP_AIOBS_KEY_COOKIES  8


typedef struct {
    ngx_uint_t                  n;      /* more than there is room for: all */
    ngx_str_t                   name[NGX_HTTP_AIOBS_KEY_COOKIES];
} ngx_http_aiobs_cookies_t;


/* a pair of a line of cookies, and its name */

typedef struct {
    ngx_str_t                   text;
    ngx_str_t                   name;
} ngx_http_aiobs_cookie_t;


typedef ngx_int_t (*ngx_http_aiobs_cookie_pt)(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_table_elt_t *h,
    ngx_http_aiobs_cookies_t *cookies);


static ngx_int_t ngx_http_aiobs_key_each(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_cookie_pt handler,
    ngx_http_aiobs_cookies_t *cookies);
static ngx_int_t ngx_http_aiobs_key_named(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_table_elt_t *h,
    ngx_http_aiobs_cookies_t *cookies);
static ngx_int_t ngx_http_aiobs_key_cut(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_table_elt_t *h,
    ngx_http_aiobs_cookies_t *cookies);
static u_char *ngx_http_aiobs_key_cut_pairs(ngx_str_t *line,
    ngx_http_aiobs_cookies_t *cookies, u_char *dst);
static u_char *ngx_http_aiobs_key_pair(u_char *p, u_char *last,
    ngx_http_aiobs_cookie_t *pair);
static ngx_uint_t ngx_http_aiobs_key_pair_goes(
    ngx_http_aiobs_cookies_t *cookies, ngx_str_t *name);
static ngx_uint_t ngx_http_aiobs_name_begins(ngx_str_t *name,
    const char *text, size_t len);
static ngx_uint_t ngx_http_aiobs_variable_set(ngx_http_core_main_conf_t *cmcf,
    ngx_str_t *name);
#if (nginx_version < 1023000)
static void ngx_http_aiobs_key_lost(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf, ngx_array_t *lines);
#endif


/*
 * Applications need the others.  Of the name of a cookie that holds the key all
 * go: there may be an older key in another, of another path.  A line of nothing
 * else that has the key is left to those that drop lines.
 */

ngx_int_t
ngx_http_aiobs_key_cookies(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf)
{
    ngx_http_aiobs_cookies_t  cookies;

#if (nginx_version >= 1023000)

    if (r->headers_in.cookie == NULL) {
        return NGX_OK;
    }

#else

    if (r->headers_in.cookies.nelts == 0) {
        return NGX_OK;
    }

#endif

    if (!ngx_http_aiobs_key_goes(ctx, lcf)) {
        return NGX_OK;
    }

    cookies.n = 0;

    (void) ngx_http_aiobs_key_each(r, ctx, ngx_http_aiobs_key_named, &cookies);

    if (cookies.n == 0) {
        return NGX_OK;
    }

    return ngx_http_aiobs_key_each(r, ctx, ngx_http_aiobs_key_cut, &cookies);
}


/* nginx's own array may have older lines than the list has */

static ngx_int_t
ngx_http_aiobs_key_each(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_cookie_pt handler, ngx_http_aiobs_cookies_t *cookies)
{
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *last;

#if (nginx_version < 1023000)

    ngx_uint_t         i;
    ngx_table_elt_t  **elts;

    elts = r->headers_in.cookies.elts;

    for (i = 0; i < r->headers_in.cookies.nelts; i++) {
        if (handler(r, ctx, elts[i], cookies) != NGX_OK) {
            return NGX_ERROR;
        }
    }

#endif

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (last = h + part->nelts; h < last; h++) {
            if (ngx_http_aiobs_header_is(h, "cookie", 6)
                && handler(r, ctx, h, cookies) != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aiobs_key_named(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_table_elt_t *h, ngx_http_aiobs_cookies_t *cookies)
{
    u_char                   *p, *last;
    ngx_http_aiobs_cookie_t   pair;

    if (!ngx_http_aiobs_has_key(ctx, &h->value)) {
        return NGX_OK;
    }

    last = h->value.data + h->value.len;

    for (p = h->value.data; p < last; /* void */) {
        p = ngx_http_aiobs_key_pair(p, last, &pair);

        if (ngx_http_aiobs_has_key(ctx, &pair.text)
            && !ngx_http_aiobs_key_pair_goes(cookies, &pair.name))
        {
            if (cookies->n < NGX_HTTP_AIOBS_KEY_COOKIES) {
                cookies->name[cookies->n] = pair.name;
            }

            cookies->n++;
        }
    }

    return NGX_OK;
}


/* the bytes that came stay where they are: the key is among them */

static ngx_int_t
ngx_http_aiobs_key_cut(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_table_elt_t *h, ngx_http_aiobs_cookies_t *cookies)
{
    u_char     *end;
    ngx_str_t   rest;

    rest.data = ngx_pnalloc(r->pool, h->value.len + 1);
    if (rest.data == NULL) {
        return NGX_ERROR;
    }

    end = ngx_http_aiobs_key_cut_pairs(&h->value, cookies, rest.data);

    if (end == NULL) {
        return NGX_OK;                  /* nothing of it goes */
    }

    rest.len = end - rest.data;

    if (ngx_http_aiobs_has_key(ctx, &h->value)
        && (rest.len == 0 || ngx_http_aiobs_has_key(ctx, &rest)))
    {
        return NGX_OK;                  /* the whole line does */
    }

    rest.data[rest.len] = '\0';
    h->value = rest;

    return NGX_OK;
}


/* "a=1; gw=KEY; b=2": all but the second; NULL: all of them */

static u_char *
ngx_http_aiobs_key_cut_pairs(ngx_str_t *line,
    ngx_http_aiobs_cookies_t *cookies, u_char *dst)
{
    u_char                   *p, *last, *start;
    ngx_uint_t                cut;
    ngx_http_aiobs_cookie_t   pair;

    cut = 0;
    start = dst;
    last = line->data + line->len;

    for (p = line->data; p < last; /* void */) {
        p = ngx_http_aiobs_key_pair(p, last, &pair);

        if (ngx_http_aiobs_key_pair_goes(cookies, &pair.name)) {
            cut = 1;
            continue;
        }

        if (dst == start) {
            while (pair.text.len && *pair.text.data == ' ') {
                pair.text.data++;
                pair.text.len--;
            }

        } else {
            *dst++ = ';';
        }

        dst = ngx_cpymem(dst, pair.text.data, pair.text.len);
    }

    return cut ? dst : NULL;
}


/* the one at p, with the spaces around it; returns where the next one is */

static u_char *
ngx_http_aiobs_key_pair(u_char *p, u_char *last, ngx_http_aiobs_cookie_t *pair)
{
    u_char  *end, *name;

    end = memchr(p, ';', last - p);
    end = end ? end : last;

    pair->text.data = p;
    pair->text.len = end - p;

    while (p < end && (*p == ' ' || *p == '\t')) {
        p++;
    }

    name = memchr(p, '=', end - p);
    name = name ? name : end;

    while (name > p && (name[-1] == ' ' || name[-1] == '\t')) {
        name--;
    }

    pair->name.data = p;
    pair->name.len = name - p;

    return end + 1;
}


/* as nginx compares them */

static ngx_uint_t
ngx_http_aiobs_key_pair_goes(ngx_http_aiobs_cookies_t *cookies,
    ngx_str_t *name)
{
    ngx_uint_t  i;

    if (cookies->n > NGX_HTTP_AIOBS_KEY_COOKIES) {
        return 1;
    }

    for (i = 0; i < cookies->n; i++) {
        if (cookies->name[i].len == name->len
            && ngx_strncasecmp(cookies->name[i].data, name->data, name->len)
               == 0)
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_aiobs_key_variables(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf)
{
    ngx_str_t                          text;
    ngx_uint_t                         i;
    ngx_http_variable_value_t         *vv;
    ngx_http_aiobs_main_conf_t        *amcf;
    ngx_http_aiobs_header_variable_t  *hv;

    if (!ctx->disagree && !ngx_http_aiobs_key_goes(ctx, lcf)) {
        return;
    }

#if (nginx_version < 1023000)

    ngx_http_aiobs_key_lost(ctx, lcf, &r->headers_in.cookies);

#if (NGX_HTTP_X_FORWARDED_FOR)
    ngx_http_aiobs_key_lost(ctx, lcf, &r->headers_in.x_forwarded_for);
#endif

#endif

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);
    hv = amcf->header_variables.elts;

    for (i = 0; i < amcf->header_variables.nelts; i++) {
        vv = &r->variables[hv[i].index];

        if (!vv->valid) {
            continue;
        }

        text.len = vv->len;
        text.data = vv->data;

        /* of keys that disagree the others are not known here */

        if (ngx_http_aiobs_has_key(ctx, &text)
            || (ctx->disagree && !hv[i].set))
        {
            vv->valid = 0;
            vv->not_found = 0;
        }
    }
}


#if (nginx_version < 1023000)

/* the lines that were dropped: nginx has them elsewhere, too */

static void
ngx_http_aiobs_key_lost(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf, ngx_array_t *lines)
{
    ngx_uint_t         i, n;
    ngx_table_elt_t  **h;

    h = lines->elts;

    for (i = 0, n = 0; i < lines->nelts; i++) {
        if (!ngx_http_aiobs_header_has_key(ctx, lcf, h[i])) {
            h[n++] = h[i];
        }
    }

    lines->nelts = n;
}

#endif


/* $http_NAME and $cookie_NAME are read once, maybe before the key is known */

ngx_int_t
ngx_http_aiobs_key_variables_init(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf)
{
    ngx_uint_t                         i;
    ngx_http_variable_t               *v;
    ngx_http_core_main_conf_t         *cmcf;
    ngx_http_aiobs_header_variable_t  *hv;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (ngx_array_init(&amcf->header_variables, cf->pool, 8,
                       sizeof(ngx_http_aiobs_header_variable_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (!ngx_http_aiobs_name_begins(&v[i].name, "http_", 5)
            && !ngx_http_aiobs_name_begins(&v[i].name, "cookie_", 7))
        {
            continue;
        }

        hv = ngx_array_push(&amcf->header_variables);
        if (hv == NULL) {
            return NGX_ERROR;
        }

        hv->index = i;
        hv->set = ngx_http_aiobs_variable_set(cmcf, &v[i].name);
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_aiobs_name_begins(ngx_str_t *name, const char *text, size_t len)
{
    return name->len >= len && ngx_strncmp(name->data, text, len) == 0;
}


/* whether it is one of "set", "map" and the like, not nginx's own */

static ngx_uint_t
ngx_http_aiobs_variable_set(ngx_http_core_main_conf_t *cmcf, ngx_str_t *name)
{
    ngx_uint_t           i;
    ngx_hash_key_t      *key;
    ngx_http_variable_t *v;

    key = cmcf->variables_keys->keys.elts;

    for (i = 0; i < cmcf->variables_keys->keys.nelts; i++) {
        v = key[i].value;

        if (v->name.len == name->len
            && ngx_strncmp(v->name.data, name->data, name->len) == 0)
        {
            return (v->flags & NGX_HTTP_VAR_CHANGEABLE) != 0;
        }
    }

    return 0;
}
