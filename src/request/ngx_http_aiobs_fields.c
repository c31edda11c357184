
/*
 * Copyright (C) the aiobs authors
 *
 * The record of a request, one row per figure: the log line's members, nginx's
 * variables and the recorder are views of this table.  Figures of one source
 * are taken from it together, and of a finished request all of them once.
 */


#include "ngx_http_aiobs_fields.h"
#include "usage/aiobs_bytes.h"


static void ngx_http_aiobs_fill(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_value_t *v);
static void ngx_http_aiobs_fill_event(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_value_t *v);
static void ngx_http_aiobs_fill_ids(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_value_t *v);
static void ngx_http_aiobs_fill_trace(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_value_t *v);
static void ngx_http_aiobs_fill_identity(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_value_t *v);
static ngx_http_aiobs_privacy_conf_t *ngx_http_aiobs_privacy_of(
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_fill_request(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_value_t *v);


#define NGX_HTTP_AIOBS_FIELDS_FOUND  128
#define NGX_HTTP_AIOBS_NUMBER_MAX  24

#define ngx_http_aiobs_row(id, name, max, source, clean)                      \
    [NGX_HTTP_AIOBS_F_##id] = {                                               \
        ngx_string(name), ",\"" name "\":", sizeof(name) - 1 + 4, max,        \
        sizeof(name) - 1 + 4 + max, clean, ngx_http_aiobs_fill_##source       \
    }

#define ngx_http_aiobs_text(id, name, max, source)                            \
    ngx_http_aiobs_row(id, name, max, source, 0)

#define ngx_http_aiobs_clean(id, name, max, source)                           \
    ngx_http_aiobs_row(id, name, max, source, 1)

#define ngx_http_aiobs_number(id, name, source)                               \
    ngx_http_aiobs_row(id, name, NGX_HTTP_AIOBS_NUMBER_MAX, source, 0)


const ngx_http_aiobs_field_t  ngx_http_aiobs_fields[NGX_HTTP_AIOBS_FIELDS] = {
    ngx_http_aiobs_clean(LEVEL, "level", 16, event),
    ngx_http_aiobs_clean(EVENT, "event", 32, event),
    ngx_http_aiobs_text(SERVICE, "service", 96, ids),
    ngx_http_aiobs_text(ENVIRONMENT, "environment", 64, ids),
    ngx_http_aiobs_clean(REQUEST_ID, "request_id", 136, ids),
    ngx_http_aiobs_clean(TRACE_ID, "trace_id", 40, trace),
    ngx_http_aiobs_clean(SPAN_ID, "span_id", 24, trace),
    ngx_http_aiobs_text(USER, "user_id", 192, identity),
    ngx_http_aiobs_text(END_USER, "end_user_id", 192, identity),
    ngx_http_aiobs_text(KEY_NAME, "key_name", 128, identity),
    ngx_http_aiobs_clean(KEY_ID, "key_id", 24, identity),
    ngx_http_aiobs_text(TARGET_KEY_ID, "target_key_id", 24, ids),
    ngx_http_aiobs_text(METHOD, "method", 40, request),
    ngx_http_aiobs_text(PATH, "path", 512, request),
    ngx_http_aiobs_text(ENDPOINT, "endpoint", 136, request),
    ngx_http_aiobs_number(STATUS, "status_code", request),
    ngx_http_aiobs_number(DURATION, "duration", request),
    ngx_http_aiobs_text(CLIENT, "client_ip", 64, request),
    ngx_http_aiobs_text(AGENT, "user_agent", 256, request),
    ngx_http_aiobs_number(REQUEST_BYTES, "request_bytes", request),
    ngx_http_aiobs_number(RESPONSE_BYTES, "response_bytes", request),
    ngx_http_aiobs_text(UP_ADDR, "upstream_addr", 128, upstream),
    ngx_http_aiobs_number(UP_STATUS, "upstream_status", upstream),
    ngx_http_aiobs_number(UP_DURATION, "upstream_duration", upstream),
    ngx_http_aiobs_number(ATTEMPTS, "attempts", upstream),
    ngx_http_aiobs_text(CACHE, "upstream_cache_status", 16, request),
    ngx_http_aiobs_clean(PROVIDER, "provider", 64, call),
    ngx_http_aiobs_clean(OPERATION, "operation", 64, call),
    ngx_http_aiobs_text(REQUEST_MODEL, "request_model", 192, call),
    ngx_http_aiobs_text(MODEL, "model", 192, answer),
    ngx_http_aiobs_text(STREAM, "stream", 8, call),
    ngx_http_aiobs_number(INPUT, "input_tokens", tokens),
    ngx_http_aiobs_number(OUTPUT, "output_tokens", tokens),
    ngx_http_aiobs_number(CACHE_READ, "cache_read_tokens", tokens),
    ngx_http_aiobs_number(CACHE_WRITE, "cache_write_tokens", tokens),
    ngx_http_aiobs_number(REASONING, "reasoning_tokens", tokens),
    ngx_http_aiobs_clean(SOURCE, "usage_source", 16, answer),
    ngx_http_aiobs_number(TTFT, "ttft", answer),
    ngx_http_aiobs_number(TPOT, "time_per_output_token", answer),
    ngx_http_aiobs_text(FINISH, "finish_reason", 136, answer),
    ngx_http_aiobs_text(ID, "response_id", 136, answer),
    ngx_http_aiobs_text(PROVIDER_REQUEST_ID, "provider_request_id", 136, ids),
    ngx_http_aiobs_number(COST, "cost_usd", answer),
    ngx_http_aiobs_text(SESSION, "agent_session", 192, ids),
    ngx_http_aiobs_number(RAG_SCORE, "rag_score", ids),
    ngx_http_aiobs_text(LOGIN, "login_provider", 40, request),
    ngx_http_aiobs_clean(ERROR, "error_type", 32, event)
};


/* of the last finished request whose figures were asked for */

static ngx_http_aiobs_ctx_t     *ngx_http_aiobs_values_of;
static ngx_http_aiobs_values_t   ngx_http_aiobs_values_all;


const ngx_http_aiobs_field_t *
ngx_http_aiobs_field_find(const char *name)
{
    ngx_uint_t                     i;
    const ngx_http_aiobs_field_t  *field, **found;

    /* whoever asks for a field does so by the same string each time */

    static const ngx_http_aiobs_field_t  *before[NGX_HTTP_AIOBS_FIELDS_FOUND];

    found = &before[(uintptr_t) name / 4 % NGX_HTTP_AIOBS_FIELDS_FOUND];

    if (*found && ngx_strcmp((*found)->name.data, name) == 0) {
        return *found;
    }

    for (i = 0; i < NGX_HTTP_AIOBS_FIELDS; i++) {
        field = &ngx_http_aiobs_fields[i];

        if (ngx_strcmp(field->name.data, name) == 0) {
            *found = field;
            return field;
        }
    }

    return NULL;
}


ngx_http_aiobs_values_t *
ngx_http_aiobs_values(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    if (ngx_http_aiobs_values_of != ctx) {
        ngx_gettimeofday(&ngx_http_aiobs_values_all.time);
        ngx_http_aiobs_fill(r, ctx, ngx_http_aiobs_values_all.v);

        ngx_http_aiobs_values_of = ctx;
    }

    return &ngx_http_aiobs_values_all;
}


/* another context may lie where the last one was */

void
ngx_http_aiobs_values_changed(void)
{
    ngx_http_aiobs_values_of = NULL;
}


ngx_http_aiobs_value_t *
ngx_http_aiobs_value(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_field_t *field)
{
    ngx_uint_t  i;

    static ngx_http_aiobs_value_t  some[NGX_HTTP_AIOBS_FIELDS];

    i = field - ngx_http_aiobs_fields;

    if (ctx->complete) {
        return &ngx_http_aiobs_values(r, ctx)->v[i];
    }

    some[i].type = NGX_HTTP_AIOBS_VALUE_ABSENT;
    ngx_str_null(&some[i].str);

    field->fill(r, ctx, some);

    return &some[i];
}


void
ngx_http_aiobs_field_value(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const char *name, ngx_http_aiobs_value_t *v)
{
    const ngx_http_aiobs_field_t  *field;

    field = ngx_http_aiobs_field_find(name);

    if (field) {
        *v = *ngx_http_aiobs_value(r, ctx, field);
        return;
    }

    v->type = NGX_HTTP_AIOBS_VALUE_ABSENT;
    ngx_str_null(&v->str);
}


static void
ngx_http_aiobs_fill(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_value_t *v)
{
    aiobs_fill(v, 0, NGX_HTTP_AIOBS_FIELDS * sizeof(ngx_http_aiobs_value_t));

    ngx_http_aiobs_fill_event(r, ctx, v);
    ngx_http_aiobs_fill_ids(r, ctx, v);
    ngx_http_aiobs_fill_trace(r, ctx, v);
    ngx_http_aiobs_fill_identity(r, ctx, v);
    ngx_http_aiobs_fill_request(r, ctx, v);
    ngx_http_aiobs_fill_upstream(r, ctx, v);
    ngx_http_aiobs_fill_call(r, ctx, v);

    /* sums over all lines are not to have them twice */

    if (ctx->event == NULL) {
        ngx_http_aiobs_fill_answer(r, ctx, v);
        ngx_http_aiobs_fill_tokens(r, ctx, v);
    }
}


static void
ngx_http_aiobs_fill_event(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_value_t *v)
{
    ngx_uint_t   status;
    const char  *event;

    if (!ctx->finished) {
        return;
    }

    status = ngx_http_aiobs_status(r);

    if (status >= 500 || ngx_http_aiobs_failed_late(r, ctx)) {
        ngx_http_aiobs_set_text(&v[NGX_HTTP_AIOBS_F_LEVEL], "error");

    } else if (status >= 400) {
        ngx_http_aiobs_set_text(&v[NGX_HTTP_AIOBS_F_LEVEL], "warning");

    } else {
        ngx_http_aiobs_set_text(&v[NGX_HTTP_AIOBS_F_LEVEL], "info");
    }

    event = ctx->event ? ctx->event
            : ctx->called ? "llm_called"
            : ctx->refused >= NGX_HTTP_AIOBS_REFUSED_RPM ? "limit_refused"
            : ctx->refused ? "auth_refused"
            : ctx->login ? ngx_http_aiobs_login_event_name(ctx->login)
                         : "request";

    ngx_http_aiobs_set_text(&v[NGX_HTTP_AIOBS_F_EVENT], event);

    if (ctx->error_type[0]) {
        ngx_http_aiobs_set_text(&v[NGX_HTTP_AIOBS_F_ERROR], ctx->error_type);
    }
}


static void
ngx_http_aiobs_fill_ids(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_value_t *v)
{
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_SERVICE], &amcf->service);
    ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_ENVIRONMENT],
                           &amcf->environment);

    ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_REQUEST_ID], &ctx->request_id);
    ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_TARGET_KEY_ID],
                           &ctx->target_key_id);
    ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_PROVIDER_REQUEST_ID],
                           &ctx->provider_request_id);
    ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_SESSION], &ctx->agent.id);

    if (ctx->agent.scored) {
        ngx_http_aiobs_set_number(&v[NGX_HTTP_AIOBS_F_RAG_SCORE],
                                  NGX_HTTP_AIOBS_VALUE_SECONDS,
                                  ctx->agent.score);
    }
}


