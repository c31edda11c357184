
/*
 * Copyright (C) the aiobs authors
 *
 * How a trace is sampled, so that Sentry can tell how many there were, and so
 * that all SDKs in it say the same: the first of them says it, for all others.
 * https://develop.sentry.dev/sdk/foundations/trace-propagation/dynamic-sampling-context/
 */


#include "ngx_http_aiobs_sentry.h"


#define NGX_HTTP_AIOBS_SENTRY_CONTEXT  2048     /* bytes: two names, a rate */
#define NGX_HTTP_AIOBS_SENTRY_MEMBERS  16       /* of another SDK */
#define NGX_HTTP_AIOBS_SENTRY_VALUE    256      /* bytes of one */


/* members of a client's baggage, on their way into an envelope's header */

typedef struct {
    ngx_http_aiobs_sentry_out_t  out;
    ngx_http_aiobs_ctx_t        *ctx;
    ngx_uint_t                   n;
    ngx_str_t                    names[NGX_HTTP_AIOBS_SENTRY_MEMBERS];
} ngx_http_aiobs_sentry_members_t;


/* what a client's baggage is of; where it is not known any will do */

typedef struct {
    ngx_str_t                    org;
    ngx_str_t                    trace;
    ngx_uint_t                   other;
} ngx_http_aiobs_sentry_of_t;


static ngx_uint_t ngx_http_aiobs_sentry_of(ngx_http_request_t *r,
    ngx_http_aiobs_sentry_of_t *of);
static void ngx_http_aiobs_sentry_of_member(void *data, ngx_str_t *name,
    ngx_str_t *value);
static ngx_uint_t ngx_http_aiobs_sentry_is(ngx_str_t *name, const char *text);
static u_char *ngx_http_aiobs_sentry_pair(u_char *p, const char *name,
    ngx_str_t *value);
static uint64_t ngx_http_aiobs_sentry_rand(u_char *lot, ngx_uint_t *sampled,
    ngx_http_aiobs_sentry_t *sentry);
