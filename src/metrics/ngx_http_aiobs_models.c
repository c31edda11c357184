
/*
 * Copyright (C) the aiobs authors
 *
 * Series of models that are known beforehand: at 0 from the start.
 */


#include "ngx_http_aiobs_families.h"


/* as aiobs_models has it; provider, operation: empty if it does not say */

typedef struct {
    ngx_str_t   model;
    ngx_str_t   provider;
    ngx_str_t   operation;
} ngx_http_aiobs_model_t;


/* the same for an endpoint, with all that was left out */

typedef struct {
    ngx_str_t   endpoint;
    ngx_str_t   model;
    ngx_str_t   provider;
    ngx_str_t   operation;
} ngx_http_aiobs_endpoint_model_t;


static void ngx_http_aiobs_models_series(ngx_http_aiobs_family_e family,
    ngx_http_aiobs_endpoint_model_t *m);
static void ngx_http_aiobs_models_types(ngx_http_aiobs_family_e family,
    ngx_str_t *labels);


/* aiobs_models [provider=name] [operation=name] model ... */

char *
ngx_http_aiobs_models(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                *value, provider, operation;
    ngx_uint_t                i, before;
    ngx_array_t             **models;
    ngx_http_aiobs_model_t   *m;

    models = (ngx_array_t **) ((char *) conf + cmd->offset);

    if (*models == NULL) {
        *models = ngx_array_create(cf->pool, 8,
                                   sizeof(ngx_http_aiobs_model_t));
        if (*models == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    ngx_str_null(&provider);
    ngx_str_null(&operation);

    value = cf->args->elts;
    before = (*models)->nelts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "provider=", 9) == 0) {
            provider.data = value[i].data + 9;
            provider.len = value[i].len - 9;
            continue;
        }

        if (ngx_strncmp(value[i].data, "operation=", 10) == 0) {
            operation.data = value[i].data + 10;
            operation.len = value[i].len - 10;
            continue;
        }

        if (ngx_strchr(value[i].data, '=')) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of \"aiobs_models\": "
                               "\"provider=name\", \"operation=name\" and "
                               "models are accepted", &value[i]);
            return NGX_CONF_ERROR;
        }

        m = ngx_array_push(*models);
        if (m == NULL) {
            return NGX_CONF_ERROR;
        }

        m->model = value[i];
        m->provider = provider;
        m->operation = operation;
    }

    return (*models)->nelts == before ? "names no model" : NGX_CONF_OK;
}


ngx_int_t
ngx_http_aiobs_models_add(ngx_conf_t *cf, ngx_http_aiobs_metrics_conf_t *conf,
    ngx_array_t *models, ngx_str_t *endpoint, const char *provider,
    const char *operation)
{
    ngx_uint_t                        i;
    ngx_http_aiobs_model_t           *m;
    ngx_http_aiobs_endpoint_model_t  *e;

    if (conf->models == NULL) {
        conf->models = ngx_array_create(cf->pool, 8,
                                     sizeof(ngx_http_aiobs_endpoint_model_t));
        if (conf->models == NULL) {
            return NGX_ERROR;
        }
    }

    m = models->elts;

    for (i = 0; i < models->nelts; i++) {

        e = ngx_array_push(conf->models);
        if (e == NULL) {
            return NGX_ERROR;
        }

        e->endpoint = *endpoint;
        e->model = m[i].model;
        e->provider = m[i].provider;
        e->operation = m[i].operation;

        if (e->provider.len == 0) {
            e->provider.data = (u_char *) provider;
            e->provider.len = ngx_strlen(provider);
        }

        if (e->operation.len == 0) {
            e->operation.data = (u_char *) operation;
            e->operation.len = ngx_strlen(operation);
        }
    }

    return NGX_OK;
}


void
ngx_http_aiobs_models_init(ngx_http_aiobs_metrics_conf_t *conf)
{
    ngx_uint_t                        i, k;
    ngx_http_aiobs_endpoint_model_t  *e;

    static const ngx_http_aiobs_family_e  families[] = {
        NGX_HTTP_AIOBS_LLM_CALLS,
        NGX_HTTP_AIOBS_LLM_TOKENS,
        NGX_HTTP_AIOBS_LLM_TOKEN_DETAILS,
        NGX_HTTP_AIOBS_LLM_CALL_TOKENS,
        NGX_HTTP_AIOBS_LLM_CALL_DURATION,
        NGX_HTTP_AIOBS_LLM_TTFT,
        NGX_HTTP_AIOBS_LLM_TPOT,
        NGX_HTTP_AIOBS_LLM_COST
    };

    if (conf->models == NULL) {
        return;
    }

    e = conf->models->elts;

    for (i = 0; i < conf->models->nelts; i++) {
        for (k = 0; k < sizeof(families) / sizeof(families[0]); k++) {
            ngx_http_aiobs_models_series(families[k], &e[i]);
        }
    }
}


/* of calls the ones that succeed */

static void
ngx_http_aiobs_models_series(ngx_http_aiobs_family_e family,
    ngx_http_aiobs_endpoint_model_t *m)
{
    ngx_str_t  labels[5];

    labels[0] = m->provider;
    labels[1] = m->model;
    labels[2] = m->endpoint;
    labels[3] = m->operation;
    ngx_str_null(&labels[4]);

    switch (family) {

    case NGX_HTTP_AIOBS_LLM_TOKENS:
    case NGX_HTTP_AIOBS_LLM_TOKEN_DETAILS:
    case NGX_HTTP_AIOBS_LLM_CALL_TOKENS:
        ngx_http_aiobs_models_types(family, labels);
        break;

    default:
        (void) ngx_http_aiobs_series(family, labels);
    }
}


static void
ngx_http_aiobs_models_types(ngx_http_aiobs_family_e family, ngx_str_t *labels)
{
    ngx_uint_t  i, n;

    static ngx_str_t  types[] = {
        ngx_string("input"),
        ngx_string("output"),

        ngx_string("cache_read"),
        ngx_string("cache_write"),
        ngx_string("reasoning"),
        ngx_string("audio_input"),
        ngx_string("audio_output")
    };

    n = family == NGX_HTTP_AIOBS_LLM_TOKEN_DETAILS ? 7 : 2;

    for (i = n == 2 ? 0 : 2; i < n; i++) {
        labels[3] = types[i];
        (void) ngx_http_aiobs_series(family, labels);
    }
}
