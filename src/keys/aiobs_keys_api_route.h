
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the keys API: what its routes do.
 */


#ifndef _AIOBS_KEYS_API_ROUTE_H_INCLUDED_
#define _AIOBS_KEYS_API_ROUTE_H_INCLUDED_


#include "aiobs_keys_api.h"
#include "aiobs_key_form.h"

#include <stdio.h>


/* hash: of the key, or "" for the collection; a code of the store */

typedef int (*aiobs_keys_api_route_pt)(aiobs_keys_api_t *api,
    aiobs_store_t *store, const char *hash);

typedef struct {
    const char          *method;        /* NULL: the last */
    const char          *action;        /* of the last: methods without one */
    aiobs_keys_api_route_pt   run;
} aiobs_keys_api_route_t;


int aiobs_keys_api_list(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash);
int aiobs_keys_api_create(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash);
int aiobs_keys_api_show(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash);
int aiobs_keys_api_edit(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash);
int aiobs_keys_api_delete(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash);
int aiobs_keys_api_rotate(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash);
int aiobs_keys_api_revoke(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash);
int aiobs_keys_api_restore(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash);

/* what is no UTF-8 becomes "?" */
void aiobs_keys_api_put(FILE *out, const char *json);


#endif /* _AIOBS_KEYS_API_ROUTE_H_INCLUDED_ */
