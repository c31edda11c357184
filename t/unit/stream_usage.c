
/*
 * Copyright (C) the aiobs authors
 *
 * stream_usage inject|strip STEP < in > out: changes a request, or an answer,
 * fed in pieces of STEP bytes.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usage/aiobs_stream_usage.h"


static void
emit(void *data, const uint8_t *p, size_t len)
{
    fwrite(p, 1, len, stdout);
}


static void
inject(uint8_t *p, size_t len, size_t step)
{
    size_t             i, n;
    aiobs_inject_t     j;
    aiobs_insertion_t  ins;

    aiobs_inject_init(&j);

    for (i = 0; i < len; i += n) {
        n = len - i < step ? len - i : step;
        aiobs_inject_feed(&j, p + i, n);
    }

    if (!aiobs_inject_find(&j, &ins)) {
        fwrite(p, 1, len, stdout);
        return;
    }

    fwrite(p, 1, ins.at, stdout);
    fwrite(ins.text, 1, ins.len, stdout);
    fwrite(p + ins.at + ins.remove, 1, len - ins.at - ins.remove, stdout);
}


static void
strip(uint8_t *p, size_t len, size_t step)
{
    size_t          i, n;
    uint8_t        *held;
    aiobs_strip_t   s;

    held = malloc(AIOBS_EVENT_MAX);

    aiobs_strip_init(&s, held);

    for (i = 0; i < len; i += n) {
        n = len - i < step ? len - i : step;
        aiobs_strip_feed(&s, p + i, n, emit, NULL);
    }

    aiobs_strip_finish(&s, emit, NULL);
    free(held);
}


int
main(int argc, char **argv)
{
    size_t    len, step;
    uint8_t  *p;

    if (argc != 3) {
        return 2;
    }

    p = malloc(1 << 22);
    len = fread(p, 1, 1 << 22, stdin);
    step = strtoul(argv[2], NULL, 10);

    (strcmp(argv[1], "inject") == 0 ? inject : strip)(p, len, step);

    free(p);

    return 0;
}
