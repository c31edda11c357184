
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the metrics room: the table of families and the registry's layout.
 */


#ifndef _NGX_HTTP_AIOBS_FAMILIES_H_INCLUDED_
#define _NGX_HTTP_AIOBS_FAMILIES_H_INCLUDED_


#include "ngx_http_aiobs_metrics.h"


#define NGX_HTTP_AIOBS_BUCKETS_MAX  20
#define NGX_HTTP_AIOBS_GAUGES       256     /* gauge series, in all families */


typedef enum {
    NGX_HTTP_AIOBS_COUNTER = 0,
    NGX_HTTP_AIOBS_GAUGE,                   /* summed over live processes */
    NGX_HTTP_AIOBS_HISTOGRAM
} ngx_http_aiobs_type_e;


/* what a stored value is divided by to be shown in the unit of the name */

typedef enum {
    NGX_HTTP_AIOBS_PLAIN = 1,
    NGX_HTTP_AIOBS_MICRO = 1000000,         /* seconds */
    NGX_HTTP_AIOBS_NANO = 1000000000        /* US dollars */
} ngx_http_aiobs_scale_e;


typedef struct {
    ngx_uint_t              n;
    uint64_t                bounds[NGX_HTTP_AIOBS_BUCKETS_MAX];  /* raw units */
} ngx_http_aiobs_buckets_t;


typedef struct {
    const char                      *name;  /* of a counter: without _total */
    const char                      *help;
    const char                      *unit;  /* OpenMetrics; "" for none */
    ngx_http_aiobs_type_e            type;
    ngx_http_aiobs_scale_e           scale;
    const char                      *labels[NGX_HTTP_AIOBS_LABELS_MAX + 1];
    const ngx_http_aiobs_buckets_t  *buckets;
} ngx_http_aiobs_family_t;


typedef struct ngx_http_aiobs_series_s  ngx_http_aiobs_series_t;

/*
 * A series is never moved, changed in shape or freed.  Behind it lie its
 * values - a histogram's buckets, the one above the last bound and the sum -
 * and its label values, each as a length byte and that many bytes.
 */

struct ngx_http_aiobs_series_s {
    ngx_http_aiobs_series_t *volatile  next;       /* of the family */
    ngx_http_aiobs_series_t *volatile  chain;      /* of the hash table */
    uint32_t                           hash;
    uint16_t                           family;
    uint16_t                           labels_len;
    uint16_t                           gauge;      /* index in a slot */
    uint16_t                           values_n;
    ngx_atomic_t                       values[1];
};


typedef struct {
    ngx_pid_t                          pid;        /* 0: not taken */
    ngx_atomic_t                      *values;     /* NGX_HTTP_AIOBS_GAUGES */
} ngx_http_aiobs_slot_t;


struct ngx_http_aiobs_metrics_s {
    ngx_uint_t                         capacity;   /* series */
    ngx_uint_t                         family_max; /* series of one family */
    ngx_atomic_t                       series;     /* in use */
    ngx_atomic_t                       gauges;
    time_t                             started;
    ngx_atomic_t                       reloaded;   /* seconds, UTC */

    u_char                            *arena;
    size_t                             arena_size;
    size_t                             arena_used;
    size_t                             zone_size;

    ngx_uint_t                         mask;       /* of the hash table */
    ngx_http_aiobs_series_t *volatile *table;

    struct {
        ngx_http_aiobs_series_t *volatile  first;
        ngx_http_aiobs_series_t           *last;
        ngx_atomic_t                       n;
        ngx_atomic_t                       dropped;
    } families[NGX_HTTP_AIOBS_FAMILY_LAST];

    ngx_http_aiobs_slot_t              slots[NGX_MAX_PROCESSES];
};


extern const ngx_http_aiobs_family_t
    ngx_http_aiobs_families[NGX_HTTP_AIOBS_FAMILY_LAST];


/* the registry of this process; NULL before init_process */
ngx_http_aiobs_metrics_t *ngx_http_aiobs_registry(void);

/* a gauge's sum over live processes */
int64_t ngx_http_aiobs_gauge_value(ngx_http_aiobs_metrics_t *m,
    ngx_http_aiobs_series_t *s);

static ngx_inline u_char *
ngx_http_aiobs_series_labels(ngx_http_aiobs_series_t *s)
{
    return (u_char *) &s->values[s->values_n];
}


/* --- ngx_http_aiobs_health.c: families about the module itself --- */

/* appends them to the exposition that is being rendered */
void ngx_http_aiobs_health(ngx_http_aiobs_metrics_t *m, void *out);


/* --- ngx_http_aiobs_exposition.c, for ngx_http_aiobs_health.c --- */

void ngx_http_aiobs_expose_header(void *out, const char *name,
    const char *help, const char *unit, ngx_http_aiobs_type_e type);

/* one sample with at most one label; suffix: "", "_total" or "_info" */
void ngx_http_aiobs_expose_sample(void *out, const char *name,
    const char *suffix, const char *labels, uint64_t value);


#endif /* _NGX_HTTP_AIOBS_FAMILIES_H_INCLUDED_ */
