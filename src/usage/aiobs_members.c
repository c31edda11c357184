
/*
 * Copyright (C) the aiobs authors
 *
 * Members of a JSON object by position: strings and nesting decide, nothing
 * is copied but short keys.
 */


#include <string.h>

#include "aiobs_members.h"


enum {
    AIOBS_EXPECT_DOCUMENT = 0,
    AIOBS_EXPECT_KEY,           /* or the end of an object */
    AIOBS_EXPECT_NEXT_KEY,
    AIOBS_EXPECT_COLON,
    AIOBS_EXPECT_VALUE,         /* or the end of an array */
    AIOBS_EXPECT_COMMA,
    AIOBS_EXPECT_NOTHING
};


static const uint8_t *aiobs_members_string(aiobs_members_t *m,
    const uint8_t *p, const uint8_t *last);
static void aiobs_members_byte(aiobs_members_t *m, uint8_t c);
static void aiobs_members_open(aiobs_members_t *m, uint8_t c);
static void aiobs_members_close(aiobs_members_t *m, uint8_t c);
static void aiobs_members_value(aiobs_members_t *m, uint8_t c);
static void aiobs_members_end(aiobs_members_t *m, int last);
static int aiobs_members_in_object(const aiobs_members_t *m);


void
aiobs_members_init(aiobs_members_t *m, aiobs_member_pt member, void *data)
{
    memset(m, 0, sizeof(aiobs_members_t));

    m->member = member;
    m->data = data;
}


void
aiobs_members_feed(aiobs_members_t *m, const uint8_t *p, size_t len)
{
    const uint8_t  *last;

    last = p + len;

    while (p < last && !m->failed) {

        if (m->in_string) {
            p = aiobs_members_string(m, p, last);
            continue;
        }

        aiobs_members_byte(m, *p++);
        m->at++;
    }
}


int
aiobs_members_done(const aiobs_members_t *m)
{
    return !m->failed && !m->odd_key && m->end != 0;
}


/* inside of a string: to its closing quote, or as far as the bytes go */

static const uint8_t *
aiobs_members_string(aiobs_members_t *m, const uint8_t *p, const uint8_t *last)
{
    int             level;
    const uint8_t  *q;

    level = m->depth - 1;

    while (p < last) {

        if (m->escaped) {
            m->escaped = 0;
            m->at++;
            p++;
            continue;
        }

        if (!m->is_key || level > 1) {

            /* nobody reads it: run to the next byte that matters */

            for (q = p; q < last && *q != '"' && *q != '\\'; q++) {
                /* void */
            }

            m->at += q - p;
            p = q;

            if (p == last) {
                break;
            }
        }

        m->at++;

        if (*p == '\\') {
            m->escaped = 1;
            m->odd_key |= m->is_key && level <= 1;

        } else if (*p == '"') {
            m->in_string = 0;
            m->state = m->is_key ? AIOBS_EXPECT_COLON : AIOBS_EXPECT_COMMA;
            m->value_last = m->at;
            return p + 1;

        } else if (m->is_key && level <= 1
                   && m->open[level].key_len < AIOBS_MEMBERS_KEY)
        {
            m->open[level].key[m->open[level].key_len++] = (char) *p;
        }

        p++;
    }

    return p;
}


static void
aiobs_members_byte(aiobs_members_t *m, uint8_t c)
{
    switch (c) {

    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return;

    case ',':
        if (m->state != AIOBS_EXPECT_COMMA || m->depth == 0) {
            m->failed = 1;
            return;
        }

        if (aiobs_members_in_object(m)) {
            aiobs_members_end(m, 0);
            m->state = AIOBS_EXPECT_NEXT_KEY;

        } else {
            m->state = AIOBS_EXPECT_VALUE;
        }

        return;

    case ':':
        if (m->state != AIOBS_EXPECT_COLON) {
            m->failed = 1;
        }

        m->state = AIOBS_EXPECT_VALUE;
        return;

    case '{':
    case '[':
        aiobs_members_open(m, c);
        return;

    case '}':
    case ']':
        aiobs_members_close(m, c);
        return;

    default:
        aiobs_members_value(m, c);
        return;
    }
}


