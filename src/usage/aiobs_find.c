
/*
 * Copyright (C) the aiobs authors
 *
 * Runs over bytes that do not matter: portable C, SSE2 and AVX2.
 */


#include <string.h>

#include "aiobs_find.h"


/* --- portable: 8 bytes at a time --- */

#define AIOBS_FIND(name)  aiobs_find_portable_##name
#define AIOBS_TARGET
#define AIOBS_LANE        8
#define AIOBS_MASK        uint64_t
#define AIOBS_INDEX(m)    (aiobs_first_byte(m))

typedef uint64_t  aiobs_lane8_t;

#define AIOBS_ONES        0x0101010101010101ULL
#define AIOBS_HIGHS       0x8080808080808080ULL


static inline aiobs_lane8_t
aiobs_load8(const uint8_t *p)
{
    aiobs_lane8_t  v;

    memcpy(&v, p, sizeof(v));

    return v;
}


/* 0x80 in each byte that equals c; exact, no borrow goes across bytes */

static inline aiobs_lane8_t
aiobs_eq8(aiobs_lane8_t v, uint8_t c)
{
    v ^= AIOBS_ONES * c;

    return ~(((v & ~AIOBS_HIGHS) + ~AIOBS_HIGHS) | v | ~AIOBS_HIGHS);
}


static inline int
aiobs_first_byte(uint64_t m)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return __builtin_clzll(m) / 8;
#else
    return __builtin_ctzll(m) / 8;
#endif
}


#define AIOBS_VECTOR      aiobs_lane8_t
#define AIOBS_LOAD(p)     aiobs_load8(p)
#define AIOBS_EQ(v, c)    aiobs_eq8(v, c)
#define AIOBS_OR(a, b)    ((a) | (b))
#define AIOBS_LOWER(v)    ((v) | AIOBS_ONES * 0x20)
#define AIOBS_BITS(v)     (v)

#include "aiobs_find_lanes.h"

#undef AIOBS_FIND
#undef AIOBS_TARGET
#undef AIOBS_LANE
#undef AIOBS_MASK
#undef AIOBS_INDEX
#undef AIOBS_VECTOR
#undef AIOBS_LOAD
#undef AIOBS_EQ
#undef AIOBS_OR
#undef AIOBS_LOWER
#undef AIOBS_BITS


#if defined(__x86_64__)

#include <immintrin.h>

#define AIOBS_MASK        uint32_t
#define AIOBS_INDEX(m)    (__builtin_ctz(m))

/* --- SSE2: every x86-64 --- */

#define AIOBS_FIND(name)  aiobs_find_sse2_##name
#define AIOBS_TARGET
#define AIOBS_LANE        16
#define AIOBS_VECTOR      __m128i
#define AIOBS_LOAD(p)     _mm_loadu_si128((const __m128i *) (p))
#define AIOBS_EQ(v, c)    _mm_cmpeq_epi8(v, _mm_set1_epi8(c))
#define AIOBS_OR(a, b)    _mm_or_si128(a, b)
#define AIOBS_LOWER(v)    _mm_or_si128(v, _mm_set1_epi8(0x20))
#define AIOBS_BITS(v)     ((uint32_t) _mm_movemask_epi8(v))
#define AIOBS_SET(c)      _mm_set1_epi8(c)
#define AIOBS_XOR(a, b)   _mm_xor_si128(a, b)
#define AIOBS_SUBS(a, b)  _mm_subs_epu8(a, b)
#define AIOBS_MAX(a, b)   _mm_max_epu8(a, b)
#define AIOBS_ZERO(v)                                                         \
    (_mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128())) == 0xffff)
#define AIOBS_LAST        1

#include "aiobs_find_lanes.h"

#undef AIOBS_FIND
#undef AIOBS_TARGET
#undef AIOBS_LANE
#undef AIOBS_VECTOR
#undef AIOBS_LOAD
#undef AIOBS_EQ
#undef AIOBS_OR
#undef AIOBS_LOWER
#undef AIOBS_BITS
#undef AIOBS_SET
#undef AIOBS_XOR
#undef AIOBS_SUBS
#undef AIOBS_MAX
#undef AIOBS_ZERO

/* --- AVX2: where the processor has it; what is left goes to SSE2 --- */

#define AIOBS_FIND(name)  aiobs_find_avx2_##name
#define AIOBS_TARGET      __attribute__((target("avx2")))
#define AIOBS_LANE        32
#define AIOBS_VECTOR      __m256i
#define AIOBS_LOAD(p)     _mm256_loadu_si256((const __m256i *) (p))
#define AIOBS_EQ(v, c)    _mm256_cmpeq_epi8(v, _mm256_set1_epi8(c))
#define AIOBS_OR(a, b)    _mm256_or_si256(a, b)
#define AIOBS_LOWER(v)    _mm256_or_si256(v, _mm256_set1_epi8(0x20))
#define AIOBS_BITS(v)     ((uint32_t) _mm256_movemask_epi8(v))
#define AIOBS_SET(c)      _mm256_set1_epi8(c)
#define AIOBS_XOR(a, b)   _mm256_xor_si256(a, b)
#define AIOBS_SUBS(a, b)  _mm256_subs_epu8(a, b)
#define AIOBS_MAX(a, b)   _mm256_max_epu8(a, b)
#define AIOBS_ZERO(v)     aiobs_find_zero(v)
#define AIOBS_TAIL(name)  aiobs_find_sse2_##name



__attribute__((target("avx2"))) static inline int
aiobs_find_zero(__m256i v)
{
    return _mm256_testz_si256(v, v);
}


#include "aiobs_find_lanes.h"

#endif


static const aiobs_find_t  aiobs_finds[] = {
    { "portable", aiobs_find_portable_quote, aiobs_find_portable_bracket,
      aiobs_find_portable_eol },
#if defined(__x86_64__)
    { "sse2", aiobs_find_sse2_quote, aiobs_find_sse2_bracket,
      aiobs_find_sse2_eol },
    { "avx2", aiobs_find_avx2_quote, aiobs_find_avx2_bracket,
      aiobs_find_avx2_eol },
#endif
};


aiobs_find_t  aiobs_find = {
    "portable", aiobs_find_portable_quote, aiobs_find_portable_bracket,
    aiobs_find_portable_eol
};


const aiobs_find_t *
aiobs_find_get(unsigned i)
{
    unsigned  n;

    n = sizeof(aiobs_finds) / sizeof(aiobs_finds[0]);

#if defined(__x86_64__)
    __builtin_cpu_init();

    if (!__builtin_cpu_supports("avx2")) {
        n--;
    }
#endif

    return i < n ? &aiobs_finds[i] : NULL;
}


static void __attribute__((constructor))
aiobs_find_init(void)
{
    unsigned             i;
    const aiobs_find_t  *f;

    for (i = 0; (f = aiobs_find_get(i)) != NULL; i++) {
        aiobs_find = *f;
    }
}
