
/*
 * Copyright (C) the aiobs authors
 *
 * Documents compared with forms.
 */


#include <stdlib.h>
#include <string.h>

#include "aiobs_forms.h"
#include "aiobs_json_state.h"


/* how far the bytes fit, and where their values stand */

typedef struct {
    const uint8_t  *start[AIOBS_FORM_BLANKS];
    const uint8_t  *end[AIOBS_FORM_BLANKS];
    int64_t         number[AIOBS_FORM_BLANKS];
    uint64_t        strings;        /* bit: that value is a string */
    uint64_t        figures;        /* or digits only: in "number" */
    const uint8_t  *stop;           /* behind what fits */
    unsigned        blank;          /* in which the bytes end */
    int             whole;          /* they do not: here ends the document */
} aiobs_fit_t;


static const uint8_t *aiobs_forms_known(aiobs_place_t *at, aiobs_json_t *j,
    const uint8_t *p, const uint8_t *last);
static const uint8_t *aiobs_forms_resume(aiobs_place_t *at, aiobs_json_t *j,
    const uint8_t *p, const uint8_t *last);
static int aiobs_form_fits(const aiobs_form_t *form, unsigned k,
    const uint8_t *p, const uint8_t *last, aiobs_fit_t *fit);
static const uint8_t *aiobs_form_fill(const aiobs_form_t *form, unsigned k,
    const uint8_t *p, const uint8_t *last, aiobs_fit_t *fit);
static const uint8_t *aiobs_form_string(const aiobs_form_t *form, unsigned k,
    const uint8_t *p, const uint8_t *last, aiobs_fit_t *fit);
static const uint8_t *aiobs_form_escapes(const uint8_t *p,
    const uint8_t *last);
static void aiobs_form_tell(const aiobs_form_t *form, unsigned event,
    aiobs_json_t *j, const aiobs_fit_t *fit);
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
            aiobs_forms_learn(at->forms, j->root, p, end);
        }
    }

    return end;
}


/* behind the document at p, or the part that is there; NULL: to be read */

static const uint8_t *
aiobs_forms_known(aiobs_place_t *at, aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last)
{
    unsigned        i, n, kind;
    aiobs_fit_t     fit;
    aiobs_form_t   *form;
    aiobs_forms_t  *f;

    f = at->forms;
    kind = aiobs_forms_kind(j->root);

    for (i = 0; i < AIOBS_FORMS; i++) {
        n = (f->guess[kind] + i) % AIOBS_FORMS;
        form = &f->form[n];

        if (form->root != j->root) {
            continue;
        }

        fit.strings = 0;
        fit.figures = 0;

        if (!aiobs_form_fits(form, 0, p, last, &fit)) {
            continue;
        }

        f->guess[kind] = (uint8_t) n;
        f->credit += (f->credit < AIOBS_FORM_CREDIT);
        form->used = ++f->clock;

        j->handler->document(j->data, 1);
        aiobs_form_tell(form, 0, j, &fit);

        if (fit.whole) {
            j->handler->document(j->data, 0);
            return fit.stop;
        }

        aiobs_form_suspend(form, at, j, &fit, last, 0);

        return last;
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
    const uint8_t       *q;
    const aiobs_form_t  *form;

    k = at->blank;
    form = at->form;
    at->form = NULL;

    if (form->generation != at->generation) {
        return p;
    }

    fit.whole = 0;
    fit.stop = NULL;
    fit.strings = 1ULL << k;
    fit.figures = 0;

    q = aiobs_form_string(form, k, p, last, &fit);

    if (q == NULL
        || (fit.stop == NULL && !aiobs_form_fits(form, k + 1, q, last, &fit)))
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


/* n bytes at p; 16 more can be read at bytes */

static inline int
aiobs_form_same(const uint8_t *p, const uint8_t *last, const uint8_t *bytes,
    size_t n)
{
#if defined(__SSE2__)
    size_t   i;
    __m128i  same;

    /* most are short: no call, and no look at what lies behind them */

    if (n <= 64 && (size_t) (last - p) >= n + 16) {
        same = _mm_set1_epi8(-1);

        for (i = 0; i + 16 <= n; i += 16) {
            same = _mm_and_si128(same,
                       _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *) (p + i)),
                                      _mm_loadu_si128((const __m128i *)
                                                      (bytes + i))));
        }

        return _mm_movemask_epi8(same) == 0xffff
               && (~_mm_movemask_epi8(
                       _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *) (p + i)),
                                      _mm_loadu_si128((const __m128i *)
                                                      (bytes + i))))
                   & ((1 << (n - i)) - 1)) == 0;
    }
