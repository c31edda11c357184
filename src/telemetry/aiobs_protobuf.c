
/*
 * Copyright (C) the aiobs authors
 *
 * Writing and reading of protobuf messages.
 */


#include <string.h>

#include "aiobs_protobuf.h"
#include "../metrics/aiobs_text.h"


#define AIOBS_PB_VARINT   0
#define AIOBS_PB_FIXED64  1
#define AIOBS_PB_BYTES    2
#define AIOBS_PB_FIXED32  5

#define AIOBS_PB_LENGTH   3         /* bytes of the length of a message */


static size_t aiobs_pb_clean(unsigned char *text, const void *data,
    size_t len);
static int aiobs_pb_room(aiobs_pb_t *pb, size_t size);
static void aiobs_pb_tag(aiobs_pb_t *pb, int field, int wire);
static void aiobs_pb_attr(aiobs_pb_t *pb, int field, const char *key,
    size_t len);
static int aiobs_pb_get(const unsigned char **p, const unsigned char *end,
    uint64_t *n);


void
aiobs_pb_varint(aiobs_pb_t *pb, int field, uint64_t n)
{
    if (aiobs_pb_room(pb, 20)) {
        aiobs_pb_tag(pb, field, AIOBS_PB_VARINT);
        pb->pos = aiobs_pb_put(pb->pos, n);
    }
}


void
aiobs_pb_fixed32(aiobs_pb_t *pb, int field, uint32_t n)
{
    int  i;

    if (aiobs_pb_room(pb, 14)) {
        aiobs_pb_tag(pb, field, AIOBS_PB_FIXED32);

        for (i = 0; i < 4; i++, n >>= 8) {
            *pb->pos++ = (unsigned char) n;
        }
    }
}


void
aiobs_pb_fixed64(aiobs_pb_t *pb, int field, uint64_t n)
{
    int  i;

    if (aiobs_pb_room(pb, 18)) {
        aiobs_pb_tag(pb, field, AIOBS_PB_FIXED64);

        for (i = 0; i < 8; i++, n >>= 8) {
            *pb->pos++ = (unsigned char) n;
        }
    }
}


void
aiobs_pb_bytes(aiobs_pb_t *pb, int field, const void *data, size_t len)
{
    if (aiobs_pb_room(pb, 20 + len)) {
        aiobs_pb_tag(pb, field, AIOBS_PB_BYTES);
        pb->pos = aiobs_pb_put(pb->pos, len);
        memcpy(pb->pos, data, len);
        pb->pos += len;
    }
}


void
aiobs_pb_text(aiobs_pb_t *pb, int field, const void *data, size_t len)
{
    unsigned char  text[AIOBS_PB_TEXT_MAX];

    len = aiobs_pb_clean(text, data, len);
    aiobs_pb_bytes(pb, field, text, len);
}


unsigned char *
aiobs_pb_begin(aiobs_pb_t *pb, int field)
{
    if (!aiobs_pb_room(pb, 10 + AIOBS_PB_LENGTH)) {
        return NULL;
    }

    aiobs_pb_tag(pb, field, AIOBS_PB_BYTES);
    pb->pos += AIOBS_PB_LENGTH;

    return pb->pos;
}


void
aiobs_pb_end(aiobs_pb_t *pb, unsigned char *mark)
{
    size_t  len;

    if (pb->full) {
        return;
    }

    len = pb->pos - mark;

    mark[-3] = (unsigned char) (len & 0x7f) | 0x80;
    mark[-2] = (unsigned char) (len >> 7 & 0x7f) | 0x80;
    mark[-1] = (unsigned char) (len >> 14 & 0x7f);
}


void
aiobs_pb_attr_text(aiobs_pb_t *pb, int field, const char *key,
    const void *data, size_t len)
{
    unsigned char  text[AIOBS_PB_TEXT_MAX];

    len = aiobs_pb_clean(text, data, len);

    aiobs_pb_attr(pb, field, key, 1 + aiobs_pb_size(len) + len);
    aiobs_pb_bytes(pb, 1, text, len);
}


void
aiobs_pb_attr_bool(aiobs_pb_t *pb, int field, const char *key, int n)
{
    aiobs_pb_attr(pb, field, key, 2);
    aiobs_pb_varint(pb, 2, n != 0);
}


void
aiobs_pb_attr_int(aiobs_pb_t *pb, int field, const char *key, int64_t n)
{
    aiobs_pb_attr(pb, field, key, 1 + aiobs_pb_size((uint64_t) n));
    aiobs_pb_varint(pb, 3, (uint64_t) n);
}


