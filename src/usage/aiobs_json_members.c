
/*
 * Copyright (C) the aiobs authors
 *
 * Members of an object that lie in one piece of the body: nearly all of them.
 * What is cut by the piece's end, or has escapes, is left to the reader that
 * goes state by state; both come to the same.
 */


#include <string.h>

#include "aiobs_json_state.h"


static const uint8_t *aiobs_json_member_string(aiobs_json_t *j,
    const uint8_t *p, const uint8_t *last);
static const uint8_t *aiobs_json_member_scalar(aiobs_json_t *j,
    const uint8_t *p, const uint8_t *last);
static const uint8_t *aiobs_json_blank(const uint8_t *p, const uint8_t *last);


/*
 * From a key on, as far as it is plain; j->state tells what the byte at the
 * pointer returned is expected to be.
 */

const uint8_t *
aiobs_json_members(aiobs_json_t *j, const uint8_t *p, const uint8_t *last)
{
    const uint8_t  *q, *value;

    for ( ;; ) {

        p = aiobs_json_blank(p, last);

        if (last - p < 4 || *p != '"') {
            return p;
        }

        q = aiobs_find_quote(p + 1, last);

        if (last - q < 3 || *q != '"' || q[1] != ':') {
            return p;
        }

        value = aiobs_json_blank(q + 2, last);

        if (value == last) {
            return p;
        }

        j->node = aiobs_json_child(j, (const char *) p + 1, q - p - 1);
        j->state = AIOBS_JSON_NEXT_VALUE;

        if (*value == '"') {
            p = aiobs_json_member_string(j, value, last);

        } else if (*value != '{' && *value != '[') {
            p = aiobs_json_member_scalar(j, value, last);

        } else {
            return value;
        }

        if (p == value) {
            return p;
        }

        j->state = AIOBS_JSON_COMMA;

        if (p == last || *p != ',') {
            return p;
        }

        j->state = AIOBS_JSON_NEXT_KEY;
        p++;
    }
}


/* behind the string at p, or p */

static const uint8_t *
aiobs_json_member_string(aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last)
{
    size_t               len;
    const uint8_t       *end;
    const aiobs_node_t  *node;

    node = j->node;
    end = aiobs_find_quote(p + 1, last);
    len = end - p - 1;

    if (end == last || *end != '"') {
        return p;
    }

    if (node == NULL) {
        aiobs_json_note(j, p + 1, end, AIOBS_SPAN_STRING);

    } else if (node->type == AIOBS_NODE_TEXT) {

        if (len) {
            j->handler->text(j->data, node, p + 1, len);
        }

        aiobs_json_note(j, p + 1, end, AIOBS_SPAN_TEXT);

    } else {
        len = len < AIOBS_JSON_SCALAR ? len : AIOBS_JSON_SCALAR;
        j->handler->scalar(j->data, node, (const char *) p + 1, len, 1);
    }

    return end + 1;
}


static const uint8_t *
aiobs_json_member_scalar(aiobs_json_t *j, const uint8_t *p,
    const uint8_t *last)
{
    size_t          len;
    const uint8_t  *end;

    if (!aiobs_json_scalar_start(*p)) {
        return p;
    }

    for (end = p + 1; end < last && aiobs_json_scalar_byte(*end); end++) {
        /* void */
    }

    if (end == last
        || (*end != ',' && *end != '}' && *end != ']'
            && !aiobs_json_space(*end)))
    {
        return p;
    }

    if (j->node) {
        len = end - p;
        len = len < AIOBS_JSON_SCALAR ? len : AIOBS_JSON_SCALAR;
        j->handler->scalar(j->data, j->node, (const char *) p, len, 0);

    } else {
        aiobs_json_note(j, p, end, AIOBS_SPAN_SCALAR);
    }

    return end;
}


static inline const uint8_t *
aiobs_json_blank(const uint8_t *p, const uint8_t *last)
{
    while (p < last && aiobs_json_space(*p)) {
        p++;
    }

    return p;
}
