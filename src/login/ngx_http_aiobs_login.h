
/*
 * Copyright (C) the aiobs authors
 *
 * The login room: people sign in at an OpenID provider and get a key.
 */


#ifndef _NGX_HTTP_AIOBS_LOGIN_H_INCLUDED_
#define _NGX_HTTP_AIOBS_LOGIN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


typedef struct ngx_http_aiobs_login_s           ngx_http_aiobs_login_t;
typedef struct ngx_http_aiobs_login_provider_s  ngx_http_aiobs_login_provider_t;
typedef struct ngx_http_aiobs_login_shared_s    ngx_http_aiobs_login_shared_t;


/* of the http block */

typedef struct {
    ngx_array_t                      *providers;    /* of pointers */
    ngx_uint_t                        used;         /* aiobs_login somewhere */
} ngx_http_aiobs_login_main_conf_t;


/* of a location; not inherited */

typedef struct {
    ngx_str_t                         name;         /* empty: no login here */
    ngx_http_aiobs_login_provider_t  *provider;
} ngx_http_aiobs_login_conf_t;


#define NGX_HTTP_AIOBS_LOGIN_COMMANDS                                         \
                                                                              \
    { ngx_string("aiobs_oidc_provider"),                                      \
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,                       \
      ngx_http_aiobs_oidc_provider,                                           \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      offsetof(ngx_http_aiobs_main_conf_t, login),                            \
      NULL },                                                                 \
                                                                              \
    { ngx_string("aiobs_login"),                                              \
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,                                       \
      ngx_http_aiobs_login,                                                   \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, login),                             \
      NULL },


/* --- ngx_http_aiobs_login_conf.c --- */

char *ngx_http_aiobs_login(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* merging: finds the provider; usable: "aiobs on" and a key store */
char *ngx_http_aiobs_login_merge_conf(ngx_conf_t *cf,
    ngx_http_aiobs_login_main_conf_t *main, ngx_http_aiobs_login_conf_t *conf,
    ngx_uint_t usable);

/* merged: warns of providers that send people back to where no login ends */
void ngx_http_aiobs_login_warn(ngx_conf_t *cf,
    ngx_http_aiobs_login_main_conf_t *main);


/* --- ngx_http_aiobs_login_provider.c --- */

char *ngx_http_aiobs_oidc_provider(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* --- ngx_http_aiobs_login_zone.c --- */

/* bytes of the zone; 0: there are no logins */
size_t ngx_http_aiobs_login_size(ngx_http_aiobs_login_main_conf_t *main);

/*
 * Zone initialisation, in the master.  *shared: of the cycle before, or NULL;
 * made when it is asked for and not there.  NGX_ERROR is logged.
 */
ngx_int_t ngx_http_aiobs_login_init_zone(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_login_main_conf_t *main,
    ngx_http_aiobs_login_shared_t **shared, ngx_log_t *log);


/* --- ngx_http_aiobs_login_worker.c --- */

/* in every worker; main, shared and pool are used until exit */
ngx_int_t ngx_http_aiobs_login_init_process(
    ngx_http_aiobs_login_main_conf_t *main,
    ngx_http_aiobs_login_shared_t *shared, ngx_slab_pool_t *shpool,
    ngx_thread_pool_t *pool, ngx_cycle_t *cycle);
void ngx_http_aiobs_login_exit_process(void);


/* --- ngx_http_aiobs_login.c --- */

/*
 * Post-read: the arguments of a callback (code, state) leave the request line
 * before anything logs it.
 */
void ngx_http_aiobs_login_mask(ngx_http_request_t *r);

/* the same of a request that was malformed before that, or seems to be */
void ngx_http_aiobs_login_mask_malformed(ngx_http_request_t *r);

/* the same for $args and $request_uri, once the location is known */
ngx_int_t ngx_http_aiobs_login_hide(ngx_http_request_t *r);

/* for the log: "login_started", "logged_in", "login_refused", or "request" */
const char *ngx_http_aiobs_login_event_name(ngx_http_aiobs_login_t *login);

/* why it was refused, one word; "" if it was not */
const char *ngx_http_aiobs_login_error(ngx_http_aiobs_login_t *login);

ngx_str_t *ngx_http_aiobs_login_provider_name(ngx_http_aiobs_login_t *login);


#endif /* _NGX_HTTP_AIOBS_LOGIN_H_INCLUDED_ */
