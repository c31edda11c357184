
/*
 * Copyright (C) the aiobs authors
 *
 * What Sentry does not get: how often it wants what is obeyed,
 * https://develop.sentry.dev/sdk/expected-features/rate-limiting/, and what was
 * discarded is counted and reported.
 */


#include "ngx_http_aiobs_sentry.h"


#define NGX_HTTP_AIOBS_SENTRY_PAUSE    60       /* seconds, of a bare 429 */
#define NGX_HTTP_AIOBS_SENTRY_LONGEST  86400
#define NGX_HTTP_AIOBS_SENTRY_SPACE    " \t"


static void ngx_http_aiobs_sentry_limits(ngx_http_aiobs_sentry_state_t *state,
    const char *limits);
static const char *ngx_http_aiobs_sentry_categories(
    ngx_http_aiobs_sentry_state_t *state, const char *p, time_t seconds);
static void ngx_http_aiobs_sentry_close(ngx_http_aiobs_sentry_state_t *state,
    ngx_uint_t kind, time_t seconds);


static const char *ngx_http_aiobs_sentry_kinds[] = {
    "error", "transaction", "span"
};

static const char *ngx_http_aiobs_sentry_reasons[] = {
    "sample_rate", "ratelimit_backoff", "queue_overflow", "network_error",
    "send_error", "internal_sdk_error"
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


u_char *
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


void
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


void
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
