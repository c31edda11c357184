
/*
 * Copyright (C) the aiobs authors
 *
 * What keys may, in shared memory: each rule set once, however many keys have
 * it.  Made and freed under the mutex of the slab pool, read without.
 */


#include "ngx_http_aiobs_key_table.h"


/* what many keys have in common */

typedef struct {
    int64_t     limits[AIOBS_LIMIT_N];
    uint8_t     broken;
    uint8_t     admin;
    uint8_t     may_act_for;
    uint8_t     pad;
    uint16_t    models_len;
    uint16_t    endpoints_len;
    u_char      text[AIOBS_KEY_MODELS_MAX + AIOBS_KEY_ENDPOINTS_MAX];
} ngx_http_aiobs_key_rules_t;


/* what is rather its own */

typedef struct {
    u_char      account[AIOBS_KEY_HASH_LEN];
    uint16_t    labels_len;
    u_char      labels[AIOBS_KEY_LABELS_MAX];
} ngx_http_aiobs_key_extra_t;


/* at an offset from the pool, in units of 8 bytes */

typedef struct {
    uint32_t    refs;
    uint32_t    hash;
    uint32_t    next;                   /* in its bucket */
    uint32_t    size;                   /* of the data behind */
} ngx_http_aiobs_key_blob_t;


#define ngx_http_aiobs_blob(keys, at)                                         \
    ((ngx_http_aiobs_key_blob_t *) ((u_char *) (keys)->shpool                 \
                                    + (size_t) (at) * 8))


static size_t ngx_http_aiobs_key_make_rules(const aiobs_policy_t *policy,
    ngx_http_aiobs_key_rules_t *rules);
static size_t ngx_http_aiobs_key_make_extra(const aiobs_key_t *key,
    ngx_http_aiobs_key_extra_t *extra);
static ngx_int_t ngx_http_aiobs_blob_take(ngx_http_aiobs_keys_t *keys,
    const void *data, size_t size, uint32_t *at);
static void ngx_http_aiobs_blob_drop(ngx_http_aiobs_keys_t *keys, uint32_t at);
static void ngx_http_aiobs_blob_read(ngx_http_aiobs_keys_t *keys, uint32_t at,
    void *data, size_t max);


