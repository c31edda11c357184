
/*
 * Copyright (C) the aiobs authors
 *
 * Gauges of what is under way: every process counts in memory of its own, so
 * that what a dead one leaves behind is not taken for true.
 */


#include "ngx_http_aiobs_families.h"


static ngx_atomic_t *ngx_http_aiobs_gauge_chunk(ngx_uint_t n);


static ngx_http_aiobs_slot_t  *ngx_http_aiobs_slot;


void
ngx_http_aiobs_gauges_init(ngx_http_aiobs_metrics_t *m)
{
    ngx_uint_t              i;
    ngx_http_aiobs_slot_t  *slot;

    /* without a master the slot is 0 */

    slot = &m->slots[ngx_process_slot];

    /* whoever had the slot is dead, and so are his requests */

    slot->pid = 0;

    ngx_memory_barrier();

    for (i = 0; i < NGX_HTTP_AIOBS_GAUGE_CHUNKS; i++) {
        if (slot->chunks[i]) {
            ngx_memzero((void *) slot->chunks[i],
                        NGX_HTTP_AIOBS_GAUGE_CHUNK * sizeof(ngx_atomic_t));
        }
    }

    ngx_memory_barrier();

    /* nor does this one answer for whoever had the pid before */

    for (i = 0; i < NGX_MAX_PROCESSES; i++) {
        if (m->slots[i].pid == (ngx_atomic_uint_t) ngx_pid) {
            m->slots[i].pid = 0;
        }
    }

    slot->pid = ngx_pid;
    ngx_http_aiobs_slot = slot;
}


ngx_http_aiobs_gauge_t
ngx_http_aiobs_metrics_up(ngx_http_aiobs_family_e family,
    const ngx_str_t *labels)
{
    ngx_http_aiobs_gauge_t  gauge;

    gauge = NULL;

    return ngx_http_aiobs_metrics_up_at(&gauge, family, labels);
}


ngx_http_aiobs_gauge_t
ngx_http_aiobs_metrics_up_at(ngx_http_aiobs_gauge_t *known,
    ngx_http_aiobs_family_e family, const ngx_str_t *labels)
{
    ngx_atomic_t             *chunk;
    ngx_http_aiobs_series_t  *s;

    if (*known) {
        (**known)++;
        return *known;
    }

    s = ngx_http_aiobs_series(family, labels);
    if (s == NULL) {
        return NULL;
    }

    chunk = ngx_http_aiobs_gauge_chunk(s->gauge / NGX_HTTP_AIOBS_GAUGE_CHUNK);
    if (chunk == NULL) {
        (void) ngx_atomic_fetch_add(
                        &ngx_http_aiobs_registry->families[family].dropped, 1);
        return NULL;
    }

    chunk += s->gauge % NGX_HTTP_AIOBS_GAUGE_CHUNK;
    (*chunk)++;

    if (s != ngx_http_aiobs_registry->families[family].other) {
        *known = chunk;
    }

    return chunk;
}


void
ngx_http_aiobs_metrics_down(ngx_http_aiobs_gauge_t gauge)
{
    if (gauge) {
        (*gauge)--;
    }
}


void
ngx_http_aiobs_metrics_set(ngx_http_aiobs_gauge_t gauge, ngx_uint_t n)
{
    if (gauge) {
        *gauge = n;
    }
}


static ngx_atomic_t *
ngx_http_aiobs_gauge_chunk(ngx_uint_t n)
{
    ngx_atomic_t  *chunk;

    chunk = ngx_http_aiobs_slot->chunks[n];
    if (chunk) {
        return chunk;
    }

    /* without the lock first: each request of a full zone comes here */

    if (ngx_http_aiobs_registry->arena_size
        - ngx_http_aiobs_registry->arena_used
        < NGX_HTTP_AIOBS_GAUGE_CHUNK * sizeof(ngx_atomic_t))
    {
        return NULL;
    }

    ngx_shmtx_lock(&ngx_http_aiobs_registry_pool->mutex);

    chunk = ngx_http_aiobs_arena_alloc(ngx_http_aiobs_registry,
                           NGX_HTTP_AIOBS_GAUGE_CHUNK * sizeof(ngx_atomic_t));

    ngx_shmtx_unlock(&ngx_http_aiobs_registry_pool->mutex);

    if (chunk) {
        ngx_memzero((void *) chunk,
                    NGX_HTTP_AIOBS_GAUGE_CHUNK * sizeof(ngx_atomic_t));

        ngx_memory_barrier();

        ngx_http_aiobs_slot->chunks[n] = chunk;
    }

    return chunk;
}


void
ngx_http_aiobs_gauges_live(ngx_http_aiobs_metrics_t *m,
    ngx_http_aiobs_live_t *live)
{
    ngx_pid_t   pid;
    ngx_uint_t  i;

    live->n = 0;

    for (i = 0; i < NGX_MAX_PROCESSES; i++) {
        pid = (ngx_pid_t) m->slots[i].pid;

        if (pid && ngx_http_aiobs_process_alive(pid)) {
            live->slots[live->n++] = (uint16_t) i;
        }
    }
}


int64_t
ngx_http_aiobs_gauge_value(ngx_http_aiobs_metrics_t *m,
    ngx_http_aiobs_live_t *live, ngx_http_aiobs_series_t *s)
{
    int64_t        value;
    ngx_uint_t     i;
    ngx_atomic_t  *chunk;

    value = 0;

    for (i = 0; i < live->n; i++) {
        chunk = m->slots[live->slots[i]]
                     .chunks[s->gauge / NGX_HTTP_AIOBS_GAUGE_CHUNK];

        if (chunk) {
            value += chunk[s->gauge % NGX_HTTP_AIOBS_GAUGE_CHUNK];
        }
    }

    return value;
}
