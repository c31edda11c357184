
/*
 * Copyright (C) the aiobs authors
 *
 * The record of a request, one row per figure: the log line's members and
 * nginx's variables are two views of this table.
 */


#include "ngx_http_aiobs_fields.h"


static void ngx_http_aiobs_get_str(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, const ngx_http_aiobs_field_t *field,
    ngx_http_aiobs_value_t *v);
static void ngx_http_aiobs_get_conf(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, const ngx_http_aiobs_field_t *field,
    ngx_http_aiobs_value_t *v);
static void ngx_http_aiobs_get_event(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, const ngx_http_aiobs_field_t *field,
    ngx_http_aiobs_value_t *v);
static void ngx_http_aiobs_get_trace(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, const ngx_http_aiobs_field_t *field,
    ngx_http_aiobs_value_t *v);
static void ngx_http_aiobs_get_identity(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, const ngx_http_aiobs_field_t *field,
    ngx_http_aiobs_value_t *v);
static ngx_http_aiobs_privacy_conf_t *ngx_http_aiobs_privacy_of(
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_get_request(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, const ngx_http_aiobs_field_t *field,
    ngx_http_aiobs_value_t *v);
static void ngx_http_aiobs_get_number(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, const ngx_http_aiobs_field_t *field,
    ngx_http_aiobs_value_t *v);


#define ngx_http_aiobs_tokens(f)  offsetof(aiobs_usage_record_t, f)

#define NGX_HTTP_AIOBS_FIELDS_FOUND  128
#define NGX_HTTP_AIOBS_NUMBER_MAX  24


const ngx_http_aiobs_field_t  ngx_http_aiobs_fields[] = {

    { ngx_string("level"), ngx_http_aiobs_get_event,
      NGX_HTTP_AIOBS_F_LEVEL, 16 },

    { ngx_string("event"), ngx_http_aiobs_get_event,
      NGX_HTTP_AIOBS_F_EVENT, 32 },

    { ngx_string("service"), ngx_http_aiobs_get_conf,
      offsetof(ngx_http_aiobs_main_conf_t, service), 96 },

    { ngx_string("environment"), ngx_http_aiobs_get_conf,
      offsetof(ngx_http_aiobs_main_conf_t, environment), 64 },

    { ngx_string("request_id"), ngx_http_aiobs_get_str,
      offsetof(ngx_http_aiobs_ctx_t, request_id), 136 },

    { ngx_string("trace_id"), ngx_http_aiobs_get_trace,
      NGX_HTTP_AIOBS_TRACE_ID_LEN, 40 },

    { ngx_string("span_id"), ngx_http_aiobs_get_trace,
      NGX_HTTP_AIOBS_SPAN_ID_LEN, 24 },

    { ngx_string("user_id"), ngx_http_aiobs_get_identity,
      NGX_HTTP_AIOBS_F_USER, 192 },

    { ngx_string("end_user_id"), ngx_http_aiobs_get_identity,
      NGX_HTTP_AIOBS_F_END_USER, 192 },

    { ngx_string("key_name"), ngx_http_aiobs_get_identity,
      NGX_HTTP_AIOBS_F_KEY_NAME, 128 },

    { ngx_string("key_id"), ngx_http_aiobs_get_identity,
      NGX_HTTP_AIOBS_F_KEY_ID, 24 },

    { ngx_string("target_key_id"), ngx_http_aiobs_get_str,
      offsetof(ngx_http_aiobs_ctx_t, target_key_id), 24 },

    { ngx_string("method"), ngx_http_aiobs_get_request,
      NGX_HTTP_AIOBS_F_METHOD, 40 },

    { ngx_string("path"), ngx_http_aiobs_get_request,
      NGX_HTTP_AIOBS_F_PATH, 512 },

    { ngx_string("endpoint"), ngx_http_aiobs_get_request,
      NGX_HTTP_AIOBS_F_ENDPOINT, 136 },

    { ngx_string("status_code"), ngx_http_aiobs_get_number,
      NGX_HTTP_AIOBS_F_STATUS, NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("duration"), ngx_http_aiobs_get_number,
      NGX_HTTP_AIOBS_F_DURATION, NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("client_ip"), ngx_http_aiobs_get_request,
      NGX_HTTP_AIOBS_F_CLIENT, 64 },

    { ngx_string("user_agent"), ngx_http_aiobs_get_request,
      NGX_HTTP_AIOBS_F_AGENT, 256 },

    { ngx_string("request_bytes"), ngx_http_aiobs_get_number,
      NGX_HTTP_AIOBS_F_REQUEST_BYTES, NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("response_bytes"), ngx_http_aiobs_get_number,
      NGX_HTTP_AIOBS_F_RESPONSE_BYTES, NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("upstream_addr"), ngx_http_aiobs_get_upstream,
      NGX_HTTP_AIOBS_F_UP_ADDR, 128 },

    { ngx_string("upstream_status"), ngx_http_aiobs_get_upstream,
      NGX_HTTP_AIOBS_F_UP_STATUS, NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("upstream_duration"), ngx_http_aiobs_get_upstream,
      NGX_HTTP_AIOBS_F_UP_DURATION, NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("attempts"), ngx_http_aiobs_get_upstream,
      NGX_HTTP_AIOBS_F_ATTEMPTS, NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("upstream_cache_status"), ngx_http_aiobs_get_request,
      NGX_HTTP_AIOBS_F_CACHE, 16 },

    { ngx_string("provider"), ngx_http_aiobs_get_call,
      NGX_HTTP_AIOBS_F_PROVIDER, 64 },

    { ngx_string("operation"), ngx_http_aiobs_get_call,
      NGX_HTTP_AIOBS_F_OPERATION, 64 },

    { ngx_string("request_model"), ngx_http_aiobs_get_call,
      NGX_HTTP_AIOBS_F_REQUEST_MODEL, 192 },

    { ngx_string("model"), ngx_http_aiobs_get_answer,
      NGX_HTTP_AIOBS_F_MODEL, 192 },

    { ngx_string("stream"), ngx_http_aiobs_get_call,
      NGX_HTTP_AIOBS_F_STREAM, 8 },

    { ngx_string("input_tokens"), ngx_http_aiobs_get_tokens,
      ngx_http_aiobs_tokens(input), NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("output_tokens"), ngx_http_aiobs_get_tokens,
      ngx_http_aiobs_tokens(output), NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("cache_read_tokens"), ngx_http_aiobs_get_tokens,
      ngx_http_aiobs_tokens(cache_read), NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("cache_write_tokens"), ngx_http_aiobs_get_tokens,
      ngx_http_aiobs_tokens(cache_write), NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("reasoning_tokens"), ngx_http_aiobs_get_tokens,
      ngx_http_aiobs_tokens(reasoning), NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("usage_source"), ngx_http_aiobs_get_answer,
      NGX_HTTP_AIOBS_F_SOURCE, 16 },

    { ngx_string("ttft"), ngx_http_aiobs_get_answer,
      NGX_HTTP_AIOBS_F_TTFT, NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("time_per_output_token"), ngx_http_aiobs_get_answer,
      NGX_HTTP_AIOBS_F_TPOT, NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("finish_reason"), ngx_http_aiobs_get_answer,
      NGX_HTTP_AIOBS_F_FINISH, 136 },

    { ngx_string("response_id"), ngx_http_aiobs_get_answer,
      NGX_HTTP_AIOBS_F_ID, 136 },

    { ngx_string("provider_request_id"), ngx_http_aiobs_get_str,
      offsetof(ngx_http_aiobs_ctx_t, provider_request_id), 136 },

    { ngx_string("cost_usd"), ngx_http_aiobs_get_answer,
      NGX_HTTP_AIOBS_F_COST, NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("agent_session"), ngx_http_aiobs_get_str,
      offsetof(ngx_http_aiobs_ctx_t, agent)
      + offsetof(ngx_http_aiobs_agent_t, id), 192 },

    { ngx_string("rag_score"), ngx_http_aiobs_get_rag_score, 0,
      NGX_HTTP_AIOBS_NUMBER_MAX },

    { ngx_string("login_provider"), ngx_http_aiobs_get_request,
      NGX_HTTP_AIOBS_F_LOGIN, 40 },

    { ngx_string("error_type"), ngx_http_aiobs_get_event,
      NGX_HTTP_AIOBS_F_ERROR, 32 },

    { ngx_null_string, NULL, 0, 0 }
};


const ngx_http_aiobs_field_t *
ngx_http_aiobs_field_find(const char *name)
{
    const ngx_http_aiobs_field_t  *field, **found;

    /* whoever asks for a field does so by the same string each time */

    static const ngx_http_aiobs_field_t  *before[NGX_HTTP_AIOBS_FIELDS_FOUND];

    found = &before[(uintptr_t) name / 4 % NGX_HTTP_AIOBS_FIELDS_FOUND];

    if (*found && ngx_strcmp((*found)->name.data, name) == 0) {
        return *found;
    }

    for (field = ngx_http_aiobs_fields; field->name.len; field++) {
        if (ngx_strcmp(field->name.data, name) == 0) {
            *found = field;
            return field;
        }
    }

    return NULL;
}


void
ngx_http_aiobs_field_value(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const char *name, ngx_http_aiobs_value_t *v)
{
    const ngx_http_aiobs_field_t  *field;

    v->type = NGX_HTTP_AIOBS_VALUE_ABSENT;
    ngx_str_null(&v->str);

    field = ngx_http_aiobs_field_find(name);

    if (field) {
        field->get(r, ctx, field, v);
    }
}


static void
ngx_http_aiobs_get_str(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_field_t *field, ngx_http_aiobs_value_t *v)
{
    ngx_str_t  *s;

    s = (ngx_str_t *) ((char *) ctx + field->data);

    ngx_http_aiobs_set_str(v, s->data, s->len);
}


static void
ngx_http_aiobs_get_conf(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_field_t *field, ngx_http_aiobs_value_t *v)
{
    ngx_str_t                   *s;
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);
    s = (ngx_str_t *) ((char *) amcf + field->data);

    ngx_http_aiobs_set_str(v, s->data, s->len);
}


