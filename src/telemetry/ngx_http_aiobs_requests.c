
/*
 * Copyright (C) the aiobs authors
 *
 * The handler of aiobs_requests: looks through the recorder in turns of the
 * event loop, the newest first, and sends what is found when it is through.
 */


#include "ngx_http_aiobs_requests.h"


#define NGX_HTTP_AIOBS_REQUESTS_BUF  16384


static ngx_int_t ngx_http_aiobs_requests_refuse(ngx_http_request_t *r,
    ngx_uint_t status, const char *error);
static ngx_http_aiobs_requests_t *ngx_http_aiobs_requests_create(
    ngx_http_request_t *r, ngx_http_aiobs_requests_filter_t *filter);
static void ngx_http_aiobs_requests_event(ngx_event_t *ev);
static ngx_int_t ngx_http_aiobs_requests_turn(
    ngx_http_aiobs_requests_t *requests);
static void ngx_http_aiobs_requests_process(
    ngx_http_aiobs_requests_t *requests, ngx_http_aiobs_flights_t *process);
static void ngx_http_aiobs_requests_flight(ngx_http_aiobs_requests_t *requests,
    ngx_http_aiobs_flight_t *flight);
static void ngx_http_aiobs_requests_record(ngx_http_aiobs_requests_t *requests,
    ngx_http_aiobs_record_t *record);
static ngx_int_t ngx_http_aiobs_requests_send(
    ngx_http_aiobs_requests_t *requests);
static void ngx_http_aiobs_requests_cleanup(void *data);


ngx_int_t
ngx_http_aiobs_requests_handler(ngx_http_request_t *r)
{
    ngx_int_t                          rc;
    const char                        *error;
    ngx_http_aiobs_requests_t         *requests;
    ngx_http_aiobs_loc_conf_t         *lcf;
    ngx_http_aiobs_requests_filter_t   filter;

    lcf = ngx_http_get_module_loc_conf(r, ngx_http_aiobs_module);

    if (!lcf->recorder.remote && !ngx_http_aiobs_loopback(r)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "aiobs: requests asked for from another machine; "
                      "\"aiobs_requests remote;\" allows it");
        return NGX_HTTP_FORBIDDEN;
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_http_aiobs_recorder == NULL) {
        return NGX_HTTP_NOT_FOUND;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memzero(&filter, sizeof(ngx_http_aiobs_requests_filter_t));

    if (ngx_http_aiobs_requests_filter(r, &filter, &error) != NGX_OK) {
        return ngx_http_aiobs_requests_refuse(r, NGX_HTTP_BAD_REQUEST, error);
    }

    requests = ngx_http_aiobs_requests_create(r, &filter);
    if (requests == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    ngx_post_event(&requests->event, &ngx_posted_next_events);

    return NGX_DONE;
}


void
ngx_http_aiobs_requests_add(ngx_http_aiobs_requests_t *requests,
    const void *data, size_t len)
{
    size_t        n;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    while (len && !requests->failed) {

        b = requests->last ? requests->last->buf : NULL;

        if (b == NULL || b->last == b->end) {
            cl = ngx_alloc_chain_link(requests->request->pool);
            b = ngx_create_temp_buf(requests->request->pool,
                                    NGX_HTTP_AIOBS_REQUESTS_BUF);

            if (cl == NULL || b == NULL) {
                requests->failed = 1;
                return;
            }

            cl->buf = b;
            cl->next = NULL;

            if (requests->last) {
                requests->last->next = cl;

            } else {
                requests->out = cl;
            }

            requests->last = cl;
        }

        n = ngx_min(len, (size_t) (b->end - b->last));

        b->last = ngx_cpymem(b->last, data, n);
        data = (u_char *) data + n;
        len -= n;
        requests->size += n;
    }
}


void
ngx_http_aiobs_requests_text(ngx_http_aiobs_requests_t *requests,
    const char *text)
{
    ngx_http_aiobs_requests_add(requests, text, ngx_strlen(text));
}


static ngx_int_t
ngx_http_aiobs_requests_refuse(ngx_http_request_t *r, ngx_uint_t status,
    const char *error)
{
    u_char                    *p;
    ngx_str_t                  type;
    ngx_http_complex_value_t   cv;

    ngx_str_set(&type, "application/json");
    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = ngx_pnalloc(r->pool, ngx_strlen(error) + 16);
    if (cv.value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_sprintf(cv.value.data, "{\"error\":\"%s\"}\n", error);
    cv.value.len = p - cv.value.data;

    return ngx_http_send_response(r, status, &type, &cv);
}


static ngx_http_aiobs_requests_t *
ngx_http_aiobs_requests_create(ngx_http_request_t *r,
    ngx_http_aiobs_requests_filter_t *filter)
{
    ngx_http_cleanup_t         *cln;
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_aiobs_requests_t  *requests;

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_aiobs_requests_t));
    if (cln == NULL) {
        return NULL;
    }

    requests = cln->data;
    ngx_memzero(requests, sizeof(ngx_http_aiobs_requests_t));

    requests->request = r;
    requests->filter = *filter;
    requests->next = ngx_http_aiobs_recorder->next;
    requests->oldest = requests->next
                       - ngx_min(requests->next,
                                 ngx_http_aiobs_recorder->capacity);

    requests->event.data = requests;
    requests->event.handler = ngx_http_aiobs_requests_event;
    requests->event.log = r->connection->log;

    cln->handler = ngx_http_aiobs_requests_cleanup;

    if (filter->html) {
        ngx_http_aiobs_page_head(requests);

    } else if (!filter->one) {
        ngx_http_aiobs_requests_text(requests, "{\"in_flight\":[");
    }

    /* a worker that is about to quit stays for what has a timer */

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    ngx_add_timer(r->connection->write, clcf->send_timeout);

    return requests;
}


