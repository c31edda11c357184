
/*
 * Copyright (C) the aiobs authors
 *
 * Accounts of limits that were opened while the store was away.  Whether their
 * keys are used again or not: once it answers it is asked what it had of them,
 * so that what was taken since can be saved.
 */


#include "ngx_http_aiobs_key_worker.h"
#include "../limits/ngx_http_aiobs_limits.h"


#define NGX_HTTP_AIOBS_KEY_UNREAD  64       /* at once */


typedef struct {
    ngx_uint_t      n;
    u_char          accounts[NGX_HTTP_AIOBS_KEY_UNREAD][AIOBS_KEY_HASH_LEN];
    aiobs_window_t  windows[NGX_HTTP_AIOBS_KEY_UNREAD][AIOBS_WINDOW_N];
} ngx_http_aiobs_key_unread_t;


static int ngx_http_aiobs_key_unread_run(aiobs_store_t *store, void *data);
static void ngx_http_aiobs_key_unread_done(ngx_http_aiobs_keys_work_t *work);


/* of this process, its own while it is with the thread */

static ngx_http_aiobs_key_unread_t  ngx_http_aiobs_key_unreads;

static ngx_http_aiobs_keys_work_t   ngx_http_aiobs_key_unread_work = {
    .run = ngx_http_aiobs_key_unread_run,
    .done = ngx_http_aiobs_key_unread_done,
    .data = &ngx_http_aiobs_key_unreads
};


void
ngx_http_aiobs_key_unread(ngx_http_aiobs_key_worker_t *w)
{
    ngx_http_aiobs_key_unread_t  *u;

    u = &ngx_http_aiobs_key_unreads;

    if (w->failed || u->n || !ngx_http_aiobs_key_ours(w)) {
        return;
    }

    u->n = ngx_http_aiobs_limits_unread(u->accounts,
                                        NGX_HTTP_AIOBS_KEY_UNREAD);
    if (u->n) {
        ngx_http_aiobs_keys_work(&ngx_http_aiobs_key_unread_work);
    }
}


/* in the thread */

static int
ngx_http_aiobs_key_unread_run(aiobs_store_t *store, void *data)
{
    ngx_http_aiobs_key_unread_t *u = data;

    int         rc;
    ngx_uint_t  i;

    rc = AIOBS_STORE_OK;

    for (i = 0; i < u->n && rc == AIOBS_STORE_OK; i++) {
        rc = aiobs_store_account(store, u->accounts[i], u->windows[i]);
    }

    return rc;
}


static void
ngx_http_aiobs_key_unread_done(ngx_http_aiobs_keys_work_t *work)
{
    ngx_uint_t                    i;
    ngx_http_aiobs_key_unread_t  *u;

    u = work->data;

    for (i = 0; work->rc == AIOBS_STORE_OK && i < u->n; i++) {
        ngx_http_aiobs_limits_read(u->accounts[i], u->windows[i],
                                   ngx_http_aiobs_key_worker->moves);
    }

    u->n = 0;
}
