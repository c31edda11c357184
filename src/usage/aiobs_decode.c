
/*
 * Copyright (C) the aiobs authors
 *
 * A chain of content codings undone in one pass, and the memory that all
 * chains of the process hold.
 */


#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aiobs_codec.h"


#define AIOBS_STAGES_MAX     3

/* before each allocation, its size; keeps the alignment malloc() gives */
#define AIOBS_ALLOC_HEADER   16

/* bytes on top of what came, before the expansion limit is looked at */
#define AIOBS_EXPANSION_FREE  65536


struct aiobs_decoder_s {
    aiobs_sink_pt     sink;         /* of the feed under way */
    void             *data;
    aiobs_failure_e   failure;
    unsigned          nstages;
    uint64_t          consumed;     /* compressed bytes before this feed */
    uint64_t          emitted;      /* by all stages */
    aiobs_stage_t     stages[AIOBS_STAGES_MAX];
};


typedef struct {
    const char           *name;
    const aiobs_codec_t  *codec;
} aiobs_coding_t;


static aiobs_failure_e aiobs_decoder_parse(const aiobs_codec_t **codecs,
    unsigned *n, const char *p, size_t len);
static size_t aiobs_decoder_token(const char **p, const char *end,
    const char **token);
static const aiobs_codec_t *aiobs_decoder_codec(const char *name, size_t len);


static const aiobs_coding_t  aiobs_codings[] = {
    { "gzip", &aiobs_codec_gzip },
    { "x-gzip", &aiobs_codec_gzip },
    { "deflate", &aiobs_codec_deflate },
    { "br", &aiobs_codec_brotli },
    { "zstd", &aiobs_codec_zstd }
};

#define AIOBS_CODINGS  (sizeof(aiobs_codings) / sizeof(aiobs_coding_t))


static unsigned  aiobs_window_log = 24;
static size_t    aiobs_memory_limit = 64 * 1024 * 1024;
static size_t    aiobs_memory;
static unsigned  aiobs_expansion;


aiobs_failure_e
aiobs_decoder_create(aiobs_decoder_t **d, const char *encoding, size_t len)
{
    unsigned              i, n;
    aiobs_stage_t        *s;
    aiobs_failure_e       failure;
    const aiobs_codec_t  *codecs[AIOBS_STAGES_MAX];

    *d = NULL;

    failure = aiobs_decoder_parse(codecs, &n, encoding, len);

    if (failure != AIOBS_FAILURE_NONE || n == 0) {
        return failure;
    }

    *d = aiobs_codec_alloc(NULL, sizeof(aiobs_decoder_t));
    if (*d == NULL) {
        return AIOBS_FAILURE_MEMORY;
    }

    memset(*d, 0, sizeof(aiobs_decoder_t));

    for (i = 0; i < n; i++) {
        s = &(*d)->stages[i];
        s->codec = codecs[n - 1 - i];
        s->decoder = *d;

        failure = s->codec->init(s);

        if (failure != AIOBS_FAILURE_NONE) {
            aiobs_decoder_destroy(*d);
            *d = NULL;
            return failure;
        }

        (*d)->nstages++;
    }

    return AIOBS_FAILURE_NONE;
}


aiobs_failure_e
aiobs_decoder_feed(aiobs_decoder_t *d, const uint8_t *p, size_t len,
    aiobs_sink_pt sink, void *data)
{
    size_t  n;

    d->sink = sink;
    d->data = data;

    for ( /* void */ ; len > 0 && d->failure == AIOBS_FAILURE_NONE; len -= n) {
        /* zlib counts in unsigned int */
        n = (len < 1 << 30) ? len : 1 << 30;

        d->consumed += n;
        d->failure = d->stages[0].codec->feed(&d->stages[0], p, n);
        p += n;
    }

    return d->failure;
}


int
aiobs_decoder_ended(const aiobs_decoder_t *d)
{
    unsigned  i;

    for (i = 0; i < d->nstages; i++) {
        if (!d->stages[i].ended && !d->stages[i].again) {
            return 0;
        }
    }

    return 1;
}


