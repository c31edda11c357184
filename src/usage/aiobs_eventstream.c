
/*
 * Copyright (C) the aiobs authors
 *
 * AWS event stream framing, after the "Amazon Event Stream Specification" of
 * smithy.io, and the base64 inside Bedrock's invoke payloads.
 */


#include <string.h>

#include <zlib.h>

#include "aiobs_eventstream.h"


#define AIOBS_PRELUDE_LEN   12
#define AIOBS_CRC_LEN       4

/* limits of AWS's own reader (aws-c-event-stream) */
#define AIOBS_MESSAGE_MAX   (24 * 1024 * 1024)
#define AIOBS_HEADERS_MAX   (128 * 1024)


/* within the headers */

typedef enum {
    STATE_NAME_LEN = 0,
    STATE_NAME,
    STATE_TYPE,
    STATE_VALUE_LEN_HIGH,
    STATE_VALUE_LEN_LOW,
    STATE_VALUE,
    STATE_MALFORMED
} aiobs_eventstream_state_e;


/* of a header's value */

typedef enum {
    TYPE_TRUE = 0,
    TYPE_FALSE,
    TYPE_BYTE,
    TYPE_SHORT,
    TYPE_INTEGER,
    TYPE_LONG,
    TYPE_BYTES,
    TYPE_STRING,
    TYPE_TIMESTAMP,
    TYPE_UUID,
    TYPE_LAST
} aiobs_eventstream_type_e;


typedef struct {
    const char  *name;
    uint8_t      offset;
    uint8_t      size;
} aiobs_eventstream_target_t;


#define AIOBS_TARGET(name, field)                                             \
    { name, offsetof(aiobs_eventstream_headers_t, field),                     \
      sizeof(((aiobs_eventstream_headers_t *) 0)->field) }


static size_t aiobs_eventstream_gather(aiobs_eventstream_t *s,
    const uint8_t *p, size_t len, uint32_t from, uint32_t to);
static size_t aiobs_eventstream_prelude(aiobs_eventstream_t *s,
    const uint8_t *p, size_t len, const aiobs_eventstream_handler_t *h,
    void *data);
static size_t aiobs_eventstream_headers(aiobs_eventstream_t *s,
    const uint8_t *p, size_t len, const aiobs_eventstream_handler_t *h,
    void *data);
static size_t aiobs_eventstream_payload(aiobs_eventstream_t *s,
    const uint8_t *p, size_t len, const aiobs_eventstream_handler_t *h,
    void *data);
static aiobs_failure_e aiobs_eventstream_end(aiobs_eventstream_t *s,
    const aiobs_eventstream_handler_t *h, void *data);
static void aiobs_eventstream_byte(aiobs_eventstream_t *s, uint8_t c);
static void aiobs_eventstream_value(aiobs_eventstream_t *s, uint8_t type);
static size_t aiobs_eventstream_copy(aiobs_eventstream_t *s, const uint8_t *p,
    size_t len);
static uint8_t aiobs_eventstream_target(const aiobs_eventstream_t *s);
static uint32_t aiobs_eventstream_uint32(const uint8_t *p);


/* the first: headers nobody asks for */

static const aiobs_eventstream_target_t  aiobs_eventstream_targets[] = {
    { "", 0, 0 },
    AIOBS_TARGET(":message-type", message_type),
    AIOBS_TARGET(":event-type", event_type),
    AIOBS_TARGET(":exception-type", event_type),
    AIOBS_TARGET(":error-code", event_type),
    AIOBS_TARGET(":content-type", content_type)
};

#define AIOBS_TARGETS  (sizeof(aiobs_eventstream_targets)                     \
                        / sizeof(aiobs_eventstream_target_t))


/* bytes; 0: none, or two bytes that say how many */

static const uint8_t  aiobs_eventstream_sizes[TYPE_LAST] = {
    0, 0, 1, 2, 4, 8, 0, 0, 8, 16
};


