
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: opening and closing, statements, errors, patience.
 */


#include "aiobs_store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>


#define AIOBS_STORE_NAP  5              /* milliseconds */


static int aiobs_store_connect(aiobs_store_t *store);
static int aiobs_store_wait(void *data, int tries);
static void aiobs_store_remove_log(aiobs_store_t *store);
static ino_t aiobs_store_wal(aiobs_store_t *store);


void
aiobs_store_forked(void)
{
    sqlite3_randomness(0, NULL);
}


int
aiobs_store_open(const char *path, unsigned flags, int patience,
    aiobs_store_t **result)
{
    int             rc, adopted;
    aiobs_store_t  *store;

    *result = NULL;

    store = calloc(1, sizeof(aiobs_store_t));
    if (store == NULL) {
        return AIOBS_STORE_FAILED;
    }

    /* never a URI or ":memory:" */

    store->path = sqlite3_mprintf("%s%s", path[0] == '/' ? "" : "./", path);
    if (store->path == NULL) {
        free(store);
        return AIOBS_STORE_FAILED;
    }

    *result = store;
    store->patience = patience;

    store->fd = -1;

    rc = aiobs_store_connect(store);

    if (rc == AIOBS_STORE_OK && (flags & AIOBS_STORE_WHOLE)) {
        (void) aiobs_store_exec(store, "PRAGMA cache_size = -65536");
    }

    if (rc == AIOBS_STORE_OK) {

        /* a file that is no database is found out by the first reading */

        adopted = aiobs_store_adopted(store);

        if (adopted < 0) {
            rc = aiobs_store_fail(store, "read it");

        } else if (adopted == 0) {
            rc = aiobs_store_adopt(store, flags);
        }

        store->wal_ino = aiobs_store_wal(store);
    }

    return rc;
}


/* the file is opened beside SQLite, to know it by, and to have its lock */

static int
aiobs_store_connect(aiobs_store_t *store)
{
    int          rc;
    struct stat  st;

    store->fd = open(store->path, O_RDONLY | O_CLOEXEC);

    if (store->fd == -1 || fstat(store->fd, &st) == -1) {
        snprintf(store->error, sizeof(store->error), "%s", strerror(errno));
        return errno == ENOENT ? AIOBS_STORE_MISSING : AIOBS_STORE_FAILED;
    }

    if (!S_ISREG(st.st_mode)) {
        snprintf(store->error, sizeof(store->error), "it is not a file");
        return AIOBS_STORE_FAILED;
    }

    store->dev = st.st_dev;
    store->ino = st.st_ino;

    rc = sqlite3_open_v2(store->path, &store->db,
                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, NULL);
    if (rc != SQLITE_OK) {
        return aiobs_store_fail(store, "open it");
    }

    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_busy_handler(store->db, aiobs_store_wait, store);

    return AIOBS_STORE_OK;
}


void
aiobs_store_close(aiobs_store_t *store)
{
    int  i;

    if (store == NULL) {
        return;
    }

    aiobs_store_sift_drop(store);

    for (i = 0; i < AIOBS_SQL_N; i++) {
        sqlite3_finalize(store->statements[i]);
    }

    /* the log of another file that is there now must not be deleted */

    if (store->db && aiobs_store_same_file(store) == AIOBS_STORE_FAILED) {
        sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1,
                          NULL);
    }

    sqlite3_close(store->db);

    /* not before: it would take SQLite's locks with it */

    if (store->fd != -1) {
        close(store->fd);
    }

    sqlite3_free(store->path);
    free(store);
}


/*
 * SQLite finds the log beside a file by its name.  When another file came
 * into the place of ours, our log is not to be taken for its own: it is
 * emptied into the file it belongs to, as far as others who have that open
 * let us, and removed.  All who leave the old file do so one by one.
 */

void
aiobs_store_leave(aiobs_store_t *store)
{
    int          tries, rc, all, done;
    struct stat  st;

    for (tries = 0; /* void */ ; tries++) {

        if (stat(store->path, &st) == -1
            || (st.st_dev == store->dev && st.st_ino == store->ino)
            || store->wal_ino == 0 || aiobs_store_wal(store) != store->wal_ino)
        {
            return;
        }

        if (flock(store->fd, LOCK_EX | LOCK_NB) == 0) {

            rc = sqlite3_wal_checkpoint_v2(store->db, NULL,
                                           SQLITE_CHECKPOINT_FULL, &all, &done);

            if ((rc & 0xff) != SQLITE_BUSY || !aiobs_store_wait(store, tries)) {
                aiobs_store_remove_log(store);
            }

            (void) flock(store->fd, LOCK_UN);

        } else if (!aiobs_store_wait(store, tries)) {
            return;
        }
    }
}


static void
aiobs_store_remove_log(aiobs_store_t *store)
{
    char  path[4096];

    if (aiobs_store_wal(store) != store->wal_ino) {
        return;
    }

    snprintf(path, sizeof(path), "%s-wal", store->path);
    (void) unlink(path);
    snprintf(path, sizeof(path), "%s-shm", store->path);
    (void) unlink(path);
}


const char *
aiobs_store_error(aiobs_store_t *store)
{
    return store ? store->error : "out of memory";
}


