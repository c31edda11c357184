
/*
 * Copyright (C) the aiobs authors
 *
 * Attributes of a key: whether they are fit to be stored.
 */


#include "aiobs_key_form.h"

#include <ctype.h>
#include <string.h>


#define AIOBS_LABELS       16
#define AIOBS_LABEL_VALUE  128          /* bytes */


static const char *aiobs_key_label_error(const char *name, json_t *value);
static const char *aiobs_key_globs_error(const char *globs, size_t max);


static const char  *aiobs_limit_names[AIOBS_LIMIT_N] = {
    "rpm", "tpm", "tokens_per_day", "tokens_per_month", "cost_usd_per_day",
    "cost_usd_per_month", "parallel"
};


const char *
aiobs_limit_name(aiobs_limit_e limit)
{
    return aiobs_limit_names[limit];
}


const char *
aiobs_key_attrs_error(const aiobs_key_attrs_t *attrs)
{
    int          i;
    char         time[AIOBS_KEY_TIME_LEN + 1];
    const char  *error;

    error = NULL;

    if (attrs->set & AIOBS_ATTR_USER) {
        if (attrs->user == NULL) {
            error = "a key needs a user";

        } else if (aiobs_key_text_error(attrs->user, AIOBS_KEY_USER_MAX)) {
            error = "its user is not 1 to 128 bytes of UTF-8 without control"
                    " characters";
        }
    }

    if (error == NULL && (attrs->set & AIOBS_ATTR_NAME) && attrs->name
        && aiobs_key_text_error(attrs->name, AIOBS_KEY_NAME_MAX))
    {
        error = "its name is not 1 to 64 bytes of UTF-8 without control"
                " characters";
    }

    if (error == NULL && (attrs->set & AIOBS_ATTR_EXPIRES) && attrs->expires
        && aiobs_key_parse_time(attrs->expires, time) != 0)
    {
        error = "its end is no time such as 2026-12-31T23:59:59";
    }

    if (error == NULL && (attrs->set & AIOBS_ATTR_MODELS)) {
        error = aiobs_key_globs_error(attrs->models, AIOBS_KEY_MODELS_MAX);
    }

    if (error == NULL && (attrs->set & AIOBS_ATTR_ENDPOINTS)) {
        error = aiobs_key_globs_error(attrs->endpoints,
                                      AIOBS_KEY_ENDPOINTS_MAX);
    }

    if (error == NULL && (attrs->set & AIOBS_ATTR_LABELS) && attrs->labels) {
        error = aiobs_key_labels_error(attrs->labels, strlen(attrs->labels));
    }

    for (i = 0; error == NULL && i < AIOBS_LIMIT_N; i++) {
        if ((attrs->set & AIOBS_ATTR_LIMIT(i))
            && attrs->limits[i] < AIOBS_LIMIT_NONE)
        {
            error = "a limit is below zero";
        }
    }

    return error;
}


int
aiobs_key_attrs_past(const aiobs_key_attrs_t *attrs)
{
    char            time[AIOBS_KEY_TIME_LEN + 1];
    char            now[AIOBS_KEY_TIME_LEN + 1];
    struct timeval  tv;

    if ((attrs->set & AIOBS_ATTR_EXPIRES) == 0 || attrs->expires == NULL
        || aiobs_key_parse_time(attrs->expires, time) != 0)
    {
        return 0;
    }

    gettimeofday(&tv, NULL);
    aiobs_key_time(&tv, now);

    return strcmp(time, now) <= 0;
}


const char *
aiobs_key_labels_error(const char *json, size_t len)
{
    void        *i;
    json_t      *labels;
    const char  *error;

    if (len == 0) {
        return NULL;
    }

    if (len > AIOBS_KEY_LABELS_MAX) {
        return "its labels are longer than 512 bytes";
    }

    labels = json_loadb(json, len, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(labels)) {
        json_decref(labels);
        return "its labels are no JSON object of strings";
    }

    error = json_object_size(labels) > AIOBS_LABELS
            ? "it has more than 16 labels" : NULL;

    for (i = json_object_iter(labels); i && error == NULL;
         i = json_object_iter_next(labels, i))
    {
        error = aiobs_key_label_error(json_object_iter_key(i),
                                      json_object_iter_value(i));
    }

    json_decref(labels);

    return error;
}


int
aiobs_key_label_name(const char *name)
{
    size_t  i;

    for (i = 0; name[i]; i++) {
        if (!isalnum((unsigned char) name[i]) && !strchr("_-.", name[i])) {
            return 0;
        }
    }

    return i != 0 && i <= AIOBS_KEY_LABEL_MAX;
}


static const char *
aiobs_key_label_error(const char *name, json_t *value)
{
    size_t                i;
    const unsigned char  *p, *end;

    if (!aiobs_key_label_name(name)) {
        return "a label's name is not 1 to 32 letters, digits, \"_\", \"-\" or"
               " \".\"";
    }

    if (!json_is_string(value)
        || json_string_length(value) > AIOBS_LABEL_VALUE)
    {
        return "a label's value is no string of at most 128 bytes";
    }

    p = (const unsigned char *) json_string_value(value);

    for (end = p + json_string_length(value); p < end; p += i) {
        i = aiobs_key_utf8(p, end);

        if (i == 0) {
            return "a label's value has control characters";
        }
    }

    return NULL;
}


static const char *
aiobs_key_globs_error(const char *globs, size_t max)
{
    const char  *p;

    if (globs == NULL) {
        return NULL;
    }

    if (strlen(globs) > max) {
        return max == AIOBS_KEY_MODELS_MAX
               ? "its models are longer than 512 bytes"
               : "its endpoints are longer than 256 bytes";
    }

    for (p = globs; *p; p++) {
        if (*p <= ' ' || *p >= 0x7f) {
            return "its models or endpoints have spaces, control characters or"
                   " other than ASCII: they are parted by commas alone";
        }
    }

    if (globs[0] == ',' || p[-1] == ',' || strstr(globs, ",,")) {
        return "one of its models or endpoints is empty";
    }

    return NULL;
}
