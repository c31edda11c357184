
/*
 * Copyright (C) the aiobs authors
 *
 * Each implementation of what reads lines of heads against a loop over bytes:
 * head N reads N random lines.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "request/aiobs_head.h"


/* a line, more or less, of a name of up to 40 bytes */

static size_t
fill(uint8_t *p, size_t size)
{
    size_t      i, name, len;
    const char  odd[] = "\r\n\t\0\x0b\x0e\x80\xff :";

    name = number(40);
    len = name + number((uint32_t) (size - name));

    for (i = 0; i < len; i++) {
        p[i] = (uint8_t) (i == name ? ':' : ' ' + number(90));

        if (number(80) == 0) {
            p[i] = (uint8_t) odd[number(sizeof(odd) - 1)];
        }
    }

    for (i = name + 1; i < len && number(2); i++) {
        p[i] = ' ';
    }

    if (len > 4 && number(8)) {
        i = len - 2 - number(2) * number((uint32_t) len - 2);
        p[i] = '\r';
        p[i + 1] = '\n';
    }

    return len;
}


/* the end of the line, 0 if it is not plain */

static size_t
naive(const uint8_t *p, size_t len, size_t *name, size_t *value, size_t *end)
{
    size_t  i;

    for (i = 0; i < len && p[i] != ':'; i++) { /* void */ }

    if (len < AIOBS_HEAD_NAME || i < 3 || i > 31) {
        return 0;
    }

    *name = i;

    for (i++; i < len && p[i] == ' '; i++) { /* void */ }

    *value = i;

    for ( /* void */ ; i < len && p[i] && p[i] != '\r' && p[i] != '\n'; i++) {
        /* void */
    }

    *end = i;

    return i > *value && p[i - 1] != ' ' && i + 2 <= len && p[i] == '\r'
           && p[i + 1] == '\n' ? i + 2 : 0;
}


static const uint8_t *
line_at(const uint8_t *p, const uint8_t *last, aiobs_head_line_t *line)
{
    size_t  n;

    n = last - p < AIOBS_HEAD_NAME ? 0 : aiobs_head_name(p);

    return n < AIOBS_HEAD_NAME_MIN ? NULL : aiobs_head_line(p, last, n, line);
}


static int
check(const uint8_t *p, size_t len)
{
    size_t              next, name = 0, value = 0, end = 0;
    uint8_t             low[2][AIOBS_HEAD_NAME];
    const uint8_t      *got, *last;
    aiobs_head_line_t   line;

    last = p + len;
    next = naive(p, len, &name, &value, &end);
    got = line_at(p, last, &line);

    if (next == 0 ? got != NULL
        : (got != p + next || line.name != p || line.name_len != name
           || line.value != p + value || line.value_len != end - value))
    {
        return 0;
    }

    if (len >= AIOBS_HEAD_NAME) {
        aiobs_head_lowcase(low[0], p);
        aiobs_head_lowcase_portable(low[1], p);
    }

    if (len >= AIOBS_HEAD_NAME
        && (memcmp(low[0], low[1], AIOBS_HEAD_NAME) != 0
            || aiobs_head_name(p) != aiobs_head_name_portable(p)
            || aiobs_head_same(p, last - AIOBS_HEAD_NAME)
               != aiobs_head_same_portable(p, last - AIOBS_HEAD_NAME)))
    {
        return 0;
    }

    return aiobs_head_value(p, last) == aiobs_head_value_portable(p, last);
}


int
main(int argc, char **argv)
{
    long      i, n, plain;
    size_t    len;
    uint8_t  *p;
    uint8_t   text[300];

    n = argc > 1 ? atol(argv[1]) : 1000;
    plain = 0;

    for (i = 0; i < n; i++) {
        len = fill(text, sizeof(text));

        p = malloc(len ? len : 1);      /* what is read beyond is noticed */
        if (p == NULL) {
            return 2;
        }

        memcpy(p, text, len);

        if (!check(p, len)) {
            printf("line %ld differs\n", i);
            return 1;
        }

        plain += line_at(p, p + len, &(aiobs_head_line_t) { 0 }) != NULL;
        free(p);
    }

    printf("%ld lines, %s of them plain\n", n, plain > n / 20 ? "enough" : "few");

    return 0;
}