/* by itself: ids of a trace are made when they are first asked for */

static void
ngx_http_aiobs_fill_trace(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_value_t *v)
{
    ngx_http_aiobs_trace_t  *t;

    t = ngx_http_aiobs_trace(ctx);

    ngx_http_aiobs_set_data(&v[NGX_HTTP_AIOBS_F_TRACE_ID], t->trace_id,
                            NGX_HTTP_AIOBS_TRACE_ID_LEN);
    ngx_http_aiobs_set_data(&v[NGX_HTTP_AIOBS_F_SPAN_ID], t->span_id,
                            NGX_HTTP_AIOBS_SPAN_ID_LEN);
}


static void
ngx_http_aiobs_fill_identity(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_value_t *v)
{
    ngx_str_t                    user;
    ngx_http_aiobs_main_conf_t  *amcf;

    ngx_http_aiobs_user_shown(r, ctx, &user);
    ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_USER], &user);

    if (ctx->end_user.len) {
        amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);
        user = ctx->end_user;

        ngx_http_aiobs_privacy_user(ngx_http_aiobs_privacy_of(r, ctx),
                                    amcf->shared->salt, &ctx->end_pseudonym,
                                    &user);
        ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_END_USER], &user);
    }

    if (ctx->identity && ctx->validated) {
        ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_KEY_NAME],
                               &ctx->identity->key_name);
        ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_KEY_ID],
                               &ctx->identity->key_id);
    }
}


