
/*
 * Copyright (C) the aiobs authors
 *
 * The usage room: bytes of a request and of its response in, one usage record
 * out.  Plain C, no nginx header; links into the module, the unit tests and
 * the fuzzers alike.
 *
 * All state is in memory given by the caller and of fixed size, nothing is
 * copied but the few interesting bytes, and every byte is looked at once.
 * Nothing here fails: what cannot be understood is named in "failure" and the
 * figures that it would have given stay absent.
 */


#ifndef _AIOBS_USAGE_H_INCLUDED_
#define _AIOBS_USAGE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>


#define AIOBS_ABSENT          (-1)      /* a figure nobody reported */
#define AIOBS_COST_MAX        1000000000000000LL    /* nano-USD of a call */
#define AIOBS_TOKENS_MAX      1000000000000LL   /* above: not a token count */

#define AIOBS_MODEL_MAX       128       /* bytes; longer names are cut */
#define AIOBS_ID_MAX          128
#define AIOBS_FINISH_MAX      128
#define AIOBS_ERROR_MAX       64


/* what the configuration says of a location: aiobs_llm */

typedef enum {
    AIOBS_DIALECT_OFF = 0,
    AIOBS_DIALECT_AUTO,
    AIOBS_DIALECT_OPENAI,
    AIOBS_DIALECT_ANTHROPIC,
    AIOBS_DIALECT_GEMINI,
    AIOBS_DIALECT_BEDROCK,
    AIOBS_DIALECT_COHERE,
    AIOBS_DIALECT_OLLAMA
} aiobs_dialect_e;


typedef enum {
    AIOBS_SOURCE_NONE = 0,      /* nothing reported, nothing to estimate */
    AIOBS_SOURCE_REPORTED,      /* the provider's final figure */
    AIOBS_SOURCE_PARTIAL,       /* ended early: last report, plus what came */
    AIOBS_SOURCE_ESTIMATED      /* no report: counted from the text */
} aiobs_source_e;


/*
 * Why a body could not be read to its end.  The first reason is kept.
 * aiobs_failure_name() gives the label value of aiobs_parse_failures_total.
 */

typedef enum {
    AIOBS_FAILURE_NONE = 0,
    AIOBS_FAILURE_JSON,         /* not JSON, or JSON cut short by its sender */
    AIOBS_FAILURE_VALUE,        /* a usage figure that is no token count */
    AIOBS_FAILURE_TOO_LONG,     /* a usage object larger than the buffer */
    AIOBS_FAILURE_DEPTH,        /* nested beyond any API's documents */
    AIOBS_FAILURE_FRAMING,      /* an AWS event stream with a wrong CRC, ... */
    AIOBS_FAILURE_ENCODING,     /* a Content-Encoding we do not decode */
    AIOBS_FAILURE_DECODE,       /* a compressed body that is corrupt */
    AIOBS_FAILURE_WINDOW,       /* a br or zstd window past the bound */
    AIOBS_FAILURE_MEMORY,
    AIOBS_FAILURE_LAST
} aiobs_failure_e;


/* at which an answer says that it was made */

typedef enum {
    AIOBS_TIER_STANDARD = 0,
    AIOBS_TIER_BATCH,
    AIOBS_TIER_FLEX,
    AIOBS_TIER_PRIORITY,
    AIOBS_TIER_BALANCED,
    AIOBS_TIER_ULTRAFAST,
    AIOBS_TIER_DECISIONS        /* not said, but what the API is for */
} aiobs_tier_e;


/*
 * What is billed besides the tokens of the record; 0: nothing.  To be set only
 * where the provider bills by it: a Gemini answer with a picture in it is
 * billed by its tokens.
 */

typedef struct {
    int64_t  image_input_tokens;    /* subsets of the record's input, output */
    int64_t  image_output_tokens;
    int64_t  video_input_tokens;
    int64_t  video_output_tokens;
    int64_t  audio_cached_tokens;   /* subset of cache_read */
    int64_t  images_input;
    int64_t  images_output;
    int64_t  queries;               /* rerank: search units */
    int64_t  searches;              /* of the web, at the medium context size */
    int64_t  milliseconds;          /* of audio or video, in or out */
    int64_t  characters_input;
    int64_t  characters_output;
    int64_t  pages;                 /* read by OCR */
} aiobs_units_t;


