
/*
 * Copyright (C) the aiobs authors
 *
 * JSON (RFC 8259) read in pieces of any size, along a tree of paths.
 */


#include <string.h>

#include "aiobs_json.h"


enum {
    AIOBS_JSON_START = 0,       /* between documents */
    AIOBS_JSON_VALUE,           /* a value, or the end of an empty array */
    AIOBS_JSON_NEXT_VALUE,
    AIOBS_JSON_KEY,             /* a key, or the end of an empty object */
    AIOBS_JSON_NEXT_KEY,
    AIOBS_JSON_IN_KEY,
    AIOBS_JSON_COLON,
    AIOBS_JSON_IN_STRING,
    AIOBS_JSON_IN_SCALAR,       /* a number or a literal */
    AIOBS_JSON_COMMA,           /* a comma, or the end of the container */
    AIOBS_JSON_SKIP,            /* inside of a container of no interest */
    AIOBS_JSON_SKIP_STRING
};


static inline const uint8_t *aiobs_json_step(aiobs_json_t *j,
    const uint8_t *p, const uint8_t *last);
static const uint8_t *aiobs_json_structure(aiobs_json_t *j,
    const uint8_t *p);
static int aiobs_json_start(aiobs_json_t *j, uint8_t c);
static void aiobs_json_value(aiobs_json_t *j, uint8_t c);
static void aiobs_json_open(aiobs_json_t *j, uint8_t c);
static void aiobs_json_close(aiobs_json_t *j, uint8_t c);
static const uint8_t *aiobs_json_skip(aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last);
static const uint8_t *aiobs_json_skip_string(aiobs_json_t *j,
    const uint8_t *p, const uint8_t *last);
static const uint8_t *aiobs_json_string(aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last);
static void aiobs_json_escape(aiobs_json_t *j, uint8_t c);
static void aiobs_json_utf8(aiobs_json_t *j, uint32_t code);
static void aiobs_json_keep(aiobs_json_t *j, const uint8_t *p, size_t len);
static void aiobs_json_string_end(aiobs_json_t *j);
static const uint8_t *aiobs_json_scalar(aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last);
static const aiobs_node_t *aiobs_json_child(aiobs_json_t *j, const char *key,
    size_t len);
static int aiobs_json_in_object(const aiobs_json_t *j);


static inline int
aiobs_json_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}


void
aiobs_json_init(aiobs_json_t *j, const aiobs_node_t *root,
    const aiobs_json_handler_t *handler, void *data)
{
    j->root = root;
    j->handler = handler;
    j->data = data;

    aiobs_json_reset(j);
}


void
aiobs_json_reset(aiobs_json_t *j)
{
    j->node = NULL;
    j->depth = 0;
    j->state = AIOBS_JSON_START;
    j->escaped = 0;
    j->failure = AIOBS_FAILURE_NONE;
    j->list = 0;
    j->high = 0;
    j->len = 0;
}


int
aiobs_json_idle(const aiobs_json_t *j)
{
    return j->state == AIOBS_JSON_START && j->depth == 0;
}


void
aiobs_json_feed(aiobs_json_t *j, const uint8_t *p, size_t len)
{
    const uint8_t  *last;

    for (last = p + len; p < last && !j->failure; /* void */ ) {
        p = aiobs_json_step(j, p, last);
    }
}


const uint8_t *
aiobs_json_feed_head(aiobs_json_t *j, const uint8_t *p, size_t len)
{
    const uint8_t  *last;

    for (last = p + len; p < last && !j->failure; /* void */ ) {

        p = aiobs_json_step(j, p, last);

        if (j->depth == 2) {
            break;
        }
    }

    return p;
}


static inline const uint8_t *
aiobs_json_step(aiobs_json_t *j, const uint8_t *p, const uint8_t *last)
{
    switch (j->state) {

    case AIOBS_JSON_SKIP:
        return aiobs_json_skip(j, p, last);

    case AIOBS_JSON_SKIP_STRING:
        return aiobs_json_skip_string(j, p, last);

    case AIOBS_JSON_IN_KEY:
    case AIOBS_JSON_IN_STRING:
        return aiobs_json_string(j, p, last);

    case AIOBS_JSON_IN_SCALAR:
        return aiobs_json_scalar(j, p, last);

    default:
        return aiobs_json_structure(j, p);
    }
}