static void
ngx_http_aiobs_get_event(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_field_t *field, ngx_http_aiobs_value_t *v)
{
    ngx_uint_t  status;

    if (!ctx->finished) {
        return;
    }

    switch (field->data) {

    case NGX_HTTP_AIOBS_F_LEVEL:
        status = ngx_http_aiobs_status(r);

        if (status >= 500 || (ctx->called && status < 400
                              && ctx->error_type[0]))
        {
            ngx_http_aiobs_set_text(v, "error");

        } else {
            ngx_http_aiobs_set_text(v, status >= 400 ? "warning" : "info");
        }

        break;

    case NGX_HTTP_AIOBS_F_EVENT:
        ngx_http_aiobs_set_text(v, ctx->event ? ctx->event
                                   : ctx->called ? "llm_called"
                                   : ctx->refused
                                     >= NGX_HTTP_AIOBS_REFUSED_RPM
                                     ? "limit_refused"
                                   : ctx->refused ? "auth_refused"
                                   : ctx->login
                                     ? ngx_http_aiobs_login_event_name(
                                                                ctx->login)
                                   : "request");
        break;

    default:
        ngx_http_aiobs_set_text(v, ctx->error_type);
        break;
    }
}


static void
ngx_http_aiobs_get_trace(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_field_t *field, ngx_http_aiobs_value_t *v)
{
    ngx_http_aiobs_trace_t  *t;

    t = ngx_http_aiobs_trace(ctx);

    ngx_http_aiobs_set_str(v, field->data == NGX_HTTP_AIOBS_TRACE_ID_LEN
                              ? t->trace_id : t->span_id,
                           field->data);
}


