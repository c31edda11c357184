
/*
 * Copyright (C) the aiobs authors
 *
 * Where the APIs' documents keep what is of interest.  A usage-shaped object
 * anywhere else - in a tool's input, in a string - is on no path.
 * This file: OpenAI, the others are beside it.
 */


#include "aiobs_nodes.h"


/* --- OpenAI and everything of its kind --- */

static const aiobs_node_t  aiobs_openai_input_details[] = {
    AIOBS_NUMBER("cached_tokens", CACHE_READ),
    AIOBS_NUMBER("cache_write_tokens", CACHE_WRITE),
    AIOBS_NUMBER("cache_read_input_tokens", CACHE_READ),    /* Perplexity */
    AIOBS_NUMBER("cache_creation_input_tokens", CACHE_WRITE),   /* Alibaba */
    AIOBS_NUMBER("audio_tokens", AUDIO_INPUT),
    AIOBS_NUMBER("image_tokens", IMAGE_INPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_output_details[] = {
    AIOBS_NUMBER("reasoning_tokens", REASONING),
    AIOBS_NUMBER("audio_tokens", AUDIO_OUTPUT),
    AIOBS_NUMBER("image_tokens", IMAGE_OUTPUT),
    AIOBS_END
};

const aiobs_node_t  aiobs_openai_cost[] = {
    AIOBS_NUMBER("total_cost", COST),           /* Perplexity */
    AIOBS_END
};

const aiobs_node_t  aiobs_openai_usage[] = {
    AIOBS_NUMBER("prompt_tokens", INPUT),
    AIOBS_NUMBER("completion_tokens", OUTPUT),
    AIOBS_NUMBER("input_tokens", INPUT),
    AIOBS_NUMBER("output_tokens", OUTPUT),
    AIOBS_NUMBER("total_tokens", TOTAL),
    AIOBS_PATH("prompt_tokens_details", aiobs_openai_input_details),
    AIOBS_PATH("prompt_token_details", aiobs_openai_input_details),
    AIOBS_PATH("input_tokens_details", aiobs_openai_input_details),
    AIOBS_PATH("input_token_details", aiobs_openai_input_details),
    AIOBS_PATH("completion_tokens_details", aiobs_openai_output_details),
    AIOBS_PATH("output_tokens_details", aiobs_openai_output_details),
    AIOBS_PATH("output_token_details", aiobs_openai_output_details),
    AIOBS_NUMBER("prompt_cache_hit_tokens", CACHE_READ),    /* DeepSeek */
    AIOBS_NUMBER("cached_tokens", CACHE_READ),          /* Together, Moonshot */
    AIOBS_NUMBER("num_cached_tokens", CACHE_READ),          /* Mistral */
    AIOBS_NUMBER("cache_read_input_tokens", CACHE_READ),    /* Databricks */
    AIOBS_NUMBER("cache_creation_input_tokens", CACHE_WRITE),
    AIOBS_NUMBER("reasoning_tokens", RESEARCH),
    AIOBS_NUMBER("connector_tokens", TOOL_INPUT),           /* Mistral */
    AIOBS_NUMBER("cost_in_usd_ticks", XAI_COST),
    AIOBS_NUMBER("seconds", MILLISECONDS),              /* transcriptions */
    AIOBS_NUMBER("prompt_audio_seconds", SOUND),            /* Mistral */
    AIOBS_NUMBER("search_units", QUERIES),              /* rerank */
    AIOBS_NUMBER("num_search_queries", SEARCHES),       /* Perplexity */
    AIOBS_NUMBER("citation_tokens", CITATIONS),
    { "cost", 4, AIOBS_NODE_NUMBER, AIOBS_F_COST, aiobs_openai_cost },
    AIOBS_NUMBER("estimated_cost", COST),                   /* DeepInfra */
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_function[] = {
    AIOBS_TEXT("name", NULL),
    AIOBS_TEXT("arguments", NULL),
    AIOBS_END
};

const aiobs_node_t  aiobs_openai_tool[] = {
    AIOBS_PATH("function", aiobs_openai_function),
    AIOBS_END
};

const aiobs_node_t  aiobs_openai_tools[] = {
    AIOBS_PATH("*", aiobs_openai_tool),
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_thought[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_thoughts[] = {
    AIOBS_PATH("*", aiobs_openai_thought),
    AIOBS_END
};

const aiobs_node_t  aiobs_openai_part[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_TEXT("thinking", aiobs_openai_thoughts),  /* Mistral, Cohere */
    AIOBS_END
};

const aiobs_node_t  aiobs_openai_parts[] = {
    AIOBS_PATH("*", aiobs_openai_part),
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_audio[] = {
    AIOBS_MEDIA_TEXT("data"),
    AIOBS_TEXT("transcript", NULL),
    AIOBS_END
};

const aiobs_node_t  aiobs_openai_message[] = {
    AIOBS_TEXT("content", aiobs_openai_parts),
    AIOBS_TEXT("reasoning_content", NULL),
    AIOBS_TEXT("reasoning", NULL),
    AIOBS_TEXT("refusal", NULL),
    AIOBS_PATH("audio", aiobs_openai_audio),
    AIOBS_PATH("tool_calls", aiobs_openai_tools),
    AIOBS_PATH("function_call", aiobs_openai_function),
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_choice[] = {
    AIOBS_NUMBER("index", INDEX),
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_PATH("delta", aiobs_openai_message),
    AIOBS_PATH("message", aiobs_openai_message),
    AIOBS_TEXT("text", NULL),
    AIOBS_GROUP("usage", USAGE, aiobs_openai_usage),    /* Moonshot, once */
    AIOBS_END
};

const aiobs_node_t  aiobs_openai_choices[] = {
    AIOBS_GROUP("*", CHOICE, aiobs_openai_choice),
    AIOBS_END
};

static const aiobs_node_t  aiobs_error_detail[] = {
    AIOBS_STRING("reason", ERROR_CODE),
    AIOBS_END
};

static const aiobs_node_t  aiobs_error_details[] = {
    AIOBS_PATH("*", aiobs_error_detail),
    AIOBS_END
};

/* of some in every answer, and empty in good ones */

static const aiobs_node_t  aiobs_error_others[1] = {
    AIOBS_OTHERS(ERROR_OTHER, aiobs_error_others)
};

const aiobs_node_t  aiobs_error_object[] = {
    AIOBS_STRING("type", ERROR_TYPE),
    AIOBS_STRING("code", ERROR_CODE),
    AIOBS_STRING("status", ERROR_TYPE),         /* Google */
    AIOBS_PATH("details", aiobs_error_details),
    AIOBS_OTHERS(ERROR_OTHER, aiobs_error_others)
};

static const aiobs_node_t  aiobs_openai_groq[] = {
    AIOBS_GROUP("usage", USAGE, aiobs_openai_usage),
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_incomplete[] = {
    AIOBS_STRING("reason", FINISH),
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_action[] = {
    AIOBS_STRING("type", ACTION),
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_item[] = {
    AIOBS_STRING("type", ITEM),
    AIOBS_PATH("action", aiobs_openai_action),
    AIOBS_PATH("content", aiobs_openai_parts),
    AIOBS_TEXT("arguments", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_items[] = {
    AIOBS_GROUP("*", ITEM, aiobs_openai_item),
    AIOBS_END
};

/* in an event at the end: its text came in events before */

static const aiobs_node_t  aiobs_openai_made_item[] = {
    AIOBS_STRING("type", ITEM),
    AIOBS_PATH("action", aiobs_openai_action),
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_made[] = {
    AIOBS_GROUP("*", ITEM, aiobs_openai_made_item),
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_response[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_PATH("choices", aiobs_openai_choices),        /* Perplexity */
    AIOBS_STRING("status", STATUS),
    AIOBS_STRING("service_tier", TIER),
    AIOBS_PATH("output", aiobs_openai_made),
    AIOBS_PATH("incomplete_details", aiobs_openai_incomplete),
    AIOBS_GROUP("usage", USAGE, aiobs_openai_usage),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_END
};

/* calls that come whole: others had their arguments in deltas before */

static const aiobs_node_t  aiobs_openai_words[] = {
    AIOBS_MEDIA_TEXT("*"),
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_done_action[] = {
    AIOBS_PATH("command", aiobs_openai_words),
    AIOBS_PATH("commands", aiobs_openai_words),
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_done_operation[] = {
    AIOBS_MEDIA_TEXT("path"),
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_done_item[] = {
    AIOBS_STRING("type", CALL),
    AIOBS_MEDIA_TEXT("arguments"),
    AIOBS_PATH("action", aiobs_openai_done_action),
    AIOBS_PATH("operation", aiobs_openai_done_operation),
    AIOBS_END
};

/* MiniMax: in every answer, 0 in good ones */

static const aiobs_node_t  aiobs_openai_base[] = {
    AIOBS_STRING("status_code", ERROR_TYPE),
    AIOBS_END
};

const aiobs_node_t  aiobs_openai_answer[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_PATH("choices", aiobs_openai_choices),
    AIOBS_GROUP("usage", USAGE, aiobs_openai_usage),
    AIOBS_STRING("service_tier", TIER),
    AIOBS_STRING("type", TYPE),
    AIOBS_STRING("status", STATUS),
    AIOBS_PATH("incomplete_details", aiobs_openai_incomplete),
    AIOBS_PATH("response", aiobs_openai_response),
    AIOBS_TEXT("delta", NULL),                  /* Responses */
    AIOBS_PATH("item", aiobs_openai_done_item),
    AIOBS_PATH("output", aiobs_openai_items),
    AIOBS_PATH("x_groq", aiobs_openai_groq),
    AIOBS_MEDIA_TEXT("partial_image_b64"),
    AIOBS_TEXT("result", NULL),                 /* Qianfan, up to error_msg */
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_STRING("error_code", ERROR_CODE),
    AIOBS_GROUP("error_msg", ERROR, aiobs_error_object),
    AIOBS_TEXT("content", NULL),                /* llama.cpp, up to stop_type */
    AIOBS_NUMBER("tokens_evaluated", INPUT),
    AIOBS_NUMBER("tokens_predicted", OUTPUT),
    AIOBS_STRING("stop_type", FINISH),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_STRING("code", ERROR_CODE),           /* an error event, xAI */
    AIOBS_STRING("request_id", TICKET),         /* xAI, deferred */
    AIOBS_PATH("base_resp", aiobs_openai_base),
    AIOBS_END
};


/* --- images: of some models without a report, billed by the piece --- */

static const aiobs_node_t  aiobs_openai_image[] = {
    AIOBS_END
};

static const aiobs_node_t  aiobs_openai_images[] = {
    AIOBS_GROUP("*", IMAGE, aiobs_openai_image),
    AIOBS_END
};

const aiobs_node_t  aiobs_images_answer[] = {
    AIOBS_STRING("model", MODEL),
    AIOBS_STRING("type", TYPE),
    AIOBS_PATH("data", aiobs_openai_images),
    AIOBS_MEDIA_TEXT("b64_json"),               /* of a stream */
    AIOBS_GROUP("usage", USAGE, aiobs_openai_usage),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_STRING("code", ERROR_CODE),
    AIOBS_END
};


/* --- questions answered by a choice or a score, at rates of their own --- */

const aiobs_node_t  aiobs_decisions_answer[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_GROUP("usage", USAGE, aiobs_openai_usage),
    AIOBS_STRING("service_tier", TIER),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_END
};


/* --- OCR, billed by the page --- */

static const aiobs_node_t  aiobs_ocr_usage[] = {
    AIOBS_NUMBER("pages_processed", PAGES),
    AIOBS_END
};

const aiobs_node_t  aiobs_ocr_answer[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_GROUP("usage_info", MERGE, aiobs_ocr_usage),
    AIOBS_GROUP("usage", MERGE, aiobs_openai_usage),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_STRING("code", ERROR_CODE),
    AIOBS_END
};


/* --- transcriptions: of some models their length, beside the text --- */

const aiobs_node_t  aiobs_audio_answer[] = {
    AIOBS_STRING("model", MODEL),
    AIOBS_STRING("type", TYPE),
    AIOBS_TEXT("delta", NULL),
    AIOBS_MEDIA_TEXT("audio"),                  /* speech */
    AIOBS_MEDIA_TEXT("text"),                   /* Mistral, at the end again */
    AIOBS_PATH("choices", aiobs_openai_choices),    /* vLLM */
    AIOBS_NUMBER("duration", MILLISECONDS),
    AIOBS_GROUP("usage", USAGE, aiobs_openai_usage),
    AIOBS_PATH("x_groq", aiobs_openai_groq),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_END
};
