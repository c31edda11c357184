
/*
 * Copyright (C) the aiobs authors
 *
 * Bytes as lower-case hex digits, for ids: what SSE2 or NEON does with all
 * digits at once, portable C does with eight.
 */


#ifndef _AIOBS_HEX_H_INCLUDED_
#define _AIOBS_HEX_H_INCLUDED_


#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif


/* 4 bytes to 8 digits */

static inline void
aiobs_hex4_portable(uint8_t *hex, const uint8_t *bytes)
{
    uint64_t  x, letters;

    x = (uint64_t) bytes[0] | (uint64_t) bytes[1] << 16
        | (uint64_t) bytes[2] << 32 | (uint64_t) bytes[3] << 48;

    x = (x & 0x000f000f000f000fULL) << 8 | (x & 0x00f000f000f000f0ULL) >> 4;

    letters = (x + 0x0606060606060606ULL) >> 4 & 0x0101010101010101ULL;
    x += 0x3030303030303030ULL + letters * ('a' - '0' - 10);

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap64(x);
#endif

    memcpy(hex, &x, 8);
}


/* 8 bytes to 16 digits */

static inline void
aiobs_hex8_portable(uint8_t hex[16], const uint8_t bytes[8])
{
    aiobs_hex4_portable(hex, bytes);
    aiobs_hex4_portable(hex + 8, bytes + 4);
}


#if defined(__SSE2__)

static inline void
aiobs_hex8(uint8_t hex[16], const uint8_t bytes[8])
{
    __m128i  x, letters;

    x = _mm_loadl_epi64((const __m128i *) (const void *) bytes);
    x = _mm_and_si128(_mm_unpacklo_epi8(_mm_srli_epi16(x, 4), x),
                      _mm_set1_epi8(0x0f));

    letters = _mm_and_si128(_mm_cmpgt_epi8(x, _mm_set1_epi8(9)),
                            _mm_set1_epi8('a' - '0' - 10));

    x = _mm_add_epi8(_mm_add_epi8(x, _mm_set1_epi8('0')), letters);

    _mm_storeu_si128((__m128i *) (void *) hex, x);
}

#elif defined(__ARM_NEON) && defined(__aarch64__)

static inline void
aiobs_hex8(uint8_t hex[16], const uint8_t bytes[8])
{
    uint8x8_t   b;
    uint8x16_t  x, letters;

    b = vld1_u8(bytes);
    x = vcombine_u8(vzip1_u8(vshr_n_u8(b, 4), vand_u8(b, vdup_n_u8(0x0f))),
                    vzip2_u8(vshr_n_u8(b, 4), vand_u8(b, vdup_n_u8(0x0f))));

    letters = vandq_u8(vcgtq_u8(x, vdupq_n_u8(9)),
                       vdupq_n_u8('a' - '0' - 10));

    vst1q_u8(hex, vaddq_u8(vaddq_u8(x, vdupq_n_u8('0')), letters));
}

#else

#define aiobs_hex8  aiobs_hex8_portable

#endif


#endif /* _AIOBS_HEX_H_INCLUDED_ */
