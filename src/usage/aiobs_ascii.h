
/*
 * Copyright (C) the aiobs authors
 *
 * Whether text is ASCII: nearly always, and then there is nothing to count.
 */


#ifndef _AIOBS_ASCII_H_INCLUDED_
#define _AIOBS_ASCII_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif


static inline uint64_t
aiobs_eight(const uint8_t *p)
{
    uint64_t  v;

    memcpy(&v, p, sizeof(v));

    return v;
}


static inline int
aiobs_ascii(const uint8_t *p, size_t len)
{
    uint64_t        high;
    const uint8_t  *last;

    high = 0;
    last = p + len;

#if defined(__SSE2__)

    if (len >= 16) {
        __m128i  v;

        /* the last bytes, some of them twice */

        v = _mm_loadu_si128((const __m128i *) (last - 16));

        for ( /* void */ ; last - p >= 16; p += 16) {
            v = _mm_or_si128(v, _mm_loadu_si128((const __m128i *) p));
        }

        return _mm_movemask_epi8(v) == 0;
    }

#endif

    if (len >= 8) {
        high = aiobs_eight(last - 8);

        for ( /* void */ ; last - p >= 8; p += 8) {
            high |= aiobs_eight(p);
        }

    } else {
        for ( /* void */ ; p < last; p++) {
            high |= *p;
        }
    }

    return (high & 0x8080808080808080ULL) == 0;
}


#endif /* _AIOBS_ASCII_H_INCLUDED_ */
