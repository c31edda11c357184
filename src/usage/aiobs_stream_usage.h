
/*
 * Copyright (C) the aiobs authors
 *
 * Asking for usage on OpenAI-style streams: where to put
 * "stream_options":{"include_usage":true} into a request, and taking what it
 * adds out of the answer again.
 */


#ifndef _AIOBS_STREAM_USAGE_H_INCLUDED_
#define _AIOBS_STREAM_USAGE_H_INCLUDED_


#include "aiobs_members.h"


/* --- the request --- */

typedef struct {
    aiobs_members_t   members;
    int               streams;      /* how often "stream" came, last value */
    int               stream;
    int               options;      /* the same of "stream_options" */
    int               options_empty;
    char              options_first;
    uint64_t          options_at;
    uint64_t          options_end;
    int               asked;        /* include_usage is there, true or false */
} aiobs_inject_t;


typedef struct {
    uint64_t          at;           /* offset in the body */
    size_t            remove;       /* bytes there that are replaced */
    const char       *text;         /* static */
    size_t            len;
} aiobs_insertion_t;


void aiobs_inject_init(aiobs_inject_t *j);
void aiobs_inject_feed(aiobs_inject_t *j, const uint8_t *p, size_t len);

/*
 * After the whole body: true when it is a streaming request that says nothing
 * of usage.  Whatever is not plainly that is left alone.
 */
int aiobs_inject_find(const aiobs_inject_t *j, aiobs_insertion_t *insertion);


/* --- the answer --- */

#define AIOBS_EVENT_MAX  16384      /* bytes held back; longer events pass */

typedef void (*aiobs_emit_pt)(void *data, const uint8_t *p, size_t len);


typedef struct {
    uint8_t          *held;         /* AIOBS_EVENT_MAX bytes of the caller */
    size_t            len;
    int               line_empty;   /* at the start of a line */
    int               cr;           /* the byte before was CR */
    int               ending;       /* CR of a blank line: LF may follow */
    int               passing;      /* the event is too long: as it comes */
} aiobs_strip_t;


void aiobs_strip_init(aiobs_strip_t *s, uint8_t *held);

/* hands on what is decided; at most one event stays behind */
void aiobs_strip_feed(aiobs_strip_t *s, const uint8_t *p, size_t len,
    aiobs_emit_pt emit, void *data);

/* the end of the answer: nothing stays behind */
void aiobs_strip_finish(aiobs_strip_t *s, aiobs_emit_pt emit, void *data);


#endif /* _AIOBS_STREAM_USAGE_H_INCLUDED_ */
