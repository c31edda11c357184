
/*
 * Copyright (C) the aiobs authors
 *
 * The keys API: keys that are rotated, revoked, restored and removed.
 */


#include "aiobs_keys_api_route.h"

#include <openssl/crypto.h>


#define AIOBS_KEYS_API_GRACE  86400     /* seconds, by default */
#define AIOBS_KEYS_API_GRACE_MAX  3153600000 /* a hundred years */


static int aiobs_keys_api_activate(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash, int active);
static int aiobs_keys_api_ignore(void *data, const aiobs_key_row_t *row);


int
aiobs_keys_api_delete(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash)
{
    int            rc;
    char           actor[32];
    aiobs_actor_t  who;

    aiobs_keys_api_who(api, &who, actor);

    rc = aiobs_store_delete(store, &who, hash);

    if (rc == AIOBS_STORE_OK) {
        api->status = 204;
        api->event = "key_deleted";
    }

    return aiobs_keys_api_gone(api, rc);
}


int
aiobs_keys_api_rotate(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash)
{
    int            rc;
    char           key[AIOBS_KEY_RAW_LEN + 1], actor[32];
    char           new_hash[AIOBS_KEY_HEX_LEN + 1];
    json_t        *body, *seconds;
    int64_t        grace;
    aiobs_actor_t  who;

    body = aiobs_keys_api_body(api, 0);
    if (body == NULL) {
        return AIOBS_STORE_OK;
    }

    seconds = json_object_get(body, "grace_seconds");
    grace = seconds ? json_integer_value(seconds) : AIOBS_KEYS_API_GRACE;

    if (json_object_size(body) != (seconds != NULL)
        || (seconds && !json_is_integer(seconds))
        || grace < 0 || grace > AIOBS_KEYS_API_GRACE_MAX)
    {
        json_decref(body);
        aiobs_keys_api_problem(api, 422, "The body may have grace_seconds, a"
                               " whole number from 0 to 3153600000.");
        return AIOBS_STORE_OK;
    }

    json_decref(body);
    aiobs_keys_api_who(api, &who, actor);

    rc = aiobs_keys_api_new(key, new_hash);

    if (rc == AIOBS_STORE_OK) {
        rc = aiobs_store_rotate(store, &who, hash, new_hash, grace);
    }

    if (rc == AIOBS_STORE_OK) {
        rc = aiobs_keys_api_done(api, store, new_hash, key, "key_rotated");
    }

    OPENSSL_cleanse(key, sizeof(key));

    if (rc == AIOBS_STORE_INACTIVE) {
        aiobs_keys_api_problem(api, 409, "This key is revoked, has expired, or"
                               " was rotated already.");
        return AIOBS_STORE_OK;
    }

    return aiobs_keys_api_gone(api, rc);
}


int
aiobs_keys_api_revoke(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash)
{
    return aiobs_keys_api_activate(api, store, hash, 0);
}


int
aiobs_keys_api_restore(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash)
{
    return aiobs_keys_api_activate(api, store, hash, 1);
}


static int
aiobs_keys_api_activate(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash, int active)
{
    int            rc;
    char           actor[32];
    aiobs_actor_t  who;

    aiobs_keys_api_who(api, &who, actor);

    rc = aiobs_store_activate(store, &who, hash, NULL, active,
                              aiobs_keys_api_ignore, NULL);

    if (rc == AIOBS_STORE_OK) {
        rc = aiobs_keys_api_done(api, store, hash, NULL,
                                 active ? "key_restored" : "key_revoked");
    }

    return rc;
}


static int
aiobs_keys_api_ignore(void *data, const aiobs_key_row_t *row)
{
    return 0;
}
