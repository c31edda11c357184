
/*
 * Copyright (C) the aiobs authors
 *
 * The recorder for a browser: one page without scripts, images or anything
 * from elsewhere.  Every value goes through ngx_http_aiobs_page_escape().
 */


#include "ngx_http_aiobs_requests.h"

#include <openssl/evp.h>
#include <jansson.h>


#define NGX_HTTP_AIOBS_PAGE_STYLE                                             \
    "body{font:14px/1.4 system-ui,sans-serif;margin:1.5em;color:#222}"        \
    "h1{font-size:1.3em}h2{font-size:1.1em;margin-top:1.5em}"                 \
    "table{border-collapse:collapse;width:100%}"                              \
    "th,td{text-align:left;padding:.25em .6em;border-bottom:1px solid #ddd;"  \
    "vertical-align:top;max-width:30em;overflow-wrap:break-word}"             \
    "td.n{text-align:right;font-variant-numeric:tabular-nums}"                \
    "td:first-child{white-space:nowrap}"                                      \
    "tr.warning td{background:#fff8e0}"                                       \
    "tr.error td{background:#fdecea}form label{margin-right:1em}"             \
    "input{width:9em}pre{white-space:pre-wrap;word-break:break-all;margin:0}" \
    "code{word-break:break-all}"


static void ngx_http_aiobs_page_escape(ngx_http_aiobs_requests_t *requests,
    const u_char *data, size_t len);
static size_t ngx_http_aiobs_page_char(const u_char *data, size_t len);
static void ngx_http_aiobs_page_input(ngx_http_aiobs_requests_t *requests,
    const char *name, ngx_str_t *value);
static void ngx_http_aiobs_page_cell(ngx_http_aiobs_requests_t *requests,
    json_t *json, const char *name);
static void ngx_http_aiobs_page_member(ngx_http_aiobs_requests_t *requests,
    json_t *json, const char *name);
static ngx_int_t ngx_http_aiobs_page_header(ngx_http_request_t *r,
    const char *name, ngx_str_t *value);
static ngx_int_t ngx_http_aiobs_page_policy(ngx_http_request_t *r,
    ngx_str_t *policy);


