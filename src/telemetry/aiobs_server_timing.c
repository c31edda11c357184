
/*
 * Copyright (C) the aiobs authors
 *
 * Reading of Server-Timing, of which anyone may be the author.
 */


#include <string.h>
#include <strings.h>

#include "aiobs_server_timing.h"


#define AIOBS_TIMING_DUR    1
#define AIOBS_TIMING_START  2
#define AIOBS_TIMING_DESC   4


static void aiobs_timing_params(const char **p, const char *end,
    aiobs_timing_t *step);
static void aiobs_timing_param(aiobs_timing_t *step, const char *name,
    const char *value, size_t len);
static int aiobs_timing_first(aiobs_timing_t *step, unsigned which);
static void aiobs_timing_desc(aiobs_timing_t *step, const char *value,
    size_t len);
static int aiobs_timing_pairs(const char *p, const char *end);
static void aiobs_timing_add(aiobs_timing_t *step, const char *name,
    size_t name_len, const char *value, size_t len);
static double aiobs_timing_ms(const char *value, size_t len);
static void aiobs_timing_space(const char **p, const char *end);
static size_t aiobs_timing_token(const char **p, const char *end, char *token,
    size_t max);
static size_t aiobs_timing_value(const char **p, const char *end, char *value,
    size_t max);
static int aiobs_timing_token_char(char c);
static int aiobs_timing_gap(char c);


int
aiobs_timing_next(const char **p, const char *end, aiobs_timing_t *step)
{
    char    nothing[1];
    size_t  len;

    while (*p < end) {
        memset(step, 0, sizeof(aiobs_timing_t));
        step->start = -1;

        aiobs_timing_space(p, end);
        len = aiobs_timing_token(p, end, step->name, AIOBS_TIMING_NAME_MAX);

        if (len) {
            aiobs_timing_params(p, end, step);
        }

        while (*p < end && **p != ',') {
            if (**p == '"') {
                (void) aiobs_timing_value(p, end, nothing, 0);

            } else {
                (*p)++;
            }
        }

        if (*p < end) {
            (*p)++;
        }

        if (len) {
            return 1;
        }
    }

    return 0;
}


static void
aiobs_timing_params(const char **p, const char *end, aiobs_timing_t *step)
{
    char    name[AIOBS_TIMING_NAME_MAX + 1];
    char    value[AIOBS_TIMING_VALUE_MAX + 1];
    size_t  len;

    for ( ;; ) {
        aiobs_timing_space(p, end);

        if (*p == end || **p != ';') {
            return;
        }

        (*p)++;
        aiobs_timing_space(p, end);

        if (aiobs_timing_token(p, end, name, AIOBS_TIMING_NAME_MAX) == 0) {
            return;
        }

        aiobs_timing_space(p, end);

        len = 0;
        value[0] = '\0';

        if (*p < end && **p == '=') {
            (*p)++;
            aiobs_timing_space(p, end);
            len = aiobs_timing_value(p, end, value, AIOBS_TIMING_VALUE_MAX);
        }

        aiobs_timing_param(step, name, value, len);
    }
}


/* of several with one name the first counts, also where it says nothing */

static void
aiobs_timing_param(aiobs_timing_t *step, const char *name, const char *value,
    size_t len)
{
    if (strcasecmp(name, "dur") == 0) {
        if (aiobs_timing_first(step, AIOBS_TIMING_DUR)) {
            step->dur = aiobs_timing_ms(value, len);
        }

    } else if (strcasecmp(name, "start") == 0) {
        if (aiobs_timing_first(step, AIOBS_TIMING_START)) {
            step->start = aiobs_timing_ms(value, len);
        }

    } else if (strcasecmp(name, "desc") == 0) {
        if (aiobs_timing_first(step, AIOBS_TIMING_DESC)) {
            aiobs_timing_desc(step, value, len);
        }

    } else {
        aiobs_timing_add(step, name, strlen(name), value, len);
    }
}


static int
aiobs_timing_first(aiobs_timing_t *step, unsigned which)
{
    unsigned  seen;

    seen = step->seen & which;
    step->seen |= which;

    return !seen;
}


static void
aiobs_timing_desc(aiobs_timing_t *step, const char *value, size_t len)
{
    const char  *p, *end, *name, *equals;

    p = value;
    end = value + len;

    if (!aiobs_timing_pairs(p, end)) {
        aiobs_timing_add(step, "desc", 4, value, len);
        return;
    }

    while (p < end) {

        if (aiobs_timing_gap(*p)) {
            p++;
            continue;
        }

        name = p;
        equals = memchr(p, '=', end - p);
        p = equals + 1;

        while (p < end && !aiobs_timing_gap(*p)) {
            p++;
        }

        aiobs_timing_add(step, name, equals - name, equals + 1,
                         p - equals - 1);
    }
}


