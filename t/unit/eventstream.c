
/*
 * Copyright (C) the aiobs authors
 *
 * Driver of eventstream.t.  Prints what the parser tells of the bytes on
 * standard input, after checking that any split tells the same.
 *
 *   eventstream stream    an AWS event stream
 *   eventstream corrupt   the same with every byte changed in turn
 *   eventstream base64    base64 text: prints the bytes
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "usage/aiobs_eventstream.h"


typedef struct {
    char      text[1 << 16];
    size_t    len;
    uint32_t  crc;
    size_t    payload;
    int       failed;
} transcript_t;


static void feed_piece(aiobs_eventstream_t *s, transcript_t *t,
    const uint8_t *p, size_t len);
static void feed(transcript_t *t, const uint8_t *p, size_t len, size_t at,
    size_t step);
static int same(const uint8_t *p, size_t len, size_t at, size_t step);
static int splits(const uint8_t *p, size_t len);
static void corrupt(uint8_t *p, size_t len);
static void base64(const uint8_t *p, size_t len);
static size_t base64_feed(aiobs_base64_t *b, const uint8_t *p, size_t len,
    uint8_t *out);


static transcript_t  whole, other;


static void
on_begin(void *data, const aiobs_eventstream_headers_t *h)
{
    transcript_t  *t = data;

    t->crc = 0;
    t->payload = 0;
    t->len += snprintf(t->text + t->len, sizeof(t->text) - t->len,
                       "%s|%s|%s", h->message_type, h->event_type,
                       h->content_type);
    if (t->len >= sizeof(t->text)) {
        t->len = sizeof(t->text) - 1;
    }
}


static void
on_payload(void *data, const uint8_t *p, size_t len)
{
    transcript_t  *t = data;

    t->crc = crc32(t->crc, p, len);
    t->payload += len;
}


static void
on_end(void *data, int valid)
{
    transcript_t  *t = data;

    t->len += snprintf(t->text + t->len, sizeof(t->text) - t->len,
                       "|%zu|%08x|%d\n", t->payload, t->crc, valid);
    if (t->len >= sizeof(t->text)) {
        t->len = sizeof(t->text) - 1;
    }
}


static const aiobs_eventstream_handler_t  handler = {
    on_begin, on_payload, on_end
};


int
main(int argc, char **argv)
{
    size_t    len;
    uint8_t  *p;

    p = malloc(1 << 23);
    if (p == NULL || argc < 2) {
        return 2;
    }

    len = fread(p, 1, 1 << 23, stdin);

    if (strcmp(argv[1], "base64") == 0) {
        base64(p, len);

    } else if (strcmp(argv[1], "corrupt") == 0) {
        corrupt(p, len);

    } else if (!splits(p, len)) {
        return 1;
    }

    if (argv[1][0] == 's') {
        fputs(whole.text, stdout);
    }

    free(p);
    return 0;
}


/* a copy of its own for each piece: the sanitizer sees any byte beyond */

static void
feed_piece(aiobs_eventstream_t *s, transcript_t *t, const uint8_t *p,
    size_t len)
{
    uint8_t  *copy;

    copy = malloc(len ? len : 1);
    memcpy(copy, p, len);

    if (aiobs_eventstream_feed(s, copy, len, &handler, t)
        != AIOBS_FAILURE_NONE)
    {
        t->failed = 1;
    }

    free(copy);
}


/* "at" bytes, then "step" each time (0: all the rest) */

static void
feed(transcript_t *t, const uint8_t *p, size_t len, size_t at, size_t step)
{
    size_t               n;
    aiobs_eventstream_t  s;

    t->len = 0;
    t->crc = 0;
    t->payload = 0;
    t->failed = 0;
    t->text[0] = '\0';

    aiobs_eventstream_init(&s);
    feed_piece(&s, t, p, at);

    for ( /* void */ ; at < len; at += n) {
        n = (step && step < len - at) ? step : len - at;
        feed_piece(&s, t, p + at, n);
    }

    t->len += snprintf(t->text + t->len, sizeof(t->text) - t->len,
                       "failed %d, idle %d\n", t->failed,
                       aiobs_eventstream_idle(&s));
}


static int
same(const uint8_t *p, size_t len, size_t at, size_t step)
{
    feed(&other, p, len, at, step);

    if (strcmp(whole.text, other.text) == 0 && whole.crc == other.crc
        && whole.payload == other.payload)
    {
        return 1;
    }

    printf("split at %zu, step %zu:\n%snot\n%s", at, step, other.text,
           whole.text);
    return 0;
}


static int
splits(const uint8_t *p, size_t len)
{
    size_t  i;

    feed(&whole, p, len, 0, 0);

    for (i = 1; i <= len && len <= 2048; i++) {
        if (!same(p, len, i, 0)) {
            return 0;
        }
    }

    for (i = 1; i < 20; i++) {
        if (!same(p, len, 0, i)) {
            return 0;
        }
    }

    return 1;
}


/* no change may go unnoticed: each message is covered by its CRCs */

static void
corrupt(uint8_t *p, size_t len)
{
    size_t   i, k;
    uint8_t  c;

    for (i = 0; i < len; i++) {
        c = p[i];

        for (k = 0; k < 10; k++) {
            p[i] = (k < 8) ? c ^ (1 << k) : (k == 8) ? c ^ 0xff : ~c + 1;

            if (p[i] == c) {
                continue;
            }

            feed(&whole, p, len, 0, 0);

            if (!whole.failed || !same(p, len, 0, 1)
                || !same(p, len, i, 0) || !same(p, len, 0, 7))
            {
                printf("byte %zu as %02x\n", i, p[i]);
                exit(1);
            }
        }

        p[i] = c;
    }

    printf("%zu bytes\n", len);
}


static void
base64(const uint8_t *p, size_t len)
{
    size_t          i, n, m;
    uint8_t        *out, *piece;
    aiobs_base64_t  b, e;

    out = malloc(len + 4);
    piece = malloc(len + 4);

    memset(&b, 0, sizeof(b));
    n = base64_feed(&b, p, len, out);

    for (i = 0; i <= len; i++) {
        memset(&e, 0, sizeof(e));
        m = base64_feed(&e, p, i, piece);
        m += base64_feed(&e, p + i, len - i, piece + m);

        if (m != n || memcmp(out, piece, n) != 0 || e.failed != b.failed) {
            printf("split at %zu\n", i);
            exit(1);
        }
    }

    printf("%d:", b.failed);
    fwrite(out, 1, n, stdout);
    free(out);
    free(piece);
}


/* into a buffer of just the size that is promised to be enough */

static size_t
base64_feed(aiobs_base64_t *b, const uint8_t *p, size_t len, uint8_t *out)
{
    ssize_t   n;
    uint8_t  *buf;

    buf = malloc((len + 3) / 4 * 3 + (len == 0));
    n = aiobs_base64_feed(b, p, len, buf);

    if (n < 0) {
        if (!b->failed) {
            abort();
        }

        n = 0;
    }

    memcpy(out, buf, n);
    free(buf);

    return n;
}
