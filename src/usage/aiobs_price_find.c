
/*
 * Copyright (C) the aiobs authors
 *
 * A model's entry in the price file, by the names a provider may give it.
 */


#include <string.h>

#include "aiobs_price_table.h"


#define AIOBS_PREFIX_MAX  32


typedef struct {
    const char  *provider;
    const char  *prefixes[2];
} aiobs_price_prefix_t;


static unsigned aiobs_price_slot(const char *model, size_t len);
static const aiobs_price_t *aiobs_price_search(const aiobs_prices_t *prices,
    const char *provider, const char *model, size_t model_len);
static const aiobs_price_t *aiobs_price_prefixed(const aiobs_prices_t *prices,
    const char *provider, const char *model, size_t len);
static size_t aiobs_price_region(const char *model, size_t len);
static size_t aiobs_price_undated(const char *model, size_t len);
static int aiobs_price_digits(const char *p, size_t n);


/* providers whose models are listed under another name than their own */

static const aiobs_price_prefix_t  aiobs_price_prefixes[] = {
    { "anthropic",          { "anthropic", "vertex_ai" } },   /* rawPredict */
    { "azure.ai.openai",    { "azure", NULL } },
    { "azure.ai.inference", { "azure_ai", "azure" } },
    { "aws.bedrock",        { "bedrock", "bedrock_converse" } },
    { "bedrock-mantle",     { "bedrock_mantle", "bedrock" } },
    { "gemini",             { "gemini", "vertex_ai" } },
    { "gcp.gemini",         { "gemini", "vertex_ai" } },
    { "gcp.gen_ai",         { "gemini", "vertex_ai" } },
    { "gcp.vertex_ai",      { "vertex_ai", "gemini" } },
    { "vertex",             { "vertex_ai", "gemini" } },
    { "mistral",            { "vertex_ai", "mistral" } },     /* rawPredict */
    { "meta",               { "vertex_ai/meta", "vertex_ai" } },
    { "ai21",               { "vertex_ai", "ai21" } },
    { "mistral_ai",         { "mistral", NULL } },
    { "x_ai",               { "xai", NULL } },
    { "together",           { "together_ai", NULL } },
    { "fireworks",          { "fireworks_ai", NULL } },
    { "copilot",            { "github_copilot", NULL } },
    { "alibaba",            { "dashscope", NULL } },
    { "ibm.watsonx.ai",     { "watsonx", NULL } },
    { "alephalpha",         { "aleph_alpha", NULL } }
};

#define AIOBS_PREFIXES  (sizeof(aiobs_price_prefixes)                         \
                         / sizeof(aiobs_price_prefix_t))


const aiobs_price_t *
aiobs_price_find(const aiobs_prices_t *prices, const char *provider,
    const char *model, size_t model_len)
{
    size_t               n;
    aiobs_price_memo_t  *memo;

    if (model_len == 0 || model_len > AIOBS_MODEL_MAX) {
        return NULL;
    }

    memo = &prices->memos[aiobs_price_slot(model, model_len)];

    if (memo->model_len == model_len
        && memcmp(memo->model, model, model_len) == 0
        && strcmp(memo->provider, provider) == 0)
    {
        return memo->price;
    }

    n = strlen(provider) + 1;

    if (n > AIOBS_PRICE_PROVIDER) {
        return aiobs_price_search(prices, provider, model, model_len);
    }

    memo->price = aiobs_price_search(prices, provider, model, model_len);
    memo->model_len = (uint32_t) model_len;
    memcpy(memo->model, model, model_len);
    memcpy(memo->provider, provider, n);

    return memo->price;
}


/* names differ in their first or last bytes, most often */

static unsigned
aiobs_price_slot(const char *model, size_t len)
{
    size_t    n;
    uint64_t  first, last;

    first = 0;
    last = 0;
    n = (len < sizeof(first)) ? len : sizeof(first);

    memcpy(&first, model, n);
    memcpy(&last, model + len - n, n);

    return ((first * 31 + last) * 0x9e3779b97f4a7c15u >> 32)
           & (AIOBS_PRICE_MEMOS - 1);
}


