
/*
 * Copyright (C) the aiobs authors
 *
 * Envelopes to Sentry: one for every event or transaction, with a report of
 * what was discarded meanwhile.  What Sentry says of rates is obeyed,
 * https://develop.sentry.dev/sdk/expected-features/rate-limiting/
 */


#include "ngx_http_aiobs_sentry.h"


#define NGX_HTTP_AIOBS_SENTRY_AROUND   4096     /* bytes around a payload */

/* of an item, before the name of its transaction and its payload */
#define NGX_HTTP_AIOBS_SENTRY_HEAD                                            \
    (NGX_HTTP_AIOBS_SENTRY_ID_LEN + NGX_HTTP_AIOBS_TRACE_ID_LEN               \
     + sizeof(uint16_t))

#define NGX_HTTP_AIOBS_SENTRY_PACK     1024     /* bytes that compress well */
#define NGX_HTTP_AIOBS_SENTRY_PAUSE    60       /* seconds, of a bare 429 */
#define NGX_HTTP_AIOBS_SENTRY_LONGEST  86400
#define NGX_HTTP_AIOBS_SENTRY_SPACE    " \t"


static ngx_int_t ngx_http_aiobs_sentry_init_worker(void *conf,
    ngx_http_aiobs_batch_t *batch, ngx_cycle_t *cycle);
static ngx_int_t ngx_http_aiobs_sentry_build(void *conf,
    ngx_http_aiobs_batch_t *batch, aiobs_http_request_t *request);
static u_char *ngx_http_aiobs_sentry_envelope(ngx_http_aiobs_sentry_t *sentry,
    ngx_http_aiobs_item_t *item, u_char *now, u_char *p);
static u_char *ngx_http_aiobs_sentry_sampling(ngx_http_aiobs_sentry_t *sentry,
    u_char *trace, u_char *p);
static void ngx_http_aiobs_sentry_now(u_char text[32], struct timeval *tv);
static u_char *ngx_http_aiobs_sentry_report(
    ngx_http_aiobs_sentry_state_t *state, u_char *p);
static void ngx_http_aiobs_sentry_judge(void *conf,
    ngx_http_aiobs_batch_t *batch, const aiobs_http_answer_t *answer,
    ngx_http_aiobs_export_verdict_t *verdict);
static void ngx_http_aiobs_sentry_limits(ngx_http_aiobs_sentry_state_t *state,
    const char *limits);
static const char *ngx_http_aiobs_sentry_categories(
    ngx_http_aiobs_sentry_state_t *state, const char *p, time_t seconds);
static void ngx_http_aiobs_sentry_close(ngx_http_aiobs_sentry_state_t *state,
    ngx_uint_t kind, time_t seconds);
static void ngx_http_aiobs_sentry_dropped(void *conf, ngx_uint_t kind,
    ngx_uint_t n, const char *reason);


static const char *ngx_http_aiobs_sentry_kinds[] = {
    "error", "transaction", "span"
};

static const char *ngx_http_aiobs_sentry_reasons[] = {
    "sample_rate", "ratelimit_backoff", "queue_overflow", "network_error",
    "send_error", "internal_sdk_error"
};


ngx_http_aiobs_sentry_t  *ngx_http_aiobs_sentry_worker;


const ngx_http_aiobs_exporter_type_t  ngx_http_aiobs_sentry_type = {
    "sentry",
    ngx_http_aiobs_sentry_init_worker,
    ngx_http_aiobs_sentry_build,
    ngx_http_aiobs_sentry_judge,
    NULL,
    ngx_http_aiobs_sentry_dropped
};


