
/*
 * Copyright (C) the aiobs authors
 *
 * Server-sent events in pieces of any size.
 */


#include <string.h>

#include "aiobs_json.h"
#include "aiobs_sse.h"


enum {
    AIOBS_SSE_FIELD = AIOBS_SSE_LINE + 1,   /* in a field's name */
    AIOBS_SSE_SPACE,            /* behind ":": a space may follow */
    AIOBS_SSE_DATA,
    AIOBS_SSE_NAME,             /* the value of "event" */
    AIOBS_SSE_IGNORE
};


static const uint8_t *aiobs_sse_value(aiobs_sse_t *s, const uint8_t *p,
    const uint8_t *last);
static void aiobs_sse_field(aiobs_sse_t *s);
static void aiobs_sse_eol(aiobs_sse_t *s);
static int aiobs_sse_is(const aiobs_sse_t *s, const char *name);


void
aiobs_sse_init(aiobs_sse_t *s, const aiobs_sse_handler_t *handler, void *data)
{
    s->handler = handler;
    s->data = data;
    s->state = AIOBS_SSE_LINE;
    s->cr = 0;
    s->lines = 0;
    s->len = 0;
}


void
aiobs_sse_feed(aiobs_sse_t *s, const uint8_t *p, size_t len)
{
    uint8_t         c;
    const uint8_t  *last;

    last = p + len;

    while (p < last) {

        if (s->state >= AIOBS_SSE_DATA) {
            p = aiobs_sse_value(s, p, last);

            if (p == last) {
                return;
            }
        }

        c = *p;

        if (c == '\n' || c == '\r') {

            p++;

            if (c == '\n' && s->cr) {
                s->cr = 0;
                continue;                   /* of CR LF */
            }

            s->cr = (c == '\r');
            aiobs_sse_eol(s);
            continue;
        }

        s->cr = 0;

        if (s->state == AIOBS_SSE_SPACE) {
            aiobs_sse_field(s);
            p += (c == ' ');
            continue;
        }

        p++;
        s->state = AIOBS_SSE_FIELD;

        if (c == ':') {
            s->state = AIOBS_SSE_SPACE;

        } else if (s->len < sizeof(s->buf)) {
            s->buf[s->len++] = (char) c;
        }
    }
}


void
aiobs_sse_finish(aiobs_sse_t *s)
{
    if (s->state != AIOBS_SSE_LINE) {
        aiobs_sse_eol(s);
    }

    aiobs_sse_eol(s);
}


/* to the end of the line */

static const uint8_t *
aiobs_sse_value(aiobs_sse_t *s, const uint8_t *p, const uint8_t *last)
{
    size_t          n;
    const uint8_t  *end;

    end = aiobs_find_eol(p, last);
    n = end - p;

    if (s->state == AIOBS_SSE_DATA) {
        if (n) {
            s->handler->payload(s->data, p, n);
        }

    } else if (s->state == AIOBS_SSE_NAME) {
        if (n > sizeof(s->buf) - s->len) {
            n = sizeof(s->buf) - s->len;
        }

        memcpy(s->buf + s->len, p, n);
        s->len += n;
    }

    s->cr = 0;

    return end;
}


static void
aiobs_sse_field(aiobs_sse_t *s)
{
    s->state = AIOBS_SSE_IGNORE;

    /* llama.cpp has a field of its own for errors, of the same content */

    if (aiobs_sse_is(s, "data") || aiobs_sse_is(s, "error")) {

        if (s->lines) {
            s->handler->payload(s->data, (const uint8_t *) "\n", 1);
        }

        s->lines = 1;
        s->state = AIOBS_SSE_DATA;

    } else if (aiobs_sse_is(s, "event")) {
        s->state = AIOBS_SSE_NAME;
    }

    s->len = 0;
}


static void
aiobs_sse_eol(aiobs_sse_t *s)
{
    if (s->state == AIOBS_SSE_LINE) {

        if (s->lines) {
            s->lines = 0;
            s->handler->event(s->data);
        }

    } else if (s->state == AIOBS_SSE_NAME) {
        s->handler->name(s->data, s->buf, s->len);
    }

    s->state = AIOBS_SSE_LINE;
    s->len = 0;
}


static int
aiobs_sse_is(const aiobs_sse_t *s, const char *name)
{
    return s->len == strlen(name) && memcmp(s->buf, name, s->len) == 0;
}
