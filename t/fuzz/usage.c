
/*
 * Copyright (C) the aiobs authors
 *
 * Any bytes as a response, of any API: no crash, and the same record whole and
 * split at places that the input chooses.
 */


#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "usage/aiobs_usage.h"


static const char  *paths[] = {
    "/v1/chat/completions", "/v1/responses", "/v1/messages",
    "/v1beta/models/m:generateContent", "/model/m/converse-stream",
    "/model/m/invoke-with-response-stream", "/v2/chat", "/api/chat",
    "/generate", "/v1beta/interactions", "/text/generation_stream",
    "/m:predict", "/unknown", "/endpoints/e/invocations-response-stream",
    "/agents/a/agentAliases/b/sessions/c/text", "/v1/inference/o/m",
    "/api/v1/chat", "/agents/s", "/api/v1/generate", "/v1/ocr", "/v1/decisions"
};

static const char  *types[] = {
    "application/json", "text/event-stream", "application/x-ndjson",
    "application/vnd.amazon.eventstream"
};


static void
read_all(const aiobs_api_t *api, const char *type, const uint8_t *p,
    size_t len, const uint8_t *cuts, size_t n, aiobs_usage_record_t *rec)
{
    size_t          i, piece;
    uint8_t        *copy;
    aiobs_usage_t  *u;

    memset(rec, 0, sizeof(*rec));       /* of texts as much is set as there is */

    u = malloc(aiobs_usage_size());

    aiobs_usage_init(u, api, 200);
    aiobs_usage_header(u, "content-type", 12, type, strlen(type));

    for (i = 0; len; i++) {
        piece = n ? 1 + cuts[i % n] : len;
        piece = piece < len ? piece : len;

        copy = malloc(piece);
        memcpy(copy, p, piece);
        aiobs_usage_feed(u, copy, piece, 1);
        free(copy);

        p += piece;
        len -= piece;
    }

    aiobs_usage_finish(u, 1, 10, rec);
    free(u);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char            *path, *type;
    const aiobs_api_t     *api;
    aiobs_usage_record_t   whole, split;

    if (size < 6) {
        return 0;
    }

    path = paths[data[0] % (sizeof(paths) / sizeof(paths[0]))];
    type = types[data[1] % 4];

    api = aiobs_api_find(AIOBS_DIALECT_AUTO, "POST", 4, path, strlen(path));

    read_all(api, type, data + 6, size - 6, NULL, 0, &whole);
    read_all(api, type, data + 6, size - 6, data + 2, 4, &split);

    if (memcmp(&whole, &split, sizeof(whole)) != 0) {
        abort();
    }

    return 0;
}
