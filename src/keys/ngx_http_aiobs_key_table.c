
/*
 * Copyright (C) the aiobs authors
 *
 * The table of known keys in shared memory: its shape, and reading.
 */


#include "ngx_http_aiobs_key_table.h"

/* a reader that meets a writer may wander: chains are a few entries long */
#define NGX_HTTP_AIOBS_KEY_STEPS  64

#if (NGX_CPU_CACHE_LINE > NGX_HTTP_AIOBS_KEY_ALIGN)
#define NGX_HTTP_AIOBS_KEY_PART  NGX_CPU_CACHE_LINE
#else
#define NGX_HTTP_AIOBS_KEY_PART  NGX_HTTP_AIOBS_KEY_ALIGN
#endif

_Static_assert(sizeof(ngx_http_aiobs_key_entry_t) == NGX_HTTP_AIOBS_KEY_ALIGN,
               "an entry is as long as it is aligned");


static ngx_uint_t ngx_http_aiobs_key_buckets(ngx_uint_t n);
static ngx_http_aiobs_key_entry_t *ngx_http_aiobs_key_walk(
    ngx_http_aiobs_keys_t *keys, const u_char *hash, ngx_uint_t steps);
static ngx_int_t ngx_http_aiobs_key_read(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, const ngx_http_aiobs_key_tag_t *tag,
    time_t now, aiobs_key_t *key);
static ngx_int_t ngx_http_aiobs_key_texts(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, aiobs_key_t *key);
static ngx_int_t ngx_http_aiobs_key_long_texts(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, size_t len, u_char *p);


size_t
ngx_http_aiobs_keys_size(ngx_uint_t n)
{
    size_t      size;
    ngx_uint_t  buckets;

    n = ngx_max(n, 64);

    buckets = ngx_http_aiobs_key_buckets(n);

    size = sizeof(ngx_http_aiobs_keys_t)
           + buckets * sizeof(uint32_t)
           + n * sizeof(ngx_http_aiobs_key_entry_t)
           + n * sizeof(ngx_http_aiobs_key_rest_t)
           + (n / 16 + 64) * sizeof(ngx_http_aiobs_key_overflow_t)
           + (n / 64 + 1) * sizeof(uint64_t)
           + (buckets / 16) * sizeof(uint32_t)
           + NGX_HTTP_AIOBS_KEY_UNKNOWNS * sizeof(uint64_t);

    /* eight parts, each aligned */

    return ngx_align(size + 8 * NGX_HTTP_AIOBS_KEY_PART, ngx_pagesize);
}


ngx_http_aiobs_keys_t *
ngx_http_aiobs_keys_create(ngx_slab_pool_t *shpool, ngx_uint_t n,
    ngx_log_t *log)
{
    u_char                 *p;
    size_t                  size;
    ngx_uint_t              buckets;
    ngx_http_aiobs_keys_t  *keys;

    n = ngx_max(n, 64);
    size = ngx_http_aiobs_keys_size(n);

    keys = ngx_slab_calloc(shpool, size);
    if (keys == NULL) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"aiobs_zone\" is too small for %ui keys, which need "
                      "%uzk", n, size / 1024);
        return NULL;
    }

    buckets = ngx_http_aiobs_key_buckets(n);

    keys->capacity = n;
    keys->overflow_capacity = n / 16 + 64;
    keys->mask = buckets / NGX_HTTP_AIOBS_KEY_SLOTS - 1;
    keys->epoch = 1;

    for (keys->links = 63; keys->links < n; keys->links = keys->links * 2 + 1) {
        /* void */
    }

    ngx_http_aiobs_random_secret(keys->secret, AIOBS_SIPHASH_KEY);

    keys->shpool = shpool;
    keys->blobs_mask = buckets / 16 - 1;

    p = (u_char *) keys + sizeof(ngx_http_aiobs_keys_t);

#define ngx_http_aiobs_key_part(field, count)                                 \
    p = ngx_align_ptr(p, NGX_HTTP_AIOBS_KEY_PART);                            \
    keys->field = (void *) p;                                                 \
    p += (count) * sizeof(*keys->field)

    ngx_http_aiobs_key_part(buckets, buckets);
    ngx_http_aiobs_key_part(entries, n);
    ngx_http_aiobs_key_part(rest, n);
    ngx_http_aiobs_key_part(overflow, keys->overflow_capacity);
    ngx_http_aiobs_key_part(dirty, n / 64 + 1);
    ngx_http_aiobs_key_part(blobs, buckets / 16);
    ngx_http_aiobs_key_part(unknown, NGX_HTTP_AIOBS_KEY_UNKNOWNS);

#undef ngx_http_aiobs_key_part

    return keys;
}


