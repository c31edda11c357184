
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the metrics room: the table of families and the registry's layout.
 */


#ifndef _NGX_HTTP_AIOBS_FAMILIES_H_INCLUDED_
#define _NGX_HTTP_AIOBS_FAMILIES_H_INCLUDED_


#include "ngx_http_aiobs_metrics.h"
#include "../ngx_http_aiobs_process.h"
#include "aiobs_text.h"


#define NGX_HTTP_AIOBS_BUCKETS_MAX    40

/* flags of a family, besides the sets of names */

#define NGX_HTTP_AIOBS_EXEMPLARS      0x01

/* exemplars of a histogram's series: a bucket takes that of its number */

#define NGX_HTTP_AIOBS_EXEMPLARS_MAX  4     /* a power of two */

/* a native histogram: the zero bucket, and 8 for each of 22 powers of two */

#define NGX_HTTP_AIOBS_NATIVE_SCHEMA  3
#define NGX_HTTP_AIOBS_NATIVE_STEPS   8
#define NGX_HTTP_AIOBS_NATIVE_N       (1 + 22 * NGX_HTTP_AIOBS_NATIVE_STEPS)

/* gauge series of all families; a process' values come in chunks of them */

#define NGX_HTTP_AIOBS_GAUGE_CHUNK    128
#define NGX_HTTP_AIOBS_GAUGE_CHUNKS   8
#define NGX_HTTP_AIOBS_GAUGES         (NGX_HTTP_AIOBS_GAUGE_CHUNK             \
                                       * NGX_HTTP_AIOBS_GAUGE_CHUNKS)

#define NGX_HTTP_AIOBS_SERIES_SIZE    256   /* bytes on average */

/* for gauges of 256 processes: as many workers as 128, and those of a reload */
#define NGX_HTTP_AIOBS_SLOT_BYTES     (256 * NGX_HTTP_AIOBS_GAUGE_CHUNK       \
                                       * sizeof(ngx_atomic_t))

#define NGX_HTTP_AIOBS_KEY_MAX        (NGX_HTTP_AIOBS_LABELS_MAX              \
                                       * (AIOBS_LABEL_MAX + 1))


typedef struct ngx_http_aiobs_scrape_s  ngx_http_aiobs_scrape_t;
typedef struct ngx_http_aiobs_family_s  ngx_http_aiobs_family_t;
typedef struct ngx_http_aiobs_series_s  ngx_http_aiobs_series_t;


typedef enum {
    NGX_HTTP_AIOBS_COUNTER = 0,
    NGX_HTTP_AIOBS_GAUGE,                   /* summed over live processes */
    NGX_HTTP_AIOBS_HISTOGRAM,
    NGX_HTTP_AIOBS_INFO
} ngx_http_aiobs_type_e;


/* what a stored value is divided by to be shown in the unit of the name */

typedef enum {
    NGX_HTTP_AIOBS_PLAIN = 1,
    NGX_HTTP_AIOBS_MICRO = 1000000,         /* seconds, scores */
    NGX_HTTP_AIOBS_NANO = 1000000000        /* US dollars */
} ngx_http_aiobs_scale_e;


struct ngx_http_aiobs_buckets_s {
    ngx_int_t               low;        /* power of 2, of native histograms */
    ngx_uint_t              n;
    uint64_t                bounds[NGX_HTTP_AIOBS_BUCKETS_MAX]; /* unscaled */
};


/* shows a family that is read where it lies, not counted in the registry */

typedef void (*ngx_http_aiobs_collect_pt)(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);


struct ngx_http_aiobs_family_s {
    const char                      *name;  /* without _total and _info */
    const char                      *help;
    const char                      *unit;  /* the name's last word, or "" */
    ngx_http_aiobs_type_e            type;
    ngx_http_aiobs_scale_e           scale;
    const char                      *labels[NGX_HTTP_AIOBS_LABELS_MAX + 1];
    const ngx_http_aiobs_buckets_t  *buckets;
    ngx_http_aiobs_collect_pt        collect;
    ngx_uint_t                       flags;
};


/* label values, each as a length byte and that many bytes of clean UTF-8 */

typedef struct {
    uint32_t                hash;
    uint32_t                len;
    u_char                  data[NGX_HTTP_AIOBS_KEY_MAX];
} ngx_http_aiobs_labels_t;


/*
 * A series is never moved, changed in shape or freed.  Behind it lie its
 * values (a counter; a histogram's buckets, the one above the last bound, the
 * sum, and perhaps its native buckets; nothing for a gauge) and its label
 * values as above.
 */

