
/*
 * Copyright (C) the aiobs authors
 *
 * The record at the end of a response: what its documents have said.
 */


#include <string.h>

#include "aiobs_answer.h"


static int aiobs_answer_pending(aiobs_usage_t *u);
static int aiobs_answer_empty(aiobs_usage_t *u);
static size_t aiobs_answer_finish(aiobs_usage_t *u, char *p);


void
aiobs_answer_record(aiobs_usage_t *u, aiobs_usage_record_t *rec)
{
    aiobs_fill(rec, 0, offsetof(aiobs_usage_record_t, model));

    if (u->status >= 300) {
        aiobs_figures_clear(u->figures);
        u->reported = 0;
    }

    aiobs_apply_rule(u->api, u->figures, rec);

    rec->failure = u->failure;
    rec->model_len = u->model_len;
    rec->pending = u->status < 300 && (u->status_len || u->ticket)
                   && aiobs_answer_pending(u);
    rec->id_len = u->ticket && !rec->pending ? 0 : u->id_len;
    rec->error_len = u->error_len;

    aiobs_copy(rec->model, u->model, u->model_len);
    aiobs_copy(rec->id, u->id, rec->id_len);
    aiobs_copy(rec->error, u->error, u->error_len);

    rec->finish_len = aiobs_answer_finish(u, rec->finish);

    if (u->api->answer == aiobs_images_answer
        && u->figures[AIOBS_F_IMAGE_OUTPUT] == AIOBS_ABSENT)
    {
        u->figures[AIOBS_F_IMAGE_OUTPUT] = rec->output;     /* all of it */
    }

    rec->tier = u->tier;
    rec->fast = u->fast;
    rec->geo_us = u->geo_us;

    if (u->api->answer == aiobs_decisions_answer
        && rec->tier == AIOBS_TIER_STANDARD)
    {
        rec->tier = AIOBS_TIER_DECISIONS;
    }

    aiobs_apply_units(u->figures, u->status < 300 ? u->images : 0,
                      u->status < 300 ? u->searches : 0, rec);

    rec->complete = u->ended;
    rec->midstream_error = u->status < 300
                           && (u->midstream_error
                               || (u->error_code
                                   && u->api->text == AIOBS_ESTIMATE_BOTH
                                   && aiobs_answer_empty(u)));
    rec->first_token_ms = u->first_token_ms;
    rec->last_token_ms = u->last_token_ms;
    rec->content_events = u->content_events;
}


/* work that has not come to its end, or a chat's order that says nothing else */

static int
aiobs_answer_pending(aiobs_usage_t *u)
{
    const char  **word;

    static const char  *words[] = {
        "created",                      /* Perplexity, in capitals */
        "starting", "processing",       /* Replicate */
        "queued", "in_progress",        /* Responses, interactions */
        NULL
    };

    if (u->status_len == 0) {
        return u->ticket && !u->midstream_error && !u->error_len
               && u->reasons == 0 && aiobs_answer_empty(u)
               && (u->api->text == AIOBS_ESTIMATE_BOTH || !u->api->countable);
    }

    word = words;

    if (u->reported && u->api->countable && u->api->rule == AIOBS_RULE_OPENAI) {
        word += 3;                      /* of another's, with its figures */
    }

    for ( /* void */ ; *word; word++) {
        if (u->status_len == strlen(*word)
            && strncasecmp(u->status_text, *word, u->status_len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/* nothing was reported, and nothing was answered */

static int
aiobs_answer_empty(aiobs_usage_t *u)
{
    return !u->reported && u->content_events == 0 && u->text_bytes == 0
           && u->images == 0;
}


/* per choice, "," between; Responses have a status instead */

static size_t
aiobs_answer_finish(aiobs_usage_t *u, char *p)
{
    int     i;
    size_t  len, n;

    len = 0;

    for (i = 0; i < u->reasons; i++) {

        n = u->reason_len[i];

        if (n == 0 || len + n + 1 > AIOBS_FINISH_MAX) {
            continue;
        }

        if (len) {
            p[len++] = ',';
        }

        aiobs_copy(p + len, u->reason[i], n);
        len += n;
    }

    if (len == 0 && u->status_len
        && (u->api->rule == AIOBS_RULE_GEMINI || !aiobs_answer_pending(u)))
    {
        memcpy(p, u->status_text, u->status_len);
        len = u->status_len;
    }

    return len;
}
