
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: its schema.  A file of another program, which has only
 * api_keys, is adopted as it is.
 *
 * A change of the schema is a new row of aiobs_schema[], never an edited one.
 */


#include "aiobs_store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>


#define AIOBS_CHANGED(row)                                                    \
    " INSERT INTO aiobs_changes (hash, mark) VALUES (" row ".hash, random());"

/*
 * What another program did waits for one of ours, which knows SHA-256, to
 * take it into key_events.  Ours say themselves what they do.
 */
#define AIOBS_HAPPENED(action, row)                                           \
    " INSERT INTO aiobs_event_queue SELECT " AIOBS_SQL_NOW ", 'sql', "        \
    action ", substr(CAST(" row ".hash AS TEXT), 1, 12)"                      \
    " WHERE NOT EXISTS (SELECT 1 FROM aiobs_meta WHERE name = 'own');"

#define AIOBS_TRIGGER(name, what)                                             \
    "DROP TRIGGER IF EXISTS aiobs_" name ";"                                  \
    "CREATE TRIGGER aiobs_" name " " what " BEGIN"

#define AIOBS_TRIGGERS  "9"


static int aiobs_store_wal_mode(aiobs_store_t *store);
static int aiobs_store_migrate(aiobs_store_t *store, unsigned flags);
static int aiobs_store_schema(aiobs_store_t *store);
static int aiobs_store_number(aiobs_store_t *store, const char *sql);


static const char  aiobs_main_table[] =
    "CREATE TABLE IF NOT EXISTS api_keys (hash TEXT PRIMARY KEY, user_id TEXT,"
    " name TEXT, created_at TEXT, last_used TEXT,"
    " is_active INTEGER DEFAULT 1)";


/* from version i to i + 1 */

static const char  *aiobs_schema[AIOBS_STORE_SCHEMA] = {

    "CREATE TABLE aiobs_meta (name TEXT PRIMARY KEY, value);"

    "CREATE TABLE aiobs_changes (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " hash TEXT, mark INTEGER);"

    "CREATE TABLE aiobs_key_attrs (hash TEXT PRIMARY KEY, revoked_at TEXT);",

    /* 2: what keys may, what they spent, what happened to them */

    "ALTER TABLE aiobs_key_attrs ADD COLUMN expires_at TEXT;"
    "ALTER TABLE aiobs_key_attrs ADD COLUMN replaced_by TEXT;"
    "ALTER TABLE aiobs_key_attrs ADD COLUMN account TEXT;"
    "ALTER TABLE aiobs_key_attrs ADD COLUMN models TEXT;"
    "ALTER TABLE aiobs_key_attrs ADD COLUMN endpoints TEXT;"
    "ALTER TABLE aiobs_key_attrs ADD COLUMN labels TEXT;"
    "ALTER TABLE aiobs_key_attrs ADD COLUMN is_admin INTEGER;"
    "ALTER TABLE aiobs_key_attrs ADD COLUMN may_act_for INTEGER;"
    "ALTER TABLE aiobs_key_attrs ADD COLUMN rpm INTEGER;"
    "ALTER TABLE aiobs_key_attrs ADD COLUMN tpm INTEGER;"
    "ALTER TABLE aiobs_key_attrs ADD COLUMN tokens_per_day INTEGER;"
    "ALTER TABLE aiobs_key_attrs ADD COLUMN tokens_per_month INTEGER;"
    "ALTER TABLE aiobs_key_attrs ADD COLUMN cost_microusd_per_day INTEGER;"
    "ALTER TABLE aiobs_key_attrs ADD COLUMN cost_microusd_per_month INTEGER;"
    "ALTER TABLE aiobs_key_attrs ADD COLUMN parallel INTEGER;"

    "CREATE TABLE aiobs_deleted_keys (hash TEXT PRIMARY KEY, user_id TEXT,"
    " name TEXT, labels TEXT, deleted_at TEXT);"

    "CREATE TABLE aiobs_limit_windows (account TEXT, kind INTEGER,"
    " start INTEGER, amount INTEGER, PRIMARY KEY (account, kind))"
    " WITHOUT ROWID;"

    "CREATE TABLE aiobs_oidc_subjects (issuer TEXT, sub TEXT, email TEXT,"
    " hash TEXT, created_at TEXT, last_login TEXT,"
    " PRIMARY KEY (issuer, sub));"

    "CREATE TABLE usage_daily (day TEXT, key_hash TEXT, model TEXT,"
    " endpoint TEXT, calls INTEGER, input INTEGER, output INTEGER,"
    " cache_read INTEGER, cache_write INTEGER, cost_microusd INTEGER,"
    " estimated_calls INTEGER,"
    " PRIMARY KEY (day, key_hash, model, endpoint)) WITHOUT ROWID;"

    "CREATE TABLE aiobs_event_queue (ts TEXT, actor TEXT, action TEXT,"
    " key_id TEXT);"

    "CREATE TABLE key_events (ts TEXT, actor TEXT, action TEXT, key_id TEXT,"
    " request_id TEXT, prev_hash TEXT);"
};


