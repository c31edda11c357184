
/*
 * Copyright (C) the aiobs authors
 *
 * The trace of a request: whose it is, and whether it is recorded.  W3C Trace
 * Context, https://www.w3.org/TR/trace-context/
 */


#include "ngx_http_aiobs_request.h"
#include "aiobs_hex.h"


#define NGX_HTTP_AIOBS_STATE_MAX      512   /* bytes of tracestate passed on */
#define NGX_HTTP_AIOBS_STATE_MEMBERS  32
#define NGX_HTTP_AIOBS_STATE_LARGE    128   /* bytes of a member */
#define NGX_HTTP_AIOBS_STATE_KEY      256   /* bytes; of a value as well */


static ngx_uint_t ngx_http_aiobs_trace_wanted(ngx_http_request_t *r,
    ngx_http_aiobs_trace_conf_t *conf, uint64_t *ratio);
static void ngx_http_aiobs_trace_new(ngx_http_aiobs_trace_t *t);
static void ngx_http_aiobs_trace_anew(ngx_http_aiobs_trace_t *t);
static ngx_uint_t ngx_http_aiobs_trace_parse(ngx_http_aiobs_trace_t *t,
    ngx_str_t *value);
static ngx_uint_t ngx_http_aiobs_is_hex(u_char *p, size_t len);
static void ngx_http_aiobs_trace_state(ngx_http_request_t *r,
    ngx_http_aiobs_trace_t *t, ngx_str_t *value);
static void ngx_http_aiobs_trace_shorten(ngx_http_request_t *r,
    ngx_str_t *members, ngx_uint_t n, ngx_str_t *state);
static ngx_int_t ngx_http_aiobs_trace_member(u_char *p, u_char *last);


void
ngx_http_aiobs_trace_begin(ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_trace_t  *t;

    t = &ctx->trace;
    t->begun = 1;

    if (!ctx->traceparent.len
        || !ngx_http_aiobs_trace_parse(t, &ctx->traceparent))
    {
        ngx_http_aiobs_trace_new(t);
        return;
    }

    t->has_parent = 1;

    if (ctx->tracestate.len) {
        ngx_http_aiobs_trace_state(ctx->request, t, &ctx->tracestate);
    }

    ngx_http_aiobs_random_hex(t->span_id, sizeof(t->span_id));
}


ngx_uint_t
ngx_http_aiobs_trace_of_client(ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_trace_t *t)
{
    ngx_str_null(&t->state);

    if (!ngx_http_aiobs_trace_parse(t, &ctx->traceparent)) {
        return 0;
    }

    if (ctx->tracestate.len) {
        ngx_http_aiobs_trace_state(ctx->request, t, &ctx->tracestate);
    }

    return 1;
}


/* ids of both, by one look at random bytes */

static void
ngx_http_aiobs_trace_new(ngx_http_aiobs_trace_t *t)
{
    u_char  b[24];

    ngx_http_aiobs_random_id(b, sizeof(b));

    b[0] |= 1;                      /* an id of zeros is invalid */
    b[16] |= 1;

    aiobs_hex8(t->trace_id, b);
    aiobs_hex8(t->trace_id + 16, b + 8);
    aiobs_hex8(t->span_id, b + 16);
}


void
ngx_http_aiobs_trace_decide_now(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    uint64_t                      ratio;
    ngx_uint_t                    parent;
    ngx_http_aiobs_trace_t       *t;
    ngx_http_aiobs_trace_conf_t  *conf;

    t = &ctx->trace;
    conf = &ctx->location->trace;

    t->decided = 1;

    if (conf->mode == NGX_HTTP_AIOBS_TRACE_OFF) {
        return;
    }

    t->traced = ngx_http_aiobs_trace_wanted(r, conf, &ratio);

    if (!t->traced) {
        return;
    }

    (void) ngx_http_aiobs_trace(ctx);

    parent = ngx_http_aiobs_trace_parent(ctx);

    if (t->has_parent && parent != NGX_HTTP_AIOBS_PARENT_TRUST) {
        t->linked = (parent == NGX_HTTP_AIOBS_PARENT_LINK);
        ngx_http_aiobs_trace_anew(t);
    }

    if (!t->has_parent || t->undecided || !conf->parent_based) {
        t->sampled = ngx_http_aiobs_trace_below(ngx_http_aiobs_trace_lot(ctx),
                                                ratio);
    }
}


ngx_uint_t
ngx_http_aiobs_trace_parent(ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t  parent;

    parent = ctx->location->trace.parent;

    if (parent != NGX_HTTP_AIOBS_PARENT_AUTO) {
        return parent;
    }

    return ctx->validated
           && ctx->identity->verdict == NGX_HTTP_AIOBS_KEY_VALID
           ? NGX_HTTP_AIOBS_PARENT_TRUST : NGX_HTTP_AIOBS_PARENT_LINK;
}


