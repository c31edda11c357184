
/*
 * Copyright (C) the aiobs authors
 *
 * Driver of estimate.t: counts the text on standard input whole, and at every
 * split; "-b" measures the speed.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "usage/aiobs_estimate.h"


static int  splits(const uint8_t *p, size_t len);
static void speed(const uint8_t *p, size_t len);


int
main(int argc, char **argv)
{
    size_t            len;
    uint8_t          *p;
    aiobs_estimate_t  e;

    p = malloc(1 << 24);
    if (p == NULL) {
        return 2;
    }

    len = fread(p, 1, 1 << 24, stdin);
    p = realloc(p, len + 1);

    if (argc > 1 && strcmp(argv[1], "-b") == 0) {
        speed(p, len);
        free(p);
        return 0;
    }

    aiobs_estimate_init(&e);
    aiobs_estimate_text(&e, p, len);

    printf("%lld %llu %s\n", (long long) aiobs_estimate_tokens(&e),
           (unsigned long long) e.millitokens,
           splits(p, len) ? "same" : "differs");

    free(p);
    return 0;
}


static int
splits(const uint8_t *p, size_t len)
{
    size_t            i;
    aiobs_estimate_t  whole, e;

    aiobs_estimate_init(&whole);
    aiobs_estimate_text(&whole, p, len);

    aiobs_estimate_init(&e);

    for (i = 0; i < len; i++) {
        aiobs_estimate_text(&e, p + i, 1);
        aiobs_estimate_text(&e, p + i, 0);
    }

    if (memcmp(&e, &whole, sizeof(e)) != 0) {
        return 0;
    }

    for (i = 0; i <= len && i < 4096; i++) {
        aiobs_estimate_init(&e);
        aiobs_estimate_text(&e, p, i);
        aiobs_estimate_text(&e, p + i, len - i);

        if (e.millitokens != whole.millitokens || e.run != whole.run
            || e.class != whole.class)
        {
            return 0;
        }
    }

    return 1;
}


static void
speed(const uint8_t *p, size_t len)
{
    int               i;
    double            s;
    struct timespec   a, b;
    aiobs_estimate_t  e;

    aiobs_estimate_init(&e);
    clock_gettime(CLOCK_MONOTONIC, &a);

    for (i = 0; i < 64; i++) {
        aiobs_estimate_text(&e, p, len);
    }

    clock_gettime(CLOCK_MONOTONIC, &b);
    s = (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9;
    printf("%.0f MB/s, %lld tokens\n", 64.0 * len / s / 1e6,
           (long long) aiobs_estimate_tokens(&e));
}
