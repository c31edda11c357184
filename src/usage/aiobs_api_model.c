
/*
 * Copyright (C) the aiobs authors
 *
 * The model that a path names.
 */


#include <string.h>

#include "aiobs_apis.h"


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
