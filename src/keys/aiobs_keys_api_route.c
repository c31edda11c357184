
/*
 * Copyright (C) the aiobs authors
 *
 * The keys API: keys that are shown, created and changed.
 */


#define _GNU_SOURCE

#include "aiobs_keys_api_route.h"

#include <openssl/crypto.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>


static int aiobs_keys_api_known(aiobs_keys_api_t *api, const char *hash,
    const char *key);
static int aiobs_keys_api_only(void *data, const aiobs_key_row_t *row);
static int aiobs_keys_api_merge(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash, json_t *body);
static int aiobs_keys_api_write(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash, const json_t *body);
static const char *aiobs_keys_api_form(aiobs_key_form_t *form,
    const json_t *body);


int
aiobs_keys_api_show(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash)
{
    int  rc;

    rc = aiobs_keys_api_read(api, store, hash, NULL);

    if (rc == AIOBS_STORE_OK) {
        api->status = 200;
    }

    return aiobs_keys_api_gone(api, rc);
}


int
aiobs_keys_api_read(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash, const char *key)
{
    int                  rc;
    long                 head;
    FILE                *out;
    aiobs_key_filter_t   filter;

    out = open_memstream(&api->text, &api->len);
    if (out == NULL) {
        api->text = NULL;
        return AIOBS_STORE_FAILED;
    }

    if (key) {
        fprintf(out, "{\"api_key\":\"%s\",", key);
    }

    head = ftell(out);

    memset(&filter, 0, sizeof(filter));
    filter.prefix = hash;
    filter.json = 1;

    rc = aiobs_store_list(store, &filter, aiobs_keys_api_only, out);

    if (rc == AIOBS_STORE_OK && ftell(out) == head) {
        rc = AIOBS_STORE_NONE;
    }

    putc('\n', out);

    if (fclose(out) != 0 && rc == AIOBS_STORE_OK) {
        rc = AIOBS_STORE_FAILED;
    }

    if (rc != AIOBS_STORE_OK) {
        aiobs_keys_api_free(api);
        return rc;
    }

    snprintf(api->key_id, sizeof(api->key_id), "%.12s", hash);

    return AIOBS_STORE_OK;
}


int
aiobs_keys_api_done(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash, const char *key, const char *event)
{
    int  rc;

    rc = aiobs_keys_api_read(api, store, hash, key);

    if (rc == AIOBS_STORE_NONE && key == NULL) {
        return aiobs_keys_api_gone(api, rc);
    }

    api->event = event;
    api->created = key != NULL;
    api->status = key ? 201 : 200;

    if (rc != AIOBS_STORE_OK && aiobs_keys_api_known(api, hash, key) != 0) {
        api->status = 500;
    }

    return rc == AIOBS_STORE_NONE ? AIOBS_STORE_OK : rc;
}


/* what can be told of a key that is not read: a new one is never shown again */

static int
aiobs_keys_api_known(aiobs_keys_api_t *api, const char *hash, const char *key)
{
    int  len;

    snprintf(api->key_id, sizeof(api->key_id), "%.12s", hash);

    len = asprintf(&api->text, "{%s%s%s\"key_id\":\"%s\",\"hash\":\"%s\"}\n",
                   key ? "\"api_key\":\"" : "", key ? key : "",
                   key ? "\"," : "", api->key_id, hash);

    if (len == -1) {
        api->text = NULL;
        return -1;
    }

    api->len = len;

    return 0;
}


static int
aiobs_keys_api_only(void *data, const aiobs_key_row_t *row)
{
    FILE *out = data;

    /* behind the raw key, the rest of one object */

    aiobs_keys_api_put(out, row->json + (ftell(out) > 0));

    return 1;
}


int
aiobs_keys_api_create(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *none)
{
    int                rc;
    char               key[AIOBS_KEY_RAW_LEN + 1], actor[32];
    char               hash[AIOBS_KEY_HEX_LEN + 1];
    json_t            *body;
    const char        *error;
    aiobs_actor_t      who;
    aiobs_key_form_t   form;

    body = aiobs_keys_api_body(api, 1);
    if (body == NULL) {
        return AIOBS_STORE_OK;
    }

    error = aiobs_keys_api_form(&form, body);

    if (error == NULL && form.attrs.user == NULL) {
        error = "a key needs a user";
    }

    if (error == NULL && aiobs_key_attrs_past(&form.attrs)) {
        error = "\"expires_at\" is past: the key would never work";
    }

    if (error) {
        aiobs_keys_api_wrong(api, error);
        json_decref(body);
        return AIOBS_STORE_OK;
    }

    aiobs_keys_api_who(api, &who, actor);

    rc = aiobs_keys_api_new(key, hash);

    if (rc == AIOBS_STORE_OK) {
        rc = aiobs_store_create(store, &who, hash, &form.attrs);
    }

    json_decref(body);

    if (rc == AIOBS_STORE_OK) {
        rc = aiobs_keys_api_done(api, store, hash, key, "key_created");
    }

    OPENSSL_cleanse(key, sizeof(key));

    return rc;
}


