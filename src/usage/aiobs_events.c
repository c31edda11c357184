
/*
 * Copyright (C) the aiobs authors
 *
 * Server-sent events: where each ends, and what their lines say.
 */


#include <string.h>

#include "aiobs_answer.h"


static void aiobs_events_rest(aiobs_usage_t *u, const uint8_t *p,
    const uint8_t *last);
static const uint8_t *aiobs_events_carried(aiobs_usage_t *u, const uint8_t *p,
    const uint8_t *last);
static void aiobs_events_waiting(aiobs_usage_t *u);
static void aiobs_events_payload(void *data, const uint8_t *p, size_t len);
static void aiobs_events_name(void *data, const char *name, size_t len);
static void aiobs_events_end(void *data);


static const aiobs_sse_handler_t  aiobs_events_sse = {
    aiobs_events_payload, aiobs_events_name, aiobs_events_end
};


void
aiobs_events_init(aiobs_usage_t *u)
{
    aiobs_sse_init(&u->sse, &aiobs_events_sse, u);
}


void
aiobs_events_feed(aiobs_usage_t *u, const uint8_t *p, const uint8_t *last)
{
    const uint8_t  *end;

    if (u->shapes && u->shapes->carried) {
        p = aiobs_events_carried(u, p, last);
    }

    while (p < last) {

        if (u->shapes && aiobs_sse_idle(&u->sse)) {
            p = aiobs_events_known(u, p, last);

            if (p == last) {
                return;
            }
        }

        end = aiobs_shape_event_end(p, last);

        if (end && aiobs_sse_idle(&u->sse)) {
            aiobs_events_read(u, p, end);

        } else if (end) {
            aiobs_sse_feed(&u->sse, p, end - p);

        } else {
            aiobs_events_rest(u, p, last);
            return;
        }

        p = end;
    }
}


/* the beginning of an event waits for its end, if that may be compared */

static void
aiobs_events_rest(aiobs_usage_t *u, const uint8_t *p, const uint8_t *last)
{
    aiobs_shapes_t  *m;

    m = u->shapes;

    if (m && m->len && aiobs_sse_idle(&u->sse) && last - p < AIOBS_SHAPE_MAX) {
        m->carried = (uint16_t) (last - p);
        memcpy(m->carry, p, m->carried);
        return;
    }

    aiobs_sse_feed(&u->sse, p, last - p);
}


/* how far into the new bytes the events went that had waited for them */

static const uint8_t *
aiobs_events_carried(aiobs_usage_t *u, const uint8_t *p, const uint8_t *last)
{
    size_t           n, had;
    const uint8_t   *end, *all;
    aiobs_shapes_t  *m;

    m = u->shapes;
    had = m->carried;
    n = AIOBS_SHAPE_MAX - had;
    n = n < (size_t) (last - p) ? n : (size_t) (last - p);

    memcpy(m->carry + had, p, n);

    all = m->carry + had + n;
    m->carried = 0;

    end = aiobs_events_known(u, m->carry, all);

    if (end > m->carry) {
        return p + (end - m->carry - had);
    }

    end = aiobs_shape_event_end(m->carry + (had < 2 ? 0 : had - 2), all);

    if (end) {
        aiobs_events_read(u, m->carry, end);
        return p + (end - m->carry - had);
    }

    if (had + n < AIOBS_SHAPE_MAX) {
        m->carried = had + n;
        return last;
    }

    aiobs_sse_feed(&u->sse, m->carry, had);

    return p;
}


void
aiobs_events_finish(aiobs_usage_t *u)
{
    aiobs_events_waiting(u);
    aiobs_sse_finish(&u->sse);
}


/* its text counts, as it would if it had not waited */

void
aiobs_events_drop(aiobs_usage_t *u)
{
    aiobs_events_waiting(u);
    aiobs_events_init(u);
    aiobs_json_reset(&u->json);

    u->figures_here = 0;
    u->reports = 0;
    u->done = 0;
    u->in_event = 0;
    u->no_json = 0;
    u->error_event = 0;
}


static void
aiobs_events_waiting(aiobs_usage_t *u)
{
    size_t  n;

    if (u->shapes && u->shapes->carried) {
        n = u->shapes->carried;
        u->shapes->carried = 0;
        aiobs_sse_feed(&u->sse, u->shapes->carry, n);
    }
}


/* "[DONE]" is the one payload that looks like JSON and is none */

static void
aiobs_events_payload(void *data, const uint8_t *p, size_t len)
{
    aiobs_usage_t *u = data;

    int     i;
    size_t  n;

    static const char  done[] = "[DONE]";

    while (len && u->done < sizeof(done) - 1
           && *p == (uint8_t) done[u->done]
           && (u->done || aiobs_json_idle(&u->json)) && !u->in_event)
    {
        u->done++;
        p++;
        len--;
    }

    if (len == 0 || u->no_json) {
        return;
    }

    if (!u->in_event) {

        for (i = 0; u->shapes && i < AIOBS_SHAPES; i++) {
            u->shapes->shapes[i].fresh = 0;
        }

        n = u->done;
        u->in_event = 1;

        if (n == 0 && *p != '{' && *p != '[' && *p > ' ') {
            u->no_json = 1;                 /* "data: ping" */
            return;
        }

        u->done = 0;
        aiobs_json_feed(&u->json, (const uint8_t *) done, n);
    }

    aiobs_json_feed(&u->json, p, len);
}


static void
aiobs_events_name(void *data, const char *name, size_t len)
{
    aiobs_usage_t *u = data;

    if (len == 5 && memcmp(name, "error", 5) == 0) {
        u->error_event = 1;
    }
}


static void
aiobs_events_end(void *data)
{
    aiobs_usage_t *u = data;

    if (u->done == sizeof("[DONE]") - 1) {
        u->ended = 1;
    }

    aiobs_usage_document_end(u);

    u->done = 0;
    u->in_event = 0;
    u->no_json = 0;

    if (u->error_event) {
        u->midstream_error = 1;
        u->error_event = 0;
    }
}