ngx_int_t
ngx_http_aiobs_key_blobs_take(ngx_http_aiobs_keys_t *keys,
    const aiobs_key_t *key, ngx_http_aiobs_key_blobs_t *blobs)
{
    size_t                      size;
    ngx_http_aiobs_key_rules_t  rules;
    ngx_http_aiobs_key_extra_t  extra;

    blobs->rules = 0;
    blobs->extra = 0;

    if (!key->policy.any) {
        return NGX_OK;
    }

    size = ngx_http_aiobs_key_make_rules(&key->policy, &rules);

    if (size
        && ngx_http_aiobs_blob_take(keys, &rules, size, &blobs->rules)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    size = ngx_http_aiobs_key_make_extra(key, &extra);

    if (size
        && ngx_http_aiobs_blob_take(keys, &extra, size, &blobs->extra)
           != NGX_OK)
    {
        ngx_http_aiobs_blob_drop(keys, blobs->rules);
        blobs->rules = 0;
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_aiobs_key_blobs_drop(ngx_http_aiobs_keys_t *keys,
    ngx_http_aiobs_key_blobs_t *blobs)
{
    ngx_http_aiobs_key_blobs_t  old;

    old = *blobs;

    /* if this process dies they are lost, but nobody drops them again */

    blobs->rules = 0;
    blobs->extra = 0;

    ngx_memory_barrier();

    ngx_http_aiobs_blob_drop(keys, old.rules);
    ngx_http_aiobs_blob_drop(keys, old.extra);
}


/* 0: nothing but what every key has */

static size_t
ngx_http_aiobs_key_make_rules(const aiobs_policy_t *policy,
    ngx_http_aiobs_key_rules_t *rules)
{
    u_char      *p;
    ngx_uint_t   i, any;

    ngx_memzero(rules, offsetof(ngx_http_aiobs_key_rules_t, text));

    any = policy->broken || policy->admin || policy->may_act_for
          || policy->models_len || policy->endpoints_len;

    for (i = 0; i < AIOBS_LIMIT_N; i++) {
        rules->limits[i] = policy->limits[i];
        any |= (policy->limits[i] >= 0);
    }

    rules->broken = policy->broken;
    rules->admin = policy->admin;
    rules->may_act_for = policy->may_act_for;
    rules->models_len = policy->models_len;
    rules->endpoints_len = policy->endpoints_len;

    p = ngx_cpymem(rules->text, policy->models, policy->models_len);
    p = ngx_cpymem(p, policy->endpoints, policy->endpoints_len);

    return any ? (size_t) (p - (u_char *) rules) : 0;
}


static size_t
ngx_http_aiobs_key_make_extra(const aiobs_key_t *key,
    ngx_http_aiobs_key_extra_t *extra)
{
    const aiobs_policy_t  *policy;

    policy = &key->policy;

    if (policy->labels_len == 0
        && ngx_memcmp(policy->account, key->hash, AIOBS_KEY_HASH_LEN) == 0)
    {
        return 0;
    }

    ngx_memcpy(extra->account, policy->account, AIOBS_KEY_HASH_LEN);
    extra->labels_len = policy->labels_len;
    ngx_memcpy(extra->labels, policy->labels, policy->labels_len);

    return offsetof(ngx_http_aiobs_key_extra_t, labels) + policy->labels_len;
}


/* the one that is there, else a new one */

static ngx_int_t
ngx_http_aiobs_blob_take(ngx_http_aiobs_keys_t *keys, const void *data,
    size_t size, uint32_t *at)
{
    uint32_t                    hash, *bucket, i;
    ngx_http_aiobs_key_blob_t  *blob;

    hash = ngx_murmur_hash2((u_char *) data, size);
    bucket = &keys->blobs[hash & keys->blobs_mask];

    for (i = *bucket; i; i = blob->next) {
        blob = ngx_http_aiobs_blob(keys, i);

        if (blob->hash == hash && blob->size == size
            && ngx_memcmp(blob + 1, data, size) == 0)
        {
            blob->refs++;
            *at = i;
            return NGX_OK;
        }
    }

    blob = ngx_slab_alloc_locked(keys->shpool,
                                 sizeof(ngx_http_aiobs_key_blob_t) + size);
    if (blob == NULL) {
        return NGX_ERROR;
    }

    blob->refs = 1;
    blob->hash = hash;
    blob->size = size;
    blob->next = *bucket;
    ngx_memcpy(blob + 1, data, size);

    *at = ((u_char *) blob - (u_char *) keys->shpool) / 8;
    *bucket = *at;

    return NGX_OK;
}


static void
ngx_http_aiobs_blob_drop(ngx_http_aiobs_keys_t *keys, uint32_t at)
{
    uint32_t                   *link;
    ngx_http_aiobs_key_blob_t  *blob;

    if (at == 0) {
        return;
    }

    blob = ngx_http_aiobs_blob(keys, at);

    if (--blob->refs) {
        return;
    }

    for (link = &keys->blobs[blob->hash & keys->blobs_mask];
         *link;
         link = &ngx_http_aiobs_blob(keys, *link)->next)
    {
        if (*link == at) {
            *link = blob->next;
            break;
        }
    }

    ngx_slab_free_locked(keys->shpool, blob);
}


/*
 * What is read may be gone: the caller finds out by the version of the entry,
 * lengths are bounded until then.
 */

void
ngx_http_aiobs_key_blobs_read(ngx_http_aiobs_keys_t *keys,
    const ngx_http_aiobs_key_blobs_t *blobs, aiobs_policy_t *policy)
{
    ngx_uint_t                  i;
    ngx_http_aiobs_key_rules_t  rules;
    ngx_http_aiobs_key_extra_t  extra;

    ngx_memzero(&rules, offsetof(ngx_http_aiobs_key_rules_t, text));
    extra.labels_len = 0;

    for (i = 0; i < AIOBS_LIMIT_N; i++) {
        rules.limits[i] = AIOBS_LIMIT_NONE;
    }

    ngx_http_aiobs_blob_read(keys, blobs->rules, &rules, sizeof(rules));
    ngx_http_aiobs_blob_read(keys, blobs->extra, &extra, sizeof(extra));

    ngx_memcpy(policy->limits, rules.limits, sizeof(rules.limits));
    policy->broken = rules.broken;
    policy->admin = rules.admin;
    policy->may_act_for = rules.may_act_for;
    policy->models_len = ngx_min(rules.models_len, AIOBS_KEY_MODELS_MAX);
    policy->endpoints_len = ngx_min(rules.endpoints_len,
                                    AIOBS_KEY_ENDPOINTS_MAX);
    policy->labels_len = ngx_min(extra.labels_len, AIOBS_KEY_LABELS_MAX);

    ngx_memcpy(policy->models, rules.text, policy->models_len);
    ngx_memcpy(policy->endpoints, rules.text + policy->models_len,
               policy->endpoints_len);
    ngx_memcpy(policy->labels, extra.labels, policy->labels_len);

    if (blobs->extra) {
        ngx_memcpy(policy->account, extra.account, AIOBS_KEY_HASH_LEN);
    }
}


static void
ngx_http_aiobs_blob_read(ngx_http_aiobs_keys_t *keys, uint32_t at, void *data,
    size_t max)
{
    size_t                      size;
    ngx_http_aiobs_key_blob_t  *blob;

    if (at == 0) {
        return;
    }

    blob = ngx_http_aiobs_blob(keys, at);
    size = ngx_min(blob->size, max);

    if (size <= (size_t) (keys->shpool->end - (u_char *) (blob + 1))) {
        ngx_memcpy(data, blob + 1, size);
    }
}


uint32_t
ngx_http_aiobs_key_borrow(ngx_http_aiobs_keys_t *keys)
{
    size_t            at;
    void             *o;
    ngx_slab_pool_t  *shpool;

    shpool = keys->shpool;

    if (shpool->pfree
        < (ngx_uint_t) (shpool->end - shpool->start) / ngx_pagesize / 4)
    {
        return 0;
    }

    o = ngx_slab_calloc_locked(shpool, sizeof(ngx_http_aiobs_key_overflow_t));

    if (o == NULL) {
        return 0;
    }

    at = ((u_char *) o - (u_char *) shpool) / 8;

    if (at >= NGX_HTTP_AIOBS_KEY_ELSEWHERE) {
        ngx_slab_free_locked(shpool, o);
        return 0;
    }

    return NGX_HTTP_AIOBS_KEY_ELSEWHERE | at;
}
