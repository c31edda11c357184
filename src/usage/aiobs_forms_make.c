
/*
 * Copyright (C) the aiobs authors
 *
 * A form made of a document's parts: its bytes without what fills the blanks,
 * and what is told of it.
 */


#include <string.h>

#include "aiobs_forms.h"


static void aiobs_form_events(aiobs_form_t *form);
static void aiobs_form_stays(const aiobs_form_t *form, aiobs_form_event_t *e);
static int aiobs_form_told(const aiobs_part_t *part);


void
aiobs_form_make(aiobs_form_t *form, const aiobs_part_t *part, unsigned parts,
    const uint8_t *base, const uint8_t *end)
{
    size_t          from, n;
    aiobs_part_t   *to;
    aiobs_blank_t  *blank;

    from = 0;
    form->len = 0;
    form->blanks = 0;
    form->parts = (uint8_t) parts;
    form->blank[0].at = 0;

    for (to = form->part; to < form->part + parts; to++, part++) {
        *to = *part;

        if (part->kind != AIOBS_PART_VALUE) {
            continue;
        }

        to->len = part->blank ? 0 : part->len;

        n = part->at - from + to->len;
        memcpy(form->bytes + form->len, base + from, n);
        form->len += n;

        from = part->at + part->len;
        to->at = form->len - to->len;

        if (part->blank) {
            blank = &form->blank[form->blanks++];
            blank->node = part->node;
            blank->told = (part->node != NULL);
            blank->len = form->len - blank->at;
            blank[1].at = form->len;
        }
    }

    n = end - base - from;
    memcpy(form->bytes + form->len, base + from, n);
    form->len += n;

    blank = &form->blank[form->blanks];
    blank->node = NULL;
    blank->len = form->len - blank->at;

    aiobs_form_events(form);
}


static void
aiobs_form_events(aiobs_form_t *form)
{
    unsigned             i, blank;
    aiobs_form_event_t  *e;
    const aiobs_part_t  *part;

    blank = 0;
    form->events = 0;

    for (i = 0; i < form->parts; i++) {
        part = &form->part[i];

        if (part->blank) {
            form->blank[blank++].event = form->events;
        }

        if (!aiobs_form_told(part)) {
            continue;
        }

        e = &form->event[form->events++];

        e->node = part->node;
        e->at = part->at;
        e->len = part->len;
        e->kind = part->kind;
        e->blank = (uint8_t) (blank - part->blank);

        if (part->kind == AIOBS_PART_VALUE && !part->blank) {
            aiobs_form_stays(form, e);
        }
    }
}


/* what a value is that is not blank */

static void
aiobs_form_stays(const aiobs_form_t *form, aiobs_form_event_t *e)
{
    unsigned        i;
    const uint8_t  *p;

    p = form->bytes + e->at;

    if (*p == '"') {
        e->kind = AIOBS_PART_STRING;
        e->at++;
        e->len -= 2;
        return;
    }

    e->kind = AIOBS_PART_SCALAR;
    e->number = 0;

    for (i = 0; i < e->len && p[i] >= '0' && p[i] <= '9'; i++) {

        if (i == AIOBS_JSON_DIGITS) {
            return;
        }

        e->number = e->number * 10 + (p[i] - '0');
    }

    if (i == e->len && e->node->type == AIOBS_NODE_NUMBER) {
        e->kind = AIOBS_PART_FIGURE;
    }
}


/* a value that stays says nothing where text or more than a value is looked for */

static int
aiobs_form_told(const aiobs_part_t *part)
{
    if (part->node == NULL) {
        return 0;
    }

    return part->blank || part->kind != AIOBS_PART_VALUE
           || part->node->type == AIOBS_NODE_STRING
           || part->node->type == AIOBS_NODE_NUMBER
           || part->node->type == AIOBS_NODE_FLAG;
}
