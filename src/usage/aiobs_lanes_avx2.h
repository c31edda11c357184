
/*
 * Copyright (C) the aiobs authors
 *
 * Lanes of 32 bytes by AVX2: what code that is written once for vectors of any
 * kind is made of.  Included, with <immintrin.h>, before that code; to be
 * undone by aiobs_lanes_none.h.
 */


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
