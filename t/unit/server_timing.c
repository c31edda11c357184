
/*
 * Copyright (C) the aiobs authors
 *
 * Driver of Server-Timing: every line of input is a header's value; its steps
 * are printed.
 */


#include "telemetry/aiobs_server_timing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


int
main(void)
{
    int              i;
    char            *line, *copy;
    size_t           size;
    ssize_t          n;
    const char      *p;
    aiobs_timing_t   step;

    line = NULL;
    size = 0;

    while ((n = getline(&line, &size, stdin)) > 0) {

        n -= line[n - 1] == '\n';

        /* what is read beyond its end is noticed */

        copy = malloc(n ? n : 1);
        memcpy(copy, line, n);

        for (p = copy; aiobs_timing_next(&p, copy + n, &step); ) {
            printf("%s(%g,%g", step.name, step.dur, step.start);

            for (i = 0; i < step.n; i++) {
                printf(",%s=%s", step.params[i].name, step.params[i].value);
            }

            printf(") ");
        }

        printf("\n");
        free(copy);
    }

    free(line);

    return 0;
}
