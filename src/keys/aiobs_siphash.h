
/*
 * Copyright (C) the aiobs authors
 *
 * SipHash-2-4 with 128 bits of result: a keyed hash of short texts, which
 * nobody can foresee or collide without the key (Aumasson and Bernstein,
 * "SipHash: a fast short-input PRF", and its 128-bit variant).
 */


#ifndef _AIOBS_SIPHASH_H_INCLUDED_
#define _AIOBS_SIPHASH_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <string.h>


#define AIOBS_SIPHASH_KEY  16           /* bytes */


#define aiobs_siphash_rotl(x, n)  ((x) << (n) | (x) >> (64 - (n)))

#define aiobs_siphash_round(v)                                                \
    v[0] += v[1];  v[1] = aiobs_siphash_rotl(v[1], 13);  v[1] ^= v[0];        \
    v[0] = aiobs_siphash_rotl(v[0], 32);                                      \
    v[2] += v[3];  v[3] = aiobs_siphash_rotl(v[3], 16);  v[3] ^= v[2];        \
    v[0] += v[3];  v[3] = aiobs_siphash_rotl(v[3], 21);  v[3] ^= v[0];        \
    v[2] += v[1];  v[1] = aiobs_siphash_rotl(v[1], 17);  v[1] ^= v[2];        \
    v[2] = aiobs_siphash_rotl(v[2], 32)


static inline uint64_t
aiobs_siphash_word(const unsigned char *p)
{
    uint64_t  word;

    memcpy(&word, p, sizeof(word));

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif

    return word;
}


/* tag: two words, the first of which has the result's first eight bytes */

static inline void
aiobs_siphash(const unsigned char key[AIOBS_SIPHASH_KEY],
    const unsigned char *p, size_t len, uint64_t tag[2])
{
    size_t    i;
    uint64_t  v[4], word, k0, k1;

    k0 = aiobs_siphash_word(key);
    k1 = aiobs_siphash_word(key + 8);

    v[0] = 0x736f6d6570736575 ^ k0;
    v[1] = 0x646f72616e646f6d ^ k1 ^ 0xee;
    v[2] = 0x6c7967656e657261 ^ k0;
    v[3] = 0x7465646279746573 ^ k1;

    for (i = 0; i + 8 <= len; i += 8) {
        word = aiobs_siphash_word(p + i);

        v[3] ^= word;
        aiobs_siphash_round(v);
        aiobs_siphash_round(v);
        v[0] ^= word;
    }

    /* what is left, and the length in the last byte */

    word = (uint64_t) len << 56;

    if (len >= 8 && i < len) {
        word |= aiobs_siphash_word(p + len - 8) >> (8 - len % 8) * 8;

    } else {
        for ( /* void */ ; i < len; i++) {
            word |= (uint64_t) p[i] << i * 8;
        }
    }

    v[3] ^= word;
    aiobs_siphash_round(v);
    aiobs_siphash_round(v);
    v[0] ^= word;

    v[2] ^= 0xee;
    aiobs_siphash_round(v);
    aiobs_siphash_round(v);
    aiobs_siphash_round(v);
    aiobs_siphash_round(v);
    tag[0] = v[0] ^ v[1] ^ v[2] ^ v[3];

    v[1] ^= 0xdd;
    aiobs_siphash_round(v);
    aiobs_siphash_round(v);
    aiobs_siphash_round(v);
    aiobs_siphash_round(v);
    tag[1] = v[0] ^ v[1] ^ v[2] ^ v[3];
}


#endif /* _AIOBS_SIPHASH_H_INCLUDED_ */
