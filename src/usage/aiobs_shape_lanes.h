
/*
 * Copyright (C) the aiobs authors
 *
 * Runs of events of one shape, written once for vectors of any kind; included
 * by aiobs_shape_run.c with AIOBS_RUN and the rest defined.
 */


#define AIOBS_DIFF(n)                                                         \
    AIOBS_XOR(AIOBS_LOAD(p - (n) * AIOBS_SHAPE_LANE),                         \
              AIOBS_LOAD(lanes - (n) * AIOBS_SHAPE_LANE))

#define AIOBS_CASE(n)                                                         \
    case n:                                                                   \
        d = AIOBS_OR(d, AIOBS_DIFF(n));                                       \
        __attribute__((fallthrough));


/* how the n bytes at p differ; they, and at least one lane, are in the event */

AIOBS_TARGET static inline __attribute__((always_inline)) AIOBS_VECTOR
AIOBS_RUN(differs)(const uint8_t *p, size_t n, const uint8_t *lanes,
    const uint8_t *mask)
{
    size_t        i;
    AIOBS_VECTOR  d;

    i = (n - 1) / AIOBS_SHAPE_LANE;

    d = AIOBS_XOR(AIOBS_LOAD(p + n - AIOBS_SHAPE_LANE),
                  AIOBS_LOAD(lanes + i * AIOBS_SHAPE_LANE));
    d = AIOBS_AND(d, AIOBS_LOAD(mask));

    p += i * AIOBS_SHAPE_LANE;
    lanes += i * AIOBS_SHAPE_LANE;

    for ( ;; ) {

        switch (i) {

        default:
            d = AIOBS_OR(d, AIOBS_DIFF(1));
            p -= AIOBS_SHAPE_LANE;
            lanes -= AIOBS_SHAPE_LANE;
            i--;
            continue;

        AIOBS_CASE(12)
        AIOBS_CASE(11)
        AIOBS_CASE(10)
        AIOBS_CASE(9)
        AIOBS_CASE(8)
        AIOBS_CASE(7)
        AIOBS_CASE(6)
        AIOBS_CASE(5)
        AIOBS_CASE(4)
        AIOBS_CASE(3)
        AIOBS_CASE(2)
        AIOBS_CASE(1)
        case 0:
            return d;
        }
    }
}


#undef AIOBS_DIFF
#undef AIOBS_CASE


/* bytes that end a string, or are not to be passed over */

AIOBS_TARGET static inline __attribute__((always_inline)) AIOBS_VECTOR
AIOBS_RUN(stops)(AIOBS_VECTOR v)
{
    return AIOBS_OR(AIOBS_OR(AIOBS_EQ(v, AIOBS_SET('"')),
                             AIOBS_EQ(v, AIOBS_SET('\\'))),
                    AIOBS_EQ(AIOBS_MAX(v, AIOBS_SET(0x1f)),
                             AIOBS_SET(0x1f)));
}


AIOBS_TARGET static inline __attribute__((always_inline)) AIOBS_VECTOR
AIOBS_RUN(no_digits)(AIOBS_VECTOR v)
{
    v = AIOBS_SUB(v, AIOBS_SET('0'));

    return AIOBS_EQ(AIOBS_MAX(v, AIOBS_SET(10)), v);
}


AIOBS_TARGET static inline __attribute__((always_inline)) AIOBS_VECTOR
AIOBS_RUN(no_blanks)(AIOBS_VECTOR v)
{
    return AIOBS_EQ(AIOBS_EQ(v, AIOBS_SET(' ')), AIOBS_SET(0));
}


/*
 * Where these are in the lane at p; nearer to the end of the bytes than that,
 * the lane is read that ends there, which begins in the event as well.
 */

#define AIOBS_AHEAD(kind, p, last)                                            \
    ((last) - (p) >= AIOBS_SHAPE_LANE                                         \
     ? AIOBS_BITS(AIOBS_RUN(kind)(AIOBS_LOAD(p)))                             \
     : (uint32_t)                                                             \
       ((uint64_t) AIOBS_BITS(AIOBS_RUN(kind)(AIOBS_LOAD((last)               \
                                                     - AIOBS_SHAPE_LANE)))    \
        >> (AIOBS_SHAPE_LANE - ((last) - (p)))))


/* the quote that ends the string at p, or NULL */

AIOBS_TARGET static inline __attribute__((always_inline)) const uint8_t *
AIOBS_RUN(string)(const uint8_t *p, const uint8_t *last)
{
    uint32_t  mask;

    for ( ;; ) {
        mask = AIOBS_AHEAD(stops, p, last);

        if (mask == 0) {

            if (last - p <= AIOBS_SHAPE_LANE) {
                return NULL;
            }

            p += AIOBS_SHAPE_LANE;
            continue;
        }

        p += __builtin_ctz(mask);

        if (*p == '"') {
            return p;
        }

        if (*p != '\\') {
            return NULL;
        }

        p = aiobs_shape_escape(p, last);

        if (p == NULL) {
            return NULL;
        }
    }
}


/* behind the digits at p, or NULL; more than a lane of them are left */

AIOBS_TARGET static inline __attribute__((always_inline)) const uint8_t *
AIOBS_RUN(digits)(const uint8_t *p, const uint8_t *last)
{
    uint32_t  mask;

    mask = AIOBS_AHEAD(no_digits, p, last);

    return mask == 0 || mask & 1 ? NULL : p + __builtin_ctz(mask);
}


/* to what is no space at p, or NULL */

