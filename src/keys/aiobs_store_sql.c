
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: its statements.
 */


#include "aiobs_store_sqlite.h"


#define AIOBS_ATTR_SET(bit, column)                                           \
    column " = iif(?2 & " bit ", excluded." column ", " column ")"

/*
 * Another program may have put blobs there, which JSON cannot hold.  Rows are
 * chosen and sorted by what is needed for it alone, the rest is fetched of
 * each as it is read; JSON is made where ?6 asks for it.
 */

/*
 * Rows that have a hash, and not what another program took for one: behind
 * that a page could not go on.
 */

#define AIOBS_SQL_HASHED                                                      \
    "typeof(hash) = 'text' AND length(CAST(hash AS BLOB)) = 64"               \
    " AND hash NOT GLOB '*[^0-9a-f]*'"

#define AIOBS_SQL_ROW(id, which)                                              \
    "SELECT hash, user_id, name, created_at, last_used, revoked_at,"          \
    " expires_at, active, expired,"                                           \
    " iif(?6, json_object('key_id', substr(hash, 1, 12),"                     \
    " 'hash', hash, 'user_id', user_id, 'name', name,"                        \
    " 'created_at', created_at, 'last_used', last_used,"                      \
    " 'revoked_at', revoked_at, 'expires_at', expires_at,"                    \
    " 'active', json(iif(active AND NOT expired, 'true', 'false')),"          \
    " 'state', CASE WHEN NOT active THEN 'revoked' WHEN expired THEN"         \
    " 'expired' ELSE 'active' END,"                                           \
    " 'replaced_by', substr(replaced_by, 1, 12),"                             \
    " 'admin', json(iif(admin, 'true', 'false')),"                            \
    " 'may_act_for', json(iif(may_act_for, 'true', 'false')),"                \
    " 'models', " AIOBS_SQL_ARRAY("models") ","                               \
    " 'endpoints', " AIOBS_SQL_ARRAY("endpoints") ","                         \
    " 'labels', json(iif(json_valid(labels), labels, '{}')),"                 \
    " 'limits', json_patch('{}', json_object("                                \
    "'rpm', " AIOBS_SQL_LIMIT("rpm") ", 'tpm', " AIOBS_SQL_LIMIT("tpm") ","   \
    " 'tokens_per_day', " AIOBS_SQL_LIMIT("tokens_per_day") ","               \
    " 'tokens_per_month', " AIOBS_SQL_LIMIT("tokens_per_month") ","           \
    " 'cost_usd_per_day', "                                                   \
    AIOBS_SQL_COST("cost_microusd_per_day") ","                               \
    " 'cost_usd_per_month', "                                                 \
    AIOBS_SQL_COST("cost_microusd_per_month") ","                             \
    " 'parallel', " AIOBS_SQL_LIMIT("parallel") "))), NULL)"                  \
    " FROM (SELECT CAST(k.hash AS TEXT) AS hash,"                             \
    " CAST(k.user_id AS TEXT) AS user_id, CAST(k.name AS TEXT) AS name,"      \
    " CAST(k.created_at AS TEXT) AS created_at,"                              \
    " CAST(k.last_used AS TEXT) AS last_used,"                                \
    " CAST(a.revoked_at AS TEXT) AS revoked_at,"                              \
    " CAST(a.expires_at AS TEXT) AS expires_at,"                              \
    " coalesce(k.is_active, 0) AS active,"                                    \
    " " AIOBS_SQL_EXPIRES " BETWEEN 1 AND strftime('%s', 'now') + 0"          \
    " AS expired,"                                                            \
    " CAST(a.replaced_by AS TEXT) AS replaced_by,"                            \
    " coalesce(a.is_admin, 0) AS admin,"                                      \
    " coalesce(a.may_act_for, 0) AS may_act_for,"                             \
    " CAST(a.models AS TEXT) AS models,"                                      \
    " CAST(a.endpoints AS TEXT) AS endpoints,"                                \
    " CAST(a.labels AS TEXT) AS labels, "                                     \
    AIOBS_SQL_LIMITS("a")                                                     \
    " FROM (SELECT " id " AS id FROM api_keys " which                         \
    " LIMIT ?4 OFFSET ?5) i CROSS JOIN api_keys k ON k." id " = i.id"         \
    " LEFT JOIN aiobs_key_attrs a ON a.hash = k.hash)"

/* each finds its rows by an index, if there is one for it */

