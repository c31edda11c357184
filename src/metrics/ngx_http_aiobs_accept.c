
/*
 * Copyright (C) the aiobs authors
 *
 * The format of the exposition, chosen by "Accept" (RFC 9110, 12.5.1).
 */


#include "ngx_http_aiobs_families.h"


static void ngx_http_aiobs_accept_header(ngx_str_t *value, ngx_int_t *q);
static void ngx_http_aiobs_accept_range(u_char *p, u_char *last, ngx_int_t *q);
static ngx_int_t ngx_http_aiobs_accept_q(u_char *p, u_char *last);
static u_char *ngx_http_aiobs_accept_trim(u_char *p, u_char **last);


static const ngx_str_t  ngx_http_aiobs_types[NGX_HTTP_AIOBS_FORMATS] = {
    ngx_string("text/plain"),
    ngx_string("application/openmetrics-text")
};


ngx_http_aiobs_format_e
ngx_http_aiobs_accept(ngx_http_request_t *r)
{
    ngx_int_t         q[NGX_HTTP_AIOBS_FORMATS];
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (i = 0; i < NGX_HTTP_AIOBS_FORMATS; i++) {
        q[i] = 0;
    }

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == sizeof("accept") - 1
                && ngx_strncasecmp(h[i].key.data, (u_char *) "accept",
                                   sizeof("accept") - 1)
                   == 0)
            {
                ngx_http_aiobs_accept_header(&h[i].value, q);
            }
        }
    }

    if (q[NGX_HTTP_AIOBS_OPENMETRICS] > 0
        && q[NGX_HTTP_AIOBS_OPENMETRICS] >= q[NGX_HTTP_AIOBS_TEXT])
    {
        return NGX_HTTP_AIOBS_OPENMETRICS;
    }

    return NGX_HTTP_AIOBS_TEXT;
}


static void
ngx_http_aiobs_accept_header(ngx_str_t *value, ngx_int_t *q)
{
    u_char  *p, *next, *last;

    last = value->data + value->len;

    for (p = value->data; p < last; p = next + 1) {

        next = ngx_strlchr(p, last, ',');
        if (next == NULL) {
            next = last;
        }

        ngx_http_aiobs_accept_range(p, next, q);
    }
}


/* wildcards do not matter: without a better offer it is the text format */

static void
ngx_http_aiobs_accept_range(u_char *p, u_char *last, ngx_int_t *q)
{
    u_char      *type, *params;
    ngx_int_t    n;
    ngx_uint_t   i;

    params = ngx_strlchr(p, last, ';');
    if (params == NULL) {
        params = last;
    }

    n = ngx_http_aiobs_accept_q(params, last);
    type = ngx_http_aiobs_accept_trim(p, &params);

    for (i = 0; i < NGX_HTTP_AIOBS_FORMATS; i++) {
        if ((size_t) (params - type) == ngx_http_aiobs_types[i].len
            && ngx_strncasecmp(type, ngx_http_aiobs_types[i].data,
                               ngx_http_aiobs_types[i].len)
               == 0)
        {
            q[i] = ngx_max(q[i], n);
        }
    }
}


/* thousandths; what cannot be read is taken as said without a weight */

static ngx_int_t
ngx_http_aiobs_accept_q(u_char *p, u_char *last)
{
    u_char     *next, *end, *param;
    ngx_int_t   q;

    for ( /* void */ ; p < last; p = next) {

        next = ngx_strlchr(p + 1, last, ';');
        if (next == NULL) {
            next = last;
        }

        end = next;
        param = ngx_http_aiobs_accept_trim(p + 1, &end);

        if (end - param > 2 && (param[0] | 0x20) == 'q' && param[1] == '=') {
            q = ngx_atofp(param + 2, end - param - 2, 3);
            return (q >= 0 && q <= 1000) ? q : 1000;
        }
    }

    return 1000;
}


static u_char *
ngx_http_aiobs_accept_trim(u_char *p, u_char **last)
{
    while (p < *last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (*last > p && ((*last)[-1] == ' ' || (*last)[-1] == '\t')) {
        (*last)--;
    }

    return p;
}
