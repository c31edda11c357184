
/*
 * Copyright (C) the aiobs authors
 *
 * Whether bytes fit a form, and what its blanks are filled with.
 */


#include <string.h>

#include "aiobs_forms.h"
#include "aiobs_json_state.h"


static int aiobs_form_rest(const aiobs_form_t *form, unsigned k,
    const uint8_t *p, const uint8_t *last, aiobs_fit_t *fit);
static const uint8_t *aiobs_form_fill(const aiobs_form_t *form, unsigned k,
    const uint8_t *p, const uint8_t *last, aiobs_fit_t *fit);
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


/* n bytes at p; 16 more can be read at bytes */

static inline int
aiobs_form_same(const uint8_t *p, const uint8_t *last, const uint8_t *bytes,
    size_t n)
{
#if defined(__SSE2__)
    size_t   i;
    __m128i  same;

    /* most are short: no call, and no look at what lies behind them */

    if (n <= 64 && (size_t) (last - p) >= n + 16) {
        same = _mm_set1_epi8(-1);

        for (i = 0; i + 16 <= n; i += 16) {
            same = _mm_and_si128(same,
                       _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *) (p + i)),
                                      _mm_loadu_si128((const __m128i *)
                                                      (bytes + i))));
        }

        return _mm_movemask_epi8(same) == 0xffff
               && (~_mm_movemask_epi8(
                       _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *) (p + i)),
                                      _mm_loadu_si128((const __m128i *)
                                                      (bytes + i))))
                   & ((1 << (n - i)) - 1)) == 0;
    }
#endif

    return (size_t) (last - p) >= n && memcmp(p, bytes, n) == 0;
}


/*
 * The bytes before blank k are next.  0: they do not fit, or end where that
 * is not to be seen.
 */

static int
aiobs_form_rest(const aiobs_form_t *form, unsigned k, const uint8_t *p,
    const uint8_t *last, aiobs_fit_t *fit)
{
    const aiobs_blank_t  *blank;

    for ( ;; k++) {
        blank = &form->blank[k];

        fit->looked = p;

        if (!aiobs_form_same(p, last, form->bytes + blank->at, blank->len)) {
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


/* behind the value at p, NULL: there is none to be taken unread */

static inline const uint8_t *
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


/* most strings are short: no call for them */

static inline const uint8_t *
aiobs_form_quote(const uint8_t *p, const uint8_t *last)
{
#if defined(__SSE2__)
    int      i, mask;
    __m128i  v;

    for (i = 0; i < 4 && last - p >= 16; i++, p += 16) {
        v = _mm_loadu_si128((const __m128i *) p);
        mask = _mm_movemask_epi8(
                         _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                      _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
        if (mask) {
            return p + __builtin_ctz(mask);
        }
    }
#endif

    return aiobs_find.quote(p, last);
}


/*
 * From inside of a string.  Only one of which nobody takes more than its bytes
 * may have escapes in it, or go on in the next piece: then stop is set.
 */

static inline const uint8_t *
aiobs_form_string(const aiobs_form_t *form, unsigned k, const uint8_t *p,
    const uint8_t *last, aiobs_fit_t *fit)
{
    const uint8_t       *q;
    const aiobs_node_t  *node;

    node = form->blank[k].node;
    fit->start[k] = p;

    q = aiobs_form_quote(p, last);

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
