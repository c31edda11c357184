
/*
 * Copyright (C) the aiobs authors
 *
 * Documents of a response: what each says is added to what is known.
 */


#include <string.h>
#include <strings.h>

#include "aiobs_answer.h"


/* a report is looked at when the document has ended: aiobs_events_shaped() */

#define AIOBS_SHAPE_GROUPS                                                    \
    (1U << AIOBS_G_CHOICE | 1U << AIOBS_G_USAGE                               \
     | 1U << AIOBS_G_INPUT_DETAILS | 1U << AIOBS_G_OUTPUT_DETAILS            \
     | 1U << AIOBS_G_CACHED_DETAILS)


static void aiobs_answer_text(void *data, const aiobs_node_t *node,
    const uint8_t *p, size_t len);
static void aiobs_answer_group(void *data, const aiobs_node_t *node, int open);
static void aiobs_answer_open(aiobs_usage_t *u, int slot);
static void aiobs_answer_item(aiobs_usage_t *u, int open);
static void aiobs_answer_report(aiobs_usage_t *u, int replace);
static void aiobs_answer_add(aiobs_usage_t *u);
static void aiobs_answer_listed(aiobs_usage_t *u);
static void aiobs_answer_choice(aiobs_usage_t *u, int open);
static void aiobs_answer_reason(aiobs_usage_t *u, int choice);
static void aiobs_answer_modality(aiobs_usage_t *u, int group, int open);
static void aiobs_answer_modality_open(aiobs_usage_t *u);
static int aiobs_answer_modality_is(aiobs_usage_t *u, const char *name,
    int number);
static void aiobs_answer_ttl(aiobs_usage_t *u, int open);
static void aiobs_answer_document(void *data, int begin);
static void aiobs_answer_begin(aiobs_usage_t *u);
static void aiobs_answer_end(aiobs_usage_t *u);
static int aiobs_answer_last(const aiobs_usage_t *u);
static inline int aiobs_answer_type_is(const aiobs_usage_t *u,
    const char *type);


static const aiobs_json_handler_t  aiobs_answer_handler = {
    aiobs_value_scalar, aiobs_value_figure, aiobs_answer_text,
    aiobs_answer_group, aiobs_answer_document
};


void
aiobs_answer_init(aiobs_usage_t *u)
{
    aiobs_figures_clear(u->figures);

    u->modality_count = AIOBS_ABSENT;

    aiobs_estimate_init(&u->estimate);
    aiobs_answer_root(u);
}


void
aiobs_answer_root(aiobs_usage_t *u)
{
    aiobs_json_init(&u->json, u->api->answer, &aiobs_answer_handler, u);
}


/*
 * Text of an answer in one document is only measured: it nearly always comes
 * with a report.
 */

static void
aiobs_answer_text(void *data, const aiobs_node_t *node, const uint8_t *p,
    size_t len)
{
    aiobs_usage_t *u = data;

    u->content = 1;

    if (node->slot == AIOBS_T_MEDIA) {
        u->strings |= AIOBS_SHAPE_NEVER;

    } else if (u->framing == AIOBS_FRAMING_SSE || u->type != AIOBS_TYPE_OTHER) {
        aiobs_estimate_text(&u->estimate, p, len);

    } else {
        u->text_bytes += len;
    }
}


static void
aiobs_answer_group(void *data, const aiobs_node_t *node, int open)
{
    aiobs_usage_t *u = data;

    if (!(AIOBS_SHAPE_GROUPS >> node->slot & 1)) {
        u->strings |= AIOBS_SHAPE_NEVER;
    }

    switch (node->slot) {

    case AIOBS_G_GEMINI:
        u->marks |= AIOBS_MARK_GEMINI;
        aiobs_answer_report(u, !open);
        break;

    case AIOBS_G_USAGE:
    case AIOBS_G_MERGE:
        aiobs_answer_report(u, !open && node->slot == AIOBS_G_USAGE);
        break;

    case AIOBS_G_CHOICE:
        aiobs_answer_choice(u, open);
        break;

    case AIOBS_G_ADD:
        if (!open) {
            aiobs_answer_add(u);
        }

        aiobs_answer_report(u, 0);
        break;

    case AIOBS_G_ERROR:
        u->in_error = open;
        u->error_code = open ? 0 : u->error_code;
        break;

    case AIOBS_G_ITEM:
        aiobs_answer_item(u, open);
        break;

    case AIOBS_G_COUNT_INPUT:
    case AIOBS_G_ITERATIONS:
    case AIOBS_G_IMAGE:
    case AIOBS_G_CACHE_DETAILS:
        if (open) {
            aiobs_answer_open(u, node->slot);
        }
        break;

    case AIOBS_G_CACHE_DETAIL:
        aiobs_answer_ttl(u, open);
        break;

    default:
        aiobs_answer_modality(u, node->slot, open);
        break;
    }
}


