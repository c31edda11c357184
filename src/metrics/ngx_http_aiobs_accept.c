
/*
 * Copyright (C) the aiobs authors
 *
 * What the client would like best, by "Accept" and "Accept-Encoding"
 * (RFC 9110, 12.5).
 */


#include "ngx_http_aiobs_exposition.h"


/* the parameters that the client has to name along with it */

typedef struct {
    ngx_str_t   name;
    ngx_str_t   params[2];
} ngx_http_aiobs_offer_t;


static void ngx_http_aiobs_accept_weigh(ngx_http_request_t *r,
    const char *header, const ngx_http_aiobs_offer_t *offers, ngx_uint_t n,
    ngx_int_t *q);
static void ngx_http_aiobs_accept_header(ngx_str_t *value,
    const ngx_http_aiobs_offer_t *offers, ngx_uint_t n, ngx_int_t *q);
static void ngx_http_aiobs_accept_range(u_char *p, u_char *last,
    const ngx_http_aiobs_offer_t *offers, ngx_uint_t n, ngx_int_t *q);
static ngx_uint_t ngx_http_aiobs_accept_param(u_char **p, u_char *last,
    ngx_str_t *param);
static ngx_uint_t ngx_http_aiobs_accept_has(u_char *p, u_char *last,
    const ngx_str_t *wanted);
static ngx_int_t ngx_http_aiobs_accept_q(u_char *p, u_char *last);
static u_char *ngx_http_aiobs_accept_trim(u_char *p, u_char **last);


/* the later the better, where the client has no preference */

static const ngx_http_aiobs_offer_t
    ngx_http_aiobs_formats[NGX_HTTP_AIOBS_FORMATS] =
{
    { ngx_string("text/plain"), { ngx_null_string, ngx_null_string } },
    { ngx_string("application/openmetrics-text"),
      { ngx_null_string, ngx_null_string } },
    { ngx_string("application/vnd.google.protobuf"),
      { ngx_string("proto=io.prometheus.client.MetricFamily"),
        ngx_string("encoding=delimited") } }
};


static const ngx_http_aiobs_offer_t  ngx_http_aiobs_encodings[] = {
    { ngx_string("gzip"), { ngx_null_string, ngx_null_string } }
};


/* wildcards do not matter: without a better offer it is the text format */

ngx_http_aiobs_format_e
ngx_http_aiobs_accept(ngx_http_request_t *r)
{
    ngx_int_t   q[NGX_HTTP_AIOBS_FORMATS];
    ngx_uint_t  i, best;

    ngx_http_aiobs_accept_weigh(r, "accept", ngx_http_aiobs_formats,
                                NGX_HTTP_AIOBS_FORMATS, q);

    best = NGX_HTTP_AIOBS_TEXT;

    for (i = 1; i < NGX_HTTP_AIOBS_FORMATS; i++) {
        if (q[i] > 0 && q[i] >= q[best]) {
            best = i;
        }
    }

    return best;
}


ngx_uint_t
ngx_http_aiobs_accept_gzip(ngx_http_request_t *r)
{
    ngx_int_t  q;

    ngx_http_aiobs_accept_weigh(r, "accept-encoding", ngx_http_aiobs_encodings,
                                1, &q);

    return q > 0;
}


/* thousandths; 0 is also what is not named */

static void
ngx_http_aiobs_accept_weigh(ngx_http_request_t *r, const char *header,
    const ngx_http_aiobs_offer_t *offers, ngx_uint_t n, ngx_int_t *q)
{
    size_t            len;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (i = 0; i < n; i++) {
        q[i] = 0;
    }

    len = ngx_strlen(header);

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == len
                && ngx_strncasecmp(h[i].key.data, (u_char *) header, len) == 0)
            {
                ngx_http_aiobs_accept_header(&h[i].value, offers, n, q);
            }
        }
    }
}


static void
ngx_http_aiobs_accept_header(ngx_str_t *value,
    const ngx_http_aiobs_offer_t *offers, ngx_uint_t n, ngx_int_t *q)
{
    u_char  *p, *next, *last;

    last = value->data + value->len;

    for (p = value->data; p < last; p = next + 1) {

        next = ngx_strlchr(p, last, ',');
        if (next == NULL) {
            next = last;
        }

        ngx_http_aiobs_accept_range(p, next, offers, n, q);
    }
}


static void
ngx_http_aiobs_accept_range(u_char *p, u_char *last,
    const ngx_http_aiobs_offer_t *offers, ngx_uint_t n, ngx_int_t *q)
{
    u_char      *name, *end, *params;
    ngx_int_t    weight;
    ngx_uint_t   i;

    params = ngx_strlchr(p, last, ';');
    if (params == NULL) {
        params = last;
    }

    end = params;
    name = ngx_http_aiobs_accept_trim(p, &end);

    for (i = 0; i < n; i++) {

        if ((size_t) (end - name) != offers[i].name.len
            || ngx_strncasecmp(name, offers[i].name.data, offers[i].name.len)
               != 0
            || !ngx_http_aiobs_accept_has(params, last, &offers[i].params[0])
            || !ngx_http_aiobs_accept_has(params, last, &offers[i].params[1]))
        {
            continue;
        }

        weight = ngx_http_aiobs_accept_q(params, last);
        q[i] = ngx_max(q[i], weight);
    }
}


/* p: the semicolon before it, then the one that follows; 0: there is none */

static ngx_uint_t
ngx_http_aiobs_accept_param(u_char **p, u_char *last, ngx_str_t *param)
{
    u_char  *next, *end;

    if (*p >= last) {
        return 0;
    }

    next = ngx_strlchr(*p + 1, last, ';');
    if (next == NULL) {
        next = last;
    }

    end = next;
    param->data = ngx_http_aiobs_accept_trim(*p + 1, &end);
    param->len = end - param->data;

    *p = next;

    return 1;
}


static ngx_uint_t
ngx_http_aiobs_accept_has(u_char *p, u_char *last, const ngx_str_t *wanted)
{
    ngx_str_t  param;

    if (wanted->len == 0) {
        return 1;
    }

    while (ngx_http_aiobs_accept_param(&p, last, &param)) {
        if (param.len == wanted->len
            && ngx_strncasecmp(param.data, wanted->data, wanted->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* what cannot be read is taken as said without a weight */

static ngx_int_t
ngx_http_aiobs_accept_q(u_char *p, u_char *last)
{
    ngx_int_t  q;
    ngx_str_t  param;

    while (ngx_http_aiobs_accept_param(&p, last, &param)) {

        if (param.len > 2 && (param.data[0] | 0x20) == 'q'
            && param.data[1] == '=')
        {
            q = ngx_atofp(param.data + 2, param.len - 2, 3);
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
