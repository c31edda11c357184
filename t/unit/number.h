
/*
 * Copyright (C) the aiobs authors
 *
 * Numbers from 0 to n - 1 that look like chance, the same ones in each run.
 */


#include <stdint.h>


static uint32_t
number(uint32_t n)
{
    static uint64_t  x = 88172645463325252ULL;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;

    return (uint32_t) (x >> 32) % n;
}
