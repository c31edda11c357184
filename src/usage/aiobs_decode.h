
/*
 * Copyright (C) the aiobs authors
 *
 * Content-Encoding undone on the side, in one pass: each compressed byte is
 * given once, the plain bytes are handed to a sink as they appear.
 */


#ifndef _AIOBS_DECODE_H_INCLUDED_
#define _AIOBS_DECODE_H_INCLUDED_


#include "aiobs_usage.h"


typedef struct aiobs_decoder_s  aiobs_decoder_t;    /* on the heap */

typedef void (*aiobs_sink_pt)(void *data, const uint8_t *p, size_t len);


/*
 * encoding: value of Content-Encoding, any case, with white space; "identity"
 * and "" give *d = NULL and AIOBS_FAILURE_NONE: nothing to decode.  Chains
 * ("gzip, br") are undone from the last to the first.
 * Errors: AIOBS_FAILURE_ENCODING, AIOBS_FAILURE_MEMORY.
 */
aiobs_failure_e aiobs_decoder_create(aiobs_decoder_t **d, const char *encoding,
    size_t len);

/*
 * Errors: AIOBS_FAILURE_DECODE (corrupt, or trailing bytes that are not a
 * further member), AIOBS_FAILURE_WINDOW, AIOBS_FAILURE_MEMORY.  What was
 * decoded before the error has been handed to the sink: all of it, whatever the
 * pieces; of br, of which the library keeps some back, at least what came of
 * the input up to 1024 bytes before.  After an error further calls do nothing
 * and return it again.  The sink gets at most 16 KB at a time; p and the bytes
 * at it are not kept.
 */
aiobs_failure_e aiobs_decoder_feed(aiobs_decoder_t *d, const uint8_t *p,
    size_t len, aiobs_sink_pt sink, void *data);

/*
 * True when the encoding's own end was seen, garbage after it or not; of a
 * chain, the end of each.
 */
int aiobs_decoder_ended(const aiobs_decoder_t *d);

/* d may be NULL */
void aiobs_decoder_destroy(aiobs_decoder_t *d);

/*
 * Bounds, per process: the largest window of a br or zstd stream (log2 of
 * bytes, 10 to 30; 24 at first, the largest that RFC 7932 has) and the memory
 * all decoders may hold together (64 MB at first).  A br or zstd stream takes
 * about its window and 200 KB, gzip and deflate take 40 KB.
 */
void aiobs_decoder_limits(unsigned window_log, size_t total);

/*
 * A bound on the work that few bytes can cause: an answer whose decoded bytes
 * (of all encodings of a chain together) exceed its compressed ones and 64 KB
 * by this factor ends with AIOBS_FAILURE_DECODE.  0, as at first: no bound.
 */
void aiobs_decoder_expansion(unsigned ratio);

size_t aiobs_decoder_memory(void);      /* bytes held now, all decoders */


#endif /* _AIOBS_DECODE_H_INCLUDED_ */
