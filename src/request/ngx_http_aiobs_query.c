
/*
 * Copyright (C) the aiobs authors
 *
 * Keys in the query string: read, masked in the request line, taken out.
 */


#include "ngx_http_aiobs_request.h"


static void ngx_http_aiobs_mask(ngx_http_request_t *r, ngx_str_t *line,
    u_char from);
static u_char *ngx_http_aiobs_query_next(u_char *p, u_char *last,
    ngx_str_t *arg);
static ngx_uint_t ngx_http_aiobs_query_secret(ngx_str_t *arg);
static ngx_uint_t ngx_http_aiobs_query_place(ngx_str_t *arg);
static ngx_int_t ngx_http_aiobs_unescape(ngx_http_request_t *r,
    ngx_str_t *value);
static ngx_int_t ngx_http_aiobs_query_sent(ngx_http_request_t *r, size_t path,
    ngx_str_t *args);
static ngx_int_t ngx_http_aiobs_query_take_out(ngx_http_request_t *r,
    ngx_str_t *key, ngx_uint_t place);
static ngx_int_t ngx_http_aiobs_query_filter(ngx_http_request_t *r,
    ngx_str_t *args, ngx_str_t *key, ngx_uint_t place, ngx_str_t *result);


/* arguments whose values nobody may read in a log */

static ngx_str_t  ngx_http_aiobs_query_secrets[] = {
    ngx_string("key="),
    ngx_string("api_key="),
    ngx_string("api-key="),
    ngx_string("access_token="),
    ngx_null_string
};


ngx_uint_t
ngx_http_aiobs_query_key(ngx_http_request_t *r, ngx_str_t *args,
    ngx_str_t *value)
{
    u_char  *p, *last;

    p = args->data;
    last = p + args->len;

    while (p < last) {
        p = ngx_http_aiobs_query_next(p, last, value);

        if (!ngx_http_aiobs_query_place(value)) {
            continue;
        }

        value->data += sizeof("key=") - 1;
        value->len -= sizeof("key=") - 1;

        args->data = p;
        args->len = last - p;

        return ngx_http_aiobs_unescape(r, value) == NGX_OK;
    }

    return 0;
}


static ngx_uint_t
ngx_http_aiobs_query_place(ngx_str_t *arg)
{
    return arg->len >= sizeof("key=") - 1
           && ngx_strncasecmp(arg->data, (u_char *) "key=", sizeof("key=") - 1)
              == 0;
}


void
ngx_http_aiobs_query_mask(ngx_http_request_t *r)
{
    if (r->args.len) {
        ngx_http_aiobs_mask(r, &r->request_line, '?');
    }
}


/* of a line that was not taken apart, or led to another URI since */

void
ngx_http_aiobs_query_mask_line(ngx_http_request_t *r)
{
    ngx_http_aiobs_mask(r, &r->request_line, '?');
}


void
ngx_http_aiobs_query_forget(ngx_http_request_t *r)
{
    ngx_http_aiobs_mask(r, &r->unparsed_uri, '?');
    ngx_http_aiobs_mask(r, &r->args, '\0');
    ngx_http_aiobs_uri_changed(r);
}


void
ngx_http_aiobs_query_drop(ngx_http_request_t *r)
{
    u_char  *p;

    p = ngx_strlchr(r->unparsed_uri.data,
                    r->unparsed_uri.data + r->unparsed_uri.len, '?');

    if (p) {
        r->unparsed_uri.len = p - r->unparsed_uri.data;
    }

    ngx_str_null(&r->args);
    ngx_http_aiobs_uri_changed(r);
}


