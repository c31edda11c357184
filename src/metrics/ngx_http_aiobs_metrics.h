
/*
 * Copyright (C) the aiobs authors
 *
 * The metrics room: families declared in one table, series in shared memory,
 * exposition.  Counting takes no lock; a lock is taken only to add a series.
 */


#ifndef _NGX_HTTP_AIOBS_METRICS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_METRICS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#define NGX_HTTP_AIOBS_VERSION          "0.1.0"

#define NGX_HTTP_AIOBS_LABELS_MAX       7
#define NGX_HTTP_AIOBS_SERIES_DEFAULT   20000


/* an index into the table of families in ngx_http_aiobs_families.c */

typedef enum {
    NGX_HTTP_AIOBS_HTTP_REQUESTS = 0,       /* handler, method, status */
    NGX_HTTP_AIOBS_HTTP_DURATION,           /* handler, method */
    NGX_HTTP_AIOBS_HTTP_INPROGRESS,         /* handler, method */
    NGX_HTTP_AIOBS_HTTP_REQUEST_SIZE,       /* handler */
    NGX_HTTP_AIOBS_HTTP_RESPONSE_SIZE,      /* handler */
    NGX_HTTP_AIOBS_LLM_TOKENS,              /* provider, model, endpoint, token_type */
    NGX_HTTP_AIOBS_LLM_TOKEN_DETAILS,       /* the same */
    NGX_HTTP_AIOBS_LLM_CALL_TOKENS,         /* the same */
    NGX_HTTP_AIOBS_LLM_CALL_DURATION,       /* provider, model, endpoint */
    NGX_HTTP_AIOBS_LLM_TTFT,                /* the same */
    NGX_HTTP_AIOBS_LLM_TPOT,                /* the same */
    NGX_HTTP_AIOBS_LLM_CALLS,               /* provider, model, endpoint, operation, error_type */
    NGX_HTTP_AIOBS_LLM_ATTEMPTS,            /* endpoint, provider, outcome */
    NGX_HTTP_AIOBS_LLM_CLIENT_RETRIES,      /* endpoint */
    NGX_HTTP_AIOBS_LLM_USAGE_SOURCE,        /* endpoint, source */
    NGX_HTTP_AIOBS_LLM_CALLS_INPROGRESS,    /* endpoint */
    NGX_HTTP_AIOBS_LLM_COST,                /* provider, model, endpoint; nano */
    NGX_HTTP_AIOBS_LLM_BILLED_UNITS,        /* provider, model, endpoint, unit */
    NGX_HTTP_AIOBS_REFUSALS,                /* endpoint, reason */
    NGX_HTTP_AIOBS_KEY_VALIDATIONS,         /* result */
    NGX_HTTP_AIOBS_LOGINS,                  /* provider, result */
    NGX_HTTP_AIOBS_PARSE_FAILURES,          /* provider, reason */
    NGX_HTTP_AIOBS_UNPRICED_CALLS,          /* none: labels may be NULL */
    NGX_HTTP_AIOBS_RAG_SCORE,               /* endpoint; millionths */
    NGX_HTTP_AIOBS_RAG_IGNORED,             /* endpoint, reason */
    NGX_HTTP_AIOBS_GROUP_TOKENS,            /* group, token_type */
    NGX_HTTP_AIOBS_GROUP_COST,              /* group; nano */
    NGX_HTTP_AIOBS_LIMITS_MISSED,           /* none */
    NGX_HTTP_AIOBS_COUNTS_REFUSED,          /* family, reason */
    NGX_HTTP_AIOBS_USAGE_LOST,              /* reason */
    NGX_HTTP_AIOBS_EXPORT_SENT,             /* exporter */
    NGX_HTTP_AIOBS_EXPORT_DROPPED,          /* exporter, reason */
    NGX_HTTP_AIOBS_EXPORT_FAILED,           /* exporter, reason */
    NGX_HTTP_AIOBS_EXPORT_QUEUE,            /* exporter */
    NGX_HTTP_AIOBS_SESSION_CALLS,           /* endpoint */
    NGX_HTTP_AIOBS_SESSION_EVICTED,         /* endpoint */

    /* by the names and attributes of OpenTelemetry's conventions */

    NGX_HTTP_AIOBS_OTEL_HTTP_DURATION,      /* see NGX_HTTP_AIOBS_OTEL_HTTP */
    NGX_HTTP_AIOBS_OTEL_TOKEN_USAGE,        /* see NGX_HTTP_AIOBS_OTEL_CALL */
    NGX_HTTP_AIOBS_OTEL_CALL_DURATION,
    NGX_HTTP_AIOBS_OTEL_TTFT,
    NGX_HTTP_AIOBS_OTEL_TPOT,

    /* these are read where they lie, not counted */

    NGX_HTTP_AIOBS_RAG_MEAN,
    NGX_HTTP_AIOBS_SESSIONS_ACTIVE,
    NGX_HTTP_AIOBS_SESSION_CALLS_MAX,
    NGX_HTTP_AIOBS_SESSION_TOKENS_MAX,
    NGX_HTTP_AIOBS_BUILD,
    NGX_HTTP_AIOBS_STARTED,
    NGX_HTTP_AIOBS_LOADED,
    NGX_HTTP_AIOBS_SERIES,
    NGX_HTTP_AIOBS_SERIES_LIMIT,
    NGX_HTTP_AIOBS_SERIES_DROPPED,
    NGX_HTTP_AIOBS_PRICE_FILE,
    NGX_HTTP_AIOBS_ZONE_USED,
    NGX_HTTP_AIOBS_ZONE_SIZE,

    NGX_HTTP_AIOBS_FAMILY_LAST
} ngx_http_aiobs_family_e;


