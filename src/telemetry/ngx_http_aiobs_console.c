
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
    ngx_http_request_t *r, ngx_http_aiobs_value_t *values);
static void ngx_http_aiobs_console_time(ngx_http_aiobs_console_t *out);
static void ngx_http_aiobs_console_pair(ngx_http_aiobs_console_t *out,
    const ngx_str_t *name, size_t max, ngx_http_aiobs_value_t *value);
static ngx_uint_t ngx_http_aiobs_console_in_head(ngx_uint_t field);
static u_char *ngx_http_aiobs_console_text(u_char *p, size_t max,
    ngx_str_t *text);
static void ngx_http_aiobs_console_color(ngx_http_aiobs_console_t *out,
    ngx_http_aiobs_color_e color);


size_t
ngx_http_aiobs_console_line(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    u_char *line)
{
    return ngx_http_aiobs_console(r, ctx, line, 0);
}


size_t
ngx_http_aiobs_color_line(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    u_char *line)
{
    return ngx_http_aiobs_console(r, ctx, line, 1);
}


static size_t
ngx_http_aiobs_console(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    u_char *line, ngx_uint_t color)
{
    ngx_int_t                  rc;
    ngx_str_t                  name;
    ngx_uint_t                 i;
    ngx_http_aiobs_value_t     value, *values;
    ngx_http_aiobs_console_t   out;

    out.p = line;
    out.last = line + NGX_HTTP_AIOBS_LINE_MAX - 1;      /* LF */
    out.color = color;

    values = ngx_http_aiobs_values(r, ctx)->v;

    ngx_http_aiobs_console_head(&out, r, values);

    for (i = 0; i < NGX_HTTP_AIOBS_FIELDS; i++) {

        if (values[i].type != NGX_HTTP_AIOBS_VALUE_ABSENT
            && !ngx_http_aiobs_console_in_head(i))
        {
            ngx_http_aiobs_console_pair(&out, &ngx_http_aiobs_fields[i].name,
                                        ngx_http_aiobs_fields[i].max,
                                        &values[i]);
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
    ngx_http_request_t *r, ngx_http_aiobs_value_t *values)
{
    u_char                  *p, *start;
    ngx_str_t               *level;
    ngx_msec_t               ms;
    ngx_uint_t               status, columns;
    ngx_http_aiobs_color_e   color;

    status = ngx_http_aiobs_status(r);
    ms = ngx_http_aiobs_elapsed(r);
    level = &values[NGX_HTTP_AIOBS_F_LEVEL].str;

    color = level->data[0] == 'e' ? NGX_HTTP_AIOBS_WORSE
            : level->data[0] == 'w' ? NGX_HTTP_AIOBS_BAD
                                    : NGX_HTTP_AIOBS_GOOD;

    ngx_http_aiobs_console_time(out);

    ngx_http_aiobs_console_color(out, color);
    out->p = ngx_sprintf(out->p, " %V%*s %03ui", level,
                         sizeof("warning") - 1 - level->len, "       ",
                         status);
    ngx_http_aiobs_console_color(out, NGX_HTTP_AIOBS_RESET);

    out->p = ngx_sprintf(out->p, " %5M.%03Ms ", ms / 1000, ms % 1000);

    ngx_http_aiobs_console_color(out, NGX_HTTP_AIOBS_BOLD);

    start = out->p;
    out->p = ngx_http_aiobs_console_text(out->p, 40,
                                       &values[NGX_HTTP_AIOBS_F_METHOD].str);
    *out->p++ = ' ';
    out->p = ngx_http_aiobs_console_text(out->p, 512,
                                         &values[NGX_HTTP_AIOBS_F_PATH].str);

    columns = 0;

    for (p = start; p < out->p; p++) {
        columns += (*p & 0xc0) != 0x80;         /* characters, not bytes */
    }

    for (/* void */ ; columns < NGX_HTTP_AIOBS_CONSOLE_PATH; columns++) {
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
ngx_http_aiobs_console_pair(ngx_http_aiobs_console_t *out,
    const ngx_str_t *name, size_t max, ngx_http_aiobs_value_t *value)
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
ngx_http_aiobs_console_in_head(ngx_uint_t field)
{
    return field == NGX_HTTP_AIOBS_F_LEVEL
           || field == NGX_HTTP_AIOBS_F_STATUS
           || field == NGX_HTTP_AIOBS_F_DURATION
           || field == NGX_HTTP_AIOBS_F_METHOD
           || field == NGX_HTTP_AIOBS_F_PATH;
}


/* as it is where it is plain, else quoted as in JSON */

static u_char *
ngx_http_aiobs_console_text(u_char *p, size_t max, ngx_str_t *text)
{
    size_t  i;

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

    return ngx_http_aiobs_json_string(p, max, text);
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
