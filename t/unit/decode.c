
/*
 * Copyright (C) the aiobs authors
 *
 * Driver of decode.t: bytes are compressed here by the formats' own libraries,
 * and decoded whole, in pieces of every size, cut short, with every byte
 * changed, and with memory for less and less.  Standard input: plain bytes.
 *
 *   decode splits CHAIN     all splits give the bytes back
 *   decode cuts CHAIN       cut anywhere: what comes is a prefix
 *   decode corrupt CHAIN    any byte changed: a prefix, or an error
 *   decode memory CHAIN     allocations fail, one after the other
 *   decode raw ENCODING     decodes standard input: "failure ended size crc"
 *   decode window ENCODING  the same with each bound from 10 to 24
 *   decode bomb CHAIN       64 MB of one letter in little memory
 *   decode speed CHAIN
 *
 * CHAIN: codings in the order applied, as in Content-Encoding; here also raw
 * (deflate without its header) and gzip2 (two members).
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include "usage/aiobs_decode.h"


typedef struct {
    uint8_t  *p;
    size_t    len;
    size_t    size;
    size_t    largest;          /* piece */
} buf_t;


typedef struct {
    aiobs_failure_e  failure;
    int              ended;
} result_t;


#define CHECK(cond, ...)                                                      \
    if (!(cond)) {                                                            \
        printf(__VA_ARGS__);                                                  \
        exit(1);                                                              \
    }


static void
append(void *data, const uint8_t *p, size_t len)
{
    buf_t  *b = data;

    if (b->len + len > b->size) {
        b->size = (b->len + len) * 2;
        b->p = realloc(b->p, b->size);
        CHECK(b->p != NULL, "out of memory\n");
    }

    if (len > 0) {
        memcpy(b->p + b->len, p, len);
    }

    b->len += len;
    b->largest = (len > b->largest) ? len : b->largest;
}


static void
count(void *data, const uint8_t *p, size_t len)
{
    buf_t  *b = data;

    b->len += len;
    b->largest = (len > b->largest) ? len : b->largest;
    CHECK(p[0] == 'a' && p[len - 1] == 'a', "not the letter\n");
}


static void
compress_zlib(buf_t *out, const uint8_t *p, size_t len, int bits)
{
    z_stream  z;
    uint8_t   piece[4096];

    memset(&z, 0, sizeof(z));
    deflateInit2(&z, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY);
    z.next_in = (uint8_t *) p;
    z.avail_in = len;

    do {
        z.next_out = piece;
        z.avail_out = sizeof(piece);
        deflate(&z, Z_FINISH);
        append(out, piece, sizeof(piece) - z.avail_out);
    } while (z.avail_out == 0);

    deflateEnd(&z);
}


static void
compress_br(buf_t *out, const uint8_t *p, size_t len)
{
    size_t    size;
    uint8_t  *piece;

    size = BrotliEncoderMaxCompressedSize(len) + 64;
    piece = malloc(size);
    BrotliEncoderCompress(5, 18, BROTLI_MODE_TEXT, len, p, &size, piece);
    append(out, piece, size);
    free(piece);
}


/* blocks of at most 1 KB, a checksum, a skippable frame, a second frame */

static void
compress_zstd(buf_t *out, const uint8_t *p, size_t len)
{
    size_t           n, half;
    uint8_t          piece[8192];
    ZSTD_CCtx       *c;
    ZSTD_inBuffer    in = { p, 0, 0 };
    ZSTD_outBuffer   o;

    c = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, 12);
    half = len / 2;

    while (in.pos < len || len == 0) {
        n = (in.pos < half) ? half - in.pos : len - in.pos;
        in.size = in.pos + (n < 1024 ? n : 1024);

        do {
            o = (ZSTD_outBuffer) { piece, sizeof(piece), 0 };
            n = ZSTD_compressStream2(c, &o, &in,
                    (in.size == half || in.size == len) ? ZSTD_e_end
                                                        : ZSTD_e_flush);
            append(out, piece, o.pos);
        } while (n != 0);

        if (in.size == half) {
            append(out, (uint8_t *) "\x53\x2a\x4d\x18\3\0\0\0abc", 11);
        }

        if (len == 0) {
            break;
        }
    }

    ZSTD_freeCCtx(c);
}


static void
compress_one(buf_t *out, const char *name, const uint8_t *p, size_t len)
{
    if (strcmp(name, "gzip") == 0 || strcmp(name, "x-gzip") == 0) {
        compress_zlib(out, p, len, 31);

    } else if (strcmp(name, "gzip2") == 0) {
        compress_zlib(out, p, len / 3, 31);
        compress_zlib(out, p + len / 3, len - len / 3, 31);

    } else if (strcmp(name, "deflate") == 0) {
        compress_zlib(out, p, len, 15);

    } else if (strcmp(name, "raw") == 0) {
        compress_zlib(out, p, len, -15);

    } else if (strcmp(name, "br") == 0) {
        compress_br(out, p, len);

    } else if (strcmp(name, "zstd") == 0) {
        compress_zstd(out, p, len);

    } else {
        append(out, p, len);
    }
}


/* encoding: gets the value of Content-Encoding */

