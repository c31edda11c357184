
/*
 * Copyright (C) the aiobs authors
 *
 * Lanes of 32 bytes by SSE2, which every x86-64 has: what code that is written
 * once for vectors of any kind is made of.  Included, with <immintrin.h>,
 * before that code; to be undone by aiobs_lanes_none.h.
 */


#define AIOBS_TARGET
#define AIOBS_VECTOR      aiobs_pair_t
#define AIOBS_LOAD(p)     aiobs_pair_load(p)
#define AIOBS_STORE(p, v) aiobs_pair_store(p, v)
#define AIOBS_SET(c)      aiobs_pair_set(c)
#define AIOBS_EQ(a, b)    aiobs_pair_eq(a, b)
#define AIOBS_MAX(a, b)   aiobs_pair_max(a, b)
#define AIOBS_SUB(a, b)   aiobs_pair_sub(a, b)
#define AIOBS_OR(a, b)    aiobs_pair_or(a, b)
#define AIOBS_AND(a, b)   aiobs_pair_and(a, b)
#define AIOBS_XOR(a, b)   aiobs_pair_xor(a, b)
#define AIOBS_BITS(v)     aiobs_pair_bits(v)
#define AIOBS_NONE(v)     aiobs_pair_none(v)


/* a lane */

typedef struct {
    __m128i  low;
    __m128i  high;
} aiobs_pair_t;


#define AIOBS_PAIR(name, f)                                                   \
    static inline aiobs_pair_t                                                \
    aiobs_pair_##name(aiobs_pair_t a, aiobs_pair_t b)                         \
    {                                                                         \
        a.low = f(a.low, b.low);                                              \
        a.high = f(a.high, b.high);                                           \
                                                                              \
        return a;                                                             \
    }

AIOBS_PAIR(eq, _mm_cmpeq_epi8)
AIOBS_PAIR(max, _mm_max_epu8)
AIOBS_PAIR(sub, _mm_sub_epi8)
AIOBS_PAIR(or, _mm_or_si128)
AIOBS_PAIR(and, _mm_and_si128)
AIOBS_PAIR(xor, _mm_xor_si128)


static inline aiobs_pair_t
aiobs_pair_set(char c)
{
    return (aiobs_pair_t) { _mm_set1_epi8(c), _mm_set1_epi8(c) };
}


static inline aiobs_pair_t
aiobs_pair_load(const uint8_t *p)
{
    return (aiobs_pair_t) { _mm_loadu_si128((const __m128i *) p),
                            _mm_loadu_si128((const __m128i *) (p + 16)) };
}


static inline void
aiobs_pair_store(uint8_t *p, aiobs_pair_t v)
{
    _mm_storeu_si128((__m128i *) p, v.low);
    _mm_storeu_si128((__m128i *) (p + 16), v.high);
}


static inline uint32_t
aiobs_pair_bits(aiobs_pair_t v)
{
    return (uint32_t) _mm_movemask_epi8(v.low)
           | (uint32_t) _mm_movemask_epi8(v.high) << 16;
}


static inline int
aiobs_pair_none(aiobs_pair_t v)
{
    return _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_or_si128(v.low, v.high),
                                            _mm_setzero_si128()))
           == 0xffff;
}
