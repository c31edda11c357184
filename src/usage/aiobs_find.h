
/*
 * Copyright (C) the aiobs authors
 *
 * Runs over bytes that do not matter: to the first byte of a kind, or to the
 * end.  Three implementations that agree; the fastest that the processor has is
 * taken when the program starts.
 */


#ifndef _AIOBS_FIND_H_INCLUDED_
#define _AIOBS_FIND_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif


typedef const uint8_t *(*aiobs_find_pt)(const uint8_t *p, const uint8_t *last);

typedef struct {
    const char     *name;
    aiobs_find_pt   quote;          /* '"' or '\\' */
    aiobs_find_pt   bracket;        /* '"' or one of "[]{}" */
    aiobs_find_pt   eol;            /* CR or LF */
} aiobs_find_t;


/* what is in use */
extern aiobs_find_t  aiobs_find;

/* those that this processor can run, the fastest last; NULL behind it */
const aiobs_find_t *aiobs_find_get(unsigned i);


/* keys and most values are short: the first bytes without a call */

static inline const uint8_t *
aiobs_find_quote(const uint8_t *p, const uint8_t *last)
{
#if defined(__SSE2__)
    int      mask;
    __m128i  v;

    if (last - p >= 16) {
        v = _mm_loadu_si128((const __m128i *) p);
        mask = _mm_movemask_epi8(
                         _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                      _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
        if (mask) {
            return p + __builtin_ctz(mask);
        }

        p += 16;
    }
#endif

    return aiobs_find.quote(p, last);
}


/* objects are dense with them, arrays of numbers are not */

static inline const uint8_t *
aiobs_find_bracket(const uint8_t *p, const uint8_t *last)
{
#if defined(__SSE2__)
    int      mask;
    __m128i  v, w;

    if (last - p >= 16) {
        v = _mm_loadu_si128((const __m128i *) p);
        w = _mm_or_si128(v, _mm_set1_epi8(0x20));
        mask = _mm_movemask_epi8(
                  _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                               _mm_or_si128(_mm_cmpeq_epi8(w, _mm_set1_epi8('{')),
                                            _mm_cmpeq_epi8(w, _mm_set1_epi8('}')))));
        if (mask) {
            return p + __builtin_ctz(mask);
        }
    }
#endif

    return aiobs_find.bracket(p, last);
}


static inline const uint8_t *
aiobs_find_eol(const uint8_t *p, const uint8_t *last)
{
    return aiobs_find.eol(p, last);
}


#endif /* _AIOBS_FIND_H_INCLUDED_ */
