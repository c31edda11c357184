
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the agents room: what lies in the zone.
 */


#ifndef _NGX_HTTP_AIOBS_AGENTS_ZONE_H_INCLUDED_
#define _NGX_HTTP_AIOBS_AGENTS_ZONE_H_INCLUDED_


#include "ngx_http_aiobs_agents.h"
#include "../metrics/ngx_http_aiobs_families.h"


#define NGX_HTTP_AIOBS_ENDPOINTS_MAX   256
#define NGX_HTTP_AIOBS_RAG_SLICES      60   /* of a window */


/* scores of one slice of time, and which one that is */

typedef struct {
    uint64_t                     number;
    uint64_t                     n;
    uint64_t                     sum;       /* millionths */
} ngx_http_aiobs_rag_slice_t;


/* never freed: workers of a former configuration may look at it */

struct ngx_http_aiobs_endpoint_s {
    ngx_msec_t                   window;    /* 0: no scores are asked for */
    size_t                       len;
    u_char                       name[AIOBS_LABEL_MAX];
    ngx_http_aiobs_rag_slice_t   slices[NGX_HTTP_AIOBS_RAG_SLICES];
};


struct ngx_http_aiobs_agents_s {
    ngx_uint_t                   n;         /* endpoints */
    ngx_http_aiobs_endpoint_t   *endpoints[NGX_HTTP_AIOBS_ENDPOINTS_MAX];
};


/* this process'; NULL where nothing is asked for */
extern ngx_http_aiobs_agents_t  *ngx_http_aiobs_agents;
extern ngx_slab_pool_t          *ngx_http_aiobs_agents_pool;


/* the mean of what lies in the window; NGX_DECLINED: nothing does */
ngx_int_t ngx_http_aiobs_rag_mean(ngx_http_aiobs_endpoint_t *e,
    uint64_t *mean);


#endif /* _NGX_HTTP_AIOBS_AGENTS_ZONE_H_INCLUDED_ */
