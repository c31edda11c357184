
/*
 * Copyright (C) the aiobs authors
 *
 * The rates of one entry of a price file: which of its members are prices, for
 * what, in which tier, and above how much input.
 */


#include <stdlib.h>
#include <string.h>

#include "usage/prices/aiobs_price_entry.h"


#define AIOBS_FEMTO_PER_USD   1e15
#define AIOBS_USD_MAX         1000      /* a unit */

#define AIOBS_SEARCH_FIELD    "search_context_size_medium"


typedef struct {
    const char  *name;
    uint8_t      kind;
} aiobs_price_field_t;


typedef struct {
    const char  *name;
    uint8_t      tier;
} aiobs_price_suffix_t;


static int aiobs_price_read_field(aiobs_price_reader_t *reader,
    const char *name, json_t *value);
static int aiobs_price_read_bands(aiobs_price_reader_t *reader, json_t *bands);
static int aiobs_price_parse_name(const char *name, aiobs_rate_t *rate);
static int aiobs_price_parse_suffixes(const char *p, aiobs_rate_t *rate);
static int aiobs_price_parse_above(const char **p, uint32_t *above);
static int aiobs_price_parse_value(const json_t *value, int64_t *femtousd);
static void aiobs_price_add(aiobs_price_reader_t *reader,
    const aiobs_rate_t *rate);


static const aiobs_price_field_t  aiobs_price_fields[] = {
    { "input_cost_per_token", AIOBS_RATE_INPUT },
    { "output_cost_per_token", AIOBS_RATE_OUTPUT },
    { "cache_read_input_token_cost", AIOBS_RATE_CACHE_READ },
    { "input_cost_per_token_cache_hit", AIOBS_RATE_CACHE_READ },
    { "cache_creation_input_token_cost", AIOBS_RATE_CACHE_WRITE },
    { "cache_creation_input_token_cost_above_1hr", AIOBS_RATE_CACHE_WRITE_1H },
    { "output_cost_per_reasoning_token", AIOBS_RATE_REASONING },
    { "input_cost_per_audio_token", AIOBS_RATE_AUDIO_INPUT },
    { "output_cost_per_audio_token", AIOBS_RATE_AUDIO_OUTPUT },
    { "input_cost_per_image_token", AIOBS_RATE_IMAGE_TOKEN_INPUT },
    { "output_cost_per_image_token", AIOBS_RATE_IMAGE_TOKEN_OUTPUT },
    { "input_cost_per_video_token", AIOBS_RATE_VIDEO_TOKEN_INPUT },
    { "output_cost_per_video_token", AIOBS_RATE_VIDEO_TOKEN_OUTPUT },
    { "cache_read_input_audio_token_cost", AIOBS_RATE_CACHE_READ_AUDIO },
    { "input_cost_per_image", AIOBS_RATE_IMAGE_INPUT },
    { "output_cost_per_image", AIOBS_RATE_IMAGE_OUTPUT },
    { "input_cost_per_request", AIOBS_RATE_REQUEST },
    { "input_cost_per_query", AIOBS_RATE_QUERY },
    { AIOBS_SEARCH_FIELD, AIOBS_RATE_SEARCH },
    { "input_cost_per_second", AIOBS_RATE_SECOND },
    { "output_cost_per_second", AIOBS_RATE_SECOND },
    { "input_cost_per_audio_per_second", AIOBS_RATE_SECOND },
    { "input_cost_per_character", AIOBS_RATE_CHARACTER_INPUT },
    { "output_cost_per_character", AIOBS_RATE_CHARACTER_OUTPUT },
    { "ocr_cost_per_page", AIOBS_RATE_PAGE }
};

#define AIOBS_FIELDS  (sizeof(aiobs_price_fields)                             \
                       / sizeof(aiobs_price_field_t))


static const aiobs_price_suffix_t  aiobs_price_suffixes[] = {
    { "_batches", AIOBS_TIER_BATCH },
    { "_flex", AIOBS_TIER_FLEX },
    { "_priority", AIOBS_TIER_PRIORITY },
    { "_balanced", AIOBS_TIER_BALANCED },
    { "_ultrafast", AIOBS_TIER_ULTRAFAST },
    { "_decisions", AIOBS_TIER_DECISIONS }
};

#define AIOBS_SUFFIXES  (sizeof(aiobs_price_suffixes)                         \
                         / sizeof(aiobs_price_suffix_t))


