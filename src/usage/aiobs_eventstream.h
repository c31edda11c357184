
/*
 * Copyright (C) the aiobs authors
 *
 * AWS event stream framing (application/vnd.amazon.eventstream): prelude,
 * headers, payload, two CRC-32s.  A push parser of constant state: payload
 * bytes are handed on as they come, whatever their number.
 */


#ifndef _AIOBS_EVENTSTREAM_H_INCLUDED_
#define _AIOBS_EVENTSTREAM_H_INCLUDED_


#include "aiobs_usage.h"


typedef struct {
    /* all: of the message under way; NUL-terminated, cut at the size */
    char      message_type[16];     /* event, exception, error */
    char      event_type[48];       /* :event-type, :exception-type or :error-code */
    char      content_type[48];
} aiobs_eventstream_headers_t;


typedef struct {
    void    (*begin)(void *data, const aiobs_eventstream_headers_t *headers);
    void    (*payload)(void *data, const uint8_t *p, size_t len);
    /* valid: the message's CRC is right; figures of a wrong one do not count */
    void    (*end)(void *data, int valid);
} aiobs_eventstream_handler_t;


typedef struct {
    uint32_t  total;
    uint32_t  headers_len;
    uint32_t  seen;                 /* bytes of the message so far */
    uint32_t  crc;                  /* over them */
    uint32_t  tail;                 /* CRC read from the message's end */
    uint8_t   prelude[12];
    uint8_t   state;
    uint8_t   value_type;
    uint16_t  value_len;            /* of the header under way */
    uint16_t  value_seen;
    uint8_t   name_len;
    uint8_t   name_seen;
    uint8_t   failed;
    char      name[32];
    aiobs_eventstream_headers_t  headers;
} aiobs_eventstream_t;


void aiobs_eventstream_init(aiobs_eventstream_t *s);

/*
 * AIOBS_FAILURE_FRAMING: lengths that contradict each other, or a wrong CRC of
 * the prelude; the rest of the stream cannot be read and later calls return it
 * again.  A wrong CRC of one message is told to "end" and also returned.
 */
aiobs_failure_e aiobs_eventstream_feed(aiobs_eventstream_t *s,
    const uint8_t *p, size_t len, const aiobs_eventstream_handler_t *h,
    void *data);

/* true between messages: where a stream may end */
int aiobs_eventstream_idle(const aiobs_eventstream_t *s);


/* --- base64 inside invoke payloads, undone in pieces --- */

typedef struct {
    uint32_t  bits;
    uint8_t   n;
    uint8_t   ended;
} aiobs_base64_t;

/*
 * Decodes len characters (white space and "=" tolerated) to out, which holds
 * at least (len + 3) / 4 * 3 bytes; returns the number written, or -1 on a
 * character outside the alphabet.
 */
int aiobs_base64_feed(aiobs_base64_t *b, const uint8_t *p, size_t len,
    uint8_t *out);


#endif /* _AIOBS_EVENTSTREAM_H_INCLUDED_ */
