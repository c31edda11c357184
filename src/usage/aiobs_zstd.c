
/*
 * Copyright (C) the aiobs authors
 *
 * zstd (RFC 8878 and 9659), by libzstd.
 */


#include <zstd_errors.h>

#include "aiobs_codec.h"


/* bytes, at most, of a frame's header; and of a block's */
#define AIOBS_ZSTD_HEADER_MAX    18
#define AIOBS_ZSTD_BLOCK_HEADER  3


static aiobs_failure_e aiobs_zstd_init(aiobs_stage_t *s);
static aiobs_failure_e aiobs_zstd_feed(aiobs_stage_t *s, const uint8_t *p,
    size_t len);
static aiobs_failure_e aiobs_zstd_piece(aiobs_stage_t *s, const uint8_t *p,
    size_t len);
static size_t aiobs_zstd_input(const aiobs_stage_t *s);
static aiobs_failure_e aiobs_zstd_error(size_t rc);
static void aiobs_zstd_release(aiobs_stage_t *s);


const aiobs_codec_t  aiobs_codec_zstd = {
    aiobs_zstd_init, aiobs_zstd_feed, aiobs_zstd_release
};


static aiobs_failure_e
aiobs_zstd_init(aiobs_stage_t *s)
{
    size_t           rc;
    ZSTD_DStream    *stream;
    ZSTD_customMem   memory = { aiobs_codec_alloc, aiobs_codec_free, NULL };

    stream = ZSTD_createDStream_advanced(memory);

    if (stream == NULL) {
        return AIOBS_FAILURE_MEMORY;
    }

    rc = ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax,
                                aiobs_codec_window_log());
    if (ZSTD_isError(rc)) {
        ZSTD_freeDStream(stream);
        return AIOBS_FAILURE_WINDOW;
    }

    s->u.zstd.stream = stream;

    return AIOBS_FAILURE_NONE;
}


/* frames may follow one another */

static aiobs_failure_e
aiobs_zstd_feed(aiobs_stage_t *s, const uint8_t *p, size_t len)
{
    size_t           n;
    aiobs_failure_e  failure;

    failure = AIOBS_FAILURE_NONE;

    for ( /* void */ ; len > 0 && failure == AIOBS_FAILURE_NONE; len -= n) {

        if (s->ended) {
            s->ended = 0;
            s->again = 1;
        }

        n = aiobs_zstd_input(s);
        n = (n < len) ? n : len;

        failure = aiobs_zstd_piece(s, p, n);
        p += n;
    }

    return failure;
}


/*
 * The library forgets what it has decoded in a call that fails, so a call gets
 * no byte beyond the block under way: its hint less the header of the block
 * that follows.  A block's last byte comes alone: an uncompressed one, decoded
 * by pieces, may fail there only.  A frame's header is given by bytes, which also keeps whole
 * small frames from being decoded, and lost, in one go, and a format of before
 * version 1, whose decoders allocate on their own, from being recognised.
 */

static size_t
aiobs_zstd_input(const aiobs_stage_t *s)
{
    size_t  hint;

    hint = s->u.zstd.hint;

    if (s->u.zstd.head < AIOBS_ZSTD_HEADER_MAX) {
        return 1;
    }

    return (hint > AIOBS_ZSTD_BLOCK_HEADER + 1)
           ? hint - AIOBS_ZSTD_BLOCK_HEADER - 1 : 1;
}


static aiobs_failure_e
aiobs_zstd_piece(aiobs_stage_t *s, const uint8_t *p, size_t len)
{
    size_t            rc;
    uint8_t           buf[AIOBS_CODEC_PIECE];
    ZSTD_inBuffer     in = { p, len, 0 };
    ZSTD_outBuffer    out;
    aiobs_failure_e   failure;

    do {
        out.dst = buf;
        out.size = sizeof(buf);
        out.pos = 0;

        rc = ZSTD_decompressStream(s->u.zstd.stream, &out, &in);

        if (ZSTD_isError(rc)) {
            return aiobs_zstd_error(rc);
        }

        if (out.pos > 0) {
            failure = aiobs_stage_emit(s, buf, out.pos);

            if (failure != AIOBS_FAILURE_NONE) {
                return failure;
            }
        }

    } while (rc != 0 && (in.pos < in.size || out.pos == out.size));

    s->u.zstd.hint = rc;

    if (rc == 0) {
        s->ended = 1;
        s->again = 0;
        s->u.zstd.head = 0;

    } else if (s->u.zstd.head < AIOBS_ZSTD_HEADER_MAX
               && ++s->u.zstd.head == sizeof(uint32_t))
    {
        s->again = 0;               /* the magic number was right */
    }

    return AIOBS_FAILURE_NONE;
}


static aiobs_failure_e
aiobs_zstd_error(size_t rc)
{
    switch (ZSTD_getErrorCode(rc)) {

    case ZSTD_error_frameParameter_windowTooLarge:
        return AIOBS_FAILURE_WINDOW;

    case ZSTD_error_memory_allocation:
        return AIOBS_FAILURE_MEMORY;

    default:
        return AIOBS_FAILURE_DECODE;
    }
}


static void
aiobs_zstd_release(aiobs_stage_t *s)
{
    ZSTD_freeDStream(s->u.zstd.stream);
}