static ngx_uint_t
ngx_http_aiobs_trace_wanted(ngx_http_request_t *r,
    ngx_http_aiobs_trace_conf_t *conf, uint64_t *ratio)
{
    ngx_str_t  value;

    *ratio = conf->ratio;

    if (conf->mode != NGX_HTTP_AIOBS_TRACE_VARIABLE) {
        return conf->mode == NGX_HTTP_AIOBS_TRACE_ON;
    }

    if (ngx_http_complex_value(r, conf->value, &value) != NGX_OK) {
        return 0;
    }

    if (value.len == 2 && ngx_strncmp(value.data, "on", 2) == 0) {
        return 1;
    }

    /* "off" and what else is no number are no ratio, and "0" is none */

    return ngx_http_aiobs_trace_ratio(&value, ratio) == NGX_OK && *ratio;
}


/* the client's trace goes on without us */

static void
ngx_http_aiobs_trace_anew(ngx_http_aiobs_trace_t *t)
{
    ngx_http_aiobs_random_hex(t->trace_id, sizeof(t->trace_id));

    ngx_str_null(&t->state);

    t->has_parent = 0;
    t->random = 0;
}


/*
 * The random part of a trace id, W3C Trace Context Level 2, is its last 56
 * bits.  A stranger whose trace goes on here may have chosen them: then those
 * of our own span, also when a redirect leads to where he shows a key.
 */

u_char *
ngx_http_aiobs_trace_lot(ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_trace_t  *t;

    t = ngx_http_aiobs_trace(ctx);

    if (!t->drawn) {
        t->drawn = 1;
        t->own_lot = t->has_parent && ngx_http_aiobs_trace_parent(ctx)
                                      != NGX_HTTP_AIOBS_PARENT_TRUST;
    }

    if (t->own_lot) {
        return t->span_id + NGX_HTTP_AIOBS_SPAN_ID_LEN
               - NGX_HTTP_AIOBS_TRACE_LOT;
    }

    return t->trace_id + NGX_HTTP_AIOBS_TRACE_ID_LEN
           - NGX_HTTP_AIOBS_TRACE_LOT;
}


/* digit by digit, the first of them nearly always decides */

ngx_uint_t
ngx_http_aiobs_trace_below(u_char *lot, uint64_t ratio)
{
    u_char      c;
    ngx_uint_t  n, shift;

    if (ratio >= NGX_HTTP_AIOBS_TRACE_ALL) {
        return 1;
    }

    for (shift = 56; shift; /* void */ ) {
        shift -= 4;
        c = *lot++;
        n = c <= '9' ? c - '0' : c - 'a' + 10;

        if (n != (ratio >> shift & 0xf)) {
            return n < (ratio >> shift & 0xf);
        }
    }

    return 0;
}


u_char *
ngx_http_aiobs_trace_client(ngx_http_aiobs_trace_t *t)
{
    if (t->client_id[0] == '\0') {
        ngx_http_aiobs_random_hex(t->client_id, sizeof(t->client_id));
    }

    return t->client_id;
}


void
ngx_http_aiobs_traceparent(ngx_http_aiobs_trace_t *t, ngx_str_t *value)
{
    u_char  *p;

    p = ngx_cpymem(t->header, "00-", 3);
    p = ngx_cpymem(p, t->trace_id, sizeof(t->trace_id));
    *p++ = '-';
    p = ngx_cpymem(p, ngx_http_aiobs_trace_told(t), NGX_HTTP_AIOBS_SPAN_ID_LEN);
    *p++ = '-';
    *p++ = '0';
    *p = '0' + t->sampled + 2 * t->random;

    value->data = t->header;
    value->len = NGX_HTTP_AIOBS_TRACEPARENT_LEN;
}


/*
 * version "-" trace-id "-" parent-id "-" flags; a version above 00 may go on
 * after a further "-", version ff and ids of zeros are invalid.  That an id is
 * random, the second flag, is passed on as Level 2 wants it.
 */

static ngx_uint_t
ngx_http_aiobs_trace_parse(ngx_http_aiobs_trace_t *t, ngx_str_t *value)
{
    u_char     *p;
    size_t      len;
    ngx_int_t   flags;

    static u_char  zeros[] = "00000000000000000000000000000000";

    p = value->data;
    len = value->len;

    /* nginx leaves tabs where it takes spaces */

    for ( /* void */ ; len && (*p == '\t' || *p == ' '); p++) {
        len--;
    }

    while (len && (p[len - 1] == '\t' || p[len - 1] == ' ')) {
        len--;
    }

    if (len < NGX_HTTP_AIOBS_TRACEPARENT_LEN
        || p[2] != '-' || p[35] != '-' || p[52] != '-'
        || !ngx_http_aiobs_is_hex(p, 2)
        || !ngx_http_aiobs_is_hex(p + 3, 32)
        || !ngx_http_aiobs_is_hex(p + 36, 16)
        || !ngx_http_aiobs_is_hex(p + 53, 2)
        || ngx_strncmp(p, "ff", 2) == 0
        || ngx_memcmp(p + 3, zeros, 32) == 0
        || ngx_memcmp(p + 36, zeros, 16) == 0)
    {
        return 0;
    }

    if (len > NGX_HTTP_AIOBS_TRACEPARENT_LEN
        && (ngx_strncmp(p, "00", 2) == 0
            || p[NGX_HTTP_AIOBS_TRACEPARENT_LEN] != '-'))
    {
        return 0;
    }

    flags = ngx_hextoi(p + 53, 2);

    ngx_memcpy(t->trace_id, p + 3, sizeof(t->trace_id));
    ngx_memcpy(t->parent_id, p + 36, sizeof(t->parent_id));
    t->sampled = flags & 1;
    t->random = flags >> 1 & 1;

    return 1;
}


