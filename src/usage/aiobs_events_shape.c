
/*
 * Copyright (C) the aiobs authors
 *
 * Server-sent events: those of a known shape are compared, others are read.
 */


#include <stdlib.h>
#include <string.h>

#include "aiobs_answer.h"


#define AIOBS_SHAPE_STRINGS                                                   \
    (1U << AIOBS_S_MODEL | 1U << AIOBS_S_ID | 1U << AIOBS_S_STATUS            \
     | 1U << AIOBS_S_TYPE | 1U << AIOBS_S_TIER | 1U << AIOBS_S_MODALITY      \
     | 1U << AIOBS_S_TICKET)


/* what an event with a shape leaves as it was */

typedef struct {
    uint32_t  documents;
    uint8_t   failure;
    uint8_t   midstream_error;
    uint8_t   ended;
} aiobs_events_before_t;


static void aiobs_events_apply(aiobs_usage_t *u, aiobs_shape_t *s,
    uint32_t events, uint32_t content);
static void aiobs_events_report(aiobs_usage_t *u, const aiobs_shape_t *s,
    const uint8_t *p, const uint8_t *last);
static void aiobs_events_refresh(aiobs_usage_t *u, aiobs_shape_t *s);
static void aiobs_events_learn(aiobs_usage_t *u, const uint8_t *p,
    const uint8_t *end, const aiobs_spans_t *spans);
static void aiobs_events_blanks(aiobs_spans_t *spans, const uint8_t *p,
    const uint8_t *end);
static int aiobs_events_shaped(const aiobs_usage_t *u,
    const aiobs_events_before_t *before, const aiobs_spans_t *spans);


const uint8_t *
aiobs_events_known(aiobs_usage_t *u, const uint8_t *p, const uint8_t *last)
{
    int                 tried;
    aiobs_shape_t      *s;
    aiobs_shapes_t     *m;
    aiobs_shape_run_t   run;

    m = u->shapes;

    for (tried = 0; tried < AIOBS_SHAPES && p < last; tried++) {

        s = &m->shapes[m->last];
        p = aiobs_shape_run(s, p, last, &u->estimate, &run);

        if (run.events) {
            aiobs_events_apply(u, s, run.events, run.content);

            if (s->reports) {
                aiobs_events_report(u, s, run.at, last);
            }

            tried = 0;
        }

        if (p < last) {
            m->last = (m->last + 1) % AIOBS_SHAPES;
        }
    }

    return p;
}


/* what reading the event would have done */

static void
aiobs_events_apply(aiobs_usage_t *u, aiobs_shape_t *s, uint32_t events,
    uint32_t content)
{
    if (!s->fresh) {
        aiobs_events_refresh(u, s);
    }

    u->documents += events;

    if (content) {
        u->content_events += content;
        u->last_token_ms = u->now_ms;

        if (u->first_token_ms == 0) {
            u->first_token_ms = u->now_ms;
        }
    }
}


/* of the last of them: it replaces those before */

static void
aiobs_events_report(aiobs_usage_t *u, const aiobs_shape_t *s,
    const uint8_t *p, const uint8_t *last)
{
    int            i;
    aiobs_holes_t  holes;

    memcpy(u->figures, s->figures, sizeof(u->figures));

    if (aiobs_shape_match(s, p, last, &holes) == NULL) {
        return;                     /* it was just found there */
    }

    for (i = 0; i < s->holes; i++) {
        if (s->hole[i] == AIOBS_HOLE_FIGURE) {
            u->figures[s->slot[i]] =
                aiobs_number((const char *) holes.start[i],
                             holes.end[i] - holes.start[i]);
        }
    }

    u->searches = 0;
    u->final |= (u->reason_len[0] || u->status_len);
}


/* another event has come between */

