
/*
 * Copyright (C) the aiobs authors
 *
 * Exposition: Prometheus text format 0.0.4 and OpenMetrics 1.0, rendered
 * family by family into a chain of buffers, without a lock.
 */


#include "ngx_http_aiobs_families.h"


#define NGX_HTTP_AIOBS_PAGE      16384
#define NGX_HTTP_AIOBS_LINE      (2 * NGX_HTTP_AIOBS_LABELS_MAX               \
                                  * (NGX_HTTP_AIOBS_LABEL_LEN_MAX + 32) + 256)


typedef struct {
    ngx_pool_t   *pool;
    ngx_chain_t  *first;
    ngx_chain_t  *last;
    off_t         size;
    ngx_uint_t    openmetrics;
    ngx_uint_t    failed;
} ngx_http_aiobs_out_t;


static ngx_uint_t ngx_http_aiobs_wants_openmetrics(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_expose(ngx_http_request_t *r,
    ngx_http_aiobs_out_t *out);
static void ngx_http_aiobs_expose_family(ngx_http_aiobs_metrics_t *m,
    ngx_uint_t n, ngx_http_aiobs_out_t *out);
static void ngx_http_aiobs_expose_value(ngx_http_aiobs_metrics_t *m,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_series_t *s,
    ngx_http_aiobs_out_t *out);
static void ngx_http_aiobs_expose_histogram(const ngx_http_aiobs_family_t *f,
    ngx_http_aiobs_series_t *s, ngx_http_aiobs_out_t *out);
static u_char *ngx_http_aiobs_expose_labels(u_char *p,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_series_t *s);
static u_char *ngx_http_aiobs_expose_number(u_char *p, uint64_t value,
    uint64_t scale, ngx_uint_t bound);
static u_char *ngx_http_aiobs_expose_room(ngx_http_aiobs_out_t *out,
    size_t size);
static void ngx_http_aiobs_expose_done(ngx_http_aiobs_out_t *out, u_char *p);
static ngx_int_t ngx_http_aiobs_expose_send(ngx_http_request_t *r,
    ngx_http_aiobs_out_t *out);


ngx_int_t
ngx_http_aiobs_metrics_handler(ngx_http_request_t *r)
{
    ngx_int_t             rc;
    ngx_http_aiobs_out_t  out;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memzero(&out, sizeof(ngx_http_aiobs_out_t));

    out.pool = r->pool;
    out.openmetrics = ngx_http_aiobs_wants_openmetrics(r);

    if (ngx_http_aiobs_expose(r, &out) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_aiobs_expose_send(r, &out);
}


void
ngx_http_aiobs_expose_header(void *data, const char *name, const char *help,
    const char *unit, ngx_http_aiobs_type_e type)
{
    ngx_http_aiobs_out_t *out = data;

    u_char      *p;
    const char  *suffix;

    static const char  *types[] = { "counter", "gauge", "histogram" };

    p = ngx_http_aiobs_expose_room(out, 512);
    if (p == NULL) {
        return;
    }

    /* OpenMetrics names a counter without the suffix of its sample */

    suffix = type == NGX_HTTP_AIOBS_COUNTER && !out->openmetrics ? "_total"
                                                                 : "";

    p = ngx_sprintf(p, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help,
                    name, suffix, types[type]);

    if (out->openmetrics && unit[0]) {
        p = ngx_sprintf(p, "# UNIT %s %s\n", name, unit);
    }

    ngx_http_aiobs_expose_done(out, p);
}


void
ngx_http_aiobs_expose_sample(void *data, const char *name, const char *suffix,
    const char *labels, uint64_t value)
{
    ngx_http_aiobs_out_t *out = data;

    u_char  *p;

    p = ngx_http_aiobs_expose_room(out, NGX_HTTP_AIOBS_LINE);

    if (p) {
        p = ngx_sprintf(p, "%s%s%s %uL\n", name, suffix, labels, value);
        ngx_http_aiobs_expose_done(out, p);
    }
}


static ngx_uint_t
ngx_http_aiobs_wants_openmetrics(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static char  type[] = "application/openmetrics-text";

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == 6
                && ngx_strncasecmp(h[i].key.data, (u_char *) "accept", 6) == 0
                && ngx_strlcasestrn(h[i].value.data,
                                    h[i].value.data + h[i].value.len,
                                    (u_char *) type, sizeof(type) - 2))
            {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_aiobs_expose(ngx_http_request_t *r, ngx_http_aiobs_out_t *out)
{
    u_char                    *p;
    ngx_uint_t                 i;
    ngx_http_aiobs_metrics_t  *m;

    m = ngx_http_aiobs_registry();

    if (m == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_AIOBS_FAMILY_LAST; i++) {
        ngx_http_aiobs_expose_family(m, i, out);
    }

    ngx_http_aiobs_health(m, out);

    if (out->openmetrics) {
        p = ngx_http_aiobs_expose_room(out, 16);

        if (p) {
            p = ngx_cpymem(p, "# EOF\n", sizeof("# EOF\n") - 1);
            ngx_http_aiobs_expose_done(out, p);
        }
    }

    return out->failed ? NGX_ERROR : NGX_OK;
}


/* the list only grows: what was there at the first look is rendered */

static void
ngx_http_aiobs_expose_family(ngx_http_aiobs_metrics_t *m, ngx_uint_t n,
    ngx_http_aiobs_out_t *out)
{
    ngx_http_aiobs_series_t        *s;
    const ngx_http_aiobs_family_t  *f;

    s = m->families[n].first;

    if (s == NULL) {
        return;
    }

    f = &ngx_http_aiobs_families[n];

    ngx_http_aiobs_expose_header(out, f->name, f->help, f->unit, f->type);

    for ( /* void */ ; s && !out->failed; s = s->next) {

        if (f->type == NGX_HTTP_AIOBS_HISTOGRAM) {
            ngx_http_aiobs_expose_histogram(f, s, out);

        } else {
            ngx_http_aiobs_expose_value(m, f, s, out);
        }
    }
}


static void
ngx_http_aiobs_expose_value(ngx_http_aiobs_metrics_t *m,
    const ngx_http_aiobs_family_t *f, ngx_http_aiobs_series_t *s,
    ngx_http_aiobs_out_t *out)
{
    u_char   *p;
    int64_t   n;

    p = ngx_http_aiobs_expose_room(out, NGX_HTTP_AIOBS_LINE);
    if (p == NULL) {
        return;
    }

    p = ngx_sprintf(p, "%s%s{", f->name,
                    f->type == NGX_HTTP_AIOBS_COUNTER ? "_total" : "");
    p = ngx_http_aiobs_expose_labels(p, f, s);
    *p++ = '}';
    *p++ = ' ';

    if (f->type == NGX_HTTP_AIOBS_GAUGE) {
        n = ngx_http_aiobs_gauge_value(m, s);
        p = ngx_sprintf(p, "%L", n);

    } else {
        p = ngx_http_aiobs_expose_number(p, s->values[0], f->scale, 0);
    }

    *p++ = '\n';

    ngx_http_aiobs_expose_done(out, p);
}


/*
 * Buckets are stored each for itself and summed up here, the count with them:
 * whatever is added meanwhile, count and last bucket are the same.
 */

static void
ngx_http_aiobs_expose_histogram(const ngx_http_aiobs_family_t *f,
    ngx_http_aiobs_series_t *s, ngx_http_aiobs_out_t *out)
{
    u_char      *p, *labels, *labels_end;
    uint64_t     count, sum;
    ngx_uint_t   i;

    u_char       text[NGX_HTTP_AIOBS_LINE];

    labels = text;
    labels_end = ngx_http_aiobs_expose_labels(labels, f, s);

    sum = s->values[f->buckets->n + 1];
    count = 0;

    for (i = 0; i <= f->buckets->n; i++) {

        count += s->values[i];

        p = ngx_http_aiobs_expose_room(out, NGX_HTTP_AIOBS_LINE);
        if (p == NULL) {
            return;
        }

        p = ngx_sprintf(p, "%s_bucket{", f->name);
        p = ngx_cpymem(p, labels, labels_end - labels);
        p = ngx_cpymem(p, ",le=\"", sizeof(",le=\"") - 1);

        if (i < f->buckets->n) {
            p = ngx_http_aiobs_expose_number(p, f->buckets->bounds[i],
                                             f->scale, 1);
        } else {
            p = ngx_cpymem(p, "+Inf", 4);
        }

        p = ngx_sprintf(p, "\"} %uL\n", count);

        ngx_http_aiobs_expose_done(out, p);
    }

    p = ngx_http_aiobs_expose_room(out, 2 * NGX_HTTP_AIOBS_LINE);
    if (p == NULL) {
        return;
    }

    p = ngx_sprintf(p, "%s_sum{", f->name);
    p = ngx_cpymem(p, labels, labels_end - labels);
    *p++ = '}';
    *p++ = ' ';
    p = ngx_http_aiobs_expose_number(p, sum, f->scale, 0);

    p = ngx_sprintf(p, "\n%s_count{", f->name);
    p = ngx_cpymem(p, labels, labels_end - labels);
    p = ngx_sprintf(p, "} %uL\n", count);

    ngx_http_aiobs_expose_done(out, p);
}


static u_char *
ngx_http_aiobs_expose_labels(u_char *p, const ngx_http_aiobs_family_t *f,
    ngx_http_aiobs_series_t *s)
{
    u_char             *v, *last;
    const char *const  *name;

    v = ngx_http_aiobs_series_labels(s);

    for (name = f->labels; *name; name++) {

        if (name != f->labels) {
            *p++ = ',';
        }

        p = ngx_sprintf(p, "%s=\"", *name);

        for (last = v + 1 + *v, v++; v < last; v++) {
            if (*v == '"' || *v == '\\') {
                *p++ = '\\';
            }

            *p++ = *v;
        }

        *p++ = '"';
    }

    return p;
}


/* bound: as OpenMetrics wants "le", always with a fraction */

static u_char *
ngx_http_aiobs_expose_number(u_char *p, uint64_t value, uint64_t scale,
    ngx_uint_t bound)
{
    uint64_t  fraction;

    p = ngx_sprintf(p, "%uL", value / scale);
    fraction = value % scale;

    if (fraction == 0) {
        return bound ? ngx_cpymem(p, ".0", 2) : p;
    }

    *p++ = '.';

    while (fraction) {
        scale /= 10;
        *p++ = (u_char) ('0' + fraction / scale);
        fraction %= scale;
    }

    return p;
}


static u_char *
ngx_http_aiobs_expose_room(ngx_http_aiobs_out_t *out, size_t size)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (out->failed) {
        return NULL;
    }

    if (out->last
        && out->last->buf->end - out->last->buf->last >= (ssize_t) size)
    {
        return out->last->buf->last;
    }

    b = ngx_create_temp_buf(out->pool, ngx_max(size, NGX_HTTP_AIOBS_PAGE));
    cl = ngx_alloc_chain_link(out->pool);

    if (b == NULL || cl == NULL) {
        out->failed = 1;
        return NULL;
    }

    cl->buf = b;
    cl->next = NULL;

    if (out->last) {
        out->last->next = cl;

    } else {
        out->first = cl;
    }

    out->last = cl;

    return b->last;
}


static void
ngx_http_aiobs_expose_done(ngx_http_aiobs_out_t *out, u_char *p)
{
    out->size += p - out->last->buf->last;
    out->last->buf->last = p;
}


static ngx_int_t
ngx_http_aiobs_expose_send(ngx_http_request_t *r, ngx_http_aiobs_out_t *out)
{
    ngx_int_t  rc;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = out->size;

    if (out->openmetrics) {
        ngx_str_set(&r->headers_out.content_type,
                    "application/openmetrics-text; version=1.0.0; "
                    "charset=utf-8");
    } else {
        ngx_str_set(&r->headers_out.content_type,
                    "text/plain; version=0.0.4; charset=utf-8");
    }

    r->headers_out.content_type_len = ngx_strchr(
                 r->headers_out.content_type.data, ';')
                 - (char *) r->headers_out.content_type.data;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out->last->buf->last_buf = (r == r->main);
    out->last->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, out->first);
}