static void
ngx_http_aiobs_requests_event(ngx_event_t *ev)
{
    ngx_int_t                   rc;
    ngx_connection_t           *c;
    ngx_http_request_t         *r;
    ngx_http_aiobs_requests_t  *requests;

    requests = ev->data;
    r = requests->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    rc = ngx_http_aiobs_requests_turn(requests);

    if (rc == NGX_AGAIN) {
        ngx_post_event(&requests->event, &ngx_posted_next_events);
        return;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_aiobs_requests_send(requests);
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/* NGX_OK: it is through; NGX_AGAIN: there is more */

static ngx_int_t
ngx_http_aiobs_requests_turn(ngx_http_aiobs_requests_t *requests)
{
    ngx_uint_t                 i;
    ngx_http_aiobs_flights_t  *process;
    ngx_http_aiobs_record_t    record;

    while (requests->process < NGX_MAX_PROCESSES) {
        process = ngx_http_aiobs_flights_of(requests->process++);

        if (process) {
            ngx_http_aiobs_requests_process(requests, process);
            return NGX_AGAIN;
        }
    }

    if (requests->process == NGX_MAX_PROCESSES) {
        requests->process++;

        if (requests->filter.html) {
            ngx_http_aiobs_page_middle(requests);

        } else if (!requests->filter.one) {
            ngx_http_aiobs_requests_text(requests, "],\"requests\":[");
        }
    }

    for (i = 0; i < NGX_HTTP_AIOBS_REQUESTS_TURN; i++) {

        if (requests->next == requests->oldest
            || requests->found == requests->filter.limit
            || (requests->found && requests->filter.one)
            || requests->failed)
        {
            return NGX_OK;
        }

        requests->next--;

        if (ngx_http_aiobs_recorder_read(requests->next, &record) == NGX_OK
            && ngx_http_aiobs_requests_match(&requests->filter, &record))
        {
            ngx_http_aiobs_requests_record(requests, &record);
            requests->found++;
        }
    }

    return NGX_AGAIN;
}


static void
ngx_http_aiobs_requests_process(ngx_http_aiobs_requests_t *requests,
    ngx_http_aiobs_flights_t *process)
{
    ngx_uint_t                i;
    ngx_http_aiobs_flight_t   flight;

    for (i = 0; i < NGX_HTTP_AIOBS_FLIGHTS; i++) {

        if (requests->flights < NGX_HTTP_AIOBS_REQUESTS_LIMIT_MAX
            && process->flights[i].start
            && ngx_http_aiobs_flight_read(&process->flights[i], &flight)
               == NGX_OK
            && ngx_http_aiobs_requests_match_flight(&requests->filter,
                                                    &flight))
        {
            ngx_http_aiobs_requests_flight(requests, &flight);
            requests->flights++;
        }
    }
}


static void
ngx_http_aiobs_requests_flight(ngx_http_aiobs_requests_t *requests,
    ngx_http_aiobs_flight_t *flight)
{
    u_char       buf[6 * sizeof(ngx_http_aiobs_flight_t) + 256], *p;
    uint64_t     ms;
    ngx_str_t    s;
    ngx_uint_t   i;
    ngx_time_t  *tp;

    static const char *names[] = {
        "request_id", "method", "path", "endpoint", "user_id", "request_model"
    };

    u_char *texts[] = {
        flight->request_id, flight->method, flight->path, flight->endpoint,
        flight->user, flight->model
    };

    tp = ngx_timeofday();
    ms = (uint64_t) tp->sec * 1000 + tp->msec;
    ms = ms > flight->start ? ms - flight->start : 0;

    if (requests->filter.html) {
        ngx_http_aiobs_page_flight(requests, flight, ms);
        return;
    }

    if (requests->filter.one) {
        return;
    }

    p = ngx_sprintf(buf, "%s{\"duration\":%uL.%03uL,\"answering\":%s",
                    requests->flights ? "," : "", ms / 1000, ms % 1000,
                    flight->answering ? "true" : "false");

    for (i = 0; i < 6; i++) {
        if (flight->len[i]) {
            s.data = texts[i];
            s.len = flight->len[i];

            p = ngx_sprintf(p, ",\"%s\":", names[i]);
            p = ngx_http_aiobs_json_string(p, 6 * s.len + 2, &s);
        }
    }

    *p++ = '}';

    ngx_http_aiobs_requests_add(requests, buf, p - buf);
}


static void
ngx_http_aiobs_requests_record(ngx_http_aiobs_requests_t *requests,
    ngx_http_aiobs_record_t *record)
{
    size_t  len;
    u_char  json[NGX_HTTP_AIOBS_LINE_ROOM];

    len = ngx_http_aiobs_record_json(record, json);

    if (requests->filter.html) {
        ngx_http_aiobs_page_record(requests, json, len);
        return;
    }

    if (requests->found) {
        ngx_http_aiobs_requests_text(requests, ",\n");
    }

    ngx_http_aiobs_requests_add(requests, json, len);
}


static ngx_int_t
ngx_http_aiobs_requests_send(ngx_http_aiobs_requests_t *requests)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = requests->request;

    if (requests->filter.html) {
        ngx_http_aiobs_page_end(requests);
        ngx_str_set(&r->headers_out.content_type, "text/html; charset=utf-8");
        r->headers_out.content_type_len = sizeof("text/html") - 1;

    } else if (requests->filter.one && requests->found == 0) {
        return ngx_http_aiobs_requests_refuse(r, NGX_HTTP_NOT_FOUND,
                                              "no such request");

    } else {
        ngx_http_aiobs_requests_text(requests,
                                     requests->filter.one ? "\n" : "]}\n");
        ngx_str_set(&r->headers_out.content_type, "application/json");
        r->headers_out.content_type_len = r->headers_out.content_type.len;
    }

    if (requests->failed || ngx_http_aiobs_page_headers(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = requests->size;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    requests->last->buf->last_buf = (r == r->main);
    requests->last->buf->last_in_chain = 1;

    return ngx_http_output_filter(r, requests->out);
}


static void
ngx_http_aiobs_requests_cleanup(void *data)
{
    ngx_http_aiobs_requests_t *requests = data;

    if (requests->event.posted) {
        ngx_delete_posted_event(&requests->event);
    }
}
