
/*
 * Copyright (C) the aiobs authors
 *
 * Events of one shape: from one chunk of a stream to the next, nothing changes
 * but the text and a few values nobody asks for.  What was read twice is from
 * then on only compared.
 */


#ifndef _AIOBS_SHAPE_H_INCLUDED_
#define _AIOBS_SHAPE_H_INCLUDED_


#include "aiobs_apis.h"
#include "aiobs_estimate.h"


#define AIOBS_SHAPE_MAX    1024     /* bytes of an event */
#define AIOBS_SHAPE_TEXT   4096     /* bytes of text that wait */
#define AIOBS_SHAPES       2        /* kinds of events that take turns */
#define AIOBS_SHAPE_HOLES  4        /* places where events differ */
#define AIOBS_SHAPE_LANE   32       /* bytes that are compared at once */


typedef enum {
    AIOBS_HOLE_TEXT = 0,            /* text of the answer */
    AIOBS_HOLE_STRING,              /* a string of no interest */
    AIOBS_HOLE_DIGITS,              /* a number of no interest */
    AIOBS_HOLE_BLANKS,              /* spaces, or none */
    AIOBS_HOLE_FIGURE               /* a figure of a report that is kept */
} aiobs_hole_e;


/*
 * Segments are constant bytes, holes lie between them.  Of a segment the whole
 * lanes stand in "lanes" as they come, but for the last, and then the lane that
 * ends where the segment does: part of it counts twice, or, if the segment is
 * shorter than that, does not count as its mask says.
 */

typedef struct {
    uint16_t         segment[AIOBS_SHAPE_HOLES + 1];    /* bytes of each */
    uint8_t          hole[AIOBS_SHAPE_HOLES];           /* aiobs_hole_e */
    uint8_t          slot[AIOBS_SHAPE_HOLES];           /* of a figure */
    uint8_t          reports;       /* it has a report, whose figures are */
    int64_t          figures[AIOBS_F_FIGURES];  /* these, but for the holes */
    uint8_t          holes;
    uint8_t          tier;
    uint8_t          fresh;         /* what the segments say is known */
    uint32_t         strings;       /* they say, bits of AIOBS_S_* */
    uint16_t         least;         /* bytes of all segments; 0: not in use */
    uint8_t          model_len;
    uint8_t          status_len;
    char             model[AIOBS_MODEL_MAX];
    char             status[32];
    uint8_t          mask[AIOBS_SHAPE_HOLES + 1][AIOBS_SHAPE_LANE];
    uint8_t          lanes[AIOBS_SHAPE_MAX
                           + (AIOBS_SHAPE_HOLES + 1) * AIOBS_SHAPE_LANE];
} aiobs_shape_t;


/* memory of a stream, beside its state: 10 KB */

typedef struct {
    aiobs_shape_t    shapes[AIOBS_SHAPES];
    uint8_t          last;          /* the shape of the event before */
    uint8_t          victim;        /* the one to be replaced next */
    uint16_t         len;           /* the last event read, 0: none */
    uint16_t         carried;       /* bytes of one that is not whole yet */
    aiobs_spans_t    spans;         /* of "event" */
    uint8_t          event[AIOBS_SHAPE_MAX];
    uint8_t          carry[AIOBS_SHAPE_MAX];
    uint8_t          text[AIOBS_SHAPE_TEXT];
} aiobs_shapes_t;


/* where the text of an event went, between its quotes */

typedef struct {
    const uint8_t   *start[AIOBS_SHAPE_HOLES];
    const uint8_t   *end[AIOBS_SHAPE_HOLES];
} aiobs_holes_t;


void aiobs_shapes_init(aiobs_shapes_t *m);

/* events of one shape, one behind the other */

typedef struct {
    uint32_t         events;
    uint32_t         content;       /* of these, with text */
    const uint8_t   *at;            /* the last, of a shape with figures */
} aiobs_shape_run_t;

/*
 * Behind the last of the events of this shape that follow each other at p.
 * Their text goes to where e keeps it, which has room for AIOBS_SHAPE_TEXT
 * bytes; an event that has more than AIOBS_SHAPE_MAX bytes of it is not taken.
 */
typedef const uint8_t *(*aiobs_shape_run_pt)(const aiobs_shape_t *s,
    const uint8_t *p, const uint8_t *last, aiobs_estimate_t *e,
    aiobs_shape_run_t *run);

/* what is in use */
extern aiobs_shape_run_pt  aiobs_shape_run;

/* those that this processor can run, the fastest last; NULL behind it */
aiobs_shape_run_pt aiobs_shape_run_get(unsigned i);


/* byte by byte: the end of the event at p if it has this shape, or NULL */
const uint8_t *aiobs_shape_match(const aiobs_shape_t *s, const uint8_t *p,
    const uint8_t *last, aiobs_holes_t *holes);

/*
 * An event that was read, and may have a shape: compared with the one before.
 * Returns the shape if there is a new one, its strings not yet set, or NULL.
 */
aiobs_shape_t *aiobs_shape_learn(aiobs_shapes_t *m, const uint8_t *p,
    size_t len, const aiobs_spans_t *spans);

/* behind the blank line that ends the first event, or NULL */
const uint8_t *aiobs_shape_event_end(const uint8_t *p, const uint8_t *last);

/* behind the escape at p; NULL: not whole, or none that all readers take */
const uint8_t *aiobs_shape_escape(const uint8_t *p, const uint8_t *last);

/* to what is no space at p, NULL: to the end */
const uint8_t *aiobs_shape_blanks(const uint8_t *p, const uint8_t *last);

/* behind the digits at p, NULL if there are none */
const uint8_t *aiobs_shape_digits(const uint8_t *p, const uint8_t *last);


/* bytes of the lanes that a segment of n bytes takes, n > 0 */

static inline size_t
aiobs_shape_lanes(size_t n)
{
    return (n + AIOBS_SHAPE_LANE - 1) / AIOBS_SHAPE_LANE * AIOBS_SHAPE_LANE;
}


#endif /* _AIOBS_SHAPE_H_INCLUDED_ */
