
/*
 * Copyright (C) the aiobs authors
 *
 * The environment variables of OpenTelemetry that are not about OTLP, and those
 * that say what is not done here: whoever sets one is told.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */


#include "ngx_http_aiobs_otlp.h"


/* what no span has more of: attributes of all kinds, bytes of a value */
#define NGX_HTTP_AIOBS_OTEL_ATTRIBUTES  64
#define NGX_HTTP_AIOBS_OTEL_BYTES       512


/* the second is the default of the first; most: what is kept in any case */

typedef struct {
    const char  *names[2];
    ngx_uint_t   most;
} ngx_http_aiobs_otel_limit_t;


static ngx_uint_t ngx_http_aiobs_otel_word(ngx_str_t *list, ngx_str_t *word);
static ngx_uint_t ngx_http_aiobs_otel_is(ngx_str_t *word, const char *text);
static void ngx_http_aiobs_otel_limit(ngx_conf_t *cf,
    const ngx_http_aiobs_otel_limit_t *limit);
static void ngx_http_aiobs_otel_signal(ngx_conf_t *cf, const char *name,
    const char *other, const char *instead);


static const ngx_http_aiobs_otel_limit_t  ngx_http_aiobs_otel_limits[] = {
    { { "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT" }, NGX_HTTP_AIOBS_OTEL_BYTES },
    { { "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT" },
      NGX_HTTP_AIOBS_OTEL_ATTRIBUTES },
    { { "OTEL_SPAN_EVENT_COUNT_LIMIT", NULL }, 2 },
    { { "OTEL_SPAN_LINK_COUNT_LIMIT", NULL }, 1 },
    { { "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", NULL }, 2 },
    { { NULL, NULL }, 0 }
};


/* variables of which no value does anything */

static const char *ngx_http_aiobs_otel_unknown[][2] = {
    { "OTEL_CONFIG_FILE", "the other variables and \"aiobs_otlp\" count" },
    { "OTEL_EXPERIMENTAL_CONFIG_FILE",
      "the other variables and \"aiobs_otlp\" count" },
    { "OTEL_ENTITIES", "OTEL_RESOURCE_ATTRIBUTES is taken" },
    { "OTEL_LOG_LEVEL", "that is a matter of \"error_log\"" },
    { NULL, NULL }
};


ngx_uint_t
ngx_http_aiobs_otel_disabled(ngx_conf_t *cf)
{
    ngx_str_t   list, word;
    ngx_uint_t  none, otlp;

    if (ngx_http_aiobs_otel_flag(cf, "OTEL_SDK_DISABLED")) {
        return 1;
    }

    if (ngx_http_aiobs_environment("OTEL_TRACES_EXPORTER", &list) != NGX_OK) {
        return 0;
    }

    none = 0;
    otlp = 0;

    while (ngx_http_aiobs_otel_word(&list, &word)) {

        if (ngx_http_aiobs_otel_is(&word, "none")) {
            none = 1;

        } else if (ngx_http_aiobs_otel_is(&word, "otlp")) {
            otlp = 1;

        } else {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "OTEL_TRACES_EXPORTER names \"%V\", which is "
                               "ignored: \"otlp\" and \"none\" are accepted",
                               &word);
        }
    }

    return none && !otlp;
}


ngx_uint_t
ngx_http_aiobs_otel_untraced(ngx_conf_t *cf)
{
    ngx_str_t   list, word;
    ngx_uint_t  others;

    if (ngx_http_aiobs_environment("OTEL_PROPAGATORS", &list) != NGX_OK) {
        return 0;
    }

    others = 0;

    while (ngx_http_aiobs_otel_word(&list, &word)) {

        if (ngx_http_aiobs_otel_is(&word, "tracecontext")) {
            return 0;
        }

        if (ngx_http_aiobs_otel_is(&word, "baggage")
            || ngx_http_aiobs_otel_is(&word, "none"))
        {
            others = 1;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "OTEL_PROPAGATORS names \"%V\", which is ignored: "
                           "\"tracecontext\", \"baggage\" and \"none\" are "
                           "accepted", &word);
    }

    return others;
}


void
ngx_http_aiobs_otel_unheeded(ngx_conf_t *cf)
{
    ngx_str_t   value;
    ngx_uint_t  i;

    for (i = 0; ngx_http_aiobs_otel_limits[i].names[0]; i++) {
        ngx_http_aiobs_otel_limit(cf, &ngx_http_aiobs_otel_limits[i]);
    }

    for (i = 0; ngx_http_aiobs_otel_unknown[i][0]; i++) {

        if (ngx_http_aiobs_environment(ngx_http_aiobs_otel_unknown[i][0],
                                       &value)
            == NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "%s is ignored: %s",
                               ngx_http_aiobs_otel_unknown[i][0],
                               ngx_http_aiobs_otel_unknown[i][1]);
        }
    }

    ngx_http_aiobs_otel_signal(cf, "OTEL_METRICS_EXPORTER", "prometheus",
                               "metrics are shown by \"aiobs_metrics\"");
    ngx_http_aiobs_otel_signal(cf, "OTEL_LOGS_EXPORTER", "none",
                               "logs are written by \"aiobs_log\"");
}


