
/*
 * Copyright (C) the aiobs authors
 *
 * Answers made in the background: the call itself reports nothing, whoever
 * asks for the answer later gets the same report each time.  The first finished
 * answer of an id that was seen under way is what the call has used.
 *
 * The ids are in a table of fixed size in the zone, as hashes: where a set is
 * full one of it is forgotten, and its call stays without figures.
 */


#include "ngx_http_aiobs_request.h"


#define NGX_HTTP_AIOBS_BACKGROUND_SETS                                        \
    (NGX_HTTP_AIOBS_BACKGROUND / NGX_HTTP_AIOBS_BACKGROUND_WAYS)


static ngx_atomic_t *ngx_http_aiobs_background_set(ngx_http_request_t *r,
    const char *id, size_t len, ngx_atomic_uint_t *hash);


void
ngx_http_aiobs_background_add(ngx_http_request_t *r, const char *id,
    size_t len)
{
    ngx_uint_t          i;
    ngx_atomic_t       *set;
    ngx_atomic_uint_t   hash;

    set = ngx_http_aiobs_background_set(r, id, len, &hash);

    for (i = 0; i < NGX_HTTP_AIOBS_BACKGROUND_WAYS; i++) {
        if (set[i] == hash) {
            return;
        }
    }

    for (i = 0; i < NGX_HTTP_AIOBS_BACKGROUND_WAYS; i++) {
        if (set[i] == 0 && ngx_atomic_cmp_set(&set[i], 0, hash)) {
            return;
        }
    }

    set[(hash >> 40) % NGX_HTTP_AIOBS_BACKGROUND_WAYS] = hash;
}


ngx_uint_t
ngx_http_aiobs_background_take(ngx_http_request_t *r, const char *id,
    size_t len)
{
    ngx_uint_t          i;
    ngx_atomic_t       *set;
    ngx_atomic_uint_t   hash;

    set = ngx_http_aiobs_background_set(r, id, len, &hash);

    for (i = 0; i < NGX_HTTP_AIOBS_BACKGROUND_WAYS; i++) {
        if (set[i] == hash && ngx_atomic_cmp_set(&set[i], hash, 0)) {
            return 1;
        }
    }

    return 0;
}


static ngx_atomic_t *
ngx_http_aiobs_background_set(ngx_http_request_t *r, const char *id,
    size_t len, ngx_atomic_uint_t *hash)
{
    uint32_t                     low, high;
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    low = ngx_murmur_hash2((u_char *) id, len);
    high = ngx_crc32_long((u_char *) id, len);

    *hash = ((ngx_atomic_uint_t) high << 32 | low) | 1;     /* never 0 */

    return &amcf->shared->background[low % NGX_HTTP_AIOBS_BACKGROUND_SETS
                                     * NGX_HTTP_AIOBS_BACKGROUND_WAYS];
}
