
/*
 * Copyright (C) the aiobs authors
 *
 * Series in shared memory: found through a cache of this worker, added under
 * the zone's lock, never removed.
 */


#include "ngx_http_aiobs_families.h"


#define NGX_HTTP_AIOBS_CACHE        4096    /* entries, a power of two */
#define NGX_HTTP_AIOBS_CHAIN_MAX    32      /* more is no accident */


static ngx_http_aiobs_series_t *ngx_http_aiobs_series_find(
    ngx_http_aiobs_family_e family, ngx_http_aiobs_labels_t *key);
static ngx_uint_t ngx_http_aiobs_series_is(ngx_http_aiobs_series_t *s,
    ngx_http_aiobs_family_e family, ngx_http_aiobs_labels_t *key);
static ngx_http_aiobs_series_t *ngx_http_aiobs_series_other(
    ngx_http_aiobs_family_e family);
static ngx_http_aiobs_series_t *ngx_http_aiobs_series_add(
    ngx_http_aiobs_family_e family, ngx_http_aiobs_labels_t *key,
    ngx_uint_t other);
static ngx_uint_t ngx_http_aiobs_series_room(ngx_http_aiobs_family_e family,
    size_t size);
static ngx_uint_t ngx_http_aiobs_chain_full(uint32_t hash);
static ngx_http_aiobs_series_t *ngx_http_aiobs_series_create(
    ngx_http_aiobs_family_e family, ngx_http_aiobs_labels_t *key);
static size_t ngx_http_aiobs_series_size(ngx_uint_t values,
    ngx_http_aiobs_labels_t *key);
static ngx_uint_t ngx_http_aiobs_values_n(ngx_http_aiobs_family_e family);
static void ngx_http_aiobs_series_link(ngx_http_aiobs_metrics_t *m);


ngx_http_aiobs_metrics_t         *ngx_http_aiobs_registry;
ngx_slab_pool_t                  *ngx_http_aiobs_registry_pool;
ngx_http_aiobs_metrics_conf_t    *ngx_http_aiobs_metrics_conf;

static ngx_http_aiobs_series_t   *ngx_http_aiobs_cache[NGX_HTTP_AIOBS_CACHE];


ngx_uint_t
ngx_http_aiobs_metrics_chosen(ngx_http_aiobs_family_e family)
{
    ngx_uint_t  set;

    set = ngx_http_aiobs_families[family].flags
          & (NGX_HTTP_AIOBS_PROMETHEUS|NGX_HTTP_AIOBS_OTEL);

    return set == 0 || (set & ngx_http_aiobs_metrics_conf->names);
}


ngx_http_aiobs_series_t *
ngx_http_aiobs_series(ngx_http_aiobs_family_e family, const ngx_str_t *labels)
{
    ngx_http_aiobs_labels_t   key;
    ngx_http_aiobs_series_t  *s, **cached;

    if (ngx_http_aiobs_registry == NULL
        || !ngx_http_aiobs_metrics_chosen(family))
    {
        return NULL;
    }

    ngx_http_aiobs_labels(&key, family, labels);

    cached = &ngx_http_aiobs_cache[key.hash & (NGX_HTTP_AIOBS_CACHE - 1)];
    s = *cached;

    if (s && ngx_http_aiobs_series_is(s, family, &key)) {
        return s;
    }

    s = ngx_http_aiobs_series_find(family, &key);

    if (s == NULL) {
        s = ngx_http_aiobs_series_add(family, &key, 0);
    }

    if (s == NULL) {
        (void) ngx_atomic_fetch_add(
                        &ngx_http_aiobs_registry->families[family].dropped, 1);

        return ngx_http_aiobs_series_other(family);
    }

    *cached = s;

    return s;
}


