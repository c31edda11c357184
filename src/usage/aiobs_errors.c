
/*
 * Copyright (C) the aiobs authors
 *
 * Errors of providers as values of the label error_type.
 */


#include <string.h>

#include "aiobs_usage.h"


typedef struct {
    const char  *code;
    const char  *type;
} aiobs_error_t;


static const char *aiobs_error_named(const char *error, size_t len);
static const char *aiobs_error_of_status(int status);


/* codes and types that say more than the status */

static const aiobs_error_t  aiobs_errors[] = {
    { "insufficient_quota", "quota_exhausted" },
    { "billing_hard_limit_reached", "quota_exhausted" },
    { "billing_error", "quota_exhausted" },
    { "content_filter", "content_filter" },
    { "content_policy_violation", "content_filter" },
    { "image_content_policy_violation", "content_filter" },
    { "moderation_blocked", "content_filter" },
    { "data_inspection_failed", "content_filter" },     /* Alibaba */
    { "DataInspectionFailed", "content_filter" },
    { "overloaded_error", "overloaded" },
    { "rate_limit_error", "rate_limited" },
    { "rate_limit_exceeded", "rate_limited" },
    { "RESOURCE_EXHAUSTED", "rate_limited" },
    { "ThrottlingException", "rate_limited" },
    { "invalid_api_key", "authentication" },
    { "API_KEY_INVALID", "authentication" },    /* a 400 of Google */
    { "authentication_error", "authentication" },
    { "permission_error", "authentication" },
    { "UNAUTHENTICATED", "authentication" },
    { "model_not_found", "not_found" },
    { "not_found_error", "not_found" },
    { "context_length_exceeded", "invalid_request" },
    { NULL, NULL }
};


const char *
aiobs_error_type(int status, const char *error, size_t len)
{
    const char  *type;

    type = aiobs_error_named(error, len);

    if (status >= 400) {
        return type ? type : aiobs_error_of_status(status);
    }

    if (type && strcmp(type, "content_filter") == 0) {
        return type;                    /* the answer is what it is about */
    }

    return len ? "stream_error" : "";
}


static const char *
aiobs_error_named(const char *error, size_t len)
{
    const aiobs_error_t  *e;

    for (e = aiobs_errors; e->code; e++) {
        if (len == strlen(e->code) && memcmp(error, e->code, len) == 0) {
            return e->type;
        }
    }

    return NULL;
}


static const char *
aiobs_error_of_status(int status)
{
    switch (status) {

    case 401:
    case 403:
        return "authentication";

    case 402:
        return "quota_exhausted";

    case 404:
        return "not_found";

    case 408:
    case 504:
        return "timeout";

    case 429:
        return "rate_limited";

    case 499:
        return "client_abort";

    case 503:
    case 529:
        return "overloaded";

    default:
        return status < 500 ? "invalid_request" : "server_error";
    }
}
