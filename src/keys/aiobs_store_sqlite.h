
/*
 * Copyright (C) the aiobs authors
 *
 * What the parts of the SQLite store share; not for those who use it.
 */


#ifndef _AIOBS_STORE_SQLITE_H_INCLUDED_
#define _AIOBS_STORE_SQLITE_H_INCLUDED_


#include "aiobs_store_manage.h"

#include <sqlite3.h>


/* now, as AIOBS_KEY_TIME_LEN has it */
#define AIOBS_SQL_NOW  "strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000'"

/* what of aiobs_key_attrs a key may or must not */
#define AIOBS_SQL_POLICY(row)                                                 \
    row ".expires_at, " row ".replaced_by, " row ".account, " row ".models, " \
    row ".endpoints, " row ".labels, " row ".is_admin, " row ".may_act_for, " \
    AIOBS_SQL_LIMITS(row)

#define AIOBS_SQL_LIMITS(row)                                                 \
    row ".rpm, " row ".tpm, " row ".tokens_per_day, "                         \
    row ".tokens_per_month, " row ".cost_microusd_per_day, "                  \
    row ".cost_microusd_per_month, " row ".parallel"

#define AIOBS_SQL_POLICY_COLUMNS                                              \
    "expires_at, replaced_by, account, models, endpoints, labels, is_admin,"  \
    " may_act_for, rpm, tpm, tokens_per_day, tokens_per_month,"               \
    " cost_microusd_per_day, cost_microusd_per_month, parallel"

/*
 * Seconds, Unix time: 0, never.  A time that is none is long past: who wrote
 * it did mean the key to end.
 */
#define AIOBS_SQL_EXPIRES                                                     \
    "iif(a.expires_at IS NULL, 0, " AIOBS_SQL_SECONDS("a.expires_at") ")"

/* of a time that may be none, or lie before 1970; 1 or more */
#define AIOBS_SQL_SECONDS(time)                                               \
    "max(1, coalesce(CAST(strftime('%s', " time ") AS INTEGER), 1))"


/* what the hash of an event is made of; others may have put blobs there */
#define AIOBS_SQL_EVENT_JSON                                                  \
    "json_array(CAST(ts AS TEXT), CAST(actor AS TEXT),"                       \
    " CAST(action AS TEXT), CAST(key_id AS TEXT),"                            \
    " CAST(request_id AS TEXT), CAST(prev_hash AS TEXT))"

/* columns of a key, as aiobs_store_take() takes them */
#define AIOBS_SQL_KEY_COLUMNS                                                 \
    "k.is_active, substr(k.user_id, 1, 128), substr(k.name, 1, 64),"          \
    " k.last_used IS NULL, a.hash IS NOT NULL, " AIOBS_SQL_EXPIRES ","        \
    " a.is_admin, a.may_act_for, a.account, a.models, a.endpoints,"           \
    " iif(json_valid(CAST(a.labels AS TEXT)),"                                \
    " json(CAST(a.labels AS TEXT)), NULL), " AIOBS_SQL_LIMITS("a")

#define AIOBS_SQL_KEY_NCOLUMNS  19


/* rows of keys that are told, and their order */

typedef enum {
    AIOBS_LISTING_ALL = 0,
    AIOBS_LISTING_OF_USER,
    AIOBS_LISTING_PREFIX,
    AIOBS_LISTING_PAGE,
    AIOBS_LISTING_PAGE_OF_USER,
    AIOBS_LISTING_N
} aiobs_listing_e;


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
    AIOBS_SQL_WINDOWS,
    AIOBS_SQL_USED,
    AIOBS_SQL_USAGE,
    AIOBS_SQL_WINDOW,
    AIOBS_SQL_TRIM,
    AIOBS_SQL_SIFT_SCHEMA,
    AIOBS_SQL_SIFT_SIZE,
    AIOBS_SQL_SIFT_ROWS,
    AIOBS_SQL_SIFT_CHANGES,
    AIOBS_SQL_EVENT,
    AIOBS_SQL_EVENT_LAST,
    AIOBS_SQL_EVENT_HEAD,
    AIOBS_SQL_QUEUE,
    AIOBS_SQL_QUEUE_DONE,
    AIOBS_SQL_OWN,
    AIOBS_SQL_OWN_DONE,
    AIOBS_SQL_INSERT,
    AIOBS_SQL_EDIT_KEY,
    AIOBS_SQL_EDIT_ATTRS,
    AIOBS_SQL_REPLACE,
    AIOBS_SQL_REPLACE_ATTRS,
    AIOBS_SQL_REPLACED,
    AIOBS_SQL_STATE,
    AIOBS_SQL_LIST,                     /* the first of AIOBS_LISTING_N */
    AIOBS_SQL_LIST_BY_HASH = AIOBS_SQL_LIST + AIOBS_LISTING_N,
    AIOBS_SQL_RESOLVE = AIOBS_SQL_LIST_BY_HASH + AIOBS_LISTING_N,
    AIOBS_SQL_ACTIVATE,
    AIOBS_SQL_DELETE,
    AIOBS_SQL_SUBJECT,
    AIOBS_SQL_SUBJECT_SET,
    AIOBS_SQL_SUBJECT_MOVED,
    AIOBS_SQL_SUBJECT_USER,
    AIOBS_SQL_SUBJECT_LABEL,
    AIOBS_SQL_SUBJECT_KEY,
    AIOBS_SQL_SPEND_BY_USER,            /* in the order of aiobs_spend_e */
    AIOBS_SQL_SPEND_BY_KEY,
    AIOBS_SQL_SPEND_BY_MODEL,
    AIOBS_SQL_SPEND_BY_ENDPOINT,
    AIOBS_SQL_SPEND_BY_DAY,
    AIOBS_SQL_SPEND_BY_LABEL,
    AIOBS_SQL_AUDIT,
    AIOBS_SQL_VERIFY,
    AIOBS_SQL_HEAD,
    AIOBS_SQL_OF_USER,
    AIOBS_SQL_FORGET_KEY,
    AIOBS_SQL_FORGET_ATTRS,
    AIOBS_SQL_FORGET_DELETED,
    AIOBS_SQL_FORGET_SUBJECT,
    AIOBS_SQL_N
} aiobs_sql_e;


