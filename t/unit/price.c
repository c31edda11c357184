
/*
 * Copyright (C) the aiobs authors
 *
 * Driver of price.t: "price FILE", or "price -m FILE" with each allocation of
 * the reader failing in turn.  A line of standard input: provider, model, tier,
 * then input, output, cache_read, cache_write, cache_write_1h, reasoning,
 * audio_input, audio_output and the members of aiobs_units_t, 23 numbers.  A
 * line of output: the name of the entry found, or "-", and nano-USD.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "usage/aiobs_price.h"
#include "usage/aiobs_price_table.h"


static void costs(const aiobs_prices_t *prices);
static int starve(const char *file);


static long  allocations, allowed = -1;


static void *
counted_malloc(size_t size)
{
    if (allowed >= 0 && allocations++ >= allowed) {
        return NULL;
    }

    return malloc(size);
}


int
main(int argc, char **argv)
{
    char             error[512];
    aiobs_prices_t  *prices;

    if (argc > 2) {
        return starve(argv[2]);
    }

    prices = aiobs_prices_load(argv[1], error, sizeof(error));

    if (prices == NULL) {
        printf("error %s\n", error);
        return 0;
    }

    printf("%zu %zu\n", aiobs_prices_models(prices),
           aiobs_prices_skipped(prices));
    costs(prices);
    aiobs_prices_free(prices);

    return 0;
}


static void
costs(const aiobs_prices_t *prices)
{
    int                    n, i;
    char                   line[2048], provider[64], tier[64], *p, *model;
    long long              v[23];
    aiobs_units_t          units;
    const aiobs_price_t   *price;
    aiobs_usage_record_t   rec;

    while (fgets(line, sizeof(line), stdin) != NULL) {
        model = malloc(sizeof(line));

        if (sscanf(line, "%63s %2047s %63s%n", provider, model, tier, &n) != 3)
        {
            exit(2);
        }

        for (p = line + n, i = 0; i < 23; i++) {
            v[i] = strtoll(p, &p, 10);
        }

        memset(&rec, 0, sizeof(rec));
        rec.input = v[0];
        rec.output = v[1];
        rec.cache_read = v[2];
        rec.cache_write = v[3];
        rec.cache_write_1h = v[4];
        rec.reasoning = v[5];
        rec.audio_input = v[6];
        rec.audio_output = v[7];
        units = (aiobs_units_t) { v[8], v[9], v[10], v[11], v[12], v[13],
                                  v[14], v[15], v[16], v[17], v[18], v[19],
                                  v[20] };
        rec.fast = v[21];
        rec.geo_us = v[22];

        /* no NUL after it: the sanitizer sees what reads on */
        n = strlen(model);
        p = malloc(n);
        memcpy(p, model, n);
        price = aiobs_price_find(prices, provider, p, n);
        free(p);
        free(model);

        if (price == NULL) {
            printf("- -1\n");
            continue;
        }

        printf("%.*s %lld\n", (int) price->name_len, price->name,
               (long long) aiobs_price_cost(price, &rec, &units,
                                     aiobs_price_tier(tier, strlen(tier))));
    }
}


static int
starve(const char *file)
{
    long             failures;
    char             error[512];
    aiobs_prices_t  *prices;

    json_set_alloc_funcs(counted_malloc, free);
    failures = 0;

    for (allowed = 0; /* void */ ; allowed++) {
        allocations = 0;
        prices = aiobs_prices_load(file, error, sizeof(error));

        if (prices != NULL) {
            aiobs_prices_free(prices);

            if (allocations <= allowed) {
                break;
            }

            printf("loaded in spite of a failure\n");
            return 1;
        }

        failures += (error[0] != '\0');
    }

    printf("%ld failures\n", failures);

    return 0;
}
