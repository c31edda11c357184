
/*
 * Copyright (C) the aiobs authors
 *
 * The keys API: a location whose requests are answered by the thread that has
 * the store.
 */


#include "../request/ngx_http_aiobs_request.h"
#include "ngx_http_aiobs_keys_api.h"


#define NGX_HTTP_AIOBS_KEYS_CALLS  32   /* of a worker, at most */

/*
 * Who meets a lock comes again, until so long after the first time, and is
 * patient but briefly: others wait for the thread.  Milliseconds.
 */
#define NGX_HTTP_AIOBS_KEYS_WAIT      5000
#define NGX_HTTP_AIOBS_KEYS_PAUSE     100
#define NGX_HTTP_AIOBS_KEYS_PATIENCE  200

#define NGX_HTTP_AIOBS_KEYS_LEFT                                              \
    "The client left before the key store was asked."


struct ngx_http_aiobs_keys_call_s {
    ngx_http_request_t           *request;
    ngx_http_aiobs_keys_work_t    work;
    ngx_event_t                   again;
    ngx_msec_t                    since;
    aiobs_keys_api_t              api;
    char                          caller[AIOBS_KEY_HEX_LEN + 1];
    unsigned                      done:1;
    unsigned                      left:1;       /* nothing was asked */
};


#define ngx_http_aiobs_keys_call_of(work)                                     \
    ((ngx_http_aiobs_keys_call_t *)                                           \
         ((u_char *) (work) - offsetof(ngx_http_aiobs_keys_call_t, work)))


