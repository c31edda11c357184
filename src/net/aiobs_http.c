
/*
 * Copyright (C) the aiobs authors
 *
 * One bounded HTTP request at a time, over libcurl.  Its multi interface, not
 * curl_easy_perform(), so that a request can be given up at once.
 */


#include "aiobs_http.h"

#include <curl/curl.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define AIOBS_HTTP_CONNECT_MS  5000
#define AIOBS_HTTP_TIMEOUT_MS  10000
#define AIOBS_HTTP_POLL_MS     100
#define AIOBS_HTTP_MAX         65536

#define aiobs_http_set(http, option, value)                                   \
    if (curl_easy_setopt((http)->easy, option, value) != CURLE_OK) {          \
        return -1;                                                            \
    }


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


static int aiobs_http_prepare(aiobs_http_t *http,
    const aiobs_http_request_t *request, struct curl_slist *headers);
static int aiobs_http_prepare_body(aiobs_http_t *http,
    const aiobs_http_request_t *request);
static int aiobs_http_prepare_tls(aiobs_http_t *http,
    const aiobs_http_request_t *request);
static int aiobs_http_protocols(aiobs_http_t *http);
static int aiobs_http_list(const char *const *headers,
    struct curl_slist **list);
static CURLcode aiobs_http_run(aiobs_http_t *http,
    const aiobs_http_request_t *request, int *gave_up);
static aiobs_http_error_e aiobs_http_error(CURLcode code);
static void aiobs_http_text(aiobs_http_t *http, CURLcode code,
    aiobs_http_answer_t *answer);
static size_t aiobs_http_write(char *data, size_t size, size_t n, void *arg);
static size_t aiobs_http_line(char *data, size_t size, size_t n, void *arg);


static const char *const  aiobs_http_names[AIOBS_HTTP_ERRORS] = {
    "ok", "url", "dns", "connect", "tls", "timeout", "protocol", "too_large",
    "gave_up", "memory"
};


int
aiobs_http_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -1;
}


aiobs_http_t *
aiobs_http_create(void)
{
    aiobs_http_t  *http;

    http = calloc(1, sizeof(aiobs_http_t));
    if (http == NULL) {
        return NULL;
    }

    http->multi = curl_multi_init();
    http->easy = curl_easy_init();
    http->body = calloc(1, 1);

    if (http->multi == NULL || http->easy == NULL || http->body == NULL) {
        aiobs_http_free(http);
        return NULL;
    }

    return http;
}


void
aiobs_http_free(aiobs_http_t *http)
{
    if (http == NULL) {
        return;
    }

    if (http->easy) {
        curl_easy_cleanup(http->easy);
    }

    if (http->multi) {
        curl_multi_cleanup(http->multi);
    }

    free(http->body);
    free(http);
}


aiobs_http_error_e
aiobs_http_perform(aiobs_http_t *http, const aiobs_http_request_t *request,
    aiobs_http_answer_t *answer)
{
    int                 gave_up;
    long                n;
    CURLcode            code;
    struct curl_slist  *headers;

    memset(answer, 0, sizeof(aiobs_http_answer_t));

    http->len = 0;
    http->body[0] = '\0';
    http->max = request->max ? request->max : AIOBS_HTTP_MAX;
    http->too_large = 0;
    http->headers_len = 0;
    http->text[0] = '\0';

    gave_up = 0;
    code = CURLE_OUT_OF_MEMORY;
    headers = NULL;

    if (aiobs_http_list(request->headers, &headers) == 0
        && aiobs_http_prepare(http, request, headers) == 0)
    {
        code = aiobs_http_run(http, request, &gave_up);
    }

    if (curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &n) == CURLE_OK) {
        answer->status = (int) n;
    }

    if (curl_easy_getinfo(http->easy, CURLINFO_REQUEST_SIZE, &n) == CURLE_OK) {
        answer->sent = n > 0;
    }

    answer->error = gave_up ? AIOBS_HTTP_GAVE_UP
                  : http->too_large ? AIOBS_HTTP_TOO_LARGE
                                    : aiobs_http_error(code);

    if (answer->error == AIOBS_HTTP_URL && answer->sent && !answer->status) {
        answer->error = AIOBS_HTTP_PROTOCOL;        /* of the answer */
    }

    answer->body = http->body;
    answer->len = http->len;
    answer->headers = http->headers;
    answer->headers_len = http->headers_len;

    aiobs_http_text(http, code, answer);

    /* connections stay with the multi handle */

    curl_easy_reset(http->easy);
    curl_slist_free_all(headers);

    return answer->error;
}


