
/*
 * Copyright (C) the aiobs authors
 *
 * The response: its framing, the documents in it, the record at its end.
 */


#include <stdlib.h>
#include <string.h>

#include "aiobs_answer.h"


#define AIOBS_TYPE(name)  name, sizeof(name) - 1


static void aiobs_usage_content_type(aiobs_usage_t *u, const char *value,
    size_t len);
static void aiobs_usage_plain(void *data, const uint8_t *p, size_t len);
static const uint8_t *aiobs_usage_detect(aiobs_usage_t *u, const uint8_t *p,
    const uint8_t *last);
static void aiobs_usage_recognise(aiobs_usage_t *u);
static void aiobs_usage_source(aiobs_usage_t *u, int complete,
    int64_t text_tokens, aiobs_usage_record_t *rec);


size_t
aiobs_usage_size(void)
{
    return sizeof(aiobs_usage_t);
}


void
aiobs_usage_init(aiobs_usage_t *u, const aiobs_api_t *api, int status)
{
    aiobs_fill(u, 0, offsetof(aiobs_usage_t, sse));

    u->api = api;
    u->status = status;

    aiobs_answer_init(u);
    aiobs_events_init(u);
}


void
aiobs_usage_forms(aiobs_usage_t *u, aiobs_forms_t *forms)
{
    u->place.forms = forms;
    u->place.outcome = &aiobs_answer_outcome;
}


void
aiobs_usage_header(aiobs_usage_t *u, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
    int  failure;

    /* there are a dozen, and nearly all are of no interest */

    if (name_len < sizeof("content-type") - 1
        || (name[0] != 'c' && name[0] != 'x'))
    {
        return;
    }

    if (name[0] == 'x') {

        if (memcmp(name, "x-amzn-", 7) == 0) {
            aiobs_aws_header(u, name, name_len, value, value_len);

        } else if (name_len == sizeof("x-gemini-service-tier") - 1
                   && memcmp(name, "x-gemini-service-tier", name_len) == 0)
        {
            u->tier = (uint8_t) aiobs_price_tier(value, value_len);
        }

        return;
    }

    if (name_len == sizeof("content-type") - 1
        && memcmp(name, "content-type", name_len) == 0)
    {
        aiobs_usage_content_type(u, value, value_len);

    } else if (name_len == sizeof("content-encoding") - 1
               && memcmp(name, "content-encoding", name_len) == 0)
    {
        /* a second line, which says more than the first is known to do */

        failure = u->decoder || u->unread
                  ? AIOBS_FAILURE_ENCODING
                  : aiobs_decoder_create(&u->decoder, value, value_len);

        aiobs_usage_fail(u, failure);
        u->unread = (failure != AIOBS_FAILURE_NONE);
    }
}


int
aiobs_usage_is_stream(const aiobs_usage_t *u)
{
    return u->type != AIOBS_TYPE_OTHER;
}


void
aiobs_usage_feed(aiobs_usage_t *u, const void *data, size_t len,
    uint64_t now_ms)
{
    int  failure;

    if (u->unread || len == 0) {
        return;
    }

    u->now_ms = now_ms;

    if (u->decoder == NULL) {
        aiobs_usage_plain(u, data, len);
        return;
    }

    failure = aiobs_decoder_feed(u->decoder, data, len, aiobs_usage_plain, u);

    if (failure) {
        aiobs_usage_fail(u, failure);
        u->unread = 1;
    }
}


void
aiobs_usage_finish(aiobs_usage_t *u, int complete, int64_t text_tokens,
    aiobs_usage_record_t *rec)
{
    if (u->framing == AIOBS_FRAMING_SSE) {
        aiobs_events_finish(u);

    } else if (u->framing == AIOBS_FRAMING_AWS) {
        aiobs_aws_finish(u, complete);

    } else if (complete) {
        aiobs_usage_document_end(u);
    }

    aiobs_usage_recognise(u);

    aiobs_answer_record(u, rec);

    rec->stream = (u->framing == AIOBS_FRAMING_SSE
                   || u->framing == AIOBS_FRAMING_AWS
                   || u->type != AIOBS_TYPE_OTHER
                   || (u->list ? u->api->rule == AIOBS_RULE_GEMINI
                               : u->documents > 1));

    aiobs_usage_source(u, complete, text_tokens, rec);

    aiobs_usage_release(u);
}