static ngx_uint_t
ngx_http_aiobs_is_hex(u_char *p, size_t len)
{
    while (len--) {
        if (!((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'f'))) {
            return 0;
        }

        p++;
    }

    return 1;
}


void
ngx_http_aiobs_random_hex(u_char *p, size_t len)
{
    u_char  b[NGX_HTTP_AIOBS_TRACE_ID_LEN / 2];

    if (len == NGX_HTTP_AIOBS_TRACE_ID_LEN) {
        ngx_http_aiobs_random_id(b, sizeof(b));
        aiobs_hex8(p + 16, b + 8);

    } else {
        ngx_http_aiobs_random_id(b, NGX_HTTP_AIOBS_SPAN_ID_LEN / 2);
    }

    b[0] |= 1;                      /* an id of zeros is invalid */

    aiobs_hex8(p, b);
}


/* W3C Trace Context, 3.3: a list with a member that is none is no list */

static void
ngx_http_aiobs_trace_state(ngx_http_request_t *r, ngx_http_aiobs_trace_t *t,
    ngx_str_t *value)
{
    u_char      *p, *end, *last;
    ngx_int_t    rc;
    ngx_str_t    members[NGX_HTTP_AIOBS_STATE_MEMBERS];
    ngx_uint_t   n;

    p = value->data;
    last = p + value->len;

    for (n = 0; p < last; p = end + 1) {
        end = ngx_strlchr(p, last, ',');
        end = end ? end : last;

        rc = ngx_http_aiobs_trace_member(p, end);

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc == NGX_ERROR || n == NGX_HTTP_AIOBS_STATE_MEMBERS) {
            return;
        }

        members[n].data = p;
        members[n++].len = end - p;
    }

    if (n && value->len <= NGX_HTTP_AIOBS_STATE_MAX) {
        t->state = *value;

    } else if (n) {
        ngx_http_aiobs_trace_shorten(r, members, n, &t->state);
    }
}


/*
 * 3.3.1.5: of a list that is too long the last of the large members go first,
 * then the last ones: the latest are the first.
 */

static void
ngx_http_aiobs_trace_shorten(ngx_http_request_t *r, ngx_str_t *members,
    ngx_uint_t n, ngx_str_t *state)
{
    u_char      *p;
    size_t       len, min;
    ngx_uint_t   i, pass;

    for (len = 0, i = 0; i < n; i++) {
        len += members[i].len + 1;
    }

    for (pass = 0; pass < 2; pass++) {
        min = pass ? 1 : NGX_HTTP_AIOBS_STATE_LARGE + 1;

        for (i = n; i-- > 0 && len > NGX_HTTP_AIOBS_STATE_MAX + 1; /* void */) {
            if (members[i].len >= min) {
                len -= members[i].len + 1;
                members[i].len = 0;
            }
        }
    }

    p = len ? ngx_pnalloc(r->pool, len) : NULL;
    if (p == NULL) {
        return;
    }

    state->data = p;

    for (i = 0; i < n; i++) {
        if (members[i].len) {
            p = ngx_cpymem(p, members[i].data, members[i].len);
            *p++ = ',';
        }
    }

    state->len = p - state->data - 1;
}


/* NGX_DECLINED: an empty one, which is allowed */

static ngx_int_t
ngx_http_aiobs_trace_member(u_char *p, u_char *last)
{
    u_char  *key;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (last > p && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    if (p == last) {
        return NGX_DECLINED;
    }

    for (key = p; p < last && *p != '='; p++) {
        if ((*p < 'a' || *p > 'z') && (*p < '0' || *p > '9')
            && (p == key || ngx_strchr("_-*/@", *p) == NULL || *p == '\0'))
        {
            return NGX_ERROR;
        }
    }

    if (p == key || p == last || p + 1 == last
        || p - key > NGX_HTTP_AIOBS_STATE_KEY
        || last - p - 1 > NGX_HTTP_AIOBS_STATE_KEY)
    {
        return NGX_ERROR;
    }

    while (++p < last) {
        if (*p < ' ' || *p > '~' || *p == '=') {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
