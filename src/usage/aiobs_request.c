
/*
 * Copyright (C) the aiobs authors
 *
 * The request's body: which model, a stream or not, how much text.
 */


#include "aiobs_request.h"
#include "aiobs_ascii.h"


static void aiobs_request_number(aiobs_request_t *q, int slot, int64_t n);
static void aiobs_request_wide(aiobs_request_t *q, const uint8_t *p,
    size_t len);
static void aiobs_request_escape(aiobs_request_t *q, uint8_t c);
static void aiobs_request_group(void *data, const aiobs_node_t *node,
    int open);
static void aiobs_request_source(aiobs_request_t *q);
static void aiobs_request_source_type(aiobs_request_t *q, const char *p,
    size_t len);
static void aiobs_request_document(void *data, int begin);
static void aiobs_request_field(void *data, aiobs_field_e field, const char *p,
    size_t len, int cut);
static void aiobs_request_model(aiobs_request_t *q, const char *p, size_t len);


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
    aiobs_request_begin(q, api->request);

    q->speaks = aiobs_api_speaks(api);
}


void
aiobs_request_begin(aiobs_request_t *q, const aiobs_node_t *root)
{
    aiobs_fill(q, 0, offsetof(aiobs_request_t, json));

    q->rec.stream = -1;
    q->rec.include_usage = -1;
    q->rec.background = -1;
    q->rec.max_tokens = AIOBS_ABSENT;
    q->rec.text_tokens = AIOBS_ABSENT;

    aiobs_json_init(&q->json, root, &aiobs_request_handler, q);
}


size_t
aiobs_request_room(const char *type, size_t len)
{
    return len && (*type | 0x20) == 'm' ? sizeof(aiobs_multipart_t) : 0;
}


void
aiobs_request_type(aiobs_request_t *q, const char *type, size_t len, void *room)
{
    static const char  fields[] = "application/x-www-form-urlencoded";

    if (aiobs_request_room(type, len)) {
        q->parts = room;

        switch (room ? aiobs_multipart_init(room, type, len,
                                            aiobs_request_field, q) : -1)
        {
        case 0:
            break;

        case 1:
            q->body = AIOBS_BODY_PARTS;
            break;

        default:
            q->body = AIOBS_BODY_UNREADABLE;
            break;
        }

    } else if (len >= sizeof(fields) - 1) {
        q->fields = strncasecmp(type, fields, sizeof(fields) - 1) == 0;
    }
}


/* the characters of a text to be spoken are counted by the reader only */

void
aiobs_request_forms(aiobs_request_t *q, aiobs_forms_t *forms)
{
    if (!q->speaks) {
        q->place.forms = forms;
        q->place.outcome = &aiobs_request_outcome;
    }
}


void
aiobs_request_feed(aiobs_request_t *q, const void *data, size_t len)
{
    const uint8_t *p = data;

    const uint8_t  *last;

    if (q->body) {

        if (q->body == AIOBS_BODY_PARTS) {
            aiobs_multipart_feed(q->parts, p, len);
        }

        return;
    }

    for (last = p + len; p < last && !q->done && !q->json.failure; /* void */ )
    {
        p = aiobs_forms_document(&q->place, &q->json, p, last);
    }

    /* what else stands behind the document may be one to others */

    for ( /* void */ ; p < last && q->done && !q->rec.models_differ; p++) {
        q->rec.models_differ = *p != ' ' && *p != '\n' && *p != '\r'
                               && *p != '\t';
    }
}


/* 4 bytes of ASCII a token, or most of a character of other scripts */

void
aiobs_request_finish(aiobs_request_t *q, aiobs_request_record_t *rec)
{
    aiobs_copy((char *) rec, (const char *) &q->rec, sizeof(*rec));

    rec->fields = q->fields;

    /* of a list the first is read, and who knows what the others ask for */

    rec->models_differ |= q->json.list;

    if (q->body) {

        /* what is not whole may be read in another way by others */

        if (q->body != AIOBS_BODY_PARTS || !aiobs_multipart_whole(q->parts)) {
            rec->failure = AIOBS_FAILURE_FRAMING;
            rec->model_len = 0;
        }

    } else if (!q->done) {
        rec->failure = q->json.failure ? q->json.failure : AIOBS_FAILURE_JSON;
    }

    if (q->speaks) {
        rec->characters = q->bytes - q->behind - q->escapes;
    }

    while (q->sources) {
        aiobs_request_source(q);            /* it was cut there */
    }

    rec->text_tokens = (q->bytes - q->wide) / 4 + q->wide / 3;

    if (q->bytes && rec->text_tokens == 0) {
        rec->text_tokens = 1;
    }
}


