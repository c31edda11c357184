
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs_otlp { ... }: where spans go, and whose they are.
 */


#include "ngx_http_aiobs_otlp.h"


static char *ngx_http_aiobs_otlp_endpoint(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_aiobs_otlp_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_aiobs_otlp_attribute(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_aiobs_otlp_check(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);


static ngx_conf_enum_t  ngx_http_aiobs_otlp_compression[] = {
    { ngx_string("none"), NGX_HTTP_AIOBS_OTLP_NONE },
    { ngx_string("gzip"), NGX_HTTP_AIOBS_OTLP_GZIP },
    { ngx_string("auto"), NGX_HTTP_AIOBS_OTLP_AUTO },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_aiobs_otlp_commands[] = {

    { ngx_string("endpoint"),
      NGX_CONF_TAKE1,
      ngx_http_aiobs_otlp_endpoint,
      0,
      offsetof(ngx_http_aiobs_otlp_t, endpoint),
      NULL },

    { ngx_string("service_name"),
      NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      0,
      offsetof(ngx_http_aiobs_otlp_t, service),
      NULL },

    { ngx_string("header"),
      NGX_CONF_TAKE2,
      ngx_http_aiobs_otlp_header,
      0,
      0,
      NULL },

    { ngx_string("resource"),
      NGX_CONF_TAKE1,
      ngx_http_aiobs_otlp_attribute,
      0,
      0,
      NULL },

    { ngx_string("interval"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_aiobs_otlp_t, limits)
      + offsetof(ngx_http_aiobs_export_limits_t, interval),
      NULL },

    { ngx_string("batch_size"),
      NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_http_aiobs_otlp_t, limits)
      + offsetof(ngx_http_aiobs_export_limits_t, batch),
      NULL },

    { ngx_string("queue"),
      NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      0,
      offsetof(ngx_http_aiobs_otlp_t, limits)
      + offsetof(ngx_http_aiobs_export_limits_t, queue),
      NULL },

    { ngx_string("queue_bytes"),
      NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      0,
      offsetof(ngx_http_aiobs_otlp_t, limits)
      + offsetof(ngx_http_aiobs_export_limits_t, bytes),
      NULL },

    { ngx_string("timeout"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_aiobs_otlp_t, timeout),
      NULL },

    { ngx_string("retry_time"),
      NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      0,
      offsetof(ngx_http_aiobs_otlp_t, limits)
      + offsetof(ngx_http_aiobs_export_limits_t, retry),
      NULL },

    { ngx_string("compression"),
      NGX_CONF_TAKE1,
      ngx_http_aiobs_set_enum_slot,
      0,
      offsetof(ngx_http_aiobs_otlp_t, compression),
      &ngx_http_aiobs_otlp_compression },

    { ngx_string("trusted_certificate"),
      NGX_CONF_TAKE1,
      ngx_http_aiobs_export_set_file,
      0,
      offsetof(ngx_http_aiobs_otlp_t, ca),
      NULL },

    { ngx_string("certificate"),
      NGX_CONF_TAKE1,
      ngx_http_aiobs_export_set_file,
      0,
      offsetof(ngx_http_aiobs_otlp_t, certificate),
      NULL },

    { ngx_string("certificate_key"),
      NGX_CONF_TAKE1,
      ngx_http_aiobs_export_set_file,
      0,
      offsetof(ngx_http_aiobs_otlp_t, certificate_key),
      NULL },

      ngx_null_command
};


/* aiobs_otlp { ... } */

char *
ngx_http_aiobs_otlp_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aiobs_otlp_t       *otlp;
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = conf;

    if (amcf->otlp) {
        return "is duplicate";
    }

    otlp = ngx_pcalloc(cf->pool, sizeof(ngx_http_aiobs_otlp_t));

    if (otlp == NULL
        || ngx_array_init(&otlp->attributes, cf->pool, 4,
                          sizeof(ngx_keyval_t))
           != NGX_OK
        || ngx_array_init(&otlp->headers, cf->pool, 8, sizeof(char *))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    otlp->timeout = NGX_CONF_UNSET_MSEC;
    otlp->compression = NGX_CONF_UNSET_UINT;
    otlp->limits.interval = NGX_CONF_UNSET_MSEC;
    otlp->limits.retry = NGX_CONF_UNSET_MSEC;
    otlp->limits.batch = NGX_CONF_UNSET;
    otlp->limits.queue = NGX_CONF_UNSET;
    otlp->limits.bytes = NGX_CONF_UNSET_SIZE;

    amcf->otlp = otlp;

    if (ngx_http_aiobs_export_block(cf, "aiobs_otlp",
                                    ngx_http_aiobs_otlp_commands, otlp)
        != NGX_CONF_OK
        || ngx_http_aiobs_otlp_environment(cf, otlp) != NGX_CONF_OK
        || ngx_http_aiobs_otel_methods(cf, otlp) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_http_aiobs_otel_unheeded(cf);

    return ngx_http_aiobs_otlp_check(cf, otlp);
}


static char *
ngx_http_aiobs_otlp_endpoint(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aiobs_otlp_t *otlp = conf;

    ngx_str_t  *value;

    if (otlp->endpoint.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    otlp->endpoint = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_aiobs_otlp_header(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value, secret;

    value = cf->args->elts;

    if (ngx_http_aiobs_otlp_header_given(conf, &value[1])) {
        return "is duplicate";
    }

    if (ngx_http_aiobs_secret(cf, &value[2], &secret) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_aiobs_otlp_add_header(cf, conf, &value[1], &secret);
}


static char *
ngx_http_aiobs_otlp_attribute(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    u_char     *p;
    ngx_str_t  *value, name, text;

    value = cf->args->elts;
    p = (u_char *) ngx_strchr(value[1].data, '=');

    if (p == NULL || p == value[1].data) {
        return "expects \"name=value\"";
    }

    name.data = value[1].data;
    name.len = p - name.data;
    text.data = p + 1;
    text.len = value[1].data + value[1].len - text.data;

    if (ngx_http_aiobs_otlp_attribute_given(conf, &name)) {
        return "is duplicate";
    }

    return ngx_http_aiobs_otlp_add_attribute(cf, conf, &name, &text);
}


static char *
ngx_http_aiobs_otlp_check(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    ngx_http_aiobs_export_limits_t  *limits;

    limits = &otlp->limits;

    ngx_conf_init_msec_value(otlp->timeout, 10000);
    ngx_conf_init_uint_value(otlp->compression, NGX_HTTP_AIOBS_OTLP_AUTO);
    ngx_conf_init_msec_value(limits->interval, 5000);
    ngx_conf_init_msec_value(limits->retry,
                             NGX_HTTP_AIOBS_EXPORT_RETRY_TIME);
    ngx_conf_init_uint_value(limits->batch, 512);
    ngx_conf_init_uint_value(limits->queue, 2048);
    ngx_conf_init_size_value(limits->bytes, 8 * 1024 * 1024);

    if (limits->batch == 0 || limits->queue == 0 || otlp->timeout == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"batch_size\", \"queue\" and \"timeout\" of "
                           "\"aiobs_otlp\" have to be larger than 0");
        return NGX_CONF_ERROR;
    }

    /* a batch that the queue cannot hold would wait for its interval */

    limits->batch = ngx_min(limits->batch, limits->queue);

    if (limits->retry) {
        otlp->timeout = ngx_min(otlp->timeout, limits->retry);
    }

    return ngx_http_aiobs_otlp_url(cf, otlp);
}


char *
ngx_http_aiobs_otlp_init(ngx_conf_t *cf, ngx_http_aiobs_main_conf_t *amcf)
{
    ngx_http_aiobs_otlp_t  *otlp;

    if (amcf->otlp && ngx_http_aiobs_otel_disabled(cf)) {
        amcf->otlp = NULL;
        amcf->otlp_disabled = 1;
    }

    otlp = amcf->otlp;

    if (otlp == NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_http_aiobs_otlp_resource(cf, amcf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    otlp->exporter = ngx_http_aiobs_exporter_add(cf, &amcf->exporters,
                                                 &ngx_http_aiobs_otlp_type,
                                                 otlp, &otlp->target,
                                                 &otlp->limits);

    return otlp->exporter ? NGX_CONF_OK : NGX_CONF_ERROR;
}
