
/*
 * Copyright (C) the aiobs authors
 *
 * The directives of the metrics room.
 */


#include "ngx_http_aiobs_families.h"


void
ngx_http_aiobs_metrics_init_conf(ngx_http_aiobs_metrics_conf_t *conf)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_AIOBS_FAMILY_LAST; i++) {
        if (conf->buckets[i] == NULL) {
            conf->buckets[i] = ngx_http_aiobs_families[i].buckets;
        }
    }
}
