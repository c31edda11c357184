
/*
 * Copyright (C) the aiobs authors
 *
 * What the rooms share: the configuration.
 */


#ifndef _NGX_HTTP_AIOBS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "usage/aiobs_price.h"
#include "usage/aiobs_usage.h"
#include "keys/ngx_http_aiobs_keys.h"
#include "keys/ngx_http_aiobs_keys_conf.h"
#include "metrics/ngx_http_aiobs_metrics.h"
#include "agents/ngx_http_aiobs_agents.h"
#include "telemetry/ngx_http_aiobs_log.h"
#include "telemetry/ngx_http_aiobs_recorder.h"
#include "request/ngx_http_aiobs_privacy.h"
#include "login/ngx_http_aiobs_login.h"
#include "limits/ngx_http_aiobs_limits.h"
#include "request/ngx_http_aiobs_trace.h"


#if (NGX_PTR_SIZE != 8)
#error counters are 64 bits wide, and changed by atomics of nginx: that takes a 64-bit machine
#endif


#define NGX_HTTP_AIOBS_AUTH_OFF       0
#define NGX_HTTP_AIOBS_AUTH_ON        1
#define NGX_HTTP_AIOBS_AUTH_OPTIONAL  2

#define NGX_HTTP_AIOBS_FORWARD_IDENTITY  0x02
#define NGX_HTTP_AIOBS_FORWARD_TRACE     0x04
#define NGX_HTTP_AIOBS_FORWARD_UNTRACED  0x08   /* no trace context is ours */


/* answers made in the background that are still awaited */
#define NGX_HTTP_AIOBS_BACKGROUND       4096
#define NGX_HTTP_AIOBS_BACKGROUND_WAYS  8


typedef struct ngx_http_aiobs_otlp_s  ngx_http_aiobs_otlp_t;
typedef struct ngx_http_aiobs_sentry_s  ngx_http_aiobs_sentry_t;


/* what lies in the zone; survives reloads */

typedef struct {
    ngx_uint_t                  layout;         /* version of what follows */
    ngx_uint_t                  series;         /* capacities */
    ngx_uint_t                  keys;
    ngx_http_aiobs_metrics_t   *metrics;
    ngx_http_aiobs_keys_t      *table;
    ngx_atomic_t                background[NGX_HTTP_AIOBS_BACKGROUND];
    ngx_http_aiobs_agents_t    *agents;
    u_char                      salt[NGX_HTTP_AIOBS_SALT_LEN];
    ngx_http_aiobs_login_shared_t  *login;
    ngx_http_aiobs_limits_t    *limits;
    ngx_http_aiobs_recorder_t  *recorder;
    ngx_atomic_t                torn[NGX_HTTP_AIOBS_LOG_TORN];
} ngx_http_aiobs_shared_t;


typedef struct {
    ngx_flag_t                  enabled;        /* "aiobs on" somewhere */
    ngx_flag_t                  used;           /* or a handler of ours */
    ngx_flag_t                  llm;            /* "aiobs_llm" somewhere */
    ngx_flag_t                  auth;           /* "aiobs_auth" somewhere */
    ngx_flag_t                  traced;         /* "aiobs_trace" likewise */
    ngx_flag_t                  stream_usage;   /* likewise */
    ngx_flag_t                  spans;          /* asked for somewhere */
    ngx_flag_t                  server_timing;  /* likewise */
    ngx_flag_t                  otlp_disabled;  /* by the environment */
    ngx_uint_t                  outer;          /* own directives, bits, of
                                                   blocks around others */
    ngx_flag_t                  untraced;       /* by OTEL_PROPAGATORS */
    ngx_shm_zone_t             *zone;
    size_t                      zone_size;
    ngx_uint_t                  series;
    ngx_uint_t                  keys;

    ngx_str_t                   store;          /* path of the SQLite file */
    ngx_str_t                   thread_pool_name;
    ngx_thread_pool_t          *thread_pool;

    aiobs_prices_t             *prices;         /* NULL: none are given */

    ngx_array_t                *exporters;      /* NULL: none */
    ngx_http_aiobs_otlp_t      *otlp;           /* NULL: no spans leave */
    ngx_http_aiobs_sentry_t    *sentry;         /* NULL: no events leave */

    ngx_str_t                   service;
    ngx_str_t                   environment;

    ngx_int_t                   request_uri_index;  /* $request_uri */
    ngx_array_t                 header_variables;   /* $http_NAME, $cookie_NAME:
                                           ngx_http_aiobs_header_variable_t */
    ngx_module_t               *proxy;          /* of proxy_pass, or NULL */

    ngx_http_aiobs_metrics_conf_t      metrics;
    ngx_http_aiobs_agents_main_conf_t  agents;
    ngx_http_aiobs_log_main_conf_t  log;
    ngx_http_aiobs_login_main_conf_t  login;
    ngx_http_aiobs_limits_conf_t       limits;
    ngx_http_aiobs_recorder_main_conf_t  recorder;

    ngx_http_aiobs_shared_t    *shared;
    ngx_slab_pool_t            *shpool;
} ngx_http_aiobs_main_conf_t;


typedef struct ngx_http_aiobs_counts_s  ngx_http_aiobs_counts_t;


