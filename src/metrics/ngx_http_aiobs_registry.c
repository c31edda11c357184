
/*
 * Copyright (C) the aiobs authors
 *
 * Series in shared memory: found through a cache of this worker, updated by
 * atomics, added under the zone's lock.
 */


#include "ngx_http_aiobs_families.h"


#define NGX_HTTP_AIOBS_CACHE         4096       /* entries, a power of two */
#define NGX_HTTP_AIOBS_SERIES_SIZE   256        /* bytes on average */
#define NGX_HTTP_AIOBS_RESERVE       1024       /* for "other" of a family */
#define NGX_HTTP_AIOBS_SLOTS         64         /* processes at a time */

#define NGX_HTTP_AIOBS_KEY_MAX                                                \
    (NGX_HTTP_AIOBS_LABELS_MAX * (NGX_HTTP_AIOBS_LABEL_LEN_MAX + 1))


typedef struct {
    uint32_t    hash;
    uint32_t    len;
    u_char      data[NGX_HTTP_AIOBS_KEY_MAX];
} ngx_http_aiobs_labels_t;


static ngx_http_aiobs_series_t *ngx_http_aiobs_series(
    ngx_http_aiobs_family_e family, const ngx_str_t *labels);
static void ngx_http_aiobs_labels(ngx_http_aiobs_labels_t *key,
    ngx_http_aiobs_family_e family, const ngx_str_t *labels);
static u_char *ngx_http_aiobs_label(u_char *p, const ngx_str_t *label);
static size_t ngx_http_aiobs_label_cut(u_char *p, size_t len);
static ngx_http_aiobs_series_t *ngx_http_aiobs_series_find(
    ngx_http_aiobs_family_e family, ngx_http_aiobs_labels_t *key);
static ngx_http_aiobs_series_t *ngx_http_aiobs_series_add(
    ngx_http_aiobs_family_e family, ngx_http_aiobs_labels_t *key,
    ngx_uint_t other);
static ngx_http_aiobs_series_t *ngx_http_aiobs_series_other(
    ngx_http_aiobs_family_e family);
static ngx_uint_t ngx_http_aiobs_series_is(ngx_http_aiobs_series_t *s,
    ngx_http_aiobs_family_e family, ngx_http_aiobs_labels_t *key);
static void *ngx_http_aiobs_arena(size_t size, size_t keep);


static ngx_http_aiobs_metrics_t  *ngx_http_aiobs_m;
static ngx_slab_pool_t           *ngx_http_aiobs_m_pool;
static ngx_atomic_t              *ngx_http_aiobs_m_gauges;
static ngx_http_aiobs_series_t   *ngx_http_aiobs_cache[NGX_HTTP_AIOBS_CACHE];


size_t
ngx_http_aiobs_metrics_size(ngx_uint_t series)
{
    size_t  size, table;

    for (table = 1024; table < series; table *= 2) {
        /* void */
    }

    size = sizeof(ngx_http_aiobs_metrics_t)
           + table * sizeof(ngx_http_aiobs_series_t *)
           + series * NGX_HTTP_AIOBS_SERIES_SIZE
           + NGX_HTTP_AIOBS_FAMILY_LAST * NGX_HTTP_AIOBS_RESERVE
           + NGX_HTTP_AIOBS_SLOTS * NGX_HTTP_AIOBS_GAUGES
             * sizeof(ngx_atomic_t);

    return ngx_align(size, ngx_pagesize);
}