void
aiobs_decoder_destroy(aiobs_decoder_t *d)
{
    unsigned  i;

    if (d == NULL) {
        return;
    }

    for (i = 0; i < d->nstages; i++) {
        d->stages[i].codec->release(&d->stages[i]);
    }

    aiobs_codec_free(NULL, d);
}


void
aiobs_decoder_limits(unsigned window_log, size_t total)
{
    aiobs_window_log = (window_log < 10) ? 10
                       : (window_log > 30) ? 30 : window_log;
    aiobs_memory_limit = total;
}


void
aiobs_decoder_expansion(unsigned ratio)
{
    aiobs_expansion = ratio;
}


size_t
aiobs_decoder_memory(void)
{
    return aiobs_memory;
}


aiobs_failure_e
aiobs_stage_emit(aiobs_stage_t *s, const uint8_t *p, size_t len)
{
    aiobs_stage_t    *next;
    aiobs_decoder_t  *d;

    d = s->decoder;
    next = s + 1;
    d->emitted += len;

    if (aiobs_expansion
        && d->emitted > (d->consumed + AIOBS_EXPANSION_FREE) * aiobs_expansion)
    {
        return AIOBS_FAILURE_DECODE;
    }

    if (next < d->stages + d->nstages) {
        return next->codec->feed(next, p, len);
    }

    d->sink(d->data, p, len);

    return AIOBS_FAILURE_NONE;
}


unsigned
aiobs_codec_window_log(void)
{
    return aiobs_window_log;
}


void *
aiobs_codec_alloc(void *opaque, size_t size)
{
    uint8_t  *p;

    if (size > aiobs_memory_limit
        || aiobs_memory > aiobs_memory_limit - size)
    {
        return NULL;
    }

    p = malloc(size + AIOBS_ALLOC_HEADER);
    if (p == NULL) {
        return NULL;
    }

    memcpy(p, &size, sizeof(size));
    aiobs_memory += size;

    return p + AIOBS_ALLOC_HEADER;
}


void
aiobs_codec_free(void *opaque, void *p)
{
    size_t    size;
    uint8_t  *start;

    if (p == NULL) {
        return;
    }

    start = (uint8_t *) p - AIOBS_ALLOC_HEADER;
    memcpy(&size, start, sizeof(size));
    aiobs_memory -= size;

    free(start);
}


/* in the order they were applied; "identity" is nothing */

static aiobs_failure_e
aiobs_decoder_parse(const aiobs_codec_t **codecs, unsigned *n, const char *p,
    size_t len)
{
    size_t       token_len;
    const char  *end, *token;

    *n = 0;

    for (end = p + len; p < end; /* void */ ) {
        token_len = aiobs_decoder_token(&p, end, &token);

        if (token_len == 0
            || (token_len == 8 && strncasecmp(token, "identity", 8) == 0))
        {
            continue;
        }

        if (*n == AIOBS_STAGES_MAX) {
            return AIOBS_FAILURE_ENCODING;
        }

        codecs[*n] = aiobs_decoder_codec(token, token_len);

        if (codecs[*n] == NULL) {
            return AIOBS_FAILURE_ENCODING;
        }

        (*n)++;
    }

    return AIOBS_FAILURE_NONE;
}


/* an element of the list without white space around it; *p: past its comma */

static size_t
aiobs_decoder_token(const char **p, const char *end, const char **token)
{
    const char  *comma, *last;

    comma = memchr(*p, ',', end - *p);
    last = (comma == NULL) ? end : comma;

    *token = *p;
    *p = (comma == NULL) ? end : comma + 1;

    while (*token < last && (**token == ' ' || **token == '\t')) {
        (*token)++;
    }

    while (last > *token && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    return last - *token;
}


static const aiobs_codec_t *
aiobs_decoder_codec(const char *name, size_t len)
{
    unsigned  i;

    for (i = 0; i < AIOBS_CODINGS; i++) {
        if (len == strlen(aiobs_codings[i].name)
            && strncasecmp(name, aiobs_codings[i].name, len) == 0)
        {
            return aiobs_codings[i].codec;
        }
    }

    return NULL;
}
