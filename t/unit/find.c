
/*
 * Copyright (C) the aiobs authors
 *
 * Each implementation of the searches against a loop over bytes: find N runs
 * over N buffers of random length, place and contents.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usage/aiobs_find.h"
#include "number.h"


static const uint8_t *
naive(const char *set, const uint8_t *p, const uint8_t *last)
{
    while (p < last && (*p == 0 || strchr(set, *p) == NULL)) {
        p++;
    }

    return p;
}


/* numbers, text or anything, with now and then one of what is looked for */

static void
fill(uint8_t *p, size_t len)
{
    size_t      i;
    uint32_t    kind, rare;
    const char  digits[] = "0123456789,.-+ \n\r\t0123456789eE";
    const char  some[] = "\"\\[]{}\n\r;:|^";

    kind = number(3);
    rare = 1 + number(200);

    for (i = 0; i < len; i++) {
        p[i] = kind == 0 ? (uint8_t) digits[number(i % 16 ? 29 : 31)]
               : (uint8_t) (kind == 1 ? 'a' + number(26) : number(256));

        if (number(rare) == 0) {
            p[i] = some[number(sizeof(some) - 1)];
        }
    }
}


int
main(int argc, char **argv)
{
    int                  i, k, runs;
    size_t               len;
    uint8_t             *p;
    const aiobs_find_t  *f;

    runs = argc > 1 ? atoi(argv[1]) : 1;

    for (k = 0; (f = aiobs_find_get(k)) != NULL; k++) {

        for (i = 0; i < runs; i++) {

            len = number(i % 8 ? 90 : i % 64 ? 700 : 4000);
            p = malloc(len + 1);        /* nothing readable behind it */
            fill(p, len);

            if (f->quote(p, p + len) != naive("\"\\", p, p + len)
                || f->bracket(p, p + len) != naive("\"[]{}", p, p + len)
                || f->eol(p, p + len) != naive("\r\n", p, p + len)
                || aiobs_find_quote(p, p + len) != naive("\"\\", p, p + len))
            {
                printf("%s differs in run %d\n", f->name, i);
                return 1;
            }

            free(p);
        }

        printf("%s %d\n", f->name, runs);
    }

    return strcmp(aiobs_find.name, aiobs_find_get(k - 1)->name) != 0;
}
