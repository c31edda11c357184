
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


typedef struct ngx_http_aiobs_agents_s    ngx_http_aiobs_agents_t;
typedef struct ngx_http_aiobs_endpoint_s  ngx_http_aiobs_endpoint_t;


/* of a location */

typedef struct {
    ngx_http_complex_value_t   *score;          /* NULL: none */
    ngx_msec_t                  window;
    ngx_http_aiobs_endpoint_t  *endpoint;       /* in the zone */
    ngx_str_t                   name;           /* of the endpoint */
} ngx_http_aiobs_agents_conf_t;


/* of the http block */

typedef struct {
    ngx_array_t                *locations;      /* of pointers to the above */
} ngx_http_aiobs_agents_main_conf_t;


/* of a request */

typedef struct {
    uint64_t                    score;          /* millionths */
    unsigned                    scored:1;
} ngx_http_aiobs_agent_t;


#define NGX_HTTP_AIOBS_AGENTS_COMMANDS                                        \
                                                                              \
    { ngx_string("aiobs_rag_score"),                                          \
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12, \
      ngx_http_aiobs_rag_score,                                               \
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


/* --- ngx_http_aiobs_agents.c --- */

/* bytes of the zone; 0: nothing is asked for */
size_t ngx_http_aiobs_agents_size(ngx_http_aiobs_agents_main_conf_t *main);

/*
 * Zone initialisation, in the master.  *agents: of the cycle before, or NULL;
 * made when it is asked for and not there.  NGX_ERROR is logged.
 */
ngx_int_t ngx_http_aiobs_agents_init_zone(ngx_slab_pool_t *shpool,
    ngx_http_aiobs_agents_main_conf_t *main, ngx_http_aiobs_agents_t **agents,
    ngx_log_t *log);

/* in every worker */
void ngx_http_aiobs_agents_init_process(ngx_http_aiobs_agents_t *agents,
    ngx_slab_pool_t *shpool);


/* --- ngx_http_aiobs_rag.c --- */

/* log phase: reads the scores and counts them */
void ngx_http_aiobs_rag_finish(ngx_http_request_t *r,
    ngx_http_aiobs_agents_conf_t *conf, ngx_http_aiobs_agent_t *agent);


#endif /* _NGX_HTTP_AIOBS_AGENTS_H_INCLUDED_ */
