
/*
 * Copyright (C) the aiobs authors
 *
 * Exposition: Prometheus text format 0.0.4 and OpenMetrics 1.0, rendered
 * family by family without a lock, a bounded piece at a time.
 */


#include "ngx_http_aiobs_families.h"


#define NGX_HTTP_AIOBS_PIECE   65536    /* bytes, and the rest of a series */
#define NGX_HTTP_AIOBS_PAGE    16384

/* bytes that the labels of a series, a line, take at most */

#define NGX_HTTP_AIOBS_LABELS_TEXT                                            \
    (NGX_HTTP_AIOBS_LABELS_MAX * (2 * AIOBS_LABEL_MAX + 32))
#define NGX_HTTP_AIOBS_LINE    (NGX_HTTP_AIOBS_LABELS_TEXT + 256)


static ngx_uint_t ngx_http_aiobs_expose_next(ngx_http_aiobs_scrape_t *scrape);
static void ngx_http_aiobs_expose_begin(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
static void ngx_http_aiobs_expose_header(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
static void ngx_http_aiobs_expose_series(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f);
static void ngx_http_aiobs_expose_histogram(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, u_char *labels, size_t len);
static void ngx_http_aiobs_expose_value(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, u_char *labels, size_t len,
    uint64_t value);
static u_char *ngx_http_aiobs_expose_name(u_char *p,
    const ngx_http_aiobs_family_t *f, const char *suffix, u_char *labels,
    size_t len);
static u_char *ngx_http_aiobs_expose_labels(u_char *p,
    const ngx_http_aiobs_family_t *f, u_char *value);
static u_char *ngx_http_aiobs_expose_room(ngx_http_aiobs_scrape_t *scrape,
    size_t size);
static void ngx_http_aiobs_expose_done(ngx_http_aiobs_scrape_t *scrape,
    u_char *p);


ngx_int_t
ngx_http_aiobs_expose(ngx_http_aiobs_scrape_t *scrape)
{
    u_char  *p;

    scrape->out = NULL;
    scrape->tail = NULL;
    scrape->size = 0;

    while (scrape->size < NGX_HTTP_AIOBS_PIECE && !scrape->failed) {

        if (scrape->series) {
            ngx_http_aiobs_expose_series(scrape,
                                &ngx_http_aiobs_families[scrape->next - 1]);
            scrape->series = scrape->series->next;
            continue;
        }

        if (ngx_http_aiobs_expose_next(scrape)) {
            continue;
        }

        if (scrape->format == NGX_HTTP_AIOBS_OPENMETRICS) {
            p = ngx_http_aiobs_expose_room(scrape, sizeof("# EOF\n") - 1);

            if (p) {
                p = ngx_cpymem(p, "# EOF\n", sizeof("# EOF\n") - 1);
                ngx_http_aiobs_expose_done(scrape, p);
            }
        }

        return scrape->failed ? NGX_ERROR : NGX_OK;
    }

    return scrape->failed ? NGX_ERROR : NGX_AGAIN;
}


/* moves the cursor to the next family that has something to show */

static ngx_uint_t
ngx_http_aiobs_expose_next(ngx_http_aiobs_scrape_t *scrape)
{
    ngx_http_aiobs_series_t        *s;
    const ngx_http_aiobs_family_t  *f;

    while (scrape->next < NGX_HTTP_AIOBS_FAMILY_LAST) {

        f = &ngx_http_aiobs_families[scrape->next];
        s = scrape->metrics->families[scrape->next].first;
        scrape->next++;

        if (f->collect) {
            ngx_http_aiobs_expose_header(scrape, f);
            f->collect(scrape, f);
            return 1;
        }

        if (s) {
            ngx_http_aiobs_expose_begin(scrape, f);
            scrape->series = s;
            return 1;
        }

        /* what has no labels is 0 before it is counted for the first time */

        if (f->labels[0] == NULL && f->type == NGX_HTTP_AIOBS_COUNTER) {
            ngx_http_aiobs_expose_header(scrape, f);
            ngx_http_aiobs_expose_value(scrape, f, NULL, 0, 0);
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_aiobs_expose_begin(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    u_char               *p;
    ngx_uint_t            i;
    ngx_http_aiobs_le_t  *le;

    ngx_http_aiobs_expose_header(scrape, f);

    if (f->type == NGX_HTTP_AIOBS_GAUGE) {
        ngx_http_aiobs_gauges_live(scrape->metrics, &scrape->live);
    }

    if (f->type == NGX_HTTP_AIOBS_HISTOGRAM) {

        for (i = 0; i < f->buckets->n; i++) {
            le = &scrape->le[i];
            p = aiobs_text_bound(le->text, f->buckets->bounds[i], f->scale);
            le->len = p - le->text;
        }

        le = &scrape->le[i];
        p = ngx_cpymem(le->text, "+Inf", sizeof("+Inf") - 1);
        le->len = p - le->text;
    }
}


static void
ngx_http_aiobs_expose_header(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    u_char      *p;
    size_t       help, name;
    ngx_uint_t   openmetrics;
    const char  *suffix, *type;

    static const char  *types[] = { "counter", "gauge", "histogram", "info" };

    openmetrics = scrape->format == NGX_HTTP_AIOBS_OPENMETRICS;

    /* OpenMetrics names the family, the text format the sample */

    suffix = openmetrics ? "" : ngx_http_aiobs_suffix(f);
    type = (f->type == NGX_HTTP_AIOBS_INFO && !openmetrics) ? "gauge"
                                                            : types[f->type];
    help = ngx_strlen(f->help);
    name = ngx_strlen(f->name);

    p = ngx_http_aiobs_expose_room(scrape, 2 * help + 3 * name + 128);
    if (p == NULL) {
        return;
    }

    p = ngx_sprintf(p, "# HELP %s%s ", f->name, suffix);
    p = aiobs_text_escape(p, (u_char *) f->help, help, openmetrics);
    p = ngx_sprintf(p, "\n# TYPE %s%s %s\n", f->name, suffix, type);

    if (openmetrics && f->unit[0]) {
        p = ngx_sprintf(p, "# UNIT %s %s\n", f->name, f->unit);
    }

    ngx_http_aiobs_expose_done(scrape, p);
}


static void
ngx_http_aiobs_expose_series(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f)
{
    size_t                    len;
    int64_t                   n;
    ngx_http_aiobs_series_t  *s;

    u_char                    labels[NGX_HTTP_AIOBS_LABELS_TEXT];

    s = scrape->series;
    len = ngx_http_aiobs_expose_labels(labels, f,
                                       ngx_http_aiobs_series_labels(s))
          - labels;

    switch (f->type) {

    case NGX_HTTP_AIOBS_HISTOGRAM:
        ngx_http_aiobs_expose_histogram(scrape, f, labels, len);
        break;

    case NGX_HTTP_AIOBS_GAUGE:
        n = ngx_http_aiobs_gauge_value(scrape->metrics, &scrape->live, s);

        /* processes are read one after another */

        ngx_http_aiobs_expose_value(scrape, f, labels, len,
                                    n > 0 ? (uint64_t) n : 0);
        break;

    default:
        ngx_http_aiobs_expose_value(scrape, f, labels, len, s->values[0]);
    }
}


/*
 * Buckets are stored each for itself and summed up here, the count with them:
 * whatever is added meanwhile, count and last bucket are the same.
 */

static void
ngx_http_aiobs_expose_histogram(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, u_char *labels, size_t len)
{
    u_char        *p;
    uint64_t       count, sum;
    ngx_uint_t     i;
    ngx_atomic_t  *values;

    values = scrape->series->values;
    sum = values[f->buckets->n + 1];
    count = 0;

    for (i = 0; i <= f->buckets->n; i++) {

        p = ngx_http_aiobs_expose_room(scrape, NGX_HTTP_AIOBS_LINE);
        if (p == NULL) {
            return;
        }

        count += values[i];

        p = ngx_http_aiobs_expose_name(p, f, "_bucket", NULL, 0);
        *p++ = '{';

        if (len) {
            p = ngx_cpymem(p, labels, len);
            *p++ = ',';
        }

        p = ngx_cpymem(p, "le=\"", sizeof("le=\"") - 1);
        p = ngx_cpymem(p, scrape->le[i].text, scrape->le[i].len);
        p = ngx_cpymem(p, "\"} ", sizeof("\"} ") - 1);
        p = aiobs_text_integer(p, count);
        *p++ = '\n';

        ngx_http_aiobs_expose_done(scrape, p);
    }

    p = ngx_http_aiobs_expose_room(scrape, 2 * NGX_HTTP_AIOBS_LINE);
    if (p == NULL) {
        return;
    }

    p = ngx_http_aiobs_expose_name(p, f, "_sum", labels, len);
    *p++ = ' ';
    p = aiobs_text_number(p, sum, f->scale);
    *p++ = '\n';

    p = ngx_http_aiobs_expose_name(p, f, "_count", labels, len);
    *p++ = ' ';
    p = aiobs_text_integer(p, count);
    *p++ = '\n';

    ngx_http_aiobs_expose_done(scrape, p);
}


void
ngx_http_aiobs_expose_sample(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, const ngx_str_t *labels, uint64_t value)
{
    size_t                   len;
    ngx_http_aiobs_labels_t  key;

    u_char                   text[NGX_HTTP_AIOBS_LABELS_TEXT];

    ngx_http_aiobs_labels(&key, f - ngx_http_aiobs_families, labels);

    len = ngx_http_aiobs_expose_labels(text, f, key.data) - text;

    ngx_http_aiobs_expose_value(scrape, f, text, len, value);
}


static void
ngx_http_aiobs_expose_value(ngx_http_aiobs_scrape_t *scrape,
    const ngx_http_aiobs_family_t *f, u_char *labels, size_t len,
    uint64_t value)
{
    u_char  *p;

    p = ngx_http_aiobs_expose_room(scrape, NGX_HTTP_AIOBS_LINE);

    if (p) {
        p = ngx_http_aiobs_expose_name(p, f, ngx_http_aiobs_suffix(f), labels,
                                       len);
        *p++ = ' ';
        p = aiobs_text_number(p, value, f->scale);
        *p++ = '\n';

        ngx_http_aiobs_expose_done(scrape, p);
    }
}


static u_char *
ngx_http_aiobs_expose_name(u_char *p, const ngx_http_aiobs_family_t *f,
    const char *suffix, u_char *labels, size_t len)
{
    p = ngx_cpymem(p, f->name, ngx_strlen(f->name));
    p = ngx_cpymem(p, suffix, ngx_strlen(suffix));

    if (len) {
        *p++ = '{';
        p = ngx_cpymem(p, labels, len);
        *p++ = '}';
    }

    return p;
}


static u_char *
ngx_http_aiobs_expose_labels(u_char *p, const ngx_http_aiobs_family_t *f,
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


const char *
ngx_http_aiobs_suffix(const ngx_http_aiobs_family_t *f)
{
    switch (f->type) {
    case NGX_HTTP_AIOBS_COUNTER:
        return "_total";
    case NGX_HTTP_AIOBS_INFO:
        return "_info";
    default:
        return "";
    }
}


static u_char *
ngx_http_aiobs_expose_room(ngx_http_aiobs_scrape_t *scrape, size_t size)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (scrape->tail
        && (size_t) (scrape->tail->buf->end - scrape->tail->buf->last) >= size)
    {
        return scrape->tail->buf->last;
    }

    cl = ngx_chain_get_free_buf(scrape->request->pool, &scrape->free);
    if (cl == NULL) {
        scrape->failed = 1;
        return NULL;
    }

    b = cl->buf;

    if (b->start == NULL) {
        b->start = ngx_palloc(scrape->request->pool, NGX_HTTP_AIOBS_PAGE);
        if (b->start == NULL) {
            scrape->failed = 1;
            return NULL;
        }

        b->pos = b->start;
        b->last = b->start;
        b->end = b->start + NGX_HTTP_AIOBS_PAGE;
        b->temporary = 1;
        b->tag = (ngx_buf_tag_t) &ngx_http_aiobs_families;
    }

    if (scrape->tail) {
        scrape->tail->next = cl;

    } else {
        scrape->out = cl;
    }

    scrape->tail = cl;

    return b->last;
}


static void
ngx_http_aiobs_expose_done(ngx_http_aiobs_scrape_t *scrape, u_char *p)
{
    scrape->size += p - scrape->tail->buf->last;
    scrape->tail->buf->last = p;
}
