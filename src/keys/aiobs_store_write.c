
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: what admission writes, in batches.
 */


#include "aiobs_store_sqlite.h"


static int aiobs_store_write_use(aiobs_store_t *store,
    const aiobs_key_use_t *use);
static int aiobs_store_write_usage(aiobs_store_t *store,
    const aiobs_usage_row_t *row);
static int aiobs_store_write_window(aiobs_store_t *store,
    const aiobs_window_row_t *row);


int
aiobs_store_used(aiobs_store_t *store, const aiobs_key_use_t *uses, size_t n)
{
    int     entered;
    size_t  i;

    if (aiobs_store_enter(store, &entered) != SQLITE_OK) {
        return aiobs_store_fail(store, "write last_used");
    }

    for (i = 0; i < n; i++) {
        if (aiobs_store_write_use(store, &uses[i]) != SQLITE_OK) {
            return aiobs_store_fail(store, "write last_used");
        }
    }

    if (aiobs_store_leave_write(store, entered) != SQLITE_OK) {
        return aiobs_store_fail(store, "write last_used");
    }

    return AIOBS_STORE_OK;
}


static int
aiobs_store_write_use(aiobs_store_t *store, const aiobs_key_use_t *use)
{
    char             hex[AIOBS_KEY_HEX_LEN + 1], text[AIOBS_KEY_TIME_LEN + 1];
    sqlite3_stmt    *stmt;
    struct timeval   tv;

    stmt = aiobs_store_statement(store, AIOBS_SQL_USED);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    tv.tv_sec = use->time;
    tv.tv_usec = 0;

    aiobs_key_time(&tv, text);
    aiobs_key_to_hex(use->hash, AIOBS_KEY_HASH_LEN, hex);

    sqlite3_bind_text(stmt, 1, text, AIOBS_KEY_TIME_LEN, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, hex, AIOBS_KEY_HEX_LEN, SQLITE_STATIC);

    return aiobs_store_step(store, AIOBS_SQL_USED);
}


int
aiobs_store_usage(aiobs_store_t *store, const aiobs_usage_row_t *rows,
    size_t n)
{
    int     entered;
    size_t  i;

    if (aiobs_store_enter(store, &entered) != SQLITE_OK) {
        return aiobs_store_fail(store, "write usage");
    }

    for (i = 0; i < n; i++) {
        if (aiobs_store_write_usage(store, &rows[i]) != SQLITE_OK) {
            return aiobs_store_fail(store, "write usage");
        }
    }

    if (aiobs_store_leave_write(store, entered) != SQLITE_OK) {
        return aiobs_store_fail(store, "write usage");
    }

    return AIOBS_STORE_OK;
}


static int
aiobs_store_write_usage(aiobs_store_t *store, const aiobs_usage_row_t *row)
{
    int            i;
    char           hex[AIOBS_KEY_HEX_LEN + 1];
    sqlite3_stmt  *stmt;

    const int64_t  figures[] = {
        row->calls, row->input, row->output, row->cache_read,
        row->cache_write, row->cost, row->estimated_calls
    };

    stmt = aiobs_store_statement(store, AIOBS_SQL_USAGE);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    aiobs_key_to_hex(row->hash, AIOBS_KEY_HASH_LEN, hex);

    aiobs_store_bind(stmt, 1, row->day);
    aiobs_store_bind(stmt, 2, hex);
    aiobs_store_bind(stmt, 3, row->model);
    aiobs_store_bind(stmt, 4, row->endpoint);

    for (i = 0; i < 7; i++) {
        sqlite3_bind_int64(stmt, 5 + i, figures[i]);
    }

    return aiobs_store_step(store, AIOBS_SQL_USAGE);
}


int
aiobs_store_windows(aiobs_store_t *store, const aiobs_window_row_t *rows,
    size_t n)
{
    int     entered;
    size_t  i;

    if (aiobs_store_enter(store, &entered) != SQLITE_OK) {
        return aiobs_store_fail(store, "write limits");
    }

    for (i = 0; i < n; i++) {
        if (aiobs_store_write_window(store, &rows[i]) != SQLITE_OK) {
            return aiobs_store_fail(store, "write limits");
        }
    }

    if (aiobs_store_leave_write(store, entered) != SQLITE_OK) {
        return aiobs_store_fail(store, "write limits");
    }

    return AIOBS_STORE_OK;
}


static int
aiobs_store_write_window(aiobs_store_t *store, const aiobs_window_row_t *row)
{
    char           hex[AIOBS_KEY_HEX_LEN + 1];
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_WINDOW);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    aiobs_key_to_hex(row->account, AIOBS_KEY_HASH_LEN, hex);

    aiobs_store_bind(stmt, 1, hex);
    sqlite3_bind_int(stmt, 2, row->limit);
    sqlite3_bind_int64(stmt, 3, row->start);
    sqlite3_bind_int64(stmt, 4, row->amount);

    return aiobs_store_step(store, AIOBS_SQL_WINDOW);
}


int
aiobs_store_trim(aiobs_store_t *store)
{
    int            rc;
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_TRIM);

    if (stmt == NULL) {
        return aiobs_store_fail(store, "trim its changes");
    }

    sqlite3_bind_int(stmt, 1, AIOBS_STORE_LOG);
    sqlite3_bind_int(stmt, 2, AIOBS_STORE_BATCH);

    if (aiobs_store_step(store, AIOBS_SQL_TRIM) != SQLITE_OK) {
        return aiobs_store_fail(store, "trim its changes");
    }

    rc = aiobs_store_events(store, NULL, 0);

    return rc == AIOBS_STORE_NONE ? AIOBS_STORE_OK : rc;
}
