
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
    static ngx_http_aiobs_counts_t  none;

    if (lcf->counts) {
        return lcf->counts;
    }

    lcf->counts = ngx_pcalloc(ngx_cycle->pool, sizeof(ngx_http_aiobs_counts_t));

    if (lcf->counts == NULL) {
        ngx_memzero(&none, sizeof(ngx_http_aiobs_counts_t));
        return &none;
    }

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
        slot = model->len + model->data[model->len / 2]
               + model->data[model->len - 1];
        call = &counts->calls[slot % NGX_HTTP_AIOBS_COUNTS_CALLS];
    }

    if (call->api == api && call->labels[1].len == model->len
        && ngx_memcmp(call->model, model->data, model->len) == 0)
    {
        return call;
    }

    ngx_memzero(call, sizeof(ngx_http_aiobs_counts_call_t));

    call->api = api;
    ngx_memcpy(call->model, model->data, model->len);
    call->labels[1].data = call->model;
    call->labels[1].len = model->len;

    return call;
}


/* of the bits that nginx gives to methods, which */

static ngx_uint_t
ngx_http_aiobs_counts_bit(ngx_uint_t method)
{
    ngx_uint_t  n;

    for (n = 0; n < NGX_HTTP_AIOBS_COUNTS_METHODS - 1 && method > 1; n++) {
        method >>= 1;
    }

    return n;
}
