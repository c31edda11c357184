
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: a key and what it may, out of a row.  Another program may
 * have written anything there: what is not understood allows nothing.
 */


#include "aiobs_store_sqlite.h"

#include <string.h>


/* first columns of AIOBS_SQL_KEY_COLUMNS */

#define AIOBS_COLUMN_FRESH      3
#define AIOBS_COLUMN_ATTRS      4
#define AIOBS_COLUMN_EXPIRES    5
#define AIOBS_COLUMN_ADMIN      6
#define AIOBS_COLUMN_ACT_FOR    7
#define AIOBS_COLUMN_ACCOUNT    8
#define AIOBS_COLUMN_MODELS     9
#define AIOBS_COLUMN_ENDPOINTS  10
#define AIOBS_COLUMN_LABELS     11
#define AIOBS_COLUMN_LIMITS     12


static unsigned char aiobs_store_text(sqlite3_stmt *stmt, int column,
    char *text, size_t max);
static void aiobs_store_take_policy(sqlite3_stmt *stmt, aiobs_policy_t *policy);
static void aiobs_store_take_account(sqlite3_stmt *stmt,
    aiobs_policy_t *policy);
static uint16_t aiobs_store_take_globs(sqlite3_stmt *stmt, int column,
    char *text, size_t max, aiobs_policy_t *policy);
static void aiobs_store_take_limits(sqlite3_stmt *stmt,
    aiobs_policy_t *policy);
static int aiobs_store_windows_of(aiobs_store_t *store,
    const unsigned char *account, aiobs_window_t *windows);


void
aiobs_store_take(sqlite3_stmt *stmt, aiobs_key_t *key)
{
    size_t           i;
    aiobs_policy_t  *policy;

    key->active = sqlite3_column_int(stmt, 0) != 0;
    key->user_len = aiobs_store_text(stmt, 1, key->user, AIOBS_KEY_USER_MAX);
    key->name_len = aiobs_store_text(stmt, 2, key->name, AIOBS_KEY_NAME_MAX);
    key->fresh = sqlite3_column_int(stmt, AIOBS_COLUMN_FRESH);

    policy = &key->policy;

    memset(policy, 0, offsetof(aiobs_policy_t, models));
    memcpy(policy->account, key->hash, AIOBS_KEY_HASH_LEN);

    for (i = 0; i < AIOBS_LIMIT_N; i++) {
        policy->limits[i] = AIOBS_LIMIT_NONE;
    }

    if (sqlite3_column_int(stmt, AIOBS_COLUMN_ATTRS)) {
        aiobs_store_take_policy(stmt, policy);
    }
}


/*
 * Whatever a store holds goes into headers and logs: control bytes, which would
 * end a line there, do not.
 */

static unsigned char
aiobs_store_text(sqlite3_stmt *stmt, int column, char *text, size_t max)
{
    size_t                i, len;
    const unsigned char  *p;

    p = sqlite3_column_text(stmt, column);
    if (p == NULL) {
        return 0;
    }

    len = aiobs_key_cut(p, sqlite3_column_bytes(stmt, column), max);

    for (i = 0; i < len; i++) {
        text[i] = (p[i] < 0x20 || p[i] == 0x7f) ? '?' : p[i];
    }

    return len;
}


static void
aiobs_store_take_policy(sqlite3_stmt *stmt, aiobs_policy_t *policy)
{
    size_t       len;
    const char  *labels;

    policy->expires = sqlite3_column_int64(stmt, AIOBS_COLUMN_EXPIRES);
    policy->admin = sqlite3_column_int(stmt, AIOBS_COLUMN_ADMIN) != 0;
    policy->may_act_for = sqlite3_column_int(stmt, AIOBS_COLUMN_ACT_FOR) != 0;

    aiobs_store_take_account(stmt, policy);

    policy->models_len = aiobs_store_take_globs(stmt, AIOBS_COLUMN_MODELS,
                             policy->models, AIOBS_KEY_MODELS_MAX, policy);
    policy->endpoints_len = aiobs_store_take_globs(stmt,
                                AIOBS_COLUMN_ENDPOINTS, policy->endpoints,
                                AIOBS_KEY_ENDPOINTS_MAX, policy);

    /* labels open nothing: those that do not fit are left out */

    labels = (const char *) sqlite3_column_text(stmt, AIOBS_COLUMN_LABELS);
    len = labels ? sqlite3_column_bytes(stmt, AIOBS_COLUMN_LABELS) : 0;

    if (len && len <= AIOBS_KEY_LABELS_MAX
        && aiobs_key_labels_error(labels, len) == NULL)
    {
        policy->labels_len = len;
        memcpy(policy->labels, labels, len);
    }

    aiobs_store_take_limits(stmt, policy);

    policy->any |= policy->broken || policy->admin || policy->may_act_for
                   || policy->expires || policy->models_len
                   || policy->endpoints_len || policy->labels_len;
}


