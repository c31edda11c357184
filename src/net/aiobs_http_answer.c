
/*
 * Copyright (C) the aiobs authors
 *
 * What comes of a request: header lines and the body as they arrive, and why
 * there is no whole answer.
 */


#include "aiobs_http_room.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static int aiobs_http_alert(const char *text);


static const char *const  aiobs_http_names[AIOBS_HTTP_ERRORS] = {
    "ok", "url", "dns", "connect", "tls", "timeout", "protocol", "too_large",
    "gave_up", "memory"
};


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


aiobs_http_error_e
aiobs_http_error(aiobs_http_t *http, CURLcode code)
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

    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        return aiobs_http_alert(http->text) ? AIOBS_HTTP_TLS
                                            : AIOBS_HTTP_PROTOCOL;

    default:
        return AIOBS_HTTP_PROTOCOL;
    }
}


/*
 * In TLS 1.3 the server looks at our certificate, or asks where it is, when the
 * handshake is over for us.  Only the text tells such an alert, OpenSSL's as
 * well as GnuTLS's.
 */

static int
aiobs_http_alert(const char *text)
{
    return (strstr(text, "SSL") || strstr(text, "TLS"))
           && strstr(text, " alert ");
}


/* parts of it may be the server's: a certificate's name, a header line */

void
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


size_t
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

size_t
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
