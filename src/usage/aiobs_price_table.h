
/*
 * Copyright (C) the aiobs authors
 *
 * Between the reader of price files (aiobs_price_file.c) and the use of prices
 * (aiobs_price.c); for no one else.
 */


#ifndef _AIOBS_PRICE_TABLE_H_INCLUDED_
#define _AIOBS_PRICE_TABLE_H_INCLUDED_


#include "aiobs_price.h"


typedef enum {
    AIOBS_RATE_INPUT = 0,
    AIOBS_RATE_OUTPUT,
    AIOBS_RATE_CACHE_READ,
    AIOBS_RATE_CACHE_WRITE,
    AIOBS_RATE_CACHE_WRITE_1H,
    AIOBS_RATE_REASONING,
    AIOBS_RATE_AUDIO_INPUT,
    AIOBS_RATE_AUDIO_OUTPUT,
    AIOBS_RATE_IMAGE_TOKEN_INPUT,
    AIOBS_RATE_IMAGE_TOKEN_OUTPUT,
    AIOBS_RATE_VIDEO_TOKEN_INPUT,
    AIOBS_RATE_VIDEO_TOKEN_OUTPUT,
    AIOBS_RATE_CACHE_READ_AUDIO,
    AIOBS_RATE_IMAGE_INPUT,
    AIOBS_RATE_IMAGE_OUTPUT,
    AIOBS_RATE_REQUEST,
    AIOBS_RATE_QUERY,
    AIOBS_RATE_SEARCH,
    AIOBS_RATE_SECOND,
    AIOBS_RATE_CHARACTER_INPUT,
    AIOBS_RATE_CHARACTER_OUTPUT,
    AIOBS_RATE_PAGE,
    AIOBS_RATE_LAST
} aiobs_rate_e;


typedef struct {
    int64_t    femtousd;        /* per token, image, second, ... */
    uint32_t   above;           /* tokens of input that must be exceeded */
    uint8_t    kind;
    uint8_t    tier;
} aiobs_rate_t;


struct aiobs_price_s {
    const char          *name;
    const aiobs_rate_t  *rates;
    uint32_t             name_len;
    uint32_t             nrates;

    /* what its tokens cost then, in thousandths; 0: as much */

    uint16_t             fast;
    uint16_t             geo_us;

    /* what aiobs_price_index() makes of the rates */

    uint32_t             tiers;         /* whether there are some of a tier */
    int64_t              below;         /* input that exceeds no "above" */
    int64_t              standard[AIOBS_RATE_LAST]; /* of such input, of the
                                           standard tier, or what stands in
                                           for it; AIOBS_ABSENT: nothing */
};


/* a name looked up before */

#define AIOBS_PRICE_MEMOS      32       /* a power of two */
#define AIOBS_PRICE_PROVIDER   32       /* bytes; of longer ones there is none */

typedef struct {
    const aiobs_price_t  *price;        /* NULL: not listed */
    uint32_t              model_len;    /* 0: no memo */
    char                  provider[AIOBS_PRICE_PROVIDER];
    char                  model[AIOBS_MODEL_MAX];
} aiobs_price_memo_t;


struct aiobs_prices_s {
    aiobs_price_memo_t  *memos;         /* the only thing that changes */
    aiobs_price_t       *models;
    uint32_t            *slots;         /* number of a model plus 1; 0: none */
    uint32_t             mask;
    uint32_t             nmodels;
    uint32_t             nskipped;
};


/* to be called once a price has its rates */
void aiobs_price_index(aiobs_price_t *price);

uint32_t aiobs_price_hash(const char *name, size_t len);

const aiobs_price_t *aiobs_price_lookup(const aiobs_prices_t *prices,
    const char *name, size_t len);


#endif /* _AIOBS_PRICE_TABLE_H_INCLUDED_ */
