
/*
 * Copyright (C) the aiobs authors
 *
 * The three searches, written once for lanes of any width; included by
 * aiobs_find.c with AIOBS_FIND and the rest defined.
 */


AIOBS_TARGET static inline AIOBS_VECTOR
AIOBS_FIND(quotes)(const uint8_t *p)
{
    AIOBS_VECTOR  v;

    v = AIOBS_LOAD(p);

    return AIOBS_OR(AIOBS_EQ(v, '"'), AIOBS_EQ(v, '\\'));
}


/* '[' and '{', ']' and '}' differ in one bit */

AIOBS_TARGET static inline AIOBS_VECTOR
AIOBS_FIND(brackets)(const uint8_t *p)
{
    AIOBS_VECTOR  v, w;

    v = AIOBS_LOAD(p);
    w = AIOBS_LOWER(v);

    return AIOBS_OR(AIOBS_EQ(v, '"'),
                    AIOBS_OR(AIOBS_EQ(w, '{'), AIOBS_EQ(w, '}')));
}


AIOBS_TARGET static inline AIOBS_VECTOR
AIOBS_FIND(eols)(const uint8_t *p)
{
    AIOBS_VECTOR  v;

    v = AIOBS_LOAD(p);

    return AIOBS_OR(AIOBS_EQ(v, '\n'), AIOBS_EQ(v, '\r'));
}


/* four lanes with nothing in them */

#define AIOBS_QUIET(kind)                                                     \
    AIOBS_BITS(AIOBS_OR(AIOBS_OR(AIOBS_FIND(kind)(p),                         \
                                 AIOBS_FIND(kind)(p + AIOBS_LANE)),           \
                        AIOBS_OR(AIOBS_FIND(kind)(p + 2 * AIOBS_LANE),        \
                                 AIOBS_FIND(kind)(p + 3 * AIOBS_LANE)))) == 0


#ifdef AIOBS_MAX

/*
 * Lanes of nothing but numbers, commas and white space, by two instructions a
 * lane: with these bits turned over a quote becomes the largest of the bytes
 * below 0x40, and all brackets stay above them.  So do letters: exponents cost
 * a second look.
 */

AIOBS_TARGET static inline __attribute__((always_inline)) AIOBS_VECTOR
AIOBS_FIND(largest)(const uint8_t *p)
{
    AIOBS_VECTOR  turn;

    turn = AIOBS_SET('"' ^ 0x3f);

#define AIOBS_TURNED(n)  AIOBS_XOR(turn, AIOBS_LOAD(p + (n) * AIOBS_LANE))

    return AIOBS_MAX(AIOBS_MAX(AIOBS_TURNED(0), AIOBS_TURNED(1)),
                     AIOBS_MAX(AIOBS_TURNED(2), AIOBS_TURNED(3)));

#undef AIOBS_TURNED
}


#define AIOBS_NUMBERS(v)  AIOBS_ZERO(AIOBS_SUBS(v, AIOBS_SET(0x3e)))


AIOBS_TARGET static inline __attribute__((always_inline)) int
AIOBS_FIND(numbers)(const uint8_t *p)
{
    AIOBS_VECTOR  v;

    v = AIOBS_MAX(AIOBS_MAX(AIOBS_FIND(largest)(p),
                            AIOBS_FIND(largest)(p + 4 * AIOBS_LANE)),
                  AIOBS_MAX(AIOBS_FIND(largest)(p + 8 * AIOBS_LANE),
                            AIOBS_FIND(largest)(p + 12 * AIOBS_LANE)));

    return AIOBS_NUMBERS(v);
}

#endif


/* what is left is in the lane that ends where the bytes do */

#ifdef AIOBS_LAST

#define AIOBS_REST(kind)                                                      \
    if (p == last) {                                                          \
        return p;                                                             \
    }                                                                         \
                                                                              \
    if (last - first >= AIOBS_LANE) {                                         \
        mask = AIOBS_BITS(AIOBS_FIND(kind)(last - AIOBS_LANE))                \
               >> (AIOBS_LANE - (last - p));                                  \
                                                                              \
        return mask ? p + AIOBS_INDEX(mask) : last;                           \
    }