/* one row per API; immutable, owned by the usage room */

typedef struct aiobs_api_s  aiobs_api_t;


typedef struct {
    /* tokens as the provider bills them, or AIOBS_ABSENT */
    int64_t           input;            /* every billed prompt token */
    int64_t           output;           /* every generated token */
    int64_t           cache_read;       /* subsets of the two above */
    int64_t           cache_write;
    int64_t           cache_write_1h;   /* subset of cache_write */
    int64_t           reasoning;
    int64_t           audio_input;
    int64_t           audio_output;

    int64_t           cost_nanousd;     /* as reported by the provider */

    aiobs_units_t     units;
    aiobs_tier_e      tier;

    aiobs_source_e    source;
    aiobs_failure_e   failure;

    uint8_t           model_len;
    uint8_t           id_len;
    uint8_t           finish_len;
    uint8_t           error_len;

    unsigned          stream:1;         /* the answer is a stream of events */
    unsigned          complete:1;       /* the stream's own end has come */
    unsigned          midstream_error:1; /* an error event inside a 2xx */
    unsigned          pending:1;        /* queued or in progress: no figures */
    unsigned          fast:1;           /* Anthropic: at the speed "fast" */
    unsigned          geo_us:1;         /* Anthropic: kept in the US */

    /* times as given to aiobs_usage_feed(), 0: no content was seen */
    uint64_t          first_token_ms;
    uint64_t          last_token_ms;
    uint32_t          content_events;

    /*
     * Set by the body: bytes, not terminated by NUL, control bytes kept.
     * Behind their lengths they are left as they were.
     */
    char              model[AIOBS_MODEL_MAX];
    char              id[AIOBS_ID_MAX];
    char              finish[AIOBS_FINISH_MAX];  /* per choice, "," between */
    char              error[AIOBS_ERROR_MAX];    /* code, else type */
} aiobs_usage_record_t;


typedef struct {
    char              model[AIOBS_MODEL_MAX];
    uint8_t           model_len;
    int8_t            stream;           /* -1: not said, 0, 1 */
    int8_t            include_usage;    /* stream_options.include_usage */
    int8_t            background;
    int8_t            models_differ;    /* several are named */
    int8_t            fields;           /* it came as form-urlencoded fields */
    int64_t           max_tokens;       /* AIOBS_ABSENT: not said; the most */
    int64_t           choices;          /* answers asked for; 0: not said */
    int64_t           text_tokens;      /* estimate of the prompt's text */
    int64_t           characters;       /* of it, where that is billed */
    aiobs_failure_e   failure;
} aiobs_request_record_t;


/* --- which API is spoken --- */

/*
 * Finds the API of a request; never NULL (unknown paths give a row whose
 * operation is "" and which is not counted).  path: without the query string,
 * decoded or not.  method: "POST", ...
 */
const aiobs_api_t *aiobs_api_find(aiobs_dialect_e dialect,
    const char *method, size_t method_len, const char *path, size_t path_len);

/* label values: static, NUL-terminated */
const char *aiobs_api_provider(const aiobs_api_t *api);
const char *aiobs_api_provider_otel(const aiobs_api_t *api);  /* gen_ai.provider.name */
const char *aiobs_api_operation(const aiobs_api_t *api);  /* gen_ai.operation.name */

/* whether an answered call consumes something: not for lists, polls, counts */
int aiobs_api_countable(const aiobs_api_t *api);

/* whether it fetches an answer that a call before has ordered */
int aiobs_api_fetches(const aiobs_api_t *api);

/* or whether it ends one: what it reports is final, that it reports nothing not */
int aiobs_api_ends(const aiobs_api_t *api);

/* whether that has another id than the one that the path asks for it by */
int aiobs_api_renames(const aiobs_api_t *api);

/* whether its path says nothing, and the answer has to: aiobs_usage_api() */
int aiobs_api_by_body(const aiobs_api_t *api);

/* whether its answer is a text, of tokens that the model generates */
int aiobs_api_generates(const aiobs_api_t *api);