static void ngx_http_aiobs_sentry_read(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static void ngx_http_aiobs_sentry_read_member(void *data, ngx_str_t *name,
    ngx_str_t *value);
static ngx_uint_t ngx_http_aiobs_sentry_read_name(
    ngx_http_aiobs_sentry_members_t *members, ngx_str_t *name);
static ngx_uint_t ngx_http_aiobs_sentry_read_shown(ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *name, ngx_str_t *value);
static ngx_uint_t ngx_http_aiobs_sentry_read_valid(ngx_str_t *name,
    ngx_str_t *value);
static ngx_uint_t ngx_http_aiobs_sentry_read_value(ngx_str_t *value,
    u_char buf[NGX_HTTP_AIOBS_SENTRY_VALUE]);


char *
ngx_http_aiobs_sentry_context(ngx_conf_t *cf, ngx_http_aiobs_sentry_t *sentry)
{
    char                          rate[32];
    u_char                       *buf, *p;
    ngx_str_t                     value;
    ngx_http_aiobs_sentry_out_t   out;

    buf = ngx_pnalloc(cf->pool, 2 * NGX_HTTP_AIOBS_SENTRY_CONTEXT
                                + sentry->public_key.len);
    if (buf == NULL) {
        return NGX_CONF_ERROR;
    }

    value.data = (u_char *) rate;
    value.len = sentry->traces_sample_rate == 0 ? 0
                : snprintf(rate, sizeof(rate), "%.9g",
                           (double) sentry->traces_sample_rate
                           / (double) NGX_HTTP_AIOBS_TRACE_ALL);

    out.p = buf;
    out.last = buf + NGX_HTTP_AIOBS_SENTRY_CONTEXT;
    out.full = 0;

    ngx_http_aiobs_sentry_member(&out, "environment", &sentry->environment);
    ngx_http_aiobs_sentry_member(&out, "release", &sentry->release);
    ngx_http_aiobs_sentry_member(&out, "org_id", &sentry->org_id);
    ngx_http_aiobs_sentry_member(&out, "sample_rate", &value);

    sentry->context.data = buf;
    sentry->context.len = out.p - buf;

    sentry->baggage.data = out.p;

    p = ngx_http_aiobs_sentry_pair(out.p, "public_key", &sentry->public_key);
    p = ngx_http_aiobs_sentry_pair(p, "environment", &sentry->environment);
    p = ngx_http_aiobs_sentry_pair(p, "release", &sentry->release);
    p = ngx_http_aiobs_sentry_pair(p, "org_id", &sentry->org_id);
    p = ngx_http_aiobs_sentry_pair(p, "sample_rate", &value);

    sentry->baggage.len = p - sentry->baggage.data;

    return NGX_CONF_OK;
}


/* a further member of baggage, in which a value may have any bytes */

static u_char *
ngx_http_aiobs_sentry_pair(u_char *p, const char *name, ngx_str_t *value)
{
    if (value->len == 0) {
        return p;
    }

    p = ngx_sprintf(p, ",sentry-%s=", name);

    return (u_char *) ngx_escape_uri(p, value->data, value->len,
                                     NGX_ESCAPE_URI_COMPONENT);
}


u_char *
ngx_http_aiobs_sentry_sampling(ngx_http_aiobs_sentry_t *sentry, u_char *lot,
    u_char *p)
{
    uint64_t    n;
    ngx_uint_t  sampled;

    p = ngx_cpymem(p, sentry->context.data, sentry->context.len);

    n = ngx_http_aiobs_sentry_rand(lot, &sampled, sentry);
    p = ngx_sprintf(p, ",\"sample_rand\":\"0.%09uL\"", n);

    return sentry->traces_sample_rate == 0 ? p
           : ngx_sprintf(p, ",\"sampled\":\"%s\"", sampled ? "true" : "false");
}


/* billionths of the random number that decides, and what it has decided */

static uint64_t
ngx_http_aiobs_sentry_rand(u_char *lot, ngx_uint_t *sampled,
    ngx_http_aiobs_sentry_t *sentry)
{
    uint64_t  n;

    n = (uint64_t) ngx_hextoi(lot, NGX_HTTP_AIOBS_TRACE_LOT);

    *sampled = n < sentry->traces_sample_rate;

    return (uint64_t) ((double) (n >> 8) / (1ULL << 48) * 1e9);
}


ngx_int_t
ngx_http_aiobs_sentry_told(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_str_t *members)
{
    u_char                      *p, buf[NGX_HTTP_AIOBS_SENTRY_NAME];
    uint64_t                     n;
    ngx_str_t                    name;
    ngx_uint_t                   sampled;
    ngx_http_aiobs_trace_t      *t;
    ngx_http_aiobs_sentry_t     *sentry;
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);
    sentry = amcf->sentry;
    t = ngx_http_aiobs_trace(ctx);

    ngx_http_aiobs_sentry_title(r, ctx, buf, &name);

    p = ngx_pnalloc(r->pool, sentry->baggage.len + 3 * name.len + 256);
    if (p == NULL) {
        return NGX_ERROR;
    }

    members->data = p;

    p = ngx_sprintf(p, "sentry-trace_id=%*s%V", sizeof(t->trace_id),
                    t->trace_id, &sentry->baggage);

    n = ngx_http_aiobs_sentry_rand(ngx_http_aiobs_trace_lot(ctx), &sampled,
                                   sentry);
    p = ngx_sprintf(p, ",sentry-sample_rand=0.%09uL", n);

    if (sentry->traces_sample_rate) {
        p = ngx_sprintf(p, ",sentry-sampled=%s", sampled ? "true" : "false");
        p = ngx_http_aiobs_sentry_pair(p, "transaction", &name);
    }

    members->len = p - members->data;

    return NGX_OK;
}


ngx_uint_t
ngx_http_aiobs_sentry_foreign(ngx_http_request_t *r)
{
    ngx_http_aiobs_sentry_of_t  of;

    ngx_str_null(&of.trace);

    (void) ngx_http_aiobs_sentry_of(r, &of);

    return of.other;
}


