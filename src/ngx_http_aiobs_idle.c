
/*
 * Copyright (C) the aiobs authors
 *
 * What is configured and cannot do anything, of which nginx -t warns.  What a
 * location inherits is never warned of: in an outer block it may stand there
 * for some of the locations only.
 */


#include "ngx_http_aiobs.h"
#include "telemetry/ngx_http_aiobs_otlp.h"
#include "telemetry/ngx_http_aiobs_sentry.h"


typedef enum {
    NGX_HTTP_AIOBS_NEEDS_NOTHING = 0,   /* but "aiobs on" */
    NGX_HTTP_AIOBS_NEEDS_LLM,
    NGX_HTTP_AIOBS_NEEDS_TRACE,
    NGX_HTTP_AIOBS_NEEDS_TRACES,        /* or transactions of Sentry */
    NGX_HTTP_AIOBS_NEEDS_AUTH,
    NGX_HTTP_AIOBS_NEEDS_LOG
} ngx_http_aiobs_needs_e;


typedef struct {
    const char              *name;
    ngx_http_aiobs_needs_e   needs;
} ngx_http_aiobs_need_t;


static ngx_uint_t ngx_http_aiobs_outer(ngx_http_core_loc_conf_t *clcf);
static ngx_uint_t ngx_http_aiobs_lacks(ngx_http_aiobs_main_conf_t *amcf,
    ngx_http_aiobs_needs_e needs, ngx_http_aiobs_loc_conf_t *conf);
static ngx_uint_t ngx_http_aiobs_transactions(
    ngx_http_aiobs_main_conf_t *amcf);
static void ngx_http_aiobs_warn_outer(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf);
static void ngx_http_aiobs_warn_nowhere(ngx_conf_t *cf, const char *name,
    const char *needs);
static void ngx_http_aiobs_warn_spans(ngx_conf_t *cf,
    ngx_http_aiobs_main_conf_t *amcf);


/* bits of ngx_http_aiobs_own_directives() in their order */

static const ngx_http_aiobs_need_t  ngx_http_aiobs_needs[] = {
    { "aiobs_llm", NGX_HTTP_AIOBS_NEEDS_NOTHING },
    { "aiobs_log", NGX_HTTP_AIOBS_NEEDS_NOTHING },
    { "aiobs_trace", NGX_HTTP_AIOBS_NEEDS_NOTHING },
    { "aiobs_agent_session", NGX_HTTP_AIOBS_NEEDS_NOTHING },
    { "aiobs_rag_score", NGX_HTTP_AIOBS_NEEDS_NOTHING },
    { "aiobs_user", NGX_HTTP_AIOBS_NEEDS_NOTHING },
    { "aiobs_stream_usage", NGX_HTTP_AIOBS_NEEDS_LLM },
    { "aiobs_models", NGX_HTTP_AIOBS_NEEDS_LLM },
    { "aiobs_server_timing", NGX_HTTP_AIOBS_NEEDS_TRACE },
    { "aiobs_trace_parent", NGX_HTTP_AIOBS_NEEDS_TRACES },
    { "aiobs_auth_key", NGX_HTTP_AIOBS_NEEDS_AUTH },
    { "aiobs_auth_query", NGX_HTTP_AIOBS_NEEDS_AUTH },
    { "aiobs_log_field", NGX_HTTP_AIOBS_NEEDS_LOG },
    { NULL, NGX_HTTP_AIOBS_NEEDS_NOTHING }
};


static const char *const  ngx_http_aiobs_needed[] = {
    NULL, "aiobs_llm", "aiobs_trace", "aiobs_trace", "aiobs_auth", "aiobs_log"
};


ngx_uint_t
ngx_http_aiobs_own_directives(ngx_http_aiobs_loc_conf_t *conf)
{
    ngx_uint_t  i, own;
    ngx_uint_t  set[] = {
        conf->llm != NGX_CONF_UNSET_UINT && conf->llm != AIOBS_DIALECT_OFF,
        conf->log.logs != NGX_CONF_UNSET_PTR && conf->log.logs != NULL,
        conf->trace.mode != NGX_CONF_UNSET_UINT
            && conf->trace.mode != NGX_HTTP_AIOBS_TRACE_OFF,
        conf->agents.session != NGX_CONF_UNSET_PTR
            && conf->agents.session != NULL,
        conf->agents.score != NGX_CONF_UNSET_PTR && conf->agents.score != NULL,
        conf->user != NGX_CONF_UNSET_PTR,
        conf->stream_usage == 1,
        conf->models != NULL,
        conf->trace.server_timing == 1,
        conf->trace.parent != NGX_CONF_UNSET_UINT,
        conf->auth_key != NGX_CONF_UNSET_PTR,
        conf->auth_query == 1,
        conf->log.fields != NGX_CONF_UNSET_PTR
    };

    own = 0;

    for (i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
        own |= set[i] << i;
    }

    return own;
}


void
ngx_http_aiobs_warn_location(ngx_conf_t *cf, ngx_http_aiobs_main_conf_t *amcf,
    ngx_http_aiobs_loc_conf_t *conf, ngx_uint_t own)
{
    ngx_uint_t                    i;
    const ngx_http_aiobs_need_t  *need;
    ngx_http_core_loc_conf_t     *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ngx_http_aiobs_outer(clcf)) {
        amcf->outer |= own;
        return;
    }

    if (conf->switched_off) {
        return;
    }

    for (i = 0; ngx_http_aiobs_needs[i].name; i++) {
        need = &ngx_http_aiobs_needs[i];

        if ((own >> i & 1) == 0) {
            continue;
        }

        if (!conf->enable) {

            /* another location may lead there, and be the one that counts */

            if (clcf->named || clcf->internal) {
                return;
            }

            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"%s\" in location \"%V\" does nothing without "
                          "\"aiobs on;\" there", need->name, &clcf->name);
            return;
        }

        if (ngx_http_aiobs_lacks(amcf, need->needs, conf)) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"%s\" in location \"%V\" does nothing without "
                          "\"%s\" there", need->name, &clcf->name,
                          ngx_http_aiobs_needed[need->needs]);
        }
    }
}


