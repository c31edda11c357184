
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
    const int64_t        *standard;     /* NULL: rates are to be chosen */
    int64_t               input;        /* decides on "above" */
    aiobs_tier_e          tier;
    __int128              attousd;
    uint8_t               known;        /* there is something, with a rate */
    uint8_t               units;        /* something other than tokens */
    uint8_t               missing;      /* tokens without a rate */
} aiobs_price_sum_t;


static int64_t aiobs_price_choose(const aiobs_price_sum_t *s, unsigned kind);
static const aiobs_rate_t *aiobs_price_best(const aiobs_price_sum_t *s,
    unsigned kind);
static void aiobs_price_some(aiobs_price_sum_t *s, unsigned kind, int64_t n);
static void aiobs_price_things(aiobs_price_sum_t *s,
    const aiobs_units_t *units);
static void aiobs_price_units(aiobs_price_sum_t *s, unsigned kind,
    int64_t thousandths);
static void aiobs_price_input(aiobs_price_sum_t *s,
    const aiobs_usage_record_t *rec, const aiobs_units_t *units);
static void aiobs_price_output(aiobs_price_sum_t *s,
    const aiobs_usage_record_t *rec, const aiobs_units_t *units);


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
    [AIOBS_RATE_VIDEO_TOKEN_INPUT] = AIOBS_RATE_INPUT,
    [AIOBS_RATE_VIDEO_TOKEN_OUTPUT] = AIOBS_RATE_OUTPUT,
    [AIOBS_RATE_CACHE_READ_AUDIO] = AIOBS_RATE_CACHE_READ,
    [AIOBS_RATE_IMAGE_INPUT] = AIOBS_RATE_NONE,
    [AIOBS_RATE_IMAGE_OUTPUT] = AIOBS_RATE_IMAGE_INPUT,
    [AIOBS_RATE_REQUEST] = AIOBS_RATE_NONE,
    [AIOBS_RATE_QUERY] = AIOBS_RATE_NONE,
    [AIOBS_RATE_SEARCH] = AIOBS_RATE_NONE,
    [AIOBS_RATE_SECOND] = AIOBS_RATE_NONE,
    [AIOBS_RATE_CHARACTER_INPUT] = AIOBS_RATE_NONE,
    [AIOBS_RATE_CHARACTER_OUTPUT] = AIOBS_RATE_NONE,
    [AIOBS_RATE_PAGE] = AIOBS_RATE_NONE
};


aiobs_tier_e
aiobs_price_tier(const char *name, size_t len)
{
    size_t  i;

    static const struct {
        const char    *name;
        size_t         len;
        aiobs_tier_e   tier;
    } tiers[] = {
        { "batch", 5, AIOBS_TIER_BATCH },
        { "flex", 4, AIOBS_TIER_FLEX },
        { "priority", 8, AIOBS_TIER_PRIORITY },
        { "fast", 4, AIOBS_TIER_PRIORITY },
        { "ultrafast", 9, AIOBS_TIER_ULTRAFAST },
        { "balanced", 8, AIOBS_TIER_BALANCED },
        { "decisions", 9, AIOBS_TIER_DECISIONS },
        { "on_demand_flex", 14, AIOBS_TIER_FLEX },  /* Vertex */
        { "on_demand_priority", 18, AIOBS_TIER_PRIORITY },
        { "3", 1, AIOBS_TIER_PRIORITY },            /* the same as numbers */
        { "4", 1, AIOBS_TIER_FLEX }
    };

    for (i = 0; i < sizeof(tiers) / sizeof(tiers[0]); i++) {
        if (len == tiers[i].len
            && strncasecmp(name, tiers[i].name, len) == 0)
        {
            return tiers[i].tier;
        }
    }

    return AIOBS_TIER_STANDARD;
}


void
aiobs_price_index(aiobs_price_t *price)
{
    uint32_t             i;
    aiobs_price_sum_t    s;
    const aiobs_rate_t  *r;

    price->below = INT64_MAX;
    price->tiers = 0;

    for (i = 0; i < price->nrates; i++) {
        r = &price->rates[i];

        if (r->above > 0 && r->above < price->below) {
            price->below = r->above;
        }

        if (r->tier != AIOBS_TIER_STANDARD) {
            price->tiers = 1;
        }
    }

    memset(&s, 0, sizeof(s));
    s.price = price;

    for (i = 0; i < AIOBS_RATE_LAST; i++) {
        price->standard[i] = aiobs_price_choose(&s, i);
    }
}