AIOBS_TARGET static inline __attribute__((always_inline)) const uint8_t *
AIOBS_RUN(blanks)(const uint8_t *p, const uint8_t *last)
{
    uint32_t  mask;

    for ( ;; ) {
        mask = AIOBS_AHEAD(no_blanks, p, last);

        if (mask) {
            return p + __builtin_ctz(mask);
        }

        if (last - p <= AIOBS_SHAPE_LANE) {
            return NULL;
        }

        p += AIOBS_SHAPE_LANE;
    }
}


/* a lane more has room at text; behind what is kept */

AIOBS_TARGET static inline __attribute__((always_inline)) uint8_t *
AIOBS_RUN(keep)(uint8_t *text, const uint8_t *p, size_t n,
    const uint8_t *last)
{
    if (n <= AIOBS_SHAPE_LANE && last - p >= AIOBS_SHAPE_LANE) {
        AIOBS_STORE(text, AIOBS_LOAD(p));

    } else {
        memcpy(text, p, n);
    }

    return text + n;
}


/* the event at p; text: moved behind what was kept, to "room" at most */

AIOBS_TARGET static inline __attribute__((always_inline)) const uint8_t *
AIOBS_RUN(event)(const aiobs_shape_t *s, const uint8_t *p,
    const uint8_t *last, uint8_t **text, const uint8_t *room)
{
    size_t          i, n;
    const uint8_t  *q, *lanes;
    AIOBS_VECTOR    d;

    lanes = s->lanes;

    for (i = 0; /* void */ ; i++) {
        n = s->segment[i];

        if ((size_t) (last - p) < n) {
            return NULL;
        }

        d = AIOBS_RUN(differs)(p, n, lanes, s->mask[i]);

        if (!AIOBS_NONE(d)) {
            return NULL;
        }

        p += n;
        lanes += aiobs_shape_lanes(n);

        if (i == s->holes) {
            return p;
        }

        if (s->hole[i] >= AIOBS_HOLE_DIGITS) {
            q = p;
            p = s->hole[i] == AIOBS_HOLE_BLANKS ? AIOBS_RUN(blanks)(p, last)
                                                : AIOBS_RUN(digits)(p, last);

            if (p == NULL || (s->hole[i] == AIOBS_HOLE_FIGURE
                              && p - q > AIOBS_JSON_DIGITS))
            {
                return NULL;
            }

            continue;
        }

        q = AIOBS_RUN(string)(p, last);

        if (q == NULL) {
            return NULL;
        }

        if (s->hole[i] == AIOBS_HOLE_TEXT) {
            n = q - p;

            if (n > (size_t) (room - *text)) {
                return NULL;
            }

            *text = AIOBS_RUN(keep)(*text, p, n, last);
        }

        p = q;
    }
}


/*
 * Most events have text in one place, of less than a lane and without escapes:
 * behind the last of such that follow each other at p.
 */

AIOBS_TARGET static inline __attribute__((always_inline)) const uint8_t *
AIOBS_RUN(short_texts)(const aiobs_shape_t *s, const uint8_t *p,
    const uint8_t *last, aiobs_estimate_t *e, aiobs_shape_run_t *run)
{
    size_t          head, tail;
    uint32_t        mask, events, content;
    uint8_t        *text, *start, *room;
    const uint8_t  *q, *behind;
    AIOBS_VECTOR    v;

    head = s->segment[0];
    tail = s->segment[1];
    behind = s->lanes + aiobs_shape_lanes(head);

    events = 0;
    content = 0;
    text = e->end;
    room = e->last - AIOBS_SHAPE_LANE;

    while ((size_t) (last - p) >= head + AIOBS_SHAPE_LANE && text <= room) {

        q = p + head;
        start = text;

        v = AIOBS_LOAD(q);
        mask = AIOBS_BITS(AIOBS_RUN(stops)(v));

        if (mask == 0) {
            break;
        }

        AIOBS_STORE(text, v);

        text += __builtin_ctz(mask);
        q += __builtin_ctz(mask);

        if (*q != '"' || (size_t) (last - q) < tail) {
            text = start;
            break;
        }

        v = AIOBS_OR(AIOBS_RUN(differs)(p, head, s->lanes, s->mask[0]),
                     AIOBS_RUN(differs)(q, tail, behind, s->mask[1]));

        if (!AIOBS_NONE(v)) {
            text = start;
            break;
        }

        events++;
        content += (text > start);
        p = q + tail;
    }

    e->end = text;

    run->events += events;
    run->content += content;

    return p;
}


AIOBS_TARGET static const uint8_t *
AIOBS_RUN(run)(const aiobs_shape_t *s, const uint8_t *p, const uint8_t *last,
    aiobs_estimate_t *e, aiobs_shape_run_t *run)
{
    int             one;
    uint8_t        *text;
    const uint8_t  *end;

    run->events = 0;
    run->content = 0;
    run->at = p;

    if (s->least == 0) {
        return p;                       /* nothing else of it is set */
    }

    one = (s->holes == 1 && s->hole[0] == AIOBS_HOLE_TEXT);

    while ((size_t) (last - p) >= s->least) {

        if (e->last - e->end < AIOBS_SHAPE_MAX + AIOBS_SHAPE_LANE) {
            aiobs_estimate_look(e);
        }

        if (one) {
            end = AIOBS_RUN(short_texts)(s, p, last, e, run);

            if (end > p) {
                p = end;
                continue;
            }
        }

        text = e->end;
        end = AIOBS_RUN(event)(s, p, last, &text, e->end + AIOBS_SHAPE_MAX);

        if (end == NULL) {
            break;
        }

        run->events++;
        run->content += (text > e->end);
        run->at = p;

        e->end = text;
        p = end;
    }

    return p;
}


#undef AIOBS_AHEAD
