
/*
 * Copyright (C) the aiobs authors
 *
 * The module's own health: families that are read, not counted.
 */


#include "ngx_http_aiobs_families.h"


#define NGX_HTTP_AIOBS_VERSION  "0.1.0"


static void ngx_http_aiobs_health_one(void *out, const char *name,
    const char *help, const char *unit, uint64_t value);
static void ngx_http_aiobs_health_families(ngx_http_aiobs_metrics_t *m,
    void *out);


void
ngx_http_aiobs_health(ngx_http_aiobs_metrics_t *m, void *out)
{
    ngx_http_aiobs_expose_header(out, "aiobs_build_info",
                                 "Version of the module and of nginx.", "",
                                 NGX_HTTP_AIOBS_GAUGE);
    ngx_http_aiobs_expose_sample(out, "aiobs_build_info", "",
                                 "{version=\"" NGX_HTTP_AIOBS_VERSION
                                 "\",nginx=\"" NGINX_VERSION "\"}", 1);

    ngx_http_aiobs_health_one(out, "aiobs_start_time_seconds",
                              "When counting began, UTC.", "seconds",
                              m->started);

    ngx_http_aiobs_health_one(out, "aiobs_reload_success_timestamp_seconds",
                              "When the configuration was last taken on, UTC.",
                              "seconds", m->reloaded);

    ngx_http_aiobs_health_one(out, "aiobs_series_limit",
                              "Room for series.", "", m->capacity);

    ngx_http_aiobs_health_one(out, "aiobs_zone_size_bytes",
                              "Size of the zone.", "bytes", m->zone_size);

    ngx_http_aiobs_health_one(out, "aiobs_zone_used_bytes",
                              "Bytes of the zone that series take.", "bytes",
                              m->arena_used);

    ngx_http_aiobs_health_families(m, out);
}


static void
ngx_http_aiobs_health_one(void *out, const char *name, const char *help,
    const char *unit, uint64_t value)
{
    ngx_http_aiobs_expose_header(out, name, help, unit, NGX_HTTP_AIOBS_GAUGE);
    ngx_http_aiobs_expose_sample(out, name, "", "", value);
}


static void
ngx_http_aiobs_health_families(ngx_http_aiobs_metrics_t *m, void *out)
{
    u_char      label[128];
    ngx_uint_t  i;

    ngx_http_aiobs_expose_header(out, "aiobs_series", "Series of a family.",
                                 "", NGX_HTTP_AIOBS_GAUGE);

    for (i = 0; i < NGX_HTTP_AIOBS_FAMILY_LAST; i++) {
        ngx_sprintf(label, "{family=\"%s\"}%Z",
                    ngx_http_aiobs_families[i].name);
        ngx_http_aiobs_expose_sample(out, "aiobs_series", "", (char *) label,
                                     m->families[i].n);
    }

    ngx_http_aiobs_expose_header(out, "aiobs_series_dropped",
                                 "Updates that went to the series \"other\" "
                                 "for want of room.", "",
                                 NGX_HTTP_AIOBS_COUNTER);

    for (i = 0; i < NGX_HTTP_AIOBS_FAMILY_LAST; i++) {
        ngx_sprintf(label, "{family=\"%s\"}%Z",
                    ngx_http_aiobs_families[i].name);
        ngx_http_aiobs_expose_sample(out, "aiobs_series_dropped", "_total",
                                     (char *) label, m->families[i].dropped);
    }
}
