
/*
 * Copyright (C) the aiobs authors
 *
 * Header lines: which of ours one is, finding, removing and adding them.
 */


#ifndef _NGX_HTTP_AIOBS_HEADERS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_HEADERS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/* lines of a request that are ours, as bits; of the others: 0 */

#define NGX_HTTP_AIOBS_HEADER_REQUEST_ID   0x01
#define NGX_HTTP_AIOBS_HEADER_TRACEPARENT  0x02
#define NGX_HTTP_AIOBS_HEADER_TRACESTATE   0x04
#define NGX_HTTP_AIOBS_HEADER_USER_ID      0x08
#define NGX_HTTP_AIOBS_HEADER_KEY_NAME     0x10
#define NGX_HTTP_AIOBS_HEADER_SENTRY       0x20 /* sentry-trace */

/* of their names: from "x-user-id" to "x-request-id" */
#define NGX_HTTP_AIOBS_HEADER_LENGTHS  (0xfU << 9)

#define NGX_HTTP_AIOBS_HEADERS_TRACE                                          \
    (NGX_HTTP_AIOBS_HEADER_TRACEPARENT|NGX_HTTP_AIOBS_HEADER_TRACESTATE)

#define NGX_HTTP_AIOBS_HEADERS_CORRELATION                                    \
    (NGX_HTTP_AIOBS_HEADER_REQUEST_ID|NGX_HTTP_AIOBS_HEADERS_TRACE)

#define NGX_HTTP_AIOBS_HEADERS_IDENTITY                                       \
    (NGX_HTTP_AIOBS_HEADER_USER_ID|NGX_HTTP_AIOBS_HEADER_KEY_NAME)


/* the name of a line that is often added; hash: made when it is first used */

typedef struct {
    ngx_str_t                   key;
    u_char                     *lowcase;
    ngx_uint_t                  hash;
} ngx_http_aiobs_name_t;

#define ngx_http_aiobs_name(key, lowcase)                                     \
    { ngx_string(key), (u_char *) lowcase, 0 }


/* X-Request-ID */
extern ngx_http_aiobs_name_t  ngx_http_aiobs_x_request_id;


typedef struct {
    ngx_http_aiobs_name_t      *name;
    ngx_str_t                   value;
} ngx_http_aiobs_header_t;

/* a line of the request, and what of headers_in points at it, or NULL */

typedef struct {
    ngx_table_elt_t            *h;
    ngx_table_elt_t           **place;
} ngx_http_aiobs_place_t;

#define NGX_HTTP_AIOBS_HEADERS_ADD  8       /* lines at most at once */


/*
 * name: in lower case, with "-"; "_" in the list counts as "-".  The first
 * byte is a letter.
 */
#define ngx_http_aiobs_header_is(h, name, length)                             \
    ((h)->hash && (h)->key.len == (length)                                    \
     && ((h)->key.data[0] | 0x20) == (name)[0]                              \
     && ngx_http_aiobs_header_same(h, name, length))

ngx_uint_t ngx_http_aiobs_header_same(ngx_table_elt_t *h, const char *name,
    size_t len);

/* of a line whose name has the length and first letter of one of ours */
ngx_uint_t ngx_http_aiobs_header_own_name(ngx_table_elt_t *h);

/* first header of that name, or NULL */
ngx_table_elt_t *ngx_http_aiobs_header_find(ngx_list_t *list,
    const char *name, size_t len);

/*
 * Puts n lines into the request's headers, the first of them in the places of
 * old ones, which are m and at most n; values are not copied.
 */
ngx_int_t ngx_http_aiobs_headers_in_put(ngx_http_request_t *r,
    ngx_http_aiobs_place_t *old, ngx_uint_t m, ngx_http_aiobs_header_t *add,
    ngx_uint_t n);

/*
 * A line with a password ("Basic") does not go to the upstream where its place
 * is that of gateway keys, but auth_basic is still to see it: a copy, or NULL.
 * ERROR: out of memory.
 */
ngx_int_t ngx_http_aiobs_header_password(ngx_http_request_t *r,
    ngx_table_elt_t **password);

/*
 * Others hold a line of the request, not only by its place: lines of one name
 * are kept in an array (Cookie, X-Forwarded-For), or since 1.23 in a list.  It
 * is not to be written over.  place: set in any case.
 */
ngx_uint_t ngx_http_aiobs_header_held(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_http_aiobs_place_t *place);

typedef ngx_uint_t (*ngx_http_aiobs_drop_pt)(ngx_table_elt_t *h, void *data);

/*
 * Rebuilds the list of request headers without those for which drop() is
 * true, with room for more, and points headers_in at the new elements.
 * NGX_DECLINED: the request was malformed and has no list.
 */
ngx_int_t ngx_http_aiobs_headers_in_rebuild(ngx_http_request_t *r,
    ngx_http_aiobs_drop_pt drop, void *data);

/* name and value of a line; the value is not copied */
void ngx_http_aiobs_header_set(ngx_table_elt_t *h,
    ngx_http_aiobs_name_t *name, ngx_str_t *value);
ngx_table_elt_t *ngx_http_aiobs_header_add(ngx_list_t *list,
    ngx_http_aiobs_name_t *name, ngx_str_t *value);
ngx_table_elt_t *ngx_http_aiobs_header_push(ngx_http_request_t *r,
    ngx_list_t *list, const char *name, size_t len, ngx_str_t *value);


/* NGX_HTTP_AIOBS_HEADER_* of a line of the request, or 0 */

static ngx_inline ngx_uint_t
ngx_http_aiobs_header_own(ngx_table_elt_t *h)
{
    u_char  c;

    /* from "x-user-id" to "x-request-id" */

    if (h->key.len - 9 > 12 - 9) {
        return 0;
    }

    c = h->key.data[0] | 0x20;

    return c == 'x' || c == 't' || c == 's' ? ngx_http_aiobs_header_own_name(h)
                                            : 0;
}


#endif /* _NGX_HTTP_AIOBS_HEADERS_H_INCLUDED_ */
