
/*
 * Copyright (C) the aiobs authors
 *
 * A body that comes in the messages of an AWS event stream: SageMaker's, each
 * with as much of it as there was.
 */


#include <string.h>

#include "aiobs_answer.h"


static const uint8_t *aiobs_usage_part_first(aiobs_usage_t *u,
    const uint8_t *p, const uint8_t *last);
static void aiobs_usage_text(aiobs_usage_t *u, const uint8_t *p, size_t len);


/*
 * What is neither is text as it stands: of models that stream nothing else.  It
 * may begin like an event, so the name of that has to be seen whole.
 */

static const char  *aiobs_usage_fields[] = {
    "data:", "event:", "id:", "retry:"
};

#define AIOBS_FIELDS  (sizeof(aiobs_usage_fields) / sizeof(char *))


void
aiobs_usage_part(aiobs_usage_t *u, const uint8_t *p, size_t len)
{
    const uint8_t  *last;

    last = p + len;

    if (u->part == AIOBS_FRAMING_UNKNOWN) {
        p = aiobs_usage_part_first(u, p, last);
    }

    switch (u->part) {

    case AIOBS_FRAMING_SSE:
        aiobs_events_feed(u, p, last);
        break;

    case AIOBS_FRAMING_JSON:
        aiobs_json_feed(&u->json, p, last - p);
        break;

    case AIOBS_FRAMING_NONE:
        aiobs_usage_text(u, p, last - p);
        break;

    default:
        break;
    }
}


static const uint8_t *
aiobs_usage_part_first(aiobs_usage_t *u, const uint8_t *p,
    const uint8_t *last)
{
    uint8_t         i;
    const uint8_t  *name;

    if (u->part_len == 0) {
        p = aiobs_usage_first(u, p, last, &u->part);

        if (u->part != AIOBS_FRAMING_SSE) {
            return p;
        }

        for (i = 0; i < AIOBS_FIELDS && aiobs_usage_fields[i][0] != *p; i++) {
            /* void */
        }

        if (i == AIOBS_FIELDS) {
            return p;               /* a comment, or it is said to be events */
        }

        u->part = AIOBS_FRAMING_UNKNOWN;
        u->part_field = i;
    }

    name = (const uint8_t *) aiobs_usage_fields[u->part_field];

    while (p < last && name[u->part_len] && *p == name[u->part_len]) {
        u->part_len++;
        p++;
    }

    if (name[u->part_len] == '\0') {
        u->part = AIOBS_FRAMING_SSE;
        aiobs_events_feed(u, name, name + u->part_len);

    } else if (p < last) {
        u->part = AIOBS_FRAMING_NONE;
        aiobs_usage_text(u, name, u->part_len);
    }

    return p;
}


static void
aiobs_usage_text(aiobs_usage_t *u, const uint8_t *p, size_t len)
{
    static const aiobs_node_t  text = {
        "", 0, AIOBS_NODE_TEXT, AIOBS_T_TEXT, NULL
    };

    if (len == 0) {
        return;
    }

    if (!u->content) {
        u->json.handler->document(u, 1);
    }

    u->json.handler->text(u, &text, p, len);
}


void
aiobs_usage_part_end(aiobs_usage_t *u, int complete)
{
    if (u->part == AIOBS_FRAMING_UNKNOWN) {

        if (u->part_len) {
            aiobs_usage_text(u, (const uint8_t *)
                             aiobs_usage_fields[u->part_field], u->part_len);
            u->json.handler->document(u, 0);
        }

    } else if (u->part == AIOBS_FRAMING_SSE) {
        aiobs_events_finish(u);

    } else if (complete) {
        aiobs_usage_document_end(u);
    }
}
