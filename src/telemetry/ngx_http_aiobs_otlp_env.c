
/*
 * Copyright (C) the aiobs authors
 *
 * The environment's defaults, as every OpenTelemetry SDK takes them:
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and
 * .../configuration/sdk-environment-variables/
 */


#include "ngx_http_aiobs_otlp.h"


#define NGX_HTTP_AIOBS_OTLP_TIMEOUT_MAX  3600000    /* milliseconds */


static char *ngx_http_aiobs_otlp_env_endpoint(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);
static char *ngx_http_aiobs_otlp_env_scheme(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp, ngx_str_t *endpoint, ngx_uint_t grpc);
static void ngx_http_aiobs_otlp_env_compression(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);
static void ngx_http_aiobs_otlp_env_numbers(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);
static void ngx_http_aiobs_otlp_env_number(ngx_conf_t *cf, const char *name,
    ngx_str_t *text, ngx_uint_t min, ngx_uint_t *n);
static char *ngx_http_aiobs_otlp_env_file(ngx_conf_t *cf, const char *name,
    ngx_str_t *file);


char *
ngx_http_aiobs_otlp_environment(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    ngx_str_t  value;

    if (otlp->service.len == 0
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
    ngx_str_t  value;

    if (otlp->compression != NGX_CONF_UNSET_UINT
        || ngx_http_aiobs_otlp_env("COMPRESSION", &value) != NGX_OK)
    {
        return;
    }

    if (ngx_strcasecmp(value.data, (u_char *) "gzip") == 0) {
        otlp->compression = NGX_HTTP_AIOBS_OTLP_GZIP;

    } else if (ngx_strcasecmp(value.data, (u_char *) "none") == 0) {
        otlp->compression = NGX_HTTP_AIOBS_OTLP_NONE;

    } else {
        ngx_http_aiobs_otlp_env_bad(cf, "COMPRESSION", "\"gzip\" or \"none\"");
    }
}


ngx_uint_t
ngx_http_aiobs_otlp_disabled(ngx_conf_t *cf)
{
    ngx_str_t  value;

    if (ngx_http_aiobs_environment("OTEL_SDK_DISABLED", &value) == NGX_OK) {

        if (ngx_strcasecmp(value.data, (u_char *) "true") == 0) {
            return 1;
        }

        if (ngx_strcasecmp(value.data, (u_char *) "false") != 0) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "OTEL_SDK_DISABLED is \"%V\", which is ignored: "
                               "\"true\" or \"false\" is expected", &value);
        }
    }

    return ngx_http_aiobs_environment("OTEL_TRACES_EXPORTER", &value) == NGX_OK
           && ngx_strcmp(value.data, "none") == 0;
}


/* a block that says where to says how as well, by its scheme */

static char *
ngx_http_aiobs_otlp_env_endpoint(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    u_char       full[64];
    ngx_str_t    endpoint, protocol;
    ngx_uint_t   grpc, exact;
    const char  *name;

    if (otlp->endpoint.len) {
        return NGX_CONF_OK;
    }

    grpc = 0;

    if (ngx_http_aiobs_otlp_env("PROTOCOL", &protocol) == NGX_OK) {
        grpc = ngx_strcasecmp(protocol.data, (u_char *) "grpc") == 0;

        if (!grpc
            && ngx_strcasecmp(protocol.data, (u_char *) "http/protobuf") != 0)
        {
            ngx_http_aiobs_otlp_env_bad(cf, "PROTOCOL",
                                        "\"grpc\" or \"http/protobuf\"");
        }
    }

    for (exact = 1; /* void */ ; exact--) {

        name = exact ? "TRACES_ENDPOINT" : "ENDPOINT";
        ngx_sprintf(full, "OTEL_EXPORTER_OTLP_%s%Z", name);

        if (ngx_http_aiobs_environment((char *) full, &endpoint) == NGX_OK) {

            if (ngx_http_aiobs_otlp_env_scheme(cf, otlp, &endpoint, grpc)
                != NGX_CONF_OK)
            {
                return NGX_CONF_ERROR;
            }

            if (ngx_http_aiobs_otlp_url_valid(&otlp->endpoint) == NGX_OK) {

                /* that for traces as it is: without a path it is the root */

                otlp->exact = exact;
                return NGX_CONF_OK;
            }

            ngx_http_aiobs_otlp_env_bad(cf, name, "a URL with a host");
        }

        if (!exact) {
            break;
        }
    }

    if (grpc) {
        ngx_str_set(&otlp->endpoint, "grpc://localhost:4317");

    } else {
        ngx_str_set(&otlp->endpoint, "http://localhost:4318");
    }

    return NGX_CONF_OK;
}


