
/*
 * Copyright (C) the aiobs authors
 *
 * libFuzzer target: content codings.  The first byte chooses the chain, the
 * second the pieces, the rest is the body.  Whole and in pieces must end
 * alike and give the same bytes; no memory may stay behind, no piece be above
 * 16 KB, no bound be exceeded.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -Isrc t/fuzz/decode.c \
 *       src/usage/aiobs_{decode,inflate,brotli,zstd}.c \
 *       -lz -lbrotlidec -lzstd
 */


#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "usage/aiobs_decode.h"


#define MEMORY_MAX  (4 * 1024 * 1024)
#define PREFIX_MAX  65536


typedef struct {
    uint8_t          prefix[PREFIX_MAX];
    size_t           len;
    uint32_t         crc;
    aiobs_failure_e  failure;
    int              ended;
} result_t;


static const char  *chains[] = {
    "gzip", "deflate", "br", "zstd", "x-gzip, br", "br,zstd", "zstd, deflate",
    "gzip,gzip,gzip"
};


static void
sink(void *data, const uint8_t *p, size_t len)
{
    size_t     n;
    result_t  *r = data;

    if (len == 0 || len > 16384 || aiobs_decoder_memory() > MEMORY_MAX) {
        abort();
    }

    if (r->len < PREFIX_MAX) {
        n = PREFIX_MAX - r->len;
        memcpy(r->prefix + r->len, p, len < n ? len : n);
    }

    r->crc = crc32(r->crc, p, len);
    r->len += len;
}


/* pieces: 0, or bits of a generator of their lengths */

static void
decode(result_t *r, const char *encoding, const uint8_t *p, size_t len,
    uint32_t pieces)
{
    size_t            n;
    aiobs_decoder_t  *d;

    memset(r, 0, sizeof(result_t));

    r->failure = aiobs_decoder_create(&d, encoding, strlen(encoding));

    if (r->failure != AIOBS_FAILURE_NONE) {
        abort();
    }

    for ( /* void */ ; len > 0; len -= n, p += n) {
        n = len;

        if (pieces) {
            pieces = pieces * 1103515245 + 12345;
            n = 1 + (pieces >> 16) % ((pieces & 0x100) ? 8 : 300);
            n = (n < len) ? n : len;
        }

        r->failure = aiobs_decoder_feed(d, p, n, sink, r);
    }

    r->ended = aiobs_decoder_ended(d);
    aiobs_decoder_destroy(d);

    if (aiobs_decoder_memory() != 0) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
    size_t           n;
    const char      *encoding;
    static result_t  whole, pieces;

    if (len < 2) {
        return 0;
    }

    /* a bound on the work: the fuzzer finds bombs at once */
    aiobs_decoder_limits(18, MEMORY_MAX);
    aiobs_decoder_expansion(8);

    encoding = chains[p[0] % (sizeof(chains) / sizeof(chains[0]))];

    decode(&whole, encoding, p + 2, len - 2, 0);
    decode(&pieces, encoding, p + 2, len - 2, p[1] + 1);

    n = (whole.len < pieces.len) ? whole.len : pieces.len;
    n = (n < PREFIX_MAX) ? n : PREFIX_MAX;

    if (n > 0 && memcmp(whole.prefix, pieces.prefix, n) != 0) {
        abort();
    }

    /* the expansion bound looks at what has come so far */
    if (whole.len > 65536 || pieces.len > 65536) {
        return 0;
    }

    if (whole.failure != pieces.failure || whole.ended != pieces.ended) {
        abort();
    }

    /* of a corrupt br body the library keeps some back */
    if ((whole.len != pieces.len || whole.crc != pieces.crc)
        && (whole.failure == AIOBS_FAILURE_NONE
            || strstr(encoding, "br") == NULL))
    {
        abort();
    }

    return 0;
}
