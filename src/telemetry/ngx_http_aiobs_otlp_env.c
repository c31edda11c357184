
/*
 * Copyright (C) the aiobs authors
 *
 * The environment's defaults, as every OpenTelemetry SDK takes them; of two
 * variables that for traces, unless its value is none:
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and
 * .../configuration/sdk-environment-variables/
 */


#include "ngx_http_aiobs_otlp.h"


#define NGX_HTTP_AIOBS_OTLP_TIMEOUT_MAX  3600000    /* milliseconds */


static char *ngx_http_aiobs_otlp_env_endpoint(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);
static ngx_uint_t ngx_http_aiobs_otlp_env_grpc(ngx_conf_t *cf);
static ngx_uint_t ngx_http_aiobs_otlp_env_insecure(ngx_conf_t *cf);
static char *ngx_http_aiobs_otlp_env_scheme(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp, ngx_str_t *endpoint, ngx_uint_t grpc);
static void ngx_http_aiobs_otlp_env_compression(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);
static void ngx_http_aiobs_otlp_env_numbers(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);
static void ngx_http_aiobs_otlp_env_timeout(ngx_conf_t *cf, const char *name,
    ngx_msec_t *timeout);
static char *ngx_http_aiobs_otlp_env_file(ngx_conf_t *cf, const char *name,
    ngx_str_t *file);
static void ngx_http_aiobs_otlp_env_name(const char *end, ngx_uint_t i,
    ngx_http_aiobs_otlp_name_t name);


