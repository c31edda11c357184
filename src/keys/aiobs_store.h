
/*
 * Copyright (C) the aiobs authors
 *
 * The store of keys: table api_keys in an SQLite file that other programs
 * share, side tables for all else.  Plain C, for the nginx module and for
 * aiobs-keys alike.  Here is what admission needs of it; what people do with
 * keys is in aiobs_store_manage.h.
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


#define AIOBS_STORE_SCHEMA     2        /* version of the side tables */

#define AIOBS_STORE_OK         0
#define AIOBS_STORE_NONE       1        /* no such key */
#define AIOBS_STORE_BUSY       2        /* locked by another process */
#define AIOBS_STORE_MISSING    3        /* there is no such file */
#define AIOBS_STORE_AMBIGUOUS  4        /* several keys begin so */
#define AIOBS_STORE_FAILED     5
#define AIOBS_STORE_INACTIVE   6        /* it is revoked */
#define AIOBS_STORE_EXISTS     7        /* such a key is there already */

#define AIOBS_STORE_CREATE     0x01     /* open: make what is missing */
#define AIOBS_STORE_WHOLE      0x02     /* open: much of it will be read */

/* changes that are kept for those who follow them */
#define AIOBS_STORE_LOG        100000

/* rows of ours that are moved or forgotten in one transaction */
#define AIOBS_STORE_BATCH      2000


#define AIOBS_KEY_MODELS_MAX     512    /* bytes */
#define AIOBS_KEY_ENDPOINTS_MAX  256
#define AIOBS_KEY_LABELS_MAX     512

#define AIOBS_LIMIT_NONE         -1


typedef struct aiobs_store_s  aiobs_store_t;


/* limits of a key; those before PARALLEL are counted in windows of UTC */

typedef enum {
    AIOBS_LIMIT_RPM = 0,                /* requests a minute */
    AIOBS_LIMIT_TPM,                    /* tokens a minute */
    AIOBS_LIMIT_TOKENS_DAY,
    AIOBS_LIMIT_TOKENS_MONTH,
    AIOBS_LIMIT_COST_DAY,               /* micro-USD */
    AIOBS_LIMIT_COST_MONTH,             /* micro-USD */
    AIOBS_LIMIT_PARALLEL,               /* calls at once */
    AIOBS_LIMIT_N
} aiobs_limit_e;

#define AIOBS_WINDOW_N  AIOBS_LIMIT_PARALLEL


/* what was taken of a limit in the window that began at start */

typedef struct {
    int64_t         start;              /* seconds, Unix time; 0: nothing */
    int64_t         amount;             /* in the limit's unit */
} aiobs_window_t;


/* what a key may; texts are not terminated */

typedef struct {
    unsigned char   any;                /* 0: it may all, the rest is empty */
    unsigned char   broken;             /* not understood: it may nothing */
    unsigned char   admin;
    unsigned char   may_act_for;

    uint16_t        models_len;         /* globs: aiobs_key_allows() */
    uint16_t        endpoints_len;
    uint16_t        labels_len;         /* a JSON object of strings, or 0 */

    int64_t         expires;            /* seconds, Unix time; 0: never */
    int64_t         limits[AIOBS_LIMIT_N];  /* AIOBS_LIMIT_NONE: none */

    /*
     * Whose limits these are: the hash of the first of a row of keys that
     * were rotated; they share their windows.  The key's own, if it was not.
     */
    unsigned char   account[AIOBS_KEY_HASH_LEN];
    aiobs_window_t  windows[AIOBS_WINDOW_N];    /* by lookup only */

    char            models[AIOBS_KEY_MODELS_MAX];
    char            endpoints[AIOBS_KEY_ENDPOINTS_MAX];
    char            labels[AIOBS_KEY_LABELS_MAX];
} aiobs_policy_t;


/* what admission needs of a key; texts are not terminated */

