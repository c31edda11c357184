
/*
 * Copyright (C) the aiobs authors
 *
 * The environment's defaults, as every OpenTelemetry SDK takes them:
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/ and
 * .../configuration/sdk-environment-variables/
 */


#include "ngx_http_aiobs_otlp.h"


/* of attributes and headers, each "name=value,..." with "%xx" */

typedef char *(*ngx_http_aiobs_otlp_pair_pt)(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp, ngx_str_t *name, ngx_str_t *value);


static char *ngx_http_aiobs_otlp_env_endpoint(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);
static char *ngx_http_aiobs_otlp_env_scheme(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp, ngx_str_t *endpoint, ngx_uint_t grpc);
static char *ngx_http_aiobs_otlp_env_numbers(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);
static char *ngx_http_aiobs_otlp_env_number(ngx_conf_t *cf, const char *name,
    ngx_str_t *text, ngx_uint_t *n);
static char *ngx_http_aiobs_otlp_env_file(ngx_conf_t *cf, const char *name,
    ngx_str_t *file);
static char *ngx_http_aiobs_otlp_env_pairs(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp, const char *name,
    ngx_http_aiobs_otlp_pair_pt add);
static ngx_int_t ngx_http_aiobs_otlp_env(const char *name, ngx_str_t *value);
static char *ngx_http_aiobs_otlp_env_bad(ngx_conf_t *cf, const char *name,
    const char *expected);


