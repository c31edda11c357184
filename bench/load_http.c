
/*
 * Copyright (C) the aiobs authors
 *
 * A request is sent, and its answer read, for load.c.
 */


#define _GNU_SOURCE

#include "load.h"

#include <sys/socket.h>
#include <time.h>


#define LOAD_REQUEST  16384     /* of a request */
#define LOAD_PIECE    262144    /* of an answer, read at once */


uint64_t  load_times[LOAD_TIMES];
uint64_t  load_seed;

static char  piece[LOAD_PIECE];


uint64_t
load_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}


void
load_request(request_t *r, const char *name, const char *keys)
{
    FILE    *f;
    char    *key;
    size_t   n;

    f = fopen(name, "rb");

    if (f == NULL) {
        load_fail("%s: %s", name, strerror(errno));
    }

    r->text = calloc(1, LOAD_REQUEST);
    n = fread(r->text, 1, LOAD_REQUEST - 32, f);
    fclose(f);

    if (n == LOAD_REQUEST - 32) {
        load_fail("%s is too long", name);
    }

    r->once = *keys == '=';
    r->keys = strtoull(keys + r->once, NULL, 10);
    r->last = r->keys ? 0 : load_seed % 1000000000 * 1000000;
    key = strstr(r->text, "%KEY%");

    if (key) {
        *key = '\0';
        r->rest = key + strlen("%KEY%");
    }
}


void
load_send(conn_t *c, request_t *r, slice_t *slice)
{
    int        n;
    char       text[LOAD_REQUEST];
    uint64_t   key;

    if (r->rest) {
        load_seed ^= load_seed << 13;
        load_seed ^= load_seed >> 7;
        load_seed ^= load_seed << 17;
        key = r->keys && !r->once ? load_seed % r->keys + 1 : ++r->last;
        n = snprintf(text, sizeof(text), "%s%lu%s", r->text, key, r->rest);

    } else {
        n = snprintf(text, sizeof(text), "%s", r->text);
    }

    c->began = load_now();
    c->left = -1;
    c->len = 0;
    c->busy = 1;
    slice->busy++;

    if (send(c->fd, text, n, MSG_NOSIGNAL) != n) {
        load_fail("send: %s", strerror(errno));
    }
}


/* bytes of the body that came with the head; -1: it is not complete yet */

static ssize_t
load_head(conn_t *c, const char *p, size_t n, slice_t *slice)
{
    char    *end, *length;
    size_t   had;

    had = c->len;

    n = n < LOAD_HEAD - 1 - had ? n : LOAD_HEAD - 1 - had;
    memcpy(c->head + had, p, n);
    c->len += n;
    c->head[c->len] = '\0';

    end = strstr(c->head, "\r\n\r\n");

    if (end == NULL) {

        if (c->len == LOAD_HEAD - 1) {
            load_fail("an answer's head is too long");
        }

        return -1;
    }

    *end = '\0';
    length = strcasestr(c->head, "\r\ncontent-length:");
    c->chunked = length == NULL;
    c->left = length ? strtoll(length + 17, NULL, 10) : 1;
    memset(c->tail, 0, sizeof(c->tail));

    if (!c->beside && memcmp(c->head, "HTTP/1.1 2", 10) != 0) {
        slice->failed++;
    }

    return end + 4 - c->head - had;
}


void
load_read(conn_t *c, slice_t *slice)
{
    char     *p;
    ssize_t   n, used;

    n = recv(c->fd, piece, sizeof(piece), 0);

    if (n <= 0) {
        load_fail("a connection was closed: %s",
                  n ? strerror(errno) : "by the server");
    }

    p = piece;

    if (c->left == -1) {
        used = load_head(c, p, n, slice);

        if (used == -1) {
            return;
        }

        p += used;
        n -= used;
    }

    if (c->chunked) {
        used = n < 7 ? n : 7;
        memmove(c->tail, c->tail + used, 7 - used);
        memcpy(c->tail + 7 - used, p + n - used, used);
        c->left = memcmp(c->tail, "\r\n0\r\n\r\n", 7) != 0;

    } else {
        c->left -= n;
    }

    if (c->left > 0) {
        return;
    }

    c->busy = 0;
    slice->busy--;

    if (!c->beside) {

        if (slice->answers == LOAD_TIMES) {
            load_fail("a slice is too long");
        }

        load_times[slice->answers++] = load_now() - c->began;
    }
}
