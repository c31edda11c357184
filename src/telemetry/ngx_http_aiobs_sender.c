
/*
 * Copyright (C) the aiobs authors
 *
 * The task that sends, in a thread of the pool.  It touches its job only: no
 * pool, no log, no time of nginx.
 */


#include "ngx_http_aiobs_sender.h"

#include <curl/curl.h>
#include <zlib.h>


#define NGX_HTTP_AIOBS_SENDER_KEPT   (1024 * 1024)  /* bytes of a buffer */
#define NGX_HTTP_AIOBS_SENDER_GZIP   32             /* bytes beyond zlib's */
#define NGX_HTTP_AIOBS_RETRY_MAX     3600           /* seconds */


static void ngx_http_aiobs_sender_send(ngx_http_aiobs_sender_job_t *job);
static void ngx_http_aiobs_sender_settle(ngx_http_aiobs_sender_job_t *job);
static int ngx_http_aiobs_sender_give_up(void *data);


void
ngx_http_aiobs_sender(void *data, ngx_log_t *log)
{
    ngx_http_aiobs_batch_t       *batch;
    ngx_http_aiobs_sender_job_t  *job;

    job = data;
    batch = &job->batch;

    do {
        ngx_memzero(&job->verdict, sizeof(ngx_http_aiobs_export_verdict_t));

        ngx_http_aiobs_sender_send(job);

        if (job->verdict.what != NGX_HTTP_AIOBS_EXPORT_DONE) {
            break;
        }

        ngx_http_aiobs_sender_settle(job);

    } while (batch->items);

    if (batch->size > NGX_HTTP_AIOBS_SENDER_KEPT) {
        free(batch->buf);
        batch->buf = NULL;
        batch->size = 0;
    }
}


static void
ngx_http_aiobs_sender_send(ngx_http_aiobs_sender_job_t *job)
{
    ngx_int_t                         rc;
    aiobs_http_answer_t               answer;
    aiobs_http_request_t              request;
    ngx_http_aiobs_export_verdict_t  *verdict;

    verdict = &job->verdict;

    ngx_memzero(&request, sizeof(aiobs_http_request_t));

    job->batch.taken = 0;

    if (job->http == NULL) {
        job->http = aiobs_http_create();
    }

    rc = job->http ? job->type->build(job->conf, &job->batch, &request)
                   : NGX_ERROR;

    if (rc == NGX_DECLINED) {
        verdict->what = NGX_HTTP_AIOBS_EXPORT_DROP;
        verdict->dropped = "rate_limited";
        ngx_cpystrn((u_char *) verdict->reason, (u_char *) "rate_limited",
                    sizeof(verdict->reason));
        ngx_cpystrn((u_char *) verdict->text, (u_char *) "rate limited",
                    sizeof(verdict->text));
        return;
    }

    if (rc != NGX_OK) {
        verdict->what = NGX_HTTP_AIOBS_EXPORT_RETRY;
        ngx_cpystrn((u_char *) verdict->reason, (u_char *) "memory",
                    sizeof(verdict->reason));
        ngx_cpystrn((u_char *) verdict->text, (u_char *) "no memory",
                    sizeof(verdict->text));
        return;
    }

    request.give_up = ngx_http_aiobs_sender_give_up;
    request.data = job;

    (void) aiobs_http_perform(job->http, &request, &answer);

    job->type->judge(job->conf, &job->batch, &answer, verdict);
}


static void
ngx_http_aiobs_sender_settle(ngx_http_aiobs_sender_job_t *job)
{
    ngx_uint_t              n;
    ngx_http_aiobs_item_t  *item;

    n = 0;

    while (job->batch.taken && job->batch.items) {
        item = job->batch.items;
        job->batch.items = item->next;
        job->batch.taken--;

        n += item->n;
        job->items++;
        job->bytes += item->len;

        free(item);
    }

    job->rejected += ngx_min(job->verdict.rejected, n);
    job->sent += n - ngx_min(job->verdict.rejected, n);
}


