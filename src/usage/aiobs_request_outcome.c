
/*
 * Copyright (C) the aiobs authors
 *
 * What requests of one form come to.
 */


#include "aiobs_request.h"


/* what a request of a form comes to: all of it but its blanks */

typedef struct {
    uint64_t                need_figures;   /* bits: blanks that have to be */
    uint64_t                need_strings;
    uint64_t                texts;          /* blanks */
    const aiobs_node_t     *limit;          /* max_tokens, if it is a blank */
    const aiobs_node_t     *model;
    uint8_t                 limit_blank;
    uint8_t                 model_blank;
    aiobs_request_record_t  rec;
} aiobs_request_outcome_t;


/* behind the model's name */
#define AIOBS_REQUEST_REST  offsetof(aiobs_request_record_t, model_len)


_Static_assert(sizeof(aiobs_request_outcome_t) <= AIOBS_FORM_OUTCOME,
               "an outcome has room in a form");


static int aiobs_request_prepare(aiobs_form_t *form);
static int aiobs_request_take(void *data, const aiobs_form_t *form,
    const aiobs_fit_t *fit);
static int aiobs_request_blanks(const aiobs_form_t *form,
    aiobs_request_outcome_t *o, aiobs_fit_t *fit);


const aiobs_outcome_handler_t  aiobs_request_outcome = {
    aiobs_request_prepare, aiobs_request_take
};


/*
 * The form is told, with nothing in its blanks; what they are filled with is
 * told behind it, which comes to the same if there are not two of a kind.
 */

static int
aiobs_request_prepare(aiobs_form_t *form)
{
    aiobs_fit_t               fit;
    aiobs_request_t           q;
    aiobs_request_outcome_t  *o;

    o = (aiobs_request_outcome_t *) form->outcome;
    memset(o, 0, sizeof(aiobs_request_outcome_t));

    if (!aiobs_request_blanks(form, o, &fit)) {
        return 0;
    }

    aiobs_request_begin(&q, form->root);
    aiobs_form_tell(form, 0, &q.json, &fit);
    o->rec = q.rec;

    if (o->limit) {
        o->rec.max_tokens = AIOBS_ABSENT;
    }

    return q.bytes == 0;
}


static int
aiobs_request_blanks(const aiobs_form_t *form, aiobs_request_outcome_t *o,
    aiobs_fit_t *fit)
{
    int                        models, limits;
    unsigned                   k;
    const aiobs_form_event_t  *e;

    static const uint8_t  nothing[1];

    memset(fit, 0, sizeof(aiobs_fit_t));
    fit->whole = 1;
    models = 0;
    limits = 0;

    for (e = form->event; e < form->event + form->events; e++) {

        if (e->node->type == AIOBS_NODE_GROUP) {
            return 0;                   /* it may take text back */
        }

        models += (e->node->type == AIOBS_NODE_STRING);
        limits += (e->node->type == AIOBS_NODE_NUMBER);

        if (e->kind != AIOBS_PART_VALUE) {
            continue;
        }

        k = e->blank;
        fit->start[k] = nothing;
        fit->end[k] = nothing;

        switch (e->node->type) {

        case AIOBS_NODE_STRING:
            o->need_strings |= 1ULL << k;
            o->model = e->node;
            o->model_blank = (uint8_t) k;
            break;

        case AIOBS_NODE_NUMBER:
            o->need_figures |= 1ULL << k;
            o->limit = e->node;
            o->limit_blank = (uint8_t) k;
            break;

        case AIOBS_NODE_TEXT:
            o->texts |= 1ULL << k;
            break;

        default:
            return 0;
        }
    }

    fit->figures = o->need_figures;
    fit->strings = o->need_strings | o->texts;

    return !(o->model && (models > 1 || o->model->slot != AIOBS_S_MODEL))
           && !(o->limit && (limits > 1
                             || o->limit->slot != AIOBS_F_MAX_TOKENS));
}


static int
aiobs_request_take(void *data, const aiobs_form_t *form,
    const aiobs_fit_t *fit)
{
    aiobs_request_t *q = data;

    size_t                          len;
    unsigned                        k;
    uint64_t                        texts;
    const aiobs_request_outcome_t  *o;

    o = (const aiobs_request_outcome_t *) form->outcome;

    if ((fit->figures & o->need_figures) != o->need_figures
        || (fit->strings & o->need_strings) != o->need_strings)
    {
        return 0;
    }

    memcpy((char *) &q->rec + AIOBS_REQUEST_REST,
           (const char *) &o->rec + AIOBS_REQUEST_REST,
           sizeof(aiobs_request_record_t) - AIOBS_REQUEST_REST);

    if (o->model) {
        k = o->model_blank;
        len = fit->end[k] - fit->start[k];
        aiobs_request_scalar(q, o->model, (const char *) fit->start[k],
                             len < AIOBS_JSON_SCALAR ? len : AIOBS_JSON_SCALAR,
                             1);

    } else {
        aiobs_copy(q->rec.model, o->rec.model, o->rec.model_len);
    }

    if (o->limit) {
        aiobs_request_figure(q, o->limit, fit->number[o->limit_blank]);
    }

    for (texts = o->texts & fit->strings; texts; texts &= texts - 1) {
        k = __builtin_ctzll(texts);

        if (fit->end[k] > fit->start[k]) {
            aiobs_request_text(q, NULL, fit->start[k],
                               fit->end[k] - fit->start[k]);
        }
    }

    q->done = 1;

    return 1;
}
