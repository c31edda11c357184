
/*
 * Copyright (C) the aiobs authors
 *
 * Exemplars: the last request of a bucket, by its trace and its id.  There is
 * room for a bounded number; series that come too late have none.
 */


#include "ngx_http_aiobs_families.h"


/* milliseconds that one is kept at least: it is read once a scrape only */

#define NGX_HTTP_AIOBS_EXEMPLAR_AGE      1000
#define NGX_HTTP_AIOBS_EXEMPLAR_SAMPLED  60000  /* if the other one is not */


static ngx_http_aiobs_exemplar_t *ngx_http_aiobs_exemplar(
    ngx_http_aiobs_series_t *s, ngx_uint_t bucket);
static ngx_uint_t ngx_http_aiobs_exemplar_keep(ngx_http_aiobs_exemplar_t *e);

/* rare, and not to cost those who find nothing to do */

static void __attribute__((noinline)) ngx_http_aiobs_exemplar_first(
    ngx_http_aiobs_series_t *s, ngx_uint_t bucket, uint64_t value);
static void __attribute__((noinline)) ngx_http_aiobs_exemplar_write(
    ngx_http_aiobs_exemplar_t *e, ngx_uint_t bucket, uint64_t value);

static uint32_t ngx_http_aiobs_exemplar_room(ngx_http_aiobs_series_t *s);
static ngx_uint_t ngx_http_aiobs_exemplar_lock(ngx_http_aiobs_exemplar_t *e);


static struct {
    ngx_http_aiobs_trace_id_pt   trace_id;  /* NULL: no request */
    void                        *data;
    ngx_str_t                    id;
    uint64_t                     now;       /* milliseconds, UTC */
    u_char                       sampled;
} ngx_http_aiobs_counted;


void
ngx_http_aiobs_metrics_request(ngx_http_aiobs_trace_id_pt trace_id, void *data,
    ngx_str_t *request_id, ngx_uint_t sampled)
{
    ngx_time_t  *tp;

    ngx_http_aiobs_counted.trace_id = trace_id;

    if (trace_id) {
        tp = ngx_timeofday();

        ngx_http_aiobs_counted.data = data;
        ngx_http_aiobs_counted.id = *request_id;
        ngx_http_aiobs_counted.now = (uint64_t) tp->sec * 1000 + tp->msec;
        ngx_http_aiobs_counted.sampled = (u_char) sampled;
    }
}


void
ngx_http_aiobs_exemplar_add(ngx_http_aiobs_series_t *s, ngx_uint_t bucket,
    uint64_t value)
{
    ngx_http_aiobs_exemplar_t  *e;

    if (ngx_http_aiobs_counted.trace_id == NULL) {
        return;
    }

    if (s->exemplars == 0) {
        ngx_http_aiobs_exemplar_first(s, bucket, value);
        return;
    }

    e = ngx_http_aiobs_exemplar(s, bucket);

    if (!ngx_http_aiobs_exemplar_keep(e)) {
        ngx_http_aiobs_exemplar_write(e, bucket, value);
    }
}


static ngx_inline ngx_http_aiobs_exemplar_t *
ngx_http_aiobs_exemplar(ngx_http_aiobs_series_t *s, ngx_uint_t bucket)
{
    return &ngx_http_aiobs_registry->exemplars[s->exemplars - 1
                          + (bucket & (NGX_HTTP_AIOBS_EXEMPLARS_MAX - 1))];
}


static void
ngx_http_aiobs_exemplar_first(ngx_http_aiobs_series_t *s, ngx_uint_t bucket,
    uint64_t value)
{
    if (ngx_http_aiobs_exemplar_room(s)) {
        ngx_http_aiobs_exemplar_write(ngx_http_aiobs_exemplar(s, bucket),
                                      bucket, value);
    }
}


/* one whose trace can be looked at is worth more than a younger one */

static ngx_uint_t
ngx_http_aiobs_exemplar_keep(ngx_http_aiobs_exemplar_t *e)
{
    uint64_t  age;

    age = ngx_http_aiobs_counted.now - e->msec;

    if (e->sampled == ngx_http_aiobs_counted.sampled) {
        return age < NGX_HTTP_AIOBS_EXEMPLAR_AGE;
    }

    return e->sampled && age < NGX_HTTP_AIOBS_EXEMPLAR_SAMPLED;
}


