
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs_privacy: how clients and users are shown.  Applied where the record is
 * read, so that the log, variables, spans, events and the recorder agree.
 */


#ifndef _NGX_HTTP_AIOBS_PRIVACY_H_INCLUDED_
#define _NGX_HTTP_AIOBS_PRIVACY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#define NGX_HTTP_AIOBS_SALT_LEN   32    /* of the zone's own */
#define NGX_HTTP_AIOBS_HASH_LEN   16    /* hex digits shown of a hash */


typedef enum {
    NGX_HTTP_AIOBS_KEEP = 0,
    NGX_HTTP_AIOBS_TRUNCATE,            /* clients: IPv4 /24, IPv6 /48 */
    NGX_HTTP_AIOBS_HASH,                /* users: keyed, HMAC-SHA256 */
    NGX_HTTP_AIOBS_DROP
} ngx_http_aiobs_privacy_e;


/* of a location */

typedef struct {
    ngx_uint_t                  client;         /* ngx_http_aiobs_privacy_e */
    ngx_uint_t                  user;
    ngx_str_t                   salt;           /* empty: the zone's */
} ngx_http_aiobs_privacy_conf_t;


/* of a request: a name and what is shown in its place */

typedef struct {
    ngx_str_t                   name;
    u_char                      hash[NGX_HTTP_AIOBS_HASH_LEN];
} ngx_http_aiobs_pseudonym_t;


#define NGX_HTTP_AIOBS_PRIVACY_COMMANDS                                       \
                                                                              \
    { ngx_string("aiobs_privacy"),                                            \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,\
      ngx_http_aiobs_privacy,                                                 \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, privacy),                           \
      NULL },


void ngx_http_aiobs_privacy_create_conf(ngx_http_aiobs_privacy_conf_t *conf);
void ngx_http_aiobs_privacy_merge_conf(ngx_http_aiobs_privacy_conf_t *prev,
    ngx_http_aiobs_privacy_conf_t *conf);

char *ngx_http_aiobs_privacy(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/*
 * The client's address as it may be shown; buf: room for
 * NGX_SOCKADDR_STRLEN.  Empty: not at all.
 */
void ngx_http_aiobs_privacy_client(ngx_http_aiobs_privacy_conf_t *conf,
    ngx_connection_t *c, u_char *buf, ngx_str_t *client);

/*
 * A user as he may be shown, kept in p for the rest of the request.  salt: of
 * the zone.  Empty: not at all.
 */
void ngx_http_aiobs_privacy_user(ngx_http_aiobs_privacy_conf_t *conf,
    u_char *salt, ngx_http_aiobs_pseudonym_t *p, ngx_str_t *user);


#endif /* _NGX_HTTP_AIOBS_PRIVACY_H_INCLUDED_ */
