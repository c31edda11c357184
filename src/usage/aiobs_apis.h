
/*
 * Copyright (C) the aiobs authors
 *
 * Inside of the usage room: the table of APIs, the figures their documents
 * carry and the rules that make a record of them.
 */


#ifndef _AIOBS_APIS_H_INCLUDED_
#define _AIOBS_APIS_H_INCLUDED_


#include "aiobs_json.h"


/* figures as they are reported, before any rule */

enum {
    AIOBS_F_INPUT = 0,
    AIOBS_F_OUTPUT,
    AIOBS_F_TOTAL,
    AIOBS_F_CACHE_READ,
    AIOBS_F_CACHE_WRITE,
    AIOBS_F_CACHE_WRITE_1H,
    AIOBS_F_REASONING,
    AIOBS_F_AUDIO_INPUT,
    AIOBS_F_AUDIO_OUTPUT,
    AIOBS_F_TOOL_INPUT,         /* what tools gave back, beside the prompt */
    AIOBS_F_BILLED_INPUT,       /* Cohere: billed_units */
    AIOBS_F_BILLED_OUTPUT,
    AIOBS_F_SUM_INPUT,          /* Anthropic: over iterations */
    AIOBS_F_SUM_OUTPUT,
    AIOBS_F_SUM_CACHE_READ,
    AIOBS_F_SUM_CACHE_WRITE,
    AIOBS_F_SUM_CACHE_WRITE_1H,
    AIOBS_F_ADD_INPUT,          /* summed up over a document */
    AIOBS_F_ADD_OUTPUT,
    AIOBS_F_MAX_INPUT,          /* the largest of all */
    AIOBS_F_METRIC_INPUT,       /* Bedrock: invocation metrics */
    AIOBS_F_METRIC_OUTPUT,
    AIOBS_F_METRIC_CACHE_READ,
    AIOBS_F_METRIC_CACHE_WRITE,
    AIOBS_F_HEADER_INPUT,       /* Bedrock: response headers */
    AIOBS_F_HEADER_OUTPUT,
    AIOBS_F_HEADER_CACHE_READ,
    AIOBS_F_HEADER_CACHE_WRITE,
    AIOBS_F_IMAGE_INPUT,        /* tokens of images, subsets */
    AIOBS_F_IMAGE_OUTPUT,
    AIOBS_F_VIDEO_INPUT,
    AIOBS_F_VIDEO_OUTPUT,
    AIOBS_F_AUDIO_CACHED,       /* of those read from the cache */
    AIOBS_F_PAGES,              /* other units than tokens */
    AIOBS_F_IMAGES_INPUT,
    AIOBS_F_QUERIES,
    AIOBS_F_SEARCHES,
    AIOBS_F_CITATIONS,          /* Perplexity: read by a Deep Research */
    AIOBS_F_CHARACTERS,
    AIOBS_F_MILLISECONDS,       /* reported as seconds with a fraction */
    AIOBS_F_SOUND,              /* Mistral: seconds, billed beside tokens */
    AIOBS_F_RESEARCH,           /* reasoning, not in the details of a report */
    AIOBS_F_XAI_COST,           /* cost_in_usd_ticks: the mark of xAI */
    AIOBS_F_COST,               /* USD with a fraction, kept as billionths */
    AIOBS_F_FIGURES,

    AIOBS_F_INDEX,              /* of a choice: no figure of usage */
    AIOBS_F_MODALITY_COUNT,     /* tokens of the modality beside it */
    AIOBS_F_MAX_TOKENS,
    AIOBS_F_CHOICES,
    AIOBS_F_OPENAI_INPUT,       /* input, and whose documents call it so */
    AIOBS_F_CONVERSE_INPUT,
    AIOBS_F_OLLAMA_OUTPUT,
    AIOBS_F_TGI_OUTPUT,
    AIOBS_F_COHERE_INPUT
};


/* strings */