#endif

    return (size_t) (last - p) >= n && memcmp(p, bytes, n) == 0;
}


/*
 * The bytes before blank k are next.  0: they do not fit, or end where that
 * is not to be seen.
 */

static int
aiobs_form_fits(const aiobs_form_t *form, unsigned k, const uint8_t *p,
    const uint8_t *last, aiobs_fit_t *fit)
{
    const aiobs_blank_t  *blank;

    fit->whole = 0;
    fit->stop = NULL;

    for ( ;; k++) {
        blank = &form->blank[k];

        if (!aiobs_form_same(p, last, form->bytes + blank->at, blank->len)) {
            return 0;
        }

        p += blank->len;

        if (k == form->blanks) {
            fit->whole = 1;
            fit->stop = p;
            return 1;
        }

        p = aiobs_form_fill(form, k, p, last, fit);

        if (p == NULL) {
            return 0;
        }

        if (fit->stop) {
            return 1;
        }
    }
}


/* behind the value at p, NULL: there is none to be taken unread */

static inline const uint8_t *
aiobs_form_fill(const aiobs_form_t *form, unsigned k, const uint8_t *p,
    const uint8_t *last, aiobs_fit_t *fit)
{
    uint64_t        n;
    const uint8_t  *q;

    if (p == last) {
        return NULL;
    }

    if (*p == '"') {
        fit->strings |= 1ULL << k;
        return aiobs_form_string(form, k, p + 1, last, fit);
    }

    /* what ends it is compared next */

    if (!aiobs_json_scalar_start(*p)) {
        return NULL;
    }

    for (n = 0, q = p; q < last && *q >= '0' && *q <= '9'; q++) {
        n = n * 10 + (*q - '0');
    }

    if (q < last && aiobs_json_scalar_byte(*q)) {
        do {
            q++;
        } while (q < last && aiobs_json_scalar_byte(*q));

    } else if (q - p <= AIOBS_JSON_DIGITS) {
        fit->number[k] = (int64_t) n;
        fit->figures |= 1ULL << k;
    }

    fit->start[k] = p;
    fit->end[k] = q;

    return q;
}


/* most strings are short: no call for them */

static inline const uint8_t *
aiobs_form_quote(const uint8_t *p, const uint8_t *last)
{
#if defined(__SSE2__)
    int      i, mask;
    __m128i  v;

    for (i = 0; i < 4 && last - p >= 16; i++, p += 16) {
        v = _mm_loadu_si128((const __m128i *) p);
        mask = _mm_movemask_epi8(
                         _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                      _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
        if (mask) {
            return p + __builtin_ctz(mask);
        }
    }
#endif

    return aiobs_find.quote(p, last);
}


/*
 * From inside of a string.  Only one of which nobody takes more than its bytes
 * may have escapes in it, or go on in the next piece: then stop is set.
 */

static inline const uint8_t *
aiobs_form_string(const aiobs_form_t *form, unsigned k, const uint8_t *p,
    const uint8_t *last, aiobs_fit_t *fit)
{
    const uint8_t       *q;
    const aiobs_node_t  *node;

    node = form->blank[k].node;
    fit->start[k] = p;

    q = aiobs_form_quote(p, last);

    if (q == last || *q != '"') {

        if (node && node->type != AIOBS_NODE_TEXT) {
            return NULL;
        }

        q = aiobs_form_escapes(q, last);

        if (q == NULL) {
            return NULL;
        }

        if (q == last || *q != '"') {
            fit->stop = q;
            fit->blank = k;
        }
    }

    fit->end[k] = q;

    return q + 1;
}


/* to the quote, the bytes' end, or an escape that is cut; NULL: a wrong one */

static const uint8_t *
aiobs_form_escapes(const uint8_t *p, const uint8_t *last)
{
    int  i;

    static const char  simple[] = "\"\\/bfnrt";

    while (p < last && *p != '"') {

        if (last - p < 2) {
            return p;
        }

        if (p[1] != 'u') {

            if (p[1] == '\0' || strchr(simple, p[1]) == NULL) {
                return NULL;
            }

            p = aiobs_find_quote(p + 2, last);
            continue;
        }

        if (last - p < 6) {
            return p;
        }

        for (i = 2; i < 6; i++) {
            if (!((p[i] >= '0' && p[i] <= '9')
                  || ((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'f')))
            {
                return NULL;
            }
        }

        p = aiobs_find_quote(p + 6, last);
    }

    return p;
}


/* what the reader of JSON would tell */

static void
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
