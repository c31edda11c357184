
/*
 * Copyright (C) the aiobs authors
 *
 * Documents of three APIs, made of the input's bytes: members nobody asks for,
 * with usage-shaped objects and strings in them, around a report - or the
 * input itself, if it is a document. The oracle is a plain reader of the whole
 * body: jansson. Read whole or in pieces, the tokens are those it finds.
 *
 * What is learned of documents lives on from input to input: with it and
 * without, whole and in pieces, the record is the same to the byte.
 */


#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "usage/aiobs_usage.h"


#define DOCUMENT_MAX  (64 * 1024)


typedef struct {
    const uint8_t  *p;
    const uint8_t  *last;
    char           *to;
    char           *end;
} maker_t;


/* by which members a report is known; what else may be in it is left out */

static const struct {
    const char  *path;
    const char  *usage;
    const char  *input[3];
    const char  *output[2];
} apis[] = {
    { "/v1/chat/completions", "usage", { "prompt_tokens" },
      { "completion_tokens" } },
    { "/v1/messages", "usage", { "input_tokens", "cache_read_input_tokens",
      "cache_creation_input_tokens" }, { "output_tokens" } },
    { "/v1beta/models/m:generateContent", "usageMetadata",
      { "promptTokenCount", "toolUsePromptTokenCount" },
      { "candidatesTokenCount", "thoughtsTokenCount" } }
};

static const char  *decoys[] = {
    "{\"prompt_tokens\":9999,\"completion_tokens\":9999}",
    "{\"usage\":{\"input_tokens\":9e9,\"output_tokens\":77}}",
    "[{\"usageMetadata\":{\"promptTokenCount\":12345}}]",
    "\"{\\\"usage\\\":{\\\"prompt_tokens\\\":31337}}\"",
    "\"\\\\\\\"},\\\"usage\\\":{\\\"input_tokens\\\":5}\"",
    "[[[[{}]],{\"a\":[1,2,{\"b\":\"]}\"}]}]]", "-1.5e-3", "true", "null"
};


static unsigned
byte(maker_t *m)
{
    return m->p < m->last ? *m->p++ : 0;
}


static void
put(maker_t *m, const char *s)
{
    size_t  n;

    n = strlen(s);

    if ((size_t) (m->end - m->to) > n) {
        memcpy(m->to, s, n);
        m->to += n;
    }
}


/* a string of the input's bytes, escaped where it has to be, or may be */

static void
string(maker_t *m)
{
    char      text[8];
    unsigned  n, c;

    put(m, "\"");

    for (n = byte(m) % 40; n; n--) {
        c = byte(m);

        if (c == '"' || c == '\\') {
            snprintf(text, sizeof(text), "\\%c", c);

        } else if (c < 0x20 || c > 0x7e) {
            snprintf(text, sizeof(text), "\\u%04x", c | 1);

        } else {
            snprintf(text, sizeof(text), "%c", c);
        }

        put(m, text);
    }

    put(m, "\"");
}


static void
space(maker_t *m)
{
    static const char  *spaces[] = { "", " ", "\n", "\r\n\t  " };

    put(m, spaces[byte(m) % 4]);
}


static void
junk(maker_t *m)
{
    char      key[16];
    unsigned  n;

    for (n = byte(m) % 5; n; n--) {
        snprintf(key, sizeof(key), "\"k%td\"", m->end - m->to);
        put(m, key);
        space(m);
        put(m, ":");
        space(m);

        if (byte(m) % 3) {
            put(m, decoys[byte(m) % (sizeof(decoys) / sizeof(decoys[0]))]);
        } else {
            string(m);
        }

        space(m);
        put(m, ",");
    }
}


static void
report(maker_t *m, int api)
{
    int       i;
    char      text[80];
    unsigned  n;

    snprintf(text, sizeof(text), "\"%s\":{", apis[api].usage);
    put(m, text);

    for (i = 0; i < 3 && apis[api].input[i]; i++) {
        n = byte(m);
        snprintf(text, sizeof(text), "\"%s\":%u,", apis[api].input[i],
                 n * byte(m));
        put(m, text);
        junk(m);
    }

    for (i = 0; i < 2 && apis[api].output[i]; i++) {
        snprintf(text, sizeof(text), "\"%s\":%u%s,", apis[api].output[i],
                 byte(m), i ? ".0" : "");
        put(m, text);
    }

    put(m, "\"end\":0},");
}


/* the sum of those that are there; -1: none; -2: something the oracle leaves */

static json_int_t
sum(json_t *usage, const char *const *names, int n)
{
    int         i;
    json_t     *v;
    json_int_t  total;

    for (i = 0, total = -1; i < n && names[i]; i++) {
        v = json_object_get(usage, names[i]);

        if (v == NULL || json_is_null(v)) {
            continue;
        }

        if (!json_is_number(v) || json_number_value(v) < 0
            || json_number_value(v) > 1e9
            || json_number_value(v) != (json_int_t) json_number_value(v))
        {
            return -2;
        }

        total = (total < 0 ? 0 : total) + (json_int_t) json_number_value(v);
    }

    return total;
}


/* members that other rules than the sum apply to */