/* a worker that is told to stop at once waits for its threads */

static int
ngx_http_aiobs_sender_give_up(void *data)
{
    ngx_http_aiobs_sender_job_t *job = data;

    return job->give_up || ngx_terminate;
}


u_char *
ngx_http_aiobs_batch_room(ngx_http_aiobs_batch_t *batch, size_t size)
{
    u_char  *p;

    if (batch->size >= size) {
        return batch->buf;
    }

    p = realloc(batch->buf, size);

    if (p) {
        batch->buf = p;
        batch->size = size;
    }

    return p;
}


size_t
ngx_http_aiobs_batch_gzip_bound(size_t len)
{
    return compressBound(len) + NGX_HTTP_AIOBS_SENDER_GZIP;
}


ngx_int_t
ngx_http_aiobs_batch_gzip(u_char *from, size_t len, u_char *to, size_t *size)
{
    int       rc;
    z_stream  zs;

    ngx_memzero(&zs, sizeof(z_stream));

    /* the fastest: keys and ids repeat, there is little more to find */

    if (deflateInit2(&zs, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8,
                     Z_DEFAULT_STRATEGY)
        != Z_OK)
    {
        return NGX_ERROR;
    }

    zs.next_in = from;
    zs.avail_in = (uInt) len;
    zs.next_out = to;
    zs.avail_out = (uInt) *size;

    rc = deflate(&zs, Z_FINISH);
    *size = zs.total_out;

    deflateEnd(&zs);

    return rc == Z_STREAM_END ? NGX_OK : NGX_ERROR;
}


void
ngx_http_aiobs_export_judge(const aiobs_http_answer_t *answer,
    ngx_http_aiobs_export_verdict_t *verdict)
{
    u_char  *reason, *text;

    if (answer->status >= 200 && answer->status < 300
        && (answer->error == AIOBS_HTTP_OK
            || answer->error == AIOBS_HTTP_TOO_LARGE))
    {
        verdict->what = NGX_HTTP_AIOBS_EXPORT_DONE;
        return;
    }

    reason = (u_char *) verdict->reason;
    text = (u_char *) verdict->text;

    if (answer->error != AIOBS_HTTP_OK) {
        verdict->what = answer->error == AIOBS_HTTP_URL
                        ? NGX_HTTP_AIOBS_EXPORT_DROP
                        : NGX_HTTP_AIOBS_EXPORT_RETRY;
        ngx_cpystrn(reason,
                    (u_char *) aiobs_http_error_name(answer->error),
                    sizeof(verdict->reason));
        ngx_cpystrn(text, (u_char *) answer->text, sizeof(verdict->text));
        return;
    }

    ngx_sprintf(reason, "%d%Z", answer->status);
    ngx_sprintf(text, "status %d%Z", answer->status);

    switch (answer->status) {

    case 429:
    case 502:
    case 503:
    case 504:
        verdict->what = NGX_HTTP_AIOBS_EXPORT_RETRY;
        verdict->delay = ngx_http_aiobs_retry_after(answer);
        break;

    default:
        verdict->what = NGX_HTTP_AIOBS_EXPORT_DROP;
        break;
    }
}


/* RFC 9110, 10.2.3 */

ngx_msec_t
ngx_http_aiobs_retry_after(const aiobs_http_answer_t *answer)
{
    size_t       len;
    time_t       when;
    ngx_int_t    seconds;
    const char  *value;

    value = aiobs_http_header(answer, "retry-after");
    len = ngx_strlen(value);

    if (len == 0) {
        return 0;
    }

    seconds = ngx_atoi((u_char *) value, ngx_min(len, 9));

    if (seconds == NGX_ERROR) {
        when = curl_getdate(value, NULL);
        seconds = when == -1 ? 0 : when - time(NULL);
    }

    return seconds > 0 ? (ngx_msec_t) ngx_min(seconds,
                                              NGX_HTTP_AIOBS_RETRY_MAX) * 1000
                       : 0;
}
