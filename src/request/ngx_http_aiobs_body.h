
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the request room: the body of a request is changed.
 */


#ifndef _NGX_HTTP_AIOBS_BODY_H_INCLUDED_
#define _NGX_HTTP_AIOBS_BODY_H_INCLUDED_


#include "ngx_http_aiobs_request.h"
#include "../usage/aiobs_stream_usage.h"


/*
 * Into a body that was read whole; its length follows.  NGX_DECLINED: it does
 * not go there; NGX_ERROR: no memory, or a file that cannot be read back.
 * Unless NGX_OK the body is as it was.
 */
ngx_int_t ngx_http_aiobs_body_insert(ngx_http_request_t *r,
    aiobs_insertion_t *insertion);

/* whether somebody has read it already, and all of it is there */
ngx_uint_t ngx_http_aiobs_body_whole(ngx_http_request_t *r);

/*
 * Such a body, piece by piece.  What of it is in a file is read back, which
 * blocks: those who were there when it came have not to ask.
 */
typedef void (*ngx_http_aiobs_body_pt)(ngx_http_aiobs_ctx_t *ctx, u_char *p,
    size_t len);

void ngx_http_aiobs_body_again(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_http_aiobs_body_pt take);


#endif /* _NGX_HTTP_AIOBS_BODY_H_INCLUDED_ */
