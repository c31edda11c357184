
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs_sentry { ... }: where events go, and how much of what.
 */


#include "ngx_http_aiobs_sentry.h"


/* what Sentry takes off events: other names, and longer ones */

typedef struct {
    ngx_conf_post_t              post;
    size_t                       max;           /* bytes */
    const char                  *restricted;
    const char                  *expected;
} ngx_http_aiobs_sentry_name_t;


static ngx_http_aiobs_sentry_t *ngx_http_aiobs_sentry_create(ngx_conf_t *cf);
static char *ngx_http_aiobs_sentry_set_dsn(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_aiobs_sentry_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_aiobs_sentry_labels(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_uint_t ngx_http_aiobs_sentry_label_free(
    ngx_http_aiobs_sentry_t *sentry, ngx_str_t *name);
static char *ngx_http_aiobs_sentry_named(ngx_conf_t *cf, void *post,
    void *data);
static ngx_uint_t ngx_http_aiobs_sentry_taken(ngx_str_t *name,
    const ngx_http_aiobs_sentry_name_t *rule);


static ngx_http_aiobs_sentry_name_t  ngx_http_aiobs_sentry_environment = {
    { ngx_http_aiobs_sentry_named }, 64, "none",
    "expects at most 64 bytes without \"/\", \"\\\" and control bytes, and not "
    "\".\", \"..\" or \"none\""
};

static ngx_http_aiobs_sentry_name_t  ngx_http_aiobs_sentry_release = {
    { ngx_http_aiobs_sentry_named }, 200, "latest",
    "expects at most 200 bytes without \"/\", \"\\\" and control bytes, and not "
    "\".\", \"..\" or \"latest\""
};


#define ngx_http_aiobs_sentry_limit(name)                                     \
    offsetof(ngx_http_aiobs_sentry_t, limits)                                 \
    + offsetof(ngx_http_aiobs_export_limits_t, name)


static ngx_command_t  ngx_http_aiobs_sentry_commands[] = {

    { ngx_string("dsn"), NGX_CONF_TAKE1,
      ngx_http_aiobs_sentry_set_dsn, 0, 0, NULL },

    { ngx_string("environment"), NGX_CONF_TAKE1, ngx_conf_set_str_slot, 0,
      offsetof(ngx_http_aiobs_sentry_t, environment),
      &ngx_http_aiobs_sentry_environment },

    { ngx_string("release"), NGX_CONF_TAKE1, ngx_conf_set_str_slot, 0,
      offsetof(ngx_http_aiobs_sentry_t, release),
      &ngx_http_aiobs_sentry_release },

    { ngx_string("server_name"), NGX_CONF_TAKE1, ngx_conf_set_str_slot, 0,
      offsetof(ngx_http_aiobs_sentry_t, server_name), NULL },

    { ngx_string("sample_rate"), NGX_CONF_TAKE1,
      ngx_http_aiobs_sentry_rate, 0,
      offsetof(ngx_http_aiobs_sentry_t, sample_rate), NULL },

    { ngx_string("traces_sample_rate"), NGX_CONF_TAKE1,
      ngx_http_aiobs_sentry_rate, 0,
      offsetof(ngx_http_aiobs_sentry_t, traces_sample_rate), NULL },

    { ngx_string("send_default_pii"), NGX_CONF_TAKE1,
      ngx_conf_set_flag_slot, 0,
      offsetof(ngx_http_aiobs_sentry_t, pii), NULL },

    { ngx_string("key_labels"), NGX_CONF_1MORE,
      ngx_http_aiobs_sentry_labels, 0, 0, NULL },

    { ngx_string("trusted_certificate"), NGX_CONF_TAKE1,
      ngx_http_aiobs_export_set_file, 0,
      offsetof(ngx_http_aiobs_sentry_t, ca), NULL },

    { ngx_string("interval"), NGX_CONF_TAKE1, ngx_conf_set_msec_slot, 0,
      ngx_http_aiobs_sentry_limit(interval), NULL },

    { ngx_string("queue"), NGX_CONF_TAKE1, ngx_conf_set_num_slot, 0,
      ngx_http_aiobs_sentry_limit(queue), NULL },

    { ngx_string("timeout"), NGX_CONF_TAKE1, ngx_conf_set_msec_slot, 0,
      offsetof(ngx_http_aiobs_sentry_t, timeout), NULL },

      ngx_null_command
};


char *
ngx_http_aiobs_sentry_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char                        *rv;
    ngx_http_aiobs_sentry_t     *sentry;
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = conf;

    if (amcf->sentry) {
        return "is duplicate";
    }

    sentry = ngx_http_aiobs_sentry_create(cf);
    if (sentry == NULL) {
        return NGX_CONF_ERROR;
    }

    amcf->sentry = sentry;

    rv = ngx_http_aiobs_export_block(cf, "aiobs_sentry",
                                     ngx_http_aiobs_sentry_commands, sentry);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    ngx_conf_init_value(sentry->pii, 0);
    ngx_conf_init_msec_value(sentry->timeout, 10000);
    ngx_conf_init_msec_value(sentry->limits.interval, 1000);
    sentry->limits.retry = NGX_HTTP_AIOBS_EXPORT_RETRY_TIME;
    ngx_conf_init_uint_value(sentry->limits.queue, 256);

    if (sentry->dsn.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"aiobs_sentry\" lacks \"dsn\"");
        return NGX_CONF_ERROR;
    }

    if (sentry->limits.queue == 0 || sentry->timeout == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"queue\" and \"timeout\" of \"aiobs_sentry\" "
                           "have to be larger than 0");
        return NGX_CONF_ERROR;
    }

    return ngx_http_aiobs_sentry_dsn(cf, sentry);
}