char *
ngx_http_aiobs_otlp_environment(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    ngx_str_t  value;

    if (otlp->service.len == 0
        && ngx_http_aiobs_environment("OTEL_SERVICE_NAME", &value) == NGX_OK)
    {
        otlp->service = value;
    }

    if (otlp->compression == NGX_CONF_UNSET_UINT
        && ngx_http_aiobs_otlp_env("COMPRESSION", &value) == NGX_OK)
    {
        otlp->compression = ngx_strcmp(value.data, "gzip") == 0;

        if (!otlp->compression && ngx_strcmp(value.data, "none") != 0) {
            return ngx_http_aiobs_otlp_env_bad(cf, "COMPRESSION",
                                               "\"gzip\" or \"none\"");
        }
    }

    if (ngx_http_aiobs_otlp_env_endpoint(cf, otlp) != NGX_CONF_OK
        || ngx_http_aiobs_otlp_env_numbers(cf, otlp) != NGX_CONF_OK
        || ngx_http_aiobs_otlp_env_file(cf, "CERTIFICATE", &otlp->ca)
           != NGX_CONF_OK
        || ngx_http_aiobs_otlp_env_file(cf, "CLIENT_CERTIFICATE",
                                        &otlp->certificate)
           != NGX_CONF_OK
        || ngx_http_aiobs_otlp_env_file(cf, "CLIENT_KEY",
                                        &otlp->certificate_key)
           != NGX_CONF_OK
        || ngx_http_aiobs_otlp_env_pairs(cf, otlp, "HEADERS",
                                         ngx_http_aiobs_otlp_add_header)
           != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_aiobs_otlp_env_pairs(cf, otlp, NULL,
                                         ngx_http_aiobs_otlp_add_attribute);
}


ngx_uint_t
ngx_http_aiobs_otlp_disabled(void)
{
    ngx_str_t  value;

    return (ngx_http_aiobs_environment("OTEL_SDK_DISABLED", &value) == NGX_OK
            && ngx_strcasecmp(value.data, (u_char *) "true") == 0)
           || (ngx_http_aiobs_environment("OTEL_TRACES_EXPORTER", &value)
               == NGX_OK
               && ngx_strcmp(value.data, "none") == 0);
}


/* a block that says where to says how as well, by its scheme */

static char *
ngx_http_aiobs_otlp_env_endpoint(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    u_char      *p;
    ngx_str_t    endpoint, protocol;
    ngx_uint_t   grpc;

    if (otlp->endpoint.len) {
        return NGX_CONF_OK;
    }

    grpc = 0;

    if (ngx_http_aiobs_otlp_env("PROTOCOL", &protocol) == NGX_OK) {
        grpc = ngx_strcmp(protocol.data, "grpc") == 0;

        if (!grpc && ngx_strcmp(protocol.data, "http/protobuf") != 0) {
            return ngx_http_aiobs_otlp_env_bad(cf, "PROTOCOL",
                                           "\"grpc\" or \"http/protobuf\"");
        }
    }

    if (ngx_http_aiobs_environment("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                                   &endpoint)
        == NGX_OK)
    {
        p = (u_char *) ngx_strstr(endpoint.data, "://");
        p = p ? p + 3 : endpoint.data;

        otlp->exact = ngx_strlchr(p, endpoint.data + endpoint.len, '/')
                      != NULL;

    } else if (ngx_http_aiobs_environment("OTEL_EXPORTER_OTLP_ENDPOINT",
                                          &endpoint)
               != NGX_OK)
    {
        endpoint.data = (u_char *) (grpc ? "http://localhost:4317"
                                         : "http://localhost:4318");
        endpoint.len = ngx_strlen(endpoint.data);
    }

    return ngx_http_aiobs_otlp_env_scheme(cf, otlp, &endpoint, grpc);
}


/* the environment says http for both protocols, the block does not */

static char *
ngx_http_aiobs_otlp_env_scheme(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp,
    ngx_str_t *endpoint, ngx_uint_t grpc)
{
    size_t   skip;
    u_char  *p;

    p = ngx_pnalloc(cf->pool, endpoint->len + 1);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    otlp->endpoint.data = p;
    skip = 0;

    if (grpc && ngx_strncmp(endpoint->data, "http", 4) == 0) {
        p = ngx_cpymem(p, "grpc", 4);
        skip = 4;
    }

    p = ngx_cpymem(p, endpoint->data + skip, endpoint->len - skip);
    *p = '\0';

    otlp->endpoint.len = p - otlp->endpoint.data;

    return NGX_CONF_OK;
}


static char *
ngx_http_aiobs_otlp_env_numbers(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    ngx_str_t   text;
    ngx_uint_t  i;

    struct {
        const char  *name;
        ngx_uint_t  *n;
    } numbers[] = {
        { "OTEL_BSP_SCHEDULE_DELAY", &otlp->limits.interval },
        { "OTEL_BSP_MAX_QUEUE_SIZE", &otlp->limits.queue },
        { "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", &otlp->limits.batch },
        { NULL, NULL }
    };

    for (i = 0; numbers[i].name; i++) {

        if (*numbers[i].n == NGX_CONF_UNSET_UINT
            && ngx_http_aiobs_environment(numbers[i].name, &text) == NGX_OK
            && ngx_http_aiobs_otlp_env_number(cf, numbers[i].name, &text,
                                              numbers[i].n)
               != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (otlp->timeout == NGX_CONF_UNSET_MSEC
        && ngx_http_aiobs_otlp_env("TIMEOUT", &text) == NGX_OK)
    {
        return ngx_http_aiobs_otlp_env_number(cf, "OTEL_EXPORTER_OTLP_TIMEOUT",
                                              &text, &otlp->timeout);
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_aiobs_otlp_env_number(ngx_conf_t *cf, const char *name,
    ngx_str_t *text, ngx_uint_t *n)
{
    ngx_int_t  value;

    value = ngx_atoi(text->data, text->len);

    if (value <= 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s is \"%V\": a number above 0 is expected", name,
                           text);
        return NGX_CONF_ERROR;
    }

    *n = value;

    return NGX_CONF_OK;
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


/* name: NULL: OTEL_RESOURCE_ATTRIBUTES */

static char *
ngx_http_aiobs_otlp_env_pairs(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp,
    const char *name, ngx_http_aiobs_otlp_pair_pt add)
{
    u_char     *p, *end, *last, *to, *from;
    ngx_str_t   list, key, value;

    if ((name ? ngx_http_aiobs_otlp_env(name, &list)
              : ngx_http_aiobs_environment("OTEL_RESOURCE_ATTRIBUTES", &list))
        != NGX_OK)
    {
        return NGX_CONF_OK;
    }

    last = list.data + list.len;

    for (p = list.data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, ',');
        end = end ? end : last;

        while (p < end && *p == ' ') {
            p++;
        }

        key.data = p;
        p = ngx_strlchr(p, end, '=');

        if (p == NULL || p == key.data) {
            return ngx_http_aiobs_otlp_env_bad(cf, name,
                                               "\"name=value,...\"");
        }

        key.len = p - key.data;

        value.data = ngx_pnalloc(cf->pool, end - p);
        if (value.data == NULL) {
            return NGX_CONF_ERROR;
        }

        to = value.data;
        from = p + 1;
        ngx_unescape_uri(&to, &from, end - from, 0);
        value.len = to - value.data;

        if (add(cf, otlp, &key, &value) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* the variable for traces, or the one for all signals */

static ngx_int_t
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


static char *
ngx_http_aiobs_otlp_env_bad(ngx_conf_t *cf, const char *name,
    const char *expected)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid value of the environment variable %s%s: %s "
                       "is expected",
                       name ? "OTEL_EXPORTER_OTLP_" : "",
                       name ? name : "OTEL_RESOURCE_ATTRIBUTES", expected);

    return NGX_CONF_ERROR;
}


/* name: a token of RFC 9110; the block's own come first and count */

char *
ngx_http_aiobs_otlp_add_header(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp,
    ngx_str_t *name, ngx_str_t *value)
{
    u_char      *p, **header;
    size_t       i;
    ngx_uint_t   k;

    for (i = 0; i < name->len; i++) {
        if (name->data[i] <= ' ' || name->data[i] >= 0x7f
            || name->data[i] == ':')
        {
            goto invalid;
        }
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < ' ' || value->data[i] == 0x7f) {
            goto invalid;
        }
    }

    header = otlp->headers.elts;

    for (k = 0; k < otlp->headers.nelts; k++) {
        if (ngx_strncasecmp(header[k], name->data, name->len) == 0
            && header[k][name->len] == ':')
        {
            return NGX_CONF_OK;
        }
    }

    p = ngx_pnalloc(cf->pool, name->len + value->len + 3);
    header = ngx_array_push(&otlp->headers);

    if (p == NULL || header == NULL) {
        return NGX_CONF_ERROR;
    }

    *header = p;
    ngx_sprintf(p, "%V: %V%Z", name, value);

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "the header \"%V\" for \"aiobs_otlp\" has a name or a "
                       "value with bytes that no header has", name);

    return NGX_CONF_ERROR;
}


/* the block's own come first and count */

char *
ngx_http_aiobs_otlp_add_attribute(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp,
    ngx_str_t *name, ngx_str_t *value)
{
    u_char        *p;
    ngx_uint_t     i;
    ngx_keyval_t  *attr;

    attr = otlp->attributes.elts;

    for (i = 0; i < otlp->attributes.nelts; i++) {
        if (attr[i].key.len == name->len
            && ngx_memcmp(attr[i].key.data, name->data, name->len) == 0)
        {
            return NGX_CONF_OK;
        }
    }

    p = ngx_pnalloc(cf->pool, name->len + 1);
    attr = ngx_array_push(&otlp->attributes);

    if (p == NULL || attr == NULL) {
        return NGX_CONF_ERROR;
    }

    attr->key.data = p;
    attr->key.len = name->len;
    attr->value = *value;

    ngx_sprintf(p, "%V%Z", name);

    return NGX_CONF_OK;
}
