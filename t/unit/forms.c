
/*
 * Copyright (C) the aiobs authors
 *
 * forms ROUNDS < list: bodies, read with forms and without, come to the same.
 * The list has a line each: API's path, kind ("answer", "request"), file.
 * Bodies come in random order, as they are and changed; whole, in pieces, and
 * with others read in between, so that forms come and go under a reader; by
 * each way to compare that this processor has.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usage/aiobs_answer.h"
#include "number.h"


#define BODIES     1024
#define BODY_MAX   (256 * 1024)
#define VALUE_MAX  400


typedef struct {
    const aiobs_api_t  *api;
    int                 request;
    uint8_t            *p;
    size_t              len;
} body_t;


typedef struct {
    body_t              body;
    size_t              at;
    unsigned            piece;      /* bytes at most, 0: whole */
    aiobs_usage_t      *usage;
    aiobs_request_t    *request;
} reader_t;


static body_t    bodies[BODIES];
static unsigned  n_bodies;


/* --- changes --- */

static const char  *values[] = {
    "null", "0", "7", "1234567890123456789012345678901234567890", "-1", "2.5",
    "1e3", "12345678901", "true", "false", "\"\"", "\"stop\"",
    "\"a \\\"quoted\\\" \\n \\u00e9\\ud83d\\ude00\"", "\"\\x\"", "\"\\u12g4\"",
    "\"\\", "{}", "[]", "{\"prompt_tokens\":9999,\"a\":[1,{}]}",
    "[{\"text\":\"x\",\"index\":1}]", "{\"usage\":{\"input_tokens\":5}}", "nul",
    "+1", "1.2.3e", "\"\xc3\xa9\xff\"", "\"a\nb\"", "", "\"", "{", "]", "[[[["
};


static void
splice(body_t *b, size_t at, size_t del, const char *p, size_t len)
{
    uint8_t  *to;

    to = malloc(b->len - del + len + 1);

    memcpy(to, b->p, at);
    memcpy(to + at, p, len);
    memcpy(to + at + len, b->p + at + del, b->len - at - del);

    free(b->p);

    b->p = to;
    b->len = b->len - del + len;
}


/* the value behind a colon somewhere, as far as it is simple */

static size_t
value(const body_t *b, size_t *len)
{
    size_t  at, end;

    at = b->len ? number(b->len) : 0;

    while (at < b->len && b->p[at] != ':') {
        at++;
    }

    for (at += (at < b->len); at < b->len && b->p[at] == ' '; at++) {
        /* void */
    }

    end = at;

    if (at < b->len && b->p[at] == '"') {
        for (end++; end < b->len && b->p[end] != '"'; end++) { /* void */ }
        end += (end < b->len);

    } else {
        while (end < b->len && !strchr(",]} \n", b->p[end])) {
            end++;
        }
    }

    *len = end - at;

    return at;
}


static void
change(body_t *b)
{
    char         text[VALUE_MAX];
    size_t       at, len, n;
    const char  *s;

    at = value(b, &len);

    switch (number(10)) {

    case 0:
        b->len = b->len ? number(b->len) : 0;       /* cut */
        return;

    case 1:
        if (b->len) {
            b->p[number(b->len)] ^= 1 << number(8);
        }
        return;

    case 2:
        s = ",\"usage\":{\"prompt_tokens\":3,\"input_tokens\":4}";
        splice(b, at + len, 0, s, strlen(s));
        return;

    case 3:
        s = ",\"model\":\"another\"";
        splice(b, at + len, 0, s, strlen(s));
        return;

    case 4:
        splice(b, b->len, 0, " {\"id\":\"2\"}", 11);
        return;

    case 5:
    case 6:
        n = number(VALUE_MAX - 2);
        text[0] = '"';
        memset(text + 1, number(20) ? 'x' : '\\', n);
        text[n + 1] = '"';
        splice(b, at, len, text, n + 2);
        return;

    case 7:
        n = 1 + number(number(2) ? 4 : 20);
        memset(text, '1' + number(9), n);
        splice(b, at, len, text, n);
        return;

    default:
        s = values[number(sizeof(values) / sizeof(values[0]))];
        splice(b, at, len, s, strlen(s));
        return;
    }
}


/* --- reading --- */

/* what headers of an answer say beside its body; of most: nothing */

static const struct {
    const char  *name;
    const char  *value;
} headers[] = {
    { "x-gemini-service-tier", "priority" },
    { "x-amzn-bedrock-service-tier", "flex" },
    { "x-amzn-bedrock-input-token-count", "17" },
    { "x-amzn-errortype", "ThrottlingException:" }
};

#define HEADERS  (sizeof(headers) / sizeof(headers[0]))


static void
begin(reader_t *r, const body_t *b, aiobs_forms_t *forms, unsigned piece,
    unsigned said)
{
    const char  *name, *value;

    static const char  json[] = "application/json";

    r->body = *b;
    r->at = 0;
    r->piece = piece;

    if (b->request) {
        r->request = malloc(aiobs_request_size());
        aiobs_request_init(r->request, b->api);
        aiobs_request_forms(r->request, forms);
        return;
    }

    r->usage = malloc(aiobs_usage_size());
    aiobs_usage_init(r->usage, b->api, 200);
    aiobs_usage_forms(r->usage, forms);
    aiobs_usage_header(r->usage, "content-type", 12, json, sizeof(json) - 1);

    if (said < HEADERS) {
        name = headers[said].name;
        value = headers[said].value;
        aiobs_usage_header(r->usage, name, strlen(name), value, strlen(value));
    }
}