/* femto-USD, AIOBS_ABSENT: there is none, nor another that stands in for it */

static inline int64_t
aiobs_price_rate(const aiobs_price_sum_t *s, unsigned kind)
{
    return (s->standard != NULL) ? s->standard[kind]
                                 : aiobs_price_choose(s, kind);
}


static inline int64_t
aiobs_price_thousand(int64_t n)
{
    return (n < 0) ? 0 : (n > AIOBS_TOKENS_MAX) ? AIOBS_TOKENS_MAX * 1000
                                                : n * AIOBS_ATTO_PER_FEMTO;
}


/* a subset, taken out of the rest */

static inline int64_t
aiobs_price_part(int64_t n, int64_t *rest)
{
    n = (n < 0) ? 0 : (n > *rest) ? *rest : n;
    *rest -= n;

    return n;
}


/* a rate for nothing tells nothing more, once one is known */

static inline void
aiobs_price_tokens(aiobs_price_sum_t *s, unsigned kind, int64_t n)
{
    if (n != 0 || !s->known) {
        aiobs_price_some(s, kind, n);
    }
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

    if (s.input <= price->below
        && (tier == AIOBS_TIER_STANDARD || !price->tiers))
    {
        s.standard = price->standard;
    }

    aiobs_price_input(&s, rec, units);
    aiobs_price_output(&s, rec, units);

    if (rec->fast && price->fast) {
        s.attousd = (s.attousd * price->fast + 500) / 1000;
    }

    if (rec->geo_us && price->geo_us) {
        s.attousd = (s.attousd * price->geo_us + 500) / 1000;
    }

    aiobs_price_units(&s, AIOBS_RATE_REQUEST, AIOBS_ATTO_PER_FEMTO);

    if (units->images_input | units->images_output | units->queries
        | units->searches | units->milliseconds | units->characters_input
        | units->characters_output | units->pages)
    {
        aiobs_price_things(&s, units);
    }

    if (!s.known || (s.missing && !s.units)) {
        return AIOBS_ABSENT;
    }

    nano = s.attousd + AIOBS_ATTO_PER_NANO / 2;

    if (nano <= UINT64_MAX) {
        return (uint64_t) nano / AIOBS_ATTO_PER_NANO;
    }

    nano /= AIOBS_ATTO_PER_NANO;

    return (nano > AIOBS_COST_MAX) ? AIOBS_COST_MAX : (int64_t) nano;
}


/* audio of the prompt that the cache had is none of the rest */

static void
aiobs_price_input(aiobs_price_sum_t *s, const aiobs_usage_record_t *rec,
    const aiobs_units_t *units)
{
    int64_t  rest, read, heard, write, write_1h, audio, images, video;

    if (rec->input < 0) {
        return;
    }

    rest = rec->input;
    read = aiobs_price_part(rec->cache_read, &rest);
    heard = aiobs_price_part(units->audio_cached_tokens, &read);
    write = aiobs_price_part(rec->cache_write, &rest);
    write_1h = aiobs_price_part(rec->cache_write_1h, &write);
    audio = aiobs_price_part(rec->audio_input - heard, &rest);
    images = aiobs_price_part(units->image_input_tokens, &rest);
    video = aiobs_price_part(units->video_input_tokens, &rest);

    aiobs_price_tokens(s, AIOBS_RATE_INPUT, rest);
    aiobs_price_tokens(s, AIOBS_RATE_CACHE_READ, read);
    aiobs_price_tokens(s, AIOBS_RATE_CACHE_READ_AUDIO, heard);
    aiobs_price_tokens(s, AIOBS_RATE_CACHE_WRITE, write);
    aiobs_price_tokens(s, AIOBS_RATE_CACHE_WRITE_1H, write_1h);
    aiobs_price_tokens(s, AIOBS_RATE_AUDIO_INPUT, audio);
    aiobs_price_tokens(s, AIOBS_RATE_IMAGE_TOKEN_INPUT, images);
    aiobs_price_tokens(s, AIOBS_RATE_VIDEO_TOKEN_INPUT, video);
}


