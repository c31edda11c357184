
/*
 * Copyright (C) the aiobs authors
 *
 * Requests to a provider, and what is said when one fails.
 */


#include "aiobs_oidc_provider.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>


aiobs_login_e
aiobs_oidc_failed(char *error, aiobs_login_e rc, const char *format, ...)
{
    char     *c;
    va_list   args;

    va_start(args, format);
    vsnprintf(error, AIOBS_OIDC_ERROR_MAX, format, args);
    va_end(args);

    for (c = error; *c; c++) {
        if (*c < ' ' || *c == 0x7f) {
            *c = '?';
        }
    }

    return rc;
}


/* no redirects: each URL is one that the provider itself has named */

aiobs_login_e
aiobs_oidc_get(aiobs_http_t *http, const aiobs_oidc_conf_t *conf,
    const char *what, const char *url, const char *authorization,
    json_t **json, aiobs_http_answer_t *answer, char *error)
{
    const char            *headers[3];
    aiobs_http_request_t   request;

    headers[0] = "Accept: application/json";
    headers[1] = authorization;
    headers[2] = NULL;

    memset(&request, 0, sizeof(aiobs_http_request_t));

    request.url = url;
    request.headers = headers;
    request.timeout_ms = conf->timeout;
    request.connect_ms = conf->timeout;
    request.max = AIOBS_JWKS_MAX;
    request.ca_file = conf->ca_file;
    request.give_up = conf->give_up;

    if (aiobs_http_perform(http, &request, answer) != AIOBS_HTTP_OK) {
        return aiobs_oidc_failed(error, AIOBS_LOGIN_PROVIDER,
                                 "cannot get the provider's %s: %.180s", what,
                                 answer->text);
    }

    return aiobs_oidc_json(answer, what, json, error);
}


aiobs_login_e
aiobs_oidc_json(aiobs_http_answer_t *answer, const char *what,
    json_t **json, char *error)
{
    if (answer->status != 200) {
        return aiobs_oidc_failed(error, AIOBS_LOGIN_PROVIDER,
                                 "the provider's %s: status %d", what,
                                 answer->status);
    }

    if (answer->len >= 3 && memcmp(answer->body, "\xef\xbb\xbf", 3) == 0) {
        answer->body += 3;
        answer->len -= 3;
    }

    *json = json_loadb(answer->body, answer->len, JSON_REJECT_DUPLICATES,
                       NULL);

    if (!json_is_object(*json)) {
        json_decref(*json);
        *json = NULL;

        return aiobs_oidc_failed(error, AIOBS_LOGIN_PROVIDER,
                                 "the provider's %s: no JSON object", what);
    }

    return AIOBS_LOGIN_OK;
}
