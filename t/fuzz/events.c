
/*
 * Copyright (C) the aiobs authors
 *
 * Streams of events that are nearly alike, with any bytes where they differ:
 * what is compared instead of read gives the same record as reading.
 */


#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usage/aiobs_shape.h"


#define STREAM_MAX  (256 * 1024)


/* "%": bytes of the input; "#": a digit of it; "^": so many spaces */

static const struct {
    const char  *path;
    const char  *events[3];
} kinds[] = {
    { "/v1/chat/completions", {
        "data: {\"id\":\"c1\",\"model\":\"gpt-4o\",\"created\":1#,\"choices\":"
        "[{\"index\":0,\"delta\":{\"content\":\"%\"},\"finish_reason\":null}],"
        "\"obfuscation\":\"%\"}\n\n",
        "data: {\"id\":\"c1\",\"model\":\"gpt-4o%\",\"choices\":[{\"index\":#,"
        "\"delta\":{\"content\":\"%\"},\"finish_reason\":\"%\"}]}\n\n",
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1#,"
        "\"completion_tokens\":#}}\n\n" } },
    { "/v1/messages", {
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\","
        "\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"%\"}^}\n\n",
        "event: ping\r\ndata: {\"type\":\"ping%\",\"text\":\"%\"^}\r\n\r\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":"
        "{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":#}}\n\n" } },
    { "/v1/responses", {
        "event: response.output_text.delta\ndata: {\"type\":"
        "\"response.output_text.delta\",\"sequence_number\":#,\"item_id\":"
        "\"msg_1\",\"delta\":\"%\",\"logprobs\":[],\"obfuscation\":\"%\"}\n\n",
        "data: {\"type\":\"response.reasoning.delta\",\"sequence_number\":-#,"
        "\"delta\":\"%\"}\n\n",
        "data: {\"type\":\"response.completed\",\"response\":{\"status\":"
        "\"completed\",\"usage\":{\"input_tokens\":#,\"output_tokens\":3}}}\n\n" } },
    { "/v1beta/models/m:streamGenerateContent", {
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"%\"}]},"
        "\"index\":0}],\"responseId\":\"%\"}\n\n",
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"%\"},"
        "{\"text\":\"%\"}]}}]}\r\n\r\n",
        "data: {\"usageMetadata\":{\"promptTokenCount\":#}}\n\n" } },
    { "/v1beta/models/n:streamGenerateContent", {
        "data: {\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"%\"}],"
        "\"role\": \"model\"},\"index\": 0}],\"usageMetadata\": "
        "{\"promptTokenCount\": 7,\"candidatesTokenCount\": 1#,"
        "\"totalTokenCount\": 9#,\"promptTokensDetails\": [{\"modality\": "
        "\"TEXT\",\"tokenCount\": 7}]},\"modelVersion\": \"g\"}\r\n\r\n",
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"%\"}]}}],"
        "\"usageMetadata\":{\"candidatesTokenCount\":#,\"thoughtsTokenCount\":"
        "123456789012#,\"candidatesTokenCount\":5}}\n\n",
        "data: {\"candidates\":[{\"finishReason\":\"%\"}],\"usageMetadata\":"
        "{\"promptTokenCount\":#,\"promptTokensDetails\":[{\"modality\":"
        "\"AUDIO\",\"tokenCount\":#}]}}\n\n" } }
};


static size_t
stream(const uint8_t *data, size_t size, char *out)
{
    size_t       i, n, len;
    const char  *f;

    len = 0;

    for (i = 1; i < size && len + 4096 < STREAM_MAX; /* void */ ) {

        n = data[i] >> 4;
        f = kinds[data[0] % 5].events[n < 11 ? 0 : n < 14 ? 1 : 2];
        n = data[i++] & 7;

        for ( /* void */ ; *f; f++) {

            if (*f == '%') {
                for ( /* void */ ; n && i < size; n--) {
                    out[len++] = (char) data[i++];
                }

                n = i < size ? data[i] & 3 : 0;

            } else if (*f == '#') {
                out[len++] = (char) ('0' + (i < size ? data[i] % 10 : 0));

            } else if (*f == '^') {
                memset(out + len, ' ', i < size ? data[i] % 40 : 0);
                len += i < size ? data[i] % 40 : 0;

            } else {
                out[len++] = *f;
            }
        }
    }

    return len;
}


/* the same events, each with a comment too long to be compared with others */

static size_t
padded(const char *in, size_t len, char *out)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < len; i++) {
        out[n++] = in[i];

        if (in[i] == '\n' && i
            && (in[i - 1] == '\n'
                || (i > 1 && in[i - 1] == '\r' && in[i - 2] == '\n')))
        {
            out[n++] = ':';
            memset(out + n, 'x', 1100);
            n += 1100;
            out[n++] = '\n';
        }
    }

    return n;
}


static void
read_all(const aiobs_api_t *api, const char *p, size_t len, size_t piece,
    aiobs_usage_record_t *rec)
{
    size_t          n;
    char           *copy;
    aiobs_usage_t  *u;

    memset(rec, 0, sizeof(*rec));       /* of texts as much is set as there is */

    u = malloc(aiobs_usage_size());

    aiobs_usage_init(u, api, 200);
    aiobs_usage_header(u, "content-type", 12, "text/event-stream", 17);

    for ( /* void */ ; len; p += n, len -= n) {
        n = piece && piece < len ? piece : len;
        copy = malloc(n);
        memcpy(copy, p, n);
        aiobs_usage_feed(u, copy, n, 1);
        free(copy);
    }

    aiobs_usage_finish(u, 1, 10, rec);
    free(u);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                 len, long_len;
    const char            *path;
    const aiobs_api_t     *api;
    aiobs_shape_run_pt     run;
    aiobs_usage_record_t   whole, split, slow;

    static char  body[STREAM_MAX];
    static char  slow_body[STREAM_MAX * 20];

    if (size < 3) {
        return 0;
    }

    path = kinds[data[0] % 5].path;
    api = aiobs_api_find(AIOBS_DIALECT_AUTO, "POST", 4, path, strlen(path));

    run = aiobs_shape_run_get(data[0] / 5 % 3);
    aiobs_shape_run = run ? run : aiobs_shape_run_get(0);

    len = stream(data, size < 100 ? size : 100, body);

    if (len > STREAM_MAX / 8) {
        return 0;
    }

    long_len = padded(body, len, slow_body);

    read_all(api, body, len, 0, &whole);
    read_all(api, body, len, 1 + data[1] * 3, &split);
    read_all(api, slow_body, long_len, 0, &slow);

    if (memcmp(&whole, &split, sizeof(whole)) != 0
        || memcmp(&whole, &slow, sizeof(whole)) != 0)
    {
        fprintf(stderr, "records differ: output %lld %lld %lld\n",
                (long long) whole.output, (long long) split.output,
                (long long) slow.output);
        abort();
    }

    return 0;
}
