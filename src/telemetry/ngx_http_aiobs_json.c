
/*
 * Copyright (C) the aiobs authors
 *
 * The log line: one JSON object (RFC 8259) of bounded length, always UTF-8.
 */


#include "ngx_http_aiobs_log_out.h"


#define NGX_HTTP_AIOBS_BYTES  0x0101010101010101ULL


static size_t ngx_http_aiobs_json_plain(u_char *dst, u_char *src, size_t len);
static ngx_uint_t ngx_http_aiobs_json_word(u_char *dst, u_char *src);
static u_char *ngx_http_aiobs_json_timestamp(u_char *p);
static u_char *ngx_http_aiobs_json_value(u_char *p, size_t max,
    ngx_http_aiobs_value_t *value);
static size_t ngx_http_aiobs_utf8_len(u_char *p, u_char *last);
static u_char *ngx_http_aiobs_json_escape(u_char *p, u_char c);


/*
 * A member is written whole or not at all: the maxima of the table and their
 * names stay below the line's length together.
 */

size_t
ngx_http_aiobs_json_line(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    u_char line[NGX_HTTP_AIOBS_LINE_MAX])
{
    u_char                        *p, *last;
    ngx_http_aiobs_value_t         value;
    const ngx_http_aiobs_field_t  *field;

    last = line + NGX_HTTP_AIOBS_LINE_MAX - 2;          /* "}" LF */

    p = ngx_http_aiobs_json_timestamp(line);

    for (field = ngx_http_aiobs_fields; field->name.len; field++) {

        value.type = NGX_HTTP_AIOBS_VALUE_ABSENT;
        field->get(r, ctx, field, &value);

        if (value.type == NGX_HTTP_AIOBS_VALUE_ABSENT
            || (size_t) (last - p) < field->name.len + 4 + field->max)
        {
            continue;
        }

        *p++ = ',';
        *p++ = '"';
        p = ngx_cpymem(p, field->name.data, field->name.len);
        *p++ = '"';
        *p++ = ':';

        p = ngx_http_aiobs_json_value(p, field->max, &value);
    }

    p = ngx_http_aiobs_log_fields_json(r, ctx, p, last, "");

    *p++ = '}';
    *p++ = LF;

    return p - line;
}


u_char *
ngx_http_aiobs_json_string(u_char *p, size_t max, ngx_str_t *s)
{
    size_t   n;
    u_char  *src, *end, *last;

    last = p + max - 1;                                 /* closing quote */
    src = s->data;
    end = src + s->len;

    *p++ = '"';

    while (src < end) {

        n = ngx_min(end - src, last - p);
        n = ngx_http_aiobs_json_plain(p, src, n);
        p += n;
        src += n;

        if (src == end) {
            break;
        }

        if (*src >= 0x20 && *src < 0x7f && *src != '"' && *src != '\\') {

            if (p == last) {
                break;
            }

            *p++ = *src++;
            continue;
        }

        if (last - p < 6) {                             /* \u00XX */
            break;
        }

        if (*src < 0x80) {
            p = ngx_http_aiobs_json_escape(p, *src++);
            continue;
        }

        n = ngx_http_aiobs_utf8_len(src, end);

        if (n == 0) {
            p = ngx_cpymem(p, "\xef\xbf\xbd", 3);
            src++;
            continue;
        }

        p = ngx_cpymem(p, src, n);
        src += n;
    }

    *p++ = '"';

    return p;
}


/* copies bytes that stand for themselves, by words; how many */

static size_t
ngx_http_aiobs_json_plain(u_char *dst, u_char *src, size_t len)
{
    size_t  i;

    if (len < 8) {
        return 0;
    }

    for (i = 0; i < len - 8; i += 8) {
        if (!ngx_http_aiobs_json_word(dst + i, src + i)) {
            return i;
        }
    }

    /* the last word may have bytes of the one before */

    return ngx_http_aiobs_json_word(dst + len - 8, src + len - 8) ? len : i;
}


static ngx_inline ngx_uint_t
ngx_http_aiobs_json_word(u_char *dst, u_char *src)
{
    uint64_t  word, quote, slash;

    ngx_memcpy(&word, src, 8);

    /* bytes < 0x20, 0x7f and >= 0x80 leave a high bit, as do '"', "\\" */

    quote = word ^ NGX_HTTP_AIOBS_BYTES * '"';
    slash = word ^ NGX_HTTP_AIOBS_BYTES * '\\';

    if (((word - NGX_HTTP_AIOBS_BYTES * 0x20)
         | (word + NGX_HTTP_AIOBS_BYTES) | word
         | (quote - NGX_HTTP_AIOBS_BYTES) | (slash - NGX_HTTP_AIOBS_BYTES))
        & NGX_HTTP_AIOBS_BYTES << 7)
    {
        return 0;
    }

    ngx_memcpy(dst, &word, 8);

    return 1;
}


static u_char *
ngx_http_aiobs_json_timestamp(u_char *p)
{
    ngx_tm_t        tm;
    struct timeval  tv;

    static time_t   second = -1;
    static u_char   text[sizeof("{\"timestamp\":\"1970-01-01T00:00:00.") - 1];

    ngx_gettimeofday(&tv);

    if (tv.tv_sec != second) {
        second = tv.tv_sec;
        ngx_gmtime(second, &tm);

        ngx_sprintf(text, "{\"timestamp\":\"%4d-%02d-%02dT%02d:%02d:%02d.",
                    tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                    tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);
    }

    p = ngx_cpymem(p, text, sizeof(text));

    return ngx_sprintf(p, "%06LZ\"", (int64_t) tv.tv_usec);
}


static u_char *
ngx_http_aiobs_json_value(u_char *p, size_t max, ngx_http_aiobs_value_t *value)
{
    if (value->type == NGX_HTTP_AIOBS_VALUE_STRING) {
        return ngx_http_aiobs_json_string(p, max, &value->str);
    }

    return ngx_http_aiobs_value_number(p, value);
}


/*
 * Length of the well-formed sequence at p (RFC 3629: no overlong forms, no
 * surrogates), 0: there is none.
 */

static size_t
ngx_http_aiobs_utf8_len(u_char *p, u_char *last)
{
    size_t    n, i;
    uint32_t  code;

    if (*p >= 0xc2 && *p <= 0xdf) {
        n = 2;
        code = *p & 0x1f;

    } else if (*p >= 0xe0 && *p <= 0xef) {
        n = 3;
        code = *p & 0x0f;

    } else if (*p >= 0xf0 && *p <= 0xf4) {
        n = 4;
        code = *p & 0x07;

    } else {
        return 0;
    }

    if ((size_t) (last - p) < n) {
        return 0;
    }

    for (i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }

        code = (code << 6) | (p[i] & 0x3f);
    }

    if ((n == 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff)))
        || (n == 4 && (code < 0x10000 || code > 0x10ffff)))
    {
        return 0;
    }

    return n;
}


static u_char *
ngx_http_aiobs_json_escape(u_char *p, u_char c)
{
    *p++ = '\\';

    switch (c) {

    case '"':
    case '\\':
        *p++ = c;
        return p;

    case '\n':
        *p++ = 'n';
        return p;

    case '\r':
        *p++ = 'r';
        return p;

    case '\t':
        *p++ = 't';
        return p;

    default:
        return ngx_sprintf(p, "u%04xd", (int) c);
    }
}
