
/*
 * Copyright (C) the aiobs authors
 *
 * Asking for usage on OpenAI-style streams, and hiding that it was asked.
 */


#include <string.h>

#include "aiobs_stream_usage.h"


/* what one chunk of the answer has of interest */

typedef struct {
    int       no_choices;           /* "choices":[] */
    int       usage;                /* an object */
    int       usage_null;           /* "usage":null */
    uint64_t  cut_from;
    uint64_t  cut_to;
    uint64_t  previous_end;
    int       open_cut;             /* the cut ends where the next key starts */
} aiobs_chunk_t;


static int aiobs_member_is(const aiobs_member_t *member, const char *key);
static void aiobs_inject_member(void *data, const aiobs_member_t *member);
static void aiobs_chunk_member(void *data, const aiobs_member_t *member);
static void aiobs_strip_lf(aiobs_strip_t *s, aiobs_emit_pt emit, void *data);
static void aiobs_strip_event(aiobs_strip_t *s, aiobs_emit_pt emit,
    void *data);
static size_t aiobs_strip_payload(const uint8_t *p, size_t len,
    const uint8_t **payload);
static const uint8_t *aiobs_strip_line(const uint8_t *p, const uint8_t *last,
    const uint8_t **next);


void
aiobs_inject_init(aiobs_inject_t *j)
{
    memset(j, 0, sizeof(aiobs_inject_t));

    aiobs_members_init(&j->members, aiobs_inject_member, j);
}


void
aiobs_inject_feed(aiobs_inject_t *j, const uint8_t *p, size_t len)
{
    aiobs_members_feed(&j->members, p, len);
}


int
aiobs_inject_find(const aiobs_inject_t *j, aiobs_insertion_t *insertion)
{
    static const char  member[] = ",\"stream_options\":{\"include_usage\":true}";
    static const char  object[] = "{\"include_usage\":true}";
    static const char  first[] = "\"include_usage\":true";
    static const char  next[] = ",\"include_usage\":true";

    if (!aiobs_members_done(&j->members) || j->streams != 1 || !j->stream
        || j->options > 1 || j->asked)
    {
        return 0;
    }

    insertion->remove = 0;

    if (j->options == 0) {
        insertion->at = j->members.open_end;
        insertion->text = member;

    } else if (j->options_first == 'n') {
        insertion->at = j->options_at;
        insertion->remove = j->options_end - j->options_at;
        insertion->text = object;

    } else if (j->options_first == '{') {
        insertion->at = j->options_end - 1;
        insertion->text = j->options_empty ? first : next;

    } else {
        return 0;
    }

    insertion->len = strlen(insertion->text);

    return 1;
}


void
aiobs_strip_init(aiobs_strip_t *s, uint8_t *held)
{
    memset(s, 0, sizeof(aiobs_strip_t));

    s->held = held;
    s->line_empty = 1;
}


/*
 * An event ends with a blank line; a line with LF, CR LF or CR.  The LF of a
 * final CR LF belongs to the event, so that CR is decided by the next byte.
 */

void
aiobs_strip_feed(aiobs_strip_t *s, const uint8_t *p, size_t len,
    aiobs_emit_pt emit, void *data)
{
    uint8_t         c;
    const uint8_t  *last;

    for (last = p + len; p < last; p++) {

        c = *p;

        if (s->ending) {
            s->ending = 0;

            if (c != '\n') {
                aiobs_strip_event(s, emit, data);
            }
        }

        if (s->len == AIOBS_EVENT_MAX) {
            emit(data, s->held, s->len);
            s->len = 0;
            s->passing = 1;
        }

        s->held[s->len++] = c;

        if (c == '\n') {
            aiobs_strip_lf(s, emit, data);

        } else if (c == '\r') {

            if (s->line_empty || s->cr) {
                s->ending = 1;
                s->line_empty = 1;
                s->cr = 0;

            } else {
                s->cr = 1;
            }

        } else {

            s->line_empty = 0;
            s->cr = 0;
        }
    }
}


static void
aiobs_strip_lf(aiobs_strip_t *s, aiobs_emit_pt emit, void *data)
{
    /* one that follows CR ends the line that the CR left open, no further one */

    if (s->line_empty) {
        aiobs_strip_event(s, emit, data);
    }

    s->cr = 0;
    s->line_empty = 1;
}


