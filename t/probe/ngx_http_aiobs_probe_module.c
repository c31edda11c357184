
/*
 * Copyright (C) the aiobs authors
 *
 * For tests and benchmarks only: a location that calls the metrics room as
 * often as it is told, beside the module itself.
 *
 *     location = /probe { aiobs_probe; }
 *
 *     /probe?family=llm_tokens&n=1000&value=3     the same series n times
 *     &names=500                                  500 models, one after another
 *     &model=NAME                                 bytes of it escaped by %XX
 *
 * Families without a model have it in their first label.  Every other label
 * has its own name as its value.  Counters are added to,
 * histograms observe, gauges go up.  Answers the worker's pid and nanoseconds
 * a call.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "metrics/ngx_http_aiobs_families.h"


typedef struct {
    ngx_int_t   family;
    ngx_uint_t  n;
    ngx_uint_t  names;
    uint64_t    value;
    ngx_str_t   model;
} ngx_http_aiobs_probe_t;


static ngx_int_t ngx_http_aiobs_probe_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_probe_args(ngx_http_request_t *r,
    ngx_http_aiobs_probe_t *probe);
static ngx_uint_t ngx_http_aiobs_probe_number(ngx_http_request_t *r,
    const char *name, ngx_uint_t value);
static ngx_int_t ngx_http_aiobs_probe_family(ngx_str_t *name);
static uint64_t ngx_http_aiobs_probe_run(ngx_http_aiobs_probe_t *probe,
    ngx_pool_t *pool);
static ngx_int_t ngx_http_aiobs_probe_answer(ngx_http_request_t *r,
    uint64_t ns, ngx_uint_t n);
static char *ngx_http_aiobs_probe(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_http_aiobs_probe_commands[] = {

    { ngx_string("aiobs_probe"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_aiobs_probe,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_aiobs_probe_module_ctx = {
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
};


ngx_module_t  ngx_http_aiobs_probe_module = {
    NGX_MODULE_V1,
    &ngx_http_aiobs_probe_module_ctx,
    ngx_http_aiobs_probe_commands,
    NGX_HTTP_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_aiobs_probe_handler(ngx_http_request_t *r)
{
    uint64_t                ns;
    ngx_int_t               rc;
    ngx_http_aiobs_probe_t  probe;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_aiobs_probe_args(r, &probe) != NGX_OK) {
        return NGX_HTTP_BAD_REQUEST;
    }

    ns = ngx_http_aiobs_probe_run(&probe, r->pool);

    return ngx_http_aiobs_probe_answer(r, ns, probe.n);
}


static ngx_int_t
ngx_http_aiobs_probe_args(ngx_http_request_t *r, ngx_http_aiobs_probe_t *probe)
{
    u_char     *dst, *src;
    ngx_str_t   name;

    if (ngx_http_arg(r, (u_char *) "family", 6, &name) != NGX_OK) {
        return NGX_ERROR;
    }

    probe->family = ngx_http_aiobs_probe_family(&name);
    probe->n = ngx_http_aiobs_probe_number(r, "n", 1);
    probe->names = ngx_http_aiobs_probe_number(r, "names", 0);
    probe->value = ngx_http_aiobs_probe_number(r, "value", 1);

    if (ngx_http_arg(r, (u_char *) "model", 5, &probe->model) != NGX_OK) {
        ngx_str_set(&probe->model, "model");
        return probe->family >= 0 ? NGX_OK : NGX_ERROR;
    }

    src = probe->model.data;
    dst = ngx_pnalloc(r->pool, probe->model.len + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    probe->model.data = dst;
    ngx_unescape_uri(&dst, &src, probe->model.len, 0);
    probe->model.len = dst - probe->model.data;

    return probe->family >= 0 ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_http_aiobs_probe_number(ngx_http_request_t *r, const char *name,
    ngx_uint_t value)
{
    ngx_int_t  n;
    ngx_str_t  text;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &text) != NGX_OK) {
        return value;
    }

    n = ngx_atoi(text.data, text.len);

    return n == NGX_ERROR ? value : (ngx_uint_t) n;
}


static ngx_int_t
ngx_http_aiobs_probe_family(ngx_str_t *name)
{
    ngx_uint_t   i;
    const char  *family;

    for (i = 0; i < NGX_HTTP_AIOBS_FAMILY_LAST; i++) {
        family = ngx_http_aiobs_families[i].name;

        if (ngx_strlen(family) == name->len
            && ngx_strncmp(family, name->data, name->len) == 0
            && ngx_http_aiobs_families[i].collect == NULL)
        {
            return i;
        }
    }

    return NGX_ERROR;
}


static uint64_t
ngx_http_aiobs_probe_run(ngx_http_aiobs_probe_t *probe, ngx_pool_t *pool)
{
    u_char                         *name;
    ngx_str_t                       labels[NGX_HTTP_AIOBS_LABELS_MAX];
    ngx_str_t                      *model;
    ngx_uint_t                      i;
    struct timespec                 start, end;
    const ngx_http_aiobs_family_t  *f;

    f = &ngx_http_aiobs_families[probe->family];
    model = NULL;

    for (i = 0; f->labels[i]; i++) {
        labels[i].data = (u_char *) f->labels[i];
        labels[i].len = ngx_strlen(f->labels[i]);

        if (model == NULL || ngx_strcmp(f->labels[i], "model") == 0) {
            model = &labels[i];
        }
    }

    if (model) {
        *model = probe->model;
    }

    name = ngx_pnalloc(pool, probe->model.len + NGX_INT_T_LEN);
    if (name == NULL) {
        return 0;
    }

    ngx_memcpy(name, probe->model.data, probe->model.len);

    clock_gettime(CLOCK_MONOTONIC, &start);

    for (i = 0; i < probe->n; i++) {

        if (probe->names && model) {
            model->data = name;
            model->len = ngx_sprintf(name + probe->model.len, "%ui",
                                     i % probe->names)
                         - name;
        }

        if (f->type == NGX_HTTP_AIOBS_HISTOGRAM) {
            ngx_http_aiobs_metrics_observe(probe->family, labels,
                                           probe->value);

        } else if (f->type == NGX_HTTP_AIOBS_GAUGE) {
            (void) ngx_http_aiobs_metrics_up(probe->family, labels);

        } else {
            ngx_http_aiobs_metrics_add(probe->family, labels, probe->value);
        }
    }

    clock_gettime(CLOCK_MONOTONIC, &end);

    return (end.tv_sec - start.tv_sec) * 1000000000ULL + end.tv_nsec
           - start.tv_nsec;
}


static ngx_int_t
ngx_http_aiobs_probe_answer(ngx_http_request_t *r, uint64_t ns, ngx_uint_t n)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    b = ngx_create_temp_buf(r->pool, 128);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_sprintf(b->last, "{\"pid\":%P,\"ns\":%uL.%01uL}\n", ngx_pid,
                          ns / ngx_max(n, 1), ns * 10 / ngx_max(n, 1) % 10);
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;

    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static char *
ngx_http_aiobs_probe(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_aiobs_probe_handler;

    return NGX_CONF_OK;
}
