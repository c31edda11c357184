
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: a person who logged in gets a key.
 */


#include "aiobs_store_sqlite.h"

#include <stdio.h>
#include <string.h>


static int aiobs_store_subject(aiobs_store_t *store,
    const aiobs_subject_t *subject, char *hash);
static int aiobs_store_subject_follow(aiobs_store_t *store,
    const aiobs_subject_t *subject, const char *hash, const char *user);
static int aiobs_store_subject_write(aiobs_store_t *store, aiobs_sql_e which,
    const aiobs_subject_t *subject, const char *third, const char *fourth);
static int aiobs_store_subject_key(aiobs_store_t *store, const char *hash,
    aiobs_login_key_t *key);


int
aiobs_store_login(aiobs_store_t *store, const aiobs_actor_t *who,
    const aiobs_subject_t *subject, const char *new_hash,
    const aiobs_key_attrs_t *attrs, int64_t grace, aiobs_login_key_t *key)
{
    int                rc, entered;
    char               hash[AIOBS_KEY_HEX_LEN + 1];
    aiobs_key_attrs_t  end;

    if (aiobs_store_enter_own(store, &entered) != SQLITE_OK) {
        return aiobs_store_fail(store, "write to it");
    }

    rc = aiobs_store_subject(store, subject, hash);

    if (rc == AIOBS_STORE_FAILED || rc == AIOBS_STORE_BUSY) {
        return rc;
    }

    key->rotated = rc == AIOBS_STORE_OK;

    if (rc == AIOBS_STORE_NONE) {
        rc = aiobs_store_create(store, who, new_hash, attrs);

        if (rc != AIOBS_STORE_OK) {
            return aiobs_store_give_up(store, entered, rc);
        }

    } else {
        end = *attrs;
        end.set &= AIOBS_ATTR_EXPIRES;

        if (aiobs_store_replace(store, who, hash, new_hash, grace) != SQLITE_OK
            || aiobs_store_set_attrs(store, new_hash, &end) != SQLITE_OK
            || aiobs_store_subject_follow(store, subject, new_hash,
                                          attrs->user)
               != SQLITE_OK)
        {
            return aiobs_store_fail(store, "write to it");
        }
    }

    if (aiobs_store_subject_write(store, AIOBS_SQL_SUBJECT_SET, subject,
                                  subject->email, new_hash)
        != SQLITE_OK
        || aiobs_store_subject_key(store, new_hash, key) != SQLITE_OK
        || aiobs_store_happened(store, who, "logged_in", new_hash) != SQLITE_OK
        || aiobs_store_leave_own(store, entered) != SQLITE_OK)
    {
        return aiobs_store_fail(store, "write to it");
    }

    return AIOBS_STORE_OK;
}


/* the key of the login before, as aiobs_store_state(); NONE: there is none */

static int
aiobs_store_subject(aiobs_store_t *store, const aiobs_subject_t *subject,
    char *hash)
{
    int            rc;
    const char    *text;
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_SUBJECT);
    if (stmt == NULL) {
        return aiobs_store_fail(store, "read it");
    }

    aiobs_store_bind(stmt, 1, subject->issuer);
    aiobs_store_bind(stmt, 2, subject->sub);

    rc = sqlite3_step(stmt);
    hash[0] = '\0';

    if (rc == SQLITE_ROW) {
        text = (const char *) sqlite3_column_text(stmt, 0);
        snprintf(hash, AIOBS_KEY_HEX_LEN + 1, "%s", text ? text : "");
    }

    sqlite3_reset(stmt);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return aiobs_store_fail(store, "read it");
    }

    return hash[0] ? aiobs_store_state(store, hash) : AIOBS_STORE_NONE;
}


/* before the address itself is written */

static int
aiobs_store_subject_follow(aiobs_store_t *store,
    const aiobs_subject_t *subject, const char *hash, const char *user)
{
    int  rc;

    rc = aiobs_store_subject_write(store, AIOBS_SQL_SUBJECT_USER, subject,
                                   hash, user);

    if (rc != SQLITE_OK || subject->email == NULL) {
        return rc;
    }

    return aiobs_store_subject_write(store, AIOBS_SQL_SUBJECT_LABEL, subject,
                                     hash, subject->email);
}


static int
aiobs_store_subject_write(aiobs_store_t *store, aiobs_sql_e which,
    const aiobs_subject_t *subject, const char *third, const char *fourth)
{
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, which);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    aiobs_store_bind(stmt, 1, subject->issuer);
    aiobs_store_bind(stmt, 2, subject->sub);
    aiobs_store_bind(stmt, 3, third);
    aiobs_store_bind(stmt, 4, fourth);

    return aiobs_store_step(store, which);
}


/* whose the key is, which is not always who logged in */

static int
aiobs_store_subject_key(aiobs_store_t *store, const char *hash,
    aiobs_login_key_t *key)
{
    int            rc;
    const char    *user, *name;
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_SUBJECT_KEY);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    aiobs_store_bind(stmt, 1, hash);

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {
        user = (const char *) sqlite3_column_text(stmt, 0);
        name = (const char *) sqlite3_column_text(stmt, 1);

        snprintf(key->user, sizeof(key->user), "%s", user ? user : "");
        snprintf(key->name, sizeof(key->name), "%s", name ? name : "");
    }

    sqlite3_reset(stmt);

    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}
