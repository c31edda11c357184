
/*
 * Copyright (C) the aiobs authors
 *
 * Counting tokens without a tokenizer: one pass over text in pieces of any
 * size, constant state.
 */


#ifndef _AIOBS_ESTIMATE_H_INCLUDED_
#define _AIOBS_ESTIMATE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


typedef struct {
    uint64_t  millitokens;
    uint8_t   class;        /* of the last character */
    uint8_t   run;          /* its place in its word, number or run */
    uint8_t  *text;         /* that was not looked at yet, or NULL */
    uint8_t  *end;          /* of it */
    uint8_t  *last;         /* of its room */
} aiobs_estimate_t;


void aiobs_estimate_init(aiobs_estimate_t *e);

/*
 * From now on text is kept there, and looked at when the room is full or the
 * tokens are asked for: nearly always nobody does.
 */
void aiobs_estimate_defer(aiobs_estimate_t *e, uint8_t *room, size_t size);

/* looks at what is kept: its room is free again */
void aiobs_estimate_look(aiobs_estimate_t *e);

/* text: UTF-8, JSON escapes already undone; broken sequences are tolerated */
void aiobs_estimate_text(aiobs_estimate_t *e, const uint8_t *p, size_t len);

/* ends the current run: between messages and parts */
void aiobs_estimate_break(aiobs_estimate_t *e);

/* rounded to the nearest; at least 1 where there was any text */
int64_t aiobs_estimate_tokens(aiobs_estimate_t *e);


#endif /* _AIOBS_ESTIMATE_H_INCLUDED_ */
