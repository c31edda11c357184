
/*
 * Copyright (C) the aiobs authors
 *
 * What an answer has said: its record, and of answers that are made in the
 * background who is to have their figures.
 */


#include "ngx_http_aiobs_request.h"


static void ngx_http_aiobs_answer_record(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_uint_t complete);
static void ngx_http_aiobs_answer_background(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_answer_speech(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static ngx_uint_t ngx_http_aiobs_answer_fetched(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, aiobs_usage_record_t *rec);


void
ngx_http_aiobs_answer_read(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    if (!ctx->answer_read) {
        ngx_http_aiobs_answer_record(r, ctx, ctx->last_buf);
    }
}


/*
 * Whoever has it can ask for what was ordered at once, and another worker may
 * be quicker than the end of this request is here, or its last buffer: of an
 * answer that tells its length that one comes behind all bytes.
 */

void
ngx_http_aiobs_answer_whole(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    if (ctx->llm == NULL || aiobs_api_by_body(ctx->api)
        || !aiobs_api_countable(ctx->api))
    {
        return;
    }

    if (aiobs_usage_has_status(ctx->usage)
        || ngx_http_aiobs_llm_asked(ctx)->background == 1)
    {
        ngx_http_aiobs_answer_record(r, ctx, 1);
    }
}


static void
ngx_http_aiobs_answer_record(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_uint_t complete)
{
    ctx->answer_read = 1;

    aiobs_usage_finish(ctx->usage, complete,
                       ngx_http_aiobs_llm_asked(ctx)->text_tokens,
                       &ctx->answer);

    ngx_http_aiobs_answer_speech(r, ctx);
    ngx_http_aiobs_answer_background(r, ctx);
}


/* a path that says nothing: it was a call if the answer is that of a model */

void
ngx_http_aiobs_answer_recognise(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    const aiobs_api_t  *api;

    if (ctx->usage == NULL) {
        return;
    }

    aiobs_usage_finish(ctx->usage, ctx->last_buf, ctx->asked.text_tokens,
                       &ctx->answer);

    api = aiobs_usage_api(ctx->usage);

    if (api == NULL) {
        ngx_http_aiobs_no_answer(&ctx->answer);
        return;
    }

    ctx->api = api;
    ctx->called = 1;

    ngx_http_aiobs_answer_background(r, ctx);
}


/* an answer that is made after this one: its figures come with it */

static void
ngx_http_aiobs_answer_background(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    aiobs_usage_record_t  *rec;

    rec = &ctx->answer;

    if (!rec->pending) {
        return;
    }

    if (ctx->asked.background != 1 && rec->stream) {
        rec->pending = 0;               /* it broke off, and is all there is */
        return;
    }

    rec->source = AIOBS_SOURCE_NONE;
    rec->input = AIOBS_ABSENT;
    rec->output = AIOBS_ABSENT;

    if (rec->id_len) {
        ngx_http_aiobs_background_add(r, rec->id, rec->id_len);
    }
}


/* speech without a report is billed by the characters of its text */

static void
ngx_http_aiobs_answer_speech(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    aiobs_usage_record_t  *rec;

    rec = &ctx->answer;

    if (rec->input == AIOBS_ABSENT && aiobs_api_speaks(ctx->api)
        && r->headers_out.status < NGX_HTTP_SPECIAL_RESPONSE
        && ctx->asked.characters > 0)
    {
        rec->units.characters_input = ctx->asked.characters;
    }
}


/* a look at an answer: the first when it is finished brings its figures */

ngx_uint_t
ngx_http_aiobs_answer_fetch(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    aiobs_usage_record_t  *rec;

    rec = &ctx->answer;

    aiobs_usage_finish(ctx->usage, ctx->last_buf, AIOBS_ABSENT, rec);

    if (r->headers_out.status == NGX_HTTP_OK && !rec->pending
        && (rec->source == AIOBS_SOURCE_REPORTED
            || (ctx->last_buf && !aiobs_api_ends(ctx->api)))
        && ngx_http_aiobs_answer_fetched(r, ctx, rec))
    {
        ctx->called = 1;
        ctx->fetched = 1;
        return 1;
    }

    ngx_http_aiobs_no_answer(rec);

    return 0;
}


/*
 * Whether it was ordered here: its id, or the one it was asked for by.  A
 * path is the client's, who could name what was not answered.
 */

static ngx_uint_t
ngx_http_aiobs_answer_fetched(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    aiobs_usage_record_t *rec)
{
    u_char  *p, *last;

    if (rec->id_len
        && ngx_http_aiobs_background_take(r, rec->id, rec->id_len))
    {
        return 1;
    }

    if (rec->id_len && !aiobs_api_renames(ctx->api)) {
        return 0;
    }

    last = r->uri.data + r->uri.len;

    if (r->uri.len && last[-1] == '/') {
        last--;
    }

    for (p = last; p > r->uri.data && p[-1] != '/'; p--) { /* void */ }

    return p < last && ngx_http_aiobs_background_take(r, (char *) p, last - p);
}


void
ngx_http_aiobs_no_answer(aiobs_usage_record_t *rec)
{
    size_t  len;

    /* of the texts only the lengths */

    len = offsetof(aiobs_usage_record_t, model);
    ngx_memzero(rec, len);

    rec->input = AIOBS_ABSENT;
    rec->output = AIOBS_ABSENT;
    rec->cache_read = AIOBS_ABSENT;
    rec->cache_write = AIOBS_ABSENT;
    rec->cache_write_1h = AIOBS_ABSENT;
    rec->reasoning = AIOBS_ABSENT;
    rec->audio_input = AIOBS_ABSENT;
    rec->audio_output = AIOBS_ABSENT;
    rec->cost_nanousd = AIOBS_ABSENT;
}
