
/*
 * Copyright (C) the aiobs authors
 *
 * Bytes that stay, and blanks between them, of a form: portable C, SSE2, AVX2.
 * All come to the same.
 */


#include <string.h>

#include "aiobs_forms.h"
#include "aiobs_json_state.h"


#define AIOBS_FORM_LANE  32     /* bytes */


static int aiobs_form_portable_rest(const aiobs_form_t *form, unsigned k,
    const uint8_t *p, const uint8_t *last, aiobs_fit_t *fit);


#if defined(__x86_64__)

#include <immintrin.h>


/* --- every x86-64 --- */

#define AIOBS_RUN(name)   aiobs_form_sse2_##name

#include "aiobs_lanes_sse2.h"
#include "aiobs_forms_lanes.h"
#include "aiobs_lanes_none.h"

#undef AIOBS_RUN

/* --- where the processor has it --- */

#define AIOBS_RUN(name)   aiobs_form_avx2_##name

#include "aiobs_lanes_avx2.h"
#include "aiobs_forms_lanes.h"
#include "aiobs_lanes_none.h"

#undef AIOBS_RUN

#endif


static const aiobs_form_rest_pt  aiobs_form_rests[] = {
    aiobs_form_portable_rest,
#if defined(__x86_64__)
    aiobs_form_sse2_rest,
    aiobs_form_avx2_rest
#endif
};


aiobs_form_rest_pt  aiobs_form_rest = aiobs_form_portable_rest;


aiobs_form_rest_pt
aiobs_form_rest_get(unsigned i)
{
    unsigned  n;

    n = sizeof(aiobs_form_rests) / sizeof(aiobs_form_rests[0]);

#if defined(__x86_64__)
    __builtin_cpu_init();

    if (!__builtin_cpu_supports("avx2")) {
        n--;
    }
#endif

    return i < n ? aiobs_form_rests[i] : NULL;
}


static void __attribute__((constructor))
aiobs_form_rest_init(void)
{
    unsigned            i;
    aiobs_form_rest_pt  rest;

    for (i = 0; (rest = aiobs_form_rest_get(i)) != NULL; i++) {
        aiobs_form_rest = rest;
    }
}


static int
aiobs_form_portable_rest(const aiobs_form_t *form, unsigned k,
    const uint8_t *p, const uint8_t *last, aiobs_fit_t *fit)
{
    const aiobs_blank_t  *blank;

    for ( ;; k++) {
        blank = &form->blank[k];

        if ((size_t) (last - p) < blank->len
            || memcmp(p, form->bytes + blank->at, blank->len) != 0)
        {
            fit->looked = p;
            return 0;
        }

        p += blank->len;

        if (k == form->blanks) {
            fit->whole = 1;
            fit->stop = p;
            return 1;
        }

        p = aiobs_form_fill(form, k, p, last, fit);

        if (p == NULL) {
            fit->looked = last;
            return 0;
        }

        if (fit->stop) {
            return 1;
        }
    }
}
