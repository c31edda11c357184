
/*
 * Copyright (C) the aiobs authors
 *
 * Forms made of documents.  A document like no other makes a form all of whose
 * short values stay; each like it, with other values, leaves fewer of them: a
 * form changes once for each of its values at most.  Learning costs about as
 * much as reading, so it is paid from what forms have saved before.
 */


#include <string.h>

#include "aiobs_forms.h"
#include "aiobs_json_state.h"


#define AIOBS_FORM_MISSES  64       /* without credit: one of so many */


typedef struct {
    aiobs_json_t         json;
    aiobs_spans_t        spans;
    const aiobs_node_t  *nodes[AIOBS_JSON_SPANS];
    const uint8_t       *base;
    const uint8_t       *last;
    unsigned             parts;
    int                  failed;
    aiobs_part_t         part[AIOBS_FORM_PARTS];
} aiobs_learner_t;


static int aiobs_forms_may_learn(aiobs_forms_t *f);
static int aiobs_learner_read(aiobs_learner_t *l, const aiobs_node_t *root,
    const uint8_t *p, const uint8_t *end);
static void aiobs_learner_scalar(void *data, const aiobs_node_t *node,
    const char *p, size_t len, int string);
static void aiobs_learner_figure(void *data, const aiobs_node_t *node,
    int64_t n);
static void aiobs_learner_text(void *data, const aiobs_node_t *node,
    const uint8_t *p, size_t len);
static void aiobs_learner_group(void *data, const aiobs_node_t *node,
    int open);
static void aiobs_learner_document(void *data, int begin);
static void aiobs_learner_spans(aiobs_learner_t *l);
static void aiobs_learner_part(aiobs_learner_t *l, aiobs_part_e kind,
    const aiobs_node_t *node, const uint8_t *start, const uint8_t *end);
static int aiobs_form_alike(const aiobs_form_t *form,
    const aiobs_learner_t *l);
static int aiobs_form_blanks(const aiobs_form_t *form, aiobs_learner_t *l);
static int aiobs_learner_fits(const aiobs_learner_t *l);
static aiobs_form_t *aiobs_forms_oldest(aiobs_forms_t *f);


static const aiobs_json_handler_t  aiobs_learner_handler = {
    aiobs_learner_scalar, aiobs_learner_figure, aiobs_learner_text,
    aiobs_learner_group, aiobs_learner_document
};


void
aiobs_forms_learn(const aiobs_place_t *at, const aiobs_node_t *root,
    const uint8_t *p, const uint8_t *end)
{
    int               new;
    unsigned          i;
    aiobs_form_t     *form;
    aiobs_forms_t    *f;
    aiobs_learner_t   l;

    f = at->forms;

    if (!aiobs_forms_may_learn(f) || !aiobs_learner_read(&l, root, p, end)) {
        return;
    }

    new = 1;

    for (i = 0; i < AIOBS_FORMS; i++) {
        if (f->form[i].root == root && aiobs_form_alike(&f->form[i], &l)) {
            new = aiobs_form_blanks(&f->form[i], &l);
            break;
        }
    }

    if (!new || !aiobs_learner_fits(&l)) {
        return;
    }

    form = i < AIOBS_FORMS ? &f->form[i] : aiobs_forms_oldest(f);

    form->root = root;
    form->generation = ++f->generation;
    form->used = ++f->clock;
    *aiobs_forms_guess(f, root) = form - f->form;

    aiobs_form_make(form, l.part, l.parts, l.base, l.last);

    form->take = at->outcome && at->outcome->prepare(form) ? at->outcome
                                                           : NULL;
}


static int
aiobs_forms_may_learn(aiobs_forms_t *f)
{
    if (f->credit >= AIOBS_FORM_PRICE) {
        f->credit -= AIOBS_FORM_PRICE;
        return 1;
    }

    return ++f->missed % AIOBS_FORM_MISSES == 0;
}


/* into parts; 0: it is too large, or has what forms do not */

static int
aiobs_learner_read(aiobs_learner_t *l, const aiobs_node_t *root,
    const uint8_t *p, const uint8_t *end)
{
    if (end - p > UINT16_MAX) {
        return 0;
    }

    aiobs_json_init(&l->json, root, &aiobs_learner_handler, l);

    l->json.spans = &l->spans;
    l->json.nodes = l->nodes;
    l->spans.base = p;
    l->spans.n = 0;
    l->base = p;
    l->last = end;
    l->parts = 0;
    l->failed = 0;

    aiobs_json_feed(&l->json, p, end - p);
    aiobs_learner_spans(l);

    return !l->failed && !l->json.failure && aiobs_json_idle(&l->json);
}


static void
aiobs_learner_scalar(void *data, const aiobs_node_t *node, const char *p,
    size_t len, int string)
{
    aiobs_learner_t *l = data;

    const uint8_t  *start, *end;

    aiobs_learner_spans(l);

    if (p != l->json.buf) {
        start = (const uint8_t *) p - string;

    } else {
        start = l->json.start - 1;          /* its first byte was taken */
    }

    end = start + len;

    if (string) {
        end = aiobs_find_quote(start + 1, l->last) + 1;
        l->failed |= (end > l->last || end[-1] != '"');

    } else if (len == AIOBS_JSON_SCALAR) {
        l->failed = 1;                      /* it is longer */
    }

    aiobs_learner_part(l, AIOBS_PART_VALUE, node, start, end);
}


