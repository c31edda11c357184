
/*
 * Copyright (C) the aiobs authors
 *
 * The store's filter, one call after another as the arguments tell:
 *
 *     sift FILE COMMAND ARGUMENT... , COMMAND ...
 *
 * A key is told by its text.  Prints what was found, and how often the table
 * was asked for it.
 */


#include "store_calls.h"
#include "keys/aiobs_store_sqlite.h"

#include <stdlib.h>


static void
hash_of(const char *text, unsigned char *hash)
{
    char  hex[AIOBS_KEY_HEX_LEN + 1];

    (void) aiobs_key_hash_hex(text, strlen(text), hex);
    (void) aiobs_key_from_hex(hex, hash, AIOBS_KEY_HASH_LEN);
}


static int
asked(void)
{
    sqlite3_stmt  *stmt;

    stmt = store->statements[AIOBS_SQL_KEY];

    return stmt ? sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_RUN, 1) : 0;
}


static void
find(char **v, int n)
{
    int                  i, rc;
    static aiobs_key_t   keys[64];
    aiobs_store_place_t  place;

    for (i = 0; i < n; i++) {
        hash_of(v[i], keys[i].hash);
    }

    (void) asked();
    rc = aiobs_store_lookup(store, keys, n, &place);

    if (rc != AIOBS_STORE_OK) {
        printf("%d %s", rc, aiobs_store_error(store));
        return;
    }

    for (i = 0; i < n; i++) {
        printf("%.*s ", keys[i].found ? keys[i].user_len : 1,
               keys[i].found ? keys[i].user : "-");
    }

    printf("%d", asked());
}


/* whether the filter is there does not matter */

static void
find_one(const char *text)
{
    aiobs_key_t          key;
    aiobs_store_place_t  place;

    hash_of(text, key.hash);

    if (aiobs_store_lookup(store, &key, 1, &place) != AIOBS_STORE_OK) {
        printf("%s", aiobs_store_error(store));
        return;
    }

    printf("%.*s", key.found ? key.user_len : 1, key.found ? key.user : "-");
}


/* how many of n keys, named so and numbered, are found */

static void
count(const char *name, int n)
{
    int                  i, found;
    char                 text[64];
    aiobs_key_t          key;
    aiobs_store_place_t  place;

    found = 0;
    (void) asked();

    for (i = 1; i <= n; i++) {
        snprintf(text, sizeof(text), "%s%d", name, i);
        hash_of(text, key.hash);

        if (aiobs_store_lookup(store, &key, 1, &place) == AIOBS_STORE_OK) {
            found += key.found;
        }
    }

    i = asked();
    printf("%d %s", found, i == 0 ? "none" : i == n ? "all"
                           : i < n / 50 ? "few" : "some");
}


static void
sift(int times)
{
    while (times-- && !store->sift.ready) {
        aiobs_store_sift(store, 1);
    }

    printf("%s", store->sift.ready ? "ready" : store->sift.blocks ? "begun"
                                                                 : "none");
}


static void
command(int n, char **v)
{
    char               hex[AIOBS_KEY_HEX_LEN + 1];
    aiobs_key_attrs_t  attrs;

#define is(name)  (strcmp(v[0], name) == 0)

    if (is("find")) {
        find(v + 1, n - 1);

    } else if (is("count")) {
        count(v[1], atoi(v[2]));

    } else if (is("sift")) {
        sift(n > 1 ? atoi(v[1]) : 1000);

    } else if (is("rest")) {
        aiobs_store_sift(store, 0);
        sift(0);

    } else if (is("later")) {
        store->sift.begun -= atoi(v[1]);
        store->sift.wanted -= atoi(v[1]);
        return;

    } else if (is("once")) {
        aiobs_store_sift(store, 1);
        sift(0);

    } else if (is("wait")) {

        /* until it is there, or cannot be; nothing is said of that */

        for (n = 0; n < 1000 && !store->sift.ready; n++) {
            aiobs_store_sift(store, 1);
        }

        return;

    } else if (is("again")) {
        find_one(v[1]);

    } else if (is("size")) {
        printf("%d", (int) (store->sift.nblocks * AIOBS_SIFT_BLOCK));

    } else if (is("create")) {
        memset(&attrs, 0, sizeof(attrs));
        attrs.user = "own";
        attrs.set = AIOBS_ATTR_USER;
        (void) aiobs_key_hash_hex(v[1], strlen(v[1]), hex);
        printf("%d", aiobs_store_create(store, &who, hex, &attrs));

    } else {
        fflush(stdout);

        if (system(v[1]) != 0) {
            printf("failed");
        }

        return;
    }

    printf(", ");
}


int
main(int argc, char **argv)
{
    return calls(argc, argv, command);
}
