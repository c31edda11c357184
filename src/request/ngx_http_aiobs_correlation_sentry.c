
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
#define NGX_HTTP_AIOBS_BAGGAGE_MAX         8192 /* bytes; W3C Baggage, 3.3.2 */


static ngx_uint_t ngx_http_aiobs_add_baggage(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_header_t *add);
static void ngx_http_aiobs_baggage_join(ngx_http_request_t *r,
    ngx_str_t *list, ngx_str_t *members);
static ngx_uint_t ngx_http_aiobs_sentry_list(ngx_str_t *list,
    ngx_http_aiobs_sentry_member_pt handler, void *data);
static ngx_int_t ngx_http_aiobs_sentry_same(ngx_http_aiobs_ctx_t *ctx,
    u_char *flag);
static ngx_int_t ngx_http_aiobs_sentry_parts(ngx_str_t *line, u_char **start,
    u_char *flag);
static void ngx_http_aiobs_sentry_baggage(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_sentry_strip(ngx_http_request_t *r,
    ngx_str_t *list);


static ngx_http_aiobs_name_t  ngx_http_aiobs_sentry_trace =
    ngx_http_aiobs_name("sentry-trace", "sentry-trace");

static ngx_http_aiobs_name_t  ngx_http_aiobs_baggage =
    ngx_http_aiobs_name("baggage", "baggage");


/* what nobody has decided is decided here, as for a trace of our own */

void
ngx_http_aiobs_sentry_parent(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    u_char  *p, *start, flag;

    /* SDKs do not go on with the trace of another organisation either */

    ctx->foreign = ngx_http_aiobs_sentry_foreign(r);

    if (ctx->foreign || ctx->traceparent.data
        || ngx_http_aiobs_sentry_parts(&ctx->sentry_trace, &start, &flag)
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
    ngx_uint_t               told;
    ngx_http_aiobs_trace_t  *t;

    t = ngx_http_aiobs_trace(ctx);
    flag = '\0';

    if (ctx->sentry_trace.len) {
        (void) ngx_http_aiobs_sentry_same(ctx, &flag);
    }

    told = ngx_http_aiobs_sentry_kept(r, ctx);

    if (!told) {
        ngx_http_aiobs_sentry_baggage(r, ctx);
        told = (flag != '\0');
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

    return told ? 1 : 1 + ngx_http_aiobs_add_baggage(r, ctx, add + 1);
}


/*
 * Without it SDKs take us for one too old to say how the trace is sampled, and
 * do not tell Sentry either.  A list that is there gets it behind its own
 * members, as many who read baggage look at its first line only.
 */

static ngx_uint_t
ngx_http_aiobs_add_baggage(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_header_t *add)
{
    ngx_str_t         members;
    ngx_table_elt_t  *h;

    if (ngx_http_aiobs_sentry_told(r, ctx, &members) != NGX_OK) {
        return 0;
    }

    ctx->own_baggage = 1;

    h = ngx_http_aiobs_header_find(&r->headers_in.headers, "baggage",
                                   sizeof("baggage") - 1);

    if (h) {
        ngx_http_aiobs_baggage_join(r, &h->value, &members);
        return 0;
    }

    add->name = &ngx_http_aiobs_baggage;
    add->value = members;

    return 1;
}


static void
ngx_http_aiobs_baggage_join(ngx_http_request_t *r, ngx_str_t *list,
    ngx_str_t *members)
{
    u_char  *p;
    size_t   len;

    len = list->len + 1 + members->len;

    if (len > NGX_HTTP_AIOBS_BAGGAGE_MAX) {
        return;
    }

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return;
    }

    len = ngx_sprintf(p, "%V%s%V%Z", list, list->len ? "," : "", members) - p;

    list->data = p;
    list->len = len - 1;
}


ngx_uint_t
ngx_http_aiobs_sentry_kept(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    u_char  flag;

    return (ctx->sentry_trace.len == 0
            || ngx_http_aiobs_sentry_same(ctx, &flag) == NGX_OK)
           && ngx_http_aiobs_sentry_said(r, ctx);
}


void
ngx_http_aiobs_sentry_untold(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    if (ctx->own_baggage) {
        ngx_http_aiobs_sentry_baggage(r, ctx);
    }
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

    if (!ctx->foreign
        && ngx_http_aiobs_sentry_parts(&ctx->sentry_trace, &start, flag)
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
ngx_http_aiobs_sentry_baggage(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_aiobs_header_is(&h[i], "baggage",
                                         sizeof("baggage") - 1)
                && h[i].value.len)
            {
                ngx_http_aiobs_sentry_strip(r, &h[i].value);
                ctx->emptied |= (h[i].value.len == 0);
            }
        }
    }
}


ngx_uint_t
ngx_http_aiobs_sentry_members(ngx_http_request_t *r,
    ngx_http_aiobs_sentry_member_pt handler, void *data)
{
    ngx_uint_t        i, n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_aiobs_header_is(&h[i], "baggage",
                                         sizeof("baggage") - 1))
            {
                n += ngx_http_aiobs_sentry_list(&h[i].value, handler, data);
            }
        }
    }

    return n;
}


static ngx_uint_t
ngx_http_aiobs_sentry_list(ngx_str_t *list,
    ngx_http_aiobs_sentry_member_pt handler, void *data)
{
    u_char      *p, *end, *equals, *last;
    ngx_str_t    name, value;
    ngx_uint_t   n;

    n = 0;
    last = list->data + list->len;

    for (p = list->data; p < last; p = end + 1) {
        end = ngx_strlchr(p, last, ',');
        end = end ? end : last;

        while (p < end && (*p == ' ' || *p == '\t')) {
            p++;
        }

        equals = ngx_strlchr(p, end, '=');

        if (equals == NULL || equals - p < 7
            || ngx_strncmp(p, "sentry-", 7) != 0)
        {
            continue;
        }

        n++;

        name.data = p + 7;
        name.len = equals - name.data;
        value.data = equals + 1;
        value.len = end - value.data;

        handler(data, &name, &value);
    }

    return n;
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
