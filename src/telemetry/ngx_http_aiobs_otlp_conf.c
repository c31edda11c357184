
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs_otlp { ... }: where spans go, and whose they are.
 */


#include "ngx_http_aiobs_otlp.h"


#define NGX_HTTP_AIOBS_OTLP_SERVICE                                           \
    "opentelemetry.proto.collector.trace.v1.TraceService"


static char *ngx_http_aiobs_otlp_endpoint(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_aiobs_otlp_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_aiobs_otlp_attribute(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_http_aiobs_otlp_check(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);
static char *ngx_http_aiobs_otlp_url(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);
static u_char *ngx_http_aiobs_otlp_scheme(ngx_http_aiobs_otlp_t *otlp,
    ngx_uint_t *tls);
static char *ngx_http_aiobs_otlp_target(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp, u_char *host, u_char *end);
static char *ngx_http_aiobs_otlp_own_headers(ngx_conf_t *cf,
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

    { ngx_string("compression"),
      NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
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
    otlp->limits.batch = NGX_CONF_UNSET;
    otlp->limits.queue = NGX_CONF_UNSET;
    otlp->limits.bytes = NGX_CONF_UNSET_SIZE;

    amcf->otlp = otlp;

    if (ngx_http_aiobs_export_block(cf, "aiobs_otlp",
                                    ngx_http_aiobs_otlp_commands, otlp)
        != NGX_CONF_OK
        || ngx_http_aiobs_otlp_environment(cf, otlp) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

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
    ngx_conf_init_uint_value(limits->batch, 512);
    ngx_conf_init_uint_value(limits->queue, 2048);
    ngx_conf_init_size_value(limits->bytes, 8 * 1024 * 1024);

    if (limits->batch == 0 || limits->queue == 0 || otlp->timeout == 0) {
        return "has a \"batch_size\", \"queue\" or \"timeout\" of 0";
    }

    return ngx_http_aiobs_otlp_url(cf, otlp);
}


/* grpc[s]: the service's path; http[s]: /v1/traces below a base */

static char *
ngx_http_aiobs_otlp_url(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    u_char      *p, *path, *last;
    ngx_str_t    s;
    ngx_uint_t   tls;
    const char  *add;

    s = otlp->endpoint;
    last = s.data + s.len;

    p = ngx_http_aiobs_otlp_scheme(otlp, &tls);

    if (p == NULL || p + 3 == last) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid endpoint \"%V\" of \"aiobs_otlp\": "
                           "\"http://\", \"https://\", \"grpc://\" or "
                           "\"grpcs://\" and a host are expected", &s);
        return NGX_CONF_ERROR;
    }

    path = ngx_strlchr(p + 3, last, '/');
    path = path ? path : last;

    while (last > path && last[-1] == '/' && !otlp->exact) {
        last--;
    }

    add = otlp->grpc ? "/" NGX_HTTP_AIOBS_OTLP_SERVICE "/Export"
                     : "/v1/traces";

    if (otlp->grpc) {
        last = path;

    } else if (otlp->exact
               || (last - path >= 10
                   && ngx_strncmp(last - 10, "/v1/traces", 10) == 0))
    {
        add = "";
    }

    otlp->url.data = ngx_pnalloc(cf->pool, s.len + 100);
    if (otlp->url.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_sprintf(otlp->url.data, "http%s%*s%s%Z", tls ? "s" : "",
                (size_t) (last - p), p, add);

    return ngx_http_aiobs_otlp_target(cf, otlp, p + 3, path);
}


/* NULL: none of the four; what follows it, from "://" on */

static u_char *
ngx_http_aiobs_otlp_scheme(ngx_http_aiobs_otlp_t *otlp, ngx_uint_t *tls)
{
    size_t      len;
    ngx_uint_t  i;

    static const char  *schemes[] = { "http://", "https://", "grpc://",
                                      "grpcs://" };

    for (i = 0; i < 4; i++) {
        len = ngx_strlen(schemes[i]);

        if (ngx_strncmp(otlp->endpoint.data, schemes[i], len) == 0) {
            otlp->grpc = i > 1;
            *tls = i & 1;
            return otlp->endpoint.data + len - 3;
        }
    }

    return NULL;
}


/* what the log shows, without credentials that may stand before the host */

static char *
ngx_http_aiobs_otlp_target(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp,
    u_char *host, u_char *end)
{
    u_char  *p;

    p = ngx_strlchr(host, end, '@');
    host = p ? p + 1 : host;

    otlp->target.len = end - host;
    otlp->target.data = ngx_pnalloc(cf->pool, otlp->target.len + 1);
    if (otlp->target.data == NULL) {
        return NGX_CONF_ERROR;
    }

    *ngx_cpymem(otlp->target.data, host, otlp->target.len) = '\0';

    otlp->gzip = otlp->compression == NGX_HTTP_AIOBS_OTLP_AUTO
                 ? !ngx_http_aiobs_export_local(otlp->target.data)
                 : otlp->compression;

    return ngx_http_aiobs_otlp_own_headers(cf, otlp);
}


static char *
ngx_http_aiobs_otlp_own_headers(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    ngx_uint_t    i;
    const char  **header;

    const char   *own[] = {
        "User-Agent: OTel-OTLP-Exporter-aiobs/" NGX_HTTP_AIOBS_VERSION,
        otlp->grpc ? "Content-Type: application/grpc"
                   : "Content-Type: application/x-protobuf",
        otlp->grpc ? "TE: trailers" : NULL,
        !otlp->gzip ? NULL : otlp->grpc ? "grpc-encoding: gzip"
                                        : "Content-Encoding: gzip"
    };

    for (i = 0; i < sizeof(own) / sizeof(own[0]); i++) {

        if (own[i] == NULL) {
            continue;
        }

        header = ngx_array_push(&otlp->headers);
        if (header == NULL) {
            return NGX_CONF_ERROR;
        }

        *header = own[i];
    }

    header = ngx_array_push(&otlp->headers);
    if (header == NULL) {
        return NGX_CONF_ERROR;
    }

    *header = NULL;

    return NGX_CONF_OK;
}


char *
ngx_http_aiobs_otlp_init(ngx_conf_t *cf, ngx_http_aiobs_main_conf_t *amcf)
{
    ngx_http_aiobs_otlp_t  *otlp;

    if (ngx_http_aiobs_otlp_disabled()) {
        amcf->otlp = NULL;
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