/* of which nothing is said yet */

static ngx_http_aiobs_sentry_t *
ngx_http_aiobs_sentry_create(ngx_conf_t *cf)
{
    ngx_http_aiobs_sentry_t  *sentry;

    sentry = ngx_pcalloc(cf->pool, sizeof(ngx_http_aiobs_sentry_t));
    if (sentry == NULL) {
        return NULL;
    }

    sentry->sample_rate = NGX_HTTP_AIOBS_TRACE_ALL;
    sentry->pii = NGX_CONF_UNSET;
    sentry->timeout = NGX_CONF_UNSET_MSEC;
    sentry->limits.interval = NGX_CONF_UNSET_MSEC;
    sentry->limits.queue = NGX_CONF_UNSET;
    sentry->limits.batch = 10;
    sentry->limits.bytes = 8 * 1024 * 1024;

    return sentry;
}


char *
ngx_http_aiobs_sentry_init(ngx_conf_t *cf, ngx_http_aiobs_main_conf_t *amcf)
{
    ngx_http_aiobs_sentry_t  *sentry;

    sentry = amcf->sentry;

    if (sentry == NULL || !amcf->used) {
        return NGX_CONF_OK;
    }

    if (sentry->environment.len == 0 && amcf->environment.len) {

        if (ngx_http_aiobs_sentry_taken(&amcf->environment,
                                        &ngx_http_aiobs_sentry_environment))
        {
            sentry->environment = amcf->environment;

        } else {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "the environment \"%V\" of \"aiobs_service\" is "
                          "none that Sentry takes; events have none",
                          &amcf->environment);
        }
    }

    if (sentry->server_name.len == 0) {
        sentry->server_name = cf->cycle->hostname;
    }

    if (ngx_http_aiobs_sentry_context(cf, sentry) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    sentry->exporter = ngx_http_aiobs_exporter_add(cf, &amcf->exporters,
                                                   &ngx_http_aiobs_sentry_type,
                                                   sentry, &sentry->target,
                                                   &sentry->limits);

    return sentry->exporter ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_http_aiobs_sentry_named(ngx_conf_t *cf, void *post, void *data)
{
    ngx_http_aiobs_sentry_name_t *rule = post;

    return ngx_http_aiobs_sentry_taken(data, rule) ? NGX_CONF_OK
                                                   : (char *) rule->expected;
}


static ngx_uint_t
ngx_http_aiobs_sentry_taken(ngx_str_t *name,
    const ngx_http_aiobs_sentry_name_t *rule)
{
    size_t  i;

    for (i = 0; i < name->len; i++) {
        if (name->data[i] < ' ' || name->data[i] == 0x7f
            || name->data[i] == '/' || name->data[i] == '\\')
        {
            return 0;
        }
    }

    return name->len <= rule->max
           && ngx_strcmp(name->data, ".") != 0
           && ngx_strcmp(name->data, "..") != 0
           && ngx_strcasecmp(name->data, (u_char *) rule->restricted) != 0;
}


static char *
ngx_http_aiobs_sentry_set_dsn(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aiobs_sentry_t *sentry = conf;

    ngx_str_t  *value;

    if (sentry->dsn.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    return ngx_http_aiobs_secret(cf, &value[1], &sentry->dsn);
}


static char *
ngx_http_aiobs_sentry_rate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    return ngx_http_aiobs_trace_ratio(&value[1],
                                 (uint64_t *) ((char *) conf + cmd->offset))
           == NGX_OK ? NGX_CONF_OK : "expects a number from 0 to 1";
}


static char *
ngx_http_aiobs_sentry_labels(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aiobs_sentry_t *sentry = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (sentry->nlabels == NGX_HTTP_AIOBS_SENTRY_LABELS_MAX) {
            return "has more than 8 names";
        }

        if (value[i].len == 0 || value[i].len > 32) {
            return "has a name that is not of 1 to 32 bytes";
        }

        if (!ngx_http_aiobs_sentry_label_free(sentry, &value[i])) {
            return "has a name that is there already";
        }

        sentry->labels[sentry->nlabels++] = value[i];
    }

    return NGX_CONF_OK;
}


/* a name stands once among the tags */

static ngx_uint_t
ngx_http_aiobs_sentry_label_free(ngx_http_aiobs_sentry_t *sentry,
    ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; i < sentry->nlabels; i++) {
        if (ngx_strcmp(sentry->labels[i].data, name->data) == 0) {
            return 0;
        }
    }

    return !ngx_http_aiobs_sentry_tag(name);
}
