
/*
 * Copyright (C) the aiobs authors
 *
 * AWS event stream framing (application/vnd.amazon.eventstream): prelude,
 * headers, payload, two CRC-32s.  A push parser of constant state: payload
 * bytes are handed on as they come, whatever their number.
 */


#ifndef _AIOBS_EVENTSTREAM_H_INCLUDED_
#define _AIOBS_EVENTSTREAM_H_INCLUDED_


#include <sys/types.h>

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
    uint32_t  crc;                  /* over them, but for the last four */
    uint32_t  value_left;           /* of the header under way */
    uint16_t  value_at;
    uint8_t   prelude[12];          /* later: the CRC at the message's end */
    uint8_t   state;
    uint8_t   value_type;
    uint8_t   target;               /* where the value goes to */
    uint8_t   name_len;
    uint8_t   name_seen;
    unsigned  malformed:1;          /* headers that cannot be read */
    unsigned  failed:1;
    char      name[16];
    aiobs_eventstream_headers_t  headers;
} aiobs_eventstream_t;


void aiobs_eventstream_init(aiobs_eventstream_t *s);

/*
 * AIOBS_FAILURE_FRAMING: lengths that contradict each other or exceed AWS's own
 * limits, or a wrong CRC of the prelude; the rest of the stream cannot be read
 * and later calls return it again.  A wrong CRC of one message, or headers that
 * are not well-formed, are told to its "end" and returned once; the messages
 * that follow are read.  Of a message broken off by a failure no end is told.
 */
aiobs_failure_e aiobs_eventstream_feed(aiobs_eventstream_t *s,
    const uint8_t *p, size_t len, const aiobs_eventstream_handler_t *h,
    void *data);

/* true between messages: where a stream may end */
int aiobs_eventstream_idle(const aiobs_eventstream_t *s);


/* --- base64 inside invoke payloads, undone in pieces --- */

typedef struct {                    /* all zero at first */
    uint32_t  bits;
    uint8_t   n;                    /* characters of the group so far */
    uint8_t   ended;                /* "=" was seen */
    uint8_t   failed;               /* what follows is not decoded */
} aiobs_base64_t;

/*
 * RFC 4648, section 4: decodes len characters (white space is skipped, padding
 * may be absent) to out, which holds at least (len + 3) / 4 * 3 bytes; each
 * byte is written as soon as it is whole.  Returns the number written.  At a
 * character outside the alphabet, or after padding, "failed" is set; what came
 * before it has been written, and where there is nothing more to write -1 is
 * returned.
 */
ssize_t aiobs_base64_feed(aiobs_base64_t *b, const uint8_t *p, size_t len,
    uint8_t *out);


#endif /* _AIOBS_EVENTSTREAM_H_INCLUDED_ */