/* groups of which only the beginning counts */

static void
aiobs_answer_open(aiobs_usage_t *u, int slot)
{
    switch (slot) {

    case AIOBS_G_COUNT_INPUT:
        aiobs_value_count(u, AIOBS_F_INPUT,
                          u->reports & 1ULL << AIOBS_F_INPUT
                          ? u->report[AIOBS_F_INPUT] + 1 : 1);
        break;

    case AIOBS_G_ITERATIONS:
        u->reports &= ~AIOBS_FIGURES_SUMS;
        break;

    case AIOBS_G_IMAGE:
        u->images++;
        break;

    default:        /* AIOBS_G_CACHE_DETAILS */
        u->reports &= ~(1ULL << AIOBS_F_CACHE_WRITE_1H);
        break;
    }
}


/* a search of the web is billed if it was nothing else */

static void
aiobs_answer_item(aiobs_usage_t *u, int open)
{
    if (open) {
        u->item_search = 0;
        u->item_other = 0;
        return;
    }

    u->searches_here += u->item_search && !u->item_other;
}


/* a report without a figure says nothing */

static void
aiobs_answer_report(aiobs_usage_t *u, int replace)
{
    int       i;
    uint64_t  bits;

    if (!u->figures_here) {
        return;
    }

    u->plain_here = replace && !u->usage_here
                    && !(u->reports & ~AIOBS_FIGURES_KEPT);

    if (replace) {
        aiobs_figures_clear(u->figures);
    }

    for (bits = u->reports; bits; bits &= bits - 1) {
        i = __builtin_ctzll(bits);
        u->figures[i] = u->report[i];
    }

    u->reports = 0;
    u->figures_here = 0;
    u->reported = 1;
    u->usage_here = 1;
}


/* of one call of a model among several */

static void
aiobs_answer_add(aiobs_usage_t *u)
{
    int       slot;
    uint64_t  bits;

    for (bits = u->reports; bits; bits &= bits - 1) {
        slot = __builtin_ctzll(bits);

        if (u->figures[slot] != AIOBS_ABSENT) {
            u->report[slot] += u->figures[slot];
        }
    }
}


/* answers to several prompts, each with figures of its own */

static void
aiobs_answer_listed(aiobs_usage_t *u)
{
    size_t  i;
    int     slot;

    static const uint8_t  slots[] = {
        AIOBS_F_INPUT, AIOBS_F_OUTPUT, AIOBS_F_CACHE_READ
    };

    for (i = 0; i < sizeof(slots); i++) {
        slot = slots[i];

        if ((u->reports & 1ULL << slot) && u->figures[slot] != AIOBS_ABSENT) {
            u->report[slot] += u->figures[slot];
        }
    }
}


/* the index may stand behind the reason, or be missing */

static void
aiobs_answer_choice(aiobs_usage_t *u, int open)
{
    if (open) {
        u->choice = u->choices < AIOBS_CHOICES ? u->choices
                                               : AIOBS_CHOICES - 1;
        u->choices += u->choices < AIOBS_CHOICES;
        u->pending_len = 0;
        return;
    }

    if (u->pending_len) {
        aiobs_answer_reason(u, u->choice);
    }
}


static void
aiobs_answer_reason(aiobs_usage_t *u, int choice)
{
    aiobs_value_set(u->reason[choice], &u->reason_len[choice],
                    AIOBS_REASON_MAX, u->pending, u->pending_len);

    u->pending_len = 0;

    if (u->reasons <= choice) {
        u->reasons = choice + 1;
    }
}