/* one byte between values */

static const uint8_t *
aiobs_json_structure(aiobs_json_t *j, const uint8_t *p)
{
    uint8_t  c;

    c = *p++;

    if (aiobs_json_space(c)) {
        return p;
    }

    switch (j->state) {

    case AIOBS_JSON_START:
        return aiobs_json_start(j, c) ? p : p - 1;

    case AIOBS_JSON_KEY:
    case AIOBS_JSON_NEXT_KEY:
        if (c == '"') {
            j->state = AIOBS_JSON_IN_KEY;
            j->len = 0;
            return p;
        }

        if (c == '}' && j->state == AIOBS_JSON_KEY) {
            aiobs_json_close(j, c);
            return p;
        }

        break;

    case AIOBS_JSON_COLON:
        if (c == ':') {
            j->state = AIOBS_JSON_NEXT_VALUE;
            return p;
        }

        break;

    case AIOBS_JSON_COMMA:
        if (c == ',') {
            if (aiobs_json_in_object(j)) {
                j->state = AIOBS_JSON_NEXT_KEY;

            } else {
                j->state = AIOBS_JSON_NEXT_VALUE;
                j->node = aiobs_json_child(j, "*", 1);
            }

            return p;
        }

        if (c == '}' || c == ']') {
            aiobs_json_close(j, c);
            return p;
        }

        break;

    case AIOBS_JSON_VALUE:
        if (c == ']') {
            aiobs_json_close(j, c);
            return p;
        }

        /* fall through */

    default:
        aiobs_json_value(j, c);
        return p;
    }

    j->failure = AIOBS_FAILURE_JSON;

    return p;
}


/* 0: the byte has to be looked at again, in another state */

static int
aiobs_json_start(aiobs_json_t *j, uint8_t c)
{
    if (j->depth == 0) {

        if (c == '[') {
            j->list = 1;
            j->depth = 1;
            j->objects[0] &= ~1ULL;
            j->first = 1;
            return 1;
        }

    } else if (c == ']') {
        j->depth = 0;
        j->list = 0;
        return 1;

    } else if (j->first && c != '{') {

        /* an array of something else than documents */

        j->list = 0;
        j->len = 1;
        j->state = AIOBS_JSON_SKIP;
        return 0;

    } else if (c == ',') {
        return 1;
    }

    if (c != '{') {
        j->failure = AIOBS_FAILURE_JSON;
        return 1;
    }

    j->first = 0;
    j->node = NULL;
    j->handler->document(j->data, 1);
    aiobs_json_open(j, c);

    return 1;
}


static void
aiobs_json_value(aiobs_json_t *j, uint8_t c)
{
    switch (c) {

    case '"':
        j->state = AIOBS_JSON_IN_STRING;
        j->len = 0;
        return;

    case '{':
    case '[':
        aiobs_json_open(j, c);
        return;

    case '-':
    case 't':
    case 'f':
    case 'n':
        break;

    default:
        if (c < '0' || c > '9') {
            j->failure = AIOBS_FAILURE_JSON;
            return;
        }
    }

    j->state = AIOBS_JSON_IN_SCALAR;
    j->buf[0] = (char) c;
    j->len = 1;
}


static void
aiobs_json_open(aiobs_json_t *j, uint8_t c)
{
    const aiobs_node_t  *node;

    if (j->depth == AIOBS_JSON_DEPTH) {
        j->failure = AIOBS_FAILURE_DEPTH;
        return;
    }

    if (c == '{') {
        j->objects[j->depth / 64] |= 1ULL << (j->depth % 64);

    } else {
        j->objects[j->depth / 64] &= ~(1ULL << (j->depth % 64));
    }

    j->depth++;

    node = j->node;

    if (j->depth == 1 + j->list) {
        j->stack[j->depth] = j->root;

    } else if (node == NULL || node->children == NULL
               || j->depth > AIOBS_JSON_PATH)
    {
        /* the level below the skipped one remembers where to come back */

        if (j->depth <= AIOBS_JSON_PATH) {
            j->stack[j->depth] = NULL;
        }

        j->state = AIOBS_JSON_SKIP;
        j->len = j->depth;
        return;

    } else {
        j->stack[j->depth] = node->children;

        if (node->type == AIOBS_NODE_GROUP) {
            j->handler->group(j->data, node, 1);
        }
    }

    if (c == '{') {
        j->state = AIOBS_JSON_KEY;

    } else {
        j->state = AIOBS_JSON_VALUE;
        j->node = aiobs_json_child(j, "*", 1);
    }
}


