
/*
 * Copyright (C) the aiobs authors
 *
 * Finding, removing and adding header lines.
 */


#include "ngx_http_aiobs_request.h"


#define NGX_HTTP_AIOBS_HEADERS_SPARE  8     /* lines we may add afterwards */

/* pointers to lines in headers_in, which begins with their list */
#define NGX_HTTP_AIOBS_HEADERS_PLACES                                         \
    (offsetof(ngx_http_headers_in_t, user) / sizeof(ngx_table_elt_t *))


static void ngx_http_aiobs_headers_unlink(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aiobs_headers_count(ngx_list_t *list);
static ngx_table_elt_t **ngx_http_aiobs_header_place(ngx_http_request_t *r,
    ngx_table_elt_t *h);
static void ngx_http_aiobs_headers_repoint(ngx_http_request_t *r,
    ngx_table_elt_t *from, ngx_table_elt_t *to, ngx_table_elt_t **next[]);


/*
 * Eight bytes at once, in lower case: of all bytes only a CR could be taken for
 * "-" so, and no name has one.  Names that have "_" come to the second loop.
 */

ngx_uint_t
ngx_http_aiobs_header_same(ngx_table_elt_t *h, const char *name, size_t len)
{
    u_char    c, *key;
    size_t    i;
    uint64_t  a, b;

    if (h->hash == 0) {
        return 0;
    }

    key = h->key.data;

    if (len >= 8) {

        for (i = 0; /* void */ ; i = ngx_min(i + 8, len - 8)) {
            ngx_memcpy(&a, key + i, 8);
            ngx_memcpy(&b, name + i, 8);

            if ((a | 0x2020202020202020) != b) {
                break;
            }

            if (i == len - 8) {
                return 1;
            }
        }
    }

    for (i = 0; i < len; i++) {
        c = (u_char) name[i];

        if (key[i] != c
            && (c == '-' ? key[i] != '_' : (key[i] | 0x20) != c || c < 'a'))
        {
            return 0;
        }
    }

    return 1;
}


ngx_uint_t
ngx_http_aiobs_header_own_name(ngx_table_elt_t *h)
{
    switch (h->key.len) {

    case sizeof("x-user-id") - 1:
        return ngx_http_aiobs_header_is(h, "x-user-id", 9)
               ? NGX_HTTP_AIOBS_HEADER_USER_ID : 0;

    case sizeof("x-key-name") - 1:                      /* and tracestate */
        return ngx_http_aiobs_header_is(h, "x-key-name", 10)
               ? NGX_HTTP_AIOBS_HEADER_KEY_NAME
               : ngx_http_aiobs_header_is(h, "tracestate", 10)
                 ? NGX_HTTP_AIOBS_HEADER_TRACESTATE : 0;

    case sizeof("traceparent") - 1:
        return ngx_http_aiobs_header_is(h, "traceparent", 11)
               ? NGX_HTTP_AIOBS_HEADER_TRACEPARENT : 0;

    case sizeof("x-request-id") - 1:                    /* and sentry-trace */
        return ngx_http_aiobs_header_is(h, "x-request-id", 12)
               ? NGX_HTTP_AIOBS_HEADER_REQUEST_ID
               : ngx_http_aiobs_header_is(h, "sentry-trace", 12)
                 ? NGX_HTTP_AIOBS_HEADER_SENTRY : 0;

    default:
        return 0;
    }
}


ngx_table_elt_t *
ngx_http_aiobs_header_find(ngx_list_t *list, const char *name, size_t len)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    if (list->part.elts == NULL) {
        return NULL;            /* a malformed request: never initialised */
    }

    for (part = &list->part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_aiobs_header_is(&h[i], name, len)) {
                return &h[i];
            }
        }
    }

    return NULL;
}


/*
 * The list is copied into one part: taking an element out of a part in place
 * would break the accounting of ngx_list_push() and leave empty parts, which
 * nginx's own loops do not expect.
 */

