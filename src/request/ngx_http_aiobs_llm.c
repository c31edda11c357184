
/*
 * Copyright (C) the aiobs authors
 *
 * Calls of models: which API is spoken, and every byte of the bodies shown to
 * the usage room on its way.
 */


#include "ngx_http_aiobs_body.h"


/* a path without a model in it, and what it says */

#define NGX_HTTP_AIOBS_PATHS     64         /* per worker */
#define NGX_HTTP_AIOBS_PATH_MAX  64         /* bytes */

typedef struct {
    ngx_uint_t          dialect;
    ngx_uint_t          method;
    const aiobs_api_t  *api;
    size_t              len;                /* 0: none */
    u_char              path[NGX_HTTP_AIOBS_PATH_MAX];
} ngx_http_aiobs_known_path_t;


static void ngx_http_aiobs_llm_type(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_str_t *type);
static void ngx_http_aiobs_llm_path(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_llm_request_piece(ngx_http_aiobs_ctx_t *ctx,
    u_char *p, size_t len);
static void *ngx_http_aiobs_llm_reader(ngx_http_request_t *r, void **kept,
    size_t size);
static ngx_uint_t ngx_http_aiobs_llm_reads(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static aiobs_forms_t *ngx_http_aiobs_llm_forms(void);
static ngx_uint_t ngx_http_aiobs_llm_live(ngx_http_request_t *r);


/* of this process: what its readers know of documents */

static aiobs_forms_t  *ngx_http_aiobs_forms;


void
ngx_http_aiobs_llm_arrive(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_loc_conf_t *lcf)
{
    if (lcf->llm == AIOBS_DIALECT_OFF || ctx->llm == lcf) {
        return;
    }

    ctx->llm = lcf;
    ngx_http_aiobs_llm_path(r, ctx);

    if (ctx->reader == NULL && !ctx->asked_done
        && (aiobs_api_countable(ctx->api) || aiobs_api_by_body(ctx->api)))
    {
        ctx->reader = ngx_http_aiobs_llm_reader(r, &ctx->readers[0],
                                                aiobs_request_size());
        if (ctx->reader) {
            aiobs_request_init(ctx->reader, ctx->api);

            if (r->headers_in.content_type) {
                ngx_http_aiobs_llm_type(r, ctx,
                                        &r->headers_in.content_type->value);
            }

            aiobs_request_forms(ctx->reader, ngx_http_aiobs_llm_forms());

            if (r->request_body && ngx_http_aiobs_body_whole(r)) {

                /* another module, or another location, was first */

                ngx_http_aiobs_body_again(r, ctx,
                                          ngx_http_aiobs_llm_request_piece);
            }
        }
    }

    if (ctx->llm_gauge == NULL && aiobs_api_countable(ctx->api)) {
        ngx_http_aiobs_count_call_up(ctx);
    }
}


static void
ngx_http_aiobs_llm_request_piece(ngx_http_aiobs_ctx_t *ctx, u_char *p,
    size_t len)
{
    if (len) {
        aiobs_request_feed(ctx->reader, p, len);
    }
}


static void
ngx_http_aiobs_llm_type(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *type)
{
    void    *room;
    size_t   size;

    size = aiobs_request_room((char *) type->data, type->len);
    room = size ? ngx_palloc(r->pool, size) : NULL;

    aiobs_request_type(ctx->reader, (char *) type->data, type->len, room);
}


/* what the path says: most are that of a request before */

static void
ngx_http_aiobs_llm_path(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    size_t                        len;
    u_char                        model[AIOBS_MODEL_MAX];
    ngx_http_aiobs_known_path_t  *known;

    static ngx_http_aiobs_known_path_t  paths[NGX_HTTP_AIOBS_PATHS];

    ctx->path_model.len = 0;

    known = &paths[(r->uri.len + ctx->llm->llm) % NGX_HTTP_AIOBS_PATHS];

    if (known->len == r->uri.len && known->dialect == ctx->llm->llm
        && known->method == r->method
        && ngx_memcmp(known->path, r->uri.data, r->uri.len) == 0)
    {
        ctx->api = known->api;
        return;
    }

    ctx->api = aiobs_api_find(ctx->llm->llm, (char *) r->method_name.data,
                              r->method_name.len, (char *) r->uri.data,
                              r->uri.len);

    len = aiobs_api_path_model(ctx->api, (char *) r->uri.data, r->uri.len,
                               (char *) model);
    if (len) {
        ctx->path_model.data = ngx_pnalloc(r->pool, len);

        if (ctx->path_model.data) {
            ctx->path_model.len = len;
            ngx_memcpy(ctx->path_model.data, model, len);
        }

    } else if (r->method != NGX_HTTP_UNKNOWN
               && r->uri.len <= NGX_HTTP_AIOBS_PATH_MAX)
    {
        known->dialect = ctx->llm->llm;
        known->method = r->method;
        known->api = ctx->api;
        known->len = r->uri.len;
        ngx_memcpy(known->path, r->uri.data, r->uri.len);
    }
}


/* of this context: the one that a request before had, or a new one */

static void *
ngx_http_aiobs_llm_reader(ngx_http_request_t *r, void **kept, size_t size)
{
    if (*kept == NULL) {
        *kept = ngx_alloc(size, r->connection->log);
    }

    return *kept;
}


/* without memory for them documents are read one by one */

static aiobs_forms_t *
ngx_http_aiobs_llm_forms(void)
{
    if (ngx_http_aiobs_forms == NULL) {
        ngx_http_aiobs_forms = aiobs_forms_create();
    }

    return ngx_http_aiobs_forms;
}


void
ngx_http_aiobs_llm_exit_process(void)
{
    aiobs_forms_destroy(ngx_http_aiobs_forms);
    ngx_http_aiobs_forms = NULL;
}


void
ngx_http_aiobs_llm_request_body(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_chain_t *in)
{
    ngx_buf_t   *b;
    ngx_uint_t   last;

    last = 0;

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;
        last |= b->last_buf;

        if (!ngx_buf_in_memory(b) || b->last == b->pos) {
            continue;
        }

        if (ctx->reader && !ctx->asked_done) {
            aiobs_request_feed(ctx->reader, b->pos, b->last - b->pos);
        }

        ngx_http_aiobs_stream_request(ctx, b->pos, b->last - b->pos);
    }

    if (last && ctx->flight && ctx->reader) {
        (void) ngx_http_aiobs_llm_asked(ctx);
        ngx_http_aiobs_flight_update(r->main, ctx, 0);
    }
}


aiobs_request_record_t *
ngx_http_aiobs_llm_asked(ngx_http_aiobs_ctx_t *ctx)
{
    if (ctx->asked_done) {
        return &ctx->asked;
    }

    ctx->asked_done = 1;

    if (ctx->reader) {
        aiobs_request_finish(ctx->reader, &ctx->asked);
    }

    return &ctx->asked;
}


void
ngx_http_aiobs_not_asked(aiobs_request_record_t *rec)
{
    ngx_memzero(rec, sizeof(aiobs_request_record_t));

    rec->stream = -1;
    rec->include_usage = -1;
    rec->background = -1;
    rec->max_tokens = AIOBS_ABSENT;
    rec->text_tokens = AIOBS_ABSENT;
}


void
ngx_http_aiobs_llm_header(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t  reads;

    ctx->last_buf = 0;
    ctx->late = 0;
    ctx->answer_read = 0;
    ctx->passing = NGX_HTTP_AIOBS_PASSING;
    ctx->upstream_header = ngx_http_aiobs_llm_live(r);

    reads = ngx_http_aiobs_llm_reads(r, ctx);
    ctx->rest = r->headers_out.content_length_n;

    ngx_http_aiobs_answered(r, ctx, reads ? ctx->usage : NULL);

    if (reads) {
        r->filter_need_in_memory = 1;
        ngx_http_aiobs_passing_header(r, ctx);
    }

    /* what is in the cache had been asked for usage as well */

    if (ctx->stream && (reads || ngx_http_aiobs_cached(r))) {
        ngx_http_aiobs_stream_header(r, ctx);
    }
}


/* whether the answer is that of a call, and there is a reader for it */

static ngx_uint_t
ngx_http_aiobs_llm_reads(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    if (ctx->llm == NULL || !ctx->upstream_header || r->header_only
        || ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module) != ctx->llm
        || ngx_http_aiobs_cached(r)
        || !(aiobs_api_countable(ctx->api) || aiobs_api_fetches(ctx->api)
             || aiobs_api_by_body(ctx->api)))
    {
        return 0;
    }

    if (ctx->usage == NULL) {
        ctx->usage = ngx_http_aiobs_llm_reader(r, &ctx->readers[1],
                                               aiobs_usage_size());
        if (ctx->usage == NULL) {
            return 0;
        }

    } else {
        aiobs_usage_release(ctx->usage);    /* of another upstream, before */
    }

    aiobs_usage_init(ctx->usage, ctx->api, r->headers_out.status);
    aiobs_usage_forms(ctx->usage, ngx_http_aiobs_llm_forms());

    aiobs_usage_header(ctx->usage, "content-type", sizeof("content-type") - 1,
                       (char *) r->headers_out.content_type.data,
                       r->headers_out.content_type.len);

    return 1;
}


void
ngx_http_aiobs_llm_body(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_chain_t *in)
{
    ngx_buf_t      *b;
    aiobs_usage_t  *usage;

    usage = ctx->last_buf || ctx->answer_read ? NULL : ctx->usage;

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;

        if (usage && b->last > b->pos && ngx_buf_in_memory(b)) {
            aiobs_usage_feed(usage, b->pos, b->last - b->pos,
                             ngx_current_msec);
            ctx->rest -= b->last - b->pos;
            ctx->late |= r->connection->error;
        }

        ctx->last_buf |= b->last_buf;

        if (usage && (ctx->last_buf || ctx->rest == 0)) {
            ngx_http_aiobs_answer_whole(r, ctx);
            usage = NULL;
        }
    }

    if (ctx->passing && !ctx->last_buf) {
        ngx_http_aiobs_passing_body(r, ctx);
    }
}


/*
 * Whether this header is the upstream's: not a page of ours after a failure,
 * and not from a cache.  nginx forgets u->cleanup in both cases.
 */

static ngx_uint_t
ngx_http_aiobs_llm_live(ngx_http_request_t *r)
{
    return r->upstream != NULL && r->upstream->cleanup != NULL
           && r->upstream->headers_in.status_n != 0;
}
