
/*
 * Copyright (C) the aiobs authors
 *
 * Lines written as nginx writes its own access log: appended whole, buffered
 * and flushed on request.  What cannot be written is counted and told, and
 * never waited for.
 */


#include "ngx_http_aiobs_log_out.h"
#include "ngx_http_aiobs_export.h"


static void ngx_http_aiobs_log_flush_sink(ngx_http_aiobs_log_sink_t *sink,
    ngx_log_t *log);
static void ngx_http_aiobs_log_release(void);
static ngx_fd_t ngx_http_aiobs_log_fd(ngx_http_aiobs_log_sink_t *sink);
static void ngx_http_aiobs_log_look(ngx_http_aiobs_log_sink_t *sink,
    ngx_fd_t fd);
static void ngx_http_aiobs_log_out(ngx_http_aiobs_log_sink_t *sink,
    u_char *buf, size_t len, ngx_log_t *log);
static size_t ngx_http_aiobs_log_piece(u_char *buf, size_t len);
static void ngx_http_aiobs_log_put(ngx_http_aiobs_log_sink_t *sink,
    ngx_fd_t fd, u_char *buf, size_t len, ngx_log_t *log);
static ssize_t ngx_http_aiobs_log_write_fd(ngx_http_aiobs_log_sink_t *sink,
    ngx_fd_t fd, u_char *buf, size_t len);
static void ngx_http_aiobs_log_syslog(ngx_http_aiobs_log_sink_t *sink,
    u_char *line, size_t len, ngx_log_t *log);
static void ngx_http_aiobs_log_lost(ngx_http_aiobs_log_sink_t *sink,
    u_char *buf, size_t len, ngx_err_t err, ngx_log_t *log);
static char *ngx_http_aiobs_log_reason(ngx_err_t err);


ngx_fd_t  ngx_http_aiobs_stderr = NGX_INVALID_FILE;

/*
 * Files whose last line lacks its end, for all workers: whoever writes next
 * ends it.  Each stands, by its key, in the place that its key names.
 */

static ngx_atomic_t   ngx_http_aiobs_log_alone[NGX_HTTP_AIOBS_LOG_TORN];
static ngx_atomic_t  *ngx_http_aiobs_log_torn = ngx_http_aiobs_log_alone;

/* a file opened again may have the number of one that was closed before */

static ngx_uint_t     ngx_http_aiobs_log_opened;

/*
 * The read end of a pipe that is about to be opened.  A worker closes it before
 * its next line; the master writes none and keeps it.
 */

static ngx_fd_t       ngx_http_aiobs_log_reader = NGX_INVALID_FILE;


void
ngx_http_aiobs_log_init_process(ngx_atomic_t *torn)
{
    ngx_http_aiobs_log_torn = torn;
}


ngx_uint_t
ngx_http_aiobs_log_color(ngx_http_aiobs_log_sink_t *sink)
{
    if (sink->syslog) {
        return 0;
    }

    (void) ngx_http_aiobs_log_fd(sink);

    return sink->terminal && !sink->no_color;
}


u_char *
ngx_http_aiobs_log_room(ngx_http_aiobs_log_sink_t *sink)
{
    return sink->start && sink->last - sink->pos >= NGX_HTTP_AIOBS_LINE_ROOM
           ? sink->pos : NULL;
}


void
ngx_http_aiobs_log_line(ngx_http_aiobs_log_sink_t *sink, u_char *line,
    size_t len, ngx_log_t *log)
{
    if (sink->syslog) {
        ngx_http_aiobs_log_syslog(sink, line, len, log);
        return;
    }

    if (sink->start == NULL) {
        ngx_http_aiobs_log_out(sink, line, len, log);
        return;
    }

    if (len > (size_t) (sink->last - sink->pos)) {
        ngx_http_aiobs_log_out(sink, sink->start, sink->pos - sink->start,
                               log);
        sink->pos = sink->start;
    }

    if (sink->event && !sink->event->timer_set) {
        ngx_add_timer(sink->event, sink->flush);
    }

    /* it may be another line of this very buffer */

    if (line != sink->pos) {
        ngx_memmove(sink->pos, line, len);
    }

    sink->pos += len;
}


void
ngx_http_aiobs_log_reopen(ngx_open_file_t *file, ngx_log_t *log)
{
    ngx_http_aiobs_log_opened++;

    ngx_http_aiobs_log_release();
    ngx_http_aiobs_log_reader = ngx_http_aiobs_log_hold(file->name.data);
}