ngx_uint_t
ngx_http_aiobs_sentry_said(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_aiobs_trace_t      *t;
    ngx_http_aiobs_sentry_of_t   of;

    t = ngx_http_aiobs_trace(ctx);

    if (!t->has_parent || ctx->own_baggage) {
        return 0;
    }

    of.trace.data = t->trace_id;
    of.trace.len = sizeof(t->trace_id);

    return ngx_http_aiobs_sentry_of(r, &of) && !of.other;
}


/* how many members there are */

static ngx_uint_t
ngx_http_aiobs_sentry_of(ngx_http_request_t *r, ngx_http_aiobs_sentry_of_t *of)
{
    ngx_http_aiobs_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    of->org = amcf->sentry->org_id;
    of->other = 0;

    return ngx_http_aiobs_sentry_members(r, ngx_http_aiobs_sentry_of_member,
                                         of);
}


static void
ngx_http_aiobs_sentry_of_member(void *data, ngx_str_t *name, ngx_str_t *value)
{
    ngx_http_aiobs_sentry_of_t *of = data;

    u_char      buf[NGX_HTTP_AIOBS_SENTRY_VALUE];
    ngx_str_t  *own;

    own = ngx_http_aiobs_sentry_is(name, "org_id") ? &of->org
          : ngx_http_aiobs_sentry_is(name, "trace_id") ? &of->trace : NULL;

    if (own == NULL || own->len == 0) {
        return;
    }

    of->other |= !ngx_http_aiobs_sentry_read_value(value, buf)
                 || (value->len
                     && (value->len != own->len
                         || ngx_memcmp(value->data, own->data, own->len)
                            != 0));
}


static ngx_uint_t
ngx_http_aiobs_sentry_is(ngx_str_t *name, const char *text)
{
    return name->len == ngx_strlen(text)
           && ngx_memcmp(name->data, text, name->len) == 0;
}


ngx_uint_t
ngx_http_aiobs_sentry_frozen(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t  told;

    told = ngx_http_aiobs_sentry_kept(r, ctx);

    if (!told && !ngx_http_aiobs_sentry_inherited(ctx)) {
        return 0;
    }

    ngx_str_null(&out->name);

    if (told
        && ngx_http_aiobs_trace_parent(ctx) == NGX_HTTP_AIOBS_PARENT_TRUST)
    {
        ngx_http_aiobs_sentry_read(out, sentry, r, ctx);
    }

    return NGX_HTTP_AIOBS_SENTRY_FROZEN;
}


/* nobody behind the first may change it: as it is, or not at all */

static void
ngx_http_aiobs_sentry_read(ngx_http_aiobs_sentry_out_t *out,
    ngx_http_aiobs_sentry_t *sentry, ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx)
{
    ngx_uint_t                       i;
    ngx_http_aiobs_sentry_members_t  members;

    static u_char  buf[NGX_HTTP_AIOBS_SENTRY_CONTEXT];

    members.out.p = buf;
    members.out.last = buf + sizeof(buf);
    members.out.full = 0;
    members.ctx = ctx;
    members.n = 0;

    (void) ngx_http_aiobs_sentry_members(r, ngx_http_aiobs_sentry_read_member,
                                         &members);

    for (i = 0; i < members.n; i++) {
        if (ngx_http_aiobs_sentry_is(&members.names[i], "public_key")) {
            break;
        }
    }

    if (i == members.n) {
        ngx_http_aiobs_sentry_member(&members.out, "public_key",
                                     &sentry->public_key);
    }

    if (!members.out.full) {
        out->name.data = buf;
        out->name.len = members.out.p - buf;
    }
}


