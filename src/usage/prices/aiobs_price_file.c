
/*
 * Copyright (C) the aiobs authors
 *
 * Reads price files in the format of LiteLLM's
 * model_prices_and_context_window.json into one piece of memory.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usage/prices/aiobs_price_entry.h"


#define AIOBS_FACTOR_MAX  8


static aiobs_prices_t *aiobs_prices_build(json_t *root);
static void aiobs_prices_fill(aiobs_prices_t *prices, json_t *root,
    aiobs_rate_t *rates, char *names);
static void aiobs_prices_slot(aiobs_prices_t *prices, const char *name,
    size_t len);
static int aiobs_price_is_model(const char *name, const json_t *entry);
static json_t *aiobs_price_entry(json_t *root, json_t *entry);
static uint16_t aiobs_price_factor(const json_t *entry, const char *name);


aiobs_prices_t *
aiobs_prices_load(const char *file, char *error, size_t error_size)
{
    json_t          *root;
    json_error_t     e;
    aiobs_prices_t  *prices;

    root = json_load_file(file, 0, &e);

    if (root == NULL && e.line < 0) {
        snprintf(error, error_size, "%s: %s", file, e.text);
        return NULL;
    }

    if (root == NULL) {
        snprintf(error, error_size, "%s:%d: %s", file, e.line, e.text);
        return NULL;
    }

    if (!json_is_object(root)) {
        snprintf(error, error_size, "%s:1: not an object of models", file);
        json_decref(root);
        return NULL;
    }

    prices = aiobs_prices_build(root);
    json_decref(root);

    if (prices == NULL) {
        snprintf(error, error_size, "%s: not enough memory", file);
        return NULL;
    }

    if (prices->nmodels == 0) {
        snprintf(error, error_size, "%s: lists no model with a price, "
                 "%u entries were left out", file, prices->nskipped);
        aiobs_prices_free(prices);
        return NULL;
    }

    return prices;
}


void
aiobs_prices_free(aiobs_prices_t *prices)
{
    free(prices);
}


size_t
aiobs_prices_models(const aiobs_prices_t *prices)
{
    return prices->nmodels;
}


size_t
aiobs_prices_skipped(const aiobs_prices_t *prices)
{
    return prices->nskipped;
}


static aiobs_prices_t *
aiobs_prices_build(json_t *root)
{
    json_t                *entry;
    size_t                 nmodels, nrates, names, slots, size;
    uint8_t               *p;
    const char            *name;
    aiobs_prices_t        *prices;
    aiobs_price_reader_t   reader;

    nmodels = 0;
    nrates = 0;
    names = 0;

    json_object_foreach(root, name, entry) {
        memset(&reader, 0, sizeof(reader));
        entry = aiobs_price_entry(root, entry);

        if (aiobs_price_is_model(name, entry)
            && aiobs_price_read(&reader, entry) == 0 && reader.nrates > 0)
        {
            nmodels++;
            nrates += reader.nrates;
            names += strlen(name);
        }
    }

    for (slots = 16; slots < nmodels * 2; slots *= 2) { /* void */ }

    size = sizeof(aiobs_prices_t)
           + AIOBS_PRICE_MEMOS * sizeof(aiobs_price_memo_t)
           + nmodels * sizeof(aiobs_price_t)
           + nrates * sizeof(aiobs_rate_t) + slots * sizeof(uint32_t) + names;

    p = calloc(1, size);
    if (p == NULL) {
        return NULL;
    }

    prices = (aiobs_prices_t *) p;
    prices->memos = (aiobs_price_memo_t *) (prices + 1);
    prices->models = (aiobs_price_t *) (prices->memos + AIOBS_PRICE_MEMOS);
    prices->mask = slots - 1;
    p = (uint8_t *) (prices->models + nmodels);
    prices->slots = (uint32_t *) (p + nrates * sizeof(aiobs_rate_t));

    aiobs_prices_fill(prices, root, (aiobs_rate_t *) p,
                      (char *) (prices->slots + slots));

    return prices;
}


static void
aiobs_prices_fill(aiobs_prices_t *prices, json_t *root, aiobs_rate_t *rates,
    char *names)
{
    json_t                *entry;
    const char            *name;
    aiobs_price_t         *price;
    aiobs_price_reader_t   reader;

    json_object_foreach(root, name, entry) {
        if (strcmp(name, "sample_spec") == 0) {
            continue;               /* describes the format */
        }

        memset(&reader, 0, sizeof(reader));
        entry = aiobs_price_entry(root, entry);

        if (!aiobs_price_is_model(name, entry)
            || aiobs_price_read(&reader, entry) != 0)
        {
            prices->nskipped++;
            continue;
        }

        if (reader.nrates == 0) {
            continue;               /* free, or billed by what is unknown */
        }

        reader.rates = rates;
        reader.nrates = 0;
        (void) aiobs_price_read(&reader, entry);

        price = &prices->models[prices->nmodels++];
        price->name = names;
        price->name_len = strlen(name);
        price->rates = rates;
        price->nrates = reader.nrates;
        price->fast = aiobs_price_factor(entry, "fast");
        price->geo_us = aiobs_price_factor(entry, "us");
        aiobs_price_index(price);

        memcpy(names, name, price->name_len);
        names += price->name_len;
        rates += price->nrates;

        aiobs_prices_slot(prices, name, price->name_len);
    }
}


/* of the model that was added last */

static void
aiobs_prices_slot(aiobs_prices_t *prices, const char *name, size_t len)
{
    uint32_t  i;

    i = aiobs_price_hash(name, len) & prices->mask;

    while (prices->slots[i] != 0) {
        i = (i + 1) & prices->mask;
    }

    prices->slots[i] = prices->nmodels;
}


static int
aiobs_price_is_model(const char *name, const json_t *entry)
{
    return name[0] != '\0' && json_is_object(entry)
           && strcmp(name, "sample_spec") != 0;
}


/* a name may stand for another's entry */

static json_t *
aiobs_price_entry(json_t *root, json_t *entry)
{
    json_t      *other;
    const char  *name;

    name = json_string_value(json_object_get(entry, "alias_of"));
    other = (name == NULL) ? NULL : json_object_get(root, name);

    return json_is_object(other) ? other : entry;
}


/* in thousandths; 0: there is none, or none that is meant */

static uint16_t
aiobs_price_factor(const json_t *entry, const char *name)
{
    double  n;

    n = json_number_value(json_object_get(
            json_object_get(entry, "provider_specific_entry"), name));

    return (n > 0 && n <= AIOBS_FACTOR_MAX) ? n * 1000 + 0.5 : 0;
}
