
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the exporters: what the queue and the task share.
 */


#ifndef _NGX_HTTP_AIOBS_SENDER_H_INCLUDED_
#define _NGX_HTTP_AIOBS_SENDER_H_INCLUDED_


#include "ngx_http_aiobs_export.h"


/* all that the thread sees */

typedef struct {
    const ngx_http_aiobs_exporter_type_t  *type;
    void                                  *conf;
    aiobs_http_t                          *http;

    ngx_http_aiobs_batch_t                 batch;
    ngx_http_aiobs_export_verdict_t        verdict; /* of the last request */

    /* results, since the task began */
    ngx_uint_t                             sent;
    ngx_uint_t                             rejected;
    ngx_uint_t                             items;   /* freed */
    size_t                                 bytes;   /* of them */

    volatile sig_atomic_t                  give_up;
} ngx_http_aiobs_sender_job_t;


/* in the thread: sends all items of the batch, up to the first that fails */
void ngx_http_aiobs_sender(void *data, ngx_log_t *log);


#endif /* _NGX_HTTP_AIOBS_SENDER_H_INCLUDED_ */
