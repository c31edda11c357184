
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the limits room: what lies in the zone.
 */


#ifndef _NGX_HTTP_AIOBS_LIMITS_ZONE_H_INCLUDED_
#define _NGX_HTTP_AIOBS_LIMITS_ZONE_H_INCLUDED_


#include "ngx_http_aiobs_limits.h"


#define NGX_HTTP_AIOBS_CHUNKS        1024
#define NGX_HTTP_AIOBS_CHUNK_CALLS   127    /* a chunk fills a page */

#define NGX_HTTP_AIOBS_MOVED         1024   /* a power of two */

#define NGX_HTTP_AIOBS_MODELS        256
#define NGX_HTTP_AIOBS_MODEL_BUCKETS 42     /* two for each power of two */


#define ngx_http_aiobs_get(p)                                                 \
    __atomic_load_n(p, __ATOMIC_SEQ_CST)

#define ngx_http_aiobs_swap(p, old, new)                                      \
    __atomic_compare_exchange_n(p, old, new, 0, __ATOMIC_SEQ_CST,             \
                                __ATOMIC_SEQ_CST)


typedef struct {
    u_char                      hash[AIOBS_KEY_HASH_LEN];   /* 0: nobody's */
    uint32_t                    next;       /* index + 1 */
    uint32_t                    mask;       /* windows that are to be saved */
    uint32_t                    recent;     /* used since the clock passed */
    uint32_t                    suspect;    /* to be counted anew */
    uint32_t                    unread;     /* the store could not be asked */
    uint32_t                    saver;      /* pid: has rows not yet written */

    uint64_t                    taken[AIOBS_WINDOW_N];  /* and its window */
    uint64_t                    saved[AIOBS_WINDOW_N];  /* likewise */

    /* of calls under way */

    uint64_t                    calls;
    uint64_t                    tokens;
    uint64_t                    cost;       /* nano-USD */
} ngx_http_aiobs_account_t;


typedef enum {
    NGX_HTTP_AIOBS_RESERVE_FREE = 0,
    NGX_HTTP_AIOBS_RESERVE_DOUBT,           /* is being made or given back */
    NGX_HTTP_AIOBS_RESERVE_HELD
} ngx_http_aiobs_reserve_state_e;


struct ngx_http_aiobs_reserve_s {
    uint32_t                    account;    /* index */
    uint32_t                    state;
    uint64_t                    tokens;
    uint64_t                    cost;
    ngx_http_aiobs_reserve_t   *next;       /* free one of the process */
};


typedef struct {
    ngx_atomic_t                pid;        /* 0: nobody's */
    ngx_http_aiobs_reserve_t    calls[NGX_HTTP_AIOBS_CHUNK_CALLS];
} ngx_http_aiobs_chunk_t;


/* a histogram of output tokens */

typedef struct {
    uint64_t                    tag;
    int64_t                     p99;        /* from a hundred calls on */
    uint32_t                    n;
    uint32_t                    counts[NGX_HTTP_AIOBS_MODEL_BUCKETS];
} ngx_http_aiobs_model_t;


struct ngx_http_aiobs_limits_s {
    uint32_t                    capacity;
    uint32_t                    mask;       /* of buckets */
    uint32_t                    used;       /* accounts ever used */
    uint32_t                    hand;       /* the clock's */
    uint32_t                    suspects;

    /* accounts of which the store was or is to be read anew, by their hashes */

    uint64_t                    moves;
    uint64_t                    moved[NGX_HTTP_AIOBS_MOVED];

    uint32_t                   *buckets;    /* index of account + 1 */
    ngx_http_aiobs_account_t   *accounts;
    uint64_t                   *dirty;      /* accounts to be saved */

    ngx_http_aiobs_chunk_t *volatile  chunks[NGX_HTTP_AIOBS_CHUNKS];

    ngx_http_aiobs_model_t      models[NGX_HTTP_AIOBS_MODELS];
};


/* this process'; NULL where there are no keys */
extern ngx_http_aiobs_limits_t  *ngx_http_aiobs_limits;
extern ngx_slab_pool_t          *ngx_http_aiobs_limits_pool;


/* NULL: it is not here */
ngx_http_aiobs_account_t *ngx_http_aiobs_account_find(const u_char *account);
void ngx_http_aiobs_account_dirty(ngx_http_aiobs_account_t *a);


/* --- ngx_http_aiobs_account_moved.c; under the mutex --- */

/* what the store was read for before this is of no use any more */
void ngx_http_aiobs_account_move(const u_char *account);

/* since the moves were as many as then */
ngx_uint_t ngx_http_aiobs_account_moved(const u_char *account, uint64_t since);

/* the living process that has rows of it to write; 0: none has */
ngx_pid_t ngx_http_aiobs_account_saver(ngx_http_aiobs_account_t *a);


/* --- ngx_http_aiobs_account_stored.c; fill, read: under the mutex --- */

/* a new one; windows: as the store has them, NULL: it could not be asked */
void ngx_http_aiobs_account_fill(ngx_http_aiobs_account_t *a,
    const aiobs_window_t *windows, const int64_t *limits);

/* the same later, of one that is unread */
void ngx_http_aiobs_account_read(ngx_http_aiobs_account_t *a,
    const aiobs_window_t *windows);

/* of ours in one of the store's */
int64_t ngx_http_aiobs_account_unit(aiobs_limit_e limit);


/* --- ngx_http_aiobs_held.c --- */

/* written down by this process; NULL: there is no room */
ngx_http_aiobs_reserve_t *ngx_http_aiobs_reserve_take(void);
void ngx_http_aiobs_reserve_give(ngx_http_aiobs_reserve_t *rs);

/* whatever stands there as this process' own is given back */
void ngx_http_aiobs_held_own(void);


/* --- ngx_http_aiobs_windows.c --- */

/* the window that time t lies in, by number; and its first second */
uint64_t ngx_http_aiobs_window(aiobs_limit_e limit, time_t t);
time_t ngx_http_aiobs_window_start(aiobs_limit_e limit, uint64_t window);

/* whose amount a word has, by number; window: the current one */
uint64_t ngx_http_aiobs_window_of(aiobs_limit_e limit, uint64_t word,
    uint64_t window);

/* what a word has of the window, 0 if it is of another */
int64_t ngx_http_aiobs_window_get(aiobs_limit_e limit, uint64_t word,
    uint64_t window);
uint64_t ngx_http_aiobs_window_word(aiobs_limit_e limit, uint64_t window,
    int64_t amount);

/* adds up to the limit, if there is one; NGX_BUSY: it would be over */
ngx_int_t ngx_http_aiobs_window_add(aiobs_limit_e limit, uint64_t *word,
    uint64_t window, int64_t amount, int64_t max);


#endif /* _NGX_HTTP_AIOBS_LIMITS_ZONE_H_INCLUDED_ */