/* a server, or a location with others in it: more than "if" */

static ngx_uint_t
ngx_http_aiobs_outer(ngx_http_core_loc_conf_t *clcf)
{
    ngx_queue_t                *q;
    ngx_http_core_loc_conf_t   *inner;
    ngx_http_location_queue_t  *lq;

    if (clcf->name.len == 0) {
        return 1;
    }

    if (clcf->locations == NULL) {
        return 0;
    }

    for (q = ngx_queue_head(clcf->locations);
         q != ngx_queue_sentinel(clcf->locations);
         q = ngx_queue_next(q))
    {
        lq = (ngx_http_location_queue_t *) q;
        inner = lq->exact ? lq->exact : lq->inclusive;

        if (!inner->noname) {
            return 1;
        }
    }

    return 0;
}


/* conf: of a location; NULL: no location has it */

static ngx_uint_t
ngx_http_aiobs_lacks(ngx_http_aiobs_main_conf_t *amcf,
    ngx_http_aiobs_needs_e needs, ngx_http_aiobs_loc_conf_t *conf)
{
    switch (needs) {

    case NGX_HTTP_AIOBS_NEEDS_LLM:
        return conf ? conf->llm == AIOBS_DIALECT_OFF : !amcf->llm;

    case NGX_HTTP_AIOBS_NEEDS_TRACES:

        if (ngx_http_aiobs_transactions(amcf)) {
            return 0;
        }

        /* fall through */

    case NGX_HTTP_AIOBS_NEEDS_TRACE:
        return conf ? conf->trace.mode == NGX_HTTP_AIOBS_TRACE_OFF
                    : !amcf->traced;

    case NGX_HTTP_AIOBS_NEEDS_AUTH:
        return conf ? conf->auth == NGX_HTTP_AIOBS_AUTH_OFF : !amcf->auth;

    case NGX_HTTP_AIOBS_NEEDS_LOG:
        return conf ? conf->log.logs == NULL : amcf->log.sinks == NULL;

    default:
        return 0;
    }
}


static ngx_uint_t
ngx_http_aiobs_transactions(ngx_http_aiobs_main_conf_t *amcf)
{
    return amcf->sentry && amcf->sentry->traces_sample_rate;
}


void
ngx_http_aiobs_warn_idle(ngx_conf_t *cf, ngx_http_aiobs_main_conf_t *amcf)
{
    if (!amcf->enabled) {

        if (amcf->used || amcf->llm || amcf->auth || amcf->store.len
            || amcf->otlp || amcf->sentry || amcf->log.sinks)
        {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "the aiobs module sees no request: \"aiobs on;\" is "
                          "nowhere in the configuration");
        }

    } else {
        ngx_http_aiobs_warn_outer(cf, amcf);
        ngx_http_aiobs_warn_spans(cf, amcf);
    }

    if (amcf->recorder.used && amcf->recorder.capacity == 0) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"aiobs_requests\" has nothing to show with "
                      "\"aiobs_recorder off\"");
    }

    ngx_http_aiobs_login_warn(cf, &amcf->login);
}


/* what http, servers and locations with others in them have for nobody */

static void
ngx_http_aiobs_warn_outer(ngx_conf_t *cf, ngx_http_aiobs_main_conf_t *amcf)
{
    ngx_uint_t                    i, own;
    const ngx_http_aiobs_need_t  *need;

    own = amcf->outer
          | ngx_http_aiobs_own_directives(
                ngx_http_conf_get_module_loc_conf(cf, ngx_http_aiobs_module));

    for (i = 0; ngx_http_aiobs_needs[i].name; i++) {
        need = &ngx_http_aiobs_needs[i];

        if ((own >> i & 1) && ngx_http_aiobs_lacks(amcf, need->needs, NULL)) {
            ngx_http_aiobs_warn_nowhere(cf, need->name,
                                        ngx_http_aiobs_needed[need->needs]);
        }
    }

    /* what is there for model calls, and open to all */

    if (amcf->llm && amcf->store.len && !amcf->auth
        && amcf->login.providers == NULL)
    {
        ngx_http_aiobs_warn_nowhere(cf, "aiobs_key_store", "aiobs_auth");
    }
}


static void
ngx_http_aiobs_warn_nowhere(ngx_conf_t *cf, const char *name,
    const char *needs)
{
    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"%s\" does nothing: \"%s\" is nowhere in the "
                  "configuration", name, needs);
}


/* whoever names a ratio may mean what applications are told */

static void
ngx_http_aiobs_warn_spans(ngx_conf_t *cf, ngx_http_aiobs_main_conf_t *amcf)
{
    if (amcf->otlp && !amcf->traced) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"aiobs_otlp\" has no spans to send: \"aiobs_trace "
                      "on;\" is nowhere in the configuration");
    }

    if (amcf->otlp || amcf->otlp_disabled) {
        return;
    }

    if (amcf->spans && !ngx_http_aiobs_transactions(amcf)) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"aiobs_trace on\" records no spans: \"aiobs_otlp\" is "
                      "nowhere in the configuration; if it is for what "
                      "applications record, give it a \"ratio=\"");
    }

    if (amcf->server_timing) {
        ngx_http_aiobs_warn_nowhere(cf, "aiobs_server_timing", "aiobs_otlp");
    }
}
