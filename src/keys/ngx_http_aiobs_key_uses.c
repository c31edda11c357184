
/*
 * Copyright (C) the aiobs authors
 *
 * The table of known keys in shared memory: when each was used last, until it
 * is saved.
 */


#include "ngx_http_aiobs_key_table.h"


static ngx_uint_t ngx_http_aiobs_key_take(ngx_http_aiobs_keys_t *keys,
    ngx_uint_t word, aiobs_key_use_t *uses, ngx_uint_t max);


/* at most one write a second for a key, however busy it is */

void
ngx_http_aiobs_key_used(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, time_t now)
{
    ngx_uint_t  i;

    if (__atomic_load_n(&e->last_used, __ATOMIC_RELAXED) >= (uint32_t) now) {
        return;
    }

    i = e - keys->entries;

    __atomic_store_n(&e->recent, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&e->last_used, (uint32_t) now, __ATOMIC_RELAXED);
    __atomic_fetch_or(&keys->dirty[i / 64], (uint64_t) 1 << (i % 64),
                      __ATOMIC_RELEASE);
}


/* from where it ended last: in a busy table the first ones are used anew */

ngx_uint_t
ngx_http_aiobs_key_table_uses(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, aiobs_key_use_t *uses, ngx_uint_t max)
{
    ngx_uint_t                   i, n, words;
    ngx_http_aiobs_key_entry_t  *e;

    n = 0;
    words = keys->capacity / 64 + 1;

    ngx_shmtx_lock(&shpool->mutex);

    for (i = 0; i < words && n < max; i++) {
        n += ngx_http_aiobs_key_take(keys, keys->dirty_hand % words, &uses[n],
                                     max - n);
    }

    for (i = 0; i < n; i++) {
        e = &keys->entries[uses[i].time];

        ngx_memcpy(uses[i].hash, e->hash, AIOBS_KEY_HASH_LEN);
        uses[i].time = __atomic_load_n(&e->last_used, __ATOMIC_RELAXED);
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return n;
}


ngx_uint_t
ngx_http_aiobs_key_table_unsaved(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, aiobs_key_use_t *uses, ngx_uint_t n)
{
    ngx_uint_t                   i, k, gone;
    ngx_http_aiobs_key_entry_t  *e;

    ngx_shmtx_lock(&shpool->mutex);

    for (i = 0, gone = 0; i < n; i++) {
        e = ngx_http_aiobs_key_find(keys, uses[i].hash);

        if (e == NULL) {
            uses[gone++] = uses[i];
            continue;
        }

        if (__atomic_load_n(&e->last_used, __ATOMIC_RELAXED)
            < (uint32_t) uses[i].time)
        {
            __atomic_store_n(&e->last_used, (uint32_t) uses[i].time,
                             __ATOMIC_RELAXED);
        }

        k = e - keys->entries;
        __atomic_fetch_or(&keys->dirty[k / 64], (uint64_t) 1 << (k % 64),
                          __ATOMIC_RELEASE);
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return gone;
}


/*
 * The hand goes on when nothing is left of the word.  Of the uses only the
 * times are set, to the places of entries: those are far apart and in no cache,
 * and by the time that all places are known, they are.
 */

static ngx_uint_t
ngx_http_aiobs_key_take(ngx_http_aiobs_keys_t *keys, ngx_uint_t word,
    aiobs_key_use_t *uses, ngx_uint_t max)
{
    uint64_t    bits, taken;
    ngx_uint_t  n;

    bits = ngx_http_aiobs_load(&keys->dirty[word]);

    for (taken = 0, n = 0; bits && n < max; bits &= bits - 1, n++) {
        taken |= bits & -bits;
        uses[n].time = word * 64 + __builtin_ctzll(bits);
        __builtin_prefetch(&keys->entries[uses[n].time]);
    }

    keys->dirty_hand += (bits == 0);

    if (n) {
        __atomic_fetch_and(&keys->dirty[word], ~taken, __ATOMIC_ACQ_REL);
    }

    return n;
}
