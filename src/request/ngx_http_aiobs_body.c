
/*
 * Copyright (C) the aiobs authors
 *
 * Text put into a request's body that was read, in memory or in a file.
 */


#include "ngx_http_aiobs_body.h"


#define NGX_HTTP_AIOBS_TAIL_MAX  (1024 * 1024)    /* read back from a file */
#define NGX_HTTP_AIOBS_PIECE     16384            /* the same, at once */


static ngx_int_t ngx_http_aiobs_body_file(ngx_buf_t *b,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_body_pt take);
static ngx_int_t ngx_http_aiobs_insert_at(ngx_http_request_t *r,
    ngx_chain_t *cl, off_t head, aiobs_insertion_t *insertion);
static ngx_int_t ngx_http_aiobs_insert_links(ngx_http_request_t *r,
    ngx_chain_t *cl, ngx_buf_t *head, ngx_buf_t *text, ngx_buf_t *tail,
    off_t by);
static ngx_buf_t *ngx_http_aiobs_head(ngx_http_request_t *r, ngx_buf_t *b,
    off_t head);
static ngx_buf_t *ngx_http_aiobs_tail(ngx_http_request_t *r, ngx_buf_t *b,
    off_t skip);
static ngx_buf_t *ngx_http_aiobs_memory_buf(ngx_pool_t *pool, u_char *p,
    size_t len);
static ngx_int_t ngx_http_aiobs_body_grew(ngx_http_request_t *r, off_t by);


ngx_int_t
ngx_http_aiobs_body_insert(ngx_http_request_t *r, aiobs_insertion_t *insertion)
{
    off_t         off, size;
    ngx_chain_t  *cl;

    if (r->request_body == NULL) {
        return NGX_DECLINED;
    }

    off = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        size = ngx_buf_size(cl->buf);

        if ((off_t) insertion->at < off + size) {
            return ngx_http_aiobs_insert_at(r, cl, insertion->at - off,
                                            insertion);
        }

        off += size;
    }

    return NGX_DECLINED;
}


ngx_uint_t
ngx_http_aiobs_body_whole(ngx_http_request_t *r)
{
    return r->request_body && r->request_body->bufs
           && r->request_body->last_saved && !r->request_body_no_buffering;
}


void
ngx_http_aiobs_body_again(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_body_pt take)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            take(ctx, b->pos, b->last - b->pos);

        } else if (b->in_file
                   && ngx_http_aiobs_body_file(b, ctx, take) != NGX_OK)
        {
            return;
        }
    }
}


static ngx_int_t
ngx_http_aiobs_body_file(ngx_buf_t *b, ngx_http_aiobs_ctx_t *ctx,
    ngx_http_aiobs_body_pt take)
{
    off_t    pos;
    ssize_t  n;

    static u_char  piece[NGX_HTTP_AIOBS_PIECE];

    for (pos = b->file_pos; pos < b->file_last; pos += n) {

        n = ngx_read_file(b->file, piece,
                          (size_t) ngx_min(b->file_last - pos,
                                           NGX_HTTP_AIOBS_PIECE),
                          pos);
        if (n <= 0) {
            return NGX_ERROR;
        }

        take(ctx, piece, n);
    }

    return NGX_OK;
}


/*
 * cl's buffer becomes its first "head" bytes, the new text and its tail follow
 * in memory.  On a retry nginx sets every buffer back to its start and files
 * to 0: a file's part has to start there, and a buffer where its bytes do.
 */