/*
 * Those of api_keys go with the table when another program drops it, hence
 * made apart.  What was changed without them is not known: "*" stands for
 * every key.
 */

static const char  aiobs_triggers[] =

    AIOBS_TRIGGER("api_keys_insert", "AFTER INSERT ON api_keys")
    AIOBS_CHANGED("NEW")
    AIOBS_HAPPENED("'created'", "NEW")
    " UPDATE aiobs_key_attrs SET revoked_at = NULL"
    " WHERE hash = NEW.hash AND NEW.is_active;"
    " END;"

    AIOBS_TRIGGER("api_keys_delete", "AFTER DELETE ON api_keys")
    AIOBS_CHANGED("OLD")
    AIOBS_HAPPENED("'deleted'", "OLD")
    " INSERT OR REPLACE INTO aiobs_deleted_keys SELECT OLD.hash, OLD.user_id,"
    " OLD.name, (SELECT labels FROM aiobs_key_attrs WHERE hash = OLD.hash), "
    AIOBS_SQL_NOW " WHERE OLD.hash IS NOT NULL;"
    " DELETE FROM aiobs_key_attrs WHERE hash = OLD.hash;"
    " END;"

    AIOBS_TRIGGER("api_keys_update",
                  "AFTER UPDATE OF hash, user_id, name, is_active ON api_keys")
    AIOBS_CHANGED("NEW")
    " INSERT INTO aiobs_changes (hash, mark) SELECT OLD.hash, random()"
    " WHERE OLD.hash IS NOT NEW.hash;"
    " UPDATE OR REPLACE aiobs_key_attrs SET hash = NEW.hash"
    " WHERE hash = OLD.hash AND OLD.hash IS NOT NEW.hash;"
    AIOBS_HAPPENED("CASE WHEN coalesce(OLD.is_active, 0)"
                   " AND NOT coalesce(NEW.is_active, 0) THEN 'revoked'"
                   " WHEN coalesce(NEW.is_active, 0)"
                   " AND NOT coalesce(OLD.is_active, 0) THEN 'restored'"
                   " ELSE 'changed' END", "NEW")
    " UPDATE aiobs_key_attrs SET revoked_at = NULL"
    " WHERE hash = NEW.hash AND NEW.is_active;"
    " INSERT INTO aiobs_key_attrs (hash, revoked_at)"
    " SELECT NEW.hash, " AIOBS_SQL_NOW
    " WHERE NOT coalesce(NEW.is_active, 0) AND coalesce(OLD.is_active, 0)"
    " AND NEW.hash IS NOT NULL"
    " ON CONFLICT (hash) DO UPDATE SET revoked_at = excluded.revoked_at;"
    " END;"

    AIOBS_TRIGGER("api_keys_used", "AFTER UPDATE OF last_used ON api_keys"
                  " WHEN OLD.last_used IS NULL AND NEW.last_used IS NOT NULL")
    " INSERT INTO aiobs_event_queue SELECT " AIOBS_SQL_NOW ","
    " 'key:' || id, 'first_used', id"
    " FROM (SELECT substr(CAST(NEW.hash AS TEXT), 1, 12) AS id);"
    " END;"

    /* a row that tells only when a key was revoked is no change of its own */

    AIOBS_TRIGGER("attrs_insert", "AFTER INSERT ON aiobs_key_attrs WHEN"
                  " coalesce(" AIOBS_SQL_POLICY("NEW") ") IS NOT NULL")
    AIOBS_CHANGED("NEW")
    AIOBS_HAPPENED("'changed'", "NEW")
    " END;"

    AIOBS_TRIGGER("attrs_delete", "AFTER DELETE ON aiobs_key_attrs WHEN"
                  " EXISTS (SELECT 1 FROM api_keys WHERE hash = OLD.hash)")
    AIOBS_CHANGED("OLD")
    AIOBS_HAPPENED("'changed'", "OLD")
    " END;"

    AIOBS_TRIGGER("attrs_update", "AFTER UPDATE OF hash, "
                  AIOBS_SQL_POLICY_COLUMNS " ON aiobs_key_attrs")
    AIOBS_CHANGED("NEW")
    " INSERT INTO aiobs_changes (hash, mark) SELECT OLD.hash, random()"
    " WHERE OLD.hash IS NOT NEW.hash;"
    AIOBS_HAPPENED("'changed'", "NEW")
    " END;"

    AIOBS_TRIGGER("events_update", "BEFORE UPDATE ON key_events")
    " SELECT RAISE(ABORT, 'key_events is append-only');"
    " END;"

    AIOBS_TRIGGER("events_delete", "BEFORE DELETE ON key_events")
    " SELECT RAISE(ABORT, 'key_events is append-only');"
    " END;"

    "CREATE INDEX IF NOT EXISTS aiobs_api_keys_user ON api_keys (user_id);"

    "INSERT INTO aiobs_changes (hash, mark) VALUES ('*', random());";