static void
ngx_http_aiobs_log_release(void)
{
    if (ngx_http_aiobs_log_reader != NGX_INVALID_FILE) {
        (void) ngx_close_file(ngx_http_aiobs_log_reader);
        ngx_http_aiobs_log_reader = NGX_INVALID_FILE;
    }
}


ngx_fd_t
ngx_http_aiobs_log_hold(u_char *name)
{
    ngx_file_info_t  fi;

    if (ngx_file_info(name, &fi) == NGX_FILE_ERROR || !S_ISFIFO(fi.st_mode)) {
        return NGX_INVALID_FILE;
    }

    return open((char *) name, O_RDONLY|O_NONBLOCK|O_CLOEXEC);
}


void
ngx_http_aiobs_log_flush(ngx_open_file_t *file, ngx_log_t *log)
{
    ngx_http_aiobs_log_flush_sink(file->data, log);
    ngx_http_aiobs_log_reopen(file, log);
}


void
ngx_http_aiobs_log_flush_handler(ngx_event_t *ev)
{
    ngx_http_aiobs_log_flush_sink(ev->data, ev->log);
}


static void
ngx_http_aiobs_log_flush_sink(ngx_http_aiobs_log_sink_t *sink, ngx_log_t *log)
{
    ngx_http_aiobs_log_out(sink, sink->start, sink->pos - sink->start, log);

    sink->pos = sink->start;

    if (sink->event && sink->event->timer_set) {
        ngx_del_timer(sink->event);
    }
}


/* it is another one after the file was reopened */

static ngx_fd_t
ngx_http_aiobs_log_fd(ngx_http_aiobs_log_sink_t *sink)
{
    ngx_fd_t  fd;

    if (sink->file) {
        fd = sink->file->fd;

    } else {
        fd = ngx_http_aiobs_stderr != NGX_INVALID_FILE ? ngx_http_aiobs_stderr
                                                       : ngx_stderr;
    }

    if (fd != sink->fd || sink->opened != ngx_http_aiobs_log_opened) {
        ngx_http_aiobs_log_look(sink, fd);
    }

    return fd;
}


static void
ngx_http_aiobs_log_look(ngx_http_aiobs_log_sink_t *sink, ngx_fd_t fd)
{
    ngx_file_info_t  fi;

    ngx_http_aiobs_log_release();

    sink->fd = fd;
    sink->opened = ngx_http_aiobs_log_opened;
    sink->key = 0;
    sink->terminal = isatty(fd);
    sink->pipe = 0;
    sink->socket = 0;

    if (ngx_fd_info(fd, &fi) != NGX_FILE_ERROR) {
        sink->pipe = S_ISFIFO(fi.st_mode) ? 1 : 0;
        sink->socket = S_ISSOCK(fi.st_mode) ? 1 : 0;
        sink->key = (ngx_atomic_uint_t) fi.st_ino * 31 + fi.st_dev;
    }

    sink->key += (sink->key == 0);

    /* a pipe that nobody reads, a terminal that is held: not waited for */

    if (sink->file && (sink->pipe || sink->terminal)) {
        (void) ngx_nonblocking(fd);
    }
}


static void
ngx_http_aiobs_log_out(ngx_http_aiobs_log_sink_t *sink, u_char *buf,
    size_t len, ngx_log_t *log)
{
    size_t    n;
    ngx_fd_t  fd;

    if (len == 0) {
        return;
    }

    fd = ngx_http_aiobs_log_fd(sink);

    while (len) {
        n = sink->pipe ? ngx_http_aiobs_log_piece(buf, len) : len;

        if (sink->failed == ngx_time()) {

            /* a full disk makes every write slow: one try a second */

            ngx_http_aiobs_log_lost(sink, buf, n, NGX_ENOSPC, log);

        } else {
            ngx_http_aiobs_log_put(sink, fd, buf, n, log);
        }

        buf += n;
        len -= n;
    }
}


/* what several workers may write to one pipe without mixing their lines */

static size_t
ngx_http_aiobs_log_piece(u_char *buf, size_t len)
{
    u_char  *p;

    if (len <= PIPE_BUF) {
        return len;
    }

    for (p = buf + PIPE_BUF; p > buf; p--) {
        if (p[-1] == LF) {
            return p - buf;
        }
    }

    p = ngx_strlchr(buf, buf + len, LF);

    return p ? (size_t) (p + 1 - buf) : len;
}


