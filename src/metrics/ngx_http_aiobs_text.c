
/*
 * Copyright (C) the aiobs authors
 *
 * Prometheus text format 0.0.4 and OpenMetrics 1.0.
 */


#include "ngx_http_aiobs_exposition.h"


/* bytes that the labels of a series, an exemplar, a line, take at most */

#define NGX_HTTP_AIOBS_LABELS_TEXT                                            \
    (NGX_HTTP_AIOBS_LABELS_MAX * (2 * AIOBS_LABEL_MAX + 32))
#define NGX_HTTP_AIOBS_EXEMPLAR_TEXT  (128 + 4 * AIOBS_NUMBER_MAX)
#define NGX_HTTP_AIOBS_LINE    (NGX_HTTP_AIOBS_LABELS_TEXT                    \
                                + NGX_HTTP_AIOBS_EXEMPLAR_TEXT + 256)


static void ngx_http_aiobs_text_begin(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
static void ngx_http_aiobs_text_bounds(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
static void ngx_http_aiobs_text_show(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, u_char *labels,
    ngx_http_aiobs_snapshot_t *snapshot);
static void ngx_http_aiobs_text_value(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, ngx_str_t *labels,
    ngx_http_aiobs_snapshot_t *snapshot);
static void ngx_http_aiobs_text_histogram(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, ngx_str_t *labels,
    ngx_http_aiobs_snapshot_t *snapshot);
static void ngx_http_aiobs_text_buckets(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, ngx_str_t *labels,
    ngx_http_aiobs_snapshot_t *snapshot);
static void ngx_http_aiobs_text_created(ngx_http_aiobs_scrape_t *scrape,
    ngx_str_t *labels, ngx_http_aiobs_snapshot_t *snapshot);
static u_char *ngx_http_aiobs_text_exemplar(u_char *p,
    const ngx_http_aiobs_family_t *f, ngx_uint_t bucket,
    ngx_http_aiobs_snapshot_t *snapshot);
static u_char *ngx_http_aiobs_text_name(u_char *p, ngx_str_t *name,
    const char *suffix, ngx_str_t *labels);
static u_char *ngx_http_aiobs_text_labels(u_char *p,
    const ngx_http_aiobs_family_t *f, u_char *value);
static void ngx_http_aiobs_text_flush(ngx_http_aiobs_scrape_t *scrape);
static void ngx_http_aiobs_text_end(ngx_http_aiobs_scrape_t *scrape);


const ngx_http_aiobs_exposer_t  ngx_http_aiobs_text = {
    ngx_string("text/plain; version=0.0.4; charset=utf-8"), 0, 0,
    ngx_http_aiobs_text_begin,
    ngx_http_aiobs_text_show,
    ngx_http_aiobs_text_flush,
    ngx_http_aiobs_text_flush
};


const ngx_http_aiobs_exposer_t  ngx_http_aiobs_openmetrics = {
    ngx_string("application/openmetrics-text; version=1.0.0; charset=utf-8"),
    1, 0,
    ngx_http_aiobs_text_begin,
    ngx_http_aiobs_text_show,
    ngx_http_aiobs_text_flush,
    ngx_http_aiobs_text_end
};


static void
ngx_http_aiobs_text_begin(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    u_char      *p;
    size_t       help;
    ngx_uint_t   openmetrics;
    const char  *suffix, *type;

    static const char  *types[] = { "counter", "gauge", "histogram", "info" };

    openmetrics = (scrape->exposer == &ngx_http_aiobs_openmetrics);

    /* OpenMetrics names the family, the text format the sample */

    suffix = openmetrics ? "" : ngx_http_aiobs_suffix(f);
    type = (f->type == NGX_HTTP_AIOBS_INFO && !openmetrics) ? "gauge"
                                                            : types[f->type];
    help = ngx_strlen(f->help);

    p = ngx_http_aiobs_expose_room(scrape,
                                   2 * help + 3 * scrape->name.len + 128);
    if (p == NULL) {
        return;
    }

    p = ngx_sprintf(p, "# HELP %V%s ", &scrape->name, suffix);
    p = aiobs_text_escape(p, (u_char *) f->help, help, openmetrics);
    p = ngx_sprintf(p, "\n# TYPE %V%s %s\n", &scrape->name, suffix, type);

    if (openmetrics && f->unit[0]) {
        p = ngx_sprintf(p, "# UNIT %V %s\n", &scrape->name, f->unit);
    }

    ngx_http_aiobs_expose_done(scrape, p);

    if (f->type == NGX_HTTP_AIOBS_HISTOGRAM) {
        ngx_http_aiobs_text_bounds(scrape, f);
    }
}


static void
ngx_http_aiobs_text_bounds(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    u_char                          *p;
    ngx_uint_t                       i;
    ngx_http_aiobs_le_t             *le;
    const ngx_http_aiobs_buckets_t  *b;

    b = ngx_http_aiobs_buckets(f);

    for (i = 0; i <= b->n; i++) {
        le = &scrape->le[i];
        p = ngx_cpymem(le->text, "le=\"", sizeof("le=\"") - 1);

        if (i < b->n) {
            p = aiobs_text_bound(p, b->bounds[i], f->scale);

        } else {
            p = ngx_cpymem(p, "+Inf", sizeof("+Inf") - 1);
        }

        p = ngx_cpymem(p, "\"} ", sizeof("\"} ") - 1);
        le->len = p - le->text;
    }
}


static void
ngx_http_aiobs_text_show(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, u_char *labels,
    ngx_http_aiobs_snapshot_t *snapshot)
{
    ngx_str_t  s;

    u_char     text[NGX_HTTP_AIOBS_LABELS_TEXT];

    s.data = text;
    s.len = ngx_http_aiobs_text_labels(text, f, labels) - text;

    if (f->type == NGX_HTTP_AIOBS_HISTOGRAM) {
        ngx_http_aiobs_text_histogram(scrape, f, &s, snapshot);

    } else {
        ngx_http_aiobs_text_value(scrape, f, &s, snapshot);
    }

    if (scrape->created && snapshot->created
        && scrape->exposer == &ngx_http_aiobs_openmetrics)
    {
        ngx_http_aiobs_text_created(scrape, &s, snapshot);
    }
}


static void
ngx_http_aiobs_text_value(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, ngx_str_t *labels,
    ngx_http_aiobs_snapshot_t *snapshot)
{
    u_char  *p;

    p = ngx_http_aiobs_expose_room(scrape, NGX_HTTP_AIOBS_LINE);

    if (p) {
        p = ngx_http_aiobs_text_name(p, &scrape->name,
                                     ngx_http_aiobs_suffix(f), labels);
        *p++ = ' ';
        p = aiobs_text_number(p, snapshot->value, f->scale);
        p = ngx_http_aiobs_text_exemplar(p, f, 0, snapshot);
        *p++ = '\n';

        ngx_http_aiobs_expose_done(scrape, p);
    }
}


static void
ngx_http_aiobs_text_histogram(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, ngx_str_t *labels,
    ngx_http_aiobs_snapshot_t *snapshot)
{
    u_char  *p;

    ngx_http_aiobs_text_buckets(scrape, f, labels, snapshot);

    p = ngx_http_aiobs_expose_room(scrape, 2 * NGX_HTTP_AIOBS_LINE);

    if (p) {
        p = ngx_http_aiobs_text_name(p, &scrape->name, "_sum", labels);
        *p++ = ' ';
        p = aiobs_text_number(p, snapshot->value, f->scale);
        *p++ = '\n';

        p = ngx_http_aiobs_text_name(p, &scrape->name, "_count", labels);
        *p++ = ' ';
        p = aiobs_text_integer(p, snapshot->count);
        *p++ = '\n';

        ngx_http_aiobs_expose_done(scrape, p);
    }
}


/* the lines differ in what follows the labels */

static void
ngx_http_aiobs_text_buckets(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, ngx_str_t *labels,
    ngx_http_aiobs_snapshot_t *snapshot)
{
    size_t       len;
    u_char      *p;
    uint64_t     count;
    ngx_uint_t   i, n;

    u_char       name[NGX_HTTP_AIOBS_LINE];

    p = ngx_cpymem(name, scrape->name.data, scrape->name.len);
    p = ngx_cpymem(p, "_bucket{", sizeof("_bucket{") - 1);

    if (labels->len) {
        p = ngx_cpymem(p, labels->data, labels->len);
        *p++ = ',';
    }

    len = p - name;
    n = ngx_http_aiobs_buckets(f)->n;
    count = 0;

    for (i = 0; i <= n; i++) {

        p = ngx_http_aiobs_expose_room(scrape, NGX_HTTP_AIOBS_LINE);
        if (p == NULL) {
            return;
        }

        count += snapshot->buckets[i];

        p = ngx_cpymem(p, name, len);
        p = ngx_cpymem(p, scrape->le[i].text, scrape->le[i].len);
        p = aiobs_text_integer(p, count);
        p = ngx_http_aiobs_text_exemplar(p, f, i, snapshot);
        *p++ = '\n';

        ngx_http_aiobs_expose_done(scrape, p);
    }
}


static void
ngx_http_aiobs_text_created(ngx_http_aiobs_scrape_t *scrape,
    ngx_str_t *labels, ngx_http_aiobs_snapshot_t *snapshot)
{
    u_char  *p;

    p = ngx_http_aiobs_expose_room(scrape, NGX_HTTP_AIOBS_LINE);

    if (p) {
        p = ngx_http_aiobs_text_name(p, &scrape->name, "_created", labels);
        *p++ = ' ';
        p = aiobs_text_integer(p, snapshot->created);
        *p++ = '\n';

        ngx_http_aiobs_expose_done(scrape, p);
    }
}


static u_char *
ngx_http_aiobs_text_exemplar(u_char *p, const ngx_http_aiobs_family_t *f,
    ngx_uint_t bucket, ngx_http_aiobs_snapshot_t *snapshot)
{
    ngx_uint_t                  i;
    ngx_http_aiobs_exemplar_t  *e;

    for (i = 0; i < snapshot->exemplars_n; i++) {
        e = &snapshot->exemplars[i];

        if (e->bucket != bucket) {
            continue;
        }

        p = ngx_cpymem(p, " # {trace_id=\"", sizeof(" # {trace_id=\"") - 1);
        p = ngx_cpymem(p, e->trace_id, NGX_HTTP_AIOBS_EXEMPLAR_TRACE);

        if (e->id_len) {
            p = ngx_cpymem(p, "\",request_id=\"",
                           sizeof("\",request_id=\"") - 1);
            p = ngx_cpymem(p, e->id, e->id_len);
        }

        p = ngx_cpymem(p, "\"} ", sizeof("\"} ") - 1);
        p = aiobs_text_number(p, e->value, f->scale);
        *p++ = ' ';
        p = aiobs_text_number(p, e->msec, 1000);
        break;
    }

    return p;
}


static u_char *
ngx_http_aiobs_text_name(u_char *p, ngx_str_t *name, const char *suffix,
    ngx_str_t *labels)
{
    p = ngx_cpymem(p, name->data, name->len);
    p = ngx_cpymem(p, suffix, ngx_strlen(suffix));

    if (labels->len) {
        *p++ = '{';
        p = ngx_cpymem(p, labels->data, labels->len);
        *p++ = '}';
    }

    return p;
}


static u_char *
ngx_http_aiobs_text_labels(u_char *p, const ngx_http_aiobs_family_t *f,
    u_char *value)
{
    const char *const  *name;

    for (name = f->labels; *name; name++) {

        if (name != f->labels) {
            *p++ = ',';
        }

        p = ngx_cpymem(p, *name, ngx_strlen(*name));
        *p++ = '=';
        *p++ = '"';
        p = aiobs_text_escape(p, value + 1, *value, 1);
        *p++ = '"';

        value += 1 + *value;
    }

    return p;
}


static void
ngx_http_aiobs_text_flush(ngx_http_aiobs_scrape_t *scrape)
{
    /* every line is whole */
}


static void
ngx_http_aiobs_text_end(ngx_http_aiobs_scrape_t *scrape)
{
    u_char  *p;

    p = ngx_http_aiobs_expose_room(scrape, sizeof("# EOF\n") - 1);

    if (p) {
        p = ngx_cpymem(p, "# EOF\n", sizeof("# EOF\n") - 1);
        ngx_http_aiobs_expose_done(scrape, p);
    }
}