/* the parent's node of a group is found by its children */

static void
aiobs_json_close(aiobs_json_t *j, uint8_t c)
{
    if (aiobs_json_in_object(j) != (c == '}')) {
        j->failure = AIOBS_FAILURE_JSON;
        return;
    }

    j->depth--;
    j->state = AIOBS_JSON_COMMA;

    if (j->depth == j->list) {
        j->state = AIOBS_JSON_START;
        j->handler->document(j->data, 0);
        return;
    }

    if (j->depth < AIOBS_JSON_PATH) {
        const aiobs_node_t  *node;

        node = j->stack[j->depth];

        for ( /* void */ ; node && node->key; node++) {
            if (node->children == j->stack[j->depth + 1]
                && node->type == AIOBS_NODE_GROUP)
            {
                j->handler->group(j->data, node, 0);
                return;
            }
        }
    }
}


/* j->len: the depth of the container that is skipped */

static const uint8_t *
aiobs_json_skip(aiobs_json_t *j, const uint8_t *p, const uint8_t *last)
{
    for ( ;; ) {

        p = aiobs_find_bracket(p, last);

        if (p == last) {
            return p;
        }

        switch (*p++) {

        case '"':
            j->state = AIOBS_JSON_SKIP_STRING;
            return p;

        case '{':
            if (j->depth == AIOBS_JSON_DEPTH) {
                j->failure = AIOBS_FAILURE_DEPTH;
                return p;
            }

            j->objects[j->depth / 64] |= 1ULL << (j->depth % 64);
            j->depth++;
            break;

        case '[':
            if (j->depth == AIOBS_JSON_DEPTH) {
                j->failure = AIOBS_FAILURE_DEPTH;
                return p;
            }

            j->objects[j->depth / 64] &= ~(1ULL << (j->depth % 64));
            j->depth++;
            break;

        default:
            if (aiobs_json_in_object(j) != (p[-1] == '}')) {
                j->failure = AIOBS_FAILURE_JSON;
                return p;
            }

            j->depth--;

            if (j->depth < (int) j->len) {
                j->state = j->depth ? AIOBS_JSON_COMMA : AIOBS_JSON_START;
                return p;
            }
        }
    }
}


static const uint8_t *
aiobs_json_skip_string(aiobs_json_t *j, const uint8_t *p, const uint8_t *last)
{
    if (j->escaped && p < last) {
        j->escaped = 0;
        p++;
    }

    while (p < last) {

        p = aiobs_find_quote(p, last);

        if (p == last) {
            break;
        }

        if (*p == '"') {
            j->state = AIOBS_JSON_SKIP;
            return p + 1;
        }

        if (last - p < 2) {
            j->escaped = 1;
            return last;
        }

        p += 2;
    }

    return p;
}


static const uint8_t *
aiobs_json_string(aiobs_json_t *j, const uint8_t *p, const uint8_t *last)
{
    int             text;
    const uint8_t  *q;

    text = j->state == AIOBS_JSON_IN_STRING && j->node
           && j->node->type == AIOBS_NODE_TEXT;

    while (p < last) {

        if (j->escaped) {

            if (text) {
                j->handler->text(j->data, j->node, p, 1);
            }

            aiobs_json_escape(j, *p++);

            if (j->failure) {
                break;
            }

            continue;
        }

        q = aiobs_find_quote(p, last);

        if (q > p) {
            if (text) {
                j->handler->text(j->data, j->node, p, q - p);

            } else {
                j->high = 0;
                aiobs_json_keep(j, p, q - p);
            }
        }

        p = q;

        if (p == last) {
            break;
        }

        if (*p++ == '"') {
            aiobs_json_string_end(j);
            return p;
        }

        j->escaped = 1;

        if (text) {
            j->handler->text(j->data, j->node, p - 1, 1);
        }
    }

    return p;
}