const char *
aiobs_http_header(const aiobs_http_answer_t *answer, const char *name)
{
    size_t       len;
    const char  *p, *end;

    len = strlen(name);
    p = answer->headers;
    end = p + answer->headers_len;

    while (p < end) {
        if (strncmp(p, name, len) == 0 && p[len] == ':') {
            return p + len + 1;
        }

        p += strlen(p) + 1;
    }

    return "";
}


const char *
aiobs_http_error_name(aiobs_http_error_e error)
{
    return aiobs_http_names[error];
}


/* -1: no memory */

static int
aiobs_http_prepare(aiobs_http_t *http, const aiobs_http_request_t *request,
    struct curl_slist *headers)
{
    long  version;

    version = CURL_HTTP_VERSION_1_1;

    if (request->http2 && strncmp(request->url, "https:", 6) == 0) {
        version = CURL_HTTP_VERSION_2TLS;

    } else if (request->http2) {
        version = CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;

        /* libcurl 7.88 cannot send a second request on such a connection */

        aiobs_http_set(http, CURLOPT_FORBID_REUSE, 1L);
    }

    aiobs_http_set(http, CURLOPT_URL, request->url);
    aiobs_http_set(http, CURLOPT_HTTPHEADER, headers);
    aiobs_http_set(http, CURLOPT_HTTP_VERSION, version);
    aiobs_http_set(http, CURLOPT_NOSIGNAL, 1L);
    aiobs_http_set(http, CURLOPT_ERRORBUFFER, http->text);
    aiobs_http_set(http, CURLOPT_CONNECTTIMEOUT_MS,
                   request->connect_ms ? request->connect_ms
                                       : AIOBS_HTTP_CONNECT_MS);
    aiobs_http_set(http, CURLOPT_TIMEOUT_MS,
                   request->timeout_ms ? request->timeout_ms
                                       : AIOBS_HTTP_TIMEOUT_MS);
    aiobs_http_set(http, CURLOPT_FOLLOWLOCATION,
                   request->redirects ? 1L : 0L);
    aiobs_http_set(http, CURLOPT_MAXREDIRS, request->redirects);
    aiobs_http_set(http, CURLOPT_WRITEFUNCTION, aiobs_http_write);
    aiobs_http_set(http, CURLOPT_WRITEDATA, http);
    aiobs_http_set(http, CURLOPT_HEADERFUNCTION, aiobs_http_line);
    aiobs_http_set(http, CURLOPT_HEADERDATA, http);

#if (LIBCURL_VERSION_NUM >= 0x075700)

    /* a resolver that hangs is left alone, not waited for */

    aiobs_http_set(http, CURLOPT_QUICK_EXIT, 1L);

#endif

    if (aiobs_http_protocols(http) != 0
        || aiobs_http_prepare_body(http, request) != 0)
    {
        return -1;
    }

    return aiobs_http_prepare_tls(http, request);
}


static int
aiobs_http_prepare_body(aiobs_http_t *http, const aiobs_http_request_t *request)
{
    if (request->body) {
        aiobs_http_set(http, CURLOPT_POST, 1L);
        aiobs_http_set(http, CURLOPT_POSTFIELDS, request->body);
        aiobs_http_set(http, CURLOPT_POSTFIELDSIZE_LARGE,
                       (curl_off_t) request->body_len);
    }

    if (request->method) {
        aiobs_http_set(http, CURLOPT_CUSTOMREQUEST, request->method);
    }

    return 0;
}


static int
aiobs_http_prepare_tls(aiobs_http_t *http, const aiobs_http_request_t *request)
{
    aiobs_http_set(http, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);

    if (request->ca_file) {
        aiobs_http_set(http, CURLOPT_CAINFO, request->ca_file);
        aiobs_http_set(http, CURLOPT_CAPATH, NULL);
    }

    if (request->cert_file) {
        aiobs_http_set(http, CURLOPT_SSLCERT, request->cert_file);
    }

    if (request->cert_key_file) {
        aiobs_http_set(http, CURLOPT_SSLKEY, request->cert_key_file);
    }

    return 0;
}


