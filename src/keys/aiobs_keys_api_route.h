
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

/*
 * Fills in the text: the key as it is stored; key: the raw one, shown this
 * once, or NULL.  NONE: there is no such key.
 */
int aiobs_keys_api_read(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash, const char *key);

/*
 * Answers what was done, and how the key is now: with all that is known of it
 * where it cannot be read, which the code of the store tells.  event: of the
 * log.
 */
int aiobs_keys_api_done(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash, const char *key, const char *event);

/* of the request, new; NULL: the problem is told */
json_t *aiobs_keys_api_body(aiobs_keys_api_t *api, int needed);

/* a raw key of AIOBS_KEY_RAW_LEN and its hash; a code of the store */
int aiobs_keys_api_new(char *key, char *hash);

/* rc, but tells of a key that was deleted just before */
int aiobs_keys_api_gone(aiobs_keys_api_t *api, int rc);

/* tells what is not fit */
void aiobs_keys_api_wrong(aiobs_keys_api_t *api, const char *error);

/* who asks; actor: 32 bytes that he is named in */
void aiobs_keys_api_who(const aiobs_keys_api_t *api, aiobs_actor_t *who,
    char *actor);

/* what is no UTF-8 becomes "?" */
void aiobs_keys_api_put(FILE *out, const char *json);


#endif /* _AIOBS_KEYS_API_ROUTE_H_INCLUDED_ */
