
/*
 * Copyright (C) the aiobs authors
 *
 * Runs of events of one shape, which is what a stream consists of: portable C,
 * SSE2, AVX2.  All come to the same as portable C, event by event.
 */


#include <string.h>

#include "aiobs_shape.h"


static const uint8_t *aiobs_shape_portable_run(const aiobs_shape_t *s,
    const uint8_t *p, const uint8_t *last, aiobs_estimate_t *e,
    aiobs_shape_run_t *run);


#if defined(__x86_64__)

#include <immintrin.h>


/* --- every x86-64 --- */

#define AIOBS_RUN(name)   aiobs_shape_sse2_##name

#include "aiobs_lanes_sse2.h"
#include "aiobs_shape_lanes.h"
#include "aiobs_lanes_none.h"

#undef AIOBS_RUN

/* --- where the processor has it --- */

#define AIOBS_RUN(name)   aiobs_shape_avx2_##name

#include "aiobs_lanes_avx2.h"
#include "aiobs_shape_lanes.h"
#include "aiobs_lanes_none.h"

#undef AIOBS_RUN

#endif


static const aiobs_shape_run_pt  aiobs_shape_runs[] = {
    aiobs_shape_portable_run,
#if defined(__x86_64__)
    aiobs_shape_sse2_run,
    aiobs_shape_avx2_run
#endif
};


aiobs_shape_run_pt  aiobs_shape_run = aiobs_shape_portable_run;


aiobs_shape_run_pt
aiobs_shape_run_get(unsigned i)
{
    unsigned  n;

    n = sizeof(aiobs_shape_runs) / sizeof(aiobs_shape_runs[0]);

#if defined(__x86_64__)
    __builtin_cpu_init();

    if (!__builtin_cpu_supports("avx2")) {
        n--;
    }
#endif

    return i < n ? aiobs_shape_runs[i] : NULL;
}


static void __attribute__((constructor))
aiobs_shape_run_init(void)
{
    unsigned            i;
    aiobs_shape_run_pt  run;

    for (i = 0; (run = aiobs_shape_run_get(i)) != NULL; i++) {
        aiobs_shape_run = run;
    }
}


static const uint8_t *
aiobs_shape_portable_run(const aiobs_shape_t *s, const uint8_t *p,
    const uint8_t *last, aiobs_estimate_t *e, aiobs_shape_run_t *run)
{
    size_t          i, len, text;
    aiobs_holes_t   holes;
    const uint8_t  *end;

    run->events = 0;
    run->content = 0;
    run->at = p;

    for ( ;; ) {
        end = aiobs_shape_match(s, p, last, &holes);

        if (end == NULL) {
            return p;
        }

        text = 0;

        for (i = 0; i < s->holes; i++) {
            text += s->hole[i] == AIOBS_HOLE_TEXT
                    ? holes.end[i] - holes.start[i] : 0;
        }

        if (text > AIOBS_SHAPE_MAX) {
            return p;
        }

        for (i = 0; i < s->holes; i++) {
            len = holes.end[i] - holes.start[i];

            if (s->hole[i] == AIOBS_HOLE_TEXT) {
                aiobs_estimate_text(e, holes.start[i], len);
            }
        }

        run->events++;
        run->content += (text > 0);
        run->at = p;

        p = end;
    }
}
