
/*
 * Copyright (C) the aiobs authors
 *
 * The cost of a call: the rates of a model's entry applied.
 */


#include <string.h>
#include <strings.h>

#include "aiobs_price_table.h"


/* sums are of atto-USD, as audio is counted in thousandths of a second */
#define AIOBS_ATTO_PER_FEMTO  1000
#define AIOBS_ATTO_PER_NANO   1000000000


#define AIOBS_RATE_NONE       AIOBS_RATE_LAST


/* the sum under way */

typedef struct {
    const aiobs_price_t  *price;
    int64_t               input;        /* decides on "above" */
    aiobs_tier_e          tier;
    __int128              attousd;
    unsigned              known:1;      /* there is something, with a rate */
    unsigned              units:1;      /* something other than tokens */
    unsigned              missing:1;    /* tokens without a rate */
} aiobs_price_sum_t;


static const aiobs_rate_t *aiobs_price_rate(const aiobs_price_sum_t *s,
    unsigned kind);
static void aiobs_price_tokens(aiobs_price_sum_t *s, unsigned kind, int64_t n);
static void aiobs_price_units(aiobs_price_sum_t *s, unsigned kind,
    int64_t thousandths);
static int64_t aiobs_price_thousand(int64_t n);
static void aiobs_price_input(aiobs_price_sum_t *s,
    const aiobs_usage_record_t *rec, int64_t images);
static void aiobs_price_output(aiobs_price_sum_t *s,
    const aiobs_usage_record_t *rec, int64_t images);
static int64_t aiobs_price_part(int64_t n, int64_t *rest);


/* what stands in for a rate that an entry does not have */

static const uint8_t  aiobs_price_fallback[AIOBS_RATE_LAST] = {
    [AIOBS_RATE_INPUT] = AIOBS_RATE_NONE,
    [AIOBS_RATE_OUTPUT] = AIOBS_RATE_NONE,
    [AIOBS_RATE_CACHE_READ] = AIOBS_RATE_INPUT,
    [AIOBS_RATE_CACHE_WRITE] = AIOBS_RATE_INPUT,
    [AIOBS_RATE_CACHE_WRITE_1H] = AIOBS_RATE_CACHE_WRITE,
    [AIOBS_RATE_REASONING] = AIOBS_RATE_OUTPUT,
    [AIOBS_RATE_AUDIO_INPUT] = AIOBS_RATE_INPUT,
    [AIOBS_RATE_AUDIO_OUTPUT] = AIOBS_RATE_OUTPUT,
    [AIOBS_RATE_IMAGE_TOKEN_INPUT] = AIOBS_RATE_INPUT,
    [AIOBS_RATE_IMAGE_TOKEN_OUTPUT] = AIOBS_RATE_OUTPUT,
    [AIOBS_RATE_IMAGE_INPUT] = AIOBS_RATE_NONE,
    [AIOBS_RATE_IMAGE_OUTPUT] = AIOBS_RATE_IMAGE_INPUT,
    [AIOBS_RATE_REQUEST] = AIOBS_RATE_NONE,
    [AIOBS_RATE_QUERY] = AIOBS_RATE_NONE,
    [AIOBS_RATE_SEARCH] = AIOBS_RATE_NONE,
    [AIOBS_RATE_SECOND] = AIOBS_RATE_NONE,
    [AIOBS_RATE_CHARACTER_INPUT] = AIOBS_RATE_NONE,
    [AIOBS_RATE_CHARACTER_OUTPUT] = AIOBS_RATE_NONE
};


aiobs_tier_e
aiobs_price_tier(const char *name, size_t len)
{
    if (len == 5 && strncasecmp(name, "batch", 5) == 0) {
        return AIOBS_TIER_BATCH;
    }

    if (len == 4 && strncasecmp(name, "flex", 4) == 0) {
        return AIOBS_TIER_FLEX;
    }

    if (len == 8 && strncasecmp(name, "priority", 8) == 0) {
        return AIOBS_TIER_PRIORITY;
    }

    return AIOBS_TIER_STANDARD;
}


int64_t
aiobs_price_cost(const aiobs_price_t *price, const aiobs_usage_record_t *rec,
    const aiobs_units_t *units, aiobs_tier_e tier)
{
    __int128                    nano;
    aiobs_price_sum_t           s;
    static const aiobs_units_t  none;

    if (units == NULL) {
        units = &none;
    }

    memset(&s, 0, sizeof(s));
    s.price = price;
    s.input = rec->input;
    s.tier = tier;

    aiobs_price_input(&s, rec, units->image_input_tokens);
    aiobs_price_output(&s, rec, units->image_output_tokens);

    aiobs_price_units(&s, AIOBS_RATE_IMAGE_INPUT,
                      aiobs_price_thousand(units->images_input));
    aiobs_price_units(&s, AIOBS_RATE_IMAGE_OUTPUT,
                      aiobs_price_thousand(units->images_output));
    aiobs_price_units(&s, AIOBS_RATE_REQUEST, aiobs_price_thousand(1));
    aiobs_price_units(&s, AIOBS_RATE_QUERY,
                      aiobs_price_thousand(units->queries));
    aiobs_price_units(&s, AIOBS_RATE_SEARCH,
                      aiobs_price_thousand(units->searches));
    aiobs_price_units(&s, AIOBS_RATE_SECOND, units->milliseconds);
    aiobs_price_units(&s, AIOBS_RATE_CHARACTER_INPUT,
                      aiobs_price_thousand(units->characters_input));
    aiobs_price_units(&s, AIOBS_RATE_CHARACTER_OUTPUT,
                      aiobs_price_thousand(units->characters_output));

    if (!s.known || (s.missing && !s.units)) {
        return AIOBS_ABSENT;
    }

    nano = s.attousd + AIOBS_ATTO_PER_NANO / 2;

    if (nano <= UINT64_MAX) {
        return (uint64_t) nano / AIOBS_ATTO_PER_NANO;
    }

    nano /= AIOBS_ATTO_PER_NANO;

    return (nano > INT64_MAX) ? INT64_MAX : (int64_t) nano;
}


