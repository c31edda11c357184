
/*
 * Copyright (C) the aiobs authors
 *
 * What an answer of a form comes to, without being told value by value.  It is
 * told once, to a reader of its own, with marks in the blanks; where these come
 * out belongs what other documents have there.  That holds as long as nothing
 * is made of a value on its way, and nothing depends on it.
 */


#include "aiobs_answer.h"


#define AIOBS_OUTCOME_TEXT     320      /* bytes of strings that stay */
#define AIOBS_OUTCOME_STRINGS  8
#define AIOBS_OUTCOME_MARK     8        /* bytes of a mark, the last of which */
                                        /* is the number of the blank */

/* what documents add to, zero at first */
#define AIOBS_OUTCOME_BEGIN    offsetof(aiobs_usage_t, first_token_ms)
#define AIOBS_OUTCOME_SIZE                                                    \
    (offsetof(aiobs_usage_t, sse) - AIOBS_OUTCOME_BEGIN)


typedef struct {
    uint16_t   to;                      /* offsets in the reader's state */
    uint16_t   to_len;
    uint16_t   at;                      /* in "text", if it stays */
    uint8_t    len;                     /* at most, if it is a blank */
    uint8_t    blank;
} aiobs_outcome_string_t;


typedef struct {
    uint64_t   need_figures;            /* bits: blanks that have to be */
    uint64_t   need_strings;
    uint64_t   texts;                   /* blanks */
    uint64_t   slots;                   /* bits: figures that stay */
    int64_t    figures[AIOBS_F_FIGURES];
    uint8_t    figure[AIOBS_F_FIGURES]; /* blanks that are figures ... */
    uint8_t    slot[AIOBS_F_FIGURES];   /* ... and which */
    uint8_t    n_figures;
    uint8_t    n_strings;               /* blanks */
    uint8_t    n_fixed;                 /* strings that stay */
    aiobs_outcome_string_t  string[AIOBS_OUTCOME_STRINGS];
    aiobs_outcome_string_t  fixed[AIOBS_OUTCOME_STRINGS];
    uint8_t    state[AIOBS_OUTCOME_SIZE];
    char       text[AIOBS_OUTCOME_TEXT];
} aiobs_outcome_t;


_Static_assert(sizeof(aiobs_outcome_t) <= AIOBS_FORM_OUTCOME,
               "an outcome has room in a form");


static int aiobs_outcome_prepare(aiobs_form_t *form);
static int aiobs_outcome_plain(const aiobs_form_t *form);
static int aiobs_outcome_mark(const aiobs_form_t *form, aiobs_outcome_t *o,
    aiobs_fit_t *fit, char *marks);
static void aiobs_outcome_figures(aiobs_outcome_t *o, const aiobs_usage_t *u);
static int aiobs_outcome_strings(aiobs_outcome_t *o, const aiobs_usage_t *u,
    const char *marks);
static int aiobs_outcome_string(aiobs_outcome_t *o, const aiobs_usage_t *u,
    size_t to, size_t to_len, size_t max, const char *marks);
static int aiobs_outcome_take(void *data, const aiobs_form_t *form,
    const aiobs_fit_t *fit);
static inline void aiobs_outcome_text(aiobs_usage_t *u, uint64_t texts,
    const aiobs_fit_t *fit);


const aiobs_outcome_handler_t  aiobs_answer_outcome = {
    aiobs_outcome_prepare, aiobs_outcome_take
};


static int
aiobs_outcome_prepare(aiobs_form_t *form)
{
    char              marks[AIOBS_FORM_BLANKS * AIOBS_OUTCOME_MARK];
    aiobs_api_t       api;
    aiobs_fit_t       fit;
    aiobs_usage_t     u;
    aiobs_outcome_t  *o;

    o = (aiobs_outcome_t *) form->outcome;
    memset(o, 0, sizeof(aiobs_outcome_t));

    if (!aiobs_outcome_plain(form)
        || !aiobs_outcome_mark(form, o, &fit, marks))
    {
        return 0;
    }

    memset(&api, 0, sizeof(aiobs_api_t));
    api.answer = form->root;

    aiobs_usage_init(&u, &api, 200);

    u.json.handler->document(&u, 1);
    aiobs_form_tell(form, 0, &u.json, &fit);
    u.json.handler->document(&u, 0);

    if (u.failure || u.content) {
        return 0;
    }

    memcpy(o->state, (uint8_t *) &u + AIOBS_OUTCOME_BEGIN, AIOBS_OUTCOME_SIZE);

    aiobs_outcome_figures(o, &u);

    return aiobs_outcome_strings(o, &u, marks);
}


