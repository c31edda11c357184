
/*
 * Copyright (C) the aiobs authors
 *
 * The flight recorder: the last finished requests and those under way, in the
 * zone.  No content of requests or answers, no secrets.
 */


#ifndef _NGX_HTTP_AIOBS_RECORDER_H_INCLUDED_
#define _NGX_HTTP_AIOBS_RECORDER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#define NGX_HTTP_AIOBS_RECORDER_DEFAULT  1000
#define NGX_HTTP_AIOBS_RECORDER_MAX      100000


typedef struct ngx_http_aiobs_recorder_s  ngx_http_aiobs_recorder_t;
typedef struct ngx_http_aiobs_flight_s    ngx_http_aiobs_flight_t;


/* of the http block */

typedef struct {
    ngx_uint_t                  capacity;       /* 0: off */
    ngx_uint_t                  used;           /* "aiobs_requests" somewhere */
} ngx_http_aiobs_recorder_main_conf_t;


/* of a location */

typedef struct {
    ngx_uint_t                  handler;        /* "aiobs_requests" is here */
    ngx_uint_t                  remote;
} ngx_http_aiobs_recorder_conf_t;


#define NGX_HTTP_AIOBS_RECORDER_COMMANDS                                      \
                                                                              \
    { ngx_string("aiobs_recorder"),                                           \
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,                                      \
      ngx_http_aiobs_recorder_directive,                                      \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      offsetof(ngx_http_aiobs_main_conf_t, recorder),                         \
      NULL },                                                                 \
                                                                              \
    { ngx_string("aiobs_requests"),                                           \
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,                       \
      ngx_http_aiobs_requests,                                                \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, recorder),                          \
      NULL },


/* --- ngx_http_aiobs_recorder_conf.c --- */

void ngx_http_aiobs_recorder_create_conf(
    ngx_http_aiobs_recorder_main_conf_t *main);
char *ngx_http_aiobs_recorder_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_aiobs_requests(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* --- ngx_http_aiobs_recorder.c --- */

/* bytes of the zone, the capacity settled; 0: nothing is recorded */
size_t ngx_http_aiobs_recorder_size(ngx_http_aiobs_recorder_main_conf_t *main);

/*
 * Zone initialisation, in the master.  *recorder: of the cycle before, or
 * NULL; made when it is asked for and not there.  NGX_ERROR is logged.
 */
ngx_int_t ngx_http_aiobs_recorder_init_zone(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_recorder_main_conf_t *main,
    ngx_http_aiobs_recorder_t **recorder, ngx_log_t *log);

/* in every worker; recorder: NULL when nothing is recorded */
void ngx_http_aiobs_recorder_init_process(ngx_http_aiobs_recorder_t *recorder,
    ngx_slab_pool_t *shpool);


#endif /* _NGX_HTTP_AIOBS_RECORDER_H_INCLUDED_ */