ngx_uint_t
ngx_http_aiobs_sentry_open(ngx_http_aiobs_sentry_t *sentry, ngx_uint_t item)
{
    static ngx_str_t  labels[] = { ngx_string("sentry"),
                                   ngx_string("rate_limited") };

    if ((time_t) sentry->state->until[ngx_http_aiobs_sentry_kind(item)]
        <= ngx_time())
    {
        return 1;
    }

    ngx_http_aiobs_sentry_discard(sentry, item,
                                  NGX_HTTP_AIOBS_SENTRY_RATELIMIT, 1);
    ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_EXPORT_DROPPED, labels, 1);

    return 0;
}


void
ngx_http_aiobs_sentry_discard(ngx_http_aiobs_sentry_t *sentry,
    ngx_uint_t item, ngx_http_aiobs_sentry_reason_e reason, ngx_uint_t n)
{
    ngx_uint_t     kind;
    ngx_atomic_t  *lost;

    kind = ngx_http_aiobs_sentry_kind(item);
    lost = sentry->state->lost[reason];

    (void) ngx_atomic_fetch_add(&lost[kind], n);

    /* Sentry makes a span of the transaction itself as well */

    if (kind == NGX_HTTP_AIOBS_SENTRY_TRANSACTION) {
        (void) ngx_atomic_fetch_add(&lost[NGX_HTTP_AIOBS_SENTRY_SPAN],
                             n * (ngx_http_aiobs_sentry_tries(item) + 1));
    }
}


/* what the thread needs of the envelope's header lies before the payload */

void
ngx_http_aiobs_sentry_push(ngx_http_aiobs_sentry_t *sentry, ngx_uint_t item,
    u_char *id, u_char *trace, u_char *payload,
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

    size = ngx_http_aiobs_batch_gzip_bound(request->body_len);

    if (sentry->gzip && request->body_len >= NGX_HTTP_AIOBS_SENTRY_PACK
        && ngx_http_aiobs_batch_gzip(batch->buf, request->body_len, p, &size)
           == NGX_OK)
    {
        request->headers = sentry->headers;
        request->body = p;
        request->body_len = size;
    }

    return NGX_OK;
}


