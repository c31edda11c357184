
/*
 * Copyright (C) the aiobs authors
 *
 * What a path says: whether it is that of a row, and which model it names.
 */


#include <string.h>

#include "aiobs_apis.h"


#define AIOBS_API_PLACES  5


typedef struct {
    const char  *before;
    uint8_t      len;
    char         end;           /* '\0': that of the path */
    uint8_t      last;          /* the last such end, not the first */
    uint8_t      row;           /* only if the row says so */
} aiobs_place_t;


static int aiobs_api_starts(const char *pattern, const char *path, size_t len);
static void aiobs_api_places(const aiobs_api_t *api, const char *path,
    const char *last, const char *found[AIOBS_API_PLACES]);
static size_t aiobs_api_model_len(const aiobs_place_t *place, const char *p,
    const char *last);


/* what they answer may look like an answer of a model, made another time */

static const char  *aiobs_not_made_here[] = {
    "/responses/", "/completions/", "/threads", "/batches", "/files",
    "/uploads", "/fine_tuning", "/fine-tuning", "/evals", "/assistants",
    "/vector_stores", "/organization/", "/tokenize",
    "/cachedContents", NULL
};


/* where a path names a model, the surest place first */

static const aiobs_place_t  aiobs_places[AIOBS_API_PLACES] = {
    { "/models/", sizeof("/models/") - 1, ':', 1, 0 },
    { "/model/", sizeof("/model/") - 1, '/', 1, 0 },
    { "/deployments/", sizeof("/deployments/") - 1, '/', 0, 0 },
    { "/endpoints/", sizeof("/endpoints/") - 1, '/', 0, 1 },
    { "/v1/inference/", sizeof("/v1/inference/") - 1, '\0', 0, 1 }
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
    const char  *found[AIOBS_API_PLACES] = { NULL };

    aiobs_api_places(api, path, path + path_len, found);

    for (i = 0; found[i] == NULL; i++) {
        if (i == AIOBS_API_PLACES - 1) {
            return 0;
        }
    }

    n = aiobs_api_model_len(&aiobs_places[i], found[i], path + path_len);
    n = n < AIOBS_MODEL_MAX ? n : AIOBS_MODEL_MAX;
    memcpy(model, found[i], n);

    return n;
}


/* what stands behind the first of each place */

static void
aiobs_api_places(const aiobs_api_t *api, const char *path, const char *last,
    const char *found[AIOBS_API_PLACES])
{
    size_t                i;
    const char           *p;
    const aiobs_place_t  *place;

    for (p = path; (p = memchr(p, '/', last - p)) != NULL; p++) {

        if (last - p < 2 || (p[1] != 'm' && p[1] != 'd' && p[1] != 'e'
                             && p[1] != 'v'))
        {
            continue;
        }

        for (i = 0; i < AIOBS_API_PLACES; i++) {
            place = &aiobs_places[i];

            if (found[i] == NULL && (size_t) (last - p) > place->len
                && memcmp(p, place->before, place->len) == 0
                && (!place->row
                    || strncmp(api->suffix, place->before, place->len) == 0))
            {
                found[i] = p + place->len;
            }
        }
    }
}


/* 0 where the model does not end as it has to there */

static size_t
aiobs_api_model_len(const aiobs_place_t *place, const char *p,
    const char *last)
{
    size_t       n;
    const char  *end;

    if (place->end == '\0') {
        return last - p - (last[-1] == '/');
    }

    if (!place->last) {
        end = memchr(p, place->end, last - p);

        return end ? (size_t) (end - p) : 0;
    }

    for (n = last - p; n && p[n - 1] != place->end; n--) { /* void */ }

    return n ? n - 1 : 0;
}
