
/*
 * Copyright (C) the aiobs authors
 *
 * SHA-256 of keys that were presented a moment ago.
 */


#include "ngx_http_aiobs_key_hashes.h"
#include "ngx_http_aiobs_keys.h"
#include "aiobs_siphash.h"


/* the one that came later is first */

typedef struct {
    ngx_http_aiobs_key_tag_t   tags[2];
    u_char                     hashes[2][AIOBS_KEY_HASH_LEN];
} ngx_http_aiobs_key_hash_slot_t;


static ngx_uint_t ngx_http_aiobs_key_tag_same(
    const ngx_http_aiobs_key_tag_t *one, const ngx_http_aiobs_key_tag_t *two);


static u_char                          ngx_http_aiobs_key_hashes_secret
                                                       [AIOBS_SIPHASH_KEY];
static ngx_http_aiobs_key_hash_slot_t  ngx_http_aiobs_key_hashes
                                            [NGX_HTTP_AIOBS_KEY_HASHES / 2];

#define ngx_http_aiobs_key_hash_slot(tag)                                     \
    &ngx_http_aiobs_key_hashes[(tag)->word[0]                                 \
                               & (NGX_HTTP_AIOBS_KEY_HASHES / 2 - 1)]


void
ngx_http_aiobs_key_hashes_init(void)
{
    ngx_http_aiobs_random_secret(ngx_http_aiobs_key_hashes_secret,
                                 AIOBS_SIPHASH_KEY);

    ngx_memzero(ngx_http_aiobs_key_hashes, sizeof(ngx_http_aiobs_key_hashes));
}


ngx_uint_t
ngx_http_aiobs_key_hashes_get(ngx_str_t *raw, ngx_http_aiobs_key_tag_t *tag,
    u_char *hash)
{
    ngx_uint_t                       i;
    ngx_http_aiobs_key_hash_slot_t  *slot;

    aiobs_siphash(ngx_http_aiobs_key_hashes_secret, raw->data, raw->len,
                  tag->word);

    /* what means that there is none is no key's */

    tag->word[0] |= (tag->word[0] | tag->word[1]) == 0;

    slot = ngx_http_aiobs_key_hash_slot(tag);

    for (i = 0; i < 2; i++) {
        if (ngx_http_aiobs_key_tag_same(&slot->tags[i], tag)) {
            ngx_memcpy(hash, slot->hashes[i], AIOBS_KEY_HASH_LEN);
            return 1;
        }
    }

    return 0;
}


void
ngx_http_aiobs_key_hashes_put(const ngx_http_aiobs_key_tag_t *tag,
    const u_char *hash)
{
    ngx_http_aiobs_key_hash_slot_t  *slot;

    slot = ngx_http_aiobs_key_hash_slot(tag);

    if (ngx_http_aiobs_key_tag_same(&slot->tags[0], tag)
        || ngx_http_aiobs_key_tag_same(&slot->tags[1], tag))
    {
        return;
    }

    slot->tags[1] = slot->tags[0];
    ngx_memcpy(slot->hashes[1], slot->hashes[0], AIOBS_KEY_HASH_LEN);

    slot->tags[0] = *tag;
    ngx_memcpy(slot->hashes[0], hash, AIOBS_KEY_HASH_LEN);
}


/* in a time that does not tell where they differ */

static ngx_uint_t
ngx_http_aiobs_key_tag_same(const ngx_http_aiobs_key_tag_t *one,
    const ngx_http_aiobs_key_tag_t *two)
{
    uint64_t  differ;

    differ = (one->word[0] ^ two->word[0]) | (one->word[1] ^ two->word[1]);

    __asm__ ("" : "+r" (differ));

    return differ == 0;
}