ngx_http_aiobs_metrics_t *
ngx_http_aiobs_metrics_create(ngx_slab_pool_t *shpool, ngx_uint_t series,
    ngx_log_t *log)
{
    size_t                     size, table;
    u_char                    *p;
    ngx_http_aiobs_metrics_t  *m;

    size = ngx_http_aiobs_metrics_size(series);

    p = ngx_slab_alloc(shpool, size);
    if (p == NULL) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"aiobs_zone\" is too small: %ui series need %uzk",
                      series, size / 1024);
        return NULL;
    }

    for (table = 1024; table < series; table *= 2) {
        /* void */
    }

    m = (ngx_http_aiobs_metrics_t *) p;
    ngx_memzero(m, sizeof(ngx_http_aiobs_metrics_t)
                   + table * sizeof(ngx_http_aiobs_series_t *));

    m->capacity = series;
    m->family_max = series / 2;
    m->started = ngx_time();
    m->zone_size = shpool->end - (u_char *) shpool;
    m->mask = table - 1;
    m->table = (ngx_http_aiobs_series_t *volatile *)
                   (p + sizeof(ngx_http_aiobs_metrics_t));
    m->arena = (u_char *) (m->table + table);
    m->arena_size = p + size - m->arena;

    return m;
}


ngx_int_t
ngx_http_aiobs_metrics_init_process(ngx_http_aiobs_metrics_t *m,
    ngx_slab_pool_t *shpool, ngx_cycle_t *cycle)
{
    ngx_http_aiobs_slot_t  *slot;

    ngx_http_aiobs_m = m;
    ngx_http_aiobs_m_pool = shpool;

    m->reloaded = ngx_time();

    slot = &m->slots[ngx_process == NGX_PROCESS_SINGLE ? 0 : ngx_process_slot];

    /* whoever had the slot is dead, and so are his requests */

    slot->pid = 0;

    if (slot->values == NULL) {
        ngx_shmtx_lock(&shpool->mutex);

        slot->values = ngx_http_aiobs_arena(NGX_HTTP_AIOBS_GAUGES
                                            * sizeof(ngx_atomic_t), 0);

        ngx_shmtx_unlock(&shpool->mutex);
    }

    if (slot->values) {
        ngx_memzero((void *) slot->values,
                    NGX_HTTP_AIOBS_GAUGES * sizeof(ngx_atomic_t));
        ngx_memory_barrier();
        slot->pid = ngx_pid;
    }

    ngx_http_aiobs_m_gauges = slot->values;

    return NGX_OK;
}


void
ngx_http_aiobs_metrics_add(ngx_http_aiobs_family_e family,
    const ngx_str_t *labels, uint64_t n)
{
    ngx_http_aiobs_series_t  *s;

    s = ngx_http_aiobs_series(family, labels);

    if (s) {
        (void) ngx_atomic_fetch_add(&s->values[0], (ngx_atomic_int_t) n);
    }
}


void
ngx_http_aiobs_metrics_observe(ngx_http_aiobs_family_e family,
    const ngx_str_t *labels, uint64_t value)
{
    ngx_uint_t                       i;
    ngx_http_aiobs_series_t         *s;
    const ngx_http_aiobs_buckets_t  *b;

    s = ngx_http_aiobs_series(family, labels);

    if (s == NULL) {
        return;
    }

    b = ngx_http_aiobs_families[family].buckets;

    for (i = 0; i < b->n && value > b->bounds[i]; i++) {
        /* void */
    }

    (void) ngx_atomic_fetch_add(&s->values[b->n + 1],
                                (ngx_atomic_int_t) value);
    (void) ngx_atomic_fetch_add(&s->values[i], 1);
}


ngx_http_aiobs_gauge_t
ngx_http_aiobs_metrics_up(ngx_http_aiobs_family_e family,
    const ngx_str_t *labels)
{
    ngx_atomic_t             *gauge;
    ngx_http_aiobs_series_t  *s;

    if (ngx_http_aiobs_m_gauges == NULL) {
        return NULL;
    }

    s = ngx_http_aiobs_series(family, labels);

    if (s == NULL || s->gauge >= NGX_HTTP_AIOBS_GAUGES) {
        return NULL;
    }

    gauge = &ngx_http_aiobs_m_gauges[s->gauge];
    (*gauge)++;

    return gauge;
}