static void
aiobs_learner_figure(void *data, const aiobs_node_t *node, int64_t n)
{
    aiobs_learner_t *l = data;

    const uint8_t  *start, *end;

    aiobs_learner_spans(l);

    start = l->json.start - 1;

    for (end = start; *end >= '0' && *end <= '9'; end++) { /* void */ }

    aiobs_learner_part(l, AIOBS_PART_VALUE, node, start, end);
}


static void
aiobs_learner_text(void *data, const aiobs_node_t *node, const uint8_t *p,
    size_t len)
{
    /* it is noted when it has ended */
}


static void
aiobs_learner_group(void *data, const aiobs_node_t *node, int open)
{
    aiobs_learner_t *l = data;

    aiobs_learner_spans(l);
    aiobs_learner_part(l, open ? AIOBS_PART_OPEN : AIOBS_PART_CLOSE, node,
                       l->base, l->base);
}


static void
aiobs_learner_document(void *data, int begin)
{
    /* there is one */
}


/* values that were noted since */

static void
aiobs_learner_spans(aiobs_learner_t *l)
{
    unsigned             i;
    const uint8_t       *start, *end;
    const aiobs_span_t  *span;

    if (l->spans.n > AIOBS_JSON_SPANS) {
        l->failed = 1;
    }

    for (i = 0; i < l->spans.n && !l->failed; i++) {
        span = &l->spans.span[i];
        start = l->base + span->start;
        end = l->base + span->end;

        if (span->type != AIOBS_SPAN_SCALAR) {
            start--;
            end++;
        }

        aiobs_learner_part(l, AIOBS_PART_VALUE, l->nodes[i], start, end);
    }

    l->spans.n = 0;

    if (l->failed) {
        l->json.failure = AIOBS_FAILURE_JSON;       /* no need to go on */
    }
}


static void
aiobs_learner_part(aiobs_learner_t *l, aiobs_part_e kind,
    const aiobs_node_t *node, const uint8_t *start, const uint8_t *end)
{
    aiobs_part_t  *part;

    if (l->failed || l->parts == AIOBS_FORM_PARTS
        || (node && node->type == AIOBS_NODE_GROUP && *start == '"'))
    {
        l->failed = 1;                      /* an error in words is told */
        return;
    }

    part = &l->part[l->parts++];

    part->node = node;
    part->kind = (uint8_t) kind;
    part->at = (uint16_t) (start - l->base);
    part->len = (uint16_t) (end - start);
    part->blank = kind == AIOBS_PART_VALUE
                  && (part->len > AIOBS_FORM_FIXED
                      || (node && node->type == AIOBS_NODE_TEXT
                          && *start == '"'));
}


/* the same bytes between the same parts */

static int
aiobs_form_alike(const aiobs_form_t *form, const aiobs_learner_t *l)
{
    size_t               a, b, n;
    unsigned             i;
    const uint8_t       *bytes;
    const aiobs_part_t  *part, *to;

    if (form->parts != l->parts) {
        return 0;
    }

    a = 0;
    b = 0;
    bytes = form->bytes;

    for (i = 0; i < l->parts; i++) {
        part = &form->part[i];
        to = &l->part[i];

        if (part->kind != to->kind || part->node != to->node) {
            return 0;
        }

        if (to->kind != AIOBS_PART_VALUE) {
            continue;
        }

        n = to->at - b;

        if (part->at - a != n || memcmp(bytes + a, l->base + b, n) != 0) {
            return 0;
        }

        a = part->at + part->len;
        b = to->at + to->len;
    }

    n = l->last - l->base - b;

    if (form->len - a != n || memcmp(bytes + a, l->base + b, n) != 0) {
        return 0;
    }

    return 1;
}


/* sets which values are not to stay; returns whether these are more than before */

static int
aiobs_form_blanks(const aiobs_form_t *form, aiobs_learner_t *l)
{
    int                  new;
    unsigned             i;
    aiobs_part_t        *to;
    const aiobs_part_t  *part;

    new = 0;

    for (i = 0; i < l->parts; i++) {
        part = &form->part[i];
        to = &l->part[i];

        if (part->blank) {
            to->blank = 1;

        } else if (to->kind == AIOBS_PART_VALUE
                   && (to->blank || part->len != to->len
                       || memcmp(form->bytes + part->at, l->base + to->at,
                                 to->len) != 0))
        {
            to->blank = 1;
            new = 1;
        }
    }

    return new;
}


/* whether a form has room for it */

static int
aiobs_learner_fits(const aiobs_learner_t *l)
{
    size_t    len;
    unsigned  i, blanks;

    len = l->last - l->base;
    blanks = 0;

    for (i = 0; i < l->parts; i++) {
        if (l->part[i].blank) {
            len -= l->part[i].len;
            blanks++;
        }
    }

    return len <= AIOBS_FORM_BYTES && blanks <= AIOBS_FORM_BLANKS;
}


/* a free one, or the one that was not used for the longest time */

static aiobs_form_t *
aiobs_forms_oldest(aiobs_forms_t *f)
{
    unsigned       i;
    aiobs_form_t  *form, *oldest;

    oldest = &f->form[0];

    for (i = 0; i < AIOBS_FORMS; i++) {
        form = &f->form[i];

        if (form->root == NULL) {
            return form;
        }

        if (f->clock - form->used > f->clock - oldest->used) {
            oldest = form;
        }
    }

    return oldest;
}
