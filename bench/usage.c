
/*
 * Copyright (C) the aiobs authors
 *
 * What reading a response costs without nginx: usage PATH TYPE BUFFER FILE...,
 * the files fed in turn, again and again, in buffers of that size.
 */


#define _GNU_SOURCE

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "usage/aiobs_usage.h"


typedef struct {
    char    *data;
    size_t   len;
} body_t;


static body_t  bench_read(const char *name);
static double  bench_now(void);
static size_t  bench_once(aiobs_usage_t *u, const aiobs_api_t *api,
    aiobs_forms_t *forms, const char *type, const char *body, size_t len, size_t buffer,
    aiobs_usage_record_t *rec);


int
main(int argc, char **argv)
{
    int                    i, k, n, files;
    body_t                *body;
    size_t                 len, buffer;
    double                 best, t;
    aiobs_usage_t         *u;
    aiobs_forms_t         *forms;
    const aiobs_api_t     *api;
    aiobs_usage_record_t   rec;

    if (argc < 5) {
        fprintf(stderr, "usage: %s PATH TYPE BUFFER FILE...\n", argv[0]);
        return 2;
    }

    files = argc - 4;
    body = calloc(files, sizeof(body_t));
    len = 0;

    for (i = 0; i < files; i++) {
        body[i] = bench_read(argv[4 + i]);
        len += body[i].len;
    }

    len /= files;
    api = aiobs_api_find(AIOBS_DIALECT_AUTO, "POST", 4, argv[1],
                         strlen(argv[1]));
    u = malloc(aiobs_usage_size());
    forms = aiobs_forms_create();
    buffer = strtoul(argv[3], NULL, 10);
    n = (20000000 / len + 1) * files;
    best = 1e9;

    for (i = 0; i < 30; i++) {
        t = bench_now();

        for (k = 0; k < n; k++) {
            bench_once(u, api, forms, argv[2], body[k % files].data,
                       body[k % files].len, buffer, &rec);
        }

        t = (bench_now() - t) / n;
        best = t < best ? t : best;
    }

    printf("%zu bytes: %.3f us, %.2f GB/s, %u events, %.1f ns each; "
           "input %lld output %lld state %zu\n", len, best * 1e6,
           len / best / 1e9, rec.content_events,
           rec.content_events ? best * 1e9 / rec.content_events : 0,
           (long long) rec.input, (long long) rec.output, aiobs_usage_size());

    return 0;
}


static body_t
bench_read(const char *name)
{
    FILE    *f;
    body_t   body;

    f = fopen(name, "rb");

    if (f == NULL) {
        perror(name);
        exit(1);
    }

    body.data = malloc(1 << 22);
    body.len = fread(body.data, 1, 1 << 22, f);
    fclose(f);

    return body;
}


static size_t
bench_once(aiobs_usage_t *u, const aiobs_api_t *api, aiobs_forms_t *forms,
    const char *type, const char *body, size_t len, size_t buffer, aiobs_usage_record_t *rec)
{
    size_t  i, n;

    aiobs_usage_init(u, api, 200);
    aiobs_usage_forms(u, forms);
    aiobs_usage_header(u, "content-type", 12, type, strlen(type));

    for (i = 0; i < len; i += n) {
        n = len - i < buffer ? len - i : buffer;
        aiobs_usage_feed(u, body + i, n, 1);
    }

    aiobs_usage_finish(u, 1, AIOBS_ABSENT, rec);

    return i;
}


static double
bench_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}
