
/*
 * Copyright (C) the aiobs authors
 *
 * Runs of events as each kind of vectors takes them, against portable C: shape
 * N makes N streams of events that are alike, nearly alike or broken.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usage/aiobs_shape.h"
#include "number.h"


#define STREAM  8192


/* two events, alike but for what is in their holes, teach the shape */

static void
make(aiobs_shapes_t *m, aiobs_shape_t *s)
{
    int             k, holes;
    size_t          i, j, n, len, at[AIOBS_SHAPE_HOLES];
    uint8_t         type[AIOBS_SHAPE_HOLES], bytes[2 * AIOBS_SHAPE_MAX];
    uint8_t         p[2 * AIOBS_SHAPE_MAX];
    aiobs_spans_t   spans;
    aiobs_shape_t  *learnt;

    for ( ;; ) {
        holes = number(AIOBS_SHAPE_HOLES + 1);
        len = 0;

        for (i = 0; i <= (size_t) holes; i++) {
            n = (i ? 1 : AIOBS_SHAPE_LANE) + number(number(3) ? 40 : 230);

            for (j = 0; j < n; j++) {
                bytes[len + j] = 'a' + number(26);
            }

            if (i) {
                bytes[len] = type[i - 1] < AIOBS_HOLE_DIGITS ? '"' : '}';
            }

            len += n;

            if (i < (size_t) holes) {
                at[i] = len;
                type[i] = number(4);
            }
        }

        aiobs_shapes_init(m);
        learnt = NULL;

        for (k = 1; k <= 2; k++) {
            spans.n = holes;
            j = 0;
            n = 0;

            for (i = 0; i < (size_t) holes; i++) {
                memcpy(p + n, bytes + j, at[i] - j);
                n += at[i] - j;
                j = at[i];

                memcpy(p + n, "11", k);
                spans.span[i].start = n;
                n += k;
                spans.span[i].end = n;
                spans.span[i].type =
                             type[i] == AIOBS_HOLE_TEXT ? AIOBS_SPAN_TEXT
                             : type[i] == AIOBS_HOLE_STRING ? AIOBS_SPAN_STRING
                             : type[i] == AIOBS_HOLE_BLANKS ? AIOBS_SPAN_BLANKS
                             : AIOBS_SPAN_SCALAR;
            }

            memcpy(p + n, bytes + j, len - j);
            n += len - j;

            if (n <= AIOBS_SHAPE_MAX) {
                learnt = aiobs_shape_learn(m, p, n, &spans);
            }
        }

        if (learnt) {
            *s = *learnt;
            return;
        }
    }
}


static size_t
event(const aiobs_shape_t *s, uint8_t *p)
{
    size_t          i, k, n;
    uint8_t        *start;
    const uint8_t  *lanes;

    start = p;
    lanes = s->lanes;

    for (i = 0; i <= s->holes; i++) {
        n = s->segment[i];
        lanes += aiobs_shape_lanes(n) - AIOBS_SHAPE_LANE;

        memcpy(p, lanes - (aiobs_shape_lanes(n) - AIOBS_SHAPE_LANE), n);

        if (n < AIOBS_SHAPE_LANE) {
            memcpy(p, lanes + AIOBS_SHAPE_LANE - n, n);

        } else {
            memcpy(p + n - AIOBS_SHAPE_LANE, lanes, AIOBS_SHAPE_LANE);
        }

        p += n;
        lanes += AIOBS_SHAPE_LANE;

        if (i == s->holes) {
            break;
        }

        n = number(8) ? number(20) : number(number(20) ? 100 : 1200);

        for (k = 0; k < n; k++) {
            *p++ = s->hole[i] == AIOBS_HOLE_DIGITS ? '0' + number(10)
                   : s->hole[i] == AIOBS_HOLE_BLANKS && number(300) ? ' '
                   : number(400) ? 'A' + number(26) : (uint8_t) number(256);
        }

        if (number(100) == 0) {
            *p++ = '\\';
            *p++ = 'n';
        }
    }

    if (number(20) == 0) {
        start[number(p - start)] ^= 1 << number(8);
    }

    return p - start;
}


/* what came of it: where it ended, how many, the text as it was kept */

static int
compare(aiobs_shape_run_pt f, const aiobs_shape_t *s, const uint8_t *p,
    const uint8_t *last, unsigned *events)
{
    uint8_t             got[AIOBS_SHAPE_TEXT], want[AIOBS_SHAPE_TEXT];
    const uint8_t      *a, *b;
    aiobs_estimate_t    ea, eb;
    aiobs_shape_run_t   ra, rb;

    aiobs_estimate_init(&ea);
    aiobs_estimate_init(&eb);
    aiobs_estimate_defer(&ea, got, AIOBS_SHAPE_TEXT);
    aiobs_estimate_defer(&eb, want, AIOBS_SHAPE_TEXT);

    a = f(s, p, last, &ea, &ra);
    b = aiobs_shape_run_get(0)(s, p, last, &eb, &rb);

    *events += ra.events;

    if (ea.millitokens == 0 && eb.millitokens == 0
        && (ea.end - ea.text != eb.end - eb.text
            || memcmp(got, want, ea.end - ea.text) != 0))
    {
        return 1;
    }

    return a != b || ra.events != rb.events || ra.content != rb.content
           || aiobs_estimate_tokens(&ea) != aiobs_estimate_tokens(&eb);
}


int
main(int argc, char **argv)
{
    size_t              len;
    uint8_t            *p;
    unsigned            i, n, k, events, wrong;
    aiobs_shape_t       s;
    aiobs_shapes_t      m;
    aiobs_shape_run_pt  f;

    n = argc > 1 ? atoi(argv[1]) : 1000;
    memset(&s, 0, sizeof(s));

    for (k = 0; (f = aiobs_shape_run_get(k)) != NULL; k++) {
        events = 0;
        wrong = 0;

        for (i = 0; i < n; i++) {
            make(&m, &s);
            p = malloc(STREAM + 8192);

            for (len = 0; len < STREAM; len += event(&s, p + len)) {
                /* void */
            }

            /* nothing behind its last byte may be read */

            len = number(len + 1);
            p = realloc(p, len ? len : 1);

            wrong += compare(f, &s, p, p + len, &events);
            free(p);
        }

        printf("%u: %s, %s\n", k, wrong ? "differs" : "agrees",
               events > n ? "many events" : "few events");
    }

    return 0;
}
