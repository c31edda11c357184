
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the usage room: the state of one response.
 */


#ifndef _AIOBS_ANSWER_H_INCLUDED_
#define _AIOBS_ANSWER_H_INCLUDED_


#include <string.h>
#include <strings.h>

#include "aiobs_apis.h"
#include "aiobs_bytes.h"
#include "aiobs_decode.h"
#include "aiobs_eventstream.h"
#include "aiobs_estimate.h"
#include "aiobs_forms.h"
#include "aiobs_price.h"
#include "aiobs_shape.h"
#include "aiobs_sse.h"


#define AIOBS_CHOICES     8         /* whose finish reasons are told */
#define AIOBS_REASON_MAX  32
#define AIOBS_TYPE_MAX    48        /* longer than those looked for */
#define AIOBS_MODALITY_MAX  16
#define AIOBS_SHAPE_NEVER (1U << 31)    /* in "strings": to be read again */


enum {
    AIOBS_TYPE_OTHER = 0,           /* Content-Type */
    AIOBS_TYPE_SSE,
    AIOBS_TYPE_NDJSON,
    AIOBS_TYPE_AWS
};


enum {
    AIOBS_FRAMING_UNKNOWN = 0,
    AIOBS_FRAMING_JSON,             /* documents one after the other, a list */
    AIOBS_FRAMING_SSE,
    AIOBS_FRAMING_AWS,
    AIOBS_FRAMING_NONE              /* nothing to read */
};


/* what a message of an AWS event stream carries */

enum {
    AIOBS_PAYLOAD_JSON = 0,
    AIOBS_PAYLOAD_CHUNK,            /* JSON, in base64, in an envelope */
    AIOBS_PAYLOAD_TEXT,             /* text, likewise */
    AIOBS_PAYLOAD_PART              /* a piece of another body */
};


struct aiobs_usage_s {
    const aiobs_api_t  *api;
    aiobs_decoder_t    *decoder;
    aiobs_shapes_t     *shapes;         /* of a stream, or NULL */

    aiobs_place_t       place;          /* in an answer of one document */

    int                 status;
    uint8_t             type;
    uint8_t             framing;
    uint8_t             failure;
    uint8_t             bom;
    uint8_t             part;           /* the framing inside of AWS's */
    uint8_t             part_field;     /* the name of an event's field ... */
    uint8_t             part_len;       /* ... of which that much was seen */
    uint8_t             done;           /* bytes of "[DONE]" */

    uint64_t            now_ms;
    uint64_t            first_token_ms;
    uint64_t            last_token_ms;
    uint32_t            content_events;
    uint32_t            documents;
    uint64_t            text_bytes;     /* of an answer in one document */
    uint64_t            reports;        /* bits: what "report" has */

    int64_t             modality_count;
    uint32_t            images;         /* an answer of images: how many */
    uint32_t            searches;       /* of the web, of the last report */
    uint32_t            searches_here;

    uint32_t            strings;        /* set since this was cleared */
    uint16_t            marks;          /* AIOBS_MARK_* */
    uint8_t             tier;           /* aiobs_tier_e */
    uint8_t             choice;         /* under way */
    uint8_t             choices;        /* of the document so far */
    uint8_t             reason_len[AIOBS_CHOICES];
    uint8_t             reasons;        /* choices up to the last with one */
    uint8_t             pending_len;    /* the reason of the choice under way */

    uint8_t             model_len;
    uint8_t             id_len;
    uint8_t             status_len;
    uint8_t             type_len;
    uint8_t             modality_len;
    uint8_t             error_len;

    unsigned            unread:1;       /* it cannot be decoded */
    unsigned            list:1;         /* the documents are in a list */
    unsigned            reported:1;
    unsigned            final:1;        /* the report is the last */
    unsigned            ended:1;        /* the API's own end was seen */
    unsigned            in_event:1;
    unsigned            no_json:1;
    unsigned            error_event:1;
    unsigned            midstream_error:1;
    unsigned            error_code:1;   /* "error" is a code, not a type */
    unsigned            in_error:1;     /* of the document, its values come */
    unsigned            content:1;      /* the document has some */
    unsigned            figures_here:1; /* "report" has, or had, some */
    unsigned            usage_here:1;   /* the document has a report */
    unsigned            plain_here:1;   /* one, that replaces, of kept figures */
    unsigned            item_search:1;  /* the item under way is a search */
    unsigned            item_other:1;   /* that did something else */
    unsigned            item_made:1;    /* an event's item is made by the model */
    unsigned            ticket:1;       /* "id" is only where to ask again */
    unsigned            fast:1;         /* as in the record */
    unsigned            geo_us:1;
    unsigned            payload:2;      /* AIOBS_PAYLOAD_*, of the message */
    unsigned            in_message:1;   /* "before" is that of the one under way */

    /* what is above is zero at first; each of these is set before it is read */

    aiobs_sse_t         sse;
    aiobs_json_t        json;
    aiobs_estimate_t    estimate;

    int64_t             figures[AIOBS_F_FIGURES];   /* the last report */
    int64_t             report[AIOBS_F_FIGURES];    /* the one under way */

