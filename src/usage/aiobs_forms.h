
/*
 * Copyright (C) the aiobs authors
 *
 * Documents that are filled-in forms.  Answers of one model to one API have
 * the same members in the same order; only some values differ.  A form is what
 * they have in common: bytes that stay, blanks between them, and what the
 * reader of JSON tells of all that.  A document that fits a form is compared
 * with it instead of being read.
 *
 * A fit is a proof, no guess: outside of the blanks the bytes are those of a
 * document that was read before; in a blank stands a string or a scalar, with
 * the bounds that the reader would have found; so the reader would tell the
 * same, with other values.  What does not fit is read.
 */


#ifndef _AIOBS_FORMS_H_INCLUDED_
#define _AIOBS_FORMS_H_INCLUDED_


#include "aiobs_json.h"


#define AIOBS_FORMS        16       /* that a worker knows */
#define AIOBS_FORM_BYTES   2048     /* outside of blanks, at most */
#define AIOBS_FORM_BLANKS  48
#define AIOBS_FORM_PARTS   112      /* values and groups */
#define AIOBS_FORM_FIXED   64       /* bytes; longer values are blanks */
#define AIOBS_FORM_KINDS   64       /* of documents, a guess each */
#define AIOBS_FORM_CREDIT  64
#define AIOBS_FORM_PRICE   4        /* of learning, in documents that fit */
#define AIOBS_FORM_LOOKS   6        /* at half a document, in vain */


typedef enum {
    AIOBS_PART_VALUE = 0,           /* a string or a scalar */
    AIOBS_PART_STRING,              /* a value that stays: it is told ... */
    AIOBS_PART_SCALAR,              /* ... as what it is */
    AIOBS_PART_FIGURE,
    AIOBS_PART_OPEN,                /* a group */
    AIOBS_PART_CLOSE
} aiobs_part_e;


typedef struct {
    const aiobs_node_t  *node;      /* or NULL: nobody asks for it */
    uint16_t             at;        /* of a value: with its quotes */
    uint16_t             len;       /* 0 in a form: a blank */
    uint8_t              kind;      /* aiobs_part_e */
    uint8_t              blank;     /* it is one */
} aiobs_part_t;


/* of the parts those of which somebody has to be told */

typedef struct {
    const aiobs_node_t  *node;
    int64_t              number;    /* a figure that stays */
    uint16_t             at;        /* a value that stays: without quotes */
    uint16_t             len;
    uint8_t              kind;
    uint8_t              blank;     /* which */
} aiobs_form_event_t;


typedef struct {
    const aiobs_node_t  *node;
    uint16_t             at;        /* the bytes that stand before it */
    uint16_t             len;
    uint8_t              event;     /* the first that is not before it */
    uint8_t              told;      /* where it stands, and what it is */
} aiobs_blank_t;


/*
 * What a document of a form comes to, if it is the first that its reader is
 * told of: found once, by telling; then that is not done again.  What it is
 * made of is a matter of those who are told.
 */

#define AIOBS_FORM_OUTCOME  1024    /* bytes */

typedef struct aiobs_form_s  aiobs_form_t;
typedef struct aiobs_fit_s   aiobs_fit_t;

typedef struct {
    /* fills form->outcome; 0: there is none */
    int  (*prepare)(aiobs_form_t *form);
    /* 0: nothing was done, the document has to be told */
    int  (*take)(void *data, const aiobs_form_t *form, const aiobs_fit_t *fit);
} aiobs_outcome_handler_t;


struct aiobs_form_s {
    const aiobs_node_t  *root;      /* NULL: not in use */
    uint32_t             generation;    /* another: another form */
    uint32_t             used;      /* when, by the clock of fits */
    uint8_t              blanks;
    uint8_t              events;
    uint8_t              parts;
    uint16_t             len;
    aiobs_blank_t        blank[AIOBS_FORM_BLANKS + 1];  /* the end as well */
    aiobs_form_event_t   event[AIOBS_FORM_PARTS];
    uint8_t              bytes[AIOBS_FORM_BYTES + 32];
    const aiobs_outcome_handler_t
                        *take;      /* whose outcome, NULL: there is none */
    uint64_t             outcome[AIOBS_FORM_OUTCOME / 8];
    aiobs_part_t         part[AIOBS_FORM_PARTS];    /* to compare forms */
};


/* which form the next document of a kind most probably has */

