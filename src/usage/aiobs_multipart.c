
/*
 * Copyright (C) the aiobs authors
 *
 * A push reader of multipart/form-data: boundaries and the parts between.
 */


#include "aiobs_multipart.h"
#include "aiobs_multipart_header.h"

#include <string.h>
#include <strings.h>


enum {
    AIOBS_MULTIPART_CONTENT = 0,        /* or what comes before all parts */
    AIOBS_MULTIPART_DELIMITER,          /* behind a boundary */
    AIOBS_MULTIPART_DELIMITER_CR,
    AIOBS_MULTIPART_DELIMITER_DASH,
    AIOBS_MULTIPART_CLOSED,             /* behind the last one */
    AIOBS_MULTIPART_CLOSED_CR,
    AIOBS_MULTIPART_HEADER,
    AIOBS_MULTIPART_HEADER_CR
};


static void aiobs_multipart_needle(aiobs_multipart_t *m, const char *boundary,
    size_t len);
static const uint8_t *aiobs_multipart_content(aiobs_multipart_t *m,
    const uint8_t *p, const uint8_t *last);
static const uint8_t *aiobs_multipart_skip(aiobs_multipart_t *m,
    const uint8_t *p, const uint8_t *last);
static void aiobs_multipart_match(aiobs_multipart_t *m, uint8_t c);
static void aiobs_multipart_boundary(aiobs_multipart_t *m);
static void aiobs_multipart_keep(aiobs_multipart_t *m, uint8_t c);
static void aiobs_multipart_delimiter(aiobs_multipart_t *m, uint8_t c);
static void aiobs_multipart_part(aiobs_multipart_t *m);
static void aiobs_multipart_header(aiobs_multipart_t *m, uint8_t c);
static void aiobs_multipart_line(aiobs_multipart_t *m);


int
aiobs_multipart_init(aiobs_multipart_t *m, const char *type, size_t len,
    aiobs_multipart_pt value, void *data)
{
    size_t  n;
    char    boundary[AIOBS_MULTIPART_BOUNDARY];

    static const char  form[] = "multipart/";

    if (len < sizeof(form) - 1 || strncasecmp(type, form, sizeof(form) - 1)) {
        return 0;
    }

    n = aiobs_multipart_type(type, len, boundary);

    if (n == 0) {
        return -1;
    }

    memset(m, 0, offsetof(aiobs_multipart_t, value_buf));

    m->value = value;
    m->data = data;

    /* what comes first may be a boundary */

    m->last[0] = '\r';
    m->last[1] = '\n';

    aiobs_multipart_needle(m, boundary, n);

    return 1;
}


/* fail[n]: bytes that match still when the one behind the first n does not */

static void
aiobs_multipart_needle(aiobs_multipart_t *m, const char *boundary, size_t len)
{
    size_t  i, n;

    m->needle[0] = '-';
    m->needle[1] = '-';
    memcpy(m->needle + 2, boundary, len);
    m->needle_len = len + 2;

    for (i = 1, n = 0; i < m->needle_len; i++) {
        m->fail[i] = n;

        while (n && m->needle[i] != m->needle[n]) {
            n = m->fail[n];
        }

        n += (m->needle[i] == m->needle[n]);
    }
}


void
aiobs_multipart_feed(aiobs_multipart_t *m, const uint8_t *p, size_t len)
{
    const uint8_t  *last;

    for (last = p + len; p < last && !m->failed; /* void */ ) {

        switch (m->state) {

        case AIOBS_MULTIPART_CONTENT:
            p = aiobs_multipart_content(m, p, last);
            break;

        case AIOBS_MULTIPART_HEADER:
        case AIOBS_MULTIPART_HEADER_CR:
            aiobs_multipart_header(m, *p++);
            break;

        default:
            aiobs_multipart_delimiter(m, *p++);
            break;
        }
    }
}


int
aiobs_multipart_whole(const aiobs_multipart_t *m)
{
    return m->closed && !m->failed && m->state != AIOBS_MULTIPART_CLOSED_CR;
}


/* up to a boundary, or to the end of what is there */

static const uint8_t *
aiobs_multipart_content(aiobs_multipart_t *m, const uint8_t *p,
    const uint8_t *last)
{
    uint8_t  c;

    while (p < last && m->state == AIOBS_MULTIPART_CONTENT && !m->failed) {

        if (m->matched == 0 && (m->field == AIOBS_FIELD_OTHER || m->cut)) {
            p = aiobs_multipart_skip(m, p, last);

            if (p == last) {
                break;
            }
        }

        c = *p++;

        if (m->field != AIOBS_FIELD_OTHER) {
            aiobs_multipart_keep(m, c);
        }

        aiobs_multipart_match(m, c);

        m->last[0] = m->last[1];
        m->last[1] = c;
    }

    return p;
}


/* to what may be the first byte of a boundary */

