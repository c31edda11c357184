
/*
 * Copyright (C) the aiobs authors
 *
 * The method of a request: what the client has said, and not what nginx makes
 * of it when error_page or X-Accel-Redirect lead it to another URI.
 */


#include "ngx_http_aiobs_request.h"


static ngx_uint_t ngx_http_aiobs_method_bit(ngx_str_t *name);


static ngx_str_t  ngx_http_aiobs_method_other = ngx_string("OTHER");


/* a standard method, or OTHER: what a client invents never makes a series */

ngx_str_t *
ngx_http_aiobs_method(ngx_http_request_t *r)
{
    r = r->main;

    return r->method == NGX_HTTP_UNKNOWN ? &ngx_http_aiobs_method_other
                                         : &r->method_name;
}


ngx_uint_t
ngx_http_aiobs_method_said(ngx_http_request_t *r)
{
    ngx_str_t  name;

    if (!ngx_http_aiobs_method_lost(r, &name)) {
        return 0;
    }

    r->method = ngx_http_aiobs_method_bit(&name);
    r->method_name = name;

    return 1;
}


ngx_uint_t
ngx_http_aiobs_method_lost(ngx_http_request_t *r, ngx_str_t *name)
{
    u_char  *p, *last;

    if (r->method != NGX_HTTP_GET) {
        return 0;                       /* it makes nothing else of one */
    }

    p = r->request_line.data;
    last = p + r->request_line.len;

    for (name->data = p; p < last && *p != ' '; p++) {
        if ((*p < 'A' || *p > 'Z') && *p != '_' && *p != '-') {
            return 0;                   /* it is malformed */
        }
    }

    name->len = p - name->data;

    return name->len && p < last
           && (name->len != 3 || ngx_strncmp(name->data, "GET", 3) != 0);
}


static ngx_uint_t
ngx_http_aiobs_method_bit(ngx_str_t *name)
{
    ngx_uint_t  i;

    static const struct {
        ngx_str_t   name;
        ngx_uint_t  bit;
    } methods[] = {
        { ngx_string("HEAD"), NGX_HTTP_HEAD },
        { ngx_string("POST"), NGX_HTTP_POST },
        { ngx_string("PUT"), NGX_HTTP_PUT },
        { ngx_string("DELETE"), NGX_HTTP_DELETE },
        { ngx_string("MKCOL"), NGX_HTTP_MKCOL },
        { ngx_string("COPY"), NGX_HTTP_COPY },
        { ngx_string("MOVE"), NGX_HTTP_MOVE },
        { ngx_string("OPTIONS"), NGX_HTTP_OPTIONS },
        { ngx_string("PROPFIND"), NGX_HTTP_PROPFIND },
        { ngx_string("PROPPATCH"), NGX_HTTP_PROPPATCH },
        { ngx_string("LOCK"), NGX_HTTP_LOCK },
        { ngx_string("UNLOCK"), NGX_HTTP_UNLOCK },
        { ngx_string("PATCH"), NGX_HTTP_PATCH },
        { ngx_string("TRACE"), NGX_HTTP_TRACE },
#ifdef NGX_HTTP_CONNECT
        { ngx_string("CONNECT"), NGX_HTTP_CONNECT },
#endif
        { ngx_null_string, 0 }
    };

    for (i = 0; methods[i].name.len; i++) {
        if (name->len == methods[i].name.len
            && ngx_memcmp(name->data, methods[i].name.data, name->len) == 0)
        {
            return methods[i].bit;
        }
    }

    return NGX_HTTP_UNKNOWN;
}
