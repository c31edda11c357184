
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


/*
 * Four lanes of nothing but what numbers are made of: bytes from '#' to 'Z'.
 * White space and exponents are not among them, and cost a second look.
 */

#ifdef AIOBS_MAX

AIOBS_TARGET static inline int
AIOBS_FIND(numbers)(const uint8_t *p)
{
    AIOBS_VECTOR  v;

    v = AIOBS_MAX(AIOBS_MAX(AIOBS_SUB(AIOBS_LOAD(p), '#'),
                            AIOBS_SUB(AIOBS_LOAD(p + AIOBS_LANE), '#')),
                  AIOBS_MAX(AIOBS_SUB(AIOBS_LOAD(p + 2 * AIOBS_LANE), '#'),
                            AIOBS_SUB(AIOBS_LOAD(p + 3 * AIOBS_LANE), '#')));

    /* max(v, n) == n: no byte is above n */

    return AIOBS_BITS(AIOBS_EQ(AIOBS_MAX(v, AIOBS_SET('Z' - '#')),
                               'Z' - '#')) == AIOBS_ALL;
}

#define AIOBS_NUMBERS  AIOBS_FIND(numbers)(p)
#else
#define AIOBS_NUMBERS  AIOBS_QUIET(brackets)
#endif


#define AIOBS_SEARCH(kind, quiet)                                             \
    AIOBS_MASK  mask;                                                         \
                                                                              \
    while (last - p >= AIOBS_LANE) {                                          \
        mask = AIOBS_BITS(AIOBS_FIND(kind)(p));                               \
                                                                              \
        if (mask) {                                                           \
            return p + AIOBS_INDEX(mask);                                     \
        }                                                                     \
                                                                              \
        p += AIOBS_LANE;                                                      \
                                                                              \
        while (last - p >= 4 * AIOBS_LANE && (quiet)) {                       \
            p += 4 * AIOBS_LANE;                                              \
        }                                                                     \
    }


AIOBS_TARGET static const uint8_t *
AIOBS_FIND(quote)(const uint8_t *p, const uint8_t *last)
{
    AIOBS_SEARCH(quotes, AIOBS_QUIET(quotes))

#ifdef AIOBS_TAIL
    return AIOBS_TAIL(quote)(p, last);
#else
    while (p < last && *p != '"' && *p != '\\') {
        p++;
    }

    return p;
#endif
}


AIOBS_TARGET static const uint8_t *
AIOBS_FIND(bracket)(const uint8_t *p, const uint8_t *last)
{
    AIOBS_SEARCH(brackets, AIOBS_NUMBERS)

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
    AIOBS_SEARCH(eols, AIOBS_QUIET(eols))

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
#undef AIOBS_SEARCH
