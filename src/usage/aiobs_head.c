
/*
 * Copyright (C) the aiobs authors
 *
 * Heads of events: from one chunk of a stream to the next only the delta
 * changes.  What has been read once is not read again.
 */


#include <string.h>

#include "aiobs_answer.h"


#define AIOBS_HEAD_STRINGS                                                    \
    (1U << AIOBS_S_MODEL | 1U << AIOBS_S_ID | 1U << AIOBS_S_STATUS            \
     | 1U << AIOBS_S_TYPE)


static void aiobs_head_restore(aiobs_usage_t *u);
static void aiobs_head_save(aiobs_usage_t *u, const uint8_t *p, size_t len);


size_t
aiobs_head_feed(aiobs_usage_t *u, const uint8_t *p, size_t len)
{
    size_t         n;
    aiobs_head_t  *h;

    h = &u->head;

    if (h->len && len >= h->len && memcmp(p, h->head, h->len) == 0) {
        aiobs_head_restore(u);
        return h->len;
    }

    h->len = 0;
    u->strings = 0;

    n = aiobs_json_feed_head(&u->json, p, len) - p;

    /* what has more effects than these strings has to be read again */

    if (u->json.depth == 2 && !u->json.failure && !u->json.list
        && !u->figures_here && !u->content
        && (u->strings & ~AIOBS_HEAD_STRINGS) == 0 && n <= AIOBS_HEAD_MAX)
    {
        aiobs_head_save(u, p, n);
    }

    return n;
}


static void
aiobs_head_restore(aiobs_usage_t *u)
{
    aiobs_head_t  *h;

    h = &u->head;

    u->json.handler->document(u, 1);
    u->json = h->json;

    if (h->strings & 1U << AIOBS_S_MODEL) {
        u->model_len = h->model_len;
        memcpy(u->model, h->model, h->model_len);
    }

    if (h->strings & 1U << AIOBS_S_STATUS) {
        u->status_len = h->status_len;
        memcpy(u->status_text, h->status, h->status_len);
    }

    if (h->strings & 1U << AIOBS_S_TYPE) {
        u->type_len = h->type_len;
        memcpy(u->type_text, h->type, h->type_len);
    }
}


static void
aiobs_head_save(aiobs_usage_t *u, const uint8_t *p, size_t len)
{
    aiobs_head_t  *h;

    h = &u->head;

    h->json = u->json;
    h->len = len;
    h->strings = u->strings;
    memcpy(h->head, p, len);

    h->model_len = u->model_len;
    memcpy(h->model, u->model, u->model_len);

    h->status_len = u->status_len;
    memcpy(h->status, u->status_text, u->status_len);

    h->type_len = u->type_len;
    memcpy(h->type, u->type_text, u->type_len);
}
