
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: what people do with it, by aiobs-keys, by the keys API
 * or by logging in.
 *
 * Each call that writes is one transaction, and leaves its events in
 * key_events, unless one was begun by aiobs_store_begin().
 */


#ifndef _AIOBS_STORE_MANAGE_H_INCLUDED_
#define _AIOBS_STORE_MANAGE_H_INCLUDED_


#include "aiobs_store.h"


/* attributes of a key, bits of aiobs_key_attrs_t.set */

#define AIOBS_ATTR_EXPIRES      0x0001
#define AIOBS_ATTR_MODELS       0x0002
#define AIOBS_ATTR_ENDPOINTS    0x0004
#define AIOBS_ATTR_LABELS       0x0008
#define AIOBS_ATTR_ADMIN        0x0010
#define AIOBS_ATTR_MAY_ACT_FOR  0x0020
#define AIOBS_ATTR_USER         0x0040
#define AIOBS_ATTR_NAME         0x0080
#define AIOBS_ATTR_LIMIT(i)     (0x0100 << (i))     /* an aiobs_limit_e */


/*
 * Those whose bit is not set stay as they are; NULL takes one away.  Checked
 * by aiobs_key_attrs_error().
 */

typedef struct {
    unsigned        set;
    const char     *user;
    const char     *name;
    const char     *expires;            /* UTC, ISO 8601 without zone */
    const char     *models;             /* globs, parted by commas */
    const char     *endpoints;
    const char     *labels;             /* a JSON object of strings */
    int             admin;
    int             may_act_for;
    int64_t         limits[AIOBS_LIMIT_N];  /* AIOBS_LIMIT_NONE: none */

    /* of a key that was made elsewhere, when it is created here */

    const char     *created_at;         /* NULL: now */
    const char     *last_used;
    int             revoked;
} aiobs_key_attrs_t;


/* who does it, for key_events */

typedef struct {
    const char     *actor;              /* as in aiobs_event_t */
    const char     *request_id;         /* may be NULL */
} aiobs_actor_t;


/* a key for people; NULL: SQL NULL */

typedef struct {
    const char     *hash;
    const char     *user;
    const char     *name;
    const char     *created_at;
    const char     *last_used;
    const char     *revoked_at;
    const char     *expires_at;
    int             active;             /* is_active, whether expired or not */
    int             expired;
    const char     *json;               /* an object: all that is stored;
                                           NULL: it was not asked for */
} aiobs_key_row_t;

typedef int (*aiobs_key_row_pt)(void *data, const aiobs_key_row_t *row);


/* which keys; NULL, 0: all */

typedef struct {
    const char     *user;
    const char     *prefix;             /* of the hash; instead of the others */
    const char     *after;              /* by hash: those behind this one */
    int             by_hash;            /* else oldest first */
    int             json;               /* as well: it is what takes long */
    int64_t         offset;
    int64_t         limit;
} aiobs_key_filter_t;


/* the person behind a login */

typedef struct {
    const char     *issuer;
    const char     *sub;
    const char     *email;              /* NULL: not known */
} aiobs_subject_t;


/* the key that a login gave; texts are cut where they are longer */

typedef struct {
    int             rotated;            /* one that worked ends for it */
    char            user[AIOBS_KEY_USER_MAX + 1];
    char            name[AIOBS_KEY_NAME_MAX + 1];
} aiobs_login_key_t;


/* what somebody spent; group, user, name: may be NULL */

typedef struct {
    const char     *group;              /* a user, key id, model, ... */
    const char     *user;               /* of a key */
    const char     *name;
    int64_t         calls;
    int64_t         input;
    int64_t         output;
    int64_t         cache_read;
    int64_t         cache_write;
    int64_t         cost;               /* micro-USD */
    int64_t         estimated_calls;
} aiobs_spend_row_t;

typedef int (*aiobs_spend_row_pt)(void *data, const aiobs_spend_row_t *row);


typedef enum {
    AIOBS_SPEND_USER = 0,
    AIOBS_SPEND_KEY,
    AIOBS_SPEND_MODEL,
    AIOBS_SPEND_ENDPOINT,
    AIOBS_SPEND_DAY,
    AIOBS_SPEND_LABEL,
    AIOBS_SPEND_N
} aiobs_spend_e;


/* an event, read; all but row may be NULL */

typedef struct {
    int64_t         row;
    const char     *ts;
    const char     *actor;
    const char     *action;
    const char     *key_id;
    const char     *request_id;
    const char     *prev_hash;
    const char     *json;               /* an object of these */
} aiobs_event_row_t;