/* words of all buckets; one in thirty keys or so has others on its way */

static ngx_uint_t
ngx_http_aiobs_key_buckets(ngx_uint_t n)
{
    ngx_uint_t  buckets;

    for (buckets = 64; buckets < n + n / 16; buckets <<= 1) { /* void */ }

    return buckets;
}


ngx_int_t
ngx_http_aiobs_key_table_get(ngx_http_aiobs_keys_t *keys, const u_char *hash,
    uint32_t *at, time_t now, aiobs_key_t *key)
{
    ngx_http_aiobs_key_entry_t  *e;

    e = ngx_http_aiobs_key_walk(keys, hash, NGX_HTTP_AIOBS_KEY_STEPS);

    if (e == NULL) {
        return NGX_DECLINED;
    }

    *at = e - keys->entries + 1;
    ngx_memcpy(key->hash, hash, AIOBS_KEY_HASH_LEN);

    return ngx_http_aiobs_key_read(keys, e, NULL, now, key);
}


/*
 * Without a chain that leads there: an entry that can be read and is of this
 * epoch is in one (see key_write() and key_drop()).
 */

ngx_int_t
ngx_http_aiobs_key_table_known(ngx_http_aiobs_keys_t *keys,
    const ngx_http_aiobs_key_tag_t *tag, uint32_t at, time_t now,
    aiobs_key_t *key)
{
    if (at == 0 || at > keys->capacity) {
        return NGX_DECLINED;
    }

    ngx_http_aiobs_key_table_fetch(keys, at);

    return ngx_http_aiobs_key_read(keys, &keys->entries[at - 1], tag, now, key);
}


void
ngx_http_aiobs_key_table_fetch(ngx_http_aiobs_keys_t *keys, uint32_t at)
{
    u_char  *p;

    if (at == 0 || at > keys->capacity) {
        return;
    }

    p = (u_char *) &keys->entries[at - 1];

    __builtin_prefetch(p);
    __builtin_prefetch(p + sizeof(ngx_http_aiobs_key_entry_t) / 2);

    /* what is written as it is used */

    __builtin_prefetch(&keys->dirty[(at - 1) / 64], 1);
}


/* at most so many entries are looked at; NULL: it is not among them */

static ngx_http_aiobs_key_entry_t *
ngx_http_aiobs_key_walk(ngx_http_aiobs_keys_t *keys, const u_char *hash,
    ngx_uint_t steps)
{
    uint32_t                     i, link, bits, *slot, *end;
    ngx_http_aiobs_key_entry_t  *e;

    bits = ngx_http_aiobs_key_bits(keys, hash);
    slot = ngx_http_aiobs_key_bucket(keys, hash);

    for (end = slot + NGX_HTTP_AIOBS_KEY_SLOTS; slot < end; slot++) {

        for (link = ngx_http_aiobs_load(slot);
             link && steps;
             link = ngx_http_aiobs_load(&keys->rest[i].next), steps--)
        {
            i = ngx_http_aiobs_key_index(keys, link) - 1;

            if (i >= keys->capacity) {
                return NULL;
            }

            e = &keys->entries[i];

            if ((link & ~(NGX_HTTP_AIOBS_KEY_MORE | keys->links)) == bits) {

                /* what is written when it is used lies elsewhere */

                __builtin_prefetch(&keys->dirty[i / 64], 1);

                if (aiobs_key_hash_same(e->hash, hash)) {
                    return e;
                }
            }

            if (!(link & NGX_HTTP_AIOBS_KEY_MORE)) {
                break;
            }
        }
    }

    return NULL;
}


/* of the key that has the tag, or if that is NULL the hash in *key */

static ngx_int_t
ngx_http_aiobs_key_read(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, const ngx_http_aiobs_key_tag_t *tag,
    time_t now, aiobs_key_t *key)
{
    uint32_t                    version, epoch;
    ngx_http_aiobs_key_blobs_t  blobs;

    version = ngx_http_aiobs_load(&e->version);

    epoch = e->epoch;

    /* no more than all else here before the version is seen to be the same */

    if (tag) {
        if (!ngx_http_aiobs_key_tag_same(&e->tag, tag)
            || epoch != ngx_http_aiobs_load(&keys->epoch))
        {
            return NGX_DECLINED;
        }

        ngx_memcpy(key->hash, e->hash, AIOBS_KEY_HASH_LEN);
    }

    key->found = 1;
    key->fresh = 0;
    key->active = e->active;
    key->policy.expires = e->expires;
    blobs = e->blobs;

    if (ngx_http_aiobs_key_texts(keys, e, key) != NGX_OK) {
        return NGX_DECLINED;
    }

    key->policy.any = blobs.rules || blobs.extra || key->policy.expires;

    if (key->policy.any) {
        ngx_memcpy(key->policy.account, key->hash, AIOBS_KEY_HASH_LEN);
        ngx_http_aiobs_key_blobs_read(keys, &blobs, &key->policy);
    }

    /* the hash, too, is only now known to have been that of the texts */

    if (!aiobs_key_hash_same(e->hash, key->hash)) {
        return NGX_DECLINED;
    }

    __atomic_thread_fence(__ATOMIC_ACQUIRE);

    if ((version & 1)
        || __atomic_load_n(&e->version, __ATOMIC_RELAXED) != version)
    {
        return NGX_DECLINED;
    }

    if (now && key->active
        && (key->policy.expires == 0 || key->policy.expires > now))
    {
        ngx_http_aiobs_key_used(keys, e, now);
    }

    return epoch == ngx_http_aiobs_load(&keys->epoch) ? NGX_OK : NGX_AGAIN;
}


