
/*
 * Copyright (C) the aiobs authors
 *
 * JSON strings: runs of plain bytes in portable C, SSE2, AVX2 and NEON, and
 * what is to be done with the others.
 */


#include "aiobs_escape.h"

#if defined(__x86_64__) && !defined(AIOBS_PORTABLE)
#include <immintrin.h>
#endif

#if defined(__aarch64__) && !defined(AIOBS_PORTABLE)
#include <arm_neon.h>
#endif


#define AIOBS_ONES  0x0101010101010101ULL


static size_t aiobs_utf8_len(const uint8_t *p, const uint8_t *last);
static unsigned aiobs_utf8_control(const uint8_t *p, size_t n);
static uint8_t *aiobs_escape_byte(uint8_t *p, uint8_t c);
static uint8_t *aiobs_escape_code(uint8_t *p, unsigned code);


/* --- portable: 8 bytes at a time --- */

static inline int
aiobs_plain_byte(uint8_t c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}


/* 0: one of them may not be plain */

static inline int
aiobs_plain_word(uint64_t word)
{
    uint64_t  quote, slash;

    /* bytes < 0x20, 0x7f and >= 0x80 leave a high bit, as do '"', "\\" */

    quote = word ^ AIOBS_ONES * '"';
    slash = word ^ AIOBS_ONES * '\\';

    return (((word - AIOBS_ONES * 0x20) | (word + AIOBS_ONES) | word
             | (quote - AIOBS_ONES) | (slash - AIOBS_ONES))
            & AIOBS_ONES << 7) == 0;
}


static size_t
aiobs_plain_portable(uint8_t *dst, const uint8_t *src, size_t len)
{
    size_t    i;
    uint64_t  word;

    for (i = 0; len - i >= 8; i += 8) {
        memcpy(&word, src + i, 8);

        if (!aiobs_plain_word(word)) {
            break;
        }

        memcpy(dst + i, &word, 8);
    }

    for ( /* void */ ; i < len && aiobs_plain_byte(src[i]); i++) {
        dst[i] = src[i];
    }

    return i;
}


/* --- SSE2: every x86-64; AVX2: where the processor has it --- */

#if defined(AIOBS_ESCAPE_SSE2)

static size_t
aiobs_plain_sse2(uint8_t *dst, const uint8_t *src, size_t len)
{
    int      bits;
    size_t   i;
    __m128i  v;

    if (len < 16) {
        return aiobs_plain_portable(dst, src, len);
    }

    for (i = 0; i < len; i += 16) {

        /* the last vector may have bytes of the one before */

        if (len - i < 16) {
            i = len - 16;
        }

        v = _mm_loadu_si128((const __m128i *) (src + i));
        _mm_storeu_si128((__m128i *) (dst + i), v);
        bits = aiobs_escape_bits(v);

        if (bits) {
            return i + __builtin_ctz(bits);
        }
    }

    return len;
}

#endif


#if defined(__x86_64__) && !defined(AIOBS_PORTABLE)

__attribute__((target("avx2")))
static size_t
aiobs_plain_avx2(uint8_t *dst, const uint8_t *src, size_t len)
{
    size_t    i;
    __m256i   v, low, del, quote, slash;
    uint32_t  bits;

    if (len < 32) {
        return aiobs_plain_sse2(dst, src, len);
    }

    for (i = 0; i < len; i += 32) {

        if (len - i < 32) {
            i = len - 32;
        }

        v = _mm256_loadu_si256((const __m256i *) (src + i));
        _mm256_storeu_si256((__m256i *) (dst + i), v);

        low = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), v);
        del = _mm256_cmpeq_epi8(v, _mm256_set1_epi8(0x7f));
        quote = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('"'));
        slash = _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\'));

        bits = (uint32_t) _mm256_movemask_epi8(
                                 _mm256_or_si256(_mm256_or_si256(low, del),
                                             _mm256_or_si256(quote, slash)));

        if (bits) {
            return i + __builtin_ctz(bits);
        }
    }

    return len;
}

#endif


/* --- NEON: every aarch64 --- */

#if defined(__aarch64__) && !defined(AIOBS_PORTABLE)

static size_t
aiobs_plain_neon(uint8_t *dst, const uint8_t *src, size_t len)
{
    size_t      i;
    uint64_t    bits;
    uint8x16_t  v, bad;

    if (len < 16) {
        return aiobs_plain_portable(dst, src, len);
    }

    for (i = 0; i < len; i += 16) {

        if (len - i < 16) {
            i = len - 16;
        }

        v = vld1q_u8(src + i);
        vst1q_u8(dst + i, v);

        bad = vorrq_u8(vorrq_u8(vcltq_u8(v, vdupq_n_u8(0x20)),
                                vcgeq_u8(v, vdupq_n_u8(0x7f))),
                       vorrq_u8(vceqq_u8(v, vdupq_n_u8('"')),
                                vceqq_u8(v, vdupq_n_u8('\\'))));

        /* four bits of each byte */

        bits = vget_lane_u64(vreinterpret_u64_u8(
                          vshrn_n_u16(vreinterpretq_u16_u8(bad), 4)), 0);

        if (bits) {
            return i + __builtin_ctzll(bits) / 4;
        }
    }

    return len;
}

