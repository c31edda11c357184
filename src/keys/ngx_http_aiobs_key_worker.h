
/*
 * Copyright (C) the aiobs authors
 *
 * What a worker process has of the keys room: requests that wait for the
 * store, and the one task that asks it.
 */


#ifndef _NGX_HTTP_AIOBS_KEY_WORKER_H_INCLUDED_
#define _NGX_HTTP_AIOBS_KEY_WORKER_H_INCLUDED_


#include "ngx_http_aiobs_key_table.h"
#include "../limits/ngx_http_aiobs_spend.h"


#define NGX_HTTP_AIOBS_KEY_WAITING  1024    /* suspended requests, at most */
#define NGX_HTTP_AIOBS_KEY_BATCH    64      /* keys asked for at once */
#define NGX_HTTP_AIOBS_KEY_CHANGES  256
#define NGX_HTTP_AIOBS_KEY_USES     1024
#define NGX_HTTP_AIOBS_KEY_WINDOWS  1024
#define NGX_HTTP_AIOBS_KEY_SPENT    128

#define NGX_HTTP_AIOBS_KEY_GUARD    60000   /* milliseconds */

#define NGX_HTTP_AIOBS_KEY_FLOOD    200     /* keys of nobody, a second */
#define NGX_HTTP_AIOBS_KEY_GATHER   2       /* milliseconds */

/* refused requests that go on in one turn: so many, and a part of the rest */
#define NGX_HTTP_AIOBS_KEY_TURN       2
#define NGX_HTTP_AIOBS_KEY_TURN_PART  8


#define NGX_HTTP_AIOBS_KEY_EVENTS   32      /* not yet written */


/* an event, as aiobs_event_t; texts are terminated */

typedef struct {
    struct timeval                  time;
    const char                     *action;
    u_char                          actor[sizeof("key:")
                                          + NGX_HTTP_AIOBS_KEY_ID_LEN];
    u_char                          key_id[NGX_HTTP_AIOBS_KEY_ID_LEN + 1];
    u_char                          request_id[129];
} ngx_http_aiobs_key_event_t;


/* all that the thread sees */

typedef struct {
    const char                     *path;
    aiobs_store_t                  *store;
    unsigned                        reopen;

    size_t                          nkeys;      /* to be looked up */
    aiobs_key_t                     keys[NGX_HTTP_AIOBS_KEY_BATCH];
    aiobs_store_place_t             at;         /* they were read there */
    int                             keys_rc;
    unsigned                        flood;      /* of keys of nobody */

    ngx_http_aiobs_keys_work_t     *work;       /* of other rooms */

    unsigned                        poll;
    aiobs_store_place_t             from;
    aiobs_store_place_t             seen;
    aiobs_store_place_t             to;
    size_t                          nchanged;
    aiobs_key_t                     changed[NGX_HTTP_AIOBS_KEY_CHANGES];
    int                             poll_rc;
    unsigned                        drain;      /* events of others wait */

    /* to be written: what is, is taken off by the thread */

    unsigned                        save;
    unsigned                        full;       /* there may be more */
    size_t                          nuses;
    aiobs_key_use_t                 uses[NGX_HTTP_AIOBS_KEY_USES];
    size_t                          nwindows;
    size_t                          nsaved;     /* as many as there were */
    aiobs_window_row_t              windows[NGX_HTTP_AIOBS_KEY_WINDOWS];
    size_t                          nspent;
    aiobs_usage_row_t               spent[NGX_HTTP_AIOBS_KEY_SPENT];
    ngx_http_aiobs_spend_text_t     texts[NGX_HTTP_AIOBS_KEY_SPENT];

    size_t                          nevents;
    ngx_http_aiobs_key_event_t      events[NGX_HTTP_AIOBS_KEY_EVENTS];

    char                            error[512];
    unsigned                        locked;     /* so that is why */
} ngx_http_aiobs_key_job_t;


/* of a suspended request, in its pool */

typedef struct ngx_http_aiobs_key_waiter_s  ngx_http_aiobs_key_waiter_t;

struct ngx_http_aiobs_key_waiter_s {
    ngx_http_request_t             *request;
    ngx_http_aiobs_identity_t      *identity;
    ngx_http_aiobs_key_waiter_t    *next;
};


typedef struct {
    ngx_http_aiobs_key_waiter_t    *first;
    ngx_http_aiobs_key_waiter_t   **last;       /* where one more is linked */
    ngx_uint_t                      n;
} ngx_http_aiobs_key_waiters_t;


/* one key that is asked for, by any number of requests */

typedef struct ngx_http_aiobs_key_lookup_s  ngx_http_aiobs_key_lookup_t;

