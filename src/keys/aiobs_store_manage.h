
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
    const char     *json;               /* an object: all that is stored */
} aiobs_key_row_t;

typedef int (*aiobs_key_row_pt)(void *data, const aiobs_key_row_t *row);


/* which keys; NULL, 0: all */

typedef struct {
    const char     *user;
    const char     *prefix;             /* of the hash */
    const char     *after;              /* by hash: those behind this one */
    int             by_hash;            /* else oldest first */
    int64_t         offset;
    int64_t         limit;
} aiobs_key_filter_t;


/* the person behind a login */

typedef struct {
    const char     *issuer;
    const char     *sub;
    const char     *email;              /* NULL: not known */
} aiobs_subject_t;


/* NULL: fit to be stored; else what is wrong, in static memory */
const char *aiobs_key_attrs_error(const aiobs_key_attrs_t *attrs);

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
 * login before, which works for grace seconds more, and *rotated is set.
 * Where that one is revoked or has expired, what it carried goes to the new
 * one all the same.  Of attrs a rotation takes the end alone.
 */
int aiobs_store_login(aiobs_store_t *store, const aiobs_actor_t *who,
    const aiobs_subject_t *subject, const char *new_hash,
    const aiobs_key_attrs_t *attrs, int64_t grace, int *rotated);


#endif /* _AIOBS_STORE_MANAGE_H_INCLUDED_ */
