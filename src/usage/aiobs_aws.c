
/*
 * Copyright (C) the aiobs authors
 *
 * Bedrock: event streams, the chunks of Invoke inside of them, and token
 * counts in response headers.
 */


#include <string.h>

#include "aiobs_answer.h"


#define AIOBS_AWS_PIECE  768        /* characters of base64 undone at a time */


static void aiobs_aws_begin(void *data,
    const aiobs_eventstream_headers_t *headers);
static void aiobs_aws_payload(void *data, const uint8_t *p, size_t len);
static void aiobs_aws_end(void *data, int valid);
static void aiobs_aws_take_back(aiobs_usage_t *u);
static void aiobs_aws_scalar(void *data, const aiobs_node_t *node,
    const char *p, size_t len, int string);
static void aiobs_aws_figure(void *data, const aiobs_node_t *node, int64_t n);
static void aiobs_aws_bytes(void *data, const aiobs_node_t *node,
    const uint8_t *p, size_t len);
static void aiobs_aws_group(void *data, const aiobs_node_t *node, int open);
static void aiobs_aws_document(void *data, int begin);


static const aiobs_eventstream_handler_t  aiobs_aws_handler = {
    aiobs_aws_begin, aiobs_aws_payload, aiobs_aws_end
};


static const aiobs_json_handler_t  aiobs_aws_envelope = {
    aiobs_aws_scalar, aiobs_aws_figure, aiobs_aws_bytes, aiobs_aws_group,
    aiobs_aws_document
};


void
aiobs_aws_init(aiobs_usage_t *u)
{
    aiobs_eventstream_init(&u->aws);
    aiobs_json_init(&u->envelope, aiobs_invoke_envelope, &aiobs_aws_envelope,
                    u);
}


void
aiobs_aws_feed(aiobs_usage_t *u, const uint8_t *p, size_t len)
{
    aiobs_usage_fail(u, aiobs_eventstream_feed(&u->aws, p, len,
                                               &aiobs_aws_handler, u));
}


void
aiobs_aws_header(aiobs_usage_t *u, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
    int64_t  n;

    static const struct {
        const char  *name;
        int          slot;
    } headers[] = {
        { "x-amzn-bedrock-input-token-count", AIOBS_F_HEADER_INPUT },
        { "x-amzn-bedrock-output-token-count", AIOBS_F_HEADER_OUTPUT },
        { "x-amzn-bedrock-cache-read-input-token-count",
          AIOBS_F_HEADER_CACHE_READ },
        { "x-amzn-bedrock-cache-write-input-token-count",
          AIOBS_F_HEADER_CACHE_WRITE },
        { NULL, 0 }
    }, *h;

    if (name_len == sizeof("x-amzn-errortype") - 1
        && memcmp(name, "x-amzn-errortype", name_len) == 0)
    {
        /* the type stands before the colon */

        for (n = 0; n < (int64_t) value_len && n < AIOBS_ERROR_MAX
                    && value[n] != ':'; n++)
        {
            u->error[n] = value[n];
        }

        u->error_len = n;
        return;
    }

    if (name_len == sizeof("x-amzn-bedrock-service-tier") - 1
        && memcmp(name, "x-amzn-bedrock-service-tier", name_len) == 0)
    {
        u->tier = (uint8_t) aiobs_price_tier(value, value_len);
        return;
    }

    for (h = headers; h->name; h++) {
        if (name_len == strlen(h->name)
            && memcmp(name, h->name, name_len) == 0)
        {
            n = aiobs_number(value, value_len);

            if (n != AIOBS_ABSENT) {
                u->figures[h->slot] = n;
                u->reported = 1;
            }

            return;
        }
    }
}


static void
aiobs_aws_begin(void *data, const aiobs_eventstream_headers_t *headers)
{
    aiobs_usage_t *u = data;

    memcpy(u->before, u->figures, sizeof(u->before));
    u->reported_before = u->reported;
    u->final_before = u->final;
    u->error_before = u->midstream_error;

    memset(&u->base64, 0, sizeof(aiobs_base64_t));

    u->in_message = 1;
    u->payload = AIOBS_PAYLOAD_JSON;

    if (strcmp(headers->event_type, "chunk") == 0) {
        u->payload = u->api->answer == aiobs_agent_answer
                     ? AIOBS_PAYLOAD_TEXT : AIOBS_PAYLOAD_CHUNK;

    } else if (headers->event_type[0] == 'P'
               && strcmp(headers->event_type, "PayloadPart") == 0)
    {
        u->payload = AIOBS_PAYLOAD_PART;                /* SageMaker */
    }

    if (strcmp(headers->message_type, "event") != 0) {
        u->midstream_error = 1;

        if (u->part != AIOBS_FRAMING_UNKNOWN) {
            aiobs_events_drop(u);           /* nothing of it will follow */
        }

        u->error_len = strlen(headers->event_type);
        memcpy(u->error, headers->event_type, u->error_len);
    }
}


