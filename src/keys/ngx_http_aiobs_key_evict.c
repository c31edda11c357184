
/*
 * Copyright (C) the aiobs authors
 *
 * The table of known keys in shared memory: who gives way to others.  All of
 * it runs under the mutex.
 */


#include "ngx_http_aiobs_key_table.h"


#define NGX_HTTP_AIOBS_KEY_SWEEP  128   /* entries looked at for a victim */


static void ngx_http_aiobs_key_unlink(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e);


ngx_uint_t
ngx_http_aiobs_key_make_room(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, const aiobs_key_t *key,
    aiobs_key_use_t *use)
{
    uint32_t                        i, index;
    ngx_uint_t                      n;
    ngx_http_aiobs_key_overflow_t  *o;

    index = e - keys->entries;

    if (key->user_len + key->name_len <= NGX_HTTP_AIOBS_KEY_INLINE
        || keys->rest[index].overflow)
    {
        return 0;
    }

    n = 0;

    if (keys->overflow_used < keys->overflow_capacity) {
        i = keys->overflow_used++;

    } else {
        i = ngx_http_aiobs_key_borrow(keys);

        if (i) {
            keys->rest[index].overflow = i;
            return 0;
        }

        i = keys->overflow_hand++ % keys->overflow_capacity;
        keys->squeezed++;
    }

    o = &keys->overflow[i];

    if (o->owner && o->owner <= keys->capacity
        && keys->rest[o->owner - 1].overflow == i + 1)
    {
        n = ngx_http_aiobs_key_drop(keys, &keys->entries[o->owner - 1], use);
        keys->rest[o->owner - 1].overflow = 0;
    }

    o->owner = index + 1;
    keys->rest[index].overflow = i + 1;

    return n;
}


ngx_http_aiobs_key_entry_t *
ngx_http_aiobs_key_victim(ngx_http_aiobs_keys_t *keys)
{
    ngx_uint_t                   i;
    ngx_http_aiobs_key_entry_t  *e;

    if (keys->used < keys->capacity) {
        return &keys->entries[keys->used++];
    }

    for (i = 0; i < NGX_HTTP_AIOBS_KEY_SWEEP; i++) {
        e = &keys->entries[keys->hand++ % keys->capacity];

        if (!e->recent) {
            return e;
        }

        e->recent = 0;
    }

    return &keys->entries[keys->hand++ % keys->capacity];
}


ngx_uint_t
ngx_http_aiobs_key_drop(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, aiobs_key_use_t *use)
{
    uint64_t    bit, old;
    ngx_uint_t  i;

    /*
     * Readers that are here, or come by a guess, are to notice: if this process
     * dies, no entry is left that can be read, and that no change gets to.
     */

    __atomic_store_n(&e->version, e->version | 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);

    ngx_http_aiobs_key_unlink(keys, e);

    i = e - keys->entries;
    bit = (uint64_t) 1 << (i % 64);
    old = __atomic_fetch_and(&keys->dirty[i / 64], ~bit, __ATOMIC_ACQ_REL);

    ngx_memcpy(use->hash, e->hash, AIOBS_KEY_HASH_LEN);
    use->time = e->last_used;

    ngx_memzero(&e->tag, sizeof(ngx_http_aiobs_key_tag_t));
    ngx_memzero(e->hash, AIOBS_KEY_HASH_LEN);
    e->last_used = 0;
    e->recent = 0;

    ngx_http_aiobs_key_blobs_drop(keys, &e->blobs);

    return (old & bit) != 0;
}


static void
ngx_http_aiobs_key_unlink(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e)
{
    uint32_t    i, *link, *slot, *end;
    ngx_uint_t  steps;

    steps = keys->capacity;
    slot = ngx_http_aiobs_key_bucket(keys, e->hash);

    for (end = slot + NGX_HTTP_AIOBS_KEY_SLOTS; slot < end; slot++) {

        for (link = slot; *link && steps; steps--) {
            i = ngx_http_aiobs_key_index(keys, *link) - 1;

            if (i >= keys->capacity) {
                break;
            }

            if (e == &keys->entries[i]) {
                ngx_http_aiobs_publish(link, keys->rest[i].next);
                return;
            }

            link = &keys->rest[i].next;
        }
    }
}
