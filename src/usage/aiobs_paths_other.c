
/*
 * Copyright (C) the aiobs authors
 *
 * Paths of Cohere, Ollama, text generation servers.
 */


#include "aiobs_nodes.h"


/* --- Cohere --- */

static const aiobs_node_t  aiobs_cohere_billed[] = {
    AIOBS_NUMBER("input_tokens", BILLED_INPUT),
    AIOBS_NUMBER("output_tokens", BILLED_OUTPUT),
    AIOBS_NUMBER("search_units", QUERIES),
    AIOBS_NUMBER("images", IMAGES_INPUT),
    AIOBS_NUMBER("image_tokens", IMAGE_INPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_cohere_tokens[] = {
    AIOBS_NUMBER("input_tokens", INPUT),
    AIOBS_NUMBER("output_tokens", OUTPUT),
    AIOBS_NUMBER("reasoning_tokens", REASONING),
    AIOBS_END
};

static const aiobs_node_t  aiobs_cohere_input_details[] = {
    AIOBS_NUMBER("cached_tokens", CACHE_READ),
    AIOBS_END
};

static const aiobs_node_t  aiobs_cohere_output_details[] = {
    AIOBS_NUMBER("reasoning_tokens", REASONING),
    AIOBS_END
};

static const aiobs_node_t  aiobs_cohere_usage[] = {
    AIOBS_PATH("billed_units", aiobs_cohere_billed),
    AIOBS_PATH("tokens", aiobs_cohere_tokens),
    AIOBS_NUMBER("cached_tokens", CACHE_READ),
    AIOBS_NUMBER("prompt_tokens", INPUT),       /* Writer, on the same path */
    AIOBS_NUMBER("completion_tokens", OUTPUT),
    AIOBS_PATH("prompt_token_details", aiobs_cohere_input_details),
    AIOBS_PATH("completion_tokens_details", aiobs_cohere_output_details),
    AIOBS_NUMBER("input_tokens", INPUT),        /* Reka, likewise */
    AIOBS_NUMBER("output_tokens", OUTPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_cohere_message[] = {
    AIOBS_PATH("content", aiobs_openai_parts),
    AIOBS_END
};

static const aiobs_node_t  aiobs_cohere_delta_message[] = {
    AIOBS_PATH("content", aiobs_openai_part),
    AIOBS_PATH("tool_calls", aiobs_openai_tool),
    AIOBS_TEXT("tool_plan", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_cohere_delta[] = {
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_STRING("error", ERROR_TYPE),
    AIOBS_STRING("error_type", ERROR_CODE),
    AIOBS_GROUP("usage", USAGE, aiobs_cohere_usage),
    AIOBS_PATH("message", aiobs_cohere_delta_message),
    AIOBS_END
};

static const aiobs_node_t  aiobs_cohere_generation[] = {
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_END
};

const aiobs_node_t  aiobs_cohere_generations[] = {
    AIOBS_GROUP("*", CHOICE, aiobs_cohere_generation),
    AIOBS_END
};

const aiobs_node_t  aiobs_cohere_response[] = {
    AIOBS_STRING("id", ID),
    AIOBS_PATH("generations", aiobs_cohere_generations),
    AIOBS_STRING("response_id", ID),
    AIOBS_GROUP("meta", USAGE, aiobs_cohere_usage),
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_END
};

/* Reka: each event has all of the text so far */

static const aiobs_node_t  aiobs_reka_chunk[] = {
    AIOBS_MEDIA_TEXT("content"),
    AIOBS_END
};

static const aiobs_node_t  aiobs_reka_response[] = {
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_PATH("message", aiobs_openai_message),
    AIOBS_PATH("chunk", aiobs_reka_chunk),
    AIOBS_END
};

static const aiobs_node_t  aiobs_reka_responses[] = {
    AIOBS_GROUP("*", CHOICE, aiobs_reka_response),
    AIOBS_END
};

/* what an answer of Cohere's has wherever it comes */

#define AIOBS_COHERE_ROWS                                                     \
    AIOBS_GROUP("usage", USAGE, aiobs_cohere_usage),                          \
    AIOBS_GROUP("meta", USAGE, aiobs_cohere_usage),                           \
    AIOBS_PATH("message", aiobs_cohere_message),                              \
    AIOBS_TEXT("text", NULL),                                                 \
    AIOBS_PATH("delta", aiobs_cohere_delta),                                  \
    AIOBS_PATH("response", aiobs_cohere_response)

const aiobs_node_t  aiobs_cohere_answer[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("response_id", ID),
    AIOBS_STRING("type", TYPE),
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_PATH("generations", aiobs_cohere_generations),
    AIOBS_STRING("model", MODEL),               /* Writer, Reka */
    AIOBS_PATH("responses", aiobs_reka_responses),
    AIOBS_PATH("choices", aiobs_openai_choices),
    AIOBS_COHERE_ROWS,
    AIOBS_END
};


/* --- LM Studio, where a gateway may have Cohere's --- */

static const aiobs_node_t  aiobs_lmstudio_stats[] = {
    AIOBS_NUMBER("input_tokens", INPUT),
    AIOBS_NUMBER("total_output_tokens", OUTPUT),
    AIOBS_NUMBER("reasoning_output_tokens", REASONING),
    AIOBS_END
};

static const aiobs_node_t  aiobs_lmstudio_item[] = {
    AIOBS_TEXT("content", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_lmstudio_items[] = {
    AIOBS_PATH("*", aiobs_lmstudio_item),
    AIOBS_END
};

/* of a stream, at its end: what was said came before */

static const aiobs_node_t  aiobs_lmstudio_result[] = {
    AIOBS_STRING("model_instance_id", MODEL),
    AIOBS_STRING("response_id", ID),
    AIOBS_GROUP("stats", USAGE, aiobs_lmstudio_stats),
    AIOBS_END
};

const aiobs_node_t  aiobs_lmstudio_answer[] = {
    AIOBS_STRING("type", TYPE),
    AIOBS_STRING("model_instance_id", MODEL),
    AIOBS_STRING("response_id", ID),
    AIOBS_TEXT("content", NULL),
    AIOBS_PATH("output", aiobs_lmstudio_items),
    AIOBS_GROUP("stats", USAGE, aiobs_lmstudio_stats),
    AIOBS_PATH("result", aiobs_lmstudio_result),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_STRING("id", ID),                     /* Cohere */
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_PATH("generations", aiobs_cohere_generations),
    AIOBS_COHERE_ROWS,
    AIOBS_END
};


/* --- KoboldCpp, where a gateway may have Cohere's --- */

static const aiobs_node_t  aiobs_kobold_result[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_PATH("tool_calls", aiobs_openai_tools),
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_NUMBER("prompt_tokens", INPUT),
    AIOBS_NUMBER("completion_tokens", OUTPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_kobold_results[] = {
    AIOBS_GROUP("*", CHOICE, aiobs_kobold_result),
    AIOBS_END
};

/* that it is busy, with any status */

static const aiobs_node_t  aiobs_kobold_detail[] = {
    AIOBS_STRING("type", ERROR_TYPE),
    AIOBS_END
};

const aiobs_node_t  aiobs_kobold_answer[] = {
    AIOBS_PATH("results", aiobs_kobold_results),
    AIOBS_TEXT("token", NULL),                  /* of a stream */
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_PATH("detail", aiobs_kobold_detail),
    AIOBS_STRING("id", ID),                     /* Cohere */
    AIOBS_PATH("generations", aiobs_cohere_generations),
    AIOBS_GROUP("meta", USAGE, aiobs_cohere_usage),
    AIOBS_TEXT("text", NULL),
    AIOBS_PATH("response", aiobs_cohere_response),
    AIOBS_END
};


/* --- Ollama: the report is the document itself --- */

static const aiobs_node_t  aiobs_ollama_call[] = {
    AIOBS_TEXT("name", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_ollama_tool[] = {
    AIOBS_PATH("function", aiobs_ollama_call),
    AIOBS_END
};

static const aiobs_node_t  aiobs_ollama_tools[] = {
    AIOBS_PATH("*", aiobs_ollama_tool),
    AIOBS_END
};

static const aiobs_node_t  aiobs_ollama_message[] = {
    AIOBS_TEXT("content", NULL),
    AIOBS_TEXT("thinking", NULL),
    AIOBS_PATH("tool_calls", aiobs_ollama_tools),
    AIOBS_END
};

const aiobs_node_t  aiobs_ollama_answer[] = {
    AIOBS_STRING("model", MODEL),
    AIOBS_STRING("done_reason", FINISH),
    AIOBS_NUMBER("prompt_eval_count", INPUT),
    AIOBS_NUMBER("prompt_eval_cached_count", CACHE_READ),
    AIOBS_NUMBER("eval_count", OUTPUT),
    AIOBS_PATH("message", aiobs_ollama_message),
    AIOBS_TEXT("response", NULL),
    AIOBS_TEXT("thinking", NULL),
    AIOBS_STRING("error", ERROR_TYPE),
    AIOBS_END
};



/* --- Hugging Face text generation: an object, or a list of one --- */

static const aiobs_node_t  aiobs_tgi_prompt_token[] = {
    AIOBS_END
};

static const aiobs_node_t  aiobs_tgi_prefill[] = {
    AIOBS_GROUP("*", COUNT_INPUT, aiobs_tgi_prompt_token),
    AIOBS_END
};

static const aiobs_node_t  aiobs_tgi_details[] = {
    AIOBS_STRING("finish_reason", FINISH),
    AIOBS_NUMBER("generated_tokens", OUTPUT),
    AIOBS_NUMBER("input_length", INPUT),
    AIOBS_NUMBER("prompt_tokens", INPUT),       /* LoRAX */
    AIOBS_PATH("prefill", aiobs_tgi_prefill),
    AIOBS_END
};

static const aiobs_node_t  aiobs_tgi_token[] = {
    AIOBS_TEXT("text", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_sglang_finish[] = {
    AIOBS_STRING("type", FINISH),
    AIOBS_END
};

static const aiobs_node_t  aiobs_sglang_meta[] = {
    AIOBS_PATH("finish_reason", aiobs_sglang_finish),
    AIOBS_NUMBER("prompt_tokens", INPUT),
    AIOBS_NUMBER("completion_tokens", OUTPUT),
    AIOBS_NUMBER("cached_tokens", CACHE_READ),
    AIOBS_END
};

const aiobs_node_t  aiobs_tgi_answer[] = {
    AIOBS_PATH("meta_info", aiobs_sglang_meta), /* SGLang, on the same path */
    AIOBS_MEDIA_TEXT("text"),                   /* all of it so far */
    AIOBS_PATH("details", aiobs_tgi_details),
    AIOBS_PATH("token", aiobs_tgi_token),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_STRING("error_type", ERROR_CODE),
    AIOBS_END
};


/* --- SageMaker: vLLM's documents, text generation servers', Cohere's --- */

static const aiobs_node_t  aiobs_sagemaker_texts[] = {
    AIOBS_TEXT("*", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_sagemaker_billed[] = {
    AIOBS_NUMBER("input_tokens", INPUT),
    AIOBS_NUMBER("output_tokens", OUTPUT),
    AIOBS_END
};

static const aiobs_node_t  aiobs_sagemaker_meta[] = {
    AIOBS_PATH("billed_units", aiobs_sagemaker_billed),
    AIOBS_END
};

const aiobs_node_t  aiobs_sagemaker_answer[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_PATH("choices", aiobs_openai_choices),
    AIOBS_GROUP("usage", USAGE, aiobs_openai_usage),
    AIOBS_PATH("token", aiobs_tgi_token),
    AIOBS_PATH("details", aiobs_tgi_details),
    AIOBS_TEXT("generated_text", NULL),
    AIOBS_PATH("meta_info", aiobs_sglang_meta),
    AIOBS_PATH("outputs", aiobs_sagemaker_texts),
    AIOBS_GROUP("meta", USAGE, aiobs_sagemaker_meta),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_STRING("error_type", ERROR_CODE),
    AIOBS_END
};


/* --- watsonx: the prompt is counted in the first event only --- */

static const aiobs_node_t  aiobs_watsonx_result[] = {
    AIOBS_NUMBER("input_token_count", MAX_INPUT),
    AIOBS_NUMBER("generated_token_count", OUTPUT),
    AIOBS_STRING("stop_reason", FINISH),
    AIOBS_TEXT("generated_text", NULL),
    AIOBS_END
};

static const aiobs_node_t  aiobs_watsonx_results[] = {
    AIOBS_PATH("*", aiobs_watsonx_result),
    AIOBS_END
};

const aiobs_node_t  aiobs_watsonx_answer[] = {
    AIOBS_STRING("model_id", MODEL),
    AIOBS_PATH("results", aiobs_watsonx_results),
    AIOBS_NUMBER("input_token_count", INPUT),   /* embeddings, rerank */
    AIOBS_END
};


/* --- llama.cpp: the report is the document, a running one in streams --- */

static const aiobs_node_t  aiobs_llamacpp_timings[] = {
    AIOBS_NUMBER("cache_n", CACHE_READ),
    AIOBS_END
};

const aiobs_node_t  aiobs_llamacpp_answer[] = {
    AIOBS_STRING("model", MODEL),
    AIOBS_TEXT("content", NULL),
    AIOBS_STRING("stop_type", FINISH),
    AIOBS_NUMBER("tokens_evaluated", INPUT),
    AIOBS_NUMBER("tokens_predicted", OUTPUT),
    AIOBS_PATH("timings", aiobs_llamacpp_timings),
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_END
};


/* --- rerank, of many --- */

static const aiobs_node_t  aiobs_rerank_billed[] = {
    AIOBS_NUMBER("search_units", QUERIES),
    AIOBS_END
};

static const aiobs_node_t  aiobs_rerank_meta[] = {
    AIOBS_PATH("billed_units", aiobs_rerank_billed),
    AIOBS_END
};

const aiobs_node_t  aiobs_rerank_answer[] = {
    AIOBS_STRING("id", ID),
    AIOBS_STRING("model", MODEL),
    AIOBS_GROUP("usage", USAGE, aiobs_openai_usage),
    AIOBS_GROUP("meta", USAGE, aiobs_rerank_meta),      /* Cohere */
    AIOBS_GROUP("error", ERROR, aiobs_error_object),
    AIOBS_STRING("code", ERROR_CODE),
    AIOBS_END
};