static void
aiobs_aws_payload(void *data, const uint8_t *p, size_t len)
{
    aiobs_usage_t *u = data;

    if (u->part != AIOBS_FRAMING_UNKNOWN && u->payload != AIOBS_PAYLOAD_PART) {
        return;                     /* the reader is amidst the other body */
    }

    switch (u->payload) {

    case AIOBS_PAYLOAD_JSON:
        aiobs_json_feed(&u->json, p, len);
        break;

    case AIOBS_PAYLOAD_PART:
        aiobs_usage_part(u, p, len);
        break;

    default:
        aiobs_json_feed(&u->envelope, p, len);
        break;
    }
}


static void
aiobs_aws_end(void *data, int valid)
{
    aiobs_usage_t *u = data;

    u->in_message = 0;

    if (!valid) {
        aiobs_usage_fail(u, AIOBS_FAILURE_FRAMING);
        aiobs_aws_take_back(u);
    }

    if (u->payload == AIOBS_PAYLOAD_PART
        || u->part != AIOBS_FRAMING_UNKNOWN)
    {
        /* its documents end where they do; of mere text it is one itself */

        if (u->part == AIOBS_FRAMING_NONE && u->content) {
            u->json.handler->document(u, 0);
            u->content = 0;
        }

        return;
    }

    if (u->payload != AIOBS_PAYLOAD_JSON) {
        if (u->envelope.failure || !aiobs_json_idle(&u->envelope)) {
            aiobs_usage_fail(u, AIOBS_FAILURE_JSON);
        }

        aiobs_json_reset(&u->envelope);
    }

    aiobs_usage_document_end(u);
}


/* what a message has said whose checksum is wrong, or did not come */

static void
aiobs_aws_take_back(aiobs_usage_t *u)
{
    if (u->payload == AIOBS_PAYLOAD_PART) {
        aiobs_events_drop(u);
    }

    memcpy(u->figures, u->before, sizeof(u->before));
    u->reported = u->reported_before;
    u->final = u->final_before;
    u->midstream_error = u->error_before;
}


void
aiobs_aws_finish(aiobs_usage_t *u, int complete)
{
    if (u->in_message) {
        aiobs_aws_take_back(u);
    }

    if (complete && !aiobs_eventstream_idle(&u->aws)) {
        aiobs_usage_fail(u, AIOBS_FAILURE_FRAMING);
    }

    aiobs_usage_part_end(u, complete);
}


static void
aiobs_aws_scalar(void *data, const aiobs_node_t *node, const char *p,
    size_t len, int string)
{
    /* null instead of bytes */
}


static void
aiobs_aws_figure(void *data, const aiobs_node_t *node, int64_t n)
{
    /* nor a number */
}


static void
aiobs_aws_bytes(void *data, const aiobs_node_t *node, const uint8_t *p,
    size_t len)
{
    aiobs_usage_t *u = data;

    int      n;
    size_t   piece;
    uint8_t  out[(AIOBS_AWS_PIECE + 3) / 4 * 3 + 3];

    for ( /* void */ ; len; p += piece, len -= piece) {

        piece = len < AIOBS_AWS_PIECE ? len : AIOBS_AWS_PIECE;
        n = aiobs_base64_feed(&u->base64, p, piece, out);

        if (n < 0) {
            aiobs_usage_fail(u, AIOBS_FAILURE_FRAMING);
            return;
        }

        if (u->payload == AIOBS_PAYLOAD_TEXT) {
            u->json.handler->text(u, node, out, n);

        } else {
            aiobs_json_feed(&u->json, out, n);
        }
    }
}


static void
aiobs_aws_group(void *data, const aiobs_node_t *node, int open)
{
    /* the envelope has none */
}


static void
aiobs_aws_document(void *data, int begin)
{
    aiobs_usage_t *u = data;

    /* one a message; with text in it, it is the document itself */

    if (u->payload == AIOBS_PAYLOAD_TEXT) {
        u->json.handler->document(u, begin);
    }
}
