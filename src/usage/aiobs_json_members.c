
/*
 * Copyright (C) the aiobs authors
 *
 * Members of an object that lie in one piece of the body: nearly all of them.
 * What is cut by the piece's end, or has escapes, is left to the reader that
 * goes state by state; both come to the same.
 */


#include <string.h>

#include "aiobs_json_state.h"


#define AIOBS_JSON_KINDS  16        /* of documents, in this process */


static const uint8_t *aiobs_json_member_key(aiobs_json_t *j,
    const uint8_t *p, const uint8_t *last);
static int aiobs_json_member_is(const aiobs_json_member_t *m,
    const uint8_t *p);
static const uint8_t *aiobs_json_member_object(aiobs_json_t *j,
    const uint8_t *p);
static const uint8_t *aiobs_json_member_end(aiobs_json_t *j,
    const uint8_t *p, const uint8_t *last);
static const uint8_t *aiobs_json_member_string(aiobs_json_t *j,
    const uint8_t *p, const uint8_t *last);
static const uint8_t *aiobs_json_member_scalar(aiobs_json_t *j,
    const uint8_t *p, const uint8_t *last);
static const uint8_t *aiobs_json_blank(const uint8_t *p, const uint8_t *last);


/* hints only: whatever stands here, each key is compared with it */

static aiobs_json_member_t
    aiobs_json_members_seen[AIOBS_JSON_KINDS][AIOBS_JSON_MEMBERS];


aiobs_json_member_t *
aiobs_json_foreseen(const aiobs_node_t *root)
{
    return aiobs_json_members_seen[((uintptr_t) root >> 5) % AIOBS_JSON_KINDS];
}


/*
 * From a key on, as far as it is plain; j->state tells what the byte at the
 * pointer returned is expected to be.
 */

const uint8_t *
aiobs_json_members(aiobs_json_t *j, const uint8_t *p, const uint8_t *last)
{
    const uint8_t  *value;

    do {
        p = aiobs_json_blank(p, last);

        if (last - p < 4 || *p != '"') {
            return p;
        }

        value = aiobs_json_member_key(j, p, last);

        if (value == NULL) {
            return p;
        }

        j->state = AIOBS_JSON_NEXT_VALUE;

        if (*value == '{') {
            p = aiobs_json_member_object(j, value);
            continue;
        }

        if (*value == '[') {
            return value;
        }

        p = *value == '"' ? aiobs_json_member_string(j, value, last)
                          : aiobs_json_member_scalar(j, value, last);

        if (p == value) {
            return p;
        }

        if (p < last && *p == ',') {
            j->state = AIOBS_JSON_NEXT_KEY;
            p++;
            continue;
        }

        j->state = AIOBS_JSON_COMMA;
        p = aiobs_json_member_end(j, p, last);

    } while (j->state == AIOBS_JSON_KEY || j->state == AIOBS_JSON_NEXT_KEY);

    return p;
}


/* sets j->node; where the value begins, NULL if that is not to be seen */

static const uint8_t *
aiobs_json_member_key(aiobs_json_t *j, const uint8_t *p, const uint8_t *last)
{
    const uint8_t        *q;
    aiobs_json_member_t  *m;

    m = &j->members[j->member % AIOBS_JSON_MEMBERS];

    if (m->list == j->stack[j->depth] && last - p > AIOBS_JSON_NAME
        && aiobs_json_member_is(m, p))
    {
        q = aiobs_json_blank(p + m->len, last);

        if (q == last) {
            return NULL;
        }

        j->member++;
        j->node = m->node;

        return q;
    }

    q = aiobs_find_quote(p + 1, last);

    if (last - q < 3 || *q != '"' || q[1] != ':') {
        return NULL;
    }

    j->node = aiobs_json_child(j, (const char *) p + 1, q - p - 1);
    q += 2;

    if (q - p <= AIOBS_JSON_NAME) {
        m->list = j->stack[j->depth];
        m->node = j->node;
        m->len = (uint8_t) (q - p);
        memcpy(m->key, p, q - p);
    }

    j->member++;
    q = aiobs_json_blank(q, last);

    return q == last ? NULL : q;
}


/* AIOBS_JSON_NAME bytes can be read at p */

static inline int
aiobs_json_member_is(const aiobs_json_member_t *m, const uint8_t *p)
{
#if defined(__SSE2__)
    size_t    n;
    uint32_t  same;

    same = (uint32_t) _mm_movemask_epi8(
               _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *) p),
                              _mm_loadu_si128((const __m128i *) m->key)));

    n = m->len;

    if (n > 16) {

        if (same != 0xffff) {
            return 0;
        }

        n -= 16;
        same = (uint32_t) _mm_movemask_epi8(
                   _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *) (p + 16)),
                                  _mm_loadu_si128((const __m128i *)
                                                  (m->key + 16))));
    }

    return (~same & ((1U << n) - 1)) == 0;
#else
    return memcmp(p, m->key, m->len) == 0;
#endif
}


static const uint8_t *
aiobs_json_member_object(aiobs_json_t *j, const uint8_t *p)
{
    aiobs_json_open(j, *p);

    return p + 1;
}


/* what closes behind a value, and the comma before the next key */

static const uint8_t *
aiobs_json_member_end(aiobs_json_t *j, const uint8_t *p, const uint8_t *last)
{
    for ( ;; ) {
        p = aiobs_json_blank(p, last);

        if (p == last || (*p != ',' && *p != '}')
            || !aiobs_json_in_object(j))
        {
            return p;
        }

        if (*p++ == ',') {
            j->state = AIOBS_JSON_NEXT_KEY;
            return p;
        }

        aiobs_json_close(j, '}');

        if (j->state != AIOBS_JSON_COMMA) {
            return p;
        }
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
    size_t               len;
    uint64_t             n;
    const uint8_t       *end, *digits;
    const aiobs_node_t  *node;

    if (!aiobs_json_scalar_start(*p)) {
        return p;
    }

    for (n = 0, end = p; end < last && *end >= '0' && *end <= '9'; end++) {
        n = n * 10 + (*end - '0');
    }

    for (digits = end; end < last && aiobs_json_scalar_byte(*end); end++) {
        /* void */
    }

    if (end == last
        || (*end != ',' && *end != '}' && *end != ']'
            && !aiobs_json_space(*end)))
    {
        return p;
    }

    node = j->node;
    len = end - p;

    if (node == NULL) {
        aiobs_json_note(j, p, end, AIOBS_SPAN_SCALAR);

    } else if (node->type == AIOBS_NODE_NUMBER && end == digits
               && len <= AIOBS_JSON_DIGITS)
    {
        j->start = p + 1;
        j->handler->figure(j->data, node, (int64_t) n);

    } else {
        len = len < AIOBS_JSON_SCALAR ? len : AIOBS_JSON_SCALAR;
        j->handler->scalar(j->data, node, (const char *) p, len, 0);
    }

    return end;
}


static inline const uint8_t *
aiobs_json_blank(const uint8_t *p, const uint8_t *last)
{
    while (p < last && *p <= ' ' && aiobs_json_space(*p)) {
        p++;
    }

    return p;
}
