
/*
 * Copyright (C) the aiobs authors
 *
 * Tags by which keys are known that were presented before: hashing a key with
 * SHA-256 is more than all else of a look-up.
 *
 * What a core dump shows of this is tags, their secret, and hashes as the store
 * has them, by which a key can be recognised by whoever has it, but not found.
 */


#include "ngx_http_aiobs_key_table.h"


void
ngx_http_aiobs_key_tag(ngx_http_aiobs_keys_t *keys, const ngx_str_t *raw,
    ngx_http_aiobs_key_tag_t *tag)
{
    aiobs_siphash(keys->secret, raw->data, raw->len, tag->word);

    /* what means that there is none is no key's */

    tag->word[0] |= (tag->word[0] | tag->word[1]) == 0;
}


/*
 * Nobody waits for a tag: the next one who comes with the key will write it.
 * One that is half written is unreadable as all of the entry is, and goes with
 * whatever makes that readable again.
 */

void
ngx_http_aiobs_key_table_mark(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, uint32_t at, const u_char *hash,
    const ngx_http_aiobs_key_tag_t *tag)
{
    uint32_t                     version;
    ngx_http_aiobs_key_entry_t  *e;

    if (at == 0 || at > keys->capacity) {
        return;
    }

    e = &keys->entries[at - 1];

    if (ngx_http_aiobs_key_tag_same(&e->tag, tag)
        || !ngx_shmtx_trylock(&shpool->mutex))
    {
        return;
    }

    version = e->version;

    if (!(version & 1) && aiobs_key_hash_same(e->hash, hash)) {

        __atomic_store_n(&e->version, version | 1, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_RELEASE);

        e->tag = *tag;

        ngx_http_aiobs_publish(&e->version, version + 2);
    }

    ngx_shmtx_unlock(&shpool->mutex);
}
