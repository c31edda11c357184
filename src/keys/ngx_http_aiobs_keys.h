
/*
 * Copyright (C) the aiobs authors
 *
 * The keys room: a cache of keys in shared memory, the SQLite store behind it,
 * and the answer to "whose key is this?".
 */


#ifndef _NGX_HTTP_AIOBS_KEYS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_KEYS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "aiobs_store.h"


#define NGX_HTTP_AIOBS_KEYS_DEFAULT     10000
#define NGX_HTTP_AIOBS_KEY_ID_LEN       12      /* first hex digits of the hash */
#define NGX_HTTP_AIOBS_KEY_RAW_MAX      512     /* bytes; longer: malformed */
#define NGX_HTTP_AIOBS_USER_ID_MAX      128
#define NGX_HTTP_AIOBS_KEY_NAME_MAX     64


typedef enum {
    NGX_HTTP_AIOBS_KEY_UNASKED = 0,
    NGX_HTTP_AIOBS_KEY_PENDING,         /* the store is asked */
    NGX_HTTP_AIOBS_KEY_VALID,
    NGX_HTTP_AIOBS_KEY_MISSING,
    NGX_HTTP_AIOBS_KEY_UNKNOWN,         /* malformed, or of nobody */
    NGX_HTTP_AIOBS_KEY_REVOKED,
    NGX_HTTP_AIOBS_KEY_EXPIRED,
    NGX_HTTP_AIOBS_KEY_STORE            /* could not be looked up */
} ngx_http_aiobs_key_verdict_e;


/* what a key may, in the pool of a request */

typedef struct {
    unsigned                       broken:1;    /* it may nothing */
    unsigned                       admin:1;
    unsigned                       may_act_for:1;
    unsigned                       limited:1;   /* some limit is set */
    int64_t                        limits[AIOBS_LIMIT_N];
    u_char                         account[AIOBS_KEY_HASH_LEN];
    ngx_str_t                      models;      /* globs: aiobs_key_allows() */
    ngx_str_t                      endpoints;
    ngx_str_t                      labels;      /* JSON, or empty */
} ngx_http_aiobs_policy_t;


/* of a key, under the secret of the table of keys */

typedef struct {
    uint64_t                       word[2];     /* 0, 0: none */
} ngx_http_aiobs_key_tag_t;


/* of one main request, in its pool; strings point to the arrays at the end */

typedef struct {
    ngx_http_aiobs_key_verdict_e   verdict;
    ngx_http_aiobs_policy_t       *policy;      /* NULL: it may all */
    u_char                         hash[AIOBS_KEY_HASH_LEN];
    ngx_uint_t                     fresh;       /* it is the first use */
    ngx_uint_t                     suspended;   /* still, whatever the verdict */
    ngx_str_t                      key_id;      /* hex; empty if no key came */
    ngx_str_t                      user_id;     /* set when VALID or REVOKED */
    ngx_str_t                      key_name;
    u_char                         key_id_data[NGX_HTTP_AIOBS_KEY_ID_LEN];
    ngx_http_aiobs_key_tag_t       tag;         /* while PENDING */
    u_char                         user_id_data[NGX_HTTP_AIOBS_USER_ID_MAX];
    u_char                         key_name_data[NGX_HTTP_AIOBS_KEY_NAME_MAX];
} ngx_http_aiobs_identity_t;


typedef struct ngx_http_aiobs_keys_s  ngx_http_aiobs_keys_t;    /* shared */


/* permissions that are asked for; mode: (mode_t) -1, group: (gid_t) -1: none */

typedef struct {
    mode_t                         mode;
    gid_t                          group;
    ngx_str_t                      group_name;
} ngx_http_aiobs_store_access_t;


/*
 * The path of aiobs_key_store, absolute and terminated.  Opens the store,
 * checks and migrates its schema and closes it again: the master keeps no
 * handle over fork.  Gives the file the permissions that are asked for, and
 * checks that the worker's user can read and write it and its directory.
 * NGX_CONF_ERROR is logged with the path and the reason.
 */
char *ngx_http_aiobs_keys_check_store(ngx_conf_t *cf, ngx_str_t *store,
    ngx_http_aiobs_store_access_t *access);

/* in the master at zone initialisation; NULL: the zone is too small, logged */
ngx_http_aiobs_keys_t *ngx_http_aiobs_keys_create(ngx_slab_pool_t *shpool,
    ngx_uint_t keys, ngx_log_t *log);
size_t ngx_http_aiobs_keys_size(ngx_uint_t keys);

/*
 * In every worker: opens nothing yet on the event loop, starts the timer that
 * follows changes of the store (one worker) and writes last_used back.
 */
