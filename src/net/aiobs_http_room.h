
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the net room: what the files of a request share.
 */


#ifndef _AIOBS_HTTP_ROOM_H_INCLUDED_
#define _AIOBS_HTTP_ROOM_H_INCLUDED_


#include "aiobs_http.h"

#include <curl/curl.h>


struct aiobs_http_s {
    CURLM   *multi;
    CURL    *easy;

    char    *body;
    size_t   len;
    size_t   size;              /* allocated */
    size_t   max;
    int      too_large;

    char     headers[AIOBS_HTTP_HEADERS_MAX];   /* "name:value" NUL ... */
    size_t   headers_len;

    char     text[CURL_ERROR_SIZE];
};


/* --- aiobs_http_setup.c --- */

/* all options of the handle; -1: no memory */
int aiobs_http_prepare(aiobs_http_t *http,
    const aiobs_http_request_t *request, struct curl_slist *headers);

/* header lines; -1: no memory, what *list has so far is to be freed */
int aiobs_http_list(const char *const *headers, struct curl_slist **list);


/* --- aiobs_http_answer.c --- */

/* by the code and, where it leaves that open, the text */
aiobs_http_error_e aiobs_http_error(aiobs_http_t *http, CURLcode code);

/* fills in answer->text */
void aiobs_http_text(aiobs_http_t *http, CURLcode code,
    aiobs_http_answer_t *answer);

/* libcurl's callbacks for the body and for header lines */
size_t aiobs_http_write(char *data, size_t size, size_t n, void *arg);
size_t aiobs_http_line(char *data, size_t size, size_t n, void *arg);


#endif /* _AIOBS_HTTP_ROOM_H_INCLUDED_ */
