
/*
 * Copyright (C) the aiobs authors
 *
 * Hex digits of every byte at every place, by each implementation.
 */


#include <stdio.h>

#include "request/aiobs_hex.h"


int
main(void)
{
    int      b, i, n;
    char     expected[17];
    uint8_t  bytes[8], hex[2][16];

    n = 0;

    for (b = 0; b < 256; b++) {

        for (i = 0; i < 8; i++) {
            bytes[i] = (uint8_t) (b + 37 * i);
            snprintf(expected + 2 * i, 3, "%02x", bytes[i]);
        }

        aiobs_hex8(hex[0], bytes);
        aiobs_hex8_portable(hex[1], bytes);

        if (memcmp(hex[0], expected, 16) != 0
            || memcmp(hex[1], expected, 16) != 0)
        {
            printf("%s: %.16s, portable %.16s\n", expected, hex[0], hex[1]);
            return 1;
        }

        n++;
    }

    printf("%d\n", n);

    return 0;
}