int
aiobs_price_read(aiobs_price_reader_t *reader, json_t *entry)
{
    int          rc;
    json_t      *value;
    const char  *name;

    json_object_foreach(entry, name, value) {

        if (strcmp(name, "tiered_pricing") == 0) {
            rc = aiobs_price_read_bands(reader, value);

        } else if (strcmp(name, "search_context_cost_per_query") == 0) {
            rc = aiobs_price_read_field(reader, AIOBS_SEARCH_FIELD,
                                json_object_get(value, AIOBS_SEARCH_FIELD));
        } else {
            rc = aiobs_price_read_field(reader, name, value);
        }

        if (rc != 0) {
            return -1;
        }
    }

    return 0;
}


/* fields that are no price are passed over: 0 */

static int
aiobs_price_read_field(aiobs_price_reader_t *reader, const char *name,
    json_t *value)
{
    aiobs_rate_t  rate;

    if (value == NULL || json_is_null(value)
        || !aiobs_price_parse_name(name, &rate))
    {
        return 0;
    }

    if (!aiobs_price_parse_value(value, &rate.femtousd)) {
        return -1;
    }

    aiobs_price_add(reader, &rate);

    return 0;
}


/* [{"range": [0, 32000], "input_cost_per_token": ...}, ...] */

static int
aiobs_price_read_bands(aiobs_price_reader_t *reader, json_t *bands)
{
    size_t       i;
    double       above;
    json_t      *band, *value, *from;
    const char  *name;

    if (json_is_null(bands)) {
        return 0;
    }

    if (!json_is_array(bands)) {
        return -1;
    }

    json_array_foreach(bands, i, band) {
        from = json_array_get(json_object_get(band, "range"), 0);
        above = json_number_value(from);

        if (!json_is_number(from) || !(above >= 0 && above < UINT32_MAX)) {
            return -1;
        }

        reader->above = above;

        json_object_foreach(band, name, value) {
            if (aiobs_price_read_field(reader, name, value) != 0) {
                return -1;
            }
        }

        reader->above = 0;
    }

    return 0;
}


/* FIELD[_flex][_above_Nk_tokens][_flex]: the tier in either place */

static int
aiobs_price_parse_name(const char *name, aiobs_rate_t *rate)
{
    size_t  i, n;

    for (i = 0; i < AIOBS_FIELDS; i++) {
        n = strlen(aiobs_price_fields[i].name);

        if (strncmp(name, aiobs_price_fields[i].name, n) != 0) {
            continue;
        }

        memset(rate, 0, sizeof(aiobs_rate_t));
        rate->kind = aiobs_price_fields[i].kind;

        if (aiobs_price_parse_suffixes(name + n, rate)) {
            return 1;
        }
    }

    return 0;
}


static int
aiobs_price_parse_suffixes(const char *p, aiobs_rate_t *rate)
{
    size_t  i, n;

    n = 0;

    while (*p != '\0') {

        if (rate->above == 0 && aiobs_price_parse_above(&p, &rate->above)) {
            continue;
        }

        for (i = 0; i < AIOBS_SUFFIXES; i++) {
            n = strlen(aiobs_price_suffixes[i].name);

            if (strncmp(p, aiobs_price_suffixes[i].name, n) == 0) {
                break;
            }
        }

        if (i == AIOBS_SUFFIXES || rate->tier != AIOBS_TIER_STANDARD) {
            return 0;
        }

        rate->tier = aiobs_price_suffixes[i].tier;
        p += n;
    }

    return 1;
}


/* "_above_128k_tokens", "_above_128000_tokens" */

static int
aiobs_price_parse_above(const char **p, uint32_t *above)
{
    char           *end;
    unsigned long   n;

    if (strncmp(*p, "_above_", 7) != 0 || (*p)[7] < '0' || (*p)[7] > '9') {
        return 0;
    }

    n = strtoul(*p + 7, &end, 10);

    if (n == 0 || n > UINT32_MAX / 1000) {
        return 0;
    }

    if (*end == 'k') {
        n *= 1000;
        end++;
    }

    if (strncmp(end, "_tokens", 7) != 0) {
        return 0;
    }

    *above = n;
    *p = end + 7;

    return 1;
}


static int
aiobs_price_parse_value(const json_t *value, int64_t *femtousd)
{
    double  usd;

    if (!json_is_number(value)) {
        return 0;
    }

    usd = json_number_value(value);

    if (!(usd >= 0 && usd <= AIOBS_USD_MAX)) {
        return 0;
    }

    *femtousd = usd * AIOBS_FEMTO_PER_USD + 0.5;

    return 1;
}


static void
aiobs_price_add(aiobs_price_reader_t *reader, const aiobs_rate_t *rate)
{
    aiobs_rate_t  *r;

    if (reader->rates != NULL) {
        r = &reader->rates[reader->nrates];
        *r = *rate;

        if (reader->above > r->above) {
            r->above = reader->above;
        }
    }

    reader->nrates++;
}
