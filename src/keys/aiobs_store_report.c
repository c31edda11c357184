
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: what was spent, and what happened.
 */


#include "aiobs_store_sqlite.h"

#include <stdio.h>
#include <string.h>


static int aiobs_store_verify_row(aiobs_store_t *store, sqlite3_stmt *stmt,
    const char *expect, aiobs_audit_t *audit);
static int aiobs_store_verify_head(aiobs_store_t *store,
    aiobs_audit_t *audit);


int
aiobs_store_spend(aiobs_store_t *store, aiobs_spend_e by, const char *label,
    const char *user, const char *from, const char *to, aiobs_spend_row_pt row,
    void *data)
{
    int                rc;
    sqlite3_stmt      *stmt;
    aiobs_spend_row_t  spend;

    stmt = aiobs_store_statement(store, AIOBS_SQL_SPEND_BY_USER + by);
    if (stmt == NULL) {
        return aiobs_store_fail(store, "read its usage");
    }

    aiobs_store_bind(stmt, 1, from);
    aiobs_store_bind(stmt, 2, to);
    aiobs_store_bind(stmt, 3, user);

    if (by == AIOBS_SPEND_LABEL) {
        aiobs_store_bind(stmt, 4, label);
    }

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        spend.group = (const char *) sqlite3_column_text(stmt, 0);
        spend.user = (const char *) sqlite3_column_text(stmt, 1);
        spend.name = (const char *) sqlite3_column_text(stmt, 2);
        spend.calls = sqlite3_column_int64(stmt, 3);
        spend.input = sqlite3_column_int64(stmt, 4);
        spend.output = sqlite3_column_int64(stmt, 5);
        spend.cache_read = sqlite3_column_int64(stmt, 6);
        spend.cache_write = sqlite3_column_int64(stmt, 7);
        spend.cost = sqlite3_column_int64(stmt, 8);
        spend.estimated_calls = sqlite3_column_int64(stmt, 9);

        if (row(data, &spend) != 0) {
            rc = SQLITE_DONE;
            break;
        }
    }

    sqlite3_reset(stmt);

    return rc == SQLITE_DONE ? AIOBS_STORE_OK
                             : aiobs_store_fail(store, "read its usage");
}


int
aiobs_store_audit(aiobs_store_t *store, const char *key_id,
    aiobs_event_row_pt row, void *data)
{
    int                rc;
    sqlite3_stmt      *stmt;
    aiobs_event_row_t  event;

    stmt = aiobs_store_statement(store, AIOBS_SQL_AUDIT);
    if (stmt == NULL) {
        return aiobs_store_fail(store, "read its events");
    }

    aiobs_store_bind(stmt, 1, key_id);

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        event.row = sqlite3_column_int64(stmt, 0);
        event.ts = (const char *) sqlite3_column_text(stmt, 1);
        event.actor = (const char *) sqlite3_column_text(stmt, 2);
        event.action = (const char *) sqlite3_column_text(stmt, 3);
        event.key_id = (const char *) sqlite3_column_text(stmt, 4);
        event.request_id = (const char *) sqlite3_column_text(stmt, 5);
        event.prev_hash = (const char *) sqlite3_column_text(stmt, 6);
        event.json = (const char *) sqlite3_column_text(stmt, 7);

        if (row(data, &event) != 0) {
            rc = SQLITE_DONE;
            break;
        }
    }

    sqlite3_reset(stmt);

    return rc == SQLITE_DONE ? AIOBS_STORE_OK
                             : aiobs_store_fail(store, "read its events");
}


int
aiobs_store_verify(aiobs_store_t *store, const char *expect,
    aiobs_audit_t *audit)
{
    int            rc;
    sqlite3_stmt  *stmt;

    memset(audit, 0, sizeof(aiobs_audit_t));
    memset(audit->head, '0', AIOBS_KEY_HEX_LEN);

    /* both are to be of one state */

    if (aiobs_store_step(store, AIOBS_SQL_BEGIN) != SQLITE_OK) {
        return aiobs_store_fail(store, "read its events");
    }

    stmt = aiobs_store_statement(store, AIOBS_SQL_VERIFY);
    if (stmt == NULL) {
        return aiobs_store_fail(store, "read its events");
    }

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (aiobs_store_verify_row(store, stmt, expect, audit) != 0) {
            break;
        }
    }

    sqlite3_reset(stmt);

    if (rc != SQLITE_DONE
        || aiobs_store_verify_head(store, audit) != SQLITE_OK
        || aiobs_store_step(store, AIOBS_SQL_COMMIT) != SQLITE_OK)
    {
        return aiobs_store_fail(store, "read its events");
    }

    return AIOBS_STORE_OK;
}


static int
aiobs_store_verify_row(aiobs_store_t *store, sqlite3_stmt *stmt,
    const char *expect, aiobs_audit_t *audit)
{
    const char  *prev, *json;

    prev = (const char *) sqlite3_column_text(stmt, 1);

    if (audit->broken == 0
        && (prev == NULL || strcmp(prev, audit->head) != 0))
    {
        audit->broken = sqlite3_column_int64(stmt, 0);
    }

    json = (const char *) sqlite3_column_text(stmt, 2);

    if (json == NULL
        || aiobs_key_hash_hex(json, sqlite3_column_bytes(stmt, 2),
                              audit->head)
           != 0)
    {
        return -1;
    }

    if (expect && strcmp(expect, audit->head) == 0) {
        audit->expected = 1;
    }

    audit->events++;

    return 0;
}


/* a last row that was changed or removed has none behind it to tell */

static int
aiobs_store_verify_head(aiobs_store_t *store, aiobs_audit_t *audit)
{
    int            rc;
    const char    *head;
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_HEAD);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {
        head = (const char *) sqlite3_column_text(stmt, 0);
        audit->cut = head == NULL || strcmp(head, audit->head) != 0;
        rc = SQLITE_DONE;

    } else {
        audit->cut = audit->events != 0;
    }

    sqlite3_reset(stmt);

    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}
