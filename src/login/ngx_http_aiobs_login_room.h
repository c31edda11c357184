
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the login room.
 */


#ifndef _NGX_HTTP_AIOBS_LOGIN_ROOM_H_INCLUDED_
#define _NGX_HTTP_AIOBS_LOGIN_ROOM_H_INCLUDED_


#include "../request/ngx_http_aiobs_request.h"
#include "../keys/aiobs_store_manage.h"
#include "aiobs_oidc.h"


#define NGX_HTTP_AIOBS_LOGIN_TTL      600   /* seconds from start to callback */
#define NGX_HTTP_AIOBS_LOGIN_TASKS    4     /* at once, in a worker */
#define NGX_HTTP_AIOBS_LOGIN_WAITING  128   /* suspended requests, at most */
#define NGX_HTTP_AIOBS_LOGIN_SECRET   32    /* bytes */
#define NGX_HTTP_AIOBS_LOGIN_NAME_MAX 32    /* of a provider */
#define NGX_HTTP_AIOBS_LOGIN_COOKIES  64    /* looked at, of one provider */
#define NGX_HTTP_AIOBS_LOGIN_TAG      8     /* bytes of a state */


struct ngx_http_aiobs_login_provider_s {
    ngx_str_t                         name;
    ngx_uint_t                        index;
    aiobs_oidc_conf_t                 oidc;

    ngx_str_t                         issuer;
    ngx_str_t                         client_id;
    ngx_str_t                         client_secret;
    ngx_str_t                         redirect_uri;
    ngx_str_t                         ca_file;
    ngx_str_t                         cookie_secret;
    ngx_str_t                         key_name;
    ngx_str_t                         scopes;
    ngx_array_t                      *domains;  /* of C strings */
    ngx_array_t                      *emails;
    ngx_flag_t                        user_is_email;
    ngx_msec_t                        timeout;
    time_t                            refresh;  /* seconds */
    time_t                            grace;

    ngx_str_t                         origin;   /* of redirect_uri */
    ngx_str_t                         path;
    ngx_str_t                         cookie;   /* its name, up to a tag */
    ngx_str_t                         start;    /* a path, "" if unknown */
    unsigned                          located:1;    /* by an aiobs_login */
    unsigned                          reached:1;    /* path is, as it seems */
};


/* tag: the beginning of the state of a login, which tells it from others */

typedef struct {
    char                              tag[NGX_HTTP_AIOBS_LOGIN_TAG + 1];
    ngx_str_t                         value;
} ngx_http_aiobs_login_cookie_t;


/* a request that starts a login, or ends one; in its pool */

struct ngx_http_aiobs_login_s {
    ngx_http_aiobs_login_provider_t  *provider;
    ngx_http_request_t               *request;
    ngx_http_aiobs_login_t           *next;     /* that waits */

    ngx_str_t                         args;     /* of a callback */
    char                              tag[NGX_HTTP_AIOBS_LOGIN_TAG + 1];
    ngx_str_t                         request_id;
    char                              endpoint[AIOBS_OIDC_URL_MAX];
    aiobs_oidc_login_t                oidc;
    ngx_http_aiobs_keys_work_t        work;
    char                              key[AIOBS_KEY_RAW_LEN + 1];
    char                              hash[AIOBS_KEY_HEX_LEN + 1];
    aiobs_login_key_t                 given;    /* what the store has */

    aiobs_login_e                     result;
    unsigned                          callback:1;
    unsigned                          iss:1;    /* the callback has it */
    unsigned                          done:1;
    unsigned                          over:1;   /* result is what it came to */
};


/* --- ngx_http_aiobs_login_conf.c --- */

/* NULL: there is none of that name */
ngx_http_aiobs_login_provider_t *ngx_http_aiobs_login_find(
    ngx_http_aiobs_login_main_conf_t *main, ngx_str_t *name);


/* --- ngx_http_aiobs_login_line.c --- */

