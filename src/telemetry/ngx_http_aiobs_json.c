
/*
 * Copyright (C) the aiobs authors
 *
 * The log line: one JSON object (RFC 8259) of bounded length, always UTF-8.
 */


#include "ngx_http_aiobs_log_out.h"
#include "aiobs_escape.h"


#define NGX_HTTP_AIOBS_UTC_SECOND  (sizeof("1970-01-01T00:00:00.") - 1)


static void ngx_http_aiobs_utc_second(time_t second,
    u_char text[NGX_HTTP_AIOBS_UTC_SECOND]);


size_t
ngx_http_aiobs_json_line(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    u_char *line)
{
    u_char  *p, *last;

    last = line + NGX_HTTP_AIOBS_LINE_MAX - 2;          /* "}" LF */

    p = ngx_http_aiobs_json_record(line, last, ngx_http_aiobs_values(r, ctx));

    if (ctx->location->log.fields) {
        p = ngx_http_aiobs_log_fields_json(r, ctx, p, last, "");
    }

    *p++ = '}';
    *p++ = LF;

    return p - line;
}


/* a member is written whole or not at all, and longest texts are cut */

u_char *
ngx_http_aiobs_json_record(u_char *p, u_char *last,
    ngx_http_aiobs_values_t *values)
{
    u_char                        *safe;
    ngx_http_aiobs_value_t        *v;
    const ngx_http_aiobs_field_t  *field, *end;

    safe = last - NGX_HTTP_AIOBS_FIELD_ROOM;

    p = ngx_cpymem(p, "{\"timestamp\":\"", 14);
    p = ngx_http_aiobs_utc_at(p, &values->time);
    *p++ = '"';

    v = values->v;
    field = ngx_http_aiobs_fields;
    end = field + NGX_HTTP_AIOBS_FIELDS;

    for ( /* void */ ; field < end; field++, v++) {

        if (v->type == NGX_HTTP_AIOBS_VALUE_ABSENT
            || (p > safe && (size_t) (last - p) < field->room))
        {
            continue;
        }

        /* always as many bytes, which is cheaper than counting */

        ngx_memcpy(p, field->text, NGX_HTTP_AIOBS_FIELD_TEXT);
        p += field->len;

        if (v->type != NGX_HTTP_AIOBS_VALUE_STRING) {
            p = ngx_http_aiobs_value_number(p, v);

        } else if (field->clean) {
            p = aiobs_quote(p, v->str.data, v->str.len);

        } else {
            p = aiobs_escape(p, field->max, v->str.data, v->str.len);
        }
    }

    return p;
}


u_char *
ngx_http_aiobs_json_string(u_char *p, size_t max, ngx_str_t *s)
{
    return aiobs_escape(p, max, s->data, s->len);
}


u_char *
ngx_http_aiobs_utc(u_char *p)
{
    struct timeval  tv;

    ngx_gettimeofday(&tv);

    return ngx_http_aiobs_utc_at(p, &tv);
}


u_char *
ngx_http_aiobs_utc_at(u_char *p, struct timeval *tv)
{
    static time_t  second = -1;
    static u_char  text[NGX_HTTP_AIOBS_UTC_SECOND];

    if (tv->tv_sec != second) {
        second = tv->tv_sec;
        ngx_http_aiobs_utc_second(second, text);
    }

    p = ngx_cpymem(p, text, sizeof(text));
    p = ngx_http_aiobs_six(p, (uint32_t) tv->tv_usec);
    *p++ = 'Z';

    return p;
}


static void
ngx_http_aiobs_utc_second(time_t second,
    u_char text[NGX_HTTP_AIOBS_UTC_SECOND])
{
    ngx_tm_t  tm;

    ngx_gmtime(second, &tm);

    (void) ngx_sprintf(text, "%4d-%02d-%02dT%02d:%02d:%02d.", tm.ngx_tm_year,
                       tm.ngx_tm_mon, tm.ngx_tm_mday, tm.ngx_tm_hour,
                       tm.ngx_tm_min, tm.ngx_tm_sec);
}
