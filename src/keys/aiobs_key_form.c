
/*
 * Copyright (C) the aiobs authors
 *
 * Attributes of a key as people and programs write them.
 */


#define _GNU_SOURCE

#include "aiobs_key_form.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


#define AIOBS_LIMIT_MAX  1000000000000000000.0

#define aiobs_limit_is_cost(limit)                                            \
    ((limit) == AIOBS_LIMIT_COST_DAY || (limit) == AIOBS_LIMIT_COST_MONTH)


typedef const char *(*aiobs_form_member_pt)(aiobs_key_form_t *form,
    const json_t *value);

typedef struct {
    const char            *name;
    aiobs_form_member_pt   take;
} aiobs_form_member_t;


static const char *aiobs_form_member(aiobs_key_form_t *form, const char *name,
    const json_t *value, unsigned flags);
static const char *aiobs_form_user(aiobs_key_form_t *form,
    const json_t *value);
static const char *aiobs_form_name(aiobs_key_form_t *form,
    const json_t *value);
static const char *aiobs_form_expires(aiobs_key_form_t *form,
    const json_t *value);
static const char *aiobs_form_models(aiobs_key_form_t *form,
    const json_t *value);
static const char *aiobs_form_endpoints(aiobs_key_form_t *form,
    const json_t *value);
static const char *aiobs_form_labels(aiobs_key_form_t *form,
    const json_t *value);
static const char *aiobs_form_admin(aiobs_key_form_t *form,
    const json_t *value);
static const char *aiobs_form_may_act_for(aiobs_key_form_t *form,
    const json_t *value);
static const char *aiobs_form_limits(aiobs_key_form_t *form,
    const json_t *value);
static const char *aiobs_form_globs(const json_t *value, char *text,
    size_t max);
static int aiobs_form_set_limit(aiobs_key_form_t *form, aiobs_limit_e limit,
    double value);


static const aiobs_form_member_t  aiobs_form_members[] = {
    { "user_id", aiobs_form_user },
    { "name", aiobs_form_name },
    { "expires_at", aiobs_form_expires },
    { "models", aiobs_form_models },
    { "endpoints", aiobs_form_endpoints },
    { "labels", aiobs_form_labels },
    { "admin", aiobs_form_admin },
    { "may_act_for", aiobs_form_may_act_for },
    { "limits", aiobs_form_limits },
    { NULL, NULL }
};


const char *
aiobs_key_form_json(aiobs_key_form_t *form, const json_t *object,
    unsigned flags)
{
    void        *i;
    const char  *error;

    if (!json_is_object(object)) {
        return "a JSON object is expected";
    }

    for (i = json_object_iter((json_t *) object); i;
         i = json_object_iter_next((json_t *) object, i))
    {
        error = aiobs_form_member(form, json_object_iter_key(i),
                                  json_object_iter_value(i), flags);
        if (error) {
            return error;
        }
    }

    return aiobs_key_attrs_error(&form->attrs);
}


static const char *
aiobs_form_member(aiobs_key_form_t *form, const char *name,
    const json_t *value, unsigned flags)
{
    const char                 *error;
    const aiobs_form_member_t  *member;

    for (member = aiobs_form_members; member->name; member++) {
        if (strcmp(member->name, name) == 0) {
            error = member->take(form, value);

            if (error == NULL) {
                return NULL;
            }

            snprintf(form->error, sizeof(form->error), "\"%s\" is not %s",
                     name, error);
            return form->error;
        }
    }

    if (flags & AIOBS_FORM_LENIENT) {
        return NULL;
    }

    snprintf(form->error, sizeof(form->error), "there is no attribute"
             " \"%.64s\" that could be set", name);

    return form->error;
}


static const char *
aiobs_form_user(aiobs_key_form_t *form, const json_t *value)
{
    form->attrs.set |= AIOBS_ATTR_USER;
    form->attrs.user = json_string_value(value);

    return json_is_string(value) && strlen(form->attrs.user)
                                    == json_string_length(value)
           ? NULL : "a text";
}


static const char *
aiobs_form_name(aiobs_key_form_t *form, const json_t *value)
{
    form->attrs.set |= AIOBS_ATTR_NAME;
    form->attrs.name = json_string_value(value);

    if (json_is_null(value)) {
        return NULL;
    }

    return json_is_string(value) && strlen(form->attrs.name)
                                    == json_string_length(value)
           ? NULL : "a text or null";
}


