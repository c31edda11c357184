
/*
 * Copyright (C) the aiobs authors
 *
 * Native histograms in messages io.prometheus.client.Histogram.
 */


#include "ngx_http_aiobs_exposition.h"


/* fields, by message */

#define NGX_HTTP_AIOBS_HISTOGRAM_SCHEMA      5
#define NGX_HTTP_AIOBS_HISTOGRAM_THRESHOLD   6
#define NGX_HTTP_AIOBS_HISTOGRAM_ZEROS       7
#define NGX_HTTP_AIOBS_HISTOGRAM_SPAN        12
#define NGX_HTTP_AIOBS_HISTOGRAM_DELTA       13

#define NGX_HTTP_AIOBS_SPAN_OFFSET           1
#define NGX_HTTP_AIOBS_SPAN_LENGTH           2


static void ngx_http_aiobs_protobuf_deltas(aiobs_wire_t *w,
    ngx_http_aiobs_snapshot_t *snapshot);
static void ngx_http_aiobs_protobuf_spans(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_snapshot_t *snapshot);


void
ngx_http_aiobs_protobuf_native(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_snapshot_t *snapshot)
{
    double     threshold;
    ngx_int_t  low;

    low = f->buckets->low;
    threshold = low < 0 ? 1.0 / (double) (1ULL << -low)
                        : (double) (1ULL << low);

    ngx_http_aiobs_protobuf_deltas(w, snapshot);
    ngx_http_aiobs_protobuf_spans(w, f, snapshot);

    aiobs_wire_uint(w, NGX_HTTP_AIOBS_HISTOGRAM_ZEROS,
                    snapshot->native_buckets[0]);
    aiobs_wire_double(w, NGX_HTTP_AIOBS_HISTOGRAM_THRESHOLD, threshold);
    aiobs_wire_sint(w, NGX_HTTP_AIOBS_HISTOGRAM_SCHEMA,
                    NGX_HTTP_AIOBS_NATIVE_SCHEMA);
}


/* of the buckets that are not empty, the difference to the one before */

static void
ngx_http_aiobs_protobuf_deltas(aiobs_wire_t *w,
    ngx_http_aiobs_snapshot_t *snapshot)
{
    u_char      *end;
    uint64_t    *n, last;
    ngx_uint_t   i;

    end = w->p;
    n = snapshot->native_buckets;
    last = 0;

    for (i = NGX_HTTP_AIOBS_NATIVE_N - 1; i > 0; i--) {

        if (n[i] == 0) {
            continue;
        }

        if (last) {
            aiobs_wire_packed_sint(w, (int64_t) (last - n[i]));
        }

        last = n[i];
    }

    if (last) {
        aiobs_wire_packed_sint(w, (int64_t) last);
        aiobs_wire_message(w, NGX_HTTP_AIOBS_HISTOGRAM_DELTA, end);
    }
}


/* runs of such buckets: how far from the one before, and how many */

static void
ngx_http_aiobs_protobuf_spans(aiobs_wire_t *w,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_snapshot_t *snapshot)
{
    u_char      *end;
    uint64_t    *n;
    ngx_int_t    offset;
    ngx_uint_t   i, first, before;

    n = snapshot->native_buckets;

    for (i = NGX_HTTP_AIOBS_NATIVE_N - 1; i > 0; i = before) {

        if (n[i] == 0) {
            before = i - 1;
            continue;
        }

        for (first = i; first > 1 && n[first - 1]; first--) {
            /* void */
        }

        for (before = first - 1; before > 0 && n[before] == 0; before--) {
            /* void */
        }

        /* the first is told by its number: the bound is 2^(number / 8) */

        offset = before ? (ngx_int_t) (first - before - 1)
                        : f->buckets->low * NGX_HTTP_AIOBS_NATIVE_STEPS
                          + (ngx_int_t) first;

        end = w->p;

        aiobs_wire_uint(w, NGX_HTTP_AIOBS_SPAN_LENGTH, i - first + 1);
        aiobs_wire_sint(w, NGX_HTTP_AIOBS_SPAN_OFFSET, offset);
        aiobs_wire_message(w, NGX_HTTP_AIOBS_HISTOGRAM_SPAN, end);
    }
}