/* a line in the block; conf: its provider */
char *ngx_http_aiobs_oidc_line(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* --- ngx_http_aiobs_login_complete.c --- */

/* checks a provider whose lines are read, and fills the rest */
char *ngx_http_aiobs_oidc_complete(ngx_conf_t *cf,
    ngx_http_aiobs_login_provider_t *p);


/* --- ngx_http_aiobs_login_zone.c --- */

/* NGX_DECLINED: this ticket was used before; it counts as used now */
ngx_int_t ngx_http_aiobs_login_use(const u_char *ticket, time_t expires);

/* what cookies of this provider are signed with */
void ngx_http_aiobs_login_secret(ngx_http_aiobs_login_provider_t *provider,
    aiobs_oidc_ticket_t *ticket);


/* --- ngx_http_aiobs_login_callback.c --- */

/*
 * Whether this answer is one to this browser's login; fills login->oidc.
 * AIOBS_LOGIN_OK: the code is to be turned into a person.
 */
aiobs_login_e ngx_http_aiobs_login_check(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login);


/* --- ngx_http_aiobs_login_worker.c --- */

extern ngx_http_aiobs_login_shared_t  *ngx_http_aiobs_login_shared;
extern ngx_slab_pool_t                *ngx_http_aiobs_login_pool;

/*
 * Suspends the request until the provider, and the store, have answered; then
 * its write event handler is called, with login->done set.  NGX_BUSY: too many
 * wait already.
 */
ngx_int_t ngx_http_aiobs_login_ask(ngx_http_aiobs_login_t *login);

/* whether the client has left; login->result is then LEFT */
ngx_uint_t ngx_http_aiobs_login_left(ngx_http_aiobs_login_t *login);

/* login->result stands: the request goes on */
void ngx_http_aiobs_login_resume(ngx_http_aiobs_login_t *login);


/* --- ngx_http_aiobs_login_key.c --- */

/* saves a new key for login->oidc, then resumes the request */
void ngx_http_aiobs_login_key(ngx_http_aiobs_login_t *login);


/* --- ngx_http_aiobs_login.c --- */

/* the content handler */
ngx_int_t ngx_http_aiobs_login_content(ngx_http_request_t *r);


/* --- ngx_http_aiobs_login_start.c --- */

/* sends the browser to the provider, with a cookie */
ngx_int_t ngx_http_aiobs_login_redirect(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login);

/* a browser guesses that somebody may come here: no login is to be used up */
ngx_uint_t ngx_http_aiobs_login_prefetch(ngx_http_request_t *r);

/* 204, with which it waits until somebody does */
ngx_int_t ngx_http_aiobs_login_later(ngx_http_request_t *r);


/* --- ngx_http_aiobs_login_cookie.c --- */

/* those that the browser has sent; NGX_HTTP_AIOBS_LOGIN_COOKIES at most */
ngx_uint_t ngx_http_aiobs_login_cookies(ngx_http_request_t *r,
    ngx_http_aiobs_login_provider_t *provider,
    ngx_http_aiobs_login_cookie_t *cookies);

/* NGX_DECLINED: what begins so is no state; as many bytes are there */
ngx_int_t ngx_http_aiobs_login_tag(const u_char *state, char *tag);

/* the oldest are taken away, so that one more is not too many */
ngx_int_t ngx_http_aiobs_login_make_room(ngx_http_request_t *r,
    ngx_http_aiobs_login_provider_t *provider);

/* value: of the cookie, "" takes it away */
ngx_int_t ngx_http_aiobs_login_set_cookie(ngx_http_request_t *r,
    ngx_http_aiobs_login_provider_t *provider, const char *tag,
    const char *value);


/* --- ngx_http_aiobs_login_page.c --- */

/* in every process, at configuration: hashes of what pages hold */
ngx_int_t ngx_http_aiobs_login_page_init(ngx_conf_t *cf);

/* label value "result" */
const char *ngx_http_aiobs_login_result_name(aiobs_login_e result);

/* the key, or what to do, for a person or a program */
ngx_int_t ngx_http_aiobs_login_answer(ngx_http_request_t *r,
    ngx_http_aiobs_login_t *login);


#endif /* _NGX_HTTP_AIOBS_LOGIN_ROOM_H_INCLUDED_ */
