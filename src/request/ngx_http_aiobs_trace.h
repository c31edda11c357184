
/*
 * Copyright (C) the aiobs authors
 *
 * What a location says about traces.
 */


#ifndef _NGX_HTTP_AIOBS_TRACE_H_INCLUDED_
#define _NGX_HTTP_AIOBS_TRACE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#define NGX_HTTP_AIOBS_TRACE_OFF       0
#define NGX_HTTP_AIOBS_TRACE_ON        1
#define NGX_HTTP_AIOBS_TRACE_VARIABLE  2

/* a ratio of 1: as many trace ids as there are in 56 bits */
#define NGX_HTTP_AIOBS_TRACE_ALL       ((uint64_t) 1 << 56)
#define NGX_HTTP_AIOBS_TRACE_LOT       14       /* hex digits of them */


typedef enum {
    NGX_HTTP_AIOBS_PARENT_AUTO = 0,     /* trust with a valid key, else link */
    NGX_HTTP_AIOBS_PARENT_TRUST,
    NGX_HTTP_AIOBS_PARENT_LINK,
    NGX_HTTP_AIOBS_PARENT_IGNORE
} ngx_http_aiobs_parent_e;


typedef struct {
    ngx_uint_t                  mode;
    ngx_http_complex_value_t   *value;      /* of VARIABLE */
    uint64_t                    ratio;      /* of NGX_HTTP_AIOBS_TRACE_ALL */
    ngx_flag_t                  parent_based;
    ngx_flag_t                  error;      /* failed ones always */
    ngx_flag_t                  gen_ai;     /* gen_ai.* attributes */
    ngx_flag_t                  spans;      /* "on", and no ratio is said */
    ngx_uint_t                  parent;
    ngx_flag_t                  server_timing;
} ngx_http_aiobs_trace_conf_t;


#define NGX_HTTP_AIOBS_TRACE_COMMANDS                                         \
                                                                              \
    { ngx_string("aiobs_trace"),                                              \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,  \
      ngx_http_aiobs_trace_directive,                                         \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, trace),                             \
      NULL },                                                                 \
                                                                              \
    { ngx_string("aiobs_trace_parent"),                                       \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,  \
      ngx_http_aiobs_set_enum_slot,                                           \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, trace)                              \
      + offsetof(ngx_http_aiobs_trace_conf_t, parent),                        \
      &ngx_http_aiobs_trace_parents },                                        \
                                                                              \
    { ngx_string("aiobs_server_timing"),                                      \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,   \
      ngx_conf_set_flag_slot,                                                 \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, trace)                              \
      + offsetof(ngx_http_aiobs_trace_conf_t, server_timing),                 \
      NULL },


extern ngx_conf_enum_t  ngx_http_aiobs_trace_parents[];


/* --- ngx_http_aiobs_trace_conf.c --- */

void ngx_http_aiobs_trace_create_conf(ngx_http_aiobs_trace_conf_t *conf);
void ngx_http_aiobs_trace_merge_conf(ngx_http_aiobs_trace_conf_t *prev,
    ngx_http_aiobs_trace_conf_t *conf);

/* aiobs_trace on | off | value [ratio=number] [error=on|off] [gen_ai=on|off] */
char *ngx_http_aiobs_trace_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* "0.25" and the like, from 0 to 1 */
ngx_int_t ngx_http_aiobs_trace_ratio(ngx_str_t *text, uint64_t *ratio);


#endif /* _NGX_HTTP_AIOBS_TRACE_H_INCLUDED_ */
