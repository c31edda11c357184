
/*
 * Copyright (C) the aiobs authors
 *
 * Series that this worker counted in before, by location: nearly every request
 * adds to those of the request before it, and finds them by a few comparisons.
 * The memory is that of the configuration, of which each worker has its own.
 */


#include "ngx_http_aiobs_counts.h"


static ngx_uint_t ngx_http_aiobs_counts_bit(ngx_uint_t method);


ngx_http_aiobs_counts_t *
ngx_http_aiobs_counts(ngx_http_aiobs_loc_conf_t *lcf)
{
    static ngx_uint_t               serial;
    static ngx_http_aiobs_counts_t  none;

    if (lcf->counts) {
        return lcf->counts;
    }

    lcf->counts = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_http_aiobs_counts_t));

    if (lcf->counts == NULL) {
        ngx_memzero(&none, sizeof(ngx_http_aiobs_counts_t));
        none.serial = ++serial;
        return &none;
    }

    lcf->counts->serial = ++serial;

    return lcf->counts;
}


ngx_http_aiobs_gauge_t *
ngx_http_aiobs_counts_inprogress(ngx_http_aiobs_counts_t *counts,
    ngx_uint_t method)
{
    return &counts->inprogress[ngx_http_aiobs_counts_bit(method)];
}


ngx_http_aiobs_counts_http_t *
ngx_http_aiobs_counts_http(ngx_http_aiobs_counts_t *counts, ngx_uint_t method,
    ngx_uint_t status)
{
    ngx_http_aiobs_counts_http_t  *http;

    http = &counts->http[(status + ngx_http_aiobs_counts_bit(method))
                         % NGX_HTTP_AIOBS_COUNTS_HTTP];

    if (http->method != method || http->status != status) {
        ngx_memzero(http, sizeof(ngx_http_aiobs_counts_http_t));
        http->method = method;
        http->status = status;
    }

    return http;
}


ngx_http_aiobs_counts_call_t *
ngx_http_aiobs_counts_call(ngx_http_aiobs_counts_t *counts,
    const aiobs_api_t *api, ngx_str_t *model)
{
    ngx_uint_t                     slot;
    ngx_http_aiobs_counts_call_t  *call;

    static ngx_uint_t                    serial;
    static ngx_http_aiobs_counts_call_t  none;

    if (counts->calls == NULL) {
        counts->calls = ngx_pcalloc(ngx_cycle->pool,
                                    NGX_HTTP_AIOBS_COUNTS_CALLS
                                    * sizeof(ngx_http_aiobs_counts_call_t));
    }

    if (counts->calls == NULL) {
        call = &none;
        call->api = NULL;

    } else {
        slot = ngx_http_aiobs_counts_slot(model);
        call = &counts->calls[slot % NGX_HTTP_AIOBS_COUNTS_CALLS];
    }

    if (call->api == api && call->labels[1].len == model->len
        && ngx_memcmp(call->model, model->data, model->len) == 0)
    {
        return call;
    }

    ngx_memzero(call, sizeof(ngx_http_aiobs_counts_call_t));

    call->api = api;
    call->serial = ++serial;
    ngx_memcpy(call->model, model->data, model->len);
    call->labels[1].data = call->model;
    call->labels[1].len = model->len;

    return call;
}


/* of the bits that nginx gives to methods, which; the last: none of them */

static ngx_uint_t
ngx_http_aiobs_counts_bit(ngx_uint_t method)
{
    return __builtin_ctzll(method
                           | 1ULL << (NGX_HTTP_AIOBS_COUNTS_METHODS - 1));
}


/* names differ in their first or last bytes, most often */

ngx_uint_t
ngx_http_aiobs_counts_slot(ngx_str_t *name)
{
    size_t     len;
    u_char    *p;
    uint64_t   first, last;

    p = name->data;
    len = name->len;
    first = 0;
    last = 0;

    if (len >= 8) {
        ngx_memcpy(&first, p, 8);
        ngx_memcpy(&last, p + len - 8, 8);

    } else if (len >= 4) {
        ngx_memcpy(&first, p, 4);
        ngx_memcpy(&last, p + len - 4, 4);

    } else if (len) {
        first = p[0];
        last = p[len / 2] << 8 | p[len - 1];
    }

    return ((first * 31 + last) * 0x9e3779b97f4a7c15ULL) >> 32;
}


void
ngx_http_aiobs_counts_str(ngx_str_t *s, const char *text)
{
    s->data = (u_char *) text;
    s->len = ngx_strlen(text);
}
