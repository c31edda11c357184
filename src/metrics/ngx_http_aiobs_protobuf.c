
/*
 * Copyright (C) the aiobs authors
 *
 * Prometheus protobuf: messages io.prometheus.client.MetricFamily, each after
 * its length.  A family of more than a page comes in several of them.
 * https://github.com/prometheus/client_model
 */


#include "ngx_http_aiobs_exposition.h"

#include <math.h>


/* bytes that one message Metric takes at most, and the length of a family's */

#define NGX_HTTP_AIOBS_METRIC_MAX  12288
#define NGX_HTTP_AIOBS_LENGTH_MAX  3

/* fields, by message; those of native histograms are where they are written */

#define NGX_HTTP_AIOBS_FAMILY_NAME           1
#define NGX_HTTP_AIOBS_FAMILY_HELP           2
#define NGX_HTTP_AIOBS_FAMILY_TYPE           3
#define NGX_HTTP_AIOBS_FAMILY_METRIC         4
#define NGX_HTTP_AIOBS_FAMILY_UNIT           5

#define NGX_HTTP_AIOBS_METRIC_LABEL          1
#define NGX_HTTP_AIOBS_METRIC_GAUGE          2
#define NGX_HTTP_AIOBS_METRIC_COUNTER        3
#define NGX_HTTP_AIOBS_METRIC_HISTOGRAM      7

#define NGX_HTTP_AIOBS_LABEL_NAME            1
#define NGX_HTTP_AIOBS_LABEL_VALUE           2

#define NGX_HTTP_AIOBS_GAUGE_VALUE           1

#define NGX_HTTP_AIOBS_COUNTER_VALUE         1
#define NGX_HTTP_AIOBS_COUNTER_EXEMPLAR      2
#define NGX_HTTP_AIOBS_COUNTER_CREATED       3

#define NGX_HTTP_AIOBS_HISTOGRAM_COUNT       1
#define NGX_HTTP_AIOBS_HISTOGRAM_SUM         2
#define NGX_HTTP_AIOBS_HISTOGRAM_BUCKET      3
#define NGX_HTTP_AIOBS_HISTOGRAM_CREATED     15

#define NGX_HTTP_AIOBS_BUCKET_COUNT          1
#define NGX_HTTP_AIOBS_BUCKET_BOUND          2
#define NGX_HTTP_AIOBS_BUCKET_EXEMPLAR       3

#define NGX_HTTP_AIOBS_EXEMPLAR_LABEL        1
#define NGX_HTTP_AIOBS_EXEMPLAR_VALUE        2
#define NGX_HTTP_AIOBS_EXEMPLAR_TIME         3

#define NGX_HTTP_AIOBS_TIME_SECONDS          1
#define NGX_HTTP_AIOBS_TIME_NANOS            2