enum {
    AIOBS_S_MODEL = 0,
    AIOBS_S_ID,
    AIOBS_S_FINISH,
    AIOBS_S_STATUS,             /* Responses: completed, incomplete, ... */
    AIOBS_S_TYPE,               /* of an event */
    AIOBS_S_ERROR_TYPE,
    AIOBS_S_ERROR_CODE,
    AIOBS_S_MODALITY,
    AIOBS_S_TIER,
    AIOBS_S_ITEM,               /* Responses: the type of an output item */
    AIOBS_S_ACTION,             /* and of what it did */

    AIOBS_S_STOP,               /* why it ended, if nothing before says it; */
                                /* "null": it did not */
    AIOBS_S_OBJECT,             /* OpenAI: what the document is */
    AIOBS_S_TICKET,             /* an id, if there is none: to ask again by */
    AIOBS_S_ERROR_OTHER,        /* whatever else an error says */
    AIOBS_S_CALL,               /* Responses: the type of an event's item */
    AIOBS_S_SERVICE_TIER,       /* Gemini's, whose numbers are others */
    AIOBS_S_SPEED,              /* Anthropic's, at a price each */
    AIOBS_S_GEO,

    AIOBS_S_STREAM,             /* of a request: flags */
    AIOBS_S_INCLUDE_USAGE,
    AIOBS_S_BACKGROUND,
    AIOBS_S_SOURCE,             /* the type of a document's */
    AIOBS_S_MODEL_ALIKE         /* a model, for those who take "Model" for it */
};


/* groups */

enum {
    AIOBS_G_USAGE = 0,          /* a report: replaces the one before */
    AIOBS_G_MERGE,              /* a report: replaces what it names */
    AIOBS_G_GEMINI,             /* a report that only Gemini calls so */
    AIOBS_G_CHOICE,
    AIOBS_G_ADD,                /* a report: added to those before */
    AIOBS_G_ERROR,
    AIOBS_G_ITERATIONS,         /* sums begin anew */
    AIOBS_G_INPUT_DETAILS,      /* Gemini: by modality */
    AIOBS_G_OUTPUT_DETAILS,
    AIOBS_G_CACHED_DETAILS,
    AIOBS_G_CACHE_DETAILS,      /* Converse: cache writes by their ttl */
    AIOBS_G_CACHE_DETAIL,
    AIOBS_G_COUNT_INPUT,        /* an element is a token of the prompt */
    AIOBS_G_IMAGE,              /* an element is an image made */
    AIOBS_G_ITEM,               /* of a Responses' output */
    AIOBS_G_SOURCE              /* of a request: a document, text or not */
};


/* texts; what is no text of tokens is content, and not estimated by */

enum {
    AIOBS_T_TEXT = 0,
    AIOBS_T_MEDIA               /* pictures, sound; text that was there before */
};


/* what is estimated where nothing was reported */

enum {
    AIOBS_ESTIMATE_NONE = 0,
    AIOBS_ESTIMATE_BOTH,        /* prompt and answer are text */
    AIOBS_ESTIMATE_PROMPT       /* of an answer that could not be read whole */
};


/* how figures become a record */

typedef enum {
    AIOBS_RULE_NONE = 0,
    AIOBS_RULE_OPENAI,
    AIOBS_RULE_ANTHROPIC,       /* input is what neither cache had */
    AIOBS_RULE_GEMINI,          /* thoughts beside the candidates */
    AIOBS_RULE_COHERE,
    AIOBS_RULE_BEDROCK          /* body, else metrics, else headers */
} aiobs_rule_e;


/* marks of whose documents these are, where the path does not tell */

#define AIOBS_MARK_OPENAI     0x01
#define AIOBS_MARK_ANTHROPIC  0x02
#define AIOBS_MARK_GEMINI     0x04
#define AIOBS_MARK_CONVERSE   0x08
#define AIOBS_MARK_RESPONSE   0x10
#define AIOBS_MARK_EMBEDDING  0x20
#define AIOBS_MARK_OLLAMA     0x40
#define AIOBS_MARK_TGI        0x80
#define AIOBS_MARK_COHERE     0x100


