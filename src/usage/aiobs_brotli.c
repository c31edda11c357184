
/*
 * Copyright (C) the aiobs authors
 *
 * br (RFC 7932), by libbrotlidec.
 */


#include "aiobs_codec.h"


/*
 * Input given to the decoder at a time: after an error it keeps back what it
 * had decoded in the same call, so this bounds what is lost.
 */
#define AIOBS_BROTLI_INPUT  1024


static aiobs_failure_e aiobs_brotli_init(aiobs_stage_t *s);
static aiobs_failure_e aiobs_brotli_feed(aiobs_stage_t *s, const uint8_t *p,
    size_t len);
static aiobs_failure_e aiobs_brotli_piece(aiobs_stage_t *s, const uint8_t *p,
    size_t len);
static aiobs_failure_e aiobs_brotli_error(aiobs_stage_t *s);
static unsigned aiobs_brotli_window_log(uint8_t first);
static void aiobs_brotli_release(aiobs_stage_t *s);


const aiobs_codec_t  aiobs_codec_brotli = {
    aiobs_brotli_init, aiobs_brotli_feed, aiobs_brotli_release
};


static aiobs_failure_e
aiobs_brotli_init(aiobs_stage_t *s)
{
    s->u.brotli = BrotliDecoderCreateInstance(aiobs_codec_alloc,
                                              aiobs_codec_free, NULL);

    return s->u.brotli ? AIOBS_FAILURE_NONE : AIOBS_FAILURE_MEMORY;
}


static aiobs_failure_e
aiobs_brotli_feed(aiobs_stage_t *s, const uint8_t *p, size_t len)
{
    size_t           n;
    aiobs_failure_e  failure;

    failure = AIOBS_FAILURE_NONE;

    if (!s->started && len > 0) {
        s->started = 1;

        if (aiobs_brotli_window_log(*p) > aiobs_codec_window_log()) {
            return AIOBS_FAILURE_WINDOW;
        }
    }

    for ( /* void */ ; len > 0 && failure == AIOBS_FAILURE_NONE; len -= n) {
        n = (len < AIOBS_BROTLI_INPUT) ? len : AIOBS_BROTLI_INPUT;
        failure = aiobs_brotli_piece(s, p, n);
        p += n;
    }

    return failure;
}


/* the plain bytes are handed on from the decoder's own window */

static aiobs_failure_e
aiobs_brotli_piece(aiobs_stage_t *s, const uint8_t *p, size_t len)
{
    size_t                n, room;
    const uint8_t        *out;
    aiobs_failure_e       failure;
    BrotliDecoderState   *b;
    BrotliDecoderResult   rc;

    b = s->u.brotli;

    if (s->ended) {
        return AIOBS_FAILURE_DECODE;
    }

    do {
        room = 0;
        rc = BrotliDecoderDecompressStream(b, &len, &p, &room, NULL, NULL);

        if (rc == BROTLI_DECODER_RESULT_ERROR) {
            return aiobs_brotli_error(s);
        }

        while (BrotliDecoderHasMoreOutput(b)) {
            n = AIOBS_CODEC_PIECE;
            out = BrotliDecoderTakeOutput(b, &n);

            failure = aiobs_stage_emit(s, out, n);

            if (failure != AIOBS_FAILURE_NONE) {
                return failure;
            }
        }

    } while (rc == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);

    s->ended = (rc == BROTLI_DECODER_RESULT_SUCCESS);

    return (len > 0) ? AIOBS_FAILURE_DECODE : AIOBS_FAILURE_NONE;
}


static aiobs_failure_e
aiobs_brotli_error(aiobs_stage_t *s)
{
    BrotliDecoderErrorCode  code;

    code = BrotliDecoderGetErrorCode(s->u.brotli);

    if (code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES
        && code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES)
    {
        return AIOBS_FAILURE_MEMORY;
    }

    return AIOBS_FAILURE_DECODE;
}


/* WBITS, RFC 7932, section 9.1; 0: not valid, for the decoder to refuse */

static unsigned
aiobs_brotli_window_log(uint8_t first)
{
    unsigned  n;

    if ((first & 1) == 0) {
        return 16;
    }

    n = first >> 1 & 7;

    if (n != 0) {
        return 17 + n;
    }

    n = first >> 4 & 7;

    return (n == 0) ? 17 : (n == 1) ? 0 : 8 + n;
}


static void
aiobs_brotli_release(aiobs_stage_t *s)
{
    BrotliDecoderDestroyInstance(s->u.brotli);
}
