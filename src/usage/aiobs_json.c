
/*
 * Copyright (C) the aiobs authors
 *
 * JSON (RFC 8259) read in pieces of any size, along a tree of paths.
 */


#include <string.h>
#include <strings.h>

#include "aiobs_json_state.h"


static inline const uint8_t *aiobs_json_step(aiobs_json_t *j,
    const uint8_t *p, const uint8_t *last);
static const uint8_t *aiobs_json_structure(aiobs_json_t *j,
    const uint8_t *p);
static void aiobs_json_key(aiobs_json_t *j, uint8_t c);
static void aiobs_json_next(aiobs_json_t *j);
static int aiobs_json_start(aiobs_json_t *j, uint8_t c);
static void aiobs_json_value(aiobs_json_t *j, uint8_t c);
static void aiobs_json_raw(aiobs_json_t *j, const uint8_t *p,
    const uint8_t *end);


void
aiobs_json_init(aiobs_json_t *j, const aiobs_node_t *root,
    const aiobs_json_handler_t *handler, void *data)
{
    j->root = root;
    j->handler = handler;
    j->data = data;
    j->spans = NULL;
    j->nodes = NULL;
    j->members = aiobs_json_foreseen(root);

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


void
aiobs_json_feed(aiobs_json_t *j, const uint8_t *p, size_t len)
{
    const uint8_t  *last;

    for (last = p + len; p < last && !j->failure; /* void */ ) {
        p = aiobs_json_document(j, p, last);
    }
}


const uint8_t *
aiobs_json_document(aiobs_json_t *j, const uint8_t *p, const uint8_t *last)
{
    while (p < last && !j->failure) {

        if (j->state == AIOBS_JSON_KEY || j->state == AIOBS_JSON_NEXT_KEY) {
            p = aiobs_json_members(j, p, last);

            if (p == last || aiobs_json_idle(j)) {
                break;
            }
        }

        p = aiobs_json_step(j, p, last);

        if (aiobs_json_idle(j)) {
            break;
        }
    }

    return p;
}


static inline const uint8_t *
aiobs_json_step(aiobs_json_t *j, const uint8_t *p, const uint8_t *last)
{
    const uint8_t  *end;

    switch (j->state) {

    case AIOBS_JSON_SKIP:
        end = aiobs_json_skip(j, p, last);
        aiobs_json_raw(j, p, end);
        return end;

    case AIOBS_JSON_SKIP_STRING:
        end = aiobs_json_skip_string(j, p, last);
        aiobs_json_raw(j, p, end);
        return end;

    case AIOBS_JSON_IN_KEY:
    case AIOBS_JSON_IN_STRING:
        return aiobs_json_string(j, p, last);

    case AIOBS_JSON_IN_SCALAR:
        return aiobs_json_scalar(j, p, last);

    default:
        return aiobs_json_structure(j, p);
    }
}


/* bytes of a container that was not gone into */

static void
aiobs_json_raw(aiobs_json_t *j, const uint8_t *p, const uint8_t *end)
{
    if (j->node && j->node->type == AIOBS_NODE_RAW && end > p) {
        j->handler->text(j->data, j->node, p, end - p);
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
        aiobs_json_key(j, c);
        return p;

    case AIOBS_JSON_COLON:
        if (c == ':') {
            j->state = AIOBS_JSON_NEXT_VALUE;
            return p;
        }

        break;

    case AIOBS_JSON_COMMA:
        if (c == ',') {
            aiobs_json_next(j);
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
        j->start = p;
        aiobs_json_value(j, c);
        return p;
    }

    j->failure = AIOBS_FAILURE_JSON;

    return p;
}


static void
aiobs_json_key(aiobs_json_t *j, uint8_t c)
{
    if (c == '"') {
        j->state = AIOBS_JSON_IN_KEY;
        j->len = 0;

    } else if (c == '}' && j->state == AIOBS_JSON_KEY) {
        aiobs_json_close(j, c);

    } else {
        j->failure = AIOBS_FAILURE_JSON;
    }
}


static void
aiobs_json_next(aiobs_json_t *j)
{
    if (aiobs_json_in_object(j)) {
        j->state = AIOBS_JSON_NEXT_KEY;
        return;
    }

    j->state = AIOBS_JSON_NEXT_VALUE;
    j->node = aiobs_json_child(j, "*", 1);
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
        j->node = NULL;
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
    if (c == '"') {
        j->state = AIOBS_JSON_IN_STRING;
        j->len = 0;
        return;
    }

    if (c == '{' || c == '[') {
        aiobs_json_open(j, c);
        return;
    }

    if (!aiobs_json_scalar_start(c)) {
        j->failure = AIOBS_FAILURE_JSON;
        return;
    }

    j->state = AIOBS_JSON_IN_SCALAR;
    j->buf[0] = (char) c;
    j->len = 1;
}


void
aiobs_json_open(aiobs_json_t *j, uint8_t c)
{
    const aiobs_node_t  *node;

    if (aiobs_json_push(j, c) != 0) {
        return;
    }

    node = j->node;

    if (j->depth == 1 + j->list) {
        j->stack[j->depth] = j->root;
        j->member = 0;

    } else if (node == NULL || node->children == NULL
               || j->depth > AIOBS_JSON_PATH)
    {
        /* the level below the skipped one remembers where to come back */

        if (j->depth <= AIOBS_JSON_PATH) {
            j->stack[j->depth] = NULL;
        }

        if (node && node->type == AIOBS_NODE_RAW && j->spans) {
            j->spans->n = AIOBS_JSON_SPANS + 1;     /* of no form */
        }

        j->state = AIOBS_JSON_SKIP;
        j->len = j->depth;
        return;

    } else {
        j->stack[j->depth] = node->children;
        j->groups[j->depth] = NULL;

        if (node->type == AIOBS_NODE_GROUP) {
            j->groups[j->depth] = node;
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


void
aiobs_json_close(aiobs_json_t *j, uint8_t c)
{
    const aiobs_node_t  *group;

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

    group = j->groups[j->depth + 1];

    if (group) {
        j->handler->group(j->data, group, 0);
    }
}


const aiobs_node_t *
aiobs_json_child(aiobs_json_t *j, const char *key, size_t len)
{
    const aiobs_node_t  *node;

    node = j->stack[j->depth];

    for ( /* void */ ; node && node->key; node++) {
        if (node->len != len) {
            continue;
        }

        if (node->key[0] == key[0] ? memcmp(node->key, key, len) == 0
            : node->key[0] == '~' && strncasecmp(node->key + 1, key, len) == 0)
        {
            return node;
        }
    }

    return node && node->type != AIOBS_NODE_PATH ? node : NULL;
}
