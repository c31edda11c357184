
/*
 * Copyright (C) the aiobs authors
 *
 * Lines of the head of an HTTP/1 answer, as nginx's ngx_http_parse_header_line()
 * reads them; only those that are plain.  No nginx headers.
 *
 * RFC 9112, section 5.  A line is plain if all of it is there, ends with CR LF,
 * its name is of 3 to 31 bytes, and its value is not empty, has no NUL, CR or
 * LF in it and no space behind it.  Anything else is for nginx itself to judge.
 */


#ifndef _AIOBS_HEAD_H_INCLUDED_
#define _AIOBS_HEAD_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__) && !defined(AIOBS_PORTABLE)
#include <emmintrin.h>
#endif


#define AIOBS_HEAD_LANE      16         /* bytes compared at once */
#define AIOBS_HEAD_NAME_MIN  3
#define AIOBS_HEAD_NAME_MAX  31         /* bytes of a name, without ':' */
#define AIOBS_HEAD_NAME      (2 * AIOBS_HEAD_LANE)


typedef struct {
    const uint8_t  *name;               /* AIOBS_HEAD_NAME bytes are there */
    const uint8_t  *value;
    size_t          name_len;           /* AIOBS_HEAD_NAME_MIN..MAX */
    size_t          value_len;          /* 1.. */
} aiobs_head_line_t;


/*
 * --- portable: a bit for each byte of a name, the first the lowest; the length
 * of a name of up to AIOBS_HEAD_NAME_MAX bytes, 0 if it is longer ---
 */

static inline uint32_t
aiobs_head_same_portable(const uint8_t *a, const uint8_t *b)
{
    unsigned  i;
    uint32_t  mask;

    mask = 0;

    for (i = 0; i < AIOBS_HEAD_NAME; i++) {
        mask |= (uint32_t) (a[i] == b[i]) << i;
    }

    return mask;
}


static inline size_t
aiobs_head_name_portable(const uint8_t *p)
{
    const uint8_t  *colon;

    colon = memchr(p, ':', AIOBS_HEAD_NAME);

    return colon ? (size_t) (colon - p) : 0;
}


/* of ASCII letters */

static inline void
aiobs_head_lowcase_portable(uint8_t *dst, const uint8_t *name)
{
    unsigned  i;

    for (i = 0; i < AIOBS_HEAD_NAME; i++) {
        dst[i] = name[i] | (uint8_t) (name[i] >= 'A' && name[i] <= 'Z'
                                      ? 0x20 : 0);
    }
}


/* to the first NUL, CR or LF; last if there is none */

static inline const uint8_t *
aiobs_head_value_portable(const uint8_t *p, const uint8_t *last)
{
    while (p < last && *p != '\0' && *p != '\r' && *p != '\n') {
        p++;
    }

    return p;
}


/* --- SSE2 --- */

#if defined(__SSE2__) && !defined(AIOBS_PORTABLE)

static inline uint32_t
aiobs_head_bits(__m128i a, __m128i b)
{
    return (uint32_t) _mm_movemask_epi8(_mm_cmpeq_epi8(a, b));
}


static inline uint32_t
aiobs_head_same_sse2(const uint8_t *a, const uint8_t *b)
{
    return aiobs_head_bits(_mm_loadu_si128((const __m128i *) a),
                           _mm_loadu_si128((const __m128i *) b))
           | aiobs_head_bits(
                   _mm_loadu_si128((const __m128i *) (a + AIOBS_HEAD_LANE)),
                   _mm_loadu_si128((const __m128i *) (b + AIOBS_HEAD_LANE)))
             << AIOBS_HEAD_LANE;
}


static inline size_t
aiobs_head_name_sse2(const uint8_t *p)
{
    __m128i   colon;
    uint32_t  mask;

    colon = _mm_set1_epi8(':');

    mask = aiobs_head_bits(_mm_loadu_si128((const __m128i *) p), colon);

    if (mask == 0) {
        mask = aiobs_head_bits(
                  _mm_loadu_si128((const __m128i *) (p + AIOBS_HEAD_LANE)),
                  colon)
               << AIOBS_HEAD_LANE;

        if (mask == 0) {
            return 0;
        }
    }

    return (size_t) __builtin_ctz(mask);
}


static inline __m128i
aiobs_head_low(__m128i v)
{
    __m128i  upper;

    upper = _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8('A' - 1)),
                          _mm_cmplt_epi8(v, _mm_set1_epi8('Z' + 1)));

    return _mm_or_si128(v, _mm_and_si128(upper, _mm_set1_epi8(0x20)));
}


static inline void
aiobs_head_lowcase_sse2(uint8_t *dst, const uint8_t *name)
{
    _mm_storeu_si128((__m128i *) dst,
                  aiobs_head_low(_mm_loadu_si128((const __m128i *) name)));
    _mm_storeu_si128((__m128i *) (dst + AIOBS_HEAD_LANE),
                  aiobs_head_low(_mm_loadu_si128(
                              (const __m128i *) (name + AIOBS_HEAD_LANE))));
}


/* few bytes are as low as CR: tabs, and some that are in no good answer */

static inline const uint8_t *
aiobs_head_value_sse2(const uint8_t *p, const uint8_t *last)
{
    __m128i         v;
    uint32_t        mask;
    const uint8_t  *end;

    while (last - p >= AIOBS_HEAD_LANE) {
        v = _mm_loadu_si128((const __m128i *) p);
        mask = aiobs_head_bits(_mm_min_epu8(v, _mm_set1_epi8('\r')), v);

        for ( /* void */ ; mask; mask &= mask - 1) {
            end = p + __builtin_ctz(mask);

            if (*end == '\r' || *end == '\n' || *end == '\0') {
                return end;
            }
        }

        p += AIOBS_HEAD_LANE;
    }

    return aiobs_head_value_portable(p, last);
}

#define aiobs_head_same     aiobs_head_same_sse2
#define aiobs_head_name     aiobs_head_name_sse2
#define aiobs_head_lowcase  aiobs_head_lowcase_sse2
#define aiobs_head_value    aiobs_head_value_sse2

#else

#define aiobs_head_same     aiobs_head_same_portable
#define aiobs_head_name     aiobs_head_name_portable
#define aiobs_head_lowcase  aiobs_head_lowcase_portable
#define aiobs_head_value    aiobs_head_value_portable

#endif


/*
 * The line at p, whose name is of n bytes: its end, behind LF, or NULL if it is
 * not a plain one.  What the name is made of is not looked at.
 */

static inline const uint8_t *
aiobs_head_line(const uint8_t *p, const uint8_t *last, size_t n,
    aiobs_head_line_t *line)
{
    const uint8_t  *value, *end;

    for (value = p + n + 1; value < last && *value == ' '; value++) {
        /* void */
    }

    end = aiobs_head_value(value, last);

    if (end == value || last - end < 2 || end[0] != '\r' || end[1] != '\n'
        || end[-1] == ' ')
    {
        return NULL;
    }

    line->name = p;
    line->name_len = n;
    line->value = value;
    line->value_len = (size_t) (end - value);

    return end + 2;
}


#endif /* _AIOBS_HEAD_H_INCLUDED_ */