typedef struct {
    const aiobs_node_t  *root;
    unsigned             form;
} aiobs_guess_t;


struct aiobs_forms_s {
    aiobs_form_t         form[AIOBS_FORMS];
    aiobs_guess_t        guess[AIOBS_FORM_KINDS];
    uint32_t             generation;
    uint32_t             clock;
    int                  credit;    /* for learning */
    unsigned             missed;    /* documents while there was none */
};


/* a reader's place in a form, between two pieces of a document */

typedef struct {
    aiobs_forms_t       *forms;     /* NULL: documents are read */
    const aiobs_outcome_handler_t
                        *outcome;
    const aiobs_form_t  *form;      /* NULL: in none */
    uint32_t             generation;
    uint8_t              blank;     /* inside of a string that is one */
} aiobs_place_t;


/* as aiobs_json_document() and aiobs_json_feed(): they come to the same */
const uint8_t *aiobs_forms_document(aiobs_place_t *at, aiobs_json_t *j,
    const uint8_t *p, const uint8_t *last);
void aiobs_forms_feed(aiobs_place_t *at, aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last);


/* what the reader of JSON would tell of a document, from that event on */
void aiobs_form_tell(const aiobs_form_t *form, unsigned event,
    aiobs_json_t *j, const aiobs_fit_t *fit);


/* --- aiobs_forms_fit.c --- */

/* how far the bytes fit, and where the values that are told stand */

struct aiobs_fit_s {
    uint64_t        strings;        /* bit: that value is a string */
    uint64_t        figures;        /* or digits only: in "number" */
    const uint8_t  *stop;           /* behind what fits */
    const uint8_t  *looked;         /* at the bytes before, if they do not */
    unsigned        blank;          /* in which the bytes end */
    int             whole;          /* they do not: here ends the document */
    const uint8_t  *start[AIOBS_FORM_BLANKS];
    const uint8_t  *end[AIOBS_FORM_BLANKS];
    int64_t         number[AIOBS_FORM_BLANKS];
};


/*
 * From the document's first byte on.  0: the bytes do not fit, or end where
 * that is not to be seen; that may be in a string of which nobody takes more
 * than its bytes.
 */
int aiobs_form_fits(const aiobs_form_t *form, const uint8_t *p,
    const uint8_t *last, aiobs_fit_t *fit);

/* the same, from inside of a string that is blank k */
int aiobs_form_goes_on(const aiobs_form_t *form, unsigned k,
    const uint8_t *p, const uint8_t *last, aiobs_fit_t *fit);

/* behind the value at p that fills blank k, NULL: there is none */
const uint8_t *aiobs_form_fill(const aiobs_form_t *form, unsigned k,
    const uint8_t *p, const uint8_t *last, aiobs_fit_t *fit);


/* --- aiobs_forms_run.c --- */

/*
 * The bytes before blank k are next.  0: they do not fit, or end where that
 * is not to be seen.
 */
typedef int (*aiobs_form_rest_pt)(const aiobs_form_t *form, unsigned k,
    const uint8_t *p, const uint8_t *last, aiobs_fit_t *fit);

/* what is in use */
extern aiobs_form_rest_pt  aiobs_form_rest;

/* those that this processor can run, the fastest last; NULL behind it */
aiobs_form_rest_pt aiobs_form_rest_get(unsigned i);


/* --- aiobs_forms_learn.c --- */

/* p to end: a document that was read, from its first brace to its last */
void aiobs_forms_learn(const aiobs_place_t *at, const aiobs_node_t *root,
    const uint8_t *p, const uint8_t *end);


/* --- aiobs_forms_make.c --- */

/* base to end: the document that has these parts; there is room for them */
void aiobs_form_make(aiobs_form_t *form, const aiobs_part_t *part,
    unsigned parts, const uint8_t *base, const uint8_t *end);


/* there are fewer roots than guesses */

static inline unsigned *
aiobs_forms_guess(aiobs_forms_t *f, const aiobs_node_t *root)
{
    unsigned  i, n;

    i = ((uintptr_t) root >> 5) % AIOBS_FORM_KINDS;

    for (n = 1; f->guess[i].root != root && n < AIOBS_FORM_KINDS; n++) {

        if (f->guess[i].root == NULL) {
            f->guess[i].root = root;
            break;
        }

        i = (i + 1) % AIOBS_FORM_KINDS;
    }

    return &f->guess[i].form;
}


#endif /* _AIOBS_FORMS_H_INCLUDED_ */
