
/*
 * Copyright (C) the aiobs authors
 *
 * Runs of events of one shape, which is what a stream consists of: portable C, SSE2,
 * AVX2.
 * All come to the same as portable C, event by event.
 */


#include <string.h>

#include "aiobs_shape.h"


static const uint8_t *aiobs_shape_portable_run(const aiobs_shape_t *s,
    const uint8_t *p, const uint8_t *last, aiobs_estimate_t *e,
    aiobs_shape_run_t *run);


#if defined(__x86_64__)

#include <immintrin.h>


/* --- SSE2: every x86-64 --- */

#define AIOBS_RUN(name)   aiobs_shape_sse2_##name
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


#include "aiobs_shape_lanes.h"

#undef AIOBS_RUN
#undef AIOBS_TARGET
#undef AIOBS_VECTOR
#undef AIOBS_LOAD
#undef AIOBS_STORE
#undef AIOBS_SET
#undef AIOBS_EQ
#undef AIOBS_MAX
#undef AIOBS_SUB
#undef AIOBS_OR
#undef AIOBS_AND
#undef AIOBS_XOR
#undef AIOBS_BITS
#undef AIOBS_NONE

/* --- AVX2: where the processor has it --- */

#define AIOBS_RUN(name)   aiobs_shape_avx2_##name
#define AIOBS_TARGET      __attribute__((target("avx2")))
#define AIOBS_VECTOR      __m256i
#define AIOBS_LOAD(p)     _mm256_loadu_si256((const __m256i *) (p))
#define AIOBS_STORE(p, v) _mm256_storeu_si256((__m256i *) (p), v)
#define AIOBS_SET(c)      _mm256_set1_epi8(c)
#define AIOBS_EQ(a, b)    _mm256_cmpeq_epi8(a, b)
#define AIOBS_MAX(a, b)   _mm256_max_epu8(a, b)
#define AIOBS_SUB(a, b)   _mm256_sub_epi8(a, b)
#define AIOBS_OR(a, b)    _mm256_or_si256(a, b)
#define AIOBS_AND(a, b)   _mm256_and_si256(a, b)
#define AIOBS_XOR(a, b)   _mm256_xor_si256(a, b)
#define AIOBS_BITS(v)     ((uint32_t) _mm256_movemask_epi8(v))
#define AIOBS_NONE(v)     _mm256_testz_si256(v, v)

#include "aiobs_shape_lanes.h"

#endif


static const aiobs_shape_run_pt  aiobs_shape_runs[] = {
    aiobs_shape_portable_run,
#if defined(__x86_64__)
    aiobs_shape_sse2_run,
    aiobs_shape_avx2_run
#endif
};


aiobs_shape_run_pt  aiobs_shape_run = aiobs_shape_portable_run;


aiobs_shape_run_pt
aiobs_shape_run_get(unsigned i)
{
    unsigned  n;

    n = sizeof(aiobs_shape_runs) / sizeof(aiobs_shape_runs[0]);

#if defined(__x86_64__)
    __builtin_cpu_init();

    if (!__builtin_cpu_supports("avx2")) {
        n--;
    }
#endif

    return i < n ? aiobs_shape_runs[i] : NULL;
}


static void __attribute__((constructor))
aiobs_shape_run_init(void)
{
    unsigned            i;
    aiobs_shape_run_pt  run;

    for (i = 0; (run = aiobs_shape_run_get(i)) != NULL; i++) {
        aiobs_shape_run = run;
    }
}


static const uint8_t *
aiobs_shape_portable_run(const aiobs_shape_t *s, const uint8_t *p,
    const uint8_t *last, aiobs_estimate_t *e, aiobs_shape_run_t *run)
{
    size_t          i, len, text;
    aiobs_holes_t   holes;
    const uint8_t  *end;

    run->events = 0;
    run->content = 0;

    for ( ;; ) {
        end = aiobs_shape_match(s, p, last, &holes);

        if (end == NULL) {
            return p;
        }

        text = 0;

        for (i = 0; i < s->holes; i++) {
            text += s->hole[i] == AIOBS_HOLE_TEXT
                    ? holes.end[i] - holes.start[i] : 0;
        }

        if (text > AIOBS_SHAPE_MAX) {
            return p;
        }

        for (i = 0; i < s->holes; i++) {
            len = holes.end[i] - holes.start[i];

            if (s->hole[i] == AIOBS_HOLE_TEXT) {
                aiobs_estimate_text(e, holes.start[i], len);
            }
        }

        run->events++;
        run->content += (text > 0);

        p = end;
    }
}
