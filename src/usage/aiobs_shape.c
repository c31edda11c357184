
/*
 * Copyright (C) the aiobs authors
 *
 * Events of one shape: constant bytes with holes, each the content of a string,
 * the digits of a number, or the spaces that some pad their events with.  An
 * event with the same constant bytes and valid contents is the same document
 * but for these values, whatever it says there.
 */


#include <string.h>

#include "aiobs_shape.h"


static int aiobs_shape_segment(const uint8_t *p, size_t n,
    const uint8_t *lanes);
static const uint8_t *aiobs_shape_string(const uint8_t *p,
    const uint8_t *last);
static const uint8_t *aiobs_shape_plain(const uint8_t *p, const uint8_t *last);
static int aiobs_shape_alike(const aiobs_shapes_t *m, const uint8_t *p,
    size_t len, const aiobs_spans_t *spans);
static uint8_t *aiobs_shape_constant(aiobs_shape_t *s, uint8_t *lanes,
    const uint8_t *p, size_t n);
static int aiobs_shape_make(aiobs_shape_t *s, const aiobs_shapes_t *m,
    const uint8_t *p, size_t len, const aiobs_spans_t *spans);
static int aiobs_shape_hole(const uint8_t *a, size_t a_len, const uint8_t *b,
    size_t b_len, const aiobs_span_t *span);


void
aiobs_shapes_init(aiobs_shapes_t *m)
{
    int  i;

    for (i = 0; i < AIOBS_SHAPES; i++) {
        m->shapes[i].least = 0;
    }

    m->last = 0;
    m->victim = 0;
    m->len = 0;
    m->carried = 0;
}


const uint8_t *
aiobs_shape_match(const aiobs_shape_t *s, const uint8_t *p,
    const uint8_t *last, aiobs_holes_t *holes)
{
    size_t          i, n;
    const uint8_t  *lanes;

    if (s->least == 0) {
        return NULL;
    }

    lanes = s->lanes;

    for (i = 0; /* void */ ; i++) {
        n = s->segment[i];

        if ((size_t) (last - p) < n || !aiobs_shape_segment(p, n, lanes)) {
            return NULL;
        }

        p += n;
        lanes += aiobs_shape_lanes(n);

        if (i == s->holes) {
            return p;
        }

        holes->start[i] = p;

        switch (s->hole[i]) {

        case AIOBS_HOLE_DIGITS:
        case AIOBS_HOLE_FIGURE:
            p = aiobs_shape_digits(p, last);
            break;

        case AIOBS_HOLE_BLANKS:
            p = aiobs_shape_blanks(p, last);
            break;

        default:
            p = aiobs_shape_string(p, last);
        }

        if (p == NULL
            || (s->hole[i] == AIOBS_HOLE_DIGITS
                && p - holes->start[i] >= AIOBS_SHAPE_LANE)
            || (s->hole[i] == AIOBS_HOLE_FIGURE
                && p - holes->start[i] > AIOBS_JSON_DIGITS))
        {
            return NULL;
        }

        holes->end[i] = p;
    }
}


static int
aiobs_shape_segment(const uint8_t *p, size_t n, const uint8_t *lanes)
{
    size_t  whole;

    whole = aiobs_shape_lanes(n) - AIOBS_SHAPE_LANE;

    return memcmp(p, lanes, whole) == 0
           && memcmp(p + whole, lanes + 2 * whole + AIOBS_SHAPE_LANE - n,
                     n - whole)
              == 0;
}


/* to the quote that ends it; NULL: none, or not to be passed over unread */

static const uint8_t *
aiobs_shape_string(const uint8_t *p, const uint8_t *last)
{
    for ( ;; ) {
        p = aiobs_shape_plain(p, last);

        if (p == last || *p < ' ') {
            return NULL;
        }

        if (*p == '"') {
            return p;
        }

        p = aiobs_shape_escape(p, last);

        if (p == NULL) {
            return NULL;
        }
    }
}


/* to a quote, a backslash or a control character */

static inline const uint8_t *
aiobs_shape_plain(const uint8_t *p, const uint8_t *last)
{
    while (p < last && *p != '"' && *p != '\\' && *p >= ' ') {
        p++;
    }

    return p;
}


/* only what every reader of JSON takes */