typedef struct ngx_http_aiobs_metrics_s  ngx_http_aiobs_metrics_t;
typedef struct ngx_http_aiobs_buckets_s  ngx_http_aiobs_buckets_t;


/* families of one set of names only; others are in both */

#define NGX_HTTP_AIOBS_PROMETHEUS  0x02
#define NGX_HTTP_AIOBS_OTEL        0x04


/* of the http block */

typedef struct {
    const ngx_http_aiobs_buckets_t *buckets[NGX_HTTP_AIOBS_FAMILY_LAST];
    ngx_flag_t                      native;     /* histograms have both */
    ngx_uint_t                      names;      /* sets that are chosen */
    time_t                          zero;       /* new series show 0 so long */
    time_t                          prices;     /* of the price file, or 0 */
    ngx_array_t                    *models;     /* to be there from the start */
} ngx_http_aiobs_metrics_conf_t;


#define NGX_HTTP_AIOBS_METRICS_COMMANDS                                       \
                                                                              \
    { ngx_string("aiobs_metric_names"),                                       \
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,                                      \
      ngx_http_aiobs_set_enum_slot,                                           \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      offsetof(ngx_http_aiobs_main_conf_t, metrics)                           \
      + offsetof(ngx_http_aiobs_metrics_conf_t, names),                       \
      &ngx_http_aiobs_metric_names },                                         \
                                                                              \
    { ngx_string("aiobs_buckets"),                                            \
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,                                      \
      ngx_http_aiobs_set_buckets,                                             \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      offsetof(ngx_http_aiobs_main_conf_t, metrics),                          \
      NULL },                                                                 \
                                                                              \
    { ngx_string("aiobs_native_histograms"),                                  \
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,                                       \
      ngx_conf_set_flag_slot,                                                 \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      offsetof(ngx_http_aiobs_main_conf_t, metrics)                           \
      + offsetof(ngx_http_aiobs_metrics_conf_t, native),                      \
      NULL },                                                                 \
                                                                              \
    { ngx_string("aiobs_start_at_zero"),                                      \
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,                                      \
      ngx_conf_set_sec_slot,                                                  \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      offsetof(ngx_http_aiobs_main_conf_t, metrics)                           \
      + offsetof(ngx_http_aiobs_metrics_conf_t, zero),                        \
      NULL },                                                                 \
                                                                              \
    { ngx_string("aiobs_models"),                                             \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF                  \
      |NGX_CONF_1MORE,                                                        \
      ngx_http_aiobs_models,                                                  \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, models),                            \
      NULL },


/* --- ngx_http_aiobs_metrics_conf.c --- */

