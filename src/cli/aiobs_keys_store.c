
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: the store that is meant, and the key in it.
 */


#include "aiobs_keys.h"

#include <openssl/crypto.h>

#include <pwd.h>
#include <string.h>
#include <unistd.h>


#define AIOBS_KEY_ID_LEAST  4           /* digits that name a key */

#define AIOBS_KEYS_PATIENCE  10000      /* for a lock, milliseconds */


static int aiobs_keys_id(const char *id, char *prefix);
static int aiobs_keys_read(char *hash);


int
aiobs_keys_open(const aiobs_keys_options_t *o, unsigned flags,
    aiobs_store_t **store)
{
    switch (aiobs_store_open(o->db, flags, AIOBS_KEYS_PATIENCE, store)) {

    case AIOBS_STORE_OK:
        return AIOBS_EXIT_OK;

    case AIOBS_STORE_MISSING:
        aiobs_keys_say("there is no store %s; \"aiobs-keys create\" makes it"
                       " with its first key", o->db);
        aiobs_store_close(*store);
        return AIOBS_EXIT_FAILED;

    default:
        return aiobs_keys_failed(o, *store);
    }
}


const aiobs_actor_t *
aiobs_keys_actor(void)
{
    struct passwd  *pw;

    static char           name[64];
    static aiobs_actor_t  actor;

    pw = getpwuid(getuid());

    if (pw) {
        snprintf(name, sizeof(name), "cli:%s", pw->pw_name);

    } else {
        snprintf(name, sizeof(name), "cli:%lu", (unsigned long) getuid());
    }

    actor.actor = name;

    return &actor;
}


int
aiobs_keys_failed(const aiobs_keys_options_t *o, aiobs_store_t *store)
{
    aiobs_keys_say("store %s: %s", o->db, aiobs_store_error(store));
    aiobs_store_close(store);

    return AIOBS_EXIT_FAILED;
}


int
aiobs_keys_which(const aiobs_keys_options_t *o, aiobs_store_t *store,
    char *hash)
{
    char  prefix[AIOBS_KEY_HEX_LEN + 1];

    if ((o->from_stdin ? aiobs_keys_read(prefix)
                       : aiobs_keys_id(o->arg, prefix))
        != 0)
    {
        return AIOBS_EXIT_USAGE;
    }

    switch (aiobs_store_resolve(store, prefix, hash)) {

    case AIOBS_STORE_OK:
        return AIOBS_EXIT_OK;

    case AIOBS_STORE_NONE:
        aiobs_keys_say("there is no key %.12s", prefix);
        return AIOBS_EXIT_NOT_FOUND;

    case AIOBS_STORE_AMBIGUOUS:
        aiobs_keys_say("several keys begin with %s: give more of it", prefix);
        return AIOBS_EXIT_AMBIGUOUS;

    default:
        aiobs_keys_say("store %s: %s", o->db, aiobs_store_error(store));
        return AIOBS_EXIT_FAILED;
    }
}


static int
aiobs_keys_id(const char *id, char *prefix)
{
    size_t  len;

    len = strlen(id);

    if (strncmp(id, "sk-", 3) == 0) {
        aiobs_keys_say("that is a key: command lines are seen by others,"
                       " revoke it, and pass keys with --stdin");
        return -1;
    }

    if (len < AIOBS_KEY_ID_LEAST || len > AIOBS_KEY_HEX_LEN
        || strspn(id, "0123456789abcdef") != len)
    {
        aiobs_keys_say("a key id is 4 or more hex digits, as \"aiobs-keys"
                       " list\" shows them");
        return -1;
    }

    memcpy(prefix, id, len + 1);

    return 0;
}


static int
aiobs_keys_read(char *hash)
{
    int     rc;
    char    key[AIOBS_KEY_RAW_MAX + sizeof("\r\n")];
    size_t  len;

    len = fread(key, 1, sizeof(key), stdin);

    if (len && key[len - 1] == '\n') {
        len--;
    }

    if (len && key[len - 1] == '\r') {
        len--;
    }

    if (len == 0 || len > AIOBS_KEY_RAW_MAX) {
        aiobs_keys_say("stdin has no key, or more than one");
        rc = -1;

    } else {
        rc = aiobs_key_hash_hex(key, len, hash);
    }

    OPENSSL_cleanse(key, sizeof(key));

    return rc;
}


int
aiobs_keys_one(const aiobs_keys_options_t *o, aiobs_store_t **store,
    char *hash)
{
    int  rc;

    if (!o->arg == !o->from_stdin) {
        aiobs_keys_say("which key? give its key id, or the key with --stdin");
        return AIOBS_EXIT_USAGE;
    }

    rc = aiobs_keys_open(o, 0, store);

    if (rc == AIOBS_EXIT_OK) {
        rc = aiobs_keys_which(o, *store, hash);

        if (rc != AIOBS_EXIT_OK) {
            aiobs_store_close(*store);
        }
    }

    return rc;
}
