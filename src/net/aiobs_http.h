
/*
 * Copyright (C) the aiobs authors
 *
 * The net room: HTTP requests of our own, over libcurl.  Plain C without any
 * header of nginx, for tasks of a thread pool: a request blocks its thread.
 */


#ifndef _AIOBS_HTTP_H_INCLUDED_
#define _AIOBS_HTTP_H_INCLUDED_


#include <stddef.h>


#define AIOBS_HTTP_ERROR_MAX    256     /* bytes of an error's text, with NUL */
#define AIOBS_HTTP_HEADERS_MAX  8192    /* bytes of header lines kept */


/* why there is no whole answer */

typedef enum {
    AIOBS_HTTP_OK = 0,          /* an answer of any status came whole */
    AIOBS_HTTP_URL,             /* no http: or https: URL */
    AIOBS_HTTP_DNS,
    AIOBS_HTTP_CONNECT,
    AIOBS_HTTP_TLS,
    AIOBS_HTTP_TIMEOUT,
    AIOBS_HTTP_PROTOCOL,        /* no HTTP, or broken off */
    AIOBS_HTTP_TOO_LARGE,       /* a body above max */
    AIOBS_HTTP_GAVE_UP,         /* the caller wanted no more */
    AIOBS_HTTP_MEMORY,
    AIOBS_HTTP_ERRORS
} aiobs_http_error_e;


typedef struct {
    const char         *url;            /* http://... or https://... */
    const char         *method;         /* NULL: POST with a body, else GET */
    const char *const  *headers;        /* "Name: value", NULL ends; or NULL */
    const void         *body;           /* NULL: none */
    size_t              body_len;

    long                connect_ms;     /* DNS, TCP and TLS; 0: 5000 */
    long                timeout_ms;     /* of all; 0: 10000 */
    size_t              max;            /* body bytes accepted; 0: 65536 */
    long                redirects;      /* followed at most; 0: none */

    const char         *ca_file;        /* PEM; NULL: those of the system */
    const char         *cert_file;      /* our own, PEM; NULL: none */
    const char         *cert_key_file;

    unsigned            http2:1;        /* gRPC; cleartext: prior knowledge */

    /* asked ten times a second: not 0 ends the request; NULL: never */
    int               (*give_up)(void *data);
    void               *data;
} aiobs_http_request_t;


/* strings are of the client, until its next request */

typedef struct {
    aiobs_http_error_e  error;
    int                 status;         /* 0: none came */
    unsigned            sent:1;         /* the server may have the request */
    char               *body;           /* a NUL follows; never NULL */
    size_t              len;
    char                text[AIOBS_HTTP_ERROR_MAX]; /* of error; printable */
    const char         *headers;        /* see aiobs_http_header() */
    size_t              headers_len;
} aiobs_http_answer_t;


/* keeps connections; used by one thread at a time, of the process it was made in */
typedef struct aiobs_http_s  aiobs_http_t;


/* once in a worker process, before any thread; not 0: failed */
int aiobs_http_init(void);

/* NULL: no memory */
aiobs_http_t *aiobs_http_create(void);
void aiobs_http_free(aiobs_http_t *http);

/*
 * Sends the request and waits for the answer, or for what else ends it.  Only
 * http: and https:, redirects included; no cookies; certificates are checked;
 * credentials do not follow a redirect to another host.  No text of answer
 * tells headers or the body of the request.  Returns answer->error.
 */
aiobs_http_error_e aiobs_http_perform(aiobs_http_t *http,
    const aiobs_http_request_t *request, aiobs_http_answer_t *answer);

/*
 * Value of a header line or trailer of the final answer, "" if there is none;
 * the first of several.  name: in lower case.
 */
const char *aiobs_http_header(const aiobs_http_answer_t *answer,
    const char *name);

/* "dns", "tls", ...: one word, a label value */
const char *aiobs_http_error_name(aiobs_http_error_e error);


#endif /* _AIOBS_HTTP_H_INCLUDED_ */