void
aiobs_strip_finish(aiobs_strip_t *s, aiobs_emit_pt emit, void *data)
{
    if (s->len) {
        aiobs_strip_event(s, emit, data);
    }
}


static int
aiobs_member_is(const aiobs_member_t *member, const char *key)
{
    return member->key_len == strlen(key)
           && memcmp(member->key, key, member->key_len) == 0;
}


static void
aiobs_inject_member(void *data, const aiobs_member_t *member)
{
    aiobs_inject_t *j = data;

    if (member->depth == 2) {

        if (j->members.open[0].key_len == sizeof("stream_options") - 1
            && memcmp(j->members.open[0].key, "stream_options",
                      sizeof("stream_options") - 1) == 0
            && aiobs_member_is(member, "include_usage"))
        {
            j->asked = 1;
        }

        return;
    }

    if (aiobs_member_is(member, "stream")) {
        j->streams++;
        j->stream = (member->first == 't');

    } else if (aiobs_member_is(member, "stream_options")) {
        j->options++;
        j->options_first = member->first;
        j->options_at = member->value_at;
        j->options_end = member->value_end;
        j->options_empty = member->empty;
    }
}


static void
aiobs_chunk_member(void *data, const aiobs_member_t *member)
{
    aiobs_chunk_t *chunk = data;

    if (member->depth != 1) {
        return;
    }

    if (chunk->open_cut) {
        chunk->open_cut = 0;
        chunk->cut_to = member->key_at;
    }

    if (aiobs_member_is(member, "choices")) {
        chunk->no_choices = (member->first == '[' && member->empty);

    } else if (aiobs_member_is(member, "usage")) {

        chunk->usage = (member->first == '{');
        chunk->usage_null = (member->first == 'n');

        if (chunk->usage_null) {
            chunk->cut_to = member->value_end;

            if (chunk->previous_end) {
                chunk->cut_from = chunk->previous_end;

            } else {
                chunk->cut_from = member->key_at;
                chunk->open_cut = !member->last;
            }
        }
    }

    chunk->previous_end = member->value_end;
}


/* hands the held event on: whole, without "usage":null, or not at all */

static void
aiobs_strip_event(aiobs_strip_t *s, aiobs_emit_pt emit, void *data)
{
    size_t            len, n;
    aiobs_chunk_t     chunk;
    const uint8_t    *payload;
    aiobs_members_t   members;

    len = s->len;
    s->len = 0;
    s->line_empty = 1;
    s->cr = 0;

    if (s->passing) {
        s->passing = 0;
        emit(data, s->held, len);
        return;
    }

    n = aiobs_strip_payload(s->held, len, &payload);

    if (n) {
        memset(&chunk, 0, sizeof(aiobs_chunk_t));

        aiobs_members_init(&members, aiobs_chunk_member, &chunk);
        aiobs_members_feed(&members, payload, n);

        if (aiobs_members_done(&members)) {

            if (chunk.usage && chunk.no_choices) {
                return;
            }

            if (chunk.usage_null) {
                payload += chunk.cut_from;
                emit(data, s->held, payload - s->held);
                payload += chunk.cut_to - chunk.cut_from;
                emit(data, payload, s->held + len - payload);
                return;
            }
        }
    }

    emit(data, s->held, len);
}


/* the event's only data line; 0: there is none, or there are several */

static size_t
aiobs_strip_payload(const uint8_t *p, size_t len, const uint8_t **payload)
{
    size_t          n;
    const uint8_t  *last, *end, *next;

    n = 0;

    for (last = p + len; p < last; p = next) {

        end = aiobs_strip_line(p, last, &next);

        if (end - p < 5 || memcmp(p, "data:", 5) != 0) {
            continue;
        }

        if (n) {
            return 0;
        }

        p += 5;
        *payload = p;
        n = end - p;
    }

    return n;
}


static const uint8_t *
aiobs_strip_line(const uint8_t *p, const uint8_t *last, const uint8_t **next)
{
    const uint8_t  *end;

    for (end = p; end < last && *end != '\n' && *end != '\r'; end++) {
        /* void */
    }

    *next = end;

    if (*next < last) {
        (*next)++;
    }

    return end;
}