typedef int (*aiobs_event_row_pt)(void *data, const aiobs_event_row_t *row);


/* what became of the chain of events */

typedef struct {
    int64_t         events;
    int64_t         broken;             /* first row that does not fit, or 0 */
    int             cut;                /* the last rows are gone */
    int             expected;           /* the expected hash was met */
    char            head[AIOBS_KEY_HEX_LEN + 1];
} aiobs_audit_t;


/* NULL: fit to be stored; else what is wrong, in static memory */
const char *aiobs_key_attrs_error(const aiobs_key_attrs_t *attrs);

/* whether the end they set is not to come: fit for a key that is to end now */
int aiobs_key_attrs_past(const aiobs_key_attrs_t *attrs);

/* name of a limit as column of aiobs_key_attrs, option and JSON member */
const char *aiobs_limit_name(aiobs_limit_e limit);

/* several writes in one transaction; a failed one has ended it */
int aiobs_store_begin(aiobs_store_t *store);
int aiobs_store_commit(aiobs_store_t *store);
void aiobs_store_abort(aiobs_store_t *store);


/* --- aiobs_store_manage.c --- */

/* hash: lower-case hex; user is needed.  EXISTS: it is there already */
int aiobs_store_create(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *hash, const aiobs_key_attrs_t *attrs);

/* NONE: no such key */
int aiobs_store_edit(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *hash, const aiobs_key_attrs_t *attrs);

/*
 * The key new_hash takes over all that hash has, its limits and what was
 * taken of them; hash itself works for grace seconds more, 0: it is revoked.
 * NONE: no such key.  INACTIVE: it is revoked, expired or replaced already.
 */
int aiobs_store_rotate(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *hash, const char *new_hash, int64_t grace);

/*
 * Revokes (active: 0) or restores one key, or all of a user; the other is
 * NULL.  row() is told each of them as it was before.
 */
int aiobs_store_activate(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *hash, const char *user, int active, aiobs_key_row_pt row,
    void *data);

/* removes a key and what it carries; usage stays.  NONE: no such key */
int aiobs_store_delete(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *hash);

/* row() ends the walk by returning non-zero */
int aiobs_store_list(aiobs_store_t *store, const aiobs_key_filter_t *filter,
    aiobs_key_row_pt row, void *data);

/* the one key that begins with prefix; hash: AIOBS_KEY_HEX_LEN + 1 bytes */
int aiobs_store_resolve(aiobs_store_t *store, const char *prefix, char *hash);


/* --- aiobs_store_login.c --- */

/*
 * A person logged in and is to have the key new_hash.  The first login
 * creates it with attrs (user is needed); a later one rotates the key of the
 * login before, or what took its place, which works for grace seconds more.
 * Where that one is revoked or has expired, what it carried goes to the new
 * one all the same.  Of attrs a rotation takes the end alone; user and label
 * "email" follow the person's address where they are that of the login before.
 */
int aiobs_store_login(aiobs_store_t *store, const aiobs_actor_t *who,
    const aiobs_subject_t *subject, const char *new_hash,
    const aiobs_key_attrs_t *attrs, int64_t grace, aiobs_login_key_t *key);


/* --- aiobs_store_report.c --- */

/*
 * Sums of usage_daily from one day to another, both included, most expensive
 * first; label: which one, for AIOBS_SPEND_LABEL; user: NULL, all.
 */
int aiobs_store_spend(aiobs_store_t *store, aiobs_spend_e by,
    const char *label, const char *user, const char *from, const char *to,
    aiobs_spend_row_pt row, void *data);

/* events, oldest first, of one key id or all (NULL) */
int aiobs_store_audit(aiobs_store_t *store, const char *key_id,
    aiobs_event_row_pt row, void *data);

/*
 * Follows the chain from its first row.  expect: the hash of an event, noted
 * before, that it is to have; NULL: none.
 */
int aiobs_store_verify(aiobs_store_t *store, const char *expect,
    aiobs_audit_t *audit);


/* --- aiobs_store_forget.c --- */

/*
 * Removes what is known of a user: names and labels of his keys, which are
 * revoked, and his logins; from the file, too, not only from its tables.  Sums
 * of usage and events stay.  *n: of how many keys.
 */
int aiobs_store_forget(aiobs_store_t *store, const aiobs_actor_t *who,
    const char *user, size_t *n);


#endif /* _AIOBS_STORE_MANAGE_H_INCLUDED_ */
