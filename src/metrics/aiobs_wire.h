
/*
 * Copyright (C) the aiobs authors
 *
 * The wire format of Protocol Buffers, written from the end of a buffer to its
 * front, so that the length of a message is known when it is to be written.
 *
 * A generated encoder (protobuf-c) wants the whole of a message as a tree of
 * structures in memory, for an exposition that is megabytes and is written a
 * series at a time; what is needed of the format is these functions.
 * https://protobuf.dev/programming-guides/encoding/
 */


#ifndef _AIOBS_WIRE_H_INCLUDED_
#define _AIOBS_WIRE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define AIOBS_WIRE_VARINT_MAX  10       /* bytes */


/* what is written lies from p to the end of the buffer */

typedef struct {
    unsigned char  *start;
    unsigned char  *p;
    int             full;               /* something had no room */
} aiobs_wire_t;


void aiobs_wire_init(aiobs_wire_t *w, unsigned char *buf, size_t size);

/* fields, the last one of a message first */
void aiobs_wire_uint(aiobs_wire_t *w, unsigned field, uint64_t value);
void aiobs_wire_sint(aiobs_wire_t *w, unsigned field, int64_t value);
void aiobs_wire_double(aiobs_wire_t *w, unsigned field, double value);
void aiobs_wire_bytes(aiobs_wire_t *w, unsigned field, const void *data,
    size_t len);

/* an element of a packed field of sint */
void aiobs_wire_packed_sint(aiobs_wire_t *w, int64_t value);

/*
 * Makes a field, a message or a packed one, of what was written since p was
 * end.
 */
void aiobs_wire_message(aiobs_wire_t *w, unsigned field, unsigned char *end);

/* forward, at most AIOBS_WIRE_VARINT_MAX bytes; returns what follows */
unsigned char *aiobs_wire_varint(unsigned char *p, uint64_t value);


#endif /* _AIOBS_WIRE_H_INCLUDED_ */