static void
aiobs_price_output(aiobs_price_sum_t *s, const aiobs_usage_record_t *rec,
    const aiobs_units_t *units)
{
    int64_t  rest, reasoning, audio, images, video;

    if (rec->output < 0) {
        return;
    }

    rest = rec->output;
    reasoning = aiobs_price_part(rec->reasoning, &rest);
    audio = aiobs_price_part(rec->audio_output, &rest);
    images = aiobs_price_part(units->image_output_tokens, &rest);
    video = aiobs_price_part(units->video_output_tokens, &rest);

    aiobs_price_tokens(s, AIOBS_RATE_OUTPUT, rest);
    aiobs_price_tokens(s, AIOBS_RATE_REASONING, reasoning);
    aiobs_price_tokens(s, AIOBS_RATE_AUDIO_OUTPUT, audio);
    aiobs_price_tokens(s, AIOBS_RATE_IMAGE_TOKEN_OUTPUT, images);
    aiobs_price_tokens(s, AIOBS_RATE_VIDEO_TOKEN_OUTPUT, video);
}


static void
aiobs_price_some(aiobs_price_sum_t *s, unsigned kind, int64_t n)
{
    int64_t  rate;

    rate = aiobs_price_rate(s, kind);

    if (rate == AIOBS_ABSENT) {
        s->missing |= (n > 0);
        return;
    }

    s->known = 1;
    s->attousd += (__int128) rate * aiobs_price_thousand(n);
}


static void
aiobs_price_things(aiobs_price_sum_t *s, const aiobs_units_t *units)
{
    aiobs_price_units(s, AIOBS_RATE_IMAGE_INPUT,
                      aiobs_price_thousand(units->images_input));
    aiobs_price_units(s, AIOBS_RATE_IMAGE_OUTPUT,
                      aiobs_price_thousand(units->images_output));
    aiobs_price_units(s, AIOBS_RATE_QUERY,
                      aiobs_price_thousand(units->queries));
    aiobs_price_units(s, AIOBS_RATE_SEARCH,
                      aiobs_price_thousand(units->searches));
    aiobs_price_units(s, AIOBS_RATE_SECOND, units->milliseconds);
    aiobs_price_units(s, AIOBS_RATE_CHARACTER_INPUT,
                      aiobs_price_thousand(units->characters_input));
    aiobs_price_units(s, AIOBS_RATE_CHARACTER_OUTPUT,
                      aiobs_price_thousand(units->characters_output));
    aiobs_price_units(s, AIOBS_RATE_PAGE, aiobs_price_thousand(units->pages));
}


static void
aiobs_price_units(aiobs_price_sum_t *s, unsigned kind, int64_t thousandths)
{
    int64_t  rate;

    if (thousandths <= 0) {
        return;
    }

    rate = aiobs_price_rate(s, kind);

    if (rate == AIOBS_ABSENT || rate == 0) {
        return;
    }

    s->known = 1;
    s->units = 1;
    s->attousd += (__int128) rate * thousandths;
}


/*
 * Apart, as few entries have bands or tiers that matter.  Models of images only
 * have no rate for their output but that of image tokens.
 */

static int64_t __attribute__((noinline))
aiobs_price_choose(const aiobs_price_sum_t *s, unsigned kind)
{
    unsigned             next;
    const aiobs_rate_t  *rate, *output;

    next = kind;

    do {
        rate = aiobs_price_best(s, next);
        next = aiobs_price_fallback[next];
    } while (rate == NULL && next != AIOBS_RATE_NONE);

    if (rate == NULL && kind == AIOBS_RATE_OUTPUT) {
        rate = aiobs_price_best(s, AIOBS_RATE_IMAGE_TOKEN_OUTPUT);
    }

    if (rate && kind == AIOBS_RATE_REASONING
        && rate->tier == AIOBS_TIER_STANDARD)
    {
        /* the tier's rate of output says more than the standard one */

        output = aiobs_price_best(s, AIOBS_RATE_OUTPUT);

        if (output && output->tier != AIOBS_TIER_STANDARD) {
            rate = output;
        }
    }

    return (rate == NULL) ? AIOBS_ABSENT : rate->femtousd;
}


/*
 * The highest band reached, in it the tier's own.  Of two fields of one kind
 * (seconds in and out are the same seconds) the one that is not zero.
 */

static const aiobs_rate_t *
aiobs_price_best(const aiobs_price_sum_t *s, unsigned kind)
{
    uint32_t             i;
    const aiobs_rate_t  *r, *best;

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
