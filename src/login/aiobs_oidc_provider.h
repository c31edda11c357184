
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the login room: how a provider is asked.
 */


#ifndef _AIOBS_OIDC_PROVIDER_H_INCLUDED_
#define _AIOBS_OIDC_PROVIDER_H_INCLUDED_


#include "aiobs_oidc.h"


/* --- aiobs_oidc_request.c --- */

/*
 * An object by GET.  what: for errors; authorization: a header line, or NULL.
 * AIOBS_LOGIN_OK: *json is to be released; answer is the client's.
 */
aiobs_login_e aiobs_oidc_get(aiobs_http_t *http, const aiobs_oidc_conf_t *conf,
    const char *what, const char *url, const char *authorization,
    json_t **json, aiobs_http_answer_t *answer, char *error);

/* the object in an answer of status 200; a byte order mark is left out of it */
aiobs_login_e aiobs_oidc_json(aiobs_http_answer_t *answer, const char *what,
    json_t **json, char *error);

/* puts a text without control characters into error and returns rc */
aiobs_login_e aiobs_oidc_failed(char *error, aiobs_login_e rc,
    const char *format, ...) __attribute__((format(printf, 3, 4)));


#endif /* _AIOBS_OIDC_PROVIDER_H_INCLUDED_ */