typedef struct {
    unsigned char   hash[AIOBS_KEY_HASH_LEN];
    unsigned char   found;
    unsigned char   active;
    unsigned char   fresh;              /* never used yet */
    unsigned char   user_len;
    unsigned char   name_len;
    char            user[AIOBS_KEY_USER_MAX];   /* cut, if it is longer */
    char            name[AIOBS_KEY_NAME_MAX];
    aiobs_policy_t  policy;
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


/* a row of usage_daily, or what is to be added to it */

typedef struct {
    char            day[11];            /* 2026-11-26, UTC; terminated */
    unsigned char   hash[AIOBS_KEY_HASH_LEN];
    const char     *model;
    const char     *endpoint;
    int64_t         calls;
    int64_t         input;              /* tokens, as llm_tokens_total */
    int64_t         output;
    int64_t         cache_read;
    int64_t         cache_write;
    int64_t         cost;               /* micro-USD */
    int64_t         estimated_calls;    /* of calls: no usage was reported */
} aiobs_usage_row_t;


/* what was taken of a limit since it was told last; below 0: given back */

typedef struct {
    unsigned char   account[AIOBS_KEY_HASH_LEN];
    aiobs_limit_e   limit;              /* below AIOBS_WINDOW_N */
    int64_t         start;              /* of the window, Unix time */
    int64_t         amount;
} aiobs_window_row_t;


/*
 * A row of key_events; texts without control characters, NULL: none.  The
 * rows cannot be changed later: no personal data is to be in them, keys and
 * their owners are named by key id.
 */

typedef struct {
    struct timeval  time;               /* zero: now */
    const char     *actor;              /* "cli:root", "key:KEY_ID", ... */
    const char     *action;             /* "created", "refused", ... */
    const char     *key_id;
    const char     *request_id;
} aiobs_event_t;


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
 * Fills keys[i] by keys[i].hash, policy and windows with it, all from one
 * state of the store, which the log of changes has at *place.
 */
int aiobs_store_lookup(aiobs_store_t *store, aiobs_key_t *keys, size_t n,
    aiobs_store_place_t *place);

/*
 * To be called now and then, with wanted while many keys are looked up that
 * nobody has: a filter is made, by a piece of some milliseconds with each call,
 * by which a lookup tells such keys without asking the table.  It takes two
 * bytes for each key, at most 16 MB, and goes when it was not wanted for ten
 * seconds.  What a lookup finds is the same with and without it.
 */
void aiobs_store_sift(aiobs_store_t *store, int wanted);

/* the windows of an account, of whichever key; all 0: it has none */
int aiobs_store_account(aiobs_store_t *store, const unsigned char *account,
    aiobs_window_t windows[AIOBS_WINDOW_N]);

/*
 * Changed keys after *place, as they are now (without windows), at most *n of
 * them; *place is moved on.  A change of what a key may is one like any other.
 * NONE: place, or the later place seen by a lookup, is of another
 * history, or it is too long ago; *place is moved to the end.  *n is 0
 * without any reading when nobody has written.
 */
int aiobs_store_changes(aiobs_store_t *store, aiobs_store_place_t *place,
    const aiobs_store_place_t *seen, aiobs_key_t *keys, size_t *n);


/* --- what admission writes, each call one transaction:
   aiobs_store_write.c --- */

/* sets last_used, never back */
int aiobs_store_used(aiobs_store_t *store, const aiobs_key_use_t *uses,
    size_t n);

/* adds to the rows of usage_daily */
int aiobs_store_usage(aiobs_store_t *store, const aiobs_usage_row_t *rows,
    size_t n);

/*
 * Adds to the windows.  Of each limit one is kept: a row of a later window
 * replaces it, one of an earlier window is left out.
 */
int aiobs_store_windows(aiobs_store_t *store, const aiobs_window_row_t *rows,
    size_t n);

/*
 * Appends to key_events, and before them what other programs did.  NONE: done,
 * and more of the latter waits.  In aiobs_store_events.c.
 */
int aiobs_store_events(aiobs_store_t *store, const aiobs_event_t *events,
    size_t n);

/* forgets old changes; takes changes of other programs into key_events */
int aiobs_store_trim(aiobs_store_t *store);


#endif /* _AIOBS_STORE_H_INCLUDED_ */
