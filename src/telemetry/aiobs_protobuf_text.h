
/*
 * Copyright (C) the aiobs authors
 *
 * Texts as they are copied into messages; included by aiobs_protobuf.c.
 */


#ifndef _AIOBS_PROTOBUF_TEXT_H_INCLUDED_
#define _AIOBS_PROTOBUF_TEXT_H_INCLUDED_


#include <string.h>

#include "aiobs_protobuf.h"
#include "../metrics/aiobs_text.h"

#if defined(__SSE2__) && !defined(AIOBS_PORTABLE)
#include <emmintrin.h>
#define AIOBS_PB_SSE2  1
#endif


#define AIOBS_PB_ONES  0x0101010101010101ULL


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


#endif /* _AIOBS_PROTOBUF_TEXT_H_INCLUDED_ */