/* an answer that says whose it is, and that has figures or text in it */

static void
aiobs_usage_recognise(aiobs_usage_t *u)
{
    const aiobs_api_t  *api;

    if (!aiobs_api_by_body(u->api) || u->status >= 300
        || !(u->reported || u->content_events))
    {
        return;
    }

    api = aiobs_api_marked(u->api->dialect, u->marks);

    if (api) {
        u->api = api;
    }
}


int
aiobs_usage_has_status(const aiobs_usage_t *u)
{
    return u->status_len || u->ticket;
}


const aiobs_api_t *
aiobs_usage_api(const aiobs_usage_t *u)
{
    return aiobs_api_by_body(u->api) ? NULL : u->api;
}


void
aiobs_usage_release(aiobs_usage_t *u)
{
    if (u->decoder) {
        aiobs_decoder_destroy(u->decoder);
        u->decoder = NULL;
    }

    if (u->shapes) {
        free(u->shapes);
        u->shapes = NULL;

        aiobs_estimate_init(&u->estimate);      /* its text was there */
    }
}


static void
aiobs_usage_content_type(aiobs_usage_t *u, const char *value, size_t len)
{
    size_t  n;

    static const struct {
        const char  *name;
        uint8_t      len;
        uint8_t      type;
    } types[] = {
        { AIOBS_TYPE("text/event-stream"), AIOBS_TYPE_SSE },
        { AIOBS_TYPE("application/x-ndjson"), AIOBS_TYPE_NDJSON },
        { AIOBS_TYPE("application/stream+json"), AIOBS_TYPE_NDJSON },
        { AIOBS_TYPE("application/vnd.amazon.eventstream"), AIOBS_TYPE_AWS },
        { NULL, 0, AIOBS_TYPE_OTHER }
    }, *t;

    static const char  json[] = "application/json";

    u->type = AIOBS_TYPE_OTHER;

    if (len >= sizeof(json) - 1 && memcmp(value, json, sizeof(json) - 1) == 0) {
        return;                     /* nearly all */
    }

    for (t = types; t->name; t++) {
        n = t->len;

        if (len >= n && (value[n - 1] | 0x20) == t->name[n - 1]
            && strncasecmp(value, t->name, n) == 0
            && (len == n || value[n] == ';' || value[n] == ' '))
        {
            u->type = t->type;

            if (t->type == AIOBS_TYPE_AWS) {
                u->api = aiobs_api_aws(u->api);
                aiobs_answer_root(u);
            }

            return;
        }
    }
}


/* decoded bytes: the first that is no white space tells the framing */

static void
aiobs_usage_plain(void *data, const uint8_t *p, size_t len)
{
    aiobs_usage_t *u = data;

    const uint8_t  *last;

    last = p + len;

    if (u->framing == AIOBS_FRAMING_UNKNOWN) {
        p = aiobs_usage_detect(u, p, last);
    }

    switch (u->framing) {

    case AIOBS_FRAMING_SSE:
        aiobs_events_feed(u, p, last);
        break;

    case AIOBS_FRAMING_JSON:
        aiobs_forms_feed(&u->place, &u->json, p, last);
        break;

    case AIOBS_FRAMING_AWS:
        aiobs_aws_feed(u, p, last - p);
        break;

    default:
        break;
    }
}