/*
 * The environment says http for both protocols, the block does not; for gRPC
 * a host will do, and whether it speaks TLS is said apart.
 */

static char *
ngx_http_aiobs_otlp_env_scheme(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp,
    ngx_str_t *endpoint, ngx_uint_t grpc)
{
    size_t      skip;
    u_char     *p;
    ngx_str_t   insecure;

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
        p = ngx_http_aiobs_otlp_env("INSECURE", &insecure) == NGX_OK
            && ngx_strcasecmp(insecure.data, (u_char *) "true") == 0
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
    ngx_str_t   text;
    ngx_uint_t  i;

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

        if (*numbers[i].n == NGX_CONF_UNSET_UINT
            && ngx_http_aiobs_environment(numbers[i].name, &text) == NGX_OK)
        {
            ngx_http_aiobs_otlp_env_number(cf, numbers[i].name, &text,
                                           numbers[i].min, numbers[i].n);
        }
    }

    if (otlp->timeout == NGX_CONF_UNSET_MSEC
        && ngx_http_aiobs_otlp_env("TIMEOUT", &text) == NGX_OK)
    {
        ngx_http_aiobs_otlp_env_number(cf, "OTEL_EXPORTER_OTLP_TIMEOUT",
                                       &text, 0, &otlp->timeout);

        /* 0 is none, which is a very long time */

        if (otlp->timeout == 0) {
            otlp->timeout = NGX_HTTP_AIOBS_OTLP_TIMEOUT_MAX;
        }
    }
}


static void
ngx_http_aiobs_otlp_env_number(ngx_conf_t *cf, const char *name,
    ngx_str_t *text, ngx_uint_t min, ngx_uint_t *n)
{
    ngx_int_t  value;

    value = ngx_atoi(text->data, text->len);

    if (value < (ngx_int_t) min || value > NGX_MAX_INT32_VALUE) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "%s is \"%V\", which is ignored: a number from %ui "
                           "on is expected", name, text, min);
        return;
    }

    *n = value;
}


static char *
ngx_http_aiobs_otlp_env_file(ngx_conf_t *cf, const char *name,
    ngx_str_t *file)
{
    ngx_str_t  value;

    if (file->len || ngx_http_aiobs_otlp_env(name, &value) != NGX_OK) {
        return NGX_CONF_OK;
    }

    *file = value;

    return ngx_conf_full_name(cf->cycle, file, 1) == NGX_OK ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


/* the variable for traces, or the one for all signals */

ngx_int_t
ngx_http_aiobs_otlp_env(const char *name, ngx_str_t *value)
{
    u_char  full[64];

    ngx_sprintf(full, "OTEL_EXPORTER_OTLP_TRACES_%s%Z", name);

    if (ngx_http_aiobs_environment((char *) full, value) == NGX_OK) {
        return NGX_OK;
    }

    ngx_sprintf(full, "OTEL_EXPORTER_OTLP_%s%Z", name);

    return ngx_http_aiobs_environment((char *) full, value);
}


/* the specification has it: told, and as if it were not set */

void
ngx_http_aiobs_otlp_env_bad(ngx_conf_t *cf, const char *name,
    const char *expected)
{
    ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                       "invalid value of the environment variable %s%s, which "
                       "is ignored: %s is expected",
                       name ? "OTEL_EXPORTER_OTLP_" : "",
                       name ? name : "OTEL_RESOURCE_ATTRIBUTES", expected);
}
