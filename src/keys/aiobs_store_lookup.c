
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: what admission asks of it.
 */


#include "aiobs_store_sqlite.h"

#include <string.h>


static int aiobs_store_find(aiobs_store_t *store, aiobs_key_t *key);
static int aiobs_store_end(aiobs_store_t *store, aiobs_store_place_t *place);
static int aiobs_store_follow(aiobs_store_t *store, aiobs_store_place_t *place,
    const aiobs_store_place_t *seen, aiobs_key_t *keys, size_t *n);
static int aiobs_store_on_track(aiobs_store_t *store,
    aiobs_store_place_t *place, const aiobs_store_place_t *seen);
static int aiobs_store_is_past(aiobs_store_t *store,
    const aiobs_store_place_t *place);
static int aiobs_store_same_place(const aiobs_store_place_t *one,
    const aiobs_store_place_t *two);
static int64_t aiobs_store_version(aiobs_store_t *store);
static void aiobs_store_take(sqlite3_stmt *stmt, aiobs_key_t *key);
static unsigned char aiobs_store_text(sqlite3_stmt *stmt, int column,
    char *text, size_t max);


int
aiobs_store_lookup(aiobs_store_t *store, aiobs_key_t *keys, size_t n,
    aiobs_store_place_t *place)
{
    size_t  i;

    if (aiobs_store_step(store, AIOBS_SQL_BEGIN) != SQLITE_OK
        || aiobs_store_end(store, place) != SQLITE_OK)
    {
        return aiobs_store_fail(store, "read it");
    }

    for (i = 0; i < n; i++) {
        if (aiobs_store_find(store, &keys[i]) != SQLITE_OK) {
            return aiobs_store_fail(store, "read it");
        }
    }

    if (aiobs_store_step(store, AIOBS_SQL_COMMIT) != SQLITE_OK) {
        return aiobs_store_fail(store, "read it");
    }

    return AIOBS_STORE_OK;
}


static int
aiobs_store_find(aiobs_store_t *store, aiobs_key_t *key)
{
    int            rc;
    char           hex[AIOBS_KEY_HEX_LEN + 1];
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_KEY);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    aiobs_key_to_hex(key->hash, AIOBS_KEY_HASH_LEN, hex);
    sqlite3_bind_text(stmt, 1, hex, AIOBS_KEY_HEX_LEN, SQLITE_STATIC);

    rc = sqlite3_step(stmt);

    key->found = 0;

    if (rc == SQLITE_ROW) {
        key->found = 1;
        aiobs_store_take(stmt, key);
        rc = SQLITE_DONE;
    }

    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);

    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}


static int
aiobs_store_end(aiobs_store_t *store, aiobs_store_place_t *place)
{
    int            rc;
    sqlite3_stmt  *stmt;

    place->seq = 0;
    place->mark = 0;

    stmt = aiobs_store_statement(store, AIOBS_SQL_END);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {
        place->seq = sqlite3_column_int64(stmt, 0);
        place->mark = sqlite3_column_int64(stmt, 1);
        rc = SQLITE_DONE;
    }

    sqlite3_reset(stmt);

    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}


int
aiobs_store_changes(aiobs_store_t *store, aiobs_store_place_t *place,
    const aiobs_store_place_t *seen, aiobs_key_t *keys, size_t *n)
{
    int      rc;
    size_t   max;
    int64_t  version;

    max = *n;
    *n = 0;

    if (aiobs_store_step(store, AIOBS_SQL_BEGIN) != SQLITE_OK) {
        return aiobs_store_fail(store, "read it");
    }

    version = aiobs_store_version(store);

    if (version == -1) {
        return aiobs_store_fail(store, "read it");
    }

    if (version == store->version
        && aiobs_store_same_place(place, &store->place)
        && aiobs_store_same_place(seen, &store->seen))
    {
        rc = AIOBS_STORE_OK;

    } else {
        *n = max;
        rc = aiobs_store_follow(store, place, seen, keys, n);
    }

    if (rc != AIOBS_STORE_OK && rc != AIOBS_STORE_NONE) {
        return rc;
    }

    if (!sqlite3_get_autocommit(store->db)
        && aiobs_store_step(store, AIOBS_SQL_COMMIT) != SQLITE_OK)
    {
        return aiobs_store_fail(store, "read it");
    }

    if (*n < max) {
        store->version = version;
        store->place = *place;
        store->seen = *seen;
    }

    return rc;
}