static const char *
aiobs_form_expires(aiobs_key_form_t *form, const json_t *value)
{
    form->attrs.set |= AIOBS_ATTR_EXPIRES;
    form->attrs.expires = NULL;

    if (json_is_null(value)) {
        return NULL;
    }

    if (!json_is_string(value)
        || aiobs_key_parse_time(json_string_value(value), form->expires) != 0)
    {
        return "a time such as \"2026-12-31T23:59:59Z\" or null";
    }

    form->attrs.expires = form->expires;

    return NULL;
}


static const char *
aiobs_form_models(aiobs_key_form_t *form, const json_t *value)
{
    form->attrs.set |= AIOBS_ATTR_MODELS;
    form->attrs.models = json_array_size(value) ? form->models : NULL;

    return aiobs_form_globs(value, form->models, AIOBS_KEY_MODELS_MAX);
}


static const char *
aiobs_form_endpoints(aiobs_key_form_t *form, const json_t *value)
{
    form->attrs.set |= AIOBS_ATTR_ENDPOINTS;
    form->attrs.endpoints = json_array_size(value) ? form->endpoints : NULL;

    return aiobs_form_globs(value, form->endpoints, AIOBS_KEY_ENDPOINTS_MAX);
}


static const char *
aiobs_form_globs(const json_t *value, char *text, size_t max)
{
    size_t       i, len, n;
    const char  *glob;

    if (json_is_null(value)) {
        return NULL;
    }

    if (!json_is_array(value)) {
        return "an array of globs or null";
    }

    for (i = 0, len = 0; i < json_array_size(value); i++) {
        glob = json_string_value(json_array_get(value, i));
        n = glob ? strlen(glob) : 0;

        if (n == 0 || strchr(glob, ',')
            || n != json_string_length(json_array_get(value, i)))
        {
            return "an array of globs without commas";
        }

        if (len + n + 1 > max) {
            return max == AIOBS_KEY_MODELS_MAX ? "shorter than 512 bytes"
                                               : "shorter than 256 bytes";
        }

        if (i) {
            text[len++] = ',';
        }

        memcpy(text + len, glob, n);
        len += n;
    }

    text[len] = '\0';

    return NULL;
}


static const char *
aiobs_form_labels(aiobs_key_form_t *form, const json_t *value)
{
    size_t  len;

    form->attrs.set |= AIOBS_ATTR_LABELS;
    form->attrs.labels = NULL;

    if (json_is_null(value)) {
        return NULL;
    }

    if (!json_is_object(value)) {
        return "an object of texts or null";
    }

    len = json_dumpb(value, form->labels, AIOBS_KEY_LABELS_MAX, JSON_COMPACT);

    if (len == 0 || len > AIOBS_KEY_LABELS_MAX) {
        return "shorter than 512 bytes";
    }

    form->labels[len] = '\0';

    if (json_object_size(value)) {
        form->attrs.labels = form->labels;
    }

    return NULL;
}


static const char *
aiobs_form_admin(aiobs_key_form_t *form, const json_t *value)
{
    form->attrs.set |= AIOBS_ATTR_ADMIN;
    form->attrs.admin = json_is_true(value);

    return json_is_boolean(value) ? NULL : "true or false";
}


static const char *
aiobs_form_may_act_for(aiobs_key_form_t *form, const json_t *value)
{
    form->attrs.set |= AIOBS_ATTR_MAY_ACT_FOR;
    form->attrs.may_act_for = json_is_true(value);

    return json_is_boolean(value) ? NULL : "true or false";
}


static const char *
aiobs_form_limits(aiobs_key_form_t *form, const json_t *value)
{
    int           i;
    size_t        n;
    const json_t  *limit;

    static const char  expected[] = "an object of limits: rpm, tpm,"
        " tokens_per_day, tokens_per_month, cost_usd_per_day,"
        " cost_usd_per_month, parallel, 0 or more each, or null";

    if (!json_is_object(value)) {
        return expected;
    }

    for (i = 0, n = 0; i < AIOBS_LIMIT_N; i++) {
        limit = json_object_get(value, aiobs_limit_name(i));

        if (limit == NULL) {
            continue;
        }

        n++;

        if (json_is_null(limit)) {
            form->attrs.set |= AIOBS_ATTR_LIMIT(i);
            form->attrs.limits[i] = AIOBS_LIMIT_NONE;

        } else if (!json_is_number(limit)
                   || aiobs_form_set_limit(form, i, json_number_value(limit))
                      != 0)
        {
            return expected;
        }
    }

    return n == json_object_size(value) ? NULL : expected;
}


static int
aiobs_form_set_limit(aiobs_key_form_t *form, aiobs_limit_e limit, double value)
{
    if (aiobs_limit_is_cost(limit)) {
        value = round(value * 1e6);
    }

    if (!(value >= 0 && value <= AIOBS_LIMIT_MAX) || value != floor(value)) {
        return -1;
    }

    form->attrs.set |= AIOBS_ATTR_LIMIT(limit);
    form->attrs.limits[limit] = (int64_t) value;

    return 0;
}


