
/*
 * Copyright (C) the aiobs authors
 *
 * usage_cat DIALECT METHOD PATH STATUS [NAME:VALUE]... < body: reads a
 * response whole and in pieces of many sizes, and prints the record as JSON,
 * with "splits" true if all agree.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usage/aiobs_usage.h"


#define BODY_MAX  (64 << 20)


static const aiobs_api_t *
read_body(aiobs_usage_record_t *rec, const aiobs_api_t *api, int status,
    char **headers, const uint8_t *p, size_t len, size_t step, unsigned seed)
{
    char               *colon;
    size_t              i, n;
    uint64_t            now;
    aiobs_usage_t      *u;
    const aiobs_api_t  *spoken;

    memset(rec, 0, sizeof(*rec));       /* of texts as much is set as there is */

    u = malloc(aiobs_usage_size());
    aiobs_usage_init(u, api, status);

    for ( /* void */ ; *headers; headers++) {
        colon = strchr(*headers, ':');
        aiobs_usage_header(u, *headers, colon - *headers, colon + 1,
                           strlen(colon + 1));
    }

    now = 0;

    for (i = 0; i < len; i += n) {
        n = step ? step : 1 + (size_t) rand_r(&seed) % 2000;
        n = len - i < n ? len - i : n;

        /* a copy of the right size: reading past it is an error */

        uint8_t  *piece = malloc(n);

        memcpy(piece, p + i, n);
        aiobs_usage_feed(u, piece, n, ++now);
        free(piece);
    }

    aiobs_usage_finish(u, 1, 1000000, rec);
    spoken = aiobs_usage_api(u);
    free(u);

    rec->first_token_ms = rec->first_token_ms != 0;
    rec->last_token_ms = 0;

    return spoken ? spoken : api;
}


static void
string(const char *name, const char *p, size_t len)
{
    size_t  i;

    printf(",\"%s\":\"", name);

    for (i = 0; i < len; i++) {
        if (p[i] == '"' || p[i] == '\\' || (unsigned char) p[i] < 0x20) {
            printf("\\u%04x", p[i]);

        } else {
            putchar(p[i]);
        }
    }

    putchar('"');
}


static void
print(const aiobs_api_t *api, aiobs_usage_record_t *r, int splits)
{
    printf("{\"input\":%lld,\"output\":%lld,\"cache_read\":%lld,"
           "\"cache_write\":%lld,\"cache_write_1h\":%lld,\"reasoning\":%lld,"
           "\"audio_input\":%lld,\"audio_output\":%lld,"
           "\"image_input\":%lld,\"image_output\":%lld,\"tier\":%d,"
           "\"cost\":%lld,"
           "\"stream\":%d,\"complete\":%d,\"midstream_error\":%d,"
           "\"content_events\":%u,\"ttft\":%d,\"splits\":%s,\"countable\":%d",
           (long long) r->input, (long long) r->output,
           (long long) r->cache_read, (long long) r->cache_write,
           (long long) r->cache_write_1h, (long long) r->reasoning,
           (long long) r->audio_input, (long long) r->audio_output,
           (long long) r->units.image_input_tokens,
           (long long) r->units.image_output_tokens, r->tier,
           (long long) r->cost_nanousd, r->stream, r->complete,
           r->midstream_error, r->content_events, (int) r->first_token_ms,
           splits ? "true" : "false", aiobs_api_countable(api));

    string("source", aiobs_source_name(r->source),
           strlen(aiobs_source_name(r->source)));
    string("failure", aiobs_failure_name(r->failure),
           strlen(aiobs_failure_name(r->failure)));
    string("provider", aiobs_api_provider(api),
           strlen(aiobs_api_provider(api)));
    string("operation", aiobs_api_operation(api),
           strlen(aiobs_api_operation(api)));
    string("model", r->model, r->model_len);
    string("id", r->id, r->id_len);
    string("finish", r->finish, r->finish_len);
    string("error", r->error, r->error_len);
    printf("}\n");
}


int
main(int argc, char **argv)
{
    int                    splits, status;
    size_t                 len, step, i;
    uint8_t               *p;
    const aiobs_api_t     *api, *spoken;
    aiobs_usage_record_t   rec, other;

    if (argc < 5) {
        return 2;
    }

    p = malloc(BODY_MAX);
    len = fread(p, 1, BODY_MAX, stdin);

    api = aiobs_api_find(atoi(argv[1]), argv[2], strlen(argv[2]), argv[3],
                         strlen(argv[3]));
    status = atoi(argv[4]);

    spoken = read_body(&rec, api, status, argv + 5, p, len, len + 1, 0);
    splits = 1;

    for (step = 1; step <= 64; step = step < 8 ? step + 1 : step * 2) {
        if (step == 1 && len > 200000) {
            continue;
        }

        read_body(&other, api, status, argv + 5, p, len, step, 0);
        splits &= (memcmp(&rec, &other, sizeof(rec)) == 0);
    }

    for (i = 1; i <= 4; i++) {
        read_body(&other, api, status, argv + 5, p, len, 0, i);
        splits &= (memcmp(&rec, &other, sizeof(rec)) == 0);
    }

    print(spoken, &rec, splits);
    free(p);

    return 0;
}