static ngx_int_t
ngx_http_aiobs_insert_at(ngx_http_request_t *r, ngx_chain_t *cl, off_t head,
    aiobs_insertion_t *insertion)
{
    off_t       skip;
    ngx_buf_t  *b, *copy, *text, *tail;

    b = cl->buf;
    skip = head + insertion->remove;

    if (skip > ngx_buf_size(b)) {
        return NGX_DECLINED;        /* what goes spans two buffers */
    }

    copy = ngx_http_aiobs_head(r, b, head);
    text = ngx_http_aiobs_memory_buf(r->pool, (u_char *) insertion->text,
                                     insertion->len);
    tail = ngx_http_aiobs_tail(r, b, skip);

    if (copy == NULL || text == NULL || tail == NULL) {
        return NGX_ERROR;
    }

    tail->last_buf = b->last_buf;

    return ngx_http_aiobs_insert_links(r, cl, head ? copy : NULL, text,
                                       ngx_buf_size(tail) ? tail : NULL,
                                       (off_t) insertion->len
                                       - (off_t) insertion->remove);
}


/* head, text and tail in the place of cl's buffer; NULL: there is none */

static ngx_int_t
ngx_http_aiobs_insert_links(ngx_http_request_t *r, ngx_chain_t *cl,
    ngx_buf_t *head, ngx_buf_t *text, ngx_buf_t *tail, off_t by)
{
    ngx_chain_t  *text_link, *tail_link;

    text_link = ngx_alloc_chain_link(r->pool);
    tail_link = ngx_alloc_chain_link(r->pool);

    if (text_link == NULL || tail_link == NULL
        || ngx_http_aiobs_body_grew(r, by) != NGX_OK)
    {
        return NGX_ERROR;
    }

    text_link->buf = text;

    if (head) {
        cl->buf = head;
        text_link->next = cl->next;
        cl->next = text_link;

    } else {
        cl->buf = text;
        text_link = cl;
    }

    if (tail) {
        tail_link->buf = tail;
        tail_link->next = text_link->next;
        text_link->next = tail_link;
    }

    return NGX_OK;
}


/* the first "head" bytes of b, where they are */

static ngx_buf_t *
ngx_http_aiobs_head(ngx_http_request_t *r, ngx_buf_t *b, off_t head)
{
    ngx_buf_t  *copy;

    copy = ngx_alloc_buf(r->pool);
    if (copy == NULL) {
        return NULL;
    }

    *copy = *b;
    copy->last_buf = 0;

    if (ngx_buf_in_memory(b)) {
        copy->start = b->pos;
        copy->last = b->pos + head;
        copy->end = copy->last;
        copy->in_file = 0;

    } else {
        copy->file_last = b->file_pos + head;
    }

    return copy;
}


/* the bytes of b from "skip" on, in memory */

static ngx_buf_t *
ngx_http_aiobs_tail(ngx_http_request_t *r, ngx_buf_t *b, off_t skip)
{
    off_t    size;
    u_char  *p;

    if (ngx_buf_in_memory(b)) {
        return ngx_http_aiobs_memory_buf(r->pool, b->pos + skip,
                                         b->last - b->pos - skip);
    }

    size = ngx_buf_size(b) - skip;

    if (size > NGX_HTTP_AIOBS_TAIL_MAX) {
        return NULL;
    }

    p = ngx_palloc(r->pool, size + 1);

    if (p == NULL
        || ngx_read_file(b->file, p, size, b->file_pos + skip) != size)
    {
        return NULL;
    }

    return ngx_http_aiobs_memory_buf(r->pool, p, size);
}


static ngx_buf_t *
ngx_http_aiobs_memory_buf(ngx_pool_t *pool, u_char *p, size_t len)
{
    ngx_buf_t  *b;

    b = ngx_calloc_buf(pool);
    if (b == NULL) {
        return NULL;
    }

    b->start = p;
    b->pos = p;
    b->last = p + len;
    b->end = b->last;
    b->memory = 1;

    return b;
}


static ngx_int_t
ngx_http_aiobs_body_grew(ngx_http_request_t *r, off_t by)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, NGX_OFF_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    r->headers_in.content_length_n += by;
    r->headers_in.chunked = 0;

    if (r->headers_in.content_length) {
        r->headers_in.content_length->value.data = p;
        r->headers_in.content_length->value.len =
                  ngx_sprintf(p, "%O", r->headers_in.content_length_n) - p;
    }

    return NGX_OK;
}
