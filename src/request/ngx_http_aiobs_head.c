
/*
 * Copyright (C) the aiobs authors
 *
 * The head of an upstream's HTTP/1 answer, read in fewer steps.
 *
 * nginx reads a head byte by byte and asks a hash for each name.  An upstream
 * names the same lines each time: here names are remembered, and plain lines (see aiobs_head.h) are handed over
 * as nginx's own parser would: the same list, the same hashes, the same
 * handlers of ngx_http_upstream in the same order.
 *
 * Where the status line ends and what the head means remains with the proxy
 * module.  Its parser is run for the status line alone, as if nothing else had
 * been received yet, then for whatever is left from the first line on that is
 * not plain: the empty one, at last.  What comes in later reads, heads of retries
 * and those of other modules are not touched.
 */


#include "ngx_http_aiobs_request.h"
#include "aiobs_head.h"


#define NGX_HTTP_AIOBS_HEAD_LINES  64       /* of a head, at most */
#define NGX_HTTP_AIOBS_HEAD_SETS   64       /* of names, as in the shift below */
#define NGX_HTTP_AIOBS_HEAD_SHIFT  (64 - 6)
#define NGX_HTTP_AIOBS_HEAD_WAYS   4


/* a name as it is written, and whom it is for: one line of a cache */

typedef struct ngx_http_aiobs_head_name_s  ngx_http_aiobs_head_name_t;

struct ngx_http_aiobs_head_name_s {
    u_char                       name[AIOBS_HEAD_NAME];
    ngx_uint_t                   hash;
    ngx_http_upstream_header_t  *header;    /* of nginx's own; NULL: nobody's */
    ngx_http_aiobs_head_name_t  *next;      /* that came behind it last */
    uint32_t                     mask;      /* a bit for each byte */
    uint32_t                     len;       /* 0: unused */
} __attribute__((aligned(64)));


typedef struct {
    aiobs_head_line_t            at;
    ngx_uint_t                   hash;
    ngx_http_upstream_header_t  *header;
} ngx_http_aiobs_head_line_t;


static ngx_int_t ngx_http_aiobs_head_content(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_head_process(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_head_lines(ngx_http_request_t *r,
    ngx_http_upstream_t *u);
static ngx_int_t ngx_http_aiobs_head_give(ngx_http_request_t *r,
    ngx_http_aiobs_head_line_t *line, ngx_uint_t n, size_t len);
static ngx_inline ngx_table_elt_t *ngx_http_aiobs_head_push(ngx_list_t *list);
static ngx_inline ngx_uint_t ngx_http_aiobs_head_is(const uint8_t *p,
    ngx_http_aiobs_head_name_t *name);
static ngx_http_aiobs_head_name_t *ngx_http_aiobs_head_find(
    ngx_http_request_t *r, const uint8_t *p);
static ngx_inline ngx_uint_t ngx_http_aiobs_head_set(const uint8_t *p,
    size_t len);
static ngx_http_aiobs_head_name_t *ngx_http_aiobs_head_learn(
    ngx_http_request_t *r, const uint8_t *p, size_t len,
    ngx_http_aiobs_head_name_t *set);


static ngx_http_aiobs_head_name_t
    ngx_http_aiobs_head_names[NGX_HTTP_AIOBS_HEAD_SETS]
                             [NGX_HTTP_AIOBS_HEAD_WAYS];

/* which of a full set goes next */
static ngx_uint_t                   ngx_http_aiobs_head_next;

/* with which name heads begin */
static ngx_http_aiobs_head_name_t  *ngx_http_aiobs_head_first;


void
ngx_http_aiobs_head_expect(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->content_handler && r->content_handler == clcf->handler) {
        ctx->content_handler = r->content_handler;
        r->content_handler = ngx_http_aiobs_head_content;
    }
}


/*
 * What answers in this location begins; if that is the proxy module, its parser
 * waits for the upstream now.
 */

static ngx_int_t
ngx_http_aiobs_head_content(ngx_http_request_t *r)
{
    void                       **conf;
    ngx_int_t                    rc;
    ngx_http_upstream_t         *u;
    ngx_http_aiobs_ctx_t        *ctx;
    ngx_http_aiobs_main_conf_t  *amcf;

    ctx = ngx_http_aiobs_get_ctx(r);

    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;  /* it was there before */
    }

    conf = r->loc_conf;
    r->content_handler = ctx->content_handler;

    rc = r->content_handler(r);

    if (rc != NGX_DONE || r->loc_conf != conf) {
        return rc;                      /* or it went on to another location */
    }

    /* the request is there as long as nobody has finalized what is returned */

    u = r->upstream;
    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (u && amcf->proxy && u->output.tag == (ngx_buf_tag_t) amcf->proxy
        && u->process_header && u->buffer.start == NULL
        && u->process_header != ngx_http_aiobs_head_process)
    {
        ctx->process_header = u->process_header;
        u->process_header = ngx_http_aiobs_head_process;
    }

    return rc;
}


