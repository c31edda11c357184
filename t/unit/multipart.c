
/*
 * Copyright (C) the aiobs authors
 *
 * What a request's reader makes of forms.  On standard input pairs of a type
 * and a body, each behind its length in four bytes, the lowest first; a line
 * is printed for each pair.  Every body is read whole, byte by byte, and, if
 * "splits" is given, cut in two everywhere: always the same comes of it.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usage/aiobs_usage.h"


typedef struct {
    const uint8_t  *p;
    size_t          len;
} bytes_t;


/* a piece of its own, so that nothing is read behind it unnoticed */

static void
feed(aiobs_request_t *q, const uint8_t *p, size_t len)
{
    uint8_t  *piece;

    piece = malloc(len ? len : 1);

    if (piece == NULL) {
        exit(2);
    }

    memcpy(piece, p, len);
    aiobs_request_feed(q, piece, len);
    free(piece);
}


/* first: bytes of the first piece; then: of those behind it */

static void
ask(bytes_t *type, bytes_t *body, size_t first, size_t then,
    aiobs_request_record_t *rec)
{
    size_t            i, n;
    void             *room;
    aiobs_request_t  *q;

    static const char  path[] = "/v1/audio/transcriptions";

    q = malloc(aiobs_request_size());

    if (q == NULL || aiobs_request_size() > 1024) {
        exit(3);
    }

    memset(q, 0xa5, aiobs_request_size());

    aiobs_request_init(q, aiobs_api_find(AIOBS_DIALECT_OPENAI, "POST", 4, path,
                                         sizeof(path) - 1));
    n = aiobs_request_room((const char *) type->p, type->len);
    room = malloc(n);

    if (n > 4096 || (n && room == NULL)) {
        exit(3);
    }

    if (n) {
        memset(room, 0xa5, n);
    }

    aiobs_request_type(q, (const char *) type->p, type->len, room);

    for (i = 0; i < body->len; i += n) {
        n = i ? then : first;
        n = body->len - i < n ? body->len - i : n;
        feed(q, body->p + i, n);
    }

    aiobs_request_finish(q, rec);
    free(room);
    free(q);
}


static int
same(aiobs_request_record_t *a, aiobs_request_record_t *b)
{
    return a->model_len == b->model_len && a->failure == b->failure
           && memcmp(a->model, b->model, a->model_len) == 0
           && a->stream == b->stream && a->models_differ == b->models_differ
           && a->text_tokens == b->text_tokens;
}


static int
next(bytes_t *b)
{
    uint8_t  size[4], *p;

    if (fread(size, 1, 4, stdin) != 4) {
        return 0;
    }

    b->len = size[0] | size[1] << 8 | size[2] << 16 | (size_t) size[3] << 24;
    p = malloc(b->len ? b->len : 1);

    if (p == NULL || fread(p, 1, b->len, stdin) != b->len) {
        exit(2);
    }

    b->p = p;

    return 1;
}


int
main(int argc, char **argv)
{
    int                      alike;
    size_t                   i;
    bytes_t                  type, body;
    aiobs_request_record_t   rec, other;

    while (next(&type) && next(&body)) {

        ask(&type, &body, body.len, 1, &rec);
        ask(&type, &body, 1, 1, &other);
        alike = same(&rec, &other);

        for (i = 1; argc > 1 && i < body.len; i++) {
            ask(&type, &body, i, body.len, &other);
            alike &= same(&rec, &other);
        }

        printf("%s model=", alike ? "alike" : "OTHERWISE");

        for (i = 0; i < rec.model_len; i++) {
            printf(rec.model[i] > 0x20 && rec.model[i] < 0x7f ? "%c" : "%%%02x",
                   (unsigned char) rec.model[i]);
        }

        printf("%s stream=%d failure=%s\n", rec.models_differ ? " differ" : "",
               rec.stream, aiobs_failure_name(rec.failure));

        free((void *) type.p);
        free((void *) body.p);
    }

    return 0;
}
