
/*
 * Copyright (C) the aiobs authors
 *
 * What events and transactions of Sentry have in common: the request without
 * arguments and secrets, the user, the tags.
 */


#include "ngx_http_aiobs_sentry.h"

#include <jansson.h>


#define NGX_HTTP_AIOBS_SENTRY_TAG_MAX  200


static void ngx_http_aiobs_sentry_user(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, json_t *labels);
static void ngx_http_aiobs_sentry_one_line(ngx_str_t *value, u_char *buf);
static void ngx_http_aiobs_sentry_tags(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, json_t *labels);
static json_t *ngx_http_aiobs_sentry_key_labels(
    ngx_http_aiobs_sentry_t *sentry, ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_sentry_label(json_t *labels, ngx_str_t *name,
    ngx_str_t *value);


/* of the record, that are tags */

static const char *const  ngx_http_aiobs_sentry_fields[] = {
    "endpoint", "provider", "model", "request_model", "operation",
    "error_type", NULL
};


void
ngx_http_aiobs_sentry_put(ngx_http_aiobs_sentry_out_t *out, const char *fmt,
    ...)
{
    va_list  args;

    va_start(args, fmt);
    out->p = ngx_vslprintf(out->p, out->last, fmt, args);
    va_end(args);

    if (out->p == out->last) {
        out->full = 1;
    }
}


void
ngx_http_aiobs_sentry_string(ngx_http_aiobs_sentry_out_t *out, ngx_str_t *s,
    size_t max)
{
    if ((size_t) (out->last - out->p) <= max) {
        out->full = 1;
        return;
    }

    out->p = ngx_http_aiobs_json_string(out->p, max, s);
}


void
ngx_http_aiobs_sentry_member(ngx_http_aiobs_sentry_out_t *out,
    const char *name, ngx_str_t *value)
{
    if (value->len) {
        ngx_http_aiobs_sentry_put(out, ",\"%s\":", name);
        ngx_http_aiobs_sentry_string(out, value, 512);
    }
}


void
ngx_http_aiobs_sentry_value(ngx_http_aiobs_sentry_out_t *out,
    const char *name, ngx_http_aiobs_value_t *v)
{
    u_char  *p, number[32];

    switch (v->type) {

    case NGX_HTTP_AIOBS_VALUE_ABSENT:
        break;

    case NGX_HTTP_AIOBS_VALUE_STRING:
        ngx_http_aiobs_sentry_member(out, name, &v->str);
        break;

    default:
        p = ngx_http_aiobs_value_number(number, v);
        ngx_http_aiobs_sentry_put(out, ",\"%s\":%*s", name,
                                  (size_t) (p - number), number);
        break;
    }
}


void
ngx_http_aiobs_sentry_begin(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, u_char *id)
{
    ngx_http_aiobs_sentry_put(out, "{\"event_id\":\"%*s\",\"platform\":"
                                   "\"other\",\"logger\":\"aiobs\"",
                              (size_t) NGX_HTTP_AIOBS_SENTRY_ID_LEN, id);
    ngx_http_aiobs_sentry_member(out, "server_name", &sentry->server_name);
    ngx_http_aiobs_sentry_member(out, "environment", &sentry->environment);
    ngx_http_aiobs_sentry_member(out, "release", &sentry->release);
}


void
ngx_http_aiobs_sentry_request(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    u_char                  buf[1024];
    json_t                 *labels;
    ngx_str_t               url, scheme;
    ngx_http_aiobs_value_t  path;

    ngx_str_set(&scheme, "http");

#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        ngx_str_set(&scheme, "https");
    }
#endif

    ngx_http_aiobs_field_value(r, ctx, "path", &path);

    url.data = buf;
    url.len = ngx_snprintf(buf, sizeof(buf), "%V://%V%V", &scheme,
                           &r->headers_in.server, &path.str) - buf;

    ngx_http_aiobs_sentry_put(out, ",\"request\":{\"headers\":{");
    ngx_http_aiobs_sentry_header_lines(out, sentry, r, ctx);
    ngx_http_aiobs_sentry_put(out, "}");
    ngx_http_aiobs_sentry_member(out, "method", &r->method_name);

    if (r->headers_in.server.len) {     /* without a host it is no URL */
        ngx_http_aiobs_sentry_put(out, ",\"url\":");
        ngx_http_aiobs_sentry_string(out, &url, 1024);
    }

    ngx_http_aiobs_sentry_put(out, "}");

    labels = ngx_http_aiobs_sentry_key_labels(sentry, ctx);

    ngx_http_aiobs_sentry_user(out, sentry, r, ctx, labels);
    ngx_http_aiobs_sentry_tags(out, sentry, r, ctx, labels);

    json_decref(labels);
}