void
ngx_http_aiobs_user_shown(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *user)
{
    ngx_http_aiobs_main_conf_t  *amcf;

    *user = ctx->user;

    if (ctx->validated && ctx->identity->user_id.len) {
        *user = ctx->identity->user_id;
    }

    if (user->len == 0) {
        ngx_str_set(user, "anon");
        return;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    ngx_http_aiobs_privacy_user(ngx_http_aiobs_privacy_of(r, ctx),
                                amcf->shared->salt, &ctx->pseudonym, user);
}


/* of the location where it arrived; before that of where it is */

static ngx_http_aiobs_privacy_conf_t *
ngx_http_aiobs_privacy_of(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_loc_conf_t  *lcf;

    lcf = ctx->location;

    if (lcf == NULL) {
        lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);
    }

    return &lcf->privacy;
}


void
ngx_http_aiobs_path(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *path)
{
    u_char  *p;

    /* redirects and rewrites change r->uri */

    *path = r->unparsed_uri;

    if (path->len) {
        p = memchr(path->data, '?', path->len);

        if (p) {
            path->len = p - path->data;
        }
    }

    if (ctx->key_text) {
        (void) ngx_http_aiobs_key_text_mask(r->pool, path);
    }
}


static void
ngx_http_aiobs_fill_request(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_value_t *v)
{
    ngx_str_t  s;

    ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_METHOD], &r->method_name);
    ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_CACHE],
                           ngx_http_aiobs_cache_status(r));

    ngx_http_aiobs_path(r, ctx, &s);
    ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_PATH], &s);

    ngx_http_aiobs_privacy_client(ngx_http_aiobs_privacy_of(r, ctx),
                                  r->connection, ctx->client, &s);
    ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_CLIENT], &s);

    if (ctx->location) {
        ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_ENDPOINT],
                               &ctx->location->endpoint);
    }

    if (ctx->login) {
        ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_LOGIN],
                             ngx_http_aiobs_login_provider_name(ctx->login));
    }

    if (r->headers_in.user_agent) {
        ngx_http_aiobs_set_str(&v[NGX_HTTP_AIOBS_F_AGENT],
                               &r->headers_in.user_agent->value);
    }

    ngx_http_aiobs_set_integer(&v[NGX_HTTP_AIOBS_F_STATUS],
                               ngx_http_aiobs_status(r));
    ngx_http_aiobs_set_number(&v[NGX_HTTP_AIOBS_F_DURATION],
                              NGX_HTTP_AIOBS_VALUE_SECONDS,
                              (int64_t) ngx_http_aiobs_elapsed(r) * 1000);
    ngx_http_aiobs_set_integer(&v[NGX_HTTP_AIOBS_F_REQUEST_BYTES],
                               r->request_length);
    ngx_http_aiobs_set_integer(&v[NGX_HTTP_AIOBS_F_RESPONSE_BYTES],
                               r->connection->sent);
}
