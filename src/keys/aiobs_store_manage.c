
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: what people do with it.
 */


#include "aiobs_store_sqlite.h"

#include <stdio.h>
#include <string.h>
#include <time.h>


static int aiobs_store_insert(aiobs_store_t *store, const char *hash,
    const aiobs_key_attrs_t *attrs);
static int aiobs_store_set(aiobs_store_t *store, const char *hash,
    const aiobs_key_attrs_t *attrs);
static int aiobs_store_retire(aiobs_store_t *store, const char *hash,
    const char *new_hash, int64_t grace);


int
aiobs_store_begin(aiobs_store_t *store)
{
    int  entered;

    if (aiobs_store_enter_own(store, &entered) != SQLITE_OK) {
        return aiobs_store_fail(store, "write to it");
    }

    return AIOBS_STORE_OK;
}


int
aiobs_store_commit(aiobs_store_t *store)
{
    if (aiobs_store_leave_own(store, 1) != SQLITE_OK) {
        return aiobs_store_fail(store, "write to it");
    }

    return AIOBS_STORE_OK;
}


void
aiobs_store_abort(aiobs_store_t *store)
{
    aiobs_store_rollback(store);
}


int
aiobs_store_create(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *hash, const aiobs_key_attrs_t *attrs)
{
    int  rc, entered;

    if (aiobs_store_enter_own(store, &entered) != SQLITE_OK) {
        return aiobs_store_fail(store, "write to it");
    }

    rc = aiobs_store_insert(store, hash, attrs);

    if ((rc & 0xff) == SQLITE_CONSTRAINT) {
        if (entered) {
            aiobs_store_rollback(store);
        }

        return AIOBS_STORE_EXISTS;
    }

    if (rc != SQLITE_OK
        || aiobs_store_set_attrs(store, hash, attrs) != SQLITE_OK
        || aiobs_store_happened(store, who, "created", hash) != SQLITE_OK
        || aiobs_store_leave_own(store, entered) != SQLITE_OK)
    {
        return aiobs_store_fail(store, "write to it");
    }

    return AIOBS_STORE_OK;
}


static int
aiobs_store_insert(aiobs_store_t *store, const char *hash,
    const aiobs_key_attrs_t *attrs)
{
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_INSERT);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    aiobs_store_bind(stmt, 1, hash);
    aiobs_store_bind(stmt, 2, attrs->user);
    aiobs_store_bind(stmt, 3, attrs->name);
    aiobs_store_bind(stmt, 4, attrs->created_at);
    aiobs_store_bind(stmt, 5, attrs->last_used);
    sqlite3_bind_int(stmt, 6, !attrs->revoked);

    return aiobs_store_step(store, AIOBS_SQL_INSERT);
}


int
aiobs_store_edit(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *hash, const aiobs_key_attrs_t *attrs)
{
    int  rc, entered;

    if (aiobs_store_enter_own(store, &entered) != SQLITE_OK) {
        return aiobs_store_fail(store, "write to it");
    }

    rc = aiobs_store_state(store, hash);

    if (rc != AIOBS_STORE_OK && rc != AIOBS_STORE_INACTIVE) {
        return aiobs_store_give_up(store, entered, rc);
    }

    if (aiobs_store_set(store, hash, attrs) != SQLITE_OK
        || aiobs_store_happened(store, who, "changed", hash) != SQLITE_OK
        || aiobs_store_leave_own(store, entered) != SQLITE_OK)
    {
        return aiobs_store_fail(store, "write to it");
    }

    return AIOBS_STORE_OK;
}