void
ngx_http_aiobs_metrics_down(ngx_http_aiobs_gauge_t gauge)
{
    if (gauge) {
        (*gauge)--;
    }
}


ngx_http_aiobs_metrics_t *
ngx_http_aiobs_registry(void)
{
    return ngx_http_aiobs_m;
}


int64_t
ngx_http_aiobs_gauge_value(ngx_http_aiobs_metrics_t *m,
    ngx_http_aiobs_series_t *s)
{
    int64_t                 n;
    ngx_uint_t              i;
    ngx_http_aiobs_slot_t  *slot;

    n = 0;

    for (i = 0; i < NGX_MAX_PROCESSES; i++) {
        slot = &m->slots[i];

        if (slot->pid && slot->values && s->gauge < NGX_HTTP_AIOBS_GAUGES
            && slot->values[s->gauge]
            && (kill(slot->pid, 0) == 0 || ngx_errno != NGX_ESRCH))
        {
            n += slot->values[s->gauge];
        }
    }

    return n;
}


static ngx_http_aiobs_series_t *
ngx_http_aiobs_series(ngx_http_aiobs_family_e family, const ngx_str_t *labels)
{
    ngx_http_aiobs_labels_t    key;
    ngx_http_aiobs_series_t   *s, **cached;

    if (ngx_http_aiobs_m == NULL) {
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
                             &ngx_http_aiobs_m->families[family].dropped, 1);

        return ngx_http_aiobs_series_other(family);
    }

    *cached = s;

    return s;
}


static void
ngx_http_aiobs_labels(ngx_http_aiobs_labels_t *key,
    ngx_http_aiobs_family_e family, const ngx_str_t *labels)
{
    u_char             *p;
    const char *const  *name;

    p = key->data;

    for (name = ngx_http_aiobs_families[family].labels; *name; name++) {
        p = ngx_http_aiobs_label(p, labels++);
    }

    key->len = p - key->data;
    key->hash = ngx_murmur_hash2(key->data, key->len)
                ^ ((uint32_t) family * 0x9e3779b1);
}


/* a length byte and clean UTF-8 without control bytes */

static u_char *
ngx_http_aiobs_label(u_char *p, const ngx_str_t *label)
{
    size_t      i, len;
    u_char      c, *dst;
    ngx_uint_t  clean;

    len = ngx_min(label->len, NGX_HTTP_AIOBS_LABEL_LEN_MAX);
    dst = p + 1;
    clean = 1;

    for (i = 0; i < len; i++) {
        c = label->data[i];
        clean &= (c >= 0x20 && c < 0x7f);
        dst[i] = c;
    }

    if (!clean || len < label->len) {
        len = ngx_http_aiobs_label_cut(dst, len);
    }

    *p = (u_char) len;

    return dst + len;
}


/* what is no character becomes "?", a character cut at the end goes */