static void
aiobs_members_open(aiobs_members_t *m, uint8_t c)
{
    if (m->state == AIOBS_EXPECT_DOCUMENT) {
        if (c != '{') {
            m->failed = 1;
            return;
        }

    } else {
        aiobs_members_value(m, c);
    }

    if (m->failed || m->depth == AIOBS_MEMBERS_DEPTH) {
        m->failed = 1;
        return;
    }

    if (c == '{') {
        m->objects[m->depth / 64] |= 1ULL << (m->depth % 64);
        m->state = AIOBS_EXPECT_KEY;

    } else {
        m->objects[m->depth / 64] &= ~(1ULL << (m->depth % 64));
        m->state = AIOBS_EXPECT_VALUE;
    }

    m->depth++;

    if (m->depth == 2) {
        m->open[1].key_at = 0;
    }
}


static void
aiobs_members_close(aiobs_members_t *m, uint8_t c)
{
    if (m->depth == 0 || aiobs_members_in_object(m) != (c == '}')
        || m->state == AIOBS_EXPECT_COLON
        || m->state == AIOBS_EXPECT_NEXT_KEY
        || (c == '}' && m->state == AIOBS_EXPECT_VALUE))
    {
        m->failed = 1;
        return;
    }

    if (c == '}' && m->state == AIOBS_EXPECT_COMMA) {
        aiobs_members_end(m, 1);
    }

    m->depth--;
    m->value_last = m->at + 1;

    if (m->depth == 0) {
        m->open_end = m->at;
        m->end = m->at + 1;
        m->state = AIOBS_EXPECT_NOTHING;
        return;
    }

    m->state = AIOBS_EXPECT_COMMA;
}


/* the first byte of a value, or a further one of a number or literal */

static void
aiobs_members_value(aiobs_members_t *m, uint8_t c)
{
    int  level;

    level = m->depth - 1;

    if (c == '"' && (m->state == AIOBS_EXPECT_KEY
                     || m->state == AIOBS_EXPECT_NEXT_KEY))
    {
        m->in_string = 1;
        m->is_key = 1;

        if (level <= 1) {
            m->open[level].key_len = 0;
            m->open[level].key_at = m->at;
            m->open[level].filled = 0;
        }

    } else if (m->state == AIOBS_EXPECT_VALUE) {
        m->in_string = (c == '"');
        m->is_key = 0;
        m->state = AIOBS_EXPECT_COMMA;
        m->value_last = m->at + 1;

        if (level <= 1 && aiobs_members_in_object(m)) {
            m->open[level].value_at = m->at;
            m->open[level].first = (char) c;
        }

    } else if (m->state == AIOBS_EXPECT_COMMA && c != '"' && c != '{'
               && c != '[' && m->value_last == m->at)
    {
        m->value_last = m->at + 1;

    } else {
        m->failed = 1;
        return;
    }

    if (m->depth == 2) {
        m->open[0].filled = 1;
    }
}


static void
aiobs_members_end(aiobs_members_t *m, int last)
{
    int             level;
    aiobs_member_t  member;

    level = m->depth - 1;

    if (level > 1) {
        return;
    }

    if (level == 1) {
        m->open[0].filled = 1;
    }

    member.depth = m->depth;
    member.key = m->open[level].key;
    member.key_len = m->open[level].key_len;
    member.key_at = m->open[level].key_at;
    member.value_at = m->open[level].value_at;
    member.value_end = m->value_last;
    member.first = m->open[level].first;
    member.empty = level == 0 && !m->open[0].filled
                   && (member.first == '{' || member.first == '[');
    member.last = last;

    m->member(m->data, &member);
}


static int
aiobs_members_in_object(const aiobs_members_t *m)
{
    int  level;

    level = m->depth - 1;

    return level >= 0 && (m->objects[level / 64] >> (level % 64) & 1);
}