static const char *ngx_http_aiobs_keys_call_refused(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_uint_t *status);
static ngx_int_t ngx_http_aiobs_keys_call_make(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static ngx_int_t ngx_http_aiobs_keys_call_texts(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static char *ngx_http_aiobs_keys_call_text(ngx_http_request_t *r,
    ngx_str_t *s);
static ngx_int_t ngx_http_aiobs_keys_call_path(ngx_http_request_t *r,
    ngx_http_aiobs_keys_call_t *call);
static ngx_uint_t ngx_http_aiobs_keys_call_has_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_keys_call_refuse(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_uint_t status, const char *detail);
static void ngx_http_aiobs_keys_call_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_keys_call_take(ngx_http_request_t *r,
    aiobs_keys_api_t *api);
static ngx_uint_t ngx_http_aiobs_keys_call_unmet(ngx_http_request_t *r);
static void ngx_http_aiobs_keys_call_start(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aiobs_keys_call_left(
    ngx_http_aiobs_keys_work_t *work);
static void ngx_http_aiobs_keys_call_done(ngx_http_aiobs_keys_work_t *work);
static ngx_uint_t ngx_http_aiobs_keys_call_locked(
    ngx_http_aiobs_keys_call_t *call);
static void ngx_http_aiobs_keys_call_again(ngx_event_t *ev);
static void ngx_http_aiobs_keys_call_event(ngx_http_request_t *r);
static void ngx_http_aiobs_keys_call_cleanup(void *data);


static ngx_uint_t  ngx_http_aiobs_keys_calls;


ngx_int_t
ngx_http_aiobs_keys_api_content(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_uint_t             status;
    const char            *detail;
    ngx_http_aiobs_ctx_t  *ctx;

    ctx = ngx_http_aiobs_active_ctx(r);

    if (r != r->main || ctx == NULL) {
        return NGX_HTTP_FORBIDDEN;
    }

    if (ngx_http_aiobs_keys_call_make(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    detail = ngx_http_aiobs_keys_call_refused(r, ctx, &status);

    if (detail) {
        return ngx_http_aiobs_keys_call_refuse(r, ctx, status, detail);
    }

    if (ngx_http_aiobs_keys_call_texts(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_aiobs_keys_call_has_body(r)) {
        r->request_body_in_single_buf = 1;

        rc = ngx_http_read_client_request_body(r,
                                               ngx_http_aiobs_keys_call_body);

        return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    r->main->count++;
    ngx_http_aiobs_keys_call_start(r);

    return NGX_DONE;
}


/* NULL: it may go on; else why not */

static const char *
ngx_http_aiobs_keys_call_refused(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_uint_t *status)
{
    ngx_http_aiobs_loc_conf_t  *lcf;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    *status = NGX_HTTP_FORBIDDEN;

    if (!lcf->keys_api_remote && !ngx_http_aiobs_loopback(r)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "aiobs: keys asked for from another machine; "
                      "\"aiobs_keys_api remote;\" allows it");

        return "The keys API is not open to other machines.";
    }

    /* "satisfy any" may have let it in by other means */

    if (ctx->identity == NULL
        || ctx->identity->verdict != NGX_HTTP_AIOBS_KEY_VALID)
    {
        return "The keys API needs an admin key.";
    }

    if (ngx_http_aiobs_keys_calls == NGX_HTTP_AIOBS_KEYS_CALLS) {
        *status = NGX_HTTP_SERVICE_UNAVAILABLE;
        return "Too many requests wait for the key store.";
    }

    if (r->headers_in.content_length_n > AIOBS_KEYS_API_BODY) {
        *status = NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        return "The body is larger than 16 kB.";
    }

    if (ngx_http_aiobs_keys_call_unmet(r)) {
        *status = NGX_HTTP_PRECONDITION_FAILED;
        return "Keys have no ETag that a request could depend on; nothing was"
               " done.";
    }

    return NULL;
}


/* what asks for something that is so or not (RFC 9110, section 13) */

static ngx_uint_t
ngx_http_aiobs_keys_call_unmet(ngx_http_request_t *r)
{
    ngx_table_elt_t  *match, *none;

    match = r->headers_in.if_match;
    none = r->headers_in.if_none_match;

    if (match && (match->value.len != 1 || match->value.data[0] != '*')) {
        return 1;
    }

    return none && none->value.len == 1 && none->value.data[0] == '*'
           && !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD));
}


static ngx_int_t
ngx_http_aiobs_keys_call_make(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_aiobs_keys_call_t  *call;

    if (ctx->keys_call) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_aiobs_keys_call_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    call = cln->data;
    ngx_memzero(call, sizeof(ngx_http_aiobs_keys_call_t));

    cln->handler = ngx_http_aiobs_keys_call_cleanup;

    call->request = r;
    ctx->keys_call = call;

    call->api.request_id = ngx_http_aiobs_keys_call_text(r, &ctx->request_id);

    return call->api.request_id ? NGX_OK : NGX_ERROR;
}


/* what the thread needs, in memory that nobody else writes */

static ngx_int_t
ngx_http_aiobs_keys_call_texts(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    aiobs_keys_api_t            *api;
    ngx_str_t                    type;
    ngx_http_aiobs_keys_call_t  *call;

    call = ctx->keys_call;
    api = &call->api;

    ngx_str_null(&type);

    if (r->headers_in.content_type) {
        type = r->headers_in.content_type->value;
    }

    api->method = ngx_http_aiobs_keys_call_text(r, &r->method_name);
    api->args = ngx_http_aiobs_keys_call_text(r, &r->args);
    api->type = ngx_http_aiobs_keys_call_text(r, &type);
    api->body = "";
    api->caller = call->caller;

    if (api->method == NULL || api->args == NULL || api->type == NULL
        || ngx_http_aiobs_keys_call_path(r, call) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return aiobs_key_hash_hex((char *) ctx->key.data, ctx->key.len,
                              call->caller)
           == 0 ? NGX_OK : NGX_ERROR;
}


static char *
ngx_http_aiobs_keys_call_text(ngx_http_request_t *r, ngx_str_t *s)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, s->len + 1);

    if (p) {
        ngx_cpystrn(p, s->data, s->len + 1);
    }

    return (char *) p;
}


/* behind the location's prefix; what begins alike is no key */

static ngx_int_t
ngx_http_aiobs_keys_call_path(ngx_http_request_t *r,
    ngx_http_aiobs_keys_call_t *call)
{
    size_t                     len;
    ngx_str_t                  path;
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    len = ngx_min(clcf->name.len, r->uri.len);

    if (len && r->uri.data[len - 1] == '/') {
        len--;
    }

    path.data = r->uri.data + len;
    path.len = r->uri.len - len;

    if (path.len && path.data[0] != '/') {
        ngx_str_set(&path, "/none");
    }

    call->api.path = ngx_http_aiobs_keys_call_text(r, &path);

    return call->api.path ? NGX_OK : NGX_ERROR;
}


static ngx_uint_t
ngx_http_aiobs_keys_call_has_body(ngx_http_request_t *r)
{
    return (r->method == NGX_HTTP_POST || r->method == NGX_HTTP_PATCH)
           && (r->headers_in.content_length_n > 0 || r->headers_in.chunked
#if (NGX_HTTP_V2)
               || (r->stream && r->headers_in.content_length_n == -1)
#endif
              );
}


static ngx_int_t
ngx_http_aiobs_keys_call_refuse(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_uint_t status, const char *detail)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    aiobs_keys_api_problem(&ctx->keys_call->api, status, detail);

    return ngx_http_aiobs_keys_api_answer(r, ctx,
                                              &ctx->keys_call->api);
}


static void
ngx_http_aiobs_keys_call_body(ngx_http_request_t *r)
{
    ngx_int_t              rc;
    ngx_http_aiobs_ctx_t  *ctx;

    ctx = ngx_http_aiobs_get_ctx(r);

    rc = ngx_http_aiobs_keys_call_take(r, &ctx->keys_call->api);

    if (rc == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    if (rc != NGX_OK) {
        aiobs_keys_api_problem(&ctx->keys_call->api,
                               NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                               "The body is larger than 16 kB.");
        ngx_http_finalize_request(r, ngx_http_aiobs_keys_api_answer(r, ctx,
                                              &ctx->keys_call->api));
        return;
    }

    ngx_http_aiobs_keys_call_start(r);
}


/* a small "client_body_buffer_size" leaves it in a file */

static ngx_int_t
ngx_http_aiobs_keys_call_take(ngx_http_request_t *r, aiobs_keys_api_t *api)
{
    off_t         len;
    u_char       *p;
    size_t        size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);
    }

    if (len > AIOBS_KEYS_API_BODY) {
        return NGX_DECLINED;
    }

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    api->body = (char *) p;
    api->body_len = len;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;
        size = ngx_buf_size(b);

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, size);

        } else if (size) {

            if (ngx_read_file(b->file, p, size, b->file_pos)
                != (ssize_t) size)
            {
                return NGX_ERROR;
            }

            p += size;
        }
    }

    return NGX_OK;
}


static void
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


/* the answer may have a key in it, and the client be slow to read it */

static void
ngx_http_aiobs_keys_call_cleanup(void *data)
{
    ngx_http_aiobs_keys_call_t *call = data;

    aiobs_keys_api_free(&call->api);
}
