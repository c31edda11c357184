
/*
 * Copyright (C) the aiobs authors
 *
 * A finished request is written to the logs of its location, made once for
 * every format that is asked for.
 */


#include "ngx_http_aiobs_log_out.h"


typedef size_t (*ngx_http_aiobs_log_format_pt)(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, u_char *line);


static void ngx_http_aiobs_log_record(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx);
static ngx_uint_t ngx_http_aiobs_log_wanted(ngx_http_request_t *r,
    ngx_http_aiobs_log_t *log);


static ngx_http_aiobs_log_format_pt
    ngx_http_aiobs_log_formats[NGX_HTTP_AIOBS_LOG_FORMATS] =
{
    ngx_http_aiobs_json_line,
    ngx_http_aiobs_ecs_line,
    ngx_http_aiobs_console_line,
    ngx_http_aiobs_color_line
};


void
ngx_http_aiobs_log_write(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    const char  *event;

    ngx_http_aiobs_log_record(r, ctx);

    if (ctx->identity && ctx->identity->fresh) {

        /* the same record, as what happened to the key */

        event = ctx->event;
        ctx->event = "key_first_used";
        ngx_http_aiobs_values_changed();

        ngx_http_aiobs_log_record(r, ctx);

        ctx->event = event;
        ngx_http_aiobs_values_changed();
    }
}


static void
ngx_http_aiobs_log_record(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    size_t                         len[NGX_HTTP_AIOBS_LOG_FORMATS];
    u_char                        *line[NGX_HTTP_AIOBS_LOG_FORMATS];
    ngx_uint_t                     i;
    ngx_array_t                   *logs;
    ngx_http_aiobs_log_t         **log;
    ngx_http_aiobs_log_format_e    f;

    static u_char  lines[NGX_HTTP_AIOBS_LOG_FORMATS][NGX_HTTP_AIOBS_LINE_ROOM];

    logs = ctx->location->log.logs;

    if (logs == NULL) {
        return;
    }

    ngx_memzero(len, sizeof(len));

    log = logs->elts;

    for (i = 0; i < logs->nelts; i++) {

        if (!ngx_http_aiobs_log_wanted(r, log[i])) {
            continue;
        }

        f = log[i]->format;

        if (f == NGX_HTTP_AIOBS_LOG_CONSOLE
            && ngx_http_aiobs_log_color(log[i]->sink))
        {
            f = NGX_HTTP_AIOBS_LOG_COLOR;
        }

        if (len[f] == 0) {

            /* made where it stays, if there is room for the longest */

            line[f] = ngx_http_aiobs_log_room(log[i]->sink);

            if (line[f] == NULL) {
                line[f] = lines[f];
            }

            len[f] = ngx_http_aiobs_log_formats[f](r, ctx, line[f]);
        }

        ngx_http_aiobs_log_line(log[i]->sink, line[f], len[f],
                                r->connection->log);
    }
}


static ngx_uint_t
ngx_http_aiobs_log_wanted(ngx_http_request_t *r, ngx_http_aiobs_log_t *log)
{
    ngx_str_t  value;

    if (log->filter == NULL) {
        return 1;
    }

    return ngx_http_complex_value(r, log->filter, &value) == NGX_OK
           && value.len != 0
           && (value.len != 1 || value.data[0] != '0');
}
