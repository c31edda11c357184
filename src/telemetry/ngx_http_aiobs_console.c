
/*
 * Copyright (C) the aiobs authors
 *
 * The log line for a person: what matters first and in columns, then every
 * other figure as name=value.  No byte of a client reaches the terminal that
 * could steer it.
 */


#include "ngx_http_aiobs_log_out.h"


#define NGX_HTTP_AIOBS_CONSOLE_PATH  32     /* columns */


typedef enum {
    NGX_HTTP_AIOBS_RESET = 0,
    NGX_HTTP_AIOBS_DIM,
    NGX_HTTP_AIOBS_GOOD,
    NGX_HTTP_AIOBS_BAD,
    NGX_HTTP_AIOBS_WORSE,
    NGX_HTTP_AIOBS_NAME,
    NGX_HTTP_AIOBS_BOLD
} ngx_http_aiobs_color_e;


typedef struct {
    u_char                  *p;
    u_char                  *last;
    ngx_uint_t               color;
} ngx_http_aiobs_console_t;


static size_t ngx_http_aiobs_console(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, u_char *line, ngx_uint_t color);
static void ngx_http_aiobs_console_head(ngx_http_aiobs_console_t *out,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_console_time(ngx_http_aiobs_console_t *out);
static void ngx_http_aiobs_console_pair(ngx_http_aiobs_console_t *out,
    ngx_str_t *name, size_t max, ngx_http_aiobs_value_t *value);
static ngx_uint_t ngx_http_aiobs_console_in_head(
    const ngx_http_aiobs_field_t *field);
static u_char *ngx_http_aiobs_console_text(u_char *p, size_t max,
    ngx_str_t *text);
static void ngx_http_aiobs_console_color(ngx_http_aiobs_console_t *out,
    ngx_http_aiobs_color_e color);


size_t
ngx_http_aiobs_console_line(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    u_char line[NGX_HTTP_AIOBS_LINE_MAX])
{
    return ngx_http_aiobs_console(r, ctx, line, 0);
}


size_t
ngx_http_aiobs_color_line(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    u_char line[NGX_HTTP_AIOBS_LINE_MAX])
{
    return ngx_http_aiobs_console(r, ctx, line, 1);
}


static size_t
ngx_http_aiobs_console(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    u_char *line, ngx_uint_t color)
{
    ngx_int_t                      rc;
    ngx_str_t                      name;
    ngx_uint_t                     i;
    ngx_http_aiobs_value_t         value;
    ngx_http_aiobs_console_t       out;
    const ngx_http_aiobs_field_t  *field;

    out.p = line;
    out.last = line + NGX_HTTP_AIOBS_LINE_MAX - 1;      /* LF */
    out.color = color;

    ngx_http_aiobs_console_head(&out, r, ctx);

    for (field = ngx_http_aiobs_fields; field->name.len; field++) {

        if (ngx_http_aiobs_console_in_head(field)) {
            continue;
        }

        value.type = NGX_HTTP_AIOBS_VALUE_ABSENT;
        field->get(r, ctx, field, &value);

        if (value.type != NGX_HTTP_AIOBS_VALUE_ABSENT) {
            name = field->name;
            ngx_http_aiobs_console_pair(&out, &name, field->max, &value);
        }
    }

    value.type = NGX_HTTP_AIOBS_VALUE_STRING;

    for (i = 0; /* void */ ; i++) {
        rc = ngx_http_aiobs_log_field_get(r, ctx, i, &name, &value.str);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc == NGX_OK) {
            ngx_http_aiobs_console_pair(&out, &name, 256, &value);
        }
    }

    *out.p++ = LF;

    return out.p - line;
}


/* 2026-01-31 17:00:00.123 info    200    0.512s POST /v1/chat/completions */

