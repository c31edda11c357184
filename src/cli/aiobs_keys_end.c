
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs-keys: keys end, or begin again.
 */


#include "aiobs_keys.h"

#include <stdlib.h>
#include <string.h>


typedef struct {
    FILE        *out;
    const char  *done;
    const char  *already;
    int          active;                /* what they become */
    int          n;
} aiobs_keys_activation_t;


static int aiobs_keys_activate(const aiobs_keys_options_t *o, int active);
static int aiobs_keys_do_activate(const aiobs_keys_options_t *o,
    aiobs_store_t *store, const char *hash, aiobs_keys_activation_t *a);
static int aiobs_keys_activated(void *data, const aiobs_key_row_t *row);


int
aiobs_keys_revoke(const aiobs_keys_options_t *o)
{
    return aiobs_keys_activate(o, 0);
}


int
aiobs_keys_restore(const aiobs_keys_options_t *o)
{
    return aiobs_keys_activate(o, 1);
}


static int
aiobs_keys_activate(const aiobs_keys_options_t *o, int active)
{
    int                       rc;
    char                      hash[AIOBS_KEY_HEX_LEN + 1];
    aiobs_store_t            *store;
    aiobs_keys_activation_t   a;

    if (!!o->arg + !!o->from_stdin + !!o->user != 1) {
        aiobs_keys_say("which key? give its key id, or the key with --stdin,"
                       " or --user NAME for all of a user");
        return AIOBS_EXIT_USAGE;
    }

    rc = aiobs_keys_open(o, 0, &store);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    if (o->user == NULL) {
        rc = aiobs_keys_which(o, store, hash);
    }

    if (rc == AIOBS_EXIT_OK) {
        memset(&a, 0, sizeof(a));
        a.active = active;
        a.done = active ? "restored" : "revoked";
        a.already = active ? "active already:" : "already revoked";

        rc = aiobs_keys_do_activate(o, store, o->user ? NULL : hash, &a);
    }

    aiobs_store_close(store);

    return rc;
}


/* says what it did once it is done */

static int
aiobs_keys_do_activate(const aiobs_keys_options_t *o, aiobs_store_t *store,
    const char *hash, aiobs_keys_activation_t *a)
{
    int      rc;
    char    *text;
    size_t   len;

    a->out = open_memstream(&text, &len);
    if (a->out == NULL) {
        aiobs_keys_say("out of memory");
        return AIOBS_EXIT_FAILED;
    }

    rc = aiobs_store_activate(store, aiobs_keys_actor(), hash, o->user,
                              a->active, aiobs_keys_activated, a);
    fclose(a->out);

    if (rc != AIOBS_STORE_OK) {
        aiobs_keys_say("store %s: %s", o->db, aiobs_store_error(store));
        rc = AIOBS_EXIT_FAILED;

    } else if (a->n == 0) {
        aiobs_keys_say("user %s has no keys", o->user ? o->user : "");
        rc = AIOBS_EXIT_NOT_FOUND;

    } else {
        fwrite(text, 1, len, stdout);
        rc = AIOBS_EXIT_OK;
    }

    free(text);

    return rc;
}


static int
aiobs_keys_activated(void *data, const aiobs_key_row_t *row)
{
    aiobs_keys_activation_t *a = data;

    a->n++;

    fprintf(a->out, "%s %.12s (user ",
            row->active == a->active ? a->already : a->done,
            row->hash ? row->hash : "-");
    aiobs_keys_text(a->out, row->user ? row->user : "-", 128, 0);

    if (row->name) {
        fputs(", name ", a->out);
        aiobs_keys_text(a->out, row->name, 64, 0);
    }

    fputs(a->active && row->expired ? "), which has expired\n" : ")\n",
          a->out);

    return 0;
}


int
aiobs_keys_delete(const aiobs_keys_options_t *o)
{
    int             rc;
    char            hash[AIOBS_KEY_HEX_LEN + 1];
    aiobs_store_t  *store;

    rc = aiobs_keys_one(o, &store, hash);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    if (aiobs_store_delete(store, aiobs_keys_actor(), hash)
        != AIOBS_STORE_OK)
    {
        return aiobs_keys_failed(o, store);
    }

    printf("deleted %.12s\n", hash);
    aiobs_store_close(store);

    return AIOBS_EXIT_OK;
}


int
aiobs_keys_forget(const aiobs_keys_options_t *o)
{
    int             rc;
    size_t          n;
    aiobs_store_t  *store;

    if (o->arg == NULL) {
        aiobs_keys_say("who is to be forgotten? give the user's name");
        return AIOBS_EXIT_USAGE;
    }

    rc = aiobs_keys_open(o, 0, &store);
    if (rc != AIOBS_EXIT_OK) {
        return rc;
    }

    if (aiobs_store_forget(store, aiobs_keys_actor(), o->arg, &n)
        != AIOBS_STORE_OK)
    {
        return aiobs_keys_failed(o, store);
    }

    aiobs_store_close(store);

    if (n == 0) {
        aiobs_keys_say("nothing is known of user %s", o->arg);
        return AIOBS_EXIT_NOT_FOUND;
    }

    printf("forgotten: %zu %s\n", n, n == 1 ? "key" : "keys");

    return AIOBS_EXIT_OK;
}