static ngx_http_aiobs_series_t *
ngx_http_aiobs_series_find(ngx_http_aiobs_family_e family,
    ngx_http_aiobs_labels_t *key)
{
    ngx_http_aiobs_series_t   *s;
    ngx_http_aiobs_metrics_t  *m;

    m = ngx_http_aiobs_registry;

    for (s = m->table[key->hash & m->mask]; s; s = s->chain) {
        if (ngx_http_aiobs_series_is(s, family, key)) {
            return s;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_http_aiobs_series_is(ngx_http_aiobs_series_t *s,
    ngx_http_aiobs_family_e family, ngx_http_aiobs_labels_t *key)
{
    return s->hash == key->hash && s->family == family
           && s->labels_len == key->len
           && ngx_memcmp(ngx_http_aiobs_series_labels(s), key->data, key->len)
              == 0;
}


/* where everything goes that there is no room for: every label is "other" */

static ngx_http_aiobs_series_t *
ngx_http_aiobs_series_other(ngx_http_aiobs_family_e family)
{
    ngx_str_t                        labels[NGX_HTTP_AIOBS_LABELS_MAX];
    ngx_uint_t                       i;
    ngx_http_aiobs_labels_t          key;
    ngx_http_aiobs_family_series_t  *fs;

    fs = &ngx_http_aiobs_registry->families[family];

    if (fs->other == NULL) {

        for (i = 0; i < NGX_HTTP_AIOBS_LABELS_MAX; i++) {
            ngx_str_set(&labels[i], "other");
        }

        ngx_http_aiobs_labels(&key, family, labels);

        fs->other = ngx_http_aiobs_series_add(family, &key, 1);
    }

    return fs->other;
}


static ngx_http_aiobs_series_t *
ngx_http_aiobs_series_add(ngx_http_aiobs_family_e family,
    ngx_http_aiobs_labels_t *key, ngx_uint_t other)
{
    size_t                    size;
    ngx_http_aiobs_series_t  *s;

    size = ngx_http_aiobs_series_size(ngx_http_aiobs_values_n(family), key);

    /* without the lock first: a flood of new names must not take it */

    if (!other && (!ngx_http_aiobs_series_room(family, size)
                   || ngx_http_aiobs_chain_full(key->hash)))
    {
        return NULL;
    }

    ngx_shmtx_lock(&ngx_http_aiobs_registry_pool->mutex);

    ngx_http_aiobs_series_link(ngx_http_aiobs_registry);

    s = ngx_http_aiobs_series_find(family, key);

    if (s == NULL && (other || ngx_http_aiobs_series_room(family, size))) {
        s = ngx_http_aiobs_series_create(family, key);
    }

    ngx_shmtx_unlock(&ngx_http_aiobs_registry_pool->mutex);

    return s;
}


/*
 * No family takes more than half.  The last quarter is for families that have
 * few series yet, so that a flood in one leaves room in every other.
 */

static ngx_uint_t
ngx_http_aiobs_series_room(ngx_http_aiobs_family_e family, size_t size)
{
    size_t                     left, keep;
    ngx_uint_t                 n;
    ngx_http_aiobs_metrics_t  *m;

    m = ngx_http_aiobs_registry;
    n = m->families[family].n;

    if (n >= m->capacity / 2 || m->series >= m->capacity) {
        return 0;
    }

    if (ngx_http_aiobs_families[family].type == NGX_HTTP_AIOBS_GAUGE
        && m->gauges >= NGX_HTTP_AIOBS_GAUGES - NGX_HTTP_AIOBS_FAMILY_LAST)
    {
        return 0;
    }

    left = m->arena_size - m->arena_used;
    keep = NGX_HTTP_AIOBS_FAMILY_LAST * NGX_HTTP_AIOBS_SERIES_SIZE
           + NGX_HTTP_AIOBS_SLOT_BYTES;

    if (n < m->capacity / 4 / NGX_HTTP_AIOBS_FAMILY_LAST) {
        return left >= keep + size;
    }

    return m->series < m->capacity / 4 * 3
           && left >= keep + size
                      + m->capacity / 4 * NGX_HTTP_AIOBS_SERIES_SIZE;
}


/* names made to collide do not make look-ups slow */

static ngx_uint_t
ngx_http_aiobs_chain_full(uint32_t hash)
{
    ngx_uint_t                 n;
    ngx_http_aiobs_series_t   *s;
    ngx_http_aiobs_metrics_t  *m;

    m = ngx_http_aiobs_registry;
    n = 0;

    for (s = m->table[hash & m->mask]; s; s = s->chain) {
        n++;
    }

    return n >= NGX_HTTP_AIOBS_CHAIN_MAX;
}


/* under the lock */

static ngx_http_aiobs_series_t *
ngx_http_aiobs_series_create(ngx_http_aiobs_family_e family,
    ngx_http_aiobs_labels_t *key)
{
    size_t                     size;
    ngx_uint_t                 values;
    ngx_http_aiobs_series_t   *s;
    ngx_http_aiobs_metrics_t  *m;

    m = ngx_http_aiobs_registry;
    values = ngx_http_aiobs_values_n(family);

    if (ngx_http_aiobs_families[family].type == NGX_HTTP_AIOBS_HISTOGRAM
        && m->natives < m->natives_n)
    {
        m->natives++;
        values += NGX_HTTP_AIOBS_NATIVE_N;
    }

    size = ngx_http_aiobs_series_size(values, key);

    s = ngx_http_aiobs_arena_alloc(m, size);
    if (s == NULL) {
        return NULL;
    }

    ngx_memzero(s, size);

    s->hash = key->hash;
    s->ordinal = m->families[family].n + 1;
    s->created = (uint32_t) ngx_time();
    s->family = family;
    s->labels_len = key->len;
    s->values_n = (uint16_t) values;

    if (ngx_http_aiobs_families[family].type == NGX_HTTP_AIOBS_GAUGE) {
        s->gauge = (uint16_t) m->gauges;
    }

    ngx_memcpy(ngx_http_aiobs_series_labels(s), key->data, key->len);

    ngx_memory_barrier();

    m->pending = s;

    ngx_http_aiobs_series_link(m);

    return s;
}


static size_t
ngx_http_aiobs_series_size(ngx_uint_t values, ngx_http_aiobs_labels_t *key)
{
    return offsetof(ngx_http_aiobs_series_t, values) + key->len
           + values * sizeof(ngx_atomic_t);
}


/* without native buckets */

static ngx_uint_t
ngx_http_aiobs_values_n(ngx_http_aiobs_family_e family)
{
    switch (ngx_http_aiobs_families[family].type) {

    case NGX_HTTP_AIOBS_HISTOGRAM:
        return ngx_http_aiobs_metrics_conf->buckets[family]->n + 2;

    case NGX_HTTP_AIOBS_COUNTER:
        return 1;

    default:
        return 0;
    }
}


/*
 * Under the lock.  A worker killed half way leaves the series pending; every
 * step may be taken again by whoever has the lock next.
 */

static void
ngx_http_aiobs_series_link(ngx_http_aiobs_metrics_t *m)
{
    ngx_uint_t                          i, n;
    ngx_http_aiobs_series_t            *s, *volatile *head;
    ngx_http_aiobs_family_series_t     *fs;

    s = m->pending;

    if (s == NULL) {
        return;
    }

    fs = &m->families[s->family];

    if (fs->last == NULL) {
        fs->first = s;

    } else if (fs->last != s) {
        fs->last->next = s;
    }

    fs->last = s;
    fs->n = s->ordinal;

    if (ngx_http_aiobs_families[s->family].type == NGX_HTTP_AIOBS_GAUGE) {
        m->gauges = s->gauge + 1;
    }

    for (n = 0, i = 0; i < NGX_HTTP_AIOBS_FAMILY_LAST; i++) {
        n += m->families[i].n;
    }

    m->series = n;

    head = &m->table[s->hash & m->mask];

    if (*head != s) {
        s->chain = *head;

        ngx_memory_barrier();

        *head = s;
    }

    ngx_memory_barrier();

    m->pending = NULL;
}


void *
ngx_http_aiobs_arena_alloc(ngx_http_aiobs_metrics_t *m, size_t size)
{
    u_char  *p;

    size = ngx_align(size, sizeof(ngx_atomic_t));

    if (m->arena_size - m->arena_used < size) {
        return NULL;
    }

    p = m->arena + m->arena_used;
    m->arena_used += size;

    return p;
}