int
aiobs_store_adopted(aiobs_store_t *store)
{
    int  version;

    version = aiobs_store_schema(store);

    if (version < 0) {
        return -1;
    }

    if (version != AIOBS_STORE_SCHEMA) {
        return 0;
    }

    version = aiobs_store_number(store,
        "SELECT count(*) = " AIOBS_TRIGGERS " FROM sqlite_master"
        " WHERE type = 'trigger' AND substr(name, 1, 6) = 'aiobs_'"
        " AND tbl_name IN ('api_keys', 'aiobs_key_attrs', 'key_events')");

    return version;
}


int
aiobs_store_adopt(aiobs_store_t *store, unsigned flags)
{
    int  rc;

    rc = aiobs_store_wal_mode(store);

    if (rc != AIOBS_STORE_OK) {
        return rc;
    }

    if (aiobs_store_step(store, AIOBS_SQL_BEGIN_WRITE) != SQLITE_OK) {
        return aiobs_store_fail(store, "add tables to it");
    }

    rc = aiobs_store_migrate(store, flags);

    if (rc != AIOBS_STORE_OK) {
        aiobs_store_rollback(store);
        return rc;
    }

    if (aiobs_store_step(store, AIOBS_SQL_COMMIT) != SQLITE_OK) {
        return aiobs_store_fail(store, "add tables to it");
    }

    return AIOBS_STORE_OK;
}


/* readers go on while one writes; it stays with the file */

static int
aiobs_store_wal_mode(aiobs_store_t *store)
{
    int  rc;

    rc = aiobs_store_exec(store, "PRAGMA journal_mode = WAL") & 0xff;

    /* in use, or on a file system that cannot: it works without, slower */

    if (rc == SQLITE_OK || rc == SQLITE_BUSY || rc == SQLITE_LOCKED) {
        return AIOBS_STORE_OK;
    }

    return aiobs_store_fail(store, "switch it to a write-ahead log");
}


static int
aiobs_store_migrate(aiobs_store_t *store, unsigned flags)
{
    int   version;
    char  sql[128];

    version = aiobs_store_schema(store);

    if (version > AIOBS_STORE_SCHEMA) {
        snprintf(store->error, sizeof(store->error),
                 "its schema %d was made by a newer version of this program,"
                 " which knows %d", version, AIOBS_STORE_SCHEMA);
        return AIOBS_STORE_FAILED;
    }

    if (version == 0 && (flags & AIOBS_STORE_CREATE)
        && aiobs_store_exec(store, aiobs_main_table) != SQLITE_OK)
    {
        return aiobs_store_fail(store, "create its table");
    }

    if (aiobs_store_exec(store, "SELECT hash, user_id, name, created_at,"
                         " last_used, is_active FROM api_keys LIMIT 0")
        != SQLITE_OK)
    {
        return aiobs_store_fail(store, "use its table api_keys, which"
                                " \"aiobs-keys create\" makes");
    }

    while (version >= 0 && version < AIOBS_STORE_SCHEMA) {
        if (aiobs_store_exec(store, aiobs_schema[version++]) != SQLITE_OK) {
            return aiobs_store_fail(store, "add tables to it");
        }
    }

    snprintf(sql, sizeof(sql), "INSERT OR REPLACE INTO aiobs_meta (name, value)"
             " VALUES ('schema', %d)", AIOBS_STORE_SCHEMA);

    if (version < 0
        || aiobs_store_exec(store, sql) != SQLITE_OK
        || aiobs_store_exec(store, aiobs_triggers) != SQLITE_OK)
    {
        return aiobs_store_fail(store, "add triggers to it");
    }

    return AIOBS_STORE_OK;
}


/* 0: there are no side tables */

static int
aiobs_store_schema(aiobs_store_t *store)
{
    int  n;

    n = aiobs_store_number(store, "SELECT count(*) FROM sqlite_master"
                           " WHERE type = 'table' AND name = 'aiobs_meta'");
    if (n <= 0) {
        return n;
    }

    return aiobs_store_number(store, "SELECT value FROM aiobs_meta"
                              " WHERE name = 'schema'");
}


static int
aiobs_store_number(aiobs_store_t *store, const char *sql)
{
    int            rc, n;
    sqlite3_stmt  *stmt;

    if (sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL) != SQLITE_OK) {
        return -1;
    }

    rc = sqlite3_step(stmt);
    n = rc == SQLITE_ROW ? sqlite3_column_int(stmt, 0)
        : rc == SQLITE_DONE ? 0 : -1;

    /* the error stays for who reports it */

    if (sqlite3_finalize(stmt) != SQLITE_OK) {
        return -1;
    }

    return n;
}