#define AIOBS_SQL_LISTINGS(id, first)                                         \
                                                                              \
    [first + AIOBS_LISTING_ALL] =                                             \
        AIOBS_SQL_ROW(id, "ORDER BY created_at, hash"),                       \
                                                                              \
    [first + AIOBS_LISTING_OF_USER] =                                         \
        AIOBS_SQL_ROW(id, "WHERE user_id = ?1 ORDER BY created_at, hash"),    \
                                                                              \
    [first + AIOBS_LISTING_PREFIX] =                                          \
        AIOBS_SQL_ROW(id, "WHERE hash >= ?2 AND hash < ?2 || 'g'"             \
                          " ORDER BY hash"),                                  \
                                                                              \
    [first + AIOBS_LISTING_PAGE] =                                            \
        AIOBS_SQL_ROW(id, "WHERE hash > coalesce(?3, '') AND "                \
                          AIOBS_SQL_HASHED " ORDER BY hash"),                 \
                                                                              \
    [first + AIOBS_LISTING_PAGE_OF_USER] =                                    \
        AIOBS_SQL_ROW(id, "WHERE user_id = ?1 AND hash > coalesce(?3, '')"    \
                          " AND " AIOBS_SQL_HASHED " ORDER BY hash")

/* neither blobs nor the infinite, which JSON cannot hold */
#define AIOBS_SQL_LIMIT(column)                                               \
    "CASE typeof(" column ") WHEN 'blob' THEN CAST(" column " AS TEXT)"       \
    " WHEN 'real' THEN CAST(" column " AS INTEGER) ELSE " column " END"

#define AIOBS_SQL_COST(column)  "CAST(" column " AS INTEGER) / 1e6"

/*
 * Where absurd amounts would pass what 64 bits hold, sums stay there: total()
 * has no overflow, nor min(), which takes what has become a REAL.
 */
#define AIOBS_ADDED(column)                                                   \
    column " = min(" column " + excluded." column ", 9223372036854775807)"

#define AIOBS_SQL_TOTAL(column)  "CAST(total(" column ") AS INTEGER)"

#define AIOBS_SQL_SPEND(group, user, name)                                    \
    "SELECT " group ", " user ", " name ", sum(calls),"                       \
    " " AIOBS_SQL_TOTAL("input") ", " AIOBS_SQL_TOTAL("output") ","           \
    " " AIOBS_SQL_TOTAL("cache_read") ", " AIOBS_SQL_TOTAL("cache_write") "," \
    " " AIOBS_SQL_TOTAL("cost_microusd") ","                                  \
    " sum(estimated_calls) FROM (SELECT u.*,"                                 \
    " coalesce(k.user_id, d.user_id) AS user_id,"                             \
    " coalesce(k.name, d.name) AS name,"                                      \
    " CAST(coalesce(a.labels, d.labels) AS TEXT) AS labels"                   \
    " FROM usage_daily u LEFT JOIN api_keys k ON k.hash = u.key_hash"         \
    " LEFT JOIN aiobs_deleted_keys d ON d.hash = u.key_hash"                  \
    " AND k.hash IS NULL"                                                     \
    " LEFT JOIN aiobs_key_attrs a ON a.hash = k.hash"                         \
    " WHERE u.day >= ?1 AND u.day <= ?2)"                                     \
    " WHERE ?3 IS NULL OR user_id = ?3"                                       \
    " GROUP BY " group " ORDER BY total(cost_microusd) DESC,"                 \
    " total(input) + total(output) DESC, " group

#define AIOBS_SQL_ARRAY(list)                                                 \
    "iif(coalesce(" list ", '') = '', NULL,"                                  \
    " json('[' || replace(json_quote(" list "), ',', '\",\"') || ']'))"


