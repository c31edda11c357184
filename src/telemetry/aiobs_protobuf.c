
/*
 * Copyright (C) the aiobs authors
 *
 * Writing of protobuf messages.
 */


#include <string.h>

#include "aiobs_protobuf.h"
#include "aiobs_protobuf_text.h"


#define AIOBS_PB_LENGTH   3         /* bytes of the length of a message */


#define AIOBS_PB_SHORT    0x7f      /* the most that a byte holds */


static void aiobs_pb_value_text(aiobs_pb_t *pb, int field, const char *key,
    size_t key_len, const void *data, size_t len);
static void aiobs_pb_attr(aiobs_pb_t *pb, int field, const char *key,
    size_t key_len, size_t len);


static inline int
aiobs_pb_room(aiobs_pb_t *pb, size_t size)
{
    if (pb->full || (size_t) (pb->end - pb->pos) < size) {
        pb->full = 1;
        return 0;
    }

    return 1;
}


static inline void
aiobs_pb_tag(aiobs_pb_t *pb, int field, int wire)
{
    if (field < 16) {
        *pb->pos++ = (unsigned char) (field << 3 | wire);
        return;
    }

    pb->pos = aiobs_pb_put(pb->pos, (uint64_t) field << 3 | wire);
}


static inline unsigned char *
aiobs_pb_little(unsigned char *p, uint64_t n, size_t size)
{
#if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
    n = __builtin_bswap64(n);
#endif

    memcpy(p, &n, size);

    return p + size;
}


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
    if (aiobs_pb_room(pb, 14)) {
        aiobs_pb_tag(pb, field, AIOBS_PB_FIXED32);
        pb->pos = aiobs_pb_little(pb->pos, n, 4);
    }
}