static void
ngx_http_aiobs_log_put(ngx_http_aiobs_log_sink_t *sink, ngx_fd_t fd,
    u_char *buf, size_t len, ngx_log_t *log)
{
    ssize_t        n;
    ngx_err_t      err;
    ngx_atomic_t  *torn;

    torn = &ngx_http_aiobs_log_torn[sink->key % NGX_HTTP_AIOBS_LOG_TORN];

    if (*torn == sink->key && ngx_atomic_cmp_set(torn, sink->key, 0)) {

        /* of the line that was written in part, at least the next is whole */

        if (ngx_http_aiobs_log_write_fd(sink, fd, (u_char *) "\n", 1) != 1) {
            err = ngx_errno;
            *torn = sink->key;
            ngx_http_aiobs_log_lost(sink, buf, len, err, log);
            return;
        }
    }

    n = ngx_http_aiobs_log_write_fd(sink, fd, buf, len);

    if (n == (ssize_t) len) {
        return;
    }

    if (n > 0) {
        if (buf[n - 1] != LF) {
            *torn = sink->key;
        }

        ngx_http_aiobs_log_lost(sink, buf + n, len - n,
                                sink->pipe || sink->socket || sink->terminal
                                ? NGX_EAGAIN : NGX_ENOSPC,
                                log);
        return;
    }

    ngx_http_aiobs_log_lost(sink, buf, len, ngx_errno, log);
}


/*
 * A socket is that of stderr, as systemd makes it.  Others write to it as well,
 * in their own way: it cannot be opened again, but not be waited for.
 */

static ssize_t
ngx_http_aiobs_log_write_fd(ngx_http_aiobs_log_sink_t *sink, ngx_fd_t fd,
    u_char *buf, size_t len)
{
    ssize_t  n;

    do {
        n = sink->socket ? send(fd, buf, len, MSG_DONTWAIT|MSG_NOSIGNAL)
                         : ngx_write_fd(fd, buf, len);
    } while (n == -1 && ngx_errno == NGX_EINTR);

    return n;
}


static void
ngx_http_aiobs_log_syslog(ngx_http_aiobs_log_sink_t *sink, u_char *line,
    size_t len, ngx_log_t *log)
{
    u_char     *p;
    ngx_err_t   err;

    static u_char  message[NGX_HTTP_AIOBS_SYSLOG_HEADER
                           + NGX_HTTP_AIOBS_LINE_MAX];

    if (sink->failed == ngx_time()) {

        /* nginx tells of each failure: one try a second */

        ngx_http_aiobs_log_lost(sink, line, len, 0, log);
        return;
    }

    p = ngx_syslog_add_header(sink->syslog, message);
    p = ngx_cpymem(p, line, len - 1);

    if (ngx_syslog_send(sink->syslog, message, p - message) < 0) {
        err = ngx_socket_errno;

        if (err != NGX_EAGAIN) {
            sink->failed = ngx_time();
        }

        ngx_http_aiobs_log_lost(sink, line, len, err, log);
    }
}


static void
ngx_http_aiobs_log_lost(ngx_http_aiobs_log_sink_t *sink, u_char *buf,
    size_t len, ngx_err_t err, ngx_log_t *log)
{
    u_char      *p, *last;
    ngx_str_t    labels[2];
    ngx_uint_t   lines;

    lines = 0;
    last = buf + len;

    for (p = buf; p < last; p++) {
        lines += (*p == LF);
    }

    ngx_str_set(&labels[0], "log");
    labels[1].data = (u_char *) ngx_http_aiobs_log_reason(err);
    labels[1].len = ngx_strlen(labels[1].data);

    ngx_http_aiobs_metrics_add(NGX_HTTP_AIOBS_EXPORT_DROPPED, labels, lines);

    if (err == NGX_ENOSPC) {
        sink->failed = ngx_time();
    }

    if (sink->told != ngx_time()) {
        sink->told = ngx_time();

        ngx_http_aiobs_sentry_fault("log", "log lines are being lost");

        ngx_log_error(NGX_LOG_ERR, log, err,
                      "aiobs: lines for \"%s\" are lost",
                      sink->file ? (char *) sink->file->name.data
                                 : sink->syslog ? "syslog" : "stderr");
    }
}


static char *
ngx_http_aiobs_log_reason(ngx_err_t err)
{
    switch (err) {

    case NGX_ENOSPC:
        return "disk_full";

    case NGX_EAGAIN:
        return "not_taken";

    default:
        return "write_failed";
    }
}