void
aiobs_store_patience(aiobs_store_t *store, int msec, int (*give_up)(void))
{
    store->patience = msec;
    store->give_up = give_up;
}


static int
aiobs_store_wait(void *data, int tries)
{
    aiobs_store_t *store = data;

    if (tries * AIOBS_STORE_NAP >= store->patience
        || (store->give_up && store->give_up()))
    {
        return 0;
    }

    sqlite3_sleep(AIOBS_STORE_NAP);

    return 1;
}


/*
 * The log beside the file lives as long as somebody has the store open: when
 * it is gone or another one, the store was put in place by hand.
 */

int
aiobs_store_same_file(aiobs_store_t *store)
{
    ino_t        wal;
    struct stat  st;

    if (stat(store->path, &st) == -1) {
        snprintf(store->error, sizeof(store->error), "%s", strerror(errno));
        return errno == ENOENT ? AIOBS_STORE_MISSING : AIOBS_STORE_FAILED;
    }

    wal = aiobs_store_wal(store);

    if (st.st_dev != store->dev || st.st_ino != store->ino
        || (store->wal_ino && store->wal_ino != wal))
    {
        snprintf(store->error, sizeof(store->error), "it was replaced");
        return AIOBS_STORE_FAILED;
    }

    store->wal_ino = wal;

    return AIOBS_STORE_OK;
}


static ino_t
aiobs_store_wal(aiobs_store_t *store)
{
    char         path[4096];
    struct stat  st;

    snprintf(path, sizeof(path), "%s-wal", store->path);

    return stat(path, &st) == 0 ? st.st_ino : 0;
}


sqlite3_stmt *
aiobs_store_statement(aiobs_store_t *store, aiobs_sql_e which)
{
    int             rc;
    sqlite3_stmt  **stmt;

    stmt = &store->statements[which];

    if (*stmt == NULL) {
        rc = sqlite3_prepare_v3(store->db, aiobs_store_sql[which], -1,
                                SQLITE_PREPARE_PERSISTENT, stmt, NULL);
        if (rc != SQLITE_OK) {
            return NULL;
        }
    }

    sqlite3_clear_bindings(*stmt);

    return *stmt;
}


void
aiobs_store_bind(sqlite3_stmt *stmt, int n, const char *text)
{
    if (text == NULL) {
        sqlite3_bind_null(stmt, n);
        return;
    }

    sqlite3_bind_text(stmt, n, text, -1, SQLITE_TRANSIENT);
}


int
aiobs_store_step(aiobs_store_t *store, aiobs_sql_e which)
{
    int            rc;
    sqlite3_stmt  *stmt;

    stmt = store->statements[which];

    if (stmt == NULL) {
        stmt = aiobs_store_statement(store, which);
        if (stmt == NULL) {
            return SQLITE_ERROR;
        }
    }

    rc = sqlite3_step(stmt);
    sqlite3_reset(stmt);

    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}


int
aiobs_store_fail(aiobs_store_t *store, const char *what)
{
    int          code;
    const char  *reason;

    if (store->db == NULL) {
        snprintf(store->error, sizeof(store->error), "out of memory");
        return AIOBS_STORE_FAILED;
    }

    code = sqlite3_errcode(store->db) & 0xff;
    reason = sqlite3_errmsg(store->db);

    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        reason = "another process has it locked";
    }

    snprintf(store->error, sizeof(store->error), "cannot %s: %s", what, reason);

    aiobs_store_rollback(store);

    return (code == SQLITE_BUSY || code == SQLITE_LOCKED) ? AIOBS_STORE_BUSY
                                                          : AIOBS_STORE_FAILED;
}


int
aiobs_store_exec(aiobs_store_t *store, const char *sql)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL);
}


void
aiobs_store_rollback(aiobs_store_t *store)
{
    if (!sqlite3_get_autocommit(store->db)) {
        (void) aiobs_store_step(store, AIOBS_SQL_ROLLBACK);
    }
}


int
aiobs_store_enter(aiobs_store_t *store, int *entered)
{
    *entered = sqlite3_get_autocommit(store->db);

    if (!*entered) {
        return SQLITE_OK;
    }

    store->chained = 0;

    return aiobs_store_step(store, AIOBS_SQL_BEGIN_WRITE);
}


int
aiobs_store_leave_write(aiobs_store_t *store, int entered)
{
    return entered ? aiobs_store_step(store, AIOBS_SQL_COMMIT) : SQLITE_OK;
}


int
aiobs_store_enter_own(aiobs_store_t *store, int *entered)
{
    int  rc;

    rc = aiobs_store_enter(store, entered);

    if (rc == SQLITE_OK && *entered) {
        rc = aiobs_store_step(store, AIOBS_SQL_OWN);
    }

    return rc;
}


int
aiobs_store_leave_own(aiobs_store_t *store, int entered)
{
    int  rc;

    if (!entered) {
        return SQLITE_OK;
    }

    rc = aiobs_store_step(store, AIOBS_SQL_OWN_DONE);

    /* SQLite tells only what others wrote; this is to be followed, too */

    store->version = -1;

    return rc == SQLITE_OK ? aiobs_store_leave_write(store, entered) : rc;
}
