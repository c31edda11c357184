
/*
 * Copyright (C) the aiobs authors
 *
 * The directive aiobs_log: where lines go, how and when.
 */


#include "ngx_http_aiobs_log_out.h"


typedef struct {
    ssize_t                       size;
    ngx_msec_t                    flush;
} ngx_http_aiobs_log_options_t;


static ngx_http_aiobs_log_sink_t *ngx_http_aiobs_log_sink(ngx_conf_t *cf,
    ngx_str_t *value);
static ngx_int_t ngx_http_aiobs_log_open(ngx_conf_t *cf, ngx_str_t *value,
    ngx_open_file_t **file, ngx_syslog_peer_t **syslog);
static ngx_int_t ngx_http_aiobs_log_no_wait(ngx_conf_t *cf,
    ngx_open_file_t *file);
static ngx_fd_t ngx_http_aiobs_log_keep_stderr(void);
static char *ngx_http_aiobs_log_options(ngx_conf_t *cf,
    ngx_http_aiobs_log_t *log, ngx_http_aiobs_log_options_t *options);
static ngx_int_t ngx_http_aiobs_log_option(ngx_conf_t *cf,
    ngx_http_aiobs_log_t *log, ngx_http_aiobs_log_options_t *options,
    ngx_str_t *value);
static ngx_int_t ngx_http_aiobs_log_format(ngx_http_aiobs_log_t *log,
    ngx_str_t *name);
static char *ngx_http_aiobs_log_buffer(ngx_conf_t *cf,
    ngx_http_aiobs_log_sink_t *sink, ngx_http_aiobs_log_options_t *options);
static char *ngx_http_aiobs_log_make_buffer(ngx_conf_t *cf,
    ngx_http_aiobs_log_sink_t *sink, ngx_http_aiobs_log_options_t *options);


void
ngx_http_aiobs_log_create_conf(ngx_http_aiobs_log_conf_t *conf)
{
    conf->logs = NGX_CONF_UNSET_PTR;
    conf->fields = NGX_CONF_UNSET_PTR;
}


void
ngx_http_aiobs_log_merge_conf(ngx_http_aiobs_log_conf_t *prev,
    ngx_http_aiobs_log_conf_t *conf)
{
    ngx_conf_merge_ptr_value(conf->logs, prev->logs, NULL);
    ngx_conf_merge_ptr_value(conf->fields, prev->fields, NULL);
}


char *
ngx_http_aiobs_log_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                     *value;
    ngx_http_aiobs_log_t          *log, **logp;
    ngx_http_aiobs_log_conf_t     *lcf;
    ngx_http_aiobs_log_options_t   options;

    lcf = (ngx_http_aiobs_log_conf_t *) ((char *) conf + cmd->offset);
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

    if (value[1].len == 0
        || ngx_http_script_variables_count(&value[1]) != 0)
    {
        return "needs a path, which holds no variables";
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

    log->sink = ngx_http_aiobs_log_sink(cf, &value[1]);

    if (log->sink == NULL
        || ngx_http_aiobs_log_options(cf, log, &options) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_aiobs_log_buffer(cf, log->sink, &options);
}


ngx_int_t
ngx_http_aiobs_log_init_module(ngx_cycle_t *cycle)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    /* a daemon does not hold on to the terminal or pipe of who started it */

    if (ccf->daemon && ngx_http_aiobs_stderr != NGX_INVALID_FILE) {
        (void) ngx_close_file(ngx_http_aiobs_stderr);
        ngx_http_aiobs_stderr = NGX_INVALID_FILE;
    }

    return NGX_OK;
}


static ngx_http_aiobs_log_sink_t *
ngx_http_aiobs_log_sink(ngx_conf_t *cf, ngx_str_t *value)
{
    ngx_uint_t                    i;
    ngx_open_file_t              *file;
    ngx_syslog_peer_t            *syslog;
    ngx_http_aiobs_log_sink_t    *sink, **sinks;
    ngx_http_aiobs_main_conf_t   *amcf;

    if (ngx_http_aiobs_log_open(cf, value, &file, &syslog) != NGX_OK) {
        return NULL;
    }

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aiobs_module);

    if (amcf->log.sinks == NULL) {
        amcf->log.sinks = ngx_array_create(cf->pool, 4,
                                         sizeof(ngx_http_aiobs_log_sink_t *));
        if (amcf->log.sinks == NULL) {
            return NULL;
        }
    }

    sinks = amcf->log.sinks->elts;

    for (i = 0; i < amcf->log.sinks->nelts; i++) {
        if (sinks[i]->file == file && sinks[i]->syslog == syslog) {
            return sinks[i];
        }
    }

    sink = ngx_pcalloc(cf->pool, sizeof(ngx_http_aiobs_log_sink_t));
    sinks = ngx_array_push(amcf->log.sinks);

    if (sink == NULL || sinks == NULL) {
        return NULL;
    }

    *sinks = sink;

    sink->gzip = -1;
    sink->file = file;
    sink->syslog = syslog;
    sink->fd = NGX_INVALID_FILE;
    sink->no_color = getenv("NO_COLOR") && *getenv("NO_COLOR");

    return sink;
}


/* stderr: neither a file nor a syslog */