void
aiobs_pb_attr_double(aiobs_pb_t *pb, int field, const char *key, double n)
{
    uint64_t  bits;

    memcpy(&bits, &n, sizeof(bits));

    aiobs_pb_attr(pb, field, key, 9);
    aiobs_pb_fixed64(pb, 4, bits);
}


void
aiobs_pb_attr_list(aiobs_pb_t *pb, int field, const char *key,
    const void *data, size_t len)
{
    unsigned char        *attr, *value, *array, *item;
    const unsigned char  *p, *end, *comma;

    attr = aiobs_pb_begin(pb, field);
    aiobs_pb_bytes(pb, 1, key, strlen(key));
    value = aiobs_pb_begin(pb, 2);
    array = aiobs_pb_begin(pb, 5);

    p = data;
    end = p + len;

    while (p < end) {
        comma = memchr(p, ',', end - p);
        comma = comma ? comma : end;

        item = aiobs_pb_begin(pb, 1);
        aiobs_pb_text(pb, 1, p, comma - p);
        aiobs_pb_end(pb, item);

        p = comma + 1;
    }

    aiobs_pb_end(pb, array);
    aiobs_pb_end(pb, value);
    aiobs_pb_end(pb, attr);
}


/* up to the content of the value, which takes len bytes */

static void
aiobs_pb_attr(aiobs_pb_t *pb, int field, const char *key, size_t len)
{
    size_t  n;

    n = strlen(key);

    if (aiobs_pb_room(pb, 40 + n + len)) {
        aiobs_pb_tag(pb, field, AIOBS_PB_BYTES);
        pb->pos = aiobs_pb_put(pb->pos, 1 + aiobs_pb_size(n) + n
                                        + 1 + aiobs_pb_size(len) + len);
        aiobs_pb_bytes(pb, 1, key, n);
        aiobs_pb_tag(pb, 2, AIOBS_PB_BYTES);
        pb->pos = aiobs_pb_put(pb->pos, len);
    }
}


/* most are short, and labels are copied by words */

static size_t
aiobs_pb_clean(unsigned char *text, const void *data, size_t len)
{
    return len <= AIOBS_LABEL_MAX
           ? aiobs_text_label(text, data, len)
           : aiobs_text_clean(text, AIOBS_PB_TEXT_MAX, data, len);
}


static int
aiobs_pb_room(aiobs_pb_t *pb, size_t size)
{
    if (pb->full || (size_t) (pb->end - pb->pos) < size) {
        pb->full = 1;
        return 0;
    }

    return 1;
}


static void
aiobs_pb_tag(aiobs_pb_t *pb, int field, int wire)
{
    pb->pos = aiobs_pb_put(pb->pos, (uint64_t) field << 3 | wire);
}


size_t
aiobs_pb_size(uint64_t n)
{
    size_t  size;

    for (size = 1; n > 0x7f; size++) {
        n >>= 7;
    }

    return size;
}


unsigned char *
aiobs_pb_put(unsigned char *p, uint64_t n)
{
    while (n > 0x7f) {
        *p++ = (unsigned char) (n | 0x80);
        n >>= 7;
    }

    *p++ = (unsigned char) n;

    return p;
}


int
aiobs_pb_next(const unsigned char **p, const unsigned char *end,
    aiobs_pb_field_t *field)
{
    uint64_t  n;

    if (*p == end) {
        return 0;
    }

    if (!aiobs_pb_get(p, end, &n) || n >> 3 == 0 || n >> 3 > 0x1fffffff) {
        return -1;
    }

    field->number = (int) (n >> 3);
    field->wire = (int) (n & 7);

    switch (field->wire) {

    case AIOBS_PB_VARINT:
        return aiobs_pb_get(p, end, &field->n) ? 1 : -1;

    case AIOBS_PB_FIXED64:
        n = 8;
        break;

    case AIOBS_PB_FIXED32:
        n = 4;
        break;

    case AIOBS_PB_BYTES:
        if (!aiobs_pb_get(p, end, &n)) {
            return -1;
        }
        break;

    default:
        return -1;
    }

    if (n > (uint64_t) (end - *p)) {
        return -1;
    }

    field->data = *p;
    field->len = (size_t) n;
    *p += n;

    return 1;
}


static int
aiobs_pb_get(const unsigned char **p, const unsigned char *end, uint64_t *n)
{
    int  shift;

    *n = 0;

    for (shift = 0; *p < end && shift < 64; shift += 7) {
        *n |= (uint64_t) (**p & 0x7f) << shift;

        if (*(*p)++ < 0x80) {
            return 1;
        }
    }

    return 0;
}
