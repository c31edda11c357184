
/*
 * Copyright (C) the aiobs authors
 *
 * The directives of the metrics room.
 */


#include "ngx_http_aiobs_families.h"


void
ngx_http_aiobs_metrics_create_conf(ngx_http_aiobs_metrics_conf_t *conf)
{
    conf->native = NGX_CONF_UNSET;
}


void
ngx_http_aiobs_metrics_init_conf(ngx_http_aiobs_metrics_conf_t *conf)
{
    ngx_uint_t  i;

    ngx_conf_init_value(conf->native, 0);

    for (i = 0; i < NGX_HTTP_AIOBS_FAMILY_LAST; i++) {
        if (conf->buckets[i] == NULL) {
            conf->buckets[i] = ngx_http_aiobs_families[i].buckets;
        }
    }
}
