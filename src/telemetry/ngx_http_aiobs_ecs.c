
/*
 * Copyright (C) the aiobs authors
 *
 * The log line in the Elastic Common Schema: dotted names at the top level, as
 * ECS logging has them, types as the schema maps them.  What the schema has no
 * name for goes under "aiobs.", fields of the configuration under "labels.".
 */


#include "ngx_http_aiobs_log_out.h"


#define NGX_HTTP_AIOBS_ECS_FIELDS  128


typedef u_char *(*ngx_http_aiobs_ecs_pt)(u_char *p, size_t max,
    const char *name, ngx_http_aiobs_value_t *value);


typedef struct {
    const char              *field;
    const char              *name;
    ngx_http_aiobs_ecs_pt    write;     /* NULL: a plain member */
} ngx_http_aiobs_ecs_t;


static u_char *ngx_http_aiobs_ecs_head(u_char *p, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static const ngx_http_aiobs_ecs_t *ngx_http_aiobs_ecs_find(ngx_uint_t n);
static u_char *ngx_http_aiobs_ecs_member(u_char *p, size_t max,
    const char *name, ngx_http_aiobs_value_t *value);
static u_char *ngx_http_aiobs_ecs_skip(u_char *p, size_t max,
    const char *name, ngx_http_aiobs_value_t *value);
static u_char *ngx_http_aiobs_ecs_nanoseconds(u_char *p, size_t max,
    const char *name, ngx_http_aiobs_value_t *value);
static u_char *ngx_http_aiobs_ecs_client(u_char *p, size_t max,
    const char *name, ngx_http_aiobs_value_t *value);


static const ngx_http_aiobs_ecs_t  ngx_http_aiobs_ecs[] = {
    { "level", "", ngx_http_aiobs_ecs_skip },
    { "event", "event.action", NULL },
    { "service", "service.name", NULL },
    { "environment", "service.environment", NULL },
    { "request_id", "http.request.id", NULL },
    { "trace_id", "trace.id", NULL },
    { "span_id", "span.id", NULL },
    { "user_id", "user.id", NULL },
    { "method", "http.request.method", NULL },
    { "path", "url.path", NULL },
    { "status_code", "http.response.status_code", NULL },
    { "duration", "event.duration", ngx_http_aiobs_ecs_nanoseconds },
    { "client_ip", "", ngx_http_aiobs_ecs_client },
    { "user_agent", "user_agent.original", NULL },
    { "request_bytes", "http.request.bytes", NULL },
    { "response_bytes", "http.response.bytes", NULL },
    { "provider", "gen_ai.system", NULL },
    { "operation", "gen_ai.operation.name", NULL },
    { "request_model", "gen_ai.request.model", NULL },
    { "model", "gen_ai.response.model", NULL },
    { "input_tokens", "gen_ai.usage.input_tokens", NULL },
    { "output_tokens", "gen_ai.usage.output_tokens", NULL },
    { "response_id", "gen_ai.response.id", NULL },
    { "error_type", "error.type", NULL },
    { NULL, NULL, NULL }
};


size_t
ngx_http_aiobs_ecs_line(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    u_char line[NGX_HTTP_AIOBS_LINE_MAX])
{
    char                           own[64];
    u_char                        *p, *last;
    ngx_uint_t                     n;
    const char                    *name;
    ngx_http_aiobs_value_t         value;
    const ngx_http_aiobs_ecs_t    *ecs;
    const ngx_http_aiobs_field_t  *field;

    last = line + NGX_HTTP_AIOBS_LINE_MAX - 2;          /* "}" LF */

    p = ngx_http_aiobs_ecs_head(line, r, ctx);

    for (n = 0; ngx_http_aiobs_fields[n].name.len; n++) {

        field = &ngx_http_aiobs_fields[n];

        value.type = NGX_HTTP_AIOBS_VALUE_ABSENT;
        field->get(r, ctx, field, &value);

        /* the client's address stands there twice, under longer names */

        if (value.type == NGX_HTTP_AIOBS_VALUE_ABSENT
            || (size_t) (last - p) < 2 * (field->max + 40))
        {
            continue;
        }

        ecs = ngx_http_aiobs_ecs_find(n);

        if (ecs && ecs->write) {
            p = ecs->write(p, field->max, ecs->name, &value);
            continue;
        }

        name = ecs ? ecs->name : own;

        if (ecs == NULL) {
            *ngx_snprintf((u_char *) own, sizeof(own) - 1, "aiobs.%V",
                          &field->name) = '\0';
        }

        p = ngx_http_aiobs_ecs_member(p, field->max, name, &value);
    }

    p = ngx_http_aiobs_log_fields_json(r, ctx, p, last, "labels.");

    *p++ = '}';
    *p++ = LF;

    return p - line;
}


static u_char *
ngx_http_aiobs_ecs_head(u_char *p, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    u_char                   message[256];
    ngx_str_t                text;
    ngx_http_aiobs_value_t   level, method, path;

    ngx_http_aiobs_field_value(r, ctx, "level", &level);
    ngx_http_aiobs_field_value(r, ctx, "method", &method);
    ngx_http_aiobs_field_value(r, ctx, "path", &path);

    text.data = message;
    text.len = ngx_snprintf(message, sizeof(message), "%V %V %ui",
                            &method.str, &path.str, ngx_http_aiobs_status(r))
               - message;

    p = ngx_cpymem(p, "{\"@timestamp\":\"", sizeof("{\"@timestamp\":\"") - 1);
    p = ngx_http_aiobs_utc(p);
    p = ngx_sprintf(p, "\",\"log.level\":\"%V\",\"message\":", &level.str);
    p = ngx_http_aiobs_json_string(p, 2 * sizeof(message), &text);

    return ngx_sprintf(p, ",\"ecs.version\":\"9.0.0\",\"event.kind\":\"event\""
                          ",\"event.category\":[\"web\"],\"event.type\":"
                          "[\"access\"],\"event.outcome\":\"%s\"",
                       level.str.len == sizeof("info") - 1 ? "success"
                                                           : "failure");
}


/* rows of the table above by numbers of fields, once in a process */

static const ngx_http_aiobs_ecs_t *
ngx_http_aiobs_ecs_find(ngx_uint_t n)
{
    ngx_uint_t                     i;
    const ngx_http_aiobs_ecs_t    *ecs;
    const ngx_http_aiobs_field_t  *field;

    static const ngx_http_aiobs_ecs_t  *rows[NGX_HTTP_AIOBS_ECS_FIELDS];
    static ngx_uint_t                   made;

    if (!made) {
        made = 1;

        for (ecs = ngx_http_aiobs_ecs; ecs->field; ecs++) {
            field = ngx_http_aiobs_field_find(ecs->field);
            i = field - ngx_http_aiobs_fields;

            if (field && i < NGX_HTTP_AIOBS_ECS_FIELDS) {
                rows[i] = ecs;
            }
        }
    }

    return n < NGX_HTTP_AIOBS_ECS_FIELDS ? rows[n] : NULL;
}


static u_char *
ngx_http_aiobs_ecs_member(u_char *p, size_t max, const char *name,
    ngx_http_aiobs_value_t *value)
{
    p = ngx_sprintf(p, ",\"%s\":", name);

    if (value->type == NGX_HTTP_AIOBS_VALUE_STRING) {
        return ngx_http_aiobs_json_string(p, max, &value->str);
    }

    return ngx_http_aiobs_value_number(p, value);
}


static u_char *
ngx_http_aiobs_ecs_skip(u_char *p, size_t max, const char *name,
    ngx_http_aiobs_value_t *value)
{
    return p;
}


static u_char *
ngx_http_aiobs_ecs_nanoseconds(u_char *p, size_t max, const char *name,
    ngx_http_aiobs_value_t *value)
{
    return ngx_sprintf(p, ",\"%s\":%L", name, value->n * 1000);
}


/* a member of type ip takes nothing else: no "unix:" */

static u_char *
ngx_http_aiobs_ecs_client(u_char *p, size_t max, const char *name,
    ngx_http_aiobs_value_t *value)
{
    p = ngx_http_aiobs_ecs_member(p, max, "source.address", value);

    if (value->str.len < 5 || ngx_strncmp(value->str.data, "unix:", 5) != 0) {
        p = ngx_http_aiobs_ecs_member(p, max, "source.ip", value);
    }

    return p;
}


u_char *
ngx_http_aiobs_utc(u_char *p)
{
    ngx_tm_t        tm;
    struct timeval  tv;

    ngx_gettimeofday(&tv);
    ngx_gmtime(tv.tv_sec, &tm);

    return ngx_sprintf(p, "%4d-%02d-%02dT%02d:%02d:%02d.%06LZ",
                       tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                       tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                       (int64_t) tv.tv_usec);
}
