
/*
 * Copyright (C) the aiobs authors
 *
 * The directives of the metrics room.
 */


#include "ngx_http_aiobs_families.h"


/* what 15 digits can tell is told by a double too, digit by digit */

#define NGX_HTTP_AIOBS_BOUND_MAX  999999999999999


static ngx_int_t ngx_http_aiobs_buckets_family(ngx_str_t *name);
static ngx_int_t ngx_http_aiobs_buckets_bound(ngx_str_t *text,
    uint64_t scale);


ngx_conf_enum_t  ngx_http_aiobs_metric_names[] = {
    { ngx_string("prometheus"), NGX_HTTP_AIOBS_PROMETHEUS },
    { ngx_string("otel"), NGX_HTTP_AIOBS_OTEL },
    { ngx_string("both"), NGX_HTTP_AIOBS_PROMETHEUS|NGX_HTTP_AIOBS_OTEL },
    { ngx_null_string, 0 }
};


void
ngx_http_aiobs_metrics_create_conf(ngx_http_aiobs_metrics_conf_t *conf)
{
    conf->native = NGX_CONF_UNSET;
    conf->names = NGX_CONF_UNSET_UINT;
    conf->zero = NGX_CONF_UNSET;
}


void
ngx_http_aiobs_metrics_init_conf(ngx_http_aiobs_metrics_conf_t *conf)
{
    ngx_uint_t  i;

    ngx_conf_init_value(conf->native, 0);
    ngx_conf_init_uint_value(conf->names, NGX_HTTP_AIOBS_PROMETHEUS);
    ngx_conf_init_value(conf->zero, 0);

    for (i = 0; i < NGX_HTTP_AIOBS_FAMILY_LAST; i++) {
        if (conf->buckets[i] == NULL) {
            conf->buckets[i] = ngx_http_aiobs_families[i].buckets;
        }
    }
}


/* aiobs_buckets family bound ... */

char *
ngx_http_aiobs_set_buckets(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_int_t                       family, bound;
    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_http_aiobs_buckets_t       *b;
    ngx_http_aiobs_metrics_conf_t  *mcf;

    mcf = (ngx_http_aiobs_metrics_conf_t *) ((char *) conf + cmd->offset);
    value = cf->args->elts;

    family = ngx_http_aiobs_buckets_family(&value[1]);

    if (family == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" in \"aiobs_buckets\" is not the name of a "
                           "histogram", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (mcf->buckets[family]) {
        return "is duplicate for this histogram";
    }

    if (cf->args->nelts - 2 > NGX_HTTP_AIOBS_BUCKETS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"aiobs_buckets\" takes at most %d bounds",
                           NGX_HTTP_AIOBS_BUCKETS_MAX);
        return NGX_CONF_ERROR;
    }

    b = ngx_pcalloc(cf->pool, sizeof(ngx_http_aiobs_buckets_t));
    if (b == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        bound = ngx_http_aiobs_buckets_bound(&value[i],
                                       ngx_http_aiobs_families[family].scale);

        if (bound <= 0 || bound > NGX_HTTP_AIOBS_BOUND_MAX
            || (b->n && (uint64_t) bound <= b->bounds[b->n - 1]))
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid bound \"%V\" of \"aiobs_buckets\": "
                               "positive numbers that ascend are expected, "
                               "with as many decimals as the metric has, of "
                               "15 digits at most", &value[i]);
            return NGX_CONF_ERROR;
        }

        b->bounds[b->n++] = bound;
    }

    mcf->buckets[family] = b;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_aiobs_buckets_family(ngx_str_t *name)
{
    ngx_uint_t                      i;
    const ngx_http_aiobs_family_t  *f;

    for (i = 0; i < NGX_HTTP_AIOBS_FAMILY_LAST; i++) {
        f = &ngx_http_aiobs_families[i];

        if (f->type == NGX_HTTP_AIOBS_HISTOGRAM
            && ngx_strlen(f->name) == name->len
            && ngx_strncmp(f->name, name->data, name->len) == 0)
        {
            return i;
        }
    }

    return NGX_ERROR;
}


/* as it is stored */

static ngx_int_t
ngx_http_aiobs_buckets_bound(ngx_str_t *text, uint64_t scale)
{
    size_t  point;

    for (point = 0; scale > 1; scale /= 10) {
        point++;
    }

    if (text->len == 0 || text->data[0] == '.') {
        return NGX_ERROR;
    }

    return point ? ngx_atofp(text->data, text->len, point)
                 : ngx_atoi(text->data, text->len);
}