/* up to so many bytes more */

static void
go_on(reader_t *r, size_t n)
{
    size_t    len, end;
    uint8_t  *copy;

    end = r->body.len - r->at < n ? r->body.len : r->at + n;

    for ( /* void */ ; r->at < end; r->at += len) {
        len = r->piece ? 1 + number(r->piece) : end - r->at;
        len = len < end - r->at ? len : end - r->at;

        /* of the right size: reading past it is an error */

        copy = malloc(len);
        memcpy(copy, r->body.p + r->at, len);

        if (r->body.request) {
            aiobs_request_feed(r->request, copy, len);
        } else {
            aiobs_usage_feed(r->usage, copy, len, 1);
        }

        free(copy);
    }
}


static void
finish(reader_t *r, int complete, uint8_t *rec, size_t *len)
{
    go_on(r, (size_t) -1 / 2);

    if (r->body.request) {
        aiobs_request_finish(r->request, (aiobs_request_record_t *) rec);
        *len = sizeof(aiobs_request_record_t);
        free(r->request);
        return;
    }

    aiobs_usage_finish(r->usage, complete, 10, (aiobs_usage_record_t *) rec);
    *len = sizeof(aiobs_usage_record_t);
    free(r->usage);
}


static const body_t *
any(void)
{
    return &bodies[number(n_bodies)];
}


/* 1: they differ */

static int
compare(const body_t *b, aiobs_forms_t *forms)
{
    int        complete;
    size_t     len, other;
    uint8_t    want[2048], got[2048], waste[2048];
    unsigned   i, piece, said;
    reader_t   r, between;

    memset(want, 0, sizeof(want));
    memset(got, 0, sizeof(got));

    complete = (number(8) > 0);
    piece = number(3) ? 0 : 1 + number(number(2) ? 10 : 3000);
    said = number(4 * HEADERS);

    begin(&r, b, NULL, 0, said);
    finish(&r, complete, want, &len);

    for (i = 0; aiobs_form_rest_get(i); i++) { /* void */ }
    aiobs_form_rest = aiobs_form_rest_get(number(i));

    begin(&r, b, forms, piece, said);

    if (number(4) == 0) {
        go_on(&r, number(b->len + 1));

        for (i = number(40); i; i--) {
            begin(&between, any(), forms, 0, HEADERS);
            finish(&between, 1, waste, &other);
        }
    }

    finish(&r, complete, got, &len);

    if (memcmp(want, got, len) != 0) {
        printf("differs (pieces of %u): %.*s\n", piece, (int) b->len,
               (char *) b->p);
        return 1;
    }

    return 0;
}


static void
load(char *path, char *kind, char *file)
{
    FILE    *f;
    body_t  *b;

    f = fopen(file, "rb");

    if (f == NULL || n_bodies == BODIES) {
        fprintf(stderr, "%s\n", file);
        exit(2);
    }

    b = &bodies[n_bodies++];
    b->p = malloc(BODY_MAX);
    b->len = fread(b->p, 1, BODY_MAX, f);
    b->request = (strcmp(kind, "request") == 0);
    b->api = aiobs_api_find(AIOBS_DIALECT_AUTO, "POST", 4, path, strlen(path));

    fclose(f);
}


int
main(int argc, char **argv)
{
    int             rounds, changes, wrong;
    char            line[4096], path[1024], kind[16], file[2048];
    body_t          b;
    unsigned        read, fits, known, i;
    aiobs_forms_t  *forms;

    while (fgets(line, sizeof(line), stdin)) {
        if (sscanf(line, "%1023s %15s %2047s", path, kind, file) == 3) {
            load(path, kind, file);
        }
    }

    forms = aiobs_forms_create();
    fits = 0;
    read = 0;
    wrong = 0;

    for (rounds = atoi(argv[1]); rounds && wrong < 3; rounds--) {
        b = *any();

        /* mostly the same body several times, with other values */

        for (changes = number(12); changes >= 0; changes--) {
            const uint8_t  *p = b.p;
            uint32_t        clock = forms->clock, made = forms->generation;

            b.p = malloc(b.len + 1);
            memcpy(b.p, p, b.len);

            if (changes && number(3)) {
                change(&b);
            }

            wrong += compare(&b, forms);
            read++;
            fits += forms->clock - clock > forms->generation - made;

            free(b.p);
            b = *any();
            b = number(2) ? bodies[0] : b;
        }
    }

    printf("%u bodies, %s\n", n_bodies, wrong ? "some differ" : "all agree");
    printf("%s\n", fits > read / 5 ? "many fit" : "few fit");

    for (known = 0, i = 0; i < AIOBS_FORMS; i++) {
        known += (forms->form[i].take != NULL);
    }

    printf("of %s it is known what they come to\n", known ? "some" : "none");
    fprintf(stderr, "%u read, %u with a fit, %u forms made\n", read, fits,
            forms->generation);

    aiobs_forms_destroy(forms);

    while (n_bodies) {
        free(bodies[--n_bodies].p);
    }

    return 0;
}
