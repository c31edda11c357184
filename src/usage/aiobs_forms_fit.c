
/*
 * Copyright (C) the aiobs authors
 *
 * Whether bytes fit a form, and what its blanks are filled with.
 */


#include <string.h>

#include "aiobs_forms.h"
#include "aiobs_json_state.h"


static const uint8_t *aiobs_form_string(const aiobs_form_t *form, unsigned k,
    const uint8_t *p, const uint8_t *last, aiobs_fit_t *fit);
static const uint8_t *aiobs_form_escapes(const uint8_t *p,
    const uint8_t *last);


int
aiobs_form_fits(const aiobs_form_t *form, const uint8_t *p,
    const uint8_t *last, aiobs_fit_t *fit)
{
    fit->whole = 0;
    fit->stop = NULL;
    fit->strings = 0;
    fit->figures = 0;

    return aiobs_form_rest(form, 0, p, last, fit);
}


int
aiobs_form_goes_on(const aiobs_form_t *form, unsigned k, const uint8_t *p,
    const uint8_t *last, aiobs_fit_t *fit)
{
    fit->whole = 0;
    fit->stop = NULL;
    fit->strings = 1ULL << k;
    fit->figures = 0;

    p = aiobs_form_string(form, k, p, last, fit);

    return p && (fit->stop || aiobs_form_rest(form, k + 1, p, last, fit));
}


const uint8_t *
aiobs_form_fill(const aiobs_form_t *form, unsigned k, const uint8_t *p,
    const uint8_t *last, aiobs_fit_t *fit)
{
    uint64_t        n;
    const uint8_t  *q;

    if (p == last) {
        return NULL;
    }

    if (*p == '"') {
        fit->strings |= 1ULL << k;
        return aiobs_form_string(form, k, p + 1, last, fit);
    }

    /* what ends it is compared next */

    if (!aiobs_json_scalar_start(*p)) {
        return NULL;
    }

    for (n = 0, q = p; q < last && *q >= '0' && *q <= '9'; q++) {
        n = n * 10 + (*q - '0');
    }

    if (q < last && aiobs_json_scalar_byte(*q)) {
        do {
            q++;
        } while (q < last && aiobs_json_scalar_byte(*q));

    } else if (q - p <= AIOBS_JSON_DIGITS) {
        fit->number[k] = (int64_t) n;
        fit->figures |= 1ULL << k;
    }

    fit->start[k] = p;
    fit->end[k] = q;

    return q;
}


/*
 * From inside of a string.  Only one of which nobody takes more than its bytes
 * may have escapes in it, or go on in the next piece: then stop is set.
 */

static const uint8_t *
aiobs_form_string(const aiobs_form_t *form, unsigned k, const uint8_t *p,
    const uint8_t *last, aiobs_fit_t *fit)
{
    const uint8_t       *q;
    const aiobs_node_t  *node;

    node = form->blank[k].node;
    fit->start[k] = p;

    q = aiobs_find_quote(p, last);

    if (q == last || *q != '"') {

        if (node && node->type != AIOBS_NODE_TEXT) {
            return NULL;
        }

        q = aiobs_form_escapes(q, last);

        if (q == NULL) {
            return NULL;
        }

        if (q == last || *q != '"') {
            fit->stop = q;
            fit->blank = k;
        }
    }

    fit->end[k] = q;

    return q + 1;
}


/* to the quote, the bytes' end, or an escape that is cut; NULL: a wrong one */

static const uint8_t *
aiobs_form_escapes(const uint8_t *p, const uint8_t *last)
{
    int  i;

    static const char  simple[] = "\"\\/bfnrt";

    while (p < last && *p != '"') {

        if (last - p < 2) {
            return p;
        }

        if (p[1] != 'u') {

            if (p[1] == '\0' || strchr(simple, p[1]) == NULL) {
                return NULL;
            }

            p = aiobs_find_quote(p + 2, last);
            continue;
        }

        if (last - p < 6) {
            return p;
        }

        for (i = 2; i < 6; i++) {
            if (!((p[i] >= '0' && p[i] <= '9')
                  || ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f')))
            {
                return NULL;
            }
        }

        p = aiobs_find_quote(p + 6, last);
    }

    return p;
}
