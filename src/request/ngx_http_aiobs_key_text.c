
/*
 * Copyright (C) the aiobs authors
 *
 * What looks like a gateway key where none belongs, in a path for example, is
 * masked before anything logs it.  Most lines have no "-" at all.
 */


#include "ngx_http_aiobs_request.h"


#define NGX_HTTP_AIOBS_KEY_TEXT  16         /* bytes behind "sk-", at least */


static u_char *ngx_http_aiobs_key_text(u_char *start, u_char *p, u_char *last);
static ngx_uint_t ngx_http_aiobs_key_begins(u_char *start, u_char *p);


void
ngx_http_aiobs_key_text_line(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    if (r->request_line.len
        && memchr(r->request_line.data, '-', r->request_line.len))
    {
        ctx->key_text = ngx_http_aiobs_key_text_mask(r->pool,
                                                     &r->request_line);
    }
}


/* who takes one setting for the other sends the key as the model */

void
ngx_http_aiobs_key_text_models(ngx_http_aiobs_ctx_t *ctx)
{
    ngx_str_t  model;

    if (ctx->key.len < NGX_HTTP_AIOBS_KEY_SHORT) {
        return;
    }

    model.data = (u_char *) ctx->asked.model;
    model.len = ctx->asked.model_len;

    if (ngx_http_aiobs_has_key(ctx, &model)) {
        ctx->asked.model_len = sizeof("sk-*") - 1;
        ngx_memcpy(ctx->asked.model, "sk-*", sizeof("sk-*") - 1);
    }

    model.data = (u_char *) ctx->answer.model;
    model.len = ctx->answer.model_len;

    if (ngx_http_aiobs_has_key(ctx, &model)) {
        ctx->answer.model_len = sizeof("sk-*") - 1;
        ngx_memcpy(ctx->answer.model, "sk-*", sizeof("sk-*") - 1);
    }

    if (ngx_http_aiobs_has_key(ctx, &ctx->path_model)) {
        ngx_str_set(&ctx->path_model, "sk-*");
    }
}


/* the upstream has it by now */

void
ngx_http_aiobs_key_text_forget(ngx_http_request_t *r)
{
    (void) ngx_http_aiobs_key_text_mask(r->pool, &r->uri);
    (void) ngx_http_aiobs_key_text_mask(r->pool, &r->args);
    (void) ngx_http_aiobs_key_text_mask(r->pool, &r->unparsed_uri);

    ngx_http_aiobs_uri_changed(r);
}


ngx_uint_t
ngx_http_aiobs_key_text_mask(ngx_pool_t *pool, ngx_str_t *text)
{
    u_char      *p, *end, *last, *dst, *copy;
    ngx_uint_t   found;

    p = text->data;
    last = p + text->len;
    found = 0;
    copy = NULL;
    dst = NULL;

    while (p < last) {
        end = memchr(p, '-', last - p);

        if (end == NULL) {
            break;
        }

        end++;

        if (copy) {
            dst = ngx_cpymem(dst, p, end - p);
        }

        p = end;
        end = ngx_http_aiobs_key_text(text->data, p, last);

        if (end == p) {
            continue;
        }

        if (copy == NULL) {
            found = 1;

            copy = ngx_pnalloc(pool, text->len + 1);
            if (copy == NULL) {
                text->len = p - text->data;
                return 1;
            }

            dst = ngx_cpymem(copy, text->data, p - text->data);
        }

        *dst++ = '*';
        p = end;
    }

    if (copy) {
        dst = ngx_cpymem(dst, p, last - p);
        *dst = '\0';
        text->data = copy;
        text->len = dst - copy;
    }

    return found;
}


/* where the key ends, of which p is behind the "-"; p: it is none */

static u_char *
ngx_http_aiobs_key_text(u_char *start, u_char *p, u_char *last)
{
    u_char      *end;
    ngx_uint_t   mixed;

    if (!ngx_http_aiobs_key_begins(start, p)) {
        return p;
    }

    /* words have neither digits nor capitals in them */

    mixed = 0;

    for (end = p; end < last; end++) {

        if ((*end >= '0' && *end <= '9') || (*end >= 'A' && *end <= 'Z')) {
            mixed = 1;

        } else if (!((*end >= 'a' && *end <= 'z') || *end == '-'
                     || *end == '_'))
        {
            break;
        }
    }

    return mixed && end - p >= NGX_HTTP_AIOBS_KEY_TEXT ? end : p;
}


/* "sk-" that is not the end of a longer word, such as "task-" */

static ngx_uint_t
ngx_http_aiobs_key_begins(u_char *start, u_char *p)
{
    u_char  c;

    if (p - start < 3 || p[-3] != 's' || p[-2] != 'k') {
        return 0;
    }

    if (p - start == 3) {
        return 1;
    }

    c = p[-4] | 0x20;

    if (p - start >= 6 && p[-6] == '%') {
        return 1;
    }

    return !((c >= 'a' && c <= 'z') || (p[-4] >= '0' && p[-4] <= '9')
             || p[-4] == '_' || p[-4] == '-');
}