static int
aiobs_http_protocols(aiobs_http_t *http)
{
#if (LIBCURL_VERSION_NUM >= 0x075500)

    aiobs_http_set(http, CURLOPT_PROTOCOLS_STR, "http,https");
    aiobs_http_set(http, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");

#else

    aiobs_http_set(http, CURLOPT_PROTOCOLS,
                   (long) (CURLPROTO_HTTP|CURLPROTO_HTTPS));
    aiobs_http_set(http, CURLOPT_REDIR_PROTOCOLS,
                   (long) (CURLPROTO_HTTP|CURLPROTO_HTTPS));

#endif

    return 0;
}


static int
aiobs_http_list(const char *const *headers, struct curl_slist **list)
{
    struct curl_slist  *next;

    /* a body is sent at once, not after a "100 Continue" */

    *list = curl_slist_append(NULL, "Expect:");
    if (*list == NULL) {
        return -1;
    }

    for ( /* void */ ; headers && *headers; headers++) {
        next = curl_slist_append(*list, *headers);
        if (next == NULL) {
            return -1;
        }

        *list = next;
    }

    return 0;
}


static CURLcode
aiobs_http_run(aiobs_http_t *http, const aiobs_http_request_t *request,
    int *gave_up)
{
    int        running, n;
    CURLMsg   *msg;
    CURLcode   code;

    if (curl_multi_add_handle(http->multi, http->easy) != CURLM_OK) {
        return CURLE_OUT_OF_MEMORY;
    }

    code = CURLE_FAILED_INIT;
    running = 1;

    while (curl_multi_perform(http->multi, &running) == CURLM_OK && running) {

        if (request->give_up && request->give_up(request->data)) {
            *gave_up = 1;
            break;
        }

        (void) curl_multi_poll(http->multi, NULL, 0, AIOBS_HTTP_POLL_MS, &n);
    }

    if (!running) {
        msg = curl_multi_info_read(http->multi, &n);

        if (msg && msg->msg == CURLMSG_DONE) {
            code = msg->data.result;
        }
    }

    curl_multi_remove_handle(http->multi, http->easy);

    return code;
}


static aiobs_http_error_e
aiobs_http_error(CURLcode code)
{
    switch (code) {

    case CURLE_OK:
        return AIOBS_HTTP_OK;

    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return AIOBS_HTTP_URL;

    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return AIOBS_HTTP_DNS;

    case CURLE_COULDNT_CONNECT:
        return AIOBS_HTTP_CONNECT;

    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return AIOBS_HTTP_TLS;

    case CURLE_OPERATION_TIMEDOUT:
        return AIOBS_HTTP_TIMEOUT;

    case CURLE_OUT_OF_MEMORY:
        return AIOBS_HTTP_MEMORY;

    default:
        return AIOBS_HTTP_PROTOCOL;
    }
}


/* parts of it may be the server's: a certificate's name, a header line */

static void
aiobs_http_text(aiobs_http_t *http, CURLcode code, aiobs_http_answer_t *answer)
{
    char        *p;
    const char  *text;

    switch (answer->error) {

    case AIOBS_HTTP_OK:
        return;

    case AIOBS_HTTP_GAVE_UP:
        text = "given up";
        break;

    case AIOBS_HTTP_TOO_LARGE:
        text = "the answer is too large";
        break;

    default:
        text = http->text[0] ? http->text : curl_easy_strerror(code);
        break;
    }

    snprintf(answer->text, sizeof(answer->text), "%s", text);

    for (p = answer->text; *p; p++) {
        if ((unsigned char) *p < ' ' || (unsigned char) *p > '~') {
            *p = '?';
        }
    }
}


static size_t
aiobs_http_write(char *data, size_t size, size_t n, void *arg)
{
    char          *body;
    size_t         room;
    aiobs_http_t  *http;

    http = arg;
    n *= size;

    if (n > http->max - http->len) {
        http->too_large = 1;
        return 0;
    }

    if (http->len + n >= http->size) {
        room = 2 * (http->len + n) + 1;

        body = realloc(http->body, room);
        if (body == NULL) {
            return 0;
        }

        http->body = body;
        http->size = room;
    }

    memcpy(http->body + http->len, data, n);
    http->len += n;
    http->body[http->len] = '\0';

    return n;
}


/* a status line begins the next answer: after a redirect, or a 1xx */

static size_t
aiobs_http_line(char *data, size_t size, size_t n, void *arg)
{
    char          *colon, *end, *to;
    aiobs_http_t  *http;

    http = arg;
    n *= size;

    if (n >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        http->headers_len = 0;
        return n;
    }

    colon = memchr(data, ':', n);
    end = data + n;

    if (colon == NULL || n >= sizeof(http->headers) - http->headers_len) {
        return n;
    }

    to = http->headers + http->headers_len;

    while (data <= colon) {
        *to++ = (char) tolower((unsigned char) *data++);
    }

    while (data < end && (*data == ' ' || *data == '\t')) {
        data++;
    }

    while (end > data && (unsigned char) end[-1] <= ' ') {
        end--;
    }

    for ( /* void */ ; data < end; data++) {
        *to++ = *data ? *data : ' ';
    }

    *to++ = '\0';
    http->headers_len = to - http->headers;

    return n;
}
