
/*
 * Copyright (C) the aiobs authors
 *
 * The limits room: what keys with limits have taken of them, in shared memory.
 *
 * What an account took in a window of UTC time lies in one word with that
 * window, what its calls have reserved in words of their own, changed by
 * compare-and-swap.  A reservation is written down by the process that made
 * it, so that another can give it back when that one has died.
 */


#ifndef _NGX_HTTP_AIOBS_LIMITS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_LIMITS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "../keys/aiobs_store.h"


#define NGX_HTTP_AIOBS_ACCOUNTS_MAX  32768

#define ngx_http_aiobs_accounts(keys)                                         \
    ngx_max(ngx_min(keys, NGX_HTTP_AIOBS_ACCOUNTS_MAX), 64)


typedef struct ngx_http_aiobs_limits_s   ngx_http_aiobs_limits_t;   /* shared */
typedef struct ngx_http_aiobs_reserve_s  ngx_http_aiobs_reserve_t;  /* shared */


/* of the http block */

typedef struct {
    ngx_int_t                   share;      /* nodes that share the limits */
    ngx_str_t                   group;      /* label of keys; "": none */
} ngx_http_aiobs_limits_conf_t;


#define NGX_HTTP_AIOBS_LIMITS_COMMANDS                                        \
                                                                              \
    { ngx_string("aiobs_limit_share"),                                        \
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,                                      \
      ngx_http_aiobs_limit_share,                                             \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      offsetof(ngx_http_aiobs_main_conf_t, limits),                           \
      NULL },                                                                 \
                                                                              \
    { ngx_string("aiobs_group_label"),                                        \
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,                                      \
      ngx_http_aiobs_group_label,                                             \
      NGX_HTTP_MAIN_CONF_OFFSET,                                              \
      offsetof(ngx_http_aiobs_main_conf_t, limits),                           \
      NULL },


/* one call, from its reservation to its settlement, in one process */

typedef struct {
    const u_char               *account;    /* AIOBS_KEY_HASH_LEN */
    int64_t                     limits[AIOBS_LIMIT_N];
    int64_t                     tokens;     /* to be reserved */
    int64_t                     cost;       /* likewise, nano-USD */
    aiobs_limit_e               over;       /* the limit that is in the way */
    ngx_uint_t                  counted;    /* as a request, by one before */
    ngx_http_aiobs_reserve_t   *reserve;    /* NULL: nothing is held */
} ngx_http_aiobs_call_t;


/* what is left of a limit */

typedef struct {
    int64_t                     limit;
    int64_t                     left;
    ngx_uint_t                  reset;      /* seconds to the next window */
} ngx_http_aiobs_left_t;


/* --- ngx_http_aiobs_limits_conf.c --- */

char *ngx_http_aiobs_limit_share(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_aiobs_group_label(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* --- ngx_http_aiobs_accounts.c --- */

size_t ngx_http_aiobs_limits_size(ngx_uint_t keys);

/* in the master; NULL: the zone is too small, logged */
ngx_http_aiobs_limits_t *ngx_http_aiobs_limits_create(ngx_slab_pool_t *shpool,
    ngx_uint_t keys, ngx_log_t *log);

/* in every worker, before and after its requests */
void ngx_http_aiobs_limits_init_process(ngx_http_aiobs_limits_t *limits,
    ngx_slab_pool_t *shpool);
void ngx_http_aiobs_limits_exit_process(void);

/*
 * Whether the account is here; if not, the store knows its windows.  It may be
 * here without what the store has: that counts as long as the store fails.
 */
ngx_uint_t ngx_http_aiobs_limits_known(const u_char *account,
    ngx_uint_t store_fails);

/*
 * The account as the store has it; one that is here already knows better.
 * windows: NULL, the store could not be asked; it will be when it works again.
 * moves: as before the store was read.  NGX_AGAIN: more was saved meanwhile, it
 * is to be read again.  NGX_DECLINED: there is no room, its calls are not
 * counted.
 */
ngx_int_t ngx_http_aiobs_limits_open(const u_char *account,
    const aiobs_window_t *windows, uint64_t moves,
    const int64_t limits[AIOBS_LIMIT_N]);

/*
 * What was taken since the last time, to be added in the store: at most max
 * rows, which are the caller's then.  last: accounts that the store could not
 * be asked for as well, of which nothing is to be read any more.
 */
ngx_uint_t ngx_http_aiobs_limits_taken(aiobs_window_row_t *rows,
    ngx_uint_t max, ngx_uint_t last);


/* --- ngx_http_aiobs_account_moved.c --- */

/* how often accounts changed in a way that outdates what the store said */
uint64_t ngx_http_aiobs_limits_moves(void);

/* rows that were taken by this process are written; until then their accounts
   stay */
void ngx_http_aiobs_limits_saved(const aiobs_window_row_t *rows, ngx_uint_t n);

/* or they never will be: another process is to take them */
void ngx_http_aiobs_limits_unsaved(const aiobs_window_row_t *rows,
    ngx_uint_t n);


/* --- ngx_http_aiobs_account_stored.c --- */

/*
 * Accounts that have something to be saved, but were opened when the store
 * could not be asked: at most max.  It is to be asked, and they are told;
 * moves: as above, what is out of date is not taken.
 */
ngx_uint_t ngx_http_aiobs_limits_unread(
    u_char (*accounts)[AIOBS_KEY_HASH_LEN], ngx_uint_t max);
void ngx_http_aiobs_limits_read(const u_char *account,
    const aiobs_window_t *windows, uint64_t moves);


/* --- ngx_http_aiobs_reserve.c --- */

/*
 * NGX_OK: the call may go, and is to be settled.  NGX_BUSY: over the limit
 * call->over, nothing is held.  NGX_DECLINED: it cannot be counted.
 */
ngx_int_t ngx_http_aiobs_limits_reserve(ngx_http_aiobs_call_t *call);

/* what it took in the end: tokens, and nano-USD */
void ngx_http_aiobs_limits_settle(ngx_http_aiobs_call_t *call, int64_t tokens,
    int64_t cost);

/* NGX_DECLINED: there is no such limit */
ngx_int_t ngx_http_aiobs_limits_left(ngx_http_aiobs_call_t *call,
    aiobs_limit_e limit, ngx_http_aiobs_left_t *left);


/* --- ngx_http_aiobs_held.c --- */

/* gives back what processes hold that have died; to be called often */
void ngx_http_aiobs_limits_sweep(void);


/* --- ngx_http_aiobs_learned.c --- */

/*
 * Output tokens that 99 of 100 calls of the model stayed below; AIOBS_ABSENT:
 * too few have been seen.
 */
int64_t ngx_http_aiobs_learned(const u_char *model, size_t len);
void ngx_http_aiobs_learn(const u_char *model, size_t len, int64_t output);


#endif /* _NGX_HTTP_AIOBS_LIMITS_H_INCLUDED_ */
