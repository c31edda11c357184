
/*
 * Copyright (C) the aiobs authors
 *
 * Keys the store did not know a moment ago, in a small table that a flood of
 * them cannot grow.
 */


#include "ngx_http_aiobs_key_table.h"


/* a slot is one word: 40 bits of the hash, then the time in 64 milliseconds */

#define ngx_http_aiobs_unknown_load(p)  __atomic_load_n(p, __ATOMIC_RELAXED)


static uint64_t *ngx_http_aiobs_unknown_slot(ngx_http_aiobs_keys_t *keys,
    const u_char *hash);
static uint64_t ngx_http_aiobs_unknown_tag(const u_char *hash);


ngx_uint_t
ngx_http_aiobs_key_unknown(ngx_http_aiobs_keys_t *keys, const u_char *hash,
    ngx_msec_t now)
{
    uint64_t  word;

    word = ngx_http_aiobs_unknown_load(ngx_http_aiobs_unknown_slot(keys, hash));

    return word && word >> 24 == ngx_http_aiobs_unknown_tag(hash)
           && (((now >> 6) - word) & 0xffffff)
              < NGX_HTTP_AIOBS_KEY_UNKNOWN_MSEC >> 6;
}


void
ngx_http_aiobs_key_unknown_add(ngx_http_aiobs_keys_t *keys, const u_char *hash,
    ngx_msec_t now)
{
    uint64_t  word;

    word = ngx_http_aiobs_unknown_tag(hash) << 24
           | ((uint64_t) (now >> 6) & 0xffffff);

    __atomic_store_n(ngx_http_aiobs_unknown_slot(keys, hash), word,
                     __ATOMIC_RELAXED);
}


void
ngx_http_aiobs_key_unknown_drop(ngx_http_aiobs_keys_t *keys, const u_char *hash)
{
    uint64_t  *word;

    word = ngx_http_aiobs_unknown_slot(keys, hash);

    if (ngx_http_aiobs_unknown_load(word) >> 24
        == ngx_http_aiobs_unknown_tag(hash))
    {
        __atomic_store_n(word, 0, __ATOMIC_RELAXED);
    }
}


static uint64_t *
ngx_http_aiobs_unknown_slot(ngx_http_aiobs_keys_t *keys, const u_char *hash)
{
    return &keys->unknown[(hash[8] << 8 | hash[9])
                          & (NGX_HTTP_AIOBS_KEY_UNKNOWNS - 1)];
}


static uint64_t
ngx_http_aiobs_unknown_tag(const u_char *hash)
{
    uint64_t  tag;

    ngx_memcpy(&tag, hash + 16, sizeof(uint64_t));

    return tag & 0xffffffffff;
}
