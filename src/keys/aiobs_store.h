
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: table api_keys in an SQLite file that other programs
 * share, side tables (aiobs_*) for all else.  Plain C, for the nginx module
 * and for aiobs-keys alike.
 *
 * A store belongs to one thread at a time.  It must not be kept over fork().
 * Functions return one of the codes below; the reason of the last failure is
 * in aiobs_store_error().
 */


#ifndef _AIOBS_STORE_H_INCLUDED_
#define _AIOBS_STORE_H_INCLUDED_


#include "aiobs_key.h"

#include <sys/stat.h>
#include <sys/types.h>


#define AIOBS_STORE_SCHEMA     1        /* version of the side tables */

#define AIOBS_STORE_OK         0
#define AIOBS_STORE_NONE       1        /* no such key */
#define AIOBS_STORE_BUSY       2        /* locked by another program */
#define AIOBS_STORE_MISSING    3        /* there is no such file */
#define AIOBS_STORE_AMBIGUOUS  4        /* several keys begin so */
#define AIOBS_STORE_FAILED     5

#define AIOBS_STORE_CREATE     0x01     /* open: make what is missing */

/* changes that are kept for those who follow them */
#define AIOBS_STORE_LOG        100000


typedef struct aiobs_store_s  aiobs_store_t;


/* what admission needs of a key; texts are not terminated */

typedef struct {
    unsigned char   hash[AIOBS_KEY_HASH_LEN];
    unsigned char   found;
    unsigned char   active;
    unsigned char   user_len;
    unsigned char   name_len;
    char            user[AIOBS_KEY_USER_MAX];   /* cut, if it is longer */
    char            name[AIOBS_KEY_NAME_MAX];
} aiobs_key_t;


/*
 * A place in the log of changes; all zero is none.  The mark is random: a seq
 * that has another mark, or is not there, is of another history (the store
 * was restored or replaced).
 */

typedef struct {
    int64_t         seq;
    int64_t         mark;
} aiobs_store_place_t;


typedef struct {
    unsigned char   hash[AIOBS_KEY_HASH_LEN];
    int64_t         time;                       /* seconds, Unix time */
} aiobs_key_use_t;


/* a key for people; NULL: SQL NULL */

typedef struct {
    const char     *hash;
    const char     *user;
    const char     *name;
    const char     *created_at;
    const char     *last_used;
    const char     *revoked_at;
    int             active;
    const char     *json;
} aiobs_key_row_t;


typedef int (*aiobs_key_row_pt)(void *data, const aiobs_key_row_t *row);


/* in a child process: its random marks are not to be its siblings' */
void aiobs_store_forked(void);

/*
 * Adds side tables and triggers where they are missing.  *store is NULL only
 * when memory ran out; otherwise it is to be closed, after a failure too.
 * patience: how long to wait for locks, milliseconds.
 */
int aiobs_store_open(const char *path, unsigned flags, int patience,
    aiobs_store_t **store);
void aiobs_store_close(aiobs_store_t *store);
const char *aiobs_store_error(aiobs_store_t *store);

/* another patience; give_up (may be NULL) is asked every few milliseconds */
void aiobs_store_patience(aiobs_store_t *store, int msec, int (*give_up)(void));

/*
 * MISSING: to be kept open, it may come back.  FAILED: another file is in its
 * place, it is to be left, closed, and opened again.  A process that has a
 * store open has to ask this often.
 */
int aiobs_store_same_file(aiobs_store_t *store);

/* before closing a store that was replaced */
void aiobs_store_leave(aiobs_store_t *store);


/* --- what admission needs: aiobs_store_lookup.c --- */

/*
 * Fills keys[i] by keys[i].hash, all from one state of the store, which the
 * log of changes has at *place.
 */
int aiobs_store_lookup(aiobs_store_t *store, aiobs_key_t *keys, size_t n,
    aiobs_store_place_t *place);

/*
 * Changed keys after *place, as they are now, at most *n of them; *place is
 * moved on.  NONE: place, or the later place seen by a lookup, is of another
 * history, or it is too long ago; *place is moved to the end.  *n is 0
 * without any reading when nobody has written.
 */
int aiobs_store_changes(aiobs_store_t *store, aiobs_store_place_t *place,
    const aiobs_store_place_t *seen, aiobs_key_t *keys, size_t *n);

/* sets last_used, never back; one transaction */
int aiobs_store_used(aiobs_store_t *store, const aiobs_key_use_t *uses,
    size_t n);

/* forgets old changes */
int aiobs_store_trim(aiobs_store_t *store);


/* --- what people need: aiobs_store_manage.c --- */

/* name: may be NULL */
int aiobs_store_create(aiobs_store_t *store, const char *hash,
    const char *user, const char *name);

/*
 * Rows of a user (NULL: all), of keys whose hash begins with prefix (NULL:
 * all), oldest first.  row() ends the walk by returning non-zero.
 */
int aiobs_store_list(aiobs_store_t *store, const char *user,
    const char *prefix, aiobs_key_row_pt row, void *data);

/* the one key that begins with prefix */
int aiobs_store_resolve(aiobs_store_t *store, const char *prefix, char *hash);

/*
 * Revokes one key, or all of a user; the other is NULL.  row() is told each of
 * them as it was before.
 */
int aiobs_store_revoke(aiobs_store_t *store, const char *hash,
    const char *user, aiobs_key_row_pt row, void *data);


#endif /* _AIOBS_STORE_H_INCLUDED_ */
