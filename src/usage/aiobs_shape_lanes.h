
/*
 * Copyright (C) the aiobs authors
 *
 * Runs of events of one shape, written once for lanes of any width; included
 * by aiobs_shape_run.c with AIOBS_RUN and the rest defined.
 */


#define AIOBS_DIFF(i)                                                         \
    AIOBS_XOR(AIOBS_LOAD(p + (i) * AIOBS_LANE),                               \
              AIOBS_LOAD(bytes + (i) * AIOBS_LANE))


AIOBS_TARGET static inline int
AIOBS_RUN(differs)(const uint8_t *p, const uint8_t *bytes, size_t n)
{
    size_t        i;
    AIOBS_VECTOR  d;

    d = AIOBS_ZERO;

    for (i = n / (4 * AIOBS_LANE); i; i--) {
        d = AIOBS_OR(d, AIOBS_OR(AIOBS_OR(AIOBS_DIFF(0), AIOBS_DIFF(1)),
                                 AIOBS_OR(AIOBS_DIFF(2), AIOBS_DIFF(3))));
        p += 4 * AIOBS_LANE;
        bytes += 4 * AIOBS_LANE;
    }

    for (i = n / AIOBS_LANE % 4; i; i--) {
        d = AIOBS_OR(d, AIOBS_DIFF(0));
        p += AIOBS_LANE;
        bytes += AIOBS_LANE;
    }

    /* of what is left as many bytes as count */

    d = AIOBS_OR(d, AIOBS_AND(AIOBS_DIFF(0),
                              AIOBS_LOAD(aiobs_shape_mask + AIOBS_LANES
                                         - n % AIOBS_LANE)));

    return !AIOBS_NONE(d);
}


#undef AIOBS_DIFF


/* bytes that end a string, or are not to be passed over */

AIOBS_TARGET static inline uint32_t
AIOBS_RUN(stops)(AIOBS_VECTOR v)
{
    return AIOBS_BITS(AIOBS_OR(AIOBS_OR(AIOBS_EQ(v, AIOBS_SET('"')),
                                        AIOBS_EQ(v, AIOBS_SET('\\'))),
                               AIOBS_EQ(AIOBS_MAX(v, AIOBS_SET(0x1f)),
                                        AIOBS_SET(0x1f))));
}


/* the string at p, kept at text if it is some; its quote, or NULL */

AIOBS_TARGET static inline __attribute__((always_inline)) const uint8_t *
AIOBS_RUN(string)(const uint8_t *p, const uint8_t *last, uint8_t *text,
    const uint8_t *room)
{
    uint32_t      mask;
    AIOBS_VECTOR  v;

    for ( ;; ) {

        if (last - p < AIOBS_LANE) {
            return NULL;
        }

        v = AIOBS_LOAD(p);

        if (text) {

            if (room - text < AIOBS_LANE) {
                return NULL;
            }

            AIOBS_STORE(text, v);
            text += AIOBS_LANE;
        }

        mask = AIOBS_RUN(stops)(v);

        if (mask) {
            p += __builtin_ctz(mask);
            return *p == '"' ? p : NULL;
        }

        p += AIOBS_LANE;
    }
}


/* the event at p; text: as above, moved behind what was kept */

AIOBS_TARGET static inline const uint8_t *
AIOBS_RUN(event)(const aiobs_shape_t *s, const uint8_t *p,
    const uint8_t *last, uint8_t **text, const uint8_t *room)
{
    size_t          i, n;
    const uint8_t  *q, *bytes;

    bytes = s->bytes;

    for (i = 0; /* void */ ; i++) {
        n = s->segment[i];

        if ((size_t) (last - p) < n + AIOBS_LANE
            || AIOBS_RUN(differs)(p, bytes, n))
        {
            return NULL;
        }

        p += n;
        bytes += n;

        if (i == s->holes) {
            return p;
        }

        if (s->hole[i] == AIOBS_HOLE_TEXT) {
            q = AIOBS_RUN(string)(p, last, *text, room);
            *text += q ? q - p : 0;

        } else if (s->hole[i] == AIOBS_HOLE_STRING) {
            q = AIOBS_RUN(string)(p, last, NULL, NULL);

        } else {
            q = aiobs_shape_digits(p, last);
        }

        if (q == NULL) {
            return NULL;
        }

        p = q;
    }
}


AIOBS_TARGET static const uint8_t *
AIOBS_RUN(run)(const aiobs_shape_t *s, const uint8_t *p, const uint8_t *last,
    aiobs_estimate_t *e, aiobs_shape_run_t *run)
{
    uint8_t        *text;
    const uint8_t  *end;

    run->events = 0;
    run->content = 0;

    if (s->least == 0) {
        return p;
    }

    for ( ;; ) {
        text = e->end;
        end = AIOBS_RUN(event)(s, p, last, &text, e->last);

        if (end == NULL) {
            return p;
        }

        run->events++;
        run->content += (text > e->end);

        e->end = text;
        p = end;
    }
}