ngx_int_t
ngx_http_aiobs_page_headers(ngx_http_request_t *r)
{
    ngx_str_t  policy;

    static ngx_str_t  nosniff = ngx_string("nosniff");
    static ngx_str_t  no_store = ngx_string("no-store");
    static ngx_str_t  no_referrer = ngx_string("no-referrer");

    if (ngx_http_aiobs_page_policy(r, &policy) != NGX_OK
        || ngx_http_aiobs_page_header(r, "Content-Security-Policy", &policy)
           != NGX_OK
        || ngx_http_aiobs_page_header(r, "X-Content-Type-Options", &nosniff)
           != NGX_OK
        || ngx_http_aiobs_page_header(r, "Referrer-Policy", &no_referrer)
           != NGX_OK
        || ngx_http_aiobs_page_header(r, "Cache-Control", &no_store)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_aiobs_page_head(ngx_http_aiobs_requests_t *requests)
{
    u_char                             number[32];
    ngx_str_t                          value;
    ngx_http_aiobs_requests_filter_t  *f;

    f = &requests->filter;
    value.data = number;

    ngx_http_aiobs_requests_text(requests,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<title>Requests</title><style>" NGX_HTTP_AIOBS_PAGE_STYLE "</style>"
        "</head>\n<body><h1>Requests</h1>\n<form method=\"get\">"
        "<input type=\"hidden\" name=\"format\" value=\"html\">");

    value.len = f->status == 0 ? 0
                : ngx_sprintf(number, f->status < 10 ? "%uixx" : "%ui",
                              f->status) - number;
    ngx_http_aiobs_page_input(requests, "status", &value);
    ngx_http_aiobs_page_input(requests, "user", &f->user);
    ngx_http_aiobs_page_input(requests, "model", &f->model);

    value.len = f->duration == 0 ? 0
                : ngx_sprintf(number, "%M.%03M", f->duration / 1000,
                              f->duration % 1000) - number;
    ngx_http_aiobs_page_input(requests, "min_duration", &value);

    value.len = ngx_sprintf(number, "%ui", f->limit) - number;
    ngx_http_aiobs_page_input(requests, "limit", &value);
    ngx_http_aiobs_page_input(requests, "id", &f->id);

    ngx_http_aiobs_requests_text(requests,
        "<button>Show</button></form>\n<h2>In flight</h2>\n<table><tr>"
        "<th>for</th><th>request</th><th>endpoint</th><th>user</th>"
        "<th>model</th><th>state</th><th>request id</th></tr>\n");
}


void
ngx_http_aiobs_page_flight(ngx_http_aiobs_requests_t *requests,
    ngx_http_aiobs_flight_t *flight, uint64_t ms)
{
    u_char   buf[64], *p;

    p = ngx_sprintf(buf, "<tr><td class=\"n\">%uL.%03uL s</td><td>",
                    ms / 1000, ms % 1000);

    ngx_http_aiobs_requests_add(requests, buf, p - buf);
    ngx_http_aiobs_page_escape(requests, flight->method, flight->len[1]);
    ngx_http_aiobs_requests_text(requests, " ");
    ngx_http_aiobs_page_escape(requests, flight->path, flight->len[2]);
    ngx_http_aiobs_requests_text(requests, "</td><td>");
    ngx_http_aiobs_page_escape(requests, flight->endpoint, flight->len[3]);
    ngx_http_aiobs_requests_text(requests, "</td><td>");
    ngx_http_aiobs_page_escape(requests, flight->user, flight->len[4]);
    ngx_http_aiobs_requests_text(requests, "</td><td>");
    ngx_http_aiobs_page_escape(requests, flight->model, flight->len[5]);
    ngx_http_aiobs_requests_text(requests,
                                 flight->answering
                                 ? "</td><td>answering</td><td><code>"
                                 : "</td><td>waiting</td><td><code>");
    ngx_http_aiobs_page_escape(requests, flight->request_id, flight->len[0]);
    ngx_http_aiobs_requests_text(requests, "</code></td></tr>\n");
}


void
ngx_http_aiobs_page_middle(ngx_http_aiobs_requests_t *requests)
{
    ngx_http_aiobs_requests_text(requests,
        "</table>\n<h2>Finished, the newest first</h2>\n<table><tr>"
        "<th>time</th><th>status</th><th>duration</th><th>request</th>"
        "<th>endpoint</th><th>user</th><th>model</th><th>in</th><th>out</th>"
        "<th>error</th><th>record</th></tr>\n");
}


void
ngx_http_aiobs_page_record(ngx_http_aiobs_requests_t *requests,
    u_char *record, size_t len)
{
    size_t   i;
    json_t  *json;

    static const char *columns[] = {
        "endpoint", "user_id", "model", "input_tokens", "output_tokens",
        "error_type"
    };

    json = json_loadb((char *) record, len, 0, NULL);
    if (json == NULL) {
        return;
    }

    ngx_http_aiobs_requests_text(requests, "<tr class=\"");
    ngx_http_aiobs_page_member(requests, json, "level");
    ngx_http_aiobs_requests_text(requests, "\">");

    ngx_http_aiobs_page_cell(requests, json, "timestamp");
    ngx_http_aiobs_page_cell(requests, json, "status_code");
    ngx_http_aiobs_page_cell(requests, json, "duration");

    ngx_http_aiobs_requests_text(requests, "<td>");
    ngx_http_aiobs_page_member(requests, json, "method");
    ngx_http_aiobs_requests_text(requests, " ");
    ngx_http_aiobs_page_member(requests, json, "path");
    ngx_http_aiobs_requests_text(requests, "</td>");

    for (i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        ngx_http_aiobs_page_cell(requests, json, columns[i]);
    }

    ngx_http_aiobs_requests_text(requests,
                                 requests->filter.id.len
                                 ? "<td><details open><summary>"
                                 : "<td><details><summary>");
    ngx_http_aiobs_page_member(requests, json, "request_id");
    ngx_http_aiobs_requests_text(requests, "</summary><pre>");
    ngx_http_aiobs_page_escape(requests, record, len);
    ngx_http_aiobs_requests_text(requests, "</pre></details></td></tr>\n");

    json_decref(json);
}


void
ngx_http_aiobs_page_end(ngx_http_aiobs_requests_t *requests)
{
    ngx_http_aiobs_requests_text(requests,
                                 requests->found
                                 ? "</table>\n</body></html>\n"
                                 : "</table>\n<p>None.</p>\n</body></html>\n");
}


static void
ngx_http_aiobs_page_escape(ngx_http_aiobs_requests_t *requests,
    const u_char *data, size_t len)
{
    size_t       i, n, start;
    const char  *entity;

    for (i = 0, start = 0; i < len; i++) {

        if (data[i] >= 0x80) {
            n = ngx_http_aiobs_page_char(data + i, len - i);

            if (n) {
                i += n - 1;
                continue;
            }
        }

        switch (data[i]) {
        case '<':
            entity = "&lt;";
            break;
        case '>':
            entity = "&gt;";
            break;
        case '&':
            entity = "&amp;";
            break;
        case '"':
            entity = "&quot;";
            break;
        case '\'':
            entity = "&#39;";
            break;
        default:
            if ((data[i] >= ' ' && data[i] < 0x7f) || data[i] == LF) {
                continue;
            }

            /* no HTML has it, and the page may be shown on a terminal */

            entity = "\xef\xbf\xbd";
            break;
        }

        ngx_http_aiobs_requests_add(requests, data + start, i - start);
        ngx_http_aiobs_requests_text(requests, entity);
        start = i + 1;
    }

    ngx_http_aiobs_requests_add(requests, data + start, i - start);
}


/* bytes of a character; 0: it is none, or steers a terminal or text */

static size_t
ngx_http_aiobs_page_char(const u_char *data, size_t len)
{
    u_char    *p;
    uint32_t   c;

    p = (u_char *) data;
    c = ngx_utf8_decode(&p, len);

    if (c > 0x10ffff || c < 0xa0 || (c >= 0xd800 && c <= 0xdfff)
        || c == 0x61c || c == 0x200e || c == 0x200f
        || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
    {
        return 0;
    }

    return p - data;
}


static void
ngx_http_aiobs_page_input(ngx_http_aiobs_requests_t *requests,
    const char *name, ngx_str_t *value)
{
    ngx_http_aiobs_requests_text(requests, "<label>");
    ngx_http_aiobs_requests_text(requests, name);
    ngx_http_aiobs_requests_text(requests, " <input name=\"");
    ngx_http_aiobs_requests_text(requests, name);
    ngx_http_aiobs_requests_text(requests, "\" value=\"");
    ngx_http_aiobs_page_escape(requests, value->data, value->len);
    ngx_http_aiobs_requests_text(requests, "\"></label>");
}


static void
ngx_http_aiobs_page_cell(ngx_http_aiobs_requests_t *requests, json_t *json,
    const char *name)
{
    u_char   buf[64];
    json_t  *value;

    value = json_object_get(json, name);

    if (json_is_number(value)) {
        ngx_http_aiobs_requests_text(requests, "<td class=\"n\">");

        ngx_http_aiobs_requests_add(requests, buf,
            (json_is_integer(value)
             ? ngx_sprintf(buf, "%L", (int64_t) json_integer_value(value))
             : ngx_sprintf(buf, "%.3f", json_real_value(value))) - buf);

    } else {
        ngx_http_aiobs_requests_text(requests, "<td>");
        ngx_http_aiobs_page_member(requests, json, name);
    }

    ngx_http_aiobs_requests_text(requests, "</td>");
}


/* a text; nothing where there is none */

static void
ngx_http_aiobs_page_member(ngx_http_aiobs_requests_t *requests, json_t *json,
    const char *name)
{
    const char  *text;

    text = json_string_value(json_object_get(json, name));

    if (text) {
        ngx_http_aiobs_page_escape(requests, (u_char *) text,
                                   ngx_strlen(text));
    }
}


static ngx_int_t
ngx_http_aiobs_page_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    return ngx_http_aiobs_header_push(r, &r->headers_out.headers, name,
                                      ngx_strlen(name), value)
           ? NGX_OK : NGX_ERROR;
}


/* nothing but the one style, which is named by its hash */

static ngx_int_t
ngx_http_aiobs_page_policy(ngx_http_request_t *r, ngx_str_t *policy)
{
    u_char       digest[EVP_MAX_MD_SIZE], text[64];
    ngx_str_t    hash, base64;

    static const char  style[] = NGX_HTTP_AIOBS_PAGE_STYLE;

    if (EVP_Digest(style, sizeof(style) - 1, digest, NULL, EVP_sha256(), NULL)
        != 1)
    {
        return NGX_ERROR;
    }

    hash.data = digest;
    hash.len = 32;
    base64.data = text;
    ngx_encode_base64(&base64, &hash);

    policy->data = ngx_pnalloc(r->pool, 256);
    if (policy->data == NULL) {
        return NGX_ERROR;
    }

    policy->len = ngx_sprintf(policy->data,
                              "default-src 'none'; style-src 'sha256-%V'; "
                              "form-action 'self'; base-uri 'none'; "
                              "frame-ancestors 'none'", &base64)
                  - policy->data;

    return NGX_OK;
}
