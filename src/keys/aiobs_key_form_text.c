
/*
 * Copyright (C) the aiobs authors
 *
 * Attributes of a key as people write them: options of aiobs-keys.
 */


#define _GNU_SOURCE

#include "aiobs_key_form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>


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
    struct tm       tm, day;
    unsigned        h, m;
    const char     *p;
    struct timeval  tv;

    memset(&tm, 0, sizeof(tm));
    tv.tv_usec = 0;

    p = strptime(text, "%Y-%m-%d", &tm);

    /* a 30th of February would go on to March */

    day = tm;

    if (p == NULL || timegm(&day) == -1 || day.tm_mday != tm.tm_mday) {
        return -1;
    }

    if (*p == 'T' || *p == ' ') {
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
        if ((sign != '+' && sign != '-') || strlen(p) > sizeof("+00:00") - 1
            || h > 23 || m > 59)
        {
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