/* whether it makes speech of a text, billed by the text's characters */
int aiobs_api_speaks(const aiobs_api_t *api);

/* the model named in the path (Gemini, Bedrock, Azure); 0: none */
size_t aiobs_api_path_model(const aiobs_api_t *api, const char *path,
    size_t path_len, char model[AIOBS_MODEL_MAX]);

const char *aiobs_source_name(aiobs_source_e source);
const char *aiobs_failure_name(aiobs_failure_e failure);


/*
 * --- what is known of documents ---
 *
 * Requests and answers mostly look like those before.  What they have in
 * common is kept here, about 140 KB, for all that one thread reads: readers
 * that were given it come to the same, sooner.  It has to outlive them.
 */

typedef struct aiobs_forms_s  aiobs_forms_t;

aiobs_forms_t *aiobs_forms_create(void);    /* NULL: no memory */
void aiobs_forms_destroy(aiobs_forms_t *forms);


/* --- the request's body --- */

typedef struct aiobs_request_s  aiobs_request_t;

size_t aiobs_request_size(void);        /* bytes, at most 1 KB */
void aiobs_request_init(aiobs_request_t *q, const aiobs_api_t *api);

/*
 * After init, before the first feed: the value of Content-Type.  A body of
 * multipart/form-data is read for its fields "model" and "stream", any other
 * as JSON.  A form that might be read in two ways has failed, and names none.
 *
 * room: the bytes that aiobs_request_room() says (0, or at most 4 KB), for as
 * long as q is used; NULL: there is none, and a form cannot be read.
 */
size_t aiobs_request_room(const char *type, size_t len);
void aiobs_request_type(aiobs_request_t *q, const char *type, size_t len,
    void *room);

void aiobs_request_forms(aiobs_request_t *q, aiobs_forms_t *forms);
void aiobs_request_feed(aiobs_request_t *q, const void *data, size_t len);
void aiobs_request_finish(aiobs_request_t *q, aiobs_request_record_t *rec);


/* --- the response --- */

typedef struct aiobs_usage_s  aiobs_usage_t;

size_t aiobs_usage_size(void);          /* bytes, at most 16 KB */
void aiobs_usage_init(aiobs_usage_t *u, const aiobs_api_t *api, int status);

/* after init; NULL, or not called: documents are read without */
void aiobs_usage_forms(aiobs_usage_t *u, aiobs_forms_t *forms);

/*
 * Response headers worth knowing: content-type, content-encoding,
 * x-amzn-bedrock-*-token-count, *-service-tier; others are ignored.  Before
 * the first feed.
 * name: in lower case.
 */
void aiobs_usage_header(aiobs_usage_t *u, const char *name, size_t name_len,
    const char *value, size_t value_len);

/* true for text/event-stream, NDJSON and AWS event streams */
int aiobs_usage_is_stream(const aiobs_usage_t *u);

/* data: only read, not kept; now_ms: any clock of milliseconds, above 0 */
void aiobs_usage_feed(aiobs_usage_t *u, const void *data, size_t len,
    uint64_t now_ms);

/*
 * complete: the whole body came (false: the client left, the upstream broke
 * off).  text_tokens: the request's estimate, used where nothing was reported;
 * AIOBS_ABSENT if unknown.  May be called once; frees what a decoder holds.
 */
void aiobs_usage_finish(aiobs_usage_t *u, int complete, int64_t text_tokens,
    aiobs_usage_record_t *rec);

/* whether it has said so far how it stands with what was asked for */
int aiobs_usage_has_status(const aiobs_usage_t *u);

/*
 * After finish: the API that was spoken.  Another than was given to init only
 * where that was to be found by the body; NULL: it was no answer of a model.
 */
const aiobs_api_t *aiobs_usage_api(const aiobs_usage_t *u);

/* frees what a decoder holds, without a record; harmless after finish */
void aiobs_usage_release(aiobs_usage_t *u);


/*
 * The value of metric label error_type for an answer: "" on success.  status:
 * as the upstream sent it; error: record's error.
 */
const char *aiobs_error_type(int status, const char *error, size_t len);


#endif /* _AIOBS_USAGE_H_INCLUDED_ */
