
/*
 * Copyright (C) the aiobs authors
 *
 * gzip (RFC 1952) and deflate (RFC 1950, and 1951 as some servers have it), by
 * zlib.
 */


#include "aiobs_codec.h"


#define AIOBS_GZIP_FIRST  0x1f      /* of each member */


static aiobs_failure_e aiobs_gzip_init(aiobs_stage_t *s);
static aiobs_failure_e aiobs_gzip_feed(aiobs_stage_t *s, const uint8_t *p,
    size_t len);
static aiobs_failure_e aiobs_deflate_init(aiobs_stage_t *s);
static aiobs_failure_e aiobs_deflate_feed(aiobs_stage_t *s, const uint8_t *p,
    size_t len);
static aiobs_failure_e aiobs_inflate_init(aiobs_stage_t *s, int window_bits);
static aiobs_failure_e aiobs_inflate_feed(aiobs_stage_t *s, const uint8_t *p,
    size_t len);
static aiobs_failure_e aiobs_inflate_result(aiobs_stage_t *s, int rc);
static void aiobs_inflate_release(aiobs_stage_t *s);
static void *aiobs_inflate_alloc(void *opaque, unsigned items, unsigned size);


const aiobs_codec_t  aiobs_codec_gzip = {
    aiobs_gzip_init, aiobs_gzip_feed, aiobs_inflate_release
};


const aiobs_codec_t  aiobs_codec_deflate = {
    aiobs_deflate_init, aiobs_deflate_feed, aiobs_inflate_release
};


static aiobs_failure_e
aiobs_gzip_init(aiobs_stage_t *s)
{
    return aiobs_inflate_init(s, 16 + MAX_WBITS);
}


/* members may follow one another */

static aiobs_failure_e
aiobs_gzip_feed(aiobs_stage_t *s, const uint8_t *p, size_t len)
{
    z_stream         *z;
    aiobs_failure_e   failure;

    z = &s->u.zlib.stream;

    while (len > 0) {

        if (s->ended) {
            if (*p != AIOBS_GZIP_FIRST) {
                return AIOBS_FAILURE_DECODE;
            }

            inflateReset(z);
            inflateGetHeader(z, &s->u.zlib.header);
            s->ended = 0;
            s->again = 1;
        }

        failure = aiobs_inflate_feed(s, p, len);

        if (s->u.zlib.header.done == 1) {
            s->again = 0;
        }

        if (failure != AIOBS_FAILURE_NONE) {
            return failure;
        }

        p = z->next_in;
        len = z->avail_in;
    }

    return AIOBS_FAILURE_NONE;
}


static aiobs_failure_e
aiobs_deflate_init(aiobs_stage_t *s)
{
    return aiobs_inflate_init(s, -MAX_WBITS);
}


/* its first two bytes tell whether the body has the header that it should */

static aiobs_failure_e
aiobs_deflate_feed(aiobs_stage_t *s, const uint8_t *p, size_t len)
{
    uint8_t          *b;
    aiobs_failure_e   failure;

    b = s->first;

    while (s->first_len < 2) {
        if (len == 0) {
            return AIOBS_FAILURE_NONE;
        }

        b[s->first_len++] = *p++;
        len--;

        if (s->first_len < 2) {
            continue;
        }

        if ((b[0] & 0x0f) == Z_DEFLATED && (b[0] << 8 | b[1]) % 31 == 0) {
            inflateReset2(&s->u.zlib.stream, MAX_WBITS);
        }

        failure = aiobs_inflate_feed(s, b, 2);

        if (failure != AIOBS_FAILURE_NONE) {
            return failure;
        }
    }

    if (len == 0) {
        return AIOBS_FAILURE_NONE;
    }

    if (s->ended) {
        return AIOBS_FAILURE_DECODE;
    }

    failure = aiobs_inflate_feed(s, p, len);

    if (failure == AIOBS_FAILURE_NONE && s->u.zlib.stream.avail_in > 0) {
        return AIOBS_FAILURE_DECODE;
    }

    return failure;
}


static aiobs_failure_e
aiobs_inflate_init(aiobs_stage_t *s, int window_bits)
{
    z_stream  *z;

    z = &s->u.zlib.stream;
    z->zalloc = aiobs_inflate_alloc;
    z->zfree = aiobs_codec_free;

    if (inflateInit2(z, window_bits) != Z_OK) {
        return AIOBS_FAILURE_MEMORY;
    }

    if (window_bits > MAX_WBITS) {
        inflateGetHeader(z, &s->u.zlib.header);
    }

    return AIOBS_FAILURE_NONE;
}


/* up to the end of the input or of the encoding */

static aiobs_failure_e
aiobs_inflate_feed(aiobs_stage_t *s, const uint8_t *p, size_t len)
{
    int               rc;
    size_t            n;
    uint8_t           out[AIOBS_CODEC_PIECE];
    z_stream         *z;
    aiobs_failure_e   failure;

    z = &s->u.zlib.stream;
    z->next_in = (uint8_t *) p;
    z->avail_in = len;

    do {
        z->next_out = out;
        z->avail_out = sizeof(out);

        rc = inflate(z, Z_NO_FLUSH);

        n = sizeof(out) - z->avail_out;

        if (n > 0) {
            failure = aiobs_stage_emit(s, out, n);

            if (failure != AIOBS_FAILURE_NONE) {
                return failure;
            }
        }

    } while (rc == Z_OK && z->avail_out == 0);

    return aiobs_inflate_result(s, rc);
}


static aiobs_failure_e
aiobs_inflate_result(aiobs_stage_t *s, int rc)
{
    switch (rc) {

    case Z_STREAM_END:
        s->ended = 1;
        return AIOBS_FAILURE_NONE;

    case Z_OK:
    case Z_BUF_ERROR:           /* more input is needed, no harm done */
        return AIOBS_FAILURE_NONE;

    case Z_MEM_ERROR:
        return AIOBS_FAILURE_MEMORY;

    default:
        return AIOBS_FAILURE_DECODE;
    }
}


static void
aiobs_inflate_release(aiobs_stage_t *s)
{
    inflateEnd(&s->u.zlib.stream);
}


static void *
aiobs_inflate_alloc(void *opaque, unsigned items, unsigned size)
{
    return aiobs_codec_alloc(opaque, (size_t) items * size);
}
