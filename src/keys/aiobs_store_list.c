
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: finding and listing them for people, and revoking all
 * that are found.
 */


#include "aiobs_store_sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


/* keys that are to be changed once all are found */

typedef struct {
    int                 active;         /* what they are to become */
    char              (*hashes)[AIOBS_KEY_HEX_LEN + 1];
    size_t              n;
    size_t              size;
    aiobs_key_row_pt    row;
    void               *data;
} aiobs_store_found_t;


static aiobs_listing_e aiobs_store_listing(const aiobs_key_filter_t *filter);
static int aiobs_store_found(void *data, const aiobs_key_row_t *row);
static int aiobs_store_change(aiobs_store_t *store, const aiobs_actor_t *who,
    aiobs_store_found_t *found);


int
aiobs_store_list(aiobs_store_t *store, const aiobs_key_filter_t *filter,
    aiobs_key_row_pt row, void *data)
{
    int              rc;
    sqlite3_stmt    *stmt;
    aiobs_key_row_t  key;
    aiobs_listing_e  listing;

    listing = aiobs_store_listing(filter);
    stmt = aiobs_store_statement(store, AIOBS_SQL_LIST + listing);

    if (stmt == NULL) {
        stmt = aiobs_store_statement(store, AIOBS_SQL_LIST_BY_HASH + listing);
    }

    if (stmt == NULL) {
        return aiobs_store_fail(store, "read it");
    }

    aiobs_store_bind(stmt, 1, filter->user);
    aiobs_store_bind(stmt, 2, filter->prefix);
    aiobs_store_bind(stmt, 3, filter->after);
    sqlite3_bind_int64(stmt, 4, filter->limit ? filter->limit : -1);
    sqlite3_bind_int64(stmt, 5, filter->offset);
    sqlite3_bind_int(stmt, 6, filter->json);

    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        key.hash = (const char *) sqlite3_column_text(stmt, 0);
        key.user = (const char *) sqlite3_column_text(stmt, 1);
        key.name = (const char *) sqlite3_column_text(stmt, 2);
        key.created_at = (const char *) sqlite3_column_text(stmt, 3);
        key.last_used = (const char *) sqlite3_column_text(stmt, 4);
        key.revoked_at = (const char *) sqlite3_column_text(stmt, 5);
        key.expires_at = (const char *) sqlite3_column_text(stmt, 6);
        key.active = sqlite3_column_int(stmt, 7) != 0;
        key.expired = sqlite3_column_int(stmt, 8) != 0;
        key.json = (const char *) sqlite3_column_text(stmt, 9);

        if (row(data, &key) != 0) {
            rc = SQLITE_DONE;
            break;
        }
    }

    sqlite3_reset(stmt);

    if (rc != SQLITE_DONE) {
        return aiobs_store_fail(store, "read it");
    }

    return AIOBS_STORE_OK;
}


static aiobs_listing_e
aiobs_store_listing(const aiobs_key_filter_t *filter)
{
    if (filter->prefix) {
        return AIOBS_LISTING_PREFIX;
    }

    if (filter->by_hash) {
        return filter->user ? AIOBS_LISTING_PAGE_OF_USER : AIOBS_LISTING_PAGE;
    }

    return filter->user ? AIOBS_LISTING_OF_USER : AIOBS_LISTING_ALL;
}


int
aiobs_store_resolve(aiobs_store_t *store, const char *prefix, char *hash)
{
    int            rc, n;
    sqlite3_stmt  *stmt;

    stmt = aiobs_store_statement(store, AIOBS_SQL_RESOLVE);
    if (stmt == NULL) {
        return aiobs_store_fail(store, "read it");
    }

    aiobs_store_bind(stmt, 1, prefix);

    for (n = 0; (rc = sqlite3_step(stmt)) == SQLITE_ROW; n++) {
        snprintf(hash, AIOBS_KEY_HEX_LEN + 1, "%s",
                 (const char *) sqlite3_column_text(stmt, 0));
    }

    sqlite3_reset(stmt);

    if (rc != SQLITE_DONE) {
        return aiobs_store_fail(store, "read it");
    }

    return n == 0 ? AIOBS_STORE_NONE
           : n == 1 ? AIOBS_STORE_OK : AIOBS_STORE_AMBIGUOUS;
}


int
aiobs_store_activate(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *hash, const char *user, int active, aiobs_key_row_pt row,
    void *data)
{
    int                  rc, entered;
    aiobs_key_filter_t   filter;
    aiobs_store_found_t  found;

    if (aiobs_store_enter_own(store, &entered) != SQLITE_OK) {
        return aiobs_store_fail(store, "write to it");
    }

    memset(&filter, 0, sizeof(filter));
    filter.user = user;
    filter.prefix = hash;

    memset(&found, 0, sizeof(found));
    found.active = active;
    found.row = row;
    found.data = data;

    rc = aiobs_store_list(store, &filter, aiobs_store_found, &found);

    if (rc == AIOBS_STORE_OK
        && (aiobs_store_change(store, who, &found) != SQLITE_OK
            || aiobs_store_leave_own(store, entered) != SQLITE_OK))
    {
        rc = aiobs_store_fail(store, "write to it");
    }

    free(found.hashes);

    return rc;
}


static int
aiobs_store_found(void *data, const aiobs_key_row_t *row)
{
    void                 *p;
    aiobs_store_found_t  *found = data;

    if (row->active == found->active || row->hash == NULL) {
        return found->row(found->data, row);
    }

    if (found->n == found->size) {
        found->size = found->size ? found->size * 2 : 16;

        p = realloc(found->hashes, found->size * sizeof(*found->hashes));
        if (p == NULL) {
            return -1;
        }

        found->hashes = p;
    }

    snprintf(found->hashes[found->n++], AIOBS_KEY_HEX_LEN + 1, "%s",
             row->hash);

    return found->row(found->data, row);
}


static int
aiobs_store_change(aiobs_store_t *store, const aiobs_actor_t *who,
    aiobs_store_found_t *found)
{
    int          rc;
    size_t       i;
    const char  *action;

    action = found->active ? "restored" : "revoked";
    rc = SQLITE_OK;

    for (i = 0; i < found->n && rc == SQLITE_OK; i++) {
        rc = aiobs_store_set_active(store, found->hashes[i], found->active);

        if (rc == SQLITE_OK) {
            rc = aiobs_store_happened(store, who, action, found->hashes[i]);
        }
    }

    return rc;
}
