
/*
 * Copyright (C) the aiobs authors
 *
 * Heads of events: from one chunk of a stream to the next only the delta
 * changes.  What has been read once is not read again.
 */


#include <string.h>

#include "aiobs_answer.h"


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

    n = aiobs_json_feed_head(&u->json, p, len) - p;

    /* figures in front of it would have to be reported again */

    if (u->json.depth == 2 && !u->json.failure && !u->json.list
        && !u->figures_here && n <= AIOBS_HEAD_MAX)
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

    u->model_len = h->model_len;
    memcpy(u->model, h->model, h->model_len);

    u->status_len = h->status_len;
    memcpy(u->status_text, h->status, h->status_len);

    u->type_len = h->type_len;
    memcpy(u->type_text, h->type, h->type_len);
}


static void
aiobs_head_save(aiobs_usage_t *u, const uint8_t *p, size_t len)
{
    aiobs_head_t  *h;

    h = &u->head;

    h->json = u->json;
    h->len = len;
    memcpy(h->head, p, len);

    h->model_len = u->model_len;
    memcpy(h->model, u->model, u->model_len);

    h->status_len = u->status_len;
    memcpy(h->status, u->status_text, u->status_len);

    h->type_len = u->type_len;
    memcpy(h->type, u->type_text, u->type_len);
}
