
/*
 * Copyright (C) the aiobs authors
 *
 * Counting tokens without a tokenizer.  Byte-pair encoders first cut text into
 * words with their leading space, numbers of up to three digits, and runs of
 * punctuation or white space; common pieces are one token, rare ones several.
 * Here each character costs what it adds to the expected number of tokens,
 * given the character before it and its place in the run.
 *
 * The weights are fitted to answers whose providers reported their length
 * (English prose, Markdown, code); those of other scripts follow the published
 * vocabularies of o200k_base.  An estimate, not a count: a tenth off is usual.
 */


#include <string.h>

#include "aiobs_estimate.h"


#define AIOBS_PLACES   64       /* in a run, then counted from 0 again */
#define AIOBS_COLUMNS  32       /* CLASS_LAST, rounded up for speed */


static void aiobs_estimate_count(aiobs_estimate_t *e, const uint8_t *p,
    size_t len);


/* a character's class is that of its first byte */

typedef enum {
    CLASS_NONE = 0,             /* the beginning, or after a break */
    CLASS_SPACE,
    CLASS_NEWLINE,
    CLASS_PUNCT,
    CLASS_DIGIT,
    CLASS_LOWER,
    CLASS_UPPER,
    CLASS_ACCENTED,             /* Latin letters beyond ASCII */
    CLASS_ALPHABET,             /* Greek, Cyrillic, Armenian */
    CLASS_ABJAD,                /* Hebrew, Arabic, Syriac, Thaana */
    CLASS_INDIC,                /* and Thai, Lao, Tibetan */
    CLASS_CJK,
    CLASS_KANA,                 /* and CJK punctuation */
    CLASS_HANGUL,
    CLASS_SYMBOL,               /* dashes, quotes, arrows, signs */
    CLASS_EMOJI,                /* and all else of four bytes */
    CLASS_BROKEN,
    CLASS_LAST,
    CLASS_CONT = CLASS_LAST     /* second to fourth byte: costs nothing */
} aiobs_class_e;


#define SP  CLASS_SPACE
#define NL  CLASS_NEWLINE
#define PU  CLASS_PUNCT
#define DI  CLASS_DIGIT
#define LO  CLASS_LOWER
#define UP  CLASS_UPPER
#define CO  CLASS_CONT
#define AC  CLASS_ACCENTED
#define AL  CLASS_ALPHABET
#define AB  CLASS_ABJAD
#define IN  CLASS_INDIC
#define CJ  CLASS_CJK
#define KA  CLASS_KANA
#define HA  CLASS_HANGUL
#define SY  CLASS_SYMBOL
#define EM  CLASS_EMOJI
#define BR  CLASS_BROKEN


static const uint8_t  aiobs_class[256] = {
    BR, BR, BR, BR, BR, BR, BR, BR, BR, SP, NL, SP, SP, NL, BR, BR,
    BR, BR, BR, BR, BR, BR, BR, BR, BR, BR, BR, BR, BR, BR, BR, BR,
    SP, PU, PU, PU, PU, PU, PU, PU, PU, PU, PU, PU, PU, PU, PU, PU,
    DI, DI, DI, DI, DI, DI, DI, DI, DI, DI, PU, PU, PU, PU, PU, PU,
    PU, UP, UP, UP, UP, UP, UP, UP, UP, UP, UP, UP, UP, UP, UP, UP,
    UP, UP, UP, UP, UP, UP, UP, UP, UP, UP, UP, PU, PU, PU, PU, PU,
    PU, LO, LO, LO, LO, LO, LO, LO, LO, LO, LO, LO, LO, LO, LO, LO,
    LO, LO, LO, LO, LO, LO, LO, LO, LO, LO, LO, PU, PU, PU, PU, BR,
    CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO,
    CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO,
    CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO,
    CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO, CO,
    BR, BR, SY, AC, AC, AC, AC, AC, AC, AC, AC, AC, AC, AC, AL, AL,
    AL, AL, AL, AL, AL, AL, AB, AB, AB, AB, AB, AB, AB, AB, AB, AB,
    IN, AC, SY, KA, CJ, CJ, CJ, CJ, CJ, CJ, HA, HA, HA, HA, SY, SY,
    EM, EM, EM, EM, EM, BR, BR, BR, BR, BR, BR, BR, BR, BR, BR, BR
};


/* classes of one group go on with each other's run */

typedef enum {
    GROUP_OTHER = 0,            /* a character's place makes no difference */
    GROUP_SPACE,
    GROUP_PUNCT,
    GROUP_DIGIT,
    GROUP_LATIN,
    GROUP_LAST
} aiobs_group_e;


static const uint8_t  aiobs_group[CLASS_LAST] = {
    GROUP_OTHER, GROUP_SPACE, GROUP_OTHER, GROUP_PUNCT, GROUP_DIGIT,
    GROUP_LATIN, GROUP_LATIN, GROUP_LATIN
};


/*
 * What a character costs after another, in hundredths of a token.  Rows: the
 * character before; columns, in the same order: the character.  A space is
 * part of the word that follows it, but not of a number.
 */

