
/*
 * Copyright (C) the aiobs authors
 *
 * The agents room: how good retrieval was, and sessions of agents.  What it
 * keeps lies in the zone, under the mutex of its slab pool; locations that
 * ask for neither never come here.
 */


#ifndef _NGX_HTTP_AIOBS_AGENTS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_AGENTS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#define NGX_HTTP_AIOBS_SESSIONS_DEFAULT  10000
#define NGX_HTTP_AIOBS_SESSIONS_MAX      100000


typedef struct ngx_http_aiobs_agents_s    ngx_http_aiobs_agents_t;
typedef struct ngx_http_aiobs_endpoint_s  ngx_http_aiobs_endpoint_t;
typedef struct ngx_http_aiobs_session_s   ngx_http_aiobs_session_t;


/* of a location */

typedef struct {
    ngx_http_complex_value_t   *score;          /* NULL: none */
    ngx_msec_t                  window;
    ngx_http_complex_value_t   *session;        /* NULL: none */
    ngx_http_complex_value_t   *end;            /* NULL: by ttl alone */
    ngx_msec_t                  ttl;
    ngx_uint_t                  calls;          /* of one; 0: no limit */
    ngx_http_aiobs_endpoint_t  *endpoint;       /* in the zone */
    ngx_str_t                   name;           /* of the endpoint */
} ngx_http_aiobs_agents_conf_t;


/* of the http block */

typedef struct {
    ngx_array_t                *locations;      /* of pointers to the above */
    ngx_uint_t                  sessions;       /* capacity; 0: the default */
} ngx_http_aiobs_agents_main_conf_t;


/* a session as seen by one request: it may have ended and be another's now */

typedef struct {
    ngx_http_aiobs_session_t   *session;        /* NULL: none */
    uint32_t                    serial;
} ngx_http_aiobs_session_ref_t;


/* of a request */

typedef struct {
    uint64_t                    score;          /* millionths */
    ngx_str_t                   id;             /* of the session, printable */
    ngx_http_aiobs_agents_conf_t  *conf;        /* what asked for the session */
    ngx_http_aiobs_session_ref_t   ref;
    ngx_queue_t                 calls;          /* under way in this worker */
    unsigned                    scored:1;
    unsigned                    calling:1;      /* it is in that queue */
} ngx_http_aiobs_agent_t;


#define NGX_HTTP_AIOBS_AGENTS_COMMANDS                                        \
                                                                              \
    { ngx_string("aiobs_rag_score"),                                          \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12, \
      ngx_http_aiobs_rag_score,                                               \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, agents),                            \
      NULL },                                                                 \
                                                                              \
    { ngx_string("aiobs_agent_session"),                                      \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,  \
      ngx_http_aiobs_agent_session,                                           \
      NGX_HTTP_LOC_CONF_OFFSET,                                               \
      offsetof(ngx_http_aiobs_loc_conf_t, agents),                            \
      NULL },


/* --- ngx_http_aiobs_agents_conf.c --- */

void ngx_http_aiobs_agents_create_conf(ngx_http_aiobs_agents_conf_t *conf);

/* endpoint: the location's; enabled: "aiobs on" there */
char *ngx_http_aiobs_agents_merge_conf(ngx_conf_t *cf,
    ngx_http_aiobs_agents_main_conf_t *main, ngx_http_aiobs_agents_conf_t *prev,
    ngx_http_aiobs_agents_conf_t *conf, ngx_str_t *endpoint,
    ngx_uint_t enabled);

char *ngx_http_aiobs_rag_score(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_aiobs_agent_session(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* --- ngx_http_aiobs_agents.c --- */

/* sessions there is to be room for; 0: no location asks for them */
ngx_uint_t ngx_http_aiobs_agents_sessions(
    ngx_http_aiobs_agents_main_conf_t *main);

/* bytes of the zone; 0: nothing is asked for */
size_t ngx_http_aiobs_agents_size(ngx_http_aiobs_agents_main_conf_t *main);

/*
 * Zone initialisation, in the master.  *agents: of the cycle before, or NULL;
 * made when it is asked for and not there.  NGX_ERROR is logged.
 */
ngx_int_t ngx_http_aiobs_agents_init_zone(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_agents_main_conf_t *main, ngx_http_aiobs_agents_t **agents,
    ngx_log_t *log);

/* in every worker, which puts windows and ttls in force; NGX_ERROR is logged */
ngx_int_t ngx_http_aiobs_agents_init_process(ngx_http_aiobs_agents_t *agents,
    ngx_slab_pool_t *shpool, ngx_http_aiobs_agents_main_conf_t *main,
    ngx_log_t *log);


/* --- ngx_http_aiobs_rag.c --- */

/* log phase: reads the scores and counts them */
void ngx_http_aiobs_rag_finish(ngx_http_request_t *r,
    ngx_http_aiobs_agents_conf_t *conf, ngx_http_aiobs_agent_t *agent);


/* --- ngx_http_aiobs_session.c --- */

/*
 * A call on its way, once for each request; user: whose it is, sessions of
 * two users are two.  NGX_OK; NGX_DECLINED: it names no session, or there is
 * trouble of our own; NGX_BUSY: the session has had all of its calls.
 */
ngx_int_t ngx_http_aiobs_session_start(ngx_http_request_t *r,
    ngx_http_aiobs_agents_conf_t *conf, ngx_str_t *user,
    ngx_http_aiobs_agent_t *agent);

/* log phase; a session that only the answer names is counted now */
void ngx_http_aiobs_session_finish(ngx_http_request_t *r, ngx_str_t *user,
    uint64_t tokens, ngx_http_aiobs_agent_t *agent);

/* what was counted on its way was refused after all; once for a request */
void ngx_http_aiobs_session_refused(ngx_http_aiobs_agent_t *agent);

/* the request is gone, whatever became of it */
void ngx_http_aiobs_session_forget(ngx_http_aiobs_agent_t *agent);


#endif /* _NGX_HTTP_AIOBS_AGENTS_H_INCLUDED_ */