#define AIOBS_SIFT_BLOCK  64            /* bytes */


/* the filter of aiobs_store_sift.c */

typedef struct {
    uint64_t               *blocks;         /* NULL: there is none */
    size_t                  nblocks;
    int                     ready;          /* else it is being made */
    sqlite3_value          *last;           /* hash, as far as that went */
    aiobs_store_place_t     place;          /* it is as of there */
    int64_t                 schema;         /* version, SQLite's */
    int64_t                 begun;          /* seconds, monotonic */
    int64_t                 wanted;
} aiobs_sift_t;


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

    aiobs_sift_t            sift;

    int                     queued;         /* events of others last taken */
    int                     chained;        /* chain is what follows */
    char                    chain[AIOBS_KEY_HEX_LEN + 1];

    char                    error[512];
};


/* texts of the statements */
extern const char  *aiobs_store_sql[AIOBS_SQL_N];


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

/* a key's row as AIOBS_SQL_KEY_COLUMNS; found and hash are not touched */
void aiobs_store_take(sqlite3_stmt *stmt, aiobs_key_t *key);

/* fills in the windows of a key that has limits; an SQLite code */
int aiobs_store_take_windows(aiobs_store_t *store, aiobs_key_t *key);

/* NULL: SQL NULL */
void aiobs_store_bind(sqlite3_stmt *stmt, int n, const char *text);

/*
 * Begins and ends a transaction that writes, unless one is under way: then
 * the end is not ours.  Failures are told by aiobs_store_fail().
 */
int aiobs_store_enter(aiobs_store_t *store, int *entered);
int aiobs_store_leave_write(aiobs_store_t *store, int entered);

/* the same for who changes keys: triggers leave the events to us */
int aiobs_store_enter_own(aiobs_store_t *store, int *entered);
int aiobs_store_leave_own(aiobs_store_t *store, int entered);

/* in a transaction: the events, and before them those of other programs */
int aiobs_store_append(aiobs_store_t *store, const aiobs_event_t *events,
    size_t n);

/* one event of a key, its hash in hex */
int aiobs_store_happened(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *action, const char *hash);

/* OK; INACTIVE: it is revoked, expired or replaced; NONE: there is no such key */
int aiobs_store_state(aiobs_store_t *store, const char *hash);

/* rc, after undoing what we entered */
int aiobs_store_give_up(aiobs_store_t *store, int entered, int rc);

/* --- in a transaction of ours; SQLite codes --- */

/* the last place in the log of changes, all zero if that is empty */
int aiobs_store_end(aiobs_store_t *store, aiobs_store_place_t *place);

/*
 * 1: as of end, the log's in this transaction, a key that the filter does not
 * have is nobody's.  0: there is no filter that could tell; -1: SQLite failed.
 */
int aiobs_store_sifted(aiobs_store_t *store, const aiobs_store_place_t *end);
int aiobs_store_sift_has(const aiobs_sift_t *sift, const unsigned char *hash);
void aiobs_store_sift_drop(aiobs_store_t *store);

/* binds what the statement takes of the texts, and steps it */
int aiobs_store_run(aiobs_store_t *store, aiobs_sql_e which, const char *hash,
    const char *other, const char *text);

int aiobs_store_replace(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *hash, const char *new_hash, int64_t grace);
int aiobs_store_set_attrs(aiobs_store_t *store, const char *hash,
    const aiobs_key_attrs_t *attrs);
int aiobs_store_set_active(aiobs_store_t *store, const char *hash, int active);

/* side tables and triggers, and with AIOBS_STORE_CREATE the main table */
int aiobs_store_adopt(aiobs_store_t *store, unsigned flags);


#endif /* _AIOBS_STORE_SQLITE_H_INCLUDED_ */
