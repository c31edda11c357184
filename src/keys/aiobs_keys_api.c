
/*
 * Copyright (C) the aiobs authors
 *
 * The keys API: what is asked for, and how it is answered.
 */


#define _GNU_SOURCE

#include "aiobs_keys_api.h"
#include "aiobs_keys_api_route.h"

#include <openssl/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static int aiobs_keys_api_authorize(aiobs_keys_api_t *api,
    aiobs_store_t *store);
static int aiobs_keys_api_find(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *path, char *hash, const char **action);
static const aiobs_keys_api_route_t *aiobs_keys_api_route(
    aiobs_keys_api_t *api, const aiobs_keys_api_route_t *routes,
    const char *action);
static const char *aiobs_keys_api_title(int status);


static const aiobs_keys_api_route_t  aiobs_keys_api_collection[] = {
    { "GET", "", aiobs_keys_api_list },
    { "POST", "", aiobs_keys_api_create },
    { NULL, "GET, HEAD, POST", NULL }
};


static const aiobs_keys_api_route_t  aiobs_keys_api_item[] = {
    { "GET", "", aiobs_keys_api_show },
    { "PATCH", "", aiobs_keys_api_edit },
    { "DELETE", "", aiobs_keys_api_delete },
    { "POST", "rotate", aiobs_keys_api_rotate },
    { "POST", "revoke", aiobs_keys_api_revoke },
    { "POST", "restore", aiobs_keys_api_restore },
    { NULL, "GET, HEAD, PATCH, DELETE", NULL }
};


int
aiobs_keys_api_run(aiobs_store_t *store, void *data)
{
    aiobs_keys_api_t *api = data;

    int                       rc;
    char                      hash[AIOBS_KEY_HEX_LEN + 1];
    const char               *action;
    const aiobs_keys_api_route_t  *route;

    rc = aiobs_keys_api_authorize(api, store);

    if (rc != AIOBS_STORE_OK || api->status) {
        return rc;
    }

    action = "";
    hash[0] = '\0';

    if (api->path[0] == '\0' || strcmp(api->path, "/") == 0) {
        route = aiobs_keys_api_route(api, aiobs_keys_api_collection, action);

    } else {
        rc = aiobs_keys_api_find(api, store, api->path + 1, hash, &action);

        if (rc != AIOBS_STORE_OK || api->status) {
            return rc;
        }

        route = aiobs_keys_api_route(api, aiobs_keys_api_item, action);
    }

    return route ? route->run(api, store, hash) : AIOBS_STORE_OK;
}


int
aiobs_keys_api_makes(const aiobs_keys_api_t *api)
{
    const char  *action;

    action = strrchr(api->path, '/');

    return strcmp(api->method, "POST") == 0
           && (action == NULL || action[1] == '\0'
               || strcmp(action, "/rotate") == 0);
}


/* as the store has it now, not as it was when the request was let in */

static int
aiobs_keys_api_authorize(aiobs_keys_api_t *api, aiobs_store_t *store)
{
    int                  rc;
    aiobs_key_t          key;
    struct timeval       now;
    aiobs_store_place_t  place;

    memset(&key, 0, sizeof(key));

    if (aiobs_key_from_hex(api->caller, key.hash, AIOBS_KEY_HASH_LEN) == 0) {
        rc = aiobs_store_lookup(store, &key, 1, &place);

        if (rc != AIOBS_STORE_OK) {
            return rc;
        }
    }

    gettimeofday(&now, NULL);

    if (!key.found || !key.active || !key.policy.admin || key.policy.broken
        || (key.policy.expires && key.policy.expires <= now.tv_sec))
    {
        aiobs_keys_api_problem(api, 403, "This API key is not an admin key.");
    }

    return AIOBS_STORE_OK;
}


/* "ID" or "ID/action", where ID is a key id or the whole hash */

static int
aiobs_keys_api_find(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *path, char *hash, const char **action)
{
    int     rc;
    char    prefix[AIOBS_KEY_HEX_LEN + 1];
    size_t  len;

    len = strspn(path, "0123456789abcdef");

    if (len < AIOBS_KEY_ID_LEN || len > AIOBS_KEY_HEX_LEN
        || (path[len] != '/' && path[len] != '\0'))
    {
        aiobs_keys_api_problem(api, 404, "There is no such key.");
        return AIOBS_STORE_OK;
    }

    memcpy(prefix, path, len);
    prefix[len] = '\0';
    *action = path[len] ? path + len + 1 : "";

    rc = aiobs_store_resolve(store, prefix, hash);

    if (rc == AIOBS_STORE_NONE) {
        aiobs_keys_api_problem(api, 404, "There is no such key.");
        return AIOBS_STORE_OK;
    }

    if (rc == AIOBS_STORE_AMBIGUOUS) {
        aiobs_keys_api_problem(api, 409, "Several keys have this id: use the"
                               " hash.");
        return AIOBS_STORE_OK;
    }

    if (rc == AIOBS_STORE_OK) {
        snprintf(api->key_id, sizeof(api->key_id), "%.12s", hash);
    }

    return rc;
}


static const aiobs_keys_api_route_t *
aiobs_keys_api_route(aiobs_keys_api_t *api,
    const aiobs_keys_api_route_t *routes, const char *action)
{
    const char               *method;
    const aiobs_keys_api_route_t  *route, *other;

    method = strcmp(api->method, "HEAD") == 0 ? "GET" : api->method;
    other = NULL;

    for (route = routes; route->method; route++) {

        if (strcmp(route->action, action) != 0) {
            continue;
        }

        if (strcmp(route->method, method) == 0) {
            return route;
        }

        other = route;
    }

    if (other == NULL) {
        aiobs_keys_api_problem(api, 404, "There is no such resource.");

    } else {
        api->allow = *action ? "POST" : route->action;
        aiobs_keys_api_problem(api, 405, "This method is not allowed here.");
    }

    return NULL;
}


void
aiobs_keys_api_problem(aiobs_keys_api_t *api, int status, const char *detail)
{
    int  len;

    aiobs_keys_api_free(api);

    len = asprintf(&api->text, "{\"type\":\"about:blank\",\"title\":\"%s\","
                   "\"status\":%d,\"detail\":\"%s\",\"request_id\":\"%s\"}\n",
                   aiobs_keys_api_title(status), status, detail,
                   api->request_id);

    if (len == -1) {
        api->text = NULL;
        len = 0;
    }

    api->len = len;
    api->status = status;
    api->problem = 1;
    api->event = NULL;
    api->created = 0;
}


static const char *
aiobs_keys_api_title(int status)
{
    switch (status) {

    case 400:
        return "Bad Request";

    case 403:
        return "Forbidden";

    case 404:
        return "Not Found";

    case 405:
        return "Method Not Allowed";

    case 409:
        return "Conflict";

    case 412:
        return "Precondition Failed";

    case 413:
        return "Content Too Large";

    case 415:
        return "Unsupported Media Type";

    case 422:
        return "Unprocessable Content";

    case 503:
        return "Service Unavailable";

    default:
        return "Internal Server Error";
    }
}


void
aiobs_keys_api_free(aiobs_keys_api_t *api)
{
    if (api->text) {
        OPENSSL_cleanse(api->text, api->len);
        free(api->text);
        api->text = NULL;
    }
}