static u_char *
ngx_http_aiobs_sentry_envelope(ngx_http_aiobs_sentry_t *sentry,
    ngx_http_aiobs_item_t *item, u_char *now, u_char *p)
{
    size_t     len;
    u_char    *id, *trace, *name;
    uint16_t   n;

    id = item->data;
    trace = id + NGX_HTTP_AIOBS_SENTRY_ID_LEN;
    name = id + NGX_HTTP_AIOBS_SENTRY_HEAD;

    ngx_memcpy(&n, trace + NGX_HTTP_AIOBS_TRACE_ID_LEN, sizeof(uint16_t));

    len = item->len - NGX_HTTP_AIOBS_SENTRY_HEAD - n;

    p = ngx_sprintf(p, "{\"event_id\":\"%*s\",\"sent_at\":\"%s\",\"sdk\":"
                       "{\"name\":\"aiobs.nginx\",\"version\":\"0.1.0\"},"
                       "\"trace\":{\"trace_id\":\"%*s\",\"public_key\":\"%V\"",
                    (size_t) NGX_HTTP_AIOBS_SENTRY_ID_LEN, id, now,
                    (size_t) NGX_HTTP_AIOBS_TRACE_ID_LEN, trace,
                    &sentry->public_key);

    if (!(item->kind & NGX_HTTP_AIOBS_SENTRY_FROZEN)) {
        p = ngx_http_aiobs_sentry_sampling(sentry, trace, p);

        if (n) {
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


/*
 * How the trace is sampled, so that Sentry can tell how many there were:
 * https://develop.sentry.dev/sdk/telemetry/traces/dynamic-sampling-context/
 */

static u_char *
ngx_http_aiobs_sentry_sampling(ngx_http_aiobs_sentry_t *sentry, u_char *trace,
    u_char *p)
{
    uint64_t  n;

    p = ngx_cpymem(p, sentry->context.data, sentry->context.len);

    if (sentry->traces_sample_rate == 0) {
        return p;
    }

    n = (uint64_t) ngx_hextoi(trace + NGX_HTTP_AIOBS_TRACE_ID_LEN - 14, 14);

    return ngx_sprintf(p, ",\"sample_rand\":\"0.%09uL\",\"sampled\":\"%s\"",
                       (uint64_t) ((double) (n >> 8) / (1ULL << 48) * 1e9),
                       n < sentry->traces_sample_rate ? "true" : "false");
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


/* what was discarded since the last one, as an item of its own */

static u_char *
ngx_http_aiobs_sentry_report(ngx_http_aiobs_sentry_state_t *state, u_char *p)
{
    u_char          report[2048], *q;
    ngx_uint_t      i, k, n, any;
    struct timeval  tv;

    ngx_gettimeofday(&tv);

    any = 0;
    q = ngx_sprintf(report, "{\"timestamp\":%T,\"discarded_events\":[",
                    tv.tv_sec);

    for (i = 0; i < NGX_HTTP_AIOBS_SENTRY_REASONS; i++) {
        for (k = 0; k < NGX_HTTP_AIOBS_SENTRY_CATEGORIES; k++) {

            n = state->lost[i][k];
            state->told[i][k] = n;

            if (n == 0) {
                continue;
            }

            (void) ngx_atomic_fetch_add(&state->lost[i][k],
                                        -(ngx_atomic_int_t) n);

            q = ngx_sprintf(q, "%s{\"reason\":\"%s\",\"category\":\"%s\","
                               "\"quantity\":%ui}",
                            any ? "," : "", ngx_http_aiobs_sentry_reasons[i],
                            ngx_http_aiobs_sentry_kinds[k], n);
            any = 1;
        }
    }

    q = ngx_sprintf(q, "]}");

    return any ? ngx_sprintf(p, "{\"type\":\"client_report\",\"length\":%uz}"
                                "\n%*s\n", (size_t) (q - report),
                             (size_t) (q - report), report)
               : p;
}


static void
ngx_http_aiobs_sentry_judge(void *conf, ngx_http_aiobs_batch_t *batch,
    const aiobs_http_answer_t *answer,
    ngx_http_aiobs_export_verdict_t *verdict)
{
    time_t                          seconds;
    ngx_uint_t                      i, k;
    const char                     *limits;
    ngx_http_aiobs_sentry_state_t  *state;

    state = batch->data;

    ngx_http_aiobs_export_judge(answer, verdict);

    limits = answer->error == AIOBS_HTTP_OK
             ? aiobs_http_header(answer, "x-sentry-rate-limits") : "";

    if (limits[0] != '\0') {
        ngx_http_aiobs_sentry_limits(state, limits);

    } else if (answer->status == 429) {
        seconds = (ngx_http_aiobs_retry_after(answer) + 999) / 1000;

        for (k = 0; k < NGX_HTTP_AIOBS_SENTRY_KINDS; k++) {
            ngx_http_aiobs_sentry_close(state, k,
                                        seconds ? seconds
                                              : NGX_HTTP_AIOBS_SENTRY_PAUSE);
        }
    }

    /* of whatever it answers an envelope with, Sentry wants it once */

    if (answer->error == AIOBS_HTTP_OK && answer->status >= 400) {
        verdict->what = NGX_HTTP_AIOBS_EXPORT_DROP;
    }

    if (answer->status == 429) {
        verdict->what = NGX_HTTP_AIOBS_EXPORT_DROP;
        verdict->dropped = "rate_limited";
        verdict->known = 1;
    }

    if (verdict->what == NGX_HTTP_AIOBS_EXPORT_DONE) {
        return;
    }

    /* what it was to report is reported by the next one */

    for (i = 0; i < NGX_HTTP_AIOBS_SENTRY_REASONS; i++) {
        for (k = 0; k < NGX_HTTP_AIOBS_SENTRY_CATEGORIES; k++) {
            (void) ngx_atomic_fetch_add(&state->lost[i][k], state->told[i][k]);
        }
    }
}


/*
 * "60:error;transaction:organization:reason, 2700::organization"; spaces mean
 * nothing wherever they stand, and seconds may have a fraction
 */

static void
ngx_http_aiobs_sentry_limits(ngx_http_aiobs_sentry_state_t *state,
    const char *limits)
{
    time_t  seconds;

    for ( /* void */ ; *limits; limits += (*limits == ',')) {

        limits += strspn(limits, NGX_HTTP_AIOBS_SENTRY_SPACE);

        for (seconds = 0; *limits >= '0' && *limits <= '9'; limits++) {
            if (seconds < NGX_HTTP_AIOBS_SENTRY_LONGEST) {
                seconds = seconds * 10 + (*limits - '0');
            }
        }

        /* the fraction of a second is in the one that is added */

        if (*limits == '.') {
            limits += 1 + strspn(limits + 1, "0123456789");
        }

        limits += strspn(limits, NGX_HTTP_AIOBS_SENTRY_SPACE);

        if (*limits == ':') {
            limits = ngx_http_aiobs_sentry_categories(state, limits + 1,
                                                      seconds);
        }

        limits += strcspn(limits, ",");
    }
}


/* "error;transaction", up to what ends it; none: all of them */

static const char *
ngx_http_aiobs_sentry_categories(ngx_http_aiobs_sentry_state_t *state,
    const char *p, time_t seconds)
{
    size_t      n, len;
    ngx_uint_t  k, all;

    p += strspn(p, NGX_HTTP_AIOBS_SENTRY_SPACE);
    all = (*p == ':' || *p == ',' || *p == '\0');

    for ( ;; ) {
        n = strcspn(p, NGX_HTTP_AIOBS_SENTRY_SPACE ";:,");

        for (k = 0; k < NGX_HTTP_AIOBS_SENTRY_KINDS; k++) {
            len = ngx_strlen(ngx_http_aiobs_sentry_kinds[k]);

            if (all || (n == len
                        && ngx_strncmp(p, ngx_http_aiobs_sentry_kinds[k], n)
                           == 0))
            {
                ngx_http_aiobs_sentry_close(state, k, seconds);
            }
        }

        p += n + strspn(p + n, NGX_HTTP_AIOBS_SENTRY_SPACE);

        if (*p == ':' || *p == ',' || *p == '\0') {
            return p;
        }

        p += (*p == ';');
        p += strspn(p, NGX_HTTP_AIOBS_SENTRY_SPACE);
    }
}


static void
ngx_http_aiobs_sentry_close(ngx_http_aiobs_sentry_state_t *state,
    ngx_uint_t kind, time_t seconds)
{
    struct timeval  tv;

    ngx_gettimeofday(&tv);

    seconds = tv.tv_sec + ngx_min(seconds, NGX_HTTP_AIOBS_SENTRY_LONGEST) + 1;

    if ((time_t) state->until[kind] < seconds) {
        state->until[kind] = seconds;
    }
}


static void
ngx_http_aiobs_sentry_dropped(void *conf, ngx_uint_t kind, ngx_uint_t n,
    const char *reason)
{
    ngx_http_aiobs_sentry_reason_e  r;

    if (ngx_strcmp(reason, "queue_full") == 0
        || ngx_strcmp(reason, "memory") == 0)
    {
        r = NGX_HTTP_AIOBS_SENTRY_QUEUE;

    } else if (ngx_strcmp(reason, "rate_limited") == 0) {

        r = NGX_HTTP_AIOBS_SENTRY_RATELIMIT;

    } else {
        r = ngx_strcmp(reason, "refused") == 0
            ? NGX_HTTP_AIOBS_SENTRY_SEND : NGX_HTTP_AIOBS_SENTRY_NETWORK;
    }

    ngx_http_aiobs_sentry_discard(conf, kind, r, n);
}