char *
ngx_http_aiobs_otlp_environment(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    ngx_str_t  value;

    static ngx_str_t  name = ngx_string("service.name");

    if (otlp->service.len == 0
        && !ngx_http_aiobs_otlp_attribute_given(otlp, &name)
        && ngx_http_aiobs_environment("OTEL_SERVICE_NAME", &value) == NGX_OK)
    {
        otlp->service = value;
    }

    ngx_http_aiobs_otlp_env_compression(cf, otlp);
    ngx_http_aiobs_otlp_env_numbers(cf, otlp);

    if (ngx_http_aiobs_otlp_env_endpoint(cf, otlp) != NGX_CONF_OK
        || ngx_http_aiobs_otlp_env_file(cf, "CERTIFICATE", &otlp->ca)
           != NGX_CONF_OK
        || ngx_http_aiobs_otlp_env_file(cf, "CLIENT_CERTIFICATE",
                                        &otlp->certificate)
           != NGX_CONF_OK
        || ngx_http_aiobs_otlp_env_file(cf, "CLIENT_KEY",
                                        &otlp->certificate_key)
           != NGX_CONF_OK
        || ngx_http_aiobs_otlp_env_headers(cf, otlp) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_aiobs_otlp_env_attributes(cf, otlp);
}


static void
ngx_http_aiobs_otlp_env_compression(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp)
{
    ngx_str_t                    value;
    ngx_uint_t                   i;
    ngx_http_aiobs_otlp_name_t   name;

    for (i = 0; i < 2 && otlp->compression == NGX_CONF_UNSET_UINT; i++) {

        if (ngx_http_aiobs_otlp_env("COMPRESSION", i, name, &value) != NGX_OK)
        {
            continue;
        }

        if (ngx_strcasecmp(value.data, (u_char *) "gzip") == 0) {
            otlp->compression = NGX_HTTP_AIOBS_OTLP_GZIP;

        } else if (ngx_strcasecmp(value.data, (u_char *) "none") == 0) {
            otlp->compression = NGX_HTTP_AIOBS_OTLP_NONE;

        } else {
            ngx_http_aiobs_otlp_env_bad(cf, name, "\"gzip\" or \"none\"");
        }
    }
}


/* a block that says where to says how as well, by its scheme */

static char *
ngx_http_aiobs_otlp_env_endpoint(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    ngx_str_t                    endpoint;
    ngx_uint_t                   i, grpc;
    ngx_http_aiobs_otlp_name_t   name;

    if (otlp->endpoint.len) {
        return NGX_CONF_OK;
    }

    grpc = ngx_http_aiobs_otlp_env_grpc(cf);

    for (i = 0; i < 2; i++) {

        if (ngx_http_aiobs_otlp_env("ENDPOINT", i, name, &endpoint) != NGX_OK)
        {
            continue;
        }

        if (ngx_http_aiobs_otlp_env_scheme(cf, otlp, &endpoint, grpc)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_aiobs_otlp_url_valid(&otlp->endpoint) == NGX_OK) {

            /* that for traces as it is: without a path it is the root */

            otlp->exact = (i == 0);
            return NGX_CONF_OK;
        }

        ngx_http_aiobs_otlp_env_bad(cf, name, "a URL with a host");
    }

    if (grpc) {
        ngx_str_set(&otlp->endpoint, "grpc://localhost:4317");

    } else {
        ngx_str_set(&otlp->endpoint, "http://localhost:4318");
    }

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_aiobs_otlp_env_grpc(ngx_conf_t *cf)
{
    ngx_str_t                    value;
    ngx_uint_t                   i;
    ngx_http_aiobs_otlp_name_t   name;

    for (i = 0; i < 2; i++) {

        if (ngx_http_aiobs_otlp_env("PROTOCOL", i, name, &value) != NGX_OK) {
            continue;
        }

        if (ngx_strcasecmp(value.data, (u_char *) "grpc") == 0) {
            return 1;
        }

        if (ngx_strcasecmp(value.data, (u_char *) "http/protobuf") == 0) {
            return 0;
        }

        ngx_http_aiobs_otlp_env_bad(cf, name, "\"grpc\" or \"http/protobuf\"");
    }

    return 0;
}


static ngx_uint_t
ngx_http_aiobs_otlp_env_insecure(ngx_conf_t *cf)
{
    ngx_str_t                    value;
    ngx_uint_t                   i;
    ngx_http_aiobs_otlp_name_t   name;

    for (i = 0; i < 2; i++) {
        if (ngx_http_aiobs_otlp_env("INSECURE", i, name, &value) == NGX_OK) {
            return ngx_http_aiobs_otel_flag(cf, (char *) name);
        }
    }

    return 0;
}


/*
 * The environment says http for both protocols, the block does not; for gRPC
 * a host will do, and whether it speaks TLS is said apart.
 */

static char *
ngx_http_aiobs_otlp_env_scheme(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp,
    ngx_str_t *endpoint, ngx_uint_t grpc)
{
    size_t   skip;
    u_char  *p;

    p = ngx_pnalloc(cf->pool, endpoint->len + sizeof("grpcs://"));
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    otlp->endpoint.data = p;
    skip = 0;

    if (grpc
        && ngx_strncasecmp(endpoint->data, (u_char *) "http", 4) == 0)
    {
        p = ngx_cpymem(p, "grpc", 4);
        skip = 4;

    } else if (grpc && ngx_strstr(endpoint->data, "://") == NULL) {
        p = ngx_http_aiobs_otlp_env_insecure(cf)
            ? ngx_cpymem(p, "grpc://", 7) : ngx_cpymem(p, "grpcs://", 8);
    }

    p = ngx_cpymem(p, endpoint->data + skip, endpoint->len - skip);
    *p = '\0';

    otlp->endpoint.len = p - otlp->endpoint.data;

    return NGX_CONF_OK;
}


static void
ngx_http_aiobs_otlp_env_numbers(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    ngx_uint_t                   i;
    ngx_http_aiobs_otlp_name_t   name;

    struct {
        const char  *name;
        ngx_uint_t   min;
        ngx_uint_t  *n;
    } numbers[] = {
        { "OTEL_BSP_SCHEDULE_DELAY", 0, &otlp->limits.interval },
        { "OTEL_BSP_MAX_QUEUE_SIZE", 1, &otlp->limits.queue },
        { "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1, &otlp->limits.batch },
        { NULL, 0, NULL }
    };

    for (i = 0; numbers[i].name; i++) {
        if (*numbers[i].n == NGX_CONF_UNSET_UINT) {
            (void) ngx_http_aiobs_otel_number(cf, numbers[i].name,
                                              numbers[i].min, numbers[i].n);
        }
    }

    ngx_http_aiobs_otlp_env_timeout(cf, "OTEL_BSP_EXPORT_TIMEOUT",
                                    &otlp->limits.retry);

    for (i = 0; i < 2; i++) {
        ngx_http_aiobs_otlp_env_name("TIMEOUT", i, name);
        ngx_http_aiobs_otlp_env_timeout(cf, (char *) name, &otlp->timeout);
    }
}


/* 0 is none, which is a very long time */

static void
ngx_http_aiobs_otlp_env_timeout(ngx_conf_t *cf, const char *name,
    ngx_msec_t *timeout)
{
    if (*timeout == NGX_CONF_UNSET_MSEC
        && ngx_http_aiobs_otel_number(cf, name, 0, timeout) == NGX_OK
        && *timeout == 0)
    {
        *timeout = NGX_HTTP_AIOBS_OTLP_TIMEOUT_MAX;
    }
}


static char *
ngx_http_aiobs_otlp_env_file(ngx_conf_t *cf, const char *name,
    ngx_str_t *file)
{
    ngx_str_t                    value;
    ngx_uint_t                   i;
    ngx_http_aiobs_otlp_name_t   full;

    for (i = 0; i < 2 && file->len == 0; i++) {

        if (ngx_http_aiobs_otlp_env(name, i, full, &value) != NGX_OK) {
            continue;
        }

        if (ngx_conf_full_name(cf->cycle, &value, 1) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        if (ngx_http_aiobs_worker_reads(cf, &value, NGX_LOG_WARN) == NGX_OK) {
            *file = value;
            break;
        }

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "the file \"%V\" of the environment variable %s "
                           "cannot be read, and is ignored", &value, full);
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_aiobs_otlp_env(const char *end, ngx_uint_t i,
    ngx_http_aiobs_otlp_name_t name, ngx_str_t *value)
{
    ngx_http_aiobs_otlp_env_name(end, i, name);

    return ngx_http_aiobs_environment((char *) name, value);
}


static void
ngx_http_aiobs_otlp_env_name(const char *end, ngx_uint_t i,
    ngx_http_aiobs_otlp_name_t name)
{
    ngx_sprintf(name, "OTEL_EXPORTER_OTLP_%s%s%Z", i ? "" : "TRACES_", end);
}


/* the specification has it: told, and as if it were not set */

void
ngx_http_aiobs_otlp_env_bad(ngx_conf_t *cf, u_char *name,
    const char *expected)
{
    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "invalid value of the environment variable %s, which "
                       "is ignored: %s is expected", name, expected);
}