static const aiobs_price_t *
aiobs_price_search(const aiobs_prices_t *prices, const char *provider,
    const char *model, size_t model_len)
{
    size_t                n;
    const aiobs_price_t  *price;

    price = aiobs_price_prefixed(prices, provider, model, model_len);

    if (price != NULL) {
        return price;
    }

    if (strstr(provider, "bedrock") != NULL) {
        n = aiobs_price_region(model, model_len);
        model += n;
        model_len -= n;

        price = aiobs_price_prefixed(prices, provider, model, model_len);

        if (price != NULL) {
            return price;
        }
    }

    n = aiobs_price_undated(model, model_len);

    return (n == model_len) ? NULL
                            : aiobs_price_prefixed(prices, provider, model, n);
}


uint32_t
aiobs_price_hash(const char *name, size_t len)
{
    uint32_t  h;

    /* FNV-1a */

    for (h = 2166136261u; len > 0; len--, name++) {
        h = (h ^ (uint8_t) *name) * 16777619u;
    }

    return h ^ h >> 15;
}


const aiobs_price_t *
aiobs_price_lookup(const aiobs_prices_t *prices, const char *name, size_t len)
{
    uint32_t              i;
    const aiobs_price_t  *price;

    i = aiobs_price_hash(name, len) & prices->mask;

    for ( /* void */ ; prices->slots[i] != 0; i = (i + 1) & prices->mask) {
        price = &prices->models[prices->slots[i] - 1];

        if (price->name_len == len && memcmp(price->name, name, len) == 0) {
            return price;
        }
    }

    return NULL;
}


/* the name itself, then "provider/name" */

static const aiobs_price_t *
aiobs_price_prefixed(const aiobs_prices_t *prices, const char *provider,
    const char *model, size_t len)
{
    char                  name[AIOBS_PREFIX_MAX + 1 + AIOBS_MODEL_MAX];
    size_t                n, i, k;
    const char           *prefixes[3] = { provider, NULL, NULL };
    const aiobs_price_t  *price;

    price = aiobs_price_lookup(prices, model, len);

    for (i = 0; i < AIOBS_PREFIXES; i++) {
        if (strcmp(aiobs_price_prefixes[i].provider, provider) == 0) {
            prefixes[0] = aiobs_price_prefixes[i].prefixes[0];
            prefixes[1] = aiobs_price_prefixes[i].prefixes[1];
            break;
        }
    }

    for (k = 0; price == NULL && prefixes[k] != NULL; k++) {
        n = strlen(prefixes[k]);

        if (n == 0 || n > AIOBS_PREFIX_MAX) {
            continue;
        }

        memcpy(name, prefixes[k], n);
        name[n] = '/';
        memcpy(name + n + 1, model, len);

        price = aiobs_price_lookup(prices, name, n + 1 + len);
    }

    return price;
}


/* bytes of ARN and region before a Bedrock model's own name */

static size_t
aiobs_price_region(const char *model, size_t len)
{
    size_t       i, n, start;
    static const char *const  regions[] = {
        "us.", "eu.", "apac.", "global.", "jp.", "au.", "ca.", "us-gov."
    };

    start = 0;

    if (len > 4 && memcmp(model, "arn:", 4) == 0) {
        for (start = len; start > 0 && model[start - 1] != '/'; start--) {
            /* void */
        }
    }

    for (i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
        n = strlen(regions[i]);

        if (len - start > n && memcmp(model + start, regions[i], n) == 0) {
            return start + n;
        }
    }

    return start;
}


/* the length without "-2024-08-06", "-20240806" or "@20240806" */

static size_t
aiobs_price_undated(const char *model, size_t len)
{
    const char  *p;

    if (len > 9) {
        p = model + len - 9;

        if ((p[0] == '-' || p[0] == '@') && aiobs_price_digits(p + 1, 8)) {
            return len - 9;
        }
    }

    if (len > 11) {
        p = model + len - 11;

        if (p[0] == '-' && aiobs_price_digits(p + 1, 4)
            && p[5] == '-' && aiobs_price_digits(p + 6, 2)
            && p[8] == '-' && aiobs_price_digits(p + 9, 2))
        {
            return len - 11;
        }
    }

    return len;
}


static int
aiobs_price_digits(const char *p, size_t n)
{
    for ( /* void */ ; n > 0; n--, p++) {
        if (*p < '0' || *p > '9') {
            return 0;
        }
    }

    return 1;
}