static const uint8_t *
aiobs_usage_detect(aiobs_usage_t *u, const uint8_t *p, const uint8_t *last)
{
    if (u->type == AIOBS_TYPE_AWS) {
        u->framing = AIOBS_FRAMING_AWS;

    } else {
        p = aiobs_usage_first(u, p, last, &u->framing);
    }

    if (u->framing == AIOBS_FRAMING_AWS) {
        aiobs_aws_init(u);
    }

    return p;
}


const uint8_t *
aiobs_usage_first(aiobs_usage_t *u, const uint8_t *p, const uint8_t *last,
    uint8_t *framing)
{
    static const uint8_t  bom[] = { 0xef, 0xbb, 0xbf };

    for ( /* void */ ; p < last; p++) {

        if (u->bom < 3 && *p == bom[u->bom]) {
            u->bom++;
            continue;
        }

        if (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t') {
            continue;
        }

        if (*p == '{' || *p == '[') {
            *framing = AIOBS_FRAMING_JSON;

        } else if (*p == 0 && u->api->rule == AIOBS_RULE_BEDROCK
                   && framing == &u->framing)
        {
            *framing = AIOBS_FRAMING_AWS;           /* its type is missing */

        } else if (u->type == AIOBS_TYPE_SSE || *p == 'd' || *p == 'e'
                   || *p == ':' || *p == 'i' || *p == 'r')
        {
            /* data, error, event, id, retry, a comment */

            *framing = AIOBS_FRAMING_SSE;

        } else {
            *framing = AIOBS_FRAMING_NONE;      /* audio, a page, ... */
        }

        break;
    }

    return p;
}


/* a document has to be whole where its frame ends */

void
aiobs_usage_document_end(aiobs_usage_t *u)
{
    if (u->json.failure) {
        aiobs_usage_fail(u, u->json.failure);

    } else if (!aiobs_json_idle(&u->json)) {
        aiobs_usage_fail(u, AIOBS_FAILURE_JSON);
    }

    aiobs_json_reset(&u->json);
}


void
aiobs_usage_fail(aiobs_usage_t *u, int failure)
{
    if (u->failure == AIOBS_FAILURE_NONE) {
        u->failure = failure;
    }
}


/*
 * A report is final when the answer is whole, or when the API's own end or
 * the reason for it was seen with it.  Of a stream that ended before, what
 * was generated since the last report is estimated.
 */

static void
aiobs_usage_source(aiobs_usage_t *u, int complete, int64_t text_tokens,
    aiobs_usage_record_t *rec)
{
    int      empty;
    int64_t  estimate;

    if (u->status >= 300) {
        return;
    }

    if (u->reported && u->api->text != AIOBS_ESTIMATE_BOTH
        && rec->input == AIOBS_ABSENT
        && rec->output == AIOBS_ABSENT && rec->cost_nanousd == AIOBS_ABSENT)
    {
        return;                     /* of units, no tokens */
    }

    if (u->reported) {

        if (complete || u->final) {
            rec->source = AIOBS_SOURCE_REPORTED;
            return;
        }

        rec->source = AIOBS_SOURCE_PARTIAL;
        estimate = aiobs_estimate_tokens(&u->estimate) + u->text_bytes / 4;

        if (rec->output < estimate) {
            rec->output = estimate;
        }

        return;
    }

    empty = (u->content_events == 0 && u->text_bytes == 0);

    if (u->api->text == AIOBS_ESTIMATE_NONE || (complete && !u->unread
        && (empty || u->api->text == AIOBS_ESTIMATE_PROMPT)))
    {
        return;
    }

    if (u->api->text == AIOBS_ESTIMATE_PROMPT && text_tokens <= 0) {
        return;                     /* it was asked with tokens */
    }

    rec->source = AIOBS_SOURCE_ESTIMATED;
    rec->input = text_tokens;

    /* of what cannot be read nobody knows how much there is */

    if (!(empty && u->unread) && u->api->text == AIOBS_ESTIMATE_BOTH) {
        rec->output = aiobs_estimate_tokens(&u->estimate) + u->text_bytes / 4;
    }
}