static void
ngx_http_aiobs_console_head(ngx_http_aiobs_console_t *out,
    ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    u_char                  *start;
    ngx_msec_t               ms;
    ngx_uint_t               status;
    ngx_http_aiobs_value_t   level, method, path;
    ngx_http_aiobs_color_e   color;

    status = ngx_http_aiobs_status(r);
    ms = ngx_http_aiobs_elapsed(r);

    ngx_http_aiobs_field_value(r, ctx, "level", &level);
    ngx_http_aiobs_field_value(r, ctx, "method", &method);
    ngx_http_aiobs_field_value(r, ctx, "path", &path);

    color = level.str.data[0] == 'e' ? NGX_HTTP_AIOBS_WORSE
            : level.str.data[0] == 'w' ? NGX_HTTP_AIOBS_BAD
                                       : NGX_HTTP_AIOBS_GOOD;

    ngx_http_aiobs_console_time(out);

    ngx_http_aiobs_console_color(out, color);
    out->p = ngx_sprintf(out->p, " %V%*s %03ui", &level.str,
                         sizeof("warning") - 1 - level.str.len, "       ",
                         status);
    ngx_http_aiobs_console_color(out, NGX_HTTP_AIOBS_RESET);

    out->p = ngx_sprintf(out->p, " %5M.%03Ms ", ms / 1000, ms % 1000);

    ngx_http_aiobs_console_color(out, NGX_HTTP_AIOBS_BOLD);

    start = out->p;
    out->p = ngx_http_aiobs_console_text(out->p, 40, &method.str);
    *out->p++ = ' ';
    out->p = ngx_http_aiobs_console_text(out->p, 512, &path.str);

    while (out->p - start < NGX_HTTP_AIOBS_CONSOLE_PATH) {
        *out->p++ = ' ';
    }

    ngx_http_aiobs_console_color(out, NGX_HTTP_AIOBS_RESET);
}


static void
ngx_http_aiobs_console_time(ngx_http_aiobs_console_t *out)
{
    ngx_tm_t     tm;
    ngx_time_t  *tp;

    tp = ngx_timeofday();
    ngx_localtime(tp->sec, &tm);

    ngx_http_aiobs_console_color(out, NGX_HTTP_AIOBS_DIM);

    out->p = ngx_sprintf(out->p, "%4d-%02d-%02d %02d:%02d:%02d.%03M",
                         tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                         tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                         tp->msec);

    ngx_http_aiobs_console_color(out, NGX_HTTP_AIOBS_RESET);
}


static void
ngx_http_aiobs_console_pair(ngx_http_aiobs_console_t *out, ngx_str_t *name,
    size_t max, ngx_http_aiobs_value_t *value)
{
    /* " ", two escape sequences, "=" */

    if ((size_t) (out->last - out->p) < name->len + max + 16) {
        return;
    }

    *out->p++ = ' ';

    ngx_http_aiobs_console_color(out, NGX_HTTP_AIOBS_NAME);
    out->p = ngx_cpymem(out->p, name->data, name->len);
    ngx_http_aiobs_console_color(out, NGX_HTTP_AIOBS_RESET);

    *out->p++ = '=';

    out->p = value->type == NGX_HTTP_AIOBS_VALUE_STRING
             ? ngx_http_aiobs_console_text(out->p, max, &value->str)
             : ngx_http_aiobs_value_number(out->p, value);
}


static ngx_uint_t
ngx_http_aiobs_console_in_head(const ngx_http_aiobs_field_t *field)
{
    ngx_uint_t  i;

    static const char *head[] = {
        "level", "status_code", "duration", "method", "path"
    };

    for (i = 0; i < sizeof(head) / sizeof(head[0]); i++) {
        if (ngx_strcmp(field->name.data, head[i]) == 0) {
            return 1;
        }
    }

    return 0;
}


/* as it is where it is plain, else quoted as in JSON and all in ASCII */

static u_char *
ngx_http_aiobs_console_text(u_char *p, size_t max, ngx_str_t *text)
{
    size_t   i;
    u_char  *last;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] <= ' ' || text->data[i] >= 0x7f
            || text->data[i] == '"' || text->data[i] == '\\')
        {
            break;
        }
    }

    if (i == text->len) {
        return ngx_cpymem(p, text->data, ngx_min(text->len, max));
    }

    last = ngx_http_aiobs_json_string(p, max, text);

    /* U+0080 to U+009F steer terminals too */

    for (/* void */ ; p < last; p++) {
        if (*p == 0xc2 && p[1] < 0xa0) {
            *p++ = '?';
            *p = '?';
        }
    }

    return last;
}


static void
ngx_http_aiobs_console_color(ngx_http_aiobs_console_t *out,
    ngx_http_aiobs_color_e color)
{
    static ngx_str_t  sequences[] = {
        ngx_string("\x1b[0m"), ngx_string("\x1b[2m"), ngx_string("\x1b[32m"),
        ngx_string("\x1b[33m"), ngx_string("\x1b[31m"),
        ngx_string("\x1b[36m"), ngx_string("\x1b[1m")
    };

    if (out->color) {
        out->p = ngx_cpymem(out->p, sequences[color].data,
                            sequences[color].len);
    }
}
