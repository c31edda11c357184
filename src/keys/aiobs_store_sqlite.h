
/*
 * Copyright (C) the aiobs authors
 *
 * What the parts of the SQLite store share; not for those who use it.
 */


#ifndef _AIOBS_STORE_SQLITE_H_INCLUDED_
#define _AIOBS_STORE_SQLITE_H_INCLUDED_


#include "aiobs_store.h"

#include <sqlite3.h>


typedef enum {
    AIOBS_SQL_BEGIN = 0,
    AIOBS_SQL_BEGIN_WRITE,
    AIOBS_SQL_COMMIT,
    AIOBS_SQL_ROLLBACK,
    AIOBS_SQL_VERSION,
    AIOBS_SQL_END,
    AIOBS_SQL_MARK,
    AIOBS_SQL_KEY,
    AIOBS_SQL_CHANGES,
    AIOBS_SQL_USED,
    AIOBS_SQL_TRIM,
    AIOBS_SQL_INSERT,
    AIOBS_SQL_LIST,
    AIOBS_SQL_RESOLVE,
    AIOBS_SQL_REVOKE,
    AIOBS_SQL_N
} aiobs_sql_e;


struct aiobs_store_s {
    sqlite3                *db;
    sqlite3_stmt           *statements[AIOBS_SQL_N];
    char                   *path;

    int                     patience;       /* milliseconds */
    int                   (*give_up)(void);

    int                     fd;             /* of the file that is open */
    dev_t                   dev;
    ino_t                   ino;
    ino_t                   wal_ino;        /* 0: not seen yet */

    int64_t                 version;        /* data_version all is read of */
    aiobs_store_place_t     place;          /* where that reading ended */
    aiobs_store_place_t     seen;

    char                    error[512];
};


/* prepared at first use, with nothing bound; NULL: error is set */
sqlite3_stmt *aiobs_store_statement(aiobs_store_t *store, aiobs_sql_e which);

/* runs one that returns no rows, with what is bound to it */
int aiobs_store_step(aiobs_store_t *store, aiobs_sql_e which);

/* code of the failure SQLite had last; sets error to "cannot WHAT: REASON" */
int aiobs_store_fail(aiobs_store_t *store, const char *what);

int aiobs_store_exec(aiobs_store_t *store, const char *sql);
void aiobs_store_rollback(aiobs_store_t *store);

/* 1 or 0; -1: failed */
int aiobs_store_adopted(aiobs_store_t *store);

/* side tables and triggers, and with AIOBS_STORE_CREATE the main table */
int aiobs_store_adopt(aiobs_store_t *store, unsigned flags);


#endif /* _AIOBS_STORE_SQLITE_H_INCLUDED_ */