void
ngx_http_aiobs_query_mask_all(ngx_http_request_t *r)
{
    u_char     *p, *last, *space;
    ngx_str_t   line;

    line = r->request_line;
    last = line.data + line.len;

    p = ngx_strlchr(line.data, last, '?');
    if (p == NULL) {
        return;
    }

    /* the protocol stands behind the last space */

    for (space = last; space > p && *(space - 1) != ' '; space--) { /* void */ }

    r->request_line.len = p - line.data;

    line.data = ngx_pnalloc(r->pool, line.len + sizeof("?* "));
    if (line.data == NULL) {
        return;
    }

    p = ngx_cpymem(line.data, r->request_line.data, r->request_line.len);
    p = ngx_cpymem(p, "?*", 2);

    if (space > r->request_line.data + r->request_line.len + 1
        && last - space >= 5 && ngx_strncmp(space, "HTTP/", 5) == 0)
    {
        *p++ = ' ';
        p = ngx_cpymem(p, space, last - space);
    }

    *p = '\0';

    line.len = p - line.data;
    r->request_line = line;
}


/*
 * Secrets among the arguments, which start behind "from" or at once.  uri and
 * args point into the request line: what is masked is a copy.
 */

static void
ngx_http_aiobs_mask(ngx_http_request_t *r, ngx_str_t *line, u_char from)
{
    u_char     *p, *last, *dst, *start;
    size_t      name;
    ngx_str_t   arg;

    p = line->data;
    last = p + line->len;

    if (from) {
        p = ngx_strlchr(p, last, from);

        if (p == NULL) {
            return;
        }

        p++;
    }

    if (p == last || memmem(p, last - p, "=", 1) == NULL) {
        return;
    }

    start = ngx_pnalloc(r->pool, line->len + 1);
    if (start == NULL) {
        line->len = p - line->data;
        return;
    }

    dst = ngx_cpymem(start, line->data, p - line->data);

    while (p < last) {
        p = ngx_http_aiobs_query_next(p, last, &arg);
        name = ngx_http_aiobs_query_secret(&arg);

        if (name && name < arg.len && arg.data[name] != ' ') {
            dst = ngx_cpymem(dst, arg.data, name);
            *dst++ = '*';

            /* the protocol stands behind the last argument */

            while (name < arg.len && arg.data[name] != ' ') {
                name++;
            }

        } else {
            name = 0;
        }

        dst = ngx_cpymem(dst, arg.data + name, p - arg.data - name);
    }

    line->data = start;
    line->len = dst - start;
    *dst = '\0';
}


/*
 * As with headers: who is refused may be answered by an upstream all the same,
 * under "satisfy any" or by an error_page.  What the configuration puts there
 * on the way to another location is its own.
 */

ngx_int_t
ngx_http_aiobs_query_strip(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf, ngx_uint_t first)
{
    ngx_str_t   key;
    ngx_uint_t  verdict, place;

    verdict = ctx->identity->verdict;

    ngx_str_null(&key);

    if (verdict != NGX_HTTP_AIOBS_KEY_UNKNOWN
        && verdict != NGX_HTTP_AIOBS_KEY_MISSING)
    {
        key = ctx->key;
    }

    place = first && lcf->auth_query && lcf->auth_key == NULL
            && (lcf->auth == NGX_HTTP_AIOBS_AUTH_ON || ctx->disagree
                || verdict == NGX_HTTP_AIOBS_KEY_VALID);

    return ngx_http_aiobs_query_take_out(r, &key, place);
}


/* a rewrite may have given it other arguments than the client sent */

static ngx_int_t
ngx_http_aiobs_query_take_out(ngx_http_request_t *r, ngx_str_t *key,
    ngx_uint_t place)
{
    u_char     *p, *last;
    ngx_int_t   rc;
    ngx_str_t   args, sent;

    if (key->len == 0 && !place) {
        return NGX_OK;
    }

    rc = ngx_http_aiobs_query_filter(r, &r->args, key, place, &args);

    if (rc == NGX_OK) {
        r->args = args;
    }

    last = r->unparsed_uri.data + r->unparsed_uri.len;
    p = ngx_strlchr(r->unparsed_uri.data, last, '?');

    if (rc == NGX_ERROR || p == NULL) {
        return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
    }

    sent.data = p + 1;
    sent.len = last - sent.data;

    rc = ngx_http_aiobs_query_filter(r, &sent, key, place, &args);

    if (rc == NGX_OK) {
        rc = ngx_http_aiobs_query_sent(r, p - r->unparsed_uri.data, &args);
    }

    return rc == NGX_ERROR ? NGX_ERROR : NGX_OK;
}