typedef struct {
    ngx_flag_t                  enable;
    ngx_flag_t                  switched_off;   /* by "aiobs off", in words */
    ngx_http_handler_pt         content;        /* our own, or NULL */
    ngx_uint_t                  auth;
    ngx_http_complex_value_t   *auth_key;
    ngx_flag_t                  auth_query;
    ngx_flag_t                  keys_api;       /* the keys API is here */
    ngx_flag_t                  keys_api_remote;
    ngx_uint_t                  llm;            /* aiobs_dialect_e */
    ngx_flag_t                  fast_headers;
    ngx_flag_t                  stream_usage;
    size_t                      stream_usage_limit;
    ngx_str_t                   endpoint;       /* label values */
    ngx_str_t                   handler;
    ngx_flag_t                  endpoint_default;
    ngx_uint_t                  forward;        /* bits */
    ngx_http_complex_value_t   *user;
    ngx_flag_t                  metrics;        /* the scrape handler is here */
    ngx_flag_t                  metrics_remote;
    ngx_flag_t                  metrics_created;    /* _created is shown */
    ngx_array_t                *models;         /* of aiobs_models, or NULL */
    ngx_http_aiobs_agents_conf_t  agents;
    ngx_http_aiobs_log_conf_t   log;
    ngx_http_aiobs_recorder_conf_t  recorder;
    ngx_http_aiobs_privacy_conf_t  privacy;
    ngx_http_aiobs_counts_t    *counts;         /* of this worker, or NULL */
    ngx_http_aiobs_login_conf_t   login;
    ngx_http_aiobs_trace_conf_t   trace;
} ngx_http_aiobs_loc_conf_t;


extern ngx_module_t  ngx_http_aiobs_module;


/* --- ngx_http_aiobs_slots.c --- */

/* as ngx_conf_set_enum_slot() and ngx_conf_set_bitmask_slot() */
char *ngx_http_aiobs_set_enum_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_aiobs_set_bitmask_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* the value of a label: 1 to 128 bytes, no variables; an ngx_str_t */
char *ngx_http_aiobs_set_label_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* a complex value that has a variable in it */
char *ngx_http_aiobs_set_variable_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* text that may have variables in it; *value is made of cf's pool */
char *ngx_http_aiobs_complex_value(ngx_conf_t *cf, ngx_str_t *text,
    ngx_http_complex_value_t **value);


/* --- src/keys/ngx_http_aiobs_keys_conf.c --- */

void ngx_http_aiobs_keys_create_conf(ngx_http_aiobs_loc_conf_t *conf);
char *ngx_http_aiobs_keys_merge_conf(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf, ngx_http_aiobs_loc_conf_t *prev,
    ngx_http_aiobs_loc_conf_t *conf);


/* --- ngx_http_aiobs_commands.c --- */

extern ngx_command_t  ngx_http_aiobs_commands[];


/* --- ngx_http_aiobs_conf.c --- */

void *ngx_http_aiobs_create_main_conf(ngx_conf_t *cf);
char *ngx_http_aiobs_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_aiobs_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_aiobs_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);

char *ngx_http_aiobs_enable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_aiobs_prices(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_aiobs_service(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_aiobs_stream_usage(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* --- ngx_http_aiobs_idle.c --- */

/* bits: what stands in this very block; before it is merged */
ngx_uint_t ngx_http_aiobs_own_directives(ngx_http_aiobs_loc_conf_t *conf);

/* of what stands in a location and cannot do anything; own: of before */
void ngx_http_aiobs_warn_location(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf, ngx_http_aiobs_loc_conf_t *conf,
    ngx_uint_t own);

/* of all else that is configured and cannot; once all blocks are merged */
void ngx_http_aiobs_warn_idle(ngx_conf_t *cf, ngx_http_aiobs_main_conf_t *amcf);


/* --- ngx_http_aiobs_content.c --- */

char *ngx_http_aiobs_metrics(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* at configuration: answers come from this module in the location */
void ngx_http_aiobs_answers(ngx_conf_t *cf, ngx_http_handler_pt handler);

/* the same in an "if" or a "limit_except" of such a location */
void ngx_http_aiobs_merge_content(ngx_http_core_loc_conf_t *clcf,
    ngx_http_aiobs_loc_conf_t *prev, ngx_http_aiobs_loc_conf_t *conf);

/* whether the client is on this machine */
ngx_uint_t ngx_http_aiobs_loopback(ngx_http_request_t *r);


/* --- ngx_http_aiobs_file.c --- */

/*
 * A file that workers read when they need it: NGX_ERROR, and said why at that
 * level, unless it can be read now and by them.  Only a warning, and NGX_OK,
 * where it is not known yet as whom they run.
 */
ngx_int_t ngx_http_aiobs_worker_reads(ngx_conf_t *cf, ngx_str_t *path,
    ngx_uint_t level);


/* --- ngx_http_aiobs_secret.c --- */

#define NGX_HTTP_AIOBS_SECRET_MAX  4096     /* bytes */

/*
 * What a directive's parameter stands for: "env:NAME", "file:PATH" (without a
 * line feed at its end; relative to the configuration), else the value itself.
 * One line without control bytes, NUL-terminated.  Errors are logged and name
 * what is missing, not its value.
 */
char *ngx_http_aiobs_secret(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *secret);

/*
 * The master's environment, at configuration: NGX_DECLINED: not set or empty.
 * value: not a copy.
 */
ngx_int_t ngx_http_aiobs_environment(const char *name, ngx_str_t *value);


/* --- ngx_http_aiobs_models_conf.c --- */

/* name: of the location, empty for that of a server */
char *ngx_http_aiobs_merge_models(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf, ngx_http_aiobs_loc_conf_t *prev,
    ngx_http_aiobs_loc_conf_t *conf, ngx_str_t *name);


/* --- ngx_http_aiobs_zone.c --- */

char *ngx_http_aiobs_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* adds the zone that the configuration needs */
ngx_int_t ngx_http_aiobs_add_zone(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf);


#endif /* _NGX_HTTP_AIOBS_H_INCLUDED_ */
