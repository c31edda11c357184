
/*
 * Copyright (C) the aiobs authors
 *
 * Envelopes to Sentry: one for every event or transaction, with a report of
 * what was discarded meanwhile.
 */


#include "ngx_http_aiobs_sentry.h"


#define NGX_HTTP_AIOBS_SENTRY_AROUND   4096     /* bytes around a payload */

/* of an item, before the name of its transaction and its payload */
#define NGX_HTTP_AIOBS_SENTRY_HEAD                                            \
    (NGX_HTTP_AIOBS_SENTRY_ID_LEN + NGX_HTTP_AIOBS_TRACE_ID_LEN               \
     + NGX_HTTP_AIOBS_TRACE_LOT + sizeof(uint16_t))

#define NGX_HTTP_AIOBS_SENTRY_PACK     1024     /* bytes that compress well */


static ngx_int_t ngx_http_aiobs_sentry_init_worker(void *conf,
    ngx_http_aiobs_batch_t *batch, ngx_cycle_t *cycle);
static ngx_int_t ngx_http_aiobs_sentry_build(void *conf,
    ngx_http_aiobs_batch_t *batch, aiobs_http_request_t *request);
static void ngx_http_aiobs_sentry_pack(ngx_http_aiobs_sentry_t *sentry,
    ngx_http_aiobs_batch_t *batch, aiobs_http_request_t *request, u_char *p);
static u_char *ngx_http_aiobs_sentry_envelope(ngx_http_aiobs_sentry_t *sentry,
    ngx_http_aiobs_item_t *item, u_char *now, u_char *p);
static void ngx_http_aiobs_sentry_now(u_char text[32], struct timeval *tv);


ngx_http_aiobs_sentry_t  *ngx_http_aiobs_sentry_worker;


const ngx_http_aiobs_exporter_type_t  ngx_http_aiobs_sentry_type = {
    "sentry",
    ngx_http_aiobs_sentry_init_worker,
    ngx_http_aiobs_sentry_build,
    ngx_http_aiobs_sentry_judge,
    NULL,
    ngx_http_aiobs_sentry_dropped
};


/* what the thread needs of the envelope's header lies before the payload */

void
ngx_http_aiobs_sentry_push(ngx_http_aiobs_sentry_t *sentry, ngx_uint_t item,
    u_char *id, u_char *trace, u_char *lot, u_char *payload,
    ngx_http_aiobs_sentry_out_t *out)
{
    size_t                  len;
    u_char                 *p;
    uint16_t                name;
    ngx_http_aiobs_item_t  *it;

    if (out->full) {
        ngx_http_aiobs_sentry_discard(sentry, item,
                                      NGX_HTTP_AIOBS_SENTRY_INTERNAL, 1);
        return;
    }

    len = out->p - payload;
    name = (uint16_t) out->name.len;

    it = ngx_http_aiobs_export_item(sentry->exporter, item, 1,
                                    NGX_HTTP_AIOBS_SENTRY_HEAD + name + len);

    if (it) {
        p = ngx_cpymem(it->data, id, NGX_HTTP_AIOBS_SENTRY_ID_LEN);
        p = ngx_cpymem(p, trace, NGX_HTTP_AIOBS_TRACE_ID_LEN);
        p = ngx_cpymem(p, lot, NGX_HTTP_AIOBS_TRACE_LOT);
        p = ngx_cpymem(p, &name, sizeof(uint16_t));
        p = ngx_cpymem(p, out->name.data, name);
        ngx_memcpy(p, payload, len);

        ngx_http_aiobs_export_push(sentry->exporter, it);
    }
}


