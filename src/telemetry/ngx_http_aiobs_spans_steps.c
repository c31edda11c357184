
/*
 * Copyright (C) the aiobs authors
 *
 * The application's own steps, from its Server-Timing header: no SDK needed.
 */


#include "ngx_http_aiobs_spans.h"
#include "aiobs_server_timing.h"


#define NGX_HTTP_AIOBS_TIMING_MAX  4096     /* bytes of a header read */


static void ngx_http_aiobs_span_step(ngx_http_aiobs_spans_t *s,
    ngx_http_aiobs_try_t *t, u_char *parent, aiobs_timing_t *step,
    double *next);
static void ngx_http_aiobs_span_step_params(ngx_http_aiobs_spans_t *s,
    aiobs_timing_t *step);


void
ngx_http_aiobs_span_steps(ngx_http_aiobs_spans_t *s, ngx_http_aiobs_try_t *t,
    u_char *parent)
{
    double            next;
    ngx_uint_t        i, n;
    const char       *p, *end;
    aiobs_timing_t    step;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;
    next = 0;
    part = &s->request->upstream->headers_in.headers.part;

    for ( /* void */ ; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (!ngx_http_aiobs_header_is(&h[i], "server-timing",
                                          sizeof("server-timing") - 1))
            {
                continue;
            }

            p = (char *) h[i].value.data;
            end = p + ngx_min(h[i].value.len, NGX_HTTP_AIOBS_TIMING_MAX);

            while (n < NGX_HTTP_AIOBS_STEPS_MAX
                   && aiobs_timing_next(&p, end, &step))
            {
                ngx_http_aiobs_span_step(s, t, parent, &step, &next);
                n++;
            }
        }
    }
}


/*
 * A step that does not say when it began is taken to follow the one before.
 * None lasts longer than the try.
 */

static void
ngx_http_aiobs_span_step(ngx_http_aiobs_spans_t *s, ngx_http_aiobs_try_t *t,
    u_char *parent, aiobs_timing_t *step, double *next)
{
    double      start, end, length;
    u_char     *mark;
    uint64_t    base;
    ngx_str_t   name;

    base = ngx_http_aiobs_span_time(s, t->start);
    length = (double) (ngx_http_aiobs_span_time(s, t->end) - base) / 1000000;

    start = step->start < 0 ? *next : step->start;
    start = ngx_min(start, length);
    end = ngx_min(start + step->dur, length);

    *next = end;

    name.data = (u_char *) step->name;
    name.len = ngx_strlen(step->name);

    mark = ngx_http_aiobs_span_begin(s, NGX_HTTP_AIOBS_KIND_INTERNAL, NULL,
                                     parent, &name,
                                     base + (uint64_t) (start * 1000000),
                                     base + (uint64_t) (end * 1000000));

    ngx_http_aiobs_span_step_params(s, step);

    ngx_http_aiobs_span_end(s, mark);
}


static void
ngx_http_aiobs_span_step_params(ngx_http_aiobs_spans_t *s,
    aiobs_timing_t *step)
{
    int                    i;
    double                 number;
    int64_t                n;
    aiobs_timing_param_t  *param;

    for (i = 0; i < step->n; i++) {
        param = &step->params[i];

        if (aiobs_timing_integer(param->value, param->len, &n)) {
            aiobs_pb_attr_int(&s->pb, NGX_HTTP_AIOBS_SPAN_ATTRIBUTE,
                              param->name, n);

        } else if (aiobs_timing_number(param->value, param->len, &number)) {
            aiobs_pb_attr_double(&s->pb, NGX_HTTP_AIOBS_SPAN_ATTRIBUTE,
                                 param->name, number);

        } else {
            aiobs_pb_attr_text(&s->pb, NGX_HTTP_AIOBS_SPAN_ATTRIBUTE,
                               param->name, param->value, param->len);
        }
    }
}