static void
ngx_http_aiobs_sentry_read_member(void *data, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_http_aiobs_sentry_members_t *members = data;

    u_char  buf[NGX_HTTP_AIOBS_SENTRY_VALUE];

    /* what it is of stands in the header anyway */

    if (ngx_http_aiobs_sentry_is(name, "trace_id")
        || !ngx_http_aiobs_sentry_read_value(value, buf))
    {
        return;
    }

    if (ngx_http_aiobs_sentry_read_shown(members->ctx, name, value)
        && ngx_http_aiobs_sentry_read_valid(name, value)
        && ngx_http_aiobs_sentry_read_name(members, name))
    {
        ngx_http_aiobs_sentry_put(&members->out, ",\"%V\":", name);
        ngx_http_aiobs_sentry_string(&members->out, value,
                                     2 * NGX_HTTP_AIOBS_SENTRY_VALUE);
    }
}


/* 0: there is one of that name, it is no name, or there are too many */

static ngx_uint_t
ngx_http_aiobs_sentry_read_name(ngx_http_aiobs_sentry_members_t *members,
    ngx_str_t *name)
{
    u_char      c;
    size_t      i;
    ngx_uint_t  k;

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) {
            return 0;
        }
    }

    if (name->len == 0 || name->len > 32) {
        return 0;
    }

    for (k = 0; k < members->n; k++) {
        if (members->names[k].len == name->len
            && ngx_memcmp(members->names[k].data, name->data, name->len) == 0)
        {
            return 0;
        }
    }

    if (members->n == NGX_HTTP_AIOBS_SENTRY_MEMBERS) {
        return 0;
    }

    members->names[members->n++] = *name;

    return 1;
}


/* no keys, nor whom aiobs_privacy hides */

static ngx_uint_t
ngx_http_aiobs_sentry_read_shown(ngx_http_aiobs_ctx_t *ctx, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_str_t  text;

    if (name->len >= 5 && ngx_strncmp(name->data, "user_", 5) == 0
        && ctx->location->privacy.user != NGX_HTTP_AIOBS_KEEP)
    {
        return 0;
    }

    text = *value;

    return !ngx_http_aiobs_has_key(ctx, name)
           && !ngx_http_aiobs_has_key(ctx, value)
           && !ngx_http_aiobs_key_text_mask(ctx->request->pool, &text);
}


/* what readers take for numbers and the like is one, or they refuse all of it */

static ngx_uint_t
ngx_http_aiobs_sentry_read_valid(ngx_str_t *name, ngx_str_t *value)
{
    ngx_uint_t   i;
    const char  *bytes;

    static const struct {
        ngx_str_t    name;
        const char  *bytes;
    } members[] = {
        { ngx_string("org_id"), "0123456789" },
        { ngx_string("sample_rate"), "0123456789.eE+-" },
        { ngx_string("sample_rand"), "0123456789.eE+-" },
        { ngx_string("sampled"), "truefalse" },
        { ngx_null_string, NULL }
    };

    for (i = 0; members[i].bytes; i++) {
        if (members[i].name.len == name->len
            && ngx_memcmp(members[i].name.data, name->data, name->len) == 0)
        {
            bytes = members[i].bytes;

            for (i = 0; i < value->len; i++) {
                if (value->data[i] == '\0'
                    || ngx_strchr(bytes, value->data[i]) == NULL)
                {
                    return 0;
                }
            }

            return value->len != 0;
        }
    }

    return 1;
}


/* without properties and space, "%xx" decoded; into buf; 0: it is too long */

static ngx_uint_t
ngx_http_aiobs_sentry_read_value(ngx_str_t *value,
    u_char buf[NGX_HTTP_AIOBS_SENTRY_VALUE])
{
    u_char     *p, *last, *to;
    ngx_int_t   c;

    p = value->data;
    last = ngx_strlchr(p, p + value->len, ';');
    last = last ? last : p + value->len;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (last > p && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    for (to = buf; p < last && to < buf + NGX_HTTP_AIOBS_SENTRY_VALUE; to++) {
        c = *p == '%' && last - p > 2 ? ngx_hextoi(p + 1, 2) : NGX_ERROR;
        *to = c == NGX_ERROR ? *p : (u_char) c;
        p += c == NGX_ERROR ? 1 : 3;
    }

    value->data = buf;
    value->len = to - buf;

    return p == last;
}
