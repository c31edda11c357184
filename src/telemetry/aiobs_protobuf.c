
/*
 * Copyright (C) the aiobs authors
 *
 * Writing of protobuf messages.
 */


#include <string.h>

#include "aiobs_protobuf.h"
#include "../metrics/aiobs_text.h"

#if defined(__SSE2__) && !defined(AIOBS_PORTABLE)
#include <emmintrin.h>
#define AIOBS_PB_SSE2  1
#endif


#define AIOBS_PB_LENGTH   3         /* bytes of the length of a message */


#define AIOBS_PB_SHORT    0x7f      /* the most that a byte holds */
#define AIOBS_PB_ONES     0x0101010101010101ULL


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


/* a high bit for every byte that is no printable ASCII */

static inline uint64_t
aiobs_pb_dirty(uint64_t word)
{
    return ((word - AIOBS_PB_ONES * 0x20) | (word + AIOBS_PB_ONES) | word)
           & AIOBS_PB_ONES << 7;
}


#if defined(AIOBS_PB_SSE2)

/* the same of vectors: a bit for every such byte */

static inline int
aiobs_pb_dirties(__m128i v)
{
    return _mm_movemask_epi8(_mm_or_si128(
                                       _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
                                       _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7f))));
}


/* 8 bytes at least; the last vector may take bytes of the one before */

static inline uint64_t
aiobs_pb_words(unsigned char *text, const unsigned char *p, size_t len)
{
    int      dirty;
    size_t   i;
    __m128i  a, b;

    if (len < 16) {
        a = _mm_loadl_epi64((const __m128i *) p);
        b = _mm_loadl_epi64((const __m128i *) (p + len - 8));

        _mm_storel_epi64((__m128i *) text, a);
        _mm_storel_epi64((__m128i *) (text + len - 8), b);

        return aiobs_pb_dirties(_mm_unpacklo_epi64(a, b));
    }

    b = _mm_loadu_si128((const __m128i *) (p + len - 16));
    dirty = aiobs_pb_dirties(b);

    for (i = 0; i + 16 < len; i += 16) {
        a = _mm_loadu_si128((const __m128i *) (p + i));
        _mm_storeu_si128((__m128i *) (text + i), a);
        dirty |= aiobs_pb_dirties(a);
    }

    _mm_storeu_si128((__m128i *) (text + len - 16), b);

    return dirty;
}

#else

/* the same by words */

static inline uint64_t
aiobs_pb_words(unsigned char *text, const unsigned char *p, size_t len)
{
    size_t    i;
    uint64_t  word, dirty;

    dirty = 0;

    for (i = 0; i < len; i += 8) {
        i = i < len - 8 ? i : len - 8;

        memcpy(&word, p + i, 8);
        memcpy(text + i, &word, 8);
        dirty |= aiobs_pb_dirty(word);
    }

    return dirty;
}

#endif


static inline int
aiobs_pb_few(unsigned char *text, const unsigned char *p, size_t len)
{
    int  dirty;

    for (dirty = 0; len > 0; len--, text++, p++) {
        *text = *p;
        dirty |= *p < 0x20 || *p > 0x7e;
    }

    return dirty;
}


/*
 * Printable ASCII, nearly all there is, is copied by vectors or words.  Only
 * what is too long changes its length: a byte that is none of a character
 * becomes one.
 */

static inline size_t
aiobs_pb_clean(unsigned char *text, const void *data, size_t len)
{
    uint32_t              half[2];
    uint64_t              dirty;
    const unsigned char  *p;

    p = data;

    if (len > AIOBS_PB_TEXT_MAX) {
        dirty = 1;

    } else if (len >= 8) {
        dirty = aiobs_pb_words(text, p, len);

    } else if (len >= 4) {
        memcpy(&half[0], p, 4);
        memcpy(&half[1], p + len - 4, 4);
        memcpy(text, &half[0], 4);
        memcpy(text + len - 4, &half[1], 4);
        dirty = aiobs_pb_dirty((uint64_t) half[0] << 32 | half[1]);

    } else {
        dirty = aiobs_pb_few(text, p, len);
    }

    return dirty ? aiobs_text_clean(text, AIOBS_PB_TEXT_MAX, data, len) : len;
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
