
/*
 * Copyright (C) the aiobs authors
 *
 * Driver of the protobuf writer: what is written by keys that are constants is
 * what is written by any others, whatever its length and bytes, and never
 * beyond the room that there is.
 */


#include "telemetry/aiobs_protobuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define ROOM  2048


static const aiobs_pb_key_t  keys[] = {
    aiobs_pb_key("a"),
    aiobs_pb_key("url.path"),
    aiobs_pb_key("gen_ai.usage.cache_creation.input_tokens"),
    aiobs_pb_key("0123456789012345678901234567890123456789012345")
};

static const char  *names[] = {
    "a", "url.path", "gen_ai.usage.cache_creation.input_tokens",
    "0123456789012345678901234567890123456789012345"
};


static aiobs_pb_t
writer(unsigned char *buf, size_t size)
{
    aiobs_pb_t  pb;

    pb.pos = buf;
    pb.end = buf + size;
    pb.full = 0;

    return pb;
}


static void
same(const char *what, size_t n, unsigned char *a, aiobs_pb_t *pa,
    unsigned char *b, aiobs_pb_t *pb)
{
    if (pa->full || pb->full || pa->pos - a != pb->pos - b
        || memcmp(a, b, pa->pos - a) != 0)
    {
        printf("%s of %zu differs\n", what, n);
        exit(1);
    }
}


/* KeyValue { value = 2 } of a list: its texts, one in each line */

static void
list(const char *text, const char *want)
{
    char              got[1024];
    size_t            len;
    unsigned char     buf[ROOM];
    const unsigned char  *p, *end;
    aiobs_pb_t        pb;
    aiobs_pb_field_t  f;

    pb = writer(buf, sizeof(buf));
    aiobs_pb_key_list(&pb, 9, &keys[1], text, strlen(text));
    got[0] = '\0';
    len = 0;

    p = buf;
    end = pb.pos;

    while (aiobs_pb_next(&p, end, &f) == 1) {

        if (f.number == 9 || (f.number == 2 && f.wire == 2)
            || f.number == 5)
        {
            p = f.data;
            end = p + f.len;

        } else if (f.number == 1 && f.len > 2 && f.data[0] == 0x0a) {
            len += snprintf(got + len, sizeof(got) - len, "%.*s|",
                            (int) f.len - 2, f.data + 2);
        }
    }

    if (strcmp(got, want) != 0) {
        printf("list \"%s\": \"%s\"\n", text, got);
        exit(1);
    }
}


int
main(void)
{
    size_t          i, k, n, size;
    int64_t         number;
    aiobs_pb_t      pa, pb;
    unsigned char   a[ROOM], b[ROOM], *text, *tight;

    srand(7);

    for (n = 0; n <= 600; n++) {
        text = malloc(n ? n : 1);       /* what is read beyond is noticed */

        for (k = 0; k < 12; k++) {

            for (i = 0; i < n; i++) {
                text[i] = (unsigned char) (' ' + rand() % 95);
            }

            if (n && k > 3) {
                text[rand() % n] = (unsigned char) rand();
            }

            pa = writer(a, sizeof(a));
            aiobs_pb_key_text(&pa, 9, &keys[k % 4], text, n);
            pb = writer(b, sizeof(b));
            aiobs_pb_attr_text(&pb, 9, names[k % 4], text, n);
            same("text", n, a, &pa, b, &pb);

            /* in any room it is whole, or nothing */

            size = rand() % 200;
            tight = malloc(size ? size : 1);
            pb = writer(tight, size);
            aiobs_pb_key_text(&pb, 9, &keys[k % 4], text, n);
            aiobs_pb_key_int(&pb, 9, &keys[k % 4], -1);
            free(tight);
        }

        free(text);
    }

    for (k = 0; k < 4 * 64; k++) {
        number = (int64_t) ((1ULL << k / 4) - k % 3);

        pa = writer(a, sizeof(a));
        aiobs_pb_key_int(&pa, 9, &keys[k % 4], number);
        aiobs_pb_key_double(&pa, 9, &keys[k % 4], (double) number);
        pb = writer(b, sizeof(b));
        aiobs_pb_attr_int(&pb, 9, names[k % 4], number);
        aiobs_pb_attr_double(&pb, 9, names[k % 4], (double) number);
        same("number", k, a, &pa, b, &pb);

        if ((size_t) (aiobs_pb_put(a, number) - a) != aiobs_pb_size(number)) {
            printf("size of %zu differs\n", k);
            return 1;
        }
    }

    list("stop", "stop|");
    list("stop,length", "stop|length|");
    list("0123456789012345678901234567890123456789012345678901234567890123456789",
         "0123456789012345678901234567890123456789012345678901234567890123456789|");

    printf("ok\n");

    return 0;
}