struct ngx_http_aiobs_key_lookup_s {
    ngx_queue_t                     queue;
    ngx_http_aiobs_key_lookup_t    *next;       /* in its bucket */
    ngx_http_aiobs_key_waiter_t    *waiters;
    u_char                          hash[AIOBS_KEY_HASH_LEN];
};


typedef struct {
    ngx_http_aiobs_keys_t          *keys;
    ngx_slab_pool_t                *shpool;
    uint32_t                        store;      /* checksum of the path */
    ngx_thread_pool_t              *pool;
    ngx_log_t                      *log;

    ngx_event_t                     timer;
    ngx_event_t                     guard;
    ngx_event_t                     gather;
    ngx_event_t                     turn;
    ngx_thread_task_t              *task;
    ngx_http_aiobs_key_job_t       *job;
    uint32_t                        epoch;      /* the job's */
    uint64_t                        moves;      /* of accounts, before it */

    ngx_http_aiobs_keys_work_t     *work;       /* waits */

    ngx_uint_t                      nevents;
    ngx_http_aiobs_key_event_t      events[NGX_HTTP_AIOBS_KEY_EVENTS];

    ngx_uint_t                      nwaiting;   /* suspended requests */
    ngx_queue_t                     free;
    ngx_queue_t                     waiting;
    ngx_http_aiobs_key_waiters_t    refused;    /* suspended still */
    ngx_http_aiobs_key_lookup_t    *asked[NGX_HTTP_AIOBS_KEY_BATCH];
    ngx_http_aiobs_key_lookup_t    *buckets[NGX_HTTP_AIOBS_KEY_WAITING];

    /* keys that the store did not know: in this second, in the one before */

    time_t                          second;
    ngx_uint_t                      strange;
    ngx_uint_t                      strangers;

    ngx_uint_t                      ticks;
    time_t                          complained;
    uint32_t                        why;        /* checksum of the reason */
    time_t                          crowded;
    ngx_msec_t                      unreadable; /* last seen so, 0: it is not */
    ngx_msec_t                      late;       /* exiting, but for a lock */

    unsigned                        busy:1;     /* a job is under way */
    unsigned                        poll:1;     /* is due */
    unsigned                        save:1;
    unsigned                        check:1;
    unsigned                        failed:1;   /* the store, last time */
    unsigned                        told:1;     /* so is the error log */
    unsigned                        owes:1;     /* there is news to be saved */
} ngx_http_aiobs_key_worker_t;


/* NULL: keys are not used here */
extern ngx_http_aiobs_key_worker_t  *ngx_http_aiobs_key_worker;


/* the table holds keys of this worker's store */
#define ngx_http_aiobs_key_ours(w)  ((w)->keys->store == (w)->store)


/* starts the task, if there is something to do and none is under way */
void ngx_http_aiobs_key_start(ngx_http_aiobs_key_worker_t *w);

/*
 * The same soon, when what else has come is read: waking a thread costs more
 * than asking for a key.  In a flood of keys of nobody, somewhat later.
 */
void ngx_http_aiobs_key_gather(ngx_http_aiobs_key_worker_t *w);

/* another key of nobody */
void ngx_http_aiobs_key_strange(ngx_http_aiobs_key_worker_t *w);


/* --- ngx_http_aiobs_key_stay.c --- */

/* the log is set */
void ngx_http_aiobs_key_stay_init(ngx_http_aiobs_key_worker_t *w);

/*
 * A worker that is to exit does so when no timer is left, though requests wait
 * for the store: one is kept until none does.
 */
void ngx_http_aiobs_key_hold(ngx_http_aiobs_key_worker_t *w);
void ngx_http_aiobs_key_release(ngx_http_aiobs_key_worker_t *w);

/*
 * A job is done, or there is nothing to do: it stays until all is saved.  A
 * store that somebody has locked is waited for, not for ever; for one that is
 * away there is the last try of ngx_http_aiobs_key_save_last().
 */
void ngx_http_aiobs_key_stay(ngx_http_aiobs_key_worker_t *w);

/* the job has something that it could not write yet */
ngx_uint_t ngx_http_aiobs_key_unsaved(ngx_http_aiobs_key_job_t *job);


/* --- ngx_http_aiobs_key_lookup.c --- */

/* the store knew a key, which is looked up by its tag from now on */
void ngx_http_aiobs_key_learn(ngx_http_aiobs_key_worker_t *w,
    const u_char *hash, const ngx_http_aiobs_key_tag_t *tag);


/* --- ngx_http_aiobs_key_wait.c --- */

/* the log is set */
void ngx_http_aiobs_key_wait_init(ngx_http_aiobs_key_worker_t *w);