const char  *aiobs_store_sql[AIOBS_SQL_N] = {

    [AIOBS_SQL_BEGIN] = "BEGIN",
    [AIOBS_SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [AIOBS_SQL_COMMIT] = "COMMIT",
    [AIOBS_SQL_ROLLBACK] = "ROLLBACK",

    [AIOBS_SQL_VERSION] = "PRAGMA data_version",

    [AIOBS_SQL_END] =
        "SELECT seq, mark FROM aiobs_changes ORDER BY seq DESC LIMIT 1",

    [AIOBS_SQL_MARK] =
        "SELECT mark FROM aiobs_changes WHERE seq = ?1",

    [AIOBS_SQL_KEY] =
        "SELECT " AIOBS_SQL_KEY_COLUMNS " FROM api_keys k"
        " LEFT JOIN aiobs_key_attrs a ON a.hash = k.hash WHERE k.hash = ?1",

    [AIOBS_SQL_CHANGES] =
        "SELECT " AIOBS_SQL_KEY_COLUMNS ", c.seq, c.mark, c.hash,"
        " k.hash IS NOT NULL"
        " FROM aiobs_changes c LEFT JOIN api_keys k ON k.hash = c.hash"
        " LEFT JOIN aiobs_key_attrs a ON a.hash = k.hash"
        " WHERE c.seq > ?1 ORDER BY c.seq LIMIT ?2",

    [AIOBS_SQL_WINDOWS] =
        "SELECT kind, start, amount FROM aiobs_limit_windows"
        " WHERE account = ?1",

    [AIOBS_SQL_USED] =
        "UPDATE api_keys SET last_used = ?1"
        " WHERE hash = ?2 AND (last_used IS NULL OR last_used < ?1)",

    [AIOBS_SQL_USAGE] =
        "INSERT INTO usage_daily (day, key_hash, model, endpoint, calls, input,"
        " output, cache_read, cache_write, cost_microusd, estimated_calls)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        " ON CONFLICT (day, key_hash, model, endpoint) DO UPDATE SET"
        " calls = calls + excluded.calls, "
        AIOBS_ADDED("input") ", " AIOBS_ADDED("output") ", "
        AIOBS_ADDED("cache_read") ", " AIOBS_ADDED("cache_write") ", "
        AIOBS_ADDED("cost_microusd")
        ", estimated_calls = estimated_calls + excluded.estimated_calls",

    [AIOBS_SQL_WINDOW] =
        "INSERT INTO aiobs_limit_windows (account, kind, start, amount)"
        " VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (account, kind) DO UPDATE SET start = excluded.start,"
        " amount = iif(start < excluded.start, 0, amount) + excluded.amount"
        " WHERE start <= excluded.start",

    [AIOBS_SQL_TRIM] =
        "DELETE FROM aiobs_changes"
        " WHERE seq <= min((SELECT max(seq) FROM aiobs_changes) - ?1,"
        " (SELECT min(seq) FROM aiobs_changes) + ?2)",

    [AIOBS_SQL_SIFT_SCHEMA] = "PRAGMA schema_version",

    /* rows of api_keys: at most, unless some have odd numbers */

    [AIOBS_SQL_SIFT_SIZE] =
        "SELECT min(coalesce((SELECT max(rowid) FROM api_keys), 0),"
        " page_count * page_size / 128)"
        " FROM pragma_page_count, pragma_page_size",

    [AIOBS_SQL_SIFT_ROWS] =
        "SELECT hash FROM api_keys WHERE hash > ?1 AND typeof(hash) = 'text'"
        " ORDER BY hash LIMIT ?2",

    [AIOBS_SQL_SIFT_CHANGES] =
        "SELECT seq, mark, hash FROM aiobs_changes WHERE seq >= ?1"
        " ORDER BY seq LIMIT ?2",

    [AIOBS_SQL_EVENT] =
        "INSERT INTO key_events"
        " (ts, actor, action, key_id, request_id, prev_hash)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
        " RETURNING json_array(ts, actor, action, key_id, request_id,"
        " prev_hash)",

    [AIOBS_SQL_EVENT_LAST] =
        "SELECT " AIOBS_SQL_EVENT_JSON
        " FROM key_events ORDER BY rowid DESC LIMIT 1",

    [AIOBS_SQL_EVENT_HEAD] =
        "INSERT OR REPLACE INTO aiobs_meta (name, value)"
        " VALUES ('audit_head', ?1)",

    [AIOBS_SQL_QUEUE] =
        "SELECT ts, actor, action, key_id, rowid FROM aiobs_event_queue"
        " ORDER BY rowid LIMIT ?1",

    [AIOBS_SQL_QUEUE_DONE] = "DELETE FROM aiobs_event_queue WHERE rowid <= ?1",

    [AIOBS_SQL_OWN] =
        "INSERT OR REPLACE INTO aiobs_meta (name, value) VALUES ('own', 1)",

    [AIOBS_SQL_OWN_DONE] = "DELETE FROM aiobs_meta WHERE name = 'own'",

    [AIOBS_SQL_INSERT] =
        "INSERT INTO api_keys"
        " (hash, user_id, name, created_at, last_used, is_active)"
        " VALUES (?1, ?2, ?3, coalesce(?4, " AIOBS_SQL_NOW "), ?5, ?6)",

    [AIOBS_SQL_EDIT_KEY] =
        "UPDATE api_keys SET user_id = iif(?2 & 64, ?3, user_id),"
        " name = iif(?2 & 128, ?4, name) WHERE hash = ?1",

    [AIOBS_SQL_EDIT_ATTRS] =
        "INSERT INTO aiobs_key_attrs (hash, expires_at, models, endpoints,"
        " labels, is_admin, may_act_for, rpm, tpm, tokens_per_day,"
        " tokens_per_month, cost_microusd_per_day, cost_microusd_per_month,"
        " parallel)"
        " SELECT ?1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15"
        " WHERE true"
        " ON CONFLICT (hash) DO UPDATE SET "
        AIOBS_ATTR_SET("1", "expires_at") ", "
        AIOBS_ATTR_SET("2", "models") ", "
        AIOBS_ATTR_SET("4", "endpoints") ", "
        AIOBS_ATTR_SET("8", "labels") ", "
        AIOBS_ATTR_SET("16", "is_admin") ", "
        AIOBS_ATTR_SET("32", "may_act_for") ", "
        AIOBS_ATTR_SET("256", "rpm") ", "
        AIOBS_ATTR_SET("512", "tpm") ", "
        AIOBS_ATTR_SET("1024", "tokens_per_day") ", "
        AIOBS_ATTR_SET("2048", "tokens_per_month") ", "
        AIOBS_ATTR_SET("4096", "cost_microusd_per_day") ", "
        AIOBS_ATTR_SET("8192", "cost_microusd_per_month") ", "
        AIOBS_ATTR_SET("16384", "parallel"),

    [AIOBS_SQL_REPLACE] =
        "INSERT INTO api_keys"
        " (hash, user_id, name, created_at, last_used, is_active)"
        " SELECT ?2, user_id, name, " AIOBS_SQL_NOW ", NULL, 1"
        " FROM api_keys WHERE hash = ?1",

    [AIOBS_SQL_REPLACE_ATTRS] =
        "INSERT INTO aiobs_key_attrs (hash, expires_at, account, models,"
        " endpoints, labels, is_admin, may_act_for, rpm, tpm, tokens_per_day,"
        " tokens_per_month, cost_microusd_per_day, cost_microusd_per_month,"
        " parallel)"
        " SELECT ?2, iif(" AIOBS_SQL_EXPIRES " > strftime('%s', 'now') + 0,"
        " a.expires_at, NULL), coalesce(a.account, k.hash), a.models,"
        " a.endpoints, a.labels, a.is_admin, a.may_act_for, "
        AIOBS_SQL_LIMITS("a")
        " FROM api_keys k LEFT JOIN aiobs_key_attrs a ON a.hash = k.hash"
        " WHERE k.hash = ?1",

    /* an end that comes sooner stays */

    [AIOBS_SQL_REPLACED] =
        "INSERT INTO aiobs_key_attrs (hash, replaced_by, expires_at)"
        " SELECT ?1, ?2, ?3 WHERE true"
        " ON CONFLICT (hash) DO UPDATE SET replaced_by = excluded.replaced_by,"
        " expires_at = iif(expires_at IS NOT NULL"
        " AND " AIOBS_SQL_SECONDS("expires_at")
        " < " AIOBS_SQL_SECONDS("excluded.expires_at") ","
        " expires_at, excluded.expires_at)",

    [AIOBS_SQL_STATE] =
        "SELECT coalesce(k.is_active, 0) AND NOT (" AIOBS_SQL_EXPIRES
        " BETWEEN 1 AND strftime('%s', 'now') + 0) AND a.replaced_by IS NULL"
        " FROM api_keys k LEFT JOIN aiobs_key_attrs a ON a.hash = k.hash"
        " WHERE k.hash = ?1",

    AIOBS_SQL_LISTINGS("rowid", AIOBS_SQL_LIST),

    /* of a table that another program made WITHOUT ROWID */

    AIOBS_SQL_LISTINGS("hash", AIOBS_SQL_LIST_BY_HASH),

    [AIOBS_SQL_RESOLVE] =
        "SELECT hash FROM api_keys WHERE hash >= ?1 AND hash < ?1 || 'g'"
        " LIMIT 2",

    [AIOBS_SQL_ACTIVATE] =
        "UPDATE api_keys SET is_active = ?1 WHERE hash = ?2",

    [AIOBS_SQL_DELETE] = "DELETE FROM api_keys WHERE hash = ?1",

    [AIOBS_SQL_SUBJECT] =
        "SELECT hash FROM aiobs_oidc_subjects WHERE issuer = ?1 AND sub = ?2",

    [AIOBS_SQL_SUBJECT_SET] =
        "INSERT INTO aiobs_oidc_subjects"
        " (issuer, sub, email, hash, created_at, last_login)"
        " VALUES (?1, ?2, ?3, ?4, " AIOBS_SQL_NOW ", " AIOBS_SQL_NOW ")"
        " ON CONFLICT (issuer, sub) DO UPDATE SET email = excluded.email,"
        " hash = excluded.hash, last_login = excluded.last_login",

    [AIOBS_SQL_SUBJECT_MOVED] =
        "UPDATE aiobs_oidc_subjects SET hash = ?2 WHERE hash = ?1",

    /* what is still the address that the login before told follows it */

    [AIOBS_SQL_SUBJECT_USER] =
        "UPDATE api_keys SET user_id = ?4 WHERE hash = ?3 AND user_id ="
        " (SELECT email FROM aiobs_oidc_subjects"
        " WHERE issuer = ?1 AND sub = ?2)",

    [AIOBS_SQL_SUBJECT_LABEL] =
        "UPDATE aiobs_key_attrs SET labels = json_set(labels, '$.email', ?4)"
        " WHERE hash = ?3 AND iif(json_valid(labels),"
        " json_extract(labels, '$.email') ="
        " (SELECT email FROM aiobs_oidc_subjects"
        " WHERE issuer = ?1 AND sub = ?2)"
        " AND length(CAST(json_set(labels, '$.email', ?4) AS BLOB)) <= 512,"
        " 0)",

    [AIOBS_SQL_SUBJECT_KEY] =
        "SELECT CAST(user_id AS TEXT), CAST(name AS TEXT) FROM api_keys"
        " WHERE hash = ?1",

    [AIOBS_SQL_SPEND_BY_USER] = AIOBS_SQL_SPEND("user_id", "NULL", "NULL"),
    [AIOBS_SQL_SPEND_BY_KEY] =
        AIOBS_SQL_SPEND("substr(key_hash, 1, 12)", "user_id", "name"),
    [AIOBS_SQL_SPEND_BY_MODEL] = AIOBS_SQL_SPEND("model", "NULL", "NULL"),
    [AIOBS_SQL_SPEND_BY_ENDPOINT] = AIOBS_SQL_SPEND("endpoint", "NULL", "NULL"),
    [AIOBS_SQL_SPEND_BY_DAY] = AIOBS_SQL_SPEND("day", "NULL", "NULL"),

    [AIOBS_SQL_SPEND_BY_LABEL] =
        AIOBS_SQL_SPEND("iif(json_valid(labels), json_extract(labels,"
                        " '$.' || json_quote(?4)), NULL)", "NULL", "NULL"),

    [AIOBS_SQL_AUDIT] =
        "SELECT rowid, CAST(ts AS TEXT), CAST(actor AS TEXT),"
        " CAST(action AS TEXT), CAST(key_id AS TEXT),"
        " CAST(request_id AS TEXT), CAST(prev_hash AS TEXT),"
        " json_object('ts', CAST(ts AS TEXT), 'actor', CAST(actor AS TEXT),"
        " 'action', CAST(action AS TEXT), 'key_id', CAST(key_id AS TEXT),"
        " 'request_id', CAST(request_id AS TEXT),"
        " 'prev_hash', CAST(prev_hash AS TEXT))"
        " FROM key_events WHERE ?1 IS NULL OR key_id = ?1 ORDER BY rowid",

    [AIOBS_SQL_VERIFY] =
        "SELECT rowid, CAST(prev_hash AS TEXT), " AIOBS_SQL_EVENT_JSON
        " FROM key_events ORDER BY rowid",

    [AIOBS_SQL_HEAD] =
        "SELECT CAST(value AS TEXT) FROM aiobs_meta WHERE name = 'audit_head'",

    /* keys of a user, those that are deleted as well */

    [AIOBS_SQL_OF_USER] =
        "SELECT hash FROM api_keys WHERE user_id = ?1 AND hash IS NOT NULL"
        " UNION SELECT hash FROM aiobs_deleted_keys WHERE user_id = ?1"
        " UNION SELECT hash FROM aiobs_oidc_subjects WHERE email = ?1",

    [AIOBS_SQL_FORGET_KEY] =
        "UPDATE api_keys SET user_id = '(forgotten)', name = NULL,"
        " is_active = 0 WHERE hash = ?1",
    [AIOBS_SQL_FORGET_ATTRS] =
        "UPDATE aiobs_key_attrs SET labels = NULL WHERE hash = ?1",
    [AIOBS_SQL_FORGET_DELETED] =
        "UPDATE aiobs_deleted_keys SET user_id = '(forgotten)', name = NULL,"
        " labels = NULL WHERE hash = ?1",
    [AIOBS_SQL_FORGET_SUBJECT] =
        "DELETE FROM aiobs_oidc_subjects WHERE hash = ?1 OR email = ?2"
};