extern ngx_conf_enum_t  ngx_http_aiobs_metric_names[];

void ngx_http_aiobs_metrics_create_conf(ngx_http_aiobs_metrics_conf_t *conf);

/* what no directive has set is taken from the table of families */
void ngx_http_aiobs_metrics_init_conf(ngx_http_aiobs_metrics_conf_t *conf);

char *ngx_http_aiobs_set_buckets(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* --- ngx_http_aiobs_models.c --- */

char *ngx_http_aiobs_models(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * A location's models, as aiobs_models has made the array, are to have series.
 * endpoint: the label; provider, operation: of models without one of their own.
 */
ngx_int_t ngx_http_aiobs_models_add(ngx_conf_t *cf,
    ngx_http_aiobs_metrics_conf_t *conf, ngx_array_t *models,
    ngx_str_t *endpoint, const char *provider, const char *operation);


/* --- ngx_http_aiobs_metrics_zone.c --- */

/*
 * Zone initialisation, in the master: allocates the registry from the zone's
 * slab pool.  series: capacity.  On reload the same registry is returned as
 * was left in shpool by the cycle before, see the zone's header.
 * NULL: the zone is too small, logged with what is needed.
 */
ngx_http_aiobs_metrics_t *ngx_http_aiobs_metrics_create(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_metrics_conf_t *conf, ngx_uint_t series, ngx_log_t *log);

/*
 * Bytes the registry takes of a zone for that many series: 256 of each and 36
 * for exemplars, 8 to 16 of the hash table, and some 350k in all.
 */
size_t ngx_http_aiobs_metrics_size(ngx_http_aiobs_metrics_conf_t *conf,
    ngx_uint_t series);

/*
 * Zone initialisation with a registry from the cycle before: NGX_ERROR,
 * logged, if series are now to have another shape.
 */
ngx_int_t ngx_http_aiobs_metrics_same(ngx_http_aiobs_metrics_t *m,
    ngx_http_aiobs_metrics_conf_t *conf, ngx_log_t *log);

/*
 * In every worker, before the first request; m may be used until exit.  Takes
 * the gauge slot of ngx_process_slot.
 */
ngx_int_t ngx_http_aiobs_metrics_init_process(ngx_http_aiobs_metrics_t *m,
    ngx_http_aiobs_metrics_conf_t *conf, ngx_slab_pool_t *shpool,
    ngx_cycle_t *cycle);


/* --- ngx_http_aiobs_registry.c --- */

/* whether a family is among the names chosen; if not, nothing is counted */
ngx_uint_t ngx_http_aiobs_metrics_chosen(ngx_http_aiobs_family_e family);


/* --- ngx_http_aiobs_update.c --- */

/*
 * Counting.  labels: as many values as the family declares, in its order; any
 * bytes: they are cut at 128 and made valid UTF-8 here.  Never fails: without
 * room the series whose labels are all "other" takes it, and
 * aiobs_series_dropped_total counts every such update.  Adding 0 makes the
 * series.  A counter never goes back: what it has no room for is not added,
 * see ngx_http_aiobs_metrics_fits().  Seconds are given in microseconds,
 * dollars in billionths, everything else as it is.
 */
void ngx_http_aiobs_metrics_add(ngx_http_aiobs_family_e family,
    const ngx_str_t *labels, uint64_t n);
void ngx_http_aiobs_metrics_observe(ngx_http_aiobs_family_e family,
    const ngx_str_t *labels, uint64_t value);

/*
 * The same for those who count in one series again and again: the handle,
 * NULL at first, remembers it, and is to be used with this family and these
 * labels only.  A series that there was no room for is looked up each time.
 */
typedef struct ngx_http_aiobs_series_s  *ngx_http_aiobs_handle_t;

void ngx_http_aiobs_metrics_find_at(ngx_http_aiobs_handle_t *handle,
    ngx_http_aiobs_family_e family, const ngx_str_t *labels, uint64_t n);

/*
 * Whether n may be added to what stands at value: both are far from where 64
 * bits end, whatever other workers add at the same moment.  Only amounts that
 * no provider means come near: each below 2^53, all together below 2^62.
 */
static ngx_inline ngx_uint_t
ngx_http_aiobs_metrics_fits(ngx_atomic_t *value, uint64_t n)
{
    return ((n | *value >> 9) >> 53) == 0;
}

/* counts what was not added to a family, or not all of it */
void ngx_http_aiobs_metrics_refuse(ngx_http_aiobs_family_e family,
    const char *reason);

/* adds n, or refuses it */
static ngx_inline void
ngx_http_aiobs_metrics_add_to(ngx_atomic_t *value,
    ngx_http_aiobs_family_e family, uint64_t n)
{
    if (ngx_http_aiobs_metrics_fits(value, n)) {
        (void) ngx_atomic_fetch_add(value, (ngx_atomic_int_t) n);

    } else {
        ngx_http_aiobs_metrics_refuse(family, "full");
    }
}

/* a counter adds n, a histogram observes it; the handle is not NULL */
void ngx_http_aiobs_metrics_count(ngx_http_aiobs_handle_t handle, uint64_t n);

static ngx_inline void
ngx_http_aiobs_metrics_add_at(ngx_http_aiobs_handle_t *handle,
    ngx_http_aiobs_family_e family, const ngx_str_t *labels, uint64_t n)
{
    if (*handle) {
        ngx_http_aiobs_metrics_count(*handle, n);

    } else {
        ngx_http_aiobs_metrics_find_at(handle, family, labels, n);
    }
}


/* the same of a counter without exemplars: the sum itself is remembered */
typedef ngx_atomic_t  *ngx_http_aiobs_sum_t;

void ngx_http_aiobs_metrics_find_sum(ngx_http_aiobs_sum_t *sum,
    ngx_http_aiobs_family_e family, const ngx_str_t *labels, uint64_t n);

static ngx_inline void
ngx_http_aiobs_metrics_sum_at(ngx_http_aiobs_sum_t *sum,
    ngx_http_aiobs_family_e family, const ngx_str_t *labels, uint64_t n)
{
    if (*sum) {
        ngx_http_aiobs_metrics_add_to(*sum, family, n);

    } else {
        ngx_http_aiobs_metrics_find_sum(sum, family, labels, n);
    }
}


/* --- ngx_http_aiobs_exemplars.c --- */

/* the trace of a request, when it is asked for: 32 hex digits */
typedef u_char *(*ngx_http_aiobs_trace_id_pt)(void *data);

/*
 * The request that is counted from here on, for exemplars; trace_id NULL: none.
 * It is asked for when one is written; both are read until it is set anew.
 */
void ngx_http_aiobs_metrics_request(ngx_http_aiobs_trace_id_pt trace_id,
    void *data, ngx_str_t *request_id, ngx_uint_t sampled);


/* --- ngx_http_aiobs_gauges.c --- */

/*
 * Gauges of what is under way: this process' own slot, so that the sum is
 * right after a crash.  "up" returns a handle to be given to "down" by the
 * same process, NULL when there was no room.  "up_at" remembers it, as above.
 */
typedef ngx_atomic_t  *ngx_http_aiobs_gauge_t;

ngx_http_aiobs_gauge_t ngx_http_aiobs_metrics_up(ngx_http_aiobs_family_e family,
    const ngx_str_t *labels);
ngx_http_aiobs_gauge_t ngx_http_aiobs_metrics_up_at(
    ngx_http_aiobs_gauge_t *known, ngx_http_aiobs_family_e family,
    const ngx_str_t *labels);
void ngx_http_aiobs_metrics_down(ngx_http_aiobs_gauge_t gauge);

/* sets what "up" returned, for gauges that one place of a process owns */
void ngx_http_aiobs_metrics_set(ngx_http_aiobs_gauge_t gauge, ngx_uint_t n);


/* --- ngx_http_aiobs_scrape.c --- */

/*
 * Content handler of "aiobs_metrics": GET and HEAD.  created: OpenMetrics gets
 * the time when each series began, in samples of their own.
 */
ngx_int_t ngx_http_aiobs_metrics_handler(ngx_http_request_t *r,
    ngx_uint_t created);


#endif /* _NGX_HTTP_AIOBS_METRICS_H_INCLUDED_ */
