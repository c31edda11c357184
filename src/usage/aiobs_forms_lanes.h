
/*
 * Copyright (C) the aiobs authors
 *
 * Whether bytes fit a form, written once for vectors of any kind; included by
 * aiobs_forms_run.c with AIOBS_RUN and the rest defined.
 */


/* n bytes at p; a lane more can be read at bytes */

AIOBS_TARGET static inline __attribute__((always_inline)) int
AIOBS_RUN(same)(const uint8_t *p, const uint8_t *last, const uint8_t *bytes,
    size_t n)
{
    size_t        i;
    AIOBS_VECTOR  d;

    if ((size_t) (last - p) < n) {
        return 0;
    }

    if (n < AIOBS_FORM_LANE) {

        if (last - p < AIOBS_FORM_LANE) {
            return memcmp(p, bytes, n) == 0;
        }

        return (~AIOBS_BITS(AIOBS_EQ(AIOBS_LOAD(p), AIOBS_LOAD(bytes)))
                & ((1U << n) - 1))
               == 0;
    }

    /* the last lane ends where the bytes do: some are compared twice */

    n -= AIOBS_FORM_LANE;
    d = AIOBS_XOR(AIOBS_LOAD(p + n), AIOBS_LOAD(bytes + n));

    for (i = 0; i < n; i += AIOBS_FORM_LANE) {
        d = AIOBS_OR(d, AIOBS_XOR(AIOBS_LOAD(p + i), AIOBS_LOAD(bytes + i)));
    }

    return AIOBS_NONE(d);
}


AIOBS_TARGET static inline __attribute__((always_inline)) uint32_t
AIOBS_RUN(quotes)(const uint8_t *p)
{
    AIOBS_VECTOR  v;

    v = AIOBS_LOAD(p);

    return AIOBS_BITS(AIOBS_OR(AIOBS_EQ(v, AIOBS_SET('"')),
                               AIOBS_EQ(v, AIOBS_SET('\\'))));
}


AIOBS_TARGET static inline __attribute__((always_inline)) uint32_t
AIOBS_RUN(no_digits)(const uint8_t *p)
{
    AIOBS_VECTOR  v;

    v = AIOBS_SUB(AIOBS_LOAD(p), AIOBS_SET('0'));

    return AIOBS_BITS(AIOBS_EQ(AIOBS_MAX(v, AIOBS_SET(10)), v));
}


/* a lane can be read at p; most strings are short: no call for them */

AIOBS_TARGET static inline __attribute__((always_inline)) const uint8_t *
AIOBS_RUN(quote)(const uint8_t *p, const uint8_t *last)
{
    uint32_t  mask;

    mask = AIOBS_RUN(quotes)(p);

    if (mask == 0) {
        p += AIOBS_FORM_LANE;

        if (last - p < AIOBS_FORM_LANE) {
            return aiobs_find.quote(p, last);
        }

        mask = AIOBS_RUN(quotes)(p);

        if (mask == 0) {
            return aiobs_find.quote(p + AIOBS_FORM_LANE, last);
        }
    }

    return p + __builtin_ctz(mask);
}


/*
 * As aiobs_form_fill(), for what is simple: a string without escapes, digits;
 * NULL if it is something else.  bit: of blank k, 0 if nobody is told.
 */

AIOBS_TARGET static inline __attribute__((always_inline)) const uint8_t *
AIOBS_RUN(fill)(unsigned k, uint64_t bit, const uint8_t *p,
    const uint8_t *last, aiobs_fit_t *fit)
{
    uint64_t        n;
    uint32_t        mask;
    const uint8_t  *q, *end;

    if (*p == '"') {
        end = AIOBS_RUN(quote)(p + 1, last);

        if (end == last || *end != '"') {
            return NULL;
        }

        if (bit) {
            fit->strings |= bit;
            fit->start[k] = p + 1;
            fit->end[k] = end;
        }

        return end + 1;
    }

    mask = AIOBS_RUN(no_digits)(p);

    if (mask == 0 || mask & 1) {
        return NULL;
    }

    end = p + __builtin_ctz(mask);

    if ((*end != ',' && (*end | 0x20) != '}') || end - p > AIOBS_JSON_DIGITS) {
        return NULL;
    }

    if (bit) {
        n = 0;
        q = p;

        do {
            n = n * 10 + *q - '0';
        } while (++q < end);

        fit->figures |= bit;
        fit->number[k] = (int64_t) n;
        fit->start[k] = p;
        fit->end[k] = end;
    }

    return end;
}


AIOBS_TARGET static int
AIOBS_RUN(rest)(const aiobs_form_t *form, unsigned k, const uint8_t *p,
    const uint8_t *last, aiobs_fit_t *fit)
{
    const uint8_t        *q;
    const aiobs_blank_t  *blank, *end;

    end = &form->blank[form->blanks];

    for (blank = &form->blank[k]; /* void */ ; blank++, k++) {

        if (!AIOBS_RUN(same)(p, last, form->bytes + blank->at, blank->len)) {
            fit->looked = p;
            return 0;
        }

        p += blank->len;

        if (blank == end) {
            fit->whole = 1;
            fit->stop = p;
            return 1;
        }

        if (last - p > AIOBS_FORM_LANE) {
            q = AIOBS_RUN(fill)(k, (uint64_t) blank->told << k, p, last, fit);

            if (q) {
                p = q;
                continue;
            }
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