static ngx_int_t
ngx_http_aiobs_log_open(ngx_conf_t *cf, ngx_str_t *value,
    ngx_open_file_t **file, ngx_syslog_peer_t **syslog)
{
    *file = NULL;
    *syslog = NULL;

    if (ngx_strcmp(value->data, "stderr") == 0) {

        if (ngx_http_aiobs_stderr == NGX_INVALID_FILE) {
            ngx_http_aiobs_stderr = ngx_http_aiobs_log_keep_stderr();
        }

        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "syslog:", 7) == 0) {

        *syslog = ngx_pcalloc(cf->pool, sizeof(ngx_syslog_peer_t));
        if (*syslog == NULL) {
            return NGX_ERROR;
        }

        return ngx_syslog_process_conf(cf, *syslog) == NGX_CONF_OK
               ? NGX_OK : NGX_ERROR;
    }

    if (ngx_strcmp(value->data, "stdout") == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"aiobs_log stdout\" would be a file of that name: "
                           "\"/dev/stdout\" is nginx's standard output");
        return NGX_ERROR;
    }

    *file = ngx_conf_open_file(cf->cycle, value);

    return *file ? ngx_http_aiobs_log_no_wait(cf, *file) : NGX_ERROR;
}


/* nginx opens the files once all is configured, and would wait for a reader */

static ngx_int_t
ngx_http_aiobs_log_no_wait(ngx_conf_t *cf, ngx_open_file_t *file)
{
    ngx_fd_t                  fd;
    ngx_pool_cleanup_t       *cln;
    ngx_pool_cleanup_file_t  *clnf;

    fd = ngx_http_aiobs_log_hold(file->name.data);

    if (fd == NGX_INVALID_FILE) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(cf->temp_pool, sizeof(ngx_pool_cleanup_file_t));

    if (cln == NULL) {
        (void) ngx_close_file(fd);
        return NGX_ERROR;
    }

    cln->handler = ngx_pool_cleanup_file;
    clnf = cln->data;

    clnf->fd = fd;
    clnf->name = file->name.data;
    clnf->log = cf->log;

    return NGX_OK;
}


/*
 * Before nginx makes it its error log.  Whoever shares a pipe or terminal with
 * us keeps his own way of writing to it: it is opened again, not to wait for it.
 */

static ngx_fd_t
ngx_http_aiobs_log_keep_stderr(void)
{
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    if (ngx_fd_info(ngx_stderr, &fi) != NGX_FILE_ERROR
        && (S_ISFIFO(fi.st_mode) || isatty(ngx_stderr)))
    {
        fd = open("/proc/self/fd/2", O_WRONLY|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);

        if (fd != NGX_INVALID_FILE) {
            return fd;
        }
    }

    return fcntl(ngx_stderr, F_DUPFD_CLOEXEC, ngx_stderr + 1);
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
                               "\"format=json|console|ecs\", "
                               "\"buffer=size\", \"flush=time\" and "
                               "\"if=condition\" are accepted", &value[i]);
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

    if (ngx_strncmp(value->data, "format=", 7) == 0) {
        return ngx_http_aiobs_log_format(log, &s);
    }

    if (ngx_strncmp(value->data, "if=", 3) == 0) {
        return ngx_http_aiobs_complex_value(cf, &s, &log->filter)
               == NGX_CONF_OK ? NGX_OK : NGX_ERROR;
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


static ngx_int_t
ngx_http_aiobs_log_format(ngx_http_aiobs_log_t *log, ngx_str_t *name)
{
    if (ngx_strcmp(name->data, "json") == 0) {
        log->format = NGX_HTTP_AIOBS_LOG_JSON;

    } else if (ngx_strcmp(name->data, "ecs") == 0) {
        log->format = NGX_HTTP_AIOBS_LOG_ECS;

    } else if (ngx_strcmp(name->data, "console") == 0) {
        log->format = NGX_HTTP_AIOBS_LOG_CONSOLE;

    } else {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static char *
ngx_http_aiobs_log_buffer(ngx_conf_t *cf, ngx_http_aiobs_log_sink_t *sink,
    ngx_http_aiobs_log_options_t *options)
{
    if (sink->file == NULL) {
        return options->size ? "\"stderr\" and \"syslog:\" cannot be buffered"
                             : NGX_CONF_OK;
    }

    if (sink->start) {
        return sink->last - sink->start == options->size
               && sink->flush == options->flush
               ? NGX_CONF_OK
               : "the file is already used with other \"buffer=\" or "
                 "\"flush=\"";
    }

    if (options->size == 0) {

        if (sink->file->flush == NULL) {
            sink->file->flush = ngx_http_aiobs_log_reopen;
        }

        return NGX_CONF_OK;
    }

    if ((sink->file->flush && sink->file->flush != ngx_http_aiobs_log_reopen)
        || sink->file->data)
    {
        return "the file is a buffered log of another module";
    }

    return ngx_http_aiobs_log_make_buffer(cf, sink, options);
}


static char *
ngx_http_aiobs_log_make_buffer(ngx_conf_t *cf, ngx_http_aiobs_log_sink_t *sink,
    ngx_http_aiobs_log_options_t *options)
{
    sink->start = ngx_pnalloc(cf->pool, options->size);
    if (sink->start == NULL) {
        return NGX_CONF_ERROR;
    }

    sink->pos = sink->start;
    sink->last = sink->start + options->size;
    sink->flush = options->flush;

    if (options->flush) {
        sink->event = ngx_pcalloc(cf->pool, sizeof(ngx_event_t));
        if (sink->event == NULL) {
            return NGX_CONF_ERROR;
        }

        sink->event->data = sink;
        sink->event->handler = ngx_http_aiobs_log_flush_handler;
        sink->event->log = &cf->cycle->new_log;
        sink->event->cancelable = 1;
    }

    sink->file->flush = ngx_http_aiobs_log_flush;
    sink->file->data = sink;

    return NGX_CONF_OK;
}
