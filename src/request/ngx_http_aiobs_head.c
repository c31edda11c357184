
/*
 * Copyright (C) the aiobs authors
 *
 * The head of an upstream's HTTP/1 answer, read in fewer steps.
 *
 * nginx reads a head byte by byte and asks a hash for each name; that is a third
 * of what a small answer costs it.  An upstream names the same lines each time:
 * here names are remembered, and plain lines (see aiobs_head.h) are handed over
 * as nginx's own parser would: the same list, the same hashes, the same
 * handlers of ngx_http_upstream in the same order.
 *
 * Where the status line ends and what the head means remains with the proxy
 * module.  Its parser is run for the status line alone, as if nothing else had
 * been received yet, then for whatever is left from the first line on that is
 * not plain: the empty one, at last.  Heads in pieces, of retries, of caches
 * and of other modules are not touched.
 */


#include "ngx_http_aiobs_request.h"
#include "aiobs_head.h"


#define NGX_HTTP_AIOBS_HEAD_LINES  64       /* of a head, at most */
#define NGX_HTTP_AIOBS_HEAD_SETS   64       /* of names; a power of two */
#define NGX_HTTP_AIOBS_HEAD_WAYS   4


/* a name as it is written, and whom it is for: one line of a cache */

typedef struct {
    u_char                       name[AIOBS_HEAD_NAME];
    ngx_uint_t                   hash;
    ngx_http_upstream_header_t  *header;    /* NULL: for nobody */
    uint32_t                     mask;      /* a bit for each byte; 0: unused */
} __attribute__((aligned(64))) ngx_http_aiobs_head_name_t;


