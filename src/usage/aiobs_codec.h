
/*
 * Copyright (C) the aiobs authors
 *
 * Between the chain of decoders (aiobs_decode.c) and the compression formats
 * (aiobs_inflate.c, aiobs_brotli.c, aiobs_zstd.c); for no one else.
 */


#ifndef _AIOBS_CODEC_H_INCLUDED_
#define _AIOBS_CODEC_H_INCLUDED_


#include <zlib.h>
#include <brotli/decode.h>

#define ZSTD_STATIC_LINKING_ONLY        /* ZSTD_createDStream_advanced() */
#include <zstd.h>

#include "aiobs_decode.h"


#define AIOBS_CODEC_PIECE  16384        /* bytes handed on at a time, at most */


typedef struct aiobs_stage_s  aiobs_stage_t;


typedef struct {
    aiobs_failure_e  (*init)(aiobs_stage_t *s);
    aiobs_failure_e  (*feed)(aiobs_stage_t *s, const uint8_t *p, size_t len);
    void             (*release)(aiobs_stage_t *s);      /* after init only */
} aiobs_codec_t;


/* one encoding of a chain; all zero but codec and decoder at first */

struct aiobs_stage_s {
    const aiobs_codec_t          *codec;
    aiobs_decoder_t              *decoder;

    union {
        struct {
            z_stream              stream;
            gz_header             header;
        } zlib;
        BrotliDecoderState       *brotli;
        struct {
            ZSTD_DStream         *stream;
            size_t                hint;     /* bytes it would like to have */
            unsigned              head;     /* bytes of the frame, up to 18 */
        } zstd;
    } u;

    uint8_t                       first[2]; /* of a deflate body */
    uint8_t                       first_len;

    unsigned                      started:1;
    unsigned                      ended:1;
    unsigned                      again:1;  /* a further member, maybe */
};


extern const aiobs_codec_t  aiobs_codec_gzip;
extern const aiobs_codec_t  aiobs_codec_deflate;
extern const aiobs_codec_t  aiobs_codec_brotli;
extern const aiobs_codec_t  aiobs_codec_zstd;



/* plain bytes of a stage, to the next one or to the sink */
aiobs_failure_e aiobs_stage_emit(aiobs_stage_t *s, const uint8_t *p,
    size_t len);

unsigned aiobs_codec_window_log(void);

/* counted against the limit of all decoders */
void *aiobs_codec_alloc(void *opaque, size_t size);
void aiobs_codec_free(void *opaque, void *p);


#endif /* _AIOBS_CODEC_H_INCLUDED_ */