static int
aiobs_store_set(aiobs_store_t *store, const char *hash,
    const aiobs_key_attrs_t *attrs)
{
    int            rc;
    sqlite3_stmt  *stmt;

    if (attrs->set & (AIOBS_ATTR_USER|AIOBS_ATTR_NAME)) {

        stmt = aiobs_store_statement(store, AIOBS_SQL_EDIT_KEY);
        if (stmt == NULL) {
            return SQLITE_ERROR;
        }

        aiobs_store_bind(stmt, 1, hash);
        sqlite3_bind_int(stmt, 2, attrs->set);
        aiobs_store_bind(stmt, 3, attrs->user);
        aiobs_store_bind(stmt, 4, attrs->name);

        rc = aiobs_store_step(store, AIOBS_SQL_EDIT_KEY);

        if (rc != SQLITE_OK) {
            return rc;
        }
    }

    return aiobs_store_set_attrs(store, hash, attrs);
}


int
aiobs_store_set_attrs(aiobs_store_t *store, const char *hash,
    const aiobs_key_attrs_t *attrs)
{
    int            i;
    unsigned       set;
    sqlite3_stmt  *stmt;

    set = attrs->set & ~(AIOBS_ATTR_USER|AIOBS_ATTR_NAME);

    if (set == 0) {
        return SQLITE_OK;
    }

    stmt = aiobs_store_statement(store, AIOBS_SQL_EDIT_ATTRS);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

#define aiobs_store_attr(bit, value)  ((set & (bit)) ? (value) : NULL)

    aiobs_store_bind(stmt, 1, hash);
    sqlite3_bind_int(stmt, 2, set);
    aiobs_store_bind(stmt, 3, aiobs_store_attr(AIOBS_ATTR_EXPIRES,
                                               attrs->expires));
    aiobs_store_bind(stmt, 4, aiobs_store_attr(AIOBS_ATTR_MODELS,
                                               attrs->models));
    aiobs_store_bind(stmt, 5, aiobs_store_attr(AIOBS_ATTR_ENDPOINTS,
                                               attrs->endpoints));
    aiobs_store_bind(stmt, 6, aiobs_store_attr(AIOBS_ATTR_LABELS,
                                               attrs->labels));

    if ((set & AIOBS_ATTR_ADMIN) && attrs->admin) {
        sqlite3_bind_int(stmt, 7, 1);
    }

    if ((set & AIOBS_ATTR_MAY_ACT_FOR) && attrs->may_act_for) {
        sqlite3_bind_int(stmt, 8, 1);
    }

    for (i = 0; i < AIOBS_LIMIT_N; i++) {
        if ((set & AIOBS_ATTR_LIMIT(i))
            && attrs->limits[i] != AIOBS_LIMIT_NONE)
        {
            sqlite3_bind_int64(stmt, 9 + i, attrs->limits[i]);
        }
    }

    return aiobs_store_step(store, AIOBS_SQL_EDIT_ATTRS);
}


int
aiobs_store_rotate(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *hash, const char *new_hash, int64_t grace)
{
    int  rc, entered;

    if (aiobs_store_enter_own(store, &entered) != SQLITE_OK) {
        return aiobs_store_fail(store, "write to it");
    }

    rc = aiobs_store_state(store, hash);

    if (rc != AIOBS_STORE_OK) {
        return aiobs_store_give_up(store, entered, rc);
    }

    /* who logs in next has the new one rotated, not the old one again */

    if (aiobs_store_replace(store, who, hash, new_hash, grace) != SQLITE_OK
        || aiobs_store_run(store, AIOBS_SQL_SUBJECT_MOVED, hash, new_hash,
                           NULL)
           != SQLITE_OK
        || aiobs_store_leave_own(store, entered) != SQLITE_OK)
    {
        return aiobs_store_fail(store, "write to it");
    }

    return AIOBS_STORE_OK;
}


