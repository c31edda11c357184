
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the keys API.
 */


#ifndef _NGX_HTTP_AIOBS_KEYS_API_H_INCLUDED_
#define _NGX_HTTP_AIOBS_KEYS_API_H_INCLUDED_


#include "../request/ngx_http_aiobs_request.h"
#include "aiobs_keys_api.h"


/* sends what api has; its text is to live as long as the request */
ngx_int_t ngx_http_aiobs_keys_api_answer(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, aiobs_keys_api_t *api);


#endif /* _NGX_HTTP_AIOBS_KEYS_API_H_INCLUDED_ */