static ngx_int_t
ngx_http_aiobs_sentry_init_worker(void *conf, ngx_http_aiobs_batch_t *batch,
    ngx_cycle_t *cycle)
{
    ngx_http_aiobs_sentry_t *sentry = conf;

    sentry->state = ngx_pcalloc(cycle->pool,
                                sizeof(ngx_http_aiobs_sentry_state_t));

    batch->data = sentry->state;
    ngx_http_aiobs_sentry_worker = sentry;

    return sentry->state ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_aiobs_sentry_build(void *conf, ngx_http_aiobs_batch_t *batch,
    aiobs_http_request_t *request)
{
    u_char                         *p, now[32];
    size_t                          size;
    struct timeval                  tv;
    ngx_http_aiobs_item_t          *item;
    ngx_http_aiobs_sentry_t        *sentry;
    ngx_http_aiobs_sentry_state_t  *state;

    sentry = conf;
    state = batch->data;
    item = batch->items;
    batch->taken = 1;

    ngx_http_aiobs_sentry_now(now, &tv);

    if ((time_t) state->until[ngx_http_aiobs_sentry_kind(item->kind)]
        > tv.tv_sec)
    {
        return NGX_DECLINED;
    }

    size = item->len + NGX_HTTP_AIOBS_SENTRY_AROUND + sentry->public_key.len;

    p = ngx_http_aiobs_batch_room(batch,
                                  size + ngx_http_aiobs_batch_gzip_bound(size));
    if (p == NULL) {
        return NGX_ERROR;
    }

    p = ngx_http_aiobs_sentry_envelope(sentry, item, now, p);
    p = ngx_http_aiobs_sentry_report(state, p);

    request->url = (char *) sentry->url.data;
    request->headers = sentry->headers + 1;
    request->body = batch->buf;
    request->body_len = p - batch->buf;
    request->connect_ms = ngx_min(sentry->timeout, 5000);
    request->timeout_ms = sentry->timeout;
    request->ca_file = (char *) sentry->ca.data;

    ngx_http_aiobs_sentry_pack(sentry, batch, request, p);

    return NGX_OK;
}


/* compressed, where it pays; p: behind the body */

static void
ngx_http_aiobs_sentry_pack(ngx_http_aiobs_sentry_t *sentry,
    ngx_http_aiobs_batch_t *batch, aiobs_http_request_t *request, u_char *p)
{
    size_t  size;

    size = ngx_http_aiobs_batch_gzip_bound(request->body_len);

    if (sentry->gzip && request->body_len >= NGX_HTTP_AIOBS_SENTRY_PACK
        && ngx_http_aiobs_batch_gzip(batch->buf, request->body_len, p, &size)
           == NGX_OK)
    {
        request->headers = sentry->headers;
        request->body = p;
        request->body_len = size;
    }
}


static u_char *
ngx_http_aiobs_sentry_envelope(ngx_http_aiobs_sentry_t *sentry,
    ngx_http_aiobs_item_t *item, u_char *now, u_char *p)
{
    size_t     len;
    u_char    *id, *trace, *lot, *name;
    uint16_t   n;

    id = item->data;
    trace = id + NGX_HTTP_AIOBS_SENTRY_ID_LEN;
    lot = trace + NGX_HTTP_AIOBS_TRACE_ID_LEN;
    name = id + NGX_HTTP_AIOBS_SENTRY_HEAD;

    ngx_memcpy(&n, lot + NGX_HTTP_AIOBS_TRACE_LOT, sizeof(uint16_t));

    len = item->len - NGX_HTTP_AIOBS_SENTRY_HEAD - n;

    p = ngx_sprintf(p, "{\"event_id\":\"%*s\",\"sent_at\":\"%s\",\"sdk\":"
                       "{\"name\":\"aiobs.nginx\",\"version\":\"0.1.0\"},"
                       "\"trace\":{\"trace_id\":\"%*s\"",
                    (size_t) NGX_HTTP_AIOBS_SENTRY_ID_LEN, id, now,
                    (size_t) NGX_HTTP_AIOBS_TRACE_ID_LEN, trace);

    if (n && (item->kind & NGX_HTTP_AIOBS_SENTRY_FROZEN)) {
        p = ngx_cpymem(p, name, n);         /* as another SDK has it */

    } else {
        p = ngx_sprintf(p, ",\"public_key\":\"%V\"", &sentry->public_key);
    }

    if (!(item->kind & NGX_HTTP_AIOBS_SENTRY_FROZEN)) {
        p = ngx_http_aiobs_sentry_sampling(sentry, lot, p);

        if (n && sentry->traces_sample_rate) {
            p = ngx_sprintf(p, ",\"transaction\":%*s", (size_t) n, name);
        }
    }

    p = ngx_sprintf(p, "}}\n{\"type\":\"%s\",\"content_type\":"
                       "\"application/json\",\"length\":%uz}\n",
                    ngx_http_aiobs_sentry_kind(item->kind)
                    == NGX_HTTP_AIOBS_SENTRY_TRANSACTION
                    ? "transaction" : "event", len);

    p = ngx_cpymem(p, name + n, len);
    *p++ = LF;

    return p;
}


static void
ngx_http_aiobs_sentry_now(u_char text[32], struct timeval *tv)
{
    ngx_tm_t  tm;

    ngx_gettimeofday(tv);
    ngx_gmtime(tv->tv_sec, &tm);

    ngx_sprintf(text, "%4d-%02d-%02dT%02d:%02d:%02d.%03dZ%Z",
                tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                (int) (tv->tv_usec / 1000));
}