static void
aiobs_answer_modality(aiobs_usage_t *u, int group, int open)
{
    int  i;

    static const struct {
        const char  *name;
        uint8_t      number;
        uint8_t      input;
        uint8_t      output;
    } modalities[] = {
        { "AUDIO", 4, AIOBS_F_AUDIO_INPUT, AIOBS_F_AUDIO_OUTPUT },
        { "IMAGE", 2, AIOBS_F_IMAGE_INPUT, AIOBS_F_IMAGE_OUTPUT },
        { "VIDEO", 3, AIOBS_F_VIDEO_INPUT, AIOBS_F_VIDEO_OUTPUT }
    };

    if (open) {
        aiobs_answer_modality_open(u);
        return;
    }

    for (i = 0; i < 3; i++) {

        if (!aiobs_answer_modality_is(u, modalities[i].name,
                                      modalities[i].number))
        {
            continue;
        }

        if (group != AIOBS_G_CACHED_DETAILS) {
            aiobs_value_count(u, group == AIOBS_G_INPUT_DETAILS
                                 ? modalities[i].input : modalities[i].output,
                              u->modality_count);

        } else if (i == 0) {
            aiobs_value_count(u, AIOBS_F_AUDIO_CACHED, u->modality_count);
        }
    }
}


static void
aiobs_answer_modality_open(aiobs_usage_t *u)
{
    u->modality_len = 0;
    u->modality_count = AIOBS_ABSENT;
}


/* a name in capitals, or not (interactions), or Google's number for it */

static int
aiobs_answer_modality_is(aiobs_usage_t *u, const char *name, int number)
{
    if (u->modality_count == AIOBS_ABSENT) {
        return 0;
    }

    if (u->modality_len == 1) {
        return u->modality[0] == '0' + number;
    }

    return u->modality_len == strlen(name)
           && strncasecmp(u->modality, name, u->modality_len) == 0;
}


/* there may be several of one ttl */

static void
aiobs_answer_ttl(aiobs_usage_t *u, int open)
{
    int64_t  n;

    if (open) {
        aiobs_answer_modality_open(u);

    } else if (aiobs_answer_modality_is(u, "1h", -1)) {
        n = u->reports >> AIOBS_F_CACHE_WRITE_1H & 1
            ? u->report[AIOBS_F_CACHE_WRITE_1H] : 0;

        aiobs_value_count(u, AIOBS_F_CACHE_WRITE_1H, n + u->modality_count);
    }
}


static void
aiobs_answer_document(void *data, int begin)
{
    if (begin) {
        aiobs_answer_begin(data);

    } else {
        aiobs_answer_end(data);
    }
}


static void
aiobs_answer_begin(aiobs_usage_t *u)
{
    if (u->figures_here) {

        /* of a document that broke off: they count for nothing */

        u->figures_here = 0;
        u->reports = 0;
    }

    u->list |= u->json.list;
    u->choices = 0;
    u->searches_here = 0;
    u->content = 0;
    u->usage_here = 0;
    u->plain_here = 0;
    u->pending_len = 0;
    u->type_len = 0;
    u->in_error = 0;
    u->item_made = 0;
}


static void
aiobs_answer_end(aiobs_usage_t *u)
{
    u->documents++;

    if (u->item_made && aiobs_answer_type_is(u, "response.output_item.done")) {
        u->content = 1;
    }

    if (u->pending_len) {

        /* of the document itself, not of a choice */

        aiobs_answer_reason(u, 0);
    }

    if (u->content) {
        u->content_events++;
        u->last_token_ms = u->now_ms;

        if (u->first_token_ms == 0) {
            u->first_token_ms = u->now_ms;
        }
    }

    if (u->list && u->api->rule == AIOBS_RULE_NONE) {
        aiobs_answer_listed(u);
    }

    aiobs_answer_report(u, 0);      /* figures outside of a report */

    if (u->usage_here) {
        u->searches = u->searches_here;
    }

    if (u->reported && (u->usage_here || u->final)
        && (u->reason_len[0] || u->status_len))
    {
        u->final = 1;
    }

    if (aiobs_answer_last(u)) {
        u->ended = 1;

    } else if (aiobs_answer_type_is(u, "error")) {
        u->midstream_error = 1;         /* its event may have no name */
    }
}


/* what no event follows; figures are no such end, others may come behind */

static int
aiobs_answer_last(const aiobs_usage_t *u)
{
    return aiobs_answer_type_is(u, "message_stop")
           || aiobs_answer_type_is(u, "response.completed")
           || aiobs_answer_type_is(u, "response.incomplete")
           || aiobs_answer_type_is(u, "response.failed");
}


static inline int
aiobs_answer_type_is(const aiobs_usage_t *u, const char *type)
{
    size_t  len;

    len = strlen(type);

    return u->type_len == len && memcmp(u->type_text, type, len) == 0;
}