/* 0: what stays makes something of a value, or looks like a mark */

static int
aiobs_outcome_plain(const aiobs_form_t *form)
{
    const aiobs_form_event_t  *e;

    for (e = form->event; e < form->event + form->events; e++) {

        if (e->kind == AIOBS_PART_OPEN
            && (e->node->slot == AIOBS_G_COUNT_INPUT
                || e->node->slot == AIOBS_G_ADD))
        {
            return 0;                   /* adds to a figure */
        }

        if (e->kind == AIOBS_PART_STRING && form->bytes[e->at] == 0x01) {
            return 0;
        }
    }

    return 1;
}


/* 0: some blank's value may do more than to be kept */

static int
aiobs_outcome_mark(const aiobs_form_t *form, aiobs_outcome_t *o,
    aiobs_fit_t *fit, char *marks)
{
    char                *mark;
    unsigned             k;
    const aiobs_node_t  *node;

    static const uint32_t  kept = 1U << AIOBS_S_MODEL | 1U << AIOBS_S_ID
                                  | 1U << AIOBS_S_FINISH
                                  | 1U << AIOBS_S_STATUS
                                  | 1U << AIOBS_S_TICKET;

    memset(fit, 0, sizeof(aiobs_fit_t));
    fit->whole = 1;

    for (k = 0; k < form->blanks; k++) {
        node = form->blank[k].node;

        if (node == NULL) {
            continue;
        }

        mark = marks + k * AIOBS_OUTCOME_MARK;
        memset(mark, 0x01, AIOBS_OUTCOME_MARK);
        mark[AIOBS_OUTCOME_MARK - 1] = (char) k;

        fit->start[k] = (uint8_t *) mark;
        fit->end[k] = (uint8_t *) mark + AIOBS_OUTCOME_MARK;

        if (node->type == AIOBS_NODE_NUMBER
            && AIOBS_FIGURES_KEPT >> node->slot & 1)
        {
            o->need_figures |= 1ULL << k;
            fit->number[k] = INT64_MIN + k;

        } else if (node->type == AIOBS_NODE_STRING && kept >> node->slot & 1) {
            o->need_strings |= 1ULL << k;

        } else if (node->type == AIOBS_NODE_TEXT
                   && node->slot == AIOBS_T_TEXT)
        {
            o->texts |= 1ULL << k;
            fit->end[k] = fit->start[k];

        } else {
            return 0;
        }
    }

    fit->figures = o->need_figures;
    fit->strings = o->need_strings | o->texts;

    return 1;
}


static void
aiobs_outcome_figures(aiobs_outcome_t *o, const aiobs_usage_t *u)
{
    int      i;
    int64_t  n;

    for (i = 0; i < AIOBS_F_FIGURES; i++) {
        n = u->figures[i];

        if (n < INT64_MIN + AIOBS_FORM_BLANKS) {
            o->figure[o->n_figures] = (uint8_t) (n - INT64_MIN);
            o->slot[o->n_figures++] = (uint8_t) i;

        } else if (n != AIOBS_ABSENT) {
            o->figures[i] = n;
            o->slots |= 1ULL << i;
        }
    }
}