static void
ngx_http_aiobs_get_identity(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_field_t *field, ngx_http_aiobs_value_t *v)
{
    ngx_str_t                    user;
    ngx_http_aiobs_identity_t   *id;
    ngx_http_aiobs_main_conf_t  *amcf;

    id = ctx->identity;

    if (field->data == NGX_HTTP_AIOBS_F_USER) {
        ngx_http_aiobs_user_shown(r, ctx, &user);
        ngx_http_aiobs_set_str(v, user.data, user.len);

    } else if (field->data == NGX_HTTP_AIOBS_F_END_USER) {
        amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);
        user = ctx->end_user;

        ngx_http_aiobs_privacy_user(ngx_http_aiobs_privacy_of(r, ctx),
                                    amcf->shared->salt, &ctx->end_pseudonym,
                                    &user);
        ngx_http_aiobs_set_str(v, user.data, user.len);

    } else if (id == NULL || !ctx->validated) {
        return;

    } else if (field->data == NGX_HTTP_AIOBS_F_KEY_NAME) {
        ngx_http_aiobs_set_str(v, id->key_name.data, id->key_name.len);

    } else {
        ngx_http_aiobs_set_str(v, id->key_id.data, id->key_id.len);
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


static void
ngx_http_aiobs_get_request(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_field_t *field, ngx_http_aiobs_value_t *v)
{
    u_char     *p;
    ngx_str_t  *s, client;

    switch (field->data) {

    case NGX_HTTP_AIOBS_F_METHOD:
        s = &r->method_name;
        break;

    case NGX_HTTP_AIOBS_F_CACHE:
        s = ngx_http_aiobs_cache_status(r);
        break;

    case NGX_HTTP_AIOBS_F_PATH:

        /* as the client sent it: redirects and rewrites change r->uri */

        s = &r->unparsed_uri;
        p = ngx_strlchr(s->data, s->data + s->len, '?');
        ngx_http_aiobs_set_str(v, s->data, p ? (size_t) (p - s->data) : s->len);
        return;

    case NGX_HTTP_AIOBS_F_ENDPOINT:
        if (ctx->location == NULL) {
            return;
        }

        s = &ctx->location->endpoint;
        break;

    case NGX_HTTP_AIOBS_F_LOGIN:
        if (ctx->login == NULL) {
            return;
        }

        s = ngx_http_aiobs_login_provider_name(ctx->login);
        break;

    case NGX_HTTP_AIOBS_F_CLIENT:
        ngx_http_aiobs_privacy_client(ngx_http_aiobs_privacy_of(r, ctx),
                                      r->connection, ctx->client, &client);
        s = &client;
        break;

    default:
        if (r->headers_in.user_agent == NULL) {
            return;
        }

        s = &r->headers_in.user_agent->value;
        break;
    }

    ngx_http_aiobs_set_str(v, s->data, s->len);
}


static void
ngx_http_aiobs_get_number(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    const ngx_http_aiobs_field_t *field, ngx_http_aiobs_value_t *v)
{
    switch (field->data) {

    case NGX_HTTP_AIOBS_F_STATUS:
        ngx_http_aiobs_set_number(v, NGX_HTTP_AIOBS_VALUE_INTEGER,
                                  ngx_http_aiobs_status(r));
        break;

    case NGX_HTTP_AIOBS_F_DURATION:
        ngx_http_aiobs_set_number(v, NGX_HTTP_AIOBS_VALUE_SECONDS,
                               (int64_t) ngx_http_aiobs_elapsed(r) * 1000);
        break;

    case NGX_HTTP_AIOBS_F_REQUEST_BYTES:
        ngx_http_aiobs_set_number(v, NGX_HTTP_AIOBS_VALUE_INTEGER,
                                  r->request_length);
        break;

    default:
        ngx_http_aiobs_set_number(v, NGX_HTTP_AIOBS_VALUE_INTEGER,
                                  r->connection->sent);
        break;
    }
}
