
/*
 * Copyright (C) the aiobs authors
 *
 * The receiver's URL, checked when it is configured, and the headers that are
 * sent there.
 */


#include "ngx_http_aiobs_otlp.h"


#define NGX_HTTP_AIOBS_OTLP_SERVICE                                           \
    "opentelemetry.proto.collector.trace.v1.TraceService"


/* grpc[s]://[USER@]HOST[:PORT][PATH][?QUERY] and http[s]:// */

typedef struct {
    u_char      *authority;     /* [USER@]HOST[:PORT] */
    u_char      *host;
    u_char      *path;
    u_char      *query;         /* its "?" */
    u_char      *last;
    ngx_uint_t   grpc;
    ngx_uint_t   tls;
} ngx_http_aiobs_otlp_parts_t;


static ngx_int_t ngx_http_aiobs_otlp_split(ngx_str_t *endpoint,
    ngx_http_aiobs_otlp_parts_t *parts);
static u_char *ngx_http_aiobs_otlp_scheme(ngx_str_t *endpoint,
    ngx_http_aiobs_otlp_parts_t *parts);
static void ngx_http_aiobs_otlp_url_bad(ngx_conf_t *cf, ngx_str_t *endpoint);
static char *ngx_http_aiobs_otlp_target(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp, u_char *host, u_char *end);
static char *ngx_http_aiobs_otlp_own_headers(ngx_conf_t *cf,
    ngx_http_aiobs_otlp_t *otlp);


ngx_int_t
ngx_http_aiobs_otlp_url_valid(ngx_str_t *endpoint)
{
    ngx_http_aiobs_otlp_parts_t  parts;

    return ngx_http_aiobs_otlp_split(endpoint, &parts);
}


/* grpc[s]: the service's path; http[s]: /v1/traces below a base */

char *
ngx_http_aiobs_otlp_url(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    u_char                       *last;
    const char                   *add;
    ngx_http_aiobs_otlp_parts_t   parts;

    if (ngx_http_aiobs_otlp_split(&otlp->endpoint, &parts) != NGX_OK) {
        ngx_http_aiobs_otlp_url_bad(cf, &otlp->endpoint);
        return NGX_CONF_ERROR;
    }

    otlp->grpc = parts.grpc;
    last = parts.query;

    while (last > parts.path && last[-1] == '/' && !otlp->exact) {
        last--;
    }

    add = otlp->grpc ? "/" NGX_HTTP_AIOBS_OTLP_SERVICE "/Export"
                     : "/v1/traces";

    if (otlp->grpc) {
        last = parts.path;
        parts.query = parts.last;

    } else if (otlp->exact
               || (last - parts.path >= 10
                   && ngx_strncmp(last - 10, "/v1/traces", 10) == 0))
    {
        add = "";
    }

    otlp->url.data = ngx_pnalloc(cf->pool, otlp->endpoint.len + 100);
    if (otlp->url.data == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_sprintf(otlp->url.data, "http%s://%*s%s%*s%Z", parts.tls ? "s" : "",
                (size_t) (last - parts.authority), parts.authority, add,
                (size_t) (parts.last - parts.query), parts.query);

    return ngx_http_aiobs_otlp_target(cf, otlp, parts.host, parts.path);
}


static ngx_int_t
ngx_http_aiobs_otlp_split(ngx_str_t *endpoint,
    ngx_http_aiobs_otlp_parts_t *parts)
{
    u_char  *p;

    parts->last = endpoint->data + endpoint->len;

    for (p = endpoint->data; p < parts->last; p++) {
        if (*p <= ' ' || *p >= 0x7f || *p == '#') {
            return NGX_ERROR;
        }
    }

    parts->authority = ngx_http_aiobs_otlp_scheme(endpoint, parts);

    if (parts->authority == NULL) {
        return NGX_ERROR;
    }

    p = ngx_strlchr(parts->authority, parts->last, '?');
    parts->query = p ? p : parts->last;

    p = ngx_strlchr(parts->authority, parts->query, '/');
    parts->path = p ? p : parts->query;

    p = ngx_strlchr(parts->authority, parts->path, '@');
    parts->host = p ? p + 1 : parts->authority;

    return ngx_http_aiobs_export_host(parts->host, parts->path);
}


/* what follows it; NULL: none of the four */

static u_char *
ngx_http_aiobs_otlp_scheme(ngx_str_t *endpoint,
    ngx_http_aiobs_otlp_parts_t *parts)
{
    size_t      len;
    ngx_uint_t  i;

    static const char  *schemes[] = { "http://", "https://", "grpc://",
                                      "grpcs://" };

    for (i = 0; i < 4; i++) {
        len = ngx_strlen(schemes[i]);

        if (endpoint->len >= len
            && ngx_strncasecmp(endpoint->data, (u_char *) schemes[i], len)
               == 0)
        {
            parts->grpc = i > 1;
            parts->tls = i & 1;
            return endpoint->data + len;
        }
    }

    return NULL;
}


/* credentials may stand before the host and in the query */

static void
ngx_http_aiobs_otlp_url_bad(ngx_conf_t *cf, ngx_str_t *endpoint)
{
    u_char     *p, *last;
    ngx_str_t   shown;

    shown = *endpoint;
    last = shown.data + shown.len;

    for (p = last; p > shown.data && p[-1] != '@'; p--) { /* void */ }

    shown.data = p;

    p = ngx_strlchr(shown.data, last, '?');
    shown.len = (p ? p : last) - shown.data;

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid endpoint \"%s%V\" of \"aiobs_otlp\": "
                       "\"http://\", \"https://\", \"grpc://\" or "
                       "\"grpcs://\", a host and a port from 1 to 65535 or "
                       "none are expected",
                       shown.data > endpoint->data ? "...@" : "", &shown);
}


/* what the log shows, without credentials */

static char *
ngx_http_aiobs_otlp_target(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp,
    u_char *host, u_char *end)
{
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


/* after those that are configured, of which User-Agent may be one */

static char *
ngx_http_aiobs_otlp_own_headers(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    ngx_str_t     agent;
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

    ngx_str_set(&agent, "user-agent");

    if (ngx_http_aiobs_otlp_header_given(otlp, &agent)) {
        own[0] = NULL;
    }

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