static void
ngx_http_aiobs_sentry_user(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, json_t *labels)
{
    ngx_str_t               value;
    ngx_uint_t              i;
    ngx_http_aiobs_value_t  user, client;

    ngx_http_aiobs_field_value(r, ctx, "user_id", &user);
    ngx_http_aiobs_field_value(r, ctx, "client_ip", &client);

    ngx_http_aiobs_sentry_put(out, ",\"user\":{\"id\":");

    if (user.str.len) {
        ngx_http_aiobs_sentry_string(out, &user.str, 256);

    } else {
        ngx_http_aiobs_sentry_put(out, "null");
    }

    if (sentry->pii
        && (client.str.len < 5
            || ngx_strncmp(client.str.data, "unix:", 5) != 0))
    {
        ngx_http_aiobs_sentry_member(out, "ip_address", &client.str);
    }

    for (i = 0; i < sentry->nlabels; i++) {
        if (ctx->location->privacy.user == NGX_HTTP_AIOBS_KEEP
            && ngx_strcmp(sentry->labels[i].data, "email") == 0)
        {
            ngx_http_aiobs_sentry_label(labels, &sentry->labels[i], &value);
            ngx_http_aiobs_sentry_member(out, "email", &value);
        }
    }

    ngx_http_aiobs_sentry_put(out, "}");
}


static void
ngx_http_aiobs_sentry_tags(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, json_t *labels)
{
    u_char                  buf[NGX_HTTP_AIOBS_SENTRY_TAG_MAX];
    ngx_str_t               value;
    ngx_uint_t              i;
    ngx_http_aiobs_value_t  v;

    ngx_http_aiobs_sentry_put(out, ",\"tags\":{\"status_code\":\"%ui\"",
                              ngx_http_aiobs_status(r));
    ngx_http_aiobs_sentry_member(out, "request_id", &ctx->request_id);

    for (i = 0; ngx_http_aiobs_sentry_fields[i]; i++) {
        ngx_http_aiobs_field_value(r, ctx, ngx_http_aiobs_sentry_fields[i],
                                   &v);
        ngx_http_aiobs_sentry_one_line(&v.str, buf);
        ngx_http_aiobs_sentry_member(out, ngx_http_aiobs_sentry_fields[i],
                                     &v.str);
    }

    for (i = 0; i < sentry->nlabels; i++) {
        ngx_http_aiobs_sentry_label(labels, &sentry->labels[i], &value);

        if (value.len
            && ngx_strcmp(sentry->labels[i].data, "email") != 0)
        {
            ngx_http_aiobs_sentry_one_line(&value, buf);
            ngx_http_aiobs_sentry_put(out, ",");
            ngx_http_aiobs_sentry_string(out, &sentry->labels[i], 256);
            ngx_http_aiobs_sentry_put(out, ":");
            ngx_http_aiobs_sentry_string(out, &value, 256);
        }
    }

    ngx_http_aiobs_sentry_put(out, "}");
}


/* a tag of more than one line is none for Sentry; buf: of TAG_MAX bytes */

static void
ngx_http_aiobs_sentry_one_line(ngx_str_t *value, u_char *buf)
{
    size_t  i;

    value->len = ngx_min(value->len, NGX_HTTP_AIOBS_SENTRY_TAG_MAX);

    for (i = 0; i < value->len; i++) {
        buf[i] = value->data[i] < ' ' ? ' ' : value->data[i];
    }

    value->data = buf;
}


ngx_uint_t
ngx_http_aiobs_sentry_tag(ngx_str_t *name)
{
    static const char *const  more[] = { "status_code", "request_id", NULL };

    return ngx_http_aiobs_sentry_listed(name, ngx_http_aiobs_sentry_fields, 0)
           || ngx_http_aiobs_sentry_listed(name, more, 0);
}


/* NULL: they are not asked for, or there are none */

static json_t *
ngx_http_aiobs_sentry_key_labels(ngx_http_aiobs_sentry_t *sentry,
    ngx_http_aiobs_ctx_t *ctx)
{
    if (sentry->nlabels == 0 || !ctx->validated
        || ctx->identity->policy == NULL
        || ctx->identity->policy->labels.len == 0)
    {
        return NULL;
    }

    return json_loadb((char *) ctx->identity->policy->labels.data,
                      ctx->identity->policy->labels.len, 0, NULL);
}


static void
ngx_http_aiobs_sentry_label(json_t *labels, ngx_str_t *name, ngx_str_t *value)
{
    json_t  *text;

    ngx_str_null(value);

    text = json_object_get(labels, (char *) name->data);

    if (json_is_string(text)) {
        value->data = (u_char *) json_string_value(text);
        value->len = ngx_min(json_string_length(text),
                             NGX_HTTP_AIOBS_SENTRY_TAG_MAX);
    }
}