const uint8_t *
aiobs_shape_escape(const uint8_t *p, const uint8_t *last)
{
    int  i;

    if (last - p < 7) {
        return NULL;
    }

    switch (p[1]) {

    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r':
    case 't':
        return p + 2;

    case 'u':
        for (i = 2; i < 6; i++) {
            if (!((p[i] >= '0' && p[i] <= '9')
                  || ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f')))
            {
                return NULL;
            }
        }

        return p + 6;

    default:
        return NULL;
    }
}


const uint8_t *
aiobs_shape_digits(const uint8_t *p, const uint8_t *last)
{
    const uint8_t  *start;

    for (start = p; p < last && *p >= '0' && *p <= '9'; p++) { /* void */ }

    return p > start ? p : NULL;
}


const uint8_t *
aiobs_shape_blanks(const uint8_t *p, const uint8_t *last)
{
    while (p < last && *p == ' ') {
        p++;
    }

    return p < last ? p : NULL;
}


aiobs_shape_t *
aiobs_shape_learn(aiobs_shapes_t *m, const uint8_t *p, size_t len,
    const aiobs_spans_t *spans)
{
    aiobs_shape_t  *s;

    s = NULL;

    if (aiobs_shape_alike(m, p, len, spans)) {
        s = &m->shapes[m->victim];

        if (aiobs_shape_make(s, m, p, len, spans)) {
            m->last = m->victim;
            m->victim = (m->victim + 1) % AIOBS_SHAPES;

        } else {
            s->least = 0;
            s = NULL;
        }
    }

    m->len = (uint16_t) len;
    m->spans = *spans;
    memcpy(m->event, p, len);

    return s;
}


/* the same values at the same places, the same bytes between them */

static int
aiobs_shape_alike(const aiobs_shapes_t *m, const uint8_t *p, size_t len,
    const aiobs_spans_t *spans)
{
    size_t               i, a, b;
    const aiobs_span_t  *sa, *sb;

    if (m->len == 0 || m->spans.n != spans->n) {
        return 0;
    }

    a = 0;
    b = 0;

    for (i = 0; i < spans->n; i++) {
        sa = &m->spans.span[i];
        sb = &spans->span[i];

        if (sa->type != sb->type || sa->start - a != sb->start - b
            || memcmp(m->event + a, p + b, sb->start - b) != 0)
        {
            return 0;
        }

        a = sa->end;
        b = sb->end;
    }

    return m->len - a == len - b && memcmp(m->event + a, p + b, len - b) == 0;
}


/* all text is a hole, of the rest what differs */

static int
aiobs_shape_make(aiobs_shape_t *s, const aiobs_shapes_t *m, const uint8_t *p,
    size_t len, const aiobs_spans_t *spans)
{
    int                  hole;
    size_t               i, n, from;
    uint8_t             *lanes;
    const aiobs_span_t  *a, *b;

    from = 0;
    lanes = s->lanes;
    s->least = 0;
    s->holes = 0;
    s->fresh = 0;
    s->reports = 0;

    for (i = 0; i <= spans->n; i++) {

        b = &spans->span[i];

        if (i == spans->n) {
            n = len - from;

        } else {
            a = &m->spans.span[i];
            hole = aiobs_shape_hole(m->event + a->start, a->end - a->start,
                                    p + b->start, b->end - b->start, b);
            if (hole == -1) {
                continue;
            }

            if (hole == -2 || s->holes == AIOBS_SHAPE_HOLES) {
                return 0;
            }

            s->hole[s->holes] = (uint8_t) hole;
            s->slot[s->holes] = (uint8_t) (b->type >> 8);
            n = b->start - from;
        }

        lanes = aiobs_shape_constant(s, lanes, p + from, n);

        if (lanes == NULL) {
            return 0;
        }

        if (i < spans->n) {
            s->holes++;
            from = b->end;
        }
    }

    return 1;
}


/* the next segment: behind its lanes, or NULL */

static uint8_t *
aiobs_shape_constant(aiobs_shape_t *s, uint8_t *lanes, const uint8_t *p,
    size_t n)
{
    size_t    whole, rest;
    uint8_t  *mask;

    /* the lane that ends with a segment begins in the event as well */

    if (n == 0 || (s->holes == 0 && n < AIOBS_SHAPE_LANE)) {
        return NULL;
    }

    whole = aiobs_shape_lanes(n) - AIOBS_SHAPE_LANE;
    rest = n < AIOBS_SHAPE_LANE ? n : AIOBS_SHAPE_LANE;
    mask = s->mask[s->holes];

    memset(mask, 0, AIOBS_SHAPE_LANE - rest);
    memset(mask + AIOBS_SHAPE_LANE - rest, 0xff, rest);

    memcpy(lanes, p, whole);
    lanes += whole;

    memset(lanes, 0, AIOBS_SHAPE_LANE - rest);
    memcpy(lanes + AIOBS_SHAPE_LANE - rest, p + n - rest, rest);

    s->segment[s->holes] = (uint16_t) n;
    s->least += n;

    return lanes + AIOBS_SHAPE_LANE;
}


/* -1: part of the segment, -2: not to be compared */

static int
aiobs_shape_hole(const uint8_t *a, size_t a_len, const uint8_t *b,
    size_t b_len, const aiobs_span_t *span)
{
    if (span->type == AIOBS_SPAN_TEXT) {
        return AIOBS_HOLE_TEXT;
    }

    if (span->type == AIOBS_SPAN_BLANKS && a_len + b_len) {
        return AIOBS_HOLE_BLANKS;           /* there may be any number next */
    }

    if (a_len == b_len && memcmp(a, b, a_len) == 0) {
        return -1;
    }

    if (span->type == AIOBS_SPAN_STRING) {
        return AIOBS_HOLE_STRING;
    }

    if ((span->type & 0xff) == AIOBS_SPAN_FIGURE) {
        return AIOBS_HOLE_FIGURE;           /* both were such */
    }

    if (aiobs_shape_digits(a, a + a_len) == a + a_len
        && aiobs_shape_digits(b, b + b_len) == b + b_len)
    {
        return AIOBS_HOLE_DIGITS;
    }

    return -2;
}


const uint8_t *
aiobs_shape_event_end(const uint8_t *p, const uint8_t *last)
{
    for ( /* void */ ; ; p++) {
        p = memchr(p, '\n', last - p);

        if (p == NULL || last - p < 2) {
            return NULL;
        }

        if (p[1] == '\n') {
            return p + 2;
        }

        if (p[1] == '\r' && last - p > 2 && p[2] == '\n') {
            return p + 3;
        }
    }
}