static buf_t
compress_chain(const char *chain, char *encoding, const uint8_t *p, size_t len)
{
    char   *name, *copy, *at;
    buf_t   in = { 0 }, out;

    append(&in, p, len);
    copy = strdup(chain);
    encoding[0] = '\0';

    for (name = strtok_r(copy, ",", &at); name; name = strtok_r(NULL, ",", &at))
    {
        memset(&out, 0, sizeof(out));
        compress_one(&out, name, in.p, in.len);
        free(in.p);
        in = out;

        strcat(encoding, encoding[0] ? " ,\t" : " ");
        strcat(encoding, strcmp(name, "gzip2") == 0 ? "GZip"
                         : strcmp(name, "raw") == 0 ? "deflate" : name);
    }

    free(copy);
    return in;
}


/* "at" bytes, then "step" each time (0: all the rest), each in its own copy */

static result_t
decode(const char *encoding, const buf_t *in, size_t len, size_t at,
    size_t step, buf_t *out, aiobs_sink_pt sink)
{
    size_t            i, n;
    uint8_t          *copy;
    result_t          r = { 0 };
    aiobs_decoder_t  *d;

    out->len = 0;
    out->largest = 0;
    r.failure = aiobs_decoder_create(&d, encoding, strlen(encoding));

    if (r.failure != AIOBS_FAILURE_NONE) {
        CHECK(d == NULL && aiobs_decoder_memory() == 0, "leak in create\n");
        return r;
    }

    if (d == NULL) {
        sink(out, in->p, len);
        return r;
    }

    for (i = 0; i < len; i += n) {
        n = (i < at) ? at : step ? step : len;
        n = (n < len - i) ? n : len - i;

        copy = malloc(n);
        memcpy(copy, in->p + i, n);
        r.failure = aiobs_decoder_feed(d, copy, n, sink, out);
        free(copy);
    }

    r.ended = aiobs_decoder_ended(d);
    aiobs_decoder_destroy(d);
    CHECK(aiobs_decoder_memory() == 0, "leak\n");
    CHECK(out->largest <= 16384, "a piece of %zu bytes\n", out->largest);

    return r;
}


static void
splits(const char *encoding, const buf_t *in, const buf_t *plain)
{
    size_t    i, step;
    buf_t     out = { 0 };
    result_t  r;

    for (i = 0; i <= in->len + 12; i++) {
        step = (i > in->len) ? i - in->len : 0;
        r = decode(encoding, in, in->len, step ? 0 : i, step, &out, append);

        CHECK(r.failure == AIOBS_FAILURE_NONE && r.ended
              && out.len == plain->len
              && (out.len == 0 || memcmp(out.p, plain->p, out.len) == 0),
              "split %zu, step %zu: %d %d %zu\n", i, step, r.failure, r.ended,
              out.len);
    }

    free(out.p);
    printf("%zu\n", in->len);
}


static void
cuts(const char *encoding, const buf_t *in, const buf_t *plain)
{
    size_t    i, whole;
    buf_t     out = { 0 };
    result_t  r;

    whole = 0;

    for (i = 0; i < in->len; i++) {
        r = decode(encoding, in, i, 0, 1 + i % 7, &out, append);

        /* between members or frames it may as well have been the end */
        whole += r.ended;

        CHECK(r.failure == AIOBS_FAILURE_NONE && out.len <= plain->len
              && (out.len == 0 || memcmp(out.p, plain->p, out.len) == 0),
              "cut at %zu: %d %zu\n", i, r.failure, out.len);
    }

    free(out.p);
    printf("%zu\n", whole);
}


/* what is told must not depend on the pieces, for br but for the length */

static void
corrupt(const char *encoding, buf_t *in)
{
    int       br, k;
    size_t    i, n;
    uint8_t   c;
    buf_t     a = { 0 }, b = { 0 };
    result_t  r, q;
    unsigned  failures;

    failures = 0;
    br = strstr(encoding, "br") != NULL;

    for (i = 0; i < in->len; i++) {
        c = in->p[i];

        for (k = 0; k < 4; k++) {
            in->p[i] = c ^ (k == 3 ? 0xff : 1 << (k * 3 + i % 3) % 8);

            r = decode(encoding, in, in->len, 0, 0, &a, append);
            q = decode(encoding, in, in->len, i, 1 + (i + k) % 5, &b, append);
            failures += (r.failure != AIOBS_FAILURE_NONE);
            n = (a.len < b.len) ? a.len : b.len;

            CHECK(r.failure == q.failure && r.ended == q.ended
                  && (a.len == b.len || (br && r.failure))
                  && (n == 0 || memcmp(a.p, b.p, n) == 0),
                  "byte %zu as %02x: %d %d %zu, in pieces %d %d %zu\n", i,
                  in->p[i], r.failure, r.ended, a.len, q.failure, q.ended,
                  b.len);
        }

        in->p[i] = c;
    }

    free(a.p);
    free(b.p);
    printf("%u\n", failures);
}


/* the limit lowered by steps: each allocation is the first to fail once */