#endif


static const aiobs_plain_t  aiobs_plains[] = {
    { "portable", aiobs_plain_portable },
#if defined(__x86_64__) && !defined(AIOBS_PORTABLE)
    { "sse2", aiobs_plain_sse2 },
    { "avx2", aiobs_plain_avx2 },
#endif
#if defined(__aarch64__) && !defined(AIOBS_PORTABLE)
    { "neon", aiobs_plain_neon },
#endif
};


aiobs_plain_t  aiobs_plain = { "portable", aiobs_plain_portable };


const aiobs_plain_t *
aiobs_plain_get(unsigned i)
{
    unsigned  n;

    n = sizeof(aiobs_plains) / sizeof(aiobs_plains[0]);

#if defined(__x86_64__) && !defined(AIOBS_PORTABLE)
    __builtin_cpu_init();

    if (!__builtin_cpu_supports("avx2")) {
        n--;
    }
#endif

    return i < n ? &aiobs_plains[i] : NULL;
}


static void __attribute__((constructor))
aiobs_plain_init(void)
{
    unsigned              i;
    const aiobs_plain_t  *plain;

    for (i = 0; (plain = aiobs_plain_get(i)) != NULL; i++) {
        aiobs_plain = *plain;
    }
}


uint8_t *
aiobs_escape_any(uint8_t *p, size_t max, const uint8_t *s, size_t len)
{
    size_t          n;
    uint8_t        *last;
    unsigned        code;
    const uint8_t  *end;

    last = p + max - 1;                                 /* closing quote */
    end = s + len;

    *p++ = '"';

    while (s < end) {
        n = end - s;

        if (n > (size_t) (last - p)) {
            n = last - p;
        }

        n = aiobs_plain.copy(p, s, n);
        p += n;
        s += n;

        if (s == end || last - p < 6) {                 /* \u00XX */
            break;
        }

        if (*s < 0x80) {
            p = aiobs_escape_byte(p, *s++);
            continue;
        }

        n = aiobs_utf8_len(s, end);

        if (n == 0) {
            memcpy(p, "\xef\xbf\xbd", 3);
            p += 3;
            s++;
            continue;
        }

        code = aiobs_utf8_control(s, n);

        if (code) {
            p = aiobs_escape_code(p, code);

        } else {
            memcpy(p, s, n);
            p += n;
        }

        s += n;
    }

    *p++ = '"';

    return p;
}


/*
 * Length of the well-formed sequence at p (RFC 3629: no overlong forms, no
 * surrogates), 0: there is none.
 */

static size_t
aiobs_utf8_len(const uint8_t *p, const uint8_t *last)
{
    size_t    n, i;
    uint32_t  code;

    if (*p >= 0xc2 && *p <= 0xdf) {
        n = 2;
        code = *p & 0x1f;

    } else if (*p >= 0xe0 && *p <= 0xef) {
        n = 3;
        code = *p & 0x0f;

    } else if (*p >= 0xf0 && *p <= 0xf4) {
        n = 4;
        code = *p & 0x07;

    } else {
        return 0;
    }

    if ((size_t) (last - p) < n) {
        return 0;
    }

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        code = (code << 6) | (p[i] & 0x3f);
    }

    if ((n == 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff)))
        || (n == 4 && (code < 0x10000 || code > 0x10ffff)))
    {
        return 0;
    }

    return n;
}


/*
 * The character of the n bytes at p if it steers terminals (U+0080 to U+009F),
 * turns the direction of text, or ends a line; else 0.
 */

static unsigned
aiobs_utf8_control(const uint8_t *p, size_t n)
{
    unsigned  code;

    if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0) {
        return p[1];
    }

    if (n == 2 && p[0] == 0xd8 && p[1] == 0x9c) {
        return 0x61c;
    }

    if (n != 3 || p[0] != 0xe2 || (p[1] != 0x80 && p[1] != 0x81)) {
        return 0;
    }

    code = 0x2000 + ((p[1] & 0x3f) << 6) + (p[2] & 0x3f);

    return code == 0x200e || code == 0x200f
           || (code >= 0x2028 && code <= 0x202e)
           || (code >= 0x2066 && code <= 0x2069) ? code : 0;
}


static uint8_t *
aiobs_escape_byte(uint8_t *p, uint8_t c)
{
    *p++ = '\\';

    switch (c) {

    case '"':
    case '\\':
        *p++ = c;
        return p;

    case '\n':
        *p++ = 'n';
        return p;

    case '\r':
        *p++ = 'r';
        return p;

    case '\t':
        *p++ = 't';
        return p;

    default:
        return aiobs_escape_code(p - 1, c);
    }
}


static uint8_t *
aiobs_escape_code(uint8_t *p, unsigned code)
{
    static const char  hex[] = "0123456789abcdef";

    p[0] = '\\';
    p[1] = 'u';
    p[2] = hex[code >> 12];
    p[3] = hex[(code >> 8) & 15];
    p[4] = hex[(code >> 4) & 15];
    p[5] = hex[code & 15];

    return p + 6;
}
