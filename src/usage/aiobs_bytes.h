
/*
 * Copyright (C) the aiobs authors
 *
 * Some hundred bytes set or copied at once.  Where a compiler knows how many
 * these are, it may put a loop there that moves eight at a time, and is slow to
 * start; the library has vectors for them.  And names compared.
 */


#ifndef _AIOBS_BYTES_H_INCLUDED_
#define _AIOBS_BYTES_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <string.h>


/* nothing is known of n from here on */
#define aiobs_any_number(n)  __asm__ ("" : "+r" (n))


static inline void
aiobs_fill(void *p, int c, size_t n)
{
    aiobs_any_number(n);
    memset(p, c, n);
}


/* names are short: no call for those of up to 64 bytes */

static inline void
aiobs_copy(char *to, const char *p, size_t n)
{
    if (n >= 16) {

        if (n > 64) {
            aiobs_any_number(n);
            memcpy(to, p, n);

        } else if (n > 32) {
            memcpy(to, p, 32);
            memcpy(to + n - 32, p + n - 32, 32);

        } else {
            memcpy(to, p, 16);
            memcpy(to + n - 16, p + n - 16, 16);
        }

    } else if (n >= 8) {
        memcpy(to, p, 8);
        memcpy(to + n - 8, p + n - 8, 8);

    } else if (n >= 4) {
        memcpy(to, p, 4);
        memcpy(to + n - 4, p + n - 4, 4);

    } else {
        while (n--) {
            to[n] = p[n];
        }
    }
}


/* as much as fits */

static inline void
aiobs_value_set(char *to, uint8_t *to_len, size_t max, const char *p,
    size_t len)
{
    len = len < max ? len : max;

    aiobs_copy(to, p, len);
    *to_len = (uint8_t) len;
}


static inline uint64_t
aiobs_differ(const char *a, const char *b)
{
    uint64_t  x, y;

    memcpy(&x, a, 8);
    memcpy(&y, b, 8);

    return x ^ y;
}


/* whether they are the same; of up to 32 bytes, again, without a call */

static inline int
aiobs_same(const char *a, const char *b, size_t n)
{
    uint32_t  x, y;

    if (n > 32) {
        return memcmp(a, b, n) == 0;
    }

    if (n > 16) {
        return (aiobs_differ(a, b) | aiobs_differ(a + 8, b + 8)
                | aiobs_differ(a + n - 16, b + n - 16)
                | aiobs_differ(a + n - 8, b + n - 8)) == 0;
    }

    if (n >= 8) {
        return (aiobs_differ(a, b) | aiobs_differ(a + n - 8, b + n - 8)) == 0;
    }

    if (n >= 4) {
        memcpy(&x, a, 4);
        memcpy(&y, b, 4);

        if (x != y) {
            return 0;
        }

        memcpy(&x, a + n - 4, 4);
        memcpy(&y, b + n - 4, 4);

        return x == y;
    }

    while (n--) {
        if (a[n] != b[n]) {
            return 0;
        }
    }

    return 1;
}


#endif /* _AIOBS_BYTES_H_INCLUDED_ */