int
aiobs_key_form_limit(aiobs_key_form_t *form, aiobs_limit_e limit,
    const char *text)
{
    char    *end;
    double   value;

    if (strcmp(text, "none") == 0) {
        form->attrs.set |= AIOBS_ATTR_LIMIT(limit);
        form->attrs.limits[limit] = AIOBS_LIMIT_NONE;
        return 0;
    }

    if (*text == '\0' || strspn(text, "0123456789.") != strlen(text)) {
        return -1;
    }

    value = strtod(text, &end);

    return *end ? -1 : aiobs_form_set_limit(form, limit, value);
}


int
aiobs_key_form_expires(aiobs_key_form_t *form, const char *text)
{
    int64_t         period;
    struct timeval  tv;

    form->attrs.set |= AIOBS_ATTR_EXPIRES;

    if (strcmp(text, "never") == 0) {
        form->attrs.expires = NULL;
        return 0;
    }

    form->attrs.expires = form->expires;
    period = aiobs_key_period(text);

    if (period < 0) {
        return aiobs_key_parse_time(text, form->expires);
    }

    gettimeofday(&tv, NULL);
    tv.tv_sec += period;
    aiobs_key_time(&tv, form->expires);

    return 0;
}


int
aiobs_key_form_labels(aiobs_key_form_t *form, const char *json)
{
    form->labels[0] = '\0';

    return json == NULL
           || snprintf(form->labels, sizeof(form->labels), "%s", json)
              < (int) sizeof(form->labels) ? 0 : -1;
}


int
aiobs_key_form_label(aiobs_key_form_t *form, const char *text)
{
    int          rc;
    char         name[64];
    json_t      *labels;
    const char  *value;

    value = strchr(text, '=');

    if (value == NULL || value == text
        || (size_t) (value - text) >= sizeof(name))
    {
        return -1;
    }

    memcpy(name, text, value - text);
    name[value++ - text] = '\0';

    labels = json_loads(form->labels, 0, NULL);

    if (labels == NULL) {
        labels = json_object();
    }

    rc = *value ? json_object_set_new(labels, name, json_string(value)) : 0;

    if (*value == '\0') {
        (void) json_object_del(labels, name);
    }

    if (rc == 0 && aiobs_form_labels(form, labels) != NULL) {
        rc = -1;
    }

    json_decref(labels);

    return rc;
}


int64_t
aiobs_key_period(const char *text)
{
    char     *end;
    size_t    digits;
    int64_t   n;

    digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 9) {
        return -1;
    }

    n = strtoll(text, &end, 10);

    if (*end == '\0') {
        return n == 0 ? 0 : -1;
    }

    if (end[1] != '\0') {
        return -1;
    }

    switch (*end) {

    case 's':
        return n;

    case 'm':
        return n * 60;

    case 'h':
        return n * 3600;

    case 'd':
        return n > 36500 ? -1 : n * 86400;

    default:
        return -1;
    }
}


int
aiobs_key_parse_time(const char *text, char *time)
{
    char            sign;
    time_t          t;
    size_t          n;
    struct tm       tm;
    unsigned        h, m;
    const char     *p;
    struct timeval  tv;

    memset(&tm, 0, sizeof(tm));
    tv.tv_usec = 0;

    p = strptime(text, "%Y-%m-%d", &tm);

    if (p && (*p == 'T' || *p == ' ')) {
        p = strptime(p + 1, "%H:%M:%S", &tm);
    }

    if (p && *p == '.') {
        n = strspn(p + 1, "0123456789");
        tv.tv_usec = (suseconds_t) (strtod(p, NULL) * 1e6);
        p += n + 1;
    }

    if (p == NULL) {
        return -1;
    }

    t = timegm(&tm);

    if (sscanf(p, "%c%2u:%2u", &sign, &h, &m) == 3
        || sscanf(p, "%c%2u%2u", &sign, &h, &m) == 3
        || (m = 0, sscanf(p, "%c%2u", &sign, &h) == 2))
    {
        if ((sign != '+' && sign != '-') || strlen(p) > sizeof("+00:00") - 1) {
            return -1;
        }

        t += (sign == '+' ? -1 : 1) * (time_t) (h * 3600 + m * 60);

    } else if (*p && strcmp(p, "Z") != 0) {
        return -1;
    }

    if (tm.tm_year < 70 || tm.tm_year > 8000) {
        return -1;
    }

    tv.tv_sec = t;
    aiobs_key_time(&tv, time);

    return 0;
}
