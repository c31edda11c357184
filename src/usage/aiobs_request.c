
/*
 * Copyright (C) the aiobs authors
 *
 * The request's body: which model, a stream or not, how much text.
 */


#include <string.h>

#include "aiobs_apis.h"
#include "aiobs_ascii.h"
#include "aiobs_bytes.h"
#include "aiobs_forms.h"


struct aiobs_request_s {
    aiobs_place_t           place;
    aiobs_request_record_t  rec;
    uint64_t                bytes;      /* of text */
    uint64_t                wide;       /* of these, outside of ASCII */
    uint64_t                behind;     /* of these, not a character's first */
    uint64_t                escapes;    /* bytes of escapes, less one of each */
    uint32_t                unit;       /* of the escape under way */
    uint8_t                 escape;     /* bytes of it so far */
    uint8_t                 done;       /* the first document is over */
    uint8_t                 speaks;     /* characters are counted */

    /* what is above is zero at first */

    aiobs_json_t            json;
};


static void aiobs_request_scalar(void *data, const aiobs_node_t *node,
    const char *p, size_t len, int string);
static void aiobs_request_figure(void *data, const aiobs_node_t *node,
    int64_t n);
static void aiobs_request_text(void *data, const aiobs_node_t *node,
    const uint8_t *p, size_t len);
static void aiobs_request_wide(aiobs_request_t *q, const uint8_t *p,
    size_t len);
static void aiobs_request_escape(aiobs_request_t *q, uint8_t c);
static void aiobs_request_group(void *data, const aiobs_node_t *node,
    int open);
static void aiobs_request_document(void *data, int begin);


static const aiobs_json_handler_t  aiobs_request_handler = {
    aiobs_request_scalar, aiobs_request_figure, aiobs_request_text,
    aiobs_request_group, aiobs_request_document
};


size_t
aiobs_request_size(void)
{
    return sizeof(aiobs_request_t);
}


void
aiobs_request_init(aiobs_request_t *q, const aiobs_api_t *api)
{
    aiobs_fill(q, 0, offsetof(aiobs_request_t, json));

    q->speaks = aiobs_api_speaks(api);
    q->rec.stream = -1;
    q->rec.include_usage = -1;
    q->rec.background = -1;
    q->rec.max_tokens = AIOBS_ABSENT;
    q->rec.text_tokens = AIOBS_ABSENT;

    aiobs_json_init(&q->json, api->request, &aiobs_request_handler, q);
}


/* the characters of a text to be spoken are counted by the reader only */

void
aiobs_request_forms(aiobs_request_t *q, aiobs_forms_t *forms)
{
    if (!q->speaks) {
        q->place.forms = forms;
    }
}


void
aiobs_request_feed(aiobs_request_t *q, const void *data, size_t len)
{
    const uint8_t *p = data;

    const uint8_t  *last;

    for (last = p + len; p < last && !q->done && !q->json.failure; /* void */ )
    {
        p = aiobs_forms_document(&q->place, &q->json, p, last);
    }
}


/* 4 bytes of ASCII a token, or most of a character of other scripts */

void
aiobs_request_finish(aiobs_request_t *q, aiobs_request_record_t *rec)
{
    aiobs_copy((char *) rec, (const char *) &q->rec, sizeof(*rec));

    if (!q->done) {
        rec->failure = q->json.failure ? q->json.failure : AIOBS_FAILURE_JSON;
    }

    if (q->speaks) {
        rec->characters = q->bytes - q->behind - q->escapes;
    }

    rec->text_tokens = (q->bytes - q->wide) / 4 + q->wide / 3;

    if (q->bytes && rec->text_tokens == 0) {
        rec->text_tokens = 1;
    }
}


static void
aiobs_request_scalar(void *data, const aiobs_node_t *node, const char *p,
    size_t len, int string)
{
    aiobs_request_t *q = data;

    int  flag;

    if (q->done) {
        return;                     /* of another document in a list */
    }

    if (node->type == AIOBS_NODE_NUMBER) {

        if (!string && node->slot == AIOBS_F_MAX_TOKENS) {
            q->rec.max_tokens = aiobs_number(p, len);
        }

        return;
    }

    if (node->type == AIOBS_NODE_STRING && string) {
        len = len < AIOBS_MODEL_MAX ? len : AIOBS_MODEL_MAX;

        q->rec.models_differ |= q->rec.model_len
                                && (q->rec.model_len != len
                                    || memcmp(q->rec.model, p, len) != 0);

        q->rec.model_len = len;
        memcpy(q->rec.model, p, q->rec.model_len);
        return;
    }

    if (node->type != AIOBS_NODE_FLAG || string || (*p != 't' && *p != 'f')) {
        return;
    }

    flag = (*p == 't');

    if (node->slot == AIOBS_S_STREAM) {
        q->rec.stream = flag;

    } else if (node->slot == AIOBS_S_INCLUDE_USAGE) {
        q->rec.include_usage = flag;

    } else {
        q->rec.background = flag;
    }
}


static void
aiobs_request_figure(void *data, const aiobs_node_t *node, int64_t n)
{
    aiobs_request_t *q = data;

    if (node->slot == AIOBS_F_MAX_TOKENS && !q->done) {
        q->rec.max_tokens = n;
    }
}


static void
aiobs_request_text(void *data, const aiobs_node_t *node, const uint8_t *p,
    size_t len)
{
    aiobs_request_t *q = data;

    if (q->done) {
        return;
    }

    q->bytes += len;

    if (!aiobs_ascii(p, len)) {
        aiobs_request_wide(q, p, len);
    }

    if (q->speaks && (q->escape || *p == '\\')) {
        aiobs_request_escape(q, *p);
    }
}


static void
aiobs_request_wide(aiobs_request_t *q, const uint8_t *p, size_t len)
{
    for ( /* void */ ; len; p++, len--) {
        q->wide += *p >> 7;
        q->behind += (*p & 0xc0) == 0x80;
    }
}


/* escapes come byte by byte; a pair of surrogates is one character */

static void
aiobs_request_escape(aiobs_request_t *q, uint8_t c)
{
    q->escapes += (q->escape > 0);

    if (q->escape == 0 || (q->escape == 1 && c == 'u')) {
        q->escape++;
        q->unit = 0;
        return;
    }

    if (q->escape > 1) {
        q->unit = q->unit << 4 | ((c & 0x0f) + (c > '9' ? 9 : 0));

        if (++q->escape < 6) {
            return;
        }

        q->escapes += (q->unit >= 0xdc00 && q->unit < 0xe000);
    }

    q->escape = 0;
}


static void
aiobs_request_group(void *data, const aiobs_node_t *node, int open)
{
    /* no path of a request has one */
}


static void
aiobs_request_document(void *data, int begin)
{
    aiobs_request_t *q = data;

    q->done |= !begin;
}
