
/*
 * Copyright (C) the aiobs authors
 *
 * Server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html
 * Lines end with LF, CR LF or CR; an event ends with a blank one.
 */


#ifndef _AIOBS_SSE_H_INCLUDED_
#define _AIOBS_SSE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


typedef struct {
    /* pieces of the values of "data" lines, LF between lines */
    void  (*payload)(void *data, const uint8_t *p, size_t len);
    /* the value of "event", cut at 32 bytes; before the event's end */
    void  (*name)(void *data, const char *name, size_t len);
    /* the event is over */
    void  (*event)(void *data);
} aiobs_sse_handler_t;


#define AIOBS_SSE_LINE  0       /* the state at the start of a line */

typedef struct {
    const aiobs_sse_handler_t  *handler;
    void                       *data;
    uint8_t                     state;
    uint8_t                     cr;         /* the byte before was CR */
    uint8_t                     lines;      /* "data" lines of the event */
    uint8_t                     len;
    char                        buf[32];    /* a field's name, or "event" */
} aiobs_sse_t;


void aiobs_sse_init(aiobs_sse_t *s, const aiobs_sse_handler_t *handler,
    void *data);
void aiobs_sse_feed(aiobs_sse_t *s, const uint8_t *p, size_t len);

/* true between events */

static inline int
aiobs_sse_idle(const aiobs_sse_t *s)
{
    return s->state == AIOBS_SSE_LINE && s->lines == 0 && !s->cr;
}


/* the end of the stream: an event without its blank line counts as well */
void aiobs_sse_finish(aiobs_sse_t *s);


#endif /* _AIOBS_SSE_H_INCLUDED_ */
