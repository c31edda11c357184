
/*
 * Copyright (C) the aiobs authors
 *
 * Strings and numbers of a response's documents: where each belongs.
 */


#include <string.h>

#include "aiobs_answer.h"
#include "aiobs_json_state.h"


/* Google gives them as numbers, too */

#define AIOBS_ENUMS                                                           \
    (1U << AIOBS_S_FINISH | 1U << AIOBS_S_MODALITY | 1U << AIOBS_S_TIER)


static void aiobs_value_string(aiobs_usage_t *u, int slot, const char *p,
    size_t len);
static void aiobs_value_word(aiobs_usage_t *u, int slot, const char *p,
    size_t len);
static void aiobs_value_id(aiobs_usage_t *u, int ticket, const char *p,
    size_t len);
static uint8_t aiobs_value_type(const char *p, size_t len);
static int aiobs_value_made(const char *p, size_t len);
static uint8_t aiobs_value_object(const char *p, size_t len);
static int aiobs_value_well(const char *p, size_t len);
static void aiobs_value_error(aiobs_usage_t *u, int slot, const char *p,
    size_t len);
static void aiobs_value_number(aiobs_usage_t *u, int slot, const char *p,
    size_t len, int string);
static void aiobs_value_n(aiobs_usage_t *u, int slot, int64_t n);
static void aiobs_value_note(aiobs_usage_t *u, int slot);


void
aiobs_value_scalar(void *data, const aiobs_node_t *node, const char *p,
    size_t len, int string)
{
    aiobs_usage_t *u = data;

    if (node->type == AIOBS_NODE_NUMBER) {
        aiobs_value_number(u, node->slot, p, len, string);

    } else if (node->type == AIOBS_NODE_GROUP) {
        u->midstream_error |= (node->slot == AIOBS_G_ERROR
                               && (string ? len != 0 : *p == 't'));

    } else if (node->type != AIOBS_NODE_STRING) {
        return;

    } else if (node->slot == AIOBS_S_ERROR_OTHER) {
        u->midstream_error |= (string ? len && !aiobs_value_well(p, len)
                               : *p != 'n' && *p != 'f'
                                 && !aiobs_value_well(p, len));

    } else if (string) {
        aiobs_value_string(u, node->slot == AIOBS_S_SERVICE_TIER
                              ? AIOBS_S_TIER : node->slot, p, len);

    } else if (*p != '-' && (*p < '0' || *p > '9')) {
        return;                                     /* null, true, false */

    } else if (node->slot == AIOBS_S_ERROR_CODE
               || node->slot == AIOBS_S_ERROR_TYPE)
    {
        aiobs_value_error(u, node->slot, p, len);

    } else if (AIOBS_ENUMS >> node->slot & 1) {
        aiobs_value_string(u, node->slot, p, len);
    }
}


static void
aiobs_value_string(aiobs_usage_t *u, int slot, const char *p, size_t len)
{
    if (len == 0) {
        return;
    }

    u->strings |= 1U << slot;

    switch (slot) {

    case AIOBS_S_MODEL:
        aiobs_value_set(u->model, &u->model_len, AIOBS_MODEL_MAX, p, len);
        break;

    case AIOBS_S_ID:
    case AIOBS_S_TICKET:
        aiobs_value_id(u, slot == AIOBS_S_TICKET, p, len);
        break;

    case AIOBS_S_STOP:
        if (u->pending_len || (len == 4 && memcmp(p, "null", 4) == 0)) {
            break;
        }

        /* fall through */

    case AIOBS_S_FINISH:
        aiobs_value_set(u->pending, &u->pending_len, AIOBS_REASON_MAX, p, len);
        break;

    case AIOBS_S_STATUS:
        aiobs_value_set(u->status_text, &u->status_len, AIOBS_REASON_MAX,
                        p, len);
        break;

    case AIOBS_S_TYPE:
        aiobs_value_set(u->type_text, &u->type_len, AIOBS_TYPE_MAX, p,
                        len);
        u->marks |= aiobs_value_type(p, len);
        break;

    case AIOBS_S_OBJECT:
        u->marks |= aiobs_value_object(p, len);
        break;

    case AIOBS_S_MODALITY:
        aiobs_value_set(u->modality, &u->modality_len, AIOBS_MODALITY_MAX, p,
                        len);
        break;

    default:
        aiobs_value_word(u, slot, p, len);
        break;
    }
}


/* words that say what is billed, and how */

static void
aiobs_value_word(aiobs_usage_t *u, int slot, const char *p, size_t len)
{
    switch (slot) {

    case AIOBS_S_TIER:
        u->tier = (uint8_t) aiobs_price_tier(p, len);
        break;

    case AIOBS_S_SPEED:
        u->fast = (len == 4 && memcmp(p, "fast", 4) == 0);
        break;

    case AIOBS_S_GEO:
        u->geo_us = (len == 2 && strncasecmp(p, "us", 2) == 0);
        break;

    case AIOBS_S_ITEM:
        u->item_search = (len == 15
                          && memcmp(p, "web_search_call", len) == 0);
        break;

    case AIOBS_S_CALL:
        u->item_made = aiobs_value_made(p, len);
        break;

    case AIOBS_S_ACTION:
        u->item_other = (len != 6 || memcmp(p, "search", len) != 0);
        break;

    default:
        aiobs_value_error(u, slot, p, len);
        break;
    }
}


/* a ticket serves as the id until the answer names its own */

static void
aiobs_value_id(aiobs_usage_t *u, int ticket, const char *p, size_t len)
{
    if (u->id_len == 0 || (u->ticket && !ticket)) {
        aiobs_value_set(u->id, &u->id_len, AIOBS_ID_MAX, p, len);
        u->ticket = ticket;
    }
}


