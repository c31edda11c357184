
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
} aiobs_estimate_t;


void aiobs_estimate_init(aiobs_estimate_t *e);

/* text: UTF-8, JSON escapes already undone; broken sequences are tolerated */
void aiobs_estimate_text(aiobs_estimate_t *e, const uint8_t *p, size_t len);

/* ends the current run: between messages and parts */
void aiobs_estimate_break(aiobs_estimate_t *e);

/* rounded to the nearest; at least 1 where there was any text */
int64_t aiobs_estimate_tokens(const aiobs_estimate_t *e);


#endif /* _AIOBS_ESTIMATE_H_INCLUDED_ */
