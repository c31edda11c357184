
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the JSON reader: its states, and what its two halves share.
 */


#ifndef _AIOBS_JSON_STATE_H_INCLUDED_
#define _AIOBS_JSON_STATE_H_INCLUDED_


#include "aiobs_json.h"


enum {
    AIOBS_JSON_VALUE = AIOBS_JSON_START + 1,
                                         /* a value, or the end of an empty array */
    AIOBS_JSON_NEXT_VALUE,
    AIOBS_JSON_KEY,             /* a key, or the end of an empty object */
    AIOBS_JSON_NEXT_KEY,
    AIOBS_JSON_IN_KEY,
    AIOBS_JSON_COLON,
    AIOBS_JSON_IN_STRING,
    AIOBS_JSON_IN_SCALAR,       /* a number or a literal */
    AIOBS_JSON_COMMA,           /* a comma, or the end of the container */
    AIOBS_JSON_SKIP,            /* inside of a container of no interest */
    AIOBS_JSON_SKIP_STRING
};


/* the child of the container under way, NULL if nobody asks for it */
const aiobs_node_t *aiobs_json_child(aiobs_json_t *j, const char *key,
    size_t len);


/* the container that begins or ends with c */
void aiobs_json_open(aiobs_json_t *j, uint8_t c);
void aiobs_json_close(aiobs_json_t *j, uint8_t c);


/* --- aiobs_json_members.c: whole members; in a state before a key --- */

/* what is known of documents with that root */
aiobs_json_member_t *aiobs_json_foreseen(const aiobs_node_t *root);

const uint8_t *aiobs_json_members(aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last);


/*
 * --- aiobs_json_text.c: runs of bytes ---
 *
 * All return where the run ends, or the end of the bytes.
 */

const uint8_t *aiobs_json_skip(aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last);
const uint8_t *aiobs_json_skip_string(aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last);
const uint8_t *aiobs_json_string(aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last);
const uint8_t *aiobs_json_scalar(aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last);


static inline int
aiobs_json_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}


/* numbers and literals */

static inline int
aiobs_json_scalar_start(uint8_t c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == 't' || c == 'f'
           || c == 'n';
}


static inline int
aiobs_json_scalar_byte(uint8_t c)
{
    /* digits, letters, "+", "-" and "." */

    static const uint32_t  bytes[8] = { 0, 0x03ff6800, 0x07fffffe, 0x07fffffe };

    return bytes[c >> 5] >> (c & 0x1f) & 1;
}


static inline int
aiobs_json_in_object(const aiobs_json_t *j)
{
    int  i;

    i = j->depth - 1;

    return j->objects[i / 64] >> (i % 64) & 1;
}


static inline void
aiobs_json_note(aiobs_json_t *j, const uint8_t *start, const uint8_t *end,
    aiobs_span_e type)
{
    aiobs_span_t   *span;
    aiobs_spans_t  *spans;

    spans = j->spans;

    if (spans == NULL) {
        return;
    }

    if (spans->n >= AIOBS_JSON_SPANS) {
        spans->n = AIOBS_JSON_SPANS + 1;
        return;
    }

    if (j->nodes) {
        j->nodes[spans->n] = j->node;
    }

    span = &spans->span[spans->n++];

    span->start = (uint16_t) (start - spans->base);
    span->end = (uint16_t) (end - spans->base);
    span->type = type;
}


/* a container opens; -1: too deep */

static inline int
aiobs_json_push(aiobs_json_t *j, uint8_t c)
{
    if (j->depth == AIOBS_JSON_DEPTH) {
        j->failure = AIOBS_FAILURE_DEPTH;
        return -1;
    }

    if (c == '{') {
        j->objects[j->depth / 64] |= 1ULL << (j->depth % 64);

    } else {
        j->objects[j->depth / 64] &= ~(1ULL << (j->depth % 64));
    }

    j->depth++;

    return 0;
}


#endif /* _AIOBS_JSON_STATE_H_INCLUDED_ */