/* path: its length */

static ngx_int_t
ngx_http_aiobs_query_sent(ngx_http_request_t *r, size_t path, ngx_str_t *args)
{
    u_char     *p;
    ngx_str_t   uri;

    uri.len = path + (args->len ? 1 + args->len : 0);
    uri.data = ngx_pnalloc(r->pool, uri.len);

    if (uri.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(uri.data, r->unparsed_uri.data, path);

    if (args->len) {
        *p++ = '?';
        ngx_memcpy(p, args->data, args->len);
    }

    r->unparsed_uri = uri;

    ngx_http_aiobs_uri_changed(r);

    return NGX_OK;
}


/* $request_uri may have been cached */

void
ngx_http_aiobs_uri_changed(ngx_http_request_t *r)
{
    ngx_http_variable_value_t   *vv;
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (amcf->request_uri_index >= 0) {
        vv = &r->variables[amcf->request_uri_index];
        vv->valid = 0;
        vv->not_found = 0;
    }
}


/* NGX_DECLINED: the key is not there */

static ngx_int_t
ngx_http_aiobs_query_filter(ngx_http_request_t *r, ngx_str_t *args,
    ngx_str_t *key, ngx_uint_t place, ngx_str_t *result)
{
    u_char      *p, *last, *dst;
    ngx_str_t    arg, plain;
    ngx_uint_t   found;

    if (args->len == 0) {
        return NGX_DECLINED;
    }

    found = 0;

    result->data = ngx_pnalloc(r->pool, args->len);
    if (result->data == NULL) {
        return NGX_ERROR;
    }

    dst = result->data;
    p = args->data;
    last = p + args->len;

    while (p < last) {
        p = ngx_http_aiobs_query_next(p, last, &arg);

        plain = arg;

        if (ngx_http_aiobs_unescape(r, &plain) != NGX_OK) {
            return NGX_ERROR;
        }

        if ((key->len && memmem(plain.data, plain.len, key->data, key->len))
            || (place && ngx_http_aiobs_query_place(&plain)))
        {
            found = 1;
            continue;
        }

        if (dst != result->data) {
            *dst++ = '&';
        }

        dst = ngx_cpymem(dst, arg.data, arg.len);
    }

    result->len = dst - result->data;

    return found ? NGX_OK : NGX_DECLINED;
}


/* returns where the next argument starts; arg is without its "&" */

static u_char *
ngx_http_aiobs_query_next(u_char *p, u_char *last, ngx_str_t *arg)
{
    u_char  *amp;

    arg->data = p;

    amp = ngx_strlchr(p, last, '&');

    if (amp == NULL) {
        arg->len = last - p;
        return last;
    }

    arg->len = amp - p;

    return amp + 1;
}


/* the length of "name=", 0: no secret */

static ngx_uint_t
ngx_http_aiobs_query_secret(ngx_str_t *arg)
{
    ngx_str_t  *name;

    for (name = ngx_http_aiobs_query_secrets; name->len; name++) {
        if (arg->len >= name->len
            && ngx_strncasecmp(arg->data, name->data, name->len) == 0)
        {
            return name->len;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_aiobs_unescape(ngx_http_request_t *r, ngx_str_t *value)
{
    u_char  *dst, *src;

    src = value->data;

    if (ngx_strlchr(src, src + value->len, '%') == NULL) {
        return NGX_OK;
    }

    dst = ngx_pnalloc(r->pool, value->len);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    value->data = dst;

    ngx_unescape_uri(&dst, &src, value->len, 0);

    value->len = dst - value->data;

    return NGX_OK;
}
