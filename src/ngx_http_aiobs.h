
/*
 * Copyright (C) the aiobs authors
 *
 * What the rooms share: configuration and the story of one request.
 */


#ifndef _NGX_HTTP_AIOBS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "usage/aiobs_usage.h"
#include "keys/ngx_http_aiobs_keys.h"
#include "metrics/ngx_http_aiobs_metrics.h"


#define NGX_HTTP_AIOBS_VERSION  "0.1.0"


#define NGX_HTTP_AIOBS_AUTH_OFF       0
#define NGX_HTTP_AIOBS_AUTH_ON        1
#define NGX_HTTP_AIOBS_AUTH_OPTIONAL  2

#define NGX_HTTP_AIOBS_FORWARD_IDENTITY  0x02
#define NGX_HTTP_AIOBS_FORWARD_TRACE     0x04


/* what lies in the zone; survives reloads */

typedef struct {
    ngx_uint_t                  layout;         /* version of this struct */
    ngx_uint_t                  series;         /* capacities */
    ngx_uint_t                  keys;
    ngx_http_aiobs_metrics_t   *metrics;
    ngx_http_aiobs_keys_t      *keys_table;
} ngx_http_aiobs_shared_t;


typedef struct {
    ngx_flag_t                  used;           /* "aiobs on" somewhere */
    ngx_shm_zone_t             *zone;
    ngx_str_t                   zone_file;      /* where aiobs_zone stands */
    size_t                      zone_size;
    ngx_uint_t                  series;
    ngx_uint_t                  keys;

    ngx_str_t                   store;          /* path of the SQLite file */
    ngx_str_t                   thread_pool_name;
    ngx_thread_pool_t          *thread_pool;

    ngx_str_t                   service;
    ngx_str_t                   environment;

    ngx_http_aiobs_shared_t    *shared;
    ngx_slab_pool_t            *shpool;
} ngx_http_aiobs_main_conf_t;


typedef struct ngx_http_aiobs_log_s  ngx_http_aiobs_log_t;


typedef struct {
    ngx_flag_t                  enable;
    ngx_uint_t                  auth;
    ngx_http_complex_value_t   *auth_key;
    ngx_flag_t                  auth_query;
    ngx_uint_t                  llm;            /* aiobs_dialect_e */
    ngx_str_t                   endpoint;
    ngx_str_t                   handler;
    ngx_uint_t                  forward;        /* bits */
    ngx_http_complex_value_t   *user;
    ngx_array_t                *logs;           /* of ngx_http_aiobs_log_t * */
    ngx_flag_t                  metrics;        /* the scrape handler is here */
    ngx_flag_t                  metrics_remote;
} ngx_http_aiobs_loc_conf_t;


extern ngx_module_t  ngx_http_aiobs_module;


#endif /* _NGX_HTTP_AIOBS_H_INCLUDED_ */