static void
ngx_http_aiobs_exemplar_write(ngx_http_aiobs_exemplar_t *e, ngx_uint_t bucket,
    uint64_t value)
{
    size_t   len;
    u_char  *trace_id;

    trace_id = ngx_http_aiobs_counted.trace_id(ngx_http_aiobs_counted.data);

    if (!ngx_http_aiobs_exemplar_lock(e)) {
        return;
    }

    len = ngx_http_aiobs_counted.id.len;

    if (len > NGX_HTTP_AIOBS_EXEMPLAR_ID) {
        len = 0;
    }

    e->sequence |= 1;
    ngx_memory_barrier();

    e->value = value;
    e->msec = ngx_http_aiobs_counted.now;
    e->bucket = (u_char) bucket;
    e->sampled = ngx_http_aiobs_counted.sampled;
    e->id_len = (u_char) len;
    ngx_memcpy(e->trace_id, trace_id, NGX_HTTP_AIOBS_EXEMPLAR_TRACE);
    ngx_memcpy(e->id, ngx_http_aiobs_counted.id.data, len);

    ngx_memory_barrier();
    e->sequence++;

    ngx_memory_barrier();
    e->lock = 0;
}


/* the first of the series' exemplars, from 1; 0: no room is left */

static uint32_t
ngx_http_aiobs_exemplar_room(ngx_http_aiobs_series_t *s)
{
    ngx_uint_t                 n;
    ngx_http_aiobs_metrics_t  *m;

    m = ngx_http_aiobs_registry;

    n = ngx_http_aiobs_families[s->family].type == NGX_HTTP_AIOBS_HISTOGRAM
        ? NGX_HTTP_AIOBS_EXEMPLARS_MAX : 1;

    if (m->exemplars_used + n > m->exemplars_n) {
        return 0;
    }

    ngx_shmtx_lock(&ngx_http_aiobs_registry_pool->mutex);

    if (s->exemplars == 0 && m->exemplars_used + n <= m->exemplars_n) {
        m->exemplars_used += n;

        ngx_memory_barrier();

        s->exemplars = (uint32_t) (m->exemplars_used - n + 1);
    }

    ngx_shmtx_unlock(&ngx_http_aiobs_registry_pool->mutex);

    return s->exemplars;
}


/* not waited for: the other one is as good; a dead writer's is taken over */

static ngx_uint_t
ngx_http_aiobs_exemplar_lock(ngx_http_aiobs_exemplar_t *e)
{
    ngx_atomic_uint_t  writer;

    writer = e->lock;

    if (writer && ngx_http_aiobs_process_alive((ngx_pid_t) writer)) {
        return 0;
    }

    return ngx_atomic_cmp_set(&e->lock, writer, (ngx_atomic_uint_t) ngx_pid);
}


ngx_uint_t
ngx_http_aiobs_exemplars(ngx_http_aiobs_metrics_t *m,
    ngx_http_aiobs_series_t *s,
    ngx_http_aiobs_exemplar_t out[NGX_HTTP_AIOBS_EXEMPLARS_MAX])
{
    ngx_uint_t                  i, n, max;
    ngx_atomic_uint_t           sequence;
    ngx_http_aiobs_exemplar_t  *e;

    if (s->exemplars == 0) {
        return 0;
    }

    max = ngx_http_aiobs_families[s->family].type == NGX_HTTP_AIOBS_HISTOGRAM
          ? NGX_HTTP_AIOBS_EXEMPLARS_MAX : 1;

    for (n = 0, i = 0; i < max; i++) {
        e = &m->exemplars[s->exemplars - 1 + i];
        sequence = e->sequence;

        if (sequence == 0 || (sequence & 1)) {
            continue;
        }

        ngx_memory_barrier();

        out[n] = *e;

        ngx_memory_barrier();

        if (e->sequence == sequence) {
            n++;
        }
    }

    return n;
}