/* a list, case-sensitive, that takes the place of the one of the conventions */

char *
ngx_http_aiobs_otel_methods(ngx_conf_t *cf, ngx_http_aiobs_otlp_t *otlp)
{
    ngx_str_t  list, word, *method;

    if (ngx_http_aiobs_environment("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS",
                                   &list)
        != NGX_OK)
    {
        return NGX_CONF_OK;
    }

    otlp->methods = ngx_array_create(cf->pool, 10, sizeof(ngx_str_t));
    if (otlp->methods == NULL) {
        return NGX_CONF_ERROR;
    }

    while (ngx_http_aiobs_otel_word(&list, &word)) {

        method = ngx_array_push(otlp->methods);
        if (method == NULL) {
            return NGX_CONF_ERROR;
        }

        method->len = word.len;
        method->data = ngx_pstrdup(cf->pool, &word);
        if (method->data == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_http_aiobs_otel_flag(ngx_conf_t *cf, const char *name)
{
    ngx_str_t  value;

    if (ngx_http_aiobs_environment(name, &value) != NGX_OK) {
        return 0;
    }

    if (ngx_strcasecmp(value.data, (u_char *) "true") == 0) {
        return 1;
    }

    if (ngx_strcasecmp(value.data, (u_char *) "false") != 0) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "%s is \"%V\", which is ignored: \"true\" or "
                           "\"false\" is expected", name, &value);
    }

    return 0;
}


ngx_int_t
ngx_http_aiobs_otel_number(ngx_conf_t *cf, const char *name, ngx_uint_t min,
    ngx_uint_t *n)
{
    ngx_int_t  number;
    ngx_str_t  value;

    if (ngx_http_aiobs_environment(name, &value) != NGX_OK) {
        return NGX_DECLINED;
    }

    number = ngx_atoi(value.data, value.len);

    if (number < (ngx_int_t) min || number > NGX_MAX_INT32_VALUE) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "%s is \"%V\", which is ignored: a number from %ui "
                           "on is expected", name, &value, min);
        return NGX_DECLINED;
    }

    *n = number;

    return NGX_OK;
}


/* the next of a list with commas, without spaces around it; 0: no more */

static ngx_uint_t
ngx_http_aiobs_otel_word(ngx_str_t *list, ngx_str_t *word)
{
    u_char  *p, *end, *last;

    p = list->data;
    last = list->data + list->len;

    while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
        p++;
    }

    end = ngx_strlchr(p, last, ',');
    end = end ? end : last;

    list->data = end;
    list->len = last - end;

    while (end > p && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }

    word->data = p;
    word->len = end - p;

    return word->len != 0;
}


static ngx_uint_t
ngx_http_aiobs_otel_is(ngx_str_t *word, const char *text)
{
    return word->len == ngx_strlen(text)
           && ngx_strncasecmp(word->data, (u_char *) text, word->len) == 0;
}


/* one that is not reached is kept; another one is not */

static void
ngx_http_aiobs_otel_limit(ngx_conf_t *cf,
    const ngx_http_aiobs_otel_limit_t *limit)
{
    ngx_uint_t  i, n;

    for (i = 0; i < 2 && limit->names[i]; i++) {

        if (ngx_http_aiobs_otel_number(cf, limit->names[i], 0, &n) != NGX_OK) {
            continue;
        }

        if (n < limit->most) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "%s is %ui, which is ignored: there may be up "
                               "to %ui", limit->names[i], n, limit->most);
        }

        return;
    }
}


/* other: what is done here; what is sent is sent by nobody */

static void
ngx_http_aiobs_otel_signal(ngx_conf_t *cf, const char *name,
    const char *other, const char *instead)
{
    ngx_str_t  list, word;

    if (ngx_http_aiobs_environment(name, &list) != NGX_OK) {
        return;
    }

    while (ngx_http_aiobs_otel_word(&list, &word)) {

        if (!ngx_http_aiobs_otel_is(&word, "none")
            && !ngx_http_aiobs_otel_is(&word, other))
        {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "%s names \"%V\", which is ignored: %s", name,
                               &word, instead);
        }
    }
}
