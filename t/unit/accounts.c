
/*
 * Copyright (C) the aiobs authors
 *
 * Accounts that give way while the store is read or written: what one worker
 * reads is of no use once another has saved more.  Prints what became of it.
 */


#include "limits/ngx_http_aiobs_limits_zone.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>


/* what of nginx accounts use */

ngx_uint_t             ngx_pagesize = 4096;
ngx_pid_t              ngx_pid;
volatile ngx_time_t   *ngx_cached_time;


void
ngx_shmtx_lock(ngx_shmtx_t *mtx)
{
}


void
ngx_shmtx_unlock(ngx_shmtx_t *mtx)
{
}


void *
ngx_slab_calloc(ngx_slab_pool_t *pool, size_t size)
{
    return calloc(1, size);
}


void *
ngx_slab_calloc_locked(ngx_slab_pool_t *pool, size_t size)
{
    return calloc(1, size);
}


void
ngx_log_error_core(ngx_uint_t level, ngx_log_t *log, ngx_err_t err,
    const char *fmt, ...)
{
}


void
ngx_gmtime(time_t t, ngx_tm_t *tp)
{
    gmtime_r(&t, tp);
    tp->ngx_tm_year += 1900;
    tp->ngx_tm_mon++;
}


static ngx_int_t
open_account(unsigned n, int64_t amount, uint64_t moves)
{
    u_char          hash[AIOBS_KEY_HASH_LEN];
    int64_t         limits[AIOBS_LIMIT_N];
    unsigned        i;
    aiobs_window_t  windows[AIOBS_WINDOW_N];

    memset(hash, 0x11, sizeof(hash));
    memcpy(hash, &n, sizeof(n));
    memset(windows, 0, sizeof(windows));

    for (i = 0; i < AIOBS_LIMIT_N; i++) {
        limits[i] = AIOBS_LIMIT_NONE;
    }

    i = AIOBS_LIMIT_TOKENS_DAY;
    limits[i] = 1000;
    windows[i].start = ngx_http_aiobs_window_start(i,
                                       ngx_http_aiobs_window(i, ngx_time()));
    windows[i].amount = amount;

    return ngx_http_aiobs_limits_open(hash, windows, moves, limits);
}


static void
take(unsigned n, int64_t tokens)
{
    u_char                 hash[AIOBS_KEY_HASH_LEN];
    unsigned               i;
    ngx_http_aiobs_call_t  call;

    memset(hash, 0x11, sizeof(hash));
    memcpy(hash, &n, sizeof(n));
    memset(&call, 0, sizeof(call));

    for (i = 0; i < AIOBS_LIMIT_N; i++) {
        call.limits[i] = AIOBS_LIMIT_NONE;
    }

    call.account = hash;
    call.limits[AIOBS_LIMIT_TOKENS_DAY] = 1000;

    if (ngx_http_aiobs_limits_reserve(&call) == NGX_OK) {
        ngx_http_aiobs_limits_settle(&call, tokens, 0);
    }
}


static int
known(unsigned n)
{
    u_char  hash[AIOBS_KEY_HASH_LEN];

    memset(hash, 0x11, sizeof(hash));
    memcpy(hash, &n, sizeof(n));

    return ngx_http_aiobs_limits_known(hash, 0);
}


static void
others(void)
{
    unsigned  i;

    for (i = 1000; i < 1400; i++) {
        (void) open_account(i, 0, ngx_http_aiobs_limits_moves());
    }
}


static int
savers(void)
{
    int       n;
    unsigned  i;

    for (n = 0, i = 0; i < ngx_http_aiobs_limits->capacity; i++) {
        n += (ngx_http_aiobs_limits->accounts[i].saver != 0);
    }

    return n;
}


/* whether an account stays whose rows a process is to write that has that pid */

static int
kept(int stranger)
{
    int        ready[2], known_still;
    char       c;
    u_char     hash[AIOBS_KEY_HASH_LEN];
    unsigned   n;
    ngx_pid_t  pid;

    if (pipe(ready) == -1 || (pid = fork()) == -1) {
        return -1;
    }

    if (pid == 0) {
        if (stranger) {
            (void) setsid();
        }

        (void) !write(ready[1], "", 1);
        pause();
        _exit(0);
    }

    (void) !read(ready[0], &c, 1);

    n = 1;
    (void) open_account(n, 0, ngx_http_aiobs_limits_moves());
    memset(hash, 0x11, sizeof(hash));
    memcpy(hash, &n, sizeof(n));
    ngx_http_aiobs_account_find(hash)->saver = pid;

    others();
    known_still = known(n);

    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, NULL, 0);

    return known_still;
}


int
main(void)
{
    uint64_t            before;
    ngx_uint_t          n;
    ngx_time_t          now;
    ngx_slab_pool_t     pool;
    aiobs_window_row_t  rows[64];

    memset(&now, 0, sizeof(now));
    now.sec = 1800000000;
    ngx_cached_time = &now;
    ngx_pid = getpid();
    memset(&pool, 0, sizeof(pool));

    ngx_http_aiobs_limits_init_process(
        ngx_http_aiobs_limits_create(&pool, 64, NULL), &pool);

    before = ngx_http_aiobs_limits_moves();

    printf("open %d", (int) open_account(1, 10, before));
    take(1, 5);

    others();
    printf(" dirty %d", known(1));

    n = ngx_http_aiobs_limits_taken(rows, 64, 0);
    printf(" rows %d amount %d", (int) n, (int) rows[0].amount);

    others();
    printf(" unwritten %d", known(1));

    ngx_http_aiobs_limits_saved(rows, n);
    others();
    printf(" written %d", known(1));

    /* the store was read before that, or is read anew */

    printf(" stale %s", open_account(1, 10, before) == NGX_AGAIN ? "again"
                                                                 : "taken");
    printf(" anew %d", (int) open_account(1, 15,
                                          ngx_http_aiobs_limits_moves()));

    printf(" worker %d", kept(0));

    others();                           /* it is dead by now */
    printf(" dead %d left %d", known(1), savers());
    printf(" stranger %d\n", kept(1));

    return 0;
}
