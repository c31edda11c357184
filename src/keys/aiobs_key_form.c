
/*
 * Copyright (C) the aiobs authors
 *
 * Attributes of a key as programs write them: JSON.
 */


#include "aiobs_key_form.h"

#include <math.h>
#include <stdio.h>
#include <string.h>


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
static const char *aiobs_form_admin(aiobs_key_form_t *form,
    const json_t *value);
static const char *aiobs_form_may_act_for(aiobs_key_form_t *form,
    const json_t *value);
static const char *aiobs_form_limits(aiobs_key_form_t *form,
    const json_t *value);
static const char *aiobs_form_globs(const json_t *value, char *text,
    size_t max);


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


const char *
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

    if (!json_is_object(value) && !json_is_null(value)) {
        return expected;
    }

    for (i = 0, n = 0; i < AIOBS_LIMIT_N; i++) {
        limit = json_is_null(value) ? value
                                    : json_object_get(value,
                                                      aiobs_limit_name(i));

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

    return json_is_null(value) || n == json_object_size(value) ? NULL
                                                               : expected;
}


int
aiobs_form_set_limit(aiobs_key_form_t *form, aiobs_limit_e limit, double value)
{
    double  given;

    given = value;

    if (aiobs_limit_is_cost(limit)) {
        value = round(value * 1e6);
    }

    /* what is too little to be counted is not nothing, which lets nobody in */

    if (value == 0 && given != 0) {
        return -1;
    }

    if (!(value >= 0 && value <= AIOBS_LIMIT_MAX) || value != floor(value)) {
        return -1;
    }

    form->attrs.set |= AIOBS_ATTR_LIMIT(limit);
    form->attrs.limits[limit] = (int64_t) value;

    return 0;
}