static const uint8_t  aiobs_pair[CLASS_LAST][AIOBS_COLUMNS] = {
    {  0,  0,100,100,  0,100,100,140, 90, 90, 70, 80, 75, 80,100,180,100 },
    {  0,  0,100,100,100,100,100,140, 90, 90, 70, 80, 75, 80,100,180,100 },
    {  0,  0,  5,100,  0,100,100,140, 90, 90, 70, 80, 75, 80,100,180,100 },
    {  0,  0, 50,  0,  0, 85, 85,125, 90, 90, 70, 80, 75, 80,100,180,100 },
    {  0,  0,100,100,  0, 90, 90,130, 90, 90, 70, 80, 75, 80,100,180,100 },
    {  0,  0,100,100,  0,  0, 60, 40, 90, 90, 70, 80, 75, 80,100,180,100 },
    {  0,  0,100,100,  0,  0, 15, 40, 90, 90, 70, 80, 75, 80,100,180,100 },
    {  0,  0,100,100,  0,  0, 60, 40, 90, 90, 70, 80, 75, 80,100,180,100 },
    {  0,  0,100,100,  0,100,100,140, 19, 90, 70, 80, 75, 80,100,180,100 },
    {  0,  0,100,100,  0,100,100,140, 90, 22, 70, 80, 75, 80,100,180,100 },
    {  0,  0,100,100,  0,100,100,140, 90, 90, 33, 80, 75, 80,100,180,100 },
    {  0,  0,100,100,  0,100,100,140, 90, 90, 70, 76, 62, 80,100,180,100 },
    {  0,  0,100,100,  0,100,100,140, 90, 90, 70, 76, 62, 80,100,180,100 },
    {  0,  0,100,100,  0,100,100,140, 90, 90, 70, 80, 75, 55,100,180,100 },
    {  0,  0,100,100,  0,100,100,140, 90, 90, 70, 80, 75, 80, 90,180,100 },
    {  0,  0,100,100,  0,100,100,140, 90, 90, 70, 80, 75, 80,100,150,100 },
    {  0,  0,100,100,  0,100,100,140, 90, 90, 70, 80, 75, 80,100,180,100 }
};


/*
 * What it costs more for its place in the run, the first place being 1: runs
 * of spaces are a token beside the word's own space, numbers are cut in
 * threes, words of more than seven letters are less often whole.
 */

static const uint8_t  aiobs_place[GROUP_LAST][AIOBS_PLACES] = {
    [GROUP_SPACE] = { [2] = 100 },
    [GROUP_PUNCT] = { [2] = 40, [3 ... 63] = 20 },
    [GROUP_LATIN] = { [8 ... 63] = 7 },
    [GROUP_DIGIT] = {
        [1] = 100, [4] = 100, [7] = 100, [10] = 100, [13] = 100, [16] = 100,
        [19] = 100, [22] = 100, [25] = 100, [28] = 100, [31] = 100, [34] = 100,
        [37] = 100, [40] = 100, [43] = 100, [46] = 100, [49] = 100, [52] = 100,
        [55] = 100, [58] = 100, [61] = 100
    }
};


void
aiobs_estimate_init(aiobs_estimate_t *e)
{
    e->millitokens = 0;
    e->text = NULL;
    e->end = NULL;
    e->last = NULL;

    aiobs_estimate_break(e);
}


void
aiobs_estimate_defer(aiobs_estimate_t *e, uint8_t *room, size_t size)
{
    e->text = room;
    e->end = room;
    e->last = room + size;
}


void
aiobs_estimate_text(aiobs_estimate_t *e, const uint8_t *p, size_t len)
{
    if (len > (size_t) (e->last - e->end)) {
        aiobs_estimate_look(e);
    }

    if (len > (size_t) (e->last - e->end)) {
        aiobs_estimate_count(e, p, len);
        return;
    }

    if (len) {
        memcpy(e->end, p, len);
        e->end += len;
    }
}


void
aiobs_estimate_look(aiobs_estimate_t *e)
{
    if (e->end > e->text) {
        aiobs_estimate_count(e, e->text, e->end - e->text);
        e->end = e->text;
    }
}


static void
aiobs_estimate_count(aiobs_estimate_t *e, const uint8_t *p, size_t len)
{
    uint64_t        sum;
    unsigned        class, prev, group, last, run;
    const uint8_t  *end;

    sum = 0;
    prev = e->class;
    last = aiobs_group[prev];
    run = e->run;

    for (end = p + len; p < end; p++) {
        class = aiobs_class[*p];

        if (class == CLASS_CONT) {
            continue;
        }

        /* no branches: the words of a text are not to be predicted */

        group = aiobs_group[class];
        run = (run & -(unsigned) (group == last)) + 1;

        sum += aiobs_pair[prev][class] + aiobs_place[group][run % AIOBS_PLACES];
        prev = class;
        last = group;
    }

    e->millitokens += sum * 10;
    e->class = prev;
    e->run = run;
}


void
aiobs_estimate_break(aiobs_estimate_t *e)
{
    aiobs_estimate_look(e);

    e->class = CLASS_NONE;
    e->run = 0;
}


int64_t
aiobs_estimate_tokens(aiobs_estimate_t *e)
{
    aiobs_estimate_look(e);

    if (e->millitokens > 0 && e->millitokens < 500) {
        return 1;
    }

    return (e->millitokens + 500) / 1000;
}
