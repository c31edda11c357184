
/*
 * Copyright (C) the aiobs authors
 *
 * The table of known keys in shared memory: putting and changing.  All of it
 * runs under the mutex.
 */


#include "ngx_http_aiobs_key_table.h"


static ngx_int_t ngx_http_aiobs_key_enter(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t **entry, const aiobs_key_t *key, int64_t seq,
    uint32_t epoch, aiobs_key_use_t *uses, ngx_uint_t *n);
static void ngx_http_aiobs_key_link(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e);
static void ngx_http_aiobs_key_write(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, const aiobs_key_t *key,
    const ngx_http_aiobs_key_blobs_t *blobs, int64_t seq, uint32_t epoch,
    ngx_uint_t link);
static void ngx_http_aiobs_key_write_texts(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, const aiobs_key_t *key);
static void ngx_http_aiobs_key_apply(ngx_http_aiobs_keys_t *keys,
    const aiobs_key_t *changed, int64_t seq);
static void ngx_http_aiobs_key_expire(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, ngx_uint_t active);


ngx_uint_t
ngx_http_aiobs_key_table_put(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, const aiobs_key_t *key,
    const aiobs_store_place_t *at, uint32_t epoch, time_t now,
    aiobs_key_use_t *uses)
{
    ngx_uint_t                   n;
    ngx_http_aiobs_key_entry_t  *e;

    n = 0;

    ngx_shmtx_lock(&shpool->mutex);

    if (epoch == keys->epoch && at->seq > keys->seen.seq) {
        keys->seen = *at;
    }

    if (epoch == keys->epoch && at->seq < keys->place.seq) {

        /* changes were applied that this reading may have missed */

        epoch--;
    }

    e = ngx_http_aiobs_key_find(keys, key->hash);

    /* without memory for what it may it is not kept: it is asked for again */

    if (!key->found
        || ngx_http_aiobs_key_enter(keys, &e, key, at->seq, epoch, uses, &n)
           != NGX_OK)
    {
        if (e && epoch == keys->epoch
            && (e->epoch != keys->epoch
                || keys->rest[e - keys->entries].seq <= at->seq))
        {
            n = ngx_http_aiobs_key_drop(keys, e, uses);
            keys->hand = e - keys->entries;
        }

    } else if (now && e->active && (e->expires == 0 || e->expires > now)) {
        ngx_http_aiobs_key_used(keys, e, now);
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return n;
}


/* *entry: the key's, or NULL and then a new one; *n: uses to be saved */

static ngx_int_t
ngx_http_aiobs_key_enter(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t **entry, const aiobs_key_t *key, int64_t seq,
    uint32_t epoch, aiobs_key_use_t *uses, ngx_uint_t *n)
{
    ngx_http_aiobs_key_entry_t  *e;
    ngx_http_aiobs_key_blobs_t   blobs;

    if (ngx_http_aiobs_key_blobs_take(keys, key, &blobs) != NGX_OK) {
        return NGX_ERROR;
    }

    e = *entry;

    if (e == NULL) {
        e = ngx_http_aiobs_key_victim(keys);
        *n = ngx_http_aiobs_key_drop(keys, e, uses);
        *n += ngx_http_aiobs_key_make_room(keys, e, key, &uses[*n]);
        ngx_http_aiobs_key_write(keys, e, key, &blobs, seq, epoch, 1);

        *entry = e;

    } else if ((e->version & 1) || e->epoch != keys->epoch
               || keys->rest[e - keys->entries].seq <= seq)
    {
        *n = ngx_http_aiobs_key_make_room(keys, e, key, uses);
        ngx_http_aiobs_key_write(keys, e, key, &blobs, seq, epoch, 0);

    } else {
        ngx_http_aiobs_key_blobs_drop(keys, &blobs);
    }

    return NGX_OK;
}


/* into the first slot that is free, else before what the last one has */

static void
ngx_http_aiobs_key_link(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e)
{
    uint32_t    link, *slot;
    ngx_uint_t  i;

    slot = ngx_http_aiobs_key_bucket(keys, e->hash);

    for (i = 1; *slot && i < NGX_HTTP_AIOBS_KEY_SLOTS; i++) {
        slot++;
    }

    link = (e - keys->entries + 1) | ngx_http_aiobs_key_bits(keys, e->hash);

    if (*slot) {
        link |= NGX_HTTP_AIOBS_KEY_MORE;
    }

    keys->rest[e - keys->entries].next = *slot;
    ngx_http_aiobs_publish(slot, link);
}


/* the blobs are the entry's then; link: it is in no chain yet */

static void
ngx_http_aiobs_key_write(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, const aiobs_key_t *key,
    const ngx_http_aiobs_key_blobs_t *blobs, int64_t seq, uint32_t epoch,
    ngx_uint_t link)
{
    uint32_t                    version;
    ngx_http_aiobs_key_blobs_t  old;

    old = e->blobs;

    version = e->version | 1;

    __atomic_store_n(&e->version, version, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);

    /* whoever dies here leaves no hash with the tag of another key */

    ngx_memzero(&e->tag, sizeof(ngx_http_aiobs_key_tag_t));
    __atomic_signal_fence(__ATOMIC_SEQ_CST);

    ngx_memcpy(e->hash, key->hash, AIOBS_KEY_HASH_LEN);
    e->epoch = epoch;
    keys->rest[e - keys->entries].seq = seq;
    e->active = key->active;
    e->user_len = key->user_len;
    e->name_len = key->name_len;
    e->expires = key->policy.expires == 0 ? 0
                 : ngx_min(ngx_max(key->policy.expires, 1), UINT32_MAX);
    e->blobs = *blobs;
    e->recent = 1;
    ngx_http_aiobs_key_write_texts(keys, e, key);

    /* before it can be read: see key_drop() */

    if (link) {
        ngx_http_aiobs_key_link(keys, e);
    }

    ngx_http_aiobs_publish(&e->version, version + 1);

    ngx_http_aiobs_key_blobs_drop(keys, &old);
}


static void
ngx_http_aiobs_key_write_texts(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, const aiobs_key_t *key)
{
    u_char                     *p, text[NGX_HTTP_AIOBS_KEY_TEXTS];
    size_t                      len;
    ngx_http_aiobs_key_rest_t  *rest;

    p = ngx_cpymem(text, key->user, key->user_len);
    p = ngx_cpymem(p, key->name, key->name_len);
    len = p - text;

    ngx_memcpy(e->text, text, ngx_min(len, NGX_HTTP_AIOBS_KEY_TEXT));

    if (len <= NGX_HTTP_AIOBS_KEY_TEXT) {
        return;
    }

    rest = &keys->rest[e - keys->entries];

    ngx_memcpy(rest->text, text + NGX_HTTP_AIOBS_KEY_TEXT,
               ngx_min(len, NGX_HTTP_AIOBS_KEY_INLINE)
               - NGX_HTTP_AIOBS_KEY_TEXT);

    if (len > NGX_HTTP_AIOBS_KEY_INLINE) {
        ngx_memcpy(ngx_http_aiobs_key_overflow(keys, rest->overflow)->text,
                   text + NGX_HTTP_AIOBS_KEY_INLINE,
                   len - NGX_HTTP_AIOBS_KEY_INLINE);
    }
}


ngx_int_t
ngx_http_aiobs_key_table_follow(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, const aiobs_store_place_t *from,
    const aiobs_store_place_t *to, ngx_uint_t lost, const aiobs_key_t *changed,
    ngx_uint_t n)
{
    ngx_uint_t  i;

    ngx_shmtx_lock(&shpool->mutex);

    if (keys->place.seq != from->seq || keys->place.mark != from->mark) {
        ngx_shmtx_unlock(&shpool->mutex);
        return NGX_DECLINED;
    }

    if (lost) {
        ngx_http_aiobs_publish(&keys->epoch, keys->epoch + 1);
        keys->seen = *to;
        n = 0;
    }

    for (i = 0; i < n; i++) {
        ngx_http_aiobs_key_apply(keys, &changed[i], to->seq);
    }

    keys->place = *to;

    ngx_shmtx_unlock(&shpool->mutex);

    return NGX_OK;
}


static void
ngx_http_aiobs_key_apply(ngx_http_aiobs_keys_t *keys,
    const aiobs_key_t *changed, int64_t seq)
{
    aiobs_key_use_t              use;
    ngx_http_aiobs_key_entry_t  *e;
    ngx_http_aiobs_key_blobs_t   blobs;

    ngx_http_aiobs_key_unknown_drop(keys, changed->hash);

    e = ngx_http_aiobs_key_find(keys, changed->hash);

    if (e == NULL
        || (e->epoch == keys->epoch
            && keys->rest[e - keys->entries].seq > seq))
    {
        return;
    }

    if (!changed->found) {

        /* its use need not be saved: there is no row for it */

        (void) ngx_http_aiobs_key_drop(keys, e, &use);
        keys->hand = e - keys->entries;

    } else if ((changed->user_len + changed->name_len
                > NGX_HTTP_AIOBS_KEY_INLINE
                && keys->rest[e - keys->entries].overflow == 0)
               || ngx_http_aiobs_key_blobs_take(keys, changed, &blobs)
                  != NGX_OK)
    {
        ngx_http_aiobs_key_expire(keys, e, changed->active);

    } else {
        ngx_http_aiobs_key_write(keys, e, changed, &blobs, seq, keys->epoch,
                                 0);
    }
}


/*
 * What it has now has no room in the entry: the next use asks for it.  One that
 * a writer left half written stays unreadable.
 */

static void
ngx_http_aiobs_key_expire(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, ngx_uint_t active)
{
    uint32_t  version;

    version = e->version;

    __atomic_store_n(&e->version, version | 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);

    e->active = active;
    e->epoch = keys->epoch - 1;

    ngx_http_aiobs_publish(&e->version,
                           version & 1 ? version : version + 2);
}


void
ngx_http_aiobs_key_table_claim(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, uint32_t store)
{
    ngx_shmtx_lock(&shpool->mutex);

    if (keys->store != store) {

        /* first: keys in no chain are believed by their tags until then */

        ngx_http_aiobs_publish(&keys->epoch, keys->epoch + 1);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);

        ngx_memzero(keys->buckets, ((size_t) keys->mask + 1)
                                   * NGX_HTTP_AIOBS_KEY_SLOTS
                                   * sizeof(uint32_t));
        ngx_memzero(keys->dirty,
                    (keys->capacity / 64 + 1) * sizeof(uint64_t));
        ngx_memzero(keys->unknown,
                    NGX_HTTP_AIOBS_KEY_UNKNOWNS * sizeof(uint64_t));
        ngx_memzero(&keys->place, sizeof(aiobs_store_place_t));
        ngx_memzero(&keys->seen, sizeof(aiobs_store_place_t));
        ngx_memzero((void *) keys->savers, sizeof(keys->savers));

        keys->polled = 0;
        ngx_http_aiobs_publish(&keys->store, store);
    }

    ngx_shmtx_unlock(&shpool->mutex);
}
