
/*
 * Copyright (C) the aiobs authors
 *
 * Documents compared with forms.
 */


#include <stdlib.h>
#include <string.h>

#include "aiobs_forms.h"
#include "aiobs_json_state.h"


static const uint8_t *aiobs_forms_known(aiobs_place_t *at, aiobs_json_t *j,
    const uint8_t *p, const uint8_t *last);
static aiobs_form_t *aiobs_forms_other(aiobs_forms_t *f,
    const aiobs_form_t *tried, const aiobs_node_t *root, const uint8_t *p,
    const uint8_t *last, aiobs_fit_t *fit);
static const uint8_t *aiobs_forms_resume(aiobs_place_t *at, aiobs_json_t *j,
    const uint8_t *p, const uint8_t *last);
static void aiobs_form_value(const aiobs_json_t *j, const aiobs_node_t *node,
    const uint8_t *p, size_t len, int string);
static void aiobs_form_suspend(const aiobs_form_t *form, aiobs_place_t *at,
    aiobs_json_t *j, const aiobs_fit_t *fit, const uint8_t *last, int there);
static void aiobs_form_catch_up(const aiobs_form_t *form, unsigned blank,
    aiobs_json_t *j);
static void aiobs_form_no_scalar(void *data, const aiobs_node_t *node,
    const char *p, size_t len, int string);
static void aiobs_form_no_figure(void *data, const aiobs_node_t *node,
    int64_t n);
static void aiobs_form_no_text(void *data, const aiobs_node_t *node,
    const uint8_t *p, size_t len);
static void aiobs_form_no_group(void *data, const aiobs_node_t *node,
    int open);
static void aiobs_form_no_document(void *data, int begin);


static const aiobs_json_handler_t  aiobs_form_nobody = {
    aiobs_form_no_scalar, aiobs_form_no_figure, aiobs_form_no_text,
    aiobs_form_no_group, aiobs_form_no_document
};


aiobs_forms_t *
aiobs_forms_create(void)
{
    aiobs_forms_t  *f;

    f = calloc(1, sizeof(aiobs_forms_t));

    if (f) {
        f->credit = AIOBS_FORM_CREDIT;
    }

    return f;
}


void
aiobs_forms_destroy(aiobs_forms_t *f)
{
    free(f);
}


void
aiobs_forms_feed(aiobs_place_t *at, aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last)
{
    if (j->state == AIOBS_JSON_SKIP && at->form == NULL && !j->failure) {
        p = aiobs_json_skip(j, p, last);    /* what is long is mostly that */
    }

    while (p < last && !j->failure) {
        p = aiobs_forms_document(at, j, p, last);
    }
}


const uint8_t *
aiobs_forms_document(aiobs_place_t *at, aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last)
{
    const uint8_t  *end;

    if (at->forms == NULL) {
        return aiobs_json_document(j, p, last);
    }

    if (!aiobs_json_idle(j)) {

        if (at->form) {
            p = aiobs_forms_resume(at, j, p, last);
        }

        return p < last && !aiobs_json_idle(j) ? aiobs_json_document(j, p, last)
                                               : p;
    }

    while (p < last && aiobs_json_space(*p)) {
        p++;
    }

    if (p == last || *p != '{') {
        return aiobs_json_document(j, p, last);
    }

    end = aiobs_forms_known(at, j, p, last);

    if (end == NULL) {
        end = aiobs_json_document(j, p, last);

        if (aiobs_json_idle(j) && !j->failure) {
            aiobs_forms_learn(at, j->root, p, end);
        }
    }

    return end;
}


/* behind the document at p, or the part that is there; NULL: to be read */

static const uint8_t *
aiobs_forms_known(aiobs_place_t *at, aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last)
{
    unsigned       *guess;
    aiobs_fit_t     fit;
    aiobs_form_t   *form;
    aiobs_forms_t  *f;

    f = at->forms;
    guess = aiobs_forms_guess(f, j->root);
    form = &f->form[*guess];

    if (form->root != j->root || !aiobs_form_fits(form, p, last, &fit)) {

        form = aiobs_forms_other(f, form, j->root, p, last, &fit);

        if (form == NULL) {
            return NULL;
        }

        *guess = form - f->form;
    }

    f->credit += (f->credit < AIOBS_FORM_CREDIT);
    form->used = ++f->clock;

    if (fit.whole && form->take && form->take == at->outcome
        && form->take->take(j->data, form, &fit))
    {
        return fit.stop;
    }

    j->handler->document(j->data, 1);
    aiobs_form_tell(form, 0, j, &fit);

    if (fit.whole) {
        j->handler->document(j->data, 0);
        return fit.stop;
    }

    aiobs_form_suspend(form, at, j, &fit, last, 0);

    return last;
}


/* than the one that was tried first; NULL: none */

static aiobs_form_t *
aiobs_forms_other(aiobs_forms_t *f, const aiobs_form_t *tried,
    const aiobs_node_t *root, const uint8_t *p, const uint8_t *last,
    aiobs_fit_t *fit)
{
    size_t         look, looks;
    unsigned       i, n;
    aiobs_form_t  *form;

    /* one more look at most, if nothing did fit of late */

    looks = (last - p) / 2;

    if (f->credit >= AIOBS_FORM_PRICE) {
        looks *= AIOBS_FORM_LOOKS;
    }

    for (i = 0; i < AIOBS_FORMS; i++) {
        n = (tried - f->form + i) % AIOBS_FORMS;
        form = &f->form[n];

        if (form->root != root) {
            continue;
        }

        if (i && aiobs_form_fits(form, p, last, fit)) {
            return form;
        }

        look = fit->looked - p + (last - p) / 8;

        if (looks <= look) {
            return NULL;
        }

        looks -= look;
    }

    return NULL;
}


