
/*
 * Copyright (C) the aiobs authors
 *
 * What keys have spent: summed up by each worker, added to usage_daily of the
 * store every few seconds.
 */


#ifndef _NGX_HTTP_AIOBS_SPEND_H_INCLUDED_
#define _NGX_HTTP_AIOBS_SPEND_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "../keys/aiobs_store.h"


#define NGX_HTTP_AIOBS_SPEND_TEXT  129      /* bytes of a label, and NUL */


/* one call; tokens: 0 if they are not known */

typedef struct {
    const u_char   *hash;                   /* AIOBS_KEY_HASH_LEN */
    ngx_str_t       model;                  /* as the labels of metrics */
    ngx_str_t       endpoint;
    int64_t         calls;
    int64_t         input;
    int64_t         output;
    int64_t         cache_read;
    int64_t         cache_write;
    int64_t         cost;                   /* nano-USD */
    int64_t         estimated;              /* calls */
} ngx_http_aiobs_spend_t;


/* texts of a row that is taken */

typedef struct {
    char            model[NGX_HTTP_AIOBS_SPEND_TEXT];
    char            endpoint[NGX_HTTP_AIOBS_SPEND_TEXT];
} ngx_http_aiobs_spend_text_t;


/*
 * NGX_AGAIN: recorded, but half of the room is taken, they should be saved.
 * NGX_DECLINED: there is no room, the call is not recorded.
 */
ngx_int_t ngx_http_aiobs_spend_add(const ngx_http_aiobs_spend_t *spend);

/*
 * At most max rows, which are the caller's then; their texts lie in texts.
 * last: parts of a micro-USD are rounded, else they stay for the next row.
 */
ngx_uint_t ngx_http_aiobs_spend_take(aiobs_usage_row_t *rows,
    ngx_http_aiobs_spend_text_t *texts, ngx_uint_t max, ngx_uint_t last);


#endif /* _NGX_HTTP_AIOBS_SPEND_H_INCLUDED_ */