static void
aiobs_json_escape(aiobs_json_t *j, uint8_t c)
{
    static const char  from[] = "\"\\/bfnrt";
    static const char  to[] = "\"\\/\b\f\n\r\t";

    const char  *e;
    uint32_t     digit;

    if (j->escaped == 1) {

        if (c == 'u') {
            j->escaped = 2;
            j->unit = 0;
            return;
        }

        j->escaped = 0;
        e = c ? strchr(from, c) : NULL;

        if (e == NULL) {
            j->failure = AIOBS_FAILURE_JSON;
            return;
        }

        j->high = 0;
        aiobs_json_keep(j, (const uint8_t *) &to[e - from], 1);
        return;
    }

    if (c >= '0' && c <= '9') {
        digit = c - '0';

    } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
        digit = (c | 0x20) - 'a' + 10;

    } else {
        j->failure = AIOBS_FAILURE_JSON;
        return;
    }

    j->unit = j->unit * 16 + digit;

    if (++j->escaped == 6) {
        j->escaped = 0;
        aiobs_json_utf8(j, j->unit);
    }
}


/* a code unit of UTF-16; lone surrogates become U+FFFD */

static void
aiobs_json_utf8(aiobs_json_t *j, uint32_t code)
{
    size_t   n;
    uint8_t  b[4];

    if (code >= 0xd800 && code < 0xdc00) {
        j->high = code;
        return;
    }

    if (code >= 0xdc00 && code < 0xe000) {
        code = j->high ? 0x10000 + ((j->high - 0xd800) << 10) + code - 0xdc00
                       : 0xfffd;
    }

    j->high = 0;

    if (code < 0x80) {
        b[0] = code;
        n = 1;

    } else if (code < 0x800) {
        b[0] = 0xc0 | code >> 6;
        b[1] = 0x80 | (code & 0x3f);
        n = 2;

    } else if (code < 0x10000) {
        b[0] = 0xe0 | code >> 12;
        b[1] = 0x80 | (code >> 6 & 0x3f);
        b[2] = 0x80 | (code & 0x3f);
        n = 3;

    } else {
        b[0] = 0xf0 | code >> 18;
        b[1] = 0x80 | (code >> 12 & 0x3f);
        b[2] = 0x80 | (code >> 6 & 0x3f);
        b[3] = 0x80 | (code & 0x3f);
        n = 4;
    }

    aiobs_json_keep(j, b, n);
}


static void
aiobs_json_keep(aiobs_json_t *j, const uint8_t *p, size_t len)
{
    if (len > AIOBS_JSON_SCALAR - j->len) {
        len = AIOBS_JSON_SCALAR - j->len;
    }

    memcpy(j->buf + j->len, p, len);
    j->len += len;
}


static void
aiobs_json_string_end(aiobs_json_t *j)
{
    if (j->state == AIOBS_JSON_IN_KEY) {
        j->state = AIOBS_JSON_COLON;
        j->node = aiobs_json_child(j, j->buf, j->len);
        return;
    }

    j->state = AIOBS_JSON_COMMA;
    j->high = 0;

    if (j->node && j->node->type != AIOBS_NODE_TEXT) {
        j->handler->scalar(j->data, j->node, j->buf, j->len, 1);
    }
}


static const uint8_t *
aiobs_json_scalar(aiobs_json_t *j, const uint8_t *p, const uint8_t *last)
{
    const uint8_t  *q;

    for (q = p; q < last; q++) {
        if (*q == ',' || *q == '}' || *q == ']' || aiobs_json_space(*q)) {
            break;
        }
    }

    aiobs_json_keep(j, p, q - p);

    if (q < last) {
        j->state = AIOBS_JSON_COMMA;

        if (j->node) {
            j->handler->scalar(j->data, j->node, j->buf, j->len, 0);
        }
    }

    return q;
}


static const aiobs_node_t *
aiobs_json_child(aiobs_json_t *j, const char *key, size_t len)
{
    const aiobs_node_t  *node;

    node = j->stack[j->depth];

    for ( /* void */ ; node && node->key; node++) {
        if (node->len == len && memcmp(node->key, key, len) == 0) {
            return node;
        }
    }

    return NULL;
}


static int
aiobs_json_in_object(const aiobs_json_t *j)
{
    int  i;

    i = j->depth - 1;

    return j->objects[i / 64] >> (i % 64) & 1;
}
