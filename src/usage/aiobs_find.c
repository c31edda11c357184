
/*
 * Copyright (C) the aiobs authors
 *
 * Runs over bytes that do not matter, 16 at a time where the machine can.
 */


#include "aiobs_json.h"

#if defined(__SSE2__)

#include <emmintrin.h>

#define AIOBS_LANES  16

typedef __m128i  aiobs_lanes_t;

#define aiobs_load(p)    _mm_loadu_si128((const __m128i *) (p))
#define aiobs_eq(v, c)   _mm_cmpeq_epi8(v, _mm_set1_epi8(c))
#define aiobs_or(a, b)   _mm_or_si128(a, b)
#define aiobs_fold(v, c) _mm_or_si128(v, _mm_set1_epi8(c))
#define aiobs_first(v)   aiobs_first_lane(_mm_movemask_epi8(v))

static inline int
aiobs_first_lane(int mask)
{
    return mask ? __builtin_ctz(mask) : -1;
}

#endif


/* '"' or '\\' */

const uint8_t *
aiobs_find_quote(const uint8_t *p, const uint8_t *last)
{
#if defined(AIOBS_LANES)
    int            i;
    aiobs_lanes_t  v;

    for ( /* void */ ; last - p >= AIOBS_LANES; p += AIOBS_LANES) {
        v = aiobs_load(p);
        i = aiobs_first(aiobs_or(aiobs_eq(v, '"'), aiobs_eq(v, '\\')));

        if (i >= 0) {
            return p + i;
        }
    }
#endif

    while (p < last && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
}


/* '"' or a bracket; '[' and '{', ']' and '}' differ in one bit */

const uint8_t *
aiobs_find_bracket(const uint8_t *p, const uint8_t *last)
{
#if defined(AIOBS_LANES)
    int            i;
    aiobs_lanes_t  v, w;

    for ( /* void */ ; last - p >= AIOBS_LANES; p += AIOBS_LANES) {
        v = aiobs_load(p);
        w = aiobs_fold(v, 0x20);
        i = aiobs_first(aiobs_or(aiobs_eq(v, '"'),
                                 aiobs_or(aiobs_eq(w, '{'),
                                          aiobs_eq(w, '}'))));

        if (i >= 0) {
            return p + i;
        }
    }
#endif

    while (p < last && *p != '"' && (*p | 0x20) != '{' && (*p | 0x20) != '}') {
        p++;
    }

    return p;
}


/* CR or LF */

const uint8_t *
aiobs_find_eol(const uint8_t *p, const uint8_t *last)
{
#if defined(AIOBS_LANES)
    int            i;
    aiobs_lanes_t  v;

    for ( /* void */ ; last - p >= AIOBS_LANES; p += AIOBS_LANES) {
        v = aiobs_load(p);
        i = aiobs_first(aiobs_or(aiobs_eq(v, '\n'), aiobs_eq(v, '\r')));

        if (i >= 0) {
            return p + i;
        }
    }
#endif

    while (p < last && *p != '\n' && *p != '\r') {
        p++;
    }

    return p;
}