static ngx_int_t ngx_http_aiobs_head_content(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_head_process(ngx_http_request_t *r);
static ngx_int_t ngx_http_aiobs_head_lines(ngx_http_request_t *r,
    ngx_http_upstream_t *u);
static ngx_int_t ngx_http_aiobs_head_give(ngx_http_request_t *r,
    aiobs_head_line_t *line, ngx_http_aiobs_head_name_t **name, ngx_uint_t n,
    size_t len);
static ngx_inline ngx_table_elt_t *ngx_http_aiobs_head_push(ngx_list_t *list);
static ngx_inline ngx_http_aiobs_head_name_t *ngx_http_aiobs_head_find(
    ngx_hash_t *known, aiobs_head_line_t *line);
static ngx_inline ngx_uint_t ngx_http_aiobs_head_set(aiobs_head_line_t *line);
static ngx_http_aiobs_head_name_t *ngx_http_aiobs_head_learn(ngx_hash_t *known,
    aiobs_head_line_t *line, ngx_http_aiobs_head_name_t *set, uint32_t mask);


static ngx_http_aiobs_head_name_t
    ngx_http_aiobs_head_names[NGX_HTTP_AIOBS_HEAD_SETS]
                             [NGX_HTTP_AIOBS_HEAD_WAYS];

/* handlers are of a configuration */
static ngx_hash_t  *ngx_http_aiobs_head_known;


void
ngx_http_aiobs_head_init_process(void)
{
    ngx_http_aiobs_head_known = NULL;
}


void
ngx_http_aiobs_head_expect(ngx_http_request_t *r)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->content_handler && r->content_handler == clcf->handler) {
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
    ngx_int_t                    rc;
    ngx_http_upstream_t         *u;
    ngx_http_aiobs_ctx_t        *ctx;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_aiobs_main_conf_t  *amcf;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    r->content_handler = clcf->handler;

    rc = clcf->handler(r);

    if (rc != NGX_DONE) {
        return rc;
    }

    /* the request is there as long as nobody has finalized what is returned */

    u = r->upstream;
    amcf = ngx_http_get_module_main_conf(r, ngx_http_aiobs_module);

    if (u == NULL || u->output.tag != (ngx_buf_tag_t) amcf->proxy
        || u->process_header == NULL || u->buffer.start
        || u->process_header == ngx_http_aiobs_head_process)
    {
        return rc;
    }

    ctx = ngx_http_aiobs_get_ctx(r);

    if (ctx) {
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


static ngx_int_t
ngx_http_aiobs_head_lines(ngx_http_request_t *r, ngx_http_upstream_t *u)
{
    size_t                          len;
    u_char                         *p;
    ngx_uint_t                      n;
    ngx_hash_t                     *known;
    const uint8_t                  *end;
    aiobs_head_line_t               line[NGX_HTTP_AIOBS_HEAD_LINES];
    ngx_http_aiobs_head_name_t     *name[NGX_HTTP_AIOBS_HEAD_LINES];
    ngx_http_upstream_main_conf_t  *umcf;

    umcf = ngx_http_get_module_main_conf(r, ngx_http_upstream_module);
    known = &umcf->headers_in_hash;

    if (ngx_http_aiobs_head_known != known) {
        ngx_memzero(ngx_http_aiobs_head_names,
                    sizeof(ngx_http_aiobs_head_names));
        ngx_http_aiobs_head_known = known;
    }

    len = 0;
    p = u->buffer.pos;

    for (n = 0; n < NGX_HTTP_AIOBS_HEAD_LINES; n++) {

        end = aiobs_head_line(p, u->buffer.last, &line[n]);

        if (end == NULL) {
            break;
        }

        name[n] = ngx_http_aiobs_head_find(known, &line[n]);

        if (name[n] == NULL) {
            break;
        }

        len += line[n].name_len;
        p = (u_char *) end;
    }

    return n ? ngx_http_aiobs_head_give(r, line, name, n, len) : NGX_OK;
}


/* n lines, one behind the other, with names of len bytes */

static ngx_int_t
ngx_http_aiobs_head_give(ngx_http_request_t *r, aiobs_head_line_t *line,
    ngx_http_aiobs_head_name_t **name, ngx_uint_t n, size_t len)
{
    size_t                size;
    u_char               *text, *lowcase;
    ngx_int_t             rc;
    ngx_uint_t            i;
    const uint8_t        *base;
    ngx_table_elt_t      *h;
    ngx_http_upstream_t  *u;

    u = r->upstream;

    /* the buffer will be read into again */

    base = line[0].name;
    size = line[n - 1].value + line[n - 1].value_len + 1 - base;

    text = ngx_pnalloc(r->pool, size + len + AIOBS_HEAD_NAME);
    if (text == NULL) {
        return NGX_ERROR;
    }

    lowcase = ngx_cpymem(text, base, size);

    for (i = 0; i < n; i++) {

        h = ngx_http_aiobs_head_push(&u->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        h->hash = name[i]->hash;
        h->key.len = line[i].name_len;
        h->key.data = text + (line[i].name - base);
        h->key.data[h->key.len] = '\0';
        h->value.len = line[i].value_len;
        h->value.data = text + (line[i].value - base);
        h->value.data[h->value.len] = '\0';

        /* a lane more is there, the next name goes over it */

        h->lowcase_key = lowcase;
        aiobs_head_lowcase(lowcase, name[i]->name);
        lowcase += h->key.len;

        u->buffer.pos += line[i].value + line[i].value_len + 2 - line[i].name;

        if (name[i]->header) {
            rc = name[i]->header->handler(r, h, name[i]->header->offset);

            if (rc != NGX_OK) {
                return rc;
            }
        }

        ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                       "http proxy header: \"%V: %V\"", &h->key, &h->value);
    }

    return NGX_OK;
}


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


/* NULL: the line, and what follows, is for nginx's own parser */

static ngx_inline ngx_http_aiobs_head_name_t *
ngx_http_aiobs_head_find(ngx_hash_t *known, aiobs_head_line_t *line)
{
    uint32_t                     mask;
    ngx_uint_t                   i;
    ngx_http_aiobs_head_name_t  *set;

    set = ngx_http_aiobs_head_names[ngx_http_aiobs_head_set(line)];

    /* with the colon */

    mask = 0xffffffff >> (AIOBS_HEAD_NAME_MAX - line->name_len);

    for (i = 0; i < NGX_HTTP_AIOBS_HEAD_WAYS; i++) {

        if (set[i].mask == mask
            && (aiobs_head_same(line->name, set[i].name) & mask) == mask)
        {
            return &set[i];
        }
    }

    return ngx_http_aiobs_head_learn(known, line, set, mask);
}


static ngx_inline ngx_uint_t
ngx_http_aiobs_head_set(aiobs_head_line_t *line)
{
    uint32_t  first, middle, end;
    uint64_t  h;

    ngx_memcpy(&first, line->name, 4);
    ngx_memcpy(&middle, line->name + line->name_len / 2, 4);
    ngx_memcpy(&end, line->name + line->name_len - 3, 4);

    h = ((uint64_t) first << 32 | end) ^ ((uint64_t) middle << 13);

    return ((h + line->name_len) * 0x9e3779b97f4a7c15) >> 32
           & (NGX_HTTP_AIOBS_HEAD_SETS - 1);
}


/*
 * When a set is full, the name takes the place of another, which may belong to
 * a line before this one: it is for the next head.
 */

static ngx_http_aiobs_head_name_t *
ngx_http_aiobs_head_learn(ngx_hash_t *known, aiobs_head_line_t *line,
    ngx_http_aiobs_head_name_t *set, uint32_t mask)
{
    u_char                       c, lowcase[AIOBS_HEAD_NAME];
    ngx_uint_t                   i, hash, full;
    ngx_http_aiobs_head_name_t  *name;

    static ngx_uint_t  next;

    hash = 0;

    for (i = 0; i < line->name_len; i++) {
        c = ngx_tolower(line->name[i]);

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-'
            && c != '_')
        {
            return NULL;
        }

        lowcase[i] = c;
        hash = ngx_hash(hash, c);
    }

    for (i = 0; i < NGX_HTTP_AIOBS_HEAD_WAYS && set[i].mask; i++) {
        /* void */
    }

    full = (i == NGX_HTTP_AIOBS_HEAD_WAYS);
    name = full ? &set[next++ % NGX_HTTP_AIOBS_HEAD_WAYS] : &set[i];

    ngx_memcpy(name->name, line->name, AIOBS_HEAD_NAME);
    name->mask = mask;
    name->hash = hash;
    name->header = ngx_hash_find(known, hash, lowcase, line->name_len);

    return full ? NULL : name;
}