static int
aiobs_outcome_strings(aiobs_outcome_t *o, const aiobs_usage_t *u,
    const char *marks)
{
    int  i, all;

#define AIOBS_OUTCOME_STRING(name, max)                                       \
    aiobs_outcome_string(o, u, offsetof(aiobs_usage_t, name),                 \
                         offsetof(aiobs_usage_t, name##_len), max, marks)

    all = AIOBS_OUTCOME_STRING(model, AIOBS_MODEL_MAX)
          && AIOBS_OUTCOME_STRING(id, AIOBS_ID_MAX)
          && aiobs_outcome_string(o, u, offsetof(aiobs_usage_t, status_text),
                                  offsetof(aiobs_usage_t, status_len),
                                  AIOBS_REASON_MAX, marks)
          && AIOBS_OUTCOME_STRING(error, AIOBS_ERROR_MAX);

#undef AIOBS_OUTCOME_STRING

    for (i = 0; i < AIOBS_CHOICES && all; i++) {
        all = aiobs_outcome_string(o, u,
                   offsetof(aiobs_usage_t, reason) + i * AIOBS_REASON_MAX,
                   offsetof(aiobs_usage_t, reason_len) + i, AIOBS_REASON_MAX,
                   marks);
    }

    return all;
}


/* 0: no room */

static int
aiobs_outcome_string(aiobs_outcome_t *o, const aiobs_usage_t *u, size_t to,
    size_t to_len, size_t max, const char *marks)
{
    size_t                   i, len;
    const char              *p;
    aiobs_outcome_string_t  *s;

    p = (const char *) u + to;
    len = *((const uint8_t *) u + to_len);

    if (len == 0) {
        return 1;
    }

    if (o->n_strings == AIOBS_OUTCOME_STRINGS
        || o->n_fixed == AIOBS_OUTCOME_STRINGS)
    {
        return 0;
    }

    for (i = 0; i < AIOBS_FORM_BLANKS; i++) {

        if (!(o->need_strings >> i & 1) || len != AIOBS_OUTCOME_MARK
            || memcmp(p, marks + i * AIOBS_OUTCOME_MARK, len) != 0)
        {
            continue;
        }

        s = &o->string[o->n_strings++];
        s->to = (uint16_t) to;
        s->to_len = (uint16_t) to_len;
        s->len = (uint8_t) max;
        s->blank = (uint8_t) i;

        return 1;
    }

    s = &o->fixed[o->n_fixed++];
    s->to = (uint16_t) to;
    s->at = o->n_fixed == 1 ? 0 : s[-1].at + s[-1].len;
    s->len = (uint8_t) len;

    if (s->at + len > AIOBS_OUTCOME_TEXT) {
        return 0;
    }

    memcpy(o->text + s->at, p, len);

    return 1;
}


static int
aiobs_outcome_take(void *data, const aiobs_form_t *form,
    const aiobs_fit_t *fit)
{
    aiobs_usage_t *u = data;

    unsigned                       i;
    uint64_t                       bits;
    const aiobs_outcome_t         *o;
    const aiobs_outcome_string_t  *s;

    o = (const aiobs_outcome_t *) form->outcome;

    /* nor if a header has said something before */

    if (u->documents || u->reported || u->error_len || u->tier
        || u->type != AIOBS_TYPE_OTHER
        || (fit->figures & o->need_figures) != o->need_figures
        || (fit->strings & o->need_strings) != o->need_strings)
    {
        return 0;
    }

    /* an empty string is none */

    for (bits = o->need_strings; bits; bits &= bits - 1) {
        i = __builtin_ctzll(bits);

        if (fit->end[i] == fit->start[i]) {
            return 0;
        }
    }

    memcpy((uint8_t *) u + AIOBS_OUTCOME_BEGIN, o->state, AIOBS_OUTCOME_SIZE);

    for (s = o->fixed; s < o->fixed + o->n_fixed; s++) {
        aiobs_copy((char *) u + s->to, o->text + s->at, s->len);
    }

    for (s = o->string; s < o->string + o->n_strings; s++) {
        aiobs_value_set((char *) u + s->to, (uint8_t *) u + s->to_len, s->len,
                        (const char *) fit->start[s->blank],
                        fit->end[s->blank] - fit->start[s->blank]);
    }

    for (bits = o->slots; bits; bits &= bits - 1) {
        i = __builtin_ctzll(bits);
        u->figures[i] = o->figures[i];
    }

    for (i = 0; i < o->n_figures; i++) {
        u->figures[o->slot[i]] = fit->number[o->figure[i]];
    }

    aiobs_outcome_text(u, o->texts & fit->strings, fit);

    return 1;
}


/* as aiobs_answer_end() does at the end of one with text in it */

static inline void
aiobs_outcome_text(aiobs_usage_t *u, uint64_t texts, const aiobs_fit_t *fit)
{
    unsigned  i;

    for ( /* void */ ; texts; texts &= texts - 1) {
        i = __builtin_ctzll(texts);
        u->text_bytes += fit->end[i] - fit->start[i];
    }

    if (u->text_bytes) {
        u->content = 1;
        u->content_events = 1;
        u->first_token_ms = u->now_ms;
        u->last_token_ms = u->now_ms;
    }
}