struct aiobs_api_s {
    const char          *suffix;    /* of the path; "*": segments of the path */
    size_t               suffix_len;
    const char          *provider;
    const char          *operation;
    aiobs_dialect_e      dialect;
    aiobs_rule_e         rule;
    uint8_t              countable; /* with POST */
    uint8_t              text;      /* AIOBS_ESTIMATE_* */
    const aiobs_node_t  *answer;
    const aiobs_node_t  *request;
};


extern const aiobs_node_t  aiobs_openai_answer[];
extern const aiobs_node_t  aiobs_images_answer[];
extern const aiobs_node_t  aiobs_audio_answer[];
extern const aiobs_node_t  aiobs_ocr_answer[];
extern const aiobs_node_t  aiobs_decisions_answer[];
extern const aiobs_node_t  aiobs_anthropic_answer[];
extern const aiobs_node_t  aiobs_gemini_answer[];
extern const aiobs_node_t  aiobs_interactions_answer[];
extern const aiobs_node_t  aiobs_predict_answer[];
extern const aiobs_node_t  aiobs_converse_answer[];
extern const aiobs_node_t  aiobs_invoke_answer[];
extern const aiobs_node_t  aiobs_invoke_envelope[];
extern const aiobs_node_t  aiobs_tgi_answer[];
extern const aiobs_node_t  aiobs_watsonx_answer[];
extern const aiobs_node_t  aiobs_cohere_answer[];
extern const aiobs_node_t  aiobs_ollama_answer[];
extern const aiobs_node_t  aiobs_llamacpp_answer[];
extern const aiobs_node_t  aiobs_rerank_answer[];
extern const aiobs_node_t  aiobs_raw_predict_answer[];
extern const aiobs_node_t  aiobs_dashscope_answer[];
extern const aiobs_node_t  aiobs_replicate_answer[];
extern const aiobs_node_t  aiobs_deepinfra_answer[];
extern const aiobs_node_t  aiobs_lmstudio_answer[];
extern const aiobs_node_t  aiobs_kobold_answer[];
extern const aiobs_node_t  aiobs_sagemaker_answer[];
extern const aiobs_node_t  aiobs_agent_answer[];
extern const aiobs_node_t  aiobs_sap_answer[];
extern const aiobs_node_t  aiobs_any_answer[];
extern const aiobs_node_t  aiobs_any_request[];


/* text: a JSON number; AIOBS_ABSENT: no count of anything */
int64_t aiobs_number(const char *text, size_t len);

/* an amount of USD in billionths; AIOBS_ABSENT: none */
int64_t aiobs_amount(const char *text, size_t len);

/* --- aiobs_apis.c --- */

/* the API that it is if an AWS event stream is answered; most: the same */
const aiobs_api_t *aiobs_api_aws(const aiobs_api_t *api);


/* --- aiobs_api.c --- */

/* by AIOBS_MARK_*: the API of that dialect (AUTO: any), NULL: none */
const aiobs_api_t *aiobs_api_marked(aiobs_dialect_e dialect, unsigned marks);


/* --- aiobs_api_path.c --- */

/* whether the path is one of the row's */
int aiobs_api_match(const aiobs_api_t *api, const char *path, size_t len);

/* whether a POST to an unknown path may have made what it is answered with */
int aiobs_api_makes(const char *path, size_t len);


/* --- aiobs_rules.c --- */

void aiobs_apply_rule(const aiobs_api_t *api, const int64_t *figures,
    aiobs_usage_record_t *rec);

/* what is billed beside tokens; images: those an answer consists of */
void aiobs_apply_units(const int64_t *figures, int64_t images,
    int64_t searches, aiobs_usage_record_t *rec);


#endif /* _AIOBS_APIS_H_INCLUDED_ */