static ngx_int_t
ngx_http_aiobs_head_process(ngx_http_request_t *r)
{
    u_char                *p, *last;
    ngx_int_t              rc;
    ngx_buf_t             *b;
    ngx_http_upstream_t   *u;
    ngx_http_aiobs_ctx_t  *ctx;

    ctx = ngx_http_aiobs_get_ctx(r);

    if (ctx == NULL) {
        return NGX_ERROR;               /* it was there when this was set */
    }

    u = r->upstream;
    u->process_header = ctx->process_header;

    b = &u->buffer;
    last = b->last;

    if (r->state != 0 || last - b->pos < (ssize_t) sizeof("HTTP/1.1 200") - 1
        || ngx_memcmp(b->pos, "HTTP/1.", sizeof("HTTP/1.") - 1) != 0)
    {
        return u->process_header(r);
    }

    p = memchr(b->pos, LF, last - b->pos);

    if (p == NULL) {
        return u->process_header(r);
    }

    b->last = p + 1;
    rc = u->process_header(r);
    b->last = last;

    if (rc != NGX_AGAIN) {
        return rc;
    }

    /* the status line is read if another parser is to go on behind it */

    if (u->process_header != ctx->process_header && b->pos == p + 1
        && r->state == 0 && u->headers_in.status_n >= NGX_HTTP_OK)
    {
        rc = ngx_http_aiobs_head_lines(r, u);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return u->process_header(r);
}


/*
 * Most lines come behind the same line as the last time.  What stands in the
 * table may be another name a moment later: lines have copies.
 */

static ngx_int_t
ngx_http_aiobs_head_lines(ngx_http_request_t *r, ngx_http_upstream_t *u)
{
    size_t                       len;
    ngx_uint_t                   n;
    const uint8_t               *p, *last;
    ngx_http_aiobs_head_line_t   line[NGX_HTTP_AIOBS_HEAD_LINES];
    ngx_http_aiobs_head_name_t  *name, **next;

    len = 0;
    p = u->buffer.pos;
    last = u->buffer.last;
    next = &ngx_http_aiobs_head_first;

    for (n = 0; n < NGX_HTTP_AIOBS_HEAD_LINES; n++) {

        if (last - p < AIOBS_HEAD_NAME) {
            break;
        }

        name = *next;

        if (name == NULL || !ngx_http_aiobs_head_is(p, name)) {
            name = ngx_http_aiobs_head_find(r, p);

            if (name == NULL) {
                break;
            }

            *next = name;
        }

        p = aiobs_head_line(p, last, name->len, &line[n].at);

        if (p == NULL) {
            break;
        }

        line[n].hash = name->hash;
        line[n].header = name->header;
        len += name->len;
        next = &name->next;
    }

    return n ? ngx_http_aiobs_head_give(r, line, n, len) : NGX_OK;
}


/* n lines, one behind the other, with names of len bytes */

static ngx_int_t
ngx_http_aiobs_head_give(ngx_http_request_t *r,
    ngx_http_aiobs_head_line_t *line, ngx_uint_t n, size_t len)
{
    size_t                       size;
    u_char                      *text, *lowcase;
    ngx_int_t                    rc;
    const uint8_t               *base;
    ngx_table_elt_t             *h;
    ngx_http_upstream_t         *u;
    ngx_http_aiobs_head_line_t  *last;

    u = r->upstream;

    /* the buffer will be read into again */

    last = line + n;
    base = line->at.name;
    size = last[-1].at.value + last[-1].at.value_len + 1 - base;

    text = ngx_pnalloc(r->pool, size + len + AIOBS_HEAD_NAME);
    if (text == NULL) {
        return NGX_ERROR;
    }

    lowcase = ngx_cpymem(text, base, size);

    for ( /* void */ ; line < last; line++) {

        h = ngx_http_aiobs_head_push(&u->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        h->hash = line->hash;
        h->key.len = line->at.name_len;
        h->key.data = text + (line->at.name - base);
        h->key.data[h->key.len] = '\0';
        h->value.len = line->at.value_len;
        h->value.data = text + (line->at.value - base);
        h->value.data[h->value.len] = '\0';

        /* what is behind the name, too: the next goes over it */

        h->lowcase_key = lowcase;
        aiobs_head_lowcase(lowcase, line->at.name);
        lowcase += h->key.len;

        u->buffer.pos += line->at.value + line->at.value_len + 2
                         - line->at.name;

        if (line->header) {
            rc = line->header->handler(r, h, line->header->offset);

            if (rc != NGX_OK) {
                return rc;
            }
        }

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "http proxy header: \"%V: %V\"", &h->key, &h->value);
    }

    return NGX_OK;
}


/* as ngx_list_push() while there is room */

static ngx_inline ngx_table_elt_t *
ngx_http_aiobs_head_push(ngx_list_t *list)
{
    ngx_list_part_t  *part;

    part = list->last;

    if (part->nelts < list->nalloc) {
        return (ngx_table_elt_t *) part->elts + part->nelts++;
    }

    return ngx_list_push(list);
}


/* with the colon */

static ngx_inline ngx_uint_t
ngx_http_aiobs_head_is(const uint8_t *p, ngx_http_aiobs_head_name_t *name)
{
    return (aiobs_head_same(p, name->name) & name->mask) == name->mask;
}


/* NULL: the line, and what follows, is for nginx's own parser */

static ngx_http_aiobs_head_name_t *
ngx_http_aiobs_head_find(ngx_http_request_t *r, const uint8_t *p)
{
    size_t                       len;
    ngx_http_aiobs_head_name_t  *set, *name;

    len = aiobs_head_name(p);

    if (len < AIOBS_HEAD_NAME_MIN) {
        return NULL;
    }

    set = ngx_http_aiobs_head_names[ngx_http_aiobs_head_set(p, len)];

    for (name = set; name < set + NGX_HTTP_AIOBS_HEAD_WAYS; name++) {

        if (name->len == len && ngx_http_aiobs_head_is(p, name)) {
            return name;
        }
    }

    return ngx_http_aiobs_head_learn(r, p, len, set);
}


/* of bytes at the beginning, in the middle and at the end */

static ngx_inline ngx_uint_t
ngx_http_aiobs_head_set(const uint8_t *p, size_t len)
{
    uint32_t  first, middle, end;
    uint64_t  h;

    ngx_memcpy(&first, p, 4);
    ngx_memcpy(&middle, p + (len - 3) / 2, 4);
    ngx_memcpy(&end, p + len - 3, 4);

    h = ((uint64_t) first << 32 | end) ^ ((uint64_t) middle << 13);

    return ((h + len) * 0x9e3779b97f4a7c15) >> NGX_HTTP_AIOBS_HEAD_SHIFT;
}


/* a name that was not met before, or long ago */

static ngx_http_aiobs_head_name_t *
ngx_http_aiobs_head_learn(ngx_http_request_t *r, const uint8_t *p, size_t len,
    ngx_http_aiobs_head_name_t *set)
{
    u_char                          c, lowcase[AIOBS_HEAD_NAME];
    ngx_uint_t                      i, hash;
    ngx_http_aiobs_head_name_t     *name;
    ngx_http_upstream_main_conf_t  *umcf;

    hash = 0;

    for (i = 0; i < len; i++) {
        c = ngx_tolower(p[i]);

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-'
            && c != '_')
        {
            return NULL;
        }

        lowcase[i] = c;
        hash = ngx_hash(hash, c);
    }

    for (i = 0; i < NGX_HTTP_AIOBS_HEAD_WAYS && set[i].len; i++) {
        /* void */
    }

    if (i == NGX_HTTP_AIOBS_HEAD_WAYS) {
        i = ngx_http_aiobs_head_next++ % NGX_HTTP_AIOBS_HEAD_WAYS;
    }

    name = &set[i];
    umcf = ngx_http_get_module_main_conf(r, ngx_http_upstream_module);

    ngx_memzero(name->name, AIOBS_HEAD_NAME);
    ngx_memcpy(name->name, p, len + 1);
    name->hash = hash;
    name->header = ngx_hash_find(&umcf->headers_in_hash, hash, lowcase, len);
    name->next = NULL;
    name->mask = 0xffffffff >> (AIOBS_HEAD_NAME_MAX - len);
    name->len = len;

    return name;
}