/* whether all of it is "k=v", with spaces, commas or semicolons between */

static int
aiobs_timing_pairs(const char *p, const char *end)
{
    int  pairs;

    pairs = 0;

    while (p < end) {

        if (aiobs_timing_gap(*p)) {
            p++;
            continue;
        }

        if (!aiobs_timing_token_char(*p)) {
            return 0;
        }

        while (p < end && aiobs_timing_token_char(*p)) {
            p++;
        }

        if (p == end || *p != '=') {
            return 0;
        }

        while (p < end && !aiobs_timing_gap(*p)) {
            p++;
        }

        pairs++;
    }

    return pairs;
}


static void
aiobs_timing_add(aiobs_timing_t *step, const char *name, size_t name_len,
    const char *value, size_t len)
{
    int                    i;
    aiobs_timing_param_t  *param;

    if (name_len > AIOBS_TIMING_NAME_MAX) {
        name_len = AIOBS_TIMING_NAME_MAX;
    }

    for (i = 0; i < step->n; i++) {
        if (strncmp(step->params[i].name, name, name_len) == 0
            && step->params[i].name[name_len] == '\0')
        {
            return;
        }
    }

    if (step->n == AIOBS_TIMING_PARAMS) {
        return;
    }

    param = &step->params[step->n++];

    memcpy(param->name, name, name_len);
    param->name[name_len] = '\0';

    memcpy(param->value, value, len);
    param->value[len] = '\0';
    param->len = len;
}


static double
aiobs_timing_ms(const char *value, size_t len)
{
    double  n;

    if (!aiobs_timing_number(value, len, &n) || n < 0) {
        return 0;
    }

    return n < AIOBS_TIMING_MAX_MS ? n : AIOBS_TIMING_MAX_MS;
}


int
aiobs_timing_integer(const char *text, size_t len, int64_t *n)
{
    size_t  i;

    i = len && text[0] == '-';

    if (i == len || len > 18) {
        return 0;
    }

    for (*n = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return 0;
        }

        *n = *n * 10 + (text[i] - '0');
    }

    if (text[0] == '-') {
        *n = -*n;
    }

    return 1;
}


/* no exponent, whatever the locale */

int
aiobs_timing_number(const char *text, size_t len, double *n)
{
    double  scale;
    size_t  i, digits;

    scale = 0;
    digits = 0;
    *n = 0;

    for (i = len && text[0] == '-'; i < len; i++) {

        if (text[i] == '.' && scale == 0) {
            scale = 1;
            continue;
        }

        if (text[i] < '0' || text[i] > '9') {
            return 0;
        }

        *n = *n * 10 + (text[i] - '0');
        scale *= 10;
        digits++;
    }

    if (digits == 0 || digits > 30) {
        return 0;
    }

    if (scale > 0) {
        *n /= scale;
    }

    if (text[0] == '-') {
        *n = -*n;
    }

    return 1;
}


static void
aiobs_timing_space(const char **p, const char *end)
{
    while (*p < end && (**p == ' ' || **p == '\t')) {
        (*p)++;
    }
}


/* returns how long it is, cut or not */

static size_t
aiobs_timing_token(const char **p, const char *end, char *token, size_t max)
{
    size_t  n;

    for (n = 0; *p < end && aiobs_timing_token_char(**p); n++, (*p)++) {
        if (n < max) {
            token[n] = **p;
        }
    }

    token[n < max ? n : max] = '\0';

    return n;
}


/* a token, or a quoted string without its quotes; returns what is kept */

static size_t
aiobs_timing_value(const char **p, const char *end, char *value, size_t max)
{
    char    c;
    size_t  n;

    n = 0;

    if (*p == end || **p != '"') {
        n = aiobs_timing_token(p, end, value, max);
        return n < max ? n : max;
    }

    for ((*p)++; *p < end && **p != '"'; (*p)++) {
        c = **p;

        if (c == '\\' && *p + 1 < end) {
            c = *++(*p);
        }

        if (n < max) {
            value[n++] = c;
        }
    }

    if (*p < end) {
        (*p)++;
    }

    value[n] = '\0';

    return n;
}


/* RFC 9110, 5.6.2 */

static int
aiobs_timing_token_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z')
           || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}


static int
aiobs_timing_gap(char c)
{
    return c == ' ' || c == '\t' || c == ',' || c == ';';
}
