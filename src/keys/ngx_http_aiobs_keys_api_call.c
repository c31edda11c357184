
/*
 * Copyright (C) the aiobs authors
 *
 * The keys API: the thread that has the store is asked, and asked again where
 * somebody has locked it.
 */


#include "ngx_http_aiobs_keys_api.h"


/*
 * Who meets a lock comes again, until so long after the first time, and is
 * patient but briefly: others wait for the thread.  Milliseconds.
 */
#define NGX_HTTP_AIOBS_KEYS_WAIT      5000
#define NGX_HTTP_AIOBS_KEYS_PAUSE     100
#define NGX_HTTP_AIOBS_KEYS_PATIENCE  200

#define NGX_HTTP_AIOBS_KEYS_LEFT                                              \
    "The client left before the key store was asked."


#define ngx_http_aiobs_keys_call_of(work)                                     \
    ((ngx_http_aiobs_keys_call_t *)                                           \
         ((u_char *) (work) - offsetof(ngx_http_aiobs_keys_call_t, work)))


static ngx_uint_t ngx_http_aiobs_keys_call_left(
    ngx_http_aiobs_keys_work_t *work);
static void ngx_http_aiobs_keys_call_done(ngx_http_aiobs_keys_work_t *work);
static ngx_uint_t ngx_http_aiobs_keys_call_locked(
    ngx_http_aiobs_keys_call_t *call);
static void ngx_http_aiobs_keys_call_again(ngx_event_t *ev);
static void ngx_http_aiobs_keys_call_event(ngx_http_request_t *r);


ngx_uint_t  ngx_http_aiobs_keys_calls;


void
ngx_http_aiobs_keys_call_start(ngx_http_request_t *r)
{
    ngx_http_aiobs_ctx_t        *ctx;
    ngx_http_aiobs_keys_call_t  *call;

    ctx = ngx_http_aiobs_get_ctx(r);
    call = ctx->keys_call;

    if (ngx_http_aiobs_keys_call_left(&call->work)) {
        aiobs_keys_api_problem(&call->api, NGX_HTTP_SERVICE_UNAVAILABLE,
                               NGX_HTTP_AIOBS_KEYS_LEFT);
        ngx_http_finalize_request(r, ngx_http_aiobs_keys_api_answer(r, ctx,
                                              &call->api));
        return;
    }

    call->work.run = aiobs_keys_api_run;
    call->work.left = ngx_http_aiobs_keys_call_left;
    call->work.done = ngx_http_aiobs_keys_call_done;
    call->work.data = &call->api;
    call->work.patience = NGX_HTTP_AIOBS_KEYS_PATIENCE;

    call->again.handler = ngx_http_aiobs_keys_call_again;
    call->again.data = call;
    call->again.log = r->connection->log;
    call->since = ngx_current_msec;

    r->write_event_handler = ngx_http_aiobs_keys_call_event;

    r->main->blocked++;
    r->aio = 1;

    ngx_http_aiobs_keys_calls++;
    ngx_http_aiobs_keys_work(&call->work);
}


/* who has left would not get the key that is made */

static ngx_uint_t
ngx_http_aiobs_keys_call_left(ngx_http_aiobs_keys_work_t *work)
{
    ngx_http_aiobs_keys_call_t  *call;

    call = ngx_http_aiobs_keys_call_of(work);

    call->left = aiobs_keys_api_makes(&call->api)
                 && ngx_http_aiobs_keys_left(call->request);

    return call->left;
}


static void
ngx_http_aiobs_keys_call_done(ngx_http_aiobs_keys_work_t *work)
{
    aiobs_keys_api_t            *api;
    ngx_http_aiobs_keys_call_t  *call;

    api = work->data;
    call = ngx_http_aiobs_keys_call_of(work);

    if (ngx_http_aiobs_keys_call_locked(call)) {
        aiobs_keys_api_free(api);
        api->status = 0;
        ngx_add_timer(&call->again, NGX_HTTP_AIOBS_KEYS_PAUSE);
        return;
    }

    ngx_http_aiobs_keys_calls--;
    call->done = 1;

    if (call->left) {
        aiobs_keys_api_problem(api, NGX_HTTP_SERVICE_UNAVAILABLE,
                               NGX_HTTP_AIOBS_KEYS_LEFT);

    } else if (work->rc != AIOBS_STORE_OK && api->event) {
        ngx_log_error(NGX_LOG_ERR, call->request->connection->log, 0,
                      "aiobs: keys API: the key was changed, but cannot be "
                      "read: %s", work->error);

    } else if (work->rc != AIOBS_STORE_OK || api->status == 0) {
        ngx_log_error(NGX_LOG_ERR, call->request->connection->log, 0,
                      "aiobs: keys API: the key store failed: %s",
                      work->error);
        aiobs_keys_api_problem(api, NGX_HTTP_SERVICE_UNAVAILABLE,
                               "The key store cannot be used right now; try "
                               "again later.");
    }

    ngx_http_aiobs_keys_resume(call->request);
}


/*
 * Nothing was done, and it is worth while to come again: not for who has left,
 * and would not get the key that is made.
 */

static ngx_uint_t
ngx_http_aiobs_keys_call_locked(ngx_http_aiobs_keys_call_t *call)
{
    return !call->left && !ngx_http_aiobs_keys_left(call->request)
           && call->work.rc == AIOBS_STORE_BUSY && call->api.event == NULL
           && ngx_current_msec - call->since < NGX_HTTP_AIOBS_KEYS_WAIT;
}


static void
ngx_http_aiobs_keys_call_again(ngx_event_t *ev)
{
    ngx_http_aiobs_keys_call_t *call = ev->data;

    if (ngx_http_aiobs_keys_call_locked(call)) {
        ngx_http_aiobs_keys_work(&call->work);

    } else {
        ngx_http_aiobs_keys_call_done(&call->work);
    }
}


/* the client's connection may have events meanwhile, too */

static void
ngx_http_aiobs_keys_call_event(ngx_http_request_t *r)
{
    ngx_http_aiobs_ctx_t  *ctx;

    ctx = ngx_http_aiobs_get_ctx(r);

    if (!ctx->keys_call->done) {
        return;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_finalize_request(r, ngx_http_aiobs_keys_api_answer(r, ctx,
                                              &ctx->keys_call->api));
}