static void ngx_http_aiobs_protobuf_begin(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
static void ngx_http_aiobs_protobuf_show(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, u_char *labels,
    ngx_http_aiobs_snapshot_t *snapshot);
static ngx_int_t ngx_http_aiobs_protobuf_open(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
static void ngx_http_aiobs_protobuf_flush(ngx_http_aiobs_scrape_t *scrape);
static void ngx_http_aiobs_protobuf_counter(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_snapshot_t *snapshot);
static void ngx_http_aiobs_protobuf_gauge(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_snapshot_t *snapshot);
static void ngx_http_aiobs_protobuf_histogram(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_snapshot_t *snapshot);
static void ngx_http_aiobs_protobuf_buckets(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_snapshot_t *snapshot);
static void ngx_http_aiobs_protobuf_exemplar(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, ngx_uint_t field, ngx_uint_t bucket,
    ngx_http_aiobs_snapshot_t *snapshot);
static void ngx_http_aiobs_protobuf_time(aiobs_wire_t *w, ngx_uint_t field,
    uint64_t msec);
static void ngx_http_aiobs_protobuf_labels(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, u_char *values);
static void ngx_http_aiobs_protobuf_label(aiobs_wire_t *w, ngx_uint_t field,
    const char *name, u_char *value, size_t len);
static double ngx_http_aiobs_protobuf_value(const ngx_http_aiobs_family_t *f,
    uint64_t value);


const ngx_http_aiobs_exposer_t  ngx_http_aiobs_protobuf = {
    ngx_string("application/vnd.google.protobuf; "
               "proto=io.prometheus.client.MetricFamily; encoding=delimited"),
    1, 1,
    ngx_http_aiobs_protobuf_begin,
    ngx_http_aiobs_protobuf_show,
    ngx_http_aiobs_protobuf_flush,
    ngx_http_aiobs_protobuf_flush
};


/* a family that shows nothing has no message */

static void
ngx_http_aiobs_protobuf_begin(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    scrape->message = NULL;
}


static void
ngx_http_aiobs_protobuf_show(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, u_char *labels,
    ngx_http_aiobs_snapshot_t *snapshot)
{
    u_char        buf[NGX_HTTP_AIOBS_METRIC_MAX], *end;
    aiobs_wire_t  w;

    end = buf + sizeof(buf);
    aiobs_wire_init(&w, buf, sizeof(buf));

    switch (f->type) {

    case NGX_HTTP_AIOBS_COUNTER:
        ngx_http_aiobs_protobuf_counter(&w, f, snapshot);
        break;

    case NGX_HTTP_AIOBS_HISTOGRAM:
        ngx_http_aiobs_protobuf_histogram(&w, f, snapshot);
        break;

    default:
        ngx_http_aiobs_protobuf_gauge(&w, f, snapshot);
    }

    ngx_http_aiobs_protobuf_labels(&w, f, labels);
    aiobs_wire_message(&w, NGX_HTTP_AIOBS_FAMILY_METRIC, end);

    if (scrape->message
        && scrape->tail->buf->end - scrape->last < end - w.p)
    {
        ngx_http_aiobs_protobuf_flush(scrape);
    }

    if (w.full || (scrape->message == NULL
                   && ngx_http_aiobs_protobuf_open(scrape, f) != NGX_OK))
    {
        scrape->failed = 1;
        return;
    }

    scrape->last = ngx_cpymem(scrape->last, w.p, end - w.p);
}


/* with room for a series besides */

static ngx_int_t
ngx_http_aiobs_protobuf_open(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    u_char        buf[512], name[128], *p;
    aiobs_wire_t  w;

    static const ngx_uint_t  types[] = {
        [NGX_HTTP_AIOBS_COUNTER] = 0,
        [NGX_HTTP_AIOBS_GAUGE] = 1,
        [NGX_HTTP_AIOBS_HISTOGRAM] = 4,
        [NGX_HTTP_AIOBS_INFO] = 1
    };

    aiobs_wire_init(&w, buf, sizeof(buf));

    if (f->unit[0]) {
        aiobs_wire_bytes(&w, NGX_HTTP_AIOBS_FAMILY_UNIT, f->unit,
                         ngx_strlen(f->unit));
    }

    p = ngx_snprintf(name, sizeof(name), "%V%s", &scrape->name,
                     ngx_http_aiobs_suffix(f));

    aiobs_wire_uint(&w, NGX_HTTP_AIOBS_FAMILY_TYPE, types[f->type]);
    aiobs_wire_bytes(&w, NGX_HTTP_AIOBS_FAMILY_HELP, f->help,
                     ngx_strlen(f->help));
    aiobs_wire_bytes(&w, NGX_HTTP_AIOBS_FAMILY_NAME, name, p - name);

    p = ngx_http_aiobs_expose_room(scrape, NGX_HTTP_AIOBS_LENGTH_MAX
                                           + sizeof(buf)
                                           + NGX_HTTP_AIOBS_METRIC_MAX);
    if (p == NULL || w.full) {
        return NGX_ERROR;
    }

    scrape->message = p;
    scrape->last = ngx_cpymem(p + NGX_HTTP_AIOBS_LENGTH_MAX, w.p,
                              buf + sizeof(buf) - w.p);

    return NGX_OK;
}


static void
ngx_http_aiobs_protobuf_flush(ngx_http_aiobs_scrape_t *scrape)
{
    size_t   len;
    u_char  *p, *message;

    if (scrape->message == NULL) {
        return;
    }

    message = scrape->message + NGX_HTTP_AIOBS_LENGTH_MAX;
    len = scrape->last - message;

    p = aiobs_wire_varint(scrape->message, len);
    p = ngx_movemem(p, message, len);

    ngx_http_aiobs_expose_done(scrape, p);

    scrape->message = NULL;
}


static void
ngx_http_aiobs_protobuf_counter(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_snapshot_t *snapshot)
{
    u_char  *end;

    end = w->p;

    ngx_http_aiobs_protobuf_time(w, NGX_HTTP_AIOBS_COUNTER_CREATED,
                                 (uint64_t) snapshot->created * 1000);
    ngx_http_aiobs_protobuf_exemplar(w, f, NGX_HTTP_AIOBS_COUNTER_EXEMPLAR, 0,
                                     snapshot);
    aiobs_wire_double(w, NGX_HTTP_AIOBS_COUNTER_VALUE,
                      ngx_http_aiobs_protobuf_value(f, snapshot->value));
    aiobs_wire_message(w, NGX_HTTP_AIOBS_METRIC_COUNTER, end);
}


static void
ngx_http_aiobs_protobuf_gauge(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_snapshot_t *snapshot)
{
    u_char  *end;

    end = w->p;

    aiobs_wire_double(w, NGX_HTTP_AIOBS_GAUGE_VALUE,
                      ngx_http_aiobs_protobuf_value(f, snapshot->value));
    aiobs_wire_message(w, NGX_HTTP_AIOBS_METRIC_GAUGE, end);
}


static void
ngx_http_aiobs_protobuf_histogram(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_snapshot_t *snapshot)
{
    u_char  *end;

    end = w->p;

    ngx_http_aiobs_protobuf_time(w, NGX_HTTP_AIOBS_HISTOGRAM_CREATED,
                                 (uint64_t) snapshot->created * 1000);

    if (snapshot->native) {
        ngx_http_aiobs_protobuf_native(w, f, snapshot);
        snapshot->count = snapshot->native_count;
    }

    ngx_http_aiobs_protobuf_buckets(w, f, snapshot);

    aiobs_wire_double(w, NGX_HTTP_AIOBS_HISTOGRAM_SUM,
                      ngx_http_aiobs_protobuf_value(f, snapshot->value));
    aiobs_wire_uint(w, NGX_HTTP_AIOBS_HISTOGRAM_COUNT, snapshot->count);
    aiobs_wire_message(w, NGX_HTTP_AIOBS_METRIC_HISTOGRAM, end);
}


/* each with those below it; the last of them has the count of all */

static void
ngx_http_aiobs_protobuf_buckets(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_snapshot_t *snapshot)
{
    u_char                          *end;
    double                           bound;
    uint64_t                         count;
    ngx_uint_t                       i;
    const ngx_http_aiobs_buckets_t  *b;

    b = ngx_http_aiobs_buckets(f);

    for (count = 0, i = 0; i < b->n; i++) {
        count += snapshot->buckets[i];
    }

    for (i = b->n; /* void */ ; i--) {
        end = w->p;
        bound = i < b->n ? ngx_http_aiobs_protobuf_value(f, b->bounds[i])
                         : HUGE_VAL;

        ngx_http_aiobs_protobuf_exemplar(w, f, NGX_HTTP_AIOBS_BUCKET_EXEMPLAR,
                                         i, snapshot);
        aiobs_wire_double(w, NGX_HTTP_AIOBS_BUCKET_BOUND, bound);
        aiobs_wire_uint(w, NGX_HTTP_AIOBS_BUCKET_COUNT,
                        i < b->n ? count : snapshot->count);
        aiobs_wire_message(w, NGX_HTTP_AIOBS_HISTOGRAM_BUCKET, end);

        if (i == 0) {
            return;
        }

        if (i < b->n) {
            count -= snapshot->buckets[i];
        }
    }
}


static void
ngx_http_aiobs_protobuf_exemplar(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, ngx_uint_t field, ngx_uint_t bucket,
    ngx_http_aiobs_snapshot_t *snapshot)
{
    u_char                     *end;
    ngx_uint_t                  i;
    ngx_http_aiobs_exemplar_t  *e;

    for (i = 0; i < snapshot->exemplars_n; i++) {
        e = &snapshot->exemplars[i];

        if (e->bucket != bucket) {
            continue;
        }

        end = w->p;

        ngx_http_aiobs_protobuf_time(w, NGX_HTTP_AIOBS_EXEMPLAR_TIME, e->msec);
        aiobs_wire_double(w, NGX_HTTP_AIOBS_EXEMPLAR_VALUE,
                          ngx_http_aiobs_protobuf_value(f, e->value));

        if (e->id_len) {
            ngx_http_aiobs_protobuf_label(w, NGX_HTTP_AIOBS_EXEMPLAR_LABEL,
                                          "request_id", e->id, e->id_len);
        }

        ngx_http_aiobs_protobuf_label(w, NGX_HTTP_AIOBS_EXEMPLAR_LABEL,
                                      "trace_id", e->trace_id,
                                      NGX_HTTP_AIOBS_EXEMPLAR_TRACE);
        aiobs_wire_message(w, field, end);
        return;
    }
}


static void
ngx_http_aiobs_protobuf_time(aiobs_wire_t *w, ngx_uint_t field, uint64_t msec)
{
    u_char  *end;

    end = w->p;

    aiobs_wire_uint(w, NGX_HTTP_AIOBS_TIME_NANOS, msec % 1000 * 1000000);
    aiobs_wire_uint(w, NGX_HTTP_AIOBS_TIME_SECONDS, msec / 1000);
    aiobs_wire_message(w, field, end);
}


/* in any order, so in that of their values */

static void
ngx_http_aiobs_protobuf_labels(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, u_char *values)
{
    ngx_uint_t  i;

    for (i = 0; f->labels[i]; i++) {
        ngx_http_aiobs_protobuf_label(w, NGX_HTTP_AIOBS_METRIC_LABEL,
                                      f->labels[i], values + 1, *values);
        values += 1 + *values;
    }
}


static void
ngx_http_aiobs_protobuf_label(aiobs_wire_t *w, ngx_uint_t field,
    const char *name, u_char *value, size_t len)
{
    u_char  *end;

    end = w->p;

    aiobs_wire_bytes(w, NGX_HTTP_AIOBS_LABEL_VALUE, value, len);
    aiobs_wire_bytes(w, NGX_HTTP_AIOBS_LABEL_NAME, name, ngx_strlen(name));
    aiobs_wire_message(w, field, end);
}


static double
ngx_http_aiobs_protobuf_value(const ngx_http_aiobs_family_t *f, uint64_t value)
{
    return (double) value / (double) f->scale;
}