/* the next piece; the reader of JSON has been told of what came before */

static const uint8_t *
aiobs_forms_resume(aiobs_place_t *at, aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last)
{
    unsigned             k;
    aiobs_fit_t          fit;
    const aiobs_form_t  *form;

    k = at->blank;
    form = at->form;
    at->form = NULL;

    if (form->generation != at->generation
        || !aiobs_form_goes_on(form, k, p, last, &fit))
    {
        return p;
    }

    aiobs_form_tell(form, form->blank[k].event, j, &fit);

    if (fit.whole) {
        aiobs_json_reset(j);
        j->handler->document(j->data, 0);
        return fit.stop;
    }

    aiobs_form_suspend(form, at, j, &fit, last, fit.blank == k);

    return last;
}


/* what the reader of JSON would tell */

void
aiobs_form_tell(const aiobs_form_t *form, unsigned event, aiobs_json_t *j,
    const aiobs_fit_t *fit)
{
    void                        *data;
    unsigned                     k;
    const aiobs_form_event_t    *e, *last;
    const aiobs_json_handler_t  *to;

    to = j->handler;
    data = j->data;
    e = &form->event[event];
    last = &form->event[fit->whole ? form->events
                                   : form->blank[fit->blank].event];

    for ( /* void */ ; e < last; e++) {

        switch (e->kind) {

        case AIOBS_PART_FIGURE:
            to->figure(data, e->node, e->number);
            break;

        case AIOBS_PART_OPEN:
        case AIOBS_PART_CLOSE:
            to->group(data, e->node, e->kind == AIOBS_PART_OPEN);
            break;

        case AIOBS_PART_STRING:
        case AIOBS_PART_SCALAR:
            to->scalar(data, e->node, (const char *) form->bytes + e->at,
                       e->len, e->kind == AIOBS_PART_STRING);
            break;

        default:
            k = e->blank;

            if (fit->figures >> k & 1 && e->node->type == AIOBS_NODE_NUMBER) {
                to->figure(data, e->node, fit->number[k]);
                break;
            }

            aiobs_form_value(j, e->node, fit->start[k],
                             fit->end[k] - fit->start[k],
                             fit->strings >> k & 1);
            break;
        }
    }

    if (!fit->whole && form->blank[fit->blank].node) {
        k = fit->blank;
        aiobs_form_value(j, form->blank[k].node, fit->start[k],
                         fit->stop - fit->start[k], 1);
    }
}


static void
aiobs_form_value(const aiobs_json_t *j, const aiobs_node_t *node,
    const uint8_t *p, size_t len, int string)
{
    if (string && node->type == AIOBS_NODE_TEXT) {

        if (len) {
            j->handler->text(j->data, node, p, len);
        }

        return;
    }

    len = len < AIOBS_JSON_SCALAR ? len : AIOBS_JSON_SCALAR;
    j->handler->scalar(j->data, node, (const char *) p, len, string);
}


/*
 * The bytes end inside of a string: the reader of JSON is brought there as
 * well, so that it can go on if the next do not fit, or the form is another by
 * then.  there: it was brought before.
 */

static void
aiobs_form_suspend(const aiobs_form_t *form, aiobs_place_t *at,
    aiobs_json_t *j, const aiobs_fit_t *fit, const uint8_t *last, int there)
{
    if (!there) {
        aiobs_form_catch_up(form, fit->blank, j);
    }

    if (fit->stop < last) {
        aiobs_json_feed(j, fit->stop, last - fit->stop);    /* an escape */
        return;
    }

    at->form = form;
    at->generation = form->generation;
    at->blank = (uint8_t) fit->blank;
}


/* as if it had read up to that blank, and the quote it begins with */

static void
aiobs_form_catch_up(const aiobs_form_t *form, unsigned blank, aiobs_json_t *j)
{
    unsigned                     k;
    const aiobs_json_handler_t  *handler;

    static const uint8_t  any[] = "\"\"";

    handler = j->handler;
    j->handler = &aiobs_form_nobody;
    aiobs_json_reset(j);

    for (k = 0; k <= blank; k++) {
        aiobs_json_feed(j, form->bytes + form->blank[k].at,
                        form->blank[k].len);
        aiobs_json_feed(j, any, k < blank ? 2 : 1);
    }

    j->handler = handler;
}


static void
aiobs_form_no_scalar(void *data, const aiobs_node_t *node, const char *p,
    size_t len, int string)
{
    /* it was told */
}


static void
aiobs_form_no_figure(void *data, const aiobs_node_t *node, int64_t n)
{
    /* it was told */
}


static void
aiobs_form_no_text(void *data, const aiobs_node_t *node, const uint8_t *p,
    size_t len)
{
    /* it was told */
}


static void
aiobs_form_no_group(void *data, const aiobs_node_t *node, int open)
{
    /* it was told */
}


static void
aiobs_form_no_document(void *data, int begin)
{
    /* it was told */
}
