
/*
 * Copyright (C) the aiobs authors
 *
 * aiobs_log: lines written as nginx writes its own access log - appended
 * whole, buffered and flushed on request, reopened on USR1.
 */


#include "ngx_http_aiobs_telemetry.h"


struct ngx_http_aiobs_log_s {
    ngx_open_file_t            *file;       /* NULL: stderr */
    ngx_http_complex_value_t   *filter;
    time_t                      disk_full_time;
    time_t                      error_log_time;
};


typedef struct {
    u_char                     *start;
    u_char                     *pos;
    u_char                     *last;
    ngx_event_t                *event;
    ngx_msec_t                  flush;
} ngx_http_aiobs_log_buf_t;


typedef struct {
    ssize_t                     size;
    ngx_msec_t                  flush;
} ngx_http_aiobs_log_options_t;


static char *ngx_http_aiobs_log_options(ngx_conf_t *cf,
    ngx_http_aiobs_log_t *log, ngx_http_aiobs_log_options_t *options);
static ngx_int_t ngx_http_aiobs_log_option(ngx_conf_t *cf,
    ngx_http_aiobs_log_t *log, ngx_http_aiobs_log_options_t *options,
    ngx_str_t *value);
static char *ngx_http_aiobs_log_buffer(ngx_conf_t *cf,
    ngx_http_aiobs_log_t *log, ngx_http_aiobs_log_options_t *options);
static char *ngx_http_aiobs_log_if(ngx_conf_t *cf, ngx_http_aiobs_log_t *log,
    ngx_str_t *value);
static ngx_uint_t ngx_http_aiobs_log_wanted(ngx_http_request_t *r,
    ngx_http_aiobs_log_t *log);
static void ngx_http_aiobs_log_line(ngx_http_request_t *r,
    ngx_http_aiobs_log_t *log, u_char *line, size_t len);
static void ngx_http_aiobs_log_out(ngx_http_request_t *r,
    ngx_http_aiobs_log_t *log, u_char *buf, size_t len);
static void ngx_http_aiobs_log_flush(ngx_open_file_t *file, ngx_log_t *log);
static void ngx_http_aiobs_log_flush_handler(ngx_event_t *ev);