static ngx_int_t
ngx_http_aiobs_key_texts(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, aiobs_key_t *key)
{
    u_char    *p, text[NGX_HTTP_AIOBS_KEY_TEXTS];
    size_t    user, name;

    user = ngx_min(e->user_len, AIOBS_KEY_USER_MAX);
    name = ngx_min(e->name_len, AIOBS_KEY_NAME_MAX);
    p = e->text;

    if (user + name > NGX_HTTP_AIOBS_KEY_TEXT) {

        if (ngx_http_aiobs_key_long_texts(keys, e, user + name, text)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }

        p = text;
    }

    key->user_len = user;
    key->name_len = name;
    ngx_memcpy(key->user, p, user);
    ngx_memcpy(key->name, p + user, name);

    return NGX_OK;
}


/* as long as that, in all of its places */

static ngx_int_t
ngx_http_aiobs_key_long_texts(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_entry_t *e, size_t len, u_char *p)
{
    ngx_http_aiobs_key_rest_t      *rest;
    ngx_http_aiobs_key_overflow_t  *o;

    rest = &keys->rest[e - keys->entries];

    p = ngx_cpymem(p, e->text, NGX_HTTP_AIOBS_KEY_TEXT);
    p = ngx_cpymem(p, rest->text, NGX_HTTP_AIOBS_KEY_MORE_TEXT);

    if (len > NGX_HTTP_AIOBS_KEY_INLINE) {
        o = ngx_http_aiobs_key_overflow(keys, rest->overflow);

        if (o == NULL) {
            return NGX_DECLINED;
        }

        ngx_memcpy(p, o->text, len - NGX_HTTP_AIOBS_KEY_INLINE);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_aiobs_key_table_get_locked(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, const u_char *hash, time_t now, aiobs_key_t *key)
{
    ngx_int_t                    rc;
    ngx_http_aiobs_key_entry_t  *e;

    rc = NGX_DECLINED;
    ngx_memcpy(key->hash, hash, AIOBS_KEY_HASH_LEN);

    ngx_shmtx_lock(&shpool->mutex);

    e = ngx_http_aiobs_key_find(keys, hash);

    if (e) {
        rc = ngx_http_aiobs_key_read(keys, e, NULL, now, key);
    }

    ngx_shmtx_unlock(&shpool->mutex);

    return rc;
}


uint32_t *
ngx_http_aiobs_key_bucket(ngx_http_aiobs_keys_t *keys, const u_char *hash)
{
    uint32_t  n;

    ngx_memcpy(&n, hash, sizeof(uint32_t));

    return &keys->buckets[(size_t) (n & keys->mask) * NGX_HTTP_AIOBS_KEY_SLOTS];
}


/* bits of the hash that do not choose the bucket, where a link has them */

uint32_t
ngx_http_aiobs_key_bits(ngx_http_aiobs_keys_t *keys, const u_char *hash)
{
    uint32_t  n;

    ngx_memcpy(&n, hash + sizeof(uint32_t), sizeof(uint32_t));

    return n & ~(NGX_HTTP_AIOBS_KEY_MORE | keys->links);
}


ngx_http_aiobs_key_entry_t *
ngx_http_aiobs_key_find(ngx_http_aiobs_keys_t *keys, const u_char *hash)
{
    return ngx_http_aiobs_key_walk(keys, hash, keys->capacity);
}


void
ngx_http_aiobs_key_table_place(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, aiobs_store_place_t *place,
    aiobs_store_place_t *seen, uint32_t *epoch)
{
    ngx_shmtx_lock(&shpool->mutex);

    *place = keys->place;
    *seen = keys->seen;
    *epoch = keys->epoch;

    ngx_shmtx_unlock(&shpool->mutex);
}