ngx_int_t ngx_http_aiobs_keys_init_process(ngx_http_aiobs_keys_t *keys,
    ngx_slab_pool_t *shpool, ngx_str_t *store, ngx_thread_pool_t *pool,
    ngx_cycle_t *cycle);
void ngx_http_aiobs_keys_exit_process(ngx_cycle_t *cycle);

/* soon: what was taken and spent in this process; it is saved anyway */
void ngx_http_aiobs_keys_save(void);

/*
 * Whose key is raw?  identity: in r->pool, verdict UNASKED.  NGX_OK: the
 * verdict stands.  NGX_AGAIN: verdict PENDING, the store is asked in a thread;
 * the request is suspended here (r->main->blocked, r->aio) and its phases run
 * again when the verdict stands.  Called from the preaccess phase of a main
 * request only.
 */
ngx_int_t ngx_http_aiobs_keys_identify(ngx_http_request_t *r, ngx_str_t *raw,
    ngx_http_aiobs_identity_t *identity);

/* an event for key_events, now and then: a request was refused by its key */
void ngx_http_aiobs_keys_refused(ngx_http_aiobs_identity_t *identity,
    ngx_str_t *request_id);

/*
 * There is something of a key to be saved: this worker, when it is to exit,
 * does so after that.
 */
void ngx_http_aiobs_keys_owe(void);

/* a request goes on, or ends: it was suspended by blocked and aio */
void ngx_http_aiobs_keys_resume(ngx_http_request_t *r);

/*
 * Whether the client has left, as far as its connection tells.  Who has closed
 * only his half of it is taken for one who has, as nginx does.
 */
ngx_uint_t ngx_http_aiobs_keys_left(ngx_http_request_t *r);

/* what another room does with the store; its own until done is called */

typedef struct ngx_http_aiobs_keys_work_s  ngx_http_aiobs_keys_work_t;

struct ngx_http_aiobs_keys_work_s {
    /* in the thread that has the store; returns a code of aiobs_store.h */
    int                          (*run)(aiobs_store_t *store, void *data);

    /*
     * In the event loop, while it waits for the thread: whether it is needed no
     * more, after which done is called without run.  NULL: it always is.
     */
    ngx_uint_t                   (*left)(ngx_http_aiobs_keys_work_t *work);

    /* in the event loop; not called when the worker is made to stop at once */
    void                         (*done)(ngx_http_aiobs_keys_work_t *work);
    void                          *data;
    int                            patience;    /* msec; 0: as others have */

    int                            rc;          /* run's, or why it did not run */
    char                           error[256];  /* "" when rc is OK */

    ngx_http_aiobs_keys_work_t    *next;
};

/* how many wait is bounded by whoever calls this */
void ngx_http_aiobs_keys_work(ngx_http_aiobs_keys_work_t *work);

/* the verdict as label value: valid, missing_key, unknown_key, revoked, ... */
ngx_str_t *ngx_http_aiobs_keys_verdict_name(ngx_http_aiobs_key_verdict_e v);


/* --- src/keys/ngx_http_aiobs_random.c --- */

#define NGX_HTTP_AIOBS_RANDOM  4096

typedef struct {
    size_t                      left;           /* the first bytes */
    ngx_pid_t                   pid;
    u_char                      bytes[NGX_HTTP_AIOBS_RANDOM];
} ngx_http_aiobs_random_t;

extern ngx_http_aiobs_random_t  ngx_http_aiobs_random_kept;

void ngx_http_aiobs_random_refill(void);

/*
 * Up to 16 bytes, an id, from a buffer of this process that OpenSSL refills;
 * never repeats over fork.  Longer ones are secrets, as below.
 */
void ngx_http_aiobs_random(u_char *p, size_t len);

/* from OpenSSL each time: of any length, and kept by nobody else */
void ngx_http_aiobs_random_secret(u_char *p, size_t len);


/* from the buffer: ids, no secrets; len: at most 64 */

static ngx_inline void
ngx_http_aiobs_random_id(u_char *p, size_t len)
{
    u_char                   *from;
    ngx_http_aiobs_random_t  *kept;

    kept = &ngx_http_aiobs_random_kept;

    /* ngx_pid is set after each fork */

    if (kept->left < len || kept->pid != ngx_pid) {
        ngx_http_aiobs_random_refill();
    }

    kept->left -= len;
    from = kept->bytes + kept->left;

    ngx_memcpy(p, from, len);

    /* what was given out is not kept */

    ngx_memzero(from, len);
}


#endif /* _NGX_HTTP_AIOBS_KEYS_H_INCLUDED_ */
