
/*
 * Copyright (C) the aiobs authors
 *
 * Server-Timing of an upstream, any bytes: steps within their bounds, and the
 * end is reached.
 */


#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry/aiobs_server_timing.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int              i;
    char            *copy;
    double           number;
    int64_t          integer;
    const char      *p, *before;
    aiobs_timing_t   step;

    copy = malloc(size ? size : 1);     /* what is read beyond is noticed */
    memcpy(copy, data, size);
    p = before = copy;

    while (aiobs_timing_next(&p, copy + size, &step)) {

        if (p <= before || p > copy + size || step.name[0] == '\0'
            || !isfinite(step.dur) || step.dur < 0 || !isfinite(step.start)
            || step.n < 0 || step.n > AIOBS_TIMING_PARAMS)
        {
            abort();
        }

        for (i = 0; i < step.n; i++) {

            if (step.params[i].len > AIOBS_TIMING_VALUE_MAX) {
                abort();
            }

            (void) aiobs_timing_integer(step.params[i].value,
                                        step.params[i].len, &integer);

            if (aiobs_timing_number(step.params[i].value, step.params[i].len,
                                    &number)
                && !isfinite(number))
            {
                abort();
            }
        }

        before = p;
    }

    free(copy);

    return 0;
}