static int
aiobs_store_follow(aiobs_store_t *store, aiobs_store_place_t *place,
    const aiobs_store_place_t *seen, aiobs_key_t *keys, size_t *n)
{
    int            rc;
    size_t         i;
    const char    *hex;
    sqlite3_stmt  *stmt;

    rc = aiobs_store_on_track(store, place, seen);

    if (rc != AIOBS_STORE_OK) {
        *n = 0;
        return rc;
    }

    stmt = aiobs_store_statement(store, AIOBS_SQL_CHANGES);
    if (stmt == NULL) {
        return aiobs_store_fail(store, "read its changes");
    }

    sqlite3_bind_int64(stmt, 1, place->seq);
    sqlite3_bind_int64(stmt, 2, *n);

    i = 0;

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        place->seq = sqlite3_column_int64(stmt, 3);
        place->mark = sqlite3_column_int64(stmt, 4);
        hex = (const char *) sqlite3_column_text(stmt, 5);

        if (hex && strcmp(hex, "*") == 0) {
            sqlite3_reset(stmt);
            *n = 0;

            if (aiobs_store_end(store, place) != SQLITE_OK) {
                return aiobs_store_fail(store, "read its changes");
            }

            return AIOBS_STORE_NONE;
        }

        /* what is no hash can be nobody's key, but still is a change */

        memset(keys[i].hash, 0, AIOBS_KEY_HASH_LEN);

        if (hex && sqlite3_column_bytes(stmt, 5) == AIOBS_KEY_HEX_LEN) {
            (void) aiobs_key_from_hex(hex, keys[i].hash, AIOBS_KEY_HASH_LEN);
        }

        keys[i].found = sqlite3_column_int(stmt, 6);
        aiobs_store_take(stmt, &keys[i++]);
    }

    sqlite3_reset(stmt);
    *n = i;

    if (rc != SQLITE_DONE) {
        return aiobs_store_fail(store, "read its changes");
    }

    return AIOBS_STORE_OK;
}


/* NONE: the log does not lead on from place, which is moved to its end */

static int
aiobs_store_on_track(aiobs_store_t *store, aiobs_store_place_t *place,
    const aiobs_store_place_t *seen)
{
    int                  rc;
    aiobs_store_place_t  end;

    rc = aiobs_store_adopted(store);

    if (rc < 0) {
        return aiobs_store_fail(store, "read it");
    }

    if (rc == 0) {
        aiobs_store_rollback(store);

        rc = aiobs_store_adopt(store, 0);
        if (rc != AIOBS_STORE_OK) {
            return rc;
        }
    }

    if (aiobs_store_end(store, &end) != SQLITE_OK) {
        return aiobs_store_fail(store, "read its changes");
    }

    rc = aiobs_store_is_past(store, place);

    if (rc == AIOBS_STORE_OK && seen->seq > place->seq) {
        rc = aiobs_store_is_past(store, seen);
    }

    if (rc == AIOBS_STORE_OK && end.seq - place->seq > AIOBS_STORE_LOG / 10) {
        rc = AIOBS_STORE_NONE;
    }

    if (rc == AIOBS_STORE_NONE) {
        *place = end;
    }

    return rc;
}


