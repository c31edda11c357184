
/*
 * Copyright (C) the aiobs authors
 *
 * Each implementation of the escaper against a loop over bytes: escape N runs
 * over N strings of random bytes, length, place and room.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "telemetry/aiobs_escape.h"
#include "number.h"


#define LENGTH  700
#define ROOM    (6 * LENGTH + 2)


/* the next character: its bytes as they are to be written, how many are read */

static size_t
character(const uint8_t *s, const uint8_t *end, uint8_t *to, size_t *read)
{
    size_t    n, i;
    uint32_t  code, least;

    *read = 1;

    if (*s < 0x80) {
        switch (*s) {
        case '"': return (size_t) sprintf((char *) to, "\\\"");
        case '\\': return (size_t) sprintf((char *) to, "\\\\");
        case '\n': return (size_t) sprintf((char *) to, "\\n");
        case '\r': return (size_t) sprintf((char *) to, "\\r");
        case '\t': return (size_t) sprintf((char *) to, "\\t");
        default: break;
        }

        return (size_t) sprintf((char *) to, *s < 0x20 || *s == 0x7f
                                             ? "\\u%04x" : "%c", *s);
    }

    n = (*s & 0xe0) == 0xc0 ? 2 : (*s & 0xf0) == 0xe0 ? 3
        : (*s & 0xf8) == 0xf0 ? 4 : 0;
    least = n == 2 ? 0x80 : n == 3 ? 0x800 : 0x10000;

    if (n && (size_t) (end - s) >= n) {
        code = *s & (0x7f >> n);

        for (i = 1; i < n && (s[i] & 0xc0) == 0x80; i++) {
            code = code * 64 + (s[i] & 0x3f);
        }

        if (i == n && code >= least && code < 0x110000
            && (code < 0xd800 || code >= 0xe000))
        {
            *read = n;

            if (code < 0xa0 || code == 0x61c
                || code == 0x200e || code == 0x200f
                || (code > 0x2027 && code < 0x202f)
                || (code > 0x2065 && code < 0x206a))
            {
                return (size_t) sprintf((char *) to, "\\u%04x", (unsigned) code);
            }

            memcpy(to, s, n);
            return n;
        }
    }

    return (size_t) sprintf((char *) to, "\xef\xbf\xbd");
}


static size_t
naive(uint8_t *to, size_t max, const uint8_t *s, size_t len)
{
    size_t          n, read, used;
    uint8_t         text[16];
    const uint8_t  *end;

    used = 0;
    end = s + len;
    to[used++] = '"';

    while (s < end) {
        n = character(s, end, text, &read);

        /* a byte as it is needs room for itself, all else for the longest */

        if (used + (n == 1 ? 1 : 6) > max - 1) {
            break;
        }

        memcpy(to + used, text, n);
        used += n;
        s += read;
    }

    to[used++] = '"';

    return used;
}


/* text, anything, or characters of UTF-8, with now and then a hostile byte */

static void
fill(uint8_t *p, size_t len)
{
    size_t      i, n;
    uint32_t    kind, rare, k;
    const char  some[] = "\"\\\n\r\t\b\x1f\x7f\x80\xbf\xc0\xc2\xed\xa0\xf0\xf4"
                         "\x90\xf5\xff !#[]~";

    static const char  *words[] = {
        "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf",
        "\xed\x9f\xbf", "\xed\xa0\x80", "\xc0\x80", "\xe0\x80\x80", "abc",
        "\xc2\x80", "\xc2\x9b", "\xc2\xa0", "\xe2\x80\xae", "\xe2\x80\xa8",
        "\xe2\x80\xa7", "\xe2\x80\xaf", "\xe2\x81\xa6", "\xe2\x81\xa5",
        "\xe2\x81\xaa", "\xe2\x80\x8d", "\xe2\x80\x8e", "\xe2\x80\x90",
        "\xd8\x9c", "\xd8\x9b", "\xd9\x9c"
    };

    kind = number(4);
    rare = 1 + number(200);

    for (i = 0; i < len; i += n) {
        n = 1;
        p[i] = (uint8_t) (kind == 0 ? 0x20 + number(0x5f)
                          : kind == 1 ? 'a' + number(26) : number(256));

        if (kind == 3) {
            k = number(sizeof(words) / sizeof(words[0]));
            n = strlen(words[k]);
            n = n < len - i ? n : len - i;
            memcpy(p + i, words[k], n);
        }

        if (number(rare) == 0) {
            p[i] = (uint8_t) some[number(sizeof(some))];    /* or NUL */
        }
    }
}


/* one string, at an end of the memory that may be read, by what is in use */

static int
one(size_t len, size_t max)
{
    int       ok;
    size_t    n, m, shift;
    uint8_t  *s, *p, want[ROOM];

    shift = number(33);
    s = malloc(shift + len + 1);
    p = malloc(shift + max + 1);

    fill(s + shift, len);
    s[shift + len] = '"';
    p[shift + max] = 0xee;

    /* "len" bytes from shift on, and what is behind them must not matter */

    n = naive(want, max, s + shift, len);
    m = aiobs_escape(p + shift, max, s + shift, len) - (p + shift);

    ok = n == m && memcmp(want, p + shift, n) == 0 && p[shift + max] == 0xee;

    /* and with nothing readable behind it, nothing writable */

    s = realloc(s, shift + len ? shift + len : 1);
    p = realloc(p, shift + max);

    m = aiobs_escape_any(p + shift, max, s + shift, len) - (p + shift);
    ok = ok && n == m && memcmp(want, p + shift, n) == 0;

    m = aiobs_escape(p + shift, max, s + shift, len) - (p + shift);
    ok = ok && n == m && memcmp(want, p + shift, n) == 0;

    free(s);
    free(p);

    return ok;
}


int
main(int argc, char **argv)
{
    int                   i, k, runs;
    size_t                len, max;
    const char           *last;
    const aiobs_plain_t  *plain;

    runs = argc > 1 ? atoi(argv[1]) : 1;
    last = "";

    for (k = 0; (plain = aiobs_plain_get(k)) != NULL; k++) {
        last = plain->name;
    }

    if (strcmp(aiobs_plain.name, last) != 0) {
        printf("%s is in use, not %s\n", aiobs_plain.name, last);
        return 1;
    }

    for (k = 0; (plain = aiobs_plain_get(k)) != NULL; k++) {
        aiobs_plain = *plain;

        for (i = 0; i < runs; i++) {
            len = number(i % 8 ? 70 : LENGTH);
            max = number(4) == 0 ? 2 + number((uint32_t) len + 8)
                                 : 6 * len + 2;

            if (!one(len, max)) {
                printf("%s: run %d, %zu bytes into %zu\n", plain->name, i,
                       len, max);
                return 1;
            }
        }

        printf("%s %d\n", plain->name, runs);
    }

    return 0;
}