static void
memory(const char *encoding, const buf_t *in, const buf_t *plain)
{
    int       seen;
    size_t    limit, step;
    buf_t     out = { 0 };
    result_t  r;

    seen = 0;
    step = 64;

    for (limit = 0; limit < 16 * 1024 * 1024; limit += step) {
        aiobs_decoder_limits(24, limit);
        r = decode(encoding, in, in->len, 0, 100, &out, append);

        if (r.failure == AIOBS_FAILURE_NONE) {
            break;
        }

        seen++;
        step = (limit > 100000) ? limit / 50 : 64 + limit / 50;
        CHECK(r.failure == AIOBS_FAILURE_MEMORY && !r.ended
              && (out.len == 0 || memcmp(out.p, plain->p, out.len) == 0),
              "limit %zu: %d\n", limit, r.failure);
    }

    CHECK(seen > 5 && out.len == plain->len, "%d failed\n", seen);
    free(out.p);
    printf("%zu\n", limit);
}


static void
raw(const char *encoding, const buf_t *in, unsigned window_log)
{
    size_t    step;
    uint32_t  crc;
    buf_t     a = { 0 }, b = { 0 };
    result_t  r, q;

    r = decode(encoding, in, in->len, 0, 0, &a, append);

    for (step = 1; step < 40; step += 1 + step / 3) {
        q = decode(encoding, in, in->len, 0, step, &b, append);
        CHECK(r.failure == q.failure && r.ended == q.ended
              && (a.len == b.len
                  || (r.failure && strstr(encoding, "br"))),
              "step %zu: %d %d %zu, not %d %d %zu\n", step, q.failure, q.ended,
              b.len, r.failure, r.ended, a.len);
    }

    crc = crc32(0, a.p, a.len);

    if (window_log) {
        printf("%u:%d ", window_log, r.failure);

    } else {
        printf("%d %d %zu %08x", r.failure, r.ended, a.len, crc);
    }

    free(a.p);
    free(b.p);
}


static void
bomb(const char *chain)
{
    buf_t     plain = { 0 }, in, out = { 0 };
    char      encoding[128];
    result_t  r;

    plain.len = 64 << 20;
    plain.p = malloc(plain.len);
    memset(plain.p, 'a', plain.len);
    in = compress_chain(chain, encoding, plain.p, plain.len);

    aiobs_decoder_limits(18, 1 << 20);
    r = decode(encoding, &in, in.len, 0, 1000, &out, count);
    CHECK(r.failure == AIOBS_FAILURE_NONE && r.ended && out.len == plain.len,
          "%d %d %zu\n", r.failure, r.ended, out.len);

    aiobs_decoder_expansion(100);
    r = decode(encoding, &in, in.len, 0, 1000, &out, count);
    CHECK(r.failure == AIOBS_FAILURE_DECODE
          && out.len <= (in.len + 65536) * 100 && out.len < plain.len,
          "not stopped: %d %zu\n", r.failure, out.len);

    free(plain.p);
    free(in.p);
    printf("ok");
}


static void
speed(const char *encoding, const buf_t *in)
{
    int              i;
    double           s;
    buf_t            out = { 0 };
    struct timespec  a, b;

    clock_gettime(CLOCK_MONOTONIC, &a);

    for (i = 0; i < 50; i++) {
        decode(encoding, in, in->len, 0, 4096, &out, append);
    }

    clock_gettime(CLOCK_MONOTONIC, &b);
    s = (b.tv_sec - a.tv_sec) + (b.tv_nsec - a.tv_nsec) / 1e9;
    printf("%s: %.0f MB/s of plain bytes, %.0f of compressed\n", encoding,
           50.0 * out.len / s / 1e6, 50.0 * in->len / s / 1e6);
    free(out.p);
}


int
main(int argc, char **argv)
{
    char      encoding[128];
    buf_t     in = { 0 }, packed;
    size_t    n;
    uint8_t   piece[4096];
    unsigned  i;

    CHECK(argc == 3, "arguments\n");

    while ((n = fread(piece, 1, sizeof(piece), stdin)) > 0) {
        append(&in, piece, n);
    }

    if (strcmp(argv[1], "raw") == 0) {
        raw(argv[2], &in, 0);
        free(in.p);
        return 0;
    }

    if (strcmp(argv[1], "window") == 0) {
        for (i = 10; i <= 24; i++) {
            aiobs_decoder_limits(i, 64 << 20);
            raw(argv[2], &in, i);
        }
        free(in.p);
        return 0;
    }

    if (strcmp(argv[1], "bomb") == 0) {
        bomb(argv[2]);
        free(in.p);
        return 0;
    }

    packed = compress_chain(argv[2], encoding, in.p, in.len);

    if (strcmp(argv[1], "splits") == 0) {
        splits(encoding, &packed, &in);

    } else if (strcmp(argv[1], "cuts") == 0) {
        cuts(encoding, &packed, &in);

    } else if (strcmp(argv[1], "corrupt") == 0) {
        corrupt(encoding, &packed);

    } else if (strcmp(argv[1], "memory") == 0) {
        memory(encoding, &packed, &in);

    } else {
        speed(encoding, &packed);
    }

    free(in.p);
    free(packed.p);
    return 0;
}
