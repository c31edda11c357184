
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: what admission asks of it.
 */


#include "aiobs_store_sqlite.h"

#include <string.h>


static int aiobs_store_find(aiobs_store_t *store, aiobs_key_t *key);
static int aiobs_store_follow(aiobs_store_t *store, aiobs_store_place_t *place,
    const aiobs_store_place_t *seen, aiobs_key_t *keys, size_t *n);
static int aiobs_store_on_track(aiobs_store_t *store,
    aiobs_store_place_t *place, const aiobs_store_place_t *seen);
static int aiobs_store_is_past(aiobs_store_t *store,
    const aiobs_store_place_t *place);
static int aiobs_store_same_place(const aiobs_store_place_t *one,
    const aiobs_store_place_t *two);
static int64_t aiobs_store_version(aiobs_store_t *store);


int
aiobs_store_lookup(aiobs_store_t *store, aiobs_key_t *keys, size_t n,
    aiobs_store_place_t *place)
{
    int     sifted;
    size_t  i;

    if (aiobs_store_step(store, AIOBS_SQL_BEGIN) != SQLITE_OK
        || aiobs_store_end(store, place) != SQLITE_OK)
    {
        return aiobs_store_fail(store, "read it");
    }

    sifted = aiobs_store_sifted(store, place);

    if (sifted < 0) {
        return aiobs_store_fail(store, "read it");
    }

    for (i = 0; i < n; i++) {

        if (sifted && !aiobs_store_sift_has(&store->sift, keys[i].hash)) {
            keys[i].found = 0;
            continue;
        }

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

    if (rc != SQLITE_DONE) {
        return rc;
    }

    return key->found ? aiobs_store_take_windows(store, key) : SQLITE_OK;
}


int
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
        place->seq = sqlite3_column_int64(stmt, AIOBS_SQL_KEY_NCOLUMNS);
        place->mark = sqlite3_column_int64(stmt, AIOBS_SQL_KEY_NCOLUMNS + 1);
        hex = (const char *) sqlite3_column_text(stmt,
                                                 AIOBS_SQL_KEY_NCOLUMNS + 2);

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

        if (hex && strlen(hex) == AIOBS_KEY_HEX_LEN) {
            (void) aiobs_key_from_hex(hex, keys[i].hash, AIOBS_KEY_HASH_LEN);
        }

        keys[i].found = sqlite3_column_int(stmt, AIOBS_SQL_KEY_NCOLUMNS + 3);
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