struct ngx_http_aiobs_series_s {
    ngx_http_aiobs_series_t *volatile  next;       /* of the family */
    ngx_http_aiobs_series_t *volatile  chain;      /* of the hash table */
    uint32_t                           hash;
    uint32_t                           ordinal;    /* in the family, from 1 */
    uint32_t                           created;    /* seconds, UTC */
    volatile uint32_t                  exemplars;  /* the first, from 1 */
    uint16_t                           family;
    uint16_t                           labels_len;
    uint16_t                           values_n;
    uint16_t                           gauge;      /* which gauge series */
    ngx_atomic_t                       values[1];
};


/*
 * The last request that was counted in a bucket.  Written by whoever has the
 * lock, read without: the sequence is odd, or another one, when it changes.
 * trace_id and request_id, with their names, are to have 128 characters.
 */

#define NGX_HTTP_AIOBS_EXEMPLAR_TRACE  32
#define NGX_HTTP_AIOBS_EXEMPLAR_ID                                            \
    (128 - NGX_HTTP_AIOBS_EXEMPLAR_TRACE - (sizeof("trace_id") - 1)           \
     - (sizeof("request_id") - 1))

typedef struct {
    ngx_atomic_t                       lock;        /* pid of the writer */
    ngx_atomic_t                       sequence;
    uint64_t                           value;
    uint64_t                           msec;        /* UTC */
    u_char                             bucket;
    u_char                             sampled;
    u_char                             id_len;      /* 0: too long to show */
    u_char                             trace_id[NGX_HTTP_AIOBS_EXEMPLAR_TRACE];
    u_char                             id[NGX_HTTP_AIOBS_EXEMPLAR_ID];
} ngx_http_aiobs_exemplar_t;


typedef struct {
    ngx_http_aiobs_series_t *volatile  first;
    ngx_http_aiobs_series_t           *last;
    ngx_http_aiobs_series_t *volatile  other;      /* takes what has no room */
    ngx_atomic_t                       n;          /* series */
    ngx_atomic_t                       dropped;    /* updates */
} ngx_http_aiobs_family_series_t;


/* gauges of the process that has this ngx_process_slot */

typedef struct {
    ngx_atomic_t                       pid;        /* 0: nobody */
    ngx_atomic_t *volatile             chunks[NGX_HTTP_AIOBS_GAUGE_CHUNKS];
} ngx_http_aiobs_slot_t;


struct ngx_http_aiobs_metrics_s {
    uint32_t                           fingerprint;  /* of the families */
    uint32_t                           shape;        /* of the configuration */
    ngx_uint_t                         capacity;     /* series */
    ngx_atomic_t                       series;       /* in use */
    ngx_atomic_t                       gauges;       /* series of them */
    ngx_atomic_t                       started;      /* seconds, UTC */
    ngx_atomic_t                       loaded;       /* the configuration */
    ngx_cycle_t                       *cycle;        /* compared only */

    u_char                            *arena;
    size_t                             arena_size;
    ngx_atomic_t                       arena_used;

    ngx_uint_t                         mask;         /* of the hash table */
    ngx_http_aiobs_series_t *volatile *table;
    ngx_http_aiobs_series_t *volatile  pending;      /* being linked */

    ngx_http_aiobs_exemplar_t         *exemplars;
    ngx_uint_t                         exemplars_n;
    ngx_atomic_t                       exemplars_used;

    ngx_uint_t                         natives_n;   /* native histograms */
    ngx_atomic_t                       natives;

    ngx_http_aiobs_family_series_t     families[NGX_HTTP_AIOBS_FAMILY_LAST];
    ngx_http_aiobs_slot_t              slots[NGX_MAX_PROCESSES];
};


/* --- ngx_http_aiobs_families.c --- */

extern const ngx_http_aiobs_family_t
    ngx_http_aiobs_families[NGX_HTTP_AIOBS_FAMILY_LAST];


/* --- ngx_http_aiobs_labels.c --- */

void ngx_http_aiobs_labels(ngx_http_aiobs_labels_t *key,
    ngx_http_aiobs_family_e family, const ngx_str_t *labels);


/* --- ngx_http_aiobs_registry.c --- */

/* this process' registry and its zone; NULL before init_process */
extern ngx_http_aiobs_metrics_t  *ngx_http_aiobs_registry;
extern ngx_slab_pool_t           *ngx_http_aiobs_registry_pool;
extern ngx_http_aiobs_metrics_conf_t  *ngx_http_aiobs_metrics_conf;