/* NGX_BUSY: too many requests wait already */
ngx_int_t ngx_http_aiobs_key_suspend(ngx_http_aiobs_key_worker_t *w,
    ngx_http_request_t *r, ngx_http_aiobs_identity_t *identity,
    const u_char *hash);

/* moves lookups that wait into the job */
void ngx_http_aiobs_key_ask(ngx_http_aiobs_key_worker_t *w);

/*
 * The job is done: its keys get into the table, its requests go on, those of
 * keys that somebody has first.  The others do a few at a time, and what comes
 * meanwhile is served between them: they may be many.
 */
void ngx_http_aiobs_key_answer(ngx_http_aiobs_key_worker_t *w);


/* --- ngx_http_aiobs_key_job.c --- */

/* in the thread */
void ngx_http_aiobs_key_job(void *data, ngx_log_t *log);

/* for a lock: milliseconds, 0: the usual ones; a worker's end cuts it short */
void ngx_http_aiobs_key_job_patience(ngx_http_aiobs_key_job_t *job, int msec);

/* writes what the job has to write; an AIOBS_STORE code */
int ngx_http_aiobs_key_job_write(ngx_http_aiobs_key_job_t *job);


/* --- ngx_http_aiobs_key_save.c --- */

/* fills the job with what is to be written; last: before the process ends */
void ngx_http_aiobs_key_prepare_save(ngx_http_aiobs_key_worker_t *w,
    ngx_uint_t last);

/* the job has written what it could */
void ngx_http_aiobs_key_saved(ngx_http_aiobs_key_worker_t *w);

/* writes all there is, in the time that a worker has to end */
void ngx_http_aiobs_key_save_last(ngx_http_aiobs_key_worker_t *w);

/* --- ngx_http_aiobs_key_left.c --- */

/* this worker saves what is in the table; or only once more */
void ngx_http_aiobs_key_join(ngx_http_aiobs_key_worker_t *w);
void ngx_http_aiobs_key_leave(ngx_http_aiobs_key_worker_t *w);

/*
 * What the job and this worker have to write is left to others, and said;
 * they take into their jobs what was left so.  The table is of this store.
 */
void ngx_http_aiobs_key_give(ngx_http_aiobs_key_worker_t *w, const char *why);
void ngx_http_aiobs_key_left_take(ngx_http_aiobs_key_worker_t *w);

/* counted and said, unless there are none */
void ngx_http_aiobs_key_lost(ngx_http_aiobs_key_worker_t *w, int64_t calls,
    const char *why);


/* --- ngx_http_aiobs_key_worker.c --- */

/* uses of keys that left the table are saved with the next ones */
void ngx_http_aiobs_key_keep(ngx_http_aiobs_key_worker_t *w,
    const aiobs_key_use_t *uses, ngx_uint_t n);


/* --- ngx_http_aiobs_key_complain.c --- */

/*
 * A job is done, and how the store fared: said when trouble begins, changes,
 * every now and then, and when it is over.  That it is locked for writing is
 * trouble when it is the second time.
 */
void ngx_http_aiobs_key_complain(ngx_http_aiobs_key_worker_t *w);

/* a table that thrashes asks the store as if it did not know the keys */
void ngx_http_aiobs_key_squeezed(ngx_http_aiobs_key_worker_t *w);


/* --- ngx_http_aiobs_key_work.c --- */

/* moves work that waits into the job */
void ngx_http_aiobs_key_work_take(ngx_http_aiobs_key_worker_t *w);

/* in the thread: does it, or gives the reason why it cannot be done */
void ngx_http_aiobs_key_work_run(ngx_http_aiobs_key_job_t *job);
void ngx_http_aiobs_key_work_fail(ngx_http_aiobs_key_job_t *job, int rc);

/* the job is done: those who gave the work are told */
void ngx_http_aiobs_key_work_done(ngx_http_aiobs_key_worker_t *w);


/* --- ngx_http_aiobs_key_unread.c --- */

/* asks the store for accounts that were opened while it was away */
void ngx_http_aiobs_key_unread(ngx_http_aiobs_key_worker_t *w);


/* --- ngx_http_aiobs_key_verdict.c --- */

ngx_uint_t ngx_http_aiobs_key_limited(const aiobs_key_t *key);
void ngx_http_aiobs_key_verdict(ngx_http_aiobs_identity_t *id,
    const aiobs_key_t *key, ngx_pool_t *pool);


/* --- ngx_http_aiobs_key_events.c --- */

/* moves events into the job, unless it has some yet */
void ngx_http_aiobs_key_events_take(ngx_http_aiobs_key_worker_t *w);

/* in the thread: a code of the store */
int ngx_http_aiobs_key_events_write(ngx_http_aiobs_key_job_t *job);


#endif /* _NGX_HTTP_AIOBS_KEY_WORKER_H_INCLUDED_ */
