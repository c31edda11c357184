
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: what happened to them.  key_events is a chain: prev_hash
 * is the SHA-256, in hex, of the row before as JSON,
 *
 *     ["ts","actor","action","key_id","request_id","prev_hash"]
 *
 * without spaces; of the first row it is 64 zeros.  The hash of the last row
 * is kept in aiobs_meta, as audit_head, and the next row goes on from there: a
 * last row that was changed or removed leaves a gap that stays.
 */


#include "aiobs_store_sqlite.h"

#include <stdio.h>
#include <string.h>


static int aiobs_store_chain(aiobs_store_t *store);
static int aiobs_store_chain_head(aiobs_store_t *store);
static int aiobs_store_chain_hash(aiobs_store_t *store, sqlite3_stmt *stmt);
static int aiobs_store_drain(aiobs_store_t *store);
static int aiobs_store_append_row(aiobs_store_t *store, const char *ts,
    const char *actor, const char *action, const char *key_id,
    const char *request_id);
static int aiobs_store_head(aiobs_store_t *store);


int
aiobs_store_events(aiobs_store_t *store, const aiobs_event_t *events, size_t n)
{
    int            rc, entered;
    sqlite3_stmt  *stmt;

    if (n == 0) {

        /* most often there is nothing, and no need to write */

        stmt = aiobs_store_statement(store, AIOBS_SQL_QUEUE);
        if (stmt == NULL) {
            return aiobs_store_fail(store, "read its events");
        }

        sqlite3_bind_int(stmt, 1, 1);

        rc = sqlite3_step(stmt);
        sqlite3_reset(stmt);

        if (rc == SQLITE_DONE) {
            return AIOBS_STORE_OK;
        }
    }

    store->queued = 0;

    if (aiobs_store_enter(store, &entered) != SQLITE_OK
        || aiobs_store_append(store, events, n) != SQLITE_OK
        || aiobs_store_leave_write(store, entered) != SQLITE_OK)
    {
        return aiobs_store_fail(store, "write its events");
    }

    return store->queued == AIOBS_STORE_BATCH ? AIOBS_STORE_NONE
                                              : AIOBS_STORE_OK;
}


int
aiobs_store_append(aiobs_store_t *store, const aiobs_event_t *events, size_t n)
{
    int              rc;
    char             ts[AIOBS_KEY_TIME_LEN + 1];
    size_t           i;
    struct timeval   tv;

    if (!store->chained) {
        rc = aiobs_store_chain(store);

        if (rc == SQLITE_OK) {
            rc = aiobs_store_drain(store);
        }

        if (rc != SQLITE_OK) {
            return rc;
        }

        store->chained = 1;
    }

    for (i = 0; i < n; i++) {
        tv = events[i].time;

        if (tv.tv_sec == 0) {
            gettimeofday(&tv, NULL);
        }

        aiobs_key_time(&tv, ts);

        rc = aiobs_store_append_row(store, ts, events[i].actor,
                                    events[i].action, events[i].key_id,
                                    events[i].request_id);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    return aiobs_store_head(store);
}


int
aiobs_store_happened(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *action, const char *hash)
{
    char           key_id[AIOBS_KEY_ID_LEN + 1];
    aiobs_event_t  event;

    snprintf(key_id, sizeof(key_id), "%.12s", hash);

    memset(&event, 0, sizeof(event));
    event.actor = who->actor;
    event.action = action;
    event.key_id = key_id;
    event.request_id = who->request_id;

    return aiobs_store_append(store, &event, 1);
}


/* the hash that the next row is to have as prev_hash */

static int
aiobs_store_chain(aiobs_store_t *store)
{
    int            rc;
    sqlite3_stmt  *stmt;

    memset(store->chain, '0', AIOBS_KEY_HEX_LEN);
    store->chain[AIOBS_KEY_HEX_LEN] = '\0';

    rc = aiobs_store_chain_head(store);

    if (rc != SQLITE_DONE) {
        return rc;
    }

    stmt = aiobs_store_statement(store, AIOBS_SQL_EVENT_LAST);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {
        rc = aiobs_store_chain_hash(store, stmt);
    }

    sqlite3_reset(stmt);

    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}


/* SQLITE_DONE: there is none that could be a hash */

static int
aiobs_store_chain_head(aiobs_store_t *store)
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
        rc = SQLITE_DONE;

        if (head && strspn(head, "0123456789abcdef") == AIOBS_KEY_HEX_LEN
            && head[AIOBS_KEY_HEX_LEN] == '\0')
        {
            memcpy(store->chain, head, AIOBS_KEY_HEX_LEN);
            rc = SQLITE_OK;
        }
    }

    sqlite3_reset(stmt);

    return rc;
}


static int
aiobs_store_chain_hash(aiobs_store_t *store, sqlite3_stmt *stmt)
{
    const char  *json;

    json = (const char *) sqlite3_column_text(stmt, 0);

    if (json == NULL
        || aiobs_key_hash_hex(json, sqlite3_column_bytes(stmt, 0),
                              store->chain)
           != 0)
    {
        return SQLITE_NOMEM;
    }

    return SQLITE_OK;
}


/* as many as are no burden to those who wait for the store */

static int
aiobs_store_drain(aiobs_store_t *store)
{
    int             rc, n;
    sqlite3_stmt   *stmt;
    sqlite3_int64   last;

    stmt = aiobs_store_statement(store, AIOBS_SQL_QUEUE);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    sqlite3_bind_int(stmt, 1, AIOBS_STORE_BATCH);
    last = 0;

    for (n = 0; (rc = sqlite3_step(stmt)) == SQLITE_ROW; n++) {
        last = sqlite3_column_int64(stmt, 4);

        rc = aiobs_store_append_row(store,
                               (const char *) sqlite3_column_text(stmt, 0),
                               (const char *) sqlite3_column_text(stmt, 1),
                               (const char *) sqlite3_column_text(stmt, 2),
                               (const char *) sqlite3_column_text(stmt, 3),
                               NULL);
        if (rc != SQLITE_OK) {
            break;
        }
    }

    sqlite3_reset(stmt);

    if (rc != SQLITE_DONE || n == 0) {
        return rc == SQLITE_DONE ? SQLITE_OK : rc;
    }

    store->queued = n;

    stmt = aiobs_store_statement(store, AIOBS_SQL_QUEUE_DONE);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    sqlite3_bind_int64(stmt, 1, last);

    return aiobs_store_step(store, AIOBS_SQL_QUEUE_DONE);
}


static int
aiobs_store_append_row(aiobs_store_t *store, const char *ts, const char *actor,
    const char *action, const char *key_id, const char *request_id)
{
    int            rc;
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_EVENT);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    aiobs_store_bind(stmt, 1, ts);
    aiobs_store_bind(stmt, 2, actor);
    aiobs_store_bind(stmt, 3, action);
    aiobs_store_bind(stmt, 4, key_id);
    aiobs_store_bind(stmt, 5, request_id);
    aiobs_store_bind(stmt, 6, store->chain);

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {
        rc = aiobs_store_chain_hash(store, stmt);

        if (rc == SQLITE_OK) {
            rc = sqlite3_step(stmt);
        }
    }

    sqlite3_reset(stmt);

    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}


static int
aiobs_store_head(aiobs_store_t *store)
{
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_EVENT_HEAD);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    aiobs_store_bind(stmt, 1, store->chain);

    return aiobs_store_step(store, AIOBS_SQL_EVENT_HEAD);
}
