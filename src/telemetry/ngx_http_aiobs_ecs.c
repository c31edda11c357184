
/*
 * Copyright (C) the aiobs authors
 *
 * The log line in the Elastic Common Schema: dotted names at the top level, as
 * ECS logging has them, types as the schema maps them.  What the schema has no
 * name for goes under "aiobs.", fields of the configuration under "labels.".
 */


#include "ngx_http_aiobs_log_out.h"


#define NGX_HTTP_AIOBS_ECS_TEXT  64         /* bytes of ,"name": at most */


typedef u_char *(*ngx_http_aiobs_ecs_pt)(u_char *p, size_t max,
    ngx_http_aiobs_value_t *value);


typedef struct {
    ngx_http_aiobs_field_e   field;
    const char              *name;
    ngx_http_aiobs_ecs_pt    write;     /* NULL: a plain member */
} ngx_http_aiobs_ecs_t;


/* one of every figure: what stands before it */

typedef struct {
    size_t                   len;
    ngx_http_aiobs_ecs_pt    write;
    u_char                   text[NGX_HTTP_AIOBS_ECS_TEXT];
} ngx_http_aiobs_ecs_member_t;


static u_char *ngx_http_aiobs_ecs_head(u_char *p, ngx_http_request_t *r,
    ngx_http_aiobs_values_t *values);
static u_char *ngx_http_aiobs_ecs_system(u_char *p, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_values_t *values);
static ngx_http_aiobs_ecs_member_t *ngx_http_aiobs_ecs_members(void);
static u_char *ngx_http_aiobs_ecs_value(u_char *p, size_t max,
    ngx_http_aiobs_value_t *value);
static u_char *ngx_http_aiobs_ecs_skip(u_char *p, size_t max,
    ngx_http_aiobs_value_t *value);
static u_char *ngx_http_aiobs_ecs_nanoseconds(u_char *p, size_t max,
    ngx_http_aiobs_value_t *value);
static u_char *ngx_http_aiobs_ecs_client(u_char *p, size_t max,
    ngx_http_aiobs_value_t *value);
static u_char *ngx_http_aiobs_ecs_span(u_char *p, size_t max,
    ngx_http_aiobs_value_t *value);


static const ngx_http_aiobs_ecs_t  ngx_http_aiobs_ecs[] = {
    { NGX_HTTP_AIOBS_F_LEVEL, "", ngx_http_aiobs_ecs_skip },
    { NGX_HTTP_AIOBS_F_EVENT, "event.action", NULL },
    { NGX_HTTP_AIOBS_F_SERVICE, "service.name", NULL },
    { NGX_HTTP_AIOBS_F_ENVIRONMENT, "service.environment", NULL },
    { NGX_HTTP_AIOBS_F_REQUEST_ID, "http.request.id", NULL },
    { NGX_HTTP_AIOBS_F_TRACE_ID, "trace.id", NULL },
    { NGX_HTTP_AIOBS_F_SPAN_ID, "span.id", ngx_http_aiobs_ecs_span },
    { NGX_HTTP_AIOBS_F_USER, "user.id", NULL },
    { NGX_HTTP_AIOBS_F_METHOD, "http.request.method", NULL },
    { NGX_HTTP_AIOBS_F_PATH, "url.path", NULL },
    { NGX_HTTP_AIOBS_F_STATUS, "http.response.status_code", NULL },
    { NGX_HTTP_AIOBS_F_DURATION, "event.duration",
      ngx_http_aiobs_ecs_nanoseconds },
    { NGX_HTTP_AIOBS_F_CLIENT, "source.address", ngx_http_aiobs_ecs_client },
    { NGX_HTTP_AIOBS_F_AGENT, "user_agent.original", NULL },
    { NGX_HTTP_AIOBS_F_REQUEST_BYTES, "http.request.bytes", NULL },
    { NGX_HTTP_AIOBS_F_RESPONSE_BYTES, "http.response.bytes", NULL },
    { NGX_HTTP_AIOBS_F_PROVIDER, "", ngx_http_aiobs_ecs_skip },
    { NGX_HTTP_AIOBS_F_OPERATION, "gen_ai.operation.name", NULL },
    { NGX_HTTP_AIOBS_F_REQUEST_MODEL, "gen_ai.request.model", NULL },
    { NGX_HTTP_AIOBS_F_MODEL, "gen_ai.response.model", NULL },
    { NGX_HTTP_AIOBS_F_INPUT, "gen_ai.usage.input_tokens", NULL },
    { NGX_HTTP_AIOBS_F_OUTPUT, "gen_ai.usage.output_tokens", NULL },
    { NGX_HTTP_AIOBS_F_ID, "gen_ai.response.id", NULL },
    { NGX_HTTP_AIOBS_F_ERROR, "error.type", NULL }
};


size_t
ngx_http_aiobs_ecs_line(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    u_char *line)
{
    u_char                       *p, *last;
    ngx_uint_t                    i;
    ngx_http_aiobs_value_t       *v;
    ngx_http_aiobs_values_t      *values;
    ngx_http_aiobs_ecs_member_t  *m;

    last = line + NGX_HTTP_AIOBS_LINE_MAX - 2;          /* "}" LF */

    values = ngx_http_aiobs_values(r, ctx);
    v = values->v;
    m = ngx_http_aiobs_ecs_members();

    p = ngx_http_aiobs_ecs_head(line, r, values);
    p = ngx_http_aiobs_ecs_system(p, ctx, values);

    for (i = 0; i < NGX_HTTP_AIOBS_FIELDS; i++) {

        /* some stand there twice, under longer names */

        if (v[i].type == NGX_HTTP_AIOBS_VALUE_ABSENT
            || (size_t) (last - p)
               < 2 * (ngx_http_aiobs_fields[i].max + (size_t) 40))
        {
            continue;
        }

        p = ngx_cpymem(p, m[i].text, m[i].len);
        p = m[i].write(p, ngx_http_aiobs_fields[i].max, &v[i]);
    }

    p = ngx_http_aiobs_log_fields_json(r, ctx, p, last, "labels.");

    *p++ = '}';
    *p++ = LF;

    return p - line;
}