#else
#define AIOBS_REST(kind)
#endif


#define AIOBS_LOOK(kind)                                                      \
    mask = AIOBS_BITS(AIOBS_FIND(kind)(p));                                   \
                                                                              \
    if (mask) {                                                               \
        return p + AIOBS_INDEX(mask);                                         \
    }                                                                         \
                                                                              \
    p += AIOBS_LANE;


#define AIOBS_SEARCH(kind)                                                    \
    AIOBS_MASK      mask;                                                     \
    const uint8_t  *first;                                                    \
                                                                              \
    first = p;                                                                \
                                                                              \
    while (last - p >= AIOBS_LANE) {                                          \
        AIOBS_LOOK(kind)                                                      \
                                                                              \
        while (last - p >= 4 * AIOBS_LANE && AIOBS_QUIET(kind)) {             \
            p += 4 * AIOBS_LANE;                                              \
        }                                                                     \
    }                                                                         \
                                                                              \
    (void) first;                                                             \
    AIOBS_REST(kind)


AIOBS_TARGET static const uint8_t *
AIOBS_FIND(quote)(const uint8_t *p, const uint8_t *last)
{
    AIOBS_SEARCH(quotes)

#ifdef AIOBS_TAIL
    return AIOBS_TAIL(quote)(p, last);
#else
    while (p < last && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
#endif
}


#ifdef AIOBS_MAX

/* over long runs of numbers, "first" is where the bytes begin */

AIOBS_TARGET static inline __attribute__((always_inline)) const uint8_t *
AIOBS_FIND(arrays)(const uint8_t *first, const uint8_t *p, const uint8_t *last)
{
    int  i;

    for ( ;; ) {

        while (last - p >= 16 * AIOBS_LANE && AIOBS_FIND(numbers)(p)) {
            p += 16 * AIOBS_LANE;
        }

        if (last - p < 16 * AIOBS_LANE && last - first >= 16 * AIOBS_LANE
            && AIOBS_FIND(numbers)(last - 16 * AIOBS_LANE))
        {
            return last;
        }

        for (i = 0; i < 4 && last - p >= 4 * AIOBS_LANE; i++) {

            if (!AIOBS_NUMBERS(AIOBS_FIND(largest)(p))
                && !(AIOBS_QUIET(brackets)))
            {
                return p;
            }

            p += 4 * AIOBS_LANE;
        }

        if (i < 4) {
            return p;
        }
    }
}

#endif


AIOBS_TARGET static const uint8_t *
AIOBS_FIND(bracket)(const uint8_t *p, const uint8_t *last)
{
#ifdef AIOBS_MAX
    AIOBS_MASK      mask;
    const uint8_t  *first;

    first = p;

    if (last - p >= AIOBS_LANE) {
        AIOBS_LOOK(brackets)

        p = AIOBS_FIND(arrays)(first, p, last);
    }

    while (last - p >= AIOBS_LANE) {
        AIOBS_LOOK(brackets)
    }

    AIOBS_REST(brackets)
#else
    AIOBS_SEARCH(brackets)
#endif

#ifdef AIOBS_TAIL
    return AIOBS_TAIL(bracket)(p, last);
#else
    while (p < last && *p != '"' && (*p | 0x20) != '{' && (*p | 0x20) != '}') {
        p++;
    }

    return p;
#endif
}


AIOBS_TARGET static const uint8_t *
AIOBS_FIND(eol)(const uint8_t *p, const uint8_t *last)
{
    AIOBS_SEARCH(eols)

#ifdef AIOBS_TAIL
    return AIOBS_TAIL(eol)(p, last);
#else
    while (p < last && *p != '\n' && *p != '\r') {
        p++;
    }

    return p;
#endif
}


#undef AIOBS_QUIET
#undef AIOBS_NUMBERS
#undef AIOBS_REST
#undef AIOBS_LOOK
#undef AIOBS_SEARCH