static size_t
ngx_http_aiobs_label_cut(u_char *p, size_t len)
{
    size_t   i, n;
    u_char  *q, *last, *next;

    last = p + len;

    for (i = 0; i < len; i += n) {
        q = p + i;
        n = 1;

        if (*q < 0x80) {
            if (*q < 0x20 || *q == 0x7f) {
                *q = '?';
            }

            continue;
        }

        next = q;

        if (ngx_utf8_decode(&next, last - q) <= 0x10ffff && next > q
            && next <= last)
        {
            n = next - q;
            continue;
        }

        if (len == NGX_HTTP_AIOBS_LABEL_LEN_MAX && last - q < 4) {
            return i;
        }

        *q = '?';
    }

    return len;
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


static ngx_http_aiobs_series_t *
ngx_http_aiobs_series_find(ngx_http_aiobs_family_e family,
    ngx_http_aiobs_labels_t *key)
{
    ngx_http_aiobs_series_t  *s;

    s = ngx_http_aiobs_m->table[key->hash & ngx_http_aiobs_m->mask];

    for ( /* void */ ; s; s = s->chain) {
        if (ngx_http_aiobs_series_is(s, family, key)) {
            return s;
        }
    }

    return NULL;
}


/*
 * Under the lock.  A series is reachable by its last store only, so that a
 * worker killed here leaves nothing half-made, only a piece of the arena.
 */

static ngx_http_aiobs_series_t *
ngx_http_aiobs_series_add(ngx_http_aiobs_family_e family,
    ngx_http_aiobs_labels_t *key, ngx_uint_t other)
{
    size_t                          size;
    ngx_uint_t                      n;
    ngx_http_aiobs_series_t        *s, *volatile *head;
    ngx_http_aiobs_metrics_t       *m;
    const ngx_http_aiobs_family_t  *f;

    m = ngx_http_aiobs_m;
    f = &ngx_http_aiobs_families[family];

    n = f->type == NGX_HTTP_AIOBS_HISTOGRAM ? f->buckets->n + 2 : 1;
    size = offsetof(ngx_http_aiobs_series_t, values)
           + n * sizeof(ngx_atomic_t) + key->len;

    if (!other && (m->series >= m->capacity
                   || m->families[family].n >= m->family_max))
    {
        return NULL;
    }

    ngx_shmtx_lock(&ngx_http_aiobs_m_pool->mutex);

    s = ngx_http_aiobs_series_find(family, key);

    if (s) {
        goto done;
    }

    s = ngx_http_aiobs_arena(size, other ? 0 : NGX_HTTP_AIOBS_FAMILY_LAST
                                               * NGX_HTTP_AIOBS_RESERVE);

    if (s == NULL) {
        goto done;
    }

    ngx_memzero(s, size);

    s->hash = key->hash;
    s->family = family;
    s->labels_len = key->len;
    s->values_n = n;
    ngx_memcpy(ngx_http_aiobs_series_labels(s), key->data, key->len);

    if (f->type == NGX_HTTP_AIOBS_GAUGE) {
        s->gauge = ngx_min(ngx_atomic_fetch_add(&m->gauges, 1),
                           NGX_HTTP_AIOBS_GAUGES);
    }

    head = &m->table[key->hash & m->mask];
    s->chain = *head;

    ngx_memory_barrier();

    *head = s;

    if (m->families[family].last) {
        m->families[family].last->next = s;

    } else {
        m->families[family].first = s;
    }

    m->families[family].last = s;
    m->families[family].n++;
    m->series++;

done:

    ngx_shmtx_unlock(&ngx_http_aiobs_m_pool->mutex);

    return s;
}


/* where everything goes that there is no room for: every label is "other" */

static ngx_http_aiobs_series_t *
ngx_http_aiobs_series_other(ngx_http_aiobs_family_e family)
{
    ngx_uint_t                i;
    ngx_str_t                 labels[NGX_HTTP_AIOBS_LABELS_MAX];
    ngx_http_aiobs_labels_t   key;
    ngx_http_aiobs_series_t  *s;

    for (i = 0; i < NGX_HTTP_AIOBS_LABELS_MAX; i++) {
        ngx_str_set(&labels[i], "other");
    }

    ngx_http_aiobs_labels(&key, family, labels);

    s = ngx_http_aiobs_series_find(family, &key);

    return s ? s : ngx_http_aiobs_series_add(family, &key, 1);
}


/* under the lock; keep: bytes that have to stay free */

static void *
ngx_http_aiobs_arena(size_t size, size_t keep)
{
    u_char                    *p;
    ngx_http_aiobs_metrics_t  *m;

    m = ngx_http_aiobs_m;
    size = ngx_align(size, sizeof(ngx_atomic_t));

    if (m->arena_size - m->arena_used < size + keep) {
        return NULL;
    }

    p = m->arena + m->arena_used;
    m->arena_used += size;

    return p;
}