static void
aiobs_events_refresh(aiobs_usage_t *u, aiobs_shape_t *s)
{
    int  i;

    for (i = 0; i < AIOBS_SHAPES; i++) {
        u->shapes->shapes[i].fresh = 0;
    }

    s->fresh = 1;

    if (s->strings & 1U << AIOBS_S_TIER) {
        u->tier = s->tier;
    }

    if (s->strings & 1U << AIOBS_S_MODEL) {
        u->model_len = s->model_len;
        memcpy(u->model, s->model, s->model_len);
    }

    if (s->strings & 1U << AIOBS_S_STATUS) {
        u->status_len = s->status_len;
        memcpy(u->status_text, s->status, s->status_len);
    }
}


void
aiobs_events_read(aiobs_usage_t *u, const uint8_t *p, const uint8_t *end)
{
    aiobs_spans_t          spans;
    aiobs_events_before_t  before;

    if (end - p > AIOBS_SHAPE_MAX) {
        aiobs_sse_feed(&u->sse, p, end - p);
        return;
    }

    spans.base = p;
    spans.n = 0;

    before.documents = u->documents;
    before.failure = u->failure;
    before.midstream_error = u->midstream_error;
    before.ended = u->ended;

    u->strings = 0;
    u->json.spans = &spans;

    aiobs_sse_feed(&u->sse, p, end - p);

    u->json.spans = NULL;

    aiobs_events_blanks(&spans, p, end);

    if (aiobs_events_shaped(u, &before, &spans)) {
        aiobs_events_learn(u, p, end, &spans);
    }
}


static void
aiobs_events_learn(aiobs_usage_t *u, const uint8_t *p, const uint8_t *end,
    const aiobs_spans_t *spans)
{
    aiobs_shape_t  *s;

    if (u->shapes == NULL) {
        u->shapes = malloc(sizeof(aiobs_shapes_t));

        if (u->shapes == NULL) {
            return;                 /* all events will be read */
        }

        aiobs_shapes_init(u->shapes);
        aiobs_estimate_defer(&u->estimate, u->shapes->text, AIOBS_SHAPE_TEXT);
    }

    s = aiobs_shape_learn(u->shapes, p, end - p, spans);

    if (s) {
        s->reports = u->usage_here;
        memcpy(s->figures, u->figures, sizeof(s->figures));
        s->strings = u->strings;
        s->tier = u->tier;
        s->model_len = u->model_len;
        memcpy(s->model, u->model, u->model_len);
        s->status_len = u->status_len;
        memcpy(s->status, u->status_text, u->status_len);
    }
}


/*
 * Anthropic pads its events with spaces, before the brace that ends the
 * document.  What ends with a brace and is no document's end is a field that
 * nobody reads.
 */

static void
aiobs_events_blanks(aiobs_spans_t *spans, const uint8_t *p,
    const uint8_t *end)
{
    const uint8_t  *start;
    aiobs_span_t   *span;

    while (end > p && (end[-1] == '\n' || end[-1] == '\r')) {
        end--;
    }

    if (end == p || *--end != '}' || spans->n >= AIOBS_JSON_SPANS) {
        return;
    }

    for (start = end; start > p && start[-1] == ' '; start--) { /* void */ }

    span = &spans->span[spans->n];

    span->start = (uint16_t) (start - p);
    span->end = (uint16_t) (end - p);
    span->type = AIOBS_SPAN_BLANKS;

    if (spans->n == 0 || span[-1].end <= span->start) {
        spans->n++;
    }
}


/* nothing in it had effects but text and strings that stay */

static int
aiobs_events_shaped(const aiobs_usage_t *u,
    const aiobs_events_before_t *before, const aiobs_spans_t *spans)
{
    int  i;

    if (u->documents != before->documents + 1
        || (u->usage_here && !u->plain_here)
        || (u->strings & ~AIOBS_SHAPE_STRINGS)
        || u->failure != before->failure
        || u->midstream_error != before->midstream_error
        || u->ended != before->ended || !aiobs_sse_idle(&u->sse)
        || spans->n > AIOBS_JSON_SPANS)
    {
        return 0;
    }

    for (i = 0; i < spans->n; i++) {
        if (spans->span[i].type == AIOBS_SPAN_TEXT) {
            return 1;
        }
    }

    return 0;
}
