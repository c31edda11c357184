
/*
 * Copyright (C) the aiobs authors
 *
 * The log: its directives, and what of them lies in the configuration.
 */


#ifndef _NGX_HTTP_AIOBS_LOG_H_INCLUDED_
#define _NGX_HTTP_AIOBS_LOG_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* files at a time that may end with half a line; see log_init_process() */
#define NGX_HTTP_AIOBS_LOG_TORN  64


typedef struct ngx_http_aiobs_log_s  ngx_http_aiobs_log_t;


/* of the http block */

typedef struct {
    ngx_array_t                *sinks;      /* ngx_http_aiobs_log_sink_t * */
} ngx_http_aiobs_log_main_conf_t;


/* of a location */

typedef struct {
    ngx_array_t                *logs;       /* ngx_http_aiobs_log_t *, or NULL */
    ngx_array_t                *fields;     /* of aiobs_log_field, or NULL */
} ngx_http_aiobs_log_conf_t;


#define NGX_HTTP_AIOBS_LOG_COMMANDS                                           \
                                                                              \
    { ngx_string("aiobs_log"),                                                \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,  \
      ngx_http_aiobs_log_directive,                                           \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, log),                               \
      NULL },                                                                 \
                                                                              \
    { ngx_string("aiobs_log_field"),                                          \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,  \
      ngx_http_aiobs_log_field,                                               \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, log),                               \
      NULL },


/* --- ngx_http_aiobs_log_conf.c --- */

void ngx_http_aiobs_log_create_conf(ngx_http_aiobs_log_conf_t *conf);
void ngx_http_aiobs_log_merge_conf(ngx_http_aiobs_log_conf_t *prev,
    ngx_http_aiobs_log_conf_t *conf);

char *ngx_http_aiobs_log_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* in the master, once the configuration is read: what "stderr" is */
ngx_int_t ngx_http_aiobs_log_init_module(ngx_cycle_t *cycle);


/* --- ngx_http_aiobs_log_out.c --- */

/* torn: NGX_HTTP_AIOBS_LOG_TORN of them, in the zone, zeroed when it is made */
void ngx_http_aiobs_log_init_process(ngx_atomic_t *torn);


/* --- ngx_http_aiobs_log_field.c --- */

char *ngx_http_aiobs_log_field(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#endif /* _NGX_HTTP_AIOBS_LOG_H_INCLUDED_ */