static int
aiobs_store_is_past(aiobs_store_t *store, const aiobs_store_place_t *place)
{
    int            rc, same;
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_MARK);
    if (stmt == NULL) {
        return aiobs_store_fail(store, "read its changes");
    }

    sqlite3_bind_int64(stmt, 1, place->seq);

    rc = sqlite3_step(stmt);
    same = rc == SQLITE_ROW && sqlite3_column_int64(stmt, 0) == place->mark;
    sqlite3_reset(stmt);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return aiobs_store_fail(store, "read its changes");
    }

    return same ? AIOBS_STORE_OK : AIOBS_STORE_NONE;
}


static int
aiobs_store_same_place(const aiobs_store_place_t *one,
    const aiobs_store_place_t *two)
{
    return one->seq == two->seq && one->mark == two->mark;
}


static int64_t
aiobs_store_version(aiobs_store_t *store)
{
    int64_t        version;
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_VERSION);
    if (stmt == NULL) {
        return -1;
    }

    version = -1;

    if (sqlite3_step(stmt) == SQLITE_ROW) {
        version = sqlite3_column_int64(stmt, 0);
    }

    sqlite3_reset(stmt);

    return version;
}


static void
aiobs_store_take(sqlite3_stmt *stmt, aiobs_key_t *key)
{
    key->active = sqlite3_column_int(stmt, 0) != 0;
    key->user_len = aiobs_store_text(stmt, 1, key->user, AIOBS_KEY_USER_MAX);
    key->name_len = aiobs_store_text(stmt, 2, key->name, AIOBS_KEY_NAME_MAX);
}


static unsigned char
aiobs_store_text(sqlite3_stmt *stmt, int column, char *text, size_t max)
{
    size_t                len;
    const unsigned char  *p;

    p = sqlite3_column_text(stmt, column);
    if (p == NULL) {
        return 0;
    }

    len = aiobs_key_cut(p, sqlite3_column_bytes(stmt, column), max);
    memcpy(text, p, len);

    return len;
}


int
aiobs_store_used(aiobs_store_t *store, const aiobs_key_use_t *uses, size_t n)
{
    char             hex[AIOBS_KEY_HEX_LEN + 1], text[AIOBS_KEY_TIME_LEN + 1];
    size_t           i;
    sqlite3_stmt    *stmt;
    struct timeval   tv;

    if (aiobs_store_step(store, AIOBS_SQL_BEGIN_WRITE) != SQLITE_OK) {
        return aiobs_store_fail(store, "write last_used");
    }

    tv.tv_usec = 0;

    for (i = 0; i < n; i++) {
        stmt = aiobs_store_statement(store, AIOBS_SQL_USED);
        if (stmt == NULL) {
            return aiobs_store_fail(store, "write last_used");
        }

        tv.tv_sec = uses[i].time;
        aiobs_key_time(&tv, text);
        aiobs_key_to_hex(uses[i].hash, AIOBS_KEY_HASH_LEN, hex);

        sqlite3_bind_text(stmt, 1, text, AIOBS_KEY_TIME_LEN, SQLITE_STATIC);
        sqlite3_bind_text(stmt, 2, hex, AIOBS_KEY_HEX_LEN, SQLITE_STATIC);

        if (aiobs_store_step(store, AIOBS_SQL_USED) != SQLITE_OK) {
            return aiobs_store_fail(store, "write last_used");
        }
    }

    if (aiobs_store_step(store, AIOBS_SQL_COMMIT) != SQLITE_OK) {
        return aiobs_store_fail(store, "write last_used");
    }

    return AIOBS_STORE_OK;
}


int
aiobs_store_trim(aiobs_store_t *store)
{
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_TRIM);

    if (stmt == NULL) {
        return aiobs_store_fail(store, "trim its changes");
    }

    sqlite3_bind_int(stmt, 1, AIOBS_STORE_LOG);

    if (aiobs_store_step(store, AIOBS_SQL_TRIM) != SQLITE_OK) {
        return aiobs_store_fail(store, "trim its changes");
    }

    return AIOBS_STORE_OK;
}
