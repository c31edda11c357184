
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the telemetry room: where lines go, and how they are written.
 */


#ifndef _NGX_HTTP_AIOBS_LOG_OUT_H_INCLUDED_
#define _NGX_HTTP_AIOBS_LOG_OUT_H_INCLUDED_


#include "ngx_http_aiobs_telemetry.h"


#define NGX_HTTP_AIOBS_SYSLOG_HEADER  (NGX_MAXHOSTNAMELEN + 128)


typedef enum {
    NGX_HTTP_AIOBS_LOG_JSON = 0,
    NGX_HTTP_AIOBS_LOG_ECS,
    NGX_HTTP_AIOBS_LOG_CONSOLE,
    NGX_HTTP_AIOBS_LOG_COLOR,           /* console, on a terminal */
    NGX_HTTP_AIOBS_LOG_FORMATS
} ngx_http_aiobs_log_format_e;


/* one for each file; stderr and every syslog have their own */

typedef struct {
    u_char                     *start;      /* a buffer, or NULL */
    u_char                     *pos;
    u_char                     *last;
    ngx_event_t                *event;
    ngx_msec_t                  flush;
    ngx_int_t                   gzip;       /* nginx's own access_log compares
                                               this far; never the same */

    ngx_open_file_t            *file;       /* NULL: stderr, or syslog */
    ngx_syslog_peer_t          *syslog;

    /* of this process */

    ngx_fd_t                    fd;         /* the one looked at ... */
    ngx_uint_t                  opened;     /* ... after so many reopenings */
    ngx_atomic_uint_t           key;        /* of the file behind it; not 0 */
    time_t                      failed;     /* not tried again this second */
    time_t                      told;
    unsigned                    pipe:1;
    unsigned                    terminal:1;
    unsigned                    socket:1;
    unsigned                    no_color:1;
} ngx_http_aiobs_log_sink_t;


struct ngx_http_aiobs_log_s {
    ngx_http_aiobs_log_sink_t    *sink;
    ngx_http_aiobs_log_format_e   format;
    ngx_http_complex_value_t     *filter;
};


/* --- ngx_http_aiobs_log_out.c --- */

/* the process' own stderr, which nginx makes its error log; -1: none is kept */
extern ngx_fd_t  ngx_http_aiobs_stderr;

/* whether lines are for a person's eyes, in colour */
ngx_uint_t ngx_http_aiobs_log_color(ngx_http_aiobs_log_sink_t *sink);

/* NGX_HTTP_AIOBS_LINE_ROOM bytes of the buffer for the next line, or NULL */
u_char *ngx_http_aiobs_log_room(ngx_http_aiobs_log_sink_t *sink);

/*
 * Writes a line, LF included, or puts it into the buffer, if it was not made
 * there.
 */
void ngx_http_aiobs_log_line(ngx_http_aiobs_log_sink_t *sink, u_char *line,
    size_t len, ngx_log_t *log);

/* of nginx, before it reopens the file and when a worker exits; unbuffered */
void ngx_http_aiobs_log_flush(ngx_open_file_t *file, ngx_log_t *log);
void ngx_http_aiobs_log_reopen(ngx_open_file_t *file, ngx_log_t *log);
void ngx_http_aiobs_log_flush_handler(ngx_event_t *ev);

/*
 * The read end of a pipe of that name, which is to be closed: while it is open
 * nobody waits for a reader when he opens the pipe.  NGX_INVALID_FILE: it is
 * none.
 */
ngx_fd_t ngx_http_aiobs_log_hold(u_char *name);


/* --- ngx_http_aiobs_log_field.c --- */

/*
 * The n-th field of aiobs_log_field of the request's location; NGX_DONE: there
 * are no more; NGX_DECLINED: it has no value.
 */
ngx_int_t ngx_http_aiobs_log_field_get(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, ngx_uint_t n, ngx_str_t *name,
    ngx_str_t *value);

/* all of them as members of a JSON object, as far as there is room */
u_char *ngx_http_aiobs_log_fields_json(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, u_char *p, u_char *last, const char *prefix);


/*
 * --- ngx_http_aiobs_json.c, ngx_http_aiobs_ecs.c, ngx_http_aiobs_console.c ---
 *
 * The record of a finished request as one line, LF included; line: room for
 * NGX_HTTP_AIOBS_LINE_ROOM bytes.  Returns its length.
 */

size_t ngx_http_aiobs_json_line(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, u_char *line);
size_t ngx_http_aiobs_ecs_line(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, u_char *line);
size_t ngx_http_aiobs_console_line(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, u_char *line);
size_t ngx_http_aiobs_color_line(ngx_http_request_t *r,
    ngx_http_aiobs_ctx_t *ctx, u_char *line);


#endif /* _NGX_HTTP_AIOBS_LOG_OUT_H_INCLUDED_ */