void
aiobs_request_scalar(void *data, const aiobs_node_t *node, const char *p,
    size_t len, int string)
{
    aiobs_request_t *q = data;

    int  flag;

    if (q->done) {
        return;                     /* of another document in a list */
    }

    if (node->type == AIOBS_NODE_NUMBER) {

        if (!string) {
            aiobs_request_number(q, node->slot, aiobs_number(p, len));
        }

        return;
    }

    if (node->type == AIOBS_NODE_STRING && string) {

        if (node->slot == AIOBS_S_MODEL_ALIKE) {
            q->rec.models_differ = 1;

        } else if (node->slot == AIOBS_S_SOURCE) {
            aiobs_request_source_type(q, p, len);

        } else {
            aiobs_request_model(q, p, len);
        }

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
aiobs_request_model(aiobs_request_t *q, const char *p, size_t len)
{
    len = len < AIOBS_MODEL_MAX ? len : AIOBS_MODEL_MAX;

    q->rec.models_differ |= q->rec.model_len
                            && (q->rec.model_len != len
                                || memcmp(q->rec.model, p, len) != 0);

    q->rec.model_len = len;
    memcpy(q->rec.model, p, q->rec.model_len);
}


/* of a form; a field that comes twice is taken by some from the first */

static void
aiobs_request_field(void *data, aiobs_field_e field, const char *p, size_t len,
    int cut)
{
    aiobs_request_t *q = data;

    if (field == AIOBS_FIELD_MODEL) {
        q->rec.models_differ |= q->named && q->rec.model_len != len;
        q->named = 1;

        aiobs_request_model(q, p, len);

    } else if (len == 4 && memcmp(p, "true", 4) == 0) {
        q->rec.stream = 1;

    } else if (len == 5 && memcmp(p, "false", 5) == 0) {
        q->rec.stream = 0;
    }
}


void
aiobs_request_figure(void *data, const aiobs_node_t *node, int64_t n)
{
    aiobs_request_t *q = data;

    if (!q->done) {
        aiobs_request_number(q, node->slot, n);
    }
}


/* which of several counts is the provider's affair: the largest may */

static void
aiobs_request_number(aiobs_request_t *q, int slot, int64_t n)
{
    int64_t  *kept;

    kept = slot == AIOBS_F_MAX_TOKENS ? &q->rec.max_tokens
           : slot == AIOBS_F_CHOICES ? &q->rec.choices : NULL;

    if (kept && n > *kept) {
        *kept = n;
    }
}


void
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
    aiobs_request_t *q = data;

    aiobs_source_t  *source;

    if (!open) {
        aiobs_request_source(q);
        return;
    }

    if (q->sources == AIOBS_REQUEST_SOURCES) {
        return;
    }

    source = &q->source[q->sources++];

    source->bytes = q->bytes;
    source->wide = q->wide;
    source->text = 0;
}


/* it has ended; what it is may be said behind its data */

static void
aiobs_request_source(aiobs_request_t *q)
{
    aiobs_source_t  *source;

    if (q->sources == 0) {
        return;
    }

    source = &q->source[--q->sources];

    if (!source->text) {
        q->bytes = source->bytes;
        q->wide = source->wide;
    }
}


static void
aiobs_request_source_type(aiobs_request_t *q, const char *p, size_t len)
{
    if (q->sources
        && ((len == 4 && memcmp(p, "text", 4) == 0)
            || (len == 7 && memcmp(p, "content", 7) == 0)))
    {
        q->source[q->sources - 1].text = 1;
    }
}


static void
aiobs_request_document(void *data, int begin)
{
    aiobs_request_t *q = data;

    q->done |= !begin;
    q->rec.models_differ |= !begin && q->json.list;
}