static int
plain(json_t *root, json_t *usage, int api)
{
    size_t       n;
    const char  *key;
    json_t      *value;

    static const char  *other[] = { "x_groq", "response", "message", "choices",
        "num_tokens_prompt_total", "num_tokens_generated", "tokens_evaluated",
        "tokens_predicted", NULL };

    for (n = 0; other[n]; n++) {
        if (json_object_get(root, other[n])) {
            return 0;
        }
    }

    json_object_foreach(usage, key, value) {
        if (strstr(key, "oken") && sum(usage, apis[api].input, 3) == -1) {
            return 0;
        }

        for (n = 0; n < 3; n++) {
            if ((apis[api].input[n] && strcmp(key, apis[api].input[n]) == 0)
                || (n < 2 && apis[api].output[n]
                    && strcmp(key, apis[api].output[n]) == 0))
            {
                break;
            }
        }

        if (n == 3 && key[0] != 'k' && strcmp(key, "end") != 0) {
            return 0;
        }
    }

    return 1;
}


static void
read_all(int api, const char *p, size_t len, size_t piece,
    aiobs_forms_t *forms, aiobs_usage_record_t *rec)
{
    char           *copy;
    size_t          i, n;
    aiobs_usage_t  *u;

    memset(rec, 0, sizeof(*rec));       /* of texts as much is set as there is */

    u = malloc(aiobs_usage_size());
    aiobs_usage_init(u, aiobs_api_find(AIOBS_DIALECT_AUTO, "POST", 4,
                                       apis[api].path, strlen(apis[api].path)),
                     200);
    aiobs_usage_forms(u, forms);
    aiobs_usage_header(u, "content-type", 12, "application/json", 16);

    for (i = 0; i < len; i += n) {
        n = len - i < piece ? len - i : piece;

        copy = malloc(n);
        memcpy(copy, p + i, n);
        aiobs_usage_feed(u, copy, n, 1);
        free(copy);
    }

    aiobs_usage_finish(u, 1, 10, rec);
    free(u);
}


static void
ask_all(int api, const char *p, size_t len, size_t piece,
    aiobs_forms_t *forms, aiobs_request_record_t *rec)
{
    size_t            i, n;
    aiobs_request_t  *q;

    q = malloc(aiobs_request_size());
    aiobs_request_init(q, aiobs_api_find(AIOBS_DIALECT_AUTO, "POST", 4,
                                         apis[api].path,
                                         strlen(apis[api].path)));
    aiobs_request_forms(q, forms);

    for (i = 0; i < len; i += n) {
        n = len - i < piece ? len - i : piece;
        aiobs_request_feed(q, p + i, n);
    }

    aiobs_request_finish(q, rec);
    free(q);
}


/* the record of an answer; as a request it only has to be the same each time */

static void
compare(int api, const char *p, size_t len, size_t piece,
    aiobs_usage_record_t *rec)
{
    aiobs_usage_record_t    pieces, fitted, both;
    aiobs_request_record_t  asked, fits;

    static aiobs_forms_t  *forms;

    if (forms == NULL) {
        forms = aiobs_forms_create();
    }

    read_all(api, p, len, len + 1, NULL, rec);
    read_all(api, p, len, piece, NULL, &pieces);
    read_all(api, p, len, len + 1, forms, &fitted);
    read_all(api, p, len, piece, forms, &both);

    ask_all(api, p, len, len + 1, NULL, &asked);
    ask_all(api, p, len, piece, forms, &fits);

    if (memcmp(rec, &pieces, sizeof(pieces)) != 0
        || memcmp(rec, &fitted, sizeof(fitted)) != 0
        || memcmp(rec, &both, sizeof(both)) != 0
        || memcmp(&asked, &fits, sizeof(fits)) != 0)
    {
        fprintf(stderr, "%.*s\nis not read alike (pieces of %zu)\n", (int) len,
                p, piece);
        abort();
    }
}


static void
check(int api, const char *p, size_t len, size_t piece)
{
    json_t                *root, *usage;
    json_int_t             input, output;
    aiobs_usage_record_t   rec;

    compare(api, p, len, piece, &rec);

    root = json_loadb(p, len, JSON_REJECT_DUPLICATES, NULL);
    usage = json_object_get(root, apis[api].usage);

    if (!json_is_object(usage) || !plain(root, usage, api)) {
        json_decref(root);
        return;
    }

    input = sum(usage, apis[api].input, 3);
    output = sum(usage, apis[api].output, 2);
    json_decref(root);

    if (input < 0 || output < 0) {
        return;
    }

    if (rec.input != input || rec.output != output
        || rec.source != AIOBS_SOURCE_REPORTED || rec.failure)
    {
        fprintf(stderr, "%.*s\n%lld %lld, want %lld %lld (failure %d)\n",
                (int) len, p, (long long) rec.input, (long long) rec.output,
                (long long) input, (long long) output, rec.failure);
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int       api;
    char     *text;
    size_t    piece;
    maker_t   m;

    if (size < 3) {
        return 0;
    }

    api = data[0] % 3;
    piece = 1 + data[1];

    check(api, (const char *) data + 2, size - 2, piece);

    text = malloc(DOCUMENT_MAX + 64);

    m.p = data + 2;
    m.last = data + size;
    m.to = text;
    m.end = text + DOCUMENT_MAX;

    put(&m, "{");
    junk(&m);
    report(&m, api);
    junk(&m);
    strcpy(m.to, "\"id\":\"x\"}");

    check(api, text, strlen(text), piece);

    free(text);

    return 0;
}
