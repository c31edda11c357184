
/*
 * Copyright (C) the aiobs authors
 *
 * Base64 undone in pieces of any size (RFC 4648, section 4).
 */


#include "aiobs_eventstream.h"


#define AIOBS_SKIP  0x40            /* white space */
#define AIOBS_PAD   0x41
#define AIOBS_BAD   0x80

#define SK  AIOBS_SKIP
#define PD  AIOBS_PAD
#define XX  AIOBS_BAD


static size_t aiobs_base64_groups(const uint8_t **p, size_t len, uint8_t *out);


static const uint8_t  aiobs_base64_values[256] = {
    XX, XX, XX, XX, XX, XX, XX, XX, XX, SK, SK, XX, XX, SK, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    SK, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, 62, XX, XX, XX, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, XX, XX, XX, PD, XX, XX,
    XX,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, XX, XX, XX, XX, XX,
    XX, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX
};


ssize_t
aiobs_base64_feed(aiobs_base64_t *b, const uint8_t *p, size_t len,
    uint8_t *out)
{
    size_t          n;
    uint8_t         v;
    const uint8_t  *end;

    n = 0;
    end = p + len;

    while (p < end && !b->failed) {

        if (b->n == 0 && !b->ended) {
            n += aiobs_base64_groups(&p, end - p, out + n);

            if (p == end) {
                break;
            }
        }

        v = aiobs_base64_values[*p++];

        if (v == AIOBS_SKIP) {
            continue;
        }

        if (v == AIOBS_PAD) {
            /* "=" stands for the third or fourth character of a group only */
            b->failed = (b->n < 2);
            b->ended = 1;
            b->n = (b->n + 1) % 4;
            continue;
        }

        if (v == AIOBS_BAD || b->ended) {
            b->failed = 1;
            break;
        }

        b->bits = b->bits << 6 | v;
        b->n = (b->n + 1) % 4;

        if (b->n != 1) {
            out[n++] = b->bits >> ((4 - b->n) % 4 * 2);
        }
    }

    return (n == 0 && b->failed) ? -1 : (ssize_t) n;
}


/* whole groups of four, the bulk of any text; stops at anything else */

static size_t
aiobs_base64_groups(const uint8_t **p, size_t len, uint8_t *out)
{
    size_t          n;
    uint8_t         v[4];
    uint32_t        bits;
    const uint8_t  *q;

    n = 0;

    for (q = *p; len >= 4; len -= 4, q += 4) {
        v[0] = aiobs_base64_values[q[0]];
        v[1] = aiobs_base64_values[q[1]];
        v[2] = aiobs_base64_values[q[2]];
        v[3] = aiobs_base64_values[q[3]];

        if ((v[0] | v[1] | v[2] | v[3]) >= AIOBS_SKIP) {
            break;
        }

        bits = v[0] << 18 | v[1] << 12 | v[2] << 6 | v[3];
        out[n++] = bits >> 16;
        out[n++] = bits >> 8;
        out[n++] = bits;
    }

    *p = q;

    return n;
}