int
aiobs_store_replace(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *hash, const char *new_hash, int64_t grace)
{
    int  rc;

    rc = aiobs_store_run(store, AIOBS_SQL_REPLACE, hash, new_hash, NULL);

    if (rc == SQLITE_OK) {
        rc = aiobs_store_run(store, AIOBS_SQL_REPLACE_ATTRS, hash, new_hash,
                             NULL);
    }

    if (rc == SQLITE_OK) {
        rc = aiobs_store_retire(store, hash, new_hash, grace);
    }

    if (rc == SQLITE_OK) {
        rc = aiobs_store_happened(store, who, "rotated", hash);
    }

    if (rc == SQLITE_OK) {
        rc = aiobs_store_happened(store, who, "created", new_hash);
    }

    return rc;
}


static int
aiobs_store_retire(aiobs_store_t *store, const char *hash,
    const char *new_hash, int64_t grace)
{
    int             rc;
    char            end[AIOBS_KEY_TIME_LEN + 1];
    struct timeval  tv;

    gettimeofday(&tv, NULL);
    tv.tv_sec += grace;

    if (grace > 0) {

        /* a key ends with its second: the period is not to be cut short */

        tv.tv_sec += tv.tv_usec != 0;
        tv.tv_usec = 0;
    }

    aiobs_key_time(&tv, end);

    rc = aiobs_store_run(store, AIOBS_SQL_REPLACED, hash, new_hash, end);

    if (rc != SQLITE_OK || grace > 0) {
        return rc;
    }

    return aiobs_store_set_active(store, hash, 0);
}


int
aiobs_store_set_active(aiobs_store_t *store, const char *hash, int active)
{
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_ACTIVATE);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    sqlite3_bind_int(stmt, 1, active);
    aiobs_store_bind(stmt, 2, hash);

    return aiobs_store_step(store, AIOBS_SQL_ACTIVATE);
}


int
aiobs_store_delete(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *hash)
{
    int  rc, entered;

    if (aiobs_store_enter_own(store, &entered) != SQLITE_OK) {
        return aiobs_store_fail(store, "write to it");
    }

    rc = aiobs_store_state(store, hash);

    if (rc != AIOBS_STORE_OK && rc != AIOBS_STORE_INACTIVE) {
        return aiobs_store_give_up(store, entered, rc);
    }

    if (aiobs_store_run(store, AIOBS_SQL_DELETE, hash, NULL, NULL) != SQLITE_OK
        || aiobs_store_happened(store, who, "deleted", hash) != SQLITE_OK
        || aiobs_store_leave_own(store, entered) != SQLITE_OK)
    {
        return aiobs_store_fail(store, "write to it");
    }

    return AIOBS_STORE_OK;
}


int
aiobs_store_state(aiobs_store_t *store, const char *hash)
{
    int            rc, valid;
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_STATE);
    if (stmt == NULL) {
        return aiobs_store_fail(store, "read it");
    }

    aiobs_store_bind(stmt, 1, hash);

    rc = sqlite3_step(stmt);
    valid = rc == SQLITE_ROW && sqlite3_column_int(stmt, 0);
    sqlite3_reset(stmt);

    if (rc == SQLITE_DONE) {
        return AIOBS_STORE_NONE;
    }

    if (rc != SQLITE_ROW) {
        return aiobs_store_fail(store, "read it");
    }

    return valid ? AIOBS_STORE_OK : AIOBS_STORE_INACTIVE;
}


/* nothing was done: a transaction of others goes on */

int
aiobs_store_give_up(aiobs_store_t *store, int entered, int rc)
{
    if (entered) {
        aiobs_store_rollback(store);
    }

    return rc;
}


int
aiobs_store_run(aiobs_store_t *store, aiobs_sql_e which, const char *hash,
    const char *other, const char *text)
{
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, which);
    if (stmt == NULL) {
        return SQLITE_ERROR;
    }

    aiobs_store_bind(stmt, 1, hash);

    if (sqlite3_bind_parameter_count(stmt) > 1) {
        aiobs_store_bind(stmt, 2, other);
    }

    if (sqlite3_bind_parameter_count(stmt) > 2) {
        aiobs_store_bind(stmt, 3, text);
    }

    return aiobs_store_step(store, which);
}
