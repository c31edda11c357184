
/*
 * Copyright (C) the aiobs authors
 *
 * What libcurl is told of a request.
 */


#include "aiobs_http_room.h"

#include <string.h>


#define AIOBS_HTTP_CONNECT_MS  5000
#define AIOBS_HTTP_TIMEOUT_MS  10000

#define aiobs_http_set(http, option, value)                                   \
    if (curl_easy_setopt((http)->easy, option, value) != CURLE_OK) {          \
        return -1;                                                            \
    }


static int aiobs_http_prepare_body(aiobs_http_t *http,
    const aiobs_http_request_t *request);
static int aiobs_http_prepare_tls(aiobs_http_t *http,
    const aiobs_http_request_t *request);
static int aiobs_http_protocols(aiobs_http_t *http);


int
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


int
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
