
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the recorder: one answer of aiobs_requests.
 */


#ifndef _NGX_HTTP_AIOBS_REQUESTS_H_INCLUDED_
#define _NGX_HTTP_AIOBS_REQUESTS_H_INCLUDED_


#include "ngx_http_aiobs_recorder_ring.h"


#define NGX_HTTP_AIOBS_REQUESTS_LIMIT      100
#define NGX_HTTP_AIOBS_REQUESTS_LIMIT_MAX  500
#define NGX_HTTP_AIOBS_REQUESTS_TURN       64   /* records looked at */
#define NGX_HTTP_AIOBS_REQUESTS_TEXT       200  /* bytes of an argument */


/* what is asked for; empty: not by this */

typedef struct {
    ngx_uint_t                   status;     /* 0: any; 5: 5xx; 500 */
    ngx_msec_t                   duration;   /* at least */
    ngx_uint_t                   limit;
    ngx_str_t                    id;
    ngx_str_t                    user;
    ngx_str_t                    model;
    ngx_uint_t                   html;
    ngx_uint_t                   one;        /* a record, and no list of them */
} ngx_http_aiobs_requests_filter_t;


typedef struct {
    ngx_http_request_t                *request;
    ngx_http_aiobs_requests_filter_t   filter;

    ngx_uint_t                         process;     /* the cursors */
    ngx_uint_t                         next;        /* record, newest first */
    ngx_uint_t                         oldest;
    ngx_uint_t                         flights;     /* found so far */
    ngx_uint_t                         found;

    ngx_chain_t                       *out;
    ngx_chain_t                       *last;
    off_t                              size;
    ngx_uint_t                         failed;      /* out of memory */

    ngx_event_t                        event;       /* the next turn */
} ngx_http_aiobs_requests_t;


/* --- ngx_http_aiobs_requests_filter.c --- */

/* NGX_DECLINED: an argument makes no sense, error says which */
ngx_int_t ngx_http_aiobs_requests_filter(ngx_http_request_t *r,
    ngx_http_aiobs_requests_filter_t *filter, const char **error);

ngx_uint_t ngx_http_aiobs_requests_match(
    ngx_http_aiobs_requests_filter_t *filter, ngx_http_aiobs_record_t *record);
ngx_uint_t ngx_http_aiobs_requests_match_flight(
    ngx_http_aiobs_requests_filter_t *filter, ngx_http_aiobs_flight_t *flight);


/* --- ngx_http_aiobs_requests.c --- */

/* a failure is remembered in requests->failed */
void ngx_http_aiobs_requests_add(ngx_http_aiobs_requests_t *requests,
    const void *data, size_t len);
void ngx_http_aiobs_requests_text(ngx_http_aiobs_requests_t *requests,
    const char *text);


/* --- ngx_http_aiobs_requests_page.c: the same for a browser --- */

ngx_int_t ngx_http_aiobs_page_headers(ngx_http_request_t *r);
void ngx_http_aiobs_page_head(ngx_http_aiobs_requests_t *requests);
void ngx_http_aiobs_page_flight(ngx_http_aiobs_requests_t *requests,
    ngx_http_aiobs_flight_t *flight, uint64_t ms);
void ngx_http_aiobs_page_middle(ngx_http_aiobs_requests_t *requests);
void ngx_http_aiobs_page_record(ngx_http_aiobs_requests_t *requests,
    u_char *record, size_t len);
void ngx_http_aiobs_page_end(ngx_http_aiobs_requests_t *requests);


#endif /* _NGX_HTTP_AIOBS_REQUESTS_H_INCLUDED_ */