json_t *
aiobs_keys_api_body(aiobs_keys_api_t *api, int needed)
{
    size_t   len;
    json_t  *body;

    if (api->body_len == 0 && !needed) {
        return json_object();
    }

    len = strcspn(api->type, "; \t");

    if (!(len == sizeof("application/json") - 1
          && strncasecmp(api->type, "application/json", len) == 0)
        && !(len == sizeof("application/merge-patch+json") - 1
             && strncasecmp(api->type, "application/merge-patch+json", len)
                == 0))
    {
        aiobs_keys_api_problem(api, 415, "A body of application/json is"
                               " expected.");
        return NULL;
    }

    body = json_loadb(api->body, api->body_len, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(body)) {
        json_decref(body);
        aiobs_keys_api_problem(api, 400, "The body is no JSON object.");
        return NULL;
    }

    return body;
}


int
aiobs_keys_api_edit(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash)
{
    int      rc;
    json_t  *body;

    body = aiobs_keys_api_body(api, 1);
    if (body == NULL) {
        return AIOBS_STORE_OK;
    }

    /* nobody is to change labels between reading and writing them */

    rc = aiobs_store_begin(store);

    if (rc == AIOBS_STORE_OK) {
        rc = aiobs_keys_api_merge(api, store, hash, body);
    }

    if (rc == AIOBS_STORE_OK) {
        rc = aiobs_keys_api_write(api, store, hash, body);
    }

    json_decref(body);

    if (rc == AIOBS_STORE_OK && !api->problem) {
        rc = aiobs_store_commit(store);
    }

    if (rc != AIOBS_STORE_OK || api->problem) {
        aiobs_store_abort(store);
        return aiobs_keys_api_gone(api, rc);
    }

    return aiobs_keys_api_done(api, store, hash, NULL, "key_changed");
}


/* RFC 7396: labels that are not named stay, those that are null go */

static int
aiobs_keys_api_merge(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash, json_t *body)
{
    int          rc;
    void        *i, *next;
    json_t      *patch, *key, *labels;
    const char  *name;

    patch = json_object_get(body, "labels");

    if (!json_is_object(patch)) {
        return AIOBS_STORE_OK;
    }

    rc = aiobs_keys_api_read(api, store, hash, NULL);
    if (rc != AIOBS_STORE_OK) {
        return rc;
    }

    key = json_loadb(api->text, api->len, JSON_ALLOW_NUL, NULL);
    aiobs_keys_api_free(api);

    labels = json_deep_copy(json_object_get(key, "labels"));
    json_decref(key);

    if (!json_is_object(labels)) {
        json_decref(labels);
        labels = json_object();
    }

    json_object_update(labels, patch);

    for (i = json_object_iter(labels); i; i = next) {
        next = json_object_iter_next(labels, i);
        name = json_object_iter_key(i);

        if (json_is_null(json_object_iter_value(i))) {
            (void) json_object_del(labels, name);
        }
    }

    json_object_set_new(body, "labels", labels);

    return AIOBS_STORE_OK;
}


static int
aiobs_keys_api_write(aiobs_keys_api_t *api, aiobs_store_t *store,
    const char *hash, const json_t *body)
{
    char               actor[32];
    const char        *error;
    aiobs_actor_t      who;
    aiobs_key_form_t   form;

    error = aiobs_keys_api_form(&form, body);

    if (error) {
        aiobs_keys_api_wrong(api, error);
        return AIOBS_STORE_OK;
    }

    aiobs_keys_api_who(api, &who, actor);

    return aiobs_store_edit(store, &who, hash, &form.attrs);
}


/* a list of none would be taken for "nothing", and stored as "all" */

static const char *
aiobs_keys_api_form(aiobs_key_form_t *form, const json_t *body)
{
    json_t  *models, *endpoints;

    models = json_object_get(body, "models");
    endpoints = json_object_get(body, "endpoints");

    if (json_is_array(models) && json_array_size(models) == 0) {
        return "\"models\" is an array of none: null allows all";
    }

    if (json_is_array(endpoints) && json_array_size(endpoints) == 0) {
        return "\"endpoints\" is an array of none: null allows all";
    }

    memset(form, 0, sizeof(aiobs_key_form_t));

    return aiobs_key_form_json(form, body, 0);
}


int
aiobs_keys_api_new(char *key, char *hash)
{
    return aiobs_key_generate(key) == 0
           && aiobs_key_hash_hex(key, AIOBS_KEY_RAW_LEN, hash) == 0
           ? AIOBS_STORE_OK : AIOBS_STORE_FAILED;
}


int
aiobs_keys_api_gone(aiobs_keys_api_t *api, int rc)
{
    if (rc != AIOBS_STORE_NONE) {
        return rc;
    }

    aiobs_keys_api_problem(api, 404, "There is no such key.");

    return AIOBS_STORE_OK;
}


void
aiobs_keys_api_who(const aiobs_keys_api_t *api, aiobs_actor_t *who,
    char *actor)
{
    snprintf(actor, 32, "key:%.12s", api->caller);

    who->actor = actor;
    who->request_id = api->request_id;
}


/* quotes of the error are JSON's */

void
aiobs_keys_api_wrong(aiobs_keys_api_t *api, const char *error)
{
    char         text[512];
    size_t       n;
    const char  *p;

    for (p = error, n = 0; *p && n < sizeof(text) - 2; p++) {

        if (*p == '"' || *p == '\\') {
            text[n++] = '\\';
        }

        text[n++] = (*p >= 0x20 && *p < 0x7f) ? *p : '?';
    }

    text[n] = '\0';

    aiobs_keys_api_problem(api, 422, text);
}
