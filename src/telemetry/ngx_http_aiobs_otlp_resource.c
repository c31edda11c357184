
/*
 * Copyright (C) the aiobs authors
 *
 * Whose spans they are: the resource and the scope, encoded once.
 */


#include "ngx_http_aiobs_otlp.h"
#include "aiobs_protobuf.h"


#define NGX_HTTP_AIOBS_OTLP_RESOURCE  16384     /* bytes, encoded */


static void ngx_http_aiobs_otlp_put_resource(aiobs_pb_t *pb,
    ngx_http_aiobs_main_conf_t *amcf, ngx_str_t *host);
static void ngx_http_aiobs_otlp_put(aiobs_pb_t *pb,
    ngx_http_aiobs_otlp_t *otlp, const char *key, ngx_str_t *value);


/* ResourceSpans { resource = 1 }, ScopeSpans { scope = 1 } */

char *
ngx_http_aiobs_otlp_resource(ngx_conf_t *cf, ngx_http_aiobs_main_conf_t *amcf)
{
    u_char                 *buf, *mark;
    aiobs_pb_t              pb;
    ngx_http_aiobs_otlp_t  *otlp;

    otlp = amcf->otlp;

    buf = ngx_pnalloc(cf->pool, NGX_HTTP_AIOBS_OTLP_RESOURCE);
    if (buf == NULL) {
        return NGX_CONF_ERROR;
    }

    pb.pos = buf;
    pb.end = buf + NGX_HTTP_AIOBS_OTLP_RESOURCE;
    pb.full = 0;

    mark = aiobs_pb_begin(&pb, 1);
    ngx_http_aiobs_otlp_put_resource(&pb, amcf, &cf->cycle->hostname);
    aiobs_pb_end(&pb, mark);

    otlp->resource.data = buf;
    otlp->resource.len = pb.pos - buf;

    otlp->scope.data = pb.pos;

    mark = aiobs_pb_begin(&pb, 1);
    aiobs_pb_bytes(&pb, 1, "ngx_http_aiobs_module",
                   sizeof("ngx_http_aiobs_module") - 1);
    aiobs_pb_bytes(&pb, 2, NGX_HTTP_AIOBS_VERSION,
                   sizeof(NGX_HTTP_AIOBS_VERSION) - 1);
    aiobs_pb_end(&pb, mark);

    otlp->scope.len = pb.pos - otlp->scope.data;

    if (pb.full) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "the resource attributes of \"aiobs_otlp\" take more "
                      "than %d bytes", NGX_HTTP_AIOBS_OTLP_RESOURCE);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void
ngx_http_aiobs_otlp_put_resource(aiobs_pb_t *pb,
    ngx_http_aiobs_main_conf_t *amcf, ngx_str_t *host)
{
    ngx_uint_t              i;
    ngx_keyval_t           *attr;
    ngx_http_aiobs_otlp_t  *otlp;

    static ngx_str_t  unknown = ngx_string("unknown_service:nginx");
    static ngx_str_t  sdk = ngx_string("aiobs");
    static ngx_str_t  language = ngx_string("cpp");
    static ngx_str_t  version = ngx_string(NGX_HTTP_AIOBS_VERSION);

    otlp = amcf->otlp;

    if (otlp->service.len) {
        aiobs_pb_attr_text(pb, 1, "service.name", otlp->service.data,
                           otlp->service.len);

    } else {
        ngx_http_aiobs_otlp_put(pb, otlp, "service.name",
                                amcf->service.len ? &amcf->service : &unknown);
    }

    ngx_http_aiobs_otlp_put(pb, otlp, "deployment.environment.name",
                            &amcf->environment);
    ngx_http_aiobs_otlp_put(pb, otlp, "host.name", host);
    ngx_http_aiobs_otlp_put(pb, otlp, "telemetry.sdk.name", &sdk);
    ngx_http_aiobs_otlp_put(pb, otlp, "telemetry.sdk.language", &language);
    ngx_http_aiobs_otlp_put(pb, otlp, "telemetry.sdk.version", &version);

    attr = otlp->attributes.elts;

    for (i = 0; i < otlp->attributes.nelts; i++) {

        if (otlp->service.len
            && ngx_strcmp(attr[i].key.data, "service.name") == 0)
        {
            continue;
        }

        aiobs_pb_attr_text(pb, 1, (char *) attr[i].key.data,
                           attr[i].value.data, attr[i].value.len);
    }
}


/* unless an attribute of that name is given */

static void
ngx_http_aiobs_otlp_put(aiobs_pb_t *pb, ngx_http_aiobs_otlp_t *otlp,
    const char *key, ngx_str_t *value)
{
    ngx_uint_t     i;
    ngx_keyval_t  *attr;

    attr = otlp->attributes.elts;

    for (i = 0; i < otlp->attributes.nelts; i++) {
        if (ngx_strcmp(attr[i].key.data, key) == 0) {
            return;
        }
    }

    if (value->len) {
        aiobs_pb_attr_text(pb, 1, key, value->data, value->len);
    }
}
