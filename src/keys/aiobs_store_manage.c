
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: what people do with it.
 */


#include "aiobs_store_sqlite.h"

#include <stdio.h>
#include <string.h>


static void aiobs_store_bind(sqlite3_stmt *stmt, int n, const char *text);


int
aiobs_store_create(aiobs_store_t *store, const char *hash, const char *user,
    const char *name)
{
    char            now[AIOBS_KEY_TIME_LEN + 1];
    sqlite3_stmt   *stmt;
    struct timeval  tv;

    stmt = aiobs_store_statement(store, AIOBS_SQL_INSERT);
    if (stmt == NULL) {
        return aiobs_store_fail(store, "write to it");
    }

    gettimeofday(&tv, NULL);
    aiobs_key_time(&tv, now);

    aiobs_store_bind(stmt, 1, hash);
    aiobs_store_bind(stmt, 2, user);
    aiobs_store_bind(stmt, 3, name);
    aiobs_store_bind(stmt, 4, now);

    if (aiobs_store_step(store, AIOBS_SQL_INSERT) != SQLITE_OK) {
        return aiobs_store_fail(store, "write to it");
    }

    return AIOBS_STORE_OK;
}


int
aiobs_store_list(aiobs_store_t *store, const char *user, const char *prefix,
    aiobs_key_row_pt row, void *data)
{
    int               rc;
    sqlite3_stmt     *stmt;
    aiobs_key_row_t   key;

    stmt = aiobs_store_statement(store, AIOBS_SQL_LIST);
    if (stmt == NULL) {
        return aiobs_store_fail(store, "read it");
    }

    aiobs_store_bind(stmt, 1, user);
    aiobs_store_bind(stmt, 2, prefix);

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        key.hash = (const char *) sqlite3_column_text(stmt, 0);
        key.user = (const char *) sqlite3_column_text(stmt, 1);
        key.name = (const char *) sqlite3_column_text(stmt, 2);
        key.created_at = (const char *) sqlite3_column_text(stmt, 3);
        key.last_used = (const char *) sqlite3_column_text(stmt, 4);
        key.revoked_at = (const char *) sqlite3_column_text(stmt, 5);
        key.active = sqlite3_column_int(stmt, 6) != 0;
        key.json = (const char *) sqlite3_column_text(stmt, 7);

        if (row(data, &key) != 0) {
            rc = SQLITE_DONE;
            break;
        }
    }

    sqlite3_reset(stmt);

    if (rc != SQLITE_DONE) {
        return aiobs_store_fail(store, "read it");
    }

    return AIOBS_STORE_OK;
}


int
aiobs_store_resolve(aiobs_store_t *store, const char *prefix, char *hash)
{
    int            rc, n;
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_RESOLVE);
    if (stmt == NULL) {
        return aiobs_store_fail(store, "read it");
    }

    aiobs_store_bind(stmt, 1, prefix);

    for (n = 0; (rc = sqlite3_step(stmt)) == SQLITE_ROW; n++) {
        snprintf(hash, AIOBS_KEY_HEX_LEN + 1, "%s",
                 (const char *) sqlite3_column_text(stmt, 0));
    }

    sqlite3_reset(stmt);

    if (rc != SQLITE_DONE) {
        return aiobs_store_fail(store, "read it");
    }

    return n == 0 ? AIOBS_STORE_NONE
           : n == 1 ? AIOBS_STORE_OK : AIOBS_STORE_AMBIGUOUS;
}


int
aiobs_store_revoke(aiobs_store_t *store, const char *hash, const char *user,
    aiobs_key_row_pt row, void *data)
{
    int            rc;
    sqlite3_stmt  *stmt;

    if (aiobs_store_step(store, AIOBS_SQL_BEGIN_WRITE) != SQLITE_OK) {
        return aiobs_store_fail(store, "write to it");
    }

    /* told first, while it is known which of them are active */

    rc = aiobs_store_list(store, user, hash, row, data);

    if (rc != AIOBS_STORE_OK) {
        aiobs_store_rollback(store);
        return rc;
    }

    stmt = aiobs_store_statement(store, AIOBS_SQL_REVOKE);
    if (stmt == NULL) {
        return aiobs_store_fail(store, "write to it");
    }

    aiobs_store_bind(stmt, 1, hash);
    aiobs_store_bind(stmt, 2, user);

    if (aiobs_store_step(store, AIOBS_SQL_REVOKE) != SQLITE_OK
        || aiobs_store_step(store, AIOBS_SQL_COMMIT) != SQLITE_OK)
    {
        return aiobs_store_fail(store, "write to it");
    }

    return AIOBS_STORE_OK;
}


static void
aiobs_store_bind(sqlite3_stmt *stmt, int n, const char *text)
{
    if (text == NULL) {
        sqlite3_bind_null(stmt, n);
        return;
    }

    sqlite3_bind_text(stmt, n, text, -1, SQLITE_TRANSIENT);
}