static void
aiobs_store_take_account(sqlite3_stmt *stmt, aiobs_policy_t *policy)
{
    unsigned char   account[AIOBS_KEY_HASH_LEN];
    const char     *hex;

    hex = (const char *) sqlite3_column_text(stmt, AIOBS_COLUMN_ACCOUNT);

    if (hex && strlen(hex) == AIOBS_KEY_HEX_LEN
        && aiobs_key_from_hex(hex, account, AIOBS_KEY_HASH_LEN) == 0)
    {
        memcpy(policy->account, account, AIOBS_KEY_HASH_LEN);
    }
}


static uint16_t
aiobs_store_take_globs(sqlite3_stmt *stmt, int column, char *text, size_t max,
    aiobs_policy_t *policy)
{
    size_t       len;
    const char  *p;

    if (sqlite3_column_type(stmt, column) == SQLITE_NULL) {
        return 0;
    }

    p = (const char *) sqlite3_column_text(stmt, column);
    len = p ? sqlite3_column_bytes(stmt, column) : 0;

    /* half a list would allow what is not meant, or all */

    if (p == NULL || len > max || strlen(p) != len) {
        policy->broken = 1;
        return 0;
    }

    memcpy(text, p, len);

    return len;
}


static void
aiobs_store_take_limits(sqlite3_stmt *stmt, aiobs_policy_t *policy)
{
    int     column;
    size_t  i;

    for (i = 0; i < AIOBS_LIMIT_N; i++) {
        column = AIOBS_COLUMN_LIMITS + i;

        switch (sqlite3_column_type(stmt, column)) {

        case SQLITE_NULL:
            continue;

        case SQLITE_INTEGER:
        case SQLITE_FLOAT:
            policy->limits[i] = sqlite3_column_int64(stmt, column);
            break;

        default:
            policy->limits[i] = -1;
        }

        policy->any = 1;

        if (policy->limits[i] < 0) {
            policy->limits[i] = 0;
            policy->broken = 1;
        }
    }
}


int
aiobs_store_take_windows(aiobs_store_t *store, aiobs_key_t *key)
{
    aiobs_policy_t  *policy;

    policy = &key->policy;

    return policy->any ? aiobs_store_windows_of(store, policy->account,
                                                policy->windows)
                       : SQLITE_OK;
}


static int
aiobs_store_windows_of(aiobs_store_t *store, const unsigned char *account,
    aiobs_window_t *windows)
{
    int            rc, kind;
    char           hex[AIOBS_KEY_HEX_LEN + 1];
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_WINDOWS);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    aiobs_key_to_hex(account, AIOBS_KEY_HASH_LEN, hex);
    sqlite3_bind_text(stmt, 1, hex, AIOBS_KEY_HEX_LEN, SQLITE_STATIC);

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        kind = sqlite3_column_int(stmt, 0);

        if (kind >= 0 && kind < AIOBS_WINDOW_N) {
            windows[kind].start = sqlite3_column_int64(stmt, 1);
            windows[kind].amount = sqlite3_column_int64(stmt, 2);
        }
    }

    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);

    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}


int
aiobs_store_account(aiobs_store_t *store, const unsigned char *account,
    aiobs_window_t windows[AIOBS_WINDOW_N])
{
    memset(windows, 0, AIOBS_WINDOW_N * sizeof(aiobs_window_t));

    return aiobs_store_windows_of(store, account, windows) == SQLITE_OK
           ? AIOBS_STORE_OK : aiobs_store_fail(store, "read it");
}