static const uint8_t *
aiobs_multipart_skip(aiobs_multipart_t *m, const uint8_t *p,
    const uint8_t *last)
{
    const uint8_t  *dash;

    dash = memchr(p, '-', last - p);

    if (dash == NULL) {
        dash = last;
    }

    if (dash - p >= 2) {
        m->last[0] = dash[-2];
        m->last[1] = dash[-1];

    } else if (dash - p == 1) {
        m->last[0] = m->last[1];
        m->last[1] = dash[-1];
    }

    return dash;
}


static void
aiobs_multipart_match(aiobs_multipart_t *m, uint8_t c)
{
    if (m->matched == 0) {
        m->crlf = (m->last[0] == '\r' && m->last[1] == '\n');
    }

    while (m->matched && c != m->needle[m->matched]) {
        m->matched = m->fail[m->matched];
        m->crlf = 0;                    /* it begins in the midst of another */
    }

    m->matched += (c == m->needle[m->matched]);

    if (m->matched == m->needle_len) {
        aiobs_multipart_boundary(m);
    }
}


static void
aiobs_multipart_boundary(aiobs_multipart_t *m)
{
    size_t  len;

    if (!m->crlf || m->closed) {
        m->failed = 1;
        return;
    }

    if (m->field != AIOBS_FIELD_OTHER) {

        /* the line end before a boundary belongs to it */

        len = m->value_len - m->needle_len - 2;

        m->value(m->data, m->field, m->value_buf, len, m->cut);
        m->field = AIOBS_FIELD_OTHER;
    }

    m->matched = 0;
    m->state = AIOBS_MULTIPART_DELIMITER;
}


/* the boundary behind the value comes with it */

static void
aiobs_multipart_keep(aiobs_multipart_t *m, uint8_t c)
{
    if (m->value_len == AIOBS_MULTIPART_VALUE + m->needle_len + 2) {
        m->cut = 1;
        return;
    }

    m->value_buf[m->value_len++] = c;
}


static void
aiobs_multipart_delimiter(aiobs_multipart_t *m, uint8_t c)
{
    if (m->state == AIOBS_MULTIPART_DELIMITER && c == '\r') {
        m->state = AIOBS_MULTIPART_DELIMITER_CR;

    } else if (m->state == AIOBS_MULTIPART_DELIMITER && c == '-') {
        m->state = AIOBS_MULTIPART_DELIMITER_DASH;

    } else if (m->state == AIOBS_MULTIPART_DELIMITER_CR && c == '\n') {
        aiobs_multipart_part(m);

    } else if (m->state == AIOBS_MULTIPART_DELIMITER_DASH && c == '-') {
        m->closed = 1;
        m->state = AIOBS_MULTIPART_CLOSED;

    } else if (m->state == AIOBS_MULTIPART_CLOSED && c == '\r') {
        m->state = AIOBS_MULTIPART_CLOSED_CR;

    } else if (m->state == AIOBS_MULTIPART_CLOSED_CR && c == '\n') {
        m->state = AIOBS_MULTIPART_CONTENT;

    } else {
        m->failed = 1;
    }
}


static void
aiobs_multipart_part(aiobs_multipart_t *m)
{
    m->state = AIOBS_MULTIPART_HEADER;
    m->field = AIOBS_FIELD_OTHER;
    m->named = 0;
    m->file = 0;
    m->plain = 1;
    m->typed = 0;
    m->lines = 0;
    m->line_len = 0;
}


static void
aiobs_multipart_header(aiobs_multipart_t *m, uint8_t c)
{
    if (m->state == AIOBS_MULTIPART_HEADER_CR) {

        if (c != '\n') {
            m->failed = 1;
            return;
        }

        m->state = AIOBS_MULTIPART_HEADER;
        aiobs_multipart_line(m);
        m->line_len = 0;
        return;
    }

    if (c == '\r') {
        m->state = AIOBS_MULTIPART_HEADER_CR;
        return;
    }

    if ((c < 0x20 && c != '\t') || c == 0x7f
        || m->line_len == AIOBS_MULTIPART_LINE)
    {
        m->failed = 1;
        return;
    }

    m->line[m->line_len++] = (char) c;
}


static void
aiobs_multipart_line(aiobs_multipart_t *m)
{
    if (m->line_len) {
        m->failed = ++m->lines > AIOBS_MULTIPART_HEADERS
                    || aiobs_multipart_field(m) != 0;
        return;
    }

    /* the header is over: a part has a name, and a field is a plain text */

    if (!m->named
        || (m->field != AIOBS_FIELD_OTHER && (m->file || !m->plain)))
    {
        m->failed = 1;
        return;
    }

    m->state = AIOBS_MULTIPART_CONTENT;
    m->matched = 0;
    m->value_len = 0;
    m->cut = 0;

    /* the header's line end is no boundary's */

    m->last[0] = 0;
    m->last[1] = 0;
}
