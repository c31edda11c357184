
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: forgetting a person.
 */


#include "aiobs_store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


typedef char  aiobs_hex_t[AIOBS_KEY_HEX_LEN + 1];


static int aiobs_store_of_user(aiobs_store_t *store, const char *user,
    aiobs_hex_t **hashes, size_t *n);
static int aiobs_store_forget_key(aiobs_store_t *store,
    const aiobs_actor_t *who, const char *hash, const char *user);


int
aiobs_store_forget(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *user, size_t *n)
{
    int           rc, entered;
    size_t        i;
    aiobs_hex_t  *hashes;

    /* what is removed is overwritten in the file */

    hashes = NULL;
    *n = 0;

    if (aiobs_store_exec(store, "PRAGMA secure_delete = ON") != SQLITE_OK
        || aiobs_store_enter_own(store, &entered) != SQLITE_OK)
    {
        return aiobs_store_fail(store, "write to it");
    }

    rc = aiobs_store_of_user(store, user, &hashes, n);

    for (i = 0; i < *n && rc == SQLITE_OK; i++) {
        rc = aiobs_store_forget_key(store, who, hashes[i], user);
    }

    free(hashes);

    if (rc != SQLITE_OK || aiobs_store_leave_own(store, entered) != SQLITE_OK) {
        return aiobs_store_fail(store, "write to it");
    }

    /* the log has the former pages, as long as nobody empties it */

    if (*n && sqlite3_wal_checkpoint_v2(store->db, NULL,
                                        SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL)
              != SQLITE_OK)
    {
        return aiobs_store_fail(store, "empty its log, where what is forgotten"
                                       " may still be found");
    }

    return AIOBS_STORE_OK;
}


static int
aiobs_store_of_user(aiobs_store_t *store, const char *user,
    aiobs_hex_t **hashes, size_t *n)
{
    int            rc;
    void          *p;
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_OF_USER);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    aiobs_store_bind(stmt, 1, user);

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {

        p = realloc(*hashes, (*n + 1) * sizeof(aiobs_hex_t));
        if (p == NULL) {
            rc = SQLITE_NOMEM;
            break;
        }

        *hashes = p;
        snprintf((*hashes)[(*n)++], sizeof(aiobs_hex_t), "%s",
                 (const char *) sqlite3_column_text(stmt, 0));
    }

    sqlite3_reset(stmt);

    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}


static int
aiobs_store_forget_key(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *hash, const char *user)
{
    int     rc;
    size_t  i;

    static const aiobs_sql_e  statements[] = {
        AIOBS_SQL_FORGET_KEY, AIOBS_SQL_FORGET_ATTRS,
        AIOBS_SQL_FORGET_DELETED, AIOBS_SQL_FORGET_SUBJECT
    };

    for (i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        rc = aiobs_store_run(store, statements[i], hash, user, NULL);

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    return aiobs_store_happened(store, who, "forgotten", hash);
}
