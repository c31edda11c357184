
/*
 * Copyright (C) the aiobs authors
 *
 * Runs of events of one shape, which is what a stream consists of: SSE2, AVX2.
 * All come to the same as aiobs_shape_match(), event by event.
 */


#include <string.h>

#include "aiobs_shape.h"


#define AIOBS_LANES  32             /* bytes of the widest lane */


#if defined(__x86_64__)

#include <immintrin.h>


static const uint8_t  aiobs_shape_mask[2 * AIOBS_LANES] = {
    [0 ... AIOBS_LANES - 1] = 0xff
};


/* --- SSE2: every x86-64 --- */

#define AIOBS_RUN(name)   aiobs_shape_sse2_##name
#define AIOBS_TARGET
#define AIOBS_LANE        16
#define AIOBS_VECTOR      __m128i
#define AIOBS_ZERO        _mm_setzero_si128()
#define AIOBS_LOAD(p)     _mm_loadu_si128((const __m128i *) (p))
#define AIOBS_STORE(p, v) _mm_storeu_si128((__m128i *) (p), v)
#define AIOBS_SET(c)      _mm_set1_epi8(c)
#define AIOBS_EQ(a, b)    _mm_cmpeq_epi8(a, b)
#define AIOBS_MAX(a, b)   _mm_max_epu8(a, b)
#define AIOBS_OR(a, b)    _mm_or_si128(a, b)
#define AIOBS_AND(a, b)   _mm_and_si128(a, b)
#define AIOBS_XOR(a, b)   _mm_xor_si128(a, b)
#define AIOBS_BITS(v)     ((uint32_t) _mm_movemask_epi8(v))
#define AIOBS_NONE(v)     (AIOBS_BITS(AIOBS_EQ(v, AIOBS_ZERO)) == 0xffff)

#include "aiobs_shape_lanes.h"

#undef AIOBS_RUN
#undef AIOBS_TARGET
#undef AIOBS_LANE
#undef AIOBS_VECTOR
#undef AIOBS_ZERO
#undef AIOBS_LOAD
#undef AIOBS_STORE
#undef AIOBS_SET
#undef AIOBS_EQ
#undef AIOBS_MAX
#undef AIOBS_OR
#undef AIOBS_AND
#undef AIOBS_XOR
#undef AIOBS_BITS
#undef AIOBS_NONE

/* --- AVX2: where the processor has it --- */

#define AIOBS_RUN(name)   aiobs_shape_avx2_##name
#define AIOBS_TARGET      __attribute__((target("avx2")))
#define AIOBS_LANE        32
#define AIOBS_VECTOR      __m256i
#define AIOBS_ZERO        _mm256_setzero_si256()
#define AIOBS_LOAD(p)     _mm256_loadu_si256((const __m256i *) (p))
#define AIOBS_STORE(p, v) _mm256_storeu_si256((__m256i *) (p), v)
#define AIOBS_SET(c)      _mm256_set1_epi8(c)
#define AIOBS_EQ(a, b)    _mm256_cmpeq_epi8(a, b)
#define AIOBS_MAX(a, b)   _mm256_max_epu8(a, b)
#define AIOBS_OR(a, b)    _mm256_or_si256(a, b)
#define AIOBS_AND(a, b)   _mm256_and_si256(a, b)
#define AIOBS_XOR(a, b)   _mm256_xor_si256(a, b)
#define AIOBS_BITS(v)     ((uint32_t) _mm256_movemask_epi8(v))
#define AIOBS_NONE(v)     _mm256_testz_si256(v, v)

#include "aiobs_shape_lanes.h"

#endif


static const aiobs_shape_run_pt  aiobs_shape_runs[] = {
#if defined(__x86_64__)
    aiobs_shape_sse2_run,
    aiobs_shape_avx2_run,
#endif
    NULL
};


aiobs_shape_run_pt  aiobs_shape_run;


aiobs_shape_run_pt
aiobs_shape_run_get(unsigned i)
{
#if defined(__x86_64__)
    __builtin_cpu_init();

    if (i == 1 && !__builtin_cpu_supports("avx2")) {
        return NULL;
    }
#endif

    return i < sizeof(aiobs_shape_runs) / sizeof(aiobs_shape_runs[0])
           ? aiobs_shape_runs[i] : NULL;
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