ngx_int_t
ngx_http_aiobs_headers_in_rebuild(ngx_http_request_t *r,
    ngx_http_aiobs_drop_pt drop, void *data)
{
    ngx_uint_t        i;
    ngx_list_t        list, *old;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h, *copy, **next[NGX_HTTP_AIOBS_HEADERS_PLACES];

    old = &r->headers_in.headers;

    if (old->part.elts == NULL) {
        return NGX_DECLINED;
    }

    ngx_memzero(next, sizeof(next));

    if (ngx_list_init(&list, r->pool,
                      ngx_http_aiobs_headers_count(old)
                      + NGX_HTTP_AIOBS_HEADERS_SPARE,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (part = &old->part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (drop(&h[i], data)) {
                ngx_http_aiobs_headers_repoint(r, &h[i], NULL, next);
                continue;
            }

            copy = ngx_list_push(&list);    /* cannot fail: there is room */
            *copy = h[i];

            ngx_http_aiobs_headers_repoint(r, &h[i], copy, next);
        }
    }

    r->headers_in.headers = list;

    if (list.last == &list.part) {
        r->headers_in.headers.last = &r->headers_in.headers.part;
    }

    ngx_http_aiobs_headers_unlink(r);

    return NGX_OK;
}


ngx_table_elt_t *
ngx_http_aiobs_header_push(ngx_http_request_t *r, ngx_list_t *list,
    const char *name, size_t len, ngx_str_t *value)
{
    ngx_http_aiobs_name_t  n;

    n.key.data = (u_char *) name;
    n.key.len = len;
    n.lowcase = ngx_pnalloc(r->pool, len);

    if (n.lowcase == NULL) {
        return NULL;
    }

    n.hash = ngx_hash_strlow(n.lowcase, n.key.data, len);

    return ngx_http_aiobs_header_add(list, &n, value);
}


ngx_table_elt_t *
ngx_http_aiobs_header_add(ngx_list_t *list, ngx_http_aiobs_name_t *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(list);

    if (h) {
        ngx_http_aiobs_header_set(h, name, value);
    }

    return h;
}


/*
 * A line that goes takes one that comes: most requests bring as many as we
 * add, and the list stays as it is.  What headers_in holds of the former is
 * forgotten.
 */

ngx_int_t
ngx_http_aiobs_headers_in_put(ngx_http_request_t *r,
    ngx_http_aiobs_place_t *old, ngx_uint_t m, ngx_http_aiobs_header_t *add,
    ngx_uint_t n)
{
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    for (i = 0; i < m; i++) {
        if (old[i].place) {
            *old[i].place = NULL;
        }

        ngx_http_aiobs_header_set(old[i].h, add[i].name, &add[i].value);
    }

    for ( /* void */ ; i < n; i++) {
        h = ngx_list_push(&r->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_http_aiobs_header_set(h, add[i].name, &add[i].value);
    }

    ngx_http_aiobs_headers_unlink(r);

    return NGX_OK;
}


/*
 * Lines of one name are linked by the modules that join them (fastcgi and the
 * like), once; the list is another one when they do so after a redirect.
 */

static void
ngx_http_aiobs_headers_unlink(ngx_http_request_t *r)
{
#if (nginx_version >= 1023000)
    r->headers_in.multi = 0;
    r->headers_in.multi_linked = 0;
#endif
}


void
ngx_http_aiobs_header_set(ngx_table_elt_t *h, ngx_http_aiobs_name_t *name,
    ngx_str_t *value)
{
    if (name->hash == 0) {
        name->hash = ngx_hash_key(name->lowcase, name->key.len);
    }

    h->hash = name->hash;
    h->key = name->key;
    h->lowcase_key = name->lowcase;
    h->value = *value;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
}


static ngx_uint_t
ngx_http_aiobs_headers_count(ngx_list_t *list)
{
    ngx_uint_t        n;
    ngx_list_part_t  *part;

    n = 0;

    for (part = &list->part; part; part = part->next) {
        n += part->nelts;
    }

    return n;
}


/*
 * headers_in points at single elements (user_agent, authorization, ...).
 * Multi-valued headers of nginx before 1.23 are arrays, whose first word is
 * never the address of an element; later ones are lists through "next", in the
 * order of the lines: next[] is, by the place, where the next one is linked.
 */

static void
ngx_http_aiobs_headers_repoint(ngx_http_request_t *r, ngx_table_elt_t *from,
    ngx_table_elt_t *to, ngx_table_elt_t **next[])
{
    ngx_table_elt_t  **ph;

    ph = ngx_http_aiobs_header_place(r, from);

    if (ph == NULL) {
        return;
    }

#if (nginx_version >= 1023000)

    next += ph - (ngx_table_elt_t **) &r->headers_in;
    ph = *next ? *next : ph;

    if (*ph == from) {

        /* one that goes leaves the others of its name */

        *ph = to ? to : from->next;
        *next = to ? &to->next : ph;
    }

#else

    if (*ph == from) {
        *ph = to;
    }

#endif
}


ngx_uint_t
ngx_http_aiobs_header_held(ngx_http_request_t *r, ngx_table_elt_t *h,
    ngx_http_aiobs_place_t *place)
{
    ngx_table_elt_t  **ph;

    ph = ngx_http_aiobs_header_place(r, h);

    place->h = h;
    place->place = ph;

    if (ph == NULL) {
        return 0;
    }

#if (nginx_version >= 1023000)
    return *ph != h || h->next || ph == &r->headers_in.cookie;
#else
    return *ph != h;
#endif
}


ngx_int_t
ngx_http_aiobs_header_password(ngx_http_request_t *r,
    ngx_table_elt_t **password)
{
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;
    *password = NULL;

    if (h == NULL || h->value.len < sizeof("Basic ") - 1
        || ngx_strncasecmp(h->value.data, (u_char *) "Basic ",
                           sizeof("Basic ") - 1)
           != 0)
    {
        return NGX_OK;
    }

    *password = ngx_palloc(r->pool, sizeof(ngx_table_elt_t));
    if (*password == NULL) {
        return NGX_ERROR;
    }

    **password = *h;

    return NGX_OK;
}


/* where headers_in has lines of that name, or NULL */

static ngx_table_elt_t **
ngx_http_aiobs_header_place(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_http_header_t          *hh;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    hh = ngx_hash_find(&cmcf->headers_in_hash, h->hash, h->lowcase_key,
                       h->key.len);

    if (hh == NULL || hh->offset == 0) {
        return NULL;
    }

    return (ngx_table_elt_t **) ((char *) &r->headers_in + hh->offset);
}
