
/*
 * Copyright (C) the aiobs authors
 *
 * What a call costs, by a price file in the format of LiteLLM's
 * model_prices_and_context_window.json.
 *
 * Prices are kept in whole femto-USD (1e-15) per unit, sums are made in 128
 * bits, and the total is rounded once, half up, to nano-USD (1e-9): exact for
 * prices below 2 USD a unit of up to 15 decimal places, which all are.
 */


#ifndef _AIOBS_PRICE_H_INCLUDED_
#define _AIOBS_PRICE_H_INCLUDED_


#include "aiobs_usage.h"


/*
 * In one piece of memory; may be shared by a fork.  It remembers the names
 * looked up last: not for two threads at once.
 */
typedef struct aiobs_prices_s  aiobs_prices_t;

/* of one model; lives as long as its aiobs_prices_t */
typedef struct aiobs_price_s  aiobs_price_t;


/*
 * Loads a file; reads it whole, with jansson, so not for the event loop.
 * Entries with a price that is no number, negative or above 1000 USD are left
 * out and counted; "sample_spec" is no entry.  On failure returns NULL with
 * "FILE:LINE: reason", or "FILE: reason", in error, NUL-terminated.
 */
aiobs_prices_t *aiobs_prices_load(const char *file, char *error,
    size_t error_size);

/* NULL is no harm */
void aiobs_prices_free(aiobs_prices_t *prices);

size_t aiobs_prices_models(const aiobs_prices_t *prices);
size_t aiobs_prices_skipped(const aiobs_prices_t *prices);

/*
 * The entry of a model: by its very name, else with the provider's prefix
 * ("azure/gpt-4o"), else, of Bedrock, without ARN and region
 * ("us.amazon.nova-lite-v1:0"), else without its date ("-2024-08-06",
 * "-20240806", "@20240806").  provider: a label value of aiobs_api_provider(),
 * or LiteLLM's own name.  NULL: not listed.
 */
const aiobs_price_t *aiobs_price_find(const aiobs_prices_t *prices,
    const char *provider, const char *model, size_t model_len);

/* service tier as answers name it; unknown ones are standard */
aiobs_tier_e aiobs_price_tier(const char *name, size_t len);

/*
 * nano-USD, at most AIOBS_COST_MAX, or AIOBS_ABSENT where the entry does not
 * price what was consumed.
 * units: NULL if there is nothing but tokens.
 *
 * Of a rate, the variant is taken whose "_above_Nk_tokens" is the highest that
 * the record's whole input exceeds, and of these the one of the tier, else the
 * standard one, as LiteLLM does; reasoning takes the tier's rate of output
 * before its own standard one.  Subsets without a rate of their own (cache,
 * reasoning, audio, images, video) cost what the rest of the input or output
 * costs, output without one what its image tokens cost, cached audio what the
 * rest of the cache does.  Tokens at Anthropic's speed "fast", or kept in the
 * US, cost as many times that as the entry says.
 * Subsets that exceed their whole are cut: cache first, then audio, images,
 * video.
 */
int64_t aiobs_price_cost(const aiobs_price_t *price,
    const aiobs_usage_record_t *rec, const aiobs_units_t *units,
    aiobs_tier_e tier);


#endif /* _AIOBS_PRICE_H_INCLUDED_ */
