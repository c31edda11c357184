
/*
 * Copyright (C) the aiobs authors
 *
 * One bounded HTTP request at a time, over libcurl.  Its multi interface, not
 * curl_easy_perform(), so that a request can be given up at once.
 */


#include "aiobs_http_room.h"

#include <stdlib.h>
#include <string.h>


#define AIOBS_HTTP_POLL_MS     100
#define AIOBS_HTTP_MAX         65536

/*
 * Since libcurl 8.20 this, and not CURLOPT_QUICK_EXIT, says that a resolver that
 * hangs is left alone.  The headers that this is built with may be older.
 */

#if (LIBCURL_VERSION_NUM >= 0x081400)
#define AIOBS_HTTP_MULTI_QUICK_EXIT  CURLMOPT_QUICK_EXIT
#else
#define AIOBS_HTTP_MULTI_QUICK_EXIT  ((CURLMoption) 21)
#endif


static CURLcode aiobs_http_run(aiobs_http_t *http,
    const aiobs_http_request_t *request, int *gave_up);


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

    /* a libcurl that does not know it says so, and needs it not */

    (void) curl_multi_setopt(http->multi, AIOBS_HTTP_MULTI_QUICK_EXIT, 1L);

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
                                    : aiobs_http_error(http, code);

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
