
/*
 * Copyright (C) the aiobs authors
 *
 * Directives of the keys room.
 */


#ifndef _NGX_HTTP_AIOBS_KEYS_CONF_H_INCLUDED_
#define _NGX_HTTP_AIOBS_KEYS_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


extern ngx_conf_enum_t  ngx_http_aiobs_auth_values[];


char *ngx_http_aiobs_key_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_aiobs_keys_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* --- ngx_http_aiobs_keys_api.c --- */

typedef struct ngx_http_aiobs_keys_call_s  ngx_http_aiobs_keys_call_t;

ngx_int_t ngx_http_aiobs_keys_api_content(ngx_http_request_t *r);


#define NGX_HTTP_AIOBS_KEYS_COMMANDS                                          \
                                                                              \
    { ngx_string("aiobs_key_store"),                                          \
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,                                    \
      ngx_http_aiobs_key_store,                                               \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      0,                                                                      \
      NULL },                                                                 \
                                                                              \
    { ngx_string("aiobs_auth"),                                               \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,  \
      ngx_http_aiobs_set_enum_slot,                                           \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, auth),                              \
      &ngx_http_aiobs_auth_values },                                          \
                                                                              \
    { ngx_string("aiobs_auth_key"),                                           \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,  \
      ngx_http_aiobs_set_variable_slot,                                       \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, auth_key),                          \
      NULL },                                                                 \
                                                                              \
    { ngx_string("aiobs_auth_query"),                                         \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,   \
      ngx_conf_set_flag_slot,                                                 \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, auth_query),                        \
      NULL },                                                                 \
                                                                              \
    { ngx_string("aiobs_user"),                                               \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,  \
      ngx_http_set_complex_value_slot,                                        \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, user),                              \
      NULL },                                                                 \
                                                                              \
    { ngx_string("aiobs_keys_api"),                                           \
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,                       \
      ngx_http_aiobs_keys_api,                                                \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      0,                                                                      \
      NULL },


#endif /* _NGX_HTTP_AIOBS_KEYS_CONF_H_INCLUDED_ */
