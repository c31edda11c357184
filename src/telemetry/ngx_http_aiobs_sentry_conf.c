
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs_sentry { ... }: where events go, and how much of what.
 */


#include "ngx_http_aiobs_sentry.h"


#define NGX_HTTP_AIOBS_SENTRY_CONTEXT  2048     /* bytes: two names, a rate */


/* what Sentry takes off events: other names, and longer ones */

typedef struct {
    ngx_conf_post_t              post;
    size_t                       max;           /* bytes */
    const char                  *restricted;
    const char                  *expected;
} ngx_http_aiobs_sentry_name_t;


static char *ngx_http_aiobs_sentry_context(ngx_conf_t *cf,
    ngx_http_aiobs_sentry_t *sentry);
static char *ngx_http_aiobs_sentry_set_dsn(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_aiobs_sentry_rate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_aiobs_sentry_labels(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_uint_t ngx_http_aiobs_sentry_label_free(
    ngx_http_aiobs_sentry_t *sentry, ngx_str_t *name);
static char *ngx_http_aiobs_sentry_dsn(ngx_conf_t *cf,
    ngx_http_aiobs_sentry_t *sentry);
static void ngx_http_aiobs_sentry_org(ngx_str_t *host, ngx_str_t *org);
static ngx_int_t ngx_http_aiobs_sentry_parse(ngx_str_t *dsn,
    ngx_str_t *scheme, ngx_str_t *key, ngx_str_t *host);
static ngx_int_t ngx_http_aiobs_sentry_host(ngx_str_t *host);
static char *ngx_http_aiobs_sentry_headers(ngx_conf_t *cf,
    ngx_http_aiobs_sentry_t *sentry);
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

    sentry = ngx_pcalloc(cf->pool, sizeof(ngx_http_aiobs_sentry_t));
    if (sentry == NULL) {
        return NGX_CONF_ERROR;
    }

    sentry->sample_rate = NGX_HTTP_AIOBS_TRACE_ALL;
    sentry->pii = NGX_CONF_UNSET;
    sentry->timeout = NGX_CONF_UNSET_MSEC;
    sentry->limits.interval = NGX_CONF_UNSET_MSEC;
    sentry->limits.queue = NGX_CONF_UNSET;
    sentry->limits.batch = 10;
    sentry->limits.bytes = 8 * 1024 * 1024;

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


/* what is the same in the "trace" of every envelope's header */

static char *
ngx_http_aiobs_sentry_context(ngx_conf_t *cf, ngx_http_aiobs_sentry_t *sentry)
{
    char                          rate[32];
    u_char                       *buf;
    ngx_http_aiobs_sentry_out_t   out;

    buf = ngx_pnalloc(cf->pool, NGX_HTTP_AIOBS_SENTRY_CONTEXT);
    if (buf == NULL) {
        return NGX_CONF_ERROR;
    }

    out.p = buf;
    out.last = buf + NGX_HTTP_AIOBS_SENTRY_CONTEXT;
    out.full = 0;

    ngx_http_aiobs_sentry_member(&out, "environment", &sentry->environment);
    ngx_http_aiobs_sentry_member(&out, "release", &sentry->release);
    ngx_http_aiobs_sentry_member(&out, "org_id", &sentry->org_id);

    if (sentry->traces_sample_rate) {
        snprintf(rate, sizeof(rate), "%.9g",
                 (double) sentry->traces_sample_rate
                 / (double) NGX_HTTP_AIOBS_TRACE_ALL);
        ngx_http_aiobs_sentry_put(&out, ",\"sample_rate\":\"%s\"", rate);
    }

    sentry->context.data = buf;
    sentry->context.len = out.p - buf;

    return NGX_CONF_OK;
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


static char *
ngx_http_aiobs_sentry_dsn(ngx_conf_t *cf, ngx_http_aiobs_sentry_t *sentry)
{
    u_char     *p, *last;
    ngx_str_t  *dsn, scheme, host, project;

    dsn = &sentry->dsn;
    last = dsn->data + dsn->len;

    if (ngx_http_aiobs_sentry_parse(dsn, &scheme, &sentry->public_key, &host)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the \"dsn\" of \"aiobs_sentry\" is none: "
                           "\"https://KEY@HOST/PROJECT\" is expected");
        return NGX_CONF_ERROR;
    }

    project.data = host.data + host.len;
    project.len = last - project.data;

    sentry->url.data = ngx_pnalloc(cf->pool,
                                   dsn->len + sizeof("api//envelope/"));
    if (sentry->url.data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf(sentry->url.data, "%V%V", &scheme, &host);

    sentry->target.data = sentry->url.data;
    sentry->target.len = p - sentry->url.data;

    sentry->gzip = !ngx_http_aiobs_export_local(host.data);

    ngx_http_aiobs_sentry_org(&host, &sentry->org_id);

    p = ngx_sprintf(p, "api/%V/envelope/%Z", &project);
    sentry->url.len = p - 1 - sentry->url.data;

    return ngx_http_aiobs_sentry_headers(cf, sentry);
}


/* Sentry's own hosts name the organisation: o1.ingest.sentry.io */

static void
ngx_http_aiobs_sentry_org(ngx_str_t *host, ngx_str_t *org)
{
    u_char  *p, *last;

    p = host->data + 1;
    last = host->data + host->len;

    while (p < last && *p >= '0' && *p <= '9') {
        p++;
    }

    if (host->data[0] == 'o' && p > host->data + 1 && p < last && *p == '.') {
        org->data = host->data + 1;
        org->len = p - org->data;
    }
}


/*
 * scheme://KEY[:SECRET]@HOST[:PORT][/PATH]/PROJECT; host: up to the project,
 * which is what follows.  Never shown: it is a key.
 */

static ngx_int_t
ngx_http_aiobs_sentry_parse(ngx_str_t *dsn, ngx_str_t *scheme, ngx_str_t *key,
    ngx_str_t *host)
{
    u_char  *p, *at, *colon, *last;

    last = dsn->data + dsn->len;

    scheme->data = dsn->data;
    scheme->len = ngx_strncmp(dsn->data, "https://", 8) == 0 ? 8 : 7;

    if (scheme->len == 7 && ngx_strncmp(dsn->data, "http://", 7) != 0) {
        return NGX_ERROR;
    }

    key->data = dsn->data + scheme->len;
    at = ngx_strlchr(key->data, last, '@');

    if (at == NULL || at == key->data) {
        return NGX_ERROR;
    }

    colon = ngx_strlchr(key->data, at, ':');
    key->len = (colon ? colon : at) - key->data;

    for (p = key->data; p < key->data + key->len; p++) {
        if (!((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
            && !(*p >= '0' && *p <= '9'))
        {
            return NGX_ERROR;
        }
    }

    host->data = at + 1;

    for (p = last; p > host->data && p[-1] != '/'; p--) { /* void */ }

    host->len = p - host->data;

    return host->len == 0 || ngx_atoi(p, last - p) == NGX_ERROR
           ? NGX_ERROR : ngx_http_aiobs_sentry_host(host);
}


/* HOST[:PORT]/[PATH/] */

static ngx_int_t
ngx_http_aiobs_sentry_host(ngx_str_t *host)
{
    u_char  *p, *last, *slash;

    last = host->data + host->len;
    slash = ngx_strlchr(host->data, last, '/');

    for (p = slash; p < last; p++) {
        if (*p <= ' ' || *p >= 0x7f || *p == '?' || *p == '#') {
            return NGX_ERROR;
        }
    }

    return ngx_http_aiobs_export_host(host->data, slash);
}


static char *
ngx_http_aiobs_sentry_headers(ngx_conf_t *cf, ngx_http_aiobs_sentry_t *sentry)
{
    u_char  *auth;

    auth = ngx_pnalloc(cf->pool, sentry->public_key.len + 128);
    if (auth == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_sprintf(auth, "X-Sentry-Auth: Sentry sentry_version=7, "
                      "sentry_client=" NGX_HTTP_AIOBS_SENTRY_CLIENT ", "
                      "sentry_key=%V%Z", &sentry->public_key);

    sentry->headers[0] = "Content-Encoding: gzip";
    sentry->headers[1] = (char *) auth;
    sentry->headers[2] = "Content-Type: application/x-sentry-envelope";
    sentry->headers[3] = "User-Agent: " NGX_HTTP_AIOBS_SENTRY_CLIENT;
    sentry->headers[4] = NULL;

    return NGX_CONF_OK;
}