void
aiobs_pb_fixed64(aiobs_pb_t *pb, int field, uint64_t n)
{
    if (aiobs_pb_room(pb, 18)) {
        aiobs_pb_tag(pb, field, AIOBS_PB_FIXED64);
        pb->pos = aiobs_pb_little(pb->pos, n, 8);
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

    if (len <= AIOBS_PB_SHORT && aiobs_pb_room(pb, 12 + len)) {
        aiobs_pb_tag(pb, field, AIOBS_PB_BYTES);
        *pb->pos++ = (unsigned char) len;
        pb->pos += aiobs_pb_clean(pb->pos, data, len);
        return;
    }

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


/*
 * Up to the content of the value, of len bytes; NULL: it is none of the short
 * ones, or has no room.  The key is copied with what lies behind it.
 */

static inline unsigned char *
aiobs_pb_short(aiobs_pb_t *pb, int field, const aiobs_pb_key_t *key,
    size_t len)
{
    size_t          size;
    unsigned char  *p;

    size = 2 + key->len + 2 + len;

    if (size > AIOBS_PB_SHORT
        || !aiobs_pb_room(pb, sizeof(aiobs_pb_key_t) + 2 + size))
    {
        return NULL;
    }

    p = pb->pos;

    *p++ = (unsigned char) (field << 3 | AIOBS_PB_BYTES);
    *p++ = (unsigned char) size;

    memcpy(p, key, sizeof(aiobs_pb_key_t));
    p += 2 + key->len;

    *p++ = 2 << 3 | AIOBS_PB_BYTES;
    *p++ = (unsigned char) len;

    return p;
}


/*
 * Nearly all attributes take less than 128 bytes: each length then is a byte,
 * at a place that is known.
 */

void
aiobs_pb_key_text(aiobs_pb_t *pb, int field, const aiobs_pb_key_t *key,
    const void *data, size_t len)
{
    unsigned char  *p;

    p = len < AIOBS_PB_SHORT ? aiobs_pb_short(pb, field, key, 2 + len) : NULL;

    if (p == NULL) {
        aiobs_pb_value_text(pb, field, key->name, key->len, data, len);
        return;
    }

    *p++ = 1 << 3 | AIOBS_PB_BYTES;
    *p++ = (unsigned char) len;
    pb->pos = p + aiobs_pb_clean(p, data, len);
}


void
aiobs_pb_key_int(aiobs_pb_t *pb, int field, const aiobs_pb_key_t *key,
    int64_t n)
{
    unsigned char  *p;

    p = aiobs_pb_short(pb, field, key, 1 + aiobs_pb_size((uint64_t) n));

    if (p) {
        *p++ = 3 << 3 | AIOBS_PB_VARINT;
        pb->pos = aiobs_pb_put(p, (uint64_t) n);
    }
}


void
aiobs_pb_key_double(aiobs_pb_t *pb, int field, const aiobs_pb_key_t *key,
    double n)
{
    uint64_t        bits;
    unsigned char  *p;

    memcpy(&bits, &n, sizeof(bits));

    p = aiobs_pb_short(pb, field, key, 9);

    if (p) {
        *p++ = 4 << 3 | AIOBS_PB_FIXED64;
        pb->pos = aiobs_pb_little(p, bits, 8);
    }
}


void
aiobs_pb_key_bool(aiobs_pb_t *pb, int field, const aiobs_pb_key_t *key, int n)
{
    unsigned char  *p;

    p = aiobs_pb_short(pb, field, key, 2);

    if (p) {
        *p++ = 2 << 3 | AIOBS_PB_VARINT;
        *p++ = (n != 0);
        pb->pos = p;
    }
}


void
aiobs_pb_attr_text(aiobs_pb_t *pb, int field, const char *key,
    const void *data, size_t len)
{
    aiobs_pb_value_text(pb, field, key, strlen(key), data, len);
}


void
aiobs_pb_attr_int(aiobs_pb_t *pb, int field, const char *key, int64_t n)
{
    aiobs_pb_attr(pb, field, key, strlen(key),
                  1 + aiobs_pb_size((uint64_t) n));
    aiobs_pb_varint(pb, 3, (uint64_t) n);
}


void
aiobs_pb_attr_double(aiobs_pb_t *pb, int field, const char *key, double n)
{
    uint64_t  bits;

    memcpy(&bits, &n, sizeof(bits));

    aiobs_pb_attr(pb, field, key, strlen(key), 9);
    aiobs_pb_fixed64(pb, 4, bits);
}


static void
aiobs_pb_value_text(aiobs_pb_t *pb, int field, const char *key,
    size_t key_len, const void *data, size_t len)
{
    unsigned char  text[AIOBS_PB_TEXT_MAX];

    len = aiobs_pb_clean(text, data, len);

    aiobs_pb_attr(pb, field, key, key_len, 1 + aiobs_pb_size(len) + len);
    aiobs_pb_bytes(pb, 1, text, len);
}


/* AnyValue { array_value = 5 }, ArrayValue { values = 1 } */

void
aiobs_pb_key_list(aiobs_pb_t *pb, int field, const aiobs_pb_key_t *key,
    const void *data, size_t len)
{
    unsigned char        *p, *attr, *value, *array, *item;
    const unsigned char  *text, *end, *comma;

    if (len <= AIOBS_PB_SHORT / 2 && memchr(data, ',', len) == NULL) {
        p = aiobs_pb_short(pb, field, key, 6 + len);

        if (p) {
            *p++ = 5 << 3 | AIOBS_PB_BYTES;
            *p++ = (unsigned char) (4 + len);
            *p++ = 1 << 3 | AIOBS_PB_BYTES;
            *p++ = (unsigned char) (2 + len);
            *p++ = 1 << 3 | AIOBS_PB_BYTES;
            *p++ = (unsigned char) len;
            pb->pos = p + aiobs_pb_clean(p, data, len);
            return;
        }
    }

    attr = aiobs_pb_begin(pb, field);
    aiobs_pb_bytes(pb, 1, key->name, key->len);
    value = aiobs_pb_begin(pb, 2);
    array = aiobs_pb_begin(pb, 5);

    text = data;
    end = text + len;

    while (text < end) {
        comma = memchr(text, ',', end - text);
        comma = comma ? comma : end;

        item = aiobs_pb_begin(pb, 1);
        aiobs_pb_text(pb, 1, text, comma - text);
        aiobs_pb_end(pb, item);

        text = comma + 1;
    }

    aiobs_pb_end(pb, array);
    aiobs_pb_end(pb, value);
    aiobs_pb_end(pb, attr);
}


/* up to the content of the value, which takes len bytes */

static void
aiobs_pb_attr(aiobs_pb_t *pb, int field, const char *key, size_t key_len,
    size_t len)
{
    if (aiobs_pb_room(pb, 40 + key_len + len)) {
        aiobs_pb_tag(pb, field, AIOBS_PB_BYTES);
        pb->pos = aiobs_pb_put(pb->pos, 1 + aiobs_pb_size(key_len) + key_len
                                        + 1 + aiobs_pb_size(len) + len);
        aiobs_pb_bytes(pb, 1, key, key_len);
        aiobs_pb_tag(pb, 2, AIOBS_PB_BYTES);
        pb->pos = aiobs_pb_put(pb->pos, len);
    }
}