void
aiobs_eventstream_init(aiobs_eventstream_t *s)
{
    memset(s, 0, sizeof(aiobs_eventstream_t));
}


aiobs_failure_e
aiobs_eventstream_feed(aiobs_eventstream_t *s, const uint8_t *p, size_t len,
    const aiobs_eventstream_handler_t *h, void *data)
{
    size_t           n;
    uint32_t         payload_end;
    aiobs_failure_e  failure;

    failure = AIOBS_FAILURE_NONE;

    while (len > 0 && !s->failed) {
        payload_end = s->total - AIOBS_CRC_LEN;

        if (s->seen < AIOBS_PRELUDE_LEN) {
            n = aiobs_eventstream_prelude(s, p, len, h, data);

        } else if (s->seen < AIOBS_PRELUDE_LEN + s->headers_len) {
            n = aiobs_eventstream_headers(s, p, len, h, data);

        } else if (s->seen < payload_end) {
            n = aiobs_eventstream_payload(s, p, len, h, data);

        } else {
            n = aiobs_eventstream_gather(s, p, len, payload_end, s->total);

            if (s->seen == s->total
                && aiobs_eventstream_end(s, h, data) != AIOBS_FAILURE_NONE)
            {
                failure = AIOBS_FAILURE_FRAMING;
            }
        }

        p += n;
        len -= n;
    }

    return s->failed ? AIOBS_FAILURE_FRAMING : failure;
}


int
aiobs_eventstream_idle(const aiobs_eventstream_t *s)
{
    return s->seen == 0 && !s->failed;
}


/* the message's bytes from "from" to "to", into s->prelude */

static size_t
aiobs_eventstream_gather(aiobs_eventstream_t *s, const uint8_t *p, size_t len,
    uint32_t from, uint32_t to)
{
    size_t  n;

    n = to - s->seen;
    n = (n < len) ? n : len;

    memcpy(s->prelude + (s->seen - from), p, n);
    s->seen += n;

    return n;
}


static size_t
aiobs_eventstream_prelude(aiobs_eventstream_t *s, const uint8_t *p, size_t len,
    const aiobs_eventstream_handler_t *h, void *data)
{
    size_t  n;

    n = aiobs_eventstream_gather(s, p, len, 0, AIOBS_PRELUDE_LEN);

    if (s->seen < AIOBS_PRELUDE_LEN) {
        return n;
    }

    s->total = aiobs_eventstream_uint32(s->prelude);
    s->headers_len = aiobs_eventstream_uint32(s->prelude + 4);
    s->crc = crc32(0, s->prelude, 8);

    if (s->crc != aiobs_eventstream_uint32(s->prelude + 8)
        || s->total > AIOBS_MESSAGE_MAX
        || s->headers_len > AIOBS_HEADERS_MAX
        || s->total < AIOBS_PRELUDE_LEN + s->headers_len + AIOBS_CRC_LEN)
    {
        s->failed = 1;
        return n;
    }

    s->crc = crc32(s->crc, s->prelude + 8, AIOBS_CRC_LEN);
    s->state = STATE_NAME_LEN;
    s->malformed = 0;
    memset(&s->headers, 0, sizeof(aiobs_eventstream_headers_t));

    if (s->headers_len == 0) {
        h->begin(data, &s->headers);
    }

    return n;
}


static size_t
aiobs_eventstream_headers(aiobs_eventstream_t *s, const uint8_t *p, size_t len,
    const aiobs_eventstream_handler_t *h, void *data)
{
    size_t  n, i;

    n = AIOBS_PRELUDE_LEN + s->headers_len - s->seen;
    n = (n < len) ? n : len;

    for (i = 0; i < n; /* void */ ) {
        if (s->state == STATE_VALUE) {
            i += aiobs_eventstream_copy(s, p + i, n - i);

        } else {
            aiobs_eventstream_byte(s, p[i++]);
        }
    }

    s->crc = crc32(s->crc, p, n);
    s->seen += n;

    if (s->seen == AIOBS_PRELUDE_LEN + s->headers_len) {
        s->malformed = (s->state != STATE_NAME_LEN);
        h->begin(data, &s->headers);
    }

    return n;
}