/* the series of a family and labels, added when it is new; NULL: no room */
ngx_http_aiobs_series_t *ngx_http_aiobs_series(ngx_http_aiobs_family_e family,
    const ngx_str_t *labels);

/* of a histogram, as configured */
static ngx_inline const ngx_http_aiobs_buckets_t *
ngx_http_aiobs_buckets(const ngx_http_aiobs_family_t *f)
{
    return ngx_http_aiobs_metrics_conf->buckets[f - ngx_http_aiobs_families];
}

/* under the zone's lock; not zeroed */
void *ngx_http_aiobs_arena_alloc(ngx_http_aiobs_metrics_t *m, size_t size);

static ngx_inline u_char *
ngx_http_aiobs_series_labels(ngx_http_aiobs_series_t *s)
{
    return (u_char *) s + offsetof(ngx_http_aiobs_series_t, values)
           + s->values_n * sizeof(ngx_atomic_t);
}


/* --- ngx_http_aiobs_update.c --- */

/* in every worker, before anything is counted: how each family is */
void ngx_http_aiobs_update_init(ngx_http_aiobs_metrics_conf_t *conf);


/* --- ngx_http_aiobs_gauges.c --- */

typedef struct {
    ngx_uint_t              n;
    uint16_t                slots[NGX_MAX_PROCESSES];
} ngx_http_aiobs_live_t;

/* takes the slot of this process */
void ngx_http_aiobs_gauges_init(ngx_http_aiobs_metrics_t *m);

/* slots of processes that are alive; a gauge's sum over them */
void ngx_http_aiobs_gauges_live(ngx_http_aiobs_metrics_t *m,
    ngx_http_aiobs_live_t *live);
int64_t ngx_http_aiobs_gauge_value(ngx_http_aiobs_metrics_t *m,
    ngx_http_aiobs_live_t *live, ngx_http_aiobs_series_t *s);


/* --- ngx_http_aiobs_models.c --- */

/* in every worker: their series, if they are not there yet */
void ngx_http_aiobs_models_init(ngx_http_aiobs_metrics_conf_t *conf);


/* --- ngx_http_aiobs_native.c --- */

/* in every worker */
ngx_int_t ngx_http_aiobs_native_init(ngx_cycle_t *cycle);

/* buckets: NGX_HTTP_AIOBS_NATIVE_N of them */
void ngx_http_aiobs_native_observe(ngx_http_aiobs_family_e family,
    ngx_atomic_t *buckets, uint64_t value);


/* --- ngx_http_aiobs_exemplars.c --- */

/* remembers the request being counted; value: as it is observed */
void ngx_http_aiobs_exemplar_add(ngx_http_aiobs_series_t *s,
    ngx_uint_t bucket, uint64_t value);

/*
 * Copies the exemplars of s that are not being written, one a bucket at most;
 * returns how many.
 */
ngx_uint_t ngx_http_aiobs_exemplars(ngx_http_aiobs_metrics_t *m,
    ngx_http_aiobs_series_t *s,
    ngx_http_aiobs_exemplar_t out[NGX_HTTP_AIOBS_EXEMPLARS_MAX]);


/* --- ngx_http_aiobs_exposition.c --- */

/* what follows a family's name in those of its samples and in text metadata */
const char *ngx_http_aiobs_suffix(const ngx_http_aiobs_family_t *f);

/* one sample of a family that is collected */
void ngx_http_aiobs_expose_sample(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, const ngx_str_t *labels, uint64_t value);


/* --- src/agents: what the agents room keeps --- */

/*
 * Before a scrape, until it is NGX_OK: a turn's worth of looking at sessions.
 * NGX_AGAIN: there is more, NGX_ERROR: out of memory.
 */
ngx_int_t ngx_http_aiobs_collect_begin(ngx_http_aiobs_scrape_t *scrape);

void ngx_http_aiobs_collect_rag_mean(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
void ngx_http_aiobs_collect_sessions(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);


/* --- ngx_http_aiobs_health.c: families about the module itself --- */

void ngx_http_aiobs_collect_build(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
void ngx_http_aiobs_collect_started(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
void ngx_http_aiobs_collect_loaded(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
void ngx_http_aiobs_collect_series(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
void ngx_http_aiobs_collect_series_limit(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
void ngx_http_aiobs_collect_dropped(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
void ngx_http_aiobs_collect_price_file(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
void ngx_http_aiobs_collect_zone_used(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
void ngx_http_aiobs_collect_zone_size(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);


#endif /* _NGX_HTTP_AIOBS_FAMILIES_H_INCLUDED_ */