static u_char *
ngx_http_aiobs_ecs_head(u_char *p, ngx_http_request_t *r,
    ngx_http_aiobs_values_t *values)
{
    u_char                   message[256];
    ngx_str_t                text, *level;

    level = &values->v[NGX_HTTP_AIOBS_F_LEVEL].str;

    text.data = message;
    text.len = ngx_snprintf(message, sizeof(message), "%V %V %ui",
                            &values->v[NGX_HTTP_AIOBS_F_METHOD].str,
                            &values->v[NGX_HTTP_AIOBS_F_PATH].str,
                            ngx_http_aiobs_status(r))
               - message;

    p = ngx_cpymem(p, "{\"@timestamp\":\"", sizeof("{\"@timestamp\":\"") - 1);
    p = ngx_http_aiobs_utc_at(p, &values->time);
    p = ngx_sprintf(p, "\",\"log.level\":\"%V\",\"message\":", level);
    p = ngx_http_aiobs_json_string(p, 2 * sizeof(message), &text);

    return ngx_sprintf(p, ",\"ecs.version\":\"9.4.0\",\"event.kind\":\"event\""
                          ",\"event.category\":[\"web\"],\"event.type\":"
                          "[\"access\"],\"event.outcome\":\"%s\"",
                       level->len == sizeof("info") - 1 ? "success"
                                                        : "failure");
}


/* the provider by the name that the conventions of OpenTelemetry have for it */

static u_char *
ngx_http_aiobs_ecs_system(u_char *p, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_values_t *values)
{
    if (values->v[NGX_HTTP_AIOBS_F_PROVIDER].type
        == NGX_HTTP_AIOBS_VALUE_ABSENT)
    {
        return p;
    }

    return ngx_sprintf(p, ",\"gen_ai.system\":\"%s\"",
                       aiobs_api_provider_otel(ctx->api));
}


/* made of the table above once in a process */

static ngx_http_aiobs_ecs_member_t *
ngx_http_aiobs_ecs_members(void)
{
    ngx_uint_t                    i;
    ngx_http_aiobs_ecs_member_t  *m;
    const ngx_http_aiobs_ecs_t   *ecs;

    static ngx_http_aiobs_ecs_member_t  members[NGX_HTTP_AIOBS_FIELDS];

    if (members[0].write) {
        return members;
    }

    for (i = 0; i < NGX_HTTP_AIOBS_FIELDS; i++) {
        m = &members[i];
        m->write = ngx_http_aiobs_ecs_value;
        m->len = ngx_snprintf(m->text, sizeof(m->text), ",\"aiobs.%V\":",
                              &ngx_http_aiobs_fields[i].name)
                 - m->text;
    }

    for (i = 0; i < sizeof(ngx_http_aiobs_ecs) / sizeof(ngx_http_aiobs_ecs[0]);
         i++)
    {
        ecs = &ngx_http_aiobs_ecs[i];
        m = &members[ecs->field];

        m->write = ecs->write ? ecs->write : ngx_http_aiobs_ecs_value;
        m->len = ecs->name[0] == '\0' ? 0
                 : ngx_snprintf(m->text, sizeof(m->text), ",\"%s\":",
                                ecs->name)
                   - m->text;
    }

    return members;
}


static u_char *
ngx_http_aiobs_ecs_value(u_char *p, size_t max, ngx_http_aiobs_value_t *value)
{
    if (value->type == NGX_HTTP_AIOBS_VALUE_STRING) {
        return ngx_http_aiobs_json_string(p, max, &value->str);
    }

    return ngx_http_aiobs_value_number(p, value);
}


static u_char *
ngx_http_aiobs_ecs_skip(u_char *p, size_t max, ngx_http_aiobs_value_t *value)
{
    return p;
}


static u_char *
ngx_http_aiobs_ecs_nanoseconds(u_char *p, size_t max,
    ngx_http_aiobs_value_t *value)
{
    return ngx_sprintf(p, "%L", value->n * 1000);
}


/* a member of type ip takes nothing else: no "unix:" */

static u_char *
ngx_http_aiobs_ecs_client(u_char *p, size_t max, ngx_http_aiobs_value_t *value)
{
    p = ngx_http_aiobs_json_string(p, max, &value->str);

    if (value->str.len < 5 || ngx_strncmp(value->str.data, "unix:", 5) != 0) {
        p = ngx_cpymem(p, ",\"source.ip\":", sizeof(",\"source.ip\":") - 1);
        p = ngx_http_aiobs_json_string(p, max, &value->str);
    }

    return p;
}


/* the span of a request to a server is what the schema calls a transaction */

static u_char *
ngx_http_aiobs_ecs_span(u_char *p, size_t max, ngx_http_aiobs_value_t *value)
{
    p = ngx_http_aiobs_json_string(p, max, &value->str);
    p = ngx_cpymem(p, ",\"transaction.id\":",
                   sizeof(",\"transaction.id\":") - 1);

    return ngx_http_aiobs_json_string(p, max, &value->str);
}
