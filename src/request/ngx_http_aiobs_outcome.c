
/*
 * Copyright (C) the aiobs authors
 *
 * The log phase: how the request ended, told once, and counted.
 */


#include "ngx_http_aiobs_counts.h"


/* a stream of HTTP/3 ends with its connection, without an error of its own */

#if (NGX_HTTP_V3)
#define ngx_http_aiobs_stream_gone(r)                                         \
    ((r)->connection->quic && (r)->connection->close)
#else
#define ngx_http_aiobs_stream_gone(r)  0
#endif


static const char *ngx_http_aiobs_call_error(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_uint_t attempts,
    ngx_http_upstream_state_t *last);
static ngx_uint_t ngx_http_aiobs_client_gone(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aiobs_client_done(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_price(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static const aiobs_price_t *ngx_http_aiobs_price_of(ngx_http_aiobs_ctx_t *ctx,
    aiobs_prices_t *prices);
static ngx_uint_t ngx_http_aiobs_units(aiobs_usage_record_t *rec);


void
ngx_http_aiobs_finish(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t                  attempts;
    ngx_http_upstream_state_t  *last;

    if (ctx->finished) {
        return;
    }

    ctx->finished = 1;
    ctx->error_type = "";
    ctx->cost = AIOBS_ABSENT;

    if (!ctx->validated) {
        ngx_http_aiobs_find_user(r, ctx);   /* answered before it was asked */
    }

    ngx_http_aiobs_final_status(r);

    (void) ngx_http_aiobs_llm_asked(ctx);
    attempts = ngx_http_aiobs_attempts(r, &last);

    if (ctx->llm && aiobs_api_by_body(ctx->api)) {
        ngx_http_aiobs_answer_recognise(r, ctx);

        if (ctx->called) {
            ctx->error_type = ngx_http_aiobs_call_error(r, ctx, attempts,
                                                        last);
            ngx_http_aiobs_price(r, ctx);
        }

    } else if (ctx->llm && aiobs_api_countable(ctx->api)
               && (attempts || ngx_http_aiobs_cached(r)))
    {
        ctx->called = 1;

        if (ctx->usage) {
            ngx_http_aiobs_answer_read(r, ctx);
        }

        ctx->error_type = ngx_http_aiobs_call_error(r, ctx, attempts, last);
        ngx_http_aiobs_price(r, ctx);

    } else if (ctx->usage && ctx->llm && aiobs_api_fetches(ctx->api)) {
        if (ngx_http_aiobs_answer_fetch(r, ctx)) {
            ngx_http_aiobs_price(r, ctx);
        }

    } else if (ctx->refused) {
        ctx->error_type = (char *) ngx_http_aiobs_refusal_reason(ctx)->data;

    } else if (ctx->login) {
        ctx->error_type = ngx_http_aiobs_login_error(ctx->login);
    }

    if (!ctx->called && ctx->error_type[0] == '\0'
        && ngx_http_aiobs_broke_off(r, ctx)
        && !ngx_http_aiobs_client_left(r, ctx))
    {
        ctx->error_type = "upstream_reset";
        ctx->broken = 1;
    }
}


/* what goes through a tunnel has no end of its own: who is silent is cut off */

ngx_uint_t
ngx_http_aiobs_broke_off(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    return ctx->upstream_header && !ctx->last_buf && !r->header_only
           && r->headers_out.status != NGX_HTTP_SWITCHING_PROTOCOLS
           && !ngx_http_aiobs_client_done(r, ctx);
}


ngx_uint_t
ngx_http_aiobs_failed_late(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    return (ctx->called || ctx->broken) && ctx->error_type[0]
           && ngx_http_aiobs_status(r) < NGX_HTTP_BAD_REQUEST;
}


/* of proxy_cache; the empty string where there is none */

ngx_str_t *
ngx_http_aiobs_cache_status(ngx_http_request_t *r)
{
    static ngx_str_t  none = ngx_null_string;

#if (NGX_HTTP_CACHE)
    if (r->upstream && r->upstream->cache_status) {
        return &ngx_http_cache_status[r->upstream->cache_status - 1];
    }
#endif

    return &none;
}


ngx_uint_t
ngx_http_aiobs_status(ngx_http_request_t *r)
{
    if (r->err_status) {
        return r->err_status;
    }

    if (r->headers_out.status) {
        return r->headers_out.status;
    }

    if (ngx_http_aiobs_stream_gone(r)) {
        return NGX_HTTP_CLIENT_CLOSED_REQUEST;
    }

    return r->http_version == NGX_HTTP_VERSION_9 ? 9 : 0;
}


/* nginx keeps the first status of a try: that of 103 before the answer's */

void
ngx_http_aiobs_final_status(ngx_http_request_t *r)
{
    ngx_http_upstream_state_t  *state;

    state = r->upstream ? r->upstream->state : NULL;

    if (state == NULL || state->status == 0 || state->status >= NGX_HTTP_OK
        || state->status == NGX_HTTP_SWITCHING_PROTOCOLS)
    {
        return;
    }

    state->status = state->header_time == (ngx_msec_t) -1
                    ? 0 : r->upstream->headers_in.status_n;
}


ngx_msec_t
ngx_http_aiobs_elapsed(ngx_http_request_t *r)
{
    ngx_time_t      *tp;
    ngx_msec_int_t   ms;

    tp = ngx_timeofday();

    ms = (ngx_msec_int_t) ((tp->sec - r->start_sec) * 1000
                           + (tp->msec - r->start_msec));

    return ngx_max(ms, 0);
}


/* states without a peer separate groups of tries, they are none themselves */

ngx_uint_t
ngx_http_aiobs_attempts(ngx_http_request_t *r, ngx_http_upstream_state_t **last)
{
    ngx_uint_t                  i, n;
    ngx_http_upstream_state_t  *state;

    n = 0;
    *last = NULL;

    if (r->upstream_states == NULL) {
        return 0;
    }

    state = r->upstream_states->elts;

    for (i = 0; i < r->upstream_states->nelts; i++) {
        if (state[i].peer) {
            *last = &state[i];
            n++;
        }
    }

    return n;
}


ngx_msec_int_t
ngx_http_aiobs_ttft(ngx_http_aiobs_ctx_t *ctx)
{
    ngx_msec_int_t  ms;

    if (!ctx->answer.stream || ctx->answer.first_token_ms == 0) {
        return -1;
    }

    ms = (ngx_msec_int_t) (ctx->answer.first_token_ms - ctx->start);

    return ngx_max(ms, 0);
}


int64_t
ngx_http_aiobs_time_per_token(ngx_http_aiobs_ctx_t *ctx)
{
    uint64_t  us;

    if (!ctx->answer.stream || ctx->answer.first_token_ms == 0
        || ctx->answer.output < 2)
    {
        return -1;
    }

    us = (ctx->answer.last_token_ms - ctx->answer.first_token_ms) * 1000;

    return (int64_t) (us / (uint64_t) (ctx->answer.output - 1));
}


static const char *
ngx_http_aiobs_call_error(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_uint_t attempts, ngx_http_upstream_state_t *last)
{
    if (ngx_http_aiobs_client_left(r, ctx)) {
        return "client_abort";
    }

    if (last == NULL || ngx_http_aiobs_cached(r)) {
        return "";                          /* whoever asked for it first */
    }

    /* what has come may be the settings of HTTP/2, 103, or half a header */

    if (!ctx->upstream_header && last->header_time == (ngx_msec_t) -1) {
        return last->status == NGX_HTTP_GATEWAY_TIME_OUT ? "timeout"
                                                         : "upstream_reset";
    }

    if (last->status >= NGX_HTTP_BAD_REQUEST) {
        return aiobs_error_type(last->status, ctx->answer.error,
                                ctx->answer.error_len);
    }

    if (ctx->answer.midstream_error) {
        return ctx->answer.error_len
               ? aiobs_error_type(NGX_HTTP_OK, ctx->answer.error,
                                  ctx->answer.error_len)
               : "stream_error";
    }

    if (ctx->upstream_header && !ctx->last_buf
        && !ngx_http_aiobs_client_done(r, ctx))
    {
        return "upstream_reset";
    }

    return "";
}


/*
 * last_buf alone lies while bytes are still queued, and where a cache wants
 * them although he is gone; c->error alone lies when a subrequest has delayed
 * logging past the client's close.  Who does not read for send_timeout has
 * c->timedout only; a body that does not come is a 408.
 */

ngx_uint_t
ngx_http_aiobs_client_left(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    if (ctx->last_buf && r->out == NULL && !ctx->late) {
        return 0;
    }

    return ngx_http_aiobs_client_gone(r)
           && !ngx_http_aiobs_client_done(r, ctx);
}


static ngx_uint_t
ngx_http_aiobs_client_gone(ngx_http_request_t *r)
{
    return r->connection->error || ngx_http_aiobs_stream_gone(r)
           || (r->connection->timedout && r->header_sent)
           || ngx_http_aiobs_status(r) == NGX_HTTP_CLIENT_CLOSED_REQUEST;
}


/*
 * He has the stream up to its own end ("data: [DONE]"), after which SDKs hang
 * up, whether or not the upstream has closed its answer by then.  What TLS,
 * HTTP/2 and filters have buffered is not in r->out.
 */

static ngx_uint_t
ngx_http_aiobs_client_done(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    return ctx->answer.stream && ctx->answer.complete && !ctx->late
           && r->out == NULL && !r->connection->buffered
           && ngx_http_aiobs_client_gone(r);
}


/* of a call: what the provider says, else what the price file does */

static void
ngx_http_aiobs_price(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    const aiobs_price_t         *price;
    aiobs_usage_record_t        *rec;
    ngx_http_aiobs_main_conf_t  *amcf;

    rec = &ctx->answer;

    if (ngx_http_aiobs_model_may_be_key(ctx)) {
        ngx_http_aiobs_key_text_models(ctx);
    }

    ngx_http_aiobs_count_find(r, ctx);

    if (rec->cost_nanousd != AIOBS_ABSENT) {
        ctx->cost = ngx_min(rec->cost_nanousd, AIOBS_COST_MAX);
        return;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (amcf->prices == NULL
        || (rec->source == AIOBS_SOURCE_NONE && !ngx_http_aiobs_units(rec)))
    {
        return;
    }

    price = ngx_http_aiobs_price_of(ctx, amcf->prices);

    if (price) {
        ctx->cost = aiobs_price_cost(price, rec, &rec->units, rec->tier);
    }

    ctx->unpriced = (ctx->cost == AIOBS_ABSENT);
}


/*
 * Of the model that answered, remembered with its series; else of the one
 * asked for (deployments have names of their own).
 */

static const aiobs_price_t *
ngx_http_aiobs_price_of(ngx_http_aiobs_ctx_t *ctx, aiobs_prices_t *prices)
{
    const char           *provider;
    const aiobs_price_t  *price;

    if (ctx->answer.model_len && ctx->counted->price) {
        return ctx->counted->price;
    }

    provider = aiobs_api_provider(ctx->api);
    price = aiobs_price_find(prices, provider, ctx->answer.model,
                             ctx->answer.model_len);

    if (price) {
        ctx->counted->price = price;
        return price;
    }

    price = aiobs_price_find(prices, provider, ctx->asked.model,
                             ctx->asked.model_len);

    if (price == NULL) {
        price = aiobs_price_find(prices, provider,
                                 (char *) ctx->path_model.data,
                                 ctx->path_model.len);
    }

    return price;
}


static ngx_uint_t
ngx_http_aiobs_units(aiobs_usage_record_t *rec)
{
    return rec->units.queries || rec->units.searches
           || rec->units.images_input || rec->units.images_output
           || rec->units.milliseconds || rec->units.characters_input
           || rec->units.pages;
}
