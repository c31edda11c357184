
/*
 * Copyright (C) the aiobs authors
 *
 * JSON strings (RFC 8259) from bytes that nobody has looked at.  The runs of
 * bytes that stand for themselves are copied by vectors; the implementations
 * agree, and the fastest that the processor has is taken when the program
 * starts.
 */


#ifndef _AIOBS_ESCAPE_H_INCLUDED_
#define _AIOBS_ESCAPE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "usage/aiobs_bytes.h"

#if defined(__SSE2__) && !defined(AIOBS_PORTABLE)
#include <emmintrin.h>
#define AIOBS_ESCAPE_SSE2  1
#endif


/*
 * How many bytes of src, from its first, stand for themselves in a string of
 * JSON: ASCII but '"', '\\', control bytes and DEL.  They are copied to dst,
 * which has room for len bytes; what is there behind them is undefined.
 */
typedef size_t (*aiobs_plain_pt)(uint8_t *dst, const uint8_t *src,
    size_t len);

typedef struct {
    const char      *name;
    aiobs_plain_pt   copy;
} aiobs_plain_t;


/* what is in use */
extern aiobs_plain_t  aiobs_plain;

/* those that this processor can run, the fastest last; NULL behind it */
const aiobs_plain_t *aiobs_plain_get(unsigned i);

/* as aiobs_escape() */
uint8_t *aiobs_escape_any(uint8_t *p, size_t max, const uint8_t *s,
    size_t len);


#if defined(AIOBS_ESCAPE_SSE2)

/* 0xff for each byte that does not stand for itself */

static inline __m128i
aiobs_escape_odd(__m128i v)
{
    __m128i  low, quote, slash;

    /* one added, 0x7f is below zero, as is what is 0x80 and more but 0xff */

    low = _mm_cmplt_epi8(_mm_add_epi8(v, _mm_set1_epi8(1)),
                         _mm_set1_epi8(0x21));
    quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));

    return _mm_or_si128(low, _mm_or_si128(quote, slash));
}


/* a bit for each */

static inline int
aiobs_escape_bits(__m128i v)
{
    return _mm_movemask_epi8(aiobs_escape_odd(v));
}


/* 33 to 64 bytes, by four loads; else as below */

static inline int
aiobs_escape_long(uint8_t *dst, const uint8_t *src, size_t len)
{
    __m128i  a, b, c, d;

    a = _mm_loadu_si128((const __m128i *) src);
    b = _mm_loadu_si128((const __m128i *) (src + 16));
    c = _mm_loadu_si128((const __m128i *) (src + len - 32));
    d = _mm_loadu_si128((const __m128i *) (src + len - 16));

    _mm_storeu_si128((__m128i *) dst, a);
    _mm_storeu_si128((__m128i *) (dst + 16), b);
    _mm_storeu_si128((__m128i *) (dst + len - 32), c);
    _mm_storeu_si128((__m128i *) (dst + len - 16), d);

    a = _mm_or_si128(_mm_or_si128(aiobs_escape_odd(a), aiobs_escape_odd(b)),
                     _mm_or_si128(aiobs_escape_odd(c), aiobs_escape_odd(d)));

    return _mm_movemask_epi8(a) == 0;
}


/* 4 to 32 bytes, by two loads that may overlap; 0: not all are plain */

static inline int
aiobs_escape_short(uint8_t *dst, const uint8_t *src, size_t len)
{
    int32_t  word[2];
    __m128i  a, b;

    if (len >= 16) {
        a = _mm_loadu_si128((const __m128i *) src);
        b = _mm_loadu_si128((const __m128i *) (src + len - 16));

        _mm_storeu_si128((__m128i *) dst, a);
        _mm_storeu_si128((__m128i *) (dst + len - 16), b);

        return _mm_movemask_epi8(_mm_or_si128(aiobs_escape_odd(a),
                                              aiobs_escape_odd(b))) == 0;
    }

    if (len >= 8) {
        a = _mm_loadl_epi64((const __m128i *) src);
        b = _mm_loadl_epi64((const __m128i *) (src + len - 8));

        _mm_storel_epi64((__m128i *) dst, a);
        _mm_storel_epi64((__m128i *) (dst + len - 8), b);

        return aiobs_escape_bits(_mm_unpacklo_epi64(a, b)) == 0;
    }

    memcpy(&word[0], src, 4);
    memcpy(&word[1], src + len - 4, 4);

    memcpy(dst, &word[0], 4);
    memcpy(dst + len - 4, &word[1], 4);

    a = _mm_unpacklo_epi32(_mm_cvtsi32_si128(word[0]),
                           _mm_cvtsi32_si128(word[1]));

    return aiobs_escape_bits(_mm_unpacklo_epi64(a, a)) == 0;
}

#endif


/* s between quotes; its bytes stand for themselves.  Returns the end. */

static inline uint8_t *
aiobs_quote(uint8_t *p, const uint8_t *s, size_t len)
{
    *p++ = '"';

    aiobs_copy((char *) p, (const char *) s, len);

    p[len] = '"';

    return p + len + 1;
}


/*
 * s as a JSON string, quoted, in at most max bytes, two at least; what does
 * not fit is cut between characters, what is no UTF-8 (RFC 3629) becomes
 * U+FFFD, and what steers a terminal or turns the direction of text is escaped
 * besides what JSON wants to be.  Returns the end.
 */

static inline __attribute__((always_inline)) uint8_t *
aiobs_escape(uint8_t *p, size_t max, const uint8_t *s, size_t len)
{
#if defined(AIOBS_ESCAPE_SSE2)

    /* most are short and need nothing */

    if (len - 4 <= 60 && len + 2 <= max
        && (len <= 32 ? aiobs_escape_short(p + 1, s, len)
                      : aiobs_escape_long(p + 1, s, len)))
    {
        p[0] = '"';
        p[len + 1] = '"';
        return p + len + 2;
    }

#endif

    return aiobs_escape_any(p, max, s, len);
}


#endif /* _AIOBS_ESCAPE_H_INCLUDED_ */
