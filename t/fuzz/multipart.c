
/*
 * Copyright (C) the aiobs authors
 *
 * A form as the body of a request.  The first byte says where the rest is cut,
 * the second is the length of its type; whatever the cuts, the same is read.
 */


#include <stdlib.h>
#include <string.h>

#include "usage/aiobs_usage.h"


static void
ask(const char *type, size_t type_len, const uint8_t *p, size_t len,
    size_t piece, aiobs_request_record_t *rec)
{
    size_t            i, n;
    void             *room;
    aiobs_request_t  *q;

    static const char  path[] = "/v1/audio/transcriptions";

    q = malloc(aiobs_request_size());

    aiobs_request_init(q, aiobs_api_find(AIOBS_DIALECT_OPENAI, "POST", 4, path,
                                         sizeof(path) - 1));
    room = malloc(aiobs_request_room(type, type_len));
    aiobs_request_type(q, type, type_len, room);

    for (i = 0; i < len; i += n) {
        n = len - i < piece ? len - i : piece;
        aiobs_request_feed(q, p + i, n);
    }

    aiobs_request_finish(q, rec);
    free(room);
    free(q);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                  len, piece;
    const char             *type;
    aiobs_request_record_t  one, two;

    if (size < 2) {
        return 0;
    }

    piece = data[0] + 1;
    len = data[1];
    data += 2;
    size -= 2;

    type = "multipart/form-data; boundary=b";

    if (len == 0 || len > size) {
        len = strlen(type);

    } else {
        type = (const char *) data;
        data += len;
        size -= len;
    }

    ask(type, len, data, size, size ? size : 1, &one);
    ask(type, len, data, size, piece, &two);

    if (one.model_len != two.model_len || one.failure != two.failure
        || memcmp(one.model, two.model, one.model_len) != 0
        || one.models_differ != two.models_differ || one.stream != two.stream)
    {
        abort();
    }

    return 0;
}
