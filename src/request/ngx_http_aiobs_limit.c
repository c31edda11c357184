
/*
 * Copyright (C) the aiobs authors
 *
 * The limits of a key: what a call may take is reserved before it goes, what
 * it took is settled in the log phase.
 */


#include "ngx_http_aiobs_request.h"
#include "../limits/ngx_http_aiobs_spend.h"


/* output tokens of a call that says nothing, of a model not yet known */
#define NGX_HTTP_AIOBS_OUTPUT_DEFAULT  1024

#define NGX_HTTP_AIOBS_BYTES_A_TOKEN   4


static ngx_int_t ngx_http_aiobs_limit_call(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_policy_t *policy);
static ngx_uint_t ngx_http_aiobs_limit_budget(ngx_http_aiobs_call_t *call);
static ngx_uint_t ngx_http_aiobs_limit_is_call(ngx_http_aiobs_ctx_t *ctx);
static ngx_int_t ngx_http_aiobs_limit_estimate(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static int64_t ngx_http_aiobs_limit_output(ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *model);
static int64_t ngx_http_aiobs_limit_cost(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_str_t *model, int64_t input,
    int64_t output);
static void ngx_http_aiobs_limit_missed(ngx_http_request_t *r);
static void ngx_http_aiobs_settle_call(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static ngx_uint_t ngx_http_aiobs_settle_nothing(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_settle_spend(ngx_http_aiobs_ctx_t *ctx);


ngx_int_t
ngx_http_aiobs_limit(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t                counted;
    ngx_http_aiobs_call_t    *call;
    ngx_http_aiobs_policy_t  *policy;

    /* a request is one, in however many locations */

    counted = (ctx->call && ctx->call->reserve);

    if (counted) {
        ngx_http_aiobs_limits_settle(ctx->call, 0, 0);
    }

    policy = ngx_http_aiobs_policy(ctx);

    if (ngx_http_aiobs_limit_call(r, ctx, policy) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    call = ctx->call;
    call->counted = counted;

    /* without such limits the body is yet to come */

    if (ngx_http_aiobs_limit_takes(policy)
        && ngx_http_aiobs_limit_is_call(ctx)
        && ngx_http_aiobs_limit_estimate(r, ctx) != NGX_OK)
    {
        return ngx_http_aiobs_refuse(r, ctx, NGX_HTTP_AIOBS_REFUSED_UNPRICED);
    }

    switch (ngx_http_aiobs_limits_reserve(call)) {

    case NGX_OK:
        return NGX_OK;

    case NGX_DECLINED:
        ngx_http_aiobs_limit_missed(r);
        return NGX_OK;

    default:
        break;
    }

    switch (call->over) {

    case AIOBS_LIMIT_RPM:
        return ngx_http_aiobs_refuse(r, ctx, NGX_HTTP_AIOBS_REFUSED_RPM);

    case AIOBS_LIMIT_TPM:
        return ngx_http_aiobs_refuse(r, ctx, NGX_HTTP_AIOBS_REFUSED_TPM);

    case AIOBS_LIMIT_PARALLEL:
        return ngx_http_aiobs_refuse(r, ctx, NGX_HTTP_AIOBS_REFUSED_PARALLEL);

    default:
        return ngx_http_aiobs_refuse(r, ctx, NGX_HTTP_AIOBS_REFUSED_BUDGET);
    }
}


ngx_uint_t
ngx_http_aiobs_limit_takes(ngx_http_aiobs_policy_t *policy)
{
    ngx_uint_t  i;

    for (i = AIOBS_LIMIT_TPM; i <= AIOBS_LIMIT_COST_MONTH; i++) {
        if (policy->limits[i] >= 0) {
            return 1;
        }
    }

    return 0;
}


/* this node's share of the limits; a share of something is something */

static ngx_int_t
ngx_http_aiobs_limit_call(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_policy_t *policy)
{
    ngx_uint_t                   i;
    ngx_http_aiobs_call_t       *call;
    ngx_http_aiobs_main_conf_t  *amcf;

    call = ngx_pcalloc(r->pool, sizeof(ngx_http_aiobs_call_t));
    if (call == NULL) {
        return NGX_ERROR;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    call->account = policy->account;

    for (i = 0; i < AIOBS_LIMIT_N; i++) {
        call->limits[i] = policy->limits[i];

        if (call->limits[i] > 0) {
            call->limits[i] = ngx_max(call->limits[i] / amcf->limits.share, 1);
        }

        if (i == AIOBS_LIMIT_COST_DAY || i == AIOBS_LIMIT_COST_MONTH) {
            call->limits[i] = policy->limits[i] < 0 ? AIOBS_LIMIT_NONE
                              : ngx_min(call->limits[i], INT64_MAX / 1000)
                                * 1000;
        }
    }

    ctx->call = call;

    return NGX_OK;
}


/* what will, or may, take tokens */

static ngx_uint_t
ngx_http_aiobs_limit_is_call(ngx_http_aiobs_ctx_t *ctx)
{
    ngx_str_t  model;

    if (ctx->llm == NULL) {
        return 0;
    }

    if (!aiobs_api_by_body(ctx->api)) {
        return aiobs_api_countable(ctx->api);
    }

    ngx_http_aiobs_policy_model(ctx, &model);

    return model.len != 0;
}


/* NGX_DECLINED: it has a cost budget, and nobody knows what the model costs */

static ngx_int_t
ngx_http_aiobs_limit_estimate(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    int64_t                 input, output, cost;
    ngx_str_t               model;
    ngx_http_aiobs_call_t  *call;

    call = ctx->call;

    ngx_http_aiobs_policy_model(ctx, &model);

    input = ngx_http_aiobs_llm_asked(ctx)->text_tokens;

    if (input == AIOBS_ABSENT) {
        input = ngx_max(r->headers_in.content_length_n, 0)
                / NGX_HTTP_AIOBS_BYTES_A_TOKEN;
    }

    output = aiobs_api_generates(ctx->api)
             ? ngx_http_aiobs_limit_output(ctx, &model) : 0;

    call->tokens = input + output;

    if (!ngx_http_aiobs_limit_budget(call)) {
        return NGX_OK;
    }

    cost = ngx_http_aiobs_limit_cost(r, ctx, &model, input, output);

    if (cost == AIOBS_ABSENT) {
        return NGX_DECLINED;
    }

    call->cost = cost;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_aiobs_limit_budget(ngx_http_aiobs_call_t *call)
{
    return call->limits[AIOBS_LIMIT_COST_DAY] >= 0
           || call->limits[AIOBS_LIMIT_COST_MONTH] >= 0;
}


/* the smaller of what the client allows and what answers use to take */

static int64_t
ngx_http_aiobs_limit_output(ngx_http_aiobs_ctx_t *ctx, ngx_str_t *model)
{
    int64_t                        max, learned, choices;
    const aiobs_request_record_t  *asked;

    asked = ngx_http_aiobs_llm_asked(ctx);
    max = asked->max_tokens;
    learned = ngx_http_aiobs_learned(model->data, model->len);

    if (max < 0 || max > AIOBS_TOKENS_MAX) {
        max = learned == AIOBS_ABSENT ? NGX_HTTP_AIOBS_OUTPUT_DEFAULT : learned;

    } else if (learned != AIOBS_ABSENT) {
        max = ngx_min(max, learned);
    }

    choices = ngx_max(asked->choices, 1);

    return max > AIOBS_TOKENS_MAX / choices ? AIOBS_TOKENS_MAX : max * choices;
}


/* nano-USD; AIOBS_ABSENT: the price file does not tell */

static int64_t
ngx_http_aiobs_limit_cost(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *model, int64_t input, int64_t output)
{
    int64_t                      cost;
    const aiobs_price_t         *price;
    aiobs_usage_record_t         rec;
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (amcf->prices == NULL) {
        return AIOBS_ABSENT;
    }

    price = aiobs_price_find(amcf->prices, aiobs_api_provider(ctx->api),
                             (char *) model->data, model->len);
    if (price == NULL) {
        return AIOBS_ABSENT;
    }

    ngx_http_aiobs_no_answer(&rec);

    rec.input = input;
    rec.output = output;

    cost = aiobs_price_cost(price, &rec, NULL, AIOBS_TIER_STANDARD);

    /* pictures and sounds have a price, how many is seen when they are made */

    return cost == AIOBS_ABSENT && !aiobs_api_generates(ctx->api) ? 0 : cost;
}


/* trouble of our own: the call goes, uncounted */

static void
ngx_http_aiobs_limit_missed(ngx_http_request_t *r)
{
    static time_t  said;

    ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_LIMITS_MISSED, NULL, 1);

    if (said != ngx_time()) {
        said = ngx_time();
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "no room in \"aiobs_zone\" to count a call of a key "
                      "that has limits: enlarge it and its \"keys=\"");
    }
}


void
ngx_http_aiobs_settle(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    if (ctx->call && ctx->call->reserve) {
        ngx_http_aiobs_settle_call(r, ctx);
        ngx_http_aiobs_keys_owe();
    }

    if (ctx->called && ctx->identity && ctx->validated
        && ctx->identity->verdict == NGX_HTTP_AIOBS_KEY_VALID)
    {
        ngx_http_aiobs_settle_spend(ctx);
        ngx_http_aiobs_keys_owe();
    }
}


/*
 * A call that went and of which nothing is known is charged what was reserved
 * for it, and so is one whose answer is made later, or cannot be read at all.
 */

static void
ngx_http_aiobs_settle_call(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    int64_t                 tokens, cost;
    ngx_str_t               model;
    aiobs_usage_record_t   *rec;
    ngx_http_aiobs_call_t  *call;

    call = ctx->call;
    rec = &ctx->answer;
    tokens = 0;
    cost = 0;

    if (ngx_http_aiobs_settle_nothing(r, ctx)) {
        /* void */

    } else if (rec->source == AIOBS_SOURCE_NONE) {
        tokens = call->tokens;
        cost = ctx->cost == AIOBS_ABSENT ? call->cost : ctx->cost;

    } else if (rec->source == AIOBS_SOURCE_ESTIMATED
               && rec->output == AIOBS_ABSENT)
    {
        tokens = ngx_max(call->tokens, rec->input);
        cost = ngx_max(call->cost, ctx->cost);

    } else {
        tokens = ngx_max(rec->input, 0) + ngx_max(rec->output, 0);
        cost = ctx->cost == AIOBS_ABSENT ? call->cost : ctx->cost;

        if (rec->source == AIOBS_SOURCE_REPORTED && rec->output >= 0) {
            ngx_http_aiobs_policy_model(ctx, &model);
            ngx_http_aiobs_learn(model.data, model.len, rec->output);
        }
    }

    ngx_http_aiobs_limits_settle(call, tokens, cost);
}


/* nothing was sent, or the upstream answered that it did not do it */

static ngx_uint_t
ngx_http_aiobs_settle_nothing(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t                  attempts;
    ngx_http_upstream_state_t  *last;

    attempts = ngx_http_aiobs_attempts(r, &last);

    if (!ctx->called || ctx->fetched || attempts == 0) {
        return 1;
    }

    if (ctx->answer.source != AIOBS_SOURCE_NONE) {
        return 0;
    }

    return ctx->upstream_header ? last->status >= NGX_HTTP_BAD_REQUEST
                                : last->bytes_sent == 0;
}


/* what every key has spent, with limits or without */

static void
ngx_http_aiobs_settle_spend(ngx_http_aiobs_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_str_t                reason;
    aiobs_usage_record_t    *rec;
    ngx_http_aiobs_spend_t   spend;

    rec = &ctx->answer;

    spend.hash = ctx->identity->hash;
    spend.model = ctx->label_model;
    spend.endpoint = ctx->location->endpoint;
    spend.calls = !ctx->fetched;
    spend.input = ngx_max(rec->input, 0);
    spend.output = ngx_max(rec->output, 0);
    spend.cache_read = ngx_max(rec->cache_read, 0);
    spend.cache_write = ngx_max(rec->cache_write, 0);
    spend.cost = ngx_max(ctx->cost, 0);
    spend.estimated = (rec->source == AIOBS_SOURCE_ESTIMATED);

    rc = ngx_http_aiobs_spend_add(&spend);

    if (rc == NGX_AGAIN) {
        ngx_http_aiobs_keys_save();

    } else if (rc != NGX_OK) {
        ngx_str_set(&reason, "full");
        ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_USAGE_LOST, &reason, 1);
    }
}
