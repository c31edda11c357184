
/*
 * Copyright (C) the aiobs authors
 *
 * What a path says: whether it is that of a row, and which model it names.
 */


#include <string.h>

#include "aiobs_apis.h"


static int aiobs_api_starts(const char *pattern, const char *path, size_t len);


/* what they answer may look like an answer of a model, made another time */

static const char  *aiobs_not_made_here[] = {
    "/responses/", "/completions/", "/threads", "/batches", "/files",
    "/uploads", "/fine_tuning", "/fine-tuning", "/evals", "/assistants",
    "/vector_stores", "/organization/", "/tokenize",
    "/cachedContents", NULL
};


/* whether a POST to an unknown path may have made the answer */

int
aiobs_api_makes(const char *path, size_t len)
{
    size_t        at, n;
    const char  **other;

    for (other = aiobs_not_made_here; *other; other++) {
        n = strlen(*other);

        for (at = 0; at + n <= len; at++) {
            if (memcmp(path + at, *other, n) == 0) {
                return 0;
            }
        }
    }

    return 1;
}


/* the pattern fits the path's end; "*" is a segment, the last before more a few */

int
aiobs_api_match(const aiobs_api_t *api, const char *path, size_t len)
{
    char    c;
    size_t  at, n;

    n = api->suffix_len;
    c = api->suffix[n - 1];

    if (len == 0 || (c != path[len - 1] && c != '*')) {
        return 0;
    }

    if (len >= n && memcmp(path + len - n, api->suffix, n) == 0) {
        return 1;
    }

    if (c != '*' && memchr(api->suffix, '*', n) == NULL) {
        return 0;
    }

    for (at = 0; at < len; at++) {
        if (path[at] == '/'
            && aiobs_api_starts(api->suffix, path + at, len - at))
        {
            return 1;
        }
    }

    return 0;
}


/* a model may be named by an ARN, which has slashes of its own */

static int
aiobs_api_starts(const char *pattern, const char *path, size_t len)
{
    size_t       n;
    const char  *last;

    for (last = path + len; *pattern; pattern++) {

        if (*pattern == '*') {
            n = strlen(pattern + 1);

            if (n && memchr(pattern + 1, '*', n) == NULL) {
                return (size_t) (last - path) > n
                       && memcmp(last - n, pattern + 1, n) == 0;
            }

            while (path < last && *path != '/') {
                path++;
            }

            continue;
        }

        if (path == last || *path++ != *pattern) {
            return 0;
        }
    }

    return path == last;
}


/*
 * ".../models/MODEL:verb", ".../model/MODEL/verb", ".../deployments/MODEL/", and
 * what stands there in rows of their own.
 */

size_t
aiobs_api_path_model(const aiobs_api_t *api, const char *path, size_t path_len,
    char model[AIOBS_MODEL_MAX])
{
    size_t       i, n;
    const char  *p, *last, *slash, *found[5] = { NULL };

    static const struct {
        const char  *before;
        uint8_t      len;
        char         end;           /* '\0': that of the path */
        uint8_t      row;           /* only if the row says so */
    } places[] = {
        { "/models/", sizeof("/models/") - 1, ':', 0 },
        { "/model/", sizeof("/model/") - 1, '/', 0 },
        { "/deployments/", sizeof("/deployments/") - 1, '/', 0 },
        { "/endpoints/", sizeof("/endpoints/") - 1, '/', 1 },
        { "/v1/inference/", sizeof("/v1/inference/") - 1, '\0', 1 }
    };

    last = path + path_len;

    for (p = path; (p = memchr(p, '/', last - p)) != NULL; p++) {

        if (last - p < 2 || (p[1] != 'm' && p[1] != 'd' && p[1] != 'e'
                             && p[1] != 'v'))
        {
            continue;
        }

        for (i = 0; i < 5; i++) {
            n = places[i].len;

            if (found[i] == NULL && (size_t) (last - p) > n
                && memcmp(p, places[i].before, n) == 0
                && (!places[i].row
                    || strncmp(api->suffix, places[i].before, n) == 0))
            {
                found[i] = p + n;
            }
        }
    }

    for (i = 0; i < 4 && found[i] == NULL; i++) { /* void */ }

    p = found[i];

    if (p == NULL) {
        return 0;
    }

    if (places[i].end == '/') {
        slash = memchr(p, '/', last - p);
        n = slash ? (size_t) (slash - p) + 1 : 0;

        if (n && i == 1) {                      /* to the last of them */
            for (n = last - p; p[n - 1] != '/'; n--) { /* void */ }
        }

    } else if (places[i].end == '\0') {
        n = last - p + (last[-1] != '/');

    } else {
        for (n = last - p; n && p[n - 1] != places[i].end; n--) {
            /* void */
        }
    }

    if (n == 0) {
        return 0;
    }

    n--;
    n = n < AIOBS_MODEL_MAX ? n : AIOBS_MODEL_MAX;
    memcpy(model, p, n);

    return n;
}
