
/*
 * Copyright (C) the aiobs authors
 *
 * The wire format of Protocol Buffers, written backwards.
 */


#include <string.h>

#include "aiobs_wire.h"


#define AIOBS_WIRE_VARINT   0
#define AIOBS_WIRE_FIXED64  1
#define AIOBS_WIRE_LEN      2


static void aiobs_wire_put(aiobs_wire_t *w, const void *data, size_t len);
static void aiobs_wire_number(aiobs_wire_t *w, uint64_t value);
static void aiobs_wire_tag(aiobs_wire_t *w, unsigned field, unsigned type);
static uint64_t aiobs_wire_zigzag(int64_t value);


void
aiobs_wire_init(aiobs_wire_t *w, unsigned char *buf, size_t size)
{
    w->start = buf;
    w->p = buf + size;
    w->full = 0;
}


void
aiobs_wire_uint(aiobs_wire_t *w, unsigned field, uint64_t value)
{
    aiobs_wire_number(w, value);
    aiobs_wire_tag(w, field, AIOBS_WIRE_VARINT);
}


void
aiobs_wire_sint(aiobs_wire_t *w, unsigned field, int64_t value)
{
    aiobs_wire_uint(w, field, aiobs_wire_zigzag(value));
}


void
aiobs_wire_double(aiobs_wire_t *w, unsigned field, double value)
{
    unsigned       i;
    uint64_t       bits;
    unsigned char  data[8];

    memcpy(&bits, &value, sizeof(bits));

    for (i = 0; i < sizeof(data); i++) {
        data[i] = (unsigned char) (bits >> 8 * i);
    }

    aiobs_wire_put(w, data, sizeof(data));
    aiobs_wire_tag(w, field, AIOBS_WIRE_FIXED64);
}


void
aiobs_wire_bytes(aiobs_wire_t *w, unsigned field, const void *data, size_t len)
{
    unsigned char  *end;

    end = w->p;

    aiobs_wire_put(w, data, len);
    aiobs_wire_message(w, field, end);
}


void
aiobs_wire_packed_sint(aiobs_wire_t *w, int64_t value)
{
    aiobs_wire_number(w, aiobs_wire_zigzag(value));
}


void
aiobs_wire_message(aiobs_wire_t *w, unsigned field, unsigned char *end)
{
    aiobs_wire_number(w, end - w->p);
    aiobs_wire_tag(w, field, AIOBS_WIRE_LEN);
}


unsigned char *
aiobs_wire_varint(unsigned char *p, uint64_t value)
{
    while (value > 0x7f) {
        *p++ = (unsigned char) (value | 0x80);
        value >>= 7;
    }

    *p++ = (unsigned char) value;

    return p;
}


static void
aiobs_wire_put(aiobs_wire_t *w, const void *data, size_t len)
{
    if ((size_t) (w->p - w->start) < len) {
        w->full = 1;
        return;
    }

    w->p -= len;
    memcpy(w->p, data, len);
}


static void
aiobs_wire_number(aiobs_wire_t *w, uint64_t value)
{
    unsigned char  data[AIOBS_WIRE_VARINT_MAX];

    aiobs_wire_put(w, data, aiobs_wire_varint(data, value) - data);
}


static void
aiobs_wire_tag(aiobs_wire_t *w, unsigned field, unsigned type)
{
    aiobs_wire_number(w, (uint64_t) field << 3 | type);
}


/* small numbers of either sign are short */

static uint64_t
aiobs_wire_zigzag(int64_t value)
{
    return (uint64_t) value << 1 ^ (uint64_t) (value >> 63);
}