static uint8_t
aiobs_value_type(const char *p, size_t len)
{
    return len >= 7 && memcmp(p, "message", 7) == 0 ? AIOBS_MARK_ANTHROPIC : 0;
}


/* items that a model makes and that have no deltas, or none that are text */

static int
aiobs_value_made(const char *p, size_t len)
{
    return (len > 5 && memcmp(p + len - 5, "_call", 5) == 0)
           || (len == 10 && memcmp(p, "compaction", len) == 0)
           || (len == 7 && memcmp(p, "program", len) == 0);
}


static uint8_t
aiobs_value_object(const char *p, size_t len)
{
    if (len >= 15 && memcmp(p, "chat.completion", 15) == 0) {
        return AIOBS_MARK_OPENAI;
    }

    if (len == 8 && memcmp(p, "response", 8) == 0) {
        return AIOBS_MARK_RESPONSE;
    }

    return len == 9 && memcmp(p, "embedding", 9) == 0 ? AIOBS_MARK_EMBEDDING
                                                      : 0;
}


/* what some say of answers without an error */

static int
aiobs_value_well(const char *p, size_t len)
{
    const char  **word;

    static const char  *words[] = { "0", "200", "ok", "success", NULL };

    for (word = words; *word; word++) {
        if (len == strlen(*word) && strncasecmp(p, *word, len) == 0) {
            return 1;
        }
    }

    return 0;
}


/* a code says more than a type, and that more than a status */

static void
aiobs_value_error(aiobs_usage_t *u, int slot, const char *p, size_t len)
{
    if (aiobs_value_well(p, len)) {
        return;
    }

    u->strings |= 1U << slot;
    u->midstream_error |= (slot == AIOBS_S_ERROR_TYPE || u->in_error);

    if (slot == AIOBS_S_ERROR_TYPE
        && (u->error_code || (u->error_len && *p >= '0' && *p <= '9')))
    {
        return;
    }

    u->error_code = (slot == AIOBS_S_ERROR_CODE);
    aiobs_value_set(u->error, &u->error_len, AIOBS_ERROR_MAX, p, len);
}


static void
aiobs_value_number(aiobs_usage_t *u, int slot, const char *p, size_t len,
    int string)
{
    int64_t  n;

    if (!string && *p == 'n') {
        return;                             /* null: not reported */
    }

    n = AIOBS_ABSENT;

    if (slot == AIOBS_F_MILLISECONDS) {     /* a string in some answers */
        n = aiobs_amount(p, len);
        n = n == AIOBS_ABSENT ? n : n / 1000000;

    } else if (!string && len < AIOBS_JSON_SCALAR) {
        n = slot == AIOBS_F_COST ? aiobs_amount(p, len) : aiobs_number(p, len);
    }

    aiobs_value_n(u, slot, n);
}


/* whole numbers of what others give as an amount, too */

void
aiobs_value_figure(void *data, const aiobs_node_t *node, int64_t n)
{
    aiobs_usage_t *u = data;

    int  slot;

    slot = node->slot;

    if (AIOBS_FIGURES_KEPT >> slot & 1) {
        aiobs_value_count(u, slot, n);

        if (u->json.spans) {
            aiobs_value_note(u, slot);
        }

        return;
    }

    if (slot == AIOBS_F_COST || slot == AIOBS_F_MILLISECONDS) {
        n = n > INT64_MAX / 1000000000 ? AIOBS_ABSENT
            : n * (slot == AIOBS_F_COST ? 1000000000 : 1000);
    }

    aiobs_value_n(u, slot, n);
}


/* where it stands, in an event that may have a shape */

static void
aiobs_value_note(aiobs_usage_t *u, int slot)
{
    const uint8_t  *start, *end;

    start = u->json.start - 1;

    for (end = start; *end >= '0' && *end <= '9'; end++) { /* void */ }

    aiobs_json_note(&u->json, start, end,
                    (aiobs_span_e) (AIOBS_SPAN_FIGURE | slot << 8));
}


static inline void
aiobs_value_n(aiobs_usage_t *u, int slot, int64_t n)
{
    switch (slot) {

    case AIOBS_F_INDEX:
        if (n >= 0 && n < AIOBS_CHOICES) {
            u->choice = n;
        }
        return;

    case AIOBS_F_MODALITY_COUNT:
        u->modality_count = n;
        return;

    case AIOBS_F_OPENAI_INPUT:
        u->marks |= AIOBS_MARK_OPENAI;
        slot = AIOBS_F_INPUT;
        break;

    case AIOBS_F_CONVERSE_INPUT:
        u->marks |= AIOBS_MARK_CONVERSE;
        slot = AIOBS_F_INPUT;
        break;

    case AIOBS_F_OLLAMA_OUTPUT:
        u->marks |= AIOBS_MARK_OLLAMA;
        slot = AIOBS_F_OUTPUT;
        break;

    case AIOBS_F_TGI_OUTPUT:
        u->marks |= AIOBS_MARK_TGI;
        slot = AIOBS_F_OUTPUT;
        break;

    case AIOBS_F_COHERE_INPUT:
        u->marks |= AIOBS_MARK_COHERE;
        slot = AIOBS_F_BILLED_INPUT;
        break;

    default:
        break;
    }

    if (n == AIOBS_ABSENT) {
        if (u->failure == AIOBS_FAILURE_NONE) {
            u->failure = AIOBS_FAILURE_VALUE;
        }

        return;
    }

    if (slot >= AIOBS_F_SUM_INPUT && slot <= AIOBS_F_ADD_OUTPUT) {
        n += u->reports & 1ULL << slot ? u->report[slot] : 0;

    } else if (slot == AIOBS_F_MAX_INPUT && u->figures[slot] > n) {
        n = u->figures[slot];
    }

    aiobs_value_count(u, slot, n);
}