static size_t
aiobs_eventstream_payload(aiobs_eventstream_t *s, const uint8_t *p, size_t len,
    const aiobs_eventstream_handler_t *h, void *data)
{
    size_t  n;

    n = s->total - AIOBS_CRC_LEN - s->seen;
    n = (n < len) ? n : len;

    s->crc = crc32(s->crc, p, n);
    s->seen += n;
    h->payload(data, p, n);

    return n;
}


static aiobs_failure_e
aiobs_eventstream_end(aiobs_eventstream_t *s,
    const aiobs_eventstream_handler_t *h, void *data)
{
    int  valid;

    valid = !s->malformed && s->crc == aiobs_eventstream_uint32(s->prelude);
    s->seen = 0;
    h->end(data, valid);

    return valid ? AIOBS_FAILURE_NONE : AIOBS_FAILURE_FRAMING;
}


/* a byte of the headers that is not of a value */

static void
aiobs_eventstream_byte(aiobs_eventstream_t *s, uint8_t c)
{
    switch (s->state) {

    case STATE_NAME_LEN:
        s->name_len = c;
        s->name_seen = 0;
        s->state = (c == 0) ? STATE_MALFORMED : STATE_NAME;
        break;

    case STATE_NAME:
        if (s->name_seen < sizeof(s->name)) {
            s->name[s->name_seen] = c;
        }

        if (++s->name_seen == s->name_len) {
            s->state = STATE_TYPE;
        }
        break;

    case STATE_TYPE:
        aiobs_eventstream_value(s, c);
        break;

    case STATE_VALUE_LEN_HIGH:
        s->value_left = c << 8;
        s->state = STATE_VALUE_LEN_LOW;
        break;

    case STATE_VALUE_LEN_LOW:
        s->value_left += c;
        s->state = (s->value_left == 0) ? STATE_NAME_LEN : STATE_VALUE;
        break;

    default: /* STATE_MALFORMED */
        break;
    }
}


static void
aiobs_eventstream_value(aiobs_eventstream_t *s, uint8_t type)
{
    s->value_at = 0;
    s->target = 0;

    if (type >= TYPE_LAST) {
        s->state = STATE_MALFORMED;
        return;
    }

    if (type == TYPE_BYTES || type == TYPE_STRING) {
        s->state = STATE_VALUE_LEN_HIGH;

        if (type == TYPE_STRING) {
            s->target = aiobs_eventstream_target(s);
        }

        return;
    }

    s->value_left = aiobs_eventstream_sizes[type];
    s->state = (s->value_left == 0) ? STATE_NAME_LEN : STATE_VALUE;
}


static size_t
aiobs_eventstream_copy(aiobs_eventstream_t *s, const uint8_t *p, size_t len)
{
    char                              *field;
    size_t                             n, room;
    const aiobs_eventstream_target_t  *t;

    n = (s->value_left < len) ? s->value_left : len;
    t = &aiobs_eventstream_targets[s->target];

    if (t->size > 0) {
        field = (char *) &s->headers + t->offset;
        room = t->size - 1 - s->value_at;
        room = (room < n) ? room : n;

        memcpy(field + s->value_at, p, room);
        s->value_at += room;
        field[s->value_at] = '\0';
    }

    s->value_left -= n;

    if (s->value_left == 0) {
        s->state = STATE_NAME_LEN;
    }

    return n;
}


static uint8_t
aiobs_eventstream_target(const aiobs_eventstream_t *s)
{
    uint8_t      i;
    const char  *name;

    for (i = 1; i < AIOBS_TARGETS; i++) {
        name = aiobs_eventstream_targets[i].name;

        if (s->name_len == strlen(name)
            && memcmp(s->name, name, s->name_len) == 0)
        {
            return i;
        }
    }

    return 0;
}


static uint32_t
aiobs_eventstream_uint32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}