static void
aiobs_price_input(aiobs_price_sum_t *s, const aiobs_usage_record_t *rec,
    int64_t images)
{
    int64_t  rest, read, write, write_1h, audio;

    if (rec->input < 0) {
        return;
    }

    rest = rec->input;
    read = aiobs_price_part(rec->cache_read, &rest);
    write = aiobs_price_part(rec->cache_write, &rest);
    write_1h = aiobs_price_part(rec->cache_write_1h, &write);
    audio = aiobs_price_part(rec->audio_input, &rest);
    images = aiobs_price_part(images, &rest);

    aiobs_price_tokens(s, AIOBS_RATE_INPUT, rest);
    aiobs_price_tokens(s, AIOBS_RATE_CACHE_READ, read);
    aiobs_price_tokens(s, AIOBS_RATE_CACHE_WRITE, write);
    aiobs_price_tokens(s, AIOBS_RATE_CACHE_WRITE_1H, write_1h);
    aiobs_price_tokens(s, AIOBS_RATE_AUDIO_INPUT, audio);
    aiobs_price_tokens(s, AIOBS_RATE_IMAGE_TOKEN_INPUT, images);
}


static void
aiobs_price_output(aiobs_price_sum_t *s, const aiobs_usage_record_t *rec,
    int64_t images)
{
    int64_t  rest, reasoning, audio;

    if (rec->output < 0) {
        return;
    }

    rest = rec->output;
    reasoning = aiobs_price_part(rec->reasoning, &rest);
    audio = aiobs_price_part(rec->audio_output, &rest);
    images = aiobs_price_part(images, &rest);

    aiobs_price_tokens(s, AIOBS_RATE_OUTPUT, rest);
    aiobs_price_tokens(s, AIOBS_RATE_REASONING, reasoning);
    aiobs_price_tokens(s, AIOBS_RATE_AUDIO_OUTPUT, audio);
    aiobs_price_tokens(s, AIOBS_RATE_IMAGE_TOKEN_OUTPUT, images);
}


/* a subset, taken out of the rest */

static int64_t
aiobs_price_part(int64_t n, int64_t *rest)
{
    n = (n < 0) ? 0 : (n > *rest) ? *rest : n;
    *rest -= n;

    return n;
}


static void
aiobs_price_tokens(aiobs_price_sum_t *s, unsigned kind, int64_t n)
{
    const aiobs_rate_t  *rate;

    if (n == 0 && s->known) {
        return;                     /* a rate for nothing tells nothing more */
    }

    do {
        rate = aiobs_price_rate(s, kind);
        kind = aiobs_price_fallback[kind];
    } while (rate == NULL && kind != AIOBS_RATE_NONE);

    if (rate == NULL) {
        s->missing |= (n > 0);
        return;
    }

    s->known = 1;

    if (n > 0) {
        s->attousd += (__int128) rate->femtousd * aiobs_price_thousand(n);
    }
}


static void
aiobs_price_units(aiobs_price_sum_t *s, unsigned kind, int64_t thousandths)
{
    const aiobs_rate_t  *rate;

    if (thousandths <= 0) {
        return;
    }

    do {
        rate = aiobs_price_rate(s, kind);
        kind = aiobs_price_fallback[kind];
    } while (rate == NULL && kind != AIOBS_RATE_NONE);

    if (rate == NULL || rate->femtousd == 0) {
        return;
    }

    s->known = 1;
    s->units = 1;
    s->attousd += (__int128) rate->femtousd * thousandths;
}


static int64_t
aiobs_price_thousand(int64_t n)
{
    return (n < 0) ? 0 : (n > AIOBS_TOKENS_MAX) ? AIOBS_TOKENS_MAX * 1000
                                                : n * AIOBS_ATTO_PER_FEMTO;
}


/*
 * The highest band reached, in it the tier's own.  Of two fields of one kind
 * (seconds in and out are the same seconds) the one that is not zero.
 */

static const aiobs_rate_t *
aiobs_price_rate(const aiobs_price_sum_t *s, unsigned kind)
{
    uint8_t              only;
    uint32_t             i;
    const aiobs_rate_t  *r, *best;

    only = s->price->only[kind];

    if (only != AIOBS_RATE_MANY) {
        return (only == AIOBS_RATE_ABSENT) ? NULL
                                           : &s->price->rates[only - 1];
    }

    best = NULL;

    for (i = 0; i < s->price->nrates; i++) {
        r = &s->price->rates[i];

        if (r->kind != kind
            || (r->tier != AIOBS_TIER_STANDARD && r->tier != s->tier)
            || (r->above > 0 && s->input <= r->above))
        {
            continue;
        }

        if (best == NULL || r->above > best->above
            || (r->above == best->above && r->tier > best->tier)
            || (r->above == best->above && r->tier == best->tier
                && r->femtousd > best->femtousd))
        {
            best = r;
        }
    }

    return best;
}
