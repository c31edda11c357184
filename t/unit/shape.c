
/*
 * Copyright (C) the aiobs authors
 *
 * Runs of events against the comparison of single ones: shape N makes N
 * streams of events that are alike, nearly alike or broken, and compares.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usage/aiobs_shape.h"


#define STREAM  8192
#define ROOM    512


static uint32_t
number(uint32_t n)
{
    static uint64_t  x = 88172645463325252ULL;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;

    return (uint32_t) (x >> 32) % n;
}


/* constant bytes and holes as aiobs_shape_learn() would make them */

static void
make(aiobs_shape_t *s)
{
    size_t  i, k, n;

    memset(s, 0, sizeof(aiobs_shape_t));
    s->holes = number(AIOBS_SHAPE_HOLES + 1);

    for (i = 0; i <= s->holes; i++) {
        n = 1 + number(number(3) ? 40 : 230);
        s->segment[i] = n;

        for (k = 0; k < n; k++) {
            s->bytes[s->least + k] = 'a' + number(26);
        }

        if (i) {
            s->bytes[s->least] = s->hole[i - 1] == AIOBS_HOLE_DIGITS ? ','
                                                                     : '"';
        }

        s->least += n;
        s->hole[i < AIOBS_SHAPE_HOLES ? i : 0] = number(3);
    }
}


static size_t
event(const aiobs_shape_t *s, uint8_t *p)
{
    size_t          i, k, n;
    uint8_t        *start;
    const uint8_t  *bytes;

    start = p;
    bytes = s->bytes;

    for (i = 0; i <= s->holes; i++) {
        memcpy(p, bytes, s->segment[i]);
        p += s->segment[i];
        bytes += s->segment[i];

        if (i == s->holes) {
            break;
        }

        n = number(8) ? number(20) : number(100);

        for (k = 0; k < n; k++) {
            *p++ = s->hole[i] == AIOBS_HOLE_DIGITS ? '0' + number(10)
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


/* what is kept of the text, event by event */

static const uint8_t *
single(const aiobs_shape_t *s, const uint8_t *p, const uint8_t *last,
    aiobs_estimate_t *e, aiobs_shape_run_t *run)
{
    size_t          i, len;
    aiobs_holes_t   holes;
    const uint8_t  *end, *before;

    end = aiobs_shape_match(s, p, last, &holes);

    if (end == NULL) {
        return NULL;
    }

    before = e->end;

    for (i = 0; i < s->holes; i++) {
        len = holes.end[i] - holes.start[i];

        if (s->hole[i] == AIOBS_HOLE_TEXT) {

            if (len > (size_t) (e->last - e->end)) {
                return NULL;
            }

            memcpy(e->end, holes.start[i], len);
            e->end += len;
        }
    }

    run->events++;
    run->content += e->end > before;

    return end;
}


static int
compare(aiobs_shape_run_pt f, const aiobs_shape_t *s, const uint8_t *p,
    const uint8_t *last, unsigned *events)
{
    uint8_t             got[ROOM], want[ROOM];
    const uint8_t      *end, *q;
    aiobs_estimate_t    a, b;
    aiobs_shape_run_t   run, one;

    aiobs_estimate_init(&a);
    aiobs_estimate_init(&b);
    aiobs_estimate_defer(&a, got, ROOM);
    aiobs_estimate_defer(&b, want, ROOM);

    end = f(s, p, last, &a, &run);

    memset(&one, 0, sizeof(one));

    for (q = p; q < end && one.events < run.events; /* void */ ) {
        q = single(s, q, last, &b, &one);

        if (q == NULL) {
            return 1;
        }
    }

    *events += run.events;

    return q != end || one.events != run.events || one.content != run.content
           || a.end - a.text != b.end - b.text
           || memcmp(got, want, a.end - a.text) != 0;
}


int
main(int argc, char **argv)
{
    size_t              len;
    uint8_t            *p;
    unsigned            i, n, k, events, wrong;
    aiobs_shape_t       s;
    aiobs_shape_run_pt  f;

    n = argc > 1 ? atoi(argv[1]) : 1000;

    for (k = 0; (f = aiobs_shape_run_get(k)) != NULL; k++) {
        events = 0;
        wrong = 0;

        for (i = 0; i < n; i++) {
            make(&s);
            p = malloc(STREAM + 2048);

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
