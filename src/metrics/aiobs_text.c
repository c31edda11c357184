
/*
 * Copyright (C) the aiobs authors
 *
 * Label values and numbers as the text formats of Prometheus write them.
 */


#include <string.h>

#include "aiobs_text.h"


#define AIOBS_ONES  0x0101010101010101ULL


static size_t aiobs_text_utf8_len(const unsigned char *p, size_t rest);


/* printable ASCII, nearly all there is, is copied by words */

size_t
aiobs_text_label(unsigned char *dst, const unsigned char *src, size_t len)
{
    size_t    i;
    uint64_t  word, dirty;

    if (len > AIOBS_LABEL_MAX) {
        return aiobs_text_clean(dst, AIOBS_LABEL_MAX, src, len);
    }

    dirty = 0;

    for (i = 0; len - i >= sizeof(word); i += sizeof(word)) {
        memcpy(&word, src + i, sizeof(word));
        memcpy(dst + i, &word, sizeof(word));

        /* bytes < 0x20, 0x7f and >= 0x80 leave a high bit */

        dirty |= ((word - AIOBS_ONES * 0x20) | (word + AIOBS_ONES) | word)
                 & AIOBS_ONES << 7;
    }

    for ( /* void */ ; i < len; i++) {
        dst[i] = src[i];
        dirty |= src[i] < 0x20 || src[i] > 0x7e;
    }

    return dirty ? aiobs_text_clean(dst, AIOBS_LABEL_MAX, src, len) : len;
}


size_t
aiobs_text_clean(unsigned char *dst, size_t max, const unsigned char *src,
    size_t len)
{
    size_t  i, n, used;

    used = 0;

    for (i = 0; i < len; i += n) {
        n = aiobs_text_utf8_len(src + i, len - i);

        if (n == 0 || (src[i] < 0x20 && src[i] != '\n') || src[i] == 0x7f) {
            n = 1;

            if (used == max) {
                break;
            }

            dst[used++] = '?';
            continue;
        }

        if (used + n > max) {
            break;
        }

        memcpy(dst + used, src + i, n);
        used += n;
    }

    return used;
}


/*
 * The length of the character at p, 0 if there is none.  Surrogates and what
 * is beyond Unicode are none: a scrape with them is refused as a whole.
 */

static size_t
aiobs_text_utf8_len(const unsigned char *p, size_t rest)
{
    size_t         i, n;
    unsigned char  low, high;

    low = 0x80;
    high = 0xbf;

    if (p[0] < 0x80) {
        return 1;

    } else if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        low = p[0] == 0xe0 ? 0xa0 : 0x80;
        high = p[0] == 0xed ? 0x9f : 0xbf;

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        low = p[0] == 0xf0 ? 0x90 : 0x80;
        high = p[0] == 0xf4 ? 0x8f : 0xbf;

    } else {
        return 0;
    }

    if (rest < n || p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) {
            return 0;
        }
    }

    return n;
}


unsigned char *
aiobs_text_escape(unsigned char *dst, const unsigned char *src, size_t len,
    int quotes)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        switch (src[i]) {

        case '\n':
            *dst++ = '\\';
            *dst++ = 'n';
            continue;

        case '"':
            if (!quotes) {
                break;
            }

            /* fall through */

        case '\\':
            *dst++ = '\\';
            break;
        }

        *dst++ = src[i];
    }

    return dst;
}


unsigned char *
aiobs_text_integer(unsigned char *p, uint64_t n)
{
    size_t         len;
    unsigned char  digits[20], *d;

    d = digits + sizeof(digits);

    do {
        *--d = (unsigned char) ('0' + n % 10);
        n /= 10;
    } while (n);

    len = digits + sizeof(digits) - d;
    memcpy(p, d, len);

    return p + len;
}


unsigned char *
aiobs_text_number(unsigned char *p, uint64_t value, uint64_t scale)
{
    uint64_t  fraction;

    p = aiobs_text_integer(p, value / scale);
    fraction = value % scale;

    if (fraction) {
        *p++ = '.';
    }

    while (fraction) {
        scale /= 10;
        *p++ = (unsigned char) ('0' + fraction / scale);
        fraction %= scale;
    }

    return p;
}


/* below 0.0001 and from a million on as strconv.FormatFloat() does it */

unsigned char *
aiobs_text_bound(unsigned char *p, uint64_t value, uint64_t scale)
{
    unsigned  exponent;
    uint64_t  power;

    if (value / scale < 1000000 && (value * 10000 >= scale || value == 0)) {
        p = aiobs_text_number(p, value, scale);

        if (value % scale == 0) {
            *p++ = '.';
            *p++ = '0';
        }

        return p;
    }

    exponent = 0;

    if (value >= scale) {
        for (power = scale; value / power >= 10; power *= 10) {
            exponent++;
        }

    } else {
        for (power = scale; value < power; power /= 10) {
            exponent++;
        }
    }

    p = aiobs_text_number(p, value, power);

    *p++ = 'e';
    *p++ = value >= scale ? '+' : '-';
    *p++ = (unsigned char) ('0' + exponent / 10);
    *p++ = (unsigned char) ('0' + exponent % 10);

    return p;
}
