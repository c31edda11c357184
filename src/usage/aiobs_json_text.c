
/*
 * Copyright (C) the aiobs authors
 *
 * JSON by the run: strings, numbers, and containers that nobody asks for.
 */


#include <string.h>

#include "aiobs_json_state.h"


static void aiobs_json_string_note(aiobs_json_t *j, const uint8_t *end,
    int text);
static void aiobs_json_escape(aiobs_json_t *j, uint8_t c);
static void aiobs_json_utf8(aiobs_json_t *j, uint32_t code);
static void aiobs_json_keep(aiobs_json_t *j, const uint8_t *p, size_t len);
static void aiobs_json_string_end(aiobs_json_t *j);


/* j->len: the depth of the container that is skipped */

const uint8_t *
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
            p = aiobs_json_skip_string(j, p, last);

            if (j->state == AIOBS_JSON_SKIP_STRING) {
                return p;                       /* to go on with later */
            }

            break;

        case '{':
        case '[':
            if (aiobs_json_push(j, p[-1]) != 0) {
                return p;
            }

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


const uint8_t *
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


const uint8_t *
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
            aiobs_json_string_note(j, p - 1, text);
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
aiobs_json_string_note(aiobs_json_t *j, const uint8_t *end, int text)
{
    if (j->state == AIOBS_JSON_IN_STRING && (text || j->node == NULL)) {
        aiobs_json_note(j, j->start, end, text ? AIOBS_SPAN_TEXT
                                               : AIOBS_SPAN_STRING);
    }
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


const uint8_t *
aiobs_json_scalar(aiobs_json_t *j, const uint8_t *p, const uint8_t *last)
{
    const uint8_t  *q;

    for (q = p; q < last; q++) {
        if (*q == ',' || *q == '}' || *q == ']' || aiobs_json_space(*q)) {
            break;
        }

        if (!aiobs_json_scalar_byte(*q)) {
            j->failure = AIOBS_FAILURE_JSON;
            return q;
        }
    }

    aiobs_json_keep(j, p, q - p);

    if (q < last) {
        j->state = AIOBS_JSON_COMMA;

        if (j->node) {
            j->handler->scalar(j->data, j->node, j->buf, j->len, 0);

        } else {
            aiobs_json_note(j, j->start - 1, q, AIOBS_SPAN_SCALAR);
        }
    }

    return q;
}