char *
ngx_http_aiobs_log_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aiobs_loc_conf_t *lcf = conf;

    ngx_str_t                     *value;
    ngx_http_aiobs_log_t          *log, **logp;
    ngx_http_aiobs_log_options_t   options;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (cf->args->nelts > 2 || lcf->logs != NGX_CONF_UNSET_PTR) {
            return "\"off\" stands alone";
        }

        lcf->logs = NULL;
        return NGX_CONF_OK;
    }

    if (lcf->logs == NULL) {
        return "\"off\" stands alone";
    }

    if (lcf->logs == NGX_CONF_UNSET_PTR) {
        lcf->logs = ngx_array_create(cf->pool, 1,
                                     sizeof(ngx_http_aiobs_log_t *));
        if (lcf->logs == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    log = ngx_pcalloc(cf->pool, sizeof(ngx_http_aiobs_log_t));
    logp = ngx_array_push(lcf->logs);

    if (log == NULL || logp == NULL) {
        return NGX_CONF_ERROR;
    }

    *logp = log;

    if (ngx_strcmp(value[1].data, "stderr") != 0) {
        log->file = ngx_conf_open_file(cf->cycle, &value[1]);
        if (log->file == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_http_aiobs_log_options(cf, log, &options) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_aiobs_log_buffer(cf, log, &options);
}


void
ngx_http_aiobs_log_write(ngx_http_request_t *r, ngx_http_aiobs_ctx_t *ctx)
{
    size_t                       len;
    ngx_uint_t                   i;
    ngx_http_aiobs_log_t       **log;
    ngx_http_aiobs_loc_conf_t   *lcf;

    static u_char                line[NGX_HTTP_AIOBS_LINE_MAX];

    lcf = ctx->location;

    if (lcf->logs == NULL) {
        return;
    }

    len = 0;
    log = lcf->logs->elts;

    for (i = 0; i < lcf->logs->nelts; i++) {

        if (!ngx_http_aiobs_log_wanted(r, log[i])) {
            continue;
        }

        if (len == 0) {
            len = ngx_http_aiobs_json_line(r, ctx, line);
        }

        ngx_http_aiobs_log_line(r, log[i], line, len);
    }
}


static char *
ngx_http_aiobs_log_options(ngx_conf_t *cf, ngx_http_aiobs_log_t *log,
    ngx_http_aiobs_log_options_t *options)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    options->size = 0;
    options->flush = 0;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        switch (ngx_http_aiobs_log_option(cf, log, options, &value[i])) {

        case NGX_OK:
            break;

        case NGX_DECLINED:
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of \"aiobs_log\": "
                               "\"format=json\", \"buffer=size\", "
                               "\"flush=time\" and \"if=condition\" are "
                               "accepted", &value[i]);
            return NGX_CONF_ERROR;

        default:
            return NGX_CONF_ERROR;
        }
    }

    if (options->flush && options->size == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"flush=\" needs \"buffer=\"");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* NGX_DECLINED: no option, or no value of it; NGX_ERROR: logged */

static ngx_int_t
ngx_http_aiobs_log_option(ngx_conf_t *cf, ngx_http_aiobs_log_t *log,
    ngx_http_aiobs_log_options_t *options, ngx_str_t *value)
{
    ngx_str_t  s;

    s.data = (u_char *) ngx_strchr(value->data, '=');

    if (s.data == NULL) {
        return NGX_DECLINED;
    }

    s.data++;
    s.len = value->len - (s.data - value->data);

    if (ngx_strcmp(value->data, "format=json") == 0) {
        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "if=", 3) == 0) {
        return ngx_http_aiobs_log_if(cf, log, &s) == NGX_CONF_OK ? NGX_OK
                                                                 : NGX_ERROR;
    }

    if (ngx_strncmp(value->data, "flush=", 6) == 0) {
        options->flush = ngx_parse_time(&s, 0);

        return options->flush == (ngx_msec_t) NGX_ERROR || options->flush == 0
               ? NGX_DECLINED : NGX_OK;
    }

    if (ngx_strncmp(value->data, "buffer=", 7) != 0) {
        return NGX_DECLINED;
    }

    options->size = ngx_parse_size(&s);

    if (options->size < NGX_HTTP_AIOBS_LINE_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\": a buffer holds at least one line, "
                           "%d bytes", value, NGX_HTTP_AIOBS_LINE_MAX);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static char *
ngx_http_aiobs_log_buffer(ngx_conf_t *cf, ngx_http_aiobs_log_t *log,
    ngx_http_aiobs_log_options_t *options)
{
    ngx_http_aiobs_log_buf_t  *buffer;

    if (log->file == NULL) {
        return options->size ? "\"stderr\" cannot be buffered" : NGX_CONF_OK;
    }

    if (log->file->flush && log->file->flush != ngx_http_aiobs_log_flush) {
        return "the file is a buffered log of another module";
    }

    if (log->file->data) {
        buffer = log->file->data;

        if (buffer->last - buffer->start != options->size
            || buffer->flush != options->flush)
        {
            return "the file is already used with other \"buffer=\" or "
                   "\"flush=\"";
        }

        return NGX_CONF_OK;
    }

    if (options->size == 0) {
        return NGX_CONF_OK;
    }

    buffer = ngx_pcalloc(cf->pool, sizeof(ngx_http_aiobs_log_buf_t));
    if (buffer == NULL) {
        return NGX_CONF_ERROR;
    }

    buffer->start = ngx_pnalloc(cf->pool, options->size);
    if (buffer->start == NULL) {
        return NGX_CONF_ERROR;
    }

    buffer->pos = buffer->start;
    buffer->last = buffer->start + options->size;
    buffer->flush = options->flush;

    if (options->flush) {
        buffer->event = ngx_pcalloc(cf->pool, sizeof(ngx_event_t));
        if (buffer->event == NULL) {
            return NGX_CONF_ERROR;
        }

        buffer->event->data = log->file;
        buffer->event->handler = ngx_http_aiobs_log_flush_handler;
        buffer->event->log = &cf->cycle->new_log;
        buffer->event->cancelable = 1;
    }

    log->file->flush = ngx_http_aiobs_log_flush;
    log->file->data = buffer;

    return NGX_CONF_OK;
}


static char *
ngx_http_aiobs_log_if(ngx_conf_t *cf, ngx_http_aiobs_log_t *log,
    ngx_str_t *value)
{
    ngx_http_compile_complex_value_t  ccv;

    log->filter = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (log->filter == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = log->filter;

    return ngx_http_compile_complex_value(&ccv) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
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


static void
ngx_http_aiobs_log_line(ngx_http_request_t *r, ngx_http_aiobs_log_t *log,
    u_char *line, size_t len)
{
    ngx_http_aiobs_log_buf_t  *buffer;

    buffer = log->file ? log->file->data : NULL;

    if (buffer == NULL) {
        ngx_http_aiobs_log_out(r, log, line, len);
        return;
    }

    if (len > (size_t) (buffer->last - buffer->pos)) {
        ngx_http_aiobs_log_out(r, log, buffer->start,
                               buffer->pos - buffer->start);
        buffer->pos = buffer->start;
    }

    if (buffer->event && !buffer->event->timer_set) {
        ngx_add_timer(buffer->event, buffer->flush);
    }

    buffer->pos = ngx_cpymem(buffer->pos, line, len);
}


static void
ngx_http_aiobs_log_out(ngx_http_request_t *r, ngx_http_aiobs_log_t *log,
    u_char *buf, size_t len)
{
    time_t      now;
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_err_t   err;

    now = ngx_time();

    if (len == 0 || now == log->disk_full_time) {

        /* a full disk makes every write slow: one try a second */

        return;
    }

    fd = log->file ? log->file->fd : ngx_stderr;

    n = ngx_write_fd(fd, buf, len);

    if (n == (ssize_t) len) {
        return;
    }

    err = n == -1 ? ngx_errno : 0;

    if (err == NGX_ENOSPC) {
        log->disk_full_time = now;
    }

    if (now - log->error_log_time > 59) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, err,
                      "aiobs: " ngx_write_fd_n " to \"%s\" wrote %z of %uz "
                      "bytes", log->file ? (char *) log->file->name.data
                                         : "stderr", n, len);
        log->error_log_time = now;
    }
}


/* of nginx, before it reopens the file and when a worker exits */

static void
ngx_http_aiobs_log_flush(ngx_open_file_t *file, ngx_log_t *log)
{
    size_t                     len;
    ssize_t                    n;
    ngx_http_aiobs_log_buf_t  *buffer;

    buffer = file->data;
    len = buffer->pos - buffer->start;

    if (len == 0) {
        return;
    }

    n = ngx_write_fd(file->fd, buffer->start, len);

    if (n != (ssize_t) len) {
        ngx_log_error(NGX_LOG_ERR, log, n == -1 ? ngx_errno : 0,
                      "aiobs: " ngx_write_fd_n " to \"%s\" wrote %z of %uz "
                      "bytes", file->name.data, n, len);
    }

    buffer->pos = buffer->start;

    if (buffer->event && buffer->event->timer_set) {
        ngx_del_timer(buffer->event);
    }
}


static void
ngx_http_aiobs_log_flush_handler(ngx_event_t *ev)
{
    ngx_http_aiobs_log_flush(ev->data, ev->log);
}
