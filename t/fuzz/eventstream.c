
/*
 * Copyright (C) the aiobs authors
 *
 * libFuzzer target: AWS event streams.  The first byte chooses the pieces and
 * whether the CRCs are put right before, so that what lies behind them is
 * reached.  The oracle is a reader of the whole body, written differently.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Isrc \
 *       t/fuzz/eventstream.c src/usage/aiobs_eventstream.c \
 *       src/usage/aiobs_base64.c -lz
 */


#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "usage/aiobs_eventstream.h"


typedef struct {
    uint32_t  crc;          /* over all that was told */
    size_t    ends;
    size_t    payload;
    int       failed;
    int       idle;
} result_t;


static void
note(result_t *r, const void *p, size_t len)
{
    r->crc = crc32(r->crc, p, len);
}


static void
note_headers(result_t *r, const aiobs_eventstream_headers_t *h)
{
    note(r, h->message_type, strlen(h->message_type) + 1);
    note(r, h->event_type, strlen(h->event_type) + 1);
    note(r, h->content_type, strlen(h->content_type) + 1);
}


static void
on_begin(void *data, const aiobs_eventstream_headers_t *h)
{
    note_headers(data, h);
}


static void
on_payload(void *data, const uint8_t *p, size_t len)
{
    result_t  *r = data;

    note(r, p, len);
    r->payload += len;
}


static void
on_end(void *data, int valid)
{
    uint8_t    c = valid;
    result_t  *r = data;

    note(r, &c, 1);
    r->ends++;
}


static const aiobs_eventstream_handler_t  handler = {
    on_begin, on_payload, on_end
};


static uint32_t
be32(const uint8_t *p)
{
    return (uint32_t) p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}


static void
put32(uint8_t *p, uint32_t v)
{
    p[0] = v >> 24;
    p[1] = v >> 16;
    p[2] = v >> 8;
    p[3] = v;
}


/* lengths cut to what is there, CRCs made right; the header's in one message */

static void
repair(uint8_t *p, size_t len)
{
    uint32_t  total;

    for ( /* void */ ; len >= 16; p += total, len -= total) {
        total = be32(p);
        total = (total < 16) ? 16 : (total > len) ? len : total;

        put32(p, total);
        put32(p + 4, be32(p + 4) % (total - 15));
        put32(p + 8, crc32(0, p, 8));
        put32(p + total - 4, crc32(0, p, total - 4));
    }
}


static void
copy_string(char *to, size_t size, const uint8_t *p, size_t len)
{
    len = (len < size) ? len : size - 1;
    memcpy(to, p, len);
    to[len] = '\0';
}


/* 0: malformed */

static int
oracle_headers(aiobs_eventstream_headers_t *h, const uint8_t *p, size_t len)
{
    size_t                i, n, name_len, value_len;
    static const int      sizes[] = { 0, 0, 1, 2, 4, 8, -1, -1, 8, 16 };
    const uint8_t        *name;

    for (i = 0; i < len; i += value_len) {
        name_len = p[i];
        name = p + i + 1;
        i += 1 + name_len;

        if (name_len == 0 || i >= len || p[i] > 9) {
            return 0;
        }

        n = p[i++];

        if (sizes[n] >= 0) {
            value_len = sizes[n];

        } else {
            if (i + 2 > len) {
                return 0;
            }

            value_len = p[i] << 8 | p[i + 1];
            i += 2;
        }

#define IS(s)  (name_len == sizeof(s) - 1 && memcmp(name, s, name_len) == 0)

        if (n == 7 && value_len > 0) {
            size_t  have = (value_len < len - i) ? value_len : len - i;

            if (have == 0) {
                return 0;

            } else if (IS(":message-type")) {
                copy_string(h->message_type, sizeof(h->message_type), p + i,
                            have);

            } else if (IS(":content-type")) {
                copy_string(h->content_type, sizeof(h->content_type), p + i,
                            have);

            } else if (IS(":event-type") || IS(":exception-type")
                       || IS(":error-code"))
            {
                copy_string(h->event_type, sizeof(h->event_type), p + i, have);
            }
        }

        if (value_len > len - i) {
            return 0;
        }
    }

    return 1;
}


static void
oracle(result_t *r, const uint8_t *p, size_t len)
{
    int                          valid;
    uint32_t                     total, headers;
    aiobs_eventstream_headers_t  h;

    memset(r, 0, sizeof(result_t));

    for ( /* void */ ; len > 0; p += total, len -= total) {
        if (len < 12) {
            return;
        }

        total = be32(p);
        headers = be32(p + 4);

        if (crc32(0, p, 8) != be32(p + 8) || total > 24 << 20
            || headers > 128 << 10 || total < 16 || headers > total - 16)
        {
            r->failed = 1;
            return;
        }

        if (len < 12 + headers) {
            return;
        }

        memset(&h, 0, sizeof(h));
        valid = oracle_headers(&h, p + 12, headers);
        note_headers(r, &h);

        if (len < total) {
            headers += 12;
            total = (len < total - 4) ? len : total - 4;

            if (total > headers) {
                on_payload(r, p + headers, total - headers);
            }

            return;
        }

        if (total - headers > 16) {
            on_payload(r, p + 12 + headers, total - headers - 16);
        }

        valid = valid && crc32(0, p, total - 4) == be32(p + total - 4);
        on_end(r, valid);
        r->failed |= !valid;
    }

    r->idle = 1;
}


static void
parse(result_t *r, const uint8_t *p, size_t len, uint32_t pieces)
{
    size_t               n;
    aiobs_eventstream_t  s;

    memset(r, 0, sizeof(result_t));
    aiobs_eventstream_init(&s);

    for ( /* void */ ; len > 0; p += n, len -= n) {
        n = len;

        if (pieces) {
            pieces = pieces * 1103515245 + 12345;
            n = 1 + (pieces >> 16) % ((pieces & 0x100) ? 4 : 60);
            n = (n < len) ? n : len;
        }

        r->failed |= (aiobs_eventstream_feed(&s, p, n, &handler, r) != 0);
    }

    r->idle = aiobs_eventstream_idle(&s);
}


static void
base64(const uint8_t *p, size_t len, size_t at)
{
    ssize_t          n, a, b;
    uint8_t         *out;
    result_t         whole = { 0 }, parts = { 0 };
    aiobs_base64_t   s = { 0 }, t = { 0 };

    out = malloc((len + 3) / 4 * 3 + 1);

    n = aiobs_base64_feed(&s, p, len, out);
    note(&whole, out, n < 0 ? 0 : n);

    a = aiobs_base64_feed(&t, p, at, out);
    note(&parts, out, a < 0 ? 0 : a);
    b = aiobs_base64_feed(&t, p + at, len - at, out);
    note(&parts, out, b < 0 ? 0 : b);

    if (whole.crc != parts.crc || s.failed != t.failed) {
        abort();
    }

    free(out);
}


int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
    uint8_t   *copy;
    result_t   want, whole, pieces;

    if (len < 1) {
        return 0;
    }

    copy = malloc(len);
    memcpy(copy, p + 1, len - 1);

    if (p[0] & 1) {
        repair(copy, len - 1);
    }

    oracle(&want, copy, len - 1);
    parse(&whole, copy, len - 1, 0);
    parse(&pieces, copy, len - 1, p[0] + 1);

    if (memcmp(&whole, &pieces, sizeof(whole)) != 0
        || memcmp(&whole, &want, sizeof(whole)) != 0)
    {
        abort();
    }

    base64(copy, len - 1, p[0] % len);
    free(copy);

    return 0;
}
