
/*
 * Copyright (C) the aiobs authors
 *
 * What came of a request to a receiver: counted, told, tried again or dropped.
 */


#include "ngx_http_aiobs_sender.h"


/* milliseconds */
#define NGX_HTTP_AIOBS_EXPORT_BACKOFF    500
#define NGX_HTTP_AIOBS_EXPORT_BACKOFF_MAX  30000

#define NGX_HTTP_AIOBS_EXPORT_COMPLAIN   10     /* seconds */


static void ngx_http_aiobs_export_pause(ngx_http_aiobs_exporter_t *e);
static void ngx_http_aiobs_export_drop(ngx_http_aiobs_exporter_t *e,
    ngx_http_aiobs_item_t **items, ngx_uint_t max, const char *reason,
    ngx_uint_t known);
static void ngx_http_aiobs_export_count(ngx_http_aiobs_exporter_t *e,
    ngx_http_aiobs_family_e family, const char *reason, ngx_uint_t n);


/* what the task has sent, also if its last request failed */

void
ngx_http_aiobs_export_account(ngx_http_aiobs_exporter_t *e)
{
    ngx_http_aiobs_sender_job_t  *job;

    job = e->job;

    if (job->sent) {
        e->tries = 0;
        e->tried = ngx_current_msec;
        ngx_http_aiobs_export_count(e, NGX_HTTP_AIOBS_EXPORT_SENT, NULL,
                                    job->sent);
    }

    if (job->rejected) {
        ngx_http_aiobs_export_lose(e, 0, job->rejected, "rejected");
        ngx_memcpy(e->text, job->verdict.text, sizeof(e->text));
        ngx_http_aiobs_export_complain(e, "");
    }

    e->items -= job->items;
    e->bytes -= job->bytes;

    job->sent = 0;
    job->rejected = 0;
    job->items = 0;
    job->bytes = 0;

    ngx_http_aiobs_metrics_set(e->gauge, e->items);
}


void
ngx_http_aiobs_export_failed(ngx_http_aiobs_exporter_t *e)
{
    ngx_http_aiobs_sender_job_t  *job;

    job = e->job;

    ngx_http_aiobs_export_count(e, NGX_HTTP_AIOBS_EXPORT_FAILED,
                                job->verdict.reason, 1);

    ngx_memcpy(e->text, job->verdict.text, sizeof(e->text));

    e->failed = 1;
    e->tries++;

    if (job->verdict.what == NGX_HTTP_AIOBS_EXPORT_DROP) {
        ngx_http_aiobs_export_drop(e, &job->batch.items, job->batch.taken,
                                   job->verdict.dropped ? job->verdict.dropped
                                                        : "refused",
                                   job->verdict.known);
        e->tries = 0;

    } else {
        ngx_http_aiobs_export_pause(e);
    }

    ngx_http_aiobs_export_complain(e, "");
}


/* twice as long every time, and not all workers at once */

static void
ngx_http_aiobs_export_pause(ngx_http_aiobs_exporter_t *e)
{
    ngx_msec_t  delay;

    delay = e->job->verdict.delay;
    e->told = (delay != 0);

    if (!e->told) {
        delay = NGX_HTTP_AIOBS_EXPORT_BACKOFF
                << ngx_min(e->tries - 1, 6);
        delay = ngx_min(delay, NGX_HTTP_AIOBS_EXPORT_BACKOFF_MAX);
        delay = delay / 2 + ngx_random() % (delay / 2);
    }

    e->paused = 1;
    e->pause = ngx_current_msec + delay;

    if (e->pause - e->tried > e->limits.retry) {
        ngx_http_aiobs_export_drop(e, &e->job->batch.items,
                                   NGX_MAX_UINT32_VALUE, "expired", 0);
    }
}


static void
ngx_http_aiobs_export_drop(ngx_http_aiobs_exporter_t *e,
    ngx_http_aiobs_item_t **items, ngx_uint_t max, const char *reason,
    ngx_uint_t known)
{
    ngx_http_aiobs_item_t  *item;

    while (*items && max--) {
        item = *items;
        *items = item->next;

        e->items--;
        e->bytes -= item->len;

        if (known) {
            e->lost += item->n;
            ngx_http_aiobs_export_count(e, NGX_HTTP_AIOBS_EXPORT_DROPPED,
                                        reason, item->n);

        } else {
            ngx_http_aiobs_export_lose(e, item->kind, item->n, reason);
        }

        free(item);
    }

    ngx_http_aiobs_metrics_set(e->gauge, e->items);
}


void
ngx_http_aiobs_export_drop_all(ngx_http_aiobs_exporter_t *e,
    const char *reason)
{
    ngx_http_aiobs_export_drop(e, &e->job->batch.items, NGX_MAX_UINT32_VALUE,
                               reason, 0);
    ngx_http_aiobs_export_drop(e, &e->first, NGX_MAX_UINT32_VALUE, reason, 0);

    e->last = &e->first;
    e->waiting = 0;
    e->paused = 0;
    e->leaving = 0;

    if (e->lost) {
        e->complained = 0;
        ngx_http_aiobs_export_complain(e, "no time to send");
    }
}


void
ngx_http_aiobs_export_lose(ngx_http_aiobs_exporter_t *e, ngx_uint_t kind,
    ngx_uint_t n, const char *reason)
{
    e->lost += n;

    ngx_http_aiobs_export_count(e, NGX_HTTP_AIOBS_EXPORT_DROPPED, reason, n);

    if (e->type->dropped) {
        e->type->dropped(e->conf, kind, n, reason);
    }

    if (ngx_strcmp(e->type->name, "sentry") != 0) {
        ngx_http_aiobs_sentry_fault(e->type->name,
                                    "telemetry of requests is being lost");
    }
}


static void
ngx_http_aiobs_export_count(ngx_http_aiobs_exporter_t *e,
    ngx_http_aiobs_family_e family, const char *reason, ngx_uint_t n)
{
    ngx_str_t  labels[2];

    labels[0].data = (u_char *) e->type->name;
    labels[0].len = ngx_strlen(e->type->name);

    if (reason) {
        labels[1].data = (u_char *) reason;
        labels[1].len = ngx_strlen(reason);
    }

    ngx_http_aiobs_metrics_add(family, labels, n);
}


void
ngx_http_aiobs_export_complain(ngx_http_aiobs_exporter_t *e, const char *why)
{
    if (ngx_time() - e->complained < NGX_HTTP_AIOBS_EXPORT_COMPLAIN) {
        return;
    }

    e->complained = ngx_time();

    ngx_log_error(NGX_LOG_ERR, e->log, 0,
                  "aiobs: exporter \"%s\" to \"%V\": %s; %ui dropped, %ui "
                  "waiting", e->type->name, &e->target,
                  e->text[0] ? e->text : why,
                  e->lost, e->items);

    e->lost = 0;
}