    char                reason[AIOBS_CHOICES][AIOBS_REASON_MAX];
    char                pending[AIOBS_REASON_MAX];
    char                model[AIOBS_MODEL_MAX];
    char                id[AIOBS_ID_MAX];
    char                status_text[AIOBS_REASON_MAX];
    char                type_text[AIOBS_TYPE_MAX];
    char                modality[AIOBS_MODALITY_MAX];
    char                error[AIOBS_ERROR_MAX];

    /* AWS event streams: the chunks of Invoke are in base64 in an envelope */
    aiobs_eventstream_t aws;
    aiobs_json_t        envelope;
    aiobs_base64_t      base64;
    int64_t             before[AIOBS_F_FIGURES];    /* the message */
    uint8_t             reported_before;    /* the same of these */
    uint8_t             final_before;
    uint8_t             error_before;
};


/* --- aiobs_usage.c --- */

void aiobs_usage_fail(aiobs_usage_t *u, int failure);

/* a document has to be whole where its frame ends */
void aiobs_usage_document_end(aiobs_usage_t *u);

/* sets the framing by the first byte that is no white space; where that is */
const uint8_t *aiobs_usage_first(aiobs_usage_t *u, const uint8_t *p,
    const uint8_t *last, uint8_t *framing);


/* --- aiobs_part.c --- */

/* a piece of a body that came in AWS's messages; its end */
void aiobs_usage_part(aiobs_usage_t *u, const uint8_t *p, size_t len);
void aiobs_usage_part_end(aiobs_usage_t *u, int complete);


/* --- aiobs_aws.c: AWS event streams, Bedrock's headers --- */

void aiobs_aws_init(aiobs_usage_t *u);
void aiobs_aws_feed(aiobs_usage_t *u, const uint8_t *p, size_t len);

/* the stream is over, be it within a message */
void aiobs_aws_finish(aiobs_usage_t *u, int complete);
void aiobs_aws_header(aiobs_usage_t *u, const char *name, size_t name_len,
    const char *value, size_t value_len);


/* --- aiobs_events.c: server-sent events --- */

void aiobs_events_init(aiobs_usage_t *u);
void aiobs_events_feed(aiobs_usage_t *u, const uint8_t *p,
    const uint8_t *last);
void aiobs_events_finish(aiobs_usage_t *u);

/* the event under way has no figures; what it did to others is to be undone */
void aiobs_events_drop(aiobs_usage_t *u);


/* --- aiobs_events_shape.c --- */

/* past as many events as there are of known shapes */
const uint8_t *aiobs_events_known(aiobs_usage_t *u, const uint8_t *p,
    const uint8_t *last);

/* a whole event; its shape is learned, if it has one */
void aiobs_events_read(aiobs_usage_t *u, const uint8_t *p,
    const uint8_t *end);


/* --- aiobs_answer.c: the documents --- */

void aiobs_answer_init(aiobs_usage_t *u);

/* u->api is another: its documents are to be read, none has begun */
void aiobs_answer_root(aiobs_usage_t *u);


/* --- aiobs_record.c: what they come to --- */

void aiobs_answer_record(aiobs_usage_t *u, aiobs_usage_record_t *rec);


/* --- aiobs_outcome.c: what the first document of a form comes to --- */

extern const aiobs_outcome_handler_t  aiobs_answer_outcome;


/* --- aiobs_value.c: strings and numbers in them --- */

void aiobs_value_scalar(void *data, const aiobs_node_t *node, const char *p,
    size_t len, int string);

void aiobs_value_figure(void *data, const aiobs_node_t *node, int64_t n);

/* of Anthropic's iterations */

#define AIOBS_FIGURES_SUMS                                                    \
    (1ULL << AIOBS_F_SUM_INPUT | 1ULL << AIOBS_F_SUM_OUTPUT                   \
     | 1ULL << AIOBS_F_SUM_CACHE_READ | 1ULL << AIOBS_F_SUM_CACHE_WRITE       \
     | 1ULL << AIOBS_F_SUM_CACHE_WRITE_1H)

/* figures that are just kept, whatever else is reported */

#define AIOBS_FIGURES_KEPT                                                    \
    (((1ULL << AIOBS_F_FIGURES) - 1)                                          \
     & ~(1ULL << AIOBS_F_COST | 1ULL << AIOBS_F_MILLISECONDS                  \
         | 1ULL << AIOBS_F_MAX_INPUT | 1ULL << AIOBS_F_ADD_INPUT              \
         | 1ULL << AIOBS_F_ADD_OUTPUT | AIOBS_FIGURES_SUMS))

/* AIOBS_ABSENT has all bits set */

static inline void
aiobs_figures_clear(int64_t *figures)
{
    aiobs_fill(figures, 0xff, AIOBS_F_FIGURES * sizeof(int64_t));
}


/* a figure of the report under way; slot: below AIOBS_F_FIGURES */
static inline void
aiobs_value_count(aiobs_usage_t *u, int slot, int64_t n)
{
    u->strings |= (u->reports >> slot & 1) ? AIOBS_SHAPE_NEVER : 0;
    u->report[slot] = n;
    u->reports |= 1ULL << slot;
    u->figures_here = 1;
}


#endif /* _AIOBS_ANSWER_H_INCLUDED_ */
