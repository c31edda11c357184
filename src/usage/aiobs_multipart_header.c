
/*
 * Copyright (C) the aiobs authors
 *
 * Headers of multipart/form-data: its type, and those of its parts.
 */


#include "aiobs_multipart_header.h"

#include <string.h>
#include <strings.h>


typedef struct {
    const char  *name;
    const char  *value;                 /* without its quotes */
    size_t       name_len;
    size_t       value_len;
} aiobs_param_t;


#define aiobs_is(p, len, text)                                                \
    ((len) == sizeof(text) - 1 && strncasecmp(p, text, sizeof(text) - 1) == 0)


static int aiobs_multipart_disposition(aiobs_multipart_t *m, const char *p,
    const char *last);
static int aiobs_multipart_name(aiobs_multipart_t *m, aiobs_param_t *param);
static int aiobs_multipart_plain(const char *p, const char *last);
static int aiobs_multipart_charset(aiobs_param_t *param);
static int aiobs_param_next(const char **pp, const char *last,
    aiobs_param_t *param);
static const char *aiobs_param_quoted(const char *p, const char *last);
static const char *aiobs_token(const char *p, const char *last);
static const char *aiobs_spaces(const char *p, const char *last);


size_t
aiobs_multipart_type(const char *type, size_t len,
    char boundary[AIOBS_MULTIPART_BOUNDARY])
{
    int             rc;
    size_t          i, n;
    const char     *p, *last;
    aiobs_param_t   param;

    static const char  form[] = "multipart/form-data";
    static const char  marks[] = "'()+_,-./:=?";

    n = sizeof(form) - 1;

    if (len < n || strncasecmp(type, form, n) != 0) {
        return 0;
    }

    last = type + len;
    n = 0;

    for (p = type + sizeof(form) - 1;
         (rc = aiobs_param_next(&p, last, &param)) == 1;
         /* void */ )
    {
        if (!aiobs_is(param.name, param.name_len, "boundary")) {

            if (!aiobs_multipart_charset(&param)) {
                return 0;
            }

            continue;
        }

        if (n || param.value_len > AIOBS_MULTIPART_BOUNDARY) {
            return 0;
        }

        n = param.value_len;

        for (i = 0; i < n; i++) {
            boundary[i] = param.value[i];

            if ((boundary[i] < '0' || boundary[i] > '9')
                && ((boundary[i] | 0x20) < 'a' || (boundary[i] | 0x20) > 'z')
                && memchr(marks, boundary[i], sizeof(marks) - 1) == NULL)
            {
                return 0;
            }
        }
    }

    return rc == 0 ? n : 0;
}


