
/*
 * Copyright (C) the aiobs authors
 *
 * Requests under way.  Every process has a table of its own, which is looked
 * at only while the process lives: what a dead one leaves is not shown.
 */


#include "ngx_http_aiobs_recorder_ring.h"


static void ngx_http_aiobs_flight_text(ngx_http_aiobs_flight_t *flight,
    ngx_uint_t n, u_char *to, size_t size, ngx_str_t *text);


static ngx_http_aiobs_flights_t  *ngx_http_aiobs_flights;

/* indices of entries that are free, a stack */
static ngx_uint_t  ngx_http_aiobs_flights_free[NGX_HTTP_AIOBS_FLIGHTS];
static ngx_uint_t  ngx_http_aiobs_flights_nfree;


void
ngx_http_aiobs_flight_init_process(ngx_slab_pool_t *shpool)
{
    ngx_uint_t                 i;
    ngx_http_aiobs_flights_t  *own;

    own = &ngx_http_aiobs_recorder->processes[ngx_process_slot];

    /* whoever had the slot is dead, and so are his requests */

    own->pid = 0;
    own->more = 0;

    ngx_memory_barrier();

    if (own->flights == NULL) {
        own->flights = ngx_slab_alloc(shpool, NGX_HTTP_AIOBS_FLIGHTS
                                          * sizeof(ngx_http_aiobs_flight_t));
    }

    ngx_http_aiobs_flights = own;
    ngx_http_aiobs_flights_nfree = 0;

    if (own->flights) {
        ngx_memzero((void *) own->flights,
                    NGX_HTTP_AIOBS_FLIGHTS * sizeof(ngx_http_aiobs_flight_t));

        for (i = NGX_HTTP_AIOBS_FLIGHTS; i > 0; i--) {
            ngx_http_aiobs_flights_free[ngx_http_aiobs_flights_nfree++] =
                                                                        i - 1;
        }
    }

    ngx_memory_barrier();

    own->pid = ngx_pid;
}


void
ngx_http_aiobs_flight_begin(ngx_http_aiobs_ctx_t *ctx)
{
    ngx_time_t               *tp;
    ngx_str_t                 path;
    ngx_http_aiobs_flight_t  *flight;

    if (ngx_http_aiobs_recorder == NULL || ctx->location->recorder.handler
        || ctx->location->metrics)
    {
        return;
    }

    if (ngx_http_aiobs_flights_nfree == 0) {
        ngx_http_aiobs_flights->more++;
        ctx->flight_more = 1;
        return;
    }

    flight = &ngx_http_aiobs_flights->flights
             [ngx_http_aiobs_flights_free[--ngx_http_aiobs_flights_nfree]];

    ctx->flight = flight;

    flight->seq++;
    ngx_http_aiobs_written();

    tp = ngx_timeofday();
    flight->start = (uint64_t) tp->sec * 1000 + tp->msec
                    - (ngx_current_msec - ctx->start);
    flight->answering = 0;
    ngx_memzero(flight->len, sizeof(flight->len));

    ngx_http_aiobs_path(ctx->request, ctx, &path);

    ngx_http_aiobs_flight_text(flight, 0, flight->request_id,
                               sizeof(flight->request_id), &ctx->request_id);
    ngx_http_aiobs_flight_text(flight, 1, flight->method,
                               sizeof(flight->method),
                               &ctx->request->method_name);
    ngx_http_aiobs_flight_text(flight, 2, flight->path, sizeof(flight->path),
                               &path);
    ngx_http_aiobs_flight_text(flight, 3, flight->endpoint,
                               sizeof(flight->endpoint),
                               &ctx->location->endpoint);

    ngx_http_aiobs_written();
    flight->seq++;
}


void
ngx_http_aiobs_flight_update(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_uint_t answering)
{
    ngx_str_t                 user, model;
    ngx_http_aiobs_flight_t  *flight;

    flight = ctx->flight;

    if (flight == NULL) {
        return;
    }

    ngx_http_aiobs_user_shown(r, ctx, &user);
    ngx_http_aiobs_request_model(ctx, &model);

    flight->seq++;
    ngx_http_aiobs_written();

    flight->answering = answering;
    ngx_http_aiobs_flight_text(flight, 4, flight->user, sizeof(flight->user),
                               &user);
    ngx_http_aiobs_flight_text(flight, 5, flight->model,
                               sizeof(flight->model), &model);

    ngx_http_aiobs_written();
    flight->seq++;
}


void
ngx_http_aiobs_flight_end(ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_flight_t  *flight;

    flight = ctx->flight;

    if (ctx->flight_more) {
        ngx_http_aiobs_flights->more--;
        ctx->flight_more = 0;
    }

    if (flight == NULL) {
        return;
    }

    ctx->flight = NULL;
    flight->start = 0;

    ngx_http_aiobs_flights_free[ngx_http_aiobs_flights_nfree++] =
                                    flight - ngx_http_aiobs_flights->flights;
}


ngx_http_aiobs_flights_t *
ngx_http_aiobs_flights_of(ngx_uint_t process)
{
    ngx_pid_t                  pid;
    ngx_http_aiobs_flights_t  *flights;

    flights = &ngx_http_aiobs_recorder->processes[process];
    pid = (ngx_pid_t) flights->pid;

    if (pid == 0 || flights->flights == NULL) {
        return NULL;
    }

    return ngx_http_aiobs_process_alive(pid) ? flights : NULL;
}


ngx_int_t
ngx_http_aiobs_flight_read(ngx_http_aiobs_flight_t *flight,
    ngx_http_aiobs_flight_t *copy)
{
    ngx_uint_t         i;
    ngx_atomic_uint_t  seq;

    for (i = 0; i < 4; i++) {
        seq = flight->seq;

        ngx_http_aiobs_read();

        ngx_memcpy((void *) copy, (void *) flight,
                   sizeof(ngx_http_aiobs_flight_t));

        ngx_http_aiobs_read();

        if ((seq & 1) == 0 && flight->seq == seq) {
            return copy->start ? NGX_OK : NGX_DECLINED;
        }
    }

    return NGX_DECLINED;
}


static void
ngx_http_aiobs_flight_text(ngx_http_aiobs_flight_t *flight, ngx_uint_t n,
    u_char *to, size_t size, ngx_str_t *text)
{
    flight->len[n] = (uint16_t) ngx_min(text->len, size);
    ngx_memcpy(to, text->data, flight->len[n]);
}
