
/*
 * Copyright (C) the aiobs authors
 *
 * One entry of a price file, as aiobs_price_file.c has it read.
 */


#ifndef _AIOBS_PRICE_ENTRY_H_INCLUDED_
#define _AIOBS_PRICE_ENTRY_H_INCLUDED_


#include <jansson.h>

#include "usage/aiobs_price_table.h"


/* one pass counts, the next one fills */

typedef struct {
    aiobs_rate_t  *rates;               /* NULL: only counted */
    size_t         nrates;
    uint32_t       above;               /* of the element of tiered_pricing */
} aiobs_price_reader_t;


/* adds the rates of an entry; -1: it has a value that is no price */
int aiobs_price_read(aiobs_price_reader_t *reader, json_t *entry);


#endif /* _AIOBS_PRICE_ENTRY_H_INCLUDED_ */