int
aiobs_multipart_field(aiobs_multipart_t *m)
{
    size_t       len;
    const char  *p, *last;

    last = m->line + m->line_len;
    p = aiobs_token(m->line, last);
    len = p - m->line;

    if (len == 0 || p == last || *p != ':') {
        return -1;
    }

    p = aiobs_spaces(p + 1, last);

    while (last > p && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    if (aiobs_is(m->line, len, "content-disposition")) {
        return m->named ? -1 : aiobs_multipart_disposition(m, p, last);
    }

    if (aiobs_is(m->line, len, "content-type")) {
        m->plain &= !m->typed && aiobs_multipart_plain(p, last);
        m->typed = 1;

    } else if (aiobs_is(m->line, len, "content-transfer-encoding")) {
        m->plain &= aiobs_is(p, (size_t) (last - p), "7bit")
                    || aiobs_is(p, (size_t) (last - p), "8bit")
                    || aiobs_is(p, (size_t) (last - p), "binary");
    }

    return 0;
}


static int
aiobs_multipart_disposition(aiobs_multipart_t *m, const char *p,
    const char *last)
{
    int             rc, file, coded;
    const char     *type;
    aiobs_param_t   param;

    type = p;
    p = aiobs_token(p, last);

    if (!aiobs_is(type, (size_t) (p - type), "form-data")) {
        return -1;
    }

    for (file = 0, coded = 0;
         (rc = aiobs_param_next(&p, last, &param)) == 1;
         /* void */ )
    {
        if (aiobs_is(param.name, param.name_len, "name")) {

            if (m->named || aiobs_multipart_name(m, &param) != 0) {
                return -1;
            }

        } else if (aiobs_is(param.name, param.name_len, "filename")) {

            if (file++) {
                return -1;
            }

        } else if (!aiobs_is(param.name, param.name_len, "filename*")
                   || coded++)
        {
            return -1;
        }
    }

    m->file = file || coded;

    return rc;
}


/* of letters that nobody codes or escapes, and not nearly ours */

static int
aiobs_multipart_name(aiobs_multipart_t *m, aiobs_param_t *param)
{
    char    c;
    size_t  i;

    static const char  marks[] = "_.-[]";

    for (i = 0; i < param->value_len; i++) {
        c = param->value[i];

        if ((c < '0' || c > '9') && ((c | 0x20) < 'a' || (c | 0x20) > 'z')
            && memchr(marks, c, sizeof(marks) - 1) == NULL)
        {
            return -1;
        }
    }

    m->named = 1;

    if (param->value_len >= 5 && strncasecmp(param->value, "model", 5) == 0) {

        if (param->value_len == 5 && memcmp(param->value, "model", 5) == 0) {
            m->field = AIOBS_FIELD_MODEL;
            return 0;
        }

        /* others may take these for it, too */

        return (param->value_len == 5 || param->value[5] == '['
                || param->value[5] == '.')
               ? -1 : 0;
    }

    if (param->value_len == 6 && memcmp(param->value, "stream", 6) == 0) {
        m->field = AIOBS_FIELD_STREAM;
    }

    return aiobs_is(param->value, param->value_len, "_charset_") ? -1 : 0;
}


/* a text as it stands there */

static int
aiobs_multipart_plain(const char *p, const char *last)
{
    int             rc;
    aiobs_param_t   param;

    static const char  text[] = "text/plain";

    if ((size_t) (last - p) < sizeof(text) - 1
        || strncasecmp(p, text, sizeof(text) - 1) != 0)
    {
        return 0;
    }

    p += sizeof(text) - 1;

    while ((rc = aiobs_param_next(&p, last, &param)) == 1) {
        if (!aiobs_multipart_charset(&param)) {
            return 0;
        }
    }

    return rc == 0;
}


static int
aiobs_multipart_charset(aiobs_param_t *param)
{
    return aiobs_is(param->name, param->name_len, "charset")
           && (aiobs_is(param->value, param->value_len, "utf-8")
               || aiobs_is(param->value, param->value_len, "us-ascii"));
}


/*
 * The next of "; name=value; ...".  0: there is none; -1: it is not understood.
 */

static int
aiobs_param_next(const char **pp, const char *last, aiobs_param_t *param)
{
    const char  *p;

    p = aiobs_spaces(*pp, last);

    if (p == last) {
        return 0;
    }

    if (*p != ';') {
        return -1;
    }

    param->name = aiobs_spaces(p + 1, last);
    p = aiobs_token(param->name, last);
    param->name_len = p - param->name;

    if (param->name_len == 0 || p == last || *p != '=') {
        return -1;
    }

    param->value = ++p;

    if (p < last && *p == '"') {
        param->value++;
        p = aiobs_param_quoted(p + 1, last);

        if (p == NULL) {
            return -1;
        }

        param->value_len = p++ - param->value;

    } else {
        p = aiobs_token(p, last);
        param->value_len = p - param->value;

        if (param->value_len == 0) {
            return -1;
        }
    }

    *pp = p;

    return 1;
}


/*
 * The quote at the end.  A backslash escapes for some and stands for itself
 * for others: it must not make the end another.
 */

static const char *
aiobs_param_quoted(const char *p, const char *last)
{
    int  escaped;

    for (escaped = 0; p < last; p++) {

        if (*p == '"') {
            return escaped ? NULL : p;
        }

        if (*p != '\t' && ((unsigned char) *p < 0x20 || *p == 0x7f)) {
            return NULL;
        }

        escaped = (*p == '\\' && !escaped);
    }

    return NULL;
}


/* RFC 9110, 5.6.2 */

static const char *
aiobs_token(const char *p, const char *last)
{
    static const char  marks[] = "!#$%&'*+-.^_`|~";

    while (p < last
           && ((*p >= '0' && *p <= '9')
               || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
               || memchr(marks, *p, sizeof(marks) - 1)))
    {
        p++;
    }

    return p;
}


static const char *
aiobs_spaces(const char *p, const char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p;
}
