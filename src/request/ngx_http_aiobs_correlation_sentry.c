
/*
 * Copyright (C) the aiobs authors
 *
 * The trace as Sentry's SDKs know it, which look at no traceparent:
 * "sentry-trace: TRACE-SPAN[-SAMPLED]", and the members of baggage that go
 * with it, https://develop.sentry.dev/sdk/telemetry/traces/
 */


#include "ngx_http_aiobs_request.h"
#include "../telemetry/ngx_http_aiobs_telemetry.h"


#define NGX_HTTP_AIOBS_SENTRY_TRACE_LEN    49   /* without the last part */


static ngx_int_t ngx_http_aiobs_sentry_same(ngx_http_aiobs_ctx_t *ctx,
    u_char *flag);
static ngx_int_t ngx_http_aiobs_sentry_parts(ngx_str_t *line, u_char **start,
    u_char *flag);
static void ngx_http_aiobs_sentry_baggage(ngx_http_request_t *r);
static void ngx_http_aiobs_sentry_strip(ngx_http_request_t *r,
    ngx_str_t *list);


static ngx_http_aiobs_name_t  ngx_http_aiobs_sentry_trace =
    ngx_http_aiobs_name("sentry-trace", "sentry-trace");


/* what nobody has decided is decided here, as for a trace of our own */

void
ngx_http_aiobs_sentry_parent(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    u_char  *p, *start, flag;

    if (ngx_http_aiobs_sentry_parts(&ctx->sentry_trace, &start, &flag)
        != NGX_OK)
    {
        return;
    }

    p = ngx_pnalloc(r->pool, NGX_HTTP_AIOBS_TRACEPARENT_LEN);
    if (p == NULL) {
        return;
    }

    ctx->traceparent.data = p;
    ctx->traceparent.len = NGX_HTTP_AIOBS_TRACEPARENT_LEN;

    p = ngx_cpymem(p, "00-", 3);
    p = ngx_cpymem(p, start, NGX_HTTP_AIOBS_SENTRY_TRACE_LEN);
    p = ngx_cpymem(p, "-00", 3);

    if (flag == '1') {
        p[-1] = '1';
    }

    ctx->trace.undecided = (flag == '\0');
}


/*
 * The span is that of traceparent.  A client who goes on here has the last
 * word on its flag; without any, whoever is called decides for himself.
 */

ngx_uint_t
ngx_http_aiobs_add_sentry_trace(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_header_t *add)
{
    u_char                  *p, flag;
    ngx_http_aiobs_trace_t  *t;

    t = ngx_http_aiobs_trace(ctx);
    flag = '\0';

    if (ctx->sentry_trace.len
        && ngx_http_aiobs_sentry_same(ctx, &flag) != NGX_OK)
    {
        ngx_http_aiobs_sentry_baggage(r);
    }

    if (flag == '\0') {
        flag = ngx_http_aiobs_sentry_flag(r, ctx);
    }

    p = ngx_pnalloc(r->pool, NGX_HTTP_AIOBS_SENTRY_TRACE_LEN + 2);
    if (p == NULL) {
        return 0;
    }

    add->name = &ngx_http_aiobs_sentry_trace;
    add->value.data = p;

    p = ngx_cpymem(p, t->trace_id, sizeof(t->trace_id));
    *p++ = '-';
    p = ngx_cpymem(p, ngx_http_aiobs_trace_told(t),
                   NGX_HTTP_AIOBS_SPAN_ID_LEN);

    if (flag) {
        *p++ = '-';
        *p++ = flag;
    }

    add->value.len = p - add->value.data;

    return 1;
}


/* as with Sentry's SDKs, before any rate of our own */

u_char
ngx_http_aiobs_sentry_inherited(ngx_http_aiobs_ctx_t *ctx)
{
    u_char  flag;

    if (ctx->sentry_trace.len == 0
        || ngx_http_aiobs_trace_parent(ctx) != NGX_HTTP_AIOBS_PARENT_TRUST
        || ngx_http_aiobs_sentry_same(ctx, &flag) != NGX_OK)
    {
        return '\0';
    }

    return flag;
}


/* NGX_DECLINED: it is of another trace than ours, or none; flag: as below */

static ngx_int_t
ngx_http_aiobs_sentry_same(ngx_http_aiobs_ctx_t *ctx, u_char *flag)
{
    u_char                  *start;
    ngx_http_aiobs_trace_t  *t;

    t = ngx_http_aiobs_trace(ctx);

    if (ngx_http_aiobs_sentry_parts(&ctx->sentry_trace, &start, flag)
        == NGX_OK
        && ngx_memcmp(start, t->trace_id, sizeof(t->trace_id)) == 0)
    {
        return NGX_OK;
    }

    *flag = '\0';

    return NGX_DECLINED;
}


/* flag: '1', '0', or '\0' where there is none; whether ids are ids: later */

static ngx_int_t
ngx_http_aiobs_sentry_parts(ngx_str_t *line, u_char **start, u_char *flag)
{
    u_char  *p, *last;

    p = line->data;
    last = p + line->len;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (last > p && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    *start = p;
    *flag = '\0';

    if (last - p < NGX_HTTP_AIOBS_SENTRY_TRACE_LEN
        || p[NGX_HTTP_AIOBS_TRACE_ID_LEN] != '-')
    {
        return NGX_DECLINED;
    }

    p += NGX_HTTP_AIOBS_SENTRY_TRACE_LEN;

    if (p == last) {
        return NGX_OK;
    }

    if (last - p != 2 || p[0] != '-' || (p[1] != '0' && p[1] != '1')) {
        return NGX_DECLINED;
    }

    *flag = p[1];

    return NGX_OK;
}


/* they say how a trace is sampled that does not go on here */

static void
ngx_http_aiobs_sentry_baggage(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_aiobs_header_is(&h[i], "baggage",
                                         sizeof("baggage") - 1))
            {
                ngx_http_aiobs_sentry_strip(r, &h[i].value);
            }
        }
    }
}


static void
ngx_http_aiobs_sentry_strip(ngx_http_request_t *r, ngx_str_t *list)
{
    u_char  *p, *key, *end, *last, *to;

    to = ngx_pnalloc(r->pool, list->len + 1);
    if (to == NULL) {
        list->len = 0;
        return;
    }

    p = list->data;
    last = p + list->len;
    list->data = to;

    for ( /* void */ ; p < last; p = end + 1) {
        end = ngx_strlchr(p, last, ',');
        end = end ? end : last;

        for (key = p; key < end && (*key == ' ' || *key == '\t'); key++) {
            /* void */
        }

        if (end - key >= 7 && ngx_strncmp(key, "sentry-", 7) == 0) {
            continue;
        }

        if (to > list->data) {
            *to++ = ',';
        }

        to = ngx_cpymem(to, p, end - p);
    }

    *to = '\0';
    list->len = to - list->data;
}
