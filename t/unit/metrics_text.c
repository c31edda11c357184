
/*
 * Copyright (C) the aiobs authors
 *
 * Driver of metrics_text.t.  "label", "escape", "help": standard input as one
 * value.  "number", "bound": for every line "value scale" a line.
 */


#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/aiobs_text.h"


static int  values(const char *mode, unsigned char *p, size_t len);
static int  numbers(const char *mode);


int
main(int argc, char **argv)
{
    int             rc;
    size_t          len;
    unsigned char  *p;

    if (argc < 2) {
        return 2;
    }

    if (strcmp(argv[1], "number") == 0 || strcmp(argv[1], "bound") == 0) {
        return numbers(argv[1]);
    }

    p = malloc(1 << 20);
    if (p == NULL) {
        return 2;
    }

    /* exactly as large as the input, so that sanitizers see a byte too far */

    len = fread(p, 1, 1 << 20, stdin);
    p = realloc(p, len ? len : 1);

    rc = values(argv[1], p, len);
    free(p);

    return rc;
}


static int
values(const char *mode, unsigned char *p, size_t len)
{
    size_t          n;
    unsigned char  *out;

    out = malloc(strcmp(mode, "label") == 0 ? AIOBS_LABEL_MAX : 2 * len + 1);
    if (out == NULL) {
        return 2;
    }

    if (strcmp(mode, "label") == 0) {
        n = aiobs_text_label(out, p, len);

    } else {
        n = aiobs_text_escape(out, p, len, strcmp(mode, "escape") == 0) - out;
    }

    fwrite(out, 1, n, stdout);
    free(out);

    return 0;
}


static int
numbers(const char *mode)
{
    uint64_t       value, scale;
    unsigned char  *p, *out;

    while (scanf("%" SCNu64 " %" SCNu64, &value, &scale) == 2) {

        out = malloc(AIOBS_NUMBER_MAX);
        if (out == NULL) {
            return 2;
        }

        p = strcmp(mode, "bound") == 0 ? aiobs_text_bound(out, value, scale)
                                       : aiobs_text_number(out, value, scale);

        printf("%.*s\n", (int) (p - out), out);
        free(out);
    }

    return 0;
}
