
/*
 * Copyright (C) the aiobs authors
 *
 * What is left of a key when the lines that held it are gone: other cookies of
 * its line go on, and nginx's own variables are read anew.
 */


#include "ngx_http_aiobs_request.h"


/* lines of one name, as headers_in has them */

#if (nginx_version >= 1023000)
typedef ngx_table_elt_t *ngx_http_aiobs_lines_t;
#else
typedef ngx_array_t  ngx_http_aiobs_lines_t;
#endif


static ngx_int_t ngx_http_aiobs_key_cut(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_loc_conf_t *lcf,
    ngx_table_elt_t *h);
static u_char *ngx_http_aiobs_key_cut_pairs(ngx_str_t *line, ngx_str_t *key,
    u_char *dst);
static void ngx_http_aiobs_key_lost(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf, ngx_http_aiobs_lines_t *lines);


/*
 * Applications need the others.  A line of nothing else is left to those that
 * drop lines.  The list may have been rebuilt since nginx made its own.
 */

ngx_int_t
ngx_http_aiobs_key_cookies(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf)
{
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *last;

#if (nginx_version >= 1023000)

    if (r->headers_in.cookie == NULL) {
        return NGX_OK;
    }

    for (h = r->headers_in.cookie; h; h = h->next) {
        if (ngx_http_aiobs_key_cut(r, ctx, lcf, h) != NGX_OK) {
            return NGX_ERROR;
        }
    }

#else

    ngx_uint_t         i;
    ngx_table_elt_t  **elts;

    if (r->headers_in.cookies.nelts == 0) {
        return NGX_OK;
    }

    elts = r->headers_in.cookies.elts;

    for (i = 0; i < r->headers_in.cookies.nelts; i++) {
        if (ngx_http_aiobs_key_cut(r, ctx, lcf, elts[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

#endif

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (last = h + part->nelts; h < last; h++) {
            if (ngx_http_aiobs_header_is(h, "cookie", 6)
                && ngx_http_aiobs_key_cut(r, ctx, lcf, h) != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* the bytes that came stay where they are: the key is among them */

static ngx_int_t
ngx_http_aiobs_key_cut(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf, ngx_table_elt_t *h)
{
    ngx_str_t  rest;

    if (!ngx_http_aiobs_header_has_key(ctx, lcf, h)) {
        return NGX_OK;
    }

    rest.data = ngx_pnalloc(r->pool, h->value.len + 1);
    if (rest.data == NULL) {
        return NGX_ERROR;
    }

    rest.len = ngx_http_aiobs_key_cut_pairs(&h->value, &ctx->key, rest.data)
               - rest.data;

    if (rest.len && !ngx_http_aiobs_has_key(ctx, &rest)) {
        rest.data[rest.len] = '\0';
        h->value = rest;
    }

    return NGX_OK;
}


/* "a=1; gw=KEY; b=2": all but the second */

static u_char *
ngx_http_aiobs_key_cut_pairs(ngx_str_t *line, ngx_str_t *key, u_char *dst)
{
    u_char  *p, *end, *last, *start;

    start = dst;
    last = line->data + line->len;

    for (p = line->data; p < last; p = end + 1) {

        end = memchr(p, ';', last - p);
        end = end ? end : last;

        if (memmem(p, end - p, key->data, key->len)) {
            continue;
        }

        if (dst == start) {
            while (p < end && *p == ' ') {
                p++;
            }

        } else {
            *dst++ = ';';
        }

        dst = ngx_cpymem(dst, p, end - p);
    }

    return dst;
}


void
ngx_http_aiobs_key_variables(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf)
{
    ngx_str_t                    text;
    ngx_uint_t                   i, *index;
    ngx_http_variable_value_t   *vv;
    ngx_http_aiobs_main_conf_t  *amcf;

    if (!ngx_http_aiobs_key_goes(ctx, lcf)) {
        return;
    }

#if (nginx_version >= 1023000)
    ngx_http_aiobs_key_lost(ctx, lcf, &r->headers_in.cookie);
#else
    ngx_http_aiobs_key_lost(ctx, lcf, &r->headers_in.cookies);
#endif

#if (NGX_HTTP_X_FORWARDED_FOR)
    ngx_http_aiobs_key_lost(ctx, lcf, &r->headers_in.x_forwarded_for);
#endif

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);
    index = amcf->header_variables.elts;

    for (i = 0; i < amcf->header_variables.nelts; i++) {
        vv = &r->variables[index[i]];

        if (!vv->valid) {
            continue;
        }

        text.len = vv->len;
        text.data = vv->data;

        if (ngx_http_aiobs_has_key(ctx, &text)) {
            vv->valid = 0;
            vv->not_found = 0;
        }
    }
}


/* the lines that were dropped: nginx has them elsewhere, too */

static void
ngx_http_aiobs_key_lost(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf, ngx_http_aiobs_lines_t *lines)
{
#if (nginx_version >= 1023000)

    while (*lines) {

        if (ngx_http_aiobs_header_has_key(ctx, lcf, *lines)) {
            *lines = (*lines)->next;

        } else {
            lines = &(*lines)->next;
        }
    }

#else

    ngx_uint_t         i, n;
    ngx_table_elt_t  **h;

    h = lines->elts;

    for (i = 0, n = 0; i < lines->nelts; i++) {
        if (!ngx_http_aiobs_header_has_key(ctx, lcf, h[i])) {
            h[n++] = h[i];
        }
    }

    lines->nelts = n;

#endif
}


/* $http_NAME and $cookie_NAME are read once, maybe before the key is known */

ngx_int_t
ngx_http_aiobs_key_variables_init(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf)
{
    ngx_uint_t                  i, *index;
    ngx_http_variable_t        *v;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (ngx_array_init(&amcf->header_variables, cf->pool, 8,
                       sizeof(ngx_uint_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    v = cmcf->variables.elts;

    for (i = 0; i < cmcf->variables.nelts; i++) {

        if (ngx_strncmp(v[i].name.data, "http_", 5) != 0
            && ngx_strncmp(v[i].name.data, "cookie_", 7) != 0)
        {
            continue;
        }

        index = ngx_array_push(&amcf->header_variables);
        if (index == NULL) {
            return NGX_ERROR;
        }

        *index = i;
    }

    return NGX_OK;
}
